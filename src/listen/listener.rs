//! Sound in, utterances out: cuts frames, asks the model about each, and decides when speech begins and ends.

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use super::config::{ConfigError, ListenConfig, TurnDetection};
use super::gather::{Gathered, SO_FAR_EVERY, SO_FAR_SHARE};
use super::level::{SILENCE_DBFS, dbfs};
use super::timeline::{Step, Timeline, duration, samples};
use super::voicing::{Evidence, PITCH_SAMPLES, Voicing};
use super::{ListenEvent, SoFar, SpeechProbability, Utterance};
use crate::base::{ErrorClass, LossReason, MediaTime, Pcm};

/// Sound before the first near frame that an early reading begins with: recognisers want to hear a beginning.
const EARLY_PADDING: Duration = Duration::from_millis(200);
/// Who has paused for so long goes on as he began: a click or a breath that is hardly voice does not make his turn longer. Source: `silero-vad` (`utils_vad.py`),
/// where a single frame below the lower threshold is enough for that; differs, for a vowel may fade and swell.
const PAUSE: Duration = Duration::from_millis(96);
/// The most that is read early.
const EARLY_MOST: Duration = Duration::from_secs(3);

/// What one buffer of sound led to.
#[derive(Debug, Default)]
pub struct Heard {
    /// In order of capture time.
    pub events: Vec<ListenEvent>,
    /// Sound dropped on purpose, for the caller to count.
    pub lost: Vec<Lost>,
}

/// Sound that was dropped on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lost {
    /// Why.
    pub reason: LossReason,
    /// How much.
    pub duration: Duration,
}

/// Why a commit gave no utterance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CommitError {
    /// Less sound than can hold a word; what there is stays for the next commit.
    #[error("the audio buffer holds {have_ms} ms, expected at least {need_ms} ms")]
    TooShort {
        /// What the buffer holds, in milliseconds.
        have_ms: u64,
        /// What it takes, in milliseconds.
        need_ms: u64,
    },
}

impl CommitError {
    /// Always the caller's to mend.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        ErrorClass::Invalid
    }
}

/// Finds utterances in the sound of one speaker.
///
/// Utterances come in order and never overlap, whatever the capture times do. Every [`ListenEvent::SpeechStarted`] is
/// followed by one [`ListenEvent::SpeechStopped`], unless [`Listener::clear`] throws the utterance away.
/// Memory: at most `max_utterance` plus one frame of samples.
pub struct Listener {
    model: Box<dyn SpeechProbability>,
    config: ListenConfig,
    /// Samples kept, oldest first; the newest was captured just before `timeline.end()`.
    held: Vec<f32>,
    /// How many of `held` the model has judged; the rest is less than a frame.
    judged: usize,
    timeline: Timeline,
    state: State,
    level_dbfs: f32,
    voicing: Voicing,
    /// Silence that ends the pause that goes on, where what was said before it calls for another than usual.
    needed: Option<Duration>,
    /// How much of `held` has been handed out to be read before its end.
    handed: usize,
    /// What was heard of speech in manual mode.
    gathered: Gathered,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// `held` is padding for what may come.
    Quiet,
    /// Voiced frames, but not enough yet. `held` begins with the padding.
    Maybe { start: MediaTime, first: MediaTime, voiced: usize, silent: usize },
    /// Speech. `voiced` is the end of the last voiced frame in `held`; `silent` counts samples since.
    Speaking { start: MediaTime, voiced: usize, voiced_at: MediaTime, silent: usize },
    /// Manual mode; `start` is the capture time of `held[0]`.
    Gathering { start: Option<MediaTime> },
}

impl Listener {
    /// The least sound that can be committed, as in OpenAI's Realtime API.
    pub const MIN_COMMIT: Duration = Duration::from_millis(100);

