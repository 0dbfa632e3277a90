//! From words to a condition.

use super::{Condition, Trigger, Wanted, WatchError};
use crate::dialogue::nouns;
use crate::dialogue::question::{self, colour_word};
use crate::dialogue::route::text::At;

/// What joins the order to the condition; those of the second table ask for every time.
const ONCE: &str = "when|if|once|as soon as|the moment|the moment that|the instant|the minute|the second|should|in case|next time|the next time|the first time";
const ALWAYS: &str = "whenever|every time|each time|any time|anytime|everytime|every time that|always when";
const POLITE: &str = "can you|could you|would you|will you|you should|please|just|hey|ok|okay|so|and|now|sightline|i want you to|i need you to|\
     i would like you to|i'd like you to|kindly|then|also|you can|can you please|could you please|would you please|go ahead and|be sure to|\
     make sure to|make sure you|try to|you must|remember to|do not forget to";
/// Orders to speak up; the joiner follows.
const TELL: &str = "tell me|tell us|let me know|let us know|alert me|alert us|warn me|warn us|notify me|notify us|ping me|inform me|remind me|\
     call me|say something|say so|shout|yell|beep|speak up|call out|give me a shout|give me a heads up|give me a call|give me a warning|\
     give me an alert|give me a sign|send me an alert|send me a notification|wake me up|wake me|say it|sound the alarm|say|\
     raise an alarm|announce|buzz me|signal me|holler|sing out|give a shout|flag|update me|report";
/// Orders that name the thing itself.
const WATCH: &str = "watch for|watch out for|look out for|keep an eye out for|keep a lookout for|keep watching for|keep looking for|be on the lookout for|\
     keep watch for|monitor for|watch and wait for|wait for|keep your eyes open for|keep an eye open for|keep your eye out for|stay alert for|\
     alert me about|alert me to|warn me about|warn me of|notify me of|notify me about|look for|alert me of|scan for|keep scanning for";
/// A condition that says what is, not what will be: `tell me if this is ripe` is asked about now.
const STATIC: &str = "this|that is|that was|it is|these|those|there is|there are|he|she|they are|i am|my|you can|you know|you think|we are|you remember|you have|is|are|i should|i can";
/// Past forms: `tell me when I showed you the cup` asks about the past.
const PAST: &str = "was|were|did|had|showed|shown|saw|seen|said|told|came|happened|went|left|began|appeared|started|ended|invented|held|put|has been|have been";
/// Verbs of things happening, after which `tell me if` is an order.
const HAPPENS: &str = "comes|come|appears|appear|turns|turn|leaves|leave|moves|move|changes|change|enters|enter|shows|show|arrives|arrive|opens|open|gets|get|\
     goes|go|falls|fall|starts|start|stops|stop|walks|walk|becomes|become|passes|pass|lands|see|spot|notice|disappears|happens|says|drives|approaches|detect|exits|read|vanishes";

/// The words before and after the first of the phrases, at least one before it.
fn split<'a>(at: At<'a>, phrases: &str) -> Option<(&'a [String], &'a [String])> {
    (at.i + 1..at.words.len()).find_map(|i| {
        let mut here = At::new(at.words, i);
        here.eat(phrases).then(|| (&at.words[at.i..i], here.rest()))
    })
}

fn start(words: &[String]) -> At<'_> {
    At::new(words, 0)
}

fn has(words: &[String], table: &str) -> bool {
    words.iter().any(|w| table.split('|').any(|t| t == w))
}

