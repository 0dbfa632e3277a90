//! `make bench-gates`: how many looks the gates of `watch.gates` save on a typical call, and what that costs of what is known.
//!
//! Four kinds of clips, composed of real photographs so that what is true in each moment is known (`clips.rs`): people who talk, things that are
//! held up, a walk, and, beside the typical call, small things that are brought into a still scene. They go through VP8 and our decoder, and as many pictures as a call compares go on. Each is watched without gates (two looks a second), with the
//! gates as they are shipped, and with as many looks at random moments (the mean of many draws). At every picture what is known is held against what is true: the class of
//! what fills the picture, the objects that captions name. Photographs and scenes are ones that the experts recognise when nothing moves: what is
//! measured is the gates. A look takes no time here, for any of them. Ends with 1 when the goal is missed: 80 % of the looks skipped, at one point, and better than random.
//!
//! `--seed N` draws other clips, `--rounds N` (default 2) more of them, `--seconds S` longer ones; `--fps F` (default 10) so many pictures a second,
//! coded with `--kbit N` (default 1000) a second: of a browser's three layers at 30 pictures and 1 Mbit/s the lowest has 7.5 and 400, with the middle one 15 and 600. `--only KIND`
//! watches one kind of clip. *Of now* is the share of the pictures of which the same is true as of the one looked at last: it does not depend on the moods of experts, of which
//! one makes some points where a single look stands for ten seconds; with `--blind` nobody looks, and this is all that is told. `--cache FILE` keeps what the experts said; `--without` runs each gate
//! switched off as well (`region` always), `--timeline` tells each look; `--clips` watches the clips of DATA/video as well, of which no truth is known, only whether
//! the same is known as without gates.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a measurement that cannot go on says so, and reads the clock"
)]

mod camera;
mod clips;
mod experts;
mod paint;
#[path = "../common/said.rs"]
mod said;
mod watch;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::index;
use sightline::base::MediaTime;
use sightline::decode::{DecodeConfig, FileItem, FileReader, Wanted};
use sightline::watch::coded::Valve;
use sightline::watch::{Picture, SamplerConfig};

use camera::Camera;
use clips::{Clip, Stock, Truth};
use experts::Experts;
use paint::Sensor;
use watch::{Known, Looked, Watcher, replay};

/// Time between two pictures that are compared, as in a call.
const COMPARED: Duration = Duration::from_millis(100);
/// What comes is almost there so long before.
const ALMOST_S: f32 = 0.2;
const KINDS: [&str; 4] = ["talking", "showing", "walking", SMALL];
/// Small things come into a still picture: what `region` is for. No part of the typical call.
const SMALL: &str = "bringing";
const DRAWS: usize = 20;
const LEAST_SKIPPED: f64 = 0.8;
const MOST_LOST: f64 = 0.01;

struct Args {
    data: PathBuf,
    models: PathBuf,
    seed: u64,
    rounds: u64,
    seconds: f32,
    fps: f32,
    kbit: u64,
    only: Option<String>,
    cache: Option<PathBuf>,
    without: bool,
    blind: bool,
    timeline: bool,
    clips: bool,
}

fn args() -> Result<Args, String> {
    let models = std::env::var_os("SIGHTLINE_MODELS").map_or_else(|| PathBuf::from("models"), PathBuf::from);
    let data = PathBuf::from("../shared/data");
    let mut a = Args {
        data,
        models,
        seed: 1,
        rounds: 2,
        seconds: 60.0,
        fps: 10.0,
        kbit: 1_000,
        only: None,
        cache: None,
        without: false,
        blind: false,
        timeline: false,
        clips: false,
    };
    let mut words = std::env::args().skip(1).filter(|w| w != "--bench");
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        let number = |v: String| v.parse::<u64>().map_err(|e| format!("{v}: {e}"));
        match word.as_str() {
            "--data" => a.data = value()?.into(),
            "--seed" => a.seed = number(value()?)?,
            "--rounds" => a.rounds = number(value()?)?.max(1),
            "--seconds" => a.seconds = number(value()?)?.max(20) as f32,
            "--fps" => {
                a.fps = value()?.parse().ok().filter(|fps| (1.0..=60.0).contains(fps)).ok_or("--fps takes 1 to 60")?;
            }
            "--kbit" => a.kbit = number(value()?)?.max(1),
            "--only" => a.only = Some(value()?),
            "--cache" => a.cache = Some(value()?.into()),
            "--without" => a.without = true,
            "--blind" => a.blind = true,
            "--timeline" => a.timeline = true,
            "--clips" => a.clips = true,
            other => {
                return Err(format!(
                    "there is no option {other:?}: --data --seed --rounds --seconds --fps --kbit --only --cache --without --blind --timeline --clips"
                ));
            }
        }
    }
    for needed in ["pictures/labels.tsv", "scenes/captions.jsonl"] {
        if !a.data.join(needed).is_file() {
            return Err(format!(
                "{} is not there: this needs photographs with labels and captions (--data FOLDER)",
                a.data.join(needed).display()
            ));
        }
    }
    Ok(a)
}

