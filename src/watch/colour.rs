//! Shares of the eleven basic colours in an area of a frame.
//!
//! Floor 1. In: [`Pixels`], a box. Out: [`ColourShare`]s. Loses: nothing (large areas are sampled).
//! Source: the eleven basic terms of Berlin & Kay, "Basic Color Terms" (1969); the borders in hue, saturation and value are ours,
//! set by named swatches and real photographs.

use super::pixels::Pixels;
use super::{Colour, ColourShare};
use crate::base::BBox;

/// Pixels looked at per area, at most.
const SAMPLES: usize = 4_096;
/// Only this inner part of an object's box is looked at: the rim is mostly background.
const INNER: f32 = 0.7;
/// Shares below this are noise and are left out.
const LEAST_SHARE: f32 = 0.03;
/// A dim picture is brightened by at most this factor before colours are named.
const MOST_GAIN: f32 = 1.6;

/// How much brighter a dim picture must be thought before its colours are named, so that white paper stays white in the evening.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exposure(f32);

impl Exposure {
    /// Takes colours as they are.
    pub const NONE: Self = Self(1.0);

    /// From the whole picture: its bright parts are taken to be lit surfaces. A picture without contrast is left as it is.
    #[must_use]
    pub fn of(pixels: &Pixels<'_>) -> Self {
        let mut values: Vec<u8> = Vec::with_capacity(SAMPLES);
        each(pixels, &BBox::FULL, |p: &[u8; 3]| values.push(p[0].max(p[1]).max(p[2])));
        values.sort_unstable();
        let at = |share: usize| f32::from(values[(values.len() * share / 100).min(values.len() - 1)]) / 255.0;
        let (low, high) = (at(5), at(97));
        if high - low < 0.25 || high < 0.2 { Self::NONE } else { Self((0.9 / high).clamp(1.0, MOST_GAIN)) }
    }
}

/// Colours of `area`, largest share first; shares below 3 % are left out.
#[must_use]
pub fn shares(pixels: &Pixels<'_>, area: &BBox, exposure: Exposure) -> Vec<ColourShare> {
    let mut counts = [0_u32; ALL.len()];
    each(pixels, area, |p| counts[name(p, exposure.0) as usize] += 1);
    let total: u32 = counts.iter().sum();
    #[expect(clippy::cast_precision_loss, reason = "a few thousand samples")]
    let share = |n: u32| n as f32 / total.max(1) as f32;
    let mut out: Vec<ColourShare> =
        ALL.iter().zip(counts).map(|(colour, n)| ColourShare { colour: *colour, share: share(n) }).collect();
    out.retain(|s| s.share >= LEAST_SHARE);
    out.sort_by(|a, b| b.share.total_cmp(&a.share));
    out
}

/// The colour that dominates the inner part of an object's box: at least 40 % of it, or, behind black, white and grey
/// (shadow, highlight, background), a real colour of at least 30 % that is the largest of the real ones.
#[must_use]
pub fn dominant(pixels: &Pixels<'_>, bbox: &BBox, exposure: Exposure) -> Option<ColourShare> {
    let (cx, cy) = bbox.centre();
    let (w, h) = (bbox.width() * INNER / 2.0, bbox.height() * INNER / 2.0);
    let found = shares(pixels, &BBox::new(cx - w, cy - h, cx + w, cy + h), exposure);
    let real =
        found.iter().find(|s| !matches!(s.colour, Colour::Black | Colour::White | Colour::Grey) && s.share >= 0.3);
    real.or_else(|| found.first().filter(|s| s.share >= 0.4)).copied()
}

/// Every basic colour, in the order of the enum.
const ALL: [Colour; 11] = [
    Colour::Black,
    Colour::White,
    Colour::Grey,
    Colour::Red,
    Colour::Orange,
    Colour::Yellow,
    Colour::Green,
    Colour::Blue,
    Colour::Purple,
    Colour::Pink,
    Colour::Brown,
];

/// Calls `look` with at most about [`SAMPLES`] pixels spread evenly over `area`.
fn each(pixels: &Pixels<'_>, area: &BBox, mut look: impl FnMut(&[u8; 3])) {
    let (x0, y0, x1, y1) = pixels.area(area);
    let side = SAMPLES.isqrt();
    let (step_x, step_y) = ((x1 - x0).div_ceil(side), (y1 - y0).div_ceil(side));
    for y in (y0..y1).step_by(step_y) {
        for x in (x0..x1).step_by(step_x) {
            look(&block(pixels, x, y, x1, y1));
        }
    }
}

