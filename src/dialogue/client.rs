//! What the conversation does with each event of a client.

use super::conversation::Conversation;
use super::frames::is_only_pictures;
use super::items::{Item, Picture, Place};
use super::{LookId, Output, Sound};
use crate::base::MediaTime;
use crate::memory::Speaker;
use crate::wire::{
    ClientBody, ClientEvent, FunctionKind, IdKind, ItemRole, ItemStatus, ItemView, NewItem, NewPart, PartView,
    ServerBody, SessionPatch, WireError, code,
};

/// Least sound that can be committed, milliseconds.
const MIN_COMMIT_MS: u64 = 100;

/// Events of a client that wait for its commit to be done, which takes the listener some milliseconds.
const BEHIND_COMMIT: usize = 8;

impl Conversation {
    pub(crate) fn on_client(&mut self, event: ClientEvent, now: MediaTime, out: &mut Vec<Output>) {
        let about_sound = matches!(event.body, ClientBody::AudioAppend { .. } | ClientBody::AudioClear);
        if self.committing.is_none() || about_sound {
            return self.take_client(event, now, out);
        }
        // What follows a commit is meant to come after its item: a `response.create` sent in the same breath is about it.
        if self.behind_commit.len() < BEHIND_COMMIT {
            self.behind_commit.push_back(event);
        } else {
            let error = WireError::busy("too much was sent behind a commit that is not done yet");
            self.refuse(error, event.event_id.as_deref(), out);
        }
    }

    /// The commit is done: what came behind it is taken in, up to the next one.
    pub(crate) fn after_commit(&mut self, now: MediaTime, out: &mut Vec<Output>) {
        while self.committing.is_none()
            && let Some(event) = self.behind_commit.pop_front()
        {
            self.take_client(event, now, out);
        }
    }

    fn take_client(&mut self, event: ClientEvent, now: MediaTime, out: &mut Vec<Output>) {
        let id = event.event_id.as_deref();
        let result = match event.body {
            ClientBody::SessionUpdate(patch) => self.on_session_update(*patch, now, out),
            ClientBody::AudioAppend { audio, frames } => {
                if !audio.is_empty() {
                    let format = self.config.audio.input.format;
                    self.appended_ms = self.appended_ms.saturating_add(format.duration_ms(audio.len()));
                    out.push(Output::AppendAudio { data: audio, format });
                }
                out.extend(frames.into_iter().map(|data| Output::Frame { data }));
                Ok(())
            }
            ClientBody::AudioCommit => self.on_commit(id, out),
            ClientBody::AudioClear => {
                self.clear_audio(out);
                Ok(())
            }
            ClientBody::ItemCreate { previous_item_id, item } => self.on_item_create(previous_item_id, item, now, out),
            ClientBody::ItemRetrieve { item_id } => match self.items.get(&item_id) {
                Some(item) => {
                    let item = item.view.clone();
                    self.send(ServerBody::ItemRetrieved { item }, out);
                    Ok(())
                }
                None => Err(no_item(code::RETRIEVE_INVALID, &item_id)),
            },
            ClientBody::ItemTruncate { item_id, content_index, audio_end_ms } => {
                self.on_truncate(item_id, content_index, audio_end_ms, now, out)
            }
            ClientBody::ItemDelete { item_id } => self.on_delete(item_id, now, out),
            ClientBody::ResponseCreate(request) => self.on_response_create(*request, now, out),
            ClientBody::ResponseCancel { response_id } => self.on_cancel(response_id.as_deref(), now, out),
            // What was sent is the session's to keep.
            ClientBody::EventAck { .. } => Ok(()),
            ClientBody::OutputAudioClear => {
                self.on_output_clear(now, out);
                Ok(())
            }
            ClientBody::Typing => {
                self.on_typing(now, out);
                Ok(())
            }
            ClientBody::TimelineGet => {
                for body in self.timeline_bodies(now) {
                    self.send_vendor(body, out);
                }
                Ok(())
            }
            ClientBody::Forget(request) => {
                self.forget_requested(request, now, out);
                Ok(())
            }
            ClientBody::WatchCreate { condition } => self.on_watch_create(&condition, now, out),
            ClientBody::WatchDelete { watch_id } => self.on_watch_delete(&watch_id, out),
        };
        if let Err(error) = result {
            self.refuse(error, id, out);
        }
    }

    /// Throws away what was said and is not committed, with what was read of it.
    pub(crate) fn clear_audio(&mut self, out: &mut Vec<Output>) {
        self.appended_ms = 0;
        self.forget_speech(out);
        out.push(Output::ClearAudio);
        self.send(ServerBody::AudioCleared {}, out);
    }

    fn on_session_update(
        &mut self,
        patch: SessionPatch,
        now: MediaTime,
        out: &mut Vec<Output>,
    ) -> Result<(), WireError> {
        if let Some(kind) = patch.kind.filter(|k| *k != self.config.kind) {
            let (is, asked) = (self.config.kind.name(), kind.name());
            let message = format!(
                "the session is of type {is:?} and cannot become {asked:?}; open another one (`?intent=transcription`)"
            );
            return Err(WireError::field(code::INVALID_VALUE, "session.type", message));
        }
        if let Some(choice) = &patch.tool_choice {
            choice.fits(patch.tools.as_ref().unwrap_or(&self.config.tools), "session.tool_choice")?;
        }
        self.apply_patch(patch, out);
        self.warm(now, out);
        Ok(())
    }

