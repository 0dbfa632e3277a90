//! How the picture was shortly before: movement is told over a fixed time, so that it does not depend on how many frames come.
//!
//! Floor 1. In: what was compared, and when. Out: what moved, how far and how fast the camera turned. Loses: nothing.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::{APART, STEP, STRIDE};
use crate::base::MediaTime;
use crate::watch::change::Glance;

/// Frames that are kept; a fifth of a second has five of those that are compared.
const MOST: usize = 8;

/// The frames that were compared in about the last fifth of a second, the newest last.
#[derive(Debug)]
pub(super) struct Trail(VecDeque<Point>);

#[derive(Debug)]
struct Point {
    at: MediaTime,
    glance: Arc<Glance>,
    /// How far the camera turned from the point before to this one.
    turned: (f32, f32),
}

/// What a frame is to those before it.
#[derive(Debug, Default)]
pub(super) struct Step {
    /// Differences by patch from how it was [`STEP`] before; none where nothing is known of then.
    pub(super) moved: Vec<f32>,
    /// How far the camera turned since the frame before, in widths and heights.
    pub(super) turned: (f32, f32),
    /// How fast it turned over the last [`STRIDE`], in widths or heights a second, whichever is more.
    pub(super) speed: f32,
}

impl Trail {
    pub(super) const fn new() -> Self {
        Self(VecDeque::new())
    }

    /// Time since the frame before; nothing where there is none.
    pub(super) fn age(&self, now: MediaTime) -> Option<Duration> {
        self.0.back().map(|last| now.since(last.at))
    }

    /// Compares `new`, taken at `now`, and keeps it.
    pub(super) fn follow(&mut self, new: &Arc<Glance>, now: MediaTime) -> Step {
        // After a gap, or when time was set back, what was before says nothing of movement.
        if self.0.back().is_some_and(|last| now < last.at || now.since(last.at) > APART) {
            self.0.clear();
        }
        let step = self.step(new, now).unwrap_or_default();
        while self.0.len() >= MOST || self.0.get(1).is_some_and(|second| now.since(second.at) >= STRIDE) {
            self.0.pop_front();
        }
        self.0.push_back(Point { at: now, glance: Arc::clone(new), turned: step.turned });
        step
    }

    fn step(&self, new: &Glance, now: MediaTime) -> Option<Step> {
        let turned = new.displaced(&self.0.back()?.glance);
        let (near, far) = (self.near(STEP, now)?, self.near(STRIDE, now)?);
        let add = |sum: (f32, f32), point: &Point| (sum.0 + point.turned.0, sum.1 + point.turned.1);
        let way = self.0.iter().skip(far + 1).fold(turned, add);
        let seconds = now.since(self.0[far].at).as_secs_f32().max(1e-3);
        let speed = way.0.abs().max(way.1.abs()) / seconds;
        Some(Step { moved: new.beyond(&self.0[near].glance), turned, speed })
    }

    /// Which of those kept is nearest to `ago` before `now`.
    fn near(&self, ago: Duration, now: MediaTime) -> Option<usize> {
        (0..self.0.len()).min_by_key(|i| now.since(self.0[*i].at).abs_diff(ago))
    }
}
