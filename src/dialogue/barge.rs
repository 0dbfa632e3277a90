//! Speech that begins during an answer. It is held back from the wire until it has proved to be an interruption: clients throw away the
//! answer's sound when they are told that somebody speaks.

use std::sync::Arc;
use std::time::Duration;

use super::Output;
use super::conversation::{Conversation, SpokenTurn};
use crate::base::MediaTime;
use crate::listen::{Evidence, Interjection, InterruptConfig, Judge, Utterance, Verdict, weigh};
use crate::wire::{ItemRole, ServerBody};

/// Speech of which the listener tells nothing more is taken for an interruption after this.
const UNHEARD: Duration = Duration::from_millis(700);
/// A stretch of voice with no more than this behind it has just begun.
const JUST_BEGUN: Duration = Duration::from_millis(160);
/// Silence after which a sound that the listener never called speech was none.
const STIRRED: Duration = Duration::from_millis(96);

/// Speech during an answer, still going on.
#[derive(Debug, Clone)]
pub(crate) struct Barge {
    item_id: String,
    judge: Judge,
    /// Clients know of it: it began before the answer did.
    announced: bool,
    /// When to take it for an interruption if the listener says nothing.
    unheard: Option<MediaTime>,
    /// An early reading is under way.
    reading: bool,
}

/// Speech during an answer that ended before it had proved anything: its words will.
#[derive(Debug, Clone)]
pub(crate) struct Aside {
    judge: Judge,
    end: MediaTime,
    turn: SpokenTurn,
}

impl Barge {
    /// Whether it may be an interruption, so that the answer is held back.
    pub(crate) fn is_doubtful(&self) -> bool {
        self.judge.is_doubtful()
    }

    /// It was doubted for too long.
    pub(crate) fn let_pass(&mut self) {
        self.judge.let_pass();
    }
}

impl Conversation {
    /// Whether the listener should tell what it hears: [`super::Input::Voice`].
    #[must_use]
    pub fn attends(&self) -> bool {
        self.barge.is_some() || self.is_talking()
    }

    /// Whether an answer is under way, or what was said of it is still to be heard.
    pub(crate) fn is_talking(&self) -> bool {
        self.playout.is_sounding() || self.answers.iter().any(|a| a.in_conversation)
    }

    /// Whether somebody speaks of whom clients have not been told.
    pub(crate) fn is_hidden(&self) -> bool {
        self.barge.as_ref().is_some_and(|b| !b.announced)
    }

    /// When an undecided barge is decided without the listener.
    pub(crate) fn barge_deadline(&self) -> Option<MediaTime> {
        self.barge.as_ref().and_then(|b| b.unheard)
    }

    /// Speech began: true when it has to prove itself first.
    pub(crate) fn begin_barge(&mut self, item_id: &str, at: MediaTime, now: MediaTime) -> bool {
        let stirring = self.stirring.take();
        if !self.is_talking() {
            return false;
        }
        let judge = stirring.unwrap_or_else(|| Judge::new(InterruptConfig::default(), at));
        let item_id = item_id.to_owned();
        self.barge = Some(Barge { item_id, judge, announced: false, unheard: Some(now + UNHEARD), reading: false });
        true
    }

    /// What the listener hears while somebody speaks, up to `at`; `sound` when it is worth reading early.
    pub(crate) fn on_voice(
        &mut self,
        evidence: Option<Evidence>,
        at: MediaTime,
        sound: Option<Arc<[f32]>>,
        now: MediaTime,
        out: &mut Vec<Output>,
    ) {
        self.barge_into_own_speech(evidence);
        self.stir(evidence, at);
        let Some(barge) = &mut self.barge else { return };
        barge.unheard = None;
        let verdict = barge.judge.hear(evidence, at);
        if let (Some(sound), Some(e), false, false) =
            (sound, evidence, barge.reading, matches!(verdict, Verdict::Real(_)))
        {
            barge.reading = true;
            out.push(Output::Overhear { item_id: barge.item_id.clone(), near: e.near, sound });
        }
        self.judged(verdict, now, out);
    }

    /// Near sound that the listener does not call speech yet: the answer waits from its first moments on.
    fn stir(&mut self, evidence: Option<Evidence>, at: MediaTime) {
        let interrupts = self.config.audio.input.turn_detection.as_ref().is_some_and(|t| t.interrupt_response);
        let free = self.speaking.is_none() && self.barge.is_none() && interrupts && self.is_talking();
        let judge = self.stirring.take();
        self.stirring = evidence.filter(|e| free && e.near <= JUST_BEGUN && e.silent < STIRRED).map(|e| {
            let mut judge = judge.unwrap_or_else(|| Judge::new(InterruptConfig::default(), e.onset));
            judge.hear(Some(e), at);
            judge
        });
    }

    /// A voice that sounded before the answer began, a television say, hides the beginning of another.
    fn barge_into_own_speech(&mut self, evidence: Option<Evidence>) {
        let interrupts = self.config.audio.input.turn_detection.as_ref().is_some_and(|t| t.interrupt_response);
        let fresh = evidence.filter(|e| e.near <= JUST_BEGUN);
        if let (None, Some(item_id), Some(e), true, true) =
            (&self.barge, &self.speaking, fresh, interrupts, self.attends())
        {
            let judge = Judge::new(InterruptConfig::default(), e.onset);
            let item_id = item_id.clone();
            self.barge = Some(Barge { item_id, judge, announced: true, unheard: None, reading: false });
        }
    }

