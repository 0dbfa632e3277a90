//! What each step of the ladder gives up, and that sound is never given up.

use super::talk::*;
use super::*;
use crate::budget::Step;

/// A turn whose first word comes after so long; what came of it, and the tokens and the prompt of its answer.
fn turn(t: &mut Talk, question: &str, took_ms: u64) -> (Vec<Output>, u32, Prompt) {
    let facts = cup(t.now);
    t.put(Input::Scene(facts));
    let mut out = t.ask(question);
    let (tokens, prompt, id) = out
        .iter()
        .find_map(|o| match o {
            Output::Generate { max_tokens, prompt, response_id } => {
                Some((*max_tokens, prompt.clone(), response_id.clone()))
            }
            _ => None,
        })
        .expect("facts are fresh");
    t.after(took_ms);
    out.extend(t.answer(&id, " red."));
    t.after(100);
    (out, tokens, prompt)
}

fn steps(out: &[Output]) -> Vec<Step> {
    out.iter().filter_map(|o| if let Output::Degrade { step } = o { Some(*step) } else { None }).collect()
}

/// A conversation that has come down to a step by late turns.
fn down_to(step: Step) -> Talk {
    let mut t = Talk::new(|s| {
        s.video = VideoState::Live;
        s.audio_track = true;
        s.extensions = vec![crate::wire::Extension::Latency];
    });
    while t.c.step() != step {
        turn(&mut t, "What colour is the cup?", 5_000);
    }
    t
}

#[test]
fn late_turns_go_down_step_by_step_and_good_turns_come_back_each_announced() {
    let mut t = down_to(Step::Full);
    let (mut down, mut told) = (Vec::new(), Vec::new());
    for _ in 1..Step::ALL.len() {
        let (out, ..) = turn(&mut t, "What colour is the cup?", 5_000);
        down.extend(steps(&out));
        told.extend(events(&out).into_iter().filter(|e| e["type"] == "response.degraded"));
    }
    assert_eq!(down, Step::ALL[1..]);
    let names: Vec<_> = told.iter().map(|e| e["step"].as_str().unwrap()).collect();
    assert_eq!(names, Step::ALL[1..].iter().map(|s| s.label()).collect::<Vec<_>>());
    assert!(told.iter().all(|e| e["reason"].as_str().unwrap().ends_with("_over_budget")), "{told:?}");
    let mut up = Vec::new();
    for _ in 0..3 * (Step::ALL.len() - 1) {
        let (out, ..) = turn(&mut t, "What colour is the cup?", 10);
        assert!(events(&out).iter().all(|e| e["type"] != "response.degraded" || e["reason"] == "recovered"));
        up.extend(steps(&out));
    }
    assert_eq!(up, Step::ALL.iter().rev().skip(1).copied().collect::<Vec<_>>());
}

#[test]
fn shallower_memory_shows_fewer_earlier_turns_and_waits_for_no_vector() {
    let asked = |prompt: &Prompt| prompt.messages.iter().filter(|m| m.role == Role::User).count() - 1;
    let embeds = |out: &[Output]| out.iter().any(|o| matches!(o, Output::Embed { what: EmbedFor::Question(_), .. }));
    let mut before = down_to(Step::FewerExperts);
    for i in 0..4 {
        // Within the budget, too near to it to come back up.
        turn(&mut before, &format!("What colour is cup {i}?"), 900);
    }
    let (_, _, prompt) = turn(&mut before, "What colour is the cup?", 900);
    assert_eq!(asked(&prompt), 6);
    let mut t = down_to(Step::ShallowerMemory);
    turn(&mut t, "What colour is the cup?", 900);
    let (_, _, prompt) = turn(&mut t, "What colour is the cup?", 900);
    assert_eq!(asked(&prompt), 4);
    for (t, waits) in [(&mut before, true), (&mut t, false)] {
        for _ in 0..20 {
            let (facts, image): (_, Arc<[f32]>) = (cup(t.now), vec![1.0].into());
            t.put(Input::Look { facts, image: Some(image), keyframe: None });
            t.after(500);
        }
        let out = t.ask("Where was the cup five seconds ago?");
        assert_eq!(embeds(&out), waits);
        assert_eq!(generated(&out).is_some(), !waits, "it is answered at once by words alone");
    }
}

#[test]
fn shorter_answers_have_half_the_tokens() {
    let (_, all, _) = turn(&mut down_to(Step::ShallowerMemory), "What colour is the cup?", 900);
    let (_, half, _) = turn(&mut down_to(Step::ShorterAnswers), "What colour is the cup?", 900);
    assert_eq!((all, half), (96, 48));
}

#[test]
fn on_the_last_step_speech_is_still_heard_and_answered() {
    let mut t = down_to(Step::RefuseSessions);
    t.put(Input::SpeechStarted { at: t.now });
    t.after(1_200);
    let (end, facts) = (t.now.as_millis(), cup(t.now));
    t.put(Input::Scene(facts));
    let out = t.put(Input::SpeechStopped { utterance: utterance(end), decided: t.now });
    let item =
        out.iter().find_map(|o| if let Output::Transcribe { item_id, .. } = o { Some(item_id.clone()) } else { None });
    let out = t.put(Input::Transcribed {
        item_id: item.expect("it is recognised"),
        result: Ok("What colour is the cup?".into()),
    });
    assert!(generated(&out).is_some(), "and answered");
}

#[test]
fn a_turn_tells_the_moments_of_its_stages() {
    use crate::budget::{Mark, Stage};
    let mut t = Talk::seeing();
    t.put(Input::SpeechStarted { at: t.now });
    t.after(1_200);
    let (end, captured, facts) = (t.now.as_millis() - 200, t.now, cup(t.now));
    t.put(Input::Scene(facts));
    let out = t.put(Input::SpeechStopped { utterance: utterance(end), decided: t.now });
    let item =
        out.iter().find_map(|o| if let Output::Transcribe { item_id, .. } = o { Some(item_id.clone()) } else { None });
    t.after(100);
    let out = t.put(Input::Transcribed { item_id: item.unwrap(), result: Ok("What colour is the cup?".into()) });
    let (id, _) = generated(&out).unwrap();
    t.after(150);
    let out = t.answer(&id, " red.");
    let (response, timing) = out
        .iter()
        .find_map(|o| if let Output::Timed(id, timing, _) = o { Some((id.clone(), *timing)) } else { None })
        .expect("it is told when the answer ends");
    assert_eq!(response, id);
    let ms = |m: u64| Some(MediaTime::from_millis(m));
    assert_eq!((timing.at(Mark::SpeechStart), timing.began(Stage::VadEnd)), (ms(end - 1_000), ms(end)));
    assert_eq!(timing.at(Mark::Captured), Some(captured));
    assert_eq!(timing.end_of(Stage::Asr), Some(captured + Duration::from_millis(100)));
    assert_eq!((timing.end_of(Stage::Total), timing.at(Mark::Done)), (Some(t.now), Some(t.now)));
}
