//! Who may come in: API keys as bearer token, as WebSocket subprotocol, or nobody's business when none are configured.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::secrets::PREFIX;
use super::{HttpError, ServerState};
use crate::base::ErrorClass;

/// Refuses requests without a valid key, before anything is read or allocated for them.
///
/// A token of `client_secrets` opens sessions, with the settings it was made with; it makes no tokens.
pub(super) async fn check(State(state): State<ServerState>, mut request: Request, next: Next) -> Response {
    let keys = &state.config.api_keys;
    let token = presented(request.headers()).filter(|p| p.starts_with(PREFIX)).map(str::to_owned);
    if let Some(token) = token {
        return match state.secrets.grant(&token, state.clock.now()) {
            Some(grant) if !request.uri().path().ends_with("/client_secrets") => {
                request.extensions_mut().insert(grant);
                next.run(request).await
            }
            Some(_) => refused("a client secret makes no client secrets: ask for one with a key of the server"),
            None => refused(
                "the client secret is unknown or has expired: have a new one made by POST /v1/realtime/client_secrets",
            ),
        };
    }
    if keys.is_empty() || keys.iter().any(|k| presented(request.headers()).is_some_and(|p| same(k, p))) {
        return next.run(request).await;
    }
    refused(
        "a valid key is needed: send `Authorization: Bearer KEY`, or the WebSocket subprotocol `openai-insecure-api-key.KEY`",
    )
}

fn refused(why: &str) -> Response {
    let error = HttpError::new(ErrorClass::Invalid, "invalid_api_key", why);
    let mut response = error.into_response();
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    response
}

fn presented(headers: &HeaderMap) -> Option<&str> {
    let bearer =
        headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()).and_then(|v| v.strip_prefix("Bearer "));
    bearer.map(str::trim).or_else(|| {
        let offered = headers.get(header::SEC_WEBSOCKET_PROTOCOL)?.to_str().ok()?;
        offered.split(',').find_map(|p| p.trim().strip_prefix("openai-insecure-api-key."))
    })
}

/// Compares without telling by its time how much was right.
fn same(key: &str, presented: &str) -> bool {
    let (a, b) = (key.as_bytes(), presented.as_bytes());
    a.len() == b.len() && a.iter().zip(b).fold(0u8, |acc, (x, y)| acc | (x ^ y)) == 0
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_key_is_found_in_either_place_and_compared_whole() {
        let mut h = HeaderMap::new();
        assert_eq!(presented(&h), None);
        h.insert(
            header::SEC_WEBSOCKET_PROTOCOL,
            HeaderValue::from_static("realtime, openai-insecure-api-key.abc, openai-agents-sdk.1"),
        );
        assert_eq!(presented(&h), Some("abc"));
        h.insert(header::AUTHORIZATION, HeaderValue::from_static("Bearer xyz"));
        assert_eq!(presented(&h), Some("xyz"));
        assert!(same("xyz", "xyz") && !same("xyz", "xy") && !same("xyz", "xyw"));
    }
}
