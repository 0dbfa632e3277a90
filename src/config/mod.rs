//! The configuration: flags over environment over TOML over defaults, checked as a whole before anything starts.
//!
//! Floor 5. In: [`Sources`]. Out: [`Config`], valid by construction: whoever holds one need not check it again.
//! `keys.rs` is the one list of keys; the sample file and the messages are written from it.

mod error;
mod keyfile;
mod keys;
mod known;
mod layers;
mod print;
mod resolve;
mod sections;
mod value;

pub use error::ConfigError;
pub use keyfile::{NamedKey, read_keys};
pub use layers::{Origin, Sources};
pub use resolve::SECRET_PREFIX;
pub use sections::{
    Budget, Config, Decode, Device, Dialogue, Engine, Ice, Ingest, Listen, Models, Server, Telemetry, Tls, Watch,
};

/// A configuration, and where each of its values came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What is in force.
    pub config: Config,
    layered: layers::Layered,
}

impl Loaded {
    /// The effective configuration as TOML, each value with its origin; keys of the API are not shown.
    #[must_use]
    pub fn print(&self) -> String {
        print::effective(&self.layered)
    }
}

/// Reads, merges and checks the configuration.
///
/// # Errors
/// [`ConfigError`] naming every wrong key, where it stands, what it may be, and the nearest known key.
pub fn load(sources: &Sources) -> Result<Loaded, ConfigError> {
    let layered = layers::collect(sources)?;
    let config = resolve::build(&resolve::Reader::new(&layered))?;
    Ok(Loaded { config, layered })
}

/// The text of `config.sample.toml`.
#[must_use]
pub fn sample() -> String {
    print::sample()
}

#[cfg(test)]
mod tests;
