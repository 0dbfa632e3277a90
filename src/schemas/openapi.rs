//! An OpenAPI 3.1 document of every HTTP endpoint. A test holds it to the routes of `server`, in both directions.

use serde_json::{Map, Value, json};

use crate::wire::schema;

/// One operation, as a row: method, path, summary, and the parts of it that are not the same everywhere.
struct Operation {
    method: &'static str,
    path: &'static str,
    summary: &'static str,
    tag: &'static str,
    /// Whether a key, where the server has any, must be shown.
    key: bool,
    parameters: Vec<Value>,
    body: Option<Value>,
    /// Status and what comes with it.
    responses: Vec<(&'static str, Value)>,
    /// Statuses of errors, all with the same body.
    errors: &'static [&'static str],
}

impl Operation {
    fn new(method: &'static str, path: &'static str, tag: &'static str, summary: &'static str) -> Self {
        Self {
            method,
            path,
            summary,
            tag,
            key: tag == "realtime",
            parameters: Vec::new(),
            body: None,
            responses: Vec::new(),
            errors: &[],
        }
    }

    fn parameters(mut self, list: Vec<Value>) -> Self {
        self.parameters = list;
        self
    }

    fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    fn gives(mut self, status: &'static str, response: Value) -> Self {
        self.responses.push((status, response));
        self
    }

    fn errors(mut self, statuses: &'static [&'static str]) -> Self {
        self.errors = statuses;
        self
    }

    fn into_value(self) -> Value {
        let mut responses = Map::new();
        for (status, response) in self.responses {
            responses.insert(status.to_owned(), response);
        }
        for status in self.errors {
            responses.insert((*status).to_owned(), json!({"$ref": "#/components/responses/Error"}));
        }
        if self.key {
            for status in ["401", "403"] {
                responses.insert(status.into(), json!({"$ref": "#/components/responses/Error"}));
            }
        }
        let parameters: Vec<Value> = path_parameters(self.path).into_iter().chain(self.parameters).collect();
        let mut value = json!({"summary": self.summary, "tags": [self.tag], "responses": responses});
        if !parameters.is_empty() {
            value["parameters"] = parameters.into();
        }
        if let Some(body) = self.body {
            value["requestBody"] = body;
        }
        if self.key {
            value["security"] = json!([{}, {"key": []}]);
        }
        value
    }
}

/// What a client secret may be restricted to; `session::Restrictions`.
fn grants() -> Value {
    let list = |what: &str| json!({"type": "array", "items": {"type": "string"}, "description": what});
    json!({"type": "object", "additionalProperties": false, "description": "What the token may do, where that is less than its key may.", "properties": {
        "models": list("Answering models whose sessions may be opened."),
        "max_sessions": {"type": "integer", "minimum": 1, "description": "Sessions at one time."},
        "max_uses": {"type": "integer", "minimum": 1, "description": "Sessions that may be opened in all; coming back to one opens none."},
        "max_session_s": {"type": "integer", "minimum": 1, "description": "Longest session, seconds."},
        "max_fps": {"type": "number", "minimum": 0.1, "maximum": 10, "description": "Frames per second looked at, at most."},
        "client_events": list("Events that its clients may send."),
        "origins": list("Pages that may use it."),
    }})
}

/// The document.
pub(super) fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for operation in realtime().into_iter().chain(tokens()).chain(whip()).chain(memories()).chain(operators()) {
        let (path, method) = (operation.path.to_owned(), operation.method.to_owned());
        let place = paths.entry(path).or_insert_with(|| json!({}));
        place[method] = operation.into_value();
    }
    let mut schemas = Map::new();
    for (name, schema) in [("Session", schema::session()), ("Timeline", schema::timeline())] {
        add_schema(&mut schemas, name, schema);
    }
    schemas.insert("Error".into(), error_schema());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Sightline",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "HTTP endpoints. The events that then travel over the WebSocket or the data channel are in asyncapi.json. PROTOCOL.md is the normative page.",
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "http://localhost:8080"}],
        "tags": [
            {"name": "realtime", "description": "Sessions; the endpoints of the OpenAI Realtime API."},
            {"name": "memory", "description": "What is remembered, for whoever holds the memory's access token."},
            {"name": "operation", "description": "For operators."},
        ],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {"Error": {
                "description": "Refused. 429 and 503 come with `Retry-After`.",
                "headers": {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}},
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
            }},
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "A key of the server, or a client secret (`ek_…`). A WebSocket may show it as the subprotocol `openai-insecure-api-key.KEY`."},
                "memoryToken": {"type": "http", "scheme": "bearer", "description": "The access token of one memory (`mem_…`); or `?access_token=`."},
            },
        },
    })
}

