//! A real model, made smaller.

use super::{Format, Wanted, compress};

use crate::base::ManualClock;
use crate::model::llm::LlmError;
use crate::model::llm::tests::{SMOL, weights};

/// Questions.
const ASKED: usize = 60;

/// Something to read, of the kind that the model will see.
fn text() -> String {
    let things =
        ["a red cup", "two books", "a grey laptop", "a dog", "a bicycle", "an orange", "a blue chair", "a clock"];
    let places = ["on the left", "in the middle", "near the top", "on the table", "behind the lamp"];
    let mut out = String::new();
    for i in 0..56 {
        let (a, b) = (things[i % things.len()], things[(i * 5 + 3) % things.len()]);
        let place = places[(i * 7 + i / 3) % places.len()];
        out += &format!("What do you see? I can see {a} {place}, and {b} beside it, {} minutes later. ", i * 13 % 60);
    }
    out
}

#[test]
fn eight_bits_change_next_to_nothing_and_four_bits_little() {
    let Some(from) = weights(SMOL) else { return };
    let dir = tempfile::tempdir().unwrap();
    let run_with = |memory, format, layers, channels, heads, tokens| {
        let to = dir.path().join("model.gguf");
        compress(
            (&from, &to),
            &text(),
            Wanted { format, layers, channels, heads, tokens, questions: ASKED, memory },
            &ManualClock::default(),
            &|_, _, _| {},
        )
        .unwrap()
    };
    let run = |format, layers, channels, heads, tokens| run_with(u64::MAX, format, layers, channels, heads, tokens);
    let eight = run(Format::Q8_0, 0, 0.0, 0, None);
    assert!(eight.agreement > 0.97, "{eight:?}");
    // It reads facts, and reads them as well as before; by chance it would be a quarter.
    assert!(
        eight.before.tried.right * 3 > ASKED && eight.after.tried.right.abs_diff(eight.before.tried.right) <= 2,
        "{eight:?}"
    );
    assert!((eight.after.perplexity / eight.before.perplexity - 1.0).abs() < 0.01, "{eight:?}");
    // Before anything was quantized it took more and read facts as well.
    let (bytes, sixteen) = eight.sixteen;
    let sixteen = sixteen.unwrap();
    assert!(bytes > 2 * eight.before.bytes && eight.needed > bytes, "{eight:?}");
    assert!(sixteen.right.abs_diff(eight.before.tried.right) <= 2, "{eight:?}");
    let four = run(Format::Q4_0, 0, 0.0, 0, None);
    assert!(four.agreement > 0.8 && four.after.bytes < eight.after.bytes, "{four:?}");
    assert!(four.after.perplexity / four.before.perplexity < 1.25, "{four:?}");
    // The vocabulary alone: what it says with the tokens that stay, it says as before; questions are spelt a little longer.
    let short = run(Format::AsIs, 0, 0.0, 0, Some(8_000));
    assert!(short.after.tried.right.abs_diff(short.before.tried.right) <= 4, "{short:?}");
    assert!(short.agreement > 0.97 && short.after.perplexity < 1.02 * short.before.perplexity, "{short:?}");
    assert!(short.after.bytes < short.before.bytes * 9 / 10, "{short:?}");
    // Of four bits all: there is nothing that has more than five.
    let five = run(Format::AtMostFive, 0, 0.0, 0, None);
    assert!(five.agreement > 0.999 && five.after.bytes.abs_diff(five.before.bytes) < 10_000, "{five:?}");
    // Nor of more than four: but codes of 4 bits with an offset stay, too.
    let mixed = run(Format::AtMostFour, 0, 0.0, 0, None);
    assert!(mixed.agreement > 0.999 && mixed.after.bytes.abs_diff(mixed.before.bytes) < 10_000, "{mixed:?}");
    let less = run_with(1 << 20, Format::Q8_0, 2, 0.2, 1, Some(8_000));
    // One with a mebibyte of memory left is not run in 16 bits, and the rest is told.
    assert!(less.sixteen.1.is_none() && less.sixteen.0 == bytes && less.needed == eight.needed, "{less:?}");
    assert_eq!((less.dropped.len(), less.channels, less.heads), (2, (1536, 1536 - 256), (9, 6)), "{less:?}");
    assert_eq!((eight.tokens, eight.longer), ((49_152, 49_152), 1.0), "{eight:?}");
    // Common words, and those of the text, are spelt as before.
    assert!(less.tokens.1 % 256 == 0 && (8_000..8_500).contains(&less.tokens.1), "{less:?}");
    assert!((1.0..1.05).contains(&less.longer), "{less:?}");
    assert!(less.after.tried.right <= less.before.tried.right, "{less:?}");
    // Not by perplexity: a text as dull as this one is foretold as well without them.
    assert!(less.after.bytes < eight.after.bytes && less.agreement < eight.agreement, "{less:?}");
}

#[test]
fn a_short_text_and_a_place_that_cannot_be_written_are_said_and_leave_nothing() {
    let Some(from) = weights(SMOL) else { return };
    let dir = tempfile::tempdir().unwrap();
    let wanted =
        Wanted { format: Format::Q8_0, layers: 0, channels: 0.0, heads: 0, tokens: None, questions: 0, memory: 0 };
    let e = compress((&from, &dir.path().join("m.gguf")), "Too short.", wanted, &ManualClock::default(), &|_, _, _| {})
        .unwrap_err();
    assert!(matches!(e, LlmError::TooShort { .. }), "{e}");
    let e =
        compress((&from, &dir.path().join("no/such/m.gguf")), &text(), wanted, &ManualClock::default(), &|_, _, _| {})
            .unwrap_err();
    assert!(matches!(e, LlmError::Write { .. }) && e.to_string().contains("no/such"), "{e}");
    let cut = Wanted { format: Format::AsIs, heads: 1, ..wanted };
    let e = compress((&from, &dir.path().join("m.gguf")), &text(), cut, &ManualClock::default(), &|_, _, _| {})
        .unwrap_err();
    assert!(matches!(e, LlmError::Unsupported { .. }) && e.to_string().contains("q8_0"), "{e}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}
