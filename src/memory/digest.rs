//! What perception knew over a stretch of time, compact and bounded: enough to say later what colour the cup was, how many people
//! there were, what the sign said and what was shown.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::event::{MOST_SAID, MOST_SAID_CHARS};
use super::span::Span;
use crate::base::{BBox, MediaTime};
use crate::watch::{Change, Colour, ColourShare};

/// Things in one digest.
pub const MOST_THINGS: usize = 16;
/// Lines of text in one digest.
pub const MOST_TEXTS: usize = 8;
/// Changes in one digest.
pub const MOST_CHANGES: usize = 8;
/// Characters of a line of text.
pub const MOST_TEXT_CHARS: usize = 80;
/// Characters of a name.
pub(super) const MOST_NAME_CHARS: usize = 48;
/// Broader words of one thing.
pub(super) const MOST_BROADER: usize = 4;
/// Colours of the picture.
pub(super) const MOST_COLOURS: usize = 6;

/// The largest digest: every list at its bound with capacity to spare (a `Vec` may have grown to twice its length), four bytes a character.
pub(super) const MOST_DIGEST_BYTES: usize = size_of::<Digest>()
    + 2 * MOST_THINGS
        * (size_of::<Seen>() + 4 * MOST_NAME_CHARS + 2 * MOST_BROADER * (size_of::<String>() + 4 * MOST_NAME_CHARS))
    + 2 * MOST_TEXTS * (size_of::<SeenText>() + 4 * MOST_TEXT_CHARS)
    + 2 * MOST_CHANGES * (size_of::<SeenChange>() + 8 * MOST_TEXT_CHARS)
    + 2 * MOST_COLOURS * size_of::<ColourShare>();
/// The most that the turns of one event take.
pub(super) const MOST_SAID_BYTES: usize = 2 * MOST_SAID * (size_of::<super::event::Said>() + 4 * MOST_SAID_CHARS);

/// Which expert named a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeenKind {
    /// The detector: it has a place and can be counted.
    #[default]
    Object,
    /// The classifier, from the whole picture or a crop.
    Label,
}

/// A thing that was seen, all of one name together.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Seen {
    /// Class name, e.g. `cup`.
    pub label: String,
    /// Broader words for it, nearest first.
    pub broader: Vec<String>,
    /// The best there was, `0.0..=1.0`.
    pub confidence: f32,
    /// How many there were at one time, at most. A number that only a single look gave, between looks that gave less, does not count.
    pub most: u8,
    /// Its main colour, from the surest look that told one. A name of the classifier has the colour of the object it names.
    pub colour: Option<Colour>,
    /// Where it was last; `None` when it was the whole picture.
    pub place: Option<BBox>,
    /// Which expert named it.
    pub kind: SeenKind,
    /// When it was first seen.
    pub first: MediaTime,
    /// When it was last seen.
    pub last: MediaTime,
    /// In how many looks.
    pub looks: u32,
}

/// A line that was read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeenText {
    /// The surest reading, at most [`MOST_TEXT_CHARS`] characters.
    pub text: String,
    /// Its confidence, `0.0..=1.0`.
    pub confidence: f32,
    /// When it was first read.
    pub first: MediaTime,
    /// When it was last read.
    pub last: MediaTime,
}

impl SeenText {
    pub(super) fn span(&self) -> Span {
        Span::new(self.first, super::span::after(self.last))
    }
}

/// A change and when it happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeenChange {
    /// What changed.
    pub change: Change,
    /// When.
    pub at: MediaTime,
}

/// What perception knew over a stretch of time.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Digest {
    /// Things, at most [`MOST_THINGS`]; those seen longest and surest stay.
    pub things: Vec<Seen>,
    /// Lines, at most [`MOST_TEXTS`], oldest first.
    pub texts: Vec<SeenText>,
    /// Changes, at most [`MOST_CHANGES`], oldest first.
    pub changes: Vec<SeenChange>,
    /// Mean colours of the whole picture, largest share first.
    pub colours: Vec<ColourShare>,
    /// Mean brightness, `0.0..=1.0`.
    pub brightness: f32,
    /// Looks that went in.
    pub looks: u32,
}

/// What stands around anyway, and is rarely what somebody shows.
const FURNISHING: &[&str] = &[
    "couch",
    "chair",
    "bed",
    "dining table",
    "table",
    "desk",
    "tv",
    "monitor",
    "screen",
    "refrigerator",
    "sink",
    "toilet",
    "oven",
    "bench",
    "furniture",
    "wall",
    "window",
    "window shade",
    "curtain",
    "room",
    "shelf",
    "bookcase",
];

/// Whether a name is of a person.
pub(super) fn is_person(label: &str) -> bool {
    matches!(label, "person" | "man" | "woman" | "people" | "face" | "boy" | "girl" | "child")
}

impl Seen {
    /// What decides whether it stays in a full digest: sure things and things seen long, the latter by the square root, so that a thing
    /// shown once can still take the place of what a look-long mistake left.
    pub(super) fn weight(&self) -> f32 {
        #[expect(clippy::cast_precision_loss, reason = "a weight, not a count")]
        let looks = (self.looks.max(1) as f32).sqrt();
        self.confidence * looks
    }

