//! The transformer on the processor: the kernels of `model/kernels` in the order of a layer. Nothing is allocated per token.
//!
//! Source and arithmetic: as `transformer.rs`, which runs the same weights on other devices and which tests compare this with.

use std::sync::Arc;

use candle_core::Device;

use super::LlmError;
use super::gguf::{Family, GgufFile, Shape};
use super::packing::pack;
use crate::base::Brake;
use crate::model::ModelError;
use crate::model::kernels::{Activations, Heads, KeyValues, Level, Packed, Product, Side, Team, gated, multiply, turn};

struct Layer {
    attention_norm: Vec<f32>,
    query: Biased,
    key: Biased,
    value: Biased,
    output: Packed,
    feed_norm: Vec<f32>,
    gate: Packed,
    up: Packed,
    down: Packed,
}

/// A matrix with its bias, if the family has one.
struct Biased(Packed, Option<Vec<f32>>);

/// The network and what it computes with.
pub(super) struct Decoder {
    shape: Shape,
    heads: Heads,
    embedding: Arc<Packed>,
    layers: Vec<Layer>,
    final_norm: Vec<f32>,
    head: Arc<Packed>,
    level: Level,
    team: Team,
    buffers: Buffers,
    /// Ends a step between two layers.
    pub(super) brake: Brake,
}

/// Grow to the longest chunk of tokens, then stay.
#[derive(Default)]
struct Buffers {
    /// `[tokens, width]`: what runs through the layers, and what is added to it.
    x: Vec<f32>,
    y: Vec<f32>,
    /// `[tokens, queries and keys and values]`.
    qkv: Vec<f32>,
    /// `[tokens, queries]`: what attention found.
    mixed: Vec<f32>,
    /// `[tokens, feed_forward]`.
    hidden: Vec<f32>,
    rounded: Activations,
    /// Cosines and sines, `[tokens, head_width / 2]`.
    turns: Vec<(f32, f32)>,
}

/// Keys and values of one conversation.
pub(super) struct Cache {
    layers: Vec<KeyValues>,
    len: usize,
    capacity: usize,
}

impl Cache {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    pub(super) fn truncate(&mut self, tokens: usize) {
        self.len = self.len.min(tokens);
    }

    /// Becomes the first `tokens` of `source`.
    pub(super) fn copy_from(&mut self, source: &Self, tokens: usize) {
        self.layers.iter_mut().zip(&source.layers).for_each(|(to, from)| to.copy_from(from, tokens));
        self.len = tokens;
    }
}

impl Decoder {
    /// Reads all weights.
    pub(super) fn load(file: &mut GgufFile, shape: Shape, level: Level, threads: usize) -> Result<Self, LlmError> {
        let team = Team::new(threads).map_err(|e| LlmError::Threads(e.to_string()))?;
        let heads = Heads { heads: shape.heads, shared: shape.kv_heads, width: shape.head_width };
        let mut weights = Weights { file };
        let embedding = Arc::new(weights.matrix("token_embd.weight", shape.vocabulary, shape.width)?);
        let layers = (0..shape.layers).map(|i| weights.layer(i, &shape)).collect::<Result<_, _>>()?;
        let final_norm = weights.vector("output_norm.weight", shape.width)?;
        // Models that tie their head to the embedding have no "output.weight".
        let head = if weights.file.has("output.weight") {
            Arc::new(weights.matrix("output.weight", shape.vocabulary, shape.width)?)
        } else {
            Arc::clone(&embedding)
        };
        let (buffers, brake) = (Buffers::default(), Brake::default());
        Ok(Self { shape, heads, embedding, layers, final_norm, head, level, team, buffers, brake })
    }

    pub(super) fn shape(&self) -> &Shape {
        &self.shape
    }

    pub(super) fn new_cache(&self, capacity: usize) -> Cache {
        let layers = (0..self.shape.layers).map(|_| KeyValues::new(self.heads, capacity)).collect();
        Cache { layers, len: 0, capacity }
    }

