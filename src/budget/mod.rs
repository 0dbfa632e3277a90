//! Deadlines per stage, overruns, the degradation ladder.
//!
//! Floor 1. In: when stages began and ended. Out: the figures of `response.latency`, overruns, the step of the ladder in force. Loses: nothing.

mod ladder;
mod timing;

pub use ladder::{Ladder, LadderConfig, Move, Step};
pub use timing::{Deadlines, Overrun, Stage, Timings, TurnTiming};
