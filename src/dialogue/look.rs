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
