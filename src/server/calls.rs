//! `POST /v1/realtime/calls`: SDP offer in, answer and `Location` out; hang-up.

use std::sync::Arc;

use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::access::Visitor;
use super::parts::read_offer;
use super::{HttpError, ServerState};
use crate::base::ErrorClass;
use crate::session::{Grant, OpenOptions};
use crate::wire::{BETA_HEADER, BETA_PROTOCOL};

/// What stands behind the `?`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct CallQuery {
    /// Model asked for; we show the effective one.
    pub(super) model: Option<String>,
    /// Comma-separated extensions to switch on.
    pub(super) ext: Option<String>,
    /// `transcription`: what is said is written down, and nothing is answered.
    pub(super) intent: Option<String>,
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
    /// `session`: settings that take the place of those of the token.
    pub(super) fn options(self, session: Option<String>, grant: Arc<Grant>, visitor: Visitor) -> OpenOptions {
        let extensions = self.ext.unwrap_or_default();
        let extensions = extensions.split(',').map(str::trim).filter(|e| !e.is_empty()).map(String::from).collect();
        // From Baker Island to the Line Islands; anything else is nonsense and is passed over.
        let utc_offset_minutes = self.utc_offset.filter(|m| (-720..=840).contains(m)).unwrap_or(0);
        let session = session.or(visitor.session);
        let session = match self.intent.as_deref() {
            Some("transcription") => session.or_else(|| Some(r#"{"type":"transcription"}"#.to_owned())),
            _ => session,
        };
        OpenOptions {
            model: self.model,
            extensions,
            session,
            memory: self.memory,
            utc_offset_minutes,
            resume: self.resume,
            last_seq: self.last_seq.unwrap_or(0),
            call_name: None,
            grant,
            address: visitor.address,
            older_names: false,
        }
    }
}

/// Whether a client asks for the names of before GA: in a header, or in a subprotocol, since browsers can set no header.
pub(super) fn wants_older_names(headers: &HeaderMap) -> bool {
    let listed = |name: &str, wanted: &str| {
        let values = headers.get_all(name).into_iter().filter_map(|v| v.to_str().ok());
        values.flat_map(|v| v.split(',')).any(|v| v.trim().eq_ignore_ascii_case(wanted))
    };
    listed("openai-beta", BETA_HEADER) || listed("sec-websocket-protocol", BETA_PROTOCOL)
}

pub(super) async fn create(
    State(state): State<ServerState>,
    query: Result<Query<CallQuery>, QueryRejection>,
    Extension(grant): Extension<Arc<Grant>>,
    Extension(visitor): Extension<Visitor>,
    request: Request,
) -> Result<Response, HttpError> {
    state.refuse_while_draining()?;
    let query = super::read_query(query)?;
    let older_names = wants_older_names(request.headers());
    let (offer, session) = read_offer(request).await?;
    let options = OpenOptions { older_names, ..query.options(session, grant, visitor) };
    let call = state.sessions.open_call(&offer, options).await?;
    Ok(answered(&state, format!("/v1/realtime/calls/{}", call.call_id), call.answer))
}

/// 201 with the answer, where the call is, and the ICE servers it may use.
pub(super) fn answered(state: &ServerState, location: String, answer: String) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/sdp".to_owned()), (header::LOCATION, location)];
    let mut response = (StatusCode::CREATED, headers, answer).into_response();
    response.headers_mut().extend(super::ice::links(state).into_iter().map(|link| (header::LINK, link)));
    response
}

pub(super) async fn hang_up(
    State(state): State<ServerState>,
    Extension(grant): Extension<Arc<Grant>>,
    Path(call_id): Path<String>,
) -> Result<StatusCode, HttpError> {
    state.sessions.hang_up(&call_id, &grant).await?;
    Ok(StatusCode::OK)
}

/// Accepting, rejecting and referring are of calls that come in by telephone.
pub(super) async fn no_telephone() -> HttpError {
    let text = "this server takes no telephone calls (SIP); WebRTC calls are placed by POST /v1/realtime/calls";
    HttpError::new(ErrorClass::NotFound, "call_not_found", text)
}
