//! What memory has to say about a question, and how the answer begins because of it.
//!
//! The counterpart of `ground` for what was: the same care that nothing unseen is said, in the past tense and with the time.
//! Whatever the facts decide stands in the words the answer must begin with; the model only ends the sentence.

use super::ground::{Ground, capital};
use super::nouns::{self, Fit};
use super::past_words::{ago, distance, distinct, length, middle, stamp};
use super::question::{Ask, analyse};
use super::recall::only_colour;
use super::route::{Anchor, Routed, TimeProblem};
use super::things::{self, place};
use crate::base::MediaTime;
use crate::memory::{Hit, Order, Seen, SeenKind, Span};
use crate::watch::Colour;

/// Below these a sighting is not spoken of; the same as for the present.
const LEAST_OBJECT: f32 = 0.35;
const LEAST_LABEL: f32 = 0.30;
/// Below this it is said with "perhaps".
const SURE: f32 = 0.45;
/// Most things told at once.
const MOST_TOLD: usize = 4;
/// Colours of a picture told at once.
const MOST_COLOURS: usize = 3;

/// What is answered from memory.
#[derive(Debug, Clone)]
pub(crate) struct Recollected {
    /// How the answer begins.
    pub(crate) ground: Ground,
    /// Whether what was asked for was found.
    pub(crate) seen: bool,
    /// The hits that the answer rests on, by index.
    pub(crate) cited: Vec<usize>,
}

impl Recollected {
    pub(crate) fn found(note: impl Into<String>, prefix: impl Into<String>, cited: Vec<usize>) -> Self {
        Self { ground: Ground::supported(note, prefix), seen: true, cited }
    }

    /// Something was done as asked; the words say what.
    pub(crate) fn done(words: impl Into<String>) -> Self {
        let words = words.into();
        Self { ground: Ground::supported(format!("{words}."), words), seen: true, cited: Vec::new() }
    }

    /// Something could not be done; the words say why.
    pub(crate) fn refused(words: impl Into<String>) -> Self {
        let words = words.into();
        Self { ground: Ground::partial(format!("{words}."), words), seen: false, cited: Vec::new() }
    }

    /// The answer is given from what is to be seen now.
    pub(crate) fn of_present() -> Self {
        Self { ground: Ground::partial("", ""), seen: true, cited: Vec::new() }
    }

    pub(crate) fn missing(what: impl Into<String>, prefix: impl Into<String>) -> Self {
        let what = what.into();
        let note = format!("{} was not seen.", capital(&what));
        Self { ground: Ground { note, ..Ground::not_seen(what, prefix) }, seen: false, cited: Vec::new() }
    }
}

/// A question about the past.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question<'a> {
    /// How it is meant.
    pub(crate) routed: &'a Routed,
    /// Its time is a moment, not a stretch.
    pub(crate) moment: bool,
    /// When it is asked, on the memory's clock.
    pub(crate) now: MediaTime,
}

/// Decides how a question about the past is answered from `hits`, best first. `watched`: what the memory covers.
pub(crate) fn recollect(question: &Question<'_>, hits: &[Hit], watched: Option<Span>) -> Recollected {
    let Question { routed, moment, now } = *question;
    if let Some(problem) = routed.problem {
        return impossible(problem, watched, now);
    }
    let r = Recall { routed, hits, now, moment };
    let ask = analyse(&routed.about);
    if routed.said {
        return r.said().unwrap_or_else(|| r.nothing("that", "I don't remember that being said"));
    }
    if !routed.quoted.is_empty() {
        return r.quoted();
    }
    if let Some(brighter) = routed.light {
        return r.light(brighter);
    }
    if let Some(colour) = only_colour(routed) {
        return r.of_colour(colour);
    }
    if hits.is_empty() {
        return r.unseen(&ask);
    }
    if let Some(told) = r.told(&ask) {
        return told;
    }
    if routed.when {
        return r.when(&ask);
    }
    match &ask {
        Ask::Read => r.read(),
        Ask::ColourOf(Some(what)) => r.colour(what, None),
        Ask::IsColour(what, colour) => r.colour(what, Some(*colour)),
        Ask::Count(what) => r.count(what),
        Ask::Present(what) | Ask::IsIt(what) | Ask::Past(Some(what)) => r.present(what),
        Ask::Where(what) => r.place_of(what),
        Ask::Change => r.changes(),
        Ask::OfColour(colour) => r.of_colour(*colour),
        Ask::Who => r.who(),
        Ask::Attribute(_) => r.said().unwrap_or_else(|| r.nothing("that", "I can't tell that from what I remember")),
        _ => r.shown(),
    }
}

