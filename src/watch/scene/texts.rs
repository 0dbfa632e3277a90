//! Lines of text over time: a line missed once stays, a line misread a little is the same line.
//!
//! Floor 1. In: [`Sighting::Text`]. Out: [`TextFact`]s in reading order. Bounded by [`MAX_TEXTS`] and [`MAX_KNOWN`].

use super::{MAX_TEXTS, unit};
use crate::base::MediaTime;
use crate::watch::{Sighting, TextFact};

/// Texts remembered as already told, at most.
const MAX_KNOWN: usize = 32;
/// Two readings this much alike are of one line.
const SAME: f32 = 0.6;
/// Looks in a row without a line before it is gone.
const MISSES: u32 = 2;
/// Characters held of one line, at most.
const MAX_CHARS: usize = 200;

/// The lines of the scene.
#[derive(Debug, Default)]
pub(super) struct Texts {
    lines: Vec<(TextFact, u32)>,
    known: Vec<String>,
}

impl Texts {
    /// Takes one look of the reader; returns the texts that are new to this scene.
    pub(super) fn read(&mut self, sightings: &[Sighting], at: MediaTime) -> Vec<String> {
        for line in &mut self.lines {
            line.1 += 1;
        }
        let mut fresh = Vec::new();
        for s in sightings.iter().take(4 * MAX_TEXTS) {
            let Sighting::Text { text, confidence, bbox } = s else { continue };
            let text: String = text.trim().chars().take(MAX_CHARS).collect();
            if text.is_empty() {
                continue;
            }
            let fact = TextFact { text: text.clone(), confidence: unit(*confidence), bbox: *bbox, at };
            match self.lines.iter_mut().find(|l| l.1 > 0 && same(&l.0.text, &text)) {
                // The surer reading of a line wins; the place is always the newest.
                Some(line) if line.0.confidence > fact.confidence => {
                    *line = (TextFact { text: line.0.text.clone(), ..fact }, 0)
                }
                Some(line) => *line = (fact, 0),
                None => self.lines.push((fact, 0)),
            }
            if self.learn(&text) {
                fresh.push(text);
            }
        }
        self.lines.retain(|l| l.1 < MISSES);
        self.lines.sort_by(|a, b| a.1.cmp(&b.1).then(b.0.confidence.total_cmp(&a.0.confidence)));
        self.lines.truncate(MAX_TEXTS);
        fresh
    }

    /// Whether `text` had not been seen; remembers it.
    fn learn(&mut self, text: &str) -> bool {
        if self.known.iter().any(|k| same(k, text)) {
            return false;
        }
        self.known.push(text.to_owned());
        let surplus = self.known.len().saturating_sub(MAX_KNOWN);
        self.known.drain(..surplus);
        true
    }

    /// Drops lines not read since `before`.
    pub(super) fn forget(&mut self, before: MediaTime) {
        self.lines.retain(|l| l.0.at >= before);
    }

    /// Top to bottom, left to right; lines whose middles are within half a height of each other stand in one row.
    pub(super) fn in_reading_order(&self) -> Vec<TextFact> {
        let mut left: Vec<&TextFact> = self.lines.iter().map(|l| &l.0).collect();
        left.sort_by(|a, b| a.bbox.centre().1.total_cmp(&b.bbox.centre().1).then(a.bbox.x0.total_cmp(&b.bbox.x0)));
        let mut out: Vec<TextFact> = Vec::with_capacity(left.len());
        while let Some(head) = left.first().copied() {
            let (y, half) = (head.bbox.centre().1, head.bbox.height() / 2.0);
            let split = left.iter().position(|t| t.bbox.centre().1 > y + half).unwrap_or(left.len()).max(1);
            let mut row: Vec<&TextFact> = left.drain(..split).collect();
            row.sort_by(|a, b| a.bbox.x0.total_cmp(&b.bbox.x0));
            out.extend(row.into_iter().cloned());
        }
        out
    }
}

/// Whether two readings are of one line: the share of common letter pairs (Sørensen–Dice), case and spaces aside.
fn same(a: &str, b: &str) -> bool {
    let plain = |s: &str| s.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<Vec<char>>();
    let (a, b) = (plain(a), plain(b));
    if a.len() < 3 || b.len() < 3 || a == b {
        return a == b;
    }
    let mut pairs: Vec<&[char]> = b.windows(2).collect();
    let total = a.len() + b.len() - 2;
    let mut common = 0_usize;
    for pair in a.windows(2) {
        if let Some(i) = pairs.iter().position(|p| *p == pair) {
            pairs.swap_remove(i);
            common += 1;
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "at most a few hundred characters")]
    let share = (2 * common) as f32 / total as f32;
    share >= SAME
}

#[cfg(test)]
mod tests {
    use super::same;

    #[test]
    fn a_slight_misreading_is_the_same_line_and_another_word_is_not() {
        assert!(same("EXIT ONLY", "Exit 0nly") && same("SPEED LIMIT 30", "SPEED LIMIT 3O"));
        assert!(!same("OPEN", "CLOSED") && !same("12", "13") && !same("Gate 4", "Platform 9"));
    }
}
