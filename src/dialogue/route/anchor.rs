//! Times that hang on another remembered thing: `before I showed the cup`, `while the phone rang`.

use super::Anchor;
use super::text::{At, MEDIA, is_in};
use crate::dialogue::{nouns, question};

const BEFORE: &str = "right before|just before|shortly before|immediately before|directly before|before";
const AFTER: &str = "right after|just after|shortly after|immediately after|directly after|straight after|after|once";
const DURING: &str =
    "at the same time as|at the moment when|at the moment|at the time when|at the time|while|whilst|when|during|as";
/// Where the question proper begins behind a clause of time.
const ASKS: &str = "what|who|where|which|how|did|was there|were there|is there|have you|have i|do you|was the|was i|was it|were you|were the|tell me";
const PRONOUNS: &str = "i|you|we|he|she|they";
const AUXILIARY: &str = "was|were|had|have|did|am|are|just|first|last|then|still|only|have been|had been";
const PARTICLES: &str = "up|down|away|out|off|in|on|you|to|me|back|at|with|for|into|over|near|past|by";
/// Verbs behind the noun of a clause: `the phone rang`.
const VERBS: &str = "rang|came|left|appeared|fell|went|arrived|moved|turned|opened|closed|started|stopped|disappeared|walked|entered|\
     showed|began|broke|got|stood|sat|ran|flew|lit|beeped|barked|spoke|said|ended|passed|changed|died|rings|comes|landed|became|\
     hit|put|took|drove|knocked|jumped|rolled|dropped";

/// The anchor and its words, from the first to after the last; no anchor when the clause names nothing that can be found again.
pub(super) struct Found {
    pub(super) anchor: Option<Anchor>,
    /// It is a text that was read.
    pub(super) read: bool,
    pub(super) from: usize,
    pub(super) to: usize,
}

/// The first clause of time that hangs on something else.
pub(super) fn find(words: &[String]) -> Option<Found> {
    (0..words.len()).find_map(|from| clause(words, from))
}

fn clause(words: &[String], from: usize) -> Option<Found> {
    let mut at = At::new(words, from);
    let make: fn(String) -> Anchor = match () {
        () if at.eat(BEFORE) => Anchor::Before,
        () if at.eat(AFTER) => Anchor::After,
        () if at.eat(DURING) => Anchor::During,
        () => return None,
    };
    let joiner = words[at.i - 1].as_str();
    // "When did …" asks when; "as" and "once" have other uses, and so has "the look after".
    let asks_when = joiner == "when" && at.sees("did|was|were|have|had|is|are|do|does|has|will");
    let other_use = is_in(joiner, "as|once") && !at.sees(PRONOUNS) && !at.sees("the|my");
    if asks_when || other_use || at.is_end() || at.sees("all|that|this time|you answer|long") && joiner != "when" {
        return None;
    }
    let least = at.i + 2;
    let to = if from == 0 {
        (least..words.len()).find(|i| At::new(words, *i).sees(ASKS)).unwrap_or(words.len())
    } else {
        words.len()
    };
    if let Some(text) = text_of(&words[at.i..to]) {
        return Some(Found { anchor: Some(make(text)), read: true, from, to });
    }
    let thing = thing(&words[at.i..to], joiner);
    // "When" alone in front of nothing that was is no time: "when you look at this".
    if thing.is_none() && from == 0 && to == words.len() {
        return None;
    }
    Some(Found { anchor: thing.map(make), read: false, from, to })
}

/// What could be read: `the sign said wet paint` → `wet paint`.
fn text_of(clause: &[String]) -> Option<String> {
    let mut at = At::new(clause, 0);
    at.eat("the|a|my|this|that|it");
    at.eat(MEDIA);
    let said = at.i > 0 && at.eat("said|says|read|reads|showed the word|showed the words|showed the text|had the word|had the words|displayed");
    let rest = at.rest();
    (said && !rest.is_empty() && rest.len() <= 8 && !at.sees("that|it|to|by|out")).then(|| rest.join(" "))
}

/// The thing of a clause: `i was holding the book` → `book`.
fn thing(clause: &[String], joiner: &str) -> Option<String> {
    let mut at = At::new(clause, 0);
    if at.eat(PRONOUNS) {
        while at.eat(AUXILIARY) {}
        at.i += 1;
        while at.eat(PARTICLES) {}
        // "While I was away": nothing to hold on to.
        if at.is_end() || (joiner == "while" && at.is_end()) {
            return None;
        }
    }
    let rest = &clause[at.i.min(clause.len())..];
    let first_noun = rest.iter().position(|w| !is_in(w, "the|a|an|my|your|his|her|our|their|that|this|some"))?;
    let is_verb = |w: &String| {
        is_in(w, VERBS) || (w.ends_with("ed") && w.len() > 4) || (w.ends_with("ing") && !nouns::is_known(w))
    };
    let end = rest.iter().enumerate().skip(first_noun + 1).find(|(_, w)| is_verb(w)).map_or(rest.len(), |(i, _)| i);
    let noun = question::noun_phrase(&rest[..end].join(" "))?;
    let vain = is_in(
        &noun,
        "it|me|us|you|i|that|this|him|them|something|thing|session|call|video|time|here|there|now|away|gone|we|they",
    );
    (!vain).then_some(noun)
}
