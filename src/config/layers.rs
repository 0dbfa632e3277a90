//! Where values come from: defaults, a TOML file, the environment, flags; the later one wins.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::ConfigError;
use super::keys::{self, KEYS};
use super::known::{self, ENV_ALIASES};
use super::value::Value;

const ENV_PREFIX: &str = "SIGHTLINE__";
/// Read when no other file is named and it is there.
pub(super) const DEFAULT_FILE: &str = "sightline.toml";
/// A configuration is a page or two.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// What the configuration is made from. Nothing else is read, so a test needs no environment.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The file named by the user; it must be there.
    pub file: Option<PathBuf>,
    /// Folder in which `sightline.toml` is looked for when no file is named.
    pub dir: PathBuf,
    /// Environment variables.
    pub env: Vec<(String, String)>,
    /// From the command line: the flag as typed, the key, the value.
    pub flags: Vec<(String, String, String)>,
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody said anything.
    Default,
    /// A file.
    File(PathBuf),
    /// An environment variable.
    Env(String),
    /// A flag.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(p) => write!(f, "{}", p.display()),
            Self::Env(name) => write!(f, "environment variable {name}"),
            Self::Flag(flag) => write!(f, "flag {flag}"),
        }
    }
}

/// Every key with its value and where it came from.
pub(super) type Layered = BTreeMap<&'static str, (Value, Origin)>;

/// Puts the layers over one another.
pub(super) fn collect(sources: &Sources) -> Result<Layered, ConfigError> {
    let mut layered = defaults();
    let mut problems = Vec::new();
    if let Some((path, table)) = read_file(sources)? {
        take_table(&mut layered, &mut problems, &table, "", &Origin::File(path));
    }
    for (name, key) in ENV_ALIASES {
        if let Some((_, text)) = sources.env.iter().find(|(n, _)| n == name).filter(|(_, t)| !t.is_empty()) {
            take_text(&mut layered, &mut problems, key, text, Origin::Env((*name).to_owned()));
        }
    }
    for (name, text) in &sources.env {
        if let Some(rest) = name.strip_prefix(ENV_PREFIX) {
            let path = rest.to_lowercase().replace("__", ".");
            take_text(&mut layered, &mut problems, &path, text, Origin::Env(name.clone()));
        }
    }
    for (flag, path, text) in &sources.flags {
        take_text(&mut layered, &mut problems, path, text, Origin::Flag(flag.clone()));
    }
    if problems.is_empty() { Ok(layered) } else { Err(ConfigError::Invalid(problems)) }
}

pub(super) fn defaults() -> Layered {
    let parse = |k: &keys::Key| {
        let value: Option<toml::Table> = toml::from_str(&format!("v = {}", k.default)).ok();
        let value = value.and_then(|t| t.get("v").and_then(|v| k.kind.from_toml(v).ok()));
        // A test parses every default.
        value.map(|v| (k.path, (v, Origin::Default)))
    };
    KEYS.iter().filter_map(parse).collect()
}

fn read_file(sources: &Sources) -> Result<Option<(PathBuf, toml::Table)>, ConfigError> {
    let path = match &sources.file {
        Some(path) => path.clone(),
        None => {
            let path = sources.dir.join(DEFAULT_FILE);
            if !path.exists() {
                return Ok(None);
            }
            path
        }
    };
    let table = parse_file(&path)?;
    Ok(Some((path, table)))
}

fn parse_file(path: &Path) -> Result<toml::Table, ConfigError> {
    let read = |error| ConfigError::Read { path: path.to_path_buf(), error };
    let size = std::fs::metadata(path).map_err(read)?.len();
    if size > MAX_FILE_BYTES {
        let message = format!("it has {size} bytes, and {MAX_FILE_BYTES} are allowed");
        return Err(ConfigError::Syntax { path: path.to_path_buf(), message });
    }
    let text = std::fs::read_to_string(path).map_err(read)?;
    toml::from_str(&text)
        .map_err(|e| ConfigError::Syntax { path: path.to_path_buf(), message: e.to_string().trim_end().to_owned() })
}

fn take_table(out: &mut Layered, problems: &mut Vec<String>, table: &toml::Table, prefix: &str, origin: &Origin) {
    for (name, value) in table {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match (known::find(&path), value) {
            (Some(key), _) => match key.kind.from_toml(value) {
                Ok(v) => {
                    out.insert(key.path, (v, origin.clone()));
                }
                Err(found) => problems.push(bad_value(key, &found, origin)),
            },
            (None, toml::Value::Table(inner)) if is_section(&path) => take_table(out, problems, inner, &path, origin),
            (None, _) => problems.push(unknown(&path, origin)),
        }
    }
}

fn take_text(out: &mut Layered, problems: &mut Vec<String>, path: &str, text: &str, origin: Origin) {
    let Some(key) = known::find(path) else {
        problems.push(unknown(path, &origin));
        return;
    };
    match key.kind.from_text(text) {
        Ok(v) => {
            out.insert(key.path, (v, origin));
        }
        Err(found) => problems.push(bad_value(key, &found, &origin)),
    }
}

fn is_section(path: &str) -> bool {
    keys::SECTIONS.iter().any(|(s, _)| *s == path)
}

fn bad_value(key: &keys::Key, found: &str, origin: &Origin) -> String {
    let found = if key.is_secret() { "something else" } else { found };
    format!("`{}` in {origin} takes {}, not {found}", key.path, key.kind.allowed())
}

fn unknown(path: &str, origin: &Origin) -> String {
    let section =
        keys::SECTIONS.iter().map(|(s, _)| *s).find(|s| !path.contains('.') && strsim::levenshtein(s, path) <= 2);
    let hint = match (section, known::nearest(path)) {
        (Some(section), _) => format!("; did you mean the section `[{section}]`?"),
        (None, Some(near)) => format!("; did you mean `{near}`?"),
        (None, None) => "; config.sample.toml lists every key".to_owned(),
    };
    format!("unknown key `{path}` in {origin}{hint}")
}
