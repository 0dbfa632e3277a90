//! Looks at a part of a picture, beside looks at all of it, with the published nets.

use super::weights::{page, weights};
use super::*;
use crate::base::MediaTime;
use crate::watch::region::{Region, Regions, Sight};
use crate::watch::testing::at;
use crate::watch::{Look, Picture, Scene, SceneConfig};

/// Parts of the picture of the page, in its pixels: a sign, a question.
const SIGN: Part = Part { x: 153.0, y: 647.0, w: 120.0, h: 52.0 };
const QUESTION: Part = Part { x: 1042.0, y: 290.0, w: 198.0, h: 34.0 };

/// A room in which nothing can be named or read.
fn room() -> RgbFrame {
    frame(640, 480, |x, y| {
        let v = 120.0 + 40.0 * (x as f32 * 0.008).sin() + 20.0 * (y as f32 * 0.011).cos();
        [v as u8, (v * 0.93) as u8, (v * 0.82) as u8]
    })
}

/// A part of `from` laid over `on`, `w` by `h` pixels from there on.
fn lay(on: &RgbFrame, from: &RgbFrame, part: Part, (left, top, w, h): (u32, u32, u32, u32)) -> RgbFrame {
    let small = resample(&Pixels::of(from).unwrap(), part, w, h).unwrap();
    let (mut data, row) = (on.data.to_vec(), w as usize * 3);
    for (y, line) in small.chunks_exact(row).enumerate() {
        let start = ((top as usize + y) * on.width as usize + left as usize) * 3;
        data[start..start + row].copy_from_slice(line);
    }
    RgbFrame { data: data.into(), ..on.clone() }
}

fn sight(frame: &RgbFrame) -> Sight {
    Sight::of(&Picture::of(frame.clone()), &[]).unwrap()
}

/// What the gate takes of `now` after a look at all of `before`.
fn region(before: &RgbFrame, now: &RgbFrame, known: &[BBox]) -> Option<Region> {
    let mut gate = Regions::new(0.03, Duration::from_secs(5));
    gate.looked(sight(before), None);
    gate.choose(&sight(now), known)
}

fn box_of((x, y, w, h): (u32, u32, u32, u32)) -> BBox {
    let [x, y, w, h] = [x, y, w, h].map(|v| v as f32);
    BBox::new(x / 640.0, y / 480.0, (x + w) / 640.0, (y + h) / 480.0)
}

fn detector() -> Option<Detector> {
    let path = weights("yolox-nano/model.onnx")?;
    Some(Detector::load(&path, DetectorConfig::default(), &Threads::new(1)).unwrap())
}

fn reader(config: ReaderConfig) -> Option<Reader> {
    let (det, rec) = (weights("ppocr/det.onnx")?, weights("ppocr/rec.onnx")?);
    Some(Reader::load(&det, &rec, config, &Threads::new(1)).unwrap())
}

/// The surest box with a name, if it lies over `place`.
fn found(said: &[Sighting], name: &str, place: &BBox) -> bool {
    said.iter().any(|s| matches!(s, Sighting::Object { label, bbox, .. } if label == name && bbox.iou(place) > 0.3))
}

