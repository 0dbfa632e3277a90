//! Words that are sure before the sentence is over: those that two readings in a row agree on.
//!
//! Source: the rule called local agreement in Macháček, Dabre, Bojar, "Turning Whisper into Real-Time Transcription System"
//! (arXiv 2307.14743, section 2). Differs in: nothing is ever taken back, so what was given out stays a beginning of what is given out later.

use super::interject::plain;

/// What was given out of the speech that goes on. Memory: the newest reading, and what was given out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stable {
    newest: Option<String>,
    given: String,
}

impl Stable {
    /// Takes in a reading of everything said so far; gives back what is sure now and was not before, if anything. Nothing more comes where
    /// readings contradict what was given out.
    pub fn read(&mut self, words: &str) -> Option<String> {
        let words = words.trim();
        let more = self.newest.as_deref().and_then(|before| {
            let sure = &words[..agreed(before, words)];
            sure.strip_prefix(self.given.as_str()).filter(|more| !more.is_empty()).map(str::to_owned)
        });
        self.newest = Some(words.to_owned());
        self.given.push_str(more.as_deref().unwrap_or(""));
        more
    }

    /// Whether `words` go on from the reading before: where they share less than half of its words, the recogniser is guessing. One reading
    /// alone is taken at its word.
    #[must_use]
    pub fn goes_on(&self, words: &str) -> bool {
        self.newest.as_deref().is_none_or(|before| {
            let (before, words) = (plain(before), plain(words));
            let same = before.iter().zip(&words).take_while(|(a, b)| a == b).count();
            2 * same >= before.len()
        })
    }

    /// Everything that was given out.
    #[must_use]
    pub fn given(&self) -> &str {
        &self.given
    }

    /// What is left to give out once all words are known: `None` where nothing was given out, or something else.
    #[must_use]
    pub fn rest<'a>(&self, all: &'a str) -> Option<&'a str> {
        let rest = all.trim().strip_prefix(self.given.as_str())?;
        (!self.given.is_empty() && !rest.is_empty()).then_some(rest)
    }
}

/// How many bytes of `b` both begin with, up to the end of a word in both.
fn agreed(a: &str, b: &str) -> usize {
    let same = a.chars().zip(b.chars()).take_while(|(x, y)| x == y).map(|(c, _)| c.len_utf8()).sum::<usize>();
    let in_word = |text: &str, at: usize| text[at..].starts_with(is_word);
    let mut end = same;
    if in_word(a, same) || in_word(b, same) {
        end = b[..same].trim_end_matches(is_word).len();
    }
    // The stop after a word belongs to the end of the sentence, which may be elsewhere in the next reading; so does the space.
    b[..end].trim_end_matches(|c: char| !is_word(c)).len()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '\'' | '’' | '-')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Stable;

    #[test]
    fn only_words_that_two_readings_agree_on_are_given_out() {
        let mut s = Stable::default();
        assert_eq!(s.read("What is"), None, "one reading proves nothing");
        assert_eq!(s.read("What is on the ta"), Some("What is".into()));
        assert_eq!(s.read("What is on the table?"), Some(" on the".into()), "half a word is none");
        assert_eq!(s.read("What is on the table?"), Some(" table".into()), "the stop may still move");
        assert_eq!(s.read("What is on the table, and where"), None);
        assert_eq!(s.read("What is on the table, and where is"), Some(", and where".into()));
        assert_eq!(s.rest("What is on the table, and where is it?"), Some(" is it?"));
        assert_eq!(s.rest("Who is on the table?"), None, "what was given out cannot be taken back");
    }

    #[test]
    fn where_readings_contradict_what_was_given_out_nothing_more_comes() {
        let mut s = Stable::default();
        s.read("I scream");
        assert_eq!(s.read("I scream for"), Some("I scream".into()));
        assert_eq!(s.read("Ice cream for all"), None);
        assert_eq!(s.read("Ice cream for all of"), None);
        assert_eq!(s.given(), "I scream");
    }

    #[test]
    fn a_reading_that_has_little_of_the_one_before_does_not_go_on_from_it() {
        let mut s = Stable::default();
        assert!(s.goes_on("What is"), "there is none before");
        s.read("What is on her mind?");
        assert!(s.goes_on("what is on the table"));
        assert!(!s.goes_on("Wharton on her."));
    }

    #[test]
    fn nothing_given_out_leaves_no_rest() {
        assert_eq!(Stable::default().rest("Hello."), None);
    }

    proptest! {
        #[test]
        fn what_is_given_out_only_grows_ends_with_whole_words_and_was_read_twice(
            readings in proptest::collection::vec("(a|b|é|'|-| |\\.|,){0,12}", 1..8)
        ) {
            let mut s = Stable::default();
            let mut all = String::new();
            for (i, words) in readings.iter().enumerate() {
                if let Some(more) = s.read(words) {
                    all.push_str(&more);
                    for of in &readings[i - 1..=i] {
                        prop_assert!(of.trim().starts_with(&all));
                        let next = of.trim()[all.len()..].chars().next();
                        prop_assert!(next.is_none_or(|c| !c.is_alphanumeric()), "{:?} cut in {:?}", all, of);
                    }
                }
                prop_assert_eq!(s.given(), &all);
            }
        }
    }
}
