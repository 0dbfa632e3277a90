//! Coming back to a session: to one that still runs, or to one that only the archive has.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::actor::Msg;
use super::grant::{Grant, Taken};
use super::holder::{CallMedia, Returning};
use super::memories::Begun;
use super::registry::{Admission, Held, Sessions, lock};
use super::stay::{Kept, parse_token};
use super::wiring::{self, Beginning};
use super::{Call, ClientPort, OpenOptions, SessionError, call};
use crate::base::MediaTime;
use crate::dialogue::VideoState;
use crate::store::Secret;
use crate::wire::IdKind;

/// How long somebody waits for a session that is just ending, or for its place.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);
/// How far a client may be ahead of what the archive knows: more events than two seconds can hold.
const MOST_AHEAD: u64 = 1 << 20;

impl Sessions {
    /// Lets the holder of a session in again over a WebSocket.
    ///
    /// # Errors
    /// [`SessionError::NoSession`] for a token that opens no session (any more), and those of [`Sessions::open_socket`].
    pub(super) async fn resume_socket(&self, token: &str, options: &OpenOptions) -> Result<ClientPort, SessionError> {
        let token = parse_token(token).ok_or_else(refused)?;
        let held = self.find(&token, options).await?;
        let port = self.come_in(&held, token, options, CallMedia::default()).await?;
        self.moved(&held, None);
        Ok(port)
    }

    /// Lets the holder of a session in again over a WebRTC call, with new sound and pictures.
    ///
    /// # Errors
    /// As [`Sessions::resume_socket`], and those of [`Sessions::open_call`].
    pub(super) async fn resume_call(
        &self,
        token: &str,
        offer: &str,
        options: &OpenOptions,
    ) -> Result<Call, SessionError> {
        let token = parse_token(token).ok_or_else(refused)?;
        let held = self.find(&token, options).await?;
        // Before a port is opened for whoever that is.
        let (reply, answer) = oneshot::channel();
        let _ = held.inbox.send(Msg::Knock { token: token.clone(), reply }).await;
        if !answer.await.unwrap_or(false) {
            return Err(refused());
        }
        let (peer, answer) = call::accept(&self.0.services, held.media.clone(), offer).await?;
        let (sound, video) = call::media_of(offer);
        let media = CallMedia { sound, video, voice: peer.plays() };
        let port = match self.come_in(&held, token, options, media).await {
            Ok(port) => port,
            Err(e) => {
                peer.close().await;
                return Err(e);
            }
        };
        let call_id = self.id(IdKind::Call);
        let entry = held.entry(peer.peer());
        call::start(peer, port.named_as_wanted(options.older_names), &self.0.tasks, held.ended.clone());
        self.remember(&call_id, entry)?;
        self.moved(&held, Some(call_id.clone()));
        Ok(Call { call_id, answer })
    }

    /// The session goes on under this call, or none: the one before is no more.
    fn moved(&self, held: &Held, call: Option<String>) {
        let before = std::mem::replace(&mut *lock(&held.call), call);
        if let Some(entry) = before.and_then(|before| lock(&self.0.calls).remove(&before)) {
            entry.gone.cancel();
        }
    }

    /// The session that a token names, whether or not it opens it; taken up from the archive where it does not run.
    async fn find(&self, token: &Secret, options: &OpenOptions) -> Result<Held, SessionError> {
        let held = || lock(&self.0.memories).get(token.name().as_str()).cloned();
        let own = |held: Held| {
            if held.grant.holder() == options.grant.holder() { Ok(held) } else { Err(refused()) }
        };
        if let Some(held) = held() {
            if !held.ended.is_cancelled() {
                return own(held);
            }
            // It is just ending: what is kept of it is there when that is done.
            let _ = tokio::time::timeout(PATIENCE, held.closed.cancelled()).await;
        }
        // One at a time, so that nobody takes up what another is taking up.
        let _turn = self.0.restoring.acquire().await.map_err(|_| refused())?;
        if let Some(held) = held().filter(|held| !held.ended.is_cancelled()) {
            return own(held);
        }
        self.take_up(token, options).await
    }

    async fn take_up(&self, token: &Secret, options: &OpenOptions) -> Result<Held, SessionError> {
        let (memories, now) = (Arc::clone(&self.0.services.memories), self.0.services.clock.now());
        let (key, offset) = (token.clone(), options.utc_offset_minutes);
        let taken = tokio::task::spawn_blocking(move || memories.take_up(&key, now, offset));
        let (kept, begun) = taken.await.map_err(|_| refused())??;
        if !kept.belongs_to(options.grant.holder()) {
            return Err(refused());
        }
        let snapshot = kept.snapshot().ok_or_else(refused)?;
        let Begun { setup: memory, identity } = begun;
        let admission = self.admit(options).await?;
        // Its settings are those that it had.
        let options = OpenOptions { session: None, extensions: Vec::new(), ..options.clone() };
        let mut setup = wiring::setup(&self.0.services, snapshot.session_id().to_owned(), &options, memory)?;
        setup.video = VideoState::None;
        setup.restore = Some(snapshot);
        let seq = kept.seq.max(options.last_seq.min(kept.seq.saturating_add(MOST_AHEAD)));
        let beginning = Beginning { setup, identity, taken_up: Some((kept, seq)) };
        self.open_held(admission, beginning).await
    }

