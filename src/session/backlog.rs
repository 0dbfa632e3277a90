//! What a session has yet to write to the archive: bounded, newest first, never in the way of the conversation.
//!
//! An event is written whole each time it changes, so only its newest state waits. Pictures wait up to a bound; when the disk is that far
//! behind, the oldest go, counted. What is to be forgotten never waits behind anything and is never given up.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use crate::base::{LossReason, MediaTime};
use crate::dialogue::Keep;
use crate::memory::{Event, KeyframeId, NodeId, Span};

/// Pictures that may wait: half a minute of a busy scene.
const MOST_PICTURES: usize = 64;
/// Spans to be forgotten that may wait; more become one that covers them all.
const MOST_SPANS: usize = 32;

/// A picture on its way to the disk.
#[derive(Debug, Clone)]
pub(super) struct Picture {
    pub(super) id: KeyframeId,
    pub(super) event: NodeId,
    pub(super) at: MediaTime,
    pub(super) jpeg: Bytes,
}

/// What is to be forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Forgetting {
    /// Nothing.
    #[default]
    Nothing,
    /// These spans.
    Spans(Vec<Span>),
    /// Everything that was written.
    All,
}

/// What waits. See the module.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    /// Before everything else.
    pub(super) forget: Forgetting,
    /// Newest state of each event; `None`: it is no more.
    pub(super) events: BTreeMap<NodeId, Option<Box<Event>>>,
    pub(super) pictures: VecDeque<Picture>,
    /// The newest state of the session itself, as the bytes of a record; empty: it was ended.
    pub(super) session: Option<Vec<u8>>,
    /// It should not wait: a token was handed out that only this lets in.
    pub(super) urgent: bool,
}

impl Backlog {
    pub(super) fn is_empty(&self) -> bool {
        let nothing = self.events.is_empty() && self.pictures.is_empty() && self.session.is_none();
        nothing && self.forget == Forgetting::Nothing
    }

    /// Whether it should be written at once.
    pub(super) fn is_urgent(&self) -> bool {
        self.urgent || self.forget != Forgetting::Nothing
    }

    /// Adds what the conversation wants kept; gives back how many pictures had to go for it.
    pub(super) fn add(&mut self, keeps: Vec<Keep>) -> usize {
        let mut lost = 0;
        for keep in keeps {
            match keep {
                Keep::Event(event) => {
                    self.events.insert(event.id, Some(event));
                }
                Keep::Drop(id) => {
                    self.events.insert(id, None);
                }
                Keep::Picture { id, event, at, jpeg } => {
                    self.pictures.push_back(Picture { id, event, at, jpeg });
                    while self.pictures.len() > MOST_PICTURES {
                        self.pictures.pop_front();
                        lost += 1;
                    }
                }
                Keep::Forget(span) => self.forget(span),
            }
        }
        lost
    }

    fn forget(&mut self, span: Option<Span>) {
        let Some(span) = span else {
            *self = Self { forget: Forgetting::All, ..Self::default() };
            return;
        };
        self.pictures.retain(|p| !span.contains(p.at));
        match &mut self.forget {
            Forgetting::All => {}
            Forgetting::Nothing => self.forget = Forgetting::Spans(vec![span]),
            Forgetting::Spans(spans) if spans.len() >= MOST_SPANS => {
                let all = spans.iter().fold(span, |a, b| a.union(*b));
                *spans = vec![all];
            }
            Forgetting::Spans(spans) => spans.push(span),
        }
    }

    /// What could not be written comes back, unless something newer waits already; pictures are given up. Gives back how many.
    pub(super) fn put_back(&mut self, failed: Self) -> usize {
        let Self { forget, events, pictures, session, urgent: _ } = failed;
        self.session = self.session.take().or(session);
        for (id, event) in events {
            self.events.entry(id).or_insert(event);
        }
        match forget {
            Forgetting::Nothing => {}
            Forgetting::All => self.forget = Forgetting::All,
            Forgetting::Spans(spans) => spans.into_iter().for_each(|s| self.forget_again(s)),
        }
        pictures.len()
    }

    /// Like [`Self::forget`], for a span that was to be forgotten before what waits now came: it takes nothing of that away.
    fn forget_again(&mut self, span: Span) {
        let pictures = std::mem::take(&mut self.pictures);
        self.forget(Some(span));
        self.pictures = pictures;
    }
}

/// Counts pictures that never reached the disk.
pub(super) fn count_lost(pictures: usize) {
    if pictures > 0 {
        metrics::counter!("sightline_archive_lost_total", "reason" => LossReason::ArchiveBehind.label())
            .increment(pictures as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(id: u64, ms: u64) -> Keep {
        Keep::Picture {
            id: KeyframeId(id),
            event: NodeId(1),
            at: MediaTime::from_millis(ms),
            jpeg: Bytes::from_static(b"x"),
        }
    }

    fn span(a: u64, b: u64) -> Span {
        Span { start: MediaTime::from_millis(a), end: MediaTime::from_millis(b) }
    }

    #[test]
    fn a_disk_that_stands_still_costs_the_oldest_pictures_and_no_more_memory() {
        let mut b = Backlog::default();
        let lost: usize = (0..1_000).map(|i| b.add(vec![picture(i, i)])).sum();
        assert_eq!((b.pictures.len(), lost), (MOST_PICTURES, 1_000 - MOST_PICTURES));
        assert_eq!(b.pictures.back().map(|p| p.id), Some(KeyframeId(999)));
    }

    #[test]
    fn what_is_to_be_forgotten_is_not_written_first_and_is_never_given_up() {
        let mut b = Backlog::default();
        b.add(vec![picture(1, 100), picture(2, 900), Keep::Drop(NodeId(4))]);
        b.add(vec![Keep::Forget(Some(span(0, 500)))]);
        assert_eq!(b.pictures.iter().map(|p| p.id.0).collect::<Vec<_>>(), [2]);
        for i in 0..100 {
            b.add(vec![Keep::Forget(Some(span(i * 1_000, i * 1_000 + 10)))]);
        }
        let Forgetting::Spans(spans) = &b.forget else { panic!("{:?}", b.forget) };
        assert!(spans.len() <= MOST_SPANS + 1);
        assert!((0..100).all(|i| spans.iter().any(|s| s.contains(MediaTime::from_millis(i * 1_000 + 5)))));
        b.add(vec![Keep::Forget(None)]);
        assert!(b.forget == Forgetting::All && b.events.is_empty() && b.pictures.is_empty());
    }

    #[test]
    fn what_failed_comes_back_behind_what_is_newer() {
        let mut failed = Backlog::default();
        failed.add(vec![Keep::Drop(NodeId(1)), picture(7, 5), Keep::Forget(Some(span(0, 2)))]);
        let mut b = Backlog::default();
        b.add(vec![picture(8, 1)]);
        assert_eq!(b.put_back(failed), 1);
        assert!(b.events.contains_key(&NodeId(1)));
        assert_eq!(b.pictures.len(), 1, "a picture that came after the order to forget stays");
        assert_eq!(b.forget, Forgetting::Spans(vec![span(0, 2)]));
    }
}
