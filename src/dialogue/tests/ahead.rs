//! An answer begun before the turn is over: what becomes of it, and that nobody notices.

use proptest::prelude::*;

use super::talk::*;
use super::*;
use crate::listen::SoFar;

fn guesses(out: &[Output]) -> Vec<GuessOrder> {
    let order = |o: &Output| if let Output::Read(ReadOrder::Guess(order)) = o { Some(order.clone()) } else { None };
    out.iter().filter_map(order).collect()
}

/// The one that was begun.
fn begun(out: &[Output]) -> Option<(String, Prompt)> {
    guesses(out).into_iter().rev().find_map(|order| match order {
        GuessOrder::Begin { work_id, prompt, .. } => Some((work_id, prompt)),
        _ => None,
    })
}

fn discarded(out: &[Output]) -> usize {
    guesses(out).iter().filter(|o| matches!(o, GuessOrder::Discard { .. })).count()
}

impl Talk {
    /// The person has said this so far and pauses; so many samples of it.
    fn pauses(&mut self, count: usize, words: &str) -> Vec<Output> {
        let so_far = SoFar { samples: vec![0.1; count].into(), voiced_until: self.now, whole: true };
        let mut out = self.put(Input::SoFar(so_far));
        let read = out.iter().find_map(|o| match o {
            Output::Read(ReadOrder::SoFar { item_id, sound }) => Some((item_id.clone(), Arc::clone(sound))),
            _ => None,
        });
        let (item_id, sound) = read.expect("a pause is read");
        out.extend(self.after(100).put(Input::ReadSoFar(ReadSoFar { item_id, sound, result: Ok(words.into()) })));
        out
    }

    fn asks(&mut self, words: &str) -> Vec<Output> {
        self.put(Input::SpeechStarted { at: self.now });
        self.pauses(16_000, words)
    }

    /// It was all.
    fn ends(&mut self) -> Vec<Output> {
        let decided = self.now;
        self.put(Input::SpeechStopped { utterance: utterance(10_000), decided })
    }

    fn starts_with(&mut self, id: &str, text: &str) -> Vec<Output> {
        let mut out = self.engine(id, EngineEvent::Started { prompt_tokens: 9, cached_tokens: 3 });
        out.extend(self.engine(id, EngineEvent::Delta { text: text.to_owned() }));
        out
    }
}

#[test]
fn an_answer_begun_at_the_probable_end_is_told_when_the_turn_is_over_and_goes_on_like_any() {
    let mut t = Talk::seeing();
    let (id, prompt) = begun(&t.asks("Where is the cup?")).expect("begun");
    let text = format!("{} on the", prompt.answer_prefix);
    assert!(t.starts_with(&id, &text).is_empty(), "nobody is told");
    let out = t.ends();
    assert!(matches!(&guesses(&out)[..], [GuessOrder::Adopt { work_id }] if *work_id == id), "{out:?}");
    assert!(generated(&out).is_none(), "nothing is made twice");
    assert_eq!(told(&out), text.trim_start());
    let kinds = types(&out);
    let at = |kind: &str| kinds.iter().position(|k| k == kind).expect(kind);
    assert!(at("input_audio_buffer.committed") < at("response.created"));
    assert!(at("response.created") < at("response.output_text.delta"));
    let created = events(&out).into_iter().find(|e| e["type"] == "response.created").expect("created");
    assert_ne!(created["response"]["id"], json!(id), "what the engine knows it by is nobody's business");
    let more = t.engine(&id, EngineEvent::Delta { text: " left.".into() });
    assert_eq!(told(&more), " left.");
}

#[test]
fn of_a_person_who_goes_on_nothing_is_heard() {
    let mut t = Talk::seeing();
    let (id, _) = begun(&t.asks("Where is the cup?")).expect("begun");
    let mut out = t.starts_with(&id, "On the table.");
    out.extend(t.pauses(24_000, "Where is the cup? The blue one."));
    assert_eq!(discarded(&out), 1);
    let (next, _) = begun(&out).expect("the other one");
    assert_ne!(next, id);
    out.extend(t.engine(&id, EngineEvent::Delta { text: " It is".into() }));
    assert!(events(&out).iter().all(|e| e["type"] == "conversation.item.input_audio_transcription.delta"), "{out:?}");
}

