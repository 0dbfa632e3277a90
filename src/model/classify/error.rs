//! Weights of the classifier that cannot be used.

use std::path::PathBuf;

use thiserror::Error;

use crate::base::ErrorClass;

/// Why the classifier cannot be loaded.
#[derive(Debug, Error)]
pub enum ClassifyError {
    /// The file is not there or cannot be read.
    #[error("cannot read the weights {path}: {reason}; get them with `sightline models pull`", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// The file is truncated or corrupt.
    #[error("the weights {path} are damaged: {reason}; check them with `sightline models verify`", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A TFLite file of a model that is not a classifier of this kind.
    #[error("the weights {path} are of another model than the classifier needs: {reason}", path = path.display())]
    Other {
        /// The file.
        path: PathBuf,
        /// What it holds.
        reason: String,
    },
}

impl ClassifyError {
    /// How an edge should treat it.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        ErrorClass::Unavailable
    }
}
