//! A voice for tests: it hums each word, as long as the word has letters, with a pause after it.

use super::{Speech, SpokenWord, Voice, VoiceError};

const RATE_HZ: u32 = 24_000;
const MS_PER_LETTER: u32 = 60;
const PAUSE_MS: u32 = 40;

/// Hums 200 Hz. A sentence with the word `FAIL` fails.
#[derive(Debug, Default)]
pub(crate) struct Hum;

impl Voice for Hum {
    fn name(&self) -> &str {
        "hum"
    }

    fn rate_hz(&self) -> u32 {
        RATE_HZ
    }

    fn speak(&mut self, sentence: &str, speed: f32) -> Result<Speech, VoiceError> {
        if sentence.contains("FAIL") {
            return Err(VoiceError::Failed { letters: sentence.chars().count(), why: "asked to".into() });
        }
        let (mut samples, mut words, mut ms) = (Vec::new(), Vec::new(), 0);
        for word in sentence.split_whitespace().filter(|w| w.chars().any(char::is_alphanumeric)) {
            let at = word.as_ptr() as usize - sentence.as_ptr() as usize;
            let letters = u32::try_from(word.chars().count()).unwrap_or(u32::MAX).min(1000);
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few seconds")]
            let long = (f64::from(letters * MS_PER_LETTER) / f64::from(speed.clamp(0.25, 4.0))) as u32;
            words.push(SpokenWord { bytes: at..at + word.len(), start_ms: ms, end_ms: ms + long });
            let turn = std::f32::consts::TAU * 200.0 / 24_000.0;
            samples.extend((0..long * RATE_HZ / 1000).map(|i| 0.3 * (i as f32 * turn).sin()));
            samples.resize(samples.len() + (PAUSE_MS * RATE_HZ / 1000) as usize, 0.0);
            ms += long + PAUSE_MS;
        }
        Ok(Speech { samples, rate_hz: RATE_HZ, words })
    }
}

#[test]
fn words_are_within_the_sound_and_in_order() {
    let sentence = "Grüß Gott, I see 2 cups … ";
    let speech = Hum.speak(sentence, 1.5).unwrap();
    let said: Vec<&str> = speech.words.iter().map(|w| &sentence[w.bytes.clone()]).collect();
    assert_eq!(said, ["Grüß", "Gott,", "I", "see", "2", "cups"]);
    assert!(speech.words.windows(2).all(|w| w[0].end_ms <= w[1].start_ms));
    assert!(speech.words.iter().all(|w| w.start_ms <= w.end_ms && u64::from(w.end_ms) <= speech.duration_ms()));
    assert!(Hum.speak(" … ", 1.0).unwrap().samples.is_empty());
}
