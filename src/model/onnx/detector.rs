//! What stands where: YOLOX on the COCO classes.
//!
//! Floor 2. In: `RgbFrame`. Out: [`Sighting::Object`], at most [`DetectorConfig::most`]. Loses: boxes below the threshold.
//! Source: Ge et al., "YOLOX" (arXiv:2107.08430); decoding and letterbox as in Megvii-BaseDetection/YOLOX `demo/ONNXRuntime`
//! and `yolox/utils/demo_utils.py`. Differs from it in: overlap between classes is resolved too, at a higher threshold; the net is computed on our own kernels (`convnet`).

use std::path::Path;

use super::boxes::Boxes;
use super::graph::{OnnxError, Threads};
use crate::base::{BBox, Brake, RgbFrame};
use crate::model::resize::{Part, resample};
use crate::watch::{DETECTOR, Perceive, PerceiveError, Pixels, Region, Sighting, pixels_for};

/// How much the detector tells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DetectorConfig {
    /// Least confidence of a box. Default 0.35: lower brings ghosts, higher loses small things.
    pub threshold: f32,
    /// Boxes of one class that overlap more than this are one thing. Default 0.45.
    pub overlap: f32,
    /// Most boxes told. Default 24.
    pub most: usize,
    /// A part of a picture is not enlarged more than this. Default 1.0.
    pub largest: f32,
}

impl Default for DetectorConfig {
    fn default() -> Self {
        Self { threshold: 0.35, overlap: 0.45, most: 24, largest: 1.0 }
    }
}

/// Boxes of different classes that overlap more than this are one thing with two names; the surer name stays.
const OVERLAP_ACROSS: f32 = 0.8;
/// Cells of the three feature maps are this many pixels wide.
const STRIDES: [usize; 3] = [8, 16, 32];
/// Box (4), objectness (1), classes (80).
const VALUES: usize = 5 + COCO.len();
/// What fills the letterbox.
const GREY: f32 = 114.0;

/// YOLOX (nano or tiny, official export: raw outputs, BGR 0–255).
pub struct Detector {
    net: Boxes,
    config: DetectorConfig,
    side: usize,
}

impl Detector {
    /// Loads `file` (`yolox-nano/model.onnx`).
    ///
    /// # Errors
    /// [`OnnxError`] when the file is missing, damaged or another model.
    pub fn load(file: &Path, config: DetectorConfig, threads: &Threads) -> Result<Self, OnnxError> {
        let net = Boxes::load(file, threads)?;
        let other = |reason: String| OnnxError::Other { path: file.into(), expert: DETECTOR, reason };
        match net.shape().map_err(other)? {
            (side, None | Some(VALUES)) => Ok(Self { net, config, side }),
            (_, Some(n)) => Err(other(format!("expected {VALUES} numbers for each box, got {n}"))),
        }
    }

    /// What is found in all of the picture, or in a part of it; nothing where it was broken off.
    fn look(&mut self, pixels: &Pixels<'_>, region: Option<&Region>) -> Result<Option<Vec<Found>>, String> {
        let view = region
            .map_or_else(|| View::whole(pixels, self.side), |r| View::of(pixels, r, (self.side, self.config.largest)));
        let narrow = |v: usize| u32::try_from(v).map_err(|e| e.to_string());
        let small = resample(pixels, view.part, narrow(view.width)?, narrow(view.height)?)?;
        let Some(seen) = self.net.run(view.net, |picture| letterbox(&small, view.width, view.net.1, picture))? else {
            return Ok(None);
        };
        let cells: usize = STRIDES.iter().map(|s| (view.net.0 / s) * (view.net.1 / s)).sum();
        if seen.len() != cells * VALUES {
            return Err(format!("expected {cells} boxes, got {}", seen.len() / VALUES));
        }
        let found = suppress(decode(seen, view.net, view.size, self.config.threshold), &self.config);
        self.net.forget();
        Ok(Some(found))
    }
}

/// A part of a picture as the net takes it.
struct View {
    part: Part,
    /// Sides that the part is scaled to, in whole pixels.
    width: usize,
    height: usize,
    /// The same, unrounded: what boxes are measured by.
    size: (f32, f32),
    /// Rows and columns of the net's picture.
    net: (usize, usize),
}

impl View {
    /// All of it, in a square.
    fn whole(pixels: &Pixels<'_>, side: usize) -> Self {
        let (width, height) = sides(pixels, side);
        let scale = scale(pixels, side);
        #[expect(clippy::cast_precision_loss, reason = "picture sides are far below 2^24")]
        let size = (pixels.width() as f32 * scale, pixels.height() as f32 * scale);
        Self { part: Part::whole(pixels), width, height, size, net: (side, side) }
    }

