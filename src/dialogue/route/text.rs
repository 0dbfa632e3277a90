//! The words of a question made even: what recognisers of speech, typists and grammar write in several ways is written in one.

use crate::dialogue::question;

/// Said in front of a question without being part of it; phrases separated by `|`.
const LEAD: &str = "so|and|but|ok|okay|hey|hi sightline|hello sightline|sightline|wait|sorry|please|well|right|now|oh|also|alright|\
     listen|look|actually|by the way|excuse me|uh|before i forget|before you answer|before we go on|before we start|\
     before we continue|before anything else|when you get a chance|when you can|when you have time|quick question|\
     can you please|could you please|would you please|can you tell me|could you tell me|would you tell me|will you tell me|\
     can you say|could you say|please tell me|tell me|do you know|i wonder|i was wondering|i want to know|\
     i would like to know|let me ask you|i mean|you know|one more thing|one question|question|just tell me";

/// Leads that ask for memory.
const REMEMBER: &str = "do you remember|do you still remember|do you recall|can you remember|can you still remember|can you recall|\
     could you remember|remind me of|remind me|remember|recall|do you happen to remember|try to remember|think back";

/// What carries words that can be read; it is seldom seen as a thing of its own.
pub(crate) const MEDIA: &str = "sign|signs|label|board|whiteboard|blackboard|screen|page|paper|note|poster|banner|plate|notice|menu|ticket|receipt|placard|\
     display|text|writing|letter|letters|card|title|heading|word|words|line|lines|sheet|sticker|billboard|caption|slide|print";

/// A place in a list of words, from which phrases are eaten.
#[derive(Clone, Copy)]
pub(crate) struct At<'a> {
    /// All of them.
    pub(crate) words: &'a [String],
    /// The index of the word here.
    pub(crate) i: usize,
}

impl<'a> At<'a> {
    pub(crate) const fn new(words: &'a [String], i: usize) -> Self {
        Self { words, i }
    }

    /// The word here, empty at the end.
    pub(crate) fn word(self) -> &'a str {
        self.words.get(self.i).map_or("", String::as_str)
    }

    pub(crate) fn is_end(self) -> bool {
        self.i >= self.words.len()
    }

    /// How many words the longest of the phrases has that stands here; zero when none does.
    fn length_of(self, phrases: &str) -> usize {
        let rest = self.rest();
        let stands = |phrase: &str| {
            let n = phrase.split(' ').count();
            (n <= rest.len() && phrase.split(' ').zip(rest).all(|(p, w)| p == w)).then_some(n)
        };
        phrases.split('|').filter_map(stands).max().unwrap_or(0)
    }

    /// The words from here on.
    pub(crate) fn rest(self) -> &'a [String] {
        self.words.get(self.i..).unwrap_or_default()
    }

    /// Whether one of the phrases stands here.
    pub(crate) fn sees(self, phrases: &str) -> bool {
        self.length_of(phrases) > 0
    }

    /// Goes past the longest of the phrases that stands here.
    pub(crate) fn eat(&mut self, phrases: &str) -> bool {
        let n = self.length_of(phrases);
        self.i += n;
        n > 0
    }
}

/// Whether a word is one of those in a table separated by `|`.
pub(crate) fn is_in(word: &str, table: &str) -> bool {
    table.split('|').any(|w| w == word)
}

/// The words of a question: `14:05` stays one word (`14h05`), `p.m.` becomes `pm`, `forty-five` two words, hesitations go.
pub(crate) fn tidy(question: &str) -> Vec<String> {
    let lower =
        question.to_lowercase().replace("p.m.", "pm").replace("a.m.", "am").replace("p.m", "pm").replace("a.m", "am");
    let mut out = Vec::new();
    for word in question::words(&join_digits(&lower)) {
        match word.as_str() {
            "um" | "uh" | "er" | "erm" | "hmm" | "uhm" => {}
            "what'd" | "where'd" | "who'd" | "when'd" => {
                out.push(word.replace("'d", ""));
                out.push("did".to_owned());
            }
            w if w.contains('-') && super::amount::is_number_word(w.split('-').next().unwrap_or("")) => {
                out.extend(w.split('-').filter(|p| !p.is_empty()).map(str::to_owned));
            }
            _ => out.push(word),
        }
    }
    out
}

/// `14:05` and `3.30` as `14h05` and `3h30`, `1.5` as `1 point 5`: the splitter of words would take them apart.
fn join_digits(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let digit = |i: usize| chars.get(i).is_some_and(char::is_ascii_digit);
    let mut out = String::with_capacity(text.len() + 8);
    for (i, c) in chars.iter().enumerate() {
        let between = (*c == ':' || *c == '.') && i > 0 && digit(i - 1) && digit(i + 1);
        match (between, digit(i + 2) && !digit(i + 3)) {
            (true, true) => out.push('h'),
            (true, false) => out.push_str(" point "),
            _ => out.push(*c),
        }
    }
    out
}

/// The words without what is only said in front of a question, and whether that asked for memory.
pub(crate) fn strip_lead(words: &[String]) -> (&[String], bool) {
    let mut at = At::new(words, 0);
    let mut remember = false;
    loop {
        // "Now" and "right" alone in front; "right now" and "right before" mean something.
        if at.sees("right now|right before|right after|now that|look at|look on|look in|look to|look out") {
            break;
        }
        if at.eat(REMEMBER) {
            remember = true;
        } else if !at.eat(LEAD) {
            break;
        }
    }
    if at.is_end() { (words, remember) } else { (&words[at.i..], remember) }
}

/// `words` without those from `from` to `to`.
pub(crate) fn without(words: &[String], from: usize, to: usize) -> Vec<String> {
    words.iter().enumerate().filter(|(i, _)| !(from..to).contains(i)).map(|(_, w)| w.clone()).collect()
}
