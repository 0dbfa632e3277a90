//! What it costs to understand how a question is meant in time, by its length and by its kind.

#![allow(missing_docs, reason = "criterion's macros")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use sightline::base::MediaTime;
use sightline::dialogue::route::{WallClock, When, route};

/// One of each kind.
const KINDS: [(&str, &str); 7] = [
    ("now", "what is this"),
    ("recent", "what did you just see"),
    ("past", "when did you last see the red cup"),
    ("interval", "what did the sign say between ten and twelve minutes ago"),
    ("anchor", "what was on the table before I showed you the cup"),
    ("watch", "tell me when someone comes in"),
    ("forget", "forget the last five minutes"),
];

fn routes(c: &mut Criterion) {
    let clock = WallClock { unix_ms_at_zero: 1_773_147_000_000, utc_offset_minutes: 60 };
    let when = When { now: MediaTime::from_millis(3_600_000), wall_clock: Some(clock) };
    let mut group = c.benchmark_group("route");
    for (kind, question) in KINDS {
        group.bench_function(kind, |b| b.iter(|| route(black_box(question), &when)));
    }
    for words in [4, 16, 64, 256] {
        // Somebody who talks on and on before asking.
        let told = "and then I went to the shop and bought a few things ".repeat(words / 11 + 1);
        let told: Vec<&str> = told.split(' ').take(words).collect();
        let question = format!("{}, what did I show you ten minutes ago?", told.join(" "));
        group.bench_with_input(BenchmarkId::new("words", words), &question, |b, q| {
            b.iter(|| route(black_box(q), &when))
        });
    }
    group.finish();
}

criterion_group!(benches, routes);
criterion_main!(benches);
