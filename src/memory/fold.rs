//! How facts are folded into a digest, and digests into each other.

use super::digest::{
    Digest, MOST_BROADER, MOST_CHANGES, MOST_COLOURS, MOST_NAME_CHARS, MOST_TEXT_CHARS, MOST_TEXTS, MOST_THINGS, Seen,
    SeenChange, SeenKind, SeenText,
};
use super::text::{clip, same_line};
use crate::base::{BBox, MediaTime};
use crate::watch::{Change, Colour, ColourShare, LabelFact, ObjectFact, SceneFacts};

/// The detector's guesses below this are for its tracker.
const LEAST_OBJECT: f32 = 0.30;
/// The classifier tells ranked alternatives; below this they are noise.
const LEAST_LABEL: f32 = 0.20;
/// Readings below this are of no text.
const LEAST_TEXT: f32 = 0.30;
/// A colour that covers this share of a thing is its colour.
const LEAST_COLOUR: f32 = 0.30;
/// Facts of one kind that are looked at, at most.
const MOST_FACTS: usize = 64;

/// One look, as a digest takes it.
#[derive(Debug, Clone, Copy)]
pub(super) struct LookAt<'a> {
    pub(super) facts: &'a SceneFacts,
    /// The look before, whatever event it was in.
    pub(super) before: Option<&'a SceneFacts>,
    /// When this look was, in memory time. Facts carry times of the session's clock, so their *age* is what counts.
    pub(super) at: MediaTime,
    /// What is older than this belongs elsewhere or is forgotten.
    pub(super) since: MediaTime,
}

impl LookAt<'_> {
    /// A time of the facts in memory time; `None` when it is from before [`Self::since`].
    fn time(&self, t: MediaTime) -> Option<MediaTime> {
        let at = memory_time(self.facts, self.at, t);
        (at >= self.since).then_some(at)
    }
}

/// A time of the facts of a look that was at `at` in memory time.
pub(super) fn memory_time(facts: &SceneFacts, at: MediaTime, t: MediaTime) -> MediaTime {
    at.saturating_sub(facts.at.since(t))
}

impl Digest {
    /// What one look at `at` (memory time) tells.
    #[must_use]
    pub fn of(facts: &SceneFacts, at: MediaTime) -> Self {
        let mut out = Self::default();
        out.absorb(facts, at);
        out
    }

    /// Takes in a later look. Facts older than the look keep their age.
    pub fn absorb(&mut self, facts: &SceneFacts, at: MediaTime) {
        self.fold(LookAt { facts, before: None, at, since: MediaTime::ZERO });
    }

    pub(super) fn fold(&mut self, look: LookAt<'_>) {
        let facts = look.facts;
        #[expect(clippy::cast_precision_loss, reason = "a weight, not a count")]
        let n = self.looks as f32;
        let light = if facts.brightness.is_finite() { facts.brightness.clamp(0.0, 1.0) } else { 0.0 };
        self.brightness = (self.brightness * n + light) / (n + 1.0);
        self.mix_colours(&facts.colours, n, 1.0);
        self.looks = self.looks.saturating_add(1);
        self.fold_changes(look);
        // Names for a picture on which nothing can be seen are noise.
        if facts.unusable.is_some() {
            return;
        }
        self.fold_objects(look);
        for label in facts.labels.iter().take(MOST_FACTS).filter(|l| l.confidence >= LEAST_LABEL) {
            if let Some(at) = look.time(label.at) {
                self.put(label_seen(label, facts, at));
            }
        }
        for text in facts.texts.iter().take(MOST_FACTS).filter(|t| t.confidence >= LEAST_TEXT) {
            if let Some(at) = look.time(text.at) {
                let line = clip(text.text.trim(), MOST_TEXT_CHARS);
                self.put_text(SeenText { text: line, confidence: text.confidence.min(1.0), first: at, last: at });
            }
        }
    }

    fn fold_objects(&mut self, look: LookAt<'_>) {
        let seen = |o: &&ObjectFact| o.confidence >= LEAST_OBJECT;
        let objects: Vec<&ObjectFact> = look.facts.objects.iter().take(MOST_FACTS).filter(seen).collect();
        for (i, object) in objects.iter().enumerate() {
            if objects[..i].iter().any(|o| o.label == object.label) {
                continue; // They are most confident first, and were all counted with the first.
            }
            let same = || objects.iter().filter(|o| o.label == object.label);
            let Some(at) = same().filter_map(|o| look.time(o.last_seen)).max() else { continue };
            let now = same().filter(|o| look.time(o.last_seen).is_some()).count();
            let colour = same().find_map(|o| colour_of(o));
            self.put(Seen {
                label: clip(&object.label, MOST_NAME_CHARS),
                broader: Vec::new(),
                confidence: object.confidence.min(1.0),
                most: u8::try_from(steady(now, &object.label, look.before)).unwrap_or(u8::MAX),
                colour,
                place: Some(object.bbox),
                kind: SeenKind::Object,
                first: at,
                last: at,
                looks: 1,
            });
        }
    }

