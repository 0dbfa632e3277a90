//! Readings of what is still being said: partial transcripts, words that are there before the turn is over, and a prompt cache that holds them.

use std::sync::Arc;
use std::time::Duration;

use super::ahead::GuessOrder;
use super::conversation::Conversation;
use super::{Output, Sound};
use crate::base::MediaTime;
use crate::listen::{Eagerness, Patience, SoFar, Stable, Utterance};
use crate::wire::{self, IdKind, ServerBody, TurnDetection, TurnKind};

/// What is to be done with speech that has not ended.
#[derive(Debug, Clone)]
pub enum ReadOrder {
    /// Read what was said so far; answer with [`ReadSoFar`]. The one before it is not wanted any more.
    SoFar {
        /// Which speech.
        item_id: String,
        /// 16 kHz mono.
        sound: Arc<[f32]>,
    },
    /// What was said up to `voiced_until` calls for this much silence before the turn is over.
    NeedSilence {
        /// Capture time just after the last voiced frame of what was read.
        voiced_until: MediaTime,
        /// The silence.
        needed: Duration,
    },
    /// What is being read so far was all: the answer is waited for.
    Hurry,
    /// What is being read so far is not wanted any more.
    Drop,
    /// For metrics: an utterance was not recognised again, its words were known before its end.
    Reused {
        /// Not quite: they were just being read.
        waited: bool,
    },
    /// An answer is begun before the turn is over, or what becomes of it.
    Guess(GuessOrder),
    /// For metrics: the prompt cache was filled ahead with words that turned out to be others.
    PrefillDiscarded,
}

/// Answer to [`ReadOrder::SoFar`].
#[derive(Debug, Clone)]
pub struct ReadSoFar {
    /// Which speech.
    pub item_id: String,
    /// What was read, as it was handed out.
    pub sound: Arc<[f32]>,
    /// The words (empty when there were none), or why there are none.
    pub result: Result<String, String>,
}

/// The speech that goes on, as far as it was read.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    item_id: String,
    stable: Stable,
    /// What is being read, and since when.
    under_way: Option<(SoFar, MediaTime)>,
    /// What was read last, and its words.
    newest: Option<(SoFar, String)>,
    /// With which words the prompt cache was filled ahead.
    ahead: String,
    /// Before that the device is left to others.
    not_before: MediaTime,
}

/// What is known of an utterance when it ends.
pub(crate) enum Known {
    /// All its words.
    Words(String),
    /// Exactly this is being read.
    UnderWay,
    /// It has to be read.
    Nothing,
}

/// What had been done with the words of a turn before it ended.
#[derive(Debug, Clone, Default)]
pub(crate) struct Before {
    /// What was given out.
    stable: Stable,
    /// With which words the prompt cache was filled ahead.
    ahead: String,
    /// The reading of exactly this is waited for.
    awaited: Option<Arc<[f32]>>,
}

impl Reading {
    fn new(item_id: String) -> Self {
        let (stable, ahead) = (Stable::default(), String::new());
        Self { item_id, stable, under_way: None, newest: None, ahead, not_before: MediaTime::ZERO }
    }

    /// The words of the question so far, as far as they can be relied on, and whether they may be all: in a pause all of them, else those that
    /// two readings agree on.
    fn words(&self) -> (&str, bool) {
        match &self.newest {
            Some((so_far, words)) if so_far.whole && self.under_way.is_none() => (words.trim(), true),
            _ => (self.stable.given(), false),
        }
    }

    fn known(&self, utterance: &Utterance) -> Known {
        let same = |so_far: &SoFar| so_far.samples == utterance.samples;
        match (&self.under_way, &self.newest) {
            (_, Some((so_far, words))) if same(so_far) => Known::Words(words.clone()),
            (Some((so_far, _)), _) if same(so_far) => Known::UnderWay,
            _ => Known::Nothing,
        }
    }
}

/// How long to wait for the end of a turn by what was said; `None` where silence alone decides.
#[must_use]
pub fn patience(turn: Option<&TurnDetection>) -> Option<Patience> {
    let turn = turn.filter(|t| t.kind == TurnKind::SemanticVad)?;
    let eagerness = match turn.eagerness {
        Some(wire::Eagerness::Low) => Eagerness::Low,
        Some(wire::Eagerness::High) => Eagerness::High,
        Some(wire::Eagerness::Medium | wire::Eagerness::Auto) | None => Eagerness::Medium,
    };
    Some(eagerness.patience())
}

impl Conversation {
    /// Speech goes on, or has paused, and is worth reading as far as it has come.
    pub(crate) fn on_so_far(&mut self, so_far: SoFar, now: MediaTime, out: &mut Vec<Output>) {
        // What has yet to prove that it is an interruption is read in another way.
        let Some(item_id) = self.speaking.clone().filter(|_| !self.is_hidden()).or_else(|| self.gathering()) else {
            return;
        };
        if self.reading.as_ref().is_none_or(|r| r.item_id != item_id) {
            self.drop_reading(out);
        }
        // They have said more since.
        self.discard_guess(out);
        let reading = self.reading.get_or_insert_with(|| Reading::new(item_id.clone()));
        // Readings of half a sentence take half of the device at most, and never the place of one that is under way; a pause may be the end.
        if !so_far.whole && (reading.under_way.is_some() || now < reading.not_before) {
            return;
        }
        out.push(Output::Read(ReadOrder::SoFar { item_id, sound: Arc::clone(&so_far.samples) }));
        reading.under_way = Some((so_far, now));
    }

