//! A model one layer at a time, in floats: what runs through it, and what each column of its matrices is multiplied with.
//!
//! Only one layer's weights are in memory at a time, so a model of any size can be looked at. The arithmetic is `transformer.rs`'s in f32: slow, and what
//! everything is measured by.

use candle_core::{D, Device, Result, Tensor};
use candle_nn::ops::rms_norm;

use super::carry::Carry;
use crate::model::llm::LlmError;
use crate::model::llm::gguf::{GgufFile, Shape};

/// Mean squares of what the columns of a layer's matrices are multiplied with, over all tokens that ran through it.
#[derive(Debug, Default)]
pub(super) struct Columns {
    /// Of q, k and v.
    pub(super) attention: Vec<f32>,
    pub(super) output: Vec<f32>,
    /// Of gate and up.
    pub(super) feed: Vec<f32>,
    pub(super) down: Vec<f32>,
    /// 1 less the mean cosine between what goes in and what comes out.
    pub(super) influence: f32,
    /// The mean of x xᵀ over the inputs x of q, k and v; of output; of gate and up: `[n, n]`. Empty where nobody asked for it. Not of the way down, which is five times as wide.
    grams: [Vec<f32>; 3],
}

impl Columns {
    /// How errors are carried on in those three.
    pub(super) fn carries(&self) -> [Option<Carry>; 3] {
        [0, 1, 2].map(|i| Carry::new(&self.grams[i], [&self.attention, &self.output, &self.feed][i].len()))
    }
}

pub(super) fn failed(file: &GgufFile, e: &candle_core::Error) -> LlmError {
    file.corrupt(e.to_string())
}

/// Sums over the tokens so far.
#[derive(Default)]
pub(super) struct Seen {
    squares: [Option<Tensor>; 4],
    grams: Option<[Option<Tensor>; 3]>,
    cosines: f64,
    tokens: usize,
}

impl Seen {
    /// `grams`: whether how inputs vary together is wanted, too.
    pub(super) fn new(grams: bool) -> Self {
        Self { grams: grams.then(Default::default), ..Self::default() }
    }

    /// What the matrices were multiplied with.
    pub(super) fn inputs(&mut self, columns: [&Tensor; 4]) -> Result<()> {
        let add = |sum: &mut Option<Tensor>, more: Tensor| -> Result<()> {
            *sum = Some(if let Some(sum) = sum.take() { (sum + more)? } else { more });
            Ok(())
        };
        for (sum, column) in self.squares.iter_mut().zip(columns) {
            add(sum, column.sqr()?.sum(0)?)?;
        }
        for (sum, column) in self.grams.iter_mut().flatten().zip(columns) {
            add(sum, column.t()?.matmul(column)?)?;
        }
        Ok(())
    }

    /// What went in and came out.
    pub(super) fn passed(&mut self, x: &Tensor, out: &Tensor) -> Result<()> {
        let along = |a: &Tensor, b: &Tensor| (a * b)?.sum(D::Minus1);
        let cosine = (along(x, out)? / (along(x, x)? * along(out, out)?)?.sqrt()?)?;
        self.cosines += f64::from(cosine.sum_all()?.to_scalar::<f32>()?);
        self.tokens += x.dim(0)?;
        Ok(())
    }

    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a mean")]
    pub(super) fn columns(self) -> Result<Columns> {
        let n = self.tokens.max(1) as f64;
        let mean = |sum: Option<Tensor>| -> Result<Vec<f32>> {
            sum.map_or(Ok(Vec::new()), |sum| (sum / n)?.flatten_all()?.to_vec1())
        };
        let [attention, output, feed, down] = self.squares.map(mean);
        let [a, b, c] = self.grams.unwrap_or_default().map(mean);
        Ok(Columns {
            attention: attention?,
            output: output?,
            feed: feed?,
            down: down?,
            influence: (1.0 - self.cosines / n) as f32,
            grams: [a?, b?, c?],
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
        Ok(Self {
            norm: file.floats("output_norm.weight", &[s.width], &Device::Cpu)?,
            weight: file.floats(file.head(), &[s.vocabulary, s.width], &Device::Cpu)?,
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
    let table = file.tensor("token_embd.weight", &[s.vocabulary, s.width], &Device::Cpu)?;
    let embedded = |tokens: &Vec<u32>| table.embedding(&Tensor::new(tokens.as_slice(), &Device::Cpu)?);
    texts.iter().map(embedded).collect::<Result<_>>().map_err(|e| failed(file, &e))
}
