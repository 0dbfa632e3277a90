//! Interruption or sign of listening: judges what is said into an answer, from its sound and from early readings of its words.
//!
//! Pure: the same evidence in the same order gives the same verdict. The sound alone decides only after [`InterruptConfig::voice_alone`]:
//! until then words say more, and a sign of listening is over by then.

use std::time::Duration;

use super::interject::{Interjection, is_our_own, plain, weigh};
use super::voicing::Evidence;
use crate::base::MediaTime;

/// Silence after which an early reading covers all that was said.
const WHOLE_AFTER: Duration = Duration::from_millis(160);
/// Nobody says words faster: what a recogniser reads into less is made up.
const WORD: Duration = Duration::from_millis(120);
/// Voice beyond signs of listening after which the answer is held back again.
const DOUBT_AGAIN: Duration = Duration::from_millis(160);
/// The same while they are still speaking when the signs have been read.
const GOES_ON: Duration = Duration::from_millis(96);
/// Silence within a word.
const GAP: Duration = Duration::from_millis(48);
/// One part in so many of near sound must have a pitch for it to be doubted on: a cough has less than a tenth.
const DOUBT_PITCHED: u32 = 5;

/// How much it takes to stop an answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InterruptConfig {
    /// Near voice that is an interruption if its words are not known, or may be a turn of their own. Default 640 ms: "uh-huh" and "yeah, okay" are
    /// over by then.
    pub voice_alone: Duration,
    /// The same where no more than a word of its own was found in it. Default 960 ms: "that makes sense" is over by then, however it is misread.
    pub one_word: Duration,
    /// The same where a reading found no words in it: laughter goes on for longer. Default 1120 ms.
    pub wordless: Duration,
    /// Near voice with a pitch that an early reading must rest on: recognisers read words into noise. Default 64 ms.
    pub least_pitched: Duration,
    /// Share of the time that is near voice when a person speaks. Default 0.5: of a television only the loudest words are near.
    pub dense: f32,
    /// Share of near voice that has a pitch when it is speech. Default 0.35: a cough has less than a tenth.
    pub pitched_share: f32,
    /// Silence after which what was said is over, and play-out goes on. Default 240 ms.
    pub over: Duration,
    /// The longest that play-out is held back while nothing is decided. Default 1120 ms.
    pub hold: Duration,
    /// Near sound after which the answer is held back, until more is known. Default 48 ms.
    pub doubt: Duration,
    /// Near sound by which it must have a pitch to be doubted on. Default 208 ms: many words begin without one, and a cough has none.
    pub doubt_pitched: Duration,
}

impl Default for InterruptConfig {
    fn default() -> Self {
        Self {
            voice_alone: Duration::from_millis(640),
            one_word: Duration::from_millis(960),
            wordless: Duration::from_millis(1_120),
            least_pitched: Duration::from_millis(64),
            dense: 0.5,
            pitched_share: 0.35,
            over: Duration::from_millis(240),
            hold: Duration::from_millis(1_120),
            doubt: Duration::from_millis(48),
            doubt_pitched: Duration::from_millis(208),
        }
    }
}

/// What proved an interruption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Proof {
    /// "stop", "no", a question.
    StopWord,
    /// Words of their own.
    Words,
    /// Near voice that went on.
    Voice,
}

/// Why the answer goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Harmless {
    /// A sign of listening.
    Backchannel,
    /// No words and no voice that went on: a cough, a laugh, a click.
    Noise,
    /// A voice from farther away than the person.
    Far,
    /// The words that we are saying.
    OurOwn,
}

impl Proof {
    /// For metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::StopWord => "stop_word",
            Self::Words => "words",
            Self::Voice => "voice",
        }
    }
}

impl Harmless {
    /// For metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Backchannel => "backchannel",
            Self::Noise => "noise",
            Self::Far => "far",
            Self::OurOwn => "our_own",
        }
    }
}

/// What is known so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Not enough. The answer is held back where it is [`Judge::is_doubtful`].
    Open,
    /// Harmless so far: play-out goes on. It may still become an interruption.
    Passing(Harmless),
    /// An interruption; this is final.
    Real(Proof),
}

