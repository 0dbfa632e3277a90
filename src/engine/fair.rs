//! What each session has had of the device lately: pure logic, no clock, no thread.
//!
//! Device time is the one thing that sessions compete for, so it is what is counted, as Sheng et al., "Fairness in Serving Large Language Models"
//! (OSDI 2024) count tokens. Differs: what was had fades, so nobody pays for long for having been alone, and nobody saves up; a session that
//! comes new begins as the others stand on average, with half a part at most, and, where it comes right after the one before it in its seat, with
//! what that one had: it is taken for the same, so that leaving and coming back pays nothing, and nobody else pays for who left long ago. So is who sits down
//! elsewhere right before a seat is left: who comes back does so before the server has noticed that he had gone.

use std::time::Duration;

use crate::base::MediaTime;

/// What was had fades by 1/e in this time: long enough to tell a talker from a flood over the pause between two questions.
const LATELY: Duration = Duration::from_secs(8);
/// Times its part.
const CLEARLY: f64 = 1.25;
/// Who had less takes no part, seconds.
const ACTIVE: f64 = 0.25;
/// However many they are, who had less than three eighths of the device does not flood it, seconds.
const LEAST_PART: f64 = 3.0;
/// Less is nothing, seconds.
const NOTHING: f64 = 0.001;

/// Who takes a seat so soon after it was left, or any so soon before, is taken for the one that left it.
const RIGHT_BACK: Duration = Duration::from_secs(1);

/// Device time of each seat.
#[derive(Debug)]
pub(super) struct Usage(Vec<Had>);

#[derive(Debug, Clone, Copy, Default)]
struct Had {
    /// Seconds, as of `at`.
    seconds: f64,
    at: MediaTime,
    /// When the last one left.
    left: Option<MediaTime>,
    /// When who has it sat down, if he was not taken for somebody else since.
    sat: Option<MediaTime>,
}

impl Had {
    fn of(self, now: MediaTime) -> f64 {
        self.seconds * (-now.since(self.at).as_secs_f64() / LATELY.as_secs_f64()).exp()
    }
}

impl Usage {
    pub(super) fn new(seats: usize) -> Self {
        Self(vec![Had::default(); seats])
    }

    /// A seat had the device for so long, up to `now`.
    pub(super) fn note(&mut self, seat: usize, took: Duration, now: MediaTime) {
        if let Some(had) = self.0.get_mut(seat) {
            *had = Had { seconds: had.of(now) + took.as_secs_f64(), at: now, ..*had };
        }
    }

    /// Seconds of the device that a seat had lately; of all seats together no more than the time that counts.
    pub(super) fn of(&self, seat: usize, now: MediaTime) -> f64 {
        self.0.get(seat).map_or(0.0, |had| had.of(now))
    }

    /// Whether a seat had more than its part.
    pub(super) fn is_over(&self, seat: usize, now: MediaTime) -> bool {
        self.of(seat, now) > self.part(now)
    }

    /// Whether a seat, of so many that are taken, had clearly more than would be its part if one more came: it is late by its own doing.
    pub(super) fn hogs(&self, seat: usize, taken: usize, now: MediaTime) -> bool {
        #[expect(clippy::cast_precision_loss, reason = "a number of seats")]
        let part = LATELY.as_secs_f64() / (taken + 1) as f64;
        self.of(seat, now) > CLEARLY * part
    }

    /// Seconds that are one session's part, of those that had the device lately.
    pub(super) fn part(&self, now: MediaTime) -> f64 {
        let active = self.0.iter().filter(|had| had.of(now) > ACTIVE).count().max(2);
        #[expect(clippy::cast_precision_loss, reason = "a number of seats")]
        let part = LATELY.as_secs_f64() / active as f64;
        part.max(LEAST_PART)
    }

    /// Whoever had the seat has left it.
    pub(super) fn leave(&mut self, seat: usize, now: MediaTime) {
        let came = |had: &Had| had.sat.filter(|sat| now.since(*sat) < RIGHT_BACK);
        let others = self.0.iter().enumerate().filter(|(i, _)| *i != seat);
        let newest = others.filter_map(|(i, had)| Some((came(had)?, i))).max().map(|(_, i)| i);
        let Some(had) = self.0.get_mut(seat) else { return };
        match newest {
            Some(newest) => {
                let all = std::mem::take(had).of(now);
                let had = &mut self.0[newest];
                *had = Had { seconds: had.of(now).max(all), at: now, left: None, sat: None };
            }
            None => (had.left, had.sat) = (Some(now), None),
        }
    }