#[test]
fn a_small_thing_brought_into_a_still_picture_is_found_on_the_part_where_it_stands() {
    let Some(mut detector) = detector() else { return };
    let now = page();
    // The photograph on the page was not there before.
    let (x, y, w, h) = (210, 74, 322, 232);
    let (bw, bh) = (now.width as f32, now.height as f32);
    let before = lay(&now, &room(), Part { x: 0.0, y: 0.0, w: 640.0, h: 480.0 }, (x, y, w, h));
    let region = region(&before, &now, &[]).expect("a small change");
    let photograph = BBox::new(x as f32 / bw, y as f32 / bh, (x + w) as f32 / bw, (y + h) as f32 / bh);
    assert!(region.holds(&photograph) && region.bbox().area() < 0.3, "{region:?}");
    let cup = BBox::new(295.0 / bw, 97.0 / bh, 436.0 / bw, 239.0 / bh);
    let at_whole = detector.perceive(&now, &[]).unwrap();
    let at_part = detector.perceive_part(&now, &region, &[]).unwrap();
    println!("{region:?}: at all of it {at_whole:?}, at the part {at_part:?}");
    let at_part = at_part.expect("nothing is cut");
    assert!(found(&at_part, "cup", &cup), "where the page says that it is");
    assert!(!found(&at_whole, "cup", &cup), "in the picture as a whole it is too small");
    let outside = |s: &Sighting| matches!(s, Sighting::Object { bbox, .. } if !region.holds(bbox));
    assert!(!at_part.iter().any(outside), "{at_part:?}");
}

#[test]
fn new_words_are_read_in_the_part_and_those_outside_stay() {
    let Some(mut reader) = reader(ReaderConfig::default()) else { return };
    let page = page();
    let before = lay(&room(), &page, SIGN, (30, 30, 120, 52));
    let now = at(lay(&before, &page, QUESTION, (380, 400, 200, 34)), 500);
    let mut scene = Scene::new(SceneConfig::default());
    scene.observe(&before, &[Look::whole(OCR, reader.perceive(&before, &[]).unwrap())]);
    let words = |scene: &Scene| scene.facts().texts.iter().map(|t| t.text.to_uppercase()).collect::<Vec<_>>();
    assert_eq!(words(&scene), ["EXIT"]);
    let known: Vec<BBox> = scene.facts().texts.iter().map(|t| t.bbox).collect();
    let region = region(&before, &now, &known).expect("a small change");
    let outside = region.outside(scene.facts());
    let said = reader.perceive_part(&now, &region, &outside).unwrap().expect("nothing is cut");
    println!("{said:?}");
    assert_eq!(said.len(), 1);
    for i in 0..4 {
        let look = Look { expert: OCR, sightings: said.clone(), region: Some(region) };
        scene.observe(&at(now.clone(), 500 + i * 500), &[look]);
    }
    assert_eq!(words(&scene)[0], "EXIT");
    assert!(words(&scene)[1].contains("SIGN"), "{:?}", words(&scene));
    // A line that goes on beyond a part makes the reader ask for the whole, unless it is known that it does.
    let across = Region::of(BBox::new(0.0, 0.0, 0.15, 0.4), BBox::FULL).unwrap();
    let mut fresh = self::reader(ReaderConfig::default()).unwrap();
    assert_eq!(fresh.perceive_part(&now, &across, &[]).unwrap(), None);
    assert_eq!(fresh.perceive_part(&now, &across, &across.outside(scene.facts())).unwrap(), Some(vec![]));
    assert_eq!(reader.perceive_part(&now, &across, &[]).unwrap(), Some(vec![]), "it has read that line before");
    assert!(scene.facts().at > MediaTime::ZERO);
}

/// A photograph that fills a frame of 640×480.
fn photograph(file: &Path) -> RgbFrame {
    let picture = decode_image(&std::fs::read(file).unwrap(), &PictureLimits::default()).unwrap();
    let (w, h) = (f64::from(picture.width), f64::from(picture.height));
    let scale = (640.0 / w).max(480.0 / h);
    let (pw, ph) = (640.0 / scale, 480.0 / scale);
    let part = Part { x: (w - pw) / 2.0, y: (h - ph) / 2.0, w: pw, h: ph };
    let data = resample(&Pixels::of(&picture).unwrap(), part, 640, 480).unwrap();
    RgbFrame { data: data.into(), width: 640, height: 480, ..picture }
}

/// Sums over pictures in which something small was laid.
#[derive(Default)]
struct Sum {
    of: usize,
    found: usize,
    ghosts: usize,
    ms: Vec<f64>,
}

