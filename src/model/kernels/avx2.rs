//! The strip kernel with AVX2, and with AVX-VNNI: a lane is a row, a strip is two halves of eight.
//!
//! Without VNNI `vpmaddubsw` multiplies unsigned codes with signed inputs and adds pairs in 16 bits, which must not overflow: codes of 4 bits allow for
//! eight such sums, of 5 bits for four; codes of 8 bits are made signed first, their sign moved to the inputs.

use std::arch::x86_64::*;

use super::activation::Rows;
use super::ahead::{Ask, ahead};
use super::pack::{BLOCK, Bits, ROWS, Strip};

/// What the codes are: see [`Bits`]. `SMALL` are codes of 4 or 5 bits, one a byte.
const FOUR: u8 = 4;
const FIVE: u8 = 5;
const SMALL: u8 = 6;
const EIGHT: u8 = 8;

/// Sums of one strip for each token of `a`: `out[t][r]`.
///
/// # Safety
/// The processor has AVX2, FMA and F16C; `a` holds `out.len()` tokens of `s.blocks` blocks.
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) unsafe fn strip(s: &Strip<'_>, bits: Bits, a: &Rows<'_>, out: &mut [[f32; ROWS]]) {
    // SAFETY: the caller's promise.
    unsafe { all::<false>(s, bits, a, out) }
}

/// As [`strip`], with `vpdpbusd`.
///
/// # Safety
/// As for [`strip`], and the processor has AVX-VNNI.
#[target_feature(enable = "avx2,fma,f16c,avxvnni")]
pub(super) unsafe fn strip_vnni(s: &Strip<'_>, bits: Bits, a: &Rows<'_>, out: &mut [[f32; ROWS]]) {
    // SAFETY: the caller's promise.
    unsafe { all::<true>(s, bits, a, out) }
}

#[inline(always)]
unsafe fn all<const VNNI: bool>(s: &Strip<'_>, bits: Bits, a: &Rows<'_>, out: &mut [[f32; ROWS]]) {
    let (mut from, mut asked) = (0, 0);
    // Codes of 8 bits that came from fewer are known by what stands for 0.
    let small = bits == Bits::Eight && (s.zero < 7 || !s.offsets.is_empty());
    while from < out.len() {
        let left = out.len() - from;
        let ask = Ask::new(s, &mut asked, 2);
        // SAFETY: the caller's promise, for tokens `from` and following; each call takes no more than are left.
        from += unsafe {
            match (bits, s.offsets.is_empty()) {
                (Bits::Four, true) => some::<FOUR, false, VNNI>(s, a, from, (left, ask), out),
                (Bits::Four, false) => some::<FOUR, true, VNNI>(s, a, from, (left, ask), out),
                (Bits::Five, true) => some::<FIVE, false, VNNI>(s, a, from, (left, ask), out),
                (Bits::Five, false) => some::<FIVE, true, VNNI>(s, a, from, (left, ask), out),
                (Bits::Eight, true) if small => some::<SMALL, false, VNNI>(s, a, from, (left, ask), out),
                (Bits::Eight, true) => some::<EIGHT, false, VNNI>(s, a, from, (left, ask), out),
                (Bits::Eight, false) => some::<SMALL, true, VNNI>(s, a, from, (left, ask), out),
            }
        };
    }
}

/// As many tokens at once as registers and `left` allow; returns how many.
#[inline(always)]
unsafe fn some<const CODE: u8, const OFFSETS: bool, const VNNI: bool>(
    s: &Strip<'_>,
    a: &Rows<'_>,
    from: usize,
    (left, ask): (usize, Ask),
    out: &mut [[f32; ROWS]],
) -> usize {
    // SAFETY: the caller's promise.
    unsafe {
        match left {
            6.. if CODE == EIGHT && !VNNI => wide::<CODE, OFFSETS, 6>(s, a, (from, ask), out),
            4.. if CODE >= SMALL && !VNNI && left % 3 == 1 => wide::<CODE, OFFSETS, 4>(s, a, (from, ask), out),
            3.. if CODE >= SMALL && !VNNI => wide::<CODE, OFFSETS, 3>(s, a, (from, ask), out),
            4.. => tile::<CODE, OFFSETS, VNNI, 4>(s, a, from, out),
            3 => tile::<CODE, OFFSETS, VNNI, 3>(s, a, from, out),
            2 => tile::<CODE, OFFSETS, VNNI, 2>(s, a, from, out),
            _ => tile::<CODE, OFFSETS, VNNI, 1>(s, a, from, out),
        }
    }
}

