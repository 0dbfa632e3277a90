//! How well the words asked for fit what is known of an event.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, DefaultHasher};

use super::digest::{Digest, Seen};
use super::event::{Said, Speaker};
use super::text::{same_word, words};

/// Query words that count.
const MOST_WORDS: usize = 32;
/// A broader word fits a little less than the name itself.
const BROADER: f32 = 0.9;
/// What the person said, asked, and what we said. A question about the cup is no sighting of it, and our own answers even less.
const TOLD: f32 = 0.75;
const ASKED: f32 = 0.2;
const OURS: f32 = 0.25;
/// Words that begin a question, for speech recognition leaves the mark out.
const ASKING: &[&str] = &["what", "where", "when", "who", "how", "which", "why", "tell"];
/// Verbs that do, when one of these follows.
const ASKING_VERBS: &[&str] =
    &["is", "are", "do", "does", "did", "can", "could", "was", "were", "have", "has", "had", "will", "would"];
const SUBJECTS: &[&str] = &[
    "you",
    "i",
    "we",
    "they",
    "he",
    "she",
    "it",
    "there",
    "this",
    "that",
    "these",
    "those",
    "the",
    "a",
    "an",
    "any",
    "my",
    "your",
    "anyone",
    "anybody",
    "anything",
    "someone",
    "somebody",
    "something",
];

/// The caller's fit of one name, `0.0..=1.0`.
pub(super) type FitFn<'q> = &'q dyn Fn(&str) -> f32;

/// How a name fits.
#[derive(Debug, Clone, Copy, Default)]
struct Fit {
    fit: f32,
    words: u32,
}

/// The words of one recall. Names repeat from event to event, so each is looked at once; the hasher has no random seed.
pub(super) struct Lexicon<'q, 'm> {
    words: Vec<&'q str>,
    /// All of the words are wanted.
    all: bool,
    fit: Option<FitFn<'q>>,
    known: HashMap<&'m str, Fit, BuildHasherDefault<DefaultHasher>>,
}

impl fmt::Debug for Lexicon<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lexicon").field("words", &self.words).finish_non_exhaustive()
    }
}

impl<'q, 'm> Lexicon<'q, 'm> {
    pub(super) fn new(words: &'q [String], fit: Option<FitFn<'q>>, all: bool) -> Self {
        let words = words.iter().map(|w| w.trim()).filter(|w| !w.is_empty()).take(MOST_WORDS).collect();
        Self { words, all, fit, known: HashMap::default() }
    }

    /// Whether nothing is asked for by word.
    pub(super) fn is_empty(&self) -> bool {
        self.words.is_empty() && self.fit.is_none()
    }

    fn name(&mut self, name: &'m str) -> Fit {
        if let Some(known) = self.known.get(name) {
            return *known;
        }
        let fit = self.fit.map_or(0.0, |f| f(name));
        let fit = if fit.is_nan() { 0.0 } else { fit.clamp(0.0, 1.0) };
        let found = Fit { fit, words: self.line(name) };
        self.known.insert(name, found);
        found
    }

    /// Which of the words stand in a line, one bit each.
    fn line(&self, line: &str) -> u32 {
        let mut found = 0;
        for word in words(line) {
            for (i, asked) in self.words.iter().enumerate() {
                if same_word(word, asked) {
                    found |= 1 << i;
                }
            }
        }
        found
    }

    /// Which of the longer words and numbers stand in a line whose spaces were not read: `RECEPTION51`.
    fn run_together(&self, line: &str) -> u32 {
        let mut found = 0;
        for (i, asked) in self.words.iter().enumerate() {
            let number = asked.len() >= 2 && asked.bytes().all(|b| b.is_ascii_digit());
            if (number || asked.len() >= 4) && stands_in(line, asked) {
                found |= 1 << i;
            }
        }
        found
    }

    /// How a thing fits, `0.0..=1.0`: by name or broader word, less when it was seen unsurely.
    pub(super) fn thing(&mut self, s: &'m Seen) -> f32 {
        let mut got = Tally::default();
        self.add_thing(s, &mut got).max(self.coverage(&got))
    }

