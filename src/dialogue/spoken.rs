//! From speech to an item with words, and to an answer.

use super::client::commit_empty;
use super::conversation::{Conversation, SpokenTurn};
use super::items::{Item, Place};
use super::reading::Known;
use super::{Output, Sound};
use crate::base::MediaTime;
use crate::budget::{Mark, Stage, TurnTiming};
use crate::listen::Utterance;
use crate::memory::Speaker;
use crate::wire::{
    IdKind, ItemRole, ItemStatus, ItemView, PartView, ResponseRequest, ServerBody, TranscriptionUsage, WireError, code,
};

impl Conversation {
    pub(crate) fn stream_ms(&self, at: MediaTime) -> u64 {
        u64::try_from(at.since(self.opened_at).as_millis()).unwrap_or(u64::MAX)
    }

    pub(crate) fn on_speech_started(&mut self, at: MediaTime, now: MediaTime, out: &mut Vec<Output>) {
        let Some(turn_detection) = self.config.audio.input.turn_detection.clone() else { return };
        if self.speaking.is_some() {
            return;
        }
        let item_id = self.ids.next(IdKind::Item);
        self.speaking = Some(item_id.clone());
        self.over_answer = false;
        if turn_detection.interrupt_response && self.begin_barge(&item_id, at, now) {
            return;
        }
        self.over_answer = self.is_talking();
        self.send(ServerBody::SpeechStarted { audio_start_ms: self.stream_ms(at), item_id }, out);
        if turn_detection.interrupt_response {
            self.queued_turn = None;
            self.interrupt(at, now, out);
        }
        // While the person speaks the device can take in everything but the question.
        self.warm(now, out);
    }

    pub(crate) fn on_speech_stopped(
        &mut self,
        utterance: Utterance,
        decided: MediaTime,
        now: MediaTime,
        out: &mut Vec<Output>,
    ) {
        let Some(turn_detection) = self.config.audio.input.turn_detection.clone() else { return };
        let item_id = self.speaking.take().unwrap_or_else(|| self.ids.next(IdKind::Item));
        let mut timing = TurnTiming::default();
        timing.mark(Mark::SpeechStart, utterance.start);
        timing.start(Stage::Total, utterance.end);
        timing.start(Stage::VadEnd, utterance.end);
        // The listener is handed sound in buffers, so the end is known a little after the sample that decided it.
        timing.end(Stage::VadEnd, now.max(decided));
        timing.start(Stage::Asr, now);
        let mut turn = SpokenTurn::new(item_id, &utterance, turn_detection.create_response, timing);
        turn.over_answer = std::mem::take(&mut self.over_answer);
        if self.end_barge(&utterance, turn.clone(), out) {
            return self.drop_reading(out);
        }
        let audio_end_ms = self.stream_ms(utterance.end);
        self.send(ServerBody::SpeechStopped { audio_end_ms, item_id: turn.item_id.clone() }, out);
        self.take_utterance(turn, utterance, now, out);
    }

    pub(crate) fn on_committed(&mut self, utterance: Option<Utterance>, now: MediaTime, out: &mut Vec<Output>) {
        let Some(event_id) = self.committing.take() else { return };
        self.appended_ms = 0;
        let Some(utterance) = utterance else {
            return self.refuse(commit_empty(0), event_id.as_deref(), out);
        };
        let known = self.speaking.take().or_else(|| self.read_item());
        let item_id = known.unwrap_or_else(|| self.ids.next(IdKind::Item));
        let mut timing = TurnTiming::default();
        timing.start(Stage::Total, now);
        timing.start(Stage::Asr, now);
        // The client says itself that something was said.
        (self.barge, self.stirring) = (None, None);
        self.take_utterance(SpokenTurn::new(item_id, &utterance, false, timing), utterance, now, out);
    }

