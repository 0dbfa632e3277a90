//! `make interruptions`: what is said, coughed, played and broadcast into an answer, and whether the answer stops.
//!
//! Each scene is a microphone in virtual time: a person asks something, an answer comes, and then something happens or does not. The sound
//! goes through the real echo canceller, voice detector, listener, judge and conversation; early readings are made by the real recogniser.
//! Beside it, on the same sound, runs a plain barge-in: 200 ms of voiced sound stops the answer. The scenes of `scenes.rs` were looked at while
//! thresholds were chosen, those of the second draw of `held_out.rs` never were: other voices, words and noises. Voices are synthesized (espeak-ng), but for a
//! recorded person (`tests/data/speech`). Told are when the answer fell silent (held back, in words and in sound), when it was cancelled, and
//! for how long an answer that nobody interrupted stood still. For both, an interruption begins with the first 48 ms that are no more than 20 dB
//! below its voice (`begins_after`): recordings begin with up to a quarter of a second of room and breath. Our own voice pauses, in the room too, while it is held back.
//!
//! `--asr-ms N` is what a reading takes in virtual time (default 150), `--verbose` tells what was read, `--half tuned` leaves the scenes out
//! that were never looked at.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a measurement that cannot go on says so, and reads the clock"
)]

mod held_out;
mod scenes;
#[path = "../common/sound.rs"]
mod sound;
mod stage;

use std::process::ExitCode;

use scenes::{Kind, Scene};
use sightline::model::asr::load_recogniser;
use sound::percentile;
use stage::{Outcome, plain, play};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let verbose = words.iter().any(|w| w == "--verbose");
    let asr_ms = words.iter().position(|w| w == "--asr-ms").map_or(150, |i| words[i + 1].parse().expect("a number"));
    let models = std::env::var_os("SIGHTLINE_MODELS").map_or_else(|| "models".into(), std::path::PathBuf::from);
    let name = "moonshine-tiny";
    let mut asr = match load_recogniser(&models.join(name)) {
        Ok(asr) => asr,
        Err(e) => {
            println!("interruptions: no recogniser: {e}");
            return ExitCode::FAILURE;
        }
    };
    println!("{name}; a reading takes {asr_ms} ms of the scenes' time; espeak-ng voices\n");
    println!("{:<9} {:<58} {:>10} {:>12}  held back, judged", "", "scene", "sightline", "plain 200 ms");
    let mut all = Vec::new();
    let tuned_only = words.windows(2).any(|w| w == ["--half", "tuned"]);
    for scene in scenes::all(!tuned_only) {
        let (ours, theirs) = (play(&scene, &mut *asr, asr_ms), plain(&scene));
        let set = if scene.held_out { "held out" } else { "tuned" };
        let judged = format!("{}  {}", holds(&ours), ours.judged.join(" "));
        println!(
            "{set:<9} {:<58} {:>10} {:>12}  {judged}",
            scene.name,
            verdict(&scene, &ours),
            verdict(&scene, &theirs)
        );
        if verbose {
            ours.read.iter().for_each(|line| println!("        {line}"));
        }
        all.push((scene, ours, theirs));
    }
    println!();
    for (set, half) in [("tuned", Some(false)), ("held out", Some(true)), ("all", None)] {
        let part: Vec<_> = all.iter().filter(|(s, ..)| half.is_none_or(|h| s.held_out == h)).collect();
        if part.is_empty() {
            continue;
        }
        let ours: Vec<_> = part.iter().map(|(s, o, _)| (s, o)).collect();
        let theirs: Vec<_> = part.iter().map(|(s, _, t)| (s, t)).collect();
        println!("{set:<9} {:>2} scenes  sightline:    {}", part.len(), summary(&ours));
        println!("{:<9} {:>2}         held back:    {}", "", "", held(&ours));
        println!("{:<9} {:>2}         plain 200 ms: {}", "", "", summary(&theirs));
    }
    let took = percentile(all.iter().flat_map(|(_, o, _)| o.asr_took.iter().copied()).collect(), 50);
    println!("\nthe recogniser took {} ms (median) on this machine", took.unwrap_or(0));
    ExitCode::SUCCESS
}

/// From when to when the answer was held back.
fn holds(o: &Outcome) -> String {
    let told = |(from, to): &(u64, u64)| format!("{from}+{}", to - from);
    o.held.iter().map(told).collect::<Vec<_>>().join(" ")
}

/// How soon real speech silenced the answer, and what the silence cost where nobody interrupted.
fn held(part: &[(&Scene, &Outcome)]) -> String {
    let (mut quiet, mut heard, mut costs, mut longest) = (Vec::new(), 0, Vec::new(), 0);
    for (scene, o) in part {
        match scene.kind {
            Kind::Interrupts { onset } => {
                let silent = o.held.iter().find(|(_, to)| *to > onset).map(|(from, _)| (*from).max(onset));
                let at = silent.into_iter().chain(o.stopped_at).min();
                quiet.extend(at.map(|at| at.saturating_sub(onset)));
                heard += usize::from(o.said_after.is_some_and(|at| at > onset + 200));
            }
            Kind::Harmless => {
                costs.push(o.held.iter().map(|(from, to)| to - from).sum::<u64>());
                longest = o.held.iter().map(|(from, to)| to - from).max().unwrap_or(0).max(longest);
            }
        }
    }
    let p = |list: &[u64], share| percentile(list.to_vec(), share).map_or("-".into(), |v| v.to_string());
    let touched = costs.iter().filter(|c| **c > 0).count();
    format!(
        "silent after p50 {} p95 {} ms, {heard} said something later than 200 ms; {touched} of {} harmless stood still, together p50 {} p95 {} ms, at a time {longest} ms at most",
        p(&quiet, 50),
        p(&quiet, 95),
        costs.len(),
        p(&costs, 50),
        p(&costs, 95),
    )
}

fn verdict(scene: &Scene, outcome: &Outcome) -> String {
    match (scene.kind, outcome.stopped_at) {
        (Kind::Interrupts { onset }, Some(t)) if t >= onset => format!("{} ms", t - onset),
        (Kind::Interrupts { .. } | Kind::Harmless, Some(_)) => "FALSE".into(),
        (Kind::Interrupts { .. }, None) => "MISSED".into(),
        (Kind::Harmless, None) => "goes on".into(),
    }
}

fn summary(part: &[(&Scene, &Outcome)]) -> String {
    let real = part.iter().filter(|(s, _)| matches!(s.kind, Kind::Interrupts { .. })).count();
    let (mut fals, mut missed, mut after, mut since) = (0, 0, Vec::new(), Vec::new());
    for (scene, outcome) in part {
        match (scene.kind, outcome.stopped_at) {
            (Kind::Interrupts { onset }, Some(t)) if t >= onset => {
                after.push(t - onset);
                since.extend(outcome.since_evidence);
            }
            (_, Some(_)) => fals += 1,
            (Kind::Interrupts { .. }, None) => missed += 1,
            (Kind::Harmless, None) => {}
        }
    }
    let p = |list: &[u64], share| percentile(list.to_vec(), share).map_or("-".into(), |v| v.to_string());
    format!(
        "{fals} false of {}, {missed} missed of {real}; from the onset p50 {} p95 {} ms; from enough evidence p50 {} p95 {} ms",
        part.len() - real,
        p(&after, 50),
        p(&after, 95),
        p(&since, 50),
        p(&since, 95)
    )
}
