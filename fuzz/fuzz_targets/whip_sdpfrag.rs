//! Fragments that WHIP clients send: counted, never dialled.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sightline_fuzz::ingest::offer::{OfferLimits, fragment};

fuzz_target!(|text: &str| {
    let limits = OfferLimits::default();
    if let Ok(read) = fragment(text, &limits) {
        assert!(read.candidates <= limits.max_candidates);
        assert!(read.candidates > 0 || read.complete || read.credentials.is_some());
        assert!(read.credentials.is_none_or(|c| (4..=256).contains(&c.ufrag.len()) && (22..=256).contains(&c.pwd.len())));
    }
});
