use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::documents;
use crate::wire::schema;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_committed_files_are_those_the_types_give() {
    for document in documents() {
        if std::env::var_os("SIGHTLINE_BLESS").is_some() {
            fs::write(root().join(document.path), &document.text).expect("written");
        }
        let committed = fs::read_to_string(root().join(document.path)).unwrap_or_default();
        let same = committed == document.text;
        assert!(same, "{} is not what the types in src/wire give: run `make schemas` and commit it", document.path);
    }
}

/// What is registered in `server::router`, read from its text: axum gives no list.
fn routes() -> BTreeSet<(String, String)> {
    let text = include_str!("../server/mod.rs");
    let mut found = BTreeSet::new();
    for line in text.split(".route(\"").skip(1) {
        let (path, rest) = line.split_once('"').expect("a path ends");
        // Up to where this call of `route` ends.
        let mut depth = 1;
        let end = rest.find(|c| {
            depth += i32::from(c == '(') - i32::from(c == ')');
            depth == 0
        });
        let handlers = &rest[..end.expect("a call ends")];
        for method in ["get", "post", "put", "patch", "delete", "options"] {
            let called = |c: char| format!("{c}{method}(");
            if [' ', '.', ','].iter().any(|c| handlers.contains(&called(*c))) {
                found.insert((method.to_owned(), path.to_owned()));
            }
        }
    }
    found
}

#[test]
fn every_route_is_in_the_openapi_document_and_the_other_way_round() {
    let document = super::openapi::document();
    let mut described = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for method in operations.as_object().expect("operations").keys() {
            described.insert((method.clone(), path.clone()));
        }
    }
    let routes = routes();
    assert!(routes.len() >= 15, "only {routes:?}: the test is reading wrongly");
    let missing: Vec<_> = routes.difference(&described).collect();
    let gone: Vec<_> = described.difference(&routes).collect();
    assert!(missing.is_empty(), "in `server::router`, not in src/schemas/openapi.rs: {missing:?}");
    assert!(gone.is_empty(), "in src/schemas/openapi.rs, not in `server::router`: {gone:?}");
}

/// Every `$ref` of a document, with the document it points into.
fn dangling(value: &Value, own: &Value, broken: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            if let Some(target) = map.get("$ref").and_then(Value::as_str) {
                let (file, at) = target.split_once('#').expect("a reference has a fragment");
                let there = match file {
                    "" => own.pointer(at).is_some(),
                    "./client_events.json" => schema::client_events().pointer(at).is_some(),
                    "./server_events.json" => schema::server_events().pointer(at).is_some(),
                    _ => false,
                };
                if !there {
                    broken.push(target.to_owned());
                }
            }
            map.values().for_each(|v| dangling(v, own, broken));
        }
        Value::Array(list) => list.iter().for_each(|v| dangling(v, own, broken)),
        _ => {}
    }
}

#[test]
fn no_reference_points_nowhere() {
    for document in documents().into_iter().filter(|d| d.path.ends_with(".json")) {
        let value: Value = serde_json::from_str(&document.text).expect("JSON");
        let mut broken = Vec::new();
        dangling(&value, &value, &mut broken);
        assert!(broken.is_empty(), "{}: {broken:?}", document.path);
    }
}

#[test]
fn definitions_of_both_sides_with_one_name_are_one_definition() {
    let (client, server) = (schema::client_events(), schema::server_events());
    for (name, def) in client["$defs"].as_object().expect("defs") {
        if let Some(other) = server["$defs"].get(name) {
            assert_eq!(def, other, "{name}: the TypeScript file can hold only one of them");
        }
    }
}

#[test]
fn schemas_become_types() {
    for (schema, want) in [
        (json!({"type": "string"}), "string"),
        (json!({"type": ["integer", "null"]}), "number | null"),
        (json!({"anyOf": [{"$ref": "#/$defs/Item"}, {"type": "null"}]}), "Item | null"),
        (json!({"enum": ["a", "b"]}), "\"a\" | \"b\""),
        (json!({"type": "array", "items": {"type": ["string", "null"]}}), "(string | null)[]"),
        (json!({"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}), "[number, number]"),
        (json!({"type": "object"}), "Record<string, unknown>"),
        (json!(true), "unknown"),
        (
            json!({"type": "object", "properties": {"a": {"const": 1}, "b": {"type": "string"}}, "required": ["a"]}),
            "{\n  a: 1;\n  b?: string;\n}",
        ),
    ] {
        assert_eq!(super::typescript::of(&schema, ""), want, "{schema}");
    }
}
