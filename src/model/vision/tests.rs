//! Needs weights (`SIGHTLINE_MODELS`, default `models/`) and, for the measurements, pictures (`SIGHTLINE_DATA`). Skips, saying so,
//! where they are missing.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{VisionFiles, load_experts};
use crate::app::SystemClock;
use crate::base::{Clock, RgbFrame};
use crate::decode::{PictureLimits, decode_image};
use crate::model::classify::{Classifier, ClassifierConfig, ClassifyError, LABELS};
use crate::model::onnx::{Detector, DetectorConfig, OnnxError, Reader, ReaderConfig, Threads};
use crate::model::resize::{Part, resample};
use crate::watch::testing::{blocks, flat, frame};
use crate::watch::{Perceive, PerceiveError, Pixels, Sighting};

fn models() -> Option<PathBuf> {
    let dir = std::env::var_os("SIGHTLINE_MODELS").map_or_else(|| PathBuf::from("models"), PathBuf::from);
    let files = VisionFiles::under(&dir);
    if files.detector.is_some_and(|f| f.exists()) && files.classifier.is_some_and(|f| f.exists()) {
        return Some(dir);
    }
    println!("skipped: no weights under {} (set SIGHTLINE_MODELS, or run `sightline models pull`)", dir.display());
    None
}

fn experts() -> Option<Vec<Box<dyn Perceive>>> {
    Some(load_experts(&VisionFiles::under(&models()?), &Threads::new(2)).unwrap())
}

/// A picture file composed into a frame of `width * height`: as large as fits, black around it, as a camera in front of a screen.
fn compose(file: &Path, width: u32, height: u32) -> RgbFrame {
    let picture = decode_image(&fs::read(file).unwrap(), &PictureLimits::default()).unwrap();
    let pixels = Pixels::of(&picture).unwrap();
    let w = (picture.width * height / picture.height).clamp(1, width);
    let h = (picture.height * width / picture.width).clamp(1, height);
    let small = resample(&pixels, Part::whole(&pixels), w, h).unwrap();
    let (left, top) = ((width - w) / 2, (height - h) / 2);
    frame(width, height, |x, y| match (x.checked_sub(left), y.checked_sub(top)) {
        (Some(x), Some(y)) if x < w && y < h => {
            let at = ((y * w + x) * 3) as usize;
            [small[at], small[at + 1], small[at + 2]]
        }
        _ => [0; 3],
    })
}

#[test]
fn no_frame_however_odd_makes_an_expert_panic() {
    let Some(mut experts) = experts() else { return };
    let mut broken = blocks(1);
    broken.width += 1;
    let noise = frame(333, 77, |x, y| [(x * y * 7) as u8, (x ^ y) as u8, (x * 31 + y * 17) as u8]);
    for expert in &mut experts {
        for f in [flat(1, 1, [9; 3]), flat(4096, 1, [200; 3]), flat(1, 4096, [0; 3]), noise.clone(), blocks(7)] {
            assert!(expert.perceive(&f, &[]).is_ok(), "{} {}x{}", expert.name(), f.width, f.height);
        }
        for bad in [&broken, &flat(0, 0, [0; 3])] {
            assert!(matches!(expert.perceive(bad, &[]), Err(PerceiveError::Frame { .. })));
        }
    }
}

