//! A configuration becomes what sessions remember with, and the archive.

use std::fs;

use super::AppError;
use super::clock::unix_ms_at_zero;
use crate::base::{Clock, ErrorClass};
use crate::config::Config;
use crate::memory;
use crate::session::{Memories, Shelf};
use crate::store::{Archive, ArchiveConfig, Key, Opened};

/// What all sessions remember with. Opens the archive where one is configured.
///
/// # Errors
/// [`AppError`] naming what is wrong with the archive and what to do.
pub(super) fn memories(config: &Config, clock: &dyn Clock) -> Result<Memories, AppError> {
    let unix_ms_at_zero = unix_ms_at_zero(clock);
    let shelf = if config.memory.enabled { shelf(config, clock)? } else { None };
    Ok(Memories { config: sizes(config), enabled: config.memory.enabled, shelf, unix_ms_at_zero })
}

/// Sizes of the tiers.
pub(super) fn sizes(config: &Config) -> memory::Config {
    let m = &config.memory;
    memory::Config {
        live: m.live_looks,
        working: m.working_s,
        events: m.events,
        roots: m.roots,
        max_event: m.max_event,
        similarity_floor: m.similarity_floor,
        ..memory::Config::default()
    }
    .bounded()
}

/// Opens the archive; `None` when none is configured.
///
/// # Errors
/// [`AppError`].
pub(super) fn shelf(config: &Config, clock: &dyn Clock) -> Result<Option<Shelf>, AppError> {
    let a = &config.archive;
    let Some(dir) = a.dir.clone() else { return Ok(None) };
    let key = a.key_file.as_ref().map(|path| {
        let text = fs::read_to_string(path).map_err(|e| {
            let text = format!("cannot read the key of the archive, `archive.key_file` = {}: {e}", path.display());
            AppError::new(ErrorClass::Invalid, text)
        })?;
        Key::parse(&text).map_err(|e| AppError::new(e.class(), e.to_string()))
    });
    let store = ArchiveConfig {
        dir,
        quota_bytes: a.quota_bytes,
        key: key.transpose()?,
        max_memories: a.max_memories,
        retention: a.retention,
    };
    let now = unix_ms_at_zero(clock).saturating_add(i64::try_from(clock.now().as_millis()).unwrap_or(0));
    let opened = Archive::open(&store, u64::try_from(now).unwrap_or(0));
    let Opened { archive, repaired, swept } = opened.map_err(|e| AppError::new(e.class(), e.to_string()))?;
    if let Some(what) = repaired {
        tracing::warn!(what, "the archive was damaged and has been mended");
    }
    if swept.orphans + swept.missing > 0 {
        tracing::info!(
            orphans = swept.orphans,
            missing = swept.missing,
            "the archive was not closed; leftovers were swept"
        );
    }
    Ok(Some(Shelf::new(archive, a.quota_bytes)))
}
