//! What a client may send, checked before anything is decoded or copied.

/// Bytes of one message, WebSocket or data channel.
pub const MAX_MESSAGE_BYTES: usize = 16 * 1024 * 1024;
/// Bytes of sound in one `input_audio_buffer.append`, after base64.
pub const MAX_AUDIO_BYTES: usize = 8 * 1024 * 1024;
/// Bytes of one encoded picture, after base64.
pub const MAX_IMAGE_BYTES: usize = 4 * 1024 * 1024;
/// Pictures in one `input_audio_buffer.append`.
pub const MAX_APPEND_FRAMES: usize = 2;
/// Nesting of arrays and objects in one message.
pub const MAX_JSON_DEPTH: usize = 64;
/// Bytes of one text: a question, the instructions.
pub const MAX_TEXT_BYTES: usize = 64 * 1024;
/// Bytes of an id, a name or an `event_id` that a client chooses.
pub const MAX_NAME_BYTES: usize = 512;
/// Content parts of one item.
pub const MAX_PARTS: usize = 16;
/// Pictures in one item.
pub const MAX_IMAGES: usize = 4;
/// Items in the `input` of one `response.create`.
pub const MAX_INPUT_ITEMS: usize = 32;
/// Tools in a session or a response.
pub const MAX_TOOLS: usize = 128;
/// Characters of a tool's name.
pub const MAX_TOOL_NAME: usize = 64;
/// Bytes of configuration that is kept but not understood (prompt, tracing, metadata) and of all tools together, as JSON.
pub const MAX_OPAQUE_BYTES: usize = 64 * 1024;
/// Bytes of one event that the server sends.
pub const MAX_SERVER_EVENT_BYTES: usize = 1024 * 1024;
