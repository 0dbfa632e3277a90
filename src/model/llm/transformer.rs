//! The decoder-only transformer of Qwen2 and Llama through candle, for GPUs, with a KV cache that can be cut and copied.
//!
//! Source: "Qwen2 Technical Report" (arXiv:2407.10671) §2.2.1 and "Llama 2" (arXiv:2307.09288) §2.2: RMSNorm before each block, grouped-query
//! attention (arXiv:2305.13245), rotary positions (arXiv:2104.09864), SwiGLU. Differs from them in: nothing.
//! Shapes: `m` new tokens, `p` tokens before them, `l = p + m`; `h` heads, `g` kv heads, `w` values per head.

use candle_core::quantized::QTensor;
use candle_core::{D, DType, Device, Result, Tensor};
use candle_nn::ops::{rms_norm, softmax_last_dim};
use candle_nn::rotary_emb::{rope, rope_i};

use super::LlmError;
use super::decoder::Part;
use super::gguf::{Family, GgufFile, Shape};
use super::linear::Linear;

/// One layer of it.
pub(super) struct Layer {
    attention_norm: Tensor,
    qkv: Linear,
    output: Linear,
    feed_norm: Tensor,
    gate_up: Linear,
    down: Linear,
}

/// The network: weights only, no state.
pub(super) struct Transformer {
    shape: Shape,
    device: Device,
    embedding: QTensor,
    layers: Vec<Layer>,
    final_norm: Tensor,
    head: Linear,
}

/// Keys and values of one conversation, each `[g, capacity, w]` per layer, allocated once.
pub(super) struct KvCache {
    layers: Vec<Kept>,
    /// Rotary tables `[capacity, w / 2]`: cosines and sines.
    rope: (Tensor, Tensor),
    len: usize,
    capacity: usize,
}

impl KvCache {
    /// Empty.
    pub(super) fn new(s: &Shape, capacity: usize, device: &Device) -> Result<Self> {
        let zeros = || Tensor::zeros((s.kv_heads, capacity, s.head_width), DType::F32, device);
        let layers = (0..s.layers).map(|_| Ok((zeros()?, zeros()?))).collect::<Result<_>>()?;
        let half = s.head_width / 2;
        let angle = |i: usize| (i / half) as f32 / s.rope_base.powf((i % half) as f32 / half as f32);
        let table = |f: fn(f32) -> f32| {
            let values: Vec<f32> = (0..capacity * half).map(|i| f(angle(i))).collect();
            Tensor::from_vec(values, (capacity, half), device)
        };
        Ok(Self { layers, rope: (table(f32::cos)?, table(f32::sin)?), len: 0, capacity })
    }

    /// Where the next `m` tokens stand.
    pub(super) fn place(&self, m: usize) -> Result<Place> {
        let (p, l) = (self.len, self.len + m);
        let (cos, sin) = (self.rope.0.narrow(0, p, m)?, self.rope.1.narrow(0, p, m)?);
        let hidden = |i: usize| if i % l <= p + i / l { 0.0 } else { f32::NEG_INFINITY };
        let mask =
            (m > 1).then(|| Tensor::from_vec((0..m * l).map(hidden).collect::<Vec<f32>>(), (m, l), cos.device()));
        Ok(Place { before: p, new: m, mask: mask.transpose()?, cos, sin })
    }

    /// Keys and values of a layer.
    pub(super) fn of(&self, layer: usize) -> &Kept {
        &self.layers[layer]
    }

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
    pub(super) fn copy_from(&mut self, source: &Self, tokens: usize) -> Result<()> {
        self.len = 0;
        if tokens > 0 {
            for ((k, v), (from_k, from_v)) in self.layers.iter().zip(&source.layers) {
                k.slice_set(&from_k.narrow(1, 0, tokens)?.contiguous()?, 1, 0)?;
                v.slice_set(&from_v.narrow(1, 0, tokens)?.contiguous()?, 1, 0)?;
            }
        }
        self.len = tokens;
        Ok(())
    }
}

impl Transformer {
    /// Reads all weights; with `dense` they become f32.
    pub(super) fn load(
        file: &mut GgufFile,
        s: Shape,
        device: &Device,
        dense: bool,
    ) -> std::result::Result<Self, LlmError> {
        let mut weights = Weights { file, device, dense };
        let embedding = weights.embedding(&s)?;
        let layers = (0..s.layers).map(|i| weights.layer(i, &s)).collect::<std::result::Result<_, _>>()?;
        let final_norm = weights.vector("output_norm.weight", s.width)?;
        let head = weights.matrix(&[(weights.file.head(), s.vocabulary)], s.width, None)?;
        Ok(Self { shape: s, device: device.clone(), embedding, layers, final_norm, head })
    }

