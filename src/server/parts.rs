//! What stands in the body of a request that offers a call: text, or parts of a form.

use axum::body::Bytes;
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::header;

use super::HttpError;
use crate::base::ErrorClass;

/// The offer, and the session object where the request is multipart.
pub(super) async fn read_offer(request: Request) -> Result<(String, Option<String>), HttpError> {
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
    Ok((read_text(request, "the offer").await?, None))
}

/// The body of a request, within the limit and as text.
pub(super) async fn read_text(request: Request, what: &str) -> Result<String, HttpError> {
    let body = Bytes::from_request(request, &()).await.map_err(|e| body_error(&e.body_text()))?;
    text(&body, what)
}

async fn read_multipart(request: Request) -> Result<(String, Option<String>), HttpError> {
    let invalid = |m: String| HttpError::new(ErrorClass::Invalid, "invalid_multipart", m);
    let mut parts = Multipart::from_request(request, &()).await.map_err(|e| invalid(e.body_text()))?;
    let (mut sdp, mut session) = (None, None);
    while let Some(part) = parts.next_field().await.map_err(|e| body_error(&e.body_text()))? {
        let name = part.name().unwrap_or_default().to_owned();
        let bytes = part.bytes().await.map_err(|e| body_error(&e.body_text()))?;
        match name.as_str() {
            "sdp" => sdp = Some(text(&bytes, "part `sdp`")?),
            "session" => session = Some(text(&bytes, "part `session`")?),
            other => return Err(invalid(format!("unknown part `{}`: the parts are `sdp` and `session`", clip(other)))),
        }
    }
    sdp.map(|s| (s, session)).ok_or_else(|| invalid("part `sdp` with the offer is missing".into()))
}

/// That it is too large was said before: bodies come here whole.
fn body_error(message: &str) -> HttpError {
    HttpError::new(ErrorClass::Invalid, "invalid_body", message)
}

fn text(bytes: &[u8], what: &str) -> Result<String, HttpError> {
    let text = std::str::from_utf8(bytes)
        .map_err(|e| HttpError::new(ErrorClass::Invalid, "invalid_utf8", format!("{what} is not UTF-8: {e}")))?;
    Ok(text.to_owned())
}

/// The first characters of something foreign, fit to be shown in a message.
pub(super) fn clip(s: &str) -> String {
    s.chars().filter(|c| !c.is_control()).take(80).collect()
}
