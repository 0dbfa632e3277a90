//! Inputs of a product, rounded to 8 bits: one scale for every 32 values of a token.

use super::level::{Level, by_level};
use super::pack::BLOCK;

/// Rounded inputs of some tokens. Buffers grow and are kept.
#[derive(Debug, Default)]
pub struct Activations {
    columns: usize,
    tokens: usize,
    codes: Vec<i8>,
    scales: Vec<f32>,
    /// Minus the sum of a block's codes.
    less: Vec<i32>,
}

/// Some consecutive tokens, as a kernel takes them.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    /// `[tokens, columns]`, −127 to 127.
    pub codes: &'a [i8],
    /// `[tokens, blocks]`.
    pub scales: &'a [f32],
    /// `[tokens, blocks]`.
    pub less: &'a [i32],
}

impl Activations {
    /// Makes room for `tokens` of `columns` values, a multiple of 32 (anything beyond is cut off).
    pub fn prepare(&mut self, tokens: usize, columns: usize) {
        (self.tokens, self.columns) = (tokens, columns / BLOCK * BLOCK);
        let blocks = self.tokens * self.columns / BLOCK;
        self.codes.resize(blocks * BLOCK, 0);
        self.scales.resize(blocks, 0.0);
        self.less.resize(blocks, 0);
    }

    /// Rounds `x`, `[tokens, columns]`.
    pub fn round(&mut self, level: Level, x: &[f32], columns: usize) {
        self.prepare(x.len() / columns.max(1), columns);
        let tokens = x.chunks_exact(columns.max(1)).map(|t| &t[..self.columns]);
        let blocks = self.columns / BLOCK;
        for (t, values) in tokens.enumerate() {
            let of = t * blocks..(t + 1) * blocks;
            let codes = &mut self.codes[t * self.columns..][..self.columns];
            round(level, values, codes, &mut self.scales[of.clone()], &mut self.less[of]);
        }
    }

    /// How many tokens.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// Values of a token.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    pub(super) fn rows(&self, from: usize, tokens: usize) -> Rows<'_> {
        let blocks = self.columns / BLOCK;
        Rows {
            codes: &self.codes[from * self.columns..][..tokens * self.columns],
            scales: &self.scales[from * blocks..][..tokens * blocks],
            less: &self.less[from * blocks..][..tokens * blocks],
        }
    }
}

by_level!(
    fn round(level, x: &[f32], codes: &mut [i8], scales: &mut [f32], less: &mut [i32]) = round_body
);

#[inline(always)]
fn round_body<const FMA: bool>(x: &[f32], codes: &mut [i8], scales: &mut [f32], less: &mut [i32]) {
    // Adding this and taking it away rounds to the nearest integer, ties to even, for |v| < 2^22.
    const ROUND: f32 = 12_582_912.0;
    let blocks = x.as_chunks::<BLOCK>().0.iter().zip(codes.as_chunks_mut::<BLOCK>().0);
    for ((values, codes), (scale, less)) in blocks.zip(scales.iter_mut().zip(less)) {
        let mut most = [0.0f32; 8];
        for part in values.as_chunks::<8>().0 {
            for (m, v) in most.iter_mut().zip(part) {
                *m = if v.abs() > *m { v.abs() } else { *m };
            }
        }
        let most = most.iter().fold(0.0f32, |m, v| m.max(*v));
        *scale = most / 127.0;
        let inverse = if most > 0.0 { 127.0 / most } else { 0.0 };
        let mut whole = [0i32; BLOCK];
        for (w, v) in whole.iter_mut().zip(values) {
            // The low bits of the sum are the integer; a clamp guards against what is not a number.
            *w = (((v * inverse) + ROUND).to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32).clamp(-127, 127);
        }
        *less = -whole.iter().sum::<i32>();
        for (c, w) in codes.iter_mut().zip(whole) {
            *c = w as i8;
        }
    }
}
