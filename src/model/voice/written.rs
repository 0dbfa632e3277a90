//! One chunk of writing, into the words it says: numbers, times, money, units, abbreviations, initials, addresses.

use super::normalise::{Say, figures, number_words};
use super::numbers;

/// Written, said. Looked up without the case of its letters.
const ABBREVIATIONS: &[(&str, &str)] = &[
    ("mr.", "mister"),
    ("mrs.", "missus"),
    ("ms.", "miz"),
    ("dr.", "doctor"),
    ("st.", "saint"),
    ("vs.", "versus"),
    ("vs", "versus"),
    ("etc.", "et cetera"),
    ("e.g.", "for example"),
    ("i.e.", "that is"),
    ("approx.", "approximately"),
    ("no.", "number"),
    ("prof.", "professor"),
    ("jr.", "junior"),
    ("sr.", "senior"),
    ("a.m.", "a m"),
    ("p.m.", "p m"),
];
const MONEY: &[(char, &str, &str)] = &[('$', "dollar", "cent"), ('€', "euro", "cent"), ('£', "pound", "penny")];
const UNITS: &[(&str, &str, &str)] = &[
    ("%", "percent", "percent"),
    ("°c", "degree celsius", "degrees celsius"),
    ("°f", "degree fahrenheit", "degrees fahrenheit"),
    ("°", "degree", "degrees"),
    ("km", "kilometer", "kilometers"),
    ("cm", "centimeter", "centimeters"),
    ("mm", "millimeter", "millimeters"),
    ("kg", "kilogram", "kilograms"),
    ("mg", "milligram", "milligrams"),
    ("g", "gram", "grams"),
    ("m", "meter", "meters"),
    ("ms", "millisecond", "milliseconds"),
    ("s", "second", "seconds"),
    ("min", "minute", "minutes"),
    ("h", "hour", "hours"),
    ("kb", "kilobyte", "kilobytes"),
    ("mb", "megabyte", "megabytes"),
    ("gb", "gigabyte", "gigabytes"),
    ("hz", "hertz", "hertz"),
    ("khz", "kilohertz", "kilohertz"),
    ("fps", "frame per second", "frames per second"),
    ("px", "pixel", "pixels"),
    ("x", "times", "times"),
    ("am", "a m", "a m"),
    ("pm", "p m", "p m"),
];
/// Short words in capitals that are not initials.
const SHOUTED: &[&str] = &[
    "A", "I", "AM", "AN", "AND", "ARE", "AS", "AT", "BE", "BY", "CAN", "DO", "EXIT", "FOR", "GO", "HE", "IF", "IN",
    "IS", "IT", "ME", "MY", "NO", "NOT", "NOW", "OF", "OFF", "OH", "OK", "ON", "OPEN", "OR", "OUT", "PUSH", "PULL",
    "SO", "STOP", "THE", "TO", "UP", "WE", "WET", "YES", "YOU", "FIRE", "SALE", "STAY", "HELP", "PAINT", "NEW", "ONE",
    "TWO", "RED", "BUS", "TAXI", "CAFE", "SHOP", "FREE", "GATE",
];

/// Whether the chunk, with the point after it, is an abbreviation whose point is not the end of a sentence.
pub(super) fn abbreviation(chunk: &str) -> bool {
    known(&format!("{chunk}.")).is_some()
}

fn known(chunk: &str) -> Option<&'static str> {
    ABBREVIATIONS.iter().find(|(w, _)| w.eq_ignore_ascii_case(chunk)).map(|(_, said)| *said)
}

/// Adds what `chunk` says to `out`; returns how many letters it could not read.
pub(super) fn read(chunk: &str, out: &mut Vec<Say>) -> usize {
    if let Some(said) = known(chunk).or_else(|| known(&format!("{chunk}.")).filter(|_| chunk != "no" && chunk != "No"))
    {
        phrase(said, out);
        return 0;
    }
    if clock(chunk, out) || money(chunk, out) || quantity(chunk, out) {
        return 0;
    }
    if let Some(rest) = chunk.strip_prefix("https://").or_else(|| chunk.strip_prefix("http://")) {
        return address(rest.trim_end_matches('/'), out);
    }
    if chunk.contains('@') && chunk.contains('.') || chunk.starts_with("www.") {
        return address(chunk, out);
    }
    let mut skipped = 0;
    let parts: Vec<&str> = chunk.split(['-', '/', '_', '–']).filter(|p| !p.is_empty()).collect();
    let range = parts.len() == 2 && parts.iter().all(|p| p.bytes().all(|b| b.is_ascii_digit())) && !chunk.contains('/');
    for (i, part) in parts.iter().enumerate() {
        if range && i == 1 {
            out.push(Say::word("to"));
        }
        if !(parts.len() > 1 && quantity(part, out)) {
            skipped += word(part, out);
        }
    }
    skipped
}

fn phrase(said: &str, out: &mut Vec<Say>) {
    out.extend(said.split(' ').map(|w| match w.as_bytes() {
        [b'a' | b'm' | b'p'] => Say::Letter(char::from(w.as_bytes()[0])),
        _ => Say::word(w),
    }));
}