/// Sums over pictures whose truth is known.
#[derive(Default, Clone)]
struct Score {
    right: f64,
    fresh: f64,
    of: f64,
    like: f64,
    same: f64,
    looks: f64,
    /// Looks that the rate allows.
    allowed: f64,
    /// Looks at a part of the picture.
    parts: f64,
    /// Seconds that the experts took, over so many looks.
    took: f64,
    timed: f64,
}

impl Score {
    fn of(known: &[Known], truths: &[Option<Truth>], all: &[Known], looks: f64) -> Self {
        let mut score = Self { looks, ..Self::default() };
        for ((known, truth), all) in known.iter().zip(truths).zip(all) {
            let Some(truth) = truth else { continue };
            let (like, same) = known.like(all);
            score.of += 1.0;
            score.right += known.right(truth);
            score.like += like;
            score.same += f64::from(u8::from(same));
        }
        score
    }

    fn add(&mut self, other: &Self, part: f64) {
        self.right += other.right * part;
        self.fresh += other.fresh * part;
        self.of += other.of * part;
        self.like += other.like * part;
        self.same += other.same * part;
        self.looks += other.looks * part;
        self.allowed += other.allowed * part;
        self.parts += other.parts * part;
        self.took += other.took * part;
        self.timed += other.timed * part;
    }

    fn skipped(&self) -> f64 {
        1.0 - self.looks / self.allowed.max(1.0)
    }

    fn accuracy(&self) -> f64 {
        self.right / self.of.max(1.0)
    }
}

/// What one clip gave: one score for each way to watch, the first without gates, the last at random.
type Scores = Vec<Score>;

/// The names of the ways to watch, their gates, and whether they look at what changed alone.
fn ways(without: bool) -> Vec<(&'static str, SamplerConfig, bool)> {
    let shipped = SamplerConfig::default();
    let off = SamplerConfig { by_luma: false, by_patches: false, ..shipped };
    let mut ways = vec![("no gates", off, false), ("gates", shipped, true), ("without region", shipped, false)];
    if without {
        ways.push(("without luma", SamplerConfig { by_luma: false, ..shipped }, true));
        ways.push(("without patches", SamplerConfig { by_patches: false, ..shipped }, true));
        ways.push(("without motion", SamplerConfig { by_motion: false, ..shipped }, true));
    }
    ways
}

/// A picture, what is true of it, and what it shows: what will be true in a moment, where one thing gives way to another.
type Shot = (Picture, Option<Truth>, Option<Truth>);
type Truths = Vec<Option<Truth>>;
type Reel<'a> = Box<dyn Iterator<Item = Shot> + 'a>;

fn composed<'a>(clip: &'a dyn Clip, args: &Args) -> Reel<'a> {
    let (fps, mut camera, sensor) = (args.fps, Camera::new(args.fps, args.kbit), Sensor::new());
    Box::new((0..(args.seconds * fps) as u32).map(move |i| {
        let t = i as f32 / fps;
        let mut picture = clip.picture(t);
        sensor.expose(&mut picture, u64::from(i), t);
        let at = Duration::from_secs_f64(10.0 + f64::from(i) / f64::from(fps));
        let seen = camera.film(picture, Duration::from_micros(u64::try_from(at.as_micros()).unwrap_or(0)));
        (seen, clip.truth(t), clip.truth(t).or_else(|| clip.truth(t + ALMOST_S)))
    }))
}

