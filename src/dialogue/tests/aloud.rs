//! Answers said aloud: order of events, pieces, what was heard, interruption, a voice that is late or fails.

use bytes::Bytes;

use super::talk::*;
use super::*;
use crate::wire::{AudioFormat, Extension};

const MS_PER_LETTER: u64 = 50;

/// A conversation that speaks, over a WebSocket or on a track.
fn speaking(track: bool) -> Talk {
    let mut t = Talk::new(|s| {
        s.video = VideoState::Live;
        s.audio_track = true;
        s.voice_track = track;
        s.names.voice = Some("hum".into());
        s.extensions = vec![Extension::Captions, Extension::Latency];
    });
    t.put(Input::Scene(cup(t.now)));
    let out =
        t.client(json!({"type": "session.update", "session": {"type": "realtime", "output_modalities": ["audio"]}}));
    assert_eq!(events(&out)[0]["session"]["output_modalities"], json!(["audio"]));
    t
}

fn spoken_of(out: &[Output]) -> Vec<(u32, String)> {
    let piece = |o: &Output| match o {
        Output::Speak { piece, text, .. } => Some((*piece, text.clone())),
        _ => None,
    };
    out.iter().filter_map(piece).collect()
}

fn played(out: &[Output]) -> Vec<u64> {
    out.iter().filter_map(|o| if let Output::Play { id, .. } = o { Some(*id) } else { None }).collect()
}

/// What the voice makes of a text: 50 ms a letter, each word as long as it is written.
fn voiced(text: &str) -> Voiced {
    let mut words = Vec::new();
    for word in text.split_whitespace() {
        let at = word.as_ptr() as usize - text.as_ptr() as usize;
        let ms = |letters: usize| u32::try_from(letters as u64 * MS_PER_LETTER).expect("short");
        words.push(VoicedWord { bytes: at..at + word.len(), start_ms: ms(at), end_ms: ms(at + word.len()) });
    }
    let ms = text.len() as u64 * MS_PER_LETTER;
    Voiced { sound: Bytes::from(vec![0; ms as usize * 48]), ms, words }
}

impl Talk {
    /// The voice says everything it is asked for, at once.
    fn say_all(&mut self, id: &str, mut out: Vec<Output>) -> Vec<Output> {
        let mut all = Vec::new();
        loop {
            let asked = spoken_of(&out);
            all.append(&mut out);
            let [(piece, text)] = &asked[..] else { return all };
            out = self.put(Input::Voiced { response_id: id.to_owned(), piece: *piece, result: Ok(voiced(text)) });
        }
    }

    fn words(&mut self, id: &str, text: &str) -> Vec<Output> {
        self.engine(id, EngineEvent::Delta { text: text.to_owned() })
    }

    fn begin(&mut self) -> String {
        let (id, _) = generated(&self.ask("What do you see?")).expect("begun");
        self.engine(&id, EngineEvent::Started { prompt_tokens: 9, cached_tokens: 0 });
        id
    }

    fn done(&mut self, id: &str) -> Vec<Output> {
        self.engine(id, EngineEvent::Done { finish: Finish::Stop, output_tokens: 9 })
    }

    /// What the item holds now.
    fn kept(&mut self, item_id: &str) -> String {
        let out = self.client(json!({"type": "conversation.item.retrieve", "item_id": item_id}));
        events(&out)[0]["item"]["content"][0]["transcript"].as_str().expect("a spoken item").to_owned()
    }
}

/// Types of events but for where the time went, neighbours of one type once.
fn once(out: &[Output]) -> Vec<String> {
    let mut kinds = types(out);
    kinds.retain(|k| k != "response.latency");
    kinds.dedup();
    kinds
}

