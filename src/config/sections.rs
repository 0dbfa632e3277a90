//! The resolved configuration: plain data, valid by construction. Units are in the types or in the docs.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::ingest::TurnSecret;

/// HTTP and WebSocket.
#[derive(Debug, Clone, PartialEq)]
pub struct Server {
    /// Where HTTP listens.
    pub bind: SocketAddr,
    /// The built web page.
    pub web_root: PathBuf,
    /// Keys that open the API; empty: everybody.
    pub api_keys: Vec<String>,
    /// A file with more keys and what each may do.
    pub keys_file: Option<PathBuf>,
    /// Pages of other servers that may come without a key.
    pub allowed_origins: Vec<String>,
    /// How HTTPS is spoken; `None`: it is not.
    pub tls: Option<Tls>,
    /// Everybody may come in from other machines.
    pub allow_anonymous: bool,
    /// Conversations at once.
    pub max_sessions: usize,
    /// Of these only as many as can be answered in time.
    pub measured_admission: bool,
    /// Of these with one key; `None`: all.
    pub max_sessions_per_key: Option<usize>,
    /// Longest conversation; `None`: no limit.
    pub max_session: Option<Duration>,
    /// How long a session waits for a client that lost its connection.
    pub resume_grace: Duration,
    /// Longest message of a client, bytes.
    pub max_message_bytes: usize,
    /// A client that takes longer to accept one message is closed.
    pub write_deadline: Duration,
    /// How long sessions may go on after the server was told to stop.
    pub drain: Duration,
    /// Ping after this long without traffic.
    pub ping_interval: Duration,
}

impl Server {
    /// Whether a key is needed to come in.
    #[must_use]
    pub fn has_keys(&self) -> bool {
        !self.api_keys.is_empty() || self.keys_file.is_some()
    }
}

/// Where the certificate comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// Files in PEM form.
    Files {
        /// The certificate, its issuers after it.
        cert: PathBuf,
        /// Its private key.
        key: PathBuf,
    },
    /// Made here and kept in this folder.
    SelfSigned {
        /// The folder.
        dir: PathBuf,
    },
}

/// WebRTC.
#[derive(Debug, Clone, PartialEq)]
pub struct Ingest {
    /// First and last port, both included.
    pub udp_ports: (u16, u16),
    /// All calls share the first free port.
    pub shared_port: bool,
    /// Media over TCP, too.
    pub tcp: bool,
    /// Ask for discontinuous transmission.
    pub dtx: bool,
    /// Local addresses; empty: all.
    pub bind_ips: Vec<IpAddr>,
    /// Addresses told to browsers; empty: the local ones.
    pub public_ips: Vec<IpAddr>,
    /// A call without media after this long is ended.
    pub connect_timeout: Duration,
    /// Silence after which the path counts as disconnected.
    pub disconnected: Duration,
    /// Further silence after which the call is ended.
    pub failed: Duration,
}

/// What clients are told of STUN and TURN.
#[derive(Debug, Clone, PartialEq)]
pub struct Ice {
    /// `stun:` and `turn:` addresses.
    pub servers: Vec<String>,
    /// What TURN credentials are made with.
    pub turn_secret: Option<TurnSecret>,
    /// A file with that secret.
    pub turn_secret_file: Option<PathBuf>,
    /// How long credentials are valid.
    pub turn_ttl: Duration,
}

/// GStreamer.
#[derive(Debug, Clone, PartialEq)]
pub struct Decode {
    /// A folder with `decode/*.gst`; `None`: the graphs compiled in.
    pub pipelines_dir: Option<PathBuf>,
    /// Long side of the frames that come out, pixels.
    pub max_side: u32,
    /// Largest picture accepted, `(long side, short side)` in pixels.
    pub max_input: (u32, u32),
}

/// Voice activity.
#[derive(Debug, Clone, PartialEq)]
pub struct Listen {
    /// Probability above which a frame is speech.
    pub threshold: f32,
    /// Silence that ends an utterance.
    pub silence_duration: Duration,
    /// Sound kept from before.
    pub prefix_padding: Duration,
    /// Shorter sounds are not speech.
    pub min_speech: Duration,
    /// Longer speech is cut.
    pub max_utterance: Duration,
}

/// Frames and experts.
#[derive(Debug, Clone, PartialEq)]
pub struct Watch {
    /// Frames per second looked at, at most.
    pub max_fps: f32,
    /// Mean luma change that counts, `0.0..=1.0`.
    pub change_threshold: f32,
    /// A frame is looked at after this long in any case.
    pub keep_alive: Duration,
    /// Some of `detector`, `classifier`, `ocr`.
    pub experts: Vec<String>,
    /// What makes a frame worth a look.
    pub gates: Vec<String>,
}

/// Weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Models {
    /// Where they lie.
    pub dir: PathBuf,
    /// A folder looked into before the network.
    pub mirror: Option<PathBuf>,
    /// The language model.
    pub llm: String,
    /// The speech recogniser.
    pub asr: String,
    /// The object detector.
    pub detector: String,
    /// The classifier.
    pub classifier: String,
    /// The text reader.
    pub ocr: String,
    /// The text encoder of memory.
    pub embedder: String,
    /// What speaks the answers; none: they are text only.
    pub voice: Option<String>,
}

/// What runs the models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    /// A GPU when there is one, else the CPU.
    Auto,
    /// The CPU.
    Cpu,
    /// An NVIDIA GPU; an error when there is none.
    Cuda,
    /// An Apple GPU; an error when there is none.
    Metal,
}

/// The device.
#[derive(Debug, Clone, PartialEq)]
pub struct Engine {
    /// Which.
    pub device: Device,
    /// CPU threads of perception, speech recognition and the voice, each; `None`: as many as there are cores.
    pub threads: Option<usize>,
    /// Longest prompt and answer, tokens.
    pub context_tokens: usize,
    /// Tokens of an answer that are guessed and checked together, at most.
    pub draft_tokens: usize,
}

/// What is remembered.
#[derive(Debug, Clone, PartialEq)]
pub struct Memory {
    /// Whether.
    pub enabled: bool,
    /// Newest looks kept whole.
    pub live_looks: usize,
    /// Newest stretch kept second by second.
    pub working_s: usize,
    /// Events kept one by one.
    pub events: usize,
    /// Merged stretches of everything older.
    pub roots: usize,
    /// Longest event.
    pub max_event: Duration,
    /// Long side of remembered pictures, pixels.
    pub keyframe_side: u32,
    /// Least likeness to what was asked for, `0.0..=1.0`.
    pub similarity_floor: f32,
}

/// Memories on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// Where; `None`: no archive.
    pub dir: Option<PathBuf>,
    /// Most bytes.
    pub quota_bytes: u64,
    /// A file with the key; `None`: in the clear.
    pub key_file: Option<PathBuf>,
    /// Most memories.
    pub max_memories: usize,
    /// How long records are kept; `None`: until the quota needs the room.
    pub retention: Option<Duration>,
}

/// The prompt.
#[derive(Debug, Clone, PartialEq)]
pub struct Dialogue {
    /// Instead of the built-in instructions.
    pub system_prompt: Option<String>,
    /// Longest answer, tokens.
    pub max_output_tokens: usize,
    /// 0: the likeliest word always.
    pub temperature: f32,
    /// Longest prompt, tokens.
    pub prompt_tokens: usize,
    /// How long the voice may take for a piece of an answer.
    pub voice_wait: Duration,
    /// Begin to answer at the probable end of a question.
    pub answer_ahead: bool,
}

/// Deadlines.
#[derive(Debug, Clone, PartialEq)]
pub struct Budget {
    /// One access unit to a picture.
    pub decode: Duration,
    /// End of speech to the decision that the turn ended; the silence is part of it.
    pub vad_end: Duration,
    /// End of turn to its transcript.
    pub asr: Duration,
    /// A question about the past to what memory says to it.
    pub recall: Duration,
    /// How long an answer waits for a fresh look.
    pub perceive: Duration,
    /// Prompt handed over to taken in.
    pub prefill: Duration,
    /// Prompt handed over to first token.
    pub first_token: Duration,
    /// End of speech, or the typed question, to first token.
    pub total: Duration,
    /// Share of the device's time that speech and answers may take, percent.
    pub most_load: u32,
    /// What measuring the costs of work at start-up may take; zero: they are not.
    pub calibration: Duration,
}

/// What the server says about itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Telemetry {
    /// tracing directives.
    pub log: String,
    /// One JSON object per line.
    pub json: bool,
    /// A collector that the spans of turns are sent to.
    pub otlp_endpoint: Option<String>,
    /// Where the newest turns of each session are written.
    pub trace_dir: Option<PathBuf>,
}

/// Everything.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// HTTP and WebSocket.
    pub server: Server,
    /// WebRTC.
    pub ingest: Ingest,
    /// What clients are told of STUN and TURN.
    pub ice: Ice,
    /// GStreamer.
    pub decode: Decode,
    /// Voice activity.
    pub listen: Listen,
    /// Frames and experts.
    pub watch: Watch,
    /// What is remembered.
    pub memory: Memory,
    /// Memories on disk.
    pub archive: Archive,
    /// Weights.
    pub models: Models,
    /// The device.
    pub engine: Engine,
    /// The prompt.
    pub dialogue: Dialogue,
    /// Deadlines.
    pub budget: Budget,
    /// Logs and metrics.
    pub telemetry: Telemetry,
}
