//! Sound to hidden states: three convolutions that keep one state for every 24 ms, then transformer layers.

use super::config::Config;
use super::rotary;
use crate::model::asr::encode::{Climb, Layer, Layers, WINDOW};
use crate::model::asr::layers::{Attention, Buffers, Desk, Feed, Linear, Loaded, Norm, product};
use crate::model::asr::weights::Weights;
use crate::model::kernels::{Dense, Heads, Product, gelu, tanh};

/// Samples that give the first hidden state: the reach of the three convolutions.
pub(super) const REACH_SAMPLES: usize = 127 + 64 * (6 + 3 * 2);
/// Samples between hidden states: 24 ms.
pub(super) const HOP_SAMPLES: usize = 64 * 3 * 2;

pub(super) struct Encoder {
    stem: Stem,
    layers: Layers,
}

impl Encoder {
    pub(super) fn load(w: &mut Weights, c: &Config, max_samples: usize) -> Loaded<Self> {
        let (h, n) = (c.hidden_size, c.encoder_num_attention_heads);
        let stem = Stem::load(w, h)?;
        let layers = (0..c.encoder_num_hidden_layers).map(|i| layer(w, c, i)).collect::<Loaded<_>>()?;
        let norm = Norm::load(w, "model.encoder.layer_norm", h, false)?;
        let turns = rotary::turns(c, n, max_samples / HOP_SAMPLES + 1);
        let layers = Layers::new(Heads { heads: n, shared: n, width: h / n }, layers, norm, Some(turns));
        Ok(Self { stem, layers })
    }

    /// One step of what [`Encoding::new`] began; `[time, hidden]` when it was the last one.
    pub(super) fn step(&self, encoding: &mut Encoding, desk: &mut Desk) -> Option<Vec<f32>> {
        let next = match &mut encoding.0 {
            Part::Sound(samples, out) => {
                if !self.stem.first(samples, out, &mut desk.open().0) {
                    return None;
                }
                Part::Wave(std::mem::take(out))
            }
            Part::Wave(x) => {
                self.stem.normalise(x);
                Part::Narrowing(Narrowing { which: 0, x: std::mem::take(x), out: Vec::new() })
            }
            Part::Narrowing(open) => {
                if !self.stem.narrow(open, desk) {
                    return None;
                }
                let out = std::mem::take(&mut open.out);
                match open.which {
                    0 => Part::Narrowing(Narrowing { which: 1, x: out, out: Vec::new() }),
                    _ => Part::Layers(self.layers.begin(out)),
                }
            }
            Part::Layers(climb) => return self.layers.step(climb, desk),
        };
        encoding.0 = next;
        None
    }
}

fn layer(w: &mut Weights, c: &Config, i: usize) -> Loaded<Layer> {
    let (h, inner, name) = (c.hidden_size, c.intermediate_size, format!("model.encoder.layers.{i}"));
    let norm = |w: &mut Weights, n: &str| Norm::load(w, &format!("{name}.{n}"), h, false);
    let first = norm(w, "input_layernorm")?;
    let up = Linear::load(w, &format!("{name}.mlp.fc1"), (h, inner), true)?;
    let down = Linear::load(w, &format!("{name}.mlp.fc2"), (inner, h), true)?;
    let feed = Feed::smooth(norm(w, "post_attention_layernorm")?, up, down);
    let attention = Attention::load(w, (&format!("{name}.self_attn"), "o_proj", h), [false; 3], first)?;
    Ok(Layer { attention, feed })
}

/// How far the encoder is with an utterance.
pub(super) struct Encoding(Part);

enum Part {
    /// Samples, and what the first convolution has made of them, `[time, channels]`.
    Sound(Vec<f32>, Vec<f32>),
    /// After the first convolution, `[time, channels]`.
    Wave(Vec<f32>),
    /// In one of the others.
    Narrowing(Narrowing),
    /// In its layers.
    Layers(Climb),
}

impl Encoding {
    /// Of samples, at least [`REACH_SAMPLES`].
    pub(super) const fn new(samples: Vec<f32>) -> Self {
        Self(Part::Sound(samples, Vec::new()))
    }
}

