//! The thread's loop: gather → step → scatter.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::base::MediaTime;
use crate::budget::{CostModel, Work};
use crate::model::Rendered;

use super::EngineError;
use super::desk::{Desk, Part};
use super::fair::Usage;
use super::generate::GenerateJob;
use super::handle::{Shared, lock};
use super::hearing::{Ears, TranscribeJob};
use super::requests::EngineParts;
use super::schedule::{Hold, Kind, Scheduler, Task, Weight};
use super::senses::{EmbedJob, PerceiveJob, Senses};
use super::slots::{Change, SlotKey};

/// Speech, perception and embedding requests taken in at once; more wait in the command queue.
const MOST_JOBS: usize = 64;

/// How long the worker waits for something to come when work is held back for an answer that cannot run either.
const A_MOMENT: Duration = Duration::from_millis(20);

/// A step of speech recognition hardly takes longer.
const OF_SPEECH: Duration = Duration::from_millis(30);

/// How often one expert's look is broken off: it goes on where it was, unless the expert looked at something else meanwhile.
const MOST_BROKEN_OFF: u8 = 8;

/// How long what takes long lets pass what does not: with many who ask for little it would never be done.
const MOST_LET_PASS: Duration = Duration::from_secs(3);

/// What handles send to the worker.
pub(super) enum Command {
    Generate(SlotKey, Box<GenerateJob>, oneshot::Sender<Result<(), EngineError>>),
    Warm(SlotKey, Rendered, Kind),
    Transcribe(TranscribeJob),
    /// Speech that goes on.
    Read(SlotKey, TranscribeJob),
    /// It has ended as it was when it was last read.
    Hurry(SlotKey),
    Perceive(Box<PerceiveJob>),
    Embed(EmbedJob),
    /// Something outside the queue changed: a reply queue drained, a slot was given back, the engine stops.
    Wake,
}

/// A command in SESSION_TO_ENGINE.
pub(super) struct Sent {
    pub(super) command: Command,
    /// The rank at which the brake is pulled for it, once it is sent.
    pub(super) pulls: Option<u8>,
}

impl Command {
    /// Without pulling the brake.
    pub(super) fn quietly(self) -> Sent {
        Sent { command: self, pulls: None }
    }
}

/// Wakes the worker from any thread. When the queue is full the worker is awake.
struct Nudge(mpsc::WeakSender<Sent>);

impl Wake for Nudge {
    fn wake(self: Arc<Self>) {
        if let Some(commands) = self.0.upgrade() {
            let _ = commands.try_send(Command::Wake.quietly());
        }
    }
}

/// Wakes the worker while it waits for a moment.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
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
    note_miss(shared);
    metrics::counter!("sightline_deadline_miss_total", "stage" => stage).increment(1);
}

/// The same for a stage that is part of a turn, whose conversation tells the world.
pub(super) fn note_miss(shared: &Shared) {
    lock(&shared.stats).deadline_misses += 1;
}

/// Runs a look that something more urgent may break off, unless it was broken off too often already: then it gets done.
pub(super) fn breakable<T>(shared: &Shared, kind: Kind, times: u8, run: impl FnOnce() -> T) -> T {
    if times < MOST_BROKEN_OFF { shared.brake.armed_for(kind.before(), run) } else { run() }
}

/// Counts a step that was broken off.
pub(super) fn count_broken_off(shared: &Shared, kind: Kind) {
    lock(&shared.stats).broken_off += 1;
    metrics::counter!("sightline_work_broken_off_total", "kind" => kind.label()).increment(1);
}

/// Notes what work has cost.
pub(super) fn note_cost(shared: &Shared, work: Work, units: f64, took: Duration) {
    lock(&shared.ledger).costs.note(work, units, took);
}

/// Everything the thread owns.
pub(super) struct Worker {
    shared: Arc<Shared>,
    queue: mpsc::Receiver<Sent>,
    scheduler: Scheduler,
    desk: Option<Desk>,
    ears: Ears,
    senses: Senses,
    /// All work is held back until this much time has passed, or something comes.
    idle: Option<Duration>,
}

impl Worker {
    pub(super) fn new(
        mut parts: EngineParts,
        shared: Arc<Shared>,
        queue: mpsc::Receiver<Sent>,
        commands: mpsc::WeakSender<Sent>,
    ) -> Self {
        let waker = Waker::from(Arc::new(Nudge(commands)));
        parts.language.iter_mut().for_each(|model| model.obey(shared.brake.clone()));
        parts.experts.iter_mut().for_each(|expert| expert.obey(shared.brake.clone()));
        let desk = parts.language.map(|model| Desk::new(model, Arc::clone(&shared), waker));
        let ears = Ears::new(parts.transcriber, Arc::clone(&shared));
        let senses = Senses::new(parts.experts, parts.embedder, Arc::clone(&shared));
        Self { shared, queue, scheduler: Scheduler::default(), desk, ears, senses, idle: None }
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
        let idle = self.idle.take();
        if self.scheduler.is_empty() {
            self.shared.press.set(None);
            match self.queue.blocking_recv() {
                Some(command) => self.take(command),
                None => return false,
            }
        } else if let Some(wait) = idle
            && let Poll::Ready(came) = self.next_within(wait)
        {
            match came {
                Some(command) => self.take(command),
                None => return false,
            }
        }
        self.take_all();
        !self.shared.stopping.load(Ordering::SeqCst)
    }

