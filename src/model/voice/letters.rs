//! Words that no dictionary knows: by their parts, by their letters, or letter by letter.
//!
//! The rules are of the longest-match kind (as in Elovitz et al., "Letter-to-sound rules for automatic translation of English text to
//! phonetics", 1976), few and ours. They get common spellings right; names they get about right.

use super::dictionary::Dictionary;

/// More letters than any word has; what is longer is cut.
const MOST_LETTERS: usize = 40;

/// Names of the letters, in ARPABET.
const NAMES: [&str; 26] = [
    "EY1",
    "B IY1",
    "S IY1",
    "D IY1",
    "IY1",
    "EH1 F",
    "JH IY1",
    "EY1 CH",
    "AY1",
    "JH EY1",
    "K EY1",
    "EH1 L",
    "EH1 M",
    "EH1 N",
    "OW1",
    "P IY1",
    "K Y UW1",
    "AA1 R",
    "EH1 S",
    "T IY1",
    "Y UW1",
    "V IY1",
    "D AH1 B AH0 L Y UW0",
    "EH1 K S",
    "W AY1",
    "Z IY1",
];

/// The name of a letter.
pub(super) fn name(letter: char) -> Option<&'static str> {
    let at = u32::from(letter.to_ascii_lowercase()).checked_sub(u32::from('a'))?;
    NAMES.get(usize::try_from(at).ok()?).copied()
}

/// Sounds of `word` (lower case, `a` to `z` and apostrophes), in ARPABET.
pub(super) fn sounds(word: &str, dictionary: &Dictionary) -> String {
    if let Some(known) = dictionary.sounds(word) {
        return known.to_owned();
    }
    if let Some(built) = inflected(word, dictionary).or_else(|| joined(word, dictionary)) {
        return built;
    }
    let letters: Vec<u8> = word.bytes().filter(u8::is_ascii_lowercase).take(MOST_LETTERS).collect();
    // Without a vowel it can only be spelled: "mqtt".
    if !letters.iter().any(|l| b"aeiouy".contains(l)) {
        return letters.iter().filter_map(|&l| name(char::from(l))).collect::<Vec<_>>().join(" ");
    }
    by_rules(&letters)
}

/// "cups'", "livestreams", "unmuting": a known word and an ending or a beginning.
fn inflected(word: &str, d: &Dictionary) -> Option<String> {
    let get = |stem: &str| d.sounds(stem);
    if let Some(stem) = word.strip_suffix("'s").or_else(|| word.strip_suffix("s'")).or_else(|| word.strip_suffix('s'))
        && stem.len() > 1
        && let Some(sounds) = get(stem).or_else(|| get(stem.strip_suffix('e')?))
    {
        let last = sounds.rsplit(' ').next().unwrap_or_default();
        let ending = match last {
            "S" | "Z" | "SH" | "ZH" | "CH" | "JH" => "IH0 Z",
            "P" | "T" | "K" | "F" | "TH" => "S",
            _ => "Z",
        };
        return Some(format!("{sounds} {ending}"));
    }
    for (suffix, sound) in [("ing", "IH0 NG"), ("ness", "N AH0 S"), ("less", "L AH0 S"), ("ly", "L IY0"), ("er", "ER0")]
    {
        if let Some(stem) = word.strip_suffix(suffix).filter(|s| s.len() > 2)
            && let Some(sounds) = get(stem).or_else(|| get(&format!("{stem}e"))).or_else(|| get(undoubled(stem)?))
        {
            return Some(format!("{sounds} {sound}"));
        }
    }
    if let Some(stem) = word.strip_suffix("ed").filter(|s| s.len() > 2)
        && let Some(sounds) = get(stem).or_else(|| get(&format!("{stem}e"))).or_else(|| get(undoubled(stem)?))
    {
        let ending = match sounds.rsplit(' ').next().unwrap_or_default() {
            "T" | "D" => "IH0 D",
            "P" | "K" | "F" | "S" | "SH" | "CH" | "TH" => "T",
            _ => "D",
        };
        return Some(format!("{sounds} {ending}"));
    }
    [("un", "AH0 N"), ("re", "R IY0"), ("non", "N AA0 N"), ("pre", "P R IY0")].iter().find_map(|(prefix, sound)| {
        let stem = word.strip_prefix(prefix).filter(|s| s.len() > 3)?;
        Some(format!("{sound} {}", get(stem)?))
    })
}

