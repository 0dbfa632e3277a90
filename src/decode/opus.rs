//! What an Opus packet says about itself, before it is decoded.
//!
//! Source: RFC 6716 §3.1 (TOC byte) and §3.2, §3.4 (framing and the requirements R1–R7 on a well-formed packet).

use std::time::Duration;

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

    use super::packet_duration;

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

    proptest! {
        #[test]
        fn any_bytes_give_a_duration_of_at_most_120_ms_or_none(data in prop::collection::vec(any::<u8>(), 0..400)) {
            if let Some(d) = packet_duration(&data) {
                prop_assert!(d >= Duration::from_micros(2_500) && d <= Duration::from_millis(120));
            }
        }
    }
}
