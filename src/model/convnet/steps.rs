//! What a net does, one step after the other. `M` is how weights are kept: as they came while steps are still put together, then packed.

use super::window::{Depthwise, Steps};
use crate::model::kernels::Finish;

/// A value that is read as it is, enlarged, or only every so many pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) value: usize,
    pub(super) channels: usize,
    /// Each pixel stands for a square of so many on a side.
    pub(super) zoom: usize,
    /// Rows and columns from one pixel read to the next.
    pub(super) step: (usize, usize),
    /// Row and column of the first pixel read.
    pub(super) start: (usize, usize),
}

impl Source {
    /// The value as it is.
    pub(super) const fn plain(value: usize, channels: usize) -> Self {
        Self { value, channels, zoom: 1, step: (1, 1), start: (0, 0) }
    }

    pub(super) fn is_plain(&self) -> bool {
        *self == Self::plain(self.value, self.channels)
    }

    /// Rows and columns, of a value of so many.
    pub(super) fn size(&self, (rows, columns): (usize, usize)) -> (usize, usize) {
        let along = |n: usize, start: usize, step: usize| n.saturating_sub(start).div_ceil(step) * self.zoom;
        (along(rows, self.start.0, self.step.0), along(columns, self.start.1, self.step.1))
    }
}

/// What a convolution takes for each pixel that comes out.
pub(super) enum Reach {
    /// One pixel of some values, side by side.
    Pixels(Vec<Source>),
    /// The pixels around it.
    Patches(Steps, usize),
    /// What a depthwise convolution makes of the pixels around it, and a curve of that.
    Depthwise(Steps, Depthwise, Finish, usize),
}

/// Inputs of a layer that is computed in f32, at most.
const NARROW: usize = 128;

impl Reach {
    /// Whether the layer is computed in f32. Where few inputs are multiplied with few outputs, rounding costs as much as it saves, and what the first, narrow
    /// layers lose goes through all the others. Patches of pixels that cannot be rounded one by one, a block of 32 each, are f32, too.
    pub(super) fn is_narrow(&self, inputs: usize) -> bool {
        match self {
            Self::Patches(steps, _) => !(inputs / (steps.kernel * steps.kernel)).is_multiple_of(32),
            Self::Pixels(_) | Self::Depthwise(..) => inputs <= NARROW,
        }
    }
}

/// One step and the values that it makes.
pub(super) enum Step<M> {
    /// Products with some matrices.
    Convolution(Reach, Vec<(M, usize)>),
    /// A depthwise convolution that no product has taken into itself.
    Depthwise(Steps, Depthwise, Finish, usize, usize),
    /// Each pixel becomes four; the matrix makes them one row after the other.
    Up(usize, M, usize),
    Sum(Source, Source, usize),
    /// `x * (by + plus)`, where `by` has one pixel.
    Scale {
        x: usize,
        by: usize,
        plus: f32,
        to: usize,
    },
    /// A line for each channel, then a curve.
    Map {
        x: usize,
        scale: Vec<f32>,
        shift: Vec<f32>,
        finish: Finish,
        to: usize,
    },
    /// The greatest of the pixels around it.
    Most(usize, Steps, usize),
    /// The mean of all pixels.
    Mean(usize, usize),
    /// Some values side by side.
    Join(Vec<Source>, usize),
    /// The pixels of some values, one value after the other.
    Stack(Vec<usize>, usize),
}

impl<M> Step<M> {
    /// Values that it reads.
    pub(super) fn inputs(&self) -> Vec<usize> {
        match self {
            Self::Convolution(Reach::Pixels(sources), _) | Self::Join(sources, _) => {
                sources.iter().map(|s| s.value).collect()
            }
            Self::Convolution(Reach::Patches(_, x) | Reach::Depthwise(.., x), _)
            | Self::Depthwise(.., x, _)
            | Self::Up(x, ..)
            | Self::Map { x, .. }
            | Self::Most(x, ..)
            | Self::Mean(x, _) => vec![*x],
            Self::Sum(a, b, _) => vec![a.value, b.value],
            Self::Scale { x, by, .. } => vec![*x, *by],
            Self::Stack(values, _) => values.clone(),
        }
    }

    /// Values that it makes.
    pub(super) fn outputs(&self) -> Vec<usize> {
        match self {
            Self::Convolution(_, heads) => heads.iter().map(|(_, to)| *to).collect(),
            Self::Depthwise(.., to)
            | Self::Up(.., to)
            | Self::Sum(.., to)
            | Self::Scale { to, .. }
            | Self::Map { to, .. }
            | Self::Most(.., to)
            | Self::Mean(_, to)
            | Self::Join(_, to)
            | Self::Stack(_, to) => vec![*to],
        }
    }
}
