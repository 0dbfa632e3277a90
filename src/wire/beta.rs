//! The names of before GA, for clients that ask for them with `OpenAI-Beta: realtime=v1`: a mapping of what is sent, at the port, and nothing else.
//! What such clients send is read without being told: both spellings are.
//!
//! Source: `openai.types.beta.realtime` of openai-python 1.99.9.

use serde_json::{Map, Value, json};

use super::{ServerEvent, SessionConfig};

/// The value of the header, and the subprotocol, by which a client asks for it.
pub const BETA_HEADER: &str = "realtime=v1";
/// The subprotocol of browsers, which can set no header.
pub const BETA_PROTOCOL: &str = "openai-beta.realtime-v1";

/// The event in the older spelling, as JSON text; `None` for one that there was not.
#[must_use]
pub fn to_beta(event: &ServerEvent) -> Option<String> {
    let Ok(Value::Object(mut event)) = serde_json::to_value(event) else { return None };
    let kind = event.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    // An item that is whole was not told apart from one that came.
    if kind == "conversation.item.done" {
        return None;
    }
    event.insert("type".to_owned(), Value::from(older_name(&kind)));
    if let Some(item) = event.get_mut("item") {
        rename_item(item);
    }
    if let Some(part) = event.get_mut("part") {
        rename_part(part);
    }
    if let Some(Value::Object(response)) = event.get_mut("response") {
        rename(response, "output_modalities", "modalities");
        response.get_mut("output").and_then(Value::as_array_mut).into_iter().flatten().for_each(rename_item);
    }
    if let Some(session) = event.get_mut("session").and_then(Value::as_object_mut) {
        *session = flat(std::mem::take(session));
    }
    Some(Value::Object(event).to_string())
}

fn older_name(kind: &str) -> &str {
    match kind {
        "conversation.item.added" => "conversation.item.created",
        "response.output_text.delta" => "response.text.delta",
        "response.output_text.done" => "response.text.done",
        "response.output_audio.delta" => "response.audio.delta",
        "response.output_audio.done" => "response.audio.done",
        "response.output_audio_transcript.delta" => "response.audio_transcript.delta",
        "response.output_audio_transcript.done" => "response.audio_transcript.done",
        same => same,
    }
}

fn rename(map: &mut Map<String, Value>, from: &str, to: &str) {
    if let Some(value) = map.remove(from) {
        map.insert(to.to_owned(), value);
    }
}

fn rename_item(item: &mut Value) {
    item.get_mut("content").and_then(Value::as_array_mut).into_iter().flatten().for_each(rename_part);
}

fn rename_part(part: &mut Value) {
    let older = match part.get("type").and_then(Value::as_str) {
        Some("output_text") => "text",
        Some("output_audio") => "audio",
        _ => return,
    };
    part["type"] = Value::from(older);
}

/// The session as it was shown before GA.
#[must_use]
pub fn older_session(session: &SessionConfig) -> Value {
    match serde_json::to_value(session) {
        Ok(Value::Object(map)) => Value::Object(flat(map)),
        _ => Value::Object(Map::new()),
    }
}

/// The session with everything at its top level.
fn flat(mut session: Map<String, Value>) -> Map<String, Value> {
    let mut audio = session.remove("audio").unwrap_or_default();
    session.remove("type");
    for unknown in ["truncation", "prompt", "include", "expires_at"] {
        session.remove(unknown);
    }
    rename(&mut session, "output_modalities", "modalities");
    rename(&mut session, "max_output_tokens", "max_response_output_tokens");
    let mut take = |path: &str| audio.pointer_mut(path).map(Value::take).unwrap_or_default();
    let (input, output) = (format_name(&take("/input/format")), format_name(&take("/output/format")));
    let older = [
        ("input_audio_format", input),
        ("output_audio_format", output),
        ("input_audio_transcription", take("/input/transcription")),
        ("input_audio_noise_reduction", take("/input/noise_reduction")),
        ("turn_detection", take("/input/turn_detection")),
        ("voice", take("/output/voice")),
        ("speed", take("/output/speed")),
        // Asked for by none of ours and shown to all of theirs.
        ("temperature", json!(0.8)),
    ];
    session.extend(older.map(|(key, value)| (key.to_owned(), value)));
    session
}

fn format_name(format: &Value) -> Value {
    Value::from(match format.get("type").and_then(Value::as_str) {
        Some("audio/pcmu") => "g711_ulaw",
        Some("audio/pcma") => "g711_alaw",
        _ => "pcm16",
    })
}
