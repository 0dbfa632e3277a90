//! What goes into a conversation and what comes out of it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::hold::HoldOrder;
use super::look::{LookId, LookReason};
use super::remember::{EmbedFor, Keep, MemorySetup};
use super::tools::ToolOutcome;
use super::voicing::{VoiceLoss, Voiced};
use super::{Prompt, Snapshot};
use crate::base::MediaTime;
use crate::budget::{Deadlines, LadderConfig, Step};
use crate::listen::{Evidence, SoFar, Utterance, Verdict};
use crate::watch::SceneFacts;
use crate::wire::{
    ArchiveView, AudioFormat, ClientEvent, Extension, ForgetRequest, ImageFormat, Names, ServerEvent, SessionPatch,
    TurnDetection, VideoStats, WireError,
};

/// Counts the tokens of a text as the answering model would. May be rough; must not be less than a quarter of the truth.
pub type TokenCounter = Arc<dyn Fn(&str) -> usize + Send + Sync>;

/// How a session starts.
#[derive(Clone)]
pub struct Setup {
    /// `sess_…`.
    pub session_id: String,
    /// Entropy for the ids of this session.
    pub seed: [u8; 32],
    /// Names that can be put in force.
    pub names: Names,
    /// The `session` part of the offer or of the client secret.
    pub patch: SessionPatch,
    /// From `?ext=`.
    pub extensions: Vec<Extension>,
    /// Speech also comes over a media track, so that a commit can hold sound that was never appended.
    pub audio_track: bool,
    /// Answers that are said aloud are played on a media track, not sent as events. Whether there is a voice at all says `names`.
    pub voice_track: bool,
    /// Whether video is to be expected.
    pub video: VideoState,
    /// What the stages may take.
    pub deadlines: Deadlines,
    /// How fast the ladder is left again.
    pub ladder: LadderConfig,
    /// Bounds.
    pub limits: Limits,
    /// Token counter of the answering model.
    pub count: TokenCounter,
    /// What the session remembers with.
    pub memory: MemorySetup,
    /// The conversation of before a restart, which goes on.
    pub restore: Option<Snapshot>,
    /// Seconds since 1970 at which the session ends; 0 when it has no limit.
    pub expires_at: u64,
}

impl Setup {
    /// A session with the defaults, a text-only client and a rough token counter (four bytes per token).
    #[must_use]
    pub fn new(session_id: impl Into<String>, seed: [u8; 32]) -> Self {
        Self {
            session_id: session_id.into(),
            seed,
            names: Names::default(),
            patch: SessionPatch::default(),
            extensions: Vec::new(),
            audio_track: false,
            voice_track: false,
            video: VideoState::None,
            deadlines: Deadlines::default(),
            ladder: LadderConfig::default(),
            limits: Limits::default(),
            count: Arc::new(|text| text.len().div_ceil(4)),
            memory: MemorySetup::default(),
            expires_at: 0,
            restore: None,
        }
    }
}

/// Bounds of one session. Everything that grows has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Items kept; the oldest goes first. Default 200.
    pub items: usize,
    /// Bytes of words kept in items. Default 1 MiB.
    pub item_bytes: usize,
    /// Looks and transcripts under way. Default 8.
    pub pending: usize,
    /// Responses outside the conversation at one time. Default 4.
    pub out_of_band: usize,
    /// Tokens of a prompt. Default 768: what two cores take in within a few seconds when nothing is cached.
    pub prompt_tokens: usize,
    /// Tokens of an answer. Default 96.
    pub answer_tokens: u32,
    /// How old the newest facts may be before an answer waits for a fresh look. Default 700 ms.
    pub stale_after: Duration,
    /// How long an answer waits for a picture that came with the question. Default 5 s.
    pub image_wait: Duration,
    /// How long an answer waits for a transcript. Default 20 s.
    pub transcript_wait: Duration,
    /// How long the engine may take for a whole answer. Default 60 s.
    pub answer_wait: Duration,
    /// How long the voice may take for a piece of an answer, and 100 ms more for each of its characters; then the answer goes on as text.
    /// Default 8 s.
    pub voice_wait: Duration,
    /// Least time between two warm-ups of the prompt cache; up to 32 times as much while nobody speaks. Default 1 s.
    pub warm_every: Duration,
    /// Least time between two `scene.facts` events. Default 100 ms.
    pub scene_every: Duration,
    /// Answers are begun at the probable end of a turn, before it is over. Default true.
    pub answer_ahead: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            items: 200,
            item_bytes: 1024 * 1024,
            pending: 8,
            out_of_band: 4,
            prompt_tokens: 768,
            answer_tokens: 96,
            stale_after: Duration::from_millis(700),
            image_wait: Duration::from_secs(5),
            transcript_wait: Duration::from_secs(20),
            answer_wait: Duration::from_secs(60),
            voice_wait: Duration::from_secs(8),
            warm_every: Duration::from_secs(1),
            scene_every: Duration::from_millis(100),
            answer_ahead: true,
        }
    }
}