/// A question and what was found for it.
pub(crate) struct Recall<'a> {
    pub(crate) routed: &'a Routed,
    pub(crate) hits: &'a [Hit],
    pub(crate) now: MediaTime,
    pub(crate) moment: bool,
}

/// A thing of a hit.
#[derive(Clone, Copy)]
struct Found<'a> {
    hit: usize,
    seen: &'a Seen,
    /// A finer name for it that is less sure.
    perhaps: Option<&'a Seen>,
}

impl<'a> Recall<'a> {
    /// What fits a word, in the order asked for.
    fn find(&self, word: &str) -> Vec<Found<'a>> {
        if ["it", "this", "that", "thing", "something", "anything"].contains(&word) {
            return self.main(1);
        }
        let mut found: Vec<Found<'a>> = Vec::new();
        for (hit, h) in self.hits.iter().enumerate() {
            let fits = |s: &&Seen| {
                spoken_of(s) && nouns::fit(word, &s.label, &s.broader).is_some_and(|fit| fit > Fit::Narrower)
            };
            // What the detector found has a colour and a place, so it stands before what the classifier called the same.
            let mut here: Vec<_> = h.digest.things.iter().filter(fits).collect();
            here.sort_by_key(|s| s.kind != SeenKind::Object);
            found.extend(here.into_iter().map(|seen| Found { hit, seen, perhaps: None }));
        }
        match self.routed.order {
            Order::First => found.sort_by_key(|f| f.seen.first),
            Order::Last => found.sort_by_key(|f| std::cmp::Reverse(f.seen.last)),
            Order::Best => {}
        }
        found
    }

    /// The most telling things, nearest to the middle of the span first, each name once.
    fn main(&self, most: usize) -> Vec<Found<'a>> {
        let mut order: Vec<usize> = (0..self.hits.len()).collect();
        match (self.routed.order, self.asked_time()) {
            (Order::First, _) => order.sort_by_key(|i| self.hits[*i].span.start),
            (Order::Last, _) => order.sort_by_key(|i| std::cmp::Reverse(self.hits[*i].span.end)),
            (Order::Best, Some(at)) => order.sort_by_key(|i| distance(self.hits[*i].span, at)),
            (Order::Best, _) => order.sort_by_key(|i| self.hits[*i].span.start),
        }
        let each = if order.len() > 1 { 1 } else { most };
        let mut found: Vec<Found<'a>> = Vec::new();
        for hit in order {
            let things = &self.hits[hit].digest.things;
            let mut left = each;
            for s in self.hits[hit].digest.salient().into_iter().filter(|s| spoken_of(s)) {
                let new = finest(hit, s, things);
                let told = |f: &Found<'_>| alike(f.seen, new.seen) || alike(f.seen, s) || is_doubt(f.seen, new.seen);
                if left > 0 && !found.iter().any(told) {
                    found.push(new);
                    left -= 1;
                }
            }
            if found.len() >= most {
                break;
            }
        }
        // Somebody is nearly always there; he is told of only when there is nothing else.
        if found.iter().any(|f| !nouns::is_person(&f.seen.label)) {
            found.retain(|f| !nouns::is_person(&f.seen.label));
        }
        found.truncate(most);
        found
    }

    pub(crate) fn ago(&self, at: MediaTime) -> String {
        ago(self.now.since(at))
    }

    /// The middle of the time that was asked for.
    pub(crate) fn asked_time(&self) -> Option<MediaTime> {
        self.routed.about_time.or_else(|| self.routed.span.filter(|_| self.moment).map(middle))
    }

    /// `About ten minutes ago`, or what was asked for instead.
    pub(crate) fn head(&self, hit: usize) -> String {
        capital(&self.ago(middle(self.hits[hit].span)))
    }

    fn shown(&self) -> Recollected {
        let found = self.main(MOST_TOLD);
        let Some(first) = found.first() else { return self.shown_otherwise() };
        let phrases: Vec<_> = found.iter().map(Found::phrase).collect();
        let list = things::and(&phrases).trim_end_matches(',').replace(",,", ",");
        let cited = distinct(found.iter().map(|f| f.hit));
        if cited.len() == 1 || self.moment {
            let head = self.head(first.hit);
            let mut note = format!("{head}, at {}, the camera showed {list}.", stamp(first.seen.first));
            if let Some(text) = self.hits[first.hit].digest.texts.first() {
                note.push_str(&format!(" Text: \"{}\".", things::tame(&text.text, 60)));
            }
            return Recollected::found(note, format!("{head} I saw {list}"), cited);
        }
        let from = found.iter().map(|f| f.seen.first).min().unwrap_or_default();
        Recollected::found(format!("Since {} the camera showed {list}.", stamp(from)), format!("I saw {list}"), cited)
    }

    /// Nothing was recognised: what was read, said or happened then is still something.
    fn shown_otherwise(&self) -> Recollected {
        let read = self.read();
        if read.seen {
            return read;
        }
        let colours = self.hits.iter().enumerate().find(|(_, h)| !h.digest.colours.is_empty());
        match colours {
            Some((hit, h)) => {
                let names: Vec<_> =
                    h.digest.colours.iter().take(MOST_COLOURS).map(|c| c.colour.name().to_owned()).collect();
                let mostly = things::and(&names);
                Recollected {
                    ground: Ground::partial(
                        format!("Nothing known was made out; the picture was mostly {mostly}."),
                        format!("I could not make out anything that I know, but the picture was mostly {mostly}"),
                    ),
                    seen: false,
                    cited: vec![hit],
                }
            }
            None => self.nothing("anything known", "I did not make out anything that I know"),
        }
    }

    fn colour(&self, what: &str, asked: Option<Colour>) -> Recollected {
        let found = self.find(what);
        let Some(first) = found.first() else { return self.not_found(what) };
        let name = if what == "it" { first.seen.label.as_str() } else { what };
        let Some(with) = found.iter().find(|f| f.seen.colour.is_some()) else {
            let prefix = format!("I saw the {name} {}, but I can't tell its colour", self.ago(first.seen.last));
            return Recollected {
                ground: Ground::partial(format!("The colour of the {name} is not known."), prefix),
                seen: false,
                cited: vec![first.hit],
            };
        };
        let colour = with.seen.colour.map_or("", Colour::name);
        let head = match asked {
            Some(c) if Some(c) == with.seen.colour => "Yes, the",
            Some(_) => "No, the",
            None => "The",
        };
        let be = if nouns::singular(name) == name { "was" } else { "were" };
        let prefix = format!("{head} {name} {be} {colour}");
        Recollected::found(format!("{prefix}, {}.", self.ago(with.seen.last)), prefix, vec![with.hit])
    }

    fn count(&self, what: &str) -> Recollected {
        let found = self.find(what);
        let Some(most) = found.iter().max_by_key(|f| f.seen.most) else { return self.not_found(what) };
        let n = usize::from(most.seen.most.max(1));
        let one = nouns::singular(what);
        let name = if n == 1 { one } else { nouns::plural(&one) };
        let (head, number) = (self.head(most.hit), nouns::number(n));
        Recollected::found(
            format!("{head} there {} {number} {name} at most at one time.", if n == 1 { "was" } else { "were" }),
            format!("{head} I saw {number} {name}"),
            vec![most.hit],
        )
    }

    fn present(&self, what: &str) -> Recollected {
        let found = self.find(what);
        let Some(first) = found.first() else { return self.not_found(what) };
        let where_ = first.seen.place.map(|b| format!(" {}", place(b))).unwrap_or_default();
        let phrase = phrase(first.seen);
        let prefix = format!("Yes, I saw {phrase}{where_} {}", self.ago(first.seen.last));
        Recollected::found(
            format!("{} was seen{where_} at {}.", capital(&phrase), stamp(first.seen.last)),
            prefix,
            vec![first.hit],
        )
    }

    fn place_of(&self, what: &str) -> Recollected {
        let found = self.find(what);
        if let Some(f) = found.iter().find(|f| f.seen.place.is_some() && f.seen.kind == SeenKind::Object)
            && let Some(bbox) = f.seen.place
        {
            let prefix = format!("I last saw the {what} {} {}", place(bbox), self.ago(f.seen.last));
            let beside = self.beside(f);
            return Recollected::found(format!("{prefix}, at {}.{beside}", stamp(f.seen.last)), prefix, vec![f.hit]);
        }
        // Where something is, people also say.
        if let Some(said) = self.said() {
            return said;
        }
        let Some(first) = found.first() else { return self.not_found(what) };
        let prefix = format!("I saw the {what} {}, but I can't tell exactly where it was", self.ago(first.seen.last));
        Recollected { ground: Ground::partial(String::new(), prefix), seen: true, cited: vec![first.hit] }
    }

    fn beside(&self, f: &Found<'_>) -> String {
        let others = self.hits[f.hit].digest.things.iter();
        let others = others.filter(|s| s.kind == SeenKind::Object && s.label != f.seen.label && spoken_of(s));
        let names: Vec<_> = others.take(2).map(phrase).collect();
        if names.is_empty() { String::new() } else { format!(" Near by: {}.", things::and(&names)) }
    }

    fn when(&self, ask: &Ask) -> Recollected {
        let word = noun_of(ask);
        let found = match &word {
            Some(word) => self.find(word),
            None => self.main(1),
        };
        let Some(f) = found.first() else {
            if let Some(said) = self.said() {
                return said;
            }
            return word.map_or_else(|| self.shown_otherwise(), |w| self.not_found(&w));
        };
        let at = self.end_of(f.seen.first, f.seen.last);
        let name = word.filter(|w| w != "it").map_or_else(|| phrase(f.seen), |w| format!("the {w}"));
        let prefix = format!("I saw {name} {}, at {} of our session", self.ago(at), stamp(at));
        Recollected::found(format!("{prefix}."), prefix, vec![f.hit])
    }

    /// The end of a time that is meant.
    pub(crate) fn end_of(&self, first: MediaTime, last: MediaTime) -> MediaTime {
        if self.routed.order == Order::First { first } else { last }
    }

    fn who(&self) -> Recollected {
        let found = self.find("person");
        let Some(first) = found.iter().max_by_key(|f| f.seen.most) else { return self.not_found("person") };
        let n = usize::from(first.seen.most.max(1));
        let people = if n == 1 { "a person".to_owned() } else { format!("{} people", nouns::number(n)) };
        let prefix = format!("{} I saw {people}, but I don't identify people", self.head(first.hit));
        Recollected {
            ground: Ground::partial("People are never identified.", prefix),
            seen: true,
            cited: vec![first.hit],
        }
    }

    fn not_found(&self, what: &str) -> Recollected {
        if let Some(said) = self.said() {
            return said;
        }
        let plural = nouns::singular(what) != what;
        let asked = match what {
            _ if nouns::is_person(what) => "anyone".to_owned(),
            _ if plural => format!("any {what}"),
            _ => nouns::with_article(what),
        };
        self.nothing(&asked, &format!("I did not see {asked}"))
    }

    pub(crate) fn nothing(&self, what: &str, prefix: &str) -> Recollected {
        let then = match self.routed.span {
            Some(span) if self.moment => {
                format!(" {}", self.ago(self.asked_time().unwrap_or_else(|| middle(span))))
            }
            Some(_) => " in that time".to_owned(),
            None => String::new(),
        };
        Recollected::missing(what, format!("{prefix}{then}"))
    }

    /// Nothing at all is remembered of the span, or nothing that resembles what was asked for.
    fn unseen(&self, ask: &Ask) -> Recollected {
        match (noun_of(ask), &self.routed.anchor) {
            (_, Some(Anchor::Before(what) | Anchor::After(what) | Anchor::During(what))) => {
                Recollected::missing(what.clone(), format!("I don't remember the {what}, so I can't tell"))
            }
            (Some(what), None) => self.not_found(&what),
            (None, None) => self.nothing("anything", "I don't remember seeing anything"),
        }
    }
}

