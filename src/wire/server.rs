//! Events that the server sends.

use schemars::JsonSchema;
use serde::Serialize;

use super::error::WireError;
use super::item::{ItemView, PartView};
use super::memory::{CitationView, EventView, IntervalView, MergeView, TiersView, TimelineView, WatchView};
use super::response::ResponseView;
use super::session::{Modality, SessionConfig};
use super::vendor::{Extension, Latency, SceneView, VideoStats, WordView};

/// One event with its id.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ServerEvent {
    /// `event_…`.
    pub event_id: String,
    /// Number of the event in its session, for the client that asked for `resume`: each next one is larger.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_event_seq: Option<u64>,
    /// What happened.
    #[serde(flatten)]
    pub body: ServerBody,
}

impl ServerEvent {
    /// Bytes it takes on the wire, roughly: what the outbox of a client counts.
    #[must_use]
    pub fn weight(&self) -> usize {
        const FRAME: usize = 256;
        match &self.body {
            ServerBody::TextDelta { delta, .. }
            | ServerBody::TranscriptDelta { delta, .. }
            | ServerBody::AudioDelta { delta, .. } => FRAME + delta.len(),
            // Rare and of any size: written once to be weighed.
            _ => self.to_json().len(),
        }
    }

    /// The response of which it brings words or sound.
    #[must_use]
    pub fn words_of(&self) -> Option<&str> {
        match &self.body {
            ServerBody::TextDelta { at, .. }
            | ServerBody::TranscriptDelta { at, .. }
            | ServerBody::AudioDelta { at, .. } => Some(&at.response_id),
            _ => None,
        }
    }

    /// The event as one JSON text.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Serialising plain structs with string keys has no way to fail; an empty object would still be valid JSON.
        serde_json::to_string(self).unwrap_or_else(|_| "{}".to_owned())
    }
}

/// Where in a response something stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct At {
    /// Which response.
    pub response_id: String,
    /// Which item.
    pub item_id: String,
    /// Index of the item in the response's output.
    pub output_index: u32,
    /// Index of the part in the item's content.
    pub content_index: u32,
}

/// A part of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum AnswerPart {
    /// Written.
    Text {
        /// The words so far.
        text: String,
    },
    /// Spoken.
    Audio {
        /// The words so far.
        transcript: String,
    },
}

impl AnswerPart {
    /// Some words in this form.
    #[must_use]
    pub fn new(modality: Modality, words: impl Into<String>) -> Self {
        match modality {
            Modality::Text => Self::Text { text: words.into() },
            Modality::Audio => Self::Audio { transcript: words.into() },
        }
    }
}

/// What a transcription cost.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct TranscriptionUsage {
    /// Always `duration`.
    #[schemars(extend("const" = "duration"))]
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Seconds of sound.
    pub seconds: f64,
}

/// One line of `rate_limits.updated`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct RateLimit {
    /// `requests` or `tokens`.
    pub name: &'static str,
    /// How many there may be.
    pub limit: u64,
    /// How many are left.
    pub remaining: u64,
    /// Until when.
    pub reset_seconds: f64,
}

/// What opens a session again after its connection broke.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ResumePass {
    /// For `?resume=`; replaces the one before. Whoever has it can take the session over.
    pub resume_token: String,
    /// How long the session waits for its client, in milliseconds.
    pub grace_ms: u64,
    /// `archive`: it outlives the server too, with what was said and seen. `process`: it ends with the server.
    pub kept_in: &'static str,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "type")]
