//! An answer from `response.created` to `response.done`.

use std::sync::Arc;
use std::time::Duration;

use super::conversation::Conversation;
use super::items::Item;
use super::look::NoLook;
use super::prompt_build::{Asked, Built};
use super::question::{self, Ask};
use super::recall_turn::{Next, Plan};
use super::remember::EMBED_WAIT;
use super::sentence::cut_to;
use super::tools::{self, Calling};
use super::voicing::{VoiceLoss, Voicing};
use super::{EngineEvent, Finish, Output, VideoState};
use crate::base::MediaTime;
use crate::budget::{Mark, Stage, Step, TurnTiming};
use crate::memory::Speaker;
use crate::wire::{
    At, IdKind, ItemRole, ItemStatus, ItemView, MaxTokens, Modality, PartView, ResponseRequest, ResponseStatus,
    ServerBody, SessionKind, StatusError, WireError, code,
};

/// What an answer waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The words of its question.
    Words(MediaTime),
    /// The pictures of its question.
    Pictures(MediaTime),
    /// The meaning of its question, to search the memory with.
    Recall(MediaTime),
    /// A fresh look at the newest frame.
    Look(MediaTime),
    /// The engine.
    Engine(MediaTime),
    /// The voice: all words are there.
    Voice(MediaTime),
}

/// Who speaks so soon after the first words of an answer does not speak because of them: he had not finished.
const UNREAD: Duration = Duration::from_millis(400);

/// An answer under way.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) id: String,
    /// What the engine knows it by: another one when it is asked a second time.
    pub(crate) work_id: String,
    pub(crate) item_id: String,
    pub(crate) in_conversation: bool,
    /// Items that came with the request, instead of the conversation.
    pub(crate) own: Option<Vec<Item>>,
    pub(crate) timing: TurnTiming,
    pub(crate) metadata: Option<serde_json::Value>,
    pub(crate) instructions: Option<String>,
    pub(crate) max_tokens: MaxTokens,
    pub(crate) phase: Phase,
    /// What it is answered from.
    pub(crate) plan: Plan,
    /// Why it waits for no look, where that was asked.
    pub(crate) no_look: Option<NoLook>,
    /// The meaning of the question, once the encoder has said: `Some(None)` when it could not.
    pub(crate) intent: Option<Option<Arc<[f32]>>>,
    /// The item was announced.
    pub(crate) opened: bool,
    pub(crate) prefix: String,
    /// What of the prefix the engine may still give back.
    pub(crate) echo: String,
    pub(crate) text: String,
    /// Sentences after which the answer ends, whatever the model would still say.
    pub(crate) sentences: Option<usize>,
    /// How it is said aloud; `None` for a written answer.
    pub(crate) voicing: Option<Voicing>,
    /// How it will end, once everything was said.
    pub(crate) ending: Option<Ending>,
    /// Its tools and the calls it makes.
    pub(crate) calling: Calling,
    pub(crate) input_tokens: u64,
    pub(crate) cached_tokens: u64,
    pub(crate) deltas: u64,
    /// Its person went on before anybody could have read a word of it.
    pub(crate) unread: bool,
}

impl Answer {
    pub(crate) fn deadline(&self) -> MediaTime {
        match self.phase {
            Phase::Words(t)
            | Phase::Pictures(t)
            | Phase::Recall(t)
            | Phase::Look(t)
            | Phase::Engine(t)
            | Phase::Voice(t) => t,
        }
    }

    /// Why it waited for no look, if it waited for none.
    pub(crate) fn no_look(&self) -> NoLook {
        let by_plan = match self.plan {
            Plan::Unknown => NoLook::Picture,
            Plan::Present(_) => NoLook::Fresh,
            Plan::Past(_) => NoLook::Memory,
            Plan::Done(..) | Plan::Announce(_) => NoLook::Order,
            Plan::Call(_) => NoLook::Function,
        };
        self.no_look.unwrap_or(by_plan)
    }

