//! Products in f32 of windows that overlap: convolutions of sound, and Fourier transforms as a matrix.
//!
//! What comes before all else keeps its precision: rounded to 8 bits in blocks of 32, a loud sample would drown those around it.

use super::level::by_level;
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
            for (s, strip) in self.strips.chunks_exact(self.inputs).enumerate() {
                let some = ROWS.min(self.outputs - s * ROWS);
                for first in (part * RUN..end).step_by(TILE) {
                    let mut sums = [[0.0; ROWS]; TILE];
                    let many = TILE.min(end - first);
                    windows_of(level, strip, &x[first * hop..], (hop, many), &mut sums);
                    for (t, sums) in sums.iter().enumerate().take(many) {
                        // SAFETY: each window is of one part of the job.
                        let out = unsafe { out.get(first + t) };
                        out[s * ROWS..][..some].copy_from_slice(&sums[..some]);
                    }
                }
            }
        });
    }
}

by_level!(
    fn windows_of(level, strip: &[[f32; ROWS]], x: &[f32], shape: (usize, usize), sums: &mut [[f32; ROWS]; TILE]) = windows_body
);

/// The sums of one strip for some windows.
#[inline(always)]
fn windows_body<const FMA: bool>(
    strip: &[[f32; ROWS]],
    x: &[f32],
    (hop, many): (usize, usize),
    sums: &mut [[f32; ROWS]; TILE],
) {
    // Windows that are not there are the last one again.
    let windows: [&[f32]; TILE] = std::array::from_fn(|t| &x[t.min(many - 1) * hop..][..strip.len()]);
    let mut all = [[0.0f32; ROWS]; TILE];
    for (i, w) in strip.iter().enumerate() {
        for (sums, window) in all.iter_mut().zip(&windows) {
            let v = window[i];
            for (sum, w) in sums.iter_mut().zip(w) {
                *sum = madd::<FMA>(v, *w, *sum);
            }
        }
    }
    *sums = all;
}
