//! Steps that several answers share.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::{Answer, Bench, LATER, LONG, ask, collect};
use crate::engine::{EngineConfig, EngineSession, Finish, GenerateRequest};

fn config() -> EngineConfig {
    EngineConfig { reply_events: 1_000, ..EngineConfig::default() }
}

/// Three answers that begin at the same time: speech keeps the engine until all are asked for.
async fn together(bench: &Bench, requests: [GenerateRequest; 3]) -> Vec<Answer> {
    let sessions: Vec<EngineSession> = ["a", "b", "c"].map(|name| bench.session(name)).into();
    let asking = async {
        bench.until("begin").await;
        let mut replies = Vec::new();
        for (session, request) in sessions.iter().zip(requests) {
            replies.push(session.generate(request, CancellationToken::new()).await.unwrap());
        }
        bench.log.lock().unwrap().push("enough".to_owned());
        let mut answers = Vec::new();
        for replies in replies {
            answers.push(collect(replies).await);
        }
        answers
    };
    let speaking = bench.session("speaking");
    tokio::join!(asking, speaking.transcribe(Arc::new([3.0]), LATER)).0
}

#[tokio::test]
async fn answers_at_their_words_share_their_steps_and_stay_whole() {
    let bench = Bench::new(LONG, config());
    let answers = together(&bench, ["x", "y", "z"].map(ask)).await;
    for answer in answers {
        assert_eq!((answer.text.as_str(), answer.finish), (LONG, Some(Finish::Stop)));
    }
    let shared = bench.handle.stats().shared_tokens as usize;
    assert!(shared > LONG.len() * 3 / 2, "{shared} of {}", 3 * LONG.len());
}

#[tokio::test]
async fn what_fails_in_a_shared_step_fails_alone() {
    const BAD: &str = "Up to here, and then ¡ which no step survives; but who is beyond that goes on.";
    let bench = Bench::new(BAD, config());
    let (before, rest) = BAD.split_once('¡').unwrap();
    let mut beyond = ask("z");
    // As many bytes as the others have to say up to behind it.
    beyond.prompt.answer_prefix = "-".repeat(before.len() + '¡'.len_utf8());
    let answers = together(&bench, [ask("x"), ask("y"), beyond]).await;
    for answer in &answers[..2] {
        assert!(matches!(&answer.finish, Some(Finish::Failed(why)) if why.contains("panicked")), "{answer:?}");
        // It was chosen, and told; what comes after it cannot be computed.
        assert_eq!(answer.text.strip_suffix('¡'), Some(before));
    }
    assert_eq!((answers[2].text.trim_start_matches('-'), &answers[2].finish), (rest, &Some(Finish::Stop)));
}

#[tokio::test]
async fn a_piece_of_a_long_prompt_is_let_go_of_for_a_shorter_first_word() {
    let bench = Bench::new("Fine.", EngineConfig::default());
    let (calm, long) = (bench.session("calm"), bench.session("long"));
    for question in ["what a step", "costs is", "known by now"] {
        super::answer(&calm, ask(question)).await;
    }
    let before = bench.entries("forward 0").len();
    let asking = async {
        bench.until("standing").await;
        super::answer(&calm, ask("x")).await
    };
    let (first, second) =
        tokio::join!(super::answer(&long, ask(&("-".repeat(40) + &"¶ and much more ".repeat(40)))), asking);
    assert_eq!((first.text.as_str(), second.text.as_str()), ("Fine.", "Fine."), "nothing is lost");
    assert!(bench.handle.stats().broken_off >= 1);
    let log = bench.log.lock().unwrap();
    let at = |what: &str| log.iter().position(|l| l == what).map_or(usize::MAX, |i| i);
    let calm_at =
        log.iter().enumerate().filter(|(_, l)| l.starts_with("forward 0")).nth(before).map_or(usize::MAX, |(i, _)| i);
    assert!(at("standing") < calm_at && calm_at < at("to its end"), "{log:?}");
}
