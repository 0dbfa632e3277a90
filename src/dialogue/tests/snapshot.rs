//! A conversation written down and taken up again, as after a restart.

use super::talk::*;
use super::*;
use crate::memory::Span;
use crate::wire::Extension;

const MOST: usize = 200_000;

/// The conversation as another process takes it up, and what it tells at once.
fn taken_up(t: &Talk) -> (Talk, Vec<Output>) {
    let json = t.c.snapshot(MOST).expect("something to keep");
    let again = Snapshot::parse(serde_json::from_str(&json.to_string()).expect("JSON")).expect("its own version");
    let mut setup = Setup::new("sess_other", [2; 32]);
    setup.restore = Some(again);
    // Its clock began anew, its memory's did not.
    setup.memory.elapsed = Duration::from_secs(3_600);
    let (c, out) = Conversation::open(setup, MediaTime::from_millis(500));
    (Talk { c, now: MediaTime::from_millis(600) }, out)
}

fn session(t: &Talk) -> Value {
    serde_json::to_value(t.c.session()).expect("serialises")
}

#[test]
fn items_settings_and_ids_come_back_as_they_were() {
    let mut t = Talk::new(|s| s.extensions = vec![Extension::Resume]);
    assert!(t.c.snapshot(MOST).is_none(), "nothing was said: nothing is kept");
    t.client(json!({"type": "session.update", "session": {"type": "realtime", "instructions": "Be brief.", "max_output_tokens": 50,
        "tools": [{"type": "function", "name": "f"}], "tracing": "auto",
        "audio": {"input": {"turn_detection": null, "format": {"type": "audio/pcm", "rate": 16000}, "transcription": {"model": "x", "language": "en"}},
        "output": {"speed": 1.25}}}}));
    let out = t.ask("What is this?");
    let (id, _) = generated(&out).expect("an answer");
    t.answer(&id, "A cup.");
    for item in [
        json!({"type": "message", "role": "system", "content": [{"type": "input_text", "text": "It is late."}]}),
        json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}),
        json!({"type": "function_call_output", "call_id": "c", "output": "42"}),
        json!({"type": "message", "role": "user", "content": [{"type": "input_audio", "transcript": "Hello."},
            {"type": "input_image", "detail": "low", "image_url": "data:image/jpeg;base64,/9j/4AAQSkZJRg=="}]}),
    ] {
        t.client(json!({"type": "conversation.item.create", "item": item}));
    }
    let (mut again, out) = taken_up(&t);
    assert_eq!(types(&out), Vec::<String>::new(), "nothing was under way, so there is nothing to tell");
    assert_eq!(session(&again), session(&t));
    assert_eq!(again.c.holds(), t.c.holds());
    for id in t.c.holds().0 {
        let ask = json!({"type": "conversation.item.retrieve", "item_id": id});
        let (mut a, mut b) = (events(&t.client(ask.clone())), events(&again.client(ask)));
        assert_eq!(a[0]["item"].take(), b[0]["item"].take());
    }
    // The same again: what was taken up can be kept in its turn.
    let kept = |t: &Talk| t.c.snapshot(MOST).expect("a snapshot");
    assert_eq!(kept(&again), kept(&t));
    let response = events(&again.ask("And now?")).into_iter().find(|e| e["type"] == "response.created").expect("one");
    assert_eq!(response["response"]["conversation_id"], kept(&t)["conversation_id"]);
}

#[test]
fn what_was_seen_in_a_picture_of_the_conversation_outlives_a_restart() {
    let mut t = Talk::new(|_| {});
    let picture = json!({"type": "input_image", "image_url": "data:image/jpeg;base64,/9j/4AAQSkZJRg=="});
    let show = |t: &mut Talk| {
        let item = json!({"type": "message", "role": "user", "content": [picture.clone()]});
        let out = t.client(json!({"type": "conversation.item.create", "item": item}));
        let look = out.iter().find_map(|o| if let Output::LookAtImage { look, .. } = o { Some(*look) } else { None });
        look.expect("it is looked at")
    };
    let look = show(&mut t);
    let facts = cup(t.now);
    t.put(Input::Looked { look, result: Ok(facts) });
    let (mut again, _) = taken_up(&t);
    let (_, prompt) = generated(&again.ask("What colour is the cup?")).expect("answered");
    assert!(format!("{prompt:?}").contains("red"), "{prompt:?}");
    // One that nobody had looked at yet is not waited for.
    show(&mut t);
    let (mut again, _) = taken_up(&t);
    let (_, prompt) = generated(&again.ask("What is this?")).expect("answered at once");
    assert!(prompt.answer_prefix.contains("could not open"), "{prompt:?}");
    // They cost little: those of a few items, however many there are.
    for _ in 0..20 {
        let look = show(&mut t);
        let facts = cup(t.now);
        t.after(20_000).put(Input::Looked { look, result: Ok(facts) });
    }
    let json = t.c.snapshot(MOST).expect("kept");
    let kept = json["items"].as_array().expect("items").iter().filter(|i| i.get("pictures").is_some()).count();
    assert_eq!(kept, 4);
}

