//! What differs between two pictures beyond what a tremble explains, and how far the camera turned between them.
//!
//! Floor 1. In: two [`Glance`]s. Out: differences by patch, a displacement. Loses: nothing.
//! A cell counts as the same when its brightness lies within the range of its neighbours in the other picture: whatever shifts by less than a cell, as in a
//! hand that is not quite still, is a mixture of neighbours. (The idea of clamping to a neighbourhood in temporal anti-aliasing, Karis 2014.)

use super::pixels::Thumb;
use crate::base::BBox;

/// Displacements that are tried, in cells each way.
const REACH: i32 = 10;

/// A picture, ready to be compared.
#[derive(Debug, Clone)]
pub struct Glance {
    thumb: Thumb,
    low: Vec<f32>,
    high: Vec<f32>,
    columns: Vec<f32>,
    rows: Vec<f32>,
}

impl Glance {
    /// Prepares `thumb`; some tens of microseconds.
    #[must_use]
    pub fn of(thumb: Thumb) -> Self {
        let (low, high) = (around(thumb.cells(), f32::min), around(thumb.cells(), f32::max));
        let (mut columns, mut rows) = (vec![0.0; Thumb::W], vec![0.0; Thumb::H]);
        for (i, cell) in thumb.cells().iter().enumerate() {
            columns[i % Thumb::W] += cell;
            rows[i / Thumb::W] += cell;
        }
        columns.iter_mut().for_each(|v| *v /= length(Thumb::H));
        rows.iter_mut().for_each(|v| *v /= length(Thumb::W));
        Self { thumb, low, high, columns, rows }
    }

    /// Of every patch ([`Thumb::PATCHES`]), the mean luma by which cells lie outside what the other picture has around them, whichever way
    /// is more: something new, or something gone.
    #[must_use]
    pub fn beyond(&self, other: &Self) -> Vec<f32> {
        let (mut here, mut there) = (vec![0.0_f32; Thumb::PATCHES], vec![0.0_f32; Thumb::PATCHES]);
        let outside = |v: f32, low: f32, high: f32| (v - high).max(low - v).max(0.0);
        for (i, (a, b)) in self.thumb.cells().iter().zip(other.thumb.cells()).enumerate() {
            let patch = i / Thumb::W / Thumb::PATCH * (Thumb::W / Thumb::PATCH) + i % Thumb::W / Thumb::PATCH;
            here[patch] += outside(*a, other.low[i], other.high[i]);
            there[patch] += outside(*b, self.low[i], self.high[i]);
        }
        let cells = length(Thumb::PATCH * Thumb::PATCH);
        here.into_iter().zip(there).map(|(a, b)| a.max(b) / cells).collect()
    }

    /// This picture with a part of a newer one laid over it.
    #[must_use]
    pub(super) fn patched(&self, newer: &Self, part: &BBox) -> Self {
        Self::of(self.thumb.patched(&newer.thumb, part))
    }

    /// How far what is seen moved since `before`, as fractions of width and height; at most ten cells each way. From the means of columns and rows alone.
    #[must_use]
    pub fn displaced(&self, before: &Self) -> (f32, f32) {
        let x = along(&self.columns, &before.columns) / length(Thumb::W);
        let y = along(&self.rows, &before.rows) / length(Thumb::H);
        (x, y)
    }
}

/// Of each cell and those around it the one that `pick` takes: the least, or the greatest.
fn around(cells: &[f32], pick: impl Fn(f32, f32) -> f32) -> Vec<f32> {
    let (w, h) = (Thumb::W, Thumb::H);
    let of_three = |cells: &[f32], i: usize, step: usize, at: usize, len: usize| {
        let before = if at > 0 { cells[i - step] } else { cells[i] };
        let after = if at + 1 < len { cells[i + step] } else { cells[i] };
        pick(cells[i], pick(before, after))
    };
    let lines: Vec<f32> = (0..w * h).map(|i| of_three(cells, i, 1, i % w, w)).collect();
    (0..w * h).map(|i| of_three(&lines, i, w, i / w, h)).collect()
}

