//! How weights lie in memory: strips of 16 rows, so that a vector instruction works on 16 rows at once and no sum crosses lanes.
//!
//! A weight is `scale * (code - zero) + offset`. Codes have 4, 5 or 8 bits; scale and offset are f16, one for every 32 columns of a row. A strip holds
//! the codes of all its blocks of 32 columns, then their scales, then their offsets. Within a block, byte `64 v + 4 r + i` belongs to row `r` and
//! - 8 bits: column `4 v + i`, v < 8;
//! - 4 bits: column `4 v + i` (low half) and `16 + 4 v + i` (high half), v < 4;
//! - 5 bits: as 4 bits, and a fifth vector whose bit `j` is the highest bit of column `4 j + i`.
//!
//! Or a weight is an f16: then a strip holds the 16 of each column, column by column, and nothing else.

use half::f16;
use rayon::prelude::*;

use super::level::Level;
use super::sixteen::narrow_all;

/// Rows in a strip.
pub const ROWS: usize = 16;
/// Columns that share a scale.
pub(super) const BLOCK: usize = 32;

/// Bits of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bits {
    /// 0 to 15.
    Four,
    /// 0 to 31.
    Five,
    /// 0 to 255.
    Eight,
}

impl Bits {
    /// Bytes of the codes of 16 rows of a block.
    pub(super) const fn bytes(self) -> usize {
        match self {
            Self::Four => 256,
            Self::Five => 320,
            Self::Eight => 512,
        }
    }

    /// log2 of the code that stands for 0 where there are no offsets.
    const fn zero(self) -> u32 {
        match self {
            Self::Four => 3,
            Self::Five => 4,
            Self::Eight => 7,
        }
    }
}

/// 32 weights of one row before they are packed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Block {
    /// The codes, within the range of the [`Bits`].
    pub codes: [u8; BLOCK],
    /// What a code is multiplied with.
    pub scale: f16,
    /// What is added; ignored by matrices without offsets.
    pub offset: f16,
}

/// A cache line, so that vectors are aligned.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Line(pub [u8; 64]);

/// The bytes of some lines.
pub(super) fn bytes(lines: &[Line]) -> &[u8] {
    // SAFETY: a `Line` is 64 bytes without padding, and bytes need no alignment.
    unsafe { std::slice::from_raw_parts(lines.as_ptr().cast(), lines.len() * 64) }
}

/// As [`bytes`], to write.
pub(super) fn bytes_mut(lines: &mut [Line]) -> &mut [u8] {
    // SAFETY: as in `bytes`; any byte is valid in a `Line`.
    unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), lines.len() * 64) }
}

/// The f16 of some lines.
fn halves(lines: &[Line]) -> &[[u16; ROWS]] {
    // SAFETY: a `Line` is two times 16 numbers of two bytes without padding, is aligned to more than those need, and any bits are a number.
    unsafe { std::slice::from_raw_parts(lines.as_ptr().cast(), lines.len() * (64 / (2 * ROWS))) }
}

/// As [`halves`], one after the other, to write.
fn halves_mut(lines: &mut [Line]) -> &mut [u16] {
    // SAFETY: as in `halves`; any bits of them are valid in a `Line`.
    unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), lines.len() * 32) }
}

/// A packed matrix.
#[derive(Debug)]
pub struct Packed {
    rows: usize,
    columns: usize,
    /// Of a code; `None`: weights are f16.
    bits: Option<Bits>,
    /// Whether there are offsets; else `zero` is half the range of a code.
    offsets: bool,
    lines: Vec<Line>,
}

/// One strip of a matrix, as a kernel takes it.
#[derive(Clone, Copy)]
pub(super) struct Strip<'a> {
    pub codes: &'a [u8],
    pub scales: &'a [u8],
    /// Empty where there is a zero.
    pub offsets: &'a [u8],
    /// The strip behind it, which is read next: a kernel may ask for it ahead. Empty behind the last.
    pub next: &'a [u8],
    pub blocks: usize,
    /// log2 of the code that stands for 0.
    pub zero: u32,
}

