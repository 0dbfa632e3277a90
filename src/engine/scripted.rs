//! Models that follow a script and take virtual time, for tests of everything above the device.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::base::{Brake, ManualClock, RgbFrame};
use crate::dialogue::{Prompt, Role};
use crate::listen::{Recognition, Transcribe, TranscribeError, Transcript};
use crate::model::{LanguageModel, ModelError, Rendered, TextCodec};
use crate::watch::{EmbedText, EmbedTextError, Perceive, PerceiveError, Region, Sighting};

const OPEN: u32 = 256;
const CLOSE: u32 = 257;
const ASSISTANT: u32 = 258;
const VOCABULARY: usize = 259;

/// What the models did, in order: `forward 0 32`, `open 1`, `transcribe`, `look detector`, …
pub(crate) type Log = Arc<Mutex<Vec<String>>>;

fn note(log: &Log, what: String) {
    log.lock().unwrap().push(what);
}

/// Stands still, as `standing`, until it is broken off, for some tenths of a second at most. Says whether it was.
fn stand(brake: &Brake, log: &Log) -> bool {
    note(log, "standing".to_owned());
    let broken_off = (0..500_000).any(|_| {
        std::thread::yield_now();
        brake.is_pulled()
    });
    note(log, if broken_off { "broken off" } else { "to its end" }.to_owned());
    broken_off
}

/// One token per byte.
pub(crate) struct ByteCodec([u8; 256]);

impl ByteCodec {
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|i| i as u8))
    }
}

impl TextCodec for ByteCodec {
    fn count(&self, text: &str) -> usize {
        text.len()
    }

    fn render(&self, prompt: &Prompt) -> Rendered {
        let mut out = Rendered::default();
        for (i, message) in prompt.messages.iter().enumerate() {
            out.tokens.push(OPEN);
            out.tokens.extend(message.content.bytes().map(u32::from));
            out.tokens.push(CLOSE);
            if i == 0 && message.role == Role::System {
                out.system = out.tokens.len();
            }
        }
        out.messages = out.tokens.len();
        out.tokens.push(ASSISTANT);
        out.tokens.extend(prompt.answer_prefix.bytes().map(u32::from));
        out
    }

    fn bytes(&self, token: u32) -> &[u8] {
        let at = token as usize;
        self.0.get(at..=at).unwrap_or(&[])
    }

    fn is_end(&self, token: u32) -> bool {
        token == CLOSE
    }
}

/// Answers every prompt with the same words; panics on a prompt that holds `¡`, and stands still over one that holds `¶`.
pub(crate) struct ScriptedLanguage {
    pub(crate) answer: &'static str,
    pub(crate) context: usize,
    /// Virtual time per token of a step.
    pub(crate) cost: Duration,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) log: Log,
    /// Tokens worth guessing.
    pub(crate) drafts: usize,
    slots: HashMap<usize, (usize, Vec<u32>)>,
    brake: Brake,
}

impl ScriptedLanguage {
    pub(crate) fn new(answer: &'static str, clock: Arc<ManualClock>, log: Log) -> Self {
        Self {
            answer,
            context: 4096,
            cost: Duration::from_millis(1),
            clock,
            log,
            drafts: 0,
            slots: HashMap::new(),
            brake: Brake::default(),
        }
    }
}

impl LanguageModel for ScriptedLanguage {
    fn name(&self) -> &str {
        "scripted"
    }

    fn codec(&self) -> Arc<dyn TextCodec> {
        Arc::new(ByteCodec::new())
    }

    fn context(&self) -> usize {
        self.context
    }

    fn kv_bytes(&self, tokens: usize) -> u64 {
        tokens as u64
    }

    fn open(&mut self, slot: usize, tokens: usize) -> Result<(), ModelError> {
        note(&self.log, format!("open {slot}"));
        self.slots.insert(slot, (tokens, Vec::new()));
        Ok(())
    }

    fn close(&mut self, slot: usize) {
        note(&self.log, format!("close {slot}"));
        self.slots.remove(&slot);
    }

    fn len(&self, slot: usize) -> usize {
        self.slots.get(&slot).map_or(0, |s| s.1.len())
    }

    fn truncate(&mut self, slot: usize, tokens: usize) {
        if let Some(s) = self.slots.get_mut(&slot) {
            s.1.truncate(tokens);
        }
    }

    fn fork(&mut self, from: usize, to: usize, tokens: usize) -> Result<(), ModelError> {
        note(&self.log, format!("fork {from} {to} {tokens}"));
        let source = self.slots.get(&from).ok_or(ModelError::NoSlot(from))?.1[..tokens].to_vec();
        self.slots.get_mut(&to).ok_or(ModelError::NoSlot(to))?.1 = source;
        Ok(())
    }

