//! `POST /v1/realtime/client_secrets`: short-lived tokens (`ek_…`) for browsers, so that a page never holds a key of the operator's.
//!
//! Source: the OpenAI Realtime API (`/v1/realtime/client_secrets`). A token opens sessions until it expires, with the session settings it was made
//! with; it makes no tokens. Tokens live in memory only: a restart ends them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use rand::Rng;
use rand::distr::Alphanumeric;
use serde_json::{Value, json};

use super::{HttpError, ServerState};
use crate::base::{ErrorClass, MediaTime};
use crate::session::OpenOptions;

/// What every token begins with; clients look for it.
pub(super) const PREFIX: &str = "ek_";
/// Random characters behind it: 238 bits.
const LENGTH: usize = 40;
/// Tokens that may be valid at one time; one more is refused until the oldest expires.
const MOST: usize = 1_024;
/// How long a token is valid when nobody says, and the bounds of what may be said.
const SECONDS: u64 = 600;
const LEAST_SECONDS: u64 = 10;
const MOST_SECONDS: u64 = 7_200;

#[derive(Debug, Clone)]
struct Secret {
    expires: MediaTime,
    session: Option<String>,
}

/// The tokens that are valid.
#[derive(Debug, Default)]
pub struct Secrets(Mutex<HashMap<String, Secret>>);

/// What a token lets in: the settings of its sessions, as JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Grant {
    pub(super) session: Option<String>,
}

impl Secrets {
    /// Makes a token that is valid from `now` for so long; `None` when there are too many.
    fn issue(&self, session: Option<String>, lasts: Duration, now: MediaTime) -> Option<String> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, s| s.expires > now);
        if all.len() >= MOST {
            return None;
        }
        let random = rand::rng().sample_iter(Alphanumeric).take(LENGTH).map(char::from);
        let token: String = PREFIX.chars().chain(random).collect();
        all.insert(token.clone(), Secret { expires: now + lasts, session });
        Some(token)
    }

    /// What a token lets in; `None` when it was never made or has expired.
    pub(super) fn grant(&self, token: &str, now: MediaTime) -> Option<Grant> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let secret = all.get(token).filter(|s| s.expires > now)?;
        Some(Grant { session: secret.session.clone() })
    }
}

pub(super) async fn create(State(state): State<ServerState>, body: Bytes) -> Result<Response, HttpError> {
    state.refuse_while_draining()?;
    let (lasts, session) = read(&body)?;
    let options = OpenOptions { session: session.clone(), ..OpenOptions::default() };
    // Wrong settings are told to whoever makes the token, not to the browser that uses it.
    let view = state.sessions.preview(&options)?;
    let now = state.clock.now();
    let token = state.secrets.issue(session, lasts, now).ok_or_else(|| {
        let text = format!(
            "{MOST} client secrets are valid already; make them when they are needed, or let them expire sooner"
        );
        HttpError::new(ErrorClass::Capacity, "client_secrets_exhausted", text)
    })?;
    let expires_at = state.unix_s(now + lasts);
    Ok(Json(json!({"value": token, "expires_at": expires_at, "session": view})).into_response())
}

fn read(body: &[u8]) -> Result<(Duration, Option<String>), HttpError> {
    let invalid = |text: String| HttpError::new(ErrorClass::Invalid, "invalid_value", text);
    if body.is_empty() {
        return Ok((Duration::from_secs(SECONDS), None));
    }
    let body: Value = serde_json::from_slice(body).map_err(|e| invalid(format!("the body is no JSON: {e}")))?;
    if !body.is_object() {
        return Err(invalid("the body is no JSON object".into()));
    }
    let after = &body["expires_after"];
    if !after.is_null() && after["anchor"].as_str().unwrap_or("created_at") != "created_at" {
        return Err(invalid("`expires_after.anchor` must be \"created_at\"".into()));
    }
    let seconds = match &after["seconds"] {
        Value::Null => SECONDS,
        value => value.as_u64().filter(|s| (LEAST_SECONDS..=MOST_SECONDS).contains(s)).ok_or_else(|| {
            invalid(format!("`expires_after.seconds` must be a whole number from {LEAST_SECONDS} to {MOST_SECONDS}"))
        })?,
    };
    let session = match &body["session"] {
        Value::Null => None,
        session => Some(session.to_string()),
    };
    Ok((Duration::from_secs(seconds), session))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> MediaTime {
        MediaTime::from_millis(seconds * 1_000)
    }

    #[test]
    fn a_token_opens_until_it_expires_and_there_are_never_too_many() {
        let secrets = Secrets::default();
        let token = secrets.issue(Some("{}".into()), Duration::from_secs(60), at(10)).unwrap();
        assert!(token.starts_with("ek_") && token.len() == 43);
        assert_eq!(secrets.grant(&token, at(69)), Some(Grant { session: Some("{}".into()) }));
        assert_eq!(secrets.grant(&token, at(70)), None);
        assert_eq!(secrets.grant("ek_never", at(11)), None);
        let made = (0..MOST + 5).filter(|_| secrets.issue(None, Duration::from_secs(60), at(100)).is_some()).count();
        assert_eq!(made, MOST);
        assert!(secrets.issue(None, Duration::from_secs(60), at(161)).is_some(), "those that expired make room");
    }

    #[test]
    fn what_is_asked_for_is_checked_by_name() {
        assert_eq!(read(b"").unwrap(), (Duration::from_secs(600), None));
        let asked = br#"{"expires_after":{"anchor":"created_at","seconds":30},"session":{"type":"realtime"}}"#;
        assert_eq!(read(asked).unwrap(), (Duration::from_secs(30), Some(r#"{"type":"realtime"}"#.into())));
        for (body, word) in [
            (&b"["[..], "JSON"),
            (b"7", "object"),
            (br#"{"expires_after":{"seconds":5}}"#, "expires_after.seconds"),
            (br#"{"expires_after":{"seconds":"60"}}"#, "expires_after.seconds"),
            (br#"{"expires_after":{"anchor":"now"}}"#, "anchor"),
        ] {
            let message = read(body).unwrap_err().message;
            assert!(message.contains(word), "{message}");
        }
    }
}
