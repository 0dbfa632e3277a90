//! Time as a value. Nothing below `app.rs` reads an ambient clock; whoever needs the time holds a [`Clock`] or is handed `now`.

use std::fmt;
use std::ops::Add;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A point on the process's one monotonic clock, in microseconds since start-up. Capture, arrival and answer times all use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MediaTime(u64);

impl MediaTime {
    /// Start-up.
    pub const ZERO: Self = Self(0);

    /// From microseconds since start-up.
    #[must_use]
    pub const fn from_micros(us: u64) -> Self {
        Self(us)
    }

    /// From milliseconds since start-up.
    #[must_use]
    pub const fn from_millis(ms: u64) -> Self {
        Self(ms * 1_000)
    }

    /// Microseconds since start-up.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Whole milliseconds since start-up.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000
    }

    /// Time passed since `earlier`; zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// This point less `d`, not before start-up.
    #[must_use]
    pub fn saturating_sub(self, d: Duration) -> Self {
        Self(self.0.saturating_sub(micros(d)))
    }
}

fn micros(d: Duration) -> u64 {
    u64::try_from(d.as_micros()).unwrap_or(u64::MAX)
}

impl Add<Duration> for MediaTime {
    type Output = Self;
    fn add(self, d: Duration) -> Self {
        Self(self.0.saturating_add(micros(d)))
    }
}

impl fmt::Display for MediaTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = self.0 / 1_000_000;
        write!(f, "{:02}:{:02}:{:02}.{:03}", s / 3600, s / 60 % 60, s % 60, self.0 / 1_000 % 1_000)
    }
}

/// Where the time comes from. `app::SystemClock` is the real one.
pub trait Clock: Send + Sync {
    /// The current point; never goes backwards.
    fn now(&self) -> MediaTime;
}

/// A clock that moves only when told to: tests and file playback.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// Moves forward by `d`.
    pub fn advance(&self, d: Duration) {
        self.0.fetch_add(micros(d), Ordering::SeqCst);
    }

    /// Moves to `t` if that is later.
    pub fn advance_to(&self, t: MediaTime) {
        self.0.fetch_max(t.0, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> MediaTime {
        MediaTime(self.0.load(Ordering::SeqCst))
    }
}
