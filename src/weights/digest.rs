//! Size and SHA-256 of a file: its identity, whatever source it came from.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Progress;

const BLOCK: usize = 256 * 1024;

/// What bytes must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    /// Length in bytes.
    pub size: u64,
    /// SHA-256, 64 lower-case hexadecimal digits.
    pub sha256: String,
}

impl Digest {
    /// Whether the hash is written as it must be.
    #[must_use]
    pub fn is_well_formed(&self) -> bool {
        self.sha256.len() == 64 && self.sha256.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    }

    /// Reads a file and computes its identity.
    ///
    /// # Errors
    /// What reading said.
    pub fn of_file(path: &Path, progress: &dyn Progress) -> io::Result<Self> {
        let mut intake = Intake::new(io::sink(), u64::MAX);
        intake.take(&mut File::open(path)?, progress)?;
        intake.finish()
    }
}

/// Writes what it is given and hashes it on the way; several parts may follow one another.
pub(super) struct Intake<W> {
    to: W,
    hash: Sha256,
    size: u64,
    limit: u64,
}

impl<W: Write> Intake<W> {
    /// Nothing taken yet; at most `limit` bytes will be.
    pub(super) fn new(to: W, limit: u64) -> Self {
        Self { to, hash: Sha256::new(), size: 0, limit }
    }

    /// Takes everything that `from` has. More than the limit is `InvalidData`: a wrong file is given up early.
    pub(super) fn take(&mut self, from: &mut dyn Read, progress: &dyn Progress) -> io::Result<()> {
        let mut block = vec![0_u8; BLOCK];
        loop {
            let n = match from.read(&mut block) {
                Ok(0) => return Ok(()),
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(e),
            };
            self.size += n as u64;
            if self.size > self.limit {
                let text = format!("has more than the {} bytes expected", self.limit);
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
            }
            self.hash.update(&block[..n]);
            self.to.write_all(&block[..n])?;
            progress.advance(n as u64);
        }
    }

    /// The identity of everything taken.
    pub(super) fn finish(mut self) -> io::Result<Digest> {
        self.to.flush()?;
        let sha256 = self.hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
        Ok(Digest { size: self.size, sha256 })
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::Intake;
    use crate::weights::Silent;

    #[test]
    fn the_hash_of_parts_is_the_published_hash_of_the_whole() {
        let mut intake = Intake::new(Vec::new(), 3);
        intake.take(&mut &b"a"[..], &Silent).unwrap();
        intake.take(&mut &b"bc"[..], &Silent).unwrap();
        let d = intake.finish().unwrap();
        assert_eq!(d.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(d.size, 3);
    }

    #[test]
    fn a_source_that_sends_too_much_is_stopped() {
        let e = Intake::new(io::sink(), 1_000_000).take(&mut io::repeat(7), &Silent).unwrap_err();
        assert_eq!(e.kind(), io::ErrorKind::InvalidData);
    }
}
