//! Sound that clients send over a WebSocket (16-bit PCM, µ-law, A-law) → 16 kHz samples, chunk by chunk without seams.
//!
//! Loses nothing. Resampling by `rubato`'s FFT resampler in blocks of 20 ms; its delay is cut off at the start and made good at the end,
//! so that sample n of the output lies at n / 16000 s of the input.

use rubato::audioadapter_buffers::direct::SequentialSlice;
use rubato::{Fft, FixedSync, Resampler as _};

use crate::base::Pcm;

use super::DecodeError;
use super::g711;

/// Lowest sample rate converted.
pub(super) const MIN_RATE_HZ: u32 = 8_000;
/// Highest sample rate converted.
pub(super) const MAX_RATE_HZ: u32 = 48_000;

/// How sound is written on the wire; one channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WireAudio {
    /// Signed 16-bit little-endian samples.
    Pcm16 {
        /// Samples per second, 8000 to 48000.
        rate_hz: u32,
    },
    /// G.711 µ-law, 8 kHz.
    Pcmu,
    /// G.711 A-law, 8 kHz.
    Pcma,
}

impl WireAudio {
    /// Samples per second on the wire.
    #[must_use]
    pub const fn rate_hz(self) -> u32 {
        match self {
            Self::Pcm16 { rate_hz } => rate_hz,
            Self::Pcmu | Self::Pcma => 8_000,
        }
    }
}

/// Converts one stream. Chunks may be of any size, even half a sample.
pub struct Resampler {
    wire: WireAudio,
    /// The first byte of a 16-bit sample whose second has not come yet.
    half: Option<u8>,
    /// `None` at 16 kHz.
    fft: Option<Fft<f32>>,
    pending: Vec<f32>,
    /// Output samples still to be cut off: the resampler's delay.
    delay: usize,
    taken: u64,
    given: u64,
}

impl Resampler {
    /// A converter for `wire`.
    ///
    /// # Errors
    /// The rate is outside of 8000 to 48000 Hz, or not a multiple of 25 (it would need blocks of up to a second).
    pub fn new(wire: WireAudio) -> Result<Self, DecodeError> {
        let rate = wire.rate_hz();
        if !(MIN_RATE_HZ..=MAX_RATE_HZ).contains(&rate) || !rate.is_multiple_of(25) {
            return Err(DecodeError::BadRate { got: rate });
        }
        let fft = if rate == Pcm::RATE_HZ { None } else { Some(fft(rate, Pcm::RATE_HZ)?) };
        let delay = fft.as_ref().map_or(0, |f| f.output_delay());
        Ok(Self { wire, half: None, fft, pending: Vec::new(), delay, taken: 0, given: 0 })
    }

    /// Converts what can be converted so far; up to 80 ms of sound stay inside.
    ///
    /// # Errors
    /// Only a defect of ours.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<f32>, DecodeError> {
        let before = self.pending.len();
        match self.wire {
            WireAudio::Pcm16 { .. } => self.take_pcm16(bytes),
            WireAudio::Pcmu => self.pending.extend(bytes.iter().map(|b| g711::ULAW[usize::from(*b)])),
            WireAudio::Pcma => self.pending.extend(bytes.iter().map(|b| g711::ALAW[usize::from(*b)])),
        }
        self.taken += (self.pending.len() - before) as u64;
        self.convert()
    }

    /// Gives the rest and starts anew. A trailing half sample is forgotten.
    ///
    /// # Errors
    /// Only a defect of ours.
    pub fn finish(&mut self) -> Result<Vec<f32>, DecodeError> {
        let total = self.taken * u64::from(Pcm::RATE_HZ) / u64::from(self.wire.rate_hz());
        let mut out = Vec::new();
        while self.given < total {
            let block = self.fft.as_ref().map_or(1, |f| f.input_frames_next());
            self.pending.resize(self.pending.len().max(1).next_multiple_of(block), 0.0);
            let before = self.given;
            let more = self.convert()?;
            let wanted = usize::try_from(total - before).unwrap_or(usize::MAX);
            out.extend_from_slice(&more[..more.len().min(wanted)]);
        }
        *self = Self::new(self.wire)?;
        Ok(out)
    }

    fn take_pcm16(&mut self, mut bytes: &[u8]) {
        let sample = |lo, hi| f32::from(i16::from_le_bytes([lo, hi])) / 32_768.0;
        if let (Some(lo), Some((&hi, rest))) = (self.half, bytes.split_first()) {
            self.half = None;
            self.pending.push(sample(lo, hi));
            bytes = rest;
        }
        let pairs = bytes.chunks_exact(2);
        if let [lo] = pairs.remainder() {
            self.half = Some(*lo);
        }
        self.pending.extend(pairs.map(|b| sample(b[0], b[1])));
    }

    fn convert(&mut self) -> Result<Vec<f32>, DecodeError> {
        let Some(fft) = &mut self.fft else {
            self.given += self.pending.len() as u64;
            return Ok(std::mem::take(&mut self.pending));
        };
        let (block_in, block_out) = (fft.input_frames_next(), fft.output_frames_next());
        let blocks = self.pending.len() / block_in;
        let mut out = vec![0.0; blocks * block_out];
        in_blocks(fft, &self.pending, &mut out)?;
        self.pending.drain(..blocks * block_in);
        let cut = self.delay.min(out.len());
        self.delay -= cut;
        out.drain(..cut);
        out.iter_mut().for_each(|s| *s = s.clamp(-1.0, 1.0));
        self.given += out.len() as u64;
        Ok(out)
    }
}

