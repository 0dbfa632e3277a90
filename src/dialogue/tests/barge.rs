//! Speech during an answer: what stops it, what does not, and what is told and kept of either.

use proptest::prelude::*;

use super::talk::*;
use super::*;

/// A conversation in which an answer has begun to come.
fn answering() -> (Talk, String) {
    let mut t = Talk::seeing();
    let (id, _) = generated(&t.ask("What do you see?")).expect("begun");
    t.engine(&id, EngineEvent::Started { prompt_tokens: 9, cached_tokens: 0 });
    t.engine(&id, EngineEvent::Delta { text: " a red cup and".into() });
    (t, id)
}

fn overheard(out: &[Output]) -> Option<String> {
    out.iter().find_map(|o| if let Output::Overhear { item_id, .. } = o { Some(item_id.clone()) } else { None })
}

impl Talk {
    /// Says `words` for so long into an answer, with an early reading of them if it lasts.
    fn interject(&mut self, long_ms: u64, early: &str, words: &str) -> Vec<Output> {
        let mut out = self.put(Input::SpeechStarted { at: self.now });
        out.extend(self.voice(long_ms));
        if let Some(item_id) = overheard(&out) {
            let near = Duration::from_millis(280);
            out.extend(self.after(80).put(Input::Overheard { item_id, near, result: Ok(early.into()) }));
        }
        let end = self.now.as_millis();
        self.after(400);
        out.extend(self.put(Input::SpeechStopped { utterance: utterance(end), decided: self.now }));
        if let Some(item_id) = transcribed(&out) {
            out.extend(self.after(100).put(Input::Transcribed { item_id, result: Ok(words.into()) }));
        }
        out
    }
}

fn status(out: &[Output]) -> Option<Value> {
    events(out).into_iter().find(|e| e["type"] == "response.done")
}

#[test]
fn a_sign_of_listening_leaves_no_trace_on_the_wire_and_none_for_the_model() {
    let (mut t, id) = answering();
    let out = t.interject(400, "Mm-hm.", "Mm-hm.");
    assert_eq!(types(&out), Vec::<String>::new(), "clients would throw the answer away");
    assert!(!out.iter().any(|o| matches!(o, Output::Cancel { .. } | Output::Generate { .. })));
    let out = t.engine(&id, EngineEvent::Done { finish: Finish::Stop, output_tokens: 9 });
    assert_eq!(status(&out).expect("done")["response"]["status"], "completed");
    assert!(generated(&out).is_none(), "it is not answered");
    t.put(Input::Scene(cup(t.now)));
    let (_, prompt) = generated(&t.ask("Where is it?")).expect("begun");
    assert!(prompt.messages.iter().all(|m| !m.content.contains("hm")));
}

#[test]
fn a_stop_word_stops_the_answer_with_its_early_reading() {
    let (mut t, id) = answering();
    t.put(Input::SpeechStarted { at: t.now });
    let out = t.voice(320);
    let item_id = overheard(&out).expect("read early");
    assert!(types(&out).is_empty(), "nothing is told before anything is known");
    let out = t.put(Input::Overheard { item_id, near: Duration::from_millis(280), result: Ok("Stop".into()) });
    assert_eq!(types(&out)[0], "input_audio_buffer.speech_started");
    let done = status(&out).expect("the answer ends at once");
    assert_eq!(done["response"]["status"], "cancelled");
    assert_eq!(done["response"]["status_details"]["reason"], "turn_detected");
    assert!(out.iter().any(|o| matches!(o, Output::Cancel { response_id } if *response_id == id)));
}

#[test]
fn voice_that_goes_on_stops_the_answer_when_the_device_is_too_busy_to_read_it() {
    let (mut t, _) = answering();
    let (from, mut out) = (t.now, t.put(Input::SpeechStarted { at: t.now }));
    out.extend(t.voice(680));
    assert!(status(&out).is_some());
    assert!(t.now.since(from) <= Duration::from_millis(700));
    // A listener that says nothing at all does not make it deaf.
    let (mut t, _) = answering();
    t.put(Input::SpeechStarted { at: t.now });
    t.now = t.c.next_deadline().expect("it waits for the listener");
    assert!(status(&t.put(Input::Tick)).is_some());
}

#[test]
fn a_short_word_of_ones_own_becomes_a_turn_once_it_is_read() {
    let (mut t, _) = answering();
    let out = t.interject(200, "", "Louder.");
    assert_eq!(
        types(&out),
        [
            "input_audio_buffer.speech_started",
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "conversation.item.done",
            "response.done",
            "input_audio_buffer.speech_stopped",
            "input_audio_buffer.committed",
            "conversation.item.added",
            "conversation.item.done",
            "conversation.item.input_audio_transcription.completed",
            "response.created",
            "rate_limits.updated",
            "response.output_item.added",
            "conversation.item.added",
            "response.content_part.added",
            "response.output_text.delta",
        ]
    );
}

