//! The conversation's memory: looks and words go in, questions about the past are answered from it, watches fire from it.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::conversation::Conversation;
use super::memory_view;
use super::recollect::{Question, Recollected, recollect, recollect_told};
use super::route::{Route, Routed, WallClock, When, route};
use super::watchfor::{Fired, Watches};
use super::{Output, nouns};
use crate::base::MediaTime;
use crate::memory::{Event, Hit, KeyframeId, Look, Memory, NodeId, Op, Query, Said, Span, Speaker, Tier};
use crate::watch::SceneFacts;
use crate::wire::{ArchiveView, Extension, MergeView};

/// What a session remembers with.
#[derive(Debug, Clone)]
pub struct MemorySetup {
    /// Empty, or restored from the archive.
    pub memory: Memory,
    /// `mem_…`.
    pub id: String,
    /// What opens it again; told only to clients that asked for `memory`.
    pub access_token: String,
    /// When the memory began, Unix milliseconds.
    pub started_unix_ms: i64,
    /// How long ago that was when the session began: zero for a new memory.
    pub elapsed: Duration,
    /// The client's offset from UTC, for clock times in questions.
    pub utc_offset_minutes: i32,
    /// False: only the live window is remembered, nothing is kept.
    pub enabled: bool,
    /// What happens in it is written down ([`Output::Keep`]).
    pub archived: bool,
}

impl Default for MemorySetup {
    /// An empty memory of the default sizes that nobody can open.
    fn default() -> Self {
        Self {
            memory: Memory::new(crate::memory::Config::default()),
            id: String::new(),
            access_token: String::new(),
            started_unix_ms: 0,
            elapsed: Duration::ZERO,
            utc_offset_minutes: 0,
            enabled: true,
            archived: false,
        }
    }
}

/// Something for the archive. Times are milliseconds since the memory began.
#[derive(Debug, Clone)]
pub enum Keep {
    /// An event as it is now; replaces what was written of it before.
    Event(Box<Event>),
    /// An event that was merged into another.
    Drop(NodeId),
    /// A picture.
    Picture {
        /// Its number.
        id: KeyframeId,
        /// The event it belongs to.
        event: NodeId,
        /// When it was taken.
        at: MediaTime,
        /// The encoded picture.
        jpeg: Bytes,
    },
    /// Everything in this span is to go, before anything that follows is written; `None`: everything there is.
    Forget(Option<Span>),
}

/// What a text is embedded for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EmbedFor {
    /// An event that ended or changed.
    Event(NodeId),
    /// The question of this response.
    Question(String),
}

/// Least time between two `memory.updated` events.
const UPDATE_EVERY: Duration = Duration::from_secs(1);
/// How long an answer waits for the embedding of its question: without it, words alone find what they can.
pub(crate) const EMBED_WAIT: Duration = Duration::from_millis(400);
/// What lies this near the middle of a time that was named is looked at first.
const NEAR: Duration = Duration::from_secs(10);
/// A stretch up to this long that is over is told as one moment, not as a list.
const MOMENT: Duration = Duration::from_secs(240);
/// Embeddings under way at one time; more events than that are found by their words alone.
const MOST_EMBEDDING: usize = 16;

/// The memory and what goes with it.
pub(crate) struct Remembering {
    pub(crate) memory: Memory,
    pub(crate) watches: Watches,
    /// What happened and was not told yet; at most one per watch and firing, so bounded by the watches' own rate.
    pub(crate) announcements: VecDeque<Fired>,
    pub(crate) setup: Kept,
    pub(crate) opened_at: MediaTime,
    pub(crate) archive: Option<ArchiveView>,
    pub(crate) embedding: usize,
    // What clients have not been told yet.
    pub(crate) changed: BTreeSet<NodeId>,
    pub(crate) removed: BTreeSet<NodeId>,
    pub(crate) merged: Vec<MergeView>,
    pub(crate) dirty: bool,
    pub(crate) told_at: Option<MediaTime>,
}

