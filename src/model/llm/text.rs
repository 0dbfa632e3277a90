//! Tokens back to text, a piece at a time: never half a character, never part of a stop text.

/// Text of one answer as it grows.
///
/// Bytes are held back while they may be the beginning of a UTF-8 character or of a stop text.
#[derive(Debug, Default)]
pub struct TextStream {
    pending: Vec<u8>,
    stops: Vec<String>,
    stopped: bool,
}

impl TextStream {
    /// A stream that ends before the first of `stops`; empty stop texts are ignored.
    #[must_use]
    pub fn new(stops: Vec<String>) -> Self {
        Self { pending: Vec::new(), stops: stops.into_iter().filter(|s| !s.is_empty()).collect(), stopped: false }
    }

    /// Whether a stop text was met.
    #[must_use]
    pub fn stopped(&self) -> bool {
        self.stopped
    }

    /// Adds a token's bytes; returns the text that is now certain, perhaps none.
    pub fn push(&mut self, bytes: &[u8]) -> String {
        if self.stopped {
            return String::new();
        }
        self.pending.extend_from_slice(bytes);
        if let Some(at) = self.stops.iter().filter_map(|s| find(&self.pending, s.as_bytes())).min() {
            self.stopped = true;
            self.pending.truncate(at);
            return self.finish();
        }
        let held = self.stops.iter().map(|s| overlap(&self.pending, s.as_bytes())).max().unwrap_or(0);
        let certain = self.pending.len() - held;
        let whole = certain - unfinished(&self.pending[..certain]);
        let rest = self.pending.split_off(whole);
        into_text(std::mem::replace(&mut self.pending, rest))
    }

    /// The end of the answer: what was held back. A broken character becomes U+FFFD.
    pub fn finish(&mut self) -> String {
        into_text(std::mem::take(&mut self.pending))
    }
}

fn into_text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|w| w == what)
}

/// Length of the longest end of `text` that `stop` begins with.
fn overlap(text: &[u8], stop: &[u8]) -> usize {
    (1..stop.len().min(text.len() + 1)).rev().find(|&n| text.ends_with(&stop[..n])).unwrap_or(0)
}

/// Bytes at the end of `text` that begin a character and need more.
fn unfinished(text: &[u8]) -> usize {
    match std::str::from_utf8(text) {
        Err(e) if e.error_len().is_none() => text.len() - e.valid_up_to(),
        // An error in the middle hides the end: look at the last three bytes by themselves.
        Err(_) => (1..=3.min(text.len()))
            .find(|&n| {
                let tail = &text[text.len() - n..];
                tail[0] >= 0xc0 && std::str::from_utf8(tail).is_err_and(|e| e.error_len().is_none())
            })
            .unwrap_or(0),
        Ok(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::TextStream;
    use proptest::prelude::*;

    #[test]
    fn a_stop_text_split_over_tokens_is_never_shown() {
        let mut s = TextStream::new(vec!["\nUser:".into()]);
        let shown: String =
            ["It is", " red.", "\n", "Us", "er", ": and"].iter().map(|t| s.push(t.as_bytes())).collect();
        assert_eq!(shown, "It is red.");
        assert!(s.stopped());
        assert_eq!(s.push(b"more") + &s.finish(), "");
    }

    #[test]
    fn what_only_looked_like_a_stop_text_is_shown_after_all() {
        let mut s = TextStream::new(vec!["<end>".into()]);
        assert_eq!(s.push(b"a <en") + &s.push(b"tity>") + &s.finish(), "a <entity>");
    }

    proptest! {
        #[test]
        fn any_text_cut_anywhere_comes_out_whole(text in "\\PC{0,40}", cut in 1usize..4) {
            let mut s = TextStream::new(vec![]);
            let mut out = String::new();
            for piece in text.as_bytes().chunks(cut) {
                let shown = s.push(piece);
                let broken = shown.contains(char::REPLACEMENT_CHARACTER);
                prop_assert!(!broken || text.contains(char::REPLACEMENT_CHARACTER));
                out += &shown;
            }
            prop_assert_eq!(out + &s.finish(), text);
        }

        #[test]
        fn any_bytes_are_taken_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..60), cut in 1usize..5) {
            let mut s = TextStream::new(vec!["ab".into()]);
            for piece in bytes.chunks(cut) {
                s.push(piece);
            }
            s.finish();
        }
    }
}