    async fn come_in(
        &self,
        held: &Held,
        token: Secret,
        options: &OpenOptions,
        media: CallMedia,
    ) -> Result<ClientPort, SessionError> {
        let (reply, answer) = oneshot::channel();
        let returning = Returning {
            token,
            last_seq: options.last_seq,
            wants: (!options.extensions.is_empty()).then(|| options.wants()),
            port: self.next_port(),
            grant: Arc::clone(&options.grant),
            to_session: held.inbox.clone(),
            media,
            reply,
        };
        let _ = held.inbox.send(Msg::Return(Box::new(returning))).await;
        answer.await.ok().flatten().ok_or_else(refused)
    }

    /// Ends the session whose client is away longest, of those counted under this name where one is given.
    async fn send_away(&self, name: Option<&str>) -> Option<Held> {
        let away = {
            let memories = lock(&self.0.memories);
            let counted = memories.values().filter(|held| name.is_none_or(|name| held.grant.counts_as(name)));
            let away = counted.filter_map(|held| held.away.since().map(|since| (since, held)));
            away.min_by_key(|(since, _)| *since).map(|(_, held)| held.clone())
        }?;
        let _ = away.inbox.send(Msg::MakeRoom).await;
        Some(away)
    }

    /// The places of a grant. Where a name has all it may have, a session of that name gives up its place whose client is away: a page that is
    /// loaded anew, say.
    ///
    /// # Errors
    /// The name of which nobody is away, and how many sessions it may have.
    pub(super) async fn take_places(&self, grant: &Grant) -> Result<Taken, (String, usize)> {
        let mut names = grant.limits();
        loop {
            let (name, most) = match self.0.places.take(grant) {
                Err(full) if names > 0 => full,
                other => return other,
            };
            names -= 1;
            if !self.lighten(Some(&name)).await {
                return Err((name, most));
            }
        }
    }

    /// A place that a session gives up whose client is away; the one that is away longest.
    pub(super) async fn make_room(&self) -> Option<OwnedSemaphorePermit> {
        self.send_away(None).await?;
        let place = Arc::clone(&self.0.permits).acquire_owned();
        tokio::time::timeout(PATIENCE, place).await.ok()?.ok()
    }

    /// What a session gives up whose client is away, of those counted under this name where one is given. False: nobody is, or it does not end.
    pub(super) async fn lighten(&self, name: Option<&str>) -> bool {
        let Some(away) = self.send_away(name).await else { return false };
        tokio::time::timeout(PATIENCE, away.closed.cancelled()).await.is_ok()
    }

    /// Whether a session is away, and would make room.
    pub(super) fn has_room_to_make(&self) -> bool {
        lock(&self.0.memories).values().any(|held| held.away.since().is_some())
    }

    /// Wires a session and notes who holds it.
    pub(super) async fn open_held(&self, admission: Admission, beginning: Beginning) -> Result<Held, SessionError> {
        let identity = beginning.identity.clone();
        let (ended, grant) = (admission.ended.clone(), Arc::clone(&admission.grant));
        let opened = wiring::open(&self.0.services, admission, beginning).await?;
        let held = Held {
            owner: identity.owner,
            inbox: opened.clients,
            grant,
            ended,
            closed: opened.closed,
            media: opened.media,
            away: opened.away,
            call: Arc::default(),
            trace: opened.trace,
        };
        self.hold_memory(&identity, held.clone());
        Ok(held)
    }
}

/// Counted, and told without a word about which of the reasons it was.
fn refused() -> SessionError {
    metrics::counter!("sightline_resume_total", "outcome" => "refused").increment(1);
    SessionError::NoSession
}

impl super::Memories {
    /// The session that a token opens, and its memory. Blocks while they are read.
    fn take_up(&self, token: &Secret, now: MediaTime, offset: i32) -> Result<(Kept, Begun), SessionError> {
        let shelf = self.shelf.as_ref().filter(|_| self.enabled).ok_or_else(refused)?;
        let kept = shelf.session(token.name())?.ok_or_else(refused)?;
        if !kept.opens(token, self.unix_ms(now)) {
            return Err(refused());
        }
        let access = kept.access(token).ok_or_else(refused)?;
        let begun = self.resume(&access.token(), now, offset)?;
        Ok((kept, begun))
    }
}
