//! The watching task: decoded frames → sampler → experts on the engine → `SceneFacts`.
//!
//! One look is under way at a time; while it is, the newest kept frame waits and older ones make room (WATCH_TO_ENGINE).

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};
use tracing::{Instrument, debug_span};

use super::actor::Msg;
use super::trace::{Seen, Trace};
use crate::base::{Clock, LossReason, MediaTime, RgbFrame};
use crate::budget::Step;
use crate::decode::encode_jpeg;
use crate::dialogue::{LookId, VideoState};
use crate::engine::{EngineError, EngineSession, Glimpse, PerceiveRequest, Perceived};
use crate::flow::Rx;
use crate::watch::region::{Region, Regions, Sight};
use crate::watch::{CLASSIFIER, DETECTOR, Picture, Sampler, SamplerConfig, Scene, SceneConfig, Sighting, Verdict};
use crate::wire::VideoStats;

/// Without a picture for this long the video counts as lost.
const LOST_AFTER: Duration = Duration::from_secs(3);
/// Time between two pictures that is still a stream of them.
const LONGEST_GAP: Duration = Duration::from_secs(5);
/// Kept pictures whose way is remembered: one is looked at, one waits.
const KEPT: usize = 4;
/// JPEG quality of remembered pictures: text stays readable, a 320×240 frame takes about 10 KB.
const KEYFRAME_QUALITY: u8 = 70;

/// How a session watches.
#[derive(Debug, Clone)]
pub struct WatchConfig {
    /// Which frames are kept.
    pub sampler: SamplerConfig,
    /// How facts are kept.
    pub scene: SceneConfig,
    /// Whether experts look at what changed alone, where that is a part of the picture.
    pub by_region: bool,
    /// What a look may take before the experts that are left are skipped.
    pub look_budget: Duration,
    /// Long side of the pictures that are remembered, in pixels; `None`: none are.
    pub keyframe_side: Option<u32>,
}

/// What the session asks of its watcher.
#[derive(Debug)]
pub(super) enum WatchCommand {
    /// Answer with facts that are true now.
    LookNow(LookId),
    /// Give up as much as this step of the ladder says.
    Degrade(Step),
}

/// A frame that was looked at.
struct Looked {
    frame: RgbFrame,
    result: Result<Perceived, EngineError>,
    /// The frame as it will be remembered.
    jpeg: Option<Bytes>,
    /// The experts were asked.
    asked: MediaTime,
    /// What the gate `region` makes of it, where that is on, and the part that was looked at.
    sight: Option<Sight>,
    region: Option<Region>,
}

type Looking = Pin<Box<dyn Future<Output = Looked> + Send>>;

/// The task. See [`Watcher::run`].
pub(super) struct Watcher {
    pub(super) frames: Rx<Picture>,
    pub(super) commands: mpsc::Receiver<WatchCommand>,
    pub(super) out: mpsc::Sender<Msg>,
    /// Capture time of the newest frame that is fully dealt with: file playback goes by it.
    pub(super) progress: watch::Sender<Option<MediaTime>>,
    pub(super) engine: Arc<EngineSession>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) config: WatchConfig,
    pub(super) state: State,
    pub(super) trace: Trace,
}

/// What the watcher knows.
pub(super) struct State {
    sampler: Sampler,
    scene: Scene,
    regions: Regions,
    waiting: Option<Picture>,
    /// Capture times of the newest pictures, and when each came out of the decoder.
    decoded_at: VecDeque<(MediaTime, MediaTime)>,
    newest: Option<Picture>,
    /// Number of the newest picture that has one.
    numbered: Option<u64>,
    /// Time between the last two pictures.
    gap: Duration,
    asked: Vec<(LookId, bool)>,
    video: VideoState,
    decoded: u64,
    looked: u64,
    dropped: u64,
    counted: (u64, u64),
    step: Step,
    /// Device time saved and not counted yet, microseconds: where nothing changed, and where it moved.
    saved_us: [u64; 2],
    /// When a look was saved last.
    saved_at: Option<MediaTime>,
}

