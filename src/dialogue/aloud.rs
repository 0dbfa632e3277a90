//! Answers said aloud: what the voice is given, what clients or the player are given, and what of it was heard.

use std::time::Duration;

use super::answer::{Answer, Ending, Phase};
use super::conversation::Conversation;
use super::voicing::{AHEAD, VoiceLoss, Voiced, Voicing};
use super::{Output, client};
use crate::base::MediaTime;
use crate::budget::{Mark, Stage};
use crate::memory::Speaker;
use crate::wire::{
    AudioFormat, ItemRole, Modality, PartView, ResponseStatus, ServerBody, WireError, WordView, code, encode_base64,
};

/// Sound in one event: 26 kB at 24 kHz.
const DELTA_MS: u64 = 400;
/// Words said so shortly ago may still come back from the person's loudspeaker.
const ECHO_MS: u64 = 4_000;
/// What a media track is given; its encoder takes it from there.
const TRACK_FORMAT: AudioFormat = AudioFormat::Pcm { rate: 24_000 };

impl Conversation {
    /// How a new answer is said; `None` when it is written.
    pub(crate) fn voicing_for(&self, asked: Option<Modality>) -> Option<Voicing> {
        let modality = asked.map_or(self.config.output_modalities[0], |m| m.with(&self.names));
        (modality == Modality::Audio).then(Voicing::default)
    }

    /// All words of an answer are there. It ends now, or when they were all said.
    pub(crate) fn conclude(&mut self, id: &str, ending: Ending, now: MediaTime, out: &mut Vec<Output>) {
        let until = now + self.voice_patience();
        match self.answers.iter_mut().find(|a| a.id == id) {
            Some(answer) if answer.voicing.is_some() && answer.opened => {
                answer.phase = Phase::Voice(until);
                answer.ending = Some(ending);
                self.say_on(id, now, out);
            }
            _ => self.finish(id, ending, now, out),
        }
    }

    /// So long after the last piece an answer is not given up: longer than any piece may take, and the sound before it to be heard.
    fn voice_patience(&self) -> Duration {
        self.limits.voice_wait + self.limits.answer_wait
    }

    /// Gives the voice what it can be given, and ends an answer of which everything was said.
    pub(crate) fn say_on(&mut self, id: &str, now: MediaTime, out: &mut Vec<Output>) {
        let enough = self.playout.left(now) > AHEAD;
        let (speed, wait) = (self.config.audio.output.speed, self.limits.voice_wait);
        let format = if self.playout.has_track() { TRACK_FORMAT } else { self.config.audio.output.format };
        let Some(answer) = self.answers.iter_mut().find(|a| a.id == id) else { return };
        let Some(voicing) = &mut answer.voicing else { return };
        let whole = answer.ending.is_some();
        if voicing.is_done(&answer.text)
            && let Some(ending) = answer.ending.take()
        {
            return self.finish(id, ending, now, out);
        }
        if !enough && let Some((piece, text)) = voicing.ask(&answer.text, whole, (wait, speed), now) {
            out.push(Output::Speak { response_id: id.to_owned(), piece, text, speed, format });
        }
    }

    pub(crate) fn say_on_all(&mut self, now: MediaTime, out: &mut Vec<Output>) {
        for id in self.answers.iter().filter(|a| a.voicing.is_some()).map(|a| a.id.clone()).collect::<Vec<_>>() {
            self.say_on(&id, now, out);
        }
    }

