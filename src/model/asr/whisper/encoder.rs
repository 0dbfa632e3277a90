//! Log-mel frames to hidden states of 20 ms each, for as many frames as the utterance has.

use candle_core::{Result, Tensor};

use super::config::Config;
use crate::model::asr::layers::{KeyValue, LayerNorm, Linear, Loaded, Precision, attend, gelu, split_heads};
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

    /// `(mels, frames)`, an even number of frames, to `(frames / 2, width)`; `None` when `stop` said so before the last layer.
    pub(super) fn forward_unless(&self, mel: &Tensor, stop: &dyn Fn() -> bool) -> Result<Option<Tensor>> {
        let x = gelu(&conv(&mel.unsqueeze(0)?, &self.conv1, 1)?)?;
        let x = gelu(&conv(&x, &self.conv2, 2)?)?.squeeze(0)?.t()?.contiguous()?;
        let mut x = (&x + self.positions.narrow(0, 0, x.dims()[0])?)?;
        for layer in &self.layers {
            if stop() {
                return Ok(None);
            }
            x = layer.forward(&x)?;
        }
        self.norm.forward(&x).map(Some)
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

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (q, kv) = self.own.project(&self.norm1.forward(x)?)?;
        let x = (x + self.own.mix(&q, &kv)?)?;
        let inner = gelu(&self.up.forward(&self.norm2.forward(&x)?)?)?;
        &x + self.down.forward(&inner)?
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
