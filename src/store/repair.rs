//! Putting right what an interrupted run or a damaged index left: sweeping, and building the index anew.
//!
//! File names say all that the index says. So each row is held against the file it names: a file that no row names is left over, a
//! row without a file lost it, and when the two tell different stories of the same file the index is not to be trusted.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::files::owner_started;
use super::index::{self, Found, Memory};
use super::records::{MAX_FILE, MAX_MS, MEMORY_COST, Row};
use super::{MemoryName, StoreError, Swept};

/// What a look at everything gave.
pub(super) enum Verdict {
    /// Index and files agree now.
    Swept { swept: Swept, total: u64, last_serial: u64 },
    /// The index tells another story than the files: build it anew.
    Contradiction(String),
}

/// One memory as the folder has it.
struct Folder {
    name: MemoryName,
    path: PathBuf,
    /// From the name of its owner file. A memory without one belongs to nobody.
    started: Option<u64>,
    rows: Vec<(String, Row)>,
}

/// All memories as the folder has them. What does not look like ours is left alone.
fn folders(root: &Path) -> Result<Vec<Folder>, StoreError> {
    let mut out = Vec::new();
    for entry in entries(root)? {
        let Some(name) = entry.file_name().to_str().and_then(|n| MemoryName::parse(n).ok()) else { continue };
        let path = entry.path();
        if !path.is_dir() {
            continue;
        }
        let mut folder = Folder { name, path: path.clone(), started: None, rows: Vec::new() };
        for file in entries(&path)? {
            let Ok(text) = file.file_name().into_string() else { continue };
            let bytes = file.metadata().map_err(StoreError::io("read", file.path()))?.len();
            if let Some(started) = owner_started(&text).filter(|s| *s <= MAX_MS) {
                folder.started = Some(started);
            } else if let Some(row) = Row::from_file_name(&text, bytes) {
                folder.rows.push((text, row));
            }
        }
        out.push(folder);
    }
    Ok(out)
}

fn entries(dir: &Path) -> Result<Vec<fs::DirEntry>, StoreError> {
    fs::read_dir(dir).and_then(Iterator::collect).map_err(StoreError::io("read", dir))
}

/// There are memories in this folder.
pub(super) fn any(root: &Path) -> Result<bool, StoreError> {
    Ok(folders(root)?.iter().any(|f| f.started.is_some()))
}

/// Holds index and files against each other, deletes what is left over and drops what has lost its file.
pub(super) fn sweep(db: &Connection, db_path: &Path, root: &Path) -> Result<Verdict, StoreError> {
    let failed = |e| index::failure("read", db_path)(e);
    let mut known: HashMap<MemoryName, Memory> =
        index::memories(db).map_err(failed)?.into_iter().map(|m| (m.name.clone(), m)).collect();
    let mut plan = Plan::default();
    for folder in folders(root)? {
        let Some(memory) = known.remove(&folder.name) else {
            if folder.started.is_some() && !folder.rows.is_empty() {
                return Ok(Verdict::Contradiction("it does not know a memory that is there".to_owned()));
            }
            plan.folders.push(folder);
            continue;
        };
        match folder.started {
            Some(started) if started == memory.started => {}
            Some(_) => return Ok(Verdict::Contradiction("it has a memory begin at another time".to_owned())),
            // Forgetting or eviction was interrupted after the owner file went.
            None => {
                plan.folders.push(folder);
                plan.memories.push(memory);
                continue;
            }
        }
        let rows = index::all(db, &memory).map_err(failed)?;
        if let Some(problem) = plan.compare(folder, rows) {
            return Ok(Verdict::Contradiction(problem));
        }
        plan.total += MEMORY_COST;
    }
    plan.memories.extend(known.into_values());
    plan.carry_out(db, db_path)
}

/// What a sweep is going to do. Nothing is touched before everything was looked at.
#[derive(Default)]
struct Plan {
    folders: Vec<Folder>,
    files: Vec<PathBuf>,
    rows: Vec<u64>,
    memories: Vec<Memory>,
    total: u64,
    last_serial: u64,
}