    /// Runs `tokens` (at least one, fitting the cache). Returns the logits after the last one when asked. After an error the cache holds what it held before.
    pub(super) fn forward(
        &mut self,
        cache: &mut Cache,
        tokens: &[u32],
        want_logits: bool,
    ) -> Result<Option<Vec<f32>>, ModelError> {
        self.begin(cache.len, tokens)?;
        let Self { shape, heads, layers, level, team, buffers: b, brake, .. } = self;
        let (eps, pairs, turned) = (shape.norm_eps, shape.family == Family::Llama, heads.heads + heads.shared);
        let mut p = Product { level: *level, team };
        for (i, (layer, kv)) in layers.iter().zip(&mut cache.layers).enumerate() {
            if brake.is_pulled() {
                return Err(ModelError::BrokenOff);
            }
            // What the layer before found is added where it is needed first.
            b.rounded.norm(&mut p, &mut b.x, (i > 0).then_some(&b.y), &layer.attention_norm, eps);
            multiply(&mut p, &layer.sides(), &b.rounded, &mut b.qkv);
            turn(&mut p, &mut b.qkv, (heads.row(), turned), &b.turns, pairs);
            kv.write(cache.len, &b.qkv);
            kv.attend(&mut p, cache.len, &b.qkv, &mut b.mixed);
            b.rounded.round(&mut p, &b.mixed, shape.queries());
            multiply(&mut p, &[(&layer.output, None)], &b.rounded, &mut b.y);
            b.rounded.norm(&mut p, &mut b.x, Some(&b.y), &layer.feed_norm, eps);
            gated(&mut p, (&layer.gate, &layer.up), &b.rounded, &mut b.hidden);
            b.rounded.round(&mut p, &b.hidden, shape.feed_forward);
            multiply(&mut p, &[(&layer.down, None)], &b.rounded, &mut b.y);
        }
        cache.len += tokens.len();
        if !want_logits {
            return Ok(None);
        }
        let last = b.x.len() - shape.width..;
        b.rounded.norm(&mut p, &mut b.x[last.clone()], Some(&b.y[last]), &self.final_norm, eps);
        let mut logits = vec![0.0; shape.vocabulary];
        multiply(&mut p, &[(&self.head, None)], &b.rounded, &mut logits);
        Ok(Some(logits))
    }

    /// Fits the buffers to the tokens, looks up their embeddings and the turns of their positions.
    fn begin(&mut self, before: usize, tokens: &[u32]) -> Result<(), ModelError> {
        let (s, b, m) = (&self.shape, &mut self.buffers, tokens.len());
        if let Some(bad) = tokens.iter().find(|t| **t as usize >= s.vocabulary) {
            return Err(ModelError::Device(format!("token {bad} of a vocabulary of {}", s.vocabulary)));
        }
        b.x.resize(m * s.width, 0.0);
        b.y.resize(m * s.width, 0.0);
        b.qkv.resize(m * self.heads.row(), 0.0);
        b.mixed.resize(m * s.queries(), 0.0);
        b.hidden.resize(m * s.feed_forward, 0.0);
        for (token, x) in tokens.iter().zip(b.x.chunks_exact_mut(s.width)) {
            self.embedding.row(*token as usize, x);
        }
        let half = s.head_width / 2;
        b.turns.clear();
        b.turns.extend((0..m * half).map(|i| {
            let slow = f64::from(s.rope_base).powf((i % half) as f64 / half as f64);
            let (sin, cos) = ((before + i / half) as f64 / slow).sin_cos();
            (cos as f32, sin as f32)
        }));
        Ok(())
    }
}

impl Layer {
    fn sides(&self) -> [Side<'_>; 3] {
        [&self.query, &self.key, &self.value].map(|Biased(matrix, bias)| (matrix, bias.as_deref()))
    }
}

/// Reads weights by name.
struct Weights<'a> {
    file: &'a mut GgufFile,
}

impl Weights<'_> {
    fn matrix(&mut self, name: &str, rows: usize, columns: usize) -> Result<Packed, LlmError> {
        let read = self.file.tensor(name, &[rows, columns], &Device::Cpu)?;
        pack(&read).map_err(|e| self.file.corrupt(format!("tensor {name:?}: {e}")))
    }

    fn vector(&mut self, name: &str, n: usize) -> Result<Vec<f32>, LlmError> {
        self.file
            .floats(name, &[n], &Device::Cpu)?
            .to_vec1()
            .map_err(|e| self.file.corrupt(format!("tensor {name:?}: {e}")))
    }

    fn layer(&mut self, i: usize, s: &Shape) -> Result<Layer, LlmError> {
        let kv = s.kv_heads * s.head_width;
        let mut side = |part: &str, rows: usize| {
            let matrix = self.matrix(&format!("blk.{i}.{part}.weight"), rows, s.width)?;
            let bias = (s.family == Family::Qwen2).then(|| self.vector(&format!("blk.{i}.{part}.bias"), rows));
            Ok::<_, LlmError>(Biased(matrix, bias.transpose()?))
        };
        let (query, key, value) = (side("attn_q", s.queries())?, side("attn_k", kv)?, side("attn_v", kv)?);
        let name = |part: &str| format!("blk.{i}.{part}.weight");
        Ok(Layer {
            attention_norm: self.vector(&name("attn_norm"), s.width)?,
            query,
            key,
            value,
            output: self.matrix(&name("attn_output"), s.width, s.queries())?,
            feed_norm: self.vector(&name("ffn_norm"), s.width)?,
            gate: self.matrix(&name("ffn_gate"), s.feed_forward, s.width)?,
            up: self.matrix(&name("ffn_up"), s.feed_forward, s.width)?,
            down: self.matrix(&name("ffn_down"), s.width, s.feed_forward)?,
        })
    }
}
