//! What a person orders instead of asking: to forget, to stop watching.
//!
//! Forgetting cannot be taken back, so only a sentence that begins with the order counts, and one whose object is a thing or an idiom
//! (`forget it`) does nothing.

use std::time::Duration;

use super::text::{At, strip_lead};
use super::time::{self, Now, Time};
use super::{Command, TimeProblem};

const POLITE: &str = "can you|could you|would you|will you|you can|you may|you should|you must|i want you to|i need you to|\
     i would like you to|i'd like you to|now|please|just|kindly|then|let us|go ahead and|immediately";
const FORGET: &str =
    "forget about|forget|delete|erase|wipe|remove|clear|discard|throw away|get rid of|drop|scrub|purge|unsee";
const ALL: &str = "everything|it all|your memory|all your memory|all of your memory|the memory|all memories|your memories|all you know|\
     everything you know|everything you saw|everything you have seen|everything you remember|all you saw|all you have seen|\
     the whole session|this session|the session|the entire session|all of it|all|what you know|your whole memory|\
     all you remember|my data|all my data|all data|everything so far|everything i said|everything i showed you|all recordings|\
     the recording|all your memories|your entire memory|everything from this session|everything you recorded|the whole thing|\
     everything you have seen so far|everything i have shown you|everything until now|all of your memories|the history";
/// The newest thing: what was just seen or said.
const JUST: &str = "that|this|all of that|what i just said|what i just showed you|what i just did|what you just saw|what you just heard|\
     what just happened|the last bit|the last part|the last thing|the last thing you saw|what i showed you|what you saw|\
     what i said|that last bit|that last part|about that|what was just said|the last thing i said|the last thing i showed you|\
     what you saw just now|what i showed you just now|what just was|that please";
const FILLER: &str =
    "please|now|right now|immediately|for me|thanks|thank you|sightline|ok|okay|at once|again|completely|forever";
/// What may stand between the order and the time: `delete what you saw in the last ten minutes`.
const OBJECT: &str = "everything|anything|all|what|whatever|that|which|you|i|we|saw|see|seen|heard|have|recorded|remember|said|showed|\
     shown|did|happened|was|were|the|your|my|memory|memories|recording|recordings|of|from|video|it|session|data|pictures|images|\
     frames|footage|things|stuff|know|in|there|been|just|conversation|has|and|told|shot|filmed|captured|part|bit";
const STOP: &str = "stop watching|stop looking out|stop looking for|stop keeping an eye|stop alerting|stop notifying|stop warning|\
     stop telling me when|stop monitoring|stop the alert|stop all alerts|stop the alerts|stop waiting for|stop the watch|\
     cancel the alert|cancel all alerts|cancel alerts|cancel my alerts|cancel that alert|cancel the alerts|cancel the watch|\
     cancel all watches|cancel the notification|cancel my alert|cancel notifications|cancel all notifications|cancel the reminder|\
     no more alerts|no need to watch|no longer watch|do not watch|do not alert me|do not notify me|\
     remove the alert|remove all alerts|delete the alert|delete all alerts|turn off the alert|turn off alerts|turn off all alerts|\
     turn off the alerts|stop keeping watch|quit watching|you need not watch";
/// "Forget that": what was seen and said in so many seconds.
const THAT: Duration = Duration::from_secs(60);

/// What is ordered, or why the time that it names cannot be; `None` when it is no order.
pub(super) fn find(words: &[String], now: &Now) -> Option<Result<Command, TimeProblem>> {
    let (words, _) = strip_lead(words);
    let mut at = At::new(words, 0);
    while at.eat(POLITE) {}
    if at.sees(STOP) {
        return Some(Ok(Command::StopWatching));
    }
    if !at.eat(FORGET) {
        return None;
    }
    let object = &words[at.i..];
    let object = &object[..end_of(object)];
    if stands(object, ALL) {
        return Some(Ok(Command::ForgetAll));
    }
    if stands(object, JUST) {
        return Some(Ok(Command::ForgetLast(THAT)));
    }
    let found = time::find(object, now).or_else(|| time::find_vague(object, now))?;
    let before = object[..found.from].iter().chain(&object[found.to..]);
    if !before.clone().all(|w| At::new(std::slice::from_ref(w), 0).sees(OBJECT)) {
        return None;
    }
    Some(match found.time {
        Time::Span(span, _) | Time::Clock(span) | Time::About(span, _) if span.end == now.when.now => {
            Ok(Command::ForgetLast(span.end.since(span.start)))
        }
        Time::Span(span, _) | Time::Clock(span) | Time::About(span, _) => Ok(Command::ForgetSpan(span)),
        Time::Recent(_) => Ok(Command::ForgetLast(THAT)),
        Time::Problem(problem, _) => Err(problem),
        Time::Ever if before.clone().any(|w| w == "everything" || w == "all") => Ok(Command::ForgetAll),
        Time::Earlier(_) | Time::Ever | Time::Unplaced | Time::History => return None,
    })
}

/// Where the object ends and only politeness follows.
fn end_of(object: &[String]) -> usize {
    let polite = |end: usize| {
        At::new(&object[end..], 0).sees(FILLER) && {
            let mut at = At::new(object, end);
            while at.eat(FILLER) {}
            at.is_end()
        }
    };
    (0..object.len()).find(|end| polite(*end)).unwrap_or(object.len())
}

fn stands(object: &[String], phrases: &str) -> bool {
    let mut at = At::new(object, 0);
    at.eat(phrases) && at.is_end()
}
