//! One value of the configuration, and what it may be.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// A value as it stands after parsing.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<String>),
}

impl fmt::Display for Value {
    /// As TOML.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(b) => write!(f, "{b}"),
            Self::Int(n) => write!(f, "{n}"),
            Self::Float(x) => write!(f, "{x:?}"),
            Self::Text(s) => write!(f, "{}", toml::Value::String(s.clone())),
            Self::List(l) => {
                write!(f, "{}", toml::Value::Array(l.iter().cloned().map(toml::Value::String).collect()))
            }
        }
    }
}

/// What a key takes. The words of [`Kind::allowed`] are shown to the user.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Bool,
    /// Whole number within bounds, both included.
    Int(i64, i64),
    /// Number within bounds, both included.
    Float(f64, f64),
    /// Any text of at most so many bytes.
    Text(usize),
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list of texts.
    Texts,
    /// A list of these words.
    Choices(&'static [&'static str]),
    /// `HOST:PORT` with a numeric host.
    Addr,
    /// A list of IP addresses.
    Ips,
    /// A path.
    Path,
    /// `FIRST-LAST`.
    Ports,
}

impl Kind {
    /// What may be written, for messages and for the sample file.
    pub(super) fn allowed(self) -> String {
        match self {
            Self::Bool => "true or false".to_owned(),
            Self::Int(lo, hi) => format!("a whole number from {lo} to {hi}"),
            Self::Float(lo, hi) => format!("a number from {lo} to {hi}"),
            Self::Text(max) => format!("text of at most {max} bytes"),
            Self::Choice(words) => format!("one of {}", quoted(words)),
            Self::Texts => "a list of texts".to_owned(),
            Self::Choices(words) => format!("a list of {}", quoted(words)),
            Self::Addr => "an address and port such as \"127.0.0.1:8080\"".to_owned(),
            Self::Ips => "a list of IP addresses such as [\"192.0.2.7\"]".to_owned(),
            Self::Path => "a path".to_owned(),
            Self::Ports => "a range of ports such as \"50000-50199\", each from 1024 to 65535".to_owned(),
        }
    }

    /// Takes a value out of TOML. `Err` says what was found instead.
    pub(super) fn from_toml(self, value: &toml::Value) -> Result<Value, String> {
        let value = match (self, value) {
            (Self::Bool, toml::Value::Boolean(b)) => Value::Bool(*b),
            (Self::Int(..), toml::Value::Integer(n)) => Value::Int(*n),
            (Self::Float(..), toml::Value::Float(x)) => Value::Float(*x),
            (Self::Float(..), toml::Value::Integer(n)) => Value::Float(int_as_float(*n)),
            (Self::Texts | Self::Choices(_) | Self::Ips, toml::Value::Array(items)) => {
                let texts = items.iter().map(|i| i.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>();
                Value::List(texts.ok_or_else(|| format!("{value}"))?)
            }
            (Self::Text(_) | Self::Choice(_) | Self::Addr | Self::Path | Self::Ports, toml::Value::String(s)) => {
                Value::Text(s.clone())
            }
            _ => return Err(format!("{value}")),
        };
        self.check(&value).then_some(()).ok_or_else(|| value.to_string())?;
        Ok(value)
    }

    /// Takes a value out of plain text: the environment and flags. Lists are separated by commas.
    pub(super) fn from_text(self, text: &str) -> Result<Value, String> {
        let found = || format!("\"{text}\"");
        let value = match self {
            Self::Bool => match text {
                "true" | "1" | "yes" | "on" => Value::Bool(true),
                "false" | "0" | "no" | "off" => Value::Bool(false),
                _ => return Err(found()),
            },
            Self::Int(..) => Value::Int(text.trim().parse().map_err(|_| found())?),
            Self::Float(..) => Value::Float(text.trim().parse().map_err(|_| found())?),
            Self::Texts | Self::Choices(_) | Self::Ips => {
                // As TOML writes a list, too: people copy from the sample.
                let bare = text.trim().trim_start_matches('[').trim_end_matches(']');
                let items = bare.split(',').map(|t| t.trim().trim_matches('"'));
                Value::List(items.filter(|t| !t.is_empty()).map(str::to_owned).collect())
            }
            Self::Text(_) | Self::Choice(_) | Self::Addr | Self::Path | Self::Ports => Value::Text(text.to_owned()),
        };
        if self.check(&value) { Ok(value) } else { Err(found()) }
    }

    /// Whether the value is within bounds.
    fn check(self, value: &Value) -> bool {
        match (self, value) {
            (Self::Bool, Value::Bool(_)) | (Self::Texts, Value::List(_)) => true,
            (Self::Int(lo, hi), Value::Int(n)) => (lo..=hi).contains(n),
            (Self::Float(lo, hi), Value::Float(x)) => (lo..=hi).contains(x),
            (Self::Text(max), Value::Text(s)) => s.len() <= max,
            (Self::Choice(words), Value::Text(s)) => words.contains(&s.as_str()),
            (Self::Choices(words), Value::List(l)) => l.iter().all(|s| words.contains(&s.as_str())),
            (Self::Addr, Value::Text(s)) => s.parse::<SocketAddr>().is_ok(),
            (Self::Ips, Value::List(l)) => l.iter().all(|s| s.parse::<IpAddr>().is_ok()),
            (Self::Path, Value::Text(s)) => !s.contains('\0'),
            (Self::Ports, Value::Text(s)) => ports(s).is_some(),
            _ => false,
        }
    }
}

/// `FIRST-LAST` as numbers.
pub(super) fn ports(text: &str) -> Option<(u16, u16)> {
    let (a, b) = text.split_once('-')?;
    let (first, last) = (a.trim().parse().ok()?, b.trim().parse().ok()?);
    (first >= 1024 && first <= last).then_some((first, last))
}

/// Exact for every number that a person writes into a configuration.
#[expect(clippy::cast_precision_loss, reason = "bounds are checked afterwards and are far below 2^53")]
fn int_as_float(n: i64) -> f64 {
    n as f64
}

fn quoted(words: &[&str]) -> String {
    words.iter().map(|w| format!("\"{w}\"")).collect::<Vec<_>>().join(", ")
}

/// What a value becomes in the resolved configuration. The key's kind was checked before, so nothing here can fail;
/// the fallbacks are never seen (a test reads every key).
impl Value {
    pub(super) fn bool(&self) -> bool {
        matches!(self, Self::Bool(true))
    }

    pub(super) fn int(&self) -> i64 {
        if let Self::Int(n) = self { *n } else { 0 }
    }

    pub(super) fn float(&self) -> f64 {
        if let Self::Float(x) = self { *x } else { 0.0 }
    }

    pub(super) fn text(&self) -> String {
        if let Self::Text(s) = self { s.clone() } else { String::new() }
    }

    pub(super) fn list(&self) -> Vec<String> {
        if let Self::List(l) = self { l.clone() } else { Vec::new() }
    }

    pub(super) fn path(&self) -> PathBuf {
        PathBuf::from(self.text())
    }
}
