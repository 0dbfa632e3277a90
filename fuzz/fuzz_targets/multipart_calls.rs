//! The body of `POST /v1/realtime/calls`, with the content type that the client says: first line type, then the body.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sightline_fuzz::server::read_call;

fuzz_target!(|data: &[u8]| {
    let (kind, body) = data.iter().position(|b| *b == b'\n').map_or((&[][..], data), |at| (&data[..at], &data[at + 1..]));
    if let Ok((offer, session)) = read_call(kind, body) {
        assert!(offer.len() + session.map_or(0, |s| s.len()) <= body.len());
    }
});
