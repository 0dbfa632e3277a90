//! Made-up frames for the tests of this folder and of the experts.

use std::sync::Arc;

use crate::base::{FrameId, MediaTime, RgbFrame};

/// A frame whose pixels come from `paint(x, y)`.
pub(crate) fn frame(width: u32, height: u32, paint: impl Fn(u32, u32) -> [u8; 3]) -> RgbFrame {
    let data: Vec<u8> =
        (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).flat_map(|(x, y)| paint(x, y)).collect();
    RgbFrame { id: FrameId(0), width, height, data: Arc::from(data), capture: MediaTime::ZERO }
}

/// A frame of one colour.
pub(crate) fn flat(width: u32, height: u32, rgb: [u8; 3]) -> RgbFrame {
    frame(width, height, |_, _| rgb)
}

/// The same frame captured at `ms`.
pub(crate) fn at(mut frame: RgbFrame, ms: u64) -> RgbFrame {
    frame.capture = MediaTime::from_millis(ms);
    frame
}

/// A textured picture that differs for every `seed`: blocks of pseudo-random grey.
pub(crate) fn blocks(seed: u32) -> RgbFrame {
    frame(160, 120, move |x, y| {
        let mut h =
            (x / 20).wrapping_mul(73_856_093) ^ (y / 20).wrapping_mul(19_349_663) ^ seed.wrapping_mul(83_492_791);
        h ^= h >> 13;
        h = h.wrapping_mul(0x5bd1_e995);
        h ^= h >> 15;
        #[expect(clippy::cast_possible_truncation, reason = "the low byte is wanted")]
        let v = (40 + h % 170) as u8;
        [v, v, v]
    })
}
