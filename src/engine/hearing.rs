//! The recogniser, and what it has yet to hear: an utterance is done in many short steps, between which anything else may run.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::base::{MediaTime, Pcm};
use crate::budget::{CostModel, Work};
use crate::listen::{Recognition, Transcribe, TranscribeError, Transcript};

use super::EngineError;
use super::handle::Shared;
use super::requests::TranscribeDone;
use super::schedule::{Kind, Scheduler, Task};
use super::worker::{guarded, note_cost, note_miss};

/// An utterance to be recognised.
pub(super) struct TranscribeJob {
    pub samples: Arc<[f32]>,
    pub deadline: MediaTime,
    pub asked: MediaTime,
    pub reply: oneshot::Sender<Result<TranscribeDone, EngineError>>,
    /// The seat of its session.
    pub seat: usize,
}

/// The same, and how far it is.
struct Utterance {
    job: TranscribeJob,
    begun: Option<Begun>,
}

struct Begun {
    recognition: Box<dyn Recognition>,
    at: MediaTime,
    /// What its steps took.
    took: Duration,
}

/// Shorter speech costs hardly less: most of it is the model's own.
const LEAST_SPEECH_S: f64 = 1.0;

/// Seconds of sound, as they are paid for.
fn seconds(samples: &[f32]) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "at most 30 s of samples")]
    let seconds = samples.len() as f64 / f64::from(Pcm::RATE_HZ);
    seconds.max(LEAST_SPEECH_S)
}

/// What there is to be heard.
pub(super) struct Ears {
    transcriber: Option<Box<dyn Transcribe>>,
    shared: Arc<Shared>,
    finished: HashMap<u64, Utterance>,
    /// What is still being said, by the slot of its session.
    so_far: HashMap<u64, Utterance>,
    last_id: u64,
}

impl Ears {
    pub(super) fn new(transcriber: Option<Box<dyn Transcribe>>, shared: Arc<Shared>) -> Self {
        Self { transcriber, shared, finished: HashMap::new(), so_far: HashMap::new(), last_id: 0 }
    }

    /// Utterances taken in and not done. Readings of unfinished speech are not counted: there is one at most for each slot.
    pub(super) fn len(&self) -> usize {
        self.finished.len()
    }

    pub(super) fn hear(&mut self, job: TranscribeJob, scheduler: &mut Scheduler, now: MediaTime) {
        self.finish(Utterance { job, begun: None }, scheduler, now);
    }

    fn finish(&mut self, utterance: Utterance, scheduler: &mut Scheduler, now: MediaTime) {
        self.last_id += 1;
        let (task, seat) = ((Kind::Speech, self.last_id), utterance.job.seat);
        match utterance.begun {
            Some(_) => scheduler.resume(task, seat, now),
            None => scheduler.add(task, seat, now),
        }
        self.finished.insert(self.last_id, utterance);
    }

    /// A reading of what is still being said takes the place of the one before it.
    pub(super) fn read(&mut self, slot: usize, job: TranscribeJob, scheduler: &mut Scheduler, now: MediaTime) {
        self.so_far.insert(slot as u64, Utterance { job, begun: None });
        scheduler.add((Kind::Partial, slot as u64), slot, now);
    }

    /// What is being read, or waits to be, has turned out to be the whole utterance: it goes ahead like any other.
    pub(super) fn hurry(&mut self, slot: usize, scheduler: &mut Scheduler, now: MediaTime) {
        if let Some(utterance) = self.so_far.remove(&(slot as u64)) {
            scheduler.remove((Kind::Partial, slot as u64));
            self.finish(utterance, scheduler, now);
        }
    }

    /// Gives up what nobody waits for any more, so that nobody is compared with it either.
    pub(super) fn forget_unwanted(&mut self, scheduler: &mut Scheduler) {
        for (kind, utterances) in [(Kind::Speech, &mut self.finished), (Kind::Partial, &mut self.so_far)] {
            utterances.retain(|id, utterance| {
                let wanted = !utterance.job.reply.is_closed();
                if !wanted {
                    scheduler.remove((kind, *id));
                }
                wanted
            });
        }
    }

    fn of(&self, (kind, id): Task) -> Option<&Utterance> {
        if kind == Kind::Speech { self.finished.get(&id) } else { self.so_far.get(&id) }
    }

    fn all(&mut self, kind: Kind) -> &mut HashMap<u64, Utterance> {
        if kind == Kind::Speech { &mut self.finished } else { &mut self.so_far }
    }

    /// The seat of the session whose utterance it is.
    pub(super) fn seat_of(&self, task: Task) -> Option<usize> {
        Some(self.of(task)?.job.seat)
    }

    /// What is left of an utterance hardly takes longer, and since when it waits; no time where none is known.
    pub(super) fn left(&self, task: Task, costs: &CostModel) -> Option<(Duration, MediaTime)> {
        let utterance = self.of(task)?;
        let all = costs.at_most(Work::Speech, seconds(&utterance.job.samples)).unwrap_or_default();
        let took = utterance.begun.as_ref().map_or(Duration::ZERO, |b| b.took);
        // One that takes longer than expected is not nearly done for that.
        Some((all.saturating_sub(took).max(all / 8), utterance.job.asked))
    }

    /// One step of an utterance. One that nobody waits for any more is given up.
    pub(super) fn step(&mut self, task: Task, scheduler: &mut Scheduler, now: MediaTime) {
        let Some(mut utterance) = self.all(task.0).remove(&task.1).filter(|u| !u.job.reply.is_closed()) else { return };
        let Some(model) = &self.transcriber else { return };
        let heard = guarded(&self.shared, "speech", || advance(&mut utterance, &**model, now));
        let end = self.shared.clock.now();
        if let Some(begun) = &mut utterance.begun {
            begun.took += end.since(now);
        }
        let done = match heard {
            Ok(Ok(None)) => {
                scheduler.resume(task, utterance.job.seat, end);
                self.all(task.0).insert(task.1, utterance);
                return;
            }
            Ok(Ok(Some(transcript))) => Ok(self.done(transcript, &utterance, end)),
            Ok(Err(e)) => Err(e.into()),
            Err(e) => Err(e),
        };
        if task.0 == Kind::Speech && end > utterance.job.deadline {
            note_miss(&self.shared);
        }
        let _ = utterance.job.reply.send(done);
    }

    fn done(&self, transcript: Transcript, utterance: &Utterance, end: MediaTime) -> TranscribeDone {
        let (job, begun) = (&utterance.job, utterance.begun.as_ref());
        let (at, took) = begun.map_or((end, Duration::ZERO), |b| (b.at, b.took));
        note_cost(&self.shared, Work::Speech, seconds(&job.samples), took);
        TranscribeDone { transcript, queue: at.since(job.asked), took: end.since(at) }
    }
}

fn advance(
    utterance: &mut Utterance,
    model: &dyn Transcribe,
    now: MediaTime,
) -> Result<Option<Transcript>, TranscribeError> {
    let begun = match &mut utterance.begun {
        Some(begun) => begun,
        None => {
            let recognition = model.begin(&utterance.job.samples)?;
            utterance.begun.insert(Begun { recognition, at: now, took: Duration::ZERO })
        }
    };
    begun.recognition.step()
}
