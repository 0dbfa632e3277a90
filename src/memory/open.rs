//! The open event: where events are cut, and which pictures of one are kept.
//!
//! Source: events cut where the embedding changes, between a shortest and a longest length, as StreamKV and OASIS do. Differs: the look is
//! compared with the *mean* of the event, not with the look before, so that a slow drift counts; one unlike look (a hand before the lens)
//! cuts nothing, two in a row do; and what perception itself calls a cut, or another main thing, cuts at once.

use half::f16;

use super::config::Config;
use super::event::{Event, Keyframe};
use super::fold::LookAt;
use super::span::{NodeId, Span, after};
use super::vector::{Scratch, add, dot, pack, unit};
use crate::base::MediaTime;
use crate::watch::{Change, SceneFacts};

/// Unlike looks in a row that make another event.
const UNLIKE: u8 = 2;
/// How much redundancy a picture of something that has just come into view is forgiven.
const TELLING: f32 = 0.2;

/// The event that has not ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Open {
    pub(super) event: Event,
    /// Its last look or word.
    pub(super) last: MediaTime,
    /// Sum of the embeddings of its looks, of one length.
    sum: Vec<f32>,
    /// Looks in a row that were unlike the mean.
    unlike: u8,
    /// Perception told a cut before the event was long enough to be cut.
    turned: bool,
    /// What is known of each picture in `event.keyframes`.
    notes: Vec<Note>,
}

#[derive(Debug, Clone, PartialEq)]
struct Note {
    /// Something had just come into view.
    telling: bool,
    image: Option<Vec<f16>>,
}

/// What is new in a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct News {
    /// Another scene, or another main thing.
    pub(super) cut: bool,
    /// Something came into view or can be read.
    pub(super) telling: bool,
}

impl News {
    /// The changes of `facts` that the look before did not know.
    pub(super) fn of(facts: &SceneFacts, before: Option<&SceneFacts>) -> Self {
        let new = || facts.changes.iter().take_while(|c| before.map_or(c.at >= facts.at, |b| c.at > b.at));
        Self {
            cut: new().any(|c| matches!(c.change, Change::SceneCut | Change::MainChanged { .. })),
            telling: new().any(|c| {
                matches!(c.change, Change::Appeared { .. } | Change::MainChanged { .. } | Change::TextAppeared { .. })
            }),
        }
    }
}

impl Open {
    pub(super) fn new(id: NodeId, start: MediaTime, at: MediaTime) -> Self {
        let event = Event::new(id, Span::new(start, after(at)));
        Self { event, last: at, sum: Vec::new(), unlike: 0, turned: false, notes: Vec::new() }
    }

    /// What remains of an open event after a cut by [`super::forget`]; its mean is gone with what was forgotten.
    pub(super) fn resumed(event: Event, old: &Self) -> Self {
        let kept = |k: &Keyframe| old.event.keyframes.iter().position(|o| o.id == k.id);
        let notes = event.keyframes.iter().filter_map(kept).map(|i| old.notes[i].clone()).collect();
        let last = old.last.max(event.span.start);
        Self { event, last, sum: Vec::new(), unlike: 0, turned: false, notes }
    }

    /// Whether the look at `at` begins another event. Its embedding is counted as like or unlike; call once per look.
    pub(super) fn is_cut(&mut self, at: MediaTime, news: News, image: Option<&[f32]>, config: &Config) -> bool {
        let alike = image.and_then(|image| self.likeness(image)).map(|cos| cos >= config.cut_similarity);
        match alike {
            Some(true) => (self.unlike, self.turned) = (0, false),
            Some(false) => self.unlike = self.unlike.saturating_add(1),
            None => {}
        }
        self.turned |= news.cut && alike != Some(true);
        let long_enough = at.since(self.event.span.start) >= config.min_event;
        long_enough && (news.cut || self.turned || self.unlike >= UNLIKE)
    }

    /// Cosine to the mean of the event; `None` when it has none yet.
    fn likeness(&self, image: &[f32]) -> Option<f32> {
        if self.sum.is_empty() {
            return None;
        }
        if self.sum.len() != image.len() {
            return Some(-1.0); // Another encoder: not to be mixed.
        }
        Some(dot(&self.sum, image) / dot(&self.sum, &self.sum).sqrt().max(1e-12))
    }

