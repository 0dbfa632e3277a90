//! How long to wait before a turn is taken to be over, judged by its words so far.
//!
//! Pure rules over the last sentence of a reading: does it hang ("I was wondering if", "um", "the"), is it a question or a request with all
//! that belongs to it, or a statement, after which more may come or not. They need no model and a microsecond. English.

use std::time::Duration;

use super::interject::{Interjection, begins_with, plain, weigh};
use words::*;

mod words;

/// How soon a person may be taken to have finished: `eagerness` of OpenAI's `semantic_vad`, where `auto` is `medium`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Eagerness {
    /// Leaves time to think.
    Low,
    /// In between.
    #[default]
    Medium,
    /// Answers as soon as it can.
    High,
}

/// How what was said so far ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ending {
    /// A question or a request with all that belongs to it.
    Finished,
    /// A statement that is long enough to have all that belongs to it, or "yes": more may come.
    Told,
    /// Words of which nothing can be told: short statements, parts of sentences, what was misread.
    Statement,
    /// Probably in mid-thought: a clause that leans on another, a number told in part, a preposition.
    Leaning,
    /// In mid-thought: nothing ends like this.
    Hanging,
}

/// Silence that ends a turn, by what was said before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// After [`Ending::Finished`]: less than it takes to read the words, so that their reading decides.
    pub finished: Duration,
    /// After [`Ending::Told`].
    pub told: Duration,
    /// After [`Ending::Statement`].
    pub statement: Duration,
    /// After [`Ending::Leaning`].
    pub leaning: Duration,
    /// After [`Ending::Hanging`]: the longest that anybody is waited for.
    pub hanging: Duration,
    /// While nobody has read the words: the recogniser is slow, or gave up.
    pub unread: Duration,
}

impl Eagerness {
    /// What each way of ending is worth.
    #[must_use]
    pub const fn patience(self) -> Patience {
        match self {
            Self::Low => Patience::of_ms(400, 1_000, 1_400, 1_600, 2_400, 4_000),
            Self::Medium => Patience::of_ms(120, 520, 700, 950, 1_400, 1_700),
            Self::High => Patience::of_ms(80, 320, 500, 600, 700, 1_000),
        }
    }
}

impl Patience {
    /// From the shortest to the longest.
    const fn of_ms(finished: u64, told: u64, unread: u64, statement: u64, leaning: u64, hanging: u64) -> Self {
        Self {
            finished: Duration::from_millis(finished),
            told: Duration::from_millis(told),
            statement: Duration::from_millis(statement),
            leaning: Duration::from_millis(leaning),
            hanging: Duration::from_millis(hanging),
            unread: Duration::from_millis(unread),
        }
    }

    /// The silence that ends a turn of these words, as far as they are known. Where the recogniser is not `sure` of them, one step more.
    #[must_use]
    pub fn after(&self, words: &str, sure: bool) -> Duration {
        match (ending(words), sure) {
            (Ending::Finished, true) => self.finished,
            (Ending::Finished, false) | (Ending::Told, true) => self.told,
            (Ending::Told, false) | (Ending::Statement, _) => self.statement,
            (Ending::Leaning, _) => self.leaning,
            (Ending::Hanging, _) => self.hanging,
        }
    }
}

/// How what was said so far ends. An empty text is a [`Ending::Statement`].
#[must_use]
pub fn ending(text: &str) -> Ending {
    let text = text.trim();
    let sentences =
        || text.split_inclusive(['.', '?', '!']).map(str::trim).filter(|s| s.contains(char::is_alphanumeric));
    let Some(last) = sentences().next_back() else { return Ending::Statement };
    let said = plain(last);
    let (all, polite) = without_thanks(&said);
    let words = &all[skipped(all)..];
    if (1..=2).contains(&words.len()) && !ends_with(all, HANGING) && weigh(last) == Interjection::Stop {
        return Ending::Finished;
    }
    // "Where are we" may go on with "going"; asked like this it is more often all.
    if asks_about_whom(words, last) {
        return Ending::Told;
    }
    if text.ends_with(['-', '…', '—']) || text.ends_with("..") || hangs(all, words, last) {
        return Ending::Hanging;
    }
    // A sentence of so many words that seems to lack its end is more often one that was misread.
    if leans(all, words, last) {
        return if words.len() < CLAUSE { Ending::Leaning } else { Ending::Statement };
    }
    // Recognisers end a sentence with a comma when its voice does not fall: that tells little.
    if text.ends_with([',', ':', ';']) {
        return Ending::Statement;
    }
    if polite && words.len() > 1 || is_complete(last, words) {
        return Ending::Finished;
    }
    if is_told(&said, words) { Ending::Told } else { Ending::Statement }
}

