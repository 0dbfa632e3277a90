//! The models folder: what is there, and whether it is what it should be.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use super::{Digest, Model, Progress, WeightsError};

const STAMP: &str = "verified.json";

/// What is known of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileState {
    /// Hashed once, unchanged since.
    Ready,
    /// There, of the right size, but never hashed or touched since.
    Unverified,
    /// Not there.
    Missing,
    /// There, but not what it should be.
    Damaged(String),
}

/// One file of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileReport {
    /// Its name.
    pub name: String,
    /// Bytes on disk; 0 when missing.
    pub bytes: u64,
    /// What is known.
    pub state: FileState,
}

/// One model in the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelState {
    /// Every file the model should have.
    pub files: Vec<FileReport>,
}

impl ModelState {
    /// Every file was hashed and is unchanged.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.files.iter().all(|f| f.state == FileState::Ready)
    }

    /// The word for the whole model: the worst word of its files.
    #[must_use]
    pub fn word(&self) -> &'static str {
        let any = |wanted: fn(&FileState) -> bool| self.files.iter().any(|f| wanted(&f.state));
        if any(|s| matches!(s, FileState::Damaged(_))) {
            "damaged"
        } else if self.files.iter().all(|f| f.state == FileState::Missing) {
            "missing"
        } else if any(|s| *s == FileState::Missing) {
            "incomplete"
        } else if any(|s| *s == FileState::Unverified) {
            "unverified"
        } else {
            "ready"
        }
    }

    /// Bytes on disk.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|f| f.bytes).sum()
    }
}

/// What `verified.json` remembers of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Seal {
    #[serde(flatten)]
    digest: Digest,
    modified_ns: u64,
}

/// A models folder.
#[derive(Debug, Clone)]
pub struct Store {
    dir: PathBuf,
}

impl Store {
    /// A store in `dir`; nothing is touched yet.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// The models folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The folder of a model.
    #[must_use]
    pub fn model_dir(&self, model: &Model) -> PathBuf {
        self.dir.join(&model.name)
    }

    /// Looks at sizes and at the memory of earlier hashing; reads no weights.
    #[must_use]
    pub fn inspect(&self, model: &Model) -> ModelState {
        let dir = self.model_dir(model);
        let seals = read_seals(&dir);
        let files = model
            .files()
            .into_iter()
            .map(|(name, accepted)| {
                let (bytes, state) = quick_state(&dir.join(name), &accepted, seals.get(name));
                FileReport { name: name.to_owned(), bytes, state }
            })
            .collect();
        ModelState { files }
    }

    /// Hashes every file, remembers the good ones, and reports.
    ///
    /// # Errors
    /// [`WeightsError::Io`] when a file cannot be read.
    pub fn verify(&self, model: &Model, progress: &dyn Progress) -> Result<ModelState, WeightsError> {
        self.check(model, progress, true)
    }

    /// Like [`Store::verify`], but files that were hashed before and are unchanged are not read again.
    ///
    /// # Errors
    /// [`WeightsError::Io`] when a file cannot be read.
    pub fn verify_new(&self, model: &Model, progress: &dyn Progress) -> Result<ModelState, WeightsError> {
        self.check(model, progress, false)
    }

    /// The folder of a model whose files are all there and are what they should be. Files never hashed before are hashed now.
    ///
    /// # Errors
    /// [`WeightsError::Missing`] or [`WeightsError::Damaged`], saying what to do.
    pub fn require(&self, model: &Model, progress: &dyn Progress) -> Result<PathBuf, WeightsError> {
        let state = self.verify_new(model, progress)?;
        for file in state.files {
            let path = self.model_dir(model).join(&file.name).display().to_string();
            match file.state {
                FileState::Ready | FileState::Unverified => {}
                FileState::Missing => return Err(WeightsError::Missing { model: model.name.clone(), file: path }),
                FileState::Damaged(problem) => {
                    return Err(WeightsError::Damaged { model: model.name.clone(), file: path, problem });
                }
            }
        }
        Ok(self.model_dir(model))
    }