/// The words of the condition and whether every time is meant, if somebody is asked to watch for something.
pub(crate) fn request(words: &[String]) -> Option<(Vec<String>, bool)> {
    let mut at = start(words);
    let mut asked = false;
    while !at.sees("can you say what") && at.eat(POLITE) {
        asked = true;
    }
    let mut watch = at;
    if watch.eat(WATCH) && !watch.rest().is_empty() && !watch.sees("me|it|this|that") {
        watch.eat("when|if");
        return Some((watch.rest().to_vec(), false));
    }
    let mut tell = at;
    if tell.sees(TELL) {
        let only_tell = tell.sees("tell me|tell us");
        // "Say stop when …": what is to be said does not matter here.
        let free = tell.sees("say|shout|yell|announce|holler");
        tell.eat(TELL);
        for _ in 0..if free { 3 } else { 0 } {
            if tell.sees(ONCE) || tell.sees(ALWAYS) || tell.rest().is_empty() {
                break;
            }
            tell.i += 1;
        }
        let if_ = tell.sees("if|in case|should");
        let always = tell.eat(ALWAYS);
        if always || tell.eat(ONCE) {
            let condition = tell.rest();
            let about_now = (if_ && start(condition).sees(STATIC))
                || (if_ && only_tell && !has(condition, HAPPENS))
                || (if_ && only_tell && asked && start(condition).sees("you see"));
            let wanted = !condition.is_empty() && !has(condition, PAST) && !about_now;
            return wanted.then(|| (condition.to_vec(), always));
        }
        return None;
    }
    let always = at.eat(ALWAYS);
    if !always && !at.eat(ONCE) {
        return None;
    }
    let (condition, order) = split(at, TELL)?;
    let whole = order.is_empty() || order.len() < 5 && !has(order, "what|who|how|where|which|whether|if|about");
    (whole && !has(condition, PAST)).then(|| (condition.to_vec(), always))
}

/// A condition from a request (`tell me when you see a cup`) or from its words alone (`when you see a cup`, `a cup`).
///
/// # Errors
///
/// [`WatchError::Unsupported`] when the words name nothing that perception can see happen.
pub fn parse(text: &str) -> Result<Condition, WatchError> {
    let words = question::words(text);
    let (condition, repeats) = request(&words).unwrap_or_else(|| {
        let mut at = start(&words);
        let always = at.eat(ALWAYS);
        at.eat(ONCE);
        (at.rest().to_vec(), always)
    });
    let mut at = start(&condition);
    while at.eat("that|please|then") {}
    let at = trim(at);
    RULES
        .iter()
        .find_map(|rule| rule(at))
        .map(|trigger| Condition { trigger: in_its_own_letters(trigger, text), repeats })
        .ok_or_else(|| {
            WatchError::Unsupported(if at.rest().is_empty() {
                text.trim().chars().take(80).collect()
            } else {
                at.rest().join(" ")
            })
        })
}

