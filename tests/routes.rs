//! Questions as people say them take the right route, and name the right time: every case of `tests/data/routes.json`.
//!
//! The held-out half was written before the router was run for the first time; nothing is tuned to it, so it says how the router does with
//! questions that nobody thought of.

#![allow(clippy::expect_used, reason = "a test that cannot go on says so, and a measurement reads the clock")]

use std::collections::BTreeMap;

use serde_json::Value;
use sightline::base::MediaTime;
use sightline::dialogue::route::{Command, Route, Routed, TimeProblem, WallClock, When, route};
use sightline::memory::{Order, Span};

/// Percent that must be right.
const LEAST_HELD_OUT: f64 = 95.0;
const LEAST_TUNE: f64 = 97.0;
const LEAST_INTERVALS: f64 = 95.0;
/// Share of the union of two spans that they must have in common to count as the same.
const SAME_SPAN: f64 = 0.6;

const NAMES: [&str; 6] = ["now", "recent", "past", "interval", "not_visual", "watch_for"];

fn name(route: Route) -> &'static str {
    match route {
        Route::Now => "now",
        Route::Recent => "recent",
        Route::Past => "past",
        Route::Interval => "interval",
        Route::NotVisual => "not_visual",
        Route::WatchFor => "watch_for",
    }
}

/// Right ones and all of them.
#[derive(Default, Clone, Copy)]
struct Score(u32, u32);

impl Score {
    fn add(&mut self, right: bool) {
        self.0 += u32::from(right);
        self.1 += 1;
    }

    fn percent(self) -> f64 {
        100.0 * f64::from(self.0) / f64::from(self.1.max(1))
    }
}

fn file() -> Value {
    serde_json::from_str(include_str!("data/routes.json")).expect("JSON")
}

fn secs(t: MediaTime) -> f64 {
    Duration::from_micros(t.as_micros()).as_secs_f64()
}

use std::time::Duration;

/// Intersection over union.
fn overlap(span: Span, start: f64, end: f64) -> f64 {
    let (s, e) = (secs(span.start), secs(span.end));
    let both = (e.min(end) - s.max(start)).max(0.0);
    both / (e.max(end) - s.min(start)).max(1e-9)
}

fn command_is_right(command: Option<Command>, case: &Value) -> bool {
    let wanted = case["command"].as_str().unwrap_or("none");
    match command {
        None => wanted == "none",
        Some(Command::ForgetAll) => wanted == "forget_all",
        Some(Command::StopWatching) => wanted == "stop_watching",
        Some(Command::ForgetLast(d)) => {
            wanted == "forget_last" && case["command_s"].as_f64().is_some_and(|s| (d.as_secs_f64() - s).abs() < 1.0)
        }
        Some(Command::ForgetSpan(span)) => {
            let (start, end) = (case["start_s"].as_f64().unwrap_or(0.0), case["end_s"].as_f64().unwrap_or(0.0));
            wanted == "forget_span" && overlap(span, start, end) >= SAME_SPAN
        }
    }
}

/// Whether the time is the one that was named; `None` when none is labelled.
fn time_is_right(routed: &Routed, case: &Value) -> Option<bool> {
    if let Some(problem) = case["problem"].as_str() {
        let named = match routed.problem {
            Some(TimeProblem::BeforeStart) => "before_start",
            Some(TimeProblem::Future) => "future",
            None => "none",
        };
        return Some(named == problem && routed.span.is_none());
    }
    if case["command"].is_string() {
        return None;
    }
    let (start, end) = (case["start_s"].as_f64()?, case["end_s"].as_f64()?);
    Some(routed.problem.is_none() && routed.span.is_some_and(|s| overlap(s, start, end) >= SAME_SPAN))
}

/// What else is labelled and wrong.
fn other_faults(routed: &Routed, case: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let mut check = |what: &str, right: bool, got: String| {
        if !right {
            faults.push(format!("{what}: {got}"));
        }
    };
    if let Some(about) = case["about"].as_str() {
        check("about", routed.about == about, routed.about.clone());
    }
    if let Some(order) = case["order"].as_str() {
        let got = match routed.order {
            Order::Best => "best",
            Order::First => "first",
            Order::Last => "last",
        };
        check("order", got == order, got.to_owned());
    }
    if case["anchor"].is_array() {
        let got = routed.anchor.as_ref().map(|a| a.parts());
        let wanted = (case["anchor"][1].as_str().unwrap_or(""), case["anchor"][0].as_str().unwrap_or(""));
        check("anchor", got == Some(wanted), format!("{got:?}"));
    }
    for (key, got) in [("said", routed.said), ("when", routed.when)] {
        if case[key].as_bool() == Some(true) {
            check(key, got, got.to_string());
        }
    }
    check("command", command_is_right(routed.command, case), format!("{:?}", routed.command));
    faults
}

