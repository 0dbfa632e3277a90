//! What a voice sounds like beside its surroundings: how near, how loud, with a pitch or without.
//!
//! A person at the microphone is about as loud as they were when they last spoke; a television is farther away. A cough is loud, but it is
//! noise: it has no pitch.

use std::time::Duration;

use super::level::{SILENCE_DBFS, dbfs};
use super::timeline::duration;
use crate::base::MediaTime;

/// Quieter than the person's usual voice by more than this, in decibels, is somebody or something else. A television is 15 dB and more below; its loudest syllables are 6 dB above its average.
const FARTHER_DB: f32 = 8.0;
/// The same while our own voice is taken out of the sound: what the canceller takes with it, up to 12 dB of a voice over an equally loud echo.
const FARTHER_CLEANED_DB: f32 = 16.0;
/// Over the noise by this much is near, as long as the person's own voice is not known.
const OVER_NOISE_DB: f32 = 10.0;
/// Nothing closer to the noise than this is near, however loud the person is.
const LEAST_OVER_NOISE_DB: f32 = 5.0;
/// What the envelope falls by in each frame: the quiet parts of a word belong to it.
const FALL_DB: f32 = 1.0;
/// The noise floor rises by this in each frame, and falls at once.
const FLOOR_RISE_DB: f32 = 0.03;
/// The same for telling whether the person still speaks, who may fall silent within a word's end.
const QUICK_FALL_DB: f32 = 3.0;
/// Voice after which it is known how loud the person speaks in this utterance.
const KNOWN_AFTER: u32 = 20;
/// Voice comes in stretches; a pause of this length ends one.
const PAUSE: Duration = Duration::from_millis(480);
/// Correlation with itself one period later from which sound has a pitch.
const PITCHED: f32 = 0.5;
/// Periods looked for, in samples at 16 kHz: 500 Hz down to 64 Hz.
const SHORTEST: usize = 32;
const LONGEST: usize = 250;
/// Samples compared.
const WINDOW: usize = 256;
/// Samples that the search for a pitch takes.
pub(super) const PITCH_SAMPLES: usize = WINDOW + LONGEST;
/// Near voice between two early readings of the words.
const READ_EVERY: Duration = Duration::from_millis(240);
/// Silence after which the words are read at once: what was said was short.
const READ_AFTER_SILENCE: Duration = Duration::from_millis(112);

/// What can be told by ear of a stretch of near voice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Evidence {
    /// Capture time of its first near frame.
    pub onset: MediaTime,
    /// Capture time just after the newest frame.
    pub at: MediaTime,
    /// Near voice in it, pauses left out.
    pub near: Duration,
    /// Of it, with a pitch.
    pub pitched: Duration,
    /// Time since its last near frame.
    pub silent: Duration,
}

/// Follows the loudness of one microphone and the stretch of voice that goes on. Constant memory.
#[derive(Debug)]
pub(super) struct Voicing {
    /// The person's own voice, in dBFS, once they have spoken.
    usual: Option<f32>,
    floor: f32,
    envelope: f32,
    quick: f32,
    stretch: Option<Evidence>,
    /// Near voice when the words were last read.
    read: Duration,
    /// Sum and number of the envelope over the voiced frames of the utterance that goes on.
    spoken: (f32, u32),
    /// Voices that come now may not be the person's: an answer is under way.
    guarded: bool,
    /// Our own voice is being taken out of the sound.
    cleaned: bool,
}

impl Default for Voicing {
    fn default() -> Self {
        Self {
            usual: None,
            floor: 0.0,
            envelope: SILENCE_DBFS,
            quick: SILENCE_DBFS,
            stretch: None,
            read: Duration::ZERO,
            spoken: (0.0, 0),
            guarded: false,
            cleaned: false,
        }
    }
}

