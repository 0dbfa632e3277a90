//! Times relative to now and to the beginning, as spans of memory time.

use super::amount::{self, Amount, YEAR};
use super::text::{At, is_in};
use super::{TimeProblem, When, clock};
use crate::base::MediaTime;
use crate::memory::{Order, Span};

/// A time that a question names.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Time {
    /// A stretch of it.
    Span(Span, Order),
    /// About this moment: the stretch is how far off a person may be.
    About(Span, MediaTime),
    /// A stretch of it by the clock or the calendar; in a question about the present it is not a time: `does my ticket say ten past nine`.
    Clock(Span),
    /// Just now.
    Recent(Span),
    /// Some time before now.
    Earlier(Span),
    /// Any time.
    Ever,
    /// By the clock, and there is no clock.
    Unplaced,
    /// So long ago that only knowledge reaches there.
    History,
    /// It cannot be looked up. True: named by the clock or the calendar.
    Problem(TimeProblem, bool),
}

/// A time and the words that name it, from the first to after the last.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Found {
    pub(super) time: Time,
    pub(super) from: usize,
    pub(super) to: usize,
}

/// Seconds that "just now" reaches back.
pub(super) const RECENT: f64 = 45.0;
/// Seconds that "recently" reaches back.
const LATELY: f64 = 600.0;
/// Seconds before now that "earlier" ends.
const EARLIER: f64 = 15.0;
/// Seconds of "the beginning": a twentieth of what has been, between these.
const BEGINNING: (f64, f64) = (60.0, 300.0);

const HEDGE: &str = "at around|at about|around|about|roughly|approximately|maybe|like|some|nearly|almost|exactly|perhaps|probably|\
     just|say|i think|i guess|from|of|since about|as of|back";
const SESSION: &str = "the session|this session|our session|the call|this call|our call|the video|this video|our conversation|\
     the conversation|this conversation|the stream|the recording|the meeting|the chat|our chat|it all|everything|all this|\
     the whole thing|today's session|the day|the show|the demo";

