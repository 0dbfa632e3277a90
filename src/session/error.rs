//! Why a conversation could not be opened or found.

use std::time::Duration;

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
    /// As many as one key or client secret may have.
    #[error("`{name}` has all {max} sessions that it may have; end one first")]
    KeyFull {
        /// The name of the key, or the beginning of the client secret.
        name: String,
        /// How many it may have.
        max: usize,
    },
    /// The key does not open sessions with this model.
    #[error("this key does not open sessions with `{0}`, the model that answers here")]
    ModelNotAllowed(String),
    /// The client secret was for so many sessions, and they were opened.
    #[error("this client secret has opened all the sessions that it was made for; have a new one made")]
    UsedUp,
    /// The conversations there are are late already, or would be with one more.
    #[error("the server is busy with the sessions it has; try again in {} s", .retry_after.as_secs())]
    Overloaded {
        /// When there may be room.
        retry_after: Duration,
    },
    /// Main memory is short.
    #[error("the machine has {} MiB of memory left and a session may take {}; try again when another has ended", .left >> 20, .needed >> 20)]
    ShortOfMemory {
        /// Bytes that can still be had.
        left: u64,
        /// Bytes that one session may take, and what is left to others.
        needed: u64,
        /// When to try again.
        retry_after: Duration,
    },
    /// No such call.
    #[error("there is no call `{0}` (it may have ended)")]
    NoCall(String),
    /// The name asked for a call is none.
    #[error("a call's name has 1 to 64 letters, digits, `-` or `_`, and does not begin with `rtc_`")]
    CallName,
    /// Another call has the name.
    #[error("there is a call `{0}` already: end it, or choose another name")]
    CallNameTaken(String),
    /// No such memory, or it is somebody else's: which of the two is not told.
    #[error("there is no such memory, or this access token does not open it")]
    NoMemory,
    /// No such session to come back to: it ended, or the token is not its newest. Which of these is not told.
    #[error(
        "there is no session that this token opens: it has ended, or the token was replaced by a newer one; open a new session"
    )]
    NoSession,
    /// No such picture in the memory.
    #[error("there is no picture `{0}` in this memory (it may have been merged or forgotten)")]
    NoKeyframe(String),
    /// Another session goes on with it.
    #[error("another session is using this memory; end that session first")]
    MemoryInUse,
    /// The archive cannot be read or written.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
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
            Self::Full { .. } | Self::KeyFull { .. } | Self::Overloaded { .. } | Self::ShortOfMemory { .. } => {
                ErrorClass::Capacity
            }
            Self::ModelNotAllowed(_) | Self::UsedUp => ErrorClass::Forbidden,
            Self::NoCall(_) | Self::NoMemory | Self::NoSession | Self::NoKeyframe(_) => ErrorClass::NotFound,
            Self::MemoryInUse | Self::CallName | Self::CallNameTaken(_) => ErrorClass::Invalid,
            Self::Store(e) => e.class(),
            Self::Session(e) => e.class(),
            Self::Ingest(e) => e.class(),
            Self::Engine(e) => e.class(),
            Self::Listen(e) => e.class(),
            Self::Decode(e) => e.class(),
        }
    }

    /// When it is worth trying again, where that is known.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Overloaded { retry_after } | Self::ShortOfMemory { retry_after, .. } => Some(*retry_after),
            _ => None,
        }
    }

    /// Stable code for machines.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoMemory => return "memory_not_found",
            Self::NoSession => return "session_not_found",
            Self::NoKeyframe(_) => return "keyframe_not_found",
            Self::UsedUp => return "client_secret_used",
            Self::MemoryInUse => return "memory_in_use",
            Self::CallName => return "invalid_call_name",
            Self::CallNameTaken(_) => return "call_name_taken",
            Self::Store(_) => return "archive_error",
            _ => {}
        }
        match self.class() {
            ErrorClass::Capacity => "session_capacity",
            ErrorClass::Forbidden => "model_not_allowed",
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
