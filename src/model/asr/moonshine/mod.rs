//! Moonshine: a small encoder and decoder whose cost follows the length of the utterance.
//!
//! Floor 2. In: 16 kHz samples. Out: words. Loses: nothing.
//! Source: Jeffries et al., "Moonshine: Speech Recognition for Live Transcription and Voice Commands" (arXiv 2410.15608);
//! the layout of weights follows the official checkpoint `UsefulSensors/moonshine-tiny`.
//! Differs in: the decoder's matrices are kept in 8 bits; what is not speech gives no words (see `greedy`).

mod config;
mod decoder;
mod encoder;
mod rotary;

use std::path::Path;

use candle_core::{Device, Tensor};

use self::config::Config;
use self::decoder::Decoder;
use self::encoder::{Encoder, REACH_SAMPLES};
use super::error::AsrError;
use super::greedy::{Greedy, Limits};
use super::layers::Precision;
use super::sound;
use super::vocabulary::{Spelling, Vocabulary};
use super::weights::Weights;
use crate::base::Pcm;
use crate::listen::{Transcribe, TranscribeError, Transcript};

/// The longest utterance taken at once.
const LIMIT_S: usize = 40;
/// Speech gives -0.3 and more, even when a word is wrong; noise gives no words at all.
const MIN_CONFIDENCE: f32 = -1.5;

/// A loaded Moonshine model.
pub struct Moonshine {
    encoder: Encoder,
    decoder: Decoder,
    vocabulary: Vocabulary,
    config: Config,
    name: String,
}

impl Moonshine {
    /// Loads `model.safetensors`, `config.json` and `tokenizer.json` from the folder `dir`.
    ///
    /// # Errors
    /// [`AsrError`] names the file that is missing, cut short or of another model.
    pub fn load(dir: &Path) -> Result<Self, AsrError> {
        let config = Config::load(&dir.join("config.json"))?;
        let vocabulary = Vocabulary::load(&dir.join("tokenizer.json"), Spelling::Metaspace, config.vocab_size)?;
        let mut weights = Weights::load(&dir.join("model.safetensors"))?;
        let encoder = Encoder::load(&mut weights, &config, LIMIT_S * Pcm::RATE_HZ as usize)?;
        let decoder = Decoder::load(&mut weights, &config, Precision::Q8)?;
        Ok(Self { encoder, decoder, vocabulary, config, name: sound::model_name(dir) })
    }

    /// `None` when `stop` said so; it is asked before each layer and each token.
    fn recognise(&self, samples: &[f32], stop: &dyn Fn() -> bool) -> candle_core::Result<Option<Transcript>> {
        let mut sound = samples.to_vec();
        sound.resize(sound.len().max(REACH_SAMPLES), 0.0);
        let sound = Tensor::from_vec(sound, (samples.len().max(REACH_SAMPLES),), &Device::Cpu)?;
        let Some(hidden) = self.encoder.forward_unless(&sound, stop)? else { return Ok(None) };
        let mut state = self.decoder.start(&hidden)?;
        let limits = Limits::new(samples.len(), self.decoder.max_tokens(), MIN_CONFIDENCE);
        let mut greedy = Greedy::new(limits, self.config.eos_token_id);
        let mut token = Some(self.config.decoder_start_token_id);
        while let Some(t) = token {
            if stop() {
                return Ok(None);
            }
            token = greedy.choose(&self.decoder.step(t, &mut state)?);
        }
        Ok(Some(greedy.finish(&self.vocabulary)))
    }
}

impl Transcribe for Moonshine {
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
