//! What is wrong with the configuration.

use std::path::PathBuf;

use thiserror::Error;

use crate::base::ErrorClass;

/// Why there is no configuration. Always the user's to mend.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {}: {error}", .path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{} is not valid TOML: {message}", .path.display())]
    Syntax {
        /// Which file.
        path: PathBuf,
        /// Where and what.
        message: String,
    },
    /// Keys or values are wrong; all of them are listed.
    #[error("the configuration is wrong:{}", .0.iter().map(|p| format!("\n  - {p}")).collect::<String>())]
    Invalid(Vec<String>),
}

impl ConfigError {
    /// What sort of failure this is.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        ErrorClass::Invalid
    }
}
