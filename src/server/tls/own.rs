//! A certificate of our own, for development and closed networks: browsers warn of it once, then give the camera.

use std::fs;
use std::io::Write;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};

use super::{TlsError, TlsFiles};

/// The certificate in `dir`, made when it is not there or does not name all of `addresses`. It names `localhost` and those addresses, is kept,
/// so that a browser that has accepted it once goes on doing so, and its key can be read by this user only.
///
/// # Errors
/// [`TlsError::Own`].
pub fn own_certificate(dir: &Path, addresses: &[IpAddr]) -> Result<TlsFiles, TlsError> {
    let files = TlsFiles { cert: dir.join("cert.pem"), key: dir.join("key.pem") };
    let named = dir.join("names.txt");
    let mut names: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
    names.sort();
    names.dedup();
    let wanted = names.join("\n");
    let kept = fs::read_to_string(&named).is_ok_and(|n| n == wanted) && files.cert.is_file() && files.key.is_file();
    if !kept {
        let failed = |reason: String| TlsError::Own { dir: dir.to_owned(), reason };
        let (cert, key) = make(addresses).map_err(|e| failed(e.to_string()))?;
        fs::create_dir_all(dir).map_err(|e| failed(e.to_string()))?;
        write_secret(&files.key, &key).map_err(|e| failed(e.to_string()))?;
        fs::write(&files.cert, cert).and_then(|()| fs::write(&named, wanted)).map_err(|e| failed(e.to_string()))?;
        tracing::info!(dir = %dir.display(), "made a certificate of our own");
    }
    Ok(files)
}

fn make(addresses: &[IpAddr]) -> Result<(String, String), rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(vec!["localhost".to_owned()])?;
    params.subject_alt_names.extend(addresses.iter().copied().map(SanType::IpAddress));
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Sightline (made on this machine)");
    let cert = params.self_signed(&key)?;
    Ok((cert.pem(), key.serialize_pem()))
}

fn write_secret(path: &Path, text: &str) -> std::io::Result<()> {
    // A file that is there keeps its rights, so it goes first.
    let _ = fs::remove_file(path);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}
