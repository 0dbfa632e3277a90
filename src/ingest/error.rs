//! What can go wrong between an offer and a connected peer.

use thiserror::Error;

use super::offer::OfferError;
use crate::base::ErrorClass;

/// Why a peer was refused, or a call on one failed.
#[derive(Debug, Error)]
pub enum IngestError {
    /// The offer did not pass the check.
    #[error(transparent)]
    Offer(#[from] OfferError),
    /// The offer passed the check but could not be applied.
    #[error("SDP offer cannot be applied: {reason}")]
    Refused {
        /// In the words of the WebRTC library.
        reason: String,
    },
    /// No UDP port is left.
    #[error(
        "no free UDP port from {first} to {last} ({leased} in use by sessions): end a session, or widen the port range"
    )]
    PortsExhausted {
        /// First port of the range.
        first: u16,
        /// Last port of the range.
        last: u16,
        /// Ports held by sessions.
        leased: usize,
    },
    /// No socket can be bound at all.
    #[error("cannot bind UDP {address}: {reason}; check the configured bind addresses")]
    Bind {
        /// Address and port.
        address: String,
        /// From the operating system.
        reason: String,
    },
    /// The WebRTC library failed in a way that no offer should cause.
    #[error("WebRTC failed to {what}: {reason}")]
    Transport {
        /// What was being done.
        what: &'static str,
        /// In the words of the library.
        reason: String,
    },
    /// The peer is closed.
    #[error("the peer connection is closed")]
    Closed,
    /// The client has not opened the event channel.
    #[error("the client has no open data channel `{label}`: create it before making the offer")]
    NoChannel {
        /// The channel's label.
        label: &'static str,
    },
    /// An event is larger than the client takes.
    #[error("an event of {got} bytes does not fit the data channel, which takes {limit}")]
    EventTooLarge {
        /// Bytes of the event.
        got: usize,
        /// Bytes the channel takes.
        limit: usize,
    },
    /// The client does not read its events.
    #[error("the client reads its data channel too slowly: {limit} bytes are waiting")]
    ChannelFull {
        /// Bytes that may wait.
        limit: usize,
    },
}

impl IngestError {
    /// What sort of failure this is.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::Offer(e) => e.class(),
            Self::Refused { .. } => ErrorClass::Invalid,
            Self::PortsExhausted { .. } | Self::ChannelFull { .. } => ErrorClass::Capacity,
            Self::Bind { .. } | Self::NoChannel { .. } => ErrorClass::Unavailable,
            Self::Transport { .. } => ErrorClass::Internal,
            Self::Closed => ErrorClass::NotFound,
            Self::EventTooLarge { .. } => ErrorClass::TooLarge,
        }
    }
}
