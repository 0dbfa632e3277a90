//! When somebody speaks, from where to where, and the traits behind which the speech models stand.
//!
//! Floor 1. In: 40 ms `Pcm`. Out: [`ListenEvent`]. Loses: `UtteranceBounds`.

mod config;
mod echo;
mod endpoint;
mod gather;
mod interject;
mod interrupt;
mod level;
mod listener;
mod speech;
mod stable;
mod timeline;
mod voicing;

pub use config::{ConfigError, ListenConfig, TurnDetection};
pub use echo::{Cleaner, EchoCancel};
pub use endpoint::{Eagerness, Ending, Patience, ending};
pub use interject::{Interjection, is_our_own, weigh};
pub use interrupt::{Harmless, InterruptConfig, Judge, Proof, Verdict};
pub use level::{SILENCE_DBFS, dbfs, loud_part};
pub use listener::{CommitError, Heard, Listener, Lost};
pub use speech::{
    ListenEvent, Recognition, SoFar, SpeechProbability, Transcribe, TranscribeError, Transcript, Utterance,
};
pub use stable::Stable;
pub use voicing::Evidence;

#[cfg(test)]
pub(crate) mod tests;
