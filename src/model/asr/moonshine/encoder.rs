//! Sound to hidden states: three convolutions that keep one state for every 24 ms, then transformer layers.

use candle_core::{Result, Tensor};

use super::config::Config;
use super::rotary::Rotary;
use crate::model::asr::layers::{KeyValue, LayerNorm, Linear, Loaded, Precision, attend, gelu, split_heads};
use crate::model::asr::weights::Weights;

/// Samples that give the first hidden state: the reach of the three convolutions.
pub(super) const REACH_SAMPLES: usize = 127 + 64 * (6 + 3 * 2);
/// Samples between hidden states: 24 ms.
pub(super) const HOP_SAMPLES: usize = 64 * 3 * 2;

pub(super) struct Encoder {
    stem: Stem,
    layers: Vec<Layer>,
    norm: LayerNorm,
    rotary: Rotary,
}

impl Encoder {
    pub(super) fn load(w: &mut Weights, c: &Config, max_samples: usize) -> Loaded<Self> {
        let stem = Stem::load(w, c.hidden_size)?;
        let layers: Loaded<Vec<_>> = (0..c.encoder_num_hidden_layers).map(|i| Layer::load(w, c, i)).collect();
        let layers = layers?;
        let norm = LayerNorm::load(w, "model.encoder.layer_norm", c.hidden_size, false)?;
        let rotary = Rotary::new(c, c.encoder_num_attention_heads, max_samples / HOP_SAMPLES + 1)
            .map_err(|e| w.bad("rotary", &e))?;
        Ok(Self { stem, layers, norm, rotary })
    }

    /// `(samples,)`, at least [`REACH_SAMPLES`], to `(time, hidden)`; `None` when `stop` said so before the last layer.
    pub(super) fn forward_unless(&self, samples: &Tensor, stop: &dyn Fn() -> bool) -> Result<Option<Tensor>> {
        let mut x = self.stem.forward(samples)?;
        for layer in &self.layers {
            if stop() {
                return Ok(None);
            }
            x = layer.forward(&x, &self.rotary)?;
        }
        self.norm.forward(&x).map(Some)
    }
}

/// `conv(127, stride 64) · tanh · group norm · conv(7, 3) · gelu · conv(3, 2) · gelu`.
struct Stem {
    conv1: Tensor,
    norm_weight: Tensor,
    norm_bias: Tensor,
    conv2: (Tensor, Tensor),
    conv3: (Tensor, Tensor),
}

impl Stem {
    const EPS: f64 = 1e-5;

    fn load(w: &mut Weights, h: usize) -> Loaded<Self> {
        let mut take = |name: &str, shape: &[usize]| w.take(&format!("model.encoder.{name}"), shape);
        let conv1 = take("conv1.weight", &[h, 1, 127])?;
        let norm_weight = take("groupnorm.weight", &[h])?;
        let norm_bias = take("groupnorm.bias", &[h])?;
        let conv2 = (take("conv2.weight", &[2 * h, h, 7])?, take("conv2.bias", &[2 * h])?);
        let conv3 = (take("conv3.weight", &[h, 2 * h, 3])?, take("conv3.bias", &[h])?);
        let column = |t: Tensor| t.reshape((h, 1));
        let norm = column(norm_weight).and_then(|a| Ok((a, column(norm_bias)?)));
        let (norm_weight, norm_bias) = norm.map_err(|e| w.bad("groupnorm", &e))?;
        Ok(Self { conv1, norm_weight, norm_bias, conv2, conv3 })
    }

    fn forward(&self, samples: &Tensor) -> Result<Tensor> {
        let x = samples.reshape((1, 1, ()))?.conv1d(&self.conv1, 0, 64, 1, 1)?.tanh()?.squeeze(0)?;
        let x = self.group_norm(&x)?.unsqueeze(0)?;
        let x = gelu(&conv(&x, &self.conv2, 3)?)?;
        let x = gelu(&conv(&x, &self.conv3, 2)?)?;
        x.squeeze(0)?.t()?.contiguous()
    }

    /// One group: mean and variance over channels and time together. `(channels, time)`.
    fn group_norm(&self, x: &Tensor) -> Result<Tensor> {
        let x = x.broadcast_sub(&x.mean_all()?)?;
        let deviation = (x.sqr()?.mean_all()? + Self::EPS)?.sqrt()?;
        x.broadcast_div(&deviation)?.broadcast_mul(&self.norm_weight)?.broadcast_add(&self.norm_bias)
    }
}

fn conv(x: &Tensor, (weight, bias): &(Tensor, Tensor), stride: usize) -> Result<Tensor> {
    x.conv1d(weight, 0, stride, 1, 1)?.broadcast_add(&bias.reshape((1, (), 1))?)
}

struct Layer {
    heads: usize,
    norm1: LayerNorm,
    /// Queries (already scaled), keys and values in one product.
    qkv: Linear,
    out: Linear,
    norm2: LayerNorm,
    up: Linear,
    down: Linear,
}

impl Layer {
    fn load(w: &mut Weights, c: &Config, i: usize) -> Loaded<Self> {
        let (h, name) = (c.hidden_size, format!("model.encoder.layers.{i}"));
        let heads = c.encoder_num_attention_heads;
        let mut project = |p: &str| w.take(&format!("{name}.self_attn.{p}_proj.weight"), &[h, h]);
        let (q, k, v) = (project("q")?, project("k")?, project("v")?);
        let qkv = fuse(&q, &k, &v, h / heads).map_err(|e| w.bad(&name, &e))?;
        let p = Precision::Full;
        Ok(Self {
            heads,
            norm1: LayerNorm::load(w, &format!("{name}.input_layernorm"), h, false)?,
            qkv,
            out: Linear::load(w, &format!("{name}.self_attn.o_proj"), (h, h), false, p)?,
            norm2: LayerNorm::load(w, &format!("{name}.post_attention_layernorm"), h, false)?,
            up: Linear::load(w, &format!("{name}.mlp.fc1"), (h, c.intermediate_size), true, p)?,
            down: Linear::load(w, &format!("{name}.mlp.fc2"), (c.intermediate_size, h), true, p)?,
        })
    }

    fn forward(&self, x: &Tensor, rotary: &Rotary) -> Result<Tensor> {
        let h = x.dims()[1];
        let qkv = self.qkv.forward(&self.norm1.forward(x)?)?;
        let part = |i: usize| split_heads(&qkv.narrow(1, i * h, h)?, self.heads);
        let (q, k) = (rotary.apply(&part(0)?, 0)?, rotary.apply(&part(1)?, 0)?);
        let mixed = attend(&q, &KeyValue::new(k, part(2)?))?;
        let x = (x + self.out.forward(&mixed)?)?;
        let inner = gelu(&self.up.forward(&self.norm2.forward(&x)?)?)?;
        x + self.down.forward(&inner)?
    }
}

fn fuse(q: &Tensor, k: &Tensor, v: &Tensor, head_width: usize) -> Result<Linear> {
    #[allow(clippy::cast_precision_loss, reason = "head widths are small")]
    let scale = (head_width as f64).powf(-0.5);
    Linear::new(Tensor::cat(&[&(q * scale)?, k, v], 0)?, None, Precision::Full)
}
