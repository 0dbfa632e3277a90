//! What a day is made of: pictures, clips, signs, sentences.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sightline::model::classify::LABELS;

/// Everyday things whose pictures a classifier of ImageNet usually knows, by the names of the usual lists. Whether it did on the day is
/// measured, not assumed.
const EVERYDAY: &str = "tabby|golden retriever|goldfish|zebra|ostrich|flamingo|koala|giant panda|tiger|brown bear|hippopotamus|\
     gorilla|king penguin|bald eagle|snail|starfish|ladybug|bee|dragonfly|acoustic guitar|ambulance|backpack|balloon|banjo|\
     basketball|binoculars|bookcase|broom|bucket|candle|cello|church|accordion|digital clock|drum|electric fan|electric guitar|\
     fire engine|flute|fountain|frying pan|grand piano|hammer|harp|iron|jigsaw puzzle|laptop|lawn mower|lipstick|mailbox|microphone|\
     microwave|mountain bike|mouse|necklace|padlock|parachute|piggy bank|pillow|pool table|printer|remote control|rocking chair|\
     running shoe|safety pin|school bus|screwdriver|sewing machine|shopping cart|shovel|sombrero|spider web|stethoscope|submarine|\
     sunglasses|teapot|teddy|toaster|tractor|tricycle|typewriter keyboard|umbrella|vase|violin|volleyball|wallet|water bottle|\
     traffic light|cheeseburger|hotdog|broccoli|cauliflower|cucumber|mushroom|strawberry|orange|lemon|pineapple|banana|pomegranate|pizza|\
     bagel|pretzel|ice cream|daisy|acorn";

/// What stands on the signs.
pub const SIGNS: [&str; 18] = [
    "PLATFORM NINE",
    "ROOM 214",
    "WET PAINT",
    "BAKERY",
    "GATE B12",
    "LIBRARY",
    "PUSH TO OPEN",
    "FRESH FISH",
    "NO PARKING",
    "TICKET OFFICE",
    "MIND THE STEP",
    "SUMMER SALE",
    "FIRST AID",
    "LIFT OUT OF ORDER",
    "CAR WASH",
    "HOTEL ASTORIA",
    "QUIET ZONE",
    "BUS STOP 47",
];

/// Signs whose text changes while they are shown.
pub const TURNING: [(&str, &str); 2] = [("OPEN", "CLOSED"), ("WAIT", "READY")];

/// Something that is said, and how it is asked for later.
#[derive(Debug, Clone, Copy)]
pub struct Fact {
    /// What is said.
    pub said: &'static str,
    /// Questions; `{ago}` stands for the time.
    pub asked: [&'static str; 3],
    /// Any of these is the answer; spelled as people and recognisers spell them.
    pub keys: &'static [&'static str],
}