impl State {
    pub(super) fn new(config: &WatchConfig) -> Self {
        Self {
            sampler: Sampler::new(config.sampler),
            scene: Scene::new(config.scene),
            regions: Regions::new(config.sampler.patch_change, config.sampler.max_interval),
            waiting: None,
            decoded_at: VecDeque::new(),
            newest: None,
            numbered: None,
            gap: Duration::ZERO,
            asked: Vec::new(),
            video: VideoState::None,
            decoded: 0,
            looked: 0,
            dropped: 0,
            counted: (0, 0),
            step: Step::Full,
            saved_us: [0; 2],
            saved_at: None,
        }
    }

    fn lose(&mut self, reason: LossReason) {
        self.dropped += 1;
        metrics::counter!("sightline_frames_lost_total", "reason" => reason.label()).increment(1);
    }
}

impl Watcher {
    /// Runs until the frames end or the session goes.
    pub(super) async fn run(mut self) {
        let mut looking: Option<Looking> = None;
        let mut second = interval(Duration::from_secs(1));
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                picture = self.frames.recv() => match picture {
                    Some(picture) => self.on_picture(picture).await,
                    None => return,
                },
                command = self.commands.recv() => match command {
                    Some(command) => self.on_command(command, looking.is_some()).await,
                    None => return,
                },
                looked = finish(&mut looking) => {
                    looking = None;
                    self.on_looked(looked).await;
                }
                _ = second.tick() => self.on_second().await,
            }
            if looking.is_none() {
                looking = self.start_look();
            }
            if looking.is_none()
                && self.state.waiting.is_none()
                && let Some(newest) = &self.state.newest
            {
                self.progress.send_replace(Some(newest.capture));
            }
        }
    }

    async fn on_picture(&mut self, picture: Picture) {
        // The decoder numbers every picture, and gives those that are compared. Pictures that clients send have no numbers.
        let passed = self.state.numbered.map_or(0, |last| picture.id.0.saturating_sub(last + 1));
        if picture.id.0 > 0 || self.state.numbered.is_none() {
            self.state.numbered = Some(picture.id.0);
        }
        self.state.decoded += 1 + passed;
        self.state.dropped += passed;
        if self.state.video != VideoState::Live {
            self.state.video = VideoState::Live;
            let _ = self.out.send(Msg::Video(VideoState::Live)).await;
        }
        let begun = self.clock.now();
        let verdict = self.state.sampler.offer(&picture, picture.capture);
        if verdict != Verdict::Drop(LossReason::RateLimited) {
            metrics::histogram!("sightline_gate_seconds").record(self.clock.now().since(begun).as_secs_f64());
        }
        match verdict {
            Verdict::Keep => {
                let gate = self.state.sampler.kept_by().label();
                metrics::counter!("sightline_gate_kept_total", "gate" => gate).increment(1);
                if self.state.decoded_at.len() >= KEPT {
                    self.state.decoded_at.pop_front();
                }
                self.state.decoded_at.push_back((picture.capture, self.clock.now()));
                if self.state.waiting.replace(picture.clone()).is_some() {
                    self.state.lose(LossReason::PerceptionBehind);
                }
            }
            Verdict::Drop(reason) => {
                if matches!(reason, LossReason::Unchanged | LossReason::Moving) {
                    self.count_saving(picture.capture, reason);
                }
                self.state.lose(reason);
            }
        }
        self.state.gap = self.state.newest.as_ref().map_or(Duration::ZERO, |last| picture.capture.since(last.capture));
        self.state.newest = Some(picture);
    }

    /// A look that was not needed, at what one has cost lately. There would have been no more of them than the frame rate allows.
    fn count_saving(&mut self, captured: MediaTime, reason: LossReason) {
        if self.state.saved_at.is_some_and(|at| captured.since(at) < self.config.sampler.min_interval) {
            return;
        }
        self.state.saved_at = Some(captured);
        let saved = &mut self.state.saved_us[usize::from(reason == LossReason::Moving)];
        *saved += u64::try_from(self.engine.look_cost().as_micros()).unwrap_or(0);
        let seconds = *saved / 1_000_000;
        *saved %= 1_000_000;
        metrics::counter!("sightline_gate_saved_seconds_total", "reason" => reason.label()).increment(seconds);
        metrics::counter!("sightline_gate_saved_looks_total", "reason" => reason.label()).increment(1);
    }

    async fn on_command(&mut self, command: WatchCommand, busy: bool) {
        match command {
            WatchCommand::Degrade(step) => {
                self.state.sampler.set_min_interval(self.config.sampler.min_interval * slower(step));
                self.state.step = step;
            }
            WatchCommand::LookNow(look) => self.on_look_now(look, busy).await,
        }
    }

    /// Every frame since the last look was compared with it: when the newest does not differ and no look is under way, the facts are true of it.
    async fn on_look_now(&mut self, look: LookId, busy: bool) {
        let Some(newest) = &self.state.newest else {
            return self.answer(look, Err("no picture has come yet".into())).await;
        };
        if self.state.sampler.behind() {
            // A look at it was put off, for what moves there.
            self.state.sampler.force();
            if self.state.sampler.offer(newest, newest.capture) == Verdict::Keep {
                self.state.waiting = Some(newest.clone());
            }
        }
        if busy || self.state.waiting.is_some() {
            self.state.asked.push((look, false));
        } else if self.state.looked == 0 {
            self.state.waiting = Some(newest.clone());
            self.state.asked.push((look, false));
        } else {
            let facts = crate::watch::SceneFacts { at: newest.capture, ..self.state.scene.facts().clone() };
            self.answer(look, Ok(Arc::new(facts))).await;
        }
    }

    fn start_look(&mut self) -> Option<Looking> {
        let picture = self.state.waiting.take()?;
        let frame = self.develop(&picture)?;
        let urgent = !self.state.asked.is_empty();
        for asked in &mut self.state.asked {
            asked.1 = true;
        }
        let engine = Arc::clone(&self.engine);
        let experts = who_looks(self.state.step, urgent);
        let (sight, part) = self.part_of(&picture, &experts, urgent);
        let region = part.as_ref().map(|part| part.region);
        let request = PerceiveRequest { experts, deadline: self.clock.now() + self.config.look_budget, urgent, part };
        let span = debug_span!("look", frame = frame.id.0, capture_ms = frame.capture.as_millis(), urgent);
        let side = self.config.keyframe_side;
        let asked = self.clock.now();
        let look = async move {
            let result = engine.perceive(frame.clone(), request).await;
            let jpeg = match side {
                Some(side) if result.is_ok() => encode(frame.clone(), side).await,
                _ => None,
            };
            Looked { frame, result, jpeg, asked, sight, region }
        };
        Some(Box::pin(look.instrument(span)))
    }

    /// The colours of a picture. One that has none is lost, and the next is looked at in its place.
    fn develop(&mut self, picture: &Picture) -> Option<RgbFrame> {
        match picture.frame() {
            Ok(frame) => Some(frame),
            Err(error) => {
                tracing::warn!(?picture, error, "a picture cannot be converted and is not looked at");
                self.state.lose(LossReason::Corrupt);
                self.state.sampler.force();
                None
            }
        }
    }

    /// The part of a picture that is to be looked at, with what is known around it; nothing for all of it. What a question waits for is looked at whole.
    fn part_of(&self, picture: &Picture, experts: &[&'static str], urgent: bool) -> (Option<Sight>, Option<Glimpse>) {
        let sight = if self.config.by_region { Sight::of(picture, experts) } else { None };
        let Some(sight) = sight else { return (None, None) };
        let facts = self.state.scene.facts();
        let places = facts.objects.iter().map(|o| o.bbox).chain(facts.texts.iter().map(|t| t.bbox));
        let region = if urgent { None } else { self.state.regions.choose(&sight, &places.collect::<Vec<_>>()) };
        (Some(sight), region.map(|region| Glimpse { region, outside: region.outside(facts) }))
    }

    async fn on_looked(&mut self, looked: Looked) {
        let Looked { frame, result, jpeg, asked, sight, region } = looked;
        self.note_way(frame.capture, asked);
        self.state.looked += 1;
        match (sight, &result) {
            (Some(sight), Ok(perceived)) if perceived.missed.is_empty() => self.state.regions.looked(sight, region),
            _ => self.state.regions.forget(),
        }
        let (failure, image) = match result {
            Ok(perceived) => {
                self.state.scene.observe(&frame, &perceived.looks);
                (None, embedding(perceived))
            }
            Err(e) => {
                tracing::warn!(error = %e, "perception failed");
                self.state.scene.observe(&frame, &[]);
                (Some(e.to_string()), None)
            }
        };
        let facts = Arc::new(self.state.scene.facts().clone());
        let _ = self.out.send(Msg::Look { facts: Arc::clone(&facts), image, jpeg }).await;
        let (ready, rest) =
            self.state.asked.drain(..).partition::<Vec<_>, _>(|(_, started)| *started || self.state.waiting.is_none());
        self.state.asked = rest;
        for (look, _) in ready {
            let answer = failure.clone().map_or_else(|| Ok(Arc::clone(&facts)), Err);
            self.answer(look, answer).await;
        }
    }

    fn note_way(&self, captured: MediaTime, asked: MediaTime) {
        let decoded = self.state.decoded_at.iter().find(|(at, _)| *at == captured).map(|(_, decoded)| *decoded);
        let looked = self.clock.now();
        self.trace.seen(Seen { captured, decoded: decoded.unwrap_or(asked), asked, looked });
    }

    async fn answer(&self, look: LookId, result: Result<Arc<crate::watch::SceneFacts>, String>) {
        let _ = self.out.send(Msg::Looked { look, result }).await;
    }

    async fn on_second(&mut self) {
        let age = self.state.newest.as_ref().map(|f| self.clock.now().since(f.capture));
        // Who sends a picture every few seconds has not stopped in between.
        let patience = LOST_AFTER.max(self.state.gap.min(LONGEST_GAP) * 2);
        if self.state.video == VideoState::Live && age.is_some_and(|a| a > patience) {
            self.state.video = VideoState::Lost;
            let _ = self.out.send(Msg::Video(VideoState::Lost)).await;
        }
        let Some(newest) = &self.state.newest else { return };
        let (decoded, looked) = (self.state.decoded, self.state.looked);
        #[expect(clippy::cast_precision_loss, reason = "frames of one second")]
        let rate = |now: u64, before: u64| (now - before) as f32;
        let stats = VideoStats {
            decoded_fps: rate(decoded, self.state.counted.0),
            watched_fps: rate(looked, self.state.counted.1),
            dropped: self.state.dropped,
            width: newest.width,
            height: newest.height,
            last_frame_ms: age.map_or(0, |a| u64::try_from(a.as_millis()).unwrap_or(u64::MAX)),
        };
        self.state.counted = (decoded, looked);
        let _ = self.out.send(Msg::VideoStats(stats)).await;
    }
}

