//! The conversation's memory: looks and words go in, questions about the past are answered from it, watches fire from it.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::conversation::Conversation;
use super::memory_view;
use super::recollect::{Recollected, recollect, recollect_told};
use super::route::{Command, Route, Routed, WallClock, When, route};
use super::watchfor::{Fired, Watches};
use super::{Output, nouns};
use crate::base::MediaTime;
use crate::memory::{Event, Hit, KeyframeId, Look, Memory, NodeId, Op, Query, Said, Span, Speaker, Tier};
use crate::watch::SceneFacts;
use crate::wire::{ArchiveView, EventView, Extension, MergeView, ServerBody, TimelineView};

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
/// What lies this near the middle of a time that was named is looked at first …
const NEAR: Duration = Duration::from_secs(10);
/// … if the time was meant as a moment, however long ago: nine minutes to either side of "an hour ago".
const MOMENT: Duration = Duration::from_secs(20 * 60);
/// Events of the timeline in one message: the largest are some 6 KB, and browsers take messages of up to 256 KiB.
const EVENTS_AT_ONCE: usize = 32;
/// Embeddings under way at one time; more events than that are found by their words alone.
const MOST_EMBEDDING: usize = 16;

/// The memory and what goes with it.
pub(crate) struct Remembering {
    pub(crate) memory: Memory,
    pub(crate) watches: Watches,
    /// What happened and was not told yet; at most one per watch and firing, so bounded by the watches' own rate.
    pub(crate) announcements: VecDeque<Fired>,
    setup: Kept,
    opened_at: MediaTime,
    archive: Option<ArchiveView>,
    embedding: usize,
    // What clients have not been told yet.
    changed: BTreeSet<NodeId>,
    removed: BTreeSet<NodeId>,
    merged: Vec<MergeView>,
    dirty: bool,
    told_at: Option<MediaTime>,
}

/// [`MemorySetup`] without the memory.
struct Kept {
    id: String,
    access_token: String,
    started_unix_ms: i64,
    elapsed: Duration,
    utc_offset_minutes: i32,
    enabled: bool,
    archived: bool,
}

