//! Lives through the day: frames are shown, speech is said, questions are asked when their time has come.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sightline::app::SystemClock;
use sightline::base::{Clock, SessionId};
use sightline::engine::{Engine, EngineConfig, EngineParts};

use crate::Args;
use crate::catalog::{AGES, Day};
use crate::judge;
use crate::looks::{Eyes, Seen};
use crate::paint::{Reel, Voice};
use crate::talk::{Answer, Talk};

const FRAME_EVERY: Duration = Duration::from_millis(500);

/// A question that was asked, and what came of it.
pub struct Asked {
    /// Index of the needle, and of the age; `None` for others.
    pub needle: Option<(usize, usize)>,
    pub question: String,
    pub at: Duration,
    pub reported: bool,
    /// Of the conversation without memory, if there was one, and of the one with it.
    pub answers: [Option<(Answer, bool)>; 2],
    pub wanted: String,
}

/// What the day gave.
pub struct Outcome {
    pub needles: Vec<Asked>,
    pub present: Vec<Asked>,
    pub absent: Vec<Asked>,
    /// "Have I shown you this before?" of what was, and of what was not.
    pub again: [Vec<Asked>; 2],
    pub looks: u64,
    pub took: Duration,
}

enum Question {
    Needle(usize, usize),
    Present(usize),
    Absent(usize),
    Again(usize),
}

pub async fn live(args: &Args, day: &Day) -> Outcome {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let (_engine, handle) =
        Engine::start(parts(args), EngineConfig::default(), Arc::clone(&clock)).expect("the engine starts");
    let session = |name: &str| handle.attach(SessionId::new(name)).expect("a free slot");
    let watcher = session("watcher");
    let a = (!args.only_b).then(|| Talk::begin(session("a"), Arc::clone(&clock), false, args.facts));
    let b = Talk::begin(session("b"), Arc::clone(&clock), true, args.facts);
    let mut run = Run {
        day,
        talks: [a, Some(b)],
        eyes: Eyes::open(args.cache.clone()),
        reported: vec![Vec::new(); day.needles.len()],
        outcome: Outcome {
            needles: Vec::new(),
            present: Vec::new(),
            absent: Vec::new(),
            again: [Vec::new(), Vec::new()],
            looks: 0,
            took: Duration::ZERO,
        },
        showing: Vec::new(),
    };
    let (began, mut voice) = (Instant::now(), Voice::new());
    let mut questions = questions(day);
    questions.reverse();
    for (i, scene) in day.scenes.iter().enumerate() {
        progress(scene.start, day.end, run.eyes.looked, began);
        let reel = Reel::of(scene, i as u64);
        run.showing.clear();
        let mut at = scene.start;
        let mut said = scene.speech.clone();
        while at < scene.end {
            while questions.last().is_some_and(|(when, _)| *when <= at) {
                let (when, question) = questions.pop().expect("there is one");
                run.ask(&question, when).await;
            }
            if let Some(seen) = run.eyes.offer(&reel.frame(at), &watcher, &*clock).await {
                for talk in run.talks.iter_mut().flatten() {
                    talk.see(&seen, at).await;
                }
                run.showing.push(seen);
            }
            if at >= scene.start + Duration::from_secs(3)
                && let Some(text) = said.take()
            {
                let samples = voice.say(&text);
                for talk in run.talks.iter_mut().flatten() {
                    talk.hear(Arc::clone(&samples), at).await;
                }
            }
            at += FRAME_EVERY;
        }
        run.scene_over(scene.start, scene.end);
    }
    eprintln!();
    run.settle();
    run.eyes.save();
    run.outcome.looks = run.eyes.looked;
    run.outcome.took = began.elapsed();
    run.outcome
}

struct Run<'a> {
    day: &'a Day,
    talks: [Option<Talk>; 2],
    eyes: Eyes,
    /// Of each needle, which of its contents perception has said.
    reported: Vec<Vec<bool>>,
    outcome: Outcome,
    /// What was seen of the scene that is shown.
    showing: Vec<Seen>,
}

