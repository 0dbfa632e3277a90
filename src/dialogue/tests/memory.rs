//! What a conversation remembers, and what it says of it.

use super::talk::*;
use super::*;
use crate::wire::Extension;

/// With a camera, and a client that asked for the memory.
fn watching() -> Talk {
    let mut t = Talk::new(|s| {
        s.video = VideoState::Live;
        s.audio_track = true;
        s.extensions = vec![Extension::Memory, Extension::Latency];
        s.memory.archived = true;
    });
    t.now = MediaTime::from_millis(1_000);
    t
}

impl Talk {
    /// Shows a scene for so many seconds, two looks a second; gives back all that came of it.
    fn show(&mut self, seconds: u64, scene: &Value) -> Vec<Output> {
        let mut out = Vec::new();
        // Each scene has a direction of its own.
        let mut seed = scene.to_string().bytes().fold(7_u64, |h, b| h.wrapping_mul(31).wrapping_add(u64::from(b)));
        let mut direction = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            if seed >> 63 == 0 { 1.0_f32 } else { -1.0 }
        };
        let mut image: Vec<f32> = (0..64).map(|_| direction()).collect();
        let length = image.iter().map(|v| v * v).sum::<f32>().sqrt();
        image.iter_mut().for_each(|v| *v /= length);
        let image: Arc<[f32]> = image.into();
        for _ in 0..seconds * 2 {
            let facts = Arc::new(scene_json::scene(scene, self.now));
            let keyframe = Some(bytes::Bytes::from(vec![0xff_u8; 500]));
            out.extend(self.put(Input::Look { facts, image: Some(Arc::clone(&image)), keyframe }));
            self.after(500);
        }
        out
    }

    /// Asks, lets the question be embedded (or not), and gives back how the answer begins.
    fn recall(&mut self, question: &str) -> (String, Vec<Output>) {
        let mut out = self.ask(question);
        let asked = out.iter().find_map(|o| match o {
            Output::Embed { what: what @ EmbedFor::Question(_), .. } => Some(what.clone()),
            _ => None,
        });
        if let Some(what) = asked {
            out.extend(self.put(Input::Embedded { what, result: Err("no encoder here".into()) }));
        }
        let (id, prompt) = generated(&out).expect("an answer is begun");
        out.extend(self.answer(&id, "."));
        self.after(200);
        (prompt.answer_prefix, out)
    }
}

fn cup() -> Value {
    json!({"objects": [["cup", 0.9, [0.1, 0.4, 0.3, 0.8], "red"]], "labels": [["coffee mug", 0.7, ["mug", "cup"]]]})
}

fn sign() -> Value {
    json!({"objects": [["stop sign", 0.9, [0.3, 0.1, 0.7, 0.6], "red"]], "texts": ["PLATFORM NINE"]})
}

fn dog() -> Value {
    json!({"objects": [["dog", 0.93, [0.2, 0.2, 0.8, 0.95], "brown"]]})
}

fn told(out: &[Output], kind: &str) -> Option<Value> {
    events(out).into_iter().find(|e| e["type"] == kind)
}

/// A cup, then a sign, then a quarter of an hour of a dog.
fn a_while() -> Talk {
    let mut t = watching();
    t.show(20, &cup());
    t.show(20, &sign());
    t.show(900, &dog());
    t
}

#[test]
fn what_was_shown_is_recalled_with_its_time_its_picture_and_its_event() {
    let mut t = a_while();
    let (prefix, out) = t.recall("What did I show you at the beginning?");
    assert!(prefix.contains("red cup") || prefix.contains("mug"), "{prefix}");
    let memory = told(&out, "response.memory").expect("clients that asked are told");
    assert_eq!(memory["seen"], true);
    let cited = &memory["citations"][0];
    assert!(cited["start_ms"].as_u64().unwrap() < 20_000, "{memory}");
    let keyframe = cited["keyframes"][0].as_str().expect("a picture");
    let id = parse_keyframe_id(keyframe).expect("an id");
    assert!(t.c.keyframe(id).is_some(), "what is cited can be fetched");
}