fn when(file: &Value, case: &Value) -> When {
    let now_s = case["now_s"].as_f64().or(file["now_s"].as_f64()).expect("a time");
    let clock = WallClock {
        unix_ms_at_zero: file["unix_ms_at_zero"].as_i64().expect("a time"),
        utc_offset_minutes: i32::try_from(file["utc_offset_minutes"].as_i64().expect("an offset")).expect("small"),
    };
    When { now: MediaTime::ZERO + Duration::from_secs_f64(now_s), wall_clock: Some(clock) }
}

struct Scores {
    routes: Score,
    times: Score,
    others: Score,
}

fn judge(file: &Value, half: &str) -> Scores {
    let mut scores = Scores { routes: Score::default(), times: Score::default(), others: Score::default() };
    let mut confusion: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    for case in file["cases"].as_array().expect("cases").iter().filter(|c| c["half"] == half) {
        let (q, wanted) = (case["q"].as_str().expect("a question"), case["route"].as_str().expect("a route"));
        let routed = route(q, &when(file, case));
        let got = name(routed.route);
        *confusion.entry((wanted, got)).or_default() += 1;
        scores.routes.add(got == wanted);
        if got != wanted {
            println!("{half}: {q:?} is {wanted}, not {got}");
        }
        if let Some(right) = time_is_right(&routed, case) {
            scores.times.add(right);
            if !right {
                println!("{half}: {q:?} names another time than {:?} ({:?})", routed.span, routed.problem);
            }
        }
        let faults = other_faults(&routed, case);
        scores.others.add(faults.is_empty());
        if !faults.is_empty() {
            println!("{half}: {q:?}: {}", faults.join("; "));
        }
    }
    println!("\n{half}: rows are what it is, columns what it was taken for");
    println!("{:>12} {}", "", NAMES.map(|n| format!("{n:>10}")).join(" "));
    for row in NAMES {
        let cells = NAMES.map(|column| format!("{:>10}", confusion.get(&(row, column)).copied().unwrap_or(0)));
        println!("{row:>12} {}", cells.join(" "));
    }
    println!(
        "{half}: routes {:.1} % of {}, times {:.1} % of {}, the rest {:.1} % of {}\n",
        scores.routes.percent(),
        scores.routes.1,
        scores.times.percent(),
        scores.times.1,
        scores.others.percent(),
        scores.others.1
    );
    scores
}

#[test]
fn questions_take_the_right_route_and_name_the_right_time() {
    let file = file();
    let (tune, held_out) = (judge(&file, "tune"), judge(&file, "held_out"));
    assert!(tune.routes.1 + held_out.routes.1 >= 360, "too few questions");
    assert!(tune.routes.percent() >= LEAST_TUNE, "routes of the tune half: {:.1} %", tune.routes.percent());
    assert!(
        held_out.routes.percent() >= LEAST_HELD_OUT,
        "routes of the held-out half: {:.1} %",
        held_out.routes.percent()
    );
    for (half, scores) in [("tune", &tune), ("held-out", &held_out)] {
        assert!(scores.times.percent() >= LEAST_INTERVALS, "times of the {half} half: {:.1} %", scores.times.percent());
        assert!(
            scores.others.percent() >= LEAST_INTERVALS,
            "the rest of the {half} half: {:.1} %",
            scores.others.percent()
        );
    }
}

#[test]
fn what_is_asked_about_now_never_goes_to_the_memory() {
    let file = file();
    let mut polluted = Vec::new();
    for case in file["cases"].as_array().expect("cases").iter().filter(|c| c["route"] == "now") {
        let q = case["q"].as_str().expect("a question");
        let got = route(q, &when(&file, case)).route;
        if !matches!(got, Route::Now | Route::NotVisual) {
            polluted.push(q.to_owned());
        }
    }
    assert!(polluted.is_empty(), "recall for a question about the present: {polluted:?}");
}
