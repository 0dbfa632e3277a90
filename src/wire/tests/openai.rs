//! Our events against the schemas that OpenAI publishes (`tests/data/openai`). Every difference is listed here with its reason, or the test fails.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use super::load;

/// Places where we say null although the published schema has none; why stands beside them.
fn nulls() -> Vec<String> {
    let list: Value = serde_json::from_str(include_str!("../../../tests/data/openai/nulls.json")).expect("JSON");
    let paths = list["nulls"].as_array().expect("a list").iter();
    paths.map(|p| p.as_str().expect("a path").to_owned()).collect()
}

/// Where else we differ, as `type` and the place in the event, and why.
const DIFFERENCES: &[(&str, &str, &str)] = &[];

/// Takes a null away where one is listed.
fn without_listed_nulls(mut event: Value) -> Value {
    for path in &nulls() {
        let (parent, key) = path.rsplit_once('/').expect("a path");
        if event.pointer(path) == Some(&Value::Null)
            && let Some(Value::Object(map)) = event.pointer_mut(parent)
        {
            map.remove(key);
        }
    }
    event
}

fn published() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/openai/realtime_server_events.json");
    serde_json::from_str(&std::fs::read_to_string(path).expect("test data")).expect("JSON")
}

#[test]
fn golden_events_are_what_openai_publishes_but_for_a_list() {
    let published = published();
    let mut found = BTreeSet::new();
    let mut checked = 0;
    for event in load("server_events.json") {
        let kind = event["type"].as_str().expect("a type");
        let Some(schema) = published["events"].get(kind) else { continue };
        let schema = json!({"$defs": published["$defs"], "$ref": schema["$ref"]});
        let validator = jsonschema::validator_for(&schema).expect("a valid schema");
        for error in validator.iter_errors(&without_listed_nulls(event.clone())) {
            let place = error.instance_path().to_string();
            if !DIFFERENCES.iter().any(|(k, p, _)| *k == kind && *p == place) {
                eprintln!("{kind} {place}: {error}");
            }
            found.insert((kind.to_owned(), place));
        }
        checked += 1;
    }
    assert!(checked >= 20, "only {checked} events of the protocol checked");
    let listed: BTreeSet<_> = DIFFERENCES.iter().map(|(k, p, _)| ((*k).to_owned(), (*p).to_owned())).collect();
    assert_eq!(found, listed);
}
