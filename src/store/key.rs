//! The key that seals an archive.

use std::fmt;

use zeroize::Zeroizing;

use super::StoreError;

const HEX_DIGITS: usize = 64;
const MIN_PASSPHRASE: usize = 12;
const MAX_PASSPHRASE: usize = 4096;

/// A secret from the configuration: 32 bytes, or a passphrase. Wiped from memory when dropped, never printed.
#[derive(Clone)]
pub struct Key(Zeroizing<Vec<u8>>);

impl Key {
    /// Reads a key: 64 hex digits are 32 bytes; anything else of 12 characters or more is a passphrase. White space around it,
    /// such as the line end of a file, does not count.
    ///
    /// # Errors
    /// [`StoreError::BadKey`] when it is too short to protect anything, or too long to be meant.
    pub fn parse(text: &str) -> Result<Self, StoreError> {
        let text = text.trim();
        if text.len() == HEX_DIGITS
            && let Some(bytes) = unhex(text)
        {
            return Ok(Self(Zeroizing::new(bytes)));
        }
        match text.chars().count() {
            0 => Err(StoreError::BadKey("it is empty")),
            n if n < MIN_PASSPHRASE => Err(StoreError::BadKey("a passphrase needs at least 12 characters")),
            _ if text.len() > MAX_PASSPHRASE => Err(StoreError::BadKey("it has more than 4096 bytes")),
            _ => Ok(Self(Zeroizing::new(text.as_bytes().to_vec()))),
        }
    }

    /// What goes into the key derivation.
    pub(super) fn secret(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// Bytes as lower-case hex digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// The bytes that hex digits stand for; `None` when they are not hex digits, or not whole bytes.
pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> =
        text.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect::<Option<_>>()?;
    digits.len().is_multiple_of(2).then(|| digits.chunks_exact(2).map(|p| p[0] << 4 | p[1]).collect())
}