/// Tokens `from` to `from + T`.
#[inline(always)]
unsafe fn tile<const CODE: u8, const OFFSETS: bool, const VNNI: bool, const T: usize>(
    s: &Strip<'_>,
    a: &Rows<'_>,
    from: usize,
    out: &mut [[f32; ROWS]],
) -> usize {
    let columns = s.blocks * BLOCK;
    let bytes = if CODE >= SMALL { 512 } else { 64 * CODE as usize };
    // Codes of 8 bits need no correction when they are made signed.
    let signed = CODE == EIGHT && !VNNI;
    // SAFETY: `b` is less than the strip's blocks and `from + t` less than the tokens, so all reads are within the slices.
    unsafe {
        let shift = _mm_cvtsi32_si128(s.zero as i32);
        let mut sums = [[_mm256_setzero_ps(); 2]; T];
        for b in 0..s.blocks {
            for half in 0..2 {
                ahead(s.codes.as_ptr().wrapping_add(b * bytes), half_of(half, bytes / 64));
                let w = unpack::<CODE>(s.codes.as_ptr().add(b * bytes + 32 * half));
                let scale = eight(s.scales, b, half);
                for (t, sum) in sums.iter_mut().enumerate() {
                    let at = (from + t) * s.blocks + b;
                    let x = a.codes.as_ptr().add((from + t) * columns + b * BLOCK).cast::<i32>();
                    let less = _mm256_set1_epi32(*a.less.get_unchecked(at));
                    let zero = if OFFSETS || signed { _mm256_setzero_si256() } else { _mm256_sll_epi32(less, shift) };
                    let dot = if VNNI { dot_vnni(zero, &w, x) } else { dot::<CODE>(zero, &w, x) };
                    let of = _mm256_set1_ps(*a.scales.get_unchecked(at));
                    sum[half] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot), _mm256_mul_ps(scale, of), sum[half]);
                    if OFFSETS {
                        sum[half] = offset(eight(s.offsets, b, half), of, less, sum[half]);
                    }
                }
            }
        }
        for (sum, out) in sums.iter().zip(&mut out[from..from + T]) {
            _mm256_storeu_ps(out.as_mut_ptr(), sum[0]);
            _mm256_storeu_ps(out.as_mut_ptr().add(8), sum[1]);
        }
    }
    T
}

/// Tokens `from` to `from + T` of codes that are a byte each: a vector of weights is read once and multiplied with all tokens' inputs, and half a strip is
/// done before the other, so that the sums of a block stay in registers. The same sums as [`tile`], bit for bit.
#[inline(always)]
unsafe fn wide<const CODE: u8, const OFFSETS: bool, const T: usize>(
    s: &Strip<'_>,
    a: &Rows<'_>,
    (from, ask): (usize, Ask),
    out: &mut [[f32; ROWS]],
) -> usize {
    let columns = s.blocks * BLOCK;
    // SAFETY: `b` is less than the strip's blocks and `from + t` less than the tokens, so all reads are within the slices.
    unsafe {
        let shift = _mm_cvtsi32_si128(s.zero as i32);
        for half in 0..2 {
            let mut sums = [_mm256_setzero_ps(); T];
            for b in 0..s.blocks {
                ask.lines(half * s.blocks + b, 1);
                let codes = s.codes.as_ptr().add(b * 512 + 32 * half);
                let dots = dots::<CODE, T>(codes, a.codes.as_ptr().add(from * columns + b * BLOCK), columns);
                let scale = eight(s.scales, b, half);
                for (t, (sum, mut dot)) in sums.iter_mut().zip(dots).enumerate() {
                    let at = (from + t) * s.blocks + b;
                    let less = _mm256_set1_epi32(*a.less.get_unchecked(at));
                    if !OFFSETS && CODE != EIGHT {
                        dot = _mm256_add_epi32(dot, _mm256_sll_epi32(less, shift));
                    }
                    let of = _mm256_set1_ps(*a.scales.get_unchecked(at));
                    *sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot), _mm256_mul_ps(scale, of), *sum);
                    if OFFSETS {
                        *sum = offset(eight(s.offsets, b, half), of, less, *sum);
                    }
                }
            }
            for (sum, out) in sums.iter().zip(&mut out[from..from + T]) {
                _mm256_storeu_ps(out.as_mut_ptr().add(8 * half), *sum);
            }
        }
    }
    T
}

