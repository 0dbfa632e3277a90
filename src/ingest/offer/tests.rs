use proptest::prelude::*;

use super::{MediaKind, Offer, OfferError, OfferLimits, OfferRules, check};
use crate::base::{Codec, ErrorClass};

const ALL: [Codec; 5] = [Codec::Vp8, Codec::Vp9, Codec::H264, Codec::Av1, Codec::Opus];

const AUDIO: &str = "m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9\r\na=mid:0\r\na=sendrecv\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\n\
a=fmtp:111 minptime=10;useinbandfec=1\r\na=rtpmap:63 red/48000/2\r\na=fmtp:63 111/111\r\na=rtpmap:9 G722/8000\r\n";
const VIDEO: &str = "m=video 9 UDP/TLS/RTP/SAVPF 102 103 96 97 98 45\r\na=mid:1\r\na=sendonly\r\na=rtcp-mux\r\n\
a=rtpmap:102 H264/90000\r\na=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f\r\n\
a=rtpmap:103 rtx/90000\r\na=fmtp:103 apt=102\r\na=rtpmap:96 VP8/90000\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n\
a=rtpmap:98 VP9/90000\r\na=fmtp:98 profile-id=2\r\na=rtpmap:45 AV1/90000\r\na=ssrc:1 cname:x\r\n";
const DATA: &str =
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:2\r\na=sctp-port:5000\r\na=max-message-size:262144\r\n";

fn session(bundle: &str) -> String {
    format!(
        "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {bundle}\r\na=ice-ufrag:abcd\r\n\
         a=ice-pwd:0123456789012345678901\r\na=fingerprint:sha-256 AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB\r\na=setup:actpass\r\n"
    )
}

fn browser() -> String {
    format!(
        "{}{AUDIO}a=candidate:1 1 udp 1 192.0.2.1 5000 typ host\r\na=end-of-candidates\r\n{VIDEO}{DATA}",
        session("0 1 2")
    )
}

fn run(text: &str) -> Result<Offer, OfferError> {
    check(text, &OfferRules { limits: &OfferLimits::default(), codecs: &ALL, strip_candidates: true })
}

fn refused(text: &str, class: ErrorClass, words: &[&str]) {
    let error = run(text).unwrap_err();
    assert_eq!(error.class(), class, "{error}");
    for word in words {
        assert!(error.to_string().contains(word), "`{error}` does not say `{word}`");
    }
}

#[test]
fn a_browser_offer_is_taken_with_vp8_and_opus_and_their_payload_types() {
    let offer = run(&browser()).unwrap();
    let kinds: Vec<_> = offer.media.iter().map(|m| (m.kind, m.sends)).collect();
    assert_eq!(kinds, [(MediaKind::Audio, true), (MediaKind::Video, true), (MediaKind::Data, false)]);
    let audio = offer.media[0].codec.clone().unwrap();
    assert_eq!((audio.codec, audio.payload_type, audio.rtx), (Codec::Opus, 111, None));
    assert_eq!(audio.fmtp, "minptime=10;useinbandfec=1");
    let video = offer.media[1].codec.clone().unwrap();
    assert_eq!((video.codec, video.payload_type, video.rtx), (Codec::Vp8, 96, Some(97)));
    assert_eq!(offer.max_message_size, 262_144);
    assert!(!offer.sdp.contains("candidate") && offer.sdp.contains("a=ssrc:1 cname:x\r\n"));
}

#[test]
fn our_order_of_codecs_decides_and_not_the_offers() {
    let limits = OfferLimits::default();
    let video = |codecs: &[Codec]| {
        let rules = OfferRules { limits: &limits, codecs, strip_candidates: false };
        check(&browser(), &rules).unwrap().media[1].codec.clone().unwrap()
    };
    assert_eq!(video(&[Codec::H264, Codec::Vp8, Codec::Opus]).payload_type, 102);
    assert_eq!(video(&[Codec::Vp9, Codec::Av1, Codec::Opus]).payload_type, 45, "VP9 profile 2 is not ours");
}

