//! What a person wants to be told about when it happens: `tell me when someone comes in`.
//!
//! A condition is parsed from words by tables, and judged on facts alone, so that waiting costs nothing but a comparison per look.

mod holds;
mod parse;
mod watches;

#[cfg(test)]
mod tests;

pub use parse::parse;
pub(crate) use parse::request;
pub use watches::{Fired, MOST_WATCHES, Watch, WatchConfig, Watches};

use crate::base::ErrorClass;
use crate::dialogue::nouns;
use crate::watch::Colour;

/// A kind of thing, of a colour if one was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The noun in the singular, `someone` for people.
    pub noun: String,
    /// Only those of this colour.
    pub colour: Option<Colour>,
}

/// What has to happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trigger {
    /// A thing can be seen; it is told at once when it is there already.
    Visible(Wanted),
    /// A thing comes, or one more of it than before.
    ComesIn(Wanted),
    /// A thing comes nearer.
    ComesNear(String),
    /// A thing goes that was there.
    Leaves(String),
    /// So many of a thing can be seen, or more.
    AtLeast(u8, String),
    /// A thing becomes of a colour.
    Turns(String, Colour),
    /// These words can be read; empty: any words.
    Reads(String),
    /// It becomes dark.
    Dark,
    /// It becomes bright.
    Bright,
    /// A thing begins to move; `None`: anything.
    Moves(Option<String>),
    /// Something changes: the main thing, or the whole picture.
    Changes,
}

/// What is watched for, and whether it is told every time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// What has to happen.
    pub trigger: Trigger,
    /// True for `whenever` and `every time`; otherwise it is told once.
    pub repeats: bool,
}

impl Condition {
    /// In words, to stand after "when": `a cup comes into view`.
    #[must_use]
    pub fn describe(&self) -> String {
        match &self.trigger {
            Trigger::Visible(what) | Trigger::ComesIn(what) => format!("{} comes into view", what.phrase()),
            Trigger::ComesNear(what) => format!("{} comes nearer", the(what)),
            Trigger::Leaves(what) => format!("{} leaves", the(what)),
            Trigger::AtLeast(n, what) => {
                let are = if *n == 1 { "is" } else { "are" };
                format!("there {are} {}", many(*n, what))
            }
            Trigger::Turns(what, colour) => format!("{} turns {}", the(what), colour.name()),
            Trigger::Reads(text) if text.is_empty() => "there is text to read".to_owned(),
            Trigger::Reads(text) => format!("I can read \"{text}\""),
            Trigger::Dark => "it gets dark".to_owned(),
            Trigger::Bright => "it gets bright".to_owned(),
            Trigger::Moves(None) => "something moves".to_owned(),
            Trigger::Moves(Some(what)) => format!("{} moves", the(what)),
            Trigger::Changes => "something changes".to_owned(),
        }
    }
}

/// Why something cannot be watched for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WatchError {
    /// The words name nothing that perception can see happen.
    #[error(
        "I cannot watch for \"{0}\"; I can watch for things that come into view or leave, how many there are, a colour, \
         words to read, light and dark, movement, and changes"
    )]
    Unsupported(String),
    /// As many are watched for as may be.
    #[error("I am watching for {0} things already, which is the most; tell me to stop one first")]
    TooMany(usize),
}

impl WatchError {
    /// What sort of failure this is.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::Unsupported(_) => ErrorClass::Unsupported,
            Self::TooMany(_) => ErrorClass::Capacity,
        }
    }
}

impl Wanted {
    /// `a red cup`, `someone`.
    fn phrase(&self) -> String {
        let noun = self.colour.map_or_else(|| self.noun.clone(), |c| format!("{} {}", c.name(), self.noun));
        match self.noun.as_str() {
            "someone" | "something" => self.noun.clone(),
            _ => nouns::with_article(&noun),
        }
    }
}

/// `the cup`, `someone`.
fn the(what: &str) -> String {
    match what {
        "someone" | "something" => what.to_owned(),
        _ => format!("the {what}"),
    }
}

/// `three cups`, `two people`.
fn many(n: u8, what: &str) -> String {
    let one = nouns::singular(what);
    let name = match (n, nouns::is_person(&one) && one != "man" && one != "woman" && one != "child") {
        (1, _) => one,
        (_, true) => "people".to_owned(),
        _ => nouns::plural(&one),
    };
    format!("{} {name}", nouns::number(usize::from(n)))
}