impl Voicing {
    /// Hears one frame, the last `frame` samples of `sound`; those before it only help to find a pitch. `at` is its end.
    pub(super) fn hear(&mut self, sound: &[f32], frame: usize, voiced: bool, at: MediaTime) {
        let length = duration(frame);
        let level = dbfs(&sound[sound.len() - frame.min(sound.len())..]);
        self.floor = level.clamp(-80.0, self.floor + FLOOR_RISE_DB);
        self.envelope = level.max(self.envelope - FALL_DB);
        self.quick = level.max(self.quick - QUICK_FALL_DB);
        if voiced {
            self.spoken = (self.spoken.0 + self.envelope, self.spoken.1 + 1);
        }
        if voiced && self.is_near() {
            let pitched = if has_pitch(sound) { length } else { Duration::ZERO };
            let onset = at.saturating_sub(length);
            let new = Evidence { onset, at, near: Duration::ZERO, pitched: Duration::ZERO, silent: Duration::ZERO };
            let stretch = self.stretch.get_or_insert(new);
            *stretch = Evidence {
                at,
                near: stretch.near + length,
                pitched: stretch.pitched + pitched,
                silent: Duration::ZERO,
                ..*stretch
            };
        } else if let Some(stretch) = &mut self.stretch {
            (stretch.at, stretch.silent) = (at, stretch.silent + length);
            if stretch.silent > PAUSE {
                (self.stretch, self.read) = (None, Duration::ZERO);
            }
        }
    }

    /// Whether the newest frame, which is to be heard next, may be of the person who has been speaking: it is not quieter than they were by
    /// `farther` decibels. Behind a person there may be a television.
    pub(super) fn may_be_theirs(&self, frame: &[f32], farther: f32) -> bool {
        #[allow(clippy::cast_precision_loss, reason = "an utterance has few frames")]
        let usual = self.spoken.0 / self.spoken.1.max(1) as f32;
        self.spoken.1 < KNOWN_AFTER || dbfs(frame).max(self.quick - QUICK_FALL_DB) >= usual - farther
    }

    /// The stretch of near voice that goes on; it lasts a little into the silence after it.
    pub(super) const fn evidence(&self) -> Option<Evidence> {
        self.stretch
    }

    /// Whether it is time to have the words of the stretch read, although it may go on: once for every answer of yes.
    pub(super) fn worth_reading(&mut self) -> bool {
        let Some(stretch) = self.stretch else { return false };
        let unread = stretch.near.saturating_sub(self.read);
        let due = unread >= READ_EVERY || (unread >= READ_EVERY / 4 && stretch.silent >= READ_AFTER_SILENCE);
        if due {
            self.read = stretch.near;
        }
        due
    }

    /// Whether an answer is under way. What is heard then says nothing about the person's own voice.
    pub(super) const fn guard(&mut self, on: bool) {
        self.guarded = on;
        self.spoken = (0.0, 0);
    }

    /// Whether our own voice is being taken out of what is heard.
    pub(super) const fn cleaned(&mut self, on: bool) {
        self.cleaned = on;
    }

    /// An utterance ended: the person's own voice is as loud as that, more or less. A louder voice counts more than a quieter one.
    pub(super) fn learn(&mut self) {
        let (sum, count) = std::mem::take(&mut self.spoken);
        if self.guarded || count == 0 {
            return;
        }
        #[allow(clippy::cast_precision_loss, reason = "an utterance has few frames")]
        let level = sum / count as f32;
        self.usual = Some(match self.usual {
            None => level,
            Some(usual) => usual + (level - usual) * if level > usual { 0.5 } else { 0.2 },
        });
    }

    /// The sound broke off, or the clock jumped.
    pub(super) const fn forget(&mut self) {
        self.stretch = None;
        self.read = Duration::ZERO;
        self.spoken = (0.0, 0);
    }

    fn is_near(&self) -> bool {
        let over_noise = self.envelope - self.floor;
        let farther = if self.cleaned { FARTHER_CLEANED_DB } else { FARTHER_DB };
        match self.usual {
            Some(usual) => self.envelope >= usual - farther && over_noise >= LEAST_OVER_NOISE_DB,
            None => over_noise >= OVER_NOISE_DB,
        }
    }
}

