//! One answer on its way: what is left of the prompt, the sampler, the text, the queue to the session.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::base::MediaTime;
use crate::dialogue::CALL_OPEN;
use crate::model::llm::{Sampler, TextStream};
use crate::model::{Rendered, TextCodec};

use super::draft::{Trust, guess};
use super::requests::{Finish, GenerateEvent, GenerateRequest};
use super::schedule::Kind;

/// Tokens that are made of an answer nobody waits for yet.
const AHEAD_TOKENS: usize = 12;
/// Tokens that may be there at once before an answer is early: the first clause, which a voice waits for.
const FIRST_TOKENS: f64 = 8.0;
/// Tokens a second that nobody reads faster: three times as fast as people talk.
const READ_PER_S: f64 = 12.0;
/// For so long the words that came last are enough, while others wait for their first: four tokens a second are about as fast as people talk.
const FRESH: Duration = Duration::from_millis(250);
/// Places in the reply queue that a step may need: `Started`, the prefix and the first words, `Done`.
const EVENTS_PER_STEP: usize = 4;

/// A request on its way to the worker.
pub(super) struct GenerateJob {
    pub request: GenerateRequest,
    pub rendered: Rendered,
    /// `request.max_tokens` cut to what the context leaves.
    pub max_tokens: usize,
    pub replies: mpsc::Sender<GenerateEvent>,
    pub cancel: CancellationToken,
    pub asked: MediaTime,
    /// Nobody waits for it before this is cancelled; `None`: somebody does.
    pub wanted: Option<CancellationToken>,
}

/// A request being worked on.
pub(super) struct Generation {
    pub job: GenerateJob,
    codec: Arc<dyn TextCodec>,
    sampler: Sampler,
    stream: TextStream,
    /// Set at the first step.
    pub started: Option<(MediaTime, usize)>,
    /// Set when the first token was chosen.
    first_token: Option<MediaTime>,
    /// The token chosen last, not yet run, and behind it what was guessed to follow. Empty before the first.
    pending: Vec<u32>,
    /// When the token chosen last was.
    newest: Option<MediaTime>,
    /// What guesses came to so far.
    trust: Trust,
    output_tokens: usize,
    /// Tokens since the last delta.
    unsent_tokens: usize,
    /// Resolves when the queue has room again, the receiver is gone, or the answer was cancelled.
    drained: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

/// What a step of it does next.
#[derive(Debug, Clone, Copy)]
pub(super) struct Next<'a> {
    /// A part of the prompt, or the token that was chosen last and what may follow.
    pub tokens: &'a [u32],
    /// After how many of the last of them logits are wanted: after each that is no prompt, and after the end of one.
    pub logits: usize,
}

/// What was taken from the logits of a step.
#[derive(Debug)]
pub(super) struct Taken {
    /// Tokens that were run and stand: of those that were guessed, the ones that came.
    pub stand: usize,
    /// How the answer ends, if it does.
    pub finish: Option<Finish>,
}

impl Generation {
    pub(super) fn new(job: GenerateJob, codec: Arc<dyn TextCodec>) -> Self {
        let sampler = Sampler::new(job.request.sampling);
        let stream = TextStream::new(job.request.stop.clone());
        Self {
            job,
            codec,
            sampler,
            stream,
            started: None,
            first_token: None,
            pending: Vec::new(),
            newest: None,
            trust: Trust::NEW,
            output_tokens: 0,
            unsent_tokens: 0,
            drained: None,
        }
    }

    pub(super) fn gone(&self) -> bool {
        self.job.cancel.is_cancelled() || self.job.replies.is_closed()
    }

    /// Whether nobody waits for it yet.
    pub(super) fn is_ahead(&self) -> bool {
        self.job.wanted.as_ref().is_some_and(|w| !w.is_cancelled())
    }

    /// Whether enough of it was made for as long as nobody waits for it.
    pub(super) fn is_enough(&self) -> bool {
        self.is_ahead() && self.output_tokens >= AHEAD_TOKENS
    }

