//! A checked view of an `RgbFrame`, and the small luma picture of a frame.
//!
//! Floor 1. In: `RgbFrame`, or a plane of luma. Out: [`Pixels`], [`Thumb`]. A frame whose bytes do not fit its size gives nothing.

use crate::base::{BBox, RgbFrame};

/// A frame whose `data` is known to hold `width * height` pixels, at least one.
#[derive(Debug, Clone, Copy)]
pub struct Pixels<'a> {
    width: usize,
    height: usize,
    data: &'a [u8],
}

impl<'a> Pixels<'a> {
    /// Checks the frame; `None` when it has no pixels or its data is of another length than its size says.
    #[must_use]
    pub fn of(frame: &'a RgbFrame) -> Option<Self> {
        let (width, height) = (usize::try_from(frame.width).ok()?, usize::try_from(frame.height).ok()?);
        let bytes = width.checked_mul(height)?.checked_mul(3)?;
        (bytes > 0 && frame.data.len() == bytes).then_some(Self { width, height, data: &frame.data })
    }

    /// Pixels per row.
    #[must_use]
    pub const fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    #[must_use]
    pub const fn height(&self) -> usize {
        self.height
    }

    /// All bytes, `height * width * 3`.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.data
    }

    /// One row, `width * 3` bytes. Rows below the last are the last.
    #[must_use]
    pub fn row(&self, y: usize) -> &'a [u8] {
        let at = y.min(self.height - 1) * self.width * 3;
        &self.data[at..at + self.width * 3]
    }

    /// `bbox` in whole pixels, `(x0, y0, x1, y1)` with `x0 < x1 <= width` and `y0 < y1 <= height`: at least one pixel.
    #[must_use]
    pub fn area(&self, bbox: &BBox) -> (usize, usize, usize, usize) {
        let (x0, x1) = span(bbox.x0, bbox.x1, self.width);
        let (y0, y1) = span(bbox.y0, bbox.y1, self.height);
        (x0, y0, x1, y1)
    }
}

/// A fraction pair as a pixel range, never empty.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=1 before the cast")]
#[expect(clippy::cast_precision_loss, reason = "picture sides are far below 2^24")]
fn span(a: f32, b: f32, len: usize) -> (usize, usize) {
    let at = |v: f32| (if v.is_nan() { 0.0 } else { v.clamp(0.0, 1.0) } * len as f32).round() as usize;
    let start = at(a).min(len - 1);
    (start, at(b).clamp(start + 1, len))
}

/// A luma picture of 64×48 cells, each the mean of its part of the frame, `0.0..=1.0`.
#[derive(Debug, Clone, PartialEq)]
pub struct Thumb {
    cells: Vec<f32>,
}

impl Thumb {
    /// Cells per row.
    pub const W: usize = 64;
    /// Rows of cells.
    pub const H: usize = 48;
    /// Side of a patch in cells; change and motion are counted in patches.
    pub const PATCH: usize = 4;
    /// Patches in the whole picture.
    pub const PATCHES: usize = (Self::W / Self::PATCH) * (Self::H / Self::PATCH);
    /// Samples along each side of a cell: enough to average sensor noise away, few enough to stay far below a millisecond.
    const SAMPLES: usize = 5;

    /// Averages the frame into cells.
    #[must_use]
    pub fn of(pixels: &Pixels<'_>) -> Self {
        let of = |sums: &[u16], x: usize| luma([sums[x * 3], sums[x * 3 + 1], sums[x * 3 + 2]]);
        Self::averaged((pixels.width, pixels.height), (0.0, 65_280.0), |y| pixels.row(y), of)
    }

    /// Averages a plane of luma into cells: `width` × `height` samples in rows of `stride`, black at `black`, white at `white` (16 and 235 of video of
    /// limited range). Y' of BT.601 is what [`Self::of`] makes of RGB, but for rounding and for colours that RGB cannot hold; Y' of BT.709 weighs green more.
    /// `None` where the plane is too short, or has no samples.
    #[must_use]
    pub fn of_luma(plane: &[u8], stride: usize, size: (usize, usize), (black, white): (f32, f32)) -> Option<Self> {
        let (width, height) = size;
        let end = height.checked_sub(1)?.checked_mul(stride)?.checked_add(width)?;
        let fits = width > 0 && width <= stride && end <= plane.len() && white > black;
        let row = |y: usize| &plane[y * stride..][..width];
        fits.then(|| Self::averaged(size, (black, white - black), row, |sums, x| u32::from(sums[x])))
    }

