//! Tests of the memory: made-up streams, and what must hold whatever is shown.

mod events;
mod finding;
mod forgetting;
mod streams;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;

use super::{Config, Event, KeyframeId, Look, Memory, NodeId, Op, Said, Span, Speaker};
use crate::base::{BBox, MediaTime};
use crate::watch::{Change, ChangeFact, Colour, ColourShare, LabelFact, Motion, ObjectFact, SceneFacts, TextFact};

pub(super) fn ms(t: u64) -> MediaTime {
    MediaTime::from_millis(t)
}

pub(super) fn span(start_ms: u64, end_ms: u64) -> Span {
    Span { start: ms(start_ms), end: ms(end_ms) }
}

/// A vector of `dims` numbers that is nearly orthogonal for every other `scene`, and a little different for every `noise`.
pub(super) fn embedding(scene: u64, noise: u64, dims: usize) -> Arc<[f32]> {
    let number = |seed: u64, i: usize| {
        let mut h = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (i as u64).wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
        h ^= h >> 29;
        h = h.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        h ^= h >> 32;
        (h % 2_001) as f32 / 1_000.0 - 1.0
    };
    (0..dims).map(|i| number(scene + 1, i) + 0.1 * number(noise + 1_000_003, i)).collect()
}

/// Builds the facts of one look.
#[derive(Clone, Default)]
pub(super) struct Facts(pub(super) SceneFacts);

impl Facts {
    pub(super) fn at(t: MediaTime) -> Self {
        let colours = vec![ColourShare { colour: Colour::Grey, share: 0.8 }];
        Self(SceneFacts { at: t, colours, brightness: 0.5, ..SceneFacts::default() })
    }

    pub(super) fn object(mut self, label: &str, confidence: f32, colour: Option<Colour>, bbox: BBox) -> Self {
        let at = self.0.at;
        self.0.objects.push(ObjectFact {
            track: self.0.objects.len() as u32,
            label: label.to_owned(),
            confidence,
            bbox,
            colour: colour.map(|colour| ColourShare { colour, share: 0.7 }),
            motion: Motion::Still,
            first_seen: at,
            last_seen: at,
        });
        self
    }

    pub(super) fn label(mut self, label: &str, broader: &[&str], confidence: f32) -> Self {
        let at = self.0.at;
        let broader = broader.iter().map(ToString::to_string).collect();
        self.0.labels.push(LabelFact { label: label.to_owned(), broader, confidence, bbox: BBox::FULL, at });
        self
    }

    pub(super) fn text(mut self, text: &str, confidence: f32) -> Self {
        let at = self.0.at;
        self.0.texts.push(TextFact { text: text.to_owned(), confidence, bbox: BBox::new(0.1, 0.1, 0.5, 0.2), at });
        self
    }

    pub(super) fn change(mut self, change: Change) -> Self {
        self.0.changes.insert(0, ChangeFact { change, at: self.0.at });
        self
    }

    pub(super) fn look(self, image: Option<Arc<[f32]>>, jpeg: Option<usize>) -> Look {
        let keyframe = jpeg.map(|n| Bytes::from(vec![7; n]));
        Look { facts: Arc::new(self.0), image, keyframe }
    }
}

pub(super) fn middle() -> BBox {
    BBox::new(0.35, 0.35, 0.65, 0.7)
}

pub(super) fn turn(at: MediaTime, who: Speaker, text: &str) -> Said {
    Said { at, who, text: text.to_owned() }
}

/// A memory that shows scene after scene, each for a while, and nothing else: `(length in ms, scene, facts of a look)`.
pub(super) fn show(
    memory: &mut Memory,
    from_ms: u64,
    length_ms: u64,
    scene: u64,
    facts: impl Fn(Facts) -> Facts,
) -> Vec<Op> {
    let mut ops = Vec::new();
    for t in (from_ms..from_ms + length_ms).step_by(500) {
        let look = facts(Facts::at(ms(t))).look(Some(embedding(scene, t, 64)), Some(2_000));
        ops.extend(memory.see(ms(t), look));
    }
    ops
}

/// The parts of the past that stand for time by themselves: events, and children instead of roots that have some.
pub(super) fn leaves(m: &Memory) -> Vec<(NodeId, Span)> {
    let each = |e: &Event| {
        if e.children.is_empty() { vec![(e.id, e.span)] } else { e.children.iter().map(|c| (c.id, c.span)).collect() }
    };
    m.events().flat_map(each).collect()
}

