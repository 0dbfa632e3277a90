//! What sessions ask the engine for, and what it answers.

use std::time::Duration;

use super::draft::MOST as MOST_DRAFTS;
use crate::base::MediaTime;
use crate::dialogue::Prompt;
use crate::listen::{Transcribe, Transcript};
use crate::model::LanguageModel;
use crate::model::llm::Sampling;
use crate::model::voice::Voice;
use crate::watch::{EmbedText, Look, Perceive, Region, Sighting};

/// The models that share the device.
#[derive(Default)]
pub struct EngineParts {
    /// Answers. Without it only speech, perception and embedding work.
    pub language: Option<Box<dyn LanguageModel>>,
    /// Speech to text.
    pub transcriber: Option<Box<dyn Transcribe>>,
    /// What looks at frames, in this order.
    pub experts: Vec<Box<dyn Perceive>>,
    /// Sentences to vectors.
    pub embedder: Option<Box<dyn EmbedText>>,
    /// Answers to sound; on a thread of its own.
    pub voice: Option<Box<dyn Voice>>,
}

/// Sizes and limits of the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineConfig {
    /// Sessions that can be attached at once, `1..=256`. Default 4. Each holds a KV cache of `context_tokens` once it is used.
    pub slots: usize,
    /// Tokens of prompt and answer per session, `64..=32768`. Default 2048; never more than the model was trained for.
    pub context_tokens: usize,
    /// Bytes that all KV caches may take together. Default 1 GiB. Fewer slots are offered when they would not fit.
    pub kv_limit_bytes: u64,
    /// Tokens of a prompt computed in one step, `1..=512`. Default 32: about 110 ms on two cores. Larger steps delay everybody else.
    pub prefill_chunk: usize,
    /// Tokens of an answer that are guessed from the text before and checked in one step with the one before them, `0..=6`. Default 5; never more than the model says are worth it.
    pub draft_tokens: usize,
    /// Threads to compute with. Default None: one per physical core. candle reads `RAYON_NUM_THREADS` once, when it first computes, and offers
    /// no other way, so a value here is only checked against that; start-up warns when they differ.
    pub threads: Option<usize>,
    /// Events that one answer's queue holds, `8..=1024`. Default 64.
    pub reply_events: usize,
    /// Commands that wait for the engine, `8..=1024`. Default 64.
    pub commands: usize,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            slots: 4,
            context_tokens: 2048,
            kv_limit_bytes: 1 << 30,
            prefill_chunk: 32,
            draft_tokens: 5,
            threads: None,
            reply_events: 64,
            commands: 64,
        }
    }
}

impl EngineConfig {
    /// The same with every value brought within its bounds.
    pub(super) fn bounded(mut self) -> Self {
        self.slots = self.slots.clamp(1, 256);
        self.context_tokens = self.context_tokens.clamp(64, 32_768);
        self.prefill_chunk = self.prefill_chunk.clamp(1, 512);
        self.draft_tokens = self.draft_tokens.min(MOST_DRAFTS);
        self.reply_events = self.reply_events.clamp(8, 1024);
        self.commands = self.commands.clamp(8, 1024);
        self
    }
}

/// An answer to be made.
#[derive(Debug, Clone)]
pub struct GenerateRequest {
    /// The chat so far.
    pub prompt: Prompt,
    /// Most tokens of the answer, its prefix included.
    pub max_tokens: usize,
    /// How to choose tokens.
    pub sampling: Sampling,
    /// Texts that end the answer and are not part of it.
    pub stop: Vec<String>,
    /// When the first token should be there; a miss is counted, the answer goes on.
    pub deadline: MediaTime,
}

/// How an answer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finish {
    /// The model ended it, or a stop text came.
    Stop,
    /// `max_tokens` or the context was reached.
    Length,
    /// The caller cancelled it or dropped the receiver.
    Cancelled,
    /// Something broke; the words say what.
    Failed(String),
}

/// What happens to an answer, in order: `Started`, any number of `Delta`, `Done`. A cancelled answer may be `Done` without having started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GenerateEvent {
    /// The prompt is computed.
    Started {
        /// Tokens of the prompt.
        prompt_tokens: usize,
        /// How many of them were in the cache.
        cached_tokens: usize,
        /// From the call to the first step.
        queue: Duration,
        /// From the first step to the first token.
        prefill: Duration,
    },
    /// More of the answer.
    Delta {
        /// Whole characters.
        text: String,
        /// Tokens since the delta before.
        tokens: usize,
    },
    /// The last event.
    Done {
        /// How it ended.
        finish: Finish,
        /// Tokens of the prompt.
        prompt_tokens: usize,
        /// How many of them were in the cache.
        cached_tokens: usize,
        /// Tokens of the answer, its prefix included.
        output_tokens: usize,
        /// From the first token to the end.
        decode: Duration,
    },
}

/// A transcript and what it cost.
#[derive(Debug, Clone, PartialEq)]
pub struct TranscribeDone {
    /// The words.
    pub transcript: Transcript,
    /// From the call to the start.
    pub queue: Duration,
    /// From the start to the end.
    pub took: Duration,
}

/// Which experts are to look at a frame, and until when.
#[derive(Debug, Clone, PartialEq)]
pub struct PerceiveRequest {
    /// Names of experts; empty for all. They look in the order in which they were given to the engine.
    pub experts: Vec<&'static str>,
    /// An expert whose turn comes later than this does not look.
    pub deadline: MediaTime,
    /// A question waits for it: goes before perception in the background.
    pub urgent: bool,
    /// The part of the frame that those who can look at alone; nothing for all of it.
    pub part: Option<Glimpse>,
}

/// A part of a frame, and what is known around it.
#[derive(Debug, Clone, PartialEq)]
pub struct Glimpse {
    /// The part.
    pub region: Region,
    /// See [`Region::outside`].
    pub outside: Vec<Sighting>,
}

/// What the experts said.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Perceived {
    /// What each expert that looked said, in their order.
    pub looks: Vec<Look>,
    /// Who did not, and why.
    pub missed: Vec<(&'static str, String)>,
    /// From the call to the first step.
    pub queue: Duration,
    /// From the first step to the end, waiting in between included.
    pub took: Duration,
}

impl Perceived {
    /// Who looked.
    #[must_use]
    pub fn looked(&self) -> Vec<&'static str> {
        self.looks.iter().map(|look| look.expert).collect()
    }
}

/// Counters of the engine since its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EngineStats {
    /// Slots there are.
    pub slots: usize,
    /// Slots that sessions hold.
    pub attached: usize,
    /// Steps run.
    pub steps: u64,
    /// Time spent in them.
    pub busy: Duration,
    /// Prompt tokens computed.
    pub prefilled_tokens: u64,
    /// Prompt tokens found in a cache instead.
    pub cached_tokens: u64,
    /// Tokens of answers.
    pub output_tokens: u64,
    /// Of those, computed in a step of another answer.
    pub shared_tokens: u64,
    /// Tokens of answers that were guessed and checked.
    pub drafted_tokens: u64,
    /// Of those, the ones that came.
    pub accepted_tokens: u64,
    /// Deadlines missed.
    pub deadline_misses: u64,
    /// Pieces of work that were held back because something more important was due before they would have ended.
    pub deferred: u64,
    /// Steps that were broken off for something more important, to go on later.
    pub broken_off: u64,
    /// Panics of models that were caught.
    pub panics: u64,
}
