//! `make bench-hour`: the time to the first token in the second minute of watching and in the sixty-first, same questions, same scenes.
//!
//! One conversation lives through an hour in virtual time: a look a second (synthetic facts of real size, another scene every 12 s, the same again
//! after five minutes), something said every 20 s, a question every two minutes. Memory, conversation, prompt cache, text encoder and language
//! model are those that are shipped; the experts do not look. A question is asked as it would be in a session: what is known of the scene is in
//! the cache by then. Ends with 1 when the median after an hour is more than 1.1 times that at the beginning.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    dead_code,
    reason = "a measurement that cannot go on says so, and reads the clock; the conversation is that of another one"
)]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use sightline::app::SystemClock;
use sightline::base::{Clock, MediaTime, SessionId};
use sightline::engine::{Engine, EngineConfig, EngineHandle};

#[path = "common/looks.rs"]
mod synthetic;
#[path = "needle/talk.rs"]
mod talk;

/// A look, as `talk.rs` takes it.
mod looks {
    use std::sync::Arc;

    use sightline::watch::SceneFacts;

    #[derive(Clone)]
    pub struct Seen {
        pub facts: Arc<SceneFacts>,
        pub image: Option<Arc<[f32]>>,
        pub jpeg: Option<bytes::Bytes>,
    }
}

/// Seconds of one scene, and of all of them before the first comes again.
const SCENE_S: u64 = 12;
const ROUND_S: u64 = 300;
/// When questions are counted from, in seconds: at the same scene.
const BEGINNING: u64 = 60;
const AFTER: u64 = BEGINNING + 3_600;
const MOST_GROWTH: f64 = 1.1;
const QUESTIONS: [&str; 8] = [
    "What do you see?",
    "What colour is the cup?",
    "What did I show you half a minute ago?",
    "How many things are there?",
    "When did you last see the dog?",
    "Which is bigger, a cat or an elephant?",
    "Is there a bottle?",
    "What did I tell you about the parcel?",
];

/// What one question took.
struct Asked {
    first_ms: f64,
    prompt: usize,
    computed: usize,
}

struct Life {
    talk: talk::Talk,
    handle: EngineHandle,
    rng: StdRng,
    scene: Vec<f32>,
}

impl Life {
    /// A second goes by.
    async fn second(&mut self, second: u64) {
        let pick = usize::try_from(second % ROUND_S / SCENE_S).unwrap_or(0);
        if second.is_multiple_of(SCENE_S) {
            self.scene = synthetic::direction(&mut self.rng, 1280);
        }
        let at = Duration::from_secs(second);
        let facts = Arc::new(synthetic::facts(MediaTime::ZERO + at, pick, 1 + pick % 6));
        let image = Some(Arc::from(synthetic::unit(&self.scene)));
        let seen = looks::Seen { facts, image, jpeg: Some(vec![7; 10_000].into()) };
        self.talk.see(&seen, at).await;
        if second % 20 == 7 {
            self.talk.tell(&message(&format!("The parcel number {second} is on the shelf.")), at).await;
        }
        if second % 120 == 31 {
            self.ask("What is the capital of France?", at).await;
        }
    }

    async fn ask(&mut self, question: &str, at: Duration) -> Option<Asked> {
        self.talk.tell(&message(question), at).await;
        // In a session the cache has long taken in what is known by now.
        let mut steps = u64::MAX;
        while steps != self.handle.stats().steps {
            steps = self.handle.stats().steps;
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
        let before = Instant::now();
        let response = json!({"type": "response.create", "response": {"max_output_tokens": 8}});
        self.talk.tell(&response, at).await;
        let first = self.talk.first.take()?;
        let first_ms = first.at.duration_since(before).as_secs_f64() * 1e3;
        Some(Asked { first_ms, prompt: first.prompt, computed: first.prompt.saturating_sub(first.cached) })
    }

    /// Lives until `from`, then asks every question `rounds` times, two seconds apart.
    async fn measure(&mut self, since: u64, from: u64, rounds: usize) -> (Vec<Asked>, u64) {
        let mut asked = Vec::new();
        for second in since..from {
            self.second(second).await;
        }
        let mut second = from;
        for question in QUESTIONS.iter().cycle().take(QUESTIONS.len() * rounds) {
            for _ in 0..2 {
                self.second(second).await;
                second += 1;
            }
            asked.extend(self.ask(question, Duration::from_secs(second)).await);
        }
        (asked, second)
    }
}

fn message(words: &str) -> Value {
    let content = json!([{"type": "input_text", "text": words}]);
    json!({"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": content}})
}

fn sorted(asked: &[Asked], of: impl Fn(&Asked) -> f64) -> Vec<f64> {
    let mut all: Vec<f64> = asked.iter().map(of).collect();
    all.sort_by(f64::total_cmp);
    all
}

/// The median; tells it with its spread.
fn tell(when: &str, asked: &[Asked]) -> f64 {
    let at = |v: &[f64], share: f64| {
        v.get(((v.len() as f64 * share) as usize).min(v.len().saturating_sub(1))).copied().unwrap_or(0.0)
    };
    let line = |v: &[f64]| format!("{:.0} ({:.0} to {:.0})", at(v, 0.5), at(v, 0.05), at(v, 0.95));
    let first = sorted(asked, |a| a.first_ms);
    let (prompt, computed) = (sorted(asked, |a| a.prompt as f64), sorted(asked, |a| a.computed as f64));
    println!(
        "hour | {when} | first token {} ms, prompt {} tokens, computed {} of them | median (5 % to 95 %) of {}",
        line(&first),
        line(&prompt),
        line(&computed),
        asked.len()
    );
    at(&first, 0.5)
}

fn main() {
    let quick = std::env::args().any(|a| a == "--quick");
    let models = std::env::var_os("SIGHTLINE_MODELS").map_or_else(|| PathBuf::from("models"), PathBuf::from);
    let mut config = sightline::config::load(&Default::default()).expect("the defaults").config;
    config.models.dir = models;
    config.watch.experts.clear();
    let parts = match sightline::app::engine_parts(&config) {
        Ok((parts, _)) if parts.language.is_some() => parts,
        _ => {
            println!("hour: no weights in {}: run `make models`", config.models.dir.display());
            std::process::exit(2);
        }
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let (_engine, handle) =
        Engine::start(parts, EngineConfig::default(), Arc::clone(&clock)).expect("the engine starts");
    let session = handle.attach(SessionId::new("hour")).expect("a seat");
    let mut talk = talk::Talk::begin(session, clock, true, false);
    talk.warms = true;
    let mut life = Life { talk, handle, rng: StdRng::seed_from_u64(3), scene: Vec::new() };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let (rounds, after) = if quick { (1, BEGINNING + ROUND_S) } else { (4, AFTER) };
    let growth = runtime.block_on(async {
        let (first, now) = life.measure(0, BEGINNING, rounds).await;
        let beginning = tell("second minute", &first);
        let (last, _) = life.measure(now, after, rounds).await;
        tell(if quick { "sixth minute" } else { "after an hour" }, &last) / beginning
    });
    println!("hour | the median is {growth:.2} times what it was (goal: at most {MOST_GROWTH})");
    if !quick && (growth.is_nan() || growth > MOST_GROWTH) {
        std::process::exit(1);
    }
}