/// Whether `sound` repeats itself after some period of a voice: the normalised autocorrelation of its newest 16 ms.
fn has_pitch(sound: &[f32]) -> bool {
    let Some(from) = sound.len().checked_sub(PITCH_SAMPLES) else { return false };
    let sound = &sound[from..];
    let newest = &sound[LONGEST..];
    let energy = |s: &[f32]| s.iter().map(|v| v * v).sum::<f32>();
    let own = energy(newest);
    if own <= 1e-9 {
        return false;
    }
    (SHORTEST..=LONGEST).any(|lag| {
        let earlier = &sound[LONGEST - lag..LONGEST - lag + WINDOW];
        let product: f32 = newest.iter().zip(earlier).map(|(a, b)| a * b).sum();
        product > PITCHED * (own * energy(earlier)).sqrt()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: usize = 256;

    /// A voice: a buzz of 120 Hz with overtones.
    fn buzz(level: f32, n: usize) -> Vec<f32> {
        let tone = |k: f32, i: usize| (k * 120.0 * std::f32::consts::TAU * i as f32 / 16_000.0).sin() / k;
        (0..n).map(|i| level * (tone(1.0, i) + tone(2.0, i) + tone(3.0, i))).collect()
    }

    fn hiss(level: f32, n: usize) -> Vec<f32> {
        use rand::{Rng, SeedableRng};
        let mut rng = rand::rngs::StdRng::seed_from_u64(3);
        (0..n).map(|_| rng.random_range(-level..level)).collect()
    }

    fn hear(v: &mut Voicing, sound: &[f32], voiced: bool, from_ms: u64) {
        for end in (FRAME..=sound.len()).step_by(FRAME) {
            let at = MediaTime::from_millis(from_ms) + duration(end);
            v.hear(&sound[end.saturating_sub(PITCH_SAMPLES)..end], FRAME, voiced, at);
        }
    }

    #[test]
    fn a_voice_has_a_pitch_and_a_cough_has_none() {
        let mut v = Voicing::default();
        hear(&mut v, &hiss(0.001, 16_000), false, 0);
        hear(&mut v, &buzz(0.1, 8_000), true, 1_000);
        let voice = v.evidence().expect("near");
        assert!(voice.pitched * 10 >= voice.near * 9, "{voice:?}");
        assert_eq!(voice.onset.as_millis(), 1_000);
        v.forget();
        hear(&mut v, &hiss(0.3, 8_000), true, 2_000);
        let cough = v.evidence().expect("near");
        assert!(cough.pitched * 10 <= cough.near, "{cough:?}");
    }

    #[test]
    fn a_voice_far_below_the_persons_own_is_not_near_and_a_raised_one_is() {
        let mut v = Voicing::default();
        hear(&mut v, &hiss(0.0005, 16_000), false, 0);
        hear(&mut v, &buzz(0.1, 16_000), true, 1_000);
        v.learn();
        v.forget();
        v.guard(true);
        hear(&mut v, &hiss(0.0005, 16_000), false, 2_000);
        hear(&mut v, &buzz(0.1 * 0.178, 16_000), true, 3_000); // -15 dB
        assert_eq!(v.evidence(), None, "a television");
        v.learn();
        hear(&mut v, &buzz(0.08, 4_800), true, 4_000);
        assert!(v.evidence().expect("near").near >= Duration::from_millis(280));
        assert!(v.worth_reading() && !v.worth_reading());
    }

    #[test]
    fn a_pause_ends_a_stretch() {
        let mut v = Voicing::default();
        hear(&mut v, &hiss(0.0005, 16_000), false, 0);
        hear(&mut v, &buzz(0.1, 4_096), true, 1_000);
        hear(&mut v, &hiss(0.0005, 6_400), false, 1_256);
        assert!(v.evidence().expect("the silence after it").silent >= Duration::from_millis(380));
        hear(&mut v, &hiss(0.0005, 6_400), false, 1_656);
        assert_eq!(v.evidence(), None);
    }
}
