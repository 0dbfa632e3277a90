//! Arguments against the tool's JSON Schema: the part of it that tools use. What is not understood is not checked.
//!
//! Source: JSON Schema 2020-12, `type`, `enum`, `const`, `properties`, `required`, `items`, `additionalProperties: false`, `anyOf`, `oneOf`.
//! Differs from it in: a small model writes `"5"` for `5`, so what can only be meant one way is put right.

use serde_json::{Map, Number, Value};

/// Nesting that is looked into.
const MAX_DEPTH: usize = 8;
/// Faults told of one call.
const MAX_FAULTS: usize = 4;

/// What is wrong with arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A required key is not there.
    Missing(String),
    /// A value that is not allowed, and what is.
    Wrong(String, String),
}

/// Puts right what can be, and says what is left: nothing when the arguments are valid.
pub(crate) fn check(arguments: &mut Map<String, Value>, schema: Option<&Value>) -> Vec<Fault> {
    let mut faults = Vec::new();
    if let Some(Value::Object(schema)) = schema {
        check_object(arguments, schema, "", MAX_DEPTH, &mut faults);
    }
    faults.truncate(MAX_FAULTS);
    faults
}

fn check_object(
    map: &mut Map<String, Value>,
    schema: &Map<String, Value>,
    path: &str,
    depth: usize,
    faults: &mut Vec<Fault>,
) {
    let at = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    let properties = schema.get("properties").and_then(Value::as_object);
    let required: Vec<&str> =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    if let Some(properties) = properties {
        let known = |key: &String| properties.contains_key(key);
        if schema.get("additionalProperties") == Some(&Value::Bool(false)) {
            map.retain(|key, _| known(key));
        }
        // A null or an empty text for something that need not be there means that it is not.
        map.retain(|key, v| {
            required.contains(&key.as_str()) || !known(key) || !(v.is_null() || v.as_str() == Some(""))
        });
        for (key, value) in map.iter_mut() {
            if let (Some(schema), true) = (properties.get(key), depth > 0) {
                check_value(value, schema, &at(key), depth - 1, faults);
            }
        }
    }
    for key in required {
        let empty = map.get(key).is_none_or(|v| v.is_null() || v.as_str().is_some_and(|s| s.trim().is_empty()));
        if empty && faults.len() < MAX_FAULTS {
            faults.push(Fault::Missing(at(key)));
        }
    }
}

