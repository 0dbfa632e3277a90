//! `Have I shown you this before?`: what is to be seen now, found in the past by its looks.
//!
//! The vector of the newest look is compared with those of what is remembered. What is in view now has been so for a while, and that does
//! not count: the time is walked back over what looks the same without a break.

use std::time::Duration;

use super::conversation::Conversation;
use super::ground::Ground;
use super::past_words::{ago, stamp};
use super::recollect::{Recollected, phrase};
use super::route::Routed;
use crate::base::MediaTime;
use crate::memory::{Hit, Order, Query, Span};

/// Below this similarity (`memory::Hit`) it is another thing that looks a little like it. From `make needle`: photographs shown a second
/// time, held a little differently, against photographs that were never shown.
const SAME: f32 = 0.6;
/// What looks the same and is no further apart than this was one showing.
const JOINED: Duration = Duration::from_secs(5);
/// Steps back over one showing: events last half a minute at most, so this is half an hour.
const MOST_STEPS: usize = 64;

impl Conversation {
    /// When what is to be seen now was there before.
    pub(crate) fn recall_again(&self, routed: &Routed, now: MediaTime) -> (Recollected, Vec<Hit>) {
        let mem_now = self.memory.time(now);
        let (Some(view), Some(_)) = (&self.memory.view, &self.scene) else {
            return (Recollected::refused("I can't see anything at the moment, so I can't compare"), Vec::new());
        };
        match self.seen_before(view, routed.order, mem_now) {
            Some(hit) => (recognised(&hit, mem_now), vec![hit]),
            None => (unknown(), Vec::new()),
        }
    }

    fn seen_before(&self, view: &[f32], order: Order, now: MediaTime) -> Option<Hit> {
        let mut edge = now;
        for _ in 0..MOST_STEPS {
            let last = self.alike_before(view, edge, Order::Last)?;
            if last.span.end + JOINED < edge {
                return if order == Order::First { self.alike_before(view, edge, Order::First) } else { Some(last) };
            }
            if last.span.start >= edge {
                return None;
            }
            edge = last.span.start;
        }
        None
    }

    fn alike_before(&self, view: &[f32], edge: MediaTime, order: Order) -> Option<Hit> {
        let span = Some(Span::new(MediaTime::ZERO, edge));
        let query = Query { span, image: Some(view), most: 1, order, ..Query::default() };
        self.memory.memory.recall(&query).hits.into_iter().next().filter(|hit| hit.similarity >= SAME)
    }
}

fn recognised(hit: &Hit, now: MediaTime) -> Recollected {
    let middle = super::past_words::middle(hit.span);
    let prefix = format!("Yes, I saw this {}, at {} of our session", ago(now.since(middle)), stamp(hit.span.start));
    let what = hit.digest.salient().first().map(|s| format!(" It was taken for {}.", phrase(s))).unwrap_or_default();
    Recollected { ground: Ground::supported(format!("{prefix}.{what}"), prefix), seen: true, cited: vec![0] }
}

fn unknown() -> Recollected {
    let prefix = "No, I don't remember seeing this before";
    let note = "What is to be seen now was not seen before.".to_owned();
    Recollected { ground: Ground { note, ..Ground::not_seen("this before", prefix) }, seen: false, cited: Vec::new() }
}
