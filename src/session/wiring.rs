//! Every queue and every task of a conversation, sink first.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use rand::Rng;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::actor::{Actor, Msg};
use super::grant::Grant;
use super::hearing::{Calm, Hearing};
use super::keeper::keeper;
use super::lifetime::Lifetime;
use super::ports::ClientPort;
use super::registry::Admission;
use super::shelf::Identity;
use super::stay::{Away, Kept, Stay, StaySetup};
use super::stream::Stream;
use super::trace::Trace;
use super::watcher::{State, Watcher};
use super::work::{DECODING, SoFarTask, Worker};
use super::{OpenOptions, Services, SessionError};
use crate::base::{MediaTime, Pcm, SessionId};
use crate::dialogue::{Conversation, MemorySetup, Setup};
use crate::flow::{DECODE_TO_LISTEN, DECODE_TO_WATCH, PLAYED_TO_LISTEN, SOCKET_TO_SESSION, Tx, WhenFull, queue};
use crate::listen::{Cleaner, Listener};
use crate::watch::Picture;
use crate::wire::{Extension, SessionPatch, TurnPatch, parse_session};

/// Commands that may wait for the watcher or the listener: a burst of appended sound, then back-pressure on the session.
const COMMANDS: usize = 64;
/// News of the session's own tasks that may wait for its actor; a full queue makes the task wait.
const NEWS: usize = 64;

/// Where decoded media goes in. Clones go in at the same place.
#[derive(Clone)]
pub struct MediaIn {
    /// Pictures; newest wins.
    pub frames: Tx<Picture>,
    /// Sound; never dropped.
    pub sound: Tx<Pcm>,
    /// Whether the listener is in no hurry for sound.
    pub(super) calm: Calm,
    /// Our own voice as it is played, 16 kHz, by the clock: what of it comes back is taken out of `sound`. At most 2 s wait.
    pub played: Tx<Pcm>,
    /// Capture time of the newest picture that was fully dealt with.
    pub progress: watch::Receiver<Option<MediaTime>>,
    /// News of what plays answers. Not the clients' queue: while the listener is behind, that one is not read.
    pub(super) news: mpsc::Sender<Msg>,
}

/// A conversation about a recording.
pub struct Recorded {
    /// The client's end.
    pub port: ClientPort,
    /// Where pictures and sound go in.
    pub media: MediaIn,
}

/// A conversation that runs.
pub(super) struct Opened {
    /// For clients.
    pub(super) clients: mpsc::Sender<Msg>,
    pub(super) media: MediaIn,
    /// Since when its client is away.
    pub(super) away: Away,
    /// Cancelled when everything of it is written.
    pub(super) closed: CancellationToken,
    pub(super) trace: Trace,
}

/// What a conversation begins with.
pub(super) struct Beginning {
    pub(super) setup: Setup,
    pub(super) identity: Identity,
    /// It goes on from the archive: what is there, and the number after which its events go on.
    pub(super) taken_up: Option<(Kept, u64)>,
}

/// What the conversation is told about itself.
pub(super) fn setup(
    services: &Services,
    session_id: String,
    options: &OpenOptions,
    memory: MemorySetup,
) -> Result<Setup, SessionError> {
    let patch = match &options.session {
        Some(json) => parse_session(json).map_err(SessionError::Session)?,
        None => SessionPatch::default(),
    };
    let mut setup = Setup::new(session_id, rand::rng().random());
    setup.names = services.names.clone();
    setup.extensions = options.wants();
    setup.extensions.extend(patch.extensions.iter().flatten());
    if services.resume_grace.is_zero() {
        setup.extensions.retain(|e| *e != Extension::Resume);
    }
    setup.patch = with_defaults(patch, services);
    setup.deadlines = services.deadlines;
    setup.ladder = services.ladder;
    setup.limits = services.limits;
    setup.count = Arc::clone(&services.count);
    setup.memory = memory;
    setup.expires_at = longest(services, &options.grant).map_or(0, |most| {
        u64::try_from(services.memories.unix_ms(services.clock.now() + most) / 1_000).unwrap_or_default()
    });
    Ok(setup)
}

/// The shorter of what the server and the key allow.
fn longest(services: &Services, grant: &Grant) -> Option<Duration> {
    services.max_session.into_iter().chain(grant.max_session()).min()
}

/// What the client left open is as the operator configured it.
fn with_defaults(mut patch: SessionPatch, services: &Services) -> SessionPatch {
    let defaults = super::turn_defaults(&services.listen);
    patch.turn_detection = match patch.turn_detection {
        None => Some(Some(defaults)),
        Some(None) => Some(None),
        Some(Some(turn)) => Some(Some(TurnPatch {
            threshold: turn.threshold.or(defaults.threshold),
            prefix_padding_ms: turn.prefix_padding_ms.or(defaults.prefix_padding_ms),
            silence_duration_ms: turn.silence_duration_ms.or(defaults.silence_duration_ms),
            ..turn
        })),
    };
    if patch.instructions.is_none() {
        patch.instructions.clone_from(&services.instructions);
    }
    patch
}

