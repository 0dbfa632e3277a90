//! The shape of what clients send, as types: only for the schema. `wire::client` reads field by field, so that it can say which field was wrong
//! and check limits first; tests hold the two together (what this refuses the reader refuses; every golden event fits).

#![expect(dead_code, reason = "never built: only their schema is used")]

use schemars::JsonSchema;
use serde_json::Value;

use super::{Eagerness, ItemRole};

/// One event of a client.
#[derive(JsonSchema)]
pub(super) struct ClientEventSchema {
    /// Given back in `error.error.event_id` when the event is refused.
    #[schemars(length(max = 512))]
    event_id: Option<String>,
    #[schemars(flatten)]
    body: ClientBodySchema,
}

/// What a client asks.
#[derive(JsonSchema)]
#[schemars(tag = "type")]
enum ClientBodySchema {
    /// Changes what its `session` names and nothing else.
    #[schemars(rename = "session.update")]
    SessionUpdate { session: Box<SessionUpdate> },
    /// Sound in the session's input format.
    #[schemars(rename = "input_audio_buffer.append", extend("anyOf" = [{"required": ["audio"]}, {"required": ["video_frames"]}]))]
    AudioAppend {
        /// Base64; may be absent where pictures are.
        audio: Option<String>,
        /// Vendor: pictures of a camera, each a JPEG in base64.
        #[schemars(length(max = 2))]
        video_frames: Option<Vec<String>>,
    },
    /// The sound so far is a turn.
    #[schemars(rename = "input_audio_buffer.commit")]
    AudioCommit {},
    /// The sound so far is thrown away.
    #[schemars(rename = "input_audio_buffer.clear")]
    AudioClear {},
    /// A new item of the conversation.
    #[schemars(rename = "conversation.item.create")]
    ItemCreate {
        /// After which item: `root` for the front, absent for the end.
        #[schemars(length(max = 512))]
        previous_item_id: Option<String>,
        item: ItemCreate,
    },
    /// Shows an item again.
    #[schemars(rename = "conversation.item.retrieve")]
    ItemRetrieve {
        #[schemars(length(min = 1, max = 512))]
        item_id: String,
    },
    /// Cuts the sound of an item that was not heard to its end.
    #[schemars(rename = "conversation.item.truncate")]
    ItemTruncate {
        #[schemars(length(min = 1, max = 512))]
        item_id: String,
        content_index: Option<u32>,
        audio_end_ms: Option<u32>,
    },
    /// Deletes an item.
    #[schemars(rename = "conversation.item.delete")]
    ItemDelete {
        #[schemars(length(min = 1, max = 512))]
        item_id: String,
    },
    /// Asks for an answer.
    #[schemars(rename = "response.create")]
    ResponseCreate { response: Option<ResponseCreate> },
    /// Stops an answer: the one that is running when none is named.
    #[schemars(rename = "response.cancel")]
    ResponseCancel {
        #[schemars(length(max = 512))]
        response_id: Option<String>,
    },
    /// Throws away sound that was not played yet.
    #[schemars(rename = "output_audio_buffer.clear")]
    OutputAudioClear {},
    /// Vendor: somebody types a question.
    #[schemars(rename = "input_text.typing")]
    Typing {},
    /// Vendor: has every event up to this one, which need not be kept for it any longer.
    #[schemars(rename = "session.event_ack")]
    EventAck { server_event_seq: u32 },
    /// Vendor: all that is remembered.
    #[schemars(rename = "memory.timeline.get")]
    TimelineGet {},
    /// Vendor: one of `last_ms`, `start_ms` with `end_ms`, or `all`.
    #[schemars(rename = "memory.forget")]
    Forget { last_ms: Option<u32>, start_ms: Option<u32>, end_ms: Option<u32>, all: Option<bool> },
    /// Vendor: says so by itself when something is seen.
    #[schemars(rename = "memory.watch.create")]
    WatchCreate {
        /// In words: `when you see a cup`.
        #[schemars(length(min = 1, max = 512))]
        condition: String,
    },
    /// Vendor: ends that.
    #[schemars(rename = "memory.watch.delete")]
    WatchDelete {
        #[schemars(length(min = 1, max = 512))]
        watch_id: String,
    },
}

