//! Samples to log-mel frames, 10 ms each.
//!
//! Source: `whisper/audio.py` of openai/whisper (`log_mel_spectrogram`) and librosa's `filters.mel` (Slaney scale and norm).
//! Differs in: the Fourier transform is one matrix product, which for a few seconds costs less than setting up an FFT.

use std::f64::consts::PI;

use crate::base::Pcm;
use crate::model::kernels::{Dense, Product};

const WINDOW: usize = 400;
const HOP: usize = 160;
const BINS: usize = WINDOW / 2 + 1;

/// The two matrices that make mel frames.
pub(super) struct Mel {
    /// Windowed cosines and sines, 400 to 402.
    fourier: Dense,
    /// Triangular filters, 201 to as many as there are bands.
    filters: Dense,
}

impl Mel {
    /// None without bands.
    pub(super) fn new(mels: usize) -> Option<Self> {
        let fourier = Dense::new((2 * BINS, WINDOW), &fourier())?;
        Some(Self { fourier, filters: Dense::new((mels, BINS), &filters(mels))? })
    }

    /// `samples` to `[frames, mels]`, with `tail` samples of silence behind them; an even number of frames, and a frame of zeros before them and behind.
    pub(super) fn forward(&self, samples: &[f32], tail: usize, p: &mut Product<'_>) -> Vec<f32> {
        let (frames, mels) = (((samples.len() + tail) / HOP).max(2) / 2 * 2, self.filters.outputs());
        let mut spectrum = vec![0.0; frames * 2 * BINS];
        self.fourier.apply(p, &centred(samples, frames), HOP, &mut spectrum);
        let mut power = Vec::with_capacity(frames * BINS);
        for frame in spectrum.chunks_exact(2 * BINS) {
            let (cosines, sines) = frame.split_at(BINS);
            power.extend(cosines.iter().zip(sines).map(|(c, s)| c * c + s * s));
        }
        let mut mel = vec![0.0; (frames + 2) * mels];
        let inner = &mut mel[mels..][..frames * mels];
        self.filters.apply(p, &power, BINS, inner);
        inner.iter_mut().for_each(|v| *v = v.max(1e-10).log10());
        let top = inner.iter().copied().fold(f32::MIN, f32::max);
        inner.iter_mut().for_each(|v| *v = (v.max(top - 8.0) + 4.0) / 4.0);
        mel
    }
}

/// What windows centred on every hop see: the start mirrored, the sound, and behind its end silence.
fn centred(samples: &[f32], frames: usize) -> Vec<f32> {
    let half = WINDOW / 2;
    let at = |i: usize| samples.get(half.abs_diff(i)).copied().unwrap_or(0.0);
    (0..(frames - 1) * HOP + WINDOW).map(at).collect()
}

#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "table values of ±1")]
fn fourier() -> Vec<f32> {
    let hann = |n: usize| 0.5 - 0.5 * (2.0 * PI * n as f64 / WINDOW as f64).cos();
    let angle = |n: usize, k: usize| 2.0 * PI * ((n * k) % WINDOW) as f64 / WINDOW as f64;
    let table =
        |f: fn(f64) -> f64| (0..BINS).flat_map(move |k| (0..WINDOW).map(move |n| (hann(n) * f(angle(n, k))) as f32));
    table(f64::cos).chain(table(f64::sin)).collect()
}

/// `mels` rows of 201 weights: triangles equally spaced on the mel scale from 0 Hz to 8 kHz, each of area 1.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "small table")]
fn filters(mels: usize) -> Vec<f32> {
    let rate = f64::from(Pcm::RATE_HZ);
    let top = hz_to_mel(rate / 2.0);
    let edge = |i: usize| mel_to_hz(top * i as f64 / (mels + 1) as f64);
    let row = |m: usize| {
        let (left, centre, right) = (edge(m), edge(m + 1), edge(m + 2));
        (0..BINS).map(move |k| {
            let hz = rate * k as f64 / WINDOW as f64;
            let slope = ((hz - left) / (centre - left)).min((right - hz) / (right - centre)).max(0.0);
            (slope * 2.0 / (right - left)) as f32
        })
    };
    (0..mels).flat_map(row).collect()
}

/// Slaney's scale is linear up to 1 kHz, then logarithmic.
const HZ_PER_MEL: f64 = 200.0 / 3.0;
const KNEE_HZ: f64 = 1000.0;

/// `ln 6.4 / 27` per mel above the knee.
fn log_step() -> f64 {
    6.4f64.ln() / 27.0
}

fn hz_to_mel(hz: f64) -> f64 {
    if hz < KNEE_HZ { hz / HZ_PER_MEL } else { KNEE_HZ / HZ_PER_MEL + (hz / KNEE_HZ).ln() / log_step() }
}

fn mel_to_hz(mel: f64) -> f64 {
    let knee = KNEE_HZ / HZ_PER_MEL;
    if mel < knee { mel * HZ_PER_MEL } else { KNEE_HZ * ((mel - knee) * log_step()).exp() }
}

#[cfg(test)]
mod tests {
    use super::{Mel, filters};
    use crate::model::kernels::{Level, Product, Team};

    #[test]
    fn the_filters_are_those_of_the_published_bank() {
        // First values of `mel_80` in whisper/assets/mel_filters.npz.
        let bank = filters(80);
        assert!((bank[1] - 0.024_862_59).abs() < 1e-6, "{}", bank[1]);
        assert!((bank[201 + 1] - 0.001_990_8).abs() < 1e-5, "{}", bank[202]);
        assert!(bank[0].abs() < 1e-9);
    }

    #[test]
    fn a_tone_lights_the_band_it_lies_in() {
        let tone: Vec<f32> = (0..16_000).map(|n| (n as f32 * 440.0 * std::f32::consts::TAU / 16_000.0).sin()).collect();
        let mut team = Team::new(1).expect("no thread");
        let mut p = Product { level: Level::best(), team: &mut team };
        let mel = Mel::new(80).expect("tables").forward(&tone, 0, &mut p);
        assert_eq!(mel.len(), 80 * 102);
        let frame = &mel[80 * 51..][..80];
        let loudest = (0..80).max_by(|&a, &b| frame[a].total_cmp(&frame[b])).expect("80 bands");
        // 440 Hz is mel 6.6 of 45.245, that is band 11.8 of 81, counted from 1.
        assert!((10..=11).contains(&loudest), "{loudest}");
    }
}