    /// What of it was sent.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) const fn modality(&self) -> Modality {
        if self.voicing.is_some() { Modality::Audio } else { Modality::Text }
    }

    pub(crate) fn at(&self) -> At {
        At { response_id: self.id.clone(), item_id: self.item_id.clone(), output_index: 0, content_index: 0 }
    }

    pub(crate) fn item(&self, status: ItemStatus) -> ItemView {
        let text = self.text.clone();
        let part = match self.modality() {
            Modality::Text => PartView::OutputText { text },
            Modality::Audio => PartView::OutputAudio { transcript: text },
        };
        let content = if self.opened { vec![part] } else { Vec::new() };
        ItemView::message(self.item_id.clone(), ItemRole::Assistant, status, content)
    }
}

/// How an answer ended.
#[derive(Debug, Clone)]
pub(crate) struct Ending {
    pub(crate) status: ResponseStatus,
    pub(crate) reason: Option<&'static str>,
    pub(crate) error: Option<StatusError>,
    pub(crate) output_tokens: Option<u64>,
}

impl Ending {
    pub(crate) fn of(status: ResponseStatus, reason: Option<&'static str>) -> Self {
        Self { status, reason, error: None, output_tokens: None }
    }

    pub(crate) fn failed(message: String) -> Self {
        let error = StatusError { kind: crate::wire::ErrorType::ServerError, code: code::SERVER, message };
        Self { error: Some(error), ..Self::of(ResponseStatus::Failed, None) }
    }
}

impl Conversation {
    pub(crate) fn on_response_create(
        &mut self,
        request: ResponseRequest,
        now: MediaTime,
        out: &mut Vec<Output>,
    ) -> Result<(), WireError> {
        if self.config.kind == SessionKind::Transcription {
            let message = "a session for transcription gives no responses; open one without `intent=transcription`";
            return Err(WireError::invalid(code::INVALID_VALUE, message));
        }
        if !request.out_of_band
            && let Some(active) = self.answers.iter().find(|a| a.in_conversation)
        {
            let message = format!("response {:?} is not done; cancel it or wait for response.done", active.id);
            return Err(WireError::invalid(code::ACTIVE_RESPONSE, message));
        }
        if self.answers.iter().filter(|a| !a.in_conversation).count() >= self.limits.out_of_band {
            return Err(WireError::busy("too many responses outside the conversation; wait for one to be done"));
        }
        self.check_tools(&request)?;
        // A question that was just spoken: its clock runs since the end of the speech.
        let mut timing = self.spoken.last().map(|t| t.timing).unwrap_or_default();
        timing.start(Stage::Total, now);
        let mut work = Vec::new();
        let own = match request.input.clone() {
            None => None,
            Some(list) => {
                let items = list.into_iter().map(|i| self.take_item(i, now, &mut work));
                Some(items.collect::<Result<Vec<_>, _>>()?)
            }
        };
        self.open_answer(request, own, timing, now, out);
        out.append(&mut work);
        self.advance_all(now, out);
        Ok(())
    }

    pub(crate) fn start_answer(
        &mut self,
        request: ResponseRequest,
        timing: TurnTiming,
        now: MediaTime,
        out: &mut Vec<Output>,
    ) {
        let id = self.open_answer(request, None, timing, now, out);
        self.advance(&id, now, out);
    }

