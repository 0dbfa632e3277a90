//! Hours of what was seen and said, in bounded memory, and how it is found again.
//!
//! Floor 1½ (uses `base` and `watch`). In: one [`Look`] per kept frame (≤ 2/s), one [`Said`] per turn, the time. Out: [`Op`]s for timeline,
//! archive and text encoder; [`Recall`]. Loses: near-duplicate pictures, the dullest facts of full digests, detail by merging; nothing
//! whole. Pure: no tensor, no clock, no I/O, no randomness, so the same stream gives an equal memory.
//!
//! | tier | holds | bound |
//! |---|---|---|
//! | live | the newest looks, with all that perception knew | [`Config::live`] |
//! | working | the last half minute, slot by slot | [`Config::working`] |
//! | episodic | events, cut where the picture changes | [`Config::events`], and one open |
//! | long-term | roots of merged events, with children | [`Config::roots`] × [`Config::children`] |
//! | archive | on disk, fed by the `Op`s | elsewhere |
//!
//! # Why it is bounded
//!
//! *Items.* Live and working are rings: a push past the length pops the oldest. At most one event is open. A look or a word closes at most
//! one event, which is the only way into the episodic tier; an insertion that makes it one too long moves exactly one event, the oldest,
//! into the roots, which is the only way into those; if that makes the roots one too many, exactly one adjacent pair of them becomes one
//! root. So after each call every tier is within its capacity, given it was before; it was at the start, being empty. A merge joins two
//! lists of at most C children and joins neighbours until C are left: at most C joins. (Forgetting can cut one event into two, and then
//! moves and merges likewise.)
//!
//! *Bytes.* Everything an item holds is cut to a bound on the way in: pictures per event and their size, things, lines, changes, turns and
//! the characters of each, the length of a vector. A merged item is made by the same functions and so keeps the same bounds.
//! [`Config::most_bytes`] is the product, and the property tests hold it against [`Memory::bytes`].
//!
//! *Time.* With K roots of C children, D numbers to a vector: closing an event costs K−1 cosines of D for the choice and at most 4·C for
//! the children: O(K) for fixed C and D. A look that closes nothing costs two cosines and a digest.
//!
//! *Time order.* Looks go into the newest event only, at times that never go back; merges join neighbours only. So spans stay ordered and
//! disjoint. Every look lies in the event it went into, whose span merging only widens. Between events there are holes only where nothing
//! was seen for longer than [`Config::gap`], where an event was cut by a change (until the look that showed it), or where was forgotten.
//!
//! # Sources
//!
//! Event tree and merge score: OASIS (CVPR 2026). Count-weighted means: MA-LMM (CVPR 2024). Rank fusion: Cormack et al. (SIGIR 2009). What
//! differs from them is said in `past.rs`, `open.rs` and `recall.rs`. Raw KV is not kept: captions, facts and times are a small, strong index.

mod caption;
mod config;
mod digest;
mod event;
mod fold;
mod forget;
mod lexical;
mod open;
mod ops;
mod past;
mod recall;
mod recent;
mod restore;
mod select;
mod span;
mod text;
mod vector;
mod windows;

use std::sync::Arc;

use bytes::Bytes;

pub use config::Config;
pub use digest::{
    Digest, MOST_CHANGES, MOST_TEXT_CHARS, MOST_TEXTS, MOST_THINGS, Seen, SeenChange, SeenKind, SeenText,
};
pub use event::{Child, Event, Keyframe, MOST_SAID, MOST_SAID_CHARS, Said, Speaker};
pub(crate) use lexical::{is_question, stands_in};
pub use ops::{Look, Op, Tier, TierUse, Tiers};
pub use recall::{Has, Hit, MOST_RECALLED, Order, Query, Recall};
pub use recent::{Glance, Slot};
pub use span::{KeyframeId, NextIds, NodeId, Span};
pub(crate) use text::same_but_for_u;

use crate::base::MediaTime;
use crate::watch::SceneFacts;
use event::{bounded_said, put_said};
use fold::LookAt;
use open::{News, Open};
use past::Past;
use recent::{Recent, Sight};
use span::after;

/// An event that was full ended here, and nothing was seen since: what comes soon enough goes on from it.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Held {
    end: MediaTime,
    /// Its last look or word.
    last: MediaTime,
}

/// What one session has seen and heard.
#[derive(Debug, Clone, PartialEq)]
pub struct Memory {
    config: Config,
    recent: Recent,
    open: Option<Open>,
    past: Past,
    ids: NextIds,
    /// Time of the newest look or word; none is ever older.
    newest: MediaTime,
    /// The latest time heard of, by [`Memory::tick`] too.
    known: MediaTime,
    /// What is from before this was forgotten, or comes too late to tell.
    horizon: MediaTime,
    held: Option<Held>,
    /// The look before.
    before: Option<Arc<SceneFacts>>,
}

