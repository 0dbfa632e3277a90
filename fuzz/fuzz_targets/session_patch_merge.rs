//! Settings put over settings: what is in force stays within its bounds, and the same settings again change nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sightline_fuzz::wire::{Names, SessionConfig, parse_session};

fuzz_target!(|text: &str| {
    let names = Names::default();
    let mut session = SessionConfig::new("sess_1".to_owned(), &names);
    for part in text.split('\n').take(8) {
        if let Ok(patch) = parse_session(part) {
            session.apply(patch.clone(), &names);
            let once = serde_json::to_string(&session).expect("a session can be written");
            session.apply(patch, &names);
            assert_eq!(once, serde_json::to_string(&session).expect("a session can be written"));
        }
    }
});
