//! What a question is about, in the present and without its time, so that the rules for the present understand it.

use super::text::{At, MEDIA, is_in};
use crate::dialogue::nouns;

/// Beginnings that ask whether something was there.
const SEEN: &str = "did you happen to notice|did you happen to see|did you ever see|did you ever notice|did you see|did you notice|\
     did you spot|did you find|did you come across|did you recognise|did you recognize|have you seen|have you noticed|have you spotted|\
     have you come across|have you ever seen|have you found|did i show you|did i ever show you|have i shown you|did i have|did i hold up|\
     did i hold|had i|did we see|have we seen|have you ever come across|did i show|have i shown|when did i show you|when did i last show you|\
     when did i show|when did i first show you|when did you see|when did you last see|when did you first see|when did you notice|\
     when did i have|when did i hold up|when did i hold|when have you seen|when did we see|when did i bring|when did i pick up|\
     when did i put|when did i use|when did i put down|when was the last time you saw|when was the first time you saw|\
     when was the last time i showed you|when was the last time you noticed|was there ever|did i bring|did i pick up";
/// Beginnings that ask what was shown, and their present forms.
const OPEN: &[(&str, &str)] = &[
    (
        "what was the first thing you saw|what was the last thing you saw|what did you see|what have you seen|what did you notice|\
      what things have you seen|what things did you see|what objects have you seen|what was to be seen|what could you see|what do you see|\
      what did we see|what was the last thing that you saw|what objects did you see|what have you noticed|what had you seen|\
      everything you saw|what i saw|what you saw|what happened here",
        "what do you see",
    ),
    (
        "what did i show you|what have i shown you|what was i showing you|what did i show|what did i hold up|what was the first thing i showed you|\
      what was the last thing i showed you|what is the last thing i showed you|what things did i show you|what things have i shown you|\
      what objects have i held up|what objects did i show you|what have i held up|what i showed you|what was the thing i held up|\
      what was the thing i showed you|what was that|what was it|what was this|did you see that|did you catch that|what is the first thing i showed you|\
      what was the object",
        "what is this",
    ),
    (
        "what was i holding|what did i have in my hand|what did i have in my hands|what did i hold|what did i have|what did i pick up|what was in my hand|\
      what was in my hands|what was i waving|what have i picked up|what did i put down|what have i put down|what was i carrying|what did i take|\
      what is the last thing you saw me hold|what did you see me hold|what was i showing",
        "what am i holding",
    ),
];
const PUT: &str = "where did i put|where did i leave|where did i set|where did i lay|where did i place|where did i drop|where did i park|\
     where did i hide|where did i last see|where did i see|where did you see|where did you last see|where did i keep|where have i put|\
     where have i left|where have you seen|where did we put|where did we leave|where did i last put|where did you spot|where did you first see|\
     where was|where were|where did i stick|where did i stash|where have i set|where had i put|where i put|where i left|where did you notice|\
     where did i have|where i have put";
const PLURAL_SUBJECTS: &str = "i|you|we|they|these|those|people|both";
/// Verbs of becoming: `did the light turn green` → `is the light green`.
const BECOME: &str = "turn|become|go|get|stay|look|seem|appear";
/// Left out of `content`: what joins, what asks, what frames, what any thing has.
const EMPTY: &str = "a|an|the|any|some|my|your|his|her|its|their|our|this|that|these|those|of|in|on|at|to|from|with|for|by|near|next|behind|\
     under|over|above|below|beside|between|into|onto|out|up|down|away|off|and|or|but|not|no|is|are|am|was|were|be|been|being|do|does|did|has|have|\
     had|can|could|will|would|shall|should|may|might|i|you|he|she|it|we|they|me|him|them|us|what|who|where|which|how|when|why|whose|there|here|\
     see|seen|saw|show|shown|showed|showing|look|looking|looked|hold|holding|held|put|leave|left|place|placed|say|said|says|saying|tell|told|\
     mention|mentioned|ask|asked|remember|recall|notice|noticed|happen|happened|happening|about|colour|color|colours|colors|kind|type|sort|many|much|\
     thing|things|something|anything|everything|object|objects|one|ones|first|last|then|now|just|still|ever|ago|time|times|please|so|than|as|if|\
     also|else|more|other|another|same|different|all|both|each|only|really|actually|like|come|came|go|went|got|get|give|take|took|pick|picked|\
     doing|done|make|made|know|think|name|let|set|front|left|right|side|turn|turned|want|whether|visible|anyone|anybody|someone|somebody|mean|\
     wearing|used|use|again|read|written|write|because|while|before|after|during|describe|list|find|talk|talking|talked|lay|laid|myself|mine|don't";