    /// A listener that has heard nothing.
    ///
    /// # Errors
    /// [`ConfigError`] if a field is out of bounds.
    pub fn new(model: Box<dyn SpeechProbability>, config: ListenConfig) -> Result<Self, ConfigError> {
        config.check()?;
        let state = State::initial(&config);
        let (held, timeline) = (Vec::new(), Timeline::default());
        Ok(Self {
            model,
            config,
            held,
            judged: 0,
            timeline,
            state,
            level_dbfs: SILENCE_DBFS,
            voicing: Voicing::default(),
            needed: None,
            handed: 0,
            gathered: Gathered::default(),
        })
    }

    /// The configuration in force.
    #[must_use]
    pub const fn config(&self) -> &ListenConfig {
        &self.config
    }

    /// Changes the configuration from the next frame on. If the mode changes in mid-utterance, the utterance ends here
    /// and is given back; other sound held so far stays as padding (to voice mode) or is the beginning (to manual mode).
    /// A shorter `max_utterance` holds from the next frame on.
    ///
    /// # Errors
    /// [`ConfigError`] if a field is out of bounds; then nothing changes.
    pub fn set_config(&mut self, config: ListenConfig, now: MediaTime) -> Result<Option<ListenEvent>, ConfigError> {
        config.check()?;
        let changes = config.turn_detection != self.config.turn_detection;
        let ended = if changes { self.finish(now) } else { None };
        self.config = config;
        if changes {
            self.rest();
        }
        Ok(ended)
    }

    /// Hears one buffer, of any length.
    pub fn push(&mut self, pcm: &Pcm) -> Heard {
        let mut heard = Heard::default();
        if pcm.samples.is_empty() {
            return heard;
        }
        self.level_dbfs = dbfs(&pcm.samples);
        let busy = !matches!(self.state, State::Quiet);
        match self.timeline.arrive(pcm.start, busy) {
            Step::Joined => {}
            Step::Moved => self.forget(),
            Step::Gap(missing) => self.on_gap(missing, pcm.start, &mut heard),
        }
        let frame = self.model.frame_samples().max(1);
        let mut rest = &*pcm.samples;
        while !rest.is_empty() {
            let wanted = frame - (self.held.len() - self.judged);
            let (now, later) = rest.split_at(wanted.min(rest.len()));
            self.held.extend(now.iter().copied().map(Pcm::sane));
            self.timeline.advance(now.len());
            rest = later;
            if self.held.len() - self.judged == frame {
                self.judged += frame;
                self.on_frame(frame, &mut heard);
            }
        }
        heard
    }

    /// Ends the utterance here and gives it back as [`ListenEvent::SpeechStopped`]: everything gathered in manual mode,
    /// or what is being said in voice mode. Silence after what was handed out to be read as a whole ([`Self::so_far`]) is left out, so that it
    /// need not be read again.
    ///
    /// # Errors
    /// [`CommitError::TooShort`] if less than [`Self::MIN_COMMIT`] is there; it is kept.
    pub fn commit(&mut self, now: MediaTime) -> Result<ListenEvent, CommitError> {
        let open = matches!(self.state, State::Gathering { .. } | State::Speaking { .. });
        let have = if open { self.held.len() } else { 0 };
        if have < samples(Self::MIN_COMMIT) {
            let ms = |d: Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
            return Err(CommitError::TooShort { have_ms: ms(duration(have)), need_ms: ms(Self::MIN_COMMIT) });
        }
        let end = self.timeline.end();
        let start = match self.state {
            State::Speaking { start, .. } | State::Gathering { start: Some(start) } => start,
            _ => end,
        };
        let known = if self.is_speaking() { None } else { self.gathered.known(samples(self.config.suffix_padding)) };
        let event = self.emit(known.unwrap_or(have).min(have), start, end, now);
        if known.is_some() {
            self.forget();
        }
        self.rest();
        Ok(event)
    }

    /// Throws away what is held, and the utterance being said.
    pub fn clear(&mut self) {
        self.timeline.release(self.timeline.end());
        self.forget();
        self.rest();
    }

