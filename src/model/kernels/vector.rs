//! What stands between products: normalising, rotating, adding, gating. Plain Rust, compiled for each level.

use super::level::by_level;
use super::product::Product;
use super::team::Pieces;

/// e to the power of `x`, to about 1e-7 of its value; 0 and a very large number beyond ±87.
///
/// Source: Cody and Waite's reduction with ln 2 in two parts; the polynomial is the one of Cephes' expf (S. Moshier).
#[inline(always)]
pub(super) fn exp<const FMA: bool>(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0;
    let x = if x > 88.0 { 88.0 } else { x };
    let x = if x < -87.0 { -87.0 } else { x };
    let n = madd::<FMA>(x, std::f32::consts::LOG2_E, ROUND) - ROUND;
    let r = madd::<FMA>(n, -0.693_359_4, x);
    let r = madd::<FMA>(n, 2.121_944_4e-4, r);
    let mut p = 1.987_569_1e-4;
    for c in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 5e-1] {
        p = madd::<FMA>(p, r, c);
    }
    let p = madd::<FMA>(p, r * r, r) + 1.0;
    let power = f32::from_bits(
        (((n + ROUND).to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32).wrapping_add(127) << 23) as u32,
    );
    p * power
}

/// `a * b + c`, fused where that is one instruction.
#[inline(always)]
pub(super) fn madd<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

by_level!(
    /// `gate = silu(gate) * up`.
    pub fn swish(level, gate: &mut [f32], up: &[f32]) = swish_body
);

#[inline(always)]
fn swish_body<const FMA: bool>(gate: &mut [f32], up: &[f32]) {
    for (g, u) in gate.iter_mut().zip(up) {
        *g = *g / (1.0 + exp::<FMA>(-*g)) * u;
    }
}

by_level!(
    /// `out[c] = bias[c] + Σ x[from + c] · w[tap + c]` over the `(from, tap)` of `taps`, held within `limits`: a pixel of a depthwise convolution.
    pub fn taps(level, x: &[f32], w: &[f32], taps: &[(usize, usize)], bias: &[f32], limits: (f32, f32), out: &mut [f32]) = taps_body
);

#[inline(always)]
fn taps_body<const FMA: bool>(
    x: &[f32],
    w: &[f32],
    taps: &[(usize, usize)],
    bias: &[f32],
    limits: (f32, f32),
    out: &mut [f32],
) {
    let mut at = 0;
    // Blocks whose sums stay in registers over all taps.
    while at + 48 <= out.len() {
        block::<FMA, 48>(x, w, taps, at, bias, limits, out);
        at += 48;
    }
    while at + 16 <= out.len() {
        block::<FMA, 16>(x, w, taps, at, bias, limits, out);
        at += 16;
    }
    while at < out.len() {
        block::<FMA, 1>(x, w, taps, at, bias, limits, out);
        at += 1;
    }
}

/// `N` channels from `at` on.
#[inline(always)]
fn block<const FMA: bool, const N: usize>(
    x: &[f32],
    w: &[f32],
    taps: &[(usize, usize)],
    at: usize,
    bias: &[f32],
    (low, high): (f32, f32),
    out: &mut [f32],
) {
    let mut sums = [0.0_f32; N];
    sums.copy_from_slice(&bias[at..at + N]);
    for (from, tap) in taps {
        for ((sum, x), w) in sums.iter_mut().zip(&x[from + at..][..N]).zip(&w[tap + at..][..N]) {
            *sum = madd::<FMA>(*x, *w, *sum);
        }
    }
    for (to, sum) in out[at..at + N].iter_mut().zip(sums) {
        *to = sum.max(low).min(high);
    }
}

by_level!(
    /// `out = x / sqrt(mean(x²) + eps) * weight` for each token of `weight.len()` values (RMSNorm, arXiv:1910.07467).
    pub(super) fn rms_norm(level, x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) = rms_norm_body
);

#[inline(always)]
fn rms_norm_body<const FMA: bool>(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
    let n = weight.len().max(1);
    for (x, out) in x.chunks_exact(n).zip(out.chunks_exact_mut(n)) {
        let mut sums = [0.0f32; 16];
        let (parts, rest) = x.as_chunks::<16>();
        for part in parts {
            for (s, v) in sums.iter_mut().zip(part) {
                *s = madd::<FMA>(*v, *v, *s);
            }
        }
        let total = sums.iter().chain(&[rest.iter().map(|v| v * v).sum::<f32>()]).sum::<f32>();
        let scale = 1.0 / (total / n as f32 + eps).sqrt();
        for ((o, v), w) in out.iter_mut().zip(x).zip(weight) {
            *o = v * scale * w;
        }
    }
}

/// `x += y`.
pub fn add(x: &mut [f32], y: &[f32]) {
    x.iter_mut().zip(y).for_each(|(x, y)| *x += y);
}

/// Turns the heads of each token by its position (rotary embedding, arXiv:2104.09864): of `rows`, `[tokens, row]`, the first `heads` of as many values as
/// `turns` has for a token, times two. `turns` holds a cosine and a sine for each half of a head. Pairs are neighbours when `pairs`, else value `i` goes with
/// `i + half`.
pub fn turn(p: &mut Product<'_>, rows: &mut [f32], (row, heads): (usize, usize), turns: &[(f32, f32)], pairs: bool) {
    let tokens = rows.len() / row.max(1);
    let half = turns.len() / tokens.max(1);
    let rows = Pieces::new(rows, row);
    p.team.run(tokens, &|t: usize| {
        // SAFETY: each token is one part of the job.
        let row = unsafe { rows.get(t) };
        let turns = &turns[t * half..][..half];
        row.chunks_exact_mut((2 * half).max(1)).take(heads).for_each(|head| rotate(head, turns, pairs));
    });
}

fn rotate(head: &mut [f32], turns: &[(f32, f32)], pairs: bool) {
    if pairs {
        for (pair, (cos, sin)) in head.as_chunks_mut::<2>().0.iter_mut().zip(turns) {
            *pair = [pair[0] * cos - pair[1] * sin, pair[0] * sin + pair[1] * cos];
        }
        return;
    }
    let (low, high) = head.split_at_mut(turns.len());
    for ((a, b), (cos, sin)) in low.iter_mut().zip(high).zip(turns) {
        (*a, *b) = (*a * cos - *b * sin, *a * sin + *b * cos);
    }
}
