//! What each stage may take, and what it took.

use std::time::Duration;

use crate::base::MediaTime;

/// A stage of the way from sound and picture to an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// One access unit to a picture.
    Decode,
    /// End of speech → the end of the turn is decided and known.
    VadEnd,
    /// End of turn → transcript.
    Asr,
    /// A question about the past → its meaning is known, or is not waited for any longer.
    Recall,
    /// Waiting for a fresh look before answering.
    Perceive,
    /// Prompt handed over → taken in.
    Prefill,
    /// Prompt handed over → first token.
    FirstToken,
    /// End of speech, or the typed question → first token.
    Total,
}

impl Stage {
    /// All, in the order of the data path.
    pub const ALL: [Self; 8] = [
        Self::Decode,
        Self::VadEnd,
        Self::Asr,
        Self::Recall,
        Self::Perceive,
        Self::Prefill,
        Self::FirstToken,
        Self::Total,
    ];

    /// The label used in metrics, configuration and events.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Decode => "decode",
            Self::VadEnd => "vad_end",
            Self::Asr => "asr",
            Self::Recall => "recall",
            Self::Perceive => "perceive",
            Self::Prefill => "prefill",
            Self::FirstToken => "first_token",
            Self::Total => "total",
        }
    }
}

/// What each stage may take. The defaults are those of ARCHITECTURE.md for two CPU cores and the default models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// Per picture.
    pub decode: Duration,
    /// End of speech → end of turn known. The silence that ends a turn is part of it.
    pub vad_end: Duration,
    /// End of turn → transcript.
    pub asr: Duration,
    /// Search of the memory, the meaning of the question included.
    pub recall: Duration,
    /// How long an answer waits for a fresh look; after that it is given from what is known.
    pub perceive: Duration,
    /// Prompt handed over → taken in.
    pub prefill: Duration,
    /// Prompt handed over → first token.
    pub first_token: Duration,
    /// End of speech → first token.
    pub total: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            decode: Duration::from_millis(10),
            vad_end: Duration::from_millis(300),
            asr: Duration::from_millis(400),
            recall: Duration::from_millis(150),
            perceive: Duration::from_millis(150),
            prefill: Duration::from_millis(250),
            first_token: Duration::from_millis(300),
            total: Duration::from_millis(1_000),
        }
    }
}

impl Deadlines {
    /// What one stage may take.
    #[must_use]
    pub const fn of(&self, stage: Stage) -> Duration {
        match stage {
            Stage::Decode => self.decode,
            Stage::VadEnd => self.vad_end,
            Stage::Asr => self.asr,
            Stage::Recall => self.recall,
            Stage::Perceive => self.perceive,
            Stage::Prefill => self.prefill,
            Stage::FirstToken => self.first_token,
            Stage::Total => self.total,
        }
    }
}

/// A stage that took longer than it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overrun {
    /// Which.
    pub stage: Stage,
    /// What it took.
    pub took: Duration,
    /// What it may take.
    pub deadline: Duration,
}

/// What the stages of one turn took; `None` for a stage that did not take part or has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timings([Option<Duration>; Stage::ALL.len()]);

impl Timings {
    /// What one stage took.
    #[must_use]
    pub const fn of(&self, stage: Stage) -> Option<Duration> {
        self.0[stage as usize]
    }

    /// The same in whole milliseconds.
    #[must_use]
    pub fn millis(&self, stage: Stage) -> Option<u64> {
        self.of(stage).map(|d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
    }
}

/// A moment of a turn that is no end of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mark {
    /// The light of the picture that the answer is given from fell in.
    Captured,
    /// The first sound of the question.
    SpeechStart,
    /// The first words of the answer were sent: those that it must begin with, or the first token.
    FirstWords,
    /// The first sound of the answer was made.
    FirstSound,
    /// The last word was written.
    Done,
}

/// How many marks there are.
const MARKS: usize = Mark::Done as usize + 1;

/// Start and end of every stage of one turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TurnTiming {
    marks: [Option<MediaTime>; MARKS],
    start: [Option<MediaTime>; Stage::ALL.len()],
    end: [Option<MediaTime>; Stage::ALL.len()],
}