/// [`MemorySetup`] without the memory.
pub(crate) struct Kept {
    pub(crate) id: String,
    pub(crate) access_token: String,
    pub(crate) started_unix_ms: i64,
    pub(crate) elapsed: Duration,
    pub(crate) utc_offset_minutes: i32,
    pub(crate) enabled: bool,
    pub(crate) archived: bool,
}

impl Remembering {
    pub(crate) fn new(setup: MemorySetup, opened_at: MediaTime) -> Self {
        let MemorySetup { memory, id, access_token, started_unix_ms, elapsed, utc_offset_minutes, enabled, archived } =
            setup;
        Self {
            memory,
            watches: Watches::default(),
            announcements: VecDeque::new(),
            setup: Kept { id, access_token, started_unix_ms, elapsed, utc_offset_minutes, enabled, archived },
            opened_at,
            archive: None,
            embedding: 0,
            changed: BTreeSet::new(),
            removed: BTreeSet::new(),
            merged: Vec::new(),
            dirty: false,
            told_at: None,
        }
    }

    /// A point of the process's clock on the memory's.
    pub(crate) fn time(&self, at: MediaTime) -> MediaTime {
        MediaTime::ZERO + self.setup.elapsed + at.since(self.opened_at)
    }

    /// Facts with their times on the memory's clock.
    fn facts(&self, facts: &SceneFacts) -> SceneFacts {
        let mut facts = facts.clone();
        facts.at = self.time(facts.at);
        for o in &mut facts.objects {
            (o.first_seen, o.last_seen) = (self.time(o.first_seen), self.time(o.last_seen));
        }
        facts.labels.iter_mut().for_each(|l| l.at = self.time(l.at));
        facts.texts.iter_mut().for_each(|t| t.at = self.time(t.at));
        facts.changes.iter_mut().for_each(|c| c.at = self.time(c.at));
        facts
    }

    /// What the memory covers.
    pub(crate) fn watched(&self) -> Option<Span> {
        let mut events = self.memory.events();
        let first = events.next()?.span;
        Some(events.last().map_or(first, |last| Span { start: first.start, end: last.span.end }))
    }

    fn when(&self, now: MediaTime) -> When {
        let wall_clock = Some(WallClock {
            unix_ms_at_zero: self.setup.started_unix_ms,
            utc_offset_minutes: self.setup.utc_offset_minutes,
        });
        When { now: self.time(now), wall_clock }
    }

    fn next_update(&self) -> Option<MediaTime> {
        self.dirty.then(|| self.told_at.map_or(MediaTime::ZERO, |at| at + UPDATE_EVERY))
    }
}

impl Conversation {
    pub(crate) fn memory_deadline(&self) -> Option<MediaTime> {
        self.memory.next_update().filter(|_| self.config.wants(Extension::Memory))
    }

    /// A look at a kept frame, with what it takes to find it again.
    pub(crate) fn on_look(
        &mut self,
        facts: Arc<SceneFacts>,
        image: Option<Arc<[f32]>>,
        jpeg: Option<Bytes>,
        now: MediaTime,
        out: &mut Vec<Output>,
    ) {
        let shifted = Arc::new(self.memory.facts(&facts));
        let at = shifted.at;
        let ops = self.memory.memory.see(at, Look { facts: Arc::clone(&shifted), image, keyframe: jpeg });
        self.apply_ops(ops, out);
        self.on_scene(facts, now, out);
        self.fire_watches(&shifted, now, out);
    }

    /// Words of either side go into the memory.
    pub(crate) fn remember_words(&mut self, who: Speaker, text: &str, now: MediaTime, out: &mut Vec<Output>) {
        if !text.trim().is_empty() {
            let said = Said { at: self.memory.time(now), who, text: text.trim().to_owned() };
            let ops = self.memory.memory.hear(said);
            self.apply_ops(ops, out);
        }
    }

    pub(crate) fn memory_time_passed(&mut self, now: MediaTime, out: &mut Vec<Output>) {
        let ops = self.memory.memory.tick(self.memory.time(now));
        self.apply_ops(ops, out);
        if self.memory.next_update().is_some_and(|at| at <= now) && self.config.wants(Extension::Memory) {
            self.send_memory_update(now, out);
        }
    }