/// Without the words of politeness behind it, and whether there were any.
fn without_thanks(words: &[String]) -> (&[String], bool) {
    let n = match words {
        [.., a, b] if a == "thank" && b == "you" => 2,
        [.., last] if last == "please" || last == "thanks" => 1,
        _ => 0,
    };
    (&words[..words.len() - n], n > 0)
}

/// How many words of politeness and hesitation stand before the rest.
fn skipped(words: &[String]) -> usize {
    let mut at = 0;
    while at < words.len() {
        match begins_with(&words[at..], BEFORE).max(begins_with(&words[at..], LONG_BEFORE)) {
            0 => break,
            n => at += n,
        }
    }
    at
}

/// Whether the words `table` names stand at the end; a phrase of several counts as a whole.
fn ends_with(words: &[String], table: &[&str]) -> bool {
    table.iter().any(|phrase| {
        let mut theirs = words.iter().rev();
        phrase.rsplit(' ').all(|w| theirs.next().is_some_and(|t| t == w))
    })
}

fn is_number(word: &str) -> bool {
    NUMBERS.contains(&word) || word.chars().all(|c| c.is_ascii_digit())
}

/// "Where are we?", "Who is he?": a question word, a form of "be" and whom it is about.
fn asks_about_whom(words: &[String], raw: &str) -> bool {
    let [asks, be, about] = words else { return false };
    let about = matches!(about.as_str(), "i" | "we" | "he" | "she" | "they");
    WH.contains(&asks.as_str())
        && matches!(be.as_str(), "is" | "are" | "was" | "were" | "am")
        && about
        && raw.ends_with('?')
}

/// `all` words of the last sentence, and those after what is said before a sentence.
fn hangs(all: &[String], words: &[String], raw: &str) -> bool {
    let Some(last) = all.last().map(String::as_str) else { return false };
    // "Yes." and "Well, thanks." are whole; "Um." and "So." are not.
    if words.is_empty() {
        return matches!(last, "um" | "uh" | "er" | "hmm" | "so" | "and" | "but" | "well" | "then" | "also");
    }
    let whole = |phrase: &&str| phrase.split(' ').eq(words.iter().map(String::as_str));
    // "What?" is a question of its own.
    if words.len() == 1 && raw.ends_with('?') {
        return false;
    }
    let asks = raw.ends_with('?') || begins_with(words, QUESTIONS) > 0;
    // "I think that" goes on, "I know that" and "do that" may not.
    let that = !raw.ends_with('?') && last == "that" && all.len() > 2 && ends_with(&all[..all.len() - 1], CLAIMS);
    let of = !raw.ends_with('?') && matches!(last, "of" | "to") && !(asks && words.len() > 3);
    ends_with(all, HANGING) || ends_with(all, OPEN_TAILS) || that || of || OPEN_WHOLE.iter().any(whole)
}

