//! Pictures inside messages: sizes and first bytes are checked before anything is decoded.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sightline_fuzz::wire::ClientEvent;

fuzz_target!(|url: &str| {
    let item = serde_json::json!({"type": "message", "role": "user", "content": [{"type": "input_image", "image_url": url}]});
    let _ = ClientEvent::parse(&serde_json::json!({"type": "conversation.item.create", "item": item}).to_string());
    let _ = ClientEvent::parse(&serde_json::json!({"type": "input_audio_buffer.append", "audio": url}).to_string());
});
