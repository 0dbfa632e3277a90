//! What goes into the memory, and what became of it.

use std::sync::Arc;

use bytes::Bytes;

use super::span::{KeyframeId, NodeId, Span};
use crate::watch::SceneFacts;

/// One look at a kept frame.
#[derive(Debug, Clone)]
pub struct Look {
    /// What perception knows after it. Its times are of any one clock; their age against `facts.at` counts.
    pub facts: Arc<SceneFacts>,
    /// The picture's embedding; any length of vector, brought to length 1 here.
    pub image: Option<Arc<[f32]>>,
    /// The picture, as a small JPEG file; dropped when larger than [`super::Config::max_keyframe_bytes`].
    pub keyframe: Option<Bytes>,
}

/// Where something is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tier {
    /// The last few looks, with all that perception knew.
    Live,
    /// The last half minute, second by second.
    Working,
    /// The event that has not ended yet.
    Open,
    /// Events.
    Episodic,
    /// Roots and what was merged into them.
    LongTerm,
}

/// How full a tier is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TierUse {
    /// What it holds.
    pub items: usize,
    /// What it can hold.
    pub capacity: usize,
    /// Bytes it takes, by capacity of everything owned. Pictures shared by two tiers count in both.
    pub bytes: usize,
}

/// How full each tier is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tiers {
    /// See [`Tier::Live`].
    pub live: TierUse,
    /// See [`Tier::Working`].
    pub working: TierUse,
    /// Closed events. The bytes of the open one are here too; it is the one item more that is always there.
    pub episodic: TierUse,
    /// Roots; `items` counts roots, `bytes` their children too.
    pub long_term: TierUse,
}

/// Something that happened in the memory, for the timeline, the archive and the text encoder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// An event began.
    Opened(NodeId),
    /// An event knows more, or less, than before.
    Changed(NodeId),
    /// An event ended, or one that had ended has a new caption: embed it and write it down.
    Closed(NodeId),
    /// A picture was kept: write it down.
    Kept {
        /// The event it belongs to.
        node: NodeId,
        /// The picture; see [`super::Memory::keyframe`].
        keyframe: KeyframeId,
    },
    /// Two roots became one.
    Merged {
        /// The new root.
        into: NodeId,
        /// The two, older first. Those that were plain events are children of it now.
        from: [NodeId; 2],
        /// The depth of the new root.
        depth: u8,
    },
    /// An event went to another tier.
    Moved {
        /// Which.
        node: NodeId,
        /// Whereto.
        tier: Tier,
    },
    /// A span was forgotten.
    Forgot {
        /// Events that are wholly gone, children too.
        nodes: Vec<NodeId>,
        /// Pictures that are gone.
        keyframes: Vec<KeyframeId>,
        /// What was asked for.
        span: Span,
    },
}