impl Packed {
    /// Packs `rows * columns` weights; `block(row, n)` gives columns `32 n` and following. Without `offsets` the middle of a code's range stands for 0.
    ///
    /// Nothing when `columns` is not a multiple of 32, when there are no rows, or for codes of 8 bits with offsets, which no format has.
    pub fn new(
        (rows, columns): (usize, usize),
        bits: Bits,
        offsets: bool,
        block: impl Fn(usize, usize) -> Block + Sync,
    ) -> Option<Self> {
        if !columns.is_multiple_of(BLOCK) || columns == 0 || rows == 0 || (offsets && bits == Bits::Eight) {
            return None;
        }
        let mut packed = Self::empty((rows, columns), Some(bits), offsets);
        let per_strip = packed.lines_of_strip();
        let (blocks, code_bytes) = (columns / BLOCK, bits.bytes());
        packed.lines.par_chunks_mut(per_strip).enumerate().for_each(|(s, lines)| {
            let (codes, rest) = bytes_mut(lines).split_at_mut(blocks * code_bytes);
            let (scales, rest) = rest.split_at_mut(blocks * 2 * ROWS);
            for (b, out) in codes.chunks_exact_mut(code_bytes).enumerate() {
                let mut of_rows = [[0; BLOCK]; ROWS];
                for (r, codes) in of_rows.iter_mut().enumerate().take(rows - s * ROWS) {
                    let weights = block(s * ROWS + r, b);
                    *codes = weights.codes;
                    let at = (b * ROWS + r) * 2;
                    scales[at..at + 2].copy_from_slice(&weights.scale.to_le_bytes());
                    if offsets {
                        rest[at..at + 2].copy_from_slice(&weights.offset.to_le_bytes());
                    }
                }
                put(out, bits, &of_rows);
            }
        });
        Some(packed)
    }

    fn empty((rows, columns): (usize, usize), bits: Option<Bits>, offsets: bool) -> Self {
        let mut packed = Self { rows, columns, bits, offsets, lines: Vec::new() };
        packed.lines = vec![Line([0; 64]); packed.strips() * packed.lines_of_strip()];
        packed
    }

    /// Keeps weights as f16; what is too large for it becomes the largest that fits. Its products need [`Activations::whole`](super::Activations::whole). None as for
    /// [`Packed::new`], or when `weights` are too few.
    pub fn sixteen((rows, columns): (usize, usize), weights: &[f32]) -> Option<Self> {
        if !columns.is_multiple_of(BLOCK) || columns == 0 || rows == 0 || weights.len() != rows * columns {
            return None;
        }
        let mut packed = Self::empty((rows, columns), None, false);
        let (per_strip, level) = (packed.lines_of_strip(), Level::best());
        packed.lines.par_chunks_mut(per_strip).zip(weights.par_chunks(ROWS * columns)).for_each(|(lines, weights)| {
            for (r, row) in weights.chunks_exact(columns).enumerate() {
                narrow_all(level, row, ROWS, &mut halves_mut(lines)[r..]);
            }
        });
        Some(packed)
    }

    /// Rounds f32 weights to 8 bits, one scale for every 32: what Q8_0 does. None as for [`Packed::new`], or when `weights` are too few.
    pub fn round(shape: (usize, usize), weights: &[f32]) -> Option<Self> {
        if weights.len() != shape.0 * shape.1 {
            return None;
        }
        Self::new(shape, Bits::Eight, false, |row, n| {
            let values = &weights[row * shape.1 + n * BLOCK..][..BLOCK];
            let scale = f16::from_f32(values.iter().fold(0.0f32, |m, v| m.max(v.abs())) / 127.0);
            let inverse = if scale.to_f32() > 0.0 { 1.0 / scale.to_f32() } else { 0.0 };
            let mut codes = [128; BLOCK];
            for (code, v) in codes.iter_mut().zip(values) {
                *code = ((v * inverse).round().clamp(-127.0, 127.0) + 128.0) as u8;
            }
            Block { codes, scale, offset: f16::ZERO }
        })
    }