    /// Takes in what waits, and does not wait.
    fn take_all(&mut self) {
        let has_room = loop {
            if self.senses.len() + self.ears.len() >= MOST_JOBS {
                break false;
            }
            match self.queue.try_recv() {
                Ok(sent) => self.take(sent),
                Err(_) => break true,
            }
        };
        // What is left in the queue would break off step after step.
        self.shared.brake.idle(!has_room);
        let now = self.shared.clock.now();
        let changes = lock(&self.shared.slots).drain_changes();
        for change in changes {
            match change {
                Change::Left(key) => {
                    lock(&self.shared.usage).leave(key.index, now);
                    if let Some(desk) = &mut self.desk {
                        desk.release(key, &mut self.scheduler, now);
                    }
                }
                Change::Taken(seat, client) => lock(&self.shared.usage).seat(seat, client, now),
            }
        }
        self.ears.forget_unwanted(&mut self.scheduler);
        if let Some(desk) = &mut self.desk {
            desk.unblock(&mut self.scheduler, now);
        }
    }

    /// The next command, for which it waits so long at most.
    fn next_within(&mut self, wait: Duration) -> Poll<Option<Sent>> {
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        let mut context = Context::from_waker(&waker);
        let came = self.queue.poll_recv(&mut context);
        if came.is_ready() {
            return came;
        }
        std::thread::park_timeout(wait);
        self.queue.poll_recv(&mut context)
    }

    fn take(&mut self, Sent { command, pulls }: Sent) {
        let now = self.shared.clock.now();
        pulls.into_iter().for_each(|rank| self.shared.brake.taken(rank));
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
            (Command::Transcribe(job), _) => self.ears.hear(job, &mut self.scheduler, now),
            (Command::Read(key, job), _) => self.ears.read(key.index, job, &mut self.scheduler, now),
            (Command::Hurry(key), _) => self.ears.hurry(key.index, &mut self.scheduler, now),
            (Command::Perceive(job), _) => self.senses.look(*job, &mut self.scheduler, now),
            (Command::Embed(job), _) => self.senses.embed(job, &mut self.scheduler, now),
            (Command::Warm(..), None) | (Command::Wake, _) => {}
        }
    }

    fn step(&mut self) {
        let start = self.shared.clock.now();
        let next = self.next(start).map(|task| (task, self.seat_of(task)));
        self.shared.press.set(next.and_then(|((kind, _), seat)| seat.filter(|seat| self.is_waited_for(kind, *seat))));
        if let Some((task, own)) = next {
            self.run_step(task, own, start);
        }
    }

    /// Whether somebody waits for what a seat's work of this kind does next: of an answer, for its first word.
    fn is_waited_for(&self, kind: Kind, seat: usize) -> bool {
        match kind {
            Kind::Answer => self.desk.as_ref().is_some_and(|desk| desk.is_silent(seat)),
            kind => kind.is_urgent(),
        }
    }

    fn run_step(&mut self, task: Task, own: Option<usize>, start: MediaTime) {
        let (kind, id) = task;
        let mut parts: Vec<Part> = own.map(|seat| (seat, 1)).into_iter().collect();
        match (kind, &mut self.desk) {
            (Kind::Speech | Kind::Partial, _) => self.ears.step(task, &mut self.scheduler, start),
            (Kind::Answer, Some(desk)) => {
                parts = desk.step_answer(id, &mut self.scheduler, start);
            }
            (Kind::Warm | Kind::Ahead, Some(desk)) => desk.step_warm(id, &mut self.scheduler, start),
            (Kind::Embed | Kind::Question | Kind::Background, _) => {
                self.senses.step(task, &mut self.scheduler, start);
            }
            _ => {}
        }
        let now = self.shared.clock.now();
        self.count_step(kind, &parts, now.since(start), now);
    }

    /// Whose work it is.
    fn seat_of(&self, (kind, id): Task) -> Option<usize> {
        match kind {
            Kind::Answer | Kind::Warm | Kind::Ahead => usize::try_from(id).ok(),
            Kind::Speech | Kind::Partial => self.ears.seat_of((kind, id)),
            _ => self.senses.seat_of((kind, id)),
        }
    }

    /// What to do next. When all there is to do is held back, the worker waits.
    fn next(&mut self, now: MediaTime) -> Option<Task> {
        let turn = lock(&self.shared.expected).iter().flatten().copied().filter(|at| *at > now).min();
        let next = self.weighing(now, |scheduler, scale| {
            let weigh = |task, seat| scale.weigh(task, seat);
            // Nobody is held back for an answer that asks for more than its part.
            let least = scheduler.least(weigh);
            let counts = |seat: usize| !weigh((Kind::Answer, seat as u64), seat).is_more(least);
            let within = |seat: usize| !weigh((Kind::Answer, seat as u64), seat).over;
            let answer = scale.desk.and_then(|d| d.first_word_due(scale.costs, counts));
            let within = scale.desk.and_then(|d| d.first_word_due(scale.costs, within));
            scheduler.next(now, Hold { answer, within, turn }, weigh)
        });
        for kind in self.scheduler.take_deferred() {
            lock(&self.shared.stats).deferred += 1;
            metrics::counter!("sightline_work_deferred_total", "kind" => kind.label()).increment(1);
        }
        if next.is_none() && !self.scheduler.is_empty() {
            self.idle = Some(turn.map_or(A_MOMENT, |at| at.since(now)));
        }
        next
    }

    fn weighing<T>(&mut self, now: MediaTime, run: impl FnOnce(&mut Scheduler, &Scale<'_>) -> T) -> T {
        let Self { scheduler, desk, ears, senses, shared, .. } = self;
        let (ledger, usage, expected) = (lock(&shared.ledger), lock(&shared.usage), lock(&shared.expected));
        let (costs, part) = (&ledger.costs, usage.part(now));
        let chunk = shared.config.prefill_chunk;
        let (usage, expected, desk) = (&*usage, &**expected, desk.as_ref());
        run(scheduler, &Scale { costs, ears, senses, desk, usage, expected, part, chunk, now })
    }

    /// Notes what a step took, and that of those who had part in it.
    fn count_step(&mut self, kind: Kind, parts: &[Part], took: Duration, now: MediaTime) {
        metrics::histogram!("sightline_engine_step_seconds", "kind" => kind.label()).record(took.as_secs_f64());
        tracing::trace!(kind = kind.label(), ?parts, ?took, "step");
        let mut stats = lock(&self.shared.stats);
        stats.steps += 1;
        stats.busy += took;
        drop(stats);
        let mut ledger = lock(&self.shared.ledger);
        ledger.all.add(took, now);
        if kind.is_urgent() {
            ledger.urgent.add(took, now);
        }
        drop(ledger);
        let all: usize = parts.iter().map(|(_, tokens)| tokens).sum();
        let mut usage = lock(&self.shared.usage);
        for (seat, tokens) in parts {
            #[expect(clippy::cast_precision_loss, reason = "a number of tokens")]
            let part = *tokens as f64 / all.max(1) as f64;
            usage.note(*seat, took.mul_f64(part), now);
        }
    }
}