    /// The sound has ended: gives back the utterance being said, if any. Manual mode waits for a commit.
    pub fn finish(&mut self, now: MediaTime) -> Option<ListenEvent> {
        let State::Speaking { start, voiced, voiced_at, .. } = self.state else { return None };
        Some(self.stop(start, voiced, voiced_at, now))
    }

    /// Whether somebody is speaking (voice mode only).
    #[must_use]
    pub const fn is_speaking(&self) -> bool {
        matches!(self.state, State::Speaking { .. })
    }

    /// Whether nothing is heard that is speech or may become it (voice mode only).
    #[must_use]
    pub const fn is_quiet(&self) -> bool {
        matches!(self.state, State::Quiet)
    }

    /// How loud the newest buffer was: root mean square in dBFS, -100 for silence.
    #[must_use]
    pub const fn level_dbfs(&self) -> f32 {
        self.level_dbfs
    }

    /// What is to be heard of the person at the microphone: `None` when nothing near sounds (voice mode only).
    #[must_use]
    pub const fn evidence(&self) -> Option<Evidence> {
        self.voicing.evidence()
    }

    /// Capture time just after the newest sample.
    #[must_use]
    pub fn heard_until(&self) -> MediaTime {
        self.timeline.end()
    }

    /// Whether an answer is under way, so that what is heard may be anybody's and does not tell how loud the person is.
    pub const fn guard(&mut self, on: bool) {
        self.voicing.guard(on);
    }

    /// Whether our own voice is being taken out of what is heard, and a little of the person's with it.
    pub const fn cleaned(&mut self, on: bool) {
        self.voicing.cleaned(on);
    }

    /// The near voice that goes on, with a little of what came before it, each time that it is worth reading early: at most the newest 3 s.
    pub fn early(&mut self) -> Option<Arc<[f32]>> {
        let onset = self.voicing.evidence()?.onset;
        if !self.voicing.worth_reading() {
            return None;
        }
        let wanted = self.timeline.end().since(onset) + EARLY_PADDING;
        let count = samples(wanted.min(EARLY_MOST)).min(self.held.len());
        Some(self.held[self.held.len() - count..].into())
    }

    /// The speech that goes on, from its start, each time that it is worth reading: when a few words have been added, and once in each pause,
    /// as soon as the pause is long enough that these would be the samples of the utterance.
    pub fn so_far(&mut self) -> Option<SoFar> {
        if let State::Gathering { .. } = self.state {
            let (end, whole) = self.gathered.so_far(self.judged, samples(self.config.suffix_padding))?;
            let voiced_until = self.time_of(self.gathered.voiced());
            return Some(SoFar { samples: self.held[..end].into(), voiced_until, whole });
        }
        let State::Speaking { voiced, voiced_at, silent, .. } = self.state else { return None };
        let end = voiced + samples(self.config.suffix_padding);
        let whole = silent > 0 && self.judged >= end && self.handed < end;
        // The padding before speech is nothing new.
        let known = self.handed.max(samples(self.config.prefix_padding));
        let grown = self.judged.saturating_sub(known);
        if whole || (silent == 0 && grown >= samples(SO_FAR_EVERY).max(self.judged / SO_FAR_SHARE)) {
            self.handed = if whole { end } else { self.judged };
            return Some(SoFar { samples: self.held[..self.handed].into(), voiced_until: voiced_at, whole });
        }
        None
    }

    /// What was said up to `voiced_until` calls for this much silence after it. Gives back the utterance if it has been silent for so long
    /// already. Nothing changes if more has been said since (voice mode only).
    pub fn need_silence(&mut self, voiced_until: MediaTime, needed: Duration) -> Option<ListenEvent> {
        if !matches!(self.state, State::Speaking { voiced_at, .. } if voiced_at == voiced_until) {
            return None;
        }
        self.needed = Some(needed);
        let mut heard = Heard::default();
        self.decide(self.time_of(self.judged), &mut heard);
        heard.events.pop()
    }

