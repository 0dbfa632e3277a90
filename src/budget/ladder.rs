//! What is given up, in which order, when turns come out late.

/// What is given up. Each step includes those before it. Sound is never given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Step {
    /// Nothing.
    #[default]
    Full,
    /// Half the frames per second for perception.
    FewerFrames,
    /// Only the detector and the whole-picture classifier look; no crops.
    FewerExperts,
    /// One earlier turn and two lines of the past in a prompt; recall goes by words alone, and waits for no vector.
    ShallowerMemory,
    /// Half the tokens per answer.
    ShorterAnswers,
    /// No new sessions.
    RefuseSessions,
}

impl Step {
    /// All, mildest first.
    pub const ALL: [Self; 6] = [
        Self::Full,
        Self::FewerFrames,
        Self::FewerExperts,
        Self::ShallowerMemory,
        Self::ShorterAnswers,
        Self::RefuseSessions,
    ];

    /// The label used in metrics and events.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::FewerFrames => "fewer_frames",
            Self::FewerExperts => "fewer_experts",
            Self::ShallowerMemory => "shallower_memory",
            Self::ShorterAnswers => "shorter_answers",
            Self::RefuseSessions => "refuse_sessions",
        }
    }

    fn next(self) -> Option<Self> {
        Self::ALL.get(self as usize + 1).copied()
    }

    fn previous(self) -> Option<Self> {
        (self as usize).checked_sub(1).map(|i| Self::ALL[i])
    }
}

/// How fast the ladder is left again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LadderConfig {
    /// Good turns in a row before one step is taken back. Default 3.
    pub good_turns: u32,
    /// A turn is good when it took at most this share of its budget, in percent. Between this and 100 it changes nothing,
    /// so that a step is not taken back and given up again in turn. Default 80.
    pub good_percent: u32,
}

impl Default for LadderConfig {
    fn default() -> Self {
        Self { good_turns: 3, good_percent: 80 }
    }
}

/// A change of step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    /// From.
    pub from: Step,
    /// To: one step away.
    pub to: Step,
}

/// Where on the ladder a session, or the device, stands.
#[derive(Debug, Clone, Default)]
pub struct Ladder {
    config: LadderConfig,
    step: Step,
    good: u32,
}

impl Ladder {
    /// At the top, with nothing given up.
    #[must_use]
    pub fn new(config: LadderConfig) -> Self {
        Self { config, step: Step::Full, good: 0 }
    }

    /// What is given up now.
    #[must_use]
    pub const fn step(&self) -> Step {
        self.step
    }

    /// A turn ended after `took_ms` of `budget_ms`.
    pub fn turn(&mut self, took_ms: u64, budget_ms: u64) -> Option<Move> {
        if took_ms > budget_ms {
            self.good = 0;
            return self.go(self.step.next());
        }
        if took_ms.saturating_mul(100) > budget_ms.saturating_mul(u64::from(self.config.good_percent)) {
            self.good = 0;
            return None;
        }
        self.good += 1;
        if self.good < self.config.good_turns {
            return None;
        }
        self.good = 0;
        self.go(self.step.previous())
    }

    fn go(&mut self, to: Option<Step>) -> Option<Move> {
        let to = to?;
        let from = std::mem::replace(&mut self.step, to);
        Some(Move { from, to })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_late_turn_gives_up_one_step_in_the_declared_order_and_the_last_one_stays() {
        let mut ladder = Ladder::default();
        let taken: Vec<_> = (0..7).filter_map(|_| ladder.turn(1_001, 1_000)).map(|m| m.to).collect();
        assert_eq!(taken, Step::ALL[1..]);
        assert_eq!(ladder.step(), Step::RefuseSessions);
    }

    #[test]
    fn a_step_is_taken_back_only_after_enough_good_turns_in_a_row() {
        let mut ladder = Ladder::default();
        ladder.turn(2_000, 1_000);
        assert_eq!(ladder.turn(100, 1_000), None);
        assert_eq!(ladder.turn(100, 1_000), None);
        // Within the budget, but too close to it to promise anything: the count starts again.
        assert_eq!(ladder.turn(900, 1_000), None);
        assert_eq!(ladder.turn(100, 1_000), None);
        assert_eq!(ladder.turn(100, 1_000), None);
        assert_eq!(ladder.turn(800, 1_000), Some(Move { from: Step::FewerFrames, to: Step::Full }));
    }

    #[test]
    fn a_load_that_sits_at_its_budget_does_not_swing() {
        let mut ladder = Ladder::default();
        ladder.turn(1_100, 1_000);
        let moves = (0..100).filter_map(|i| ladder.turn(if i % 2 == 0 { 950 } else { 700 }, 1_000)).count();
        assert_eq!(moves, 0);
    }
}