/// The lines of a block that are asked for with each half.
#[inline(always)]
const fn half_of(half: usize, lines: usize) -> std::ops::Range<usize> {
    (half * lines).div_ceil(2)..((half + 1) * lines).div_ceil(2)
}

/// The scales or offsets of half a strip's rows in block `b`.
#[inline(always)]
unsafe fn eight(of: &[u8], b: usize, half: usize) -> __m256 {
    // SAFETY: the caller's promise that block `b` is there; the processor has F16C.
    unsafe { _mm256_cvtph_ps(_mm_loadu_si128(of.as_ptr().add(b * 32 + 16 * half).cast())) }
}

/// What the rows' offsets add to their sums: the inputs' scale is `of`, their sum `-less`.
#[inline(always)]
unsafe fn offset(offsets: __m256, of: __m256, less: __m256i, sum: __m256) -> __m256 {
    // SAFETY: the processor has AVX2 and FMA.
    unsafe { _mm256_fnmadd_ps(offsets, _mm256_mul_ps(of, _mm256_cvtepi32_ps(less)), sum) }
}

/// Products of half a block's codes, 64 bytes apart, with the 32 inputs of each of some tokens, `columns` apart.
#[inline(always)]
unsafe fn dots<const CODE: u8, const T: usize>(codes: *const u8, x: *const i8, columns: usize) -> [__m256i; T] {
    // SAFETY: the caller's promise that all are there; the processor has AVX2.
    unsafe {
        let ones = _mm256_set1_epi16(1);
        let input = |t: usize, j: usize| _mm256_set1_epi32(x.add(t * columns).cast::<i32>().add(j).read_unaligned());
        let mut sums = [_mm256_setzero_si256(); T];
        // As in `dot`: pairs of products of codes of 8 bits fill 16 bits, of 5 four such.
        let together = if CODE == EIGHT { 1 } else { 4 };
        for n in 0..8 / together {
            let mut pairs = [_mm256_setzero_si256(); T];
            for j in n * together..(n + 1) * together {
                let w = _mm256_loadu_si256(codes.add(64 * j).cast());
                let signed = _mm256_xor_si256(w, _mm256_set1_epi8(-128));
                for (t, pairs) in pairs.iter_mut().enumerate() {
                    *pairs = if CODE == EIGHT {
                        _mm256_maddubs_epi16(_mm256_abs_epi8(signed), _mm256_sign_epi8(input(t, j), signed))
                    } else {
                        _mm256_add_epi16(*pairs, _mm256_maddubs_epi16(w, input(t, j)))
                    };
                }
            }
            for (sum, pairs) in sums.iter_mut().zip(pairs) {
                *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(pairs, ones));
            }
        }
        sums
    }
}

#[inline(always)]
unsafe fn dot_vnni(zero: __m256i, w: &[__m256i; 8], x: *const i32) -> __m256i {
    // SAFETY: 32 codes follow `x`; the processor has AVX-VNNI.
    unsafe {
        let (mut sum, mut other) = (zero, _mm256_setzero_si256());
        for (j, w) in w.as_chunks::<2>().0.iter().enumerate() {
            sum = _mm256_dpbusd_avx_epi32(sum, w[0], _mm256_set1_epi32(x.add(2 * j).read_unaligned()));
            other = _mm256_dpbusd_avx_epi32(other, w[1], _mm256_set1_epi32(x.add(2 * j + 1).read_unaligned()));
        }
        _mm256_add_epi32(sum, other)
    }
}

