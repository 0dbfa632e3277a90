//! All conversations: admission, look-up, end.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use rand::Rng;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::actor::Msg;
use super::capacity::{Assumed, Capacity, Standing, capacity};
use super::grant::{Grant, Places, Taken, Use};
use super::memories::Begun;
use super::ports::{Room, port};
use super::stay::Away;
use super::trace::Trace;
use super::wiring::{self, Beginning};
use super::{Call, ClientPort, MediaIn, OpenOptions, Recorded, Services, SessionError, call};
use crate::base::ClientId;
use crate::dialogue::VideoState;
use crate::ingest::offer::IceCredentials;
use crate::ingest::{IceAnswer, Peer};
use crate::wire::{IdGen, IdKind, SessionConfig};

/// The front door. Clones share everything.
#[derive(Clone)]
pub struct Sessions(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) services: Services,
    pub(super) permits: Arc<Semaphore>,
    pub(super) places: Places,
    pub(super) calls: Mutex<HashMap<String, Entry>>,
    pub(super) memories: Mutex<HashMap<String, Held>>,
    /// One session at a time is taken up from the archive.
    pub(super) restoring: Semaphore,
    ids: Mutex<IdGen>,
    ports: AtomicU64,
    stop: CancellationToken,
    pub(super) tasks: TaskTracker,
    pub(super) steps: Mutex<Vec<Weak<Standing>>>,
    /// Decides whether one more can be carried.
    pub(super) capacity: Capacity,
}

#[derive(Clone)]
pub(super) struct Entry {
    pub(super) inbox: mpsc::Sender<Msg>,
    pub(super) trace: Trace,
    pub(super) ended: CancellationToken,
    pub(super) peer: Arc<Peer>,
    /// Whose key opened it.
    pub(super) holder: String,
    /// The session has ended, or goes on in another call.
    pub(super) gone: CancellationToken,
}

/// A session that runs, by the memory that it holds.
#[derive(Clone)]
pub(super) struct Held {
    /// What opens the memory.
    pub(super) owner: [u8; 32],
    pub(super) inbox: mpsc::Sender<Msg>,
    /// What its key allows.
    pub(super) grant: Arc<Grant>,
    /// Ends every task of the session.
    pub(super) ended: CancellationToken,
    /// Everything of it is written.
    pub(super) closed: CancellationToken,
    /// Where the sound and pictures of another connection go in.
    pub(super) media: MediaIn,
    /// Since when its client is away.
    pub(super) away: Away,
    /// The call that its client is in.
    pub(super) call: Arc<Mutex<Option<String>>>,
    /// Where its time went.
    pub(super) trace: Trace,
}

impl Held {
    /// Its call, by which others find it.
    pub(super) fn entry(&self, peer: Arc<Peer>) -> Entry {
        let (inbox, ended, holder) = (self.inbox.clone(), self.ended.clone(), self.grant.holder().to_owned());
        let gone = ended.child_token();
        Entry { inbox, trace: self.trace.clone(), ended, peer, holder, gone }
    }
}

/// A place among the conversations; it travels with the session and is given back when the session ends.
pub(super) struct Admission {
    pub(super) permit: OwnedSemaphorePermit,
    /// The same for its key.
    pub(super) taken: Taken,
    /// What the device is taken to do for it.
    pub(super) assumed: Option<Assumed>,
    pub(super) grant: Arc<Grant>,
    pub(super) client: ClientId,
    pub(super) ended: CancellationToken,
    pub(super) tasks: TaskTracker,
    /// The step of the ladder on which the session stands.
    pub(super) step: Arc<Standing>,
}

impl Sessions {
    /// A registry without conversations.
    #[must_use]
    pub fn new(services: Services) -> Self {
        let permits = Arc::new(Semaphore::new(services.max_sessions));
        let ids = Mutex::new(IdGen::from_seed(rand::rng().random()));
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let (calls, memories, steps) = (Mutex::default(), Mutex::default(), Mutex::default());
        let ports = AtomicU64::new(0);
        let restoring = Semaphore::new(1);
        let places = Places::default();
        let capacity = capacity(&services);
        Self(Arc::new(Inner {
            services,
            permits,
            places,
            calls,
            memories,
            restoring,
            ids,
            ports,
            stop,
            tasks,
            steps,
            capacity,
        }))
    }

