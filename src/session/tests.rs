//! Who is let in, with models that follow a script and a clock that moves when told to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::actor::Msg;
use super::watcher::{State, WatchCommand, Watcher};
use super::work::{FRAME_WAITS, Worker};
use super::{ClientPort, Memories, OpenOptions, Services, SessionError, Sessions, WatchConfig};
use crate::base::{Brake, Clock, ErrorClass, ManualClock, SessionId};
use crate::budget::{AdmissionConfig, Deadlines, LadderConfig};
use crate::decode::{DecodeConfig, encode_jpeg};
use crate::dialogue::{Limits, LookId};
use crate::engine::scripted::{Act, Log, ScriptedEmbedder, ScriptedExpert, ScriptedLanguage, ScriptedTranscriber};
use crate::engine::{Engine, EngineConfig, EngineParts};
use crate::flow::{DECODE_TO_WATCH, Rx, Tx, WhenFull, queue};
use crate::ingest::{IngestConfig, PortPool, Ports};
use crate::listen::{EchoCancel, ListenConfig, SpeechProbability};
use crate::model::llm::Sampling;
use crate::watch::{Picture, SamplerConfig, SceneConfig};
use crate::wire::Names;

mod silence;

/// Hears nothing.
struct Deaf;

impl SpeechProbability for Deaf {
    fn frame_samples(&self) -> usize {
        256
    }

    fn probability(&mut self, _: &[f32]) -> f32 {
        0.0
    }

    fn reset(&mut self) {}
}

impl EchoCancel for Deaf {
    fn block_samples(&self) -> usize {
        160
    }

    fn cancel(&mut self, _: &[f32], _: &mut [f32]) {}

    fn enhancement_db(&self) -> Option<f32> {
        None
    }
}

struct House {
    sessions: Sessions,
    clock: Arc<ManualClock>,
    memory_left: Arc<AtomicU64>,
    log: Log,
    _engine: Engine,
}

const PLACES: usize = 50;

fn parts(clock: &Arc<ManualClock>, log: &Log) -> EngineParts {
    let (clock, log) = (|| Arc::clone(clock), || Arc::clone(log));
    let ms = Duration::from_millis;
    let expert = ScriptedExpert {
        name: "detector",
        act: Act::See,
        cost: ms(80),
        clock: clock(),
        log: log(),
        brake: Brake::default(),
    };
    let transcriber = ScriptedTranscriber { text: "hello", cost: ms(140), clock: clock(), log: log() };
    let mut language = ScriptedLanguage::new("Fine.", clock(), log());
    language.cost = ms(3);
    EngineParts {
        language: Some(Box::new(language)),
        transcriber: Some(Box::new(transcriber)),
        experts: vec![Box::new(expert)],
        embedder: Some(Box::new(ScriptedEmbedder { cost: ms(10), clock: clock(), log: log() })),
        voice: None,
    }
}

impl House {
    fn new(admission: Option<AdmissionConfig>) -> Self {
        let clock = Arc::new(ManualClock::default());
        Self::with(admission, &clock, &clock)
    }

    /// Whose sessions see no time go by, however long the device works.
    fn standing(admission: Option<AdmissionConfig>) -> Self {
        Self::with(admission, &Arc::default(), &Arc::default())
    }

    /// `clock` is the sessions', `device` the engine's.
    fn with(admission: Option<AdmissionConfig>, clock: &Arc<ManualClock>, device: &Arc<ManualClock>) -> Self {
        let (clock, log) = (Arc::clone(clock), Log::default());
        clock.advance(Duration::from_secs(1));
        let slots = EngineConfig { slots: PLACES + 2, ..EngineConfig::default() };
        let (engine, handle) = Engine::start(parts(device, &log), slots, Arc::clone(device) as Arc<dyn Clock>).unwrap();
        let memory_left = Arc::new(AtomicU64::new(u64::MAX));
        let left = Arc::clone(&memory_left);
        let memories =
            Memories { config: crate::memory::Config::default(), enabled: true, shelf: None, unix_ms_at_zero: 0 };
        let services = Services {
            engine: handle,
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            ingest: IngestConfig::default(),
            ports: Ports::Pool(PortPool::new(1..=1)),
            decode: DecodeConfig::default(),
            vad: Arc::new(|| Box::new(Deaf)),
            echo: Arc::new(|| Box::new(Deaf)),
            listen: ListenConfig::default(),
            watch: WatchConfig {
                sampler: SamplerConfig::default(),
                scene: SceneConfig::default(),
                by_region: true,
                look_budget: Duration::from_millis(600),
                keyframe_side: None,
            },
            names: Names::default(),
            models: BTreeMap::new(),
            missing: Vec::new(),
            limits: Limits::default(),
            deadlines: Deadlines::default(),
            ladder: LadderConfig::default(),
            sampling: Sampling::default(),
            count: Arc::new(str::len),
            max_sessions: PLACES,
            admission,
            trace_dir: None,
            collector: None,
            memory_left: Arc::new(move || Some(left.load(Ordering::SeqCst))),
            max_session: None,
            resume_grace: Duration::ZERO,
            instructions: None,
            memories: Arc::new(memories),
        };
        Self { sessions: Sessions::new(services), clock, memory_left, log, _engine: engine }
    }