impl Sum {
    fn line(&mut self) -> String {
        self.ms.sort_by(f64::total_cmp);
        let median = self.ms.get(self.ms.len() / 2).copied().unwrap_or(0.0);
        format!("found {} of {}, ghosts {}, median {median:.1} ms", self.found, self.of, self.ghosts)
    }
}

fn timed<T>(clock: &SystemClock, sum: &mut Sum, look: impl FnOnce() -> T) -> T {
    let begun = clock.now();
    let seen = look();
    sum.ms.push(clock.now().since(begun).as_secs_f64() * 1e3);
    seen
}

/// Things cut out of photographs of scenes (`SIGHTLINE_DATA/scenes`) and laid small into the next scene; the detector looks at all of it, and at the part, enlarged or not.
#[test]
#[ignore = "measures; needs SIGHTLINE_DATA"]
fn table_of_things_in_parts() {
    let (Some(mut detector), Some(data)) = (detector(), std::env::var_os("SIGHTLINE_DATA")) else { return };
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(Path::new(&data).join("scenes")).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "jpg"));
    files.sort();
    let zooms = [0.65, 1.0, 1.3, 1.6];
    let path = weights("yolox-nano/model.onnx").unwrap();
    let load = |largest| {
        Detector::load(&path, DetectorConfig { largest, ..DetectorConfig::default() }, &Threads::new(1)).unwrap()
    };
    let mut zoomed: Vec<Detector> = zooms.iter().map(|z| load(*z)).collect();
    let clock = SystemClock::start();
    for length in [40_u32, 60, 80, 110] {
        let (mut whole, mut parts): (Sum, Vec<Sum>) = (Sum::default(), zooms.iter().map(|_| Sum::default()).collect());
        let (mut unable, mut whole_only) = (0, 0);
        for (i, pair) in files.windows(2).enumerate() {
            let (from, on) = (photograph(&pair[0]), photograph(&pair[1]));
            let here = detector.perceive(&on, &[]).unwrap();
            let known: Vec<BBox> = here
                .iter()
                .filter_map(|s| match s {
                    Sighting::Object { bbox, .. } => Some(*bbox),
                    _ => None,
                })
                .collect();
            let thing = detector.perceive(&from, &[]).unwrap().into_iter().find_map(|s| match s {
                Sighting::Object { label, confidence, bbox }
                    if confidence > 0.6 && (0.03..0.5).contains(&bbox.area()) =>
                {
                    Some((label, bbox))
                }
                _ => None,
            });
            let Some((label, b)) = thing else { continue };
            let cut = Part {
                x: f64::from(b.x0) * 640.0,
                y: f64::from(b.y0) * 480.0,
                w: f64::from(b.width()) * 640.0,
                h: f64::from(b.height()) * 480.0,
            };
            let scale = f64::from(length) / cut.w.max(cut.h);
            let (w, h) = (((cut.w * scale) as u32).max(8), ((cut.h * scale) as u32).max(8));
            let spot = |seed: u64, most: u32| ((number(seed, i) + 1.0) / 2.0 * most as f32) as u32;
            let place = (spot(3, 640 - w), spot(4, 480 - h), w, h);
            let now = lay(&on, &from, cut, place);
            let Some(region) = region(&on, &now, &known) else {
                whole_only += 1;
                continue;
            };
            let outside: Vec<Sighting> = here
                .iter()
                .filter(|s| matches!(s, Sighting::Object { bbox, .. } if !region.holds(bbox)))
                .cloned()
                .collect();
            let place = box_of(place);
            // What is neither the thing nor something that was there before.
            let ghosts = |said: &[Sighting]| {
                said.iter()
                    .filter(|s| match s {
                        Sighting::Object { bbox, .. } => {
                            bbox.iou(&place) <= 0.3 && known.iter().all(|k| k.iou(bbox) <= 0.3)
                        }
                        _ => false,
                    })
                    .count()
            };
            let said = timed(&clock, &mut whole, || detector.perceive(&now, &[]).unwrap());
            (whole.of, whole.found, whole.ghosts) =
                (whole.of + 1, whole.found + usize::from(found(&said, &label, &place)), whole.ghosts + ghosts(&said));
            for (zoomed, sum) in zoomed.iter_mut().zip(&mut parts) {
                let said = timed(&clock, sum, || zoomed.perceive_part(&now, &region, &outside).unwrap());
                let said = said.unwrap_or_else(|| {
                    unable += 1;
                    detector.perceive(&now, &[]).unwrap()
                });
                (sum.of, sum.found, sum.ghosts) =
                    (sum.of + 1, sum.found + usize::from(found(&said, &label, &place)), sum.ghosts + ghosts(&said));
            }
        }
        println!("things of {length} px: all of it {}; no part {whole_only}, did not do {unable}", whole.line());
        for (zoom, sum) in zooms.iter().zip(&mut parts) {
            println!("  part, at most {zoom}: {}", sum.line());
        }
    }
}

