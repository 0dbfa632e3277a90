//! What an answer is given from: what was asked, what there is to see, and the prompt that follows.

use std::sync::Arc;

use super::answer::Answer;
use super::conversation::Conversation;
use super::ground::Ground;
use super::items::{Item, Picture};
use super::prompt_build::{self, Asked, Basis, Built, Sight};
use super::recall_turn::Plan;
use super::window::Width;
use super::{Output, Prompt, VideoState, tools};
use crate::base::MediaTime;

impl Conversation {
    /// What an answer is to answer: the items of the person since the last answer, or those that came with the request.
    pub(crate) fn asked(&self, answer: &Answer) -> Asked {
        let own = answer.own.as_ref();
        let items: Vec<&Item> = match own {
            Some(own) => own.iter().collect(),
            None => self.items.for_the_model().filter(|i| i.view.id != answer.item_id).collect(),
        };
        Asked::from_items(&items)
    }

    /// What there is to see for it: the picture that came with it, else the camera, else the last picture that came.
    pub(crate) fn sight<'a>(&'a self, asked: &'a Asked) -> Sight<'a> {
        let live = self.video != VideoState::None;
        match (&asked.picture, self.video, &self.scene, &asked.earlier_picture) {
            (Some(Picture::Seen(facts)), ..) => Sight::Picture(facts),
            (Some(Picture::Failed), ..) => Sight::PictureFailed,
            (Some(Picture::Pending(_)), ..) => Sight::PictureLate,
            (None, VideoState::Live, Some(facts), _) => Sight::Live(facts),
            (None, _, _, Some(Picture::Seen(facts))) if !live => Sight::Picture(facts),
            (None, VideoState::Live | VideoState::Waiting, ..) => Sight::NotYet,
            (None, VideoState::Lost, ..) => Sight::Lost,
            (None, VideoState::None, ..) => Sight::None,
        }
    }

    /// The prompt of an answer, from memory or from what is to be seen now; tells clients which.
    pub(crate) fn build_prompt(&mut self, i: usize, now: MediaTime, out: &mut Vec<Output>) -> Built {
        let answer = &self.answers[i];
        let asked = match &answer.plan {
            Plan::Announce(words) => Asked { question: words.clone(), ..Asked::default() },
            _ => self.asked(answer),
        };
        let instructions = answer.instructions.clone().unwrap_or_else(|| self.config.instructions.clone());
        let count = Arc::clone(&self.count);
        self.plan_with_tools(i, &asked, now, out);
        let told = match &self.answers[i].plan {
            Plan::Call(_) => None,
            _ => self.from_memory(i, &asked, now, out),
        };
        // What is asked beside the conversation has turns of its own.
        if self.answers[i].own.is_none() {
            self.stay_with(&asked);
        }
        let (ground, lines) = told.map(|told| (told.ground, told.lines)).unzip();
        let sight = lines.as_deref().map_or_else(|| self.sight(&asked), Sight::Memory);
        let budget = self.limits.prompt_tokens;
        let turns = self.turns_shown(&asked);
        let basis = Basis { instructions: &instructions, asked: &asked, sight, now, budget, turns, count: &*count };
        match (&self.answers[i].plan, ground) {
            (Plan::Call(offer), _) => tools::build(offer, basis),
            (_, Some(ground)) => prompt_build::build_on(ground, basis),
            (_, None) => prompt_build::build(basis),
        }
    }

    /// Whether more turns are shown than should be: what is shown instead is to be computed when nobody waits.
    pub(crate) fn shows_too_many(&self) -> bool {
        self.items.window.is_full(&self.asked_ahead().turns, self.turns_width())
    }

    /// The prompts that follow begin with the turns that this one shows.
    fn stay_with(&mut self, asked: &Asked) {
        self.items.window.stay(&asked.turns, self.turns_width());
    }

    /// How many of the earlier turns a prompt shows.
    pub(crate) fn turns_shown(&self, asked: &Asked) -> usize {
        self.items.window.shown(&asked.turns, self.turns_width())
    }

    fn turns_width(&self) -> Width {
        if self.is_shallow() { prompt_build::FEWER_TURNS } else { prompt_build::TURNS }
    }

    /// What the next prompt will begin with. `rested`: there is time to take in other turns than those of the prompt before.
    pub(crate) fn warm_prompt(&mut self, rested: bool, now: MediaTime) -> Prompt {
        let asked = self.asked_ahead();
        if rested {
            self.items.window.move_on(&asked.turns, self.turns_width());
        }
        self.stay_with(&asked);
        let (said, all) = self.asked_so_far();
        let basis = self.ahead_basis(&asked, now);
        match (said, all) {
            ("", _) => prompt_build::warm(basis),
            // As far as the question is known: nothing that follows from all of it.
            (_, false) => prompt_build::build_on(Ground::supported("", ""), basis).prompt,
            // It may be all that is asked: then this is the prompt, if the question is not about the past.
            (_, true) => prompt_build::build(basis).prompt,
        }
    }
}
