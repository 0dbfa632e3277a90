//! Golden files in `tests/data/wire`, both ways. `SIGHTLINE_BLESS=1` writes what is there now; read the difference before you commit it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::*;

mod beta;
mod calls;
mod openai;
mod schema;
mod spoken;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/wire").join(name)
}

fn load(name: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(golden(name)).expect("golden file");
    serde_json::from_str::<Value>(&text).expect("golden file is JSON").as_array().expect("an array").clone()
}

/// Compares with the golden file, or writes it: one entry per line, so that a difference can be read.
fn check(name: &str, entries: &[Value]) {
    let mut text = "[\n".to_owned();
    for (i, entry) in entries.iter().enumerate() {
        let comma = if i + 1 == entries.len() { "" } else { "," };
        writeln!(text, "{entry}{comma}").expect("a string grows");
    }
    text.push_str("]\n");
    if std::env::var_os("SIGHTLINE_BLESS").is_some() {
        std::fs::write(golden(name), text).expect("written");
        return;
    }
    for (is, was) in entries.iter().zip(load(name)) {
        assert_eq!(*is, was, "{name}");
    }
    assert_eq!(entries.len(), load(name).len(), "{name}");
}

#[test]
fn client_events_are_read_as_the_golden_file_says() {
    let read = |entry: &Value| {
        let event = ClientEvent::parse(&entry["json"].to_string()).expect("a valid event");
        json!({"name": entry["name"], "json": entry["json"], "read": format!("{event:?}")})
    };
    let entries: Vec<_> = load("client_events.json").iter().map(read).collect();
    check("client_events.json", &entries);
    for kind in CLIENT_EVENT_TYPES {
        assert!(entries.iter().any(|e| e["json"]["type"] == kind), "no example of {kind}");
    }
}

#[test]
fn wrong_events_are_refused_as_the_golden_file_says() {
    let read = |entry: &Value| {
        let text = entry["text"].as_str().expect("text");
        let error = ClientEvent::parse(text).expect_err("must be refused");
        json!({"name": entry["name"], "text": text, "error": error})
    };
    let entries: Vec<_> = load("client_errors.json").iter().map(read).collect();
    check("client_errors.json", &entries);
    for entry in &entries {
        let has_id = entry["text"].as_str().is_some_and(|t| t.contains("\"event_id\": \"c1\""));
        assert_eq!(entry["error"]["event_id"] == "c1", has_id, "{entry}");
    }
}

