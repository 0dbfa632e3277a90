//! Words for times that are over, and small questions about words.

use std::time::Duration;

use super::nouns;
use crate::base::MediaTime;
use crate::memory::Span;

/// Whether something that was said asks. "Have to buy bread" tells, though it begins like a question: recognisers leave the "I" out.
pub(crate) fn is_question(text: &str) -> bool {
    crate::memory::is_question(text)
}

pub(crate) fn same_word(a: &str, b: &str) -> bool {
    a == b || nouns::singular(a) == nouns::singular(b) || crate::memory::same_but_for_u(a, b)
}

pub(crate) fn distinct(hits: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut out = Vec::new();
    for hit in hits {
        if !out.contains(&hit) {
            out.push(hit);
        }
    }
    out
}

pub(crate) fn middle(span: Span) -> MediaTime {
    span.start + span.end.since(span.start) / 2
}

pub(crate) fn distance(span: Span, at: MediaTime) -> Duration {
    span.start.since(at).max(at.since(span.end))
}

/// `[hh:mm:ss]` without the brackets.
pub(crate) fn stamp(at: MediaTime) -> String {
    let s = at.as_millis() / 1_000;
    format!("{:02}:{:02}:{:02}", s / 3_600, s / 60 % 60, s % 60)
}

/// `about ten minutes ago`.
pub(crate) fn ago(age: Duration) -> String {
    match age.as_secs() {
        0..5 => "just now".to_owned(),
        s => format!("about {} ago", length_of(s)),
    }
}

/// `ten minutes`.
pub(crate) fn length(d: Duration) -> String {
    length_of(d.as_secs().max(1))
}

pub(crate) fn length_of(secs: u64) -> String {
    let n = |n: u64| nouns::number(usize::try_from(n).unwrap_or(usize::MAX));
    match secs {
        0..2 => "a second".to_owned(),
        2..10 => format!("{} seconds", n(secs)),
        10..50 => format!("{} seconds", n((secs + 2) / 5 * 5)),
        50..90 => "a minute".to_owned(),
        90..5_400 => format!("{} minutes", n((secs + 30) / 60)),
        5_400..7_200 => "an hour and a half".to_owned(),
        _ => format!("{} hours", n((secs + 1_800) / 3_600)),
    }
}
