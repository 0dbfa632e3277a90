//! What the size of a coded picture says before anything of it is scaled and converted: that nothing moved.
//!
//! Floor 1. In: time stamps and sizes of coded pictures. Out: whether one is worth converting. Loses: `RateLimited`, `Unchanged`.

use std::time::Duration;

use crate::base::LossReason;

/// A picture that builds on the one before and takes no more bits than this for a hundred pixels repeats it: macroblocks are skipped whole, which costs each a fraction of a
/// bit. Noise of a sensor, a cut or a hand take ten times as many.
const QUIET_BITS: u64 = 2;

/// Where nothing moves a picture still passes this often: what is told of it must not be older, and movement is read from one to the next.
const QUIET: Duration = Duration::from_millis(350);

/// Whether a coded picture says that nothing moved. `pixels` is 0 where its size is not known.
#[must_use]
pub const fn is_quiet(bytes: usize, keyframe: bool, pixels: u64) -> bool {
    !keyframe && (bytes as u64).saturating_mul(8 * 100) <= pixels.saturating_mul(QUIET_BITS)
}

/// Lets as many pictures pass as somebody compares, and fewer where nothing moves. One per stream.
#[derive(Debug)]
pub struct Valve {
    interval_us: u64,
    by_size: bool,
    /// Time stamp from which on the next picture passes.
    due_us: u64,
    passed_us: Option<u64>,
}

impl Valve {
    /// At most one picture in `interval`; with `by_size`, fewer of those that say that nothing moved.
    #[must_use]
    pub fn new(interval: Duration, by_size: bool) -> Self {
        let interval_us = u64::try_from(interval.as_micros()).unwrap_or(u64::MAX);
        Self { interval_us, by_size, due_us: 0, passed_us: None }
    }

    /// Whether the picture with this time stamp passes. Costs nothing.
    ///
    /// # Errors
    /// Why it does not: `RateLimited`, or `Unchanged` where its size says so.
    pub fn offer(&mut self, at_us: u64, quiet: bool) -> Result<(), LossReason> {
        if at_us < self.due_us {
            return Err(LossReason::RateLimited);
        }
        let quiet_us = u64::try_from(QUIET.as_micros()).unwrap_or(u64::MAX);
        if self.by_size && quiet && self.passed_us.is_some_and(|at| at_us.saturating_sub(at) < quiet_us) {
            return Err(LossReason::Unchanged);
        }
        // From the time that was due, so that the rate is kept where it is no multiple of the camera's; from the picture after a gap.
        let from_us = if at_us - self.due_us < self.interval_us { self.due_us } else { at_us };
        self.due_us = from_us.saturating_add(self.interval_us);
        self.passed_us = Some(at_us);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Valve, is_quiet};
    use crate::base::LossReason;

    /// Of a second and a half at 30 pictures a second, those that pass, in milliseconds.
    fn passed(by_size: bool, quiet: impl Fn(u64) -> bool) -> Vec<u64> {
        let mut valve = Valve::new(Duration::from_millis(100), by_size);
        (0..45).map(|i| i * 1000 / 30).filter(|ms| valve.offer(ms * 1000, quiet(*ms)).is_ok()).collect()
    }

    #[test]
    fn where_nothing_moves_fewer_pass_and_what_moves_passes_at_once() {
        assert_eq!(passed(false, |_| true).len(), 15);
        assert_eq!(passed(true, |_| false).len(), 15);
        let still = passed(true, |_| true);
        assert!((4..=5).contains(&still.len()) && still.windows(2).all(|w| w[1] - w[0] < 400), "{still:?}");
        // Something moves from 700 ms on: from its first picture all pass that the rate allows.
        let moved = passed(true, |ms| ms < 700);
        assert!(moved.contains(&700) && moved.iter().filter(|ms| **ms >= 700).count() == 8, "{moved:?}");
    }

    #[test]
    fn what_does_not_pass_says_why() {
        let mut valve = Valve::new(Duration::from_millis(100), true);
        assert_eq!(valve.offer(0, true), Ok(()));
        assert_eq!(valve.offer(50_000, false), Err(LossReason::RateLimited));
        assert_eq!(valve.offer(200_000, true), Err(LossReason::Unchanged));
        assert_eq!(valve.offer(200_000, false), Ok(()), "time stamps may repeat; a picture that moves passes");
    }

    #[test]
    fn only_small_pictures_that_build_on_others_are_quiet() {
        let pixels = 640 * 480;
        assert!(is_quiet(200, false, pixels) && is_quiet(768, false, pixels));
        assert!(!is_quiet(769, false, pixels) && !is_quiet(10_000, false, pixels));
        assert!(!is_quiet(200, true, pixels), "a keyframe builds on nothing");
        assert!(!is_quiet(1, false, 0), "of a picture of unknown size nothing is known");
        assert!(!is_quiet(usize::MAX, false, u64::MAX / 1_000));
    }
}
