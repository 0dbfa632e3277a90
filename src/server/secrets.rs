//! `POST /v1/realtime/client_secrets`: short-lived tokens (`ek_…`) for browsers, so that a page never holds a key of the operator's.
//!
//! Source: the OpenAI Realtime API (`/v1/realtime/client_secrets`). A token opens sessions until it expires, with the session settings it was made
//! with and with what its key allows, or less (`grants`), among that how many sessions in all; it makes no tokens. Tokens are random and live in memory only: a restart ends
//! them, and there is nothing in them to be forged or read.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use rand::Rng;
use rand::distr::Alphanumeric;
use serde_json::{Value, json};

use super::{HttpError, ServerState};
use crate::base::{ErrorClass, MediaTime};
pub(super) use crate::config::SECRET_PREFIX as PREFIX;
use crate::session::{Grant, OpenOptions, Restrictions};
use crate::wire::{SessionConfig, older_session};

/// Random characters behind it: 238 bits.
const LENGTH: usize = 40;
/// How many of them are shown where a token has to be named.
const SHOWN: usize = 6;
/// Tokens that may be valid at one time; one more is refused until the oldest expires.
const MOST: usize = 1_024;
/// How long a token is valid when nobody says, and the bounds of what may be said.
const SECONDS: u64 = 600;
const LEAST_SECONDS: u64 = 10;
const MOST_SECONDS: u64 = 7_200;

#[derive(Debug, Clone)]
struct Secret {
    expires: MediaTime,
    pass: Pass,
}

/// The tokens that are valid.
#[derive(Debug, Default)]
pub struct Secrets(Mutex<HashMap<String, Secret>>);

/// What a token is good for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pass {
    /// The settings of its sessions, as JSON.
    pub(super) session: Option<String>,
    /// What may be done with it.
    pub(super) grant: Arc<Grant>,
}

/// What a token is asked for.
#[derive(Debug, Clone, PartialEq)]
struct Asked {
    lasts: Duration,
    session: Option<String>,
    restrictions: Restrictions,
}

impl Secrets {
    /// Makes a token that is valid from `now` for so long; `None` when there are too many.
    fn issue(&self, asked: Asked, key: &Grant, now: MediaTime) -> Option<String> {
        let Asked { lasts, session, restrictions } = asked;
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, s| s.expires > now);
        if all.len() >= MOST {
            return None;
        }
        let random = rand::rng().sample_iter(Alphanumeric).take(LENGTH).map(char::from);
        let token: String = PREFIX.chars().chain(random).collect();
        let name = format!("{}…", &token[..PREFIX.len() + SHOWN]);
        let grant = Arc::new(key.clone().narrowed(&name, &restrictions));
        all.insert(token.clone(), Secret { expires: now + lasts, pass: Pass { session, grant } });
        Some(token)
    }

    /// What a token is good for; `None` when it was never made or has expired.
    pub(super) fn pass(&self, token: &str, now: MediaTime) -> Option<Pass> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Some(all.get(token).filter(|s| s.expires > now)?.pass.clone())
    }
}

pub(super) async fn create(
    State(state): State<ServerState>,
    Extension(key): Extension<Arc<Grant>>,
    body: Bytes,
) -> Result<Response, HttpError> {
    state.refuse_while_draining()?;
    let made = make(&state, &key, read(&body)?)?;
    Ok(Json(json!({"value": made.token, "expires_at": made.expires_at, "session": made.view})).into_response())
}

/// `POST /v1/realtime/sessions`, the request of before GA: the body is the session, and the answer is it with a token in it.
pub(super) async fn create_session(
    State(state): State<ServerState>,
    Extension(key): Extension<Arc<Grant>>,
    body: Bytes,
) -> Result<Response, HttpError> {
    state.refuse_while_draining()?;
    let session = if body.is_empty() { None } else { Some(String::from_utf8_lossy(&body).into_owned()) };
    let lasts = Duration::from_secs(SECONDS);
    let made = make(&state, &key, Asked { lasts, session, restrictions: Restrictions::default() })?;
    let mut view = older_session(&made.view);
    view["client_secret"] = json!({"value": made.token, "expires_at": made.expires_at});
    Ok(Json(view).into_response())
}

