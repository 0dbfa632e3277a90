//! Which access units may enter a video decoder: only from a keyframe on, never after a hole, never into a full queue.
//!
//! Pure: the decision and the time are arguments. Loses: `NoKeyframe`, `DecoderBehind`.

use std::time::Duration;

use crate::base::{LossReason, MediaTime};

/// At most one keyframe request in this time (RFC 4585 leaves the rate to the receiver; an encoder answers one per round trip at best).
const REQUEST_INTERVAL: Duration = Duration::from_secs(1);

/// Holds back what cannot be decoded.
#[derive(Debug)]
pub(super) struct Gate {
    /// Set while units are dropped up to the next keyframe: why.
    waiting: Option<LossReason>,
    last_request: Option<MediaTime>,
}

/// What the gate needs to know of one unit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    pub(super) keyframe: bool,
    pub(super) contiguous: bool,
    /// The decoder's input queue has no room.
    pub(super) full: bool,
}

impl Gate {
    pub(super) const fn new() -> Self {
        Self { waiting: Some(LossReason::NoKeyframe), last_request: None }
    }

    /// `Ok`: feed it. `Err`: drop it for this reason.
    pub(super) fn admit(&mut self, unit: Facts) -> Result<(), LossReason> {
        if unit.full {
            self.waiting = Some(LossReason::DecoderBehind);
            return Err(LossReason::DecoderBehind);
        }
        if unit.keyframe {
            self.waiting = None;
            return Ok(());
        }
        if !unit.contiguous && self.waiting.is_none() {
            self.waiting = Some(LossReason::NoKeyframe);
        }
        self.waiting.map_or(Ok(()), Err)
    }

    /// The decoder lost its state: nothing more until a keyframe.
    pub(super) fn lose(&mut self) {
        self.waiting.get_or_insert(LossReason::NoKeyframe);
    }

    /// Whether to ask for a keyframe now. `silent`: the decoder swallows units and shows nothing, so it waits for one itself.
    pub(super) fn request_due(&mut self, silent: bool, now: MediaTime) -> bool {
        let due =
            (silent || self.waiting.is_some()) && self.last_request.is_none_or(|t| now.since(t) >= REQUEST_INTERVAL);
        if due {
            self.last_request = Some(now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Facts, Gate, LossReason, MediaTime};

    const KEY: Facts = Facts { keyframe: true, contiguous: true, full: false };
    const DELTA: Facts = Facts { keyframe: false, contiguous: true, full: false };

    #[test]
    fn nothing_passes_before_the_first_keyframe() {
        let mut gate = Gate::new();
        assert_eq!(gate.admit(DELTA), Err(LossReason::NoKeyframe));
        assert_eq!(gate.admit(KEY), Ok(()));
        assert_eq!(gate.admit(DELTA), Ok(()));
    }

    #[test]
    fn a_full_queue_drops_up_to_the_next_keyframe_that_finds_room() {
        let mut gate = Gate::new();
        gate.admit(KEY).unwrap();
        for unit in [Facts { full: true, ..DELTA }, DELTA, Facts { full: true, ..KEY }, DELTA] {
            assert_eq!(gate.admit(unit), Err(LossReason::DecoderBehind));
        }
        assert_eq!(gate.admit(KEY), Ok(()));
    }

    #[test]
    fn requests_are_at_most_one_a_second_and_only_while_waiting() {
        let mut gate = Gate::new();
        let asked: Vec<u64> =
            (0..3_000).step_by(33).filter(|ms| gate.request_due(false, MediaTime::from_millis(*ms))).collect();
        assert_eq!(asked.len(), 3, "{asked:?}");
        gate.admit(KEY).unwrap();
        assert!(!gate.request_due(false, MediaTime::from_millis(60_000)));
        assert!(gate.request_due(true, MediaTime::from_millis(60_000)));
    }

    proptest! {
        #[test]
        fn after_a_hole_or_a_drop_the_next_unit_fed_is_a_keyframe(units in prop::collection::vec((any::<bool>(), any::<bool>(), any::<bool>()), 1..100)) {
            let (mut gate, mut whole) = (Gate::new(), false);
            for (keyframe, contiguous, full) in units {
                let fed = gate.admit(Facts { keyframe, contiguous, full }).is_ok();
                whole = keyframe || (whole && contiguous);
                prop_assert!(!fed || whole);
                whole &= fed;
            }
        }
    }
}
