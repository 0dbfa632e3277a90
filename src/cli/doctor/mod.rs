//! `sightline doctor`: what is missing on this machine, and what to do about each thing.

mod machine;
mod parts;

use std::io::{self, Write};
use std::process::ExitCode;

use serde_json::json;

use super::Failure;
use crate::config::Config;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// As it should be.
    Good,
    /// It works, but not well or not everywhere.
    Warn,
    /// It does not work.
    Bad,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) verdict: Verdict,
    /// What was found.
    pub(super) found: String,
    /// What to do; empty when there is nothing to do.
    pub(super) fix: String,
}

impl Check {
    pub(super) fn good(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Good, found: found.into(), fix: String::new() }
    }

    pub(super) fn warn(name: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Warn, found: found.into(), fix: fix.into() }
    }

    pub(super) fn bad(name: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Bad, found: found.into(), fix: fix.into() }
    }
}

pub(super) fn run(config: &Config, as_json: bool) -> Result<ExitCode, Failure> {
    let mut checks = machine::checks(config);
    checks.extend(parts::checks(config));
    let bad = checks.iter().filter(|c| c.verdict == Verdict::Bad).count();
    let text = if as_json { as_object(&checks) } else { as_lines(&checks, bad) };
    io::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::from(if bad > 0 { 2 } else { 0 }))
}

fn as_lines(checks: &[Check], bad: usize) -> String {
    let mut out = String::new();
    for c in checks {
        let mark = match c.verdict {
            Verdict::Good => '✓',
            Verdict::Warn => '!',
            Verdict::Bad => '✗',
        };
        out.push_str(&format!("{mark} {:<12} {}\n", c.name, c.found));
        if !c.fix.is_empty() {
            out.push_str(&format!("               → {}\n", c.fix));
        }
    }
    out.push_str(&match bad {
        0 => "\nSightline can run here.\n".to_owned(),
        1 => "\nOne thing keeps Sightline from running here.\n".to_owned(),
        n => format!("\n{n} things keep Sightline from running here.\n"),
    });
    out
}

fn as_object(checks: &[Check]) -> String {
    let word = |v| match v {
        Verdict::Good => "good",
        Verdict::Warn => "warn",
        Verdict::Bad => "bad",
    };
    let list: Vec<_> = checks
        .iter()
        .map(|c| json!({ "name": c.name, "verdict": word(c.verdict), "found": c.found, "fix": c.fix }))
        .collect();
    let able = checks.iter().all(|c| c.verdict != Verdict::Bad);
    format!("{:#}\n", json!({ "able": able, "checks": list }))
}
