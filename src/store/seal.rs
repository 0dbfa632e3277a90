//! Sealing: what is on disk is what was written, and with a key nobody else can read it.
//!
//! With a key: a random nonce of 24 bytes, then XChaCha20-Poly1305 (RFC 8439 with the extended nonce of
//! draft-irtf-cfrg-xchacha), which binds the label too. Without: the content and 8 bytes of checksum over label and content,
//! against accidents, not against malice.

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use rand::TryRngCore;
use rand::rngs::OsRng;
use zeroize::Zeroizing;

use super::{Key, StoreError};

const NONCE: usize = 24;
const SUM: usize = 8;
pub(super) const SALT: usize = 16;
// Argon2id as OWASP recommends: 19 MiB, 2 passes, 1 lane. Part of the format: other numbers would need another version.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;

/// Seals and opens for one archive.
pub(super) struct Sealer {
    salt: [u8; SALT],
    cipher: Option<XChaCha20Poly1305>,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealer").field("sealed", &self.cipher.is_some()).finish_non_exhaustive()
    }
}

impl Sealer {
    /// A sealer with the archive's salt. Takes some 30 ms when there is a key: that is the price of a passphrase.
    pub(super) fn new(salt: [u8; SALT], key: Option<&Key>) -> Result<Self, StoreError> {
        let Some(key) = key else {
            return Ok(Self { salt, cipher: None });
        };
        let broken = |e: argon2::Error| StoreError::Index(format!("key derivation: {e}"));
        let params = Params::new(MEMORY_KIB, PASSES, 1, Some(32)).map_err(broken)?;
        let mut derived = Zeroizing::new([0_u8; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(key.secret(), &salt, derived.as_mut_slice())
            .map_err(broken)?;
        Ok(Self { salt, cipher: Some(XChaCha20Poly1305::new((&*derived).into())) })
    }

    /// There is a key.
    pub(super) const fn is_sealed(&self) -> bool {
        self.cipher.is_some()
    }

    /// How many bytes sealing adds.
    pub(super) const fn overhead(&self) -> u64 {
        if self.cipher.is_some() { NONCE as u64 + 16 } else { SUM as u64 }
    }

    /// Seals `plain` under `label`.
    pub(super) fn seal(&self, label: &[u8], plain: &[u8]) -> Result<Vec<u8>, StoreError> {
        let label = self.bound(label);
        let Some(cipher) = &self.cipher else {
            let mut out = Vec::with_capacity(plain.len() + SUM);
            out.extend_from_slice(plain);
            out.extend_from_slice(&checksum(&[&label, plain]).to_be_bytes());
            return Ok(out);
        };
        let nonce: [u8; NONCE] = random()?;
        let boxed = cipher
            .encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: &label })
            .map_err(|_| StoreError::Index("sealing failed".to_owned()))?;
        let mut out = Vec::with_capacity(NONCE + boxed.len());
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&boxed);
        Ok(out)
    }

    /// What was sealed; `None` when it was damaged, sealed under another label, or with another key.
    pub(super) fn open(&self, label: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let label = self.bound(label);
        let Some(cipher) = &self.cipher else {
            let (plain, sum) = sealed.split_last_chunk::<SUM>()?;
            return (checksum(&[&label, plain]).to_be_bytes() == *sum).then(|| plain.to_vec());
        };
        let (nonce, boxed) = sealed.split_first_chunk::<NONCE>()?;
        cipher.decrypt(&XNonce::from(*nonce), Payload { msg: boxed, aad: &label }).ok()
    }

    /// The label with the archive's salt: a file of another archive with the same key does not fit either.
    fn bound(&self, label: &[u8]) -> Vec<u8> {
        [self.salt.as_slice(), label].concat()
    }
}

/// Random bytes of the system.
pub(super) fn random<const N: usize>() -> Result<[u8; N], StoreError> {
    let mut bytes = [0_u8; N];
    OsRng.try_fill_bytes(&mut bytes).map_err(|e| StoreError::Entropy(e.to_string()))?;
    Ok(bytes)
}

/// FNV-1a of 64 bits over the parts, each with its length before it: finds accidents.
pub(super) fn checksum(parts: &[&[u8]]) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    parts.iter().fold(OFFSET, |hash, part| {
        let length = (part.len() as u64).to_be_bytes();
        length.iter().chain(part.iter()).fold(hash, |h, b| (h ^ u64::from(*b)).wrapping_mul(PRIME))
    })
}