    /// What changed is told to clients, to the archive and to the encoder of texts.
    pub(crate) fn apply_ops(&mut self, ops: Vec<Op>, out: &mut Vec<Output>) {
        if !self.memory.setup.enabled {
            return;
        }
        self.memory.dirty |= !ops.is_empty();
        let mut keep = Vec::new();
        for op in ops {
            match op {
                Op::Opened(node) | Op::Changed(node) => self.note_changed(node, &mut keep),
                Op::Closed(node) | Op::Moved { node, .. } => {
                    self.note_changed(node, &mut keep);
                    self.embed_event(node, out);
                }
                Op::Kept { node, keyframe } => {
                    if let Some(k) = self.memory.memory.keyframe(keyframe) {
                        keep.push(Keep::Picture { id: keyframe, event: node, at: k.at, jpeg: k.jpeg.clone() });
                    }
                }
                Op::Merged { into, from, .. } => {
                    for gone in from.into_iter().filter(|n| *n != into) {
                        self.note_removed(gone, &mut keep);
                    }
                    let from = from.map(memory_view::node_id);
                    self.memory.merged.push(MergeView { into: memory_view::node_id(into), from });
                    self.note_changed(into, &mut keep);
                    self.embed_event(into, out);
                }
                Op::Forgot { nodes, .. } => nodes.into_iter().for_each(|n| self.note_removed(n, &mut keep)),
            }
        }
        if self.memory.setup.archived && !keep.is_empty() {
            out.push(Output::Keep(keep));
        }
    }

    fn note_changed(&mut self, node: NodeId, keep: &mut Vec<Keep>) {
        self.memory.changed.insert(node);
        if self.memory.setup.archived
            && let Some(event) = self.memory.memory.event(node)
        {
            keep.push(Keep::Event(Box::new(event.clone())));
        }
    }

    fn note_removed(&mut self, node: NodeId, keep: &mut Vec<Keep>) {
        self.memory.changed.remove(&node);
        self.memory.removed.insert(node);
        keep.push(Keep::Drop(node));
    }

    fn embed_event(&mut self, node: NodeId, out: &mut Vec<Output>) {
        if self.memory.embedding >= MOST_EMBEDDING {
            return;
        }
        if let Some(event) = self.memory.memory.event(node) {
            let text = event.caption.clone();
            if !text.is_empty() {
                self.memory.embedding += 1;
                out.push(Output::Embed { what: EmbedFor::Event(node), text });
            }
        }
    }

    pub(crate) fn on_embedded(
        &mut self,
        what: EmbedFor,
        result: Result<Arc<[f32]>, String>,
        now: MediaTime,
        out: &mut Vec<Output>,
    ) {
        match what {
            EmbedFor::Event(node) => {
                self.memory.embedding = self.memory.embedding.saturating_sub(1);
                if let Ok(vector) = result {
                    self.memory.memory.set_text_embedding(node, &vector);
                }
            }
            EmbedFor::Question(id) => {
                if let Some(answer) = self.answers.iter_mut().find(|a| a.id == id) {
                    answer.intent = Some(result.ok());
                }
                self.advance(&id, now, out);
            }
        }
    }

    pub(crate) fn on_archive(&mut self, view: ArchiveView) {
        self.memory.dirty |= self.memory.archive != Some(view);
        self.memory.archive = Some(view);
    }

    /// How the question is meant in time.
    pub(crate) fn routed(&self, question: &str, now: MediaTime) -> Routed {
        route(question, &self.memory.when(now))
    }

