//! How long to wait before a turn is taken to be over, judged by its words so far.
//!
//! Pure rules over the last sentence of a reading: does it hang ("I was wondering if", "um", "the"), is it a question or a request with all
//! that belongs to it, or a statement, after which more may come or not. They need no model and a microsecond. English.

use std::time::Duration;

use super::interject::{Interjection, begins_with, plain, weigh};

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
    /// A whole sentence after which more may come, or words of which nothing can be told.
    Statement,
    /// In mid-thought.
    Hanging,
}

/// Silence that ends a turn, by what was said before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// After [`Ending::Finished`]: less than it takes to read the words, so that their reading decides.
    pub finished: Duration,
    /// After [`Ending::Statement`].
    pub statement: Duration,
    /// After [`Ending::Hanging`]: the longest that anybody is waited for.
    pub hanging: Duration,
    /// While nobody has read the words: the recogniser is slow, or gave up.
    pub unread: Duration,
}

impl Eagerness {
    /// What each way of ending is worth.
    #[must_use]
    pub const fn patience(self) -> Patience {
        let ms = Duration::from_millis;
        match self {
            Self::Low => Patience { finished: ms(400), statement: ms(1_000), hanging: ms(4_000), unread: ms(1_400) },
            Self::Medium => Patience { finished: ms(160), statement: ms(500), hanging: ms(2_000), unread: ms(900) },
            Self::High => Patience { finished: ms(120), statement: ms(400), hanging: ms(1_000), unread: ms(600) },
        }
    }
}

impl Patience {
    /// The silence that ends a turn of these words, as far as they are known. Where the recogniser is not `sure` of them, one step more.
    #[must_use]
    pub fn after(&self, words: &str, sure: bool) -> Duration {
        match (ending(words), sure) {
            (Ending::Finished, true) => self.finished,
            (Ending::Finished, false) | (Ending::Statement, true) => self.statement,
            (Ending::Statement, false) => self.unread,
            (Ending::Hanging, _) => self.hanging,
        }
    }
}

/// Nothing ends with these: what they begin is missing.
const HANGING: &[&str] = &[
    "a", "an", "the", "my", "your", "our", "their", "its", "every", "and", "or", "but", "nor", "because", "cause",
    "if", "whether", "although", "though", "unless", "until", "while", "since", "than", "um", "umm", "uh", "er", "erm",
    "ah", "hmm", "hm", "i", "we", "he", "she", "they", "im", "ive", "ill", "id", "youre", "theyre", "whats", "wheres",
    "whos", "theres", "thats", "lets", "very", "quite", "which", "whose", "gonna", "wanna", "gotta", "when", "where",
    "what", "how", "who", "why",
];

/// Nor with these.
const OPEN_TAILS: &[&str] = &[
    "i think",
    "i think that",
    "i guess",
    "i suppose",
    "i mean",
    "i wonder",
    "i was wondering",
    "im wondering",
    "i am wondering",
    "i was thinking",
    "i know that",
    "tell me",
    "show me",
    "give me",
    "let me",
    "let me see",
    "let me think",
    "lets see",
    "i would like",
    "id like",
    "can you",
    "could you",
    "would you",
    "will you",
    "kind of",
    "sort of",
    "such as",
    "for example",
    "so that",
    "in order",
    "my name is",
    "the thing is",
    "the problem is",
    "the question is",
];

/// These are the beginning of something when they are all there is.
const OPEN_WHOLE: &[&str] = &[
    "is there",
    "are there",
    "there is",
    "there are",
    "this is",
    "that is",
    "these are",
    "those are",
    "do you know",
    "do you think",
    "you know",
    "how many",
    "how much",
    "what kind",
    "which one",
    "i said",
    "i asked",
    "he said",
    "she said",
    "the first",
    "the other",
    "in front",
    "next",
];

/// Nor with these, except where the noun that belongs to them stands before ("what is it for").
const PREPOSITIONS: &[&str] = &[
    "of", "to", "in", "on", "at", "for", "with", "from", "by", "about", "into", "onto", "over", "under", "behind",
    "beside", "between", "near", "like", "without", "through", "against", "towards", "during", "among", "as", "so",
];

/// Nor with these, except after a pronoun ("yes, it is").
const AUXILIARIES: &[&str] = &[
    "is", "are", "was", "were", "am", "be", "do", "does", "did", "can", "could", "will", "would", "should", "shall",
    "may", "might", "must", "have", "has", "had", "isnt", "arent", "wasnt", "cant", "couldnt", "dont", "doesnt",
    "didnt", "wont", "wouldnt", "shouldnt",
];

