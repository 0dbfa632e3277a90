//! Whisper (English), run on the utterance's own length instead of the 30 s it was trained on.
//!
//! Floor 2. In: 16 kHz samples. Out: words. Loses: nothing.
//! Source: Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision" (arXiv 2212.04356); the layout
//! of weights follows the official checkpoint `openai/whisper-tiny.en`.
//! Differs in: the encoder sees the utterance and a little silence, not 30 s; no timestamps, no temperature fallback;
//! matrices, and what goes into them, are rounded to 8 bits, the first convolution excepted; what is not speech gives no words (see `greedy`).

mod config;
mod decoder;
mod encoder;
mod mel;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use self::config::Config;
use self::encoder::{Encoder, Encoding};
use self::mel::Mel;
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

const LIMIT_S: usize = 30;
/// Speech gives -1.2 and more, noise, hum and clicks -1.4 and less.
const MIN_CONFIDENCE: f32 = -1.3;
/// Silence behind the utterance. Whisper ends late or loops when the sound stops at the window's edge.
const TAIL_SAMPLES: usize = 16_000;

/// A loaded Whisper model.
pub struct Whisper {
    net: Arc<Net>,
    name: String,
}

/// What utterances that are under way share.
struct Net {
    mel: Mel,
    encoder: Encoder,
    decoder: Decoder,
    vocabulary: Vocabulary,
    config: Config,
    special: Special,
    desk: Mutex<Desk>,
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
    /// Loads `model.safetensors`, `config.json` and `tokenizer.json` from the folder `dir`; it computes with so many threads.
    ///
    /// # Errors
    /// [`AsrError`] names the file that is missing, cut short or of another model.
    pub fn load(dir: &Path, threads: usize) -> Result<Self, AsrError> {
        Self::load_at(dir, Level::best(), threads)
    }

    pub(super) fn load_at(dir: &Path, level: Level, threads: usize) -> Result<Self, AsrError> {
        let config = Config::load(&dir.join("config.json"))?;
        let vocabulary = Vocabulary::load(&dir.join("tokenizer.json"), Spelling::ByteLevel, config.vocab_size)?;
        let special = Special::of(&vocabulary, config.vocab_size)?;
        let file = dir.join("model.safetensors");
        let mut weights = Weights::load(&file)?;
        let encoder = Encoder::load(&mut weights, &config)?;
        let decoder = decoder::load(&mut weights, &config)?;
        let mel = Mel::new(config.num_mel_bins).ok_or_else(|| weights.unfit("mel", "there are no bands"))?;
        let desk = Mutex::new(Desk::new(level, threads)?);
        let net = Arc::new(Net { mel, encoder, decoder, vocabulary, config, special, desk });
        Ok(Self { net, name: sound::model_name(dir) })
    }
}

impl Net {
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

impl Net {
    /// Chooses the next token, the `first` one or another; the words at the end.
    fn write(
        &self,
        scores: Option<&mut [f32]>,
        state: DecoderState,
        mut greedy: Greedy,
        first: bool,
    ) -> Result<Stage, Transcript> {
        let chosen = scores.and_then(|scores| {
            self.suppress(scores, first);
            greedy.choose(scores)
        });
        match chosen {
            Some(token) => Ok(Stage::Write(state, greedy, token)),
            None => Err(greedy.finish(&self.vocabulary)),
        }
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

/// One utterance.
struct Recognising {
    net: Arc<Net>,
    samples: usize,
    stage: Stage,
}

enum Stage {
    /// What is audible.
    Sound(Vec<f32>),
    Hear(Encoding),
    /// The decoder attends to what was heard.
    Attend(Vec<f32>, DecoderState),
    /// It is told what to write, from this token of the prompt on.
    Told(DecoderState, usize),
    /// And writes what comes after this token.
    Write(DecoderState, Greedy, u32),
    /// There is nothing to hear, or all was said.
    Over,
}

impl Recognising {
    fn advance(&mut self) -> Option<Transcript> {
        let net = &*self.net;
        let mut desk = net.desk.lock().unwrap_or_else(PoisonError::into_inner);
        let limits = Limits::new(self.samples, net.config.max_target_positions / 2, MIN_CONFIDENCE);
        let prompt = &net.special.prompt;
        let next = match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Sound(samples) => {
                let room = LIMIT_S * Pcm::RATE_HZ as usize - samples.len();
                let mel = net.mel.forward(&samples, TAIL_SAMPLES.min(room), &mut desk.open().0);
                Ok(Stage::Hear(Encoding::new(mel)))
            }
            Stage::Hear(mut encoding) => Ok(match net.encoder.step(&mut encoding, &mut desk) {
                Some(hidden) => Stage::Attend(hidden, net.decoder.begin(prompt.len() + limits.tokens())),
                None => Stage::Hear(encoding),
            }),
            Stage::Attend(hidden, mut state) => {
                let all = net.decoder.listen(&hidden, &mut state, &mut desk);
                Ok(if all { Stage::Told(state, 0) } else { Stage::Attend(hidden, state) })
            }
            Stage::Told(mut state, at) => {
                let scores = prompt.get(at).and_then(|token| net.decoder.step(*token, &mut state, &mut desk));
                if at + 1 < prompt.len() {
                    Ok(Stage::Told(state, at + 1))
                } else {
                    net.write(scores, state, Greedy::new(limits, net.special.end), true)
                }
            }
            Stage::Write(mut state, greedy, token) => {
                net.write(net.decoder.step(token, &mut state, &mut desk), state, greedy, false)
            }
            Stage::Over => Err(Transcript::default()),
        };
        next.map(|stage| self.stage = stage).err()
    }
}

impl Recognition for Recognising {
    fn step(&mut self) -> Result<Option<Transcript>, TranscribeError> {
        Ok(self.advance())
    }
}

impl Transcribe for Whisper {
    fn name(&self) -> &str {
        &self.name
    }

    fn begin(&self, samples: &[f32]) -> Result<Box<dyn Recognition>, TranscribeError> {
        sound::check_length(samples, LIMIT_S)?;
        let stage = sound::audible(samples).map_or(Stage::Over, |heard| Stage::Sound(heard.into_owned()));
        Ok(Box::new(Recognising { net: Arc::clone(&self.net), samples: samples.len(), stage }))
    }
}

#[cfg(test)]
impl Whisper {
    /// What it computes of `sound`, and of the likeliest tokens up to as many as `tokens`.
    pub(super) fn inside(&self, sound: &[f32], most: usize) -> super::parity::Inside {
        let Net { mel, encoder, decoder, special, desk, .. } = &*self.net;
        let mut desk = desk.lock().unwrap();
        let input = mel.forward(sound, TAIL_SAMPLES, &mut desk.open().0);
        let mut encoding = Encoding::new(input.clone());
        let states = std::iter::repeat_with(|| encoder.step(&mut encoding, &mut desk)).find_map(|s| s).unwrap();
        super::parity::Inside::decoded((input, states), decoder, special.prompt.clone(), most, &mut desk)
    }
}
