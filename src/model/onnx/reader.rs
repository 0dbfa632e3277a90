//! What text can be read: PP-OCR, detection and recognition.
//!
//! Floor 2. In: `RgbFrame`. Out: [`Sighting::Text`], at most [`ReaderConfig::lines`]. Loses: lines below the confidence.
//! Source: Du et al., "PP-OCR" (arXiv:2009.09941); Liao et al., "DB" (arXiv:1911.08947); preprocessing as in PaddleOCR's
//! `tools/infer/predict_{det,rec}.py`. Differs from it in: upright boxes only, no direction classifier, a line whose pixels did
//! not change is not recognised again, and a look recognises only a few new lines (the rest follow on later looks). The finder's net is computed on our own
//! kernels (`convnet`), the recogniser's in rten.

mod boxes;
mod lines;

use std::path::Path;

use boxes::find_boxes;
use lines::{Alphabet, Patch, plausible};

use super::graph::{Graph, OnnxError, Threads, load_net};
use crate::base::{BBox, Brake, RgbFrame};
use crate::model::convnet::Net;
use crate::model::resize::{Part, resample};
use crate::watch::{OCR, Perceive, PerceiveError, Pixels, Region, Sighting, pixels_for};

/// How much is read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReaderConfig {
    /// The longer side of the picture for finding text, in pixels, a multiple of 32. Default 512: lines of 15 px in a
    /// 640-wide frame are found; smaller is faster and finds only larger text.
    pub side: usize,
    /// Most lines told. Default 8.
    pub lines: usize,
    /// Most new lines recognised in one look, largest first. Default 4.
    pub fresh: usize,
    /// Least confidence of a line. Default 0.7: long lines between 0.6 and 0.7 were garbled more often than not.
    pub confidence: f32,
}

impl Default for ReaderConfig {
    fn default() -> Self {
        Self { side: 512, lines: 8, fresh: 4, confidence: 0.7 }
    }
}

/// Height of a line for the recogniser.
const LINE_HEIGHT: usize = 48;
/// Widest line for the recogniser; longer ones are squeezed.
const LINE_WIDEST: usize = 960;
/// Lines remembered as read, at most.
const MOST_KNOWN: usize = 24;

/// A line that was recognised, or found to be none.
#[derive(Debug, Clone)]
struct Known {
    bbox: BBox,
    patch: Patch,
    text: String,
    confidence: f32,
    age: u32,
}

/// PP-OCR (v3, v4 mobile).
pub struct Reader {
    finder: Net,
    recogniser: Graph,
    alphabet: Alphabet,
    config: ReaderConfig,
    known: Vec<Known>,
    /// Ends a look between two runs of a graph; the finder's between two of its layers.
    brake: Brake,
}

impl Reader {
    /// Loads the finder (`ppocr/det.onnx`) and the recogniser (`ppocr/rec.onnx`, its alphabet stands in the file).
    ///
    /// # Errors
    /// [`OnnxError`] when a file is missing, damaged or another model.
    pub fn load(det: &Path, rec: &Path, config: ReaderConfig, threads: &Threads) -> Result<Self, OnnxError> {
        let finder = load_net(det, OCR, threads)?;
        let (colours, maps) = (finder.channels(), finder.channels_out());
        if (colours, maps, finder.size()) != (3, 1, None) {
            let reason = format!("expected a picture of 3 colours and any size, and one map, got {colours} and {maps}");
            return Err(OnnxError::Other { path: det.into(), expert: OCR, reason });
        }
        let recogniser = Graph::load(rec, OCR, &[], threads)?;
        let alphabet = Alphabet::parse(recogniser.metadata("character").unwrap_or_default())
            .ok_or_else(|| recogniser.other(OCR, "it carries no list of characters".into()))?;
        let config = ReaderConfig { side: config.side.clamp(64, 1280) / 32 * 32, ..config };
        Ok(Self { finder, recogniser, alphabet, config, known: Vec::new(), brake: Brake::default() })
    }

