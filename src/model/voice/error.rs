//! What can be wrong with a voice.

use std::path::PathBuf;

use thiserror::Error;

use crate::base::ErrorClass;

/// Why a voice could not be loaded or could not speak.
#[derive(Debug, Error)]
pub enum VoiceError {
    /// A file of the voice is missing, damaged or of another model.
    #[error("the voice's file {} cannot be used: {why}; check it with `sightline models verify`", file.display())]
    Files {
        /// Which file.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The model failed on a sentence.
    #[error("the voice failed on a sentence of {letters} letters: {why}")]
    Failed {
        /// How long the sentence was; what it said is nobody's business in a log.
        letters: usize,
        /// What the model said.
        why: String,
    },
}

impl VoiceError {
    /// A missing voice is something the server lacks; a failing one is a fault of ours.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::Files { .. } => ErrorClass::Unavailable,
            Self::Failed { .. } => ErrorClass::Internal,
        }
    }
}