fn samples() -> Vec<ServerBody> {
    use ServerBody as B;
    let at = || At { response_id: "resp_1".into(), item_id: "item_2".into(), output_index: 0, content_index: 0 };
    let question = || {
        ItemView::message(
            "item_1",
            ItemRole::User,
            ItemStatus::Completed,
            vec![PartView::InputText { text: "What is on the table?".into() }],
        )
    };
    let spoken = || {
        ItemView::message(
            "item_1",
            ItemRole::User,
            ItemStatus::Completed,
            vec![PartView::InputAudio { transcript: None }],
        )
    };
    let empty = || ItemView::message("item_2", ItemRole::Assistant, ItemStatus::InProgress, Vec::new());
    let text = || "I can see a red cup.".to_owned();
    let answer = || {
        ItemView::message(
            "item_2",
            ItemRole::Assistant,
            ItemStatus::Completed,
            vec![PartView::OutputText { text: text() }],
        )
    };
    let response = |status, details, output: Vec<ItemView>, usage| ResponseView {
        object: "realtime.response",
        id: "resp_1".into(),
        status,
        status_details: details,
        output,
        conversation_id: Some("conv_1".into()),
        output_modalities: [Modality::Text],
        max_output_tokens: MaxTokens::INF,
        usage,
        metadata: None,
    };
    let session = || Box::new(SessionConfig::new("sess_1".into(), &Names::default()));
    let mut with_extensions = session();
    with_extensions.extensions = vec![Extension::Latency, Extension::Scene];
    let cancelled = StatusDetails { kind: ResponseStatus::Cancelled, reason: Some("turn_detected"), error: None };
    let prev = || Some("item_0".to_owned());
    vec![
        B::Error {
            error: WireError::field(
                code::IMAGE_URL,
                "item.content[0].image_url",
                "pictures are taken as data URIs only",
            )
            .of_event(Some("c1")),
        },
        B::SessionCreated { session: session() },
        B::SessionUpdated { session: with_extensions },
        B::SpeechStarted { audio_start_ms: 1_200, item_id: "item_1".into() },
        B::SpeechStopped { audio_end_ms: 2_600, item_id: "item_1".into() },
        B::AudioCommitted { previous_item_id: None, item_id: "item_1".into() },
        B::AudioCleared {},
        B::ItemAdded { previous_item_id: prev(), item: question() },
        B::ItemDone { previous_item_id: prev(), item: spoken() },
        B::ItemRetrieved { item: question() },
        B::ItemTruncated { item_id: "item_2".into(), content_index: 0, audio_end_ms: 1_500 },
        B::ItemDeleted { item_id: "item_1".into() },
        B::TranscriptionDelta { item_id: "item_1".into(), content_index: 0, delta: "What is".into() },
        B::TranscriptionCompleted {
            item_id: "item_1".into(),
            content_index: 0,
            transcript: "What is on the table?".into(),
            usage: TranscriptionUsage { kind: "duration", seconds: 1.4 },
        },
        B::TranscriptionFailed {
            item_id: "item_1".into(),
            content_index: 0,
            error: WireError::server(code::TRANSCRIPTION, "utterance of 40.0 s is longer than the recogniser's 30 s"),
        },
        B::ResponseCreated { response: Box::new(response(ResponseStatus::InProgress, None, Vec::new(), None)) },
        B::RateLimits { rate_limits: Vec::new() },
        B::OutputItemAdded { response_id: "resp_1".into(), output_index: 0, item: empty() },
        B::ContentPartAdded { at: at(), part: AnswerPart::new(Modality::Text, "") },
        B::TextDelta { at: at(), delta: " red".into() },
        B::TextDone { at: at(), text: text() },
        B::ContentPartDone { at: at(), part: AnswerPart::new(Modality::Text, text()) },
        B::OutputItemDone { response_id: "resp_1".into(), output_index: 0, item: answer() },
        B::ResponseDone {
            response: Box::new(response(
                ResponseStatus::Completed,
                None,
                vec![answer()],
                Some(Usage::text(160, 130, 7)),
            )),
        },
        B::ResponseDone {
            response: Box::new(response(
                ResponseStatus::Cancelled,
                Some(cancelled),
                Vec::new(),
                Some(Usage::text(0, 0, 0)),
            )),
        },
        B::Latency {
            response_id: "resp_1".into(),
            latency: Latency {
                vad_end_ms: Some(280),
                asr_ms: Some(310),
                recall_ms: None,
                perceive_ms: None,
                prefill_ms: Some(120),
                first_token_ms: Some(150),
                first_words_ms: Some(590),
                total_ms: Some(760),
                budget_ms: 1_000,
                budgets_ms: StageBudgets {
                    vad_end: 500,
                    asr: 400,
                    recall: 150,
                    perceive: 150,
                    prefill: 250,
                    first_token: 300,
                },
            },
        },
        B::Degraded {
            response_id: Some("resp_1".into()),
            reason: "asr_over_budget".into(),
            step: "fewer_frames".into(),
        },
        B::VideoStats {
            stats: VideoStats {
                decoded_fps: 24.0,
                watched_fps: 2.0,
                dropped: 3,
                width: 640,
                height: 480,
                last_frame_ms: 41,
            },
        },
        B::Scene {
            scene: Box::new(SceneView {
                objects: vec![WireObject {
                    track: 1,
                    label: "cup".into(),
                    confidence: 0.91,
                    bbox: [0.1, 0.5, 0.25, 0.75],
                    colour: Some("red"),
                }],
                labels: vec![WireLabel { label: "coffee mug".into(), confidence: 0.62, bbox: [0.0, 0.0, 1.0, 1.0] }],
                texts: vec![WireText { text: "EXIT".into(), confidence: 0.88, bbox: [0.6, 0.1, 0.8, 0.2] }],
                colours: vec![WireColour { colour: "brown", share: 0.4 }],
                at_ms: 2_550,
                unusable: None,
            }),
        },
        B::AudioLevel { dbfs: -23.5, speaking: true },
    ]
    .into_iter()
    .chain(memory_samples())
    .chain(resume_samples())
    .collect()
}

