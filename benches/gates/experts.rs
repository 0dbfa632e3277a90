//! The experts, asked directly; the reader is left out: the clips have no text.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use image::RgbImage;
use sightline::base::{BBox, FrameId, MediaTime, RgbFrame};
use sightline::engine::Glimpse;
use sightline::model::onnx::Threads;
use sightline::model::vision::{VisionFiles, load_experts};
use sightline::watch::{CLASSIFIER, DETECTOR, Look, Perceive, Sighting};

use crate::said::Said;

pub struct Experts {
    experts: Vec<Box<dyn Perceive>>,
    said: Said,
    /// What each look took that was not read from a file.
    took: HashMap<u64, Duration>,
    pub asked: u64,
}

impl Experts {
    pub fn load(models: &Path, cache: Option<PathBuf>) -> Self {
        let files = VisionFiles { reader: None, ..VisionFiles::under(models) };
        let threads = Threads::new(2);
        let experts = load_experts(&files, &threads).expect("the default models (`make models`)");
        Self { experts, said: Said::open(cache), took: HashMap::new(), asked: 0 }
    }

    /// What they say of a picture or of a part of it, and what that took, if it is known.
    pub fn look(&mut self, frame: &RgbFrame, part: Option<&Glimpse>) -> (Vec<Look>, Option<Duration>) {
        let mut hasher = DefaultHasher::new();
        part.map(|part| format!("{part:?}")).hash(&mut hasher);
        let key = Said::of(frame) ^ part.map_or(0, |_| hasher.finish());
        if let Some(looks) = self.said.get(key) {
            return (looks.clone(), self.took.get(&key).copied());
        }
        self.asked += 1;
        let begun = Instant::now();
        let (mut looks, mut seen) = (Vec::new(), part.map(|part| part.outside.clone()).unwrap_or_default());
        for expert in &mut self.experts {
            let region = part.map(|part| part.region);
            let said =
                region.and_then(|r| expert.perceive_part(frame, &r, &seen).expect("a frame that can be looked at"));
            let region = said.is_some().then_some(region).flatten();
            let sightings =
                said.unwrap_or_else(|| expert.perceive(frame, &seen).expect("a frame that can be looked at"));
            let kept = sightings.into_iter().filter(|s| !matches!(s, Sighting::Embedding { .. }));
            let look = Look { expert: expert.name(), sightings: kept.collect(), region };
            seen.extend(look.sightings.iter().cloned());
            looks.push(look);
        }
        let took = begun.elapsed();
        self.said.keep(key, &looks);
        self.took.insert(key, took);
        (looks, Some(took))
    }

    fn said(&mut self, picture: &RgbImage, expert: &str) -> Vec<Sighting> {
        let (looks, _) = self.look(&frame(picture.clone(), 0, MediaTime::ZERO), None);
        looks.into_iter().filter(|l| l.expert == expert).flat_map(|l| l.sightings).collect()
    }

    /// Of the whole picture, and of each crop.
    pub fn first_labels(&mut self, picture: &RgbImage) -> Vec<String> {
        let labels = self.said(picture, CLASSIFIER).into_iter().filter_map(|s| match s {
            Sighting::Label { label, bbox, .. } => Some((label, bbox)),
            _ => None,
        });
        firsts(labels)
    }

    pub fn objects(&mut self, picture: &RgbImage) -> Vec<(String, [f32; 4])> {
        let objects = self.said(picture, DETECTOR).into_iter().filter_map(|s| match s {
            Sighting::Object { label, confidence, bbox: b } => {
                (confidence >= 0.5).then_some((label, [b.x0, b.y0, b.x1, b.y1]))
            }
            _ => None,
        });
        objects.collect()
    }

    pub fn save(&self) {
        self.said.save();
    }
}

/// The first label of each part of the picture.
pub fn firsts(labels: impl Iterator<Item = (String, BBox)>) -> Vec<String> {
    let (mut seen, mut out) = (Vec::<BBox>::new(), Vec::new());
    for (label, bbox) in labels {
        if !seen.contains(&bbox) {
            seen.push(bbox);
            out.push(label);
        }
    }
    out
}

pub fn frame(picture: RgbImage, id: u64, capture: MediaTime) -> RgbFrame {
    let (width, height) = picture.dimensions();
    RgbFrame { id: FrameId(id), width, height, data: picture.into_raw().into(), capture }
}
