//! TLS: certificate files, or a certificate of our own for development. Browsers give camera and microphone only to secure pages, and JavaScript
//! clients insist on `wss:`.
//!
//! rustls with ring, TLS 1.2 and 1.3, HTTP/1.1 (WebSockets need it). Certificate files are read again when they change, so that renewing a
//! certificate takes no restart.

mod listener;
mod own;
mod resolver;

use std::path::PathBuf;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use thiserror::Error;
use tokio_rustls::rustls;

pub use listener::TlsListener;
pub use own::own_certificate;

use crate::base::ErrorClass;

/// Where a certificate and its key lie, as PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, its issuers after it.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Why there is no TLS.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}: {error}; check `server.tls_cert_file` and `server.tls_key_file`", .path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// A file holds something else.
    #[error("{} holds no {what} in PEM form", .path.display())]
    NotThere {
        /// Which.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
    },
    /// The two do not fit, or the key is of a kind that is not supported.
    #[error("the certificate {} and its key {} cannot be used: {reason}", .files.cert.display(), .files.key.display())]
    Unusable {
        /// Both.
        files: TlsFiles,
        /// Why.
        reason: String,
    },
    /// Our own certificate cannot be made or kept.
    #[error("cannot make a certificate in {}: {reason}", .dir.display())]
    Own {
        /// Where it was to be kept.
        dir: PathBuf,
        /// Why.
        reason: String,
    },
}

impl TlsError {
    /// How an edge should treat it.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::Own { .. } => ErrorClass::Unavailable,
            Self::Read { .. } | Self::NotThere { .. } | Self::Unusable { .. } => ErrorClass::Invalid,
        }
    }
}

/// The server's side of TLS, with a certificate that can be used.
#[derive(Clone)]
pub struct Tls(Arc<ServerConfig>);

impl Tls {
    /// Reads the certificate and its key.
    ///
    /// # Errors
    /// [`TlsError`] naming the file that is missing or wrong.
    pub fn open(files: TlsFiles) -> Result<Self, TlsError> {
        let resolver = resolver::Files::open(files)?;
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        // ring's provider has the suites of both versions, so this cannot fail.
        let builder = builder.with_safe_default_protocol_versions().map_err(|e| resolver.unusable(&e.to_string()))?;
        let mut config = builder.with_no_client_auth().with_cert_resolver(Arc::new(resolver));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(Arc::new(config)))
    }
}

#[cfg(test)]
mod tests;