impl Plan {
    /// Compares one memory. Tells what is wrong with the index when something is.
    fn compare(&mut self, folder: Folder, rows: Vec<Found>) -> Option<String> {
        let mut files: HashMap<u64, (String, Row)> = HashMap::new();
        for (name, row) in folder.rows {
            self.last_serial = self.last_serial.max(row.serial);
            files.insert(row.serial, (name, row));
        }
        for found in rows {
            if found.until != found.memory.started.saturating_add(found.row.end_ms) {
                return Some("it has a record end at another time than it says".to_owned());
            }
            let Some((name, file)) = files.remove(&found.row.serial) else {
                self.rows.push(found.row.serial);
                continue;
            };
            if (Row { bytes: found.row.bytes, ..file.clone() }) != found.row {
                return Some(format!("it has another record for the file {name}"));
            }
            if file.bytes == found.row.bytes && file.bytes <= MAX_FILE {
                self.total += file.cost();
            } else {
                // Cut short by a power failure.
                self.rows.push(found.row.serial);
                self.files.push(folder.path.join(name));
            }
        }
        self.files.extend(files.into_values().map(|(name, _)| folder.path.join(name)));
        None
    }

    fn carry_out(self, db: &Connection, db_path: &Path) -> Result<Verdict, StoreError> {
        let mut swept = Swept::default();
        for folder in &self.folders {
            swept.orphans += folder.rows.len() as u64 + u64::from(folder.started.is_some());
            gone(&folder.path, fs::remove_dir_all(&folder.path))?;
        }
        let cut_short = self.files.len() as u64;
        for path in &self.files {
            gone(path, fs::remove_file(path))?;
        }
        let change = || {
            let tx = db.unchecked_transaction()?;
            let mut missing = self.rows.len() as u64;
            for serial in &self.rows {
                index::remove(&tx, *serial)?;
            }
            for memory in &self.memories {
                missing += index::all(&tx, memory)?.len() as u64;
                index::drop_memory(&tx, memory)?;
            }
            tx.commit()?;
            Ok(missing)
        };
        swept.missing = change().map_err(index::failure("write", db_path))?;
        swept.orphans += cut_short;
        Ok(Verdict::Swept { swept, total: self.total, last_serial: self.last_serial })
    }
}

fn gone(path: &Path, result: io::Result<()>) -> Result<(), StoreError> {
    match result {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(StoreError::io("delete", path)(e)),
        _ => Ok(()),
    }
}

/// Fills an empty index from the names of files. Of two files for one record the newer one counts.
pub(super) fn rebuild(db: &Connection, db_path: &Path, root: &Path) -> Result<(u64, u64), StoreError> {
    let mut folders = folders(root)?;
    folders.sort_by_key(|f| f.started);
    let mut fill = || {
        let tx = db.unchecked_transaction()?;
        let (mut memories, mut records) = (0, 0);
        for folder in &mut folders {
            let Some(started) = folder.started else { continue };
            let memory = index::add_memory(&tx, &folder.name, started)?;
            memories += 1;
            folder.rows.sort_by_key(|(_, row)| std::cmp::Reverse(row.serial));
            for (_, row) in &folder.rows {
                if index::at(&tx, &memory, row.kind, row.id, &row.key)?.is_none() {
                    index::add(&tx, &memory, row)?;
                    records += 1;
                }
            }
        }
        tx.commit()?;
        Ok((memories, records))
    };
    fill().map_err(index::failure("build", db_path))
}

/// Moves a damaged index aside, and deletes those that were set aside before. It holds names and times, no bodies.
pub(super) fn set_aside(db_path: &Path, now_unix_ms: u64) -> Result<PathBuf, StoreError> {
    let dir = db_path.parent().unwrap_or(Path::new("."));
    let aside = dir.join(format!("archive.db.corrupt-{}", now_unix_ms / 1000));
    for entry in entries(dir)? {
        if entry.file_name().to_string_lossy().starts_with("archive.db.corrupt-") {
            gone(&entry.path(), fs::remove_file(entry.path()))?;
        }
    }
    fs::rename(db_path, &aside).map_err(StoreError::io("set aside", db_path))?;
    for beside in ["archive.db-wal", "archive.db-shm", "archive.db-journal"] {
        let path = dir.join(beside);
        gone(&path, fs::remove_file(&path))?;
    }
    Ok(aside)
}
