//! Times by the clock and the calendar: `at half past three`, `around 3 pm`, `this morning`, `yesterday`.

use super::TimeProblem;
use super::amount::{self, DAY, HOUR};
use super::text::{At, is_in};
use super::time::{Now, Time};

/// Seconds on either side of a clock time said to the minute, as people round it, and with "around".
const TO_THE_MINUTE: f64 = 120.0;
const ROUNDED: f64 = 300.0;
const AROUND: f64 = 600.0;

/// What hours can be meant: twelve-hour clocks leave two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Half {
    Am,
    Pm,
    Either,
}

/// A time of day.
#[derive(Debug, Clone, Copy, PartialEq)]
struct OfDay {
    /// Seconds since midnight, with an hour below twelve when `half` decides.
    secs: f64,
    half: Half,
    slack: f64,
}

/// How the time stands to what is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    At,
    After,
    Before,
}

/// Parts of a day: words, first and last hour. Days back: what they count from today.
const PARTS: &[(&str, f64, f64, f64)] = &[
    ("the day before yesterday", -2.0, 0.0, 24.0),
    ("yesterday morning", -1.0, 4.0, 12.0),
    ("yesterday afternoon", -1.0, 12.0, 18.0),
    ("yesterday evening|yesterday night|last night", -1.0, 18.0, 30.0),
    ("yesterday", -1.0, 0.0, 24.0),
    ("earlier this morning|this morning", 0.0, 4.0, 12.0),
    ("earlier this afternoon|this afternoon", 0.0, 12.0, 18.0),
    ("earlier this evening|this evening|tonight", 0.0, 18.0, 28.0),
    ("earlier today|today|all day|this day", 0.0, 0.0, 24.0),
];
/// Days far enough back that no part of them is meant exactly: words, first and last day.
const LONG_AGO: &[(&str, f64, f64)] = &[
    ("last week|the other week", -14.0, -1.0),
    ("the other day|a few days ago", -7.0, -1.0),
    ("last month", -60.0, -7.0),
    ("last year", -730.0, -30.0),
    ("last weekend|at the weekend|over the weekend", -8.0, 0.0),
];
const WEEKDAYS: &str = "thursday|friday|saturday|sunday|monday|tuesday|wednesday";

/// Seconds between the local midnight of the memory's first day and its beginning, and the number of that day since 1970-01-01.
fn zero(now: &Now) -> Option<(f64, i64)> {
    let clock = now.when.wall_clock?;
    let local = clock.unix_ms_at_zero.div_euclid(1_000) + i64::from(clock.utc_offset_minutes) * 60;
    #[expect(clippy::cast_precision_loss, reason = "seconds of one day")]
    let into = local.rem_euclid(86_400) as f64;
    Some((into, local.div_euclid(86_400)))
}

/// A clock time or a part of a day.
pub(super) fn rule(at: At<'_>, now: &Now) -> Option<(Time, usize)> {
    range(at, now).or_else(|| clock(at, now)).or_else(|| day(at, now))
}

/// `between two and three pm`, `from quarter past two to half past two`.
fn range(mut at: At<'_>, now: &Now) -> Option<(Time, usize)> {
    if !at.eat("between|from|anywhere between|somewhere between") {
        return None;
    }
    let first = of_day(&mut at, true)?;
    if !at.eat("and|to|until|till") {
        return None;
    }
    let mut second = of_day(&mut at, true)?;
    let any_half = half(&mut at);
    second.half = any_half.unwrap_or(second.half);
    let first = if first.half == Half::Either && first.secs < 13.0 * HOUR {
        OfDay { half: second.half, ..first }
    } else {
        first
    };
    let back = day_back(&mut at);
    let Some((start, end)) = moment(first, now, back).zip(moment(second, now, back)) else {
        return Some((Time::Unplaced, at.i));
    };
    // Both ends on the same side of noon when only one says which.
    let start = if start > end { start - DAY / 2.0 } else { start };
    Some((clipped(now, start, end), at.i))
}

/// `at half past three`, `around 3 pm`, `since noon`.
fn clock(mut at: At<'_>, now: &Now) -> Option<(Time, usize)> {
    let begins = at;
    let around = at.eat("at around|at about|around|about|at roughly|roughly|at approximately|approximately|some time around|sometime around");
    let after = !around && at.eat("since about|since around|since|after|just after|shortly after|from");
    let before = !around && !after && at.eat("before|until|till|up to|by|just before|shortly before");
    let plain = !around && !after && !before && at.eat("at exactly|at precisely|exactly at|at|back at");
    let named = around || after || before || plain;
    let mut time = of_day(&mut at, named)?;
    time.half = half(&mut at).unwrap_or(time.half);
    if around {
        time.slack = AROUND;
    }
    let side = match () {
        () if begins.sees("just after|shortly after|just before|shortly before|by") => Side::At,
        () if after => Side::After,
        () if before => Side::Before,
        () => Side::At,
    };
    let back = day_back(&mut at);
    let Some(t) = moment(time, now, back) else { return Some((Time::Unplaced, at.i)) };
    Some((
        match side {
            Side::At => clipped(now, t - time.slack, t + time.slack),
            Side::After => clipped(now, t, t.max(now.secs)),
            Side::Before => clipped(now, t.min(0.0), t),
        },
        at.i,
    ))
}

