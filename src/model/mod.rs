//! The models themselves: our own kernels or candle for the language model, our own kernels for the nets that look, candle for speech and sentences, rten for the other ONNX graphs, earshot for voice activity, sonora for echo cancellation.
//!
//! Floor 2. In: tokens, PCM, RGB frames. Out: logits, transcripts, sightings, vectors, speech. Foreign types stop at each folder's door.

pub mod asr;
pub mod classify;
mod convnet;
pub mod device;
pub mod echo;
pub mod embed;
mod file;
pub mod kernels;
pub mod language;
pub mod llm;
pub mod onnx;
mod onnx_file;
mod protobuf;
pub mod resize;
#[cfg(test)]
pub(crate) mod testing;
pub mod vad;
pub mod vision;
pub mod voice;

pub use device::{DeviceChoice, DeviceError};
pub use language::{LanguageModel, ModelError, Piece, Rendered, TextCodec};
