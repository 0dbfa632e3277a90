//! One answer said aloud: which of its words the voice is at, and when each of them is heard.

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;

use super::pieces::next_piece;
use crate::base::MediaTime;
use crate::wire::WordView;

/// So much longer than for a piece of no length may the voice take for each character: more than the sound of it lasts.
const WAIT_PER_CHAR: Duration = Duration::from_millis(100);
/// So much sound ahead of the ear is enough: what is thrown away at an interruption was made in vain.
pub(crate) const AHEAD: Duration = Duration::from_secs(4);

/// Why an answer was not said to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VoiceLoss {
    /// The voice did not come in time.
    Behind,
    /// The voice failed.
    Failed,
}

impl VoiceLoss {
    /// As events and metrics name it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Behind => "voice_behind",
            Self::Failed => "voice_failed",
        }
    }
}

/// A piece of an answer, said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voiced {
    /// In the format asked for.
    pub sound: Bytes,
    /// How long it lasts, in milliseconds.
    pub ms: u64,
    /// Its words, in order.
    pub words: Vec<VoicedWord>,
}

/// When one word of a piece is heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VoicedWord {
    /// Where it stands in the piece's text.
    pub bytes: Range<usize>,
    /// Its first sound, in milliseconds from the beginning of the piece.
    pub start_ms: u32,
    /// Its last sound.
    pub end_ms: u32,
}

/// When one word is heard, by the item's own sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Word {
    /// Where it stands in the item's words.
    bytes: Range<usize>,
    start_ms: u64,
    end_ms: u64,
}

/// What of an item's words was turned into sound, and when each is heard.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Said {
    words: Vec<Word>,
    /// The length of the sound.
    pub(crate) ms: u64,
    /// Where the words end that were said.
    pub(crate) until: usize,
}

impl Said {
    /// Where the words of `text` end that were heard to their end within `ms`, with the marks that follow them. What was never said ends nowhere.
    pub(crate) fn heard(&self, text: &str, ms: u64) -> usize {
        if ms >= self.ms {
            return self.until.min(text.len());
        }
        let last = self.words.iter().rfind(|w| w.end_ms <= ms);
        last.map_or(0, |w| with_marks(text, w.bytes.clone()).end)
    }

    /// Forgets what comes after `ms`.
    pub(crate) fn cut(&mut self, text: &str, ms: u64) {
        self.until = self.heard(text, ms);
        self.words.retain(|w| w.end_ms <= ms);
        self.ms = self.ms.min(ms);
    }

    /// The words heard within `before` of `ms`, and the one that is being heard.
    pub(crate) fn around<'t>(&self, text: &'t str, ms: u64, before: u64) -> &'t str {
        let near = |w: &&Word| w.end_ms + before >= ms && w.start_ms <= ms;
        let (first, last) = (self.words.iter().find(near), self.words.iter().rfind(near));
        first.zip(last).and_then(|(f, l)| text.get(f.bytes.start..l.bytes.end)).unwrap_or_default()
    }
}

/// A word's place, with the marks behind it up to the next blank.
fn with_marks(text: &str, word: Range<usize>) -> Range<usize> {
    let rest = text.get(word.end..).unwrap_or_default();
    let marks = rest.chars().take_while(|c| !c.is_whitespace() && !c.is_alphanumeric());
    word.start..word.end + marks.map(char::len_utf8).sum::<usize>()
}

/// How an answer is being said.
#[derive(Debug, Clone, Default)]
pub(crate) struct Voicing {
    /// Where the words begin that the voice was not given yet.
    next: usize,
    /// Running number of the piece that the voice is at, or was at last.
    piece: u32,
    /// The piece that the voice is at, and how long it is waited for.
    asked: Option<(Range<usize>, MediaTime)>,
    /// Nothing more is said.
    quiet: bool,
    pub(crate) said: Said,
}

impl Voicing {
    /// The next piece for the voice, if there is one and the voice is free. It is waited for as long as `wait` says for a piece at the voice's own
    /// pace; slowed to `speed`, the sound of each character takes so much longer to make.
    pub(crate) fn ask(
        &mut self,
        text: &str,
        whole: bool,
        (wait, speed): (Duration, f32),
        now: MediaTime,
    ) -> Option<(u32, String)> {
        if self.quiet || self.asked.is_some() {
            return None;
        }
        let range = next_piece(text, self.next, whole)?;
        let words = text[range.clone()].to_owned();
        let letters = u32::try_from(words.chars().count()).unwrap_or(u32::MAX);
        self.next = range.end;
        self.piece += 1;
        let per_char = WAIT_PER_CHAR.div_f32(speed.clamp(0.25, 1.0));
        self.asked = Some((range, now + wait + per_char.saturating_mul(letters)));
        Some((self.piece, words))
    }

    /// Takes in a piece of sound; gives back its words with their times. `None` when it is not waited for any more.
    pub(crate) fn take(&mut self, text: &str, piece: u32, voiced: &Voiced) -> Option<Vec<WordView>> {
        if piece != self.piece {
            return None;
        }
        let (range, _) = self.asked.take()?;
        let from = self.said.words.len();
        for word in &voiced.words {
            let bytes = range.start + word.bytes.start..range.start + word.bytes.end;
            if bytes.end <= range.end && text.get(bytes.clone()).is_some() {
                let at = |ms: u32| self.said.ms + u64::from(ms);
                self.said.words.push(Word { bytes, start_ms: at(word.start_ms), end_ms: at(word.end_ms) });
            }
        }
        self.said.ms += voiced.ms;
        self.said.until = range.end;
        let view = |w: &Word| WordView {
            text: text[with_marks(text, w.bytes.clone())].to_owned(),
            start_ms: w.start_ms,
            end_ms: w.end_ms,
        };
        Some(self.said.words[from..].iter().map(view).collect())
    }

