//! A step of an answer: a piece of its prompt, or its next token and those that may follow, and the next tokens of other answers beside it.
//!
//! The weights are read once for all of them: a token beside others costs a fraction of one alone. Whose turn it is the scheduler says; who rides along is whoever
//! could use a token now ([`Generation::may_ride`]). Source of the idea: Yu et al., "Orca" (OSDI 2022), iteration-level batching; differs in that a step is
//! led by one answer, and that what waits for its first word takes along only those who would fall silent else.

use super::{BATCH, Desk, EngineFault, Ran};
use crate::base::MediaTime;
use crate::engine::generate::{Generation, Next, Taken};
use crate::engine::handle::lock;
use crate::engine::requests::Finish;
use crate::engine::schedule::{Kind, Scheduler};
use crate::engine::worker::{count_broken_off, guarded, note_miss};
use crate::model::Piece;

/// Answers that ride along, at most.
const MOST_RIDERS: usize = 7;

/// A seat, and the tokens that it had of a step.
pub(in crate::engine) type Part = (usize, usize);

/// An answer in a step.
struct Aboard {
    index: usize,
    answer: Generation,
    /// Tokens that the cache held before.
    held: usize,
}

/// Tokens that are only guessed, of each of those in a step: none where a first word is waited for, else so many that the step takes little longer.
fn drafts(aboard: &[Aboard]) -> usize {
    let waited_for = aboard.first().is_none_or(|leader| leader.answer.is_silent());
    if waited_for { 0 } else { (BATCH - 1).saturating_sub(aboard.len()) / aboard.len() }
}

impl Desk {
    /// One step of the answer of seat `id`. Who had part in it.
    pub(in crate::engine) fn step_answer(&mut self, id: u64, scheduler: &mut Scheduler, now: MediaTime) -> Vec<Part> {
        let Some(index) = usize::try_from(id).ok().filter(|i| *i < self.seats.len()) else { return Vec::new() };
        let Some(mut answer) = self.seats[index].answer.take() else { return Vec::new() };
        if answer.gone() {
            self.finish(answer, Finish::Cancelled, now);
            return Vec::new();
        }
        if answer.started.is_none()
            && let Err(fault) = self.begin_prompt(index, &mut answer, now)
        {
            self.give_up(index, answer, &fault, scheduler);
            return Vec::new();
        }
        let riders = self.riders(index, &answer, now);
        let mut aboard = vec![Aboard { index, answer, held: self.seats[index].held.len() }];
        aboard.extend(riders);
        let mut outcome = self.advance(&aboard, now);
        if matches!(outcome, Err(EngineFault::Failed(_))) && aboard.len() > 1 {
            // Whosever fault it is: the others have lost nothing, and he who led the step tries alone.
            aboard.iter().for_each(|a| self.rewind(a));
            for rider in aboard.drain(1..) {
                self.seats[rider.index].answer = Some(rider.answer);
            }
            outcome = self.advance(&aboard, now);
        }
        self.land(aboard, outcome, scheduler)
    }

    /// The last token must be run even when the cache holds it: its logits are the first token's.
    fn begin_prompt(&mut self, index: usize, answer: &mut Generation, now: MediaTime) -> Result<(), EngineFault> {
        let tokens = &answer.job.rendered.tokens;
        let cached = self.reuse(index, tokens, tokens.len().saturating_sub(1))?;
        answer.started = Some((now, cached));
        lock(&self.shared.stats).cached_tokens += cached as u64;
        Ok(())
    }

    /// Those that take part in a step of this answer, taken from their seats. One that was broken off goes on with those who had part in it.
    fn riders(&mut self, leads: usize, leader: &Generation, now: MediaTime) -> Vec<Aboard> {
        if leader.is_ahead() {
            return Vec::new();
        }
        let (waker, step) = (&self.waker, self.seats[leads].paused.map(|paused| paused.step));
        let seats = self.seats.iter_mut().enumerate();
        let ready =
            seats.filter(|(_, seat)| seat.paused.map(|paused| paused.step) == step).filter_map(|(index, seat)| {
                let answer = seat.answer.take_if(|a| a.may_ride(leader, waker, now))?;
                Some(Aboard { index, answer, held: seat.held.len() })
            });
        ready.take(MOST_RIDERS).collect()
    }

    /// Runs what comes next of each. Logits for each, where there are any. It is broken off for speech and answers that come meanwhile, of those who keep to their
    /// part, and goes on when its turn comes again.
    fn advance(&mut self, aboard: &[Aboard], now: MediaTime) -> Result<Ran, EngineFault> {
        let (chunk, drafts) = (self.shared.config.prefill_chunk, drafts(aboard));
        let next = aboard.iter().map(|a| a.answer.next(self.seats[a.index].held.len(), chunk, drafts));
        let next: Vec<Next<'_>> = next.collect();
        let pieces = aboard.iter().zip(&next);
        let pieces = pieces.map(|(a, n)| Piece { slot: a.index, tokens: n.tokens, logits: n.logits });
        let pieces: Vec<Piece<'_>> = pieces.collect();
        let (Some(leader), Some(first)) = (aboard.first(), next.first()) else {
            return Err(EngineFault::Failed("a step of nobody: this is a bug".to_owned()));
        };
        let silent = leader.answer.is_silent();
        let ran = self.run(&pieces, self.ranks(leader.answer.kind(), leader.index, now))?;
        let riders = (pieces.len() - 1) as u64;
        if riders > 0 {
            metrics::counter!("sightline_tokens_shared_total").increment(riders);
        }
        let mut stats = lock(&self.shared.stats);
        stats.shared_tokens += riders;
        if silent {
            stats.prefilled_tokens += first.tokens.len() as u64;
        }
        Ok(ran)
    }

