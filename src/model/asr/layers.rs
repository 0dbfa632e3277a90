//! The blocks that both recognisers are made of: linear layers, layer norm, attention with a cache.
//!
//! Everything runs on one utterance at a time, so there is no batch dimension: hidden states are `(time, width)`.

use candle_core::{D, Result, Tensor};

use super::error::AsrError;
use super::rows8::Rows8;
use super::weights::Weights;

/// How a linear layer keeps its weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Precision {
    /// `f32`, fastest when many rows are multiplied at once (encoder).
    Full,
    /// 8 bits: a quarter of the memory traffic, which is what a single row costs (decoder).
    Q8,
}

/// `x · Wᵀ + b`.
pub(super) struct Linear {
    weight: Weight,
    bias: Option<Tensor>,
}

enum Weight {
    /// `(in, out)`: a transposed view of the stored `(out, in)`.
    Full(Tensor),
    Rounded(Rows8),
}

impl Linear {
    /// Loads `{name}.weight` of shape `(out, in)` and, if asked, `{name}.bias` of shape `(out,)`.
    pub(super) fn load(w: &mut Weights, name: &str, dims: (usize, usize), bias: bool, p: Precision) -> Loaded<Self> {
        let (input, output) = dims;
        let weight = w.take(&format!("{name}.weight"), &[output, input])?;
        let bias = if bias { Some(w.take(&format!("{name}.bias"), &[output])?) } else { None };
        Self::new(weight, bias, p).map_err(|e| w.bad(name, &e))
    }

    /// From a weight `(out, in)`.
    pub(super) fn new(weight: Tensor, bias: Option<Tensor>, p: Precision) -> Result<Self> {
        let weight = match p {
            Precision::Full => Weight::Full(weight.t()?),
            Precision::Q8 => Weight::Rounded(Rows8::new(&weight)?),
        };
        Ok(Self { weight, bias })
    }

    /// `(time, in)` to `(time, out)`.
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = match &self.weight {
            Weight::Full(w) => x.matmul(w)?,
            Weight::Rounded(q) => q.forward(x)?,
        };
        match &self.bias {
            Some(b) => y.broadcast_add(b),
            None => Ok(y),
        }
    }
}

/// What loading a block gives.
pub(super) type Loaded<T> = std::result::Result<T, AsrError>;

/// Normalisation over the last dimension.
pub(super) struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
}

impl LayerNorm {
    /// Both recognisers were trained with it.
    const EPS: f32 = 1e-5;

    /// Loads `{name}.weight` and, if it has one, `{name}.bias`, each of shape `(width,)`.
    pub(super) fn load(w: &mut Weights, name: &str, width: usize, bias: bool) -> Loaded<Self> {
        let weight = w.take(&format!("{name}.weight"), &[width])?;
        let bias = if bias {
            w.take(&format!("{name}.bias"), &[width])?
        } else {
            weight.zeros_like().map_err(|e| w.bad(name, &e))?
        };
        Ok(Self { weight, bias })
    }

    /// `(time, width)` to `(time, width)`.
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        candle_nn::ops::layer_norm(x, &self.weight, &self.bias, Self::EPS)
    }
}

/// Keys and values of one attention layer, `(heads, time, head width)`, contiguous.
pub(super) struct KeyValue {
    k: Tensor,
    v: Tensor,
}

impl KeyValue {
    pub(super) fn new(k: Tensor, v: Tensor) -> Self {
        Self { k, v }
    }

    /// Adds the newest keys and values behind those in `cache`, and gives back all of them.
    pub(super) fn append(cache: &mut Option<Self>, new: Self) -> Result<&Self> {
        let all = match cache.take() {
            Some(old) => Self { k: Tensor::cat(&[&old.k, &new.k], 1)?, v: Tensor::cat(&[&old.v, &new.v], 1)? },
            None => new,
        };
        Ok(cache.insert(all))
    }
}

/// `(time, heads * head width)` to `(heads, time, head width)`, contiguous.
pub(super) fn split_heads(x: &Tensor, heads: usize) -> Result<Tensor> {
    let (time, width) = x.dims2()?;
    x.reshape((time, heads, width / heads))?.transpose(0, 1)?.contiguous()
}

/// Softmax attention of queries `(heads, time, head width)`, already scaled, over `kv`; gives `(time, width)`.
pub(super) fn attend(q: &Tensor, kv: &KeyValue) -> Result<Tensor> {
    let scores = q.matmul(&kv.k.transpose(1, 2)?)?;
    let mixed = candle_nn::ops::softmax_last_dim(&scores)?.matmul(&kv.v)?;
    mixed.transpose(0, 1)?.contiguous()?.flatten_from(D::Minus2)
}

/// Gaussian error linear unit.
pub(super) fn gelu(x: &Tensor) -> Result<Tensor> {
    x.gelu_erf()
}
