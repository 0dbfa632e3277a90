//! JSON Schemas of the events, made from the types themselves: what is written down for clients cannot drift from what is sent.
//!
//! A schema describes and does not close: further fields are allowed everywhere, since both sides may grow.
//! What the reader checks besides (base64, picture formats, bytes instead of characters) is not in it.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::schema_client::ClientEventSchema;
use super::{ServerEvent, SessionConfig, TimelineView, WireError};

/// Every event that the server sends, as a choice of named definitions.
#[must_use]
pub fn server_events() -> Value {
    let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    events::<ServerEvent>(generator, "ServerEvent", "Events that the server sends")
}

/// Every event that clients send, as a choice of named definitions.
#[must_use]
pub fn client_events() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    events::<ClientEventSchema>(generator, "ClientEvent", "Events that clients send")
}

/// The session object of `session.created` and `session.updated`: what is in force.
#[must_use]
pub fn session() -> Value {
    of::<SessionConfig>()
}

/// The timeline of a memory, as `GET /v1/sessions/{memory_id}/memory` gives it.
#[must_use]
pub fn timeline() -> Value {
    of::<TimelineView>()
}

/// The `error` of events; that of HTTP has no `event_id`.
#[must_use]
pub fn error() -> Value {
    of::<WireError>()
}

fn of<T: JsonSchema>() -> Value {
    SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>().to_value()
}

/// The definition's name of an event: `response.output_text.delta` is `ResponseOutputTextDeltaEvent`.
#[must_use]
pub fn event_name(kind: &str) -> String {
    let mut name = String::with_capacity(kind.len() + 5);
    for word in kind.split(['.', '_']) {
        let mut letters = word.chars();
        name.extend(letters.next().map(|c| c.to_ascii_uppercase()));
        name.push_str(letters.as_str());
    }
    name + "Event"
}

/// `type` and of the description of every event in a schema.
#[must_use]
pub fn kinds(schema: &Value) -> Vec<(String, String)> {
    let choice = schema["oneOf"].as_array().map(Vec::as_slice).unwrap_or_default();
    let named = choice.iter().filter_map(|r| r["$ref"].as_str()?.strip_prefix("#/$defs/"));
    named
        .map(|name| {
            let event = &schema["$defs"][name];
            let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
            (text(&event["properties"]["type"]["const"]), text(&event["description"]))
        })
        .collect()
}

/// An object with a choice of variants becomes a choice of objects with names, each with the common fields in it.
fn events<T: JsonSchema>(generator: SchemaGenerator, title: &str, description: &str) -> Value {
    let mut root = generator.into_root_schema_for::<T>().to_value();
    let mut defs = take_object(&mut root, "$defs");
    let common = take_object(&mut root, "properties");
    let required: Vec<Value> = root["required"].as_array().cloned().unwrap_or_default();
    let variants = root["oneOf"].as_array().cloned().unwrap_or_default();
    let mut refs = Vec::with_capacity(variants.len());
    for mut variant in variants {
        let name = event_name(variant["properties"]["type"]["const"].as_str().unwrap_or_default());
        if let Some(properties) = variant["properties"].as_object_mut() {
            properties.extend(common.clone());
        }
        if let Some(list) = variant["required"].as_array_mut() {
            list.extend(required.iter().cloned());
        }
        refs.push(json!({"$ref": format!("#/$defs/{name}")}));
        defs.insert(name, variant);
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "description": description,
        "oneOf": refs,
        "$defs": defs,
    })
}

fn take_object(of: &mut Value, key: &str) -> Map<String, Value> {
    match of.get_mut(key).map(Value::take) {
        Some(Value::Object(map)) => map,
        _ => Map::new(),
    }
}
