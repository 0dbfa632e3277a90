//! Bounded queues, each with a name and a policy when full.
//!
//! Floor 1. A queue is a data structure: a GStreamer thread and a tokio task can each hold an end.
//! The table of all queues of a session, with capacities and policies, is [`TABLE`]; ARCHITECTURE.md repeats it and a test compares them.

mod outbox;
mod queue;

pub use outbox::{Outbox, OutboxFull, OutboxReader, Weigh, outbox};
pub use queue::{Pushed, Rx, Tx, WhenFull, queue};

/// One row of the queue table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueSpec {
    /// `FROM_TO`.
    pub name: &'static str,
    /// What it carries.
    pub item: &'static str,
    /// Items it holds at most.
    pub capacity: usize,
    /// What happens when it is full.
    pub when_full: &'static str,
}

/// The shared port to one call's stack, per address.
pub const PORT_TO_PEER: QueueSpec = QueueSpec {
    name: "PORT_TO_PEER",
    item: "datagram",
    capacity: 256,
    when_full: "drop newest and count: networks lose packets too",
};
/// Peer to decoder, one for video and one for audio, inside the decoder's push side.
pub const PEER_TO_DECODE: QueueSpec = QueueSpec {
    name: "PEER_TO_DECODE",
    item: "AccessUnit",
    capacity: 32,
    when_full: "drop to the next keyframe and ask for one (PLI, at most 1/s)",
};
/// Peer to session: state changes overtake messages.
pub const PEER_TO_SESSION: QueueSpec = QueueSpec {
    name: "PEER_TO_SESSION",
    item: "data channel message",
    capacity: 64,
    when_full: "the channel is not read and SCTP slows the client down",
};
/// Decoder to watcher.
pub const DECODE_TO_WATCH: QueueSpec =
    QueueSpec { name: "DECODE_TO_WATCH", item: "Picture", capacity: 1, when_full: "newest wins" };
/// Decoder to listener: 10 s of sound.
pub const DECODE_TO_LISTEN: QueueSpec = QueueSpec {
    name: "DECODE_TO_LISTEN",
    item: "Pcm of 40 ms",
    capacity: 250,
    when_full: "refuse and count as an error of ours; speech is never dropped before video",
};
/// Our own voice, as it is played, to the listener: 2 s in pieces of 20 ms.
pub const PLAYED_TO_LISTEN: QueueSpec = QueueSpec {
    name: "PLAYED_TO_LISTEN",
    item: "Pcm as it is played",
    capacity: 100,
    when_full: "drop oldest: nothing is heard that could echo it",
};
/// Watcher to engine.
pub const WATCH_TO_ENGINE: QueueSpec =
    QueueSpec { name: "WATCH_TO_ENGINE", item: "kept Picture", capacity: 1, when_full: "drop oldest" };
/// Session to engine.
pub const SESSION_TO_ENGINE: QueueSpec =
    QueueSpec { name: "SESSION_TO_ENGINE", item: "command", capacity: 64, when_full: "wait" };
/// Engine to session.
pub const ENGINE_TO_SESSION: QueueSpec = QueueSpec {
    name: "ENGINE_TO_SESSION",
    item: "reply",
    capacity: 64,
    when_full: "the session is not scheduled until it drains; tokens are never dropped",
};
/// Session to the voice's thread: a piece of an answer, one of each session at a time.
pub const SESSION_TO_VOICE: QueueSpec =
    QueueSpec { name: "SESSION_TO_VOICE", item: "piece of an answer", capacity: 16, when_full: "wait" };
/// Session to the player of a call: a few sentences at most are asked for ahead of the ear.
pub const SESSION_TO_PLAYER: QueueSpec = QueueSpec {
    name: "SESSION_TO_PLAYER",
    item: "sound of a piece",
    capacity: 16,
    when_full: "drop the piece and count it: it would be heard long after its time",
};
/// Encoder of the voice to the peer's track: a second.
pub const VOICE_TO_PEER: QueueSpec =
    QueueSpec { name: "VOICE_TO_PEER", item: "Opus packet", capacity: 50, when_full: "drop oldest" };
/// Session to one client socket or data channel.
pub const SESSION_TO_SOCKET: QueueSpec = QueueSpec {
    name: "SESSION_TO_SOCKET",
    item: "server event",
    capacity: 256,
    when_full: "adjacent deltas coalesce; past 256 events or 1 MiB close 1013",
};
/// Client socket or data channel to session.
pub const SOCKET_TO_SESSION: QueueSpec = QueueSpec {
    name: "SOCKET_TO_SESSION",
    item: "client event",
    capacity: 64,
    when_full: "refuse with an `error` event",
};

/// Session to a client that is away: what it will be sent when it comes back.
pub const SESSION_TO_JOURNAL: QueueSpec = QueueSpec {
    name: "SESSION_TO_JOURNAL",
    item: "numbered server event",
    capacity: 1024,
    when_full: "past 1024 events or 1 MiB the oldest go, and whoever missed them is told to resync",
};

/// Session to the sender of spans.
pub const SESSION_TO_COLLECTOR: QueueSpec = QueueSpec {
    name: "SESSION_TO_COLLECTOR",
    item: "spans of a turn",
    capacity: 256,
    when_full: "drop newest and count: the collector is slow or gone",
};

/// Every queue on the data path.
pub const TABLE: [QueueSpec; 16] = [
    PORT_TO_PEER,
    PEER_TO_DECODE,
    PEER_TO_SESSION,
    DECODE_TO_WATCH,
    DECODE_TO_LISTEN,
    PLAYED_TO_LISTEN,
    WATCH_TO_ENGINE,
    SESSION_TO_ENGINE,
    ENGINE_TO_SESSION,
    SESSION_TO_VOICE,
    SESSION_TO_PLAYER,
    VOICE_TO_PEER,
    SESSION_TO_SOCKET,
    SOCKET_TO_SESSION,
    SESSION_TO_JOURNAL,
    SESSION_TO_COLLECTOR,
];
