//! Whatever is shown, in whatever order of time: bounds, order, coverage, determinism.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{Facts, check, embedding, follow, leaves, middle, ms, small, span, turn};
use crate::base::MediaTime;
use crate::memory::{Config, Memory, NodeId, Op, Speaker};
use crate::watch::{Change, Colour, Unusable};

/// One thing that happens. Times are steps in ms from the one before, and may go back.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Look { dt: i64, scene: u8, things: u8, jpeg: Option<usize>, image: bool },
    Say { dt: i64, long: bool, ours: bool },
    Tick { dt: i64 },
    Forget { back: u64, length: u64 },
}

const STEPS: &[i64] = &[0, 33, 500, 500, 1_000, 1_000, 5_000, 5_000, 20_000, -700, -10_000, 3_600_000];

fn dt() -> impl Strategy<Value = i64> {
    prop_oneof![60 => proptest::sample::select(STEPS), 1 => Just(-100_000_000_000_i64), 1 => Just(100_000_000_000_i64)]
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let jpeg = proptest::option::weighted(0.8, proptest::sample::select(vec![0_usize, 100, 3_000, 9_000]));
    prop_oneof![
        12 => (dt(), 0..4_u8, any::<u8>(), jpeg, proptest::bool::weighted(0.85))
            .prop_map(|(dt, scene, things, jpeg, image)| Step::Look { dt, scene, things, jpeg, image }),
        3 => (dt(), any::<bool>(), any::<bool>()).prop_map(|(dt, long, ours)| Step::Say { dt, long, ours }),
        2 => dt().prop_map(|dt| Step::Tick { dt }),
    ]
}

/// Runs steps against a memory, keeping what the outside knows: the time, the event numbers, when it looked.
pub(super) struct Run {
    pub(super) memory: Memory,
    pub(super) now: i64,
    pub(super) known: BTreeSet<NodeId>,
    pub(super) looked: Vec<MediaTime>,
    changes: Facts,
}

impl Run {
    pub(super) fn new(config: Config) -> Self {
        Self {
            memory: Memory::new(config),
            now: 0,
            known: BTreeSet::new(),
            looked: Vec::new(),
            changes: Facts::default(),
        }
    }

    fn time(&mut self, dt: i64) -> MediaTime {
        self.now = (self.now + dt).clamp(0, i64::MAX / 1_000_000);
        ms(u64::try_from(self.now).unwrap())
    }

    pub(super) fn step(&mut self, step: &Step) -> Vec<Op> {
        let ops = match *step {
            Step::Look { dt, scene, things, jpeg, image } => {
                let at = self.time(dt);
                let facts = self.facts(at, scene, things);
                let noise = self.looked.len() as u64;
                let look = facts.look(image.then(|| embedding(scene.into(), noise, 24)), jpeg);
                let ops = self.memory.see(at, look);
                if self.memory.newest >= at && at >= self.memory.horizon {
                    self.looked.push(self.memory.newest);
                }
                ops
            }
            Step::Say { dt, long, ours } => {
                let at = self.time(dt);
                let who = if ours { Speaker::Sightline } else { Speaker::Person };
                let text = if long { "word ".repeat(100) } else { format!("line {} was said", at.as_millis()) };
                self.memory.hear(turn(at, who, &text))
            }
            Step::Tick { dt } => {
                let at = self.time(dt);
                self.memory.tick(at)
            }
            Step::Forget { back, length } => {
                let end = u64::try_from(self.now).unwrap().saturating_sub(back);
                self.memory.forget(span(end.saturating_sub(length), end))
            }
        };
        follow(&mut self.known, &ops);
        ops
    }

