//! From question and facts to a prompt, through a conversation as a client would have it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on says so, and a measurement reads the clock"
)]

use std::sync::Arc;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use sightline::base::{self, MediaTime};
use sightline::dialogue::{Conversation, Input, Output, Setup, VideoState};
use sightline::watch::{self, SceneFacts};
use sightline::wire::ClientEvent;

#[path = "../tests/common/scene_json.rs"]
mod scene_json;

fn scene(name: &str, now: MediaTime) -> Arc<SceneFacts> {
    let file: serde_json::Value = serde_json::from_str(include_str!("../tests/data/answers.json")).expect("JSON");
    Arc::new(scene_json::scene(&file["scenes"][name], now))
}

fn prompt(c: &mut Criterion) {
    let now = MediaTime::from_millis(60_000);
    let facts = scene("street", now);
    let ask = ClientEvent::parse(
        r#"{"type":"conversation.item.create","item":{"type":"message","role":"user","content":[{"type":"input_text","text":"How many cars are there?"}]}}"#,
    )
    .expect("valid");
    let create = ClientEvent::parse(r#"{"type":"response.create"}"#).expect("valid");
    let open = || {
        let mut setup = Setup::new("sess_bench", [3; 32]);
        setup.video = VideoState::Live;
        Conversation::open(setup, now).0
    };
    c.bench_function("prompt/facts_to_warm", |b| {
        b.iter_batched(open, |mut talk| talk.handle(Input::Scene(Arc::clone(&facts)), now), BatchSize::SmallInput);
    });
    let ready = || {
        let mut talk = open();
        let _ = talk.handle(Input::Scene(Arc::clone(&facts)), now);
        talk
    };
    c.bench_function("prompt/question_to_generate", |b| {
        b.iter_batched(
            ready,
            |mut talk| {
                let _ = talk.handle(Input::Client(ask.clone()), now);
                let out = talk.handle(Input::Client(create.clone()), now);
                assert!(out.iter().any(|o| matches!(o, Output::Generate { .. })));
                out
            },
            BatchSize::SmallInput,
        );
    });
}

criterion_group!(benches, prompt);
criterion_main!(benches);