/// Without politeness and hints of time at the end.
fn trim(at: At<'_>) -> At<'_> {
    const END: &[&str] = &["please", "again", "okay", "ok", "thanks", "now"];
    let keep = at.rest().iter().rposition(|w| !END.contains(&w.as_str())).map_or(0, |i| i + 1);
    start(&at.rest()[..keep])
}

type Rule = fn(At<'_>) -> Option<Trigger>;

/// In the order in which they are tried: the more particular come first.
const RULES: [Rule; 9] = [reads, light, turns, count, leaves, moves, changes, comes, visible];

const SEE: &str = "you see|you can see|you spot|you notice|you detect|you find|you recognise|you recognize|you catch sight of|you see that|\
     i show you|i hold up|i am holding|you start seeing|you first see|there is|there are|it is|we have|you get to see|your camera sees|the camera sees";

/// The words that are to be read.
fn reads(mut at: At<'_>) -> Option<Trigger> {
    const ANY: &str = "text|words|writing|letters|any text|some text|any words|something written|some writing|something to read|anything|a text";
    let words = |mut at: At<'_>| {
        at.eat("the|a|that");
        at.eat("word|words|text|letters|number|message|phrase");
        at.eat("says|reads|is|saying");
        let end = at
            .rest()
            .iter()
            .position(|w| ["appears", "appear", "shows", "comes", "somewhere", "on", "anywhere"].contains(&w.as_str()));
        let text = at.rest()[..end.unwrap_or(at.rest().len())].join(" ");
        (!text.is_empty()).then_some(Trigger::Reads(text))
    };
    if at.eat("you can read|you read|you are able to read|i can read") {
        return if start(at.rest()).sees(ANY) && at.rest().len() < 3 {
            Some(Trigger::Reads(String::new()))
        } else {
            words(at)
        };
    }
    let mut seen = at;
    seen.eat(SEE);
    if seen.sees("text|any text|some text|writing|any writing|something written|words")
        && seen.rest().len() < 4
        && !seen.sees("text says|words say")
    {
        return Some(Trigger::Reads(String::new()));
    }
    if seen.sees(
        "the word|the words|the text|the message|the number|the letters|the phrase|a sign that says|a sign saying",
    ) {
        if let Some((_, text)) = split(seen, "says|reads|say|saying|read|shows") {
            return words(start(text));
        }
        return words(seen);
    }
    // "The screen says done": who speaks is no person.
    let (who, text) = split(at, "says|reads|say|displays|read")?;
    (!who.iter().any(|w| nouns::is_person(w)) && !text.is_empty()).then(|| words(start(text))).flatten()
}

fn light(at: At<'_>) -> Option<Trigger> {
    let joined = format!(" {} ", at.rest().join(" "));
    let any = |phrases: &str| phrases.split('|').any(|p| joined.contains(&format!(" {p} ")));
    let becomes = any("gets|becomes|turns|goes|is|gets too|grows|go|are|get|turn");
    if becomes && any("dark|darker|dim|pitch black")
        || any(
            "lights go out|light goes out|lights go off|light goes off|lights turn off|light turns off|light is off|lights are off|light is switched off|lights are switched off|lights are turned off|light is turned off",
        )
    {
        return Some(Trigger::Dark);
    }
    let on = "lights go on|light goes on|lights come on|light comes on|lights turn on|light turns on|light is on|lights are on|light is switched on|lights are switched on|lights are turned on|light is turned on";
    (becomes && any("bright|brighter|light again|it gets light|it becomes light") || any(on)).then_some(Trigger::Bright)
}

/// `the light turns green`.
fn turns(at: At<'_>) -> Option<Trigger> {
    let (what, rest) = split(
        at,
        "turns|turn|becomes|become|changes to|change to|goes|go|gets|switches to|changes colour to|changes color to|is|are|changes from|has turned",
    )?;
    let colour = colour_word(rest.last()?)?;
    let alone = rest.len() == 1 || start(rest).sees("to|all|completely|back") || rest.iter().any(|w| w == "to");
    if !alone {
        return None;
    }
    Some(Trigger::Turns(noun(what)?, colour))
}

/// `there are three people`.
fn count(mut at: At<'_>) -> Option<Trigger> {
    at.eat(SEE);
    let more = at.eat("more than|over");
    at.eat("at least|exactly|about|a total of");
    let first = at.rest().first()?;
    let n = match first.parse::<u8>() {
        Ok(n) => n,
        Err(_) => (1..=12_u8).find(|n| nouns::number(usize::from(*n)) == *first)?,
    };
    at.i += 1;
    at.eat("or more|of");
    let n = n.saturating_add(u8::from(more));
    (n > 0).then_some(())?;
    Some(Trigger::AtLeast(n, noun(at.rest())?))
}

fn leaves(at: At<'_>) -> Option<Trigger> {
    const GOES: &str = "leaves|leave|goes away|go away|disappears|disappear|is gone|are gone|goes out of view|walks away|walk away|goes out|exits|exit|\
         vanishes|is no longer|are no longer|is not there|is out of|drives away|drives off|is away|moves out of|walks out|goes|has left|has gone|\
         is missing|goes missing|flies away|runs away|steps out|is taken|steps away";
    let (what, _) = split(at, GOES)?;
    Some(Trigger::Leaves(noun(what)?))
}

fn moves(at: At<'_>) -> Option<Trigger> {
    if at.sees("there is movement|there is motion|there is any movement|there is any motion|you see movement|you see motion|you detect motion|you detect movement|movement|motion|you see any movement|you notice movement") {
        return Some(Trigger::Moves(None));
    }
    let mut at = at;
    at.eat("you see|you notice");
    let (what, _) = split(
        at,
        "moves|move|moving|starts to move|starts moving|is moving|are moving|begins to move|begins moving|stirs|start moving",
    )?;
    let thing = noun(what).filter(|n| n != "something");
    (thing.is_some() || has(what, "something|anything|it")).then_some(Trigger::Moves(thing))
}

fn changes(at: At<'_>) -> Option<Trigger> {
    at.sees(
        "something changes|anything changes|the picture changes|the scene changes|something happens|anything happens|the view changes|\
         the image changes|there is a change|there is any change|you see a change|something is different|something new happens|it changes|\
         you notice a change|you notice any change|the screen changes",
    )
    .then_some(Trigger::Changes)
}

fn comes(mut at: At<'_>) -> Option<Trigger> {
    at.eat("you see|you notice");
    let near = "comes close|comes closer|comes near|comes nearer|gets close|gets closer|gets near|gets too close|comes too close|approaches|comes towards|come close|come closer";
    if let Some((what, _)) = split(at, near) {
        return Some(Trigger::ComesNear(noun(what)?));
    }
    const COMES: &str = "comes|come|enters|enter|arrives|arrive|appears|appear|shows up|show up|walks in|walks by|walks past|walk in|walk by|lands|land|\
         turns up|passes|pass|drives by|drives past|gets here|goes by|goes past|pops up|is coming|returns|steps in|runs in|flies by|coming|walking|moves in|\
         enters the room|pulls up|is back|gets home|comes home|drives up|joins|walks into|shows|walks through|flies past|runs past|jumps in";
    let (what, _) = split(at, COMES)?;
    Some(Trigger::ComesIn(wanted(what)?))
}

fn visible(mut at: At<'_>) -> Option<Trigger> {
    if at.eat(SEE) {
        return Some(Trigger::Visible(wanted(at.rest())?));
    }
    // "Someone is at the door": there, not coming.
    if let Some((what, rest)) = split(at, "is|are|can be seen|becomes visible") {
        let there = rest.is_empty() || start(rest).sees("at|in|on|there|here|visible|in view|near|around|by|inside|outside|back|standing|sitting|present|under|behind");
        return if there { Some(Trigger::Visible(wanted(what)?)) } else { None };
    }
    // A noun alone: "watch for a red car".
    const VERBS: &str = "opens|closes|rings|boils|starts|stops|falls|cooks|burns|sleeps|wakes|cries|barks|speaks|talks|finishes|ends|begins|works|breaks|looks|\
         drops|grows|smiles|laughs|runs|plays|touches|takes|steals|gets|passed|over|done|ready|eats|drinks|sits|stands|sleep|wins|scores|hears|hear|needs";
    if has(at.rest(), VERBS) || at.rest().len() > 8 {
        return None;
    }
    Some(Trigger::Visible(wanted(at.rest())?))
}

fn wanted(words: &[String]) -> Option<Wanted> {
    let noun = noun(words)?;
    // "A man in a blue jacket": the colour in front of the noun, not a later one.
    let before =
        words.iter().position(|w| nouns::singular(w) == nouns::singular(noun.split(' ').next().unwrap_or_default()));
    let colour = words.iter().take(before.unwrap_or(0)).find_map(|w| colour_word(w));
    Some(Wanted { noun, colour })
}

/// The noun in the singular; `someone` for people in general, `something` for things.
fn noun(words: &[String]) -> Option<String> {
    let noun = question::noun_phrase(&words.join(" "))?;
    Some(match noun.as_str() {
        "someone" | "somebody" | "anyone" | "anybody" | "person" | "people" | "human" | "everyone" | "visitor"
        | "visitors" | "guest" | "a person" => "someone".to_owned(),
        "something" | "anything" | "thing" | "object" | "things" => "something".to_owned(),
        "it" | "you" | "i" | "time" | "times" | "minute" | "minutes" | "hour" | "hours" | "o'clock" | "seconds"
        | "second" => return None,
        other => nouns::singular(other),
    })
}

/// Words that are to be read, as the person wrote them.
fn in_its_own_letters(trigger: Trigger, text: &str) -> Trigger {
    match trigger {
        Trigger::Reads(words) if text.is_ascii() => {
            let at = text.to_ascii_lowercase().find(&words);
            Trigger::Reads(at.map_or(words.clone(), |at| text[at..at + words.len()].to_owned()))
        }
        other => other,
    }
}
