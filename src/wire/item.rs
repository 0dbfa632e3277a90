//! Items of a conversation as clients write and read them.

use bytes::Bytes;
use schemars::JsonSchema;
use serde::Serialize;

use super::error::{WireError, code};
use super::limits::{MAX_AUDIO_BYTES, MAX_IMAGE_BYTES, MAX_IMAGES, MAX_PARTS, MAX_TEXT_BYTES};
use super::read::{Field, Obj, decode_base64};

/// Who an item comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ItemRole {
    /// Instructions in mid-conversation.
    System,
    /// The person.
    User,
    /// Sightline.
    Assistant,
}

/// Whether an item is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ItemStatus {
    /// Being written.
    InProgress,
    /// Whole.
    Completed,
    /// Cut off.
    Incomplete,
}

/// A picture format that is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageFormat {
    /// JPEG.
    Jpeg,
    /// PNG.
    Png,
}

/// A part of an item that came from a client, with its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewPart {
    /// Words.
    Text(String),
    /// An encoded picture: its first bytes were checked, the rest was not.
    Image {
        /// How it is encoded.
        format: ImageFormat,
        /// The encoded bytes.
        data: Bytes,
        /// `auto`, `low` or `high`, as given.
        detail: String,
    },
    /// Sound in the session's input format, or words of it.
    Audio {
        /// Encoded in the session's input format; may be empty.
        data: Bytes,
        /// What is said in it, when the client knows.
        transcript: Option<String>,
    },
}

/// What a client asks to be put in the conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewItem {
    /// A message.
    Message {
        /// The client's own id.
        id: Option<String>,
        /// From whom.
        role: ItemRole,
        /// Its parts, in order.
        parts: Vec<NewPart>,
    },
    /// The result of a function call, or a call made earlier: kept as words.
    Function {
        /// The client's own id.
        id: Option<String>,
        /// `function_call` or `function_call_output`.
        kind: FunctionKind,
        /// Which call.
        call_id: String,
        /// Name of the function; empty for an output.
        name: String,
        /// Arguments or output.
        text: String,
    },
    /// An item that is already there (in `response.create` only).
    Reference(String),
}

/// Which half of a function call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FunctionKind {
    /// The call.
    Call,
    /// Its result.
    Output,
}

/// Reads an item.
pub(crate) fn read_item(mut o: Obj) -> Result<NewItem, WireError> {
    let id = o.name("id")?.set();
    match o.required_name("type")?.as_str() {
        "message" => read_message(o, id),
        "item_reference" => id.map(NewItem::Reference).ok_or_else(|| o.missing("id")),
        "function_call" => Ok(NewItem::Function {
            id,
            kind: FunctionKind::Call,
            call_id: o.name("call_id")?.set().unwrap_or_default(),
            name: o.required_name("name")?,
            text: o.text("arguments")?.set().unwrap_or_default(),
        }),
        "function_call_output" => Ok(NewItem::Function {
            id,
            kind: FunctionKind::Output,
            call_id: o.required_name("call_id")?,
            name: String::new(),
            text: o.text("output")?.set().unwrap_or_default(),
        }),
        other => Err(o.bad("type", &format!("must be message, function_call or function_call_output, got {other:?}"))),
    }
}

fn read_message(mut o: Obj, id: Option<String>) -> Result<NewItem, WireError> {
    let role = match o.required_name("role")?.as_str() {
        "user" => ItemRole::User,
        "assistant" => ItemRole::Assistant,
        "system" => ItemRole::System,
        other => return Err(o.bad("role", &format!("must be user, assistant or system, got {other:?}"))),
    };
    let list = o.objects("content", MAX_PARTS)?;
    if list.is_empty() {
        return Err(o.missing("content"));
    }
    let mut images = 0;
    let mut parts = Vec::with_capacity(list.len());
    for part in list {
        let part = read_part(part, role)?;
        images += usize::from(matches!(part, NewPart::Image { .. }));
        parts.push(part);
    }
    if images > MAX_IMAGES {
        let path = o.at("content");
        let message = format!("{path} has {images} pictures, the limit is {MAX_IMAGES} per item");
        return Err(WireError::field(code::TOO_LARGE, path, message));
    }
    Ok(NewItem::Message { id, role, parts })
}

fn read_part(mut p: Obj, role: ItemRole) -> Result<NewPart, WireError> {
    let kind = p.required_name("type")?;
    match (role, kind.as_str()) {
        (_, "input_text" | "text" | "output_text") => {
            let missing = p.missing("text");
            Ok(NewPart::Text(p.text("text")?.set().ok_or(missing)?))
        }
        (ItemRole::User, "input_image") => read_image(p),
        (ItemRole::User, "input_audio" | "audio") | (ItemRole::Assistant, "output_audio" | "audio") => {
            let data = match p.take("audio") {
                Field::Absent | Field::Null => Bytes::new(),
                Field::Set(serde_json::Value::String(s)) => {
                    decode_base64(&s, MAX_AUDIO_BYTES, &p.at("audio"), code::TOO_LARGE)?
                }
                Field::Set(other) => return Err(p.wrong("audio", "a base64 string", &other)),
            };
            let transcript = p.text("transcript")?.set();
            if data.is_empty() && transcript.is_none() {
                return Err(p.missing("audio"));
            }
            Ok(NewPart::Audio { data, transcript })
        }
        (_, other) => Err(p.bad("type", &format!("{other:?} is not a content part that this role may have"))),
    }
}