impl TurnTiming {
    /// The stage began. The first call counts.
    pub fn start(&mut self, stage: Stage, at: MediaTime) {
        self.start[stage as usize].get_or_insert(at);
    }

    /// The stage ended. The first call counts; an end without a start counts for nothing.
    pub fn end(&mut self, stage: Stage, at: MediaTime) {
        self.end[stage as usize].get_or_insert(at);
    }

    /// This happened then. The first call counts.
    pub fn mark(&mut self, mark: Mark, at: MediaTime) {
        self.marks[mark as usize].get_or_insert(at);
    }

    /// When this happened.
    #[must_use]
    pub const fn at(&self, mark: Mark) -> Option<MediaTime> {
        self.marks[mark as usize]
    }

    /// How long after the end of the speech, or after the typed question, this happened.
    #[must_use]
    pub fn reached(&self, mark: Mark) -> Option<Duration> {
        Some(self.at(mark)?.since(self.began(Stage::Total)?))
    }

    /// When the stage began.
    #[must_use]
    pub const fn began(&self, stage: Stage) -> Option<MediaTime> {
        self.start[stage as usize]
    }

    /// When the stage ended.
    #[must_use]
    pub const fn end_of(&self, stage: Stage) -> Option<MediaTime> {
        self.end[stage as usize]
    }

    /// How long ago the stage began; `None` when it did not.
    #[must_use]
    pub fn passed(&self, stage: Stage, now: MediaTime) -> Option<Duration> {
        self.start[stage as usize].map(|at| now.since(at))
    }

    /// Whether the stage ended.
    #[must_use]
    pub const fn ended(&self, stage: Stage) -> bool {
        self.end[stage as usize].is_some()
    }

    /// What every stage took.
    #[must_use]
    pub fn timings(&self) -> Timings {
        let took = |stage: Stage| {
            let (start, end) = (self.start[stage as usize]?, self.end[stage as usize]?);
            Some(end.since(start))
        };
        Timings(Stage::ALL.map(took))
    }

    /// Stages that took longer than they may, in the order of the data path.
    #[must_use]
    pub fn overruns(&self, deadlines: &Deadlines) -> Vec<Overrun> {
        let timings = self.timings();
        let over = |&stage: &Stage| {
            let (took, deadline) = (timings.of(stage)?, deadlines.of(stage));
            (took > deadline).then_some(Overrun { stage, took, deadline })
        };
        Stage::ALL.iter().filter_map(over).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> MediaTime {
        MediaTime::from_millis(n)
    }

    #[test]
    fn a_stage_that_never_ended_has_no_figure_and_is_no_overrun() {
        let mut t = TurnTiming::default();
        t.start(Stage::Asr, ms(0));
        t.end(Stage::Total, ms(9_000));
        assert_eq!(t.timings(), Timings::default());
        assert!(t.overruns(&Deadlines::default()).is_empty());
    }

    #[test]
    fn the_first_start_and_the_first_end_count() {
        let mut t = TurnTiming::default();
        t.start(Stage::Total, ms(100));
        t.start(Stage::Total, ms(500));
        t.end(Stage::Total, ms(700));
        t.end(Stage::Total, ms(900));
        assert_eq!(t.timings().millis(Stage::Total), Some(600));
    }

    #[test]
    fn exactly_the_deadline_is_in_time_and_a_microsecond_more_is_not() {
        let deadlines = Deadlines::default();
        for stage in Stage::ALL {
            let mut t = TurnTiming::default();
            t.start(stage, ms(5));
            let mut late = t;
            t.end(stage, ms(5) + deadlines.of(stage));
            assert!(t.overruns(&deadlines).is_empty(), "{stage:?}");
            late.end(stage, ms(5) + deadlines.of(stage) + Duration::from_micros(1));
            assert_eq!(late.overruns(&deadlines).iter().map(|o| o.stage).collect::<Vec<_>>(), [stage]);
        }
    }
}
