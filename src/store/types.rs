//! What goes into the archive and what comes out.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;

use super::{Archive, Key};

/// Largest picture, in bytes of JPEG.
pub const MAX_JPEG_BYTES: usize = 1 << 20;
/// Largest body of an event or extra, in bytes.
pub const MAX_BODY_BYTES: usize = 256 << 10;
/// Most records in one [`Archive::write`].
pub const MAX_BATCH: usize = 4096;
/// Most extras ([`Record::Meta`]) of one memory.
pub const MAX_META: usize = 64;

/// Where the archive is and how much it may hold.
#[derive(Debug, Clone)]
pub struct ArchiveConfig {
    /// The folder; made when it is not there, readable by its owner only.
    pub dir: PathBuf,
    /// Most bytes that records may take on disk, each rounded up to 4 KiB as file systems do. Not counted: the index, some 200
    /// bytes a record, and its log of at most 4 MiB.
    pub quota_bytes: u64,
    /// Seals everything when set. An archive is sealed from its first day or never.
    pub key: Option<Key>,
    /// Most memories; creating one more drops the one that was written to longest ago.
    pub max_memories: usize,
    /// How long records are kept after they happened; `None`: until the quota needs their room.
    pub retention: Option<Duration>,
}

/// One thing to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// An event; replaces the one with the same id.
    Event {
        /// Its number within the memory.
        id: u64,
        /// When it began, in ms of memory time.
        start_ms: u64,
        /// When it ended, in ms of memory time; not before `start_ms`.
        end_ms: u64,
        /// Which tier it stood in.
        tier: u8,
        /// What it holds; at most [`MAX_BODY_BYTES`].
        body: Vec<u8>,
    },
    /// The event is gone, for example merged into another. One that is not there is no error.
    DropEvent {
        /// Its number within the memory.
        id: u64,
    },
    /// A picture; replaces the one with the same id.
    Keyframe {
        /// Its number within the memory.
        id: u64,
        /// The event it belongs to.
        event: u64,
        /// When it was taken, in ms of memory time.
        at_ms: u64,
        /// The picture; at most [`MAX_JPEG_BYTES`].
        jpeg: Bytes,
    },
    /// A small extra, such as the next free numbers; replaces the one with the same key.
    Meta {
        /// 1 to 64 of `a-z`, `0-9`, `_` and `-`. Stays in the clear.
        key: String,
        /// What it holds; at most [`MAX_BODY_BYTES`].
        body: Vec<u8>,
    },
}

/// An event as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its number within the memory.
    pub id: u64,
    /// When it began, in ms of memory time.
    pub start_ms: u64,
    /// When it ended, in ms of memory time.
    pub end_ms: u64,
    /// Which tier it stood in.
    pub tier: u8,
    /// What it holds.
    pub body: Vec<u8>,
}

/// A picture that is there, without its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredKeyframe {
    /// Its number within the memory.
    pub id: u64,
    /// The event it belongs to.
    pub event: u64,
    /// When it was taken, in ms of memory time.
    pub at_ms: u64,
}

/// One memory, counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryInfo {
    /// Its name.
    pub name: super::MemoryName,
    /// When it began, in ms since 1970.
    pub started_unix_ms: u64,
    /// The end of its newest record, in ms of memory time.
    pub last_ms: u64,
    /// How many events there are.
    pub events: u64,
    /// How many pictures there are.
    pub keyframes: u64,
    /// Bytes they take of the quota.
    pub bytes: u64,
}

/// What a write did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Written {
    /// Bytes of the quota that the new records take.
    pub bytes: u64,
    /// What had to go for them.
    pub evicted: Evicted,
}

/// What was dropped to keep within the quota, the number of memories or the retention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Evicted {
    /// Pictures.
    pub keyframes: u64,
    /// Events.
    pub events: u64,
    /// Whole memories.
    pub memories: u64,
    /// Bytes of the quota that came free.
    pub bytes: u64,
}

impl Evicted {
    pub(super) const fn add(&mut self, other: Self) {
        self.keyframes += other.keyframes;
        self.events += other.events;
        self.memories += other.memories;
        self.bytes += other.bytes;
    }
}

/// What to forget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forget {
    /// A span of memory time: pictures from `start_ms` to `end_ms`, both included, and events that lie in it or reach into it.
    Span {
        /// Its beginning, in ms.
        start_ms: u64,
        /// Its end, in ms.
        end_ms: u64,
    },
    /// The whole memory, its name and owner too.
    All,
}

/// What was forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Forgotten {
    /// Events that are gone; those that were rewritten are not counted.
    pub events: u64,
    /// Pictures that are gone.
    pub keyframes: u64,
    /// Bytes of the quota that came free.
    pub bytes: u64,
}

/// An opened archive, and what had to be put right.
#[derive(Debug)]
pub struct Opened {
    /// The archive.
    pub archive: Archive,
    /// What was damaged and how it was mended, in words for the log; `None` when nothing was.
    pub repaired: Option<String>,
    /// What an interrupted run had left.
    pub swept: Swept,
}

/// Leftovers of an interrupted run, found at opening.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Files that the index did not name: deleted.
    pub orphans: u64,
    /// Records whose file was missing or of the wrong length: dropped from the index.
    pub missing: u64,
}

/// What was lost since opening, by reason. For metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Dropped because the quota was reached.
    pub quota: Evicted,
    /// Dropped because there were too many memories.
    pub too_many: Evicted,
    /// Dropped because they were past the retention.
    pub expired: Evicted,
    /// Reads of records that were damaged on disk or whose file was missing.
    pub damaged: u64,
}
