//! Weights that are kept in f16, times inputs as they are: nothing is rounded but what comes to f16. What quantized weights are measured by.
//!
//! A strip holds the 16 weights of each column side by side, so that a vector instruction works on 16 rows at once, as in `pack`. And f32 to f16 and back, which keys and values
//! (`attention`) need, too.

use half::f16;

use super::activation::Rows;
use super::level::{Kind, Level, by_level};
use super::pack::{BLOCK, ROWS};
use super::vector::madd;

/// Tokens whose sums stay in registers, beside the weights and an input: of two vectors each where a vector is half a strip.
const fn at_once(level: Level) -> usize {
    match level.0 {
        #[cfg(target_arch = "x86_64")]
        Kind::Avx512 => 12,
        _ => 6,
    }
}

/// Sums of one strip for each token of `a`: `out[t][r]`.
pub(super) fn strip(level: Level, weights: &[[u16; ROWS]], a: &Rows<'_>, out: &mut [[f32; ROWS]]) {
    let columns = a.scales.len() / out.len().max(1) * BLOCK;
    assert!(
        weights.len() == columns && a.whole.len() == columns * out.len(),
        "{} inputs as they are for {} tokens of {} columns: this is a bug",
        a.whole.len(),
        out.len(),
        weights.len()
    );
    sums(level, weights, a.whole, at_once(level), out);
}

by_level!(
    fn sums(level, weights: &[[u16; ROWS]], x: &[f32], most: usize, out: &mut [[f32; ROWS]]) = sums_body
);

#[inline(always)]
fn sums_body<const FMA: bool>(weights: &[[u16; ROWS]], mut x: &[f32], most: usize, mut out: &mut [[f32; ROWS]]) {
    while !out.is_empty() {
        let done = match out.len().min(most) {
            12.. => tile::<FMA, 12>(weights, x, out),
            8.. => tile::<FMA, 8>(weights, x, out),
            6.. => tile::<FMA, 6>(weights, x, out),
            4.. => tile::<FMA, 4>(weights, x, out),
            2.. => tile::<FMA, 2>(weights, x, out),
            _ => tile::<FMA, 1>(weights, x, out),
        };
        (x, out) = (&x[done * weights.len()..], &mut out[done..]);
    }
}

/// The first `N` tokens.
#[inline(always)]
fn tile<const FMA: bool, const N: usize>(weights: &[[u16; ROWS]], x: &[f32], out: &mut [[f32; ROWS]]) -> usize {
    let columns = weights.len();
    assert!(x.len() >= N * columns, "too few inputs: this is a bug");
    let mut sums = [[0.0f32; ROWS]; N];
    for (c, w) in weights.iter().enumerate() {
        // Two columns are a line.
        #[cfg(target_arch = "x86_64")]
        if N == 1 && c % 2 == 0 {
            super::ahead::ahead(w.as_ptr().cast(), 0..1);
        }
        let w = widen_all::<FMA>(w);
        for (t, sums) in sums.iter_mut().enumerate() {
            // SAFETY: `c` is less than `columns`, `t` less than `N`, and there are `N * columns` inputs.
            let x = unsafe { *x.get_unchecked(t * columns + c) };
            sums.iter_mut().zip(&w).for_each(|(sum, w)| *sum = madd::<FMA>(x, *w, *sum));
        }
    }
    out[..N].copy_from_slice(&sums);
    N
}

/// From f16, which is finite. The exponent of an f16 is 112 less than that of the f32 with the same bits in place.
#[inline(always)]
fn widen(bits: u16) -> f32 {
    let magnitude = f32::from_bits(u32::from(bits & 0x7fff) << 13) * f32::from_bits((127 + 112) << 23);
    f32::from_bits(magnitude.to_bits() | u32::from(bits & 0x8000) << 16)
}

/// As [`widen`]. An instruction of its own, and vectors kept whole: the compiler's own way through `widen` took twice as long.
#[inline(always)]
pub(super) fn widen_all<const FMA: bool>(bits: &[u16; ROWS]) -> [f32; ROWS] {
    #[cfg(target_arch = "x86_64")]
    if FMA {
        use std::arch::x86_64::{__m128i, __m256, _mm_loadu_si128, _mm256_cvtph_ps};
        // SAFETY: on this architecture `FMA` is set for levels with F16C only; 16 values of two bytes are two vectors of 16 bytes.
        return unsafe {
            let halves = bits.as_ptr().cast::<__m128i>();
            std::mem::transmute::<[__m256; 2], [f32; ROWS]>([
                _mm256_cvtph_ps(_mm_loadu_si128(halves)),
                _mm256_cvtph_ps(_mm_loadu_si128(halves.add(1))),
            ])
        };
    }
    bits.map(widen)
}

by_level!(
    /// To f16, each `step` behind the one before; what is too large for it becomes the largest that fits.
    pub(super) fn narrow_all(level, x: &[f32], step: usize, out: &mut [u16]) = narrow_body
);

#[inline(always)]
fn narrow_body<const FMA: bool>(x: &[f32], step: usize, out: &mut [u16]) {
    let (most, mut out) = (f16::MAX.to_f32(), out.iter_mut().step_by(step));
    for x in x.chunks(ROWS / 2) {
        let mut some = [0.0f32; ROWS / 2];
        some.iter_mut().zip(x).for_each(|(to, x)| *to = x.clamp(-most, most));
        out.by_ref().zip(narrow::<FMA>(&some)).take(x.len()).for_each(|(to, bits)| *to = bits);
    }
}

#[inline(always)]
fn narrow<const FMA: bool>(x: &[f32; ROWS / 2]) -> [u16; ROWS / 2] {
    #[cfg(target_arch = "x86_64")]
    if FMA {
        use std::arch::x86_64::{__m128i, _MM_FROUND_TO_NEAREST_INT, _mm256_cvtps_ph, _mm256_loadu_ps};
        // SAFETY: on this architecture `FMA` is set for levels with F16C only; eight values are one vector.
        return unsafe {
            let halves = _mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(_mm256_loadu_ps(x.as_ptr()));
            std::mem::transmute::<__m128i, [u16; ROWS / 2]>(halves)
        };
    }
    x.map(|x| f16::from_f32(x).to_bits())
}