    pub(super) async fn admit(&self, options: &OpenOptions) -> Result<Admission, SessionError> {
        let grant = &options.grant;
        let model = &self.0.services.names.model;
        if !grant.allows_model(model) {
            return Err(SessionError::ModelNotAllowed(model.clone()));
        }
        // First: nobody who is away is to make room for somebody who is refused all the same.
        self.refuse_while_late()?;
        let taken = self.take_places(grant).await.map_err(|(name, max)| {
            metrics::counter!("sightline_admission_rejected_total", "reason" => "key").increment(1);
            SessionError::KeyFull { name, max }
        })?;
        let place = match Arc::clone(&self.0.permits).try_acquire_owned() {
            Ok(place) => Some(place),
            Err(_) => self.make_room().await,
        };
        let Some(permit) = place else {
            metrics::counter!("sightline_admission_rejected_total", "reason" => "sessions").increment(1);
            return Err(SessionError::Full { max: self.0.services.max_sessions });
        };
        let assumed = self.carry().await?;
        let step = Arc::new(Standing::default());
        let mut steps = lock(&self.0.steps);
        steps.retain(|s| s.strong_count() > 0);
        steps.push(Arc::downgrade(&step));
        let (grant, client) = (Arc::clone(grant), options.client());
        let (ended, tasks) = (self.0.stop.child_token(), self.0.tasks.clone());
        Ok(Admission { permit, taken, assumed, grant, client, ended, tasks, step })
    }

    /// As [`Self::admit`], for a session that begins: it counts as one use of a client secret that has few.
    async fn admit_new(&self, options: &OpenOptions) -> Result<(Admission, Use), SessionError> {
        let grant = &options.grant;
        if !grant.use_up() {
            return Err(SessionError::UsedUp);
        }
        let used = Use(Some(Arc::clone(grant)));
        Ok((self.admit(options).await?, used))
    }

    pub(super) fn id(&self, kind: IdKind) -> String {
        lock(&self.0.ids).next(kind)
    }

    pub(super) fn next_port(&self) -> u64 {
        self.0.ports.fetch_add(1, Ordering::Relaxed)
    }

    /// Binds the port for media, if all calls share one, before the first of them comes; which it is.
    ///
    /// # Errors
    /// [`SessionError::Ingest`] when no port can be had.
    pub fn open_port(&self) -> Result<Option<u16>, SessionError> {
        Ok(self.0.services.ports.open(&self.0.services.clock)?)
    }

    /// Accepts a WebRTC call.
    ///
    /// # Errors
    /// [`SessionError`]: no place, an offer that cannot be taken, no port.
    pub async fn open_call(&self, offer: &str, options: OpenOptions) -> Result<Call, SessionError> {
        if let Some(token) = &options.resume {
            return self.resume_call(token, offer, &options).await;
        }
        let call_id = self.call_id(options.call_name.as_deref())?;
        let (admission, used) = self.admit_new(&options).await?;
        let Begun { setup: memory, identity } = self.begin_memory(&options).await?;
        let mut setup = wiring::setup(&self.0.services, self.id(IdKind::Session), &options, memory)?;
        let (audio_track, has_video) = call::media_of(offer);
        setup.audio_track = audio_track;
        call::place_voice(&mut setup, &self.0.services, offer);
        setup.video = if has_video { VideoState::Waiting } else { VideoState::None };
        let wants = setup.extensions.clone();
        let held = self.open_held(admission, Beginning { setup, identity, taken_up: None }).await?;
        let (mut accepted, answer) = match call::accept(&self.0.services, held.media.clone(), offer).await {
            Ok(accepted) => accepted,
            Err(e) => {
                held.ended.cancel();
                return Err(e);
            }
        };
        let (id, grant) = (self.next_port(), held.grant.clone());
        let (ours, theirs) = port(id, held.inbox.clone(), true, wants, grant, Room::default(), held.trace.clone());
        if call::has_events(offer) {
            let _ = held.inbox.send(Msg::Attach(ours)).await;
        } else {
            accepted.ends_with_it(held.inbox.clone());
        }
        let peer = accepted.peer();
        let theirs = theirs.named_as_wanted(options.older_names);
        call::start(accepted, theirs, &self.0.tasks, held.ended.clone());
        *lock(&held.call) = Some(call_id.clone());
        self.remember(&call_id, held.entry(peer))?;
        used.keep();
        Ok(Call { call_id, answer })
    }

