//! Cuts a part out of a frame and scales it, antialiased.
//!
//! Floor 2. In: [`Pixels`], a part in pixels. Out: packed RGB bytes. Loses: nothing.
//! Source: separable resampling with a triangle kernel as wide as the step (Pillow's `BILINEAR`). Written here because the crate for
//! it compiled a kernel for every pixel format into ours, more than a minute on two cores, for two milliseconds a frame.

use crate::watch::Pixels;

/// A part of a picture in pixels; may lie between pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Part {
    /// Left edge.
    pub x: f64,
    /// Top edge.
    pub y: f64,
    /// Width.
    pub w: f64,
    /// Height.
    pub h: f64,
}

impl Part {
    /// The whole picture.
    #[must_use]
    pub fn whole(pixels: &Pixels<'_>) -> Self {
        Self { x: 0.0, y: 0.0, w: side(pixels.width()), h: side(pixels.height()) }
    }

    /// The pixels from `x0` and `y0` to before `x1` and `y1`.
    #[must_use]
    pub fn between(x0: usize, y0: usize, x1: usize, y1: usize) -> Self {
        Self { x: side(x0), y: side(y0), w: side(x1.saturating_sub(x0)), h: side(y1.saturating_sub(y0)) }
    }

    /// Moved and shrunk into the picture, at least one pixel each way.
    fn within(self, pixels: &Pixels<'_>) -> Self {
        let fit = |at: f64, len: f64, side: f64| {
            let len = if len.is_finite() { len.clamp(1.0, side) } else { side };
            (if at.is_finite() { at.clamp(0.0, side - len) } else { 0.0 }, len)
        };
        let ((x, w), (y, h)) = (fit(self.x, self.w, side(pixels.width())), fit(self.y, self.h, side(pixels.height())));
        Self { x, y, w, h }
    }
}

/// Longest side of a scaled picture.
const LONGEST: u32 = 8_192;

/// `part` of the picture scaled to `width * height`: `height * width * 3` bytes of RGB.
///
/// # Errors
/// A message when the size asked for is zero or above 8192 a side.
pub fn resample(from: &Pixels<'_>, part: Part, width: u32, height: u32) -> Result<Vec<u8>, String> {
    if !(1..=LONGEST).contains(&width) || !(1..=LONGEST).contains(&height) {
        return Err(format!("cannot scale a picture to {width}x{height}"));
    }
    let part = part.within(from);
    let columns = taps(part.x, part.w, width, from.width());
    let rows = taps(part.y, part.h, height, from.height());
    // Only the columns that some tap reads.
    let left = columns.iter().map(|t| t.first).min().unwrap_or(0);
    let right = columns.iter().map(|t| t.first + t.weights.len()).max().unwrap_or(0);
    let mut mixed = vec![0.0_f32; (right - left) * 3];
    let mut out = Vec::with_capacity(columns.len() * rows.len() * 3);
    for row in &rows {
        mixed.fill(0.0);
        for (k, weight) in row.weights.iter().enumerate() {
            let source = &from.row(row.first + k)[left * 3..right * 3];
            for (sum, v) in mixed.iter_mut().zip(source) {
                *sum += weight * f32::from(*v);
            }
        }
        for column in &columns {
            let mut rgb = [0.5_f32; 3];
            let pixels = mixed[(column.first - left) * 3..].chunks_exact(3);
            for (weight, p) in column.weights.iter().zip(pixels) {
                for (sum, v) in rgb.iter_mut().zip(p) {
                    *sum += weight * v;
                }
            }
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a mean of bytes plus a half")]
            out.extend(rgb.map(|v| v as u8));
        }
    }
    Ok(out)
}

/// The source pixels that make one target pixel; the weights sum to one.
struct Taps {
    first: usize,
    weights: Vec<f32>,
}

/// Taps of `count` target pixels over `len` source pixels from `start` on; `limit`: pixels that there are.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the side of a picture first")]
fn taps(start: f64, len: f64, count: u32, limit: usize) -> Vec<Taps> {
    let step = len / f64::from(count);
    let reach = step.max(1.0);
    let last = side(limit.saturating_sub(1));
    let one = |i: u32| {
        let centre = start + (f64::from(i) + 0.5) * step - 0.5;
        let first = (centre - reach).ceil().clamp(0.0, last) as usize;
        let end = (centre + reach).floor().clamp(0.0, last) as usize;
        let weight = |at: usize| (1.0 - (side(at) - centre).abs() / reach).max(0.0) as f32;
        let mut weights: Vec<f32> = (first..=end.max(first)).map(weight).collect();
        let sum: f32 = weights.iter().sum();
        if sum > 0.0 {
            weights.iter_mut().for_each(|w| *w /= sum);
        } else {
            weights[0] = 1.0;
        }
        Taps { first, weights }
    };
    (0..count).map(one).collect()
}

#[expect(clippy::cast_precision_loss, reason = "picture sides are far below 2^52")]
fn side(v: usize) -> f64 {
    v as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Part, resample};
    use crate::watch::Pixels;
    use crate::watch::testing::{flat, frame};

    #[test]
    fn a_part_is_cut_out_where_it_is() {
        let f = frame(40, 20, |x, _| if x < 20 { [200, 0, 0] } else { [0, 0, 200] });
        let p = Pixels::of(&f).unwrap();
        let right = resample(&p, Part { x: 22.0, y: 0.0, w: 18.0, h: 20.0 }, 5, 3).unwrap();
        assert!(right.len() == 45 && right.chunks(3).all(|p| p == [0, 0, 200]));
    }

    #[test]
    fn the_same_size_changes_nothing_and_half_the_size_is_the_mean() {
        let f = frame(8, 4, |x, y| [(x * 20) as u8, (y * 30) as u8, 7]);
        let p = Pixels::of(&f).unwrap();
        assert_eq!(resample(&p, Part::whole(&p), 8, 4).unwrap(), f.data.to_vec());
        let stripes = frame(64, 64, |x, _| [if x % 2 == 0 { 0 } else { 200 }; 3]);
        let p = Pixels::of(&stripes).unwrap();
        let half = resample(&p, Part::whole(&p), 32, 32).unwrap();
        assert!(half[3 * 4..3 * 28].iter().all(|v| v.abs_diff(100) <= 1), "no aliasing");
    }

    proptest! {
        #[test]
        fn any_part_of_any_size_scales_without_panic(
            w in 1..70_u32, h in 1..70_u32, x in -99.0..99.0_f64, y in prop::num::f64::ANY, pw in prop::num::f64::ANY, tw in 1..50_u32
        ) {
            let f = flat(w, h, [9; 3]);
            let p = Pixels::of(&f).unwrap();
            let got = resample(&p, Part { x, y, w: pw, h: 7.0 }, tw, 8).unwrap();
            prop_assert!(got.len() == tw as usize * 8 * 3 && got.iter().all(|v| v.abs_diff(9) <= 1));
        }
    }

    #[test]
    fn long_strips_scale_and_an_empty_target_is_refused() {
        for (w, h) in [(4096, 1), (1, 4096)] {
            let f = flat(w, h, [9; 3]);
            let p = Pixels::of(&f).unwrap();
            assert_eq!(resample(&p, Part::whole(&p), 16, 8).unwrap().len(), 16 * 8 * 3);
            assert!(resample(&p, Part::whole(&p), 0, 8).is_err() && resample(&p, Part::whole(&p), 8, 9000).is_err());
        }
    }
}
