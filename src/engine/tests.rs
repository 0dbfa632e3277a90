mod brake;
mod budget;
mod draft;
mod fair;
mod reading;
mod shared;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::scripted::{Act, Log, ScriptedEmbedder, ScriptedExpert, ScriptedLanguage, ScriptedTranscriber};
use super::*;
use crate::base::{BBox, Brake, Clock, ErrorClass, FrameId, ManualClock, MediaTime, RgbFrame, SessionId};
use crate::dialogue::{Message, Prompt, Role};
use crate::model::LanguageModel as _;
use crate::model::llm::Sampling;
use crate::watch::{EmbedTextError, Region, Sighting};

const LONG: &str =
    "This is an answer of more than sixty-four characters, so that it cannot fit into a small reply queue at once.";
const SYSTEM: &str = "You watch a camera.";

struct Bench {
    engine: Engine,
    handle: EngineHandle,
    clock: Arc<ManualClock>,
    log: Log,
}

impl Bench {
    fn new(answer: &'static str, config: EngineConfig) -> Self {
        let experts = [("detector", Act::See), ("broken", Act::Fail), ("wild", Act::Panic), ("ocr", Act::See)];
        Self::of(answer, config, &experts)
    }

    fn of(answer: &'static str, config: EngineConfig, experts: &[(&'static str, Act)]) -> Self {
        Self::guessing((answer, 0), config, experts)
    }

    /// With a model that finds so many guessed tokens worth checking.
    fn guessing(
        (answer, drafts): (&'static str, usize),
        config: EngineConfig,
        experts: &[(&'static str, Act)],
    ) -> Self {
        let (clock, log) = (Arc::new(ManualClock::default()), Log::default());
        let mut language = ScriptedLanguage::new(answer, Arc::clone(&clock), Arc::clone(&log));
        language.drafts = drafts;
        let expert = |&(name, act)| {
            let (clock, log) = (Arc::clone(&clock), Arc::clone(&log));
            Box::new(ScriptedExpert { name, act, cost: Duration::from_millis(50), clock, log, brake: Brake::default() })
                as _
        };
        let parts = EngineParts {
            voice: None,
            language: Some(Box::new(language)),
            transcriber: Some(Box::new(ScriptedTranscriber {
                text: "what is this",
                cost: Duration::from_millis(100),
                clock: Arc::clone(&clock),
                log: Arc::clone(&log),
            })),
            experts: experts.iter().map(expert).collect(),
            embedder: Some(Box::new(ScriptedEmbedder {
                cost: Duration::from_millis(10),
                clock: Arc::clone(&clock),
                log: Arc::clone(&log),
            })),
        };
        let (engine, handle) = Engine::start(parts, config, Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
        Self { engine, handle, clock, log }
    }

    fn session(&self, name: &str) -> EngineSession {
        self.handle.attach(SessionId::new(name)).unwrap()
    }

    fn entries(&self, what: &str) -> Vec<String> {
        self.log.lock().unwrap().iter().filter(|l| l.starts_with(what)).cloned().collect()
    }

    /// Waits, for real, until the log says so.
    async fn until(&self, what: &str) {
        while self.entries(what).is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Waits, for real, until the engine has nothing to do that it can do.
    async fn idle(&self) {
        let mut before = u64::MAX;
        while before != self.handle.stats().steps {
            before = self.handle.stats().steps;
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }
}

fn prompt(user: &str) -> Prompt {
    let message = |role, content: &str| Message { role, content: content.to_owned() };
    Prompt { messages: vec![message(Role::System, SYSTEM), message(Role::User, user)], answer_prefix: String::new() }
}

fn ask(user: &str) -> GenerateRequest {
    let sampling = Sampling { repetition_penalty: 1.0, ..Sampling::default() };
    let deadline = MediaTime::from_millis(1_000_000);
    GenerateRequest { prompt: prompt(user), max_tokens: 500, sampling, stop: vec![], deadline }
}

#[derive(Debug, Default)]
struct Answer {
    text: String,
    tokens: usize,
    started: Option<(usize, usize)>,
    finish: Option<Finish>,
    output_tokens: usize,
}

async fn collect(mut events: mpsc::Receiver<GenerateEvent>) -> Answer {
    let mut answer = Answer::default();
    while let Some(event) = events.recv().await {
        assert!(answer.finish.is_none(), "an event after Done");
        match event {
            GenerateEvent::Started { prompt_tokens, cached_tokens, .. } => {
                assert!(answer.started.is_none() && answer.text.is_empty());
                answer.started = Some((prompt_tokens, cached_tokens));
            }
            GenerateEvent::Delta { text, tokens } => {
                answer.text += &text;
                answer.tokens += tokens;
            }
            GenerateEvent::Done { finish, output_tokens, .. } => {
                answer.finish = Some(finish);
                answer.output_tokens = output_tokens;
            }
        }
    }
    answer
}

async fn answer(session: &EngineSession, request: GenerateRequest) -> Answer {
    collect(session.generate(request, CancellationToken::new()).await.unwrap()).await
}

#[tokio::test]
async fn an_answer_streams_whole_and_in_order() {
    let bench = Bench::new("It is a cup. ☕", EngineConfig::default());
    let got = answer(&bench.session("a"), ask("What is it?")).await;
    assert_eq!((got.text.as_str(), got.finish), ("It is a cup. ☕", Some(Finish::Stop)));
    assert_eq!((got.tokens, got.output_tokens), (16, 16));
    assert_eq!(got.started, Some((SYSTEM.len() + 2 + 11 + 2 + 1, 0)));
}

#[tokio::test]
async fn length_stop_text_and_prefix_bound_an_answer() {
    let bench = Bench::new("It is a red cup. And more.", EngineConfig::default());
    let session = bench.session("a");
    let short = answer(&session, GenerateRequest { max_tokens: 5, ..ask("x") }).await;
    assert_eq!((short.text.as_str(), short.finish), ("It is", Some(Finish::Length)));
    let stopped = answer(&session, GenerateRequest { stop: vec![".".into()], ..ask("x") }).await;
    assert_eq!((stopped.text.as_str(), stopped.finish), ("It is a red cup", Some(Finish::Stop)));
    let mut begun = ask("x");
    begun.prompt.answer_prefix = "It is".to_owned();
    begun.max_tokens = 10;
    let begun = answer(&session, begun).await;
    assert_eq!((begun.text.as_str(), begun.output_tokens), ("It is a re", 10));
    assert_eq!(begun.started.unwrap().0, short.started.unwrap().0);
}

#[tokio::test]
async fn a_prompt_is_never_computed_twice() {
    let bench = Bench::new("Yes.", EngineConfig::default());
    let (a, b) = (bench.session("a"), bench.session("b"));
    answer(&a, ask("first question")).await;
    // The same session: all up to the first difference. Another session: the system message.
    let second = answer(&a, ask("first query")).await;
    assert_eq!(second.started.unwrap().1, SYSTEM.len() + 2 + 1 + "first que".len());
    let other = answer(&b, ask("something else")).await;
    assert_eq!(other.started.unwrap().1, SYSTEM.len() + 2);
    assert_eq!(bench.entries("fork 4 1").len(), 1);
    let again = answer(&b, ask("something else")).await;
    assert_eq!(again.started.unwrap().0 - again.started.unwrap().1, 1);
}

#[tokio::test]
async fn what_was_warmed_is_cached_and_a_newer_warming_replaces_an_older() {
    let bench = Bench::new("Yes.", EngineConfig::default());
    let session = bench.session("a");
    session.warm(prompt(&"old facts ".repeat(100)), false).await.unwrap();
    session.warm(prompt("new facts"), false).await.unwrap();
    bench.idle().await;
    let got = answer(&session, ask("new facts")).await;
    assert_eq!(got.started.unwrap().0 - got.started.unwrap().1, 1, "only the assistant's header was left to compute");
    session.warm(prompt("new facts"), false).await.unwrap();
    let steps = bench.entries("forward").len();
    bench.idle().await;
    assert_eq!(bench.entries("forward").len(), steps, "what is cached is not computed again");
}

#[tokio::test]
async fn a_slow_reader_loses_nothing_and_holds_up_nobody() {
    let bench = Bench::new(LONG, EngineConfig { reply_events: 8, ..EngineConfig::default() });
    let (slow, quick) = (bench.session("slow"), bench.session("quick"));
    let waiting = slow.generate(ask("x"), CancellationToken::new()).await.unwrap();
    bench.idle().await;
    let steps = bench.entries("forward 0").len();
    assert!(steps < 20, "{steps} steps although nobody read");
    assert_eq!(answer(&quick, ask("y")).await.text, LONG);
    assert_eq!(bench.entries("forward 0").len(), steps);
    let got = collect(waiting).await;
    assert_eq!((got.text.as_str(), got.tokens, got.finish), (LONG, LONG.len(), Some(Finish::Stop)));
}

#[tokio::test]
async fn cancelling_ends_an_answer_between_tokens_and_the_next_may_begin() {
    let bench = Bench::new(LONG, EngineConfig { reply_events: 8, ..EngineConfig::default() });
    let session = bench.session("a");
    let cancel = CancellationToken::new();
    let first = session.generate(ask("x"), cancel.clone()).await.unwrap();
    let busy = session.generate(ask("y"), CancellationToken::new()).await;
    assert!(matches!(busy, Err(EngineError::Busy)));
    cancel.cancel();
    let second = answer(&session, ask("z")).await;
    assert_eq!((second.text.as_str(), second.finish), (LONG, Some(Finish::Stop)));
    let first = collect(first).await;
    assert_eq!(first.finish, Some(Finish::Cancelled));
    assert!(first.text.len() < LONG.len());
    drop(session.generate(ask("dropped"), CancellationToken::new()).await.unwrap());
    assert_eq!(answer(&session, ask("z")).await.text, LONG);
}

#[tokio::test]
async fn cancelling_a_blocked_answer_wakes_the_engine() {
    let bench = Bench::new(LONG, EngineConfig { reply_events: 8, ..EngineConfig::default() });
    let session = bench.session("a");
    let cancel = CancellationToken::new();
    let events = session.generate(ask("x"), cancel.clone()).await.unwrap();
    bench.idle().await;
    cancel.cancel();
    bench.idle().await;
    assert!(bench.handle.stats().output_tokens > 0, "the answer has ended without being read");
    assert_eq!(collect(events).await.finish, Some(Finish::Cancelled));
}

#[tokio::test]
async fn a_panic_fails_one_request_and_no_other() {
    let bench = Bench::new("Fine.", EngineConfig::default());
    let (bad, good) = (bench.session("bad"), bench.session("good"));
    let running = good.generate(ask("x"), CancellationToken::new()).await.unwrap();
    let failed = answer(&bad, ask("¡")).await;
    assert!(matches!(&failed.finish, Some(Finish::Failed(why)) if why.contains("panicked")), "{failed:?}");
    assert_eq!(collect(running).await.text, "Fine.");
    assert_eq!(answer(&bad, ask("again")).await.text, "Fine.");
    let heard = bad.transcribe(Arc::new([]), MediaTime::ZERO).await;
    assert!(matches!(heard, Err(EngineError::Panicked("speech"))));
    assert_eq!(bench.handle.stats().panics, 2);
}

fn frame() -> RgbFrame {
    RgbFrame { id: FrameId(0), width: 1, height: 1, data: Arc::new([0; 3]), capture: MediaTime::ZERO }
}

#[tokio::test]
async fn experts_look_in_order_and_those_that_could_not_are_named() {
    let bench = Bench::new("", EngineConfig::default());
    let session = bench.session("a");
    let request =
        PerceiveRequest { experts: vec![], deadline: MediaTime::from_millis(10_000), urgent: false, part: None };
    let all = session.perceive(frame(), request.clone()).await.unwrap();
    assert_eq!(all.looked(), ["detector", "ocr"]);
    assert_eq!(all.missed.iter().map(|m| m.0).collect::<Vec<_>>(), ["broken", "wild"]);
    assert_eq!(bench.entries("look ocr"), ["look ocr after 1"]);
    let deadline = bench.clock.now() + Duration::from_millis(60);
    let some = PerceiveRequest { experts: vec!["ocr", "detector", "broken", "psychic"], deadline, ..request };
    let late = session.perceive(frame(), some).await.unwrap();
    assert_eq!(late.looked(), ["detector"]);
    let mut missed: Vec<_> = late.missed.iter().map(|m| m.0).collect();
    missed.sort_unstable();
    assert_eq!(missed, ["broken", "ocr", "psychic"]);
    assert_eq!(bench.handle.stats().deadline_misses, 1);
}

#[tokio::test]
async fn who_can_looks_at_a_part_and_at_the_whole_where_the_part_does_not_do() {
    let bench = Bench::of("", EngineConfig::default(), &[("detector", Act::See), ("ocr", Act::See)]);
    let session = bench.session("a");
    let outside =
        vec![Sighting::Object { label: "cup".to_owned(), confidence: 0.9, bbox: BBox::new(0.8, 0.8, 0.9, 0.9) }];
    for (x, looked_at_a_part) in [(0.0, true), (0.2, false)] {
        let region = Region::of(BBox::new(x, 0.2, 0.6, 0.6), BBox::FULL).unwrap();
        let part = Some(Glimpse { region, outside: outside.clone() });
        let deadline = MediaTime::from_millis(60_000);
        let said = session.perceive(frame(), PerceiveRequest { experts: vec![], deadline, urgent: false, part });
        let looks = said.await.unwrap().looks;
        assert!(looks.len() == 2 && looks.iter().all(|look| look.region == looked_at_a_part.then_some(region)));
    }
    assert_eq!(bench.entries("part detector"), ["part detector after 1"; 2], "they are told what is known outside");
    assert_eq!(bench.entries("look detector").len(), 1);
}

#[tokio::test]
async fn speech_and_perception_come_between_the_tokens_of_an_answer() {
    let bench = Bench::new(LONG, EngineConfig { reply_events: 8, ..EngineConfig::default() });
    let session = bench.session("a");
    let mut events = session.generate(ask("x"), CancellationToken::new()).await.unwrap();
    events.recv().await.unwrap();
    let late = MediaTime::ZERO;
    let heard = session.transcribe(Arc::new([0.0; 160]), late).await.unwrap();
    assert_eq!(heard.transcript.text, "what is this");
    assert_eq!(heard.took, Duration::from_millis(100));
    assert!(heard.queue <= Duration::from_millis(32), "waited for one step at most: {:?}", heard.queue);
    assert_eq!(bench.handle.stats().deadline_misses, 1);
    let request = PerceiveRequest {
        experts: vec!["detector"],
        deadline: MediaTime::from_millis(9_000),
        urgent: true,
        part: None,
    };
    let seen = tokio::join!(session.perceive(frame(), request), collect(events));
    assert_eq!(seen.0.unwrap().looked(), ["detector"]);
    assert_eq!(seen.1.finish, Some(Finish::Stop));
}

#[tokio::test]
async fn texts_are_embedded_and_what_goes_wrong_stays_with_its_text() {
    let bench = Bench::new("", EngineConfig::default());
    let session = bench.session("a");
    let later = MediaTime::from_millis(60_000);
    assert_eq!(bench.handle.embedder(), Some("scripted"));
    let (one, two) = tokio::join!(session.embed("cup".into(), later, true), session.embed("dog".into(), later, false));
    assert_eq!((one.unwrap(), two.unwrap()), (vec![0.0, 1.0], vec![0.0, 1.0]));
    let none = session.embed(String::new(), later, true).await.unwrap_err();
    assert!(matches!(none, EngineError::Embed(EmbedTextError::NoWords)), "{none}");
    assert_eq!(none.class(), ErrorClass::Invalid);
    let wild = session.embed("¡".into(), later, true).await;
    assert!(matches!(wild, Err(EngineError::Panicked("embedder"))));
    assert!(session.embed("cup".into(), later, false).await.is_ok());
    assert_eq!((bench.handle.stats().panics, bench.handle.stats().deadline_misses), (1, 0));
}

#[tokio::test]
async fn a_question_too_late_has_no_vector_and_an_event_too_late_has_one() {
    let bench = Bench::new("", EngineConfig::default());
    let session = bench.session("a");
    bench.clock.advance(Duration::from_millis(1));
    let late = session.embed("question".into(), MediaTime::ZERO, true).await;
    assert!(matches!(&late, Err(EngineError::Late)), "{late:?}");
    assert_eq!(late.unwrap_err().class(), ErrorClass::Capacity);
    assert!(bench.entries("embed").is_empty(), "nothing was computed");
    assert!(session.embed("event".into(), MediaTime::ZERO, false).await.is_ok());
    assert_eq!(bench.entries("embed"), ["embed event"]);
    assert_eq!(bench.handle.stats().deadline_misses, 2);
}

#[tokio::test]
async fn a_question_is_embedded_beside_a_look_and_an_answer() {
    let bench = Bench::new(LONG, EngineConfig { reply_events: 8, ..EngineConfig::default() });
    let session = bench.session("a");
    let later = MediaTime::from_millis(60_000);
    let events = session.generate(ask("x"), CancellationToken::new()).await.unwrap();
    let look = PerceiveRequest { experts: vec!["detector", "ocr"], deadline: later, urgent: false, part: None };
    let (seen, vector, said) = tokio::join!(
        session.perceive(frame(), look),
        session.embed("where is it".into(), later, true),
        collect(events)
    );
    assert_eq!(seen.unwrap().looked(), ["detector", "ocr"]);
    assert!(vector.is_ok());
    assert_eq!((said.text.as_str(), said.finish), (LONG, Some(Finish::Stop)));
    assert_eq!(bench.handle.stats().deadline_misses, 0);
}

#[tokio::test]
async fn slots_are_bounded_freed_on_drop_and_never_mixed_up() {
    let bench = Bench::new(LONG, EngineConfig { slots: 1, ..EngineConfig::default() });
    let first = bench.session("a");
    let none = bench.handle.attach(SessionId::new("b"));
    assert!(matches!(&none, Err(EngineError::Capacity { slots: 1 })));
    assert_eq!(none.err().unwrap().class(), ErrorClass::Capacity);
    let orphan = first.generate(ask("x"), CancellationToken::new()).await.unwrap();
    drop(first);
    let second = bench.session("b");
    assert_eq!(answer(&second, ask("y")).await.text, LONG);
    assert_eq!(collect(orphan).await.finish, Some(Finish::Cancelled));
    drop(second);
    bench.idle().await;
    assert_eq!(bench.entries("open 0").len(), bench.entries("close 0").len());
    assert_eq!(bench.handle.stats().attached, 0);
}

#[tokio::test]
async fn limits_are_checked_before_anything_is_allocated() {
    let (clock, log) = (Arc::new(ManualClock::default()), Log::default());
    let start = |kv_limit_bytes| {
        let language = ScriptedLanguage::new("", Arc::clone(&clock), Arc::clone(&log));
        let parts = EngineParts { language: Some(Box::new(language)), ..EngineParts::default() };
        let config = EngineConfig { context_tokens: 100, slots: 4, kv_limit_bytes, ..EngineConfig::default() };
        Engine::start(parts, config, Arc::clone(&clock) as Arc<dyn Clock>)
    };
    assert!(matches!(start(99), Err(EngineError::KvLimit { tokens: 100, bytes: 100, limit: 99 })));
    let (_engine, handle) = start(250).unwrap();
    assert_eq!(handle.stats().slots, 2);
    let session = handle.attach(SessionId::new("a")).unwrap();
    let long = session.generate(ask(&"x".repeat(100)), CancellationToken::new()).await;
    assert!(matches!(long, Err(EngineError::PromptTooLong { limit: 100, .. })));
    assert!(matches!(session.transcribe(Arc::new([0.0]), MediaTime::ZERO).await, Err(EngineError::NoSpeech)));
    assert!(matches!(session.embed("cup".into(), MediaTime::ZERO, true).await, Err(EngineError::NoEmbedder)));
    assert!(log.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_answer_ends_where_the_context_does() {
    let bench = Bench::new(LONG, EngineConfig { context_tokens: 64, ..EngineConfig::default() });
    let got = answer(&bench.session("a"), ask("What is it?")).await;
    assert_eq!(got.finish, Some(Finish::Length));
    assert_eq!(got.started.unwrap().0 + got.output_tokens, 64);
}

#[tokio::test]
async fn shutting_down_ends_everything_that_waits() {
    let bench = Bench::new(LONG, EngineConfig { reply_events: 8, ..EngineConfig::default() });
    let session = bench.session("a");
    let events = session.generate(ask("x"), CancellationToken::new()).await.unwrap();
    bench.idle().await;
    bench.engine.shutdown();
    assert!(matches!(collect(events).await.finish, Some(Finish::Failed(_))));
    assert!(matches!(session.generate(ask("y"), CancellationToken::new()).await, Err(EngineError::Stopped)));
    assert!(matches!(session.transcribe(Arc::new([0.0]), MediaTime::ZERO).await, Err(EngineError::Stopped)));
}

#[tokio::test(flavor = "multi_thread")]
async fn real_weights_answer_two_sessions_in_turn_from_one_system_message() {
    let dir =
        std::env::var("SIGHTLINE_MODELS").unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/models").into());
    let path = std::path::Path::new(&dir).join("smollm2-135m-instruct/model.gguf");
    if !path.is_file() {
        println!("skipped: {} is not there", path.display());
        return;
    }
    let load = || crate::model::llm::Llm::load(&path, Default::default()).unwrap();
    // What the model says by itself: which words those are differs from processor to processor.
    let mut alone = load();
    let codec = alone.codec();
    let mut next = codec.render(&ask("What is the capital of France?").prompt).tokens;
    let mut said = Vec::new();
    alone.open(0, 512).unwrap();
    for _ in 0..24 {
        let logits = alone.forward(0, &next, true).unwrap().unwrap();
        let best = (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b])).unwrap() as u32;
        if codec.is_end(best) {
            break;
        }
        said.extend_from_slice(codec.bytes(best));
        next = vec![best];
    }
    let said = String::from_utf8(said).unwrap();
    let llm = load();
    let parts = EngineParts { language: Some(Box::new(llm)), ..EngineParts::default() };
    let config = EngineConfig { slots: 2, context_tokens: 512, ..EngineConfig::default() };
    let (_engine, handle) = Engine::start(parts, config, Arc::new(ManualClock::default())).unwrap();
    let (a, b) = (handle.attach(SessionId::new("a")).unwrap(), handle.attach(SessionId::new("b")).unwrap());
    let france = || GenerateRequest { max_tokens: 24, ..ask("What is the capital of France?") };
    let (one, two) = tokio::join!(answer(&a, france()), answer(&b, france()));
    assert_eq!((one.text.as_str(), two.text.as_str()), (said.as_str(), said.as_str()));
    let system = handle.count_tokens(SYSTEM);
    assert!(two.started.unwrap().1.max(one.started.unwrap().1) >= system, "{one:?} {two:?}");
}

const LATER: MediaTime = MediaTime::from_millis(1_000_000);

#[tokio::test]
async fn a_reading_of_unfinished_speech_gives_way_to_finished_speech_and_ends_when_nobody_wants_it() {
    let bench = Bench::new("", EngineConfig::default());
    let (a, b) = (bench.session("a"), bench.session("b"));
    {
        let endless = a.read_so_far(Arc::new([2.0]), LATER);
        tokio::pin!(endless);
        let heard = tokio::select! {
            _ = &mut endless => panic!("it is stopped and begun again"),
            heard = b.transcribe(Arc::new([0.0]), LATER) => heard,
        };
        assert_eq!(heard.unwrap().transcript.text, "what is this");
    }
    bench.idle().await;
    let begun = bench.entries("begin").len();
    assert_eq!(begun, bench.entries("stopped").len(), "the one dropped is not running any more");
    assert_eq!(a.read_so_far(Arc::new([0.0]), LATER).await.unwrap().transcript.text, "what is this");
}
