//! Why a conversation could not be opened or found.

use thiserror::Error;

use crate::base::ErrorClass;
use crate::decode::DecodeError;
use crate::engine::EngineError;
use crate::ingest::IngestError;
use crate::wire::WireError;

/// Why a conversation could not be opened or found.
#[derive(Debug, Error)]
pub enum SessionError {
    /// As many conversations as there may be.
    #[error("all {max} sessions are taken; try again when one has ended")]
    Full {
        /// How many there may be.
        max: usize,
    },
    /// The conversations there are are late already.
    #[error("the server is busy with the sessions it has; try again in a while")]
    Overloaded,
    /// No such call.
    #[error("there is no call `{0}` (it may have ended)")]
    NoCall(String),
    /// The `session` object of the offer is wrong.
    #[error("session: {}", .0.message)]
    Session(WireError),
    /// The offer is wrong, or no port is free.
    #[error(transparent)]
    Ingest(#[from] IngestError),
    /// The device has no room.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The listening defaults are out of bounds.
    #[error(transparent)]
    Listen(#[from] crate::listen::ConfigError),
    /// Media cannot be decoded here.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

impl SessionError {
    /// How an edge should treat it.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Full { .. } | Self::Overloaded => ErrorClass::Capacity,
            Self::NoCall(_) => ErrorClass::NotFound,
            Self::Session(e) => e.class(),
            Self::Ingest(e) => e.class(),
            Self::Engine(e) => e.class(),
            Self::Listen(e) => e.class(),
            Self::Decode(e) => e.class(),
        }
    }

    /// Stable code for machines.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self.class() {
            ErrorClass::Capacity => "session_capacity",
            ErrorClass::NotFound => "call_not_found",
            ErrorClass::TooLarge => "sdp_too_large",
            ErrorClass::Unsupported => "unsupported_media",
            ErrorClass::Unavailable => "unavailable",
            ErrorClass::Internal => "server_error",
            ErrorClass::Invalid => match self {
                Self::Session(_) => "invalid_session",
                _ => "invalid_sdp",
            },
        }
    }
}
