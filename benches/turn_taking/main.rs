//! `make turn-taking`: when a turn is taken to be over, by what was said, beside a plain endpointer that waits for 500 ms of silence.
//!
//! Each dialogue is a microphone in virtual time: somebody asks or says something, stops to think in the middle or does not, in a quiet or a
//! noisy room. The sound goes through the real voice detector, listener and conversation, as a session wires them; what is read is read by
//! the real recogniser, and what a reading takes on this machine passes in the dialogue too, one reading at a time. The plain endpointer is
//! the same server with `server_vad`. Voices are synthesized (espeak-ng; every second is our own where `kokoro-82m` is installed).
//!
//! The rules were written with the first part of the dialogues; the second was drawn before they were changed and never run while they were,
//! the third was written when they had been changed for the last time (`--half tuned` leaves both out).
//! `--asr-ms N`: a reading takes N ms of the dialogue's time. `--verbose` tells what was read. `--data DIR` holds `speech/jfk.flac`.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a measurement that cannot go on says so, and reads the clock"
)]

mod scenes;
#[path = "../common/sound.rs"]
mod sound;
mod stage;

use std::path::PathBuf;
use std::process::ExitCode;

use scenes::{Dialogue, Set};
use sightline::model::asr::load_recogniser;
use sound::percentile;
use stage::{Outcome, play};

const OURS: &str = r#"{"type":"semantic_vad"}"#;
const PLAIN: &str = r#"{"type":"server_vad","silence_duration_ms":500}"#;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| words.iter().any(|w| w == flag);
    let value = |flag: &str| words.iter().position(|w| w == flag).and_then(|i| words.get(i + 1));
    let asr_ms = value("--asr-ms").map(|n| n.parse().expect("a number"));
    let data = value("--data").map_or_else(|| PathBuf::from("../shared/data"), PathBuf::from);
    let sets: &[Set] = match value("--half").map(String::as_str) {
        Some("tuned") => &[Set::Tuned],
        _ => &[Set::Tuned, Set::HeldOut, Set::SecondDraw],
    };
    let models = std::env::var_os("SIGHTLINE_MODELS").map_or_else(|| "models".into(), PathBuf::from);
    let name = "moonshine-tiny";
    let mut asr = match load_recogniser(&models.join(name)) {
        Ok(asr) => asr,
        Err(e) => {
            println!("turn-taking: no recogniser: {e}");
            return ExitCode::FAILURE;
        }
    };
    let mut ours = scenes::our_voice(&models);
    let took = asr_ms.map_or_else(|| "what it takes here".to_owned(), |ms: u64| format!("{ms} ms"));
    println!(
        "{name}; a reading takes {took}; our own voice: {}\n",
        if ours.is_some() { "yes" } else { "not installed" }
    );
    println!("{:<11} {:>22} {:>22}  dialogue", "", "sightline", "500 ms of silence");
    let mut all = Vec::new();
    for set in sets {
        for dialogue in scenes::of_set(*set, &mut ours, &data) {
            let mine = play(&dialogue, OURS, false, &mut *asr, asr_ms);
            let theirs = play(&dialogue, PLAIN, true, &mut *asr, asr_ms);
            println!(
                "{:<11} {:>22} {:>22}  {}",
                set.label(),
                verdict(&dialogue, &mine),
                verdict(&dialogue, &theirs),
                dialogue.name
            );
            if has("--verbose") {
                mine.lines.iter().for_each(|line| println!("            {line}"));
            }
            all.push((dialogue, mine, theirs));
        }
    }
    println!();
    for set in sets.iter().copied().map(Some).chain([None]) {
        let part: Vec<_> = all.iter().filter(|(d, ..)| set.is_none_or(|s| d.set == s)).collect();
        let pauses: usize = part.iter().map(|(d, ..)| d.pauses).sum();
        println!("{}: {} dialogues, {pauses} pauses in mid-thought", set.map_or("all", Set::label), part.len());
        println!("  sightline          {}", summary(part.iter().map(|(d, m, _)| (d, m))));
        println!("  500 ms of silence  {}", summary(part.iter().map(|(d, _, t)| (d, t))));
    }
    let took: Vec<u64> = all.iter().flat_map(|(_, m, t)| m.asr_took.iter().chain(&t.asr_took).copied()).collect();
    let p = |share| percentile(took.clone(), share).unwrap_or(0);
    println!("\n{} readings took {} ms (median), {} ms (95th percentile) on this machine", took.len(), p(50), p(95));
    ExitCode::SUCCESS
}

/// Turns that were taken to be over before the last stretch began.
fn cuts(d: &Dialogue, o: &Outcome) -> usize {
    o.stopped.iter().filter(|at| **at > d.begins && **at <= d.last_stretch).count()
}

/// From the last word to the end of the turn, and to the words being known.
fn delays(d: &Dialogue, o: &Outcome) -> Option<(u64, u64)> {
    let i = o.stopped.iter().position(|at| *at > d.last_stretch)?;
    let known = o.known.iter().find(|at| **at >= o.stopped[i])?;
    Some((o.stopped[i].saturating_sub(d.ends), known.saturating_sub(d.ends)))
}

fn verdict(d: &Dialogue, o: &Outcome) -> String {
    let end = delays(d, o).map_or("no end".to_owned(), |(end, _)| format!("{end} ms"));
    match cuts(d, o) {
        0 => end,
        n => format!("CUT OFF {n}x, {end}"),
    }
}

fn summary<'a>(part: impl Iterator<Item = (&'a Dialogue, &'a Outcome)>) -> String {
    let mut finished = Vec::new();
    let (mut cut, mut end, mut known, mut first, mut reused, mut turns) = (0, Vec::new(), Vec::new(), Vec::new(), 0, 0);
    for (d, o) in part {
        cut += cuts(d, o);
        (reused, turns) = (reused + o.reused, turns + o.stopped.len());
        first.extend(o.first_words.map(|at| at.saturating_sub(d.begins)));
        if let Some((e, k)) = delays(d, o) {
            end.push(e);
            if d.is_finished {
                finished.push(e);
            }
            known.push(k);
        }
    }
    let p = |list: &[u64], share| percentile(list.to_vec(), share).map_or("-".into(), |v| v.to_string());
    let mean = end.iter().sum::<u64>() / (end.len() as u64).max(1);
    let soon = finished.iter().filter(|e| **e <= 300).count();
    format!(
        "{cut} cut off; last word to end of turn p50 {} p95 {} mean {mean} ms, of {} clear questions p50 {} p95 {} ms, {soon} within 300 ms; to its words p50 {} p95 {} ms; first words after p50 {} ms; {reused} of {turns} turns not read again",
        p(&end, 50),
        p(&end, 95),
        finished.len(),
        p(&finished, 50),
        p(&finished, 95),
        p(&known, 50),
        p(&known, 95),
        p(&first, 50),
    )
}