/// How the incoming video stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VideoState {
    /// The client sends none.
    None,
    /// Negotiated, no picture yet.
    Waiting,
    /// Pictures come.
    Live,
    /// Pictures came and stopped: camera unplugged, network gone.
    Lost,
}

/// What happened.
#[derive(Debug, Clone)]
pub enum Input {
    /// A client's event.
    Client(ClientEvent),
    /// A client's event that could not be read.
    Refused(WireError),
    /// Somebody began to speak.
    SpeechStarted {
        /// Capture time of the first voiced frame.
        at: MediaTime,
    },
    /// The speaker finished (voice activity).
    SpeechStopped {
        /// What was said.
        utterance: Utterance,
        /// Capture time of the sample at which the end was decided.
        decided: MediaTime,
    },
    /// What the listener hears while somebody speaks and [`super::Conversation::attends`].
    Voice {
        /// The stretch of near voice; `None` when nothing near sounds.
        evidence: Option<Evidence>,
        /// Capture time up to which it was heard.
        at: MediaTime,
        /// The stretch itself, 16 kHz mono, when its words are worth reading early.
        sound: Option<Arc<[f32]>>,
    },
    /// Answer to [`Output::Overhear`].
    Overheard {
        /// Which speech.
        item_id: String,
        /// How much near voice was read.
        near: Duration,
        /// The words (empty when there were none), or why there are none.
        result: Result<String, String>,
    },
    /// The speech that goes on, whenever it is worth reading before its end.
    SoFar(SoFar),
    /// Answer to [`super::ReadOrder::SoFar`].
    ReadSoFar(super::ReadSoFar),
    /// Answer to [`Output::CommitAudio`]: what was in the buffer; `None` when it held under 100 ms of sound.
    Committed {
        /// What was said.
        utterance: Option<Utterance>,
    },
    /// Answer to [`Output::Transcribe`].
    Transcribed {
        /// Which item.
        item_id: String,
        /// The words (empty when there were none), or why there are none.
        result: Result<String, String>,
    },
    /// Perception's newest facts.
    Scene(Arc<SceneFacts>),
    /// The same, with what it takes to remember the look.
    Look {
        /// What was seen.
        facts: Arc<SceneFacts>,
        /// Feature vector of the frame, unit length.
        image: Option<Arc<[f32]>>,
        /// The frame as a small JPEG.
        keyframe: Option<Bytes>,
    },
    /// Answer to [`Output::Embed`].
    Embedded {
        /// What for.
        what: EmbedFor,
        /// The vector, unit length, or why there is none.
        result: Result<Arc<[f32]>, String>,
    },
    /// How full the archive is.
    Archive(ArchiveView),
    /// Forget, asked for in another way than over the wire.
    Forget(ForgetRequest),
    /// Answer to [`Output::LookNow`] or [`Output::LookAtImage`].
    Looked {
        /// Which look.
        look: LookId,
        /// What was seen, or why nothing was.
        result: Result<Arc<SceneFacts>, String>,
    },
    /// News from the engine.
    Engine {
        /// Of which response.
        response_id: String,
        /// What.
        event: EngineEvent,
    },
    /// Answer to [`Output::Speak`].
    Voiced {
        /// Of which response.
        response_id: String,
        /// Which piece of it.
        piece: u32,
        /// The sound, or why there is none.
        result: Result<Voiced, String>,
    },
    /// A player of a media track takes over; what another before it had is gone.
    Player,
    /// There is no player any more: what is said from now on is sent as events.
    NoPlayer,
    /// The player of the media track begins with a piece.
    Playing {
        /// Its number, from [`Output::Play`].
        id: u64,
    },
    /// The player has played all it was given.
    Drained {
        /// The number of the last piece.
        id: u64,
    },
    /// The incoming video changed.
    Video(VideoState),
    /// For `input_video.stats`, about once a second.
    VideoStats(VideoStats),
    /// For `audio.level`.
    AudioLevel {
        /// Loudness in dB of full scale.
        dbfs: f32,
        /// Whether it is speech.
        speaking: bool,
    },
    /// The client's connection broke; it may come back.
    Cut,
    /// Time passed: see [`super::Conversation::next_deadline`].
    Tick,
}

/// News from the engine about one response. The integrator maps the engine's own events to these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EngineEvent {
    /// The prompt was taken in.
    Started {
        /// Tokens of the prompt.
        prompt_tokens: u64,
        /// Of them, found in the cache.
        cached_tokens: u64,
    },
    /// More words. The conversation sends [`Prompt::answer_prefix`] itself, as soon as the prompt is taken in; first deltas that
    /// repeat it are cut.
    Delta {
        /// Whole characters.
        text: String,
    },
    /// The answer is at its end.
    Done {
        /// Why.
        finish: Finish,
        /// Tokens of the answer.
        output_tokens: u64,
    },
    /// The model failed.
    Failed {
        /// What happened.
        message: String,
    },
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// The model came to its end.
    Stop,
    /// The limit was reached.
    MaxTokens,
    /// It was cancelled.
    Cancelled,
}

