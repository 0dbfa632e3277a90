//! What the pixels alone tell: brightness, motion, light going on and off, scene cuts, a covered lens.
//!
//! Floor 1. In: [`Pixels`]. Out: [`Seen`]. Loses: nothing.

use crate::base::MediaTime;
use crate::watch::pixels::{Pixels, Thumb};
use crate::watch::{Unusable, motion};

/// Below this mean luma, and without bright parts, nothing can be seen.
const DARK_MEAN: f32 = 0.07;
/// See [`DARK_MEAN`].
const DARK_HIGH: f32 = 0.16;
/// Below this deviation of luma the picture is one flat colour.
const BLANK_DEVIATION: f32 = 0.012;
/// Structure less alike than this, with most of the picture changed, is another scene.
const CUT_LIKENESS: f32 = 0.45;
/// Share of patches that must have changed for a cut.
const CUT_MOVED: f32 = 0.6;
/// A change of mean luma like this, with the structure kept, is a change of light.
const LIGHT_STEP: f32 = 0.15;

/// What happened to the picture as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// Another scene.
    Cut,
    /// Another light.
    Light {
        /// Brighter than before.
        brighter: bool,
    },
}

/// What one frame's pixels tell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Seen {
    pub(super) brightness: f32,
    pub(super) motion: f32,
    pub(super) unusable: Option<Unusable>,
    pub(super) event: Option<Event>,
}

/// Remembers the frame before, the last one in which something could be seen, and the light.
#[derive(Debug, Default)]
pub(super) struct Picture {
    newest: Option<MediaTime>,
    before: Option<Thumb>,
    usable: Option<Thumb>,
    light: Option<f32>,
}

impl Picture {
    /// Whether a frame captured at `at` is newer than all before it.
    pub(super) fn is_new(&self, at: MediaTime) -> bool {
        self.newest.is_none_or(|t| at > t)
    }

    pub(super) fn see(&mut self, pixels: &Pixels<'_>, at: MediaTime) -> Seen {
        let thumb = Thumb::of(pixels);
        let brightness = thumb.mean();
        let unusable = unusable(&thumb);
        let motion = self.before.as_ref().map_or(0.0, |b| motion::moved(&thumb, b));
        let cut = unusable.is_none() && self.usable.as_ref().is_some_and(|u| is_cut(&thumb, u));
        let event = if cut { Some(Event::Cut) } else { self.light_event(brightness) };
        if self.light.is_none() || event.is_some() {
            self.light = Some(brightness);
        }
        if unusable.is_none() {
            self.usable = Some(thumb.clone());
        }
        self.before = Some(thumb);
        self.newest = Some(at);
        Seen { brightness, motion, unusable, event }
    }

    /// Compared with the light of the last event, so that a slow dusk is told too, once per step.
    fn light_event(&self, brightness: f32) -> Option<Event> {
        let base = self.light?;
        ((brightness - base).abs() >= LIGHT_STEP).then_some(Event::Light { brighter: brightness > base })
    }
}

fn unusable(thumb: &Thumb) -> Option<Unusable> {
    if thumb.mean() < DARK_MEAN && thumb.high() < DARK_HIGH {
        Some(Unusable::Dark)
    } else if thumb.deviation() < BLANK_DEVIATION {
        Some(Unusable::Blank)
    } else {
        None
    }
}

fn is_cut(now: &Thumb, before: &Thumb) -> bool {
    now.likeness(before) < CUT_LIKENESS && motion::moved(now, before) >= CUT_MOVED
}
