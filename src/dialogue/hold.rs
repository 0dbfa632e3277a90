//! What comes of an answer while nobody knows whether it is being interrupted: it is held back, then told in its order, or never.
//!
//! So a client that is told of an interruption has neither heard nor read anything that was made after the person began to speak, and the
//! conversation keeps exactly that.

use std::collections::VecDeque;
use std::time::Duration;

use super::conversation::Conversation;
use super::{EngineEvent, Output, Voiced};
use crate::base::MediaTime;
use crate::listen::Judge;

/// Nothing is held back for longer, whatever the listener says or does not say.
const LONGEST: Duration = Duration::from_millis(1_400);

/// What is to be done with sound that is being played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldOrder {
    /// Stand still: nobody knows yet whether the person interrupts.
    Begin,
    /// Go on where it stood.
    End {
        /// How long it stood still.
        after: Duration,
    },
    /// For metrics: it was an interruption, and nothing goes on.
    Stopped {
        /// How long it stood still before that was known.
        after: Duration,
    },
}

/// See the head of this file. Bounded: an answer has a bound of its own, its words in a row are kept as one, and the voice is at one piece of
/// each answer.
#[derive(Debug, Default)]
pub(crate) struct Hold {
    since: Option<MediaTime>,
    news: VecDeque<News>,
}

/// What came meanwhile.
#[derive(Debug)]
enum News {
    Engine { response_id: String, event: EngineEvent },
    Voiced { response_id: String, piece: u32, result: Result<Voiced, String> },
}

impl Hold {
    fn keep(&mut self, news: News) {
        if let News::Engine { response_id, event: EngineEvent::Delta { text } } = &news
            && let Some(News::Engine { response_id: last, event: EngineEvent::Delta { text: before } }) =
                self.news.back_mut()
            && last == response_id
        {
            return before.push_str(text);
        }
        self.news.push_back(news);
    }
}

impl Conversation {
    /// Whether an answer is held back at present, in words and in sound.
    #[must_use]
    pub fn holds_back(&self) -> bool {
        self.hold.since.is_some()
    }

    /// When it goes on by itself.
    pub(crate) fn hold_deadline(&self) -> Option<MediaTime> {
        self.hold.since.map(|at| at + LONGEST)
    }

    /// Holds back or goes on, as the judge of what is being said thinks. Speech that has ended is not doubted any more: its words take longer
    /// than anybody should be kept waiting.
    pub(crate) fn hold_or_go_on(&mut self, now: MediaTime, out: &mut Vec<Output>) {
        if self.hold_deadline().is_some_and(|at| at <= now) {
            self.stirring = None;
            if let Some(barge) = &mut self.barge {
                barge.let_pass();
            }
        }
        let stirs = self.stirring.as_ref().is_some_and(Judge::is_doubtful);
        let wanted = (stirs || self.barge.as_ref().is_some_and(super::barge::Barge::is_doubtful)) && self.is_talking();
        match (wanted, self.holds_back()) {
            (true, false) => {
                self.hold.since = Some(now);
                self.playout.hold(now);
                out.push(Output::Hold(HoldOrder::Begin));
            }
            (false, true) => self.end_hold(now, out),
            _ => {}
        }
    }

    /// The answer goes on: everything that came meanwhile is told now, in its order.
    fn end_hold(&mut self, now: MediaTime, out: &mut Vec<Output>) {
        let Some(since) = self.hold.since.take() else { return };
        self.playout.go_on(now);
        out.push(Output::Hold(HoldOrder::End { after: now.since(since) }));
        for news in std::mem::take(&mut self.hold.news) {
            match news {
                News::Engine { response_id, event } => self.on_engine(&response_id, event, now, out),
                News::Voiced { response_id, piece, result } => self.on_voiced(&response_id, piece, result, now, out),
            }
        }
        self.say_on_all(now, out);
    }

    /// It was an interruption: what came meanwhile never came. What is being played stays where it stood, for the cut to be made there.
    pub(crate) fn drop_held(&mut self, now: MediaTime, out: &mut Vec<Output>) {
        self.hold.news.clear();
        if let Some(since) = self.hold.since.take() {
            out.push(Output::Hold(HoldOrder::Stopped { after: now.since(since) }));
        }
    }

    /// News of an answer of the conversation wait while it is held back; those of others come back to be told.
    pub(crate) fn hold_engine(&mut self, response_id: String, event: EngineEvent) -> Option<(String, EngineEvent)> {
        let ours = self.answers.iter().any(|a| a.work_id == response_id && a.in_conversation);
        if !ours || !self.holds_back() {
            return Some((response_id, event));
        }
        self.hold.keep(News::Engine { response_id, event });
        None
    }

    /// The same for sound.
    pub(crate) fn hold_voiced(
        &mut self,
        response_id: String,
        piece: u32,
        result: Result<Voiced, String>,
        now: MediaTime,
        out: &mut Vec<Output>,
    ) {
        if self.holds_back() && self.answers.iter().any(|a| a.id == response_id && a.in_conversation) {
            return self.hold.keep(News::Voiced { response_id, piece, result });
        }
        self.on_voiced(&response_id, piece, result, now, out);
    }
}
