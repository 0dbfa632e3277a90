//! The prompt as a value: what the engine renders with the model's chat template.

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
