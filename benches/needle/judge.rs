//! Whether an answer is right.

use std::time::Duration;

use crate::catalog::{Needle, Right};
use crate::looks::Seen;
use crate::talk::Answer;

/// Below these an expert's word is not spoken of (`dialogue`).
const LEAST_OBJECT: f32 = 0.35;
const LEAST_LABEL: f32 = 0.30;
/// How far a time that is told may be off.
const OFF: Duration = Duration::from_secs(20);

/// Lower case, letters and digits only.
fn plain(text: &str) -> String {
    let kept: String = text.to_lowercase().chars().map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect();
    format!(" {} ", kept.split_whitespace().collect::<Vec<_>>().join(" "))
}

pub fn holds(text: &str, words: &[String]) -> bool {
    let text = plain(text);
    // What is written on a sign is right with or without its spaces.
    let squeezed = text.replace(' ', "");
    words.iter().any(|w| {
        let word = plain(w);
        let sign = w.chars().any(|c| c.is_ascii_digit()) && w.chars().any(char::is_alphabetic);
        (sign && squeezed.contains(&word.replace(' ', "")))
            || text.contains(&word)
            || text.contains(&format!("{}s ", word.trim_end()))
    })
}

pub fn right(needle: &Needle, asked_at: Duration, answer: &Answer) -> bool {
    match &needle.right {
        Right::Words(words) => holds(&answer.text, words),
        Right::YesThen => yes_then(needle.span, asked_at, answer),
        Right::Then => tells_time(needle.span, asked_at, &answer.text),
    }
}

/// It was, and the time that is told is about right.
pub fn yes_then(span: (Duration, Duration), asked_at: Duration, answer: &Answer) -> bool {
    plain(&answer.text).starts_with(" yes ") && tells_time(span, asked_at, &answer.text)
}

/// An answer about what never was must not say that it was.
pub fn denies(answer: &Answer) -> bool {
    let text = plain(&answer.text);
    ["did not", "didn t", "don t", "no ", "not "].iter().any(|w| text.contains(&format!(" {w}")))
        && !text.starts_with(" yes ")
}

/// `00:12:04` within the needle's time, or `about ten minutes ago` about right.
fn tells_time(span: (Duration, Duration), asked_at: Duration, text: &str) -> bool {
    if let Some(at) = stamp(text) {
        return at + OFF >= span.0 && at <= span.1 + OFF;
    }
    let age = asked_at.saturating_sub(span.0 + (span.1 - span.0) / 2);
    told_age(text).is_some_and(|told| told.abs_diff(age) <= OFF.max(age / 8))
}

fn stamp(text: &str) -> Option<Duration> {
    let word = text.split(|c: char| !(c.is_ascii_digit() || c == ':')).find(|w| w.matches(':').count() == 2)?;
    let mut parts = word.split(':').map(|p| p.parse::<u64>().ok());
    let (h, m, s) = (parts.next()??, parts.next()??, parts.next()??);
    Some(Duration::from_secs(h * 3_600 + m * 60 + s))
}

fn told_age(text: &str) -> Option<Duration> {
    const NUMBERS: [&str; 13] =
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
    let text = plain(text);
    if text.contains(" just now ") {
        return Some(Duration::from_secs(3));
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    let unit = words.iter().position(|w| ["second", "seconds", "minute", "minutes", "hour", "hours"].contains(w))?;
    let number = words.get(unit.checked_sub(1)?)?;
    let n = match *number {
        "a" | "an" => 1,
        w => NUMBERS.iter().position(|n| *n == w).map(|n| n as u64).or_else(|| w.parse().ok())?,
    };
    let each = if words[unit].starts_with('s') {
        1
    } else if words[unit].starts_with('m') {
        60
    } else {
        3_600
    };
    Some(Duration::from_secs(n * each))
}

/// Whether perception said one of `words` in what was seen, or it was heard.
pub fn reported(words: &[String], seen: &[Seen], heard: &[String]) -> bool {
    let names = seen.iter().any(|s| {
        let objects = s.facts.objects.iter().filter(|o| o.confidence >= LEAST_OBJECT).map(|o| &o.label);
        let labels = s.facts.labels.iter().filter(|l| l.confidence >= LEAST_LABEL).map(|l| &l.label);
        objects.chain(labels).any(|label| words.iter().any(|w| plain(w) == plain(label)))
    });
    let read = || seen.iter().any(|s| s.facts.texts.iter().any(|t| holds(&t.text, words)));
    let darker = || {
        use sightline::watch::Change;
        words.iter().any(|w| w == "it became darker")
            && seen.iter().any(|s| s.facts.changes.iter().any(|c| c.change == Change::Light { brighter: false }))
    };
    names || read() || darker() || heard.iter().any(|text| holds(text, words))
}
