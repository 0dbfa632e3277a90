//! Perception and embedding: jobs, and one step of each.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::base::{MediaTime, RgbFrame};
use crate::budget::Work;
use crate::watch::{EmbedText, Look, Perceive, PerceiveError, Sighting};

use super::EngineError;
use super::handle::{Shared, lock};
use super::requests::{Glimpse, PerceiveRequest, Perceived};
use super::schedule::{Kind, Scheduler, Task};
use super::worker::{breakable, count_broken_off, count_miss, guarded, note_cost};

/// A text to be embedded.
pub(super) struct EmbedJob {
    pub text: String,
    pub deadline: MediaTime,
    pub urgent: bool,
    pub reply: oneshot::Sender<Result<Vec<f32>, EngineError>>,
    /// The seat of its session.
    pub seat: usize,
}

/// A frame to be looked at.
pub(super) struct PerceiveJob {
    frame: RgbFrame,
    /// Indices of experts that have yet to look.
    wanted: VecDeque<usize>,
    deadline: MediaTime,
    urgent: bool,
    asked: MediaTime,
    started: Option<MediaTime>,
    /// The part of the frame to look at; nothing for all of it.
    part: Option<Glimpse>,
    perceived: Perceived,
    reply: oneshot::Sender<Perceived>,
    seat: usize,
    /// The expert whose turn it is found that the part does not do.
    whole: bool,
    /// How often the look of that expert was broken off, and how long it took before.
    broken_off: u8,
    spent: Duration,
}

impl PerceiveJob {
    /// `seat` is that of its session.
    pub(super) fn new(
        (frame, seat): (RgbFrame, usize),
        request: PerceiveRequest,
        experts: &[&'static str],
        asked: MediaTime,
        reply: oneshot::Sender<Perceived>,
    ) -> Self {
        let all = request.experts.is_empty();
        let wanted = (0..experts.len()).filter(|i| all || request.experts.contains(&experts[*i])).collect();
        let unknown = request.experts.iter().filter(|name| !experts.contains(name));
        let missed = unknown.map(|name| (*name, "there is no such expert".to_owned())).collect();
        let perceived = Perceived { missed, ..Perceived::default() };
        let PerceiveRequest { deadline, urgent, part, .. } = request;
        let (started, whole, broken_off, spent) = (None, false, 0, Duration::ZERO);
        Self { frame, wanted, deadline, urgent, asked, started, part, perceived, reply, seat, whole, broken_off, spent }
    }

    /// What is known of the frame by now, and around the part of it that is looked at.
    fn seen(&self) -> Vec<Sighting> {
        let said = self.perceived.looks.iter().flat_map(|look| &look.sightings);
        self.part.iter().flat_map(|part| &part.outside).chain(said).cloned().collect()
    }

    /// One expert's look: at the part where that does, else at the whole.
    fn look(&mut self, expert: &mut dyn Perceive) -> Result<Look, PerceiveError> {
        let (name, seen) = (expert.name(), self.seen());
        if let Some(Glimpse { region, .. }) = self.part.as_ref().filter(|_| !self.whole) {
            if let Some(sightings) = expert.perceive_part(&self.frame, region, &seen)? {
                return Ok(Look { expert: name, sightings, region: Some(*region) });
            }
            self.whole = true;
        }
        Ok(Look::whole(name, expert.perceive(&self.frame, &seen)?))
    }
}

/// The experts and the text encoder, and what they have yet to do.
pub(super) struct Senses {
    experts: Vec<Box<dyn Perceive>>,
    embedder: Option<Box<dyn EmbedText>>,
    shared: Arc<Shared>,
    looking: HashMap<u64, PerceiveJob>,
    embedding: HashMap<u64, EmbedJob>,
    last_id: u64,
}

impl Senses {
    pub(super) fn new(
        experts: Vec<Box<dyn Perceive>>,
        embedder: Option<Box<dyn EmbedText>>,
        shared: Arc<Shared>,
    ) -> Self {
        Self { experts, embedder, shared, looking: HashMap::new(), embedding: HashMap::new(), last_id: 0 }
    }

    /// Jobs taken in and not done.
    pub(super) fn len(&self) -> usize {
        self.looking.len() + self.embedding.len()
    }

    pub(super) fn look(&mut self, job: PerceiveJob, scheduler: &mut Scheduler, now: MediaTime) {
        self.last_id += 1;
        let kind = if job.urgent { Kind::Question } else { Kind::Background };
        scheduler.add((kind, self.last_id), job.seat, now);
        self.looking.insert(self.last_id, job);
    }

    pub(super) fn embed(&mut self, job: EmbedJob, scheduler: &mut Scheduler, now: MediaTime) {
        self.last_id += 1;
        let kind = if job.urgent { Kind::Embed } else { Kind::Background };
        scheduler.add((kind, self.last_id), job.seat, now);
        self.embedding.insert(self.last_id, job);
    }

