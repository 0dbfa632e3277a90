//! A quantized language model of the Qwen2 or Llama family, read from a GGUF file.
//!
//! Floor 2. In: `model.gguf`. Out: [`Llm`], a [`LanguageModel`]. Loses: nothing.
//! Why our own transformer and not candle-transformers': its caches can neither be cut back to a prefix nor copied, and both
//! are what keeps a prompt from being computed twice.

mod chat;
pub mod compress;
mod decoder;
mod gguf;
mod head;
mod known;
mod linear;
mod net;
mod packing;
mod sample;
mod text;
mod tokenizer;
mod transformer;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use crate::base::{Brake, ErrorClass};

use super::device::{DeviceChoice, DeviceError};
use super::language::{LanguageModel, ModelError, Piece, TextCodec};

pub use sample::{Sampler, Sampling};
pub use text::TextStream;

use decoder::Part;
use net::{Net, Past};
use packing::Held;
use tokenizer::GgufTokenizer;

/// Why a model file cannot be used.
#[derive(Debug, Error)]
pub enum LlmError {
    /// The file cannot be read.
    #[error("cannot open {path}: {source}; run `sightline models pull`")]
    Open {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not a whole, sound GGUF file.
    #[error("{path} is not a usable GGUF file: {reason}; delete it and run `sightline models pull`")]
    Corrupt {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A sound file of a model that this code does not know.
    #[error("{path} cannot be used: {reason}; take a Qwen2 or Llama-family model with a ChatML template")]
    Unsupported {
        /// Which file.
        path: PathBuf,
        /// What is not known.
        reason: String,
    },
    /// Too little to learn from.
    #[error("the text has {have} tokens, and {need} are needed: give a longer one")]
    TooShort {
        /// Tokens of the text.
        have: usize,
        /// The least.
        need: usize,
    },
    /// A file that cannot be written.
    #[error("cannot write {path}: {reason}")]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// No threads to compute on.
    #[error("cannot start threads for the language model: {0}")]
    Threads(String),
    /// The device is not there.
    #[error(transparent)]
    Device(#[from] DeviceError),
}

impl LlmError {
    /// How an edge should treat it.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::Unsupported { .. } => ErrorClass::Unsupported,
            Self::Device(e) => e.class(),
            Self::TooShort { .. } => ErrorClass::Invalid,
            Self::Open { .. } | Self::Corrupt { .. } | Self::Write { .. } | Self::Threads(_) => ErrorClass::Unavailable,
        }
    }
}

/// Guessed tokens that are checked with the one before them, see [`LanguageModel::drafts`]: with five a step takes twice as long as with none, with one hardly longer (`benches/engine.rs`).
const DRAFTS: usize = 5;

/// A loaded model with its caches.
pub struct Llm {
    name: String,
    codec: Arc<GgufTokenizer>,
    net: Net,
    slots: HashMap<usize, Past>,
}

impl Llm {
    /// Reads a GGUF file onto a device.
    ///
    /// # Errors
    /// [`LlmError`], which names the file; a truncated or hostile file is an error, never a panic.
    pub fn load(path: &Path, device: DeviceChoice) -> Result<Self, LlmError> {
        let device = device.open()?;
        Self::read(path, |file, shape| Net::load(file, shape, &device))
    }

    /// As [`Self::load`], on the processor and with all matrices in f16, whatever the file holds: what quantizing begins with, slower and twice to four times as large. To compare with.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_sixteen(path: &Path) -> Result<Self, LlmError> {
        Self::load_held(path, Held::Sixteen)
    }

    /// On the processor.
    fn load_held(path: &Path, held: Held) -> Result<Self, LlmError> {
        Self::read(path, |file, shape| Net::load_held(file, shape, held))
    }

