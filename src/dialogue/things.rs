//! One list of what is seen, whichever expert saw it, and the words for it.

use crate::base::BBox;
use crate::watch::{Colour, Motion, SceneFacts};

use super::nouns::{self, Fit};
use super::prompt::is_mark;

/// How sure perception is of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Surety {
    /// One of several possibilities.
    Unsure,
    /// More likely than not.
    Likely,
    /// As good as certain.
    Sure,
}

/// A brown bear is not a brown brown bear, nor an orange an orange orange.
pub(crate) fn names_colour(name: &str, colour: Colour) -> bool {
    name.split(' ').any(|word| word.trim_end_matches('s') == colour.name())
}

/// Below this a sighting is noise and is not spoken of. The detector's own threshold may be lower, for tracking.
const LEAST_OBJECT: f32 = 0.30;
const LEAST_LABEL: f32 = 0.12;
/// A colour that covers this share of a thing is its colour.
const COLOUR_SHARE: f32 = 0.30;

/// Something seen.
#[derive(Debug, Clone)]
pub(crate) struct Thing<'a> {
    /// Class name.
    pub(crate) name: &'a str,
    /// Broader words.
    pub(crate) broader: &'a [String],
    pub(crate) surety: Surety,
    pub(crate) confidence: f32,
    pub(crate) bbox: BBox,
    pub(crate) colour: Option<Colour>,
    pub(crate) motion: Motion,
    /// Found by the detector, so that it has a place and can be counted.
    pub(crate) placed: bool,
}

impl<'a> Thing<'a> {
    /// How it fits a word that was asked for.
    pub(crate) fn fit(&self, word: &str) -> Option<Fit> {
        nouns::fit(word, self.name, self.broader)
    }

    pub(crate) fn is_person(&self) -> bool {
        nouns::is_person(self.name)
    }

    /// `a red cup`, hedged when not sure.
    pub(crate) fn phrase(&self) -> String {
        // The classifier's names are narrow enough: nobody says "a brown golden retriever".
        let colour = self.colour.filter(|_| self.placed);
        let colour = colour.filter(|c| !names_colour(self.name, *c));
        let noun = colour.map_or_else(|| self.name.to_owned(), |c| format!("{} {}", c.name(), self.name));
        nouns::with_article(&noun)
    }

    /// `on the left`.
    pub(crate) fn place(&self) -> &'static str {
        place(self.bbox)
    }
}

/// Objects of the detector, most confident first.
pub(crate) fn objects(facts: &SceneFacts) -> Vec<Thing<'_>> {
    let seen = facts.objects.iter().filter(|o| o.confidence >= LEAST_OBJECT);
    seen.map(|o| Thing {
        name: &o.label,
        broader: &[],
        surety: match o.confidence {
            c if c >= 0.55 => Surety::Sure,
            c if c >= 0.40 => Surety::Likely,
            _ => Surety::Unsure,
        },
        confidence: o.confidence,
        bbox: o.bbox,
        // Skin, hair and clothes have colours of their own: a person has none.
        colour: o.colour.filter(|c| c.share >= COLOUR_SHARE && !nouns::is_person(&o.label)).map(|c| c.colour),
        motion: o.motion,
        placed: true,
    })
    .collect()
}

/// Names from the classifier, most confident first.
pub(crate) fn labels(facts: &SceneFacts) -> Vec<Thing<'_>> {
    let seen = facts.labels.iter().filter(|l| l.confidence >= LEAST_LABEL);
    let mut list: Vec<_> = seen
        .map(|l| Thing {
            name: &l.label,
            broader: &l.broader,
            surety: match l.confidence {
                // Measured on labelled photographs: from 0.6 on 97 % are right, below it about half; everyday scenes are harder.
                c if c >= 0.60 => Surety::Sure,
                c if c >= 0.35 => Surety::Likely,
                _ => Surety::Unsure,
            },
            confidence: l.confidence,
            bbox: l.bbox,
            colour: None,
            motion: Motion::Still,
            placed: false,
        })
        .collect();
    list.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    list
}

/// The whole picture or most of it.
pub(crate) fn is_whole(b: BBox) -> bool {
    b.area() > 0.8
}

