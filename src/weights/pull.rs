//! Getting a model: what is missing is fetched or converted; what is there and right is kept.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use super::fetch::{Fetched, Fetcher, Memory};
use super::{Converted, Digest, FileState, Model, Progress, Store, WeightsError};

const SCRATCH_PREFIX: &str = ".pull-";
/// Left free on the disk after a pull.
const HEADROOM_BYTES: u64 = 64 << 20;

/// The work of one conversion.
#[derive(Debug, Clone)]
pub struct Conversion {
    /// Every artefact of the model by its name in the manifest.
    pub inputs: BTreeMap<String, PathBuf>,
    /// An empty folder that takes the results, under their names in the manifest.
    pub out_dir: PathBuf,
}

/// A named conversion. It must be deterministic: the manifest pins the hash of what it makes.
#[derive(Debug, Clone, Copy)]
pub struct Converter {
    /// The name that `convert = "…"` in the manifest refers to.
    pub name: &'static str,
    /// Does it; says in a sentence why not.
    pub run: fn(&Conversion) -> Result<(), String>,
}

/// How to pull.
#[derive(Clone)]
pub struct PullOptions<'a> {
    /// Folders looked into before any network is.
    pub mirrors: Vec<PathBuf>,
    /// The conversions this binary can do.
    pub converters: &'a [Converter],
    /// Who is told how far it is.
    pub progress: &'a dyn Progress,
}

/// What a pull did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pulled {
    /// Everything was there already.
    AlreadyThere,
    /// This many files were fetched or made.
    Files(usize),
}

/// Pulls models one after another; a place that did not answer is not asked again in the same run.
pub struct Puller<'a> {
    store: &'a Store,
    options: PullOptions<'a>,
    memory: Memory,
}

impl<'a> Puller<'a> {
    /// A run of pulls into `store`.
    #[must_use]
    pub fn new(store: &'a Store, options: PullOptions<'a>) -> Self {
        Self { store, options, memory: Memory::default() }
    }

    /// Makes `model` complete: files that are there and right are kept, the others are fetched or made.
    ///
    /// # Errors
    /// [`WeightsError`]; what was there before stays as it was.
    pub fn pull(&mut self, model: &Model) -> Result<Pulled, WeightsError> {
        self.get(model, false)
    }

    /// Makes the converted files of `model` again from their artefacts, whether or not they are there.
    ///
    /// # Errors
    /// [`WeightsError`]; also when the model has no conversion.
    pub fn convert(&mut self, model: &Model) -> Result<Pulled, WeightsError> {
        if model.convert.is_none() {
            let reason = "it has no conversion: its files are used as they come".to_owned();
            return Err(WeightsError::Convert { model: model.name.clone(), reason });
        }
        self.get(model, true)
    }

    fn get(&mut self, model: &Model, convert_again: bool) -> Result<Pulled, WeightsError> {
        let dir = self.store.dir();
        fs::create_dir_all(dir).map_err(WeightsError::io("create", dir))?;
        let _lock = lock(dir, self.options.progress)?;
        sweep(dir);
        let state = self.store.verify_new(model, self.options.progress)?;
        let wanted: Vec<String> = state
            .files
            .iter()
            .filter(|f| f.state != FileState::Ready || convert_again && is_converted(model, &f.name))
            .map(|f| f.name.clone())
            .collect();
        if wanted.is_empty() {
            return Ok(Pulled::AlreadyThere);
        }
        self.check_disk(model, &wanted)?;
        let scratch = tempfile::Builder::new()
            .prefix(SCRATCH_PREFIX)
            .tempdir_in(dir)
            .map_err(WeightsError::io("create a folder in", dir))?;
        let mut fetcher = Fetcher {
            scratch: scratch.path(),
            mirrors: &self.options.mirrors,
            memory: &mut self.memory,
            progress: self.options.progress,
            archives: BTreeMap::new(),
        };
        for artefact in model.artefacts.iter().filter(|a| a.keep && wanted.contains(&a.name)) {
            let Fetched { path, digest } = fetcher.fetch(model, artefact)?;
            self.store.install(model, &artefact.name, &path, digest)?;
        }
        let mut to_make = model.converted.iter().any(|c| wanted.contains(&c.name));
        if to_make && !convert_again {
            let made = |c: &Converted| c.digest.as_ref().and_then(|d| fetcher.mirrored(model, &c.name, d));
            let mirrored: Option<Vec<_>> = model.converted.iter().map(made).collect();
            for (converted, Fetched { path, digest }) in model.converted.iter().zip(mirrored.into_iter().flatten()) {
                self.store.install(model, &converted.name, &path, digest)?;
                to_make = false;
            }
        }
        if to_make {
            let mut inputs = BTreeMap::new();
            for artefact in &model.artefacts {
                let kept = self.store.model_dir(model).join(&artefact.name);
                let path = if artefact.keep { kept } else { fetcher.fetch(model, artefact)?.path };
                inputs.insert(artefact.name.clone(), path);
            }
            self.make(model, inputs, scratch.path())?;
        }
        Ok(Pulled::Files(wanted.len()))
    }