#[test]
fn yes_is_a_turn_when_it_replies_to_a_question_of_ours() {
    for (said, turns) in [(" a cup. Shall I read it?", 1), (" a cup. It is red and", 0)] {
        let (mut t, id) = answering();
        t.engine(&id, EngineEvent::Delta { text: said.into() });
        let out = t.interject(300, "Yes.", "Yes.");
        let committed = types(&out).iter().filter(|e| *e == "input_audio_buffer.committed").count();
        assert_eq!(committed, turns, "{said}");
        assert!(!out.iter().any(|o| matches!(o, Output::Cancel { .. })));
    }
}

#[test]
fn without_leave_to_interrupt_speech_is_told_at_once_and_a_sign_of_listening_is_not_answered() {
    let (mut t, id) = answering();
    t.client(json!({"type": "session.update", "session": {"type": "realtime",
        "audio": {"input": {"turn_detection": {"type": "server_vad", "interrupt_response": false}}}}}));
    let out = t.put(Input::SpeechStarted { at: t.now });
    assert_eq!(types(&out), ["input_audio_buffer.speech_started"]);
    let end = t.now.as_millis() + 300;
    t.after(700);
    let out = t.put(Input::SpeechStopped { utterance: utterance(end), decided: t.now });
    let item_id = transcribed(&out).expect("read");
    let out = t.put(Input::Transcribed { item_id, result: Ok("Yeah, okay.".into()) });
    assert_eq!(types(&out), ["conversation.item.input_audio_transcription.completed"]);
    let out = t.engine(&id, EngineEvent::Done { finish: Finish::Stop, output_tokens: 9 });
    assert!(generated(&out).is_none());
    let (_, prompt) = generated(&t.ask("Where is it?")).expect("begun");
    assert!(prompt.messages.iter().all(|m| !m.content.contains("okay")), "{prompt:?}");
}

#[test]
fn a_voice_heard_over_a_television_interrupts_too() {
    let mut t = Talk::seeing();
    t.put(Input::SpeechStarted { at: t.now });
    t.after(2_000).put(Input::Scene(cup(MediaTime::from_millis(12_000))));
    let (id, _) = generated(&t.ask("What do you see?")).expect("begun by a typed question");
    t.engine(&id, EngineEvent::Started { prompt_tokens: 9, cached_tokens: 0 });
    for _ in 0..50 {
        t.after(40);
        assert!(t.put(Input::Voice { evidence: None, at: t.now, sound: None }).is_empty(), "far away");
    }
    assert!(status(&t.voice(680)).is_some());
}

#[test]
fn asides_are_bounded() {
    let (mut t, _) = answering();
    let mut read = 0;
    for _ in 0..50 {
        t.put(Input::SpeechStarted { at: t.now });
        let end = t.now.as_millis();
        t.after(200);
        let out = t.put(Input::SpeechStopped { utterance: utterance(end), decided: t.now });
        read += usize::from(transcribed(&out).is_some());
    }
    assert_eq!(read, Limits::default().pending);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// However an answer comes and whenever it is cut off: what the item says, and what the model is shown of it, is what was sent.
    #[test]
    fn only_what_was_delivered_is_kept(words in proptest::collection::vec("[a-z]{1,6}", 1..20), cut in 0_usize..20) {
        let mut t = Talk::seeing();
        let mut out = t.ask("What do you see?");
        let (id, _) = generated(&out).expect("begun");
        out.extend(t.engine(&id, EngineEvent::Started { prompt_tokens: 9, cached_tokens: 0 }));
        for word in words.iter().take(cut) {
            out.extend(t.engine(&id, EngineEvent::Delta { text: format!(" {word}") }));
        }
        out.extend(t.put(Input::SpeechStarted { at: t.now }));
        out.extend(t.voice(680));
        for word in words.iter().skip(cut) {
            out.extend(t.engine(&id, EngineEvent::Delta { text: format!(" {word}") }));
        }
        let sent: String = events(&out).iter().filter(|e| e["type"] == "response.output_text.delta").filter_map(|e| e["delta"].as_str().map(str::to_owned)).collect();
        let done = status(&out).expect("cancelled");
        prop_assert_eq!(&done["response"]["status"], "cancelled");
        let item = &done["response"]["output"][0];
        prop_assert_eq!(item["content"][0]["text"].as_str(), Some(sent.as_str()));
        prop_assert_eq!(&item["status"], "incomplete");
        let kept = t.client(json!({"type": "conversation.item.retrieve", "item_id": item["id"]}));
        let kept = events(&kept);
        prop_assert_eq!(kept[0]["item"]["content"][0]["text"].as_str(), Some(sent.as_str()));
        let (_, prompt) = generated(&t.ask("And where is it?")).expect("begun");
        let shown = prompt.messages.iter().find(|m| m.role == Role::Assistant);
        prop_assert!(shown.is_none_or(|m| m.content == sent.trim()), "{:?} {sent:?}", shown);
    }
}