fn realtime() -> Vec<Operation> {
    let call = || {
        json!({"required": true, "content": {
            "application/sdp": {"schema": {"type": "string"}},
            "multipart/form-data": {"schema": {"type": "object", "required": ["sdp"], "properties": {
                "sdp": {"type": "string", "description": "The offer."},
                "session": {"type": "string", "description": "JSON: the session patch of `session.update`."},
            }}},
        }})
    };
    let answered = || json!({"description": "The answer. `Location` is the call.", "headers": {"Location": {"schema": {"type": "string"}}, "Link": {"schema": {"type": "string"}, "description": "STUN and TURN servers, where there are any."}}, "content": {"application/sdp": {"schema": {"type": "string"}}}});
    let refused: &[&str] = &["400", "404", "413", "422", "429", "503"];
    vec![
        Operation::new("post", "/v1/realtime/calls", "realtime", "Places a WebRTC call: SDP offer in, answer out")
            .parameters(session_query().into_iter().filter(|p| p["name"] != "call_id").collect())
            .body(call())
            .gives("201", answered())
            .errors(refused),
        Operation::new("post", "/v1/realtime", "realtime", "The same, at the older address")
            .parameters(session_query().into_iter().filter(|p| p["name"] != "call_id").collect())
            .body(call())
            .gives("201", answered())
            .errors(refused),
        Operation::new("get", "/v1/realtime", "realtime", "Opens a WebSocket: a session of its own, or one with a call")
            .parameters(session_query())
            .gives("101", described("Events follow: asyncapi.json."))
            .errors(refused),
        Operation::new("delete", "/v1/realtime/calls/{call_id}", "realtime", "Ends a call")
            .gives("200", described("Ended."))
            .errors(&["404"]),
        Operation::new("post", "/v1/realtime/calls/{call_id}/hangup", "realtime", "Ends a call")
            .gives("200", described("Ended."))
            .errors(&["404"]),
        Operation::new("post", "/v1/realtime/calls/{call_id}/accept", "realtime", "Of telephone calls, which there are none of")
            .errors(&["404"]),
        Operation::new("post", "/v1/realtime/calls/{call_id}/reject", "realtime", "Of telephone calls, which there are none of")
            .errors(&["404"]),
        Operation::new("post", "/v1/realtime/calls/{call_id}/refer", "realtime", "Of telephone calls, which there are none of")
            .errors(&["404"]),
        Operation::new("get", "/v1/models", "realtime", "Lists the models in force").gives(
            "200",
            json_body("The models.", json!({"type": "object", "required": ["object", "data"], "properties": {
                "object": {"const": "list"},
                "data": {"type": "array", "items": {"type": "object", "required": ["id", "object", "created", "owned_by", "role"], "properties": {
                    "id": {"type": "string"}, "object": {"const": "model"}, "created": {"type": "integer"},
                    "owned_by": {"type": "string"}, "role": {"type": "string"},
                }}},
            }})),
        ),
    ]
}

/// Where tokens for browsers are made.
fn tokens() -> Vec<Operation> {
    vec![
        Operation::new("post", "/v1/realtime/sessions", "realtime", "Makes a token: the request and the answer of before GA")
            .body(json!({"required": false, "content": {"application/json": {"schema": {"type": "object", "description": "The session patch."}}}}))
            .gives("200", json_body("The session, with the token.", json!({"type": "object", "required": ["id", "object", "client_secret"], "properties": {
                "id": {"type": "string"},
                "object": {"const": "realtime.session"},
                "client_secret": {"type": "object", "required": ["value", "expires_at"], "properties": {
                    "value": {"type": "string", "description": "`ek_…`"},
                    "expires_at": {"type": "integer", "description": "Unix seconds."},
                }},
            }})))
            .errors(&["400", "429", "503"]),
        Operation::new("post", "/v1/realtime/client_secrets", "realtime", "Makes a short-lived token for a browser")
            .body(json!({"required": false, "content": {"application/json": {"schema": {"type": "object", "properties": {
                "expires_after": {"type": "object", "properties": {
                    "anchor": {"const": "created_at"},
                    "seconds": {"type": "integer", "minimum": 10, "maximum": 7200, "default": 600},
                }},
                "session": {"type": "object", "description": "The session patch that sessions of the token begin with."},
                "grants": grants(),
            }}}}}))
            .gives("200", json_body("The token.", json!({"type": "object", "required": ["value", "expires_at", "session"], "properties": {
                "value": {"type": "string", "description": "`ek_…`"},
                "expires_at": {"type": "integer", "description": "Unix seconds."},
                "session": {"$ref": "#/components/schemas/Session"},
            }})))
            .errors(&["400", "429", "503"]),
    ]
}

