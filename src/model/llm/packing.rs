//! From the blocks of a GGUF file to the packed matrices of the processor's kernels.
//!
//! Source: the block layouts of ggml (ggml-org/ggml, src/ggml-common.h), as candle-core 0.11.1 reads them (src/quantized/k_quants.rs).
//! Formats of 4, 5 and 8 bits keep every code; of K formats the product of the two scales is rounded to f16. All others (Q6_K, floats) become 8 bits
//! with a scale for every 32 values: a Q6_K file loses less than a sixteenth of what it had lost already.

use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Result};
use half::f16;

use crate::model::kernels::{Bits, Block, Packed};

/// How matrices are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    /// As this file says: to be fast.
    Packed,
    /// All in f16: what quantizing begins with, to compare with.
    Sixteen,
}

/// Packs a matrix that lies in main memory.
pub(super) fn pack(tensor: &QTensor, held: Held) -> Result<Packed> {
    let shape = tensor.shape().dims2()?;
    let dense = || tensor.dequantize(&Device::Cpu)?.flatten_all()?.to_vec1::<f32>();
    if held == Held::Sixteen {
        return Packed::sixteen(shape, &dense()?).ok_or_else(|| unfit(shape));
    }
    let (bits, offsets, values, read): (_, _, _, fn(&[u8], usize) -> Block) = match tensor.dtype() {
        GgmlDType::Q4_0 => (Bits::Four, false, 32, |b, _| four(half(b, 0), f16::ZERO, &b[2..])),
        GgmlDType::Q4_1 => (Bits::Four, true, 32, |b, _| four(half(b, 0), half(b, 2), &b[4..])),
        GgmlDType::Q5_0 => (Bits::Five, false, 32, |b, _| five(half(b, 0), f16::ZERO, &b[2..])),
        GgmlDType::Q5_1 => (Bits::Five, true, 32, |b, _| five(half(b, 0), half(b, 2), &b[4..])),
        GgmlDType::Q8_0 => (Bits::Eight, false, 32, |b, _| eight(b)),
        GgmlDType::Q4K => (Bits::Four, true, 256, |b, part| nested(b, part, &[], &b[16..])),
        GgmlDType::Q5K => (Bits::Five, true, 256, |b, part| nested(b, part, &b[16..48], &b[48..])),
        _ => return Packed::round(shape, &dense()?).ok_or_else(|| unfit(shape)),
    };
    let (data, size) = (tensor.data()?, tensor.dtype().type_size());
    let parts = values / 32;
    let blocks = shape.1 / values;
    if !shape.1.is_multiple_of(values) || data.len() != shape.0 * blocks * size {
        return Err(unfit(shape));
    }
    let block = |row: usize, n: usize| read(&data[(row * blocks + n / parts) * size..][..size], n % parts);
    Packed::new(shape, bits, offsets, block).ok_or_else(|| unfit(shape))
}

fn unfit((rows, columns): (usize, usize)) -> candle_core::Error {
    candle_core::Error::Msg(format!("{rows} rows of {columns} values do not come out even in blocks"))
}

fn half(bytes: &[u8], at: usize) -> f16 {
    f16::from_le_bytes([bytes[at], bytes[at + 1]])
}

/// 16 bytes, the first halves of the low bits.
fn four(scale: f16, offset: f16, low: &[u8]) -> Block {
    let mut codes = [0; 32];
    for (i, byte) in low.iter().enumerate().take(16) {
        (codes[i], codes[i + 16]) = (byte & 15, byte >> 4);
    }
    Block { codes, scale, offset }
}

/// A word of high bits, then as four.
fn five(scale: f16, offset: f16, rest: &[u8]) -> Block {
    let mut block = four(scale, offset, &rest[4..]);
    for (i, code) in block.codes.iter_mut().enumerate() {
        *code |= (rest[i / 8] >> (i % 8) & 1) << 4;
    }
    block
}

fn eight(block: &[u8]) -> Block {
    let mut codes = [0; 32];
    codes.iter_mut().zip(&block[2..]).for_each(|(code, signed)| *code = signed ^ 0x80);
    Block { codes, scale: half(block, 0), offset: f16::ZERO }
}

/// Part `part` of 8 of a block of 256 with two scales of f16, twelve bytes of scales of 6 bits, and `high` bits where codes have five.
fn nested(block: &[u8], part: usize, high: &[u8], low: &[u8]) -> Block {
    let s = &block[4..16];
    let (scale, least) = if part < 4 {
        (s[part] & 63, s[part + 4] & 63)
    } else {
        ((s[part + 4] & 15) | (s[part - 4] >> 6 << 4), (s[part + 4] >> 4) | (s[part] >> 6 << 4))
    };
    let mut codes = [0; 32];
    for (i, code) in codes.iter_mut().enumerate() {
        *code = low[part / 2 * 32 + i] >> (part % 2 * 4) & 15;
        if let Some(bits) = high.get(i) {
            *code |= (bits >> part & 1) << 4;
        }
    }
    let product = |of: f16, n: u8| f16::from_f32(of.to_f32() * f32::from(n));
    Block { codes, scale: product(half(block, 0), scale), offset: -product(half(block, 2), least) }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Tensor};

    use super::*;

    #[test]
    fn a_packed_matrix_holds_what_candle_reads_from_the_same_blocks() {
        use GgmlDType::{F16, Q4_0, Q4_1, Q4K, Q5_0, Q5_1, Q5K, Q6K, Q8_0};
        let (rows, columns) = (19, 512);
        let dense = Tensor::randn(0.01f32, 1.0, (rows, columns), &Device::Cpu).unwrap();
        for (format, most) in [
            (Q4_0, 0.0),
            (Q4_1, 0.0),
            (Q5_0, 0.0),
            (Q5_1, 0.0),
            (Q8_0, 0.0),
            (Q4K, 4e-3),
            (Q5K, 4e-3),
            (Q6K, 0.02),
            (F16, 0.02),
        ] {
            let tensor = QTensor::quantize(&dense, format).unwrap();
            let wanted =
                tensor.dequantize(&Device::Cpu).unwrap().to_dtype(DType::F32).unwrap().to_vec2::<f32>().unwrap();
            // Of f16 the last of eleven bits may be off, of values below eight; what was f16 is that still.
            let sixteen = if format == F16 { 0.0 } else { 4e-3 };
            for (held, most) in [(Held::Packed, most), (Held::Sixteen, sixteen)] {
                let packed = pack(&tensor, held).unwrap();
                let mut row = vec![0.0; columns];
                for (r, wanted) in wanted.iter().enumerate() {
                    packed.row(r, &mut row);
                    let worst = row.iter().zip(wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                    // f32 sums of the two sides may differ in their last bit.
                    assert!(worst <= most + 1e-6, "{format:?}, {held:?}, row {r}: off by {worst}");
                }
            }
        }
    }
}
