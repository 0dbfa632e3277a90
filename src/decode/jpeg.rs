//! Frames as small JPEG pictures: what memory keeps of what was seen.

use bytes::Bytes;
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageBuffer, Rgb, imageops};

use crate::base::RgbFrame;

use super::DecodeError;

/// Bytes that a picture of [`encode_jpeg`] has at most.
pub const MAX_JPEG_BYTES: usize = 32 << 10;

/// Lower qualities show blocks; below this a smaller picture says more than a worse one.
const LEAST_QUALITY: u8 = 40;
const QUALITY_STEP: u8 = 12;
/// A picture with this long side has less than 2 KiB whatever it shows.
const LEAST_SIDE: u32 = 16;

/// Writes a frame as a JPEG of `quality` 1 to 100 whose long side has at most `max_side` pixels (16 at least; never scaled up; area average)
/// and whose file has at most [`MAX_JPEG_BYTES`]. When it would have more, the quality is lowered step by step to 40, then the side by
/// quarters. Computes for some milliseconds: see "What blocks" of this module.
///
/// # Errors
/// The frame's size does not match its data, it is empty, or a side that stays above 65535 pixels is more than JPEG can say.
pub fn encode_jpeg(frame: &RgbFrame, max_side: u32, quality: u8) -> Result<Bytes, DecodeError> {
    encode_within(frame, max_side, quality, MAX_JPEG_BYTES)
}

type Picture<D> = ImageBuffer<Rgb<u8>, D>;

fn encode_within(frame: &RgbFrame, max_side: u32, quality: u8, limit: usize) -> Result<Bytes, DecodeError> {
    let (width, height, bytes) = (frame.width, frame.height, frame.data.len());
    let fits = u128::from(width) * u128::from(height) * 3 == bytes as u128 && bytes > 0;
    let whole: Option<Picture<&[u8]>> = ImageBuffer::from_raw(width, height, &*frame.data).filter(|_| fits);
    let whole = whole.ok_or_else(|| DecodeError::Bug(format!("a frame of {width}x{height} with {bytes} bytes")))?;
    let mut side = max_side.max(LEAST_SIDE).min(width.max(height));
    let mut qualities = steps(quality);
    loop {
        let (w, h) = fit(width, height, side);
        let scaled = ((w, h) != (width, height)).then(|| imageops::thumbnail(&whole, w, h));
        let pixels = scaled.as_ref().map_or(&*frame.data, |s| s.as_raw().as_slice());
        for quality in &qualities {
            let file = write(pixels, w, h, *quality)?;
            if file.len() <= limit || (side <= LEAST_SIDE && Some(quality) == qualities.last()) {
                return Ok(file.into());
            }
        }
        qualities.drain(..qualities.len() - 1);
        side = (side - side / 4).max(LEAST_SIDE);
    }
}

/// Qualities to try, best first; never empty.
fn steps(quality: u8) -> Vec<u8> {
    let quality = quality.clamp(1, 100);
    let mut all: Vec<u8> = (LEAST_QUALITY..=quality).rev().step_by(QUALITY_STEP.into()).collect();
    match all.last() {
        None => all.push(quality),
        Some(last) if *last > LEAST_QUALITY => all.push(LEAST_QUALITY),
        Some(_) => {}
    }
    all
}

/// The size with the long side `side` and the same aspect, each at least one pixel.
fn fit(width: u32, height: u32, side: u32) -> (u32, u32) {
    let long = u64::from(width.max(height).max(1));
    let scale = |n: u32| {
        let rounded = (u64::from(n) * u64::from(side) + long / 2) / long;
        u32::try_from(rounded).unwrap_or(side).max(1)
    };
    (scale(width), scale(height))
}

