//! What one look says about a condition.

use super::{Trigger, Wanted, many, the};
use crate::base::MediaTime;
use crate::dialogue::ground_more::clause;
use crate::dialogue::nouns::{self, Fit};
use crate::dialogue::things::{self, Thing};
use crate::watch::{CLASSIFIER, DETECTOR, Motion, OCR, SceneFacts, Unusable};

/// Brightness below which it is dark, and from which it no longer is: apart, so that it does not flicker between them.
const DARK: (f32, f32) = (0.18, 0.25);
/// The same for bright: from the second on it is, below the first it is not.
const BRIGHT: (f32, f32) = (0.32, 0.42);
/// Share of the picture that must move.
const MOVES: f32 = 0.03;
/// Text below this is noise of the reader.
const TEXT: f32 = 0.40;

/// What one look says.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Level {
    /// How many of what is watched for; for conditions that hold or not, one or zero.
    pub(super) count: u32,
    /// How sure that is, `0.0..=1.0`.
    pub(super) sure: f32,
    /// What it is, for the sentence: `a red cup`; and where: ` on the left`.
    pub(super) what: String,
    pub(super) place: String,
}

impl Level {
    fn flag(holds: bool) -> Self {
        // A fact of the whole picture is measured, not guessed.
        Self { count: u32::from(holds), sure: 1.0, what: String::new(), place: String::new() }
    }

    fn unsure(holds: bool, sure: f32) -> Self {
        Self { sure, ..Self::flag(holds) }
    }
}

/// What a look at `facts` says; `None` when it cannot say anything. `since`: the look before.
pub(super) fn level(trigger: &Trigger, facts: &SceneFacts, since: MediaTime) -> Option<Level> {
    match trigger {
        Trigger::Dark if facts.unusable == Some(Unusable::Dark) => return Some(Level::flag(true)),
        Trigger::Bright if facts.unusable == Some(Unusable::Dark) => return Some(Level::flag(false)),
        _ if facts.unusable.is_some() => return None,
        Trigger::Dark | Trigger::Bright | Trigger::Moves(None) | Trigger::Changes => {}
        Trigger::Reads(_) if !facts.looked.contains(&OCR) => return None,
        Trigger::Reads(_) => {}
        _ if !facts.looked.contains(&DETECTOR) && !facts.looked.contains(&CLASSIFIER) => return None,
        _ => {}
    }
    match trigger {
        Trigger::Visible(w) | Trigger::ComesIn(w) => Some(seen(w, facts)),
        Trigger::Leaves(what) => Some(seen(&Wanted { noun: what.clone(), colour: None }, facts)),
        Trigger::AtLeast(n, what) => {
            let level = seen(&Wanted { noun: what.clone(), colour: None }, facts);
            let enough = level.count >= u32::from(*n);
            Some(Level {
                count: u32::from(enough),
                what: many(u8::try_from(level.count).unwrap_or(u8::MAX), what),
                ..level
            })
        }
        Trigger::Turns(what, colour) => {
            let things = find(what, facts);
            let known = things.iter().find_map(|t| t.colour.map(|c| (c, t.confidence)))?;
            Some(Level::unsure(known.0 == *colour, known.1))
        }
        Trigger::Reads(text) => Some(read(text, facts)),
        Trigger::Dark => judged(facts.brightness, DARK, true),
        Trigger::Bright => judged(facts.brightness, BRIGHT, false),
        Trigger::Moves(None) => Some(Level::unsure(facts.motion >= MOVES, 0.5)),
        Trigger::Moves(Some(what)) => moves(what, facts, |m| m != Motion::Still),
        Trigger::ComesNear(what) => moves(what, facts, |m| m == Motion::Nearer),
        Trigger::Changes => {
            let new = facts.changes.iter().find(|c| c.at > since);
            Some(Level { what: new.map(|c| clause(&c.change)).unwrap_or_default(), ..Level::flag(new.is_some()) })
        }
    }
}

fn judged(value: f32, (low, high): (f32, f32), below: bool) -> Option<Level> {
    match () {
        () if value < low => Some(Level::flag(below)),
        () if value >= high => Some(Level::flag(!below)),
        () => None,
    }
}