/// Whether more is to be expected, although it need not come.
fn leans(all: &[String], words: &[String], raw: &str) -> bool {
    let Some(last) = words.last().map(String::as_str) else { return false };
    if words.len() == 1 && raw.ends_with('?') {
        return false;
    }
    let before = all.len().checked_sub(2).map_or("", |i| all[i].as_str());
    let (asks, pronoun) = (begins_with(words, QUESTIONS) > 0, PRONOUNS.contains(&before));
    // "Can you tell me what this thing is", "I have a question: what is this for?": what it asks for stands before.
    let asked_for = words.iter().rev().skip(2).any(|w| WH.contains(&w.as_str())) && words.len() > 3;
    // "Can you see" asks for more, "is it behind" too.
    let short = asks && words.len() <= 3 && !WH.contains(&words[0].as_str());
    if short && (PREPOSITIONS.contains(&last) || ASKED.contains(&last)) {
        return true;
    }
    if PREPOSITIONS.contains(&last) {
        let whole_question = raw.ends_with('?') && (asked_for || words.len() >= CLAUSE);
        return lacks_noun(last, before, asks || asked_for, raw) && !whole_question;
    }
    if AUXILIARIES.contains(&last) {
        return !asked_for && (!pronoun || asks && words.len() <= 3);
    }
    // Numbers are told one after the other, and long ones in parts.
    let named = || all.iter().any(|w| matches!(w.as_str(), "number" | "code" | "phone" | "pin"));
    let digits = |w: &String| if w.starts_with(|c: char| c.is_ascii_digit()) { w.len() } else { 1 };
    let told: usize = all.iter().filter(|w| is_number(w)).map(digits).sum();
    let part = is_number(before) || told > 2 && named();
    let counting = is_number(last) && part && told < WHOLE_NUMBER;
    counting || TRANSITIVE.contains(&last) && !asks || is_subordinate(words, raw)
}

/// Whether a preposition lacks the noun that belongs to it: "what is it for" and "somebody came in" do not.
fn lacks_noun(last: &str, before: &str, asks: bool, raw: &str) -> bool {
    if last == "so" && matches!(before, "think" | "hope" | "guess" | "say") {
        return false;
    }
    let particle = matches!(last, "in" | "on" | "over" | "by") && MOVES.contains(&before);
    let of_question =
        asks && (before.ends_with("ing") || matches!(before, "made" | "look" | "come") || raw.ends_with('?'));
    let after_pronoun = PRONOUNS.contains(&before) && last != "to";
    !(particle || of_question || after_pronoun)
}

/// Whether the noun that belongs to a preposition after this word stands before.
fn has_noun(before: &str) -> bool {
    PRONOUNS.contains(&before) || NOUNS_BEFORE.contains(&before) || before.ends_with("ing")
}

/// "When I came home": a clause that leans on another that has not come. "When did I come home" is a question.
fn is_subordinate(words: &[String], raw: &str) -> bool {
    let n = begins_with(words, SUBORDINATE);
    if n == 0 || (words[0] == "when" && words.get(1).is_some_and(|w| AUXILIARIES.contains(&w.as_str()))) {
        return false;
    }
    let main = raw.rsplit_once(',').map_or(0, |(_, rest)| plain(rest).len());
    main < 2 && words.len() < CLAUSE
}

fn is_complete(raw: &str, words: &[String]) -> bool {
    // "What your country can do" is no question, whatever the recogniser puts behind it.
    let clause = words.len() > 2 && WH.contains(&words[0].as_str()) && SUBJECTS.contains(&words[1].as_str());
    // "What is the name of?" may be "what is it for?", misheard.
    let stranded = words.last().is_some_and(|w| PREPOSITIONS.contains(&w.as_str()))
        && words.len().checked_sub(2).is_some_and(|i| !has_noun(&words[i]));
    if clause || stranded {
        return false;
    }
    let asks = begins_with(words, QUESTIONS) > 0 || words.len() > 5 && begins_with(words, INDIRECT) > 0;
    let requests = begins_with(words, REQUESTS).max(begins_with(words, LONG_REQUESTS)) > 0;
    match words.len() {
        0 | 1 => false,
        2 => (asks && raw.ends_with('?')) && PRONOUNS.contains(&words[1].as_str()),
        _ => asks || requests || raw.ends_with('?'),
    }
}

/// Whether a statement has a subject, a verb and enough behind them, or is "yes" and the like: `words` of `said` without what stands before a sentence.
fn is_told(said: &[String], words: &[String]) -> bool {
    let Some(first) = words.first().map(String::as_str) else { return !said.is_empty() };
    let verb = |w: &String| AUXILIARIES.contains(&w.as_str()) || w.len() > 3 && w.ends_with("ed");
    let told = STATERS.contains(&first) || DETERMINERS.contains(&first) && words.iter().skip(2).any(verb);
    words.len() >= if told { TOLD } else { LONG }
}

#[cfg(test)]
mod tests;
