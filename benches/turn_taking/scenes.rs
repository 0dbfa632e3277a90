//! The dialogues: what is said, and where the person stops to think.

use std::path::Path;

use sightline::listen::{Ending, ending};
use sightline::model::onnx::Threads;
use sightline::model::voice::{Kokoro, Voice};

use super::sound::{Chance, cough, mix, recorded, resample, say, trimmed};

/// How loud the person is, dBFS.
const PERSON: f32 = -24.0;
/// When the person begins.
const BEGINS_MS: u64 = 700;
/// Silence after the last word: longer than anybody is waited for.
const AFTER_MS: u64 = 4_600;

/// Which dialogues.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Set {
    Tuned,
    HeldOut,
    SecondDraw,
}

impl Set {
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Tuned => "tuned",
            Self::HeldOut => "held out",
            Self::SecondDraw => "second draw",
        }
    }
}

/// One microphone.
pub(crate) struct Dialogue {
    pub name: String,
    pub set: Set,
    pub microphone: Vec<f32>,
    /// When the person begins to speak, begins the last stretch, and has said the last word, in milliseconds.
    pub begins: u64,
    pub last_stretch: u64,
    pub ends: u64,
    /// Times the person stops to think.
    pub pauses: usize,
    /// A question or a request that is clearly at its end.
    pub is_finished: bool,
}

/// `|` is a pause in mid-thought. These were looked at while the rules were written.
const TUNED: &[&str] = &[
    "What do you see on the table?",
    "Tell me about this room.",
    "Where did I leave my keys?",
    "Read the sign please.",
    "What colour is the cup?",
    "How many chairs are there?",
    "Is there a dog in the picture?",
    "I have a red cup here.",
    "Yes.",
    "Describe what is in front of me.",
    "Okay, what is that for?",
    "Can you tell me what time it is?",
    "I was wondering if | you can see my keys.",
    "What is on the | the big table over there?",
    "Can you tell me | what this thing is?",
    "Um | where did I put my glasses?",
    "I am looking for | my blue jacket.",
    "So | what else is in the room?",
    "The thing is that | I cannot find my phone.",
    "I would like to | know what the label says.",
    "When I came home yesterday | was the window open?",
    "If you look at the shelf | is there a book about birds?",
    "Show me the | first picture again.",
    "My number is five five five | one two three four.",
    "I put it on the chair and | then it was gone.",
    "Do you know | who was here this morning?",
    "Is the cup next to | the window or the door?",
    "I think | it was a green one.",
    "Tell me when | you see a dog.",
    "There was a man with | a black hat.",
    "I need something for | cutting this rope.",
    "What about | the one on the left?",
    "I went to the shop yesterday | and bought some apples.",
    "Please remember this | my locker is number twelve.",
    "What is lying on the floor?",
    "Who is standing by the door?",
    "Describe the picture on the wall.",
    "What does the label say?",
    "Are there any books on the shelf?",
    "Which of the bottles is full?",
    "Count the plates please.",
    "My jacket is on the sofa.",
    "No, the other side.",
    "Where are my glasses now?",
    "Did you see who came in?",
    "Remember that the code is seven.",
    "I wanted to ask you whether | the light is still on.",
    "Where is the | the small screwdriver?",
    "Could you please | look at the box again?",
    "Uh | how many people are there?",
    "We are trying to find | a way out of here.",
    "And | what was written on it?",
    "The problem is | that the lid does not close.",
    "I'd like you to | count the bottles.",
    "Before I left this morning | was the oven on?",
    "Because it was dark | I could not read the number.",
    "Give me the | name of that flower.",
    "The code is four four | nine two.",
    "She took the bag but | she left the umbrella.",
    "Can you see | the cat under the bed?",
    "Is it behind | the curtain or the plant?",
    "I guess | this is the wrong cable.",
    "Let me know if | somebody comes in.",
    "It looks like | a kind of lamp.",
    "I am waiting for my | sister to call.",
    "How about | the photo in the frame?",
    "This is my new bicycle | and that is the old one.",
    "I have a question | what is this button for?",
    "What is the name of this street?",
    "I am hungry.",
    "Who painted that?",
    "It is raining again.",
    "Turn the music down.",
    "How far is it to the station?",
    "We had pizza for lunch.",
    "The blue one.",
    "Does the dog need water?",
    "My daughter is six years old.",
    "Check the oven please.",
    "That looks delicious.",
    "Why is the floor wet?",
    "She lives in a small village.",
    "Not today.",
    "Find my wallet.",
    "Could you spell that for me?",
    "I finished the report on Friday.",
    "Whose coat is hanging there?",
    "There are two birds on the roof.",
    "Have you seen my umbrella?",
    "He does not like coffee.",
    "Which train goes to the airport?",
    "Maybe later.",
    "I wanted to call you but | the battery was empty.",
    "Do you think that | it will snow tonight?",
    "How many of the | windows are broken?",
    "It was somewhere between | the kitchen and the hall.",
    "My favourite colour is | dark green.",
    "Since we moved here | the children sleep better.",
    "Can you help me | to find the right page?",
    "He asked me if | I could bring the tools.",
    "The meeting starts at | half past nine.",
    "Look at the man who | is sitting on the bench.",
    "We could take the bus or | walk along the river.",
    "Please tell me | how to open this jar.",
    "I know that | this plant needs more light.",
    "What happens if | I press this switch?",
    "On the table next to the lamp | there is an envelope.",
    "Are there any | clean glasses left?",
    "They said they would | come back on Monday.",
    "So what I mean is | we need a bigger box.",
    "Although it is late | I want to finish this.",
    "Where exactly did you | see the ladder?",
    "You should ask your | neighbour about it.",
    "For dinner I want | rice and vegetables.",
    "Once the water boils | put the eggs in.",
    "The old man with the | white beard is my uncle.",
    "Read out the number on | the back of the card.",
    "She is the one who | fixed my computer.",
    "If nobody answers | try the other door.",
    "It smells like | something is burning.",
    "Hmm | which of them is heavier?",
    "Does anybody know | when the shop opens?",
    "I have been to Spain and | to Italy this year.",
    "Compare this one with | the picture I showed you.",
    "We bought bread | milk and some cheese.",
    "I am not sure | but I think it was Tuesday.",
    "Would you say that | this shirt is too big?",
    "The first letter is | a capital M.",
];

