//! A model one layer at a time, in floats: what runs through it, and what each column of its matrices is multiplied with.
//!
//! Only one layer's weights are in memory at a time, so a model of any size can be looked at. The arrangement is `transformer.rs`'s, written for whole sequences
//! without a cache; it is slow, and is the reference that compression is measured with.

use candle_core::{D, DType, Device, Result, Tensor};
use candle_nn::ops::{rms_norm, silu, softmax_last_dim};
use candle_nn::rotary_emb::{rope, rope_i};

use crate::model::llm::LlmError;
use crate::model::llm::gguf::{Family, GgufFile, Shape};

/// One layer's weights.
pub(super) struct Layer {
    norm: Tensor,
    qkv: [(Tensor, Option<Tensor>); 3],
    output: Tensor,
    feed_norm: Tensor,
    gate: Tensor,
    up: Tensor,
    pub(super) down: Tensor,
}

/// Mean squares of what the columns of a layer's matrices are multiplied with, over all tokens that ran through it.
#[derive(Debug, Clone, Default)]
pub(super) struct Columns {
    /// Of q, k and v.
    pub(super) attention: Vec<f32>,
    pub(super) output: Vec<f32>,
    /// Of gate and up.
    pub(super) feed: Vec<f32>,
    pub(super) down: Vec<f32>,
    /// 1 less the mean cosine between what goes in and what comes out.
    pub(super) influence: f32,
}

pub(super) fn failed(file: &GgufFile, e: &candle_core::Error) -> LlmError {
    file.corrupt(e.to_string())
}

/// A tensor as floats.
pub(super) fn floats(file: &mut GgufFile, name: &str, dims: &[usize]) -> std::result::Result<Tensor, LlmError> {
    let read = file.tensor(name, dims, &Device::Cpu)?.dequantize(&Device::Cpu);
    read.map_err(|e| file.corrupt(format!("{name}: {e}")))
}

impl Layer {
    pub(super) fn load(file: &mut GgufFile, i: usize, s: &Shape) -> std::result::Result<Self, LlmError> {
        let name = |part: &str| format!("blk.{i}.{part}");
        let kv = s.kv_heads * s.head_width;
        let mut part = |which: &str, rows: usize| {
            let weight = floats(file, &name(&format!("attn_{which}.weight")), &[rows, s.width])?;
            let bias = (s.family == Family::Qwen2).then(|| floats(file, &name(&format!("attn_{which}.bias")), &[rows]));
            Ok::<_, LlmError>((weight, bias.transpose()?))
        };
        let qkv = [part("q", s.width)?, part("k", kv)?, part("v", kv)?];
        Ok(Self {
            norm: floats(file, &name("attn_norm.weight"), &[s.width])?,
            qkv,
            output: floats(file, &name("attn_output.weight"), &[s.width, s.width])?,
            feed_norm: floats(file, &name("ffn_norm.weight"), &[s.width])?,
            gate: floats(file, &name("ffn_gate.weight"), &[s.feed_forward, s.width])?,
            up: floats(file, &name("ffn_up.weight"), &[s.feed_forward, s.width])?,
            down: floats(file, &name("ffn_down.weight"), &[s.width, s.feed_forward])?,
        })
    }

    /// `x`: `[tokens, width]`, one sequence from its beginning. What each column saw is added to `seen`.
    pub(super) fn forward(&self, s: &Shape, x: &Tensor, seen: Option<&mut Seen>) -> Result<Tensor> {
        let normed = rms_norm(x, &self.norm, s.norm_eps)?;
        let mixed = self.attention(s, &normed)?;
        let middle = (x + mixed.matmul(&self.output.t()?)?)?;
        let feed = rms_norm(&middle, &self.feed_norm, s.norm_eps)?;
        let hidden = (silu(&feed.matmul(&self.gate.t()?)?)? * feed.matmul(&self.up.t()?)?)?;
        let out = (&middle + hidden.matmul(&self.down.t()?)?)?;
        if let Some(seen) = seen {
            seen.add([&normed, &mixed, &feed, &hidden], x, &out)?;
        }
        Ok(out)
    }

