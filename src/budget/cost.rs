//! What work on the device has cost lately, and how much of its time it takes.
//!
//! Mean and mean deviation follow RFC 6298 §2 (the round-trip estimator of TCP): a few samples are enough, an outlier fades, and what is
//! kept does not grow. Nothing here knows a clock.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::base::MediaTime;

/// A sort of work whose cost is followed, each with its own unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Work {
    /// Taking in a prompt, per token.
    Prefill,
    /// Writing an answer, per token.
    Decode,
    /// Recognising speech, per second of sound.
    Speech,
    /// A text to its vector, each.
    Embed,
    /// One expert's look at a picture, each.
    Look(&'static str),
}

impl Work {
    /// The label of metrics and logs.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Prefill => "prefill",
            Self::Decode => "decode",
            Self::Speech => "speech",
            Self::Embed => "embed",
            Self::Look(expert) => expert,
        }
    }
}

/// Seconds that one unit takes.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Cost {
    mean: f64,
    deviation: f64,
}

/// Weight of a new sample in the mean, and in the mean deviation.
const ALPHA: f64 = 1.0 / 8.0;
const BETA: f64 = 1.0 / 4.0;
/// Mean deviations above the mean that hardly any step takes longer than.
const MARGIN: f64 = 2.0;

impl Cost {
    const fn first(sample: f64) -> Self {
        Self { mean: sample, deviation: sample / 2.0 }
    }

    fn note(&mut self, sample: f64) {
        self.deviation += BETA * ((sample - self.mean).abs() - self.deviation);
        self.mean += ALPHA * (sample - self.mean);
    }
}

/// What each sort of work has cost lately.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CostModel(BTreeMap<Work, Cost>);

impl CostModel {
    /// `units` of `work` took so long. No units, or none that can be counted, say nothing.
    pub fn note(&mut self, work: Work, units: f64, took: Duration) {
        if !units.is_finite() || units <= 0.0 {
            return;
        }
        let sample = took.as_secs_f64() / units;
        self.0.entry(work).and_modify(|c| c.note(sample)).or_insert_with(|| Cost::first(sample));
    }

    /// What `units` of `work` will take, about. `None` when there was none of it yet.
    #[must_use]
    pub fn expect(&self, work: Work, units: f64) -> Option<Duration> {
        self.of(work, units, |c| c.mean)
    }

    /// What `units` of `work` will hardly take longer than.
    #[must_use]
    pub fn at_most(&self, work: Work, units: f64) -> Option<Duration> {
        self.of(work, units, |c| MARGIN.mul_add(c.deviation, c.mean))
    }

    fn of(&self, work: Work, units: f64, per_unit: impl Fn(&Cost) -> f64) -> Option<Duration> {
        let cost = self.0.get(&work)?;
        Duration::try_from_secs_f64(per_unit(cost) * units.max(0.0)).ok()
    }

    /// The dearest single look there is.
    #[must_use]
    pub fn dearest_look(&self) -> Option<Duration> {
        let looks = self.0.keys().filter(|w| matches!(w, Work::Look(_)));
        looks.filter_map(|w| self.expect(*w, 1.0)).max()
    }

    /// A look by every expert there is.
    #[must_use]
    pub fn look(&self) -> Duration {
        let looks = self.0.keys().filter(|w| matches!(w, Work::Look(_)));
        looks.filter_map(|w| self.expect(*w, 1.0)).sum()
    }

    /// Every sort of work there was, and what one unit of it takes.
    pub fn all(&self) -> impl Iterator<Item = (Work, Duration)> {
        self.0.iter().filter_map(|(work, c)| Some((*work, Duration::try_from_secs_f64(c.mean).ok()?)))
    }
}

/// How long the past counts for [`Share`].
pub const MEMORY_OF_LOAD: Duration = Duration::from_secs(30);

/// The share of time that something took lately: a sum that fades by 1/e in [`MEMORY_OF_LOAD`], so no timer is needed.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Share {
    /// Seconds, as of `at`.
    busy: f64,
    at: MediaTime,
}

impl Share {
    /// It took so long, up to `now`.
    pub fn add(&mut self, took: Duration, now: MediaTime) {
        self.busy = self.faded(now) + took.as_secs_f64();
        self.at = self.at.max(now);
    }

    /// The share as of `now`: 0 for nothing, 1 for all the time.
    #[must_use]
    pub fn at(&self, now: MediaTime) -> f64 {
        self.faded(now) / MEMORY_OF_LOAD.as_secs_f64()
    }

    fn faded(&self, now: MediaTime) -> f64 {
        self.busy * fade(now.since(self.at))
    }
}

