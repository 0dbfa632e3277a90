//! The scenes. The even ones of each kind were looked at while thresholds were chosen, the odd ones were not.

use super::sound::{Chance, at_level, cough, mix, room, say};

/// How loud the person is, dBFS.
const PERSON: f32 = -24.0;
/// When the person begins to ask.
pub(crate) const ASKS_MS: u64 = 600;
/// When the answer begins; the person has finished by then.
pub(crate) const ANSWER_MS: u64 = 3_600;
/// How long a scene is.
const LONG_MS: u64 = 11_000;

/// What should happen.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// The answer goes on.
    Harmless,
    /// The answer stops after this moment.
    Interrupts {
        /// Milliseconds.
        onset: u64,
    },
}

/// One microphone, and what is played beside it.
pub(crate) struct Scene {
    pub name: String,
    pub kind: Kind,
    pub second_half: bool,
    pub microphone: Vec<f32>,
    /// Empty when answers are text.
    pub played: Vec<f32>,
}

/// Who speaks, and what they ask first.
const PEOPLE: [(&str, &str); 4] = [
    ("en-us+m3", "What do you see on the table?"),
    ("en-gb+f2", "Tell me about this room."),
    ("en-us+f4", "What is in front of me?"),
    ("en-gb-scotland+m2", "Describe the picture please."),
];

const OUR_VOICE: &str = "en-gb-x-rp+m1";
const OUR_ANSWER: &str = "I can see a wooden table with a red cup on it, and behind it an open window with a green plant. There is a chair on the left \
    with a brown jacket on it, and a lamp that stands on the floor beside a large shelf full of old books.";
const NEWS: &str = "Good evening. The government has announced new measures for the railways today. In the north, heavy rain is expected until Thursday, \
    and the minister said that help would arrive within a few hours.";

struct Maker {
    list: Vec<Scene>,
}

/// What happens: where, and how it sounds.
struct Event {
    at: u64,
    sound: Vec<f32>,
}

impl Maker {
    /// A scene of person `who`; `interrupts` is the moment from which the answer should stop.
    fn add(&mut self, name: &str, who: usize, events: Vec<Event>, interrupts: Option<u64>, echo: Option<(f32, usize)>) {
        let second_half = self.list.len() % 2 == 1;
        let (voice, question) = PEOPLE[who % PEOPLE.len()];
        let seed = self.list.len() as u32 + 1;
        let mut chance = Chance::new(seed);
        let mut microphone: Vec<f32> = (0..LONG_MS * 16).map(|_| chance.next() * 4e-4).collect();
        mix(&mut microphone, ASKS_MS, &say(voice, question, PERSON));
        let mut played = Vec::new();
        if let Some((level, delay_ms)) = echo {
            played = vec![0.0; microphone.len()];
            mix(&mut played, ANSWER_MS + 200, &say(OUR_VOICE, OUR_ANSWER, -20.0));
            let back = at_level(&room(&played, delay_ms, seed), PERSON + level);
            mix(&mut microphone, 0, &back);
        }
        for event in events {
            mix(&mut microphone, event.at, &event.sound);
        }
        let kind = interrupts.map_or(Kind::Harmless, |onset| Kind::Interrupts { onset });
        self.list.push(Scene { name: name.into(), kind, second_half, microphone, played });
    }

    fn says(who: usize, text: &str, at: u64, level: f32) -> Event {
        Event { at, sound: say(PEOPLE[who % PEOPLE.len()].0, text, PERSON + level) }
    }
}

/// All scenes.
pub(crate) fn all() -> Vec<Scene> {
    let mut m = Maker { list: Vec::new() };
    signs(&mut m);
    coughs(&mut m);
    televisions(&mut m);
    echoes(&mut m);
    interruptions(&mut m);
    m.list
}