    fn look(&mut self, pixels: &Pixels<'_>) -> Result<Vec<Sighting>, PerceiveError> {
        if !lines::has_strokes(pixels, (0, 0, pixels.width(), pixels.height())) {
            self.known.clear();
            return Ok(Vec::new());
        }
        let size = fit(pixels.width(), pixels.height(), self.config.side);
        let boxes = self.find(pixels, Part::whole(pixels), size).map_err(failed)?.ok_or(PerceiveError::BrokenOff)?;
        self.read(pixels, boxes, None)
    }

    /// What stands in a part of the picture; nothing where a line goes on beyond it.
    fn look_at(
        &mut self,
        pixels: &Pixels<'_>,
        region: &Region,
        seen: &[Sighting],
    ) -> Result<Option<Vec<Sighting>>, PerceiveError> {
        let area = pixels.area(&region.bbox());
        if !lines::has_strokes(pixels, area) {
            return Ok(Some(Vec::new()));
        }
        let (x0, y0, x1, y1) = area;
        let size = fit_part(x1 - x0, y1 - y0, self.config.side);
        let found = self.find(pixels, Part::between(x0, y0, x1, y1), size).map_err(failed)?;
        let mut boxes = Vec::new();
        for bbox in found.ok_or(PerceiveError::BrokenOff)?.iter().map(|b| region.outward(b)) {
            if region.belongs(None, &bbox, seen) {
                continue;
            }
            if !region.cuts(&bbox) {
                boxes.push(bbox);
            } else if region.asks(&bbox) && !self.goes_on(pixels, region, &bbox).map_err(failed)? {
                return Ok(None);
            }
        }
        self.read(pixels, boxes, Some(region)).map(Some)
    }

