//! `SceneFacts` from the short JSON notation of `tests/data/answers.json`.
//!
//! `{"objects": [["cup", 0.9, [x0, y0, x1, y1], "red", "left"]], "labels": [["coffee mug", 0.7, ["mug"]]], "texts": ["EXIT"],
//!   "colours": [["white", 0.6]], "changes": [["appeared", "dog", 3]], "brightness": 0.5, "motion": 0.0, "unusable": "dark"}`
//! The module that takes it in has `base` and `watch` in scope: `use sightline::{base, watch};`, or `use crate::…` in unit tests.

use super::base::{BBox, MediaTime};
use super::watch::{
    Change, ChangeFact, Colour, ColourShare, LabelFact, Motion, ObjectFact, SceneFacts, TextFact, Unusable,
};
use serde_json::Value;

fn num(v: &Value) -> f32 {
    v.as_f64().expect("a number") as f32
}

fn text(v: &Value) -> String {
    v.as_str().expect("a string").to_owned()
}

fn list(v: &Value) -> &[Value] {
    v.as_array().map_or(&[], Vec::as_slice)
}

fn bbox(v: &Value) -> BBox {
    match list(v) {
        [a, b, c, d] => BBox::new(num(a), num(b), num(c), num(d)),
        _ => BBox::FULL,
    }
}

fn colour(name: &str) -> Colour {
    match name {
        "black" => Colour::Black,
        "white" => Colour::White,
        "grey" => Colour::Grey,
        "red" => Colour::Red,
        "orange" => Colour::Orange,
        "yellow" => Colour::Yellow,
        "green" => Colour::Green,
        "blue" => Colour::Blue,
        "purple" => Colour::Purple,
        "pink" => Colour::Pink,
        "brown" => Colour::Brown,
        other => panic!("no colour: {other}"),
    }
}

fn motion(name: &str) -> Motion {
    match name {
        "left" => Motion::Left,
        "right" => Motion::Right,
        "up" => Motion::Up,
        "down" => Motion::Down,
        "nearer" => Motion::Nearer,
        "away" => Motion::Away,
        _ => Motion::Still,
    }
}

fn change(kind: &str, what: String) -> Change {
    match kind {
        "appeared" => Change::Appeared { label: what },
        "disappeared" => Change::Disappeared { label: what },
        "text" => Change::TextAppeared { text: what },
        "brighter" => Change::Light { brighter: true },
        "darker" => Change::Light { brighter: false },
        "cut" => Change::SceneCut,
        other => panic!("no change: {other}"),
    }
}

/// The facts, with times counted back from `now`.
pub fn scene(v: &Value, now: MediaTime) -> SceneFacts {
    let objects = list(&v["objects"]).iter().enumerate().map(|(i, o)| ObjectFact {
        track: i as u32 + 1,
        label: text(&o[0]),
        confidence: num(&o[1]),
        bbox: bbox(&o[2]),
        colour: o[3].as_str().map(|c| ColourShare { colour: colour(c), share: 0.7 }),
        motion: motion(o[4].as_str().unwrap_or("still")),
        first_seen: now,
        last_seen: now,
    });
    let labels = list(&v["labels"]).iter().map(|l| LabelFact {
        label: text(&l[0]),
        confidence: num(&l[1]),
        broader: list(&l[2]).iter().map(text).collect(),
        bbox: bbox(&l[3]),
        at: now,
    });
    let texts =
        list(&v["texts"]).iter().map(|t| TextFact { text: text(t), confidence: 0.9, bbox: BBox::FULL, at: now });
    let colours = list(&v["colours"]).iter().map(|c| ColourShare { colour: colour(&text(&c[0])), share: num(&c[1]) });
    let changes = list(&v["changes"]).iter().map(|c| ChangeFact {
        change: change(&text(&c[0]), text(&c[1])),
        at: now.saturating_sub(std::time::Duration::from_secs(c[2].as_u64().unwrap_or(0))),
    });
    SceneFacts {
        at: now,
        objects: objects.collect(),
        labels: labels.collect(),
        texts: texts.collect(),
        colours: colours.collect(),
        brightness: v["brightness"].as_f64().unwrap_or(0.5) as f32,
        motion: v["motion"].as_f64().unwrap_or(0.0) as f32,
        changes: changes.collect(),
        unusable: match v["unusable"].as_str() {
            Some("dark") => Some(Unusable::Dark),
            Some("blank") => Some(Unusable::Blank),
            _ => None,
        },
        looked: vec!["detector", "classifier", "ocr"],
    }
}
