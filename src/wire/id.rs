//! Ids as clients see them: a prefix and 20 letters and digits.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// What an id names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdKind {
    /// One event.
    Event,
    /// One session.
    Session,
    /// The conversation of a session.
    Conversation,
    /// One item of a conversation.
    Item,
    /// One response.
    Response,
    /// One WebRTC call.
    Call,
    /// One call of a function.
    ToolCall,
}

impl IdKind {
    /// The part before the random part.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Event => "event_",
            Self::Session => "sess_",
            Self::Conversation => "conv_",
            Self::Item => "item_",
            Self::Response => "resp_",
            Self::Call => "rtc_",
            Self::ToolCall => "call_",
        }
    }
}

/// Makes ids. Seeded by its owner: with entropy in the product (a session id must not be guessable), with a constant in tests.
#[derive(Debug, Clone)]
pub struct IdGen(StdRng);

/// Random characters of an id: 20 of 62 are 119 bits.
const LENGTH: usize = 20;
const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

impl IdGen {
    /// From 32 bytes of entropy.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(StdRng::from_seed(seed))
    }

    /// From a number: tests and playback only, since the ids can be guessed.
    #[must_use]
    pub fn from_number(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// A new id.
    pub fn next(&mut self, kind: IdKind) -> String {
        let mut id = String::with_capacity(kind.prefix().len() + LENGTH);
        id.push_str(kind.prefix());
        for _ in 0..LENGTH {
            id.push(char::from(ALPHABET[self.0.random_range(0..ALPHABET.len())]));
        }
        id
    }
}
