//! The thread's loop: gather → step → scatter.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Wake, Waker};

use tokio::sync::{mpsc, oneshot};

use crate::base::MediaTime;
use crate::model::Rendered;

use super::EngineError;
use super::desk::Desk;
use super::generate::GenerateJob;
use super::handle::{Shared, lock};
use super::requests::EngineParts;
use super::schedule::{Kind, Scheduler};
use super::senses::{EmbedJob, PerceiveJob, Senses, TranscribeJob, Whole};
use super::slots::SlotKey;

/// Speech, perception and embedding requests taken in at once; more wait in the command queue.
const MOST_JOBS: usize = 64;

/// What handles send to the worker.
pub(super) enum Command {
    Generate(SlotKey, Box<GenerateJob>, oneshot::Sender<Result<(), EngineError>>),
    Warm(SlotKey, Rendered, Kind),
    Transcribe(TranscribeJob),
    /// Speech that goes on.
    Read(SlotKey, TranscribeJob),
    /// It has ended as it was when it was last read.
    Hurry(SlotKey, Whole),
    Perceive(Box<PerceiveJob>),
    Embed(EmbedJob),
    /// Something outside the queue changed: a reply queue drained, a slot was given back, the engine stops.
    Wake,
}

/// Wakes the worker from any thread. When the queue is full the worker is awake.
struct Nudge(mpsc::WeakSender<Command>);

impl Wake for Nudge {
    fn wake(self: Arc<Self>) {
        if let Some(commands) = self.0.upgrade() {
            let _ = commands.try_send(Command::Wake);
        }
    }
}

/// Runs a model's code; a panic becomes an error, so that one bad request does not end them all.
pub(super) fn guarded<T>(shared: &Shared, model: &'static str, run: impl FnOnce() -> T) -> Result<T, EngineError> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|_| {
        lock(&shared.stats).panics += 1;
        metrics::counter!("sightline_engine_panics_total", "model" => model).increment(1);
        tracing::error!(model, "this is a bug: a model panicked; its request fails, others go on");
        EngineError::Panicked(model)
    })
}

/// Counts a deadline that was missed.
pub(super) fn count_miss(shared: &Shared, stage: &'static str) {
    lock(&shared.stats).deadline_misses += 1;
    metrics::counter!("sightline_deadline_miss_total", "stage" => stage).increment(1);
}

/// Everything the thread owns.
pub(super) struct Worker {
    shared: Arc<Shared>,
    queue: mpsc::Receiver<Command>,
    scheduler: Scheduler,
    desk: Option<Desk>,
    senses: Senses,
}

impl Worker {
    pub(super) fn new(
        parts: EngineParts,
        shared: Arc<Shared>,
        queue: mpsc::Receiver<Command>,
        commands: mpsc::WeakSender<Command>,
    ) -> Self {
        let waker = Waker::from(Arc::new(Nudge(commands)));
        let desk = parts.language.map(|model| Desk::new(model, Arc::clone(&shared), waker));
        let senses = Senses::new(parts.transcriber, parts.experts, parts.embedder, Arc::clone(&shared));
        Self { shared, queue, scheduler: Scheduler::default(), desk, senses }
    }

    /// Runs until the engine stops.
    pub(super) fn run(mut self) {
        while self.gather() {
            self.step();
        }
        if let Some(desk) = &mut self.desk {
            desk.stop(self.shared.clock.now());
        }
    }

    /// Takes in what waits; blocks when there is nothing to do. False when it is time to stop.
    fn gather(&mut self) -> bool {
        if self.scheduler.is_empty() {
            match self.queue.blocking_recv() {
                Some(command) => self.take(command),
                None => return false,
            }
        }
        while self.senses.len() < MOST_JOBS {
            match self.queue.try_recv() {
                Ok(command) => self.take(command),
                Err(_) => break,
            }
        }
        let now = self.shared.clock.now();
        if let Some(desk) = &mut self.desk {
            let released = lock(&self.shared.slots).drain_released();
            for key in released {
                desk.release(key, &mut self.scheduler, now);
            }
            desk.unblock(&mut self.scheduler, now);
        }
        !self.shared.stopping.load(Ordering::SeqCst)
    }

    fn take(&mut self, command: Command) {
        let now = self.shared.clock.now();
        match (command, &mut self.desk) {
            (Command::Generate(key, job, accepted), Some(desk)) => {
                let answer = desk.begin(key, *job, &mut self.scheduler, now);
                // A caller that went away also dropped the receiver of events, which ends the answer.
                let _ = accepted.send(answer);
            }
            (Command::Generate(_, _, accepted), None) => {
                let _ = accepted.send(Err(EngineError::NoLanguage));
            }
            (Command::Warm(key, rendered, kind), Some(desk)) => {
                desk.warm(key, (rendered, kind), &mut self.scheduler, now);
            }
            (Command::Transcribe(job), _) => self.senses.hear(job, &mut self.scheduler, now),
            (Command::Read(key, job), _) => self.senses.read(key.index, job, &mut self.scheduler, now),
            (Command::Hurry(key, whole), _) => self.senses.hurry(key.index, whole, &mut self.scheduler, now),
            (Command::Perceive(job), _) => self.senses.look(*job, &mut self.scheduler, now),
            (Command::Embed(job), _) => self.senses.embed(job, &mut self.scheduler, now),
            (Command::Warm(..), None) | (Command::Wake, _) => {}
        }
    }

    fn step(&mut self) {
        let start = self.shared.clock.now();
        let Some((kind, id)) = self.scheduler.next(start) else { return };
        match (kind, &mut self.desk) {
            (Kind::Answer, Some(desk)) => desk.step_answer(id, &mut self.scheduler, start),
            (Kind::Warm | Kind::Ahead, Some(desk)) => desk.step_warm(id, &mut self.scheduler, start),
            (Kind::Speech, _) => self.senses.step_speech(id, start),
            (Kind::Partial, _) => self.senses.step_partial(id, &mut self.scheduler, start),
            (Kind::Embed | Kind::Question | Kind::Background, _) => {
                self.senses.step((kind, id), &mut self.scheduler, start);
            }
            (Kind::Answer | Kind::Warm | Kind::Ahead, None) => {}
        }
        self.count_step(kind, start);
    }

    fn count_step(&self, kind: Kind, start: MediaTime) {
        let took = self.shared.clock.now().since(start);
        metrics::histogram!("sightline_engine_step_seconds", "kind" => kind.label()).record(took.as_secs_f64());
        let mut stats = lock(&self.shared.stats);
        stats.steps += 1;
        stats.busy += took;
    }
}
