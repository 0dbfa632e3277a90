//! What the voice says is heard by our own recognisers. Needs weights (`SIGHTLINE_MODELS`, default `models/`); says so and passes
//! when they are not there.

#![allow(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use std::path::PathBuf;
use std::time::Instant;

use super::{Kokoro, Voice};
use crate::model::asr::load_recogniser;
use crate::model::onnx::Threads;
use crate::model::testing::word_errors;

const SENTENCES: [&str; 14] = [
    "I see a red cup and two books on the table.",
    "The person on the left is wearing a blue jacket.",
    "There is a cat sleeping on the sofa.",
    "I don't see a dog in the picture right now.",
    "The sign on the door says please knock before you enter.",
    "You showed me a bottle of water about five minutes ago.",
    "It looks like a kitchen with a large window.",
    "The light went out a moment after you left the room.",
    "I think it is a keyboard, but I am not sure.",
    "Three people are standing in front of the building.",
    "My favorite part of the garden is the old apple tree.",
    "The quick brown fox jumps over the lazy dog.",
    "We should leave early tomorrow because the road is long.",
    "Somebody left an umbrella next to the bicycle.",
];

fn folder(name: &str, file: &str) -> Option<PathBuf> {
    let models = std::env::var_os("SIGHTLINE_MODELS").map_or_else(|| PathBuf::from("models"), PathBuf::from);
    let dir = models.join(name);
    if dir.join(file).is_file() {
        return Some(dir);
    }
    println!("skipped: no weights in {} (`sightline models pull {name}`)", dir.display());
    None
}

fn voice() -> Option<Kokoro> {
    let dir = folder("kokoro-82m", "model.onnx")?;
    Some(Kokoro::load(&dir, &Threads::new(2)).expect("loaded"))
}

/// 24 kHz to 16 kHz by a windowed sinc.
fn to_16_khz(x: &[f32]) -> Vec<f32> {
    let at = |i: isize| usize::try_from(i).ok().and_then(|i| x.get(i)).copied().unwrap_or(0.0);
    let sample = |n: usize| {
        let centre = n as f32 * 1.5;
        let first = centre as isize - 24;
        let taps = (first..first + 50).map(|i| {
            let t = (i as f32 - centre) / 1.5;
            let sinc = if t.abs() < 1e-6 { 1.0 } else { (std::f32::consts::PI * t).sin() / (std::f32::consts::PI * t) };
            let window =
                0.5 + 0.5 * (std::f32::consts::PI * t / 16.5).clamp(-std::f32::consts::PI, std::f32::consts::PI).cos();
            at(i) * sinc * window / 1.5
        });
        taps.sum()
    };
    (0..x.len() * 2 / 3).map(sample).collect()
}

fn words(text: &str) -> Vec<String> {
    let bare = |w: &str| w.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase();
    text.split(|c: char| c.is_whitespace() || c == '-').map(bare).filter(|w| !w.is_empty()).collect()
}

#[test]
fn our_recognisers_understand_it() {
    assert_eq!(word_errors(&words("a b c d"), &words("a x c")), 2);
    let Some(mut voice) = voice() else { return };
    let recognisers = ["whisper-tiny.en", "moonshine-tiny"].iter().filter_map(|n| folder(n, "model.safetensors"));
    let mut recognisers: Vec<_> = recognisers.map(|d| load_recogniser(&d).expect("loaded")).collect();
    let (mut spent, mut sound) = (0.0, 0.0);
    let mut wrong = vec![0; recognisers.len()];
    for sentence in SENTENCES {
        let begun = Instant::now();
        let speech = voice.speak(sentence, 1.0).expect("spoken");
        spent += begun.elapsed().as_secs_f64();
        sound += speech.samples.len() as f64 / 24_000.0;
        let mut heard = vec![0.0; 4_800];
        heard.extend(to_16_khz(&speech.samples));
        heard.extend([0.0; 4_800]);
        for (r, wrong) in recognisers.iter_mut().zip(&mut wrong) {
            let text = r.transcribe(&heard).expect("heard").text;
            let n = word_errors(&words(sentence), &words(&text));
            if n > 0 {
                println!("{}: {sentence:?} was heard as {text:?}", r.name());
            }
            *wrong += n;
        }
    }
    let said: usize = SENTENCES.iter().map(|s| words(s).len()).sum();
    println!("{} sentences, {sound:.1} s of sound in {spent:.1} s: {:.2} of real time", SENTENCES.len(), spent / sound);
    for (r, wrong) in recognisers.iter().zip(wrong) {
        println!("{}: {wrong} of {said} words wrong, {:.1} %", r.name(), 100.0 * wrong as f64 / said as f64);
        assert!(wrong * 10 <= said, "{} heard {wrong} of {said} words wrongly", r.name());
    }
}

#[test]
fn the_same_sentence_sounds_the_same_and_its_words_lie_in_it() {
    let Some(mut voice) = voice() else { return };
    let sentence = "Hello, you have 2 new messages.";
    let one = voice.speak(sentence, 1.2).expect("spoken");
    assert_eq!(one, voice.speak(sentence, 1.2).expect("spoken"));
    let said: Vec<_> = one.words.iter().map(|w| &sentence[w.bytes.clone()]).collect();
    assert_eq!(said, ["Hello", "you", "have", "2", "new", "messages"]);
    assert!(
        one.words.iter().all(|w| w.start_ms < w.end_ms && u64::from(w.end_ms) <= one.duration_ms()),
        "{:?}",
        one.words
    );
    assert!(one.words.windows(2).all(|w| w[0].end_ms <= w[1].start_ms));
    let slow = voice.speak(sentence, 0.7).expect("spoken");
    assert!(slow.samples.len() > one.samples.len(), "slower is longer");
    // Over the whole range that clients may ask for the sound is as long as it should be, give or take the silence around it.
    let own = voice.speak(sentence, 1.0).expect("spoken").samples.len() as f64;
    for speed in [0.25, 0.5, 1.5] {
        let long = voice.speak(sentence, speed).expect("spoken").samples.len() as f64;
        let ratio = long * f64::from(speed) / own;
        assert!((0.85..1.2).contains(&ratio), "{speed}: {ratio}");
    }
    assert!(voice.speak("… 你好 —", 1.0).expect("nothing").samples.is_empty());
}
