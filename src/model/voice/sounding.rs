//! A sentence into symbols, cut into stretches the model takes.

use std::ops::Range;

use super::dictionary::Dictionary;
use super::normalise::{Piece, Say, plan, weight};
use super::{letters, symbols};

/// The model takes 510; a stretch is cut earlier, because cost grows with length and the first sound waits for the whole stretch.
pub(super) const MOST_SYMBOLS: usize = 240;
/// A single chunk of writing never has more symbols than this; what is over is not sounded.
const MOST_IN_A_CHUNK: usize = 200;

/// Words that carry no stress in a sentence, and how they then sound.
const WEAK: &[(&str, &str)] = &[
    ("a", "ə"),
    ("an", "ən"),
    ("and", "ænd"),
    ("are", "ɑɹ"),
    ("as", "æz"),
    ("at", "æt"),
    ("but", "bʌt"),
    ("by", "bI"),
    ("can", "kæn"),
    ("for", "fɔɹ"),
    ("from", "fɹʌm"),
    ("in", "ɪn"),
    ("is", "ɪz"),
    ("it", "ɪt"),
    ("of", "ʌv"),
    ("on", "ɔn"),
    ("or", "ɔɹ"),
    ("that", "ðæt"),
    ("was", "wʌz"),
    ("with", "wɪð"),
    ("your", "jʊɹ"),
    ("you", "ju"),
    ("my", "mI"),
];

/// The symbols of one chunk of writing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sounded {
    /// Where it stands in the sentence.
    pub(super) bytes: Range<usize>,
    /// Which symbols of the stretch are its.
    pub(super) symbols: Range<usize>,
}

/// What the model speaks in one go.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Stretch {
    /// At most [`MOST_SYMBOLS`], every one known to the model.
    pub(super) symbols: Vec<char>,
    pub(super) words: Vec<Sounded>,
}

/// The stretches of `sentence`, and how many letters could not be read.
pub(super) fn sound(sentence: &str, dictionary: &Dictionary) -> (Vec<Stretch>, usize) {
    let plan = plan(sentence);
    let mut out = Vec::new();
    let mut open = Stretch::default();
    for (i, piece) in plan.pieces.iter().enumerate() {
        match piece {
            Piece::Pause(mark) => open.symbols.push(*mark),
            Piece::Said { bytes, words } => {
                let next = plan.pieces.get(i + 1).and_then(|p| match p {
                    Piece::Said { words, .. } => words.first(),
                    Piece::Pause(_) => None,
                });
                let symbols = chunk(words, next, dictionary);
                if symbols.is_empty() {
                    continue;
                }
                // One symbol is left for the blank, one for a mark.
                if open.symbols.len() + symbols.len() + 2 > MOST_SYMBOLS {
                    let rest = cut(&mut open);
                    out.push(std::mem::replace(&mut open, rest));
                    if open.symbols.len() + symbols.len() + 2 > MOST_SYMBOLS {
                        out.push(std::mem::take(&mut open));
                    }
                }
                if !open.symbols.is_empty() {
                    open.symbols.push(' ');
                }
                let start = open.symbols.len();
                open.symbols.extend(symbols);
                open.words.push(Sounded { bytes: bytes.clone(), symbols: start..open.symbols.len() });
            }
        }
    }
    out.push(open);
    out.retain(|s| !s.words.is_empty());
    (out, plan.skipped)
}

/// Cuts a full stretch at its strongest pause in the last two thirds; returns what stood behind it.
fn cut(full: &mut Stretch) -> Stretch {
    let from = full.symbols.len() / 3;
    let marks =
        full.symbols.iter().enumerate().skip(from).filter(|(_, c)| !c.is_alphabetic() && ".!?…;:—,".contains(**c));
    let Some((at, _)) = marks.max_by_key(|(i, c)| (weight(**c), *i)) else { return Stretch::default() };
    // The blank after the mark goes.
    let start = (at + 2).min(full.symbols.len());
    let symbols = full.symbols.split_off(start);
    full.symbols.truncate(at + 1);
    let split = full.words.partition_point(|w| w.symbols.start < start);
    let words = full.words.split_off(split).into_iter();
    let words = words.map(|w| Sounded { symbols: w.symbols.start - start..w.symbols.end - start, ..w }).collect();
    Stretch { symbols, words }
}

