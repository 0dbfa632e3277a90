//! Frames of the day: photographs that a hand holds not quite still, signs before a room, pieces of clips.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};
use sightline::base::{FrameId, MediaTime, RgbFrame};
use sightline::decode::{DecodeConfig, FileItem, FileReader, Wanted};

use crate::catalog::{Scene, Show};

const WIDTH: u32 = 640;
const HEIGHT: u32 = 480;
/// Pixels that the hand moves.
const SHAKE: u32 = 3;
/// Share of the light that is left when it goes out.
const DARK: f32 = 0.12;

/// The pictures of one scene.
pub struct Reel {
    still: Option<RgbImage>,
    moving: Vec<RgbFrame>,
    start: Duration,
    number: u64,
}

impl Reel {
    pub fn of(scene: &Scene, number: u64) -> Self {
        let mut reel = Self { still: None, moving: Vec::new(), start: scene.start, number };
        match &scene.show {
            Show::Picture(path) => reel.still = Some(photo(path)),
            Show::Again(path) => reel.still = Some(further_away(&photo(path))),
            Show::Dark(path) => {
                let mut picture = photo(path);
                picture.pixels_mut().for_each(|p| p.0 = p.0.map(|v| (f32::from(v) * DARK) as u8));
                reel.still = Some(picture);
            }
            Show::Sign { room, text } => {
                let mut picture = photo(room);
                let sign = sign(text);
                let (x, y) = ((WIDTH + 2 * SHAKE - sign.width()) / 2, (HEIGHT + 2 * SHAKE - sign.height()) / 2);
                imageops::replace(&mut picture, &sign, i64::from(x), i64::from(y));
                reel.still = Some(picture);
            }
            Show::Clip { file, from_s } => reel.moving = clip(file, *from_s, scene.end - scene.start),
        }
        reel
    }

    /// What the camera sees at `at`.
    pub fn frame(&self, at: Duration) -> RgbFrame {
        let capture = MediaTime::ZERO + at;
        let tick = u64::try_from(at.as_millis() / 500).unwrap_or(0);
        let id = FrameId(self.number * 1_000 + tick);
        let Some(still) = &self.still else {
            let i = usize::try_from((at - self.start).as_millis() / 500).unwrap_or(0);
            let frame = self.moving[i.min(self.moving.len() - 1)].clone();
            return RgbFrame { id, capture, ..frame };
        };
        // A hand moves a little every two seconds.
        let moved = tick / 4;
        let shake = |n: u64| u32::try_from(n % u64::from(2 * SHAKE)).unwrap_or(0);
        let view =
            imageops::crop_imm(still, shake(moved * 7 + self.number), shake(moved * 3), WIDTH, HEIGHT).to_image();
        RgbFrame { id, width: WIDTH, height: HEIGHT, data: view.into_raw().into(), capture }
    }
}

/// A photograph as large as a frame and the shaking, with grey where its shape is another.
fn photo(path: &Path) -> RgbImage {
    let (w, h) = (WIDTH + 2 * SHAKE, HEIGHT + 2 * SHAKE);
    let picture = image::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display())).to_rgb8();
    let scale = (w as f32 / picture.width() as f32).min(h as f32 / picture.height() as f32);
    let side = |v: u32, most: u32| ((v as f32 * scale) as u32).clamp(1, most);
    let (pw, ph) = (side(picture.width(), w), side(picture.height(), h));
    let scaled = imageops::resize(&picture, pw, ph, FilterType::Triangle);
    let mut out = RgbImage::from_pixel(w, h, Rgb([120, 120, 120]));
    imageops::replace(&mut out, &scaled, i64::from((w - pw) / 2), i64::from((h - ph) / 2));
    out
}