/// Judges one utterance that began during an answer.
#[derive(Debug, Clone)]
pub struct Judge {
    config: InterruptConfig,
    verdict: Verdict,
    /// When something was first heard.
    since: MediaTime,
    newest: Option<Evidence>,
    /// When the stretch began that was last heard.
    stretch: Option<MediaTime>,
    /// The most near voice and pitch of one stretch: a stretch is forgotten after a pause, the utterance may go on.
    most: (Duration, Duration),
    /// The newest reading, and the near voice that it covers.
    reading: Option<(Read, Duration)>,
    /// Near voice of the stretch up to which it was all signs of listening, or ours.
    harmless_until: Duration,
    /// Its words.
    words: Vec<String>,
    /// Stretches before this one that were nothing: the more, the longer the next has to sound before anything is held back for it.
    passed: u32,
    /// Since when it is doubted whether the stretch is an interruption.
    opened: MediaTime,
    /// A reading of it may have been a turn of their own.
    own: bool,
}

/// What a reading found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Read {
    Nothing,
    Backchannel,
    OurOwn,
    OneWord,
    /// A turn of their own, as far as the beginning tells.
    Own,
}

impl Judge {
    /// Begins at `since`, when something was first heard.
    #[must_use]
    pub fn new(config: InterruptConfig, since: MediaTime) -> Self {
        let most = (Duration::ZERO, Duration::ZERO);
        Self {
            config,
            verdict: Verdict::Open,
            since,
            newest: None,
            stretch: None,
            most,
            reading: None,
            harmless_until: Duration::ZERO,
            words: Vec::new(),
            passed: 0,
            opened: since,
            own: false,
        }
    }

    /// What is known so far.
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// Whether any sound was near enough to be the person's.
    #[must_use]
    pub fn was_near(&self) -> bool {
        self.most.0 > Duration::ZERO
    }

    /// Whether what is heard may well be an interruption, so that the answer should wait for what it turns out to be.
    #[must_use]
    pub fn is_doubtful(&self) -> bool {
        let Some(e) = self.newest.filter(|_| self.verdict == Verdict::Open) else { return false };
        let pitched = e.near < self.config.doubt_pitched || e.pitched * DOUBT_PITCHED >= e.near;
        e.near >= self.config.doubt * (1 << self.passed.min(3)) && self.is_dense(e) && pitched
    }

    /// It was doubted for as long as anybody can be kept waiting.
    pub fn let_pass(&mut self) {
        if self.verdict == Verdict::Open {
            self.verdict = Verdict::Passing(self.harmless());
        }
    }

    /// Capture time of the voice that is judged.
    #[must_use]
    pub fn onset(&self) -> MediaTime {
        self.newest.map_or(self.since, |e| e.onset.max(self.since))
    }

    /// Hears on, up to `at`; `evidence` is `None` where nothing near is to be heard.
    pub fn hear(&mut self, evidence: Option<Evidence>, at: MediaTime) -> Verdict {
        if let Verdict::Real(_) = self.verdict {
            return self.verdict;
        }
        let Some(e) = evidence else {
            self.newest = None;
            if at.since(self.since) >= self.config.over {
                self.verdict = Verdict::Passing(self.harmless());
            }
            return self.verdict;
        };
        if self.stretch != Some(e.onset) {
            // Another stretch: what was read belongs to the one before.
            (self.reading, self.harmless_until) = (None, Duration::ZERO);
            self.passed += u32::from(self.stretch.is_some());
            (self.stretch, self.verdict) = (Some(e.onset), Verdict::Open);
            (self.opened, self.own) = (e.onset, false);
        } else if self.verdict == Verdict::Passing(Harmless::Backchannel) && e.near >= self.harmless_until + DOUBT_AGAIN
        {
            // "Okay, but": more was said since.
            (self.verdict, self.opened) = (Verdict::Open, e.at);
        }
        self.newest = Some(e);
        self.most = (self.most.0.max(e.near), self.most.1.max(e.pitched));
        let alone = match self.reading {
            Some((Read::Nothing, _)) if !self.own => self.config.wordless,
            Some(_) if !self.own => self.config.one_word,
            _ => self.config.voice_alone,
        };
        // Signs of listening follow each other; each reading says how far they went.
        let needed = self.harmless_until + alone;
        self.verdict = if e.near >= needed && self.is_voice(e) {
            Verdict::Real(Proof::Voice)
        } else if e.silent >= self.config.over || e.at.since(self.opened) >= self.config.hold {
            Verdict::Passing(self.harmless())
        } else {
            self.verdict
        };
        self.verdict
    }

