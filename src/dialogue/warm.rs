//! When the prompt cache takes in what will stand before the next question.
//!
//! Floor 3, pure. A scene changes all the time and each time costs the model a prompt's end, so that is done where a question is coming: while somebody speaks or
//! types, and while nobody does as far as this client needs it. Whoever speaks gives time enough by speaking, and a client that tells of typing
//! (`input_text.typing`) by that; for the others the newest scene is taken in ever more rarely, but for one that writes without a word of warning not as rarely.

use std::time::Duration;

use super::conversation::Conversation;
use super::{Output, Prompt};
use crate::base::MediaTime;

/// Who asks nothing for so long after an answer is not about to: there is time to take in other turns than those shown so far. Whoever asks aloud gives that
/// time while he speaks.
const REST: Duration = Duration::from_secs(3);
/// Whoever typed within this time is still at it.
const TYPING: Duration = Duration::from_secs(10);
/// How often the time between two warm-ups for nobody doubles.
const DOUBLINGS: u32 = 5;

/// What the prompt cache was last made to hold.
#[derive(Default)]
pub(crate) struct Warmth {
    prompt: Option<Prompt>,
    /// Whether it was to be held before other work is done.
    hurried: bool,
    again_at: Option<MediaTime>,
    /// Warm-ups since somebody last asked or was answered: the more, the rarer they become.
    idle: u32,
    /// When the first of them was.
    since: Option<MediaTime>,
    /// When somebody last typed a part of a question.
    typed_at: Option<MediaTime>,
    /// Questions come in writing, and nothing tells of them before.
    unannounced: bool,
}

impl Warmth {
    /// When there is something to be done, even if nothing happens.
    pub(crate) const fn again_at(&self) -> Option<MediaTime> {
        self.again_at
    }
}

impl Conversation {
    /// Has the cache take in what will stand before the next question, while nobody waits for it.
    pub(crate) fn warm(&mut self, now: MediaTime, out: &mut Vec<Output>) {
        // What was asked for at leisure may still be waiting when somebody turns out to be asking.
        let waited = self.is_asking(now) && (self.warmth.idle > 1 || self.is_at_leisure());
        if self.answers.is_empty() && self.warmth.again_at.is_none_or(|at| now >= at || waited) {
            self.warm_at_once(now, out);
        }
    }

    /// The same, when it is time for it.
    pub(crate) fn warm_if_due(&mut self, now: MediaTime, out: &mut Vec<Output>) {
        if self.warmth.again_at.is_some_and(|at| at <= now) {
            self.warmth.again_at = None;
            self.warm(now, out);
        }
    }

    pub(crate) fn warm_at_once(&mut self, now: MediaTime, out: &mut Vec<Output>) {
        let soon = self.is_asking(now);
        let rested_at = *self.warmth.since.get_or_insert(now) + REST;
        // Whoever types a few words is done before other turns would be taken in.
        let prompt = self.warm_prompt(self.is_heard() || now >= rested_at, now);
        let rests_at = (now < rested_at && self.shows_too_many()).then_some(rested_at);
        // Whoever writes out of the blue may do so at any moment after an answer: what was said is taken in as if he were about to.
        let hurried = soon || (self.warmth.unannounced && self.warmth.idle == 0);
        if self.warmth.prompt.as_ref() == Some(&prompt) && !(hurried && self.is_at_leisure()) {
            self.warmth.again_at = rests_at;
            return;
        }
        self.warmth.hurried = hurried;
        self.warmth.idle = if soon { 0 } else { self.warmth.idle + 1 };
        let next_at = now + self.limits.warm_every * (1 << self.doublings());
        self.warmth.prompt = Some(prompt.clone());
        self.warmth.again_at = Some(rests_at.map_or(next_at, |at| at.min(next_at)));
        out.push(Output::Warm { prompt, soon: hurried });
    }

    /// Whether the cache was asked to hold something, but not soon.
    const fn is_at_leisure(&self) -> bool {
        self.warmth.prompt.is_some() && !self.warmth.hurried
    }

    /// How often the time up to the next warm-up has doubled. The first takes in the turn that is over, the second what the camera shows by then.
    fn doublings(&self) -> u32 {
        match self.warmth.idle {
            0 | 1 => 0,
            n if self.warmth.unannounced => (n - 1).min(DOUBLINGS),
            _ => DOUBLINGS,
        }
    }

    /// Somebody types: a question is coming.
    pub(crate) fn on_typing(&mut self, now: MediaTime, out: &mut Vec<Output>) {
        self.warmth.typed_at = Some(now);
        self.end_quiet();
        self.warm(now, out);
    }

    /// A question came in writing.
    pub(crate) fn note_written(&mut self, now: MediaTime) {
        self.warmth.unannounced |= !self.is_asking(now);
        self.warmth.typed_at = None;
    }

    /// Somebody speaks or types, or did so just now.
    fn is_asking(&self, now: MediaTime) -> bool {
        let typing = self.warmth.typed_at.is_some_and(|at| now.since(at) < TYPING);
        typing || self.is_heard()
    }

    /// Somebody speaks, or what was said is still being recognised.
    const fn is_heard(&self) -> bool {
        self.speaking.is_some() || self.reading.is_some()
    }

    /// The prompt cache holds something else now.
    pub(crate) fn forget_warmed(&mut self) {
        let Warmth { typed_at, unannounced, .. } = self.warmth;
        self.warmth = Warmth { typed_at, unannounced, ..Warmth::default() };
    }
}
