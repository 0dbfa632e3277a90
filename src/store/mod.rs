//! The archive: memories on disk (tier L4), so that a conversation can go on after a restart.
//!
//! Floor 2. In: records of a memory (events, pictures, small extras), as bytes that the caller made. Out: the same bytes, after
//! checks. Loses: the oldest pictures, then the oldest events, when the quota is reached; what is past its retention; and at most
//! what was written since the last [`Archive::sync`] when the power fails. Each loss is counted in [`Counts`].
//!
//! Layout of the folder:
//!
//! | file | holds |
//! |---|---|
//! | `archive.lock` | the lock that keeps a second process out |
//! | `archive.id` | format, cipher, salt and key check; a copy stands in the index |
//! | `archive.db` | the index (SQLite, write-ahead log): numbers and names only, never a body |
//! | `memories/<name>/` | one file per record, sealed; the file name carries what the index knows |
//!
//! Bodies stand in files, and not in the database, because *forgotten* must mean gone: SQLite's `secure_delete` zeroes what is
//! deleted, yet leaves stale copies behind when rows move between pages. A file that is unlinked leaves nothing in any other
//! file, and needs no compaction. It also makes the index disposable: a damaged one is set aside and built anew from file names.
//! What a file system or SSD keeps in freed blocks is beyond us: set a key, and everything is sealed with XChaCha20-Poly1305.
//! In the clear stay: names of memories, ids, tiers, times, sizes and the keys of extras.
//!
//! A write is: files first, then one transaction of the index, then the old files go. Whatever interrupts it leaves files that
//! no row names (swept at the next opening) or rows whose file is missing (dropped at the next opening, and counted).

mod archive;
mod error;
mod evict;
mod export;
mod files;
mod forget;
mod identity;
mod index;
mod key;
mod name;
mod open;
mod records;
mod repair;
mod seal;
mod secret;
mod types;
mod write;

#[cfg(test)]
mod tests;

pub use archive::Archive;
pub use error::{CONFIG_DIR, CONFIG_KEY, CONFIG_QUOTA, StoreError};
pub use key::Key;
pub use name::MemoryName;
pub use secret::{Secret, TOKEN_ENTROPY};
pub use types::{
    ArchiveConfig, Counts, Evicted, Forget, Forgotten, MAX_BATCH, MAX_BODY_BYTES, MAX_JPEG_BYTES, MAX_META, MemoryInfo,
    Opened, Record, StoredEvent, StoredKeyframe, Swept, Written,
};