    pub(super) fn shape(&self) -> &Shape {
        &self.shape
    }

    pub(super) fn new_cache(&self, capacity: usize) -> Result<KvCache> {
        KvCache::new(&self.shape, capacity, &self.device)
    }

    /// Runs the tokens of several conversations in one step, of each at least one and fitting its cache: every matrix is multiplied with all of them at once, attention is
    /// each one's own. Returns the logits that each wants, `[logits, vocabulary]`.
    pub(super) fn forward(&self, parts: &mut [Part<'_, KvCache>]) -> Result<Vec<Vec<f32>>> {
        let tokens: Vec<u32> = parts.iter().flat_map(|part| part.tokens).copied().collect();
        if let Some(unknown) = tokens.iter().find(|token| **token as usize >= self.shape.vocabulary) {
            candle_core::bail!("token {unknown} of a vocabulary of {}", self.shape.vocabulary);
        }
        let mut x = self.embedding.embedding(&Tensor::new(tokens, &self.device)?)?;
        let places = parts.iter().map(|part| part.cache.place(part.tokens.len())).collect::<Result<Vec<_>>>()?;
        for (i, layer) in self.layers.iter().enumerate() {
            let pasts: Vec<Past<'_>> = parts.iter().zip(&places).map(|(p, place)| (p.cache.of(i), place)).collect();
            x = layer.forward(&self.shape, &x, &pasts, &mut |_| Ok(()))?;
        }
        let mut ends = Vec::new();
        let mut end = 0;
        for part in parts.iter_mut() {
            part.cache.len += part.tokens.len();
            end += part.tokens.len();
            if part.logits > 0 {
                ends.push(x.narrow(0, end - part.logits, part.logits)?);
            }
        }
        if ends.is_empty() {
            return Ok(vec![Vec::new(); parts.len()]);
        }
        let last = rms_norm(&Tensor::cat(&ends, 0)?, &self.final_norm, self.shape.norm_eps)?;
        let mut rows = self.head.forward(&last)?.to_vec2()?.into_iter();
        Ok(parts.iter().map(|part| rows.by_ref().take(part.logits).flatten().collect()).collect())
    }
}

/// Keys and values of one layer.
pub(super) type Kept = (Tensor, Tensor);

/// What the new tokens of one conversation look back on, and where they stand.
pub(super) type Past<'a> = (&'a Kept, &'a Place);

/// Where new tokens stand.
pub(super) struct Place {
    /// Tokens before them.
    before: usize,
    /// How many they are.
    new: usize,
    cos: Tensor,
    sin: Tensor,
    /// `[m, l]`: 0 where token i may look at token j, else −∞. None when there is nothing to hide.
    mask: Option<Tensor>,
}

impl Layer {
    /// Reads one layer in f32, onto the processor.
    pub(super) fn load_dense(file: &mut GgufFile, i: usize, s: &Shape) -> std::result::Result<Self, LlmError> {
        Weights { file, device: &Device::Cpu, dense: true }.layer(i, s)
    }

