//! What each session has had of the device lately: pure logic, no clock, no thread.
//!
//! Device time is the one thing that sessions compete for, so it is what is counted, as Sheng et al., "Fairness in Serving Large Language Models"
//! (OSDI 2024) count tokens. Differs: what was had fades, so nobody pays for long for having been alone, and nobody saves up; a session that
//! comes new begins as the others stand on average, with half a part at most, and, where one of the same client has just left, with what that one had: so
//! leaving and coming back pays nothing, and nobody pays for somebody else. The one that comes may be there before the one that goes is known to have gone.

use std::time::Duration;

use crate::base::{ClientId, MediaTime};

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

/// Who comes so soon after a session of his was left, or before, has left the one for the other.
const RIGHT_BACK: Duration = Duration::from_secs(1);

/// Device time of each seat.
#[derive(Debug)]
pub(super) struct Usage {
    seats: Vec<Had>,
    /// What those had who have just left; no more than there are seats.
    gone: Vec<Had>,
}

#[derive(Debug, Clone, Default)]
struct Had {
    /// Seconds, as of `at`.
    seconds: f64,
    at: MediaTime,
    client: ClientId,
    /// When he came, or left, if it is not known yet what for.
    moved: Option<MediaTime>,
}

impl Had {
    fn of(&self, now: MediaTime) -> f64 {
        self.seconds * (-now.since(self.at).as_secs_f64() / LATELY.as_secs_f64()).exp()
    }

    /// When a session of this client came, or left, if that was just now.
    fn moved(&self, client: &ClientId, now: MediaTime) -> Option<MediaTime> {
        self.moved.filter(|at| self.client == *client && now.since(*at) < RIGHT_BACK)
    }
}

impl Usage {
    pub(super) fn new(seats: usize) -> Self {
        Self { seats: vec![Had::default(); seats], gone: Vec::new() }
    }

    /// A seat had the device for so long, up to `now`.
    pub(super) fn note(&mut self, seat: usize, took: Duration, now: MediaTime) {
        if let Some(had) = self.seats.get_mut(seat) {
            (had.seconds, had.at) = (had.of(now) + took.as_secs_f64(), now);
        }
    }

    /// Seconds of the device that a seat had lately; of all seats together no more than the time that counts.
    pub(super) fn of(&self, seat: usize, now: MediaTime) -> f64 {
        self.seats.get(seat).map_or(0.0, |had| had.of(now))
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
        let active = self.seats.iter().filter(|had| had.of(now) > ACTIVE).count().max(2);
        #[expect(clippy::cast_precision_loss, reason = "a number of seats")]
        let part = LATELY.as_secs_f64() / active as f64;
        part.max(LEAST_PART)
    }

    /// Whoever had the seat has left it.
    pub(super) fn leave(&mut self, seat: usize, now: MediaTime) {
        let Some(left) = self.seats.get_mut(seat).map(std::mem::take) else { return };
        let came = self.seats.iter_mut().filter_map(|had| Some((had.moved(&left.client, now)?, had)));
        if let Some((_, had)) = came.max_by_key(|(at, _)| *at) {
            (had.seconds, had.at, had.moved) = (had.of(now).max(left.of(now)), now, None);
            return;
        }
        self.gone.retain(|had| had.moved.is_some_and(|at| now.since(at) < RIGHT_BACK));
        self.gone.push(Had { moved: Some(now), ..left });
        if self.gone.len() > self.seats.len() {
            let least = |a: &usize, b: &usize| self.gone[*a].of(now).total_cmp(&self.gone[*b].of(now));
            if let Some(least) = (0..self.gone.len()).min_by(least) {
                self.gone.remove(least);
            }
        }
    }

