//! Products in f32: of windows that overlap (convolutions of sound, Fourier transforms as a matrix), and of the pixels of a tile with a narrow matrix.
//!
//! What comes before all else keeps its precision: rounded to 8 bits in blocks of 32, a loud sample would drown those around it.

use super::level::{Level, by_level};
use super::pack::ROWS;
use super::product::Product;
use super::team::Pieces;
use super::vector::madd;

/// Windows taken at once: as many as registers hold sums of.
const TILE: usize = 6;
/// Windows of a part of a job.
const RUN: usize = 8 * TILE;

/// A matrix of f32, in strips of 16 outputs.
#[derive(Debug)]
pub struct Dense {
    inputs: usize,
    outputs: usize,
    /// `[strips, inputs, 16]`.
    strips: Vec<[f32; ROWS]>,
}

impl Dense {
    /// From `weights`, `[outputs, inputs]`. None when they are of another size.
    #[must_use]
    pub fn new((outputs, inputs): (usize, usize), weights: &[f32]) -> Option<Self> {
        if weights.len() != outputs * inputs || weights.is_empty() {
            return None;
        }
        let mut strips = vec![[0.0; ROWS]; outputs.div_ceil(ROWS) * inputs];
        for (o, row) in weights.chunks_exact(inputs).enumerate() {
            for (to, w) in strips[o / ROWS * inputs..].iter_mut().zip(row) {
                to[o % ROWS] = *w;
            }
        }
        Some(Self { inputs, outputs, strips })
    }

    /// Values of a window.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Values that come of it.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    pub(super) fn strips(&self) -> usize {
        self.outputs.div_ceil(ROWS)
    }

    /// Sums of strip `s` for as many windows as `out` has room for, `hop` values from one to the next.
    pub(super) fn sums(&self, level: Level, s: usize, (x, hop): (&[f32], usize), out: &mut [[f32; ROWS]]) {
        strip_of(level, &self.strips[s * self.inputs..][..self.inputs], x, hop, out);
    }

    /// `out = windows Wᵀ`, where a window of `x` begins every `hop` values: `out` is `[windows, outputs]`, and as many windows are taken as it has room for.
    pub fn apply(&self, p: &mut Product<'_>, x: &[f32], hop: usize, out: &mut [f32]) {
        let windows = out.len() / self.outputs;
        assert!(
            windows == 0 || (windows - 1) * hop + self.inputs <= x.len(),
            "{windows} windows of {} do not fit: this is a bug",
            x.len()
        );
        let level = p.level;
        let out = Pieces::new(out, self.outputs);
        p.team.run(windows.div_ceil(RUN), &|part: usize| {
            let end = windows.min((part + 1) * RUN);
            let first = part * RUN;
            let mut sums = [[0.0; ROWS]; RUN];
            for s in 0..self.strips() {
                let some = ROWS.min(self.outputs - s * ROWS);
                let sums = &mut sums[..end - first];
                self.sums(level, s, (&x[first * hop..], hop), sums);
                for (t, sums) in sums.iter().enumerate() {
                    // SAFETY: each window is of one part of the job.
                    let out = unsafe { out.get(first + t) };
                    out[s * ROWS..][..some].copy_from_slice(&sums[..some]);
                }
            }
        });
    }
}

by_level!(
    /// The sums of one strip for some windows.
    fn strip_of(level, strip: &[[f32; ROWS]], x: &[f32], hop: usize, out: &mut [[f32; ROWS]]) = strip_body
);

#[inline(always)]
fn strip_body<const FMA: bool>(strip: &[[f32; ROWS]], x: &[f32], hop: usize, out: &mut [[f32; ROWS]]) {
    let (many, rest) = out.as_chunks_mut::<TILE>();
    let whole = many.len() * TILE;
    for (n, out) in many.iter_mut().enumerate() {
        *out = windows::<FMA, TILE>(strip, &x[n * TILE * hop..], hop);
    }
    for (n, out) in (whole..).zip(rest) {
        [*out] = windows::<FMA, 1>(strip, &x[n * hop..], hop);
    }
}

#[inline(always)]
fn windows<const FMA: bool, const N: usize>(strip: &[[f32; ROWS]], x: &[f32], hop: usize) -> [[f32; ROWS]; N] {
    let mut sums = [[0.0; ROWS]; N];
    let mut windows = [x; N];
    windows.iter_mut().enumerate().for_each(|(n, w)| *w = &x[n * hop..][..strip.len()]);
    for (i, w) in strip.iter().enumerate() {
        for (sums, window) in sums.iter_mut().zip(&windows) {
            let v = window[i];
            sums.iter_mut().zip(w).for_each(|(sum, w)| *sum = madd::<FMA>(v, *w, *sum));
        }
    }
    sums
}
