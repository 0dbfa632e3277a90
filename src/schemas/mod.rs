//! The contract as files: JSON Schemas, an AsyncAPI and an OpenAPI document, and the TypeScript types of the client.
//!
//! Floor 1, above `wire`. In: the schemas that `wire` makes from its types. Out: texts, the same every time. A test compares them with the files
//! that are committed and says which command writes them anew: `sightline schemas --out .`.

mod asyncapi;
mod openapi;
#[cfg(test)]
mod tests;
mod typescript;

use serde_json::Value;

use crate::wire::schema;

/// One generated file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Path in the repository.
    pub path: &'static str,
    /// What belongs in it.
    pub text: String,
}

/// Every generated file.
#[must_use]
pub fn documents() -> Vec<Document> {
    let (client, server) = (schema::client_events(), schema::server_events());
    vec![
        Document { path: "schemas/client_events.json", text: pretty(&client) },
        Document { path: "schemas/server_events.json", text: pretty(&server) },
        Document { path: "schemas/session.json", text: pretty(&schema::session()) },
        Document { path: "schemas/asyncapi.json", text: pretty(&asyncapi::document(&client, &server)) },
        Document { path: "schemas/openapi.json", text: pretty(&openapi::document()) },
        Document { path: "web/src/client/wire.gen.ts", text: typescript::types(&client, &server) },
    ]
}

fn pretty(value: &Value) -> String {
    // Plain values have no way to fail; an empty text would be seen by the test.
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}
