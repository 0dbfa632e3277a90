//! The session object: what is in force, and the patches that change it.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::tool::{Tool, ToolChoice};
use super::vendor::Extension;

/// A sound format of the buffer that clients append to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "type")]
pub enum AudioFormat {
    /// Signed 16-bit little-endian mono.
    #[serde(rename = "audio/pcm")]
    Pcm {
        /// Samples per second: 16 000 or 24 000.
        rate: u32,
    },
    /// G.711 µ-law, 8 kHz mono.
    #[serde(rename = "audio/pcmu")]
    Pcmu,
    /// G.711 A-law, 8 kHz mono.
    #[serde(rename = "audio/pcma")]
    Pcma,
}

impl AudioFormat {
    /// Samples per second.
    #[must_use]
    pub const fn rate_hz(self) -> u32 {
        match self {
            Self::Pcm { rate } => rate,
            Self::Pcmu | Self::Pcma => 8_000,
        }
    }

    /// Bytes per sample.
    #[must_use]
    pub const fn sample_bytes(self) -> usize {
        if matches!(self, Self::Pcm { .. }) { 2 } else { 1 }
    }

    /// How long `bytes` of it last, in milliseconds.
    #[must_use]
    pub fn duration_ms(self, bytes: usize) -> u64 {
        (bytes / self.sample_bytes()) as u64 * 1_000 / u64::from(self.rate_hz())
    }
}

/// When the server itself finds that the speaker finished.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct TurnDetection {
    /// Which kind the client asked for. Both are served by the same voice activity detector.
    #[serde(rename = "type")]
    pub kind: TurnKind,
    /// How soon a person may be taken to have finished; absent with `server_vad`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eagerness: Option<Eagerness>,
    /// Speech probability above which a frame counts as speech, `0.0..=1.0`.
    pub threshold: f32,
    /// Sound kept from before the first voiced frame, in milliseconds.
    pub prefix_padding_ms: u32,
    /// Silence that ends a turn, in milliseconds. With `semantic_vad` what was said decides instead.
    pub silence_duration_ms: u32,
    /// So long after an answer was heard, with nothing said, the silence is a turn and is answered. Null: never, and always with `semantic_vad`.
    pub idle_timeout_ms: Option<u32>,
    /// Answer when a turn ends.
    pub create_response: bool,
    /// Stop answering when speech starts.
    pub interrupt_response: bool,
}

/// Spelling of [`TurnDetection::kind`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TurnKind {
    /// Voice activity and a fixed silence.
    ServerVad,
    /// Voice activity, and a silence that depends on what was said.
    SemanticVad,
}

/// How soon a person may be taken to have finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Eagerness {
    /// Leaves time to think.
    Low,
    /// In between.
    Medium,
    /// Answers as soon as it can.
    High,
    /// As `medium`.
    Auto,
}

impl Default for TurnDetection {
    fn default() -> Self {
        Self {
            kind: TurnKind::ServerVad,
            eagerness: None,
            threshold: 0.5,
            prefix_padding_ms: 300,
            silence_duration_ms: 500,
            idle_timeout_ms: None,
            create_response: true,
            interrupt_response: true,
        }
    }
}

/// How input speech is written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Transcription {
    /// The recogniser in force, whatever name was asked for.
    pub model: String,
    /// Language asked for; the recogniser decides whether it can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

/// Sound coming in.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct AudioInput {
    /// Format of appended sound.
    pub format: AudioFormat,
    /// Null: no transcription events (speech is still understood).
    pub transcription: Option<Transcription>,
    /// Kept as given; nothing is filtered.
    pub noise_reduction: Option<Value>,
    /// Null: the client commits turns itself.
    pub turn_detection: Option<TurnDetection>,
}

/// Sound going out.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct AudioOutput {
    /// Format of `response.output_audio.delta`; a media track is always Opus.
    pub format: AudioFormat,
    /// Voice in force; `none` when answers cannot be spoken.
    pub voice: String,
    /// How fast it speaks: 1 is its own pace.
    pub speed: f32,
}

/// Both.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct AudioConfig {
    /// Coming in.
    pub input: AudioInput,
    /// Going out.
    pub output: AudioOutput,
}

/// A limit on the length of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum MaxTokens {
    /// This many tokens.
    Count(u32),
    /// `"inf"`: the server's own limit.
    Inf(Inf),
}

/// The word `inf`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub enum Inf {
    /// The word `inf`.
    #[serde(rename = "inf")]
    Inf,
}

