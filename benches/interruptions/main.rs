//! `make interruptions`: what is said, coughed, played and broadcast into an answer, and whether the answer stops.
//!
//! Each scene is a microphone in virtual time: a person asks something, an answer comes, and then something happens or does not. The sound
//! goes through the real echo canceller, voice detector, listener, judge and conversation; early readings are made by the real recogniser.
//! Beside it, on the same sound, runs a plain barge-in: 200 ms of voiced sound stops the answer. All scenes were looked at while
//! thresholds were chosen, so no figure is of unseen ones; the halves differ in voices and words. Voices are synthesized (espeak-ng).
//!
//! `--asr-ms N` is what a reading takes in virtual time (default 150), `--verbose` tells what was read.
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
    println!("{:<5} {:<46} {:>14} {:>14}  judged", "", "scene", "sightline", "plain 200 ms");
    let mut all = Vec::new();
    for scene in scenes::all() {
        let (ours, theirs) = (play(&scene, &mut *asr, asr_ms), plain(&scene));
        let set = if scene.second_half { "2nd" } else { "1st" };
        let judged = ours.judged.join(" ");
        println!(
            "{set:<5} {:<46} {:>14} {:>14}  {judged}",
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
    for (set, half) in [("1st half", Some(false)), ("2nd half", Some(true)), ("all", None)] {
        let part: Vec<_> = all.iter().filter(|(s, ..)| half.is_none_or(|h| s.second_half == h)).collect();
        let ours: Vec<_> = part.iter().map(|(s, o, _)| (s, o)).collect();
        let theirs: Vec<_> = part.iter().map(|(s, _, t)| (s, t)).collect();
        println!("{set:<9} {:>2} scenes  sightline:    {}", part.len(), summary(&ours));
        println!("{:<9} {:>2}         plain 200 ms: {}", "", "", summary(&theirs));
    }
    let took = percentile(all.iter().flat_map(|(_, o, _)| o.asr_took.iter().copied()).collect(), 50);
    println!("\nthe recogniser took {} ms (median) on this machine", took.unwrap_or(0));
    ExitCode::SUCCESS
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
