//! A depthwise convolution over [pixels, channels]: every tap is one run of multiply-adds over neighbouring channels.
//!
//! Floor 2. In: f32 [rows·columns, channels]. Out: the same, smaller by the stride, rounded for the product that follows. Loses: what rounding to 8 bits loses.
//! A block of channels stays in registers over all taps (`kernels::taps`).

use std::ops::Range;

use crate::model::kernels::{self, Activations, Level, Product};

/// Taps along one side, at most.
pub(super) const KERNEL: usize = 7;

/// Where the taps of a convolution fall.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub(super) kernel: usize,
    pub(super) stride: usize,
    /// Rows above and columns left of the picture.
    pub(super) pads: (usize, usize),
    /// Rows and columns.
    pub(super) from: (usize, usize),
    /// Rows and columns.
    pub(super) to: (usize, usize),
}

impl Window {
    /// The taps along one side that lie inside, and where the first one falls.
    fn inside(&self, at: usize, pad: usize, len: usize) -> (Range<usize>, usize) {
        let start = at * self.stride;
        let first = pad.saturating_sub(start);
        let end = (len + pad).saturating_sub(start).min(self.kernel).max(first);
        (first..end, start + first - pad.min(start + first))
    }

    /// Patch `i` of an RGB picture: (kernel, kernel, 3) real numbers, `(byte - zero) * scale`; what lies outside the picture stays as it was.
    pub(super) fn patch(&self, rgb: &[u8], (scale, zero): (f32, f32), i: usize, patch: &mut [f32]) {
        let (ys, y0) = self.inside(i / self.to.1, self.pads.0, self.from.0);
        let (xs, x0) = self.inside(i % self.to.1, self.pads.1, self.from.1);
        for (dy, ky) in ys.enumerate() {
            let to = &mut patch[(ky * self.kernel + xs.start) * 3..(ky * self.kernel + xs.end) * 3];
            let at = ((y0 + dy) * self.from.1 + x0) * 3;
            let Some(source) = rgb.get(at..at + to.len()) else { continue };
            for (v, byte) in to.iter_mut().zip(source) {
                *v = (f32::from(*byte) - zero) * scale;
            }
        }
    }
}

/// The convolution with its weights (kernel, kernel, channels).
pub(super) struct Depthwise {
    pub(super) window: Window,
    pub(super) channels: usize,
    pub(super) weight: Vec<f32>,
    pub(super) bias: Vec<f32>,
    pub(super) limits: (f32, f32),
}

impl Depthwise {
    /// The convolution of `x`, rounded.
    ///
    /// # Errors
    /// `x` has another number of pixels or channels.
    pub(super) fn round(&self, p: &mut Product<'_>, x: &[f32], to: &mut Activations) -> Result<(), String> {
        let w = &self.window;
        if x.len() != w.from.0 * w.from.1 * self.channels {
            return Err("a depthwise convolution got a tensor of another shape".into());
        }
        let level = p.level;
        to.fill(p, (w.to.0 * w.to.1, self.channels), |i, pixel| self.pixel(level, x, i, pixel));
        Ok(())
    }

    /// Pixel `i`.
    fn pixel(&self, level: Level, x: &[f32], i: usize, out: &mut [f32]) {
        let w = &self.window;
        let (ys, y0) = w.inside(i / w.to.1, w.pads.0, w.from.0);
        let (xs, x0) = w.inside(i % w.to.1, w.pads.1, w.from.1);
        let (mut taps, mut n) = ([(0, 0); KERNEL * KERNEL], 0);
        for (dy, ky) in ys.enumerate() {
            let row = (y0 + dy) * w.from.1 + x0;
            for (dx, kx) in xs.clone().enumerate() {
                taps[n] = ((row + dx) * self.channels, (ky * w.kernel + kx) * self.channels);
                n += 1;
            }
        }
        kernels::taps(level, x, &self.weight, &taps[..n], &self.bias, self.limits, out);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::{Depthwise, Level, Window};

    /// The definition, tap by tap.
    pub(in crate::model::classify) fn plainly(d: &Depthwise, x: &[f32]) -> Vec<f32> {
        let w = d.window;
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
                window,
                channels,
                weight: (0..kernel * kernel * channels).map(value).collect(),
                bias: (0..channels).map(|i| value(i + 5)).collect(),
                limits: (0.0, 6.0),
            };
            let x: Vec<f32> = (0..rows * columns * channels).map(|i| value(i * 3)).collect();
            for level in Level::all() {
                let mut pixel = vec![0.0; channels];
                for (i, wanted) in plainly(&d, &x).chunks_exact(channels).enumerate() {
                    d.pixel(level, &x, i, &mut pixel);
                    prop_assert!(pixel.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-3));
                }
            }
        }
    }
}
