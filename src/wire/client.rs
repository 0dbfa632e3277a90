//! Events that clients send: text to [`ClientEvent`], or a [`WireError`] that says which field was wrong.

use bytes::Bytes;
use serde_json::Value;

use super::error::{WireError, code};
use super::item::{ImageFormat, NewItem, format_of, read_item};
use super::limits::{
    MAX_APPEND_FRAMES, MAX_AUDIO_BYTES, MAX_IMAGE_BYTES, MAX_JSON_DEPTH, MAX_MESSAGE_BYTES, MAX_NAME_BYTES,
};
use super::memory::ForgetRequest;
use super::read::{Field, Obj, decode_base64};
use super::response::{ResponseRequest, read_response};
use super::session::SessionPatch;
use super::session_read::read_session;

/// One event of a client, with the id it gave it.
#[derive(Debug, Clone, PartialEq)]
pub struct ClientEvent {
    /// Given back in `error.error.event_id` when the event is refused.
    pub event_id: Option<String>,
    /// What it asks.
    pub body: ClientBody,
}

/// What a client asks.
#[derive(Debug, Clone, PartialEq)]
pub enum ClientBody {
    /// `session.update`
    SessionUpdate(Box<SessionPatch>),
    /// `input_audio_buffer.append`
    AudioAppend {
        /// Sound in the session's input format; empty when only pictures came.
        audio: Bytes,
        /// Pictures of a camera, JPEG: their first bytes were checked, the rest was not.
        frames: Vec<Bytes>,
    },
    /// `input_audio_buffer.commit`
    AudioCommit,
    /// `input_audio_buffer.clear`
    AudioClear,
    /// `input_text.typing`
    Typing,
    /// `conversation.item.create`
    ItemCreate {
        /// After which item: `root` for the front, absent for the end.
        previous_item_id: Option<String>,
        /// The item.
        item: NewItem,
    },
    /// `conversation.item.retrieve`
    ItemRetrieve {
        /// Which.
        item_id: String,
    },
    /// `conversation.item.truncate`
    ItemTruncate {
        /// Which.
        item_id: String,
        /// Which part.
        content_index: u32,
        /// Up to where.
        audio_end_ms: u32,
    },
    /// `conversation.item.delete`
    ItemDelete {
        /// Which.
        item_id: String,
    },
    /// `response.create`
    ResponseCreate(Box<ResponseRequest>),
    /// `response.cancel`
    ResponseCancel {
        /// Which; the one that is running when absent.
        response_id: Option<String>,
    },
    /// `output_audio_buffer.clear`
    OutputAudioClear,
    /// `session.event_ack`
    EventAck {
        /// The newest event that the client has.
        seq: u64,
    },
    /// `memory.timeline.get`
    TimelineGet,
    /// `memory.forget`
    Forget(ForgetRequest),
    /// `memory.watch.create`
    WatchCreate {
        /// What for, in words: `when you see a cup`.
        condition: String,
    },
    /// `memory.watch.delete`
    WatchDelete {
        /// Which.
        watch_id: String,
    },
}

/// Every `type` that clients may send.
pub const CLIENT_EVENT_TYPES: [&str; 17] = [
    "session.update",
    "input_audio_buffer.append",
    "input_audio_buffer.commit",
    "input_audio_buffer.clear",
    "input_text.typing",
    "conversation.item.create",
    "conversation.item.retrieve",
    "conversation.item.truncate",
    "conversation.item.delete",
    "response.create",
    "response.cancel",
    "output_audio_buffer.clear",
    "session.event_ack",
    "memory.timeline.get",
    "memory.forget",
    "memory.watch.create",
    "memory.watch.delete",
];

