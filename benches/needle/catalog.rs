//! What happens on the day: which scene when, which of them are needles, what is asked of each and what the answer must hold.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use sightline::model::classify::LABELS;

use crate::Args;

/// Ages at which every needle is asked about, and how a person names them.
pub const AGES: [(u64, &str); 6] = [
    (10, "ten seconds ago"),
    (60, "a minute ago"),
    (300, "five minutes ago"),
    (900, "fifteen minutes ago"),
    (1_800, "half an hour ago"),
    (3_600, "an hour ago"),
];
/// How long a needle and what stands between two of them is shown.
const NEEDLE: Duration = Duration::from_secs(12);
const FILLER_S: std::ops::Range<u64> = 8..22;

/// What the camera is shown.
#[derive(Debug, Clone)]
pub enum Show {
    /// A photograph.
    Picture(PathBuf),
    /// A sign held before a room.
    Sign { room: PathBuf, text: String },
    /// A piece of a clip from this second on.
    Clip { file: PathBuf, from_s: u64 },
    /// A room whose light goes out.
    Dark(PathBuf),
    /// A photograph that was shown before, held a little further away.
    Again(PathBuf),
}

/// What a needle is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Object,
    Sign,
    Spoken,
    Change,
}

/// What makes an answer right.
#[derive(Debug, Clone)]
pub enum Right {
    /// It holds one of these.
    Words(Vec<String>),
    /// It says yes, with about the right time.
    YesThen,
    /// It says when: within the time of the needle.
    Then,
}

/// Something to be remembered.
#[derive(Debug, Clone)]
pub struct Needle {
    pub kind: Kind,
    /// Middle of the time it was there.
    pub at: Duration,
    pub span: (Duration, Duration),
    /// What perception must have said for it to count as reported: one of each list.
    pub reported: Vec<Vec<String>>,
    /// What is asked; `{ago}` is the age.
    pub question: String,
    pub right: Right,
}

/// A stretch of the day.
#[derive(Debug, Clone)]
pub struct Scene {
    pub start: Duration,
    pub end: Duration,
    pub show: Show,
    /// What is said aloud in its middle.
    pub speech: Option<String>,
    /// What is asked about the present in its middle, and what the answer must hold.
    pub present: Option<(String, Vec<String>)>,
    /// Whether it is asked if this was shown before, and when it was if it was.
    pub again: Option<Option<(Duration, Duration)>>,
}

/// The day.
pub struct Day {
    pub scenes: Vec<Scene>,
    pub needles: Vec<Needle>,
    /// Names of things that were never shown.
    pub absent: Vec<String>,
    pub end: Duration,
}

struct Photo {
    path: PathBuf,
    /// Its class in the usual lists, and in plain words.
    names: Vec<String>,
}

struct Stock {
    photos: Vec<Photo>,
    rooms: Vec<PathBuf>,
    clips: Vec<(PathBuf, u64)>,
    /// What is to be shown a second time: when, what, and when it was shown first.
    again: Vec<(Duration, PathBuf, (Duration, Duration))>,
    rng: StdRng,
}

/// One of each number of needles per hour.
const OBJECTS_BY_TIME: usize = 18;
const OBJECTS_BY_NAME: usize = 10;
const OBJECTS_WHEN: usize = 8;
const SIGNS: usize = 10;
const SIGNS_WHEN: usize = 4;
const CHANGES: usize = 8;
const ABSENT: usize = 12;

/// The files of animals come first by name.
const LAST_ANIMAL: &str = "n02200000";

/// Draws the day.
pub fn draw(args: &Args) -> Day {
    let mut stock = Stock::open(args);
    let absent: Vec<String> = (0..ABSENT).map(|_| stock.animal().names[0].clone()).collect();
    let mut plan: Vec<Planned> = Vec::new();
    let times = (args.hours.max(0.05) * 1.0).max(0.05);
    let n = |base: usize| ((base as f64 * times).round() as usize).max(1);
    for i in 0..n(OBJECTS_BY_TIME + OBJECTS_BY_NAME + OBJECTS_WHEN) {
        plan.push(stock.object(i % (OBJECTS_BY_TIME + OBJECTS_BY_NAME + OBJECTS_WHEN)));
    }
    (0..n(SIGNS + SIGNS_WHEN)).for_each(|i| plan.push(stock.sign(i % (SIGNS + SIGNS_WHEN) >= SIGNS)));
    let facts = spoken(&mut stock.rng);
    let many = n(facts.len()).min(facts.len());
    plan.extend(facts.into_iter().take(many).map(|f| stock.said(f)));
    (0..n(CHANGES)).for_each(|i| plan.push(stock.change(i)));
    plan.shuffle(&mut stock.rng);
    lay_out(args, &mut stock, plan, absent)
}