fn whip() -> Vec<Operation> {
    let sdp = |text: &str| json!({"required": true, "content": {"application/sdp": {"schema": {"type": "string", "description": text}}}});
    let header = |text: &str| json!({"schema": {"type": "string"}, "description": text});
    let fragment = || json!({"application/trickle-ice-sdpfrag": {"schema": {"type": "string"}}});
    let etag = || header("The ICE session.");
    let place = |path, text| {
        Operation::new("post", path, "realtime", text)
            .parameters(session_query().into_iter().filter(|p| p["name"] != "call_id").collect())
            .body(sdp("The offer."))
            .gives("201", json!({
                "description": "The answer.",
                "headers": {"Location": header("The call: `/whip/{call_id}`."), "ETag": etag(), "Link": header("STUN and TURN servers.")},
                "content": {"application/sdp": {"schema": {"type": "string"}}},
            }))
            .errors(&["400", "404", "409", "413", "415", "422", "503"])
    };
    vec![
        Operation::new("get", "/v1/realtime/ice_servers", "realtime", "STUN and TURN servers for a call, with credentials that expire").gives(
            "200",
            json_body("The servers.", json!({"type": "object", "required": ["ice_servers", "expires_at"], "properties": {
                "ice_servers": {"type": "array", "items": {"type": "object", "required": ["urls"], "properties": {
                    "urls": {"type": "array", "items": {"type": "string"}}, "username": {"type": "string"}, "credential": {"type": "string"},
                }}},
                "expires_at": {"type": ["integer", "null"], "description": "Unix seconds; null without TURN."},
            }})),
        ),
        place("/whip", "WHIP (RFC 9725): a session whose camera is any program that streams"),
        place("/whip/{call_id}", "The same, as a call with this name"),
        Operation::new(
            "patch",
            "/whip/{call_id}",
            "realtime",
            "Candidates that come later, or with `If-Match: *` and new credentials an ICE restart",
        )
        .parameters(vec![json!({"name": "If-Match", "in": "header", "required": true, "schema": {"type": "string"}})])
        .body(json!({"required": true, "content": fragment()}))
        .gives("200", json!({"description": "ICE was restarted.", "headers": {"ETag": etag()}, "content": fragment()}))
        .gives("204", described("Taken."))
        .errors(&["400", "404", "412", "413", "415", "422", "428"]),
        Operation::new("delete", "/whip/{call_id}", "realtime", "Ends the call")
            .gives("200", described("Ended."))
            .errors(&["404"]),
    ]
}

fn memories() -> Vec<Operation> {
    let token = || query("access_token", "string", "In the place of the `Authorization` header, for `<img>`.");
    let milliseconds = |name, text| query(name, "integer", text);
    vec![
        Operation::new("get", "/v1/sessions/{memory_id}/keyframes/{keyframe_id}", "memory", "A remembered picture")
            .parameters(vec![token()])
            .gives("200", json!({"description": "The picture.", "content": {"image/jpeg": {}}}))
            .errors(&["404"]),
        Operation::new("get", "/v1/sessions/{memory_id}/memory", "memory", "The timeline")
            .parameters(vec![token()])
            .gives("200", json_body("The timeline.", json!({"$ref": "#/components/schemas/Timeline"})))
            .errors(&["404"]),
        Operation::new(
            "get",
            "/v1/sessions/{memory_id}/trace",
            "memory",
            "Where the time of the newest turns went, while the session runs",
        )
        .parameters(vec![token()])
        .gives("200", json_body("Chrome trace events; ui.perfetto.dev opens them.", json!({"type": "object"})))
        .errors(&["404"]),
        Operation::new("delete", "/v1/sessions/{memory_id}/memory", "memory", "Forgets, from the disk too")
            .parameters(vec![
                token(),
                milliseconds("last_ms", "The newest so many milliseconds."),
                milliseconds("start_ms", "From here, in milliseconds since the memory began."),
                milliseconds("end_ms", "To here."),
                query("all", "boolean", "Everything."),
            ])
            .gives(
                "200",
                json_body("Forgotten.", json!({"type": "object", "properties": {"forgotten": {"const": true}}})),
            )
            .errors(&["400", "404"]),
    ]
}

