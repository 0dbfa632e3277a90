//! What words said into somebody's answer mean: go on, stop, or something of their own.

/// What was said, as far as it bears on whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interjection {
    /// No words, or what recognisers write down for noise.
    Nothing,
    /// "mm-hm", "yeah", "okay, right", a laugh: go on.
    Backchannel,
    /// "stop", "wait", "no": stop at once.
    Stop,
    /// A question, "but", "actually": something of their own begins.
    Turn,
    /// This many words of their own.
    Content(usize),
}

/// Signs of listening. Several words are one sign; the longest that fits is taken.
const BACKCHANNELS: &[&str] = &[
    "mm",
    "mmm",
    "mhm",
    "mmhm",
    "mm hm",
    "mm hmm",
    "hm",
    "hmm",
    "hmmm",
    "huh",
    "uh",
    "uh huh",
    "uhhuh",
    "um",
    "umm",
    "er",
    "erm",
    "ah",
    "aha",
    "ahh",
    "oh",
    "ooh",
    "wow",
    "yeah",
    "yea",
    "yep",
    "yup",
    "yes",
    "ya",
    "okay",
    "ok",
    "k",
    "kay",
    "right",
    "alright",
    "all right",
    "sure",
    "true",
    "exactly",
    "indeed",
    "absolutely",
    "totally",
    "definitely",
    "good",
    "great",
    "nice",
    "cool",
    "fine",
    "perfect",
    "really",
    "i see",
    "got it",
    "gotcha",
    "i know",
    "i understand",
    "of course",
    "course",
    "on course",
    "thats right",
    "that is right",
    "makes sense",
    "that makes sense",
    "fair enough",
    "very good",
    "very nice",
    "oh really",
    "interesting",
    "thats interesting",
    "oh dear",
    "go on",
    "ha",
    "haha",
    "hahaha",
    "hehe",
    "heh",
    "laughs",
    "laughter",
    "laughing",
    "chuckles",
    "thanks",
    "thank you",
    "thank you very much",
    "well",
    "so",
];

/// What recognisers write down for coughs, breath and noise.
const NOISE: &[&str] = &[
    "you",
    "bye",
    "cough",
    "coughs",
    "coughing",
    "clears throat",
    "sneezes",
    "music",
    "applause",
    "silence",
    "noise",
    "blank audio",
    "thanks for watching",
    "thank you for watching",
    "the",
    "a",
    "i",
    "m",
    "s",
    "h",
    "t",
];

/// Orders to stop.
const STOPS: &[&str] = &[
    "stop",
    "wait",
    "no",
    "nope",
    "hold on",
    "hang on",
    "hold it",
    "pause",
    "be quiet",
    "enough",
    "thats enough",
    "shut up",
    "cancel",
    "never mind",
    "nevermind",
    "excuse me",
    "one moment",
    "one second",
    "just a second",
];

/// How people take the floor.
const TURNS: &[&str] = &[
    "nah",
    "quiet",
    "forget it",
    "actually",
    "but",
    "listen",
    "look",
    "hey",
    "sorry",
    "what",
    "whats",
    "who",
    "whos",
    "where",
    "wheres",
    "when",
    "why",
    "how",
    "hows",
    "which",
    "can you",
    "could you",
    "will you",
    "would you",
    "do you",
    "did you",
    "is it",
    "is that",
    "is there",
    "are you",
    "are there",
    "tell me",
    "let me",
    "i want",
    "i meant",
    "i mean",
    "i said",
    "not",
    "thats wrong",
    "wrong",
    "dont",
];

/// Words that say nothing by themselves and are not counted.
const LITTLE: &[&str] = &[
    "the", "a", "an", "i", "im", "its", "it", "is", "to", "of", "and", "that", "this", "you", "in", "me", "my", "are",
    "was", "be", "please",
];

/// The words of `text`, lower case, without punctuation and apostrophes.
pub(super) fn plain(text: &str) -> Vec<String> {
    let kept = text.chars().filter(|c| !matches!(c, '\'' | '’')).flat_map(char::to_lowercase);
    let spaced: String = kept.map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect();
    spaced.split_whitespace().map(str::to_owned).collect()
}

