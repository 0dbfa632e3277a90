//! The transformer on the processor: the kernels of `model/kernels` in the order of a layer. Nothing is allocated per token.
//!
//! Source and arithmetic: as `transformer.rs`, which runs the same weights on other devices and which tests compare this with.

use std::sync::Arc;

use candle_core::Device;

use super::LlmError;
use super::gguf::{Family, GgufFile, Shape};
use super::head::Head;
use super::packing::{Held, pack};
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
    pub(super) head: Head,
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

impl Buffers {
    /// Makes them as long as `m` tokens.
    fn fit(&mut self, m: usize, s: &Shape, heads: Heads) {
        self.x.resize(m * s.width, 0.0);
        self.y.resize(m * s.width, 0.0);
        self.qkv.resize(m * heads.row(), 0.0);
        self.mixed.resize(m * s.queries(), 0.0);
        self.hidden.resize(m * s.feed_forward, 0.0);
    }

    /// Keeps of all tokens those after which logits are wanted, side by side. Returns how many those are.
    fn keep_wanted(&mut self, parts: &[Part<'_, Cache>], s: &Shape, heads: Heads) -> usize {
        let (mut end, mut wanted) = (0, 0);
        for part in parts {
            end += part.tokens.len();
            for (rows, row) in [(&mut self.x, s.width), (&mut self.qkv, heads.row())] {
                rows.copy_within((end - part.logits) * row..end * row, wanted * row);
            }
            wanted += part.logits;
        }
        self.fit(wanted, s, heads);
        wanted
    }
}

/// Keys and values of one conversation.
pub(super) struct Cache {
    layers: Vec<KeyValues>,
    len: usize,
    capacity: usize,
    paused: Option<Paused>,
}

/// A step that was broken off before layer `layer`. The layers below hold the keys and values of its tokens already, behind those that count.
struct Paused {
    tokens: Vec<u32>,
    layer: usize,
    /// `[tokens, width]` each: what runs through the layers, and what is to be added to it.
    x: Vec<f32>,
    y: Vec<f32>,
}

/// Tokens of one conversation, as a part of a step.
pub(super) struct Part<'a, C> {
    /// Its keys and values.
    pub(super) cache: &'a mut C,
    pub(super) tokens: &'a [u32],
    /// After how many of the last of them the logits are wanted.
    pub(super) logits: usize,
}

impl Cache {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    pub(super) fn truncate(&mut self, tokens: usize) {
        if tokens < self.len {
            (self.len, self.paused) = (tokens, None);
        }
    }

    /// Becomes the first `tokens` of `source`.
    pub(super) fn copy_from(&mut self, source: &Self, tokens: usize) {
        self.layers.iter_mut().zip(&source.layers).for_each(|(to, from)| to.copy_from(from, tokens));
        (self.len, self.paused) = (tokens, None);
    }
}

impl Decoder {
    /// Reads all weights, to be multiplied by the kernels of `level` on so many threads.
    pub(super) fn load(
        file: &mut GgufFile,
        shape: Shape,
        held: Held,
        (level, threads): (Level, usize),
    ) -> Result<Self, LlmError> {
        let team = Team::new(threads).map_err(|e| LlmError::Threads(e.to_string()))?;
        let heads = Heads { heads: shape.heads, shared: shape.kv_heads, width: shape.head_width };
        let mut weights = Weights { file, held };
        let embedding = Arc::new(weights.matrix("token_embd.weight", shape.vocabulary, shape.width)?);
        let layers = (0..shape.layers).map(|i| weights.layer(i, &shape)).collect::<Result<_, _>>()?;
        let final_norm = weights.vector("output_norm.weight", shape.width)?;
        // Models that tie their head to the embedding have no "output.weight".
        let head = if weights.file.has("output.weight") {
            Arc::new(weights.matrix("output.weight", shape.vocabulary, shape.width)?)
        } else {
            Arc::clone(&embedding)
        };
        let head = Head::new(head, &embedding);
        let rounded = if held == Held::Sixteen { Activations::whole() } else { Activations::default() };
        let (buffers, brake) = (Buffers { rounded, ..Buffers::default() }, Brake::default());
        Ok(Self { shape, heads, embedding, layers, final_norm, head, level, team, buffers, brake })
    }