fn check_value(value: &mut Value, schema: &Value, path: &str, depth: usize, faults: &mut Vec<Fault>) {
    let Value::Object(schema) = schema else { return };
    for key in ["anyOf", "oneOf"] {
        if let Some(choices) = schema.get(key).and_then(Value::as_array) {
            if depth == 0 {
                return;
            }
            for choice in choices {
                // On a copy: what a form that does not fit changed is not kept.
                let (mut copy, mut none) = (value.clone(), Vec::new());
                check_value(&mut copy, choice, path, depth - 1, &mut none);
                if none.is_empty() {
                    *value = copy;
                    return;
                }
            }
            faults.push(Fault::Wrong(path.to_owned(), "one of the forms in its schema".to_owned()));
            return;
        }
    }
    let types: Vec<&str> = match schema.get("type") {
        Some(Value::String(t)) => vec![t],
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !types.is_empty() && !types.iter().any(|t| is_a(value, t)) {
        match types.iter().find_map(|t| meant_as(value, t)) {
            Some(right) => *value = right,
            None => {
                return faults.push(Fault::Wrong(path.to_owned(), format!("a value of type {}", types.join(" or "))));
            }
        }
    }
    let allowed =
        schema.get("enum").and_then(Value::as_array).cloned().or_else(|| Some(vec![schema.get("const")?.clone()]));
    if let Some(allowed) = allowed
        && !allowed.contains(value)
    {
        let same = |a: &&Value| matches!((a, &*value), (Value::String(a), Value::String(b)) if a.eq_ignore_ascii_case(b.trim()));
        match allowed.iter().find(same) {
            Some(right) => *value = right.clone(),
            None => {
                let list: Vec<String> = allowed.iter().take(8).map(Value::to_string).collect();
                return faults.push(Fault::Wrong(path.to_owned(), format!("one of {}", list.join(", "))));
            }
        }
    }
    match (value, schema.get("items")) {
        (Value::Object(map), _) if depth > 0 => check_object(map, schema, path, depth, faults),
        (Value::Array(list), Some(items)) if depth > 0 => {
            for (i, v) in list.iter_mut().enumerate() {
                if faults.len() < MAX_FAULTS {
                    check_value(v, items, &format!("{path}[{i}]"), depth - 1, faults);
                }
            }
        }
        _ => {}
    }
}

fn is_a(value: &Value, kind: &str) -> bool {
    match kind {
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(|x| x.fract() == 0.0),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "null" => value.is_null(),
        // A type that nobody knows forbids nothing.
        _ => true,
    }
}

/// The value in another type, where there is one way only to read it.
fn meant_as(value: &Value, kind: &str) -> Option<Value> {
    match (value, kind) {
        (Value::String(s), "integer") => s.trim().parse::<i64>().ok().map(Value::from),
        (Value::String(s), "number") => {
            let number = s.trim().parse::<f64>().ok().and_then(Number::from_f64);
            s.trim().parse::<i64>().ok().map(Value::from).or_else(|| number.map(Value::Number))
        }
        (Value::String(s), "boolean") => match s.trim().to_ascii_lowercase().as_str() {
            "true" | "yes" => Some(Value::Bool(true)),
            "false" | "no" => Some(Value::Bool(false)),
            _ => None,
        },
        (Value::Number(_) | Value::Bool(_), "string") => Some(Value::String(value.to_string())),
        (Value::String(_) | Value::Number(_), "array") => Some(Value::Array(vec![value.clone()])),
        (Value::Array(list), "string") => match list.as_slice() {
            [Value::String(one)] => Some(Value::String(one.clone())),
            _ => None,
        },
        _ => None,
    }
}

/// The faults in words, for the model and for the person.
pub(crate) fn in_words(faults: &[Fault]) -> String {
    let list: Vec<String> = faults
        .iter()
        .map(|f| match f {
            Fault::Missing(key) => format!("`{key}` is missing"),
            Fault::Wrong(key, must) => format!("`{key}` must be {must}"),
        })
        .collect();
    list.join(", ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn checked(arguments: Value, schema: &Value) -> (Value, Vec<Fault>) {
        let Value::Object(mut map) = arguments else { panic!("an object") };
        let faults = check(&mut map, Some(schema));
        (Value::Object(map), faults)
    }

    #[test]
    fn what_can_be_put_right_is_and_the_rest_is_named() {
        let schema = json!({"type": "object", "required": ["city"], "additionalProperties": false, "properties": {
            "city": {"type": "string"}, "days": {"type": "integer"}, "unit": {"enum": ["celsius", "fahrenheit"]},
            "place": {"type": "object", "required": ["x"], "properties": {"x": {"type": "number"}}},
            "tags": {"type": "array", "items": {"type": "string"}},
            "when": {"anyOf": [{"type": "null"}, {"type": "string"}]}}});
        let missing = |k: &str| Fault::Missing(k.to_owned());
        for (given, right, faults) in [
            (json!({"city": "Paris", "days": "3", "zzz": 1}), json!({"city": "Paris", "days": 3}), vec![]),
            (json!({"city": 5, "unit": "Celsius"}), json!({"city": "5", "unit": "celsius"}), vec![]),
            (json!({"city": "P", "tags": "a", "when": null}), json!({"city": "P", "tags": ["a"]}), vec![]),
            (json!({"city": " "}), json!({"city": " "}), vec![missing("city")]),
            (json!({}), json!({}), vec![missing("city")]),
            (json!({"city": "P", "place": {}}), json!({"city": "P", "place": {}}), vec![missing("place.x")]),
            (
                json!({"city": "P", "days": "soon"}),
                json!({"city": "P", "days": "soon"}),
                vec![Fault::Wrong("days".into(), "a value of type integer".into())],
            ),
            (
                json!({"city": "P", "unit": "kelvin"}),
                json!({"city": "P", "unit": "kelvin"}),
                vec![Fault::Wrong("unit".into(), "one of \"celsius\", \"fahrenheit\"".into())],
            ),
        ] {
            assert_eq!(checked(given.clone(), &schema), (right, faults), "{given}");
        }
        assert_eq!(in_words(&[missing("city")]), "`city` is missing");
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i32>().prop_map(Value::from),
            prop::sample::select(vec!["object", "array", "string", "integer", "x", "", "5"]).prop_map(Value::from),
        ];
        let keys = || {
            prop::sample::select(vec![
                "type",
                "properties",
                "required",
                "items",
                "enum",
                "anyOf",
                "x",
                "additionalProperties",
            ])
        };
        leaf.prop_recursive(5, 48, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                prop::collection::vec((keys(), inner), 0..4)
                    .prop_map(|l| Value::Object(l.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())),
            ]
        })
    }

    proptest! {
        /// Whatever a client calls a schema and a model calls arguments: no panic, few faults, and what is valid stays as it is.
        #[test]
        fn no_schema_and_no_arguments_break_it(arguments in any_json(), schema in any_json()) {
            let Value::Object(mut map) = json!({"x": arguments}) else { unreachable!() };
            let faults = check(&mut map, Some(&json!({"properties": {"x": schema.clone()}})));
            prop_assert!(faults.len() <= MAX_FAULTS);
            if faults.is_empty() {
                let mut again = map.clone();
                let left = check(&mut again, Some(&json!({"properties": {"x": schema}})));
                prop_assert!(left.is_empty());
            }
        }
    }
}
