//! Which frames are worth a look: what changed since the last kept frame, whether it still moves, a rate limit and a heartbeat.
//!
//! Floor 1. In: [`Picture`]s ≤ 30/s. Out: [`Verdict`], ≤ 2 kept/s by default. Loses: `Unchanged`, `Moving`, `RateLimited`, `Corrupt`.
//! The gates compare with the last *kept* frame, not with the frame before: a slow drift adds up until it passes. What trembles is no change
//! ([`super::change`]). What moves is told from how it was a tenth and a fifth of a second before, however many frames lie between ([`trail`]). While something moves, its picture is soon out of date and often blurred: the look is put off until it is still again, the camera
//! has turned by a fifth of the picture, or it went on for too long.

mod trail;

use std::sync::Arc;
use std::time::Duration;

use self::trail::{Step, Trail};
use super::change::Glance;
use super::picture::Picture;
use super::pixels::Thumb;
use crate::base::{LossReason, MediaTime};

/// How eagerly frames are kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SamplerConfig {
    /// Least time between kept frames. Default 500 ms (2/s). Shorter costs perception time.
    pub min_interval: Duration,
    /// A frame is kept after this long even when little changed, and after twice this long when nothing did. Default 5 s. Longer lets facts grow stale.
    pub max_interval: Duration,
    /// Mean luma change that counts, `0.0..=1.0`. Default 0.02. Lower lets sensor noise through.
    pub mean_change: f32,
    /// Luma change of one patch that counts. Default 0.03.
    pub patch_change: f32,
    /// How many patches must change, of [`Thumb::PATCHES`]. Default 24, an eighth of the picture.
    pub patches: usize,
    /// Luma change of one patch of which two are enough: a hand at the edge, not a noisy patch. Default 0.1.
    pub clear_change: f32,
    /// Whether the mean is looked at. Default true. With this and the patches off every frame passes that the rate allows: to measure what they are worth.
    pub by_luma: bool,
    /// Whether patches are looked at. Default true.
    pub by_patches: bool,
    /// Whether a look waits for the end of a movement. Default true. Without it what changed is looked at at once, and once more when it is still.
    pub by_motion: bool,
}

/// Why a frame was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Gate {
    /// The mean of its luma changed.
    Luma,
    /// Enough patches changed.
    Patches,
    /// It changed and still moves: the camera turned on, or it went on for long.
    Motion,
    /// What had changed is still again: the look before may have fallen into the movement, or was put off for it.
    Settled,
    /// It was due: the first, long after the one before, or a question waits. Or no gate was on.
    Due,
}

impl Gate {
    /// The label of metrics, and the name in the configuration.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Luma => "luma",
            Self::Patches => "patches",
            Self::Motion => "motion",
            Self::Settled => "settled",
            Self::Due => "due",
        }
    }
}

impl Default for SamplerConfig {
    fn default() -> Self {
        Self {
            min_interval: Duration::from_millis(500),
            max_interval: Duration::from_secs(5),
            mean_change: 0.02,
            patch_change: 0.03,
            patches: 24,
            clear_change: 0.1,
            by_luma: true,
            by_patches: true,
            by_motion: true,
        }
    }
}

/// What becomes of an offered frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Worth a look.
    Keep,
    /// Not worth one, and why.
    Drop(LossReason),
}

/// Frames nearer than this are not compared. Less than the distance of two of 15 a second: of those, as many are passed on as are wanted, not evenly spaced.
const COMPARED: Duration = Duration::from_millis(45);
/// Frames further apart than this say nothing of movement: they are pictures, one by one.
const APART: Duration = Duration::from_millis(400);
/// Whether something moves is told from the frame that is nearest to this before. Somewhat above a tenth of a second, so that of frames 67 and 133 ms back it is the latter.
const STEP: Duration = Duration::from_millis(110);
/// Whether the camera turns, likewise: a tremble goes to and fro, and in this time turns nowhere. Somewhat below a fifth, so that of frames 133 and 267 ms back it is the former.
const STRIDE: Duration = Duration::from_millis(190);
/// Patches that may change in a step in a picture that is still.
const STILL: usize = 8;
/// So few patches that changed since the last look are nothing.
const NOTHING: usize = 4;
/// Turning slower than this is a tremble, faster than that a throw; widths or heights of the picture a second.
const TURNING: (f32, f32) = (0.055, 0.47);
/// Turned by this part of the picture, a camera shows something new.
const TURNED: f32 = 0.2;
/// A movement that goes on for this long is looked at all the same.
const LONGEST: Duration = Duration::from_millis(1_500);
/// What changed in a small part waits so long for another look.
const SMALL: Duration = Duration::from_secs(1);

/// Decides frame by frame. One per session.
#[derive(Debug)]
pub struct Sampler {
    config: SamplerConfig,
    kept: Option<(MediaTime, Arc<Glance>)>,
    trail: Trail,
    /// Turned since the last look.
    turned: (f32, f32),
    /// Since when it is other than at the last look.
    other: Option<MediaTime>,
    forced: bool,
    kept_by: Gate,
}