    /// The id that the item of what a client gathers, to commit it itself, will have.
    fn gathering(&mut self) -> Option<String> {
        if self.config.audio.input.turn_detection.is_some() {
            return None;
        }
        let known = self.read_item();
        Some(known.unwrap_or_else(|| self.ids.next(IdKind::Item)))
    }

    /// The item whose words have been told before its sound was committed.
    pub(crate) fn read_item(&self) -> Option<String> {
        self.reading.as_ref().map(|r| r.item_id.clone())
    }

    /// What was said so far has been read.
    pub(crate) fn on_read_so_far(&mut self, read: ReadSoFar, now: MediaTime, out: &mut Vec<Output>) {
        let ReadSoFar { item_id, sound, result } = read;
        if let Some(turn) = self.spoken.iter_mut().find(|t| t.item_id == item_id) {
            // The turn ended meanwhile. This is all of it, unless it was given up before.
            if turn.before.awaited.take_if(|s| Arc::ptr_eq(s, &sound)).is_some() {
                match result {
                    Ok(_) => self.on_transcribed(&item_id, result, now, out),
                    Err(_) => {
                        out.push(Output::Transcribe { item_id, sound: Sound::Pcm(sound) });
                    }
                }
            }
            return;
        }
        let Some(reading) = self.reading.as_mut().filter(|r| r.item_id == item_id) else { return };
        let Some((so_far, since)) = reading.under_way.take_if(|(s, _)| Arc::ptr_eq(&s.samples, &sound)) else { return };
        reading.not_before = now + now.since(since);
        let Ok(words) = result else { return };
        if let Some(patience) = patience(self.config.audio.input.turn_detection.as_ref()).filter(|_| so_far.whole) {
            let needed = patience.after(&words, reading.stable.goes_on(&words));
            let voiced_until = so_far.voiced_until;
            out.push(Output::Read(ReadOrder::NeedSilence { voiced_until, needed }));
        }
        let delta = reading.stable.read(&words);
        reading.newest = Some((so_far, words));
        if let Some(delta) = delta.filter(|_| self.config.audio.input.transcription.is_some()) {
            self.send(ServerBody::TranscriptionDelta { item_id, content_index: 0, delta }, out);
        }
        self.warm_question(now, out);
        self.guess(now, out);
    }

    /// Has the cache take in the question as far as it is known, while the person speaks.
    fn warm_question(&mut self, now: MediaTime, out: &mut Vec<Output>) {
        let Some(reading) = self.reading.as_mut().filter(|_| self.answers.is_empty()) else { return };
        let words = reading.words().0.to_owned();
        if words == reading.ahead {
            return;
        }
        if !words.starts_with(reading.ahead.as_str()) {
            out.push(Output::Read(ReadOrder::PrefillDiscarded));
        }
        reading.ahead = words;
        self.warm_at_once(now, out);
    }

    /// The words of a question that is being asked, and whether they may be all.
    pub(crate) fn asked_so_far(&self) -> (&str, bool) {
        self.reading.as_ref().map_or(("", false), Reading::words)
    }

    /// The speech has ended as `utterance`: what is known of it, and what was done with it before. `full`: nobody may wait for it to be read.
    pub(crate) fn end_reading(&mut self, utterance: &Utterance, full: bool, out: &mut Vec<Output>) -> (Known, Before) {
        let Some(reading) = self.reading.take() else { return (Known::Nothing, Before::default()) };
        let known = match reading.known(utterance) {
            Known::UnderWay if full => Known::Nothing,
            known => known,
        };
        if !matches!(known, Known::Words(_)) {
            self.discard_guess(out);
        }
        match &known {
            Known::Words(_) => out.push(Output::Read(ReadOrder::Reused { waited: false })),
            Known::UnderWay => {
                out.push(Output::Read(ReadOrder::Hurry));
                out.push(Output::Read(ReadOrder::Reused { waited: true }));
            }
            Known::Nothing => {}
        }
        if reading.under_way.is_some() && !matches!(known, Known::UnderWay) {
            out.push(Output::Read(ReadOrder::Drop));
        }
        let awaited = reading.under_way.filter(|_| matches!(known, Known::UnderWay)).map(|(so_far, _)| so_far.samples);
        (known, Before { stable: reading.stable, ahead: reading.ahead, awaited })
    }

    /// What is being said is thrown away.
    pub(crate) fn forget_speech(&mut self, out: &mut Vec<Output>) {
        (self.speaking, self.barge, self.stirring) = (None, None, None);
        self.drop_reading(out);
    }

    /// The speech came to nothing.
    pub(crate) fn drop_reading(&mut self, out: &mut Vec<Output>) {
        self.discard_guess(out);
        if self.reading.take().is_some_and(|r| r.under_way.is_some()) {
            out.push(Output::Read(ReadOrder::Drop));
        }
    }

    /// All words of a turn are known: gives out what is left of them where some were given out.
    pub(crate) fn rest_of_words(&mut self, item_id: &str, before: &Before, text: &str, out: &mut Vec<Output>) {
        let rest = before.stable.rest(text).filter(|_| self.config.audio.input.transcription.is_some());
        if let Some(rest) = rest {
            let (item_id, delta) = (item_id.to_owned(), rest.to_owned());
            self.send(ServerBody::TranscriptionDelta { item_id, content_index: 0, delta }, out);
        }
        if !text.starts_with(before.ahead.as_str()) {
            out.push(Output::Read(ReadOrder::PrefillDiscarded));
        }
    }
}
