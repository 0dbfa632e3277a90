//! The one trait behind which every expert stands, and behind which a vision-language model can stand later.

use thiserror::Error;

use super::pixels::Pixels;
use super::region::Region;
use crate::base::{BBox, Brake, ErrorClass, RgbFrame};

/// [`Perceive::name`] of the expert that says what stands where.
pub const DETECTOR: &str = "detector";
/// [`Perceive::name`] of the expert that says what the picture shows.
pub const CLASSIFIER: &str = "classifier";
/// [`Perceive::name`] of the expert that reads text.
pub const OCR: &str = "ocr";

/// What an expert says about one frame.
#[derive(Debug, Clone, PartialEq)]
pub enum Sighting {
    /// A thing with a place (detector).
    Object {
        /// Class name.
        label: String,
        /// `0.0..=1.0`.
        confidence: f32,
        /// Where.
        bbox: BBox,
    },
    /// What the frame or a crop of it shows (classifier).
    Label {
        /// Class name in plain words.
        label: String,
        /// Broader words, nearest first.
        broader: Vec<String>,
        /// `0.0..=1.0`.
        confidence: f32,
        /// The crop.
        bbox: BBox,
    },
    /// A line of text (OCR).
    Text {
        /// The characters.
        text: String,
        /// `0.0..=1.0`.
        confidence: f32,
        /// Where.
        bbox: BBox,
    },
    /// A pooled feature vector of the whole frame, L2-normalised: change detection now, memory later.
    Embedding {
        /// The vector.
        vector: Vec<f32>,
    },
}

/// Why an expert could not look.
#[derive(Debug, Error)]
pub enum PerceiveError {
    /// The frame is not one this expert can take.
    #[error("frame of {width}x{height} is not one that {expert} can take")]
    Frame {
        /// Who refused.
        expert: &'static str,
        /// Pixels per row.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// The model failed.
    #[error("{expert} failed: {reason}")]
    Model {
        /// Who failed.
        expert: &'static str,
        /// The model's own words.
        reason: String,
    },
    /// The brake was pulled; the look goes on when it is taken anew.
    #[error("the look was broken off")]
    BrokenOff,
}

impl PerceiveError {
    /// How an edge should treat it.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::Frame { .. } => ErrorClass::Invalid,
            Self::Model { .. } => ErrorClass::Internal,
            Self::BrokenOff => ErrorClass::Unavailable,
        }
    }
}

/// The pixels of a frame that `expert` looks at.
///
/// # Errors
/// [`PerceiveError::Frame`] when it has none, or its bytes do not fit its size.
pub fn pixels_for<'a>(expert: &'static str, frame: &'a RgbFrame) -> Result<Pixels<'a>, PerceiveError> {
    let (width, height) = (frame.width, frame.height);
    Pixels::of(frame).ok_or(PerceiveError::Frame { expert, width, height })
}

/// An expert that looks at frames. It runs on the engine's thread, one call per scheduler step, so a call should stay under 150 ms on two cores.
pub trait Perceive: Send {
    /// `detector`, `classifier`, `ocr`, … : stable, used in metrics and `SceneFacts::looked`.
    fn name(&self) -> &'static str;

    /// Looks at `frame`. `seen` holds what the experts before it said about the same frame (a classifier can look at the detector's crops).
    ///
    /// # Errors
    /// [`PerceiveError`] when the frame cannot be taken or the model fails; the caller goes on with the other experts.
    fn perceive(&mut self, frame: &RgbFrame, seen: &[Sighting]) -> Result<Vec<Sighting>, PerceiveError>;

    /// Looks at a part of `frame` alone; boxes are in fractions of the whole frame. `seen` also holds what is known that the part does not hold ([`Region::outside`]).
    /// What belongs to that ([`Region::belongs`]) or goes on beyond the part is not told. Nothing where the part does not do, because what changed goes on beyond it
    /// ([`Region::asks`]) or the expert takes whole pictures only: then the whole is to be looked at.
    ///
    /// # Errors
    /// As of [`Self::perceive`].
    fn perceive_part(
        &mut self,
        _frame: &RgbFrame,
        _region: &Region,
        _seen: &[Sighting],
    ) -> Result<Option<Vec<Sighting>>, PerceiveError> {
        Ok(None)
    }

    /// From now on a look ends with [`PerceiveError::BrokenOff`] soon after this brake is pulled. Taken anew with the same picture it goes on where it was, unless the
    /// expert looked at another meanwhile. An expert that cannot do that looks to the end.
    fn obey(&mut self, _brake: Brake) {}
}
