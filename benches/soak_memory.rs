//! `make soak-memory`: eight to sixteen hours of looks and speech through the memory, in virtual time. Prints what each tier takes as time goes by,
//! what an insert and a recall cost, and ends with 1 when the memory grows where it must not.
//!
//! The looks are synthetic but of real size: 1280 numbers of features that drift and jump, 1 to 6 things, now and then a text, a JPEG of
//! 8 to 12 KB, somebody speaking every 20 s. Encoders are not part of it. The process's own memory is read from `/proc/self/statm`.

#![allow(clippy::disallowed_methods, reason = "a test that cannot go on says so, and a measurement reads the clock")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sightline::base::MediaTime;
use sightline::dialogue::route::{When, route};
use sightline::memory::{Config, Look, MOST_RECALLED, Memory, Query, Said, Speaker};

#[path = "common/looks.rs"]
mod looks;

/// Days: a name, after how many seconds the scene is another, and hours. The usual one is long enough for the last root to fill.
const DAYS: [(&str, u64, u64); 3] = [("usual", 12, 16), ("a cut every look", 1, 8), ("still", 1_000_000, 8)];
/// The tiers count as full when this share of all children is there: merging fills the roots one after the other.
const FULL: f64 = 0.9;
const QUESTIONS: [&str; 6] = [
    "What did I show you ten minutes ago?",
    "When did you last see the cup?",
    "What did the sign say at the beginning?",
    "What colour was the bottle I showed you?",
    "What did I tell you about the parcel?",
    "Did you see a dog in the last hour?",
];

struct Day {
    rng: StdRng,
    scene: Vec<f32>,
    every_s: u64,
}

impl Day {
    fn look(&mut self, second: u64) -> Look {
        if second.is_multiple_of(self.every_s) {
            self.scene = looks::direction(&mut self.rng, 1280);
        }
        let at = MediaTime::from_millis(second * 1_000);
        let jitter: Vec<f32> = self.scene.iter().map(|v| v + self.rng.random_range(-0.2..0.2)).collect();
        let pick = usize::try_from(second / self.every_s.min(60)).unwrap_or(0);
        let facts = looks::facts(at, pick, 1 + pick % 6);
        let jpeg: Vec<u8> = vec![7; self.rng.random_range(8_000..12_000)];
        let image = Some(Arc::from(looks::unit(&jitter)));
        Look { facts: Arc::new(facts), image, keyframe: Some(Bytes::from(jpeg)) }
    }
}

/// Resident bytes of this process.
fn resident() -> f64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split(' ').nth(1).and_then(|p| p.parse::<f64>().ok()).unwrap_or(0.0) * 4_096.0
}

fn mib(bytes: f64) -> f64 {
    bytes / (1024.0 * 1024.0)
}

fn percentile(sorted: &[Duration], p: usize) -> f64 {
    sorted.get(sorted.len().saturating_sub(1) * p / 100).map_or(0.0, |d| d.as_secs_f64() * 1e3)
}

/// Least squares: change of `y` per unit of `x`.
fn slope(points: &[(f64, f64)]) -> f64 {
    let n = points.len() as f64;
    let (mx, my) = (points.iter().map(|p| p.0).sum::<f64>() / n, points.iter().map(|p| p.1).sum::<f64>() / n);
    let over = points.iter().map(|(x, y)| (x - mx) * (y - my)).sum::<f64>();
    over / points.iter().map(|(x, _)| (x - mx).powi(2)).sum::<f64>().max(f64::MIN_POSITIVE)
}

fn ask(memory: &Memory, now: MediaTime, question: &str, rng: &mut StdRng) -> Duration {
    let meaning = looks::direction(rng, 384);
    let began = Instant::now();
    let routed = route(question, &When { now, wall_clock: None });
    let named = !routed.content.is_empty();
    let query = Query {
        span: routed.span,
        words: &routed.content,
        text: named.then_some(meaning.as_slice()),
        most: MOST_RECALLED,
        order: routed.order,
        ..Query::default()
    };
    std::hint::black_box(memory.recall(&query));
    began.elapsed()
}