#[test]
fn what_the_wait_for_the_meaning_of_a_question_took_is_told_and_nothing_where_none_was() {
    let mut t = a_while();
    let mut out = t.ask("Where was the cup five seconds ago?");
    let what = out.iter().find_map(|o| match o {
        Output::Embed { what: what @ EmbedFor::Question(_), .. } => Some(what.clone()),
        _ => None,
    });
    t.after(70);
    out.extend(t.put(Input::Embedded { what: what.expect("it waits"), result: Err("no encoder here".into()) }));
    let (id, _) = generated(&out).expect("an answer is begun");
    let out = t.answer(&id, ".");
    let latency = told(&out, "response.latency").expect("clients that asked are told");
    assert_eq!((&latency["recall_ms"], &latency["budgets_ms"]["recall"]), (&json!(70), &json!(150)), "{latency}");
    let (_, out) = t.recall("What is this?");
    assert_eq!(told(&out, "response.latency").unwrap()["recall_ms"], Value::Null);
}

#[test]
fn colours_texts_and_times_of_the_past_are_answered_from_what_was_seen_then() {
    let mut t = a_while();
    let (prefix, _) = t.recall("What colour was the cup I showed you?");
    assert!(prefix.contains("red"), "{prefix}");
    let (prefix, _) = t.recall("What did the sign say?");
    assert!(prefix.contains("PLATFORM NINE"), "{prefix}");
    let (prefix, _) = t.recall("When did I show you the cup?");
    assert!(prefix.contains("minutes ago") && prefix.contains("00:00:"), "{prefix}");
    let (prefix, out) = t.recall("Did you see a bicycle?");
    assert!(prefix.starts_with("I did not see a bicycle"), "{prefix}");
    assert_eq!(told(&out, "response.memory").unwrap()["seen"], false);
}

#[test]
fn a_question_about_now_is_answered_from_now_whatever_is_remembered() {
    let mut t = a_while();
    for (question, says) in [("What is this?", "It is"), ("Is there a cup?", "I don't see a cup")] {
        let (prefix, out) = t.recall(question);
        assert!(prefix.starts_with(says), "{question}: {prefix}");
        let memory = told(&out, "response.memory").expect("told");
        assert_eq!((&memory["route"], &memory["citations"]), (&json!("now"), &json!([])), "{memory}");
    }
}

#[test]
fn what_was_said_is_remembered_and_told_again() {
    let mut t = watching();
    t.show(5, &dog());
    t.say("My locker number is forty two.");
    t.show(300, &dog());
    let (prefix, _) = t.recall("What did I tell you about the locker?");
    assert!(prefix.contains("locker number is forty two"), "{prefix}");
    let (prefix, _) = t.recall("What is my locker number?");
    assert!(prefix.contains("forty two"), "{prefix}");
}

#[test]
fn times_that_cannot_be_are_answered_sensibly() {
    let mut t = a_while();
    for question in ["What did I show you yesterday?", "What did I show you three hours ago?"] {
        let (prefix, _) = t.recall(question);
        assert!(prefix.contains("only been watching for 16 minutes"), "{question}: {prefix}");
    }
    let (prefix, _) = t.recall("What did I show you between 30 and 10 minutes ago?");
    assert!(!prefix.is_empty());
}

#[test]
fn what_is_forgotten_is_gone_from_memory_conversation_and_archive() {
    let mut t = a_while();
    t.recall("The code is swordfish.");
    let (prefix, out) = t.recall("Forget the last five minutes.");
    assert!(prefix.starts_with("I have forgotten the last five minutes"), "{prefix}");
    assert!(told(&out, "memory.forgotten").is_some());
    assert!(events(&out).iter().any(|e| e["type"] == "conversation.item.deleted"));
    let forgets =
        out.iter().any(|o| matches!(o, Output::Keep(k) if k.iter().any(|k| matches!(k, Keep::Forget(Some(_))))));
    assert!(forgets, "the archive is told");
    let (prefix, _) = t.recall("What did I tell you about the code?");
    assert!(!prefix.contains("swordfish"), "{prefix}");
    let (prefix, _) = t.recall("What did I show you at the beginning?");
    assert!(prefix.contains("cup") || prefix.contains("mug"), "what is older stays: {prefix}");
    let (prefix, out) = t.recall("Forget everything.");
    assert_eq!(prefix, "I have forgotten everything");
    assert!(out.iter().any(|o| matches!(o, Output::Keep(k) if k.iter().any(|k| matches!(k, Keep::Forget(None))))));
    let (prefix, _) = t.recall("What did I show you at the beginning?");
    assert!(!prefix.contains("cup") && !prefix.contains("mug"), "{prefix}");
}