    /// What kind of work it is.
    pub(super) fn kind(&self) -> Kind {
        if self.is_ahead() { Kind::Ahead } else { Kind::Answer }
    }

    /// Whether the queue has room for a step. When not, `waker` is called once it has.
    pub(super) fn has_room(&mut self, waker: &Waker) -> bool {
        if self.job.replies.capacity() >= EVENTS_PER_STEP || self.gone() {
            self.drained = None;
            return true;
        }
        let (replies, cancel) = (self.job.replies.clone(), self.job.cancel.clone());
        let wait = self.drained.get_or_insert_with(|| {
            Box::pin(async move {
                tokio::select! {
                    biased;
                    () = cancel.cancelled() => {}
                    _ = replies.reserve_many(EVENTS_PER_STEP) => {}
                    () = replies.closed() => {}
                }
            })
        });
        match wait.as_mut().poll(&mut Context::from_waker(waker)) {
            Poll::Ready(()) => {
                self.drained = None;
                true
            }
            Poll::Pending => false,
        }
    }

    /// What to run when the cache holds `held` tokens: of a prompt `chunk` tokens at most, of what was guessed `drafts`.
    pub(super) fn next(&self, held: usize, chunk: usize, drafts: usize) -> Next<'_> {
        if !self.pending.is_empty() {
            let tokens = &self.pending[..self.pending.len().min(1 + drafts)];
            return Next { tokens, logits: tokens.len() };
        }
        let rest = &self.job.rendered.tokens[held..];
        // Equal chunks: 33 tokens are 17 and 16, not 32 and a lonely one.
        let chunks = rest.len().div_ceil(chunk).max(1);
        let tokens = &rest[..rest.len().div_ceil(chunks)];
        Next { tokens, logits: usize::from(tokens.len() == rest.len()) }
    }

    /// Takes the logits of a step, `[rows, vocabulary]`: after the prompt, or after the last token and what was guessed to follow. `room`: tokens that the cache can
    /// hold behind the one of the first row.
    pub(super) fn take(&mut self, logits: &mut [f32], (rows, room): (usize, usize), now: MediaTime) -> Taken {
        let mut taken = Taken { stand: 1, finish: None };
        if self.first_token.is_none() {
            self.begin(now);
            if self.output_tokens >= self.job.max_tokens {
                return Taken { finish: Some(Finish::Length), ..taken };
            }
        }
        let guessed = std::mem::take(&mut self.pending);
        let mut text = String::new();
        for (i, row) in logits.chunks_exact_mut((logits.len() / rows.max(1)).max(1)).enumerate() {
            taken = Taken { stand: i + 1, finish: self.choose(row, room.saturating_sub(i), &mut text) };
            if taken.finish.is_some() || self.pending.first() != guessed.get(i + 1) {
                break;
            }
        }
        self.trust.learn(rows.saturating_sub(1), taken.stand - 1);
        self.newest = Some(now);
        self.send_delta(text);
        taken
    }

    /// Chooses the next token and adds its words to `text`. Returns how the answer ends, if it does.
    fn choose(&mut self, logits: &mut [f32], room: usize, text: &mut String) -> Option<Finish> {
        let Some(token) = self.sampler.choose(logits) else {
            return Some(Finish::Failed("the model's output is not a number".to_owned()));
        };
        if self.codec.is_end(token) {
            return Some(Finish::Stop);
        }
        self.pending.clear();
        self.pending.push(token);
        self.output_tokens += 1;
        self.unsent_tokens += 1;
        text.push_str(&self.stream.push(self.codec.bytes(token)));
        if self.stream.stopped() {
            Some(Finish::Stop)
        } else if self.output_tokens >= self.job.max_tokens || room == 0 {
            Some(Finish::Length)
        } else {
            None
        }
    }

    /// Guesses what follows the token that was chosen last, behind those that the cache holds: `most` tokens at most.
    pub(super) fn guess(&mut self, held: &[u32], most: usize) {
        if let [last] = self.pending[..] {
            let most = most.min(self.job.max_tokens.saturating_sub(self.output_tokens + 1));
            self.pending.extend_from_slice(guess(held, last, self.trust.most(most)));
        }
    }

    /// The prompt is computed: tells so, and says the prefix of the answer.
    fn begin(&mut self, now: MediaTime) {
        self.first_token = Some(now);
        let (start, cached) = self.started.unwrap_or((now, 0));
        self.send(GenerateEvent::Started {
            prompt_tokens: self.prompt_tokens(),
            cached_tokens: cached,
            queue: start.since(self.job.asked),
            prefill: now.since(start),
        });
        let prefix = &self.job.request.prompt.answer_prefix;
        if !prefix.is_empty() {
            let tokens = self.codec.count(prefix);
            let text = self.stream.push(prefix.as_bytes());
            self.output_tokens += tokens;
            self.unsent_tokens += tokens;
            self.send_delta(text);
        }
    }

    /// Tokens of the prompt, the answer's prefix not counted.
    fn prompt_tokens(&self) -> usize {
        self.job.rendered.tokens.len() - self.codec.count(&self.job.request.prompt.answer_prefix)
    }

    fn send_delta(&mut self, text: String) {
        if !text.is_empty() {
            let tokens = std::mem::take(&mut self.unsent_tokens);
            self.send(GenerateEvent::Delta { text, tokens });
        }
    }

    fn send(&self, event: GenerateEvent) {
        // `has_room` came first and only this side sends, so the queue is not full; a closed one is noticed before the next step.
        let _ = self.job.replies.try_send(event);
    }

    /// Sends what was held back and the last event. Returns the tokens of the answer.
    pub(super) fn finish(mut self, finish: Finish, now: MediaTime) -> usize {
        // A waiting reservation may hold the last places of the queue.
        self.drained = None;
        let rest = self.stream.finish();
        self.send_delta(rest);
        self.send(GenerateEvent::Done {
            finish,
            prompt_tokens: self.prompt_tokens(),
            cached_tokens: self.started.map_or(0, |s| s.1),
            output_tokens: self.output_tokens,
            decode: self.first_token.map_or(Duration::ZERO, |t| now.since(t)),
        });
        self.output_tokens
    }

    /// More of it is there than anybody can have read. A call of a function is worth nothing before it is whole.
    pub(super) fn is_early(&self, now: MediaTime) -> bool {
        let is_read = !self.job.request.prompt.answer_prefix.contains(CALL_OPEN);
        self.first_token.is_some_and(|first| {
            #[expect(clippy::cast_precision_loss, reason = "a number of tokens")]
            let ahead = self.output_tokens as f64 - READ_PER_S * now.since(first).as_secs_f64();
            is_read && ahead > FIRST_TOKENS
        })
    }

    /// Some of it came just now.
    pub(super) fn is_fresh(&self, now: MediaTime) -> bool {
        self.newest.is_some_and(|at| now.since(at) < FRESH)
    }

    /// Its next token can be computed in a step of `leader`: it is at its words and somebody reads them. Not where more of it is there than anybody can have
    /// read, unless it is so of the leader; and beside a first word that is waited for, not where some of it came just now.
    pub(super) fn may_ride(&mut self, leader: &Self, waker: &Waker, now: MediaTime) -> bool {
        let may_wait = self.is_early(now) && !leader.is_early(now) || leader.is_silent() && self.is_fresh(now);
        !(self.is_silent() || self.is_ahead() || may_wait || self.gone()) && self.has_room(waker)
    }

    /// Somebody waits for its first word.
    pub(super) fn owes_first_word(&self) -> bool {
        self.is_silent() && !self.is_ahead()
    }

    /// Nothing of it is there yet.
    pub(super) fn is_silent(&self) -> bool {
        self.first_token.is_none()
    }

    /// Whether the first token is only coming now, after its deadline.
    pub(super) fn first_token_is_late(&self, now: MediaTime) -> bool {
        self.first_token.is_none() && now > self.job.request.deadline
    }
}
