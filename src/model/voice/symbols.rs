//! The symbols that Kokoro reads, their numbers, and ARPABET written with them.

/// Symbol and number, as in the model's own `config.json`; only those that are written here. 0 is silence at either end.
const NUMBERS: &[(char, i32)] = &[
    (';', 1),
    (':', 2),
    (',', 3),
    ('.', 4),
    ('!', 5),
    ('?', 6),
    ('—', 9),
    ('…', 10),
    (' ', 16),
    ('A', 24),
    ('I', 25),
    ('O', 31),
    ('W', 39),
    ('Y', 41),
    ('b', 44),
    ('d', 46),
    ('f', 48),
    ('h', 50),
    ('i', 51),
    ('j', 52),
    ('k', 53),
    ('l', 54),
    ('m', 55),
    ('n', 56),
    ('p', 58),
    ('s', 61),
    ('t', 62),
    ('u', 63),
    ('v', 64),
    ('w', 65),
    ('z', 68),
    ('ɑ', 69),
    ('æ', 72),
    ('ɔ', 76),
    ('ð', 81),
    ('ʤ', 82),
    ('ə', 83),
    ('ɛ', 86),
    ('ɜ', 87),
    ('ɡ', 92),
    ('ɪ', 102),
    ('ŋ', 112),
    ('θ', 119),
    ('ɹ', 123),
    ('ʃ', 131),
    ('ʧ', 133),
    ('ʊ', 135),
    ('ʌ', 138),
    ('ʒ', 147),
    ('ˈ', 156),
    ('ˌ', 157),
];

/// The number of a symbol; `None` when the model does not know it.
pub(super) fn number(symbol: char) -> Option<i32> {
    NUMBERS.iter().find(|(s, _)| *s == symbol).map(|(_, n)| *n)
}

/// Whether the symbol is the heart of a syllable.
pub(super) fn is_vowel(symbol: char) -> bool {
    "AIOWYiuɑæɔəɛɜɪʊʌ".contains(symbol)
}

/// ARPABET with stress figures (`HH AH0 L OW1`) in the model's symbols (`həlˈO`). Stress stands before its vowel; what is not ARPABET is left out.
pub(super) fn from_arpabet(arpabet: &str) -> String {
    let mut out = String::new();
    for phone in arpabet.split_ascii_whitespace() {
        let bare = phone.trim_end_matches(|c: char| c.is_ascii_digit());
        match phone.as_bytes().last() {
            Some(b'1') => out.push('ˈ'),
            Some(b'2') => out.push('ˌ'),
            _ => {}
        }
        out.push_str(match (bare, phone.ends_with('0')) {
            ("AA", _) => "ɑ",
            ("AE", _) => "æ",
            ("AH", true) => "ə",
            ("AH", false) => "ʌ",
            ("AO", _) => "ɔ",
            ("AW", _) => "W",
            ("AY", _) => "I",
            ("EH", _) => "ɛ",
            ("ER", true) => "əɹ",
            ("ER", false) => "ɜɹ",
            ("EY", _) => "A",
            ("IH", _) => "ɪ",
            ("IY", _) => "i",
            ("OW", _) => "O",
            ("OY", _) => "Y",
            ("UH", _) => "ʊ",
            ("UW", _) => "u",
            ("B", _) => "b",
            ("CH", _) => "ʧ",
            ("D", _) => "d",
            ("DH", _) => "ð",
            ("F", _) => "f",
            ("G", _) => "ɡ",
            ("HH", _) => "h",
            ("JH", _) => "ʤ",
            ("K", _) => "k",
            ("L", _) => "l",
            ("M", _) => "m",
            ("N", _) => "n",
            ("NG", _) => "ŋ",
            ("P", _) => "p",
            ("R", _) => "ɹ",
            ("S", _) => "s",
            ("SH", _) => "ʃ",
            ("T", _) => "t",
            ("TH", _) => "θ",
            ("V", _) => "v",
            ("W", _) => "w",
            ("Y", _) => "j",
            ("Z", _) => "z",
            ("ZH", _) => "ʒ",
            _ => "",
        });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{from_arpabet, number};

    #[test]
    fn stress_stands_before_its_vowel_and_every_symbol_is_known() {
        assert_eq!(from_arpabet("HH AH0 L OW1"), "həlˈO");
        assert_eq!(from_arpabet("B ER1 D"), "bˈɜɹd");
        let all = "AA1 AE2 AH0 AH1 AO1 AW1 AY1 EH1 ER0 ER1 EY1 IH1 IY1 OW1 OY1 UH1 UW1 B CH D DH F G HH JH K L M N NG P R S SH T TH V W Y Z ZH";
        assert!(from_arpabet(all).chars().all(|c| number(c).is_some()));
        assert_eq!(from_arpabet("?? 1 \u{1F600}"), "ˈ", "what is not ARPABET has no sound");
    }
}