    /// A part of it, enlarged at most so much, and no longer than the square's side; no more around it than the net's strides ask for.
    fn of(pixels: &Pixels<'_>, region: &Region, (side, largest): (usize, f32)) -> Self {
        let (x0, y0, x1, y1) = pixels.area(&region.bbox());
        #[expect(clippy::cast_precision_loss, reason = "picture sides are far below 2^24")]
        let (w, h, most) = ((x1 - x0) as f32, (y1 - y0) as f32, side as f32);
        let scale = (most / w.max(h)).min(largest);
        let (width, height) = (scaled(x1 - x0, scale, side), scaled(y1 - y0, scale, side));
        let net = (height.next_multiple_of(32), width.next_multiple_of(32));
        Self { part: Part::between(x0, y0, x1, y1), width, height, size: (w * scale, h * scale), net }
    }
}

/// The picture in the top left corner of a grey square: rows of BGR.
pub(super) fn letterbox(rgb: &[u8], width: usize, side: usize, square: &mut [f32]) {
    square.fill(GREY);
    for (to, from) in square.chunks_exact_mut(side * 3).zip(rgb.chunks_exact(width * 3)) {
        for (to, p) in to.as_chunks_mut::<3>().0.iter_mut().zip(from.as_chunks::<3>().0) {
            *to = [p[2], p[1], p[0]].map(f32::from);
        }
    }
}

/// How much the picture is scaled to fit into a square.
#[expect(clippy::cast_precision_loss, reason = "picture sides are far below 2^24")]
fn scale(pixels: &Pixels<'_>, side: usize) -> f32 {
    side as f32 / pixels.width().max(pixels.height()) as f32
}

/// Its sides then.
pub(super) fn sides(pixels: &Pixels<'_>, side: usize) -> (usize, usize) {
    let scale = scale(pixels, side);
    (scaled(pixels.width(), scale, side), scaled(pixels.height(), scale, side))
}

impl Perceive for Detector {
    fn name(&self) -> &'static str {
        DETECTOR
    }

    fn perceive(&mut self, frame: &RgbFrame, _seen: &[Sighting]) -> Result<Vec<Sighting>, PerceiveError> {
        let seen = self.look(&pixels_for(DETECTOR, frame)?, None);
        let seen = seen.map_err(|reason| PerceiveError::Model { expert: DETECTOR, reason })?;
        Ok(seen.ok_or(PerceiveError::BrokenOff)?.into_iter().map(Found::into_sighting).collect())
    }

    fn perceive_part(
        &mut self,
        frame: &RgbFrame,
        region: &Region,
        seen: &[Sighting],
    ) -> Result<Option<Vec<Sighting>>, PerceiveError> {
        if !self.net.takes_any() {
            return Ok(None);
        }
        let found = self.look(&pixels_for(DETECTOR, frame)?, Some(region));
        let found = found.map_err(|reason| PerceiveError::Model { expert: DETECTOR, reason })?;
        let mut told = Vec::new();
        for found in found.ok_or(PerceiveError::BrokenOff)? {
            let found = Found { bbox: region.outward(&found.bbox), ..found };
            if region.belongs(Some(COCO[found.class]), &found.bbox, seen) {
                continue;
            }
            if region.asks(&found.bbox) {
                return Ok(None);
            }
            if !region.cuts(&found.bbox) {
                told.push(found.into_sighting());
            }
        }
        Ok(Some(told))
    }

    fn obey(&mut self, brake: Brake) {
        self.net.obey(brake);
    }
}

/// A box and its class.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Found {
    class: usize,
    confidence: f32,
    bbox: BBox,
}

impl Found {
    fn into_sighting(self) -> Sighting {
        Sighting::Object { label: COCO[self.class].to_owned(), confidence: self.confidence, bbox: self.bbox }
    }
}

/// A side scaled, at least one pixel and at most `most`.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive and clamped")]
#[expect(clippy::cast_precision_loss, reason = "picture sides are far below 2^24")]
fn scaled(side: usize, scale: f32, most: usize) -> usize {
    ((side as f32 * scale).round() as usize).clamp(1, most)
}

/// Boxes above the threshold. `size`: the part of the net's picture, of so many rows and columns, that holds ours, in its pixels.
fn decode(data: &[f32], (rows, columns): (usize, usize), size: (f32, f32), threshold: f32) -> Vec<Found> {
    let grid = STRIDES.iter().flat_map(|&stride| {
        let (rows, columns) = (rows / stride, columns / stride);
        (0..rows * columns).map(move |i| (i % columns, i / columns, stride))
    });
    let mut found = Vec::new();
    for (row, (cx, cy, stride)) in data.chunks_exact(VALUES).zip(grid) {
        let Some((class, best)) = row[5..].iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)) else { continue };
        let confidence = row[4] * best;
        if !confidence.is_finite() || confidence < threshold {
            continue;
        }
        #[expect(clippy::cast_precision_loss, reason = "at most a few hundred cells")]
        let (stride, cx, cy) = (stride as f32, cx as f32, cy as f32);
        let (x, y) = ((row[0] + cx) * stride, (row[1] + cy) * stride);
        // A wild exponent would overflow; a box wider than the picture is clamped anyway.
        let (w, h) = (row[2].min(10.0).exp() * stride / 2.0, row[3].min(10.0).exp() * stride / 2.0);
        let bbox = BBox::new((x - w) / size.0, (y - h) / size.1, (x + w) / size.0, (y + h) / size.1);
        if bbox.area() > 0.0 {
            found.push(Found { class, confidence: confidence.min(1.0), bbox });
        }
    }
    found
}