fn operators() -> Vec<Operation> {
    let ok = || json!({"description": "The process lives.", "content": {"text/plain": {"schema": {"const": "ok"}}}});
    let ready = |text: &str| {
        json_body(
            text,
            json!({"type": "object", "properties": {
                "ready": {"type": "boolean"}, "reasons": {"type": "array", "items": {"type": "string"}},
                "degraded": {}, "sessions": {"type": "integer"}, "capacity": {"type": "integer"},
            }}),
        )
    };
    vec![
        Operation::new("get", "/healthz", "operation", "Whether the process lives").gives("200", ok()),
        Operation::new("get", "/health", "operation", "The same").gives("200", ok()),
        Operation::new("get", "/readyz", "operation", "Whether a new session would be let in")
            .gives("200", ready("It would."))
            .gives("503", ready("It would not, and why.")),
        Operation::new("get", "/version", "operation", "Name, version, models").gives(
            "200",
            json_body("What runs.", json!({"type": "object", "properties": {"name": {"const": "sightline"}, "version": {"type": "string"}, "models": {}}})),
        ),
        Operation::new("get", "/metrics", "operation", "Metrics in the format of Prometheus")
            .gives("200", json!({"description": "Text format 0.0.4.", "content": {"text/plain": {"schema": {"type": "string"}}}})),
    ]
}

/// What may stand behind the `?` when a session is opened.
pub(super) fn session_query() -> Vec<Value> {
    vec![
        query("model", "string", "Any name; `session.created` shows the model in force."),
        query("ext", "string", "Vendor events wanted from the start, with commas between."),
        query("intent", "string", "`transcription`: what is said is written down and nothing is answered."),
        query("call_id", "string", "Joins the session of this call (WebSocket only)."),
        query("memory", "string", "The access token of a memory to go on with."),
        query("resume", "string", "The token of a session to come back to (`session.resumable`)."),
        query("last_seq", "integer", "The `server_event_seq` of the newest event that the client has of it."),
        query("utc_offset", "integer", "Minutes east of UTC, for questions with clock times."),
    ]
}

fn query(name: &str, kind: &str, text: &str) -> Value {
    json!({"name": name, "in": "query", "required": false, "description": text, "schema": {"type": kind}})
}

fn path_parameters(path: &str) -> Vec<Value> {
    let named = path.split('{').skip(1).filter_map(|rest| rest.split('}').next());
    named.map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}})).collect()
}

fn described(text: &str) -> Value {
    json!({"description": text})
}

fn json_body(text: &str, schema: Value) -> Value {
    json!({"description": text, "content": {"application/json": {"schema": schema}}})
}

fn error_schema() -> Value {
    json!({"type": "object", "required": ["error"], "properties": {"error": {
        "type": "object",
        "required": ["message", "type", "code", "param"],
        "properties": {
            "message": {"type": "string", "description": "What was wrong and what to do."},
            "type": {"enum": ["invalid_request_error", "rate_limit_error", "server_error"]},
            "code": {"type": "string", "description": "Stable; PROTOCOL.md lists them."},
            "param": {"type": ["string", "null"]},
        },
    }}})
}

/// Puts a schema among the components; its own definitions go beside it.
fn add_schema(schemas: &mut Map<String, Value>, name: &str, mut schema: Value) {
    if let Some(Value::Object(defs)) = schema.get_mut("$defs").map(Value::take) {
        for (name, mut def) in defs {
            point_to_components(&mut def);
            schemas.insert(name, def);
        }
    }
    if let Some(map) = schema.as_object_mut() {
        map.remove("$defs");
        map.remove("$schema");
        map.remove("title");
    }
    point_to_components(&mut schema);
    schemas.insert(name.to_owned(), schema);
}

fn point_to_components(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (key, v) in map.iter_mut() {
                match v {
                    Value::String(s) if key == "$ref" => *s = s.replace("#/$defs/", "#/components/schemas/"),
                    v => point_to_components(v),
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(point_to_components),
        _ => {}
    }
}