    /// Outputs.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Inputs.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Bytes it takes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.lines.len() * 64
    }

    /// Of a code; `None`: weights are f16.
    pub(super) fn bits(&self) -> Option<Bits> {
        self.bits
    }

    pub(super) fn strips(&self) -> usize {
        self.rows.div_ceil(ROWS)
    }

    fn lines_of_strip(&self) -> usize {
        let sides = if self.offsets { 2 } else { 1 };
        let of_block = self.bits.map_or(BLOCK * 2 * ROWS, |bits| bits.bytes() + sides * 2 * ROWS);
        (self.columns / BLOCK * of_block).div_ceil(64)
    }

    /// Strip `s` of weights that are f16: the rows of each column.
    pub(super) fn columns_of(&self, s: usize) -> &[[u16; ROWS]] {
        let lines = self.lines_of_strip();
        halves(&self.lines[s * lines..][..lines])
    }

    /// Strip `s` of weights that have codes of `bits`.
    pub(super) fn strip(&self, s: usize, bits: Bits) -> Strip<'_> {
        let lines = self.lines_of_strip();
        let (all, behind) = bytes(&self.lines[s * lines..]).split_at(lines * 64);
        let next = &behind[..behind.len().min(lines * 64)];
        let blocks = self.columns / BLOCK;
        let (codes, rest) = all.split_at(blocks * bits.bytes());
        let (scales, rest) = rest.split_at(blocks * 2 * ROWS);
        let offsets = if self.offsets { &rest[..blocks * 2 * ROWS] } else { &[] };
        Strip { codes, scales, offsets, next, blocks, zero: bits.zero() }
    }

    /// The weights of one row, in f32: an embedding, and what tests compare with. Panics when there is no such row: this is a bug.
    pub fn row(&self, row: usize, out: &mut [f32]) {
        assert!(
            row < self.rows && out.len() == self.columns,
            "row {row} of {} into {}: this is a bug",
            self.rows,
            out.len()
        );
        let r = row % ROWS;
        let Some(bits) = self.bits else {
            let columns = self.columns_of(row / ROWS).iter();
            return out.iter_mut().zip(columns).for_each(|(to, w)| *to = f16::from_bits(w[r]).to_f32());
        };
        let strip = self.strip(row / ROWS, bits);
        let half = |of: &[u8], b: usize| {
            let at = (b * ROWS + r) * 2;
            f16::from_le_bytes([of[at], of[at + 1]]).to_f32()
        };
        let zero = if self.offsets { 0.0 } else { (1 << strip.zero) as f32 };
        for (b, values) in out.chunks_exact_mut(BLOCK).enumerate() {
            let (scale, offset) =
                (half(strip.scales, b), if strip.offsets.is_empty() { 0.0 } else { half(strip.offsets, b) });
            let codes = &strip.codes[b * bits.bytes()..][..bits.bytes()];
            for (c, v) in values.iter_mut().enumerate() {
                *v = scale * (f32::from(code(codes, bits, r, c)) - zero) + offset;
            }
        }
    }
}

/// Writes the codes of 16 rows of a block.
fn put(out: &mut [u8], bits: Bits, codes: &[[u8; BLOCK]; ROWS]) {
    for (v, out) in out.as_chunks_mut::<64>().0.iter_mut().enumerate() {
        for (out, codes) in out.as_chunks_mut::<4>().0.iter_mut().zip(codes) {
            let (quads, _) = codes.as_chunks::<4>();
            for (i, out) in out.iter_mut().enumerate() {
                *out = match (bits, v) {
                    (Bits::Eight, _) => quads[v][i],
                    (Bits::Five, 4) => quads.iter().enumerate().fold(0, |all, (j, quad)| all | (quad[i] >> 4 & 1) << j),
                    _ => (quads[v][i] & 15) | quads[v + 4][i] << 4,
                };
            }
        }
    }
}

/// The code of row `r`, column `c` within a block.
pub(super) fn code(codes: &[u8], bits: Bits, r: usize, c: usize) -> u8 {
    let (v, i) = (c / 4, c % 4);
    match bits {
        Bits::Eight => codes[64 * v + 4 * r + i],
        Bits::Four => codes[64 * (v % 4) + 4 * r + i] >> (v / 4 * 4) & 15,
        Bits::Five => (codes[64 * (v % 4) + 4 * r + i] >> (v / 4 * 4) & 15) | ((codes[256 + 4 * r + i] >> v & 1) << 4),
    }
}
