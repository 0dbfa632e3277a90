//! The live and the working tier: two windows that slide over the newest past.
//!
//! Both are rings of fixed length, so their bound needs no proof. Events hold the same stretch of time too; the windows are finer.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use half::f16;

use super::config::Config;
use super::digest::{Digest, change_bytes};
use super::event::{Keyframe, vector_bytes};
use super::fold::{LookAt, memory_time};
use super::ops::TierUse;
use super::span::Span;
use crate::base::MediaTime;
use crate::watch::{ChangeFact, LabelFact, ObjectFact, SceneFacts, TextFact};

/// A look whose facts take more than this is not kept live: forty times what a crowded scene takes.
pub(super) const MOST_FACTS_BYTES: usize = 256 * 1024;
/// How old a fact of a look may be to be told of its slot.
const RECENT: Duration = Duration::from_secs(2);

/// One of the newest looks.
#[derive(Debug, Clone, PartialEq)]
pub struct Glance {
    /// When.
    pub at: MediaTime,
    /// All that perception knew.
    pub facts: Arc<SceneFacts>,
    /// The same as a digest.
    pub digest: Digest,
    /// The embedding, of length 1.
    pub image: Option<Vec<f16>>,
    /// The picture.
    pub keyframe: Option<Keyframe>,
}

/// One slot of the working tier.
#[derive(Debug, Clone, PartialEq)]
pub struct Slot {
    /// When its looks were.
    pub span: Span,
    /// The oldest time that a fact of it can have.
    pub(super) from: MediaTime,
    /// What perception knew.
    pub digest: Digest,
    /// The embedding of its newest look, of length 1.
    pub image: Option<Vec<f16>>,
    /// Its newest picture.
    pub keyframe: Option<Keyframe>,
}

/// One look, as the windows take it.
#[derive(Debug)]
pub(super) struct Sight<'a> {
    pub(super) at: MediaTime,
    pub(super) facts: &'a Arc<SceneFacts>,
    pub(super) before: Option<&'a SceneFacts>,
    pub(super) image: Option<Vec<f16>>,
    pub(super) keyframe: Option<Keyframe>,
    /// What is older belongs to another event or is forgotten.
    pub(super) floor: MediaTime,
}

/// More than looks are ever moved to keep the order of events, and less than the time between two looks.
const SHIFT: Duration = Duration::from_millis(1);

/// Both windows.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Recent {
    pub(super) live: VecDeque<Glance>,
    pub(super) working: VecDeque<Slot>,
}

impl Recent {
    pub(super) fn see(&mut self, sight: Sight<'_>, config: &Config) {
        let since = sight.at.saturating_sub(RECENT).max(sight.floor);
        let look = LookAt { facts: sight.facts, before: sight.before, at: sight.at, since };
        if config.working > 0 {
            self.into_slot(&sight, look, config);
        }
        if facts_bytes(sight.facts) > MOST_FACTS_BYTES {
            return;
        }
        // The newest look is always there; the ones before it stand at least `live_every` apart.
        let n = self.live.len();
        if n >= 2 && self.live[n - 1].at.since(self.live[n - 2].at) < config.live_every {
            self.live.pop_back();
        }
        let mut digest = Digest::default();
        digest.fold(look);
        let Sight { at, facts, image, keyframe, .. } = sight;
        self.live.push_back(Glance { at, facts: Arc::clone(facts), digest, image, keyframe });
        while self.live.len() > config.live {
            self.live.pop_front();
        }
    }

    fn into_slot(&mut self, sight: &Sight<'_>, look: LookAt<'_>, config: &Config) {
        let fits = |s: &&mut Slot| sight.at.since(s.span.start) < config.working_every && s.span.start >= sight.floor;
        if let Some(slot) = self.working.back_mut().filter(fits) {
            slot.span.end = super::span::after(sight.at);
            slot.digest.fold(LookAt { since: slot.from, ..look });
            slot.digest.shrink();
            slot.image = sight.image.clone().or(slot.image.take());
            slot.keyframe = sight.keyframe.clone().or(slot.keyframe.take());
            return;
        }
        let mut digest = Digest::default();
        digest.fold(look);
        digest.shrink();
        self.working.push_back(Slot {
            span: Span::at(sight.at),
            from: look.since,
            digest,
            image: sight.image.clone(),
            keyframe: sight.keyframe.clone(),
        });
        while self.working.len() > config.working {
            self.working.pop_front();
        }
    }

