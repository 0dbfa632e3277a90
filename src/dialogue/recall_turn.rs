//! An answer's way through the memory: how its question is meant, what it orders, what memory says to it; and what is said unasked.

use serde_json::json;

use super::answer::Answer;
use super::conversation::Conversation;
use super::ground::{Ground, Grounding, capital, ground};
use super::past_words::stamp;
use super::prompt_build::Asked;
use super::recollect::Recollected;
use super::remember::{EmbedFor, route_name};
use super::route::{Route, Routed};
use super::tools::Offer;
use super::watchfor::{self, Fired};
use super::{Output, memory_view, question, things};
use crate::base::MediaTime;
use crate::budget::TurnTiming;
use crate::memory::{Hit, Span};
use crate::watch::SceneFacts;
use crate::wire::{ForgetRequest, ResponseRequest, ServerBody, WireError, code};

/// What an answer is given from.
#[derive(Debug, Clone)]
pub(crate) enum Plan {
    /// Its question was not understood yet.
    Unknown,
    /// What is to be seen now.
    Present(Box<Routed>),
    /// Memory.
    Past(Box<Routed>),
    /// Something was done, and this is what to say about it.
    Done(Box<Recollected>, Route),
    /// Nobody asked: something that was watched for happened, or nothing is said any more. The whole sentence.
    Announce(String),
    /// A tool may be called, or was.
    Call(Box<Offer>),
}

/// What an answer does once its question is understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Wait for the meaning of the question.
    Recall,
    /// Wait for a fresh look, if one is needed.
    Look,
    /// Begin.
    Answer,
}

/// What memory says to a question.
pub(crate) struct Told {
    pub(crate) ground: Ground,
    /// What stands in the prompt instead of what is to be seen now.
    pub(crate) lines: Vec<String>,
}

/// Lines about the past that the model is shown; all that is cited goes to the client.
const LINES: usize = 4;
/// The same where memory is shallower, to keep up.
const FEWER_LINES: usize = 2;

impl Conversation {
    /// Understands the question of an answer, and does what it orders.
    pub(crate) fn plan(&mut self, id: &str, asked: &Asked, now: MediaTime, out: &mut Vec<Output>) -> Next {
        let Some(i) = self.answers.iter().position(|a| a.id == id) else { return Next::Answer };
        if matches!(self.answers[i].plan, Plan::Announce(_)) {
            return Next::Answer;
        }
        self.plan_with_tools(i, asked, now, out);
        if matches!(self.answers[i].plan, Plan::Call(_)) {
            return if asked.results.is_empty() { Next::Look } else { Next::Answer };
        }
        let routed = self.routed(&asked.question, now);
        if asked.picture.is_some() {
            self.answers[i].plan = Plan::Present(Box::new(routed));
            return Next::Look;
        }
        if let Some(command) = &routed.command {
            let done = self.obey(command, now, out);
            self.answers[i].plan = Plan::Done(Box::new(done), routed.route);
            return Next::Answer;
        }
        match routed.route {
            Route::WatchFor => {
                let done = self.begin_watch(&asked.question, now, out);
                self.answers[i].plan = Plan::Done(Box::new(done), Route::WatchFor);
                Next::Answer
            }
            Route::Recent | Route::Past | Route::Interval => {
                let text = routed.about.clone();
                let by_meaning = !routed.content.is_empty() && self.memory.watched().is_some() && !self.is_shallow();
                self.answers[i].plan = Plan::Past(Box::new(routed));
                if !by_meaning {
                    return Next::Answer;
                }
                out.push(Output::Embed { what: EmbedFor::Question(id.to_owned()), text });
                Next::Recall
            }
            Route::Now | Route::NotVisual => {
                self.answers[i].plan = Plan::Present(Box::new(routed));
                Next::Look
            }
        }
    }

