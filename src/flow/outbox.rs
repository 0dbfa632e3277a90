//! The last queue before a client: bounded in events and in bytes; neighbours that can be one event become one.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use thiserror::Error;
use tokio::sync::Notify;

/// What an outbox needs to know about its items.
pub trait Weigh {
    /// Bytes the item will take on the wire, roughly.
    fn bytes(&self) -> usize;
    /// Takes `next` into `self` when both can be one event (adjacent text deltas); hands it back otherwise.
    ///
    /// # Errors
    /// `next` itself, when it must stay an event of its own.
    fn absorb(&mut self, next: Self) -> Result<(), Self>
    where
        Self: Sized;
}

/// The client reads too slowly: the outbox holds all it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("client is {events} events ({bytes} bytes) behind, which is the limit; the connection is closed (1013)")]
pub struct OutboxFull {
    /// Events waiting.
    pub events: usize,
    /// Bytes waiting.
    pub bytes: usize,
}

struct State<T> {
    items: VecDeque<T>,
    bytes: usize,
    closed: bool,
    overflow: Option<OutboxFull>,
}

struct Shared<T> {
    max_events: usize,
    max_bytes: usize,
    state: Mutex<State<T>>,
    changed: Notify,
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The writing end; dropped, it lets the reader drain and end.
pub struct Outbox<T>(Arc<Shared<T>>);

/// The reading end, held by whoever writes to the socket.
pub struct OutboxReader<T>(Arc<Shared<T>>);

/// Makes an outbox bounded by both limits.
#[must_use]
pub fn outbox<T: Weigh>(max_events: usize, max_bytes: usize) -> (Outbox<T>, OutboxReader<T>) {
    let state = State { items: VecDeque::new(), bytes: 0, closed: false, overflow: None };
    let shared = Arc::new(Shared { max_events, max_bytes, state: Mutex::new(state), changed: Notify::new() });
    (Outbox(Arc::clone(&shared)), OutboxReader(shared))
}

impl<T: Weigh> Outbox<T> {
    /// Queues `item`, joined to the one before it where possible.
    ///
    /// # Errors
    /// [`OutboxFull`] once a limit is passed, and for ever after: the reader is to close the connection.
    pub fn push(&self, item: T) -> Result<(), OutboxFull> {
        let result = {
            let mut state = self.0.lock();
            if let Some(full) = state.overflow {
                return Err(full);
            }
            let size = item.bytes();
            if state.items.len() + 1 > self.0.max_events || state.bytes + size > self.0.max_bytes {
                // Joining frees no bytes but an event's place, so it is tried before giving up.
                self.overflow_or_absorb(&mut state, item, size)
            } else {
                state.push(item, size);
                Ok(())
            }
        };
        self.0.changed.notify_one();
        result
    }

    fn overflow_or_absorb(&self, state: &mut State<T>, item: T, size: usize) -> Result<(), OutboxFull> {
        if state.bytes + size <= self.0.max_bytes
            && let Some(last) = state.items.back_mut()
            && last.absorb(item).is_ok()
        {
            state.bytes += size;
            return Ok(());
        }
        let full = OutboxFull { events: state.items.len(), bytes: state.bytes };
        state.overflow = Some(full);
        Err(full)
    }
}

impl<T: Weigh> State<T> {
    fn push(&mut self, item: T, size: usize) {
        self.bytes += size;
        let item = match self.items.back_mut() {
            Some(last) => match last.absorb(item) {
                Ok(()) => return,
                Err(item) => item,
            },
            None => item,
        };
        self.items.push_back(item);
    }
}

impl<T> Drop for Outbox<T> {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.changed.notify_one();
    }
}

impl<T: Weigh> OutboxReader<T> {
    /// The next item; `Ok(None)` when the writer is gone and everything was read.
    ///
    /// # Errors
    /// [`OutboxFull`] when the client fell behind; what was queued is given up.
    pub async fn recv(&mut self) -> Result<Option<T>, OutboxFull> {
        loop {
            let changed = self.0.changed.notified();
            {
                let mut state = self.0.lock();
                if let Some(full) = state.overflow {
                    state.items.clear();
                    return Err(full);
                }
                if let Some(item) = state.items.pop_front() {
                    let size = item.bytes();
                    state.bytes = if state.items.is_empty() { 0 } else { state.bytes.saturating_sub(size) };
                    return Ok(Some(item));
                }
                if state.closed {
                    return Ok(None);
                }
            }
            changed.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, PartialEq, Clone)]
    enum Ev {
        Delta(String),
        Other,
    }

    impl Weigh for Ev {
        fn bytes(&self) -> usize {
            match self {
                Self::Delta(s) => s.len(),
                Self::Other => 10,
            }
        }
        fn absorb(&mut self, next: Self) -> Result<(), Self> {
            match (self, next) {
                (Self::Delta(a), Self::Delta(b)) => {
                    a.push_str(&b);
                    Ok(())
                }
                (_, next) => Err(next),
            }
        }
    }

    proptest! {
        #[test]
        fn text_survives_joining_and_bounds_hold(parts in prop::collection::vec(prop::option::of("[a-z]{1,5}"), 0..60)) {
            let (tx, mut rx) = outbox::<Ev>(8, 64);
            let mut sent = String::new();
            let mut full = false;
            for part in &parts {
                let item = part.as_ref().map_or(Ev::Other, |s| Ev::Delta(s.clone()));
                match tx.push(item) {
                    Ok(()) if !full => sent.push_str(part.as_deref().unwrap_or("|")),
                    Ok(()) => prop_assert!(false, "an outbox that overflowed must stay so"),
                    Err(e) => { prop_assert!(e.events <= 8 && e.bytes <= 64); full = true; }
                }
            }
            drop(tx);
            let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let got = rt.block_on(async {
                let mut got = String::new();
                loop {
                    match rx.recv().await {
                        Ok(Some(Ev::Delta(s))) => got.push_str(&s),
                        Ok(Some(Ev::Other)) => got.push('|'),
                        Ok(None) => return Ok(got),
                        Err(e) => return Err(e),
                    }
                }
            });
            if full { prop_assert!(got.is_err()) } else { prop_assert_eq!(got.unwrap(), sent) }
        }
    }
}
