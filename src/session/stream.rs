//! What a session sends, to whom, and what is kept of it for a client that comes back.
//!
//! A session belongs to one client, its *holder*; others may look on. Where the holder asked for `resume`, each event for it gets a number and a
//! place in the [`Journal`], which is bounded in events and bytes: the oldest go, and whoever missed them is told.

use std::collections::VecDeque;

use super::ports::Port;
use crate::flow::SESSION_TO_JOURNAL;
use crate::wire::{Extension, ServerBody, ServerEvent};

/// Bytes of events that may be kept for a client that comes back.
const MAX_JOURNAL_BYTES: usize = 1024 * 1024;

/// Events that are gone although the client has not seen them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gap {
    /// How many; `None` when that cannot be known.
    pub(super) missed: Option<u64>,
}

/// The newest numbered events.
#[derive(Debug)]
pub(super) struct Journal {
    /// Oldest first, their numbers without a gap, with their weights.
    events: VecDeque<(ServerEvent, usize)>,
    bytes: usize,
    max_events: usize,
    max_bytes: usize,
    /// The number of the newest event; what is kept ends with it.
    newest: u64,
}

impl Journal {
    /// An empty one that goes on after the number `newest`.
    pub(super) fn after_number(newest: u64) -> Self {
        Self::bounded(SESSION_TO_JOURNAL.capacity, MAX_JOURNAL_BYTES, newest)
    }

    fn bounded(max_events: usize, max_bytes: usize, newest: u64) -> Self {
        Self { events: VecDeque::new(), bytes: 0, max_events, max_bytes, newest }
    }

    /// Gives an event the next number and keeps it.
    fn push(&mut self, mut event: ServerEvent) -> ServerEvent {
        self.newest += 1;
        event.server_event_seq = Some(self.newest);
        let weight = event.weight();
        self.bytes += weight;
        self.events.push_back((event.clone(), weight));
        while self.events.len() > self.max_events || self.bytes > self.max_bytes {
            self.drop_oldest();
        }
        event
    }

    fn drop_oldest(&mut self) {
        if let Some((_, weight)) = self.events.pop_front() {
            self.bytes -= weight;
        }
    }

    /// The number of the newest event.
    pub(super) const fn newest(&self) -> u64 {
        self.newest
    }

    /// The newest number that is no longer kept.
    fn gone_to(&self) -> u64 {
        self.newest - self.events.len() as u64
    }

    /// The client has everything up to this number. False: it cannot, there is no such event yet.
    pub(super) fn ack(&mut self, seq: u64) -> bool {
        while self.gone_to() < seq.min(self.newest) {
            self.drop_oldest();
        }
        seq <= self.newest
    }

    /// What a client with everything up to `seq` has missed, as far as it is still here; and whether there was more.
    pub(super) fn since(&self, seq: u64) -> (impl Iterator<Item = &ServerEvent>, Option<Gap>) {
        let gone = self.gone_to();
        let gap = match seq {
            // It has seen what was never sent: another session's numbers, or those of a server that lost some.
            ahead if ahead > self.newest => Some(Gap { missed: None }),
            behind if behind < gone => Some(Gap { missed: Some(gone - behind) }),
            _ => None,
        };
        let skip = usize::try_from(seq.saturating_sub(gone)).unwrap_or(usize::MAX);
        // A client that is ahead is told to ask anew; there is nothing to send again.
        (self.events.iter().skip(skip).map(|(event, _)| event), gap)
    }
}

/// The clients of a session.
#[derive(Default)]
pub(super) struct Stream {
    ports: Vec<Port>,
    /// The client that the session belongs to, even while it is away.
    holder: Option<u64>,
    /// What the holder asked for.
    wants: Vec<Extension>,
    journal: Option<Journal>,
}

impl Stream {
    /// One whose holder is away, after a restart.
    pub(super) fn of_absent(wants: Vec<Extension>, newest: u64) -> Self {
        Self { ports: Vec::new(), holder: None, wants, journal: Some(Journal::after_number(newest)) }
    }

    /// Adds a client and greets it; the first that owns the session is its holder.
    pub(super) fn attach(&mut self, port: Port, greeting: Vec<ServerEvent>) {
        let owner = port.owner;
        if owner {
            self.holder = Some(port.id);
            self.wants.clone_from(&port.wants);
        }
        let greeted = greeting.into_iter().all(|event| {
            let event = if owner { self.numbered(event) } else { event };
            port.outbox.push(event).is_ok()
        });
        if greeted {
            self.ports.push(port);
        }
    }

    fn numbered(&mut self, event: ServerEvent) -> ServerEvent {
        match &mut self.journal {
            Some(journal) if !event.body.is_passing() => journal.push(event),
            _ => event,
        }
    }

    /// Begins to keep what the holder is sent.
    pub(super) fn keep(&mut self) {
        self.journal.get_or_insert_with(|| Journal::after_number(0));
    }

