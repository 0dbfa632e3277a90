//! Synthesized sound at 16 kHz: voices, coughs, noise, a room.

use std::process::Command;

/// A reproducible source of chance.
pub(crate) struct Chance(u32);

impl Chance {
    pub(crate) fn new(seed: u32) -> Self {
        Self(seed.wrapping_mul(2_654_435_761).wrapping_add(1))
    }

    /// From -1 to 1.
    pub(crate) fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as f32 / (1 << 23) as f32 - 1.0
    }
}

/// Speech by espeak-ng, its silence cut off at both ends, its voiced parts at `dbfs`.
pub(crate) fn say(voice: &str, text: &str, dbfs: f32) -> Vec<f32> {
    let out = Command::new("espeak-ng").args(["-v", voice, "-s", "160", "--stdout", text]).output();
    let out = out.expect("espeak-ng has to be on PATH: apt install espeak-ng");
    let wide: Vec<f32> =
        out.stdout[44..].chunks_exact(2).map(|b| f32::from(i16::from_le_bytes([b[0], b[1]])) / 32_768.0).collect();
    // A short average before picking every 1.378th sample keeps most of what would fold back out.
    let smooth: Vec<f32> = wide.windows(2).map(|w| (w[0] + w[1]) / 2.0).collect();
    let count = smooth.len() * 16_000 / 22_050;
    let at = |n: usize| {
        let x = n as f64 * 22_050.0 / 16_000.0;
        let (i, f) = (x as usize, x.fract() as f32);
        smooth[i] * (1.0 - f) + smooth.get(i + 1).unwrap_or(&0.0) * f
    };
    let sound: Vec<f32> = (0..count).map(at).collect();
    let loud = |v: &f32| v.abs() > 0.01;
    let (first, last) = (sound.iter().position(loud).unwrap_or(0), sound.iter().rposition(loud).unwrap_or(0));
    at_level(&sound[first..=last.max(first)], dbfs)
}

/// Scaled so that what is not silence in it has this level.
pub(crate) fn at_level(sound: &[f32], dbfs: f32) -> Vec<f32> {
    let loudest = sound.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
    let voiced: Vec<f32> = sound.iter().copied().filter(|v| v.abs() > loudest / 20.0).collect();
    let rms = (voiced.iter().map(|v| v * v).sum::<f32>() / voiced.len().max(1) as f32).sqrt().max(1e-6);
    let gain = 10_f32.powf(dbfs / 20.0) / rms;
    sound.iter().map(|v| (v * gain).clamp(-1.0, 1.0)).collect()
}

/// A cough: one or two bursts of noise that rise in 15 ms and fall off, brighter at first.
pub(crate) fn cough(ms: usize, bursts: usize, dbfs: f32, seed: u32) -> Vec<f32> {
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
pub(crate) fn room(sound: &[f32], delay_ms: usize, seed: u32) -> Vec<f32> {
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
pub(crate) fn mix(track: &mut [f32], at_ms: u64, sound: &[f32]) {
    let from = (at_ms as usize * 16).min(track.len());
    for (place, v) in track[from..].iter_mut().zip(sound) {
        *place = (*place + v).clamp(-1.0, 1.0);
    }
}
