//! Which frames are worth a look: a change gate against the last kept frame, a rate limit and a heartbeat.
//!
//! Floor 1. In: `RgbFrame` ≤ 30/s. Out: [`Verdict`], ≤ 2 kept/s by default. Loses: `Unchanged`, `RateLimited`, `Corrupt`.
//! The gate compares with the last *kept* frame, not with the frame before: a slow drift adds up until it passes. After a change, the first frame that
//! shows the same again passes, too.

use std::time::Duration;

use super::pixels::{Pixels, Thumb};
use crate::base::{LossReason, MediaTime, RgbFrame};

/// How eagerly frames are kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SamplerConfig {
    /// Least time between kept frames. Default 500 ms (2/s). Shorter costs perception time.
    pub min_interval: Duration,
    /// A frame is kept after this long even when nothing changed. Default 5 s. Longer lets facts grow stale.
    pub max_interval: Duration,
    /// Mean luma change that counts, `0.0..=1.0`. Default 0.02. Lower lets sensor noise through.
    pub mean_change: f32,
    /// Luma change of one patch that counts. Default 0.06.
    pub patch_change: f32,
    /// How many patches must change, of [`Thumb::PATCHES`]. Default 2: a hand at the edge, not one noisy patch.
    pub patches: usize,
    /// Whether the mean is looked at. Default true. With both gates off every frame passes that the rate allows: to measure what they are worth.
    pub by_luma: bool,
    /// Whether patches are looked at. Default true.
    pub by_patches: bool,
}

/// Why a frame was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Gate {
    /// The mean of its luma changed.
    Luma,
    /// Enough patches changed.
    Patches,
    /// What had changed is still again: the look before may have fallen into the movement.
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
            patch_change: 0.06,
            patches: 2,
            by_luma: true,
            by_patches: true,
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

/// Decides frame by frame. One per session.
#[derive(Debug)]
pub struct Sampler {
    config: SamplerConfig,
    kept: Option<(MediaTime, Thumb)>,
    forced: bool,
    kept_by: Gate,
}

impl Sampler {
    /// A sampler that has kept nothing yet: the first good frame passes.
    #[must_use]
    pub const fn new(config: SamplerConfig) -> Self {
        Self { config, kept: None, forced: false, kept_by: Gate::Due }
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

    /// Decides about `frame` at `now`. Under 1 ms for 640×480; the rate limit costs nothing.
    pub fn offer(&mut self, frame: &RgbFrame, now: MediaTime) -> Verdict {
        let age = self.kept.as_ref().map(|(at, _)| now.since(*at));
        if !self.forced && age.is_some_and(|a| a < self.config.min_interval) {
            return Verdict::Drop(LossReason::RateLimited);
        }
        let Some(pixels) = Pixels::of(frame) else {
            return Verdict::Drop(LossReason::Corrupt);
        };
        let thumb = Thumb::of(&pixels);
        let due = self.forced || age.is_none_or(|a| a >= self.config.max_interval);
        let changed = || self.kept.as_ref().and_then(|(_, k)| self.changed(&thumb, k));
        let settled = || matches!(self.kept_by, Gate::Luma | Gate::Patches).then_some(Gate::Settled);
        let passed = if due { Some(Gate::Due) } else { changed().or_else(settled) };
        let Some(gate) = passed else { return Verdict::Drop(LossReason::Unchanged) };
        self.kept_by = gate;
        self.forced = false;
        self.kept = Some((now, thumb));
        Verdict::Keep
    }

    /// The gate that lets it pass; the cheaper one is asked first.
    fn changed(&self, new: &Thumb, kept: &Thumb) -> Option<Gate> {
        let c = &self.config;
        if c.by_luma && new.difference(kept) >= c.mean_change {
            return Some(Gate::Luma);
        }
        if c.by_patches {
            let moved = new.patch_differences(kept, 0.0).into_iter().filter(|d| *d >= c.patch_change).count();
            return (moved >= c.patches.max(1)).then_some(Gate::Patches);
        }
        (!c.by_luma).then_some(Gate::Due)
    }
}

#[cfg(test)]
mod tests {
    use super::{Gate, Sampler, SamplerConfig, Verdict};
    use crate::base::{LossReason, MediaTime, RgbFrame};
    use crate::watch::testing::{blocks, flat, frame};

    fn offer(s: &mut Sampler, f: &RgbFrame, ms: u64) -> Verdict {
        s.offer(f, MediaTime::from_millis(ms))
    }

    #[test]
    fn a_static_scene_is_kept_once_and_then_only_by_the_heartbeat() {
        let mut s = Sampler::new(SamplerConfig::default());
        let f = blocks(1);
        let kept: Vec<u64> = (0..=1000).map(|i| i * 33).filter(|ms| offer(&mut s, &f, *ms) == Verdict::Keep).collect();
        assert_eq!(kept.len(), 7, "{kept:?}");
        assert!(kept.windows(2).all(|w| (5000..5100).contains(&(w[1] - w[0]))), "{kept:?}");
    }