fn clipped(now: &Now, start: f64, end: f64) -> Time {
    now.clip(start, end).map_or_else(|problem| Time::Problem(problem, true), Time::Clock)
}

/// A time of day; without a preposition in front (`named`) only what can be nothing else.
fn of_day(at: &mut At<'_>, named: bool) -> Option<OfDay> {
    let mut here = *at;
    let whole = |secs, half, slack| OfDay { secs, half, slack };
    for (words, hour, half) in [("noon|midday|twelve noon", 12.0, Half::Pm), ("midnight", 0.0, Half::Am)] {
        if at.eat(words) {
            return Some(whole(hour * HOUR, half, ROUNDED));
        }
    }
    // "14h05": how `text::tidy` writes 14:05.
    if let Some((h, m)) = here.word().trim_end_matches("pm").trim_end_matches("am").split_once('h')
        && let (Ok(h), Ok(m)) = (h.parse::<u32>(), m.parse::<u32>())
        && h < 24
        && m < 60
    {
        let half = glued(here.word()).unwrap_or(if h > 12 || h == 0 { Half::Am } else { Half::Either });
        at.i += 1;
        let secs = f64::from(h) * HOUR + f64::from(m) * 60.0;
        // Whole hours and quarters are as likely rounded as not, but who writes minutes looked at a clock.
        return Some(whole(secs, if h > 12 { Half::Either } else { half }, TO_THE_MINUTE));
    }
    if let Some(time) = past_or_to(&mut here, named) {
        *at = here;
        return Some(time);
    }
    let (hour, glued) = hour(&mut here)?;
    let o_clock = here.eat("o'clock|oclock|o clock");
    let mut minutes = here;
    if !o_clock
        && named
        && let Some(m) = amount::plain(&mut minutes).filter(|m| (10.0..60.0).contains(m))
        && amount::unit(&mut minutes.clone()).is_none()
    {
        *at = minutes;
        return Some(whole(hour * HOUR + m * 60.0, Half::Either, TO_THE_MINUTE));
    }
    let sure = o_clock || glued.is_some() || here.sees("am|pm|in the morning|in the afternoon|in the evening");
    let ends = here.is_end()
        || here.sees("what|who|where|which|how|did|was|were|and|to|today|this|yesterday|until|till|have|has");
    if !(sure || (named && ends && hour <= 24.0)) {
        return None;
    }
    *at = here;
    Some(whole(hour * HOUR, glued.unwrap_or(Half::Either), ROUNDED))
}

/// `half past three`, `quarter to nine`, `ten past two`, and the British `half two`.
fn past_or_to(at: &mut At<'_>, named: bool) -> Option<OfDay> {
    let mut here = *at;
    here.eat("a");
    let minutes = match () {
        () if here.eat("half") => 30.0,
        () if here.eat("quarter") => 15.0,
        () => {
            let m = amount::plain(&mut here).filter(|m| (1.0..60.0).contains(m))?;
            here.eat("minutes|minute");
            m
        }
    };
    let sign = match () {
        () if here.eat("past|after") => 1.0,
        () if here.eat("to|till|til|before|of") => -1.0,
        () if named && here.words.get(here.i.wrapping_sub(1)).is_some_and(|w| w == "half") => 1.0,
        () => return None,
    };
    let (hour, half) = hour(&mut here)?;
    here.eat("o'clock");
    // "Ten to fifteen minutes" is a length, not a time of day.
    if hour > 12.0 || amount::unit(&mut here.clone()).is_some() || here.sees("and a half|past|ago") {
        return None;
    }
    *at = here;
    Some(OfDay { secs: hour * HOUR + sign * minutes * 60.0, half: half.unwrap_or(Half::Either), slack: ROUNDED })
}

/// An hour in words or digits, with `3pm` in one word.
fn hour(at: &mut At<'_>) -> Option<(f64, Option<Half>)> {
    let word = at.word();
    if let Some(half) = glued(word) {
        let n: f64 = word.trim_end_matches("pm").trim_end_matches("am").parse().ok()?;
        at.i += 1;
        return (n <= 24.0).then_some((n, Some(half)));
    }
    amount::plain(at).filter(|h| (0.0..=24.0).contains(h)).map(|h| (h, None))
}

fn glued(word: &str) -> Option<Half> {
    let digits = |w: &str| w.starts_with(|c: char| c.is_ascii_digit());
    match () {
        () if word.ends_with("pm") && digits(word) => Some(Half::Pm),
        () if word.ends_with("am") && digits(word) => Some(Half::Am),
        () => None,
    }
}

