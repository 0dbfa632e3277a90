//! One conversation's actor: everything that happens comes in as a [`Msg`], goes through the pure `Conversation`, and what comes out is done here.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use super::capacity::Standing;
use super::hearing::HearCommand;
use super::holder::{End, Returning};
use super::keeper::KeeperHandle;
use super::lifetime::{Due, Lifetime};
use super::listen_settings;
use super::player::PlayCommand;
use super::ports::Port;
use super::stay::Stay;
use super::stream::Stream;
use super::trace::Trace;
use super::watcher::WatchCommand;
use super::work::{self, Worker};
use crate::base::{Clock, MediaTime, SessionId};
use crate::budget::{Step, TurnTiming};
use crate::dialogue::{
    Conversation, EmbedFor, EngineEvent, Input, Keep, LookId, NoLook, Output, ReadOrder, ReadSoFar, VideoState, Voiced,
};
use crate::engine::EngineSession;
use crate::listen::{Evidence, ListenConfig, ListenEvent, SoFar, Utterance};
use crate::memory::KeyframeId;
use crate::store::Secret;
use crate::watch::SceneFacts;
use crate::wire::{ArchiveView, ForgetRequest, TimelineView, VideoStats, WireError, code};

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
    /// A client went; `left`: after a goodbye.
    Gone { port: u64, left: bool },
    /// Would this token let somebody in?
    Knock { token: Secret, reply: oneshot::Sender<bool> },
    /// The holder comes back over another connection.
    Return(Box<Returning>),
    /// The session ends before long.
    Expiring { reason: &'static str, left: Duration },
    /// Somebody else needs the place of a session whose holder is away.
    MakeRoom,
    /// Voice activity.
    Listen(ListenEvent),
    /// What is heard of it while an answer is under way.
    Voice { evidence: Option<Evidence>, at: MediaTime, sound: Option<Arc<[f32]>> },
    /// What was said so far.
    SoFar(SoFar),
    /// Its words.
    ReadSoFar(ReadSoFar),
    /// Words of what is still being said, into an answer.
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
    /// A piece of an answer, said.
    Voiced { response_id: String, piece: u32, result: Result<Voiced, String> },
    /// A call's player is there.
    Player(mpsc::Sender<PlayCommand>),
    /// The player begins with a piece.
    Playing { id: u64 },
    /// The player has played all it was given.
    Drained { id: u64 },
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
    /// Its clients.
    pub(super) stream: Stream,
    /// What it takes to come back to it.
    pub(super) stay: Stay,
    pub(super) worker: Worker,
    pub(super) engine: Arc<EngineSession>,
    pub(super) trace: Trace,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) watch: mpsc::Sender<WatchCommand>,
    pub(super) hear: mpsc::Sender<HearCommand>,
    /// Commands that the listener has no room for yet. Bounded: what makes them is not read while there are any.
    pub(super) unheard: VecDeque<HearCommand>,
    pub(super) listen: ListenConfig,
    /// The listener tells what it hears, because an answer is under way.
    pub(super) attends: bool,
    pub(super) answers: HashMap<String, CancellationToken>,
    /// Cancelled when the answer that was begun before its turn was over is waited for.
    pub(super) wanted: Option<CancellationToken>,
    /// The player of a call that takes our voice.
    pub(super) player: Option<mpsc::Sender<PlayCommand>>,
    /// Pieces that the voice is at, by their responses.
    pub(super) voices: HashMap<String, CancellationToken>,
    /// The reading of unfinished speech that is under way.
    pub(super) reading: work::SoFarTask,
    /// The way to the archive, where there is one.
    pub(super) keeper: Option<KeeperHandle>,
    /// The step of the ladder this session stands on, for the registry.
    pub(super) step: Arc<Standing>,
    pub(super) lifetime: Lifetime,
    /// Ends every task of the session.
    pub(super) ended: CancellationToken,
}

impl Actor {
    /// Runs until somebody closes the session, or nobody comes back to it. What is still under way is cancelled then.
    pub(super) async fn run(mut self, greeting: Vec<Output>) {
        self.act(greeting, None).await;
        let end = loop {
            let now = self.clock.now();
            if self.stay.is_over(now) {
                break End::of("nobody came back in time", Some("nobody_came_back"));
            }
            if self.stay.is_save_due(now) {
                self.save(false);
            }
            if let Some(end) = self.outlived(now).await {
                break end;
            }
            let due = self.conversation.next_deadline().into_iter().chain(self.stay.deadline());
            let due = due.chain(self.lifetime.deadline()).min();
            let next = tokio::select! {
                Some(message) = self.inbox.recv() => Next::Message(message),
                message = self.clients.recv(), if self.unheard.is_empty() => message.map_or(Next::Abandoned, Next::Message),
                room = self.hear.reserve(), if !self.unheard.is_empty() => {
                    if let (Ok(room), Some(command)) = (room, self.unheard.pop_front()) {
                        room.send(command);
                    }
                    continue;
                }
                () = sleep(due.map(|at| at.since(now))) => Next::Time,
                () = self.ended.cancelled() => Next::Stopped,
            };
            match next {
                Next::Message(Msg::Close { reason }) => break End::for_good(reason),
                Next::Message(Msg::MakeRoom) if !self.stream.is_held() => {
                    break End::of("it made room for another", Some("room_needed"));
                }
                Next::Message(Msg::Gone { port, left }) => {
                    if let Some(end) = self.on_gone(port, left).await {
                        break end;
                    }
                }
                Next::Message(message) => self.on_message(message).await,
                Next::Time => self.handle(Input::Tick, None).await,
                Next::Abandoned => break End::for_good("nobody holds the session"),
                Next::Stopped => break End::of("the server closed the session", None),
            }
        };
        self.finish(end);
    }

