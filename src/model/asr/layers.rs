//! The blocks that both recognisers are made of: matrices of 8 bits, layer norm, and the desk where they are computed.
//!
//! Everything runs on one utterance at a time, so there is no batch dimension: hidden states are `[time, width]`, row by row. What goes into a product is
//! rounded to 8 bits, too, with a scale for every 32 values; sums, norms, activations and what is added up stay f32, keys and values are f16.

use super::error::AsrError;
use super::weights::Weights;
use crate::model::kernels::{
    Activations, Heads, Level, Packed, Product, Side, Team, add, gelu, layer_norm, multiply, swish, turn,
};

/// What loading a block gives.
pub(super) type Loaded<T> = Result<T, AsrError>;

/// A matrix in 8 bits: `x · Wᵀ + b`.
pub(super) struct Linear {
    weight: Packed,
    bias: Option<Vec<f32>>,
}

impl Linear {
    /// Loads `{name}.weight` of shape `(out, in)` and, if asked, `{name}.bias` of shape `(out,)`.
    pub(super) fn load(w: &mut Weights, name: &str, (input, output): (usize, usize), bias: bool) -> Loaded<Self> {
        let weight = w.take(&format!("{name}.weight"), &[output, input])?;
        let bias = if bias { Some(w.take(&format!("{name}.bias"), &[output])?) } else { None };
        Self::new(w, name, &weight, bias, output)
    }

    /// Two halves of a matrix `(2 out, in)` with a bias, each as one of its own.
    pub(super) fn halves(w: &mut Weights, name: &str, (input, output): (usize, usize)) -> Loaded<(Self, Self)> {
        let weight = w.take(&format!("{name}.weight"), &[2 * output, input])?;
        let mut first = w.take(&format!("{name}.bias"), &[2 * output])?;
        let second = first.split_off(output);
        let (above, below) = weight.split_at(output * input);
        Ok((Self::new(w, name, above, Some(first), output)?, Self::new(w, name, below, Some(second), output)?))
    }

    /// A convolution as a matrix over windows of `[time, channels]`: `{name}.weight` of shape `(out, in, width)`.
    pub(super) fn convolution(w: &mut Weights, name: &str, shape: [usize; 3]) -> Loaded<Self> {
        let weight = w.take_convolution(name, shape)?;
        let bias = w.take(&format!("{name}.bias"), &shape[..1])?;
        Self::new(w, name, &weight, Some(bias), shape[0])
    }

    /// Rounds `weight`, `(outputs, inputs)`.
    fn new(w: &Weights, name: &str, weight: &[f32], bias: Option<Vec<f32>>, outputs: usize) -> Loaded<Self> {
        let packed = Packed::round((outputs, weight.len() / outputs.max(1)), weight);
        Ok(Self { weight: packed.ok_or_else(|| w.unfit(name, "its rows are no multiple of 32 values"))?, bias })
    }

    /// From the matrix alone.
    pub(super) fn plain(w: &Weights, name: &str, weight: &[f32], outputs: usize) -> Loaded<Self> {
        Self::new(w, name, weight, None, outputs)
    }

    /// As a product takes it.
    pub(super) fn side(&self) -> Side<'_> {
        (&self.weight, self.bias.as_deref())
    }

    /// Values that go in.
    pub(super) fn inputs(&self) -> usize {
        self.weight.columns()
    }

    /// Values that come out.
    pub(super) fn outputs(&self) -> usize {
        self.weight.rows()
    }

    /// Row `row` of the matrix.
    pub(super) fn row(&self, row: usize, out: &mut [f32]) {
        self.weight.row(row, out);
    }
}

/// Normalisation of each state.
pub(super) struct Norm {
    weight: Vec<f32>,
    /// Empty where there is none.
    bias: Vec<f32>,
}

impl Norm {
    /// Both recognisers were trained with it.
    const EPS: f32 = 1e-5;

    /// Loads `{name}.weight` and, if it has one, `{name}.bias`, each of shape `(width,)`.
    pub(super) fn load(w: &mut Weights, name: &str, width: usize, bias: bool) -> Loaded<Self> {
        let weight = w.take(&format!("{name}.weight"), &[width])?;
        let bias = if bias { w.take(&format!("{name}.bias"), &[width])? } else { Vec::new() };
        Ok(Self { weight, bias })
    }

    /// One state.
    pub(super) fn apply(&self, level: Level, x: &[f32], out: &mut [f32]) {
        layer_norm(level, x, &self.weight, &self.bias, Self::EPS, out);
    }

    /// All states of `x`, rounded for a product.
    pub(super) fn round(&self, p: &mut Product<'_>, x: &[f32], to: &mut Activations) {
        let (level, width) = (p.level, self.weight.len());
        to.fill(p, (x.len() / width, width), |t, state| self.apply(level, &x[t * width..][..width], state));
    }
}

/// Where utterances are computed, one step of one at a time: threads, and buffers that grow and are kept.
pub(super) struct Desk {
    level: Level,
    team: Team,
    pub(super) buffers: Buffers,
}

