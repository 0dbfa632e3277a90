//! Log-mel frames to hidden states of 20 ms each, for as many frames as the utterance has.

use super::config::Config;
use super::decoder::BIAS;
use crate::model::asr::encode::{Climb, Layer, Layers};
use crate::model::asr::layers::{Attention, Buffers, Desk, Feed, Linear, Loaded, Norm, product};
use crate::model::asr::weights::Weights;
use crate::model::kernels::{Dense, Heads, add, gelu};

pub(super) struct Encoder {
    /// In f32: a fortieth of the work.
    first: (Dense, Vec<f32>),
    second: Linear,
    /// `[positions, width]`.
    positions: Vec<f32>,
    layers: Layers,
}

/// Frames that the second convolution goes on by.
const STRIDE: usize = 2;

impl Encoder {
    pub(super) fn load(w: &mut Weights, c: &Config) -> Loaded<Self> {
        let (d, mels, n) = (c.d_model, c.num_mel_bins, c.encoder_attention_heads);
        let first = w.take_convolution("model.encoder.conv1", [d, mels, 3])?;
        let first = Dense::new((d, 3 * mels), &first).ok_or_else(|| w.unfit("conv1", "it is empty"))?;
        let first = (first, w.take("model.encoder.conv1.bias", &[d])?);
        let second = Linear::convolution(w, "model.encoder.conv2", [d, d, 3])?;
        let positions = w.take("model.encoder.embed_positions.weight", &[c.max_source_positions, d])?;
        let layers = (0..c.encoder_layers).map(|i| layer(w, c, i)).collect::<Loaded<_>>()?;
        let norm = Norm::load(w, "model.encoder.layer_norm", d, true)?;
        let layers = Layers::new(Heads { heads: n, shared: n, width: d / n }, layers, norm, None);
        Ok(Self { first, second, positions, layers })
    }

    /// One step of what [`Encoding::new`] began; `[frames / 2, width]` when it was the last one.
    pub(super) fn step(&self, encoding: &mut Encoding, desk: &mut Desk) -> Option<Vec<f32>> {
        let next = match &mut encoding.0 {
            Part::Mel(mel) => Part::Wide(self.widen(mel, desk)),
            Part::Wide(x) => Part::Layers(self.layers.begin(self.narrow(x, desk))),
            Part::Layers(climb) => return self.layers.step(climb, desk),
        };
        encoding.0 = next;
        None
    }

    /// The first convolution: `[frames, width]`, a silent frame before them and one behind.
    fn widen(&self, mel: &[f32], desk: &mut Desk) -> Vec<f32> {
        let ((conv, bias), mut p) = (&self.first, desk.open().0);
        let (mels, width) = (conv.inputs() / 3, conv.outputs());
        let mut out = vec![0.0; mel.len() / mels * width];
        let inner = width..out.len() - width;
        conv.apply(&mut p, mel, mels, &mut out[inner.clone()]);
        out[inner.clone()].chunks_exact_mut(width).for_each(|state| add(state, bias));
        gelu(p.level, &mut out[inner]);
        out
    }

    /// The second convolution, and the positions.
    fn narrow(&self, x: &[f32], desk: &mut Desk) -> Vec<f32> {
        let (conv, width) = (&self.second, self.second.outputs());
        let (mut p, Buffers { rounded, .. }) = desk.open();
        let time = (x.len() - conv.inputs()) / (STRIDE * width) + 1;
        rounded.fill(&mut p, (time, conv.inputs()), |t, window| {
            window.copy_from_slice(&x[t * STRIDE * width..][..conv.inputs()]);
        });
        let mut out = Vec::new();
        product(&mut p, &[conv.side()], rounded, &mut out);
        gelu(p.level, &mut out);
        add(&mut out, &self.positions);
        out
    }
}

fn layer(w: &mut Weights, c: &Config, i: usize) -> Loaded<Layer> {
    let (d, inner, name) = (c.d_model, c.encoder_ffn_dim, format!("model.encoder.layers.{i}"));
    let norm = |w: &mut Weights, n: &str| Norm::load(w, &format!("{name}.{n}"), d, true);
    let first = norm(w, "self_attn_layer_norm")?;
    let up = Linear::load(w, &format!("{name}.fc1"), (d, inner), true)?;
    let down = Linear::load(w, &format!("{name}.fc2"), (inner, d), true)?;
    let feed = Feed::smooth(norm(w, "final_layer_norm")?, up, down);
    let attention = Attention::load(w, (&format!("{name}.self_attn"), "out_proj", d), BIAS, first)?;
    Ok(Layer { attention, feed })
}

/// How far the encoder is with an utterance.
pub(super) struct Encoding(Part);

enum Part {
    /// As [`super::mel::Mel`] makes them.
    Mel(Vec<f32>),
    /// After the first convolution.
    Wide(Vec<f32>),
    /// In its layers.
    Layers(Climb),
}

impl Encoding {
    /// `[frames, mels]`, an even number of frames, and a silent one before and behind them.
    pub(super) const fn new(mel: Vec<f32>) -> Self {
        Self(Part::Mel(mel))
    }
}
