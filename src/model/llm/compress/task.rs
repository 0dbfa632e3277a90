//! What the model is for here, as questions with one right answer: facts of a scene stand in the prompt, and one of them is asked for.
//!
//! Drawn from a fixed seed, so that two models are asked the same. The answer is begun for the model, and what counts is which of the words that could follow it
//! finds likeliest: every one of them stands in the facts, so the facts have to be read. As in "HellaSwag" (arXiv:1905.07830) and its like, nothing is sampled.

use crate::dialogue::{Message, Prompt, Role};
use crate::model::language::{LanguageModel, ModelError};

use crate::model::llm::Llm;

const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
/// Tokens of a question with its facts are far below this.
const ROOM: usize = 512;

const THINGS: [&str; 12] =
    ["cup", "book", "guitar", "chair", "bottle", "clock", "lamp", "phone", "ball", "box", "plate", "bag"];
const COLOURS: [&str; 8] = ["red", "blue", "green", "yellow", "black", "white", "orange", "purple"];
const PLACES: [&str; 4] = ["left", "right", "top", "bottom"];
const SYSTEM: &str = "You see through a camera. Answer from the facts, in one short sentence.";

/// One question.
struct Task {
    prompt: Prompt,
    /// Words that could follow; the first is right.
    words: Vec<&'static str>,
}

/// xorshift: the same everywhere.
pub(super) struct Draw(pub(super) u64);

impl Draw {
    pub(super) fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 33) % n.max(1) as u64) as usize
    }

    fn four<T: Copy>(&mut self, of: &[T]) -> Vec<T> {
        let mut left = of.to_vec();
        (0..4).map(|_| left.swap_remove(self.below(left.len()))).collect()
    }
}

fn task(draw: &mut Draw) -> Task {
    let (things, colours, places) = (draw.four(&THINGS), draw.four(&COLOURS), draw.four(&PLACES));
    let facts: Vec<String> =
        (0..4).map(|i| format!("- {} {} at the {}", article(colours[i]), things[i], places[i])).collect();
    let asked = draw.below(4);
    let (question, begun, mut words) = match draw.below(3) {
        0 => (format!("What colour is the {}?", things[asked]), format!("The {} is", things[asked]), colours),
        1 => (format!("Where is the {}?", things[asked]), format!("The {} is at the", things[asked]), places),
        _ => (
            format!("What is at the {}?", places[asked]),
            format!("At the {} there is {}", places[asked], article(colours[asked])),
            things,
        ),
    };
    words.swap(0, asked);
    let message = |role, content: String| Message { role, content };
    let user = format!("Facts:\n{}\n\n{question}", facts.join("\n"));
    let messages = vec![message(Role::System, SYSTEM.to_owned()), message(Role::User, user)];
    Task { prompt: Prompt { messages, answer_prefix: begun }, words }
}

fn article(colour: &str) -> String {
    format!("{} {colour}", if colour.starts_with("orange") { "an" } else { "a" })
}

/// How many of so many questions a model answers right. A word counts by its first token.
pub(super) fn right(llm: &mut Llm, questions: usize, told: &dyn Fn(usize)) -> Result<usize, ModelError> {
    let mut draw = Draw(SEED);
    let mut right = 0;
    llm.open(0, ROOM)?;
    for i in 0..questions {
        told(i);
        let Task { prompt, words } = task(&mut draw);
        let rendered = llm.codec().render(&prompt);
        // What all have in common is computed once.
        llm.truncate(0, if i == 0 { 0 } else { rendered.system });
        let done = llm.len(0);
        let Some(logits) = llm.forward(0, &rendered.tokens[done..], true)? else { continue };
        let of = |word: &&str| {
            let first = llm.codec.encode(&format!(" {word}")).first().map_or(0, |t| *t as usize);
            logits.get(first).copied().unwrap_or(f32::NEG_INFINITY)
        };
        let scores: Vec<f32> = words.iter().map(of).collect();
        right += usize::from(scores[1..].iter().all(|other| scores[0] > *other));
    }
    Ok(right)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_question_has_one_answer_and_it_stands_in_the_facts() {
        let mut draw = Draw(SEED);
        let (mut kinds, mut answers) = (BTreeSet::new(), BTreeSet::new());
        for _ in 0..240 {
            let Task { prompt, words } = task(&mut draw);
            let asked = &prompt.messages[1].content;
            let (facts, question) = asked.split_once("\n\n").unwrap();
            assert_eq!((words.len(), words.iter().collect::<BTreeSet<_>>().len()), (4, 4), "{words:?}");
            assert!(words.iter().all(|w| facts.contains(w)) && !question.contains(words[0]), "{asked} {words:?}");
            // The fact that holds what is asked about holds the answer.
            let about = question.trim_end_matches('?').rsplit(' ').next().unwrap();
            let fact = facts.lines().find(|l| l.contains(about)).unwrap();
            assert!(fact.contains(words[0]), "{asked} {words:?}");
            kinds.insert(question.split(' ').take(3).collect::<String>());
            answers.insert(words[0]);
        }
        assert!(kinds.len() >= 3 && answers.len() == THINGS.len() + COLOURS.len() + PLACES.len());
    }
}