    fn add_thing(&mut self, s: &'m Seen, got: &mut Tally) -> f32 {
        let sure = 0.5 + 0.5 * s.confidence;
        let own = self.name(&s.label);
        got.add(own.words, sure);
        let mut best = own.fit;
        for broader in &s.broader {
            let fit = self.name(broader);
            got.add(fit.words, sure * BROADER);
            best = best.max(fit.fit * BROADER);
        }
        best * sure
    }

    /// How an event fits, `0.0..=1.0`: its best thing, or how many of the words are among its things, its texts and what was said.
    pub(super) fn score(&mut self, digest: &'m Digest, said: &[Said]) -> f32 {
        let mut got = Tally::default();
        let mut best = 0.0_f32;
        for s in &digest.things {
            best = best.max(self.add_thing(s, &mut got));
        }
        if self.words.is_empty() {
            return best;
        }
        for t in &digest.texts {
            got.add(self.line(&t.text) | self.run_together(&t.text), 0.5 + 0.5 * t.confidence);
        }
        for s in said {
            let found = self.line(&s.text);
            if found != 0 {
                got.add(found, weight_of(s));
            }
        }
        best.max(self.coverage(&got))
    }

    /// Mostly the best word, a little all of them: one synonym of several is enough to be found.
    fn coverage(&self, got: &Tally) -> f32 {
        let values = &got.0[..self.words.len()];
        #[expect(clippy::cast_precision_loss, reason = "at most 32 words")]
        let n = values.len().max(1) as f32;
        if self.all {
            return values.iter().sum::<f32>() / n;
        }
        0.8 * values.iter().copied().fold(0.0, f32::max) + 0.2 * values.iter().sum::<f32>() / n
    }
}

/// The best that was found for each word.
#[derive(Debug, Default)]
struct Tally([f32; MOST_WORDS]);

impl Tally {
    fn add(&mut self, words: u32, value: f32) {
        let mut left = words;
        while left != 0 {
            let i = left.trailing_zeros() as usize;
            self.0[i] = self.0[i].max(value);
            left &= left - 1;
        }
    }
}

/// Whether `word` stands in `line`, letters and digits alone, for readings run words together; a number not within a longer one.
pub(crate) fn stands_in(line: &str, word: &str) -> bool {
    let digits = word.bytes().all(|b| b.is_ascii_digit());
    let mut before = None;
    for (start, c) in line.char_indices().filter(|(_, c)| c.is_alphanumeric()) {
        let mut rest = line[start..].chars().filter(|c| c.is_alphanumeric());
        let whole = word
            .chars()
            .filter(|w| w.is_alphanumeric())
            .all(|w| rest.next().is_some_and(|c| c.to_lowercase().eq(w.to_lowercase())));
        let within = |c: Option<char>| digits && c.is_some_and(|c| c.is_ascii_digit());
        if whole && !within(before) && !within(rest.next()) {
            return true;
        }
        before = Some(c);
    }
    false
}

fn weight_of(s: &Said) -> f32 {
    match s.who {
        Speaker::Sightline => OURS,
        Speaker::Person if is_question(&s.text) => ASKED,
        Speaker::Person => TOLD,
    }
}

/// Whether something that was said asks, with or without a question mark.
pub(crate) fn is_question(text: &str) -> bool {
    let mut words = words(text);
    let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let is = |word: &str, list: &[&str]| list.iter().any(|a| a.eq_ignore_ascii_case(word));
    text.trim_end().ends_with('?') || is(first, ASKING) || (is(first, ASKING_VERBS) && is(second, SUBJECTS))
}

#[cfg(test)]
mod tests {
    use super::is_question;

    #[test]
    fn what_begins_like_a_question_and_tells_is_none() {
        assert!(is_question("What is this") && is_question("is it raining") && is_question("Have you seen my cup"));
        assert!(is_question("the cup, right?"));
        assert!(!is_question("Have to buy bread for dinner.") && !is_question("My doctor is called Susan"));
    }
}