    /// The session that these options would open, as `session.created` would show it.
    ///
    /// # Errors
    /// [`SessionError`] of settings that cannot be put in force.
    pub fn preview(&self, options: &OpenOptions) -> Result<SessionConfig, SessionError> {
        let id = self.id(IdKind::Session);
        let setup = wiring::setup(&self.0.services, id, options, crate::dialogue::MemorySetup::default())?;
        let mut config = SessionConfig::new(setup.session_id, &setup.names);
        config.apply(setup.patch, &setup.names);
        Ok(config)
    }

    /// A new id, or the name that the client chose, which others can know beforehand.
    fn call_id(&self, name: Option<&str>) -> Result<String, SessionError> {
        let Some(name) = name else { return Ok(self.id(IdKind::Call)) };
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        if !plain || !(1..=64).contains(&name.len()) || name.starts_with(IdKind::Call.prefix()) {
            return Err(SessionError::CallName);
        }
        if lock(&self.0.calls).contains_key(name) {
            return Err(SessionError::CallNameTaken(name.to_owned()));
        }
        Ok(name.to_owned())
    }

    pub(super) fn remember(&self, call_id: &str, entry: Entry) -> Result<(), SessionError> {
        let (ended, gone) = (entry.ended.clone(), entry.gone.clone());
        match lock(&self.0.calls).entry(call_id.to_owned()) {
            std::collections::hash_map::Entry::Vacant(place) => place.insert(entry),
            std::collections::hash_map::Entry::Occupied(_) => {
                // Somebody else came with this name meanwhile.
                ended.cancel();
                return Err(SessionError::CallNameTaken(call_id.to_owned()));
            }
        };
        let (inner, call_id) = (Arc::clone(&self.0), call_id.to_owned());
        self.0.tasks.spawn(async move {
            gone.cancelled().await;
            // The name may be another call's by now.
            let mut calls = lock(&inner.calls);
            if calls.get(&call_id).is_some_and(|e| e.gone.is_cancelled()) {
                calls.remove(&call_id);
            }
        });
        Ok(())
    }

    /// Opens a conversation over a WebSocket alone; it ends with the port.
    ///
    /// # Errors
    /// [`SessionError`].
    pub async fn open_socket(&self, options: OpenOptions) -> Result<ClientPort, SessionError> {
        if let Some(token) = &options.resume {
            return self.resume_socket(token, &options).await;
        }
        Ok(self.open_wired(options, VideoState::None).await?.0)
    }

    /// Opens a conversation about a recording: its pictures and sound are pushed by the caller.
    ///
    /// # Errors
    /// [`SessionError`].
    pub async fn open_recorded(&self, options: OpenOptions) -> Result<Recorded, SessionError> {
        let (port, media) = self.open_wired(options, VideoState::Waiting).await?;
        Ok(Recorded { port, media })
    }

    async fn open_wired(&self, options: OpenOptions, video: VideoState) -> Result<(ClientPort, MediaIn), SessionError> {
        let (admission, used) = self.admit_new(&options).await?;
        let Begun { setup: memory, identity } = self.begin_memory(&options).await?;
        let mut setup = wiring::setup(&self.0.services, self.id(IdKind::Session), &options, memory)?;
        setup.video = video;
        let wants = setup.extensions.clone();
        let held = self.open_held(admission, Beginning { setup, identity, taken_up: None }).await?;
        let (ours, theirs) = port(
            self.next_port(),
            held.inbox.clone(),
            true,
            wants,
            held.grant.clone(),
            Room::default(),
            held.trace.clone(),
        );
        let _ = held.inbox.send(Msg::Attach(ours)).await;
        used.keep();
        Ok((theirs, held.media))
    }

