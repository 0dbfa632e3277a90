//! Log-mel frames to hidden states of 20 ms each, for as many frames as the utterance has.

use candle_core::{Result, Tensor};

use super::config::Config;
use crate::model::asr::layers::{
    Climb, EncoderLayer, KeyValue, LayerNorm, Linear, Loaded, OpenLayer, Precision, attend, gelu, split_heads,
};
use crate::model::asr::weights::Weights;

pub(super) struct Encoder {
    conv1: (Tensor, Tensor),
    conv2: (Tensor, Tensor),
    /// `(positions, width)`.
    positions: Tensor,
    layers: Vec<Layer>,
    norm: LayerNorm,
}

impl Encoder {
    pub(super) fn load(w: &mut Weights, c: &Config) -> Loaded<Self> {
        let d = c.d_model;
        let mut take = |name: &str, shape: &[usize]| w.take(&format!("model.encoder.{name}"), shape);
        let conv1 = (take("conv1.weight", &[d, c.num_mel_bins, 3])?, take("conv1.bias", &[d])?);
        let conv2 = (take("conv2.weight", &[d, d, 3])?, take("conv2.bias", &[d])?);
        let positions = take("embed_positions.weight", &[c.max_source_positions, d])?;
        let layers: Loaded<Vec<_>> = (0..c.encoder_layers).map(|i| Layer::load(w, c, i)).collect();
        let layers = layers?;
        let norm = LayerNorm::load(w, "model.encoder.layer_norm", d, true)?;
        Ok(Self { conv1, conv2, positions, layers, norm })
    }

    /// One step of what [`Encoding::new`] began; `(frames / 2, width)` when it was the last one.
    pub(super) fn step(&self, encoding: &mut Encoding) -> Result<Option<Tensor>> {
        let next = match &mut encoding.0 {
            Part::Mel(mel) => Part::Wide(gelu(&conv(&mel.unsqueeze(0)?, &self.conv1, 1)?)?),
            Part::Wide(x) => {
                let x = gelu(&conv(x, &self.conv2, 2)?)?.squeeze(0)?.t()?.contiguous()?;
                Part::Layers(Climb::new((&x + self.positions.narrow(0, 0, x.dims()[0])?)?))
            }
            Part::Layers(climb) => {
                return climb.step(&self.layers, &())?.map(|x| self.norm.forward(x)).transpose();
            }
        };
        encoding.0 = next;
        Ok(None)
    }
}

/// How far the encoder is with an utterance.
pub(super) struct Encoding(Part);

enum Part {
    /// `(mels, frames)`.
    Mel(Tensor),
    /// After the first convolution, `(1, width, frames)`.
    Wide(Tensor),
    /// In its layers.
    Layers(Climb),
}

impl Encoding {
    /// `(mels, frames)`, an even number of frames.
    pub(super) const fn new(mel: Tensor) -> Self {
        Self(Part::Mel(mel))
    }
}

fn conv(x: &Tensor, (weight, bias): &(Tensor, Tensor), stride: usize) -> Result<Tensor> {
    x.conv1d(weight, 1, stride, 1, 1)?.broadcast_add(&bias.reshape((1, (), 1))?)
}

struct Layer {
    norm1: LayerNorm,
    own: SelfAttention,
    norm2: LayerNorm,
    up: Linear,
    down: Linear,
}

impl Layer {
    fn load(w: &mut Weights, c: &Config, i: usize) -> Loaded<Self> {
        let (d, name) = (c.d_model, format!("model.encoder.layers.{i}"));
        let (inner, p) = (c.encoder_ffn_dim, Precision::Full);
        Ok(Self {
            norm1: LayerNorm::load(w, &format!("{name}.self_attn_layer_norm"), d, true)?,
            own: SelfAttention::load(w, &format!("{name}.self_attn"), (d, c.encoder_attention_heads), p)?,
            norm2: LayerNorm::load(w, &format!("{name}.final_layer_norm"), d, true)?,
            up: Linear::load(w, &format!("{name}.fc1"), (d, inner), true, p)?,
            down: Linear::load(w, &format!("{name}.fc2"), (inner, d), true, p)?,
        })
    }
}

impl EncoderLayer for Layer {
    type With = ();

    fn open(&self, x: &Tensor, (): &()) -> Result<OpenLayer> {
        let (q, kv) = self.own.project(&self.norm1.forward(x)?)?;
        OpenLayer::new(q, kv)
    }

    fn rows(&self, x: &Tensor, open: &mut OpenLayer) -> Result<Option<Tensor>> {
        let (x, mixed) = open.next(x)?;
        let x = (x + self.own.out.forward(&mixed)?)?;
        let inner = gelu(&self.up.forward(&self.norm2.forward(&x)?)?)?;
        open.push((&x + self.down.forward(&inner)?)?)
    }
}

/// Attention of a sequence to itself; the decoder keeps the keys and values between steps.
pub(super) struct SelfAttention {
    heads: usize,
    /// Queries (already scaled), keys and values in one product.
    qkv: Linear,
    out: Linear,
}

impl SelfAttention {
    pub(super) fn load(w: &mut Weights, name: &str, (d, heads): (usize, usize), p: Precision) -> Loaded<Self> {
        let mut weight = |n: &str| w.take(&format!("{name}.{n}_proj.weight"), &[d, d]);
        let (q, k, v) = (weight("q")?, weight("k")?, weight("v")?);
        let (q_bias, v_bias) =
            (w.take(&format!("{name}.q_proj.bias"), &[d])?, w.take(&format!("{name}.v_proj.bias"), &[d])?);
        let fused = || {
            let s = scale(d / heads);
            let bias = Tensor::cat(&[&(&q_bias * s)?, &v_bias.zeros_like()?, &v_bias], 0)?;
            Linear::new(Tensor::cat(&[&(&q * s)?, &k, &v], 0)?, Some(bias), p)
        };
        let qkv = fused().map_err(|e| w.bad(name, &e))?;
        Ok(Self { heads, qkv, out: Linear::load(w, &format!("{name}.out_proj"), (d, d), true, p)? })
    }

    /// Queries, and keys and values, of `(time, width)`.
    pub(super) fn project(&self, x: &Tensor) -> Result<(Tensor, KeyValue)> {
        let d = x.dims()[1];
        let qkv = self.qkv.forward(x)?;
        let part = |i: usize| split_heads(&qkv.narrow(1, i * d, d)?, self.heads);
        Ok((part(0)?, KeyValue::new(part(1)?, part(2)?)))
    }

    /// What the queries find, `(time, width)`.
    pub(super) fn mix(&self, q: &Tensor, kv: &KeyValue) -> Result<Tensor> {
        self.out.forward(&attend(q, kv)?)
    }
}

#[allow(clippy::cast_precision_loss, reason = "head widths are small")]
pub(super) fn scale(head_width: usize) -> f64 {
    (head_width as f64).powf(-0.5)
}
