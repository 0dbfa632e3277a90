//! How much is remembered, and how finely.

use std::time::Duration;

use super::digest::{MOST_DIGEST_BYTES, MOST_SAID_BYTES};
use super::vector::MOST_DIMS;

/// Capacities and thresholds. Every field is brought within its bounds by [`Config::bounded`], so any value is safe.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Config {
    /// Looks in the live tier. Default 4, 1–16.
    pub live: usize,
    /// Least time between two of them. Default 1 s, up to 10 s.
    pub live_every: Duration,
    /// Slots in the working tier. Default 32, 0–256.
    pub working: usize,
    /// Length of a slot. Default 1 s, 100 ms–10 s.
    pub working_every: Duration,
    /// Closed events in the episodic tier. Default 512, 0–8,192; with 0 there are no events at all, not even an open one.
    pub events: usize,
    /// Roots in the long-term tier. Default 64, 1–1,024.
    pub roots: usize,
    /// Children kept in one root. Default 16, 2–64.
    pub children: usize,
    /// No event is cut before it is this long. Default 4 s, 100 ms–10 min.
    pub min_event: Duration,
    /// Every event is cut when it is this long. Default 30 s, from `min_event` to 1 h.
    pub max_event: Duration,
    /// Without a look or a word for longer than this an event ends at its last one, and what follows is a gap. Default 15 s, 1 s–10 min.
    pub gap: Duration,
    /// A look less like the mean of the open event than this (cosine) belongs to another, if the next one does too. Default 0.65, 0–1.
    pub cut_similarity: f32,
    /// Pictures of one event. Default 4, 1–8.
    pub keyframes_per_event: usize,
    /// An event may have one picture for each such stretch begun, so that short events cannot fill the memory. Default 6 s, up to 1 min.
    pub keyframe_every: Duration,
    /// A picture more like one already kept than this (cosine) is not kept. Default 0.86, 0–1.
    pub keyframe_similarity: f32,
    /// Larger pictures are not kept. Default 32 KiB, 1 KiB–1 MiB.
    pub max_keyframe_bytes: usize,
    /// What each level of depth takes off the score of a merge (OASIS). Default 0.1, 0–1.
    pub depth_penalty: f32,
    /// Below this similarity to the words asked for nothing is recalled. Default 0.35, 0–1.
    pub similarity_floor: f32,
    /// The same for a picture asked for. Pooled image features are all positive and so never far apart. Default 0.7, 0–0.99.
    pub image_floor: f32,
    /// Most hits, and most pictures over all hits, of one recall. Default 8, 1–64.
    pub most_recalled: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            live: 4,
            live_every: Duration::from_secs(1),
            working: 32,
            working_every: Duration::from_secs(1),
            events: 512,
            roots: 64,
            children: 16,
            min_event: Duration::from_secs(4),
            max_event: Duration::from_secs(30),
            gap: Duration::from_secs(15),
            cut_similarity: 0.65,
            keyframes_per_event: 4,
            keyframe_every: Duration::from_secs(6),
            keyframe_similarity: 0.86,
            max_keyframe_bytes: 32 * 1024,
            depth_penalty: 0.1,
            similarity_floor: 0.35,
            image_floor: 0.7,
            most_recalled: 8,
        }
    }
}

impl Config {
    /// The same, but nothing is kept beyond the live window.
    #[must_use]
    pub fn live_only(self) -> Self {
        Self { working: 0, events: 0, ..self }
    }

    /// The same, with every field within its bounds; NaN becomes the default.
    #[must_use]
    pub fn bounded(self) -> Self {
        let d = Self::default();
        let unit = |v: f32, default: f32, most: f32| if v.is_nan() { default } else { v.clamp(0.0, most) };
        let min_event = self.min_event.clamp(Duration::from_millis(100), Duration::from_secs(600));
        Self {
            live: self.live.clamp(1, 16),
            live_every: self.live_every.min(Duration::from_secs(10)),
            working: self.working.min(256),
            working_every: self.working_every.clamp(Duration::from_millis(100), Duration::from_secs(10)),
            events: self.events.min(8_192),
            roots: self.roots.clamp(1, 1_024),
            children: self.children.clamp(2, 64),
            min_event,
            max_event: self.max_event.clamp(min_event, Duration::from_secs(3_600)),
            gap: self.gap.clamp(Duration::from_secs(1), Duration::from_secs(600)),
            cut_similarity: unit(self.cut_similarity, d.cut_similarity, 1.0),
            keyframes_per_event: self.keyframes_per_event.clamp(1, 8),
            keyframe_every: self.keyframe_every.clamp(Duration::from_millis(1), Duration::from_secs(60)),
            keyframe_similarity: unit(self.keyframe_similarity, d.keyframe_similarity, 1.0),
            max_keyframe_bytes: self.max_keyframe_bytes.clamp(1 << 10, 1 << 20),
            depth_penalty: unit(self.depth_penalty, d.depth_penalty, 1.0),
            similarity_floor: unit(self.similarity_floor, d.similarity_floor, 1.0),
            image_floor: unit(self.image_floor, d.image_floor, 0.99),
            most_recalled: self.most_recalled.clamp(1, 64),
        }
    }

    /// Bytes that a memory of this configuration can never exceed, whatever it is shown: the sum over its tiers of capacity times
    /// the largest item. It is far above what real streams need (about 10 KiB a picture, 4 KiB of facts), being a proof and no estimate.
    #[must_use]
    pub fn most_bytes(&self) -> usize {
        let c = self.bounded();
        let facts = MOST_DIGEST_BYTES + MOST_SAID_BYTES + 4_096 + 2 * MOST_DIMS * size_of::<half::f16>();
        let picture = c.max_keyframe_bytes + 256;
        let event = facts + c.keyframes_per_event * picture;
        let child = facts + picture;
        let live = c.live * (super::recent::MOST_FACTS_BYTES + child);
        let open = event + 2 * c.keyframes_per_event * MOST_DIMS + 4 * MOST_DIMS;
        live + c.working * child + (c.events + 1) * event + open + c.roots * (event + c.children * child)
    }
}