/// Keeps the surest box of each thing.
fn suppress(mut found: Vec<Found>, config: &DetectorConfig) -> Vec<Found> {
    found.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    let mut kept: Vec<Found> = Vec::new();
    for f in found {
        let covered = kept.iter().any(|k| {
            let limit = if k.class == f.class { config.overlap } else { OVERLAP_ACROSS };
            k.bbox.iou(&f.bbox) > limit
        });
        if !covered {
            kept.push(f);
        }
        if kept.len() >= config.most {
            break;
        }
    }
    kept
}

/// The 80 classes of COCO in the order of the model.
pub(super) const COCO: [&str; 80] = [
    "person",
    "bicycle",
    "car",
    "motorcycle",
    "airplane",
    "bus",
    "train",
    "truck",
    "boat",
    "traffic light",
    "fire hydrant",
    "stop sign",
    "parking meter",
    "bench",
    "bird",
    "cat",
    "dog",
    "horse",
    "sheep",
    "cow",
    "elephant",
    "bear",
    "zebra",
    "giraffe",
    "backpack",
    "umbrella",
    "handbag",
    "tie",
    "suitcase",
    "frisbee",
    "skis",
    "snowboard",
    "sports ball",
    "kite",
    "baseball bat",
    "baseball glove",
    "skateboard",
    "surfboard",
    "tennis racket",
    "bottle",
    "wine glass",
    "cup",
    "fork",
    "knife",
    "spoon",
    "bowl",
    "banana",
    "apple",
    "sandwich",
    "orange",
    "broccoli",
    "carrot",
    "hot dog",
    "pizza",
    "donut",
    "cake",
    "chair",
    "couch",
    "potted plant",
    "bed",
    "dining table",
    "toilet",
    "tv",
    "laptop",
    "mouse",
    "remote",
    "keyboard",
    "cell phone",
    "microwave",
    "oven",
    "toaster",
    "sink",
    "refrigerator",
    "book",
    "clock",
    "vase",
    "scissors",
    "teddy bear",
    "hair drier",
    "toothbrush",
];

/// Classes and boxes that an output of the net stands for, with the usual thresholds.
#[cfg(test)]
pub(super) fn classes_and_boxes(data: &[f32], pixels: &Pixels<'_>, side: usize) -> Vec<(usize, BBox)> {
    let (scale, config) = (scale(pixels, side), DetectorConfig::default());
    let size = (pixels.width() as f32 * scale, pixels.height() as f32 * scale);
    suppress(decode(data, (side, side), size, config.threshold), &config)
        .into_iter()
        .map(|f| (f.class, f.bbox))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{COCO, DetectorConfig, Found, VALUES, decode, suppress};
    use crate::base::BBox;

    #[test]
    fn a_cell_decodes_to_the_box_it_stands_for() {
        // Cell (3, 2) of the first map (stride 8) of a 64-pixel square that is filled to 64x48: a 16x8 box around (28, 20).
        let mut data = vec![0.0; (64 + 16 + 4) * VALUES];
        let row = &mut data[(2 * 8 + 3) * VALUES..][..VALUES];
        row[..5].copy_from_slice(&[0.5, 0.5, 2.0_f32.ln(), 1.0_f32.ln(), 0.9]);
        row[5 + 41] = 0.8;
        let found = decode(&data, (64, 64), (64.0, 48.0), 0.35);
        assert_eq!(found.len(), 1);
        assert_eq!(COCO[found[0].class], "cup");
        assert!((found[0].confidence - 0.72).abs() < 1e-5);
        let want = BBox::new(20.0 / 64.0, 16.0 / 48.0, 36.0 / 64.0, 24.0 / 48.0);
        assert!(found[0].bbox.iou(&want) > 0.99, "{:?}", found[0].bbox);
    }

    #[test]
    fn one_thing_is_told_once_and_neighbours_stay_apart() {
        let f = |class, confidence, x: f32| Found { class, confidence, bbox: BBox::new(x, 0.2, x + 0.2, 0.6) };
        let kept = suppress(
            vec![f(0, 0.6, 0.11), f(0, 0.9, 0.1), f(0, 0.5, 0.4), f(16, 0.7, 0.41)],
            &DetectorConfig::default(),
        );
        let told: Vec<(usize, f32)> = kept.iter().map(|k| (k.class, k.confidence)).collect();
        assert_eq!(told, [(0, 0.9), (16, 0.7)]);
    }

    #[test]
    fn wild_numbers_make_no_box_and_no_panic() {
        let data: Vec<f32> = (0..84 * VALUES).map(|i| [f32::NAN, f32::INFINITY, -1e30, 1e30, 0.9][i % 5]).collect();
        for f in decode(&data, (64, 64), (64.0, 64.0), 0.3) {
            assert!(f.confidence <= 1.0 && f.bbox.area() > 0.0);
        }
    }
}
