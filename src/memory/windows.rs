//! What the live and the working tier have to say to a recall.

use std::borrow::Cow;
use std::time::Duration;

use super::Memory;
use super::event::{Keyframe, Said};
use super::ops::Tier;
use super::recall::Candidate;
use super::span::{NodeId, Span};
use crate::base::MediaTime;

/// A span that begins this little before a window begins in it: looks come about once a second.
const SLACK: Duration = Duration::from_secs(2);

/// The looks or slots that overlap `span`, when it begins in the live or in the working window; from the finer of the two.
pub(super) fn candidates(memory: &Memory, span: Span) -> Option<Vec<Candidate<'_>>> {
    let within = |first: Option<MediaTime>| first.is_some_and(|first| first.saturating_sub(SLACK / 2) <= span.start);
    let recent = &memory.recent;
    // The very first second is in the windows from its beginning, however early the span begins.
    let oldest = memory.events().next().map(|e| e.span.start);
    let all = |first: Option<MediaTime>| first.is_some_and(|f| oldest.is_none_or(|o| f <= o + SLACK));
    let (live, slots) = (recent.live.front().map(|g| g.at), recent.working.front().map(|s| s.span.start));
    let out = if within(live) {
        live_ones(memory, span)
    } else if within(slots) || all(slots) {
        slots_of(memory, span)
    } else {
        return None;
    };
    (!out.is_empty()).then_some(out)
}

fn live_ones(memory: &Memory, span: Span) -> Vec<Candidate<'_>> {
    let looks = &memory.recent.live;
    let until = |i: usize| looks.get(i + 1).map_or(memory.newest, |next| next.at);
    let each = looks.iter().enumerate().map(|(i, g)| {
        let span = Span::new(g.at, until(i).max(super::span::after(g.at)));
        let About { event, said, picture } = about(memory, span);
        Candidate {
            event,
            tier: Tier::Live,
            span,
            digest: &g.digest,
            said,
            image: g.image.as_deref(),
            text: None,
            pictures: g.keyframe.as_ref().map_or(picture, std::slice::from_ref),
        }
    });
    each.filter(|c| c.span.overlaps(span)).collect()
}

fn slots_of(memory: &Memory, span: Span) -> Vec<Candidate<'_>> {
    let slots = &memory.recent.working;
    let until = |i: usize| slots.get(i + 1).map_or(memory.newest, |next| next.span.start);
    let each = slots.iter().enumerate().map(|(i, s)| {
        let span = Span::new(s.span.start, until(i).max(s.span.end));
        let About { event, said, picture } = about(memory, span);
        Candidate {
            event,
            tier: Tier::Working,
            span,
            digest: &s.digest,
            said,
            image: s.image.as_deref(),
            text: None,
            pictures: s.keyframe.as_ref().map_or(picture, std::slice::from_ref),
        }
    });
    each.filter(|c| c.span.overlaps(span)).collect()
}

/// What else is known of the time of a look.
struct About<'m> {
    /// The event that it belongs to.
    event: Option<NodeId>,
    /// What was said while it stood.
    said: Cow<'m, [Said]>,
    /// The picture of the event that stood then, for a look whose own was too like it to be kept.
    picture: &'m [Keyframe],
}

fn about(memory: &Memory, span: Span) -> About<'_> {
    let past = memory.past.episodic.iter().rev().take_while(|e| e.span.end > span.start);
    let open = memory.open.as_ref().map(|o| &o.event);
    let events: Vec<_> = open.into_iter().chain(past).filter(|e| e.span.overlaps(span)).collect();
    let event = events.iter().find(|e| e.span.contains(span.start));
    let said = events.iter().rev().flat_map(|e| &e.said).filter(|s| span.contains(s.at)).cloned().collect();
    let picture = event.map_or(&[][..], |e| {
        let stood = e.keyframes.iter().rposition(|k| k.at < span.end);
        stood.map_or(&[][..], |i| &e.keyframes[i..=i])
    });
    About { event: event.map(|e| e.id), said: Cow::Owned(said), picture }
}
