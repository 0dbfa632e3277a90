//! The published nets.

use super::*;
use crate::model::testing::cosine;

/// The folder of the weights, if `file` is there.
pub(super) fn weights(file: &str) -> Option<PathBuf> {
    let dir = std::env::var_os("SIGHTLINE_MODELS").map_or_else(|| PathBuf::from("models"), PathBuf::from);
    let path = dir.join(file);
    if !path.exists() {
        println!("skipped: there is no {} (set SIGHTLINE_MODELS)", path.display());
        return None;
    }
    Some(path)
}

/// A net on our kernels and the same in rten.
struct Pair {
    net: Net,
    graph: Graph,
}

impl Pair {
    fn load(path: &Path, expert: &'static str) -> Self {
        let threads = Threads::new(1);
        Self {
            net: load_net(path, expert, &threads).unwrap(),
            graph: Graph::load(path, expert, &[], &threads).unwrap(),
        }
    }
}

/// Rings of changing colour: something for every layer.
fn rings() -> RgbFrame {
    let wave = |x: f32, y: f32, by: f32| (127.0 + 120.0 * (x.hypot(y) / by).sin()) as u8;
    frame(640, 480, |x, y| [6.0, 7.0, 8.0].map(|by| wave(x as f32 - 200.0, y as f32 - 250.0, by)))
}

/// The picture of the page in `docs`: words, and somebody's living room.
pub(super) fn page() -> RgbFrame {
    let file = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/screenshot.png")).unwrap();
    decode_image(&file, &PictureLimits::default()).unwrap()
}

fn yolox_input(pixels: &Pixels<'_>, side: usize) -> Vec<f32> {
    let (w, h) = sides(pixels, side);
    let small = resample(pixels, Part::whole(pixels), w as u32, h as u32).unwrap();
    let mut square = vec![0.0; side * side * 3];
    letterbox(&small, w, side, &mut square);
    square
}

#[test]
fn the_detectors_net_says_in_8_bits_what_f32_says() {
    let Some(path) = weights("yolox-nano/model.onnx") else { return };
    let mut pair = Pair::load(&path, DETECTOR);
    for (name, frame) in [("rings", rings()), ("page", page())] {
        let pixels = Pixels::of(&frame).unwrap();
        let input = yolox_input(&pixels, 416);
        let wanted = oracle(&pair.graph, (416, 416), &input);
        let levels = Level::all();
        for level in levels.iter().filter(|l| levels.len() == 1 || **l != Level::scalar()) {
            let seen = pair.net.run_at(*level, (416, 416), |to| to.copy_from_slice(&input)).unwrap().unwrap();
            let alike = cosine(seen.data, &wanted);
            println!("{name}, {}: cosine {alike}", level.name());
            assert!(alike > 0.99, "{name}, {}: {alike}", level.name());
        }
    }
}

#[test]
fn the_finders_net_says_in_8_bits_what_f32_says() {
    let Some(path) = weights("ppocr/det.onnx") else { return };
    let mut pair = Pair::load(&path, OCR);
    for (name, frame) in [("rings", rings()), ("page", page())] {
        let pixels = Pixels::of(&frame).unwrap();
        let (size, input) = crate::model::onnx::reader::finder_input(&pixels, 512);
        let wanted = oracle(&pair.graph, size, &input);
        let levels = Level::all();
        for level in levels.iter().filter(|l| levels.len() == 1 || **l != Level::scalar()) {
            let seen = pair.net.run_at(*level, size, |to| to.copy_from_slice(&input)).unwrap().unwrap();
            let off =
                seen.data.iter().zip(&wanted).map(|(a, b)| f64::from((a - b).abs())).sum::<f64>() / wanted.len() as f64;
            println!("{name}, {}: off by {off} on average, cosine {}", level.name(), cosine(seen.data, &wanted));
            assert!(off < 0.02, "{name}, {}: {off}", level.name());
        }
    }
}

