//! How the listener tells speech from silence.

use std::time::Duration;

use thiserror::Error;

use crate::base::ErrorClass;

/// When a turn begins and ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ListenConfig {
    /// Who decides when an utterance ends. Default: [`TurnDetection::Voice`].
    pub turn_detection: TurnDetection,
    /// Probability of speech (`0.0..=1.0`) at which a frame counts as the start of speech. Default 0.5, OpenAI's
    /// `turn_detection.threshold`. Lower hears quiet voices and more noise.
    pub start_threshold: f32,
    /// Probability below which a frame counts as silence once speech has begun; not above `start_threshold`.
    /// Default 0.35. The distance between the two keeps a wavering voice in one piece.
    pub stop_threshold: f32,
    /// Voiced time before anything is taken for speech. Default 96 ms; 0 to 1000 ms. Shorter sounds (a click, a cough)
    /// are dropped and counted. It delays the news that speech began, never its sound.
    pub min_speech: Duration,
    /// Sound kept from before the first voiced frame. Default 300 ms, OpenAI's `prefix_padding_ms`; 0 to 2000 ms. Too
    /// little cuts off soft first consonants.
    pub prefix_padding: Duration,
    /// Sound kept from after the last voiced frame. Default 160 ms; 0 to 2000 ms, and never more than was silent.
    pub suffix_padding: Duration,
    /// Silence that ends an utterance, unless [`super::Listener::need_silence`] says otherwise of a pause. Default 500 ms, as that of OpenAI's
    /// `silence_duration_ms`; 40 to 10000 ms. It is the largest part of the time from the end of speech to an answer; too little cuts people
    /// off while they think.
    pub silence_duration: Duration,
    /// Once somebody has spoken for a third of a second, a voice quieter than theirs by this many decibels does not go on for them: a television.
    /// Default 20; infinite: every voice counts.
    pub farther_db: f32,
    /// The longest utterance, padding included: there it is cut, and the next begins with the next sample. Default 30 s;
    /// 60 s at most and 1 s more than the padding at least. Also the most that manual mode keeps. Costs 64 kB per second and session.
    pub max_utterance: Duration,
}

/// Who decides when an utterance ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TurnDetection {
    /// Voice activity.
    Voice,
    /// The client, by committing what it has sent (OpenAI: `turn_detection: null`).
    Manual,
}

impl Default for ListenConfig {
    fn default() -> Self {
        Self {
            turn_detection: TurnDetection::Voice,
            start_threshold: 0.5,
            stop_threshold: 0.35,
            min_speech: Duration::from_millis(96),
            prefix_padding: Duration::from_millis(300),
            suffix_padding: Duration::from_millis(160),
            silence_duration: Duration::from_millis(500),
            farther_db: 20.0,
            max_utterance: Duration::from_secs(30),
        }
    }
}

impl ListenConfig {
    /// The distance that [`Self::with_threshold`] keeps between the two thresholds.
    pub const HYSTERESIS: f32 = 0.15;

    /// Sets both thresholds from the one number that clients know.
    #[must_use]
    pub fn with_threshold(self, start: f32) -> Self {
        Self { start_threshold: start, stop_threshold: (start - Self::HYSTERESIS).max(start / 2.0), ..self }
    }

    /// Checks every field against its bounds.
    ///
    /// # Errors
    /// [`ConfigError`] names the first field that is out of bounds.
    pub fn check(&self) -> Result<(), ConfigError> {
        let share = |field, v: f32| match (0.0..=1.0).contains(&v) {
            true => Ok(()),
            false => Err(ConfigError::Threshold { field, value: v }),
        };
        share("threshold", self.start_threshold)?;
        share("stop_threshold", self.stop_threshold)?;
        if self.stop_threshold > self.start_threshold {
            return Err(ConfigError::Threshold { field: "stop_threshold", value: self.stop_threshold });
        }
        let within = |field, v: Duration, min_ms: u64, max_ms: u64| {
            let fits = (Duration::from_millis(min_ms)..=Duration::from_millis(max_ms)).contains(&v);
            if fits { Ok(()) } else { Err(ConfigError::Duration { field, value_ms: v.as_millis(), min_ms, max_ms }) }
        };
        within("min_speech_ms", self.min_speech, 0, 1000)?;
        within("prefix_padding_ms", self.prefix_padding, 0, 2000)?;
        within("suffix_padding_ms", self.suffix_padding, 0, 2000)?;
        within("silence_duration_ms", self.silence_duration, 40, 10_000)?;
        // What has been heard by the time speech is certain must fit, with room to go on.
        let heard = self.prefix_padding + 2 * self.min_speech;
        let heard_ms = u64::try_from(heard.as_millis()).unwrap_or(u64::MAX);
        within("max_utterance_ms", self.max_utterance, 1000 + heard_ms, 60_000)
    }
}

/// A field of [`ListenConfig`] is out of bounds.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ConfigError {
    /// A probability is not between 0 and 1, or the thresholds are the wrong way round.
    #[error("{field} is {value}, expected 0.0 to 1.0 and stop_threshold not above threshold")]
    Threshold {
        /// Which.
        field: &'static str,
        /// What was given.
        value: f32,
    },
    /// A duration is out of bounds.
    #[error("{field} is {value_ms}, expected {min_ms} to {max_ms}")]
    Duration {
        /// Which.
        field: &'static str,
        /// What was given, in milliseconds.
        value_ms: u128,
        /// The least allowed, in milliseconds.
        min_ms: u64,
        /// The most allowed, in milliseconds.
        max_ms: u64,
    },
}

impl ConfigError {
    /// Always the caller's to mend.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        ErrorClass::Invalid
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::ListenConfig;

    #[test]
    fn the_defaults_hold_and_any_client_threshold_keeps_the_thresholds_in_order() {
        ListenConfig::default().check().expect("defaults");
        for t in [0.0, 0.05, 0.3, 0.5, 0.99, 1.0] {
            ListenConfig::default().with_threshold(t).check().expect("in bounds");
        }
        assert!(ListenConfig::default().with_threshold(f32::NAN).check().is_err());
        assert!(ListenConfig::default().with_threshold(1.1).check().is_err());
    }

    #[test]
    fn a_duration_out_of_bounds_is_named() {
        let bad = ListenConfig { silence_duration: Duration::from_millis(5), ..ListenConfig::default() };
        assert_eq!(bad.check().expect_err("too short").to_string(), "silence_duration_ms is 5, expected 40 to 10000");
    }
}