    fn check(&self, model: &Model, progress: &dyn Progress, all: bool) -> Result<ModelState, WeightsError> {
        let dir = self.model_dir(model);
        let mut seals = read_seals(&dir);
        let before = seals.clone();
        let mut state = self.inspect(model);
        for (report, (name, accepted)) in state.files.iter_mut().zip(model.files()) {
            let hash_it = report.state == FileState::Unverified || (all && report.state == FileState::Ready);
            if !hash_it {
                continue;
            }
            let path = dir.join(name);
            progress.begin(&format!("verifying {}/{name}", model.name), Some(report.bytes));
            let seen = Digest::of_file(&path, progress);
            progress.end();
            let seen = seen.map_err(WeightsError::io("read", &path))?;
            // A result that is not pinned must at least be what the conversion made.
            let good = if accepted.is_empty() {
                seals.get(name).is_none_or(|s| s.digest == seen)
            } else {
                accepted.contains(&seen)
            };
            report.state = if good {
                seals.insert(name.to_owned(), Seal { modified_ns: modified_ns(&path), digest: seen });
                FileState::Ready
            } else {
                FileState::Damaged(format!("has SHA-256 {}…, not the declared one", &seen.sha256[..12]))
            };
        }
        seals.retain(|name, _| state.files.iter().any(|f| f.name == *name && f.state != FileState::Missing));
        if seals != before {
            // In a folder that is not ours to write, files are hashed again next time: slower, and as safe.
            let _ = write_seals(&dir, &seals);
        }
        Ok(state)
    }

    /// Puts a file that was just hashed in its place, in one step, and remembers it.
    pub(super) fn install(&self, model: &Model, name: &str, from: &Path, digest: Digest) -> Result<(), WeightsError> {
        let dir = self.model_dir(model);
        fs::create_dir_all(&dir).map_err(WeightsError::io("create", &dir))?;
        let to = dir.join(name);
        // Scratch files are private; weights are for every user who may enter the folder.
        fs::set_permissions(from, fs::Permissions::from_mode(0o644)).map_err(WeightsError::io("write", from))?;
        fs::File::open(from).and_then(|f| f.sync_all()).map_err(WeightsError::io("write", from))?;
        fs::rename(from, &to).map_err(WeightsError::io("move a file to", &to))?;
        let mut seals = read_seals(&dir);
        seals.insert(name.to_owned(), Seal { modified_ns: modified_ns(&to), digest });
        write_seals(&dir, &seals)
    }
}

/// What a look at size and time tells.
fn quick_state(path: &Path, accepted: &[Digest], seal: Option<&Seal>) -> (u64, FileState) {
    let Ok(meta) = fs::metadata(path) else {
        return (0, FileState::Missing);
    };
    let bytes = meta.len();
    if !meta.is_file() {
        return (0, FileState::Damaged("is not a file".to_owned()));
    }
    if let Some(expected) = accepted.first()
        && !accepted.iter().any(|d| d.size == bytes)
    {
        return (bytes, FileState::Damaged(format!("has {bytes} bytes, not {}", expected.size)));
    }
    let sealed = seal.is_some_and(|s| {
        let known = accepted.is_empty() || accepted.contains(&s.digest);
        known && s.digest.size == bytes && s.modified_ns == modified_ns(path)
    });
    (bytes, if sealed { FileState::Ready } else { FileState::Unverified })
}

fn modified_ns(path: &Path) -> u64 {
    let since = fs::metadata(path).ok().and_then(|m| m.modified().ok()).and_then(|t| t.duration_since(UNIX_EPOCH).ok());
    since.map_or(0, |d| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX))
}

/// An unreadable memory is no memory: the files are hashed again.
fn read_seals(dir: &Path) -> BTreeMap<String, Seal> {
    fs::read(dir.join(STAMP)).ok().and_then(|b| serde_json::from_slice(&b).ok()).unwrap_or_default()
}

fn write_seals(dir: &Path, seals: &BTreeMap<String, Seal>) -> Result<(), WeightsError> {
    let path = dir.join(STAMP);
    let text = serde_json::to_vec_pretty(seals).map_err(|e| WeightsError::Manifest(e.to_string()))?;
    let temp = dir.join(format!("{STAMP}.new"));
    fs::write(&temp, text).and_then(|()| fs::rename(&temp, &path)).map_err(WeightsError::io("write", path))?;
    Ok(())
}