/// The displacement at which two profiles are most alike, in cells; parts of a cell by a parabola through the best and its neighbours.
fn along(now: &[f32], before: &[f32]) -> f32 {
    let apart = |by: i32| {
        let shift = usize::try_from(by.unsigned_abs()).unwrap_or(0);
        let (a, b) = if by >= 0 { (now, &before[shift..]) } else { (&now[shift..], before) };
        let sum: f32 = a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum();
        sum / length(now.len() - shift)
    };
    let best = (-REACH..=REACH).min_by(|a, b| apart(*a).total_cmp(&apart(*b)).then(a.abs().cmp(&b.abs()))).unwrap_or(0);
    let (left, middle, right) = (apart(best - 1), apart(best), apart(best + 1));
    let bend = left - 2.0 * middle + right;
    let part = if bend > 1e-9 { (0.5 * (left - right) / bend).clamp(-0.5, 0.5) } else { 0.0 };
    #[expect(clippy::cast_precision_loss, reason = "ten at most")]
    let whole = best as f32;
    whole + part
}

#[expect(clippy::cast_precision_loss, reason = "sides of a thumb")]
const fn length(n: usize) -> f32 {
    n as f32
}

#[cfg(test)]
mod tests {
    use super::Glance;
    use crate::watch::testing::{flat, frame};
    use crate::watch::{Pixels, Thumb};

    fn glance(f: &crate::base::RgbFrame) -> Glance {
        Glance::of(Thumb::of(&Pixels::of(f).unwrap()))
    }

    /// A smooth picture, as things and shadows are at ten pixels a cell, seen from `dx`, `dy` pixels aside.
    fn scene(dx: f32, dy: f32) -> crate::base::RgbFrame {
        frame(640, 480, move |x, y| {
            let (x, y) = (x as f32 + dx, y as f32 + dy);
            let v = (x * 0.021).sin() + (y * 0.017).sin() + (x * 0.05 + y * 0.04).sin() + (x * 0.008 - 1.0).cos();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within a byte")]
            let v = (128.0 + 30.0 * v) as u8;
            [v; 3]
        })
    }

    #[test]
    fn a_tremble_is_no_change_and_a_thing_that_comes_or_goes_is() {
        let still = glance(&scene(0.0, 0.0));
        let most = |other: &Glance| other.beyond(&still).into_iter().fold(0.0, f32::max);
        assert!(most(&glance(&scene(6.0, -5.0))) < 0.01);
        let mut hand = scene(0.0, 0.0);
        let mut data = hand.data.to_vec();
        (400..480).for_each(|y| data[(y * 640 + 560) * 3..(y * 640 + 640) * 3].fill(255));
        hand.data = data.into();
        let hand = glance(&hand);
        assert!(hand.beyond(&still).iter().filter(|d| **d > 0.1).count() >= 2);
        assert_eq!(hand.beyond(&still), still.beyond(&hand), "come or gone is one difference");
    }

    #[test]
    fn the_camera_turning_is_told_in_its_direction_and_measure() {
        let still = glance(&scene(0.0, 0.0));
        for (dx, dy) in [(0.0, 0.0), (15.0, 0.0), (-32.0, 7.0), (0.0, -22.0), (64.0, 20.0)] {
            let (x, y) = glance(&scene(dx, dy)).displaced(&still);
            assert!(
                (x * 640.0 - dx).abs() < 6.0 && (y * 480.0 - dy).abs() < 6.0,
                "{dx} {dy}: {} {}",
                x * 640.0,
                y * 480.0
            );
        }
        let grey = glance(&flat(64, 48, [90; 3]));
        assert_eq!(grey.displaced(&grey), (0.0, 0.0), "nothing to go by is no movement");
    }
}
