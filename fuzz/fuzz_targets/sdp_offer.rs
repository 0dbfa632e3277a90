//! Offers: what is taken keeps its limits, has no candidates left, and can be offered again with other credentials.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sightline_fuzz::base::Codec;
use sightline_fuzz::ingest::offer::{IceCredentials, OfferLimits, OfferRules, answer_fragment, check, ice_credentials, with_credentials};

const CODECS: [Codec; 5] = [Codec::Vp8, Codec::Vp9, Codec::H264, Codec::Av1, Codec::Opus];

fuzz_target!(|text: &str| {
    let limits = OfferLimits::default();
    let rules = OfferRules { limits: &limits, codecs: &CODECS, strip_candidates: true };
    if let Ok(offer) = check(text, &rules) {
        assert!(!offer.media.is_empty() && offer.media.len() <= limits.max_media);
        // By its whole name: `a=candidateo=…` is another attribute, which nobody knows.
        assert!(!offer.sdp.lines().any(|l| l == "a=candidate" || l.starts_with("a=candidate:")));
        let new = IceCredentials { ufrag: "abcd".into(), pwd: "0123456789012345678901".into() };
        let again = with_credentials(&offer.sdp, &new);
        assert_eq!(ice_credentials(&again), Some(new));
        // A line near its limit may have grown past it.
        assert!(check(&again, &rules).is_ok_and(|a| a.media == offer.media) || text.len() > 2_000, "{again}");
    }
    let _ = answer_fragment(text);
});
