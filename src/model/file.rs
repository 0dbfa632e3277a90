//! Files of weights, read whole.

use std::path::Path;

/// Why a file was not read.
#[derive(Debug)]
pub(super) enum Unread {
    /// The system's words.
    Io(std::io::Error),
    /// It has so many bytes, which is more than allowed.
    TooLarge(u64),
}

/// Reads a whole file whose size was looked at first.
pub(super) fn read_bounded(file: &Path, limit: u64) -> Result<Vec<u8>, Unread> {
    let bytes = std::fs::metadata(file).map_err(Unread::Io)?.len();
    if bytes > limit {
        return Err(Unread::TooLarge(bytes));
    }
    std::fs::read(file).map_err(Unread::Io)
}