/// The mean of up to 3×3 pixels from `(x, y)` on: sensor noise tints single grey pixels.
fn block(pixels: &Pixels<'_>, x: usize, y: usize, x1: usize, y1: usize) -> [u8; 3] {
    let (mut sums, mut n) = ([0_u32; 3], 0_u32);
    for row in (y..(y + 3).min(y1)).map(|y| pixels.row(y)) {
        for p in row[x * 3..(x + 3).min(x1) * 3].chunks_exact(3) {
            for (sum, v) in sums.iter_mut().zip(p) {
                *sum += u32::from(*v);
            }
            n += 1;
        }
    }
    sums.map(|sum| u8::try_from(sum / n.max(1)).unwrap_or(u8::MAX))
}

/// The basic colour of one pixel.
fn name(rgb: &[u8; 3], gain: f32) -> Colour {
    let [r, g, b] = rgb.map(|v| (f32::from(v) / 255.0 * gain).min(1.0));
    let (max, min) = (r.max(g).max(b), r.min(g).min(b));
    let chroma = max - min;
    let saturation = if max > 0.0 { chroma / max } else { 0.0 };
    if max < 0.16 || (max < 0.24 && saturation < 0.4) {
        return Colour::Black;
    }
    // A cast of warm or cold light tints bright surfaces most visibly, hence the wider margin for white.
    if saturation < 0.15 || chroma < 0.07 || (max > 0.82 && saturation < 0.19) {
        return if max > 0.78 { Colour::White } else { Colour::Grey };
    }
    by_hue(hue(r, g, b, max, chroma), saturation, max)
}

/// Hue in degrees, `0.0..360.0`.
fn hue(r: f32, g: f32, b: f32, max: f32, chroma: f32) -> f32 {
    let sixth = if max <= r {
        (g - b) / chroma
    } else if max <= g {
        (b - r) / chroma + 2.0
    } else {
        (r - g) / chroma + 4.0
    };
    (sixth * 60.0).rem_euclid(360.0)
}

