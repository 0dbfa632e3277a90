//! Rows of floats → `Q4_0`, `Q5_0` and `Q8_0` blocks, the error of each value weighed by how much it matters.
//!
//! Pure. Source: the block formats of ggml (docs/gguf.md, `block_q4_0`, `block_q5_0`, `block_q8_0`); the idea of weighing by the mean square of what a column is multiplied with is llama.cpp's
//! "importance matrix" (examples/imatrix), which has it for its k-quants only. Ours: for each block of 32 several scales are tried, each also put where the weighed
//! error of its rounding is least, and the best is kept.

use half::f16;

/// Values in a block of any of them; it begins with the scale, two bytes.
pub const BLOCK: usize = 32;
/// Scales tried for one block, as shares of the one that just holds the largest value.
const TRIED: [f32; 11] = [0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.975, 1.0, 1.025, 1.05, 1.1];

/// Appends `row` as blocks of `Q4_0`. `weights`: how much an error of each value matters, none negative; as long as `row`, a multiple of [`BLOCK`].
pub fn to_q4_0(row: &[f32], weights: &[f32], out: &mut Vec<u8>) {
    blocks(row, weights, 8, out);
}

/// As [`to_q4_0`], as blocks of `Q5_0`.
pub fn to_q5_0(row: &[f32], weights: &[f32], out: &mut Vec<u8>) {
    blocks(row, weights, 16, out);
}

/// Appends blocks whose codes have `half` standing for zero, 8 or 16.
fn blocks(row: &[f32], weights: &[f32], half: u8, out: &mut Vec<u8>) {
    for (x, w) in row.chunks_exact(BLOCK).zip(weights.chunks_exact(BLOCK)) {
        let (scale, q) = best(x, w, half);
        pack(scale, &q, half, out);
    }
}

/// Appends one block.
pub(super) fn pack(scale: f16, q: &[u8; BLOCK], half: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(&scale.to_le_bytes());
    if half == 16 {
        let fifth = q.iter().enumerate().fold(0u32, |all, (j, q)| all | u32::from(q >> 4) << j);
        out.extend_from_slice(&fifth.to_le_bytes());
    }
    // The formats keep four bits of value j and of value j + 16 in one byte.
    out.extend((0..BLOCK / 2).map(|j| (q[j] & 15) | q[j + BLOCK / 2] << 4));
}

/// Scale and the values as codes, of which `half` stands for zero and twice as many there are.
pub(super) fn best(x: &[f32], w: &[f32], half: u8) -> (f16, [u8; BLOCK]) {
    let largest = x.iter().copied().fold(0.0_f32, |m, v| if v.abs() > m.abs() { v } else { m });
    let mut best = (f16::ZERO, [half; BLOCK], weighed(x, w, 0.0, &[half; BLOCK], half));
    if largest == 0.0 || !largest.is_finite() {
        return (best.0, best.1);
    }
    let most = largest / -f32::from(half);
    for share in TRIED {
        let tried = f16::from_f32(most * share);
        let q = rounded(x, tried.to_f32(), half);
        // With these roundings the weighed error is least at another scale, but for what f16 takes off it.
        let (mut xq, mut qq) = (0.0, 0.0);
        for ((x, w), q) in x.iter().zip(w).zip(&q) {
            let q = f32::from(*q) - f32::from(half);
            xq += w * x * q;
            qq += w * q * q;
        }
        let fitted = if qq > 0.0 { f16::from_f32(xq / qq) } else { tried };
        for scale in [tried, fitted] {
            let error = weighed(x, w, scale.to_f32(), &q, half);
            if error < best.2 {
                best = (scale, q, error);
            }
        }
    }
    (best.0, best.1)
}

fn rounded(x: &[f32], scale: f32, half: u8) -> [u8; BLOCK] {
    let mut q = [0; BLOCK];
    q.iter_mut().zip(x).for_each(|(q, x)| *q = code(*x, scale, half));
    q
}

/// The code next to `x`. A scale of zero has but one.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before the cast")]
pub(super) fn code(x: f32, scale: f32, half: u8) -> u8 {
    if scale == 0.0 {
        return half;
    }
    let half = f32::from(half);
    (x / scale + half).round().clamp(0.0, 2.0 * half - 1.0) as u8
}

fn weighed(x: &[f32], w: &[f32], scale: f32, q: &[u8], half: u8) -> f32 {
    let of = |((x, w), q): ((&f32, &f32), &u8)| w * (x - scale * (f32::from(*q) - f32::from(half))).powi(2);
    x.iter().zip(w).zip(q).map(of).sum()
}