impl Memory {
    /// An empty memory; `config` is brought within its bounds.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            config: config.bounded(),
            recent: Recent::default(),
            open: None,
            past: Past::default(),
            ids: NextIds::default(),
            newest: MediaTime::ZERO,
            known: MediaTime::ZERO,
            horizon: MediaTime::ZERO,
            held: None,
            before: None,
        }
    }

    /// One look at a kept frame, captured at `at` (memory time). A time that goes back counts as the newest time there was, so who has a
    /// better clock should not hand in times far ahead of it. A look from before the end of a forgotten span is refused.
    pub fn see(&mut self, at: MediaTime, look: Look) -> Vec<Op> {
        let mut ops = Vec::new();
        if at < self.horizon {
            return ops;
        }
        let Look { facts, image, keyframe } = look;
        let mut at = at.max(self.newest);
        let facts = recent::scrubbed(&facts, at, |t| t >= self.horizon).map_or(facts, Arc::new);
        let image = image.and_then(|v| vector::unit(&v));
        let before = self.before.replace(Arc::clone(&facts));
        let news = News::of(&facts, before.as_deref());
        if self.config.events > 0 {
            self.make_room(at, &mut ops);
            if self.open.as_mut().is_some_and(|o| o.is_cut(at, news, image.as_deref(), &self.config)) {
                self.close(at, &mut ops);
            }
            at = at.max(self.newest);
            self.open_for(at, &mut ops);
        }
        self.newest = at;
        self.known = self.known.max(at);
        let picture = keyframe.filter(|k| !k.is_empty() && k.len() <= self.config.max_keyframe_bytes);
        // A copy, because a slice would keep the whole of a larger buffer alive and make the count of bytes a lie.
        let picture = picture.map(|k| Keyframe { id: self.ids.keyframe(), at, jpeg: Bytes::copy_from_slice(&k) });
        if let Some(open) = &mut self.open {
            let id = open.event.id;
            open.see(LookAt { facts: &facts, before: before.as_deref(), at, since: self.horizon }, image.as_deref());
            if let Some(k) = &picture
                && open.keep(k, image.as_deref(), news.telling, &self.config)
            {
                ops.push(Op::Kept { node: id, keyframe: k.id });
            }
            open.event.recaption();
            ops.push(Op::Changed(id));
        }
        let floor = self.open.as_ref().map_or(self.horizon, |o| o.event.span.start.max(self.horizon));
        let image = image.map(|v| vector::pack(&v));
        let sight = Sight { at, facts: &facts, before: before.as_deref(), image, keyframe: picture, floor };
        self.recent.see(sight, &self.config);
        ops
    }

    /// Something was said, by the person or by us. It goes to the event of its time, which may have ended: speech is understood late.
    /// What was said in a gap goes to the event after it; words alone make an event too.
    pub fn hear(&mut self, said: Said) -> Vec<Op> {
        let mut ops = Vec::new();
        let Some(mut turn) = bounded_said(&said) else { return ops };
        if turn.at < self.horizon || self.config.events == 0 {
            return ops;
        }
        let in_open = self.open.as_ref().is_some_and(|o| o.event.span.start <= turn.at);
        if turn.at < self.newest && !in_open {
            if self.hear_late(&mut turn, &mut ops) {
                return ops;
            }
        } else {
            self.make_room(turn.at, &mut ops);
        }
        self.open_for(turn.at.max(self.newest), &mut ops);
        let Some(open) = &mut self.open else { return ops };
        turn.at = turn.at.max(open.event.span.start);
        open.reach(turn.at);
        self.newest = self.newest.max(turn.at);
        self.known = self.known.max(turn.at);
        put_said(&mut open.event.said, turn);
        open.event.recaption();
        ops.push(Op::Changed(open.event.id));
        ops
    }

    /// Words from before the open event: true when an ended event took them, or nothing can any more. Moves them, or the start of the open
    /// event, to where both fit.
    fn hear_late(&mut self, turn: &mut Said, ops: &mut Vec<Op>) -> bool {
        let ended = self.past.roots.last().map(|r| r.span.end);
        let too_old = |first: MediaTime| turn.at < first && ended.is_some_and(|end| turn.at < end);
        if self.past.episodic.front().is_some_and(|e| too_old(e.span.start)) {
            return true;
        }
        let i = self.past.episodic.partition_point(|e| e.span.end <= turn.at);
        if let Some(event) = self.past.episodic.get_mut(i) {
            turn.at = turn.at.max(event.span.start);
            put_said(&mut event.said, turn.clone());
            event.said.shrink_to_fit();
            event.recaption();
            event.text = None;
            ops.extend([Op::Changed(event.id), Op::Closed(event.id)]);
            return true;
        }
        let free = self.past.events().last().map_or(MediaTime::ZERO, |e| e.span.end);
        if let Some(open) = &mut self.open
            && turn.at >= free
            && open.last.since(turn.at) < self.config.max_event
        {
            open.event.span.start = open.event.span.start.min(turn.at);
        }
        false
    }

    /// Time passed. Ends an open event that is full, or of which nothing was seen or heard for longer than [`Config::gap`]. Does not count
    /// as the time of a look: looks arrive late.
    pub fn tick(&mut self, now: MediaTime) -> Vec<Op> {
        let mut ops = Vec::new();
        self.known = self.known.max(now);
        self.make_room(now, &mut ops);
        ops
    }

    /// Ends the open event if what comes at `at` cannot go into it.
    fn make_room(&mut self, at: MediaTime, ops: &mut Vec<Op>) {
        let Some(open) = &self.open else { return };
        let (last, full) = (open.last, open.event.span.start + self.config.max_event);
        if at.since(last) > self.config.gap {
            self.close(after(last), ops);
            self.held = None;
        } else if at >= full {
            self.close(full, ops);
            self.held = Some(Held { end: full, last });
        }
    }

    /// Opens an event for something at `at` if none is open. One that follows a full event begins where that ended.
    fn open_for(&mut self, at: MediaTime, ops: &mut Vec<Op>) {
        if self.open.is_some() {
            return;
        }
        let goes_on =
            |h: &Held| h.end <= at && at.since(h.last) <= self.config.gap && at.since(h.end) < self.config.max_event;
        let start = self.held.take().filter(goes_on).map_or(at, |h| h.end);
        let id = self.ids.node();
        self.open = Some(Open::new(id, start, at));
        ops.push(Op::Opened(id));
    }

    fn close(&mut self, end: MediaTime, ops: &mut Vec<Op>) {
        let Some(open) = self.open.take() else { return };
        let event = open.close(end);
        self.newest = self.newest.max(event.span.end);
        ops.push(Op::Closed(event.id));
        self.past.insert(event, &self.config, &mut self.ids, ops);
    }

    /// The embedding of an event's caption, any length of vector. False when the event is no more, or the vector is none.
    pub fn set_text_embedding(&mut self, id: NodeId, v: &[f32]) -> bool {
        let Some(packed) = vector::unit(v).map(|v| vector::pack(&v)) else { return false };
        let open = self.open.as_mut().map(|o| &mut o.event);
        for event in self.past.events_mut().chain(open) {
            if event.id == id {
                event.text = Some(packed);
                return true;
            }
            if let Some(child) = event.children.iter_mut().find(|c| c.id == id) {
                child.text = Some(packed);
                return true;
            }
        }
        false
    }

    /// Roots, then events, then the open one: oldest first.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.past.events().chain(self.open.as_ref().map(|o| &o.event))
    }

    /// The root, event or open event of this number; children are in their roots.
    #[must_use]
    pub fn event(&self, id: NodeId) -> Option<&Event> {
        self.events().find(|e| e.id == id)
    }

    /// Where an event, or a child of a root, is remembered.
    #[must_use]
    pub fn tier_of(&self, id: NodeId) -> Option<Tier> {
        let is = |e: &Event| e.id == id || e.children.iter().any(|c| c.id == id);
        match () {
            () if self.open.as_ref().is_some_and(|o| o.event.id == id) => Some(Tier::Open),
            () if self.past.episodic.iter().any(is) => Some(Tier::Episodic),
            () if self.past.roots.iter().any(is) => Some(Tier::LongTerm),
            () => None,
        }
    }

    /// The newest looks, oldest first.
    pub fn live(&self) -> impl Iterator<Item = &Glance> {
        self.recent.live.iter()
    }

    /// The slots of the working tier, oldest first.
    pub fn working(&self) -> impl Iterator<Item = &Slot> {
        self.recent.working.iter()
    }

    /// A picture that is still held, by any tier. Its bytes are empty when only the archive has them.
    #[must_use]
    pub fn keyframe(&self, id: KeyframeId) -> Option<&Keyframe> {
        self.all_keyframes().find(|k| k.id == id)
    }

    /// How full each tier is. Walks all that is held: for once a second, not for every frame.
    #[must_use]
    pub fn tiers(&self) -> Tiers {
        let mut episodic = self.past.episodic_use(&self.config);
        episodic.bytes += self.open.as_ref().map_or(0, Open::bytes);
        Tiers {
            live: self.recent.live_use(&self.config),
            working: self.recent.working_use(&self.config),
            episodic,
            long_term: self.past.long_term_use(&self.config),
        }
    }

    /// Bytes of all tiers together, by capacity of everything owned.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let Tiers { live, working, episodic, long_term } = self.tiers();
        size_of::<Self>() + [live, working, episodic, long_term].map(|t| t.bytes).iter().sum::<usize>()
    }

    /// What it was made with, within its bounds.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }
}

#[cfg(test)]
mod tests;
