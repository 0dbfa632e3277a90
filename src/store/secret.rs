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

    /// Another secret for the same memory, from random bytes that the caller draws.
    #[must_use]
    pub fn beside(name: MemoryName, random: [u8; SECRET_BYTES]) -> Self {
        Self { name, secret: Zeroizing::new(random.to_vec()) }
    }

    /// Whether it is the one that was kept as this hash. Takes as long whatever is right in it.
    #[must_use]
    pub fn opens(&self, hash: &[u8; 32]) -> bool {
        self.hash().iter().zip(hash).fold(0_u8, |acc, (a, b)| acc | (a ^ b)) == 0
    }

    /// Its secret part, readable only with `key`: a one-time pad of SHA-256 over `key`, which must have been drawn for this alone.
    #[must_use]
    pub fn under(&self, key: &Self) -> [u8; 32] {
        let mut hidden = key.pad();
        hidden.iter_mut().zip(self.secret.iter()).for_each(|(h, s)| *h ^= s);
        hidden
    }

    /// What [`Self::under`] hid, with the same key.
    #[must_use]
    pub fn from_under(hidden: [u8; 32], key: &Self) -> Self {
        let mut secret = hidden;
        secret.iter_mut().zip(key.pad()).for_each(|(h, p)| *h ^= p);
        Self::beside(key.name.clone(), secret)
    }

    fn pad(&self) -> [u8; 32] {
        // Another domain than `hash`, which is kept where what is hidden is kept.
        let digest = Sha256::new().chain_update(b"sightline: hidden under\0").chain_update(&*self.secret);
        digest.finalize().into()
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
    fn a_secret_under_another_is_read_with_that_one_only() {
        let (inner, key) =
            (Secret::new([7; TOKEN_ENTROPY]), Secret::beside(Secret::new([7; TOKEN_ENTROPY]).name, [3; 32]));
        let hidden = inner.under(&key);
        assert!(Secret::from_under(hidden, &key).opens(&inner.hash()));
        assert!(!Secret::from_under(hidden, &inner).opens(&inner.hash()));
        assert!(!key.opens(&inner.hash()) && inner.opens(&inner.hash()));
        assert_ne!(key.pad(), key.hash(), "what is kept of the key does not open what is under it");
    }

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