/// Times the distance between looks.
fn slower(step: Step) -> u32 {
    if step >= Step::FewerFrames { 2 } else { 1 }
}

/// Names of experts; none for all. Reading is the dearest look and goes first; a question brings it back.
fn who_looks(step: Step, urgent: bool) -> Vec<&'static str> {
    if urgent || step < Step::FewerExperts { Vec::new() } else { vec![DETECTOR, CLASSIFIER] }
}

/// Waits for the look under way; for ever when there is none.
async fn finish(looking: &mut Option<Looking>) -> Looked {
    match looking {
        Some(look) => look.await,
        None => std::future::pending().await,
    }
}

/// The feature vector among what the experts said.
fn embedding(perceived: Perceived) -> Option<Arc<[f32]>> {
    perceived.looks.into_iter().flat_map(|look| look.sightings).find_map(|sighting| match sighting {
        Sighting::Embedding { vector } => Some(vector.into()),
        _ => None,
    })
}

/// The frame as a small JPEG; `None` when it cannot be had, which costs the memory a picture and nothing else.
async fn encode(frame: RgbFrame, side: u32) -> Option<Bytes> {
    let encoded = tokio::task::spawn_blocking(move || encode_jpeg(&frame, side, KEYFRAME_QUALITY)).await;
    match encoded {
        Ok(Ok(jpeg)) => Some(jpeg),
        Ok(Err(e)) => {
            tracing::warn!(error = %e, "a frame could not be kept as a picture");
            None
        }
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_look_less_often_then_less_closely_and_a_question_is_looked_at_whole() {
        assert_eq!(Step::ALL.map(slower), [1, 2, 2, 2, 2, 2]);
        let few = Step::ALL.map(|step| !who_looks(step, false).is_empty());
        assert_eq!(few, [false, false, true, true, true, true]);
        assert!(Step::ALL.iter().all(|step| who_looks(*step, true).is_empty()));
    }
}