/// Written before the rules were last changed, and never run while they were.
const HELD_OUT: &[&str] = &[
    "What is in the box?",
    "Which way is the exit?",
    "Please describe the person at the door.",
    "How much is left in the bottle?",
    "Do I have any messages?",
    "There is a bird on the balcony.",
    "Where did the cat go?",
    "Compare the two photographs.",
    "Are the curtains closed?",
    "Not that one.",
    "Thanks, that is all for now.",
    "Is my tie straight?",
    "I would like to see | the picture from yesterday.",
    "Could you tell me whether | the door is locked?",
    "When the bell rings | please let me know.",
    "My sister said that | she would be here at noon.",
    "What was the | the colour of that car?",
    "Well | what do you think about this chair?",
    "I bought it because | it was very cheap.",
    "We need to find the | red folder.",
    "How do I get from | the kitchen to the garage?",
    "The address is twenty two | Station Road.",
    "If it starts to rain | close the window please.",
    "He put the keys into | his coat pocket.",
    "Read me the | second line on the page.",
    "Did the postman leave | anything for me?",
    "It is about as big as | a shoe box.",
    "Somebody told me that | there is a spider in here.",
    "Right behind the | sofa I think.",
    "After lunch | I will water the plants.",
    "Er | which button turns it off?",
    "Does this jacket go with | these trousers?",
    "I am trying to remember | where I parked the car.",
    "You can see it | on the top shelf.",
];

