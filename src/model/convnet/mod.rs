//! Convolutional nets on our own kernels: built from an ONNX graph, computed in 8 bits where layers are wide and in f32 where they are narrow, broken off between two layers.
//!
//! Floor 2. In: the bytes of an ONNX file; pictures as f32, channels last. Out: what the graph gives, channels last. Loses: what rounding to 8 bits loses.
//! Source: the operators' definitions in `onnx/docs/Operators.md`. Differs from them in: what goes into a product of more than 128 inputs is rounded to 8 bits with a scale
//! for every 32 values of a pixel, weights likewise; everything else is f32, and nothing is computed that only moves numbers (slices, enlargements by whole factors
//! and concatenations are read where they are needed).
//!
//! - `plan`: graph to steps, what only scales or bends a layer's outputs folded into it. `fold`: the rules of that.
//! - `net`: the steps, and the buffers that they share. `steps`: what each does.
//! - `matrix`, `window`: products and where taps fall, also for the classifier, whose file is of another kind.
//!
//! A graph of other operators is refused in words; it is another model than the ones this is for (YOLOX, PP-OCR's finder).

mod fold;
mod matrix;
mod net;
mod plan;
mod steps;
mod window;

pub(super) use matrix::{Matrix, patches, pointwise, separable};
pub(super) use net::{Net, mean};
#[cfg(test)]
pub(super) use window::tests::plainly;
pub(super) use window::{Depthwise, KERNEL, Window};

/// A refusal in words.
pub(super) type Refused<T> = Result<T, String>;