#[test]
fn a_spoken_answer_sends_its_events_in_the_order_of_the_protocol() {
    let mut t = speaking(false);
    let out = t.ask("What do you see?");
    let (id, prompt) = generated(&out).expect("begun");
    let mut out: Vec<_> = out.into_iter().chain(t.answer(&id, " a red cup.")).collect();
    assert!(!types(&out).contains(&"response.done".to_owned()), "it is not said yet");
    out = t.say_all(&id, out);
    assert_eq!(
        once(&out)[4..],
        [
            "response.output_item.added",
            "conversation.item.added",
            "response.content_part.added",
            "response.output_audio_transcript.delta",
            "response.output_audio.words",
            "response.output_audio.delta",
            "response.output_audio.done",
            "response.output_audio_transcript.done",
            "response.content_part.done",
            "response.output_item.done",
            "conversation.item.done",
            "response.done",
        ]
    );
    let text = format!("{} a red cup.", prompt.answer_prefix);
    let all = events(&out);
    let done = &all.last().expect("response.done")["response"];
    assert_eq!(done["output"][0]["content"][0], json!({"type": "output_audio", "transcript": text}));
    assert_eq!(done["output_modalities"], json!(["audio"]));
    let sound_ms = text.len() as u64 * MS_PER_LETTER;
    assert_eq!(done["usage"]["output_token_details"], json!({"text_tokens": 5, "audio_tokens": sound_ms.div_ceil(50)}));
    let bytes: usize = all
        .iter()
        .filter(|e| e["type"] == "response.output_audio.delta")
        .map(|e| e["delta"].as_str().expect("base64").len() / 4 * 3)
        .sum();
    assert!(bytes.abs_diff(sound_ms as usize * 48) < 100, "{bytes} bytes for {sound_ms} ms");
}

#[test]
fn the_first_sentence_is_asked_for_while_the_rest_is_written_and_one_piece_at_a_time() {
    let mut t = speaking(false);
    let id = t.begin();
    assert!(spoken_of(&t.words(&id, " a red cup")).is_empty());
    let first = spoken_of(&t.words(&id, ". It is"));
    assert!(matches!(&first[..], [(1, text)] if text.ends_with("a red cup.")), "{first:?}");
    assert!(spoken_of(&t.words(&id, " near you. And it is full. ")).is_empty(), "the voice is at work");
    let out = t.put(Input::Voiced { response_id: id.clone(), piece: 1, result: Ok(voiced(&first[0].1)) });
    assert!(out.iter().any(|o| matches!(o, Output::FirstSound { .. })));
    assert_eq!(spoken_of(&out), [(2, "It is near you.".to_owned())]);
}

#[test]
fn the_voice_is_not_further_ahead_than_it_need_be_and_goes_on_in_time() {
    let mut t = speaking(false);
    let id = t.begin();
    let long = " a red cup, and one more, and another".repeat(12);
    let mut out = t.words(&id, &long);
    let (begun, mut made_ms, mut pieces) = (t.now, 0, 0);
    while made_ms < 12_000 {
        for (piece, text) in spoken_of(&std::mem::take(&mut out)) {
            let heard_ms = u64::try_from(t.now.since(begun).as_millis()).expect("short");
            assert!(
                made_ms <= heard_ms + 4_000,
                "piece {piece} was asked for with {made_ms} ms made and {heard_ms} heard"
            );
            let sound = voiced(&text);
            (made_ms, pieces) = (made_ms + sound.ms, pieces + 1);
            out.extend(t.put(Input::Voiced { response_id: id.clone(), piece, result: Ok(sound) }));
        }
        if spoken_of(&out).is_empty() {
            let due = t.c.next_deadline().expect("something is due");
            assert!(due > t.now, "no deadline lies in the past");
            t.now = due;
            out.extend(t.put(Input::Tick));
        }
    }
    assert!(pieces > 2 && t.now.since(begun) > Duration::from_secs(3), "{pieces} pieces");
}

#[test]
fn a_response_may_be_text_or_sound_whatever_the_session_is() {
    let mut t = speaking(false);
    t.say("What do you see?");
    let out = t.client(json!({"type": "response.create", "response": {"output_modalities": ["text"]}}));
    assert_eq!(events(&out)[0]["response"]["output_modalities"], json!(["text"]));
    let (id, _) = generated(&out).expect("begun");
    assert!(types(&t.answer(&id, " a cup.")).contains(&"response.output_text.done".to_owned()));
    t.client(json!({"type": "session.update", "session": {"type": "realtime", "output_modalities": ["text"]}}));
    t.put(Input::Scene(cup(t.now)));
    t.say("What do you see?");
    let out = t.client(json!({"type": "response.create", "response": {"output_modalities": ["audio"]}}));
    let (id, _) = generated(&out).expect("begun");
    let out = t.answer(&id, " a cup.");
    let out = t.say_all(&id, out);
    assert_eq!(types(&out).last().map(String::as_str), Some("response.done"));
}