    fn forward(&mut self, slot: usize, tokens: &[u32], want_logits: bool) -> Result<Option<Vec<f32>>, ModelError> {
        if tokens.contains(&0xb6) && stand(&self.brake, &self.log) {
            return Err(ModelError::BrokenOff);
        }
        note(&self.log, format!("forward {slot} {}", tokens.len()));
        self.clock.advance(self.cost * u32::try_from(tokens.len()).unwrap());
        let (capacity, held) = self.slots.get_mut(&slot).ok_or(ModelError::NoSlot(slot))?;
        assert!(!tokens.contains(&0xa1), "told to panic");
        held.extend_from_slice(tokens);
        assert!(held.len() <= *capacity, "the engine overfilled a slot");
        let said = held.iter().rev().take_while(|t| **t != ASSISTANT).count();
        let mut logits = vec![0.0; VOCABULARY];
        let next = self.answer.as_bytes().get(said).map_or(CLOSE, |b| u32::from(*b));
        logits[next as usize] = 100.0;
        Ok(want_logits.then_some(logits))
    }

    fn drafts(&self) -> usize {
        self.drafts
    }

    fn obey(&mut self, brake: Brake) {
        self.brake = brake;
    }
}

/// Hears the same words always, in one step; panics on an empty utterance, reads one that begins with 2.0 until it is dropped,
/// and one that begins with 3.0 until the log says `enough`.
pub(crate) struct ScriptedTranscriber {
    pub(crate) text: &'static str,
    pub(crate) cost: Duration,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) log: Log,
}

struct ScriptedRecognition {
    text: &'static str,
    cost: Duration,
    clock: Arc<ManualClock>,
    log: Log,
    /// What the utterance begins with.
    first: f32,
    done: bool,
}

impl Transcribe for ScriptedTranscriber {
    fn name(&self) -> &str {
        "scripted"
    }

    fn begin(&self, samples: &[f32]) -> Result<Box<dyn Recognition>, TranscribeError> {
        assert!(!samples.is_empty(), "told to panic");
        let (text, cost, clock, log) = (self.text, self.cost, Arc::clone(&self.clock), Arc::clone(&self.log));
        if samples[0] > 1.0 {
            note(&self.log, "begin".to_owned());
        }
        Ok(Box::new(ScriptedRecognition { text, cost, clock, log, first: samples[0], done: false }))
    }
}

impl Recognition for ScriptedRecognition {
    fn step(&mut self) -> Result<Option<Transcript>, TranscribeError> {
        let enough = || self.log.lock().unwrap().iter().any(|l| l == "enough");
        if self.first == 2.0 || self.first == 3.0 && !enough() {
            std::thread::yield_now();
            return Ok(None);
        }
        self.done = true;
        note(&self.log, "transcribe".to_owned());
        self.clock.advance(self.cost);
        Ok(Some(Transcript { text: self.text.to_owned(), tokens: 1 }))
    }
}

impl Drop for ScriptedRecognition {
    fn drop(&mut self) {
        if self.first > 1.0 && !self.done {
            note(&self.log, "stopped".to_owned());
        }
    }
}

/// Points the same way always; has no vector for an empty text and panics on `¡`.
pub(crate) struct ScriptedEmbedder {
    pub(crate) cost: Duration,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) log: Log,
}

impl EmbedText for ScriptedEmbedder {
    fn name(&self) -> &str {
        "scripted"
    }

    fn dim(&self) -> usize {
        2
    }

    fn embed(&mut self, text: &str) -> Result<Vec<f32>, EmbedTextError> {
        assert!(!text.contains('¡'), "told to panic");
        if text.is_empty() {
            return Err(EmbedTextError::NoWords);
        }
        note(&self.log, format!("embed {text}"));
        self.clock.advance(self.cost);
        Ok(vec![0.0, 1.0])
    }
}

/// What a scripted expert does.
#[derive(Clone, Copy)]
pub(crate) enum Act {
    See,
    /// Stands still until it is broken off, and sees what it sees when it was not.
    Stand,
    Fail,
    Panic,
}

/// Sees its own name, in every frame.
pub(crate) struct ScriptedExpert {
    pub(crate) name: &'static str,
    pub(crate) act: Act,
    pub(crate) cost: Duration,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) log: Log,
    pub(crate) brake: Brake,
}

impl Perceive for ScriptedExpert {
    fn name(&self) -> &'static str {
        self.name
    }

    fn perceive(&mut self, _: &RgbFrame, seen: &[Sighting]) -> Result<Vec<Sighting>, PerceiveError> {
        note(&self.log, format!("look {} after {}", self.name, seen.len()));
        self.clock.advance(self.cost);
        match self.act {
            Act::Stand if stand(&self.brake, &self.log) => Err(PerceiveError::BrokenOff),
            Act::See | Act::Stand => Ok(vec![Sighting::Embedding { vector: vec![1.0] }]),
            Act::Fail => Err(PerceiveError::Model { expert: self.name, reason: "told to fail".to_owned() }),
            Act::Panic => panic!("told to panic"),
        }
    }

    fn perceive_part(
        &mut self,
        _: &RgbFrame,
        region: &Region,
        seen: &[Sighting],
    ) -> Result<Option<Vec<Sighting>>, PerceiveError> {
        note(&self.log, format!("part {} after {}", self.name, seen.len()));
        // Only a part on the left does.
        Ok((region.bbox().x0 <= 0.0).then(Vec::new))
    }

    fn obey(&mut self, brake: Brake) {
        self.brake = brake;
    }
}
