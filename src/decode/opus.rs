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
    let (&toc, body) = packet.split_first()?;
    let frame = frame_samples(toc);
    let frames = match toc & 3 {
        0 => (body.len() <= MAX_FRAME_BYTES).then_some(1),
        1 => (body.len().is_multiple_of(2) && body.len() / 2 <= MAX_FRAME_BYTES).then_some(2),
        2 => {
            let (first, rest) = frame_length(body)?;
            (first <= rest.len() && rest.len() - first <= MAX_FRAME_BYTES).then_some(2)
        }
        _ => many_frames(body),
    }?;
    let samples = frame * frames;
    (frames > 0 && samples <= MAX_SAMPLES_48K).then(|| Duration::from_micros(u64::from(samples) * 1_000 / 48))
}

/// Whether it holds one frame of at most 20 ms: two such make a packet that every decoder takes.
pub(super) fn is_single(packet: &[u8]) -> bool {
    packet.first().is_some_and(|toc| toc & 3 == 0 && frame_samples(*toc) <= 960)
}

/// One packet of two frames out of two packets of one each (RFC 6716 §3.2.3, §3.2.4): a decoder is set up and its result passed on once for both. `None` where they are coded
/// differently, or are not single ones.
pub(super) fn join(first: &[u8], second: &[u8]) -> Option<Bytes> {
    let ((toc, a), (other, b)) = (first.split_first()?, second.split_first()?);
    if toc != other || !is_single(first) || a.len().max(b.len()) > MAX_FRAME_BYTES {
        return None;
    }
    let mut joined = BytesMut::with_capacity(a.len() + b.len() + 3);
    if a.len() == b.len() {
        joined.put_u8(toc | 1);
    } else {
        joined.put_u8(toc | 2);
        // Below 252 a byte; else one of 252 to 255, and one that counts fours.
        let low = if a.len() < 252 { a.len() } else { 252 + a.len() % 4 };
        joined.put_u8(u8::try_from(low).ok()?);
        if low >= 252 {
            joined.put_u8(u8::try_from((a.len() - low) / 4).ok()?);
        }
    }
    joined.put_slice(a);
    joined.put_slice(b);
    Some(joined.freeze())
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
fn many_frames(body: &[u8]) -> Option<u32> {
    let (&head, mut rest) = body.split_first()?;
    let frames = usize::from(head & 0x3f);
    if frames == 0 || frames > 48 {
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
    if head & 0x80 == 0 {
        return (rest.len() % frames == 0 && rest.len() / frames <= MAX_FRAME_BYTES)
            .then(|| u32::try_from(frames).unwrap_or(u32::MAX));
    }
    let mut total = 0;
    for _ in 1..frames {
        let (length, after) = frame_length(rest)?;
        total += length;
        rest = after;
    }
    (total <= rest.len() && rest.len() - total <= MAX_FRAME_BYTES).then(|| u32::try_from(frames).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::{MAX_FRAME_BYTES, frame_length, join, packet_duration};

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
    fn only_single_frames_of_one_coding_are_joined() {
        let celt = |n: usize| [&[31 << 3][..], &vec![7; n]].concat();
        assert!(join(&celt(80), &celt(80)).is_some_and(|p| p[0] & 3 == 1));
        assert!(join(&celt(80), &celt(1)).is_some_and(|p| p[0] & 3 == 2 && p[1] == 80));
        let silk_60 = [3 << 3, 1, 2];
        let two = [31 << 3 | 1, 1, 2];
        let too_long = celt(MAX_FRAME_BYTES + 1);
        for (a, b) in
            [(&celt(3)[..], &[30 << 3, 1][..]), (&silk_60, &silk_60), (&two, &two), (&[], &[]), (&too_long, &celt(1))]
        {
            assert_eq!(join(a, b), None, "{a:?} {b:?}");
        }
    }

    proptest! {
        #[test]
        fn two_joined_play_for_both_and_hold_both(config in 0_u8..32, a in prop::collection::vec(any::<u8>(), 0..=MAX_FRAME_BYTES), b in prop::collection::vec(any::<u8>(), 0..=MAX_FRAME_BYTES)) {
            let packet = |frame: &[u8]| [&[config << 3][..], frame].concat();
            let (first, second) = (packet(&a), packet(&b));
            let (Some(each), joined) = (packet_duration(&first), join(&first, &second)) else { return Ok(()) };
            prop_assert_eq!(joined.is_some(), each <= Duration::from_millis(20));
            let Some(joined) = joined else { return Ok(()) };
            prop_assert_eq!(packet_duration(&joined), Some(each * 2));
            let body = &joined[1..];
            let (at, frames) = if joined[0] & 3 == 1 { (a.len(), body) } else { frame_length(body).unwrap() };
            prop_assert_eq!(frames.split_at(at), (&a[..], &b[..]));
        }

        #[test]
        fn any_bytes_give_a_duration_of_at_most_120_ms_or_none(data in prop::collection::vec(any::<u8>(), 0..400)) {
            if let Some(d) = packet_duration(&data) {
                prop_assert!(d >= Duration::from_micros(2_500) && d <= Duration::from_millis(120));
            }
        }
    }
}
