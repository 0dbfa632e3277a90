//! What an Opus packet says about itself, before it is decoded, and how two become one.
//!
//! Source: RFC 6716 §3.1 (TOC byte) and §3.2, §3.4 (framing and the requirements R1–R7 on a well-formed packet).

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};

/// The longest packet: 120 ms (R5).
const MAX_SAMPLES_48K: u32 = 5_760;
/// The longest frame in bytes (R2).
const MAX_FRAME_BYTES: usize = 1_275;

/// How long a well-formed packet plays; `None` if it breaks a rule of the format.
pub(super) fn packet_duration(packet: &[u8]) -> Option<Duration> {
    let samples = samples(*packet.first()?, frames(packet)?.len())?;
    Some(Duration::from_micros(u64::from(samples) * 1_000 / 48))
}

/// What so many frames play at 48 kHz; `None` if no packet may play for so long.
fn samples(toc: u8, frames: usize) -> Option<u32> {
    let samples = frame_samples(toc).checked_mul(u32::try_from(frames).ok()?)?;
    (samples <= MAX_SAMPLES_48K).then_some(samples)
}

/// Whether it says that there is nothing to hear, and that the next may not come soon: an encoder that transmits discontinuously makes packets of a byte or
/// two then, of which only the first is sent (RFC 6716 §2.1.9; libopus' `opus_encode`: "2 bytes or less" need not be transmitted).
pub(super) const fn announces_silence(packet: &[u8]) -> bool {
    packet.len() <= 2
}

/// Whether it holds one frame of at most 20 ms.
pub(super) fn is_single(packet: &[u8]) -> bool {
    packet.first().is_some_and(|toc| toc & 3 == 0 && frame_samples(*toc) <= 960)
}

/// One packet of the frames of two (RFC 6716 §3.2.3 to §3.2.5): a decoder is set up and its result passed on once for both. `None` where they are coded
/// differently, or play for more than a packet may.
pub(super) fn join(first: &[u8], second: &[u8]) -> Option<Bytes> {
    let (toc, other) = (*first.first()?, *second.first()?);
    let mut all = frames(first)?;
    all.extend(frames(second)?);
    if (toc ^ other) & !3 != 0 || samples(toc, all.len()).is_none() {
        return None;
    }
    let (last, others) = all.split_last()?;
    let even = others.iter().all(|f| f.len() == last.len());
    let mut joined = BytesMut::with_capacity(first.len() + second.len() + 2 * all.len());
    match (others.len(), even) {
        (1, true) => joined.put_u8(toc & !3 | 1),
        (1, false) => joined.put_u8(toc & !3 | 2),
        _ => {
            joined.put_u8(toc | 3);
            joined.put_u8(u8::try_from(all.len()).ok()? | if even { 0 } else { 0x80 });
        }
    }
    if !even {
        others.iter().for_each(|f| put_length(&mut joined, f.len()));
    }
    all.iter().for_each(|f| joined.put_slice(f));
    Some(joined.freeze())
}

/// Below 252 a byte; else one of 252 to 255, and one that counts fours (RFC 6716 §3.2.1).
fn put_length(to: &mut BytesMut, length: usize) {
    let low = if length < 252 { length } else { 252 + length % 4 };
    let bytes = [low, (length - low) / 4].map(|b| u8::try_from(b).unwrap_or(u8::MAX));
    to.put_slice(if low < 252 { &bytes[..1] } else { &bytes });
}

/// Its frames; `None` if it breaks a rule of the format.
fn frames(packet: &[u8]) -> Option<Vec<&[u8]>> {
    let (&toc, body) = packet.split_first()?;
    let frames = match toc & 3 {
        0 => vec![body],
        1 if body.len().is_multiple_of(2) => <[_; 2]>::from(body.split_at(body.len() / 2)).to_vec(),
        1 => return None,
        2 => {
            let (first, rest) = frame_length(body)?;
            <[_; 2]>::from(rest.split_at_checked(first)?).to_vec()
        }
        _ => many_frames(body)?,
    };
    frames.iter().all(|f| f.len() <= MAX_FRAME_BYTES).then_some(frames)
}

/// Samples of one frame at 48 kHz, by the configuration number in the top five bits (RFC 6716 table 2).
const fn frame_samples(toc: u8) -> u32 {
    let config = toc >> 3;
    match config {
        0..=11 => match config % 4 {
            0 => 480,
            1 => 960,
            2 => 1_920,
            _ => 2_880,
        },
        12..=15 => 480 << (config % 2),
        _ => 120 << (config % 4),
    }
}

/// One length (RFC 6716 §3.2.1) and what follows it.
fn frame_length(data: &[u8]) -> Option<(usize, &[u8])> {
    match *data {
        [a, ref rest @ ..] if a < 252 => Some((usize::from(a), rest)),
        [a, b, ref rest @ ..] => Some((usize::from(b) * 4 + usize::from(a), rest)),
        _ => None,
    }
}