#[expect(missing_docs, reason = "fields are those of the protocol: PROTOCOL.md explains each")]
pub enum ServerBody {
    /// An event was refused, or something failed; the session goes on.
    #[serde(rename = "error")]
    Error { error: WireError },
    /// First event of a session.
    #[serde(rename = "session.created")]
    SessionCreated { session: Box<SessionConfig> },
    /// What is in force after a `session.update`.
    #[serde(rename = "session.updated")]
    SessionUpdated { session: Box<SessionConfig> },
    /// An item came into the conversation.
    #[serde(rename = "conversation.item.added")]
    ItemAdded { previous_item_id: Option<String>, item: ItemView },
    /// An item is whole.
    #[serde(rename = "conversation.item.done")]
    ItemDone { previous_item_id: Option<String>, item: ItemView },
    /// Answer to `conversation.item.retrieve`.
    #[serde(rename = "conversation.item.retrieved")]
    ItemRetrieved { item: ItemView },
    /// Answer to `conversation.item.truncate`.
    #[serde(rename = "conversation.item.truncated")]
    ItemTruncated { item_id: String, content_index: u32, audio_end_ms: u32 },
    /// An item is gone: deleted by the client, or the oldest of too many.
    #[serde(rename = "conversation.item.deleted")]
    ItemDeleted { item_id: String },
    /// Words heard so far.
    #[serde(rename = "conversation.item.input_audio_transcription.delta")]
    TranscriptionDelta { item_id: String, content_index: u32, delta: String },
    /// Everything that was heard; empty when there were no words.
    #[serde(rename = "conversation.item.input_audio_transcription.completed")]
    TranscriptionCompleted { item_id: String, content_index: u32, transcript: String, usage: TranscriptionUsage },
    /// Speech could not be written down.
    #[serde(rename = "conversation.item.input_audio_transcription.failed")]
    TranscriptionFailed { item_id: String, content_index: u32, error: WireError },
    /// Sound became an item.
    #[serde(rename = "input_audio_buffer.committed")]
    AudioCommitted { previous_item_id: Option<String>, item_id: String },
    /// Sound was thrown away.
    #[serde(rename = "input_audio_buffer.cleared")]
    AudioCleared {},
    /// Somebody began to speak.
    #[serde(rename = "input_audio_buffer.speech_started")]
    SpeechStarted { audio_start_ms: u64, item_id: String },
    /// The speaker finished.
    #[serde(rename = "input_audio_buffer.speech_stopped")]
    SpeechStopped { audio_end_ms: u64, item_id: String },
    /// Nobody has said anything for as long as `idle_timeout_ms` says; the silence becomes an item, and is answered.
    #[serde(rename = "input_audio_buffer.timeout_triggered")]
    TimeoutTriggered { audio_start_ms: u64, audio_end_ms: u64, item_id: String },
    /// An answer begins.
    #[serde(rename = "response.created")]
    ResponseCreated { response: Box<ResponseView> },
    /// An answer ended, one way or another.
    #[serde(rename = "response.done")]
    ResponseDone { response: Box<ResponseView> },
    /// Stock clients wait for it; there are no limits per session yet.
    #[serde(rename = "rate_limits.updated")]
    RateLimits { rate_limits: Vec<RateLimit> },
    /// An item of the answer begins.
    #[serde(rename = "response.output_item.added")]
    OutputItemAdded { response_id: String, output_index: u32, item: ItemView },
    /// An item of the answer is whole.
    #[serde(rename = "response.output_item.done")]
    OutputItemDone { response_id: String, output_index: u32, item: ItemView },
    /// A part of the answer begins.
    #[serde(rename = "response.content_part.added")]
    ContentPartAdded {
        #[serde(flatten)]
        at: At,
        part: AnswerPart,
    },
    /// A part of the answer is whole.
    #[serde(rename = "response.content_part.done")]
    ContentPartDone {
        #[serde(flatten)]
        at: At,
        part: AnswerPart,
    },
    /// More words of the answer.
    #[serde(rename = "response.output_text.delta")]
    TextDelta {
        #[serde(flatten)]
        at: At,
        delta: String,
    },
    /// All words of the answer.
    #[serde(rename = "response.output_text.done")]
    TextDone {
        #[serde(flatten)]
        at: At,
        text: String,
    },
    /// More words of a spoken answer.
    #[serde(rename = "response.output_audio_transcript.delta")]
    TranscriptDelta {
        #[serde(flatten)]
        at: At,
        delta: String,
    },
    /// All words of a spoken answer.
    #[serde(rename = "response.output_audio_transcript.done")]
    TranscriptDone {
        #[serde(flatten)]
        at: At,
        transcript: String,
    },
    /// More sound of a spoken answer, base64 in the session's output format. Not sent where there is a media track for it.
    #[serde(rename = "response.output_audio.delta")]
    AudioDelta {
        #[serde(flatten)]
        at: At,
        delta: String,
    },
    /// All sound of a spoken answer was made.
    #[serde(rename = "response.output_audio.done")]
    AudioDone {
        #[serde(flatten)]
        at: At,
    },
    /// The media track begins to play an answer.
    #[serde(rename = "output_audio_buffer.started")]
    PlayStarted { response_id: String },
    /// The media track has played an answer to its end.
    #[serde(rename = "output_audio_buffer.stopped")]
    PlayStopped { response_id: String },
    /// What was left to play of an answer was thrown away.
    #[serde(rename = "output_audio_buffer.cleared")]
    PlayCleared { response_id: String },

