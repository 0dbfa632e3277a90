//! A memory out of what the archive held. What comes from a disk is not trusted: every bound and order is made again.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, DefaultHasher};

use super::config::Config;
use super::digest::{Digest, string_bytes};
use super::event::{Child, Event, Keyframe, Said, bounded_said, bounded_vector, put_said};
use super::past::{compact, rebuild};
use super::span::{KeyframeId, NextIds, NodeId, Span};
use super::{Memory, text};

/// Captions that came from outside are cut at this.
const MOST_CAPTION_CHARS: usize = 600;

type Set<T> = HashSet<T, BuildHasherDefault<DefaultHasher>>;

/// Numbers that were met already.
#[derive(Default)]
struct Met {
    nodes: Set<NodeId>,
    keyframes: Set<KeyframeId>,
}

impl Memory {
    /// The memory of archived events, in any order. Whatever is doubled, out of order or out of bounds is put right: overlaps are cut off
    /// the later event, and more events than fit are merged as they would have been. Nothing is open, and the windows are empty.
    /// Numbers go on after the highest in `events`; see [`Memory::skip_ids`].
    #[must_use]
    pub fn restore(config: Config, events: Vec<Event>) -> Self {
        let mut memory = Self::new(config);
        if memory.config.events == 0 {
            return memory;
        }
        let mut met = Met::default();
        let mut events = events;
        events.sort_by_key(|e| (e.span.start, e.id));
        let mut from = Span::default().start;
        let mut sound = Vec::with_capacity(events.len());
        for event in events {
            if let Some(event) = bounded(event, from, &memory.config, &mut met) {
                from = event.span.end;
                sound.push(event);
            }
        }
        let nodes = met.nodes.iter().map(|n| n.0).max();
        let keyframes = met.keyframes.iter().map(|k| k.0).max();
        memory.skip_ids(NextIds { node: next(nodes), keyframe: next(keyframes) });
        let merged = sound.iter().rposition(|e| !e.children.is_empty()).map_or(0, |i| i + 1);
        let mut ops = Vec::new();
        for (i, event) in sound.into_iter().enumerate() {
            if i < merged {
                memory.past.roots.push(event);
                memory.past.settle_roots(&memory.config, &mut memory.ids, &mut ops);
            } else {
                memory.past.insert(event, &memory.config, &mut memory.ids, &mut ops);
            }
        }
        memory.newest = from;
        memory.known = from;
        memory
    }

    /// Makes sure that no number below `next` is given out again, e.g. one of something forgotten that a client may still know.
    pub fn skip_ids(&mut self, next: NextIds) {
        self.ids.node = self.ids.node.max(next.node);
        self.ids.keyframe = self.ids.keyframe.max(next.keyframe);
    }

    /// The numbers that would be given out next; for [`Memory::skip_ids`].
    #[must_use]
    pub const fn next_ids(&self) -> NextIds {
        self.ids
    }
}

fn next(highest: Option<u64>) -> u64 {
    highest.map_or(0, |h| h.saturating_add(1))
}

/// The part of a span from `from` on; `None` when nothing is left of it.
fn clipped(span: Span, from: crate::base::MediaTime) -> Option<Span> {
    let span = Span::new(span.start, span.end);
    let start = span.start.max(from);
    (start < span.end).then_some(Span { start, end: span.end })
}

fn bounded(e: Event, from: crate::base::MediaTime, config: &Config, met: &mut Met) -> Option<Event> {
    let span = clipped(e.span, from)?;
    if !met.nodes.insert(e.id) {
        return None;
    }
    let mut out = Event::new(e.id, span);
    out.depth = e.depth;
    if e.children.is_empty() {
        out.keyframes = e.keyframes.into_iter().filter_map(|k| picture(k, span, config, met)).collect();
        out.keyframes.sort_by_key(|k| (k.at, k.id));
        out.keyframes.truncate(config.keyframes_per_event);
        out.digest = digest(e.digest, span);
        out.said = said(&e.said, span);
        out.caption = caption(e.caption);
        (out.image, out.text) = (bounded_vector(e.image), bounded_vector(e.text));
        out.depth = 0;
        out.shrink();
        return Some(out);
    }
    let mut children = e.children;
    children.sort_by_key(|c| (c.span.start, c.id));
    let mut from = from;
    for c in children {
        if let Some(c) = child(c, from, e.id, config, met) {
            from = c.span.end;
            out.children.push(c);
        }
    }
    if out.children.is_empty() {
        return None;
    }
    compact(&mut out.children, config.children);
    rebuild(&mut out);
    Some(out)
}

/// Facts within their bounds; of those that a broken file puts outside the span, what is left of them inside.
fn digest(d: Digest, span: Span) -> Digest {
    let mut d = d.bounded();
    let ends = d.things.iter().flat_map(|s| [s.first, s.last]).chain(d.texts.iter().flat_map(|t| [t.first, t.last]));
    if !ends.chain(d.changes.iter().map(|c| c.at)).all(|t| span.contains(t)) {
        d.cut_to(span);
    }
    d
}

fn child(c: Child, from: crate::base::MediaTime, root: NodeId, config: &Config, met: &mut Met) -> Option<Child> {
    let span = clipped(c.span, from)?;
    if c.id != root && !met.nodes.insert(c.id) {
        return None;
    }
    Some(Child {
        id: c.id,
        span,
        keyframe: c.keyframe.and_then(|k| picture(k, span, config, met)),
        caption: caption(c.caption),
        digest: digest(c.digest, span),
        said: said(&c.said, span),
        image: bounded_vector(c.image),
        text: bounded_vector(c.text),
    })
}

fn picture(k: Keyframe, span: Span, config: &Config, met: &mut Met) -> Option<Keyframe> {
    let fits = span.contains(k.at) && k.jpeg.len() <= config.max_keyframe_bytes;
    (fits && met.keyframes.insert(k.id)).then_some(k)
}

fn said(turns: &[Said], span: Span) -> Vec<Said> {
    let mut out = Vec::new();
    for turn in turns.iter().filter(|s| span.contains(s.at)).filter_map(bounded_said) {
        put_said(&mut out, turn);
    }
    out.shrink_to_fit();
    out
}

fn caption(caption: String) -> String {
    let spare = string_bytes(&caption) > caption.len();
    if spare || caption.len() > MOST_CAPTION_CHARS { text::clip(&caption, MOST_CAPTION_CHARS) } else { caption }
}
