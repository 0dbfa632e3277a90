//! Inputs of a product, rounded to 8 bits: one scale for every 32 values of a token.

use std::cell::RefCell;

use super::level::{Level, by_level};
use super::pack::BLOCK;
use super::product::{PARTS, Product};
use super::team::Pieces;
use super::vector::{add, rms_norm};

/// Tokens that a thread takes at a time, at most: pixels of a picture are many and small.
const RUN: usize = 32;

thread_local! {
    /// One token; grows to the widest, then stays.
    static TOKEN: RefCell<Vec<f32>> = RefCell::default();
}

/// Rounded inputs of some tokens. Buffers grow and are kept.
#[derive(Debug, Default)]
pub struct Activations {
    columns: usize,
    tokens: usize,
    codes: Vec<i8>,
    scales: Vec<f32>,
    /// Minus the sum of a block's codes.
    less: Vec<i32>,
    /// The values as they are, where they are kept.
    whole: Vec<f32>,
    keeps: bool,
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
    /// `[tokens, columns]` as they are; empty where they are not kept.
    pub whole: &'a [f32],
}

impl Activations {
    /// Keeps the values as they are, too: matrices of f16 ([`Packed::sixteen`](super::Packed::sixteen)) are multiplied with those.
    #[must_use]
    pub fn whole() -> Self {
        Self { keeps: true, ..Self::default() }
    }

    /// Makes room for `tokens` of `columns` values, and of zeros up to a multiple of 32.
    pub(super) fn prepare(&mut self, tokens: usize, columns: usize) {
        (self.tokens, self.columns) = (tokens, columns.next_multiple_of(BLOCK));
        let blocks = self.tokens * self.columns / BLOCK;
        self.codes.resize(blocks * BLOCK, 0);
        self.scales.resize(blocks, 0.0);
        self.less.resize(blocks, 0);
        self.whole.resize(if self.keeps { blocks * BLOCK } else { 0 }, 0.0);
    }

    /// Rounds `x`, `[tokens, columns]`.
    pub fn round(&mut self, p: &mut Product<'_>, x: &[f32], columns: usize) {
        let tokens = x.len() / columns.max(1);
        if !columns.is_multiple_of(BLOCK) {
            return self.fill(p, (tokens, columns), |t, token| token.copy_from_slice(&x[t * columns..][..columns]));
        }
        self.prepare(tokens, columns);
        if self.keeps {
            self.whole.copy_from_slice(&x[..tokens * columns]);
        }
        let level = p.level;
        self.each(p, |t, codes, scales, less| round(level, &x[t * columns..][..columns], codes, scales, less));
    }

    /// Rounds `values`, as many as there is room for.
    pub(super) fn take(&mut self, level: Level, values: &[f32]) {
        round(level, values, &mut self.codes, &mut self.scales, &mut self.less);
    }

    /// Makes token `t` of some of `from`'s tokens, one after the other; of none where nothing stands.
    pub(super) fn join(&mut self, t: usize, from: &Self, tokens: &[Option<usize>]) {
        let (columns, blocks) = (from.columns, from.columns / BLOCK);
        for (n, token) in (t * tokens.len()..).zip(tokens) {
            let (codes, scales, less) =
                (n * columns..(n + 1) * columns, n * blocks..(n + 1) * blocks, n * blocks..(n + 1) * blocks);
            if let Some(token) = token {
                let rows = from.rows(*token, 1);
                self.codes[codes].copy_from_slice(rows.codes);
                self.scales[scales].copy_from_slice(rows.scales);
                self.less[less].copy_from_slice(rows.less);
            } else {
                self.codes[codes].fill(0);
                self.scales[scales].fill(0.0);
                self.less[less].fill(0);
            }
        }
    }

    /// Has `work` write all values of each of some tokens of so many columns, and rounds them.
    pub fn fill(
        &mut self,
        p: &mut Product<'_>,
        (tokens, columns): (usize, usize),
        work: impl Fn(usize, &mut [f32]) + Sync,
    ) {
        self.prepare(tokens, columns);
        let (level, mut whole) = (p.level, std::mem::take(&mut self.whole));
        let kept = (!whole.is_empty()).then(|| Pieces::new(&mut whole, self.columns));
        self.each(p, |t, codes, scales, less| {
            TOKEN.with_borrow_mut(|token| {
                token.clear();
                token.resize(codes.len(), 0.0);
                work(t, &mut token[..columns]);
                round(level, token, codes, scales, less);
                if let Some(kept) = &kept {
                    // SAFETY: each token is one part of the job.
                    unsafe { kept.get(t) }.copy_from_slice(token);
                }
            });
        });
        self.whole = whole;
    }

    /// Adds `more` to `x` (both `[tokens, weight.len()]`), where there is any, and rounds what RMSNorm makes of it.
    pub fn norm(&mut self, p: &mut Product<'_>, x: &mut [f32], more: Option<&[f32]>, weight: &[f32], eps: f32) {
        let (level, columns) = (p.level, weight.len());
        let tokens = x.len() / columns.max(1);
        let pieces = Pieces::new(x, columns);
        self.fill(p, (tokens, columns), |t, token| {
            // SAFETY: each token is one part of the job.
            let x = unsafe { pieces.get(t) };
            if let Some(more) = more {
                add(x, &more[t * columns..][..columns]);
            }
            rms_norm(level, x, weight, eps, token);
        });
    }

    /// Calls `work` with each token's number and room.
    fn each(&mut self, p: &mut Product<'_>, work: impl Fn(usize, &mut [i8], &mut [f32], &mut [i32]) + Sync) {
        let (tokens, blocks) = (self.tokens, self.columns / BLOCK);
        let (codes, scales, less) = (
            Pieces::new(&mut self.codes, self.columns),
            Pieces::new(&mut self.scales, blocks),
            Pieces::new(&mut self.less, blocks),
        );
        let run = (tokens / (PARTS * p.team.threads())).clamp(1, RUN);
        p.team.run(tokens.div_ceil(run), &|part: usize| {
            for t in part * run..tokens.min((part + 1) * run) {
                // SAFETY: each token belongs to one part of the job.
                let (codes, scales, less) = unsafe { (codes.get(t), scales.get(t), less.get(t)) };
                work(t, codes, scales, less);
            }
        });
    }

    /// How many tokens.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// Values of a token, a multiple of 32.
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
            whole: if self.keeps { &self.whole[from * self.columns..][..tokens * self.columns] } else { &[] },
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