fn undoubled(stem: &str) -> Option<&str> {
    let b = stem.as_bytes();
    (b.len() > 2 && b[b.len() - 1] == b[b.len() - 2]).then(|| &stem[..stem.len() - 1])
}

/// "facemask": two known words of at least three letters, the first as long as it goes.
fn joined(word: &str, d: &Dictionary) -> Option<String> {
    if !word.is_ascii() || word.len() > MOST_LETTERS {
        return None;
    }
    (3..=word.len().checked_sub(3)?).rev().find_map(|at| {
        let (left, right) = (d.sounds(&word[..at])?, d.sounds(&word[at..])?);
        Some(format!("{left} {}", right.replace('1', "2")))
    })
}

/// Letters, what must follow (`#` a vowel letter, `.` the end, `e` one of e, i, y, empty anything), sounds. The first that fits is taken,
/// so the longer stand first. A vowel's `*` becomes its stress.
const RULES: &[(&str, &str, &str)] = &[
    ("tion", "", "SH AH* N"),
    ("sion", "", "ZH AH* N"),
    ("cious", "", "SH AH* S"),
    ("tious", "", "SH AH* S"),
    ("ture", ".", "CH ER*"),
    ("ight", "", "AY* T"),
    ("ough", "", "AO*"),
    ("augh", "", "AO*"),
    ("eigh", "", "EY*"),
    ("tch", "", "CH"),
    ("sch", "", "S K"),
    ("dge", "", "JH"),
    ("igh", "", "AY*"),
    ("eau", "", "OW*"),
    ("ous", ".", "AH* S"),
    ("air", "", "EH* R"),
    ("ear", "", "IH* R"),
    ("eer", "", "IH* R"),
    ("our", "", "AO* R"),
    ("oor", "", "AO* R"),
    ("ire", ".", "AY* ER*"),
    ("are", ".", "EH* R"),
    ("ore", ".", "AO* R"),
    ("ure", ".", "Y UH* R"),
    ("all", "", "AO* L"),
    ("alk", "", "AO* K"),
    ("qu", "", "K W"),
    ("ch", "", "CH"),
    ("sh", "", "SH"),
    ("th", "", "TH"),
    ("ph", "", "F"),
    ("wh", "", "W"),
    ("gh", "#", "G"),
    ("gh", "", ""),
    ("ck", "", "K"),
    ("ng", ".", "NG"),
    ("nk", "", "NG K"),
    ("kn", "", "N"),
    ("wr", "", "R"),
    ("mb", ".", "M"),
    ("ps", "#", "S"),
    ("sc", "e", "S"),
    ("ee", "", "IY*"),
    ("ea", "", "IY*"),
    ("oo", "", "UW*"),
    ("ou", "", "AW*"),
    ("ow", ".", "OW*"),
    ("ow", "", "AW*"),
    ("oi", "", "OY*"),
    ("oy", "", "OY*"),
    ("ai", "", "EY*"),
    ("ay", "", "EY*"),
    ("au", "", "AO*"),
    ("aw", "", "AO*"),
    ("ei", "", "IY*"),
    ("ey", ".", "IY*"),
    ("ie", ".", "IY*"),
    ("ie", "", "IY*"),
    ("oa", "", "OW*"),
    ("oe", ".", "OW*"),
    ("ue", ".", "UW*"),
    ("ew", "", "UW*"),
    ("ui", "", "UW*"),
    ("ar", "", "AA* R"),
    ("or", "", "AO* R"),
    ("er", "", "ER*"),
    ("ir", "", "ER*"),
    ("ur", "", "ER*"),
    ("le", ".", "AH* L"),
    ("es", ".", "Z"),
    ("ed", ".", "D"),
    ("aa", "", "AA*"),
    ("y", ".", "IY*"),
    ("e", ".", ""),
    ("a", ".", "AH*"),
    ("o", ".", "OW*"),
    ("i", ".", "IY*"),
    ("u", ".", "UW*"),
    ("c", "e", "S"),
    ("c", "", "K"),
    ("g", "e", "JH"),
    ("g", "", "G"),
    ("x", "", "K S"),
    ("b", "", "B"),
    ("d", "", "D"),
    ("f", "", "F"),
    ("h", "", "HH"),
    ("j", "", "JH"),
    ("k", "", "K"),
    ("l", "", "L"),
    ("m", "", "M"),
    ("n", "", "N"),
    ("p", "", "P"),
    ("q", "", "K"),
    ("r", "", "R"),
    ("s", "", "S"),
    ("t", "", "T"),
    ("v", "", "V"),
    ("w", "", "W"),
    ("z", "", "Z"),
];

