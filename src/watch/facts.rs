//! `SceneFacts`: what perception knows about the scene, typed. No prose here; `dialogue` turns facts into words.

use serde::{Deserialize, Serialize};

use crate::base::{BBox, MediaTime};

/// A named colour, the eleven basic colour terms of English (Berlin & Kay).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Colour {
    /// black
    Black,
    /// white
    White,
    /// grey
    Grey,
    /// red
    Red,
    /// orange
    Orange,
    /// yellow
    Yellow,
    /// green
    Green,
    /// blue
    Blue,
    /// purple
    Purple,
    /// pink
    Pink,
    /// brown
    Brown,
}

impl Colour {
    /// The English word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Black => "black",
            Self::White => "white",
            Self::Grey => "grey",
            Self::Red => "red",
            Self::Orange => "orange",
            Self::Yellow => "yellow",
            Self::Green => "green",
            Self::Blue => "blue",
            Self::Purple => "purple",
            Self::Pink => "pink",
            Self::Brown => "brown",
        }
    }
}

/// A share of an area that has one colour.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ColourShare {
    /// Which colour.
    pub colour: Colour,
    /// Fraction of the area, `0.0..=1.0`.
    pub share: f32,
}

/// How a thing or the picture moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Motion {
    /// Not moving.
    Still,
    /// Towards the left of the picture.
    Left,
    /// Towards the right of the picture.
    Right,
    /// Towards the top.
    Up,
    /// Towards the bottom.
    Down,
    /// Growing: coming nearer.
    Nearer,
    /// Shrinking: going away.
    Away,
}

/// An object from the detector, followed over frames by the tracker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ObjectFact {
    /// The tracker's number for it; stays the same while it is followed.
    pub track: u32,
    /// Class name, e.g. `cup`.
    pub label: String,
    /// `0.0..=1.0`.
    pub confidence: f32,
    /// Where it is.
    pub bbox: BBox,
    /// Its main colour when one colour dominates.
    pub colour: Option<ColourShare>,
    /// How it moves.
    pub motion: Motion,
    /// When it was first seen.
    pub first_seen: MediaTime,
    /// When it was last seen.
    pub last_seen: MediaTime,
}

/// What the classifier takes the picture, or a crop of it, to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelFact {
    /// Class name in plain words, e.g. `coffee mug`.
    pub label: String,
    /// Broader words for it, nearest first, e.g. `["mug", "cup"]`; may be empty.
    pub broader: Vec<String>,
    /// `0.0..=1.0`.
    pub confidence: f32,
    /// The part of the picture that was classified ([`BBox::FULL`] for all of it).
    pub bbox: BBox,
    /// When.
    pub at: MediaTime,
}

/// A line of text that was read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TextFact {
    /// The characters.
    pub text: String,
    /// `0.0..=1.0`.
    pub confidence: f32,
    /// Where it stands.
    pub bbox: BBox,
    /// When it was last read.
    pub at: MediaTime,
}

/// A difference from before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// A thing came into view.
    Appeared {
        /// Class name.
        label: String,
    },
    /// A thing went out of view.
    Disappeared {
        /// Class name.
        label: String,
    },
    /// The main thing shown became another.
    MainChanged {
        /// What it was.
        from: String,
        /// What it is.
        to: String,
    },
    /// New text can be read.
    TextAppeared {
        /// The characters.
        text: String,
    },
    /// The picture became much darker or brighter.
    Light {
        /// True when brighter.
        brighter: bool,
    },
    /// The whole picture changed at once: a cut, or the camera turned away.
    SceneCut,
}

/// A change and when it happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChangeFact {
    /// What changed.
    pub change: Change,
    /// When.
    pub at: MediaTime,
}

/// Everything perception knows at one moment.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SceneFacts {
    /// Capture time of the newest frame that went into it.
    pub at: MediaTime,
    /// Objects in view, most confident first.
    pub objects: Vec<ObjectFact>,
    /// What the whole picture, then its crops, are taken to be; most confident first.
    pub labels: Vec<LabelFact>,
    /// Text that can be read, in reading order.
    pub texts: Vec<TextFact>,
    /// Colours of the whole picture, largest share first.
    pub colours: Vec<ColourShare>,
    /// Mean brightness of the picture, `0.0..=1.0`.
    pub brightness: f32,
    /// Fraction of the picture that moved since the frame before, `0.0..=1.0`.
    pub motion: f32,
    /// What changed lately, newest first, at most 16.
    pub changes: Vec<ChangeFact>,
    /// True when the picture is too dark, too blurred or covered, so that nothing can be said about it.
    pub unusable: Option<Unusable>,
    /// Experts that have looked at this scene (`detector`, `classifier`, `ocr`, …): what is absent here was not looked for. Not written down.
    #[serde(skip)]
    pub looked: Vec<&'static str>,
}

/// Why nothing can be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unusable {
    /// Nearly black: covered lens or no light.
    Dark,
    /// One flat colour: covered lens or a test card.
    Blank,
}
