//! One line for an event: what the timeline shows and the text encoder embeds.

use super::digest::{Digest, Seen, SeenKind};
use super::event::{Said, Speaker};
use super::text::{clip, plural, with_article};

/// Things named.
const MOST_NAMED: usize = 5;
/// Below this a thing is not named.
const LEAST: f32 = 0.35;
/// Characters of one thing said.
const WORDS: usize = 80;

/// `a red cup; text "EXIT"; person; said: "this is my cup"`.
pub(super) fn of(digest: &Digest, said: &[Said]) -> String {
    let mut parts: Vec<String> = named(digest).into_iter().map(phrase).collect();
    let mut texts: Vec<_> = digest.texts.iter().filter(|t| t.confidence >= 0.5).collect();
    texts.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    if !texts.is_empty() {
        let lines: Vec<_> = texts.iter().take(3).map(|t| format!("\"{}\"", clip(&t.text, 40))).collect();
        parts.push(format!("text {}", lines.join(", ")));
    }
    if parts.is_empty()
        && let Some(main) = digest.colours.first()
    {
        parts.push(format!("mostly {}", main.colour.name()));
    }
    let person = said.iter().filter(|s| s.who == Speaker::Person);
    let turns: Vec<_> = person.map(|s| format!("\"{}\"", clip(&s.text, WORDS))).collect();
    // The last words are what the person came to.
    if let Some(tail) = turns.get(turns.len().saturating_sub(2)..).filter(|t| !t.is_empty()) {
        parts.push(format!("said: {}", tail.join(", ")));
    }
    parts.join("; ")
}

/// The most salient things, each once: the detector's `cup` says no more than the classifier's `coffee mug, cup`.
fn named(digest: &Digest) -> Vec<&Seen> {
    let mut out: Vec<&Seen> = Vec::new();
    for s in digest.salient().into_iter().filter(|s| s.confidence >= LEAST) {
        if out.len() < MOST_NAMED && !out.iter().any(|o| of_one_kind(o, s)) {
            out.push(s);
        }
    }
    out
}

/// Two names for one thing.
pub(super) fn of_one_kind(a: &Seen, b: &Seen) -> bool {
    a.label == b.label || a.broader.contains(&b.label) || b.broader.contains(&a.label)
}

fn phrase(s: &Seen) -> String {
    if s.most > 1 {
        return format!("{} {}", s.most, plural(&s.label));
    }
    // The classifier's names are narrow enough; and an orange is not an orange orange.
    let colour = s.colour.filter(|c| s.kind == SeenKind::Object && !s.label.contains(c.name()));
    with_article(&colour.map_or_else(|| s.label.clone(), |c| format!("{} {}", c.name(), s.label)))
}