    /// What memory has to say to an answer; `None` when it is given from what is to be seen now.
    pub(crate) fn from_memory(
        &mut self,
        i: usize,
        asked: &Asked,
        now: MediaTime,
        out: &mut Vec<Output>,
    ) -> Option<Told> {
        let Answer { id, plan, intent, .. } = self.answers[i].clone();
        let (routed, recollected, hits) = match plan {
            Plan::Unknown | Plan::Call(_) => return None,
            Plan::Announce(words) => {
                let lines = super::render::lines(self.sight(asked), now);
                return Some(Told { ground: Ground::supported(words.clone(), words), lines });
            }
            Plan::Done(done, route) => {
                self.tell_route(&id, route, None, &done, &[], out);
                return Some(Told { ground: done.ground, lines: vec!["Something was done as asked.".to_owned()] });
            }
            Plan::Present(routed) => {
                let Some((recollected, hits)) = self.told_before(&routed, asked, now) else {
                    let nothing = Recollected::of_present();
                    self.tell_route(&id, routed.route, None, &nothing, &[], out);
                    return None;
                };
                (routed, recollected, hits)
            }
            Plan::Past(routed) => {
                let (recollected, hits) = self.recall(&routed, intent.flatten().as_deref(), now);
                if hits.is_empty() && !routed.again && names_nothing(&routed) && self.shows_what_was(asked, now) {
                    self.tell_route(&id, routed.route, routed.span, &Recollected::of_present(), &[], out);
                    return None;
                }
                (routed, recollected, hits)
            }
        };
        self.tell_route(&id, routed.route, routed.span, &recollected, &hits, out);
        let most = if self.is_shallow() { FEWER_LINES } else { LINES };
        let lines = lines(&hits, &recollected, most);
        Some(Told { ground: recollected.ground, lines })
    }

    /// What is to be seen now also tells a little of what was: what went out of view, what changed.
    fn shows_what_was(&self, asked: &Asked, now: MediaTime) -> bool {
        let sight = self.sight(asked);
        ground(&asked.ask(sight), sight, "", now).grounding == Grounding::Supported
    }

    /// `What is my locker number?` cannot be seen; but it may have been told.
    pub(crate) fn told_before(
        &self,
        routed: &Routed,
        asked: &Asked,
        now: MediaTime,
    ) -> Option<(Recollected, Vec<Hit>)> {
        let mine = question::words(&asked.question).iter().any(|w| ["my", "our", "i"].contains(&w.as_str()));
        if !mine || routed.content.is_empty() {
            return None;
        }
        let sight = self.sight(asked);
        let ask = asked.ask(sight);
        let seen = ground(&ask, sight, "", now).grounding;
        // What is in view answers a question that names it; "what is my doctor called" only happens to sound like "what is this".
        let open = matches!(ask, question::Ask::Identify | question::Ask::General | question::Ask::Open);
        if seen == Grounding::Supported && !open {
            return None;
        }
        self.recall_told(routed, now)
    }

    /// How the question was understood and what its answer rests on, for clients that asked for it.
    pub(crate) fn tell_route(
        &mut self,
        id: &str,
        route: Route,
        span: Option<Span>,
        recollected: &Recollected,
        hits: &[Hit],
        out: &mut Vec<Output>,
    ) {
        let cited = recollected.cited.iter().filter_map(|i| hits.get(*i));
        let citations = memory_view::citations(cited, &self.memory.memory);
        let body = ServerBody::ResponseMemory {
            response_id: id.to_owned(),
            route: route_name(route),
            interval: span.map(memory_view::interval),
            seen: recollected.seen,
            citations,
        };
        self.send_vendor(body, out);
    }

    fn begin_watch(&mut self, text: &str, now: MediaTime, out: &mut Vec<Output>) -> Recollected {
        match self.add_watch(text, now, out) {
            Ok(condition) => Recollected::done(format!("I will tell you when {condition}")),
            Err(why) => Recollected::refused(capital(&why)),
        }
    }

    /// Watches for something from now on; gives back the condition in words.
    fn add_watch(&mut self, text: &str, now: MediaTime, out: &mut Vec<Output>) -> Result<String, String> {
        let condition = watchfor::parse(text).map_err(|e| e.to_string())?;
        let words = condition.describe();
        let at = self.memory.time(now);
        let watch = self.memory.watches.create(condition, at).map_err(|e| e.to_string())?;
        let watch = memory_view::watch(watch);
        self.send_vendor(ServerBody::WatchCreated { watch }, out);
        Ok(words)
    }

    pub(crate) fn on_watch_create(
        &mut self,
        text: &str,
        now: MediaTime,
        out: &mut Vec<Output>,
    ) -> Result<(), WireError> {
        self.add_watch(text, now, out)
            .map(|_| ())
            .map_err(|why| WireError::field(code::INVALID_VALUE, "condition", why))
    }

