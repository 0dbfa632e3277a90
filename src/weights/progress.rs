//! How a long transfer tells somebody how far it is.

/// Receives progress. The command line draws bars or prints lines; tests and the server stay silent.
pub trait Progress {
    /// A step begins. `bytes` is its size where known.
    fn begin(&self, what: &str, bytes: Option<u64>);
    /// The same of a step that consists of so many smaller ones; [`Self::advance`] then counts those.
    fn begin_steps(&self, what: &str, _steps: u64) {
        self.begin(what, None);
    }
    /// `bytes` more of the current step are done.
    fn advance(&self, bytes: u64);
    /// The current step is over.
    fn end(&self);
    /// Something worth a line: a source that failed, a file that was kept.
    fn note(&self, line: &str);
}

/// Says nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _: &str, _: Option<u64>) {}
    fn advance(&self, _: u64) {}
    fn end(&self) {}
    fn note(&self, _: &str) {}
}
