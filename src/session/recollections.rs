//! The memories of all sessions, from outside: whoever holds the access token may look, fetch and forget.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::actor::Msg;
use super::memories::{Begun, owner_of};
use super::registry::{Held, Sessions, lock};
use super::returning::PATIENCE;
use super::shelf::Identity;
use super::{OpenOptions, SessionError};
use crate::dialogue::parse_keyframe_id;
use crate::wire::{ForgetRequest, TimelineView};

impl Sessions {
    /// A new memory for a session, or the one whose token the client brought.
    pub(super) async fn begin_memory(&self, options: &OpenOptions) -> Result<Begun, SessionError> {
        let (memories, now) = (Arc::clone(&self.0.services.memories), self.0.services.clock.now());
        let (token, offset) = (options.memory.clone(), options.utc_offset_minutes);
        if let Some((id, _)) = token.as_deref().and_then(owner_of)
            && lock(&self.0.memories).contains_key(&id)
        {
            return Err(SessionError::MemoryInUse);
        }
        // The archive is on a disk.
        let begun = tokio::task::spawn_blocking(move || match token {
            Some(token) => memories.resume(&token, now, offset),
            None => Ok(memories.begin(now, offset)),
        });
        begun.await.map_err(|_| SessionError::NoMemory)?
    }

    /// Notes which session holds a memory, until the session has ended and is written.
    pub(super) fn hold_memory(&self, who: &Identity, held: Held) {
        let (id, closed, inbox) = (who.name.to_string(), held.closed.clone(), held.inbox.clone());
        lock(&self.0.memories).insert(id.clone(), held);
        let inner = Arc::clone(&self.0);
        // Not before all of it is written: whoever goes on with the memory then finds all of it.
        self.0.tasks.spawn(async move {
            closed.cancelled().await;
            let mut memories = lock(&inner.memories);
            // Another session may hold it by now.
            if memories.get(&id).is_some_and(|held| held.inbox.same_channel(&inbox)) {
                memories.remove(&id);
            }
        });
    }

    /// The session that holds the memory `id`, if `token` opens it; `Ok(None)` when no session does.
    fn held(&self, id: &str, token: &str) -> Result<Option<Held>, SessionError> {
        let (named, owner) = owner_of(token).ok_or(SessionError::NoMemory)?;
        if named != id {
            return Err(SessionError::NoMemory);
        }
        match lock(&self.0.memories).get(id) {
            None => Ok(None),
            Some(held) if same(&held.owner, &owner) => Ok(Some(held.clone())),
            Some(_) => Err(SessionError::NoMemory),
        }
    }

    /// What the session says that holds the memory; `None` when none does, or it just ends: what is kept of it is in the archive then.
    async fn ask<T>(
        &self,
        (id, token): (&str, &str),
        question: impl FnOnce(oneshot::Sender<T>) -> Msg,
    ) -> Result<Option<T>, SessionError> {
        let Some(held) = self.held(id, token)? else { return Ok(None) };
        let (reply, answer) = oneshot::channel();
        if held.inbox.send(question(reply)).await.is_ok()
            && let Ok(answer) = answer.await
        {
            return Ok(Some(answer));
        }
        let _ = tokio::time::timeout(PATIENCE, held.closed.cancelled()).await;
        Ok(None)
    }

    /// A picture of a memory.
    ///
    /// # Errors
    /// [`SessionError::NoMemory`] for a memory that is not there or not the caller's, [`SessionError::NoKeyframe`].
    pub async fn keyframe(&self, memory_id: &str, token: &str, keyframe: &str) -> Result<Bytes, SessionError> {
        let none = || SessionError::NoKeyframe(keyframe.chars().filter(|c| !c.is_control()).take(32).collect());
        self.held(memory_id, token)?;
        let id = parse_keyframe_id(keyframe).ok_or_else(none)?;
        if let Some(Some(jpeg)) = self.ask((memory_id, token), |reply| Msg::Keyframe { id, reply }).await? {
            return Ok(jpeg);
        }
        let (memories, token) = (Arc::clone(&self.0.services.memories), token.to_owned());
        let shelved = tokio::task::spawn_blocking(move || memories.shelved_keyframe(&token, id));
        match shelved.await.map_err(|_| SessionError::NoMemory)? {
            Ok(jpeg) => jpeg.ok_or_else(none),
            // There is no archive, or not of this memory: then the picture is simply not there.
            Err(SessionError::NoMemory) if lock(&self.0.memories).contains_key(memory_id) => Err(none()),
            Err(e) => Err(e),
        }
    }

    /// The timeline of a memory.
    ///
    /// # Errors
    /// As [`Sessions::keyframe`].
    pub async fn timeline(&self, memory_id: &str, token: &str) -> Result<TimelineView, SessionError> {
        if let Some(timeline) = self.ask((memory_id, token), |reply| Msg::Timeline { reply }).await? {
            return Ok(timeline);
        }
        let (memories, token) = (Arc::clone(&self.0.services.memories), token.to_owned());
        let shelved = tokio::task::spawn_blocking(move || {
            let (shelf, id) = memories.shelved(&token)?;
            Ok(shelf.timeline(&id, memories.memory_config())?)
        });
        shelved.await.map_err(|_| SessionError::NoMemory)?
    }

    /// Where the time of the newest turns went of the session that holds a memory: Chrome's trace events, as JSON.
    ///
    /// # Errors
    /// [`SessionError::NoMemory`]: not the caller's, or no session holds it now.
    pub fn trace(&self, memory_id: &str, token: &str) -> Result<serde_json::Value, SessionError> {
        let held = self.held(memory_id, token)?.ok_or(SessionError::NoMemory)?;
        Ok(held.trace.chrome())
    }

    /// Forgets a part of a memory, or all of it; done when the disk has forgotten too.
    ///
    /// # Errors
    /// As [`Sessions::keyframe`].
    pub async fn forget(&self, memory_id: &str, token: &str, request: ForgetRequest) -> Result<(), SessionError> {
        if let Some(()) = self.ask((memory_id, token), |reply| Msg::Forget { request, reply }).await? {
            return Ok(());
        }
        let (memories, token) = (Arc::clone(&self.0.services.memories), token.to_owned());
        let shelved = tokio::task::spawn_blocking(move || {
            let (shelf, id) = memories.shelved(&token)?;
            shelf.forget(&id, request, memories.memory_config())?;
            Ok(())
        });
        shelved.await.map_err(|_| SessionError::NoMemory)?
    }
}

/// Compares without telling by its time how much was right.
fn same(a: &[u8; 32], b: &[u8; 32]) -> bool {
    a.iter().zip(b).fold(0_u8, |acc, (x, y)| acc | (x ^ y)) == 0
}
