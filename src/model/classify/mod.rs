//! What the picture shows: EfficientNet-Lite on the classes of ImageNet, in 8 bits (`kernels`).
//!
//! Floor 2. In: `RgbFrame`, the detector's boxes. Out: [`Sighting::Label`]s and one [`Sighting::Embedding`]. Loses: nothing.
//! The views were chosen by measuring labelled photographs in 640×480 frames: the middle 7/8 square of the frame alone beats
//! the squashed frame and the mean of both.

mod error;
mod net;
mod tflite;
mod words;

use std::path::Path;

use net::{Net, Seen};
use tflite::TfModel;
use words::guesses;

pub use error::ClassifyError;
pub use words::{CLASSES, Class, Guess, LABELS, softmax};

use crate::base::{BBox, Brake, RgbFrame};
use crate::model::convnet::Refused;
use crate::model::file::{Unread, read_bounded};
use crate::model::resize::{Part, resample};
use crate::watch::{CLASSIFIER, Perceive, PerceiveError, Pixels, Sighting, pixels_for};

/// How much the classifier looks at and tells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassifierConfig {
    /// Most crops of detected objects that are classified too; each costs as much as the frame. Default 1.
    pub crops: usize,
    /// Most labels per view. Default 3.
    pub labels: usize,
    /// Softmax temperature. Default 1.0.
    pub temperature: f32,
    /// A crop's label below this is not told. Default 0.4: crops without context mislead.
    pub crop_threshold: f32,
}

impl Default for ClassifierConfig {
    fn default() -> Self {
        Self { crops: 1, labels: 3, temperature: 1.0, crop_threshold: 0.4 }
    }
}

/// The part of the shorter side that is looked at, as in the training of the model.
const MIDDLE: f64 = 0.875;

/// Larger files than this are not ours.
const MOST_BYTES: u64 = 1 << 28;

/// EfficientNet-Lite, any size.
pub struct Classifier {
    net: Net,
    config: ClassifierConfig,
}

impl Classifier {
    /// Loads `file` (`efficientnet-lite/model.tflite`, the published INT8 file). A look takes `threads`, the caller's among them.
    ///
    /// # Errors
    /// [`ClassifyError`] when the file is missing, damaged or another model.
    pub fn load(file: &Path, config: ClassifierConfig, threads: usize) -> Result<Self, ClassifyError> {
        let path = file.to_path_buf();
        let data = read_bounded(file, MOST_BYTES).map_err(|e| match e {
            Unread::Io(e) => ClassifyError::Unreadable { path: path.clone(), reason: e.to_string() },
            Unread::TooLarge(bytes) => {
                ClassifyError::Damaged { path: path.clone(), reason: format!("it has {bytes} bytes") }
            }
        })?;
        let Some(model) = TfModel::read(&data) else {
            return Err(ClassifyError::Damaged { path, reason: "this is not a whole TFLite file".into() });
        };
        match Net::build(&model, threads) {
            Ok(net) => Ok(Self { net, config }),
            Err(reason) => Err(ClassifyError::Other { path, reason }),
        }
    }

    /// Scores of one part of the picture, and its features.
    fn view(&mut self, pixels: &Pixels<'_>, part: Part) -> Result<Seen, PerceiveError> {
        let seen = self.run(pixels, part).map_err(|reason| PerceiveError::Model { expert: CLASSIFIER, reason })?;
        seen.ok_or(PerceiveError::BrokenOff)
    }

    /// The same; nothing where it was broken off.
    fn run(&mut self, pixels: &Pixels<'_>, part: Part) -> Refused<Option<Seen>> {
        let side = u32::try_from(self.net.side).map_err(|e| e.to_string())?;
        let Some((logits, features)) = self.net.run(&resample(pixels, part, side, side)?)? else { return Ok(None) };
        if logits.len() != CLASSES {
            return Err(format!("expected {CLASSES} classes, got {}", logits.len()));
        }
        Ok(Some((softmax(&logits, self.config.temperature), features)))
    }

    fn look(&mut self, pixels: &Pixels<'_>, seen: &[Sighting]) -> Result<Vec<Sighting>, PerceiveError> {
        let (scores, features) = self.view(pixels, middle(pixels))?;
        let mut out = labels(&scores, self.config.labels, BBox::FULL, 0.0);
        let known = sure_words(&out);
        for bbox in crops(seen, self.config.crops, &known) {
            let (scores, _) = self.view(pixels, around(pixels, &bbox))?;
            out.extend(labels(&scores, 1, bbox, self.config.crop_threshold));
        }
        let length = features.iter().map(|v| v * v).sum::<f32>().sqrt().max(1e-12);
        out.push(Sighting::Embedding { vector: features.into_iter().map(|v| v / length).collect() });
        self.net.forget();
        Ok(out)
    }
}