/// A clip of which nothing is known: all of it counts.
fn filmed<'a>(file: &Path) -> Reel<'a> {
    let wanted = Wanted { video: true, audio: false };
    let mut reader = FileReader::open(file, wanted, &DecodeConfig::default()).expect("a clip that can be decoded");
    let mut due = MediaTime::ZERO;
    let frames = std::iter::from_fn(move || match reader.next() {
        Ok(Some(FileItem::Frame(frame))) => Some(frame),
        _ => None,
    });
    Box::new(frames.filter_map(move |frame| {
        (frame.capture >= due).then(|| {
            due = frame.capture + COMPARED;
            (Picture::of(frame), Some(Truth::default()), Some(Truth::default()))
        })
    }))
}

fn watched(args: &Args, reel: Reel<'_>, experts: &mut Experts, seed: u64) -> Scores {
    let ways = ways(args.without).into_iter();
    let mut watchers: Vec<Watcher> = ways.map(|(_, config, region)| Watcher::new(config, region)).collect();
    let (mut truths, mut shown, mut grid): (Truths, Truths, Vec<Looked>) = (Vec::new(), Vec::new(), Vec::new());
    let (mut valve, mut first, mut last) = (Valve::new(COMPARED, false), None, MediaTime::ZERO);
    for (i, (picture, truth, shows)) in reel.enumerate() {
        last = picture.capture;
        first.get_or_insert(last);
        let passes = valve.offer(picture.capture.as_micros(), false).is_ok();
        for (n, watcher) in watchers.iter_mut().enumerate() {
            let asked = (!args.blind).then_some(&mut *experts);
            let looks = passes.then(|| watcher.see(&picture, asked)).flatten();
            watcher.note();
            if n == 1 && args.timeline {
                let (known, verdict) = (&watcher.known[i], watcher.verdict.filter(|_| passes));
                let right = truth.as_ref().map(|t| known.right(t));
                println!("{:6} ms {verdict:?} right {right:?} {:?}", picture.capture.as_millis(), known.labels);
            }
            if let (0, Some((frame, looks))) = (n, looks) {
                grid.push((i, frame, looks));
            }
        }
        truths.push(truth);
        shown.push(shows);
    }
    let all = watchers[0].known.clone();
    let length = last.since(first.unwrap_or(last));
    let allowed = (length.as_secs_f64() / SamplerConfig::default().min_interval.as_secs_f64()).floor() + 1.0;
    let score = |known: &[Known], looks: &[usize]| Score {
        fresh: fresh(looks, &shown, &truths),
        allowed,
        ..Score::of(known, &truths, &all, looks.len() as f64)
    };
    let timed = |w: &Watcher| Score {
        parts: f64::from(w.parts),
        took: w.experts.0.as_secs_f64(),
        timed: f64::from(w.experts.1),
        ..score(&w.known, &w.looks)
    };
    let mut scores: Scores = watchers.iter().map(timed).collect();
    let (mut rng, mut random) = (StdRng::seed_from_u64(seed), Score::default());
    let few = watchers[1].looks.len().clamp(1, grid.len());
    for _ in 0..DRAWS {
        // All begin with the first picture.
        let mut chosen: Vec<usize> =
            index::sample(&mut rng, grid.len() - 1, few - 1).into_iter().map(|i| i + 1).collect();
        chosen.push(0);
        chosen.sort_unstable();
        let known = replay(&grid, &chosen, truths.len());
        let looks: Vec<usize> = chosen.iter().map(|i| grid[*i].0).collect();
        random.add(&score(&known, &looks), 1.0 / DRAWS as f64);
    }
    let per_picture = watchers[1].gates.as_secs_f64() / truths.len() as f64;
    eprintln!("gates: {:.2} ms for a picture", per_picture * 1e3);
    scores.push(random);
    scores
}

