//! What becomes of a sum of a convolution: a curve, then a line. Plain Rust, compiled for each level.
//!
//! Source: SiLU (arXiv:1702.03118), hard swish (arXiv:1905.02244 §5.2).

use super::level::by_level;
use super::vector::{exp, madd};

/// An activation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Curve {
    /// Held within limits.
    Within(f32, f32),
    /// `1 / (1 + e^-x)`
    Sigmoid,
    /// `x / (1 + e^-x)`
    Silu,
    /// `x · clamp(x + 3, 0, 6) / 6`
    HardSwish,
}

/// A curve, then `scale · x + shift`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Finish {
    /// The curve.
    pub curve: Curve,
    /// What its value is multiplied with.
    pub scale: f32,
    /// What is added then.
    pub shift: f32,
}

impl Finish {
    /// Leaves every number as it is.
    pub const PLAIN: Self = Self::of(Curve::Within(f32::MIN, f32::MAX));

    /// A curve alone.
    #[must_use]
    pub const fn of(curve: Curve) -> Self {
        Self { curve, scale: 1.0, shift: 0.0 }
    }
}

by_level!(
    /// Finishes every number of `x`.
    pub fn finish(level, to: Finish, x: &mut [f32]) = finish_body
);

#[inline(always)]
pub(super) fn finish_body<const FMA: bool>(to: Finish, x: &mut [f32]) {
    let line = |v: f32| madd::<FMA>(v, to.scale, to.shift);
    match to.curve {
        Curve::Within(low, high) => x.iter_mut().for_each(|v| *v = line(v.max(low).min(high))),
        Curve::Sigmoid => x.iter_mut().for_each(|v| *v = line(1.0 / (1.0 + exp::<FMA>(-*v)))),
        Curve::Silu => x.iter_mut().for_each(|v| *v = line(*v / (1.0 + exp::<FMA>(-*v)))),
        Curve::HardSwish => x.iter_mut().for_each(|v| *v = line(*v * (*v + 3.0).clamp(0.0, 6.0) * (1.0 / 6.0))),
    }
}
