//! Where the taps of a convolution fall, and a depthwise convolution over [pixels, channels]: every tap is one run of multiply-adds over neighbouring channels.
//!
//! Floor 2. In: f32 [rows·columns, channels]. Out: single pixels. Loses: nothing.
//! A block of channels stays in registers over all taps (`kernels::taps`).

use std::ops::Range;

use super::Refused;
use crate::model::kernels::{self, Finish, Level, Product};

/// Taps along one side, at most.
pub(in crate::model) const KERNEL: usize = 7;

/// Taps along each side, how far they move, and what stands around the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::model) struct Steps {
    pub(in crate::model) kernel: usize,
    pub(in crate::model) stride: usize,
    /// Rows above, columns left, rows below, columns right of the picture: the order of ONNX.
    pub(in crate::model) pads: [usize; 4],
}

impl Steps {
    /// Over a picture of so many rows and columns.
    ///
    /// # Errors
    /// The picture is smaller than the window.
    pub(in crate::model) fn over(&self, from: (usize, usize)) -> Refused<Window> {
        let [top, left, bottom, right] = self.pads;
        let along = |len: usize, pads: usize| {
            let moves = (len + pads).checked_sub(self.kernel).ok_or("a picture smaller than the window over it")?;
            Ok::<_, String>(moves / self.stride + 1)
        };
        let to = (along(from.0, top + bottom)?, along(from.1, left + right)?);
        Ok(Window { kernel: self.kernel, stride: self.stride, pads: (top, left), from, to })
    }
}

/// Where the taps of a convolution over one picture fall.
#[derive(Debug, Clone, Copy)]
pub(in crate::model) struct Window {
    pub(in crate::model) kernel: usize,
    pub(in crate::model) stride: usize,
    /// Rows above and columns left of the picture.
    pub(in crate::model) pads: (usize, usize),
    /// Rows and columns.
    pub(in crate::model) from: (usize, usize),
    /// Rows and columns.
    pub(in crate::model) to: (usize, usize),
}

impl Window {
    /// Pixels that come out.
    pub(in crate::model) fn pixels(&self) -> usize {
        self.to.0 * self.to.1
    }

    /// The taps along one side that lie inside, and where the first one falls.
    fn inside(&self, at: usize, pad: usize, len: usize) -> (Range<usize>, usize) {
        let start = at * self.stride;
        let first = pad.saturating_sub(start);
        let end = (len + pad).saturating_sub(start).min(self.kernel).max(first);
        (first..end, start + first - pad.min(start + first))
    }

    /// Each row of taps of pixel `i` that lies inside: the number of its first tap, that of the pixel it falls on, and how many follow.
    pub(in crate::model) fn runs(&self, i: usize) -> impl Iterator<Item = (usize, usize, usize)> + use<> {
        let (ys, y0) = self.inside(i / self.to.1, self.pads.0, self.from.0);
        let (xs, x0) = self.inside(i % self.to.1, self.pads.1, self.from.1);
        let (kernel, row) = (self.kernel, self.from.1);
        ys.enumerate().map(move |(dy, ky)| (ky * kernel + xs.start, (y0 + dy) * row + x0, xs.len()))
    }

    /// Patch `i` of a picture: (kernel, kernel, channels); what lies outside the picture stays as it was.
    pub(in crate::model) fn patch<T: Copy>(
        &self,
        (x, channels): (&[T], usize),
        i: usize,
        patch: &mut [f32],
        real: impl Fn(T) -> f32,
    ) {
        for (tap, pixel, len) in self.runs(i) {
            let to = &mut patch[tap * channels..(tap + len) * channels];
            let Some(source) = x.get(pixel * channels..(pixel + len) * channels) else { continue };
            to.iter_mut().zip(source).for_each(|(to, v)| *to = real(*v));
        }
    }

    /// The pixel under each tap of patch `i`; what lies outside the picture stays as it was.
    pub(in crate::model) fn name(&self, i: usize, names: &mut [Option<usize>]) {
        for (tap, pixel, len) in self.runs(i) {
            names[tap..tap + len].iter_mut().zip(pixel..).for_each(|(name, pixel)| *name = Some(pixel));
        }
    }
}

/// A depthwise convolution with its weights (kernel, kernel, channels).
pub(in crate::model) struct Depthwise {
    pub(in crate::model) channels: usize,
    pub(in crate::model) weight: Vec<f32>,
    pub(in crate::model) bias: Vec<f32>,
    pub(in crate::model) limits: (f32, f32),
}