#[test]
fn what_is_watched_for_is_told_unasked_once_and_when_nobody_speaks() {
    let mut t = watching();
    t.show(5, &dog());
    let (prefix, out) = t.recall("Tell me when you see a cup.");
    assert_eq!(prefix, "I will tell you when a cup comes into view");
    let watch = told(&out, "memory.watch.created").expect("told")["watch"]["id"].clone();
    assert!(told(&t.show(5, &dog()), "memory.watch.fired").is_none());
    // While the person speaks it waits.
    t.put(Input::SpeechStarted { at: t.now });
    let out = t.show(3, &cup());
    assert!(told(&out, "response.created").is_none());
    t.put(Input::SpeechStopped { utterance: utterance(t.now.as_millis()), decided: t.now });
    let item = events(&t.client(json!({"type": "memory.timeline.get"})));
    assert_eq!(item[0]["type"], "memory.timeline");
    let id = t.c.spoken[0].item_id.clone();
    let out = t.put(Input::Transcribed { item_id: id, result: Ok(String::new()) });
    let fired = told(&out, "memory.watch.fired").or_else(|| told(&t.show(1, &cup()), "memory.watch.fired"));
    let fired = fired.expect("told when there is silence");
    assert_eq!(fired["watch"]["id"], watch);
    let response = fired["response_id"].as_str().unwrap().to_owned();
    t.answer(&response, ".");
    assert!(told(&t.show(20, &cup()), "memory.watch.fired").is_none(), "once");
}

#[test]
fn what_cannot_be_watched_for_is_refused_in_words_and_over_the_wire() {
    let mut t = watching();
    t.show(2, &dog());
    let (prefix, _) = t.recall("Tell me when the door opens.");
    assert!(prefix.to_lowercase().contains("watch for"), "{prefix}");
    let out = t.client(json!({"type": "memory.watch.create", "event_id": "c9", "condition": "when the door opens"}));
    let error = told(&out, "error").expect("refused");
    assert_eq!((&error["error"]["param"], &error["error"]["event_id"]), (&json!("condition"), &json!("c9")));
    let out = t.client(json!({"type": "memory.watch.delete", "watch_id": "watch_99"}));
    assert_eq!(told(&out, "error").expect("refused")["error"]["param"], "watch_id");
}

#[test]
fn the_timeline_comes_in_pieces_that_a_data_channel_takes() {
    let mut t = watching();
    for i in 0..80 {
        let scene = if i % 2 == 0 { dog() } else { cup() };
        t.show(6, &scene);
    }
    let greeting = t.c.greeting(&[Extension::Memory], t.now);
    let sizes: Vec<_> = greeting.iter().map(|e| e.to_json().len()).collect();
    assert!(sizes.len() > 2 && sizes.iter().all(|s| *s < 250_000), "{sizes:?}");
    let timeline: Value = serde_json::from_str(&greeting[1].to_json()).unwrap();
    assert_eq!(timeline["type"], "memory.timeline");
    assert!(timeline["tiers"]["episodic"]["items"].as_u64().unwrap() > 40, "{}", timeline["tiers"]);
}

#[test]
fn without_memory_only_the_last_looks_are_known() {
    let mut t = Talk::new(|s| {
        s.video = VideoState::Live;
        s.memory.enabled = false;
    });
    t.show(20, &cup());
    t.show(60, &dog());
    let (prefix, _) = t.recall("What did I show you a minute ago?");
    assert!(!prefix.contains("cup") && !prefix.contains("mug"), "{prefix}");
}

/// Two signs in front of one room, a wall, and what was said of a locker.
fn signs() -> Talk {
    let mut t = watching();
    let sign = |text: &str| json!({"labels": [["street sign", 0.6, ["sign"]]], "texts": [text]});
    t.show(12, &sign("BAKERY 20"));
    t.show(12, &sign("STUDIO15"));
    t.show(300, &dog());
    t
}

#[test]
fn what_a_sign_said_is_found_by_its_time_by_its_words_and_by_what_it_said_next() {
    let mut t = signs();
    let (prefix, _) = t.recall("What did the sign say five minutes ago?");
    assert!(prefix.contains("STUDIO15") && !prefix.contains("BAKERY"), "{prefix}");
    let (prefix, _) = t.recall("What did the sign say before it said studio 15?");
    assert!(prefix.contains("BAKERY 20") && !prefix.contains("STUDIO"), "{prefix}");
    let (prefix, _) = t.recall("When did you see a sign that said studio 15?");
    assert!(prefix.contains("STUDIO15") && prefix.contains("five minutes ago"), "{prefix}");
    let (prefix, _) = t.recall("Did you see a sign that said pharmacy 31?");
    assert!(prefix.contains("did not read"), "{prefix}");
}