    /// Keeps nothing any longer.
    pub(super) fn keep_nothing(&mut self) {
        self.journal = None;
    }

    /// Whether this client is one of the session.
    pub(super) fn knows(&self, port: u64) -> bool {
        self.ports.iter().any(|p| p.id == port)
    }

    /// Whether this client's key allows events of this type.
    pub(super) fn allows(&self, port: u64, kind: &str) -> bool {
        self.ports.iter().all(|p| p.id != port || p.grant.allows_event(kind))
    }

    /// Whether this is the holder's port.
    pub(super) fn is_holder(&self, port: u64) -> bool {
        self.holder == Some(port)
    }

    /// Whether the holder is connected.
    pub(super) fn is_held(&self) -> bool {
        self.ports.iter().any(|p| self.holder == Some(p.id))
    }

    /// What the holder asked for.
    pub(super) fn wants(&self) -> &[Extension] {
        &self.wants
    }

    /// The number of the newest event; 0 where none are numbered.
    pub(super) fn newest(&self) -> u64 {
        self.journal.as_ref().map_or(0, Journal::newest)
    }

    /// The holder has everything up to this number; false when there is no such event.
    pub(super) fn ack(&mut self, seq: u64) -> bool {
        self.journal.as_mut().is_none_or(|j| j.ack(seq))
    }

    /// A client asks for these vendor events from now on. Gives back what any of them asks for.
    pub(super) fn want(&mut self, from: u64, asked: &[Extension]) -> Vec<Extension> {
        if self.is_holder(from) {
            self.wants = asked.to_vec();
        }
        for port in self.ports.iter_mut().filter(|p| p.id == from) {
            port.wants = asked.to_vec();
        }
        let mut all: Vec<_> = self.ports.iter().flat_map(|p| p.wants.iter().copied()).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// A client went. True: the holder.
    pub(super) fn leave(&mut self, port: u64) -> bool {
        self.ports.retain(|p| p.id != port);
        self.is_holder(port)
    }

    /// Errors go to the client that caused them, vendor events to those who asked, everything else to all.
    pub(super) fn send(&mut self, event: ServerEvent, from: Option<u64>) {
        let only = from.filter(|_| matches!(event.body, ServerBody::Error { .. }));
        let vendor = event.body.extension();
        let fits =
            |id: u64, wants: &[Extension]| only.is_none_or(|o| o == id) && vendor.is_none_or(|e| wants.contains(&e));
        // Before a restored session's holder is back it has no port, and everything that is not another's mistake is for it.
        let absent = self.holder.is_none() && only.is_none() && vendor.is_none_or(|e| self.wants.contains(&e));
        let mine = absent || self.holder.is_some_and(|id| fits(id, &self.wants));
        let numbered = (mine && self.journal.is_some()).then(|| self.numbered(event.clone()));
        let holder = self.holder;
        self.ports.retain(|port| {
            if !fits(port.id, &port.wants) {
                return true;
            }
            let event = numbered.as_ref().filter(|_| holder == Some(port.id)).unwrap_or(&event);
            port.outbox.push(event.clone()).is_ok()
        });
    }

    /// Tells the holder something about its connection: not numbered, since it concerns no other.
    pub(super) fn tell_holder(&mut self, event: ServerEvent) {
        let holder = self.holder;
        self.ports.retain(|p| holder != Some(p.id) || p.outbox.push(event.clone()).is_ok());
    }

    /// The same to every client that asked for `resume`.
    pub(super) fn tell_all(&mut self, event: &ServerEvent) {
        let asked = |p: &Port| p.wants.contains(&Extension::Resume);
        self.ports.retain(|p| !asked(p) || p.outbox.push(event.clone()).is_ok());
    }

    /// How many events, and how many bytes of them, somebody would be sent who has everything up to `seq`.
    pub(super) fn missed(&self, seq: u64) -> (usize, usize) {
        let Some(journal) = &self.journal else { return (0, 0) };
        journal.since(seq).0.fold((0, 0), |(n, bytes), event| (n + 1, bytes + event.weight()))
    }

    /// What is gone of that for good.
    pub(super) fn gap(&self, seq: u64) -> Option<Gap> {
        self.journal.as_ref().and_then(|j| j.since(seq).1)
    }

    /// The holder is back: first `news` about that, then what it missed. Its port must have room for both.
    pub(super) fn come_back(&mut self, port: Port, news: Vec<ServerEvent>, seq: u64) {
        self.holder = Some(port.id);
        self.wants.clone_from(&port.wants);
        let missed = self.journal.iter().flat_map(|j| j.since(seq).0.cloned());
        if news.into_iter().chain(missed).all(|event| port.outbox.push(event).is_ok()) {
            self.ports.push(port);
        }
    }

    /// Closes the holder's connection with a last word.
    pub(super) fn close_holder(&mut self, last: ServerEvent) {
        self.tell_holder(last);
        let holder = self.holder;
        self.ports.retain(|p| holder != Some(p.id));
    }
}

#[cfg(test)]
mod tests;
