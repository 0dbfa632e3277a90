//! An answer begun at the probable end of a turn, before it is known that the turn is over.
//!
//! Nobody is told of it. If the turn ends with those words and nothing else has changed, its beginning is there already; if the person goes on,
//! it never was. One at a time, of questions about what is to be seen now or about nothing to be seen, whose answer changes nothing.

use super::conversation::Conversation;
use super::prompt_build::{self, Asked, Basis};
use super::route::Route;
use super::sentence::cut_to;
use super::{EngineEvent, Output, Prompt, ReadOrder, VideoState};
use crate::base::MediaTime;
use crate::listen::{Ending, ending};
use crate::wire::{IdKind, SessionKind};

/// What is to be done about it.
#[derive(Debug, Clone)]
pub enum GuessOrder {
    /// Begin an answer and stop after some words, until it is [`Self::Adopt`]ed; news come as [`super::Input::Engine`]. Others go first.
    Begin {
        /// For its news.
        work_id: String,
        /// As of [`Output::Generate`].
        prompt: Prompt,
        /// As of [`Output::Generate`].
        max_tokens: u32,
    },
    /// It is the answer: go on with it as with any.
    Adopt {
        /// Which.
        work_id: String,
    },
    /// It is not.
    Discard {
        /// Which.
        work_id: String,
    },
}

/// See the head of this file. Small: the engine stops after some words.
#[derive(Debug)]
pub(crate) struct Guess {
    work_id: String,
    prompt: Prompt,
    max_tokens: u32,
    news: Vec<EngineEvent>,
}

impl Guess {
    /// Whether it is the beginning of an answer to exactly this.
    fn is_for(&self, prompt: &Prompt, max_tokens: u32) -> bool {
        self.prompt == *prompt && self.max_tokens == max_tokens
    }
}

impl Conversation {
    /// Begins an answer to what was said so far, if it may be all, and discards the one that was begun to something else.
    pub(crate) fn guess(&mut self, now: MediaTime, out: &mut Vec<Output>) {
        let Some((prompt, max_tokens)) = self.guessable(now, out) else { return self.discard_guess(out) };
        if self.guess.as_ref().is_some_and(|g| g.is_for(&prompt, max_tokens)) {
            return;
        }
        self.discard_guess(out);
        let work_id = self.ids.next(IdKind::Response);
        let order = GuessOrder::Begin { work_id: work_id.clone(), prompt: prompt.clone(), max_tokens };
        out.push(Output::Read(ReadOrder::Guess(order)));
        self.guess = Some(Guess { work_id, prompt, max_tokens, news: Vec::new() });
    }

    /// The prompt that the turn would be answered with if it were over, where nothing has to be done or waited for before.
    fn guessable(&mut self, now: MediaTime, out: &mut Vec<Output>) -> Option<(Prompt, u32)> {
        let answers = self.config.audio.input.turn_detection.as_ref().is_some_and(|t| t.create_response);
        let busy = !(self.answers.is_empty() && self.asides.is_empty() && self.spoken.is_empty());
        let allowed = self.limits.answer_ahead && answers && self.config.kind != SessionKind::Transcription;
        if busy || !allowed || !self.config.tools.is_empty() {
            return None;
        }
        let (said, true) = self.asked_so_far() else { return None };
        if said.is_empty() || ending(said) == Ending::Hanging {
            return None;
        }
        let asked = self.asked_ahead();
        if asked.awaits_words
            || asked.picture.is_some()
            || !asked.results.is_empty()
            || self.waits_for_look(&asked, now, out)
        {
            return None;
        }
        let routed = self.routed(&asked.question, now);
        let now_or_nothing = matches!(routed.route, Route::Now | Route::NotVisual) && routed.command.is_none();
        if !now_or_nothing || self.told_before(&routed, &asked, now).is_some() {
            return None;
        }
        let mut prompt = prompt_build::build(self.ahead_basis(&asked, now)).prompt;
        let max_tokens = self.config.max_output_tokens.within(self.answer_limit()).max(1);
        cut_to(&mut prompt.answer_prefix, max_tokens as usize, &*self.count);
        Some((prompt, max_tokens))
    }

    /// Whether its answer would wait for a look, which is begun then.
    fn waits_for_look(&mut self, asked: &Asked, now: MediaTime, out: &mut Vec<Output>) -> bool {
        if !asked.is_visual() || self.video != VideoState::Live {
            return false;
        }
        self.look_if_stale(now, out);
        self.live_look.is_some() || asked.reads()
    }

    /// What was asked before, and what is being asked.
    pub(crate) fn asked_ahead(&self) -> Asked {
        let items: Vec<_> = self.items.for_the_model().collect();
        let mut asked = Asked::from_items(&items);
        prompt_build::join(&mut asked.question, self.asked_so_far().0);
        asked
    }

    /// What a prompt for it is made from.
    pub(crate) fn ahead_basis<'a>(&'a self, asked: &'a Asked, now: MediaTime) -> Basis<'a> {
        let (instructions, sight) = (&self.config.instructions, self.sight(asked));
        Basis {
            instructions,
            asked,
            sight,
            now,
            budget: self.limits.prompt_tokens,
            turns: self.turns_shown(asked),
            count: &*self.count,
        }
    }

    /// News of it wait; those of answers come back.
    pub(crate) fn keep_guessed(&mut self, id: String, event: EngineEvent) -> Option<(String, EngineEvent)> {
        let Some(guess) = self.guess.as_mut().filter(|g| g.work_id == id) else { return Some((id, event)) };
        match (event, guess.news.last_mut()) {
            (EngineEvent::Failed { .. }, _) => self.guess = None,
            (EngineEvent::Delta { text }, Some(EngineEvent::Delta { text: before })) => before.push_str(&text),
            (event, _) => guess.news.push(event),
        }
        None
    }

    /// An answer of the conversation is to be made with this prompt: what is there of it, and by what the engine knows it.
    pub(crate) fn adopt(
        &mut self,
        prompt: &Prompt,
        max_tokens: u32,
        out: &mut Vec<Output>,
    ) -> Option<(String, Vec<EngineEvent>)> {
        let guess = self.guess.take_if(|g| g.is_for(prompt, max_tokens));
        let Some(Guess { work_id, news, .. }) = guess else {
            self.discard_guess(out);
            return None;
        };
        out.push(Output::Read(ReadOrder::Guess(GuessOrder::Adopt { work_id: work_id.clone() })));
        Some((work_id, news))
    }

    /// It is not the answer.
    pub(crate) fn discard_guess(&mut self, out: &mut Vec<Output>) {
        if let Some(Guess { work_id, .. }) = self.guess.take() {
            out.push(Output::Read(ReadOrder::Guess(GuessOrder::Discard { work_id })));
        }
    }

    /// Nothing is asked any more that it could be the answer to.
    pub(crate) fn drop_idle_guess(&mut self, out: &mut Vec<Output>) {
        if self.reading.is_none() && self.answers.is_empty() && self.spoken.is_empty() {
            self.discard_guess(out);
        }
    }
}
