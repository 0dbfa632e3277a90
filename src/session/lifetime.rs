//! When a session that may not last for ever ends, and when its clients are told that it will.

use std::time::Duration;

use crate::base::MediaTime;

/// How long before the end clients are told.
const NOTICE: Duration = Duration::from_secs(60);
/// Nobody is told earlier: the first client has to come in first.
const SETTLE: Duration = Duration::from_secs(1);

/// The end of a session. Pure: it is asked, it waits for nothing.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Lifetime {
    ends: Option<MediaTime>,
    /// When clients are told; `None`: they were.
    tell: Option<MediaTime>,
}

/// What the time has come for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// To tell that it ends before long.
    Notice {
        /// Until the end.
        left: Duration,
    },
    /// To end.
    End,
}

impl Lifetime {
    /// From `now`, for as long as `most` says; without it for ever.
    pub(super) fn new(now: MediaTime, most: Option<Duration>) -> Self {
        let ends = most.map(|most| now + most);
        Self { ends, tell: ends.map(|ends| ends.saturating_sub(NOTICE).max(now + SETTLE)) }
    }

    /// When something is due; `None`: never.
    pub(super) fn deadline(&self) -> Option<MediaTime> {
        self.ends.into_iter().chain(self.tell).min()
    }

    /// What is due, once each.
    pub(super) fn due(&mut self, now: MediaTime) -> Option<Due> {
        let left = self.ends?.since(now);
        if left.is_zero() {
            *self = Self::default();
            return Some(Due::End);
        }
        if self.tell? > now {
            return None;
        }
        self.tell = None;
        Some(Due::Notice { left })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> MediaTime {
        MediaTime::from_millis(seconds * 1_000)
    }

    #[test]
    fn it_tells_once_a_minute_before_and_ends_once() {
        let mut life = Lifetime::new(at(10), Some(Duration::from_secs(100)));
        assert_eq!(life.deadline(), Some(at(50)));
        assert_eq!(life.due(at(49)), None);
        assert_eq!(life.due(at(50)), Some(Due::Notice { left: NOTICE }));
        assert_eq!((life.due(at(51)), life.deadline()), (None, Some(at(110))));
        assert_eq!(life.due(at(110)), Some(Due::End));
        assert_eq!((life.due(at(111)), life.deadline()), (None, None));
    }

    #[test]
    fn a_short_one_is_told_of_soon_and_one_without_limit_never() {
        let mut short = Lifetime::new(at(0), Some(Duration::from_secs(5)));
        assert_eq!((short.deadline(), short.due(at(0))), (Some(at(1)), None), "somebody has to be there to be told");
        assert_eq!(short.due(at(1)), Some(Due::Notice { left: Duration::from_secs(4) }));
        let mut shorter = Lifetime::new(at(0), Some(Duration::from_millis(500)));
        assert_eq!(shorter.due(at(1)), Some(Due::End));
        let mut free = Lifetime::new(at(0), None);
        assert_eq!((free.deadline(), free.due(at(99_999))), (None, None));
    }
}
