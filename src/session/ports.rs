//! Clients of a session: each has an outbox of its own, so that a slow one harms nobody else.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::actor::Msg;
use super::grant::Grant;
use super::trace::Trace;
use crate::base::LossReason;
use crate::flow::{Outbox, OutboxFull, OutboxReader, SESSION_TO_SOCKET, Weigh, outbox};
use crate::wire::{Extension, ServerEvent, WireError, to_beta};

/// Bytes that may wait for one client.
const MAX_WAITING_BYTES: usize = 1024 * 1024;

impl Weigh for ServerEvent {
    fn bytes(&self) -> usize {
        self.weight()
    }

    fn absorb(&mut self, next: Self) -> Result<(), Self> {
        let Self { event_id, server_event_seq, body } = next;
        self.body.join(body).map_err(|body| Self { event_id, server_event_seq, body })?;
        // Whoever has the joined event has the last of its parts.
        self.server_event_seq = server_event_seq;
        Ok(())
    }
}

/// What a socket has to do next.
#[derive(Debug)]
pub enum Outgoing {
    /// Send this text.
    Event(String),
    /// The client is too slow: close with 1013.
    TooSlow(OutboxFull),
    /// The session ended: close, and say why.
    Ended(String),
}

/// A client's end: text in, events out.
pub struct ClientPort {
    id: u64,
    to_session: mpsc::Sender<Msg>,
    events: OutboxReader<ServerEvent>,
    older_names: bool,
    closed: bool,
    trace: Trace,
    /// The response whose first words were handed out last, and whether that was told.
    words_of: Option<(String, bool)>,
}

/// The session's end of a port.
pub(super) struct Port {
    pub(super) id: u64,
    pub(super) outbox: Outbox<ServerEvent>,
    /// The vendor events this client asked for; it is sent no others.
    pub(super) wants: Vec<Extension>,
    /// The session is this client's: it ends with the port, or waits for it to come back.
    pub(super) owner: bool,
    /// What it may send.
    pub(super) grant: Arc<Grant>,
}

/// What a client's outbox holds besides what every outbox holds: the events that it missed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Room {
    pub(super) events: usize,
    pub(super) bytes: usize,
}

/// Makes both ends. The session of an `owner` ends with the port, unless it is to wait for it.
pub(super) fn port(
    id: u64,
    to_session: mpsc::Sender<Msg>,
    owner: bool,
    wants: Vec<Extension>,
    grant: Arc<Grant>,
    more: Room,
    trace: Trace,
) -> (Port, ClientPort) {
    let (writer, events) = outbox(SESSION_TO_SOCKET.capacity + more.events, MAX_WAITING_BYTES + more.bytes);
    (
        Port { id, outbox: writer, wants, owner, grant },
        ClientPort { id, to_session, events, older_names: false, closed: false, trace, words_of: None },
    )
}

impl ClientPort {
    /// Events go out under their names of before GA from now on, when the client wants that.
    #[must_use]
    pub fn named_as_wanted(mut self, older_names: bool) -> Self {
        self.older_names = older_names;
        self
    }

    /// Hands one message of the client to the session. When the session's queue is full the message is refused with an `error` event.
    pub fn send(&mut self, text: &str) {
        if text.len() > crate::wire::limits::MAX_MESSAGE_BYTES {
            self.refuse("message_too_large", "a message may have 16 MiB at most");
            return;
        }
        let message = Msg::Client { port: self.id, text: text.to_owned() };
        if let Err(mpsc::error::TrySendError::Full(_)) = self.to_session.try_send(message) {
            metrics::counter!("sightline_events_lost_total", "reason" => LossReason::SessionBusy.label()).increment(1);
            self.refuse(
                "session_busy",
                "the session is behind with what it was sent; this event was not taken, send it again shortly",
            );
        }
    }

    /// Asks the session to tell this client that a message was refused.
    pub fn refuse(&mut self, code: &'static str, message: &str) {
        // The queue to the session may be the full one: then the counter has to do.
        let _ = self.to_session.try_send(Msg::Refused { port: self.id, error: WireError::invalid(code, message) });
    }

    /// What to send next. Cancel-safe.
    pub async fn next(&mut self) -> Outgoing {
        // Whoever asks for the next event has written the one before.
        if let Some((id, told @ false)) = &mut self.words_of {
            self.trace.sent(id);
            *told = true;
        }
        loop {
            let event = self.events.recv().await;
            if let Ok(Some(event)) = &event
                && let Some(id) = event.words_of().filter(|id| self.words_of.as_ref().is_none_or(|(of, _)| of != id))
            {
                self.words_of = Some((id.to_owned(), false));
            }
            return match event {
                Ok(Some(event)) if self.older_names => match to_beta(&event) {
                    Some(text) => Outgoing::Event(text),
                    None => continue,
                },
                Ok(Some(event)) => Outgoing::Event(event.to_json()),
                Ok(None) => Outgoing::Ended("the session has ended".into()),
                Err(full) => {
                    metrics::counter!("sightline_events_lost_total", "reason" => LossReason::SlowReader.label())
                        .increment(1);
                    Outgoing::TooSlow(full)
                }
            };
        }
    }

    /// The client said goodbye: its session ends.
    pub fn leave(&mut self) {
        self.end(true);
    }

    /// The client is gone without a word: its session ends, unless it waits for it to come back.
    pub fn close(&mut self) {
        self.end(false);
    }

    fn end(&mut self, left: bool) {
        if self.closed {
            return;
        }
        self.closed = true;
        let message = Msg::Gone { port: self.id, left };
        let to_session = self.to_session.clone();
        // A full queue drains: the session always reads. Waiting for it must not hold up whoever drops the port.
        if let Err(mpsc::error::TrySendError::Full(message)) = to_session.try_send(message)
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(async move {
                let _ = to_session.send(message).await;
            });
        }
    }
}

impl Drop for ClientPort {
    fn drop(&mut self) {
        self.close();
    }
}
