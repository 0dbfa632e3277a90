//! What the engine learns of its costs, and what it holds back by them.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Bench, LATER, ask, collect, frame};
use crate::base::{Clock as _, MediaTime};
use crate::budget::Work;
use crate::engine::{EngineConfig, GenerateRequest, PerceiveRequest};

fn look(urgent: bool) -> PerceiveRequest {
    PerceiveRequest { experts: vec!["detector"], deadline: LATER, urgent, part: None }
}

fn close(got: Option<Duration>, ms: u64) -> bool {
    got.is_some_and(|got| got.abs_diff(Duration::from_millis(ms)) < Duration::from_millis(1))
}

#[tokio::test]
async fn what_each_sort_of_work_costs_is_learnt_from_doing_it() {
    let bench = Bench::new("Fine.", EngineConfig::default());
    let session = bench.session("a");
    assert_eq!(bench.handle.ledger().costs.all().count(), 0);
    super::answer(&session, ask(&"x".repeat(64))).await;
    session.transcribe(Arc::new([0.0; 32_000]), LATER).await.unwrap();
    session.perceive(frame(), look(false)).await.unwrap();
    session.embed("cup".into(), LATER, false).await.unwrap();
    bench.idle().await;
    let ledger = bench.handle.ledger();
    let expect = |work, units| ledger.costs.expect(work, units);
    assert!(close(expect(Work::Prefill, 100.0), 100), "1 ms a token: {:?}", ledger.costs);
    assert!(close(expect(Work::Decode, 1.0), 1));
    assert!(close(expect(Work::Speech, 2.0), 100), "100 ms for two seconds");
    assert!(close(expect(Work::Look("detector"), 1.0), 50));
    assert!(close(expect(Work::Embed, 1.0), 10));
    let now = bench.clock.now();
    assert!(ledger.all.at(now) > ledger.urgent.at(now), "looks in the background are not urgent");
    assert!(ledger.urgent.at(now) > 0.0);
}

/// The order in which a look in the background and the steps of a prompt came, both asked for at one time.
async fn look_beside_prompt(first_word: Duration) -> Vec<String> {
    let bench = Bench::new("Fine.", EngineConfig::default());
    let (session, other) = (bench.session("a"), bench.session("b"));
    session.perceive(frame(), look(false)).await.unwrap();
    super::answer(&session, ask(&"x".repeat(64))).await;
    // Keeps the engine busy until both are there.
    let mut endless = Box::pin(other.read_so_far(Arc::new([2.0]), LATER));
    while bench.entries("begin").is_empty() {
        tokio::select! {
            _ = &mut endless => panic!("it never ends"),
            () = tokio::time::sleep(Duration::from_millis(5)) => {}
        }
    }
    bench.log.lock().unwrap().clear();
    let long = GenerateRequest { deadline: bench.clock.now() + first_word, ..ask(&"y".repeat(1_000)) };
    let release = async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        drop(endless);
    };
    let words = async { collect(session.generate(long, CancellationToken::new()).await.unwrap()).await };
    let (_, seen, ()) = tokio::join!(words, session.perceive(frame(), look(false)), release);
    assert_eq!(seen.unwrap().looked(), ["detector"], "held back, not lost");
    let log = bench.log.lock().unwrap();
    // A step of one token is not of the prompt.
    log.iter().filter(|l| l.starts_with("look") || l.starts_with("forward") && !l.ends_with(" 1")).cloned().collect()
}

#[tokio::test]
async fn a_look_in_the_background_waits_for_a_first_word_that_it_would_make_late() {
    let order = look_beside_prompt(Duration::from_millis(1_060)).await;
    assert!(order.len() > 20 && order.last().unwrap().starts_with("look"), "{order:?}");
    let order = look_beside_prompt(Duration::from_secs(1_000)).await;
    assert!(order.last().unwrap().starts_with("forward"), "there is time enough for it: {order:?}");
}

#[tokio::test]
async fn no_look_is_begun_that_would_still_run_when_a_turn_is_expected_to_end() {
    let bench = Bench::new("", EngineConfig::default());
    let (a, b) = (bench.session("a"), bench.session("b"));
    a.perceive(frame(), look(false)).await.unwrap();
    let turn = bench.clock.now() + Duration::from_millis(40);
    b.expect_turn(Some(turn));
    {
        let held = a.perceive(frame(), look(false));
        tokio::pin!(held);
        tokio::select! {
            _ = &mut held => panic!("it takes 50 ms"),
            () = bench.idle() => {}
        }
        assert_eq!(bench.entries("look").len(), 1);
        // What somebody waits for is not held back, and moves the time on past the turn.
        let (held, urgent) = tokio::join!(held, b.perceive(frame(), look(true)));
        assert!(held.is_ok() && urgent.is_ok());
    }
    assert_eq!((bench.handle.stats().deferred, bench.entries("look").len()), (1, 3));
    b.expect_turn(Some(bench.clock.now() + Duration::from_millis(40)));
    drop(b);
    a.perceive(frame(), look(false)).await.unwrap();
}

#[tokio::test]
async fn a_turn_that_did_not_end_when_expected_holds_nothing_back() {
    let bench = Bench::new("", EngineConfig::default());
    let session = bench.session("a");
    session.perceive(frame(), look(false)).await.unwrap();
    session.expect_turn(Some(bench.clock.now()));
    session.perceive(frame(), look(false)).await.unwrap();
    session.expect_turn(Some(bench.clock.now() + Duration::from_millis(40)));
    session.expect_turn(None);
    session.perceive(frame(), look(false)).await.unwrap();
    session.expect_turn(Some(bench.clock.now() + Duration::from_millis(40)));
    session.transcribe(Arc::new([0.0]), MediaTime::ZERO).await.unwrap();
    session.perceive(frame(), look(false)).await.unwrap();
    assert_eq!(bench.handle.stats().deferred, 0);
}