/// What is left of 1 after so long.
pub(super) fn fade(passed: Duration) -> f64 {
    (-passed.as_secs_f64() / MEMORY_OF_LOAD.as_secs_f64()).exp()
}

/// What the device has learnt of itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ledger {
    /// What its work costs.
    pub costs: CostModel,
    /// Time taken by work that somebody waits for: speech, answers, what they need.
    pub urgent: Share,
    /// Time taken by all work.
    pub all: Share,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn at(n: u64) -> MediaTime {
        MediaTime::from_millis(n)
    }

    #[test]
    fn the_first_sample_is_believed_and_later_ones_move_it_slowly() {
        let mut costs = CostModel::default();
        assert_eq!(costs.expect(Work::Prefill, 32.0), None, "nothing is known before it was done once");
        costs.note(Work::Prefill, 32.0, ms(320));
        assert_eq!(costs.expect(Work::Prefill, 10.0), Some(ms(100)));
        costs.note(Work::Prefill, 10.0, ms(1_000));
        let after = costs.expect(Work::Prefill, 1.0).unwrap();
        assert!(after > ms(20) && after < ms(25), "one slow step of 100 ms a token is not the rule: {after:?}");
        for _ in 0..40 {
            costs.note(Work::Prefill, 1.0, ms(100));
        }
        assert!(costs.expect(Work::Prefill, 1.0).unwrap() > ms(95), "what lasts is learnt");
    }

    #[test]
    fn steady_work_has_a_narrow_margin_and_wild_work_a_wide_one() {
        let (mut steady, mut wild) = (CostModel::default(), CostModel::default());
        for i in 0..64 {
            steady.note(Work::Decode, 1.0, ms(50));
            wild.note(Work::Decode, 1.0, if i % 2 == 0 { ms(10) } else { ms(90) });
        }
        let margin = |c: &CostModel| c.at_most(Work::Decode, 1.0).unwrap() - c.expect(Work::Decode, 1.0).unwrap();
        assert!(margin(&steady) < ms(2), "{:?}", margin(&steady));
        assert!(margin(&wild) > ms(50), "{:?}", margin(&wild));
    }

    #[test]
    fn experts_are_followed_one_by_one_and_the_dearest_is_known() {
        let mut costs = CostModel::default();
        assert_eq!(costs.dearest_look(), None);
        costs.note(Work::Look("detector"), 1.0, ms(40));
        costs.note(Work::Look("ocr"), 1.0, ms(150));
        costs.note(Work::Speech, 1.0, ms(900));
        assert_eq!(costs.dearest_look(), Some(ms(150)));
        assert_eq!(costs.all().map(|(w, _)| w.label()).collect::<Vec<_>>(), ["speech", "detector", "ocr"]);
    }

    #[test]
    fn a_share_rises_to_what_is_taken_and_falls_when_it_stops() {
        let mut share = Share::default();
        for i in 1..=1_200 {
            share.add(ms(50), at(i * 100));
        }
        assert!((share.at(at(120_000)) - 0.5).abs() < 0.03, "{}", share.at(at(120_000)));
        assert!(share.at(at(150_000)) < 0.2);
        assert!(share.at(at(600_000)) < 0.001);
    }

    #[test]
    fn units_that_are_none_say_nothing() {
        let mut costs = CostModel::default();
        for units in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            costs.note(Work::Speech, units, ms(10));
        }
        assert_eq!(costs, CostModel::default());
    }

    proptest! {
        /// Whatever was measured, an estimate lies within what was measured, and the bound is not below it.
        #[test]
        fn estimates_stay_within_what_was_seen(took in prop::collection::vec(0_u64..100_000, 1..60)) {
            let mut costs = CostModel::default();
            for t in &took {
                costs.note(Work::Embed, 1.0, Duration::from_micros(*t));
            }
            let (least, most) = (*took.iter().min().unwrap(), *took.iter().max().unwrap());
            let got = costs.expect(Work::Embed, 1.0).unwrap();
            prop_assert!(got + Duration::from_micros(1) >= Duration::from_micros(least));
            prop_assert!(got <= Duration::from_micros(most + 1));
            prop_assert!(costs.at_most(Work::Embed, 1.0).unwrap() >= got);
        }

        #[test]
        fn a_share_of_steps_that_do_not_overlap_is_never_above_one_for_long(steps in prop::collection::vec((1_u64..2_000, 0_u64..2_000), 1..100)) {
            let (mut share, mut now) = (Share::default(), 0);
            for (took, idle) in steps {
                now += took;
                share.add(ms(took), at(now));
                // The step itself is added whole at its end: at most 2 s of the 30 s that count.
                prop_assert!(share.at(at(now)) <= 1.0 + 2.0 / 30.0);
                now += idle;
            }
        }
    }
}
