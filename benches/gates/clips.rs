//! The clips of a typical call, and what is true in each moment of them. `--seed` draws others.

use std::fs;
use std::path::{Path, PathBuf};

use image::{RgbImage, imageops};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use serde_json::Value;
use sightline::model::classify::LABELS;

use crate::experts::Experts;
use crate::paint::{HEIGHT, Person, WIDTH, filling, view, within};

/// What should be known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Truth {
    /// The first label of the picture or of a crop of it.
    pub label: Option<String>,
    /// Objects that are there, and those that may be there for all we know.
    pub objects: Vec<String>,
    pub neutral: Vec<String>,
    /// Labels of what is not shown any more.
    pub gone: Vec<String>,
}

/// A clip as it goes on.
pub trait Clip {
    fn picture(&self, t: f32) -> RgbImage;
    /// Nothing while one thing gives way to another.
    fn truth(&self, t: f32) -> Option<Truth>;
}

/// A photograph and the name of its class.
struct Photo {
    path: PathBuf,
    label: String,
}

/// A photograph of a whole scene, with what its captions say.
struct Scene {
    path: PathBuf,
    captions: String,
}

/// What clips are made of.
pub struct Stock {
    photos: Vec<Photo>,
    scenes: Vec<Scene>,
    rng: StdRng,
}

const PEOPLE: [&str; 12] =
    ["man", "woman", "men", "women", "girl", "boy", "guy", "lady", "people", "person", "persons", "child"];

impl Stock {
    pub fn open(data: &Path, seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let (pictures, scenes) = (data.join("pictures"), data.join("scenes"));
        let table = fs::read_to_string(pictures.join("labels.tsv")).expect("DATA/pictures/labels.tsv can be read");
        let mut photos: Vec<Photo> = table
            .lines()
            .filter_map(|line| {
                let (file, listed) = line.split_once('\t')?;
                let class = LABELS.iter().find(|c| c.listed.eq_ignore_ascii_case(listed.trim()))?;
                let path = pictures.join(file);
                path.is_file().then_some(Photo { path, label: class.name.to_owned() })
            })
            .collect();
        let captions =
            fs::read_to_string(scenes.join("captions.jsonl")).expect("DATA/scenes/captions.jsonl can be read");
        let mut scenes: Vec<Scene> = captions
            .lines()
            .filter_map(|line| {
                let value: Value = serde_json::from_str(line).ok()?;
                let path = scenes.join(value["file"].as_str()?);
                path.is_file().then(|| Scene { path, captions: value["captions"].to_string().to_lowercase() })
            })
            .collect();
        photos.shuffle(&mut rng);
        scenes.shuffle(&mut rng);
        Self { photos, scenes, rng }
    }

    /// A photograph that is recognised as it is shown when nothing moves: what is measured is the gates.
    fn photo(
        &mut self,
        experts: &mut Experts,
        shown: impl Fn(&Path) -> RgbImage,
        place: impl Fn(&RgbImage) -> RgbImage,
    ) -> (String, RgbImage) {
        loop {
            let photo = self.photos.pop().expect("enough photographs");
            let picture = shown(&photo.path);
            if experts.first_labels(&place(&picture)).contains(&photo.label) {
                return (photo.label, picture);
            }
        }
    }

    /// A scene of which the captions name something that the experts see when nothing moves.
    fn scene(
        &mut self,
        experts: &mut Experts,
        size: (u32, u32),
        fits: impl Fn(&[(String, [f32; 4])]) -> bool,
    ) -> (RgbImage, Truth, Vec<(String, [f32; 4])>) {
        loop {
            let scene = self.scenes.pop().expect("enough scenes");
            let picture = filling(&scene.path, size);
            let seen = experts.objects(
                &imageops::crop_imm(&picture, (size.0 - WIDTH) / 2, (size.1 - HEIGHT) / 2, WIDTH, HEIGHT).to_image(),
            );
            let mut truth = Truth::default();
            for (label, _) in &seen {
                let said = |word: &str| {
                    scene
                        .captions
                        .split(|c: char| !c.is_alphanumeric())
                        .any(|w| w == word || w.strip_suffix('s') == Some(word))
                };
                let named = if label == "person" { PEOPLE.iter().any(|w| said(w)) } else { label.split(' ').all(said) };
                let list = if named { &mut truth.objects } else { &mut truth.neutral };
                if !list.contains(label) {
                    list.push(label.clone());
                }
            }
            if !truth.objects.is_empty() && fits(&seen) {
                return (picture, truth, seen);
            }
        }
    }