    /// Whether a box is a part of a line that was read, or found to be none, before, and still is as it was.
    fn goes_on(&self, pixels: &Pixels<'_>, region: &Region, bbox: &BBox) -> Result<bool, String> {
        for k in self.known.iter().filter(|k| region.is_part_of(&k.bbox, bbox)) {
            if Patch::of(pixels, part(pixels, &k.bbox))?.like(&k.patch) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reads what stands in boxes, which are all that there are in a part of the picture or in all of it.
    fn read(
        &mut self,
        pixels: &Pixels<'_>,
        mut boxes: Vec<BBox>,
        region: Option<&Region>,
    ) -> Result<Vec<Sighting>, PerceiveError> {
        // Larger text first: it matters more and is read better.
        boxes.sort_by(|a, b| b.height().total_cmp(&a.height()));
        boxes.truncate(2 * self.config.lines);
        let mut fresh = 0;
        let mut now: Vec<Known> = Vec::new();
        for bbox in boxes {
            // One line at least, or it might never be done. What was read so far need not be read again.
            if fresh > 0 && self.brake.is_pulled() {
                self.known.extend(now.into_iter().take(MOST_KNOWN.saturating_sub(self.known.len())));
                return Err(PerceiveError::BrokenOff);
            }
            let patch = Patch::of(pixels, part(pixels, &bbox)).map_err(failed)?;
            let old = self.known.iter().find(|k| k.bbox.iou(&bbox) > 0.6 && k.patch.like(&patch));
            if let Some(old) = old {
                now.push(Known { bbox, age: 0, ..old.clone() });
            } else if fresh < self.config.fresh {
                fresh += 1;
                let (text, confidence) = self.recognise(pixels, &bbox).map_err(failed)?;
                now.push(Known { bbox, patch, text, confidence, age: 0 });
            }
        }
        let told = now.iter().filter(|k| k.confidence >= self.config.confidence && plausible(&k.text, k.confidence));
        let out: Vec<Sighting> = told
            .take(self.config.lines)
            .map(|k| Sighting::Text { text: k.text.clone(), confidence: k.confidence, bbox: k.bbox })
            .collect();
        self.remember(now, region);
        Ok(out)
    }

    /// Keeps what was read now, and for a few looks what was read before: the finder misses a line now and then, and does not look at those outside a part.
    fn remember(&mut self, now: Vec<Known>, region: Option<&Region>) {
        let old = std::mem::take(&mut self.known);
        self.known = now;
        for k in old {
            let replaced = self.known.iter().any(|n| n.bbox.iou(&k.bbox) > 0.6);
            if k.age < 3 && !replaced && self.known.len() < MOST_KNOWN {
                let missed = region.is_none_or(|r| r.holds(&k.bbox));
                self.known.push(Known { age: k.age + u32::from(missed), ..k });
            }
        }
    }

    /// Where text stands in a part of the picture, scaled to a size, in fractions of that part; nothing where it was broken off.
    fn find(&mut self, pixels: &Pixels<'_>, part: Part, (w, h): (usize, usize)) -> Result<Option<Vec<BBox>>, String> {
        let small = resample(pixels, part, narrow(w)?, narrow(h)?)?;
        let Some(seen) = self.finder.run((h, w), |picture| interleaved(&small, picture))? else { return Ok(None) };
        if seen.size != (h, w) {
            return Err(format!("expected a map of {h} by {w}, got {:?}", seen.size));
        }
        Ok(Some(find_boxes(seen.data, w, h)))
    }

    /// What was found need not be kept for a look that is over.
    fn done_with<T>(&mut self, seen: Result<T, PerceiveError>) -> Result<T, PerceiveError> {
        if !matches!(seen, Err(PerceiveError::BrokenOff)) {
            self.finder.forget();
        }
        seen
    }

    /// The text of one box and how sure it is.
    fn recognise(&mut self, pixels: &Pixels<'_>, bbox: &BBox) -> Result<(String, f32), String> {
        let part = part(pixels, bbox);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive and clamped")]
        #[expect(clippy::cast_precision_loss, reason = "a small constant")]
        let w = ((part.w / part.h * LINE_HEIGHT as f64).round() as usize).clamp(16, LINE_WIDEST);
        // Blank on the right up to a multiple of 32: few distinct shapes, and the net has seen padded lines.
        let padded = w.next_multiple_of(32).max(96);
        let small = resample(pixels, part, narrow(w)?, narrow(LINE_HEIGHT)?)?;
        let input = planar(&small, w, LINE_HEIGHT, padded);
        let mut outputs = self.recogniser.run([1, 3, LINE_HEIGHT, padded], input)?;
        let output = outputs.pop().ok_or("no output")?;
        match output.shape.as_slice() {
            [1, _, n] if *n == self.alphabet.len() => Ok(self.alphabet.decode(&output.data)),
            shape => Err(format!("expected scores (1, steps, {}), got {shape:?}", self.alphabet.len())),
        }
    }
}

impl Perceive for Reader {
    fn name(&self) -> &'static str {
        OCR
    }

    fn perceive(&mut self, frame: &RgbFrame, _seen: &[Sighting]) -> Result<Vec<Sighting>, PerceiveError> {
        let seen = self.look(&pixels_for(OCR, frame)?);
        self.done_with(seen)
    }

    fn perceive_part(
        &mut self,
        frame: &RgbFrame,
        region: &Region,
        seen: &[Sighting],
    ) -> Result<Option<Vec<Sighting>>, PerceiveError> {
        let seen = self.look_at(&pixels_for(OCR, frame)?, region, seen);
        self.done_with(seen)
    }

    fn obey(&mut self, brake: Brake) {
        self.finder.brake = brake.clone();
        self.brake = brake;
    }
}

const fn failed(reason: String) -> PerceiveError {
    PerceiveError::Model { expert: OCR, reason }
}

fn narrow(v: usize) -> Result<u32, String> {
    u32::try_from(v).map_err(|e| e.to_string())
}

fn part(pixels: &Pixels<'_>, bbox: &BBox) -> Part {
    let whole = Part::whole(pixels);
    let (x, y) = (f64::from(bbox.x0) * whole.w, f64::from(bbox.y0) * whole.h);
    let (w, h) = (f64::from(bbox.width()) * whole.w, f64::from(bbox.height()) * whole.h);
    Part { x, y, w: w.max(1.0), h: h.max(1.0) }
}

/// The size for finding: the longer side at most `side`, never enlarged beyond it, both multiples of 32.
fn fit(width: usize, height: usize, side: usize) -> (usize, usize) {
    scaled((width, height), side, side)
}

/// The size for finding in a part of a picture: pixel for pixel where its longer side is at most `side`, both multiples of 32.
fn fit_part(width: usize, height: usize, side: usize) -> (usize, usize) {
    scaled((width, height), side.min(width.max(height)), side)
}

/// Both sides with the longer one scaled to `to`, as multiples of 32, at most `side`.
fn scaled((width, height): (usize, usize), to: usize, side: usize) -> (usize, usize) {
    let longest = width.max(height).max(1);
    let scale = |v: usize| (v * to / longest).next_multiple_of(32).clamp(32, side);
    (scale(width), scale(height))
}

/// A byte in `-1.0..=1.0`.
fn real(byte: u8) -> f32 {
    f32::from(byte) / 127.5 - 1.0
}

/// RGB bytes as BGR in `-1.0..=1.0`.
fn interleaved(rgb: &[u8], out: &mut [f32]) {
    for (to, p) in out.as_chunks_mut::<3>().0.iter_mut().zip(rgb.as_chunks::<3>().0) {
        *to = [p[2], p[1], p[0]].map(real);
    }
}

/// RGB bytes as planar BGR in `-1.0..=1.0`, each row padded with zeros to `padded`.
fn planar(rgb: &[u8], w: usize, h: usize, padded: usize) -> Vec<f32> {
    let mut out = vec![0.0; 3 * h * padded];
    for (y, row) in rgb.chunks_exact(w * 3).enumerate() {
        for (x, p) in row.chunks_exact(3).enumerate() {
            for (c, v) in p.iter().rev().enumerate() {
                out[(c * h + y) * padded + x] = real(*v);
            }
        }
    }
    out
}

#[cfg(test)]
impl Reader {
    /// Reads the largest of what stands in boxes, as if nothing had been read before.
    pub(super) fn read_anew(&mut self, pixels: &Pixels<'_>, boxes: Vec<BBox>) -> Result<Vec<Sighting>, PerceiveError> {
        self.known.clear();
        self.read(pixels, boxes, None)
    }
}

/// What the finder takes for a picture, and its rows and columns.
#[cfg(test)]
pub(super) fn finder_input(pixels: &Pixels<'_>, side: usize) -> ((usize, usize), Vec<f32>) {
    let (w, h) = fit(pixels.width(), pixels.height(), side);
    let small = resample(pixels, Part::whole(pixels), w as u32, h as u32).unwrap_or_default();
    let mut input = vec![0.0; w * h * 3];
    interleaved(&small, &mut input);
    ((h, w), input)
}

/// Boxes of a map of so many rows and columns.
#[cfg(test)]
pub(super) fn boxes_of(map: &[f32], (h, w): (usize, usize)) -> Vec<BBox> {
    find_boxes(map, w, h)
}

#[cfg(test)]
mod tests {
    use super::{fit, fit_part, planar};

    #[test]
    fn sizes_for_finding_are_multiples_of_32_and_bounded() {
        assert_eq!(fit(640, 480, 640), (640, 480));
        assert_eq!(fit(1920, 1080, 640), (640, 384));
        assert_eq!((fit(1, 1, 640), fit(4096, 1, 640), fit(1, 4096, 640)), ((640, 640), (640, 32), (32, 640)));
        assert_eq!(
            (fit_part(240, 170, 512), fit_part(1024, 512, 512), fit_part(1, 1, 512)),
            ((256, 192), (512, 256), (32, 32))
        );
    }

    #[test]
    fn planes_are_bgr_and_padded_with_zero() {
        let got = planar(&[255, 0, 127, 0, 255, 0], 2, 1, 3);
        assert!((got[0] + 0.003_921_6).abs() < 1e-4, "{got:?}");
        assert_eq!(&got[1..], &[-1.0, 0.0, -1.0, 1.0, 0.0, 1.0, -1.0, 0.0]);
    }
}