    #[test]
    fn no_more_than_two_a_second_even_when_everything_changes() {
        let mut s = Sampler::new(SamplerConfig::default());
        let kept = (0..300_u32).filter(|i| offer(&mut s, &blocks(*i), u64::from(*i) * 33) == Verdict::Keep).count();
        assert!((18..=20).contains(&kept), "{kept} in 9.9 s");
    }

    #[test]
    fn what_moved_is_looked_at_once_more_when_it_is_still() {
        let mut s = Sampler::new(SamplerConfig::default());
        let shown: Vec<u64> = (0..=90)
            .map(|i| i * 100)
            .filter(|ms| {
                // Something moves from 2.0 to 2.9 s; what is there then stays.
                let scene = blocks(u32::try_from((*ms).clamp(1_900, 2_900) / 100).expect("small"));
                offer(&mut s, &scene, *ms) == Verdict::Keep
            })
            .collect();
        assert_eq!(shown, [0, 2_000, 2_500, 3_000, 3_500, 8_500]);
        assert_eq!(s.kept_by(), Gate::Due);
    }

    #[test]
    fn a_slow_drift_does_not_vanish() {
        let config = SamplerConfig { max_interval: std::time::Duration::from_secs(3600), ..SamplerConfig::default() };
        let mut s = Sampler::new(config);
        // One grey level a second: far below the gate from frame to frame.
        let kept =
            (0..60_u8).filter(|i| offer(&mut s, &flat(64, 48, [100 + i; 3]), u64::from(*i) * 1000) == Verdict::Keep);
        assert!(kept.count() >= 8);
    }

    #[test]
    fn a_small_thing_that_enters_passes_and_sensor_noise_does_not() {
        let base = |x: u32, y: u32| (x / 7 + y / 5) as u8 + 60;
        let still = frame(640, 480, |x, y| [base(x, y); 3]);
        let noisy = frame(640, 480, |x, y| [base(x, y) + ((x * 31 + y * 17) % 7) as u8; 3]);
        let hand = frame(640, 480, |x, y| if x > 560 && y > 400 { [230, 200, 180] } else { [base(x, y); 3] });
        let mut s = Sampler::new(SamplerConfig::default());
        assert_eq!(offer(&mut s, &still, 0), Verdict::Keep);
        assert_eq!(offer(&mut s, &noisy, 1000), Verdict::Drop(LossReason::Unchanged));
        assert_eq!(offer(&mut s, &hand, 2000), Verdict::Keep);
    }

    #[test]
    fn each_gate_can_be_switched_off_and_says_when_it_let_a_frame_pass() {
        let still = flat(640, 480, [100; 3]);
        let brighter = flat(640, 480, [130; 3]);
        let hand = frame(640, 480, |x, y| if x > 600 && y > 420 { [180; 3] } else { [100; 3] });
        let passes = |by_luma, by_patches, second: &RgbFrame| {
            let mut s = Sampler::new(SamplerConfig { by_luma, by_patches, ..SamplerConfig::default() });
            assert_eq!((offer(&mut s, &still, 0), s.kept_by()), (Verdict::Keep, Gate::Due));
            (offer(&mut s, second, 1_000) == Verdict::Keep).then(|| s.kept_by())
        };
        assert_eq!(passes(true, true, &brighter), Some(Gate::Luma));
        assert_eq!(passes(true, true, &hand), Some(Gate::Patches));
        assert_eq!(passes(true, false, &hand), None, "the mean hardly moves");
        assert_eq!(passes(false, true, &brighter), Some(Gate::Patches));
        assert_eq!(passes(true, true, &still), None);
        assert_eq!(passes(false, false, &still), Some(Gate::Due), "without any gate all pass that the rate allows");
    }

    #[test]
    fn a_pending_question_lets_exactly_one_frame_pass() {
        let mut s = Sampler::new(SamplerConfig::default());
        let f = blocks(1);
        assert_eq!(offer(&mut s, &f, 0), Verdict::Keep);
        s.force();
        assert_eq!(offer(&mut s, &f, 10), Verdict::Keep);
        assert_eq!(offer(&mut s, &f, 20), Verdict::Drop(LossReason::RateLimited));
    }

    #[test]
    fn a_broken_frame_is_named_and_does_not_use_up_the_force() {
        let mut s = Sampler::new(SamplerConfig::default());
        let mut bad = blocks(1);
        bad.height += 1;
        s.force();
        assert_eq!(offer(&mut s, &bad, 0), Verdict::Drop(LossReason::Corrupt));
        assert_eq!(offer(&mut s, &blocks(1), 1), Verdict::Keep);
    }
}
