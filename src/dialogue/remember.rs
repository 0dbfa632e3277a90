//! The conversation's memory: looks and words go in, questions about the past are answered from it, watches fire from it.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::Output;
use super::conversation::Conversation;
use super::items::Item;
use super::memory_view;
use super::route::{Route, WallClock, When};
use super::watchfor::{Fired, Watches};
use crate::base::MediaTime;
use crate::memory::{Event, KeyframeId, Look, Memory, NodeId, Op, Said, Span, Speaker};
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
    /// The newest look's vector, by which what is to be seen now is found again.
    pub(crate) view: Option<Arc<[f32]>>,
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
            view: None,
            changed: BTreeSet::new(),
            removed: BTreeSet::new(),
            merged: Vec::new(),
            dirty: false,
            told_at: None,
        }
    }

    /// When an item was said, on the memory's clock.
    pub(crate) fn said_at(&self, item: &Item) -> MediaTime {
        item.said_at.unwrap_or_else(|| self.time(item.at))
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

    pub(crate) fn when(&self, now: MediaTime) -> When {
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
        self.memory.view.clone_from(&image);
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
