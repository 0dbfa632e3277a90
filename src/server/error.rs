//! The one table from [`ErrorClass`] to HTTP status and OpenAI error type.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::base::ErrorClass;
use crate::session::SessionError;

/// An error on its way to an HTTP client: `{"error":{"message","type","code","param"}}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpError {
    /// What sort.
    pub class: ErrorClass,
    /// Machine-readable, stable.
    pub code: &'static str,
    /// What was wrong and what to do.
    pub message: String,
    /// Seconds after which it is worth trying again, where that is known; told with 429 and 503.
    pub retry_after_s: Option<u64>,
}

/// Told where nothing better is known.
const RETRY_AFTER_S: u64 = 5;

impl HttpError {
    /// Makes an error.
    pub fn new(class: ErrorClass, code: &'static str, message: impl Into<String>) -> Self {
        Self { class, code, message: message.into(), retry_after_s: None }
    }

    /// The status for this class.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self.class {
            ErrorClass::Invalid => StatusCode::BAD_REQUEST,
            ErrorClass::Forbidden => StatusCode::FORBIDDEN,
            ErrorClass::NotFound => StatusCode::NOT_FOUND,
            ErrorClass::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ErrorClass::Unsupported => StatusCode::UNPROCESSABLE_ENTITY,
            ErrorClass::Capacity => StatusCode::TOO_MANY_REQUESTS,
            ErrorClass::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            ErrorClass::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    const fn kind(&self) -> &'static str {
        match self.class {
            ErrorClass::Capacity => "rate_limit_error",
            ErrorClass::Unavailable | ErrorClass::Internal => "server_error",
            _ => "invalid_request_error",
        }
    }
}

impl From<SessionError> for HttpError {
    fn from(e: SessionError) -> Self {
        // A part of a second is waited for whole.
        let retry_after_s = e.retry_after().map(|d| d.as_secs() + u64::from(d.subsec_nanos() > 0));
        Self { retry_after_s, ..Self::new(e.class(), e.code(), e.to_string()) }
    }
}

impl IntoResponse for HttpError {
    fn into_response(self) -> Response {
        let body = json!({"error": {"message": self.message, "type": self.kind(), "code": self.code, "param": null}});
        let mut response = (self.status(), Json(body)).into_response();
        if matches!(self.class, ErrorClass::Capacity | ErrorClass::Unavailable) {
            let seconds = HeaderValue::from(self.retry_after_s.unwrap_or(RETRY_AFTER_S));
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}
