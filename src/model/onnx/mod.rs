//! ONNX graphs on the processor (rten): detector and reader.
//!
//! Floor 2. In: `RgbFrame`. Out: [`crate::watch::Sighting`]s. Loses: nothing.
//! rten's types stay in this folder.

mod detector;
mod graph;
mod reader;

pub use detector::{Detector, DetectorConfig};
pub use graph::{OnnxError, Threads};
pub use reader::{Reader, ReaderConfig};