/// A question of the page laid small into photographs of scenes: the reader looks at all of it, and at the part.
#[test]
#[ignore = "measures; needs SIGHTLINE_DATA"]
fn table_of_words_in_parts() {
    let config = ReaderConfig { fresh: 64, ..ReaderConfig::default() };
    let (Some(mut reader), Some(data)) = (reader(config), std::env::var_os("SIGHTLINE_DATA")) else { return };
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(Path::new(&data).join("scenes")).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "jpg"));
    files.sort();
    files.truncate(60);
    let (clock, page) = (SystemClock::start(), page());
    for height in [14_u32, 18, 24, 34] {
        let (mut whole, mut part, mut unable, mut whole_only) = (Sum::default(), Sum::default(), 0, 0);
        for (i, file) in files.iter().enumerate() {
            let on = photograph(file);
            let width = height * 198 / 34;
            let spot = |seed: u64, most: u32| ((number(seed, i) + 1.0) / 2.0 * most as f32) as u32;
            let place = (spot(5, 640 - width), spot(6, 480 - height), width, height);
            let now = lay(&on, &page, QUESTION, place);
            let here = reader.perceive(&on, &[]).unwrap();
            let known: Vec<BBox> = here
                .iter()
                .filter_map(|s| match s {
                    Sighting::Text { bbox, .. } => Some(*bbox),
                    _ => None,
                })
                .collect();
            let Some(region) = region(&on, &now, &known) else {
                whole_only += 1;
                continue;
            };
            let outside: Vec<Sighting> = here
                .iter()
                .filter(|s| matches!(s, Sighting::Text { bbox, .. } if !region.holds(bbox)))
                .cloned()
                .collect();
            let is = |said: &[Sighting]| {
                said.iter().any(|s| matches!(s, Sighting::Text { text, .. } if crate::watch::likeness(text, "What did the sign say?") > 0.8))
            };
            // What stands there was read before, as in a session: in turn, each from what was read of the picture before.
            let said = timed(&clock, &mut part, || reader.perceive_part(&now, &region, &outside).unwrap());
            let said = said.unwrap_or_else(|| {
                unable += 1;
                reader.perceive(&now, &[]).unwrap()
            });
            (part.of, part.found) = (part.of + 1, part.found + usize::from(is(&said)));
            reader.perceive(&flat_grey(), &[]).unwrap();
            reader.perceive(&on, &[]).unwrap();
            let said = timed(&clock, &mut whole, || reader.perceive(&now, &[]).unwrap());
            (whole.of, whole.found) = (whole.of + 1, whole.found + usize::from(is(&said)));
        }
        println!(
            "a line of {height} px: all of it {}; part {}; no part {whole_only}, did not do {unable}",
            whole.line(),
            part.line()
        );
    }
}

/// A picture that makes the reader forget what it read.
fn flat_grey() -> RgbFrame {
    frame(64, 48, |_, _| [90; 3])
}