/// Facts that nobody could know by looking.
pub const FACTS: [Fact; 12] = [
    Fact {
        said: "My locker number is forty two.",
        asked: ["What did I tell you about my locker?", "What is my locker number?", "What did I say about my locker {ago}?"],
        keys: &["forty two", "42"],
    },
    Fact {
        said: "The meeting is in room seven.",
        asked: ["What did I tell you about the meeting?", "Where did I say the meeting is?", "What did I say about the meeting {ago}?"],
        keys: &["room seven", "room 7"],
    },
    Fact {
        said: "My sister is called Julia.",
        asked: ["What did I tell you about my sister?", "What is my sister called?", "What did I say about my sister {ago}?"],
        keys: &["julia"],
    },
    Fact {
        said: "I parked the car on level three.",
        asked: ["What did I tell you about the car?", "Where did I park the car?", "What did I say about the car {ago}?"],
        keys: &["level three", "level 3"],
    },
    Fact {
        said: "The password is blue dragon.",
        asked: ["What did I tell you about the password?", "What did I say the password is?", "What did I say about the password {ago}?"],
        keys: &["blue dragon"],
    },
    Fact {
        said: "My flight leaves at nine in the morning.",
        asked: ["What did I tell you about my flight?", "When does my flight leave?", "What did I say about my flight {ago}?"],
        keys: &["nine", "9"],
    },
    Fact {
        said: "I need to buy milk and butter.",
        asked: ["What did I tell you that I need to buy?", "What do I need to buy?", "What did I say {ago} that I need to buy?"],
        keys: &["milk"],
    },
    Fact {
        said: "The key is under the flower pot.",
        asked: ["What did I tell you about the key?", "Where did I say the key is?", "What did I say about the key {ago}?"],
        keys: &["flower pot", "flowerpot"],
    },
    Fact {
        said: "My doctor is called Miller.",
        asked: ["What did I tell you about my doctor?", "What is my doctor called?", "What did I say about my doctor {ago}?"],
        keys: &["miller"],
    },
    Fact {
        said: "The train leaves from platform five.",
        asked: ["What did I tell you about the train?", "Where did I say the train leaves from?", "What did I say about the train {ago}?"],
        keys: &["platform five", "platform 5"],
    },
    Fact {
        said: "Dinner is at eight o'clock.",
        asked: ["What did I tell you about dinner?", "When did I say dinner is?", "What did I say about dinner {ago}?"],
        keys: &["eight", "8"],
    },
    Fact {
        said: "The code for the door is one five nine.",
        asked: ["What did I tell you about the door?", "What did I say the code for the door is?", "What did I say about the door {ago}?"],
        keys: &["one five nine", "159", "1 5 9", "1 59", "15 9"],
    },
];

/// A photograph and its name in the usual lists.
#[derive(Debug, Clone)]
pub struct Picture {
    /// Where it lies.
    pub path: PathBuf,
    /// What it shows.
    pub label: String,
}

/// The pictures of a folder, apart.
pub struct Catalog {
    /// Everyday things, for needles.
    pub known: Vec<Picture>,
    /// Everything else, for the time between.
    pub others: Vec<Picture>,
}

impl Catalog {
    /// Reads `labels.tsv` of a folder: file, tab, name (several, apart by commas, are read as synonyms).
    pub fn read(folder: &Path) -> Result<Self, String> {
        let list = folder.join("labels.tsv");
        let text = std::fs::read_to_string(&list)
            .map_err(|e| format!("{}: {e}; name a folder of pictures with --pictures DIR or SIGHTLINE_PICTURES", list.display()))?;
        let mut by_name: BTreeMap<String, Picture> = BTreeMap::new();
        for (file, label) in text.lines().filter_map(|l| l.split_once('\t')) {
            let label = label.trim().to_owned();
            by_name.entry(label.clone()).or_insert(Picture { path: folder.join(file), label });
        }
        let everyday: Vec<&str> = EVERYDAY.split('|').map(str::trim).collect();
        let (known, others) =
            by_name.into_values().partition(|p| everyday.contains(&p.label.split(',').next().unwrap_or("")));
        Ok(Self { known, others })
    }
}

/// Every word that names the thing: the list's, ours, and the nearest broader one.
pub fn names(label: &str) -> Vec<String> {
    let mut out: Vec<String> = label.split(',').map(|n| n.trim().to_lowercase()).collect();
    for class in LABELS.iter().filter(|c| c.listed.eq_ignore_ascii_case(&out[0]) || c.name.eq_ignore_ascii_case(&out[0])) {
        let broader = class.broader.iter().take(1).copied();
        for name in [class.name, class.listed].into_iter().chain(broader) {
            let name = name.to_lowercase();
            if !out.contains(&name) {
                out.push(name);
            }
        }
    }
    out
}

/// What people call it: our plain name for the class of the list.
pub fn spoken(label: &str) -> String {
    let first = label.split(',').next().unwrap_or(label).trim();
    LABELS.iter().find(|c| c.listed.eq_ignore_ascii_case(first)).map_or_else(|| first.to_owned(), |c| c.name.to_owned())
}