/// What holds after every call, whatever was shown.
pub(super) fn check(m: &Memory) {
    let c = m.config();
    let tiers = m.tiers();
    for t in [tiers.live, tiers.working, tiers.episodic, tiers.long_term] {
        assert!(t.items <= t.capacity, "{t:?}");
    }
    assert!(m.bytes() <= c.most_bytes(), "{} bytes of {}", m.bytes(), c.most_bytes());
    let mut nodes = BTreeSet::new();
    let mut last = MediaTime::ZERO;
    for e in m.events() {
        assert!(e.span.start >= last && e.span.end > e.span.start, "out of order: {:?} after {last}", e.span);
        last = e.span.end;
        assert!(nodes.insert(e.id), "{} twice", e.id);
        assert!(e.children.len() <= c.children && e.keyframes.len() <= c.keyframes_per_event);
        if e.depth == 0 && m.event(e.id).is_some() {
            assert!(e.span.length() <= c.max_event, "{:?}", e.span);
        }
        facts_fit(e.span, &e.digest, &e.said);
        let mut inner = e.span.start;
        for child in &e.children {
            assert!(child.span.start >= inner && e.span.covers(child.span));
            inner = child.span.end;
            assert!(nodes.insert(child.id), "{} twice", child.id);
            facts_fit(child.span, &child.digest, &child.said);
            assert!(child.keyframe.iter().all(|k| child.span.contains(k.at)));
        }
        let times: Vec<_> = e.keyframes.iter().map(|k| k.at).collect();
        assert!(times.is_sorted() && times.iter().all(|t| e.span.contains(*t)));
        assert!(e.pictures().all(|k| k.jpeg.len() <= c.max_keyframe_bytes));
    }
    let mut pictures: BTreeMap<KeyframeId, MediaTime> = BTreeMap::new();
    let mut in_events = BTreeSet::new();
    for k in m.all_keyframes() {
        assert_eq!(*pictures.entry(k.id).or_insert(k.at), k.at, "{} is two pictures", k.id);
    }
    for k in m.events().flat_map(Event::pictures) {
        assert!(in_events.insert(k.id), "{} is in two events", k.id);
    }
}

/// Always the same cases, so that a failure is one of the change and not of the day; `SIGHTLINE_SEED` draws others.
fn seed() -> proptest::test_runner::RngSeed {
    let seed = std::env::var("SIGHTLINE_SEED").ok().and_then(|s| s.parse().ok());
    proptest::test_runner::RngSeed::Fixed(seed.unwrap_or(20_261_124))
}

fn facts_fit(span: Span, digest: &super::Digest, said: &[Said]) {
    assert!(digest.things.len() <= super::MOST_THINGS && digest.texts.len() <= super::MOST_TEXTS);
    assert!(digest.changes.len() <= super::MOST_CHANGES && said.len() <= super::MOST_SAID);
    assert!(digest.texts.iter().all(|t| t.text.chars().count() <= super::MOST_TEXT_CHARS));
    assert!(
        said.iter().all(|s| s.text.chars().count() <= super::MOST_SAID_CHARS && span.contains(s.at)),
        "{span:?} {said:?}"
    );
    let ends = digest.things.iter().flat_map(|s| [s.first, s.last]);
    let times =
        ends.chain(digest.texts.iter().flat_map(|t| [t.first, t.last])).chain(digest.changes.iter().map(|c| c.at));
    times.for_each(|t| assert!(span.contains(t), "a fact of {t} in {span:?}"));
}

/// The numbers of events as `ops` tell them, for comparing with the memory.
pub(super) fn follow(known: &mut BTreeSet<NodeId>, ops: &[Op]) {
    for op in ops {
        match op {
            Op::Opened(n) | Op::Changed(n) | Op::Closed(n) => {
                known.insert(*n);
            }
            Op::Merged { into, from, .. } => {
                from.iter().for_each(|n| assert!(known.remove(n), "{n} merged but not known"));
                known.insert(*into);
            }
            Op::Forgot { nodes, .. } => nodes.iter().for_each(|n| {
                known.remove(n);
            }),
            Op::Kept { node, .. } | Op::Moved { node, .. } => assert!(known.contains(node), "{node} not known"),
        }
    }
}

/// Small tiers, so that short streams fill them.
pub(super) fn small() -> Config {
    Config { live: 3, working: 5, events: 6, roots: 4, children: 3, max_keyframe_bytes: 4_096, ..Config::default() }
}
