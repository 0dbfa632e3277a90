//! A question taken apart into its time and what is asked, and what follows from that.

use super::kind::{self, Tense};
use super::text::{self, At};
use super::time::{self, Now, Time};
use super::{Anchor, Route, Routed, TimeProblem, about, anchor};
use crate::dialogue::question::{Ask, Words, analyse};
use crate::memory::{Order, Span};

/// A question taken apart.
pub(super) struct Parts {
    /// The asking clause, without its time.
    clause: Vec<String>,
    q: Words,
    time: Option<Time>,
    anchor: Option<Anchor>,
    /// The anchor is something that was read.
    anchor_read: bool,
    /// There was a clause of time, whether or not it names something.
    hangs: bool,
    /// "Do you remember …".
    remember: bool,
    tense: Tense,
}

impl Parts {
    pub(super) fn of(all: &[String], now: &Now) -> Self {
        let (words, remember) = text::strip_lead(all);
        let exact = time::find(words, now);
        let rest = exact.map_or_else(|| words.to_vec(), |f| text::without(words, f.from, f.to));
        // A vague time beside an exact one only repeats it.
        let vague = time::find_vague(&rest, now);
        let rest = vague.map_or_else(|| rest.clone(), |f| text::without(&rest, f.from, f.to));
        let found = anchor::find(&rest);
        let hangs = found.is_some();
        let anchor_read = found.as_ref().is_some_and(|f| f.read);
        let (anchor, rest) = found.map_or((None, rest.clone()), |f| (f.anchor, text::without(&rest, f.from, f.to)));
        let (rest, again) = text::strip_lead(&rest);
        let clause = rest[kind::asking(rest)..].to_vec();
        let tense = if clause.is_empty() { Tense::Present } else { kind::tense(&clause) };
        let q = Words::joined(clause.clone());
        let time = exact.or(vague).map(|f| f.time);
        Self { clause, q, time, anchor, anchor_read, hangs, remember: remember || again, tense }
    }

    /// Whether it is to be answered from memory.
    pub(super) fn is_past(&self) -> bool {
        let exact = matches!(
            self.time,
            Some(Time::Span(..) | Time::About(..) | Time::Clock(_) | Time::Recent(_) | Time::Problem(..))
        );
        if self.clause.is_empty() {
            return exact || self.remember;
        }
        if self.tense == Tense::Told || kind::is_knowledge(&self.q, exact) {
            return false;
        }
        let ask = analyse(&self.q.joined);
        if !exact && !self.hangs && ask == Ask::Change && self.q.begins(CHANGED) {
            return false;
        }
        match (self.tense, self.time) {
            (Tense::Past, Some(Time::History)) => self.q.any("i|me|my|you|we|us"),
            (Tense::Past, _) => !kind::is_about_words(&self.q, self.time.is_some()),
            (_, Some(Time::Clock(_) | Time::Problem(_, true))) => {
                self.is_order() || (self.time_is_future() && !kind::is_without_eyes(&self.q, &ask))
            }
            (_, Some(Time::Span(..) | Time::About(..) | Time::Recent(_) | Time::Problem(_, false))) => {
                self.q.begins(SUM_UP) || !kind::is_without_eyes(&self.q, &ask)
            }
            _ => self.remember && self.q.begins("the|a|an|my|any|that|what|who|where|which|how|when|seeing"),
        }
    }

    fn is_order(&self) -> bool {
        !self.q.begins("what|who|where|which|how|is|are|am|does|do|can|could|has|have|will|would|why|when|should")
    }

    const fn time_is_future(&self) -> bool {
        matches!(self.time, Some(Time::Problem(TimeProblem::Future, _)))
    }

    /// The route of a question that takes no memory.
    pub(super) fn present(&self, question: &str) -> Route {
        let whole = Words::joined(text::tidy(question));
        let ask = analyse(question);
        let blind = match self.tense {
            // What is told takes no eyes, unless it points at something.
            Tense::Told => {
                !self.q.any("this|these|here|look|that one|those") && (self.remember || !self.q.begins("it|there|that"))
            }
            Tense::Past => ask != Ask::Change,
            Tense::Present => false,
        };
        if blind || kind::is_without_eyes(&whole, &ask) { Route::NotVisual } else { Route::Now }
    }

