//! Text as it is written, into words as they are said.

use std::ops::Range;

use super::{numbers, written};

/// More of a sentence than this is not read.
const MOST_BYTES: usize = 8 * 1024;
/// One chunk of writing ("12,345.67", a URL) says at most this many words.
const MOST_WORDS: usize = 60;

/// One word to be said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Say {
    /// Lower case, `a` to `z` and apostrophes.
    Word(String),
    /// By its name.
    Letter(char),
}

impl Say {
    pub(super) fn word(text: &str) -> Self {
        Self::Word(text.to_owned())
    }
}

/// A piece of the sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// What one chunk of writing says, and where it stands.
    Said {
        /// In the sentence, without the punctuation around it.
        bytes: Range<usize>,
        /// At least one.
        words: Vec<Say>,
    },
    /// A punctuation mark that is heard: one of `. ! ? , ; : — …`.
    Pause(char),
}

/// A sentence, ready to be sounded.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) pieces: Vec<Piece>,
    /// Letters of scripts that this voice does not read, and what was past the end of what is read.
    pub(super) skipped: usize,
}

/// Reads `sentence`. Never fails: what cannot be said is counted.
pub(super) fn plan(sentence: &str) -> Plan {
    let mut plan = Plan::default();
    let mut end = sentence.len().min(MOST_BYTES);
    while !sentence.is_char_boundary(end) {
        end -= 1;
    }
    plan.skipped += sentence[end..].chars().count();
    let mut start = 0;
    for (at, c) in sentence[..end].char_indices().chain([(end, ' ')]) {
        let dash = c == '—';
        if dash || c.is_whitespace() || c.is_control() {
            if start < at {
                read_chunk(&sentence[start..at], start, &mut plan);
            }
            start = at + c.len_utf8();
        }
        if dash {
            pause(c, &mut plan);
        }
    }
    plan
}

/// One chunk between blanks: opening marks, what is said, closing marks.
fn read_chunk(chunk: &str, at: usize, plan: &mut Plan) {
    let core = chunk.trim_start_matches(is_opening);
    let start = at + chunk.len() - core.len();
    let whole = core.trim_end_matches(is_closing);
    // The point of an abbreviation is no full stop.
    let abbreviation = written::abbreviation(whole);
    let closing = &core[whole.len()..];
    if !whole.is_empty() {
        let mut words = Vec::new();
        plan.skipped += written::read(whole, &mut words);
        if words.len() > MOST_WORDS {
            plan.skipped += words.len() - MOST_WORDS;
            words.truncate(MOST_WORDS);
        }
        if !words.is_empty() {
            plan.pieces.push(Piece::Said { bytes: start..start + whole.len(), words });
        }
    }
    for (i, mark) in closing.chars().enumerate() {
        if i > 0 || mark != '.' || !abbreviation {
            pause(mark, plan);
        }
    }
}

/// Adds the pause of a mark; of several in a row the strongest stays, and none stands before the first word.
fn pause(mark: char, plan: &mut Plan) {
    let heard = match mark {
        '.' | '!' | '?' | ',' | ';' | ':' | '—' | '…' => mark,
        '–' => '—',
        '(' | ')' | '[' | ']' => ',',
        '。' => '.',
        '！' => '!',
        '？' => '?',
        _ => return,
    };
    match plan.pieces.last_mut() {
        None => {}
        Some(Piece::Pause(last)) if weight(heard) > weight(*last) => *last = heard,
        Some(Piece::Pause(_)) => {}
        Some(Piece::Said { .. }) => plan.pieces.push(Piece::Pause(heard)),
    }
}

/// Where a long text is better cut.
pub(super) const fn weight(mark: char) -> u8 {
    match mark {
        '.' | '!' | '?' | '…' => 3,
        ';' | ':' | '—' => 2,
        _ => 1,
    }
}

fn is_opening(c: char) -> bool {
    !c.is_alphanumeric()
        && !matches!(c, '$' | '€' | '£' | '-' | '+' | '&' | '@' | '#' | '%' | '=' | '<' | '>' | '.' | '°' | '–')
}