impl Depthwise {
    /// Writes pixel `first` and following of the convolution of `x` into rows of `row` values.
    pub(in crate::model) fn pixels(
        &self,
        level: Level,
        (w, x): (&Window, &[f32]),
        first: usize,
        (rows, row): (&mut [f32], usize),
    ) {
        for (i, pixel) in (first..).zip(rows.chunks_exact_mut(row)) {
            self.pixel(level, (w, x), i, &mut pixel[..self.channels]);
        }
    }

    /// The convolution of `x`, and what follows it.
    ///
    /// # Errors
    /// `x` has another number of pixels or channels.
    pub(super) fn whole(
        &self,
        p: &mut Product<'_>,
        (w, x): (&Window, &[f32]),
        finish: Finish,
        out: &mut [f32],
    ) -> Refused<()> {
        if x.len() != w.from.0 * w.from.1 * self.channels {
            return Err("a depthwise convolution got a tensor of another shape".into());
        }
        let level = p.level;
        p.team.pieces(out, w.to.1 * self.channels, |y, row| {
            self.pixels(level, (w, x), y * w.to.1, (row, self.channels));
            kernels::finish(level, finish, row);
        });
        Ok(())
    }

    /// Pixel `i`.
    fn pixel(&self, level: Level, (w, x): (&Window, &[f32]), i: usize, out: &mut [f32]) {
        let (mut taps, mut n) = ([(0, 0); KERNEL * KERNEL], 0);
        for (tap, pixel, len) in w.runs(i) {
            for d in 0..len {
                taps[n] = ((pixel + d) * self.channels, (tap + d) * self.channels);
                n += 1;
            }
        }
        kernels::taps(level, x, &self.weight, &taps[..n], &self.bias, self.limits, out);
    }
}

#[cfg(test)]
pub(in crate::model) mod tests {
    use proptest::prelude::*;

    use super::{Depthwise, Level, Window};

    /// The definition, tap by tap.
    pub(in crate::model) fn plainly(d: &Depthwise, w: &Window, x: &[f32]) -> Vec<f32> {
        let mut out = Vec::new();
        for oy in 0..w.to.0 {
            for ox in 0..w.to.1 {
                for c in 0..d.channels {
                    let mut sum = d.bias[c];
                    for ky in 0..w.kernel {
                        for kx in 0..w.kernel {
                            let (y, x0) = (oy * w.stride + ky, ox * w.stride + kx);
                            if y >= w.pads.0 && y < w.from.0 + w.pads.0 && x0 >= w.pads.1 && x0 < w.from.1 + w.pads.1 {
                                let at = ((y - w.pads.0) * w.from.1 + x0 - w.pads.1) * d.channels + c;
                                sum += x[at] * d.weight[(ky * w.kernel + kx) * d.channels + c];
                            }
                        }
                    }
                    out.push(sum.clamp(d.limits.0, d.limits.1));
                }
            }
        }
        out
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn blocks_of_channels_compute_the_definition(
            rows in 1..9_usize, columns in 1..9_usize, kernel in prop::sample::select(vec![1_usize, 3, 5]),
            stride in 1..3_usize, channels in prop::sample::select(vec![1_usize, 16, 33, 48, 67])
        ) {
            let to = (rows.div_ceil(stride), columns.div_ceil(stride));
            let pad = |out: usize, len: usize| ((out - 1) * stride + kernel).saturating_sub(len) / 2;
            let window = Window { kernel, stride, pads: (pad(to.0, rows), pad(to.1, columns)), from: (rows, columns), to };
            let value = |i: usize| ((i * 37 + 11) % 23) as f32 / 7.0 - 1.5;
            let d = Depthwise {
                channels,
                weight: (0..kernel * kernel * channels).map(value).collect(),
                bias: (0..channels).map(|i| value(i + 5)).collect(),
                limits: (0.0, 6.0),
            };
            let x: Vec<f32> = (0..rows * columns * channels).map(|i| value(i * 3)).collect();
            for level in Level::all() {
                let mut pixel = vec![0.0; channels];
                for (i, wanted) in plainly(&d, &window, &x).chunks_exact(channels).enumerate() {
                    d.pixel(level, (&window, &x), i, &mut pixel);
                    prop_assert!(pixel.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-3));
                }
            }
        }
    }
}