    /// How a question to the memory is meant.
    pub(super) fn routed(self, now: &Now) -> Routed {
        let first = self.q.any(FIRST) && !self.q.any(NOT_FIRST) || self.hangs && self.q.any("first");
        let last = self.q.any(LAST);
        let place = self.q.begins("where|whereabouts|did you see where|do you know where");
        let (mut route, mut span, mut order, mut problem) = (Route::Past, None, Order::Best, None);
        match self.time {
            Some(Time::About(s, _)) => (route, span) = (Route::Interval, Some(s)),
            Some(Time::Span(s, o)) => (route, span, order) = (Route::Interval, Some(s), o),
            Some(Time::Clock(s)) => (route, span) = (Route::Interval, Some(s)),
            Some(Time::Recent(s)) => (route, span) = (Route::Recent, Some(s)),
            Some(Time::Earlier(s)) => span = Some(s),
            Some(Time::Problem(p, _)) => (route, problem) = (Route::Interval, Some(p)),
            Some(Time::History) => (route, problem) = (Route::Interval, Some(TimeProblem::BeforeStart)),
            Some(Time::Ever | Time::Unplaced) => {}
            None if !self.hangs && !first && !last && self.is_recent() => {
                (route, span) = (Route::Recent, Some(now.recent()));
            }
            None => {}
        }
        if first {
            order = Order::First;
        } else if last {
            order = Order::Last;
        } else if order == Order::Best {
            order = match &self.anchor {
                // The neighbour of the other thing is meant.
                Some(Anchor::Before(_)) => Order::Last,
                Some(Anchor::After(_)) => Order::First,
                _ if place => Order::Last,
                _ => order,
            };
        }
        self.finish(route, span, order, problem)
    }

    fn finish(self, route: Route, span: Option<Span>, order: Order, problem: Option<TimeProblem>) -> Routed {
        let about_time = match self.time {
            Some(Time::About(_, at)) => Some(at),
            _ => None,
        };
        let Self { clause, q, mut anchor, anchor_read, .. } = self;
        let quoted = about::quoted(&clause);
        let light = kind::light(&q);
        let about = match &anchor {
            _ if !clause.is_empty()
                && self.remember
                && self.tense != Tense::Past
                && q.begins("the|a|an|my|any|that") =>
            {
                about::about(&text::tidy(&format!("did you see {}", clause.join(" "))))
            }
            // "Do you remember when I showed you the cup?"
            Some(Anchor::During(what)) if clause.is_empty() => {
                format!("is there {}", crate::dialogue::nouns::with_article(what))
            }
            _ if clause.is_empty() || q.begins(SUM_UP) => "what do you see".to_owned(),
            _ => about::about(&clause),
        };
        let mut content = if q.begins(SUM_UP) { Vec::new() } else { about::content(&clause) };
        if clause.is_empty()
            && let Some(Anchor::During(what)) = anchor.take()
        {
            content = crate::dialogue::question::words(&what);
        }
        let when = At::new(&clause, 0).sees(WHEN);
        let said = quoted.is_empty() && kind::is_said(&q);
        let again = false;
        Routed {
            route,
            span,
            about_time,
            order,
            anchor,
            anchor_read,
            about,
            content,
            quoted,
            light,
            command: None,
            said,
            when,
            again,
            problem,
        }
    }

    fn is_recent(&self) -> bool {
        let relative = self.q.any("i showed|i had|i held|you saw|i was holding|i put|we saw");
        self.q.any("just")
            || (self.q.begins(RECENT) && !relative)
            || (self.q.begins("what happened|what was happening") && self.clause.len() <= 3)
    }
}

const CHANGED: &str = "what has changed|what changed|what is different|has anything changed|has something changed|did anything change|\
     what is new|did something change|what have changed|has it changed|has the";
/// Orders that are about a stretch of time when they name one.
const SUM_UP: &str =
    "summarise|summarize|sum up|recap|go over|replay|give me a summary|give me a recap|run me through|walk me through";
const FIRST: &str = "first";
/// Things that are called first without having been so in time.
const NOT_FIRST: &str = "first page|first line|first word|first letter|first name|first floor|first row|first shelf|first column|first slide|\
     first aid|first two|first three|first person|first button|first digit";
const LAST: &str = "last thing|last time|last see|last saw|last show|last showed|last|most recently|latest|most recent";
const RECENT: &str = "what was that|who was that|was that|were those|did you see that|did you catch that|did you catch it|what was it|who was it|\
     what were those|what did that|did you see it|did you hear that|did you notice that|which one was that|did you get that|what was this|who were they|who were those|was it";
const WHEN: &str =
    "when did|when was|when were|when have|when has|what time did|what time was|how long ago|at what time|since when";
