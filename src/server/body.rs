//! Bodies of requests: read whole before anything is done with them, within a time and a size.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::{HttpError, MAX_BODY_BYTES};
use crate::base::ErrorClass;

/// Longest wait for a body.
const BODY: Duration = Duration::from_secs(8);

/// Gives handlers bodies that are whole; a client that dawdles is answered with 408, and its connection closed.
pub(super) async fn whole(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let declared = parts.headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|n| n > MAX_BODY_BYTES as u64) {
        return too_large();
    }
    match tokio::time::timeout(BODY, to_bytes(body, MAX_BODY_BYTES)).await {
        Ok(Ok(bytes)) => next.run(Request::from_parts(parts, Body::from(bytes))).await,
        Ok(Err(e)) if e.to_string().contains("length limit") => too_large(),
        Ok(Err(e)) => HttpError::new(ErrorClass::Invalid, "invalid_body", e.to_string()).into_response(),
        Err(_) => {
            let text = format!("the body of the request did not come within {} s", BODY.as_secs());
            let mut response = HttpError::new(ErrorClass::Invalid, "request_timeout", text).into_response();
            *response.status_mut() = StatusCode::REQUEST_TIMEOUT;
            response.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("close"));
            response
        }
    }
}

/// For a request that is larger than any may be.
fn too_large() -> Response {
    let text = format!("the request is larger than {MAX_BODY_BYTES} bytes");
    HttpError::new(ErrorClass::TooLarge, "request_too_large", text).into_response()
}
