//! One session's state machine: inputs in, outputs out, no task, no socket, no clock.

use std::collections::VecDeque;
use std::sync::Arc;

use super::ahead::Guess;
use super::answer::Answer;
use super::barge::{Aside, Barge};
use super::frames::PictureStream;
use super::hold::Hold;
use super::idle::Quiet;
use super::items::{Item, Items, Picture, Place};
use super::playout::Playout;
use super::reading::{Before, Reading};
use super::remember::Remembering;
use super::warm::Warmth;
use super::{Input, Limits, LookId, LookReason, Output, Setup, TokenCounter, VideoState, scene_view};
use crate::base::{MediaTime, Pcm};
use crate::budget::{Deadlines, Ladder, Step, TurnTiming};
use crate::listen::{Judge, Utterance};
use crate::watch::SceneFacts;
use crate::wire::{
    At, ClientEvent, Extension, IdGen, IdKind, ItemStatus, Names, ServerBody, ServerEvent, SessionConfig, SessionPatch,
    WireError, code,
};

/// An utterance on its way to an answer.
#[derive(Debug, Clone)]
pub(crate) struct SpokenTurn {
    pub(crate) item_id: String,
    /// Its words are to be answered without being asked to.
    pub(crate) answer: bool,
    pub(crate) timing: TurnTiming,
    pub(crate) seconds: f64,
    /// It began during an answer that it may not interrupt.
    pub(crate) over_answer: bool,
    /// What was done with its words before it ended.
    pub(crate) before: Before,
}

impl SpokenTurn {
    pub(crate) fn new(item_id: String, utterance: &Utterance, answer: bool, timing: TurnTiming) -> Self {
        let seconds = utterance.samples.len() as f64 / f64::from(Pcm::RATE_HZ);
        Self { item_id, answer, timing, seconds, over_answer: false, before: Before::default() }
    }
}

/// One session.
pub struct Conversation {
    pub(crate) ids: IdGen,
    pub(crate) config: SessionConfig,
    pub(crate) names: Names,
    pub(crate) deadlines: Deadlines,
    pub(crate) limits: Limits,
    pub(crate) count: TokenCounter,
    pub(crate) ladder: Ladder,
    pub(crate) conversation_id: String,
    pub(crate) audio_track: bool,
    pub(crate) opened_at: MediaTime,

    pub(crate) items: Items,
    pub(crate) answers: Vec<Answer>,
    /// Utterances whose words are not known yet, oldest first.
    pub(crate) spoken: Vec<SpokenTurn>,
    /// The id that the item of the speech now going on will have.
    pub(crate) speaking: Option<String>,
    /// What was read of it.
    pub(crate) reading: Option<Reading>,
    /// The answer begun before the turn is over.
    pub(crate) guess: Option<Guess>,
    /// The speech now going on began during an answer and has not proved to be an interruption.
    pub(crate) barge: Option<Barge>,
    /// Near sound during an answer that may become speech.
    pub(crate) stirring: Option<Judge>,
    /// What of an answer is held back meanwhile.
    pub(crate) hold: Hold,
    /// Such speech that has ended; its words are being read. At most `limits.pending`.
    pub(crate) asides: Vec<Aside>,
    /// The speech now going on began during an answer that it may not interrupt.
    pub(crate) over_answer: bool,
    /// The client's id of a commit that waits for the listener.
    pub(crate) committing: Option<Option<String>>,
    /// What the client sent behind that commit, oldest first.
    pub(crate) behind_commit: VecDeque<ClientEvent>,
    /// Milliseconds of sound appended since the last commit.
    pub(crate) appended_ms: u64,
    /// A turn ended while another was being answered.
    pub(crate) queued_turn: Option<TurnTiming>,

    pub(crate) video: VideoState,
    /// Pictures that came as items without words, one after the other.
    pub(crate) pictures: PictureStream,
    pub(crate) scene: Option<Arc<SceneFacts>>,
    /// The look at the newest frame that is under way.
    pub(crate) live_look: Option<LookId>,
    next_look: u64,
    pub(crate) warmth: Warmth,
    scene_sent_at: Option<MediaTime>,
    pub(crate) memory: Remembering,

    /// What of our answers is being heard, or waits to be.
    pub(crate) playout: Playout,
    /// The answer that a media track is at; clients were told that it began.
    pub(crate) playing: Option<At>,
    /// Since when nobody has said anything.
    pub(crate) quiet: Quiet,
}

