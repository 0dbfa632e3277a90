//! The prompt as a value: what the engine renders with the model's chat template.

/// Stands in a message for the model's mark that opens a call of a function: `<tool_call>`, one token where the model has it.
///
/// A character of Unicode's private use, which [`plain`] takes out of all text that is not ours: nobody's words can become the mark.
pub const CALL_OPEN: char = '\u{E000}';
/// Stands for the mark that closes it: `</tool_call>`.
pub const CALL_CLOSE: char = '\u{E001}';

/// Whether a character could be taken for one of the marks above.
pub(crate) const fn is_mark(c: char) -> bool {
    matches!(c, '\u{E000}'..='\u{F8FF}')
}

/// Text without anything that could be taken for a mark.
pub(crate) fn plain(text: &str) -> String {
    text.chars().filter(|c| !is_mark(*c)).collect()
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Instructions.
    System,
    /// The person, and what perception knows.
    User,
    /// Sightline.
    Assistant,
}

/// One message of a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What.
    pub content: String,
}

/// A whole prompt. The engine keeps the KV cache of each session and prefills only what differs from the last prompt,
/// so whoever builds prompts puts what changes seldom first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Prompt {
    /// In order; the engine adds the header of the assistant's turn.
    pub messages: Vec<Message>,
    /// Words the answer must begin with; the model goes on from there. Usually empty. They count as part of the answer.
    pub answer_prefix: String,
}
