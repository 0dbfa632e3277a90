//! Tokens that are guessed and checked together.

use super::{Answer, Bench, LONG, answer, ask};
use crate::engine::{EngineConfig, EngineStats, Finish, GenerateRequest};

const SAID: &str = "The red cup is on the left, and the red book is on the right.";

async fn asked(said: &'static str, drafts: usize, request: GenerateRequest) -> (Answer, EngineStats) {
    let config = EngineConfig { reply_events: 1_000, ..EngineConfig::default() };
    let bench = Bench::guessing((said, drafts), config, &[]);
    let session = bench.session("a");
    let answer = answer(&session, request).await;
    // What the cache is said to hold is what it holds: the next answer goes on from there.
    let again = super::answer(&session, ask(SAID)).await;
    assert_eq!(again.text, said);
    // The last step is counted after its answer has gone out.
    bench.idle().await;
    (answer, bench.handle.stats())
}

#[tokio::test]
async fn an_answer_that_stands_in_the_prompt_takes_fewer_steps_and_says_the_same() {
    let (plain, slow) = asked(SAID, 0, ask(SAID)).await;
    let (guessed, quick) = asked(SAID, 3, ask(SAID)).await;
    assert_eq!((&guessed.text, &guessed.finish), (&plain.text, &Some(Finish::Stop)));
    assert_eq!((slow.drafted_tokens, slow.accepted_tokens), (0, 0));
    assert_eq!(quick.output_tokens, slow.output_tokens);
    assert!(quick.accepted_tokens * 4 > quick.drafted_tokens * 3, "{quick:?}");
    assert!(quick.steps < slow.steps * 2 / 3, "{} and {} steps", quick.steps, slow.steps);
}

#[tokio::test]
async fn what_was_guessed_wrong_is_forgotten() {
    // After `a` comes something else each time.
    const OTHER: &str = "abacadaeafagahaiajak";
    let (answer, stats) = asked(OTHER, 3, ask("azazazaz")).await;
    assert_eq!((answer.text.as_str(), answer.finish), (OTHER, Some(Finish::Stop)));
    assert!(stats.drafted_tokens > stats.accepted_tokens, "{stats:?}");
}

#[tokio::test]
async fn the_longest_answer_and_the_end_of_the_cache_hold_for_what_is_guessed() {
    let short = GenerateRequest { max_tokens: 10, ..ask(SAID) };
    let (answer, _) = asked(SAID, 6, short).await;
    assert_eq!((answer.text.as_str(), answer.finish), (&SAID[..10], Some(Finish::Length)));
    let stopped = GenerateRequest { stop: vec!["left".to_owned()], ..ask(SAID) };
    let (answer, _) = asked(SAID, 6, stopped).await;
    assert_eq!((answer.text.as_str(), answer.finish), ("The red cup is on the ", Some(Finish::Stop)));
    // The scripted model panics where more is put into a cache than it holds.
    let config = EngineConfig { context_tokens: 64, reply_events: 1_000, ..EngineConfig::default() };
    let bench = Bench::guessing((LONG, 6), config, &[]);
    let answer = super::answer(&bench.session("a"), ask(&LONG[..30])).await;
    assert!(LONG.starts_with(&answer.text) && answer.finish == Some(Finish::Length), "{answer:?}");
    assert!(bench.handle.stats().accepted_tokens > 0);
}
