//! The sampler, the experts and the scene, as `session/watcher.rs` runs them. `--cache FILE` keeps what the experts said of each frame, so that
//! a second run over the same day need not look again.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sightline::base::{Clock, RgbFrame};
use sightline::decode::encode_jpeg;
use sightline::engine::{EngineSession, PerceiveRequest};
use sightline::watch::{Picture, Sampler, SamplerConfig, Scene, SceneConfig, SceneFacts, Sighting, Verdict};

use crate::said::Said;

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
    cache: Said,
    pub looked: u64,
}

impl Eyes {
    pub fn open(file: Option<PathBuf>) -> Self {
        let scene = Scene::new(SceneConfig::default());
        Self { sampler: Sampler::new(SamplerConfig::default()), scene, cache: Said::open(file), looked: 0 }
    }

    /// Looks at a frame if the sampler keeps it.
    pub async fn offer(&mut self, frame: &RgbFrame, engine: &EngineSession, clock: &dyn Clock) -> Option<Seen> {
        if self.sampler.offer(&Picture::of(frame.clone()), frame.capture) != Verdict::Keep {
            return None;
        }
        self.looked += 1;
        let key = Said::of(frame);
        let looks = match self.cache.get(key) {
            Some(looks) => looks.clone(),
            None => {
                let deadline = clock.now() + Duration::from_secs(60);
                let request = PerceiveRequest { experts: Vec::new(), deadline, urgent: false, part: None };
                let looks = engine.perceive(frame.clone(), request).await.expect("the engine looks").looks;
                self.cache.keep(key, &looks);
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
        self.cache.save();
    }
}
