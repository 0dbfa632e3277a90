//! The words that an answer must begin with: there before the model has computed anything, and none where the person had not finished.

use super::talk::*;
use super::*;
use crate::wire::Extension;

fn seeing() -> Talk {
    let mut t = Talk::new(|s| {
        s.video = VideoState::Live;
        s.audio_track = true;
        s.extensions = vec![Extension::Latency];
    });
    t.put(Input::Scene(cup(t.now)));
    t
}

/// A question asked aloud: what comes of it once its words are known.
fn asked_aloud(t: &mut Talk, words: &str) -> Vec<Output> {
    let mut out = t.put(Input::SpeechStarted { at: t.now });
    let end = t.after(1_000).now.as_millis();
    t.after(200);
    t.put(Input::Scene(cup(t.now)));
    out.extend(t.put(Input::SpeechStopped { utterance: utterance(end), decided: t.now }));
    if let Some(item_id) = transcribed(&out) {
        out.extend(t.put(Input::Transcribed { item_id, result: Ok(words.into()) }));
    }
    out
}

#[test]
fn they_are_sent_with_the_prompt_and_what_each_took_is_told_apart() {
    let mut t = seeing();
    let out = asked_aloud(&mut t, "What do you see?");
    let (id, prompt) = generated(&out).expect("begun");
    assert!(!prompt.answer_prefix.is_empty());
    assert_eq!(told(&out), prompt.answer_prefix);
    let out = t.after(300).answer(&id, &format!("{}.", prompt.answer_prefix));
    assert_eq!(told(&out), ".", "once");
    let latency = events(&out).into_iter().find(|e| e["type"] == "response.latency").expect("asked for");
    assert_eq!((&latency["first_words_ms"], &latency["total_ms"]), (&json!(200), &json!(500)));
    assert_eq!(latency["first_token_ms"], 300, "the model's");
}

#[test]
fn where_there_are_none_nothing_is_said_before_the_model_does() {
    let mut t = seeing();
    let out = asked_aloud(&mut t, "What is the capital of France?");
    let (id, prompt) = generated(&out).expect("begun");
    assert_eq!((prompt.answer_prefix.as_str(), told(&out).as_str()), ("", ""));
    assert!(!types(&out).contains(&"response.output_item.added".to_owned()));
    let out = t.after(300).answer(&id, "Paris.");
    let latency = events(&out).into_iter().find(|e| e["type"] == "response.latency").expect("asked for");
    assert_eq!((&latency["first_words_ms"], &latency["total_ms"]), (&json!(500), &json!(500)));
}

/// The messages of the next answer when somebody goes on so long after the first words of the one before.
fn gone_on_after(ms: u64) -> Vec<Message> {
    let mut t = seeing();
    assert!(!told(&asked_aloud(&mut t, "What do you see")).is_empty());
    t.after(ms);
    let onset = t.now;
    let mut out = t.put(Input::SpeechStarted { at: onset });
    out.extend(t.voice(720));
    assert!(types(&out).contains(&"response.done".to_owned()), "it is cut off");
    let end = t.now.as_millis();
    t.after(300);
    t.put(Input::Scene(cup(t.now)));
    out = t.put(Input::SpeechStopped { utterance: utterance(end), decided: t.now });
    let item_id = transcribed(&out).expect("read");
    let out = t.put(Input::Transcribed { item_id, result: Ok("on the left of the table?".into()) });
    generated(&out).expect("begun").1.messages
}

#[test]
fn who_goes_on_before_anybody_could_have_read_them_is_asking_one_question() {
    let messages = gone_on_after(200);
    assert!(messages.iter().all(|m| m.role != Role::Assistant), "{messages:?}");
    let last = &messages.last().expect("a message").content;
    assert!(last.contains("What do you see on the left of the table?"), "{last}");
}

#[test]
fn who_speaks_later_has_been_answered() {
    let messages = gone_on_after(900);
    assert!(messages.iter().any(|m| m.role == Role::Assistant), "{messages:?}");
    let last = &messages.last().expect("a message").content;
    assert!(!last.contains("What do you see"), "{last}");
}

#[test]
fn the_voice_begins_with_them() {
    let mut t = Talk::new(|s| {
        s.video = VideoState::Waiting;
        s.names.voice = Some("hum".into());
    });
    t.client(json!({"type": "session.update", "session": {"type": "realtime", "output_modalities": ["audio"]}}));
    let out = t.ask("What do you see?");
    let (id, prompt) = generated(&out).expect("begun");
    let said: Vec<_> =
        out.iter().filter_map(|o| if let Output::Speak { text, .. } = o { Some(text) } else { None }).collect();
    assert_eq!(said, ["I can't see anything yet,"]);
    assert!(prompt.answer_prefix.starts_with(said[0]));
    let out = t.engine(&id, EngineEvent::Started { prompt_tokens: 9, cached_tokens: 0 });
    assert!(!out.iter().any(|o| matches!(o, Output::Speak { .. })), "one piece at a time");
}