#[test]
fn an_answer_whose_voice_fails_or_does_not_come_ends_as_text_and_says_so() {
    for late in [false, true] {
        let mut t = speaking(false);
        let id = t.begin();
        let out = t.words(&id, " a red cup. It is near");
        let [(piece, _)] = spoken_of(&out)[..] else { panic!("asked") };
        let out = if late {
            let mut out = Vec::new();
            while types(&out).is_empty() {
                t.now = t.c.next_deadline().expect("the voice is waited for");
                out = t.put(Input::Tick);
            }
            out
        } else {
            t.put(Input::Voiced { response_id: id.clone(), piece, result: Err("no".into()) })
        };
        assert_eq!(types(&out), ["error", "response.degraded"]);
        assert_eq!(
            (events(&out)[0]["error"]["code"].as_str(), events(&out)[1]["step"].as_str()),
            (Some("voice_failed"), Some("text_only"))
        );
        assert_eq!(out.iter().any(|o| matches!(o, Output::Silence { .. })), late);
        let out = t.words(&id, " you.");
        assert!(spoken_of(&out).is_empty());
        let out = t.done(&id);
        let done = events(&out).pop().expect("done");
        assert_eq!(done["response"]["status"], "completed");
        let text = done["response"]["output"][0]["content"][0]["transcript"].as_str().expect("words").to_owned();
        assert!(text.ends_with("It is near you."), "{text}");
    }
}

#[test]
fn over_a_websocket_the_client_tells_what_was_heard_and_only_that_is_kept() {
    let mut t = speaking(false);
    let id = t.begin();
    let mut out = t.words(&id, " a red cup. It is near you.");
    out.extend(t.done(&id));
    let out = t.say_all(&id, out);
    let done = events(&out).pop().expect("done");
    let item = done["response"]["output"][0].clone();
    let (item_id, text) = (item["id"].as_str().expect("id"), item["content"][0]["transcript"].as_str().expect("text"));
    let out = t.client(
        json!({"type": "conversation.item.truncate", "item_id": item_id, "content_index": 0, "audio_end_ms": 700}),
    );
    assert_eq!(types(&out), ["conversation.item.truncated"]);
    assert_eq!((text, t.kept(item_id).as_str()), ("I can see a red cup. It is near you.", "I can see a"));
    let (_, prompt) = generated(&t.ask("And where is it?")).expect("begun");
    assert!(prompt.messages.iter().all(|m| !m.content.contains("near you")), "what nobody heard is not shown");
}

#[test]
fn on_a_track_the_buffer_begins_and_ends_as_it_is_played_and_no_sound_goes_over_the_wire() {
    let mut t = speaking(true);
    let id = t.begin();
    let mut out = t.words(&id, " a red cup. It is near you.");
    out.extend(t.done(&id));
    let out = t.say_all(&id, out);
    assert!(!types(&out).contains(&"response.output_audio.delta".to_owned()));
    assert_eq!(types(&out).last().map(String::as_str), Some("response.done"), "it is made before it is heard");
    let ids = played(&out);
    assert_eq!(ids.len(), 2);
    assert_eq!(
        types(&t.after(50).put(Input::Playing { id: ids[0] })),
        ["output_audio_buffer.started", "response.output_audio.words"]
    );
    assert!(t.c.attends(), "what is heard now may be an interruption");
    let out = t.after(1_000).put(Input::Playing { id: ids[1] });
    assert_eq!(types(&out), ["response.output_audio.words"]);
    assert!(events(&out)[0]["words"][0]["start_ms"].as_u64().expect("ms") > 500, "times go on");
    assert_eq!(types(&t.after(900).put(Input::Drained { id: ids[1] })), ["output_audio_buffer.stopped"]);
    assert!(!t.c.attends());
}

