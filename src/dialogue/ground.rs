//! Whether what was asked can be seen, and how the answer must begin because of it.
//!
//! A small model invents an answer when the facts hold none, so that is never left to it: where perception did not see what was asked for,
//! the answer is made to begin by saying so, and ends after the sentence. Where the facts decide the answer, one line right after the question
//! states it. The model still words the answer.

use crate::base::MediaTime;

use super::ground_more as more;
use super::nouns::{self, Fit};
use super::prompt_build::Sight;
use super::question::{Ask, Place};
use super::things::{self, Surety, Thing};
use crate::watch::{Colour, SceneFacts, Unusable};

/// What perception has to say about a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grounding {
    /// The facts decide the answer.
    Supported,
    /// The facts say something about it, not all.
    Partial,
    /// Perception looked and did not see it.
    NotSeen {
        /// What was asked for.
        what: String,
    },
    /// There is no picture.
    NoVideo,
    /// There is a picture, and nothing can be made out in it.
    Unusable,
    /// It takes no eyes.
    NotVisual,
}

/// A name of the classifier's below this does not count as having been seen.
const LEAST_NAMED: f32 = 0.20;

/// How a question is to be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ground {
    /// What perception has to say.
    pub grounding: Grounding,
    /// The fact that decides, as one sentence; empty when none does.
    pub note: String,
    /// How the answer begins; empty for the model's own choice.
    pub prefix: String,
    /// Sentences of the answer.
    pub sentences: usize,
}

impl Ground {
    pub(crate) fn supported(note: impl Into<String>, prefix: impl Into<String>) -> Self {
        Self { grounding: Grounding::Supported, note: note.into(), prefix: prefix.into(), sentences: 1 }
    }

    pub(crate) fn partial(note: impl Into<String>, prefix: impl Into<String>) -> Self {
        Self { grounding: Grounding::Partial, ..Self::supported(note, prefix) }
    }

    pub(crate) fn not_seen(what: impl Into<String>, prefix: impl Into<String>) -> Self {
        let what = what.into();
        let note = format!("{what} cannot be seen.");
        Self { grounding: Grounding::NotSeen { what }, ..Self::supported(note, prefix) }
    }

    pub(crate) fn without_eyes() -> Self {
        Self { grounding: Grounding::NotVisual, note: String::new(), prefix: String::new(), sentences: 2 }
    }

    pub(crate) fn sentences(self, sentences: usize) -> Self {
        Self { sentences, ..self }
    }
}

/// Decides how `ask` is to be answered. `spoken_of`: the words of the last turn, for `it`.
pub(crate) fn ground(ask: &Ask, sight: Sight<'_>, spoken_of: &str, now: MediaTime) -> Ground {
    match ask {
        Ask::Nothing => {
            return Ground {
                sentences: 1,
                ..Ground::partial("No words were understood.", "Sorry, I did not catch that")
            };
        }
        Ask::Chat | Ask::General => return Ground::without_eyes(),
        _ => {}
    }
    let blind =
        |prefix: &str| Ground { grounding: Grounding::NoVideo, ..Ground::partial("Nothing can be seen.", prefix) };
    let facts = match sight {
        Sight::Live(facts) | Sight::Picture(facts) => facts,
        Sight::PictureLate => return blind("I have not finished looking at that picture"),
        Sight::PictureFailed => return blind("I could not open that picture"),
        Sight::NotYet => return blind("I can't see anything yet, because no picture has arrived"),
        Sight::Lost => return blind("I can't see anything, because the video has stopped"),
        Sight::None | Sight::Memory(_) => return blind("I can't see anything, because there is no video"),
    };
    if let (Some(why), false) = (facts.unusable, *ask == Ask::Light) {
        let prefix = match why {
            Unusable::Dark => "I can't see anything, because the picture is too dark",
            Unusable::Blank => "I can't see anything, because the camera seems to be covered",
        };
        return Ground { grounding: Grounding::Unusable, ..blind(prefix) };
    }
    Scene { facts, spoken_of, now }.ground(ask)
}