/// Code 3 (RFC 6716 §3.2.5): any number of frames, with padding; `None` if the lengths do not add up.
fn many_frames(body: &[u8]) -> Option<Vec<&[u8]>> {
    let (&head, mut rest) = body.split_first()?;
    let count = usize::from(head & 0x3f);
    if count == 0 || count > 48 {
        return None;
    }
    if head & 0x40 != 0 {
        let mut padding = 0;
        loop {
            let (&p, after) = rest.split_first()?;
            rest = after;
            padding += if p == 255 { 254 } else { usize::from(p) };
            if p != 255 {
                break;
            }
        }
        rest = rest.get(..rest.len().checked_sub(padding)?)?;
    }
    let mut lengths = vec![rest.len() / count; count - 1];
    if head & 0x80 != 0 {
        for length in &mut lengths {
            let (read, after) = frame_length(rest)?;
            (*length, rest) = (read, after);
        }
    } else if !rest.len().is_multiple_of(count) {
        return None;
    }
    let mut frames = Vec::with_capacity(count);
    for length in lengths {
        let (frame, after) = rest.split_at_checked(length)?;
        frames.push(frame);
        rest = after;
    }
    frames.push(rest);
    Some(frames)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::{Bytes, MAX_FRAME_BYTES, frames, join, packet_duration};

    #[test]
    fn durations_follow_the_configuration_number() {
        let ms = |toc: u8| packet_duration(&[toc, 0]).map(|d| d.as_micros());
        assert_eq!(ms(1 << 3), Some(20_000), "SILK 20 ms");
        assert_eq!(ms(3 << 3), Some(60_000), "SILK 60 ms");
        assert_eq!(ms(13 << 3), Some(20_000), "hybrid 20 ms");
        assert_eq!(ms(16 << 3), Some(2_500), "CELT 2.5 ms");
        assert_eq!(ms(31 << 3), Some(20_000), "CELT 20 ms, what browsers send");
    }

    #[test]
    fn packets_that_break_the_rules_are_refused() {
        let three_of_60ms = [3 << 3 | 3, 3];
        let two_unequal = [31 << 3 | 1, 0, 0, 0];
        let no_frames = [31 << 3 | 3, 0];
        let too_long_a_frame = vec![31 << 3; 1_277];
        let padding_beyond_the_end = [31 << 3 | 3, 0x41, 200, 0];
        for bad in [&[][..], &three_of_60ms, &two_unequal, &no_frames, &too_long_a_frame, &padding_beyond_the_end] {
            assert_eq!(packet_duration(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn only_frames_of_one_coding_are_joined_and_120_ms_at_most() {
        let celt = |n: usize| [&[31 << 3][..], &vec![7; n]].concat();
        assert!(join(&celt(80), &celt(80)).is_some_and(|p| p[0] & 3 == 1));
        assert!(join(&celt(80), &celt(1)).is_some_and(|p| p[0] & 3 == 2 && p[1] == 80));
        let two = [31 << 3 | 1, 1, 2];
        assert_eq!(join(&two, &celt(1)).as_deref(), Some(&[31 << 3 | 3, 3, 1, 2, 7][..]));
        assert_eq!(join(&two, &celt(2)).as_deref(), Some(&[31 << 3 | 3, 0x83, 1, 1, 1, 2, 7, 7][..]));
        let silk_60 = [3 << 3, 1, 2];
        let both = join(&silk_60, &silk_60).unwrap();
        assert_eq!(packet_duration(&both), Some(Duration::from_millis(120)));
        let too_long = celt(MAX_FRAME_BYTES + 1);
        for (a, b) in [(&celt(3)[..], &[30 << 3, 1][..]), (&both, &silk_60), (&[], &[]), (&too_long, &celt(1))] {
            assert_eq!(join(a, b), None, "{a:?} {b:?}");
        }
    }

    /// A packet of these frames, by joining it from single ones.
    fn packet(config: u8, frames: &[Vec<u8>]) -> Option<Bytes> {
        let single = |frame: &Vec<u8>| Bytes::from([&[config << 3][..], frame].concat());
        let (first, rest) = frames.split_first()?;
        rest.iter().try_fold(single(first), |all, frame| join(&all, &single(frame)))
    }

    proptest! {
        #[test]
        fn what_is_joined_plays_for_all_and_holds_all(
            config in 0_u8..32,
            first in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..=MAX_FRAME_BYTES), 1..5),
            second in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9), 1..5),
        ) {
            let (Some(a), Some(b)) = (packet(config, &first), packet(config, &second)) else { return Ok(()) };
            let (Some(of_a), Some(of_b)) = (packet_duration(&a), packet_duration(&b)) else { return Ok(()) };
            let joined = join(&a, &b);
            prop_assert_eq!(joined.is_some(), of_a + of_b <= Duration::from_millis(120));
            let Some(joined) = joined else { return Ok(()) };
            prop_assert_eq!(packet_duration(&joined), Some(of_a + of_b));
            prop_assert_eq!(frames(&joined).unwrap(), [first, second].concat());
        }

        #[test]
        fn any_bytes_give_a_duration_of_at_most_120_ms_or_none(data in prop::collection::vec(any::<u8>(), 0..400)) {
            if let Some(d) = packet_duration(&data) {
                prop_assert!(d >= Duration::from_micros(2_500) && d <= Duration::from_millis(120));
            }
        }
    }
}
