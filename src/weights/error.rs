//! Why there are no weights.

use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

use crate::base::ErrorClass;

/// One source that was tried, and why it did not serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The source, as a person would name it.
    pub source: String,
    /// Why not.
    pub reason: String,
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.source, self.reason)
    }
}

/// What can go wrong with weights. Every message says what to do.
#[derive(Debug, Error)]
pub enum WeightsError {
    /// No model of this name in the manifest.
    #[error("no model is called `{name}`{}; `sightline models list` shows them all", hint(.nearest.as_deref()))]
    UnknownModel {
        /// What was asked for.
        name: String,
        /// The nearest name there is.
        nearest: Option<String>,
    },
    /// The manifest itself is wrong: a defect of ours, unless somebody edited it.
    #[error("the model manifest is wrong: {0}")]
    Manifest(String),
    /// The entry of a model that was made here is wrong.
    #[error("{} is wrong: {reason}; mend it, or delete its folder and make the model again", .path.display())]
    Entry {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Files are not there.
    #[error("weights of `{model}` are missing ({file}): run `sightline models pull {model}`")]
    Missing {
        /// The model.
        model: String,
        /// The first file that is missing.
        file: String,
    },
    /// A file is there but is not what it should be.
    #[error(
        "weights of `{model}` are damaged: {file} {problem}; run `sightline models pull {model}` to fetch it again"
    )]
    Damaged {
        /// The model.
        model: String,
        /// The file.
        file: String,
        /// What is wrong with it.
        problem: String,
    },
    /// No source served a file.
    #[error("no source has {model}/{file}:{}\n  to go on: check the network, or copy the file to a folder and pass it with --mirror DIR (or SIGHTLINE_MODEL_MIRROR)", lines(.attempts))]
    NoSource {
        /// The model.
        model: String,
        /// The file.
        file: String,
        /// What was tried, in order.
        attempts: Vec<Attempt>,
    },
    /// Not enough room.
    #[error("pulling `{model}` needs {} MB of free disk under {}, and there are {} MB: free some, or choose another folder with --models-dir", mb(*.needed), .dir.display(), mb(*.free))]
    DiskFull {
        /// The model.
        model: String,
        /// The models folder.
        dir: PathBuf,
        /// Bytes needed.
        needed: u64,
        /// Bytes there are.
        free: u64,
    },
    /// The conversion step failed.
    #[error("converting `{model}` failed: {reason}")]
    Convert {
        /// The model.
        model: String,
        /// Why.
        reason: String,
    },
    /// The file system refused.
    #[error("cannot {what} {}: {error}", .path.display())]
    Io {
        /// What we were doing.
        what: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
}

impl WeightsError {
    /// What sort of failure this is.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::UnknownModel { .. } => ErrorClass::NotFound,
            Self::Entry { .. } => ErrorClass::Invalid,
            Self::Manifest(_) | Self::Convert { .. } => ErrorClass::Internal,
            Self::Missing { .. }
            | Self::Damaged { .. }
            | Self::NoSource { .. }
            | Self::DiskFull { .. }
            | Self::Io { .. } => ErrorClass::Unavailable,
        }
    }

    /// Adds what was being done to which path to an error of the file system.
    pub(crate) fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |error| Self::Io { what, path, error }
    }
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |n| format!(" (did you mean `{n}`?)"))
}

fn lines(attempts: &[Attempt]) -> String {
    attempts.iter().map(|a| format!("\n  - {a}")).collect()
}

const fn mb(bytes: u64) -> u64 {
    bytes.div_ceil(1_000_000)
}
