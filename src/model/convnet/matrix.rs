//! The weights of a convolution: in 8 bits, or, where it is narrow, in f32.

use super::Refused;
use super::window::{Depthwise, Window};
use crate::model::kernels::{self, Dense, Finish, Grid, Packed, Product, Tokens, Weights, convolve};

/// A matrix with bias and what follows.
pub(in crate::model) struct Matrix {
    weight: Grid,
    /// Values of a pixel that goes in.
    pub(in crate::model) inputs: usize,
    /// The largest weight of each output: scales are kept in 16 bits, which would lose the weights of an output that are small as a whole.
    gain: Vec<f32>,
    bias: Vec<f32>,
    pub(in crate::model) finish: Finish,
}

impl Matrix {
    /// In 8 bits, a scale for every 32 inputs of an output. `values`: [out, in] row by row.
    ///
    /// # Errors
    /// There are no inputs or outputs, or another number of weights.
    pub(in crate::model) fn new(values: &[f32], inputs: usize, bias: Vec<f32>, finish: Finish) -> Refused<Self> {
        if inputs == 0 || values.len() != bias.len() * inputs {
            return Err("weights and bias of a layer do not fit each other".into());
        }
        let columns = inputs.next_multiple_of(32);
        let mut padded = vec![0.0; bias.len() * columns];
        let mut gain = Vec::with_capacity(bias.len());
        for (to, from) in padded.chunks_exact_mut(columns).zip(values.chunks_exact(inputs)) {
            let most = from.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
            let most = if most > 0.0 && most.is_finite() { most } else { 1.0 };
            to.iter_mut().zip(from).for_each(|(to, v)| *to = v / most);
            gain.push(most);
        }
        let weight = Packed::round((bias.len(), columns), &padded).ok_or("a layer without outputs")?;
        Ok(Self { weight: Grid::Eight(weight), inputs, gain, bias, finish })
    }

    /// The same in f32.
    ///
    /// # Errors
    /// As of [`Self::new`].
    pub(in crate::model) fn whole(values: &[f32], inputs: usize, bias: Vec<f32>, finish: Finish) -> Refused<Self> {
        let weight =
            Dense::new((bias.len(), inputs), values).ok_or("weights and bias of a layer do not fit each other")?;
        Ok(Self { weight: Grid::Whole(weight), inputs, gain: vec![1.0; bias.len()], bias, finish })
    }

    /// Outputs.
    pub(in crate::model) fn rows(&self) -> usize {
        self.bias.len()
    }

    /// For a product whose outputs go to `out`, `[pixels, rows]`.
    pub(in crate::model) fn to<'a>(&'a self, out: &'a mut [f32]) -> Weights<'a> {
        Weights { matrix: &self.weight, gain: &self.gain, bias: &self.bias, finish: self.finish, out }
    }
}

/// Pixels times some matrices, as they are.
///
/// # Errors
/// `x` is not made of so many channels.
pub(in crate::model) fn pointwise(
    p: &mut Product<'_>,
    x: &[f32],
    channels: usize,
    to: &mut [Weights<'_>],
) -> Refused<()> {
    if channels == 0 || !x.len().is_multiple_of(channels) {
        return Err("a layer got another number of channels".into());
    }
    let shape = (x.len() / channels, channels);
    if channels.is_multiple_of(32) {
        convolve(p, shape, &Tokens::Ready(x), to);
        return Ok(());
    }
    let copy = |first: usize, rows: &mut [f32]| {
        let pixels = x[first * channels..].chunks_exact(channels);
        for (to, from) in rows.chunks_exact_mut(channels.next_multiple_of(32)).zip(pixels) {
            to[..channels].copy_from_slice(from);
        }
    };
    convolve(p, shape, &Tokens::Written(&copy), to);
    Ok(())
}

/// A depthwise convolution of `x`, what follows it, and the product with some matrices: what stands between never goes through memory.
///
/// # Errors
/// `x` has another number of pixels or channels.
pub(in crate::model) fn separable(
    p: &mut Product<'_>,
    (depthwise, finish): (&Depthwise, Finish),
    (window, x): (&Window, &[f32]),
    to: &mut [Weights<'_>],
) -> Refused<()> {
    let channels = depthwise.channels;
    if x.len() != window.from.0 * window.from.1 * channels {
        return Err("a depthwise convolution got a tensor of another shape".into());
    }
    let (level, row) = (p.level, channels.next_multiple_of(32));
    let write = |first: usize, rows: &mut [f32]| {
        depthwise.pixels(level, (window, x), first, (rows, row));
        if finish == Finish::PLAIN {
            return;
        }
        if row == channels {
            return kernels::finish(level, finish, rows);
        }
        rows.chunks_exact_mut(row).for_each(|pixel| kernels::finish(level, finish, &mut pixel[..channels]));
    };
    convolve(p, (window.pixels(), channels), &Tokens::Written(&write), to);
    Ok(())
}

/// Patches of `x` times some matrices.
///
/// # Errors
/// `x` has another number of pixels.
pub(in crate::model) fn patches<T: Copy + Sync>(
    p: &mut Product<'_>,
    (window, x, channels): (&Window, &[T], usize),
    real: impl Fn(T) -> f32 + Sync,
    to: &mut [Weights<'_>],
) -> Refused<()> {
    if x.len() != window.from.0 * window.from.1 * channels {
        return Err("a convolution got a picture of another size".into());
    }
    let columns = window.kernel * window.kernel * channels;
    let write = |first: usize, rows: &mut [f32]| {
        for (i, patch) in (first..).zip(rows.chunks_exact_mut(columns.next_multiple_of(32))) {
            window.patch((x, channels), i, patch, &real);
        }
    };
    convolve(p, (window.pixels(), columns), &Tokens::Written(&write), to);
    Ok(())
}
