//! Deadlines per stage, overruns, what work costs, who is let in, the degradation ladder.
//!
//! Floor 1. In: when stages began and ended, what steps of the device took. Out: the figures of `response.latency`, overruns, what work will
//! take, whether one more session fits, the step of the ladder in force. Loses: nothing.

mod admission;
mod cost;
mod ladder;
mod timing;
mod trace;

pub use admission::{Admission, AdmissionConfig, Demand, Forecast, Refusal};
pub use cost::{CostModel, Ledger, MEMORY_OF_LOAD, Share, Work};
pub use ladder::{Ladder, LadderConfig, Move, Step};
pub use timing::{Deadlines, Mark, Overrun, Stage, Timings, TurnTiming};
pub use trace::{ROOT, Span, TurnTrace, chrome, otlp};
