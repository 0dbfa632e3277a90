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

/// Rows of time that are computed in one step: 6 s of Moonshine's states.
const WINDOW: usize = 256;

/// What is computed window by window along one dimension, so that no step takes long.
pub(super) struct Windowed {
    dim: usize,
    rows: usize,
    /// How many are done.
    at: usize,
    done: Vec<Tensor>,
}

impl Windowed {
    /// `rows` of them, joined along dimension `dim`.
    pub(super) const fn new(rows: usize, dim: usize) -> Self {
        Self { dim, rows, at: 0, done: Vec::new() }
    }

    /// The first row of the next window, and how many it has.
    pub(super) fn next(&self) -> (usize, usize) {
        (self.at, WINDOW.min(self.rows - self.at))
    }

    /// Takes in what came of the next window; gives back all of them when it was the last one.
    pub(super) fn push(&mut self, window: Tensor) -> Result<Option<Tensor>> {
        self.at += self.next().1;
        self.done.push(window);
        if self.at < self.rows {
            return Ok(None);
        }
        if self.done.len() == 1 { Ok(self.done.pop()) } else { Tensor::cat(&self.done, self.dim).map(Some) }
    }
}

/// A layer of an encoder in the midst of its rows: queries, and keys and values of all of them.
pub(super) struct OpenLayer {
    q: Tensor,
    kv: KeyValue,
    out: Windowed,
}

impl OpenLayer {
    pub(super) fn new(q: Tensor, kv: KeyValue) -> Result<Self> {
        let rows = q.dim(1)?;
        Ok(Self { q, kv, out: Windowed::new(rows, 0) })
    }

    /// The rows of `x` that are next, and what they attend to.
    pub(super) fn next(&self, x: &Tensor) -> Result<(Tensor, Tensor)> {
        let (from, rows) = self.out.next();
        let mixed = attend(&self.q.narrow(1, from, rows)?.contiguous()?, &self.kv)?;
        Ok((x.narrow(0, from, rows)?, mixed))
    }

    /// As [`Windowed::push`].
    pub(super) fn push(&mut self, rows: Tensor) -> Result<Option<Tensor>> {
        self.out.push(rows)
    }
}

/// One layer of an encoder; what it needs beside its input is the same for all layers.
pub(super) trait EncoderLayer {
    type With;

    /// Begins it with its input, `(time, width)`.
    fn open(&self, x: &Tensor, with: &Self::With) -> Result<OpenLayer>;

    /// Some rows of it; all of them once the last are done.
    fn rows(&self, x: &Tensor, open: &mut OpenLayer) -> Result<Option<Tensor>>;
}

/// How far the layers of an encoder are: in this one, with its input.
pub(super) struct Climb {
    at: usize,
    x: Tensor,
    open: Option<OpenLayer>,
}

impl Climb {
    /// Before the first layer, with its input.
    pub(super) const fn new(x: Tensor) -> Self {
        Self { at: 0, x, open: None }
    }

    /// One step; what the last layer put out when there is none left to do.
    pub(super) fn step<L: EncoderLayer>(&mut self, layers: &[L], with: &L::With) -> Result<Option<&Tensor>> {
        let Some(layer) = layers.get(self.at) else { return Ok(Some(&self.x)) };
        let open = match &mut self.open {
            Some(open) => open,
            None => self.open.insert(layer.open(&self.x, with)?),
        };
        if let Some(done) = layer.rows(&self.x, open)? {
            *self = Self { at: self.at + 1, x: done, open: None };
        }
        Ok(None)
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

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};

    use super::{KeyValue, OpenLayer, WINDOW, Windowed, attend};

    fn random(shape: &[usize]) -> Tensor {
        Tensor::randn(0.0f32, 1.0, shape, &Device::Cpu).expect("tensor")
    }

    fn difference(a: &Tensor, b: &Tensor) -> f32 {
        assert_eq!(a.dims(), b.dims());
        (a - b).and_then(|d| d.abs()?.flatten_all()?.max(0)?.to_scalar()).expect("number")
    }

    #[test]
    fn rows_done_in_windows_are_those_done_at_once() {
        for rows in [1, WINDOW, WINDOW + 1, 3 * WINDOW - 7] {
            let part = || random(&[2, rows, 8]);
            let (q, k, v, x) = (part(), part(), part(), random(&[rows, 16]));
            let whole = (&x + attend(&q, &KeyValue::new(k.clone(), v.clone())).expect("mixed")).expect("sum");
            let mut open = OpenLayer::new(q, KeyValue::new(k, v)).expect("opened");
            let mut steps = 0;
            let done = loop {
                steps += 1;
                let (x, mixed) = open.next(&x).expect("rows");
                if let Some(done) = open.push((x + mixed).expect("sum")).expect("joined") {
                    break done;
                }
            };
            assert_eq!(steps, rows.div_ceil(WINDOW));
            assert!(difference(&whole, &done) < 1e-5);
        }
    }

    #[test]
    fn windows_are_joined_in_their_order() {
        let all = random(&[1, 3, 2 * WINDOW + 5]);
        let mut windows = Windowed::new(2 * WINDOW + 5, 2);
        let joined = (0..3).find_map(|_| {
            let (from, rows) = windows.next();
            windows.push(all.narrow(2, from, rows).expect("part")).expect("joined")
        });
        assert_eq!(difference(&all, &joined.expect("all three")), 0.0);
    }
}
