//! Choosing tokens: the likeliest one each time, until the model ends, the bound is reached or it repeats itself.
//!
//! Recognisers of this kind invent words when they hear none. Three signs give them away, and each ends or empties the
//! transcript: more tokens than speech of that length can hold, the same words over and over, and low confidence.

use super::vocabulary::Vocabulary;
use crate::base::Pcm;
use crate::listen::Transcript;

/// The longest run of tokens looked at for repetition.
const MAX_PERIOD: usize = 24;
/// Runs of this many tokens are sentences, said once; shorter ones ("no, no") may be said more often.
const SENTENCE: usize = 4;

/// How often in a row a run of `period` tokens must stand to be taken for a loop.
const fn loop_of(period: usize) -> usize {
    if period < SENTENCE { 4 } else { 2 }
}

/// Nobody says more: a decoder that goes on is repeating itself.
const TOKENS_PER_S: f32 = 6.5;
/// Tokens that may come on top of the rate: short answers need a start and a full stop.
const FREE_TOKENS: usize = 6;
/// An empty transcript must be this likely (log probability): noise gives more than 0.8, an unusual voice less than 0.5.
const EMPTY_LOG_PROBABILITY: f32 = -0.5;

/// How many tokens an utterance may take, and how sure the model must be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    max_tokens: usize,
    min_confidence: f32,
}

impl Limits {
    /// For `samples` of sound, never more than `hard` tokens; less sure than `min_confidence` (mean log probability) is
    /// taken for invented.
    pub(super) fn new(samples: usize, hard: usize, min_confidence: f32) -> Self {
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "seconds"
        )]
        let spoken = (samples as f32 / Pcm::RATE_HZ as f32 * TOKENS_PER_S).ceil() as usize;
        Self { max_tokens: (spoken + FREE_TOKENS).min(hard), min_confidence }
    }

    /// How many tokens are written at most.
    pub(super) const fn tokens(&self) -> usize {
        self.max_tokens
    }
}

/// One utterance's tokens so far.
pub(super) struct Greedy {
    limits: Limits,
    end: u32,
    tokens: Vec<u32>,
    log_probability: f32,
    steps: usize,
}

impl Greedy {
    pub(super) fn new(limits: Limits, end: u32) -> Self {
        Self { limits, end, tokens: Vec::with_capacity(limits.max_tokens), log_probability: 0.0, steps: 0 }
    }

    /// The next token to feed, or `None` at the end. `scores` has one value for each token of the vocabulary.
    pub(super) fn choose(&mut self, scores: &[f32]) -> Option<u32> {
        let (mut best, top) = likeliest(scores, None)?;
        let log_sum = scores.iter().filter(|s| s.is_finite()).map(|s| (s - top).exp()).sum::<f32>().ln();
        let mut log_probability = -log_sum;
        if best == self.end && self.steps == 0 && log_probability < EMPTY_LOG_PROBABILITY {
            let (second, score) = likeliest(scores, Some(self.end))?;
            (best, log_probability) = (second, score - top - log_sum);
        }
        self.log_probability += log_probability;
        self.steps += 1;
        if best == self.end {
            return None;
        }
        self.tokens.push(best);
        if let Some(kept) = repetition(&self.tokens) {
            self.tokens.truncate(kept);
            return None;
        }
        (self.tokens.len() < self.limits.max_tokens).then_some(best)
    }

    /// Mean log probability of the chosen tokens.
    #[allow(clippy::cast_precision_loss, reason = "few tokens")]
    pub(super) fn confidence(&self) -> f32 {
        if self.steps == 0 { f32::NEG_INFINITY } else { self.log_probability / self.steps as f32 }
    }

    /// The words, or none if the model was not sure of them.
    pub(super) fn finish(self, vocabulary: &Vocabulary) -> Transcript {
        let tokens = self.tokens.len();
        let sure = self.confidence() >= self.limits.min_confidence;
        let text = if sure { vocabulary.text(&self.tokens) } else { String::new() };
        let spoken = text.chars().any(char::is_alphanumeric);
        Transcript { text: if spoken { text } else { String::new() }, tokens }
    }
}

/// Index and value of the highest finite score, that of `but` left out.
fn likeliest(scores: &[f32], but: Option<u32>) -> Option<(u32, f32)> {
    let but = but.map(|b| b as usize);
    let finite = scores.iter().enumerate().filter(|(i, s)| s.is_finite() && Some(*i) != but);
    let (index, top) = finite.max_by(|a, b| a.1.total_cmp(b.1))?;
    Some((u32::try_from(index).ok()?, *top))
}

/// If the tokens end in a loop, how many to keep so that its run stands once.
fn repetition(tokens: &[u32]) -> Option<usize> {
    (1..=MAX_PERIOD).find_map(|period| {
        let tail = &tokens[tokens.len().checked_sub(period * loop_of(period))?..];
        let repeated = tail.iter().skip(period).zip(tail).all(|(a, b)| a == b);
        repeated.then_some(tokens.len() - period * (loop_of(period) - 1))
    })
}

#[cfg(test)]
mod tests {
    use super::{Greedy, Limits, repetition};

    #[test]
    fn a_loop_is_kept_once_and_short_words_may_be_repeated() {
        assert_eq!(repetition(&[9, 1, 2, 3, 4, 5, 1, 2, 3, 4, 5]), Some(6));
        assert_eq!(repetition(&[5, 5, 5]), None);
        assert_eq!(repetition(&[7, 1, 2, 1, 2, 1, 2, 1, 2]), Some(3));
        assert_eq!(repetition(&[5, 5, 5, 5]), Some(1));
        assert_eq!(repetition(&[7, 1, 2, 1, 2, 1, 2]), None);
        assert_eq!(repetition(&[]), None);
    }

    #[test]
    fn choosing_always_ends_whatever_the_scores() {
        let bound = Limits::new(16_000, 194, -2.0);
        for scores in [vec![f32::NAN; 4], vec![], vec![0.0, 1.0, 2.0, 3.0]] {
            let mut greedy = Greedy::new(bound, 0);
            let steps = (0..1000).take_while(|_| greedy.choose(&scores).is_some()).count();
            assert!(steps < 13);
        }
    }

    #[test]
    fn only_a_sure_end_leaves_the_transcript_empty() {
        let first = |scores: &[f32]| Greedy::new(Limits::new(16_000, 194, -2.0), 0).choose(scores);
        assert_eq!(first(&[9.0, 1.0, 2.0]), None);
        assert_eq!(first(&[2.1, 1.0, 2.0]), Some(2));
    }

    #[test]
    fn the_bound_follows_the_length() {
        let mut greedy = Greedy::new(Limits::new(16_000, 194, -2.0), 0);
        let said = (1..400u32).take_while(|&i| {
            let mut scores = vec![0.0; 500];
            scores[i as usize] = 9.0;
            greedy.choose(&scores).is_some()
        });
        assert_eq!(said.count() + 1, 13);
    }
}