/// A whole sound at another rate, of the same beginning and length.
pub(super) fn resample_whole(samples: &[f32], from: u32, to: u32) -> Result<Vec<f32>, DecodeError> {
    for rate in [from, to] {
        if !(MIN_RATE_HZ..=MAX_RATE_HZ).contains(&rate) {
            return Err(DecodeError::BadRate { got: rate });
        }
    }
    if from == to || samples.is_empty() {
        return Ok(samples.to_vec());
    }
    let mut fft = fft(from, to)?;
    let (delay, block_in, block_out) = (fft.output_delay(), fft.input_frames_next(), fft.output_frames_next());
    let total = samples.len() * to as usize / from as usize;
    let blocks = (total + delay).div_ceil(block_out);
    let mut padded = samples.to_vec();
    padded.resize(blocks * block_in, 0.0);
    let mut out = vec![0.0; blocks * block_out];
    in_blocks(&mut fft, &padded, &mut out)?;
    out.drain(..delay);
    out.truncate(total);
    Ok(out)
}

/// Converts whole blocks; `out` has room for as many.
fn in_blocks(fft: &mut Fft<f32>, samples: &[f32], out: &mut [f32]) -> Result<(), DecodeError> {
    let (block_in, block_out) = (fft.input_frames_next(), fft.output_frames_next());
    for (from, to) in samples.chunks_exact(block_in).zip(out.chunks_exact_mut(block_out)) {
        let from = SequentialSlice::new(from, 1, block_in).map_err(bug)?;
        let mut to = SequentialSlice::new_mut(to, 1, block_out).map_err(bug)?;
        fft.process_into_buffer(&from, &mut to, None).map_err(bug)?;
    }
    Ok(())
}

fn fft(rate: u32, to: u32) -> Result<Fft<f32>, DecodeError> {
    // Blocks come in multiples of the smallest one that is whole on both sides; about 20 ms. The delay is half a block: with an odd block
    // that is half a sample which cannot be cut off, so an odd one is doubled.
    let smallest = rate / gcd(rate, to);
    let block = (rate / 50).next_multiple_of(smallest);
    let block = if block.is_multiple_of(2) { block } else { 2 * block };
    Fft::new(rate as usize, to as usize, block as usize, 1, FixedSync::Both).map_err(bug)
}

const fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn bug(e: impl std::fmt::Display) -> DecodeError {
    DecodeError::Bug(format!("resampler: {e}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Resampler, WireAudio};

    fn tone(rate: u32, hz: f32, samples: usize) -> Vec<u8> {
        (0..samples)
            .map(|i| (16_000.0 * (2.0 * std::f32::consts::PI * hz * i as f32 / rate as f32).sin()) as i16)
            .flat_map(i16::to_le_bytes)
            .collect()
    }

    fn convert(rate_hz: u32, bytes: &[u8], chunks: &[usize]) -> Vec<f32> {
        let mut r = Resampler::new(WireAudio::Pcm16 { rate_hz }).unwrap();
        let (mut out, mut rest, mut sizes) = (Vec::new(), bytes, chunks.iter().cycle());
        while !rest.is_empty() {
            let (now, later) = rest.split_at((*sizes.next().unwrap()).clamp(1, rest.len()));
            out.extend(r.push(now).unwrap());
            rest = later;
        }
        out.extend(r.finish().unwrap());
        out
    }

    #[test]
    fn a_tone_keeps_its_frequency_phase_and_length_at_every_rate() {
        for rate in [8_000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000] {
            let out = convert(rate, &tone(rate, 440.0, rate as usize), &[960]);
            assert_eq!(out.len(), 16_000, "{rate}");
            let want =
                |i: usize| 16_000.0 / 32_768.0 * (2.0 * std::f32::consts::PI * 440.0 * i as f32 / 16_000.0).sin();
            let worst = (1_000..15_000).map(|i| (out[i] - want(i)).abs()).fold(0.0, f32::max);
            assert!(worst < 0.01, "{rate}: {worst}");
        }
    }

    #[test]
    fn what_16_khz_cannot_carry_is_filtered_out_not_folded() {
        let out = convert(48_000, &tone(48_000, 11_000.0, 48_000), &[960]);
        let loudest = out[1_000..15_000].iter().fold(0.0_f32, |a, s| a.max(s.abs()));
        assert!(loudest < 0.005, "{loudest}");
    }

    #[test]
    fn rates_out_of_bounds_are_refused() {
        for rate_hz in [0, 7_999, 22_051, 48_001, u32::MAX] {
            assert!(Resampler::new(WireAudio::Pcm16 { rate_hz }).is_err());
        }
    }

    #[test]
    fn telephone_sound_is_doubled_in_rate() {
        let mut r = Resampler::new(WireAudio::Pcmu).unwrap();
        let mut out = r.push(&[0x00; 800]).unwrap();
        out.extend(r.finish().unwrap());
        assert_eq!(out.len(), 1_600);
        assert!((out[800] + 32_124.0 / 32_768.0).abs() < 0.01, "{}", out[800]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn chunking_changes_nothing(chunks in prop::collection::vec(1_usize..3_000, 1..8), rate in prop::sample::select(vec![8_000_u32, 16_000, 24_000])) {
            let bytes = tone(rate, 300.0, 5_000);
            prop_assert_eq!(convert(rate, &bytes, &chunks), convert(rate, &bytes, &[bytes.len()]));
        }
    }
}
