//! Answers and prefilling ahead: which tokens each slot's cache holds, and one step of either.

mod answers;

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use crate::base::MediaTime;
use crate::budget::{CostModel, Work};
use crate::model::{LanguageModel, ModelError, Piece, Rendered, TextCodec};

pub(super) use answers::Part;

use super::EngineError;
use super::generate::{GenerateJob, Generation};
use super::handle::{Shared, lock};
use super::requests::Finish;
use super::schedule::{Kind, Scheduler};
use super::slots::SlotKey;
use super::worker::{count_broken_off, guarded, note_cost};

/// What the worker knows about a slot.
#[derive(Default)]
struct Seat {
    /// Whose it is; 0 before the first.
    generation: u64,
    /// Whether the model has a cache for it.
    open: bool,
    /// The tokens whose keys and values the cache holds.
    held: Vec<u32>,
    answer: Option<Generation>,
    /// What to prefill ahead, and as which kind of work.
    warm: Option<(Rendered, Kind)>,
    /// The step of it that was broken off and is to go on.
    paused: Option<Paused>,
}

/// A step that was broken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Paused {
    /// Those who had part in it have the same.
    step: u64,
    /// What it took by then.
    took: Duration,
}

/// A step that was run.
struct Ran {
    /// Of each piece, those that were wanted.
    logits: Vec<Vec<f32>>,
    /// With what it took before it was broken off.
    took: Duration,
}

/// How an answer stands.
pub(super) struct Standing {
    pub(super) asked: MediaTime,
    /// What is left up to its first word hardly takes longer.
    pub(super) left: Duration,
    /// More of it is there than anybody can have read.
    pub(super) early: bool,
    /// Some of it came just now.
    pub(super) fresh: bool,
    /// Nothing of it is there yet.
    pub(super) silent: bool,
}

/// The language model and its slots. The slot after the sessions' keeps the system message that was used last, for new sessions to copy.
pub(super) struct Desk {
    model: Box<dyn LanguageModel>,
    codec: Arc<dyn TextCodec>,
    shared: Arc<Shared>,
    waker: Waker,
    seats: Vec<Seat>,
    system: Vec<u32>,
    /// Tokens of an answer that are guessed and checked in one step, at most.
    drafts: usize,
    /// Number of the step that was broken off last.
    paused: u64,
}

/// Fewer tokens than these cost about what one does: the weights have to be read once either way.
const BATCH: usize = 8;

fn common(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).take_while(|(x, y)| x == y).count()
}

impl Desk {
    pub(super) fn new(model: Box<dyn LanguageModel>, shared: Arc<Shared>, waker: Waker) -> Self {
        let seats = (0..shared.config.slots).map(|_| Seat::default()).collect();
        let drafts = model.drafts().min(shared.config.draft_tokens);
        Self { codec: model.codec(), model, shared, waker, seats, system: Vec::new(), drafts, paused: 0 }
    }

    fn system_slot(&self) -> usize {
        self.seats.len()
    }

    /// Makes sure that the slot is the key's. False when the session has left.
    fn claim(&mut self, key: SlotKey, scheduler: &mut Scheduler, now: MediaTime) -> bool {
        if !lock(&self.shared.slots).is_current(key) {
            return false;
        }
        if self.seats[key.index].generation != key.generation {
            self.clear(key.index, scheduler, now);
            self.seats[key.index].generation = key.generation;
        }
        true
    }

    /// Ends what the slot does and frees its cache.
    fn clear(&mut self, index: usize, scheduler: &mut Scheduler, now: MediaTime) {
        scheduler.remove((Kind::Answer, index as u64));
        scheduler.remove((Kind::Ahead, index as u64));
        self.cool(index, scheduler);
        if let Some(answer) = self.seats[index].answer.take() {
            self.finish(answer, Finish::Cancelled, now);
        }
        self.forget(index);
    }

    /// Ends prefilling ahead; what the cache holds stays.
    fn cool(&mut self, index: usize, scheduler: &mut Scheduler) {
        if let Some((_, kind)) = self.seats[index].warm.take() {
            scheduler.remove((kind, index as u64));
        }
    }

    /// Frees the cache.
    fn forget(&mut self, index: usize) {
        let seat = &mut self.seats[index];
        seat.held.clear();
        seat.paused = None;
        if std::mem::take(&mut seat.open) {
            let _ = guarded(&self.shared, "language", || self.model.close(index));
        }
    }

    pub(super) fn release(&mut self, key: SlotKey, scheduler: &mut Scheduler, now: MediaTime) {
        if self.seats[key.index].generation == key.generation {
            self.clear(key.index, scheduler, now);
        }
    }

    /// Ends every answer.
    pub(super) fn stop(&mut self, now: MediaTime) {
        for index in 0..self.seats.len() {
            if let Some(answer) = self.seats[index].answer.take() {
                self.finish(answer, Finish::Failed(EngineError::Stopped.to_string()), now);
            }
        }
    }

