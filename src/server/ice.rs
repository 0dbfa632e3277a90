//! STUN and TURN servers for clients: `GET /v1/realtime/ice_servers`, and the same as `Link` headers of an answered call (RFC 9725 §4.6).

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use rand::Rng;
use rand::distr::Alphanumeric;
use serde_json::{Value, json};

use super::ServerState;
use crate::ingest::IceServer;

/// Credentials are each client's own; the name only tells one from another in the TURN server's log.
const NAME_LENGTH: usize = 12;

pub(super) async fn servers(State(state): State<ServerState>) -> Response {
    let (servers, expires_at) = issue(&state);
    let timed = servers.iter().any(|s| s.credentials.is_some());
    let list: Vec<Value> = servers.iter().map(as_json).collect();
    let body = json!({"ice_servers": list, "expires_at": if timed { Value::from(expires_at) } else { Value::Null }});
    ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

/// One header per address, with credentials where it relays.
pub(super) fn links(state: &ServerState) -> Vec<HeaderValue> {
    issue(state).0.iter().flat_map(as_links).collect()
}

fn issue(state: &ServerState) -> (Vec<IceServer>, i64) {
    let name: String = rand::rng().sample_iter(Alphanumeric).take(NAME_LENGTH).map(char::from).collect();
    let now = state.unix_s(state.clock.now());
    (state.config.ice.issue(&name, now), state.config.ice.expires(now))
}

fn as_json(server: &IceServer) -> Value {
    match &server.credentials {
        Some((user, password)) => json!({"urls": server.urls, "username": user, "credential": password}),
        None => json!({"urls": server.urls}),
    }
}

fn as_links(server: &IceServer) -> Vec<HeaderValue> {
    let secret = server.credentials.as_ref().map_or_else(String::new, |(user, password)| {
        format!("; username=\"{user}\"; credential=\"{password}\"; credential-type=\"password\"")
    });
    let links = server.urls.iter().map(|url| format!("<{url}>; rel=\"ice-server\"{secret}"));
    // Addresses are checked when the configuration is read: none is lost here.
    links.filter_map(|link| HeaderValue::from_str(&link).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::{as_json, as_links};
    use crate::ingest::IceServer;

    #[test]
    fn a_link_header_is_as_the_rfc_writes_it() {
        let stun = IceServer { urls: vec!["stun:stun.example.net".into()], credentials: None };
        assert_eq!(as_links(&stun), ["<stun:stun.example.net>; rel=\"ice-server\""]);
        let credentials = Some(("1:x".to_owned(), "pw=".to_owned()));
        let turn = IceServer { urls: vec!["turn:turn.example.net?transport=udp".into()], credentials };
        assert_eq!(
            as_links(&turn),
            [
                "<turn:turn.example.net?transport=udp>; rel=\"ice-server\"; username=\"1:x\"; credential=\"pw=\"; credential-type=\"password\""
            ]
        );
        assert_eq!(as_json(&turn)["credential"], "pw=");
    }
}
