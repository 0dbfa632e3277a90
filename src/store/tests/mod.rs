//! The archive on a real disk: what goes in comes out, only to its owner's key, within the quota, and not after it was forgotten.

mod crash;
mod disk;

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use proptest::prelude::*;

use super::{Archive, ArchiveConfig, Forget, Key, MemoryName, Opened, Record, StoreError};
use crate::base::ErrorClass;

const MARKER: &str = "swordfish-4711";

fn config(dir: &Path, key: Option<&str>) -> ArchiveConfig {
    let key = key.map(|k| Key::parse(k).unwrap());
    ArchiveConfig { dir: dir.to_owned(), quota_bytes: 64 << 20, key, max_memories: 10, retention: None }
}

fn open(config: &ArchiveConfig) -> Archive {
    Archive::open(config, 1_000_000).unwrap().archive
}

fn name(n: u8) -> MemoryName {
    MemoryName::from_random([n; 16])
}

fn event(id: u64, start_ms: u64, end_ms: u64, body: &str) -> Record {
    Record::Event { id, start_ms, end_ms, tier: 0, body: body.as_bytes().to_vec() }
}

fn picture(id: u64, at_ms: u64, bytes: usize) -> Record {
    Record::Keyframe { id, event: 1, at_ms, jpeg: Bytes::from(vec![u8::try_from(id % 251).unwrap(); bytes]) }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    let mut left = vec![dir.to_owned()];
    while let Some(dir) = left.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { left.push(path) } else { out.push(path) }
        }
    }
    out
}

fn holding(dir: &Path, words: &str) -> Vec<PathBuf> {
    let has = |p: &PathBuf| fs::read(p).unwrap().windows(words.len()).any(|w| w == words.as_bytes());
    files(dir).into_iter().filter(has).collect()
}

#[test]
fn what_goes_in_comes_out_after_a_restart_and_a_newer_state_replaces_the_older() {
    for key in [None, Some("a passphrase of some length")] {
        let dir = tempfile::tempdir().unwrap();
        let config = config(dir.path(), key);
        let mut archive = open(&config);
        archive.create(&name(1), [9; 32], 5).unwrap();
        archive.write(&name(1), &[event(1, 0, 10, "a cup"), picture(7, 4, 500), event(2, 10, 20, "gone")]).unwrap();
        archive.write(&name(1), &[event(1, 0, 12, "a red cup"), Record::DropEvent { id: 2 }]).unwrap();
        drop(archive);
        let archive = open(&config);
        let events = archive.events(&name(1)).unwrap();
        assert_eq!(events.len(), 1);
        assert_eq!((events[0].end_ms, events[0].body.as_slice()), (12, "a red cup".as_bytes()));
        assert_eq!(archive.keyframe(&name(1), 7).unwrap().unwrap().len(), 500);
        assert_eq!(
            (archive.owner_hash(&name(1)).unwrap(), archive.info(&name(1)).unwrap().started_unix_ms),
            ([9; 32], 5)
        );
        assert_eq!(holding(dir.path(), "a red cup").is_empty(), key.is_some(), "sealed when there is a key");
        archive.check().unwrap();
    }
}

#[test]
fn a_wrong_a_missing_and_an_unexpected_key_are_told_apart_and_change_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let with = config(dir.path(), Some("a passphrase of some length"));
    let mut archive = open(&with);
    archive.create(&name(1), [0; 32], 0).unwrap();
    drop(archive);
    let wrong = Archive::open(&config(dir.path(), Some("another passphrase entirely")), 0);
    assert!(matches!(wrong, Err(StoreError::WrongKey)), "{wrong:?}");
    assert!(matches!(Archive::open(&config(dir.path(), None), 0), Err(StoreError::KeyMissing)));
    assert_eq!(open(&with).list().unwrap().len(), 1);
    let plain = tempfile::tempdir().unwrap();
    drop(open(&config(plain.path(), None)));
    assert!(matches!(
        Archive::open(&config(plain.path(), Some("a passphrase of some length")), 0),
        Err(StoreError::KeyUnexpected)
    ));
}

#[test]
fn a_second_process_a_foreign_name_and_a_taken_name_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path(), None);
    let mut archive = open(&config);
    let second = Archive::open(&config, 0).unwrap_err();
    assert!(matches!(second, StoreError::Locked { .. }) && second.class() == ErrorClass::Unavailable);
    for bad in ["", "mem_", "mem_../../etc/passwd", "mem_ABCDEFGHIJKLMNOPQRSTUVWXYZ", "sess_abcdefghijklmnopqrstuvwxyz"]
    {
        assert!(MemoryName::parse(bad).is_err(), "{bad}");
    }
    archive.create(&name(1), [0; 32], 0).unwrap();
    assert!(matches!(archive.create(&name(1), [0; 32], 0), Err(StoreError::MemoryExists)));
    assert!(matches!(archive.events(&name(2)), Err(StoreError::NoSuchMemory)));
    let large = Record::Keyframe { id: 1, event: 1, at_ms: 0, jpeg: Bytes::from(vec![0; super::MAX_JPEG_BYTES + 1]) };
    assert_eq!(archive.write(&name(1), &[large]).unwrap_err().class(), ErrorClass::TooLarge);
}

