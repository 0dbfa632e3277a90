//! `kill -9` at any moment of writing: what was acknowledged is there, nothing is half there, and the archive opens.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::{MARKER, config, event, files, holding, name, open, picture};
use crate::store::{Archive, Forget, Record, StoreError};

/// Tells the test binary, started again as a child, where to write and from which number on.
const WRITER: &str = "SIGHTLINE_TEST_WRITER";
const ROUNDS: u64 = 14;

fn body(n: u64) -> String {
    format!("event {n} {}", "x".repeat(usize::try_from(n * 37 % 900).unwrap()))
}

/// Event and picture `n`; every seventh event is secret, and forgotten after it was written.
fn records(n: u64) -> Vec<Record> {
    let text = if n.is_multiple_of(7) { format!("{MARKER} {}", body(n)) } else { body(n) };
    vec![
        event(n, n * 100, n * 100 + 50, &text),
        picture(n, n * 100 + 10, 700 + usize::try_from(n % 5).unwrap() * 3_000),
    ]
}

fn again(test: &str, env: &[(&str, String)]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--ignored", "--nocapture", "--test-threads=1"]);
    command.envs(env.iter().map(|(k, v)| (*k, v.as_str()))).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

/// Writes without end; run as a child of the test below, which kills it.
#[test]
#[ignore = "the child of `killed_at_any_moment_nothing_acknowledged_is_lost`"]
fn writer() {
    let Ok(spec) = std::env::var(WRITER) else { return };
    let (from, dir) = spec.split_once(' ').unwrap();
    let key = dir.ends_with("sealed").then_some("a passphrase of some length");
    let mut archive = open(&config(dir.as_ref(), key));
    match archive.create(&name(1), [9; 32], 5) {
        Ok(()) | Err(StoreError::MemoryExists) => {}
        Err(e) => panic!("{e}"),
    }
    for n in from.parse::<u64>().unwrap().. {
        archive.write(&name(1), &records(n)).unwrap();
        println!("\nwritten {n}");
        if n.is_multiple_of(7) {
            let span = Forget::Span { start_ms: n * 100, end_ms: n * 100 + 60 };
            archive.forget(&name(1), span, &[]).unwrap();
            archive.sync().unwrap();
            println!("\nforgotten {n}");
        }
        if n.is_multiple_of(5) {
            archive.sync().unwrap();
        }
    }
}

/// What the child said it had done before it was killed.
#[derive(Default)]
struct Acknowledged {
    written: Vec<u64>,
    forgotten: Vec<u64>,
}

fn kill_after(mut child: Child, lines: usize, pause: Duration) -> Acknowledged {
    let mut done = Acknowledged::default();
    let out = BufReader::new(child.stdout.take().unwrap());
    let mut left = lines;
    let mut killed = false;
    for line in out.lines().map_while(Result::ok) {
        let number = |word: &str| line.strip_prefix(word).and_then(|n| n.parse::<u64>().ok());
        done.written.extend(number("written "));
        done.forgotten.extend(number("forgotten "));
        let told = line.starts_with("written ") || line.starts_with("forgotten ");
        left = left.saturating_sub(usize::from(told));
        if left == 0 && !killed {
            std::thread::park_timeout(pause);
            child.kill().unwrap();
            killed = true;
        }
    }
    child.wait().unwrap();
    assert!(killed, "the writer ended by itself after {} writes", done.written.len());
    done
}

fn examine(archive: &mut Archive, all: &Acknowledged, dir: &std::path::Path) {
    archive.check().unwrap();
    let events = archive.events(&name(1)).unwrap();
    for n in all.written.iter().filter(|n| !n.is_multiple_of(7)) {
        let found = events.iter().find(|e| e.id == *n).unwrap_or_else(|| panic!("event {n} was acknowledged"));
        assert_eq!(found.body, body(*n).as_bytes());
        assert!(archive.keyframe(&name(1), *n).unwrap().is_some(), "picture {n} was acknowledged");
    }
    for e in &events {
        let text = if e.id.is_multiple_of(7) { format!("{MARKER} {}", body(e.id)) } else { body(e.id) };
        assert_eq!(e.body, text.as_bytes(), "event {} is whole or not there", e.id);
        assert!(!all.forgotten.contains(&e.id), "event {} was forgotten", e.id);
    }
    for k in archive.keyframes(&name(1)).unwrap() {
        let bytes = archive.keyframe(&name(1), k.id).unwrap().map(|b| b.len());
        assert_eq!(bytes, Some(700 + usize::try_from(k.id % 5).unwrap() * 3_000), "picture {} is whole", k.id);
    }
    // An order to forget that was not acknowledged is given again, as a client that saw its connection break would.
    for n in events.iter().map(|e| e.id).filter(|n| n.is_multiple_of(7)) {
        archive.forget(&name(1), Forget::Span { start_ms: n * 100, end_ms: n * 100 + 60 }, &[]).unwrap();
    }
    archive.sync().unwrap();
    assert_eq!(holding(dir, MARKER), Vec::<std::path::PathBuf>::new(), "what was forgotten is in no file");
}

#[test]
fn killed_at_any_moment_nothing_acknowledged_is_lost() {
    let mut rng = StdRng::seed_from_u64(9);
    for sealed in [false, true] {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join(if sealed { "sealed" } else { "plain" });
        let key = sealed.then_some("a passphrase of some length");
        let (mut all, mut next) = (Acknowledged::default(), 1);
        for _ in 0..ROUNDS {
            let spec = (WRITER, format!("{next} {}", dir.display()));
            let child = again("store::tests::crash::writer", &[spec]).spawn().unwrap();
            let pause = Duration::from_micros(rng.random_range(0..4_000));
            let done = kill_after(child, rng.random_range(1..30), pause);
            next = done.written.last().map_or(next, |n| n + 2);
            all.written.extend(done.written);
            all.forgotten.extend(done.forgotten);
            let mut archive = open(&config(&dir, key));
            examine(&mut archive, &all, &dir);
        }
        assert!(all.written.len() > 50 && !files(&dir).is_empty());
    }
}
