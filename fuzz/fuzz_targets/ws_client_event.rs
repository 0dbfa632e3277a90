//! What clients say over a WebSocket or the data channel: read or refused, and a refusal can always be told.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sightline_fuzz::wire::ClientEvent;

fuzz_target!(|text: &str| match ClientEvent::parse(text) {
    Ok(event) => drop(event),
    Err(error) => assert!(!error.code.is_empty() && !error.message.is_empty()),
});
