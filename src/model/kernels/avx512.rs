//! The strip kernel with AVX-512 VNNI: a lane is a row.
//!
//! `vpdpbusd` multiplies four unsigned codes of each row with the same four signed inputs and adds them up, 64 products an instruction.

use std::arch::x86_64::*;

use super::activation::Rows;
use super::ahead::{Ask, ahead};
use super::pack::{BLOCK, Bits, ROWS, Strip};

/// What the codes are: see [`Bits`].
const FOUR: u8 = 4;
const FIVE: u8 = 5;
const EIGHT: u8 = 8;

/// Tokens that are taken at once where there are so many.
const MANY: usize = 8;
/// Lines of the next strip that are asked for with each block of so many tokens.
const LINES: usize = 3;

/// Sums of one strip for each token of `a`: `out[t][r]`.
///
/// # Safety
/// The processor has AVX-512 F, BW, VL and VNNI; `a` holds `out.len()` tokens of `s.blocks` blocks.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) unsafe fn strip(s: &Strip<'_>, bits: Bits, a: &Rows<'_>, out: &mut [[f32; ROWS]]) {
    let (mut from, mut asked) = (0, 0);
    while from < out.len() {
        let left = (out.len() - from, Ask::new(s, &mut asked, LINES));
        // SAFETY: the caller's promise, for tokens `from` and following; each call takes no more than are left.
        from += unsafe {
            match (bits, s.offsets.is_empty()) {
                (Bits::Four, true) => some::<FOUR, false>(s, a, from, left, out),
                (Bits::Four, false) => some::<FOUR, true>(s, a, from, left, out),
                (Bits::Five, true) => some::<FIVE, false>(s, a, from, left, out),
                (Bits::Five, false) => some::<FIVE, true>(s, a, from, left, out),
                (Bits::Eight, true) => some::<EIGHT, false>(s, a, from, left, out),
                (Bits::Eight, false) => some::<EIGHT, true>(s, a, from, left, out),
            }
        };
    }
}

/// As many tokens at once as registers and `left` allow; returns how many.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn some<const CODE: u8, const OFFSETS: bool>(
    s: &Strip<'_>,
    a: &Rows<'_>,
    from: usize,
    (left, ask): (usize, Ask),
    out: &mut [[f32; ROWS]],
) -> usize {
    // SAFETY: the caller's promise.
    unsafe {
        match left {
            MANY.. => tile::<CODE, OFFSETS, MANY>(s, a, (from, ask), out),
            4.. => tile::<CODE, OFFSETS, 4>(s, a, (from, ask), out),
            2.. => tile::<CODE, OFFSETS, 2>(s, a, (from, ask), out),
            _ => tile::<CODE, OFFSETS, 1>(s, a, (from, ask), out),
        }
    }
}

/// Tokens `from` to `from + T`.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn tile<const CODE: u8, const OFFSETS: bool, const T: usize>(
    s: &Strip<'_>,
    a: &Rows<'_>,
    (from, ask): (usize, Ask),
    out: &mut [[f32; ROWS]],
) -> usize {
    let columns = s.blocks * BLOCK;
    let mut sums = [_mm512_setzero_ps(); T];
    let shift = _mm_cvtsi32_si128(s.zero as i32);
    let bytes = if CODE == EIGHT { 512 } else { 64 * CODE as usize };
    for b in 0..s.blocks {
        if T < MANY {
            ahead(s.codes.as_ptr().wrapping_add(b * bytes), 0..bytes / 64);
        } else {
            ask.lines(b * LINES, LINES);
        }
        // SAFETY: `b` is less than the strip's blocks and `from + t` less than the tokens, so all reads are within the slices.
        unsafe {
            let w = unpack::<CODE>(s.codes.as_ptr().add(b * bytes));
            let scale = _mm512_cvtph_ps(_mm256_loadu_si256(s.scales.as_ptr().add(b * 32).cast()));
            for (t, sum) in sums.iter_mut().enumerate() {
                let at = (from + t) * s.blocks + b;
                let x = a.codes.as_ptr().add((from + t) * columns + b * BLOCK).cast::<i32>();
                let less = _mm512_set1_epi32(*a.less.get_unchecked(at));
                let mut dot = if OFFSETS { _mm512_setzero_si512() } else { _mm512_sll_epi32(less, shift) };
                if T == 1 {
                    // One token leaves only this chain: two halves of it run side by side.
                    let mut other = _mm512_setzero_si512();
                    for (j, w) in w.as_chunks::<2>().0.iter().enumerate() {
                        dot = _mm512_dpbusd_epi32(dot, w[0], _mm512_set1_epi32(x.add(2 * j).read_unaligned()));
                        other = _mm512_dpbusd_epi32(other, w[1], _mm512_set1_epi32(x.add(2 * j + 1).read_unaligned()));
                    }
                    dot = _mm512_add_epi32(dot, other);
                } else {
                    for (j, w) in w.iter().enumerate() {
                        dot = _mm512_dpbusd_epi32(dot, *w, _mm512_set1_epi32(x.add(j).read_unaligned()));
                    }
                }
                let of = _mm512_set1_ps(*a.scales.get_unchecked(at));
                *sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot), _mm512_mul_ps(scale, of), *sum);
                if OFFSETS {
                    let offset = _mm512_cvtph_ps(_mm256_loadu_si256(s.offsets.as_ptr().add(b * 32).cast()));
                    *sum = _mm512_fnmadd_ps(offset, _mm512_mul_ps(of, _mm512_cvtepi32_ps(less)), *sum);
                }
            }
        }
    }
    for (sum, out) in sums.iter().zip(&mut out[from..from + T]) {
        // SAFETY: `out` is 16 floats.
        unsafe { _mm512_storeu_ps(out.as_mut_ptr(), *sum) };
    }
    T
}