    /// A session of this client sits down.
    pub(super) fn seat(&mut self, seat: usize, client: ClientId, now: MediaTime) {
        let before = self.gone.iter().rposition(|had| had.moved(&client, now).is_some());
        let own = before.map(|i| self.gone.remove(i).of(now));
        let most = self.part(now) / 2.0;
        let others = self.seats.iter().enumerate().filter(|(i, _)| *i != seat).map(|(_, had)| had.of(now));
        let others: Vec<f64> = others.filter(|seconds| *seconds > NOTHING).collect();
        #[expect(clippy::cast_precision_loss, reason = "a number of seats")]
        let average = others.iter().sum::<f64>() / others.len().max(1) as f64;
        if let Some(had) = self.seats.get_mut(seat) {
            let moved = own.is_none().then_some(now);
            *had = Had { seconds: own.unwrap_or_default().max(average.min(most)), at: now, client, moved };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> MediaTime {
        MediaTime::from_millis(ms)
    }

    fn client(number: u32) -> ClientId {
        ClientId::new(&number.to_string(), None)
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
        usage.seat(0, client(0), at(0));
        usage.seat(1, client(1), at(0));
        usage.note(0, Duration::from_secs(5), at(2_000));
        usage.note(1, Duration::from_millis(500), at(2_000));
        usage.seat(2, client(0), at(2_100));
        usage.seat(3, client(2), at(2_200));
        assert!(usage.of(2, at(2_200)) <= 2.0, "as anybody who comes new");
        usage.leave(0, at(2_400));
        assert!(usage.is_over(2, at(2_400)), "{}", usage.of(2, at(2_400)));
        assert!(usage.of(3, at(2_400)) <= 2.0, "somebody else who came just then pays nothing for it");
        assert_eq!(usage.of(0, at(2_400)), 0.0, "and nobody pays for it a second time");
        usage.leave(1, at(2_500));
        usage.seat(1, client(0), at(2_600));
        assert!(usage.of(1, at(2_600)) <= 2.0);
        let mut apart = Usage::new(2);
        apart.seat(0, client(0), at(0));
        apart.note(0, Duration::from_secs(5), at(0));
        apart.seat(1, client(0), at(0));
        apart.leave(0, at(1_500));
        assert!(!apart.is_over(1, at(1_500)), "who came long before has a session beside the other");
    }

    #[test]
    fn who_comes_new_begins_as_the_others_do_and_coming_back_pays_nothing() {
        let two = || {
            let mut usage = Usage::new(4);
            usage.seat(0, client(0), at(0));
            usage.seat(1, client(1), at(0));
            usage.note(0, Duration::from_secs(1), at(0));
            usage.note(1, Duration::from_secs(3), at(0));
            usage
        };
        let mut usage = two();
        usage.seat(2, client(2), at(0));
        assert_eq!(usage.of(2, at(0)), 2.0);
        let mut usage = two();
        usage.leave(1, at(1_500));
        usage.seat(1, client(2), at(1_500));
        assert!(usage.of(1, at(1_500)) < 1.0, "nobody pays for who had the seat before him");
        usage.seat(2, client(1), at(2_000));
        assert!(usage.of(2, at(2_000)) > 2.0, "a flood is no better after a new start, whichever seat it gets");
        usage.leave(2, at(2_000));
        usage.seat(2, client(1), at(4_000));
        assert!(usage.of(2, at(4_000)) < 1.0, "who comes later begins anew");
        let mut beside = Usage::new(2);
        beside.note(0, Duration::from_secs(7), at(0));
        beside.seat(1, client(1), at(0));
        assert_eq!(beside.of(1, at(0)), 2.0, "beside a flood nobody begins as one");
        let mut first = Usage::new(2);
        first.seat(0, client(0), at(5));
        assert_eq!(first.of(0, at(5)), 0.0);
    }

    #[test]
    fn of_those_who_have_gone_those_are_known_who_had_most() {
        let mut usage = Usage::new(2);
        for i in 0..40 {
            usage.seat(1, client(i), at(0));
            usage.note(1, Duration::from_millis(if i == 3 { 5_000 } else { 10 }), at(0));
            usage.leave(1, at(0));
        }
        assert_eq!(usage.gone.len(), 2);
        usage.seat(1, client(3), at(100));
        assert!(usage.is_over(1, at(100)));
    }
}
