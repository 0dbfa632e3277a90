//! Stretches of memory time, and the numbers of what is remembered.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::MediaTime;

/// The step of the clock: a span that holds one instant is this long.
const INSTANT: Duration = Duration::from_micros(1);

/// A stretch of memory time, `start` inside and `end` just outside. It always holds its start, so an empty span is one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Span {
    /// The first instant.
    pub start: MediaTime,
    /// Just after the last instant; not before `start`.
    pub end: MediaTime,
}

impl Span {
    /// All of time.
    pub const ALWAYS: Self = Self { start: MediaTime::ZERO, end: MediaTime::from_micros(u64::MAX) };

    /// From the earlier to the later of two points.
    #[must_use]
    pub fn new(a: MediaTime, b: MediaTime) -> Self {
        Self { start: a.min(b), end: a.max(b) }
    }

    /// The one instant `t`.
    #[must_use]
    pub fn at(t: MediaTime) -> Self {
        Self { start: t, end: after(t) }
    }

    /// How long it is.
    #[must_use]
    pub const fn length(self) -> Duration {
        self.end.since(self.start)
    }

    /// The point half way.
    #[must_use]
    pub fn middle(self) -> MediaTime {
        self.start + self.length() / 2
    }

    /// Whether `t` lies in it.
    #[must_use]
    pub fn contains(self, t: MediaTime) -> bool {
        self.start <= t && t <= self.last()
    }

    /// Whether the whole of `other` lies in it.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        self.start <= other.start && other.last() <= self.last()
    }

    /// Whether an instant lies in both.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        self.start <= other.last() && other.start <= self.last()
    }

    /// The shortest span that covers both.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// How long both hold at once.
    #[must_use]
    pub fn shared(self, other: Self) -> Duration {
        self.end.min(other.end).since(self.start.max(other.start))
    }

    /// The last instant in it.
    #[must_use]
    pub fn last(self) -> MediaTime {
        // Nothing is just outside of the end of time.
        let end = if self.end == Self::ALWAYS.end { self.end } else { self.end.saturating_sub(INSTANT) };
        self.start.max(end)
    }
}

/// The instant after `t`.
pub(super) fn after(t: MediaTime) -> MediaTime {
    t + INSTANT
}

/// The running number of an event within one memory; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(pub u64);

/// The running number of a kept picture within one memory; never used for another picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyframeId(pub u64);

impl NodeId {
    /// Reads `ev_12`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        number(text, "ev_").map(Self)
    }
}

impl KeyframeId {
    /// Reads `kf_12`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        number(text, "kf_").map(Self)
    }
}

fn number(text: &str, prefix: &str) -> Option<u64> {
    let digits = text.strip_prefix(prefix)?;
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) { None } else { digits.parse().ok() }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ev_{}", self.0)
    }
}

impl fmt::Display for KeyframeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "kf_{}", self.0)
    }
}

/// The next numbers to give out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NextIds {
    /// Next [`NodeId`].
    pub node: u64,
    /// Next [`KeyframeId`].
    pub keyframe: u64,
}

impl NextIds {
    pub(super) fn node(&mut self) -> NodeId {
        let id = NodeId(self.node);
        self.node = self.node.saturating_add(1);
        id
    }

    pub(super) fn keyframe(&mut self) -> KeyframeId {
        let id = KeyframeId(self.keyframe);
        self.keyframe = self.keyframe.saturating_add(1);
        id
    }
}