fn is_closing(c: char) -> bool {
    !c.is_alphanumeric() && !matches!(c, '%' | '°' | '+' | '&' | '=' | '$' | '€' | '£' | '#' | '@' | '<' | '>')
}

/// Words of a number, as things to be said.
pub(super) fn number_words(f: impl FnOnce(&mut Vec<&'static str>), out: &mut Vec<Say>) {
    let mut words = Vec::new();
    f(&mut words);
    out.extend(words.into_iter().map(Say::word));
}

/// A run of figures, see [`numbers::figures`].
pub(super) fn figures(run: &str, out: &mut Vec<Say>) {
    number_words(|o| numbers::figures(run, o), out);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Piece, Say, plan};

    fn said(text: &str) -> String {
        let mut out = String::new();
        for piece in plan(text).pieces {
            match piece {
                Piece::Pause(mark) => out.push(mark),
                Piece::Said { words, .. } => {
                    for word in words {
                        out.push_str(if out.is_empty() { "" } else { " " });
                        match word {
                            Say::Word(w) => out.push_str(&w),
                            Say::Letter(l) => out.push(l.to_ascii_uppercase()),
                        }
                    }
                }
            }
        }
        out
    }

    #[test]
    fn writing_is_read_as_a_person_reads_it() {
        for (text, want) in [
            ("I see 2 red cups.", "i see two red cups."),
            ("At [00:12:05] you showed it", "at twelve minutes and five seconds, you showed it"),
            ("It's 3:00, not 15:30!", "it's three o'clock, not fifteen thirty!"),
            ("On the 21st of May 1984", "on the twenty first of may nineteen eighty four"),
            ("$12.50 is 45% off", "twelve dollars and fifty cents is forty five percent off"),
            ("€1 or £3", "one euro or three pounds"),
            ("5km at 20°C", "five kilometers at twenty degrees celsius"),
            ("1,234 people, 3.14", "one thousand two hundred thirty four people, three point one four"),
            ("Dr. Smith vs. Mr. Brown, etc.", "doctor smith versus mister brown, et cetera"),
            ("The USB and HTTP", "the U S B and H T T P"),
            ("see https://example.org/a-b now", "see example dot org slash a dash B now"),
            ("rock & roll = 1+1", "rock and roll equals one plus one"),
            ("well-known and/or H264", "well known and or H two hundred sixty four"),
            ("Wait… what—no?", "wait… what— no?"),
            ("“Quoted” (aside) text", "quoted aside, text"),
            ("pages 3-5, -4", "pages three to five, minus four"),
            ("café Müller", "cafe muller"),
            ("0.5 and .5", "zero point five and point five"),
        ] {
            assert_eq!(said(text), want, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_counted_and_not_said() {
        assert_eq!(plan(" …?! — ").pieces, []);
        assert_eq!(plan("").skipped, 0);
        let mixed = plan("hello 你好 world");
        assert_eq!(mixed.skipped, 2);
        assert_eq!(mixed.pieces.len(), 2);
        assert!(plan(&"word ".repeat(10_000)).skipped > 0, "the end of an endless text is counted");
    }

    proptest! {
        #[test]
        fn no_text_panics_and_ranges_are_in_order_on_boundaries(text in "\\PC{0,200}|[0-9:.,$%°\\-/ a-zA-Z'—]{0,120}") {
            let mut last = 0;
            for piece in plan(&text).pieces {
                if let Piece::Said { bytes, words } = piece {
                    prop_assert!(bytes.start >= last && !text[bytes.clone()].is_empty());
                    prop_assert!(!words.is_empty() && words.len() <= super::MOST_WORDS);
                    for w in words {
                        let good = match &w {
                            Say::Word(w) => !w.is_empty() && w.bytes().all(|b| b.is_ascii_lowercase() || b == b'\''),
                            Say::Letter(l) => l.is_ascii_lowercase(),
                        };
                        prop_assert!(good, "{w:?}");
                    }
                    last = bytes.end;
                }
            }
        }
    }
}
