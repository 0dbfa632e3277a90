//! The recognisers beside the same networks in f32: how far rounding takes them, at the three fastest levels of the kernels.

use super::decode::Decoder;
use super::layers::Desk;
use super::moonshine::Moonshine;
use super::oracle::Oracle;
use super::tests::{folder, spoken};
use super::whisper::Whisper;
use crate::model::kernels::Level;
use crate::model::testing::cosine;

/// What a recogniser computes on its way.
pub(super) struct Inside {
    /// What the encoder is given: samples, or mel frames.
    pub(super) input: Vec<f32>,
    /// Hidden states, `[time, width]`.
    pub(super) states: Vec<f32>,
    /// What the decoder was fed.
    pub(super) tokens: Vec<u32>,
    /// Scores after each of them.
    pub(super) scores: Vec<Vec<f32>>,
}

impl Inside {
    /// Of a sound that was encoded: scores after `tokens`, and after the likeliest behind them, `most` in all.
    pub(super) fn decoded(
        (input, states): (Vec<f32>, Vec<f32>),
        decoder: &Decoder,
        mut tokens: Vec<u32>,
        most: usize,
        desk: &mut Desk,
    ) -> Self {
        let (mut state, mut scores) = (decoder.begin(most), Vec::new());
        while !decoder.listen(&states, &mut state, desk) {}
        for i in 0..most {
            scores.push(decoder.step(tokens[i], &mut state, desk).unwrap().to_vec());
            if i + 1 == tokens.len() && i + 1 < most {
                tokens.push(best(&scores[i]));
            }
        }
        assert!(decoder.step(tokens[0], &mut state, desk).is_none(), "there was room for one more");
        Self { input, states, tokens, scores }
    }
}

/// The likeliest.
fn best(scores: &[f32]) -> u32 {
    (0..scores.len()).max_by(|a, b| scores[*a].total_cmp(&scores[*b])).expect("scores") as u32
}

const TEXT: &str = "There is a red cup on the table, and a book next to it. What is the person on the left holding?";

/// Holds a recogniser to the cosines of its states, all together, and of its scores, on the average, with those in f32, and to the same likeliest tokens but for one
/// in twenty.
fn hold(name: &str, ours: &Inside, (states, scores): (&[f32], &[Vec<f32>]), (least_states, least_scores): (f64, f64)) {
    let tokens = ours.tokens.len();
    assert!(scores.len() == tokens && ours.scores.len() == tokens && states.len() > 10_000);
    let pairs = || ours.scores.iter().zip(scores);
    let of_states = cosine(&ours.states, states);
    let of_scores = pairs().map(|(a, b)| cosine(a, b)).sum::<f64>() / tokens as f64;
    let others = pairs().filter(|(a, b)| best(a) != best(b)).count();
    println!("{name}: states {of_states:.5}, scores {of_scores:.5}, {others} of {tokens} tokens others");
    assert!(of_states > least_states, "{name}: hidden states at {of_states:.5} to those in f32");
    assert!(of_scores > least_scores, "{name}: scores at {of_scores:.5} to those in f32");
    assert!(others * 20 <= tokens, "{name}: {others} of {tokens} tokens are others than in f32");
}

/// Measured: 0.9998 and 0.9998.
#[test]
fn moonshine_in_8_bits_is_moonshine_in_32() {
    let (Some(dir), Some(sound)) = (folder("moonshine-tiny"), spoken(TEXT)) else { return };
    let oracle = Oracle::load(&dir, 8).expect("loaded");
    for level in Level::all().into_iter().rev().take(3) {
        let ours = Moonshine::load_at(&dir, level, 2).expect("loaded").inside(&sound, 28);
        let states = oracle.moonshine(&ours.input).expect("states");
        let scores = oracle.scores(&states, &ours.tokens).and_then(|s| s.to_vec2()).expect("scores");
        let flat: Vec<f32> = states.flatten_all().and_then(|s| s.to_vec1()).expect("states");
        hold(level.name(), &ours, (&flat, &scores), (0.999, 0.999));
    }
}

/// Measured: 0.9997 and 0.9988; where it is least sure, 0.984.
#[test]
fn whisper_in_8_bits_is_whisper_in_32() {
    let (Some(dir), Some(sound)) = (folder("whisper-tiny.en"), spoken(TEXT)) else { return };
    let oracle = Oracle::load(&dir, 6).expect("loaded");
    for level in Level::all().into_iter().rev().take(3) {
        let ours = Whisper::load_at(&dir, level, 2).expect("loaded").inside(&sound, 28);
        // Without the silent frames around it: the oracle pads by itself.
        let states = oracle.whisper(&ours.input[80..ours.input.len() - 80], 80).expect("states");
        let scores = oracle.scores(&states, &ours.tokens).and_then(|s| s.to_vec2()).expect("scores");
        let flat: Vec<f32> = states.flatten_all().and_then(|s| s.to_vec1()).expect("states");
        hold(level.name(), &ours, (&flat, &scores), (0.999, 0.996));
    }
}
