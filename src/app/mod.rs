//! Start-up and shutdown; the only folder that reads a clock.

mod ask;
mod build;
mod clock;
mod machine;
mod memory;
mod models;
mod otlp;
mod serve;

use crate::base::ErrorClass;

pub use ask::{AskArgs, ask};
pub use build::{Parts, build};
pub use clock::{ReplayClock, SystemClock};
pub use machine::{memory_left, threads};
pub use serve::serve;

/// The archive of memories, for the command line; `None` when none is configured.
///
/// # Errors
/// [`AppError`] when it cannot be opened: in use by a server, another key, a broken disk.
pub fn open_archive(config: &crate::config::Config) -> Result<Option<crate::session::Shelf>, AppError> {
    memory::shelf(config, &SystemClock::start())
}

/// The models of a configuration, for measurements that drive the engine themselves, and what is missing of them.
///
/// # Errors
/// [`AppError`] when there is no language model.
pub fn engine_parts(config: &crate::config::Config) -> Result<(crate::engine::EngineParts, Vec<String>), AppError> {
    models::load(config).map(|loaded| (loaded.parts, loaded.missing))
}

/// Sizes of the tiers of a memory.
#[must_use]
pub fn memory_sizes(config: &crate::config::Config) -> crate::memory::Config {
    memory::sizes(config)
}

/// Why the program could not do what it was asked to.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct AppError {
    /// What sort of failure this is: `cli` makes the exit code from it.
    pub class: ErrorClass,
    /// What happened and what to do.
    pub message: String,
}

impl AppError {
    /// An error with what to do in its message.
    pub fn new(class: ErrorClass, message: impl Into<String>) -> Self {
        Self { class, message: message.into() }
    }
}
