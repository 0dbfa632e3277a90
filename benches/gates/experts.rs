//! The experts, asked directly; the reader is left out: the clips have no text.

use std::path::{Path, PathBuf};

use image::RgbImage;
use sightline::base::{BBox, FrameId, MediaTime, RgbFrame};
use sightline::model::onnx::Threads;
use sightline::model::vision::{VisionFiles, load_experts};
use sightline::watch::{CLASSIFIER, DETECTOR, Look, Perceive, Sighting};

use crate::said::Said;

pub struct Experts {
    experts: Vec<Box<dyn Perceive>>,
    said: Said,
    pub asked: u64,
}

impl Experts {
    pub fn load(models: &Path, cache: Option<PathBuf>) -> Self {
        let files = VisionFiles { reader: None, ..VisionFiles::under(models) };
        let threads = Threads::new(2);
        let experts = load_experts(&files, &threads).expect("the default models (`make models`)");
        Self { experts, said: Said::open(cache), asked: 0 }
    }

    pub fn look(&mut self, frame: &RgbFrame) -> Vec<Look> {
        let key = Said::of(frame);
        if let Some(looks) = self.said.get(key) {
            return looks.clone();
        }
        self.asked += 1;
        let (mut looks, mut seen) = (Vec::new(), Vec::new());
        for expert in &mut self.experts {
            let sightings = expert.perceive(frame, &seen).expect("a frame that can be looked at");
            let kept = sightings.into_iter().filter(|s| !matches!(s, Sighting::Embedding { .. }));
            let look = Look { expert: expert.name(), sightings: kept.collect() };
            seen.extend(look.sightings.iter().cloned());
            looks.push(look);
        }
        self.said.keep(key, &looks);
        looks
    }

    fn said(&mut self, picture: &RgbImage, expert: &str) -> Vec<Sighting> {
        let looks = self.look(&frame(picture.clone(), 0, MediaTime::ZERO));
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
