//! An AsyncAPI 3.0 document of the two channels on which events travel. The events themselves are in the JSON Schemas beside it.
//!
//! Source: AsyncAPI specification 3.0.0; WebSocket bindings 0.1.0.

use serde_json::{Map, Value, json};

use crate::wire::schema::{event_name, kinds};

/// `client` and `server` are the schemas of both sides.
pub(super) fn document(client: &Value, server: &Value) -> Value {
    let mut messages = Map::new();
    let mut of_channel = Map::new();
    let mut sides = Vec::new();
    for (file, schema) in [("client_events.json", client), ("server_events.json", server)] {
        let mut names = Vec::new();
        for (kind, summary) in kinds(schema) {
            let name = event_name(&kind);
            messages.insert(
                name.clone(),
                json!({
                    "name": kind,
                    "summary": summary,
                    "payload": {"schemaFormat": "application/schema+json;version=draft-2020-12", "schema": {"$ref": format!("./{file}#/$defs/{name}")}},
                }),
            );
            of_channel.insert(name.clone(), json!({"$ref": format!("#/components/messages/{name}")}));
            names.push(name);
        }
        sides.push(names);
    }
    let on = |channel: &str, names: &[String]| -> Vec<Value> {
        names.iter().map(|n| json!({"$ref": format!("#/channels/{channel}/messages/{n}")})).collect()
    };
    let operation = |action: &str, channel: &str, names: &[String], summary: &str| json!({"action": action, "channel": {"$ref": format!("#/channels/{channel}")}, "summary": summary, "messages": on(channel, names)});
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Sightline events",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The OpenAI Realtime protocol (GA), and vendor events for clients that ask. One JSON object per message. PROTOCOL.md is the normative page.",
            "license": {"name": "MIT OR Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "plain": {"host": "localhost:8080", "protocol": "ws"},
            "secure": {"host": "localhost:8080", "protocol": "wss", "description": "when the server has a certificate"},
        },
        "channels": {
            "webSocket": {
                "address": "/v1/realtime",
                "description": "A session of its own, or with `call_id` the one of a WebRTC call. One event per text frame.",
                "messages": of_channel.clone(),
                "bindings": {"ws": {"method": "GET", "query": query(), "bindingVersion": "0.1.0"}},
            },
            "dataChannel": {
                "address": "oai-events",
                "description": "The label of the data channel that a client opens in the call it places with `POST /v1/realtime/calls` (openapi.json). One event per message.",
                "messages": of_channel,
            },
        },
        "operations": {
            "readWebSocket": operation("receive", "webSocket", &sides[0], "What clients send."),
            "writeWebSocket": operation("send", "webSocket", &sides[1], "What the server sends; `session.created` first."),
            "readDataChannel": operation("receive", "dataChannel", &sides[0], "What clients send."),
            "writeDataChannel": operation("send", "dataChannel", &sides[1], "What the server sends; `session.created` first."),
        },
        "components": {"messages": messages},
    })
}

fn query() -> Value {
    let mut properties = Map::new();
    for parameter in super::openapi::session_query() {
        let name = parameter["name"].as_str().unwrap_or_default().to_owned();
        properties.insert(
            name,
            json!({"type": parameter["schema"]["type"].clone(), "description": parameter["description"].clone()}),
        );
    }
    json!({"type": "object", "properties": properties})
}