/// A question about a time that cannot be.
fn impossible(problem: TimeProblem, watched: Option<Span>, now: MediaTime) -> Recollected {
    let prefix = match problem {
        TimeProblem::BeforeStart => match watched {
            Some(span) => {
                format!("I can't tell, because I have only been watching for {}", length(now.since(span.start)))
            }
            None => "I can't tell, because I have not seen anything yet".to_owned(),
        },
        TimeProblem::Future => "I can't tell, because I only know what has already happened".to_owned(),
    };
    Recollected { ground: Ground::partial(String::new(), prefix), seen: false, cited: Vec::new() }
}

/// The thing a question is about.
fn noun_of(ask: &Ask) -> Option<String> {
    match ask {
        Ask::Present(w) | Ask::IsIt(w) | Ask::Where(w) | Ask::Count(w) | Ask::IsColour(w, _) | Ask::IdentifyKind(w) => {
            Some(w.clone())
        }
        Ask::ColourOf(w) | Ask::Past(w) | Ask::Motion(w) => w.clone(),
        Ask::Who => Some("person".to_owned()),
        _ => None,
    }
}

pub(crate) fn spoken_of(s: &Seen) -> bool {
    s.confidence >= if s.kind == SeenKind::Object { LEAST_OBJECT } else { LEAST_LABEL }
}