    /// Facts with all that can be in them; changes pile up as perception's do.
    fn facts(&mut self, at: MediaTime, scene: u8, things: u8) -> Facts {
        let mut facts = Facts::at(at);
        facts.0.changes = std::mem::take(&mut self.changes.0.changes);
        let names =
            ["cup", "person", "book", "a very long name of a thing that nobody would ever say aloud in one breath"];
        for (i, name) in names.iter().enumerate().filter(|(i, _)| things >> i & 1 == 1) {
            facts = facts.object(name, 0.3 + 0.1 * i as f32, Some(Colour::Red), middle());
        }
        if things & 16 != 0 {
            facts = facts
                .label(&format!("kind {scene}"), &["thing", "other"], 0.4)
                .text(&format!("line {}", at.as_millis()), 0.8);
        }
        if things & 32 != 0 {
            facts = facts.change(Change::Appeared { label: format!("came {}", at.as_millis()) });
        }
        if things & 64 != 0 {
            facts = facts.change(if things & 128 != 0 { Change::SceneCut } else { Change::Light { brighter: true } });
        }
        facts.0.unusable = (things == 7).then_some(Unusable::Dark);
        facts.0.changes.truncate(16);
        self.changes.0.changes.clone_from(&facts.0.changes);
        facts
    }

    pub(super) fn check(&self) {
        check(&self.memory);
        let ids: BTreeSet<NodeId> = self.memory.events().map(|e| e.id).collect();
        assert_eq!(ids, self.known, "the operations tell another story than the memory");
    }

