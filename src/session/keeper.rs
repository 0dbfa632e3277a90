//! The session's writer: takes what waits in the [`Backlog`] to the archive about once a second, off the conversation's path.
//!
//! A disk that is full, slow or gone costs the archive, not the conversation: what could not be written is tried again with the next batch.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::actor::Msg;
use super::backlog::{Backlog, count_lost};
use super::shelf::{Identity, Shelf};
use crate::dialogue::Keep;

/// How long what happened may wait before it is written: a crash loses no more than this and one write.
const WRITE_EVERY: Duration = Duration::from_secs(1);
/// The longest wait after failures; each failure doubles the wait up to it.
const PATIENCE: Duration = Duration::from_secs(30);
/// Callers that may wait for a write at one time; one more is answered at once.
const MOST_WAITING: usize = 64;

struct Waiting {
    backlog: Backlog,
    callers: Vec<oneshot::Sender<()>>,
}

struct Shared {
    waiting: Mutex<Waiting>,
    changed: Notify,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The conversation's end.
pub(super) struct KeeperHandle(Arc<Shared>);

impl KeeperHandle {
    /// Hands over what is to be written. Never waits.
    pub(super) fn keep(&self, keeps: Vec<Keep>) {
        count_lost(self.0.lock().backlog.add(keeps));
        self.0.changed.notify_one();
    }

    /// Hands over the session itself, as the bytes of a record; empty: it was ended. Never waits.
    pub(super) fn keep_session(&self, body: Vec<u8>, urgent: bool) {
        let mut waiting = self.0.lock();
        waiting.backlog.session = Some(body);
        waiting.backlog.urgent |= urgent;
        drop(waiting);
        self.0.changed.notify_one();
    }

    /// Answers `reply` once everything handed over so far is on disk.
    pub(super) fn when_written(&self, reply: oneshot::Sender<()>) {
        let mut waiting = self.0.lock();
        if waiting.callers.len() < MOST_WAITING && !waiting.backlog.is_empty() {
            waiting.callers.push(reply);
        } else {
            let _ = reply.send(());
        }
    }
}

/// The task. See [`Keeper::run`].
pub(super) struct Keeper {
    shared: Arc<Shared>,
    shelf: Shelf,
    who: Identity,
    out: mpsc::Sender<Msg>,
    failures: u32,
}

/// Makes both ends.
pub(super) fn keeper(shelf: Shelf, who: Identity, out: mpsc::Sender<Msg>) -> (KeeperHandle, Keeper) {
    let waiting = Mutex::new(Waiting { backlog: Backlog::default(), callers: Vec::new() });
    let shared = Arc::new(Shared { waiting, changed: Notify::new() });
    (KeeperHandle(Arc::clone(&shared)), Keeper { shared, shelf, who, out, failures: 0 })
}

impl Keeper {
    /// Writes until nobody hands over any more (`ended`), and what is left then.
    pub(super) async fn run(mut self, ended: CancellationToken) {
        loop {
            tokio::select! {
                () = self.shared.changed.notified() => {}
                () = ended.cancelled() => break,
            }
            // An order to forget is carried out at once; everything else gathers.
            if !self.is_urgent() {
                tokio::select! {
                    () = tokio::time::sleep(self.pause()) => {}
                    () = self.urgent() => {}
                    () = ended.cancelled() => break,
                }
            }
            self.write().await;
        }
        self.write().await;
    }

    fn pause(&self) -> Duration {
        (WRITE_EVERY * 2_u32.saturating_pow(self.failures)).min(PATIENCE)
    }

    fn is_urgent(&self) -> bool {
        self.failures == 0 && self.shared.lock().backlog.is_urgent()
    }

    async fn urgent(&self) {
        while !self.is_urgent() {
            self.shared.changed.notified().await;
        }
    }

    async fn write(&mut self) {
        let (batch, callers) = {
            let mut waiting = self.shared.lock();
            (std::mem::take(&mut waiting.backlog), std::mem::take(&mut waiting.callers))
        };
        if batch.is_empty() {
            return;
        }
        let (shelf, who) = (self.shelf.clone(), self.who.clone());
        let written = tokio::task::spawn_blocking(move || match shelf.write(&who, &batch) {
            Ok(view) => Ok(view),
            Err(e) => Err((e, batch)),
        });
        match written.await {
            Ok(Ok(view)) => {
                self.failures = 0;
                let _ = self.out.try_send(Msg::Archive(view));
            }
            Ok(Err((e, batch))) => self.on_failure(&e.to_string(), batch),
            Err(e) => tracing::error!(error = %e, "writing the archive failed"),
        }
        for caller in callers {
            let _ = caller.send(());
        }
    }

    fn on_failure(&mut self, why: &str, batch: Backlog) {
        metrics::counter!("sightline_archive_errors_total").increment(1);
        // Once when it begins; the counter tells the rest.
        if self.failures == 0 {
            tracing::error!(error = why, memory = %self.who.name, "the archive cannot be written; the conversation goes on without it");
        }
        self.failures = self.failures.saturating_add(1);
        count_lost(self.shared.lock().backlog.put_back(batch));
        self.shared.changed.notify_one();
    }
}