/// `3:05`, `15:30`, `00:12:05`.
fn clock(chunk: &str, out: &mut Vec<Say>) -> bool {
    let parts: Vec<&str> = chunk.split(':').collect();
    let good = |(i, p): (usize, &&str)| {
        let long = if i == 0 { (1..=2).contains(&p.len()) } else { p.len() == 2 };
        long && p.parse::<u64>().is_ok_and(|n| n < 60) && p.bytes().all(|b| b.is_ascii_digit())
    };
    if !(2..=3).contains(&parts.len()) || !parts.iter().enumerate().all(good) {
        return false;
    }
    let n: Vec<u64> = parts.iter().filter_map(|p| p.parse().ok()).collect();
    if let [hours, minutes] = n[..] {
        number_words(|o| numbers::cardinal(hours, o), out);
        match minutes {
            0 if hours <= 12 => out.push(Say::word("o'clock")),
            0 => out.push(Say::word("hundred")),
            1..=9 => {
                out.push(Say::word("oh"));
                number_words(|o| numbers::cardinal(minutes, o), out);
            }
            _ => number_words(|o| numbers::cardinal(minutes, o), out),
        }
        return true;
    }
    let told: Vec<(u64, &str)> = n.into_iter().zip(["hour", "minute", "second"]).filter(|(n, _)| *n > 0).collect();
    for (i, (n, unit)) in told.iter().enumerate() {
        if i > 0 && i + 1 == told.len() {
            out.push(Say::word("and"));
        }
        count(*n, unit, out);
    }
    if told.is_empty() {
        phrase("zero seconds", out);
    }
    true
}

fn count(n: u64, unit: &str, out: &mut Vec<Say>) {
    number_words(|o| numbers::cardinal(n, o), out);
    out.push(Say::Word(if n == 1 { unit.to_owned() } else { format!("{unit}s") }));
}

/// `$12.50`, `€1,000`.
fn money(chunk: &str, out: &mut Vec<Say>) -> bool {
    let Some(&(sign, whole_name, part_name)) =
        MONEY.iter().find(|(s, ..)| chunk.starts_with(*s) || chunk.ends_with(*s))
    else {
        return false;
    };
    let amount = chunk.trim_matches(sign).replace(',', "");
    let (whole, part) = amount.split_once('.').unwrap_or((&amount, ""));
    let (Ok(whole), true) = (whole.parse::<u64>(), whole.len() <= numbers::MOST_DIGITS) else { return false };
    match (part.len(), part.parse::<u64>()) {
        (0, _) => count(whole, whole_name, out),
        (2, Ok(cents)) if part.bytes().all(|b| b.is_ascii_digit()) => {
            count(whole, whole_name, out);
            if cents > 0 {
                out.push(Say::word("and"));
                number_words(|o| numbers::cardinal(cents, o), out);
                out.push(match (part_name, cents) {
                    ("penny", 2..) => Say::word("pence"),
                    (name, 1) => Say::word(name),
                    _ => Say::word("cents"),
                });
            }
        }
        _ => return false,
    }
    true
}

/// A number with what stands around it: sign, commas, decimals, ordinal ending, unit.
fn quantity(chunk: &str, out: &mut Vec<Say>) -> bool {
    let (sign, rest) = match chunk.as_bytes().first() {
        Some(b'-') => (Some("minus"), &chunk[1..]),
        Some(b'+') => (Some("plus"), &chunk[1..]),
        Some(b'#') => (Some("number"), &chunk[1..]),
        _ => (None, chunk),
    };
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ',').unwrap_or(rest.len());
    let (number, suffix) = (&rest[..end], rest[end..].to_lowercase());
    let plain = number.replace(',', "");
    let (whole, part) = plain.split_once('.').map_or((plain.as_str(), None), |(w, p)| (w, Some(p)));
    let figured = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    if number.is_empty()
        || !figured(whole)
        || !part.is_none_or(|p| figured(p) && !p.is_empty())
        || (whole.is_empty() && part.is_none())
    {
        return false;
    }
    let n = whole.parse::<u64>().ok().filter(|_| whole.len() <= numbers::MOST_DIGITS);
    let unit = UNITS.iter().find(|(u, ..)| *u == suffix);
    let ordinal = matches!(suffix.as_str(), "st" | "nd" | "rd" | "th") && part.is_none();
    if !suffix.is_empty() && unit.is_none() && !ordinal {
        return false;
    }
    out.extend(sign.map(Say::word));
    match n {
        Some(n) if ordinal => {
            number_words(|o| numbers::ordinal(n, o), out);
            return true;
        }
        Some(n)
            if suffix.is_empty()
                && sign.is_none()
                && number.len() == 4
                && part.is_none()
                && (1100..2100).contains(&n) =>
        {
            number_words(|o| numbers::year(n, o), out);
        }
        _ => figures(whole, out),
    }
    if whole.is_empty() {
        out.pop_if(|w| *w == Say::word("zero"));
    }
    if let Some(part) = part {
        out.push(Say::word("point"));
        number_words(|o| numbers::digits(part, o), out);
    }
    if let Some((_, one, many)) = unit {
        phrase(if n == Some(1) && part.is_none() { one } else { many }, out);
    }
    true
}

