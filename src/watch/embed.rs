//! The one trait behind which a text encoder stands: what memory finds things again by, next to times and words.

use thiserror::Error;

use crate::base::ErrorClass;

/// Why there is no vector.
#[derive(Debug, Error)]
pub enum EmbedTextError {
    /// Empty, or only spaces and control characters. Its vector would mean nothing and still be near to something.
    #[error("the text to embed has no words: leave it without a vector")]
    NoWords,
    /// The model failed.
    #[error("the text encoder failed: {0}")]
    Model(String),
}

impl EmbedTextError {
    /// How an edge should treat it.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::NoWords => ErrorClass::Invalid,
            Self::Model(_) => ErrorClass::Internal,
        }
    }
}

/// Turns a sentence into a vector: sentences that mean nearly the same have vectors that point nearly the same way. It runs on the engine's
/// thread, one call per scheduler step, so a call should stay under 50 ms on two cores.
pub trait EmbedText: Send {
    /// The model's name, for logs. Vectors of different models cannot be compared.
    fn name(&self) -> &str;

    /// Length of the vectors.
    fn dim(&self) -> usize;

    /// The vector of `text`: [`EmbedText::dim`] finite numbers of length 1 (L2). What goes beyond the model's window is not seen.
    ///
    /// # Errors
    /// [`EmbedTextError`] when there are no words or the model fails.
    fn embed(&mut self, text: &str) -> Result<Vec<f32>, EmbedTextError>;
}