fn alike(a: &Seen, b: &Seen) -> bool {
    nouns::fit(&a.label, &b.label, &b.broader).is_some() || nouns::fit(&b.label, &a.label, &a.broader).is_some()
}

/// Another guess at what was told already: the Egyptian cat may have been a tabby cat.
fn is_doubt(told: &Seen, s: &Seen) -> bool {
    s.confidence < SURE && s.broader.first().is_some_and(|kind| told.broader.first() == Some(kind))
}

/// A thing by its finest name: the bird was a partridge. Where that is not so sure, it is told as well.
fn finest<'a>(hit: usize, seen: &'a Seen, things: &'a [Seen]) -> Found<'a> {
    let finer = things.iter().filter(|t| {
        let kind = nouns::fit(&seen.label, &t.label, &t.broader) == Some(Fit::KindOf);
        let together = t.first <= seen.last && seen.first <= t.last;
        kind && together && spoken_of(t) && !nouns::is_person(&seen.label)
    });
    match finer.max_by(|a, b| a.confidence.total_cmp(&b.confidence)) {
        Some(t) if t.confidence >= SURE => Found { hit, seen: t, perhaps: None },
        perhaps => Found { hit, seen, perhaps },
    }
}

impl Found<'_> {
    /// `a red cup`, `a dog, perhaps a terrier`.
    fn phrase(&self) -> String {
        let perhaps = self.perhaps.map(|p| format!(", perhaps {},", nouns::with_article(&p.label))).unwrap_or_default();
        format!("{}{perhaps}", phrase(self.seen))
    }
}

/// `a red cup`, `two cups`.
pub(crate) fn phrase(s: &Seen) -> String {
    let person = nouns::is_person(&s.label);
    if s.most > 1 {
        let many = if person { "people".to_owned() } else { nouns::plural(&s.label) };
        return format!("{} {many}", nouns::number(usize::from(s.most)));
    }
    let colour = s.colour.filter(|c| s.kind == SeenKind::Object && !person && !things::names_colour(&s.label, *c));
    let noun = colour.map_or_else(|| s.label.clone(), |c| format!("{} {}", c.name(), s.label));
    let hedge = if s.confidence < SURE { "perhaps " } else { "" };
    format!("{hedge}{}", nouns::with_article(&noun))
}