/// A patch of the session: what is absent stays, null and the empty value clear.
#[derive(JsonSchema)]
struct SessionUpdate {
    #[schemars(rename = "type")]
    kind: Option<RealtimeKind>,
    /// Shown as the model in force, whatever name is given.
    model: Option<Value>,
    #[schemars(length(max = 65_536))]
    instructions: Option<String>,
    #[schemars(length(max = 128))]
    tools: Option<Vec<ToolUpdate>>,
    tool_choice: Option<ToolChoiceUpdate>,
    max_output_tokens: Option<MaxOutput>,
    tracing: Option<Value>,
    truncation: Option<Value>,
    prompt: Option<Value>,
    #[schemars(length(max = 32))]
    include: Option<Vec<String>>,
    /// Vendor events wanted; names that the server does not have are left out.
    #[schemars(length(max = 32))]
    extensions: Option<Vec<String>>,
    #[schemars(length(max = 4))]
    output_modalities: Option<Vec<String>>,
    audio: Option<AudioUpdate>,
    /// Spelling of before GA.
    #[schemars(length(max = 4))]
    modalities: Option<Vec<String>>,
    /// Spelling of before GA.
    input_audio_format: Option<FormatUpdate>,
    /// Spelling of before GA.
    output_audio_format: Option<FormatUpdate>,
    /// Spelling of before GA.
    input_audio_transcription: Option<TranscriptionUpdate>,
    /// Spelling of before GA.
    input_audio_noise_reduction: Option<Value>,
    /// Spelling of before GA.
    turn_detection: Option<TurnUpdate>,
    /// Spelling of before GA.
    max_response_output_tokens: Option<MaxOutput>,
}

/// A function that may be called.
#[derive(JsonSchema)]
struct ToolUpdate {
    #[schemars(rename = "type")]
    kind: Option<FunctionWord>,
    #[schemars(length(min = 1, max = 64))]
    name: String,
    /// For the model.
    #[schemars(length(max = 65_536))]
    description: Option<String>,
    /// JSON Schema of its arguments.
    parameters: Option<serde_json::Map<String, Value>>,
}

#[derive(JsonSchema)]
enum FunctionWord {
    #[schemars(rename = "function")]
    Function,
}

/// Whether functions are called: in general, or this one.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum ToolChoiceUpdate {
    Mode(ToolModeWord),
    Named {
        #[schemars(rename = "type")]
        kind: FunctionWord,
        #[schemars(length(min = 1, max = 512))]
        name: String,
    },
}

#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
enum ToolModeWord {
    Auto,
    None,
    Required,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
enum RealtimeKind {
    Realtime,
    Transcription,
}

/// A whole number from 1 to 4096, or `inf`.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum MaxOutput {
    Count(#[schemars(range(min = 1, max = 4096))] u32),
    Inf(InfWord),
}

#[derive(JsonSchema)]
enum InfWord {
    #[schemars(rename = "inf")]
    Inf,
}

#[derive(JsonSchema)]
struct AudioUpdate {
    input: Option<AudioInputUpdate>,
    output: Option<AudioOutputUpdate>,
}

#[derive(JsonSchema)]
struct AudioInputUpdate {
    format: Option<FormatUpdate>,
    transcription: Option<TranscriptionUpdate>,
    noise_reduction: Option<Value>,
    /// Null: the client commits turns itself.
    turn_detection: Option<TurnUpdate>,
}

#[derive(JsonSchema)]
struct AudioOutputUpdate {
    format: Option<FormatUpdate>,
    #[schemars(range(min = 0.25, max = 1.5))]
    speed: Option<f32>,
    voice: Option<Value>,
}

/// A sound format, by its name or as an object.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum FormatUpdate {
    Name(FormatName),
    Object {
        #[schemars(rename = "type")]
        kind: FormatName,
        /// Of `audio/pcm`: 16000 or 24000.
        #[schemars(range(max = 192_000))]
        rate: Option<u32>,
    },
}

#[derive(JsonSchema)]
enum FormatName {
    #[schemars(rename = "audio/pcm")]
    Pcm,
    #[schemars(rename = "audio/pcmu")]
    Pcmu,
    #[schemars(rename = "audio/pcma")]
    Pcma,
    #[schemars(rename = "pcm16")]
    OldPcm,
    #[schemars(rename = "g711_ulaw")]
    OldPcmu,
    #[schemars(rename = "g711_alaw")]
    OldPcma,
}

