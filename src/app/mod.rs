//! Start-up and shutdown; the only folder that reads a clock.

mod ask;
mod build;
mod clock;
mod models;
mod serve;

use crate::base::ErrorClass;

pub use ask::{AskArgs, ask};
pub use build::{Parts, build};
pub use clock::{ReplayClock, SystemClock};
pub use serve::serve;

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
