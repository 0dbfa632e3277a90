//! What every recogniser does to the samples first.

use std::borrow::Cow;
use std::path::Path;

use crate::base::Pcm;
use crate::listen::TranscribeError;

/// The loudest 20 ms of an utterance below this are not speech: -60 dBFS is 40 dB under a quiet voice at a laptop.
const AUDIBLE_RMS: f32 = 0.001;
const WINDOW_SAMPLES: usize = 320;

/// A model is called what its folder is called.
pub(super) fn model_name(dir: &Path) -> String {
    dir.file_name().unwrap_or(dir.as_os_str()).to_string_lossy().into_owned()
}

/// Refuses what is longer than the recogniser takes.
pub(super) fn check_length(samples: &[f32], limit_s: usize) -> Result<(), TranscribeError> {
    let limit = limit_s * Pcm::RATE_HZ as usize;
    if samples.len() <= limit {
        return Ok(());
    }
    #[allow(clippy::cast_precision_loss, reason = "for a message")]
    Err(TranscribeError::TooLong { seconds: samples.len() as f32 / Pcm::RATE_HZ as f32, limit: limit_s as f32 })
}

/// The samples with values that are no number silenced and loud ones cut at full scale; `None` if nothing can be heard.
pub(super) fn audible(samples: &[f32]) -> Option<Cow<'_, [f32]>> {
    let fine = samples.iter().all(|v| v.abs() <= 1.0);
    let samples = if fine { Cow::Borrowed(samples) } else { samples.iter().copied().map(Pcm::sane).collect() };
    let loudest = samples.chunks(WINDOW_SAMPLES).map(mean_square).fold(0.0f32, f32::max);
    (loudest >= AUDIBLE_RMS * AUDIBLE_RMS).then_some(samples)
}

#[allow(clippy::cast_precision_loss, reason = "a window is short")]
fn mean_square(window: &[f32]) -> f32 {
    window.iter().map(|v| v * v).sum::<f32>() / window.len() as f32
}

#[cfg(test)]
mod tests {
    use super::{audible, check_length};

    #[test]
    fn silence_and_nonsense_are_not_audible_and_a_tone_is() {
        assert!(audible(&[]).is_none());
        assert!(audible(&[0.0005; 16_000]).is_none());
        assert!(audible(&[f32::NAN; 16_000]).is_none());
        let loud = audible(&[9.0, -9.0, f32::INFINITY]).expect("loud");
        assert_eq!(&*loud, [1.0, -1.0, 0.0]);
    }

    #[test]
    fn longer_than_the_limit_is_refused() {
        assert!(check_length(&[0.0; 16_000], 1).is_ok());
        assert!(check_length(&[0.0; 16_001], 1).is_err());
    }
}
