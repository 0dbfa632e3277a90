//! What somebody who came in may do: how many sessions, for how long, how often it is looked, which events, from which pages.
//!
//! A grant hangs on a key; a client secret made with that key has it too, and can only be given less. Pure: who holds which key is
//! decided by `server`, who waits for which clock by the actor.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::Deserialize;

use super::registry::lock;
use crate::wire::CLIENT_EVENT_TYPES;

/// Frames per second that a grant may allow, at least and at most: the bounds of `watch.max_fps`.
const FPS: std::ops::RangeInclusive<f32> = 0.1..=10.0;

/// What a key or a client secret is restricted to, as an operator or a client writes it. What is absent is not restricted.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Restrictions {
    /// Answering models whose sessions may be opened.
    pub models: Option<Vec<String>>,
    /// Sessions at one time.
    pub max_sessions: Option<usize>,
    /// Sessions that may be opened in all; of a client secret alone.
    pub max_uses: Option<u32>,
    /// Longest session, seconds.
    pub max_session_s: Option<u64>,
    /// Frames per second looked at, at most.
    pub max_fps: Option<f32>,
    /// Events that its clients may send, such as `input_audio_buffer.append`.
    pub client_events: Option<Vec<String>>,
    /// Pages that may use it, such as `https://shop.example`; absent: any. Programs send no origin and may always: they could send any.
    pub origins: Option<Vec<String>>,
}

impl Restrictions {
    /// Whether everything named exists and is within bounds.
    ///
    /// # Errors
    /// What is wrong, with the name of the field.
    pub fn check(&self) -> Result<(), String> {
        if self.max_sessions == Some(0) || self.max_session_s == Some(0) || self.max_uses == Some(0) {
            return Err("`max_sessions`, `max_uses` and `max_session_s` must be 1 or more".into());
        }
        if let Some(fps) = self.max_fps.filter(|fps| !FPS.contains(fps)) {
            return Err(format!("`max_fps` = {fps} must be from {} to {}", FPS.start(), FPS.end()));
        }
        for event in self.client_events.iter().flatten() {
            if !CLIENT_EVENT_TYPES.contains(&event.as_str()) {
                return Err(format!("`client_events`: {event:?} is none; there are {}", CLIENT_EVENT_TYPES.join(", ")));
            }
        }
        for origin in self.origins.iter().flatten() {
            if !is_origin(origin) {
                return Err(format!(
                    "`origins`: {origin:?} is none; an origin is written like `https://shop.example:8443`"
                ));
            }
        }
        Ok(())
    }
}

/// `http://host` or `https://host:port`, with nothing behind it (RFC 6454 §6.2).
#[must_use]
pub fn is_origin(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|host| {
        !host.is_empty() && !host.contains(['/', '?', '#', '@']) && !host.contains(char::is_whitespace)
    })
}

/// Sessions that may still be opened. Clones count together.
#[derive(Debug, Clone)]
struct Uses(Arc<AtomicU32>);

impl PartialEq for Uses {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// What somebody may do.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Grant {
    /// The name of the key it hangs on; empty where nobody needs one. Whoever holds the same key may join its calls.
    holder: String,
    /// Names under which sessions are counted, and how many each may have.
    places: Vec<(String, usize)>,
    uses: Option<Uses>,
    models: Option<Vec<String>>,
    max_session: Option<Duration>,
    max_fps: Option<f32>,
    client_events: Option<Vec<String>>,
    origins: Option<Vec<String>>,
}

impl Grant {
    /// What the key of this name is good for.
    #[must_use]
    pub fn of_key(name: &str, restrictions: &Restrictions) -> Self {
        Self { holder: name.to_owned(), ..Self::default() }.narrowed(name, restrictions)
    }

    /// The same or less. `counted_as`: the name under which the sessions of the narrower grant are counted, if it limits them.
    #[must_use]
    pub fn narrowed(mut self, counted_as: &str, to: &Restrictions) -> Self {
        self.places.extend(to.max_sessions.map(|most| (counted_as.to_owned(), most)));
        self.uses = to.max_uses.map(|most| Uses(Arc::new(AtomicU32::new(most)))).or(self.uses);
        self.max_session = lesser(self.max_session, to.max_session_s.map(Duration::from_secs));
        self.max_fps = lesser(self.max_fps, to.max_fps);
        self.models = common(self.models, to.models.as_ref());
        self.client_events = common(self.client_events, to.client_events.as_ref());
        self.origins = common(self.origins, to.origins.as_ref());
        self
    }

