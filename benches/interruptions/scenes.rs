//! The scenes. These were looked at while thresholds were chosen; so were those of the first draw of `held_out.rs`; those of the second were not.

use super::held_out;
use super::sound::{Chance, at_level, begins_after, cough, mix, room, say};

/// How loud the person is, dBFS.
pub(crate) const PERSON: f32 = -24.0;
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
    pub held_out: bool,
    /// Without our own voice.
    pub microphone: Vec<f32>,
    /// What would be played if nothing held it back. Empty when answers are text.
    pub played: Vec<f32>,
    /// The same as it comes back from the room, and how much later, in milliseconds.
    pub back: Vec<f32>,
    pub delay_ms: usize,
}

/// Who speaks, and what they ask first; and our own voice.
pub(crate) struct Cast {
    pub people: [(&'static str, &'static str); 4],
    pub ours: &'static str,
    pub answer: &'static str,
}

const CAST: Cast = Cast {
    people: [
        ("en-us+m3", "What do you see on the table?"),
        ("en-gb+f2", "Tell me about this room."),
        ("en-us+f4", "What is in front of me?"),
        ("en-gb-scotland+m2", "Describe the picture please."),
    ],
    ours: "en-gb-x-rp+m1",
    answer: OUR_ANSWER,
};

const OUR_ANSWER: &str = "I can see a wooden table with a red cup on it, and behind it an open window with a green plant. There is a chair on the left \
    with a brown jacket on it, and a lamp that stands on the floor beside a large shelf full of old books.";
const NEWS: &str = "Good evening. The government has announced new measures for the railways today. In the north, heavy rain is expected until Thursday, \
    and the minister said that help would arrive within a few hours.";

pub(crate) struct Maker {
    pub list: Vec<Scene>,
    pub cast: Cast,
    pub held_out: bool,
    pub seed: u32,
}

/// What happens: where, and how it sounds.
pub(crate) struct Event {
    pub at: u64,
    pub sound: Vec<f32>,
}

impl Maker {
    /// A scene of person `who`; `interrupts` is the moment from which the answer should stop.
    pub fn add(
        &mut self,
        name: &str,
        who: usize,
        events: Vec<Event>,
        interrupts: Option<u64>,
        echo: Option<(f32, usize)>,
    ) {
        let held_out = self.held_out;
        let (voice, question) = self.cast.people[who % 4];
        let seed = self.list.len() as u32 + self.seed;
        let mut chance = Chance::new(seed);
        let mut microphone: Vec<f32> = (0..LONG_MS * 16).map(|_| chance.next() * 4e-4).collect();
        mix(&mut microphone, ASKS_MS, &say(voice, question, PERSON));
        let (mut played, mut back, delay_ms) = (Vec::new(), Vec::new(), echo.map_or(0, |e| e.1));
        if let Some((level, _)) = echo {
            played = vec![0.0; microphone.len()];
            mix(&mut played, ANSWER_MS + 200, &say(self.cast.ours, self.cast.answer, -20.0));
            back = at_level(&room(&played, 0, seed), PERSON + level);
        }
        let kind = interrupts.map_or(Kind::Harmless, |at| {
            let soft = events.iter().find(|e| e.at == at).map_or(0, |e| begins_after(&e.sound));
            Kind::Interrupts { onset: at + soft }
        });
        for event in events {
            mix(&mut microphone, event.at, &event.sound);
        }
        self.list.push(Scene { name: name.into(), kind, held_out, microphone, played, back, delay_ms });
    }

    pub fn says(&self, who: usize, text: &str, at: u64, level: f32) -> Event {
        Event { at, sound: say(self.cast.people[who % 4].0, text, PERSON + level) }
    }
}

/// All scenes, or those that may be looked at.
pub(crate) fn all(with_held_out: bool) -> Vec<Scene> {
    let mut m = Maker { list: Vec::new(), cast: CAST, held_out: false, seed: 1 };
    signs(&mut m);
    coughs(&mut m);
    televisions(&mut m);
    echoes(&mut m);
    interruptions(&mut m);
    m.list.extend(held_out::all(false));
    if with_held_out {
        m.list.extend(held_out::all(true));
    }
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
        let event = m.says(i, text, ANSWER_MS + 900 + 230 * (i as u64 % 5), -3.0);
        m.add(&format!("says \"{name}\""), i, vec![event], None, None);
    }
    let twice = vec![m.says(1, "Yeah.", ANSWER_MS + 800, -2.0), m.says(1, "Okay.", ANSWER_MS + 2_300, -2.0)];
    m.add("says \"yeah\", then \"okay\"", 1, twice, None, None);
    let twice = vec![m.says(2, "Right.", ANSWER_MS + 700, -2.0), m.says(2, "Got it.", ANSWER_MS + 1_500, -2.0)];
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
        m.add(&format!("over a television: \"{text}\""), i, vec![news, m.says(i, text, at, 0.0)], Some(at), None);
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
        let event = m.says(i, text, ANSWER_MS + 2_000, 0.0);
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
        let event = m.says(i, text, at, 0.0);
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
        m.add(&format!("says \"{text}\""), i, vec![m.says(i, text, at, -1.0)], Some(at), None);
    }
}