/// How many of `words` the longest phrase of `table` takes that they begin with.
pub(super) fn begins_with(words: &[String], table: &[&str]) -> usize {
    let fits = |phrase: &&&str| {
        let mut theirs = words.iter();
        phrase.split(' ').all(|w| theirs.next().is_some_and(|t| t == w))
    };
    table.iter().filter(fits).map(|phrase| phrase.split(' ').count()).max().unwrap_or(0)
}

/// Long hums and laughs are spelt in many ways.
fn is_hum(word: &str) -> bool {
    word.len() >= 2 && word.chars().all(|c| matches!(c, 'm' | 'h' | 'a' | 'u')) && word.contains(['m', 'h'])
}

/// Weighs the words of a reading, which may be an early one of an unfinished sentence.
#[must_use]
pub fn weigh(text: &str) -> Interjection {
    let words = plain(text);
    let (mut at, mut content, mut signs) = (0, 0, 0);
    if begins_with(&words, NOISE) == words.len() {
        return Interjection::Nothing;
    }
    while at < words.len() {
        let rest = &words[at..];
        let sign = begins_with(rest, BACKCHANNELS).max(usize::from(is_hum(&rest[0])));
        let stop = begins_with(rest, STOPS);
        if stop > sign {
            return Interjection::Stop;
        }
        if begins_with(rest, TURNS) > sign {
            return Interjection::Turn;
        }
        if sign > 0 {
            signs += 1;
            at += sign;
            continue;
        }
        content += usize::from(rest[0].len() > 1 && !LITTLE.contains(&rest[0].as_str()));
        at += 1;
    }
    match (content, signs) {
        (0, 0) => Interjection::Nothing,
        (0, _) => Interjection::Backchannel,
        (n, _) => Interjection::Content(n),
    }
}

/// Whether `heard` is what we are saying ourselves: most of its words stand in `ours` in that order. One word proves nothing.
#[must_use]
pub fn is_our_own(heard: &str, ours: &str) -> bool {
    let (heard, ours) = (plain(heard), plain(ours));
    // An early reading is short, and an answer has a bound of its own: the newest words of either are enough.
    let ours = &ours[ours.len().saturating_sub(200)..];
    let heard = &heard[heard.len().saturating_sub(40)..];
    if heard.len() < 2 {
        return false;
    }
    // Longest common subsequence, one row.
    let mut row = vec![0_usize; ours.len() + 1];
    for word in heard {
        let mut diagonal = 0;
        for (i, our) in ours.iter().enumerate() {
            let above = row[i + 1];
            row[i + 1] = if word == our { diagonal + 1 } else { above.max(row[i]) };
            diagonal = above;
        }
    }
    let common = row[ours.len()];
    common >= 2 && common * 10 >= heard.len() * 7
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_golden_table_holds() {
        #[derive(serde::Deserialize)]
        struct Row {
            said: String,
            means: String,
        }
        let table = include_str!("../../tests/data/interjections.json");
        let rows: Vec<Row> = serde_json::from_str(table).expect("valid JSON");
        assert!(rows.len() > 60);
        for Row { said, means } in rows {
            let got = match weigh(&said) {
                Interjection::Nothing => "nothing",
                Interjection::Backchannel => "backchannel",
                Interjection::Stop => "stop",
                Interjection::Turn => "turn",
                Interjection::Content(1) => "one word",
                Interjection::Content(_) => "words",
            };
            assert_eq!(got, means, "{said:?}");
        }
    }

    #[test]
    fn every_sign_of_listening_is_one_and_so_are_all_pairs_of_them() {
        for a in BACKCHANNELS {
            assert_eq!(weigh(a), Interjection::Backchannel, "{a}");
            for b in BACKCHANNELS {
                let pair = weigh(&format!("{a}, {b}."));
                assert!(
                    pair == Interjection::Backchannel || BACKCHANNELS.concat().contains(&format!("{a}{b}")),
                    "{a} {b}: {pair:?}"
                );
            }
        }
    }

    #[test]
    fn our_own_words_are_known_again_and_an_answer_to_them_is_not() {
        let ours = "I can see a red cup on the table, and behind it an open window.";
        assert!(is_our_own("a red cup on the", ours));
        assert!(is_our_own("Behind it, an open widow", ours));
        assert!(!is_our_own("what about the window", ours));
        assert!(!is_our_own("cup", ours), "one word proves nothing");
        assert!(!is_our_own("", ours) && !is_our_own("stop it now", ""));
    }
}