    /// `x`: `[m, width]`, the tokens of one conversation after the other; their keys and values go behind those that are there. `watch` is shown what the matrices are multiplied with: q, k
    /// and v; output; gate and up; down.
    pub(super) fn forward(
        &self,
        s: &Shape,
        x: &Tensor,
        pasts: &[Past<'_>],
        watch: &mut dyn FnMut([&Tensor; 4]) -> Result<()>,
    ) -> Result<Tensor> {
        let normed = rms_norm(x, &self.attention_norm, s.norm_eps)?;
        let qkv = self.qkv.forward(&normed)?;
        let mut mixed = Vec::with_capacity(pasts.len());
        let mut at = 0;
        for past in pasts {
            mixed.push(attend(s, &qkv.narrow(0, at, past.1.new)?, *past)?);
            at += past.1.new;
        }
        let mixed = Tensor::cat(&mixed, 0)?;
        let x = (x + self.output.forward(&mixed)?)?;
        let feed = rms_norm(&x, &self.feed_norm, s.norm_eps)?;
        let hidden = candle_nn::ops::swiglu(&self.gate_up.forward(&feed)?)?;
        watch([&normed, &mixed, &feed, &hidden])?;
        x + self.down.forward(&hidden)?
    }

    /// The squared length of each column of the matrix behind attention, and of the way down.
    pub(super) fn energies(&self) -> Result<[Vec<f32>; 2]> {
        let of = |matrix: &Linear| matrix.dense()?.sqr()?.sum(0)?.to_vec1();
        Ok([of(&self.output)?, of(&self.down)?])
    }
}

/// Attention of the new tokens of one conversation: `qkv` `[m, (h + 2 g) w]` to `[m, h w]`.
fn attend(s: &Shape, qkv: &Tensor, ((keys, values), place): Past<'_>) -> Result<Tensor> {
    let (h, g, w) = (s.heads, s.kv_heads, s.head_width);
    let (m, p) = (place.new, place.before);
    let l = p + m;
    // [m, n * w] → [1, n, m, w]
    let heads =
        |from: usize, n: usize| qkv.narrow(1, from * w, n * w)?.reshape((1, m, n, w))?.transpose(1, 2)?.contiguous();
    let turn = |heads: &Tensor| match s.family {
        Family::Llama => rope_i(heads, &place.cos, &place.sin),
        Family::Qwen2 => rope(heads, &place.cos, &place.sin),
    };
    let q = (turn(&heads(0, h)?)? * (1.0 / (w as f64).sqrt()))?;
    keys.slice_set(&turn(&heads(h, g)?)?.squeeze(0)?, 1, p)?;
    values.slice_set(&heads(h + g, g)?.squeeze(0)?, 1, p)?;
    // The heads that share one kv head stand together, so all of a group is one product: [g, h/g * m, w] × [g, w, l].
    let q = q.reshape((g, h / g * m, w))?;
    let scores = q.matmul(&keys.narrow(1, 0, l)?.transpose(1, 2)?)?;
    let scores = match &place.mask {
        Some(mask) => scores.reshape((h, m, l))?.broadcast_add(mask)?.reshape((g, h / g * m, l))?,
        None => scores,
    };
    let mixed = softmax_last_dim(&scores)?.matmul(&values.narrow(1, 0, l)?)?;
    mixed.reshape((h, m, w))?.transpose(0, 1)?.reshape((m, h * w))
}

/// Reads weights by name.
struct Weights<'a> {
    file: &'a mut GgufFile,
    device: &'a Device,
    dense: bool,
}

impl Weights<'_> {
    fn failed(&self, what: &str, e: &candle_core::Error) -> LlmError {
        self.file.corrupt(format!("{what}: {e}"))
    }

    fn embedding(&mut self, s: &Shape) -> std::result::Result<QTensor, LlmError> {
        self.file.tensor("token_embd.weight", &[s.vocabulary, s.width], self.device)
    }

    fn vector(&mut self, name: &str, n: usize) -> std::result::Result<Tensor, LlmError> {
        self.file.floats(name, &[n], self.device)
    }

    fn matrix(
        &mut self,
        parts: &[(&str, usize)],
        inputs: usize,
        bias: Option<Tensor>,
    ) -> std::result::Result<Linear, LlmError> {
        let read = parts.iter().map(|(name, rows)| self.file.tensor(name, &[*rows, inputs], &Device::Cpu));
        let read = read.collect::<std::result::Result<Vec<_>, _>>()?;
        let join = if self.dense { Linear::join_dense } else { Linear::join };
        join(&read, bias, self.device).map_err(|e| self.failed(parts[0].0, &e))
    }

    fn layer(&mut self, i: usize, s: &Shape) -> std::result::Result<Layer, LlmError> {
        let name = |part: &str| format!("blk.{i}.{part}");
        let kv = s.kv_heads * s.head_width;
        let bias = if s.family == Family::Qwen2 {
            let parts = [
                self.vector(&name("attn_q.bias"), s.queries())?,
                self.vector(&name("attn_k.bias"), kv)?,
                self.vector(&name("attn_v.bias"), kv)?,
            ];
            Some(Tensor::cat(&parts, D::Minus1).map_err(|e| self.failed("attention biases", &e))?)
        } else {
            None
        };
        let (q, k, v) = (name("attn_q.weight"), name("attn_k.weight"), name("attn_v.weight"));
        let (gate, up) = (name("ffn_gate.weight"), name("ffn_up.weight"));
        Ok(Layer {
            attention_norm: self.vector(&name("attn_norm.weight"), s.width)?,
            qkv: self.matrix(&[(&q, s.queries()), (&k, kv), (&v, kv)], s.width, bias)?,
            output: self.matrix(&[(&name("attn_output.weight"), s.width)], s.queries(), None)?,
            feed_norm: self.vector(&name("ffn_norm.weight"), s.width)?,
            gate_up: self.matrix(&[(&gate, s.feed_forward), (&up, s.feed_forward)], s.width, None)?,
            down: self.matrix(&[(&name("ffn_down.weight"), s.width)], s.feed_forward, None)?,
        })
    }
}
