//! The configuration: a file in the first half, the environment and flags in the second.
#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use sightline_fuzz::config::{Sources, collect};

thread_local! {
    static DIR: RefCell<Option<tempfile::TempDir>> = const { RefCell::new(None) };
}

fuzz_target!(|text: &str| {
    let (file, rest) = text.split_once("\u{0}").unwrap_or((text, ""));
    DIR.with_borrow_mut(|dir| {
        let dir = dir.get_or_insert_with(|| tempfile::tempdir().expect("a folder"));
        std::fs::write(dir.path().join("sightline.toml"), file).expect("written");
        let pairs = rest.lines().filter_map(|l| l.split_once('='));
        let flags = pairs.clone().map(|(k, v)| ("--set".to_owned(), k.to_owned(), v.to_owned())).collect();
        let env = pairs.map(|(k, v)| (format!("SIGHTLINE__{}", k.to_uppercase().replace('.', "__")), v.to_owned())).collect();
        let sources = Sources { dir: dir.path().to_path_buf(), flags, env, ..Sources::default() };
        if let Err(error) = collect(&sources) {
            assert!(!error.to_string().is_empty());
        }
    });
});
