//! `sightline memory …`: the archive of memories.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;

use super::Failure;
use super::args::Memory;
use super::progress::human;
use crate::app;
use crate::base::ErrorClass;
use crate::config::Config;
use crate::store::{MemoryInfo, MemoryName, StoreError};
use crate::wire::{ForgetRequest, TimelineView};

impl From<StoreError> for Failure {
    fn from(e: StoreError) -> Self {
        Self { class: e.class(), message: e.to_string() }
    }
}

pub(super) fn run(config: &Config, command: Memory) -> Result<ExitCode, Failure> {
    let shelf = app::open_archive(config)?.ok_or_else(|| Failure {
        class: ErrorClass::Invalid,
        message: "there is no archive: set `archive.dir` (--set archive.dir=DIR)".to_owned(),
    })?;
    let text = match command {
        Memory::Inspect { name: None, json } => list(&shelf.list()?, json),
        Memory::Inspect { name: Some(name), json } => {
            let timeline = shelf.timeline(&MemoryName::parse(&name)?, app::memory_sizes(config))?;
            if json { format!("{:#}\n", json!(timeline)) } else { events(&timeline) }
        }
        Memory::Export { name, dir } => {
            let (events, pictures) = shelf.export(&MemoryName::parse(&name)?, &dir)?;
            format!("{events} events and {pictures} pictures written to {}\n", dir.display())
        }
        Memory::Forget { name, last, all } => {
            let request = match (last, all) {
                (Some(last), _) => ForgetRequest::Last(u64::try_from(last.as_millis()).unwrap_or(u64::MAX)),
                (None, true) => ForgetRequest::All,
                (None, false) => {
                    let message = "say how much: `--last TIME` or `--all`".to_owned();
                    return Err(Failure { class: ErrorClass::Invalid, message });
                }
            };
            let gone = shelf.forget(&MemoryName::parse(&name)?, request, app::memory_sizes(config))?;
            format!("forgotten: {} events, {} pictures, {}\n", gone.events, gone.keyframes, human(gone.bytes))
        }
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn list(memories: &[MemoryInfo], as_json: bool) -> String {
    if as_json {
        let rows = memories.iter().map(|m| {
            json!({"name": m.name.as_str(), "started_unix_ms": m.started_unix_ms, "length_ms": m.last_ms,
                "events": m.events, "keyframes": m.keyframes, "bytes": m.bytes})
        });
        return format!("{:#}\n", json!(rows.collect::<Vec<_>>()));
    }
    if memories.is_empty() {
        return "the archive is empty\n".to_owned();
    }
    let mut out = format!(
        "{:<30}  {:<16}  {:>8}  {:>6}  {:>8}  {:>8}\n",
        "NAME", "BEGAN (UTC)", "LENGTH", "EVENTS", "PICTURES", "SIZE"
    );
    for m in memories {
        let (began, length) = (date(m.started_unix_ms), stamp(m.last_ms));
        let _ = writeln!(
            out,
            "{:<30}  {began:<16}  {length:>8}  {:>6}  {:>8}  {:>8}",
            m.name,
            m.events,
            m.keyframes,
            human(m.bytes)
        );
    }
    out
}

fn events(timeline: &TimelineView) -> String {
    let mut out = String::new();
    for e in &timeline.events {
        let pictures = e.keyframes.len() + e.children.iter().filter(|c| c.keyframe.is_some()).count();
        let _ = writeln!(
            out,
            "{}  {}–{}  {:>2} pictures  {}",
            e.id,
            stamp(e.start_ms),
            stamp(e.end_ms),
            pictures,
            e.caption
        );
        for child in &e.children {
            let _ = writeln!(out, "    {}–{}  {}", stamp(child.start_ms), stamp(child.end_ms), child.caption);
        }
    }
    if out.is_empty() { "nothing is remembered\n".to_owned() } else { out }
}

/// `hh:mm:ss`.
fn stamp(ms: u64) -> String {
    let s = Duration::from_millis(ms).as_secs();
    format!("{:02}:{:02}:{:02}", s / 3_600, s / 60 % 60, s % 60)
}

/// `2026-11-24 19:17` in UTC, from Unix milliseconds.
/// Source: the days-to-civil algorithm of H. Hinnant, "chrono-compatible low-level date algorithms", for years after 1970.
fn date(unix_ms: u64) -> String {
    let (days, minutes) = (unix_ms / 86_400_000, unix_ms / 60_000 % 1_440);
    let z = days + 719_468;
    let (era, day_of_era) = (z / 146_097, z % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year}-{month:02}-{day:02} {:02}:{:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(0), "1970-01-01 00:00");
        assert_eq!(date(951_782_400_000), "2000-02-29 00:00");
        assert_eq!(date(1_795_548_600_000), "2026-11-24 19:30");
        assert_eq!(stamp(3_723_900), "01:02:03");
    }
}
