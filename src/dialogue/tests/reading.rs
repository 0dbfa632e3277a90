//! What is done with words before the turn is over.

use proptest::prelude::*;

use super::talk::*;
use super::*;
use crate::listen::SoFar;

/// Speech of so many samples, as it was when its last voiced frame ended at that moment.
fn so_far(count: usize, until_ms: u64, whole: bool) -> SoFar {
    SoFar { samples: vec![0.1; count].into(), voiced_until: MediaTime::from_millis(until_ms), whole }
}

fn reads(out: &[Output]) -> Option<(String, Arc<[f32]>)> {
    out.iter().find_map(|o| match o {
        Output::Read(ReadOrder::SoFar { item_id, sound }) => Some((item_id.clone(), Arc::clone(sound))),
        _ => None,
    })
}

fn count(out: &[Output], which: fn(&Output) -> bool) -> usize {
    out.iter().filter(|o| which(o)).count()
}

fn deltas(out: &[Output]) -> String {
    let all = events(out);
    let deltas = all.iter().filter(|e| e["type"] == "conversation.item.input_audio_transcription.delta");
    deltas.filter_map(|e| e["delta"].as_str()).collect()
}

impl Talk {
    fn speaks(&mut self) -> Vec<Output> {
        self.put(Input::SpeechStarted { at: self.now })
    }

    /// The speech so far is read, in 100 ms, as these words.
    fn read(&mut self, count: usize, whole: bool, words: &str) -> Vec<Output> {
        let mut out = self.put(Input::SoFar(so_far(count, 1, whole)));
        if let Some((item_id, sound)) = reads(&out) {
            out.extend(self.after(100).put(Input::ReadSoFar(ReadSoFar { item_id, sound, result: Ok(words.into()) })));
        }
        self.after(400);
        out
    }

    /// It ends, with [`utterance`]'s samples.
    fn falls_silent(&mut self) -> Vec<Output> {
        let decided = self.now;
        self.put(Input::SpeechStopped { utterance: utterance(10_000), decided })
    }
}

#[test]
fn words_are_told_while_the_person_speaks_and_an_utterance_that_was_read_in_its_last_pause_is_not_read_again() {
    let mut t = Talk::seeing();
    t.speaks();
    let mut out = t.read(6_000, false, "Where is");
    out.extend(t.read(12_000, false, "Where is the cup?"));
    assert_eq!(deltas(&out), "Where is", "only what two readings agree on");
    out.extend(t.read(16_000, true, "Where is the cup?"));
    assert_eq!(deltas(&out), "Where is the cup");
    let ended = t.falls_silent();
    assert_eq!(count(&ended, |o| matches!(o, Output::Transcribe { .. })), 0);
    assert_eq!(count(&ended, |o| matches!(o, Output::Read(ReadOrder::Reused { waited: false }))), 1);
    assert_eq!(
        types(&ended),
        [
            "input_audio_buffer.speech_stopped",
            "input_audio_buffer.committed",
            "conversation.item.added",
            "conversation.item.done",
            "conversation.item.input_audio_transcription.delta",
            "conversation.item.input_audio_transcription.completed",
            "response.created",
            "rate_limits.updated",
        ],
        "the order of events is that of a turn that was read at its end"
    );
    out.extend(ended);
    assert_eq!(deltas(&out), "Where is the cup?", "the deltas together are the transcript");
}

#[test]
fn an_utterance_that_is_being_read_when_it_ends_is_waited_for_at_its_full_priority() {
    let mut t = Talk::seeing();
    t.speaks();
    let out = t.put(Input::SoFar(so_far(16_000, 1, true)));
    let (item_id, sound) = reads(&out).expect("a pause is read");
    let out = t.falls_silent();
    assert_eq!(count(&out, |o| matches!(o, Output::Read(ReadOrder::Hurry))), 1);
    assert_eq!(count(&out, |o| matches!(o, Output::Transcribe { .. } | Output::Read(ReadOrder::Drop))), 0);
    // The next speech does not take it away.
    t.speaks();
    let stale = Input::ReadSoFar(ReadSoFar {
        item_id: item_id.clone(),
        sound: vec![0.2; 3].into(),
        result: Ok("Wrong".into()),
    });
    assert!(events(&t.put(stale)).is_empty(), "the reading of other sound is not this turn's");
    let out = t.put(Input::ReadSoFar(ReadSoFar { item_id, sound, result: Ok("Where is the cup?".into()) }));
    assert_eq!(events(&out)[0]["transcript"], "Where is the cup?");
}