/// What a comparison found.
#[derive(Debug, Clone, Copy)]
struct Found {
    /// What changed since the last look, by the gate that says so.
    changed: Option<Gate>,
    /// It changed in a small part only.
    small: bool,
    /// Hardly anything changed.
    nothing: bool,
    /// Nothing moves.
    still: bool,
    /// The camera turns, not too fast to see.
    turning: bool,
}

impl Sampler {
    /// A sampler that has kept nothing yet: the first good frame passes.
    #[must_use]
    pub const fn new(config: SamplerConfig) -> Self {
        let (turned, kept_by) = ((0.0, 0.0), Gate::Due);
        Self { config, kept: None, trail: Trail::new(), turned, other: None, forced: false, kept_by }
    }

    /// The next good frame passes whatever it shows: a question is waiting for the present.
    pub const fn force(&mut self) {
        self.forced = true;
    }

    /// Changes the frame rate (the degradation ladder), keeping what is known of the last frame.
    pub const fn set_min_interval(&mut self, interval: Duration) {
        self.config.min_interval = interval;
    }

    /// Why the last frame that was kept was kept.
    #[must_use]
    pub const fn kept_by(&self) -> Gate {
        self.kept_by
    }

    /// Whether the newest frame is other than the last kept one: a look at it was put off.
    #[must_use]
    pub const fn behind(&self) -> bool {
        self.other.is_some()
    }

    /// Decides about `picture` at `now`. Under 1 ms; the rate limit costs nothing.
    pub fn offer(&mut self, picture: &Picture, now: MediaTime) -> Verdict {
        let least = COMPARED.min(self.config.min_interval);
        if !self.forced && self.trail.age(now).is_some_and(|age| age < least) {
            return Verdict::Drop(LossReason::RateLimited);
        }
        let Some(glance) = picture.glance() else {
            return Verdict::Drop(LossReason::Corrupt);
        };
        let step = self.trail.follow(glance, now);
        let verdict = self.judge(glance, &step, now);
        if let Ok(gate) = verdict {
            self.kept_by = gate;
            self.forced = false;
            self.other = None;
            self.turned = (0.0, 0.0);
            self.kept = Some((now, Arc::clone(glance)));
        }
        verdict.map_or_else(Verdict::Drop, |_| Verdict::Keep)
    }

    /// The gate that lets it pass, or why none does.
    fn judge(&mut self, new: &Glance, step: &Step, now: MediaTime) -> Result<Gate, LossReason> {
        self.turned = (self.turned.0 + step.turned.0, self.turned.1 + step.turned.1);
        let Some(found) = self.compare(new, step) else { return Ok(Gate::Due) };
        let c = self.config;
        let age = self.kept.as_ref().map_or(Duration::MAX, |(at, _)| now.since(*at));
        let since = self.note(found.changed.is_some(), now);
        if self.forced || age >= c.max_interval * if found.nothing { 2 } else { 1 } {
            return Ok(Gate::Due);
        }
        if age < c.min_interval {
            return Err(LossReason::RateLimited);
        }
        if !(c.by_luma || c.by_patches) {
            return Ok(Gate::Due);
        }
        let Some(gate) = found.changed else {
            let again = !c.by_motion && matches!(self.kept_by, Gate::Luma | Gate::Patches);
            return if again { Ok(Gate::Settled) } else { Err(LossReason::Unchanged) };
        };
        if !c.by_motion {
            return Ok(gate);
        }
        if found.still {
            let due = !found.small || age >= SMALL;
            let gate = if since.is_zero() { gate } else { Gate::Settled };
            return if due { Ok(gate) } else { Err(LossReason::RateLimited) };
        }
        let turned = self.turned.0.abs().max(self.turned.1.abs()) >= TURNED;
        if found.turning && turned || since >= LONGEST { Ok(Gate::Motion) } else { Err(LossReason::Moving) }
    }

    /// Since when it is other than at the last look; nothing where it is not.
    fn note(&mut self, other: bool, now: MediaTime) -> Duration {
        self.other = other.then(|| self.other.unwrap_or(now));
        self.other.map_or(Duration::ZERO, |at| now.since(at))
    }

    /// Compares with the last kept frame.
    fn compare(&self, new: &Glance, step: &Step) -> Option<Found> {
        let (_, kept) = self.kept.as_ref()?;
        let c = &self.config;
        let over = |differences: &[f32], least: f32| differences.iter().filter(|d| **d >= least).count();
        let other = new.beyond(kept);
        let (changed, clear) = (over(&other, c.patch_change), over(&other, c.clear_change) >= 2);
        let small = changed < c.patches.max(1);
        #[expect(clippy::cast_precision_loss, reason = "a small constant")]
        let mean = other.iter().sum::<f32>() / Thumb::PATCHES as f32;
        let gate = if c.by_luma && mean >= c.mean_change {
            Some(Gate::Luma)
        } else {
            (c.by_patches && (!small || clear)).then_some(Gate::Patches)
        };
        let still = over(&step.moved, c.patch_change) <= STILL && step.speed < TURNING.0;
        Some(Found { changed: gate, small, nothing: changed < NOTHING, still, turning: step.speed < TURNING.1 })
    }
}

#[cfg(test)]
mod tests;