    async fn open(&self) -> Result<ClientPort, SessionError> {
        self.sessions.open_socket(OpenOptions::default()).await
    }

    /// Opens sessions until one is refused; those that were let in, and why the last was not.
    async fn fill(&self) -> (Vec<ClientPort>, Option<SessionError>) {
        let mut open = Vec::new();
        while open.len() < PLACES + 1 {
            match self.open().await {
                Ok(port) => open.push(port),
                Err(e) => return (open, Some(e)),
            }
        }
        (open, None)
    }

    async fn until_live(&self, sessions: usize) {
        while self.sessions.live() > sessions {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test]
async fn as_many_are_let_in_as_the_device_carries_and_the_next_is_told_when_to_come_back() {
    let house = House::new(Some(AdmissionConfig::default()));
    house.sessions.calibrate(Duration::from_secs(60)).await;
    let (open, refused) = house.fill().await;
    assert!((1..PLACES).contains(&open.len()), "{}", open.len());
    let refused = refused.expect("fewer than there are places");
    assert!(matches!(refused, SessionError::Overloaded { .. }), "{refused}");
    assert_eq!((refused.class(), refused.code()), (ErrorClass::Capacity, "session_capacity"));
    let wait = refused.retry_after().unwrap();
    assert!(refused.to_string().contains(&format!("try again in {} s", wait.as_secs())), "{refused}");
    assert!(house.open().await.is_err(), "not yet");
    house.clock.advance(wait);
    assert!(house.open().await.is_ok(), "they turned out to ask for less than was assumed");
}

#[tokio::test]
async fn a_place_that_is_given_back_can_be_taken_at_once() {
    // What sessions begin with takes the device time, in which what was assumed of them would fade.
    let house = House::standing(Some(AdmissionConfig::default()));
    house.sessions.calibrate(Duration::from_secs(60)).await;
    let (mut open, refused) = house.fill().await;
    assert!(refused.is_some() && open.len() > 2, "{}", open.len());
    let before = house.sessions.live();
    // Two of them: what the others began with may be computed only now, and is load that was not there before.
    drop((open.pop(), open.pop()));
    house.until_live(before - 2).await;
    let (again, refused) = house.fill().await;
    assert!((1..=2).contains(&again.len()) && refused.is_some(), "{} for two", again.len());
}

/// Starts the tasks of a session; what they tell it, and the pictures that they decode.
fn worker(house: &House) -> (Worker, tokio::sync::mpsc::Receiver<Msg>, Rx<Picture>) {
    let services = &house.sessions.0.services;
    let (out, inbox) = tokio::sync::mpsc::channel(1);
    let (frames, pictures) = queue(DECODE_TO_WATCH, WhenFull::DropOldest);
    let worker = Worker {
        engine: Arc::new(services.engine.attach(SessionId::new("gone")).unwrap()),
        clock: Arc::clone(&services.clock),
        out,
        watch: services.watch.clone(),
        sampling: services.sampling,
        transcribe_budget: services.deadlines.asr,
        first_word_budget: services.deadlines.first_token,
        frames,
        decoding: Arc::new(tokio::sync::Semaphore::new(1)),
        shown: Arc::default(),
    };
    (worker, inbox, pictures)
}

#[tokio::test]
async fn what_a_session_was_reading_ends_with_it_and_its_seat_is_free() {
    let house = House::new(None);
    let services = &house.sessions.0.services;
    let (worker, inbox, _) = worker(&house);
    // One that never ends by itself, and that was kept, as if it had turned out to be the whole utterance.
    let _kept = worker.read_so_far("item".into(), vec![2.0; 16_000].into());
    while house.log.lock().unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    drop((worker, inbox));
    while services.engine.stats().attached > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn a_picture_of_the_wire_waits_for_what_others_wait_for_but_not_for_long() {
    let house = House::new(None);
    let (worker, _inbox, mut pictures) = worker(&house);
    let other = house.sessions.0.services.engine.attach(SessionId::new("other")).unwrap();
    let jpeg = encode_jpeg(&crate::watch::testing::at(crate::watch::testing::blocks(1), 100), 640, 80).unwrap();
    worker.frame(jpeg.clone());
    assert!(pictures.recv().await.is_some(), "nobody waits for anything");
    let later = crate::base::MediaTime::from_millis(1_000_000);
    let shown = async {
        while house.log.lock().unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let waits = tokio::time::sleep(FRAME_WAITS);
        worker.frame(jpeg);
        let at_once = tokio::select! {
            biased;
            _ = pictures.recv() => true,
            () = waits => false,
        };
        let shown = pictures.recv().await.is_some();
        house.log.lock().unwrap().push("enough".to_owned());
        (at_once, shown)
    };
    let (heard, shown) = tokio::join!(other.transcribe(vec![3.0; 16_000].into(), later), shown);
    assert_eq!((heard.is_ok(), shown), (true, (false, true)));
}

#[tokio::test]
async fn a_picture_never_takes_the_place_of_a_newer_one() {
    let house = House::new(None);
    let (worker, _inbox, mut pictures) = worker(&house);
    let frame = |ms| crate::watch::testing::at(crate::watch::testing::blocks(1), ms);
    for (shown, next) in [(100, 100), (50, 0), (200, 200), (200, 200)] {
        worker.show(frame(shown));
        let came = pictures.try_recv().map_or(0, |p| p.capture.as_millis());
        assert_eq!(came, next, "{shown}");
    }
    worker.show(frame(300));
    worker.show(frame(250));
    assert_eq!(pictures.recv().await.map(|p| p.capture.as_millis()), Some(300));
}

#[tokio::test]
async fn a_device_that_is_busy_refuses_a_second_session_until_it_is_not() {
    let house = House::new(Some(AdmissionConfig::default()));
    house.sessions.calibrate(Duration::from_secs(60)).await;
    let _first = house.open().await.unwrap();
    let busy = house.sessions.0.services.engine.attach(SessionId::new("busy")).unwrap();
    for _ in 0..400 {
        busy.transcribe(vec![0.0; 16_000].into(), house.clock.now()).await.unwrap();
    }
    let refused = house.open().await.err().expect("nearly all the time is taken");
    house.clock.advance(refused.retry_after().unwrap());
    assert!(house.open().await.is_ok(), "{refused}");
}

#[tokio::test]
async fn only_places_count_where_admission_is_fixed_and_nothing_is_measured() {
    let house = House::new(None);
    house.sessions.calibrate(Duration::from_secs(60)).await;
    assert!(house.log.lock().unwrap().is_empty(), "nothing was run");
    let (open, refused) = house.fill().await;
    assert_eq!(open.len(), PLACES);
    assert!(matches!(refused, Some(SessionError::Full { max: PLACES })), "{refused:?}");
}

#[tokio::test]
async fn measuring_does_each_sort_of_work_and_leaves_no_load_and_no_place_taken() {
    let house = House::new(Some(AdmissionConfig::default()));
    house.sessions.calibrate(Duration::ZERO).await;
    assert!(house.log.lock().unwrap().is_empty(), "switched off");
    house.sessions.calibrate(Duration::from_secs(60)).await;
    let engine = &house.sessions.0.services.engine;
    let ledger = engine.ledger();
    let known: Vec<_> = ledger.costs.all().map(|(work, _)| work.label()).collect();
    assert_eq!(known, ["prefill", "decode", "speech", "embed", "detector"]);
    assert!(ledger.urgent.at(house.clock.now()) < 1e-9);
    assert_eq!((engine.stats().attached, house.sessions.live()), (0, 0));
}

#[tokio::test]
async fn short_memory_refuses_all_but_the_first() {
    let house = House::new(None);
    house.memory_left.store(1 << 20, Ordering::SeqCst);
    let _first = house.open().await.expect("a server without any session would be of no use");
    let refused = house.open().await.err().unwrap();
    assert!(matches!(refused, SessionError::ShortOfMemory { .. }), "{refused}");
    assert!(refused.to_string().contains("1 MiB") && refused.retry_after().is_some(), "{refused}");
    house.memory_left.store(u64::MAX, Ordering::SeqCst);
    assert!(house.open().await.is_ok());
}

#[tokio::test]
async fn a_session_that_is_late_on_the_last_step_keeps_others_out_for_a_while_only() {
    use super::capacity::Standing;
    use crate::budget::Step;
    let house = House::new(None);
    let late = Arc::new(Standing::default());
    super::registry::lock(&house.sessions.0.steps).push(Arc::downgrade(&late));
    late.set(Step::ShorterAnswers, house.clock.now());
    let first = house.open().await;
    assert!(first.is_ok(), "there is one step more to go");
    late.set(Step::RefuseSessions, house.clock.now());
    let refused = house.open().await.err().unwrap();
    assert!(matches!(refused, SessionError::Overloaded { .. }), "{refused}");
    house.clock.advance(Duration::from_secs(61));
    assert!(house.open().await.is_ok(), "it has been silent since");
    late.set(Step::RefuseSessions, house.clock.now());
    assert!(house.open().await.is_err());
    drop(late);
    assert!(house.open().await.is_ok(), "it has gone");
}

/// A watcher by itself, with what goes in and what comes out.
struct Watched {
    frames: Tx<Picture>,
    commands: tokio::sync::mpsc::Sender<WatchCommand>,
    news: tokio::sync::mpsc::Receiver<Msg>,
}

impl Watched {
    fn new(house: &House) -> Self {
        let services = &house.sessions.0.services;
        let id = SessionId::new("watching");
        let (frames, frames_out) = queue(DECODE_TO_WATCH, WhenFull::DropOldest);
        let ((commands, for_watcher), (out, news)) = (tokio::sync::mpsc::channel(8), tokio::sync::mpsc::channel(64));
        let watcher = Watcher {
            frames: frames_out,
            commands: for_watcher,
            out,
            progress: tokio::sync::watch::channel(None).0,
            engine: Arc::new(services.engine.attach(id.clone()).unwrap()),
            clock: Arc::clone(&services.clock),
            config: services.watch.clone(),
            state: State::new(&services.watch),
            trace: super::trace::Trace::new(services, id),
        };
        tokio::spawn(watcher.run());
        Self { frames, commands, news }
    }

    /// Shows `picture` at each tenth of a second of `tenths`; each is taken in before the next.
    async fn show(&self, tenths: std::ops::Range<u64>, picture: impl Fn(u64) -> u32) {
        for i in tenths {
            let frame = crate::watch::testing::at(crate::watch::testing::blocks(picture(i)), i * 100);
            let _ = self.frames.push(Picture::of(frame));
            while self.frames.depth() > 0 {
                tokio::task::yield_now().await;
            }
        }
    }

    /// When the picture was taken that was looked at next, in milliseconds, and whether a question was answered with it.
    async fn look(&mut self, asked: bool) -> u64 {
        let mut at = 0;
        loop {
            match self.news.recv().await.expect("the watcher goes on") {
                Msg::Look { facts, .. } => at = facts.at.as_millis(),
                Msg::Looked { result, .. } => return result.expect("a look").at.as_millis(),
                _ => {}
            }
            if at > 0 && !asked {
                return at;
            }
        }
    }
}

#[tokio::test]
async fn a_question_in_mid_movement_has_its_look_at_once_and_the_end_of_the_movement_one_of_its_own() {
    let house = House::new(None);
    let mut watched = Watched::new(&house);
    watched.show(1..20, |_| 1).await;
    assert_eq!(watched.look(false).await, 100, "the first");
    let moving = |i| u32::try_from(i).unwrap();
    watched.show(20..27, moving).await;
    watched.commands.send(WatchCommand::LookNow(LookId(7))).await.unwrap();
    assert_eq!(watched.look(true).await, 2_600, "the newest picture, though it moves");
    watched.show(27..30, moving).await;
    watched.show(30..40, |_| 99).await;
    let rest = watched.look(false).await;
    assert!((3_100..=3_300).contains(&rest), "as soon as it is seen to be at rest: {rest}");
}
