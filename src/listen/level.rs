//! How loud it is, for a meter.

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

#[cfg(test)]
mod tests {
    use super::{SILENCE_DBFS, dbfs};

    #[test]
    fn full_scale_is_zero_and_silence_is_the_floor() {
        assert!(dbfs(&[1.0, -1.0]).abs() < 1e-4);
        assert!((dbfs(&[0.1; 640]) + 20.0).abs() < 1e-3);
        for quiet in [&[][..], &[0.0; 640], &[f32::NAN]] {
            assert!((dbfs(quiet) - SILENCE_DBFS).abs() < f32::EPSILON);
        }
    }
}
