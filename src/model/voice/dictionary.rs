//! The CMU Pronouncing Dictionary: 134,000 English words in ARPABET.

use std::ops::Range;

/// Words and their sounds, in the text they were read from: an index of ranges, sorted by word.
pub(super) struct Dictionary {
    text: String,
    index: Vec<(Range<u32>, Range<u32>)>,
}

impl Dictionary {
    /// Reads lines of the form `"word": "W ER1 D",`; other lines are passed over. `None` when there is no such line, or the text is over 4 GiB.
    pub(super) fn parse(text: String) -> Option<Self> {
        u32::try_from(text.len()).ok()?;
        #[allow(clippy::cast_possible_truncation, reason = "the length of the text was looked at")]
        let at = |part: &str| {
            let start = part.as_ptr() as usize - text.as_ptr() as usize;
            start as u32..(start + part.len()) as u32
        };
        let mut index: Vec<_> = text
            .lines()
            .filter_map(|line| {
                // A word with an apostrophe may stand in either quotation marks; both are taken off.
                let (word, sounds) = line.split_once(": ")?;
                let quotes = ['"', '\'', ' ', '\t', ','];
                let word = word.trim().strip_prefix(['"', '\''])?.strip_suffix(['"', '\''])?;
                let sounds = sounds.trim_matches(quotes);
                (!word.is_empty() && !sounds.is_empty()).then(|| (at(word), at(sounds)))
            })
            .collect();
        let word = |r: &Range<u32>| &text[r.start as usize..r.end as usize];
        index.sort_by(|a, b| word(&a.0).cmp(word(&b.0)));
        (!index.is_empty()).then_some(Self { text, index })
    }

    /// The sounds of `word`, lower case.
    pub(super) fn sounds(&self, word: &str) -> Option<&str> {
        let text = |r: &Range<u32>| &self.text[r.start as usize..r.end as usize];
        let found = self.index.binary_search_by(|(w, _)| text(w).cmp(word)).ok()?;
        Some(text(&self.index[found].1))
    }
}

#[cfg(test)]
mod tests {
    use super::Dictionary;

    #[test]
    fn words_are_found_and_what_is_no_entry_is_passed_over() {
        let text =
            "/** head */\nexport const d = {\n  \"zoo\": \"Z UW1\",\n  \"'bout\": \"B AW1 T\",\n  \"a\": \"AH0\"\n}\n";
        let d = Dictionary::parse(text.to_owned()).unwrap();
        assert_eq!(d.sounds("zoo"), Some("Z UW1"));
        assert_eq!(d.sounds("'bout"), Some("B AW1 T"));
        assert_eq!(d.sounds("a"), Some("AH0"));
        assert_eq!(d.sounds("b"), None);
        assert!(Dictionary::parse("nothing\n".to_owned()).is_none());
    }
}
