//! What stands between the products of an encoder: layer norm and the smooth activations.

use super::level::by_level;
use super::vector::{exp, madd};

by_level!(
    /// `out = (x - mean) / sqrt(variance + eps) * weight + bias` (layer norm, arXiv:1607.06450), over the `weight.len()` values of one token. An empty `bias` is none.
    pub fn layer_norm(level, x: &[f32], weight: &[f32], bias: &[f32], eps: f32, out: &mut [f32]) = layer_norm_body
);

#[inline(always)]
fn layer_norm_body<const FMA: bool>(x: &[f32], weight: &[f32], bias: &[f32], eps: f32, out: &mut [f32]) {
    let n = x.len().max(1) as f32;
    let mean = sum::<FMA>(x, |v| v) / n;
    let variance = sum::<FMA>(x, |v| (v - mean) * (v - mean)) / n;
    let scale = 1.0 / (variance + eps).sqrt();
    for ((o, v), w) in out.iter_mut().zip(x).zip(weight) {
        *o = (v - mean) * scale * w;
    }
    out.iter_mut().zip(bias).for_each(|(o, b)| *o += b);
}

#[inline(always)]
fn sum<const FMA: bool>(x: &[f32], of: impl Fn(f32) -> f32) -> f32 {
    let mut sums = [0.0f32; 16];
    let (parts, rest) = x.as_chunks::<16>();
    for part in parts {
        sums.iter_mut().zip(part).for_each(|(s, v)| *s += of(*v));
    }
    sums.iter().sum::<f32>() + rest.iter().map(|v| of(*v)).sum::<f32>()
}

by_level!(
    /// The Gaussian error linear unit, `x Φ(x)` (arXiv:1606.08415), to 2e-7 of the larger of `x` and 1.
    ///
    /// Source: the error function after Abramowitz and Stegun, "Handbook of Mathematical Functions", 7.1.26.
    pub fn gelu(level, x: &mut [f32]) = gelu_body
);

#[inline(always)]
fn gelu_body<const FMA: bool>(x: &mut [f32]) {
    for x in x {
        let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
        let t = 1.0 / madd::<FMA>(z, 0.327_591_1, 1.0);
        let mut p = 1.061_405_4;
        for c in [-1.453_152_1, 1.421_413_7, -0.284_496_72, 0.254_829_6] {
            p = madd::<FMA>(p, t, c);
        }
        // What is left of 1 beyond |x|, on either side.
        let tail = 0.5 * p * t * exp::<FMA>(-z * z);
        *x *= if *x < 0.0 { tail } else { 1.0 - tail };
    }
}

by_level!(
    /// The hyperbolic tangent, to 2e-7.
    pub fn tanh(level, x: &mut [f32]) = tanh_body
);

#[inline(always)]
fn tanh_body<const FMA: bool>(x: &mut [f32]) {
    for x in x {
        *x = 1.0 - 2.0 / (exp::<FMA>(2.0 * *x) + 1.0);
    }
}
