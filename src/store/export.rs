//! Writing a memory out for people and other programs.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use serde_json::{Value, json};

use super::files::private_dir;
use super::key::hex;
use super::{Archive, MemoryName, StoreError};

impl Archive {
    /// Writes a memory, opened, into the new folder `dir`: `memory.json` (what it is, and its extras), `events.jsonl` (one event a
    /// line, by time) and `frames/<id>-<ms>.jpg`. Whoever can read the folder can read the memory. Returns how many events and
    /// pictures were written; damaged ones are left out and counted.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when there is something at `dir`; [`StoreError::NoSuchMemory`]; what the disk says.
    pub fn export(&self, name: &MemoryName, dir: &Path) -> Result<(u64, u64), StoreError> {
        let info = self.info(name)?;
        if dir.symlink_metadata().is_ok() {
            return Err(StoreError::Exists { path: dir.to_owned() });
        }
        if let Some(above) = dir.parent().filter(|p| !p.as_os_str().is_empty()) {
            private_dir(above)?;
        }
        let frames = dir.join("frames");
        for folder in [dir, &frames] {
            DirBuilder::new().mode(0o700).create(folder).map_err(StoreError::io("create", folder))?;
        }
        let extras: serde_json::Map<String, Value> =
            self.meta(name)?.into_iter().map(|(key, body)| (key, readable(&body))).collect();
        let about = json!({
            "name": name.as_str(), "started_unix_ms": info.started_unix_ms, "last_ms": info.last_ms, "extras": extras,
        });
        write(&dir.join("memory.json"), format!("{about:#}\n").as_bytes())?;
        let events = self.export_events(name, &dir.join("events.jsonl"))?;
        let mut pictures = 0;
        for k in self.keyframes(name)? {
            let jpeg = match self.keyframe(name, k.id) {
                Ok(Some(jpeg)) => jpeg,
                Ok(None) | Err(StoreError::Damaged { .. }) => continue,
                Err(error) => return Err(error),
            };
            write(&frames.join(format!("{}-{}.jpg", k.id, k.at_ms)), &jpeg)?;
            pictures += 1;
        }
        Ok((events, pictures))
    }

    fn export_events(&self, name: &MemoryName, path: &Path) -> Result<u64, StoreError> {
        let failed = |e| StoreError::io("write", path)(e);
        let mut out = BufWriter::new(private(path)?);
        let events = self.events(name)?;
        for e in &events {
            let line = json!({
                "id": e.id, "start_ms": e.start_ms, "end_ms": e.end_ms, "tier": e.tier, "body": readable(&e.body),
            });
            writeln!(out, "{line}").map_err(failed)?;
        }
        out.flush().map_err(failed)?;
        Ok(events.len() as u64)
    }
}

/// A body as it reads best: as JSON, else as text, else as hex digits.
fn readable(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_| match std::str::from_utf8(body) {
        Ok(text) => Value::from(text),
        Err(_) => json!({ "hex": hex(body) }),
    })
}

fn private(path: &Path) -> Result<fs::File, StoreError> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(StoreError::io("create", path))
}

fn write(path: &Path, content: &[u8]) -> Result<(), StoreError> {
    private(path)?.write_all(content).map_err(StoreError::io("write", path))
}
