//! Which frames to look at, and what they add up to: sampler, tracker, colours, motion, `SceneFacts`.
//!
//! Floor 1. In: [`Picture`]s ≤ 30/s. Out: kept pictures ≤ 2/s for the experts, `SceneFacts`. Loses: `Unchanged`, `Moving`, `RateLimited`, `Corrupt`.

pub mod change;
pub mod coded;
pub mod colour;
mod embed;
mod facts;
pub mod motion;
mod perceive;
mod picture;
mod pixels;
pub mod region;
mod sampler;
mod scene;
#[cfg(test)]
pub(crate) mod testing;
pub mod tracker;

pub use embed::{EmbedText, EmbedTextError};
pub use facts::{
    Change, ChangeFact, Colour, ColourShare, LabelFact, Motion, ObjectFact, SceneFacts, TextFact, Unusable,
};
pub use perceive::{CLASSIFIER, DETECTOR, OCR, Perceive, PerceiveError, Sighting, pixels_for};
pub use picture::{Develop, Picture};
pub use pixels::{Pixels, Thumb};
pub use region::{Region, Regions};
pub use sampler::{Gate, Sampler, SamplerConfig, Verdict};
pub use scene::{Look, MAX_CHANGES, MAX_LABELS, MAX_TEXTS, Scene, SceneConfig, likeness};
