//! A line or a curve that follows a layer becomes part of the layer.

use super::matrix::Matrix;
use super::steps::{Reach, Step};
use super::{Depthwise, Refused};
use crate::model::kernels::Finish;

/// Weights of a product as they came: [out, in] row by row.
pub(super) struct Linear {
    pub(super) inputs: usize,
    pub(super) weight: Vec<f32>,
    pub(super) bias: Vec<f32>,
    pub(super) finish: Finish,
}

impl Linear {
    /// A line for each output; some outputs may belong to one channel, all channels again and again.
    fn line(&mut self, scale: &[f32], shift: &[f32]) -> bool {
        if self.finish != Finish::PLAIN {
            return line_after(&mut self.finish, scale, shift);
        }
        let rows = self.weight.chunks_exact_mut(self.inputs.max(1)).zip(&mut self.bias);
        for ((row, bias), (scale, shift)) in rows.zip(scale.iter().zip(shift).cycle()) {
            row.iter_mut().for_each(|w| *w *= scale);
            *bias = *bias * scale + shift;
        }
        true
    }
}

/// A line for each channel of a depthwise convolution.
fn line_depthwise(d: &mut Depthwise, scale: &[f32], shift: &[f32]) {
    for tap in d.weight.chunks_exact_mut(d.channels.max(1)) {
        tap.iter_mut().zip(scale).for_each(|(w, s)| *w *= s);
    }
    d.bias.iter_mut().zip(scale.iter().zip(shift)).for_each(|(b, (s, t))| *b = *b * s + t);
}

/// A line behind a curve, if it is one for all channels.
fn line_after(finish: &mut Finish, scale: &[f32], shift: &[f32]) -> bool {
    let (Some(s), Some(t)) = (alike(scale), alike(shift)) else { return false };
    (finish.scale, finish.shift) = (finish.scale * s, finish.shift * s + t);
    true
}

/// The number that all are.
#[expect(clippy::float_cmp, reason = "copies of one number")]
pub(super) fn alike(numbers: &[f32]) -> Option<f32> {
    let first = *numbers.first()?;
    numbers.iter().all(|n| *n == first).then_some(first)
}

impl Step<Linear> {
    /// Makes a line that follows value `of` part of this step; says whether it could.
    pub(super) fn take_line(&mut self, of: usize, scale: &[f32], shift: &[f32]) -> bool {
        match self {
            Self::Convolution(_, heads) => {
                heads.iter_mut().find(|(_, to)| *to == of).is_some_and(|(m, _)| m.line(scale, shift))
            }
            Self::Up(_, matrix, _) => matrix.line(scale, shift),
            Self::Depthwise(_, d, finish, ..) => {
                if *finish != Finish::PLAIN {
                    return line_after(finish, scale, shift);
                }
                line_depthwise(d, scale, shift);
                true
            }
            Self::Map { scale: s, shift: t, finish, .. } => {
                if *finish != Finish::PLAIN {
                    return line_after(finish, scale, shift);
                }
                for ((s, t), (scale, shift)) in s.iter_mut().zip(t).zip(scale.iter().zip(shift)) {
                    (*s, *t) = (*s * scale, *t * scale + shift);
                }
                true
            }
            _ => false,
        }
    }

    /// Makes a curve that follows value `of` part of this step; says whether it could.
    pub(super) fn take_curve(&mut self, of: usize, curve: Finish) -> bool {
        let finish = match self {
            Self::Convolution(_, heads) => heads.iter_mut().find(|(_, to)| *to == of).map(|(m, _)| &mut m.finish),
            Self::Up(_, matrix, _) => Some(&mut matrix.finish),
            Self::Depthwise(_, _, finish, ..) | Self::Map { finish, .. } => Some(finish),
            _ => None,
        };
        match finish {
            Some(finish) if *finish == Finish::PLAIN => {
                *finish = curve;
                true
            }
            _ => false,
        }
    }

    /// With packed weights.
    pub(super) fn pack(self) -> Refused<Step<Matrix>> {
        let pack = |m: Linear| Matrix::new(&m.weight, m.inputs, m.bias, m.finish);
        Ok(match self {
            Self::Convolution(reach, heads) => {
                let narrow = reach.is_narrow(heads.first().map_or(0, |(m, _)| m.inputs));
                let heads = heads.into_iter().map(|(m, to)| {
                    let whole = |m: Linear| Matrix::whole(&m.weight, m.inputs, m.bias, m.finish);
                    Ok((if narrow { whole(m)? } else { pack(m)? }, to))
                });
                Step::Convolution(reach, heads.collect::<Refused<_>>()?)
            }
            Self::Depthwise(steps, depthwise, finish, x, to) => Step::Depthwise(steps, depthwise, finish, x, to),
            Self::Up(x, m, to) => Step::Up(x, pack(m)?, to),
            Self::Sum(a, b, to) => Step::Sum(a, b, to),
            Self::Scale { x, by, plus, to } => Step::Scale { x, by, plus, to },
            Self::Map { x, scale, shift, finish, to } => Step::Map { x, scale, shift, finish, to },
            Self::Most(x, steps, to) => Step::Most(x, steps, to),
            Self::Mean(x, to) => Step::Mean(x, to),
            Self::Join(sources, to) => Step::Join(sources, to),
            Self::Stack(values, to) => Step::Stack(values, to),
        })
    }

    /// A pointwise convolution behind this depthwise one: both in one.
    pub(super) fn behind(self, matrix: Linear, to: usize) -> Result<Self, Self> {
        match self {
            Self::Depthwise(steps, depthwise, finish, x, _) => {
                Ok(Self::Convolution(Reach::Depthwise(steps, depthwise, finish, x), vec![(matrix, to)]))
            }
            other => Err(other),
        }
    }
}
