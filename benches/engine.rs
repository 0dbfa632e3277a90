//! Speed of the language model and of the engine around it, on real weights.
//!
//! `SIGHTLINE_MODELS=models cargo bench --bench engine [-- MODEL [DEVICE]]` prints prefill and decode in tokens per second and the memory the weights take; then,
//! the tokens per second of several answers in one step and one after the other; what guessed tokens cost in a step; through the engine, the time to the first token of a question after warmed facts. `-- MODEL.gguf PROMPT NEW [DEVICE]` prints one JSON line with the tokens per
//! second of a prompt of so many tokens and of as many new ones: what `make bench-peers` compares; with `--sixteen` of the same weights in f16.

#![allow(
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a test that cannot go on says so, and a measurement reads the clock"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sightline::base::{Clock, MediaTime, SessionId};
use sightline::dialogue::{Message, Prompt, Role};
use sightline::engine::{Engine, EngineConfig, EngineParts, EngineSession, GenerateEvent, GenerateRequest};
use sightline::model::kernels::Level;
use sightline::model::llm::{Llm, Sampling};
use sightline::model::{DeviceChoice, LanguageModel, Piece};
use tokio_util::sync::CancellationToken;

struct WallClock(Instant);

impl Clock for WallClock {
    fn now(&self) -> MediaTime {
        MediaTime::from_micros(self.0.elapsed().as_micros() as u64)
    }
}

fn prompt(facts: &str, question: &str) -> Prompt {
    let message = |role, content: String| Message { role, content };
    let system =
        "You see through a camera. Answer in one short sentence, from the facts only. If they do not say it, say so.";
    let messages =
        vec![message(Role::System, system.to_owned()), message(Role::User, format!("{facts}\nQuestion: {question}"))];
    Prompt { messages, answer_prefix: String::new() }
}

fn resident_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    kib.and_then(|l| l.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) / 1024
}

/// So many tokens that a cut vocabulary has, too; `peers/llama_cpp_speed.py` runs the same.
fn any_tokens(n: usize) -> Vec<u32> {
    (0..n).map(|i| 100 + (i * 7919 % 20_000) as u32).collect()
}

fn rate(tokens: usize, took: Duration) -> f64 {
    tokens as f64 / took.as_secs_f64()
}

/// Median of `n` runs.
fn median(n: usize, mut run: impl FnMut() -> Duration) -> Duration {
    let mut times: Vec<Duration> = (0..n).map(|_| run()).collect();
    times.sort_unstable();
    times[n / 2]
}

fn model(path: &Path, device: DeviceChoice) {
    let before = resident_mib();
    let start = Instant::now();
    let mut llm = Llm::load(path, device).expect("loads");
    let loaded = start.elapsed();
    llm.open(0, 1024).expect("opens");
    let text = "the cup on the table is red and a cat sleeps next to it. ".repeat(60);
    let tokens = llm.codec().render(&prompt(&text, "what?")).tokens;
    llm.forward(0, &tokens[..32], true).expect("runs");
    let mut prefill = |held: usize, n: usize| {
        llm.truncate(0, 0);
        llm.forward(0, &tokens[..held], false).expect("runs");
        median(5, || {
            llm.truncate(0, held);
            let start = Instant::now();
            let mut chunks = tokens[held..held + n].chunks(32).peekable();
            while let Some(chunk) = chunks.next() {
                llm.forward(0, chunk, chunks.peek().is_none()).expect("runs");
            }
            start.elapsed()
        })
    };
    let (short, long) = (prefill(300, 40), prefill(16, 300));
    let decode = median(3, || {
        llm.truncate(0, 300);
        let start = Instant::now();
        (0..24).for_each(|_| drop(llm.forward(0, &[1000], true).expect("runs")));
        start.elapsed()
    });
    println!(
        "| {:.1} s | {} MiB | {:.0} ms | {:.0} tok/s | {:.1} tok/s |",
        loaded.as_secs_f64(),
        resident_mib().saturating_sub(before),
        short.as_secs_f64() * 1e3,
        rate(300, long),
        rate(24, decode)
    );
}

