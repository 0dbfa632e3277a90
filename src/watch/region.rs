//! Which part of a picture is worth a look: the one in which something changed since it was looked at.
//!
//! Floor 1. In: [`Glance`]s, what is known and where. Out: a [`Region`], or nothing where all of the picture is to be looked at. Loses: nothing.
//! What was looked at is kept as a mosaic: where a part was looked at, the picture of then; around it the older one. So a drift around it adds up, and
//! everything is compared with what the experts saw of it. Boxes that the border of a part cuts are nobody's finding: what they are of stood there before,
//! or it is what changed, and then the whole is looked at.

use std::sync::Arc;
use std::time::Duration;

use super::change::Glance;
use super::pixels::Thumb;
use super::{Picture, SceneFacts, Sighting};
use crate::base::{BBox, MediaTime};

/// Patches in a row, and rows of them.
const COLUMNS: usize = Thumb::W / Thumb::PATCH;
const ROWS: usize = Thumb::H / Thumb::PATCH;
/// A larger share of the picture than this is not worth cutting out.
const MOST: f32 = 0.4;
/// Least side, as a part of that of the picture: what surrounds a thing helps to know it.
const LEAST: f32 = 1.0 / 3.0;
/// Least side in pixels.
const LEAST_PIXELS: f32 = 160.0;
/// The camera turned by this many cells: everything stands elsewhere.
const TURNED: f32 = 0.75;
/// This near to the border, as a part of the side, a box is cut by it.
const EDGE: f32 = 0.02;
/// A box of which this share lies in a part can be told from it.
const HELD: f32 = 0.9;
/// Something found of which this share lies in what is known is a part of that.
const COVERED: f32 = 0.6;

/// Something new covers this share of what changed, or that lies in it with this share of its own.
const NEW: f32 = 0.5;

/// A part of a picture that is looked at alone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Region {
    bbox: BBox,
    changed: BBox,
}

impl Region {
    /// The part of a picture within `bbox`, for what changed within another box; nothing where it has no area.
    #[must_use]
    pub fn of(bbox: BBox, changed: BBox) -> Option<Self> {
        (bbox.area() > 0.0).then_some(Self { bbox, changed })
    }

    /// Where it is, in fractions of the picture.
    #[must_use]
    pub const fn bbox(&self) -> BBox {
        self.bbox
    }

    /// What changed in it.
    #[must_use]
    pub const fn changed(&self) -> BBox {
        self.changed
    }

    /// A box in fractions of it, in fractions of the picture.
    #[must_use]
    pub fn outward(&self, inner: &BBox) -> BBox {
        let (x, y) = (|v: f32| self.bbox.x0 + v * self.bbox.width(), |v: f32| self.bbox.y0 + v * self.bbox.height());
        BBox::new(x(inner.x0), y(inner.y0), x(inner.x1).min(self.bbox.x1), y(inner.y1).min(self.bbox.y1))
    }

    /// Whether something found in it goes on beyond it: the box ends at a border that is not the picture's.
    #[must_use]
    pub fn cuts(&self, found: &BBox) -> bool {
        let (r, x, y) = (&self.bbox, EDGE * self.bbox.width(), EDGE * self.bbox.height());
        r.x0 > 0.0 && found.x0 < r.x0 + x
            || r.y0 > 0.0 && found.y0 < r.y0 + y
            || r.x1 < 1.0 && found.x1 > r.x1 - x
            || r.y1 < 1.0 && found.y1 > r.y1 - y
    }

    /// Whether it is not told what to make of something found in it: it goes on beyond it, and is what changed. What goes on beyond it and is not, stood there at
    /// the last look at all of the picture, which said what there is to say about it.
    #[must_use]
    pub fn asks(&self, found: &BBox) -> bool {
        let both = common(&self.changed, found);
        self.cuts(found) && (both >= NEW * self.changed.area() || both >= NEW * found.area())
    }

    /// Whether what is in that box would be found in it: it lies in it, all but a tenth.
    #[must_use]
    pub fn holds(&self, known: &BBox) -> bool {
        common(&self.bbox, known) >= HELD * known.area()
    }