/// Sound to be written down.
#[derive(Debug, Clone)]
pub enum Sound {
    /// 16 kHz mono.
    Pcm(Arc<[f32]>),
    /// As it came from the client.
    Encoded {
        /// The bytes.
        data: Bytes,
        /// Their format.
        format: AudioFormat,
    },
}

/// What to do.
#[derive(Debug, Clone)]
pub enum Output {
    /// Send this event to the client.
    Send(ServerEvent),
    /// Write down speech; answer with [`Input::Transcribed`].
    Transcribe {
        /// Which item.
        item_id: String,
        /// The speech.
        sound: Sound,
    },
    /// Read what is being said before it ends; answer with [`Input::Overheard`]. Worth nothing late.
    Overhear {
        /// Which speech.
        item_id: String,
        /// How much near voice it holds.
        near: Duration,
        /// 16 kHz mono.
        sound: Arc<[f32]>,
    },
    /// What is done with speech that has not ended.
    Read(super::ReadOrder),
    /// What is played stands still, or goes on.
    Hold(HoldOrder),
    /// For metrics: what was said into an answer was judged.
    Judged {
        /// As what.
        verdict: Verdict,
        /// Time since it began.
        after: Duration,
    },
    /// Look at the newest frame with every expert before anything else; answer with [`Input::Looked`].
    LookNow {
        /// Which look.
        look: LookId,
        /// Why.
        reason: LookReason,
    },
    /// Decode a picture of the client's and look at it with every expert; answer with [`Input::Looked`].
    LookAtImage {
        /// Which look.
        look: LookId,
        /// How it is encoded.
        format: ImageFormat,
        /// The encoded bytes, unchecked but for the first few.
        data: Bytes,
    },
    /// Answer; news come as [`Input::Engine`].
    Generate {
        /// Which response.
        response_id: String,
        /// The prompt.
        prompt: Prompt,
        /// Most tokens of the answer, its prefix included.
        max_tokens: u32,
    },
    /// Stop answering. News about it that still come are passed over.
    Cancel {
        /// Which response.
        response_id: String,
    },
    /// Say a piece of an answer aloud; answer with [`Input::Voiced`]. At most one piece of each response is asked for at a time.
    Speak {
        /// Of which response.
        response_id: String,
        /// Which piece of it.
        piece: u32,
        /// Its words, at most some 100 characters.
        text: String,
        /// How fast; 1 is the voice's own pace.
        speed: f32,
        /// What the sound is to be.
        format: AudioFormat,
    },
    /// The piece that the voice is at is not needed any more. Its sound, if it still comes, is passed over.
    Silence {
        /// Of which response.
        response_id: String,
    },
    /// Play this on the media track, behind what is there; tell when it begins ([`Input::Playing`]) and when nothing is left
    /// ([`Input::Drained`]).
    Play {
        /// Its number.
        id: u64,
        /// Signed 16-bit little-endian mono at 24 kHz.
        sound: Bytes,
    },
    /// Stop playing and throw away what is left.
    Hush,
    /// For metrics: the first sound of an answer.
    FirstSound {
        /// Since the end of the speech, or since it was asked for.
        after: Duration,
    },
    /// For metrics: an answer goes on as text.
    VoiceLost(VoiceLoss),
    /// Take this prompt into the cache when the device has nothing better to do. A newer one replaces an older one that has not begun.
    Warm {
        /// The prompt: its question is missing, or there as far as it was heard.
        prompt: Prompt,
        /// Somebody is just asking.
        soon: bool,
    },
    /// Voice activity settings changed; `None`: the client commits turns itself.
    ConfigureListener {
        /// The settings.
        turn_detection: Option<TurnDetection>,
    },
    /// Sound came over the wire.
    AppendAudio {
        /// The bytes.
        data: Bytes,
        /// Their format.
        format: AudioFormat,
    },
    /// A picture of the camera came over the wire: it goes where those of a video track go.
    Frame {
        /// The encoded picture, unchecked but for its first bytes.
        data: Bytes,
    },
    /// Take what is in the buffer as an utterance; answer with [`Input::Committed`].
    CommitAudio,
    /// Throw away what is in the buffer.
    ClearAudio,
    /// Turn a text into a vector of its meaning; answer with [`Input::Embedded`].
    Embed {
        /// What for.
        what: EmbedFor,
        /// The text.
        text: String,
    },
    /// Write down, in order.
    Keep(Vec<Keep>),
    /// The ladder moved.
    Degrade {
        /// What is given up now.
        step: Step,
    },
    /// For metrics: what came of a call that the model wrote.
    Called(ToolOutcome),
    /// For metrics: a stage took too long.
    Overrun(crate::budget::Overrun),
    /// For metrics and traces: of this response, when its stages began and ended, and why it waited for no look, if it did not.
    Timed(String, crate::budget::TurnTiming, Option<super::NoLook>),
}