    /// Vendor: when words of a spoken answer are heard. On a media track it comes as the first of them is played, else before its sound.
    #[serde(rename = "response.output_audio.words")]
    AudioWords {
        #[serde(flatten)]
        at: At,
        words: Vec<WordView>,
    },

    /// More of the arguments of a call.
    #[serde(rename = "response.function_call_arguments.delta")]
    ArgumentsDelta { response_id: String, item_id: String, output_index: u32, call_id: String, delta: String },
    /// All arguments of a call: JSON that was checked against the tool's schema.
    #[serde(rename = "response.function_call_arguments.done")]
    ArgumentsDone {
        response_id: String,
        item_id: String,
        output_index: u32,
        call_id: String,
        name: String,
        arguments: String,
    },

    /// Vendor: where the time went.
    #[serde(rename = "response.latency")]
    Latency {
        response_id: String,
        #[serde(flatten)]
        latency: Latency,
    },
    /// Vendor: a stage was over its budget and something was given up for it.
    #[serde(rename = "response.degraded")]
    Degraded { response_id: Option<String>, reason: String, step: String },
    /// Vendor: how the incoming video does.
    #[serde(rename = "input_video.stats")]
    VideoStats {
        #[serde(flatten)]
        stats: VideoStats,
    },
    /// Vendor: what perception sees.
    #[serde(rename = "scene.facts")]
    Scene {
        #[serde(flatten)]
        scene: Box<SceneView>,
    },
    /// Vendor: how loud it is, and whether that is speech.
    #[serde(rename = "audio.level")]
    AudioLevel { dbfs: f32, speaking: bool },
    /// Vendor: all that is remembered.
    #[serde(rename = "memory.timeline")]
    Timeline {
        #[serde(flatten)]
        timeline: Box<TimelineView>,
    },
    /// Vendor: what changed in the memory, at most once a second.
    #[serde(rename = "memory.updated")]
    MemoryUpdated {
        now_ms: u64,
        tiers: Box<TiersView>,
        changed: Vec<EventView>,
        removed: Vec<String>,
        merged: Vec<MergeView>,
    },
    /// Vendor: how a question was understood, and what its answer rests on.
    #[serde(rename = "response.memory")]
    ResponseMemory {
        response_id: String,
        route: &'static str,
        interval: Option<IntervalView>,
        seen: bool,
        citations: Vec<CitationView>,
    },
    /// Vendor: this is gone, from memory and from disk.
    #[serde(rename = "memory.forgotten")]
    Forgotten { start_ms: u64, end_ms: u64, events: usize, keyframes: usize },
    /// Vendor: something is watched for from now on.
    #[serde(rename = "memory.watch.created")]
    WatchCreated { watch: WatchView },
    /// Vendor: it happened; the response that says so was not asked for.
    #[serde(rename = "memory.watch.fired")]
    WatchFired { watch: WatchView, response_id: String },
    /// Vendor: it is not watched for any more.
    #[serde(rename = "memory.watch.ended")]
    WatchEnded { watch: WatchView, reason: &'static str },

    /// Vendor: what to come back with after a break, and how long that is possible.
    #[serde(rename = "session.resumable")]
    Resumable {
        #[serde(flatten)]
        pass: ResumePass,
    },
    /// Vendor: the session goes on over this connection; events that were missed follow.
    #[serde(rename = "session.resumed")]
    Resumed {
        #[serde(flatten)]
        pass: ResumePass,
        session: Box<SessionConfig>,
        attachment_generation: u64,
        replayed: u64,
    },
    /// Vendor: the session goes on over another connection; this one is closed.
    #[serde(rename = "session.replaced")]
    Replaced {},
    /// Vendor: the session ends before long, at the server's side.
    #[serde(rename = "session.expiring")]
    Expiring { reason: &'static str, seconds_left: u64 },
    /// Vendor: the session is over and nobody can come back to it in this process.
    #[serde(rename = "session.expired")]
    Expired { reason: &'static str },
    /// Vendor: events were lost. What the session still holds; everything else that a client knows of is over.
    #[serde(rename = "session.resync_required")]
    ResyncRequired { reason: &'static str, missed: Option<u64>, item_ids: Vec<String>, response_ids: Vec<String> },
}

impl ServerBody {
    /// Which extension a client must have asked for to be sent this; `None` for events of the protocol itself.
    #[must_use]
    pub const fn extension(&self) -> Option<Extension> {
        match self {
            Self::Latency { .. } | Self::Degraded { .. } => Some(Extension::Latency),
            Self::VideoStats { .. } => Some(Extension::Video),
            Self::Scene { .. } => Some(Extension::Scene),
            Self::AudioLevel { .. } => Some(Extension::Audio),
            Self::AudioWords { .. } => Some(Extension::Captions),
            Self::Timeline { .. }
            | Self::MemoryUpdated { .. }
            | Self::ResponseMemory { .. }
            | Self::Forgotten { .. }
            | Self::WatchCreated { .. }
            | Self::WatchFired { .. }
            | Self::WatchEnded { .. } => Some(Extension::Memory),
            Self::Resumable { .. }
            | Self::Resumed { .. }
            | Self::Replaced {}
            | Self::Expiring { .. }
            | Self::Expired { .. }
            | Self::ResyncRequired { .. } => Some(Extension::Resume),
            _ => None,
        }
    }

    /// Whether it is worth nothing late: the next one tells the same anew. Such events are not kept for a client that comes back.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Scene { .. } | Self::AudioLevel { .. } | Self::VideoStats { .. })
    }

    /// Appends `next` to `self` when both are words of the same part, so that a slow reader gets fewer, longer events.
    /// Gives `next` back when they cannot be joined.
    ///
    /// # Errors
    /// `next` itself, untouched.
    pub fn join(&mut self, next: Self) -> Result<(), Self> {
        match (self, next) {
            (Self::TextDelta { at, delta }, Self::TextDelta { at: next_at, delta: more })
            | (Self::TranscriptDelta { at, delta }, Self::TranscriptDelta { at: next_at, delta: more })
                if *at == next_at =>
            {
                delta.push_str(&more);
                Ok(())
            }
            (
                Self::TranscriptionDelta { item_id, content_index, delta },
                Self::TranscriptionDelta { item_id: next, content_index: i, delta: more },
            ) if *item_id == next && *content_index == i => {
                delta.push_str(&more);
                Ok(())
            }
            (_, next) => Err(next),
        }
    }
}

/// The words a client sees of an item's parts, joined.
#[must_use]
pub fn words(parts: &[PartView]) -> String {
    let mut out = String::new();
    for part in parts {
        let text = match part {
            PartView::InputText { text }
            | PartView::OutputText { text }
            | PartView::OutputAudio { transcript: text } => text.as_str(),
            PartView::InputAudio { transcript } => transcript.as_deref().unwrap_or(""),
            PartView::InputImage { .. } => "",
        };
        if !text.is_empty() {
            if !out.is_empty() {
                out.push(' ');
            }
            out.push_str(text);
        }
    }
    out
}
