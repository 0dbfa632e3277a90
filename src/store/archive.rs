//! The archive itself: making memories and reading them.

use std::cell::Cell;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use rusqlite::Connection;

use super::evict::Loss;
use super::files::{Files, owner_file};
use super::index::{self, Found, Memory, Sql};
use super::records::{Kind, MAX_MS, MEMORY_COST, Row, cost};
use super::seal::Sealer;
use super::{Counts, MAX_META, MemoryInfo, MemoryName, StoreError, StoredEvent, StoredKeyframe};

/// Bytes of an owner's hash.
const HASH: usize = 32;

/// Limits from the configuration.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) quota: u64,
    pub(super) memories: usize,
    pub(super) retention: Option<Duration>,
}

/// Memories on disk. Blocks: keep it on a thread that may.
///
/// After any error it can be used on; a failed write has changed nothing. What was written survives the death of the process at
/// once, and a power failure from the next [`Archive::sync`] on: call that at least every two seconds while writing.
pub struct Archive {
    pub(super) db: Connection,
    pub(super) db_path: PathBuf,
    pub(super) files: Files,
    pub(super) sealer: Sealer,
    pub(super) limits: Limits,
    /// Bytes of the quota in use.
    pub(super) total: u64,
    pub(super) next_serial: u64,
    /// The index changed since the last checkpoint.
    pub(super) unsynced: bool,
    pub(super) counts: Cell<Counts>,
    /// Held, not used. The last field, so that it is let go of when everything else is closed.
    pub(super) _lock: File,
}

impl std::fmt::Debug for Archive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Archive").field("index", &self.db_path).field("bytes", &self.total).finish_non_exhaustive()
    }
}

impl Archive {
    /// Makes a memory that belongs to whoever knows what `owner_hash` is the hash of. When there are too many, the one that was
    /// written to longest ago goes, and is counted.
    ///
    /// # Errors
    /// [`StoreError::MemoryExists`], [`StoreError::BadRecord`] for a date after 2000 years, and what the disk says.
    pub fn create(
        &mut self,
        name: &MemoryName,
        owner_hash: [u8; HASH],
        started_unix_ms: u64,
    ) -> Result<(), StoreError> {
        if started_unix_ms > MAX_MS {
            return Err(StoreError::BadRecord("a memory begins after 2000 years"));
        }
        if index::memory(&self.db, name).map_err(self.failed("read"))?.is_some() {
            return Err(StoreError::MemoryExists);
        }
        if MEMORY_COST > self.limits.quota {
            return Err(StoreError::OverQuota { needed: MEMORY_COST, quota: self.limits.quota });
        }
        self.make_room_for_one_more()?;
        // What a run that died here had left of the same name.
        self.files.remove_dir(name, started_unix_ms)?;
        self.files.make_dir(name)?;
        let made = self.write_owner(name, &owner_hash, started_unix_ms).and_then(|()| {
            self.change(|db, total, limits| {
                let memory = index::add_memory(db, name, started_unix_ms)?;
                *total += MEMORY_COST;
                Loss::to_fit(db, total, limits.quota, memory.id)
            })
        });
        match made {
            Ok(loss) => {
                self.bury(loss, |c| &mut c.quota);
                Ok(())
            }
            Err(error) => {
                // The first error is the one to tell.
                let _ = self.files.remove_dir(name, started_unix_ms);
                Err(error)
            }
        }
    }

    fn write_owner(&mut self, name: &MemoryName, hash: &[u8; HASH], started: u64) -> Result<(), StoreError> {
        let sealed = self.sealer.seal(&owner_label(name, started), hash)?;
        self.files.write(self.files.dir(name).join(owner_file(started)), &sealed)
    }

