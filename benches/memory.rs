//! Insert, merge and recall at several sizes: the cost against the size is the point.
//!
//! Looks are synthetic but of real size: 1280 features, three things, a text now and then, a picture of 10 KB. A *merge* is an insert that
//! closes an event in a memory whose episodic tier is full.

#![allow(missing_docs, clippy::disallowed_methods, reason = "criterion's macros; a measurement reads the clock")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use rand::SeedableRng;
use rand::rngs::StdRng;
use sightline::base::MediaTime;
use sightline::memory::{Config, Has, Look, MOST_RECALLED, Memory, Op, Query};

#[path = "common/looks.rs"]
mod looks;

/// Seconds of one scene: an event each.
const SCENE_S: u64 = 5;

struct Day {
    rng: StdRng,
    second: u64,
    scene: Vec<f32>,
}

impl Day {
    fn new() -> Self {
        Self { rng: StdRng::seed_from_u64(3), second: 0, scene: Vec::new() }
    }

    fn look(&mut self) -> (MediaTime, Look) {
        if self.second.is_multiple_of(SCENE_S) {
            self.scene = looks::direction(&mut self.rng, 1280);
        }
        let at = MediaTime::from_millis(self.second * 1_000);
        let facts = looks::facts(at, usize::try_from(self.second / SCENE_S).unwrap_or(0), 3);
        self.second += 1;
        let image = Some(Arc::from(looks::unit(&self.scene)));
        (at, Look { facts: Arc::new(facts), image, keyframe: Some(Bytes::from(vec![7; 10_000])) })
    }

    /// Goes on until so many events are remembered, whole or merged.
    fn fill(&mut self, memory: &mut Memory, events: u64) {
        let until = self.second + events * SCENE_S;
        while self.second < until {
            let (at, look) = self.look();
            for op in memory.see(at, look) {
                if let Op::Closed(node) = op {
                    let meaning = looks::direction(&mut self.rng, 384);
                    memory.set_text_embedding(node, &meaning);
                }
            }
        }
    }
}

/// Events in the episodic tier, and how many are shown: the last has all roots full as well.
const SIZES: [(usize, u64); 5] = [(32, 32), (128, 128), (512, 512), (32, 32 + 64 * 17), (512, 512 + 64 * 17)];

fn filled(events: usize, shown: u64) -> (Day, Memory) {
    let (mut day, mut memory) = (Day::new(), Memory::new(Config { events, ..Config::default() }));
    day.fill(&mut memory, shown);
    (day, memory)
}

fn insert(c: &mut Criterion) {
    let mut group = c.benchmark_group("memory insert");
    for (events, shown) in SIZES {
        let (day, memory) = filled(events, shown);
        group.bench_function(BenchmarkId::new("look", format!("{events} whole of {shown} events")), |b| {
            b.iter_custom(|times| timed(&memory, &day, times, false));
        });
        // Without a full tier nothing has to be merged.
        if shown > events as u64 {
            group.bench_function(
                BenchmarkId::new("look that merges", format!("{events} whole of {shown} events")),
                |b| {
                    b.iter_custom(|times| timed(&memory, &day, times, true));
                },
            );
        }
    }
    group.finish();
}

/// The time of `times` looks on a copy of the memory: of those that merge, or of the others.
fn timed(memory: &Memory, day: &Day, times: u64, merging: bool) -> Duration {
    let (mut memory, mut took, mut done) = (memory.clone(), Duration::ZERO, 0);
    let mut day = Day { rng: StdRng::seed_from_u64(5), second: day.second, scene: day.scene.clone() };
    while done < times {
        let (at, look) = day.look();
        let began = Instant::now();
        let ops = black_box(memory.see(at, look));
        let lasted = began.elapsed();
        if merging == ops.iter().any(|op| matches!(op, Op::Merged { .. })) {
            took += lasted;
            done += 1;
        }
    }
    took
}

fn recall(c: &mut Criterion) {
    let mut group = c.benchmark_group("memory recall");
    let words = ["red".to_owned(), "cup".to_owned()];
    let page = ["page".to_owned(), "44".to_owned()];
    for (events, shown) in SIZES {
        let (mut day, memory) = filled(events, shown);
        let (meaning, view) = (looks::direction(&mut day.rng, 384), looks::direction(&mut day.rng, 1280));
        let base = Query { most: MOST_RECALLED, ..Query::default() };
        let queries = [
            ("words and meaning", Query { words: &words, text: Some(&meaning), ..base }),
            ("looks", Query { image: Some(&view), ..base }),
            ("what was read", Query { words: &page, all: true, has: Some(Has::Text), ..base }),
        ];
        for (name, query) in queries {
            let id = BenchmarkId::new(name, format!("{events} whole of {shown} events"));
            group.bench_function(id, |b| b.iter(|| memory.recall(black_box(&query))));
        }
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = insert, recall
}
criterion_main!(benches);