/// What work is weighed by.
struct Scale<'a> {
    costs: &'a CostModel,
    ears: &'a Ears,
    senses: &'a Senses,
    desk: Option<&'a Desk>,
    usage: &'a Usage,
    /// When the turn of each seat is expected to end.
    expected: &'a [Option<MediaTime>],
    /// Seconds of the device that are one session's part.
    part: f64,
    /// Tokens of a step of a prompt.
    chunk: usize,
    now: MediaTime,
}

impl Scale<'_> {
    fn weigh(&self, (kind, id): Task, seat: usize) -> Weight {
        let step = self.step((kind, id));
        let answer = self.desk.filter(|_| kind == Kind::Answer).and_then(|d| d.standing(seat, self.costs, self.now));
        let (left, asked) = match (kind, &answer) {
            (Kind::Speech | Kind::Partial, _) => self.ears.left((kind, id), self.costs).unwrap_or_default(),
            (_, Some(answer)) => (answer.left, answer.asked),
            _ => (Duration::ZERO, MediaTime::ZERO),
        };
        let had = self.usage.of(seat, self.now) + left.max(step).as_secs_f64();
        Weight {
            takes: step,
            had,
            over: had > self.part,
            left,
            patient: self.now.since(asked) < MOST_LET_PASS,
            early: answer.as_ref().is_some_and(|a| a.early),
            fresh: answer.as_ref().is_some_and(|a| a.fresh),
            silent: answer.is_some_and(|a| a.silent),
            ends: kind == Kind::Partial && self.expected.get(seat).is_some_and(|at| at.is_some_and(|at| at > self.now)),
        }
    }

    /// What a step hardly takes longer than; nothing where nothing is known.
    fn step(&self, (kind, id): Task) -> Duration {
        #[expect(clippy::cast_precision_loss, reason = "a number of tokens")]
        let cost = match kind {
            Kind::Speech | Kind::Partial => self.ears.left((kind, id), self.costs).map(|(left, _)| left.min(OF_SPEECH)),
            Kind::Warm | Kind::Ahead | Kind::Answer => self.costs.at_most(Work::Prefill, self.chunk as f64),
            _ => self.senses.work_of((kind, id)).and_then(|(work, units)| self.costs.at_most(work, units)),
        };
        cost.unwrap_or_default()
    }
}
