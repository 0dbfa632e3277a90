//! Hidden states to tokens: one token at a time, with what was computed for earlier ones kept.

use candle_core::{Device, Result, Tensor};

use super::config::Config;
use super::encoder::{SelfAttention, scale};
use crate::model::asr::layers::{KeyValue, LayerNorm, Linear, Loaded, Precision, attend, gelu, split_heads};
use crate::model::asr::weights::Weights;

pub(super) struct Decoder {
    /// `(vocabulary, width)`, for looking up.
    embedding: Tensor,
    /// The same matrix, for scoring.
    head: Linear,
    /// `(positions, width)`.
    positions: Tensor,
    layers: Vec<Layer>,
    norm: LayerNorm,
}

/// What one utterance's decoding has computed so far.
#[derive(Default)]
pub(super) struct DecoderState {
    layers: Vec<LayerState>,
    position: usize,
}

struct LayerState {
    own: Option<KeyValue>,
    sound: KeyValue,
}

impl Decoder {
    pub(super) fn load(w: &mut Weights, c: &Config, p: Precision) -> Loaded<Self> {
        let d = c.d_model;
        let embedding = w.take("model.decoder.embed_tokens.weight", &[c.vocab_size, d])?;
        let head = Linear::new(embedding.clone(), None, p).map_err(|e| w.bad("embed_tokens", &e))?;
        let positions = w.take("model.decoder.embed_positions.weight", &[c.max_target_positions, d])?;
        let layers: Loaded<Vec<_>> = (0..c.decoder_layers).map(|i| Layer::load(w, c, i, p)).collect();
        let layers = layers?;
        let norm = LayerNorm::load(w, "model.decoder.layer_norm", d, true)?;
        Ok(Self { embedding, head, positions, layers, norm })
    }

    /// Begins an utterance: keys and values of the sound `(time, width)` are computed once for every layer, those of one in each call. True with the last.
    pub(super) fn listen(&self, sound: &Tensor, state: &mut DecoderState) -> Result<bool> {
        if let Some(layer) = self.layers.get(state.layers.len()) {
            state.layers.push(LayerState { own: None, sound: layer.cross.listen(sound)? });
        }
        Ok(state.layers.len() == self.layers.len())
    }

    /// Scores of the token after `token`: `vocabulary` values.
    pub(super) fn step(&self, token: u32, state: &mut DecoderState) -> Result<Vec<f32>> {
        let x = self.embedding.index_select(&Tensor::new(&[token], &Device::Cpu)?, 0)?;
        let mut x = (x + self.positions.narrow(0, state.position, 1)?)?;
        for (layer, kept) in self.layers.iter().zip(&mut state.layers) {
            x = layer.forward(&x, kept)?;
        }
        state.position += 1;
        self.head.forward(&self.norm.forward(&x)?)?.flatten_all()?.to_vec1()
    }
}

struct Layer {
    norm1: LayerNorm,
    own: SelfAttention,
    norm2: LayerNorm,
    cross: CrossAttention,
    norm3: LayerNorm,
    up: Linear,
    down: Linear,
}

impl Layer {
    fn load(w: &mut Weights, c: &Config, i: usize, p: Precision) -> Loaded<Self> {
        let (d, name) = (c.d_model, format!("model.decoder.layers.{i}"));
        let (heads, inner) = (c.decoder_attention_heads, c.decoder_ffn_dim);
        let norm = |w: &mut Weights, n: &str| LayerNorm::load(w, &format!("{name}.{n}"), d, true);
        Ok(Self {
            norm1: norm(w, "self_attn_layer_norm")?,
            own: SelfAttention::load(w, &format!("{name}.self_attn"), (d, heads), p)?,
            norm2: norm(w, "encoder_attn_layer_norm")?,
            cross: CrossAttention::load(w, &format!("{name}.encoder_attn"), (d, heads), p)?,
            norm3: norm(w, "final_layer_norm")?,
            up: Linear::load(w, &format!("{name}.fc1"), (d, inner), true, p)?,
            down: Linear::load(w, &format!("{name}.fc2"), (inner, d), true, p)?,
        })
    }

    /// `(1, width)` to `(1, width)`.
    fn forward(&self, x: &Tensor, kept: &mut LayerState) -> Result<Tensor> {
        let (q, newest) = self.own.project(&self.norm1.forward(x)?)?;
        let x = (x + self.own.mix(&q, KeyValue::append(&mut kept.own, newest)?)?)?;
        let x = (&x + self.cross.forward(&self.norm2.forward(&x)?, &kept.sound)?)?;
        let inner = gelu(&self.up.forward(&self.norm3.forward(&x)?)?)?;
        &x + self.down.forward(&inner)?
    }
}

struct CrossAttention {
    heads: usize,
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
}

impl CrossAttention {
    fn load(w: &mut Weights, name: &str, (d, heads): (usize, usize), p: Precision) -> Loaded<Self> {
        let weight = w.take(&format!("{name}.q_proj.weight"), &[d, d])?;
        let bias = w.take(&format!("{name}.q_proj.bias"), &[d])?;
        let s = scale(d / heads);
        let query = (weight * s).and_then(|q| Linear::new(q, Some((bias * s)?), p)).map_err(|e| w.bad(name, &e))?;
        // Keys and values are made for the whole utterance at once, which full precision does faster.
        let key = Linear::load(w, &format!("{name}.k_proj"), (d, d), false, Precision::Full)?;
        let value = Linear::load(w, &format!("{name}.v_proj"), (d, d), true, Precision::Full)?;
        Ok(Self { heads, query, key, value, out: Linear::load(w, &format!("{name}.out_proj"), (d, d), true, p)? })
    }

    fn listen(&self, sound: &Tensor) -> Result<KeyValue> {
        let k = split_heads(&self.key.forward(sound)?, self.heads)?;
        Ok(KeyValue::new(k, split_heads(&self.value.forward(sound)?, self.heads)?))
    }

    fn forward(&self, x: &Tensor, sound: &KeyValue) -> Result<Tensor> {
        let q = split_heads(&self.query.forward(x)?, self.heads)?;
        self.out.forward(&attend(&q, sound)?)
    }
}