/// Written after the rules were last changed.
const SECOND_DRAW: &[&str] = &[
    "What time does the museum close?",
    "Is this the right size?",
    "I think we have met before.",
    "Tell me the price of the lamp.",
    "No thanks.",
    "The elevator is out of order.",
    "Where can I wash my hands?",
    "Are those real flowers?",
    "We are leaving at noon.",
    "Switch on the heater please.",
    "Who wrote this letter?",
    "It was cold last night.",
    "On the left.",
    "Can I use this cable for my camera?",
    "My brother works in a bank.",
    "How old is that tree?",
    "Describe the woman at the counter.",
    "The soup needs a little salt.",
    "Did anyone call me?",
    "Look under the bed.",
    "I would rather | stay at home tonight.",
    "What did the | doctor say about it?",
    "Can you find out if | the pharmacy is open?",
    "My password begins with | the letter R.",
    "We were on our way to | the airport then.",
    "Do you remember | what colour the car was?",
    "It hurts when | I lift my arm.",
    "Please read this | but skip the first part.",
    "The train was late so | we missed the show.",
    "Is that the same man who | was here before?",
    "Let me think | maybe it was in March.",
    "I need two eggs | a cup of flour and some butter.",
    "How do I know | when it is done?",
    "While you were out | a parcel came for you.",
    "Her phone number is | six oh two four one one.",
    "There should be a | screw on the floor.",
    "Could you move the | camera to the right?",
    "He is taller than | his older brother.",
    "I am calling because | my order has not arrived.",
    "Can we go | to the other room now?",
    "Somewhere near the | bus stop I lost a glove.",
    "What I like most is | the view from here.",
    "Unless it rains | we will eat outside.",
    "Is it possible to | print this page?",
    "I have never seen | such a big spider.",
    "Tell me about | the painting over the sofa.",
    "They live in a house with | a red roof.",
    "Well I suppose | it could be broken.",
    "Which one of these is | the cheapest?",
    "Yesterday evening | somebody rang the bell.",
    "Er | can you hear me?",
    "Should I put the | salt in first?",
    "My appointment is on | Thursday at three.",
    "The man told me to | wait outside.",
    "Where do you think | she put the scissors?",
    "After you turn left | go straight on.",
    "He wanted to know why | the door was open.",
    "Add milk | sugar and a pinch of cinnamon.",
    "This looks more like | a toy to me.",
    "Would it be better if | I used the other hand?",
];

const TUNED_VOICES: &[&str] =
    &["en-us+m3", "en-gb+f2", "en-us+f4", "en-gb-scotland+m2", "en-us+m7", "en-gb+f3", "en-us+f1", "en-gb+m4"];
const HELD_OUT_VOICES: &[&str] = &["en-us+m1", "en-gb+f5", "en-us+f2", "en-gb+m8"];
const NEWS: &str = "Good evening. The government has announced new measures for the railways today. In the north, heavy rain is expected until \
    Thursday, and the minister said that help would arrive within a few hours.";

/// How the dialogue sounds besides what is said.
const ROOMS: [&str; 6] = ["quiet", "hiss", "television", "cough", "quiet", "fan"];

/// A voice of ours, where its weights are.
pub(crate) type OurVoice = Option<Kokoro>;

pub(crate) fn our_voice(models: &Path) -> OurVoice {
    Kokoro::load(&models.join("kokoro-82m"), &Threads::new(2)).ok()
}

/// All dialogues of one set.
pub(crate) fn of_set(set: Set, ours: &mut OurVoice, data: &Path) -> Vec<Dialogue> {
    let (texts, voices) = match set {
        Set::Tuned => (TUNED, TUNED_VOICES),
        Set::HeldOut => (HELD_OUT, HELD_OUT_VOICES),
        Set::SecondDraw => (SECOND_DRAW, HELD_OUT_VOICES),
    };
    let mut list: Vec<_> = texts.iter().enumerate().map(|(i, text)| dialogue(i, text, voices, set, ours)).collect();
    if set == Set::Tuned {
        list.extend(recording(data));
    }
    list
}

