//! What is remembered: pictures, words, events, and what of an event survives a merge.

use bytes::Bytes;
use half::f16;
use serde::{Deserialize, Serialize};

use super::digest::{Digest, string_bytes};
use super::span::{KeyframeId, NodeId, Span};
use super::{caption, text, vector};
use crate::base::MediaTime;

/// Characters of one thing said.
pub const MOST_SAID_CHARS: usize = 200;
/// Things said kept of one event.
pub const MOST_SAID: usize = 8;

/// A picture that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keyframe {
    /// Its number.
    pub id: KeyframeId,
    /// When it was taken.
    pub at: MediaTime,
    /// The JPEG file, at most [`super::Config::max_keyframe_bytes`]. Empty when the picture is only in the archive: after a restart.
    #[serde(skip)]
    pub jpeg: Bytes,
}

impl Keyframe {
    /// Bytes it takes.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.jpeg.len()
    }
}

/// Who spoke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    /// The person at the camera.
    Person,
    /// We.
    Sightline,
}

impl Speaker {
    /// `person` or `sightline`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Sightline => "sightline",
        }
    }
}

/// One turn of speech.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// When it began.
    pub at: MediaTime,
    /// Who spoke.
    pub who: Speaker,
    /// The words, at most [`MOST_SAID_CHARS`] characters.
    pub text: String,
}

/// A stretch of what was seen: the open one, one of the episodic tier, or a root of the long-term tier.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its number.
    pub id: NodeId,
    /// When. Of a root with children: from the first to the last of them, holes included.
    pub span: Span,
    /// Its pictures, oldest first, at most [`super::Config::keyframes_per_event`]. Empty in a root with children: they have theirs.
    pub keyframes: Vec<Keyframe>,
    /// What perception knew and what was said, in one line; what the text encoder embeds.
    pub caption: String,
    /// What perception knew.
    pub digest: Digest,
    /// What was said, oldest first, at most [`MOST_SAID`] turns.
    pub said: Vec<Said>,
    /// Mean of the image embeddings of its looks, of length 1.
    pub image: Option<Vec<f16>>,
    /// Embedding of the caption, of length 1; see [`super::Memory::set_text_embedding`].
    pub text: Option<Vec<f16>>,
    /// How many merges deep.
    pub depth: u8,
    /// What was merged, oldest first, at most [`super::Config::children`]; empty for an event that was never merged.
    pub children: Vec<Child>,
}

/// What of an event survives when it is merged: its time, one picture, and all that was known, so that it can still be recalled by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Child {
    /// The number of the event it was.
    pub id: NodeId,
    /// When. Of two children made one: from the start of the first to the end of the second.
    pub span: Span,
    /// Its one picture.
    pub keyframe: Option<Keyframe>,
    /// As in [`Event`].
    pub caption: String,
    /// As in [`Event`].
    pub digest: Digest,
    /// As in [`Event`].
    pub said: Vec<Said>,
    /// As in [`Event`].
    pub image: Option<Vec<f16>>,
    /// As in [`Event`].
    pub text: Option<Vec<f16>>,
}

impl Event {
    /// An event that knows nothing yet.
    pub(super) fn new(id: NodeId, span: Span) -> Self {
        Self {
            id,
            span,
            keyframes: Vec::new(),
            caption: String::new(),
            digest: Digest::default(),
            said: Vec::new(),
            image: None,
            text: None,
            depth: 0,
            children: Vec::new(),
        }
    }

    /// What the text encoder should embed: the caption, and nothing for a root with children, whose embedding is the mean of theirs.
    #[must_use]
    pub fn text_to_embed(&self) -> String {
        if self.children.is_empty() { self.caption.clone() } else { String::new() }
    }

    /// Every picture of it and of its children, oldest first.
    pub fn pictures(&self) -> impl Iterator<Item = &Keyframe> {
        self.keyframes.iter().chain(self.children.iter().filter_map(|c| c.keyframe.as_ref()))
    }

    /// Bytes it takes: the struct, and the capacity of everything it owns.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.keyframes.capacity() * size_of::<Keyframe>()
            + self.keyframes.iter().map(Keyframe::bytes).sum::<usize>()
            + owned(&self.caption, &self.digest, &self.said)
            + vector_bytes(self.image.as_ref())
            + vector_bytes(self.text.as_ref())
            + (self.children.capacity() - self.children.len()) * size_of::<Child>()
            + self.children.iter().map(Child::bytes).sum::<usize>()
    }

    pub(super) fn recaption(&mut self) {
        self.caption = caption::of(&self.digest, &self.said);
    }

    pub(super) fn shrink(&mut self) {
        self.keyframes.shrink_to_fit();
        self.said.shrink_to_fit();
        self.children.shrink_to_fit();
        self.digest.shrink();
    }
}

impl Child {
    /// Bytes it takes: the struct, and the capacity of everything it owns.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.keyframe.as_ref().map_or(0, Keyframe::bytes)
            + owned(&self.caption, &self.digest, &self.said)
            + vector_bytes(self.image.as_ref())
            + vector_bytes(self.text.as_ref())
    }

    pub(super) fn recaption(&mut self) {
        self.caption = caption::of(&self.digest, &self.said);
    }
}

fn owned(caption: &String, digest: &Digest, said: &Vec<Said>) -> usize {
    string_bytes(caption)
        + digest.bytes()
        + said.capacity() * size_of::<Said>()
        + said.iter().map(|s| string_bytes(&s.text)).sum::<usize>()
}

pub(super) fn vector_bytes(v: Option<&Vec<f16>>) -> usize {
    v.map_or(0, |v| v.capacity() * size_of::<f16>())
}

/// Puts a turn where it belongs in time. Over the bound, our own oldest turn goes first, then the person's shortest.
pub(super) fn put_said(said: &mut Vec<Said>, turn: Said) {
    let place = said.partition_point(|s| s.at <= turn.at);
    said.insert(place, turn);
    while said.len() > MOST_SAID {
        let ours = said.iter().position(|s| s.who == Speaker::Sightline);
        let shortest = (0..said.len()).min_by_key(|i| said[*i].text.len());
        said.remove(ours.or(shortest).unwrap_or(0));
    }
}

/// A turn within its bound; `None` when nothing was said.
pub(super) fn bounded_said(turn: &Said) -> Option<Said> {
    let words = text::clip(turn.text.trim(), MOST_SAID_CHARS);
    if words.is_empty() { None } else { Some(Said { at: turn.at, who: turn.who, text: words }) }
}

/// A vector that came from outside, made valid.
pub(super) fn bounded_vector(v: Option<Vec<f16>>) -> Option<Vec<f16>> {
    v.and_then(|v| vector::repack(&v))
}
