//! What a peer tells its session.

use tokio::sync::mpsc;

/// State changes that may wait; a peer makes a handful in its life.
const STATES: usize = 32;
/// Client messages that may wait. When full, the data channel is not read and SCTP slows the client down.
const MESSAGES: usize = crate::flow::PEER_TO_SESSION.capacity;

/// Something that happened to a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerEvent {
    /// The transport is up, or up again.
    Connected,
    /// Nothing has been heard from the client for a while; it may come back.
    Disconnected {
        /// For logs and for the user.
        reason: String,
    },
    /// The connection is lost for good: close the peer.
    Failed {
        /// For logs and for the user.
        reason: String,
    },
    /// The peer is closed. Always the last event.
    Closed,
    /// The client opened a data channel.
    DataOpen {
        /// Its label.
        label: String,
    },
    /// A text message on the event channel.
    DataMessage(String),
    /// The client closed the event channel: usually the first sign that it hung up.
    DataClosed {
        /// Its label.
        label: String,
    },
    /// The first packet of a track came.
    TrackOpen {
        /// `audio` or `video`.
        kind: &'static str,
    },
    /// A track ended although the peer is not closed.
    TrackClosed {
        /// `audio` or `video`.
        kind: &'static str,
    },
}

/// The events of one peer, in order; state changes overtake messages.
#[derive(Debug)]
pub struct PeerEvents {
    states: mpsc::Receiver<PeerEvent>,
    messages: mpsc::Receiver<PeerEvent>,
    done: bool,
}

/// Where the peer's tasks put events.
#[derive(Debug, Clone)]
pub(super) struct EventSender {
    states: mpsc::Sender<PeerEvent>,
    messages: mpsc::Sender<PeerEvent>,
}

pub(super) fn channel() -> (EventSender, PeerEvents) {
    // PEER_TO_SESSION: states never wait for a reader, messages do.
    let (states, states_rx) = mpsc::channel(STATES);
    let (messages, messages_rx) = mpsc::channel(MESSAGES);
    (EventSender { states, messages }, PeerEvents { states: states_rx, messages: messages_rx, done: false })
}

impl PeerEvents {
    /// The next event; `None` after [`PeerEvent::Closed`]. Cancel-safe.
    pub async fn next(&mut self) -> Option<PeerEvent> {
        if self.done {
            return None;
        }
        let event = tokio::select! {
            biased;
            event = self.states.recv() => event,
            Some(event) = self.messages.recv() => Some(event),
        };
        // All senders gone means closed, whether or not there was time to say so.
        let event = event.unwrap_or(PeerEvent::Closed);
        self.done = event == PeerEvent::Closed;
        Some(event)
    }
}

impl EventSender {
    /// Reports a state change. Never waits, because the connection's own driver calls it.
    pub(super) fn state(&self, event: PeerEvent) {
        if let Err(error) = self.states.try_send(event) {
            tracing::debug!(%error, "peer event not delivered: its session is closing or does not read");
        }
    }

    /// Passes a message on, waiting for room.
    pub(super) async fn message(&self, event: PeerEvent) -> bool {
        self.messages.send(event).await.is_ok()
    }
}