/// Nor statements with these: they lack what is wanted or found.
const TRANSITIVE: &[&str] = &[
    "want", "wants", "need", "needs", "wanted", "needed", "put", "bought", "got", "get", "find", "found", "take",
    "make",
];

/// Words that stand for a thing, after which a preposition or an auxiliary may end a sentence.
const PRONOUNS: &[&str] = &[
    "it", "this", "that", "these", "those", "them", "you", "he", "she", "they", "we", "i", "there", "one", "him",
    "her", "me", "us", "mine", "yours",
];

/// Beginnings of clauses that lean on another.
const SUBORDINATE: &[&str] = &[
    "if", "when", "while", "because", "since", "although", "though", "after", "before", "once", "unless", "until",
    "whenever",
];

/// Beginnings of questions.
const QUESTIONS: &[&str] = &[
    "what", "whats", "where", "wheres", "who", "whos", "whose", "when", "why", "which", "how", "hows", "is", "are",
    "was", "were", "am", "do", "does", "did", "can", "could", "will", "would", "should", "have", "has", "isnt",
    "arent", "dont", "doesnt", "didnt", "cant",
];

/// Beginnings of questions about things.
const WH: &[&str] = &["what", "where", "who", "when", "why", "how"];

/// Words that a clause goes on with after those, and a question does not.
const SUBJECTS: &[&str] = &["my", "your", "our", "their", "the", "i", "we", "they", "you", "he", "she", "it"];

/// Beginnings of questions and requests that are told like statements.
const INDIRECT: &[&str] = &[
    "i was wondering",
    "i am wondering",
    "im wondering",
    "i wonder",
    "i would like to know",
    "id like to know",
    "i want to know",
    "i would like you to",
    "id like you to",
    "i want you to",
    "i need you to",
    "i wanted to ask",
    "i have to ask",
    "i want to ask",
];

/// Beginnings of requests.
const REQUESTS: &[&str] = &[
    "tell", "show", "read", "describe", "count", "find", "remember", "forget", "look", "watch", "say", "repeat",
    "help", "turn", "explain", "spell", "list", "name", "compare", "give", "stop", "remind", "please", "check",
    "point", "guess", "call", "go back",
];

/// More of them.
const LONG_REQUESTS: &[&str] = &["translate", "summarize", "summarise", "let me know"];

/// Words of politeness and hesitation before what is asked.
const BEFORE: &[&str] = &[
    "okay", "ok", "so", "and", "but", "now", "well", "hey", "hi", "hello", "yeah", "yes", "no", "oh", "alright",
    "right", "um", "uh", "er", "sorry", "then", "also", "please", "great", "thanks", "hmm",
];

/// More of them.
const LONG_BEFORE: &[&str] = &["all right", "excuse me", "sightline", "thank you"];

/// Digits of a number that may be all of it.
const WHOLE_NUMBER: usize = 7;

/// Names of digits and numbers.
const NUMBERS: &[&str] = &[
    "zero", "oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "double", "triple",
    "hundred", "thousand", "point",
];

/// How what was said so far ends. An empty text is a [`Ending::Statement`].
#[must_use]
pub fn ending(text: &str) -> Ending {
    let text = text.trim();
    let sentences =
        || text.split_inclusive(['.', '?', '!']).map(str::trim).filter(|s| s.contains(char::is_alphanumeric));
    let Some(last) = sentences().next_back() else { return Ending::Statement };
    let all = plain(last);
    let words = &all[skipped(&all)..];
    if (1..=2).contains(&words.len()) && !ends_with(&all, HANGING) && weigh(last) == Interjection::Stop {
        return Ending::Finished;
    }
    if text.ends_with([',', '-', '…', ':', ';', '—']) || text.ends_with("..") || hangs(&all, words, last) {
        return Ending::Hanging;
    }
    if is_complete(last, words) { Ending::Finished } else { Ending::Statement }
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
    if ends_with(all, HANGING) || ends_with(all, OPEN_TAILS) || OPEN_WHOLE.iter().any(whole) {
        return true;
    }
    let before = all.len().checked_sub(2).map_or("", |i| all[i].as_str());
    let (asks, pronoun) = (begins_with(words, QUESTIONS) > 0, PRONOUNS.contains(&before));
    if PREPOSITIONS.contains(&last) {
        let agrees = last == "so" && matches!(before, "think" | "hope" | "guess" | "say");
        let long = asks && words.len() > 3;
        return !(agrees || has_noun(before) && (last != "to" || long) || long && raw.ends_with('?'));
    }
    if AUXILIARIES.contains(&last) {
        return !pronoun || asks && words.len() <= 3;
    }
    // Numbers are told one after the other, and long ones in parts.
    let named = || all.iter().any(|w| matches!(w.as_str(), "number" | "code" | "phone" | "pin"));
    let digits = |w: &String| if w.starts_with(|c: char| c.is_ascii_digit()) { w.len() } else { 1 };
    let told: usize = all.iter().filter(|w| is_number(w)).map(digits).sum();
    let part = is_number(before) || told > 2 && named();
    let counting = is_number(last) && part && told < WHOLE_NUMBER;
    counting || TRANSITIVE.contains(&last) && !asks || leans(words, raw)
}

