//! Kokoro-82M: a StyleTTS 2 without its diffusion, one voice, English.
//!
//! The style that goes in depends on how many symbols are spoken: the file holds one for each length. The graph also says how long each
//! symbol sounds, so the times of words are the model's own, to 25 ms.

use std::path::{Path, PathBuf};

use super::dictionary::Dictionary;
use super::sounding::{Stretch, sound};
use super::{Speech, SpokenWord, Voice, VoiceError, symbols};
use crate::base::Pcm;
use crate::model::file::{Unread, read_bounded};
use crate::model::onnx::{STYLE_SIZE, Speaker, Spoken, Threads};

const RATE_HZ: u32 = 24_000;
const MS_PER_FRAME: f32 = 25.0;
const SAMPLES_PER_MS: usize = 24;
/// The model begins with a third of a second of silence; of what is silent, this much stays.
const LEAD_MS: usize = 40;
/// Below this a sample is silence (the model's is under 0.002).
const SILENCE: f32 = 0.005;
const MOST_STYLE_BYTES: u64 = 4 << 20;
const MOST_DICTIONARY_BYTES: u64 = 32 << 20;

/// The voice, loaded.
pub struct Kokoro {
    name: String,
    speaker: Speaker,
    styles: Vec<f32>,
    dictionary: Dictionary,
}

impl Kokoro {
    /// Loads `model.onnx`, `style.bin` and `cmudict.js` from `dir`, whose last part is the voice's name.
    ///
    /// # Errors
    /// [`VoiceError::Files`] names the file that is missing, damaged or of another model.
    pub fn load(dir: &Path, threads: &Threads) -> Result<Self, VoiceError> {
        let name = dir.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
        let file = dir.join("style.bin");
        let bytes = read(&file, MOST_STYLE_BYTES)?;
        let styles: Vec<f32> = bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        if styles.is_empty() || !styles.len().is_multiple_of(STYLE_SIZE) || !styles.iter().all(|v| v.is_finite()) {
            return Err(files(&file, format!("{} bytes are not rows of {STYLE_SIZE} numbers", bytes.len())));
        }
        let file = dir.join("cmudict.js");
        let text = String::from_utf8(read(&file, MOST_DICTIONARY_BYTES)?).map_err(|e| files(&file, e))?;
        let dictionary = Dictionary::parse(text).ok_or_else(|| files(&file, "it holds no word"))?;
        let file = dir.join("model.onnx");
        let speaker = Speaker::load(&file, threads).map_err(|e| files(&file, e))?;
        Ok(Self { name, speaker, styles, dictionary })
    }

    /// The style for so many symbols.
    fn style(&self, symbols: usize) -> &[f32] {
        let row = symbols.min(self.styles.len() / STYLE_SIZE - 1);
        &self.styles[row * STYLE_SIZE..(row + 1) * STYLE_SIZE]
    }

    fn stretch(&self, stretch: &Stretch, speed: f32) -> Result<Spoken, String> {
        let numbers = stretch.symbols.iter().filter_map(|c| symbols::number(*c));
        let numbers: Vec<i32> = std::iter::once(0).chain(numbers).chain([0]).collect();
        let spoken = self.speaker.run(numbers, self.style(stretch.symbols.len()), speed)?;
        match spoken.frames.len() == stretch.symbols.len() + 2 {
            true => Ok(spoken),
            false => Err(format!("{} durations for {} symbols", spoken.frames.len(), stretch.symbols.len())),
        }
    }
}

/// How far the predicted durations are stretched: the slowest that a client may ask for, and twice the voice's own pace.
const SLOWEST: f32 = 0.25;
const FASTEST: f32 = 2.0;

impl Voice for Kokoro {
    fn name(&self) -> &str {
        &self.name
    }

    fn rate_hz(&self) -> u32 {
        RATE_HZ
    }

