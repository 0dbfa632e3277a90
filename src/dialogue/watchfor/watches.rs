//! One watch, and all of a session.

use std::time::Duration;

use super::holds::{Level, because, level};
use super::{Condition, Trigger, WatchError};
use crate::base::MediaTime;
use crate::watch::SceneFacts;

/// Most things that one session watches for at a time.
pub const MOST_WATCHES: usize = 8;

/// When a watch fires.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WatchConfig {
    /// Looks in a row in which it must hold, unless it is sure; against flicker of the detector.
    pub looks: u32,
    /// From this confidence on one look is enough, `0.0..=1.0`.
    pub sure: f32,
    /// Least time between two firings of a watch that repeats.
    pub every: Duration,
}

impl Default for WatchConfig {
    fn default() -> Self {
        Self { looks: 2, sure: 0.6, every: Duration::from_secs(10) }
    }
}

/// Something that was watched for happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Fired {
    /// The watch, after it fired.
    pub watch: Watch,
    /// What happened: `a cup came into view on the left`.
    pub because: String,
    /// Capture time of the look that decided.
    pub at: MediaTime,
}

/// Judges one condition on one look after another. Pure: time is an argument.
#[derive(Debug, Clone, PartialEq)]
pub struct Watch {
    id: String,
    condition: Condition,
    created: MediaTime,
    config: WatchConfig,
    fired: u32,
    last_fired: Option<MediaTime>,
    last_look: MediaTime,
    /// How many were there when it was last certain; `None` before that.
    settled: Option<u32>,
    /// A count that differs, and in how many looks in a row.
    differs: Option<(u32, u32)>,
}

impl Watch {
    /// Watches from `now` on, under the id `watch_1`.
    #[must_use]
    pub fn new(condition: Condition, now: MediaTime, config: WatchConfig) -> Self {
        let id = "watch_1".to_owned();
        Self {
            id,
            condition,
            created: now,
            config,
            fired: 0,
            last_fired: None,
            last_look: now,
            settled: None,
            differs: None,
        }
    }

    /// `watch_3`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What is watched for.
    #[must_use]
    pub const fn condition(&self) -> &Condition {
        &self.condition
    }

    /// Since when.
    #[must_use]
    pub const fn created(&self) -> MediaTime {
        self.created
    }

    /// How often it happened.
    #[must_use]
    pub const fn fired(&self) -> u32 {
        self.fired
    }

    /// Whether it ends when it has happened once.
    #[must_use]
    pub const fn once(&self) -> bool {
        !self.condition.repeats
    }

    /// Whether nothing more comes of it.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.once() && self.fired > 0
    }

    /// Judges a look; looks older than the one before are left out.
    pub fn see(&mut self, facts: &SceneFacts, now: MediaTime) -> Option<Fired> {
        if self.is_over() || now < self.last_look {
            return None;
        }
        let since = std::mem::replace(&mut self.last_look, now);
        let level = level(&self.condition.trigger, facts, since)?;
        let before = self.settled;
        if !self.settle(&level) {
            return None;
        }
        let already = before.is_none();
        if !self.fires(before, level.count) || self.last_fired.is_some_and(|at| now.since(at) < self.config.every) {
            return None;
        }
        self.fired += 1;
        self.last_fired = Some(now);
        let because = because(&self.condition.trigger, &level, already);
        Some(Fired { watch: self.clone(), because, at: now })
    }

    /// Takes over a count that has lasted or is sure; whether it did.
    fn settle(&mut self, level: &Level) -> bool {
        if self.settled == Some(level.count) {
            self.differs = None;
            return false;
        }
        let rises = self.settled.is_none_or(|s| level.count > s) && level.count > 0;
        // Looks that differ in the same direction count together: two people, then three, were both more than one.
        let before =
            self.differs.filter(|(count, _)| self.settled.map(|s| *count > s) == self.settled.map(|s| level.count > s));
        let before = before.filter(|(count, _)| self.settled.is_some() || (*count > 0) == (level.count > 0));
        let looks = before.map_or(0, |(_, looks)| looks) + 1;
        if looks >= self.config.looks || (rises && level.sure >= self.config.sure) {
            self.settled = Some(level.count);
            self.differs = None;
            return true;
        }
        self.differs = Some((level.count, looks));
        false
    }

    /// Whether going from one settled count to another is what is watched for.
    fn fires(&self, before: Option<u32>, count: u32) -> bool {
        match (&self.condition.trigger, before) {
            // Who asks for what can be seen wants to know when it can be seen already; who asks for a change wants the change.
            (
                Trigger::Visible(_) | Trigger::AtLeast(..) | Trigger::Reads(_) | Trigger::Moves(_) | Trigger::Changes,
                None,
            ) => count > 0,
            (Trigger::ComesNear(_), None) => count > 0,
            (Trigger::ComesIn(_) | Trigger::Leaves(_) | Trigger::Turns(..) | Trigger::Dark | Trigger::Bright, None) => {
                false
            }
            (Trigger::Leaves(what), Some(before)) if what == "someone" => count < before,
            (Trigger::Leaves(_), Some(before)) => before > 0 && count == 0,
            (Trigger::ComesIn(_), Some(before)) => count > before,
            (_, Some(before)) => before == 0 && count > 0,
        }
    }
}

/// All that a session watches for; at most [`MOST_WATCHES`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Watches {
    list: Vec<Watch>,
    made: u64,
    config: WatchConfig,
}

impl Watches {
    /// With another configuration than the usual.
    #[must_use]
    pub const fn new(config: WatchConfig) -> Self {
        Self { list: Vec::new(), made: 0, config }
    }

    /// Watches for one thing more.
    ///
    /// # Errors
    ///
    /// [`WatchError::TooMany`] when there are [`MOST_WATCHES`] already.
    pub fn create(&mut self, condition: Condition, now: MediaTime) -> Result<&Watch, WatchError> {
        if self.list.len() >= MOST_WATCHES {
            return Err(WatchError::TooMany(self.list.len()));
        }
        self.made += 1;
        let id = format!("watch_{}", self.made);
        self.list.push(Watch { id, ..Watch::new(condition, now, self.config) });
        Ok(&self.list[self.list.len() - 1])
    }

    /// Stops one and gives it back; `None` when nothing has that id.
    pub fn delete(&mut self, id: &str) -> Option<Watch> {
        let at = self.list.iter().position(|w| w.id == id)?;
        Some(self.list.remove(at))
    }

    /// All, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Watch> {
        self.list.iter()
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether nothing is watched for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Judges a look for all of them; those that are over are gone afterwards.
    pub fn see(&mut self, facts: &SceneFacts, now: MediaTime) -> Vec<Fired> {
        let fired = self.list.iter_mut().filter_map(|w| w.see(facts, now)).collect();
        self.list.retain(|w| !w.is_over());
        fired
    }
}