    /// The name of the key.
    #[must_use]
    pub fn holder(&self) -> &str {
        &self.holder
    }

    /// Whether its sessions are counted under this name.
    #[must_use]
    pub fn counts_as(&self, name: &str) -> bool {
        self.places.iter().any(|(counted, _)| counted == name)
    }

    /// Under how many limits its sessions are counted.
    #[must_use]
    pub fn limits(&self) -> usize {
        self.places.len()
    }

    /// Takes one of the sessions that may be opened in all; false when there is none left.
    #[must_use]
    pub fn use_up(&self) -> bool {
        let one_less = |left: u32| left.checked_sub(1);
        let Some(Uses(left)) = &self.uses else { return true };
        left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok()
    }

    /// No session came of it.
    pub fn give_back(&self) {
        if let Some(Uses(left)) = &self.uses {
            left.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether sessions with this answering model may be opened.
    #[must_use]
    pub fn allows_model(&self, name: &str) -> bool {
        self.models.as_ref().is_none_or(|list| list.iter().any(|m| m == name))
    }

    /// Whether its clients may send events of this type.
    #[must_use]
    pub fn allows_event(&self, kind: &str) -> bool {
        self.client_events.as_ref().is_none_or(|list| list.iter().any(|e| e == kind))
    }

    /// Whether a page of this origin may use it.
    #[must_use]
    pub fn allows_origin(&self, origin: &str) -> bool {
        self.origins.as_ref().is_none_or(|list| list.iter().any(|o| o.eq_ignore_ascii_case(origin)))
    }

    /// Longest session.
    #[must_use]
    pub const fn max_session(&self) -> Option<Duration> {
        self.max_session
    }

    /// Least time between two looks at the picture.
    #[must_use]
    pub fn least_between_looks(&self) -> Option<Duration> {
        self.max_fps.map(|fps| Duration::from_secs_f32(1.0 / fps.clamp(*FPS.start(), *FPS.end())))
    }
}

fn lesser<T: PartialOrd>(a: Option<T>, b: Option<T>) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if b < a { b } else { a }),
        (a, b) => a.or(b),
    }
}

fn common(have: Option<Vec<String>>, asked: Option<&Vec<String>>) -> Option<Vec<String>> {
    match (have, asked) {
        (Some(have), Some(asked)) => Some(have.into_iter().filter(|x| asked.contains(x)).collect()),
        (have, asked) => have.or_else(|| asked.cloned()),
    }
}

/// How many sessions each name has now.
#[derive(Debug, Clone, Default)]
pub(super) struct Places(Arc<Mutex<HashMap<String, usize>>>);

/// Sessions that are counted; given back when dropped.
#[derive(Debug)]
pub(super) struct Taken {
    places: Places,
    names: Vec<String>,
}

impl Places {
    /// Counts one session more for every name of the grant, or for none.
    ///
    /// # Errors
    /// The name that has all it may have, and how many these are.
    pub(super) fn take(&self, grant: &Grant) -> Result<Taken, (String, usize)> {
        let mut all = lock(&self.0);
        let full = grant.places.iter().find(|(name, most)| all.get(name).is_some_and(|have| have >= most));
        if let Some((name, most)) = full {
            return Err((name.clone(), *most));
        }
        // A name that is counted under two limits is one name.
        let mut names: Vec<_> = grant.places.iter().map(|(name, _)| name.clone()).collect();
        names.sort_unstable();
        names.dedup();
        for name in &names {
            *all.entry(name.clone()).or_default() += 1;
        }
        Ok(Taken { places: self.clone(), names })
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut all = lock(&self.places.0);
        for name in &self.names {
            if let Some(have) = all.get_mut(name) {
                *have -= 1;
                if *have == 0 {
                    all.remove(name);
                }
            }
        }
    }
}

/// A use that is taken, and given back unless the session comes about.
pub(super) struct Use(pub(super) Option<Arc<Grant>>);