    fn attention(&self, s: &Shape, x: &Tensor) -> Result<Tensor> {
        let (m, w) = (x.dim(0)?, s.head_width);
        let heads = |i: usize, n: usize| {
            let (weight, bias) = &self.qkv[i];
            let y = x.matmul(&weight.t()?)?;
            let y = if let Some(bias) = bias { y.broadcast_add(bias)? } else { y };
            y.reshape((1, m, n, w))?.transpose(1, 2)?.contiguous()
        };
        let angles = Tensor::arange(0, u32::try_from(m)?, x.device())?.to_dtype(DType::F32)?.reshape((m, 1))?;
        let speeds: Vec<f32> = (0..w / 2).map(|i| 1.0 / s.rope_base.powf(2.0 * i as f32 / w as f32)).collect();
        let angles = angles.matmul(&Tensor::from_vec(speeds, (1, w / 2), x.device())?)?;
        let turn = if s.family == Family::Llama { rope_i } else { rope };
        let turned = |y: &Tensor| turn(y, &angles.cos()?, &angles.sin()?);
        let each = s.heads / s.kv_heads;
        // The heads that share one kv head stand together.
        let q = turned(&heads(0, s.heads)?)?.reshape((s.kv_heads, each * m, w))?;
        let (k, v) = (turned(&heads(1, s.kv_heads)?)?.squeeze(0)?, heads(2, s.kv_heads)?.squeeze(0)?);
        let scores = (q.matmul(&k.transpose(1, 2)?.contiguous()?)? / (w as f64).sqrt())?;
        let hidden: Vec<f32> = (0..m * m).map(|i| if i % m <= i / m { 0.0 } else { f32::NEG_INFINITY }).collect();
        let hidden = Tensor::from_vec(hidden, (m, m), x.device())?;
        let scores = scores.reshape((s.heads, m, m))?.broadcast_add(&hidden)?;
        let mixed = softmax_last_dim(&scores)?.reshape((s.kv_heads, each * m, m))?.matmul(&v)?;
        mixed.reshape((s.heads, m, w))?.transpose(0, 1)?.reshape((m, s.width))
    }
}

/// Sums over the tokens so far.
#[derive(Default)]
pub(super) struct Seen {
    squares: [Option<Tensor>; 4],
    cosines: f64,
    tokens: usize,
}

impl Seen {
    fn add(&mut self, columns: [&Tensor; 4], x: &Tensor, out: &Tensor) -> Result<()> {
        for (sum, column) in self.squares.iter_mut().zip(columns) {
            let squares = column.sqr()?.sum(0)?;
            *sum = Some(if let Some(sum) = sum.take() { (sum + squares)? } else { squares });
        }
        let along = |a: &Tensor, b: &Tensor| (a * b)?.sum(D::Minus1);
        let cosine = (along(x, out)? / (along(x, x)? * along(out, out)?)?.sqrt()?)?;
        self.cosines += f64::from(cosine.sum_all()?.to_scalar::<f32>()?);
        self.tokens += x.dim(0)?;
        Ok(())
    }

    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a mean")]
    pub(super) fn columns(self) -> Result<Columns> {
        let n = self.tokens.max(1) as f64;
        let means = self.squares.map(|sum| match sum {
            Some(sum) => (sum / n)?.to_vec1(),
            None => Ok(Vec::new()),
        });
        let [attention, output, feed, down] = means;
        Ok(Columns {
            attention: attention?,
            output: output?,
            feed: feed?,
            down: down?,
            influence: (1.0 - self.cosines / n) as f32,
        })
    }
}

/// What the words after each token are, judged: the end of the network.
pub(super) struct Head {
    norm: Tensor,
    weight: Tensor,
}

impl Head {
    pub(super) fn load(file: &mut GgufFile, s: &Shape) -> std::result::Result<Self, LlmError> {
        let name = if file.has("output.weight") { "output.weight" } else { "token_embd.weight" };
        Ok(Self {
            norm: floats(file, "output_norm.weight", &[s.width])?,
            weight: floats(file, name, &[s.vocabulary, s.width])?,
        })
    }

    /// `x`: `[tokens, width]` → the likeliest next token after each, and the sum of the surprises (nats) at the tokens that came.
    pub(super) fn judge(&self, s: &Shape, x: &Tensor, tokens: &[u32]) -> Result<(Vec<u32>, f64)> {
        let before = tokens.len() - 1;
        let x = rms_norm(&x.narrow(0, 0, before)?.contiguous()?, &self.norm, s.norm_eps)?;
        let logits = x.matmul(&self.weight.t()?)?;
        let came = Tensor::new(&tokens[1..], x.device())?.reshape((before, 1))?;
        let surprise = (logits.log_sum_exp(D::Minus1)? - logits.gather(&came, D::Minus1)?.squeeze(D::Minus1)?)?;
        Ok((logits.argmax(D::Minus1)?.to_vec1()?, f64::from(surprise.sum_all()?.to_scalar::<f32>()?)))
    }
}

/// The tokens as the network takes them in.
pub(super) fn embed(file: &mut GgufFile, s: &Shape, texts: &[Vec<u32>]) -> std::result::Result<Vec<Tensor>, LlmError> {
    let table = floats(file, "token_embd.weight", &[s.vocabulary, s.width])?;
    let embedded = |tokens: &Vec<u32>| table.index_select(&Tensor::new(tokens.as_slice(), &Device::Cpu)?, 0);
    texts.iter().map(embedded).collect::<Result<_>>().map_err(|e| failed(file, &e))
}
