//! What the engine needs from a language model, so that a scripted one can take its place in tests.
//!
//! Floor 2. In: token ids into numbered slots. Out: logits after the last tokens.

use std::sync::Arc;

use thiserror::Error;

use crate::base::{Brake, ErrorClass};
use crate::dialogue::Prompt;

/// Why the model could not do a step.
#[derive(Debug, Error)]
pub enum ModelError {
    /// Tokens beyond what the slot's cache holds.
    #[error("{wanted} tokens do not fit into a cache of {capacity}")]
    Full {
        /// How many there would be.
        wanted: usize,
        /// How many there may be.
        capacity: usize,
    },
    /// The slot was not opened, or was closed. A defect of ours.
    #[error("this is a bug: slot {0} is not open")]
    NoSlot(usize),
    /// The device or the arithmetic failed.
    #[error("language model failed: {0}")]
    Device(String),
    /// The brake was pulled; the step goes on when it is taken anew.
    #[error("the step was broken off")]
    BrokenOff,
}

impl ModelError {
    /// How an edge should treat it.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::Full { .. } => ErrorClass::TooLarge,
            Self::NoSlot(_) | Self::Device(_) => ErrorClass::Internal,
            Self::BrokenOff => ErrorClass::Unavailable,
        }
    }
}

/// A prompt as tokens.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rendered {
    /// The messages, the assistant's header and the answer's prefix.
    pub tokens: Vec<u32>,
    /// Tokens of the leading system message, end mark included: what different sessions share. 0 when there is none.
    pub system: usize,
    /// Tokens of all messages, before the assistant's header: what can be prefilled before the question is complete.
    pub messages: usize,
}

/// The text side of a language model: cheap, immutable, shared by all threads.
pub trait TextCodec: Send + Sync {
    /// Tokens that `text` takes inside a message.
    fn count(&self, text: &str) -> usize;
    /// Renders `prompt` with the model's chat template. Text of messages never becomes a control token.
    fn render(&self, prompt: &Prompt) -> Rendered;
    /// The bytes of one token: may be part of a UTF-8 character; empty for control tokens and unknown ids.
    fn bytes(&self, token: u32) -> &[u8];
    /// Whether `token` ends an answer.
    fn is_end(&self, token: u32) -> bool;
}

/// Tokens for one slot, as a part of a step.
#[derive(Debug, Clone, Copy)]
pub struct Piece<'a> {
    /// The slot.
    pub slot: usize,
    /// At least one, after what the slot holds.
    pub tokens: &'a [u32],
    /// After how many of the last of them the logits are wanted.
    pub logits: usize,
}

/// A language model with numbered KV caches ("slots"). Only the engine's thread calls it.
pub trait LanguageModel: Send {
    /// The model's name, for logs and the doctor.
    fn name(&self) -> &str;
    /// The text side.
    fn codec(&self) -> Arc<dyn TextCodec>;
    /// Most tokens one slot can hold, as trained.
    fn context(&self) -> usize;
    /// Bytes of KV cache for a slot of `tokens`.
    fn kv_bytes(&self, tokens: usize) -> u64;
    /// How many tokens that are only guessed are worth being checked in one step with the token before them: as many as cost little beside it. Default 0.
    fn drafts(&self) -> usize {
        0
    }

    /// Makes an empty cache for `tokens` under this number, in place of what was there.
    ///
    /// # Errors
    /// [`ModelError::Device`] when memory cannot be had.
    fn open(&mut self, slot: usize, tokens: usize) -> Result<(), ModelError>;
    /// Frees a slot's cache; nothing happens when there is none.
    fn close(&mut self, slot: usize);
    /// Tokens in the slot's cache; 0 when it is not open.
    fn len(&self, slot: usize) -> usize;
    /// Forgets all but the first `tokens`.
    fn truncate(&mut self, slot: usize, tokens: usize);
    /// Replaces `to`'s cache by the first `tokens` of `from`'s.
    ///
    /// # Errors
    /// [`ModelError`] when a slot is not open or too small.
    fn fork(&mut self, from: usize, to: usize, tokens: usize) -> Result<(), ModelError>;
    /// Runs `tokens` after what the slot holds. When `want_logits`, returns those that predict the next token, `[vocabulary]`.
    ///
    /// # Errors
    /// [`ModelError`]; the cache then holds what it held before.
    fn forward(&mut self, slot: usize, tokens: &[u32], want_logits: bool) -> Result<Option<Vec<f32>>, ModelError>;

    /// Runs pieces, each of another slot, in one step, and returns of each the logits that are wanted, side by side, `[logits, vocabulary]`. A model that can reads its weights once for all
    /// of them.
    ///
    /// # Errors
    /// [`ModelError`]; each cache then begins with what it held before.
    fn forward_all(&mut self, pieces: &[Piece<'_>]) -> Result<Vec<Vec<f32>>, ModelError> {
        let mut run = |&Piece { slot, tokens, logits }: &Piece<'_>| {
            let (first, last) = tokens.split_at(tokens.len().saturating_sub(logits));
            if !first.is_empty() {
                self.forward(slot, first, false)?;
            }
            let each = last.iter().map(|token| self.forward(slot, &[*token], true));
            Ok(each.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().flatten().collect())
        };
        pieces.iter().map(&mut run).collect()
    }

    /// From now on a step ends with [`ModelError::BrokenOff`] soon after this brake is pulled. Taken anew, with the same tokens in the same slots, it goes on where it
    /// was, and it goes on by something each time. A model that cannot do that runs it to the end.
    fn obey(&mut self, _brake: Brake) {}
}