async fn ask(session: &EngineSession, prompt: Prompt, label: &str) {
    let deadline = MediaTime::from_millis(1_000_000_000);
    let request = GenerateRequest { prompt, max_tokens: 40, sampling: Sampling::default(), stop: vec![], deadline };
    let start = Instant::now();
    let mut events = session.generate(request, CancellationToken::new()).await.expect("is taken");
    let (mut text, mut first, mut begun) = (String::new(), None, String::new());
    while let Some(event) = events.recv().await {
        match event {
            GenerateEvent::Started { prompt_tokens, cached_tokens, queue, prefill } => {
                begun = format!(
                    "{cached_tokens} of {prompt_tokens} tokens cached, queue {queue:.0?}, prefill {prefill:.0?}"
                );
            }
            GenerateEvent::Delta { text: more, .. } => {
                first.get_or_insert_with(|| start.elapsed());
                text += &more;
            }
            GenerateEvent::Done { output_tokens, decode, finish, .. } => {
                let (speed, first) = (rate(output_tokens.saturating_sub(1), decode), first.unwrap_or_default());
                println!("{label}: {begun}, first text {first:.0?}, {speed:.1} tok/s, {finish:?}: {text:?}");
            }
        }
    }
}

fn engine(path: &Path, device: DeviceChoice) {
    let llm = Llm::load(path, device).expect("loads");
    let parts = EngineParts { language: Some(Box::new(llm)), ..EngineParts::default() };
    let clock = Arc::new(WallClock(Instant::now()));
    let (engine, handle) = Engine::start(parts, EngineConfig::default(), clock).expect("starts");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("starts");
    runtime.block_on(async {
        let a = handle.attach(SessionId::new("a")).expect("a slot");
        let b = handle.attach(SessionId::new("b")).expect("a slot");
        let facts = "Objects: red cup (left), laptop (middle), person in a blue shirt (right). Text: EXIT. \
                     Colours: grey, white. The person moves to the left. A cat appeared 4 s ago.";
        let newer = format!("{facts} A dog left.");
        ask(&a, prompt(facts, "What is on the left?"), "cold").await;
        ask(&a, prompt(facts, "What colour is the cup, and what is in the middle of the picture?"), "same facts").await;
        ask(&b, prompt(facts, "What does the text say?"), "new session").await;
        a.warm(prompt(&newer, ""), false).await.expect("is taken");
        tokio::time::sleep(Duration::from_secs(2)).await;
        ask(&a, prompt(&newer, "Which animals were there?"), "warmed").await;
        let (one, two) = (prompt(facts, "Describe the scene."), prompt(facts, "Who is there?"));
        tokio::join!(ask(&a, one, "two at once, a"), ask(&b, two, "two at once, b"));
        println!("{:?}, {} MiB", handle.stats(), resident_mib());
    });
    engine.shutdown();
}

/// Some tokens of one conversation of 300, with logits after each, in one step: what a guess costs that is checked beside the token before it.
fn guessed(path: &Path, device: DeviceChoice) {
    let mut llm = Llm::load(path, device).expect("loads");
    let tokens = any_tokens(300);
    llm.open(0, 512).expect("opens");
    llm.forward(0, &tokens, false).expect("runs");
    let mut step = |some: usize| {
        median(15, || {
            llm.truncate(0, 300);
            let start = Instant::now();
            llm.forward_all(&[Piece { slot: 0, tokens: &tokens[..some], logits: some }]).expect("runs");
            start.elapsed()
        })
    };
    println!("\n| tokens in a step, logits after each | time | by one |\n|---|---|---|");
    let times: Vec<f64> = (1..8).map(|some| step(some).as_secs_f64()).collect();
    for (more, took) in times.iter().enumerate() {
        println!("| {} | {:.1} ms | {:.2} |", more + 1, took * 1e3, took / times[0]);
    }
}