/// A token that was made.
struct Made {
    token: String,
    /// Unix seconds.
    expires_at: i64,
    view: SessionConfig,
}

fn make(state: &ServerState, key: &Arc<Grant>, asked: Asked) -> Result<Made, HttpError> {
    let lasts = asked.lasts;
    let options = OpenOptions { session: asked.session.clone(), grant: Arc::clone(key), ..OpenOptions::default() };
    // Wrong settings are told to whoever makes the token, not to the browser that uses it.
    let view = state.sessions.preview(&options)?;
    let now = state.clock.now();
    let token = state.secrets.issue(asked, key, now).ok_or_else(|| {
        let text = format!(
            "{MOST} client secrets are valid already; make them when they are needed, or let them expire sooner"
        );
        HttpError::new(ErrorClass::Capacity, "client_secrets_exhausted", text)
    })?;
    let expires_at = state.unix_s(now + lasts);
    Ok(Made { token, expires_at, view })
}

fn read(body: &[u8]) -> Result<Asked, HttpError> {
    let invalid = |text: String| HttpError::new(ErrorClass::Invalid, "invalid_value", text);
    if body.is_empty() {
        let lasts = Duration::from_secs(SECONDS);
        return Ok(Asked { lasts, session: None, restrictions: Restrictions::default() });
    }
    let mut body: Value = serde_json::from_slice(body).map_err(|e| invalid(format!("the body is no JSON: {e}")))?;
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
    let restrictions: Restrictions = match body["grants"].take() {
        Value::Null => Restrictions::default(),
        grants if !grants.is_object() => return Err(invalid("`grants` is no JSON object".into())),
        grants => serde_json::from_value(grants).map_err(|e| invalid(format!("`grants`: {e}")))?,
    };
    restrictions.check().map_err(|why| invalid(format!("`grants`: {why}")))?;
    Ok(Asked { lasts: Duration::from_secs(seconds), session, restrictions })
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
        let key = Grant::of_key("shop", &Restrictions::default());
        let asked = || read(br#"{"expires_after":{"seconds":60},"session":{},"grants":{"max_session_s":9}}"#).unwrap();
        let token = secrets.issue(asked(), &key, at(10)).unwrap();
        assert!(token.starts_with("ek_") && token.len() == 43);
        let pass = secrets.pass(&token, at(69)).unwrap();
        assert_eq!((pass.session.as_deref(), pass.grant.holder()), (Some("{}"), "shop"));
        assert_eq!(pass.grant.max_session(), Some(Duration::from_secs(9)));
        assert_eq!(secrets.pass(&token, at(70)), None);
        assert_eq!(secrets.pass("ek_never", at(11)), None);
        let made = (0..MOST + 5).filter(|_| secrets.issue(asked(), &key, at(100)).is_some()).count();
        assert_eq!(made, MOST);
        assert!(secrets.issue(asked(), &key, at(161)).is_some(), "those that expired make room");
    }

    #[test]
    fn what_is_asked_for_is_checked_by_name() {
        assert_eq!(read(b"").unwrap().lasts, Duration::from_secs(600));
        let asked = br#"{"expires_after":{"anchor":"created_at","seconds":30},"session":{"type":"realtime"}}"#;
        let asked = read(asked).unwrap();
        assert_eq!((asked.lasts.as_secs(), asked.session.as_deref()), (30, Some(r#"{"type":"realtime"}"#)));
        for (body, word) in [
            (&b"["[..], "JSON"),
            (b"7", "object"),
            (br#"{"expires_after":{"seconds":5}}"#, "expires_after.seconds"),
            (br#"{"expires_after":{"seconds":"60"}}"#, "expires_after.seconds"),
            (br#"{"expires_after":{"anchor":"now"}}"#, "anchor"),
            (br#"{"grants":{"max_fsp":2}}"#, "max_fsp"),
            (br#"{"grants":{"max_fps":-2}}"#, "max_fps"),
            (br#"{"grants":{"max_uses":0}}"#, "max_uses"),
            (br#"{"grants":{"max_sessions":99999999999999999999}}"#, "grants"),
            (br#"{"grants":{"client_events":["x"]}}"#, "client_events"),
            (br#"{"grants":[]}"#, "grants"),
        ] {
            let message = read(body).unwrap_err().message;
            assert!(message.contains(word), "{message}");
        }
    }
}
