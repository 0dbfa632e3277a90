//! Opening an archive: the lock, the identity, the key, the index, and whatever has to be put right.

use std::cell::Cell;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rusqlite::Connection;

use super::archive::{Limits, index_path};
use super::evict::Loss;
use super::files::{Files, private_dir, replace};
use super::identity::{Identity, MAX_IDENTITY};
use super::index::{self, Trouble};
use super::repair::{self, Verdict};
use super::seal::Sealer;
use super::{Archive, ArchiveConfig, Counts, Key, Opened, StoreError, Swept};

impl Archive {
    /// Opens the archive in `config.dir`, or makes one. `now_unix_ms` is used for the retention and to name a damaged index that is
    /// set aside.
    ///
    /// A damaged or missing index is built anew from the files, and reported; what an interrupted run left is swept. Takes time in
    /// proportion to the number of records, some microseconds each.
    ///
    /// # Errors
    /// [`StoreError::Locked`] when another process has it; [`StoreError::WrongKey`], [`StoreError::KeyMissing`] and
    /// [`StoreError::KeyUnexpected`] before anything is changed; [`StoreError::Newer`]; [`StoreError::Config`]; what the disk says.
    pub fn open(config: &ArchiveConfig, now_unix_ms: u64) -> Result<Opened, StoreError> {
        if config.quota_bytes == 0 || config.max_memories == 0 {
            return Err(StoreError::Config("its quota and its number of memories have to be more than 0"));
        }
        let dir = config.dir.as_path();
        private_dir(dir)?;
        let lock = lock(dir)?;
        let root = dir.join("memories");
        private_dir(&root)?;
        let db_path = index_path(dir);
        let index = Index::open(&db_path)?;
        let (identity, sealer) = unlock(&dir.join("archive.id"), &index, &root, config.key.as_ref())?;
        let Settled { db, swept, total, last_serial, repaired } =
            index.settle(&db_path, &root, &identity, now_unix_ms)?;
        let files = Files::new(root, sealer.is_sealed());
        let limits = Limits { quota: config.quota_bytes, memories: config.max_memories, retention: config.retention };
        let mut archive = Self {
            db,
            db_path,
            files,
            sealer,
            limits,
            total,
            next_serial: last_serial.saturating_add(1),
            unsynced: true,
            counts: Cell::new(Counts::default()),
            _lock: lock,
        };
        archive.settle_in(now_unix_ms)?;
        Ok(Opened { archive, repaired, swept })
    }

    /// What a changed configuration made too much, what has expired since, and the log of the last run.
    fn settle_in(&mut self, now_unix_ms: u64) -> Result<(), StoreError> {
        let loss = self.change(|db, total, limits| Loss::to_fit(db, total, limits.quota, 0))?;
        self.bury(loss, |c| &mut c.quota);
        self.expire(now_unix_ms)?;
        self.sync()
    }
}

/// Takes the lock, and leaves the number of this process in it.
fn lock(dir: &Path) -> Result<File, StoreError> {
    let path = dir.join("archive.lock");
    let failed = |e| StoreError::io("lock", &path)(e);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let mut file = options.open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            let pid = file.take(16).read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
            return Err(StoreError::Locked { dir: dir.to_owned(), pid });
        }
        Err(TryLockError::Error(e)) => return Err(failed(e)),
    }
    // Only for the message of the one who is kept out: no reason not to open.
    let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
    Ok(file)
}

/// The identity and the sealer, once the key was found to be the right one. A damaged or lost `archive.id` comes from the index.
fn unlock(path: &Path, index: &Index, root: &Path, key: Option<&Key>) -> Result<(Identity, Sealer), StoreError> {
    let filed = read_identity(path)?;
    let known = match &filed {
        Some(identity) => Some(identity.clone()),
        None => index.identity()?,
    };
    let (identity, sealer) = match known {
        Some(known) => {
            let sealer = known.unlock(key)?;
            (known, sealer)
        }
        None if repair::any(root)? => {
            return Err(StoreError::Corrupt {
                problem: format!(
                    "{} and its copy in the index are lost or damaged, and nothing can be read without: put one back from a backup, or move the folder away",
                    path.display()
                ),
            });
        }
        None => Identity::create(key)?,
    };
    if filed.as_ref() != Some(&identity) {
        replace(path, identity.encode().as_bytes())?;
    }
    Ok((identity, sealer))
}

/// The identity in `archive.id`; `None` when it is not there or damaged.
fn read_identity(path: &Path) -> Result<Option<Identity>, StoreError> {
    let mut text = Vec::new();
    match File::open(path).and_then(|f| f.take(MAX_IDENTITY).read_to_end(&mut text)) {
        Ok(_) => String::from_utf8(text).map_or(Ok(None), |t| Identity::decode(&t)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(StoreError::io("read", path)(e)),
    }
}

/// The index as it was found.
enum Index {
    Missing,
    Damaged(String),
    Whole(Connection),
}

/// The index as it can be used, and what it took.
struct Settled {
    db: Connection,
    swept: Swept,
    total: u64,
    last_serial: u64,
    repaired: Option<String>,
}

impl Index {
    fn open(path: &Path) -> Result<Self, StoreError> {
        if !path.try_exists().map_err(StoreError::io("read", path))? {
            return Ok(Self::Missing);
        }
        match index::open(path) {
            Ok(db) => Ok(Self::Whole(db)),
            Err(Trouble::Damaged(problem)) => Ok(Self::Damaged(problem)),
            Err(Trouble::Failed(error)) => Err(error),
        }
    }

    fn identity(&self) -> Result<Option<Identity>, StoreError> {
        let Self::Whole(db) = self else { return Ok(None) };
        match index::identity(db) {
            Ok(Some(text)) => Identity::decode(&text),
            _ => Ok(None),
        }
    }

    /// Holds the index against the files; builds it anew when it is missing, damaged, or says something else.
    fn settle(self, path: &Path, root: &Path, identity: &Identity, now_unix_ms: u64) -> Result<Settled, StoreError> {
        let problem = match self {
            Self::Whole(db) => match repair::sweep(&db, path, root)? {
                Verdict::Swept { swept, total, last_serial } => {
                    return Ok(Settled { db, swept, total, last_serial, repaired: None });
                }
                Verdict::Contradiction(problem) => Some(problem),
            },
            Self::Missing if repair::any(root)? => Some("it is missing".to_owned()),
            Self::Missing => None,
            Self::Damaged(problem) => Some(problem),
        };
        let aside = if path.exists() { Some(repair::set_aside(path, now_unix_ms)?) } else { None };
        let db = index::create(path, identity)?;
        let (memories, records) = repair::rebuild(&db, path, root)?;
        let repaired = problem.map(|problem| {
            let kept = aside.map_or_else(String::new, |p| format!("; the old one is kept as {}", p.display()));
            format!("the archive's index could not be used ({problem}): built anew from the files, with {records} records of {memories} memories{kept}")
        });
        match repair::sweep(&db, path, root)? {
            Verdict::Swept { swept, total, last_serial } => Ok(Settled { db, swept, total, last_serial, repaired }),
            Verdict::Contradiction(problem) => Err(StoreError::Corrupt { problem }),
        }
    }
}
