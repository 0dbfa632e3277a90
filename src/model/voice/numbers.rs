//! Numbers in English words.

const ONES: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 10] = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
/// Longer runs of figures are read one by one: nobody follows "quadrillions".
pub(super) const MOST_DIGITS: usize = 12;

/// "one hundred and five" without the "and": 105 is `one hundred five`. Below 10^12; larger numbers are read by figures.
pub(super) fn cardinal(n: u64, out: &mut Vec<&'static str>) {
    for (size, name) in [(1_000_000_000, "billion"), (1_000_000, "million"), (1000, "thousand")] {
        if n >= size {
            cardinal(n / size, out);
            out.push(name);
            if !n.is_multiple_of(size) {
                cardinal(n % size, out);
            }
            return;
        }
    }
    let mut n = usize::try_from(n).unwrap_or(0);
    if n >= 100 {
        out.extend([ONES[n / 100], "hundred"]);
        n %= 100;
        if n == 0 {
            return;
        }
    }
    if n >= 20 {
        out.push(TENS[n / 10]);
        n %= 10;
        if n == 0 {
            return;
        }
    }
    out.push(ONES[n]);
}

/// "twenty first"; the last word of the cardinal in its ordinal form.
pub(super) fn ordinal(n: u64, out: &mut Vec<&'static str>) {
    cardinal(n, out);
    let Some(last) = out.last_mut() else { return };
    *last = match *last {
        "zero" => "zeroth",
        "one" => "first",
        "two" => "second",
        "three" => "third",
        "four" => "fourth",
        "five" => "fifth",
        "six" => "sixth",
        "seven" => "seventh",
        "eight" => "eighth",
        "nine" => "ninth",
        "ten" => "tenth",
        "eleven" => "eleventh",
        "twelve" => "twelfth",
        "thirteen" => "thirteenth",
        "fourteen" => "fourteenth",
        "fifteen" => "fifteenth",
        "sixteen" => "sixteenth",
        "seventeen" => "seventeenth",
        "eighteen" => "eighteenth",
        "nineteen" => "nineteenth",
        "twenty" => "twentieth",
        "thirty" => "thirtieth",
        "forty" => "fortieth",
        "fifty" => "fiftieth",
        "sixty" => "sixtieth",
        "seventy" => "seventieth",
        "eighty" => "eightieth",
        "ninety" => "ninetieth",
        "hundred" => "hundredth",
        "thousand" => "thousandth",
        "million" => "millionth",
        "billion" => "billionth",
        other => other,
    };
}

/// 1984 is "nineteen eighty four", 2005 "two thousand five", 1900 "nineteen hundred", 1905 "nineteen oh five".
pub(super) fn year(n: u64, out: &mut Vec<&'static str>) {
    let (high, low) = (n / 100, n % 100);
    if (2000..2010).contains(&n) {
        return cardinal(n, out);
    }
    cardinal(high, out);
    match low {
        0 => out.push("hundred"),
        1..=9 => {
            out.push("oh");
            cardinal(low, out);
        }
        _ => cardinal(low, out),
    }
}

/// Each figure by its name.
pub(super) fn digits(figures: &str, out: &mut Vec<&'static str>) {
    out.extend(figures.bytes().filter(u8::is_ascii_digit).map(|d| ONES[usize::from(d - b'0')]));
}

/// A run of figures: as a number, or one by one where it is long or begins with a nought.
pub(super) fn figures(run: &str, out: &mut Vec<&'static str>) {
    match run.parse::<u64>() {
        Ok(n) if run.len() <= MOST_DIGITS && (run.len() == 1 || !run.starts_with('0')) => cardinal(n, out),
        _ => digits(run, out),
    }
}

#[cfg(test)]
mod tests {
    use super::{cardinal, figures, ordinal, year};

    fn said(f: impl FnOnce(&mut Vec<&'static str>)) -> String {
        let mut out = Vec::new();
        f(&mut out);
        out.join(" ")
    }

    #[test]
    fn numbers_are_read_as_a_person_reads_them() {
        for (n, want) in [
            (0, "zero"),
            (13, "thirteen"),
            (40, "forty"),
            (105, "one hundred five"),
            (1_000_000, "one million"),
            (12_345, "twelve thousand three hundred forty five"),
            (
                999_999_999_999,
                "nine hundred ninety nine billion nine hundred ninety nine million nine hundred ninety nine thousand nine hundred ninety nine",
            ),
        ] {
            assert_eq!(said(|o| cardinal(n, o)), want);
        }
        assert_eq!(said(|o| ordinal(21, o)), "twenty first");
        assert_eq!(said(|o| ordinal(100, o)), "one hundredth");
        for (n, want) in [
            (1984, "nineteen eighty four"),
            (1905, "nineteen oh five"),
            (2005, "two thousand five"),
            (2026, "twenty twenty six"),
        ] {
            assert_eq!(said(|o| year(n, o)), want);
        }
        assert_eq!(said(|o| figures("007", o)), "zero zero seven");
        assert_eq!(said(|o| figures(&"9".repeat(13), o)), ["nine"; 13].join(" "));
    }
}