    fn take_utterance(&mut self, turn: SpokenTurn, utterance: Utterance, now: MediaTime, out: &mut Vec<Output>) {
        let (item_id, answer) = (turn.item_id.clone(), turn.answer);
        let full = self.spoken.len() + self.asides.len() + self.looks_pending() >= self.limits.pending;
        let (known, before) = self.end_reading(&utterance, full, out);
        let full = full && !matches!(known, Known::Words(_));
        self.commit_turn(SpokenTurn { answer: answer && !full, before, ..turn }, now, out);
        if full {
            let why = "too many utterances are waiting to be recognised".to_owned();
            return self.on_transcribed(&item_id, Err(why), now, out);
        }
        match known {
            Known::Words(words) => return self.on_transcribed(&item_id, Ok(words), now, out),
            Known::UnderWay => {}
            Known::Nothing => out.push(Output::Transcribe { item_id, sound: Sound::Pcm(utterance.samples) }),
        }
        // The look goes on while the words are being recognised.
        if answer {
            self.look_if_stale(now, out);
        }
    }

    /// Puts a turn into the conversation; its words come later.
    pub(crate) fn commit_turn(&mut self, turn: SpokenTurn, now: MediaTime, out: &mut Vec<Output>) {
        self.commit_item(turn.item_id.clone(), true, now, out);
        self.spoken.push(turn);
    }

    /// Makes an item of what is in the buffer.
    pub(crate) fn commit_item(&mut self, item_id: String, awaiting_words: bool, now: MediaTime, out: &mut Vec<Output>) {
        self.appended_ms = 0;
        let previous_item_id = self.items.last_id();
        self.send(ServerBody::AudioCommitted { previous_item_id, item_id: item_id.clone() }, out);
        let content = vec![PartView::InputAudio { transcript: None }];
        let view = ItemView::message(item_id, ItemRole::User, ItemStatus::Completed, content);
        self.add_item(Item { awaiting_words, ..Item::new(view, now) }, &Place::End, out);
    }

    pub(crate) fn on_transcribed(
        &mut self,
        item_id: &str,
        result: Result<String, String>,
        now: MediaTime,
        out: &mut Vec<Output>,
    ) {
        let text = result.as_ref().map(|t| t.trim().to_owned()).unwrap_or_default();
        if !self.weigh_aside(item_id, &text, now, out) {
            return;
        }
        let mut turn = self.spoken.iter().position(|t| t.item_id == item_id).map(|i| self.spoken.remove(i));
        let own = self.answers.iter_mut().filter_map(|a| a.own.as_mut()).flatten();
        for item in self.items.iter_mut().chain(own).filter(|i| i.view.id == item_id) {
            item.awaiting_words = false;
            for part in item.view.content.iter_mut().flatten() {
                if let PartView::InputAudio { transcript } = part {
                    transcript.get_or_insert_with(|| text.clone());
                }
            }
        }
        if let Some(turn) = &mut turn {
            self.set_aside(turn, &text);
        }
        self.remember_words(Speaker::Person, &text, now, out);
        let seconds = turn.as_ref().map_or(0.0, |t| t.seconds);
        if let Some(turn) = &turn {
            self.rest_of_words(item_id, &turn.before, &text, out);
        }
        self.announce_words(item_id, result, seconds, out);
        if let Some(mut turn) = turn {
            turn.timing.end(Stage::Asr, now);
            for answer in &mut self.answers {
                answer.timing.end(Stage::Asr, now);
            }
            if turn.answer && !text.is_empty() {
                self.answer_turn(turn.timing, now, out);
            }
        }
        self.advance_all(now, out);
    }

    fn announce_words(&mut self, item_id: &str, result: Result<String, String>, seconds: f64, out: &mut Vec<Output>) {
        let item_id = item_id.to_owned();
        match result {
            Ok(text) if self.config.audio.input.transcription.is_some() => {
                let transcript = text.trim().to_owned();
                let usage = TranscriptionUsage { kind: "duration", seconds };
                self.send(ServerBody::TranscriptionCompleted { item_id, content_index: 0, transcript, usage }, out);
            }
            Ok(_) => {}
            Err(why) => {
                let error = WireError::server(code::TRANSCRIPTION, why);
                self.send(ServerBody::TranscriptionFailed { item_id, content_index: 0, error }, out);
            }
        }
    }

    /// A turn ended by itself: answer it, or as soon as the answer under way is done.
    fn answer_turn(&mut self, timing: TurnTiming, now: MediaTime, out: &mut Vec<Output>) {
        if self.answers.iter().any(|a| a.in_conversation) {
            self.queued_turn = Some(timing);
        } else {
            self.start_answer(ResponseRequest::default(), timing, now, out);
        }
    }
}
