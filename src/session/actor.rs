//! One conversation's actor: everything that happens comes in as a [`Msg`], goes through the pure `Conversation`, and what comes out is done here.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use super::hearing::HearCommand;
use super::keeper::KeeperHandle;
use super::listen_settings;
use super::ports::Port;
use super::watcher::WatchCommand;
use super::work::{self, Worker};
use crate::base::{Clock, MediaTime, SessionId};
use crate::budget::Step;
use crate::dialogue::{Conversation, EmbedFor, EngineEvent, Input, LookId, Output, VideoState};
use crate::engine::EngineSession;
use crate::listen::{Evidence, ListenConfig, ListenEvent, Utterance};
use crate::memory::KeyframeId;
use crate::watch::SceneFacts;
use crate::wire::{
    ArchiveView, ClientBody, ClientEvent, ForgetRequest, ServerBody, ServerEvent, TimelineView, VideoStats, WireError,
};

/// Everything that can happen to a session.
pub(super) enum Msg {
    /// A client said something.
    Client { port: u64, text: String },
    /// A client's message was refused before it was read.
    Refused { port: u64, error: WireError },
    /// Settings could not be put in force.
    Complaint(WireError),
    /// A client came.
    Attach(Port),
    /// A client went.
    Detach { port: u64 },
    /// Voice activity.
    Listen(ListenEvent),
    /// What is heard of it while an answer is under way.
    Voice { evidence: Option<Evidence>, at: MediaTime, sound: Option<Arc<[f32]>> },
    /// Words of what is still being said.
    Overheard { item_id: String, near: Duration, result: Result<String, String> },
    /// The audio buffer, on request.
    Committed { utterance: Option<Utterance> },
    /// Loudness.
    Level { dbfs: f32, speaking: bool },
    /// Words.
    Transcribed { item_id: String, result: Result<String, String> },
    /// A look at a kept frame.
    Look { facts: Arc<SceneFacts>, image: Option<Arc<[f32]>>, jpeg: Option<Bytes> },
    /// The meaning of a text.
    Embedded { what: EmbedFor, result: Result<Arc<[f32]>, String> },
    /// How full the archive is.
    Archive(ArchiveView),
    /// Somebody outside asks for a picture of the memory.
    Keyframe { id: KeyframeId, reply: oneshot::Sender<Option<Bytes>> },
    /// Somebody outside asks for the timeline.
    Timeline { reply: oneshot::Sender<TimelineView> },
    /// Somebody outside wants something forgotten.
    Forget { request: ForgetRequest, reply: oneshot::Sender<()> },
    /// A look that was asked for.
    Looked { look: LookId, result: Result<Arc<SceneFacts>, String> },
    /// News of an answer.
    Engine { response_id: String, event: EngineEvent },
    /// Video came or went.
    Video(VideoState),
    /// How the video does.
    VideoStats(VideoStats),
    /// End the session.
    Close { reason: String },
}

/// The actor. See [`Actor::run`].
pub(super) struct Actor {
    pub(super) id: SessionId,
    pub(super) conversation: Conversation,
    /// What clients say. Not read while the listener is behind with sound they sent: that is their back-pressure.
    pub(super) clients: mpsc::Receiver<Msg>,
    /// What the session's own tasks say. Always read, so that none of them ever waits for long.
    pub(super) inbox: mpsc::Receiver<Msg>,
    pub(super) ports: Vec<Port>,
    pub(super) worker: Worker,
    pub(super) engine: Arc<EngineSession>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) watch: mpsc::Sender<WatchCommand>,
    pub(super) hear: mpsc::Sender<HearCommand>,
    /// Commands that the listener has no room for yet. Bounded: what makes them is not read while there are any.
    pub(super) unheard: VecDeque<HearCommand>,
    pub(super) listen: ListenConfig,
    /// The listener tells what it hears, because an answer is under way.
    pub(super) attends: bool,
    pub(super) answers: HashMap<String, CancellationToken>,
    /// The way to the archive, where there is one.
    pub(super) keeper: Option<KeeperHandle>,
    /// The step of the ladder this session stands on, for the registry.
    pub(super) step: Arc<AtomicU8>,
    /// Ends every task of the session.
    pub(super) ended: CancellationToken,
}

