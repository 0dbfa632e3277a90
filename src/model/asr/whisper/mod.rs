//! Whisper (English), run on the utterance's own length instead of the 30 s it was trained on.
//!
//! Floor 2. In: 16 kHz samples. Out: words. Loses: nothing.
//! Source: Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision" (arXiv 2212.04356); the layout
//! of weights follows the official checkpoint `openai/whisper-tiny.en`.
//! Differs in: the encoder sees the utterance and a little silence, not 30 s; no timestamps, no temperature fallback;
//! the decoder's matrices are kept in 8 bits; what is not speech gives no words (see `greedy`).

mod config;
mod decoder;
mod encoder;
mod mel;

use std::path::Path;

use self::config::Config;
use self::decoder::Decoder;
use self::encoder::Encoder;
use self::mel::Mel;
use super::error::AsrError;
use super::greedy::{Greedy, Limits};
use super::layers::Precision;
use super::sound;
use super::vocabulary::{Spelling, Vocabulary};
use super::weights::Weights;
use crate::base::Pcm;
use crate::listen::{Transcribe, TranscribeError, Transcript};

const LIMIT_S: usize = 30;
/// Speech gives -1.2 and more, noise, hum and clicks -1.4 and less.
const MIN_CONFIDENCE: f32 = -1.3;
/// Silence behind the utterance. Whisper ends late or loops when the sound stops at the window's edge.
const TAIL_SAMPLES: usize = 16_000;

/// A loaded Whisper model.
pub struct Whisper {
    mel: Mel,
    encoder: Encoder,
    decoder: Decoder,
    vocabulary: Vocabulary,
    config: Config,
    special: Special,
    name: String,
}

/// Ids of the control tokens, by name from `tokenizer.json`.
struct Special {
    /// What the decoder is told before it begins: English speech, written down without time stamps.
    prompt: Vec<u32>,
    end: u32,
}

/// Checkpoints for all languages have one token more than those for English, and want to be told the language.
const MULTILINGUAL_VOCABULARY: usize = 51_865;

impl Whisper {
    /// Loads `model.safetensors`, `config.json` and `tokenizer.json` from the folder `dir`.
    ///
    /// # Errors
    /// [`AsrError`] names the file that is missing, cut short or of another model.
    pub fn load(dir: &Path) -> Result<Self, AsrError> {
        let config = Config::load(&dir.join("config.json"))?;
        let vocabulary = Vocabulary::load(&dir.join("tokenizer.json"), Spelling::ByteLevel, config.vocab_size)?;
        let special = Special::of(&vocabulary, config.vocab_size)?;
        let file = dir.join("model.safetensors");
        let mut weights = Weights::load(&file)?;
        let encoder = Encoder::load(&mut weights, &config)?;
        let decoder = Decoder::load(&mut weights, &config, Precision::Q8)?;
        let mel = Mel::new(config.num_mel_bins).map_err(|e| weights.bad("mel", &e))?;
        Ok(Self { mel, encoder, decoder, vocabulary, config, special, name: sound::model_name(dir) })
    }

    /// `None` when `stop` said so; it is asked before each layer and each token.
    fn recognise(&self, samples: &[f32], stop: &dyn Fn() -> bool) -> candle_core::Result<Option<Transcript>> {
        let room = LIMIT_S * Pcm::RATE_HZ as usize - samples.len();
        let mel = self.mel.forward(samples, TAIL_SAMPLES.min(room))?;
        let Some(hidden) = self.encoder.forward_unless(&mel, stop)? else { return Ok(None) };
        let mut state = self.decoder.start(&hidden)?;
        let limits = Limits::new(samples.len(), self.config.max_target_positions / 2, MIN_CONFIDENCE);
        let mut greedy = Greedy::new(limits, self.special.end);
        let mut scores = Vec::new();
        for &token in &self.special.prompt {
            scores = self.decoder.step(token, &mut state)?;
        }
        self.suppress(&mut scores, true);
        while let Some(token) = greedy.choose(&scores) {
            if stop() {
                return Ok(None);
            }
            scores = self.decoder.step(token, &mut state)?;
            self.suppress(&mut scores, false);
        }
        Ok(Some(greedy.finish(&self.vocabulary)))
    }

    /// Takes the tokens out of the race that are no speech: listed ones, control tokens, time stamps.
    fn suppress(&self, scores: &mut [f32], first: bool) {
        let never = self.config.suppress_tokens.iter().flatten();
        let at_first = self.config.begin_suppress_tokens.iter().flatten().filter(|_| first);
        for &id in never.chain(at_first) {
            if let Some(score) = scores.get_mut(id as usize) {
                *score = f32::NEG_INFINITY;
            }
        }
        let control = (self.special.end as usize + 1).min(scores.len());
        scores[control..].fill(f32::NEG_INFINITY);
    }
}

impl Special {
    fn of(vocabulary: &Vocabulary, size: usize) -> Result<Self, AsrError> {
        let names: &[&str] = if size >= MULTILINGUAL_VOCABULARY {
            &["<|startoftranscript|>", "<|en|>", "<|transcribe|>", "<|notimestamps|>"]
        } else {
            &["<|startoftranscript|>", "<|notimestamps|>"]
        };
        let prompt = names.iter().map(|n| vocabulary.special(n)).collect::<Result<_, _>>()?;
        Ok(Self { prompt, end: vocabulary.special("<|endoftext|>")? })
    }
}

impl Transcribe for Whisper {
    fn name(&self) -> &str {
        &self.name
    }

    fn transcribe_unless(
        &self,
        samples: &[f32],
        stop: &dyn Fn() -> bool,
    ) -> Result<Option<Transcript>, TranscribeError> {
        sound::check_length(samples, LIMIT_S)?;
        let Some(samples) = sound::audible(samples) else { return Ok(Some(Transcript::default())) };
        self.recognise(&samples, stop).map_err(|e| TranscribeError::Model(e.to_string()))
    }
}