#[test]
fn what_was_begun_to_other_facts_or_another_question_is_not_the_answer() {
    // What is to be seen changes.
    let mut t = Talk::seeing();
    let (id, _) = begun(&t.asks("Where is the cup?")).expect("begun");
    t.starts_with(&id, "On the left.");
    let v = json!({"objects": [["cup", 0.9, [0.6, 0.4, 0.9, 0.8], "red"]]});
    let moved = Arc::new(scene_json::scene(&v, t.now));
    let out = t.put(Input::Scene(moved));
    assert_eq!(discarded(&out), 1);
    let (other, _) = begun(&out).expect("begun anew");
    let out = t.ends();
    assert!(matches!(&guesses(&out)[..], [GuessOrder::Adopt { work_id }] if *work_id == other));
    // The turn ends with something else.
    let mut t = Talk::seeing();
    begun(&t.asks("Where is the cup?")).expect("begun");
    let decided = t.now;
    let longer = Utterance { samples: vec![0.1; 20_000].into(), ..utterance(10_000) };
    let out = t.put(Input::SpeechStopped { utterance: longer, decided });
    assert_eq!(discarded(&out), 1);
    // A client types something instead.
    let mut t = Talk::seeing();
    begun(&t.asks("Where is the cup?")).expect("begun");
    let out = t.ask("What colour is it?");
    assert_eq!(discarded(&out), 1);
    assert!(generated(&out).is_some());
}

#[test]
fn nothing_is_begun_that_would_do_something_or_that_nobody_asked_for() {
    for words in
        ["Forget everything.", "Tell me when you see a dog.", "What did I show you before?", "Where is the", "", "Um."]
    {
        let mut t = Talk::seeing();
        assert!(begun(&t.asks(words)).is_none(), "{words:?}");
    }
    let quiet = |turn: Value| {
        let mut t = Talk::seeing();
        t.client(json!({"type": "session.update", "session": {"type": "realtime",
            "audio": {"input": {"turn_detection": turn}}}}));
        begun(&t.asks("Where is the cup?"))
    };
    assert!(quiet(json!({"type": "server_vad", "create_response": false})).is_none());
    assert!(quiet(json!({"type": "server_vad"})).is_some());
    let mut t = Talk::new(|s| s.limits.answer_ahead = false);
    assert!(begun(&t.asks("What is the capital of France?")).is_none(), "switched off");
}

#[test]
fn a_guess_that_fails_is_made_again_as_an_answer() {
    let mut t = Talk::seeing();
    let (id, _) = begun(&t.asks("Where is the cup?")).expect("begun");
    assert!(t.engine(&id, EngineEvent::Failed { message: "no".into() }).is_empty());
    assert!(generated(&t.ends()).is_some());
}