impl Perceive for Classifier {
    fn name(&self) -> &'static str {
        CLASSIFIER
    }

    fn perceive(&mut self, frame: &RgbFrame, seen: &[Sighting]) -> Result<Vec<Sighting>, PerceiveError> {
        self.look(&pixels_for(CLASSIFIER, frame)?, seen)
    }

    fn obey(&mut self, brake: Brake) {
        self.net.brake = brake;
    }
}

fn labels(scores: &[f32], most: usize, bbox: BBox, least: f32) -> Vec<Sighting> {
    let told = guesses(scores, most).into_iter().filter(|g| g.confidence >= least);
    told.map(|g| Sighting::Label {
        label: g.label.to_owned(),
        broader: g.broader.into_iter().map(str::to_owned).collect(),
        confidence: g.confidence,
        bbox,
    })
    .collect()
}

/// The middle square of the picture.
fn middle(pixels: &Pixels<'_>) -> Part {
    let whole = Part::whole(pixels);
    let side = whole.w.min(whole.h) * MIDDLE;
    Part { x: (whole.w - side) / 2.0, y: (whole.h - side) / 2.0, w: side, h: side }
}

/// A square around an object with some of what surrounds it.
fn around(pixels: &Pixels<'_>, bbox: &BBox) -> Part {
    let whole = Part::whole(pixels);
    let (w, h) = (f64::from(bbox.width()) * whole.w, f64::from(bbox.height()) * whole.h);
    let side = (w.max(h) * 1.15).min(whole.w.min(whole.h)).max(1.0);
    let (cx, cy) = bbox.centre();
    Part { x: f64::from(cx) * whole.w - side / 2.0, y: f64::from(cy) * whole.h - side / 2.0, w: side, h: side }
}

/// The frame as a whole names its thing surely enough: a crop of that thing would only say it again.
const SURE: f32 = 0.6;

/// Every word for what the whole frame surely shows.
fn sure_words(told: &[Sighting]) -> Vec<&str> {
    let words = |s| match s {
        &Sighting::Label { ref label, ref broader, confidence, .. } if confidence >= SURE => {
            Some(std::iter::once(label.as_str()).chain(broader.iter().map(String::as_str)))
        }
        _ => None,
    };
    told.iter().filter_map(words).flatten().collect()
}

/// The objects worth a closer look: large, near the middle, but not most of the frame, not what the frame was `known` to show,
/// and not people (the classes of ImageNet know no people: a crop of one is named by what they wear).
fn crops(seen: &[Sighting], most: usize, known: &[&str]) -> Vec<BBox> {
    let mut found: Vec<(f32, BBox)> = seen
        .iter()
        .filter_map(|s| match s {
            Sighting::Object { label, bbox, confidence } if label != "person" && !known.contains(&label.as_str()) => {
                Some((*confidence, *bbox))
            }
            _ => None,
        })
        .filter(|(_, b)| (0.02..0.4).contains(&b.area()))
        .map(|(confidence, b)| {
            let (x, y) = b.centre();
            let off = (x - 0.5).hypot(y - 0.5);
            (confidence * b.area().sqrt() * (1.0 - off), b)
        })
        .collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    found.into_iter().take(most).map(|(_, b)| b).collect()
}

#[cfg(test)]
mod tests {
    use super::{around, crops, middle};
    use crate::base::BBox;
    use crate::watch::testing::flat;
    use crate::watch::{Pixels, Sighting};

    #[test]
    fn views_lie_in_the_middle_and_around_the_object() {
        let f = flat(640, 480, [0; 3]);
        let p = Pixels::of(&f).unwrap();
        let m = middle(&p);
        assert_eq!((m.x, m.y, m.w, m.h), (110.0, 30.0, 420.0, 420.0));
        let a = around(&p, &BBox::new(0.5, 0.5, 0.6, 0.7));
        assert!((a.w - 110.4).abs() < 0.1 && (a.x + a.w / 2.0 - 352.0).abs() < 0.1);
    }

    #[test]
    fn large_central_things_come_first_and_people_not_at_all() {
        let o = |label: &str, x: f32, side: f32| Sighting::Object {
            label: label.into(),
            confidence: 0.8,
            bbox: BBox::new(x, 0.3, x + side, 0.3 + side),
        };
        let seen = [o("person", 0.2, 0.6), o("cup", 0.0, 0.2), o("dog", 0.35, 0.4), o("speck", 0.5, 0.02)];
        let got = crops(&seen, 2, &[]);
        assert_eq!(got.len(), 2);
        assert!((got[0].x0 - 0.35).abs() < 1e-6 && got[1].x0 < 1e-6);
        // What the frame as a whole was named already is not looked at again.
        assert!(crops(&seen, 2, &["dog", "animal"]).iter().all(|b| b.x0 < 1e-6));
    }
}