    fn fold_changes(&mut self, look: LookAt<'_>) {
        // The list is newest first, and most of it was there at the look before.
        let new = look.facts.changes.iter().take(MOST_FACTS).take_while(|c| look.before.is_none_or(|b| c.at > b.at));
        let new: Vec<SeenChange> =
            new.filter_map(|c| look.time(c.at).map(|at| SeenChange { change: bounded(&c.change), at })).collect();
        new.into_iter().rev().for_each(|c| self.put_change(c));
    }

    /// Adds what `other` knows.
    pub fn merge(&mut self, other: &Self) {
        #[expect(clippy::cast_precision_loss, reason = "weights, not counts")]
        let (n, m) = (self.looks as f32, other.looks as f32);
        if n + m > 0.0 {
            self.brightness = (self.brightness * n + other.brightness * m) / (n + m);
        }
        self.mix_colours(&other.colours, n, m);
        self.looks = self.looks.saturating_add(other.looks);
        other.things.iter().for_each(|s| self.put(s.clone()));
        other.texts.iter().for_each(|t| self.put_text(t.clone()));
        other.changes.iter().for_each(|c| self.put_change(c.clone()));
    }

    /// The same, with every list and string within its bounds: for what comes from outside.
    pub(super) fn bounded(&self) -> Self {
        let mut out = Self { brightness: unit(self.brightness), looks: self.looks, ..Self::default() };
        for s in &self.things {
            let broader = s.broader.iter().take(MOST_BROADER).map(|b| clip(b, MOST_NAME_CHARS)).collect();
            let place = s.place.map(|b| BBox::new(b.x0, b.y0, b.x1, b.y1));
            let (first, last) = (s.first.min(s.last), s.last.max(s.first));
            let (label, confidence) = (clip(&s.label, MOST_NAME_CHARS), unit(s.confidence));
            out.put(Seen { label, broader, confidence, place, first, last, ..s.clone() });
        }
        for t in &self.texts {
            let (first, last) = (t.first.min(t.last), t.last.max(t.first));
            out.put_text(SeenText {
                text: clip(&t.text, MOST_TEXT_CHARS),
                confidence: unit(t.confidence),
                first,
                last,
            });
        }
        self.changes.iter().for_each(|c| out.put_change(SeenChange { change: bounded(&c.change), at: c.at }));
        let shares = self.colours.iter().map(|c| ColourShare { share: unit(c.share), ..*c });
        out.colours = shares.take(MOST_COLOURS).collect();
        out.shrink();
        out
    }

    fn put(&mut self, seen: Seen) {
        if let Some(known) = self.things.iter_mut().find(|s| s.kind == seen.kind && s.label == seen.label) {
            join(known, seen);
        } else if self.things.len() < MOST_THINGS {
            self.things.push(seen);
        } else if let Some(weakest) = self.things.iter_mut().min_by(|a, b| a.weight().total_cmp(&b.weight()))
            && seen.weight() >= weakest.weight()
        {
            *weakest = seen;
        }
    }

    fn put_text(&mut self, line: SeenText) {
        if line.text.is_empty() {
            return;
        }
        if let Some(known) = self.texts.iter_mut().find(|t| same_line(&t.text, &line.text)) {
            known.first = known.first.min(line.first);
            known.last = known.last.max(line.last);
            if line.confidence > known.confidence {
                (known.text, known.confidence) = (line.text, line.confidence);
            }
            return;
        }
        let place = self.texts.partition_point(|t| t.first <= line.first);
        self.texts.insert(place, line);
        if self.texts.len() > MOST_TEXTS {
            // A long line that was read well says more than a mark.
            let worth = |t: &SeenText| t.confidence * if t.text.chars().count() < 3 { 0.5 } else { 1.0 };
            let least = (0..self.texts.len()).min_by(|a, b| worth(&self.texts[*a]).total_cmp(&worth(&self.texts[*b])));
            self.texts.remove(least.unwrap_or(0));
        }
    }

