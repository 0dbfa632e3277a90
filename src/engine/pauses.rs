//! Recognising an utterance, which is the one step that takes long: a model of speech pauses between its layers and its tokens, and in there
//! runs what must not wait for the end of half a minute of somebody else's talk.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::base::MediaTime;
use crate::budget::Work;

use super::requests::TranscribeDone;
use super::schedule::{Kind, MOST_YIELDED, Running, Task};
use super::senses::seconds;
use super::worker::{Worker, guarded, note_cost, note_miss};

/// Utterances one within the other: each is shorter, or had less of the device, than the one around it, so more are not to be expected.
const DEEPEST: usize = 3;

/// An utterance that is being recognised.
pub(super) struct Paused {
    seat: usize,
    running: Running,
    /// What its pauses took.
    others: Duration,
}

/// What is being read in this seat has turned out to be the whole utterance; nothing happens when nothing is.
pub(super) fn hurry(paused: &mut [Paused], seat: usize) {
    for paused in paused.iter_mut().filter(|p| p.seat == seat) {
        paused.running.kind = Kind::Speech;
    }
}

impl Worker {
    /// Recognises an utterance. One that nobody waits for any more is given up.
    pub(super) fn step_hearing(&mut self, task: Task, start: MediaTime) {
        let Some(weight) = self.weight_of(task, start) else { return };
        let Some((job, model)) = self.senses.begin_hearing(task) else { return };
        let depth = self.paused.len();
        self.paused.push(Paused { seat: job.seat, running: Running { kind: task.0, weight }, others: Duration::ZERO });
        let shared = Arc::clone(&self.shared);
        let worker = RefCell::new(self);
        let pause = || {
            worker.borrow_mut().pause();
            job.reply.is_closed() || shared.stopping.load(Ordering::SeqCst)
        };
        let heard = guarded(&shared, "speech", || model.transcribe_unless(&job.samples, &pause));
        let worker = worker.into_inner();
        let end = shared.clock.now();
        worker.paused.truncate(depth + 1);
        let Some(paused) = worker.paused.pop() else { return };
        let took = end.since(start).saturating_sub(paused.others);
        worker.count_step(paused.running.kind, Some(job.seat), took, end);
        let done = match heard {
            // Given up.
            Ok(Ok(None)) => return,
            Ok(Ok(Some(transcript))) => {
                note_cost(&shared, Work::Speech, seconds(&job.samples), took);
                Ok(TranscribeDone { transcript, queue: start.since(job.asked), took: end.since(start) })
            }
            Ok(Err(e)) => Err(e.into()),
            Err(e) => Err(e),
        };
        if paused.running.kind == Kind::Speech && end > job.deadline {
            note_miss(&shared);
        }
        let _ = job.reply.send(done);
    }

    /// Runs what goes ahead of the utterance under way, for as long as work may be made to yield.
    fn pause(&mut self) {
        self.take_all();
        if self.paused.len() > DEEPEST {
            return;
        }
        let begun = self.shared.clock.now();
        while let Some(running) = self.paused.last().map(|p| p.running) {
            let start = self.shared.clock.now();
            if start.since(begun) >= MOST_YIELDED {
                break;
            }
            let Some(task) = self.next_in_pause(running, start) else { break };
            self.run_step(task, start);
        }
        let took = self.shared.clock.now().since(begun);
        if let Some(paused) = self.paused.last_mut() {
            paused.others += took;
        }
    }
}
