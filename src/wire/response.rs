//! Responses as clients ask for them and read them.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::WireError;
use super::item::{ItemView, NewItem, read_item};
use super::limits::MAX_INPUT_ITEMS;
use super::read::{Field, Obj};
use super::session::{MaxTokens, Modality};
use super::session_read::{read_max_tokens, read_metadata, read_modality};
use super::tool::{Tool, ToolChoice, read_tool_choice, read_tools};

/// What a client asks of one response.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ResponseRequest {
    /// Outside the conversation (`"conversation": "none"`): neither reads it nor adds to it.
    pub out_of_band: bool,
    /// Instead of the session's instructions.
    pub instructions: Option<String>,
    /// Instead of the session's limit.
    pub max_output_tokens: Option<MaxTokens>,
    /// Instead of the conversation; `None` when not given.
    pub input: Option<Vec<NewItem>>,
    /// Given back in the response.
    pub metadata: Option<Value>,
    /// Instead of the session's.
    pub modality: Option<Modality>,
    /// Instead of the session's.
    pub tools: Option<Vec<Tool>>,
    /// Instead of the session's.
    pub tool_choice: Option<ToolChoice>,
    /// Whether several calls may be made in one response; they may when not said.
    pub parallel_tool_calls: Option<bool>,
}

/// Reads the `response` object of `response.create`.
pub(crate) fn read_response(mut o: Obj) -> Result<ResponseRequest, WireError> {
    let out_of_band = match o.name("conversation")?.set().as_deref() {
        None | Some("auto") => false,
        Some("none") => true,
        Some(other) => return Err(o.bad("conversation", &format!("must be \"auto\" or \"none\", got {other:?}"))),
    };
    let given = o.has("input");
    let items = o.objects("input", MAX_INPUT_ITEMS)?;
    let input = if given { Some(items.into_iter().map(read_item).collect::<Result<_, _>>()?) } else { None };
    Ok(ResponseRequest {
        out_of_band,
        instructions: match o.text("instructions")? {
            Field::Set(text) => Some(text),
            Field::Absent | Field::Null => None,
        },
        max_output_tokens: read_max_tokens(&mut o)?,
        input,
        metadata: read_metadata(&mut o)?,
        modality: read_modality(&mut o)?,
        tools: read_tools(&mut o)?,
        tool_choice: read_tool_choice(&mut o)?,
        parallel_tool_calls: o.bool("parallel_tool_calls")?,
    })
}

/// How a response stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ResponseStatus {
    /// Being answered.
    InProgress,
    /// Whole.
    Completed,
    /// Stopped by the client or by speech.
    Cancelled,
    /// Cut off by a limit.
    Incomplete,
    /// An error of ours.
    Failed,
}

/// Why a response is not whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct StatusDetails {
    /// Same as the status.
    #[serde(rename = "type")]
    pub kind: ResponseStatus,
    /// `turn_detected`, `client_cancelled`, `max_output_tokens` or `content_filter`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// What failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<StatusError>,
}

/// What failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct StatusError {
    /// Who has to act.
    #[serde(rename = "type")]
    pub kind: super::ErrorType,
    /// One of `wire::code`.
    pub code: &'static str,
    /// What happened: a further field, which stock clients leave out.
    pub message: String,
}

/// Tokens in, by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
pub struct InputDetails {
    /// All of them: what is seen and heard reaches the model as words.
    pub text_tokens: u64,
    /// None.
    pub audio_tokens: u64,
    /// None.
    pub image_tokens: u64,
    /// Of them, taken from the cache.
    pub cached_tokens: u64,
    /// The same by kind.
    pub cached_tokens_details: CachedDetails,
}

/// Cached tokens by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
pub struct CachedDetails {
    /// All of them.
    pub text_tokens: u64,
    /// None.
    pub audio_tokens: u64,
    /// None.
    pub image_tokens: u64,
}

/// Tokens out, by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
pub struct OutputDetails {
    /// What the model wrote.
    pub text_tokens: u64,
    /// What was said aloud: one for every 50 ms of sound.
    pub audio_tokens: u64,
}

/// What a response cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
pub struct Usage {
    /// In and out.
    pub total_tokens: u64,
    /// In.
    pub input_tokens: u64,
    /// Out.
    pub output_tokens: u64,
    /// In, by kind.
    pub input_token_details: InputDetails,
    /// Out, by kind.
    pub output_token_details: OutputDetails,
}

impl Usage {
    /// Everything is text.
    #[must_use]
    pub fn text(input: u64, cached: u64, output: u64) -> Self {
        Self {
            total_tokens: input + output,
            input_tokens: input,
            output_tokens: output,
            input_token_details: InputDetails {
                text_tokens: input,
                cached_tokens: cached,
                cached_tokens_details: CachedDetails { text_tokens: cached, ..CachedDetails::default() },
                ..InputDetails::default()
            },
            output_token_details: OutputDetails { text_tokens: output, audio_tokens: 0 },
        }
    }

    /// The same with so much sound.
    #[must_use]
    pub fn spoken(mut self, sound_ms: u64) -> Self {
        let tokens = sound_ms.div_ceil(50);
        self.output_token_details.audio_tokens = tokens;
        self.output_tokens += tokens;
        self.total_tokens += tokens;
        self
    }
}

/// A response as it is shown to clients.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ResponseView {
    /// Always `realtime.response`.
    #[schemars(extend("const" = "realtime.response"))]
    pub object: &'static str,
    /// `resp_…`.
    pub id: String,
    /// How it stands.
    pub status: ResponseStatus,
    /// Why it is not whole; null when it is.
    pub status_details: Option<StatusDetails>,
    /// What was answered.
    pub output: Vec<ItemView>,
    /// Null for a response outside the conversation.
    pub conversation_id: Option<String>,
    /// In what form it is given.
    pub output_modalities: [Modality; 1],
    /// The limit in force.
    pub max_output_tokens: MaxTokens,
    /// Null until it is done.
    pub usage: Option<Usage>,
    /// The client's own.
    pub metadata: Option<Value>,
}