#[test]
fn offers_without_video_without_audio_and_with_data_only_are_legal() {
    assert_eq!(run(&format!("{}{AUDIO}", session("0"))).unwrap().media.len(), 1);
    assert_eq!(run(&format!("{}{VIDEO}{DATA}", session("1 2"))).unwrap().media.len(), 2);
    let data = run(&format!("{}{DATA}", session("2"))).unwrap();
    assert_eq!(data.media[0].codec, None);
}

#[test]
fn sections_that_do_not_send_need_no_common_codec() {
    let silent = VIDEO.replace("sendonly", "recvonly").replace("VP8", "H265").replace("H264", "X").replace("AV1", "Y");
    let offer = run(&format!("{}{AUDIO}{silent}", session("0 1"))).unwrap();
    assert!(!offer.media[1].sends && offer.media[1].codec.is_none());
    let rejected =
        VIDEO.replace("m=video 9", "m=video 0").replace("VP8", "H265").replace("H264", "X").replace("AV1", "Y");
    assert!(!run(&format!("{}{AUDIO}{rejected}", session("0"))).unwrap().media[1].sends);
}

#[test]
fn whether_the_voice_is_taken_is_said_by_the_section_or_the_session() {
    let ear = |text: &str| run(text).unwrap().media.iter().find_map(|m| m.ear().map(|c| c.payload_type));
    let of = |audio: &str| format!("{}{audio}{VIDEO}", session("0 1"));
    assert_eq!(ear(&of(AUDIO)), Some(111));
    assert_eq!(ear(&of(&AUDIO.replace("sendrecv", "recvonly"))), Some(111));
    assert_eq!(ear(&of(&AUDIO.replace("a=sendrecv\r\n", ""))), Some(111), "the default is both ways");
    // A section that is no more, and one without a codec of ours, have no ear, whatever else they say.
    let foreign = AUDIO.replace("sendrecv", "recvonly").replace("opus", "PCMU");
    let gone = AUDIO.replace("m=audio 9", "m=audio 0");
    for deaf in [AUDIO.replace("sendrecv", "sendonly"), AUDIO.replace("sendrecv", "inactive"), foreign, gone] {
        assert_eq!(ear(&of(&deaf)), None, "{deaf}");
    }
    let whole = of(&AUDIO.replace("a=sendrecv\r\n", "")).replace("a=setup:", "a=sendonly\r\na=setup:");
    assert_eq!(ear(&whole), None);
}

#[test]
fn no_common_codec_names_both_sides() {
    let text = browser().replace("VP8", "H265").replace("H264", "HX").replace("AV1", "AVX");
    refused(&text, ErrorClass::Unsupported, &["video", "H265", "HX", "VP9", "VP8", "baseline", "line 21"]);
    refused(&browser().replace("opus", "PCMU"), ErrorClass::Unsupported, &["audio", "PCMU", "opus"]);
    let high = browser().replace("VP8", "X").replace("AV1", "X").replace("42001f", "64001f");
    refused(&high, ErrorClass::Unsupported, &["H264"]);
}

#[test]
fn malformed_offers_name_the_line_and_the_remedy() {
    refused("", ErrorClass::Invalid, &["offers nothing"]);
    refused("{\"sdp\":1}", ErrorClass::Invalid, &["line 1"]);
    refused("v=1\r\n", ErrorClass::Invalid, &["v=0"]);
    refused(&session("0"), ErrorClass::Invalid, &["add a track"]);
    refused(&browser().replace("s=-\r\n", "broken\r\n"), ErrorClass::Invalid, &["line 3"]);
    refused(&browser().replace("m=audio 9", "m=audio x"), ErrorClass::Invalid, &["port"]);
    refused(&browser().replace("111 63 9", "111 63 200"), ErrorClass::Invalid, &["200", "0 to 127"]);
    refused(&browser().replace("111 63 9", "111 63 63"), ErrorClass::Invalid, &["twice"]);
    refused(&browser().replace("opus/48000", "opus/x"), ErrorClass::Invalid, &["clock rate"]);
    refused(&browser().replace("a=ice-ufrag:abcd", "a=ice-ufrag:a b"), ErrorClass::Invalid, &["ICE", "line 6"]);
    refused(&browser().replace("a=fingerprint:sha-256 AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB\r\n", ""), ErrorClass::Invalid, &["fingerprint"]);
    refused(&browser().replace("a=ssrc:1", "a=ssrc:\u{7}1"), ErrorClass::Invalid, &["control character"]);
    refused(&browser().replace("size:262144", "size:many"), ErrorClass::Invalid, &["max-message-size"]);
}

