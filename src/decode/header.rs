//! Picture sizes from codec headers, so that a bomb is refused before a decoder allocates for it.
//!
//! Sources: VP8 RFC 6386 §9.1; VP9 bitstream specification v0.7 §6.2 and §7.2; H.264 (ITU-T H.264) §7.3.2.1 and Annex B;
//! AV1 bitstream specification §5.5. Only what leads to the size is read.

use crate::base::Codec;

use super::bits::Bits;

/// Width and height in pixels.
pub(super) type Size = (u32, u32);

/// The picture size that `data` announces. `None`: it announces none (an inter frame), or the header makes no sense, which the decoder
/// will say itself.
pub(super) fn announced_size(codec: Codec, data: &[u8]) -> Option<Size> {
    match codec {
        Codec::Vp8 => vp8(data),
        Codec::Vp9 => vp9(data),
        Codec::H264 => h264(data),
        Codec::Av1 => av1(data),
        Codec::Opus => None,
    }
}

/// Whether `size` is within `(long, short)` in either orientation, and not empty. Limits are rounded up to blocks of 16: a coded 1080p
/// picture has 1088 rows; the graph holds the exact limit against what was decoded.
pub(super) fn within((w, h): Size, (long, short): (u32, u32)) -> bool {
    w > 0 && h > 0 && w.max(h) <= long.next_multiple_of(16) && w.min(h) <= short.next_multiple_of(16)
}

fn vp8(data: &[u8]) -> Option<Size> {
    let [tag, _, _, 0x9d, 0x01, 0x2a, w0, w1, h0, h1, ..] = *data else { return None };
    // The lowest bit of the tag is 0 in key frames; the two top bits of each size are a scaling hint for the display.
    (tag & 1 == 0)
        .then(|| (u32::from(u16::from_le_bytes([w0, w1]) & 0x3fff), u32::from(u16::from_le_bytes([h0, h1]) & 0x3fff)))
}

fn vp9(data: &[u8]) -> Option<Size> {
    let mut b = Bits::new(data);
    if b.take(2)? != 2 {
        return None;
    }
    let profile = u32::from(b.bit()?) | u32::from(b.bit()?) << 1;
    if profile == 3 {
        b.skip(1)?;
    }
    let show_existing = b.bit()?;
    if show_existing {
        return None;
    }
    let inter = b.bit()?;
    b.skip(2)?; // show_frame, error_resilient_mode
    if inter || b.take(24)? != 0x49_8342 {
        return None;
    }
    if profile >= 2 {
        b.skip(1)?; // ten_or_twelve_bit
    }
    const SRGB: u32 = 7;
    if b.take(3)? == SRGB {
        if profile == 1 || profile == 3 {
            b.skip(1)?;
        }
    } else {
        b.skip(1)?; // color_range
        if profile == 1 || profile == 3 {
            b.skip(3)?; // subsampling_x, subsampling_y, reserved
        }
    }
    Some((b.take(16)? + 1, b.take(16)? + 1))
}

/// Payloads of the NAL units in an Annex B byte string, start codes removed.
fn nal_units(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = data;
    std::iter::from_fn(move || {
        let start = rest.windows(3).position(|w| w == [0, 0, 1])? + 3;
        let body = &rest[start..];
        let end = body.windows(3).position(|w| w == [0, 0, 1]).unwrap_or(body.len());
        rest = &body[end..];
        Some(&body[..end])
    })
}

fn h264(data: &[u8]) -> Option<Size> {
    const SPS: u8 = 7;
    // An SPS is the first or second unit of a keyframe; more than a few are never looked at.
    let sps = nal_units(data).take(8).find(|n| n.first().is_some_and(|h| h & 0x1f == SPS))?;
    let mut plain = Vec::with_capacity(64);
    for &byte in sps.iter().skip(1).take(512) {
        // 00 00 03 is an emulation prevention byte: drop the 03.
        if byte == 3 && plain.ends_with(&[0, 0]) {
            continue;
        }
        plain.push(byte);
    }
    sps_size(&mut Bits::new(&plain))
}

fn sps_size(b: &mut Bits<'_>) -> Option<Size> {
    let profile = b.take(8)?;
    b.skip(16)?; // constraint flags, level
    b.ue()?; // seq_parameter_set_id
    if matches!(profile, 100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135) {
        let chroma_format = b.ue()?;
        if chroma_format == 3 {
            b.skip(1)?;
        }
        b.ue()?; // bit_depth_luma_minus8
        b.ue()?; // bit_depth_chroma_minus8
        b.skip(1)?;
        if b.bit()? {
            scaling_lists(b, if chroma_format == 3 { 12 } else { 8 })?;
        }
    }
    b.ue()?; // log2_max_frame_num_minus4
    match b.ue()? {
        0 => drop(b.ue()?),
        1 => {
            b.skip(1)?;
            b.se()?;
            b.se()?;
            for _ in 0..b.ue()?.min(255) {
                b.se()?;
            }
        }
        _ => {}
    }
    b.ue()?; // max_num_ref_frames
    b.skip(1)?;
    let width_mbs = b.ue()?.checked_add(1)?;
    let map_units = b.ue()?.checked_add(1)?;
    let frame_mbs_only = u32::from(b.bit()?);
    if frame_mbs_only == 0 {
        b.skip(1)?;
    }
    b.skip(1)?; // direct_8x8_inference_flag
    // Cropping is left out on purpose: what counts is what the decoder allocates, and `within` allows for whole macroblocks.
    Some((width_mbs.checked_mul(16)?, map_units.checked_mul(16)?.checked_mul(2 - frame_mbs_only)?))
}