    fn person(&mut self, experts: &mut Experts) -> (Person, Truth) {
        let large = |seen: &[(String, [f32; 4])]| {
            let people: Vec<_> = seen.iter().filter(|(label, _)| label == "person").collect();
            people.len() == 1 && {
                let b = people[0].1;
                (b[2] - b[0]) * (b[3] - b[1]) > 0.12 && b[3] - b[1] > 0.5
            }
        };
        let (still, truth, seen) = self.scene(experts, (WIDTH, HEIGHT), large);
        let b = seen.iter().find(|(label, _)| label == "person").map_or([0.0; 4], |s| s.1);
        let (w, h) = (WIDTH as f32, HEIGHT as f32);
        let radius = (0.17 * (b[3] - b[1]) * h).clamp(30.0, 75.0);
        let head = ((b[0] + b[2]) / 2.0 * w, b[1] * h + 1.1 * radius);
        (Person::new(still, head, radius), truth)
    }

    /// Three people talk, one after another; the camera is handed on between them.
    pub fn talking(&mut self, experts: &mut Experts, length: f32) -> Box<dyn Clip> {
        let people = (0..3).map(|_| self.person(experts)).collect();
        Box::new(Talking { people, each: length / 3.0 })
    }

    /// Somebody holds up photographs, each for five to fifteen seconds.
    pub fn showing(&mut self, experts: &mut Experts, length: f32) -> Box<dyn Clip> {
        let (person, seen) = self.person(experts);
        let (mut shown, mut at) = (Vec::new(), 3.0);
        while at < length {
            let holding = 5.0 + 10.0 * self.rng.random::<f32>().powi(2);
            let still = person.at(0.0);
            let (label, picture) = self.photo(
                experts,
                |path| within(path, (560, 400)),
                |photo| {
                    let mut still = still.clone();
                    lay(&mut still, photo, (WIDTH as f32 / 2.0, HEIGHT as f32 / 2.0));
                    still
                },
            );
            let end = at + MOVE_S + holding;
            shown.push(Shown { from: at, to: end, label, picture });
            // Half of them are swapped at once, half after a pause.
            at = end + MOVE_S + if self.rng.random() { 0.3 } else { 3.0 };
        }
        Box::new(Showing { person, seen, shown })
    }

    /// Somebody walks past photographs and scenes, and stops before some.
    pub fn walking(&mut self, experts: &mut Experts, length: f32) -> Box<dyn Clip> {
        let tall = HEIGHT + 120;
        let (mut pieces, mut path, mut x, mut t) = (Vec::new(), vec![(0.0, WIDTH as f32 / 2.0)], 0_u32, 0.0);
        while t < length {
            let (picture, truth) = if pieces.len() % 2 == 0 {
                let (label, picture) = self.photo(
                    experts,
                    |path| filling(path, (720, tall)),
                    |photo| imageops::crop_imm(photo, (720 - WIDTH) / 2, 60, WIDTH, HEIGHT).to_image(),
                );
                (picture, Truth { label: Some(label), ..Truth::default() })
            } else {
                let (picture, truth, _) = self.scene(experts, (860, tall), |_| true);
                (picture, truth)
            };
            let middle = (x + picture.width() / 2) as f32;
            let speed = 90.0 + 110.0 * self.rng.random::<f32>();
            t += ((middle - path[path.len() - 1].1) / speed).max(0.0);
            path.push((t, middle));
            if self.rng.random_bool(0.6) {
                t += 3.0 + 5.0 * self.rng.random::<f32>();
                path.push((t, middle));
            }
            x += picture.width();
            pieces.push((middle, picture, truth));
        }
        let mut world = RgbImage::new(x, tall);
        for (middle, picture, _) in &pieces {
            imageops::replace(&mut world, picture, i64::from((*middle as u32) - picture.width() / 2), 0);
        }
        let pieces =
            pieces.into_iter().map(|(middle, picture, truth)| (middle, picture.width() as f32, truth)).collect();
        Box::new(Walking { world, pieces, path })
    }

