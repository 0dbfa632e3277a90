//! Moonshine: a small encoder and decoder whose cost follows the length of the utterance.
//!
//! Floor 2. In: 16 kHz samples. Out: words. Loses: nothing.
//! Source: Jeffries et al., "Moonshine: Speech Recognition for Live Transcription and Voice Commands" (arXiv 2410.15608);
//! the layout of weights follows the official checkpoint `UsefulSensors/moonshine-tiny`.
//! Differs in: matrices, and what goes into them, are rounded to 8 bits, the first convolution excepted; what is not speech gives no words (see `greedy`).

mod config;
mod decoder;
mod encoder;
mod rotary;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use self::config::Config;
use self::encoder::{Encoder, Encoding, REACH_SAMPLES};
use super::decode::{Decoder, DecoderState};
use super::error::AsrError;
use super::greedy::{Greedy, Limits};
use super::layers::Desk;
use super::sound;
use super::vocabulary::{Spelling, Vocabulary};
use super::weights::Weights;
use crate::base::Pcm;
use crate::listen::{Recognition, Transcribe, TranscribeError, Transcript};
use crate::model::kernels::Level;

/// The longest utterance taken at once.
const LIMIT_S: usize = 40;
/// Speech gives -0.3 and more, even when a word is wrong; noise gives no words at all.
const MIN_CONFIDENCE: f32 = -1.5;

/// A loaded Moonshine model.
pub struct Moonshine {
    net: Arc<Net>,
    name: String,
}

/// What utterances that are under way share.
struct Net {
    encoder: Encoder,
    decoder: Decoder,
    vocabulary: Vocabulary,
    config: Config,
    desk: Mutex<Desk>,
}

impl Moonshine {
    /// Loads `model.safetensors`, `config.json` and `tokenizer.json` from the folder `dir`; it computes with so many threads.
    ///
    /// # Errors
    /// [`AsrError`] names the file that is missing, cut short or of another model.
    pub fn load(dir: &Path, threads: usize) -> Result<Self, AsrError> {
        Self::load_at(dir, Level::best(), threads)
    }

    pub(super) fn load_at(dir: &Path, level: Level, threads: usize) -> Result<Self, AsrError> {
        let config = Config::load(&dir.join("config.json"))?;
        let vocabulary = Vocabulary::load(&dir.join("tokenizer.json"), Spelling::Metaspace, config.vocab_size)?;
        let mut weights = Weights::load(&dir.join("model.safetensors"))?;
        let encoder = Encoder::load(&mut weights, &config, LIMIT_S * Pcm::RATE_HZ as usize)?;
        let decoder = decoder::load(&mut weights, &config)?;
        let desk = Mutex::new(Desk::new(level, threads)?);
        let net = Arc::new(Net { encoder, decoder, vocabulary, config, desk });
        Ok(Self { net, name: sound::model_name(dir) })
    }
}

/// One utterance.
struct Recognising {
    net: Arc<Net>,
    samples: usize,
    stage: Stage,
}

enum Stage {
    Hear(Encoding),
    /// The decoder attends to what was heard.
    Attend(Vec<f32>, DecoderState),
    /// And writes what comes after this token.
    Write(DecoderState, Greedy, u32),
    /// There is nothing to hear, or all was said.
    Over,
}

impl Recognising {
    fn advance(&mut self) -> Option<Transcript> {
        let Net { encoder, decoder, vocabulary, config, desk } = &*self.net;
        let mut desk = desk.lock().unwrap_or_else(PoisonError::into_inner);
        let limits = Limits::new(self.samples, decoder.max_tokens(), MIN_CONFIDENCE);
        self.stage = match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Hear(mut encoding) => match encoder.step(&mut encoding, &mut desk) {
                Some(hidden) => Stage::Attend(hidden, decoder.begin(limits.tokens())),
                None => Stage::Hear(encoding),
            },
            Stage::Attend(hidden, mut state) => {
                if decoder.listen(&hidden, &mut state, &mut desk) {
                    Stage::Write(state, Greedy::new(limits, config.eos_token_id), config.decoder_start_token_id)
                } else {
                    Stage::Attend(hidden, state)
                }
            }
            Stage::Write(mut state, mut greedy, token) => {
                let scores = decoder.step(token, &mut state, &mut desk);
                match scores.and_then(|scores| greedy.choose(scores)) {
                    Some(token) => Stage::Write(state, greedy, token),
                    None => return Some(greedy.finish(vocabulary)),
                }
            }
            Stage::Over => return Some(Transcript::default()),
        };
        None
    }
}

impl Recognition for Recognising {
    fn step(&mut self) -> Result<Option<Transcript>, TranscribeError> {
        Ok(self.advance())
    }
}

impl Transcribe for Moonshine {
    fn name(&self) -> &str {
        &self.name
    }

    fn begin(&self, samples: &[f32]) -> Result<Box<dyn Recognition>, TranscribeError> {
        sound::check_length(samples, LIMIT_S)?;
        let stage = match sound::audible(samples) {
            None => Stage::Over,
            Some(samples) => {
                let length = samples.len().max(REACH_SAMPLES);
                let mut sound = samples.into_owned();
                sound.resize(length, 0.0);
                Stage::Hear(Encoding::new(sound))
            }
        };
        Ok(Box::new(Recognising { net: Arc::clone(&self.net), samples: samples.len(), stage }))
    }
}

#[cfg(test)]
impl Moonshine {
    /// What it computes of `sound`, and of the likeliest tokens up to as many as `tokens`.
    pub(super) fn inside(&self, sound: &[f32], most: usize) -> super::parity::Inside {
        let Net { encoder, decoder, config, desk, .. } = &*self.net;
        let mut desk = desk.lock().unwrap();
        let input = sound.to_vec();
        let mut encoding = Encoding::new(input.clone());
        let states = std::iter::repeat_with(|| encoder.step(&mut encoding, &mut desk)).find_map(|s| s).unwrap();
        super::parity::Inside::decoded((input, states), decoder, vec![config.decoder_start_token_id], most, &mut desk)
    }
}
