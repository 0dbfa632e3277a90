//! Refusals, in the shape that OpenAI-compatible clients understand.

use schemars::JsonSchema;
use serde::Serialize;
use thiserror::Error;

use crate::base::ErrorClass;

/// The `type` of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorType {
    /// The client can mend it.
    InvalidRequestError,
    /// A defect or a missing part on our side.
    ServerError,
    /// A declared capacity is used up.
    RateLimitError,
}

/// Error codes. Stock clients branch on some of them, so the spelling is part of the protocol.
pub mod code {
    /// Not JSON, or not an object.
    pub const INVALID_JSON: &str = "invalid_json";
    /// Arrays or objects nested too deep.
    pub const TOO_DEEP: &str = "invalid_json_depth";
    /// `type` names no event that clients send.
    pub const UNKNOWN_EVENT: &str = "unknown_event_type";
    /// A field that must be there is not.
    pub const MISSING: &str = "missing_required_parameter";
    /// A field has the wrong JSON type.
    pub const INVALID_TYPE: &str = "invalid_type";
    /// A field has a value that is not allowed.
    pub const INVALID_VALUE: &str = "invalid_value";
    /// Not base64.
    pub const INVALID_BASE64: &str = "invalid_base64";
    /// A picture that is neither JPEG nor PNG.
    pub const INVALID_IMAGE: &str = "invalid_image_format";
    /// A picture given by address.
    pub const IMAGE_URL: &str = "image_url_not_supported";
    /// Over a limit of `wire::limits`.
    pub const TOO_LARGE: &str = "message_too_large";
    /// A picture over the limit.
    pub const IMAGE_TOO_LARGE: &str = "image_too_large";
    /// `response.cancel` without a response.
    pub const CANCEL_NOT_ACTIVE: &str = "response_cancel_not_active";
    /// `response.create` while one is running.
    pub const ACTIVE_RESPONSE: &str = "conversation_already_has_active_response";
    /// `input_audio_buffer.commit` with less than 100 ms of sound.
    pub const COMMIT_EMPTY: &str = "input_audio_buffer_commit_empty";
    /// An item with an id that is taken.
    pub const DUPLICATE_ITEM: &str = "item_create_duplicate_item_id";
    /// `previous_item_id` names no item.
    pub const INVALID_PREVIOUS: &str = "item_create_invalid_previous_item_id";
    /// `conversation.item.retrieve` of an item that is not there.
    pub const RETRIEVE_INVALID: &str = "item_retrieve_invalid_item_id";
    /// `conversation.item.delete` of an item that is not there.
    pub const DELETE_INVALID: &str = "item_delete_invalid_item_id";
    /// `conversation.item.truncate` of an item that is not there.
    pub const TRUNCATE_INVALID: &str = "item_truncate_invalid_item_id";
    /// An `item_reference` in `response.create` to an item that is not there.
    pub const REFERENCE_INVALID: &str = "item_reference_invalid_item_id";
    /// A `function_call_output` to a call that is not there, or that has one.
    pub const INVALID_CALL: &str = "invalid_tool_call_id";
    /// Too much is waiting; try again.
    pub const RATE_LIMIT: &str = "rate_limit_exceeded";
    /// The key of this client does not allow this event.
    pub const EVENT_NOT_ALLOWED: &str = "event_not_allowed";
    /// The session has lasted as long as its key allows.
    pub const SESSION_EXPIRED: &str = "session_expired";
    /// No room for another session.
    pub const SESSION_CAPACITY: &str = "session_capacity";
    /// The model, the recogniser or another part failed.
    pub const SERVER: &str = "server_error";
    /// Speech recognition failed.
    pub const TRANSCRIPTION: &str = "transcription_failed";
    /// An answer could not be said aloud, or not in time; it goes on as text.
    pub const VOICE: &str = "voice_failed";
}

/// Why an event was refused. `event_id` is the client's own, so that it can tell which.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize, JsonSchema)]
#[error("{code}: {message}")]
pub struct WireError {
    /// Who has to act.
    #[serde(rename = "type")]
    pub kind: ErrorType,
    /// One of [`code`].
    pub code: &'static str,
    /// What was wrong and what to do.
    pub message: String,
    /// Path of the field that was wrong, e.g. `session.audio.input.format.rate`.
    pub param: Option<String>,
    /// The `event_id` of the refused event when it had one.
    pub event_id: Option<String>,
}

impl WireError {
    /// A mistake in a field.
    pub(crate) fn field(code: &'static str, param: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            kind: ErrorType::InvalidRequestError,
            code,
            message: message.into(),
            param: Some(param.into()),
            event_id: None,
        }
    }

    /// A mistake that is not in one field.
    #[must_use]
    pub fn invalid(code: &'static str, message: impl Into<String>) -> Self {
        Self { kind: ErrorType::InvalidRequestError, code, message: message.into(), param: None, event_id: None }
    }

    /// A failure of ours.
    #[must_use]
    pub fn server(code: &'static str, message: impl Into<String>) -> Self {
        Self { kind: ErrorType::ServerError, code, message: message.into(), param: None, event_id: None }
    }

    /// Too much at once.
    #[must_use]
    pub fn busy(message: impl Into<String>) -> Self {
        let kind = ErrorType::RateLimitError;
        Self { kind, code: code::RATE_LIMIT, message: message.into(), param: None, event_id: None }
    }

    /// The same, naming the client's event.
    #[must_use]
    pub fn of_event(mut self, event_id: Option<&str>) -> Self {
        self.event_id = event_id.map(str::to_owned);
        self
    }

    /// How an edge should treat it.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match (self.kind, self.code) {
            (_, code::TOO_LARGE | code::IMAGE_TOO_LARGE) => ErrorClass::TooLarge,
            (ErrorType::InvalidRequestError, code::IMAGE_URL | code::INVALID_IMAGE) => ErrorClass::Unsupported,
            (ErrorType::InvalidRequestError, _) => ErrorClass::Invalid,
            (ErrorType::RateLimitError, _) => ErrorClass::Capacity,
            (ErrorType::ServerError, _) => ErrorClass::Internal,
        }
    }
}
