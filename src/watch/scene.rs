//! Folds what the experts say and what the pixels show into [`SceneFacts`], over time.
//!
//! Floor 1. In: kept frames with the sightings of the experts that looked at them. Out: [`SceneFacts`]. Loses: sightings of frames
//! from before a scene cut. An expert that did not look at a frame keeps its last facts until they are stale.

mod picture;
mod texts;

pub use texts::likeness;

use std::time::Duration;

use picture::{Event, Picture};
use texts::Texts;

use super::colour::{self, Exposure};
use super::pixels::Pixels;
use super::region::Region;
use super::tracker::{Detection, Tracker, TrackerConfig};
use super::{Change, ChangeFact, LabelFact, ObjectFact, SceneFacts, Sighting};
use crate::base::{BBox, MediaTime, RgbFrame};

/// How facts are kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SceneConfig {
    /// Facts of an expert that has not looked for this long are forgotten. Default 20 s; keep it above the sampler's heartbeat.
    pub stale: Duration,
    /// A full-frame label this sure can become the main thing. Default 0.35.
    pub main: f32,
    /// How objects are followed.
    pub tracker: TrackerConfig,
}

impl Default for SceneConfig {
    fn default() -> Self {
        Self { stale: Duration::from_secs(20), main: 0.35, tracker: TrackerConfig::default() }
    }
}

/// What one expert said about one frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// [`super::Perceive::name`] of the expert.
    pub expert: &'static str,
    /// What it said; empty when it saw nothing.
    pub sightings: Vec<Sighting>,
    /// The part of the frame that it looked at; nothing for all of it. What stands outside is not touched by what it said.
    pub region: Option<Region>,
}

impl Look {
    /// A look at a whole frame.
    #[must_use]
    pub const fn whole(expert: &'static str, sightings: Vec<Sighting>) -> Self {
        Self { expert, sightings, region: None }
    }
}

/// Most changes told.
pub const MAX_CHANGES: usize = 16;
/// Most labels held.
pub const MAX_LABELS: usize = 16;
/// Most lines of text held.
pub const MAX_TEXTS: usize = 16;
/// Most experts remembered.
const MAX_EXPERTS: usize = 8;

/// The scene of one session.
#[derive(Debug)]
pub struct Scene {
    config: SceneConfig,
    facts: SceneFacts,
    picture: Picture,
    tracker: Tracker,
    texts: Texts,
    looked: Vec<(&'static str, MediaTime)>,
    cut_at: MediaTime,
    main: Option<LabelFact>,
    next_main: Option<LabelFact>,
}

impl Scene {
    /// A scene that knows nothing yet.
    #[must_use]
    pub fn new(config: SceneConfig) -> Self {
        Self {
            config,
            facts: SceneFacts::default(),
            picture: Picture::default(),
            tracker: Tracker::new(config.tracker),
            texts: Texts::default(),
            looked: Vec::new(),
            cut_at: MediaTime::ZERO,
            main: None,
            next_main: None,
        }
    }

    /// What is known now.
    #[must_use]
    pub const fn facts(&self) -> &SceneFacts {
        &self.facts
    }

    /// Takes a kept frame and what the experts said about it (`looks` may be empty: pixels alone tell light, colours, motion and cuts).
    /// The same frame may come twice, first alone and then with looks; looks at a frame from before the last cut are ignored.
    pub fn observe(&mut self, frame: &RgbFrame, looks: &[Look]) -> &SceneFacts {
        let Some(pixels) = Pixels::of(frame) else {
            return &self.facts;
        };
        let at = frame.capture;
        let exposure = Exposure::of(&pixels);
        if self.picture.is_new(at) {
            self.look_at_pixels(&pixels, at, exposure);
        }
        if at >= self.cut_at {
            for look in looks {
                self.fold(look, &pixels, at, exposure);
            }
        }
        self.forget_stale();
        self.publish();
        &self.facts
    }

