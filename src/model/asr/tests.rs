//! Tests that need weights: `SIGHTLINE_MODELS` (default `models/`), skipped with a line when they are not there.

use std::path::PathBuf;

use super::*;
use crate::listen::TranscribeError;
use crate::model::testing::{espeak, word_errors};

pub(super) fn folder(name: &str) -> Option<PathBuf> {
    let models = std::env::var_os("SIGHTLINE_MODELS").map_or_else(|| PathBuf::from("models"), PathBuf::from);
    let dir = models.join(name);
    if dir.join("model.safetensors").is_file() {
        return Some(dir);
    }
    println!("skipped: no weights in {}", dir.display());
    None
}

/// The recognisers whose weights are here.
fn recognisers() -> Vec<Box<dyn Transcribe>> {
    let names = ["moonshine-tiny", "whisper-tiny.en"];
    names.iter().filter_map(|n| folder(n)).map(|d| load_recogniser(&d).expect("loaded")).collect()
}

/// 16 kHz mono speech from espeak-ng with 0.3 s before and 0.15 s after, or `None` with a line if it is not installed.
pub(super) fn spoken(text: &str) -> Option<Vec<f32>> {
    let samples = espeak(&["-v", "en-us", "-s", "150"], text)?;
    let mut sound = vec![0.0; 4_800];
    sound.extend(to_16_khz(&samples));
    sound.extend([0.0; 2_400]);
    Some(sound)
}

/// 22.05 kHz to 16 kHz by a windowed sinc, which keeps the consonants that linear interpolation would blur.
fn to_16_khz(x: &[f32]) -> Vec<f32> {
    let ratio = 22_050.0 / 16_000.0f64;
    let at = |n: usize| {
        let centre = n as f64 * ratio;
        let near = (centre as usize).saturating_sub(16)..(centre as usize + 17).min(x.len());
        near.map(|i| {
            let t = (i as f64 - centre) / ratio;
            let sinc = if t.abs() < 1e-9 { 1.0 } else { (std::f64::consts::PI * t).sin() / (std::f64::consts::PI * t) };
            let window = 0.5 + 0.5 * (std::f64::consts::PI * t * ratio / 17.0).cos();
            f64::from(x[i]) * sinc * window / ratio
        })
        .sum::<f64>() as f32
    };
    (0..(x.len() as f64 / ratio) as usize).map(at).collect()
}

fn words(text: &str) -> Vec<String> {
    let plain: String = text.to_lowercase().chars().map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect();
    plain.split_whitespace().map(|w| if w == "color" { "colour".into() } else { w.to_owned() }).collect()
}

fn noise(count: usize, gain: f32) -> Vec<f32> {
    let mut seed = 7u32;
    let mut next = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next() * gain).collect()
}

/// A synthesizer that sounds like a machine is harder than people: of these words, a quarter may be wrong.
#[test]
fn synthesized_questions_are_understood() {
    let questions = [
        "What is on the table?",
        "What colour is the cup?",
        "What am I holding in my hand?",
        "Can you read the sign?",
        "How many people are there?",
        "Where is the red ball now?",
        "Is the door open or closed?",
        "What does the text on the book say?",
        "Is there a dog in the picture?",
        "Describe what you see in front of you.",
        "What animal is this?",
        "What was the person doing a minute ago?",
    ];
    let Some(sounds) = questions.iter().map(|q| spoken(q)).collect::<Option<Vec<_>>>() else { return };
    for r in recognisers() {
        let (mut wrong, mut total) = (0, 0);
        for (question, sound) in questions.iter().zip(&sounds) {
            let heard = r.transcribe(sound).expect("recognised").text;
            println!("{}: {question} → {heard}", r.name());
            wrong += word_errors(&words(question), &words(&heard));
            total += words(question).len();
        }
        assert!(wrong * 4 <= total, "{}: {wrong} of {total} words wrong", r.name());
    }
}

#[test]
fn what_is_no_speech_has_no_words() {
    let hum = |hz: f32| (0..32_000).map(|n| (n as f32 * hz * std::f32::consts::TAU / 16_000.0).sin() * 0.2).collect();
    let mut clicks = vec![0.0; 32_000];
    clicks.iter_mut().step_by(5_000).for_each(|v| *v = 0.9);
    let sounds: Vec<(&str, Vec<f32>)> = vec![
        ("nothing", vec![]),
        ("silence", vec![0.0; 32_000]),
        ("no numbers", vec![f32::NAN; 32_000]),
        ("one sample", vec![0.5]),
        ("faint noise", noise(32_000, 0.004)),
        ("noise", noise(32_000, 0.05)),
        ("loud noise", noise(48_000, 0.5)),
        ("short noise", noise(8_000, 0.1)),
        ("hum", hum(50.0)),
        ("tone", hum(440.0)),
        ("clicks", clicks),
    ];
    for r in recognisers() {
        for (what, sound) in &sounds {
            let heard = r.transcribe(sound).expect("recognised");
            assert_eq!(heard.text, "", "{}: {what}", r.name());
        }
    }
}

#[test]
fn more_than_the_limit_is_refused() {
    for r in recognisers() {
        let refused = r.transcribe(&vec![0.1; 41 * 16_000]);
        assert!(matches!(refused, Err(TranscribeError::TooLong { .. })), "{}", r.name());
    }
}

#[test]
fn a_long_utterance_is_many_steps_between_which_others_are_recognised() {
    let long = "There is a red cup on the table, and a book next to it. Two people are sitting on the sofa, and behind them is a door. \
                What is the person on the left holding in the right hand, and is the door behind them open or closed?";
    let (Some(long), Some(short)) = (spoken(long), spoken("What is on the table?")) else { return };
    for r in recognisers() {
        let alone = [&long, &short].map(|sound| r.transcribe(sound).expect("recognised").text);
        let mut under_way = [&long, &short].map(|sound| r.begin(sound).expect("begun"));
        let (mut heard, mut steps) = ([None, None], [0, 0]);
        while heard.iter().any(Option::is_none) {
            for i in 0..2 {
                if heard[i].is_none() {
                    steps[i] += 1;
                    heard[i] = under_way[i].step().expect("recognised").map(|t| t.text);
                }
            }
        }
        assert_eq!(heard, alone.map(Some), "{}", r.name());
        assert!(!heard[1].as_ref().unwrap().is_empty() && steps[0] > 60 && steps[0] > 2 * steps[1], "{steps:?}");
    }
}

/// Prints what docs/performance.md says: `cargo test --release --lib how_long -- --ignored --nocapture`.
#[expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
#[test]
#[ignore = "a measurement, not a check"]
fn how_long_recognition_takes() {
    let long = "There is a red cup on the table, a book next to it, and two people are sitting on the sofa. \
                What is the person on the left holding in the right hand, and is the door behind them open or closed?";
    let Some(sound) = spoken(long) else { return };
    for r in recognisers() {
        for seconds in [1.5f32, 3.0, 10.0] {
            let part = &sound[..((seconds * 16_000.0) as usize).min(sound.len())];
            let mut times: Vec<_> = (0..9)
                .map(|_| {
                    let begun = std::time::Instant::now();
                    let tokens = r.transcribe(part).expect("recognised").tokens;
                    (begun.elapsed(), tokens)
                })
                .collect();
            times.sort();
            println!(
                "{:16} {seconds:4} s: median {:?}, best {:?}, {} tokens",
                r.name(),
                times[4].0,
                times[0].0,
                times[4].1
            );
        }
    }
}