    /// How much it draws the eye, about `0.0..=1.5`: sure, large, near the middle. People and furnishing draw it less than a thing held
    /// into the picture.
    #[must_use]
    pub fn salience(&self) -> f32 {
        let whole = BBox::FULL;
        let b = self.place.unwrap_or(whole);
        let (x, y) = b.centre();
        let off_centre = ((x - 0.5).abs() + (y - 0.5).abs()).min(1.0);
        let size = b.area().clamp(0.02, 0.5).sqrt();
        let furnishing = || {
            FURNISHING.contains(&self.label.as_str()) || self.broader.iter().any(|w| FURNISHING.contains(&w.as_str()))
        };
        let kind = match () {
            () if is_person(&self.label) => 0.4,
            () if furnishing() => 0.5,
            () => 1.0,
        };
        // One look may be a mistake; three are none.
        let lasting = match self.looks {
            0 | 1 => 0.7,
            2 => 0.85,
            _ => 1.0,
        };
        self.confidence * (0.4 + size) * (1.0 - 0.4 * off_centre) * kind * lasting
    }

    pub(super) fn span(&self) -> Span {
        Span::new(self.first, super::span::after(self.last))
    }
}

impl Digest {
    /// Things, what was shown first: what is sure, large and near the middle, and what came into view; people and furnishing later.
    #[must_use]
    pub fn salient(&self) -> Vec<&Seen> {
        let mut out: Vec<(&Seen, f32)> = self.things.iter().map(|s| (s, self.salience_of(s))).collect();
        out.sort_by(|(a, x), (b, y)| y.total_cmp(x).then_with(|| tie(a, b)));
        out.into_iter().map(|(s, _)| s).collect()
    }

    /// [`Seen::salience`], more for what came into view during this stretch.
    pub(super) fn salience_of(&self, s: &Seen) -> f32 {
        let came = self.changes.iter().any(|c| match &c.change {
            Change::Appeared { label } => *label == s.label,
            Change::MainChanged { to, .. } => *to == s.label,
            _ => false,
        });
        s.salience() * if came { 1.35 } else { 1.0 }
    }

    /// Nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.things.is_empty() && self.texts.is_empty() && self.changes.is_empty() && self.colours.is_empty()
    }

    /// The part of it that was so during `span`. What held from before until after it is in.
    #[must_use]
    pub fn within(&self, span: Span) -> Self {
        let mut out = self.clone();
        out.things.retain(|s| s.span().overlaps(span));
        out.texts.retain(|t| t.span().overlaps(span));
        out.changes.retain(|c| span.contains(c.at));
        out
    }

    /// What remains of it for `keep` when the rest must be forgotten. A thing known at one end only keeps its name and that time: its
    /// colour, place and number may come from what is forgotten. A line that is not wholly inside goes, because its reading may.
    pub(super) fn cut_to(&mut self, keep: Span) {
        self.things.retain_mut(|s| {
            let (first, last) = (keep.contains(s.first), keep.contains(s.last));
            if first && last {
                return true;
            }
            let at = if first { s.first } else { s.last };
            (s.first, s.last, s.looks, s.most, s.colour) = (at, at, 1, 1, None);
            s.place = s.place.filter(|_| last);
            first || last
        });
        self.texts.retain(|t| keep.contains(t.first) && keep.contains(t.last));
        self.changes.retain(|c| keep.contains(c.at));
        self.colours.clear();
        self.brightness = 0.0;
        self.looks = self.things.iter().map(|s| s.looks).max().unwrap_or(0);
    }

    /// Bytes that its lists and strings take, by capacity.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let things = self.things.iter().map(|s| {
            let broader = s.broader.iter().map(string_bytes).sum::<usize>();
            string_bytes(&s.label) + s.broader.capacity() * size_of::<String>() + broader
        });
        self.things.capacity() * size_of::<Seen>()
            + things.sum::<usize>()
            + self.texts.capacity() * size_of::<SeenText>()
            + self.texts.iter().map(|t| string_bytes(&t.text)).sum::<usize>()
            + self.changes.capacity() * size_of::<SeenChange>()
            + self.changes.iter().map(|c| change_bytes(&c.change)).sum::<usize>()
            + self.colours.capacity() * size_of::<ColourShare>()
    }

    pub(super) fn shrink(&mut self) {
        self.things.shrink_to_fit();
        self.texts.shrink_to_fit();
        self.changes.shrink_to_fit();
        self.colours.shrink_to_fit();
    }
}

fn tie(a: &Seen, b: &Seen) -> Ordering {
    a.label.cmp(&b.label).then((a.kind as u8).cmp(&(b.kind as u8)))
}

pub(super) fn string_bytes(s: &String) -> usize {
    s.capacity()
}

pub(super) fn change_bytes(change: &Change) -> usize {
    match change {
        Change::Appeared { label } | Change::Disappeared { label } => label.capacity(),
        Change::MainChanged { from, to } => from.capacity() + to.capacity(),
        Change::TextAppeared { text } => text.capacity(),
        Change::Light { .. } | Change::SceneCut => 0,
    }
}
