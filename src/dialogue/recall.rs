//! What memory is asked for a question about the past.
//!
//! In: a question as `route` understood it. Out: what is to be said, and the hits it rests on. The words of a question are not always words to
//! search by: `what did the sign say` looks for text and not for a sign, `what changed` for what happened and not for the word.

use std::time::Duration;

use super::conversation::Conversation;
use super::nouns;
use super::question::{self, Ask, analyse};
use super::recollect::{Question, Recollected, recollect};
use super::recollect_words::{recollect_told, same_text};
use super::route::text::{MEDIA, is_in};
use super::route::{Routed, route};
use crate::base::MediaTime;
use crate::memory::{Has, Hit, MOST_RECALLED, Order, Query, Span, Tier};
use crate::watch::Colour;

/// What lies this near a moment that was named is looked at first.
const NEAR: Duration = Duration::from_secs(10);
/// A stretch up to this long that is over is told as one moment, not as a list.
const MOMENT: Duration = Duration::from_secs(240);

/// What is searched for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Wanted {
    words: Vec<String>,
    /// All of them, not any.
    all: bool,
    /// Only where this was so. Words are searched for in what was read when it is [`Has::Text`].
    has: Option<Has>,
}

impl Wanted {
    fn of(routed: &Routed) -> Self {
        if !routed.quoted.is_empty() {
            return Self { words: routed.quoted.clone(), all: true, has: Some(Has::Text) };
        }
        if let Some(brighter) = routed.light {
            return Self { has: Some(Has::Light { brighter }), ..Self::default() };
        }
        if let Some(colour) = only_colour(routed) {
            return Self { has: Some(Has::Colour(colour)), ..Self::default() };
        }
        match analyse(&routed.about) {
            // "What did I say I have to buy": nothing that was read.
            _ if routed.said => Self { words: routed.content.clone(), ..Self::default() },
            Ask::Read => {
                let words = routed.content.iter().filter(|w| !is_in(w, MEDIA)).cloned();
                Self { words: words.collect(), all: false, has: Some(Has::Text) }
            }
            Ask::Change => Self::default(),
            _ => Self { words: routed.content.clone(), ..Self::default() },
        }
    }

    /// Whether names and meanings are compared too.
    fn by_name(&self) -> bool {
        !self.words.is_empty() && self.has.is_none()
    }
}

impl Conversation {
    /// How the question is meant in time.
    pub(crate) fn routed(&self, question: &str, now: MediaTime) -> Routed {
        route(question, &self.memory.when(now))
    }

    /// What memory finds for a question.
    pub(crate) fn recall(&self, routed: &Routed, intent: Option<&[f32]>, now: MediaTime) -> (Recollected, Vec<Hit>) {
        if routed.again {
            return self.recall_again(routed, now);
        }
        let mem_now = self.memory.time(now);
        let span = self.resolve(routed);
        let lost = routed.anchor.is_some() && span.is_none();
        let wanted = Wanted::of(routed);
        let mut hits = if lost { Vec::new() } else { self.hits(routed, &wanted, span, intent) };
        if hits.is_empty() && !lost && wanted.has.is_some() && !wanted.all && !wanted.words.is_empty() {
            // "The red sign": it is not written on it that it is red.
            hits = self.hits(routed, &Wanted { words: Vec::new(), ..wanted }, span, intent);
        }
        if !self.memory.setup.enabled {
            hits.retain(|h| h.tier == Tier::Live);
        }
        let moment = routed.about_time.is_some() || span.is_some_and(|s| s.length() <= MOMENT && s.end < mem_now);
        let routed = Routed { span, ..routed.clone() };
        let recollected = recollect(&Question { routed: &routed, moment, now: mem_now }, &hits, self.memory.watched());
        (recollected, hits)
    }