#[test]
fn what_nobody_may_wait_for_is_not_hurried() {
    let mut t = Talk::new(|s| s.limits.pending = 1);
    t.speaks();
    assert_eq!(count(&t.falls_silent(), |o| matches!(o, Output::Transcribe { .. })), 1, "all that may wait");
    t.speaks();
    t.put(Input::SoFar(so_far(16_000, 1, true)));
    let out = t.falls_silent();
    assert!(types(&out).contains(&"conversation.item.input_audio_transcription.failed".to_owned()));
    assert_eq!(count(&out, |o| matches!(o, Output::Read(ReadOrder::Hurry | ReadOrder::Reused { .. }))), 0);
    assert_eq!(count(&out, |o| matches!(o, Output::Read(ReadOrder::Drop))), 1);
}

#[test]
fn a_line_that_breaks_ends_the_reading_of_what_was_being_said() {
    for input in [Input::Cut, Input::Client(ClientEvent::parse(r#"{"type":"input_audio_buffer.clear"}"#).expect("one"))]
    {
        let mut t = Talk::seeing();
        t.speaks();
        let (item_id, sound) = reads(&t.put(Input::SoFar(so_far(6_000, 1, false)))).expect("read");
        let out = t.put(input);
        assert_eq!(count(&out, |o| matches!(o, Output::Read(ReadOrder::Drop))), 1);
        assert_eq!(count(&out, |o| matches!(o, Output::ClearAudio)), 1);
        assert!(t.put(Input::ReadSoFar(ReadSoFar { item_id, sound, result: Ok("Where".into()) })).is_empty());
    }
}

#[test]
fn a_reading_that_fails_when_it_is_waited_for_is_done_again_as_a_whole() {
    let mut t = Talk::seeing();
    t.speaks();
    let (item_id, sound) = reads(&t.put(Input::SoFar(so_far(16_000, 1, true)))).expect("read");
    t.falls_silent();
    let out = t.put(Input::ReadSoFar(ReadSoFar { item_id, sound, result: Err("superseded".into()) }));
    assert_eq!(count(&out, |o| matches!(o, Output::Transcribe { .. })), 1);
    assert!(events(&out).is_empty());
}

#[test]
fn speech_that_went_on_after_it_was_read_is_read_as_a_whole_and_the_old_reading_is_given_up() {
    let mut t = Talk::seeing();
    t.speaks();
    t.put(Input::SoFar(so_far(12_000, 1, true)));
    let out = t.falls_silent();
    assert_eq!(count(&out, |o| matches!(o, Output::Read(ReadOrder::Drop))), 1);
    assert_eq!(count(&out, |o| matches!(o, Output::Transcribe { .. })), 1);
}

#[test]
fn readings_of_half_a_sentence_leave_the_device_to_others_and_a_pause_goes_ahead() {
    let mut t = Talk::seeing();
    t.speaks();
    let out = t.put(Input::SoFar(so_far(6_000, 1, false)));
    let (item_id, sound) = reads(&out).expect("the first");
    assert!(reads(&t.put(Input::SoFar(so_far(7_000, 1, false)))).is_none(), "one is under way");
    t.after(300).put(Input::ReadSoFar(ReadSoFar { item_id, sound, result: Ok("Where".into()) }));
    assert!(reads(&t.after(200).put(Input::SoFar(so_far(9_000, 1, false)))).is_none(), "it took longer than this");
    assert!(reads(&t.put(Input::SoFar(so_far(9_000, 1, true)))).is_some());
    assert!(reads(&t.put(Input::SoFar(so_far(12_000, 1, true)))).is_some(), "the newest wins");
}

#[test]
fn what_has_not_proved_to_be_an_interruption_is_not_told() {
    let mut t = Talk::seeing();
    let (id, _) = generated(&t.ask("What do you see?")).expect("begun");
    t.engine(&id, EngineEvent::Delta { text: " a cup".into() });
    t.speaks();
    assert!(reads(&t.put(Input::SoFar(so_far(6_000, 1, false)))).is_none());
    t.voice(680);
    assert!(reads(&t.put(Input::SoFar(so_far(6_000, 1, false)))).is_some(), "now it has");
}

#[test]
fn the_prompt_cache_takes_in_the_question_while_it_is_asked() {
    fn warmed(out: &[Output]) -> Option<String> {
        out.iter().rev().find_map(|o| match o {
            Output::Warm { prompt, soon: true } => prompt.messages.last().map(|m| m.content.clone()),
            _ => None,
        })
    }
    let mut t = Talk::new(|s| {
        (s.video, s.audio_track) = (VideoState::Live, true);
        s.limits.answer_ahead = false;
    });
    t.put(Input::Scene(cup(t.now)));
    t.speaks();
    t.read(6_000, false, "Where is");
    let ahead = warmed(&t.read(12_000, false, "Where is the")).expect("two words are sure");
    assert!(ahead.ends_with("\nQuestion: Where is"), "{ahead}");
    let all = warmed(&t.read(16_000, true, "Where is the cup?")).expect("it may be over");
    let facts = cup(t.now);
    t.put(Input::Scene(facts));
    let out = t.falls_silent();
    let (_, prompt) = generated(&out).expect("answered at once");
    assert_eq!(prompt.messages.last().map(|m| m.content.as_str()), Some(all.as_str()), "nothing is left to take in");
    assert_eq!(count(&out, |o| matches!(o, Output::Read(ReadOrder::PrefillDiscarded))), 0);
}

#[test]
fn a_question_taken_in_ahead_that_goes_on_otherwise_is_counted() {
    let mut t = Talk::seeing();
    t.speaks();
    t.read(6_000, true, "Where is the cup?");
    let out = t.read(12_000, true, "Where is the cup that I had?");
    assert_eq!(count(&out, |o| matches!(o, Output::Read(ReadOrder::PrefillDiscarded))), 1);
}

proptest! {
    /// Whatever is read in whatever order: what is told is a beginning of each other, and the transcript is the newest reading of all of it.
    #[test]
    fn deltas_only_grow(readings in proptest::collection::vec(("(a|bc|d\\.|e,| ){0,8}", any::<bool>()), 0..8)) {
        let mut t = Talk::seeing();
        let mut out = t.speaks();
        let mut last = String::new();
        for (i, (words, whole)) in readings.iter().enumerate() {
            out.extend(t.read(1_000 * (i + 1), *whole, words));
            last.clone_from(words);
        }
        out.extend(t.read(16_000, true, &last));
        let before = deltas(&out);
        out.extend(t.falls_silent());
        let told = deltas(&out);
        prop_assert!(told.starts_with(&before));
        let all = events(&out);
        let done = all.iter().find(|e| e["type"] == "conversation.item.input_audio_transcription.completed").expect("read");
        let transcript = done["transcript"].as_str().expect("text");
        prop_assert_eq!(transcript, last.trim());
        // Where readings contradicted what was told, `completed` has the last word.
        if transcript.starts_with(&before) && !before.is_empty() {
            prop_assert_eq!(told, transcript);
        }
    }
}

#[test]
fn a_pause_is_as_long_as_what_was_said_before_it_calls_for_and_only_where_the_client_asked() {
    fn needed(out: &[Output]) -> Option<Duration> {
        out.iter().find_map(|o| {
            if let Output::Read(ReadOrder::NeedSilence { needed, .. }) = o { Some(*needed) } else { None }
        })
    }
    let turn = |turn: Value| {
        let mut t = Talk::seeing();
        let session = json!({"type": "realtime", "audio": {"input": {"turn_detection": turn}}});
        let out = t.client(json!({"type": "session.update", "session": session}));
        t.speaks();
        (t, events(&out)[0]["session"]["audio"]["input"]["turn_detection"].clone())
    };
    let (mut t, shown) = turn(json!({"type": "semantic_vad"}));
    assert_eq!(shown["eagerness"], "auto");
    let finished = needed(&t.read(16_000, true, "Where is the cup?")).expect("a pause is judged");
    let hanging = needed(&t.read(20_000, true, "Where is the cup? And")).expect("so is the next");
    assert!(finished < hanging);
    assert_eq!(needed(&t.read(22_000, false, "Where is the cup? And the")), None, "no pause");
    let (mut t, _) = turn(json!({"type": "semantic_vad", "eagerness": "low"}));
    assert!(needed(&t.read(16_000, true, "Where is the cup? And")).expect("judged") > hanging);
    let (mut t, shown) = turn(json!({"type": "server_vad"}));
    assert_eq!(shown.get("eagerness"), None);
    assert_eq!(needed(&t.read(16_000, true, "Where is the cup?")), None);
}

#[test]
fn sound_that_the_client_commits_is_told_as_it_comes_and_known_when_it_is_committed() {
    let mut t = Talk::seeing();
    t.client(json!({"type": "session.update", "session": {"type": "realtime",
        "audio": {"input": {"turn_detection": null}}}}));
    t.read(6_000, false, "Where is");
    let out = t.read(12_000, false, "Where is the cup?");
    assert_eq!(deltas(&out), "Where is");
    let item_id = events(&out)[0]["item_id"].clone();
    t.read(16_000, true, "Where is the cup?");
    let (out, end) = (t.client(json!({"type": "input_audio_buffer.commit"})), t.now.as_millis());
    assert!(out.iter().any(|o| matches!(o, Output::CommitAudio)));
    let out = t.put(Input::Committed { utterance: Some(utterance(end)) });
    let all = events(&out);
    assert_eq!((&all[0]["type"], &all[0]["item_id"]), (&json!("input_audio_buffer.committed"), &item_id));
    assert_eq!(all.last().expect("its words")["transcript"], "Where is the cup?", "at once");
    assert_eq!(count(&out, |o| matches!(o, Output::Transcribe { .. })), 0);
    // What is thrown away is not the next one's.
    t.read(6_000, true, "Never mind");
    t.client(json!({"type": "input_audio_buffer.clear"}));
    let out = t.read(6_000, true, "What is");
    assert_eq!(deltas(&t.read(8_000, true, "What is this?")), "What is");
    assert!(reads(&out).is_some_and(|(id, _)| json!(id) != item_id));
}

#[test]
fn a_wait_for_somebody_in_mid_thought_gives_nothing_up() {
    let mut t = Talk::seeing();
    t.client(json!({"type": "session.update", "session": {"type": "realtime",
        "audio": {"input": {"turn_detection": {"type": "semantic_vad"}}}}}));
    for _ in 0..12 {
        t.speaks();
        t.read(16_000, true, "I was wondering if");
        t.after(1_500);
        let facts = cup(t.now);
        t.put(Input::Scene(facts));
        // Two seconds after the last word.
        let end_ms = t.now.as_millis() - 2_000;
        let said = Utterance { samples: vec![0.1; 16_000].into(), ..utterance(end_ms) };
        let decided = t.now;
        let out = t.put(Input::SpeechStopped { utterance: said, decided });
        let (id, _) = generated(&out).expect("answered");
        let out = t.answer(&id, " a cup.");
        assert_eq!(count(&out, |o| matches!(o, Output::Degrade { .. } | Output::Overrun(_))), 0);
    }
}
