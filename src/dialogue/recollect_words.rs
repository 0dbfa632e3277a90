//! What memory has to say about words: those that could be read, and those that were said.

use std::time::Duration;

use super::ground::capital;
use super::past_words::{distance, is_question, same_word, stamp};
use super::question::{self, Ask};
use super::recollect::{Recall, Recollected};
use super::route::Routed;
use super::things;
use crate::base::MediaTime;
use crate::memory::{Hit, Order, Said, SeenText, Speaker, stands_in};

/// Lines told at once.
const MOST_LINES: usize = 4;
/// Lines that were there within this of each other were there together: a still scene is looked at every five seconds, and not every look
/// reads every line.
const TOGETHER: Duration = Duration::from_secs(6);

/// What the person told about a thing that cannot be seen; `None` unless all of the question's words were in it.
pub(crate) fn recollect_told(routed: &Routed, hits: &[Hit], now: MediaTime) -> Option<Recollected> {
    let told = Recall { routed, hits, now, moment: false }.said_of(routed.content.len().max(1))?;
    Some(told)
}

/// Whether all of the words stand in a line.
pub(crate) fn same_text(line: &str, words: &[String]) -> bool {
    !words.is_empty() && words.iter().all(|w| stands_in(line, w))
}

impl Recall<'_> {
    pub(crate) fn read(&self) -> Recollected {
        let mut order: Vec<usize> = (0..self.hits.len()).filter(|i| !self.hits[*i].digest.texts.is_empty()).collect();
        match self.routed.order {
            Order::First => order.sort_by_key(|i| self.hits[*i].span.start),
            Order::Last => order.sort_by_key(|i| std::cmp::Reverse(self.hits[*i].span.end)),
            Order::Best => match (self.asked_time(), self.routed.span) {
                (Some(at), _) => order.sort_by_key(|i| distance(self.hits[*i].span, at)),
                // Without a time the last one is meant.
                (None, None) if self.routed.content.is_empty() || self.hits.len() == 1 => {
                    order.sort_by_key(|i| std::cmp::Reverse(self.hits[*i].span.end));
                }
                _ => {}
            },
        }
        let Some(&hit) = order.first() else {
            return self.nothing("readable text", "I did not see any text that I could read");
        };
        let texts: Vec<_> = self.texts_of(hit).into_iter().map(|t| things::tame(&t.text, 60)).collect();
        let (joined, head) = (texts.join(" / "), self.head(hit));
        Recollected::found(format!("{head} it said \"{joined}\"."), format!("{head} it said \"{joined}\""), vec![hit])
    }

    /// The lines of a hit; nearest to the time that was asked for first, and only those that were there together with it.
    fn texts_of(&self, hit: usize) -> Vec<&SeenText> {
        let mut texts: Vec<&SeenText> = self.hits[hit].digest.texts.iter().collect();
        let at = match (self.asked_time(), self.routed.order) {
            (Some(at), _) => Some(at),
            (None, Order::Last) => texts.iter().map(|t| t.last).max(),
            (None, Order::First) => texts.iter().map(|t| t.first).min(),
            (None, Order::Best) => None,
        };
        if let Some(at) = at {
            let off = |t: &SeenText| t.first.since(at).max(at.since(t.last));
            let least = texts.iter().map(|t| off(t)).min().unwrap_or_default();
            // A moment that was named is one of the two sides of a change; "before that" is not.
            let slack = if self.asked_time().is_some() { Duration::ZERO } else { TOGETHER };
            texts.retain(|t| off(t) <= least + slack);
        }
        texts.truncate(MOST_LINES);
        texts
    }

    /// Whether and when certain words were read.
    pub(crate) fn quoted(&self) -> Recollected {
        let words = &self.routed.quoted;
        let quote = things::tame(&words.join(" "), 60);
        // Words of one sign may have been read as several lines.
        let holds = |h: &Hit| {
            let all: Vec<&str> = h.digest.texts.iter().map(|t| t.text.as_str()).collect();
            same_text(&all.join(" "), words)
        };
        let Some(hit) = self.hits.iter().position(holds) else {
            return Recollected::missing(
                format!("the text \"{quote}\""),
                format!("I did not read \"{quote}\" anywhere"),
            );
        };
        let texts = &self.hits[hit].digest.texts;
        let line = texts.iter().find(|t| same_text(&t.text, words)).or_else(|| texts.first());
        let (first, last) = line.map_or((MediaTime::ZERO, MediaTime::ZERO), |t| (t.first, t.last));
        let read = line.map_or_else(|| quote.clone(), |t| things::tame(&t.text, 60));
        let at = if self.routed.order == Order::First { first } else { last };
        let yes = if self.routed.when { "" } else { "Yes, " };
        let prefix = format!("{yes}I read \"{read}\" {}, at {} of our session", self.ago(at), stamp(at));
        Recollected::found(format!("{prefix}."), prefix, vec![hit])
    }

    /// `What was my flight number`: nothing that is seen; if it was told in so many words, that is the answer.
    pub(crate) fn told(&self, ask: &Ask) -> Option<Recollected> {
        let unseen = matches!(
            ask,
            Ask::Identify | Ask::IdentifyKind(_) | Ask::General | Ask::Open | Ask::Attribute(_) | Ask::Who
        );
        let mine = question::words(&self.routed.about).iter().any(|w| ["my", "our", "i"].contains(&w.as_str()));
        (unseen && mine && !self.routed.content.is_empty()).then(|| self.said_of(self.routed.content.len()))?
    }

    /// What the person said that bears on the question.
    pub(crate) fn said(&self) -> Option<Recollected> {
        self.said_of(0)
    }

    /// The same, if it shares at least so many words with the question.
    pub(crate) fn said_of(&self, least: usize) -> Option<Recollected> {
        let mut best: Option<(usize, usize, &Said)> = None;
        for (hit, h) in self.hits.iter().enumerate() {
            for line in h.said.iter().filter(|s| s.who == Speaker::Person) {
                let words = question::words(&line.text);
                let shared = self.routed.content.iter().filter(|w| words.iter().any(|x| same_word(w, x))).count();
                let later = best.is_none_or(|(most, _, b)| (shared, line.at) > (most, b.at));
                if later && !is_question(&line.text) {
                    best = Some((shared, hit, line));
                }
            }
        }
        let (shared, hit, line) = best.filter(|(shared, ..)| *shared >= least)?;
        if shared == 0 && !(self.routed.said && (self.routed.content.is_empty() || self.routed.span.is_some())) {
            return None;
        }
        let words = things::tame(line.text.trim_end_matches(['.', '!']), 160);
        let ago = self.ago(line.at);
        Some(Recollected::found(
            format!("{} the person said: \"{words}\".", capital(&ago)),
            format!("You told me {ago}: \"{words}\""),
            vec![hit],
        ))
    }
}
