//! Reading and writing events: what every message costs.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sightline::wire::{At, ClientEvent, ServerBody, ServerEvent, encode_base64};

fn client(c: &mut Criterion) {
    let mut group = c.benchmark_group("wire/client");
    // 100 ms of 24 kHz sound: what a WebSocket client sends ten times a second.
    let append = format!(r#"{{"type":"input_audio_buffer.append","audio":"{}"}}"#, encode_base64(&[0; 4_800]));
    let mut jpeg = vec![0xFF, 0xD8, 0xFF, 0xE0];
    jpeg.resize(200_000, 7);
    let image = format!(
        r#"{{"type":"conversation.item.create","item":{{"type":"message","role":"user","content":[{{"type":"input_image","image_url":"data:image/jpeg;base64,{}"}}]}}}}"#,
        encode_base64(&jpeg)
    );
    let update = r#"{"type":"session.update","session":{"type":"realtime","instructions":"Be brief.","audio":{"input":{"turn_detection":{"type":"server_vad"}}}}}"#;
    for (name, text) in [("append_100ms", append.as_str()), ("image_200kB", image.as_str()), ("session_update", update)]
    {
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(name, |b| b.iter(|| ClientEvent::parse(std::hint::black_box(text))));
    }
    group.finish();
}

fn server(c: &mut Criterion) {
    let at = At { response_id: "resp_1".into(), item_id: "item_1".into(), output_index: 0, content_index: 0 };
    let event = ServerEvent {
        event_id: "event_1".into(),
        server_event_seq: None,
        body: ServerBody::TextDelta { at, delta: " word".into() },
    };
    c.bench_function("wire/server/text_delta", |b| b.iter(|| std::hint::black_box(&event).to_json()));
}

criterion_group!(benches, client, server);
criterion_main!(benches);
