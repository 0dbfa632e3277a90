//! Names of memories: safe as a folder's name, impossible to guess.

use std::fmt;

use super::StoreError;

const PREFIX: &str = "mem_";
const DIGITS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
const LENGTH: usize = 26;

/// The name of a memory: `mem_` and 26 of `a-z` and `2-7`, 128 random bits. Can be nothing else, so it may stand in a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MemoryName(String);

impl MemoryName {
    /// A name from 16 random bytes, which the caller draws.
    #[must_use]
    pub fn from_random(bytes: [u8; 16]) -> Self {
        let mut bits = u128::from_be_bytes(bytes);
        let mut digits = [0_u8; LENGTH];
        for digit in digits.iter_mut().rev() {
            *digit = DIGITS[(bits & 31) as usize];
            bits >>= 5;
        }
        Self(digits.iter().fold(String::from(PREFIX), |mut text, d| {
            text.push(char::from(*d));
            text
        }))
    }

    /// A name as somebody sent it.
    ///
    /// # Errors
    /// [`StoreError::BadName`] when it is anything but `mem_` and 26 of `a-z` and `2-7`.
    pub fn parse(text: &str) -> Result<Self, StoreError> {
        let digits = text.strip_prefix(PREFIX).ok_or(StoreError::BadName)?;
        if digits.len() != LENGTH || !digits.bytes().all(|b| DIGITS.contains(&b)) {
            return Err(StoreError::BadName);
        }
        Ok(Self(text.to_owned()))
    }

    /// The name as it stands in addresses.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MemoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
