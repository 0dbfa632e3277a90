//! Where sentences end in words that are still coming.

/// Where the `n`-th sentence ends, once something follows it.
pub(crate) fn end_of_sentence(text: &str, n: usize) -> Option<usize> {
    let mut left = n;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let ends =
            c == '\n' || (matches!(c, '.' | '!' | '?') && chars.peek().is_some_and(|(_, next)| next.is_whitespace()));
        if ends && at > 0 {
            left = left.saturating_sub(1);
            if left == 0 {
                return Some(if c == '\n' { at } else { at + c.len_utf8() });
            }
        }
    }
    None
}

/// Cuts `text` after its last word with which it has at most `limit` tokens.
pub(crate) fn cut_to(text: &mut String, limit: usize, count: &dyn Fn(&str) -> usize) {
    while !text.is_empty() && count(text) > limit {
        let end = text.trim_end().rfind(' ').unwrap_or(0);
        text.truncate(end);
    }
}

#[cfg(test)]
mod tests {
    use super::{cut_to, end_of_sentence};

    #[test]
    fn words_are_cut_to_a_limit_and_whole_ones_stay() {
        let words = |t: &str| t.split_whitespace().count();
        for (limit, left) in [(9, "I can't see it"), (3, "I can't see"), (1, "I"), (0, "")] {
            let mut text = "I can't see it".to_owned();
            cut_to(&mut text, limit, &words);
            assert_eq!(text, left);
        }
    }

    #[test]
    fn a_sentence_ends_only_when_something_follows_and_a_point_in_a_number_is_none() {
        assert_eq!(end_of_sentence("It is a cup.", 1), None);
        assert_eq!(end_of_sentence("It is a cup. And", 1), Some(12));
        assert_eq!(end_of_sentence("It costs 3.50 now! Yes", 1), Some(18));
        assert_eq!(end_of_sentence("One. Two. Three", 2), Some(9));
        assert_eq!(end_of_sentence("One\nTwo", 1), Some(3));
    }
}
