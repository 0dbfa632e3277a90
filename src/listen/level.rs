//! How loud it is: for a meter, and to leave silence out.

use std::ops::Range;

/// The quietest level reported, in dBFS.
pub const SILENCE_DBFS: f32 = -100.0;

/// Root mean square of `samples` in decibels relative to full scale: 0 for a full-scale square wave, [`SILENCE_DBFS`]
/// for silence and for no samples at all.
#[must_use]
pub fn dbfs(samples: &[f32]) -> f32 {
    #[allow(clippy::cast_precision_loss, reason = "a buffer has few samples")]
    let mean = samples.iter().map(|v| v * v).sum::<f32>() / samples.len().max(1) as f32;
    if mean.is_finite() && mean > 0.0 { (10.0 * mean.log10()).clamp(SILENCE_DBFS, 20.0) } else { SILENCE_DBFS }
}

/// Samples at 16 kHz that are judged together.
const BLOCK: usize = 320;
/// Kept on both sides of what was loud: words begin and end softly.
const MARGIN: usize = 16 * 300;
/// Quieter than the loudest block by this much, in decibels, is no speech of the same person.
const BELOW_LOUDEST_DB: f32 = 30.0;

/// The part of `samples` (16 kHz) that is worth recognising: from 300 ms before the first loud block to 300 ms after the last. A turn that
/// the client ends itself may begin and end with seconds of silence, in which small recognisers lose the words. All of it where nothing
/// stands out.
#[must_use]
pub fn loud_part(samples: &[f32]) -> Range<usize> {
    let levels: Vec<f32> = samples.chunks(BLOCK).map(dbfs).collect();
    let least = levels.iter().copied().fold(SILENCE_DBFS, f32::max) - BELOW_LOUDEST_DB;
    let loud = |level: &f32| *level > least && *level > SILENCE_DBFS;
    match (levels.iter().position(loud), levels.iter().rposition(loud)) {
        (Some(first), Some(last)) => {
            (first * BLOCK).saturating_sub(MARGIN)..((last + 1) * BLOCK + MARGIN).min(samples.len())
        }
        _ => 0..samples.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::{SILENCE_DBFS, dbfs, loud_part};

    #[test]
    fn silence_around_words_is_left_out_and_nothing_else() {
        let part = |silence: f32, before: usize, after: usize| {
            let mut sound = vec![silence; before * 16];
            sound.extend((0..16_000).map(|i| if i % 2 == 0 { 0.1 } else { -0.1 }));
            sound.extend(vec![silence; after * 16]);
            (loud_part(&sound), sound.len())
        };
        assert_eq!(part(0.0, 2_000, 1_500).0, 16 * 1_700..16 * 3_300);
        assert_eq!(part(0.001, 2_000, 1_500).0, 16 * 1_700..16 * 3_300, "a quiet room");
        let (noisy, all) = part(0.02, 2_000, 1_500);
        assert_eq!(noisy, 0..all, "what is nearly as loud may be speech");
        let (short, all) = part(0.0, 100, 100);
        assert_eq!(short, 0..all);
        for nothing in [&[][..], &[0.0; 5_000]] {
            assert_eq!(loud_part(nothing), 0..nothing.len());
        }
    }

    #[test]
    fn full_scale_is_zero_and_silence_is_the_floor() {
        assert!(dbfs(&[1.0, -1.0]).abs() < 1e-4);
        assert!((dbfs(&[0.1; 640]) + 20.0).abs() < 1e-3);
        for quiet in [&[][..], &[0.0; 640], &[f32::NAN]] {
            assert!((dbfs(quiet) - SILENCE_DBFS).abs() < f32::EPSILON);
        }
    }
}