fn write(pixels: &[u8], width: u32, height: u32, quality: u8) -> Result<Vec<u8>, DecodeError> {
    let mut out = Vec::with_capacity(pixels.len() / 8);
    JpegEncoder::new_with_quality(&mut out, quality)
        .encode(pixels, width, height, ExtendedColorType::Rgb8)
        .map_err(|e| DecodeError::BadPicture { why: e.to_string() })?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::{MAX_JPEG_BYTES, encode_jpeg, encode_within, fit, steps};
    use crate::base::{FrameId, MediaTime, RgbFrame};
    use crate::decode::{DecodeError, PictureLimits, decode_image};

    fn frame(width: u32, height: u32, pixel: impl Fn(u32, u32) -> [u8; 3]) -> RgbFrame {
        let pixel = &pixel;
        let data = (0..height).flat_map(|y| (0..width).flat_map(move |x| pixel(x, y))).collect();
        RgbFrame { id: FrameId(0), width, height, data, capture: MediaTime::ZERO }
    }

    /// The same noise always; nothing compresses worse.
    fn noise(width: u32, height: u32) -> RgbFrame {
        let state = std::cell::Cell::new(1_u32);
        let next = || {
            state.set(state.get().wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
            (state.get() >> 24) as u8
        };
        frame(width, height, |_, _| [next(), next(), next()])
    }

    fn decoded(jpeg: &[u8]) -> RgbFrame {
        decode_image(jpeg, &PictureLimits::default()).unwrap()
    }

    #[test]
    fn a_picture_comes_back_smaller_with_its_aspect_and_colours() {
        let halves = frame(640, 480, |x, _| if x < 320 { [200, 30, 30] } else { [20, 20, 180] });
        let back = decoded(&encode_jpeg(&halves, 320, 75).unwrap());
        assert_eq!((back.width, back.height), (320, 240));
        for (x, expected) in [(40, [200, 30, 30]), (280, [20, 20, 180])] {
            let at = (120 * 320 + x) * 3;
            let near = back.data[at..at + 3].iter().zip(expected).all(|(a, b)| a.abs_diff(b) < 8);
            assert!(near, "{:?} is not {expected:?}", &back.data[at..at + 3]);
        }
        let tall = decoded(&encode_jpeg(&frame(90, 1600, |_, _| [9; 3]), 320, 75).unwrap());
        assert_eq!((tall.width, tall.height), (18, 320));
        let small = decoded(&encode_jpeg(&frame(50, 30, |_, _| [9; 3]), 320, 75).unwrap());
        assert_eq!((small.width, small.height), (50, 30), "never scaled up");
        let line = decoded(&encode_jpeg(&frame(4000, 1, |_, _| [9; 3]), 320, 75).unwrap());
        assert_eq!((line.width, line.height), (320, 1));
    }

    #[test]
    fn scaling_averages_and_does_not_skip() {
        let stripes = frame(640, 480, |x, _| if x % 2 == 0 { [0; 3] } else { [255; 3] });
        let back = decoded(&encode_jpeg(&stripes, 320, 75).unwrap());
        assert!(back.data.iter().all(|v| v.abs_diff(127) < 6), "stripes of one pixel become grey");
    }

    #[test]
    fn no_picture_has_more_bytes_than_it_may() {
        let worst = noise(1280, 720);
        for side in [160, 320, 640, 1280, u32::MAX] {
            let jpeg = encode_jpeg(&worst, side, 75).unwrap();
            assert!(jpeg.len() <= MAX_JPEG_BYTES, "{side}: {}", jpeg.len());
            let back = decoded(&jpeg);
            assert!(back.width <= side && back.width >= 150, "{side}: {}x{}", back.width, back.height);
        }
        for limit in [2_000, 4_000, 8_000] {
            assert!(encode_within(&worst, 320, 100, limit).unwrap().len() <= limit);
        }
        let quiet = frame(640, 480, |x, y| [(x / 4) as u8, (y / 4) as u8, 90]);
        let (fine, coarse) = (encode_jpeg(&quiet, 320, 75).unwrap(), encode_jpeg(&quiet, 320, 40).unwrap());
        assert!(
            coarse.len() < fine.len() && fine.len() < MAX_JPEG_BYTES / 2,
            "the quality asked for is taken when it fits"
        );
    }

    #[test]
    fn the_quality_falls_in_steps_and_the_size_only_then() {
        assert_eq!(steps(75), [75, 63, 51, 40]);
        assert_eq!(steps(40), [40]);
        assert_eq!(steps(20), [20]);
        assert_eq!(steps(0), [1]);
        assert_eq!(steps(255)[0], 100);
        assert_eq!((fit(640, 480, 320), fit(480, 640, 320), fit(3, 3, 3)), ((320, 240), (240, 320), (3, 3)));
        // 160x120 of noise has 36 KB at quality 90 and 19 KB at 40: the side stays.
        let jpeg = encode_within(&noise(160, 120), 160, 90, 20_000).unwrap();
        assert_eq!(decoded(&jpeg).width, 160);
    }

    #[test]
    fn a_frame_that_lies_about_its_size_is_an_error() {
        let good = frame(8, 8, |_, _| [1; 3]);
        for (width, height) in [(8, 9), (9, 8), (0, 0), (u32::MAX, u32::MAX), (7, 8)] {
            let bad = RgbFrame { width, height, ..good.clone() };
            assert!(matches!(encode_jpeg(&bad, 320, 75), Err(DecodeError::Bug(_))), "{width}x{height}");
        }
        let empty = RgbFrame { width: 0, height: 0, data: std::sync::Arc::new([]), ..good };
        assert!(encode_jpeg(&empty, 320, 75).is_err());
    }
}
