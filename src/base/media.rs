//! Media as it travels down the data path: access units in, RGB frames and PCM out of the decoder.

use std::sync::Arc;

use bytes::Bytes;

use super::{FrameId, MediaTime};

/// A codec that we negotiate and decode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// VP8 video (RFC 7741).
    Vp8,
    /// VP9 video (RFC 9628).
    Vp9,
    /// H.264 video, Annex B byte stream once assembled (RFC 6184).
    H264,
    /// AV1 video, low-overhead OBU temporal units once assembled.
    Av1,
    /// Opus audio (RFC 7587).
    Opus,
}

impl Codec {
    /// Whether this is a video codec.
    #[must_use]
    pub const fn is_video(self) -> bool {
        !matches!(self, Self::Opus)
    }

    /// Ticks per second of the RTP clock.
    #[must_use]
    pub const fn clock_rate_hz(self) -> u32 {
        if self.is_video() { 90_000 } else { 48_000 }
    }

    /// The name of its decode graph under `pipelines/decode/` and of its metric label.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vp8 => "vp8",
            Self::Vp9 => "vp9",
            Self::H264 => "h264",
            Self::Av1 => "av1",
            Self::Opus => "opus",
        }
    }
}

/// Where a picture stands among the temporal layers of its stream; the lowest where it has none, or none that we read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Layer {
    /// 0 is the base layer. A picture builds on pictures of its own layer and those below.
    pub temporal: u8,
    /// It builds on the base layer only.
    pub sync: bool,
}

/// One whole encoded picture, or one audio packet, with its capture time.
#[derive(Debug, Clone)]
pub struct AccessUnit {
    /// How `data` is encoded.
    pub codec: Codec,
    /// The encoded bytes: a VP8/VP9 frame, an Annex B access unit, an AV1 temporal unit or an Opus packet.
    pub data: Bytes,
    /// When the sender captured it, mapped onto the session clock by RTCP sender reports (arrival time until the first report).
    pub capture: MediaTime,
    /// When its last packet reached us.
    pub arrival: MediaTime,
    /// Decodable by itself. Always true for audio.
    pub keyframe: bool,
    /// Nothing is missing between this unit and the one before it.
    pub contiguous: bool,
    /// Its temporal layer.
    pub layer: Layer,
}

/// A decoded picture: 8-bit RGB, rows tightly packed (`stride = 3 * width`), full range, top row first.
#[derive(Debug, Clone)]
pub struct RgbFrame {
    /// Number of the picture in its stream. Pictures that nobody looks at are numbered too and do not become frames.
    pub id: FrameId,
    /// Pixels per row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// `height * width * 3` bytes.
    pub data: Arc<[u8]>,
    /// Capture time on the session clock.
    pub capture: MediaTime,
}

/// Decoded sound: 16 kHz mono, `-1.0..=1.0`. The decoder sends 40 ms (640 samples) at a time.
#[derive(Debug, Clone)]
pub struct Pcm {
    /// Samples at [`Pcm::RATE_HZ`].
    pub samples: Arc<[f32]>,
    /// Capture time of the first sample on the session clock.
    pub start: MediaTime,
}

impl Pcm {
    /// Sample rate of every `Pcm` in the process.
    pub const RATE_HZ: u32 = 16_000;
    /// Samples in one decoder buffer: 40 ms.
    pub const BUFFER_SAMPLES: usize = 640;
    /// The most that is nothing to hear: what is left of a muted microphone's silence behind Opus, whose decoder rounds it up or down by a step of 16 bits.
    pub const NOTHING: f32 = 1.0 / 32_768.0;

    /// Whether there is nothing to hear.
    #[must_use]
    pub fn is_nothing(samples: &[f32]) -> bool {
        samples.iter().all(|s| s.abs() <= Self::NOTHING)
    }

    /// A sample as every stage may take it: what is no number is silence, what is too loud is cut at full scale.
    #[must_use]
    pub const fn sane(sample: f32) -> f32 {
        if sample.is_finite() { sample.clamp(-1.0, 1.0) } else { 0.0 }
    }
}
