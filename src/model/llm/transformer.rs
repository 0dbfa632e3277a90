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
use super::gguf::{Family, GgufFile, Shape};
use super::linear::Linear;

struct Layer {
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
    layers: Vec<(Tensor, Tensor)>,
    /// Rotary tables `[capacity, w / 2]`: cosines and sines.
    rope: (Tensor, Tensor),
    len: usize,
    capacity: usize,
}

impl KvCache {
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
    /// Reads all weights; with `dense` they become f32, which only tests can pay for.
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
        // Models that tie their head to the embedding have no "output.weight".
        let head = if weights.file.has("output.weight") { "output.weight" } else { "token_embd.weight" };
        let head = weights.matrix(&[(head, s.vocabulary)], s.width, None)?;
        Ok(Self { shape: s, device: device.clone(), embedding, layers, final_norm, head })
    }

    pub(super) fn shape(&self) -> &Shape {
        &self.shape
    }

    pub(super) fn new_cache(&self, capacity: usize) -> Result<KvCache> {
        let s = &self.shape;
        let zeros = || Tensor::zeros((s.kv_heads, capacity, s.head_width), DType::F32, &self.device);
        let layers = (0..s.layers).map(|_| Ok((zeros()?, zeros()?))).collect::<Result<_>>()?;
        let half = s.head_width / 2;
        let angle = |i: usize| (i / half) as f32 / s.rope_base.powf((i % half) as f32 / half as f32);
        let table = |f: fn(f32) -> f32| {
            let values: Vec<f32> = (0..capacity * half).map(|i| f(angle(i))).collect();
            Tensor::from_vec(values, (capacity, half), &self.device)
        };
        Ok(KvCache { layers, rope: (table(f32::cos)?, table(f32::sin)?), len: 0, capacity })
    }

    /// Runs `tokens` (at least one, fitting the cache). Returns the logits after the last one when asked.
    pub(super) fn forward(&self, cache: &mut KvCache, tokens: &[u32], want_logits: bool) -> Result<Option<Vec<f32>>> {
        let m = tokens.len();
        let ids = Tensor::new(tokens, &self.device)?;
        let mut x = self.embedding.embedding(&ids)?;
        let mask = self.mask(m, cache.len)?;
        let eps = self.shape.norm_eps;
        for (layer, kv) in self.layers.iter().zip(&cache.layers) {
            let normed = rms_norm(&x, &layer.attention_norm, eps)?;
            x = (x + self.attention(layer, &normed, kv, cache, mask.as_ref())?)?;
            let normed = rms_norm(&x, &layer.feed_norm, eps)?;
            let hidden = candle_nn::ops::swiglu(&layer.gate_up.forward(&normed)?)?;
            x = (x + layer.down.forward(&hidden)?)?;
        }
        cache.len += m;
        if !want_logits {
            return Ok(None);
        }
        let last = rms_norm(&x.narrow(0, m - 1, 1)?.contiguous()?, &self.final_norm, eps)?;
        Ok(Some(self.head.forward(&last)?.squeeze(0)?.to_vec1()?))
    }

    /// `[m, l]`: 0 where token i may look at token j, else −∞. None when there is nothing to hide.
    fn mask(&self, m: usize, p: usize) -> Result<Option<Tensor>> {
        if m == 1 {
            return Ok(None);
        }
        let l = p + m;
        let values: Vec<f32> = (0..m * l).map(|i| if i % l <= p + i / l { 0.0 } else { f32::NEG_INFINITY }).collect();
        Tensor::from_vec(values, (m, l), &self.device).map(Some)
    }

    fn attention(
        &self,
        layer: &Layer,
        x: &Tensor,
        (keys, values): &(Tensor, Tensor),
        cache: &KvCache,
        mask: Option<&Tensor>,
    ) -> Result<Tensor> {
        let (h, g, w) = (self.shape.heads, self.shape.kv_heads, self.shape.head_width);
        let (m, p) = (x.dim(0)?, cache.len);
        let l = p + m;
        let qkv = layer.qkv.forward(x)?;
        // [m, n * w] → [1, n, m, w]
        let heads = |from: usize, n: usize| {
            qkv.narrow(1, from * w, n * w)?.reshape((1, m, n, w))?.transpose(1, 2)?.contiguous()
        };
        let cos = cache.rope.0.narrow(0, p, m)?;
        let sin = cache.rope.1.narrow(0, p, m)?;
        let turn = if self.shape.family == Family::Llama { rope_i } else { rope };
        let q = (turn(&heads(0, h)?, &cos, &sin)? * (1.0 / (w as f64).sqrt()))?;
        keys.slice_set(&turn(&heads(h, g)?, &cos, &sin)?.squeeze(0)?, 1, p)?;
        values.slice_set(&heads(h + g, g)?.squeeze(0)?, 1, p)?;
        // The heads that share one kv head stand together, so all of a group is one product: [g, h/g * m, w] × [g, w, l].
        let q = q.reshape((g, h / g * m, w))?;
        let scores = q.matmul(&keys.narrow(1, 0, l)?.transpose(1, 2)?)?;
        let scores = match mask {
            Some(mask) => scores.reshape((h, m, l))?.broadcast_add(mask)?.reshape((g, h / g * m, l))?,
            None => scores,
        };
        let mixed = softmax_last_dim(&scores)?.matmul(&values.narrow(1, 0, l)?)?;
        layer.output.forward(&mixed.reshape((h, m, w))?.transpose(0, 1)?.reshape((m, h * w))?)
    }
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
        let read = self.file.tensor(name, &[n], self.device)?.dequantize(self.device);
        read.map_err(|e| self.failed(name, &e))
    }

    fn matrix(
        &mut self,
        parts: &[(&str, usize)],
        inputs: usize,
        bias: Option<Tensor>,
    ) -> std::result::Result<Linear, LlmError> {
        let read = parts.iter().map(|(name, rows)| self.file.tensor(name, &[*rows, inputs], &Device::Cpu));
        let read = read.collect::<std::result::Result<Vec<_>, _>>()?;
        #[cfg(test)]
        if self.dense {
            return Linear::join_dense(&read, bias, self.device).map_err(|e| self.failed(parts[0].0, &e));
        }
        debug_assert!(!self.dense, "only in tests");
        Linear::join(&read, bias, self.device).map_err(|e| self.failed(parts[0].0, &e))
    }

    fn layer(&mut self, i: usize, s: &Shape) -> std::result::Result<Layer, LlmError> {
        let name = |part: &str| format!("blk.{i}.{part}");
        let kv = s.kv_heads * s.head_width;
        let bias = if s.family == Family::Qwen2 {
            let parts = [
                self.vector(&name("attn_q.bias"), s.width)?,
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
            qkv: self.matrix(&[(&q, s.width), (&k, kv), (&v, kv)], s.width, bias)?,
            output: self.matrix(&[(&name("attn_output.weight"), s.width)], s.width, None)?,
            feed_norm: self.vector(&name("ffn_norm.weight"), s.width)?,
            gate_up: self.matrix(&[(&gate, s.feed_forward), (&up, s.feed_forward)], s.width, None)?,
            down: self.matrix(&[(&name("ffn_down.weight"), s.width)], s.feed_forward, None)?,
        })
    }
}