impl Run<'_> {
    /// Notes what perception said of the needles that were shown in this scene or whose change it completes.
    fn scene_over(&mut self, start: Duration, end: Duration) {
        let heard: Vec<String> = self.talks[1]
            .iter()
            .flat_map(|t| &t.heard)
            .filter(|(at, _)| *at >= start)
            .map(|(_, text)| text.clone())
            .collect();
        for (needle, said) in self.day.needles.iter().zip(&mut self.reported) {
            let near = start < needle.span.1 + Duration::from_secs(14) && end > needle.span.0;
            if near {
                said.resize(needle.reported.len(), false);
                for (words, said) in needle.reported.iter().zip(said) {
                    *said |= judge::reported(words, &self.showing, &heard);
                }
            }
        }
    }

    /// Which needles perception reported.
    fn settle(&mut self) {
        for asked in &mut self.outcome.needles {
            let said = asked.needle.map(|(n, _)| &self.reported[n]);
            asked.reported = said.is_some_and(|said| !said.is_empty() && said.iter().all(|r| *r));
        }
    }

    async fn ask(&mut self, question: &Question, at: Duration) {
        let day = self.day;
        let (text, wanted, needle) = match question {
            Question::Needle(n, age) => {
                let needle = &day.needles[*n];
                let wanted = format!("{:?} in {:?}", needle.right, needle.span);
                (needle.question.replace("{ago}", AGES[*age].1), wanted, Some((*n, *age)))
            }
            Question::Present(s) => {
                let (question, words) = day.scenes[*s].present.clone().unwrap_or_default();
                (question, words.join(" | "), None)
            }
            Question::Again(s) => {
                ("Have I shown you this before?".to_owned(), format!("{:?}", day.scenes[*s].again), None)
            }
            Question::Absent(i) => {
                (format!("Did I show you {}?", crate::catalog::article(&day.absent[*i])), "no".to_owned(), None)
            }
        };
        let mut answers = [None, None];
        for (talk, slot) in self.talks.iter_mut().zip(&mut answers) {
            let Some(talk) = talk else { continue };
            let answer = talk.ask(&text, at).await;
            let right = match question {
                Question::Needle(n, _) => judge::right(&day.needles[*n], at, &answer),
                Question::Present(s) => {
                    day.scenes[*s].present.as_ref().is_some_and(|(_, w)| judge::holds(&answer.text, w))
                }
                Question::Absent(_) => judge::denies(&answer),
                Question::Again(s) => match day.scenes[*s].again.flatten() {
                    Some(first) => judge::yes_then(first, at, &answer),
                    None => judge::denies(&answer),
                },
            };
            *slot = Some((answer, right));
        }
        let reported = match question {
            // Known when all of it was shown: see `Run::settle`.
            Question::Needle(..) => false,
            Question::Present(s) => {
                let words = day.scenes[*s].present.as_ref().map(|(_, w)| w.clone()).unwrap_or_default();
                judge::reported(&words, &self.showing, &[])
            }
            Question::Absent(_) | Question::Again(_) => true,
        };
        let asked = Asked { needle, question: text, at, reported, answers, wanted };
        match question {
            Question::Needle(..) => self.outcome.needles.push(asked),
            Question::Present(_) => self.outcome.present.push(asked),
            Question::Absent(_) => self.outcome.absent.push(asked),
            Question::Again(s) => {
                self.outcome.again[usize::from(day.scenes[*s].again.flatten().is_none())].push(asked);
            }
        }
    }
}

/// All questions of the day in the order of their time.
fn questions(day: &Day) -> Vec<(Duration, Question)> {
    let mut all = Vec::new();
    for (n, needle) in day.needles.iter().enumerate() {
        all.extend(
            AGES.iter()
                .enumerate()
                .map(|(i, (age, _))| (needle.at + Duration::from_secs(*age), Question::Needle(n, i))),
        );
    }
    for (s, scene) in day.scenes.iter().enumerate().filter(|(_, s)| s.present.is_some()) {
        all.push((scene.start + (scene.end - scene.start) * 2 / 3, Question::Present(s)));
    }
    for (s, scene) in day.scenes.iter().enumerate().filter(|(_, s)| s.again.is_some()) {
        all.push((scene.start + (scene.end - scene.start) * 2 / 3, Question::Again(s)));
    }
    let step = day.end / u32::try_from(day.absent.len() + 2).unwrap_or(2);
    for i in 0..day.absent.len() {
        all.push((step * u32::try_from(i + 2).unwrap_or(1), Question::Absent(i)));
    }
    all.sort_by_key(|(at, _)| *at);
    all
}

/// The default models, all of them.
fn parts(args: &Args) -> EngineParts {
    let mut config = sightline::config::load(&Default::default()).expect("the defaults").config;
    config.models.dir.clone_from(&args.models);
    let (parts, missing) = sightline::app::engine_parts(&config).unwrap_or_else(|e| panic!("{e}"));
    assert!(missing.is_empty(), "{}", missing.join("; "));
    parts
}

fn progress(at: Duration, end: Duration, looks: u64, began: Instant) {
    let clock =
        |d: Duration| format!("{:02}:{:02}:{:02}", d.as_secs() / 3_600, d.as_secs() / 60 % 60, d.as_secs() % 60);
    eprint!("\r{} of {}, {looks} looks, {:.0} s ", clock(at), clock(end), began.elapsed().as_secs_f64());
}
