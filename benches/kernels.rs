//! Speed of the processor's kernels, at every level that this processor has: a matrix of each format times 1, 8 and 32 tokens, and attention.
//!
//! `cargo bench --bench kernels [-- THREADS]`. The matrices together are larger than the caches, as a model's are.

#![allow(
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a test that cannot go on says so, and a measurement reads the clock"
)]

use std::time::Instant;

use half::f16;
use sightline::model::kernels::{Activations, Bits, Block, Heads, KeyValues, Level, Packed, Product, Team, multiply};

const ROWS: usize = 9728;
const COLUMNS: usize = 896;
const MATRICES: usize = 12;

/// Seconds of the fastest of three runs.
fn fastest(mut run: impl FnMut()) -> f64 {
    let times = (0..3).map(|_| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64()
    });
    times.fold(f64::MAX, f64::min)
}

/// `format`: bits, and whether there are offsets; `None`: f16.
fn products(p: &mut Product<'_>, format: Option<(Bits, bool)>) {
    let block = |row: usize, n: usize| Block {
        codes: [((row * 7 + n) % 15) as u8; 32],
        scale: f16::from_f32(0.01),
        offset: f16::from_f32(0.1),
    };
    let matrix = || match format {
        Some((bits, offsets)) => Packed::new((ROWS, COLUMNS), bits, offsets, block),
        None => Packed::sixteen((ROWS, COLUMNS), &vec![0.01; ROWS * COLUMNS]),
    };
    let matrices: Vec<Packed> = (0..MATRICES).map(|_| matrix().expect("is even")).collect();
    let name = match format {
        Some((bits, true)) => format!("{bits:?} with offsets"),
        Some((bits, false)) => format!("{bits:?}"),
        None => "f16".to_owned(),
    };
    let size: usize = matrices.iter().map(Packed::size).sum();
    for tokens in [1, 8, 32] {
        if p.level == Level::scalar() && tokens > 1 {
            continue;
        }
        let x: Vec<f32> = (0..tokens * COLUMNS).map(|i| (i % 13) as f32 - 6.0).collect();
        let mut inputs = if format.is_none() { Activations::whole() } else { Activations::default() };
        inputs.round(p, &x, COLUMNS);
        let mut out = vec![0.0; tokens * ROWS];
        let took = fastest(|| matrices.iter().for_each(|m| multiply(p, &[(m, None)], &inputs, &mut out)));
        let products = (ROWS * COLUMNS * MATRICES * tokens) as f64;
        println!(
            "| {} | {name} | {tokens} | {:.1} | {:.1} |",
            p.level.name(),
            products / took / 1e9,
            size as f64 / took / 1e9
        );
    }
}

fn attention(p: &mut Product<'_>) {
    let shape = Heads { heads: 14, shared: 2, width: 64 };
    for (before, tokens) in [(1023, 1), (224, 32)] {
        let row: Vec<f32> = (0..(before + tokens) * shape.row()).map(|i| (i % 17) as f32 / 17.0 - 0.5).collect();
        let mut cache = KeyValues::new(shape, before + tokens);
        cache.write(0, &row);
        let last = &row[before * shape.row()..];
        let mut out = vec![0.0; tokens * shape.heads * shape.width];
        let took = fastest(|| (0..20).for_each(|_| cache.attend(p, before, last, &mut out))) / 20.0;
        println!("{}: {tokens} tokens after {before}: {:.0} µs a layer", p.level.name(), took * 1e6);
    }
}

fn main() {
    let threads = std::env::args().find_map(|a| a.parse().ok()).unwrap_or(1);
    let mut team = Team::new(threads).expect("starts");
    println!(
        "{threads} threads\n| level | weights | tokens | products, 10⁹ a second | weights, GB a second |\n|---|---|---|---|---|"
    );
    for level in Level::all() {
        let mut p = Product { level, team: &mut team };
        for format in [(Bits::Four, true), (Bits::Five, false), (Bits::Eight, false)] {
            products(&mut p, Some(format));
        }
        products(&mut p, None);
    }
    for level in Level::all() {
        attention(&mut Product { level, team: &mut team });
    }
}
