//! The process's clocks.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::base::{Clock, MediaTime};

/// The one clock of a server: monotonic, zero at start-up.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// Starts the clock.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one clock")]
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }
}

/// Unix time at the zero of `clock`, in milliseconds: what turns the process's times into dates. Asked once, so a wall clock that is set
/// later moves nothing.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one place that asks for the date")]
pub fn unix_ms_at_zero(clock: &dyn Clock) -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
    now.saturating_sub(i64::try_from(clock.now().as_millis()).unwrap_or(0))
}

impl Clock for SystemClock {
    fn now(&self) -> MediaTime {
        MediaTime::ZERO + Duration::from_micros(u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX))
    }
}

/// A clock for recordings: it stands still between pictures, however long they take to look at, and runs once the question is asked.
/// So a recording is watched as it was filmed, and answers are timed as they are given.
#[derive(Debug)]
pub struct ReplayClock {
    system: SystemClock,
    state: Mutex<Replay>,
}

#[derive(Debug, Clone, Copy)]
enum Replay {
    Paused(MediaTime),
    Running { from: MediaTime, since: MediaTime },
}

impl ReplayClock {
    /// A clock that stands at zero.
    #[must_use]
    pub fn paused() -> Self {
        Self { system: SystemClock::start(), state: Mutex::new(Replay::Paused(MediaTime::ZERO)) }
    }

    /// Moves to `t` if that is later; does nothing once the clock runs.
    pub fn advance_to(&self, t: MediaTime) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Replay::Paused(now) = &mut *state {
            *now = (*now).max(t);
        }
    }

    /// Lets the clock run from where it stands.
    pub fn run(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Replay::Paused(from) = *state {
            *state = Replay::Running { from, since: self.system.now() };
        }
    }
}

impl Clock for ReplayClock {
    fn now(&self) -> MediaTime {
        match *self.state.lock().unwrap_or_else(PoisonError::into_inner) {
            Replay::Paused(now) => now,
            Replay::Running { from, since } => from + self.system.now().since(since),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replay_clock_stands_until_it_is_let_run_and_never_goes_back() {
        let clock = ReplayClock::paused();
        clock.advance_to(MediaTime::from_millis(500));
        clock.advance_to(MediaTime::from_millis(200));
        assert_eq!(clock.now(), MediaTime::from_millis(500));
        clock.run();
        let first = clock.now();
        assert!(first >= MediaTime::from_millis(500));
        clock.advance_to(MediaTime::from_millis(900_000));
        assert!(clock.now() < MediaTime::from_millis(900_000) && clock.now() >= first);
    }
}
