//! Looks that are asked for.

/// The running number of a look that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LookId(pub u64);

/// Why perception is asked to look at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookReason {
    /// Somebody is asking something; what is known is stale.
    Question,
}

/// Why an answer waited for no look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoLook {
    /// A picture came with the question.
    Picture,
    /// It asks about the world, not about what is to be seen.
    World,
    /// It is talk, or nothing was asked.
    Talk,
    /// There is no camera, or its picture has stopped.
    NoVideo,
    /// The newest look is new enough.
    Fresh,
    /// It is answered from memory.
    Memory,
    /// Something was done as ordered, or is said unasked.
    Order,
    /// A function was called for it.
    Function,
}

impl NoLook {
    /// The label of metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Picture => "picture",
            Self::World => "world",
            Self::Talk => "talk",
            Self::NoVideo => "no_video",
            Self::Fresh => "fresh",
            Self::Memory => "memory",
            Self::Order => "order",
            Self::Function => "function",
        }
    }
}
