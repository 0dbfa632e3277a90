//! Keeping within the quota, the number of memories and the retention.
//!
//! Oldest first: pictures, then events, of all memories alike. The last five minutes of the memory that was written to last are
//! spared as long as anything else is left; after them whole memories go, for their extras.

use std::time::Duration;

use rusqlite::Connection;

use super::index::{self, Found, Memory, Sql};
use super::records::{Kind, MEMORY_COST};
use super::{Archive, Counts, Evicted, StoreError};

/// How long before its newest record a memory is spared, in ms.
const SPARED_MS: u64 = 5 * 60 * 1000;
/// How many candidates are looked at in one query.
const AT_ONCE: u32 = 64;

/// What a transaction dropped: rows that are gone, whose files have yet to go.
#[derive(Debug, Default)]
pub(super) struct Loss {
    pub(super) records: Vec<Found>,
    pub(super) memories: Vec<Memory>,
    pub(super) evicted: Evicted,
}

impl Loss {
    /// Drops until `total` is within `quota`, or nothing is left that may go. `keep` is the memory that is being written.
    pub(super) fn to_fit(db: &Connection, total: &mut u64, quota: u64, keep: i64) -> Sql<Self> {
        let mut loss = Self::default();
        if *total <= quota {
            return Ok(loss);
        }
        let newest = index::newest(db, Kind::Event)?.into_iter().chain(index::newest(db, Kind::Keyframe)?);
        let (spared, horizon) =
            newest.max_by_key(|f| f.until).map_or((keep, 0), |f| (f.memory.id, f.until.saturating_sub(SPARED_MS)));
        for horizon in [horizon, u64::MAX >> 1] {
            for kind in [Kind::Keyframe, Kind::Event] {
                loss.oldest(db, total, quota, (kind, spared, horizon))?;
            }
        }
        while *total > quota
            && let Some(memory) = index::stalest(db, keep)?
        {
            loss.whole(db, total, memory)?;
        }
        Ok(loss)
    }

    fn oldest(&mut self, db: &Connection, total: &mut u64, quota: u64, which: (Kind, i64, u64)) -> Sql<()> {
        let (kind, spared, horizon) = which;
        while *total > quota {
            let found = index::oldest(db, kind, spared, horizon, AT_ONCE)?;
            if found.is_empty() {
                break;
            }
            for found in found {
                if *total <= quota {
                    break;
                }
                self.record(db, total, found)?;
            }
        }
        Ok(())
    }

    /// Drops one record.
    pub(super) fn record(&mut self, db: &Connection, total: &mut u64, found: Found) -> Sql<()> {
        index::remove(db, found.row.serial)?;
        let bytes = found.row.cost();
        *total = total.saturating_sub(bytes);
        self.evicted.bytes += bytes;
        match found.row.kind {
            Kind::Event => self.evicted.events += 1,
            Kind::Keyframe => self.evicted.keyframes += 1,
            Kind::Meta => {}
        }
        self.records.push(found);
        Ok(())
    }

    /// Drops a memory with everything in it.
    pub(super) fn whole(&mut self, db: &Connection, total: &mut u64, memory: Memory) -> Sql<()> {
        let mut bytes = MEMORY_COST;
        for found in index::all(db, &memory)? {
            bytes += found.row.cost();
            match found.row.kind {
                Kind::Event => self.evicted.events += 1,
                Kind::Keyframe => self.evicted.keyframes += 1,
                Kind::Meta => {}
            }
        }
        index::drop_memory(db, &memory)?;
        *total = total.saturating_sub(bytes);
        self.evicted.bytes += bytes;
        self.evicted.memories += 1;
        self.memories.push(memory);
        Ok(())
    }
}

impl Archive {
    /// Deletes the files of what a transaction dropped, and counts it. A file that cannot be deleted is tried again later.
    pub(super) fn bury(&mut self, loss: Loss, reason: impl FnOnce(&mut Counts) -> &mut Evicted) -> Evicted {
        for found in &loss.records {
            self.files.remove(self.files.path(&found.memory.name, &found.row));
        }
        for memory in &loss.memories {
            // What is left of it is swept at the next opening: its owner file goes first.
            let _ = self.files.remove_dir(&memory.name, memory.started);
        }
        let mut counts = self.counts.get();
        reason(&mut counts).add(loss.evicted);
        self.counts.set(counts);
        loss.evicted
    }

    /// Drops the stalest memories until one more is allowed.
    pub(super) fn make_room_for_one_more(&mut self) -> Result<(), StoreError> {
        let known = index::memories(&self.db).map_err(self.failed("read"))?.len();
        let surplus = (known + 1).saturating_sub(self.limits.memories);
        if surplus == 0 {
            return Ok(());
        }
        let loss = self.change(|db, total, _| {
            let mut loss = Loss::default();
            for _ in 0..surplus {
                if let Some(memory) = index::stalest(db, 0)? {
                    loss.whole(db, total, memory)?;
                }
            }
            Ok(loss)
        })?;
        self.bury(loss, |c| &mut c.too_many);
        Ok(())
    }

    /// Drops what is past the retention: records that ended longer ago, and memories in which nothing is left. Does nothing
    /// without a retention. Call it once in a while; a clock that was set back drops nothing.
    ///
    /// # Errors
    /// What the disk says.
    pub fn expire(&mut self, now_unix_ms: u64) -> Result<Evicted, StoreError> {
        let Some(retention) = self.limits.retention else {
            return Ok(Evicted::default());
        };
        let before = now_unix_ms.saturating_sub(millis(retention));
        let loss = self.change(|db, total, _| {
            let mut loss = Loss::default();
            for kind in [Kind::Keyframe, Kind::Event] {
                loss.past(db, total, kind, before)?;
            }
            for memory in index::memories(db)? {
                let empty = index::of_kind(db, &memory, Kind::Event)?.is_empty()
                    && index::of_kind(db, &memory, Kind::Keyframe)?.is_empty();
                if memory.started < before && empty {
                    loss.whole(db, total, memory)?;
                }
            }
            Ok(loss)
        })?;
        let evicted = self.bury(loss, |c| &mut c.expired);
        if evicted != Evicted::default() {
            self.sync()?;
        }
        Ok(evicted)
    }
}

impl Loss {
    fn past(&mut self, db: &Connection, total: &mut u64, kind: Kind, before: u64) -> Sql<()> {
        loop {
            let found = index::oldest(db, kind, 0, 0, AT_ONCE)?;
            let old: Vec<Found> = found.into_iter().filter(|f| f.until < before).collect();
            if old.is_empty() {
                return Ok(());
            }
            for found in old {
                self.record(db, total, found)?;
            }
        }
    }
}

fn millis(d: Duration) -> u64 {
    u64::try_from(d.as_millis()).unwrap_or(u64::MAX)
}