#[test]
fn weights_that_are_missing_damaged_or_swapped_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let threads = Threads::new(1);
    let gone = dir.path().join("gone.onnx");
    let load = |f: &Path| Detector::load(f, DetectorConfig::default(), &threads).err();
    assert!(matches!(load(&gone), Some(OnnxError::Unreadable { .. })));
    assert!(load(&gone).unwrap().to_string().contains("gone.onnx"));
    let cut = dir.path().join("cut.onnx");
    fs::write(&cut, []).unwrap();
    assert!(matches!(load(&cut), Some(OnnxError::Damaged { .. })));
    let Some(models) = models() else { return };
    let files = VisionFiles::under(&models);
    let (detector, classifier) = (files.detector.unwrap(), files.classifier.unwrap());
    let whole = fs::read(&detector).unwrap();
    for keep in [1, 100, 5_000, whole.len() / 2, whole.len() * 9 / 10] {
        fs::write(&cut, &whole[..keep]).unwrap();
        assert!(matches!(load(&cut), Some(OnnxError::Damaged { .. })), "{keep} bytes");
    }
    let whole = fs::read(&classifier).unwrap();
    for keep in [0, 7, 1_000, whole.len() / 3, whole.len() * 9 / 10] {
        fs::write(&cut, &whole[..keep]).unwrap();
        let e = Classifier::load(&cut, ClassifierConfig::default(), 1).err();
        assert!(matches!(e, Some(ClassifyError::Damaged { .. } | ClassifyError::Other { .. })), "{keep} bytes");
    }
    let (det, rec) = files.reader.unwrap();
    assert!(matches!(load(&det), Some(OnnxError::Other { .. })));
    assert!(matches!(Reader::load(&rec, &det, ReaderConfig::default(), &threads).err(), Some(OnnxError::Other { .. })));
}

#[test]
fn an_embedding_has_length_one_and_a_flat_frame_has_no_text_and_no_objects() {
    let Some(mut experts) = experts() else { return };
    let grey = flat(640, 480, [128; 3]);
    let said: Vec<Sighting> = experts.iter_mut().flat_map(|e| e.perceive(&grey, &[]).unwrap()).collect();
    assert!(!said.iter().any(|s| matches!(s, Sighting::Object { .. } | Sighting::Text { .. })), "{said:?}");
    let Some(Sighting::Embedding { vector }) = said.iter().find(|s| matches!(s, Sighting::Embedding { .. })) else {
        panic!("no embedding")
    };
    assert!((vector.iter().map(|v| v * v).sum::<f32>() - 1.0).abs() < 1e-3);
}

