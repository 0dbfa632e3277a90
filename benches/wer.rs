//! `make wer`: words that the recognisers get wrong on recorded human speech.
//!
//! Every recording (`.wav`, `.flac`) in `tests/data/speech` and in `DATA/speech` that has a transcript beside it (`.txt`, or known here) is read
//! whole by each recogniser whose weights are there. Both texts are brought to the same form first: lower case, no punctuation, no
//! apostrophes, hyphens as spaces, digits as words up to twelve, "mr" and "mrs" written out, American spelling of a few words. The rate is (substitutions +
//! deletions + insertions) / words said, over all recordings together. `--verbose` prints both texts where they differ.
//!
//! `--rows` prints what each recogniser heard instead, a line a recording: recogniser, recording, milliseconds, seconds of sound, text, with tabs between.
//! `--score FILE` counts the errors in such lines, whoever heard them: so peers are counted as we are (`benches/peers/asr.py`).
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a measurement that cannot go on says so, and reads the clock"
)]

#[path = "common/sound.rs"]
mod sound;
#[path = "../tests/common/word_errors.rs"]
mod words;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use sightline::model::asr::load_recogniser;
use words::word_errors;

/// Recordings whose words are known without a file.
const KNOWN: &[(&str, &str)] = &[(
    "jfk",
    "and so my fellow americans ask not what your country can do for you ask what you can do for your country",
)];
const NUMBERS: [&str; 13] =
    ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
const SPELLINGS: &[(&str, &str)] =
    &[("mr", "mister"), ("mrs", "missus"), ("colour", "color"), ("grey", "gray"), ("okay", "ok")];

struct Recording {
    name: String,
    words: Vec<String>,
    sound: Vec<f32>,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let verbose = args.iter().any(|a| a == "--verbose");
    let data = args.iter().position(|a| a == "--data").map_or("../shared/data", |i| args[i + 1].as_str());
    let recordings: Vec<_> =
        [Path::new("tests/data/speech"), &Path::new(data).join("speech")].into_iter().flat_map(of_folder).collect();
    if recordings.is_empty() {
        println!("wer: no recordings with transcripts");
        return ExitCode::FAILURE;
    }
    let seconds = recordings.iter().map(|r| r.sound.len()).sum::<usize>() as f64 / 16_000.0;
    let said: usize = recordings.iter().map(|r| r.words.len()).sum();
    if let Some(i) = args.iter().position(|a| a == "--score") {
        return score(&std::fs::read_to_string(&args[i + 1]).expect("the file of --score"), &recordings);
    }
    let rows = args.iter().any(|a| a == "--rows");
    if !rows {
        println!("{} recordings, {seconds:.0} s, {said} words", recordings.len());
    }
    let models = std::env::var_os("SIGHTLINE_MODELS").map_or_else(|| "models".into(), PathBuf::from);
    for name in ["moonshine-tiny", "whisper-tiny.en"] {
        let asr = match load_recogniser(&models.join(name)) {
            Ok(asr) => asr,
            Err(e) => {
                println!("{name}: left out: {e}");
                continue;
            }
        };
        let (mut wrong, mut exact, began) = (0, 0, Instant::now());
        for r in &recordings {
            let one = Instant::now();
            let text = asr.transcribe(&r.sound).expect("recognised").text;
            if rows {
                let (ms, s) = (one.elapsed().as_secs_f64() * 1e3, r.sound.len() as f64 / 16_000.0);
                println!("{name}\t{}\t{ms:.1}\t{s:.2}\t{text}", r.name);
                continue;
            }
            let heard = plain(&text);
            let errors = word_errors(&r.words, &heard);
            (wrong, exact) = (wrong + errors, exact + usize::from(errors == 0));
            if verbose && errors > 0 {
                println!(
                    "  {}: {errors} wrong\n    said  {}\n    heard {}",
                    r.name,
                    r.words.join(" "),
                    heard.join(" ")
                );
            }
        }
        if rows {
            continue;
        }
        let (rate, speed) = (100.0 * wrong as f64 / said as f64, began.elapsed().as_secs_f64() / seconds);
        println!(
            "{name}: {rate:.1} % of words wrong ({wrong} of {said}); {exact} of {} exact; {speed:.2} of real time",
            recordings.len()
        );
    }
    ExitCode::SUCCESS
}

/// Counts what others heard.
fn score(heard: &str, recordings: &[Recording]) -> ExitCode {
    let mut wrong = std::collections::BTreeMap::<&str, (usize, usize)>::new();
    for line in heard.lines() {
        let cells: Vec<&str> = line.splitn(5, '\t').collect();
        let [who, name, _, _, text] = cells.as_slice() else { continue };
        let Some(r) = recordings.iter().find(|r| r.name == *name) else { continue };
        let of = wrong.entry(who).or_default();
        *of = (of.0 + word_errors(&r.words, &plain(text)), of.1 + r.words.len());
    }
    for (who, (wrong, said)) in &wrong {
        println!("{who}\t{wrong}\t{said}");
    }
    ExitCode::from(u8::from(wrong.is_empty()))
}

fn of_folder(folder: &Path) -> Vec<Recording> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        println!("left out: there is no folder {}", folder.display());
        return Vec::new();
    };
    let mut files: Vec<_> = entries.filter_map(|e| Some(e.ok()?.path())).collect();
    files.sort();
    let sounds = files.iter().filter(|f| f.extension().is_some_and(|e| e == "wav" || e == "flac"));
    sounds.filter_map(|f| recording(f)).collect()
}

fn recording(file: &Path) -> Option<Recording> {
    let name = file.file_stem()?.to_str()?.to_owned();
    let known = KNOWN.iter().find(|(n, _)| *n == name).map(|(_, words)| (*words).to_owned());
    let words = plain(&std::fs::read_to_string(file.with_extension("txt")).ok().or(known)?);
    Some(Recording { name, words, sound: sound::recorded(file)? })
}

fn plain(text: &str) -> Vec<String> {
    let kept = text.chars().filter(|c| !matches!(c, '\'' | '’')).flat_map(char::to_lowercase);
    let spaced: String = kept.map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect();
    let written = |w: &str| {
        let number = w.parse::<usize>().ok().and_then(|n| NUMBERS.get(n));
        let spelt = SPELLINGS.iter().find(|(from, _)| *from == w).map(|(_, to)| to);
        number.or(spelt).map_or_else(|| w.to_owned(), |s| (*s).to_owned())
    };
    spaced.split_whitespace().map(written).collect()
}