    /// How much sound is held.
    #[must_use]
    pub fn held(&self) -> Duration {
        duration(self.held.len())
    }

    fn on_frame(&mut self, frame: usize, heard: &mut Heard) {
        let newest = &self.held[self.judged - frame..self.judged];
        let p = self.model.probability(newest);
        if let State::Gathering { start } = self.state {
            let thresholds = (self.config.start_threshold, self.config.stop_threshold);
            self.gathered.hear(p, thresholds, frame, self.judged);
            return self.gather(start, heard);
        }
        let quiet = matches!(self.state, State::Quiet);
        let paused = matches!(self.state, State::Speaking { silent, .. } if duration(silent) >= PAUSE);
        let threshold = if quiet || paused { self.config.start_threshold } else { self.config.stop_threshold };
        let theirs = || !self.is_speaking() || self.voicing.may_be_theirs(newest, self.config.farther_db);
        let voiced = p >= threshold && theirs();
        let from = self.judged.saturating_sub(PITCH_SAMPLES.max(frame));
        let at = self.time_of(self.judged);
        self.voicing.hear(&self.held[from..self.judged], frame, voiced, at);
        match self.state {
            State::Quiet if p >= self.config.start_threshold => self.on_first_voiced(frame),
            State::Quiet => self.trim_padding(),
            State::Maybe { start, first, voiced, silent } if p >= self.config.stop_threshold => {
                self.state = State::Maybe { start, first, voiced: voiced + frame, silent };
            }
            State::Maybe { start, first, voiced, silent } => {
                self.state = State::Maybe { start, first, voiced, silent: silent + frame };
            }
            State::Speaking { start, .. } if voiced => {
                let (voiced, voiced_at) = (self.judged, self.time_of(self.judged));
                self.needed = None;
                self.state = State::Speaking { start, voiced, voiced_at, silent: 0 };
            }
            State::Speaking { start, voiced, voiced_at, silent } => {
                self.state = State::Speaking { start, voiced, voiced_at, silent: silent + frame };
            }
            State::Gathering { .. } => {}
        }
        self.decide(self.time_of(self.judged), heard);
        self.cut(frame, heard);
    }

    /// Whether speech has begun or ended, by what has been counted.
    fn decide(&mut self, now: MediaTime, heard: &mut Heard) {
        let enough = samples(self.needed.unwrap_or(self.config.silence_duration));
        match self.state {
            State::Maybe { start, first, voiced, .. } if voiced >= samples(self.config.min_speech) => {
                heard.events.push(ListenEvent::SpeechStarted { at: first });
                let voiced_at = self.time_of(self.judged);
                self.state = State::Speaking { start, voiced: self.judged, voiced_at, silent: 0 };
            }
            State::Maybe { voiced, silent, .. } if silent >= samples(self.config.min_speech) => {
                heard.lost.push(Lost { reason: LossReason::UtteranceBounds, duration: duration(voiced) });
                self.state = State::Quiet;
                self.trim_padding();
            }
            State::Speaking { start, voiced, voiced_at, silent } if silent >= enough => {
                let event = self.stop(start, voiced, voiced_at, now);
                heard.events.push(event);
            }
            _ => {}
        }
    }

    /// The padding before this frame is where the utterance would begin.
    fn on_first_voiced(&mut self, frame: usize) {
        let first = self.judged - frame;
        self.drop_oldest(first.saturating_sub(samples(self.config.prefix_padding)));
        let start = self.time_of(0);
        let first = self.time_of(self.judged - frame).max(start);
        self.state = State::Maybe { start, first, voiced: frame, silent: 0 };
    }

    /// Missing sound is silence that was not recorded: it counts towards the end of speech, and nothing is inserted.
    fn on_gap(&mut self, missing: Duration, now: MediaTime, heard: &mut Heard) {
        let gap = samples(missing);
        match &mut self.state {
            State::Quiet => self.forget(),
            State::Maybe { silent, .. } | State::Speaking { silent, .. } => {
                *silent = silent.saturating_add(gap);
                self.decide(now, heard);
                if matches!(self.state, State::Quiet) {
                    self.forget();
                }
            }
            State::Gathering { .. } => {}
        }
    }