fn read_image(mut p: Obj) -> Result<NewPart, WireError> {
    let detail = p.name("detail")?.set().unwrap_or_else(|| "auto".to_owned());
    let at = p.at("image_url");
    let url = match p.take("image_url") {
        Field::Set(serde_json::Value::String(url)) => url,
        // The chat spelling: {"url": "data:…"}.
        Field::Set(serde_json::Value::Object(mut o)) => match o.remove("url") {
            Some(serde_json::Value::String(url)) => url,
            _ => return Err(p.missing("image_url")),
        },
        Field::Set(other) => return Err(p.wrong("image_url", "a data URI", &other)),
        Field::Absent | Field::Null => return Err(p.missing("image_url")),
    };
    let (format, data) = read_data_uri(&url, &at)?;
    Ok(NewPart::Image { format, data, detail })
}

/// `data:image/jpeg;base64,…` or PNG. What the bytes say counts, not what the address says.
fn read_data_uri(url: &str, at: &str) -> Result<(ImageFormat, Bytes), WireError> {
    let Some(rest) = strip_scheme(url) else {
        let message = "pictures are taken as data URIs only (data:image/jpeg;base64,… or image/png), \
                       never fetched from an address: send the bytes, or use the video track";
        return Err(WireError::field(code::IMAGE_URL, at, message));
    };
    let Some((meta, payload)) = rest.split_once(',') else {
        return Err(WireError::field(code::INVALID_VALUE, at, "data URI has no comma before its data"));
    };
    if !meta.to_ascii_lowercase().ends_with(";base64") {
        return Err(WireError::field(code::INVALID_VALUE, at, "data URI must be base64"));
    }
    let data = decode_base64(payload, MAX_IMAGE_BYTES, at, code::IMAGE_TOO_LARGE)?;
    match format_of(&data) {
        Some(format) => Ok((format, data)),
        None => Err(WireError::field(code::INVALID_IMAGE, at, "picture is neither JPEG nor PNG")),
    }
}

/// What a picture is by its first bytes.
pub(crate) fn format_of(data: &[u8]) -> Option<ImageFormat> {
    match data {
        [0xFF, 0xD8, 0xFF, ..] => Some(ImageFormat::Jpeg),
        [0x89, b'P', b'N', b'G', 0x0D, 0x0A, 0x1A, 0x0A, ..] => Some(ImageFormat::Png),
        _ => None,
    }
}

fn strip_scheme(url: &str) -> Option<&str> {
    url.get(..5).filter(|s| s.eq_ignore_ascii_case("data:")).map(|_| &url[5..])
}

/// A part of an item as it is shown to clients: without picture or sound data, which would only travel back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum PartView {
    /// Words of the person.
    InputText {
        /// The words.
        text: String,
    },
    /// A picture.
    InputImage {
        /// As given.
        detail: String,
    },
    /// Speech.
    InputAudio {
        /// What was said; null until it is known.
        transcript: Option<String>,
    },
    /// Words of the answer.
    OutputText {
        /// The words.
        text: String,
    },
    /// An answer that was spoken.
    OutputAudio {
        /// What was said; once it is known what of it was heard, only that.
        transcript: String,
    },
}

/// An item as it is shown to clients.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ItemView {
    /// `item_…` or the client's own.
    pub id: String,
    /// Always `realtime.item`.
    #[schemars(extend("const" = "realtime.item"))]
    pub object: &'static str,
    /// `message`, `function_call` or `function_call_output`.
    #[serde(rename = "type")]
    #[schemars(extend("enum" = ["message", "function_call", "function_call_output"]))]
    pub kind: &'static str,
    /// Whether it is whole.
    pub status: ItemStatus,
    /// From whom; absent for function items.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<ItemRole>,
    /// Parts of a message; absent for function items.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<Vec<PartView>>,
    /// Which call; function items only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_id: Option<String>,
    /// Name of the function; calls only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Arguments; calls only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arguments: Option<String>,
    /// Result; outputs only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
}

impl ItemView {
    /// A message.
    #[must_use]
    pub fn message(id: impl Into<String>, role: ItemRole, status: ItemStatus, content: Vec<PartView>) -> Self {
        Self {
            id: id.into(),
            object: "realtime.item",
            kind: "message",
            status,
            role: Some(role),
            content: Some(content),
            call_id: None,
            name: None,
            arguments: None,
            output: None,
        }
    }

    /// Half of a function call.
    #[must_use]
    pub fn function(id: String, half: FunctionKind, call_id: String, name: String, text: String) -> Self {
        let call = half == FunctionKind::Call;
        Self {
            id,
            object: "realtime.item",
            kind: if call { "function_call" } else { "function_call_output" },
            status: ItemStatus::Completed,
            role: None,
            content: None,
            call_id: Some(call_id),
            name: call.then_some(name),
            arguments: call.then(|| text.clone()),
            output: (!call).then_some(text),
        }
    }

    /// Bytes of its words: what it costs to keep.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let part = |p: &PartView| match p {
            PartView::InputText { text }
            | PartView::OutputText { text }
            | PartView::OutputAudio { transcript: text } => text.len(),
            PartView::InputAudio { transcript } => transcript.as_deref().map_or(0, str::len),
            PartView::InputImage { .. } => 16,
        };
        let words = self.content.iter().flatten().map(part).sum::<usize>();
        let extra = [&self.arguments, &self.output].into_iter().flatten().map(String::len).sum::<usize>();
        (words + extra + 128).min(MAX_TEXT_BYTES * MAX_PARTS)
    }
}
