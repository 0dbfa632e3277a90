//! The episodic tier and the roots of the long-term tier: one thing moves per overflow, and one pair merges per overflow.
//!
//! Source: OASIS (CVPR 2026), event tree: of the adjacent roots the pair with the highest `cos(e_j, e_k) − 0.1·(depth_j + depth_k)` merges.
//! Embeddings are averaged by count as in MA-LMM (CVPR 2024). Differs: a root keeps up to sixteen children with time, picture, facts and
//! embeddings, which are recalled by themselves, where OASIS summarises; and without embeddings the names that both know stand in.

use std::collections::VecDeque;

use super::config::Config;
use super::digest::Digest;
use super::event::{Child, Event, Keyframe, put_said};
use super::ops::{Op, Tier, TierUse};
use super::span::{NextIds, NodeId};
use super::vector::{Scratch, mean};

/// Children with a hole between them (a gap, or something forgotten) are merged only when nothing else can be.
const HOLE: f32 = 2.0;

/// Everything that has ended.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Past {
    /// Oldest first.
    pub(super) episodic: VecDeque<Event>,
    /// Oldest first, all before the first of `episodic`.
    pub(super) roots: Vec<Event>,
}

impl Past {
    /// Takes in a closed event that is later than all others. At most one event moves and one pair of roots merges.
    pub(super) fn insert(&mut self, event: Event, config: &Config, ids: &mut NextIds, ops: &mut Vec<Op>) {
        self.episodic.push_back(event);
        self.settle(config, ids, ops);
    }

    /// Moves the oldest event into the roots while there are too many: once per insertion.
    pub(super) fn settle(&mut self, config: &Config, ids: &mut NextIds, ops: &mut Vec<Op>) {
        while self.episodic.len() > config.events {
            let Some(oldest) = self.episodic.pop_front() else { return };
            ops.push(Op::Moved { node: oldest.id, tier: Tier::LongTerm });
            self.roots.push(oldest);
            self.settle_roots(config, ids, ops);
        }
    }

    /// Merges one pair per root too many.
    pub(super) fn settle_roots(&mut self, config: &Config, ids: &mut NextIds, ops: &mut Vec<Op>) {
        while self.roots.len() > config.roots.max(1) {
            let at = self.most_alike(config);
            let newer = self.roots.remove(at + 1);
            let older = std::mem::replace(&mut self.roots[at], Event::new(NodeId(0), newer.span));
            let from = [older.id, newer.id];
            let root = merge(ids.node(), older, newer, config);
            ops.push(Op::Merged { into: root.id, from, depth: root.depth });
            self.roots[at] = root;
        }
    }

    /// The first of the two adjacent roots to merge; the oldest pair when several are as good.
    fn most_alike(&self, config: &Config) -> usize {
        let mut scratch = Scratch::default();
        let mut best = (0, f32::NEG_INFINITY);
        for (i, pair) in self.roots.windows(2).enumerate() {
            let depth = f32::from(pair[0].depth) + f32::from(pair[1].depth);
            let score =
                likeness(&Part::event(&pair[0]), &Part::event(&pair[1]), &mut scratch) - config.depth_penalty * depth;
            if score > best.1 {
                best = (i, score);
            }
        }
        best.0
    }

    pub(super) fn events(&self) -> impl Iterator<Item = &Event> {
        self.roots.iter().chain(&self.episodic)
    }

    pub(super) fn events_mut(&mut self) -> impl Iterator<Item = &mut Event> {
        self.roots.iter_mut().chain(&mut self.episodic)
    }

    pub(super) fn episodic_use(&self, config: &Config) -> TierUse {
        let spare = (self.episodic.capacity() - self.episodic.len()) * size_of::<Event>();
        let bytes = self.episodic.iter().map(Event::bytes).sum::<usize>();
        TierUse { items: self.episodic.len(), capacity: config.events, bytes: bytes + spare }
    }

    pub(super) fn long_term_use(&self, config: &Config) -> TierUse {
        let spare = (self.roots.capacity() - self.roots.len()) * size_of::<Event>();
        let bytes = self.roots.iter().map(Event::bytes).sum::<usize>();
        TierUse { items: self.roots.len(), capacity: config.roots, bytes: bytes + spare }
    }
}

/// Two adjacent roots as one, a level deeper.
fn merge(id: NodeId, older: Event, newer: Event, config: &Config) -> Event {
    let depth = older.depth.max(newer.depth).saturating_add(1);
    let mut root = Event::new(id, older.span.union(newer.span));
    root.depth = depth;
    root.children = children_of(older);
    root.children.extend(children_of(newer));
    compact(&mut root.children, config.children);
    rebuild(&mut root);
    root
}

/// A root's children; of a plain event, itself with its best picture.
fn children_of(event: Event) -> Vec<Child> {
    if !event.children.is_empty() {
        return event.children;
    }
    let keyframe = portrait(&event.keyframes, &event.digest).map(|i| event.keyframes[i].clone());
    let Event { id, span, caption, digest, said, image, text, .. } = event;
    vec![Child { id, span, keyframe, caption, digest, said, image, text }]
}

