//! An answer that may be a call: what is offered, what comes of it, one more try when it cannot be used, and honest words when that fails too.

use serde_json::Value;

use super::MOST_CALLS;
use super::check::{Fault, check, in_words};
use super::choose::{Use, decide};
use super::parse::{CallParser, OPENS, Piece, RawCall};
use crate::base::MediaTime;
use crate::budget::Stage;
use crate::dialogue::answer::{Answer, Ending};
use crate::dialogue::conversation::Conversation;
use crate::dialogue::ground::{Grounding, ground};
use crate::dialogue::prompt_build::Asked;
use crate::dialogue::recall_turn::Plan;
use crate::dialogue::recollect::Recollected;
use crate::dialogue::route::Route;
use crate::dialogue::{Finish, Output, ToolOutcome};
use crate::wire::{
    FunctionKind, IdKind, ItemStatus, ItemView, ResponseRequest, ResponseStatus, ServerBody, Tool, ToolChoice,
    ToolMode, WireError, code,
};

/// What a prompt has with tools in it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Offer {
    /// What the model is shown.
    pub(crate) tools: Vec<Tool>,
    /// It must call: this function, or any when the name is empty.
    pub(crate) force: Option<String>,
    /// What was wrong with its last call.
    pub(crate) wrong: Option<String>,
}

/// An answer's tools, and its calls.
#[derive(Debug, Clone, Default)]
pub(crate) struct Calling {
    /// Instead of the session's.
    tools: Option<Vec<Tool>>,
    /// Instead of the session's.
    choice: Option<ToolChoice>,
    /// Several calls may be made.
    parallel: bool,
    /// Reads what the model writes, while that may be a call.
    parser: Option<CallParser>,
    tried_again: bool,
    calls: Vec<ItemView>,
    /// The item of its words was closed already.
    pub(crate) closed: bool,
}

impl Calling {
    pub(crate) fn new(tools: Option<Vec<Tool>>, choice: Option<ToolChoice>, parallel: Option<bool>) -> Self {
        Self { tools, choice, parallel: parallel.unwrap_or(true), ..Self::default() }
    }
}

impl Answer {
    /// Whether what the model writes may be a call.
    pub(crate) fn may_call(&self) -> bool {
        self.calling.parser.is_some()
    }

    /// The model begins to write: a call is looked for when there is something to call.
    pub(crate) fn begin_calling(&mut self) {
        let Plan::Call(offer) = &self.plan else { return };
        if offer.tools.is_empty() {
            return;
        }
        let mut parser = CallParser::new();
        // The mark stands for the model's own, which comes back as text; the words it begins with are part of the call.
        let prefix = std::mem::take(&mut self.prefix);
        parser.push(&prefix.replace(crate::dialogue::CALL_OPEN, OPENS[0]));
        self.calling.parser = Some(parser);
    }

    /// Its words, if there are any, and its calls.
    pub(crate) fn output(&self, status: ItemStatus) -> Vec<ItemView> {
        let words = self.opened.then(|| self.item(if self.calling.closed { ItemStatus::Completed } else { status }));
        words.into_iter().chain(self.calling.calls.iter().cloned()).collect()
    }
}

impl Conversation {
    /// Refuses a request for tools that cannot be.
    pub(crate) fn check_tools(&self, request: &ResponseRequest) -> Result<(), WireError> {
        let tools = request.tools.as_ref().unwrap_or(&self.config.tools);
        match &request.tool_choice {
            Some(ToolChoice::Mode(ToolMode::Required)) if tools.is_empty() => {
                let message = "response.tool_choice is \"required\" and there are no tools; offer some in `tools`";
                Err(WireError::field(code::INVALID_VALUE, "response.tool_choice", message))
            }
            Some(choice) => choice.fits(tools, "response.tool_choice"),
            None => Ok(()),
        }
    }

    /// Refuses the result of a call that was never made, or that has its result.
    pub(crate) fn check_call(&self, call_id: &str) -> Result<(), WireError> {
        let of = |half: fn(&ItemView) -> bool| {
            self.items.iter().any(|i| half(&i.view) && i.view.call_id.as_deref() == Some(call_id))
        };
        let message = if !of(|v| v.arguments.is_some()) {
            format!("no call with the id {call_id:?} is in the conversation")
        } else if of(|v| v.output.is_some()) {
            format!("the call {call_id:?} has its output already; delete that item first")
        } else {
            return Ok(());
        };
        Err(WireError::field(code::INVALID_CALL, "item.call_id", message))
    }

    /// The plan of an answer, once it was seen whether a tool is for it.
    pub(crate) fn plan_with_tools(&mut self, i: usize, asked: &Asked, now: MediaTime, out: &mut Vec<Output>) {
        if !matches!(self.answers[i].plan, Plan::Unknown) {
            return;
        }
        if let Some(offer) = self.offer(i, asked, now) {
            self.answers[i].plan = Plan::Call(Box::new(offer));
            let id = self.answers[i].id.clone();
            self.tell_route(&id, Route::NotVisual, None, &Recollected::of_present(), &[], out);
        }
    }

