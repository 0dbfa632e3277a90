//! What can be wrong with a text encoder's files.

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::base::ErrorClass;
use crate::model::DeviceError;
use crate::model::file::{self, Unread};

/// Why the text encoder cannot be loaded. Variants about a file name it.
#[derive(Debug, Error)]
pub enum EmbedError {
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
    /// The device is not there.
    #[error(transparent)]
    Device(#[from] DeviceError),
}

impl EmbedError {
    /// How an edge should treat it.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::Unreadable { .. } | Self::TooLarge { .. } | Self::Corrupt { .. } => ErrorClass::Unavailable,
            Self::Device(e) => e.class(),
        }
    }

    pub(super) fn corrupt(file: &Path, what: &'static str, why: impl Into<String>) -> Self {
        Self::Corrupt { file: file.to_owned(), what, why: why.into() }
    }
}

/// Reads a whole file whose size was looked at first.
pub(super) fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>, EmbedError> {
    file::read_bounded(path, limit).map_err(|e| match e {
        Unread::Io(e) => EmbedError::Unreadable { file: path.to_owned(), why: e.to_string() },
        Unread::TooLarge(bytes) => EmbedError::TooLarge { file: path.to_owned(), bytes, limit },
    })
}