fn spoken(voice: &str, text: &str, ours: Option<&mut Kokoro>) -> Vec<f32> {
    let Some(kokoro) = ours else { return say(voice, text, PERSON) };
    let speech = kokoro.speak(text, 1.0).expect("a sentence of our own");
    trimmed(&resample(&speech.samples, speech.rate_hz as usize), PERSON)
}

fn dialogue(i: usize, text: &str, voices: &[&str], set: Set, ours: &mut OurVoice) -> Dialogue {
    let mut chance = Chance::new(u32::try_from(i).unwrap_or(0) * 2 + set as u32 * 1_001 + 100);
    let room = ROOMS[i % ROOMS.len()];
    let voice = voices[i % voices.len()];
    // Every second dialogue is in our own voice, if it is there: a recogniser hears it more as it hears people.
    let mut kokoro = ours.as_mut().filter(|_| i % 2 == 1);
    let who = if kokoro.is_some() { "kokoro" } else { voice };
    let (mut at, mut parts, mut last_stretch) = (BEGINS_MS, Vec::new(), BEGINS_MS);
    for (n, part) in text.split('|').enumerate() {
        if n > 0 {
            // People stop for a third of a second to one and a half.
            at += 350 + ((chance.next() + 1.0) * 600.0) as u64;
        }
        let sound = spoken(voice, part.trim(), kokoro.as_deref_mut());
        (last_stretch, parts) = (at, [parts, vec![(at, sound)]].concat());
        at += parts.last().map_or(0, |(_, s)| s.len() as u64 / 16);
    }
    let mut microphone: Vec<f32> = (0..(at + AFTER_MS) * 16).map(|_| chance.next() * 4e-4).collect();
    for (when, sound) in &parts {
        mix(&mut microphone, *when, sound);
    }
    let length = microphone.len();
    match room {
        "hiss" => (0..length).for_each(|n| microphone[n] += chance.next() * 3e-3),
        "television" => mix(&mut microphone, 0, &say("en-gb-x-rp+m1", NEWS, PERSON - 30.0)),
        "cough" => mix(&mut microphone, at + 1_200, &cough(250, 1, PERSON - 2.0, 7 + i as u32)),
        "fan" => {
            let mut low = 0.0;
            for sample in &mut microphone {
                low += (chance.next() - low) * 0.05;
                *sample += low * 1e-2;
            }
        }
        _ => {}
    }
    let name = format!("\"{text}\" ({who}, {room})");
    let is_finished = ending(&text.replace('|', "")) == Ending::Finished;
    let (begins, pauses) = (BEGINS_MS, parts.len() - 1);
    Dialogue { name, set, microphone, begins, last_stretch, ends: at, pauses, is_finished }
}

/// The one recording with pauses in mid-thought that there is: "… my fellow Americans | ask not … for you | ask what you can do …".
fn recording(data: &Path) -> Option<Dialogue> {
    let sound = recorded(&data.join("speech/jfk.flac"))?;
    let loudest = sound.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
    let loud = |v: &f32| v.abs() > loudest / 25.0;
    let first = sound.iter().position(loud)?;
    let ends = sound.iter().rposition(loud)? / 16;
    let mut microphone = sound;
    microphone.extend(vec![0.0; AFTER_MS as usize * 16]);
    // By ear and by eye: the last stretch begins after 8.1 s.
    let name = "a recorded speech with pauses (jfk.flac)".to_owned();
    Some(Dialogue {
        name,
        set: Set::Tuned,
        microphone,
        begins: first as u64 / 16,
        last_stretch: 8_100,
        ends: ends as u64,
        pauses: 3,
        is_finished: false,
    })
}