type Rule = fn(At<'_>, &Now) -> Option<(Time, usize)>;

/// Tried at every word, in order.
const EXACT: [Rule; 7] = [ago, last, first, into, beginning, halfway, clock::rule];
const VAGUE: [Rule; 1] = [vague];

/// Now, in seconds, and the clock.
pub(super) struct Now {
    pub(super) secs: f64,
    pub(super) when: When,
    /// The question is about what will be.
    pub(super) future: bool,
}

impl Now {
    pub(super) fn new(when: &When, future: bool) -> Self {
        Self { secs: seconds(when.now), when: *when, future }
    }

    /// From `start` to `end`, in seconds since the memory began, within what has been; a problem when nothing is left.
    pub(super) fn place(&self, start: f64, end: f64, order: Order) -> Time {
        match self.clip(start, end) {
            Ok(span) => Time::Span(span, order),
            Err(problem) => Time::Problem(problem, false),
        }
    }

    /// `secs` since the memory began, give or take; a problem when that is outside of what has been.
    fn near(&self, secs: f64) -> Time {
        self.near_by(secs, slack(secs))
    }

    fn near_by(&self, secs: f64, slack: f64) -> Time {
        match self.clip(secs - slack, secs + slack) {
            Ok(span) => Time::About(span, point(secs).max(span.start).min(span.end)),
            Err(problem) => Time::Problem(problem, false),
        }
    }

    pub(super) fn clip(&self, start: f64, end: f64) -> Result<Span, TimeProblem> {
        let (start, end) = (start.min(end), start.max(end));
        if end <= 0.0 {
            return Err(TimeProblem::BeforeStart);
        }
        if start > self.secs || (start == self.secs && self.future) {
            return Err(TimeProblem::Future);
        }
        let span = Span { start: point(start), end: point(end.min(self.secs)) };
        Ok(Span { start: span.start.min(self.when.now), end: span.end.min(self.when.now) })
    }

    fn last(&self, secs: f64) -> Span {
        Span { start: point(self.secs - secs), end: self.when.now }
    }

    pub(super) fn recent(&self) -> Span {
        self.last(RECENT)
    }

    fn earlier(&self) -> Span {
        Span { start: MediaTime::ZERO, end: point((self.secs - EARLIER).max(self.secs / 2.0)) }
    }
}

#[expect(clippy::cast_precision_loss, reason = "microseconds of a session are far below 2^52")]
fn seconds(t: MediaTime) -> f64 {
    t.as_micros() as f64 / 1e6
}

#[expect(clippy::cast_sign_loss, reason = "made non-negative first")]
fn point(secs: f64) -> MediaTime {
    MediaTime::from_micros((secs.max(0.0) * 1e6).round() as u64)
}

/// How far off a person may be who says how long ago something was. Under two minutes people count, so a quarter, at least eight seconds;
/// beyond that they guess: 15 %, at least a minute.
fn slack(secs: f64) -> f64 {
    if secs < 120.0 { (0.25 * secs).max(8.0) } else { (0.15 * secs).max(60.0) }
}

/// The time that the words name and where it stands; the exact ones first, vague ones only when there is no exact one.
pub(super) fn find(words: &[String], now: &Now) -> Option<Found> {
    search(words, now, &EXACT)
}

/// Vague times: `earlier`, `ever`, `just now`.
pub(super) fn find_vague(words: &[String], now: &Now) -> Option<Found> {
    search(words, now, &VAGUE)
}

fn search(words: &[String], now: &Now, rules: &[Rule]) -> Option<Found> {
    (0..words.len()).find_map(|from| {
        let at = At::new(words, from);
        rules.iter().find_map(|rule| rule(at, now)).map(|(time, to)| Found { time, from, to })
    })
}

/// `ten minutes ago`, `between ten and thirty minutes ago`, `more than an hour ago`.
fn ago(mut at: At<'_>, now: &Now) -> Option<(Time, usize)> {
    const AGO: &str = "ago|back|earlier|before now|previously|in the past";
    while !is_verb(at) && at.eat(HEDGE) {}
    let more = at.eat("more than|over|at least|longer than|before|until|up until|from before");
    let less = !more && at.eat("less than|under|not more than|at most|since|within|up to|from about");
    let between = at.eat("between|from|somewhere between|anywhere from|in the");
    let mut two = at;
    // "An hour and ten minutes ago" is one time.
    let one = |two: &At<'_>| !between && at.words[at.i..two.i].iter().any(|w| w == "and");
    if let Some((a, b)) = amount::pair(&mut two).filter(|_| !one(&two)) {
        two.eat("ago|back");
        let from_to = two.words.get(two.i - 1).is_some_and(|w| is_in(w, "ago|back"));
        if from_to {
            let one_thing = at.words[at.i..two.i].iter().any(|w| w == "or");
            // "Five or ten minutes ago" names no bounds, so both are meant with their slack.
            let (near, far) = (a.secs.min(b.secs), a.secs.max(b.secs));
            let (s, e) = if one_thing { (slack(far), slack(near)) } else { (0.0, 0.0) };
            return Some((aged(now, a, now.secs - far - s, now.secs - near + e), two.i));
        }
    }
    let amount = amount::length(&mut at, false)?;
    if !at.eat(AGO) {
        return None;
    }
    // "Ten minutes earlier than that" hangs on something else.
    if at.sees("than") {
        return None;
    }
    let centre = now.secs - amount.secs;
    let time = match () {
        () if more => aged(now, amount, 0.0_f64.min(centre), centre),
        () if less => aged(now, amount, centre, now.secs),
        () if amount.secs <= 2.0 => Time::Recent(now.recent()),
        () => too_old(amount, now.near_by(centre, slack(amount.secs))),
    };
    Some((time, at.i))
}

/// `Say` is no hedge where it is the verb: `what did the sign say ten minutes ago`.
fn is_verb(at: At<'_>) -> bool {
    at.sees("say") && at.words[..at.i].iter().any(|w| is_in(w, "do|does|did|you|i|he|she|they|we|it"))
}

fn aged(now: &Now, amount: Amount, start: f64, end: f64) -> Time {
    too_old(amount, now.place(start, end, Order::Best))
}

/// What is years old is history, not memory.
fn too_old(amount: Amount, time: Time) -> Time {
    if amount.unit >= YEAR && matches!(time, Time::Problem(..)) { Time::History } else { time }
}

/// `in the last five minutes`, `for the past hour`.
fn last(mut at: At<'_>, now: &Now) -> Option<(Time, usize)> {
    at.eat("in|during|over|within|for|from|of|throughout|across|about|at any point in|at any time in|any time in|all through");
    at.eat("the|these|this|my|our|your");
    if !at.eat("last|past|previous|preceding|most recent|latest") {
        return None;
    }
    let amount = amount::length(&mut at, true)?;
    at.eat("or so|or two");
    // "The last minute of the film", "last week": not this session's.
    if amount.unit > amount::HOUR && amount.secs <= amount.unit {
        return None;
    }
    Some((now.place(now.secs - amount.secs, now.secs, Order::Best), at.i))
}

/// `in the first five minutes`.
fn first(mut at: At<'_>, now: &Now) -> Option<(Time, usize)> {
    at.eat("in|during|over|within|for|from|of|throughout");
    if !at.eat("the first|the opening|the initial|our first|the very first") {
        return None;
    }
    let amount = amount::length(&mut at, true)?;
    at.eat("or so|or two");
    tail(&mut at);
    Some((now.place(0.0, amount.secs, Order::Best), at.i))
}

fn tail(at: &mut At<'_>) {
    let mut more = *at;
    if more.eat("of|into|in|through|from|since") && more.eat(SESSION) {
        *at = more;
    }
}

/// `ten minutes in`, `between ten and twelve minutes in`, `at the ten minute mark`, `from minute three to minute five`.
fn into(mut at: At<'_>, now: &Now) -> Option<(Time, usize)> {
    let start = at;
    at.eat("at|around|about|at around|at about|roughly|after");
    let mut minutes = at;
    minutes.eat("from|between|the");
    if minutes.eat("minute")
        && let Some(from) = amount::plain(&mut minutes)
    {
        if minutes.eat("to|and|until|till") {
            minutes.eat("minute");
            let to = amount::plain(&mut minutes)?;
            return Some((now.place(from * 60.0, to * 60.0, Order::Best), minutes.i));
        }
        return Some((now.near(from * 60.0), minutes.i));
    }
    at.eat("the|from|between");
    let mut two = at;
    if let Some((a, b)) = amount::pair(&mut two)
        && in_it(&mut two)
    {
        return Some((now.place(a.secs, b.secs, Order::Best), two.i));
    }
    let amount = amount::length(&mut at, false)?;
    if now.future && (start.sees("in") || at.eat("from now|later")) {
        return Some((Time::Problem(TimeProblem::Future, false), at.i));
    }
    if !in_it(&mut at) {
        return ahead(start, now);
    }
    Some((now.near(amount.secs), at.i))
}

/// `in` at the end or before the question proper, `into the session`, `mark`, `after we started`.
fn in_it(at: &mut At<'_>) -> bool {
    const GOES_ON: &str = "what|who|where|which|how|did|was|were|is|are|do|does|have|has|can|there|i|you|we|on";
    if at.eat(
        "mark|minute mark|into it|after we started|after we began|after the start|after the beginning|after i started|\
         after it started|from the start|from the beginning|after starting|since the start",
    ) {
        return true;
    }
    let mut more = *at;
    if more.eat("into|in|through") && more.eat(SESSION) {
        *at = more;
        return true;
    }
    let mut more = *at;
    if more.eat("in") && (more.is_end() || more.sees(GOES_ON)) {
        *at = more;
        return true;
    }
    false
}

/// `in ten minutes`, in a question about what will be.
fn ahead(mut at: At<'_>, now: &Now) -> Option<(Time, usize)> {
    if !now.future || !at.eat("in|within") {
        return None;
    }
    amount::length(&mut at, false)?;
    Some((Time::Problem(TimeProblem::Future, false), at.i))
}

/// `at the beginning`, `when we started`.
fn beginning(mut at: At<'_>, now: &Now) -> Option<(Time, usize)> {
    at.eat("right|back|way back");
    let begins = at.eat(
        "at the very beginning|at the beginning|in the beginning|in the very beginning|at the very start|at the start|\
         at the outset|to begin with|to start with|at first|initially|originally|near the beginning|near the start|\
         towards the beginning|toward the beginning|around the beginning|early on|when we first started|when we started|\
         when we began|when i started|when you started|when the session started|when the session began|\
         when the call started|when the video started|when this started|when it all started|when you woke up|\
         when i turned you on|when i switched you on|when i connected|when we first met|as we started",
    );
    if !begins {
        return None;
    }
    tail(&mut at);
    let length = (now.secs / 20.0).clamp(BEGINNING.0, BEGINNING.1).min((now.secs / 2.0).max(10.0));
    Some((now.place(0.0, length, Order::First), at.i))
}

/// `halfway through`, `in the middle of the session`.
fn halfway(mut at: At<'_>, now: &Now) -> Option<(Time, usize)> {
    at.eat("about|around");
    let session =
        at.eat("in the middle of|around the middle of|in the second half of|in the first half of") && at.eat(SESSION);
    if session {
        let said = at.words[..at.i].join(" ");
        let (a, b) = match () {
            () if said.contains("second half") => (0.5, 1.0),
            () if said.contains("first half") => (0.0, 0.5),
            () => (0.4, 0.6),
        };
        return Some((now.place(a * now.secs, b * now.secs, Order::Best), at.i));
    }
    if !at.eat("halfway through|half way through|midway through|halfway into|half way into") {
        return None;
    }
    at.eat(SESSION);
    Some((now.place(0.4 * now.secs, 0.6 * now.secs, Order::Best), at.i))
}

/// Times without a number.
fn vague(at: At<'_>, now: &Now) -> Option<(Time, usize)> {
    const JUST: &str = "just now|a moment ago|moments ago|one moment ago|a few moments ago|just a moment ago|just a second ago|\
         just a sec ago|a sec ago|right before now|a tick ago|just before now|a blink ago|in the last moment|just then";
    const LITTLE: &str = "recently|lately|a little while ago|a short while ago|a short time ago|not long ago|not so long ago|\
         a bit ago|a little bit ago|a little earlier|in the last while|of late";
    const EARLIER: &str = "earlier on|earlier|a while ago|a while back|a long while ago|quite a while ago|some time ago|\
         sometime ago|some time back|previously|before that|before this|before now|long ago|a long time ago|in the past|\
         back then|once before|at an earlier point|the other time|beforehand|a long time back|ages ago";
    const EVER: &str = "so far|ever|at any point|at any time|at some point|at one point|all this time|the whole time|the entire time|\
         this whole time|in this session|during this session|during the session|during our session|during this call|\
         during the call|since we started|since we began|since the start|since the beginning|from the beginning|from the start|\
         from the beginning until now|until now|up to now|up until now|till now|already|overall|in total|all in all|\
         throughout the session|throughout|over the course of the session|in our session|in this conversation|altogether|yet";
    let eaten = |phrases: &str| {
        let mut after = at;
        after.eat(phrases).then_some(after.i)
    };
    if let Some(to) = eaten(JUST) {
        return Some((Time::Recent(now.recent()), to));
    }
    if let Some(to) = eaten(LITTLE) {
        return Some((Time::Recent(now.last(LATELY)), to));
    }
    if let Some(to) = eaten(EARLIER) {
        return Some((Time::Earlier(now.earlier()), to));
    }
    // "Before" alone, at the end: before now.
    if at.sees("before") && at.i > 0 && at.i + 1 == at.words.len() {
        return Some((Time::Earlier(now.earlier()), at.i + 1));
    }
    eaten(EVER).map(|to| (Time::Ever, to))
}