#[derive(Default)]
pub(super) struct Buffers {
    pub(super) rounded: Activations,
    /// What attention found, `[time, width]`.
    pub(super) mixed: Vec<f32>,
    /// What a block adds, `[time, width]`.
    pub(super) more: Vec<f32>,
    /// Queries, keys and values of a token.
    pub(super) qkv: Vec<f32>,
    /// `[time, inner width]`.
    pub(super) hidden: Vec<f32>,
    /// The state of a token.
    pub(super) x: Vec<f32>,
    /// A score for each token of the vocabulary.
    pub(super) scores: Vec<f32>,
}

impl Desk {
    /// With so many threads.
    pub(super) fn new(level: Level, threads: usize) -> Loaded<Self> {
        let team = Team::new(threads.max(1)).map_err(|e| AsrError::Threads(e.to_string()))?;
        Ok(Self { level, team, buffers: Buffers::default() })
    }

    /// What products are made with, and the buffers.
    pub(super) fn open(&mut self) -> (Product<'_>, &mut Buffers) {
        (Product { level: self.level, team: &mut self.team }, &mut self.buffers)
    }
}

/// The products of some matrices with the same states, side by side; `out` becomes as long as they need.
pub(super) fn product(p: &mut Product<'_>, sides: &[Side<'_>], x: &Activations, out: &mut Vec<f32>) {
    out.resize(x.tokens() * sides.iter().map(|(w, _)| w.rows()).sum::<usize>(), 0.0);
    multiply(p, sides, x, out);
}

/// What a state looks at others with.
pub(super) struct Attention {
    pub(super) norm: Norm,
    /// Queries, keys and values.
    pub(super) qkv: [Linear; 3],
    pub(super) out: Linear,
}

impl Attention {
    /// It is the folder `name` of `w`: `q_proj`, `k_proj` and `v_proj`, those with a bias where `bias` says so, and `out`, by that name and with a bias if any has.
    pub(super) fn load(
        w: &mut Weights,
        (name, out, width): (&str, &str, usize),
        bias: [bool; 3],
        norm: Norm,
    ) -> Loaded<Self> {
        let mut side = |part: &str, bias| Linear::load(w, &format!("{name}.{part}"), (width, width), bias);
        let qkv = [side("q_proj", bias[0])?, side("k_proj", bias[1])?, side("v_proj", bias[2])?];
        Ok(Self { norm, qkv, out: side(out, bias.contains(&true))? })
    }
}

/// Half of a transformer layer: what each state makes of itself.
pub(super) struct Feed {
    norm: Norm,
    /// Beside the way up, where what comes of it is gated.
    gate: Option<Linear>,
    up: Linear,
    down: Linear,
}

impl Feed {
    /// `down(gelu(up(x)))`.
    pub(super) const fn smooth(norm: Norm, up: Linear, down: Linear) -> Self {
        Self { norm, gate: None, up, down }
    }

    /// `down(silu(gate(x)) · up(x))` (SwiGLU, arXiv:2002.05202).
    pub(super) const fn gated(norm: Norm, gate: Linear, up: Linear, down: Linear) -> Self {
        Self { norm, gate: Some(gate), up, down }
    }

    /// Adds it to the states `x`.
    pub(super) fn add(&self, p: &mut Product<'_>, b: &mut Buffers, x: &mut [f32]) {
        let (level, inner) = (p.level, self.up.outputs());
        self.norm.round(p, x, &mut b.rounded);
        let tokens = b.rounded.tokens();
        match &self.gate {
            None => {
                product(p, &[self.up.side()], &b.rounded, &mut b.hidden);
                b.rounded.fill(p, (tokens, inner), |t, state| {
                    state.copy_from_slice(&b.hidden[t * inner..][..inner]);
                    gelu(level, state);
                });
            }
            Some(gate) => {
                product(p, &[gate.side(), self.up.side()], &b.rounded, &mut b.hidden);
                b.rounded.fill(p, (tokens, inner), |t, state| {
                    let (gate, up) = b.hidden[t * 2 * inner..][..2 * inner].split_at(inner);
                    state.copy_from_slice(gate);
                    swish(level, state, up);
                });
            }
        }
        product(p, &[self.down.side()], &b.rounded, &mut b.more);
        add(x, &b.more);
    }
}

/// Cosines and sines of rotary positions (arXiv:2104.09864), neighbouring values paired.
pub(super) struct Turns {
    /// `[positions, half]`.
    table: Vec<(f32, f32)>,
    half: usize,
}

impl Turns {
    /// For `positions` of heads with a frequency for each pair of their values; 0 leaves a pair as it is.
    pub(super) fn new(frequencies: &[f64], positions: usize) -> Self {
        let turn = |t: usize, w: &f64| {
            let (sin, cos) = (t as f64 * w).sin_cos();
            (cos as f32, sin as f32)
        };
        let table = (0..positions).flat_map(|t| frequencies.iter().map(move |w| turn(t, w))).collect();
        Self { table, half: frequencies.len() }
    }

    /// How many positions there are.
    pub(super) fn positions(&self) -> usize {
        self.table.len() / self.half
    }

    /// Turns queries and keys of `qkv`, `[time, row]`, whose first row stands at position `from`.
    pub(super) fn apply(&self, p: &mut Product<'_>, heads: Heads, from: usize, qkv: &mut [f32]) {
        let turns = &self.table[from * self.half..][..qkv.len() / heads.row() * self.half];
        turn(p, qkv, (heads.row(), heads.heads + heads.shared), turns, true);
    }
}
