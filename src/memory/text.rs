//! Small work on words: clipping, comparing readings, comparing words.

use crate::watch::likeness;

/// At most `most` characters of `s`, in a string with no room to spare.
pub(super) fn clip(s: &str, most: usize) -> String {
    match s.char_indices().nth(most) {
        Some((end, _)) => s[..end].to_owned(),
        None => s.to_owned(),
    }
}

/// Two readings at least this much alike are of one line.
const SAME_LINE: f32 = 0.65;

/// Whether two readings are of one line.
pub(super) fn same_line(a: &str, b: &str) -> bool {
    a == b || likeness(a, b) >= SAME_LINE
}

/// The words of a line: runs of letters and digits.
pub(super) fn words(s: &str) -> impl Iterator<Item = &str> {
    s.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty())
}

/// Whether two words are the same but for case and a plural.
pub(super) fn same_word(a: &str, b: &str) -> bool {
    if a.eq_ignore_ascii_case(b) || singular(a).eq_ignore_ascii_case(singular(b)) || same_but_for_u(a, b) {
        return true;
    }
    let berry = |s: &str, p: &str| match (s.strip_suffix('y'), p.strip_suffix("ies")) {
        (Some(s), Some(p)) => s.eq_ignore_ascii_case(p),
        _ => false,
    };
    berry(a, b) || berry(b, a)
}

/// `favourite`, `favorite`: recognisers of speech write one, people who type the other.
pub(crate) fn same_but_for_u(a: &str, b: &str) -> bool {
    let (british, american) = if a.len() > b.len() { (a, b) } else { (b, a) };
    let lower = british.as_bytes();
    british.len() >= 5
        && british.len() == american.len() + 1
        && (1..lower.len() - 1).any(|i| {
            let our = lower[i - 1..=i + 1].eq_ignore_ascii_case(b"our");
            our && british.is_char_boundary(i)
                && american.is_char_boundary(i)
                && british[..i].eq_ignore_ascii_case(&american[..i])
                && british[i + 1..].eq_ignore_ascii_case(&american[i..])
        })
}

/// `cups` → `cup`, `boxes` → `box`, `glass` stays.
fn singular(w: &str) -> &str {
    for end in ["ses", "xes", "ches", "shes"] {
        if w.ends_with(end) && w.len() > end.len() + 1 {
            return &w[..w.len() - 2];
        }
    }
    if w.len() > 3 && w.ends_with('s') && !w.ends_with("ss") { &w[..w.len() - 1] } else { w }
}

/// `a cup`, `an apple`.
pub(super) fn with_article(noun: &str) -> String {
    let vowel = noun.chars().next().is_some_and(|c| "aeiouAEIOU".contains(c));
    format!("{} {noun}", if vowel { "an" } else { "a" })
}

/// `cup` → `cups`; only as good as a caption needs.
pub(super) fn plural(noun: &str) -> String {
    match noun {
        "person" => "people".to_owned(),
        "man" | "woman" => format!("{}en", &noun[..noun.len() - 2]),
        "sheep" | "scissors" | "skis" => noun.to_owned(),
        "mouse" => "mice".to_owned(),
        "knife" => "knives".to_owned(),
        _ if ["s", "x", "ch", "sh"].iter().any(|e| noun.ends_with(e)) => format!("{noun}es"),
        _ => format!("{noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::{clip, same_line, same_word};

    #[test]
    fn clipping_counts_characters_and_never_splits_one() {
        assert_eq!(clip("äöü", 2), "äö");
        assert_eq!(clip("ab", 5), "ab");
    }

    #[test]
    fn a_misreading_is_the_same_line_and_another_number_is_not() {
        assert!(same_line("EXIT ONLY", "Exit Onlv"));
        assert!(!same_line("Room 12", "Room 13") && !same_line("OPEN", "CLOSED") && !same_line("", "a"));
    }

    #[test]
    fn plurals_are_the_same_word() {
        for (a, b) in [
            ("colour", "Color"),
            ("favorite", "favourite"),
            ("cup", "Cups"),
            ("box", "boxes"),
            ("berry", "berries"),
            ("glass", "glasses"),
        ] {
            assert!(same_word(a, b), "{a} {b}");
        }
        assert!(!same_word("glass", "gloss") && !same_word("cup", "cap") && !same_word("four", "for"));
    }
}
