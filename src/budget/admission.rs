//! Whether one more session fits, by what work costs and how much of it there is.
//!
//! Each session is taken to ask what a conversation asks ([`Demand`]) until its own load has shown itself in the device's time; what is
//! assumed fades as fast as what is learnt comes in ([`super::cost::MEMORY_OF_LOAD`]), and a silent session keeps a part of it. A turn that finds the
//! device busy for a share ρ of the time takes 1/(1 − ρ) of what it takes alone (M/G/1 with processor sharing, Kleinrock 1967), and one look
//! more, which is not broken off.

use std::time::Duration;

use super::cost::{Ledger, MEMORY_OF_LOAD, Work, fade};
use super::timing::Deadlines;
use crate::base::MediaTime;

/// What a conversation asks of the device, as long as nothing better is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Demand {
    /// Turns in a minute.
    pub turns_per_minute: f64,
    /// Seconds of speech in a turn.
    pub speech_s: f64,
    /// Prompt tokens of a turn that are not in the cache.
    pub prompt_tokens: f64,
    /// Tokens of an answer.
    pub answer_tokens: f64,
}

impl Default for Demand {
    fn default() -> Self {
        Self { turns_per_minute: 3.0, speech_s: 3.0, prompt_tokens: 64.0, answer_tokens: 40.0 }
    }
}

/// Rules of admission.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdmissionConfig {
    /// Share of the device's time that work somebody waits for may take, `0..=1`. Default 0.85.
    pub most_load: f64,
    /// What a new session is taken to ask.
    pub demand: Demand,
}

impl Default for AdmissionConfig {
    fn default() -> Self {
        Self { most_load: 0.85, demand: Demand::default() }
    }
}

/// Part of its demand that a session is taken to ask even when it has been silent: it may begin to talk at any time.
const SILENT: f64 = 0.25;
/// Where the budget cannot be met even alone: how much longer than alone a turn may become.
const WORSE: f64 = 2.0;
/// Bounds of what a refused client is told to wait.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// What is expected of the device with one session more.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Forecast {
    /// Share of its time that is taken by work somebody waits for.
    pub load: f64,
    /// End of turn → first token; `None` when nothing is known of the costs.
    pub turn: Option<Duration>,
    /// The same for a session that has the device to itself.
    pub alone: Option<Duration>,
    /// What the two stages may take together.
    pub budget: Duration,
    /// Part of the load that the new session is taken to ask for.
    pub share: f64,
}

/// Why a session is refused.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Refusal {
    /// What was expected with it.
    pub forecast: Forecast,
    /// When it may fit, if those that are there go on as now.
    pub retry_after: Duration,
}

/// Decides who is let in. One for the device.
#[derive(Debug, Clone)]
pub struct Admission {
    config: AdmissionConfig,
    budget: Duration,
    /// Load assumed of sessions that are young, as of `at`.
    assumed: f64,
    at: MediaTime,
}

impl Admission {
    /// Nobody was let in yet. Of the deadlines those of the stages after the end of a turn count: what comes before does not need the device.
    #[must_use]
    pub fn new(config: AdmissionConfig, deadlines: &Deadlines) -> Self {
        let budget = deadlines.asr + deadlines.first_token;
        Self { config, budget, assumed: 0.0, at: MediaTime::ZERO }
    }

    /// Lets one more in beside `sessions`, or says why not. The first is always let in: refusing everybody would help nobody.
    ///
    /// # Errors
    /// [`Refusal`]: the device would be too busy, or turns too late.
    pub fn ask(&mut self, ledger: &Ledger, sessions: usize, now: MediaTime) -> Result<Forecast, Refusal> {
        if sessions == 0 {
            // Whatever is left of the load is of those who have gone.
            self.assumed = 0.0;
        }
        let forecast = self.outlook(ledger, sessions, now);
        if sessions > 0 && !self.fits(&forecast) {
            return Err(Refusal { forecast, retry_after: self.retry_after(ledger, sessions, now) });
        }
        self.assumed = self.faded(now) + forecast.share;
        self.at = now;
        Ok(forecast)
    }