#[test]
fn what_was_forgotten_is_in_no_file_any_more() {
    for key in [None, Some("a passphrase of some length")] {
        let dir = tempfile::tempdir().unwrap();
        let mut archive = open(&config(dir.path(), key));
        archive.create(&name(1), [0; 32], 0).unwrap();
        let secret = format!("the code is {MARKER}");
        archive
            .write(&name(1), &[event(1, 0, 100, "before"), event(2, 100, 200, &secret), picture(3, 150, 900)])
            .unwrap();
        archive.write(&name(1), &[event(4, 190, 300, &format!("half of it: {MARKER}")), picture(5, 250, 900)]).unwrap();
        let cut = [event(4, 201, 300, "half of it")];
        let gone = archive.forget(&name(1), Forget::Span { start_ms: 100, end_ms: 200 }, &cut).unwrap();
        archive.sync().unwrap();
        assert_eq!((gone.events, gone.keyframes), (1, 1));
        assert_eq!(holding(dir.path(), MARKER), Vec::<PathBuf>::new());
        let left: Vec<u64> = archive.events(&name(1)).unwrap().iter().map(|e| e.id).collect();
        assert_eq!(left, [1, 4]);
        archive.forget(&name(1), Forget::All, &[]).unwrap();
        archive.sync().unwrap();
        assert!(matches!(archive.events(&name(1)), Err(StoreError::NoSuchMemory)));
        assert_eq!(holding(dir.path(), "before"), Vec::<PathBuf>::new());
    }
}

#[test]
fn a_record_in_the_place_of_another_is_not_taken_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path(), Some("a passphrase of some length"));
    let mut archive = open(&config);
    archive.create(&name(1), [0; 32], 0).unwrap();
    archive.write(&name(1), &[picture(1, 10, 600), picture(2, 20, 600)]).unwrap();
    archive.sync().unwrap();
    let mut pictures: Vec<_> =
        files(&dir.path().join("memories")).into_iter().filter(|p| fs::metadata(p).unwrap().len() > 600).collect();
    pictures.sort();
    assert_eq!(pictures.len(), 2);
    let first = fs::read(&pictures[0]).unwrap();
    fs::copy(&pictures[1], &pictures[0]).unwrap();
    fs::write(&pictures[1], first).unwrap();
    for id in [1, 2] {
        assert!(matches!(archive.keyframe(&name(1), id), Err(StoreError::Damaged { .. })), "{id}");
    }
}

#[test]
fn a_damaged_index_is_built_anew_from_the_files_and_told() {
    for damage in [0, 1, 2] {
        let dir = tempfile::tempdir().unwrap();
        let config = config(dir.path(), None);
        let mut archive = open(&config);
        archive.create(&name(1), [3; 32], 7).unwrap();
        archive.write(&name(1), &[event(1, 0, 10, "a cup"), picture(2, 5, 700)]).unwrap();
        archive.sync().unwrap();
        drop(archive);
        let index = dir.path().join("archive.db");
        let mut bytes = fs::read(&index).unwrap();
        match damage {
            0 => bytes.truncate(100),
            1 => bytes.iter_mut().skip(40).step_by(7).for_each(|b| *b ^= 0x5a),
            _ => bytes.clear(),
        }
        fs::write(&index, bytes).unwrap();
        let Opened { archive, .. } = Archive::open(&config, 0).unwrap();
        assert_eq!(archive.events(&name(1)).unwrap()[0].body, b"a cup", "damage {damage}");
        assert_eq!(archive.owner_hash(&name(1)).unwrap(), [3; 32]);
        archive.check().unwrap();
    }
}

#[test]
fn a_picture_whose_file_is_gone_is_dropped_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path(), None);
    let mut archive = open(&config);
    archive.create(&name(1), [0; 32], 0).unwrap();
    archive.write(&name(1), &[event(1, 0, 10, "a cup"), picture(2, 5, 700)]).unwrap();
    archive.sync().unwrap();
    drop(archive);
    let all = files(&dir.path().join("memories"));
    let kept = all.iter().find(|p| fs::metadata(p).unwrap().len() >= 700).unwrap();
    fs::remove_file(kept).unwrap();
    let Opened { archive, swept, .. } = Archive::open(&config, 0).unwrap();
    assert_eq!(swept.missing, 1);
    assert!(archive.keyframe(&name(1), 2).unwrap().is_none());
    assert_eq!(archive.events(&name(1)).unwrap().len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    /// Whatever is written, the archive stays within its quota, and what was written last is there.
    #[test]
    fn the_quota_holds_and_the_newest_stays(sizes in prop::collection::vec(1_000_usize..60_000, 20..80)) {
        let dir = tempfile::tempdir().unwrap();
        let quota_bytes = 512 << 10;
        let config = ArchiveConfig { quota_bytes, ..config(dir.path(), None) };
        let mut archive = open(&config);
        archive.create(&name(1), [0; 32], 0).unwrap();
        for (i, size) in sizes.iter().enumerate() {
            let (id, at) = (i as u64, i as u64 * 20_000);
            archive.write(&name(1), &[picture(id, at, *size), event(id, at, at + 10_000, "something")]).unwrap();
            prop_assert!(archive.bytes() <= quota_bytes);
            prop_assert_eq!(archive.keyframe(&name(1), id).unwrap().map(|b| b.len()), Some(*size));
        }
        prop_assert!(archive.counts().quota.keyframes > 0 || sizes.iter().sum::<usize>() < 500_000);
    }
}