/// What clients of the extension `memory` are sent.
fn memory_samples() -> Vec<ServerBody> {
    use ServerBody as B;
    let picture = |n: u64, at_ms| KeyframeView { id: format!("kf_{n}"), at_ms };
    let event = |tier, children| EventView {
        id: "ev_12".into(),
        tier,
        start_ms: 724_000,
        end_ms: 739_500,
        caption: "a red cup; text \"EXIT\"".into(),
        said: vec![SaidView { at_ms: 725_100, who: "person", text: "this is my cup".into() }],
        keyframes: vec![picture(34, 724_500)],
        depth: u8::from(tier == "long_term"),
        children,
    };
    let child = ChildView {
        id: "ev_3".into(),
        start_ms: 700_000,
        end_ms: 712_000,
        caption: "a dog".into(),
        keyframe: Some(picture(30, 701_000)),
    };
    let tier = |items, capacity, bytes| TierView { items, capacity, bytes };
    let tiers = TiersView {
        live: tier(4, 4, 60_000),
        working: tier(32, 32, 410_000),
        episodic: tier(80, 512, 1_900_000),
        long_term: tier(0, 64, 0),
        archive: Some(ArchiveView { bytes: 5_242_880, quota_bytes: 2_147_483_648 }),
    };
    let watch = |fired| WatchView {
        id: "watch_1".into(),
        condition: "a cup comes into view".into(),
        created_ms: 700_000,
        fired,
        once: true,
    };
    vec![
        B::Timeline {
            timeline: Box::new(TimelineView {
                memory_id: "mem_abcdefghijklmnopqrstuvwx23".into(),
                access_token: "mem_abcdefghijklmnopqrstuvwx23.5f".into(),
                started_unix_ms: 1_795_548_600_000,
                now_ms: 740_000,
                tiers,
                events: vec![event("episodic", Vec::new())],
                watches: vec![watch(0)],
            }),
        },
        B::MemoryUpdated {
            now_ms: 741_000,
            tiers: Box::new(tiers),
            changed: vec![event("long_term", vec![child])],
            removed: vec!["ev_3".into()],
            merged: vec![MergeView { into: "ev_12".into(), from: ["ev_3".into(), "ev_12".into()] }],
        },
        B::ResponseMemory {
            response_id: "resp_1".into(),
            route: "past",
            interval: Some(IntervalView { start_ms: 690_000, end_ms: 780_000 }),
            seen: true,
            citations: vec![CitationView {
                event_id: Some("ev_12".into()),
                start_ms: 724_000,
                end_ms: 739_500,
                keyframes: vec!["kf_34".into()],
                similarity: 0.75,
            }],
        },
        B::Forgotten { start_ms: 440_000, end_ms: 740_000, events: 9, keyframes: 21 },
        B::WatchCreated { watch: watch(0) },
        B::WatchFired { watch: watch(1), response_id: "resp_2".into() },
        B::WatchEnded { watch: watch(1), reason: "fired" },
    ]
}

