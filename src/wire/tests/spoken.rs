//! Spoken answers on the wire.

use serde_json::json;

use super::*;

/// A spoken answer.
pub(super) fn samples() -> Vec<ServerBody> {
    use ServerBody as B;
    let at = || At { response_id: "resp_3".into(), item_id: "item_5".into(), output_index: 0, content_index: 0 };
    let text = || "I can see a red cup.".to_owned();
    let said = vec![PartView::OutputAudio { transcript: text() }];
    let item = ItemView::message("item_5", ItemRole::Assistant, ItemStatus::Completed, said);
    let response_id = || "resp_3".to_owned();
    let word = |text: &str, start_ms, end_ms| WordView { text: text.into(), start_ms, end_ms };
    let response = ResponseView {
        object: "realtime.response",
        id: response_id(),
        status: ResponseStatus::Completed,
        status_details: None,
        output: vec![item.clone()],
        conversation_id: Some("conv_1".into()),
        output_modalities: [Modality::Audio],
        max_output_tokens: MaxTokens::INF,
        usage: Some(Usage::text(160, 130, 7).spoken(1_520)),
        metadata: None,
    };
    let names = Names { voice: Some("kokoro-82m".into()), ..Names::default() };
    let mut session = SessionConfig::new("sess_1".into(), &names);
    session.apply(SessionPatch { modality: Some(Modality::Audio), ..SessionPatch::default() }, &names);
    vec![
        B::SessionUpdated { session: Box::new(session) },
        B::ContentPartAdded { at: at(), part: AnswerPart::new(Modality::Audio, "") },
        B::TranscriptDelta { at: at(), delta: " red".into() },
        B::AudioWords { at: at(), words: vec![word("red", 900, 1_120), word("cup.", 1_120, 1_460)] },
        B::AudioDelta { at: at(), delta: "AAAAAA==".into() },
        B::AudioDone { at: at() },
        B::TranscriptDone { at: at(), transcript: text() },
        B::ContentPartDone { at: at(), part: AnswerPart::new(Modality::Audio, text()) },
        B::OutputItemDone { response_id: response_id(), output_index: 0, item },
        B::ResponseDone { response: Box::new(response) },
        B::PlayStarted { response_id: response_id() },
        B::PlayStopped { response_id: response_id() },
        B::PlayCleared { response_id: response_id() },
        B::TimeoutTriggered { audio_start_ms: 9_000, audio_end_ms: 15_000, item_id: "item_6".into() },
    ]
}

#[test]
fn the_time_of_silence_is_server_vads_alone_and_null_ends_it() {
    let names = Names::default();
    let mut session = SessionConfig::new("sess_1".into(), &names);
    for (asked, given) in [
        (json!({"type": "server_vad", "idle_timeout_ms": 6_000}), Some(6_000)),
        (json!({"threshold": 0.6}), Some(6_000)),
        (json!({"type": "semantic_vad"}), None),
        (json!({"type": "semantic_vad", "idle_timeout_ms": 6_000}), None),
        (json!({"type": "server_vad", "idle_timeout_ms": 5_000}), Some(5_000)),
        (json!({"idle_timeout_ms": null}), None),
    ] {
        let patch = json!({"audio": {"input": {"turn_detection": asked}}});
        session.apply(parse_session(&patch.to_string()).expect("a valid patch"), &names);
        let turn = session.audio.input.turn_detection.clone().expect("on");
        assert_eq!(turn.idle_timeout_ms, given, "{asked}");
    }
    for wrong in [json!(4_999), json!(30_001), json!(5_000.5), json!("6000")] {
        let patch = json!({"turn_detection": {"idle_timeout_ms": wrong}});
        let error = parse_session(&patch.to_string()).expect_err("out of bounds");
        assert!(error.message.contains("idle_timeout_ms"), "{}", error.message);
    }
}

#[test]
fn sound_is_in_force_where_there_is_a_voice_and_text_is_what_nobody_has_to_ask_for() {
    let names = Names { voice: Some("v".into()), ..Names::default() };
    let mut session = SessionConfig::new("sess_1".into(), &names);
    assert_eq!(session.output_modalities, [Modality::Text]);
    for (asked, given) in [
        (json!({"output_modalities": ["audio"]}), Modality::Audio),
        (json!({"instructions": "x"}), Modality::Audio),
        (json!({"output_modalities": ["text"]}), Modality::Text),
        (json!({"modalities": ["text", "audio"]}), Modality::Audio),
    ] {
        session.apply(parse_session(&asked.to_string()).expect("a valid patch"), &names);
        assert_eq!(session.output_modalities, [given], "{asked}");
    }
    assert_eq!(session.audio.output.voice, "v");
}