/// A little smaller, to the left of the middle, and a tenth darker.
fn further_away(picture: &RgbImage) -> RgbImage {
    let (w, h) = (picture.width() * 88 / 100, picture.height() * 88 / 100);
    let mut smaller = imageops::resize(picture, w, h, FilterType::Triangle);
    smaller.pixels_mut().for_each(|p| p.0 = p.0.map(|v| (f32::from(v) * 0.9) as u8));
    let mut out = RgbImage::from_pixel(picture.width(), picture.height(), Rgb([96, 92, 88]));
    imageops::replace(&mut out, &smaller, i64::from((picture.width() - w) / 4), i64::from((picture.height() - h) / 2));
    out
}

/// Black letters on a white board, drawn by Chromium: the tests have it anyway.
fn sign(text: &str) -> RgbImage {
    let file = |ending: &str| std::env::temp_dir().join(format!("sightline-needle-{}.{ending}", std::process::id()));
    let (page, picture) = (file("html"), file("png"));
    let style = "margin:0;height:100vh;display:flex;align-items:center;justify-content:center;background:white;\
                 font:bold 44px DejaVu Sans,sans-serif;white-space:nowrap";
    std::fs::write(&page, format!("<body style=\"{style}\">{text}</body>")).expect("a page can be written");
    let (shot, url) = (format!("--screenshot={}", picture.display()), format!("file://{}", page.display()));
    let args =
        ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=560,160", &shot, &url];
    let done = Command::new("chromium").args(args).output().expect("chromium runs (make setup-test)");
    let drawn =
        image::open(&picture).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&done.stderr))).to_rgb8();
    let _ = (std::fs::remove_file(&page), std::fs::remove_file(&picture));
    imageops::resize(&drawn, 448, 448 * drawn.height() / drawn.width(), FilterType::Triangle)
}

/// Two frames a second of a clip, from a second on.
fn clip(file: &Path, from_s: u64, length: Duration) -> Vec<RgbFrame> {
    let wanted = Wanted { video: true, audio: false };
    let mut reader = FileReader::open(file, wanted, &DecodeConfig::default()).expect("a clip that can be decoded");
    let (from, mut out, mut next) = (Duration::from_secs(from_s), Vec::new(), Duration::from_secs(from_s));
    while let Ok(Some(item)) = reader.next() {
        let FileItem::Frame(frame) = item else { continue };
        let at = frame.capture.since(MediaTime::ZERO);
        if at >= next {
            out.push(frame);
            next += Duration::from_millis(500);
        }
        if at >= from + length {
            break;
        }
    }
    assert!(!out.is_empty(), "{} is shorter than {from_s} s", file.display());
    out
}

/// Speech, made by espeak-ng, at 16 kHz.
pub struct Voice {
    made: HashMap<String, Arc<[f32]>>,
    dir: PathBuf,
}

impl Voice {
    pub fn new() -> Self {
        Self { made: HashMap::new(), dir: std::env::temp_dir() }
    }

    pub fn say(&mut self, text: &str) -> Arc<[f32]> {
        if let Some(made) = self.made.get(text) {
            return Arc::clone(made);
        }
        let file = self.dir.join(format!("sightline-needle-{}.wav", std::process::id()));
        let path = file.to_string_lossy().into_owned();
        let done = Command::new("espeak-ng").args(["-v", "en-us", "-s", "150", "-w", &path, text]).status();
        assert!(done.is_ok_and(|s| s.success()), "espeak-ng runs (make setup-test)");
        let wav = std::fs::read(&file).expect("the speech was written");
        let _ = std::fs::remove_file(&file);
        let rate_hz = u32::from_le_bytes(wav[24..28].try_into().expect("four bytes"));
        let mut resampler =
            sightline::decode::Resampler::new(sightline::decode::WireAudio::Pcm16 { rate_hz }).expect("a usual rate");
        let mut samples = resampler.push(&wav[44..]).expect("sound");
        samples.extend(resampler.finish().expect("sound"));
        let samples: Arc<[f32]> = samples.into();
        self.made.insert(text.to_owned(), Arc::clone(&samples));
        samples
    }
}