/// What clients of the extension `resume` are sent.
fn resume_samples() -> Vec<ServerBody> {
    use ServerBody as B;
    let session = Box::new(SessionConfig::new("sess_1".into(), &Names::default()));
    let pass = |end: &str| ResumePass {
        resume_token: format!("resume_mem_abcdefghijklmnopqrstuvwx23.{end}"),
        grace_ms: 30_000,
        kept_in: "archive",
    };
    vec![
        B::Resumable { pass: pass("1f") },
        B::Resumed { pass: pass("2e"), session, attachment_generation: 2, replayed: 14 },
        B::Replaced {},
        B::Expired { reason: "nobody_came_back" },
        B::ResyncRequired {
            reason: "journal_gap",
            missed: Some(40),
            item_ids: vec!["item_1".into(), "item_2".into()],
            response_ids: vec!["resp_1".into()],
        },
        B::Expiring { reason: "server_restarts", seconds_left: 2 },
    ]
}

#[test]
fn server_events_are_written_as_the_golden_file_says() {
    let event = |(i, body)| {
        // One of them as a client that asked for `resume` gets it.
        let server_event_seq = matches!(body, ServerBody::ItemDeleted { .. }).then_some(12);
        ServerEvent { event_id: format!("event_{i}"), server_event_seq, body }
    };
    // Numbers of their own, so that new events elsewhere do not change those of the examples.
    let spoken = spoken::samples().into_iter().zip(300..).map(|(body, i)| (i, body));
    let calls = calls::samples().into_iter().zip(400..).map(|(body, i)| (i, body));
    let events = samples().into_iter().enumerate().chain(spoken).chain(calls).map(event).collect::<Vec<_>>();
    let entries: Vec<Value> = events.iter().map(|e| serde_json::from_str(&e.to_json()).expect("valid JSON")).collect();
    check("server_events.json", &entries);
    for event in &events {
        assert!(event.to_json().len() < limits::MAX_SERVER_EVENT_BYTES);
    }
}

#[test]
fn examples_in_the_protocol_page_are_those_of_the_golden_files() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("PROTOCOL.md")).expect("PROTOCOL.md");
    let known: Vec<Value> =
        load("client_events.json").into_iter().map(|e| e["json"].clone()).chain(load("server_events.json")).collect();
    let mut examples = 0;
    for block in page.split("```json\n").skip(1) {
        let text = block.split("```").next().expect("a block ends");
        let value: Value = serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"));
        assert!(known.contains(&value), "not in a golden file: {text}");
        examples += 1;
    }
    assert!(examples >= 10, "{examples}");
    for kind in CLIENT_EVENT_TYPES {
        assert!(page.contains(kind), "PROTOCOL.md does not mention {kind}");
    }
    for event in load("server_events.json") {
        let kind = event["type"].as_str().expect("type");
        assert!(page.contains(kind), "PROTOCOL.md does not mention {kind}");
    }
}

fn patched(patches: &[Value]) -> Value {
    let names = Names { model: "m".into(), transcription: "t".into(), voice: None };
    let mut session = SessionConfig::new("sess_1".into(), &names);
    for patch in patches {
        session.apply(parse_session(&patch.to_string()).expect("a valid patch"), &names);
    }
    serde_json::to_value(&session).expect("serialises")
}

#[test]
fn a_patch_changes_what_it_names_and_nothing_else() {
    let before = patched(&[]);
    let mut after = patched(&[json!({"audio": {"input": {"turn_detection": {"silence_duration_ms": 900}}}})]);
    assert_eq!(after["audio"]["input"]["turn_detection"]["silence_duration_ms"], 900);
    after["audio"]["input"]["turn_detection"]["silence_duration_ms"] = json!(500);
    assert_eq!(before, after);
}

#[test]
fn empty_values_clear() {
    let full = json!({"instructions": "x", "tools": [{"type": "function", "name": "f"}], "tracing": "auto"});
    let clear = json!({"instructions": "", "tools": [], "tracing": null,
        "audio": {"input": {"turn_detection": null, "transcription": null}}});
    let session = patched(&[full.clone(), clear]);
    assert_eq!(session["instructions"], "");
    assert_eq!(session["tools"], json!([]));
    for at in ["/tracing", "/audio/input/turn_detection", "/audio/input/transcription"] {
        assert_eq!(session.pointer(at), Some(&Value::Null), "{at}");
    }
    assert_eq!(patched(&[full])["instructions"], "x");
}