impl MaxTokens {
    /// No limit of the client's.
    pub const INF: Self = Self::Inf(Inf::Inf);

    /// The smaller of this and `limit`.
    #[must_use]
    pub fn within(self, limit: u32) -> u32 {
        if let Self::Count(n) = self { n.min(limit) } else { limit }
    }
}

/// The session as it stands in `session.created` and `session.updated`: what is in force, not what was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct SessionConfig {
    /// What the session does.
    #[serde(rename = "type")]
    pub kind: SessionKind,
    /// `realtime.session` or `realtime.transcription_session`.
    #[schemars(extend("enum" = ["realtime.session", "realtime.transcription_session"]))]
    pub object: &'static str,
    /// `sess_…`.
    pub id: String,
    /// The model in force.
    pub model: String,
    /// `["text"]` unless the client asked for sound and there is a voice.
    pub output_modalities: [Modality; 1],
    /// The client's own instructions; empty for none.
    pub instructions: String,
    /// Functions that the model may call.
    pub tools: Vec<Tool>,
    /// Whether it calls them.
    pub tool_choice: ToolChoice,
    /// Limit per answer.
    pub max_output_tokens: MaxTokens,
    /// Accepted and shown.
    pub tracing: Option<Value>,
    /// Accepted and shown.
    pub truncation: Value,
    /// Accepted and shown.
    pub prompt: Option<Value>,
    /// Seconds since 1970 at which the session ends; 0 when it has no limit.
    pub expires_at: u64,
    /// Sound.
    pub audio: AudioConfig,
    /// Extra fields asked for.
    pub include: Option<Vec<String>>,
    /// Vendor events asked for; absent when none were.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extensions: Vec<Extension>,
}

/// In what form answers are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Modality {
    /// Written.
    #[default]
    Text,
    /// Spoken, with their words as a transcript.
    Audio,
}

impl Modality {
    /// This, or text where there is no voice.
    #[must_use]
    pub fn with(self, names: &Names) -> Self {
        if names.voice.is_some() { self } else { Self::Text }
    }
}

/// What a session does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SessionKind {
    /// Answers.
    Realtime,
    /// Only writes down what is said.
    Transcription,
}

impl SessionKind {
    /// As `type` names it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Realtime => "realtime",
            Self::Transcription => "transcription",
        }
    }
}

/// Names that this server can put in force; anything else a client names becomes one of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// The answering model.
    pub model: String,
    /// The recogniser.
    pub transcription: String,
    /// The voice that answers can be spoken with, if there is one and the client can be sent its sound.
    pub voice: Option<String>,
}

impl Default for Names {
    fn default() -> Self {
        Self { model: "sightline".into(), transcription: "whisper-tiny.en".into(), voice: None }
    }
}

impl SessionConfig {
    /// The configuration of a new session.
    #[must_use]
    pub fn new(id: String, names: &Names) -> Self {
        let format = AudioFormat::Pcm { rate: 24_000 };
        Self {
            kind: SessionKind::Realtime,
            object: "realtime.session",
            id,
            model: names.model.clone(),
            output_modalities: [Modality::Text],
            instructions: String::new(),
            tools: Vec::new(),
            tool_choice: ToolChoice::AUTO,
            max_output_tokens: MaxTokens::INF,
            tracing: None,
            truncation: Value::from("auto"),
            prompt: None,
            expires_at: 0,
            audio: AudioConfig {
                input: AudioInput {
                    format,
                    transcription: Some(Transcription { model: names.transcription.clone(), language: None }),
                    noise_reduction: None,
                    turn_detection: Some(TurnDetection::default()),
                },
                output: AudioOutput {
                    format,
                    voice: names.voice.clone().unwrap_or_else(|| "none".to_owned()),
                    speed: 1.0,
                },
            },
            include: None,
            extensions: Vec::new(),
        }
    }