    pub(super) fn begin(
        &mut self,
        key: SlotKey,
        job: GenerateJob,
        scheduler: &mut Scheduler,
        now: MediaTime,
    ) -> Result<(), EngineError> {
        if !self.claim(key, scheduler, now) {
            return Err(EngineError::Stopped);
        }
        if let Some(running) = self.seats[key.index].answer.take() {
            if !running.gone() {
                self.seats[key.index].answer = Some(running);
                return Err(EngineError::Busy);
            }
            self.finish(running, Finish::Cancelled, now);
        }
        self.cool(key.index, scheduler);
        let seat = &mut self.seats[key.index];
        let answer = Generation::new(job, Arc::clone(&self.codec));
        scheduler.add((answer.kind(), key.index as u64), key.index, now);
        seat.answer = Some(answer);
        Ok(())
    }

    /// `kind` is [`Kind::Warm`] or [`Kind::Ahead`].
    pub(super) fn warm(
        &mut self,
        key: SlotKey,
        (rendered, kind): (Rendered, Kind),
        scheduler: &mut Scheduler,
        now: MediaTime,
    ) {
        if self.claim(key, scheduler, now) && self.seats[key.index].answer.is_none() {
            self.cool(key.index, scheduler);
            self.seats[key.index].warm = Some((rendered, kind));
            scheduler.add((kind, key.index as u64), key.index, now);
        }
    }

    /// What is left of a prompt up to its first word hardly takes longer; nothing where nothing is known.
    fn left(&self, seat: &Seat, answer: &Generation, costs: &CostModel) -> Duration {
        let tokens = &answer.job.rendered.tokens;
        let known = common(&seat.held, tokens).max(common(&self.system, tokens));
        #[expect(clippy::cast_precision_loss, reason = "a number of tokens")]
        let left = costs.at_most(Work::Prefill, (tokens.len() - known) as f64);
        left.unwrap_or_default()
    }

    /// The latest at which the next step of an answer can begin, if the first word of it is to be in time; of the seats for which others are
    /// held back.
    pub(super) fn first_word_due(&self, costs: &CostModel, counts: impl Fn(usize) -> bool) -> Option<MediaTime> {
        let due = |(index, seat): (usize, &Seat)| {
            let answer = seat.answer.as_ref().filter(|a| a.owes_first_word() && counts(index))?;
            Some(answer.job.request.deadline.saturating_sub(self.left(seat, answer, costs)))
        };
        self.seats.iter().enumerate().filter_map(due).min()
    }

    /// Whether the seat has an answer of which nothing is there yet.
    pub(super) fn is_silent(&self, seat: usize) -> bool {
        self.seats.get(seat).and_then(|seat| seat.answer.as_ref()).is_some_and(Generation::is_silent)
    }

    /// How the seat's answer stands, if it has one.
    pub(super) fn standing(&self, seat: usize, costs: &CostModel, now: MediaTime) -> Option<Standing> {
        let seat = self.seats.get(seat)?;
        let answer = seat.answer.as_ref()?;
        let left = if answer.is_silent() { self.left(seat, answer, costs) } else { Duration::ZERO };
        let (early, fresh, silent) = (answer.is_early(now), answer.is_fresh(now), answer.is_silent());
        Some(Standing { asked: answer.job.asked, left, early, fresh, silent })
    }

    /// Lets answers whose queue has drained, whose caller has gone, or that are waited for by now, run again.
    pub(super) fn unblock(&mut self, scheduler: &mut Scheduler, now: MediaTime) {
        for (index, seat) in self.seats.iter_mut().enumerate() {
            let runs = |a: &mut Generation| a.gone() || (!a.is_ahead() && a.has_room(&self.waker));
            if seat.answer.as_mut().is_some_and(runs) {
                scheduler.remove((Kind::Ahead, index as u64));
                scheduler.add((Kind::Answer, index as u64), index, now);
            }
        }
    }

    /// Makes the cache hold as much of `tokens` as can be had without computing, at most `most` tokens, and nothing else.
    fn reuse(&mut self, index: usize, tokens: &[u32], most: usize) -> Result<usize, EngineFault> {
        let own = common(&self.seats[index].held, tokens).min(most);
        let system = common(&self.system, tokens).min(most);
        let (spare, capacity) = (self.system_slot(), self.shared.config.context_tokens);
        let open = self.seats[index].open;
        let model = &mut self.model;
        let kept = guarded(&self.shared, "language", || -> Result<usize, ModelError> {
            if !open {
                model.open(index, capacity)?;
            }
            if system > own {
                model.fork(spare, index, system)?;
                return Ok(system);
            }
            model.truncate(index, own);
            Ok(own)
        });
        let kept = kept??;
        let seat = &mut self.seats[index];
        seat.open = true;
        seat.held.clear();
        seat.held.extend_from_slice(&tokens[..kept]);
        Ok(kept)
    }