    fn speak(&mut self, sentence: &str, speed: f32) -> Result<Speech, VoiceError> {
        let speed = if speed.is_finite() { speed.clamp(SLOWEST, FASTEST) } else { 1.0 };
        let (stretches, skipped) = sound(sentence, &self.dictionary);
        if skipped > 0 {
            tracing::debug!(skipped, "letters that the voice does not read");
        }
        let mut speech = Speech { samples: Vec::new(), rate_hz: RATE_HZ, words: Vec::new() };
        for stretch in stretches {
            let failed = |why| VoiceError::Failed { letters: sentence.chars().count(), why };
            let spoken = self.stretch(&stretch, speed).map_err(failed)?;
            append(&mut speech, &stretch, spoken);
        }
        Ok(speech)
    }
}

/// Adds one stretch: its leading silence is cut, its words get their times.
fn append(speech: &mut Speech, stretch: &Stretch, spoken: Spoken) {
    let loud = spoken.samples.iter().position(|s| s.abs() > SILENCE).unwrap_or(0);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few hundred frames")]
    let lead = (spoken.frames[0] * MS_PER_FRAME) as usize * SAMPLES_PER_MS;
    let cut = loud.saturating_sub(LEAD_MS * SAMPLES_PER_MS).min(lead);
    let before = speech.samples.len() / SAMPLES_PER_MS;
    speech.samples.extend(spoken.samples.iter().skip(cut).copied().map(Pcm::sane));
    let end = speech.samples.len() / SAMPLES_PER_MS;
    let mut starts = Vec::with_capacity(spoken.frames.len() + 1);
    let mut at = 0.0;
    for frames in &spoken.frames {
        starts.push(at);
        at += frames.max(0.0) * MS_PER_FRAME;
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded by the length of the sound")]
    let ms = |symbol: usize| {
        // The silence at the front is symbol 0.
        let within = starts.get(symbol + 1).copied().unwrap_or(at) as usize;
        (before + within.saturating_sub(cut / SAMPLES_PER_MS)).min(end) as u32
    };
    speech.words.extend(stretch.words.iter().map(|w| SpokenWord {
        bytes: w.bytes.clone(),
        start_ms: ms(w.symbols.start),
        end_ms: ms(w.symbols.end),
    }));
}

fn files(file: &Path, why: impl ToString) -> VoiceError {
    VoiceError::Files { file: PathBuf::from(file), why: why.to_string() }
}

/// A whole file, or what is wrong with it.
fn read(file: &Path, limit: u64) -> Result<Vec<u8>, VoiceError> {
    read_bounded(file, limit).map_err(|e| match e {
        Unread::Io(e) => files(file, e),
        Unread::TooLarge(bytes) => files(file, format!("it has {bytes} bytes, {limit} allowed")),
    })
}

#[cfg(test)]
mod tests {
    use super::{SAMPLES_PER_MS, Speech, Spoken, Stretch, append};
    use crate::model::voice::sounding::Sounded;

    #[test]
    fn times_are_counted_from_the_first_sound_kept_and_the_second_stretch_follows_the_first() {
        let stretch = Stretch {
            symbols: vec!['A', ' ', 'b'],
            words: vec![Sounded { bytes: 0..1, symbols: 0..1 }, Sounded { bytes: 2..3, symbols: 2..3 }],
        };
        let spoken = || {
            let mut samples = vec![0.0; 240 * SAMPLES_PER_MS];
            samples.resize(400 * SAMPLES_PER_MS, 2.0);
            // Ten silent frames, then 50, 25 and 50 ms, then 25 ms of silence.
            Spoken { samples, frames: vec![10.0, 2.0, 1.0, 2.0, 1.0] }
        };
        let mut speech = Speech { samples: Vec::new(), rate_hz: 24_000, words: Vec::new() };
        append(&mut speech, &stretch, spoken());
        append(&mut speech, &stretch, spoken());
        // 200 of the 240 silent milliseconds go.
        let times: Vec<_> = speech.words.iter().map(|w| (w.start_ms, w.end_ms)).collect();
        assert_eq!(times, [(50, 100), (125, 175), (250, 300), (325, 375)]);
        assert_eq!(speech.samples.len(), 400 * SAMPLES_PER_MS);
        assert!(speech.samples.iter().all(|s| s.abs() <= 1.0), "what is too loud is clipped");
    }
}
