//! Readings of speech that goes on.

use std::sync::Arc;

use super::{Bench, LATER};
use crate::engine::{EngineConfig, EngineError};

#[tokio::test]
async fn a_reading_that_turns_out_to_be_the_whole_utterance_goes_ahead_of_others() {
    let bench = Bench::new("", EngineConfig::default());
    let (a, b) = (bench.session("a"), bench.session("b"));
    let endless = b.read_so_far(Arc::new([2.0]), LATER);
    let whole = async {
        let (heard, hurried) = tokio::join!(a.read_so_far(Arc::new([0.0]), LATER), a.hurry_reading());
        hurried.unwrap();
        heard
    };
    let heard = tokio::select! {
        biased;
        _ = endless => panic!("it never ends"),
        heard = whole => heard,
    };
    assert_eq!(heard.unwrap().transcript.text, "what is this");
    a.hurry_reading().await.unwrap();
    bench.idle().await;
    assert_eq!(bench.entries("transcribe").len(), 1, "what is done is not done again");
}

#[tokio::test]
async fn a_reading_that_is_under_way_when_it_turns_out_to_be_all_is_not_begun_again() {
    let bench = Bench::new("", EngineConfig::default());
    let a = bench.session("a");
    let hurry = async {
        bench.until("begin").await;
        a.hurry_reading().await.unwrap();
        bench.log.lock().unwrap().push("enough".to_owned());
    };
    let (heard, ()) = tokio::join!(a.read_so_far(Arc::new([3.0]), LATER), hurry);
    assert_eq!(heard.unwrap().transcript.text, "what is this");
    assert_eq!((bench.entries("begin").len(), bench.entries("stopped").len()), (1, 0));
}

#[tokio::test]
async fn the_newest_reading_of_a_session_takes_the_place_of_one_that_has_not_begun() {
    let bench = Bench::new("", EngineConfig::default());
    let (a, b) = (bench.session("a"), bench.session("b"));
    let endless = b.read_so_far(Arc::new([2.0]), LATER);
    let readings = async {
        let first = a.read_so_far(Arc::new([0.0]), LATER);
        let second = a.read_so_far(Arc::new([0.1]), LATER);
        tokio::join!(first, second, a.hurry_reading())
    };
    let (first, second, _) = tokio::select! {
        biased;
        _ = endless => panic!("it never ends"),
        all = readings => all,
    };
    assert!(matches!(first, Err(EngineError::Superseded)), "{first:?}");
    assert!(second.is_ok());
}
