//! Access units → RGB frames and 16 kHz mono sound, by GStreamer, from the text graphs under `pipelines/`.
//!
//! Floor 2. In: [`AccessUnit`](crate::base::AccessUnit) (live) or a file. Out: [`RgbFrame`](crate::base::RgbFrame),
//! [`Pcm`](crate::base::Pcm) of 40 ms. Loses: `NoKeyframe`, `DecoderBehind`, `Corrupt`, `AudioOverflow`.
//!
//! GStreamer's types stop at this folder's door. Its data flow runs on its own threads; our callbacks run there too and must not block.
//!
//! # What blocks
//! [`check`], [`VideoDecoder::start`], [`AudioDecoder::start`], [`FileReader::open`], [`FileReader::next`], [`VoiceEncoder::start`] and the drop of all four;
//! [`decode_image`] and [`encode_jpeg`] compute for milliseconds. Call them on a blocking thread. `push` and `stats` never block.

mod audio;
mod bits;
mod config;
mod counters;
mod elements;
mod error;
mod file;
mod frame;
mod framer;
mod g711;
mod gate;
mod graph;
mod header;
mod inventory;
mod jpeg;
mod layers;
mod live;
mod opus;
mod picture;
mod resample;
mod speech;
mod timeline;
mod video;
mod voice;

pub use audio::AudioDecoder;
pub use config::DecodeConfig;
pub use counters::DecodeStats;
pub use error::DecodeError;
pub use file::{FileItem, FileReader, Wanted};
pub use framer::{Framer, MAX_SILENCE};
pub use inventory::{Inventory, check};
pub use jpeg::{MAX_JPEG_BYTES, encode_jpeg};
pub use picture::{PictureLimits, decode_image};
pub use resample::{Resampler, WireAudio};
pub use speech::{decode_speech, encode_speech};
pub use video::VideoDecoder;
pub use voice::VoiceEncoder;

use std::sync::OnceLock;

use gstreamer as gst;

/// Starts GStreamer, once per process; later calls give the first result.
///
/// The plugin registry is scanned in a helper process where GStreamer has one (its default): a broken plugin then cannot take us down.
/// An operator whose sandbox forbids fork sets `GST_REGISTRY_FORK=no`, which GStreamer reads itself.
fn init() -> Result<(), DecodeError> {
    static STARTED: OnceLock<Result<(), String>> = OnceLock::new();
    STARTED
        .get_or_init(|| gst::init().map_err(|e| e.message().to_owned()))
        .clone()
        .map_err(|why| DecodeError::Init { why })
}

#[cfg(test)]
pub(crate) mod tests;