    /// For how many looks without it counts one at this part that did not find what is in that box: none where it does not hold it, and two where it changed there,
    /// since what is still again then is not looked at soon.
    #[must_use]
    pub fn misses(&self, known: &BBox) -> u32 {
        match (self.holds(known), common(&self.changed, known) >= NEW * known.area()) {
            (false, _) => 0,
            (true, false) => 1,
            (true, true) => 2,
        }
    }

    /// Whether something found in it is a part of what is known and not held by it: an object of the same name, or a line of text.
    #[must_use]
    pub fn belongs(&self, name: Option<&str>, found: &BBox, known: &[Sighting]) -> bool {
        let same = |s: &&Sighting| match s {
            Sighting::Object { label, .. } => name == Some(label.as_str()),
            Sighting::Text { .. } => name.is_none(),
            _ => false,
        };
        let place = |s| match s {
            &Sighting::Object { bbox, .. } | &Sighting::Text { bbox, .. } => bbox,
            _ => BBox::FULL,
        };
        known.iter().filter(same).map(place).any(|k| self.is_part_of(&k, found))
    }

    /// Whether something found in it lies on something known that it does not hold.
    #[must_use]
    pub fn is_part_of(&self, known: &BBox, found: &BBox) -> bool {
        !self.holds(known) && common(known, found) >= COVERED * found.area()
    }

    /// What is known that it does not hold: objects and lines of text.
    #[must_use]
    pub fn outside(&self, facts: &SceneFacts) -> Vec<Sighting> {
        let objects = facts.objects.iter().map(|o| Sighting::Object {
            label: o.label.clone(),
            confidence: o.confidence,
            bbox: o.bbox,
        });
        let texts =
            facts.texts.iter().map(|t| Sighting::Text { text: t.text.clone(), confidence: t.confidence, bbox: t.bbox });
        let outside = |s: &Sighting| match s {
            Sighting::Object { bbox, .. } | Sighting::Text { bbox, .. } => !self.holds(bbox),
            _ => false,
        };
        objects.chain(texts).filter(outside).collect()
    }
}

/// The area that two boxes share.
fn common(a: &BBox, b: &BBox) -> f32 {
    let along = |a0: f32, a1: f32, b0: f32, b1: f32| (a1.min(b1) - a0.max(b0)).max(0.0);
    along(a.x0, a.x1, b.x0, b.x1) * along(a.y0, a.y1, b.y0, b.y1)
}

/// The smallest box around two.
fn around(a: &BBox, b: &BBox) -> BBox {
    BBox { x0: a.x0.min(b.x0), y0: a.y0.min(b.y0), x1: a.x1.max(b.x1), y1: a.y1.max(b.y1) }
}

/// What the experts saw last.
#[derive(Debug)]
struct Seen {
    glance: Arc<Glance>,
    size: (u32, u32),
    whole_at: MediaTime,
    experts: Vec<&'static str>,
}

/// A picture that is about to be looked at, and by whom.
#[derive(Debug)]
pub struct Sight {
    glance: Arc<Glance>,
    size: (u32, u32),
    at: MediaTime,
    experts: Vec<&'static str>,
}

impl Sight {
    /// The picture; `experts`: names of those who are to look, none for all. `None` where there is nothing to compare it by.
    #[must_use]
    pub fn of(picture: &Picture, experts: &[&'static str]) -> Option<Self> {
        let (glance, size) = (Arc::clone(picture.glance()?), (picture.width, picture.height));
        Some(Self { glance, size, at: picture.capture, experts: experts.to_vec() })
    }
}

/// The gate `region` of one session.
#[derive(Debug)]
pub struct Regions {
    /// Luma change of a patch that counts.
    change: f32,
    /// Time after which all of the picture is looked at again.
    whole_after: Duration,
    seen: Option<Seen>,
}

impl Regions {
    /// A gate that has seen nothing: the first look takes the whole picture. `change`: luma change of a patch that counts, `0.0..=1.0`; the whole is
    /// looked at again after `whole_after`.
    #[must_use]
    pub const fn new(change: f32, whole_after: Duration) -> Self {
        Self { change, whole_after, seen: None }
    }

