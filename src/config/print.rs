//! The configuration as text: in force, with the origin of each value; or as a commented sample.

use super::keys::{KEYS, Key, SECTIONS};
use super::layers::{Layered, defaults};
use super::value::Value;

const WIDTH: usize = 118;

/// The effective configuration as TOML; each value with a comment that says where it came from.
pub(super) fn effective(layered: &Layered) -> String {
    let mut out = String::from("# The configuration in force: flags over environment over file over defaults.\n");
    each_section(&mut out, |out, key| {
        if let Some((value, origin)) = layered.get(key.path) {
            let shown = if key.is_secret() { hidden(value) } else { value.to_string() };
            out.push_str(&format!("{} = {shown}  # {origin}\n", name(key)));
        }
    });
    out
}

/// `config.sample.toml`: every key with its default, what it may be and what it is for.
pub(super) fn sample() -> String {
    let mut out = String::from(
        "# Sightline: every key with its default. Copy to sightline.toml and change what you need; delete the rest.\n\
         #\n\
         # A value comes from, strongest first: a flag (--set server.max_sessions=2), the environment\n\
         # (SIGHTLINE__SERVER__MAX_SESSIONS=2), this file (--config FILE, else ./sightline.toml), the default.\n\
         # `sightline --print-config` shows what is in force and why; `--check-config` only checks.\n\
         # Written from src/config/keys.rs: a test keeps the two equal.\n",
    );
    let layered = defaults();
    each_section(&mut out, |out, key| {
        out.push('\n');
        for line in wrap(&format!("{} Takes {}.", key.about, key.kind.allowed())) {
            out.push_str(&format!("# {line}\n"));
        }
        if let Some((value, _)) = layered.get(key.path) {
            out.push_str(&format!("{} = {value}\n", name(key)));
        }
    });
    out
}

fn each_section(out: &mut String, mut write: impl FnMut(&mut String, &Key)) {
    for (section, about) in SECTIONS {
        out.push_str(&format!("\n# {about}\n[{section}]\n"));
        for key in KEYS.iter().filter(|k| k.path.split('.').next() == Some(section)) {
            write(out, key);
        }
    }
}

fn name(key: &Key) -> &str {
    key.path.split_once('.').map_or(key.path, |(_, n)| n)
}

/// Secrets are counted, not shown.
fn hidden(value: &Value) -> String {
    match value {
        Value::List(all) => format!("[{}]", vec!["\"***\""; all.len()].join(", ")),
        Value::Text(none) if none.is_empty() => value.to_string(),
        _ => "\"***\"".to_owned(),
    }
}

fn wrap(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().map_or(0, |l| l.len());
        if line > 0 && line + 1 + word.len() > WIDTH {
            lines.push(word.to_owned());
        } else if let Some(last) = lines.last_mut() {
            if !last.is_empty() {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    lines
}