    /// Near voice without great gaps.
    fn is_dense(&self, e: Evidence) -> bool {
        let span = e.at.since(e.onset).saturating_sub(e.silent);
        e.near.as_secs_f32() >= self.config.dense * span.as_secs_f32()
    }

    /// The same, with a pitch.
    fn is_voice(&self, e: Evidence) -> bool {
        e.pitched.as_secs_f32() >= self.config.pitched_share * e.near.as_secs_f32() && self.is_dense(e)
    }

    /// An early reading of the first `near` of the stretch. `ours` is what we are saying aloud, empty when nothing is.
    pub fn read(&mut self, words: &str, near: Duration, ours: &str) -> Verdict {
        if let Verdict::Real(_) = self.verdict {
            return self.verdict;
        }
        let Some(e) = self.newest.filter(|e| e.pitched >= self.config.least_pitched) else { return self.verdict };
        // Read after the voice fell silent, it is all there is; otherwise it may be half a word.
        let whole = e.silent >= WHOLE_AFTER && e.near <= near + Duration::from_millis(48);
        self.words = plain(words);
        let slowly = near >= WORD.saturating_mul(u32::try_from(self.words.len()).unwrap_or(u32::MAX));
        // "Wait, wait, wait" in a quarter of a second: recognisers go round in circles where they have little to go by.
        let looped = !slowly && self.words.windows(3).any(|w| w[0] == w[1] && w[1] == w[2]);
        let read = if is_our_own(words, ours) {
            Read::OurOwn
        } else {
            match weigh(words) {
                Interjection::Stop if self.is_voice(e) && !looped => return self.prove(Proof::StopWord),
                Interjection::Turn | Interjection::Content(2..) if slowly && self.is_voice(e) => {
                    self.own = true;
                    // Recognisers read much into half a word, and something else into the next half.
                    if whole || matches!(self.reading, Some((Read::Own, _))) {
                        return self.prove(Proof::Words);
                    }
                    Read::Own
                }
                Interjection::Stop | Interjection::Turn | Interjection::Content(_) => Read::OneWord,
                Interjection::Backchannel => Read::Backchannel,
                Interjection::Nothing => Read::Nothing,
            }
        };
        self.reading = Some((read, near));
        if matches!(read, Read::Backchannel | Read::OurOwn) {
            self.harmless_until = near;
            if read == Read::Backchannel && e.silent < GAP && e.near >= near + GOES_ON {
                // They spoke on while it was read: what else they say is not known.
                self.opened = e.at;
            } else {
                self.verdict = Verdict::Passing(self.harmless());
            }
        }
        self.verdict
    }

    fn prove(&mut self, proof: Proof) -> Verdict {
        self.verdict = Verdict::Real(proof);
        self.verdict
    }

    /// The utterance is over and these are all its words: final, and never [`Verdict::Open`]. A single word, or the beginning of more, must have
    /// been read before too if anything was read before: what is read differently each time is noise.
    pub fn end(&mut self, words: &str, ours: &str) -> Verdict {
        if let Verdict::Real(_) = self.verdict {
            return self.verdict;
        }
        let near = self.most.1 >= self.config.least_pitched;
        // Signs of listening in both prove nothing of what else was read.
        let own = |w: &String| weigh(w) != Interjection::Backchannel;
        let agreed = self.reading.is_none() || plain(words).iter().any(|w| own(w) && self.words.contains(w));
        self.verdict = match weigh(words) {
            _ if !self.was_near() => Verdict::Passing(Harmless::Far),
            _ if is_our_own(words, ours) => Verdict::Passing(Harmless::OurOwn),
            Interjection::Stop if near => Verdict::Real(Proof::StopWord),
            Interjection::Turn | Interjection::Content(_) if near && agreed => Verdict::Real(Proof::Words),
            Interjection::Backchannel => Verdict::Passing(Harmless::Backchannel),
            _ => Verdict::Passing(Harmless::Noise),
        };
        self.verdict
    }

    fn harmless(&self) -> Harmless {
        match self.reading {
            _ if !self.was_near() => Harmless::Far,
            Some((Read::OurOwn, _)) => Harmless::OurOwn,
            Some((Read::Backchannel, _)) => Harmless::Backchannel,
            _ => Harmless::Noise,
        }
    }
}

#[cfg(test)]
mod tests;