#[test]
fn looks_are_broken_off_and_go_on_where_they_were() {
    let (Some(path), Some(det), Some(rec)) =
        (weights("yolox-nano/model.onnx"), weights("ppocr/det.onnx"), weights("ppocr/rec.onnx"))
    else {
        return;
    };
    let threads = Threads::new(1);
    let detector = Detector::load(&path, DetectorConfig::default(), &threads).unwrap();
    // All lines at once: else each look reads more of them.
    let config = ReaderConfig { fresh: 64, ..ReaderConfig::default() };
    let reader = Reader::load(&det, &rec, config, &threads).unwrap();
    let experts: [Box<dyn Perceive>; 2] = [Box::new(detector), Box::new(reader)];
    let frame = page();
    for mut expert in experts {
        let whole = expert.perceive(&frame, &[]).unwrap();
        println!("{}: {} things", expert.name(), whole.len());
        let brake = Brake::default();
        expert.obey(brake.clone());
        let mut times = 0;
        let seen = loop {
            let broken = brake.armed(6, || {
                brake.pull(1);
                expert.perceive(&frame, &[])
            });
            match broken {
                Err(PerceiveError::BrokenOff) => times += 1,
                seen => break seen.unwrap(),
            }
        };
        // Lines that were read are read from one look to the next, too.
        assert!(seen == whole && times > 10, "{}: {times}", expert.name());
        brake.taken(1);
        assert_eq!(expert.perceive(&frame, &[]).unwrap(), whole, "{}", expert.name());
    }
}

/// How many of one list are found in the other, and how well they lie over each other.
#[derive(Debug, Default, Clone, Copy)]
struct Agreement {
    f32: usize,
    ours: usize,
    both: usize,
    /// Of those, over 0.9.
    close: usize,
}

impl Agreement {
    fn add(&mut self, f32: &[(usize, BBox)], ours: &[(usize, BBox)]) {
        let mut left: Vec<_> = ours.to_vec();
        (self.f32, self.ours) = (self.f32 + f32.len(), self.ours + ours.len());
        for (class, bbox) in f32 {
            let best = (0..left.len())
                .filter(|i| left[*i].0 == *class)
                .max_by(|a, b| left[*a].1.iou(bbox).total_cmp(&left[*b].1.iou(bbox)));
            if let Some(best) = best.filter(|i| left[*i].1.iou(bbox) > 0.5) {
                self.both += 1;
                self.close += usize::from(left.swap_remove(best).1.iou(bbox) > 0.9);
            }
        }
    }

    fn line(&self) -> String {
        let f1 = 2.0 * self.both as f64 / (self.f32 + self.ours).max(1) as f64;
        format!("f32 {} ours {} both {} (over 0.9: {}) F1 {f1:.4}", self.f32, self.ours, self.both, self.close)
    }
}

/// Milliseconds of each, in turn.
#[derive(Default)]
struct Times([Vec<Duration>; 2]);

impl Times {
    fn line(&mut self) -> String {
        let [f32, ours] = self.0.each_mut().map(|t| {
            t.sort();
            t[t.len() / 2].as_secs_f64() * 1e3
        });
        format!("median f32 {f32:.1} ms, ours {ours:.1} ms, {:.2} times as fast", f32 / ours)
    }
}

/// Pictures of `SIGHTLINE_DATA`: `SIGHTLINE_N` of each folder, default 75.
fn pictures() -> Vec<(PathBuf, RgbFrame)> {
    let Some(data) = std::env::var_os("SIGHTLINE_DATA") else {
        println!("skipped: no pictures (set SIGHTLINE_DATA)");
        return Vec::new();
    };
    let most = std::env::var("SIGHTLINE_N").ok().and_then(|n| n.parse().ok()).unwrap_or(75);
    let mut files = Vec::new();
    for folder in ["pictures", "scenes"] {
        let entries = std::fs::read_dir(Path::new(&data).join(folder)).into_iter().flatten().map(|e| e.unwrap().path());
        let mut some: Vec<PathBuf> =
            entries.filter(|p| p.extension().is_some_and(|e| e == "jpg" || e == "jpeg")).collect();
        some.sort_by_key(|p| {
            p.to_string_lossy().bytes().fold(7_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3))
        });
        files.extend(some.into_iter().take(most));
    }
    let read = |p: PathBuf| Some((p.clone(), decode_image(&std::fs::read(p).ok()?, &PictureLimits::default()).ok()?));
    files.into_iter().filter_map(read).collect()
}

