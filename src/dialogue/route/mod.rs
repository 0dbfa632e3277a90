//! How a question is meant in time: what is to be seen now, what just was, what was, or something to wait for.
//!
//! Rules over words and tables, no model: it costs microseconds, always says the same, and can be wrong only where its tables are.
//! Pictures from the past beside the live picture are known to hurt answers about the present, so whatever is not plainly about the past is
//! *now* or *not visual*, and recall never runs for it.

mod about;
mod again;
mod amount;
mod anchor;
mod clock;
mod command;
mod kind;
mod parts;
pub(crate) mod text;
mod time;

#[cfg(test)]
mod tests;

use std::time::Duration;

use parts::Parts;
use time::Now;

use crate::base::MediaTime;
use crate::dialogue::watchfor;
use crate::memory::{Order, Span};

/// Unix time of the memory's beginning and where the person's clock stands, so that clock times can be placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WallClock {
    /// Unix time of memory time zero, in milliseconds.
    pub unix_ms_at_zero: i64,
    /// The person's time zone: minutes east of Greenwich.
    pub utc_offset_minutes: i32,
}

/// When a question is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct When {
    /// Since the memory began.
    pub now: MediaTime,
    /// `None`: clock times cannot be placed and are searched for in all of the memory.
    pub wall_clock: Option<WallClock>,
}

/// From what a question is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Route {
    /// From what is to be seen now.
    Now,
    /// From the last seconds.
    Recent,
    /// From all that is remembered.
    Past,
    /// From a stretch of time that the question names.
    Interval,
    /// Without eyes.
    NotVisual,
    /// Not yet: something is to be watched for.
    WatchFor,
}

/// A time relative to another remembered thing, as in `before I showed the cup`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Anchor {
    /// Before that thing was there.
    Before(String),
    /// After it was there.
    After(String),
    /// While it was there.
    During(String),
}

/// Something to do instead of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Forget the newest so much.
    ForgetLast(Duration),
    /// Forget a stretch of time.
    ForgetSpan(Span),
    /// Forget everything.
    ForgetAll,
    /// Watch for nothing any more.
    StopWatching,
}

/// Why a time that was named cannot be looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeProblem {
    /// Before the memory began.
    BeforeStart,
    /// Not yet.
    Future,
}

/// How a question is meant.
#[derive(Debug, Clone, PartialEq)]
pub struct Routed {
    /// From what it is answered.
    pub route: Route,
    /// The time it names, within what has been so far; `None`: all of it, or relative to `anchor`.
    pub span: Option<Span>,
    /// The moment that it names, when `span` is only how far off a person may be who names one.
    pub about_time: Option<MediaTime>,
    /// Which of several is meant.
    pub order: Order,
    /// The remembered thing that the time is relative to.
    pub anchor: Option<Anchor>,
    /// The anchor is a text that was read: `before it said closed`.
    pub anchor_read: bool,
    /// The question without its time, in the present, as `dialogue::analyse` wants it; lower case, without punctuation.
    pub about: String,
    /// Its content words.
    pub content: Vec<String>,
    /// Words that were to be read, as in `a sign that said wet paint`.
    pub quoted: Vec<String>,
    /// It asks whether or when it became brighter, or darker.
    pub light: Option<bool>,
    /// What to do instead of an answer.
    pub command: Option<Command>,
    /// It asks for what was said.
    pub said: bool,
    /// It asks when something was.
    pub when: bool,
    /// It asks whether or when what is to be seen now was there before.
    pub again: bool,
    /// The time it names cannot be looked up; `span` is `None` then.
    pub problem: Option<TimeProblem>,
}

/// How near a thing has to be to another to be "before" or "after" it when nothing is named.
const NEAR: Duration = Duration::from_secs(120);

impl Anchor {
    /// The thing, and how the time stands to it: `before`, `after` or `during`.
    #[must_use]
    pub fn parts(&self) -> (&str, &'static str) {
        match self {
            Self::Before(what) => (what, "before"),
            Self::After(what) => (what, "after"),
            Self::During(what) => (what, "during"),
        }
    }

    /// The time that is meant when the thing was there in `thing` and the memory covers `watched`: all before it, all after it, or the same.
    #[must_use]
    pub fn span_around(&self, thing: Span, watched: Span) -> Span {
        match self {
            Self::Before(_) => Span { start: watched.start.min(thing.start), end: thing.start },
            Self::After(_) => Span { start: thing.end, end: watched.end.max(thing.end) },
            Self::During(_) => thing,
        }
    }
}

impl Routed {
    /// As [`Anchor::span_around`], but for an open question ("what did I show you before the cup?") only the two minutes next to the thing,
    /// because the neighbour is meant then, not everything; `None` without an anchor.
    #[must_use]
    pub fn span_around(&self, thing: Span, watched: Span) -> Option<Span> {
        let anchor = self.anchor.as_ref()?;
        let all = anchor.span_around(thing, watched);
        if !self.content.is_empty() {
            return Some(all);
        }
        Some(match anchor {
            Anchor::Before(_) => Span { start: all.start.max(all.end.saturating_sub(NEAR)), end: all.end },
            Anchor::After(_) => Span { start: all.start, end: all.end.min(all.start + NEAR) },
            Anchor::During(_) => all,
        })
    }
}

/// Finds out how a question is meant in time.
#[must_use]
pub fn route(question: &str, ctx: &When) -> Routed {
    let all = text::tidy(question);
    let future = all.iter().any(|w| ["will", "shall", "gonna"].contains(&w.as_str()));
    let now = Now::new(ctx, future);
    let plain = |route| Routed {
        route,
        span: None,
        about_time: None,
        order: Order::Best,
        anchor: None,
        anchor_read: false,
        quoted: Vec::new(),
        light: None,
        about: all.join(" "),
        content: about::content(&all),
        command: None,
        said: false,
        when: false,
        again: false,
        problem: None,
    };
    match command::find(&all, &now) {
        Some(Ok(command)) => return Routed { command: Some(command), ..plain(Route::NotVisual) },
        Some(Err(problem)) => return Routed { problem: Some(problem), ..plain(Route::Interval) },
        None => {}
    }
    if watchfor::request(&all).is_some() || watchfor::request(text::strip_lead(&all).0).is_some() {
        return plain(Route::WatchFor);
    }
    let (asked, _) = text::strip_lead(&all);
    if again::asks(asked) {
        let order = if asked.iter().any(|w| w == "first") { Order::First } else { Order::Last };
        let when = asked.iter().any(|w| w == "when" || w == "long");
        return Routed { order, again: true, when, content: Vec::new(), ..plain(Route::Past) };
    }
    let parts = Parts::of(&all, &now);
    if parts.is_past() { parts.routed(&now) } else { plain(parts.present(question)) }
}
