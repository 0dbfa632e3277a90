//! Still pictures that clients send: JPEG and PNG.

use std::io::Cursor;
use std::sync::Arc;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use crate::base::{FrameId, MediaTime, RgbFrame};

use super::DecodeError;

/// What a picture may be at most; checked on its header, before anything is allocated for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PictureLimits {
    /// Bytes of the file. Default 4 MiB.
    pub bytes: usize,
    /// Width and height in pixels, each. Default 4096.
    pub side: u32,
    /// Width times height. Default 16 777 216 (4096 × 4096).
    pub pixels: u64,
    /// Long side of the frame that comes out; larger pictures are scaled down. Default 1280.
    pub fit: u32,
}

impl Default for PictureLimits {
    fn default() -> Self {
        Self { bytes: 4 << 20, side: 4_096, pixels: 1 << 24, fit: 1_280 }
    }
}

/// Decodes a JPEG or PNG, turned upright as its EXIF says, transparent parts on white. `id` and `capture` are zero: the caller sets them.
/// Computes for some milliseconds per megapixel.
///
/// # Errors
/// Not a JPEG or PNG, damaged, or beyond `limits`.
pub fn decode_image(bytes: &[u8], limits: &PictureLimits) -> Result<RgbFrame, DecodeError> {
    within("bytes", bytes.len() as u64, limits.bytes as u64)?;
    let bad = |why: String| DecodeError::BadPicture { why };
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|e| bad(e.to_string()))?;
    match reader.format() {
        Some(ImageFormat::Jpeg | ImageFormat::Png) => {}
        _ => return Err(bad("it begins like neither a JPEG nor a PNG".to_owned())),
    }
    let mut bounds = Limits::default();
    // Width and height are ours to name; the allocation bound holds for 16-bit RGBA and for what decoders keep beside the picture.
    bounds.max_alloc = Some(limits.pixels.saturating_mul(12));
    reader.limits(bounds);
    let mut decoder = reader.into_decoder().map_err(|e| bad(e.to_string()))?;
    let (width, height) = decoder.dimensions();
    within("width", width.into(), limits.side.into())?;
    within("height", height.into(), limits.side.into())?;
    within("pixels", u64::from(width) * u64::from(height), limits.pixels)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(|e| bad(e.to_string()))?;
    if width.max(height) > limits.fit {
        picture = picture.thumbnail(limits.fit, limits.fit);
    }
    picture.apply_orientation(orientation);
    let (width, height, data) = (picture.width(), picture.height(), rgb_bytes(picture));
    Ok(RgbFrame { id: FrameId::default(), width, height, data, capture: MediaTime::ZERO })
}

fn rgb_bytes(picture: DynamicImage) -> Arc<[u8]> {
    if !picture.color().has_alpha() {
        return picture.into_rgb8().into_raw().into();
    }
    let on_white = |value: u8, alpha: u8| {
        let (v, a) = (u32::from(value), u32::from(alpha));
        u8::try_from((v * a + 255 * (255 - a) + 127) / 255).unwrap_or(u8::MAX)
    };
    picture.into_rgba8().pixels().flat_map(|p| [0, 1, 2].map(|c| on_white(p.0[c], p.0[3]))).collect()
}

fn within(what: &'static str, got: u64, allowed: u64) -> Result<(), DecodeError> {
    if got <= allowed { Ok(()) } else { Err(DecodeError::PictureTooLarge { what, got, allowed }) }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::{ImageFormat, Rgba, RgbaImage};
    use proptest::prelude::*;

    use super::{DecodeError, FrameId, MediaTime, PictureLimits, RgbFrame, decode_image};
    use crate::decode::encode_jpeg;

    fn frame(width: u32, height: u32) -> RgbFrame {
        let data =
            (0..height).flat_map(|y| (0..width).flat_map(move |x| [(x * 2) as u8, (y * 2) as u8, 128])).collect();
        RgbFrame { id: FrameId(0), width, height, data, capture: MediaTime::ZERO }
    }

    #[test]
    fn a_jpeg_of_ours_comes_back_nearly_the_same() {
        let before = frame(100, 60);
        let after = decode_image(&encode_jpeg(&before, u32::MAX, 95).unwrap(), &PictureLimits::default()).unwrap();
        assert_eq!((after.width, after.height), (100, 60));
        let off: u32 = before.data.iter().zip(after.data.iter()).map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
        assert!(f64::from(off) / (before.data.len() as f64) < 4.0, "{off}");
    }

    #[test]
    fn transparency_becomes_white() {
        let mut png = Vec::new();
        RgbaImage::from_pixel(4, 4, Rgba([10, 20, 30, 0]))
            .write_to(&mut Cursor::new(&mut png), ImageFormat::Png)
            .unwrap();
        assert!(decode_image(&png, &PictureLimits::default()).unwrap().data.iter().all(|b| *b == 255));
    }

    #[test]
    fn a_png_that_claims_65535_square_is_refused_by_its_header() {
        let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\xff\xff\0\0\xff\xff\x08\x02\0\0\0".to_vec();
        png.extend([0; 64]);
        let e = decode_image(&png, &PictureLimits::default()).unwrap_err();
        assert!(matches!(e, DecodeError::PictureTooLarge { .. } | DecodeError::BadPicture { .. }), "{e}");
    }

    #[test]
    fn a_real_header_beyond_each_limit_names_the_limit() {
        let jpeg = encode_jpeg(&frame(300, 200), u32::MAX, 80).unwrap();
        let limits = PictureLimits::default();
        for (limits, what) in [
            (PictureLimits { bytes: 100, ..limits }, "bytes"),
            (PictureLimits { side: 299, ..limits }, "width"),
            (PictureLimits { pixels: 59_999, ..limits }, "pixels"),
        ] {
            let e = decode_image(&jpeg, &limits).unwrap_err().to_string();
            assert!(e.contains(what), "{e}");
        }
        assert_eq!(decode_image(&jpeg, &PictureLimits { fit: 150, ..limits }).unwrap().width, 150);
    }

    #[test]
    fn cut_and_foreign_files_are_errors() {
        let jpeg = encode_jpeg(&frame(300, 200), u32::MAX, 80).unwrap();
        for bad in [&b""[..], b"GIF89a....", b"hello", &jpeg[..20]] {
            assert!(decode_image(bad, &PictureLimits::default()).is_err());
        }
    }

    proptest! {
        #[test]
        fn a_damaged_jpeg_never_panics(at in 0_usize..2_000, value in any::<u8>()) {
            let mut jpeg = encode_jpeg(&frame(64, 64), u32::MAX, 80).unwrap().to_vec();
            let at = at % jpeg.len();
            jpeg[at] = value;
            let _ = decode_image(&jpeg, &PictureLimits { pixels: 1 << 20, ..PictureLimits::default() });
        }
    }
}