    /// What an answer has to do with tools; `None` when nothing.
    fn offer(&self, i: usize, asked: &Asked, now: MediaTime) -> Option<Offer> {
        let calling = &self.answers[i].calling;
        let tools = calling.tools.as_ref().unwrap_or(&self.config.tools);
        // What the session asks for is for the first answer to a question: the next one tells what came of it.
        let answered = !asked.results.is_empty();
        let choice = match &calling.choice {
            Some(choice) => choice.clone(),
            None if answered => ToolChoice::AUTO,
            None => self.config.tool_choice.clone(),
        };
        let fresh: Vec<Tool> = match choice {
            ToolChoice::Mode(ToolMode::Auto) => {
                tools.iter().filter(|t| !asked.results.iter().any(|r| r.name == t.name)).cloned().collect()
            }
            _ => tools.clone(),
        };
        let decided = answered || (!fresh.is_empty() && self.is_decided(asked, now));
        let used = decide(&choice, &fresh, &asked.question, decided);
        match used {
            Use::Force(tools) => {
                let force = if let [one] = tools.as_slice() { one.name.clone() } else { String::new() };
                Some(Offer { tools, force: Some(force), wrong: None })
            }
            Use::Offer(tools) => Some(Offer { tools, ..Offer::default() }),
            Use::No => answered.then(Offer::default),
        }
    }

    /// Whether a question has its answer without any tool.
    fn is_decided(&self, asked: &Asked, now: MediaTime) -> bool {
        let routed = self.routed(&asked.question, now);
        if routed.command.is_some() || !matches!(routed.route, Route::Now | Route::NotVisual) {
            return true;
        }
        let sight = self.sight(asked);
        let known = ground(&asked.ask(sight), sight, "", now).grounding;
        matches!(known, Grounding::Supported | Grounding::Partial)
    }

    /// More of what the model writes.
    pub(crate) fn on_call_delta(&mut self, id: &str, text: &str, now: MediaTime, out: &mut Vec<Output>) {
        let Some(answer) = self.answers.iter_mut().find(|a| a.id == id) else { return };
        let pieces = answer.calling.parser.as_mut().map(|p| p.push(text)).unwrap_or_default();
        self.take_pieces(id, pieces, now, out);
    }

    /// The model is done. True when the answer was taken care of.
    pub(crate) fn calls_end(
        &mut self,
        id: &str,
        finish: Finish,
        output_tokens: u64,
        now: MediaTime,
        out: &mut Vec<Output>,
    ) -> bool {
        let Some(answer) = self.answers.iter_mut().find(|a| a.id == id) else { return true };
        let work_id = answer.work_id.clone();
        let cut_off = finish != Finish::Stop && answer.calling.parser.as_ref().is_some_and(CallParser::in_call);
        let pieces = answer.calling.parser.as_mut().map(CallParser::finish).unwrap_or_default();
        if !cut_off {
            self.take_pieces(id, pieces, now, out);
        }
        let Some(answer) = self.answers.iter().find(|a| a.id == id) else { return true };
        if answer.work_id != work_id {
            return true; // The model is asked again.
        }
        if !answer.calling.calls.is_empty() || cut_off {
            let mut ending = match finish {
                Finish::MaxTokens if cut_off => Ending::of(ResponseStatus::Incomplete, Some("max_output_tokens")),
                Finish::Cancelled => Ending::of(ResponseStatus::Cancelled, Some("client_cancelled")),
                _ => Ending::of(ResponseStatus::Completed, None),
            };
            ending.output_tokens = Some(output_tokens);
            self.finish(id, ending, now, out);
            return true;
        }
        false
    }

    fn take_pieces(&mut self, id: &str, pieces: Vec<Piece>, now: MediaTime, out: &mut Vec<Output>) {
        let Some(work_id) = self.answers.iter().find(|a| a.id == id).map(|a| a.work_id.clone()) else { return };
        for piece in pieces {
            // Each may be the end of the answer, or have the model asked again.
            let going_on = |a: &Answer| a.work_id == work_id && a.ending.is_none();
            let Some(i) = self.answers.iter().position(going_on) else { return };
            match piece {
                Piece::Text(text) => {
                    let text = if self.answers[i].opened { text } else { text.trim_start().to_owned() };
                    self.on_delta(i, &text, now, out);
                }
                Piece::Call(call) => self.on_call(i, call, now, out),
                Piece::Broken(why) => self.on_bad_call(i, "", &why, &[], now, out),
                Piece::Over => self.end_calls(i, now, out),
            }
        }
    }