/// One day; false when a goal was missed.
fn live(name: &str, every_s: u64, hours: u64) -> bool {
    let mut rng = StdRng::seed_from_u64(8);
    let mut day = Day { scene: looks::direction(&mut rng, 1280), rng, every_s };
    let mut asked = StdRng::seed_from_u64(9);
    let mut memory = Memory::new(Config::default());
    let (mut inserts, mut recalls, mut full) = (Vec::new(), Vec::new(), Vec::new());
    let (base, mut first_hour) = (resident(), 0.0);
    println!("\n{name}\n  hour  live  working  episodic  long-term   total MiB   RSS MiB  events  roots");
    for second in 0..hours * 3_600 {
        let (at, look) = (MediaTime::from_millis(second * 1_000), day.look(second));
        let began = Instant::now();
        let ops = memory.see(at, look);
        inserts.push(began.elapsed());
        for op in ops {
            if let sightline::memory::Op::Closed(node) = op {
                let meaning = looks::direction(&mut asked, 384);
                memory.set_text_embedding(node, &meaning);
            }
        }
        if second % 20 == 0 {
            memory.hear(Said { at, who: Speaker::Person, text: format!("parcel number {second} is on the shelf") });
        }
        if second % 30 == 29 {
            let question = QUESTIONS[usize::try_from(second / 30).unwrap_or(0) % QUESTIONS.len()];
            recalls.push(ask(&memory, at, question, &mut asked));
        }
        if second % 1_800 == 1_799 {
            let (hour, t) = ((second + 1) as f64 / 3_600.0, memory.tiers());
            let (total, rss) = (mib(memory.bytes() as f64), mib(resident() - base));
            let of = |bytes: usize| mib(bytes as f64);
            println!(
                "  {hour:4.1}  {:4.1}  {:7.1}  {:8.1}  {:9.1}  {total:10.1}  {rss:8.1}  {:6}  {:5}",
                of(t.live.bytes),
                of(t.working.bytes),
                of(t.episodic.bytes),
                of(t.long_term.bytes),
                t.episodic.items,
                t.long_term.items
            );
            if second < 3_600 {
                first_hour = total / hour;
            }
            let children: usize = memory.events().map(|e| e.children.len()).sum();
            let config = memory.config();
            if children as f64 >= FULL * (config.roots * config.children) as f64 {
                full.push((hour, total, rss));
            }
        }
    }
    judge(&mut inserts, &mut recalls, &full, first_hour)
}

fn judge(inserts: &mut [Duration], recalls: &mut [Duration], full: &[(f64, f64, f64)], first_hour: f64) -> bool {
    inserts.sort_unstable();
    recalls.sort_unstable();
    let line = |what: &str, d: &[Duration], goal: f64| {
        let (p50, p95, most) = (percentile(d, 50), percentile(d, 95), percentile(d, 100));
        println!("  {what}: p50 {p50:.3} ms, p95 {p95:.3} ms, most {most:.3} ms (goal: p95 ≤ {goal} ms)");
    };
    line("insert", inserts, 1.0);
    line("route and recall", recalls, 10.0);
    println!("  while filling: {first_hour:.1} MiB per watched hour (goal: ≤ 20)");
    let mut good = first_hour <= 20.0;
    if full.len() >= 4 {
        let held = slope(&full.iter().map(|p| (p.0, p.1)).collect::<Vec<_>>());
        let rss = slope(&full.iter().map(|p| (p.0, p.2)).collect::<Vec<_>>());
        println!("  once full: {held:+.2} MiB/h held, {rss:+.2} MiB/h of the process (goal: within ±1)");
        good &= held.abs() <= 1.0 && rss.abs() <= 1.0;
    } else {
        println!("  the tiers are not full yet");
    }
    good
}

fn main() {
    let bad: Vec<_> = DAYS.into_iter().filter(|(name, s, h)| !live(name, *s, *h)).map(|(name, ..)| name).collect();
    if !bad.is_empty() {
        println!("\ngoal missed on: {}", bad.join(", "));
        std::process::exit(1);
    }
    println!("\nbounded on every day");
}