    /// Ends an utterance that has reached its bound, and goes on with the next if somebody is still speaking.
    fn cut(&mut self, frame: usize, heard: &mut Heard) {
        let max = samples(self.config.max_utterance);
        while let State::Speaking { start, voiced, voiced_at, silent } = self.state {
            if self.judged + frame <= max {
                return;
            }
            let at = self.judged.min(max);
            let here = self.time_of(at);
            let event = self.emit(at, start, voiced_at.min(here), here);
            heard.events.push(event);
            if silent > 0 && voiced <= at {
                self.state = State::Quiet;
                return self.trim_padding();
            }
            heard.events.push(ListenEvent::SpeechStarted { at: here });
            self.state = State::Speaking {
                start: here,
                voiced: voiced.saturating_sub(at),
                voiced_at: voiced_at.max(here),
                silent,
            };
        }
    }

    /// Manual mode: keeps the newest `max_utterance`.
    fn gather(&mut self, start: Option<MediaTime>, heard: &mut Heard) {
        let excess = self.held.len().saturating_sub(samples(self.config.max_utterance));
        let start = start.unwrap_or_else(|| self.time_of(0));
        if excess > 0 {
            self.drop_oldest(excess);
            heard.lost.push(Lost { reason: LossReason::UtteranceBounds, duration: duration(excess) });
        }
        self.state = State::Gathering { start: Some((start + duration(excess)).min(self.timeline.end())) };
    }

    fn stop(&mut self, start: MediaTime, voiced: usize, end: MediaTime, decided: MediaTime) -> ListenEvent {
        let at = voiced.saturating_add(samples(self.config.suffix_padding)).min(self.judged);
        let event = self.emit(at, start, end, decided);
        self.voicing.learn();
        self.state = State::Quiet;
        self.trim_padding();
        event
    }

    /// Takes the oldest `count` samples as an utterance; the rest stays for the next one.
    fn emit(&mut self, count: usize, start: MediaTime, end: MediaTime, decided: MediaTime) -> ListenEvent {
        let sound: Arc<[f32]> = self.held[..count].into();
        self.drop_oldest(count);
        (self.handed, self.needed, self.gathered) = (0, None, Gathered::default());
        self.timeline.release(end);
        ListenEvent::SpeechStopped { utterance: Utterance { samples: sound, start, end }, decided: decided.max(end) }
    }

    /// To the state in which nothing is being said.
    fn rest(&mut self) {
        self.state = State::initial(&self.config);
        if matches!(self.state, State::Gathering { .. }) && !self.held.is_empty() {
            self.state = State::Gathering { start: Some(self.time_of(0)) };
        }
        if matches!(self.state, State::Quiet) {
            self.trim_padding();
        }
    }

    /// Sound from before a break is no padding for what comes after it.
    fn forget(&mut self) {
        self.held.clear();
        (self.judged, self.handed, self.needed, self.gathered) = (0, 0, None, Gathered::default());
        self.voicing.forget();
        self.model.reset();
    }

    fn trim_padding(&mut self) {
        self.drop_oldest(self.judged.saturating_sub(samples(self.config.prefix_padding)));
    }

    fn drop_oldest(&mut self, count: usize) {
        self.held.drain(..count);
        self.judged = self.judged.saturating_sub(count);
        self.gathered.drop_oldest(count);
    }

    /// Capture time of `held[index]`.
    fn time_of(&self, index: usize) -> MediaTime {
        self.timeline.back(self.held.len() - index)
    }
}

impl State {
    fn initial(config: &ListenConfig) -> Self {
        match config.turn_detection {
            TurnDetection::Voice => Self::Quiet,
            TurnDetection::Manual => Self::Gathering { start: None },
        }
    }
}
