//! WHIP (RFC 9725): sound and picture from programs that stream.
//!
//! `POST /whip` opens a session whose only client is the camera; who wants its events joins by WebSocket with `?call_id=`. What differs from
//! `/v1/realtime/calls`, and is therefore here: preconditions on the ICE session, trickled candidates, ICE restart, and 503 in the place of 429.

use std::sync::Arc;

use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::access::Visitor;
use super::calls::{CallQuery, answered};
use super::parts::read_text;
use super::{HttpError, ServerState};
use crate::base::ErrorClass;
use crate::ingest::offer::{Fragment, IceCredentials, OfferLimits, fragment, ice_credentials};
use crate::ingest::{IceAnswer, IngestError};
use crate::session::{Grant, OpenOptions, SessionError};

const SDP: &str = "application/sdp";
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";

/// An error with the status that WHIP gives it.
pub(super) struct Refusal {
    status: StatusCode,
    error: HttpError,
}

impl From<HttpError> for Refusal {
    fn from(error: HttpError) -> Self {
        let status = match (error.status(), error.code) {
            (StatusCode::TOO_MANY_REQUESTS, _) => StatusCode::SERVICE_UNAVAILABLE,
            (_, "call_name_taken") => StatusCode::CONFLICT,
            (other, _) => other,
        };
        Self { status, error }
    }
}

impl From<SessionError> for Refusal {
    fn from(error: SessionError) -> Self {
        HttpError::from(error).into()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = self.error.into_response();
        *response.status_mut() = self.status;
        response
    }
}

fn refuse(status: StatusCode, code: &'static str, why: String) -> Refusal {
    Refusal { status, error: HttpError::new(ErrorClass::Invalid, code, why) }
}

/// `POST`: a new session; under the name that stands in the path, if one does, so that others know what to join: no streaming program shows
/// what `Location` said.
pub(super) async fn create(
    State(state): State<ServerState>,
    name: Option<Path<String>>,
    query: Result<Query<CallQuery>, QueryRejection>,
    Extension(grant): Extension<Arc<Grant>>,
    Extension(visitor): Extension<Visitor>,
    request: Request,
) -> Result<Response, Refusal> {
    let options = super::read_query(query)?.options(None, grant, visitor);
    let options = OpenOptions { call_name: name.map(|Path(name)| name), ..options };
    state.refuse_while_draining()?;
    expect_kind(request.headers(), SDP)?;
    let offer = read_text(request, "the offer").await?;
    let call = state.sessions.open_call(&offer, options).await?;
    let tag = ice_credentials(&call.answer).map(|c| entity_tag(&c.ufrag));
    let mut response = answered(&state, format!("/whip/{}", call.call_id), call.answer);
    response.headers_mut().extend(tag.flatten().map(|tag| (header::ETAG, tag)));
    Ok(response)
}

/// `PATCH`: candidates of the ICE session that `If-Match` names, or with `*` a new ICE session.
pub(super) async fn change(
    State(state): State<ServerState>,
    Path(call_id): Path<String>,
    Extension(grant): Extension<Arc<Grant>>,
    request: Request,
) -> Result<Response, Refusal> {
    let (ufrag, remote) = state.sessions.ice_session(&call_id, &grant)?;
    expect_kind(request.headers(), FRAGMENT)?;
    let asked = request.headers().get(header::IF_MATCH).and_then(|v| v.to_str().ok()).map(str::to_owned);
    let Some(asked) = asked else {
        let why = "send `If-Match` with the ETag of the ICE session, or `*` to restart ICE";
        return Err(refuse(StatusCode::PRECONDITION_REQUIRED, "precondition_required", why.into()));
    };
    let text = read_text(request, "the fragment").await?;
    let read = fragment(&text, &OfferLimits::default()).map_err(|e| SessionError::from(IngestError::from(e)))?;
    match (what_is_meant(&asked, &ufrag), new_session(read, remote.as_ref())) {
        (Meant::Other, _) => {
            let why = format!("the ICE session is `\"{ufrag}\"` now: that of `If-Match` was ended by a restart");
            Err(refuse(StatusCode::PRECONDITION_FAILED, "ice_session_changed", why))
        }
        (Meant::This, Some(_)) => {
            let why = "these credentials are of another ICE session: send `If-Match: *` to restart ICE";
            Err(refuse(StatusCode::UNPROCESSABLE_ENTITY, "ice_session_mismatch", why.into()))
        }
        // Candidates need nothing done: the client's checks tell where it is, and the server dials nobody.
        (Meant::This | Meant::Any, None) => Ok(StatusCode::NO_CONTENT.into_response()),
        (Meant::Any, Some(new)) => {
            let IceAnswer { ufrag, fragment } = state.sessions.restart_ice(&call_id, &new, &grant).await?;
            let mut response = ([(header::CONTENT_TYPE, FRAGMENT)], fragment).into_response();
            response.headers_mut().extend(entity_tag(&ufrag).map(|tag| (header::ETAG, tag)));
            Ok(response)
        }
    }
}

