//! Words that are still being written, cut where a voice can stop: one piece is spoken while the next is written.
//!
//! Sentences, as a rule. The first piece may be a part of one, since everybody waits for it; and what has no end is cut where it can be.

use std::ops::Range;

/// Most characters of a piece: about six seconds of sound. The voice cannot be stopped within one, so the next answer may have to wait for it.
pub(crate) const MOST: usize = 90;
/// Least characters of a first piece that ends within a sentence. Less is said in less time than the rest takes to make.
const FIRST_LEAST: usize = 24;
/// A point behind these ends no sentence.
const ABBREVIATIONS: &[&str] =
    &["mr", "mrs", "ms", "dr", "st", "vs", "prof", "jr", "sr", "approx", "e.g", "i.e", "fig", "dept"];

/// The next piece of `text` behind `from`, without the blanks around it; `None` when nothing can be spoken yet. `whole`: no more words will come.
pub(crate) fn next_piece(text: &str, from: usize, whole: bool) -> Option<Range<usize>> {
    let rest = text.get(from..)?;
    let start = from + (rest.len() - rest.trim_start().len());
    let body = &text[start..];
    let (mut clause, mut space) = (None, None);
    for (n, (at, c)) in body.char_indices().enumerate() {
        if n >= MOST {
            let end = clause.or(space).unwrap_or(at);
            return Some(start..start + end);
        }
        let after = at + c.len_utf8();
        let end = after + closing(&body[after..]);
        let stops = body[end..].starts_with(char::is_whitespace);
        match c {
            '\n' => return Some(start..start + at),
            '.' | '!' | '?' | '…' if stops && !(c == '.' && is_abbreviation(&body[..at])) => {
                return Some(start..start + end);
            }
            ',' | ';' | ':' | '–' | '—' if stops => {
                if from == 0 && n + 1 >= FIRST_LEAST {
                    return Some(start..start + end);
                }
                clause = Some(end);
            }
            _ if c.is_whitespace() => space = Some(at),
            _ => {}
        }
    }
    let left = body.trim_end();
    (whole && !left.is_empty()).then(|| start..start + left.len())
}

/// Bytes of the quotation marks and brackets that close here.
fn closing(text: &str) -> usize {
    text.len() - text.trim_start_matches(['"', '\'', ')', ']', '”', '’']).len()
}

/// Whether `before` ends in a word after which a point ends nothing: `Dr`, an initial.
fn is_abbreviation(before: &str) -> bool {
    let word = before.rsplit(|c: char| c.is_whitespace() || matches!(c, '(' | '"')).next().unwrap_or_default();
    let mut letters = word.chars();
    match (letters.next(), letters.next()) {
        // "I" is a word of its own.
        (Some(c), None) => c.is_uppercase() && c != 'I',
        _ => ABBREVIATIONS.iter().any(|a| word.eq_ignore_ascii_case(a)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{MOST, next_piece};

    /// All pieces of a text that comes a few characters at a time.
    fn cut(text: &str, step: usize) -> Vec<String> {
        let (mut pieces, mut from) = (Vec::new(), 0);
        let ends: Vec<usize> = text.char_indices().map(|(i, _)| i).skip(1).step_by(step).chain([text.len()]).collect();
        for end in ends {
            let whole = end == text.len();
            while let Some(piece) = next_piece(&text[..end], from, whole) {
                from = piece.end;
                pieces.push(text[piece].to_owned());
            }
        }
        pieces
    }

    #[test]
    fn sentences_end_at_their_marks_and_not_at_points_within() {
        let text = "Dr. J. Smith has 3.50 dollars. \"Really?\" Yes! He does… I think (so.)\nBye";
        let pieces = ["Dr. J. Smith has 3.50 dollars.", "\"Really?\"", "Yes!", "He does…", "I think (so.)", "Bye"];
        assert_eq!(cut(text, 1), pieces);
        assert_eq!(cut("It was I. You know", 3), ["It was I.", "You know"]);
    }

    #[test]
    fn the_first_piece_ends_at_a_clause_that_is_worth_it_and_later_ones_do_not() {
        let text = "On the table, left of you, stands a cup, and a plate. It is red, and blue, and very green indeed.";
        let pieces =
            ["On the table, left of you,", "stands a cup, and a plate.", "It is red, and blue, and very green indeed."];
        assert_eq!(cut(text, 4), pieces);
    }

    #[test]
    fn nothing_is_cut_before_it_is_known_to_end() {
        assert_eq!(next_piece("It costs 3.", 0, false), None);
        assert_eq!(next_piece("It costs 3.", 0, true), Some(0..11));
        assert_eq!(next_piece("It is.  ", 6, true), None);
    }

    #[test]
    fn what_has_no_end_is_cut_at_a_clause_or_a_blank() {
        let words = "word ".repeat(60);
        for piece in cut(&words, 7) {
            assert!(piece.chars().count() <= MOST && piece.starts_with("word") && piece.ends_with("word"), "{piece:?}");
        }
        assert_eq!(cut(&"x".repeat(2 * MOST + 60), 50).iter().map(String::len).collect::<Vec<_>>(), [MOST, MOST, 60]);
    }

    proptest! {
        #[test]
        fn every_word_is_said_once_and_in_order(text in "[ a-zA-Z.,!?\"\n–é…0-9]{0,400}", step in 1_usize..20) {
            let said: String = cut(&text, step).concat();
            let letters = |t: &str| t.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            prop_assert_eq!(letters(&said), letters(&text));
        }

        #[test]
        fn pieces_are_bounded_and_never_empty(text in "\\PC{0,400}", from in 0_usize..400) {
            if let Some(piece) = next_piece(&text, from, true) {
                let piece = &text[piece];
                prop_assert!(!piece.trim().is_empty() && piece.chars().count() <= MOST + 8, "{:?}", piece);
            }
        }
    }
}
