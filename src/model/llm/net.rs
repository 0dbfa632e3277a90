//! The network on the device that was chosen: our kernels on the processor, candle elsewhere.

use super::LlmError;
use super::decoder::{Cache, Decoder, Part};
use super::device_failed;
use super::gguf::{GgufFile, Shape};
use super::packing::Held;
use super::transformer::{KvCache, Transformer};
use crate::base::Brake;
use crate::model::ModelError;
use crate::model::kernels::Level;

use candle_core::{Device, Result};

/// The weights.
pub(super) enum Net {
    /// On the processor.
    Processor(Box<Decoder>),
    /// On any other device.
    Candle(Box<Transformer>),
}

/// The keys and values of one conversation.
pub(super) enum Past {
    /// On the processor.
    Processor(Cache),
    /// On any other device.
    Candle(KvCache),
}

impl Net {
    /// Reads all weights.
    pub(super) fn load(file: &mut GgufFile, shape: Shape, device: &Device) -> std::result::Result<Self, LlmError> {
        if device.is_cpu() {
            return Self::load_held(file, shape, Held::Packed);
        }
        Ok(Self::Candle(Box::new(Transformer::load(file, shape, device, false)?)))
    }

    /// Reads all weights, for the processor.
    pub(super) fn load_held(file: &mut GgufFile, shape: Shape, held: Held) -> std::result::Result<Self, LlmError> {
        let decoder = Decoder::load(file, shape, held, (Level::best(), crate::model::device::threads()))?;
        Ok(Self::Processor(Box::new(decoder)))
    }

    pub(super) fn shape(&self) -> &Shape {
        match self {
            Self::Processor(net) => net.shape(),
            Self::Candle(net) => net.shape(),
        }
    }

    /// Bytes of keys and values of `tokens`: f16 on the processor, f32 elsewhere.
    pub(super) fn kv_bytes(&self, tokens: usize) -> u64 {
        let bytes = if matches!(self, Self::Processor(_)) { 2 } else { 4 };
        self.shape().kv_bytes(tokens, bytes)
    }

    pub(super) fn new_cache(&self, capacity: usize) -> Result<Past> {
        match self {
            Self::Processor(net) => Ok(Past::Processor(net.new_cache(capacity))),
            Self::Candle(net) => net.new_cache(capacity).map(Past::Candle),
        }
    }

    /// Only what runs on the processor can be broken off.
    pub(super) fn obey(&mut self, brake: Brake) {
        if let Self::Processor(net) = self {
            net.brake = brake;
        }
    }

    /// Runs the tokens of several conversations in one step, of each at least one and fitting its cache. Returns the logits that each wants, side by side.
    pub(super) fn forward(&mut self, parts: Vec<Part<'_, Past>>) -> std::result::Result<Vec<Vec<f32>>, ModelError> {
        let foreign = || ModelError::Device("a cache of another device: this is a bug".to_owned());
        match self {
            Self::Processor(net) => {
                let own = parts.into_iter().map(|Part { cache, tokens, logits }| match cache {
                    Past::Processor(cache) => Ok(Part { cache, tokens, logits }),
                    Past::Candle(_) => Err(foreign()),
                });
                net.forward(&mut own.collect::<std::result::Result<Vec<_>, _>>()?)
            }
            Self::Candle(net) => {
                let own = parts.into_iter().map(|Part { cache, tokens, logits }| match cache {
                    Past::Candle(cache) => Ok(Part { cache, tokens, logits }),
                    Past::Processor(_) => Err(foreign()),
                });
                net.forward(&mut own.collect::<std::result::Result<Vec<_>, _>>()?).map_err(device_failed)
            }
        }
    }
}

impl Past {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Processor(past) => past.len(),
            Self::Candle(past) => past.len(),
        }
    }

    pub(super) fn capacity(&self) -> usize {
        match self {
            Self::Processor(past) => past.capacity(),
            Self::Candle(past) => past.capacity(),
        }
    }

    pub(super) fn truncate(&mut self, tokens: usize) {
        match self {
            Self::Processor(past) => past.truncate(tokens),
            Self::Candle(past) => past.truncate(tokens),
        }
    }

    /// Becomes the first `tokens` of `source`, which has them and for which there is room.
    pub(super) fn copy_from(&mut self, source: &Self, tokens: usize) -> Result<()> {
        match (self, source) {
            (Self::Processor(past), Self::Processor(source)) => {
                past.copy_from(source, tokens);
                Ok(())
            }
            (Self::Candle(past), Self::Candle(source)) => past.copy_from(source, tokens),
            _ => Err(candle_core::Error::Msg("a cache of another device: this is a bug".to_owned())),
        }
    }
}
