//! Why the archive could not do what was asked.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::base::ErrorClass;

/// The key of the configuration that holds the archive's folder, for messages.
pub const CONFIG_DIR: &str = "archive.dir";
/// The key of the configuration that holds the archive's key, for messages.
pub const CONFIG_KEY: &str = "archive.key_file";
/// The key of the configuration that holds the quota, for messages.
pub const CONFIG_QUOTA: &str = "archive.quota_mb";

/// What can go wrong with the archive. Every message says what to do. The archive stays usable after any of them.
#[derive(Debug, Error)]
pub enum StoreError {
    /// A limit of the configuration makes no sense.
    #[error("the archive cannot be used as configured: {0}")]
    Config(&'static str),
    /// Not the name of a memory.
    #[error("this is not the name of a memory: it has to be `mem_` and 26 of a-z and 2-7")]
    BadName,
    /// Not a key.
    #[error(
        "the archive's key is not usable: {0}; put 64 hex digits or a passphrase into the file named by `{CONFIG_KEY}`"
    )]
    BadKey(&'static str),
    /// Another key than the one the archive was made with.
    #[error(
        "the archive was sealed with another key than the one of `{CONFIG_KEY}`: set the right key, or choose another `{CONFIG_DIR}`"
    )]
    WrongKey,
    /// A sealed archive and no key.
    #[error("the archive is encrypted but no key is configured: set `{CONFIG_KEY}`, or choose another `{CONFIG_DIR}`")]
    KeyMissing,
    /// A key and an archive in the clear.
    #[error(
        "a key is configured but this archive was written without one: remove `{CONFIG_KEY}`, or choose another `{CONFIG_DIR}`"
    )]
    KeyUnexpected,
    /// Another process has it.
    #[error("the archive {} is in use by another process{}: stop it, or choose another `{CONFIG_DIR}`", .dir.display(), holder(*.pid))]
    Locked {
        /// The folder.
        dir: PathBuf,
        /// The process, when it left its number.
        pid: Option<u32>,
    },
    /// Written by a later version.
    #[error(
        "the archive has format {found}, and this version reads {known}: use a newer version, or choose another `{CONFIG_DIR}`"
    )]
    Newer {
        /// Its format.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// No memory of this name.
    #[error("the archive has no such memory: it was forgotten, has expired, or never was")]
    NoSuchMemory,
    /// The name is taken.
    #[error("the archive has a memory of this name already: make another name")]
    MemoryExists,
    /// More than a declared limit allows.
    #[error("{what} has {bytes} bytes, {most} are allowed: send a smaller one")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// How large it is.
        bytes: u64,
        /// How large it may be.
        most: u64,
    },
    /// The records alone are more than the quota.
    #[error("the records need {needed} bytes and the archive's quota is {quota}: raise `{CONFIG_QUOTA}`")]
    OverQuota {
        /// Bytes needed.
        needed: u64,
        /// Bytes there may be.
        quota: u64,
    },
    /// A record that cannot be right.
    #[error("a record cannot be written: {0}")]
    BadRecord(&'static str),
    /// No room left on the disk.
    #[error("cannot {what} {}: the disk is full; free some room, or lower `{CONFIG_QUOTA}`", .path.display())]
    DiskFull {
        /// What we were doing.
        what: &'static str,
        /// To what.
        path: PathBuf,
    },
    /// The disk takes no writes.
    #[error("cannot {what} {}: it is read-only; give this user the right to write, or choose another `{CONFIG_DIR}`", .path.display())]
    ReadOnly {
        /// What we were doing.
        what: &'static str,
        /// To what.
        path: PathBuf,
    },
    /// The file system refused for another reason.
    #[error("cannot {what} {}: {error}; check the disk", .path.display())]
    Io {
        /// What we were doing.
        what: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A record is not what was written.
    #[error("{what} is damaged or was tampered with: nothing can bring it back, forget it")]
    Damaged {
        /// Which kind of record.
        what: &'static str,
    },
    /// The index or the archive's identity is broken.
    #[error("the archive is damaged: {problem}; restart to have the index built anew")]
    Corrupt {
        /// What is wrong.
        problem: String,
    },
    /// The index refused for a reason that is a defect of ours.
    #[error("the archive's index refused: {0}; please report it")]
    Index(String),
    /// An export would overwrite something.
    #[error("{} is there already: name a folder that is not", .path.display())]
    Exists {
        /// The path.
        path: PathBuf,
    },
    /// The system has no randomness.
    #[error("the system gives no random bytes, so nothing can be sealed: {0}")]
    Entropy(String),
}

impl StoreError {
    /// What sort of failure this is.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::Config(_) | Self::BadName | Self::BadKey(_) | Self::BadRecord(_) | Self::MemoryExists => {
                ErrorClass::Invalid
            }
            Self::Exists { .. } => ErrorClass::Invalid,
            Self::NoSuchMemory => ErrorClass::NotFound,
            Self::TooLarge { .. } | Self::OverQuota { .. } => ErrorClass::TooLarge,
            Self::DiskFull { .. } => ErrorClass::Capacity,
            Self::Newer { .. } => ErrorClass::Unsupported,
            Self::Index(_) => ErrorClass::Internal,
            Self::WrongKey
            | Self::KeyMissing
            | Self::KeyUnexpected
            | Self::Locked { .. }
            | Self::ReadOnly { .. }
            | Self::Io { .. }
            | Self::Damaged { .. }
            | Self::Corrupt { .. }
            | Self::Entropy(_) => ErrorClass::Unavailable,
        }
    }

    /// Adds what was being done to which path to an error of the file system.
    pub(super) fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |error| match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Self::DiskFull { what, path }
            }
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => Self::ReadOnly { what, path },
            _ => Self::Io { what, path, error },
        }
    }
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(String::new, |p| format!(" (number {p})"))
}
