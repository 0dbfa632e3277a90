//! What the experts said of each frame, kept in a file: a second run over the same frames need not look again.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;

use serde_json::{Value, json};
use sightline::base::{BBox, RgbFrame};
use sightline::watch::{CLASSIFIER, DETECTOR, Look, OCR, Region, Sighting};

/// Looks by the pixels that were looked at.
#[derive(Default)]
pub struct Said {
    by_frame: HashMap<u64, Vec<Look>>,
    file: Option<PathBuf>,
}

impl Said {
    /// What `file` holds; nothing where there is none.
    pub fn open(file: Option<PathBuf>) -> Self {
        let mut by_frame = HashMap::new();
        let text = file.as_ref().and_then(|f| std::fs::read_to_string(f).ok()).unwrap_or_default();
        for line in text.lines() {
            let Ok(value) = serde_json::from_str::<Value>(line) else { continue };
            if let Some(key) = value["frame"].as_u64() {
                by_frame.insert(key, value["looks"].as_array().into_iter().flatten().filter_map(read).collect());
            }
        }
        Self { by_frame, file }
    }

    pub fn of(frame: &RgbFrame) -> u64 {
        let mut hasher = DefaultHasher::new();
        frame.data.hash(&mut hasher);
        hasher.finish()
    }

    pub fn get(&self, key: u64) -> Option<&Vec<Look>> {
        self.by_frame.get(&key)
    }

    pub fn keep(&mut self, key: u64, looks: &[Look]) {
        self.by_frame.insert(key, looks.to_vec());
    }

    pub fn save(&self) {
        let Some(file) = &self.file else { return };
        let line = |(key, looks): (&u64, &Vec<Look>)| {
            json!({"frame": key, "looks": looks.iter().map(write).collect::<Vec<_>>()}).to_string()
        };
        let lines: Vec<String> = self.by_frame.iter().map(line).collect();
        if let Err(e) = std::fs::write(file, lines.join("\n")) {
            eprintln!("{}: {e}", file.display());
        }
    }
}

fn write(look: &Look) -> Value {
    let at = |b: &BBox| json!([b.x0, b.y0, b.x1, b.y1]);
    let said = look.sightings.iter().map(|s| match s {
        Sighting::Object { label, confidence, bbox } => json!({"object": label, "p": confidence, "at": at(bbox)}),
        Sighting::Label { label, broader, confidence, bbox } => {
            json!({"label": label, "broader": broader, "p": confidence, "at": at(bbox)})
        }
        Sighting::Text { text, confidence, bbox } => json!({"text": text, "p": confidence, "at": at(bbox)}),
        Sighting::Embedding { vector } => json!({"vector": vector}),
    });
    json!({"expert": look.expert, "said": said.collect::<Vec<_>>(), "part": look.region.map(|r| at(&r.bbox()))})
}

fn read(value: &Value) -> Option<Look> {
    let expert = [DETECTOR, CLASSIFIER, OCR].into_iter().find(|e| value["expert"] == *e)?;
    let number = |v: &Value| v.as_f64().unwrap_or(0.0) as f32;
    let sighting = |s: &Value| {
        let at = |i: usize| number(&s["at"][i]);
        let (confidence, bbox) = (number(&s["p"]), BBox { x0: at(0), y0: at(1), x1: at(2), y1: at(3) });
        let text = |key: &str| s[key].as_str().map(str::to_owned);
        if let Some(label) = text("object") {
            Sighting::Object { label, confidence, bbox }
        } else if let Some(label) = text("label") {
            let broader = s["broader"].as_array().into_iter().flatten().filter_map(|w| w.as_str().map(str::to_owned));
            Sighting::Label { label, broader: broader.collect(), confidence, bbox }
        } else if let Some(text) = text("text") {
            Sighting::Text { text, confidence, bbox }
        } else {
            Sighting::Embedding { vector: s["vector"].as_array().into_iter().flatten().map(number).collect() }
        }
    };
    let corner = |i: usize| number(&value["part"][i]);
    let part = BBox { x0: corner(0), y0: corner(1), x1: corner(2), y1: corner(3) };
    let region = Region::of(part, part);
    Some(Look { expert, sightings: value["said"].as_array()?.iter().map(sighting).collect(), region })
}