/// The question in the present. `words`: the asking clause without its time.
pub(super) fn about(words: &[String]) -> String {
    let words = drop_relative(words);
    let words: Vec<String> = words.into_iter().filter(|w| w != "just" && w != "ever").collect();
    let words = if At::new(&words, 0).sees("whereabouts") { renamed(&words, "where") } else { words };
    let at = At::new(&words, 0);
    let made = open(at)
        .or_else(|| put(at))
        .or_else(|| seen(at))
        .or_else(|| shown(at))
        .or_else(|| who(at))
        .or_else(|| became(at));
    made.unwrap_or_else(|| present(&words).join(" "))
}

/// The words that say what it is about.
pub(super) fn content(words: &[String]) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for word in words.iter().filter(|w| !is_in(w, EMPTY)) {
        if !out.contains(word) && out.len() < 12 {
            out.push(word.clone());
        }
    }
    out
}

/// Words that were to be read: behind `a sign that said`, `the word`.
pub(super) fn quoted(words: &[String]) -> Vec<String> {
    const SAID: &str = "that said|which said|saying|that says|which says|that read|which read|that reads|reading|with the words|with the word|\
         with the text|with the writing|with|labelled|labeled|titled|called";
    const WORD: &str = "the word|the words|the text|the line";
    for i in 0..words.len() {
        let mut at = At::new(words, i);
        let behind_medium = i > 0 && is_in(&words[i - 1], MEDIA);
        if (behind_medium && at.eat(SAID)) || at.eat(WORD) {
            let rest: Vec<String> = at.rest().iter().take(8).cloned().collect();
            let names = rest.iter().any(|w| !is_in(w, EMPTY));
            let verb = At::new(&rest, 0).sees("on|in|at|of|that|which|it|you|i|is|was");
            return if names && !verb { rest } else { Vec::new() };
        }
    }
    Vec::new()
}

fn renamed(words: &[String], first: &str) -> Vec<String> {
    std::iter::once(first.to_owned()).chain(words.iter().skip(1).cloned()).collect()
}

fn rest(at: At<'_>) -> String {
    at.rest().join(" ")
}

/// `the cup I showed you` → `the cup`. Only behind a noun, never behind the verb of the question itself.
fn drop_relative(words: &[String]) -> Vec<String> {
    const BEGINS: &str = "that i|which i|that you|which you|that we|i|you|we";
    const VERBS: &str = "showed|shown|show|held|had|saw|seen|put|was holding|was showing|was waving|was wearing|was reading|was using|was carrying|\
         picked|brought|have shown|have seen|just showed|just held|just put|have put|just had|just picked|had shown|left|placed|took|noticed|\
         was eating|dropped|wore|used|showed|flipped|just flipped|were looking at|was looking at|used to have";
    const VERB: &str =
        "did|do|was|were|have|had|what|that|which|where|who|me|if|when|is|are|see|like|has|thing|things|everything";
    let found = (2..words.len()).find(|i| {
        let mut at = At::new(words, *i);
        let noun_before = !is_in(&words[i - 1], VERB);
        noun_before && at.eat(BEGINS) && at.sees(VERBS)
    });
    found.map_or_else(|| words.to_vec(), |i| words[..i].to_vec())
}

fn joined(head: &str, tail: &str) -> String {
    if tail.is_empty() { head.to_owned() } else { format!("{head} {tail}") }
}

fn open(mut at: At<'_>) -> Option<String> {
    for (phrases, now) in OPEN {
        if at.eat(phrases) {
            // "What did you see me eat", "what was that noise": what follows narrows it.
            at.eat("first|last|thing|before|to you|earlier|then|in my hand|in my hands");
            let tail =
                if *now == "what do you see" || at.sees("on|in|at|under|near") { rest(at) } else { String::new() };
            return Some(joined(now, &tail));
        }
    }
    None
}

fn be(noun: &str) -> &'static str {
    let last = noun.split(' ').take_while(|w| !is_in(w, "in|on|at|of|under|near|with|behind")).last().unwrap_or("");
    let many = is_in(last, "glasses|scissors|keys|people|they|those|these|clothes|trousers|pants|we|you")
        || (nouns::singular(last) != last);
    if many { "are" } else { "is" }
}

fn put(mut at: At<'_>) -> Option<String> {
    at.eat(PUT).then_some(())?;
    let thing: Vec<&str> =
        at.words[at.i..].iter().map(String::as_str).filter(|w| !is_in(w, "down|away|off|last|first")).collect();
    let thing = thing.join(" ");
    let verb = if thing == "i" { "am" } else { be(&thing) };
    Some(joined(&format!("where {verb}"), &thing))
}

