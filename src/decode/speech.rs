//! Speech on the wire: samples → the bytes of a wire format, and back.
//!
//! Going out loses what the format cannot carry: above half its rate, and below its steps.

use bytes::Bytes;

use super::resample::resample_whole;
use super::{DecodeError, Resampler, WireAudio, g711};

/// Writes a whole sound of one channel in `format`, at its rate. It begins where `samples` begin and lasts as long, to a sample.
///
/// # Errors
/// A rate is outside of 8000 to 48000 Hz.
pub fn encode_speech(samples: &[f32], rate_hz: u32, format: WireAudio) -> Result<Bytes, DecodeError> {
    let samples = resample_whole(samples, rate_hz, format.rate_hz())?;
    let levels = samples.iter().map(|s| {
        #[expect(clippy::cast_possible_truncation, reason = "clamped")]
        let level = (s.clamp(-1.0, 1.0) * 32_767.0).round() as i16;
        level
    });
    Ok(match format {
        WireAudio::Pcm16 { .. } => levels.flat_map(i16::to_le_bytes).collect(),
        WireAudio::Pcmu => levels.map(g711::to_ulaw).collect(),
        WireAudio::Pcma => levels.map(g711::to_alaw).collect(),
    })
}

/// Reads a whole sound of one channel; 16 kHz.
///
/// # Errors
/// A rate is outside of 8000 to 48000 Hz.
pub fn decode_speech(data: &[u8], format: WireAudio) -> Result<Vec<f32>, DecodeError> {
    let mut reader = Resampler::new(format)?;
    let mut samples = reader.push(data)?;
    samples.extend(reader.finish()?);
    Ok(samples)
}

#[cfg(test)]
mod tests {
    use super::{WireAudio, decode_speech, encode_speech};

    fn tone(rate: f32, samples: usize) -> Vec<f32> {
        (0..samples).map(|i| 0.5 * (std::f32::consts::TAU * 440.0 * i as f32 / rate).sin()).collect()
    }

    #[test]
    fn what_goes_out_comes_in_again_in_every_format() {
        let speech = tone(24_000.0, 24_000);
        for (format, bytes, noise) in [
            (WireAudio::Pcm16 { rate_hz: 24_000 }, 48_000, 0.005),
            (WireAudio::Pcm16 { rate_hz: 16_000 }, 32_000, 0.005),
            (WireAudio::Pcmu, 8_000, 0.03),
            (WireAudio::Pcma, 8_000, 0.03),
        ] {
            let out = encode_speech(&speech, 24_000, format).unwrap();
            assert_eq!(out.len(), bytes, "{format:?}");
            let heard = decode_speech(&out, format).unwrap();
            let want = tone(16_000.0, 16_000);
            let worst = (1_000..15_000).map(|i| (heard[i] - want[i]).abs()).fold(0.0, f32::max);
            assert!(worst < noise, "{format:?}: {worst}");
        }
    }

    #[test]
    fn nothing_is_nothing_and_a_short_sound_keeps_its_length() {
        assert!(encode_speech(&[], 24_000, WireAudio::Pcmu).unwrap().is_empty());
        assert_eq!(encode_speech(&[0.1; 30], 24_000, WireAudio::Pcmu).unwrap().len(), 10);
    }
}
