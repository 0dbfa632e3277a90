//! Lines of text over time: a line missed once stays, a line misread a little is the same line.
//!
//! Floor 1. In: [`Sighting::Text`]. Out: [`TextFact`]s in reading order. Bounded by [`MAX_TEXTS`] and [`MAX_KNOWN`].

use super::{MAX_TEXTS, unit};
use crate::base::MediaTime;
use crate::watch::{Region, Sighting, TextFact};

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
    /// Takes one look of the reader; returns the texts that are new to this scene. Lines that a `region` does not hold stay as they are.
    pub(super) fn read(&mut self, sightings: &[Sighting], at: MediaTime, region: Option<&Region>) -> Vec<String> {
        let here = |line: &TextFact| region.is_none_or(|r| r.holds(&line.bbox));
        for line in self.lines.iter_mut().filter(|l| here(&l.0)) {
            line.1 += 1;
        }
        let mut fresh = Vec::new();
        for s in sightings.iter().take(4 * MAX_TEXTS) {
            let Sighting::Text { text, confidence, bbox } = s else { continue };
            let text = spelt(&text.trim().chars().take(MAX_CHARS).collect::<String>());
            if text.is_empty() {
                continue;
            }
            let fact = TextFact { text: text.clone(), confidence: unit(*confidence), bbox: *bbox, at };
            match self.lines.iter_mut().find(|l| l.1 > 0 && here(&l.0) && same(&l.0.text, &text)) {
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

/// Readers take O for 0 and 0 for O; what stands around it tells which it was: `RO0M` is a room, `3O` is thirty.
fn spelt(line: &str) -> String {
    line.split(' ').map(spelt_word).collect::<Vec<_>>().join(" ")
}

fn spelt_word(word: &str) -> String {
    let letters = word.chars().any(|c| c.is_alphabetic() && !matches!(c, 'O' | 'o'));
    let digits = word.chars().any(|c| c.is_ascii_digit() && c != '0');
    let all: Vec<char> = word.chars().collect();
    let beside = |i: usize, is: fn(char) -> bool| {
        let before = i.checked_sub(1).and_then(|i| all.get(i)).is_some_and(|c| is(*c));
        (before, all.get(i + 1).is_some_and(|c| is(*c)))
    };
    let fixed = |(i, c): (usize, &char)| match *c {
        '0' if letters && (!digits || beside(i, char::is_alphabetic) == (true, true)) => {
            if word.chars().any(char::is_lowercase) { 'o' } else { 'O' }
        }
        // "O2" and "H2O" are left as they are.
        'O' | 'o' if digits && !letters && i > 0 => '0',
        'O' if digits && beside(i, |c| c.is_ascii_digit()) == (true, true) => '0',
        other => other,
    };
    all.iter().enumerate().map(fixed).collect()
}

/// Whether two readings are of one line of the scene; two without letters are.
fn same(a: &str, b: &str) -> bool {
    let marks = |s: &str| !s.chars().any(char::is_alphanumeric);
    likeness(a, b) >= SAME || (marks(a) && marks(b))
}

/// How much two readings are alike, `0.0..=1.0`: the share of common letter pairs (Sørensen–Dice), case, spaces and marks aside. Another number
/// is another line: a clock or a counter goes on, and digits are not misread into each other often enough to make two numbers one. What has
/// fewer than three letters is alike only when it is the same.
#[must_use]
pub fn likeness(a: &str, b: &str) -> f32 {
    let plain = |s: &str| s.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<Vec<char>>();
    let (a, b) = (plain(a), plain(b));
    let digits = |s: &[char]| s.iter().filter(|c| c.is_ascii_digit()).copied().collect::<String>();
    if a == b {
        return if a.is_empty() { 0.0 } else { 1.0 };
    }
    if a.len() < 3 || b.len() < 3 || digits(&a) != digits(&b) {
        return 0.0;
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
    share
}

#[cfg(test)]
mod tests {
    use super::{same, spelt};

    #[test]
    fn a_nought_among_letters_is_an_o_and_an_o_among_digits_a_nought() {
        for (read, is) in [
            ("RO0M 83", "ROOM 83"),
            ("SPEED LIMIT 3O", "SPEED LIMIT 30"),
            ("b0ok", "book"),
            ("BUSST0P40", "BUSSTOP40"),
            ("H2O and O2", "H2O and O2"),
            ("A10 B0", "A10 BO"),
            ("2O24", "2024"),
            ("00:30", "00:30"),
        ] {
            assert_eq!(spelt(read), is);
        }
    }

    #[test]
    fn a_slight_misreading_is_the_same_line_and_another_word_is_not() {
        assert!(same("EXIT ONLY", &spelt("Exit 0nly")) && same("SPEED LIMIT 30", &spelt("SPEED LIMIT 3O")));
        assert!(!same("ROOM 12", "ROOM 13") && !same("LEVEL 3", "LEVEL 4"));
        assert!(!same("OPEN", "CLOSED") && !same("12", "13") && !same("Gate 4", "Platform 9"));
    }
}