/// Whether a preposition after this word may be the last: its noun stands before.
fn has_noun(before: &str) -> bool {
    PRONOUNS.contains(&before)
        || before.ends_with("ing")
        || matches!(before, "made" | "look" | "looks" | "looked" | "come")
}

/// "When I came home": a clause that leans on another that has not come. "When did I come home" is a question.
fn leans(words: &[String], raw: &str) -> bool {
    let n = begins_with(words, SUBORDINATE);
    if n == 0 || (words[0] == "when" && words.get(1).is_some_and(|w| AUXILIARIES.contains(&w.as_str()))) {
        return false;
    }
    let main = raw.rsplit_once(',').map_or(0, |(_, rest)| plain(rest).len());
    main < 2 && words.len() < 12
}

fn is_complete(raw: &str, words: &[String]) -> bool {
    if ends_with(words, &["please", "thanks", "thank you"]) && words.len() > 2 {
        return true;
    }
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

#[cfg(test)]
mod tests {
    use super::{Eagerness, Ending, ending};

    fn all(which: Ending, texts: &[&str]) {
        for text in texts {
            assert_eq!(ending(text), which, "{text:?}");
        }
    }

    #[test]
    fn questions_and_requests_with_all_that_belongs_to_them_are_finished() {
        all(
            Ending::Finished,
            &[
                "What is on the table?",
                "what colour is the cup",
                "Where are you from?",
                "What is it for?",
                "What does it look like?",
                "Can you tell me where it is?",
                "I have a cup here. What colour is it?",
                "Tell me about this room.",
                "Okay, read the sign please.",
                "Is there a dog in the picture?",
                "How many chairs are there?",
                "Stop.",
                "Hold on.",
                "When did I come home?",
                "If I press this, what happens then?",
                "Turn it on.",
                "What is this?",
                "Um, who is that?",
                "I was wondering if you can see my keys.",
                "I'd like to know what the label says.",
            ],
        );
    }

    #[test]
    fn what_lacks_its_end_hangs() {
        all(
            Ending::Hanging,
            &[
                "I was wondering if",
                "I was wondering if.",
                "What is on the",
                "Where is",
                "Can you tell me?",
                "Um.",
                "So,",
                "I think that",
                "My number is five five five",
                "The code is 4 7",
                "My number is 555",
                "Because",
                "When I came home yesterday",
                "If you look at the shelf.",
                "Tell me",
                "I want to",
                "Show me the picture of",
                "What about",
                "There is a cup next to",
                "and then",
                "I have seen it, but um",
                "Do you know what",
                "Tell me when.",
                "I'm looking for...",
                "How many",
            ],
        );
    }

    #[test]
    fn of_statements_and_short_answers_nothing_is_sure() {
        all(
            Ending::Statement,
            &[
                "",
                "...",
                "Yes.",
                "Okay.",
                "The red one.",
                "I have a cup on my desk.",
                "Yes, it is.",
                "I think so.",
                "It is twenty.",
                "What?",
                "What your country can do for you?",
                "It was built in 1955.",
                "My number is 555 1234.",
                "What is next for?",
                "Thank you.",
            ],
        );
    }

    #[test]
    fn the_less_is_sure_the_longer_it_is_waited_and_eagerness_shortens_all_of_it() {
        let each = [Eagerness::High, Eagerness::Medium, Eagerness::Low].map(Eagerness::patience);
        for p in each {
            assert!(p.finished < p.statement && p.statement < p.unread && p.unread < p.hanging);
            assert_eq!(p.after("What is on the table?", true), p.finished);
            assert_eq!(p.after("What is on the", true), p.hanging);
            assert!(p.after("What is on the table?", false) > p.finished);
            assert!(p.after("It is red.", false) > p.after("It is red.", true));
        }
        for two in each.windows(2) {
            assert!(two[0].finished < two[1].finished && two[0].hanging < two[1].hanging);
            assert!(two[0].statement < two[1].statement && two[0].unread < two[1].unread);
        }
    }
}
