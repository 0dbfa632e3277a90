//! Health, readiness, version, metrics, models; and what is shown when the page was not built.

use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use serde_json::json;

use super::ServerState;

pub(super) async fn healthz() -> &'static str {
    "ok"
}

pub(super) async fn readyz(State(state): State<ServerState>) -> Response {
    let mut reasons = state.sessions.not_ready();
    if state.draining.load(Ordering::Relaxed) {
        reasons.push("draining".into());
    }
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({"ready": reasons.is_empty(), "reasons": reasons, "degraded": state.sessions.degraded(), "sessions": state.sessions.live(), "capacity": state.sessions.capacity()});
    (status, Json(body)).into_response()
}

pub(super) async fn version(State(state): State<ServerState>) -> Response {
    Json(json!({"name": "sightline", "version": env!("CARGO_PKG_VERSION"), "models": state.sessions.models()}))
        .into_response()
}

pub(super) async fn metrics(State(state): State<ServerState>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], (state.metrics)()).into_response()
}

pub(super) async fn models(State(state): State<ServerState>) -> Response {
    let data: Vec<_> = state
        .sessions
        .models()
        .iter()
        .map(|(role, name)| json!({"id": name, "object": "model", "created": 0, "owned_by": "sightline", "role": role}))
        .collect();
    Json(json!({"object": "list", "data": data})).into_response()
}

pub(super) async fn no_page(State(state): State<ServerState>, uri: axum::http::Uri) -> Response {
    if uri.path() != "/" {
        return super::HttpError::new(
            crate::base::ErrorClass::NotFound,
            "not_found",
            format!("nothing is served at {}", uri.path().chars().take(120).collect::<String>()),
        )
        .into_response();
    }
    let dir = state.config.web_root.display().to_string();
    let dir = dir.replace('&', "&amp;").replace('<', "&lt;");
    let page = format!(
        "<!doctype html><title>Sightline</title><p>The server runs, but the web page is not at <code>{dir}</code>. Build it with <code>make web</code>, or set <code>server.web_root</code>.</p>"
    );
    (StatusCode::SERVICE_UNAVAILABLE, Html(page)).into_response()
}