    fn on_commit(&mut self, event_id: Option<&str>, out: &mut Vec<Output>) -> Result<(), WireError> {
        // Over a media track sound comes without being appended: then only the listener knows what there is.
        if !self.audio_track && self.appended_ms < MIN_COMMIT_MS {
            return Err(commit_empty(self.appended_ms));
        }
        self.committing = Some(event_id.map(str::to_owned));
        out.push(Output::CommitAudio);
        Ok(())
    }

    fn on_item_create(
        &mut self,
        previous: Option<String>,
        new: NewItem,
        now: MediaTime,
        out: &mut Vec<Output>,
    ) -> Result<(), WireError> {
        let place = match previous {
            None => Place::End,
            Some(id) if id == "root" => Place::Front,
            Some(id) if self.items.get(&id).is_some() => Place::After(id),
            Some(id) => return Err(no_item(code::INVALID_PREVIOUS, &id)),
        };
        if let NewItem::Function { kind: FunctionKind::Output, call_id, .. } = &new {
            self.check_call(call_id)?;
        }
        let mut work = Vec::new();
        let mut item = self.take_item(new, now, &mut work)?;
        if self.items.get(&item.view.id).is_some() {
            let message = format!("an item with the id {:?} is already in the conversation", item.view.id);
            return Err(WireError::field(code::DUPLICATE_ITEM, "item.id", message));
        }
        let of_stream = is_only_pictures(&item) && self.pictures.came(now);
        if item.is_from(ItemRole::User) {
            self.end_quiet();
        }
        if item.is_from(ItemRole::User) && !item.awaiting_words {
            if !item.words().is_empty() {
                self.note_written(now);
            }
            self.remember_words(Speaker::Person, &item.words(), now, out);
        }
        if of_stream {
            self.watch_instead(&mut item, &mut work);
        }
        self.add_item(item, &place, out);
        self.let_old_frames_go(out);
        out.append(&mut work);
        self.warm(now, out);
        Ok(())
    }

    /// Makes an item of what a client sent; pictures and sound become work to be done.
    pub(crate) fn take_item(
        &mut self,
        new: NewItem,
        now: MediaTime,
        work: &mut Vec<Output>,
    ) -> Result<Item, WireError> {
        let (id, role, parts) = match new {
            NewItem::Message { id, role, parts } => (id, role, parts),
            NewItem::Function { id, kind, call_id, name, text } => {
                let id = id.unwrap_or_else(|| self.ids.next(IdKind::Item));
                let call_id = if call_id.is_empty() { self.ids.next(IdKind::ToolCall) } else { call_id };
                return Ok(Item::new(ItemView::function(id, kind, call_id, name, text), now));
            }
            NewItem::Reference(id) => {
                return self.items.get(&id).cloned().ok_or_else(|| no_item(code::REFERENCE_INVALID, &id));
            }
        };
        let id = id.unwrap_or_else(|| self.ids.next(IdKind::Item));
        let (mut views, mut pictures, mut awaiting_words) = (Vec::with_capacity(parts.len()), Vec::new(), false);
        let mut pending = self.looks_pending() + self.spoken.len();
        for part in parts {
            let asks = matches!(&part, NewPart::Image { .. } | NewPart::Audio { transcript: None, .. });
            pending += usize::from(asks);
            if asks && pending > self.limits.pending {
                let message = format!("{} pictures and utterances are waiting already; send fewer", pending - 1);
                return Err(WireError::busy(message));
            }
            views.push(match part {
                NewPart::Text(text) if role == ItemRole::Assistant => PartView::OutputText { text },
                NewPart::Text(text) => PartView::InputText { text },
                NewPart::Image { format, data, detail } => {
                    let look: LookId = self.new_look();
                    pictures.push(Picture::Pending(look));
                    work.push(Output::LookAtImage { look, format, data });
                    PartView::InputImage { detail }
                }
                NewPart::Audio { data, transcript: None } => {
                    let format = self.config.audio.input.format;
                    awaiting_words = true;
                    work.push(Output::Transcribe { item_id: id.clone(), sound: Sound::Encoded { data, format } });
                    PartView::InputAudio { transcript: None }
                }
                NewPart::Audio { transcript: Some(transcript), .. } if role == ItemRole::Assistant => {
                    PartView::OutputAudio { transcript }
                }
                NewPart::Audio { transcript, .. } => PartView::InputAudio { transcript },
            });
        }
        let view = ItemView::message(id, role, ItemStatus::Completed, views);
        Ok(Item { awaiting_words, pictures, ..Item::new(view, now) })
    }

    fn on_delete(&mut self, item_id: String, now: MediaTime, out: &mut Vec<Output>) -> Result<(), WireError> {
        if self.answers.iter().any(|a| a.in_conversation && a.item_id == item_id) {
            let message = format!("item {item_id:?} is being written; cancel its response first");
            return Err(WireError::field(code::DELETE_INVALID, "item_id", message));
        }
        if self.items.remove(&item_id).is_none() {
            return Err(no_item(code::DELETE_INVALID, &item_id));
        }
        self.send(ServerBody::ItemDeleted { item_id }, out);
        self.advance_all(now, out);
        self.warm(now, out);
        Ok(())
    }
}

pub(crate) fn no_item(code: &'static str, id: &str) -> WireError {
    let param = if code == code::INVALID_PREVIOUS { "previous_item_id" } else { "item_id" };
    WireError::field(code, param, format!("no item with the id {id:?} is in the conversation"))
}

pub(crate) fn commit_empty(ms: u64) -> WireError {
    let message = format!("the input audio buffer holds {ms} ms of sound, at least {MIN_COMMIT_MS} ms are needed");
    WireError::invalid(code::COMMIT_EMPTY, message)
}