    /// What becomes of each after a step.
    fn land(&mut self, aboard: Vec<Aboard>, outcome: Result<Ran, EngineFault>, scheduler: &mut Scheduler) -> Vec<Part> {
        let Ran { logits, took } = match outcome {
            Ok(ran) => ran,
            Err(EngineFault::BrokenOff) => {
                count_broken_off(&self.shared, Kind::Answer);
                return self.pause(aboard, scheduler);
            }
            Err(fault) => {
                aboard.into_iter().for_each(|a| self.give_up(a.index, a.answer, &fault, scheduler));
                return Vec::new();
            }
        };
        let (mut parts, mut came) = (Vec::new(), 0);
        for (a, logits) in aboard.into_iter().zip(logits) {
            parts.push((a.index, self.seats[a.index].held.len().saturating_sub(a.held)));
            came += self.settle(a, logits, scheduler);
        }
        #[expect(clippy::cast_precision_loss, reason = "a number of tokens")]
        let each = came as f64 / parts.len().max(1) as f64;
        self.note_step(parts.iter().map(|(_, tokens)| tokens).sum(), each, took);
        parts
    }

    /// Has a step that was broken off go on when its turn comes again, before others of its kind.
    fn pause(&mut self, aboard: Vec<Aboard>, scheduler: &mut Scheduler) -> Vec<Part> {
        let (now, chunk, drafts) = (self.shared.clock.now(), self.shared.config.prefill_chunk, drafts(&aboard));
        let part = |a: &Aboard| (a.index, a.answer.next(a.held, chunk, drafts).tokens.len());
        let parts = aboard.iter().map(part).collect();
        for (i, Aboard { index, answer, .. }) in aboard.into_iter().enumerate() {
            let task = (answer.kind(), index as u64);
            // Whoever rides along keeps his place in the queue.
            if i == 0 {
                scheduler.resume(task, index, now)
            } else {
                scheduler.add(task, index, now)
            }
            self.seats[index].answer = Some(answer);
        }
        parts
    }

    /// Takes what came of a step, and ends the answer or has it wait for its next. How many tokens further it is, or one for a piece of its prompt.
    fn settle(&mut self, a: Aboard, mut logits: Vec<f32>, scheduler: &mut Scheduler) -> usize {
        let Aboard { index, mut answer, held } = a;
        let (now, task) = (self.shared.clock.now(), (answer.kind(), index as u64));
        let came = match self.read((index, held), &mut answer, &mut logits, now) {
            Ok(Taken { stand, finish: None }) => stand,
            Ok(Taken { stand, finish: Some(finish) }) => {
                scheduler.remove(task);
                self.finish(answer, finish, now);
                return stand;
            }
            Err(fault) => {
                self.give_up(index, answer, &fault, scheduler);
                return 1;
            }
        };
        if answer.is_enough() || !answer.has_room(&self.waker) {
            scheduler.remove(task);
        } else if answer.owes_first_word() {
            // Up to its first word it goes on; from then on it takes turns.
            scheduler.resume(task, index, now);
        } else {
            scheduler.add(task, index, now);
        }
        self.seats[index].answer = Some(answer);
        came
    }

    /// Takes the logits of a step, before which the cache of `index` held `before` tokens, and guesses what follows.
    fn read(
        &mut self,
        (index, before): (usize, usize),
        answer: &mut Generation,
        logits: &mut [f32],
        now: MediaTime,
    ) -> Result<Taken, EngineFault> {
        if logits.is_empty() {
            return Ok(Taken { stand: 1, finish: None });
        }
        let (held, context) = (self.seats[index].held.len(), self.shared.config.context_tokens);
        // After the end of a prompt, or after each token.
        let rows = if answer.is_silent() {
            self.keep_system(index, &answer.job.rendered)?;
            1
        } else {
            held - before
        };
        if answer.first_token_is_late(now) {
            note_miss(&self.shared);
        }
        let first = held + 1 - rows;
        let taken = answer.take(logits, (rows, context.saturating_sub(first)), now);
        let held = first + taken.stand - 1;
        self.keep(index, held, (rows - 1, taken.stand - 1));
        if taken.finish.is_none() {
            answer.guess(&self.seats[index].held, self.drafts.min(context.saturating_sub(held + 1)));
        }
        Ok(taken)
    }

    /// Has the cache forget what was guessed and did not come. Of so many that were guessed so many came.
    fn keep(&mut self, index: usize, tokens: usize, (guessed, came): (usize, usize)) {
        if guessed == 0 {
            return;
        }
        let mut stats = lock(&self.shared.stats);
        stats.drafted_tokens += guessed as u64;
        stats.accepted_tokens += came as u64;
        drop(stats);
        for (outcome, count) in [("accepted", came), ("rejected", guessed - came)] {
            metrics::counter!("sightline_draft_tokens_total", "outcome" => outcome).increment(count as u64);
        }
        if came < guessed {
            let _ = guarded(&self.shared, "language", || self.model.truncate(index, tokens));
            self.seats[index].held.truncate(tokens);
        }
    }

    /// Has the cache hold what it held before the step.
    fn rewind(&mut self, a: &Aboard) {
        let _ = guarded(&self.shared, "language", || self.model.truncate(a.index, a.held));
    }

    /// Ends an answer that cannot go on.
    fn give_up(&mut self, index: usize, answer: Generation, fault: &EngineFault, scheduler: &mut Scheduler) {
        // Nobody knows what the cache holds now.
        self.forget(index);
        scheduler.remove((answer.kind(), index as u64));
        self.finish(answer, Finish::Failed(fault.to_string()), self.shared.clock.now());
    }
}
