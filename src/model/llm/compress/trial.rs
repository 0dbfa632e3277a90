//! What models answer and how fast, in turn, so that a machine with other work slows all alike.

use std::path::Path;

use super::{SEQUENCE, Tell, task};
use crate::base::Clock;
use crate::model::language::{LanguageModel, ModelError};
use crate::model::llm::packing::Held;
use crate::model::llm::{Llm, LlmError};

/// Tokens of a question beside facts that are there already.
pub const QUESTION: usize = 32;
/// Tokens of a short sentence as its answer.
pub const ANSWER: usize = 16;
/// Of each the best counts.
const ROUNDS: usize = 3;

/// How fast a model is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Speed {
    /// Tokens a second of a prompt.
    pub prefill: f64,
    /// Tokens a second of an answer.
    pub decode: f64,
    /// Milliseconds of [`QUESTION`] tokens, beside facts that are there already, and [`ANSWER`] tokens of the answer.
    pub answer_ms: f64,
}

/// What a model did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tried {
    /// Right answers to [`Wanted::questions`](super::Wanted::questions) about facts that stand in the prompt (`task`).
    pub right: usize,
    /// How fast.
    pub speed: Speed,
}

/// A file, how its weights are held, and a sequence of tokens for it.
struct Subject<'a>(&'a Path, Held, &'a [u32]);

/// Of the file that was read and of the one that was written, each with tokens of its own; and, where that is wanted, of the first in 16 bits.
pub(super) fn trial(
    (from, to): (&Path, &Path),
    sixteen: bool,
    (tokens, questions): ([&[u32]; 2], usize),
    clock: &dyn Clock,
    tell: Tell<'_>,
) -> Result<Vec<Tried>, LlmError> {
    let mut subjects = vec![Subject(from, Held::Packed, tokens[0]), Subject(to, Held::Packed, tokens[1])];
    if sixteen {
        subjects.push(Subject(from, Held::Sixteen, tokens[0]));
    }
    let subjects = subjects.as_slice();
    let mut models =
        subjects.iter().map(|Subject(path, held, _)| Llm::load_held(path, *held)).collect::<Result<Vec<Llm>, _>>()?;
    let wrong =
        |at: usize| move |e: ModelError| LlmError::Corrupt { path: subjects[at].0.to_owned(), reason: e.to_string() };
    let mut tried = Vec::new();
    for (at, llm) in models.iter_mut().enumerate() {
        let (done, all) = (at * questions, subjects.len() * questions);
        let right = task::right(llm, questions, &|i| tell("asking them", done + i, all)).map_err(wrong(at))?;
        tried.push(Tried { right, speed: Speed { prefill: 0.0, decode: 0.0, answer_ms: f64::INFINITY } });
    }
    for round in 0..ROUNDS {
        for (at, (llm, best)) in models.iter_mut().zip(&mut tried).enumerate() {
            tell("timing them", round * subjects.len() + at, ROUNDS * subjects.len());
            let now = speed(llm, subjects[at].2, clock).map_err(wrong(at))?;
            let best = &mut best.speed;
            (best.prefill, best.decode) = (best.prefill.max(now.prefill), best.decode.max(now.decode));
            best.answer_ms = best.answer_ms.min(now.answer_ms);
        }
    }
    Ok(tried)
}

fn speed(llm: &mut Llm, tokens: &[u32], clock: &dyn Clock) -> Result<Speed, ModelError> {
    llm.open(0, SEQUENCE + ANSWER)?;
    let (facts, question) = tokens.split_at(tokens.len() - QUESTION);
    let mut took = |tokens: &[u32], at_once: usize| -> Result<f64, ModelError> {
        let began = clock.now();
        for tokens in tokens.chunks(at_once) {
            llm.forward(0, tokens, true)?;
        }
        Ok(clock.now().since(began).as_secs_f64().max(1e-6))
    };
    let (before, asked, answered) = (took(facts, SEQUENCE)?, took(question, QUESTION)?, took(&tokens[..ANSWER], 1)?);
    Ok(Speed {
        prefill: facts.len() as f64 / before,
        decode: ANSWER as f64 / answered,
        answer_ms: 1e3 * (asked + answered),
    })
}
