//! Silence after an answer, where the client wants it answered.

use super::talk::*;
use super::*;

const IDLE_MS: u64 = 6_000;

fn set(t: &mut Talk, turn: Value) {
    let session = json!({"type": "realtime", "audio": {"input": {"turn_detection": turn}}});
    assert_eq!(types(&t.client(json!({"type": "session.update", "session": session}))), ["session.updated"]);
}

/// A conversation that minds silence, and has just been answered.
fn answered() -> Talk {
    let mut t = Talk::seeing();
    set(&mut t, json!({"type": "server_vad", "idle_timeout_ms": IDLE_MS}));
    let (id, _) = generated(&t.ask("What do you see?")).expect("begun");
    t.answer(&id, " a red cup.");
    t
}

fn is_triggered(out: &[Output]) -> bool {
    types(out).iter().any(|k| k == "input_audio_buffer.timeout_triggered")
}

/// What comes of so much silence.
fn silence(t: &mut Talk, ms: u64) -> Vec<Output> {
    t.after(ms).put(Input::Tick)
}

#[test]
fn silence_after_an_answer_is_an_item_and_is_answered() {
    let mut t = answered();
    let began = t.now;
    assert_eq!(t.c.idle_deadline(), Some(began + Duration::from_millis(IDLE_MS)));
    assert!(!is_triggered(&silence(&mut t, IDLE_MS - 1)));
    let out = silence(&mut t, 1);
    let kinds = types(&out);
    assert_eq!(
        kinds[..5],
        [
            "input_audio_buffer.timeout_triggered",
            "input_audio_buffer.committed",
            "conversation.item.added",
            "conversation.item.done",
            "response.created",
        ]
    );
    let told = events(&out);
    let ms = |key: &str| told[0][key].as_u64().expect("ms");
    assert_eq!(ms("audio_end_ms") - ms("audio_start_ms"), IDLE_MS);
    assert!(told[1..3].iter().all(|e| e["item_id"] == told[0]["item_id"] || e["item"]["id"] == told[0]["item_id"]));
    let (id, prompt) = generated(&out).expect("answered");
    assert!(prompt.answer_prefix.contains("still there"), "{}", prompt.answer_prefix);
    // It goes on as long as nobody says anything.
    t.answer(&id, "");
    assert!(is_triggered(&silence(&mut t, IDLE_MS)));
}

#[test]
fn it_counts_from_where_the_answer_was_heard_to_its_end() {
    let mut t = Talk::new(|s| {
        s.audio_track = true;
        s.voice_track = true;
        s.names.voice = Some("hum".into());
    });
    set(&mut t, json!({"type": "server_vad", "idle_timeout_ms": IDLE_MS}));
    t.client(json!({"type": "session.update", "session": {"type": "realtime", "output_modalities": ["audio"]}}));
    let (id, _) = generated(&t.ask("Hello.")).expect("begun");
    t.answer(&id, " Hello.");
    let voiced = Voiced { sound: bytes::Bytes::from(vec![0; 48_000]), ms: 1_000, words: Vec::new() };
    let out = t.put(Input::Voiced { response_id: id, piece: 1, result: Ok(voiced) });
    let play = out.iter().find_map(|o| if let Output::Play { id, .. } = o { Some(*id) } else { None }).expect("played");
    t.put(Input::Playing { id: play });
    assert!(!is_triggered(&silence(&mut t, 2 * IDLE_MS)), "the track has not told that it is at its end");
    t.put(Input::Drained { id: play });
    assert!(!is_triggered(&silence(&mut t, IDLE_MS - 1)) && is_triggered(&silence(&mut t, 1)));
}

#[test]
fn whoever_speaks_writes_or_is_away_is_not_asked_for() {
    let mut t = answered();
    t.put(Input::SpeechStarted { at: t.now });
    assert!(!is_triggered(&silence(&mut t, 2 * IDLE_MS)));
    let mut t = answered();
    t.say("Wait.");
    assert!(!is_triggered(&silence(&mut t, 2 * IDLE_MS)));
    let mut t = answered();
    t.put(Input::Cut);
    assert!(!is_triggered(&silence(&mut t, 2 * IDLE_MS)));
    t.c.reattached(true, true);
    assert!(!is_triggered(&silence(&mut t, 2 * IDLE_MS)), "there was no answer since");
    // Nothing was ever answered.
    let mut t = Talk::seeing();
    set(&mut t, json!({"type": "server_vad", "idle_timeout_ms": IDLE_MS}));
    assert!(!is_triggered(&silence(&mut t, 2 * IDLE_MS)) && t.c.next_deadline().is_none_or(|at| at > t.now));
}

#[test]
fn it_is_off_unless_asked_for_and_with_semantic_vad() {
    for turn in [json!({"idle_timeout_ms": null}), json!({"type": "semantic_vad"}), json!(null)] {
        let mut t = answered();
        set(&mut t, turn);
        assert!(!is_triggered(&silence(&mut t, 60_000)));
    }
}