#[test]
fn an_interruption_on_a_track_leaves_what_was_heard() {
    for done in [true, false] {
        let mut t = speaking(true);
        let id = t.begin();
        let mut out = t.words(&id, " a red cup. It is near");
        if done {
            out.extend(t.done(&id));
        }
        let out = t.say_all(&id, out);
        let ids = played(&out);
        t.put(Input::Playing { id: ids[0] });
        t.after(300);
        let mut out = t.put(Input::SpeechStarted { at: t.now });
        assert_eq!(types(&out), Vec::<String>::new(), "it has to prove itself, although the response is done");
        out.extend(t.voice(680));
        let kinds = once(&out);
        let mut want = vec!["input_audio_buffer.speech_started"];
        if !done {
            want.extend([
                "response.output_audio.done",
                "response.output_audio_transcript.done",
                "response.content_part.done",
            ]);
            want.extend(["response.output_item.done", "conversation.item.done", "response.done"]);
        }
        want.extend(["output_audio_buffer.cleared", "conversation.item.truncated"]);
        assert_eq!(kinds, want);
        assert!(out.iter().any(|o| matches!(o, Output::Hush)));
        let cut = events(&out).pop().expect("truncated");
        assert!(cut["audio_end_ms"].as_u64().is_some_and(|ms| (300..=450).contains(&ms)), "held back since: {cut}");
        let kept = t.kept(cut["item_id"].as_str().expect("id"));
        assert!((2..=9).contains(&kept.len()), "{kept:?}: a third of a second of it was heard");
    }
}

#[test]
fn our_own_words_coming_back_from_the_loudspeaker_do_not_interrupt_us() {
    let mut t = speaking(true);
    let id = t.begin();
    let mut out = t.words(&id, " a red cup. It is near you. ");
    out.extend(t.done(&id));
    let out = t.say_all(&id, out);
    let ids = played(&out);
    t.put(Input::Playing { id: ids[0] });
    t.after(900);
    let mut out = t.put(Input::SpeechStarted { at: t.now });
    out.extend(t.voice(280));
    let asked =
        out.iter().find_map(|o| if let Output::Overhear { item_id, .. } = o { Some(item_id.clone()) } else { None });
    let near = Duration::from_millis(280);
    let item_id = asked.expect("it is read early");
    let out = t.put(Input::Overheard { item_id, near, result: Ok("a red cup".into()) });
    assert_eq!(types(&out), Vec::<String>::new());
}

#[test]
fn clients_may_throw_away_what_is_left_to_play() {
    let mut t = speaking(true);
    let id = t.begin();
    let out = t.words(&id, " a red cup. It is near");
    let out = t.say_all(&id, out);
    t.put(Input::Playing { id: played(&out)[0] });
    let out = t.after(200).client(json!({"type": "output_audio_buffer.clear"}));
    let kinds = types(&out);
    assert!(kinds.contains(&"response.done".to_owned()), "{kinds:?}");
    assert_eq!(kinds[kinds.len() - 2..], ["output_audio_buffer.cleared", "conversation.item.truncated"]);
    assert!(types(&t.client(json!({"type": "output_audio_buffer.clear"}))).is_empty(), "there is nothing left");
}

#[test]
fn a_call_that_breaks_leaves_what_was_heard_and_the_next_one_is_spoken_in() {
    let mut t = speaking(true);
    let id = t.begin();
    let mut out = t.words(&id, " a red cup. It is near");
    out.extend(t.done(&id));
    let out = t.say_all(&id, out);
    t.put(Input::Playing { id: played(&out)[0] });
    let out = t.after(300).put(Input::Cut);
    assert_eq!(types(&out), ["output_audio_buffer.cleared", "conversation.item.truncated"]);
    let item_id = events(&out)[1]["item_id"].as_str().expect("id").to_owned();
    assert_eq!(t.kept(&item_id), "I can");
    assert!(types(&t.put(Input::Player)).is_empty());
    t.put(Input::Scene(cup(t.now)));
    let id = t.begin();
    let mut out = t.words(&id, " a red cup.");
    out.extend(t.done(&id));
    let out = t.say_all(&id, out);
    assert_eq!(types(&t.put(Input::Playing { id: played(&out)[0] }))[0], "output_audio_buffer.started");
}