/// A needle and the scenes that make it.
struct Planned {
    kind: Kind,
    shows: Vec<Show>,
    speech: Option<String>,
    /// Which of `shows` is asked about.
    asked: usize,
    reported: Vec<Vec<String>>,
    question: String,
    right: Right,
    present: Option<(String, Vec<String>)>,
}

fn lay_out(args: &Args, stock: &mut Stock, plan: Vec<Planned>, absent: Vec<String>) -> Day {
    let shown = Duration::from_secs_f64(args.hours * 3_600.0);
    let each = shown / u32::try_from(plan.len()).unwrap_or(1).max(1);
    let mut day = Day { scenes: Vec::new(), needles: Vec::new(), absent, end: Duration::ZERO };
    for (i, p) in plan.into_iter().enumerate() {
        let until = each * u32::try_from(i).unwrap_or(0);
        stock.fill(&mut day, until);
        let mut span = (Duration::ZERO, Duration::ZERO);
        for (k, show) in p.shows.into_iter().enumerate() {
            let (start, end) = (day.end, day.end + NEEDLE);
            if k == p.asked {
                span = (start, end);
            }
            let speech = p.speech.clone().filter(|_| k == p.asked);
            let present = p.present.clone().filter(|_| k == p.asked);
            if let (Show::Picture(path), Kind::Object, true) = (&show, p.kind, p.question.contains("{ago}")) {
                let due = end + Duration::from_secs(AGES[1 + day.needles.len() % (AGES.len() - 1)].0);
                stock.again.push((due, path.clone(), (start, end)));
            }
            day.scenes.push(Scene { start, end, show, speech, present, again: None });
            day.end = end;
        }
        // A change is asked about by the moment at which it happened.
        let moment = p.kind == Kind::Change && p.question.contains("{ago}");
        let at = if moment { span.0 } else { span.0 + (span.1 - span.0) / 2 };
        let (kind, reported, question, right) = (p.kind, p.reported, p.question, p.right);
        day.needles.push(Needle { kind, at, span, reported, question, right });
    }
    // The last needle's greatest age has to come.
    let end = day.end + Duration::from_secs(AGES[AGES.len() - 1].0 + 30);
    stock.fill(&mut day, end);
    day
}

impl Stock {
    fn open(args: &Args) -> Self {
        let mut rng = StdRng::seed_from_u64(args.seed);
        let table = fs::read_to_string(args.pictures.join("labels.tsv")).expect("labels.tsv can be read");
        let photo = |line: &str| {
            let (file, listed) = line.split_once('\t')?;
            let path = args.pictures.join(file);
            let listed = listed.trim().to_lowercase();
            let plain = LABELS.iter().find(|c| c.listed.eq_ignore_ascii_case(&listed))?.name.to_lowercase();
            let names = if plain == listed { vec![listed] } else { vec![plain, listed] };
            path.is_file().then_some(Photo { path, names })
        };
        let mut photos: Vec<Photo> = table.lines().filter_map(photo).collect();
        // Two classes of one name cannot be told apart by it.
        let all: Vec<Vec<String>> = photos.iter().map(|p| p.names.clone()).collect();
        photos.retain(|p| all.iter().filter(|other| other.iter().any(|n| p.names.contains(n))).count() == 1);
        photos.sort_by(|a, b| a.path.cmp(&b.path));
        photos.shuffle(&mut rng);
        let mut rooms = files(&args.scenes, "jpg");
        if rooms.is_empty() {
            rooms = photos.iter().rev().take(100).map(|p| p.path.clone()).collect();
        }
        rooms.shuffle(&mut rng);
        let clips = files(&args.clips, "mp4").into_iter().map(|f| (f, 0)).collect();
        Self { photos, rooms, clips, again: Vec::new(), rng }
    }

    fn room(&mut self) -> PathBuf {
        let i = self.rng.random_range(0..self.rooms.len());
        self.rooms[i].clone()
    }

    fn photo(&mut self) -> Photo {
        self.photos.pop().expect("more photographs than the day needs")
    }

    /// Of the animals: rooms and streets, which are shown in between, hold cars and refrigerators, but no axolotl.
    fn animal(&mut self) -> Photo {
        let is = |p: &Photo| p.path.file_name().is_some_and(|n| n.to_string_lossy().as_ref() < LAST_ANIMAL);
        let i = self.photos.iter().rposition(|p| is(p) && !is_broader_than_others(&p.names));
        self.photos.remove(i.expect("more photographs of animals than the day needs"))
    }

