//! JSON Schema to TypeScript, as far as the schemas of `wire` go: objects, choices, constants, arrays, tuples, null.
//!
//! A shape it does not know becomes `unknown`, never a wrong type; a test holds that the events hold none by accident.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

const HEAD: &str = "// SPDX-License-Identifier: MIT OR Apache-2.0
// Written by `sightline schemas` from the Rust types in src/wire: do not edit. `make schemas` writes it anew.
/* eslint-disable */
";

/// The types of both sides. Definitions of the same name are one definition: a test holds them to it.
pub(super) fn types(client: &Value, server: &Value) -> String {
    let mut out = HEAD.to_owned();
    let mut defs: BTreeMap<String, Value> = BTreeMap::new();
    for schema in [server, client] {
        for (name, def) in schema["$defs"].as_object().into_iter().flatten() {
            defs.entry(name.clone()).or_insert_with(|| def.clone());
        }
    }
    for (name, def) in &defs {
        out.push('\n');
        doc(&mut out, def, "");
        let body = of(def, "");
        let _ = if def["properties"].is_object() && def.get("oneOf").is_none() {
            writeln!(out, "export interface {name} {body}")
        } else {
            writeln!(out, "export type {name} = {body};")
        };
    }
    for schema in [server, client] {
        let name = schema["title"].as_str().unwrap_or_default();
        let kinds = crate::wire::schema::kinds(schema);
        let choice: Vec<String> =
            kinds.iter().map(|(k, _)| format!("\n  | {}", crate::wire::schema::event_name(k))).collect();
        let _ = write!(
            out,
            "\n/** {}. */\nexport type {name} ={};\n",
            schema["description"].as_str().unwrap_or_default(),
            choice.concat()
        );
    }
    out.push_str(&guards(server));
    out
}

/// Which fields an event of the server always has, and what `typeof` says of each: for guards at run time.
fn guards(server: &Value) -> String {
    let mut out = "\n/** The fields that each event of the server always has, with what `typeof` says of them; `\"any\"` may be null. */\n\
                   export const SERVER_EVENT_FIELDS: { readonly [K in ServerEvent[\"type\"]]: Readonly<Record<string, string>> } = {\n"
        .to_owned();
    for (kind, _) in crate::wire::schema::kinds(server) {
        let def = &server["$defs"][crate::wire::schema::event_name(&kind)];
        let required = def["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let fields: Vec<String> = required
            .filter(|f| *f != "type")
            .map(|f| format!("{f}: \"{}\"", type_of(&def["properties"][f], server)))
            .collect();
        let _ = if fields.is_empty() {
            writeln!(out, "  \"{kind}\": {{}},")
        } else {
            writeln!(out, "  \"{kind}\": {{ {} }},", fields.join(", "))
        };
    }
    out + "};\n"
}

fn type_of<'a>(schema: &'a Value, root: &'a Value) -> &'a str {
    if let Some(name) = schema["$ref"].as_str().and_then(|r| r.strip_prefix("#/$defs/")) {
        return type_of(&root["$defs"][name], root);
    }
    match schema["type"].as_str() {
        Some("integer" | "number") => "number",
        Some("array" | "object") => "object",
        Some(plain @ ("string" | "boolean")) => plain,
        _ => "any",
    }
}

/// The type that a schema describes; `pad` is the indentation of the line it stands in.
pub(super) fn of(schema: &Value, pad: &str) -> String {
    if let Some(name) = schema["$ref"].as_str() {
        return name.rsplit('/').next().unwrap_or("unknown").to_owned();
    }
    if let Some(constant) = schema.get("const") {
        return constant.to_string();
    }
    if let Some(list) = schema["enum"].as_array() {
        return list.iter().map(Value::to_string).collect::<Vec<_>>().join(" | ");
    }
    // A choice of which fields there must be is not a choice of shapes.
    let shapes =
        |list: &&Vec<Value>| !list.iter().all(|s| s.as_object().is_some_and(|s| s.keys().all(|k| k == "required")));
    if let Some(list) = ["oneOf", "anyOf"].iter().find_map(|k| schema[k].as_array()).filter(shapes) {
        return list.iter().map(|s| of(s, pad)).collect::<Vec<_>>().join(" | ");
    }
    match &schema["type"] {
        Value::String(kind) => plain(kind, schema, pad),
        Value::Array(kinds) => {
            kinds.iter().filter_map(Value::as_str).map(|k| plain(k, schema, pad)).collect::<Vec<_>>().join(" | ")
        }
        _ => "unknown".to_owned(),
    }
}

fn plain(kind: &str, schema: &Value, pad: &str) -> String {
    match kind {
        "string" | "boolean" | "null" => kind.to_owned(),
        "integer" | "number" => "number".to_owned(),
        "array" => array(schema, pad),
        "object" => object(schema, pad),
        _ => "unknown".to_owned(),
    }
}

fn array(schema: &Value, pad: &str) -> String {
    if let Some(items) = schema["prefixItems"].as_array() {
        return format!("[{}]", items.iter().map(|s| of(s, pad)).collect::<Vec<_>>().join(", "));
    }
    let item = of(&schema["items"], pad);
    // Rust's `[T; N]`: as many of the same.
    let (least, most) = (schema["minItems"].as_u64(), schema["maxItems"].as_u64());
    match (least, most) {
        (Some(least), Some(most)) if least == most && most <= 8 => {
            let list: Vec<&str> = (0..most).map(|_| item.as_str()).collect();
            format!("[{}]", list.join(", "))
        }
        _ if item.contains([' ', '|']) => format!("({item})[]"),
        _ => format!("{item}[]"),
    }
}

fn object(schema: &Value, pad: &str) -> String {
    let Some(properties) = schema["properties"].as_object().filter(|p| !p.is_empty()) else {
        return "Record<string, unknown>".to_owned();
    };
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let inner = format!("{pad}  ");
    let mut out = "{\n".to_owned();
    for (name, property) in properties {
        doc(&mut out, property, &inner);
        let mark = if required.contains(&name.as_str()) { "" } else { "?" };
        let _ = writeln!(out, "{inner}{name}{mark}: {};", of(property, &inner));
    }
    let _ = write!(out, "{pad}}}");
    out
}

fn doc(out: &mut String, schema: &Value, pad: &str) {
    if let Some(text) = schema["description"].as_str() {
        let _ = writeln!(out, "{pad}/** {} */", text.replace('\n', " ").replace("*/", "* /"));
    }
}
