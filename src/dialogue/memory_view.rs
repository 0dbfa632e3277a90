//! The memory as clients see it.

use super::watchfor::{Watch, Watches};
use crate::base::MediaTime;
use crate::memory::{Child, Event, Hit, Keyframe, KeyframeId, Memory, NodeId, Said, Span, Speaker, Tier, TierUse};
use crate::wire::{
    ArchiveView, ChildView, CitationView, EventView, IntervalView, KeyframeView, SaidView, TierView, TiersView,
    TimelineView, WatchView,
};

/// `ev_12`.
pub(crate) fn node_id(id: NodeId) -> String {
    format!("ev_{}", id.0)
}

/// `kf_34`.
pub(crate) fn keyframe_id(id: KeyframeId) -> String {
    format!("kf_{}", id.0)
}

pub(crate) fn interval(span: Span) -> IntervalView {
    IntervalView { start_ms: span.start.as_millis(), end_ms: span.end.as_millis() }
}

fn keyframe(k: &Keyframe) -> KeyframeView {
    KeyframeView { id: keyframe_id(k.id), at_ms: k.at.as_millis() }
}

fn said(s: &Said) -> SaidView {
    let who = match s.who {
        Speaker::Person => "person",
        Speaker::Sightline => "sightline",
    };
    SaidView { at_ms: s.at.as_millis(), who, text: s.text.clone() }
}

fn child(c: &Child) -> ChildView {
    ChildView {
        id: node_id(c.id),
        start_ms: c.span.start.as_millis(),
        end_ms: c.span.end.as_millis(),
        caption: c.caption.clone(),
        keyframe: c.keyframe.as_ref().map(keyframe),
    }
}

fn view(memory: &Memory, e: &Event) -> EventView {
    let tier = match memory.tier_of(e.id) {
        Some(Tier::LongTerm) => "long_term",
        Some(Tier::Episodic) => "episodic",
        _ => "open",
    };
    EventView {
        id: node_id(e.id),
        tier,
        start_ms: e.span.start.as_millis(),
        end_ms: e.span.end.as_millis(),
        caption: e.caption.clone(),
        said: e.said.iter().map(said).collect(),
        keyframes: e.keyframes.iter().map(keyframe).collect(),
        depth: e.depth,
        children: e.children.iter().map(child).collect(),
    }
}

/// One event; `None` when it is no more.
pub(crate) fn event(memory: &Memory, id: NodeId) -> Option<EventView> {
    memory.event(id).map(|e| view(memory, e))
}

/// All of them, oldest first.
pub(crate) fn events(memory: &Memory) -> Vec<EventView> {
    memory.events().map(|e| view(memory, e)).collect()
}

pub(crate) fn tiers(memory: &Memory, archive: Option<ArchiveView>) -> TiersView {
    let tier = |t: TierUse| TierView { items: t.items, capacity: t.capacity, bytes: t.bytes };
    let tiers = memory.tiers();
    TiersView {
        live: tier(tiers.live),
        working: tier(tiers.working),
        episodic: tier(tiers.episodic),
        long_term: tier(tiers.long_term),
        archive,
    }
}

/// Events and tiers; the rest is the session's.
#[must_use]
pub fn timeline(memory: &Memory, archive: Option<ArchiveView>) -> TimelineView {
    TimelineView { tiers: tiers(memory, archive), events: events(memory), ..TimelineView::default() }
}

/// What an answer rests on; the seconds of one event as one. What has no picture of its own is shown by its event's.
pub(crate) fn citations<'a>(hits: impl Iterator<Item = &'a Hit>, memory: &Memory) -> Vec<CitationView> {
    let mut out: Vec<(Option<NodeId>, CitationView)> = Vec::new();
    for hit in hits {
        let next = citation(hit);
        match out.iter_mut().find(|(event, _)| event.is_some() && *event == hit.event) {
            Some((_, known)) => {
                known.start_ms = known.start_ms.min(next.start_ms);
                known.end_ms = known.end_ms.max(next.end_ms);
                known.similarity = known.similarity.max(next.similarity);
                let new: Vec<_> = next.keyframes.into_iter().filter(|k| !known.keyframes.contains(k)).collect();
                known.keyframes.extend(new);
            }
            None => out.push((hit.event, next)),
        }
    }
    for (event, view) in out.iter_mut().filter(|(_, view)| view.keyframes.is_empty()) {
        let first = event.and_then(|e| memory.event(e)?.keyframes.first());
        view.keyframes.extend(first.map(|k| keyframe_id(k.id)));
    }
    out.into_iter().map(|(_, view)| view).collect()
}

fn citation(hit: &Hit) -> CitationView {
    CitationView {
        event_id: hit.event.map(node_id),
        start_ms: hit.span.start.as_millis(),
        end_ms: hit.span.end.as_millis(),
        keyframes: hit.keyframes.iter().copied().map(keyframe_id).collect(),
        similarity: (hit.similarity * 1_000.0).round() / 1_000.0,
    }
}

pub(crate) fn watch(w: &Watch) -> WatchView {
    WatchView {
        id: w.id().to_owned(),
        condition: w.condition().describe(),
        created_ms: w.created().as_millis(),
        fired: w.fired(),
        once: w.once(),
    }
}

pub(crate) fn watches(list: &Watches) -> Vec<WatchView> {
    list.iter().map(watch).collect()
}

/// `kf_34` as a number.
#[must_use]
pub fn parse_keyframe_id(text: &str) -> Option<KeyframeId> {
    text.strip_prefix("kf_").filter(|n| n.len() <= 20).and_then(|n| n.parse().ok()).map(KeyframeId)
}

/// Milliseconds as a point of the memory's time.
pub(crate) const fn at_millis(ms: u64) -> MediaTime {
    MediaTime::from_millis(ms)
}