#[test]
fn what_was_under_way_is_told_as_over() {
    let mut t = Talk::seeing();
    t.client(json!({"type": "session.update", "session": {"type": "realtime", "extensions": ["memory"]}}));
    t.client(json!({"type": "memory.watch.create", "condition": "when you see a dog"}));
    let out = t.ask("Tell me a story.");
    let (id, _) = generated(&out).expect("an answer");
    t.engine(&id, EngineEvent::Started { prompt_tokens: 9, cached_tokens: 0 });
    t.engine(&id, EngineEvent::Delta { text: "Once upon".into() });
    let (mut again, out) = taken_up(&t);
    assert_eq!(types(&out), ["response.done", "memory.watch.ended"]);
    let told = events(&out);
    let response = &told[0]["response"];
    assert_eq!((response["id"].as_str(), response["status"].as_str()), (Some(&*id), Some("failed")));
    assert_eq!(response["output"][0]["status"], "incomplete");
    let words = response["output"][0]["content"][0]["text"].as_str().expect("what was said so far");
    assert!(words.ends_with("Once upon"), "{words}");
    assert_eq!(told[1]["reason"], "restarted");
    let (items, responses) = again.c.holds();
    assert_eq!((items.len(), responses.len()), (2, 0));
    assert!(generated(&again.ask("Go on.")).is_some(), "nothing is in the way of the next answer");
}

#[test]
fn the_oldest_are_left_out_when_there_is_no_room() {
    let mut t = Talk::new(|_| {});
    for i in 0..20 {
        t.say(&format!("{i} {}", "x".repeat(500)));
    }
    let whole = t.c.holds().0;
    let json = t.c.snapshot(8_000).expect("some of it");
    assert!(json.to_string().len() <= 8_000, "{}", json.to_string().len());
    let mut setup = Setup::new("s", [3; 32]);
    setup.restore = Snapshot::parse(json);
    let kept = Conversation::open(setup, MediaTime::ZERO).0.holds().0;
    assert!((8..20).contains(&kept.len()), "{}", kept.len());
    assert_eq!(kept, whole[20 - kept.len()..]);
    assert!(t.c.snapshot(100).is_none(), "the settings alone are more");
    assert!(Snapshot::parse(json!({"version": 99})).is_none() && Snapshot::parse(json!(null)).is_none());
}

#[test]
fn what_is_forgotten_is_found_by_the_memorys_time_after_a_restart_too() {
    let mut t = Talk::new(|_| {});
    t.say("early");
    t.after(60_000).say("late");
    let (mut again, _) = taken_up(&t);
    again.say("now");
    let at = |ms| MediaTime::from_millis(ms);
    let mut kept = Snapshot::parse(again.c.snapshot(MOST).expect("kept")).expect("whole");
    // "late" was said at 70 s, "now" an hour and 100 ms in.
    again.put(Input::Forget(crate::wire::ForgetRequest::Between(65_000, 75_000)));
    assert_eq!(again.c.holds().0.len(), 2);
    kept.forget(Span { start: at(65_000), end: at(4_000_000) });
    let mut setup = Setup::new("s", [3; 32]);
    setup.restore = Some(kept);
    assert_eq!(Conversation::open(setup, MediaTime::ZERO).0.holds().0.len(), 1);
    // An order over the wire spares nothing, not even the newest item.
    again.after(10).put(Input::Forget(crate::wire::ForgetRequest::All));
    assert!(again.c.holds().0.is_empty() && again.c.snapshot(MOST).is_none());
}

#[test]
fn a_line_that_breaks_in_mid_sentence_clears_what_was_said() {
    let mut t = Talk::seeing();
    assert!(t.put(Input::Cut).iter().all(|o| !matches!(o, Output::ClearAudio)), "nobody was speaking");
    t.put(Input::SpeechStarted { at: t.now });
    let out = t.put(Input::Cut);
    assert!(out.iter().any(|o| matches!(o, Output::ClearAudio)));
    assert_eq!(types(&out), ["input_audio_buffer.cleared"]);
    let before = t.c.session().clone();
    t.c.reattached(false, false);
    assert!(generated(&t.ask("What do you see?")).is_some_and(|(_, p)| !format!("{p:?}").contains("red cup")));
    t.c.reattached(true, true);
    assert_eq!(*t.c.session(), before);
}