#[test]
fn colours_and_light_are_found_without_a_thing_being_named() {
    let mut t = watching();
    t.show(20, &cup());
    t.show(20, &json!({"objects": [["chair", 0.8, [0.1, 0.4, 0.3, 0.8], "green"]], "changes": [["darker", "", 0]]}));
    t.show(300, &dog());
    let (prefix, _) = t.recall("When did you last see something red?");
    assert!(prefix.contains("red cup") && prefix.contains("00:00:"), "{prefix}");
    let (prefix, _) = t.recall("Did you see anything purple?");
    assert!(prefix.contains("did not see anything purple"), "{prefix}");
    let (prefix, _) = t.recall("When did the light go out?");
    assert!(prefix.contains("became darker") && prefix.contains("minutes ago"), "{prefix}");
    let (prefix, _) = t.recall("Did the lights come back on?");
    assert!(prefix.contains("did not notice"), "{prefix}");
}

#[test]
fn what_is_held_up_again_is_known_by_its_looks_and_what_is_new_is_not() {
    let mut t = watching();
    t.show(20, &cup());
    t.show(600, &dog());
    let (prefix, out) = t.recall("Have I shown you this before?");
    assert!(prefix.starts_with("No, I don't remember"), "a dog that was there all along: {prefix}");
    assert_eq!(told(&out, "response.memory").unwrap()["seen"], false);
    t.show(10, &cup());
    let (prefix, out) = t.recall("Have I shown you this before?");
    assert!(prefix.starts_with("Yes, I saw this about ten minutes ago"), "{prefix}");
    let memory = told(&out, "response.memory").unwrap();
    assert!(memory["citations"][0]["start_ms"].as_u64().unwrap() < 20_000, "{memory}");
    t.put(Input::Video(VideoState::Lost));
    let (prefix, _) = t.recall("Have I shown you this before?");
    assert!(prefix.contains("can't see anything"), "{prefix}");
}

#[test]
fn what_was_told_of_oneself_stands_before_what_happens_to_be_in_view() {
    let mut t = watching();
    t.show(10, &dog());
    let _ = t.say("My doctor is called Susan.");
    t.show(30, &dog());
    let (prefix, _) = t.recall("What is my doctor called?");
    assert!(prefix.contains("Susan"), "{prefix}");
    let (prefix, _) = t.recall("What is this?");
    assert!(!prefix.contains("Susan"), "{prefix}");
}

#[test]
fn one_thing_of_several_names_is_told_once_by_the_finest() {
    let mut t = watching();
    let cat = json!({"objects": [["cat", 0.9, [0.2, 0.2, 0.8, 0.9], "brown"]],
        "labels": [["Egyptian cat", 0.6, ["cat", "animal"]], ["animal", 0.5, []], ["tabby cat", 0.35, ["cat", "animal"]]]});
    t.show(20, &cat);
    t.show(20, &sign());
    // From the last half minute too, where each second is told by itself.
    let (prefix, _) = t.recall("What did I show you at the beginning?");
    assert_eq!(prefix.matches("cat").count(), 1, "{prefix}");
    t.show(60, &sign());
    let (prefix, _) = t.recall("What did I show you at the beginning?");
    assert_eq!(prefix.matches("cat").count(), 1, "{prefix}");
    assert!(prefix.contains("Egyptian cat"), "{prefix}");
}

#[test]
fn what_was_said_is_not_looked_for_in_what_was_read() {
    let mut t = watching();
    t.show(10, &sign());
    let _ = t.say("Have to buy bread for dinner.");
    t.show(30, &dog());
    let (prefix, _) = t.recall("What did I say I have to buy?");
    assert!(prefix.contains("bread"), "{prefix}");
}

#[test]
fn why_an_answer_waited_for_no_look_is_told() {
    let mut t = a_while();
    let mut why = |question: &str| {
        let (_, out) = t.recall(question);
        out.iter().find_map(|o| if let Output::Timed(_, _, why) = o { Some(*why) } else { None }).flatten()
    };
    assert_eq!(why("What is this?"), Some(NoLook::Fresh));
    assert_eq!(why("How many legs does a spider have?"), Some(NoLook::World));
    assert_eq!(why("Thank you!"), Some(NoLook::Talk));
    assert_eq!(why("What did I show you at the beginning?"), Some(NoLook::Memory));
    assert_eq!(why("Tell me when you see a dog."), Some(NoLook::Order));
    let mut blind = Talk::new(|_| {});
    let out = blind.ask("What is this?");
    let (id, _) = generated(&out).expect("an answer is begun");
    let out = blind.answer(&id, ".");
    assert!(out.iter().any(|o| matches!(o, Output::Timed(_, _, Some(NoLook::NoVideo)))));
}