impl Actor {
    /// Runs until somebody closes the session. What is still under way is cancelled then.
    pub(super) async fn run(mut self, greeting: Vec<Output>) {
        self.act(greeting, None).await;
        let reason = loop {
            let wait = self.conversation.next_deadline().map(|at| at.since(self.clock.now()));
            let next = tokio::select! {
                Some(message) = self.inbox.recv() => Next::Message(message),
                message = self.clients.recv(), if self.unheard.is_empty() => message.map_or(Next::Abandoned, Next::Message),
                room = self.hear.reserve(), if !self.unheard.is_empty() => {
                    if let (Ok(room), Some(command)) = (room, self.unheard.pop_front()) {
                        room.send(command);
                    }
                    continue;
                }
                () = sleep(wait) => Next::Time,
                () = self.ended.cancelled() => Next::Stopped,
            };
            match next {
                Next::Message(Msg::Close { reason }) => break reason,
                Next::Message(message) => self.on_message(message).await,
                Next::Time => self.handle(Input::Tick, None).await,
                Next::Abandoned => break "nobody holds the session".to_owned(),
                Next::Stopped => break "the server closed the session".to_owned(),
            }
        };
        for token in self.answers.values() {
            token.cancel();
        }
        self.ended.cancel();
        metrics::counter!("sightline_sessions_ended_total").increment(1);
        info!(session = %self.id, reason, "session ended");
    }

    async fn on_message(&mut self, message: Msg) {
        match message {
            Msg::Client { port, text } => {
                let input = match ClientEvent::parse(&text) {
                    Ok(event) => Input::Client(self.with_wants(event, port)),
                    Err(e) => Input::Refused(e),
                };
                self.handle(input, Some(port)).await;
            }
            Msg::Refused { port, error } => self.handle(Input::Refused(error), Some(port)).await,
            Msg::Complaint(error) => self.handle(Input::Refused(error), None).await,
            Msg::Attach(port) => self.attach(port),
            Msg::Detach { port } => self.ports.retain(|p| p.id != port),
            Msg::Listen(ListenEvent::SpeechStarted { at }) => self.handle(Input::SpeechStarted { at }, None).await,
            Msg::Listen(ListenEvent::SpeechStopped { utterance, decided }) => {
                self.handle(Input::SpeechStopped { utterance, decided }, None).await;
            }
            Msg::Voice { evidence, at, sound } => self.handle(Input::Voice { evidence, at, sound }, None).await,
            Msg::Overheard { item_id, near, result } => {
                self.handle(Input::Overheard { item_id, near, result }, None).await;
            }
            Msg::Committed { utterance } => self.handle(Input::Committed { utterance }, None).await,
            Msg::Level { dbfs, speaking } => self.handle(Input::AudioLevel { dbfs, speaking }, None).await,
            Msg::Transcribed { item_id, result } => self.handle(Input::Transcribed { item_id, result }, None).await,
            Msg::Look { facts, image, jpeg } => self.handle(Input::Look { facts, image, keyframe: jpeg }, None).await,
            Msg::Embedded { what, result } => self.handle(Input::Embedded { what, result }, None).await,
            Msg::Archive(view) => self.handle(Input::Archive(view), None).await,
            Msg::Keyframe { id, reply } => {
                let _ = reply.send(self.conversation.keyframe(id));
            }
            Msg::Timeline { reply } => {
                let _ = reply.send(self.conversation.timeline(self.clock.now()));
            }
            Msg::Forget { request, reply } => {
                self.handle(Input::Forget(request), None).await;
                self.forgotten(reply);
            }
            Msg::Looked { look, result } => self.handle(Input::Looked { look, result }, None).await,
            Msg::Engine { response_id, event } => self.on_engine(response_id, event).await,
            Msg::Video(state) => self.handle(Input::Video(state), None).await,
            Msg::VideoStats(stats) => self.handle(Input::VideoStats(stats), None).await,
            Msg::Close { .. } => {}
        }
    }

    async fn on_engine(&mut self, response_id: String, event: EngineEvent) {
        if matches!(event, EngineEvent::Done { .. } | EngineEvent::Failed { .. }) {
            self.answers.remove(&response_id);
        }
        self.handle(Input::Engine { response_id, event }, None).await;
    }

    fn attach(&mut self, port: Port) {
        self.conversation.want(&port.wants);
        let greeting = self.conversation.greeting(&port.wants, self.clock.now());
        if greeting.into_iter().all(|event| port.outbox.push(event).is_ok()) {
            self.ports.push(port);
        }
    }

    /// Tells whoever asked once the disk has forgotten too.
    fn forgotten(&self, reply: oneshot::Sender<()>) {
        match &self.keeper {
            Some(keeper) => keeper.when_written(reply),
            None => {
                let _ = reply.send(());
            }
        }
    }