impl Remembering {
    pub(crate) fn new(setup: MemorySetup, opened_at: MediaTime) -> Self {
        let MemorySetup { memory, id, access_token, started_unix_ms, elapsed, utc_offset_minutes, enabled, archived } = setup;
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
    pub(crate) fn on_look(&mut self, facts: Arc<SceneFacts>, image: Option<Arc<[f32]>>, jpeg: Option<Bytes>, now: MediaTime, out: &mut Vec<Output>) {
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
    fn apply_ops(&mut self, ops: Vec<Op>, out: &mut Vec<Output>) {
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

    pub(crate) fn on_embedded(&mut self, what: EmbedFor, result: Result<Arc<[f32]>, String>, now: MediaTime, out: &mut Vec<Output>) {
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

    fn send_memory_update(&mut self, now: MediaTime, out: &mut Vec<Output>) {
        let m = &mut self.memory;
        m.dirty = false;
        m.told_at = Some(now);
        let changed = std::mem::take(&mut m.changed);
        let changed: Vec<_> = changed.into_iter().filter_map(|n| memory_view::event(&m.memory, n)).collect();
        let removed = std::mem::take(&mut m.removed).into_iter().map(memory_view::node_id).collect();
        let merged = std::mem::take(&mut m.merged);
        for body in self.memory_updates(changed, removed, merged, now) {
            self.send_vendor(body, out);
        }
    }

    /// In events small enough for a data channel, whose messages browsers bound.
    fn memory_updates(
        &self,
        changed: Vec<EventView>,
        removed: Vec<String>,
        merged: Vec<MergeView>,
        now: MediaTime,
    ) -> Vec<ServerBody> {
        let m = &self.memory;
        let (now_ms, tiers) = (m.time(now).as_millis(), memory_view::tiers(&m.memory, m.archive));
        let body = |changed, removed, merged| ServerBody::MemoryUpdated {
            now_ms,
            tiers: Box::new(tiers),
            changed,
            removed,
            merged,
        };
        let mut parts = changed.chunks(EVENTS_AT_ONCE).map(<[EventView]>::to_vec);
        let mut bodies = vec![body(parts.next().unwrap_or_default(), removed, merged)];
        bodies.extend(parts.map(|part| body(part, Vec::new(), Vec::new())));
        bodies
    }

    /// A picture that is remembered.
    #[must_use]
    pub fn keyframe(&self, id: KeyframeId) -> Option<Bytes> {
        self.memory.memory.keyframe(id).map(|k| k.jpeg.clone()).filter(|jpeg| !jpeg.is_empty())
    }

    /// The whole timeline at once.
    #[must_use]
    pub fn timeline(&self, now: MediaTime) -> TimelineView {
        let m = &self.memory;
        TimelineView {
            memory_id: m.setup.id.clone(),
            access_token: m.setup.access_token.clone(),
            started_unix_ms: m.setup.started_unix_ms,
            now_ms: m.time(now).as_millis(),
            watches: memory_view::watches(&m.watches),
            ..memory_view::timeline(&m.memory, m.archive)
        }
    }

    /// The timeline for a client that has just come or asked: the newest events first, then the rest.
    pub(crate) fn timeline_bodies(&self, now: MediaTime) -> Vec<ServerBody> {
        let mut timeline = Box::new(self.timeline(now));
        let newest = timeline.events.len().saturating_sub(EVENTS_AT_ONCE);
        let older: Vec<_> = timeline.events.drain(..newest).collect();
        let mut bodies = vec![ServerBody::Timeline { timeline }];
        if !older.is_empty() {
            bodies.extend(self.memory_updates(older, Vec::new(), Vec::new(), now));
        }
        bodies
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
        let span = self.resolve(routed);
        let fit = |label: &str| best_fit(&routed.content, label);
        let query = Query {
            span,
            words: &routed.content,
            // The meaning of a question that names nothing is that of its empty words: then the time alone decides.
            text: intent.filter(|_| !routed.content.is_empty()),
            image: None,
            fit: Some(&fit),
            most: crate::memory::MOST_RECALLED,
            order: routed.order,
        };
        let mut hits = self.recall_near(&query);
        if !self.memory.setup.enabled {
            hits.retain(|h| h.tier == Tier::Live);
        }
        let routed = Routed { span, ..routed.clone() };
        let recollected = recollect(&routed, &hits, self.memory.watched(), self.memory.time(now));
        (recollected, hits)
    }

    /// A time that somebody names is about right: what lies near its middle is meant before what lies at its edges.
    fn recall_near(&self, query: &Query<'_>) -> Vec<Hit> {
        let named = query.span.filter(|s| query.words.is_empty() && s.length() > NEAR * 2 && s.length() < MOMENT);
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

    /// Does what a question orders; the words say what became of it.
    pub(crate) fn obey(&mut self, command: &Command, now: MediaTime, out: &mut Vec<Output>) -> Recollected {
        let mem_now = self.memory.time(now);
        let (span, words) = match command {
            Command::ForgetLast(last) => {
                let from = mem_now.saturating_sub(*last);
                (Some(Span { start: from, end: mem_now }), "I have forgotten that time")
            }
            Command::ForgetSpan(span) => (Some(*span), "I have forgotten that time"),
            Command::ForgetAll => (None, "I have forgotten everything"),
            Command::StopWatching => return self.stop_watching(out),
        };
        let said = match command {
            Command::ForgetLast(last) => format!("I have forgotten the last {}", super::recollect::length(*last)),
            _ => words.to_owned(),
        };
        self.forget(span, now, out);
        Recollected::done(said)
    }

    /// Forgets what was seen and said, in memory, in the conversation and on disk.
    pub(crate) fn forget(&mut self, span: Option<Span>, now: MediaTime, out: &mut Vec<Output>) {
        let mem_now = self.memory.time(now);
        let whole = span.unwrap_or(Span { start: MediaTime::ZERO, end: mem_now });
        let ops = self.memory.memory.forget(whole);
        let (mut events, mut keyframes) = (0, 0);
        for op in &ops {
            if let Op::Forgot { nodes, keyframes: k, .. } = op {
                events += nodes.len();
                keyframes += k.len();
            }
        }
        // The archive forgets first, so that what is written after it stays written.
        if self.memory.setup.archived {
            out.push(Output::Keep(vec![Keep::Forget(span)]));
        }
        self.apply_ops(ops, out);
        self.forget_items(whole, out);
        self.forget_warmed();
        let (start_ms, end_ms) = (whole.start.as_millis(), whole.end.as_millis());
        self.send_vendor(ServerBody::Forgotten { start_ms, end_ms, events, keyframes }, out);
    }

    /// Items of the conversation that were said in the span; what is being answered now stays.
    fn forget_items(&mut self, span: Span, out: &mut Vec<Output>) {
        let last = self.items.last_id();
        let gone: Vec<_> = self
            .items
            .iter()
            .filter(|i| span.contains(self.memory.time(i.at)) && Some(&i.view.id) != last.as_ref())
            .map(|i| i.view.id.clone())
            .collect();
        for item_id in gone {
            self.items.remove(&item_id);
            self.send(ServerBody::ItemDeleted { item_id }, out);
        }
    }
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