    pub(crate) fn on_watch_delete(&mut self, id: &str, out: &mut Vec<Output>) -> Result<(), WireError> {
        let Some(watch) = self.memory.watches.delete(id) else {
            let message = format!("nothing with the id {id:?} is watched for");
            return Err(WireError::field(code::INVALID_VALUE, "watch_id", message));
        };
        self.send_vendor(ServerBody::WatchEnded { watch: memory_view::watch(&watch), reason: "deleted" }, out);
        Ok(())
    }

    pub(crate) fn stop_watching(&mut self, out: &mut Vec<Output>) -> Recollected {
        let ended: Vec<_> = self.memory.watches.iter().map(|w| w.id().to_owned()).collect();
        for id in &ended {
            if let Some(watch) = self.memory.watches.delete(id) {
                self.send_vendor(ServerBody::WatchEnded { watch: memory_view::watch(&watch), reason: "stopped" }, out);
            }
        }
        Recollected::done(if ended.is_empty() {
            "I was not watching for anything"
        } else {
            "I have stopped watching for that"
        })
    }

    /// Looks whether what is watched for has happened.
    pub(crate) fn fire_watches(&mut self, facts: &SceneFacts, now: MediaTime, out: &mut Vec<Output>) {
        for fired in self.memory.watches.see(facts, facts.at) {
            self.memory.announcements.push_back(fired);
        }
        self.announce_next(now, out);
    }

    /// Opens an answer that is this sentence and nothing else. It is still to be advanced.
    pub(crate) fn open_announcement(
        &mut self,
        request: ResponseRequest,
        words: String,
        now: MediaTime,
        out: &mut Vec<Output>,
    ) -> String {
        let id = self.open_answer(request, None, TurnTiming::default(), now, out);
        if let Some(answer) = self.answers.iter_mut().find(|a| a.id == id) {
            answer.plan = Plan::Announce(words);
        }
        id
    }

    /// Says what happened when nobody speaks and no answer is under way; until then it waits.
    pub(crate) fn announce_next(&mut self, now: MediaTime, out: &mut Vec<Output>) {
        if self.speaking.is_some() || !self.spoken.is_empty() || self.is_talking() {
            return;
        }
        let Some(fired) = self.memory.announcements.pop_front() else { return };
        let Fired { watch, because, .. } = fired;
        let metadata = json!({"watch_id": watch.id()});
        let request = ResponseRequest { metadata: Some(metadata), ..ResponseRequest::default() };
        let id = self.open_announcement(request, format!("{}.", capital(&because)), now, out);
        let view = memory_view::watch(&watch);
        self.send_vendor(ServerBody::WatchFired { watch: view.clone(), response_id: id.clone() }, out);
        if view.once {
            self.send_vendor(ServerBody::WatchEnded { watch: view, reason: "fired" }, out);
        }
        self.advance(&id, now, out);
    }

    pub(crate) fn forget_requested(&mut self, request: ForgetRequest, now: MediaTime, out: &mut Vec<Output>) {
        let mem_now = self.memory.time(now);
        let span = match request {
            ForgetRequest::All => None,
            ForgetRequest::Last(ms) => {
                let last = std::time::Duration::from_millis(ms);
                Some(Span { start: mem_now.saturating_sub(last), end: mem_now })
            }
            ForgetRequest::Between(start, end) => {
                Some(Span { start: memory_view::at_millis(start), end: memory_view::at_millis(end) })
            }
        };
        self.forget(span, now, out);
    }
}

/// Whether a question is only about what happened, so that what is to be seen now may tell it.
fn names_nothing(routed: &Routed) -> bool {
    routed.content.is_empty() || question::analyse(&routed.about) == question::Ask::Change
}

/// What the camera showed then, for the prompt: with the time in front, as in `[00:12:04]`.
fn lines(hits: &[Hit], recollected: &Recollected, most: usize) -> Vec<String> {
    let mut shown: Vec<&Hit> = recollected.cited.iter().filter_map(|i| hits.get(*i)).take(most).collect();
    shown.sort_by_key(|h| h.span.start);
    let mut lines = vec!["What the camera showed before:".to_owned()];
    for hit in shown {
        let caption = things::tame(&hit.caption, 160);
        lines.push(format!("- [{}] {caption}", stamp(hit.span.start)));
    }
    if lines.len() == 1 {
        lines.push("- nothing about this".to_owned());
    }
    lines
}