/// The eight vectors of a block, one byte a code.
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn unpack<const CODE: u8>(codes: *const u8) -> [__m512i; 8] {
    // SAFETY: the caller's promise that a whole block of this kind follows.
    let load = |v: usize| unsafe { _mm512_loadu_si512(codes.add(64 * v).cast()) };
    if CODE == EIGHT {
        return [load(0), load(1), load(2), load(3), load(4), load(5), load(6), load(7)];
    }
    let low = _mm512_set1_epi8(15);
    let mut w = [low; 8];
    for v in 0..4 {
        let both = load(v);
        w[v] = _mm512_and_si512(both, low);
        w[v + 4] = _mm512_and_si512(_mm512_srli_epi16(both, 4), low);
    }
    if CODE == FIVE {
        let (high, bit) = (load(4), _mm512_set1_epi8(16));
        // w | (bits & 16), one instruction.
        const OR_AND: i32 = 0xf8;
        w[0] = _mm512_ternarylogic_epi32(w[0], _mm512_slli_epi16(high, 4), bit, OR_AND);
        w[1] = _mm512_ternarylogic_epi32(w[1], _mm512_slli_epi16(high, 3), bit, OR_AND);
        w[2] = _mm512_ternarylogic_epi32(w[2], _mm512_slli_epi16(high, 2), bit, OR_AND);
        w[3] = _mm512_ternarylogic_epi32(w[3], _mm512_slli_epi16(high, 1), bit, OR_AND);
        w[4] = _mm512_ternarylogic_epi32(w[4], high, bit, OR_AND);
        w[5] = _mm512_ternarylogic_epi32(w[5], _mm512_srli_epi16(high, 1), bit, OR_AND);
        w[6] = _mm512_ternarylogic_epi32(w[6], _mm512_srli_epi16(high, 2), bit, OR_AND);
        w[7] = _mm512_ternarylogic_epi32(w[7], _mm512_srli_epi16(high, 3), bit, OR_AND);
    }
    w
}

/// Writes the codes of a strip of 4 or 5 bits as bytes, for use with many tokens.
///
/// # Safety
/// The processor has AVX-512 F, BW, VL and VNNI; `out` has 512 bytes for every block.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) unsafe fn widen(s: &Strip<'_>, bits: Bits, out: &mut [u8]) {
    for (b, out) in out.as_chunks_mut::<512>().0.iter_mut().take(s.blocks).enumerate() {
        // SAFETY: block `b` is there, and `out` is 512 bytes.
        unsafe {
            let codes = s.codes.as_ptr().add(b * bits.bytes());
            let w = match bits {
                Bits::Four => unpack::<FOUR>(codes),
                Bits::Five => unpack::<FIVE>(codes),
                Bits::Eight => unpack::<EIGHT>(codes),
            };
            for (v, w) in w.into_iter().enumerate() {
                _mm512_storeu_si512(out.as_mut_ptr().add(64 * v).cast(), w);
            }
        }
    }
}
