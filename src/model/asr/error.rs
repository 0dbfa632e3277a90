//! What can be wrong with a recogniser's files.

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::base::ErrorClass;
use crate::model::file::{self, Unread};

/// Why a recogniser could not be loaded or its weights not be converted. Every variant names the file.
#[derive(Debug, Error)]
pub enum AsrError {
    /// The file is not there or may not be read.
    #[error("cannot read {}: {why}; get it with `sightline models pull`", file.display())]
    Unreadable {
        /// Which file.
        file: PathBuf,
        /// What the operating system said.
        why: String,
    },
    /// The file is larger than such a file can be.
    #[error("{} has {bytes} bytes, more than the {limit} such a file may have", file.display())]
    TooLarge {
        /// Which file.
        file: PathBuf,
        /// How large it is.
        bytes: u64,
        /// How large it may be.
        limit: u64,
    },
    /// The file is cut short, or is something else.
    #[error("{} is not a valid {what}: {why}; check it with `sightline models verify`", file.display())]
    Corrupt {
        /// Which file.
        file: PathBuf,
        /// What it should be.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// A tensor that the model needs is not in the file.
    #[error("{} holds no tensor `{tensor}`; it belongs to another model", file.display())]
    MissingTensor {
        /// Which file.
        file: PathBuf,
        /// Which tensor.
        tensor: String,
    },
    /// A tensor has the wrong shape.
    #[error("{}: tensor `{tensor}` has shape {got:?}, expected {expected:?}", file.display())]
    Shape {
        /// Which file.
        file: PathBuf,
        /// Which tensor.
        tensor: String,
        /// What the configuration asks for.
        expected: Vec<usize>,
        /// What the file has.
        got: Vec<usize>,
    },
    /// The system gave no thread to compute with.
    #[error("no thread to recognise speech with: {0}; raise the limit on processes, or set RAYON_NUM_THREADS=1")]
    Threads(String),
    /// A converted file could not be written.
    #[error("cannot write {}: {why}", file.display())]
    Unwritable {
        /// Which file.
        file: PathBuf,
        /// What the operating system said.
        why: String,
    },
}

impl AsrError {
    /// A missing or broken model is something the server lacks, not something the caller did.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        ErrorClass::Unavailable
    }

    pub(super) fn corrupt(file: &Path, what: &'static str, why: impl ToString) -> Self {
        Self::Corrupt { file: file.to_owned(), what, why: why.to_string() }
    }

    pub(super) fn unwritable(file: &Path, why: impl ToString) -> Self {
        Self::Unwritable { file: file.to_owned(), why: why.to_string() }
    }
}

/// Reads a whole file whose size was looked at first.
pub(super) fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>, AsrError> {
    file::read_bounded(path, limit).map_err(|e| match e {
        Unread::Io(e) => AsrError::Unreadable { file: path.to_owned(), why: e.to_string() },
        Unread::TooLarge(bytes) => AsrError::TooLarge { file: path.to_owned(), bytes, limit },
    })
}