    pub(crate) fn open_answer(
        &mut self,
        request: ResponseRequest,
        own: Option<Vec<Item>>,
        timing: TurnTiming,
        now: MediaTime,
        out: &mut Vec<Output>,
    ) -> String {
        let id = self.ids.next(IdKind::Response);
        let voicing = self.voicing_for(request.modality);
        let answer = Answer {
            id: id.clone(),
            work_id: id.clone(),
            item_id: self.ids.next(IdKind::Item),
            in_conversation: !request.out_of_band,
            own,
            timing,
            metadata: request.metadata,
            instructions: request.instructions,
            max_tokens: request.max_output_tokens.unwrap_or(self.config.max_output_tokens),
            phase: Phase::Words(now + self.limits.transcript_wait),
            plan: Plan::Unknown,
            no_look: None,
            intent: None,
            opened: false,
            prefix: String::new(),
            echo: String::new(),
            text: String::new(),
            sentences: None,
            voicing,
            ending: None,
            calling: Calling::new(request.tools, request.tool_choice, request.parallel_tool_calls),
            input_tokens: 0,
            cached_tokens: 0,
            deltas: 0,
            unread: false,
        };
        let response = Box::new(self.response_view(&answer, &Ending::of(ResponseStatus::InProgress, None)));
        self.answers.push(answer);
        self.send(ServerBody::ResponseCreated { response }, out);
        self.send(ServerBody::RateLimits { rate_limits: Vec::new() }, out);
        id
    }

    /// Goes on with an answer as far as it can go at `now`.
    pub(crate) fn advance(&mut self, id: &str, now: MediaTime, out: &mut Vec<Output>) {
        loop {
            let Some(answer) = self.answers.iter().find(|a| a.id == id) else { return };
            let asked = self.asked(answer);
            let next = match answer.phase {
                Phase::Words(until) if asked.awaits_words && now < until => return,
                Phase::Words(_) if asked.awaits_picture => Phase::Pictures(now + self.limits.image_wait),
                Phase::Words(_) => match self.plan(id, &asked, now, out) {
                    Next::Recall => {
                        self.timing_of(id).start(Stage::Recall, now);
                        Phase::Recall(now + EMBED_WAIT)
                    }
                    Next::Answer => return self.generate(id, now, out),
                    Next::Look => match self.look_first(id, &asked, now, out) {
                        Some(until) => Phase::Look(until),
                        None => return self.generate(id, now, out),
                    },
                },
                Phase::Recall(until) if now < until && self.awaits_intent(id) => return,
                Phase::Recall(_) => {
                    self.timing_of(id).end(Stage::Recall, now);
                    return self.generate(id, now, out);
                }
                Phase::Pictures(until) if asked.awaits_picture && now < until => return,
                Phase::Look(until) if self.live_look.is_some() && now < until => return,
                Phase::Look(_) => {
                    self.timing_of(id).end(Stage::Perceive, now);
                    return self.generate(id, now, out);
                }
                Phase::Pictures(_) => return self.generate(id, now, out),
                Phase::Engine(until) if now >= until => {
                    out.push(Output::Cancel { response_id: answer.work_id.clone() });
                    let why = format!("no answer within {} s", self.limits.answer_wait.as_secs());
                    return self.finish(id, Ending::failed(why), now, out);
                }
                Phase::Engine(_) => return,
                // What was said stands; the rest is written.
                Phase::Voice(until) if now >= until => return self.fall_silent(id, VoiceLoss::Behind, now, out),
                Phase::Voice(_) => return,
            };
            if let Some(answer) = self.answers.iter_mut().find(|a| a.id == id) {
                answer.phase = next;
            }
        }
    }

    /// Until when the answer waits for a fresh look; `None` when it need not.
    fn look_first(&mut self, id: &str, asked: &Asked, now: MediaTime, out: &mut Vec<Output>) -> Option<MediaTime> {
        let wants_look = asked.picture.is_none() && asked.is_visual();
        // Reading is the slowest expert and the first to be left out: that there is nothing to read is said only after a look for it.
        let unread = asked.reads() && self.scene.as_ref().is_none_or(|s| s.texts.is_empty());
        if wants_look && unread {
            self.look_now(out);
        } else if wants_look {
            self.look_if_stale(now, out);
        }
        if !wants_look || self.live_look.is_none() {
            let why = match question::analyse(&asked.question) {
                _ if asked.picture.is_some() => NoLook::Picture,
                Ask::General => NoLook::World,
                Ask::Nothing | Ask::Chat => NoLook::Talk,
                _ if self.video != VideoState::Live => NoLook::NoVideo,
                _ => NoLook::Fresh,
            };
            if let Some(answer) = self.answers.iter_mut().find(|a| a.id == id) {
                answer.no_look = Some(why);
            }
            return None;
        }
        self.timing_of(id).start(Stage::Perceive, now);
        // With nothing known at all there is nothing to answer from: then it is worth a longer wait.
        let patience = if self.scene.is_some() && !unread { 1 } else { 10 };
        Some(now + self.deadlines.perceive * patience)
    }

