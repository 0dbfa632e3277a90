//! What comes of an answer while nobody knows whether it is being interrupted.

use proptest::prelude::*;

use super::talk::*;
use super::*;
use crate::listen::Evidence;

/// An answer that has begun, and the words it was made to begin with.
fn answering() -> (Talk, String, String) {
    let mut t = Talk::seeing();
    let (id, prompt) = generated(&t.ask("What do you see?")).expect("begun");
    t.engine(&id, EngineEvent::Started { prompt_tokens: 9, cached_tokens: 0 });
    (t, id, prompt.answer_prefix)
}

fn orders(out: &[Output]) -> Vec<HoldOrder> {
    out.iter().filter_map(|o| if let Output::Hold(order) = o { Some(*order) } else { None }).collect()
}

impl Talk {
    fn word(&mut self, id: &str, word: &str) -> Vec<Output> {
        self.engine(id, EngineEvent::Delta { text: word.to_owned() })
    }

    /// The stretch of voice that began then goes on up to `to_ms` of it, and is worth reading.
    fn voice_on(&mut self, onset: MediaTime, to_ms: u64) -> Vec<Output> {
        self.now = onset + Duration::from_millis(to_ms);
        let near = Duration::from_millis(to_ms);
        let evidence = Some(Evidence { onset, at: self.now, near, pitched: near, silent: Duration::ZERO });
        self.put(Input::Voice { evidence, at: self.now, sound: Some(vec![0.1; 16].into()) })
    }

    fn overheard(&mut self, out: &[Output], words: &str) -> Vec<Output> {
        let item_id = out.iter().find_map(|o| match o {
            Output::Overhear { item_id, .. } => Some(item_id.clone()),
            _ => None,
        });
        let (item_id, near) = (item_id.expect("it is read early"), Duration::from_millis(280));
        self.put(Input::Overheard { item_id, near, result: Ok(words.into()) })
    }
}

#[test]
fn an_answer_falls_silent_within_200_ms_of_a_voice_and_a_sign_of_listening_costs_nothing_of_it() {
    let (mut t, id, _) = answering();
    let before = told(&t.word(&id, " a cup"));
    let (began, mut out) = (t.now, t.put(Input::SpeechStarted { at: t.now }));
    out.extend(t.voice(200));
    assert_eq!(orders(&out), [HoldOrder::Begin]);
    out.extend(t.voice_on(began, 240));
    assert_eq!(told(&t.word(&id, " and")) + &told(&t.word(&id, " a")), "", "held back");
    let done = t.engine(&id, EngineEvent::Done { finish: Finish::Stop, output_tokens: 9 });
    assert!(types(&done).is_empty(), "so is its end");
    let out = t.after(60).overheard(&out, "Mm-hm.");
    assert!(matches!(orders(&out)[..], [HoldOrder::End { .. }]), "{out:?}");
    assert_eq!(before + &told(&out), " a cup and a");
    assert_eq!(types(&out).last().map(String::as_str), Some("response.done"));
}

#[test]
fn what_came_after_the_person_began_to_interrupt_is_neither_sent_nor_kept() {
    let (mut t, id, begins) = answering();
    let mut out = t.word(&id, " a cup");
    out.extend(t.put(Input::SpeechStarted { at: t.now }));
    let voice = t.voice(280);
    out.extend(t.word(&id, " and a spoon"));
    out.extend(t.overheard(&voice, "Stop."));
    out.extend(t.word(&id, " and a fork"));
    assert_eq!(told(&out), " a cup");
    let done = events(&out).into_iter().find(|e| e["type"] == "response.done").expect("cancelled");
    assert_eq!(done["response"]["status_details"]["reason"], "turn_detected");
    assert_eq!(done["response"]["output"][0]["content"][0]["text"], json!(format!("{begins} a cup")));
    assert!(matches!(orders(&out)[..], [HoldOrder::Stopped { .. }]));
    assert!(!t.c.holds_back());
}

#[test]
fn nothing_is_held_back_for_long_whatever_the_listener_does_not_say() {
    let (mut t, id, _) = answering();
    t.put(Input::SpeechStarted { at: t.now });
    t.voice(120);
    assert!(t.c.holds_back());
    t.word(&id, " a cup");
    let since = t.now;
    let mut out = Vec::new();
    while t.c.holds_back() {
        t.now = t.c.next_deadline().expect("it is waited for");
        out.extend(t.put(Input::Tick));
    }
    assert!(t.now.since(since) <= Duration::from_millis(1_500));
    assert_eq!(told(&out), " a cup");
    // A client that takes the speech back ends it at once.
    let (mut t, id, _) = answering();
    t.put(Input::SpeechStarted { at: t.now });
    t.voice(120);
    t.word(&id, " a cup");
    assert_eq!(told(&t.client(json!({"type": "input_audio_buffer.clear"}))), " a cup");
}