impl Conversation {
    /// A new session and what to do first: `session.created` comes before any other event.
    #[must_use]
    pub fn open(setup: Setup, now: MediaTime) -> (Self, Vec<Output>) {
        let mut ids = IdGen::from_seed(setup.seed);
        let mut config = SessionConfig::new(setup.session_id, &setup.names);
        config.apply(setup.patch, &setup.names);
        config.expires_at = setup.expires_at;
        for extension in setup.extensions {
            if !config.wants(extension) {
                config.extensions.push(extension);
            }
        }
        let mut this = Self {
            conversation_id: ids.next(IdKind::Conversation),
            ids,
            config,
            names: setup.names,
            deadlines: setup.deadlines,
            ladder: Ladder::new(setup.ladder),
            count: setup.count,
            audio_track: setup.audio_track,
            opened_at: now,
            items: Items::new(setup.limits.items, setup.limits.item_bytes),
            limits: setup.limits,
            answers: Vec::new(),
            spoken: Vec::new(),
            speaking: None,
            reading: None,
            guess: None,
            barge: None,
            stirring: None,
            hold: Hold::default(),
            asides: Vec::new(),
            over_answer: false,
            committing: None,
            behind_commit: VecDeque::new(),
            appended_ms: 0,
            queued_turn: None,
            video: setup.video,
            pictures: PictureStream::default(),
            scene: None,
            live_look: None,
            next_look: 0,
            warmth: Warmth::default(),
            scene_sent_at: None,
            memory: Remembering::new(setup.memory, now),
            playout: Playout::new(setup.voice_track),
            playing: None,
            quiet: Quiet::default(),
        };
        let mut out = Vec::new();
        match setup.restore {
            Some(snapshot) => this.restore(snapshot, now, &mut out),
            None => {
                let session = Box::new(this.config.clone());
                this.send(ServerBody::SessionCreated { session }, &mut out);
            }
        }
        out.push(Output::ConfigureListener { turn_detection: this.config.audio.input.turn_detection.clone() });
        this.warm(now, &mut out);
        (this, out)
    }

    /// What is in force.
    #[must_use]
    pub fn session(&self) -> &SessionConfig {
        &self.config
    }

    /// Whether less of what was is brought up, to keep up.
    pub(crate) fn is_shallow(&self) -> bool {
        self.ladder.step() >= Step::ShallowerMemory
    }

    /// What is given up at present.
    #[must_use]
    pub fn step(&self) -> Step {
        self.ladder.step()
    }

    /// Whether an answer is under way, so that nobody has to wait for a quiet moment longer than needed.
    #[must_use]
    pub fn is_answering(&self) -> bool {
        !self.answers.is_empty()
    }

    /// Another client joins and wants these vendor events; the session makes them from now on.
    pub fn want(&mut self, extensions: &[Extension]) {
        for extension in extensions {
            if !self.config.wants(*extension) {
                self.config.extensions.push(*extension);
            }
        }
    }

    /// What a client that joins is sent first: `session.created`, and the timeline if it asked for the memory.
    pub fn greeting(&mut self, wants: &[Extension], now: MediaTime) -> Vec<ServerEvent> {
        let session = Box::new(self.config.clone());
        let mut events = vec![self.event(ServerBody::SessionCreated { session })];
        if wants.contains(&Extension::Memory) {
            for body in self.timeline_bodies(now) {
                events.push(self.event(body));
            }
        }
        events
    }

    /// When [`Input::Tick`] is due; `None` when nothing is waited for.
    #[must_use]
    pub fn next_deadline(&self) -> Option<MediaTime> {
        let answers = self.answers.iter().map(Answer::deadline);
        let due = answers.chain(self.warmth.again_at()).chain(self.memory_deadline());
        let due = due.chain(self.barge_deadline()).chain(self.hold_deadline());
        due.chain(self.aloud_deadline()).chain(self.idle_deadline()).min()
    }