    /// Small things are laid into a scene, each for five to eight seconds, and taken away again. Each is something that the experts know in another scene.
    pub fn bringing(&mut self, experts: &mut Experts, length: f32) -> Box<dyn Clip> {
        let (still, mut truth, _) = self.scene(experts, (WIDTH, HEIGHT), |seen| seen.len() <= 6);
        let here: Vec<String> = truth.objects.iter().chain(&truth.neutral).cloned().collect();
        let (mut brought, mut at) = (Vec::new(), 3.0);
        while at < length {
            let (label, picture) = self.thing(experts, &here);
            let (w, h) = picture.dimensions();
            let place = (
                self.rng.random_range(w / 2 + 20..WIDTH - w / 2 - 20) as f32,
                self.rng.random_range(h / 2 + 20..HEIGHT - h / 2 - 20) as f32,
            );
            let to = at + MOVE_S + 5.0 + 3.0 * self.rng.random::<f32>();
            brought.push(Brought { from: at, to, label, picture, place });
            at = to + MOVE_S + 3.0;
        }
        // What is always there may be found only at one of two looks, and be said to be another thing: what counts is what is brought.
        truth.neutral.append(&mut truth.objects);
        Box::new(Bringing { still, truth, brought })
    }

    /// Something cut out of a scene, its longer side 60 to 110 pixels.
    fn thing(&mut self, experts: &mut Experts, but: &[String]) -> (String, RgbImage) {
        loop {
            let (picture, truth, seen) = self.scene(experts, (WIDTH, HEIGHT), |_| true);
            let area = |b: &[f32; 4]| (b[2] - b[0]) * (b[3] - b[1]);
            let fits = |s: &&(String, [f32; 4])| {
                (0.03..0.5).contains(&area(&s.1)) && truth.objects.contains(&s.0) && !but.contains(&s.0)
            };
            let Some((label, b)) = seen.iter().filter(fits).max_by(|a, b| area(&a.1).total_cmp(&area(&b.1))) else {
                continue;
            };
            let (w, h) = (WIDTH as f32, HEIGHT as f32);
            let (x, y) = ((b[0] * w) as u32, (b[1] * h) as u32);
            let (cw, ch) = (((b[2] - b[0]) * w) as u32, ((b[3] - b[1]) * h) as u32);
            let cut = imageops::crop_imm(&picture, x, y, cw.max(1), ch.max(1)).to_image();
            let scale = self.rng.random_range(60.0..110.0_f32) / cw.max(ch).max(1) as f32;
            let side = |v: u32| ((v as f32 * scale) as u32).max(8);
            return (label.clone(), imageops::resize(&cut, side(cw), side(ch), imageops::FilterType::Triangle));
        }
    }
}

/// Seconds to bring something before the camera, or away from it.
const MOVE_S: f32 = 0.8;

struct Talking {
    people: Vec<(Person, Truth)>,
    each: f32,
}

impl Clip for Talking {
    fn picture(&self, t: f32) -> RgbImage {
        self.people[((t / self.each) as usize).min(self.people.len() - 1)].0.at(t)
    }

    fn truth(&self, t: f32) -> Option<Truth> {
        Some(self.people[((t / self.each) as usize).min(self.people.len() - 1)].1.clone())
    }
}

struct Shown {
    from: f32,
    to: f32,
    label: String,
    picture: RgbImage,
}

struct Brought {
    from: f32,
    to: f32,
    label: String,
    picture: RgbImage,
    place: (f32, f32),
}

struct Bringing {
    still: RgbImage,
    truth: Truth,
    brought: Vec<Brought>,
}

impl Clip for Bringing {
    fn picture(&self, t: f32) -> RgbImage {
        let mut picture = self.still.clone();
        if let Some(b) = self.brought.iter().find(|b| (b.from..b.to + MOVE_S).contains(&t)) {
            let share = ((t - b.from).min(b.to + MOVE_S - t) / MOVE_S).clamp(0.0, 1.0);
            let side = if b.place.0 < WIDTH as f32 / 2.0 { -60.0 } else { WIDTH as f32 + 60.0 };
            lay(&mut picture, &b.picture, (side + (b.place.0 - side) * share, b.place.1));
        }
        picture
    }

