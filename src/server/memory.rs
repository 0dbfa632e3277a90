//! `/v1/sessions/{memory_id}/…`: pictures, timeline and forgetting, for whoever holds the memory's access token.
//!
//! The token comes as `Authorization: Bearer` or, since an `<img>` can send no header, as `?access_token=`. Where API keys are configured
//! these addresses need none: the token alone opens one memory, and nothing else.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::{HttpError, ServerState};
use crate::base::ErrorClass;
use crate::session::SessionError;
use crate::wire::ForgetRequest;

/// What stands behind the `?`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct MemoryQuery {
    access_token: Option<String>,
    last_ms: Option<u64>,
    start_ms: Option<u64>,
    end_ms: Option<u64>,
    all: Option<bool>,
}

impl MemoryQuery {
    fn token(&self, headers: &HeaderMap) -> Result<String, HttpError> {
        let bearer = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
        let bearer = bearer.and_then(|v| v.strip_prefix("Bearer ")).map(str::trim).filter(|t| t.starts_with("mem_"));
        // No token and a wrong one are told in the same words.
        bearer.map(str::to_owned).or_else(|| self.access_token.clone()).ok_or_else(|| SessionError::NoMemory.into())
    }

    fn forget(&self) -> Result<ForgetRequest, HttpError> {
        match (self.all.unwrap_or(false), self.last_ms, self.start_ms, self.end_ms) {
            (true, None, None, None) => Ok(ForgetRequest::All),
            (false, Some(last), None, None) => Ok(ForgetRequest::Last(last)),
            (false, None, Some(start), Some(end)) if start <= end => Ok(ForgetRequest::Between(start, end)),
            _ => Err(HttpError::new(
                ErrorClass::Invalid,
                "invalid_interval",
                "say what to forget: `?last_ms=`, or `?start_ms=` and `&end_ms=` (not before it), or `?all=true`",
            )),
        }
    }
}

pub(super) async fn keyframe(
    State(state): State<ServerState>,
    Path((memory_id, keyframe)): Path<(String, String)>,
    Query(query): Query<MemoryQuery>,
    headers: HeaderMap,
) -> Result<Response, HttpError> {
    let jpeg = state.sessions.keyframe(&memory_id, &query.token(&headers)?, &keyframe).await?;
    // A picture never changes, but it may be forgotten: nobody else keeps it for long.
    let headers = [(header::CONTENT_TYPE, "image/jpeg"), (header::CACHE_CONTROL, "private, max-age=60")];
    Ok((headers, jpeg).into_response())
}

pub(super) async fn timeline(
    State(state): State<ServerState>,
    Path(memory_id): Path<String>,
    Query(query): Query<MemoryQuery>,
    headers: HeaderMap,
) -> Result<Response, HttpError> {
    let timeline = state.sessions.timeline(&memory_id, &query.token(&headers)?).await?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(timeline)).into_response())
}

pub(super) async fn trace(
    State(state): State<ServerState>,
    Path(memory_id): Path<String>,
    Query(query): Query<MemoryQuery>,
    headers: HeaderMap,
) -> Result<Response, HttpError> {
    let trace = state.sessions.trace(&memory_id, &query.token(&headers)?)?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(trace)).into_response())
}

pub(super) async fn forget(
    State(state): State<ServerState>,
    Path(memory_id): Path<String>,
    Query(query): Query<MemoryQuery>,
    headers: HeaderMap,
) -> Result<Response, HttpError> {
    let (token, request) = (query.token(&headers)?, query.forget()?);
    state.sessions.forget(&memory_id, &token, request).await?;
    Ok(Json(serde_json::json!({"forgotten": true})).into_response())
}