/// Of how many pictures that is true which the one looked at last shows.
fn fresh(looks: &[usize], shown: &[Option<Truth>], truths: &[Option<Truth>]) -> f64 {
    let (mut seen, mut looks, mut fresh) = (None, looks.iter().peekable(), 0.0);
    for (i, truth) in truths.iter().enumerate() {
        if looks.next_if(|look| **look == i).is_some() {
            seen = shown[i].as_ref();
        }
        fresh += f64::from(u8::from(truth.is_some() && seen == truth.as_ref()));
    }
    fresh
}

fn tell(kind: &str, names: &[&str], scores: &Scores) {
    let all = &scores[0];
    if all.of == 0.0 {
        return;
    }
    for (name, score) in names.iter().zip(scores) {
        // Of a film nothing is known to be true.
        let right = if all.right > 0.0 {
            let (right, of_all) = (100.0 * score.accuracy(), 100.0 * all.accuracy());
            format!("right {right:.1} % ({:+.1})", right - of_all)
        } else {
            "truth unknown".to_owned()
        };
        // With a cache nobody knows what looks took that were taken before.
        let looks = score.looks.max(1.0);
        let took = match score.timed {
            0.0 => String::new(),
            timed => format!(", {:.1} ms each", 1e3 * score.took / timed),
        };
        let parts = format!("{:.1} % at a part{took}", 100.0 * score.parts / looks);
        println!(
            "gates | {kind} | {name} | {:.0} looks, {:.1} % skipped, {parts} | {right}, of now {:.1} % | as without gates: objects F1 {:.1}, first label {:.1} %",
            score.looks,
            100.0 * score.skipped(),
            100.0 * score.fresh / score.of,
            100.0 * score.like / score.of,
            100.0 * score.same / score.of,
        );
    }
}

fn main() {
    let args = args().unwrap_or_else(|why| {
        eprintln!("gates: {why}");
        std::process::exit(2);
    });
    let begun = Instant::now();
    let mut experts = Experts::load(&args.models, args.cache.clone());
    let mut names: Vec<&str> = ways(args.without).into_iter().map(|(name, ..)| name).collect();
    names.push("as many at random");
    let mut total: Scores = vec![Score::default(); names.len()];
    let mut stock = Stock::open(&args.data, args.seed);
    for kind in KINDS {
        let mut sum: Scores = vec![Score::default(); names.len()];
        for round in 0..args.rounds {
            let clip = match kind {
                "talking" => stock.talking(&mut experts, args.seconds),
                "showing" => stock.showing(&mut experts, args.seconds),
                SMALL => stock.bringing(&mut experts, args.seconds),
                _ => stock.walking(&mut experts, args.seconds),
            };
            if args.only.as_ref().is_some_and(|only| only != kind) {
                continue;
            }
            let scores = watched(&args, composed(&*clip, &args), &mut experts, args.seed * 100 + round);
            sum.iter_mut().zip(&scores).for_each(|(sum, score)| sum.add(score, 1.0));
        }
        tell(kind, &names, &sum);
        if kind != SMALL {
            total.iter_mut().zip(&sum).for_each(|(total, sum)| total.add(sum, 1.0));
        }
        experts.save();
    }
    tell("all", &names, &total);
    let films = std::fs::read_dir(args.data.join("video")).into_iter().flatten().flatten().map(|e| e.path());
    let mut films: Vec<PathBuf> = films.filter(|p| args.clips && p.extension().is_some_and(|e| e == "mp4")).collect();
    films.sort();
    for film in films {
        let scores = watched(&args, filmed(&film), &mut experts, args.seed);
        tell(&film.file_name().unwrap_or_default().to_string_lossy(), &names, &scores);
        experts.save();
    }
    println!("gates | {} looks by the experts, {:.0} s", experts.asked, begun.elapsed().as_secs_f64());
    if args.blind || args.only.is_some() {
        return;
    }
    let (all, gated, random) = (&total[0], &total[1], &total[total.len() - 1]);
    let met = gated.skipped() >= LEAST_SKIPPED && all.accuracy() - gated.accuracy() <= MOST_LOST;
    if !met || gated.accuracy() <= random.accuracy() {
        std::process::exit(1);
    }
}