    fn truth(&self, t: f32) -> Option<Truth> {
        let Some(b) = self.brought.iter().find(|b| (b.from..b.to + MOVE_S).contains(&t)) else {
            return Some(self.truth.clone());
        };
        let there = (b.from + MOVE_S..b.to).contains(&t);
        there.then(|| Truth { objects: vec![b.label.clone()], ..self.truth.clone() })
    }
}

struct Showing {
    person: Person,
    seen: Truth,
    shown: Vec<Shown>,
}

impl Clip for Showing {
    fn picture(&self, t: f32) -> RgbImage {
        let mut picture = self.person.at(t);
        if let Some(shown) = self.shown.iter().find(|s| (s.from..s.to + MOVE_S).contains(&t)) {
            let share = ((t - shown.from).min(shown.to + MOVE_S - t) / MOVE_S).clamp(0.0, 1.0);
            let up = share * share * (3.0 - 2.0 * share);
            let (w, h) = (WIDTH as f32, HEIGHT as f32);
            // A hand trembles, and drifts.
            let hold = |a: f32, b: f32| 2.0 * (a * t).sin() + 1.2 * (b * t).sin() + 7.0 * (0.1 * a * t).sin();
            lay(&mut picture, &shown.picture, (w / 2.0 + hold(7.3, 23.0), h * (1.5 - up) + hold(9.1, 29.0)));
        }
        picture
    }

    fn truth(&self, t: f32) -> Option<Truth> {
        let Some(shown) = self.shown.iter().find(|s| (s.from..s.to + MOVE_S).contains(&t)) else {
            let gone = self.shown.iter().filter(|s| s.from < t).map(|s| s.label.clone()).collect();
            return Some(Truth { gone, ..self.seen.clone() });
        };
        let held = (shown.from + 0.9 * MOVE_S..shown.to).contains(&t);
        held.then(|| Truth { label: Some(shown.label.clone()), ..Truth::default() })
    }
}

/// Lays a picture with its middle there; what does not fit is cut.
fn lay(on: &mut RgbImage, picture: &RgbImage, (cx, cy): (f32, f32)) {
    let left = |c: f32, side: u32| (c - side as f32 / 2.0).round() as i64;
    imageops::replace(on, picture, left(cx, picture.width()), left(cy, picture.height()));
}

struct Walking {
    world: RgbImage,
    /// Middle, width, truth.
    pieces: Vec<(f32, f32, Truth)>,
    /// Time and place of each turn of the way.
    path: Vec<(f32, f32)>,
}

impl Walking {
    fn place(&self, t: f32) -> (f32, bool) {
        let next = self.path.iter().position(|p| p.0 > t).unwrap_or(self.path.len() - 1).max(1);
        let ((t0, x0), (t1, x1)) = (self.path[next - 1], self.path[next]);
        let share = ((t - t0) / (t1 - t0).max(1e-3)).clamp(0.0, 1.0);
        (x0 + (x1 - x0) * share, (x1 - x0).abs() > 1.0)
    }
}

impl Clip for Walking {
    fn picture(&self, t: f32) -> RgbImage {
        let (x, walks) = self.place(t);
        // Steps go up and down; a hand that stands still trembles.
        let step = if walks { 1.0 } else { 0.25 };
        let (sx, sy) = (step * 3.0 * (5.5 * t).sin(), step * 6.0 * (11.0 * t).sin());
        view(&self.world, (x + sx, (HEIGHT + 120) as f32 / 2.0 + sy), 1.0 + 0.08 * (0.35 * t).sin())
    }

    fn truth(&self, t: f32) -> Option<Truth> {
        let (x, _) = self.place(t);
        let half = WIDTH as f32 / 2.0;
        let covers = |(middle, width, _): &&(f32, f32, Truth)| {
            let (from, to) = (middle - width / 2.0, middle + width / 2.0);
            to.min(x + half) - from.max(x - half) >= 0.75 * WIDTH as f32
        };
        self.pieces.iter().find(covers).map(|(_, _, truth)| truth.clone())
    }
}
