//! What one session's flood costs the others.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;

use super::{Bench, LATER, LONG, answer, ask, collect, frame};
use crate::base::Clock as _;
use crate::engine::{EngineConfig, EngineError, EngineSession, PerceiveRequest};

/// Seconds of the device, a tenth in each step.
pub(super) async fn uses(session: &EngineSession, seconds: usize) {
    for _ in 0..10 * seconds {
        session.transcribe(Arc::new([0.0; 16_000]), LATER).await.unwrap();
    }
}

#[tokio::test]
async fn nobody_waits_for_the_long_utterance_of_a_session_that_floods() {
    let bench = Bench::new("Fine.", EngineConfig::default());
    let (flood, calm) = (bench.session("flood"), bench.session("calm"));
    uses(&flood, 10).await;
    // A step answers before it is counted.
    bench.idle().await;
    let busy = bench.handle.stats().busy;
    let beside = async {
        bench.until("begin").await;
        let said = answer(&calm, ask("x")).await;
        let heard = calm.transcribe(Arc::new([0.0; 16_000]), LATER).await.unwrap();
        let request = PerceiveRequest { experts: vec!["detector"], deadline: LATER, urgent: true, part: None };
        let seen = calm.perceive(frame(), request).await.unwrap();
        bench.log.lock().unwrap().push("enough".to_owned());
        (said.text, heard.transcript.text, seen.looked())
    };
    let (long, (said, heard, seen)) = tokio::join!(flood.transcribe(Arc::new([3.0; 16_000]), LATER), beside);
    assert_eq!((said.as_str(), heard.as_str(), seen), ("Fine.", "what is this", vec!["detector"]));
    assert_eq!(long.unwrap().transcript.text, "what is this", "it was paused, not lost");
    assert_eq!((bench.entries("begin").len(), bench.entries("stopped").len()), (1, 0));
    bench.idle().await;
    // What ran in the pauses is counted once: two utterances, a look, and the answer with its prompt.
    let busy = bench.handle.stats().busy - busy;
    assert!(busy > Duration::from_millis(250) && busy < Duration::from_millis(320), "{busy:?}");
}

#[tokio::test]
async fn what_can_wait_on_other_threads_is_told_when_nobody_waits_for_the_device() {
    let bench = Bench::new("Fine.", EngineConfig::default());
    let (one, other) = (bench.session("one"), bench.session("other"));
    let (mut its_own, mut of_the_other) = (one.lull(), other.lull());
    let beside = async {
        bench.until("begin").await;
        let waits = (its_own.comes().now_or_never().is_none(), of_the_other.comes().now_or_never().is_none());
        bench.log.lock().unwrap().push("enough".to_owned());
        waits
    };
    let (heard, waits) = tokio::join!(one.transcribe(Arc::new([3.0]), LATER), beside);
    assert_eq!((heard.unwrap().transcript.text.as_str(), waits), ("what is this", (false, true)));
    of_the_other.comes().await;
}

#[tokio::test]
async fn a_long_utterance_of_a_session_like_others_is_not_interrupted_and_what_waits_comes_after() {
    let bench = Bench::new("Fine.", EngineConfig::default());
    let (one, other) = (bench.session("one"), bench.session("other"));
    let beside = async {
        bench.until("begin").await;
        let events = other.generate(ask("x"), Default::default()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(30)).await;
        assert!(bench.entries("forward").is_empty(), "speech goes first among equals");
        bench.log.lock().unwrap().push("enough".to_owned());
        collect(events).await.text
    };
    let (heard, said) = tokio::join!(one.transcribe(Arc::new([3.0]), LATER), beside);
    assert_eq!((heard.unwrap().transcript.text.as_str(), said.as_str()), ("what is this", "Fine."));
}

#[tokio::test]
async fn an_utterance_that_nobody_waits_for_is_given_up_in_its_midst() {
    let bench = Bench::new("Fine.", EngineConfig::default());
    let (gone, other) = (bench.session("gone"), bench.session("other"));
    tokio::select! {
        _ = gone.transcribe(Arc::new([2.0]), LATER) => panic!("it never ends"),
        () = bench.until("begin") => {}
    }
    assert_eq!(other.transcribe(Arc::new([0.0]), LATER).await.unwrap().transcript.text, "what is this");
    assert_eq!(bench.entries("stopped").len(), 1);
}

#[tokio::test]
async fn a_new_session_in_the_seat_of_a_flood_is_no_better_for_it() {
    let bench = Bench::new(LONG, EngineConfig::default());
    let flood = bench.session("flood");
    let calm = bench.session("calm");
    uses(&flood, 10).await;
    drop(flood);
    let again = bench.session("again");
    let later = async {
        bench.until("begin").await;
        let order =
            tokio::join!(again.embed("flood".into(), LATER, true), calm.embed("calm".into(), LATER, true), async {
                tokio::time::sleep(Duration::from_millis(30)).await;
                bench.log.lock().unwrap().push("enough".to_owned());
            });
        (order.0.unwrap(), order.1.unwrap())
    };
    let third = bench.session("third");
    let (heard, _) = tokio::join!(third.read_so_far(Arc::new([3.0]), LATER), later);
    heard.unwrap();
    assert_eq!(bench.entries("embed"), ["embed calm", "embed flood"]);
    assert!(bench.clock.now().as_millis() > 10_000);
}

#[tokio::test]
async fn shutting_down_in_the_midst_of_an_utterance_ends_it_and_the_thread() {
    let bench = Bench::new("", EngineConfig::default());
    let (session, log) = (bench.session("a"), Arc::clone(&bench.log));
    let Bench { engine, .. } = bench;
    let stop = async move {
        while log.lock().unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        engine.shutdown();
    };
    let (heard, ()) = tokio::join!(session.transcribe(Arc::new([2.0]), LATER), stop);
    assert!(matches!(heard, Err(EngineError::Stopped)), "{heard:?}");
}