    /// Somebody new sits down.
    pub(super) fn seat(&mut self, seat: usize, now: MediaTime) {
        let most = self.part(now) / 2.0;
        let others = self.0.iter().enumerate().filter(|(i, _)| *i != seat).map(|(_, had)| had.of(now));
        let others: Vec<f64> = others.filter(|seconds| *seconds > NOTHING).collect();
        #[expect(clippy::cast_precision_loss, reason = "a number of seats")]
        let average = others.iter().sum::<f64>() / others.len().max(1) as f64;
        if let Some(had) = self.0.get_mut(seat) {
            let own = had.left.filter(|left| now.since(*left) < RIGHT_BACK).map_or(0.0, |_| had.of(now));
            *had = Had { seconds: own.max(average.min(most)), at: now, left: None, sat: Some(now) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> MediaTime {
        MediaTime::from_millis(ms)
    }

    #[test]
    fn what_was_had_fades_and_stays_within_the_time_that_counts() {
        let mut usage = Usage::new(2);
        for i in 1..=1_000 {
            usage.note(0, Duration::from_millis(100), at(i * 100));
        }
        let all = usage.of(0, at(100_000));
        assert!(all > 7.5 && all < 8.5, "{all}");
        assert!(usage.of(0, at(130_000)) < 0.2);
        assert_eq!((usage.of(1, at(0)), usage.of(9, at(0))), (0.0, 0.0), "a seat that is not there had nothing");
        usage.note(9, Duration::from_secs(1), at(0));
    }

    #[test]
    fn who_hogs_had_more_than_its_part_beside_one_more() {
        let mut usage = Usage::new(4);
        usage.note(0, Duration::from_millis(5_200), at(0));
        usage.note(1, Duration::from_millis(1_400), at(0));
        assert!(usage.hogs(0, 1, at(0)) && usage.hogs(0, 4, at(0)));
        assert!(!usage.hogs(1, 4, at(0)), "four that are busy alike do not");
        assert!(!usage.hogs(0, 1, at(4_000)), "nor who did once");
    }

    #[test]
    fn a_part_is_half_for_one_or_two_and_less_for_more_but_not_ever_less() {
        let mut usage = Usage::new(4);
        assert_eq!(usage.part(at(0)), 4.0);
        for seat in 0..4 {
            usage.note(seat, Duration::from_millis(300), at(0));
        }
        assert_eq!(usage.part(at(0)), 3.0);
        assert_eq!(usage.part(at(10_000)), 4.0, "who is silent takes no part");
    }

    #[test]
    fn who_sits_down_elsewhere_right_before_leaving_takes_along_what_he_had_and_nobody_does_twice() {
        let mut usage = Usage::new(4);
        usage.note(0, Duration::from_secs(5), at(0));
        usage.note(1, Duration::from_millis(500), at(0));
        usage.seat(2, at(100));
        assert!(usage.of(2, at(100)) <= 2.0, "as anybody who comes new");
        usage.leave(0, at(400));
        assert!(usage.is_over(2, at(400)), "{}", usage.of(2, at(400)));
        assert_eq!(usage.of(0, at(400)), 0.0, "and nobody pays for it a second time");
        usage.leave(1, at(500));
        usage.seat(1, at(600));
        assert!(usage.of(1, at(600)) <= 2.0);
        let mut apart = Usage::new(2);
        apart.note(0, Duration::from_secs(5), at(0));
        apart.seat(1, at(0));
        apart.leave(0, at(1_500));
        assert!(!apart.is_over(1, at(1_500)), "who came long before is somebody else");
    }

    #[test]
    fn who_comes_new_begins_as_the_others_do_and_coming_back_pays_nothing() {
        let mut usage = Usage::new(4);
        usage.note(0, Duration::from_secs(1), at(0));
        usage.note(1, Duration::from_secs(3), at(0));
        usage.seat(2, at(0));
        assert_eq!(usage.of(2, at(0)), 2.0);
        let mut usage = Usage::new(4);
        usage.note(0, Duration::from_secs(1), at(0));
        usage.note(1, Duration::from_secs(3), at(0));
        usage.leave(1, at(0));
        usage.seat(1, at(0));
        assert_eq!(usage.of(1, at(0)), 3.0, "the seat of a flood is no better after a new start");
        usage.leave(1, at(0));
        usage.seat(1, at(2_000));
        assert!(usage.of(1, at(2_000)) < 2.0, "but who comes later is somebody else");
        let mut beside = Usage::new(2);
        beside.note(0, Duration::from_secs(7), at(0));
        beside.seat(1, at(0));
        assert_eq!(beside.of(1, at(0)), 2.0, "beside a flood nobody begins as one");
        let mut first = Usage::new(2);
        first.seat(0, at(5));
        assert_eq!(first.of(0, at(5)), 0.0);
    }
}