#[derive(JsonSchema)]
struct TranscriptionUpdate {
    /// Shown as the recogniser in force, whatever name is given.
    #[schemars(length(max = 512))]
    model: Option<String>,
    #[schemars(length(max = 512))]
    language: Option<String>,
    #[schemars(length(max = 65_536))]
    prompt: Option<String>,
}

#[derive(JsonSchema)]
struct TurnUpdate {
    #[schemars(rename = "type")]
    kind: Option<TurnKindName>,
    eagerness: Option<Eagerness>,
    #[schemars(range(min = 0.0, max = 1.0))]
    threshold: Option<f32>,
    #[schemars(range(max = 5_000))]
    prefix_padding_ms: Option<u32>,
    #[schemars(range(max = 10_000))]
    silence_duration_ms: Option<u32>,
    #[schemars(range(min = 5_000, max = 30_000))]
    idle_timeout_ms: Option<u32>,
    create_response: Option<bool>,
    interrupt_response: Option<bool>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
enum TurnKindName {
    ServerVad,
    SemanticVad,
    None,
}

/// What is asked of one answer.
#[derive(JsonSchema)]
struct ResponseCreate {
    /// `none`: outside the conversation.
    conversation: Option<ConversationName>,
    #[schemars(length(max = 65_536))]
    instructions: Option<String>,
    max_output_tokens: Option<MaxOutput>,
    /// Instead of the conversation.
    #[schemars(length(max = 32))]
    input: Option<Vec<ItemCreate>>,
    /// Given back in the response.
    metadata: Option<serde_json::Map<String, Value>>,
    #[schemars(length(max = 4))]
    output_modalities: Option<Vec<String>>,
    /// Instead of the session's.
    #[schemars(length(max = 128))]
    tools: Option<Vec<ToolUpdate>>,
    /// Instead of the session's.
    tool_choice: Option<ToolChoiceUpdate>,
    /// Whether several calls may be made.
    parallel_tool_calls: Option<bool>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
enum ConversationName {
    Auto,
    None,
}

/// A new item.
#[derive(JsonSchema)]
#[schemars(tag = "type", rename_all = "snake_case")]
enum ItemCreate {
    /// A message.
    Message {
        #[schemars(length(max = 512))]
        id: Option<String>,
        role: ItemRole,
        #[schemars(length(min = 1, max = 16))]
        content: Vec<PartCreate>,
    },
    /// A call made earlier.
    FunctionCall {
        #[schemars(length(max = 512))]
        id: Option<String>,
        #[schemars(length(max = 512))]
        call_id: Option<String>,
        #[schemars(length(min = 1, max = 512))]
        name: String,
        #[schemars(length(max = 65_536))]
        arguments: Option<String>,
    },
    /// What a function gave.
    FunctionCallOutput {
        #[schemars(length(max = 512))]
        id: Option<String>,
        #[schemars(length(min = 1, max = 512))]
        call_id: String,
        #[schemars(length(max = 65_536))]
        output: Option<String>,
    },
    /// An item that is already there; in `response.create` only.
    ItemReference {
        #[schemars(length(max = 512))]
        id: String,
    },
}

/// A part of a message: pictures and `input_audio` are the person's, `output_audio` is the assistant's.
#[derive(JsonSchema)]
#[schemars(tag = "type", rename_all = "snake_case")]
enum PartCreate {
    InputText {
        #[schemars(length(max = 65_536))]
        text: String,
    },
    Text {
        #[schemars(length(max = 65_536))]
        text: String,
    },
    OutputText {
        #[schemars(length(max = 65_536))]
        text: String,
    },
    InputImage {
        /// `data:image/jpeg;base64,…` or PNG.
        image_url: ImageAddress,
        #[schemars(length(max = 512))]
        detail: Option<String>,
    },
    InputAudio {
        audio: Option<String>,
        #[schemars(length(max = 65_536))]
        transcript: Option<String>,
    },
    Audio {
        audio: Option<String>,
        #[schemars(length(max = 65_536))]
        transcript: Option<String>,
    },
    OutputAudio {
        audio: Option<String>,
        #[schemars(length(max = 65_536))]
        transcript: Option<String>,
    },
}

/// A data URI, or the spelling of chat completions.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum ImageAddress {
    Uri(String),
    Chat { url: String },
}