    pub(crate) fn on_voiced(
        &mut self,
        id: &str,
        piece: u32,
        result: Result<Voiced, String>,
        now: MediaTime,
        out: &mut Vec<Output>,
    ) {
        let patience = self.voice_patience();
        let Some(answer) = self.answers.iter_mut().find(|a| a.id == id) else { return };
        let Some(voicing) = answer.voicing.as_mut().filter(|v| v.awaits(piece)) else { return };
        let Ok(voiced) = result else {
            voicing.fall_silent();
            return self.fall_silent(id, VoiceLoss::Failed, now, out);
        };
        let from_ms = voicing.said.ms;
        let words = voicing.take(&answer.text, piece, &voiced).unwrap_or_default();
        if let Phase::Voice(until) = &mut answer.phase {
            *until = now + patience;
        }
        if from_ms == 0
            && voiced.ms > 0
            && let Some(after) = answer.timing.passed(Stage::Total, now)
        {
            answer.timing.mark(Mark::FirstSound, now);
            out.push(Output::FirstSound { after });
        }
        if voiced.ms > 0 {
            let at = answer.at();
            if self.playout.has_track() {
                let id = self.playout.add(at, from_ms, voiced.ms, words, now);
                out.push(Output::Play { id, sound: voiced.sound });
            } else {
                self.send_sound(&at, &voiced, words, out);
                self.playout.add(at, from_ms, voiced.ms, Vec::new(), now);
            }
        }
        self.say_on(id, now, out);
    }

    fn send_sound(&mut self, at: &crate::wire::At, voiced: &Voiced, words: Vec<WordView>, out: &mut Vec<Output>) {
        self.send_vendor(ServerBody::AudioWords { at: at.clone(), words }, out);
        let format = self.config.audio.output.format;
        let bytes = format.sample_bytes() * (u64::from(format.rate_hz()) * DELTA_MS / 1_000) as usize;
        for part in voiced.sound.chunks(bytes) {
            self.send(ServerBody::AudioDelta { at: at.clone(), delta: encode_base64(part) }, out);
        }
    }

    /// An answer goes on as text.
    pub(crate) fn fall_silent(&mut self, id: &str, loss: VoiceLoss, now: MediaTime, out: &mut Vec<Output>) {
        let Some(answer) = self.answers.iter_mut().find(|a| a.id == id) else { return };
        if answer.voicing.as_mut().is_some_and(Voicing::fall_silent) {
            out.push(Output::Silence { response_id: id.to_owned() });
        }
        out.push(Output::VoiceLost(loss));
        let why = match loss {
            VoiceLoss::Behind => "the voice is slower than it may be",
            VoiceLoss::Failed => "the voice failed",
        };
        let error = WireError::server(code::VOICE, format!("{why}; response {id:?} goes on as text"));
        self.send(ServerBody::Error { error }, out);
        let (reason, step) = (loss.label().to_owned(), "text_only".to_owned());
        self.send_vendor(ServerBody::Degraded { response_id: Some(id.to_owned()), reason, step }, out);
        self.say_on(id, now, out);
    }

    /// An answer ends: what the voice is still at is not needed, and what was cut off before it was said is not kept.
    pub(crate) fn end_voicing(&mut self, answer: &mut Answer, ending: &Ending, out: &mut Vec<Output>) {
        let Some(voicing) = &mut answer.voicing else { return };
        let written = voicing.is_quiet() || ending.status != ResponseStatus::Cancelled;
        if voicing.fall_silent() {
            out.push(Output::Silence { response_id: answer.id.clone() });
        }
        if written {
            voicing.said.until = answer.text.len();
        } else {
            answer.text.truncate(voicing.said.until);
        }
    }

    /// A player is there: at the beginning of a call, or of another one on which the session goes on.
    pub(crate) fn on_player(&mut self, now: MediaTime, out: &mut Vec<Output>) {
        self.hush(now, out);
        if !self.playout.has_track() {
            self.playout.on_track();
            self.say_again(out);
        }
        self.say_on_all(now, out);
    }

    /// The session goes on without a call: what the track still had nobody hears, the rest is said in events.
    pub(crate) fn on_no_player(&mut self, now: MediaTime, out: &mut Vec<Output>) {
        if self.playout.has_track() {
            self.hush(now, out);
            self.playout.off_track();
            self.say_again(out);
            self.say_on_all(now, out);
        }
    }