    /// Changes what `patch` names and nothing else.
    pub fn apply(&mut self, patch: SessionPatch, names: &Names) {
        set(&mut self.instructions, patch.instructions);
        set(&mut self.tools, patch.tools);
        set(&mut self.tool_choice, patch.tool_choice);
        set(&mut self.max_output_tokens, patch.max_output_tokens);
        set(&mut self.tracing, patch.tracing);
        set(&mut self.truncation, patch.truncation);
        set(&mut self.prompt, patch.prompt);
        set(&mut self.include, patch.include);
        set(&mut self.extensions, patch.extensions);
        let input = &mut self.audio.input;
        set(&mut input.format, patch.input_format);
        set(&mut input.noise_reduction, patch.noise_reduction);
        set(&mut self.audio.output.format, patch.output_format);
        set(&mut self.audio.output.speed, patch.speed);
        set(&mut self.output_modalities, patch.modality.map(|m| [m.with(names)]));
        if let Some(asked) = patch.transcription {
            // Whatever name was asked for, one recogniser is in force, and the client is shown which.
            input.transcription =
                asked.map(|t| Transcription { model: names.transcription.clone(), language: t.language });
        }
        if let Some(kind) = patch.kind {
            self.kind = kind;
            self.object = match kind {
                SessionKind::Realtime => "realtime.session",
                SessionKind::Transcription => "realtime.transcription_session",
            };
        }
        match patch.turn_detection {
            None => {}
            Some(None) => input.turn_detection = None,
            Some(Some(p)) => input.turn_detection = Some(p.onto(input.turn_detection.take())),
        }
        if self.kind == SessionKind::Transcription
            && let Some(turn) = &mut self.audio.input.turn_detection
        {
            turn.create_response = false;
        }
    }

    /// Whether the client asked for this kind of vendor event.
    #[must_use]
    pub fn wants(&self, extension: Extension) -> bool {
        self.extensions.contains(&extension)
    }
}

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

/// Changes to a session: `None` leaves a field as it is, `Some(None)` clears it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SessionPatch {
    /// What the session does; it cannot be changed once it is open.
    pub kind: Option<SessionKind>,
    /// Empty clears.
    pub instructions: Option<String>,
    /// Empty clears.
    pub tools: Option<Vec<Tool>>,
    /// Whether they are called.
    pub tool_choice: Option<ToolChoice>,
    /// Limit per answer.
    pub max_output_tokens: Option<MaxTokens>,
    /// As given.
    pub tracing: Option<Option<Value>>,
    /// As given.
    pub truncation: Option<Value>,
    /// As given.
    pub prompt: Option<Option<Value>>,
    /// As given.
    pub include: Option<Option<Vec<String>>>,
    /// Vendor events wanted; unknown names are left out.
    pub extensions: Option<Vec<Extension>>,
    /// Format of appended sound.
    pub input_format: Option<AudioFormat>,
    /// Format of sound going out.
    pub output_format: Option<AudioFormat>,
    /// Speed of sound going out.
    pub speed: Option<f32>,
    /// In what form answers are given.
    pub modality: Option<Modality>,
    /// Null clears.
    pub noise_reduction: Option<Option<Value>>,
    /// Null clears.
    pub transcription: Option<Option<TranscriptionPatch>>,
    /// Null clears.
    pub turn_detection: Option<Option<TurnPatch>>,
}

/// Asked for transcription; the name is not kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TranscriptionPatch {
    /// Language asked for.
    pub language: Option<String>,
}

/// Changes to turn detection.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TurnPatch {
    /// Kind.
    pub kind: Option<TurnKind>,
    /// Eagerness; of no account with `server_vad`.
    pub eagerness: Option<Eagerness>,
    /// Threshold.
    pub threshold: Option<f32>,
    /// Padding.
    pub prefix_padding_ms: Option<u32>,
    /// Silence.
    pub silence_duration_ms: Option<u32>,
    /// Silence after an answer; null clears.
    pub idle_timeout_ms: Option<Option<u32>>,
    /// Answer by itself.
    pub create_response: Option<bool>,
    /// Be interrupted.
    pub interrupt_response: Option<bool>,
}

impl TurnPatch {
    fn onto(self, before: Option<TurnDetection>) -> TurnDetection {
        let mut t = before.unwrap_or_default();
        set(&mut t.kind, self.kind);
        let semantic = t.kind == TurnKind::SemanticVad;
        t.eagerness = semantic.then(|| self.eagerness.or(t.eagerness).unwrap_or(Eagerness::Auto));
        set(&mut t.threshold, self.threshold);
        set(&mut t.prefix_padding_ms, self.prefix_padding_ms);
        set(&mut t.silence_duration_ms, self.silence_duration_ms);
        set(&mut t.idle_timeout_ms, self.idle_timeout_ms);
        t.idle_timeout_ms = t.idle_timeout_ms.filter(|_| !semantic);
        set(&mut t.create_response, self.create_response);
        set(&mut t.interrupt_response, self.interrupt_response);
        t
    }
}
