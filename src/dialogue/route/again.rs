//! `Have I shown you this before?`: what is to be seen now is looked for in the past, by its looks and not by its name.

use super::text::{At, is_in};

const ASKS: &str = "have i shown you|have i ever shown you|have i already shown you|did i show you|did i ever show you|did i already show you|\
     have you seen|have you ever seen|have you already seen|did you see|did you ever see|did you already see|have we seen|did we see|\
     have we ever seen|have we had|have i had|have i held up|did i hold up|was|have you come across|do you recognise|do you recognize|have i shown";
const WHEN: &str = "when did i show you|when did i last show you|when did i first show you|when did you see|when did you last see|\
     when did you first see|when have you seen|when have i shown you|when was the last time i showed you|when was the last time you saw|\
     when was the first time you saw|when was the first time i showed you|how long ago did i show you|how long ago did you see";
const THIS: &str = "this|these|this one|this thing|this here|this object";
/// A pronoun points at what is shown only when nothing else is named.
const PRONOUN: &str = "it|that|him|her|them|that one";
const BEFORE: &str = "before|already|earlier|again|today|previously|yet";

/// Whether the thing before the camera is asked about. `words`: all of the question, without what leads to it.
pub(super) fn asks(words: &[String]) -> bool {
    let mut at = At::new(words, 0);
    let when = at.eat(WHEN);
    if !when && !at.eat(ASKS) {
        return false;
    }
    let recognises = words.len() > 2 && is_in(&words[2], "recognise|recognize");
    let this = at.sees(THIS);
    if !this && !at.sees(PRONOUN) {
        return false;
    }
    let rest = at.rest();
    let before = rest.last().is_some_and(|w| is_in(w, BEFORE)) || words.iter().any(|w| is_in(w, "already|ever"));
    // "Have you seen this letter to my aunt" asks for something else.
    let short = rest.len() <= 5;
    short && (before || this && (when || recognises)) && (this || rest.len() <= 2)
}

#[cfg(test)]
mod tests {
    use super::asks;

    #[test]
    fn what_is_pointed_at_and_was_before_is_meant_and_nothing_else() {
        let is = |text: &str| asks(&super::super::text::tidy(text));
        for yes in [
            "Have I shown you this before?",
            "Have you seen this cup before?",
            "did you already see this",
            "When did I last show you this?",
            "Have I already shown you this one?",
            "have you ever seen this thing",
            "Do you recognise this?",
            "have you seen it before",
            "Was this here before?",
        ] {
            assert!(is(yes), "{yes}");
        }
        for no in [
            "What is this?",
            "have you seen my cup before",
            "Did I show you a cup before?",
            "what did I show you before this",
            "have you seen it",
            "was it red before",
            "Did you see this on the news in the year before the war?",
            "When did you see the dog?",
        ] {
            assert!(!is(no), "{no}");
        }
    }
}
