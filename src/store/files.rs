//! The files of records: written once, never changed, made durable together, deleted.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::records::{MAX_FILE, Row};
use super::{MemoryName, StoreError};

/// The folder of folders.
#[derive(Debug)]
pub(super) struct Files {
    root: PathBuf,
    sealed: bool,
    /// Written and not yet made durable.
    dirty: BTreeSet<PathBuf>,
    /// Folders in which something appeared or went since the last flush.
    dirs: BTreeSet<PathBuf>,
    /// Files that no row names any more, kept until the index that says so is durable: were the power to fail before, the old
    /// index would still find them.
    doomed: Vec<PathBuf>,
}

impl Files {
    pub(super) fn new(root: PathBuf, sealed: bool) -> Self {
        let dirs = root.parent().map(Path::to_owned).into_iter().chain([root.clone()]).collect();
        Self { root, sealed, dirty: BTreeSet::new(), dirs, doomed: Vec::new() }
    }

    pub(super) fn dir(&self, memory: &MemoryName) -> PathBuf {
        self.root.join(memory.as_str())
    }

    pub(super) fn path(&self, memory: &MemoryName, row: &Row) -> PathBuf {
        self.dir(memory).join(row.file_name(self.sealed))
    }

    /// How much waits for the next flush.
    pub(super) fn pending(&self) -> usize {
        self.dirty.len() + self.doomed.len()
    }

    /// Makes the folder of a memory.
    pub(super) fn make_dir(&mut self, memory: &MemoryName) -> Result<(), StoreError> {
        let dir = self.dir(memory);
        private_dir(&dir)?;
        self.dirs.insert(self.root.clone());
        self.dirs.insert(dir);
        Ok(())
    }

    /// Writes a new file. A half-written one is removed again.
    pub(super) fn write(&mut self, path: PathBuf, content: &[u8]) -> Result<(), StoreError> {
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .and_then(|mut file| file.write_all(content));
        if let Err(error) = written {
            if error.kind() != io::ErrorKind::AlreadyExists {
                let _ = fs::remove_file(&path);
            }
            return Err(StoreError::io("write", path)(error));
        }
        if let Some(dir) = path.parent() {
            self.dirs.insert(dir.to_owned());
        }
        self.dirty.insert(path);
        Ok(())
    }

    /// Reads a whole file of `bytes` bytes; `None` when it is not there. The length is checked before anything is allocated.
    pub(super) fn read(path: &Path, bytes: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let failed = |e| StoreError::io("read", path)(e);
        let file = match File::open(path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(failed(e)),
        };
        let meta = file.metadata().map_err(failed)?;
        if !meta.is_file() || meta.len() != bytes || bytes > MAX_FILE {
            return Ok(Some(Vec::new()));
        }
        let mut content = Vec::with_capacity(usize::try_from(bytes).unwrap_or(0));
        file.take(bytes).read_to_end(&mut content).map_err(failed)?;
        Ok(Some(content))
    }

    /// Deletes a file now. What cannot be deleted now is tried again at the next flush.
    pub(super) fn remove(&mut self, path: PathBuf) {
        if let Some(dir) = path.parent() {
            self.dirs.insert(dir.to_owned());
        }
        self.dirty.remove(&path);
        if fs::remove_file(&path).is_err_and(|e| e.kind() != io::ErrorKind::NotFound) {
            self.doomed.push(path);
        }
    }

    /// Deletes a file once the index is durable.
    pub(super) fn doom(&mut self, path: PathBuf) {
        self.dirty.remove(&path);
        self.doomed.push(path);
    }

    /// Deletes the folder of a memory with everything in it, its owner file first: a folder without one belongs to nobody.
    pub(super) fn remove_dir(&mut self, memory: &MemoryName, started: u64) -> Result<(), StoreError> {
        let dir = self.dir(memory);
        let gone = |r: io::Result<()>| match r {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(StoreError::io("delete", &dir)(e)),
            _ => Ok(()),
        };
        gone(fs::remove_file(dir.join(owner_file(started))))?;
        gone(fs::remove_dir_all(&dir))?;
        self.dirty.retain(|p| !p.starts_with(&dir));
        self.doomed.retain(|p| !p.starts_with(&dir));
        self.dirs.remove(&dir);
        self.dirs.insert(self.root.clone());
        Ok(())
    }

    /// Deletes the doomed files that lie in `dir`, or all.
    pub(super) fn remove_doomed(&mut self, dir: Option<&Path>) -> Result<(), StoreError> {
        let mut failed = None;
        let dirs = &mut self.dirs;
        self.doomed.retain(|path| {
            if dir.is_some_and(|d| !path.starts_with(d)) {
                return true;
            }
            match fs::remove_file(path) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => {
                    failed = Some(StoreError::io("delete", path)(e));
                    true
                }
                _ => {
                    dirs.extend(path.parent().map(Path::to_owned));
                    false
                }
            }
        });
        failed.map_or(Ok(()), Err)
    }

    /// Makes durable what was written: the files, then the folders that name them.
    pub(super) fn flush(&mut self) -> Result<(), StoreError> {
        while let Some(path) = self.dirty.first() {
            durable(path)?;
            self.dirty.pop_first();
        }
        while let Some(dir) = self.dirs.first() {
            durable(dir)?;
            self.dirs.pop_first();
        }
        Ok(())
    }
}

fn durable(path: &Path) -> Result<(), StoreError> {
    match File::open(path).and_then(|f| f.sync_all()) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(StoreError::io("make durable", path)(e)),
        _ => Ok(()),
    }
}

/// The file that says whose a memory is. Its name carries when the memory began.
pub(super) fn owner_file(started: u64) -> String {
    format!("owner.{started}")
}

/// The other way round.
pub(super) fn owner_started(name: &str) -> Option<u64> {
    let started: u64 = name.strip_prefix("owner.")?.parse().ok()?;
    (owner_file(started) == name).then_some(started)
}

/// Makes a folder, and those above it, for its owner only; one that is there stays as it is.
pub(super) fn private_dir(dir: &Path) -> Result<(), StoreError> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(StoreError::io("create", dir))
}

/// Writes a small file in one step: whoever reads sees the old or the new, never half.
pub(super) fn replace(path: &Path, content: &[u8]) -> Result<(), StoreError> {
    let temp = path.with_extension("new");
    let write = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temp)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&temp, path)
    };
    write().map_err(StoreError::io("write", path))?;
    path.parent().map_or(Ok(()), durable)
}