#[test]
fn what_is_said_outside_the_conversation_is_not_held_back() {
    let (mut t, _, _) = answering();
    let out = t.client(json!({"type": "response.create", "response": {"conversation": "none",
        "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Say hello."}]}]}}));
    let (other, _) = generated(&out).expect("begun");
    t.put(Input::SpeechStarted { at: t.now });
    t.voice(120);
    assert_eq!(told(&t.word(&other, "Hello")), "Hello");
}

#[test]
fn silence_between_two_doubts_is_not_doubt() {
    let (mut t, _, _) = answering();
    t.put(Input::SpeechStarted { at: t.now });
    let mut out = t.voice(160);
    for _ in 0..10 {
        t.after(40);
        out.extend(t.put(Input::Voice { evidence: None, at: t.now, sound: None }));
    }
    assert!(matches!(orders(&out)[..], [HoldOrder::Begin, HoldOrder::End { .. }]), "{:?}", orders(&out));
    out = t.voice(80);
    assert!(orders(&out).is_empty(), "the second time it takes more");
    assert!(matches!(orders(&t.voice(240))[..], [HoldOrder::Begin, ..]));
}

#[test]
fn the_answer_waits_for_near_sound_before_it_is_known_to_be_speech_and_goes_on_when_it_was_none() {
    let (mut t, id, _) = answering();
    let onset = t.now;
    let mut out = t.voice_on(onset, 64);
    assert_eq!(orders(&out), [HoldOrder::Begin]);
    assert_eq!(told(&t.word(&id, " a cup")), "", "held back");
    t.after(120);
    let near = Duration::from_millis(64);
    let over = Evidence { onset, at: t.now, near, pitched: near, silent: Duration::from_millis(120) };
    out = t.put(Input::Voice { evidence: Some(over), at: t.now, sound: None });
    assert!(matches!(orders(&out)[..], [HoldOrder::End { .. }]), "a click: {out:?}");
    assert_eq!(told(&out), " a cup");
    // The same that is speech is doubted on without a break.
    let onset = t.now;
    out = t.voice_on(onset, 64);
    out.extend(t.put(Input::SpeechStarted { at: onset }));
    out.extend(t.voice_on(onset, 120));
    assert_eq!(orders(&out), [HoldOrder::Begin]);
    // Nobody waits for long where the listener says nothing more.
    let (mut t, _, _) = answering();
    let since = t.now;
    t.voice_on(since, 64);
    while t.c.holds_back() {
        t.now = t.c.next_deadline().expect("it is waited for");
        t.put(Input::Tick);
    }
    assert!(t.now.since(since) <= Duration::from_millis(1_600));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    /// Words, voice, silence and readings in any order: a whole answer was told whole and in order; of one that was stopped the item keeps what
    /// was told, which is a beginning of it.
    #[test]
    fn nothing_is_lost_and_nothing_is_kept_that_was_not_told(steps in proptest::collection::vec(0_u8..9, 1..60)) {
        let (mut t, id, begins) = answering();
        let (mut out, mut all, mut last) = (Vec::new(), String::new(), Vec::new());
        for (i, step) in steps.into_iter().enumerate() {
            let more = match step {
                0..=2 => {
                    let word = format!(" w{i}");
                    all.push_str(&word);
                    t.word(&id, &word)
                }
                3 => t.put(Input::SpeechStarted { at: t.now }),
                4 => t.voice(280),
                5 => {
                    t.after(300);
                    t.put(Input::Voice { evidence: None, at: t.now, sound: None })
                }
                7 => t.voice_on(t.now, 64),
                6 => t.put(Input::SpeechStopped { utterance: utterance(t.now.as_millis()), decided: t.now }),
                _ if last.iter().any(|o| matches!(o, Output::Overhear { .. })) => {
                    let words = if i % 3 == 0 { "Stop." } else { "Mm-hm." };
                    t.overheard(&last, words)
                }
                _ => Vec::new(),
            };
            if more.iter().any(|o| matches!(o, Output::Overhear { .. })) {
                last.clone_from(&more);
            }
            out.extend(more);
        }
        out.extend(t.engine(&id, EngineEvent::Done { finish: Finish::Stop, output_tokens: 9 }));
        for _ in 0..20 {
            if !t.c.holds_back() { break }
            t.now = t.c.next_deadline().expect("it is waited for").max(t.now);
            out.extend(t.put(Input::Tick));
        }
        let sent = told(&out);
        let done = events(&out).into_iter().find(|e| e["type"] == "response.done").expect("it ends");
        prop_assert!(all.starts_with(&sent), "{:?} {:?}", all, sent);
        if done["response"]["status"] == "completed" {
            prop_assert_eq!(&sent, &all);
        } else {
            let kept = done["response"]["output"][0]["content"][0]["text"].as_str();
            let sent = format!("{begins}{sent}");
            prop_assert_eq!(kept, Some(sent.as_str()));
        }
    }
}
