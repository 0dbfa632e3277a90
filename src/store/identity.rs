//! What an archive is: its format, whether it is sealed, its salt, and a check of the key.

use std::fmt::Write as _;

use super::key::{hex, unhex};
use super::seal::{SALT, Sealer, checksum, random};
use super::{Key, StoreError};

/// The format that this version writes.
pub(super) const FORMAT: i64 = 1;
/// Longest identity, with room to spare.
pub(super) const MAX_IDENTITY: u64 = 1024;

const FIRST: &str = "sightline archive ";
const LABEL: &[u8] = b"key check";
const PLAIN: &[u8] = b"this key opens this archive";

/// The identity of an archive: a few lines of text, kept in `archive.id` and once more in the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    salt: [u8; SALT],
    /// Something known, sealed; empty when the archive is in the clear.
    check: Vec<u8>,
}

impl Identity {
    /// The identity of a new archive, and its sealer.
    pub(super) fn create(key: Option<&Key>) -> Result<(Self, Sealer), StoreError> {
        let salt = random()?;
        let sealer = Sealer::new(salt, key)?;
        let check = if key.is_some() { sealer.seal(LABEL, PLAIN)? } else { Vec::new() };
        Ok((Self { salt, check }, sealer))
    }

    /// The sealer for `key`, when it is the right one.
    pub(super) fn unlock(&self, key: Option<&Key>) -> Result<Sealer, StoreError> {
        match (key, self.check.is_empty()) {
            (None, false) => return Err(StoreError::KeyMissing),
            (Some(_), true) => return Err(StoreError::KeyUnexpected),
            (None, true) => return Sealer::new(self.salt, None),
            (Some(_), false) => {}
        }
        let sealer = Sealer::new(self.salt, key)?;
        match sealer.open(LABEL, &self.check) {
            Some(plain) if plain == PLAIN => Ok(sealer),
            _ => Err(StoreError::WrongKey),
        }
    }

    /// As text.
    pub(super) fn encode(&self) -> String {
        let mut text = format!("{FIRST}{FORMAT}\nsalt {}\ncheck {}\n", hex(&self.salt), hex(&self.check));
        let sum = checksum(&[text.as_bytes()]);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "sum {sum:016x}");
        text
    }

    /// From text; `None` when it is damaged.
    ///
    /// # Errors
    /// [`StoreError::Newer`] when it is whole but of a later format.
    pub(super) fn decode(text: &str) -> Result<Option<Self>, StoreError> {
        let Some((head, sum)) = text.strip_suffix('\n').and_then(|t| t.rsplit_once("sum ")) else {
            return Ok(None);
        };
        if format!("{:016x}", checksum(&[head.as_bytes()])) != sum {
            return Ok(None);
        }
        let found = head.lines().next().and_then(|l| l.strip_prefix(FIRST)).and_then(|v| v.parse::<i64>().ok());
        match found {
            Some(found) if found > FORMAT => Err(StoreError::Newer { found, known: FORMAT }),
            Some(FORMAT) => Ok(Self::fields(head)),
            _ => Ok(None),
        }
    }

    fn fields(head: &str) -> Option<Self> {
        let field = |name: &str| head.lines().find_map(|l| l.strip_prefix(name)).and_then(unhex);
        Some(Self { salt: field("salt ")?.try_into().ok()?, check: field("check ")? })
    }
}