fn by_hue(hue: f32, saturation: f32, value: f32) -> Colour {
    match hue {
        h if !(12.0..345.0).contains(&h) => match () {
            () if value > 0.7 && saturation < 0.55 => Colour::Pink,
            () if h < 12.0 && value < 0.5 && saturation < 0.6 => Colour::Brown,
            () => Colour::Red,
        },
        h if h < 17.0 && saturation > 0.8 && value > 0.45 => Colour::Red,
        h if h < 42.0 => match () {
            () if value < 0.66 || (saturation < 0.55 && value < 0.9) => Colour::Brown,
            () if saturation < 0.4 && h < 28.0 => Colour::Pink,
            () if saturation < 0.4 => Colour::Brown,
            () => Colour::Orange,
        },
        h if h < 70.0 => match () {
            () if value < 0.55 && h < 50.0 => Colour::Brown,
            () if value < 0.55 => Colour::Green,
            () => Colour::Yellow,
        },
        h if h < 178.0 => Colour::Green,
        h if h < 256.0 => Colour::Blue,
        h if h < 305.0 => Colour::Purple,
        h if h < 332.0 => {
            if value > 0.75 {
                Colour::Pink
            } else {
                Colour::Purple
            }
        }
        _ => {
            if value > 0.6 {
                Colour::Pink
            } else {
                Colour::Red
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Exposure, dominant, shares};
    use crate::base::{BBox, RgbFrame};
    use crate::watch::testing::{flat, frame};
    use crate::watch::{Colour, Pixels};

    fn first(f: &RgbFrame) -> Colour {
        shares(&Pixels::of(f).unwrap(), &BBox::FULL, Exposure::NONE)[0].colour
    }

    /// CSS colours and everyday things whose name nobody doubts.
    const SWATCHES: [([u8; 3], Colour); 32] = [
        ([0, 0, 0], Colour::Black),
        ([25, 25, 28], Colour::Black),
        ([255, 255, 255], Colour::White),
        ([240, 235, 225], Colour::White),
        ([128, 128, 128], Colour::Grey),
        ([169, 169, 169], Colour::Grey),
        ([90, 95, 100], Colour::Grey),
        ([255, 0, 0], Colour::Red),
        ([139, 0, 0], Colour::Red),
        ([220, 20, 60], Colour::Red),
        ([200, 30, 35], Colour::Red),
        ([255, 165, 0], Colour::Orange),
        ([255, 140, 0], Colour::Orange),
        ([240, 120, 40], Colour::Orange),
        ([255, 255, 0], Colour::Yellow),
        ([255, 215, 0], Colour::Yellow),
        ([235, 215, 60], Colour::Yellow),
        ([0, 128, 0], Colour::Green),
        ([0, 255, 0], Colour::Green),
        ([60, 110, 50], Colour::Green),
        ([34, 139, 34], Colour::Green),
        ([0, 0, 255], Colour::Blue),
        ([0, 0, 128], Colour::Blue),
        ([70, 130, 180], Colour::Blue),
        ([135, 206, 235], Colour::Blue),
        ([128, 0, 128], Colour::Purple),
        ([148, 0, 211], Colour::Purple),
        ([255, 192, 203], Colour::Pink),
        ([255, 105, 180], Colour::Pink),
        ([139, 69, 19], Colour::Brown),
        ([160, 110, 70], Colour::Brown),
        ([101, 67, 33], Colour::Brown),
    ];

    #[test]
    fn well_known_swatches_have_their_names() {
        for (rgb, want) in SWATCHES {
            assert_eq!(first(&flat(8, 8, rgb)), want, "{rgb:?}");
        }
    }

    #[test]
    fn noise_does_not_change_the_main_colour() {
        for (rgb, want) in SWATCHES {
            let noisy = frame(64, 64, |x, y| {
                let n = |k: u32| i32::try_from((x * 7 + y * 13 + x * y * 3 + k * 5) % 25).unwrap() - 12;
                let add = |v: u8, k| u8::try_from((i32::from(v) + n(k)).clamp(0, 255)).unwrap();
                [add(rgb[0], 0), add(rgb[1], 1), add(rgb[2], 2)]
            });
            assert_eq!(first(&noisy), want, "{rgb:?}");
        }
    }

    #[test]
    fn colours_keep_their_names_at_two_thirds_of_the_light() {
        let dim = |v: u8| (f32::from(v) * 0.65) as u8;
        for (rgb, want) in SWATCHES.into_iter().filter(|(rgb, _)| rgb.iter().any(|v| *v > 140)) {
            // Some black, some white, half the swatch: black and white say how bright the light is.
            let f = frame(64, 64, |x, _| {
                if x < 8 {
                    [10; 3]
                } else if x < 32 {
                    [dim(255); 3]
                } else {
                    rgb.map(dim)
                }
            });
            let p = Pixels::of(&f).unwrap();
            let got = shares(&p, &BBox::new(0.6, 0.0, 1.0, 1.0), Exposure::of(&p));
            assert_eq!(got[0].colour, want, "{rgb:?}");
        }
    }

    #[test]
    fn shares_add_up_and_follow_the_area() {
        let f = frame(100, 100, |x, _| if x < 70 { [255, 0, 0] } else { [0, 0, 255] });
        let got = shares(&Pixels::of(&f).unwrap(), &BBox::FULL, Exposure::NONE);
        assert_eq!(got[0].colour, Colour::Red);
        assert!((got[0].share - 0.7).abs() < 0.02 && (got[1].share - 0.3).abs() < 0.02);
    }

    #[test]
    fn an_object_is_named_by_its_own_colour_not_by_the_background_in_its_box() {
        let f = frame(100, 100, |x, y| if x.abs_diff(50) + y.abs_diff(50) < 45 { [200, 30, 35] } else { [255; 3] });
        let p = Pixels::of(&f).unwrap();
        assert_eq!(dominant(&p, &BBox::FULL, Exposure::NONE).unwrap().colour, Colour::Red);
    }

    #[test]
    fn a_medley_has_no_dominant_colour() {
        let f = frame(100, 100, |x, _| [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0]][x as usize / 4 % 4]);
        assert_eq!(dominant(&Pixels::of(&f).unwrap(), &BBox::FULL, Exposure::NONE), None);
    }
}
