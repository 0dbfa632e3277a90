//! The ChatML template, written out as tokens.
//!
//! Source: `tokenizer.chat_template` of Qwen2.5 and SmolLM2: `<|im_start|>role\ncontent<|im_end|>\n` per message, then
//! `<|im_start|>assistant\n`. Differs from it in: no default system message is put in when there is none.

use crate::dialogue::{Prompt, Role};
use crate::model::language::Rendered;

/// The template's fixed parts as tokens.
#[derive(Debug, Default)]
pub(super) struct ChatMarks {
    system: Vec<u32>,
    user: Vec<u32>,
    assistant: Vec<u32>,
    close: Vec<u32>,
}

impl ChatMarks {
    /// `open` and `close` are the control tokens around a message.
    pub(super) fn new(open: u32, close: u32, encode: impl Fn(&str) -> Vec<u32>) -> Self {
        let header = |role: &str| [vec![open], encode(role)].concat();
        Self {
            system: header("system\n"),
            user: header("user\n"),
            assistant: header("assistant\n"),
            close: [vec![close], encode("\n")].concat(),
        }
    }

    pub(super) fn render<T: AsRef<[u32]>>(&self, prompt: &Prompt, encode: impl Fn(&str) -> T) -> Rendered {
        let mut out = Rendered::default();
        for (i, message) in prompt.messages.iter().enumerate() {
            out.tokens.extend_from_slice(match message.role {
                Role::System => &self.system,
                Role::User => &self.user,
                Role::Assistant => &self.assistant,
            });
            out.tokens.extend_from_slice(encode(&message.content).as_ref());
            out.tokens.extend_from_slice(&self.close);
            if i == 0 && message.role == Role::System {
                out.system = out.tokens.len();
            }
        }
        out.messages = out.tokens.len();
        out.tokens.extend_from_slice(&self.assistant);
        if !prompt.answer_prefix.is_empty() {
            out.tokens.extend_from_slice(encode(&prompt.answer_prefix).as_ref());
        }
        out
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::ChatMarks;
    use crate::dialogue::{Message, Prompt, Role};

    /// A token for each.
    pub(in crate::model::llm) fn letters(text: &str) -> Vec<u32> {
        text.chars().map(u32::from).collect()
    }

    #[test]
    fn parts_of_a_rendered_prompt_are_prefixes_of_it() {
        let marks = ChatMarks::new(1, 2, letters);
        let system = Message { role: Role::System, content: "be brief".into() };
        let user = Message { role: Role::User, content: "hi".into() };
        let long = Prompt { messages: vec![system.clone(), user], answer_prefix: "I see".into() };
        let short = Prompt { messages: vec![system], answer_prefix: String::new() };
        let (long, short) = (marks.render(&long, letters), marks.render(&short, letters));
        assert_eq!(long.tokens[..long.system], short.tokens[..short.messages]);
        assert!(long.system < long.messages && long.messages < long.tokens.len());
        assert!(long.tokens.ends_with(&letters("assistant\nI see")));
        assert_eq!(long.tokens.iter().filter(|t| **t == 1).count(), 3);
    }
}