    /// What memory finds for a question.
    pub(crate) fn recall(&self, routed: &Routed, intent: Option<&[f32]>, now: MediaTime) -> (Recollected, Vec<Hit>) {
        let (span, mem_now) = (self.resolve(routed), self.memory.time(now));
        let fit = |label: &str| best_fit(&routed.content, label);
        // A question that names nothing has no meaning to search by: then the time alone decides.
        let names = !routed.content.is_empty();
        let query = Query {
            span,
            words: &routed.content,
            text: intent.filter(|_| names),
            image: None,
            fit: names.then_some(&fit),
            most: crate::memory::MOST_RECALLED,
            order: routed.order,
        };
        let about_then = span.is_some_and(|s| is_about_then(s, mem_now));
        let mut hits = self.recall_near(&query, about_then);
        if !self.memory.setup.enabled {
            hits.retain(|h| h.tier == Tier::Live);
        }
        let routed = Routed { span, ..routed.clone() };
        let moment = about_then || span.is_some_and(|s| s.length() <= MOMENT && s.end < mem_now);
        let recollected = recollect(&Question { routed: &routed, moment, now: mem_now }, &hits, self.memory.watched());
        (recollected, hits)
    }

    /// `Ten minutes ago` is about right: what lies near the middle is meant before what lies at the edges.
    fn recall_near(&self, query: &Query<'_>, about_then: bool) -> Vec<Hit> {
        let named = query.span.filter(|s| about_then && query.words.is_empty() && s.length() > NEAR * 2);
        if let Some(span) = named {
            let near = Span::new(span.middle().saturating_sub(NEAR), span.middle() + NEAR);
            let hits = self.memory.memory.recall(&Query { span: Some(near), ..*query }).hits;
            if hits.iter().any(|h| !h.digest.is_empty() || !h.said.is_empty()) {
                return hits;
            }
        }
        self.memory.memory.recall(query).hits
    }

    /// What was told about a thing that cannot be seen now.
    pub(crate) fn recall_told(&self, routed: &Routed, now: MediaTime) -> Option<(Recollected, Vec<Hit>)> {
        let fit = |label: &str| best_fit(&routed.content, label);
        let query = Query {
            span: None,
            words: &routed.content,
            text: None,
            image: None,
            fit: Some(&fit),
            most: crate::memory::MOST_RECALLED,
            order: crate::memory::Order::Last,
        };
        let hits = self.memory.memory.recall(&query).hits;
        let told = recollect_told(routed, &hits, self.memory.time(now))?;
        Some((told, hits))
    }

    /// The span of a question, with `before I showed the cup` resolved against what is remembered of the cup.
    fn resolve(&self, routed: &Routed) -> Option<Span> {
        let Some(anchor) = &routed.anchor else { return routed.span };
        let (what, _) = anchor.parts();
        let words = super::question::words(what);
        let fit = |label: &str| best_fit(&words, label);
        let query = Query {
            span: None,
            words: &words,
            text: None,
            image: None,
            fit: Some(&fit),
            most: 1,
            order: crate::memory::Order::Last,
        };
        let found = self.memory.memory.recall(&query).hits.into_iter().next()?;
        let watched = self.memory.watched()?;
        Some(anchor.span_around(found.span, watched))
    }
}

/// Whether a span is the slack around a moment that was named by its age (`route`: 15 %, at least a minute), not a stretch with bounds.
fn is_about_then(span: Span, now: MediaTime) -> bool {
    let age = now.since(span.middle());
    let slack = if age < Duration::from_secs(120) {
        (age / 4).max(Duration::from_secs(8))
    } else {
        (age * 3 / 20).max(Duration::from_secs(60))
    };
    let half = span.length() / 2;
    span.end < now && half.abs_diff(slack) < Duration::from_secs(2)
}

/// How well a label fits any of the content words, `0.0..=1.0`.
fn best_fit(words: &[String], label: &str) -> f32 {
    let fit = |w: &String| match nouns::fit(w, label, &[]) {
        Some(nouns::Fit::Same) => 1.0,
        Some(nouns::Fit::KindOf) => 0.8,
        Some(nouns::Fit::Narrower) => 0.3,
        None => 0.0_f32,
    };
    words.iter().map(fit).fold(0.0, f32::max)
}

/// The name of a route in `response.memory`.
pub(crate) const fn route_name(route: Route) -> &'static str {
    match route {
        Route::Now => "now",
        Route::Recent => "recent",
        Route::Past => "past",
        Route::Interval => "interval",
        Route::NotVisual => "not_visual",
        Route::WatchFor => "watch_for",
    }
}