fn by_rules(letters: &[u8]) -> String {
    let (mut out, mut at, mut stressed) = (Vec::new(), 0, false);
    while at < letters.len() {
        let rest = &letters[at..];
        let fits = |(graph, after, _): &&(&str, &str, &str)| {
            let next = rest.get(graph.len());
            // An `e` that ends a word after a consonant is silent only when another vowel was heard.
            rest.starts_with(graph.as_bytes())
                && match *after {
                    "" => true,
                    "." => next.is_none() && (*graph != "e" || stressed),
                    "#" => next.is_some_and(|l| b"aeiouy".contains(l)),
                    _ => next.is_some_and(|l| b"eiy".contains(l)),
                }
        };
        let (taken, sounds) = match RULES.iter().find(fits) {
            Some((graph, _, sounds)) => (graph.len(), *sounds),
            None => (1, vowel(rest, at)),
        };
        for sound in sounds.split_ascii_whitespace() {
            let stress = if stressed { "0" } else { "1" };
            stressed |= sound.ends_with('*');
            out.push(sound.replace('*', stress));
        }
        // A doubled consonant sounds once.
        let doubled = taken == 1 && rest.len() > 1 && rest[0] == rest[1] && !b"aeiouy".contains(&rest[0]);
        at += taken + usize::from(doubled);
    }
    out.join(" ")
}

/// One vowel letter on its own: long before a consonant and a final e ("tape"), else short.
fn vowel(rest: &[u8], at: usize) -> &'static str {
    let is_vowel = |l: &u8| b"aeiouy".contains(l);
    let long = rest.len() == 3 && !is_vowel(&rest[1]) && rest[2] == b'e';
    match (rest[0], long) {
        (b'a', true) => "EY*",
        (b'a', false) => "AE*",
        (b'e', true) => "IY*",
        (b'e', false) => "EH*",
        (b'i', true) => "AY*",
        (b'i', false) => "IH*",
        (b'o', true) => "OW*",
        (b'o', false) => "AA*",
        (b'u', true) => "UW*",
        (b'u', false) => "AH*",
        (b'y', _) if at == 0 => "Y",
        (b'y', true) => "AY*",
        _ => "IH*",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Dictionary, sounds};

    fn little() -> Dictionary {
        let text =
            "\"stream\": \"S T R IY1 M\",\n\"live\": \"L AY1 V\",\n\"mute\": \"M Y UW1 T\",\n\"box\": \"B AA1 K S\",\n";
        Dictionary::parse(text.to_owned()).unwrap()
    }

    #[test]
    fn unknown_words_are_built_from_known_ones_or_read_by_their_letters() {
        for (word, want) in [
            ("stream", "S T R IY1 M"),
            ("livestream", "L AY1 V S T R IY2 M"),
            ("streams", "S T R IY1 M Z"),
            ("box's", "B AA1 K S IH0 Z"),
            ("muted", "M Y UW1 T IH0 D"),
            ("muting", "M Y UW1 T IH0 NG"),
            ("mqtt", "EH1 M K Y UW1 T IY1 T IY1"),
            ("blick", "B L IH1 K"),
            ("snape", "S N EY1 P"),
            ("nation", "N AE1 SH AH0 N"),
        ] {
            assert_eq!(sounds(word, &little()), want, "{word}");
        }
    }

    proptest! {
        #[test]
        fn any_letters_give_bounded_arpabet(word in "[a-z']{0,80}") {
            let said = sounds(&word, &little());
            prop_assert!(said.len() <= 20 * super::MOST_LETTERS + 40, "{} for {}", said.len(), word);
            prop_assert!(!said.contains('*'));
        }
    }
}
