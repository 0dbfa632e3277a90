//! Synthetic looks of real size, for what is measured of the memory without its encoders.

use rand::Rng;
use rand::rngs::StdRng;
use sightline::base::{BBox, MediaTime};
use sightline::watch::{Colour, ColourShare, LabelFact, Motion, ObjectFact, SceneFacts, TextFact};

const NAMES: [&str; 12] =
    ["cup", "person", "laptop", "book", "bottle", "dog", "chair", "cell phone", "banana", "backpack", "clock", "vase"];

/// Features of a picture or of a text, without a length yet.
pub fn direction(rng: &mut StdRng, dims: usize) -> Vec<f32> {
    (0..dims).map(|_| rng.random_range(-1.0..1.0)).collect()
}

/// The same as a vector of unit length.
pub fn unit(vector: &[f32]) -> Vec<f32> {
    let length = vector.iter().map(|v| v * v).sum::<f32>().sqrt();
    vector.iter().map(|v| v / length).collect()
}

/// So many red things, a label, and a text in every fourth scene; `pick` is the scene.
pub fn facts(at: MediaTime, pick: usize, things: usize) -> SceneFacts {
    let objects = (0..things).map(|i| ObjectFact {
        track: u32::try_from(i).unwrap_or(0),
        label: NAMES[(pick * 5 + i) % NAMES.len()].to_owned(),
        confidence: 0.8,
        bbox: BBox::new(0.1 * i as f32, 0.2, 0.1 * i as f32 + 0.3, 0.8),
        colour: Some(ColourShare { colour: Colour::Red, share: 0.6 }),
        motion: Motion::Still,
        first_seen: at,
        last_seen: at,
    });
    let (label, broader) = (NAMES[pick % NAMES.len()].to_owned(), vec!["thing".to_owned()]);
    let text = TextFact { text: format!("PAGE {pick}"), confidence: 0.9, bbox: BBox::FULL, at };
    SceneFacts {
        at,
        objects: objects.collect(),
        labels: vec![LabelFact { label, broader, confidence: 0.7, bbox: BBox::FULL, at }],
        texts: if pick.is_multiple_of(4) { vec![text] } else { Vec::new() },
        brightness: 0.5,
        ..SceneFacts::default()
    }
}
