//! Capture time of every sample, kept in order even when the sender's clock is not.

use std::time::Duration;

use crate::base::{MediaTime, Pcm};

/// Buffers this close to where they should be are joined: capture times are estimates and jitter by some milliseconds.
const TOLERANCE: Duration = Duration::from_millis(60);

/// How long `count` samples last, rounded down to microseconds.
pub(super) fn duration(count: usize) -> Duration {
    Duration::from_micros(count as u64 * 1_000_000 / u64::from(Pcm::RATE_HZ))
}

/// How many samples last `d`, at most as many as a `u32` can count: a gap may be of any length.
pub(super) fn samples(d: Duration) -> usize {
    let count = d.as_micros() * u128::from(Pcm::RATE_HZ) / 1_000_000;
    u32::try_from(count).unwrap_or(u32::MAX) as usize
}

/// How a buffer follows the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Without a break.
    Joined,
    /// This much is missing in between.
    Gap(Duration),
    /// The clock went back while nothing was being said.
    Moved,
}

/// Counts samples from an anchor, so that rounding does not add up.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    anchor: Option<MediaTime>,
    since: usize,
    /// The end of the last utterance given out: nothing may begin before it.
    floor: MediaTime,
}

impl Timeline {
    /// A buffer captured at `start` comes next. While something is `busy` being said, time only goes forward: a clock
    /// that jumps back is not followed until there is silence, and then not past an utterance already given out.
    pub(super) fn arrive(&mut self, start: MediaTime, busy: bool) -> Step {
        let wanted = start.max(self.floor);
        if self.anchor.is_none() {
            self.place(wanted);
            return Step::Joined;
        }
        let end = self.end();
        let ahead = wanted.since(end);
        if ahead > TOLERANCE {
            self.place(wanted);
            return Step::Gap(ahead);
        }
        if !busy {
            self.place(wanted);
            if end.since(start) > TOLERANCE {
                return Step::Moved;
            }
        }
        Step::Joined
    }

    /// `count` samples more.
    pub(super) fn advance(&mut self, count: usize) {
        self.since += count;
    }

    /// Capture time just after the newest sample.
    pub(super) fn end(&self) -> MediaTime {
        self.anchor.unwrap_or(self.floor) + duration(self.since)
    }

    /// Capture time `count` samples before the end, not before the floor.
    pub(super) fn back(&self, count: usize) -> MediaTime {
        self.end().saturating_sub(duration(count)).max(self.floor)
    }

    /// An utterance up to `end` was given out.
    pub(super) fn release(&mut self, end: MediaTime) {
        self.floor = self.floor.max(end);
    }

    fn place(&mut self, at: MediaTime) {
        self.anchor = Some(at);
        self.since = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Step, Timeline, duration, samples};
    use crate::base::MediaTime;

    #[test]
    fn counting_does_not_drift_and_jitter_is_joined() {
        let mut t = Timeline::default();
        assert_eq!(t.arrive(MediaTime::from_millis(5), true), Step::Joined);
        (0..3).for_each(|_| t.advance(1));
        (0..16_000 - 3).for_each(|_| t.advance(1));
        assert_eq!(t.end(), MediaTime::from_millis(1005));
        assert_eq!(t.arrive(MediaTime::from_millis(1025), true), Step::Joined);
        assert_eq!(t.end(), MediaTime::from_millis(1005));
    }

    #[test]
    fn a_clock_going_back_is_followed_in_silence_only_and_never_past_the_floor() {
        let mut t = Timeline::default();
        t.arrive(MediaTime::from_millis(5_000), true);
        assert_eq!(t.arrive(MediaTime::from_millis(1_000), true), Step::Joined);
        t.release(MediaTime::from_millis(4_000));
        assert_eq!(t.arrive(MediaTime::from_millis(1_000), false), Step::Moved);
        assert_eq!(t.end(), MediaTime::from_millis(4_000));
    }

    #[test]
    fn samples_and_durations_agree_and_never_overflow() {
        assert_eq!(samples(Duration::from_millis(300)), 4_800);
        assert_eq!(duration(640), Duration::from_millis(40));
        assert_eq!(samples(Duration::MAX), u32::MAX as usize);
    }
}