    /// Takes in what happened at `now` and says what to do, in order.
    #[must_use]
    pub fn handle(&mut self, input: Input, now: MediaTime) -> Vec<Output> {
        let mut out = Vec::new();
        match input {
            Input::Client(event) => self.on_client(event, now, &mut out),
            Input::Refused(error) => self.send(ServerBody::Error { error }, &mut out),
            Input::SpeechStarted { at } => self.on_speech_started(at, now, &mut out),
            Input::SpeechStopped { utterance, decided } => self.on_speech_stopped(utterance, decided, now, &mut out),
            Input::Voice { evidence, at, sound } => self.on_voice(evidence, at, sound, now, &mut out),
            Input::Overheard { item_id, near, result } => self.on_overheard(&item_id, near, result, now, &mut out),
            Input::SoFar(so_far) => self.on_so_far(so_far, now, &mut out),
            Input::ReadSoFar(read) => self.on_read_so_far(read, now, &mut out),
            Input::Committed { utterance } => {
                self.on_committed(utterance, now, &mut out);
                self.after_commit(now, &mut out);
            }
            Input::Transcribed { item_id, result } => self.on_transcribed(&item_id, result, now, &mut out),
            Input::Scene(facts) => self.on_scene(facts, now, &mut out),
            Input::Look { facts, image, keyframe } => self.on_look(facts, image, keyframe, now, &mut out),
            Input::Embedded { what, result } => self.on_embedded(what, result, now, &mut out),
            Input::Archive(view) => self.on_archive(view),
            Input::Forget(request) => self.forget_requested(request, now, &mut out),
            Input::Looked { look, result } => self.on_looked(look, result, now, &mut out),
            Input::Engine { response_id, event } => {
                let news = self.keep_guessed(response_id, event);
                if let Some((id, event)) = news.and_then(|(id, event)| self.hold_engine(id, event)) {
                    self.on_engine(&id, event, now, &mut out);
                }
            }
            Input::Voiced { response_id, piece, result } => {
                self.hold_voiced(response_id, piece, result, now, &mut out);
            }
            Input::Player => self.on_player(now, &mut out),
            Input::NoPlayer => self.on_no_player(now, &mut out),
            Input::Playing { id } => self.on_playing(id, now, &mut out),
            Input::Drained { id } => self.on_drained(id, now, &mut out),
            Input::Video(state) => self.on_video(state, now, &mut out),
            Input::VideoStats(stats) => self.send_vendor(ServerBody::VideoStats { stats }, &mut out),
            Input::AudioLevel { dbfs, speaking } => {
                self.send_vendor(ServerBody::AudioLevel { dbfs, speaking }, &mut out);
            }
            Input::Cut => {
                self.on_cut(&mut out);
                // A player is gone with its call; what it had nobody hears.
                self.hush(now, &mut out);
            }
            Input::Tick => {}
        }
        self.on_time(now, &mut out);
        out
    }

    fn on_time(&mut self, now: MediaTime, out: &mut Vec<Output>) {
        let due: Vec<_> = self.answers.iter().filter(|a| a.deadline() <= now).map(|a| a.id.clone()).collect();
        for id in due {
            self.advance(&id, now, out);
        }
        self.warm_if_due(now, out);
        self.memory_time_passed(now, out);
        self.barge_time_passed(now, out);
        self.hold_or_go_on(now, out);
        self.drop_idle_guess(out);
        self.aloud_time_passed(now, out);
        self.idle_time_passed(now, out);
    }

    pub(crate) fn on_scene(&mut self, facts: Arc<SceneFacts>, now: MediaTime, out: &mut Vec<Output>) {
        if self.scene.as_ref().is_some_and(|known| known.at > facts.at) {
            return;
        }
        if self.video != VideoState::Live {
            self.video = VideoState::Live;
        }
        let due = self.scene_sent_at.is_none_or(|at| now.since(at) >= self.limits.scene_every);
        if due && self.config.wants(Extension::Scene) {
            self.scene_sent_at = Some(now);
            let scene = Box::new(scene_view::view(&facts, self.opened_at));
            self.send_vendor(ServerBody::Scene { scene }, out);
        }
        self.scene = Some(facts);
        if self.guess.is_some() {
            self.guess(now, out);
        }
        self.warm(now, out);
    }

    fn on_video(&mut self, state: VideoState, now: MediaTime, out: &mut Vec<Output>) {
        if self.video == state {
            return;
        }
        self.video = state;
        if state != VideoState::Live {
            // What was seen before is no longer what is there.
            self.scene = None;
        }
        self.warm(now, out);
    }

