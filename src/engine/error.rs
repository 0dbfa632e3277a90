//! Why the engine could not do what it was asked.

use thiserror::Error;

use crate::base::ErrorClass;
use crate::listen::TranscribeError;
use crate::model::voice::VoiceError;
use crate::watch::EmbedTextError;

/// What the engine answers when it cannot.
#[derive(Debug, Error)]
pub enum EngineError {
    /// Every slot is taken.
    #[error("all {slots} session slots are taken: try again later, or raise engine.slots")]
    Capacity {
        /// How many there are.
        slots: usize,
    },
    /// Not even one slot's cache fits the limit.
    #[error(
        "a cache of {tokens} tokens takes {bytes} bytes, more than the limit of {limit}: lower engine.context_tokens or raise engine.kv_limit_bytes"
    )]
    KvLimit {
        /// Tokens per slot.
        tokens: usize,
        /// Bytes per slot.
        bytes: u64,
        /// The configured limit.
        limit: u64,
    },
    /// The session's answer before this one is still running.
    #[error("this session is still answering: cancel that answer first")]
    Busy,
    /// More prompt than the context holds.
    #[error("the prompt has {tokens} tokens and the context holds {limit}: shorten it")]
    PromptTooLong {
        /// How many it has.
        tokens: usize,
        /// How many it may have.
        limit: usize,
    },
    /// No language model is loaded.
    #[error("no language model is loaded: run `sightline models pull`")]
    NoLanguage,
    /// No speech recogniser is loaded.
    #[error("no speech recogniser is loaded: run `sightline models pull`")]
    NoSpeech,
    /// The recogniser refused or failed.
    #[error(transparent)]
    Transcribe(#[from] TranscribeError),
    /// No text encoder is loaded.
    #[error("no text encoder is loaded: run `sightline models pull`")]
    NoEmbedder,
    /// The text encoder refused or failed.
    #[error(transparent)]
    Embed(#[from] EmbedTextError),
    /// No voice is loaded.
    #[error("no voice is loaded: run `sightline models pull kokoro-82m`")]
    NoVoice,
    /// The voice failed.
    #[error(transparent)]
    Voice(#[from] VoiceError),
    /// Somebody was waiting for it, and its turn came too late to be of use.
    #[error("the text encoder's turn came after the deadline: the engine has more to do than it can")]
    Late,
    /// A newer reading of the same speech was asked for before this one had begun.
    #[error("a newer reading of the same speech took its place")]
    Superseded,
    /// A model panicked; other requests go on.
    #[error("this is a bug: the {0} model panicked")]
    Panicked(&'static str),
    /// The engine was shut down.
    #[error("the engine is shut down")]
    Stopped,
    /// The thread could not be started.
    #[error("cannot start the engine's thread: {0}")]
    Thread(std::io::Error),
}

impl EngineError {
    /// How an edge should treat it.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::Capacity { .. } | Self::Busy | Self::Late | Self::Superseded => ErrorClass::Capacity,
            Self::PromptTooLong { .. } | Self::Transcribe(TranscribeError::TooLong { .. }) => ErrorClass::TooLarge,
            Self::KvLimit { .. }
            | Self::NoLanguage
            | Self::NoSpeech
            | Self::NoEmbedder
            | Self::NoVoice
            | Self::Stopped
            | Self::Thread(_) => ErrorClass::Unavailable,
            Self::Embed(e) => e.class(),
            Self::Voice(e) => e.class(),
            Self::Transcribe(TranscribeError::Model(_)) | Self::Panicked(_) => ErrorClass::Internal,
        }
    }
}