    fn awaits_intent(&self, id: &str) -> bool {
        self.answers.iter().any(|a| a.id == id && a.intent.is_none())
    }

    fn timing_of(&mut self, id: &str) -> &mut TurnTiming {
        match self.answers.iter().position(|a| a.id == id) {
            Some(i) => &mut self.answers[i].timing,
            None => self.queued_turn.get_or_insert_default(),
        }
    }

    pub(crate) fn generate(&mut self, id: &str, now: MediaTime, out: &mut Vec<Output>) {
        let Some(i) = self.answers.iter().position(|a| a.id == id) else { return };
        let Built { mut prompt, ground } = self.build_prompt(i, now, out);
        let picture = self.scene.as_ref().filter(|_| matches!(self.answers[i].plan, Plan::Present(_))).map(|s| s.at);
        let limit = self.answer_limit();
        let answer = &mut self.answers[i];
        let limit = if matches!(answer.plan, Plan::Call(_)) { tools::CALL_TOKENS } else { limit };
        answer.phase = Phase::Engine(now + self.limits.answer_wait);
        // The words it must begin with are part of the answer, and of its length.
        let max_tokens = answer.max_tokens.within(limit).max(1);
        cut_to(&mut prompt.answer_prefix, max_tokens as usize, &*self.count);
        answer.prefix.clone_from(&prompt.answer_prefix);
        answer.echo.clone_from(&prompt.answer_prefix);
        answer.sentences = Some(ground.sentences);
        if let Some(captured) = picture {
            answer.timing.mark(Mark::Captured, captured);
        }
        answer.timing.start(Stage::Prefill, now);
        answer.timing.start(Stage::FirstToken, now);
        answer.begin_calling();
        self.forget_warmed();
        self.say_prefix(i, now, out);
        if let Some((work_id, news)) = self.adopt(&prompt, max_tokens, out) {
            self.answers[i].work_id.clone_from(&work_id);
            return news.into_iter().for_each(|event| self.on_engine(&work_id, event, now, out));
        }
        let response_id = self.answers[i].work_id.clone();
        out.push(Output::Generate { response_id, prompt, max_tokens });
    }

    /// Most tokens of an answer at present.
    pub(crate) fn answer_limit(&self) -> u32 {
        if self.ladder.step() >= Step::ShorterAnswers {
            self.limits.answer_tokens / 2
        } else {
            self.limits.answer_tokens
        }
    }

