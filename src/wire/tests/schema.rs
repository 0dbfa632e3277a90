//! The schemas and what is really read and written say the same.

use serde_json::{Value, json};

use super::{collect, load};
use crate::wire::{CLIENT_EVENT_TYPES, ClientEvent, code, schema};

fn validator(schema: &Value) -> jsonschema::Validator {
    jsonschema::validator_for(schema).expect("a valid schema")
}

#[test]
fn golden_events_of_the_server_fit_their_schema_and_one_of_its_choices_only() {
    let schema = validator(&schema::server_events());
    for event in load("server_events.json") {
        let errors: Vec<String> = schema.iter_errors(&event).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(errors.is_empty(), "{event}: {errors:?}");
    }
    for wrong in [
        json!({"type": "session.created"}),
        json!({"type": "no.such.event", "event_id": "event_1"}),
        json!({"type": "input_audio_buffer.cleared"}),
        json!({"type": "input_audio_buffer.speech_started", "event_id": "event_1", "audio_start_ms": "0", "item_id": "i"}),
    ] {
        assert!(!schema.is_valid(&wrong), "{wrong}");
    }
}

#[test]
fn golden_events_of_clients_fit_their_schema() {
    let schema = validator(&schema::client_events());
    for entry in load("client_events.json") {
        let errors: Vec<String> =
            schema.iter_errors(&entry["json"]).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(errors.is_empty(), "{}: {errors:?}", entry["json"]);
    }
    for kind in CLIENT_EVENT_TYPES {
        let name = schema::event_name(kind);
        assert!(schema::client_events()["$defs"].get(&name).is_some(), "{kind} is not in src/wire/schema_client.rs");
    }
}

/// What is plainly missing or of another JSON type is refused by both.
#[test]
fn what_the_golden_file_refuses_for_its_type_the_schema_refuses() {
    let schema = validator(&schema::client_events());
    let mut seen = 0;
    for entry in load("client_errors.json") {
        let code = entry["error"]["code"].as_str().expect("a code");
        if ![code::MISSING, code::INVALID_TYPE, code::UNKNOWN_EVENT].contains(&code) {
            continue;
        }
        let event: Value = serde_json::from_str(entry["text"].as_str().expect("text")).expect("JSON");
        assert!(!schema.is_valid(&event), "the reader refuses ({code}), the schema does not: {event}");
        seen += 1;
    }
    assert!(seen > 5, "{seen}");
}

proptest::proptest! {
    /// Valid events with one value replaced or taken away: what the schema refuses the reader refuses, and a missing field or a wrong type that the
    /// reader complains of is none to the schema either.
    #[test]
    fn schema_and_reader_agree_about_events_with_one_thing_wrong(pick in 0_usize..64, at in 0_usize..64, with in 0_usize..9) {
        let events = load("client_events.json");
        let mut event = events[pick % events.len()]["json"].clone();
        let mut paths = Vec::new();
        collect("", &event, &mut paths);
        let path = paths[at % paths.len()].clone();
        let odd = [json!(null), json!(-1), json!("x"), json!([]), json!({}), json!(1e308), json!(true), json!(1.5)];
        match (odd.get(with), path.rsplit_once('/')) {
            (Some(value), _) => {
                if let Some(place) = event.pointer_mut(&path) {
                    *place = value.clone();
                }
            }
            (None, Some((parent, key))) => {
                if let Some(Value::Object(map)) = event.pointer_mut(parent) {
                    map.remove(key);
                }
            }
            (None, None) => {}
        }
        let read = ClientEvent::parse(&event.to_string());
        let fits = VALIDATOR.with(|v| v.is_valid(&event));
        if !fits {
            proptest::prop_assert!(read.is_err(), "the schema refuses what the reader takes: {event}");
        }
        if let Err(e) = &read
            && [code::MISSING, code::INVALID_TYPE].contains(&e.code)
            && !EITHER.contains(&e.param.as_deref().unwrap_or_default().rsplit('.').next().unwrap_or_default())
        {
            proptest::prop_assert!(!fits, "the reader refuses ({e}) what the schema takes: {event}");
        }
    }
}

/// Fields of which one of two must be there: not in the schema.
const EITHER: [&str; 2] = ["audio", "id"];

thread_local! {
    static VALIDATOR: jsonschema::Validator = validator(&schema::client_events());
}