impl ClientBody {
    /// Its `type`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::SessionUpdate(_) => "session.update",
            Self::AudioAppend { .. } => "input_audio_buffer.append",
            Self::AudioCommit => "input_audio_buffer.commit",
            Self::AudioClear => "input_audio_buffer.clear",
            Self::Typing => "input_text.typing",
            Self::ItemCreate { .. } => "conversation.item.create",
            Self::ItemRetrieve { .. } => "conversation.item.retrieve",
            Self::ItemTruncate { .. } => "conversation.item.truncate",
            Self::ItemDelete { .. } => "conversation.item.delete",
            Self::ResponseCreate(_) => "response.create",
            Self::ResponseCancel { .. } => "response.cancel",
            Self::OutputAudioClear => "output_audio_buffer.clear",
            Self::TimelineGet => "memory.timeline.get",
            Self::Forget(_) => "memory.forget",
            Self::WatchCreate { .. } => "memory.watch.create",
            Self::WatchDelete { .. } => "memory.watch.delete",
            Self::EventAck { .. } => "session.event_ack",
        }
    }
}

impl ClientEvent {
    /// Reads one message.
    ///
    /// # Errors
    /// [`WireError`] with code, path of the wrong field and the client's `event_id` (where it could be read): send it back in an `error` event, the session goes on.
    pub fn parse(text: &str) -> Result<Self, WireError> {
        let mut root = Obj::root(parse_object(text)?);
        let event_id = match root.take("event_id") {
            Field::Set(Value::String(id)) if id.len() <= MAX_NAME_BYTES => Some(id),
            Field::Absent | Field::Null => None,
            Field::Set(Value::String(id)) => {
                return Err(root.bad("event_id", &format!("has {} bytes, the limit is {MAX_NAME_BYTES}", id.len())));
            }
            Field::Set(other) => return Err(root.wrong("event_id", "a string", &other)),
        };
        match read_body(root) {
            Ok(body) => Ok(Self { event_id, body }),
            Err(e) => Err(e.of_event(event_id.as_deref())),
        }
    }
}

/// Reads a `session` object that came in another way than `session.update`: the `session` part of an offer, a client secret.
///
/// # Errors
/// As [`ClientEvent::parse`].
pub fn parse_session(text: &str) -> Result<SessionPatch, WireError> {
    read_session(Obj::root(parse_object(text)?))
}

fn parse_object(text: &str) -> Result<serde_json::Map<String, Value>, WireError> {
    if text.len() > MAX_MESSAGE_BYTES {
        let message = format!("message has {} bytes, the limit is {MAX_MESSAGE_BYTES}", text.len());
        return Err(WireError::invalid(code::TOO_LARGE, message));
    }
    if nests_deeper_than(text.as_bytes(), MAX_JSON_DEPTH) {
        let message = format!("message nests deeper than {MAX_JSON_DEPTH} levels");
        return Err(WireError::invalid(code::TOO_DEEP, message));
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err(WireError::invalid(code::INVALID_JSON, "message must be a JSON object")),
        Err(e) => Err(WireError::invalid(code::INVALID_JSON, format!("message is not JSON: {e}"))),
    }
}

