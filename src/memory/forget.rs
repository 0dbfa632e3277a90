//! Forgetting: what was in a span goes for good, and what cannot be told apart from it goes too.
//!
//! An event that lies wholly inside is gone. One that reaches in is cut: pictures, words and changes inside go, things keep only what is
//! known of them outside, and whatever was averaged over the whole (embeddings, colours, brightness) goes, because it holds a trace.
//! A hole in the middle of an event leaves two. Looks and words from inside that arrive later are refused.

use super::Memory;
use super::event::{Child, Event, Keyframe};
use super::open::Open;
use super::ops::Op;
use super::past::{compact, rebuild};
use super::span::{KeyframeId, NextIds, NodeId, Span, after};

impl Memory {
    /// Forgets everything from `span.start` to `span.end`, **both included**: who wants everything up to now forgotten means now too. An
    /// end later than any time the memory knows stands for now. Afterwards no picture, fact or word carries a time of the span (the interval
    /// of a root, or of children that had to be joined across the hole, may still run over it, and holds nothing of it), and
    /// no text read or thing known only then is left. Events that were cut, and new ones that the cut made, come back as [`Op::Changed`]
    /// and [`Op::Closed`], so that they are embedded and written down anew; children of roots are found by their words from then on.
    pub fn forget(&mut self, span: Span) -> Vec<Op> {
        let gone = Span { start: span.start.min(span.end), end: after(span.end.max(span.start)) };
        self.horizon = self.horizon.max(gone.end.min(after(self.known.max(self.newest))));
        self.held = None;
        self.before = None;
        let mut keyframes: Vec<KeyframeId> =
            self.all_keyframes().filter(|k| gone.contains(k.at)).map(|k| k.id).collect();
        keyframes.sort_unstable();
        keyframes.dedup();
        self.recent.forget(gone);
        let mut nodes = Vec::new();
        let mut changed = Vec::new();
        self.forget_roots(gone, &mut nodes, &mut changed);
        self.forget_episodic(gone, &mut nodes, &mut changed);
        self.forget_open(gone, &mut nodes, &mut changed);
        let mut ops = vec![Op::Forgot { nodes, keyframes, span }];
        // What the cut made is told before it may move or merge.
        let fresh: Vec<NodeId> = changed.iter().copied().filter(|id| self.event(*id).is_some()).collect();
        ops.extend(fresh.into_iter().map(Op::Changed));
        let mut made = Vec::new();
        self.past.settle(&self.config, &mut self.ids, &mut made);
        self.past.settle_roots(&self.config, &mut self.ids, &mut made);
        changed.extend(made.iter().filter_map(|op| if let Op::Merged { into, .. } = op { Some(*into) } else { None }));
        ops.extend(made);
        let open = self.open.as_ref().map(|o| o.event.id);
        for id in changed.into_iter().filter(|id| self.event(*id).is_some()) {
            ops.push(Op::Changed(id));
            if Some(id) != open {
                ops.push(Op::Closed(id));
            }
        }
        ops
    }

    /// Every picture there is; one that two tiers hold comes twice.
    pub(super) fn all_keyframes(&self) -> impl Iterator<Item = &Keyframe> {
        self.events().flat_map(Event::pictures).chain(self.recent.keyframes())
    }

    fn forget_roots(&mut self, gone: Span, nodes: &mut Vec<NodeId>, changed: &mut Vec<NodeId>) {
        let roots = std::mem::take(&mut self.past.roots);
        for mut root in roots {
            if !root.span.overlaps(gone) {
                self.past.roots.push(root);
            } else if root.children.is_empty() {
                self.past.roots.extend(cut(root, gone, &mut self.ids, nodes, changed));
            } else {
                let children = std::mem::take(&mut root.children);
                let before = children.len();
                let mut touched = false;
                for child in children {
                    if child.span.overlaps(gone) {
                        touched = true;
                        root.children.extend(cut_child(child, gone, &mut self.ids, nodes));
                    } else {
                        root.children.push(child);
                    }
                }
                if root.children.is_empty() {
                    nodes.push(root.id);
                    continue;
                }
                if touched || root.children.len() != before {
                    compact(&mut root.children, self.config.children);
                    rebuild(&mut root);
                    changed.push(root.id);
                }
                self.past.roots.push(root);
            }
        }
    }

    fn forget_episodic(&mut self, gone: Span, nodes: &mut Vec<NodeId>, changed: &mut Vec<NodeId>) {
        if !self.past.episodic.iter().any(|e| e.span.overlaps(gone)) {
            return;
        }
        for event in std::mem::take(&mut self.past.episodic) {
            if event.span.overlaps(gone) {
                self.past.episodic.extend(cut(event, gone, &mut self.ids, nodes, changed));
            } else {
                self.past.episodic.push_back(event);
            }
        }
    }

    /// What of the open event lies after the span stays open; what lies before is closed.
    fn forget_open(&mut self, gone: Span, nodes: &mut Vec<NodeId>, changed: &mut Vec<NodeId>) {
        let Some(open) = self.open.take_if(|o| o.event.span.overlaps(gone)) else { return };
        for part in cut(open.event.clone(), gone, &mut self.ids, nodes, changed) {
            if part.span.start >= gone.end {
                self.open = Some(Open::resumed(part, &open));
            } else {
                self.past.episodic.push_back(part);
            }
        }
    }
}

/// The parts of `span` before and after `gone`.
fn remains(span: Span, gone: Span) -> [Option<Span>; 2] {
    let before = (span.start < gone.start).then(|| Span { start: span.start, end: span.end.min(gone.start) });
    let after = (gone.end < span.end).then(|| Span { start: span.start.max(gone.end), end: span.end });
    [before, after]
}

/// What remains of an event that was never merged: none, one or two.
fn cut(event: Event, gone: Span, ids: &mut NextIds, nodes: &mut Vec<NodeId>, changed: &mut Vec<NodeId>) -> Vec<Event> {
    let parts: Vec<Span> = remains(event.span, gone).into_iter().flatten().collect();
    if parts.is_empty() {
        nodes.push(event.id);
    }
    let make = |(i, span): (usize, &Span)| {
        let mut part = event.clone();
        part.id = if i == 0 { event.id } else { ids.node() };
        part.span = *span;
        part.keyframes.retain(|k| span.contains(k.at));
        part.digest.cut_to(*span);
        part.said.retain(|s| span.contains(s.at));
        (part.image, part.text) = (None, None);
        part.recaption();
        part.shrink();
        changed.push(part.id);
        part
    };
    parts.iter().enumerate().map(make).collect()
}

/// The same for a child.
fn cut_child(child: Child, gone: Span, ids: &mut NextIds, nodes: &mut Vec<NodeId>) -> Vec<Child> {
    let parts: Vec<Span> = remains(child.span, gone).into_iter().flatten().collect();
    if parts.is_empty() {
        nodes.push(child.id);
    }
    let make = |(i, span): (usize, &Span)| {
        let mut part = child.clone();
        part.id = if i == 0 { child.id } else { ids.node() };
        part.span = *span;
        part.keyframe = part.keyframe.filter(|k| span.contains(k.at));
        part.digest.cut_to(*span);
        part.digest.shrink();
        part.said.retain(|s| span.contains(s.at));
        part.said.shrink_to_fit();
        (part.image, part.text) = (None, None);
        part.recaption();
        part
    };
    parts.iter().enumerate().map(make).collect()
}