    pub(super) fn shape(&self) -> &Shape {
        &self.shape
    }

    pub(super) fn new_cache(&self, capacity: usize) -> Cache {
        let layers = (0..self.shape.layers).map(|_| KeyValues::new(self.heads, capacity)).collect();
        Cache { layers, len: 0, capacity, paused: None }
    }

    /// Runs the tokens of several conversations, of each at least one and fitting its cache. Returns the logits that each wants, `[logits, vocabulary]`. After an error the caches hold what they held before; a step that was broken off goes on where it was, when it is taken anew.
    pub(super) fn forward(&mut self, parts: &mut [Part<'_, Cache>]) -> Result<Vec<Vec<f32>>, ModelError> {
        let from = self.begin(parts)?;
        let Self { shape, heads, layers, level, team, buffers: b, brake, .. } = self;
        let (eps, pairs, turned) = (shape.norm_eps, shape.family == Family::Llama, heads.heads + heads.shared);
        let mut p = Product { level: *level, team };
        for (i, layer) in layers.iter().enumerate().skip(from) {
            // One layer at least: however often it is broken off, it ends.
            if i > from && brake.is_pulled() {
                pause(parts, i, shape.width, b);
                return Err(ModelError::BrokenOff);
            }
            // What the layer before found is added where it is needed first.
            b.rounded.norm(&mut p, &mut b.x, (i > 0).then_some(&b.y), &layer.attention_norm, eps);
            multiply(&mut p, &layer.sides(), &b.rounded, &mut b.qkv);
            turn(&mut p, &mut b.qkv, (heads.row(), turned), &b.turns, pairs);
            let mut rows = b.qkv.as_slice();
            for Part { cache, tokens, .. } in &mut *parts {
                let own = rows.split_off(..tokens.len() * heads.row()).unwrap_or_default();
                cache.layers[i].write(cache.len, own);
            }
            // Nobody looks back at what the last layer makes of a token.
            let last = i + 1 == shape.layers;
            if last && b.keep_wanted(parts, shape, *heads) == 0 {
                break;
            }
            let (mut rows, mut mixed) = (b.qkv.as_slice(), b.mixed.as_mut_slice());
            for Part { cache, tokens, logits } in &*parts {
                let n = if last { *logits } else { tokens.len() };
                let own = rows.split_off(..n * heads.row()).unwrap_or_default();
                let to = mixed.split_off_mut(..n * shape.queries()).unwrap_or_default();
                cache.layers[i].attend(&mut p, cache.len + tokens.len() - n, own, to);
            }
            b.rounded.round(&mut p, &b.mixed, shape.queries());
            multiply(&mut p, &[(&layer.output, None)], &b.rounded, &mut b.y);
            b.rounded.norm(&mut p, &mut b.x, Some(&b.y), &layer.feed_norm, eps);
            gated(&mut p, (&layer.gate, &layer.up), &b.rounded, &mut b.hidden);
            b.rounded.round(&mut p, &b.hidden, shape.feed_forward);
            multiply(&mut p, &[(&layer.down, None)], &b.rounded, &mut b.y);
        }
        Ok(self.logits(parts))
    }

    /// Notes that the caches hold the tokens, and computes what predicts the next ones, where it is wanted.
    fn logits(&mut self, parts: &mut [Part<'_, Cache>]) -> Vec<Vec<f32>> {
        let Self { shape, level, team, head, buffers: b, .. } = self;
        parts.iter_mut().for_each(|part| part.cache.len += part.tokens.len());
        let mut all = Vec::new();
        // The last layer left the tokens that are wanted.
        if !b.x.is_empty() {
            let mut p = Product { level: *level, team };
            b.rounded.norm(&mut p, &mut b.x, Some(&b.y), &self.final_norm, shape.norm_eps);
            all = head.scores(&mut p, &b.rounded);
        }
        if let [_] = parts {
            return vec![all];
        }
        let mut rows = all.as_slice();
        let mut own = |part: &Part<'_, Cache>| rows.split_off(..part.logits * shape.vocabulary).map(<[f32]>::to_vec);
        parts.iter().map(|part| own(part).unwrap_or_default()).collect()
    }

    /// Fits the buffers to the tokens, looks up their embeddings, or what a step that was broken off had made of them, and the turns of their positions. Returns the
    /// first layer that is left to do.
    fn begin(&mut self, parts: &mut [Part<'_, Cache>]) -> Result<usize, ModelError> {
        let (s, b) = (&self.shape, &mut self.buffers);
        let paused: Vec<Option<Paused>> = parts.iter_mut().map(|part| part.cache.paused.take()).collect();
        let tokens = || parts.iter().flat_map(|part| part.tokens);
        if let Some(bad) = tokens().find(|t| **t as usize >= s.vocabulary) {
            return Err(ModelError::Device(format!("token {bad} of a vocabulary of {}", s.vocabulary)));
        }
        b.fit(tokens().count(), s, self.heads);
        let from = common_layer(parts, &paused);
        if from == 0 {
            for (token, x) in tokens().zip(b.x.chunks_exact_mut(s.width)) {
                self.embedding.row(*token as usize, x);
            }
        } else {
            let mut end = 0;
            for paused in paused.iter().flatten() {
                let rows = end..end + paused.x.len();
                b.x[rows.clone()].copy_from_slice(&paused.x);
                b.y[rows.clone()].copy_from_slice(&paused.y);
                end = rows.end;
            }
        }
        let half = s.head_width / 2;
        b.turns.clear();
        for part in parts {
            b.turns.extend((0..part.tokens.len() * half).map(|i| {
                let slow = f64::from(s.rope_base).powf((i % half) as f64 / half as f64);
                let (sin, cos) = ((part.cache.len + i / half) as f64 / slow).sin_cos();
                (cos as f32, sin as f32)
            }));
        }
        Ok(from)
    }
}

/// The layer before which all parts were broken off, each with the same tokens as now; the first where they were not.
fn common_layer(parts: &[Part<'_, Cache>], paused: &[Option<Paused>]) -> usize {
    let layer = |(part, paused): (&Part<'_, Cache>, &Option<Paused>)| {
        paused.as_ref().filter(|paused| paused.tokens == part.tokens).map_or(0, |paused| paused.layer)
    };
    let mut layers = parts.iter().zip(paused).map(layer);
    let first = layers.next().unwrap_or(0);
    if layers.all(|layer| layer == first) { first } else { 0 }
}

/// Notes for each part what was made of it up to layer `layer`.
fn pause(parts: &mut [Part<'_, Cache>], layer: usize, width: usize, b: &Buffers) {
    let (mut x, mut y) = (b.x.as_slice(), b.y.as_slice());
    for Part { cache, tokens, .. } in parts {
        let of = |all: &mut &[f32]| all.split_off(..tokens.len() * width).unwrap_or_default().to_vec();
        cache.paused = Some(Paused { tokens: tokens.to_vec(), layer, x: of(&mut x), y: of(&mut y) });
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
    held: Held,
}

impl Weights<'_> {
    fn matrix(&mut self, name: &str, rows: usize, columns: usize) -> Result<Packed, LlmError> {
        let read = self.file.tensor(name, &[rows, columns], &Device::Cpu)?;
        pack(&read, self.held).map_err(|e| self.file.corrupt(format!("tensor {name:?}: {e}")))
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
