//! When somebody speaks, from where to where, and the traits behind which the speech models stand.
//!
//! Floor 1. In: 40 ms `Pcm`. Out: [`ListenEvent`]. Loses: `UtteranceBounds`.

mod config;
mod level;
mod listener;
mod speech;
mod timeline;

pub use config::{ConfigError, ListenConfig, TurnDetection};
pub use level::{SILENCE_DBFS, dbfs};
pub use listener::{CommitError, Heard, Listener, Lost};
pub use speech::{ListenEvent, SpeechProbability, Transcribe, TranscribeError, Transcript, Utterance};

#[cfg(test)]
mod tests;