/// Appends `row` as blocks of `Q8_0`: at 8 bits weighing changes nothing that can be measured.
#[expect(clippy::cast_possible_truncation, reason = "within ±127 by the scale")]
pub fn to_q8_0(row: &[f32], out: &mut Vec<u8>) {
    for x in row.chunks_exact(BLOCK) {
        let scale = f16::from_f32(x.iter().fold(0.0_f32, |m, v| m.max(v.abs())) / 127.0);
        let by = if scale == f16::ZERO { 0.0 } else { 1.0 / scale.to_f32() };
        out.extend_from_slice(&scale.to_le_bytes());
        out.extend(x.iter().map(|v| (v * by).round().clamp(-127.0, 127.0) as i8 as u8));
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::{BLOCK, to_q4_0, to_q5_0, to_q8_0};
    use half::f16;

    /// A scale and 32 nibbles; those and 32 bits; a scale and 32 bytes.
    pub(in crate::model::llm::compress) const Q4_0_BYTES: usize = 18;
    const Q5_0_BYTES: usize = 22;
    const Q8_0_BYTES: usize = 34;

    pub(in crate::model::llm::compress) fn from_q4_0(bytes: &[u8]) -> Vec<f32> {
        let scale = f16::from_le_bytes([bytes[0], bytes[1]]).to_f32();
        let low = bytes[2..].iter().map(|b| b & 15);
        low.chain(bytes[2..].iter().map(|b| b >> 4)).map(|q| scale * (f32::from(q) - 8.0)).collect()
    }

    fn from_q5_0(bytes: &[u8]) -> Vec<f32> {
        let scale = f16::from_le_bytes([bytes[0], bytes[1]]).to_f32();
        let low = bytes[6..].iter().map(|b| b & 15).chain(bytes[6..].iter().map(|b| b >> 4));
        let high = (0..BLOCK).map(|j| bytes[2 + j / 8] >> (j % 8) & 1);
        low.zip(high).map(|(low, high)| scale * (f32::from(low | high << 4) - 16.0)).collect()
    }

    fn error(x: &[f32], w: &[f32], y: &[f32]) -> f32 {
        x.iter().zip(w).zip(y).map(|((x, w), y)| w * (x - y).powi(2)).sum()
    }

    /// As ggml's reference does it: the largest value sets the scale.
    fn plain(x: &[f32], half: f32) -> Vec<f32> {
        let largest = x.iter().copied().fold(0.0_f32, |m, v| if v.abs() > m.abs() { v } else { m });
        let scale = f16::from_f32(largest / -half).to_f32();
        if scale == 0.0 {
            return vec![0.0; x.len()];
        }
        x.iter().map(|v| scale * ((v / scale + half + 0.5).floor().clamp(0.0, 2.0 * half - 1.0) - half)).collect()
    }

    #[test]
    fn candle_reads_the_blocks_as_we_mean_them() {
        use candle_core::quantized::{GgmlDType, QStorage, QTensor};
        let row: Vec<f32> = (0..64).map(|i| (i as f32 * 0.7).sin() * 3.0).collect();
        let (mut q4, mut q5, mut q8) = (Vec::new(), Vec::new(), Vec::new());
        to_q4_0(&row, &[1.0; 64], &mut q4);
        to_q5_0(&row, &[1.0; 64], &mut q5);
        to_q8_0(&row, &mut q8);
        assert_eq!((q4.len(), q5.len(), q8.len()), (2 * Q4_0_BYTES, 2 * Q5_0_BYTES, 2 * Q8_0_BYTES));
        for (bytes, dtype, most) in
            [(q4, GgmlDType::Q4_0, 0.3), (q5, GgmlDType::Q5_0, 0.15), (q8, GgmlDType::Q8_0, 0.02)]
        {
            let storage = QStorage::from_data(bytes.into(), &candle_core::Device::Cpu, dtype).unwrap();
            let back = QTensor::new(storage, (1, 64)).unwrap().dequantize(&candle_core::Device::Cpu).unwrap();
            let back = back.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            assert!(row.iter().zip(&back).all(|(a, b)| (a - b).abs() < most), "{dtype:?}: {back:?}");
        }
    }

    proptest! {
        #[test]
        fn never_worse_than_without_weighing(
            x in prop::collection::vec(-100.0_f32..100.0, BLOCK),
            w in prop::collection::vec(0.0_f32..10.0, BLOCK),
        ) {
            let (mut four, mut five) = (Vec::new(), Vec::new());
            to_q4_0(&x, &w, &mut four);
            to_q5_0(&x, &w, &mut five);
            for (back, half) in [(from_q4_0(&four), 8.0), (from_q5_0(&five), 16.0)] {
                let (ours, theirs) = (error(&x, &w, &back), error(&x, &w, &plain(&x, half)));
                prop_assert!(ours <= theirs * 1.001 + 1e-3, "{half}: {ours} > {theirs}");
            }
        }

        #[test]
        fn zeros_and_extremes_give_blocks_of_the_right_length(x in prop::collection::vec(prop_oneof![Just(0.0_f32), Just(f32::MAX), Just(-1e-30)], BLOCK)) {
            let (mut q4, mut q5, mut q8) = (Vec::new(), Vec::new(), Vec::new());
            to_q4_0(&x, &[1.0; BLOCK], &mut q4);
            to_q5_0(&x, &[1.0; BLOCK], &mut q5);
            to_q8_0(&x, &mut q8);
            prop_assert_eq!((q4.len(), q5.len(), q8.len()), (Q4_0_BYTES, Q5_0_BYTES, Q8_0_BYTES));
        }
    }
}