    /// Attaches another client to a call of the same key.
    ///
    /// # Errors
    /// [`SessionError::NoCall`].
    pub async fn attach(&self, call_id: &str, options: OpenOptions) -> Result<ClientPort, SessionError> {
        let entry = self.entry(call_id, &options.grant)?;
        let (id, wants) = (self.next_port(), options.wants());
        let (ours, theirs) = port(id, entry.inbox.clone(), false, wants, options.grant, Room::default(), entry.trace);
        entry.inbox.send(Msg::Attach(ours)).await.map_err(|_| SessionError::NoCall(clip(call_id)))?;
        Ok(theirs)
    }

    /// Ends a call of the same key.
    ///
    /// # Errors
    /// [`SessionError::NoCall`].
    pub async fn hang_up(&self, call_id: &str, grant: &Grant) -> Result<(), SessionError> {
        let entry = self.entry(call_id, grant)?;
        let _ = entry.inbox.send(Msg::Close { reason: "hung up".into() }).await;
        entry.ended.cancelled().await;
        // Whoever asks next is told that it is gone; the task that removes what ends by itself may not have run yet.
        lock(&self.0.calls).remove(call_id);
        Ok(())
    }

    /// The ICE session of a call: our user name fragment, and the credentials its client came with last.
    ///
    /// # Errors
    /// [`SessionError::NoCall`].
    pub fn ice_session(&self, call_id: &str, grant: &Grant) -> Result<(String, Option<IceCredentials>), SessionError> {
        let peer = self.entry(call_id, grant)?.peer;
        Ok((peer.ice_ufrag(), peer.remote_credentials()))
    }

    /// Begins a new ICE session of a call, with its client's new credentials.
    ///
    /// # Errors
    /// [`SessionError::NoCall`], or of the transport.
    pub async fn restart_ice(
        &self,
        call_id: &str,
        new: &IceCredentials,
        grant: &Grant,
    ) -> Result<IceAnswer, SessionError> {
        let peer = self.entry(call_id, grant)?.peer;
        Ok(peer.restart_ice(new, &self.0.services.ingest).await?)
    }

    /// A call of the same key; that of another one is told in the same words as one that is not there.
    fn entry(&self, call_id: &str, grant: &Grant) -> Result<Entry, SessionError> {
        let entry = lock(&self.0.calls).get(call_id).filter(|e| e.holder == grant.holder()).cloned();
        entry.ok_or_else(|| SessionError::NoCall(clip(call_id)))
    }

    /// Tells every conversation that the server stops, and waits until none is left, for at most so long.
    pub async fn go_on_for(&self, patience: std::time::Duration) {
        if self.live() == 0 || patience.is_zero() {
            return;
        }
        let inboxes: Vec<_> = lock(&self.0.memories).values().map(|held| held.inbox.clone()).collect();
        for inbox in inboxes {
            // Whoever has no room for it is told by being closed.
            let _ = inbox.try_send(Msg::Expiring { reason: "server_restarts", left: patience });
        }
        let all = u32::try_from(self.0.services.max_sessions).unwrap_or(u32::MAX);
        let _ = tokio::time::timeout(patience, self.0.permits.acquire_many(all)).await;
    }

    /// Ends every conversation and waits until all their tasks are gone.
    pub async fn close_all(&self) {
        self.0.stop.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    /// Conversations now.
    #[must_use]
    pub fn live(&self) -> usize {
        self.0.services.max_sessions - self.0.permits.available_permits()
    }

    /// Conversations at most.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.0.services.max_sessions
    }

    /// Why no conversation can be had now; empty when one can.
    #[must_use]
    pub fn not_ready(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.0.permits.available_permits() == 0 && !self.has_room_to_make() {
            reasons.push("all sessions are taken".into());
        }
        reasons
    }

    /// What the server does without: models that are missing.
    #[must_use]
    pub fn degraded(&self) -> &[String] {
        &self.0.services.missing
    }

    /// Role and name of every model.
    #[must_use]
    pub fn models(&self) -> &BTreeMap<&'static str, String> {
        &self.0.services.models
    }
}

/// A foreign id, fit to be shown.
fn clip(id: &str) -> String {
    id.chars().filter(|c| !c.is_control()).take(64).collect()
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