    /// Runs tokens, each piece on a slot of its own, and notes that the caches hold them. What is of one of `ranks` breaks it off: it goes on when it is run anew.
    fn run(&mut self, pieces: &[Piece<'_>], ranks: u16) -> Result<Ran, EngineFault> {
        let (model, shared, start) = (&mut self.model, &self.shared, self.shared.clock.now());
        let ran = shared.brake.armed_for(ranks, || guarded(shared, "language", || model.forward_all(pieces)));
        let before = pieces.iter().filter_map(|piece| self.seats[piece.slot].paused).map(|p| p.took).max();
        let took = before.unwrap_or_default() + self.shared.clock.now().since(start);
        let ran = ran?.map_err(EngineFault::from);
        let broken_off = matches!(ran, Err(EngineFault::BrokenOff));
        self.paused += u64::from(broken_off);
        let paused = broken_off.then_some(Paused { step: self.paused, took });
        pieces.iter().for_each(|piece| self.seats[piece.slot].paused = paused);
        let logits = ran?;
        for piece in pieces {
            self.seats[piece.slot].held.extend_from_slice(piece.tokens);
        }
        Ok(Ran { logits, took })
    }

    /// Notes what a step of so many tokens took, which brought each answer in it `each` tokens further.
    fn note_step(&self, tokens: usize, each: f64, took: Duration) {
        #[expect(clippy::cast_precision_loss, reason = "a number of tokens")]
        let (work, units) = if tokens < BATCH { (Work::Decode, each) } else { (Work::Prefill, tokens as f64) };
        note_cost(&self.shared, work, units, took);
    }

    /// Keeps the system message of a prompt that is in a slot's cache, for other sessions.
    fn keep_system(&mut self, index: usize, rendered: &Rendered) -> Result<(), EngineFault> {
        let tokens = &rendered.tokens[..rendered.system];
        if tokens.is_empty() || self.system == tokens {
            return Ok(());
        }
        self.system.clear();
        let (spare, model) = (self.system_slot(), &mut self.model);
        guarded(&self.shared, "language", || -> Result<(), ModelError> {
            model.open(spare, tokens.len())?;
            model.fork(index, spare, tokens.len())
        })??;
        self.system.extend_from_slice(tokens);
        Ok(())
    }

    fn finish(&self, answer: Generation, finish: Finish, now: MediaTime) {
        if let Finish::Failed(reason) = &finish {
            tracing::error!(reason, "answer failed");
        }
        let tokens = answer.finish(finish, now);
        lock(&self.shared.stats).output_tokens += tokens as u64;
    }

    pub(super) fn step_warm(&mut self, id: u64, scheduler: &mut Scheduler, now: MediaTime) {
        let Some(index) = usize::try_from(id).ok().filter(|i| *i < self.seats.len()) else { return };
        if self.seats[index].answer.is_some() {
            self.step_answer(id, scheduler, now);
            return;
        }
        let Some((rendered, kind)) = self.seats[index].warm.take() else { return };
        let ranks = self.ranks(kind, index, now);
        match self.advance_warm(index, &rendered, ranks) {
            Ok(true) => {}
            Ok(false) => {
                self.seats[index].warm = Some((rendered, kind));
                scheduler.add((kind, id), index, now);
            }
            Err(EngineFault::BrokenOff) => {
                count_broken_off(&self.shared, kind);
                self.seats[index].warm = Some((rendered, kind));
                scheduler.resume((kind, id), index, now);
            }
            Err(EngineFault::Failed(reason)) => {
                tracing::error!(reason, "prefilling ahead failed");
                self.forget(index);
            }
        }
    }

    /// What breaks off a step of this kind that is led by this seat. Who asks for much does not keep others from being ready.
    fn ranks(&self, kind: Kind, seat: usize, now: MediaTime) -> u16 {
        match kind {
            // Others that keep to their part break it off, too: a first word may be shorter than this one, or this one is not the first.
            Kind::Answer => Kind::Embed.before_within(),
            _ if lock(&self.shared.usage).is_over(seat, now) => kind.before(),
            _ => kind.before_within(),
        }
    }

    /// One chunk; true when all is in the cache.
    fn advance_warm(&mut self, index: usize, rendered: &Rendered, ranks: u16) -> Result<bool, EngineFault> {
        let tokens = &rendered.tokens;
        if self.seats[index].held.starts_with(tokens) {
            return Ok(true);
        }
        let held = self.reuse(index, tokens, tokens.len())?;
        let chunk = self.shared.config.prefill_chunk.min(tokens.len() - held);
        if chunk > 0 {
            let piece = Piece { slot: index, tokens: &tokens[held..held + chunk], logits: 0 };
            let ran = self.run(&[piece], ranks)?;
            self.note_step(chunk, 1.0, ran.took);
            lock(&self.shared.stats).prefilled_tokens += chunk as u64;
        }
        let done = held + chunk == tokens.len();
        if done {
            self.keep_system(index, rendered)?;
        }
        Ok(done)
    }
}

/// Why a step of the language model was not done.
#[derive(Debug, thiserror::Error)]
enum EngineFault {
    #[error("it was broken off")]
    BrokenOff,
    #[error("{0}")]
    Failed(String),
}

impl From<ModelError> for EngineFault {
    fn from(e: ModelError) -> Self {
        if matches!(e, ModelError::BrokenOff) { Self::BrokenOff } else { Self::Failed(e.to_string()) }
    }
}

impl From<EngineError> for EngineFault {
    fn from(e: EngineError) -> Self {
        Self::Failed(e.to_string())
    }
}
