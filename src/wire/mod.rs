//! The events that clients see: the OpenAI Realtime protocol (GA), and what Sightline adds for those who ask.
//!
//! Floor 1. In: JSON text of clients ≤ 16 MiB. Out: [`ClientEvent`], or a [`WireError`] to send back; [`ServerEvent`] as JSON text. Loses: nothing.
//! Source: OpenAI Realtime API reference as of openai-python 3.54.0 and openai-openapi f85dbe2. `PROTOCOL.md` says what differs from it.

mod beta;
mod client;
mod error;
mod id;
mod item;
pub mod limits;
mod memory;
mod read;
mod response;
pub mod schema;
mod schema_client;
mod server;
mod session;
mod session_read;
mod tool;
mod vendor;

#[cfg(test)]
mod tests;

pub use beta::{BETA_HEADER, BETA_PROTOCOL, older_session, to_beta};
pub use client::{CLIENT_EVENT_TYPES, ClientBody, ClientEvent, parse_session};
pub use error::{ErrorType, WireError, code};
pub use id::{IdGen, IdKind};
pub use item::{FunctionKind, ImageFormat, ItemRole, ItemStatus, ItemView, NewItem, NewPart, PartView};
pub use memory::{
    ArchiveView, ChildView, CitationView, EventView, ForgetRequest, IntervalView, KeyframeView, MergeView, SaidView,
    TierView, TiersView, TimelineView, WatchView,
};
pub use read::encode_base64;
pub use response::{
    CachedDetails, InputDetails, OutputDetails, ResponseRequest, ResponseStatus, ResponseView, StatusDetails,
    StatusError, Usage,
};
pub use server::{AnswerPart, At, RateLimit, ResumePass, ServerBody, ServerEvent, TranscriptionUsage, words};
pub use session::{
    AudioConfig, AudioFormat, AudioInput, AudioOutput, Eagerness, Inf, MaxTokens, Modality, Names, SessionConfig,
    SessionKind, SessionPatch, Transcription, TranscriptionPatch, TurnDetection, TurnKind, TurnPatch,
};
pub use tool::{NamedTool, Tool, ToolChoice, ToolMode};
pub use vendor::{
    Extension, Latency, SceneView, StageBudgets, VideoStats, WireBox, WireColour, WireLabel, WireObject, WireText,
    WordView,
};