fn signs(m: &mut Maker) {
    let said = [
        ("yeah", "Yeah."),
        ("okay", "Okay."),
        ("right", "Right."),
        ("I see", "I see."),
        ("oh wow", "Oh, wow!"),
        ("uh-huh", "[[V'hV]]"),
        ("mm-hm", "[[m'hm]]"),
        ("hm", "[[hm:]]"),
        ("okay, right", "Okay, right."),
        ("yeah, of course", "Yeah, of course."),
        ("a laugh", "[[hahaha'ha]]"),
        ("another laugh", "[[h'Ehehehe]]"),
    ];
    for (i, (name, text)) in said.into_iter().enumerate() {
        let event = Maker::says(i, text, ANSWER_MS + 900 + 230 * (i as u64 % 5), -3.0);
        m.add(&format!("says \"{name}\""), i, vec![event], None, None);
    }
    let twice = vec![Maker::says(1, "Yeah.", ANSWER_MS + 800, -2.0), Maker::says(1, "Okay.", ANSWER_MS + 2_300, -2.0)];
    m.add("says \"yeah\", then \"okay\"", 1, twice, None, None);
    let twice =
        vec![Maker::says(2, "Right.", ANSWER_MS + 700, -2.0), Maker::says(2, "Got it.", ANSWER_MS + 1_500, -2.0)];
    m.add("says \"right\", then \"got it\"", 2, twice, None, None);
}

fn coughs(m: &mut Maker) {
    for (i, (ms, bursts, level)) in
        [(250, 1, 4.0), (300, 2, 0.0), (200, 2, 6.0), (350, 1, -4.0)].into_iter().enumerate()
    {
        let event = Event { at: ANSWER_MS + 1_000, sound: cough(ms, bursts, PERSON + level, 40 + i as u32) };
        m.add(&format!("coughs {bursts} x {ms} ms at {level:+} dB"), i, vec![event], None, None);
    }
}

fn televisions(m: &mut Maker) {
    for (i, (level, at)) in [(-15.0, 900), (-16.0, 1_400), (-18.0, 1_000), (-20.0, 600), (-25.0, 700), (-22.0, 1_100)]
        .into_iter()
        .enumerate()
    {
        let voice = ["en-gb+f3", "en-us+m7"][i % 2];
        let event = Event { at: ANSWER_MS + at, sound: say(voice, NEWS, PERSON + level) };
        m.add(&format!("a television at {level} dB"), i, vec![event], None, None);
    }
    for (i, text) in ["Wait, what about the window?", "No, the other one."].into_iter().enumerate() {
        let at = ANSWER_MS + 2_500;
        let news = Event { at: ANSWER_MS + 300, sound: say("en-gb+f3", NEWS, PERSON - 18.0) };
        m.add(&format!("over a television: \"{text}\""), i, vec![news, Maker::says(i, text, at, 0.0)], Some(at), None);
    }
}

fn echoes(m: &mut Maker) {
    for (i, (level, delay)) in
        [(-30.0, 60), (-20.0, 120), (-10.0, 40), (0.0, 180), (-20.0, 250), (-10.0, 220), (0.0, 90), (-30.0, 300)]
            .into_iter()
            .enumerate()
    {
        m.add(&format!("our own voice at {level} dB after {delay} ms"), i, Vec::new(), None, Some((level, delay)));
    }
    for (i, (level, text)) in
        [(-20.0, "Yeah."), (-10.0, "Okay."), (-20.0, "I see."), (-10.0, "Right, right.")].into_iter().enumerate()
    {
        let event = Maker::says(i, text, ANSWER_MS + 2_000, 0.0);
        m.add(&format!("over our voice at {level} dB: \"{text}\""), i, vec![event], None, Some((level, 100)));
    }
    for (i, (level, text)) in [
        (-30.0, "Stop."),
        (-20.0, "Wait, what colour is it?"),
        (-20.0, "No, the other side."),
        (-10.0, "Hold on, where is my phone?"),
        (-10.0, "Please read the sign."),
        (0.0, "Stop, stop it."),
    ]
    .into_iter()
    .enumerate()
    {
        let at = ANSWER_MS + 2_200;
        let event = Maker::says(i, text, at, 0.0);
        m.add(
            &format!("over our voice at {level} dB: \"{text}\""),
            i,
            vec![event],
            Some(at),
            Some((level, 80 + 20 * i)),
        );
    }
}

fn interruptions(m: &mut Maker) {
    let said = [
        "Stop.",
        "Wait.",
        "No, no.",
        "Hold on a second.",
        "What about the window?",
        "Turn around please.",
        "I meant the blue one.",
        "How many chairs are there?",
        "Louder.",
        "Okay, but where is the cup?",
        "Actually, read me the sign.",
        "Can you see my keys?",
        "Yeah, and what is behind it?",
        "That is not a cup.",
    ];
    for (i, text) in said.into_iter().enumerate() {
        let at = ANSWER_MS + 500 + 410 * (i as u64 % 6);
        m.add(&format!("says \"{text}\""), i, vec![Maker::says(i, text, at, -1.0)], Some(at), None);
    }
}