    /// Tells of the end of a session that may not last for ever, and gives it when it is there.
    async fn outlived(&mut self, now: MediaTime) -> Option<End> {
        match self.lifetime.due(now)? {
            Due::Notice { left } => {
                self.warn("session_limit", left);
                None
            }
            Due::End => {
                let text = "the session has lasted as long as it may; open another one";
                self.handle(Input::Refused(WireError::invalid(code::SESSION_EXPIRED, text)), None).await;
                Some(End::for_good("it lasted as long as it may"))
            }
        }
    }

    fn finish(mut self, end: End) {
        for token in self.answers.values() {
            token.cancel();
        }
        self.say_goodbye(&end);
        self.ended.cancel();
        metrics::counter!("sightline_sessions_ended_total").increment(1);
        info!(session = %self.id, reason = end.reason, "session ended");
    }

    async fn on_message(&mut self, message: Msg) {
        match message {
            Msg::Client { port, text } => self.on_client(port, &text).await,
            Msg::Refused { port, error } => self.handle(Input::Refused(error), Some(port)).await,
            Msg::Complaint(error) => self.handle(Input::Refused(error), None).await,
            Msg::Attach(port) => self.attach(port),
            Msg::Knock { token, reply } => {
                let _ = reply.send(self.stay.opens(&token, self.stream.is_held(), self.clock.now()));
            }
            Msg::Return(returning) => self.on_return(*returning).await,
            Msg::Expiring { reason, left } => self.warn(reason, left),
            Msg::Listen(ListenEvent::SpeechStarted { at }) => self.handle(Input::SpeechStarted { at }, None).await,
            Msg::Listen(ListenEvent::SpeechStopped { utterance, decided }) => {
                self.handle(Input::SpeechStopped { utterance, decided }, None).await;
            }
            Msg::Voice { evidence, at, sound } => self.handle(Input::Voice { evidence, at, sound }, None).await,
            Msg::Overheard { item_id, near, result } => {
                self.handle(Input::Overheard { item_id, near, result }, None).await;
            }
            Msg::SoFar(so_far) => {
                self.expect_end(&so_far);
                self.handle(Input::SoFar(so_far), None).await;
            }
            Msg::ReadSoFar(read) => self.handle(Input::ReadSoFar(read), None).await,
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
            Msg::Voiced { response_id, piece, result } => {
                self.voices.remove(&response_id);
                self.handle(Input::Voiced { response_id, piece, result }, None).await;
            }
            Msg::Player(player) => {
                self.player = Some(player);
                self.handle(Input::Player, None).await;
            }
            Msg::Playing { id } => self.handle(Input::Playing { id }, None).await,
            Msg::Drained { id } => self.handle(Input::Drained { id }, None).await,
            Msg::Engine { response_id, event } => self.on_engine(response_id, event).await,
            Msg::Video(state) => self.handle(Input::Video(state), None).await,
            Msg::VideoStats(stats) => self.handle(Input::VideoStats(stats), None).await,
            // Those that end the session are dealt with where that is decided.
            Msg::Close { .. } | Msg::Gone { .. } | Msg::MakeRoom => {}
        }
    }

