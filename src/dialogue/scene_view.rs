//! `SceneFacts` as clients see them, for drawing.

use crate::base::{BBox, MediaTime};
use crate::watch::{SceneFacts, Unusable};
use crate::wire::{SceneView, WireBox, WireColour, WireLabel, WireObject, WireText};

/// Most entries of each kind in one event: what a person can still tell apart on a preview.
const MOST: usize = 24;

fn corners(b: BBox) -> WireBox {
    // Four decimals are a tenth of a pixel at 1080p, and half the bytes.
    [b.x0, b.y0, b.x1, b.y1].map(round)
}

fn round(v: f32) -> f32 {
    (v * 10_000.0).round() / 10_000.0
}

/// The view of `facts`, with times counted from `opened_at`.
pub(crate) fn view(facts: &SceneFacts, opened_at: MediaTime) -> SceneView {
    let objects = facts.objects.iter().take(MOST).map(|o| WireObject {
        track: o.track,
        label: o.label.clone(),
        confidence: round(o.confidence),
        bbox: corners(o.bbox),
        colour: o.colour.map(|c| c.colour.name()),
    });
    let labels = facts.labels.iter().take(MOST).map(|l| WireLabel {
        label: l.label.clone(),
        confidence: round(l.confidence),
        bbox: corners(l.bbox),
    });
    let texts = facts.texts.iter().take(MOST).map(|t| WireText {
        text: t.text.chars().take(200).collect(),
        confidence: round(t.confidence),
        bbox: corners(t.bbox),
    });
    let colours =
        facts.colours.iter().take(MOST).map(|c| WireColour { colour: c.colour.name(), share: round(c.share) });
    SceneView {
        objects: objects.collect(),
        labels: labels.collect(),
        texts: texts.collect(),
        colours: colours.collect(),
        at_ms: u64::try_from(facts.at.since(opened_at).as_millis()).unwrap_or(u64::MAX),
        unusable: facts.unusable.map(|u| match u {
            Unusable::Dark => "dark",
            Unusable::Blank => "blank",
        }),
    }
}