    /// The mean of what `at` finds in each cell, from `low` on, by `range`. `at` is given the sums of a cell's rows, byte by byte, and a column: rows are added up
    /// first, many bytes at a time, and only then columns are picked.
    fn averaged<'a>(
        (width, height): (usize, usize),
        (low, range): (f32, f32),
        row: impl Fn(usize) -> &'a [u8],
        at: impl Fn(&[u16], usize) -> u32,
    ) -> Self {
        let (columns, rows) = (ticks(width, Self::W), ticks(height, Self::H));
        let (across, down) = (columns.len() / Self::W, rows.len() / Self::H);
        #[expect(clippy::cast_precision_loss, reason = "at most 25 samples of at most 65,280")]
        let mean = |sum: u32| ((sum as f32 / (across * down) as f32 - low) / range).clamp(0.0, 1.0);
        let (mut sums, mut cells) = (vec![0_u16; row(0).len()], Vec::with_capacity(Self::W * Self::H));
        for rows in rows.chunks_exact(down) {
            sums.fill(0);
            for &y in rows {
                sums.iter_mut().zip(row(y)).for_each(|(sum, byte)| *sum += u16::from(*byte));
            }
            cells.extend(columns.chunks_exact(across).map(|cell| mean(cell.iter().map(|x| at(&sums, *x)).sum())));
        }
        Self { cells }
    }

    /// All cells, row by row.
    #[must_use]
    pub fn cells(&self) -> &[f32] {
        &self.cells
    }

    /// The same with those cells of a newer one whose middle lies in `part`.
    #[must_use]
    pub(super) fn patched(&self, newer: &Self, part: &BBox) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "at most 64")]
        let middle = |i: usize, of: usize| (i as f32 + 0.5) / of as f32;
        let within = |i: usize| {
            let (x, y) = (middle(i % Self::W, Self::W), middle(i / Self::W, Self::H));
            (part.x0..part.x1).contains(&x) && (part.y0..part.y1).contains(&y)
        };
        let pairs = self.cells.iter().zip(&newer.cells).enumerate();
        Self { cells: pairs.map(|(i, (old, new))| if within(i) { *new } else { *old }).collect() }
    }

    /// Mean brightness, `0.0..=1.0`.
    #[must_use]
    pub fn mean(&self) -> f32 {
        mean(&self.cells)
    }

    /// Standard deviation of the cells: 0 for one flat colour.
    #[must_use]
    pub fn deviation(&self) -> f32 {
        let m = self.mean();
        mean(&self.cells.iter().map(|c| (c - m) * (c - m)).collect::<Vec<_>>()).sqrt()
    }

    /// The brightest cell but for the top twentieth.
    #[must_use]
    pub fn high(&self) -> f32 {
        let mut cells = self.cells.clone();
        cells.sort_by(f32::total_cmp);
        cells[cells.len() * 19 / 20]
    }

    /// How alike the structure is whatever the light: normalised cross-correlation, `-1.0..=1.0`; 0 when either is flat.
    #[must_use]
    pub fn likeness(&self, other: &Self) -> f32 {
        let (ma, mb) = (self.mean(), other.mean());
        let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
        for (a, b) in self.cells.iter().zip(&other.cells) {
            ab += (a - ma) * (b - mb);
            aa += (a - ma) * (a - ma);
            bb += (b - mb) * (b - mb);
        }
        if aa <= 1e-6 || bb <= 1e-6 { 0.0 } else { ab / (aa * bb).sqrt() }
    }

    /// Mean absolute difference of every patch, row by row ([`Self::PATCHES`] of them).
    /// A `lift` is taken from every cell of `other` first, so that a change of light alone does not count.
    #[must_use]
    pub fn patch_differences(&self, other: &Self, lift: f32) -> Vec<f32> {
        let per_row = Self::W / Self::PATCH;
        let mut sums = vec![0.0_f32; Self::PATCHES];
        for (i, (a, b)) in self.cells.iter().zip(&other.cells).enumerate() {
            let (x, y) = (i % Self::W, i / Self::W);
            sums[y / Self::PATCH * per_row + x / Self::PATCH] += (a - b + lift).abs();
        }
        #[expect(clippy::cast_precision_loss, reason = "a small constant")]
        let n = (Self::PATCH * Self::PATCH) as f32;
        sums.into_iter().map(|s| s / n).collect()
    }
}