    /// Extensions are each client's own: it is sent what it asked for, and the session makes what any of them asked for.
    fn with_wants(&mut self, mut event: ClientEvent, from: u64) -> ClientEvent {
        if let ClientBody::SessionUpdate(patch) = &mut event.body
            && let Some(asked) = &mut patch.extensions
        {
            for port in &mut self.ports {
                if port.id == from {
                    port.wants.clone_from(asked);
                }
            }
            *asked = self.ports.iter().flat_map(|p| p.wants.iter().copied()).collect();
            asked.sort_unstable();
            asked.dedup();
        }
        event
    }

    async fn handle(&mut self, input: Input, from: Option<u64>) {
        let outputs = self.conversation.handle(input, self.clock.now());
        self.act(outputs, from).await;
        let attends = self.conversation.attends();
        if attends != self.attends {
            self.attends = attends;
            self.hear(HearCommand::Attend(attends));
        }
    }

    async fn act(&mut self, outputs: Vec<Output>, from: Option<u64>) {
        for output in outputs {
            match output {
                Output::Send(event) => self.send(&event, from),
                Output::Transcribe { item_id, sound } => self.worker.transcribe(item_id, sound),
                Output::Overhear { item_id, near, sound } => self.worker.overhear(item_id, near, sound),
                Output::Judged { verdict, after } => work::count_judged(verdict, after),
                Output::LookNow { look, .. } => self.look_now(look),
                Output::LookAtImage { look, data, .. } => self.worker.look_at_image(look, data),
                Output::Generate { response_id, prompt, max_tokens } => {
                    let token = self.ended.child_token();
                    self.answers.insert(response_id.clone(), token.clone());
                    self.worker.generate(work::Answer { response_id, prompt, max_tokens }, token);
                }
                Output::Cancel { response_id } => {
                    if let Some(token) = self.answers.remove(&response_id) {
                        token.cancel();
                    }
                }
                Output::Warm { prompt } => {
                    // Warming is a wish: without it the answer only comes later.
                    let _ = self.engine.warm(prompt).await;
                }
                Output::ConfigureListener { turn_detection } => {
                    let config = listen_settings(&self.listen, turn_detection.as_ref());
                    self.hear(HearCommand::Configure(config, self.clock.now()));
                }
                Output::AppendAudio { data, format } => {
                    let now = self.clock.now();
                    self.hear(HearCommand::Append { data, format, now });
                }
                Output::CommitAudio => self.hear(HearCommand::Commit(self.clock.now())),
                Output::ClearAudio => self.hear(HearCommand::Clear),
                Output::Embed { what, text } => self.worker.embed(what, text),
                Output::Keep(keeps) => {
                    if let Some(keeper) = &self.keeper {
                        keeper.keep(keeps);
                    }
                }
                Output::Degrade { step } => self.degrade(step),
                Output::Overrun(overrun) => work::count_overrun(&overrun),
                Output::Timed(timings) => work::record_timings(&timings),
            }
        }
    }

    fn hear(&mut self, command: HearCommand) {
        if !self.unheard.is_empty() {
            self.unheard.push_back(command);
        } else if let Err(mpsc::error::TrySendError::Full(command)) = self.hear.try_send(command) {
            self.unheard.push_back(command);
        }
    }

    fn look_now(&self, look: LookId) {
        // A full queue of looks means that nobody is looking: the answer goes on with what is known when its budget ends.
        if self.watch.try_send(WatchCommand::LookNow(look)).is_err() {
            debug!(session = %self.id, "no watcher to ask for a look");
        }
    }

    fn degrade(&self, step: Step) {
        metrics::counter!("sightline_degraded_total", "step" => step.label()).increment(1);
        // Shorter answers are the conversation's own doing, refusing is the registry's.
        let _ = self.watch.try_send(WatchCommand::Degrade(step));
        self.step.store(step as u8, Ordering::Relaxed);
    }

    /// Errors go to the client that caused them, vendor events to those who asked, everything else to all.
    fn send(&mut self, event: &ServerEvent, from: Option<u64>) {
        let only = from.filter(|_| matches!(event.body, ServerBody::Error { .. }));
        let vendor = event.body.extension();
        self.ports.retain(|port| {
            let others = only.is_some_and(|id| id != port.id) || vendor.is_some_and(|e| !port.wants.contains(&e));
            others || port.outbox.push(event.clone()).is_ok()
        });
    }
}

/// What woke the actor.
enum Next {
    Message(Msg),
    Time,
    Abandoned,
    Stopped,
}

async fn sleep(wait: Option<Duration>) {
    match wait {
        Some(wait) => tokio::time::sleep(wait).await,
        None => std::future::pending().await,
    }
}
