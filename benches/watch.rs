//! What watching costs per frame: the sampler's look at every frame, and folding a kept one into the scene.
//! The budget of both together is 3 ms for 640×480 on one core.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so, and a measurement reads the clock")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use sightline::base::{BBox, FrameId, MediaTime, RgbFrame};
use sightline::model::resize::{Part, resample};
use sightline::watch::{DETECTOR, Look, Picture, Pixels, Sampler, SamplerConfig, Scene, SceneConfig, Sighting};

/// A frame with texture, shifted by `step` pixels.
fn frame(width: u32, height: u32, step: u32) -> RgbFrame {
    let paint = |x: u32, y: u32| [(x + step) ^ y, (x + step) * 3 + y, x + 2 * y].map(|v| (v & 0xff) as u8);
    let data: Vec<u8> =
        (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).flat_map(|(x, y)| paint(x, y)).collect();
    RgbFrame { id: FrameId(0), width, height, data: Arc::from(data), capture: MediaTime::ZERO }
}

fn watch(c: &mut Criterion) {
    let frames: Vec<RgbFrame> = (0..4).map(|i| frame(640, 480, i * 9)).collect();
    let eager = SamplerConfig { min_interval: Duration::ZERO, ..SamplerConfig::default() };
    let mut sampler = Sampler::new(eager);
    let mut n = 0_u64;
    c.bench_function("sampler/640x480", |b| {
        b.iter(|| {
            n += 1;
            sampler.offer(black_box(&Picture::of(frames[(n % 4) as usize].clone())), MediaTime::from_millis(n * 33))
        });
    });
    let look = Look {
        expert: DETECTOR,
        region: None,
        sightings: (0..8_u8)
            .map(|i| Sighting::Object {
                label: "cup".into(),
                confidence: 0.8,
                bbox: BBox::new(f32::from(i) * 0.1, 0.2, f32::from(i) * 0.1 + 0.2, 0.6),
            })
            .collect(),
    };
    let mut scene = Scene::new(SceneConfig::default());
    let mut n = 0_u64;
    c.bench_function("scene/640x480 with eight objects", |b| {
        b.iter(|| {
            n += 1;
            let mut frame = frames[(n % 4) as usize].clone();
            frame.capture = MediaTime::from_millis(n * 500);
            scene.observe(black_box(&frame), std::slice::from_ref(&look)).objects.len()
        });
    });
    let pixels = Pixels::of(&frames[0]).unwrap();
    c.bench_function("resample/640x480 to 416x312", |b| {
        b.iter(|| resample(black_box(&pixels), Part::whole(&pixels), 416, 312));
    });
}

criterion_group!(benches, watch);
criterion_main!(benches);