impl Use {
    /// There is a session.
    pub(super) fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        if let Some(grant) = self.0.take() {
            grant.give_back();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(events: &[&str]) -> Restrictions {
        Restrictions {
            client_events: Some(events.iter().map(|e| (*e).to_owned()).collect()),
            ..Restrictions::default()
        }
    }

    #[test]
    fn what_is_not_restricted_is_allowed_and_a_client_secret_never_gets_more_than_its_key() {
        let all = Grant::default();
        assert!(all.allows_model("x") && all.allows_event("response.create") && all.allows_origin("null"));
        assert_eq!((all.max_session(), all.least_between_looks()), (None, None));

        let key = Restrictions {
            max_session_s: Some(60),
            max_fps: Some(2.0),
            origins: Some(vec!["https://a.example".into()]),
            ..only(&["response.create", "session.update"])
        };
        let key = Grant::of_key("kiosk", &key);
        let wider =
            Restrictions { max_session_s: Some(90), max_fps: Some(0.5), ..only(&["response.create", "memory.forget"]) };
        let token = key.clone().narrowed("ek_1", &wider);
        assert_eq!(token.max_session(), Some(Duration::from_secs(60)));
        assert_eq!(token.least_between_looks(), Some(Duration::from_secs(2)));
        assert!(token.allows_event("response.create"));
        assert!(!token.allows_event("session.update") && !token.allows_event("memory.forget"));
        assert!(token.allows_origin("HTTPS://a.example") && !token.allows_origin("https://b.example"));
        assert_eq!(token.holder(), "kiosk");
    }

    #[test]
    fn places_are_counted_for_the_key_and_for_the_token_and_come_back() {
        let places = Places::default();
        let key = Grant::of_key("kiosk", &Restrictions { max_sessions: Some(2), ..Restrictions::default() });
        let one = Restrictions { max_sessions: Some(1), ..Restrictions::default() };
        let (a, b) = (key.clone().narrowed("ek_a", &one), key.clone().narrowed("ek_b", &one));
        let first = places.take(&a).unwrap();
        assert_eq!(places.take(&a).unwrap_err(), ("ek_a".to_owned(), 1));
        let second = places.take(&b).unwrap();
        assert_eq!(places.take(&key).unwrap_err(), ("kiosk".to_owned(), 2));
        drop(first);
        let _third = places.take(&key).unwrap();
        drop(second);
        let free = Grant::of_key("other", &Restrictions::default());
        let many: Vec<_> = (0..100).map(|_| places.take(&free).unwrap()).collect();
        drop((many, _third));
        assert!(lock(&places.0).is_empty(), "nothing is left of those that went");
        assert!(a.counts_as("ek_a") && a.counts_as("kiosk") && !a.counts_as("ek_b") && !free.counts_as("other"));
    }

    #[test]
    fn a_client_secret_opens_as_many_sessions_as_it_was_made_for() {
        let key = Grant::of_key("kiosk", &Restrictions::default());
        let secret = key.clone().narrowed("ek_1", &Restrictions { max_uses: Some(2), ..Restrictions::default() });
        let same = secret.clone();
        assert!(secret.use_up() && same.use_up() && !secret.use_up() && !same.use_up());
        same.give_back();
        assert!(secret.use_up() && !secret.use_up());
        assert!((0..9).all(|_| key.use_up()));
    }

    #[test]
    fn what_is_written_wrongly_is_named() {
        for (wrong, word) in [
            (Restrictions { max_uses: Some(0), ..Restrictions::default() }, "max_uses"),
            (Restrictions { max_sessions: Some(0), ..Restrictions::default() }, "max_sessions"),
            (Restrictions { max_fps: Some(f32::NAN), ..Restrictions::default() }, "max_fps"),
            (Restrictions { max_fps: Some(60.0), ..Restrictions::default() }, "max_fps"),
            (only(&["response.crate"]), "response.crate"),
            (Restrictions { origins: Some(vec!["shop.example".into()]), ..Restrictions::default() }, "shop.example"),
            (Restrictions { origins: Some(vec!["https://a.example/".into()]), ..Restrictions::default() }, "https://"),
        ] {
            let why = wrong.check().unwrap_err();
            assert!(why.contains(word), "{why}");
        }
        assert_eq!(only(&["response.create"]).check(), Ok(()));
    }
}