#[inline(always)]
unsafe fn dot<const CODE: u8>(zero: __m256i, w: &[__m256i; 8], x: *const i32) -> __m256i {
    // SAFETY: 32 codes follow `x`; the processor has AVX2.
    unsafe {
        let ones = _mm256_set1_epi16(1);
        let input = |j: usize| _mm256_set1_epi32(x.add(j).read_unaligned());
        let mut sum = zero;
        if CODE == EIGHT {
            for (j, w) in w.iter().enumerate() {
                let w = _mm256_xor_si256(*w, _mm256_set1_epi8(-128));
                let pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(input(j), w));
                sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, ones));
            }
            return sum;
        }
        // 31 · 127 · 2 · 4 and 15 · 127 · 2 · 8 both fit 15 bits.
        let together = if CODE == FOUR { 8 } else { 4 };
        for (n, w) in w.chunks_exact(together).enumerate() {
            let mut pairs = _mm256_setzero_si256();
            for (j, w) in w.iter().enumerate() {
                pairs = _mm256_add_epi16(pairs, _mm256_maddubs_epi16(*w, input(n * together + j)));
            }
            sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, ones));
        }
        sum
    }
}

/// The eight half vectors of a block, one byte a code.
#[inline(always)]
unsafe fn unpack<const CODE: u8>(codes: *const u8) -> [__m256i; 8] {
    // SAFETY: the caller's promise that a whole block of this kind follows; the processor has AVX2.
    unsafe {
        let load = |v: usize| _mm256_loadu_si256(codes.add(64 * v).cast());
        if CODE >= SMALL {
            return [load(0), load(1), load(2), load(3), load(4), load(5), load(6), load(7)];
        }
        let low = _mm256_set1_epi8(15);
        let mut w = [low; 8];
        for v in 0..4 {
            let both = load(v);
            w[v] = _mm256_and_si256(both, low);
            w[v + 4] = _mm256_and_si256(_mm256_srli_epi16(both, 4), low);
        }
        if CODE == FIVE {
            let (high, bit) = (load(4), _mm256_set1_epi8(16));
            let or = |w: __m256i, bits: __m256i| _mm256_or_si256(w, _mm256_and_si256(bits, bit));
            w[0] = or(w[0], _mm256_slli_epi16(high, 4));
            w[1] = or(w[1], _mm256_slli_epi16(high, 3));
            w[2] = or(w[2], _mm256_slli_epi16(high, 2));
            w[3] = or(w[3], _mm256_slli_epi16(high, 1));
            w[4] = or(w[4], high);
            w[5] = or(w[5], _mm256_srli_epi16(high, 1));
            w[6] = or(w[6], _mm256_srli_epi16(high, 2));
            w[7] = or(w[7], _mm256_srli_epi16(high, 3));
        }
        w
    }
}

/// Writes the codes of a strip of 4 or 5 bits as bytes, for use with many tokens.
///
/// # Safety
/// The processor has AVX2; `out` has 512 bytes for every block.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn widen(s: &Strip<'_>, bits: Bits, out: &mut [u8]) {
    for (b, out) in out.as_chunks_mut::<512>().0.iter_mut().take(s.blocks).enumerate() {
        for half in 0..2 {
            // SAFETY: block `b` is there, and `out` is 512 bytes.
            unsafe {
                let codes = s.codes.as_ptr().add(b * bits.bytes() + 32 * half);
                let w = match bits {
                    Bits::Four => unpack::<FOUR>(codes),
                    Bits::Five => unpack::<FIVE>(codes),
                    Bits::Eight => unpack::<EIGHT>(codes),
                };
                for (v, w) in w.into_iter().enumerate() {
                    _mm256_storeu_si256(out.as_mut_ptr().add(64 * v + 32 * half).cast(), w);
                }
            }
        }
    }
}
