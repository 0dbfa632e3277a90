//! The spelling of before GA: what the older schema had, under its names, and nothing of the newer one.

use serde_json::{Value, json};

use crate::wire::{ServerEvent, parse_session, to_beta};

fn older() -> Vec<Value> {
    let event = |(i, body)| ServerEvent { event_id: format!("event_{i}"), server_event_seq: None, body };
    let texts = super::samples().into_iter().enumerate().map(event).filter_map(|e| to_beta(&e)).collect::<Vec<_>>();
    texts.iter().map(|t| serde_json::from_str(t).expect("JSON")).collect()
}

fn of<'a>(events: &'a [Value], kind: &str) -> &'a Value {
    events.iter().find(|e| e["type"] == kind).unwrap_or_else(|| panic!("no {kind}"))
}

#[test]
fn every_event_has_its_older_name_and_no_newer_one_is_left() {
    let events = older();
    for event in &events {
        let text = event.to_string();
        for newer in [
            "output_text",
            "output_audio",
            "output_modalities",
            "conversation.item.added",
            "conversation.item.done",
            "max_response_output_tokens\":null",
        ] {
            let same =
                newer == "output_audio" && text.contains("output_audio_format") && !text.contains("output_audio.");
            assert!(!text.contains(newer) || same, "{newer} in {text}");
        }
        assert_eq!(event["event_id"].as_str().map(|id| id.starts_with("event_")), Some(true));
    }
    assert_eq!(of(&events, "response.text.delta")["delta"], " red");
    assert_eq!(of(&events, "conversation.item.created")["item"]["id"], "item_1");
    let done = events.iter().find(|e| e["response"]["status"] == "completed").expect("a response");
    assert_eq!(done["response"]["output"][0]["content"][0]["type"], "text");
    assert_eq!(done["response"]["modalities"], json!(["text"]));
}

#[test]
fn the_session_is_flat_and_is_read_back_as_it_was() {
    let events = older();
    let session = &of(&events, "session.created")["session"];
    assert_eq!(session["input_audio_format"], "pcm16");
    assert_eq!(session["turn_detection"]["type"], "server_vad");
    assert_eq!(session["max_response_output_tokens"], "inf");
    assert!(session.get("audio").is_none() && session.get("type").is_none());
    let patch = parse_session(&session.to_string()).expect("both spellings are read");
    assert!(patch.input_format.is_some() && patch.turn_detection.is_some() && patch.max_output_tokens.is_some());
}