#[test]
fn names_that_are_not_here_become_those_that_are_and_the_client_is_shown_which() {
    let session = patched(&[
        json!({"model": "gpt-realtime", "output_modalities": ["audio"], "extensions": ["scene", "nonsense"],
        "audio": {"input": {"transcription": {"model": "whisper-9"}}, "output": {"voice": "ash"}}}),
    ]);
    assert_eq!(session["model"], "m");
    assert_eq!(session["output_modalities"], json!(["text"]));
    assert_eq!(session["audio"]["input"]["transcription"]["model"], "t");
    assert_eq!(session["audio"]["output"]["voice"], "none");
    assert_eq!(session["extensions"], json!(["scene"]));
}

#[test]
fn limits_are_checked_before_anything_is_decoded() {
    let long = format!(r#"{{"type":"response.cancel","x":"{}"}}"#, "a".repeat(limits::MAX_MESSAGE_BYTES));
    assert_eq!(ClientEvent::parse(&long).expect_err("too long").code, code::TOO_LARGE);
    let image = "A".repeat(limits::MAX_IMAGE_BYTES / 3 * 4 + 8);
    let item = json!({"type": "conversation.item.create", "event_id": "c1", "item": {"type": "message", "role": "user",
        "content": [{"type": "input_image", "image_url": format!("data:image/jpeg;base64,{image}")}]}});
    let error = ClientEvent::parse(&item.to_string()).expect_err("too large");
    assert_eq!((error.code, error.event_id.as_deref()), (code::IMAGE_TOO_LARGE, Some("c1")));
    assert_eq!(error.class(), crate::base::ErrorClass::TooLarge);
}

#[test]
fn adjacent_words_of_one_part_join_and_nothing_else_does() {
    let at = |id: &str| At { response_id: id.into(), item_id: "i".into(), output_index: 0, content_index: 0 };
    let delta = |id: &str, text: &str| ServerBody::TextDelta { at: at(id), delta: text.into() };
    let mut first = delta("r", "a");
    assert_eq!(first.join(delta("r", " b")), Ok(()));
    assert_eq!(first, delta("r", "a b"));
    assert_eq!(first.join(delta("other", "c")), Err(delta("other", "c")));
    assert!(first.join(ServerBody::AudioCleared {}).is_err());
}

#[test]
fn ids_have_their_prefix_and_differ() {
    let mut ids = IdGen::from_number(1);
    let list: std::collections::HashSet<_> = (0..10_000).map(|_| ids.next(IdKind::Item)).collect();
    assert_eq!(list.len(), 10_000);
    assert!(list.iter().all(|id| id.starts_with("item_") && id.len() == 25));
}

proptest::proptest! {
    /// Whatever bytes come, the answer is an event or a refusal.
    #[test]
    fn no_text_breaks_the_reader(text in ".{0,200}") {
        let _ = ClientEvent::parse(&text);
    }

    /// Valid events with one value put in another's place.
    #[test]
    fn no_value_in_a_wrong_place_breaks_the_reader(pick in 0_usize..64, at in 0_usize..64, with in 0_usize..6) {
        let events = load("client_events.json");
        let mut event = events[pick % events.len()]["json"].clone();
        let mut paths = Vec::new();
        collect("", &event, &mut paths);
        let odd = [json!(null), json!(-1), json!("x"), json!([]), json!({}), json!(1e308)];
        if let Some(place) = event.pointer_mut(&paths[at % paths.len()]) {
            *place = odd[with].clone();
        }
        let _ = ClientEvent::parse(&event.to_string());
    }
}

fn collect(path: &str, v: &Value, out: &mut Vec<String>) {
    out.push(path.to_owned());
    match v {
        Value::Object(o) => o.iter().for_each(|(k, v)| collect(&format!("{path}/{k}"), v, out)),
        Value::Array(a) => a.iter().enumerate().for_each(|(i, v)| collect(&format!("{path}/{i}"), v, out)),
        _ => {}
    }
}
