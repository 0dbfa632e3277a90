//! What the listening stage says, and what it needs from a model.

use std::sync::Arc;

use thiserror::Error;

use crate::base::MediaTime;

/// Speech from its start (with the padding before it) to its end.
#[derive(Debug, Clone)]
pub struct Utterance {
    /// 16 kHz mono.
    pub samples: Arc<[f32]>,
    /// Capture time of the first sample.
    pub start: MediaTime,
    /// Capture time just after the last voiced frame.
    pub end: MediaTime,
}

/// Speech that has not ended, from its start on.
#[derive(Debug, Clone)]
pub struct SoFar {
    /// 16 kHz mono.
    pub samples: Arc<[f32]>,
    /// Capture time just after the last voiced frame: it tells one pause from the next.
    pub voiced_until: MediaTime,
    /// It has been silent for the padding after speech: if nothing more is said, these are the samples of the utterance.
    pub whole: bool,
}

/// What the listener found in the sound.
#[derive(Debug, Clone)]
pub enum ListenEvent {
    /// Somebody began to speak at this capture time.
    SpeechStarted {
        /// Capture time of the first voiced frame.
        at: MediaTime,
    },
    /// The speaker finished.
    SpeechStopped {
        /// What was said.
        utterance: Utterance,
        /// Capture time of the sample at which the end was decided: `decided - utterance.end` is the endpointing delay.
        decided: MediaTime,
    },
}

/// Says for each short frame of sound how likely it holds speech.
pub trait SpeechProbability: Send {
    /// Samples per frame at 16 kHz: 256 (16 ms) to 512 (32 ms).
    fn frame_samples(&self) -> usize;
    /// Probability that `frame` holds speech, `0.0..=1.0`. `frame.len() == frame_samples()`.
    fn probability(&mut self, frame: &[f32]) -> f32;
    /// Forgets what it heard.
    fn reset(&mut self);
}

/// What was said, in words.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Transcript {
    /// The words; empty when there were none.
    pub text: String,
    /// Text tokens the decoder produced.
    pub tokens: usize,
}

/// Why there is no transcript.
#[derive(Debug, Error)]
pub enum TranscribeError {
    /// More audio than the recogniser takes at once.
    #[error("utterance of {seconds:.1} s is longer than the recogniser's {limit:.0} s")]
    TooLong {
        /// How long it was.
        seconds: f32,
        /// How long it may be.
        limit: f32,
    },
    /// The model failed.
    #[error("speech recognition failed: {0}")]
    Model(String),
}

/// Turns speech into text. It runs on the engine's thread.
pub trait Transcribe: Send {
    /// The model's name, for logs and the doctor.
    fn name(&self) -> &str;

    /// Begins to recognise 16 kHz mono `samples`; cost follows their length.
    ///
    /// # Errors
    /// [`TranscribeError`] when the audio is too long or the model fails.
    fn begin(&self, samples: &[f32]) -> Result<Box<dyn Recognition>, TranscribeError>;

    /// All steps at once.
    ///
    /// # Errors
    /// As [`Self::begin`].
    fn transcribe(&self, samples: &[f32]) -> Result<Transcript, TranscribeError> {
        let mut recognition = self.begin(samples)?;
        loop {
            if let Some(transcript) = recognition.step()? {
                return Ok(transcript);
            }
        }
    }
}

/// An utterance that is being recognised. It knows how far it is, so any number of them can be under way, and one that is dropped is given up.
pub trait Recognition {
    /// The next step, of some 20 ms at most on two cores however long the utterance is; the words when it was the last one.
    ///
    /// # Errors
    /// [`TranscribeError`] when the model fails.
    fn step(&mut self) -> Result<Option<Transcript>, TranscribeError>;
}
