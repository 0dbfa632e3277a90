//! Speech, and how alike two results are, for the tests of this folder.

#[path = "../../tests/common/word_errors.rs"]
mod word_errors;

use std::process::Command;

pub(crate) use word_errors::word_errors;

/// Of the angle between two rows of numbers.
pub(crate) fn cosine(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// Rate of espeak-ng's sound.
const ESPEAK_HZ: usize = 22_050;

/// 22.05 kHz mono speech from espeak-ng, or `None` with a line if it is not installed.
pub(crate) fn espeak(options: &[&str], text: &str) -> Option<Vec<f32>> {
    let wav = Command::new("espeak-ng").args(options).args(["--stdout", text]).output();
    let Some(wav) = wav.ok().filter(|o| o.status.success()) else {
        println!("skipped: espeak-ng is not on PATH");
        return None;
    };
    let samples = wav.stdout[44..].chunks_exact(2).map(|b| f32::from(i16::from_le_bytes([b[0], b[1]])) / 32_768.0);
    Some(samples.collect())
}

/// 22.05 kHz to 16 kHz by linear interpolation: good enough to be recognised as a voice, not for its words.
pub(crate) fn roughly_16_khz(wide: &[f32]) -> Vec<f32> {
    let at = |n: usize| {
        let x = n as f64 * ESPEAK_HZ as f64 / 16_000.0;
        let (i, f) = (x as usize, x.fract() as f32);
        wide[i] * (1.0 - f) + wide.get(i + 1).unwrap_or(&0.0) * f
    };
    (0..wide.len() * 16_000 / ESPEAK_HZ).map(at).collect()
}
