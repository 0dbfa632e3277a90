//! Tokens of texts that were encoded lately. A prompt is mostly what the last one was, and its parts are counted before they are rendered.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

/// Shorter texts are encoded sooner than they are looked up, and there are many of them.
const LEAST_BYTES: usize = 32;
/// Longer ones are rare, and would take the place of many.
const MOST_BYTES: usize = 16 * 1024;
/// Bytes of text after which what was not asked for since the last time goes; twice as many are kept at most, and 4 bytes for each token.
const BYTES: usize = 128 * 1024;

type Tokens = Arc<[u32]>;

/// Bounded: in two generations, of which the older goes when the newer is full; what is asked for comes into the newer.
#[derive(Default)]
pub(super) struct Known(Mutex<Generations>);

#[derive(Default)]
struct Generations {
    newer: HashMap<Box<str>, Tokens>,
    older: HashMap<Box<str>, Tokens>,
    /// Of the texts in `newer`.
    bytes: usize,
}

impl Known {
    /// What `encode` makes of `text`; another thread may do the same meanwhile.
    pub(super) fn tokens(&self, text: &str, encode: impl FnOnce(&str) -> Vec<u32>) -> Tokens {
        if !(LEAST_BYTES..=MOST_BYTES).contains(&text.len()) {
            return encode(text).into();
        }
        if let Some(known) = self.all(|all| all.get(text)) {
            return known;
        }
        let tokens: Tokens = encode(text).into();
        self.all(|all| all.put(text.into(), Arc::clone(&tokens)));
        tokens
    }

    fn all<T>(&self, run: impl FnOnce(&mut Generations) -> T) -> T {
        run(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Generations {
    fn get(&mut self, text: &str) -> Option<Tokens> {
        if let Some(known) = self.newer.get(text) {
            return Some(Arc::clone(known));
        }
        let (text, tokens) = self.older.remove_entry(text)?;
        self.put(text, Arc::clone(&tokens));
        Some(tokens)
    }

    fn put(&mut self, text: Box<str>, tokens: Tokens) {
        if self.bytes + text.len() > BYTES {
            self.older = mem::take(&mut self.newer);
            self.bytes = 0;
        }
        let length = text.len();
        if self.newer.insert(text, tokens).is_none() {
            self.bytes += length;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use proptest::prelude::*;

    use super::{BYTES, Known, LEAST_BYTES, MOST_BYTES};
    use crate::model::llm::chat::tests::letters;

    #[test]
    fn what_is_asked_for_again_is_not_encoded_again_while_it_is_asked_for_now_and_then() {
        let (known, encoded) = (Known::default(), Cell::new(0));
        let encode = |text: &str| {
            encoded.set(encoded.get() + 1);
            letters(text)
        };
        let prompt = "You are Sightline, and say what is seen.";
        for i in 0..4 * BYTES / 1_000 {
            known.tokens(&format!("{i:01000}"), encode);
            assert_eq!(*known.tokens(prompt, encode), letters(prompt));
        }
        assert_eq!(encoded.get(), 4 * BYTES / 1_000 + 1, "the prompt once, the others once each");
        known.tokens("hi", encode);
        known.tokens("hi", encode);
        assert_eq!(encoded.get(), 4 * BYTES / 1_000 + 3, "short ones each time");
    }

    proptest! {
        #[test]
        fn what_is_kept_is_bounded_and_right(lengths in proptest::collection::vec(1..2 * MOST_BYTES, 1..60)) {
            let known = Known::default();
            for (i, length) in lengths.iter().enumerate() {
                let text = char::from(b'a' + (i % 7) as u8).to_string().repeat(*length);
                prop_assert_eq!(&*known.tokens(&text, letters), &letters(&text)[..]);
                let kept = |all: &super::Generations| {
                    let both = all.newer.keys().chain(all.older.keys());
                    (both.clone().map(|text| text.len()).sum::<usize>(), both.map(|text| text.len()).min())
                };
                let (bytes, least) = known.all(|all| kept(all));
                prop_assert!(bytes <= 2 * BYTES && least.is_none_or(|least| least >= LEAST_BYTES));
            }
        }
    }
}
