//! Certificates: made once, kept, renewed without a restart; files that are wrong are named.

use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, SystemTime};

use super::{Tls, TlsError, TlsFiles, own_certificate, resolver};

const HERE: [IpAddr; 1] = [IpAddr::V4(std::net::Ipv4Addr::LOCALHOST)];

#[test]
fn our_own_certificate_is_kept_made_anew_for_other_addresses_and_its_key_is_private() {
    let dir = tempfile::tempdir().unwrap();
    let files = own_certificate(&dir.path().join("tls"), &HERE).unwrap();
    let first = fs::read(&files.cert).unwrap();
    assert_eq!(fs::metadata(&files.key).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(Tls::open(files.clone()).is_ok());
    assert_eq!(own_certificate(&dir.path().join("tls"), &HERE).unwrap(), files);
    assert_eq!(fs::read(&files.cert).unwrap(), first, "a browser that has accepted it sees the same one");
    let more = [HERE[0], "192.0.2.7".parse().unwrap()];
    own_certificate(&dir.path().join("tls"), &more).unwrap();
    assert_ne!(fs::read(&files.cert).unwrap(), first);
    let nowhere = dir.path().join("tls/cert.pem/below");
    assert!(matches!(own_certificate(&nowhere, &HERE), Err(TlsError::Own { .. })));
}

fn refused(files: TlsFiles) -> TlsError {
    Tls::open(files).err().expect("these files cannot be used")
}

#[test]
fn what_is_wrong_with_the_files_is_told_by_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let ours = own_certificate(&dir.path().join("a"), &HERE).unwrap();
    let other = own_certificate(&dir.path().join("b"), &HERE).unwrap();
    let missing = TlsFiles { cert: dir.path().join("none.pem"), ..ours.clone() };
    let why = refused(missing).to_string();
    assert!(why.contains("none.pem") && why.contains("tls_cert_file"), "{why}");
    let swapped = TlsFiles { cert: ours.key.clone(), key: ours.cert.clone() };
    assert!(matches!(refused(swapped), TlsError::NotThere { what: "certificate", .. }));
    let no_key = TlsFiles { key: ours.cert.clone(), ..ours.clone() };
    assert!(matches!(refused(no_key), TlsError::NotThere { what: "private key", .. }));
    let mixed = TlsFiles { key: other.key, ..ours };
    assert!(matches!(refused(mixed), TlsError::Unusable { .. }));
}

#[test]
fn a_renewed_certificate_comes_in_force_and_a_broken_one_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, other) = (dir.path().join("a"), dir.path().join("b"));
    let files = own_certificate(&folder, &HERE).unwrap();
    let held = resolver::Files::open(files.clone()).unwrap();
    let first = held.newest().cert.clone();
    let later = |seconds: u64| {
        let file = fs::File::options().append(true).open(&files.cert).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(2_000_000_000 + seconds)).unwrap();
    };
    let renewed = own_certificate(&other, &HERE).unwrap();
    fs::copy(&renewed.key, &files.key).unwrap();
    fs::copy(&renewed.cert, &files.cert).unwrap();
    later(1);
    let second = held.newest().cert.clone();
    assert_ne!(second, first);
    fs::write(&files.cert, "no certificate").unwrap();
    later(2);
    assert_eq!(held.newest().cert, second, "the one in force stays");
}