    /// What the next step of a job is, and how much of it.
    pub(super) fn work_of(&self, (_, id): Task) -> Option<(Work, f64)> {
        if self.embedding.contains_key(&id) {
            return Some((Work::Embed, 1.0));
        }
        let next = self.looking.get(&id)?.wanted.front()?;
        self.experts.get(*next).map(|e| (Work::Look(e.name()), 1.0))
    }

    /// The seat of the session that a job is of.
    pub(super) fn seat_of(&self, (_, id): Task) -> Option<usize> {
        self.embedding.get(&id).map(|job| job.seat).or_else(|| self.looking.get(&id).map(|job| job.seat))
    }

    /// One text. Something in the background is done however late it is: an event without a vector is found worse for ever after.
    fn step_embed(&mut self, job: EmbedJob, now: MediaTime) {
        let Some(model) = &mut self.embedder else { return };
        if job.reply.is_closed() {
            return;
        }
        let done = if job.urgent && now > job.deadline {
            Err(EngineError::Late)
        } else {
            let vector = guarded(&self.shared, "embedder", || model.embed(&job.text));
            note_cost(&self.shared, Work::Embed, 1.0, self.shared.clock.now().since(now));
            vector.and_then(|vector| Ok(vector?))
        };
        if self.shared.clock.now() > job.deadline {
            count_miss(&self.shared, "embed");
        }
        let _ = job.reply.send(done);
    }

    /// One step of a job whose kind does not say what it is: an embedding, or one expert's look.
    pub(super) fn step(&mut self, task: Task, scheduler: &mut Scheduler, now: MediaTime) {
        match self.embedding.remove(&task.1) {
            Some(job) => self.step_embed(job, now),
            None => self.step_look(task, scheduler, now),
        }
    }

    /// What a look has cost; one at a part of a picture, what it spared. What is expected of the next one stays what a look at a whole picture takes.
    fn note_look(&self, expert: &'static str, part: bool, took: Duration) {
        metrics::histogram!("sightline_look_seconds", "expert" => expert).record(took.as_secs_f64());
        if !part {
            return note_cost(&self.shared, Work::Look(expert), 1.0, took);
        }
        let whole = lock(&self.shared.ledger).costs.expect(Work::Look(expert), 1.0).unwrap_or(took);
        let spared = u64::try_from(whole.saturating_sub(took).as_millis()).unwrap_or(0);
        metrics::counter!("sightline_region_looks_total", "expert" => expert).increment(1);
        metrics::counter!("sightline_region_saved_milliseconds_total", "expert" => expert).increment(spared);
    }

    /// Lets one expert look.
    fn step_look(&mut self, (kind, id): Task, scheduler: &mut Scheduler, now: MediaTime) {
        let Some(mut job) = self.looking.remove(&id) else { return };
        if job.reply.is_closed() {
            return;
        }
        let started = *job.started.get_or_insert(now);
        if now > job.deadline && !job.wanted.is_empty() {
            count_miss(&self.shared, "perceive");
            let late = job.wanted.drain(..).map(|i| (self.experts[i].name(), "the deadline had passed".to_owned()));
            job.perceived.missed.extend(late);
        } else if let Some(i) = job.wanted.pop_front() {
            let expert = &mut self.experts[i];
            let name = expert.name();
            let looked = breakable(&self.shared, kind, job.broken_off, || {
                guarded(&self.shared, name, || job.look(expert.as_mut()))
            });
            job.spent += self.shared.clock.now().since(now);
            if !matches!(looked, Ok(Err(PerceiveError::BrokenOff))) {
                let took = std::mem::take(&mut job.spent);
                (job.whole, job.broken_off) = (false, 0);
                let part = matches!(&looked, Ok(Ok(look)) if look.region.is_some());
                self.note_look(name, part, took);
            }
            let perceived = &mut job.perceived;
            match looked {
                Ok(Err(PerceiveError::BrokenOff)) => {
                    job.wanted.push_front(i);
                    job.broken_off += 1;
                    // Being broken off does not make it late.
                    job.deadline = job.deadline + self.shared.clock.now().since(now);
                    count_broken_off(&self.shared, kind);
                }
                Ok(Ok(look)) => perceived.looks.push(look),
                Ok(Err(e)) => perceived.missed.push((name, e.to_string())),
                Err(e) => perceived.missed.push((name, e.to_string())),
            }
        }
        let now = self.shared.clock.now();
        if job.wanted.is_empty() {
            job.perceived.queue = started.since(job.asked);
            job.perceived.took = now.since(started);
            let _ = job.reply.send(job.perceived);
        } else {
            scheduler.resume((kind, id), job.seat, now);
            self.looking.insert(id, job);
        }
    }
}