fn seen(mut at: At<'_>) -> Option<String> {
    if at.eat(SEEN) {
        // "Did you see where I put the lid".
        if at.sees("where|what|who|which|how") && at.i + 1 < at.words.len() {
            return Some(about(&at.words[at.i..]));
        }
        if at.is_end() || at.sees("that|it|this|anything|something|what") {
            return Some("what do you see".to_owned());
        }
        return Some(format!("is there {}", rest(at).trim_end_matches(" away").trim_end_matches(" down")));
    }
    if at.eat("when did|when was|when were|when has|when have") {
        const CAME: &str = "arrive|come|leave|appear|enter|move|go|fall|disappear|start|stop|happen|first|last|turn|walk|get|on|in|here|there|\
             visible|ring|open|close|show|stand|sit|at|put|under|seen|run|pass";
        let thing: Vec<&str> = at.words[at.i..].iter().map(String::as_str).take_while(|w| !is_in(w, CAME)).collect();
        return (!thing.is_empty()).then(|| format!("is there {}", thing.join(" ")));
    }
    // "Has anyone been in the kitchen", "did anyone come in".
    if at.eat("has|have|did") && at.sees("anyone|anybody|someone|somebody|everyone") {
        let who = at.word().to_owned();
        at.i += 1;
        at.eat("been|come in|come by|come|walk in|walk by|walk past|pass by|pass|visit|enter|show up|go by|came in|appear|stand|stop by|ring|knock");
        return Some(joined(&format!("is there {who}"), &rest(at)));
    }
    None
}

/// `which book did I show you` → `which book is this`; `how many oranges did you see` → `how many oranges are there`.
fn shown(at: At<'_>) -> Option<String> {
    const VERBS: &str = "did you see|did i show you|did i show|have you seen|have i shown you|did i have|did you notice|did i hold up|did i hold|\
         was i holding|did i pick up|did we see|was i reading|was i showing you|did i put|did you count|came by|went by|have i held up|did i just flip over|\
         did i flip over|was i wearing|came in|walked by|passed by|passed|visited|drove by|have been here|were here|did you spot|have you counted";
    if !at.sees("which|what|how many") {
        return None;
    }
    let verb = (2..at.words.len()).find(|i| At::new(at.words, *i).sees(VERBS))?;
    let mut after = At::new(at.words, verb);
    after.eat(VERBS);
    let head = at.words[..verb].join(" ");
    let tail = rest(after);
    Some(if at.sees("how many") { joined(&format!("{head} are there"), &tail) } else { format!("{head} is this") })
}

/// `who came in` → `who is there`.
fn who(mut at: At<'_>) -> Option<String> {
    if !at.eat("who") {
        return None;
    }
    if at.eat("was|were") {
        return Some(joined("who is", &rest(at)));
    }
    Some("who is there".to_owned())
}

/// `did the light turn green` → `is the light green`; `did something fall` → `what happened`.
fn became(mut at: At<'_>) -> Option<String> {
    if !at.eat("did|has|have") {
        return None;
    }
    if at.sees("something|anything") {
        return Some("what happened".to_owned());
    }
    let verb = (at.i + 1..at.words.len())
        .find(|i| is_in(&at.words[*i], BECOME) || is_in(&at.words[*i], "turned|become|gone|been"))?;
    let (thing, rest) = (at.words[at.i..verb].join(" "), at.words[verb + 1..].join(" "));
    (!rest.is_empty()).then(|| format!("{} {thing} {rest}", be(&thing)))
}

/// Verb by verb.
fn present(words: &[String]) -> Vec<String> {
    let mut out = Vec::with_capacity(words.len());
    for (i, word) in words.iter().enumerate() {
        let next = words.get(i + 1).map_or("", String::as_str);
        let verb = match word.as_str() {
            "was" if next == "i" || words.get(i.wrapping_sub(1)).is_some_and(|w| w == "i") => "am",
            "was" => "is",
            "were" => "are",
            "did" if is_in(next, PLURAL_SUBJECTS) => "do",
            "did" => subject_verb(&words[i + 1..]),
            "had" => "have",
            other => other,
        };
        out.push(verb.to_owned());
    }
    out
}

/// `does` or `do`, by the noun that follows: `the sign say`, `the signs say`.
fn subject_verb(after: &[String]) -> &'static str {
    let noun = after.iter().find(|w| !is_in(w, "the|a|an|my|your|his|her|our|any|that|this"));
    let plural = noun.is_some_and(|n| nouns::singular(n) != *n && !is_in(n, "glass|bus"));
    if plural { "do" } else { "does" }
}