    /// Brightness, colours, motion, light and cuts.
    fn look_at_pixels(&mut self, pixels: &Pixels<'_>, at: MediaTime, exposure: Exposure) {
        let seen = self.picture.see(pixels, at);
        self.facts.at = self.facts.at.max(at);
        self.facts.brightness = seen.brightness;
        self.facts.motion = seen.motion;
        self.facts.unusable = seen.unusable;
        self.facts.colours = colour::shares(pixels, &BBox::FULL, exposure);
        match seen.event {
            Some(Event::Cut) => self.cut(at),
            Some(Event::Light { brighter }) => self.changed(Change::Light { brighter }, at),
            None => {}
        }
    }

    /// Nothing of the old picture holds any more.
    fn cut(&mut self, at: MediaTime) {
        self.cut_at = at;
        self.tracker.clear();
        self.texts = Texts::default();
        self.looked.clear();
        self.facts.objects.clear();
        self.facts.labels.clear();
        self.next_main = None;
        self.changed(Change::SceneCut, at);
    }

    fn fold(&mut self, look: &Look, pixels: &Pixels<'_>, at: MediaTime, exposure: Exposure) {
        let first = !self.looked.iter().any(|(name, _)| *name == look.expert);
        let previous = self.looked.iter().find(|(name, _)| *name == look.expert).map(|(_, t)| *t);
        if previous.is_some_and(|t| t > at) {
            return; // An older look than the last of this expert tells nothing new.
        }
        self.looked.retain(|(name, _)| *name != look.expert);
        self.looked.push((look.expert, at));
        let surplus = self.looked.len().saturating_sub(MAX_EXPERTS);
        self.looked.drain(..surplus);
        match look.expert {
            super::perceive::DETECTOR => self.fold_objects(look, pixels, at, exposure, first),
            super::perceive::CLASSIFIER => self.fold_labels(&look.sightings, at),
            super::perceive::OCR => self.fold_texts(look, at, first),
            _ => self.fold_any(look, pixels, at, exposure, first),
        }
    }

    /// An expert of another kind (a vision-language model, say) may tell everything at once.
    fn fold_any(&mut self, look: &Look, pixels: &Pixels<'_>, at: MediaTime, exposure: Exposure, first: bool) {
        let s = &look.sightings;
        if s.iter().any(|s| matches!(s, Sighting::Object { .. })) {
            self.fold_objects(look, pixels, at, exposure, first);
        }
        if s.iter().any(|s| matches!(s, Sighting::Label { .. })) {
            self.fold_labels(s, at);
        }
        if s.iter().any(|s| matches!(s, Sighting::Text { .. })) {
            self.fold_texts(look, at, first);
        }
    }

    fn fold_objects(&mut self, look: &Look, pixels: &Pixels<'_>, at: MediaTime, exposure: Exposure, first: bool) {
        let detections: Vec<Detection> = look
            .sightings
            .iter()
            .filter_map(|s| match s {
                Sighting::Object { label, confidence, bbox } => {
                    Some(Detection { label: label.clone(), confidence: unit(*confidence), bbox: *bbox })
                }
                _ => None,
            })
            .collect();
        let passage = self.tracker.update_part(at, &detections, look.region.as_ref());
        // What is there at the first look has not just appeared.
        if !first {
            for label in passage.appeared {
                self.changed(Change::Appeared { label }, at);
            }
        }
        for label in passage.disappeared {
            self.changed(Change::Disappeared { label }, at);
        }
        let old = std::mem::take(&mut self.facts.objects);
        for track in self.tracker.tracks().iter().filter(|t| t.confirmed) {
            // The colour is read where the thing is now; a thing missed on this frame keeps the colour it had.
            let colour = if track.last_seen == at {
                colour::dominant(pixels, &track.bbox, exposure)
            } else {
                old.iter().find(|o| o.track == track.id).and_then(|o| o.colour)
            };
            self.facts.objects.push(ObjectFact {
                track: track.id,
                label: track.label.clone(),
                confidence: track.confidence,
                bbox: track.bbox,
                colour,
                motion: track.motion,
                first_seen: track.first_seen,
                last_seen: track.last_seen,
            });
        }
        self.facts.objects.sort_by(|a, b| b.confidence.total_cmp(&a.confidence).then(a.track.cmp(&b.track)));
    }