/// Counts brackets outside strings, so that the parser never recurses further than the limit.
fn nests_deeper_than(text: &[u8], limit: usize) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for &b in text {
        if in_string {
            match b {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match b {
            b'"' => in_string = true,
            b'[' | b'{' => {
                depth += 1;
                if depth > limit {
                    return true;
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

fn read_body(mut o: Obj) -> Result<ClientBody, WireError> {
    let kind = o.required_name("type")?;
    Ok(match kind.as_str() {
        "session.update" => ClientBody::SessionUpdate(Box::new(read_session(o.required_object("session")?)?)),
        "input_audio_buffer.append" => {
            let frames = read_frames(&mut o)?;
            let pictures_only = !frames.is_empty() && !o.has("audio");
            let audio = if pictures_only { Bytes::new() } else { o.base64("audio", MAX_AUDIO_BYTES)? };
            ClientBody::AudioAppend { audio, frames }
        }
        "input_audio_buffer.commit" => ClientBody::AudioCommit,
        "input_audio_buffer.clear" => ClientBody::AudioClear,
        "input_text.typing" => ClientBody::Typing,
        "conversation.item.create" => ClientBody::ItemCreate {
            previous_item_id: o.name("previous_item_id")?.set(),
            item: match read_item(o.required_object("item")?)? {
                NewItem::Reference(_) => {
                    return Err(o.bad("item.type", "item_reference can only stand in response.create"));
                }
                item => item,
            },
        },
        "conversation.item.retrieve" => ClientBody::ItemRetrieve { item_id: o.required_name("item_id")? },
        "conversation.item.truncate" => ClientBody::ItemTruncate {
            item_id: o.required_name("item_id")?,
            content_index: o.whole("content_index", u32::MAX)?.unwrap_or(0),
            audio_end_ms: o.whole("audio_end_ms", u32::MAX)?.unwrap_or(0),
        },
        "conversation.item.delete" => ClientBody::ItemDelete { item_id: o.required_name("item_id")? },
        "response.create" => ClientBody::ResponseCreate(Box::new(match o.object("response")? {
            Field::Set(response) => read_response(response)?,
            Field::Absent | Field::Null => ResponseRequest::default(),
        })),
        "response.cancel" => ClientBody::ResponseCancel { response_id: o.name("response_id")?.set() },
        "output_audio_buffer.clear" => ClientBody::OutputAudioClear,
        "session.event_ack" => {
            let missing = o.missing("server_event_seq");
            let seq = o.whole("server_event_seq", u32::MAX)?.ok_or(missing)?;
            ClientBody::EventAck { seq: seq.into() }
        }
        "memory.timeline.get" => ClientBody::TimelineGet,
        "memory.forget" => ClientBody::Forget(read_forget(&mut o)?),
        "memory.watch.create" => ClientBody::WatchCreate { condition: o.required_name("condition")? },
        "memory.watch.delete" => ClientBody::WatchDelete { watch_id: o.required_name("watch_id")? },
        other => {
            let message = format!("{other:?} is not an event that clients send; it must be one of {}", {
                CLIENT_EVENT_TYPES.join(", ")
            });
            return Err(WireError::field(code::UNKNOWN_EVENT, "type", message));
        }
    })
}

/// `video_frames`: base64 without anything around it; sizes and number are known before anything is decoded.
fn read_frames(o: &mut Obj) -> Result<Vec<Bytes>, WireError> {
    let list = match o.take("video_frames") {
        Field::Absent | Field::Null => return Ok(Vec::new()),
        Field::Set(Value::Array(list)) => list,
        Field::Set(other) => return Err(o.wrong("video_frames", "an array of base64 strings", &other)),
    };
    if list.len() > MAX_APPEND_FRAMES {
        let message = format!("video_frames has {} pictures, the limit is {MAX_APPEND_FRAMES} per append", list.len());
        return Err(WireError::field(code::TOO_LARGE, "video_frames", message));
    }
    let frame = |(i, v): (usize, Value)| {
        let at = format!("video_frames[{i}]");
        let Value::String(text) = v else { return Err(o.wrong(&at, "a base64 string", &v)) };
        let data = decode_base64(&text, MAX_IMAGE_BYTES, &at, code::IMAGE_TOO_LARGE)?;
        if format_of(&data) == Some(ImageFormat::Jpeg) {
            return Ok(data);
        }
        Err(WireError::field(code::INVALID_IMAGE, at, "a picture of video_frames must be a JPEG"))
    };
    list.into_iter().enumerate().map(frame).collect()
}

/// One of `last_ms`, `start_ms` with `end_ms`, or `all`.
fn read_forget(o: &mut Obj) -> Result<ForgetRequest, WireError> {
    let (last, start, end) = (
        o.whole("last_ms", u32::MAX)?.map(u64::from),
        o.whole("start_ms", u32::MAX)?.map(u64::from),
        o.whole("end_ms", u32::MAX)?.map(u64::from),
    );
    match (o.bool("all")?.unwrap_or(false), last, start, end) {
        (true, None, None, None) => Ok(ForgetRequest::All),
        (false, Some(last), None, None) => Ok(ForgetRequest::Last(last)),
        (false, None, Some(start), Some(end)) if start <= end => Ok(ForgetRequest::Between(start, end)),
        (false, None, Some(start), Some(end)) => {
            let message = format!("start_ms {start} is after end_ms {end}");
            Err(WireError::field(code::INVALID_VALUE, "start_ms", message))
        }
        _ => Err(WireError::invalid(
            code::INVALID_VALUE,
            "say what to forget: `last_ms`, or `start_ms` and `end_ms`, or `all: true`",
        )),
    }
}
