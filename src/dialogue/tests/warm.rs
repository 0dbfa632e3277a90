//! When the prompt cache takes in what will stand before the next question.

use super::talk::*;
use super::*;

fn warm_ups(out: &[Output]) -> usize {
    out.iter().filter(|o| matches!(o, Output::Warm { .. })).count()
}

/// Warm-ups while the scene changes so many times, ten times a second.
fn warm_ups_of_changes(t: &mut Talk, times: usize) -> usize {
    (0..times)
        .map(|_| {
            let mut facts = (*cup(t.now)).clone();
            facts.objects[0].label = format!("thing at {:?}", t.now);
            let n = warm_ups(&t.put(Input::Scene(Arc::new(facts))));
            t.after(100);
            n
        })
        .sum()
}

#[test]
fn the_cache_is_warmed_while_nobody_waits_and_not_more_often_than_allowed() {
    let mut t = Talk::seeing();
    // A second between the first two, then half a minute: whoever speaks or types is heard of in time.
    let n = warm_ups_of_changes(&mut t, 400);
    assert!((1..=2).contains(&n), "{n} in forty seconds");
    assert_eq!(warm_ups(&t.put(Input::SpeechStarted { at: t.now })), 1, "whoever speaks will ask");
    let n = warm_ups_of_changes(&mut t, 40);
    assert!((3..=5).contains(&n), "{n} in four seconds of speech");
}

#[test]
fn typing_warms_the_cache_and_who_writes_without_a_word_of_it_is_kept_warm() {
    let soon = |out: &[Output]| out.iter().any(|o| matches!(o, Output::Warm { soon: true, .. }));
    let mut t = Talk::seeing();
    warm_ups_of_changes(&mut t, 50);
    assert!(soon(&t.client(json!({"type": "input_text.typing"}))), "whoever types will ask");
    let n = warm_ups_of_changes(&mut t, 40);
    assert!((3..=5).contains(&n), "{n} in four seconds of typing");
    let finish = |t: &mut Talk| {
        let (id, _) = generated(&t.ask("Is there a cup?")).expect("begun");
        let after = soon(&t.answer(&id, " a cup."));
        (after, warm_ups_of_changes(t, 400))
    };
    let (hurried, n) = finish(&mut t);
    assert!((2..=4).contains(&n), "{n} in forty seconds: it will be told of the next question, too");
    assert!(!hurried, "and there is time until then");
    let (hurried, n) = finish(&mut t);
    assert!((5..=7).contains(&n), "{n} in forty seconds: of that one it was not");
    assert!(hurried, "the next may come at once");
}

#[test]
fn what_the_cache_was_to_take_in_at_leisure_is_hurried_once_somebody_types() {
    let how = |out: &[Output]| -> Vec<bool> {
        out.iter().filter_map(|o| if let Output::Warm { soon, .. } = o { Some(*soon) } else { None }).collect()
    };
    let typing = json!({"type": "input_text.typing"});
    let mut t = Talk::seeing();
    t.client(typing.clone());
    let (id, _) = generated(&t.ask("Is there a cup?")).expect("begun");
    assert_eq!(how(&t.answer(&id, " a cup.")), [false], "there is time until the next question");
    t.after(400);
    assert_eq!(how(&t.client(typing.clone())), [true], "it may still be waiting behind other work");
    t.after(400);
    assert_eq!(how(&t.client(typing)), [false; 0], "once is enough");
}

#[test]
fn a_warm_prompt_is_the_beginning_of_the_prompt_that_follows() {
    let mut t = Talk::seeing();
    let facts = cup(t.now + Duration::from_secs(3));
    let out = t.after(3_000).put(Input::Scene(facts));
    // The cup was seen at the start already, so the prompt is the same and is not taken in again.
    assert!(!out.iter().any(|o| matches!(o, Output::Warm { .. })));
    let warm = t.c.warm_prompt(false, t.now);
    let (_, prompt) = generated(&t.ask("Is there a cup?")).expect("begun");
    let last = warm.messages.len() - 1;
    assert_eq!(warm.messages[..last], prompt.messages[..last]);
    assert!(prompt.messages[last].content.starts_with(&warm.messages[last].content));
}
