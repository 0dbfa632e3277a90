//! A disk that is full, and one that takes no writes: clear errors, nothing written before is lost, and all goes on when there is room again.
//!
//! Each test runs again as a child that has a small file system of its own in memory (`unshare`, `mount`); where the system lets nobody do
//! that, it says so and passes.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{config, event, name, open, picture};
use crate::base::ErrorClass;
use crate::store::{Archive, StoreError};

/// Tells the child where its file system is.
const DISK: &str = "SIGHTLINE_TEST_DISK";

/// Runs a test of this file again on a file system of 2 MiB.
fn on_a_small_disk(test: &str) {
    let dir = tempfile::tempdir().unwrap();
    let mount = "mount -t tmpfs -o size=2m none \"$1\" || exit 77; shift; exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-c", mount, "sh"]).arg(dir.path()).arg(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("store::tests::disk::{test}"), "--ignored", "--test-threads=1"]);
    match command.env(DISK, dir.path()).output() {
        Ok(done) if done.status.success() => {
            assert!(String::from_utf8_lossy(&done.stdout).contains("1 passed"), "the child ran its test");
        }
        Ok(done) if String::from_utf8_lossy(&done.stdout).contains("running 1 test") => {
            panic!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr))
        }
        Ok(done) => println!("skipped: no file system of our own here: {}", String::from_utf8_lossy(&done.stderr)),
        Err(e) => println!("skipped: no `unshare` here: {e}"),
    }
}

fn child() -> Option<std::path::PathBuf> {
    std::env::var_os(DISK).map(Into::into)
}

/// Writes events and pictures until the disk refuses; how many were taken, and the error.
fn fill(archive: &mut Archive, from: u64) -> (u64, StoreError) {
    for n in from.. {
        let done = archive.write(&name(1), &[event(n, n * 100, n * 100 + 50, "a cup"), picture(n, n * 100, 20_000)]);
        if let Err(error) = done.and_then(|_| archive.sync()) {
            return (n, error);
        }
        assert!(n < 10_000, "2 MiB are never full");
    }
    unreachable!("the numbers end")
}

fn intact(archive: &Archive, to: u64) {
    archive.check().unwrap();
    let events = archive.events(&name(1)).unwrap();
    for n in 1..to {
        assert!(events.iter().any(|e| e.id == n && e.body == b"a cup"), "event {n} of {to}");
        assert_eq!(archive.keyframe(&name(1), n).unwrap().map(|b| b.len()), Some(20_000), "picture {n} of {to}");
    }
}

#[test]
fn a_full_disk_is_told_loses_nothing_and_may_be_emptied() {
    on_a_small_disk("full");
}

#[test]
#[ignore = "the child of `a_full_disk_is_told_loses_nothing_and_may_be_emptied`"]
fn full() {
    let Some(disk) = child() else { return };
    let ballast = disk.join("ballast");
    fs::write(&ballast, vec![0; 700_000]).unwrap();
    let config = config(&disk.join("archive"), None);
    let mut archive = open(&config);
    archive.create(&name(1), [9; 32], 5).unwrap();
    let (first, error) = fill(&mut archive, 1);
    assert!(matches!(error, StoreError::DiskFull { .. }) && error.class() == ErrorClass::Capacity, "{error}");
    assert!(error.to_string().contains("the disk is full"), "{error}");
    intact(&archive, first);
    // Reading and forgetting need no room.
    let gone = archive.forget(&name(1), crate::store::Forget::Span { start_ms: 0, end_ms: 160 }, &[]);
    assert!(gone.is_ok_and(|g| g.events == 1 && g.keyframes == 1));
    // It opens on the full disk, and goes on when there is room.
    drop(archive);
    let mut archive = open(&config);
    assert_eq!(archive.events(&name(1)).unwrap().iter().filter(|e| e.id < first && e.id > 1).count() as u64, first - 2);
    fs::remove_file(&ballast).unwrap();
    let (more, error) = fill(&mut archive, first + 1);
    assert!(more > first + 10 && matches!(error, StoreError::DiskFull { .. }), "{more} after {first}: {error}");
    archive.check().unwrap();
}

#[test]
fn a_read_only_disk_is_told_and_loses_nothing() {
    on_a_small_disk("read_only");
}

fn remount(disk: &Path, how: &str) {
    let done = Command::new("mount").args(["-o", &format!("remount,{how}")]).arg(disk).status().unwrap();
    assert!(done.success(), "remount,{how}");
}

#[test]
#[ignore = "the child of `a_read_only_disk_is_told_and_loses_nothing`"]
fn read_only() {
    let Some(disk) = child() else { return };
    let config = config(&disk.join("archive"), None);
    let mut archive = open(&config);
    archive.create(&name(1), [9; 32], 5).unwrap();
    archive.write(&name(1), &[event(1, 100, 150, "a cup"), picture(1, 100, 20_000)]).unwrap();
    archive.sync().unwrap();
    // Nothing may have it open for writing while it is made read-only.
    drop(archive);
    remount(&disk, "ro");
    let error = Archive::open(&config, 0).unwrap_err();
    assert!(matches!(error, StoreError::ReadOnly { .. }) && error.class() == ErrorClass::Unavailable, "{error}");
    assert!(error.to_string().contains("read-only") && error.to_string().contains("archive.dir"), "{error}");
    remount(&disk, "rw");
    let mut archive = open(&config);
    intact(&archive, 2);
    archive.write(&name(1), &[event(2, 200, 250, "a cup"), picture(2, 200, 20_000)]).unwrap();
    intact(&archive, 3);
}