    /// Removes every look and slot that touches `gone`, and what the looks that remain still know of it.
    pub(super) fn forget(&mut self, gone: Span) {
        self.working.retain(|s| !Span::new(s.from, s.span.end).overlaps(gone));
        self.live.retain(|g| !gone.contains(g.at));
        // A look that came at the very end of an event was moved behind it, and the times it tells of with it: a little more goes.
        let wide = Span { start: gone.start.saturating_sub(SHIFT), end: gone.end + SHIFT };
        for g in &mut self.live {
            if let Some(facts) = scrubbed(&g.facts, g.at, |t| !wide.contains(t)) {
                g.facts = Arc::new(facts);
            }
            if g.digest.things.iter().any(|s| s.span().overlaps(gone)) || g.at > gone.start {
                g.digest = Digest::of(&g.facts, g.at);
            }
        }
    }

    pub(super) fn keyframes(&self) -> impl Iterator<Item = &Keyframe> {
        let live = self.live.iter().filter_map(|g| g.keyframe.as_ref());
        live.chain(self.working.iter().filter_map(|s| s.keyframe.as_ref()))
    }

    pub(super) fn live_use(&self, config: &Config) -> TierUse {
        let bytes = self.live.iter().map(|g| {
            let picture = g.keyframe.as_ref().map_or(0, Keyframe::bytes);
            facts_bytes(&g.facts) + g.digest.bytes() + vector_bytes(g.image.as_ref()) + picture
        });
        let own = self.live.capacity() * size_of::<Glance>();
        TierUse { items: self.live.len(), capacity: config.live, bytes: own + bytes.sum::<usize>() }
    }

    pub(super) fn working_use(&self, config: &Config) -> TierUse {
        let bytes = self.working.iter().map(|s| {
            s.digest.bytes() + vector_bytes(s.image.as_ref()) + s.keyframe.as_ref().map_or(0, Keyframe::bytes)
        });
        let own = self.working.capacity() * size_of::<Slot>();
        TierUse { items: self.working.len(), capacity: config.working, bytes: own + bytes.sum::<usize>() }
    }
}

/// `facts` without what is of a time (memory time) that may not be kept; `None` when all may.
pub(super) fn scrubbed(facts: &SceneFacts, at: MediaTime, keep: impl Fn(MediaTime) -> bool) -> Option<SceneFacts> {
    let ok = |t: MediaTime| keep(memory_time(facts, at, t));
    let clean = facts.objects.iter().all(|o| ok(o.last_seen) && ok(o.first_seen))
        && facts.labels.iter().all(|l| ok(l.at))
        && facts.texts.iter().all(|t| ok(t.at))
        && facts.changes.iter().all(|c| ok(c.at));
    if clean {
        return None;
    }
    let mut out = facts.clone();
    out.objects.retain(|o| ok(o.last_seen));
    for o in &mut out.objects {
        if !ok(o.first_seen) {
            o.first_seen = o.last_seen;
        }
    }
    out.labels.retain(|l| ok(l.at));
    out.texts.retain(|t| ok(t.at));
    out.changes.retain(|c| ok(c.at));
    Some(out)
}

/// Bytes that facts take, by capacity.
pub(super) fn facts_bytes(f: &SceneFacts) -> usize {
    let strings = f.objects.iter().map(|o| o.label.capacity()).sum::<usize>()
        + f.texts.iter().map(|t| t.text.capacity()).sum::<usize>()
        + f.changes.iter().map(|c| change_bytes(&c.change)).sum::<usize>()
        + f.labels.iter().map(label_bytes).sum::<usize>();
    size_of::<SceneFacts>()
        + strings
        + f.objects.capacity() * size_of::<ObjectFact>()
        + f.texts.capacity() * size_of::<TextFact>()
        + f.changes.capacity() * size_of::<ChangeFact>()
        + f.labels.capacity() * size_of::<LabelFact>()
        + f.colours.capacity() * size_of::<crate::watch::ColourShare>()
        + f.looked.capacity() * size_of::<&str>()
}

fn label_bytes(l: &LabelFact) -> usize {
    let broader = l.broader.iter().map(String::capacity).sum::<usize>();
    l.label.capacity() + l.broader.capacity() * size_of::<String>() + broader
}