/// The picture that shows the most salient thing: the first that was taken while it was seen, or else the middle one.
pub(super) fn portrait(pictures: &[Keyframe], digest: &Digest) -> Option<usize> {
    let shown = digest.salient().first().and_then(|s| pictures.iter().position(|k| s.span().contains(k.at)));
    shown.or_else(|| (!pictures.is_empty()).then_some(pictures.len() / 2))
}

/// Merges adjacent children, the most alike first, until `most` are left. At most `most` merges, for two roots have at most twice that.
pub(super) fn compact(children: &mut Vec<Child>, most: usize) {
    if children.len() <= most {
        return;
    }
    let mut scratch = Scratch::default();
    let mut alike: Vec<f32> = children.windows(2).map(|p| child_likeness(&p[0], &p[1], &mut scratch)).collect();
    while children.len() > most.max(1) {
        let best = (0..alike.len()).max_by(|a, b| alike[*a].total_cmp(&alike[*b]).then(b.cmp(a))).unwrap_or(0);
        // The picture less like what stands next to it tells more.
        let left = best.checked_sub(1).map_or(0.0, |i| alike[i]);
        let right = alike.get(best + 1).copied().unwrap_or(0.0);
        let newer = children.remove(best + 1);
        join(&mut children[best], newer, left < right);
        alike.remove(best);
        if best > 0 {
            alike[best - 1] = child_likeness(&children[best - 1], &children[best], &mut scratch);
        }
        if best < alike.len() {
            alike[best] = child_likeness(&children[best], &children[best + 1], &mut scratch);
        }
    }
    children.shrink_to_fit();
}

/// Makes `older` stand for both. The older picture stays when it is wanted, or the only one.
fn join(older: &mut Child, newer: Child, keep_older_picture: bool) {
    let weight = |d: &Digest| weight(d.looks);
    let parts = || [(&*older, weight(&older.digest)), (&newer, weight(&newer.digest))];
    let image = mean(parts().into_iter().filter_map(|(c, w)| c.image.as_deref().map(|v| (v, w))));
    let text = mean(parts().into_iter().filter_map(|(c, w)| c.text.as_deref().map(|v| (v, w))));
    (older.image, older.text) = (image, text);
    older.span = older.span.union(newer.span);
    older.digest.merge(&newer.digest);
    older.digest.shrink();
    newer.said.into_iter().for_each(|s| put_said(&mut older.said, s));
    older.said.shrink_to_fit();
    if newer.keyframe.is_some() && !(keep_older_picture && older.keyframe.is_some()) {
        older.keyframe = newer.keyframe;
    }
    older.recaption();
}

/// Makes a root out of its children again: everything but its number, depth and children follows from them.
pub(super) fn rebuild(root: &mut Event) {
    root.keyframes = Vec::new();
    root.digest = Digest::default();
    root.said = Vec::new();
    for child in &root.children {
        root.span = if child.id == root.children[0].id { child.span } else { root.span.union(child.span) };
        root.digest.merge(&child.digest);
        child.said.iter().for_each(|s| put_said(&mut root.said, s.clone()));
    }
    let weighted = || root.children.iter().map(|c| (c, weight(c.digest.looks)));
    root.image = mean(weighted().filter_map(|(c, w)| c.image.as_deref().map(|v| (v, w))));
    root.text = mean(weighted().filter_map(|(c, w)| c.text.as_deref().map(|v| (v, w))));
    root.recaption();
    root.shrink();
}

fn weight(looks: u32) -> f32 {
    #[expect(clippy::cast_precision_loss, reason = "a weight, not a count")]
    let w = looks.max(1) as f32;
    w
}

/// What two events are compared by.
struct Part<'a> {
    digest: &'a Digest,
    image: Option<&'a [half::f16]>,
    text: Option<&'a [half::f16]>,
}

impl<'a> Part<'a> {
    fn event(e: &'a Event) -> Self {
        Self { digest: &e.digest, image: e.image.as_deref(), text: e.text.as_deref() }
    }
}

/// Cosine of what they look like; else of what is said of them; else the share of names that both know.
fn likeness(a: &Part<'_>, b: &Part<'_>, scratch: &mut Scratch) -> f32 {
    let cos =
        |x: Option<&[half::f16]>, y: Option<&[half::f16]>, s: &mut Scratch| x.zip(y).and_then(|(x, y)| s.between(x, y));
    cos(a.image, b.image, scratch)
        .or_else(|| cos(a.text, b.text, scratch))
        .unwrap_or_else(|| shared_names(a.digest, b.digest))
}

fn child_likeness(a: &Child, b: &Child, scratch: &mut Scratch) -> f32 {
    let (x, y) = (
        Part { digest: &a.digest, image: a.image.as_deref(), text: a.text.as_deref() },
        Part { digest: &b.digest, image: b.image.as_deref(), text: b.text.as_deref() },
    );
    likeness(&x, &y, scratch) - if a.span.end < b.span.start { HOLE } else { 0.0 }
}

#[expect(clippy::cast_precision_loss, reason = "at most sixteen names")]
fn shared_names(a: &Digest, b: &Digest) -> f32 {
    let both = a.things.iter().filter(|s| b.things.iter().any(|t| t.label == s.label)).count();
    let all = a.things.len() + b.things.len() - both;
    if all == 0 { 0.0 } else { both as f32 / all as f32 }
}
