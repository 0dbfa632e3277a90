//! `POST /v1/realtime/calls`: SDP offer in, answer and `Location` out; hang-up.

use axum::Extension;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequest, Multipart, Path, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::secrets::Grant;
use super::{HttpError, ServerState};
use crate::base::ErrorClass;
use crate::session::OpenOptions;

/// What stands behind the `?`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct CallQuery {
    /// Model asked for; we show the effective one.
    pub(super) model: Option<String>,
    /// Comma-separated extensions to switch on.
    pub(super) ext: Option<String>,
    /// Attach to this call instead of opening a session (WebSocket only).
    pub(super) call_id: Option<String>,
    /// Go on with the memory that this access token opens.
    pub(super) memory: Option<String>,
    /// The client's offset from UTC in minutes, east positive, for clock times in questions.
    pub(super) utc_offset: Option<i32>,
    /// The token of a session to come back to.
    pub(super) resume: Option<String>,
    /// The number of the newest event that the client has of it.
    pub(super) last_seq: Option<u64>,
}

impl CallQuery {
    pub(super) fn options(self, session: Option<String>) -> OpenOptions {
        let extensions = self.ext.unwrap_or_default();
        let extensions = extensions.split(',').map(str::trim).filter(|e| !e.is_empty()).map(String::from).collect();
        // From Baker Island to the Line Islands; anything else is nonsense and is passed over.
        let utc_offset_minutes = self.utc_offset.filter(|m| (-720..=840).contains(m)).unwrap_or(0);
        OpenOptions {
            model: self.model,
            extensions,
            session,
            memory: self.memory,
            utc_offset_minutes,
            resume: self.resume,
            last_seq: self.last_seq.unwrap_or(0),
        }
    }
}

pub(super) async fn create(
    State(state): State<ServerState>,
    query: Result<Query<CallQuery>, QueryRejection>,
    grant: Option<Extension<Grant>>,
    request: Request,
) -> Result<Response, HttpError> {
    state.refuse_while_draining()?;
    let query = super::read_query(query)?;
    let (offer, session) = read_offer(request).await?;
    let session = session.or_else(|| grant.and_then(|g| g.0.session));
    let call = state.sessions.open_call(&offer, query.options(session)).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/sdp".to_owned()),
        (header::LOCATION, format!("/v1/realtime/calls/{}", call.call_id)),
    ];
    Ok((StatusCode::CREATED, headers, call.answer).into_response())
}

pub(super) async fn hang_up(
    State(state): State<ServerState>,
    Path(call_id): Path<String>,
) -> Result<StatusCode, HttpError> {
    state.sessions.hang_up(&call_id).await?;
    Ok(StatusCode::OK)
}

/// The offer, and the session object where the request is multipart.
async fn read_offer(request: Request) -> Result<(String, Option<String>), HttpError> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if kind.starts_with("multipart/form-data") {
        return read_multipart(request).await;
    }
    if !kind.is_empty() && !kind.starts_with("application/sdp") {
        return Err(HttpError::new(
            ErrorClass::Invalid,
            "unsupported_content_type",
            format!(
                "content type `{}` is not one we take: send `application/sdp`, or `multipart/form-data` with parts `sdp` and `session`",
                clip(kind)
            ),
        ));
    }
    let body = Bytes::from_request(request, &()).await.map_err(|e| body_error(&e.body_text(), e.status()))?;
    Ok((text(&body, "the offer")?, None))
}

async fn read_multipart(request: Request) -> Result<(String, Option<String>), HttpError> {
    let invalid = |m: String| HttpError::new(ErrorClass::Invalid, "invalid_multipart", m);
    let mut parts = Multipart::from_request(request, &()).await.map_err(|e| invalid(e.body_text()))?;
    let (mut sdp, mut session) = (None, None);
    while let Some(part) = parts.next_field().await.map_err(|e| body_error(&e.body_text(), e.status()))? {
        let name = part.name().unwrap_or_default().to_owned();
        let bytes = part.bytes().await.map_err(|e| body_error(&e.body_text(), e.status()))?;
        match name.as_str() {
            "sdp" => sdp = Some(text(&bytes, "part `sdp`")?),
            "session" => session = Some(text(&bytes, "part `session`")?),
            other => return Err(invalid(format!("unknown part `{}`: the parts are `sdp` and `session`", clip(other)))),
        }
    }
    sdp.map(|s| (s, session)).ok_or_else(|| invalid("part `sdp` with the offer is missing".into()))
}

fn body_error(message: &str, status: StatusCode) -> HttpError {
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        let text = format!("the request is larger than {} bytes", super::MAX_BODY_BYTES);
        return HttpError::new(ErrorClass::TooLarge, "request_too_large", text);
    }
    HttpError::new(ErrorClass::Invalid, "invalid_body", message)
}

fn text(bytes: &[u8], what: &str) -> Result<String, HttpError> {
    let text = std::str::from_utf8(bytes)
        .map_err(|e| HttpError::new(ErrorClass::Invalid, "invalid_utf8", format!("{what} is not UTF-8: {e}")))?;
    Ok(text.to_owned())
}

/// The first characters of something foreign, fit to be shown in a message.
fn clip(s: &str) -> String {
    s.chars().filter(|c| !c.is_control()).take(60).collect()
}
