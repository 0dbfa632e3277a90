//! Where memories come from: new, or taken up again with their access token; and the way to a memory from outside its session.

use std::time::Duration;

use bytes::Bytes;
use rand::Rng;

use super::SessionError;
use super::shelf::{Identity, Shelf};
use crate::base::MediaTime;
use crate::dialogue::MemorySetup;
use crate::memory::{Config, KeyframeId, Memory};
use crate::store::{MemoryName, Secret};

/// What all sessions remember with.
#[derive(Clone)]
pub struct Memories {
    /// Sizes of the tiers.
    pub config: Config,
    /// False: sessions know the live window and nothing else.
    pub enabled: bool,
    /// The archive, where there is one.
    pub shelf: Option<Shelf>,
    /// Unix time at the zero of the process's clock, milliseconds.
    pub unix_ms_at_zero: i64,
}

/// A memory that a session begins with.
pub(super) struct Begun {
    pub(super) setup: MemorySetup,
    /// Whose it is.
    pub(super) identity: Identity,
}

/// Unix time in milliseconds, from that at the zero of the process's clock.
pub(super) fn unix_ms(at_zero: i64, now: MediaTime) -> i64 {
    at_zero.saturating_add(i64::try_from(now.as_millis()).unwrap_or(i64::MAX))
}

impl Memories {
    pub(super) fn unix_ms(&self, now: MediaTime) -> i64 {
        unix_ms(self.unix_ms_at_zero, now)
    }

    /// An empty memory. It is written down once something happens in it.
    pub(super) fn begin(&self, now: MediaTime, utc_offset_minutes: i32) -> Begun {
        let mut random = [0; crate::store::TOKEN_ENTROPY];
        rand::rng().fill(&mut random[..]);
        let secret = Secret::new(random);
        let started_unix_ms = self.unix_ms(now);
        let setup = MemorySetup {
            memory: Memory::new(self.sizes()),
            id: secret.name().to_string(),
            access_token: secret.token(),
            started_unix_ms,
            elapsed: Duration::ZERO,
            utc_offset_minutes,
            enabled: self.enabled,
            archived: self.enabled && self.shelf.is_some(),
        };
        Begun { setup, identity: Identity { name: secret.name().clone(), owner: secret.hash(), started_unix_ms } }
    }

    /// The memory of this token, as it was left. Blocks while it is read.
    pub(super) fn resume(&self, token: &str, now: MediaTime, utc_offset_minutes: i32) -> Result<Begun, SessionError> {
        let secret = Secret::parse(token).ok_or(SessionError::NoMemory)?;
        let shelf = self.shelf.as_ref().filter(|_| self.enabled).ok_or(SessionError::NoMemory)?;
        let taken_up = shelf.load(&secret, self.sizes())?;
        let elapsed = u64::try_from(self.unix_ms(now).saturating_sub(taken_up.started_unix_ms)).unwrap_or(0);
        // A wall clock that was set back must not let the memory's time go back.
        let elapsed = Duration::from_millis(elapsed.max(taken_up.newest.as_millis()));
        let setup = MemorySetup {
            memory: taken_up.memory,
            id: secret.name().to_string(),
            access_token: secret.token(),
            started_unix_ms: taken_up.started_unix_ms,
            elapsed,
            utc_offset_minutes,
            enabled: true,
            archived: true,
        };
        let started_unix_ms = setup.started_unix_ms;
        Ok(Begun { setup, identity: Identity { name: secret.name().clone(), owner: secret.hash(), started_unix_ms } })
    }

    /// Without memory only the live window is kept.
    fn sizes(&self) -> Config {
        if self.enabled { self.config } else { Config::live_only(self.config) }
    }

    /// A picture of a memory that no session holds.
    pub(super) fn shelved_keyframe(&self, token: &str, id: KeyframeId) -> Result<Option<Bytes>, SessionError> {
        let secret = Secret::parse(token).ok_or(SessionError::NoMemory)?;
        let shelf = self.shelf.as_ref().ok_or(SessionError::NoMemory)?;
        shelf.owned(&secret)?;
        Ok(shelf.keyframe(secret.name(), id)?)
    }

    /// The archive, if this token opens the memory in it.
    pub(super) fn shelved(&self, token: &str) -> Result<(Shelf, MemoryName), SessionError> {
        let secret = Secret::parse(token).ok_or(SessionError::NoMemory)?;
        let shelf = self.shelf.clone().ok_or(SessionError::NoMemory)?;
        shelf.owned(&secret)?;
        Ok((shelf, secret.name().clone()))
    }

    /// The sizes that memories have, for those who read the archive.
    #[must_use]
    pub fn memory_config(&self) -> Config {
        self.config
    }
}

/// The names of what opens a memory.
pub(super) fn owner_of(token: &str) -> Option<(String, [u8; 32])> {
    Secret::parse(token).map(|s| (s.name().to_string(), s.hash()))
}