    fn hits(&self, routed: &Routed, wanted: &Wanted, span: Option<Span>, intent: Option<&[f32]>) -> Vec<Hit> {
        let fit = |label: &str| best_fit(&wanted.words, label);
        let query = Query {
            span,
            words: &wanted.words,
            text: intent.filter(|_| wanted.by_name()),
            image: None,
            fit: wanted.by_name().then_some(&fit),
            all: wanted.all,
            has: wanted.has,
            most: MOST_RECALLED,
            order: routed.order,
        };
        let memory = &self.memory.memory;
        // `Ten minutes ago` is about right: what lies near that moment is meant before what lies at the edges.
        if let Some(at) = routed.about_time.filter(|_| wanted.words.is_empty()) {
            let near = Span::new(at.saturating_sub(NEAR), at + NEAR);
            let hits = memory.recall(&Query { span: Some(near), ..query }).hits;
            if hits.iter().any(|h| !h.digest.is_empty() || !h.said.is_empty()) {
                return hits;
            }
        }
        memory.recall(&query).hits
    }

    /// What was told about a thing that cannot be seen now.
    pub(crate) fn recall_told(&self, routed: &Routed, now: MediaTime) -> Option<(Recollected, Vec<Hit>)> {
        let fit = |label: &str| best_fit(&routed.content, label);
        let query = Query {
            words: &routed.content,
            fit: Some(&fit),
            most: MOST_RECALLED,
            order: Order::Last,
            ..Query::default()
        };
        let hits = self.memory.memory.recall(&query).hits;
        let told = recollect_told(routed, &hits, self.memory.time(now))?;
        Some((told, hits))
    }

    /// The span of a question, with `before I showed the cup` resolved against what is remembered of the cup.
    fn resolve(&self, routed: &Routed) -> Option<Span> {
        let Some(anchor) = &routed.anchor else { return routed.span };
        let words = question::words(anchor.parts().0);
        let fit = |label: &str| best_fit(&words, label);
        let read = routed.anchor_read;
        let query = Query {
            words: &words,
            fit: (!read).then_some(&fit),
            all: read,
            has: read.then_some(Has::Text),
            most: 1,
            order: Order::Last,
            ..Query::default()
        };
        let hit = self.memory.memory.recall(&query).hits.into_iter().next()?;
        let thing = if read { text_span(&hit, &words) } else { thing_span(&hit, &fit) };
        routed.span_around(thing.unwrap_or(hit.span), self.memory.watched()?)
    }
}

/// `When did you last see something red`: a colour and no thing.
pub(crate) fn only_colour(routed: &Routed) -> Option<Colour> {
    let [word] = routed.content.as_slice() else { return None };
    let names_thing = matches!(
        analyse(&routed.about),
        Ask::Read | Ask::Change | Ask::Count(_) | Ask::ColourOf(_) | Ask::IsColour(..)
    );
    question::colour_word(word).filter(|_| !names_thing)
}

/// When the text was to be read that holds these words.
fn text_span(hit: &Hit, words: &[String]) -> Option<Span> {
    let text = hit.digest.texts.iter().find(|t| same_text(&t.text, words))?;
    Some(Span::new(text.first, text.last.max(text.first)))
}

/// When the thing was there that fits best.
fn thing_span(hit: &Hit, fit: &dyn Fn(&str) -> f32) -> Option<Span> {
    let rated = hit.digest.things.iter().map(|s| {
        let broader = s.broader.iter().map(|w| fit(w) * 0.9).fold(0.0, f32::max);
        (s, fit(&s.label).max(broader))
    });
    let (seen, _) = rated.filter(|(_, fit)| *fit > 0.0).max_by(|a, b| a.1.total_cmp(&b.1))?;
    Some(Span::new(seen.first, seen.last.max(seen.first)))
}

/// How well a label fits any of the content words, `0.0..=1.0`.
fn best_fit(words: &[String], label: &str) -> f32 {
    let fit = |w: &String| match nouns::fit(w, label, &[]) {
        Some(nouns::Fit::Same) => 1.0,
        Some(nouns::Fit::KindOf) => 0.8,
        Some(nouns::Fit::Narrower) => 0.3,
        None => 0.0_f32,
    };
    words.iter().map(fit).fold(0.0, f32::max)
}
