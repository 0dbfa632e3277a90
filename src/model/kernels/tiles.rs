//! Products of many pixels with a few narrow matrices: convolutions.
//!
//! A tile of pixels is rounded where it is multiplied, by all matrices that take it, and what comes out is finished before it is written: what stands between
//! stays in the nearest caches. Matrices in f32 take it as it is.

use std::cell::RefCell;

use super::activation::Activations;
use super::curve::{Finish, finish_body};
use super::dense::Dense;
use super::level::{Level, by_level};
use super::pack::{BLOCK, Packed, ROWS};
use super::product::{Out, PARTS, Product, SCRATCH, Scratch, strip};
use super::vector::madd;

/// Pixels of a tile, at most.
const TILE: usize = 64;
/// Strips for which the threads of a small picture round the same pixels.
const RUN: usize = 4;
/// Pixels that make a patch, at most.
const TAPS: usize = 49;

/// Where the inputs of some pixels come from.
pub enum Tokens<'a> {
    /// `[pixels, columns]`, columns a multiple of 32.
    Ready(&'a [f32]),
    /// Writes some pixels, the first of which has this number, into zeros of `[some, columns rounded up to a multiple of 32]`.
    Written(&'a (dyn Fn(usize, &mut [f32]) + Sync)),
    /// Each pixel's inputs are those of so many pixels that were rounded, of none beyond the edge: names them.
    Patches(&'a Activations, usize, &'a (dyn Fn(usize, &mut [Option<usize>]) + Sync)),
}

/// A matrix of either kind.
#[derive(Debug)]
pub enum Grid {
    /// Of 8 bits; its inputs are rounded.
    Eight(Packed),
    /// In f32.
    Whole(Dense),
}

impl Grid {
    /// Outputs.
    #[must_use]
    pub fn rows(&self) -> usize {
        match self {
            Self::Eight(m) => m.rows(),
            Self::Whole(m) => m.outputs(),
        }
    }

    fn strips(&self) -> usize {
        match self {
            Self::Eight(m) => m.strips(),
            Self::Whole(m) => m.strips(),
        }
    }

    fn takes(&self, columns: usize) -> bool {
        match self {
            Self::Eight(m) => m.columns() == columns.next_multiple_of(BLOCK),
            Self::Whole(m) => m.inputs() == columns,
        }
    }
}

/// A matrix, what becomes of its sums, and where they go.
pub struct Weights<'a> {
    /// The matrix.
    pub matrix: &'a Grid,
    /// What the sum of each row is multiplied with.
    pub gain: &'a [f32],
    /// What is added then.
    pub bias: &'a [f32],
    /// What follows.
    pub finish: Finish,
    /// `[pixels, rows]`.
    pub out: &'a mut [f32],
}

thread_local! {
    /// A tile before and after rounding; grows to the widest, then stays.
    static TILE_ROOM: RefCell<(Vec<f32>, Activations)> = RefCell::default();
}

