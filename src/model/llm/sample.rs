//! From logits to the next token.
//!
//! Source: nucleus sampling, arXiv:1904.09751; repetition penalty, arXiv:1909.05858 §4.1. Differs from the latter in: only the last
//! 64 tokens of the answer count, not the prompt, so that words of the question and of the facts can be repeated freely.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Tokens of the answer that the repetition penalty looks back on.
const LOOK_BACK: usize = 64;
/// Candidates kept for nucleus sampling; the rest holds no probability worth sampling.
const MOST_CANDIDATES: usize = 128;

/// How to choose tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// `0.0..=2.0`; 0 takes the most likely token always. Default 0.
    pub temperature: f32,
    /// Probability mass to choose from, `0.0..=1.0`. Default 0.9.
    pub top_p: f32,
    /// Logits of tokens already in the answer are divided by this, `1.0..=2.0`. Default 1.1; 1 is off.
    pub repetition_penalty: f32,
    /// The same seed and prompt give the same answer.
    pub seed: u64,
}

impl Default for Sampling {
    fn default() -> Self {
        Self { temperature: 0.0, top_p: 0.9, repetition_penalty: 1.1, seed: 0 }
    }
}

/// Chooses the tokens of one answer.
#[derive(Debug)]
pub struct Sampler {
    sampling: Sampling,
    random: StdRng,
    recent: Vec<u32>,
}

impl Sampler {
    /// Values outside their bounds are brought to the nearest bound.
    #[must_use]
    pub fn new(sampling: Sampling) -> Self {
        let within = |x: f32, low: f32, high: f32| if x.is_finite() { x.clamp(low, high) } else { low };
        let sampling = Sampling {
            temperature: within(sampling.temperature, 0.0, 2.0),
            top_p: within(sampling.top_p, 0.0, 1.0),
            repetition_penalty: within(sampling.repetition_penalty, 1.0, 2.0),
            seed: sampling.seed,
        };
        Self { sampling, random: StdRng::seed_from_u64(sampling.seed), recent: Vec::new() }
    }

    /// Chooses the next token from `logits` (one per token of the vocabulary) and remembers it. None when no logit is a number.
    pub fn choose(&mut self, logits: &mut [f32]) -> Option<u32> {
        for &token in self.recent.iter().rev().take(LOOK_BACK).collect::<std::collections::BTreeSet<_>>() {
            if let Some(logit) = logits.get_mut(token as usize) {
                let p = self.sampling.repetition_penalty;
                *logit = if *logit > 0.0 { *logit / p } else { *logit * p };
            }
        }
        let token = if self.sampling.temperature < 1e-4 { most_likely(logits) } else { self.draw(logits) };
        self.recent.extend(token);
        token
    }

    fn draw(&mut self, logits: &[f32]) -> Option<u32> {
        let top = logits[most_likely(logits)? as usize];
        let weight = |logit: f32| ((logit - top) / self.sampling.temperature).exp();
        let mut candidates: Vec<(u32, f32)> =
            (0u32..).zip(logits).map(|(id, logit)| (id, weight(*logit))).filter(|(_, weight)| *weight > 1e-6).collect();
        candidates.sort_unstable_by(|a, b| b.1.total_cmp(&a.1));
        candidates.truncate(MOST_CANDIDATES);
        let total: f32 = candidates.iter().map(|c| c.1).sum();
        let mut kept = 0;
        let mut mass = 0.0;
        while kept < candidates.len() && (kept == 0 || mass < self.sampling.top_p * total) {
            mass += candidates[kept].1;
            kept += 1;
        }
        let mut dart = self.random.random::<f32>() * mass;
        let hit = candidates[..kept].iter().find(|c| {
            dart -= c.1;
            dart <= 0.0
        });
        hit.or(candidates.first()).map(|c| c.0)
    }
}

fn most_likely(logits: &[f32]) -> Option<u32> {
    let best = (0u32..).zip(logits).filter(|(_, l)| !l.is_nan()).max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(&a.0)));
    best.map(|(id, _)| id)
}

#[cfg(test)]
mod tests {
    use super::{Sampler, Sampling};

    #[test]
    fn temperature_zero_takes_the_best_and_nan_never_wins() {
        let mut s = Sampler::new(Sampling::default());
        assert_eq!(s.choose(&mut [0.1, f32::NAN, 2.0, 1.0]), Some(2));
        assert_eq!(s.choose(&mut [f32::NAN, f32::NAN]), None);
        assert_eq!(s.choose(&mut []), None);
    }

    #[test]
    fn a_penalty_breaks_a_tie_with_what_was_said() {
        let mut s = Sampler::new(Sampling { repetition_penalty: 1.5, ..Sampling::default() });
        assert_eq!(s.choose(&mut [3.0, 2.5]), Some(0));
        assert_eq!(s.choose(&mut [3.0, 2.5]), Some(1));
    }

    #[test]
    fn the_same_seed_gives_the_same_tokens_and_only_the_nucleus_is_drawn() {
        let run = |seed| {
            let mut s = Sampler::new(Sampling { temperature: 1.0, top_p: 0.8, repetition_penalty: 1.0, seed });
            (0..50).map(|_| s.choose(&mut [2.0, 2.0, -3.0, 1.9]).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
        assert!(run(7).iter().all(|t| *t != 2));
    }
}
