//! A conversation as it is kept for a restart of the server: items, settings, ids, and what was under way.
//!
//! What cannot be kept is not passed over: answers under way are told as failed, watches as ended. Of pictures that came in items is kept what was
//! seen in the newest, as in a conversation that goes on; what the camera saw is the memory's.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::answer::Ending;
use super::conversation::Conversation;
use super::idle::Quiet;
use super::items::{Item, Picture, Place};
use super::{Output, VideoState};
use crate::base::MediaTime;
use crate::memory::Span;
use crate::wire::{
    FunctionKind, ItemRole, ItemStatus, ItemView, Modality, PartView, ResponseView, ServerBody, StatusDetails, Usage,
    WatchView, parse_session,
};

/// Changes when older ones can no longer be read.
const VERSION: u32 = 1;

/// Items whose pictures are kept: questions go to the newest picture, and to those before it only when it is deleted.
const PICTURED: usize = 4;

/// Why an answer of before a restart is over.
const CUT_OFF: &str = "the server was restarted during this answer; ask again";

/// A conversation, written down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    version: u32,
    session_id: String,
    conversation_id: String,
    /// The session object as `session.updated` shows it.
    session: Value,
    /// Oldest first; the oldest are missing where they did not fit.
    items: Vec<SavedItem>,
    /// Answers that were under way.
    answers: Vec<SavedAnswer>,
    /// What was watched for.
    watches: Vec<WatchView>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct SavedItem {
    id: String,
    kind: SavedKind,
    whole: bool,
    aside: bool,
    /// When it was said, on the memory's clock.
    at: MediaTime,
    /// What was seen in each of its pictures; null where nothing was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pictures: Vec<Value>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum SavedKind {
    System(Vec<SavedPart>),
    User(Vec<SavedPart>),
    Assistant(Vec<SavedPart>),
    Call { call_id: String, name: String, text: String },
    Output { call_id: String, text: String },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum SavedPart {
    InputText(String),
    InputImage(String),
    InputAudio(Option<String>),
    OutputText(String),
    /// What was said aloud of an answer.
    OutputAudio(String),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct SavedAnswer {
    id: String,
    item_id: String,
    in_conversation: bool,
    metadata: Option<Value>,
}

impl Snapshot {
    /// `sess_…`.
    #[must_use]
    pub fn session_id(&self) -> &str {
        &self.session_id
    }

    /// From JSON; `None` when it is of another version, or none at all.
    #[must_use]
    pub fn parse(json: Value) -> Option<Self> {
        serde_json::from_value(json).ok().filter(|s: &Self| s.version == VERSION)
    }

    /// Whether an answer was under way.
    #[must_use]
    pub fn is_answering(&self) -> bool {
        !self.answers.is_empty()
    }

    /// Takes out what was said in a span of the memory's time.
    pub fn forget(&mut self, span: Span) {
        self.items.retain(|i| !span.contains(i.at));
    }

    fn new(of: &Conversation) -> Self {
        Self {
            version: VERSION,
            session_id: of.config.id.clone(),
            conversation_id: of.conversation_id.clone(),
            // Plain structs with string keys: serialising them has no way to fail.
            session: serde_json::to_value(&of.config).unwrap_or_default(),
            items: Vec::new(),
            answers: of.answers.iter().map(SavedAnswer::of).collect(),
            watches: super::memory_view::watches(&of.memory.watches),
        }
    }
}

impl SavedItem {
    fn of(item: &Item, at: MediaTime) -> Self {
        let view = &item.view;
        let text = |t: &Option<String>| t.clone().unwrap_or_default();
        let parts = || view.content.iter().flatten().map(SavedPart::of).collect();
        let kind = match (view.kind, view.role) {
            ("function_call", _) => {
                SavedKind::Call { call_id: text(&view.call_id), name: text(&view.name), text: text(&view.arguments) }
            }
            ("function_call_output", _) => SavedKind::Output { call_id: text(&view.call_id), text: text(&view.output) },
            (_, Some(ItemRole::System)) => SavedKind::System(parts()),
            (_, Some(ItemRole::Assistant)) => SavedKind::Assistant(parts()),
            (_, Some(ItemRole::User) | None) => SavedKind::User(parts()),
        };
        let whole = view.status == ItemStatus::Completed;
        Self { id: view.id.clone(), kind, whole, aside: item.aside, at, pictures: Vec::new() }
    }

    fn into_item(self, now: MediaTime) -> Item {
        let Self { id, kind, whole, aside, at, pictures } = self;
        // What was being written is cut off where the snapshot was taken.
        let status = if whole { ItemStatus::Completed } else { ItemStatus::Incomplete };
        let message = |role, parts: Vec<SavedPart>| {
            ItemView::message(id.clone(), role, status, parts.into_iter().map(SavedPart::into_view).collect())
        };
        let view = match kind {
            SavedKind::System(parts) => message(ItemRole::System, parts),
            SavedKind::User(parts) => message(ItemRole::User, parts),
            SavedKind::Assistant(parts) => message(ItemRole::Assistant, parts),
            SavedKind::Call { call_id, name, text } => ItemView::function(id, FunctionKind::Call, call_id, name, text),
            SavedKind::Output { call_id, text } => {
                ItemView::function(id, FunctionKind::Output, call_id, String::new(), text)
            }
        };
        let pictures = pictures.into_iter().map(seen).collect();
        Item { aside, pictures, said_at: Some(at), ..Item::new(view, now) }
    }
}

impl SavedPart {
    fn of(part: &PartView) -> Self {
        match part {
            PartView::InputText { text } => Self::InputText(text.clone()),
            PartView::InputImage { detail } => Self::InputImage(detail.clone()),
            PartView::InputAudio { transcript } => Self::InputAudio(transcript.clone()),
            PartView::OutputText { text } => Self::OutputText(text.clone()),
            PartView::OutputAudio { transcript } => Self::OutputAudio(transcript.clone()),
        }
    }

    fn into_view(self) -> PartView {
        match self {
            Self::InputText(text) => PartView::InputText { text },
            Self::InputImage(detail) => PartView::InputImage { detail },
            Self::InputAudio(transcript) => PartView::InputAudio { transcript },
            Self::OutputText(text) => PartView::OutputText { text },
            Self::OutputAudio(transcript) => PartView::OutputAudio { transcript },
        }
    }
}

impl SavedAnswer {
    fn of(answer: &super::answer::Answer) -> Self {
        Self {
            id: answer.id.clone(),
            item_id: answer.item_id.clone(),
            in_conversation: answer.in_conversation,
            metadata: answer.metadata.clone(),
        }
    }
}

/// What was seen in a picture, as it is written down.
fn saved(picture: &Picture) -> Value {
    match picture {
        Picture::Seen(facts) => serde_json::to_value(&**facts).unwrap_or_default(),
        // Its bytes are gone before anybody has looked.
        Picture::Pending(_) | Picture::Failed => Value::Null,
    }
}

/// The other way; facts of another version cannot be read.
fn seen(saved: Value) -> Picture {
    serde_json::from_value(saved).map_or(Picture::Failed, |facts| Picture::Seen(Arc::new(facts)))
}

/// Bytes of something as JSON.
fn length(of: &impl Serialize) -> usize {
    serde_json::to_vec(of).map_or(usize::MAX, |json| json.len())
}

impl Conversation {
    /// The conversation as JSON of at most about `most_bytes`: the newest items that fit. `None` when nothing was said yet, or when the
    /// settings alone are too much.
    #[must_use]
    pub fn snapshot(&self, most_bytes: usize) -> Option<Value> {
        self.items.last_id()?;
        let mut snapshot = Snapshot::new(self);
        let mut room = most_bytes.checked_sub(length(&snapshot))?;
        let mut pictured = 0;
        for item in self.items.iter().rev() {
            let mut saved = SavedItem::of(item, self.memory.said_at(item));
            // Pictures of a stream pass, and what was seen in them is the memory's.
            if !item.pictures.is_empty() && !item.frame && pictured < PICTURED {
                pictured += 1;
                saved.pictures = item.pictures.iter().map(self::saved).collect();
            }
            if let Some(answer) = self.answers.iter().find(|a| a.in_conversation && a.item_id == saved.id) {
                // The item itself gets its words when the answer is done.
                let words = answer.text().to_owned();
                let part = match answer.modality() {
                    Modality::Text => SavedPart::OutputText(words),
                    Modality::Audio => SavedPart::OutputAudio(words),
                };
                saved.kind = SavedKind::Assistant(vec![part]);
            }
            let Some(left) = room.checked_sub(length(&saved) + 1) else { break };
            room = left;
            snapshot.items.push(saved);
        }
        snapshot.items.reverse();
        serde_json::to_value(snapshot).ok()
    }

    /// Becomes what a snapshot says, in a session that was just opened; tells what did not outlive the restart.
    pub(crate) fn restore(&mut self, snapshot: Snapshot, now: MediaTime, out: &mut Vec<Output>) {
        let Snapshot { version: _, session_id, conversation_id, session, items, answers, watches } = snapshot;
        if let Ok(patch) = parse_session(&session.to_string()) {
            self.config.apply(patch, &self.names);
        }
        self.config.id = session_id;
        self.conversation_id = conversation_id;
        for item in items {
            self.items.insert(item.into_item(now), &Place::End);
        }
        // The bounds may be narrower than they were.
        self.items.trim();
        for answer in answers {
            self.tell_cut_off(answer, out);
        }
        for watch in watches {
            self.send_vendor(ServerBody::WatchEnded { watch, reason: "restarted" }, out);
        }
    }

    fn tell_cut_off(&mut self, answer: SavedAnswer, out: &mut Vec<Output>) {
        let item = self.items.get(&answer.item_id).map(|i| i.view.clone());
        let Ending { status, error, .. } = Ending::failed(CUT_OFF.to_owned());
        let response = ResponseView {
            object: "realtime.response",
            id: answer.id,
            status,
            status_details: Some(StatusDetails { kind: status, reason: None, error }),
            output: item.into_iter().collect(),
            conversation_id: answer.in_conversation.then(|| self.conversation_id.clone()),
            output_modalities: self.config.output_modalities,
            max_output_tokens: self.config.max_output_tokens,
            usage: Some(Usage::text(0, 0, 0)),
            metadata: answer.metadata,
        };
        self.send(ServerBody::ResponseDone { response: Box::new(response) }, out);
    }

    /// Ids of the items that the conversation holds, oldest first, and of the responses under way: for a client that lost events.
    #[must_use]
    pub fn holds(&self) -> (Vec<String>, Vec<String>) {
        let items = self.items.iter().map(|i| i.view.id.clone());
        (items.collect(), self.answers.iter().map(|a| a.id.clone()).collect())
    }

    /// A client of the session came back over another connection, with or without sound and pictures.
    pub fn reattached(&mut self, audio_track: bool, video: bool) {
        self.audio_track = audio_track;
        self.quiet = Quiet::No;
        match (video, self.video) {
            (true, VideoState::None) => self.video = VideoState::Waiting,
            (false, _) => (self.video, self.scene) = (VideoState::None, None),
            (true, _) => {}
        }
    }

    /// The client's connection broke: what it was saying cannot be heard to its end.
    pub(crate) fn on_cut(&mut self, out: &mut Vec<Output>) {
        self.quiet = Quiet::Away;
        if self.speaking.is_some() || self.appended_ms > 0 {
            self.clear_audio(out);
        }
    }
}