    pub(crate) fn on_engine(&mut self, id: &str, event: EngineEvent, now: MediaTime, out: &mut Vec<Output>) {
        // News about an answer that was cancelled come late and mean nothing any more.
        let Some(i) = self.answers.iter().position(|a| a.work_id == id && a.ending.is_none()) else { return };
        let id = &self.answers[i].id.clone();
        match event {
            EngineEvent::Started { prompt_tokens, cached_tokens } => {
                let answer = &mut self.answers[i];
                answer.timing.end(Stage::Prefill, now);
                answer.input_tokens += prompt_tokens;
                answer.cached_tokens += cached_tokens.min(prompt_tokens);
                if !answer.may_call() {
                    self.open_item(i, now, out);
                }
            }
            EngineEvent::Delta { text } => {
                let text = self.without_echo(i, &text, now);
                if self.answers[i].may_call() {
                    return self.on_call_delta(id, &text, now, out);
                }
                self.on_delta(i, &text, now, out);
            }
            EngineEvent::Done { finish, output_tokens } => {
                if self.answers[i].may_call() && self.calls_end(id, finish, output_tokens, now, out) {
                    return;
                }
                self.open_item(i, now, out);
                let mut ending = match finish {
                    Finish::Stop => Ending::of(ResponseStatus::Completed, None),
                    Finish::MaxTokens => Ending::of(ResponseStatus::Incomplete, Some("max_output_tokens")),
                    Finish::Cancelled => Ending::of(ResponseStatus::Cancelled, Some("client_cancelled")),
                };
                ending.output_tokens = Some(output_tokens);
                self.conclude(id, ending, now, out);
            }
            EngineEvent::Failed { message } => self.finish(id, Ending::failed(message), now, out),
        }
    }

    pub(crate) fn on_cancel(
        &mut self,
        id: Option<&str>,
        now: MediaTime,
        out: &mut Vec<Output>,
    ) -> Result<(), WireError> {
        let found = match id {
            Some(id) => self.answers.iter().find(|a| a.id == id),
            None => self.answers.iter().find(|a| a.in_conversation),
        };
        let Some(id) = found.map(|a| a.id.clone()) else {
            return Err(WireError::invalid(code::CANCEL_NOT_ACTIVE, "no such response is under way"));
        };
        self.cancel(&id, "client_cancelled", now, out);
        Ok(())
    }

    /// Speech began: stop the answer of the conversation, if there is one. One that nobody can have read is none for the model: what is said
    /// now goes on with its question.
    pub(crate) fn interrupt(&mut self, began: MediaTime, now: MediaTime, out: &mut Vec<Output>) {
        self.drop_held(now, out);
        if let Some(answer) = self.answers.iter_mut().find(|a| a.in_conversation) {
            answer.unread = answer.timing.at(Mark::FirstWords).is_some_and(|at| began < at + UNREAD);
            let id = answer.id.clone();
            self.cancel(&id, "turn_detected", now, out);
        }
        self.hush(now, out);
    }

    pub(crate) fn cancel(&mut self, id: &str, reason: &'static str, now: MediaTime, out: &mut Vec<Output>) {
        let running = self.answers.iter().find(|a| a.id == id && matches!(a.phase, Phase::Engine(_)));
        if let Some(answer) = running {
            out.push(Output::Cancel { response_id: answer.work_id.clone() });
        }
        self.finish(id, Ending::of(ResponseStatus::Cancelled, Some(reason)), now, out);
    }

    pub(crate) fn finish(&mut self, id: &str, ending: Ending, now: MediaTime, out: &mut Vec<Output>) {
        let Some(i) = self.answers.iter().position(|a| a.id == id) else { return };
        let mut answer = self.answers.remove(i);
        self.end_voicing(&mut answer, &ending, out);
        if !answer.calling.closed {
            self.close_item(&answer, ending.status, out);
        }
        answer.timing.mark(Mark::Done, now);
        self.account(&answer, out);
        let response = Box::new(self.response_view(&answer, &ending));
        self.send(ServerBody::ResponseDone { response }, out);
        if answer.unread
            && let Some(item) = self.items.get_mut(&answer.item_id)
        {
            item.aside = true;
        }
        // What is played on a track is remembered when it is known what of it was heard.
        if answer.in_conversation && answer.opened && !answer.unread && !self.plays(&answer.id) {
            self.remember_words(Speaker::Sightline, &answer.text, now, out);
        }
        self.stop_if_played(&answer.id, now, out);
        if answer.in_conversation {
            if let Some(timing) = self.queued_turn.take() {
                self.start_answer(ResponseRequest::default(), timing, now, out);
            }
            self.announce_next(now, out);
        }
        self.warm(now, out);
    }
}
