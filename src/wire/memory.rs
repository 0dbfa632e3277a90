//! The memory as clients see it: the timeline, what an answer cites, what is watched for. Sent only to clients that asked for `memory`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One picture that is kept, without its bytes: `GET /v1/sessions/{memory_id}/keyframes/{id}` serves them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct KeyframeView {
    /// `kf_…`.
    pub id: String,
    /// Milliseconds since the memory began.
    pub at_ms: u64,
}

/// Something that was said during an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SaidView {
    /// Milliseconds since the memory began.
    pub at_ms: u64,
    /// `person` or `sightline`.
    pub who: &'static str,
    /// The words.
    pub text: String,
}

/// An event that was merged into another, with what of it survives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ChildView {
    /// `ev_…`.
    pub id: String,
    /// Milliseconds since the memory began.
    pub start_ms: u64,
    /// Milliseconds since the memory began.
    pub end_ms: u64,
    /// What perception knew of it.
    pub caption: String,
    /// Its one picture.
    pub keyframe: Option<KeyframeView>,
}

/// A stretch of what was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct EventView {
    /// `ev_…`.
    pub id: String,
    /// `open`, `episodic` or `long_term`.
    pub tier: &'static str,
    /// Milliseconds since the memory began.
    pub start_ms: u64,
    /// Milliseconds since the memory began.
    pub end_ms: u64,
    /// What perception knew.
    pub caption: String,
    /// What was said, oldest first.
    pub said: Vec<SaidView>,
    /// Its pictures, oldest first.
    pub keyframes: Vec<KeyframeView>,
    /// How many times it was merged.
    pub depth: u8,
    /// What was merged into it, oldest first.
    pub children: Vec<ChildView>,
}

/// How full a tier is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
pub struct TierView {
    /// What it holds.
    pub items: usize,
    /// What it may hold.
    pub capacity: usize,
    /// Bytes it takes.
    pub bytes: usize,
}

/// How full the archive is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
pub struct ArchiveView {
    /// Bytes on disk, of all memories.
    pub bytes: u64,
    /// Bytes it may take; the oldest pictures go first.
    pub quota_bytes: u64,
}

/// How full the memory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
pub struct TiersView {
    /// The newest looks.
    pub live: TierView,
    /// The last half minute, second by second.
    pub working: TierView,
    /// Events.
    pub episodic: TierView,
    /// Merged events.
    pub long_term: TierView,
    /// On disk; null when there is none.
    pub archive: Option<ArchiveView>,
}

/// The whole timeline.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, JsonSchema)]
pub struct TimelineView {
    /// `mem_…`.
    pub memory_id: String,
    /// Opens the keyframes, and this memory again after a restart. Whoever has it owns the memory.
    pub access_token: String,
    /// When the memory began, Unix milliseconds.
    pub started_unix_ms: i64,
    /// Milliseconds since the memory began.
    pub now_ms: u64,
    /// How full it is.
    pub tiers: TiersView,
    /// Oldest first.
    pub events: Vec<EventView>,
    /// What is watched for.
    pub watches: Vec<WatchView>,
}

/// Two events that became one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct MergeView {
    /// The one.
    pub into: String,
    /// The two.
    pub from: [String; 2],
}

/// A stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct IntervalView {
    /// Milliseconds since the memory began.
    pub start_ms: u64,
    /// Milliseconds since the memory began.
    pub end_ms: u64,
}

/// What an answer rests on.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct CitationView {
    /// `ev_…`; null for the last half minute, which is no event yet.
    pub event_id: Option<String>,
    /// Milliseconds since the memory began.
    pub start_ms: u64,
    /// Milliseconds since the memory began.
    pub end_ms: u64,
    /// `kf_…` that can be fetched.
    pub keyframes: Vec<String>,
    /// How well it fits what was asked, `0.0..=1.0`.
    pub similarity: f32,
}

/// Something that is watched for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WatchView {
    /// `watch_…`.
    pub id: String,
    /// In words: `a cup comes into view`.
    pub condition: String,
    /// Milliseconds since the memory began.
    pub created_ms: u64,
    /// How often it happened.
    pub fired: u32,
    /// It ends when it has happened once.
    pub once: bool,
}

/// What a client wants forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForgetRequest {
    /// The newest so many milliseconds.
    Last(u64),
    /// From one point to another, milliseconds since the memory began.
    Between(u64, u64),
    /// Everything.
    All,
}