#[test]
fn what_we_do_not_do_is_unsupported_and_says_what_would_work() {
    refused(&browser().replace("BUNDLE 0 1 2", "BUNDLE 0 2"), ErrorClass::Unsupported, &["max-bundle", "line 21"]);
    refused(&browser().replacen("a=rtcp-mux\r\n", "", 1), ErrorClass::Unsupported, &["rtcp-mux"]);
    refused(&browser().replacen("UDP/TLS/RTP/SAVPF", "RTP/AVP", 1), ErrorClass::Unsupported, &["SAVPF"]);
    refused(&browser().replace("m=video", "m=text"), ErrorClass::Unsupported, &["text"]);
    refused(&browser().replace("a=sctp-port:5000\r\n", ""), ErrorClass::Unsupported, &["sctp-port"]);
}

#[test]
fn every_limit_is_an_error_of_its_own() {
    refused(&"v".repeat(70_000), ErrorClass::TooLarge, &["bytes", "65536"]);
    refused(&format!("{}a={}\r\n", session("0"), "x".repeat(5_000)), ErrorClass::TooLarge, &["one line", "4096"]);
    refused(&format!("v=0\r\n{}", "a=x\r\n".repeat(2_100)), ErrorClass::TooLarge, &["lines"]);
    refused(&format!("{}{}", browser(), AUDIO.repeat(6)), ErrorClass::TooLarge, &["media sections", "8"]);
    let many = "a=candidate:1 1 udp 1 192.0.2.1 5000 typ host\r\n".repeat(65);
    refused(&format!("{}{many}", browser()), ErrorClass::TooLarge, &["candidates", "64"]);
}

#[test]
fn a_client_that_does_not_say_takes_64_kib_and_zero_means_any_size() {
    let without = browser().replace("a=max-message-size:262144\r\n", "");
    assert_eq!(run(&without).unwrap().max_message_size, 65_536);
    assert_eq!(run(&browser().replace("size:262144", "size:0")).unwrap().max_message_size, usize::MAX);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn any_text_is_judged_without_a_panic(text in "\\PC{0,300}") {
        let _ = run(&text);
        let _ = run(&format!("{}{text}", session("0")));
    }

    /// A browser's offer with lines lost, doubled or damaged: whatever is taken keeps the limits and its own promises.
    #[test]
    fn damaged_offers_are_judged_without_a_panic(
        edits in proptest::collection::vec((any::<proptest::sample::Index>(), 0_u8..5, any::<char>()), 0..8),
    ) {
        let mut lines: Vec<String> = browser().lines().map(str::to_owned).collect();
        for (at, how, c) in edits {
            if lines.is_empty() { break; }
            let i = at.index(lines.len());
            match how {
                0 => { lines.remove(i); }
                1 => { let l = lines[i].clone(); lines.insert(i, l); }
                2 => { let n = at.index(lines[i].chars().count() + 1); lines[i] = lines[i].chars().take(n).collect(); }
                3 => { let j = lines.len() - 1 - i; lines.swap(i, j); }
                _ => lines[i].push(c),
            }
        }
        if let Ok(offer) = run(&lines.join("\n")) {
            prop_assert!(offer.media.len() <= 8 && !offer.media.is_empty());
            prop_assert!(offer.media.iter().all(|m| !m.sends || m.codec.as_ref().is_some_and(|c| c.payload_type < 128)));
            prop_assert!(!offer.sdp.contains("a=candidate"));
        }
    }
}