/// One token more for each of so many conversations of 300 tokens: in one step for all, and one after the other, in turn. Tokens a second of all together.
fn beside_each_other(path: &Path, device: DeviceChoice) {
    const MOST: usize = 8;
    let mut llm = Llm::load(path, device).expect("loads");
    let tokens = any_tokens(300);
    for slot in 0..MOST {
        llm.open(slot, 512).expect("opens");
        llm.forward(slot, &tokens, false).expect("runs");
    }
    println!("\n| answers | one after the other | in one step | ratio |\n|---|---|---|---|");
    for n in [1, 2, 4, MOST] {
        let pieces: Vec<Piece<'_>> = (0..n).map(|slot| Piece { slot, tokens: &[1000], logits: 1 }).collect();
        let (mut apart, mut together) = (Vec::new(), Vec::new());
        for _ in 0..9 {
            let start = Instant::now();
            for piece in &pieces {
                llm.forward(piece.slot, piece.tokens, true).expect("runs");
            }
            apart.push(start.elapsed());
            let start = Instant::now();
            llm.forward_all(&pieces).expect("runs");
            together.push(start.elapsed());
            (0..n).for_each(|slot| llm.truncate(slot, 300));
        }
        let middle = |mut times: Vec<Duration>| {
            times.sort_unstable();
            rate(n, times[times.len() / 2])
        };
        let (apart, together) = (middle(apart), middle(together));
        println!("| {n} | {apart:.1} tok/s | {together:.1} tok/s | {:.2} |", together / apart);
    }
}

/// The tokens that `benches/peers/llama_cpp_speed.py` takes too.
fn peer(mut llm: Llm, prompt: usize, new: usize) {
    llm.open(0, prompt + new + 64).expect("opens");
    let tokens = any_tokens(prompt);
    llm.forward(0, &tokens[..32.min(prompt)], true).expect("runs");
    llm.truncate(0, 0);
    let mut run = |tokens: &[u32]| {
        let start = Instant::now();
        llm.forward(0, tokens, true).expect("runs");
        start.elapsed()
    };
    let prefill = rate(prompt, run(&tokens));
    let decode = rate(new, (0..new).map(|i| run(&[1000 + i as u32])).sum());
    println!("{{\"prefill\": {prefill}, \"decode\": {decode}, \"level\": \"{}\"}}", Level::best().name());
}

fn main() {
    let mut words: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let named = words.last().and_then(|w| w.parse::<DeviceChoice>().ok());
    words.truncate(words.len() - usize::from(named.is_some()));
    let device = named.unwrap_or_default();
    if let [path, prompt, new] = words.as_slice() {
        let count = |word: &String| word.parse().expect("a count of tokens");
        let path = Path::new(path);
        let sixteen = std::env::args().any(|a| a == "--sixteen");
        let llm = if sixteen { Llm::load_sixteen(path) } else { Llm::load(path, device) };
        return peer(llm.expect("loads"), count(prompt), count(new));
    }
    let name = words.first().map_or("qwen2.5-coder-0.5b-instruct", String::as_str);
    let dir = std::env::var("SIGHTLINE_MODELS").map_or_else(|_| PathBuf::from("models"), PathBuf::from);
    let path = dir.join(name).join("model.gguf");
    if !path.is_file() {
        println!("skipped: {} is not there", path.display());
        return;
    }
    println!("{name}, {device:?}, {} threads, {}", sightline::model::device::threads(), Level::best().name());
    println!("| load | memory | 40 tokens after 300 | prefill of 300 | decode after 300 |");
    println!("|---|---|---|---|---|");
    model(&path, device);
    beside_each_other(&path, device);
    guessed(&path, device);
    engine(&path, device);
}
