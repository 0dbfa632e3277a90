//! What a question asks for. English; anything else is answered openly from all facts.

use super::eyes;
use super::question_rules::RULES;
use crate::watch::Colour;

/// A side or a part of the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Left third.
    Left,
    /// Right third.
    Right,
    /// Middle.
    Centre,
    /// Upper third.
    Top,
    /// Lower third.
    Bottom,
}

/// Something that no expert looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attribute {
    /// What somebody wears.
    Clothing,
    /// How old somebody is.
    Age,
    /// Man or woman.
    Gender,
    /// How somebody feels or looks.
    Emotion,
    /// Hair, eyes, beard.
    Looks,
    /// Who made it.
    Brand,
    /// What it is made of.
    Material,
    /// How big, far, heavy it is.
    Size,
    /// What time a clock shows, what day it is.
    Time,
    /// Weather and temperature.
    Weather,
    /// What it costs.
    Price,
    /// Sound, smell, taste.
    OtherSense,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq)]
pub enum Ask {
    /// No words were understood.
    Nothing,
    /// What is this?
    Identify,
    /// What kind of … is this? With the kind.
    IdentifyKind(String),
    /// What am I holding? False when it is asked about somebody else.
    Held(bool),
    /// What is on the left?
    At(Place),
    /// What is on the table?
    On(String),
    /// What is the red thing?
    OfColour(Colour),
    /// Where is the …?
    Where(String),
    /// How many … are there?
    Count(String),
    /// What colour is …? `None`: the whole picture.
    ColourOf(Option<String>),
    /// Is the … red?
    IsColour(String, Colour),
    /// What does it say?
    Read,
    /// Who is this?
    Who,
    /// What is … doing? Which way does it move? `None`: anything.
    Motion(Option<String>),
    /// What changed?
    Change,
    /// Is there a …?
    Present(String),
    /// Is this a …?
    IsIt(String),
    /// What do you see?
    Describe,
    /// What room is this, where am I?
    Setting,
    /// Is it dark?
    Light,
    /// Something no expert looks for.
    Attribute(Attribute),
    /// What was there before? With what, if something was named.
    Past(Option<String>),
    /// Greeting, small talk, questions about Sightline.
    Chat,
    /// Knowledge that takes no eyes.
    General,
    /// Something about the picture that fits none of the above.
    Open,
}

/// Finds out what is asked.
#[must_use]
pub fn analyse(text: &str) -> Ask {
    Words::of(text).map_or(Ask::Nothing, |q| q.ask())
}

/// The same of somebody who shows no picture: only what certainly is about one is. `spoken`: something was said before, which "it" may stand for.
pub(crate) fn analyse_without_pictures(text: &str, spoken: bool) -> Ask {
    let Some(q) = Words::of(text) else { return Ask::Nothing };
    let ask = q.ask();
    if ask == Ask::Chat || eyes::takes_eyes(&q, &ask, spoken) { ask } else { Ask::General }
}

/// Lower-case words without punctuation, contractions written out.
pub(crate) fn words(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let text = text.to_lowercase().replace('’', "'");
    for raw in text.split(|c: char| !(c.is_alphanumeric() || c == '\'' || c == '-')) {
        let w = raw.trim_matches(|c| c == '\'' || c == '-');
        if w.is_empty() {
            continue;
        }
        match w.split_once('\'') {
            Some((stem, "s" | "re" | "m" | "ve" | "ll")) if is_before_short_verb(stem) => {
                out.push(stem.to_owned());
                out.push(match w.split_once('\'').map(|p| p.1) {
                    Some("re") => "are".to_owned(),
                    Some("m") => "am".to_owned(),
                    Some("ve") => "have".to_owned(),
                    Some("ll") => "will".to_owned(),
                    _ => "is".to_owned(),
                });
            }
            Some((stem, "s")) => out.push(stem.to_owned()),
            Some((stem, "t")) => {
                let verb = stem.strip_suffix('n').unwrap_or(stem);
                out.push(if verb == "ca" { "can".to_owned() } else { verb.to_owned() });
                out.push("not".to_owned());
            }
            _ => out.push(w.to_owned()),
        }
    }
    out
}

fn is_before_short_verb(w: &str) -> bool {
    const BEFORE: &str =
        "what|where|who|how|when|that|this|it|there|here|he|she|they|you|we|i|these|those|colour|color";
    BEFORE.split('|').any(|b| b == w)
}

/// A question, ready to be searched. Phrases are separated by `|`.
pub(crate) struct Words {
    pub(crate) words: Vec<String>,
    pub(crate) joined: String,
}

impl Words {
    /// `None` when there are none.
    fn of(text: &str) -> Option<Self> {
        let words = words(text);
        (!words.is_empty()).then(|| Self::joined(words))
    }

    /// These words, as [`words`] makes them.
    pub(crate) fn joined(words: Vec<String>) -> Self {
        Self { joined: format!(" {} ", words.join(" ")), words }
    }

    fn ask(&self) -> Ask {
        let pictured = || self.is_about_the_picture() || eyes::points(self, true);
        let other = || if pictured() { Ask::Open } else { Ask::General };
        let ask = RULES.iter().find_map(|rule| rule(self)).unwrap_or_else(other);
        if ask != Ask::Chat && eyes::is_of_the_world(self, &ask) { Ask::General } else { ask }
    }

