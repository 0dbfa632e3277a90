//! A bounded queue whose sender never blocks: what happens when it is full is part of its type.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::QueueSpec;

/// What a full queue does with one more item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenFull {
    /// The oldest item makes room. With capacity 1: newest wins.
    DropOldest,
    /// The new item is handed back.
    Refuse,
}

/// What became of a pushed item.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a displaced or refused item is a loss and must be counted"]
pub enum Pushed<T> {
    /// It is in the queue.
    Stored,
    /// It is in the queue; this older item made room.
    Displaced(T),
    /// The queue is full; here it is back.
    Refused(T),
    /// The reader is gone; here it is back.
    Closed(T),
}

struct State<T> {
    items: VecDeque<T>,
    senders: usize,
    reader_gone: bool,
}

struct Shared<T> {
    spec: QueueSpec,
    when_full: WhenFull,
    state: Mutex<State<T>>,
    filled: Notify,
}

impl<T> Shared<T> {
    // A panic while the lock was held cannot leave a VecDeque half-pushed in a way that matters here, so a poisoned lock is used as it is.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The sending end.
pub struct Tx<T>(Arc<Shared<T>>);

/// The receiving end.
pub struct Rx<T>(Arc<Shared<T>>);

/// Makes a queue of `spec.capacity` items (at least one).
#[must_use]
pub fn queue<T>(spec: QueueSpec, when_full: WhenFull) -> (Tx<T>, Rx<T>) {
    let state = State { items: VecDeque::with_capacity(spec.capacity.max(1)), senders: 1, reader_gone: false };
    let shared = Arc::new(Shared { spec, when_full, state: Mutex::new(state), filled: Notify::new() });
    (Tx(Arc::clone(&shared)), Rx(shared))
}

impl<T> Tx<T> {
    /// Puts `item` into the queue or says what became of it. Never blocks.
    pub fn push(&self, item: T) -> Pushed<T> {
        let outcome = {
            let mut state = self.0.lock();
            if state.reader_gone {
                return Pushed::Closed(item);
            }
            if state.items.len() < self.0.spec.capacity.max(1) {
                state.items.push_back(item);
                Pushed::Stored
            } else if self.0.when_full == WhenFull::Refuse {
                return Pushed::Refused(item);
            } else {
                let oldest = state.items.pop_front();
                state.items.push_back(item);
                oldest.map_or(Pushed::Stored, Pushed::Displaced)
            }
        };
        self.0.filled.notify_one();
        outcome
    }

    /// Items waiting.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.0.lock().items.len()
    }

    /// The queue's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.0.spec.name
    }
}

impl<T> Clone for Tx<T> {
    fn clone(&self) -> Self {
        self.0.lock().senders += 1;
        Self(Arc::clone(&self.0))
    }
}

impl<T> Drop for Tx<T> {
    fn drop(&mut self) {
        let last = {
            let mut state = self.0.lock();
            state.senders -= 1;
            state.senders == 0
        };
        if last {
            self.0.filled.notify_one();
        }
    }
}

impl<T> Rx<T> {
    /// The next item, or `None` when every sender is gone and the queue is empty. Cancel-safe: no item is lost when the future is dropped.
    pub async fn recv(&mut self) -> Option<T> {
        loop {
            let notified = self.0.filled.notified();
            {
                let mut state = self.0.lock();
                if let Some(item) = state.items.pop_front() {
                    return Some(item);
                }
                if state.senders == 0 {
                    return None;
                }
            }
            notified.await;
        }
    }

    /// The next item if there is one now.
    pub fn try_recv(&mut self) -> Option<T> {
        self.0.lock().items.pop_front()
    }
}

impl<T> Drop for Rx<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.reader_gone = true;
        state.items.clear();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spec(capacity: usize) -> QueueSpec {
        QueueSpec { name: "TEST", item: "u32", capacity, when_full: "-" }
    }

    proptest! {
        #[test]
        fn drop_oldest_keeps_the_newest_in_order(capacity in 1usize..8, n in 0u32..40) {
            let (tx, mut rx) = queue(spec(capacity), WhenFull::DropOldest);
            let mut lost = Vec::new();
            for i in 0..n {
                match tx.push(i) {
                    Pushed::Stored => {}
                    Pushed::Displaced(old) => lost.push(old),
                    other => prop_assert!(false, "{other:?}"),
                }
                prop_assert!(tx.depth() <= capacity);
            }
            let mut got = Vec::new();
            while let Some(i) = rx.try_recv() { got.push(i); }
            lost.extend(got);
            prop_assert_eq!(lost, (0..n).collect::<Vec<_>>(), "nothing is lost uncounted or reordered");
        }

        #[test]
        fn refuse_hands_back_exactly_what_does_not_fit(capacity in 1usize..8, n in 0u32..40) {
            let (tx, mut rx) = queue(spec(capacity), WhenFull::Refuse);
            let refused: Vec<u32> = (0..n).filter(|&i| matches!(tx.push(i), Pushed::Refused(_))).collect();
            let mut got = Vec::new();
            while let Some(i) = rx.try_recv() { got.push(i); }
            prop_assert_eq!(got.len(), (n as usize).min(capacity));
            prop_assert_eq!(refused.len() + got.len(), n as usize);
        }
    }

    #[tokio::test]
    async fn the_reader_ends_when_the_last_sender_goes_and_the_sender_learns_that_the_reader_went() {
        let (tx, mut rx) = queue(spec(2), WhenFull::Refuse);
        let other = tx.clone();
        assert_eq!(tx.push(1), Pushed::Stored);
        drop(tx);
        assert_eq!(rx.recv().await, Some(1));
        let waiter = tokio::spawn(async move { (rx.recv().await, rx) });
        tokio::task::yield_now().await;
        drop(other);
        let (end, rx) = waiter.await.unwrap();
        assert_eq!(end, None);
        drop(rx);
        let (tx, rx) = queue(spec(2), WhenFull::Refuse);
        drop(rx);
        assert_eq!(tx.push(7), Pushed::Closed(7));
    }
}
