//! ONNX graphs on the processor: detector and text finder on our own kernels (`convnet`); the recogniser of text and the voice in rten.
//!
//! Floor 2. In: `RgbFrame`, symbols. Out: [`crate::watch::Sighting`]s, sound. Loses: nothing.
//! rten's types stay in this folder.

mod boxes;
mod detector;
mod graph;
mod reader;
mod speaker;

pub use detector::{Detector, DetectorConfig};
pub use graph::{OnnxError, Threads};
pub use reader::{Reader, ReaderConfig};
pub use speaker::{STYLE_SIZE, Speaker, Spoken};

#[cfg(test)]
mod tests;