    /// The part of a picture to be looked at; nothing for all of it. `known`: where something is known to stand: it is taken in whole where that is not too much.
    #[must_use]
    pub fn choose(&self, sight: &Sight, known: &[BBox]) -> Option<Region> {
        let seen = self.seen.as_ref()?;
        let fresh = sight.at >= seen.whole_at && sight.at.since(seen.whole_at) < self.whole_after;
        if !fresh || seen.size != sight.size || !covers(&seen.experts, &sight.experts) {
            return None;
        }
        let (x, y) = sight.glance.displaced(&seen.glance);
        if x.abs() * side(Thumb::W) > TURNED || y.abs() * side(Thumb::H) > TURNED {
            return None;
        }
        let changed = changed(&sight.glance.beyond(&seen.glance), self.change)?;
        let fits = |b: &BBox| b.area() <= MOST;
        let least = fitted(&with_margin(&changed), sight.size);
        let all = fitted(&with_known(least, known), sight.size);
        Region::of(if fits(&all) { all } else { least }, changed).filter(|r| fits(&r.bbox))
    }

    /// All of those experts looked at the picture, at this part of it or at all of it.
    pub fn looked(&mut self, sight: Sight, region: Option<Region>) {
        let Sight { glance, size, at, experts } = sight;
        match (region, &mut self.seen) {
            (Some(region), Some(seen)) => {
                seen.glance = Arc::new(seen.glance.patched(&glance, &region.bbox));
                seen.experts = experts;
            }
            _ => self.seen = Some(Seen { glance, size, whole_at: at, experts }),
        }
    }

    /// What was looked at last is not known: the next look takes the whole picture.
    pub fn forget(&mut self) {
        self.seen = None;
    }
}

/// Whether what `before` have seen tells all that `now` need to know of it. None is all.
fn covers(before: &[&str], now: &[&str]) -> bool {
    before.is_empty() || !now.is_empty() && now.iter().all(|name| before.contains(name))
}

/// The box of all patches that changed.
fn changed(differences: &[f32], least: f32) -> Option<BBox> {
    let patches = differences.iter().enumerate().filter(|(_, d)| **d >= least);
    let boxes = patches.map(|(i, _)| {
        let (x, y) = (side(i % COLUMNS), side(i / COLUMNS));
        BBox::new(x / side(COLUMNS), y / side(ROWS), (x + 1.0) / side(COLUMNS), (y + 1.0) / side(ROWS))
    });
    boxes.reduce(|a, b| around(&a, &b))
}

/// The same with a patch around it.
fn with_margin(b: &BBox) -> BBox {
    let (x, y) = (1.0 / side(COLUMNS), 1.0 / side(ROWS));
    BBox::new(b.x0 - x, b.y0 - y, b.x1 + x, b.y1 + y)
}

/// The same with all of what it cuts, where that is not too much.
fn with_known(part: BBox, known: &[BBox]) -> BBox {
    let mut part = part;
    for _ in 0..known.len() {
        let cut = |k: &&BBox| {
            let both = around(&part, k);
            common(&part, k) > 0.0 && both != part && both.area() <= MOST
        };
        let Some(next) = known.iter().find(cut) else { break };
        // A little more: what ends at a border is cut by it.
        let (x, y) = (2.0 * EDGE * next.width(), 2.0 * EDGE * next.height());
        let wide = BBox::new(next.x0 - x, next.y0 - y, next.x1 + x, next.y1 + y);
        part = around(&part, &wide);
    }
    part
}

/// The same of a sensible size, its borders between two pixels.
fn fitted(part: &BBox, (width, height): (u32, u32)) -> BBox {
    let along = |a: f32, b: f32, pixels: u32| {
        let pixels = side(pixels.max(1) as usize);
        let length = (b - a).max(LEAST).max(LEAST_PIXELS / pixels).min(1.0);
        let start = (f32::midpoint(a, b) - length / 2.0).clamp(0.0, 1.0 - length);
        ((start * pixels).floor() / pixels, ((start + length) * pixels).ceil().min(pixels) / pixels)
    };
    let ((x0, x1), (y0, y1)) = (along(part.x0, part.x1, width), along(part.y0, part.y1, height));
    BBox::new(x0, y0, x1, y1)
}

#[expect(clippy::cast_precision_loss, reason = "sides of pictures")]
const fn side(n: usize) -> f32 {
    n as f32
}

#[cfg(test)]
mod tests;