    /// Sound goes another way: what the voice is at in the format of the way before is asked for once more.
    fn say_again(&mut self, out: &mut Vec<Output>) {
        if self.config.audio.output.format == TRACK_FORMAT {
            return;
        }
        for answer in &mut self.answers {
            if answer.voicing.as_mut().is_some_and(Voicing::take_back) {
                out.push(Output::Silence { response_id: answer.id.clone() });
            }
        }
    }

    /// The player begins with a piece.
    pub(crate) fn on_playing(&mut self, id: u64, now: MediaTime, out: &mut Vec<Output>) {
        let Some(piece) = self.playout.begin(id, now) else { return };
        if self.playing.as_ref().is_none_or(|p| p.response_id != piece.at.response_id) {
            self.stop_playing(now, out);
            self.send(ServerBody::PlayStarted { response_id: piece.at.response_id.clone() }, out);
            self.playing = Some(piece.at.clone());
        }
        self.send_vendor(ServerBody::AudioWords { at: piece.at, words: piece.words }, out);
        self.say_on_all(now, out);
    }

    /// The player has nothing left to play behind this piece.
    pub(crate) fn on_drained(&mut self, id: u64, now: MediaTime, out: &mut Vec<Output>) {
        self.playout.drained(id);
        if let Some(response_id) = self.playing.as_ref().map(|p| p.response_id.clone()) {
            self.stop_if_played(&response_id, now, out);
        }
        self.say_on_all(now, out);
        self.announce_next(now, out);
    }

    /// Whether sound of this response is on a media track, or waits to be.
    pub(crate) fn plays(&self, response_id: &str) -> bool {
        let plays = self.playing.as_ref().is_some_and(|p| p.response_id == response_id);
        self.playout.has_track() && (plays || self.playout.holds(response_id))
    }

    /// Tells that a response was played to its end, if it was.
    pub(crate) fn stop_if_played(&mut self, response_id: &str, now: MediaTime, out: &mut Vec<Output>) {
        let over = !self.playout.holds(response_id) && self.answers.iter().all(|a| a.id != response_id);
        if over && self.plays(response_id) {
            self.stop_playing(now, out);
        }
    }

    fn stop_playing(&mut self, now: MediaTime, out: &mut Vec<Output>) {
        if let Some(at) = self.playing.take() {
            self.send(ServerBody::PlayStopped { response_id: at.response_id }, out);
            self.remember_said(&at.item_id, now, out);
        }
    }

    /// It is known now what of an answer was heard.
    fn remember_said(&mut self, item_id: &str, now: MediaTime, out: &mut Vec<Output>) {
        if let Some(words) = self.items.get(item_id).map(super::items::Item::words) {
            self.remember_words(Speaker::Sightline, &words, now, out);
        }
    }

    /// Nothing more is to be heard of what was said. On a track the items keep what was heard; over a WebSocket the client will tell what was.
    pub(crate) fn hush(&mut self, now: MediaTime, out: &mut Vec<Output>) {
        let cuts = self.playout.clear(now);
        if !self.playout.has_track() {
            return;
        }
        if !cuts.is_empty() {
            out.push(Output::Hush);
        }
        self.playing.take_if(|p| cuts.iter().any(|cut| cut.at.response_id == p.response_id));
        for cut in &cuts {
            self.send(ServerBody::PlayCleared { response_id: cut.at.response_id.clone() }, out);
            let item_id = cut.at.item_id.clone();
            if self.cut_item(&item_id, cut.heard_ms) {
                let audio_end_ms = u32::try_from(cut.heard_ms).unwrap_or(u32::MAX);
                self.send(ServerBody::ItemTruncated { item_id: item_id.clone(), content_index: 0, audio_end_ms }, out);
            }
            self.remember_said(&item_id, now, out);
        }
        self.stop_playing(now, out);
    }

    /// Leaves in a spoken item what was heard within `ms`. False when it was not spoken.
    fn cut_item(&mut self, item_id: &str, ms: u64) -> bool {
        let Some(item) = self.items.get_mut(item_id) else { return false };
        let Some(said) = &mut item.said else { return false };
        for part in item.view.content.iter_mut().flatten() {
            if let PartView::OutputAudio { transcript } = part {
                said.cut(transcript, ms);
                transcript.truncate(said.until);
            }
        }
        true
    }