    fn on_call(&mut self, i: usize, call: RawCall, now: MediaTime, out: &mut Vec<Output>) {
        let Plan::Call(offer) = &self.answers[i].plan else { return };
        let named = |t: &&Tool| t.name == call.name || t.name.eq_ignore_ascii_case(&call.name);
        let Some(tool) = offer.tools.iter().find(named) else {
            let why = format!("there is no function {:?}", call.name.chars().take(64).collect::<String>());
            return self.on_bad_call(i, "", &why, &[], now, out);
        };
        let (name, mut arguments) = (tool.name.clone(), call.arguments);
        let forced = offer.force.is_some();
        let faults = check(&mut arguments, tool.parameters.as_ref());
        if !faults.is_empty() {
            return self.on_bad_call(i, &name, &in_words(&faults), &faults, now, out);
        }
        let arguments = Value::Object(arguments).to_string();
        let calling = &self.answers[i].calling;
        let twice = |v: &ItemView| v.name.as_ref() == Some(&name) && v.arguments.as_ref() == Some(&arguments);
        if calling.calls.iter().any(twice) {
            return self.end_calls(i, now, out);
        }
        let last = forced || !calling.parallel || calling.calls.len() + 1 >= MOST_CALLS;
        out.push(Output::Called(ToolOutcome::Called));
        self.announce_call(i, name, arguments, now, out);
        if last {
            self.end_calls(i, now, out);
        }
    }

    /// Sends the events of a call in their order.
    fn announce_call(&mut self, i: usize, name: String, arguments: String, now: MediaTime, out: &mut Vec<Output>) {
        if self.answers[i].opened && !self.answers[i].calling.closed {
            let answer = self.answers[i].clone();
            self.close_item(&answer, ResponseStatus::Completed, out);
            self.answers[i].calling.closed = true;
        }
        let (item_id, call_id) = (self.ids.next(IdKind::Item), self.ids.next(IdKind::ToolCall));
        let answer = &self.answers[i];
        let response_id = answer.id.clone();
        let output_index = u32::try_from(answer.output(ItemStatus::Completed).len()).unwrap_or(u32::MAX);
        let whole =
            ItemView::function(item_id.clone(), FunctionKind::Call, call_id.clone(), name.clone(), arguments.clone());
        let begun = ItemView { status: ItemStatus::InProgress, arguments: Some(String::new()), ..whole.clone() };
        self.begin_output(i, output_index, begun, now, out);
        let (at, item, delta) = (response_id.clone(), item_id.clone(), arguments.clone());
        let call = call_id.clone();
        self.send(
            ServerBody::ArgumentsDelta { response_id: at, item_id: item, output_index, call_id: call, delta },
            out,
        );
        let (at, item) = (response_id.clone(), item_id.clone());
        self.send(
            ServerBody::ArgumentsDone { response_id: at, item_id: item, output_index, call_id, name, arguments },
            out,
        );
        self.end_output(response_id, output_index, whole.clone(), None, out);
        self.answers[i].calling.calls.push(whole);
    }

    /// No more is to be called: the model need not go on.
    fn end_calls(&mut self, i: usize, now: MediaTime, out: &mut Vec<Output>) {
        let (id, work_id) = (self.answers[i].id.clone(), self.answers[i].work_id.clone());
        out.push(Output::Cancel { response_id: work_id });
        self.finish(&id, Ending::of(ResponseStatus::Completed, None), now, out);
    }

    /// A call that cannot be used: the model is told why and writes it once more; then it is said.
    fn on_bad_call(
        &mut self,
        i: usize,
        name: &str,
        why: &str,
        faults: &[Fault],
        now: MediaTime,
        out: &mut Vec<Output>,
    ) {
        let answer = &mut self.answers[i];
        if !answer.calling.calls.is_empty() {
            return self.end_calls(i, now, out);
        }
        let id = answer.id.clone();
        out.push(Output::Cancel { response_id: answer.work_id.clone() });
        if !answer.calling.tried_again && !answer.opened {
            answer.calling.tried_again = true;
            answer.calling.parser = None;
            answer.work_id = format!("{id}#again");
            if let Plan::Call(offer) = &mut answer.plan {
                let known = if name.is_empty() { offer.force.clone().unwrap_or_default() } else { name.to_owned() };
                let only = if let [one] = offer.tools.as_slice() { one.name.clone() } else { known };
                (offer.force, offer.wrong) = (Some(only), Some(why.to_owned()));
            }
            out.push(Output::Called(ToolOutcome::Again));
            return self.generate(&id, now, out);
        }
        out.push(Output::Called(ToolOutcome::GivenUp));
        answer.timing.end(Stage::Total, now);
        let mut words = give_up(name, faults);
        if answer.opened {
            words.insert(0, ' ');
        }
        self.open_item(i, now, out);
        self.on_delta(i, &words, now, out);
        self.conclude(&id, Ending::of(ResponseStatus::Completed, None), now, out);
    }
}

/// What is said instead of a call.
fn give_up(name: &str, faults: &[Fault]) -> String {
    let spoken = |s: &str| s.replace(['_', '-', '.'], " ");
    let missing: Vec<String> =
        faults.iter().filter_map(|f| if let Fault::Missing(key) = f { Some(spoken(key)) } else { None }).collect();
    match (name, missing.as_slice()) {
        ("", _) => "I could not work out what to call for that.".to_owned(),
        (name, []) => format!("I could not work out how to call {} for that.", spoken(name)),
        (_, list) => format!("For that I need to know: {}.", list.join(", ")),
    }
}
