//! Numbers and lengths of time in words and digits: `twenty five`, `an hour and a half`, `a couple of minutes`.

use super::text::{At, is_in};

const ONES: &str = "zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|\
     seventeen|eighteen|nineteen";
const TENS: &str = "|ten|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety";
/// Amounts that are not exact, and what they are taken for.
const LOOSE: &[(&str, f64)] = &[
    ("a couple of|a couple|couple of|couple", 2.0),
    ("a few|few|a handful of|some", 3.0),
    ("several", 5.0),
    ("a dozen", 12.0),
    ("a hundred", 100.0),
    ("a thousand|thousands of", 1_000.0),
    ("millions of", 1_000_000.0),
];
/// Units and their seconds.
const UNITS: &[(&str, f64)] = &[
    ("second|seconds|sec|secs", 1.0),
    ("minute|minutes|min|mins|minutes'", 60.0),
    ("hour|hours|hr|hrs", HOUR),
    ("day|days", DAY),
    ("week|weeks", 7.0 * DAY),
    ("month|months", 30.0 * DAY),
    ("year|years", YEAR),
    ("decade|decades", 10.0 * YEAR),
    ("century|centuries", 100.0 * YEAR),
];
pub(super) const HOUR: f64 = 3_600.0;
pub(super) const DAY: f64 = 86_400.0;
pub(super) const YEAR: f64 = 365.0 * DAY;

/// A length of time in seconds, and the unit it was given in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Amount {
    pub(super) secs: f64,
    pub(super) unit: f64,
}

fn index_in(word: &str, table: &str) -> Option<usize> {
    table.split('|').position(|w| !w.is_empty() && w == word)
}

/// Whether the word is (part of) a number, or of `half-past`.
pub(super) fn is_number_word(word: &str) -> bool {
    index_in(word, ONES).is_some() || index_in(word, TENS).is_some() || is_in(word, "half|quarter")
}

#[expect(clippy::cast_precision_loss, reason = "at most ninety-nine")]
fn small(at: &mut At<'_>) -> Option<f64> {
    if let Some(n) = index_in(at.word(), ONES) {
        at.i += 1;
        return Some(n as f64);
    }
    let tens = index_in(at.word(), TENS)?;
    at.i += 1;
    let ones = index_in(at.word(), ONES).filter(|n| (1..10).contains(n));
    at.i += usize::from(ones.is_some());
    Some((tens * 10 + ones.unwrap_or(0)) as f64)
}

/// A whole number in words or digits, without `a`.
pub(super) fn plain(at: &mut At<'_>) -> Option<f64> {
    let word = at.word();
    if word.len() <= 6 && word.bytes().all(|b| b.is_ascii_digit()) && !word.is_empty() {
        at.i += 1;
        return word.parse().ok();
    }
    let mut n = small(at)?;
    for (word, times) in [("hundred", 100.0), ("thousand", 1_000.0)] {
        if at.eat(word) {
            n *= times;
            let mut more = *at;
            more.eat("and");
            if let Some(rest) = small(&mut more) {
                n += rest;
                *at = more;
            }
        }
    }
    Some(n)
}

/// A number, `a couple of`, `a`, `two and a half`, `1 point 5`.
pub(super) fn number(at: &mut At<'_>) -> Option<f64> {
    at.eat("a good|a whole|just|only|exactly|like|maybe|perhaps|about|around|roughly|approximately");
    for (phrases, n) in LOOSE {
        if at.eat(phrases) {
            return Some(*n);
        }
    }
    if let Some(n) = plain(at) {
        let mut more = *at;
        if more.eat("point")
            && let Some(tenths) = plain(&mut more).filter(|t| *t < 10.0)
        {
            *at = more;
            return Some(n + tenths / 10.0);
        }
        return Some(if at.eat("and a half") { n + 0.5 } else { n });
    }
    at.eat("a|an").then_some(1.0)
}

pub(super) fn unit(at: &mut At<'_>) -> Option<f64> {
    let secs = UNITS.iter().find(|(names, _)| is_in(at.word(), names))?.1;
    at.i += 1;
    Some(secs)
}

/// A length of time; `bare`: a unit alone counts as one of it, as in `the last minute`.
pub(super) fn length(at: &mut At<'_>, bare: bool) -> Option<Amount> {
    let mut here = *at;
    let mut amount = part(&mut here, bare)?;
    if here.eat("and a half") {
        amount.secs += amount.unit / 2.0;
    } else if here.eat("and a quarter") {
        amount.secs += amount.unit / 4.0;
    } else {
        // "one hour and ten minutes": the second unit is the smaller one.
        let mut more = here;
        more.eat("and");
        if let Some(rest) = part(&mut more, false).filter(|r| r.unit < amount.unit) {
            amount.secs += rest.secs;
            here = more;
        }
    }
    *at = here;
    Some(amount)
}

fn part(at: &mut At<'_>, bare: bool) -> Option<Amount> {
    const FRACTIONS: &[(&str, f64)] = &[
        ("half an|half a|a half|half|half of an|one half of an", 0.5),
        ("a quarter of an|quarter of an|quarter of a|a quarter|quarter", 0.25),
        ("three quarters of an|three quarters of a|three quarter", 0.75),
    ];
    let mut here = *at;
    here.eat("a good|just|only|exactly|like|maybe|about|around|roughly");
    for (phrases, share) in FRACTIONS {
        let mut fraction = here;
        if fraction.eat(phrases)
            && let Some(unit) = unit(&mut fraction)
        {
            *at = fraction;
            return Some(Amount { secs: share * unit, unit });
        }
    }
    let mut counted = here;
    if let Some(n) = number(&mut counted)
        && let Some(unit) = unit(&mut counted)
    {
        *at = counted;
        return Some(Amount { secs: n * unit, unit });
    }
    let unit = bare.then(|| unit(&mut here)).flatten()?;
    *at = here;
    Some(Amount { secs: unit, unit })
}

/// Two lengths: `ten and thirty minutes`, `five to ten minutes`, `half an hour and ten minutes`, `a minute or two`. In the order said.
pub(super) fn pair(at: &mut At<'_>) -> Option<(Amount, Amount)> {
    const JOIN: &str = "and|to|or|and about|and maybe|til|till|until";
    let mut here = *at;
    // "Half an hour and ten minutes" is one length by itself, but two after "between"; so the first is read without its second part.
    if let Some(first) = part(&mut here, false)
        && here.eat(JOIN)
    {
        let mut second = here;
        if let Some(second_length) = length(&mut second, false) {
            *at = second;
            return Some((first, second_length));
        }
        if let Some(n) = plain(&mut here) {
            *at = here;
            return Some((first, Amount { secs: n * first.unit, unit: first.unit }));
        }
        return None;
    }
    let mut here = *at;
    let n = number(&mut here)?;
    if !here.eat(JOIN) {
        return None;
    }
    let second = length(&mut here, false)?;
    *at = here;
    Some((Amount { secs: n * second.unit, unit: second.unit }, second))
}
