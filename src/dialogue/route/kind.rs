//! Whether a question is about what was, what is, or what nobody has to see.

use super::clock::is_year;
use super::text::{At, is_in};
use crate::dialogue::nouns;
use crate::dialogue::question::{Ask, Words};

/// How a question stands in time, by its verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tense {
    Past,
    Present,
    /// Something that is told, not asked.
    Told,
}

const WH: &str = "what|who|where|which|how|when|why|whose|whereabouts";
const PRESENT: &str = "is|are|am|do|does|can|could|will|would|should|shall|may|might|must";
const PAST: &str = "was|were|did|had";
const PERFECT: &str = "has|have";
const SUBJECTS: &str = "you|i|we|he|she|it|they|there|that|this|anyone|anybody|someone|somebody|anything|something|everyone|the|my|a|\
     any|those|these|your|our|his|her|no";
/// Past forms that a question can have without "did": `who came in`.
const PAST_FORMS: &str = "came|went|left|saw|showed|happened|fell|walked|said|told|stood|sat|ran|rang|moved|appeared|entered|disappeared|\
     passed|arrived|held|put|took|brought|wore|drove|flew|spoke|got|gave|made|ate|drank|broke|opened|closed|stopped|started|knew|\
     picked|had|looked|seemed|mentioned|asked|changed|dropped|touched|used|noticed|began|became|lay|hung|grew|lost|found|heard|\
     read|wrote|kept|met|spilled|jumped|turned|visited|called|talked|played|sang|worked|waved|threw|hit|dragged|knocked|lit";
const PARTICIPLES: &str = "seen|been|shown|put|had|noticed|come|gone|left|moved|picked|read|said|told|met|spotted|happened|held|heard|\
     mentioned|worn|eaten|taken|brought|placed|visited|walked|entered|kept|found|recognised|recognized|written|done|asked|\
     watched|looked|talked|spoken|passed|appeared|dropped|used|set|hidden|laid|recorded|counted|lost|drunk|touched|opened";

/// The clause that asks: behind what is told in front of it, as in `I showed you a box, what was in it`.
pub(super) fn asking(words: &[String]) -> usize {
    let pair = |i: usize| {
        let at = At::new(words, i);
        let next = At::new(words, i + 1);
        if at.sees(WH) {
            // "Where" in "you know where it is" hangs on what is asked; at the front of a clause a verb follows it, or a noun and a verb.
            return !At::new(words, i.wrapping_sub(1))
                .sees("know|knew|see|saw|tell|told|say|said|wonder|of|about|to|in|for|on|at|with|from|notice|delete")
                || i == 0;
        }
        (at.sees(PRESENT) || at.sees(PAST) || at.sees(PERFECT))
            && next.sees(SUBJECTS)
            && (i == 0 || !At::new(words, i - 1).sees(SUBJECTS))
    };
    (0..words.len()).find(|i| pair(*i)).unwrap_or(0)
}

/// By its verb.
pub(super) fn tense(clause: &[String]) -> Tense {
    let first = At::new(clause, 0);
    let asks = first.sees(WH) || first.sees(PRESENT) || first.sees(PAST) || first.sees(PERFECT);
    if !asks {
        return imperative(clause);
    }
    for (i, word) in clause.iter().enumerate() {
        if is_in(word, PAST) {
            return Tense::Past;
        }
        if is_in(word, PRESENT) {
            return relative(clause, i);
        }
        if is_in(word, PERFECT) {
            let seen = clause.iter().skip(i + 1).take(6).any(|w| is_in(w, PARTICIPLES));
            return if seen { Tense::Past } else { Tense::Present };
        }
        // "Who just came in", "which fruit came first", "what I showed you".
        if i > 0 && is_in(word, PAST_FORMS) {
            return Tense::Past;
        }
        if i > 0
            && first.sees("who|what")
            && i < 3
            && word.len() > 4
            && word.ends_with("ed")
            && !word.ends_with("eed")
            && !nouns::is_known(word)
        {
            return Tense::Past;
        }
    }
    Tense::Present
}

/// A present question may be about something that was shown: `where is the cup I showed you`. What is pointed at is here, though.
fn relative(clause: &[String], verb: usize) -> Tense {
    let q = Words::joined(clause.to_vec());
    let pointed = q.begins("is this|is that|are these|are those|is it|are they|what is this|what are these|who is this|can|could|do|does|will|would");
    let shown = q.any(
        "i showed|i had|i was|i held|you saw|we saw|i put|i have shown|you have seen|i just showed|i just held|i have put|you noticed|\
         i left|i was holding|i picked|i told|i said|i mentioned|i brought|i wore|i used",
    );
    if shown && !pointed && verb < clause.len() { Tense::Past } else { Tense::Present }
}

/// `List everything you saw`, `the cup` (after "do you remember"), `anything moving`.
fn imperative(clause: &[String]) -> Tense {
    let at = At::new(clause, 0);
    if at.sees("list|describe|summarise|summarize|name|count|tell|show|recap|repeat|replay|give|say|find|read|go|look|identify") {
        let was = clause.iter().any(|w| is_in(w, PAST_FORMS) && w != "read" && w != "put") || clause.iter().any(|w| is_in(w, PAST));
        return if was { Tense::Past } else { Tense::Present };
    }
    if at.sees("i|we|my|he|she|they|our|it|there|this|that|you|his|her|these|those") {
        Tense::Told
    } else {
        Tense::Present
    }
}