/// What is read in some boxes.
fn read(reader: &mut Reader, pixels: &Pixels<'_>, boxes: Vec<(usize, BBox)>) -> Vec<String> {
    let said = reader.read_anew(pixels, boxes.into_iter().map(|(_, b)| b).collect()).unwrap();
    let text = |s| match s {
        Sighting::Text { text, .. } => Some(text),
        _ => None,
    };
    said.into_iter().filter_map(text).collect()
}

/// What both nets find in photographs, and how long they take, one thread each, in turn.
#[test]
#[ignore = "measures; needs SIGHTLINE_DATA"]
fn table_of_nets_beside_f32() {
    let (Some(path), Some(det), Some(rec)) =
        (weights("yolox-nano/model.onnx"), weights("ppocr/det.onnx"), weights("ppocr/rec.onnx"))
    else {
        return;
    };
    let (mut detector, mut finder) = (Pair::load(&path, DETECTOR), Pair::load(&det, OCR));
    let config = ReaderConfig { fresh: 8, ..ReaderConfig::default() };
    let mut reader = Reader::load(&det, &rec, config, &Threads::new(1)).unwrap();
    let mut texts = [0, 0, 0];
    let (mut boxes, mut lines, mut times) =
        (Agreement::default(), Agreement::default(), [Times::default(), Times::default()]);
    let (mut least, mut off) = (1.0_f64, 0.0_f64);
    let clock = SystemClock::start();
    let pictures = pictures();
    for (_, frame) in &pictures {
        let pixels = Pixels::of(frame).unwrap();
        let input = yolox_input(&pixels, 416);
        let start = clock.now();
        let wanted = oracle(&detector.graph, (416, 416), &input);
        times[0].0[0].push(clock.now().since(start));
        let start = clock.now();
        let seen = detector.net.run((416, 416), |to| to.copy_from_slice(&input)).unwrap().unwrap();
        times[0].0[1].push(clock.now().since(start));
        least = least.min(cosine(seen.data, &wanted));
        boxes.add(
            &crate::model::onnx::detector::classes_and_boxes(&wanted, &pixels, 416),
            &crate::model::onnx::detector::classes_and_boxes(seen.data, &pixels, 416),
        );
        let (size, input) = crate::model::onnx::reader::finder_input(&pixels, 512);
        let start = clock.now();
        let wanted = oracle(&finder.graph, size, &input);
        times[1].0[0].push(clock.now().since(start));
        let start = clock.now();
        let seen = finder.net.run(size, |to| to.copy_from_slice(&input)).unwrap().unwrap();
        times[1].0[1].push(clock.now().since(start));
        off += seen.data.iter().zip(&wanted).map(|(a, b)| f64::from((a - b).abs())).sum::<f64>() / wanted.len() as f64;
        let found = |map: &[f32]| -> Vec<(usize, BBox)> {
            crate::model::onnx::reader::boxes_of(map, size).into_iter().map(|b| (0, b)).collect()
        };
        let (wanted, seen) = (found(&wanted), found(seen.data));
        lines.add(&wanted, &seen);
        let [wanted, mut seen] = [wanted, seen].map(|boxes| read(&mut reader, &pixels, boxes));
        texts[0] += wanted.len();
        texts[1] += seen.len();
        for text in wanted {
            if let Some(i) = seen.iter().position(|t| *t == text) {
                seen.swap_remove(i);
                texts[2] += 1;
            }
        }
    }
    let [detect, find] = &mut times;
    println!("{} pictures, {}", pictures.len(), Level::best().name());
    println!("detector: {}; least cosine {least:.5}; {}", boxes.line(), detect.line());
    println!("lines read: f32 {} ours {} the same {}", texts[0], texts[1], texts[2]);
    println!("finder: {}; map off by {:.5}; {}", lines.line(), off / pictures.len() as f64, find.line());
}
