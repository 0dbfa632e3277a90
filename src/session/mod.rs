//! Wiring of one conversation, and the registry of all of them.
//!
//! Floor 4. [`Sessions`] is the front door: it admits, wires, finds and ends conversations. What a conversation *does* is
//! decided by `dialogue::Conversation`; what it is made of stands in `wiring.rs`, in one screenful.

mod actor;
mod answering;
mod backlog;
mod call;
mod capacity;
mod error;
mod grant;
mod hearing;
mod holder;
mod keeper;
mod lifetime;
mod memories;
mod pacer;
mod player;
mod ports;
mod recollections;
mod registry;
mod returning;
mod shelf;
mod stay;
mod stream;
mod trace;
mod watcher;
mod wiring;
mod work;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

pub use capacity::MemoryLeft;
pub use error::SessionError;
pub use grant::{Grant, Restrictions, is_origin};
pub use memories::Memories;
pub use ports::{ClientPort, Outgoing};
pub use registry::Sessions;
pub use shelf::Shelf;
pub use trace::Exported;
pub use watcher::WatchConfig;
pub use wiring::{MediaIn, Recorded};

use crate::base::{ClientId, Clock};
use crate::budget::{AdmissionConfig, Deadlines, LadderConfig};
use crate::decode::DecodeConfig;
use crate::dialogue::{Limits, TokenCounter, patience};
use crate::engine::EngineHandle;
use crate::ingest::{IngestConfig, Ports};
use crate::listen::{EchoCancel, ListenConfig, SpeechProbability};
use crate::model::llm::Sampling;
use crate::wire::{Extension, Names, TurnDetection, TurnPatch};

/// Makes a voice activity model for one session.
pub type MakeVad = Arc<dyn Fn() -> Box<dyn SpeechProbability> + Send + Sync>;

/// Makes an echo canceller for one session.
pub type MakeEcho = Arc<dyn Fn() -> Box<dyn EchoCancel> + Send + Sync>;

/// What all conversations share.
#[derive(Clone)]
pub struct Services {
    /// The device.
    pub engine: EngineHandle,
    /// The one clock.
    pub clock: Arc<dyn Clock>,
    /// How peers connect.
    pub ingest: IngestConfig,
    /// Ports for media.
    pub ports: Ports,
    /// How media is decoded.
    pub decode: DecodeConfig,
    /// Voice activity, one per session.
    pub vad: MakeVad,
    /// Echo cancellation, one per session.
    pub echo: MakeEcho,
    /// Listening defaults.
    pub listen: ListenConfig,
    /// Watching.
    pub watch: WatchConfig,
    /// Names that can be put in force.
    pub names: Names,
    /// Role and name of every model, for `/version` and `/v1/models`.
    pub models: BTreeMap<&'static str, String>,
    /// What is missing; empty when everything is there.
    pub missing: Vec<String>,
    /// Bounds of a conversation.
    pub limits: Limits,
    /// Deadlines of the stages.
    pub deadlines: Deadlines,
    /// How fast the ladder is left again.
    pub ladder: LadderConfig,
    /// How answers are sampled.
    pub sampling: Sampling,
    /// Counts tokens as the answering model does.
    pub count: TokenCounter,
    /// Conversations at once.
    pub max_sessions: usize,
    /// Who is let in by what work costs; `None`: only places are counted.
    pub admission: Option<AdmissionConfig>,
    /// Where the newest turns of each session are written when it ends; `None`: nowhere.
    pub trace_dir: Option<PathBuf>,
    /// Where the spans of turns are sent from, SESSION_TO_COLLECTOR; `None`: nowhere.
    pub collector: Option<mpsc::Sender<Exported>>,
    /// Main memory that can still be had.
    pub memory_left: MemoryLeft,
    /// Longest conversation; `None`: it ends when its clients are gone.
    pub max_session: Option<Duration>,
    /// How long a conversation waits for a client that asked for `resume` and is gone; zero: not at all.
    pub resume_grace: Duration,
    /// Instructions in force when the client gives none.
    pub instructions: Option<String>,
    /// What sessions remember with.
    pub memories: Arc<Memories>,
}

/// What a client asked for when it came.
#[derive(Debug, Clone, Default)]
pub struct OpenOptions {
    /// Model named; the effective one is shown in `session.created`.
    pub model: Option<String>,
    /// Extensions to switch on.
    pub extensions: Vec<String>,
    /// The `session` object that came with the offer, as JSON.
    pub session: Option<String>,
    /// Access token of a memory that is to go on.
    pub memory: Option<String>,
    /// The client's offset from UTC in minutes, for clock times in questions.
    pub utc_offset_minutes: i32,
    /// The token of a session to come back to.
    pub resume: Option<String>,
    /// The number of the newest event that the client has of it.
    pub last_seq: u64,
    /// The name that the call is to have in the place of a made one.
    pub call_name: Option<String>,
    /// What whoever asks may do.
    pub grant: Arc<Grant>,
    /// From which network address, where it is known.
    pub address: Option<IpAddr>,
    /// The client of a call wants events under their names of before GA.
    pub older_names: bool,
}

impl OpenOptions {
    fn client(&self) -> ClientId {
        ClientId::new(self.grant.holder(), self.address)
    }

    /// The extensions that this server has.
    fn wants(&self) -> Vec<Extension> {
        Extension::parse_list(&self.extensions.join(","))
    }
}

/// A call that was accepted.
#[derive(Debug, Clone)]
pub struct Call {
    /// `rtc_…`.
    pub call_id: String,
    /// The SDP answer.
    pub answer: String,
}

/// Silence after which words are read that decide whether the turn is over. The voice detector itself holds on for about 100 ms.
const READ_AFTER: Duration = Duration::from_millis(48);

/// The listener's settings under a client's `turn_detection`; without it the client commits its turns itself.
#[must_use]
pub fn listen_settings(defaults: &ListenConfig, turn: Option<&TurnDetection>) -> ListenConfig {
    let Some(turn) = turn else {
        return ListenConfig { turn_detection: crate::listen::TurnDetection::Manual, ..*defaults };
    };
    let patience = patience(Some(turn));
    ListenConfig {
        turn_detection: crate::listen::TurnDetection::Voice,
        prefix_padding: Duration::from_millis(turn.prefix_padding_ms.into()),
        silence_duration: patience.map_or(Duration::from_millis(turn.silence_duration_ms.into()), |p| p.unread),
        // What was said decides, so it is read as soon as the last sound of a word is sure to be in it.
        suffix_padding: if patience.is_some() { READ_AFTER } else { defaults.suffix_padding },
        ..defaults.with_threshold(turn.threshold)
    }
}

/// The configured listening defaults, as the protocol writes them.
fn turn_defaults(listen: &ListenConfig) -> TurnPatch {
    let ms = |d: Duration| u32::try_from(d.as_millis()).ok();
    TurnPatch {
        threshold: Some(listen.start_threshold),
        prefix_padding_ms: ms(listen.prefix_padding),
        silence_duration_ms: ms(listen.silence_duration),
        ..TurnPatch::default()
    }
}
