//! The sampler, the experts and the scene, as `session/watcher.rs` runs them. `--cache FILE` keeps what the experts said of each frame, so that
//! a second run over the same day need not look again.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use sightline::base::{BBox, Clock, RgbFrame};
use sightline::decode::encode_jpeg;
use sightline::engine::{EngineSession, PerceiveRequest};
use sightline::watch::{
    CLASSIFIER, DETECTOR, Look, OCR, Sampler, SamplerConfig, Scene, SceneConfig, SceneFacts, Sighting, Verdict,
};

/// What a kept frame gave.
#[derive(Clone)]
pub struct Seen {
    pub facts: Arc<SceneFacts>,
    pub image: Option<Arc<[f32]>>,
    pub jpeg: Option<Bytes>,
}

pub struct Eyes {
    sampler: Sampler,
    scene: Scene,
    cache: HashMap<u64, Vec<Look>>,
    file: Option<PathBuf>,
    pub looked: u64,
}

impl Eyes {
    pub fn open(file: Option<PathBuf>) -> Self {
        let mut cache = HashMap::new();
        let text = file.as_ref().and_then(|f| std::fs::read_to_string(f).ok()).unwrap_or_default();
        for line in text.lines() {
            let Ok(value) = serde_json::from_str::<Value>(line) else { continue };
            if let Some(key) = value["frame"].as_u64() {
                cache.insert(key, value["looks"].as_array().into_iter().flatten().filter_map(read).collect());
            }
        }
        let scene = Scene::new(SceneConfig::default());
        Self { sampler: Sampler::new(SamplerConfig::default()), scene, cache, file, looked: 0 }
    }

    /// Looks at a frame if the sampler keeps it.
    pub async fn offer(&mut self, frame: &RgbFrame, engine: &EngineSession, clock: &dyn Clock) -> Option<Seen> {
        if self.sampler.offer(frame, frame.capture) != Verdict::Keep {
            return None;
        }
        self.looked += 1;
        let mut hasher = DefaultHasher::new();
        frame.data.hash(&mut hasher);
        let key = hasher.finish();
        let looks = match self.cache.get(&key) {
            Some(looks) => looks.clone(),
            None => {
                let deadline = clock.now() + Duration::from_secs(60);
                let request = PerceiveRequest { experts: Vec::new(), deadline, urgent: false };
                let looks = engine.perceive(frame.clone(), request).await.expect("the engine looks").looks;
                self.cache.insert(key, looks.clone());
                looks
            }
        };
        let facts = Arc::new(self.scene.observe(frame, &looks).clone());
        let image = looks.iter().flat_map(|l| &l.sightings).find_map(|s| match s {
            Sighting::Embedding { vector } => Some(vector.clone().into()),
            _ => None,
        });
        Some(Seen { facts, image, jpeg: encode_jpeg(frame, 320, 78).ok() })
    }

    pub fn save(&self) {
        let Some(file) = &self.file else { return };
        let line = |(key, looks): (&u64, &Vec<Look>)| {
            json!({"frame": key, "looks": looks.iter().map(write).collect::<Vec<_>>()}).to_string()
        };
        let lines: Vec<String> = self.cache.iter().map(line).collect();
        if let Err(e) = std::fs::write(file, lines.join("\n")) {
            eprintln!("needle: {}: {e}", file.display());
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
    json!({"expert": look.expert, "said": said.collect::<Vec<_>>()})
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
    Some(Look { expert, sightings: value["said"].as_array()?.iter().map(sighting).collect() })
}
