//! The certificate in force: read again when its file has changed, kept as it was when the new one is broken.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::rustls;

use super::{TlsError, TlsFiles};

#[derive(Debug)]
pub(super) struct Files {
    files: TlsFiles,
    held: Mutex<Held>,
}

#[derive(Debug)]
struct Held {
    certified: Arc<CertifiedKey>,
    changed: Option<SystemTime>,
}

impl Files {
    pub(super) fn open(files: TlsFiles) -> Result<Self, TlsError> {
        let changed = changed(&files.cert);
        let certified = read(&files)?;
        Ok(Self { files, held: Mutex::new(Held { certified, changed }) })
    }

    pub(super) fn unusable(&self, reason: &str) -> TlsError {
        TlsError::Unusable { files: self.files.clone(), reason: reason.to_owned() }
    }

    /// The certificate. One look at the file's date per connection: a system call, beside the milliseconds of a handshake.
    pub(super) fn newest(&self) -> Arc<CertifiedKey> {
        let changed = changed(&self.files.cert);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if changed.is_some() && changed != held.changed {
            // Asked once per change, whether or not it can be used.
            held.changed = changed;
            match read(&self.files) {
                Ok(certified) => {
                    tracing::info!(file = %self.files.cert.display(), "the certificate was renewed");
                    held.certified = certified;
                }
                Err(e) => tracing::error!(error = %e, "the new certificate cannot be used; the old one stays in force"),
            }
        }
        Arc::clone(&held.certified)
    }
}

impl ResolvesServerCert for Files {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.newest())
    }
}

fn changed(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|m| m.modified()).ok()
}

fn read(files: &TlsFiles) -> Result<Arc<CertifiedKey>, TlsError> {
    let bytes = |path: &Path| fs::read(path).map_err(|error| TlsError::Read { path: path.to_owned(), error });
    let not_there = |path: &Path, what| TlsError::NotThere { path: path.to_owned(), what };
    let pem = bytes(&files.cert)?;
    let chain: Result<Vec<CertificateDer<'static>>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let chain = chain.ok().filter(|c| !c.is_empty()).ok_or_else(|| not_there(&files.cert, "certificate"))?;
    let key = PrivateKeyDer::from_pem_slice(&bytes(&files.key)?).map_err(|_| not_there(&files.key, "private key"))?;
    let unusable = |e: rustls::Error| TlsError::Unusable { files: files.clone(), reason: e.to_string() };
    let certified = CertifiedKey::new(chain, any_supported_type(&key).map_err(unusable)?);
    // What cannot be compared (a kind of key that does not tell its public half) is let through; what differs is not.
    match certified.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => Ok(Arc::new(certified)),
        Err(e) => Err(unusable(e)),
    }
}
