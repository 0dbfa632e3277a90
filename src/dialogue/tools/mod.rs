//! Function tools: whether a question is for one, the prompt that has it called, the call in what the model writes, its result in the next prompt.

mod call;
mod check;
mod choose;
mod layout;
mod parse;

pub(crate) use call::{Calling, Offer};
pub(crate) use layout::{ToolResult, build, results};

/// Most tokens of an answer that is a call: arguments are longer than sentences.
pub(crate) const CALL_TOKENS: u32 = 256;
/// Tokens that tools may take in a prompt, beside all else.
const TOOLS_TOKENS: usize = 512;
/// Calls in one response.
const MOST_CALLS: usize = 4;
/// Characters of a result that the model is shown.
const RESULT_CHARS: usize = 1_200;

/// What came of a call that the model wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToolOutcome {
    /// It went to the client.
    Called,
    /// It could not be used; the model writes it once more.
    Again,
    /// The second one could not be used either; words went to the client.
    GivenUp,
}

impl ToolOutcome {
    /// For metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Called => "called",
            Self::Again => "again",
            Self::GivenUp => "given_up",
        }
    }
}