/// `example.org/a-b`, `you@example.org`: the marks are said.
fn address(text: &str, out: &mut Vec<Say>) -> usize {
    let mut skipped = 0;
    for part in text.split_inclusive(|c: char| !c.is_alphanumeric()) {
        let bare = part.trim_end_matches(|c: char| !c.is_alphanumeric());
        if !bare.is_empty() {
            skipped += word(bare, out);
        }
        let mark = part[bare.len()..].chars().next().and_then(|mark| match mark {
            '.' => Some("dot"),
            '/' => Some("slash"),
            '-' => Some("dash"),
            '_' => Some("underscore"),
            '@' => Some("at"),
            ':' => Some("colon"),
            '?' => Some("question mark"),
            '=' => Some("equals"),
            _ => None,
        });
        if let Some(mark) = mark {
            phrase(mark, out);
        }
    }
    skipped
}

/// Letters, figures and signs without blanks: split where they change. Returns letters that cannot be read.
fn word(text: &str, out: &mut Vec<Say>) -> usize {
    let (mut skipped, mut run, mut digits) = (0, String::new(), String::new());
    for c in text.chars() {
        if c.is_ascii_digit() {
            letters(&mut run, out);
            digits.push(c);
            continue;
        }
        if !digits.is_empty() {
            figures(&digits, out);
            digits.clear();
        }
        match (c, sign(c), plain(c)) {
            ('\'' | '’', ..) if !run.is_empty() => run.push('\''),
            (_, Some(said), _) => {
                letters(&mut run, out);
                out.push(Say::word(said));
            }
            (_, _, Some(letter)) => {
                // "camelCase" is two words.
                if letter.is_ascii_uppercase() && run.ends_with(|l: char| l.is_ascii_lowercase()) {
                    letters(&mut run, out);
                }
                run.push(letter);
            }
            (_, _, None) => {
                letters(&mut run, out);
                skipped += usize::from(c.is_alphanumeric());
            }
        }
    }
    letters(&mut run, out);
    if !digits.is_empty() {
        figures(&digits, out);
    }
    skipped
}

fn sign(c: char) -> Option<&'static str> {
    Some(match c {
        '&' => "and",
        '+' => "plus",
        '=' => "equals",
        '%' => "percent",
        '@' => "at",
        '#' => "number",
        '°' => "degrees",
        '$' => "dollars",
        '€' => "euros",
        '£' => "pounds",
        _ => return None,
    })
}

/// A run of letters: initials are spelled, all else is a word.
fn letters(run: &mut String, out: &mut Vec<Say>) {
    let text = std::mem::take(run);
    let text = text.trim_matches('\'');
    if text.is_empty() {
        return;
    }
    let bare = text.strip_suffix("'s").unwrap_or(text);
    let initials = bare.len() <= 5 && (bare.len() > 1 || text != bare) && bare.bytes().all(|b| b.is_ascii_uppercase());
    let single = text.len() == 1 && !matches!(text, "a" | "A" | "I" | "i");
    if single || (initials && !SHOUTED.contains(&bare)) {
        out.extend(bare.chars().map(|c| Say::Letter(c.to_ascii_lowercase())));
    } else if text.eq_ignore_ascii_case("ok") {
        out.push(Say::word("okay"));
    } else {
        out.push(Say::Word(text.to_ascii_lowercase()));
    }
}

/// A Latin letter without its accents.
fn plain(c: char) -> Option<char> {
    Some(match c {
        'a'..='z' | 'A'..='Z' => c,
        'à'..='å' | 'ā' | 'ă' | 'ą' | 'æ' => 'a',
        'À'..='Å' | 'Æ' => 'A',
        'ç' | 'ć' | 'č' => 'c',
        'Ç' => 'C',
        'è'..='ë' | 'ē' | 'ę' | 'ě' | 'œ' => 'e',
        'È'..='Ë' => 'E',
        'ì'..='ï' | 'ī' => 'i',
        'Ì'..='Ï' => 'I',
        'ñ' | 'ń' | 'ň' => 'n',
        'Ñ' => 'N',
        'ò'..='ö' | 'ø' | 'ō' | 'ő' => 'o',
        'Ò'..='Ö' | 'Ø' => 'O',
        'ù'..='ü' | 'ū' | 'ů' | 'ű' => 'u',
        'Ù'..='Ü' => 'U',
        'ý' | 'ÿ' => 'y',
        'ß' | 'ś' | 'š' | 'ş' => 's',
        'ž' | 'ź' | 'ż' => 'z',
        'ł' => 'l',
        'ř' => 'r',
        'ť' => 't',
        'ď' | 'ð' => 'd',
        _ => return None,
    })
}
