//! Packets of strangers on the port that all calls share: nobody gets into a call without its password.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sightline_fuzz::base::MediaTime;
use sightline_fuzz::ingest::mux::is_let_in;

fuzz_target!(|data: &[u8]| {
    for (at, packet) in data.chunks(120).take(16).enumerate() {
        assert!(!is_let_in(packet, MediaTime::from_millis(at as u64 * 1_000)), "{packet:?}");
    }
});