    /// The hash that the memory was made with.
    ///
    /// # Errors
    /// [`StoreError::NoSuchMemory`]; [`StoreError::Damaged`] when it was tampered with; what the disk says.
    pub fn owner_hash(&self, name: &MemoryName) -> Result<[u8; HASH], StoreError> {
        let memory = self.memory(name)?;
        let path = self.files.dir(name).join(owner_file(memory.started));
        let sealed = Files::read(&path, HASH as u64 + self.sealer.overhead())?.unwrap_or_default();
        let hash = self.sealer.open(&owner_label(name, memory.started), &sealed).and_then(|h| h.try_into().ok());
        hash.ok_or_else(|| self.damaged("the owner of a memory"))
    }

    /// All memories, in the order of their making.
    ///
    /// # Errors
    /// What the disk says.
    pub fn list(&self) -> Result<Vec<MemoryInfo>, StoreError> {
        let memories = index::memories(&self.db).map_err(self.failed("read"))?;
        memories.into_iter().map(|m| self.count(m)).collect()
    }

    /// One memory, counted.
    ///
    /// # Errors
    /// [`StoreError::NoSuchMemory`], and what the disk says.
    pub fn info(&self, name: &MemoryName) -> Result<MemoryInfo, StoreError> {
        self.count(self.memory(name)?)
    }

    fn count(&self, memory: Memory) -> Result<MemoryInfo, StoreError> {
        let found = index::all(&self.db, &memory).map_err(self.failed("read"))?;
        let of = |kind| found.iter().filter(|f| f.row.kind == kind).count() as u64;
        Ok(MemoryInfo {
            started_unix_ms: memory.started,
            last_ms: found.iter().map(|f| f.row.end_ms).max().unwrap_or(0),
            events: of(Kind::Event),
            keyframes: of(Kind::Keyframe),
            bytes: MEMORY_COST + found.iter().map(|f| f.row.cost()).sum::<u64>(),
            name: memory.name,
        })
    }