/// Things that fit the noun; a man may be any person, because nothing here tells them apart.
fn find<'a>(noun: &str, facts: &'a SceneFacts) -> Vec<Thing<'a>> {
    let word = if noun == "something" { "thing" } else { noun };
    let person = nouns::is_person(word);
    let fits = |t: &Thing<'_>| t.fit(word).is_some_and(|fit| fit > Fit::Narrower || person);
    let mut found: Vec<_> = things::objects(facts).into_iter().filter(|t| fits(t)).collect();
    // The classifier names the picture, not one thing in it: it says that something is there, not how often.
    if found.is_empty() {
        found.extend(things::labels(facts).into_iter().filter(|t| fits(t)).take(1));
    }
    found
}

fn seen(wanted: &Wanted, facts: &SceneFacts) -> Level {
    let mut found = find(&wanted.noun, facts);
    if let Some(colour) = wanted.colour {
        found.retain(|t| t.colour == Some(colour));
    }
    let best = found.iter().max_by(|a, b| a.confidence.total_cmp(&b.confidence));
    Level {
        count: u32::try_from(found.len()).unwrap_or(u32::MAX),
        sure: best.map_or(0.0, |t| t.confidence),
        what: best.map_or_else(
            || wanted.phrase(),
            |t| if wanted.noun == "someone" { "someone".to_owned() } else { t.phrase() },
        ),
        place: best.filter(|t| t.placed).map(|t| format!(" {}", t.place())).unwrap_or_default(),
    }
}

fn read(text: &str, facts: &SceneFacts) -> Level {
    let plain = |t: &str| -> String { t.to_lowercase().chars().filter(|c| c.is_alphanumeric() || *c == ' ').collect() };
    let wanted = plain(text);
    let fits = |t: &str| wanted.is_empty() || format!(" {} ", plain(t)).contains(&format!(" {wanted} "));
    let line = facts.texts.iter().filter(|t| t.confidence >= TEXT).find(|t| fits(&t.text));
    // Words broken over two lines.
    let all: Vec<_> = facts.texts.iter().filter(|t| t.confidence >= TEXT).map(|t| t.text.as_str()).collect();
    let across = !all.is_empty() && fits(&all.join(" "));
    Level {
        sure: line.map_or(0.5, |t| t.confidence),
        what: line.map_or_else(|| text.to_owned(), |t| things::tame(&t.text, 60)),
        ..Level::flag(line.is_some() || across)
    }
}

fn moves(what: &str, facts: &SceneFacts, fits: impl Fn(Motion) -> bool) -> Option<Level> {
    let things = find(what, facts);
    let mover = things.iter().find(|t| fits(t.motion));
    let place = mover.map(|t| format!(" {}", t.place())).unwrap_or_default();
    (!things.is_empty()).then(|| Level { place, ..Level::unsure(mover.is_some(), 0.5) })
}

/// What happened, in the past tense; `already`: it was so from the beginning.
pub(super) fn because(trigger: &Trigger, level: &Level, already: bool) -> String {
    let Level { what, place, .. } = level;
    match trigger {
        Trigger::Visible(_) if already => format!("{what} is already in view{place}"),
        Trigger::Visible(_) | Trigger::ComesIn(_) => format!("{what} came into view{place}"),
        Trigger::ComesNear(what) => format!("{} came nearer{place}", the(what)),
        Trigger::Leaves(what) => format!("{} left", the(what)),
        Trigger::AtLeast(1, _) if already => format!("there is already {what}"),
        Trigger::AtLeast(..) if already => format!("there are already {what}"),
        Trigger::AtLeast(1, _) => format!("there is {what} now"),
        Trigger::AtLeast(..) => format!("there are {what} now"),
        Trigger::Turns(what, colour) => format!("{} turned {}", the(what), colour.name()),
        Trigger::Reads(_) if already => format!("I can already read \"{what}\""),
        Trigger::Reads(_) => format!("I can read \"{what}\" now"),
        Trigger::Dark => "it got dark".to_owned(),
        Trigger::Bright => "it got bright".to_owned(),
        Trigger::Moves(None) => "something moved".to_owned(),
        Trigger::Moves(Some(what)) => format!("{} moved{place}", the(what)),
        Trigger::Changes => what.clone(),
    }
}