/// `out = finish(gain · x Wᵀ + bias)` for some matrices over the same pixels of `columns` values.
pub fn convolve(p: &mut Product<'_>, (pixels, columns): (usize, usize), from: &Tokens<'_>, to: &mut [Weights<'_>]) {
    let padded = columns.next_multiple_of(BLOCK);
    let rounded_before = matches!(from, Tokens::Patches(..));
    assert!(from.fits(pixels, columns), "inputs of another shape: this is a bug");
    for w in &*to {
        let rows = w.matrix.rows();
        assert!(
            w.matrix.takes(columns)
                && !(rounded_before && matches!(w.matrix, Grid::Whole(_)))
                && w.gain.len() == rows
                && w.bias.len() == rows,
            "shapes differ: this is a bug"
        );
    }
    let outs: Vec<Out> = to.iter_mut().map(|w| Out::new(w.out, w.matrix.rows(), pixels)).collect();
    let (to, level, threads) = (&*to, p.level, p.team.threads());
    let strips: usize = to.iter().map(|w| w.matrix.strips()).sum();
    let tile = if threads == 1 { TILE } else { (pixels / (PARTS * threads)).next_multiple_of(8).clamp(8, TILE) };
    let tiles = pixels.div_ceil(tile);
    // So few pixels that threads would have nothing to do share the rows instead.
    let runs = if tiles < threads { strips.div_ceil(RUN).min(PARTS * threads) } else { 1 };
    let run = strips.div_ceil(runs.max(1));
    p.team.run(tiles * runs, &|part: usize| {
        let first = part / runs * tile;
        let some = tile.min(pixels - first);
        TILE_ROOM.with_borrow_mut(|(values, rounded)| {
            let x = from.values((first, some, padded), values);
            if x.is_none() || to.iter().any(|w| matches!(w.matrix, Grid::Eight(_))) {
                rounded.prepare(some, padded);
                from.round(level, first, x, rounded);
            }
            let tile = (x.unwrap_or(&[]), &*rounded);
            let mut before = 0;
            for (w, out) in to.iter().zip(&outs) {
                let own = part % runs * run..(part % runs + 1) * run;
                let strips = own.start.max(before)..own.end.min(before + w.matrix.strips());
                for s in strips {
                    // This strip of this tile is this part's alone.
                    one(level, w, s - before, (out, first), tile);
                }
                before += w.matrix.strips();
            }
        });
    });
}

/// Strip `s` of a tile that begins at pixel `first`, which no other thread may write.
fn one(level: Level, w: &Weights<'_>, s: usize, (out, first): (&Out, usize), (x, rounded): (&[f32], &Activations)) {
    SCRATCH.with_borrow_mut(|Scratch { codes, sums, .. }| {
        match w.matrix {
            Grid::Eight(m) => strip(level, m, s, &rounded.rows(0, rounded.tokens()), (codes, sums)),
            Grid::Whole(m) => {
                let row = m.inputs().next_multiple_of(BLOCK);
                sums.resize(x.len() / row, [0.0; ROWS]);
                m.sums(level, s, (x, row), sums);
            }
        }
        let (mut gain, mut bias) = ([0.0; ROWS], [0.0; ROWS]);
        let rows = s * ROWS..w.matrix.rows().min((s + 1) * ROWS);
        gain[..rows.len()].copy_from_slice(&w.gain[rows.clone()]);
        bias[..rows.len()].copy_from_slice(&w.bias[rows.clone()]);
        end(level, sums, (&gain, &bias), w.finish, out, (first, rows.start, rows.len()));
    });
}

by_level!(
    /// Writes what becomes of some sums: rows `at.1` and `at.2` more of the tokens from `at.0` on, which no other thread may write.
    fn end(
        level,
        sums: &mut [[f32; ROWS]],
        line: (&[f32], &[f32]),
        finish: Finish,
        out: &Out,
        at: (usize, usize, usize)
    ) = end_body
);

#[inline(always)]
fn end_body<const FMA: bool>(
    sums: &mut [[f32; ROWS]],
    (gain, bias): (&[f32], &[f32]),
    finish: Finish,
    out: &Out,
    (first, from, some): (usize, usize, usize),
) {
    // Slices, though they are as long as the sums of a token: a loop of known length is unrolled first, and then its tokens are gathered lane by lane.
    for sums in &mut *sums {
        for (v, (g, b)) in sums.iter_mut().zip(gain.iter().zip(bias)) {
            *v = madd::<FMA>(*v, *g, *b);
        }
    }
    finish_body::<FMA>(finish, sums.as_flattened_mut());
    // SAFETY: the caller's promise.
    unsafe { out.write(first, (from, some), sums) };
}

impl Tokens<'_> {
    fn fits(&self, pixels: usize, columns: usize) -> bool {
        match self {
            Self::Ready(x) => columns.is_multiple_of(BLOCK) && x.len() >= pixels * columns,
            Self::Written(_) => true,
            Self::Patches(of, taps, _) => (1..=TAPS).contains(taps) && of.columns() * taps == columns,
        }
    }

    /// The values of `some` pixels from `first` on, if they are not rounded yet.
    fn values<'v>(&'v self, (first, some, padded): (usize, usize, usize), room: &'v mut Vec<f32>) -> Option<&'v [f32]> {
        match self {
            Self::Ready(x) => Some(&x[first * padded..][..some * padded]),
            Self::Written(write) => {
                room.clear();
                room.resize(some * padded, 0.0);
                write(first, room);
                Some(room)
            }
            Self::Patches(..) => None,
        }
    }

    /// Rounds pixels from `first` on, whose values are these.
    fn round(&self, level: Level, first: usize, x: Option<&[f32]>, to: &mut Activations) {
        if let Some(x) = x {
            return to.take(level, x);
        }
        if let Self::Patches(of, taps, name) = self {
            let mut names = [None; TAPS];
            for t in 0..to.tokens() {
                names.fill(None);
                name(first + t, &mut names[..*taps]);
                to.join(t, of, &names[..*taps]);
            }
        }
    }
}
