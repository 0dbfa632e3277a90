//! Writing records: files first, then one transaction of the index, then the files that were replaced go.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::archive::cost_of;
use super::evict::Loss;
use super::index::{self, Found, Memory};
use super::records::{Kind, MEMORY_COST, Row, body, check};
use super::{Archive, Evicted, MAX_META, MemoryName, Record, StoreError, Written};

/// Files that may wait for a sync; one write more and it is done at once. Bounds what a power failure and a full disk can hold up.
const MOST_PENDING: usize = 512;

/// One step of a write, its file written already.
#[derive(Debug)]
enum Step {
    Put(Row),
    Drop(u64),
}

/// Steps that wait for their transaction.
#[derive(Debug, Default)]
pub(super) struct Staged {
    steps: Vec<Step>,
    paths: Vec<PathBuf>,
    bytes: u64,
}

/// What a transaction did.
pub(super) struct Applied {
    /// Rows that newer ones replaced or that were dropped; their files are still there.
    pub(super) replaced: Vec<Found>,
    pub(super) evicted: Evicted,
}

impl Archive {
    /// Writes records, all or none. When the quota is reached the oldest pictures go for them, then the oldest events.
    ///
    /// # Errors
    /// [`StoreError::NoSuchMemory`]; [`StoreError::TooLarge`], [`StoreError::OverQuota`] and [`StoreError::BadRecord`] for records
    /// that no archive of these limits can take; [`StoreError::DiskFull`] and the like when the disk does not take them. Then nothing
    /// was written, and the same call can succeed later.
    pub fn write(&mut self, name: &MemoryName, records: &[Record]) -> Result<Written, StoreError> {
        let memory = self.memory(name)?;
        self.check_records(&memory, records)?;
        if self.files.pending() >= MOST_PENDING {
            self.sync()?;
        }
        let staged = self.stage(&memory, records)?;
        let bytes = staged.bytes;
        let applied = self.apply(&memory, staged, &[])?;
        for found in applied.replaced {
            // An index from before this write, as a power failure may bring back, still names it.
            self.files.doom(self.files.path(name, &found.row));
        }
        Ok(Written { bytes, evicted: applied.evicted })
    }

    /// Everything that can be refused before anything is touched.
    pub(super) fn check_records(&self, memory: &Memory, records: &[Record]) -> Result<(), StoreError> {
        check(records)?;
        let costs = records.iter().filter(|r| !matches!(r, Record::DropEvent { .. }));
        let needed = MEMORY_COST + costs.map(|r| cost_of(&self.sealer, body(r).len())).sum::<u64>();
        if needed > self.limits.quota {
            return Err(StoreError::OverQuota { needed, quota: self.limits.quota });
        }
        let mut keys: BTreeSet<&str> = records
            .iter()
            .filter_map(|r| if let Record::Meta { key, .. } = r { Some(key.as_str()) } else { None })
            .collect();
        if !keys.is_empty() {
            let known = index::of_kind(&self.db, memory, Kind::Meta).map_err(self.failed("read"))?;
            keys.extend(known.iter().map(|f| f.row.key.as_str()));
            if keys.len() > MAX_META {
                return Err(StoreError::BadRecord(
                    "a memory may have 64 extras; drop one, or use one for several things",
                ));
            }
        }
        Ok(())
    }

    /// Writes the files of records. When one cannot be written, none stays.
    pub(super) fn stage(&mut self, memory: &Memory, records: &[Record]) -> Result<Staged, StoreError> {
        let mut staged = Staged::default();
        for record in records {
            let step = match self.stage_one(memory, record, &mut staged.paths) {
                Ok(step) => step,
                Err(error) => {
                    self.unstage(staged.paths);
                    return Err(error);
                }
            };
            if let Step::Put(row) = &step {
                staged.bytes += row.cost();
            }
            staged.steps.push(step);
        }
        Ok(staged)
    }

    fn stage_one(&mut self, memory: &Memory, record: &Record, paths: &mut Vec<PathBuf>) -> Result<Step, StoreError> {
        let row = match record {
            Record::DropEvent { id } => return Ok(Step::Drop(*id)),
            other => Row::of(other, self.next_serial),
        };
        let Some(mut row) = row else {
            return Err(StoreError::BadRecord("it is of no known kind"));
        };
        self.next_serial += 1;
        let sealed = self.sealer.seal(&row.label(memory.name.as_str()), body(record))?;
        row.bytes = sealed.len() as u64;
        let path = self.files.path(&memory.name, &row);
        self.files.write(path.clone(), &sealed)?;
        paths.push(path);
        Ok(Step::Put(row))
    }

    fn unstage(&mut self, paths: Vec<PathBuf>) {
        for path in paths {
            self.files.remove(path);
        }
    }

    /// Enters staged records into the index and takes `gone` out of it, in one transaction. Files of evicted records are deleted;
    /// those of `gone` and of what was replaced are the caller's to delete.
    pub(super) fn apply(&mut self, memory: &Memory, staged: Staged, gone: &[Found]) -> Result<Applied, StoreError> {
        let Staged { steps, paths, .. } = staged;
        let done = self.change(|db, total, limits| {
            let mut replaced = Vec::new();
            for found in gone {
                index::remove(db, found.row.serial)?;
                *total = total.saturating_sub(found.row.cost());
            }
            for step in &steps {
                let old = match step {
                    Step::Put(row) => index::at(db, memory, row.kind, row.id, &row.key)?,
                    Step::Drop(id) => index::at(db, memory, Kind::Event, *id, "")?,
                };
                if let Some(old) = old {
                    index::remove(db, old.row.serial)?;
                    *total = total.saturating_sub(old.row.cost());
                    replaced.push(old);
                }
                if let Step::Put(row) = step {
                    index::add(db, memory, row)?;
                    *total += row.cost();
                }
            }
            Ok((replaced, Loss::to_fit(db, total, limits.quota, memory.id)?))
        });
        match done {
            Ok((replaced, loss)) => Ok(Applied { replaced, evicted: self.bury(loss, |c| &mut c.quota) }),
            Err(error) => {
                self.unstage(paths);
                Err(error)
            }
        }
    }
}