pub(super) async fn end(
    State(state): State<ServerState>,
    Path(call_id): Path<String>,
    Extension(grant): Extension<Arc<Grant>>,
) -> Result<StatusCode, Refusal> {
    state.sessions.hang_up(&call_id, &grant).await?;
    Ok(StatusCode::OK)
}

/// Says what may be sent where, to whoever asks by `OPTIONS` or sent something else.
pub(super) async fn announce(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let says: &[_] = match (path == "/whip", path.starts_with("/whip/")) {
        (true, _) => &[("accept-post", SDP)],
        (_, true) => &[("accept-post", SDP), ("accept-patch", FRAGMENT)],
        _ => &[],
    };
    let asks = request.method() == Method::OPTIONS;
    let mut response = next.run(request).await;
    let refused = [StatusCode::UNSUPPORTED_MEDIA_TYPE, StatusCode::METHOD_NOT_ALLOWED].contains(&response.status());
    for (name, kind) in says.iter().filter(|_| asks || refused) {
        response.headers_mut().insert(*name, HeaderValue::from_static(kind));
    }
    response
}

fn expect_kind(headers: &HeaderMap, wanted: &'static str) -> Result<(), Refusal> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case(wanted) {
        return Ok(());
    }
    let why = format!("send `Content-Type: {wanted}`");
    Err(refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_content_type", why))
}

/// The ICE session as an entity tag.
fn entity_tag(ufrag: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("\"{ufrag}\"")).ok()
}

/// Which ICE session an `If-Match` means.
#[derive(Debug, PartialEq, Eq)]
enum Meant {
    This,
    Any,
    Other,
}

fn what_is_meant(if_match: &str, ufrag: &str) -> Meant {
    let mut tags = if_match.split(',').map(str::trim);
    if if_match.trim() == "*" {
        Meant::Any
    } else if tags.any(|t| t.strip_prefix('"').and_then(|t| t.strip_suffix('"')) == Some(ufrag)) {
        Meant::This
    } else {
        Meant::Other
    }
}

/// The credentials of a fragment, if they are not those of the session that runs.
fn new_session(read: Fragment, remote: Option<&IceCredentials>) -> Option<IceCredentials> {
    read.credentials.filter(|c| Some(c) != remote)
}

#[cfg(test)]
mod tests {
    use super::{Meant, what_is_meant};

    #[test]
    fn if_match_names_this_session_any_or_another() {
        assert_eq!(what_is_meant("\"abcd\"", "abcd"), Meant::This);
        assert_eq!(what_is_meant("\"x\", \"abcd\"", "abcd"), Meant::This);
        assert_eq!(what_is_meant(" * ", "abcd"), Meant::Any);
        for other in ["", "abcd", "\"abc\"", "W/\"abcd\"", "\""] {
            assert_eq!(what_is_meant(other, "abcd"), Meant::Other, "{other}");
        }
    }
}