    /// The extras of a memory, by key. Damaged ones are left out and counted.
    ///
    /// # Errors
    /// [`StoreError::NoSuchMemory`], and what the disk says.
    pub fn meta(&self, name: &MemoryName) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let mut extras = Vec::new();
        for found in self.rows(name, Kind::Meta)?.into_iter().take(MAX_META) {
            if let Some(body) = self.body_or_count(&found)? {
                extras.push((found.row.key, body));
            }
        }
        Ok(extras)
    }

    /// The events of a memory, by time. Damaged ones are left out and counted.
    ///
    /// # Errors
    /// [`StoreError::NoSuchMemory`], and what the disk says.
    pub fn events(&self, name: &MemoryName) -> Result<Vec<StoredEvent>, StoreError> {
        let mut events = Vec::new();
        for found in self.rows(name, Kind::Event)? {
            let Some(body) = self.body_or_count(&found)? else { continue };
            let Row { id, start_ms, end_ms, extra, .. } = found.row;
            events.push(StoredEvent { id, start_ms, end_ms, tier: u8::try_from(extra).unwrap_or(u8::MAX), body });
        }
        Ok(events)
    }

    /// The pictures of a memory, by time, without their bytes.
    ///
    /// # Errors
    /// [`StoreError::NoSuchMemory`], and what the disk says.
    pub fn keyframes(&self, name: &MemoryName) -> Result<Vec<StoredKeyframe>, StoreError> {
        let rows = self.rows(name, Kind::Keyframe)?;
        Ok(rows.iter().map(|f| StoredKeyframe { id: f.row.id, event: f.row.extra, at_ms: f.row.start_ms }).collect())
    }

    /// A picture as JPEG; `None` when it was never there, has been evicted or was forgotten.
    ///
    /// # Errors
    /// [`StoreError::NoSuchMemory`]; [`StoreError::Damaged`] when it is not what was written; what the disk says.
    pub fn keyframe(&self, name: &MemoryName, id: u64) -> Result<Option<Bytes>, StoreError> {
        let memory = self.memory(name)?;
        match index::at(&self.db, &memory, Kind::Keyframe, id, "").map_err(self.failed("read"))? {
            Some(found) => Ok(self.body(&found)?.map(Bytes::from)),
            None => Ok(None),
        }
    }

    /// Bytes of the quota in use.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.total
    }

    /// What was lost since opening.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts.get()
    }

    /// Makes everything written so far survive a power failure, and empties the index's log.
    ///
    /// # Errors
    /// What the disk says; nothing is lost, and the next call tries again.
    pub fn sync(&mut self) -> Result<(), StoreError> {
        self.files.flush()?;
        if self.unsynced {
            let mut done = index::checkpoint(&self.db);
            if done.is_err() {
                // The database may lack the room that old files take. They are kept only against a power failure at this moment.
                self.files.remove_doomed(None)?;
                done = index::checkpoint(&self.db);
            }
            done.map_err(self.failed("make durable"))?;
            self.unsynced = false;
        }
        self.files.remove_doomed(None)
    }

    /// Examines the index from end to end, for `doctor` and tests.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] with what is wrong.
    pub fn check(&self) -> Result<(), StoreError> {
        match index::check(&self.db, "integrity_check").map_err(self.failed("read"))? {
            None => Ok(()),
            Some(problem) => Err(StoreError::Corrupt { problem }),
        }
    }

    /// One transaction of the index. `total` is taken over only when it succeeded.
    pub(super) fn change<T>(
        &mut self,
        apply: impl FnOnce(&Connection, &mut u64, Limits) -> Sql<T>,
    ) -> Result<T, StoreError> {
        let mut total = self.total;
        let limits = self.limits;
        let tx = self.db.unchecked_transaction().map_err(self.failed("write"))?;
        let result = apply(&tx, &mut total, limits).map_err(self.failed("write"))?;
        if total > limits.quota && total > self.total {
            return Err(StoreError::OverQuota { needed: total, quota: limits.quota });
        }
        tx.commit().map_err(self.failed("write"))?;
        self.total = total;
        self.unsynced = true;
        Ok(result)
    }

    pub(super) fn memory(&self, name: &MemoryName) -> Result<Memory, StoreError> {
        index::memory(&self.db, name).map_err(self.failed("read"))?.ok_or(StoreError::NoSuchMemory)
    }

    pub(super) fn rows(&self, name: &MemoryName, kind: Kind) -> Result<Vec<Found>, StoreError> {
        index::of_kind(&self.db, &self.memory(name)?, kind).map_err(self.failed("read"))
    }

    pub(super) fn failed(&self, what: &'static str) -> impl FnOnce(rusqlite::Error) -> StoreError + use<> {
        index::failure(what, &self.db_path)
    }

    /// What a record holds; `None` when its file is gone.
    pub(super) fn body(&self, found: &Found) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.files.path(&found.memory.name, &found.row);
        let Some(sealed) = Files::read(&path, found.row.bytes)? else {
            self.damaged(found.row.kind.word());
            return Ok(None);
        };
        let opened = self.sealer.open(&found.row.label(found.memory.name.as_str()), &sealed);
        opened.map(Some).ok_or_else(|| self.damaged(found.row.kind.word()))
    }

    fn body_or_count(&self, found: &Found) -> Result<Option<Vec<u8>>, StoreError> {
        match self.body(found) {
            Err(StoreError::Damaged { .. }) => Ok(None),
            other => other,
        }
    }

    fn damaged(&self, what: &'static str) -> StoreError {
        let mut counts = self.counts.get();
        counts.damaged += 1;
        self.counts.set(counts);
        StoreError::Damaged { what }
    }
}

impl Drop for Archive {
    fn drop(&mut self) {
        // Nobody is left to tell, and the next opening puts right what is missing.
        let _ = self.sync();
    }
}

/// What the seal of an owner's hash binds.
fn owner_label(name: &MemoryName, started: u64) -> Vec<u8> {
    format!("{name}/owner/{started}").into_bytes()
}

/// Length on disk, and so cost, of a record of `bytes` bytes.
pub(super) const fn cost_of(sealer: &Sealer, bytes: usize) -> u64 {
    cost(bytes as u64 + sealer.overhead())
}

/// Where the index of an archive is.
pub(super) fn index_path(dir: &Path) -> PathBuf {
    dir.join("archive.db")
}
