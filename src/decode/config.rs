//! Limits and places of the decode stage.

use std::path::PathBuf;
use std::time::Duration;

/// Configuration of decoding. The defaults suit a camera of up to 1080p.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeConfig {
    /// A folder that holds `decode/*.gst` in place of the graphs compiled in. Default: none. A missing or wrong graph there is an error.
    pub pipelines_dir: Option<PathBuf>,
    /// Long side of the frames that come out, in pixels: larger pictures are scaled down, smaller ones left alone.
    /// Default 1280, bounds 16 to 4096. More costs time in every later stage.
    pub max_side: u32,
    /// Largest picture accepted, `(long side, short side)` in pixels, either way up. Default 1920 × 1080. Larger streams are not decoded:
    /// a guard against decoders being made to allocate gigabytes.
    pub max_input: (u32, u32),
    /// Least time between two frames that come out, in capture time; the pictures between are decoded and counted, not converted. Default zero: every
    /// picture comes out. It does not bind files.
    pub least_between: Duration,
    /// Whether the size of a coded picture decides, too, whether it comes out: where it says that nothing moved, fewer do
    /// ([`crate::watch::coded`]). Default false.
    pub by_size: bool,
    /// Largest access unit in bytes. Default 2 MiB. Larger ones are refused as corrupt.
    pub max_unit_bytes: usize,
    /// Video units waiting in front of the decoder. Default 32 (`flow::PEER_TO_DECODE`); when full, units are dropped up to the next keyframe.
    pub video_queue: u64,
    /// Audio units waiting in front of the decoder. Default 250, which is 5 s of usual packets; beyond it is a defect and is counted.
    pub audio_queue: u64,
    /// So many units without any frame coming out, over at least 2 s, and the decoder is declared hung and restarted. Default 60.
    pub watchdog_pushes: u64,
}

impl Default for DecodeConfig {
    fn default() -> Self {
        Self {
            pipelines_dir: None,
            max_side: 1280,
            max_input: (1920, 1080),
            least_between: Duration::ZERO,
            by_size: false,
            max_unit_bytes: 2 << 20,
            video_queue: crate::flow::PEER_TO_DECODE.capacity as u64,
            audio_queue: crate::flow::DECODE_TO_LISTEN.capacity as u64,
            watchdog_pushes: 60,
        }
    }
}