fn chunk(words: &[Say], after: Option<&Say>, dictionary: &Dictionary) -> Vec<char> {
    let mut out: Vec<char> = Vec::new();
    for (i, word) in words.iter().enumerate() {
        let next = words.get(i + 1).or(after);
        let said = one(word, next, dictionary);
        if said.is_empty() {
            continue;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        out.extend(said.chars().filter(|c| symbols::number(*c).is_some()));
    }
    out.truncate(MOST_IN_A_CHUNK);
    out
}

fn one(word: &Say, next: Option<&Say>, dictionary: &Dictionary) -> String {
    let word = match word {
        Say::Letter(l) => return symbols::from_arpabet(letters::name(*l).unwrap_or_default()),
        Say::Word(w) => w.as_str(),
    };
    match word {
        "the" | "to" => {
            let vowel = next.is_some_and(|n| {
                one_plain(n, dictionary).trim_start_matches(['ˈ', 'ˌ']).starts_with(symbols::is_vowel)
            });
            match (word, vowel) {
                ("the", true) => "ði".to_owned(),
                ("the", false) => "ðə".to_owned(),
                (_, true) => "tʊ".to_owned(),
                _ => "tə".to_owned(),
            }
        }
        // Before a pause ("what are you looking at?") they are whole.
        _ => match WEAK.iter().find(|(w, _)| *w == word && next.is_some()) {
            Some((_, sounds)) => (*sounds).to_owned(),
            None => symbols::from_arpabet(&letters::sounds(word, dictionary)),
        },
    }
}

fn one_plain(word: &Say, dictionary: &Dictionary) -> String {
    match word {
        Say::Letter(l) => symbols::from_arpabet(letters::name(*l).unwrap_or_default()),
        Say::Word(w) => symbols::from_arpabet(&letters::sounds(w, dictionary)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Dictionary, MOST_SYMBOLS, sound};
    use crate::model::voice::symbols::number;

    fn little() -> Dictionary {
        let text = "\"red\": \"R EH1 D\",\n\"apple\": \"AE1 P AH0 L\",\n\"cup\": \"K AH1 P\",\n\"the\": \"DH AH0\",\n\"at\": \"AE1 T\",\n";
        Dictionary::parse(text.to_owned()).unwrap()
    }

    fn symbols(text: &str) -> Vec<String> {
        sound(text, &little()).0.into_iter().map(|s| s.symbols.into_iter().collect()).collect()
    }

    #[test]
    fn small_words_are_weak_and_the_article_follows_what_comes() {
        assert_eq!(symbols("The red cup, the apple."), ["ðə ɹˈɛd kˈʌp, ði ˈæpəl."]);
        assert_eq!(symbols("at the cup at"), ["æt ðə kˈʌp ˈæt"]);
        assert_eq!(symbols("…"), Vec::<String>::new());
    }

    #[test]
    fn long_sentences_are_cut_at_their_strongest_pause_and_no_word_is_lost() {
        let text = "the red cup, ".repeat(14) + "the red cup. " + &"the apple ".repeat(30);
        let (stretches, skipped) = sound(&text, &little());
        assert!(stretches.len() > 2 && skipped == 0);
        let said: Vec<_> = stretches.iter().flat_map(|s| s.words.iter().map(|w| &text[w.bytes.clone()])).collect();
        assert_eq!(said, text.split_whitespace().map(|w| w.trim_matches([',', '.'])).collect::<Vec<_>>());
        assert!(stretches[0].symbols.ends_with(&['.']) || stretches[0].symbols.ends_with(&[',']), "{:?}", stretches[0]);
    }

    proptest! {
        #[test]
        fn any_text_gives_bounded_stretches_of_known_symbols(text in "\\PC{0,300}|([a-zA-Z0-9.,'—-]{1,30} ){0,60}") {
            let (stretches, _) = sound(&text, &little());
            for s in stretches {
                prop_assert!(!s.symbols.is_empty() && s.symbols.len() <= MOST_SYMBOLS);
                prop_assert!(s.symbols.iter().all(|c| number(*c).is_some()), "{:?}", s.symbols);
                for w in &s.words {
                    prop_assert!(w.symbols.start < w.symbols.end && w.symbols.end <= s.symbols.len());
                    prop_assert!(text.get(w.bytes.clone()).is_some());
                }
            }
        }
    }
}