#[test]
fn a_session_that_goes_on_without_its_call_says_the_rest_over_the_wire() {
    let mut t = speaking(true);
    t.client(json!({"type": "session.update", "session": {"type": "realtime",
        "audio": {"output": {"format": {"type": "audio/pcmu"}}}}}));
    let formats = |out: &[Output]| {
        let format = |o: &Output| if let Output::Speak { format, .. } = o { Some(*format) } else { None };
        out.iter().filter_map(format).collect::<Vec<_>>()
    };
    let id = t.begin();
    let mut out = t.words(&id, " a red cup. It is near you. Yes");
    let first = spoken_of(&out).pop().expect("asked for").1;
    out = t.put(Input::Voiced { response_id: id.clone(), piece: 1, result: Ok(voiced(&first)) });
    let (ids, second) = (played(&out), spoken_of(&out).pop().expect("asked for").1);
    assert_eq!(formats(&out), [AudioFormat::Pcm { rate: 24_000 }], "the track's own");
    t.put(Input::Playing { id: ids[0] });
    t.after(300).put(Input::Cut);
    let out = t.after(2_000).put(Input::NoPlayer);
    assert!(out.iter().any(|o| matches!(o, Output::Silence { .. })));
    assert_eq!((spoken_of(&out), formats(&out)), (vec![(3, second.clone())], vec![AudioFormat::Pcmu]));
    let late = Input::Voiced { response_id: id.clone(), piece: 2, result: Ok(voiced(&second)) };
    assert!(t.put(late).is_empty(), "in the format of the track");
    let mut all = t.say_all(&id, out);
    let out = t.done(&id);
    all.extend(t.say_all(&id, out));
    assert!(types(&all).contains(&"response.output_audio.delta".to_owned()) && played(&all).is_empty());
    assert!(types(&all).contains(&"response.done".to_owned()));
    // Nobody tells what is heard; time does.
    t.after(60_000).put(Input::Tick);
    assert!(!t.c.attends() && t.put(Input::NoPlayer).is_empty());
}

#[test]
fn without_a_voice_answers_are_text_whatever_is_asked_for() {
    let mut t = Talk::seeing();
    let out =
        t.client(json!({"type": "session.update", "session": {"type": "realtime", "output_modalities": ["audio"]}}));
    assert_eq!(events(&out)[0]["session"]["output_modalities"], json!(["text"]));
    t.say("What do you see?");
    let out = t.client(json!({"type": "response.create", "response": {"output_modalities": ["audio"]}}));
    let (id, _) = generated(&out).expect("begun");
    assert!(types(&t.answer(&id, " a cup.")).contains(&"response.output_text.done".to_owned()));
}

#[test]
fn the_voice_is_given_the_format_and_the_speed_of_the_session() {
    let mut t = speaking(false);
    t.client(json!({"type": "session.update", "session": {"type": "realtime",
        "audio": {"output": {"format": {"type": "audio/pcmu"}, "speed": 1.25}}}}));
    let id = t.begin();
    let out = t.words(&id, " a red cup. Yes");
    let Some(Output::Speak { format, speed, .. }) = out.iter().find(|o| matches!(o, Output::Speak { .. })) else {
        panic!("asked")
    };
    assert_eq!((*format, *speed), (AudioFormat::Pcmu, 1.25));
}

proptest::proptest! {
    /// Whatever happens in whatever order, an answer ends once, and its item holds a beginning of its words.
    #[test]
    fn every_spoken_answer_ends_once(track in proptest::bool::ANY, steps in proptest::collection::vec(0_u8..9, 1..40)) {
        let mut t = speaking(track);
        let id = t.begin();
        let (mut out, mut asked, mut ids, mut ended) = (Vec::new(), Vec::<(u32, String)>::new(), Vec::<u64>::new(), false);
        for step in steps {
            out.extend(match step {
                0 | 1 if !ended => t.words(&id, " a red cup. It is near you, and"),
                2 if !ended => { ended = true; t.done(&id) }
                3 | 4 => match asked.pop() {
                    Some((piece, text)) => {
                        let result = if step == 3 { Ok(voiced(&text)) } else { Err("no".to_owned()) };
                        t.put(Input::Voiced { response_id: id.clone(), piece, result })
                    }
                    None => Vec::new(),
                },
                5 => ids.pop().map(|id| t.put(Input::Playing { id })).unwrap_or_default(),
                6 => t.put(Input::Drained { id: 99 }),
                7 => t.after(700).put(Input::Tick),
                8 => t.client(json!({"type": "output_audio_buffer.clear"})),
                _ => Vec::new(),
            });
            asked = spoken_of(&out);
            ids = played(&out);
        }
        for _ in 0..200 {
            if !ended { ended = true; out.extend(t.done(&id)); }
            let Some(due) = t.c.next_deadline() else { break };
            t.now = due.max(t.now);
            out.extend(t.put(Input::Tick));
        }
        let done = types(&out).iter().filter(|k| *k == "response.done").count();
        proptest::prop_assert_eq!(done, 1);
        let started = types(&out).iter().filter(|k| *k == "output_audio_buffer.started").count();
        proptest::prop_assert!(track || started == 0);
    }
}