/// Processor time of this process so far (Linux; zero elsewhere): says more than the clock on a busy machine.
fn cpu() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u64 = after_name.split_whitespace().skip(11).take(2).filter_map(|t| t.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// Sums of one expert over many frames.
#[derive(Default)]
struct Tally {
    times: Vec<Duration>,
    cpu: Duration,
}

impl Tally {
    fn line(&mut self) -> String {
        self.times.sort();
        let at =
            |share: usize| self.times[(self.times.len() * share / 100).min(self.times.len() - 1)].as_secs_f64() * 1e3;
        let cpu = self.cpu.as_secs_f64() * 1e3 / self.times.len() as f64;
        format!("p50 {:6.1} ms  p95 {:6.1} ms  processor time {cpu:6.1} ms", at(50), at(95))
    }
}

fn words(s: &Sighting) -> Vec<String> {
    match s {
        Sighting::Object { label, .. } => vec![label.clone()],
        Sighting::Label { label, broader, .. } => std::iter::once(label.clone()).chain(broader.clone()).collect(),
        _ => vec![],
    }
}

/// `SIGHTLINE_DATA` holds `pictures/labels.tsv` (file, class name) and the pictures. `SIGHTLINE_N` pictures, default 100.
#[test]
#[ignore = "measures; needs SIGHTLINE_DATA"]
fn table_of_labelled_pictures() {
    let (Some(mut experts), Some(data)) = (experts(), std::env::var_os("SIGHTLINE_DATA")) else { return };
    let pictures = Path::new(&data).join("pictures");
    let rows = fs::read_to_string(pictures.join("labels.tsv")).unwrap();
    let mut rows: Vec<(&str, &str)> = rows.lines().filter_map(|l| l.split_once('\t')).collect();
    // Seeded shuffle: the same pictures every time.
    rows.sort_by_key(|(f, _)| f.bytes().fold(7_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3)));
    rows.truncate(std::env::var("SIGHTLINE_N").ok().and_then(|n| n.parse().ok()).unwrap_or(100));
    let (mut first, mut any, mut wrong) = (0, 0, Vec::new());
    let mut tallies: Vec<Tally> = experts.iter().map(|_| Tally::default()).collect();
    let mut sure: Vec<(f32, bool)> = Vec::new();
    let clock = SystemClock::start();
    for (file, name) in &rows {
        let class = LABELS.iter().find(|c| c.listed == *name).unwrap();
        let frame = compose(&pictures.join(file), 640, 480);
        let mut said = Vec::new();
        for (expert, tally) in experts.iter_mut().zip(&mut tallies) {
            let (start, busy) = (clock.now(), cpu());
            let more = expert.perceive(&frame, &said).unwrap();
            tally.times.push(clock.now().since(start));
            tally.cpu += cpu().saturating_sub(busy);
            said.extend(more);
        }
        let labels: Vec<&Sighting> = said.iter().filter(|s| matches!(s, Sighting::Label { .. })).collect();
        let finest = labels.iter().find(|s| LABELS.iter().any(|c| words(s)[0] == c.name));
        let right = finest.is_some_and(|s| words(s)[0] == class.name);
        first += usize::from(right);
        if let Some(Sighting::Label { confidence, .. }) = finest {
            sure.push((*confidence, right));
        }
        let all: Vec<String> = said.iter().flat_map(words).collect();
        // Named: the class itself, or its nearest broader word ("dog" for a beagle).
        let named = all.iter().any(|w| w == class.name || class.broader.first().is_some_and(|b| b == w));
        any += usize::from(named);
        if !named {
            wrong.push(format!("{name}: {all:?}"));
        }
    }
    println!("{} pictures in 640x480 frames", rows.len());
    println!("first label right        {:5.1} %", 100.0 * first as f64 / rows.len() as f64);
    println!("named by any word        {:5.1} %", 100.0 * any as f64 / rows.len() as f64);
    for (expert, tally) in experts.iter().zip(&mut tallies) {
        println!("{:12} {}", expert.name(), tally.line());
    }
    for bin in 0..5_u8 {
        let low = f32::from(bin) / 5.0;
        let inside: Vec<bool> = sure.iter().filter(|(c, _)| *c >= low && *c < low + 0.2001).map(|(_, r)| *r).collect();
        let hits = inside.iter().filter(|r| **r).count();
        println!(
            "confidence {low:.1}..: {} labels, {:.0} % right",
            inside.len(),
            100.0 * hits as f64 / inside.len().max(1) as f64
        );
    }
    for w in wrong.iter().take(25) {
        println!("  missed {w}");
    }
}

/// What the experts say about `SIGHTLINE_PICTURE` (a file or a folder), to read.
#[test]
#[ignore = "prints; needs SIGHTLINE_PICTURE"]
fn what_is_said_about_a_picture() {
    let (Some(mut experts), Some(path)) = (experts(), std::env::var_os("SIGHTLINE_PICTURE")) else { return };
    let path = PathBuf::from(path);
    let mut files = vec![path.clone()];
    if path.is_dir() {
        files = fs::read_dir(path)
            .unwrap()
            .map(|e| e.unwrap().path())
            .filter(|p| p.extension().is_some_and(|e| e == "jpg" || e == "png"))
            .collect();
        files.sort();
        files.truncate(40);
    }
    for file in files {
        let frame = compose(&file, 640, 480);
        println!("{}", file.display());
        let mut said = Vec::new();
        for expert in &mut experts {
            let more = expert.perceive(&frame, &said).unwrap();
            println!("  {}", expert.name());
            for s in &more {
                match s {
                    Sighting::Object { label, confidence, bbox } => println!("    {label} {confidence:.2} {bbox:?}"),
                    Sighting::Label { label, broader, confidence, .. } => {
                        println!("    {label} {broader:?} {confidence:.2}")
                    }
                    Sighting::Text { text, confidence, .. } => println!("    {text:?} {confidence:.2}"),
                    Sighting::Embedding { .. } => {}
                }
            }
            said.extend(more);
        }
    }
}