/// Luma in 1/256 steps (BT.601 weights): of one pixel `0..=65_280`, of sums of pixels their luma's sum.
fn luma(rgb: [u16; 3]) -> u32 {
    u32::from(rgb[0]) * 77 + u32::from(rgb[1]) * 150 + u32::from(rgb[2]) * 29
}

/// Sample positions along one side: as many for each cell, at least one.
fn ticks(len: usize, cells: usize) -> Vec<usize> {
    let n = cells * Thumb::SAMPLES.min(len.div_ceil(cells));
    (0..n).map(|i| ((i * len + len / 2) / n).min(len - 1)).collect()
}

#[expect(clippy::cast_precision_loss, reason = "3072 values")]
fn mean(values: &[f32]) -> f32 {
    if values.is_empty() { 0.0 } else { values.iter().sum::<f32>() / values.len() as f32 }
}

#[cfg(test)]
mod tests {
    use super::{Pixels, Thumb};
    use crate::base::BBox;
    use crate::watch::testing::{flat, frame};

    #[test]
    fn a_frame_whose_bytes_do_not_fit_its_size_is_refused() {
        let mut f = flat(4, 4, [1, 2, 3]);
        f.width = 5;
        assert!(Pixels::of(&f).is_none());
        f.width = u32::MAX;
        f.height = u32::MAX;
        assert!(Pixels::of(&f).is_none());
        assert!(Pixels::of(&flat(0, 4, [0; 3])).is_none());
    }

    #[test]
    fn brightness_of_a_flat_frame_is_its_luma_at_every_size() {
        for (w, h) in [(1, 1), (4096, 1), (1, 999), (641, 479), (64, 48)] {
            let f = flat(w, h, [255, 255, 255]);
            let t = Thumb::of(&Pixels::of(&f).unwrap());
            assert!((t.mean() - 1.0).abs() < 1e-3 && t.deviation() < 1e-3, "{w}x{h}: {}", t.mean());
        }
    }

    #[test]
    fn luma_of_video_is_that_of_its_colours() {
        let f = frame(322, 242, |x, y| [(x % 256) as u8, (y % 256) as u8, ((x + y) / 3 % 256) as u8]);
        let pixels = Pixels::of(&f).unwrap();
        let (stride, mut plane) = (324, vec![7_u8; 324 * 242]);
        for (i, rgb) in f.data.chunks_exact(3).enumerate() {
            let y = 16.0 + super::luma([rgb[0], rgb[1], rgb[2]].map(u16::from)) as f32 * 219.0 / 65_280.0;
            plane[i / 322 * stride + i % 322] = y.round() as u8;
        }
        let (of_colours, of_luma) =
            (Thumb::of(&pixels), Thumb::of_luma(&plane, stride, (322, 242), (16.0, 235.0)).unwrap());
        let off = of_colours.cells().iter().zip(of_luma.cells()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(off < 0.002, "{off}");
        for (stride, size) in [(321, (322, 242)), (324, (322, 243)), (324, (0, 242)), (324, (322, 0))] {
            assert!(Thumb::of_luma(&plane, stride, size, (16.0, 235.0)).is_none(), "{stride} {size:?}");
        }
    }

    #[test]
    fn likeness_ignores_light_and_sees_structure() {
        let a = frame(320, 240, |x, _| [if x < 160 { 40 } else { 160 }; 3]);
        let b = frame(320, 240, |x, _| [if x < 160 { 80 } else { 200 }; 3]);
        let c = frame(320, 240, |x, _| [if x < 160 { 160 } else { 40 }; 3]);
        let t = |f| Thumb::of(&Pixels::of(f).unwrap());
        assert!(t(&a).likeness(&t(&b)) > 0.95);
        assert!(t(&a).likeness(&t(&c)) < -0.95);
    }

    #[test]
    fn an_area_always_holds_a_pixel() {
        let f = flat(3, 3, [0; 3]);
        let p = Pixels::of(&f).unwrap();
        for b in [BBox::new(1.0, 1.0, 1.0, 1.0), BBox::new(0.0, 0.0, 0.0, 0.0), BBox::FULL] {
            let (x0, y0, x1, y1) = p.area(&b);
            assert!(x0 < x1 && x1 <= 3 && y0 < y1 && y1 <= 3);
        }
    }
}
