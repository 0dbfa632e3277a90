//! What opens a memory: its name and a secret, written as one token.

use std::fmt;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::MemoryName;
use super::key::{hex, unhex};

/// Bytes of the secret part.
const SECRET_BYTES: usize = 32;
/// Bytes that a new token takes: the name's 16, then the secret's.
pub const TOKEN_ENTROPY: usize = 16 + SECRET_BYTES;

/// An access token: `mem_….` and 64 hex digits. Whoever has it owns the memory; the archive keeps only its SHA-256. Never printed.
#[derive(Clone)]
pub struct Secret {
    name: MemoryName,
    secret: Zeroizing<Vec<u8>>,
}

impl Secret {
    /// A new one from random bytes, which the caller draws.
    #[must_use]
    pub fn new(random: [u8; TOKEN_ENTROPY]) -> Self {
        let mut name = [0; 16];
        name.copy_from_slice(&random[..16]);
        Self { name: MemoryName::from_random(name), secret: Zeroizing::new(random[16..].to_vec()) }
    }

    /// A token as somebody sent it; `None` when it cannot be one.
    #[must_use]
    pub fn parse(token: &str) -> Option<Self> {
        let (name, secret) = token.split_once('.')?;
        if secret.len() != SECRET_BYTES * 2 {
            return None;
        }
        Some(Self { name: MemoryName::parse(name).ok()?, secret: Zeroizing::new(unhex(secret)?) })
    }

    /// The memory it opens.
    #[must_use]
    pub const fn name(&self) -> &MemoryName {
        &self.name
    }

    /// The whole token, for its owner.
    #[must_use]
    pub fn token(&self) -> String {
        format!("{}.{}", self.name, hex(&self.secret))
    }

    /// What is kept of it: SHA-256 of the secret part, which has 256 bits of its own and so needs no salt.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(&*self.secret).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({}.…)", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_back_as_it_was_and_nothing_else_is_one() {
        let secret = Secret::new([7; TOKEN_ENTROPY]);
        let again = Secret::parse(&secret.token()).expect("its own token");
        assert_eq!((again.name(), again.hash()), (secret.name(), secret.hash()));
        let token = secret.token();
        for wrong in
            ["", ".", "mem_x.00", &token[..token.len() - 2], &token.replace("mem_", "../_"), &format!("{token}0")]
        {
            assert!(Secret::parse(wrong).is_none(), "{wrong:?}");
        }
        assert!(!format!("{secret:?}").contains("0707"), "a secret is not printed");
    }
}
