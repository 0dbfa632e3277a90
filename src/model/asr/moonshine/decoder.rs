//! Hidden states to tokens: one token at a time, with what was computed for earlier ones kept.

use candle_core::{D, Device, Result, Tensor};

use super::config::Config;
use super::rotary::Rotary;
use crate::model::asr::layers::{KeyValue, LayerNorm, Linear, Loaded, Precision, attend, split_heads};
use crate::model::asr::weights::Weights;

pub(super) struct Decoder {
    /// `(vocabulary, hidden)`, for looking up.
    embedding: Tensor,
    /// The same matrix, for scoring.
    head: Linear,
    layers: Vec<Layer>,
    norm: LayerNorm,
    rotary: Rotary,
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
        let embedding = w.take("model.decoder.embed_tokens.weight", &[c.vocab_size, c.hidden_size])?;
        let head = Linear::new(embedding.clone(), None, p).map_err(|e| w.bad("embed_tokens", &e))?;
        let layers: Loaded<Vec<_>> = (0..c.decoder_num_hidden_layers).map(|i| Layer::load(w, c, i, p)).collect();
        let layers = layers?;
        let norm = LayerNorm::load(w, "model.decoder.norm", c.hidden_size, false)?;
        let rotary = Rotary::new(c, c.decoder_num_attention_heads, c.max_position_embeddings)
            .map_err(|e| w.bad("rotary", &e))?;
        Ok(Self { embedding, head, layers, norm, rotary })
    }

    /// How many tokens one utterance may take.
    pub(super) fn max_tokens(&self) -> usize {
        self.rotary.positions()
    }

    /// Begins an utterance: keys and values of the sound `(time, hidden)` are computed once for every layer, those of one in each call. True with the last.
    pub(super) fn listen(&self, sound: &Tensor, state: &mut DecoderState) -> Result<bool> {
        if let Some(layer) = self.layers.get(state.layers.len()) {
            state.layers.push(LayerState { own: None, sound: layer.cross.listen(sound)? });
        }
        Ok(state.layers.len() == self.layers.len())
    }

    /// Scores of the token after `token`: `vocabulary` values.
    pub(super) fn step(&self, token: u32, state: &mut DecoderState) -> Result<Vec<f32>> {
        let mut x = self.embedding.index_select(&Tensor::new(&[token], &Device::Cpu)?, 0)?;
        for (layer, kept) in self.layers.iter().zip(&mut state.layers) {
            x = layer.forward(&x, &self.rotary, state.position, kept)?;
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
        let (h, name) = (c.hidden_size, format!("model.decoder.layers.{i}"));
        let heads = c.decoder_num_attention_heads;
        let norm = |w: &mut Weights, n: &str| LayerNorm::load(w, &format!("{name}.{n}"), h, false);
        Ok(Self {
            norm1: norm(w, "input_layernorm")?,
            own: SelfAttention::load(w, &format!("{name}.self_attn"), (h, heads), p)?,
            norm2: norm(w, "post_attention_layernorm")?,
            cross: CrossAttention::load(w, &format!("{name}.encoder_attn"), (h, heads), p)?,
            norm3: norm(w, "final_layernorm")?,
            up: Linear::load(w, &format!("{name}.mlp.fc1"), (h, 2 * c.intermediate_size), true, p)?,
            down: Linear::load(w, &format!("{name}.mlp.fc2"), (c.intermediate_size, h), true, p)?,
        })
    }

    /// `(1, hidden)` to `(1, hidden)`.
    fn forward(&self, x: &Tensor, rotary: &Rotary, position: usize, kept: &mut LayerState) -> Result<Tensor> {
        let x = (x + self.own.forward(&self.norm1.forward(x)?, rotary, position, &mut kept.own)?)?;
        let x = (&x + self.cross.forward(&self.norm2.forward(&x)?, &kept.sound)?)?;
        let wide = self.up.forward(&self.norm3.forward(&x)?)?;
        let half = wide.dim(D::Minus1)? / 2;
        // SwiGLU with the gate in the second half.
        let inner = (wide.narrow(1, half, half)?.silu()? * wide.narrow(1, 0, half)?)?;
        x + self.down.forward(&inner)?
    }
}

struct SelfAttention {
    heads: usize,
    /// Queries (already scaled), keys and values in one product.
    qkv: Linear,
    out: Linear,
}

impl SelfAttention {
    fn load(w: &mut Weights, name: &str, (h, heads): (usize, usize), p: Precision) -> Loaded<Self> {
        let mut project = |n: &str| w.take(&format!("{name}.{n}_proj.weight"), &[h, h]);
        let (q, k, v) = (project("q")?, project("k")?, project("v")?);
        let fused = || Linear::new(Tensor::cat(&[&(&q * scale(h / heads))?, &k, &v], 0)?, None, p);
        let qkv = fused().map_err(|e| w.bad(name, &e))?;
        Ok(Self { heads, qkv, out: Linear::load(w, &format!("{name}.o_proj"), (h, h), false, p)? })
    }

    fn forward(&self, x: &Tensor, rotary: &Rotary, position: usize, kept: &mut Option<KeyValue>) -> Result<Tensor> {
        let h = x.dims()[1];
        let qkv = self.qkv.forward(x)?;
        let part = |i: usize| split_heads(&qkv.narrow(1, i * h, h)?, self.heads);
        let (q, k) = (rotary.apply(&part(0)?, position)?, rotary.apply(&part(1)?, position)?);
        let kv = KeyValue::append(kept, KeyValue::new(k, part(2)?))?;
        self.out.forward(&attend(&q, kv)?)
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
    fn load(w: &mut Weights, name: &str, (h, heads): (usize, usize), p: Precision) -> Loaded<Self> {
        let query = w.take(&format!("{name}.q_proj.weight"), &[h, h])?;
        let query = (query * scale(h / heads)).and_then(|q| Linear::new(q, None, p)).map_err(|e| w.bad(name, &e))?;
        // Keys and values are made for the whole utterance at once, which full precision does faster.
        let full = |w: &mut Weights, n: &str| Linear::load(w, &format!("{name}.{n}"), (h, h), false, Precision::Full);
        let (key, value) = (full(w, "k_proj")?, full(w, "v_proj")?);
        Ok(Self { heads, query, key, value, out: Linear::load(w, &format!("{name}.o_proj"), (h, h), false, p)? })
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

#[allow(clippy::cast_precision_loss, reason = "head widths are small")]
fn scale(head_width: usize) -> f64 {
    (head_width as f64).powf(-0.5)
}