    /// Where in `joined` a phrase begins that stands in it as whole words, the first time.
    fn at(&self, phrase: &str) -> Option<usize> {
        let spaces = self.joined.bytes().enumerate().filter(|(_, b)| *b == b' ');
        spaces.map(|(at, _)| at).find(|at| self.follows(*at, phrase)).map(|at| at + 1)
    }

    /// Whether there is a space, and the words behind it are these.
    fn follows(&self, space: usize, phrase: &str) -> bool {
        let bytes = self.joined.as_bytes();
        let rest = bytes[space..].strip_prefix(b" ").and_then(|rest| rest.strip_prefix(phrase.as_bytes()));
        rest.is_some_and(|rest| rest.starts_with(b" "))
    }

    /// Whether any of the phrases stands in it, as whole words.
    pub(crate) fn any(&self, phrases: &str) -> bool {
        phrases.split('|').any(|p| self.at(p).is_some())
    }

    /// Whether it begins with any of the phrases.
    pub(crate) fn begins(&self, phrases: &str) -> bool {
        phrases.split('|').any(|p| self.follows(0, p))
    }

    /// The words after the first of the phrases that stands in it.
    pub(crate) fn after(&self, phrases: &str) -> Option<&str> {
        let found = phrases.split('|').filter_map(|p| self.at(p).map(|at| (at, at + p.len())));
        let (_, end) = found.min_by_key(|(at, end)| (*at, usize::MAX - end))?;
        Some(self.joined[end..].trim())
    }

    /// The words before the first of the phrases that stands in it.
    pub(crate) fn before(&self, phrases: &str) -> Option<&str> {
        let at = phrases.split('|').filter_map(|p| self.at(p)).min()?;
        Some(self.joined[..at].trim())
    }

    pub(crate) fn is_about_the_picture(&self) -> bool {
        self.any(
            "this|that|these|those|here|there|see|look|looking|camera|picture|image|photo|video|view|frame|scene|\
         screen|holding|wearing|front|behind|background|left|right|room|show|showing|shown|visible|it|he|she|\
         they|him|her|them",
        ) || self.words.iter().any(|w| super::nouns::is_known(w))
    }
}

/// The noun phrase at the start of `rest`, without articles, colours and what follows it; `None` when there is none.
pub(crate) fn noun_phrase(rest: &str) -> Option<String> {
    const SKIP: &str = "a|an|the|any|some|my|your|his|her|their|our|this|that|these|those|of|all|other|more|also|still|just|\
         different|many|big|small|large|little";
    const STOP: &str = "in|on|at|of|near|next|behind|under|over|above|below|beside|between|by|from|with|to|now|right|there|\
         here|please|is|are|was|were|do|does|did|can|could|you|i|we|it|visible|moving|doing|made|that|which|\
         who|anywhere|around|and|or|currently|have|has|am|for|out|shown|today|then|not";
    let mut noun: Vec<&str> = Vec::new();
    for w in rest.split(' ').filter(|w| !w.is_empty()) {
        let starts = noun.is_empty();
        if starts && (SKIP.split('|').any(|s| s == w) || colour_word(w).is_some()) {
            continue;
        }
        if (STOP.split('|').any(|s| s == w) && !(starts && w == "i")) || noun.len() == 3 {
            break;
        }
        noun.push(w);
    }
    if !noun.is_empty() {
        return Some(noun.join(" "));
    }
    // The one colour that is also a thing.
    if rest.split(' ').any(|w| w == "orange") { Some("orange".to_owned()) } else { pronoun(rest) }
}

/// A pronoun that stands for what was spoken of, or for what is shown.
fn pronoun(rest: &str) -> Option<String> {
    let first = rest.split(' ').find(|w| !w.is_empty() && !["of", "a", "the"].contains(w))?;
    ["it", "this", "that", "these", "those", "they", "them", "he", "she"].contains(&first).then(|| "it".to_owned())
}

pub(crate) fn colour_word(w: &str) -> Option<Colour> {
    Some(match w {
        "black" => Colour::Black,
        "white" => Colour::White,
        "grey" | "gray" => Colour::Grey,
        "red" => Colour::Red,
        "orange" => Colour::Orange,
        "yellow" => Colour::Yellow,
        "green" => Colour::Green,
        "blue" => Colour::Blue,
        "purple" | "violet" => Colour::Purple,
        "pink" => Colour::Pink,
        "brown" => Colour::Brown,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Words;

    proptest! {
        #[test]
        fn a_phrase_is_found_where_its_words_stand(
            words in proptest::collection::vec("[ab]{1,2}|é", 0..8),
            phrase in proptest::collection::vec("[ab]{1,2}|é", 0..3),
        ) {
            let (all, phrase) = (Words::joined(words), phrase.join(" "));
            let joined = &all.joined;
            let at = joined.find(&format!(" {phrase} "));
            prop_assert_eq!(all.any(&format!("no|{phrase}")), at.is_some());
            prop_assert_eq!(all.begins(&phrase), at == Some(0));
            prop_assert_eq!(all.before(&phrase), at.map(|at| joined[..=at].trim()));
            prop_assert_eq!(all.after(&phrase), at.map(|at| joined[at + 1 + phrase.len()..].trim()));
        }
    }
}
