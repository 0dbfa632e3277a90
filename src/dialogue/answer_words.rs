//! The words of an answer on their way to clients: the item's beginning, its deltas, its end.

use super::Output;
use super::answer::{Answer, Ending};
use super::conversation::Conversation;
use super::items::{Item, Place};
use super::sentence::end_of_sentence;
use super::voicing::Said;
use crate::base::MediaTime;
use crate::budget::{Mark, Stage};
use crate::wire::{AnswerPart, At, ItemStatus, ItemView, Modality, ResponseStatus, ServerBody};

impl Conversation {
    /// The words that an answer must begin with need no model: clients have them, and the voice, while the prompt is being taken in.
    pub(crate) fn say_prefix(&mut self, i: usize, now: MediaTime, out: &mut Vec<Output>) {
        let answer = &self.answers[i];
        if answer.prefix.is_empty() || answer.may_call() || (answer.in_conversation && self.holds_back()) {
            return;
        }
        let id = answer.id.clone();
        self.open_item(i, now, out);
        self.say_on(&id, now, out);
    }

    /// Announces the item, and sends the words that the answer was made to begin with.
    pub(crate) fn open_item(&mut self, i: usize, now: MediaTime, out: &mut Vec<Output>) {
        if self.answers[i].opened {
            return;
        }
        let answer = &mut self.answers[i];
        let item = answer.item(ItemStatus::InProgress);
        answer.opened = true;
        let (at, prefix) = (answer.at(), answer.prefix.clone());
        let modality = answer.modality();
        answer.text.clone_from(&prefix);
        self.begin_output(i, 0, item, now, out);
        self.send(ServerBody::ContentPartAdded { at: at.clone(), part: AnswerPart::new(modality, "") }, out);
        if !prefix.is_empty() {
            self.answers[i].timing.mark(Mark::FirstWords, now);
            self.send(delta(modality, at, prefix), out);
        }
    }

    /// The engine gives the words that it was given to begin with back as its own; the client has had them.
    pub(crate) fn without_echo(&mut self, i: usize, text: &str, now: MediaTime) -> String {
        let answer = &mut self.answers[i];
        answer.deltas += 1;
        // A model likes to begin with a space or a line break; a client should not have to trim.
        let text = if answer.text.is_empty() && !answer.may_call() { text.trim_start() } else { text };
        let text = if let Some(more) = text.strip_prefix(answer.echo.as_str()) {
            answer.echo.clear();
            more
        } else if let Some(left) = answer.echo.strip_prefix(text) {
            answer.echo = left.to_owned();
            ""
        } else {
            answer.echo.clear();
            text
        };
        if !text.is_empty() {
            answer.timing.mark(Mark::FirstWords, now);
            for stage in [Stage::Prefill, Stage::FirstToken, Stage::Total] {
                answer.timing.end(stage, now);
            }
        }
        text.to_owned()
    }

    pub(crate) fn on_delta(&mut self, i: usize, text: &str, now: MediaTime, out: &mut Vec<Output>) {
        if text.is_empty() {
            return;
        }
        self.open_item(i, now, out);
        let answer = &mut self.answers[i];
        let before = answer.text.len();
        answer.text.push_str(text);
        let end = answer.sentences.and_then(|n| end_of_sentence(&answer.text, n));
        if let Some(end) = end {
            answer.text.truncate(end.max(before));
        }
        let (more, at, id) = (answer.text[before..].to_owned(), answer.at(), answer.id.clone());
        let (modality, work_id) = (answer.modality(), answer.work_id.clone());
        if !more.is_empty() {
            self.send(delta(modality, at, more), out);
        }
        if end.is_some() {
            out.push(Output::Cancel { response_id: work_id });
            self.conclude(&id, Ending::of(ResponseStatus::Completed, None), now, out);
        } else {
            self.say_on(&id, now, out);
        }
    }

    /// The events at the end of the item; what it holds then is what stays in the conversation.
    pub(crate) fn close_item(&mut self, answer: &Answer, status: ResponseStatus, out: &mut Vec<Output>) {
        if !answer.opened {
            return;
        }
        let whole = status == ResponseStatus::Completed;
        let item = answer.item(if whole { ItemStatus::Completed } else { ItemStatus::Incomplete });
        let at = answer.at();
        match answer.modality() {
            Modality::Text => self.send(ServerBody::TextDone { at: at.clone(), text: answer.text.clone() }, out),
            Modality::Audio => {
                self.send(ServerBody::AudioDone { at: at.clone() }, out);
                self.send(ServerBody::TranscriptDone { at: at.clone(), transcript: answer.text.clone() }, out);
            }
        }
        let part = AnswerPart::new(answer.modality(), answer.text.clone());
        self.send(ServerBody::ContentPartDone { at: at.clone(), part }, out);
        self.end_output(at.response_id, 0, item, answer.voicing.as_ref().map(|v| v.said.clone()), out);
    }

    /// An item of an answer begins.
    pub(crate) fn begin_output(
        &mut self,
        i: usize,
        output_index: u32,
        item: ItemView,
        now: MediaTime,
        out: &mut Vec<Output>,
    ) {
        let (response_id, in_conversation) = (self.answers[i].id.clone(), self.answers[i].in_conversation);
        self.send(ServerBody::OutputItemAdded { response_id, output_index, item: item.clone() }, out);
        if in_conversation {
            self.add_item(Item::new(item, now), &Place::End, out);
        }
    }

    /// An item of an answer is whole, and stays so in the conversation.
    pub(crate) fn end_output(
        &mut self,
        response_id: String,
        output_index: u32,
        item: ItemView,
        said: Option<Said>,
        out: &mut Vec<Output>,
    ) {
        self.send(ServerBody::OutputItemDone { response_id, output_index, item: item.clone() }, out);
        if let Some(kept) = self.items.get_mut(&item.id) {
            (kept.view, kept.said) = (item.clone(), said);
            let previous_item_id = self.items.before(&item.id);
            self.send(ServerBody::ItemDone { previous_item_id, item }, out);
        }
    }
}

fn delta(modality: Modality, at: At, delta: String) -> ServerBody {
    match modality {
        Modality::Text => ServerBody::TextDelta { at, delta },
        Modality::Audio => ServerBody::TranscriptDelta { at, delta },
    }
}
