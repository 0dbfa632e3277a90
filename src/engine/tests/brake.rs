//! What can wait is broken off for what cannot, and done later.

use std::sync::Arc;
use std::time::Duration;

use super::fair::uses;
use super::{Act, Bench, LATER, answer, ask, frame, prompt};
use crate::engine::{EngineConfig, GenerateRequest, PerceiveRequest};

/// An engine with one expert that stands still until it is broken off.
fn bench() -> Bench {
    Bench::of("Fine.", EngineConfig::default(), &[("detector", Act::Stand)])
}

fn look(urgent: bool) -> PerceiveRequest {
    PerceiveRequest { experts: vec![], deadline: LATER, urgent, part: None }
}

impl Bench {
    /// Waits until something stands still for the `times`th time.
    async fn standing(&self, times: usize) {
        let stood = async {
            while self.entries("standing").len() < times {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let stood = tokio::time::timeout(Duration::from_secs(20), stood).await;
        assert!(stood.is_ok(), "not {times} times: {:?}", self.log.lock().unwrap());
    }

    /// What became of what stood still, and the steps of answers between.
    fn course(&self) -> Vec<String> {
        let all = self.log.lock().unwrap();
        let told = ["standing", "broken off", "to its end", "forward 0"];
        let mut course: Vec<_> = all.iter().filter_map(|l| told.into_iter().find(|t| l.starts_with(t))).collect();
        course.dedup();
        course.into_iter().map(str::to_owned).collect()
    }
}

#[tokio::test]
async fn a_look_is_broken_off_for_answers_eight_times_at_most_and_gets_done() {
    for urgent in [false, true] {
        let bench = bench();
        let (calm, watching) = (bench.session("calm"), bench.session("watching"));
        let asking = async {
            for times in 1..=9 {
                bench.standing(times).await;
                // One token: between two of them a look that a question waits for would have its turn.
                let request = GenerateRequest { max_tokens: 1, ..ask("x") };
                assert_eq!(answer(&calm, request).await.text, "F");
            }
        };
        let (seen, ()) = tokio::join!(watching.perceive(frame(), look(urgent)), asking);
        assert_eq!(seen.unwrap().looked(), ["detector"], "it was not lost");
        assert_eq!((bench.entries("broken off").len(), bench.entries("to its end").len()), (8, 1));
        let (broken, last) = (["standing", "broken off", "forward 0"], ["standing", "to its end", "forward 0"]);
        assert_eq!(bench.course(), [broken.repeat(8), last.to_vec()].concat());
        assert_eq!(bench.handle.stats().broken_off, 8);
    }
}

#[tokio::test]
async fn nothing_is_broken_off_for_what_can_wait_as_well() {
    let bench = bench();
    let (one, other) = (bench.session("one"), bench.session("other"));
    let beside = async {
        bench.standing(1).await;
        let vector = other.embed("words".into(), LATER, false).await;
        (vector.unwrap(), other.warm(prompt("y"), true).await.unwrap())
    };
    let (seen, _) = tokio::join!(one.perceive(frame(), look(false)), beside);
    assert_eq!(seen.unwrap().looked(), ["detector"]);
    assert_eq!((bench.entries("broken off").len(), bench.handle.stats().broken_off), (0, 0));
}

#[tokio::test]
async fn prefilling_ahead_is_broken_off_for_an_answer_and_its_prompt_is_held_in_the_end() {
    let bench = bench();
    let (calm, warm) = (bench.session("calm"), bench.session("warm"));
    warm.warm(prompt("about ¶"), false).await.unwrap();
    bench.standing(1).await;
    assert_eq!(answer(&calm, ask("x")).await.text, "Fine.");
    bench.until("to its end").await;
    assert_eq!(bench.entries("broken off").len(), 1);
    let said = answer(&warm, ask("about ¶")).await;
    let (prompt, cached) = said.started.unwrap();
    assert_eq!((said.text.as_str(), prompt - cached), ("Fine.", 1), "all but the header of the answer");
}

#[tokio::test]
async fn a_piece_of_a_prompt_is_broken_off_for_an_answer_and_a_flood_s_goes_on_behind_it() {
    for floods in [true, false] {
        let bench = bench();
        let (calm, other) = (bench.session("calm"), bench.session("other"));
        if floods {
            uses(&other, 10).await;
            // A step answers before it is counted.
            bench.idle().await;
        }
        let beside = async {
            bench.standing(1).await;
            answer(&calm, ask("x")).await.text
        };
        let (said, first) = tokio::join!(answer(&other, ask("¶")), beside);
        assert_eq!((said.text.as_str(), first.as_str()), ("Fine.", "Fine."));
        assert!(bench.handle.stats().broken_off >= 1, "{floods}");
        let after = bench.course().into_iter().skip_while(|l| l != "broken off").nth(1).unwrap();
        assert_eq!(
            after,
            if floods { "forward 0" } else { "standing" },
            "who keeps to his part goes first if he came first"
        );
    }
}

#[tokio::test]
async fn a_word_is_broken_off_for_speech_each_time_and_goes_on() {
    let bench = Bench::new("So ¶.", EngineConfig::default());
    let (calm, flood) = (bench.session("calm"), bench.session("flood"));
    uses(&flood, 10).await;
    bench.idle().await;
    let beside = async {
        for times in 1..=3 {
            bench.standing(times).await;
            calm.transcribe(Arc::new([0.0]), LATER).await.unwrap();
        }
    };
    let (said, ()) = tokio::join!(answer(&flood, ask("x")), beside);
    assert_eq!(said.text, "So ¶.", "and is the same in the end");
    assert_eq!((bench.entries("broken off").len(), bench.entries("to its end").len()), (3, 1));
}

#[tokio::test]
async fn who_had_more_than_its_part_has_nobody_let_go_of_an_answer() {
    let bench = bench();
    let (long, flood) = (bench.session("long"), bench.session("flood"));
    uses(&flood, 10).await;
    bench.idle().await;
    let beside = async {
        bench.standing(1).await;
        answer(&flood, ask("x")).await.text
    };
    let (said, other) = tokio::join!(answer(&long, ask(&("-".repeat(40) + "¶" + &"-".repeat(400)))), beside);
    assert_eq!((said.text.as_str(), other.as_str()), ("Fine.", "Fine."));
    assert_eq!((bench.entries("broken off").len(), bench.handle.stats().broken_off), (0, 0));
}