    /// `conversation.item.truncate`: the person heard no more than this of an answer.
    pub(crate) fn on_truncate(
        &mut self,
        item_id: String,
        content_index: u32,
        audio_end_ms: u32,
        now: MediaTime,
        out: &mut Vec<Output>,
    ) -> Result<(), WireError> {
        let Some(item) = self.items.get(&item_id) else {
            return Err(client::no_item(code::TRUNCATE_INVALID, &item_id));
        };
        if !item.is_from(ItemRole::Assistant) {
            let message = format!("item {item_id:?} is not an answer; only answers can be truncated");
            return Err(WireError::field(code::INVALID_VALUE, "item_id", message));
        }
        // Nobody listens to the rest of an answer that is still being said.
        if let Some(id) =
            self.answers.iter().find(|a| a.item_id == item_id && a.voicing.is_some()).map(|a| a.id.clone())
        {
            self.cancel(&id, "client_cancelled", now, out);
        }
        if self.playout.holds_item(&item_id) {
            self.hush(now, out);
        }
        // An answer in text has no sound that was not heard: everything stays.
        self.cut_item(&item_id, audio_end_ms.into());
        self.send(ServerBody::ItemTruncated { item_id, content_index, audio_end_ms }, out);
        self.warm(now, out);
        Ok(())
    }

    /// `output_audio_buffer.clear`: what is left to play is thrown away, and what is still being said of it is not said.
    pub(crate) fn on_output_clear(&mut self, now: MediaTime, out: &mut Vec<Output>) {
        if !self.playout.has_track() {
            return;
        }
        let heard = |a: &&Answer| a.voicing.is_some() && self.plays(&a.id);
        for id in self.answers.iter().filter(heard).map(|a| a.id.clone()).collect::<Vec<_>>() {
            self.cancel(&id, "client_cancelled", now, out);
        }
        self.hush(now, out);
    }

    /// What the person hears us say, and has just heard: the microphone may hear it too.
    pub(crate) fn words_aloud(&self, now: MediaTime) -> String {
        let Some((item_id, ms)) = self.playout.at(now) else { return String::new() };
        let under_way = self.answers.iter().find(|a| a.item_id == item_id);
        if let Some((answer, voicing)) = under_way.and_then(|a| Some((a, a.voicing.as_ref()?))) {
            return voicing.said.around(answer.text(), ms, ECHO_MS).to_owned();
        }
        let item = self.items.get(item_id);
        item.and_then(|i| Some(i.said.as_ref()?.around(&i.words(), ms, ECHO_MS).to_owned())).unwrap_or_default()
    }

    /// When something about sound is due that nobody will tell.
    pub(crate) fn aloud_deadline(&self) -> Option<MediaTime> {
        let voicing = self.answers.iter().filter_map(|a| a.voicing.as_ref()?.deadline());
        let waits = |a: &Answer| a.voicing.as_ref().is_some_and(|v| v.could_ask(a.text(), a.ending.is_some()));
        let again = if self.answers.iter().any(waits) { self.playout.due(AHEAD) } else { None };
        voicing.chain(again).chain(self.playout.deadline()).min()
    }

    pub(crate) fn aloud_time_passed(&mut self, now: MediaTime, out: &mut Vec<Output>) {
        let sounded = self.playout.is_sounding();
        self.playout.pass(now);
        let late = |a: &&Answer| a.voicing.as_ref().and_then(Voicing::deadline).is_some_and(|until| until <= now);
        for id in self.answers.iter().filter(late).map(|a| a.id.clone()).collect::<Vec<_>>() {
            self.fall_silent(&id, VoiceLoss::Behind, now, out);
        }
        self.say_on_all(now, out);
        if sounded && !self.playout.is_sounding() {
            self.announce_next(now, out);
        }
    }
}