    fn put_change(&mut self, change: SeenChange) {
        if self.changes.contains(&change) {
            return;
        }
        let place = self.changes.partition_point(|c| c.at <= change.at);
        self.changes.insert(place, change);
        if self.changes.len() > MOST_CHANGES {
            // That a thing came or went says more than that the picture changed.
            let dull = self.changes.iter().position(|c| matches!(c.change, Change::SceneCut | Change::Light { .. }));
            self.changes.remove(dull.unwrap_or(0));
        }
    }

    /// The mean of two sets of shares that stand for `n` and `m` looks.
    fn mix_colours(&mut self, other: &[ColourShare], n: f32, m: f32) {
        let total = n + m;
        if total <= 0.0 {
            return;
        }
        for c in &mut self.colours {
            c.share *= n / total;
        }
        for c in other.iter().take(MOST_FACTS).filter(|c| c.share.is_finite()) {
            let more = c.share.clamp(0.0, 1.0) * m / total;
            match self.colours.iter_mut().find(|k| k.colour == c.colour) {
                Some(known) => known.share += more,
                None => self.colours.push(ColourShare { colour: c.colour, share: more }),
            }
        }
        self.colours.sort_by(|a, b| b.share.total_cmp(&a.share).then((a.colour as u8).cmp(&(b.colour as u8))));
        self.colours.truncate(MOST_COLOURS);
    }
}

/// Two sightings of one name.
fn join(known: &mut Seen, new: Seen) {
    let later = new.last >= known.last;
    let surer = new.confidence > known.confidence;
    // The same fact told again: an expert that did not look keeps its last facts.
    let again = new.looks == 1 && new.last <= known.last && new.first >= known.first;
    known.looks = known.looks.saturating_add(if again { 0 } else { new.looks });
    known.first = known.first.min(new.first);
    known.last = known.last.max(new.last);
    known.most = known.most.max(new.most);
    known.confidence = known.confidence.max(new.confidence);
    known.colour = if surer { new.colour.or(known.colour) } else { known.colour.or(new.colour) };
    if later {
        known.place = new.place;
    }
    if known.broader.is_empty() {
        known.broader = new.broader;
    }
}

/// A number counts when the look before had it too; what has just come counts at once.
fn steady(now: usize, label: &str, before: Option<&SceneFacts>) -> usize {
    let seen = |o: &&ObjectFact| o.label == label && o.confidence >= LEAST_OBJECT;
    match before.map_or(0, |b| b.objects.iter().take(MOST_FACTS).filter(seen).count()) {
        0 => now,
        then => now.min(then),
    }
}

/// Skin, hair and clothes have colours of their own: a person has none.
fn colour_of(o: &ObjectFact) -> Option<Colour> {
    o.colour.filter(|c| c.share >= LEAST_COLOUR && !super::digest::is_person(&o.label)).map(|c| c.colour)
}

fn label_seen(l: &LabelFact, facts: &SceneFacts, at: MediaTime) -> Seen {
    // A crop was cut around an object; a name of the whole picture is of an object when one says the other.
    let named = |o: &&ObjectFact| {
        let same = o.label == l.label || l.broader.contains(&o.label);
        o.confidence >= LEAST_OBJECT && (same || (l.bbox != BBox::FULL && o.bbox.iou(&l.bbox) >= 0.4))
    };
    let object = facts.objects.iter().take(MOST_FACTS).find(named);
    let whole = l.bbox.area() > 0.8;
    Seen {
        label: clip(&l.label, MOST_NAME_CHARS),
        broader: l.broader.iter().take(MOST_BROADER).map(|b| clip(b, MOST_NAME_CHARS)).collect(),
        confidence: l.confidence.min(1.0),
        most: 1,
        colour: object.and_then(colour_of),
        place: object.map(|o| o.bbox).or((!whole).then_some(l.bbox)),
        kind: SeenKind::Label,
        first: at,
        last: at,
        looks: 1,
    }
}

fn bounded(change: &Change) -> Change {
    let name = |s: &String| clip(s, MOST_NAME_CHARS);
    match change {
        Change::Appeared { label } => Change::Appeared { label: name(label) },
        Change::Disappeared { label } => Change::Disappeared { label: name(label) },
        Change::MainChanged { from, to } => Change::MainChanged { from: name(from), to: name(to) },
        Change::TextAppeared { text } => Change::TextAppeared { text: clip(text, MOST_TEXT_CHARS) },
        Change::Light { brighter } => Change::Light { brighter: *brighter },
        Change::SceneCut => Change::SceneCut,
    }
}

fn unit(v: f32) -> f32 {
    if v.is_nan() { 0.0 } else { v.clamp(0.0, 1.0) }
}