    /// What a session is expected to find that comes now, without letting it in.
    #[must_use]
    pub fn outlook(&self, ledger: &Ledger, sessions: usize, now: MediaTime) -> Forecast {
        let one = self.demand(ledger);
        let load = self.load(ledger, sessions, now, one) + one;
        let d = self.config.demand;
        let stages = [(Work::Speech, d.speech_s), (Work::Prefill, d.prompt_tokens), (Work::Decode, 1.0)];
        let known = stages.iter().filter_map(|(work, units)| ledger.costs.expect(*work, *units));
        let alone = known.reduce(|a, b| a + b);
        let look = ledger.costs.dearest_look().unwrap_or_default();
        // The newcomer's own demand is part of the load, as it is of what others find.
        let slower = 1.0 / (1.0 - load).max(0.01);
        Forecast { load, alone, turn: alone.map(|t| t.mul_f64(slower) + look), budget: self.budget, share: one }
    }

    /// Somebody who was let in at `since`, for a load of `share`, is gone: what is still assumed of it is no more.
    pub fn leave(&mut self, share: f64, since: MediaTime, now: MediaTime) {
        self.assumed = (self.faded(now) - share * fade(now.since(since))).max(0.0);
        self.at = now;
    }

    /// Device time that one session asks for, per second.
    fn demand(&self, ledger: &Ledger) -> f64 {
        let d = self.config.demand;
        let cost = |work, units| ledger.costs.expect(work, units).unwrap_or_default();
        let turn = cost(Work::Speech, d.speech_s)
            + cost(Work::Prefill, d.prompt_tokens)
            + cost(Work::Decode, d.answer_tokens)
            + cost(Work::Embed, 1.0);
        turn.as_secs_f64() * d.turns_per_minute / 60.0
    }

    fn load(&self, ledger: &Ledger, sessions: usize, now: MediaTime, one: f64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a number of sessions")]
        let silent = one * SILENT * sessions as f64;
        ledger.urgent.at(now).max(silent) + self.faded(now)
    }

    /// What is left by now of the load of those who were let in.
    fn faded(&self, now: MediaTime) -> f64 {
        self.assumed * fade(now.since(self.at))
    }

    fn fits(&self, forecast: &Forecast) -> bool {
        if forecast.load > self.config.most_load {
            return false;
        }
        let (Some(turn), Some(alone)) = (forecast.turn, forecast.alone) else { return true };
        turn <= forecast.budget.max(alone.mul_f64(WORSE))
    }