    fn object(&mut self, i: usize) -> Planned {
        let mut photo = self.photo();
        // Who asks for a pig by name has seen one in each wild boar, too.
        while i >= OBJECTS_BY_TIME && is_broader_than_others(&photo.names) {
            self.photos.insert(0, photo);
            photo = self.photo();
        }
        let name = photo.names[0].clone();
        let (question, right) = if i < OBJECTS_BY_TIME {
            ("What did I show you {ago}?".to_owned(), Right::Words(photo.names.clone()))
        } else if i < OBJECTS_BY_TIME + OBJECTS_BY_NAME {
            (format!("Did I show you {}?", article(&name)), Right::YesThen)
        } else {
            (format!("When did you last see the {name}?"), Right::Then)
        };
        let present = Some(("What is this?".to_owned(), photo.names.clone()));
        let (shows, reported) = (vec![Show::Picture(photo.path)], vec![photo.names]);
        Planned { kind: Kind::Object, shows, speech: None, asked: 0, reported, question, right, present }
    }

    fn sign(&mut self, when: bool) -> Planned {
        let text = sign_text(&mut self.rng);
        let words = vec![text.clone()];
        let (question, right) = if when {
            (format!("When did you see a sign that said {}?", text.to_lowercase()), Right::Then)
        } else {
            ("What did the sign say {ago}?".to_owned(), Right::Words(words.clone()))
        };
        let shows = vec![Show::Sign { room: self.room(), text }];
        let present = Some(("What does the sign say?".to_owned(), words.clone()));
        Planned { kind: Kind::Sign, shows, speech: None, asked: 0, reported: vec![words], question, right, present }
    }

    fn said(&mut self, fact: Fact) -> Planned {
        let shows = vec![Show::Picture(self.room())];
        let (reported, right) =
            (vec![fact.answer.clone(), fact.key.split('|').map(str::to_owned).collect()], Right::Words(fact.answer));
        let speech = Some(fact.said);
        Planned { kind: Kind::Spoken, shows, speech, asked: 0, reported, question: fact.asked, right, present: None }
    }

    fn change(&mut self, i: usize) -> Planned {
        let (shows, reported, question, asked) = match i % 4 {
            0 | 1 => {
                let (a, b, room) = (sign_text(&mut self.rng), sign_text(&mut self.rng), self.room());
                let question = format!("What did the sign say before it said {}?", b.to_lowercase());
                let sign = |text: &String| Show::Sign { room: room.clone(), text: text.clone() };
                (vec![sign(&a), sign(&b)], vec![vec![a], vec![b]], question, 0)
            }
            2 => {
                let (a, b) = (self.photo(), self.animal());
                let question = format!("What did I show you before the {}?", b.names[0]);
                (vec![Show::Picture(a.path), Show::Picture(b.path)], vec![a.names, b.names], question, 0)
            }
            _ => {
                let room = self.room();
                let shows = vec![Show::Picture(room.clone()), Show::Dark(room)];
                (shows, vec![vec!["it became darker".to_owned()]], "What changed {ago}?".to_owned(), 1)
            }
        };
        let right = if i % 4 == 3 {
            Right::Words(vec!["darker".to_owned(), "dark".to_owned()])
        } else {
            Right::Words(reported[0].clone())
        };
        Planned { kind: Kind::Change, shows, speech: None, asked, reported, question, right, present: None }
    }

    /// Rooms, clips and photographs of other classes, until `until`.
    fn fill(&mut self, day: &mut Day, until: Duration) {
        while day.end < until {
            let length = Duration::from_secs(self.rng.random_range(FILLER_S));
            let end = (day.end + length).min(until.max(day.end + Duration::from_secs(2)));
            let due = self.again.iter().position(|(due, ..)| *due <= day.end);
            if let Some((_, path, first)) = due.map(|i| self.again.remove(i)) {
                let (start, end) = (day.end, day.end + NEEDLE);
                let show = Show::Again(path);
                day.scenes.push(Scene { start, end, show, speech: None, present: None, again: Some(Some(first)) });
                day.end = end;
                continue;
            }
            let mut present = None;
            let show = match self.rng.random_range(0..10) {
                0 if !self.clips.is_empty() => {
                    let i = self.rng.random_range(0..self.clips.len());
                    let from_s = self.clips[i].1;
                    self.clips[i].1 = (from_s + 20) % 30;
                    Show::Clip { file: self.clips[i].0.clone(), from_s }
                }
                1..=4 if self.photos.len() > 40 => {
                    let photo = self.photo();
                    present = Some(("What is this?".to_owned(), photo.names));
                    Show::Picture(photo.path)
                }
                _ => Show::Picture(self.room()),
            };
            // One present question in three is enough; one photograph in ten is asked about as if it had been shown before.
            let (photo, long) = (present.is_some(), end - day.end >= Duration::from_secs(8));
            let present = present.filter(|_| self.rng.random_bool(0.35) && long);
            let again = (photo && long && present.is_none() && self.rng.random_bool(0.15)).then_some(None);
            day.scenes.push(Scene { start: day.end, end, show, speech: None, present, again });
            day.end = end;
        }
    }
}

