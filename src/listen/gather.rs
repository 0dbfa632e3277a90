//! Sound that the client commits itself: what of it is worth reading before it does. Positions are samples from the oldest that is held.

use std::time::Duration;

use super::timeline::samples;

/// New speech between two readings of what has been said so far: a word or two.
pub(super) const SO_FAR_EVERY: Duration = Duration::from_millis(480);
/// Long speech costs more to read, so it is read less often: whenever it has grown by a part in this many.
pub(super) const SO_FAR_SHARE: usize = 8;

/// What was heard of speech in it.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// End of the last voiced frame; 0 before the first.
    voiced: usize,
    /// Whether the newest frame was one.
    sounding: bool,
    /// Voiced samples that no reading has had.
    fresh: usize,
    /// The last voiced frame of what was read in a pause.
    whole: usize,
}

impl Gathered {
    /// The frame that ends at `at` has been judged: `p` is the probability of speech. To go on it takes less than to begin.
    pub(super) fn hear(&mut self, p: f32, (start, stop): (f32, f32), frame: usize, at: usize) {
        self.sounding = p >= if self.sounding { stop } else { start };
        if self.sounding {
            self.voiced = at;
            self.fresh += frame;
        }
    }

    /// The oldest `count` samples go.
    pub(super) fn drop_oldest(&mut self, count: usize) {
        self.voiced = self.voiced.saturating_sub(count);
        self.whole = self.whole.saturating_sub(count);
    }

    /// Up to where it is worth reading now, and whether that is all that was said: each time that a word or two came, and once in each pause.
    pub(super) fn so_far(&mut self, judged: usize, padding: usize) -> Option<(usize, bool)> {
        let end = self.voiced + padding;
        if !self.sounding && self.voiced > self.whole && judged >= end {
            (self.fresh, self.whole) = (0, self.voiced);
            return Some((end, true));
        }
        if self.sounding && self.fresh >= samples(SO_FAR_EVERY).max(judged / SO_FAR_SHARE) {
            self.fresh = 0;
            return Some((judged, false));
        }
        None
    }

    /// End of the last voiced frame.
    pub(super) const fn voiced(&self) -> usize {
        self.voiced
    }

    /// Up to where it was read in a pause that goes on: a commit now needs no other reading.
    pub(super) fn known(&self, padding: usize) -> Option<usize> {
        (self.voiced > 0 && self.voiced == self.whole && !self.sounding).then_some(self.voiced + padding)
    }
}
