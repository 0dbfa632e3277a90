//! Synthesized sound at 16 kHz: voices, coughs, noise, a room; and what is measured of it.
#![allow(dead_code, reason = "each benchmark uses a part")]

use std::path::Path;
use std::process::Command;

use sightline::decode::{DecodeConfig, FileItem, FileReader, Wanted};

/// The value below which `share` per cent lie.
pub fn percentile(mut list: Vec<u64>, share: usize) -> Option<u64> {
    list.sort_unstable();
    let at = (list.len() * share).div_ceil(100).max(1) - 1;
    list.get(at).copied()
}

/// A reproducible source of chance.
pub struct Chance(u32);

impl Chance {
    pub fn new(seed: u32) -> Self {
        Self(seed.wrapping_mul(2_654_435_761).wrapping_add(1))
    }

    /// From -1 to 1.
    pub fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as f32 / (1 << 23) as f32 - 1.0
    }
}

/// Speech by espeak-ng, its silence cut off at both ends, its voiced parts at `dbfs`.
pub fn say(voice: &str, text: &str, dbfs: f32) -> Vec<f32> {
    let out = Command::new("espeak-ng").args(["-v", voice, "-s", "160", "--stdout", text]).output();
    let out = out.expect("espeak-ng has to be on PATH: apt install espeak-ng");
    let wide: Vec<f32> =
        out.stdout[44..].chunks_exact(2).map(|b| f32::from(i16::from_le_bytes([b[0], b[1]])) / 32_768.0).collect();
    trimmed(&resample(&wide, 22_050), dbfs)
}

/// Without the silence at both ends, its voiced parts at `dbfs`.
pub fn trimmed(sound: &[f32], dbfs: f32) -> Vec<f32> {
    let loud = |v: &f32| v.abs() > 0.01;
    let (first, last) = (sound.iter().position(loud).unwrap_or(0), sound.iter().rposition(loud).unwrap_or(0));
    at_level(&sound[first..=last], dbfs)
}

/// From another rate to 16 kHz.
pub fn resample(sound: &[f32], rate_hz: usize) -> Vec<f32> {
    // A short average before picking every 1.378th sample keeps most of what would fold back out.
    let smooth: Vec<f32> = sound.windows(2).map(|w| (w[0] + w[1]) / 2.0).collect();
    let count = smooth.len() * 16_000 / rate_hz;
    let at = |n: usize| {
        let x = n as f64 * rate_hz as f64 / 16_000.0;
        let (i, f) = (x as usize, x.fract() as f32);
        smooth[i] * (1.0 - f) + smooth.get(i + 1).unwrap_or(&0.0) * f
    };
    (0..count).map(at).collect()
}

/// A recording, at 16 kHz; `None` with a line where there is none.
pub fn recorded(file: &Path) -> Option<Vec<f32>> {
    let wanted = Wanted { video: false, audio: true };
    let mut reader = match FileReader::open(file, wanted, &DecodeConfig::default()) {
        Ok(reader) => reader,
        Err(e) => {
            println!("left out: {}: {e}", file.display());
            return None;
        }
    };
    let mut sound = Vec::new();
    while let Some(item) = reader.next().expect("a recording that can be decoded") {
        if let FileItem::Pcm(pcm) = item {
            sound.extend_from_slice(&pcm.samples);
        }
    }
    Some(sound)
}

/// Scaled so that what is not silence in it has this level.
pub fn at_level(sound: &[f32], dbfs: f32) -> Vec<f32> {
    let loudest = sound.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
    let voiced: Vec<f32> = sound.iter().copied().filter(|v| v.abs() > loudest / 20.0).collect();
    let rms = (voiced.iter().map(|v| v * v).sum::<f32>() / voiced.len().max(1) as f32).sqrt().max(1e-6);
    let gain = 10_f32.powf(dbfs / 20.0) / rms;
    sound.iter().map(|v| (v * gain).clamp(-1.0, 1.0)).collect()
}

/// When speech begins in `sound`, in milliseconds: the first three blocks of 16 ms in a row that are no more than 20 dB below its voice. What
/// comes before in a recording is its room and its breath, 22 to 30 dB below.
pub fn begins_after(sound: &[f32]) -> u64 {
    const BLOCK: usize = 256;
    let loudest = sound.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
    let voiced: Vec<f32> = sound.iter().copied().filter(|v| v.abs() > loudest / 20.0).collect();
    let power = |s: &[f32]| s.iter().map(|v| v * v).sum::<f32>() / s.len().max(1) as f32;
    let least = power(&voiced) / 100.0;
    let loud: Vec<bool> = sound.chunks(BLOCK).map(|block| power(block) >= least).collect();
    let block = loud.windows(3).position(|three| three.iter().all(|l| *l)).unwrap_or(0);
    (block * BLOCK / 16) as u64
}

/// A cough: one or two bursts of noise that rise in 15 ms and fall off, brighter at first.
pub fn cough(ms: usize, bursts: usize, dbfs: f32, seed: u32) -> Vec<f32> {
    let mut chance = Chance::new(seed);
    let mut out = Vec::new();
    for _ in 0..bursts {
        let n = ms * 16;
        let mut low = 0.0;
        for i in 0..n {
            let t = i as f32 / n as f32;
            low += (chance.next() - low) * (0.7 - 0.4 * t);
            let shape = (i as f32 / 240.0).min(1.0) * (-4.0 * t).exp();
            out.push(low * shape);
        }
        out.extend(std::iter::repeat_n(0.0, 120 * 16));
    }
    at_level(&out, dbfs)
}

/// What a loudspeaker's sound is when it comes back from a small room after `delay_ms`.
pub fn room(sound: &[f32], delay_ms: usize, seed: u32) -> Vec<f32> {
    let mut chance = Chance::new(seed);
    let response: Vec<f32> =
        (0..1_600).map(|i| if i == 0 { 1.0 } else { chance.next() * 0.2 * (-(i as f32) / 450.0).exp() }).collect();
    let mut out = vec![0.0; sound.len()];
    for (i, v) in sound.iter().enumerate().filter(|(_, v)| **v != 0.0) {
        for (place, r) in out.iter_mut().skip(i + delay_ms * 16).zip(&response) {
            *place += v * r;
        }
    }
    out
}

/// Adds `sound` to `track` from `at_ms` on.
pub fn mix(track: &mut [f32], at_ms: u64, sound: &[f32]) {
    let from = (at_ms as usize * 16).min(track.len());
    for (place, v) in track[from..].iter_mut().zip(sound) {
        *place = (*place + v).clamp(-1.0, 1.0);
    }
}