    /// An early reading of the first `near` of what is being said.
    pub(crate) fn on_overheard(
        &mut self,
        item_id: &str,
        near: Duration,
        result: Result<String, String>,
        now: MediaTime,
        out: &mut Vec<Output>,
    ) {
        let aloud = self.words_aloud(now);
        if let Some(barge) = self.barge.as_mut().filter(|b| b.item_id == item_id) {
            barge.reading = false;
            if let Ok(words) = result {
                let verdict = barge.judge.read(&words, near, &aloud);
                self.judged(verdict, now, out);
            }
        } else if let (Some(i), Ok(words)) = (self.asides.iter().position(|a| a.turn.item_id == item_id), result)
            && let Verdict::Real(_) = self.asides[i].judge.read(&words, near, &aloud)
        {
            self.promote(i, now, out);
        }
    }

    fn judged(&mut self, verdict: Verdict, now: MediaTime, out: &mut Vec<Output>) {
        if let Verdict::Real(_) = verdict
            && let Some(barge) = self.barge.take()
        {
            let at = barge.judge.onset();
            out.push(Output::Judged { verdict, after: now.since(at) });
            if !barge.announced {
                self.send(
                    ServerBody::SpeechStarted { audio_start_ms: self.stream_ms(at), item_id: barge.item_id },
                    out,
                );
            }
            self.queued_turn = None;
            self.interrupt(at, now, out);
            self.warm(now, out);
        }
    }

    /// The listener has said nothing about a voice that goes on.
    pub(crate) fn barge_time_passed(&mut self, now: MediaTime, out: &mut Vec<Output>) {
        if self.barge_deadline().is_some_and(|at| at <= now) {
            self.judged(Verdict::Real(crate::listen::Proof::Voice), now, out);
        }
    }

    /// The speech ended. False when clients know of it already; then it goes on as any other turn.
    pub(crate) fn end_barge(&mut self, utterance: &Utterance, turn: SpokenTurn, out: &mut Vec<Output>) -> bool {
        let Some(barge) = self.barge.take().filter(|b| !b.announced) else { return false };
        let room = self.spoken.len() + self.asides.len() + self.looks_pending() < self.limits.pending;
        if room {
            let sound = super::Sound::Pcm(Arc::clone(&utterance.samples));
            out.push(Output::Transcribe { item_id: turn.item_id.clone(), sound });
            self.asides.push(Aside { judge: barge.judge, end: utterance.end, turn });
        }
        true
    }

    /// The words of an aside: it becomes a turn, or nothing. True when there is a turn to go on with.
    pub(crate) fn weigh_aside(&mut self, item_id: &str, words: &str, now: MediaTime, out: &mut Vec<Output>) -> bool {
        let Some(i) = self.asides.iter().position(|a| a.turn.item_id == item_id) else { return true };
        let aloud = self.words_aloud(now);
        let verdict = self.asides[i].judge.end(words, &aloud);
        let reply = weigh(words) == Interjection::Backchannel && self.has_asked();
        if matches!(verdict, Verdict::Real(_)) {
            self.promote(i, now, out);
        } else if reply && self.asides[i].judge.was_near() {
            self.announce_aside(i, now, out);
        } else {
            let aside = self.asides.remove(i);
            out.push(Output::Judged { verdict, after: now.since(aside.judge.onset()) });
            return false;
        }
        true
    }

    /// An aside has proved to be an interruption.
    fn promote(&mut self, i: usize, now: MediaTime, out: &mut Vec<Output>) {
        let (verdict, at) = (self.asides[i].judge.verdict(), self.asides[i].judge.onset());
        out.push(Output::Judged { verdict, after: now.since(at) });
        // Told in the order in which it would have been: the answer ends where the speech begins.
        self.announce_start(i, out);
        self.queued_turn = None;
        self.interrupt(at, now, out);
        self.announce_end(i, now, out);
    }

    fn announce_aside(&mut self, i: usize, now: MediaTime, out: &mut Vec<Output>) {
        self.announce_start(i, out);
        self.announce_end(i, now, out);
    }

    fn announce_start(&mut self, i: usize, out: &mut Vec<Output>) {
        let aside = &self.asides[i];
        let (audio_start_ms, item_id) = (self.stream_ms(aside.judge.onset()), aside.turn.item_id.clone());
        self.send(ServerBody::SpeechStarted { audio_start_ms, item_id }, out);
    }

    fn announce_end(&mut self, i: usize, now: MediaTime, out: &mut Vec<Output>) {
        let Aside { end, turn, .. } = self.asides.remove(i);
        let audio_end_ms = self.stream_ms(end);
        self.send(ServerBody::SpeechStopped { audio_end_ms, item_id: turn.item_id.clone() }, out);
        self.commit_turn(turn, now, out);
    }

    /// Whether the newest answer asks something, so that "yes" is a reply to it.
    pub(crate) fn has_asked(&self) -> bool {
        let ours = self.items.iter().rev().find(|i| i.is_from(ItemRole::Assistant));
        let under_way = self.answers.iter().find(|a| a.in_conversation && a.opened);
        under_way.map_or_else(|| ours.is_some_and(|i| asks(&i.words())), |a| asks(a.text()))
    }

    /// Words said into an answer that may not be interrupted, and that only show that somebody listens: they are not for the model.
    pub(crate) fn set_aside(&mut self, turn: &mut SpokenTurn, words: &str) {
        if turn.over_answer && weigh(words) == Interjection::Backchannel && !self.has_asked() {
            turn.answer = false;
            if let Some(item) = self.items.get_mut(&turn.item_id) {
                item.aside = true;
            }
        }
    }
}

fn asks(text: &str) -> bool {
    text.trim_end().ends_with('?')
}
