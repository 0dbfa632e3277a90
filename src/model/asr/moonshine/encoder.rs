//! Sound to hidden states: three convolutions that keep one state for every 24 ms, then transformer layers.

use candle_core::{Result, Tensor};

use super::config::Config;
use super::rotary::Rotary;
use crate::model::asr::layers::{
    Climb, EncoderLayer, KeyValue, LayerNorm, Linear, Loaded, OpenLayer, Precision, Windowed, gelu, split_heads,
};
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

    /// One step of what [`Encoding::new`] began; `(time, hidden)` when it was the last one.
    pub(super) fn step(&self, encoding: &mut Encoding) -> Result<Option<Tensor>> {
        let next = match &mut encoding.0 {
            Part::Sound(samples) => Part::Wave(self.stem.first(samples)?),
            Part::Wave(x) => Part::Narrowing(self.stem.narrowing(0, self.stem.group_norm(x)?.unsqueeze(0)?)?),
            Part::Narrowing(open) => match self.stem.narrow(open)? {
                None => return Ok(None),
                Some(x) if open.which == 0 => Part::Narrowing(self.stem.narrowing(1, x)?),
                Some(x) => Part::Layers(Climb::new(x.squeeze(0)?.t()?.contiguous()?)),
            },
            Part::Layers(climb) => {
                return climb.step(&self.layers, &self.rotary)?.map(|x| self.norm.forward(x)).transpose();
            }
        };
        encoding.0 = next;
        Ok(None)
    }
}

/// How far the encoder is with an utterance.
pub(super) struct Encoding(Part);

enum Part {
    /// `(samples,)`.
    Sound(Tensor),
    /// After the first convolution, `(channels, time)`.
    Wave(Tensor),
    /// In one of the others.
    Narrowing(Narrowing),
    /// In its layers.
    Layers(Climb),
}

impl Encoding {
    /// `(samples,)`, at least [`REACH_SAMPLES`].
    pub(super) const fn new(samples: Tensor) -> Self {
        Self(Part::Sound(samples))
    }
}

/// A convolution in its midst.
struct Narrowing {
    which: usize,
    /// `(1, channels, time)`.
    x: Tensor,
    out: Windowed,
}

/// `conv(127, stride 64) · tanh · group norm · conv(7, 3) · gelu · conv(3, 2) · gelu`.
struct Stem {
    conv1: Tensor,
    norm_weight: Tensor,
    norm_bias: Tensor,
    /// The second and the third.
    convs: [(Tensor, Tensor); 2],
}

impl Stem {
    const EPS: f64 = 1e-5;
    /// Of the second and the third convolution.
    const STRIDES: [usize; 2] = [3, 2];

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
        Ok(Self { conv1, norm_weight, norm_bias, convs: [conv2, conv3] })
    }

    fn first(&self, samples: &Tensor) -> Result<Tensor> {
        samples.reshape((1, 1, ()))?.conv1d(&self.conv1, 0, 64, 1, 1)?.tanh()?.squeeze(0)
    }

    /// Begins the second convolution (0) or the third (1).
    fn narrowing(&self, which: usize, x: Tensor) -> Result<Narrowing> {
        let rows = (x.dim(2)? - self.convs[which].0.dim(2)?) / Self::STRIDES[which] + 1;
        Ok(Narrowing { which, x, out: Windowed::new(rows, 2) })
    }

    /// One step of it.
    fn narrow(&self, open: &mut Narrowing) -> Result<Option<Tensor>> {
        let ((weight, bias), stride) = (&self.convs[open.which], Self::STRIDES[open.which]);
        let (from, rows) = open.out.next();
        let x = open.x.narrow(2, from * stride, (rows - 1) * stride + weight.dim(2)?)?.contiguous()?;
        let x = x.conv1d(weight, 0, stride, 1, 1)?.broadcast_add(&bias.reshape((1, (), 1))?)?;
        open.out.push(gelu(&x)?)
    }

    /// One group: mean and variance over channels and time together. `(channels, time)`.
    fn group_norm(&self, x: &Tensor) -> Result<Tensor> {
        let x = x.broadcast_sub(&x.mean_all()?)?;
        let deviation = (x.sqr()?.mean_all()? + Self::EPS)?.sqrt()?;
        x.broadcast_div(&deviation)?.broadcast_mul(&self.norm_weight)?.broadcast_add(&self.norm_bias)
    }
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
}

impl EncoderLayer for Layer {
    type With = Rotary;

    fn open(&self, x: &Tensor, rotary: &Rotary) -> Result<OpenLayer> {
        let h = x.dims()[1];
        let qkv = self.qkv.forward(&self.norm1.forward(x)?)?;
        let part = |i: usize| split_heads(&qkv.narrow(1, i * h, h)?, self.heads);
        let (q, k) = (rotary.apply(&part(0)?, 0)?, rotary.apply(&part(1)?, 0)?);
        OpenLayer::new(q, KeyValue::new(k, part(2)?))
    }

    fn rows(&self, x: &Tensor, open: &mut OpenLayer) -> Result<Option<Tensor>> {
        let (x, mixed) = open.next(x)?;
        let x = (x + self.out.forward(&mixed)?)?;
        let inner = gelu(&self.up.forward(&self.norm2.forward(&x)?)?)?;
        open.push((x + self.down.forward(&inner)?)?)
    }
}

fn fuse(q: &Tensor, k: &Tensor, v: &Tensor, head_width: usize) -> Result<Linear> {
    #[allow(clippy::cast_precision_loss, reason = "head widths are small")]
    let scale = (head_width as f64).powf(-0.5);
    Linear::new(Tensor::cat(&[&(q * scale)?, k, v], 0)?, None, Precision::Full)
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};

    use super::{Stem, gelu};

    #[test]
    fn a_convolution_in_windows_is_the_whole_one() {
        let random = |shape: &[usize]| Tensor::randn(0.0f32, 0.1, shape, &Device::Cpu).expect("tensor");
        let conv = |out, inner, width| (random(&[out, inner, width]), random(&[out]));
        let (conv1, norm_weight, norm_bias) = (random(&[4, 1, 127]), random(&[4, 1]), random(&[4, 1]));
        let stem = Stem { conv1, norm_weight, norm_bias, convs: [conv(6, 4, 7), conv(4, 6, 3)] };
        for time in [7, 300, 2_345] {
            for which in [0, 1] {
                let ((weight, bias), stride) = (&stem.convs[which], Stem::STRIDES[which]);
                let x = random(&[1, weight.dims()[1], time]);
                let whole = x.conv1d(weight, 0, stride, 1, 1).expect("whole");
                let whole = gelu(&whole.broadcast_add(&bias.reshape((1, (), 1)).expect("column")).expect("sum"));
                let mut open = stem.narrowing(which, x).expect("begun");
                let parts = loop {
                    if let Some(all) = stem.narrow(&mut open).expect("step") {
                        break all;
                    }
                };
                let off =
                    (whole.expect("whole") - parts).and_then(|d| d.abs()?.flatten_all()?.max(0)?.to_scalar::<f32>());
                assert!(off.expect("the same shape") < 1e-5);
            }
        }
    }
}