/// A convolution in its midst.
struct Narrowing {
    which: usize,
    /// `[time, channels]`.
    x: Vec<f32>,
    /// What is done of it.
    out: Vec<f32>,
}

/// `conv(127, stride 64) · tanh · group norm · conv(7, 3) · gelu · conv(3, 2) · gelu`, channels last.
struct Stem {
    /// In f32: a fortieth of the work, and samples span more than 8 bits do.
    first: Dense,
    norm_weight: Vec<f32>,
    norm_bias: Vec<f32>,
    /// The second and the third.
    convs: [Linear; 2],
}

impl Stem {
    const EPS: f64 = 1e-5;
    /// Windows of the first convolution in one step: 6 s.
    const AT_ONCE: usize = 1_536;
    /// Samples between windows of the first.
    const HOP: usize = 64;
    /// Of the second and the third convolution.
    const STRIDES: [usize; 2] = [3, 2];

    fn load(w: &mut Weights, h: usize) -> Loaded<Self> {
        let name = |n: &str| format!("model.encoder.{n}");
        let first = w.take(&name("conv1.weight"), &[h, 1, 127])?;
        let first = Dense::new((h, 127), &first).ok_or_else(|| w.unfit("conv1", "it is empty"))?;
        let norm_weight = w.take(&name("groupnorm.weight"), &[h])?;
        let norm_bias = w.take(&name("groupnorm.bias"), &[h])?;
        let second = Linear::convolution(w, &name("conv2"), [2 * h, h, 7])?;
        let third = Linear::convolution(w, &name("conv3"), [h, 2 * h, 3])?;
        Ok(Self { first, norm_weight, norm_bias, convs: [second, third] })
    }

    /// Some windows of the first convolution, and tanh. True when they were the last.
    fn first(&self, samples: &[f32], out: &mut Vec<f32>, p: &mut Product<'_>) -> bool {
        let (channels, windows) = (self.first.outputs(), (samples.len() - self.first.inputs()) / Self::HOP + 1);
        let from = out.len() / channels;
        let some = Self::AT_ONCE.min(windows - from);
        out.reserve_exact((windows - from) * channels);
        out.resize((from + some) * channels, 0.0);
        let made = &mut out[from * channels..];
        self.first.apply(p, &samples[from * Self::HOP..], Self::HOP, made);
        tanh(p.level, made);
        from + some == windows
    }

    /// Group norm. One group: mean and variance over channels and time together.
    fn normalise(&self, x: &mut [f32]) {
        let channels = self.norm_weight.len();
        let sum = |x: &[f32], of: fn(f32, f32) -> f32, mean: f32| {
            x.chunks(channels).map(|x| f64::from(x.iter().map(|v| of(*v, mean)).sum::<f32>())).sum::<f64>()
        };
        let mean = (sum(x, |v, _| v, 0.0) / x.len() as f64) as f32;
        let variance = sum(x, |v, mean| (v - mean) * (v - mean), mean) / x.len() as f64;
        let scale = 1.0 / (variance + Self::EPS).sqrt() as f32;
        for x in x.chunks_exact_mut(channels) {
            for ((x, w), b) in x.iter_mut().zip(&self.norm_weight).zip(&self.norm_bias) {
                *x = (*x - mean) * scale * w + b;
            }
        }
    }

    /// A window of the second convolution or the third. True when it was the last.
    fn narrow(&self, open: &mut Narrowing, desk: &mut Desk) -> bool {
        let (conv, stride) = (&self.convs[open.which], Self::STRIDES[open.which]);
        let channels = self.convs[1 - open.which].outputs();
        let (mut p, Buffers { rounded, more, .. }) = desk.open();
        let time = (open.x.len() - conv.inputs()) / (stride * channels) + 1;
        let from = open.out.len() / conv.outputs();
        let rows = WINDOW.min(time - from);
        rounded.fill(&mut p, (rows, conv.inputs()), |t, window| {
            window.copy_from_slice(&open.x[(from + t) * stride * channels..][..conv.inputs()]);
        });
        product(&mut p, &[conv.side()], rounded, more);
        gelu(p.level, more);
        open.out.extend_from_slice(more);
        from + rows == time
    }
}