    fn make(&self, model: &Model, inputs: BTreeMap<String, PathBuf>, scratch: &Path) -> Result<(), WeightsError> {
        let fail = |reason: String| WeightsError::Convert { model: model.name.clone(), reason };
        let name = model.convert.as_deref().unwrap_or_default();
        let converter = self
            .options
            .converters
            .iter()
            .find(|c| c.name == name)
            .ok_or_else(|| fail(format!("this build has no conversion called `{name}`")))?;
        let out_dir = scratch.join("converted");
        fs::create_dir(&out_dir).map_err(WeightsError::io("create", &out_dir))?;
        self.options.progress.begin(&format!("converting {}", model.name), None);
        let done = (converter.run)(&Conversion { inputs, out_dir: out_dir.clone() });
        self.options.progress.end();
        done.map_err(fail)?;
        // All results are judged before the first one is installed.
        let mut made = Vec::new();
        for converted in &model.converted {
            made.push((&converted.name, judge(&out_dir, converted).map_err(fail)?));
        }
        for (name, Fetched { path, digest }) in made {
            self.store.install(model, name, &path, digest)?;
        }
        Ok(())
    }

    fn check_disk(&self, model: &Model, wanted: &[String]) -> Result<(), WeightsError> {
        let converting = model.converted.iter().any(|c| wanted.contains(&c.name));
        let fetched: u64 = model
            .artefacts
            .iter()
            .filter(|a| wanted.contains(&a.name) || converting && !a.keep)
            // The file, and beside it for a moment the package it came in.
            .map(|a| a.size * 2)
            .sum();
        let made: u64 = model.converted.iter().filter_map(|c| c.digest.as_ref()).map(|d| d.size).sum();
        let needed = fetched + if converting { made } else { 0 } + HEADROOM_BYTES;
        match free_bytes(self.store.dir()) {
            Some(free) if free < needed => Err(WeightsError::DiskFull {
                model: model.name.clone(),
                dir: self.store.dir().to_path_buf(),
                needed,
                free,
            }),
            _ => Ok(()),
        }
    }
}

fn is_converted(model: &Model, name: &str) -> bool {
    model.converted.iter().any(|c| c.name == name)
}

/// A converted file with its identity, if it is the declared one.
fn judge(out_dir: &Path, converted: &Converted) -> Result<Fetched, String> {
    let path = out_dir.join(&converted.name);
    let digest = Digest::of_file(&path, &super::Silent).map_err(|e| format!("it left no {} ({e})", converted.name))?;
    match &converted.digest {
        Some(declared) if *declared != digest => Err(format!(
            "{} came out with {} bytes and SHA-256 {}, not the declared {} bytes and {}",
            converted.name, digest.size, digest.sha256, declared.size, declared.sha256
        )),
        _ => Ok(Fetched { path, digest }),
    }
}

/// Bytes that this user may still write under `dir`; `None` where the system does not say.
#[must_use]
pub fn free_bytes(dir: &Path) -> Option<u64> {
    // The folder may not exist yet: its nearest ancestor that does is on the same disk.
    let there =
        dir.ancestors().map(|p| if p.as_os_str().is_empty() { Path::new(".") } else { p }).find(|p| p.exists())?;
    let stat = rustix::fs::statvfs(there).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Keeps two pulls from working in one folder; released when the file is dropped, or the process dies.
fn lock(dir: &Path, progress: &dyn Progress) -> Result<File, WeightsError> {
    let path = dir.join(".lock");
    let file = File::create(&path).map_err(WeightsError::io("write", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            progress.note("another sightline is working in this models folder; waiting for it");
            file.lock().map_err(WeightsError::io("lock", &path))?;
            Ok(file)
        }
        Err(TryLockError::Error(e)) => Err(WeightsError::io("lock", &path)(e)),
    }
}

/// Removes what a pull that was killed left behind. The lock is held, so nobody is using it.
fn sweep(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(SCRATCH_PREFIX) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests;
