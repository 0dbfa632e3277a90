//! Scenes of other voices, other words, other noise, and of recorded people, in two draws: the first was looked at when it had shown where the
//! rules failed, the second was never.

use std::path::Path;

use super::scenes::{ANSWER_MS, Cast, Event, Maker, PERSON, Scene};
use super::sound::{at_level, cough, recorded, say, trimmed};

/// What is drawn.
struct Draw {
    held_out: bool,
    people: [(&'static str, &'static str); 4],
    ours: &'static str,
    answer: &'static str,
    news: (&'static str, [&'static str; 2]),
    /// What it is called, and what is said.
    signs: &'static [(&'static str, &'static str)],
    /// Milliseconds, bursts, level.
    coughs: [(usize, usize, f32); 3],
    /// Level, time.
    televisions: [(f32, u64); 3],
    /// Level, delay.
    echoes: [(f32, usize); 4],
    signs_over_us: [(f32, &'static str); 2],
    turns_over_us: [(f32, &'static str); 5],
    turns: &'static [&'static str],
}

const FIRST: Draw = Draw {
    held_out: false,
    people: [
        ("en-us+m4", "How does the kitchen look?"),
        ("en-gb+f1", "What is on the shelf over there?"),
        ("en-us+f5", "Read me the letter please."),
        ("en-gb-scotland+m6", "Who is in the garden?"),
    ],
    ours: "en-us+m2",
    answer: "The kitchen is bright and tidy. A blue kettle stands on the stove beside two white bowls, and under the window there is a small round \
        table with a newspaper, a pair of glasses and a half eaten sandwich on a wooden board.",
    news: (
        "And that brings us to the football. After a slow first half the visitors scored twice within three minutes, and their captain told our \
         reporter that nobody in the stadium had expected such a finish.",
        ["en-us+f3", "en-gb+m8"],
    ),
    signs: &[
        ("yep", "Yep."),
        ("sure", "Sure."),
        ("really", "Oh really?"),
        ("got it, thanks", "Got it, thanks."),
        ("that makes sense", "That makes sense."),
        ("mm, nice", "[[m:]], nice."),
        ("exactly", "Exactly."),
        ("ah okay", "Ah, okay."),
    ],
    coughs: [(220, 1, 2.0), (280, 3, 3.0), (180, 2, -2.0)],
    televisions: [(-15.0, 500), (-17.0, 1_200), (-21.0, 800)],
    echoes: [(-25.0, 70), (-12.0, 150), (-5.0, 50), (0.0, 200)],
    signs_over_us: [(-15.0, "Sure."), (-8.0, "Ah, okay.")],
    turns_over_us: [
        (-25.0, "No, stop."),
        (-15.0, "Wait a moment."),
        (-12.0, "Is there any bread?"),
        (-8.0, "And where are the keys?"),
        (0.0, "Never mind, thank you, that is enough."),
    ],
    turns: &[
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
    ],
};

const SECOND: Draw = Draw {
    held_out: true,
    people: [
        ("en-us+m1", "Is anybody in the hall?"),
        ("en-gb+f5", "What does my desk look like?"),
        ("en-us+f2", "Tell me what you see outside."),
        ("en-gb+m7", "Which books are on the table?"),
    ],
    ours: "en-us+f3",
    answer: "There are three people in the hall. Two of them are sitting on a long bench and talk, and a man in a grey coat is standing next to the \
        stairs. On the wall behind him hangs a large painting of a ship, and the floor is covered with a dark carpet.",
    news: (
        "Prices for bread and milk have risen again this month. Shopkeepers say that transport has become more expensive, while farmers hope for \
         better weather and a rich harvest before the end of the summer.",
        ["en-gb+f4", "en-us+m5"],
    ),
    signs: &[
        ("yes", "Yes."),
        ("cool", "Cool."),
        ("good", "Oh, good."),
        ("fair enough", "Fair enough."),
        ("I understand", "I understand."),
        ("hmm, interesting", "[[hm:]], interesting."),
        ("of course", "Of course."),
        ("yeah, I know", "Yeah, I know."),
    ],
    coughs: [(240, 2, 1.0), (320, 1, 4.0), (200, 3, -3.0)],
    televisions: [(-15.0, 700), (-18.0, 1_000), (-23.0, 400)],
    echoes: [(-28.0, 110), (-15.0, 60), (-8.0, 180), (0.0, 130)],
    signs_over_us: [(-18.0, "Cool."), (-10.0, "Yes, yes.")],
    turns_over_us: [
        (-28.0, "Stop now."),
        (-18.0, "Hold on please."),
        (-14.0, "What is he wearing?"),
        (-10.0, "No, on the right."),
        (0.0, "Wait, I want to know who that is."),
    ],
    turns: &[
        "Wait, wait.",
        "Cancel that.",
        "Enough.",
        "Why is he standing there?",
        "Show me the window first.",
        "Go back to the beginning.",
        "I asked about the other room.",
        "Slower.",
        "Excuse me, who is that?",
        "Yes, and how many chairs?",
        "Are the lights still on?",
        "Could you read the title again?",
    ],
};

/// One of the two.
pub(crate) fn all(second: bool) -> Vec<Scene> {
    let d = if second { SECOND } else { FIRST };
    let cast = Cast { people: d.people, ours: d.ours, answer: d.answer };
    let mut m = Maker { list: Vec::new(), cast, held_out: d.held_out, seed: if second { 2_001 } else { 1_001 } };
    harmless(&mut m, &d);
    echoes(&mut m, &d);
    turns(&mut m, &d);
    people(&mut m, second);
    m.list
}

fn harmless(m: &mut Maker, d: &Draw) {
    for (i, (name, text)) in d.signs.iter().enumerate() {
        let event = m.says(i, text, ANSWER_MS + 700 + 310 * (i as u64 % 4), -2.0);
        m.add(&format!("says \"{name}\""), i, vec![event], None, None);
    }
    for (i, (ms, bursts, level)) in d.coughs.into_iter().enumerate() {
        let event = Event { at: ANSWER_MS + 1_300, sound: cough(ms, bursts, PERSON + level, m.seed + i as u32) };
        m.add(&format!("coughs {bursts} x {ms} ms at {level:+} dB"), i, vec![event], None, None);
    }
    for (i, (level, at)) in d.televisions.into_iter().enumerate() {
        let event = Event { at: ANSWER_MS + at, sound: say(d.news.1[i % 2], d.news.0, PERSON + level) };
        m.add(&format!("a television at {level} dB"), i, vec![event], None, None);
    }
}

fn echoes(m: &mut Maker, d: &Draw) {
    for (i, (level, delay)) in d.echoes.into_iter().enumerate() {
        m.add(&format!("our own voice at {level} dB after {delay} ms"), i, Vec::new(), None, Some((level, delay)));
    }
    for (i, (level, text)) in d.signs_over_us.into_iter().enumerate() {
        let event = m.says(i, text, ANSWER_MS + 2_300, 0.0);
        m.add(&format!("over our voice at {level} dB: \"{text}\""), i, vec![event], None, Some((level, 110)));
    }
    for (i, (level, text)) in d.turns_over_us.into_iter().enumerate() {
        let at = ANSWER_MS + 2_600;
        let event = m.says(i, text, at, 0.0);
        let name = format!("over our voice at {level} dB: \"{text}\"");
        m.add(&name, i, vec![event], Some(at), Some((level, 70 + 30 * i)));
    }
}

fn turns(m: &mut Maker, d: &Draw) {
    for (i, text) in d.turns.iter().enumerate() {
        let at = ANSWER_MS + 600 + 370 * (i as u64 % 6);
        let event = m.says(i, text, at, -1.0);
        m.add(&format!("says \"{text}\""), i, vec![event], Some(at), None);
    }
}

/// A person who reads from a book, recorded: as somebody who interrupts, and as a television. The second time at other moments, and at other
/// levels of our own voice.
fn people(m: &mut Maker, second: bool) {
    let (echo, far, later) = if second { (-20.0, -21.0, 430) } else { (-15.0, -18.0, 0) };
    for (i, number) in ["0870", "0880", "0890", "0920", "0930"].into_iter().enumerate() {
        let file = format!("tests/data/speech/sense_and_sensibility_{number}.flac");
        let Some(sound) = recorded(Path::new(&file)) else { continue };
        let (sound, at) = (trimmed(&sound, PERSON), ANSWER_MS + 900 + later + 290 * i as u64);
        let over_us = (i % 2 == usize::from(!second)).then_some((echo, 90));
        let beside = over_us.map_or_else(String::new, |(level, _)| format!("over our voice at {level} dB: "));
        let event = Event { at, sound: sound.clone() };
        m.add(&format!("{beside}a recorded person ({number})"), i, vec![event], Some(at), over_us);
        let event = Event { at, sound: at_level(&sound, PERSON + far) };
        m.add(&format!("a recorded person at {far} dB ({number})"), i, vec![event], None, None);
    }
}