    /// Whether there is something to be said that the voice was not given yet.
    pub(crate) fn could_ask(&self, text: &str, whole: bool) -> bool {
        !self.quiet && self.asked.is_none() && next_piece(text, self.next, whole).is_some()
    }

    /// Whether this is the piece that is waited for.
    pub(crate) fn awaits(&self, piece: u32) -> bool {
        self.asked.is_some() && piece == self.piece
    }

    /// Until when the voice is waited for, while it is at work.
    pub(crate) fn deadline(&self) -> Option<MediaTime> {
        self.asked.as_ref().map(|(_, until)| *until)
    }

    /// Whether there is nothing left to say of an answer of which no more words will come.
    pub(crate) fn is_done(&self, text: &str) -> bool {
        self.quiet || (self.asked.is_none() && next_piece(text, self.next, true).is_none())
    }

    /// The piece that the voice is at is to be asked for anew. True when there is one.
    pub(crate) fn take_back(&mut self) -> bool {
        let asked = self.asked.take();
        if let Some((range, _)) = &asked {
            self.next = range.start;
        }
        asked.is_some()
    }

    /// Nothing more is said. True when the voice is still at work for it.
    pub(crate) fn fall_silent(&mut self) -> bool {
        self.quiet = true;
        self.asked.take().is_some()
    }

    /// Whether it fell silent before its end.
    pub(crate) const fn is_quiet(&self) -> bool {
        self.quiet
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialogue::VoicedWord;

    fn piece(words: &[(Range<usize>, u32, u32)], ms: u64) -> Voiced {
        let word = |(bytes, start_ms, end_ms): &(Range<usize>, u32, u32)| VoicedWord {
            bytes: bytes.clone(),
            start_ms: *start_ms,
            end_ms: *end_ms,
        };
        Voiced { sound: Bytes::new(), ms, words: words.iter().map(word).collect() }
    }

    const WAIT: (Duration, f32) = (Duration::from_secs(8), 1.0);
    const TEXT: &str = "A cup, red. It is \"new\".";

    fn said() -> Voicing {
        let mut v = Voicing::default();
        let now = MediaTime::ZERO;
        assert_eq!(v.ask(TEXT, true, WAIT, now), Some((1, "A cup, red.".to_owned())));
        assert_eq!(v.ask(TEXT, true, WAIT, now), None, "one at a time");
        v.take(TEXT, 1, &piece(&[(0..1, 0, 100), (2..5, 150, 400), (7..10, 500, 900)], 1_000)).expect("waited for");
        assert_eq!(v.ask(TEXT, true, WAIT, now), Some((2, "It is \"new\".".to_owned())));
        let words =
            v.take(TEXT, 2, &piece(&[(0..2, 0, 200), (3..5, 200, 300), (7..10, 300, 700)], 800)).expect("words");
        assert_eq!(words.last(), Some(&WordView { text: "new\".".into(), start_ms: 1_300, end_ms: 1_700 }));
        assert!(v.is_done(TEXT));
        v
    }

    #[test]
    fn only_words_heard_to_their_end_are_kept_with_their_marks() {
        let said = said().said;
        let heard = |ms| &TEXT[..said.heard(TEXT, ms)];
        assert_eq!((said.ms, heard(0), heard(99), heard(100)), (1_800, "", "", "A"));
        assert_eq!((heard(400), heard(899), heard(950)), ("A cup,", "A cup,", "A cup, red."));
        assert_eq!((heard(1_200), heard(1_700), heard(9_999)), ("A cup, red. It", TEXT, TEXT));
        let mut cut = said;
        cut.cut(TEXT, 420);
        assert_eq!((cut.until, cut.ms, cut.words.len()), (6, 420, 2));
    }

    #[test]
    fn what_is_being_heard_is_known_by_its_time() {
        let said = said().said;
        assert_eq!(said.around(TEXT, 600, 300), "cup, red");
        assert_eq!(said.around(TEXT, 1_250, 0), "is");
        assert_eq!(Said::default().around(TEXT, 100, 100), "");
    }

    #[test]
    fn late_sound_and_sound_after_silence_are_not_taken() {
        let mut v = Voicing::default();
        assert!(v.take(TEXT, 0, &piece(&[], 100)).is_none());
        v.ask(TEXT, true, WAIT, MediaTime::ZERO).expect("a piece");
        assert!(v.deadline().is_some_and(|at| at > MediaTime::ZERO + WAIT.0));
        let mut slow = Voicing::default();
        slow.ask(TEXT, true, (WAIT.0, 0.25), MediaTime::ZERO).expect("a piece");
        let past = |v: &Voicing| v.deadline().map(|at| at.since(MediaTime::ZERO + WAIT.0));
        assert_eq!(past(&slow), past(&v).map(|d| d * 4), "a quarter of the pace, four times the sound");
        assert!(v.fall_silent() && v.is_done(TEXT) && v.deadline().is_none());
        assert!(v.take(TEXT, 1, &piece(&[], 100)).is_none() && v.ask(TEXT, true, WAIT, MediaTime::ZERO).is_none());
    }
}
