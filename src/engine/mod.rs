//! One thread owns the device and serves every session in turn: speech recognition, answers, perception, embedding, prefilling ahead.
//!
//! Floor 3. In: `SESSION_TO_ENGINE`, commands, bounded, callers wait. Out: `ENGINE_TO_SESSION`, [`GenerateEvent`]s, bounded; a session whose
//! queue is full is not scheduled until it drains, so no token is ever dropped. Loses: nothing.
//!
//! The voice has a thread of its own (`voice.rs`).
//!
//! The loop is gather → step → scatter (`worker.rs`): take every waiting command, let `schedule.rs` choose one bounded step (a chunk of
//! prefill, one token, one layer of an utterance, one expert, one text), run it, hand out what came of it. It blocks only when there is
//! nothing to do. Whose step it is goes by what each session had of the device lately, too (`fair.rs`).

mod desk;
mod draft;
mod error;
mod fair;
mod generate;
mod handle;
mod hearing;
mod lull;
mod requests;
mod schedule;
mod senses;
mod slots;
mod voice;
mod worker;

#[cfg(test)]
pub(crate) mod scripted;
#[cfg(test)]
mod tests;

pub use error::EngineError;
pub use handle::{Engine, EngineHandle, EngineSession};
pub use lull::Lull;
pub use requests::{
    EngineConfig, EngineParts, EngineStats, Finish, GenerateEvent, GenerateRequest, Glimpse, PerceiveRequest,
    Perceived, TranscribeDone,
};