/// Facts and what was spoken of.
pub(crate) struct Scene<'a> {
    pub(crate) facts: &'a SceneFacts,
    pub(crate) spoken_of: &'a str,
    pub(crate) now: MediaTime,
}

impl<'a> Scene<'a> {
    fn ground(&self, ask: &Ask) -> Ground {
        match ask {
            Ask::Identify => self.identify(self.main(), "It is", "it is"),
            Ask::IdentifyKind(kind) => self.identify_kind(kind),
            Ask::Held(mine) => self.held(*mine),
            Ask::At(place) => self.at(*place),
            Ask::On(surface) => self.on(surface),
            Ask::OfColour(colour) => self.of_colour(*colour),
            Ask::Where(what) => self.place_of(what),
            Ask::Count(what) => self.count(what),
            Ask::ColourOf(what) => more::colour_of(self, what.as_deref()),
            Ask::IsColour(what, colour) => more::is_colour(self, what, *colour),
            Ask::Read => more::read(self),
            Ask::Who => more::who(self),
            Ask::Motion(what) => more::motion_of(self, what.as_deref()),
            Ask::Change => more::change(self),
            Ask::Present(what) => self.present(what),
            Ask::IsIt(what) => self.is_it(what),
            Ask::Describe => more::describe(self),
            Ask::Setting => more::setting(self),
            Ask::Light => more::light(self),
            Ask::Attribute(attribute) => more::attribute(self, *attribute),
            Ask::Past(what) => more::past(self, what.as_deref()),
            Ask::Open | Ask::Nothing | Ask::Chat | Ask::General => more::open(self),
        }
    }

    /// What fits a word, best first; `it` is what was spoken of, else the main thing.
    pub(crate) fn find(&self, word: &str) -> Vec<(Fit, Thing<'a>)> {
        if word == "it" {
            return self.main().into_iter().take(1).map(|t| (Fit::Same, t)).collect();
        }
        let objects = things::objects(self.facts);
        let fits = |t: Thing<'a>| t.fit(word).map(|f| (f, t));
        let mut found: Vec<_> = objects.into_iter().filter_map(fits).collect();
        if !found.iter().any(|(f, _)| *f > Fit::Narrower) {
            // The detector knows eighty classes, the classifier a thousand.
            let labels = things::labels(self.facts).into_iter().filter(|l| l.confidence >= LEAST_NAMED);
            found.extend(labels.filter_map(fits).take(1));
        }
        found.sort_by(|a, b| b.0.cmp(&a.0).then(b.1.confidence.total_cmp(&a.1.confidence)));
        found
    }