fn is_broader_than_others(names: &[String]) -> bool {
    let is = |word: &str| names.iter().any(|n| n == word);
    LABELS.iter().any(|c| !is(c.name) && c.broader.iter().any(|b| is(b)))
}

fn files(dir: &Path, ext: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path());
    let mut found: Vec<PathBuf> = entries.filter(|p| p.extension().is_some_and(|e| e == ext)).collect();
    found.sort();
    found
}

pub fn article(noun: &str) -> String {
    if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { format!("an {noun}") } else { format!("a {noun}") }
}

const FIRST: [&str; 16] = [
    "PLATFORM",
    "ROOM",
    "GATE",
    "FRESH BREAD",
    "LIBRARY",
    "PHARMACY",
    "BUS STOP",
    "WET PAINT",
    "MUSEUM",
    "TICKETS",
    "PARKING",
    "RECEPTION",
    "LABORATORY",
    "BAKERY",
    "EXIT",
    "STUDIO",
];

fn sign_text(rng: &mut StdRng) -> String {
    format!("{} {}", FIRST[rng.random_range(0..FIRST.len())], rng.random_range(12..99))
}

struct Fact {
    said: String,
    asked: String,
    answer: Vec<String>,
    /// What the question goes by; misheard, there is nothing to find it by.
    key: &'static str,
}

const NUMBERS: [(&str, &str); 8] = [
    ("twenty one", "21"),
    ("thirty four", "34"),
    ("forty seven", "47"),
    ("fifty two", "52"),
    ("sixty three", "63"),
    ("seventy eight", "78"),
    ("eighty five", "85"),
    ("ninety six", "96"),
];

/// Things people say to a camera that cannot be seen.
fn spoken(rng: &mut StdRng) -> Vec<Fact> {
    let mut numbers = NUMBERS.to_vec();
    numbers.shuffle(rng);
    let mut pick = |of: &[&str]| of[rng.random_range(0..of.len())].to_owned();
    let number = |key: &'static str, said: &str, asked: &str, (words, digits): (&str, &str)| Fact {
        said: said.replace("{}", words),
        asked: asked.to_owned(),
        answer: vec![digits.to_owned(), words.to_owned(), words.replace(' ', "-")],
        key,
    };
    let fact = |key: &'static str, said: &str, asked: &str, value: String| Fact {
        said: said.replace("{}", &value),
        asked: asked.to_owned(),
        answer: vec![value],
        key,
    };
    vec![
        number("locker", "My locker number is {}.", "What is my locker number?", numbers[0]),
        number("flight", "My flight number is {}.", "What was my flight number?", numbers[1]),
        number("car", "I parked the car on level {}.", "Where did I say I parked the car?", numbers[2]),
        fact(
            "parcel",
            "The parcel is in the {}.",
            "What did I tell you about the parcel?",
            pick(&["kitchen", "garage", "cellar", "office"]),
        ),
        fact(
            "doctor",
            "My doctor is called {}.",
            "What is my doctor called?",
            pick(&["Martin", "Susan", "Peter", "Helen"]),
        ),
        fact(
            "colour|color",
            "My favourite colour is {}.",
            "What is my favourite colour?",
            pick(&["purple", "orange", "yellow", "blue"]),
        ),
        fact(
            "key",
            "The spare key is under the {}.",
            "Where did I say the spare key is?",
            pick(&["carpet", "bench", "stone", "mirror"]),
        ),
        fact(
            "buy",
            "I have to buy {} for dinner.",
            "What did I say I have to buy?",
            pick(&["bread", "cheese", "tomatoes", "butter"]),
        ),
        fact(
            "sister",
            "My sister arrives on {}.",
            "When did I say my sister arrives?",
            pick(&["Monday", "Tuesday", "Friday", "Sunday"]),
        ),
        fact(
            "meeting",
            "The meeting is about the new {}.",
            "What did I tell you about the meeting?",
            pick(&["bridge", "school", "hospital", "station"]),
        ),
    ]
}