    fn fold_labels(&mut self, s: &[Sighting], at: MediaTime) {
        let mut labels: Vec<LabelFact> = s
            .iter()
            .filter_map(|s| match s {
                Sighting::Label { label, broader, confidence, bbox } => Some(LabelFact {
                    label: label.clone(),
                    broader: broader.clone(),
                    confidence: unit(*confidence),
                    bbox: *bbox,
                    at,
                }),
                _ => None,
            })
            .collect();
        // The whole picture before its crops, each most confident first.
        labels.sort_by(|a, b| {
            (b.bbox == BBox::FULL).cmp(&(a.bbox == BBox::FULL)).then(b.confidence.total_cmp(&a.confidence))
        });
        labels.truncate(MAX_LABELS);
        self.facts.labels = labels;
        self.follow_main(at);
    }

    /// The main thing changes when another one is seen twice in a row, or at once after a cut.
    fn follow_main(&mut self, at: MediaTime) {
        let top = self.facts.labels.first().filter(|l| l.bbox == BBox::FULL && l.confidence >= self.config.main);
        let Some(top) = top.cloned() else {
            return;
        };
        let Some(main) = self.main.clone() else {
            self.main = Some(top);
            return;
        };
        if alike(&main, &top) {
            self.main = Some(top);
            self.next_main = None;
            return;
        }
        let settled = self.next_main.as_ref().is_some_and(|n| alike(n, &top)) || main.at < self.cut_at;
        if settled {
            self.changed(Change::MainChanged { from: main.label, to: top.label.clone() }, at);
            self.main = Some(top);
            self.next_main = None;
        } else {
            self.next_main = Some(top);
        }
    }

    fn fold_texts(&mut self, look: &Look, at: MediaTime, first: bool) {
        for text in self.texts.read(&look.sightings, at, look.region.as_ref()) {
            if !first {
                self.changed(Change::TextAppeared { text }, at);
            }
        }
    }

    /// Forgets the facts of experts that have not looked for too long.
    fn forget_stale(&mut self) {
        let before = self.facts.at.saturating_sub(self.config.stale);
        self.looked.retain(|(_, t)| *t >= before);
        for label in self.tracker.forget(before) {
            self.changed(Change::Disappeared { label }, self.facts.at);
        }
        self.facts.objects.retain(|o| o.last_seen >= before);
        self.facts.labels.retain(|l| l.at >= before);
        self.texts.forget(before);
    }

    fn publish(&mut self) {
        self.facts.texts = self.texts.in_reading_order();
        self.facts.looked = self.looked.iter().map(|(name, _)| *name).collect();
        self.facts.looked.sort_unstable();
    }

    fn changed(&mut self, change: Change, at: MediaTime) {
        self.facts.changes.insert(0, ChangeFact { change, at });
        self.facts.changes.truncate(MAX_CHANGES);
    }
}

/// Two names for what people would call one thing: the same word, or the same nearest broader word.
fn alike(a: &LabelFact, b: &LabelFact) -> bool {
    let names = |l: &LabelFact| [Some(l.label.clone()), l.broader.first().cloned()];
    let (a, b) = (names(a), names(b));
    a.iter().flatten().any(|n| b.iter().flatten().any(|m| n == m))
}

/// A confidence made sane: NaN is 0.
fn unit(v: f32) -> f32 {
    if v.is_nan() { 0.0 } else { v.clamp(0.0, 1.0) }
}

#[cfg(test)]
mod tests;
