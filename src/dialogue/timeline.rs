//! The timeline as clients are told it, and what is taken out of it again.

use bytes::Bytes;

use super::conversation::Conversation;
use super::past_words::length;
use super::recollect::Recollected;
use super::remember::Keep;
use super::route::Command;
use super::{Output, memory_view};
use crate::base::MediaTime;
use crate::memory::{KeyframeId, Op, Span};
use crate::wire::{EventView, MergeView, ServerBody, TimelineView};

/// Events of the timeline in one message: the largest are some 6 KB, and browsers take messages of up to 256 KiB.
const EVENTS_AT_ONCE: usize = 32;

impl Conversation {
    pub(crate) fn send_memory_update(&mut self, now: MediaTime, out: &mut Vec<Output>) {
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
            Command::ForgetLast(last) => format!("I have forgotten the last {}", length(*last)),
            _ => words.to_owned(),
        };
        self.forget(span, now, out);
        Recollected::done(said)
    }

    /// Forgets what was seen and said, in memory, in the conversation and on disk.
    pub(crate) fn forget(&mut self, span: Option<Span>, now: MediaTime, out: &mut Vec<Output>) {
        let mem_now = self.memory.time(now);
        let whole = span.unwrap_or(Span { start: MediaTime::ZERO, end: mem_now });
        let ops = self.memory.memory.forget(span.unwrap_or(Span::ALWAYS));
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
        // The order itself, where it was said in words.
        let last = self.items.last_id().filter(|_| self.answers.iter().any(|a| a.in_conversation));
        let gone: Vec<_> = self
            .items
            .iter()
            .filter(|i| span.contains(self.memory.said_at(i)))
            .filter(|i| Some(&i.view.id) != last.as_ref())
            .map(|i| i.view.id.clone())
            .collect();
        for item_id in gone {
            self.items.remove(&item_id);
            self.send(ServerBody::ItemDeleted { item_id }, out);
        }
    }
}