/// Knowledge of the world: nothing that was in front of the camera.
pub(super) fn is_knowledge(q: &Words, named_time: bool) -> bool {
    const WORLD: &str = "president|king|queen|emperor|war|wars|century|history|invented|inventor|discovered|born|die|died|founded|wrote|\
         composed|built|won|world cup|olympics|empire|revolution|dinosaurs|pharaoh|country|countries|capital|sink|sank|sail|sailed|\
         ancient|medieval|planet|planets|election|year did|what year|which year|prime minister|pope|mona lisa|moon|science|religion|\
         government|parliament|independence|civilisation|civilization|population|novel by|symphony";
    const PERSONAL: &str = "i|me|my|mine|you|your|we|us|our|myself";
    const SEEN: &str = "there|here|it|that|this|he|she|him|her|they|them|those|these|the|anyone|anybody|someone|somebody|something|\
         anything|everything|everyone|everybody|nobody|nothing|a|an|any";
    const CAME: &str = "came|left|walked|went|entered|moved|fell|appeared|happened|changed|visited|passed|arrived|spoke|happen|stood|sat|ran";
    if q.begins("did you know|have you heard|were you made|were you built|were you trained|were you created|were you born|were you programmed|\
                 when were you|who made you|who built you|who created you|who trained you|how were you|why did you say|what did you mean|why were you")
    {
        return true;
    }
    let dated = q
        .words
        .windows(2)
        .any(|w| is_year(&w[1]) && is_in(&w[0], "in|before|after|since|by|around|during|the|of|until|year"));
    if q.any(PERSONAL) {
        return false;
    }
    if dated || q.any(WORLD) {
        return true;
    }
    let seen = q.any(SEEN) || q.any(CAME) || q.words.iter().any(|w| nouns::is_known(w));
    !named_time && (!seen || q.begins("why"))
}

/// What was said in this conversation stands in the conversation: `what did you say`.
pub(super) fn is_about_words(q: &Words, named_time: bool) -> bool {
    !named_time && q.begins("what did you say|what did you mean|what were you saying|did you say something|did you understand|what did you just say|did i make sense|did you hear me")
}

/// A question about the present that takes no eyes.
pub(super) fn is_without_eyes(q: &Words, ask: &Ask) -> bool {
    const ORDERS: &str = "recommend|suggest|sing|can you sing|write|compose|calculate|tell me a|tell me an|tell me about something|explain|\
         set a timer|set an alarm|play|remind me to|remind me in|never mind|nevermind|forget it|forget about it|do not forget|please translate|\
         translate|what is your|what comes after|what comes before|what happens next|what happens when|what happens if|how do you|\
         how do we|how would you|what did you say|what did you mean|can you explain|can you recommend|can you suggest|define|thanks|\
         thank you|cancel|how many seconds|how many minutes|how many hours|how many days|how many weeks|how many months|how many years|\
         how long does it take|how long do|how long is an hour|how long is a|what is a|what is an|how is|how are";
    // "How is this" and "how are they" are about something here.
    let here = q.any("this|that|these|those|here|it|he|she|they|my|see|look|looking|i");
    match ask {
        // How a certain thing is, is seen: `is the door open`.
        Ask::General if q.begins("is the|are the|is my|are my|are we") && !is_knowledge(q, false) => false,
        Ask::Chat | Ask::General | Ask::Nothing => true,
        _ if q.begins(
            "what comes after|what comes before|never mind|nevermind|forget it|forget about it|what happens next|do not forget|\
             how long does it take",
        ) =>
        {
            true
        }
        _ => q.begins(ORDERS) && !here,
    }
}

/// Asks whether or when the light came (true) or went.
pub(super) fn light(q: &Words) -> Option<bool> {
    const DARK: &str = "dark|darker|dim";
    const BRIGHT: &str = "bright|brighter|light again";
    let becomes = q.any("get|got|become|became|turn|turned|go|went|grow|gone|getting|gotten");
    if becomes && q.any(DARK) {
        return Some(false);
    }
    if becomes && q.any(BRIGHT) {
        return Some(true);
    }
    if !q.any("light|lights|lamp") {
        return None;
    }
    if q.any(
        "go out|went out|gone out|go off|went off|gone off|turn off|turned off|switched off|switch off|turn it off|off",
    ) {
        return Some(false);
    }
    q.any("come on|came on|go on|went on|turn on|turned on|switched on|switch on|come back|came back|on again")
        .then_some(true)
}

/// Asks for what was said by somebody, not for what was written.
pub(super) fn is_said(q: &Words) -> bool {
    const SAYING: &str = "say|tell|mention|ask|told|said|saying|telling|mentioned|talk|talking|talked|spoke|speak|speaking|asked|asking|\
         discuss|discussed|explain|explained|promise|promised|call it";
    const SPEAKERS: &str = "i|we|he|she|they|you|anyone|anybody|someone|somebody|who|everyone|everybody";
    let Some(at) = q.words.iter().position(|w| is_in(w, SAYING)) else { return false };
    let before = &q.words[..at];
    let aux = before.iter().rposition(|w| is_in(w, "did|was|were|have|has|had|what|that|do|does")).map_or(0, |i| i + 1);
    let subject = &before[aux..];
    subject.iter().any(|w| is_in(w, SPEAKERS) || nouns::is_person(w) || is_in(w, RELATIVES))
}

const RELATIVES: &str = "daughter|son|brother|sister|mother|father|mum|mom|dad|wife|husband|friend|boss|colleague|uncle|aunt|partner|\
     grandma|grandpa|grandmother|grandfather|doctor|teacher|neighbour|neighbor|cousin|nurse|colleagues|friends|parents";
