//! Scenes that were never looked at while thresholds were chosen: other voices, other words, other noise, and recorded people.

use std::path::Path;

use super::scenes::{ANSWER_MS, Cast, Event, Maker, PERSON, Scene};
use super::sound::{at_level, cough, recorded, say, trimmed};

const CAST: Cast = Cast {
    people: [
        ("en-us+m4", "How does the kitchen look?"),
        ("en-gb+f1", "What is on the shelf over there?"),
        ("en-us+f5", "Read me the letter please."),
        ("en-gb-scotland+m6", "Who is in the garden?"),
    ],
    ours: "en-us+m2",
    answer: "The kitchen is bright and tidy. A blue kettle stands on the stove beside two white bowls, and under the window there is a small round \
        table with a newspaper, a pair of glasses and a half eaten sandwich on a wooden board.",
};
const SPORTS: &str = "And that brings us to the football. After a slow first half the visitors scored twice within three minutes, and their captain \
    told our reporter that nobody in the stadium had expected such a finish.";

/// All of them.
pub(crate) fn all() -> Vec<Scene> {
    let mut m = Maker { list: Vec::new(), cast: CAST, held_out: true };
    harmless(&mut m);
    echoes(&mut m);
    interruptions(&mut m);
    people(&mut m);
    m.list
}

fn harmless(m: &mut Maker) {
    for (i, (name, text)) in [
        ("yep", "Yep."),
        ("sure", "Sure."),
        ("really", "Oh really?"),
        ("got it, thanks", "Got it, thanks."),
        ("that makes sense", "That makes sense."),
        ("mm, nice", "[[m:]], nice."),
        ("exactly", "Exactly."),
        ("ah okay", "Ah, okay."),
    ]
    .into_iter()
    .enumerate()
    {
        let event = m.says(i, text, ANSWER_MS + 700 + 310 * (i as u64 % 4), -2.0);
        m.add(&format!("says \"{name}\""), i, vec![event], None, None);
    }
    for (i, (ms, bursts, level)) in [(220, 1, 2.0), (280, 3, 3.0), (180, 2, -2.0)].into_iter().enumerate() {
        let event = Event { at: ANSWER_MS + 1_300, sound: cough(ms, bursts, PERSON + level, 400 + i as u32) };
        m.add(&format!("coughs {bursts} x {ms} ms at {level:+} dB"), i, vec![event], None, None);
    }
    for (i, (level, at)) in [(-15.0, 500), (-17.0, 1_200), (-21.0, 800)].into_iter().enumerate() {
        let voice = ["en-us+f3", "en-gb+m8"][i % 2];
        let event = Event { at: ANSWER_MS + at, sound: say(voice, SPORTS, PERSON + level) };
        m.add(&format!("a television at {level} dB"), i, vec![event], None, None);
    }
}

fn echoes(m: &mut Maker) {
    for (i, (level, delay)) in [(-25.0, 70), (-12.0, 150), (-5.0, 50), (0.0, 200)].into_iter().enumerate() {
        m.add(&format!("our own voice at {level} dB after {delay} ms"), i, Vec::new(), None, Some((level, delay)));
    }
    for (i, (level, text)) in [(-15.0, "Sure."), (-8.0, "Ah, okay.")].into_iter().enumerate() {
        let event = m.says(i, text, ANSWER_MS + 2_300, 0.0);
        m.add(&format!("over our voice at {level} dB: \"{text}\""), i, vec![event], None, Some((level, 110)));
    }
    for (i, (level, text)) in [
        (-25.0, "No, stop."),
        (-15.0, "Wait a moment."),
        (-12.0, "Is there any bread?"),
        (-8.0, "And where are the keys?"),
        (0.0, "Never mind, thank you, that is enough."),
    ]
    .into_iter()
    .enumerate()
    {
        let at = ANSWER_MS + 2_600;
        let event = m.says(i, text, at, 0.0);
        let name = format!("over our voice at {level} dB: \"{text}\"");
        m.add(&name, i, vec![event], Some(at), Some((level, 70 + 30 * i)));
    }
}

fn interruptions(m: &mut Maker) {
    let said = [
        "Stop it.",
        "Hang on.",
        "No.",
        "Who is that over there?",
        "Look at the door instead.",
        "Tell me about the left side.",
        "The green one I mean.",
        "Quieter please.",
        "Sorry, which table?",
        "Right, but is it open?",
        "Do you see a bicycle anywhere?",
        "Is it still raining outside?",
    ];
    for (i, text) in said.into_iter().enumerate() {
        let at = ANSWER_MS + 600 + 370 * (i as u64 % 6);
        let event = m.says(i, text, at, -1.0);
        m.add(&format!("says \"{text}\""), i, vec![event], Some(at), None);
    }
}

/// A person who reads from a book, recorded: as somebody who interrupts, and as a television.
fn people(m: &mut Maker) {
    for (i, number) in ["0870", "0880", "0890", "0920", "0930"].into_iter().enumerate() {
        let file = format!("tests/data/speech/sense_and_sensibility_{number}.flac");
        let Some(sound) = recorded(Path::new(&file)) else { continue };
        let (sound, at) = (trimmed(&sound, PERSON), ANSWER_MS + 900 + 290 * i as u64);
        let echo = (i % 2 == 1).then_some((-15.0, 90));
        let beside = if echo.is_some() { "over our voice at -15 dB: " } else { "" };
        let event = Event { at, sound: sound.clone() };
        m.add(&format!("{beside}a recorded person ({number})"), i, vec![event], Some(at), echo);
        let far = Event { at, sound: at_level(&sound, PERSON - 18.0) };
        m.add(&format!("a recorded person at -18 dB ({number})"), i, vec![far], None, None);
    }
}