#[test]
fn a_guess_nobody_can_ask_for_any_more_is_discarded() {
    let mut t = Talk::seeing();
    begun(&t.asks("Where is the cup?")).expect("begun");
    assert_eq!(discarded(&t.client(json!({"type": "input_audio_buffer.clear"}))), 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// However much of it is there when the turn ends, and however the person went on before: the client is told what it would be told without.
    #[test]
    fn the_client_sees_the_same_with_and_without(
        there in 0_usize..5, goes_on in any::<bool>(), moves in any::<bool>()
    ) {
        let words = [" on", " the", " left", " side"];
        let run = |ahead: bool| {
            let mut t = Talk::new(|s| {
                s.video = VideoState::Live;
                s.audio_track = true;
                s.limits.answer_ahead = ahead;
            });
            t.put(Input::Scene(cup(t.now)));
            let mut out = t.asks("Where is the cup?");
            if goes_on {
                out.extend(t.pauses(20_000, "Where is the cup? Where is the red cup?"));
                out.extend(t.pauses(16_000, "Where is the cup?"));
            }
            let mut id = begun(&out).map(|(id, _)| id);
            if let Some(id) = &id {
                out.extend(t.engine(id, EngineEvent::Started { prompt_tokens: 9, cached_tokens: 0 }));
                for word in &words[..there.min(4)] {
                    out.extend(t.engine(id, EngineEvent::Delta { text: (*word).to_owned() }));
                }
            }
            if moves {
                let v = json!({"objects": [["cup", 0.9, [0.6, 0.4, 0.9, 0.8], "red"]]});
                let facts = Arc::new(scene_json::scene(&v, t.now));
                out.extend(t.put(Input::Scene(facts)));
            }
            let ended = t.ends();
            let fresh = generated(&ended).map(|(id, _)| id);
            if let Some(Output::Read(ReadOrder::Guess(GuessOrder::Begin { work_id, .. }))) =
                out.iter().rev().find(|o| matches!(o, Output::Read(ReadOrder::Guess(GuessOrder::Begin { .. })))) {
                id = Some(work_id.clone());
            }
            let adopted = ended.iter().any(|o| matches!(o, Output::Read(ReadOrder::Guess(GuessOrder::Adopt { .. }))));
            out.extend(ended);
            let done = if adopted && !moves { there.min(4) } else { 0 };
            let id = fresh.or(id).expect("an answer");
            if done == 0 {
                out.extend(t.engine(&id, EngineEvent::Started { prompt_tokens: 9, cached_tokens: 0 }));
            }
            for word in &words[done..] {
                out.extend(t.engine(&id, EngineEvent::Delta { text: (*word).to_owned() }));
            }
            out.extend(t.engine(&id, EngineEvent::Done { finish: Finish::Stop, output_tokens: 4 }));
            let mut kinds = types(&out);
            kinds.dedup();
            (kinds, told(&out))
        };
        prop_assert_eq!(run(true), run(false));
    }
}

/// Twelve questions with a pause after each answer: how many turns each prompt shows. It begins with what was taken in ahead last.
fn asked_with(pause: impl Fn(&mut Talk) -> Vec<Output>) -> Vec<usize> {
    let mut t = Talk::seeing();
    let (mut known, mut shown) = (Vec::new(), Vec::new());
    for i in 0..12 {
        let (id, prompt) = generated(&t.ask(&format!("What is thing {i} for?"))).expect("begun");
        let mut turns = prompt.messages;
        turns.pop();
        shown.push((turns.len() - 1) / 2);
        assert!(turns.starts_with(&known), "question {i}");
        let mut out = t.answer(&id, &format!("Thing {i} is for you."));
        assert!(out.iter().any(|o| matches!(o, Output::Warm { .. })), "at once, however soon after the last time");
        out.extend(pause(&mut t));
        let now = cup(t.now);
        out.extend(t.put(Input::Scene(now)));
        let ahead =
            out.into_iter().filter_map(|o| if let Output::Warm { prompt, .. } = o { Some(prompt) } else { None });
        known = ahead.last().expect("there is one").messages;
        known.pop();
    }
    shown
}

#[test]
fn a_prompt_begins_like_the_one_before_it_but_when_the_earlier_turns_begin_anew() {
    let shown = asked_with(|_| Vec::new());
    assert_eq!(shown, [0, 1, 2, 3, 4, 5, 6, 7, 8, 2, 3, 4], "who asks on and on leaves no time");
}

#[test]
fn the_earlier_turns_begin_anew_while_nobody_waits() {
    let few = [0, 1, 2, 3, 4, 2, 3, 4, 2, 3, 4, 2];
    let rested = asked_with(|t| (0..8).flat_map(|_| t.after(500).put(Input::Tick)).collect());
    assert_eq!(rested, few);
    let spoken = asked_with(|t| {
        t.after(1_000);
        let mut out = t.put(Input::SpeechStarted { at: t.now });
        out.extend(t.after(1_000).put(Input::Tick));
        out.extend(t.client(json!({"type": "input_audio_buffer.clear"})));
        out
    });
    assert_eq!(spoken, few);
}
