//! Addresses of STUN and TURN servers: what passes can stand in a header between angle brackets.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sightline_fuzz::ingest::ice_servers::check_url;

fuzz_target!(|url: &str| {
    if check_url(url).is_none() {
        assert!(url.is_ascii() && !url.contains(['<', '>', '"', ';', ' ', '\r', '\n']), "{url}");
    }
});