    /// What `it` and `this` stand for, best first.
    pub(crate) fn main(&self) -> Vec<Thing<'a>> {
        let mut main = things::main_things(self.facts);
        let spoken = format!(" {} ", super::question::words(self.spoken_of).join(" "));
        if let Some(i) =
            main.iter().position(|t| t.surety > Surety::Unsure && spoken.contains(&format!(" {} ", t.name)))
        {
            let it = main.remove(i);
            main.insert(0, it);
        }
        main
    }

    pub(crate) fn identify(&self, main: Vec<Thing<'a>>, sure: &str, hedged: &str) -> Ground {
        let Some(first) = main.first() else {
            return Ground::not_seen("what it is", "I can't make out what that is");
        };
        let second = main.iter().skip(1).find(|t| !t.placed && t.surety == Surety::Unsure && t.name != first.name);
        let name = first.phrase();
        let kind =
            first.broader.first().filter(|b| !first.name.ends_with(b.as_str())).map(|b| format!(", a kind of {b}"));
        match (first.surety, second) {
            (Surety::Sure, _) => Ground::supported(format!("It is {name}{}.", kind.unwrap_or_default()), sure),
            (Surety::Likely, _) => Ground::supported(format!("It is probably {name}."), format!("I think {hedged}")),
            (Surety::Unsure, Some(other)) => Ground::partial(
                format!("It may be {name} or {}.", other.phrase()),
                format!("I am not sure, but {} {name} or", maybe(hedged)),
            ),
            (Surety::Unsure, None) => {
                Ground::partial(format!("It may be {name}."), format!("I am not sure, but {}", maybe(hedged)))
            }
        }
    }

    fn identify_kind(&self, kind: &str) -> Ground {
        let fits: Vec<_> = self.main().into_iter().filter(|t| t.fit(kind).is_some_and(|f| f > Fit::Narrower)).collect();
        let narrower: Vec<_> = fits.iter().filter(|t| t.fit(kind) == Some(Fit::KindOf)).cloned().collect();
        if !narrower.is_empty() {
            return self.identify(narrower, "It is", "it is");
        }
        let Some(same) = fits.first() else { return self.not_here(kind) };
        let name = nouns::with_article(same.name);
        Ground::partial(
            format!("It is {name}; which kind of {} is not known.", same.name),
            format!("I can see {name}, but I can't tell which kind"),
        )
    }

    fn held(&self, mine: bool) -> Ground {
        let person = things::objects(self.facts).into_iter().find(Thing::is_person);
        let worn = |t: &Thing<'_>| t.fit("tie").is_some() || t.fit("clothing").is_some();
        let mut things: Vec<_> = self.main().into_iter().filter(|t| !t.is_person() && !worn(t)).collect();
        if let Some(person) = person {
            // Furniture and what is out of reach is not in a hand.
            things.retain(|t| !t.placed || (reaches(&person, t) && t.fit("furniture").is_none()));
        }
        if things.is_empty() {
            let whose = if mine { "your" } else { "any" };
            return Ground::not_seen("anything in a hand", format!("I don't see anything in {whose} hand"));
        }
        if mine {
            self.identify(things, "You are holding", "you are holding")
        } else {
            self.identify(things, "It is", "it is")
        }
    }

    fn at(&self, place: Place) -> Ground {
        let (name, fits): (&str, fn(f32, f32) -> bool) = match place {
            Place::Left => ("on the left", |x, _| x < 0.42),
            Place::Right => ("on the right", |x, _| x > 0.58),
            Place::Centre => ("in the middle", |x, _| (0.3..=0.7).contains(&x)),
            Place::Top => ("at the top", |_, y| y < 0.4),
            Place::Bottom => ("at the bottom", |_, y| y > 0.6),
        };
        let there = |t: &Thing<'_>| {
            let (x, y) = t.bbox.centre();
            fits(x, y)
        };
        let here: Vec<_> = things::objects(self.facts).into_iter().filter(there).collect();
        if here.is_empty() {
            return Ground::not_seen(format!("anything {name}"), format!("I don't see anything I know {name}"));
        }
        let list = things::list(&here, 6, false);
        Ground::supported(format!("There is {list} {name}."), format!("I can see {}", article_of(&list)))
    }

    fn on(&self, surface: &str) -> Ground {
        let objects = things::objects(self.facts);
        let table = objects.iter().find(|t| t.fit(surface) == Some(Fit::Same)).map(|t| t.bbox);
        let rests = |t: &Thing<'_>| {
            let b = t.bbox;
            table.is_none_or(|s| b.centre().0 >= s.x0 && b.centre().0 <= s.x1 && b.y1 >= s.y0 && b.y0 <= s.y1)
        };
        let on: Vec<_> = objects
            .iter()
            .filter(|t| t.fit(surface).is_none() && !t.is_person() && t.fit("furniture").is_none() && rests(t))
            .cloned()
            .collect();
        if on.is_empty() {
            let named =
                self.main().into_iter().filter(|t| !t.placed && t.surety > Surety::Unsure && t.fit(surface).is_none());
            let named: Vec<_> = named.take(1).collect();
            if named.is_empty() {
                return Ground::not_seen(
                    format!("anything on the {surface}"),
                    format!("I don't see anything I know on the {surface}"),
                );
            }
            return self.identify(named, "I can see", "I see");
        }
        let list = things::list(&on, 8, false);
        Ground::supported(format!("On the {surface}: {list}."), "I can see")
    }

    fn of_colour(&self, colour: Colour) -> Ground {
        let of: Vec<_> = self.main().into_iter().filter(|t| t.colour == Some(colour)).collect();
        if of.is_empty() {
            let what = format!("anything {}", colour.name());
            return Ground::not_seen(what, format!("I don't see anything {} that I know", colour.name()));
        }
        self.identify(of, "It is", "it is")
    }

    fn place_of(&self, what: &str) -> Ground {
        let found: Vec<_> = self.find(what).into_iter().map(|(_, t)| t).collect();
        let Some(first) = found.first() else { return self.not_here(what) };
        let what = if what == "it" { first.name } else { what };
        let Some(_) = found.iter().find(|t| t.placed) else {
            let note = format!("The {what} is in the picture; where exactly is not known.");
            return Ground::partial(note, format!("I can see {}, but I can't tell exactly where", first.phrase()));
        };
        let all: Vec<_> = found.iter().filter(|t| t.placed).collect();
        if let [one] = all.as_slice() {
            let on = self.rests_on(one).map(|s| format!(", on the {s}")).unwrap_or_default();
            let be = if nouns::plural(&nouns::singular(what)) == what && what != "scissors" { "are" } else { "is" };
            let what = subject(what, one);
            let note = format!("{what} {be} {}{on}.", one.place());
            return Ground::supported(note, format!("{what} {be} {}", one.place()));
        }
        let places: Vec<_> = all.iter().take(4).map(|t| format!("one {}", t.place())).collect();
        let many = nouns::plural(&nouns::singular(what));
        Ground::supported(
            format!("There are {} {many}: {}.", nouns::number(all.len()), things::and(&places)),
            format!("I can see {} {many},", nouns::number(all.len())),
        )
    }

    fn rests_on(&self, thing: &Thing<'_>) -> Option<&'a str> {
        let tables = things::objects(self.facts).into_iter().filter(|t| t.fit("furniture").is_some());
        let (x, foot) = (thing.bbox.centre().0, thing.bbox.y1);
        let holds = |t: &Thing<'_>| {
            t.name != thing.name && t.bbox.x0 <= x && x <= t.bbox.x1 && t.bbox.y0 <= foot && foot <= t.bbox.y1
        };
        tables.into_iter().find(holds).map(|t| if t.name == "dining table" { "table" } else { t.name })
    }

    fn count(&self, what: &str) -> Ground {
        let found = self.find(what);
        let exact: Vec<_> = found.iter().filter(|(f, t)| *f > Fit::Narrower && t.placed).collect();
        let one = nouns::singular(what);
        if exact.is_empty() {
            return match found.first() {
                Some((Fit::Narrower, t)) if t.placed => {
                    let n = found.iter().filter(|(_, t)| t.placed).count();
                    let seen = if n == 1 { t.name.to_owned() } else { nouns::plural(t.name) };
                    Ground::partial(
                        format!(
                            "There are {} {seen}; how many of them are {} is not known.",
                            nouns::number(n),
                            nouns::plural(&one)
                        ),
                        format!("I can see {} {seen}, but I can't tell", nouns::number(n)),
                    )
                }
                Some((_, t)) => Ground::partial(format!("There is at least one {}.", t.name), "I can see at least one"),
                None => {
                    let many =
                        if nouns::is_person(what) && what != "man" { "people".to_owned() } else { nouns::plural(&one) };
                    Ground::not_seen(format!("any {many}"), format!("I don't see any {many}"))
                }
            };
        }
        let n = exact.len();
        let number = nouns::number(n);
        let name = if n == 1 { one.clone() } else { nouns::plural(&one) };
        let verb = if n == 1 { "is" } else { "are" };
        let list: Vec<_> = exact.iter().map(|(_, t)| t.clone()).collect();
        let detail = if exact.iter().any(|(f, _)| *f == Fit::KindOf) {
            format!(": {}", things::list(&list, 6, false))
        } else {
            String::new()
        };
        Ground::supported(format!("There {verb} {number} {name}{detail}."), format!("I can see {number} {name}"))
    }

    fn present(&self, what: &str) -> Ground {
        let found = self.find(what);
        let asked = nouns::with_article(&nouns::singular(what));
        match found.first() {
            None => self.not_here(what),
            Some((Fit::Narrower, t)) => Ground::partial(
                format!("There is {}; whether it is {asked} is not known.", nouns::with_article(t.name)),
                format!("I can see {}, but I can't tell whether it is {asked}", nouns::with_article(t.name)),
            ),
            Some((_, t)) => {
                let all: Vec<_> = found.iter().filter(|(f, _)| *f > Fit::Narrower).map(|(_, t)| t.clone()).collect();
                let list = things::list(&all, 3, true);
                let prefix =
                    if t.surety == Surety::Sure { "Yes, I can see" } else { "I think so: I can see what looks like" };
                let verb = if all.len() > 1 { "are" } else { "is" };
                Ground::supported(format!("There {verb} {list}."), prefix)
            }
        }
    }

    fn is_it(&self, what: &str) -> Ground {
        if self.find(what).iter().any(|(f, t)| *f > Fit::Narrower && t.surety > Surety::Unsure) {
            let asked = nouns::with_article(&nouns::singular(what));
            return Ground::supported(format!("Yes, it is {asked}."), "Yes, it");
        }
        match self.main().first() {
            Some(t) if t.fit(what) == Some(Fit::Narrower) => {
                let seen = nouns::with_article(t.name);
                Ground::partial(
                    format!("It is {seen}; more is not known."),
                    format!("It is {seen}, but I can't tell more"),
                )
            }
            Some(t) if t.surety > Surety::Unsure => {
                // The model likes to repeat the thing that was asked for; so what it is stands in the words it begins with.
                Ground::supported(format!("It is {}.", t.phrase()), format!("No, it looks like {}", t.phrase()))
            }
            _ => Ground::not_seen(nouns::with_article(what), "I can't make out what that is"),
        }
    }

    /// What was asked for is not there; what is there instead is said too, so that the model need not invent it.
    pub(crate) fn not_here(&self, what: &str) -> Ground {
        let plural = nouns::singular(what) != what && nouns::plural(&nouns::singular(what)) == what;
        let asked = match what {
            "it" | "this" | "that" => "that".to_owned(),
            _ if nouns::is_person(what) && !["man", "woman", "child", "boy", "girl", "baby"].contains(&what) => {
                "anyone".to_owned()
            }
            _ if plural => format!("any {what}"),
            _ => nouns::with_article(what),
        };
        let seen = self.main().into_iter().filter(|t| t.surety > Surety::Unsure).take(3).collect::<Vec<_>>();
        let prefix = format!("I don't see {asked}");
        if seen.is_empty() {
            return Ground::not_seen(asked, prefix);
        }
        let list = things::list(&seen, 3, false);
        Ground {
            note: format!("{} is not there. What is there: {list}.", capital(&asked)),
            ..Ground::not_seen(asked, format!("{prefix}. I can see"))
        }
        .sentences(2)
    }
}