fn scaling_lists(b: &mut Bits<'_>, lists: u32) -> Option<()> {
    for i in 0..lists {
        if !b.bit()? {
            continue;
        }
        let (mut last, mut next) = (8_i64, 8_i64);
        for _ in 0..if i < 6 { 16 } else { 64 } {
            if next != 0 {
                next = (last + b.se()? + 256).rem_euclid(256);
            }
            last = if next == 0 { last } else { next };
        }
    }
    Some(())
}

fn av1(data: &[u8]) -> Option<Size> {
    const SEQUENCE_HEADER: u8 = 1;
    let mut rest = data;
    for _ in 0..4 {
        let header = *rest.first()?;
        let (extension, has_size) = (header & 4 != 0, header & 2 != 0);
        let mut at = 1 + usize::from(extension);
        let size = if has_size {
            let (value, length) = leb128(rest.get(at..)?)?;
            at += length;
            value
        } else {
            rest.len().checked_sub(at)?
        };
        let body = rest.get(at..at.checked_add(size)?)?;
        if header >> 3 & 15 == SEQUENCE_HEADER {
            return sequence_size(&mut Bits::new(body));
        }
        rest = &rest[at + size..];
    }
    None
}

fn leb128(data: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0_usize;
    for (i, &byte) in data.iter().take(4).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return Some((value, i + 1));
        }
    }
    None
}

fn sequence_size(b: &mut Bits<'_>) -> Option<Size> {
    b.skip(4)?; // seq_profile, still_picture
    if b.bit()? {
        b.skip(5)?; // reduced_still_picture_header: one seq_level_idx
    } else {
        let mut delay_bits = None;
        if b.bit()? {
            b.skip(32)?;
            b.skip(32)?;
            if b.bit()? {
                b.uvlc()?;
            }
            if b.bit()? {
                delay_bits = Some(b.take(5)? + 1);
                b.skip(32)?;
                b.skip(10)?;
            }
        }
        let initial_delay = b.bit()?;
        for _ in 0..=b.take(5)? {
            b.skip(12)?; // operating_point_idc
            if b.take(5)? > 7 {
                b.skip(1)?;
            }
            if let Some(n) = delay_bits
                && b.bit()?
            {
                b.skip(n)?;
                b.skip(n)?;
                b.skip(1)?;
            }
            if initial_delay && b.bit()? {
                b.skip(4)?;
            }
        }
    }
    let (width_bits, height_bits) = (b.take(4)? + 1, b.take(4)? + 1);
    Some((b.take(width_bits)? + 1, b.take(height_bits)? + 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{announced_size, within};
    use crate::base::Codec;

    #[test]
    fn a_vp8_keyframe_of_16383_square_is_seen_without_decoding() {
        let bomb = [0x10, 0, 0, 0x9d, 0x01, 0x2a, 0xff, 0x3f, 0xff, 0x3f, 0];
        let size = announced_size(Codec::Vp8, &bomb).unwrap();
        assert_eq!(size, (16383, 16383));
        assert!(!within(size, (1920, 1080)));
        assert_eq!(announced_size(Codec::Vp8, &[0x11, 0, 0, 0x9d, 0x01, 0x2a, 1, 0, 1, 0]), None, "an inter frame");
    }

    #[test]
    fn an_sps_of_16384_square_is_seen_without_decoding() {
        // profile 66, level 51, then sps id 0, log2_max_frame_num 0, poc type 2, 1 ref, no gaps, 1024 × 1024 macroblocks, frames only.
        let bits = "01000010 00000000 00110011 1 1 011 010 0 00000000001 0000000000 00000000001 0000000000 1 1 0 0 1";
        let bits: Vec<u8> = bits.bytes().filter(|b| *b != b' ').map(|b| b - b'0').collect();
        let body: Vec<u8> =
            bits.chunks(8).map(|c| c.iter().enumerate().fold(0, |a, (i, b)| a | b << (7 - i))).collect();
        let mut unit = vec![0, 0, 0, 1, 0x67];
        for byte in body {
            if byte <= 3 && unit.ends_with(&[0, 0]) {
                unit.push(3);
            }
            unit.push(byte);
        }
        unit.extend([0, 0, 0, 1, 0x65, 0x88]);
        assert_eq!(announced_size(Codec::H264, &unit), Some((16384, 16384)));
    }

    #[test]
    fn both_orientations_fit_the_cap_and_nothing_is_no_size() {
        assert!(within((1920, 1080), (1920, 1080)) && within((1080, 1920), (1920, 1080)));
        assert!(
            !within((1921, 10), (1920, 1080))
                && within((1920, 1088), (1920, 1080))
                && !within((1200, 1200), (1920, 1080))
                && !within((0, 5), (1920, 1080))
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_header_reader_panic(data in prop::collection::vec(any::<u8>(), 0..200)) {
            for codec in [Codec::Vp8, Codec::Vp9, Codec::H264, Codec::Av1, Codec::Opus] {
                let _ = announced_size(codec, &data);
            }
        }

        #[test]
        fn no_bytes_after_a_start_code_make_the_sps_reader_panic(data in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = announced_size(Codec::H264, &[&[0, 0, 1, 0x67], &data[..]].concat());
        }
    }
}