    /// Every look lies in an event.
    fn covered(&self) {
        let spans = leaves(&self.memory);
        for t in &self.looked {
            assert!(spans.iter().any(|(_, s)| s.contains(*t)), "the look at {t} is in no event");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, rng_seed: super::seed(), ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_shown_the_memory_stays_bounded_and_in_order(steps in proptest::collection::vec(step(), 1..220)) {
        let mut run = Run::new(small());
        let mut newest = MediaTime::ZERO;
        for (i, step) in steps.iter().enumerate() {
            let ops = run.step(step);
            prop_assert!(run.memory.newest >= newest, "time went back");
            newest = run.memory.newest;
            let merged = ops.iter().filter(|op| matches!(op, Op::Merged { .. })).count();
            let closed = ops.iter().filter(|op| matches!(op, Op::Closed(_))).count();
            prop_assert!(merged <= closed, "more merges than overflows");
            if i % 8 == 0 {
                run.check();
            }
        }
        run.check();
        run.covered();
    }

    #[test]
    fn the_same_stream_makes_the_same_memory(steps in proptest::collection::vec(step(), 1..120)) {
        let (mut a, mut b) = (Run::new(small()), Run::new(small()));
        for step in &steps {
            prop_assert_eq!(a.step(step), b.step(step));
        }
        prop_assert!(a.memory == b.memory);
    }

    #[test]
    fn any_configuration_is_brought_within_its_bounds(n in 0..40_usize, huge in any::<bool>(), f in any::<f32>(), steps in proptest::collection::vec(step(), 1..60)) {
        let n = if huge { usize::MAX } else { n };
        let rough = Config { live: n, working: n, events: n, roots: n, children: n, keyframes_per_event: n, most_recalled: n,
            cut_similarity: f, keyframe_similarity: f, similarity_floor: f, image_floor: f, depth_penalty: f, ..small() };
        prop_assert_eq!(rough.bounded(), rough.bounded().bounded());
        let mut run = Run::new(rough);
        steps.iter().for_each(|s| { run.step(s); });
        run.check();
    }

    #[test]
    fn what_the_archive_gives_back_is_the_same_past(steps in proptest::collection::vec(step(), 1..160), cut in 0..100_usize) {
        let mut run = Run::new(small());
        steps.iter().for_each(|s| { run.step(s); });
        // What was open is closed by coming back, and takes a place among the closed: let that have happened before.
        run.memory.tick(MediaTime::from_micros(u64::MAX / 2));
        let stored: Vec<String> = run.memory.events().map(|e| serde_json::to_string(e).unwrap()).collect();
        let events: Vec<_> = stored.iter().map(|s| serde_json::from_str(s).unwrap()).collect();
        let back = Memory::restore(small(), events);
        check(&back);
        prop_assert_eq!(leaves(&run.memory), leaves(&back));
        prop_assert!(back.next_ids().node <= run.memory.next_ids().node);
        // A disk may hold anything: doubled, overlapping, in another order, for other sizes.
        let mut events: Vec<crate::memory::Event> = stored.iter().chain(&stored).map(|s| serde_json::from_str(s).unwrap()).collect();
        let n = events.len().max(1);
        events.rotate_left(cut % n);
        for (i, e) in events.iter_mut().enumerate() {
            if i % 3 == 0 { e.span.end = e.span.end + std::time::Duration::from_secs(40); }
            if i % 5 == 0 { e.id = NodeId(e.id.0 + 1); }
        }
        let tiny = Config { events: 2, roots: 1, children: 2, max_event: std::time::Duration::from_secs(3_600), ..small() };
        check(&Memory::restore(tiny, events));
    }
}

/// One hour at two looks a second, each picture 10 KiB.
fn hour(scene: impl Fn(u64) -> u64, every_ms: u64, hours: u64) -> Memory {
    let mut m = Memory::new(Config::default());
    for t in (0..hours * 3_600_000).step_by(usize::try_from(every_ms).unwrap()) {
        let facts =
            Facts::at(ms(t)).object("cup", 0.8, Some(Colour::Red), middle()).label("coffee mug", &["mug", "cup"], 0.5);
        let facts = facts.text(&format!("page {}", t / 60_000), 0.9);
        m.see(ms(t), facts.look(Some(embedding(scene(t), t, 1280)), Some(10 * 1024)));
    }
    m
}

fn per_hour(m: &Memory) -> f64 {
    m.bytes() as f64 / (1024.0 * 1024.0)
}

#[test]
fn an_hour_of_anything_takes_less_than_twenty_megabytes() {
    let still = per_hour(&hour(|_| 1, 5_000, 1));
    let usual = per_hour(&hour(|t| t / 12_000, 1_000, 1));
    let cuts = per_hour(&hour(|t| t / 500, 500, 1));
    let flicker = per_hour(&hour(|t| t / 500 % 2, 500, 1));
    println!("MiB after an hour: still {still:.1}, usual {usual:.1}, a cut every look {cuts:.1}, flicker {flicker:.1}");
    assert!(still < 4.0 && usual < 20.0 && cuts < 20.0 && flicker < 20.0);
}

#[test]
fn eight_still_hours_are_all_there_and_fit() {
    let m = hour(|_| 1, 5_000, 8);
    check(&m);
    assert_eq!(m.tiers().episodic.items, 512);
    let spans = leaves(&m);
    assert_eq!(spans.first().unwrap().1.start, MediaTime::ZERO);
    assert!(spans.windows(2).all(|w| w[0].1.end == w[1].1.start), "a still scene leaves no hole");
    println!("eight still hours: {:.1} MiB", per_hour(&m));
}

#[test]
fn a_cut_every_frame_for_hours_stays_within_the_tiers() {
    let mut m = Memory::new(Config { working: 4, ..Config::default() });
    for t in (0..8 * 3_600_000_u64).step_by(1_000) {
        m.see(ms(t), Facts::at(ms(t)).look(Some(embedding(t, t, 16)), Some(64)));
    }
    check(&m);
    let tiers = m.tiers();
    assert_eq!((tiers.episodic.items, tiers.long_term.items), (512, 64));
    assert!(m.events().take(64).all(|r| !r.children.is_empty()));
}

#[test]
fn the_end_of_time_is_no_panic() {
    let mut m = Memory::new(small());
    let end = MediaTime::from_micros(u64::MAX);
    for at in [ms(0), end, end, ms(5), end] {
        m.see(at, Facts::at(at).text("x", 0.9).look(Some(embedding(1, 2, 8)), Some(10)));
        m.hear(turn(at, Speaker::Person, "hello"));
        m.tick(end);
    }
    m.forget(crate::memory::Span::ALWAYS);
    assert_eq!(m.events().count(), 0);
}

#[test]
fn wild_vectors_and_pictures_are_refused_not_kept() {
    let mut m = Memory::new(small());
    for (i, v) in
        [vec![], vec![f32::NAN; 8], vec![0.0; 8], vec![f32::INFINITY; 8], vec![1.0; 100_000]].into_iter().enumerate()
    {
        let at = ms(i as u64 * 1_000);
        m.see(at, Facts::at(at).look(Some(v.into()), Some(1 << 20)));
    }
    assert!(m.events().all(|e| e.image.is_none() && e.keyframes.is_empty()));
    assert!(!m.set_text_embedding(NodeId(0), &[f32::NAN]));
    check(&m);
}