    /// Load fades by itself once nobody asks for anything; what silent sessions keep of it does not. The wait until it has faded enough.
    fn retry_after(&self, ledger: &Ledger, sessions: usize, now: MediaTime) -> Duration {
        let mut wait = RETRY.0;
        while wait < RETRY.1 {
            if self.fits(&self.outlook(ledger, sessions, now + wait)) {
                return wait;
            }
            wait += Duration::from_secs(1);
        }
        // Somebody has to go first, which nobody can know; meanwhile what is learnt may change.
        MEMORY_OF_LOAD.clamp(RETRY.0, RETRY.1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn at(s: u64) -> MediaTime {
        MediaTime::from_millis(s * 1_000)
    }

    /// Two cores and the default models: a turn asks for 0.2 + 0.2 + 1.2 s, three times a minute.
    fn ledger() -> Ledger {
        let mut ledger = Ledger::default();
        for _ in 0..8 {
            ledger.costs.note(Work::Speech, 3.0, ms(210));
            ledger.costs.note(Work::Prefill, 32.0, ms(100));
            ledger.costs.note(Work::Decode, 1.0, ms(30));
            ledger.costs.note(Work::Look("ocr"), 1.0, ms(80));
        }
        ledger
    }

    fn admission() -> Admission {
        Admission::new(AdmissionConfig::default(), &Deadlines::default())
    }

    fn let_in(a: &mut Admission, ledger: &Ledger, sessions: usize, now: MediaTime) -> usize {
        (sessions..sessions + 100).take_while(|n| a.ask(ledger, *n, now).is_ok()).count()
    }

    #[test]
    fn so_many_fit_and_the_next_does_not() {
        let mut a = admission();
        let fit = let_in(&mut a, &ledger(), 0, at(0));
        assert!((2..=8).contains(&fit), "{fit}");
        let refused = a.ask(&ledger(), fit, at(0)).unwrap_err();
        assert!(refused.forecast.turn.unwrap() > refused.forecast.budget, "{refused:?}");
        assert!(refused.retry_after >= ms(1_000) && refused.retry_after <= ms(60_000), "{refused:?}");
    }

    #[test]
    fn who_waits_as_long_as_told_gets_in_when_the_others_are_silent() {
        let mut a = admission();
        let fit = let_in(&mut a, &ledger(), 0, at(0));
        let refused = a.ask(&ledger(), fit, at(0)).unwrap_err();
        let later = at(0) + refused.retry_after;
        assert!(a.ask(&ledger(), fit, later).is_ok(), "{refused:?}");
        // Silent sessions are not free: they may begin to talk.
        let all = fit + 1 + let_in(&mut a, &ledger(), fit + 1, at(100_000));
        assert!(all < 40, "{all}");
    }

    #[test]
    fn a_busy_device_lets_nobody_in_until_its_load_falls() {
        let (mut a, mut l) = (admission(), ledger());
        a.ask(&l, 0, at(0)).unwrap();
        for s in 1..=300 {
            l.urgent.add(ms(900), at(s));
        }
        let refused = a.ask(&l, 1, at(300)).unwrap_err();
        assert!(refused.forecast.load > 0.85, "{refused:?}");
        assert!(a.ask(&l, 1, at(300) + refused.retry_after).is_ok(), "nothing came meanwhile: {refused:?}");
        assert!(refused.retry_after > ms(5_000), "{refused:?}");
    }

    #[test]
    fn the_first_is_always_let_in_and_where_no_budget_can_be_met_it_is_not_alone_for_that() {
        let mut slow = ledger();
        for _ in 0..50 {
            slow.costs.note(Work::Speech, 3.0, ms(2_000));
        }
        let mut a = admission();
        let first = a.ask(&slow, 0, at(0)).unwrap();
        assert!(first.alone.unwrap() > first.budget, "{first:?}");
        assert!(a.ask(&slow, 1, at(0)).is_ok(), "a second one makes it hardly worse");
        assert!(let_in(&mut a, &slow, 2, at(0)) < 6);
        let zero = Deadlines { asr: Duration::ZERO, first_token: Duration::ZERO, ..Deadlines::default() };
        let mut impossible = Admission::new(AdmissionConfig::default(), &zero);
        assert!(impossible.ask(&ledger(), 0, at(0)).is_ok());
        let none = AdmissionConfig { most_load: 0.0, ..AdmissionConfig::default() };
        let mut none = Admission::new(none, &Deadlines::default());
        assert!(none.ask(&ledger(), 0, at(0)).is_ok());
        assert!(none.ask(&ledger(), 1, at(0)).is_err());
        assert!(none.ask(&ledger(), 0, at(0)).is_ok(), "after it has gone there is room for one again");
    }

    #[test]
    fn who_goes_at_once_leaves_nothing_behind() {
        let mut a = admission();
        let one = a.ask(&ledger(), 0, at(0)).unwrap();
        for _ in 0..1_000 {
            let two = a.ask(&ledger(), 1, at(10)).expect("offers that come to nothing fill no places");
            a.leave(two.share, at(10), at(10));
        }
        a.leave(one.share, at(0), at(20));
        let after = a.outlook(&ledger(), 0, at(20));
        assert!((after.load - after.share).abs() < 1e-9, "{after:?}");
    }

    #[test]
    fn without_any_measurement_sessions_are_let_in() {
        let mut a = admission();
        assert_eq!(let_in(&mut a, &Ledger::default(), 0, at(0)), 100);
    }

    proptest! {
        /// Dearer work never makes room for more.
        #[test]
        fn dearer_work_never_makes_room(prefill in 1_u64..400, decode in 1_u64..400, speech in 1_u64..2_000, more in 1_u64..500) {
            let with = |extra: u64| {
                let mut l = Ledger::default();
                l.costs.note(Work::Prefill, 32.0, ms(prefill + extra));
                l.costs.note(Work::Decode, 1.0, ms(decode + extra));
                l.costs.note(Work::Speech, 3.0, ms(speech + extra));
                // Where the budget cannot be met alone the promise changes; load alone decides here.
                let generous = Deadlines { asr: Duration::from_secs(60), first_token: Duration::from_secs(60), ..Deadlines::default() };
                let_in(&mut Admission::new(AdmissionConfig::default(), &generous), &l, 0, at(0))
            };
            prop_assert!(with(more) <= with(0));
        }
    }
}
