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
        let (here, there) = (outside(&self.thumb, other), outside(&other.thumb, self));
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

/// By how much the cells of every patch lie outside what `other` has around them, added up.
fn outside(thumb: &Thumb, other: &Glance) -> Vec<f32> {
    let patches = thumb.cells().chunks_exact(Thumb::W * Thumb::PATCH);
    let bounds = other.low.chunks_exact(Thumb::W * Thumb::PATCH).zip(other.high.chunks_exact(Thumb::W * Thumb::PATCH));
    let mut sums = Vec::with_capacity(Thumb::PATCHES);
    for (cells, (low, high)) in patches.zip(bounds) {
        // Rows first, many cells at a time.
        let mut line = [0.0_f32; Thumb::W];
        let rows = low.chunks_exact(Thumb::W).zip(high.chunks_exact(Thumb::W));
        for (cells, (low, high)) in cells.chunks_exact(Thumb::W).zip(rows) {
            let bounds = low.iter().zip(high);
            line.iter_mut()
                .zip(cells.iter().zip(bounds))
                .for_each(|(sum, (v, (low, high)))| *sum += (v - high).max(low - v).max(0.0));
        }
        sums.extend(line.chunks_exact(Thumb::PATCH).map(|cells| cells.iter().sum::<f32>()));
    }
    sums
}

/// Of each cell and those around it the one that `pick` takes: the least, or the greatest. Row by row, many cells at a time.
fn around(cells: &[f32], pick: impl Fn(f32, f32) -> f32) -> Vec<f32> {
    let mut lines = cells.to_vec();
    for (picked, row) in lines.chunks_exact_mut(Thumb::W).zip(cells.chunks_exact(Thumb::W)) {
        picked[1..].iter_mut().zip(row).for_each(|(cell, before)| *cell = pick(*cell, *before));
        picked.iter_mut().zip(&row[1..]).for_each(|(cell, after)| *cell = pick(*cell, *after));
    }
    let mut picked = lines.clone();
    picked[Thumb::W..].iter_mut().zip(&lines).for_each(|(cell, above)| *cell = pick(*cell, *above));
    picked.iter_mut().zip(&lines[Thumb::W..]).for_each(|(cell, below)| *cell = pick(*cell, *below));
    picked
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
    fn rows_at_a_time_come_to_what_cell_by_cell_does() {
        let (a, b) = (glance(&scene(0.0, 0.0)), glance(&scene(37.0, -21.0)));
        let around = |glance: &Glance, cell: usize| {
            let (x, y) = (cell % Thumb::W, cell / Thumb::W);
            let rows = y.saturating_sub(1)..=(y + 1).min(Thumb::H - 1);
            let columns = x.saturating_sub(1)..=(x + 1).min(Thumb::W - 1);
            let cells =
                rows.flat_map(|y| columns.clone().map(move |x| y * Thumb::W + x)).map(|i| glance.thumb.cells()[i]);
            cells.fold((f32::MAX, f32::MIN), |(low, high), v| (v.min(low), v.max(high)))
        };
        let mut sums = [(0.0_f32, 0.0_f32); Thumb::PATCHES];
        for cell in 0..Thumb::W * Thumb::H {
            let ((low, high), (v, w)) = (around(&b, cell), (a.thumb.cells()[cell], b.thumb.cells()[cell]));
            assert_eq!((b.low[cell], b.high[cell]), (low, high), "cell {cell}");
            let (other_low, other_high) = around(&a, cell);
            let patch = cell / Thumb::W / Thumb::PATCH * (Thumb::W / Thumb::PATCH) + cell % Thumb::W / Thumb::PATCH;
            sums[patch].0 += (v - high).max(low - v).max(0.0);
            sums[patch].1 += (w - other_high).max(other_low - w).max(0.0);
        }
        let beyond = a.beyond(&b);
        assert!(beyond.iter().any(|d| *d > 0.01), "something differs");
        for (patch, (ours, (here, there))) in beyond.iter().zip(sums).enumerate() {
            assert!((ours - here.max(there) / 16.0).abs() < 1e-6, "patch {patch}: {ours}");
        }
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
