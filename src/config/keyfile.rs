//! `server.keys_file`: keys with names and with what each may do.

use std::collections::HashSet;
use std::path::Path;

use serde::Deserialize;

use super::ConfigError;
use super::resolve::{LEAST_KEY, SECRET_PREFIX};
use crate::session::Restrictions;

/// Most bytes of the file: thousands of keys.
const MOST_BYTES: u64 = 1 << 20;

/// One key.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedKey {
    /// For messages and for counting; keys of one name share their calls and their number of sessions.
    pub name: String,
    /// The key itself.
    pub key: String,
    /// What it is restricted to.
    #[serde(default)]
    pub allow: Restrictions,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    key: Vec<NamedKey>,
}

/// Reads the file.
///
/// # Errors
/// [`ConfigError`]: it cannot be read, is no such TOML, or a key in it is no good.
pub fn read_keys(path: &Path) -> Result<Vec<NamedKey>, ConfigError> {
    let read = |error| ConfigError::Read { path: path.to_owned(), error };
    if std::fs::metadata(path).map_err(read)?.len() > MOST_BYTES {
        return Err(ConfigError::Invalid(vec![format!("`server.keys_file`: {} is larger than 1 MiB", path.display())]));
    }
    let text = std::fs::read_to_string(path).map_err(read)?;
    // The parser's message shows the line it stopped at, which may hold a key: only its own words are passed on.
    let syntax = |e: toml::de::Error| ConfigError::Syntax { path: path.to_owned(), message: e.message().to_owned() };
    let File { key } = toml::from_str(&text).map_err(syntax)?;
    let problems = problems(&key);
    if problems.is_empty() { Ok(key) } else { Err(ConfigError::Invalid(problems)) }
}

fn problems(keys: &[NamedKey]) -> Vec<String> {
    let mut problems = Vec::new();
    let mut seen = HashSet::new();
    if keys.is_empty() {
        problems.push("`server.keys_file` has no `[[key]]`: nobody could come in".to_owned());
    }
    for (i, NamedKey { name, key, allow }) in keys.iter().enumerate() {
        let which = format!("`server.keys_file`, key {} (`{name}`)", i + 1);
        if name.is_empty() || name.len() > 64 || name.chars().any(char::is_control) {
            problems.push(format!("{which}: `name` must have 1 to 64 bytes and no control characters"));
        }
        if key.len() < LEAST_KEY {
            problems.push(format!(
                "{which}: `key` has fewer than {LEAST_KEY} characters; `openssl rand -hex 24` makes a good one"
            ));
        }
        if key.starts_with(SECRET_PREFIX) {
            problems
                .push(format!("{which}: `key` begins like a client secret (`{SECRET_PREFIX}`); choose another one"));
        }
        if !seen.insert(key) {
            problems.push(format!("{which}: the same key stands here twice"));
        }
        if allow.max_uses.is_some() {
            problems.push(format!(
                "{which}: `max_uses` is for client secrets; a key opens as many sessions as it is asked to"
            ));
        }
        if let Err(why) = allow.check() {
            problems.push(format!("{which}: {why}"));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<NamedKey>, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys.toml");
        std::fs::write(&path, text).unwrap();
        read_keys(&path).map_err(|e| e.to_string())
    }

    #[test]
    fn keys_have_names_and_restrictions() {
        let keys = read(
            "[[key]]\nname = 'kiosk'\nkey = 'sixteen-letters-1'\nallow = { max_sessions = 2, origins = ['https://k.example'] }\n\
             [[key]]\nname = 'robot'\nkey = 'sixteen-letters-2'\n",
        )
        .unwrap();
        assert_eq!(keys[0].allow.max_sessions, Some(2));
        assert_eq!((keys[1].name.as_str(), &keys[1].allow), ("robot", &Restrictions::default()));
    }

    #[test]
    fn what_is_wrong_is_named_and_no_key_is_shown() {
        let key = "[[key]]\nname = 'kiosk'\nkey = 'sixteen-letters-1'\n";
        for (text, word) in [
            (String::new(), "no `[[key]]`"),
            ("[[keys]]".to_owned(), "keys"),
            (format!("{key}{key}"), "twice"),
            (key.replace("sixteen", "six"), "fewer than 16"),
            (key.replace("sixteen", "ek_sixteen"), "ek_"),
            (key.replace("kiosk", ""), "name"),
            (format!("{key}allow = {{ max_session = 2 }}"), "max_session"),
            (format!("{key}allow = {{ max_fps = 99 }}"), "max_fps"),
            (format!("{key}allow = {{ max_uses = 1 }}"), "max_uses"),
            (format!("{key}key = 'again'"), "key"),
            ("[[key]]\nname = 'kiosk'\nkey = 'sixteen-letters-1".to_owned(), "TOML"),
        ] {
            let why = read(&text).map(|_| ()).unwrap_err();
            assert!(why.contains(word), "{text}: {why}");
            assert!(!why.contains("letters"), "{why}");
        }
    }
}