    async fn on_engine(&mut self, response_id: String, event: EngineEvent) {
        if matches!(event, EngineEvent::Done { .. } | EngineEvent::Failed { .. }) {
            self.answers.remove(&response_id);
        }
        self.handle(Input::Engine { response_id, event }, None).await;
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

    pub(super) async fn handle(&mut self, input: Input, from: Option<u64>) {
        let outputs = self.conversation.handle(input, self.clock.now());
        self.act(outputs, from).await;
        self.stay.note(self.stream.newest());
        let attends = self.conversation.attends();
        if attends != self.attends {
            self.attends = attends;
            self.hear(HearCommand::Attend(attends));
        }
    }

    async fn act(&mut self, outputs: Vec<Output>, from: Option<u64>) {
        let mut forgot = false;
        for output in outputs {
            match output {
                Output::Send(event) => self.stream.send(event, from),
                Output::Transcribe { item_id, sound } => self.worker.transcribe(item_id, sound),
                Output::Overhear { item_id, near, sound } => self.worker.overhear(item_id, near, sound),
                Output::Read(order) => self.on_reading(order),
                Output::Hold(order) => self.hold(order),
                Output::Judged { verdict, after } => work::count_judged(verdict, after),
                Output::LookNow { look, .. } => self.look_now(look),
                Output::LookAtImage { look, data, .. } => self.worker.look_at_image(look, data),
                Output::Generate { response_id, prompt, max_tokens } => {
                    self.generate(work::Answer { response_id, prompt, max_tokens, wanted: None });
                }
                Output::Cancel { response_id } => {
                    if let Some(token) = self.answers.remove(&response_id) {
                        token.cancel();
                    }
                }
                output @ (Output::Speak { .. }
                | Output::Silence { .. }
                | Output::Play { .. }
                | Output::Hush
                | Output::FirstSound { .. }
                | Output::VoiceLost(_)) => self.aloud(output),
                Output::Warm { prompt, soon } => {
                    // Warming is a wish: without it the answer only comes later.
                    let _ = self.engine.warm(prompt, soon).await;
                }
                Output::ConfigureListener { turn_detection } => {
                    let config = listen_settings(&self.listen, turn_detection.as_ref());
                    self.hear(HearCommand::Configure(config, self.clock.now()));
                }
                Output::AppendAudio { data, format } => {
                    let now = self.clock.now();
                    self.hear(HearCommand::Append { data, format, now });
                }
                Output::Frame { data } => self.worker.frame(data),
                Output::CommitAudio => self.hear(HearCommand::Commit(self.clock.now())),
                Output::ClearAudio => self.hear(HearCommand::Clear),
                Output::Embed { what, text } => self.worker.embed(what, text),
                Output::Keep(keeps) => {
                    forgot |= keeps.iter().any(|k| matches!(k, Keep::Forget(_)));
                    if let Some(keeper) = &self.keeper {
                        keeper.keep(keeps);
                    }
                }
                Output::Degrade { step } => self.degrade(step),
                Output::Called(outcome) => work::count_called(outcome),
                Output::Overrun(overrun) => work::count_overrun(&overrun),
                Output::Timed(response_id, timing, no_look) => self.timed(&response_id, timing, no_look),
            }
        }
        if forgot {
            // What is kept of the session for a restart must not tell it any more.
            self.save(true);
        }
    }

    /// An answer ended.
    fn timed(&self, response_id: &str, timing: TurnTiming, no_look: Option<NoLook>) {
        work::record_timings(&timing, no_look);
        self.trace.turn(response_id, timing);
        self.stand(self.conversation.step());
    }

    pub(super) fn generate(&mut self, answer: work::Answer) {
        let token = self.ended.child_token();
        self.answers.insert(answer.response_id.clone(), token.clone());
        self.worker.generate(answer, token);
    }

    /// What is done with speech that has not ended.
    fn on_reading(&mut self, order: ReadOrder) {
        match order {
            ReadOrder::SoFar { item_id, sound } => self.reading.begin(self.worker.read_so_far(item_id, sound)),
            ReadOrder::NeedSilence { voiced_until, needed } => {
                self.engine.expect_turn(Some(voiced_until + needed));
                self.hear(HearCommand::NeedSilence { voiced_until, needed });
            }
            ReadOrder::Hurry => {
                self.reading.keep();
                self.worker.hurry_reading();
            }
            ReadOrder::Drop => self.reading.give_up(),
            ReadOrder::Guess(order) => self.on_guess(order),
            ReadOrder::Reused { waited } => work::count_reused(waited),
            ReadOrder::PrefillDiscarded => metrics::counter!("sightline_prefill_discarded_total").increment(1),
        }
    }

    /// In a pause the device is told when the turn will be over, so that it is free by then.
    fn expect_end(&self, so_far: &SoFar) {
        let turn = self.conversation.session().audio.input.turn_detection.as_ref();
        let silence = turn.filter(|_| so_far.whole).map(|t| listen_settings(&self.listen, Some(t)).silence_duration);
        self.engine.expect_turn(silence.map(|silence| so_far.voiced_until + silence));
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
        self.stand(step);
    }

    /// One that is late because it asks for more than its part keeps nobody out: the engine serves others before it.
    fn stand(&self, step: Step) {
        let step = if self.engine.hogs() { step.min(Step::ShorterAnswers) } else { step };
        self.step.set(step, self.clock.now());
    }
}

/// What woke the actor.
enum Next {
    Message(Msg),
    Time,
    Abandoned,
    Stopped,
}

pub(super) async fn sleep(wait: Option<Duration>) {
    match wait {
        Some(wait) => tokio::time::sleep(wait).await,
        None => std::future::pending().await,
    }
}
