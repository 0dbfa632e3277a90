//! What Sightline adds to the protocol. Sent only to clients that asked, since stock clients take an event they do not know for another one.

use schemars::JsonSchema;
use serde::Serialize;

/// A kind of vendor event that a client can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Extension {
    /// `response.latency` and `response.degraded`.
    Latency,
    /// `input_video.stats`.
    Video,
    /// `scene.facts`: what perception sees, for drawing.
    Scene,
    /// `audio.level`.
    Audio,
    /// `memory.*` and `response.memory`: the timeline, and what answers rest on.
    Memory,
    /// `session.resumable` and its like: the session outlives its connection.
    Resume,
    /// `response.output_audio.words`: when each word of a spoken answer is heard, for captions.
    Captions,
}

impl Extension {
    /// By its name; `None` for a name that this server does not have.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name.trim() {
            "latency" => Some(Self::Latency),
            "video" => Some(Self::Video),
            "scene" => Some(Self::Scene),
            "audio" => Some(Self::Audio),
            "memory" => Some(Self::Memory),
            "resume" => Some(Self::Resume),
            "captions" => Some(Self::Captions),
            _ => None,
        }
    }

    /// From the comma-separated value of `?ext=`.
    #[must_use]
    pub fn parse_list(names: &str) -> Vec<Self> {
        let mut list: Vec<_> = names.split(',').filter_map(Self::parse).collect();
        list.sort_unstable();
        list.dedup();
        list
    }
}

/// Where the time of an answer went. All in milliseconds; `null` for a stage that did not take part (typed questions have no speech).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
pub struct Latency {
    /// End of speech → end of turn decided and known.
    pub vad_end_ms: Option<u64>,
    /// End of turn → transcript.
    pub asr_ms: Option<u64>,
    /// A question about the past → its meaning is known, or is not waited for any longer.
    pub recall_ms: Option<u64>,
    /// Waiting for a fresh look at the newest frame.
    pub perceive_ms: Option<u64>,
    /// Prompt handed over → prompt taken in by the model.
    pub prefill_ms: Option<u64>,
    /// Prompt handed over → first token.
    pub first_token_ms: Option<u64>,
    /// End of speech (or `response.create`) → first token.
    pub total_ms: Option<u64>,
    /// End of speech (or `response.create`) → the first words, which may be those that the answer must begin with.
    pub first_words_ms: Option<u64>,
    /// What `total_ms` may be.
    pub budget_ms: u64,
    /// What each stage may take.
    pub budgets_ms: StageBudgets,
}

/// What each stage of an answer may take, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
pub struct StageBudgets {
    /// End of speech → end of turn known.
    pub vad_end: u64,
    /// End of turn → transcript.
    pub asr: u64,
    /// Recalling the past.
    pub recall: u64,
    /// Waiting for a fresh look.
    pub perceive: u64,
    /// Prompt handed over → taken in.
    pub prefill: u64,
    /// Prompt handed over → first token.
    pub first_token: u64,
}

/// A word of a spoken answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct WordView {
    /// As it stands in the transcript, with the marks that follow it.
    pub text: String,
    /// Its first sound, milliseconds since the beginning of the item's sound.
    pub start_ms: u64,
    /// Its last sound.
    pub end_ms: u64,
}

/// A box in fractions of the picture: left, top, right, bottom.
pub type WireBox = [f32; 4];

/// An object in view.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct WireObject {
    /// The tracker's number.
    pub track: u32,
    /// Class name.
    pub label: String,
    /// `0.0..=1.0`.
    pub confidence: f32,
    /// Where.
    #[serde(rename = "box")]
    pub bbox: WireBox,
    /// Main colour.
    pub colour: Option<&'static str>,
}

/// A class name for the picture or a part of it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct WireLabel {
    /// Class name.
    pub label: String,
    /// `0.0..=1.0`.
    pub confidence: f32,
    /// Which part.
    #[serde(rename = "box")]
    pub bbox: WireBox,
}

/// A line of text in view.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct WireText {
    /// The characters.
    pub text: String,
    /// `0.0..=1.0`.
    pub confidence: f32,
    /// Where.
    #[serde(rename = "box")]
    pub bbox: WireBox,
}

/// A colour of the whole picture.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct WireColour {
    /// Its English name.
    pub colour: &'static str,
    /// Fraction of the picture.
    pub share: f32,
}

/// What perception sees.
#[derive(Debug, Clone, PartialEq, Default, Serialize, JsonSchema)]
pub struct SceneView {
    /// Objects, most confident first.
    pub objects: Vec<WireObject>,
    /// What the picture and its crops are taken to be.
    pub labels: Vec<WireLabel>,
    /// Text in reading order.
    pub texts: Vec<WireText>,
    /// Colours, largest share first.
    pub colours: Vec<WireColour>,
    /// Capture time of the newest frame in it, milliseconds on the session's clock.
    pub at_ms: u64,
    /// `dark` or `blank` when nothing can be seen.
    pub unusable: Option<&'static str>,
}

/// How the incoming video does.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, JsonSchema)]
pub struct VideoStats {
    /// Decoded pictures per second.
    pub decoded_fps: f32,
    /// Pictures that perception looked at, per second.
    pub watched_fps: f32,
    /// Pictures dropped so far, for any reason.
    pub dropped: u64,
    /// Pixels per row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Age of the newest picture, milliseconds.
    pub last_frame_ms: u64,
}
