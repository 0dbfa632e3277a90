//! The strip kernel in plain Rust: what every machine can run, and what the others are measured by.

use half::f16;

use super::activation::Rows;
use super::pack::{BLOCK, Bits, ROWS, Strip, code};

/// Sums of one strip for each token of `a`: `out[t][r]`.
pub(super) fn strip(s: &Strip<'_>, bits: Bits, a: &Rows<'_>, out: &mut [[f32; ROWS]]) {
    let columns = s.blocks * BLOCK;
    let half = |of: &[u8], at: usize| f16::from_le_bytes([of[2 * at], of[2 * at + 1]]).to_f32();
    out.fill([0.0; ROWS]);
    for b in 0..s.blocks {
        let codes = &s.codes[b * bits.bytes()..][..bits.bytes()];
        for r in 0..ROWS {
            let mut weights = [0i32; BLOCK];
            for (c, w) in weights.iter_mut().enumerate() {
                *w = i32::from(code(codes, bits, r, c));
            }
            let scale = half(s.scales, b * ROWS + r);
            let offset = if s.offsets.is_empty() { 0.0 } else { half(s.offsets, b * ROWS + r) };
            for (t, sums) in out.iter_mut().enumerate() {
                let inputs = &a.codes[t * columns + b * BLOCK..][..BLOCK];
                let less = a.less[t * s.blocks + b];
                let zero = if s.offsets.is_empty() { less << s.zero } else { 0 };
                let dot = weights.iter().zip(inputs).fold(zero, |sum, (w, x)| sum + w * i32::from(*x));
                let of = a.scales[t * s.blocks + b];
                sums[r] += dot as f32 * (scale * of) - offset * (of * less as f32);
            }
        }
    }
}