fn maybe(hedged: &str) -> String {
    match hedged {
        "it is" => "it could be".to_owned(),
        "you are holding" => "you could be holding".to_owned(),
        other => other.to_owned(),
    }
}

/// `The cup`, `Your cup`… the person says "my", we say "the".
fn subject(what: &str, thing: &Thing<'_>) -> String {
    if nouns::is_person(what) && ["i", "me", "myself"].contains(&what) {
        return "The person".to_owned();
    }
    match thing.colour {
        Some(c) if !thing.is_person() => format!("The {} {what}", c.name()),
        _ => format!("The {what}"),
    }
}

pub(crate) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |c| c.to_uppercase().chain(chars).collect())
}

/// The article a list begins with, so that the model goes on with the noun.
fn article_of(list: &str) -> &str {
    list.split(' ').next().filter(|w| ["a", "an"].contains(w)).unwrap_or("")
}

/// Whether two boxes are close enough for one to hold the other.
fn reaches(person: &Thing<'_>, thing: &Thing<'_>) -> bool {
    let (p, t) = (person.bbox, thing.bbox);
    let margin = 0.08;
    t.x0 <= p.x1 + margin && t.x1 >= p.x0 - margin && t.y0 <= p.y1 + margin && t.y1 >= p.y0 - margin
}