    /// Takes in a look that belongs to it.
    pub(super) fn see(&mut self, look: LookAt<'_>, image: Option<&[f32]>) {
        let since = look.since.max(self.event.span.start);
        self.event.digest.fold(LookAt { since, ..look });
        self.reach(look.at);
        if let Some(image) = image
            && self.unlike == 0
        {
            if self.sum.is_empty() {
                self.sum.resize(image.len(), 0.0);
            }
            if self.sum.len() == image.len() {
                add(&mut self.sum, image, 1.0);
                self.event.image = unit(&self.sum).map(|v| pack(&v));
            }
        }
    }

    /// It lasted until `at` at least.
    pub(super) fn reach(&mut self, at: MediaTime) {
        self.last = self.last.max(at);
        self.event.span.end = self.event.span.end.max(after(self.last));
    }

    /// Keeps a picture if it tells something that those kept do not; says whether it did. At most one for each `keyframe_every` begun and
    /// `keyframes_per_event` in all: over that, the most redundant goes, which may be the new one.
    pub(super) fn keep(&mut self, picture: &Keyframe, image: Option<&[f32]>, telling: bool, config: &Config) -> bool {
        let nearest =
            self.notes.iter().zip(&self.event.keyframes).map(|(note, k)| redundancy(note, k, image, picture, config));
        let new_enough = nearest.fold(-1.0_f32, f32::max) < config.keyframe_similarity;
        let spaced = self.event.keyframes.last().is_none_or(|k| picture.at.since(k.at).as_millis() >= 500);
        if !(self.notes.is_empty() || new_enough || telling && spaced) {
            return false;
        }
        self.event.keyframes.push(picture.clone());
        self.notes.push(Note { telling, image: image.map(pack) });
        let age = picture.at.since(self.event.span.start).as_micros();
        let begun =
            usize::try_from(age / config.keyframe_every.as_micros().max(1)).unwrap_or(usize::MAX).saturating_add(1);
        if self.notes.len() > begun.min(config.keyframes_per_event) {
            let least = self.most_redundant();
            self.notes.remove(least);
            self.event.keyframes.remove(least);
        }
        self.event.keyframes.last().is_some_and(|k| k.id == picture.id)
    }

    /// The picture most like another one; of two that are as redundant, the newer.
    fn most_redundant(&self) -> usize {
        let mut scratch = Scratch::default();
        let mut worst = (self.notes.len() - 1, f32::NEG_INFINITY);
        for (i, a) in self.notes.iter().enumerate() {
            let mut likest = 0.0_f32;
            for (j, b) in self.notes.iter().enumerate().filter(|(j, _)| *j != i) {
                let cos = a.image.as_ref().zip(b.image.as_ref()).and_then(|(a, b)| scratch.between(a, b));
                // Without embeddings what is near in time is alike.
                let gap = self.event.keyframes[i]
                    .at
                    .max(self.event.keyframes[j].at)
                    .since(self.event.keyframes[i].at.min(self.event.keyframes[j].at));
                likest = likest.max(cos.unwrap_or_else(|| 1.0 / (1.0 + gap.as_secs_f32())));
            }
            let score = likest - if a.telling { TELLING } else { 0.0 };
            if score >= worst.1 {
                worst = (i, score);
            }
        }
        worst.0
    }

    /// The closed event, ended at `end`.
    pub(super) fn close(mut self, end: MediaTime) -> Event {
        self.event.span.end = end.max(after(self.last));
        self.event.recaption();
        self.event.shrink();
        self.event
    }

    pub(super) fn bytes(&self) -> usize {
        let notes = self.notes.iter().map(|n| super::event::vector_bytes(n.image.as_ref())).sum::<usize>();
        self.event.bytes() + self.sum.capacity() * size_of::<f32>() + self.notes.capacity() * size_of::<Note>() + notes
    }
}

/// How much `picture` tells the same as a kept one, as a cosine.
fn redundancy(note: &Note, kept: &Keyframe, image: Option<&[f32]>, picture: &Keyframe, config: &Config) -> f32 {
    let cos = image.zip(note.image.as_ref()).and_then(|(a, b)| Scratch::default().cosine(a, b));
    // Without embeddings a picture is new when the last one is a fourth of the longest event old.
    cos.unwrap_or_else(|| if picture.at.since(kept.at) * 4 >= config.max_event { -1.0 } else { 1.0 })
}
