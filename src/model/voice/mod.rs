//! Sentences spoken aloud: the trait a voice stands behind, and Kokoro, the one there is.
//!
//! Floor 2. In: a sentence. Out: mono samples and when each word is heard. Loses: nothing.

mod dictionary;
mod error;
#[cfg(test)]
pub(crate) mod hum;
mod kokoro;
mod letters;
mod normalise;
mod numbers;
mod sounding;
mod symbols;
mod written;

pub use error::VoiceError;
pub use kokoro::Kokoro;

use std::ops::Range;

/// When one word of the sentence is heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpokenWord {
    /// Where it stands in the sentence given; on character boundaries.
    pub bytes: Range<usize>,
    /// Its first sound, in milliseconds from the beginning of the samples.
    pub start_ms: u32,
    /// Its last sound; never before `start_ms`, never after the end of the samples.
    pub end_ms: u32,
}

/// A sentence, spoken.
#[derive(Debug, Clone, PartialEq)]
pub struct Speech {
    /// Mono, -1 to 1. Empty when nothing in the sentence can be said (no letters or figures, or of a script the voice does not read).
    pub samples: Vec<f32>,
    /// Samples in a second.
    pub rate_hz: u32,
    /// In the order of the sentence; their times do not overlap.
    pub words: Vec<SpokenWord>,
}

impl Speech {
    /// How long it sounds, in milliseconds, rounded up.
    #[must_use]
    pub fn duration_ms(&self) -> u64 {
        (self.samples.len() as u64 * 1000).div_ceil(u64::from(self.rate_hz.max(1)))
    }
}

/// Turns sentences into sound. Costs about as much as the sound is long, so callers give one sentence at a time.
pub trait Voice: Send {
    /// The model's name, for logs and the doctor.
    fn name(&self) -> &str;

    /// Samples in a second of every [`Speech`] it gives.
    fn rate_hz(&self) -> u32;

    /// Speaks `sentence`; `speed` 1.0 is the voice's own, 2.0 twice as fast (kept within what it can do).
    ///
    /// # Errors
    /// [`VoiceError`] when the model fails. Text it cannot read is not an error: it is left out.
    fn speak(&mut self, sentence: &str, speed: f32) -> Result<Speech, VoiceError>;
}

#[cfg(test)]
mod tests;