fn half(at: &mut At<'_>) -> Option<Half> {
    if at.eat("pm|in the afternoon|in the evening|at night|this afternoon|this evening|tonight") {
        return Some(Half::Pm);
    }
    at.eat("am|in the morning|this morning").then_some(Half::Am)
}

/// The day that is named behind a clock time, counted from today.
fn day_back(at: &mut At<'_>) -> Option<f64> {
    if at.eat("yesterday|last night") {
        return Some(-1.0);
    }
    at.eat("today").then_some(0.0)
}

/// When that time of day was, in seconds since the memory began: the latest within the memory, or else the nearest before now or today.
fn moment(time: OfDay, now: &Now, day: Option<f64>) -> Option<f64> {
    let (into, _) = zero(now)?;
    let today = ((into + now.secs) / DAY).floor();
    let hours = |add: f64| time.secs + add * HOUR;
    let base = if time.secs >= 12.0 * HOUR && time.secs < 13.0 * HOUR { time.secs - 12.0 * HOUR } else { time.secs };
    let of_day: Vec<f64> = match time.half {
        Half::Am if time.secs < 13.0 * HOUR => vec![base],
        Half::Pm if time.secs < 13.0 * HOUR => vec![base + 12.0 * HOUR],
        Half::Either if time.secs <= 13.0 * HOUR - 1.0 => vec![base, base + 12.0 * HOUR],
        _ => vec![hours(0.0)],
    };
    let days: Vec<f64> = day.map_or_else(|| vec![today, today - 1.0], |d| vec![today + d]);
    let all = days.iter().flat_map(|d| of_day.iter().map(move |t| d * DAY + t - into));
    let all: Vec<f64> = all.collect();
    let within =
        all.iter().copied().filter(|t| *t + time.slack > 0.0 && *t - time.slack <= now.secs).fold(None, latest);
    let before = || all.iter().copied().filter(|t| *t <= now.secs && *t + into >= today * DAY).fold(None, latest);
    within.or_else(before).or_else(|| all.first().copied())
}

fn latest(best: Option<f64>, t: f64) -> Option<f64> {
    Some(best.map_or(t, |b: f64| b.max(t)))
}

/// `this morning`, `yesterday`, `on monday`.
fn day(mut at: At<'_>, now: &Now) -> Option<(Time, usize)> {
    if now.future && at.eat("tomorrow|next week|next time|later today|later on|later|next year|next month|next") {
        return Some((Time::Problem(TimeProblem::Future, true), at.i));
    }
    at.eat("since|from|on|of");
    let today = zero(now).map(|(into, _)| (((into + now.secs) / DAY).floor(), into));
    for (words, back, from, to) in PARTS {
        if at.eat(words) {
            let place = |(today, into): (f64, f64)| {
                let midnight = (today + back) * DAY - into;
                clipped(now, midnight + from * HOUR, midnight + to * HOUR)
            };
            // Without a clock a day still is one: yesterday is out of reach of a session of an hour.
            let unplaced =
                if *back < 0.0 { clipped(now, now.secs - 2.0 * DAY, now.secs - DAY) } else { Time::Unplaced };
            return Some((today.map_or(unplaced, place), at.i));
        }
    }
    for (words, from, to) in LONG_AGO {
        if at.eat(words) {
            return Some((clipped(now, now.secs + from * DAY, now.secs + to * DAY), at.i));
        }
    }
    weekday(at, now)
}

fn weekday(mut at: At<'_>, now: &Now) -> Option<(Time, usize)> {
    let begins = at.words.get(at.i.wrapping_sub(1)).is_some_and(|w| w == "on") || at.eat("last");
    let named = WEEKDAYS.split('|').position(|d| d == at.word()).filter(|_| begins)?;
    let at = At::new(at.words, at.i + 1);
    let Some((into, first_day)) = zero(now) else { return Some((Time::Unplaced, at.i)) };
    let today = first_day + ((into + now.secs) / DAY).floor() as i64;
    let back = (today - i64::try_from(named).unwrap_or(0)).rem_euclid(7);
    // "On Tuesday", said on a Tuesday: the one before.
    let back = if back == 0 { 7 } else { back };
    #[expect(clippy::cast_precision_loss, reason = "a count of days")]
    let midnight = (today - back - first_day) as f64 * DAY - into;
    Some((clipped(now, midnight, midnight + DAY), at.i))
}

/// Whether a word can stand for a year: `in 1805`.
pub(super) fn is_year(word: &str) -> bool {
    let decade = word.strip_suffix('s').unwrap_or(word);
    decade.len() == 4 && decade.parse::<u32>().is_ok_and(|y| (1000..2100).contains(&y)) && !is_in(word, "1000")
}