    fn read(
        path: &Path,
        net: impl FnOnce(&mut gguf::GgufFile, gguf::Shape) -> Result<Net, LlmError>,
    ) -> Result<Self, LlmError> {
        let read = || {
            let mut file = gguf::GgufFile::open(path)?;
            let shape = file.shape()?;
            let codec = Arc::new(GgufTokenizer::from_gguf(&file)?);
            let net = net(&mut file, shape)?;
            Ok(Self { name: file.name(), codec, net, slots: HashMap::new() })
        };
        // The reader checks lengths against the file, but a foreign parser over hostile bytes is still worth a net.
        catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| {
            Err(LlmError::Corrupt { path: path.to_owned(), reason: "the reader gave up on its header".to_owned() })
        })
    }

    fn slot(&self, slot: usize) -> Result<&Past, ModelError> {
        self.slots.get(&slot).ok_or(ModelError::NoSlot(slot))
    }
}

fn device_failed(e: candle_core::Error) -> ModelError {
    ModelError::Device(e.to_string())
}

impl LanguageModel for Llm {
    fn name(&self) -> &str {
        &self.name
    }

    fn codec(&self) -> Arc<dyn TextCodec> {
        Arc::clone(&self.codec) as Arc<dyn TextCodec>
    }

    fn context(&self) -> usize {
        self.net.shape().context
    }

    fn kv_bytes(&self, tokens: usize) -> u64 {
        self.net.kv_bytes(tokens)
    }

    fn open(&mut self, slot: usize, tokens: usize) -> Result<(), ModelError> {
        self.slots.remove(&slot);
        let cache = self.net.new_cache(tokens.min(self.context())).map_err(device_failed)?;
        self.slots.insert(slot, cache);
        Ok(())
    }

    fn close(&mut self, slot: usize) {
        self.slots.remove(&slot);
    }

    fn len(&self, slot: usize) -> usize {
        self.slots.get(&slot).map_or(0, Past::len)
    }

    fn truncate(&mut self, slot: usize, tokens: usize) {
        if let Some(cache) = self.slots.get_mut(&slot) {
            cache.truncate(tokens);
        }
    }

    fn fork(&mut self, from: usize, to: usize, tokens: usize) -> Result<(), ModelError> {
        if from == to {
            self.truncate(to, tokens);
            return Ok(());
        }
        let mut target = self.slots.remove(&to).ok_or(ModelError::NoSlot(to))?;
        let copied = self.slot(from).and_then(|source| {
            let tokens = tokens.min(source.len());
            if tokens > target.capacity() {
                return Err(ModelError::Full { wanted: tokens, capacity: target.capacity() });
            }
            target.copy_from(source, tokens).map_err(device_failed)
        });
        self.slots.insert(to, target);
        copied
    }

    fn forward(&mut self, slot: usize, tokens: &[u32], want_logits: bool) -> Result<Option<Vec<f32>>, ModelError> {
        if tokens.is_empty() {
            return self.slot(slot).map(|_| None);
        }
        Ok(self.forward_all(&[Piece { slot, tokens, logits: usize::from(want_logits) }])?.pop().filter(|_| want_logits))
    }

    fn forward_all(&mut self, pieces: &[Piece<'_>]) -> Result<Vec<Vec<f32>>, ModelError> {
        let mut slots: HashMap<usize, &mut Past> = self.slots.iter_mut().map(|(slot, past)| (*slot, past)).collect();
        let parts = pieces.iter().map(|&Piece { slot, tokens, logits }| {
            // One that comes twice is not there the second time.
            let cache = slots.remove(&slot).ok_or(ModelError::NoSlot(slot))?;
            let (wanted, capacity) = (cache.len() + tokens.len(), cache.capacity());
            if wanted > capacity {
                return Err(ModelError::Full { wanted, capacity });
            }
            if tokens.is_empty() || logits > tokens.len() {
                return Err(ModelError::Device(format!("too few tokens for slot {slot}: this is a bug")));
            }
            Ok(Part { cache, tokens, logits })
        });
        self.net.forward(parts.collect::<Result<_, _>>()?)
    }

    fn drafts(&self) -> usize {
        DRAFTS
    }

    fn obey(&mut self, brake: Brake) {
        self.net.obey(brake);
    }
}

#[cfg(test)]
mod tests;