/// Wires a conversation and starts its tasks: watcher, listener, writer of the archive where there is one, actor.
pub(super) async fn open(
    services: &Services,
    admission: Admission,
    beginning: Beginning,
) -> Result<Opened, SessionError> {
    let Beginning { setup, identity, taken_up } = beginning;
    let id = SessionId::new(setup.session_id.clone());
    let Admission { permit, taken, assumed, grant, client, ended, tasks, step } = admission;
    let engine = Arc::new(services.engine.attach_for(id.clone(), client)?);
    let shelf = services.memories.shelf.clone().filter(|_| setup.memory.archived);

    let (clients, from_clients) = mpsc::channel(SOCKET_TO_SESSION.capacity);
    let (inbox, messages) = mpsc::channel(NEWS);
    let (watch_commands, for_watcher) = mpsc::channel(COMMANDS);
    let (hear_commands, for_hearing) = mpsc::channel(COMMANDS);
    let (frames, frames_out) = queue(DECODE_TO_WATCH, WhenFull::DropOldest);
    let (sound, sound_out) = queue(DECODE_TO_LISTEN, WhenFull::Refuse);
    let (played, played_out) = queue(PLAYED_TO_LISTEN, WhenFull::DropOldest);
    let (progress, progress_out) = watch::channel(None);

    let (kept, seq) = taken_up.map_or((None, None), |(kept, seq)| (Some(kept), Some(seq)));
    let stay = stay(services, &setup, (&identity, &grant), kept);
    let away = stay.away();
    let opened_at = services.clock.now();
    let (conversation, greeting) = Conversation::open(setup, opened_at);
    let mut watch = services.watch.clone();
    watch.sampler.min_interval = grant.least_between_looks().unwrap_or_default().max(watch.sampler.min_interval);
    let stream =
        seq.map_or_else(Stream::default, |seq| Stream::of_absent(conversation.session().extensions.clone(), seq));
    let trace = Trace::new(services, id.clone());
    let watcher = Watcher {
        trace: trace.clone(),
        frames: frames_out,
        commands: for_watcher,
        out: inbox.clone(),
        progress,
        engine: Arc::clone(&engine),
        clock: Arc::clone(&services.clock),
        state: State::new(&watch),
        config: watch.clone(),
    };
    let echo = Arc::clone(&services.echo);
    let make_echo = move || echo();
    let calm = Calm::default();
    let hearing = Hearing {
        calm: calm.clone(),
        still: 0,
        sound: sound_out,
        played: played_out,
        cleaner: Cleaner::new(make_echo),
        commands: for_hearing,
        out: inbox.clone(),
        listener: Listener::new((services.vad)(), services.listen)?,
        wire: None,
        buffers: 0,
        attends: false,
        lull: engine.lull(),
    };
    let keeper = shelf.map(|shelf| keeper(shelf, identity, inbox.clone()));
    let (keeper, writer) = keeper.map_or((None, None), |(handle, task)| (Some(handle), Some(task)));
    let worker = Worker {
        engine: Arc::clone(&engine),
        clock: Arc::clone(&services.clock),
        out: inbox.clone(),
        watch,
        sampling: services.sampling,
        transcribe_budget: services.deadlines.asr,
        first_word_budget: services.deadlines.first_token,
        frames: frames.clone(),
        decoding: Arc::new(Semaphore::new(DECODING)),
        shown: Arc::default(),
    };
    let actor = Actor {
        id,
        conversation,
        clients: from_clients,
        inbox: messages,
        stream,
        stay,
        worker,
        engine,
        trace: trace.clone(),
        clock: Arc::clone(&services.clock),
        watch: watch_commands,
        hear: hear_commands,
        unheard: VecDeque::new(),
        listen: services.listen,
        attends: false,
        answers: HashMap::new(),
        wanted: None,
        player: None,
        voices: HashMap::new(),
        reading: SoFarTask::default(),
        keeper,
        step: Arc::clone(&step),
        lifetime: Lifetime::new(opened_at, longest(services, &grant)),
        ended: ended.clone(),
    };

    // The writer ends after the actor, whose last word it has to write.
    let (last_word, closed) = (CancellationToken::new(), CancellationToken::new());
    let (said, written) = (last_word.clone().drop_guard(), closed.clone().drop_guard());
    tasks.spawn(async move {
        match writer {
            Some(writer) => writer.run(last_word).await,
            None => last_word.cancelled().await,
        }
        drop(written);
    });
    // The actor ends first; with it go the command queues, and so the other two.
    // One span per conversation; a turn's spans (asr, look, generate) stand within it.
    let span = tracing::info_span!("session", id = %actor.id);
    let until = ended.clone();
    tasks.spawn(async move { until.run_until_cancelled(watcher.run()).await }.instrument(span.clone()));
    let until = ended.clone();
    tasks.spawn(async move { until.run_until_cancelled(hearing.run()).await }.instrument(span.clone()));
    metrics::gauge!("sightline_sessions_active").increment(1.0);
    metrics::counter!("sightline_sessions_total").increment(1);
    let (trace_dir, turns) = (services.trace_dir.clone(), trace.clone());
    let conversation = async move {
        actor.run(greeting).await;
        if let Some(dir) = trace_dir {
            let _ = tokio::task::spawn_blocking(move || turns.write(&dir)).await;
        }
        metrics::gauge!("sightline_sessions_active").decrement(1.0);
        // Nobody is refused any more because it was late.
        drop((step, assumed));
        // The places first: whoever waits for the session to be closed wants one of them.
        drop((permit, taken));
        drop(said);
    };
    tasks.spawn(conversation.instrument(span));
    let media = MediaIn { frames, sound, calm, played, progress: progress_out, news: inbox };
    Ok(Opened { clients, media, away, closed, trace })
}

fn stay(services: &Services, setup: &Setup, (identity, grant): (&Identity, &Grant), taken_up: Option<Kept>) -> Stay {
    let setup = StaySetup {
        grace: services.resume_grace,
        holder: grant.holder().to_owned(),
        identity: identity.clone(),
        access_token: setup.memory.access_token.clone(),
        archived: setup.memory.archived && services.memories.shelf.is_some(),
        unix_ms_at_zero: services.memories.unix_ms_at_zero,
        taken_up,
    };
    Stay::new(setup, services.clock.now())
}