/// What the picture is mainly of, best first: where a name of the classifier and one of the detector say the same, the narrower one stands.
pub(crate) fn main_things(facts: &SceneFacts) -> Vec<Thing<'_>> {
    let objects = objects(facts);
    // Where both mean the same the detector's word stands: it is the everyday one, and it has a place.
    let mut names: Vec<Thing<'_>> = labels(facts);
    names.retain(|n| !objects.iter().any(|o| o.fit(n.name) == Some(Fit::Same)));
    // A crop was cut out because of an object: a name for it that is of another kind is a mistake of one of the two, and the name is the smaller loss.
    names.retain(|n| is_whole(n.bbox) || objects.iter().any(|o| agree(n, o)));
    for name in &mut names {
        if let Some(object) = objects.iter().find(|o| agree(name, o)) {
            name.colour = object.colour;
            name.motion = object.motion;
            // Two experts that agree are surer than either of them.
            if name.confidence >= 0.25 && object.surety == Surety::Sure {
                name.surety = name.surety.max(Surety::Likely);
                name.confidence = name.confidence.max(object.confidence);
            }
        }
    }
    let mut all = names;
    for object in objects {
        let covered = all.iter().any(|n| n.surety > Surety::Unsure && agree(n, &object));
        if !covered {
            all.push(object);
        }
    }
    all.sort_by(|a, b| salience(b).total_cmp(&salience(a)));
    all
}

fn agree(name: &Thing<'_>, object: &Thing<'_>) -> bool {
    name.fit(object.name).is_some() || object.fit(name.name) == Some(Fit::KindOf)
}

/// Confidence, more for what is large and near the middle. A person in front of the camera is rarely what is asked about.
fn salience(t: &Thing<'_>) -> f32 {
    let (x, y) = t.bbox.centre();
    let off_centre = ((x - 0.5).abs() + (y - 0.5).abs()).min(1.0);
    let size = t.bbox.area().clamp(0.02, 0.5).sqrt();
    let person = if t.is_person() { 0.6 } else { 1.0 };
    t.confidence * (0.4 + size) * (1.0 - 0.4 * off_centre) * person
}

/// Where a box stands, as the person at the screen sees it.
pub(crate) fn place(b: BBox) -> &'static str {
    let (x, y) = b.centre();
    let tall = b.height() > 0.55;
    let (left, right) = (x < 0.36, x > 0.64);
    match (left, right, !tall && y < 0.28, !tall && y > 0.74) {
        (true, _, true, _) => "at the top left",
        (true, _, _, true) => "at the bottom left",
        (true, ..) => "on the left",
        (_, true, true, _) => "at the top right",
        (_, true, _, true) => "at the bottom right",
        (_, true, ..) => "on the right",
        (_, _, true, _) => "at the top",
        (_, _, _, true) => "at the bottom",
        _ => "in the middle",
    }
}

/// How a motion is said; `None` when it does not move.
pub(crate) const fn motion(m: Motion) -> Option<&'static str> {
    Some(match m {
        Motion::Still => return None,
        Motion::Left => "moving to the left",
        Motion::Right => "moving to the right",
        Motion::Up => "moving up",
        Motion::Down => "moving down",
        Motion::Nearer => "coming nearer",
        Motion::Away => "moving away",
    })
}

/// Same names together: `two cups, a red book on the left`. At most `most` kinds.
pub(crate) fn list(things: &[Thing<'_>], most: usize, places: bool) -> String {
    let mut kinds: Vec<(&str, Vec<&Thing<'_>>)> = Vec::new();
    for thing in things {
        let known = kinds.iter().position(|(name, _)| *name == thing.name);
        match known {
            Some(i) => kinds[i].1.push(thing),
            None if kinds.len() < most => kinds.push((thing.name, vec![thing])),
            None => {}
        }
    }
    let phrases = kinds.iter().map(|(name, same)| match same.as_slice() {
        [one] => {
            let hedge = match one.surety {
                Surety::Sure => "",
                Surety::Likely => "probably ",
                Surety::Unsure => "perhaps ",
            };
            let place = if places && one.placed { format!(" {}", one.place()) } else { String::new() };
            format!("{hedge}{}{place}", one.phrase())
        }
        many => {
            let colour = many[0].colour.filter(|c| many.iter().all(|t| t.colour == Some(*c)));
            let noun = nouns::plural(name);
            match colour {
                Some(c) if !names_colour(&noun, c) => format!("{} {} {noun}", nouns::number(many.len()), c.name()),
                _ => format!("{} {noun}", nouns::number(many.len())),
            }
        }
    });
    and(&phrases.collect::<Vec<_>>())
}

/// `a, b and c`.
pub(crate) fn and(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// Words that came through the lens or the wire, made safe to stand in a prompt: one line, no template marks, no quotation marks, bounded.
pub(crate) fn tame(text: &str, most_chars: usize) -> String {
    let mut out = String::with_capacity(text.len().min(most_chars * 4));
    let mut space = false;
    for c in text.chars() {
        let c = match c {
            '"' | '“' | '”' | '„' => '\'',
            '<' => '(',
            '>' => ')',
            '|' => '/',
            c if is_mark(c) => continue,
            c if c.is_whitespace() || c.is_control() => {
                space = !out.is_empty();
                continue;
            }
            c => c,
        };
        if out.chars().count() >= most_chars {
            out.push('…');
            break;
        }
        if space {
            out.push(' ');
            space = false;
        }
        out.push(c);
    }
    out
}
