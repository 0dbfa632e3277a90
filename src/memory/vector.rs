//! Unit vectors: f32 while they are worked with, f16 while they are kept.
//!
//! Half precision keeps a cosine to within 0.001, far below what separates two scenes, at half the memory.

use half::f16;
use half::slice::HalfFloatSliceExt;

/// Longer vectors are refused, so that one look cannot fill the memory.
pub(super) const MOST_DIMS: usize = 4_096;

/// `v` at length 1; `None` when it is empty, too long, zero or not finite.
pub(super) fn unit(v: &[f32]) -> Option<Vec<f32>> {
    if v.is_empty() || v.len() > MOST_DIMS {
        return None;
    }
    let length = dot(v, v).sqrt();
    if !length.is_finite() || length < 1e-12 {
        return None;
    }
    let scale = 1.0 / length;
    Some(v.iter().map(|x| x * scale).collect())
}

/// As it is kept.
pub(super) fn pack(v: &[f32]) -> Vec<f16> {
    let mut out = vec![f16::ZERO; v.len()];
    out.convert_from_f32_slice(v);
    out
}

/// A kept vector that came from outside, at length 1 again.
pub(super) fn repack(v: &[f16]) -> Option<Vec<f16>> {
    if v.len() > MOST_DIMS { None } else { unit(&v.to_f32_vec()).map(|v| pack(&v)) }
}

/// Sixteen sums side by side: additions that need not wait for each other, which the compiler turns into SIMD.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    let mut sums = [0.0_f32; LANES];
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f32 = a_chunks.remainder().iter().zip(b_chunks.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in a_chunks.zip(b_chunks) {
        for i in 0..LANES {
            sums[i] += x[i] * y[i];
        }
    }
    sums.iter().sum::<f32>() + rest
}

/// Two buffers for unpacking, so that comparing with a thousand kept vectors allocates once.
#[derive(Debug, Default)]
pub(super) struct Scratch(Vec<f32>, Vec<f32>);

impl Scratch {
    /// Cosine of a unit vector and a kept one; `None` when they are of different kinds.
    pub(super) fn cosine(&mut self, a: &[f32], b: &[f16]) -> Option<f32> {
        if a.len() != b.len() || a.is_empty() {
            return None;
        }
        Some(dot(a, unpack(b, &mut self.0)).clamp(-1.0, 1.0))
    }

    /// Cosine of two kept ones.
    pub(super) fn between(&mut self, a: &[f16], b: &[f16]) -> Option<f32> {
        if a.len() != b.len() || a.is_empty() {
            return None;
        }
        let Self(x, y) = self;
        Some(dot(unpack(a, x), unpack(b, y)).clamp(-1.0, 1.0))
    }
}

fn unpack<'a>(v: &[f16], into: &'a mut Vec<f32>) -> &'a [f32] {
    into.resize(v.len(), 0.0);
    v.convert_to_f32_slice(into);
    into
}

/// The weighted mean of kept vectors, at length 1 (MA-LMM merges by count in the same way). Those of another length than the first are left out.
pub(super) fn mean<'a>(parts: impl Iterator<Item = (&'a [f16], f32)>) -> Option<Vec<f16>> {
    let mut sum: Vec<f32> = Vec::new();
    let mut one = Vec::new();
    for (v, weight) in parts {
        if sum.is_empty() {
            sum.resize(v.len(), 0.0);
        }
        if v.len() == sum.len() {
            add(&mut sum, unpack(v, &mut one), weight);
        }
    }
    unit(&sum).map(|v| pack(&v))
}

/// `sum += weight * v`, of the same length.
pub(super) fn add(sum: &mut [f32], v: &[f32], weight: f32) {
    for (s, x) in sum.iter_mut().zip(v) {
        *s += weight * x;
    }
}