    fn on_looked(
        &mut self,
        look: LookId,
        result: Result<Arc<SceneFacts>, String>,
        now: MediaTime,
        out: &mut Vec<Output>,
    ) {
        if self.live_look == Some(look) {
            self.live_look = None;
            if let Ok(facts) = result {
                self.on_scene(facts, now, out);
            }
        } else {
            let seen = match result {
                Ok(facts) => Picture::Seen(facts),
                Err(why) => {
                    let error =
                        WireError::invalid(code::INVALID_IMAGE, format!("the picture could not be read: {why}"));
                    self.send(ServerBody::Error { error }, out);
                    Picture::Failed
                }
            };
            let own = self.answers.iter_mut().filter_map(|a| a.own.as_mut()).flatten();
            for item in self.items.iter_mut().chain(own) {
                for picture in &mut item.pictures {
                    if matches!(picture, Picture::Pending(id) if *id == look) {
                        *picture = seen.clone();
                    }
                }
            }
        }
        self.advance_all(now, out);
    }

    pub(crate) fn advance_all(&mut self, now: MediaTime, out: &mut Vec<Output>) {
        for id in self.answers.iter().map(|a| a.id.clone()).collect::<Vec<_>>() {
            self.advance(&id, now, out);
        }
    }

    /// Asks for a look at the newest frame when what is known is stale and none is under way.
    pub(crate) fn look_if_stale(&mut self, now: MediaTime, out: &mut Vec<Output>) {
        let fresh = self.scene.as_ref().is_some_and(|s| now.since(s.at) <= self.limits.stale_after);
        if !fresh {
            self.look_now(out);
        }
    }

    /// Has the newest frame looked at by every expert, unless that is under way.
    pub(crate) fn look_now(&mut self, out: &mut Vec<Output>) {
        if self.video == VideoState::Live && self.live_look.is_none() {
            let look = self.new_look();
            self.live_look = Some(look);
            out.push(Output::LookNow { look, reason: LookReason::Question });
        }
    }

    pub(crate) fn new_look(&mut self) -> LookId {
        self.next_look += 1;
        LookId(self.next_look)
    }

    /// Looks at clients' pictures that have not come back yet.
    pub(crate) fn looks_pending(&self) -> usize {
        let own = self.answers.iter().filter_map(|a| a.own.as_ref()).flatten();
        let pictures = self.items.iter().chain(own).flat_map(|i| &i.pictures);
        pictures.filter(|p| matches!(p, Picture::Pending(_))).count()
    }

    pub(crate) fn event(&mut self, body: ServerBody) -> ServerEvent {
        ServerEvent { event_id: self.ids.next(IdKind::Event), server_event_seq: None, body }
    }

    pub(crate) fn send(&mut self, body: ServerBody, out: &mut Vec<Output>) {
        let event = self.event(body);
        out.push(Output::Send(event));
    }

    /// Sends a vendor event if the client asked for its kind.
    pub(crate) fn send_vendor(&mut self, body: ServerBody, out: &mut Vec<Output>) {
        if body.extension().is_none_or(|e| self.config.wants(e)) {
            self.send(body, out);
        }
    }

    pub(crate) fn refuse(&mut self, error: WireError, event_id: Option<&str>, out: &mut Vec<Output>) {
        self.send(ServerBody::Error { error: error.of_event(event_id) }, out);
    }

    /// Puts an item into the conversation, announces it, and lets the oldest go when there are too many.
    pub(crate) fn add_item(&mut self, item: Item, place: &Place, out: &mut Vec<Output>) -> bool {
        let view = item.view.clone();
        if !self.items.insert(item, place) {
            return false;
        }
        let previous_item_id = self.items.before(&view.id);
        let done = view.status != ItemStatus::InProgress;
        self.send(ServerBody::ItemAdded { previous_item_id: previous_item_id.clone(), item: view.clone() }, out);
        if done {
            self.send(ServerBody::ItemDone { previous_item_id, item: view }, out);
        }
        for item_id in self.items.trim() {
            self.send(ServerBody::ItemDeleted { item_id }, out);
        }
        true
    }

    pub(crate) fn apply_patch(&mut self, patch: SessionPatch, out: &mut Vec<Output>) {
        let before = self.config.audio.input.turn_detection.clone();
        self.config.apply(patch, &self.names);
        let after = self.config.audio.input.turn_detection.clone();
        let session = Box::new(self.config.clone());
        self.send(ServerBody::SessionUpdated { session }, out);
        if before != after {
            if before.is_none() || after.is_none() {
                self.forget_speech(out);
            }
            out.push(Output::ConfigureListener { turn_detection: after });
        }
    }
}
