//! Memories in the archive: events as JSON, pictures as they are, read back as a [`Memory`].

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::SessionError;
use super::backlog::{Backlog, Forgetting};
use super::stay::Kept;
use crate::base::MediaTime;
use crate::dialogue::memory_timeline;
use crate::memory::{Config, Event, Keyframe, KeyframeId, Memory, Op, Span};
use crate::store::{
    Archive, Forget, Forgotten, MAX_BATCH, MemoryInfo, MemoryName, Record, Secret, StoreError, StoredEvent,
};
use crate::wire::{ArchiveView, ForgetRequest, TimelineView};

/// The key of the extra in which a session is kept beside its memory.
const SESSION: &str = "session";

/// The archive behind a lock that only threads that may block take. Clones share it.
#[derive(Clone)]
pub struct Shelf {
    archive: Arc<Mutex<Archive>>,
    quota_bytes: u64,
}

/// Whose memory is written.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub(super) name: MemoryName,
    pub(super) owner: [u8; 32],
    pub(super) started_unix_ms: i64,
}

/// A memory taken off the shelf.
pub(super) struct TakenUp {
    pub(super) memory: Memory,
    pub(super) started_unix_ms: i64,
    /// The end of its newest event.
    pub(super) newest: MediaTime,
}

impl Shelf {
    /// Puts an archive behind the door.
    #[must_use]
    pub fn new(archive: Archive, quota_bytes: u64) -> Self {
        Self { archive: Arc::new(Mutex::new(archive)), quota_bytes }
    }

    fn lock(&self) -> MutexGuard<'_, Archive> {
        self.archive.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what waits: first what is to be forgotten, then the rest. A memory that was never written to is made first.
    pub(super) fn write(&self, who: &Identity, batch: &Backlog) -> Result<ArchiveView, StoreError> {
        let mut archive = self.lock();
        let known = archive.owner_hash(&who.name).is_ok();
        let events = event_records(batch);
        match &batch.forget {
            Forgetting::Nothing => {}
            Forgetting::All if known => {
                archive.forget(&who.name, Forget::All, &[])?;
            }
            Forgetting::Spans(spans) if known => {
                // The session beside the memory must not tell any more either. One that was taken up and that nobody entered yet is not written anew.
                let session = if batch.session.is_none() { kept(&archive, &who.name)? } else { None };
                let session = session.map(|kept| without(kept, spans));
                for span in spans {
                    let mut changed = rewritten(&events, *span);
                    changed.extend(session.clone());
                    archive.forget(&who.name, over(*span), &changed)?;
                }
            }
            Forgetting::All | Forgetting::Spans(_) => {}
        }
        let session = batch.session.as_ref().map(|body| Record::Meta { key: SESSION.to_owned(), body: body.clone() });
        let holds = !(events.is_empty() && batch.pictures.is_empty())
            || batch.session.as_ref().is_some_and(|body| !body.is_empty());
        let there = archive.owner_hash(&who.name).is_ok();
        if !there && holds {
            archive.create(&who.name, who.owner, u64::try_from(who.started_unix_ms).unwrap_or(0))?;
        }
        let pictures = batch.pictures.iter().map(|p| Record::Keyframe {
            id: p.id.0,
            event: p.event.0,
            at_ms: p.at.as_millis(),
            jpeg: p.jpeg.clone(),
        });
        // A session that was ended before anything of it was written leaves nothing.
        let session = session.filter(|_| there || holds);
        let records: Vec<Record> = events.into_iter().chain(pictures).chain(session).collect();
        for part in records.chunks(MAX_BATCH) {
            archive.write(&who.name, part)?;
        }
        // Once a second: what a power failure can cost stays below two.
        archive.sync()?;
        Ok(ArchiveView { bytes: archive.bytes(), quota_bytes: self.quota_bytes })
    }

    /// Refuses a token that does not open its memory; whether there is one is not told.
    pub(super) fn owned(&self, secret: &Secret) -> Result<(), SessionError> {
        let owner = self.lock().owner_hash(secret.name()).map_err(|_| SessionError::NoMemory)?;
        if secret.opens(&owner) { Ok(()) } else { Err(SessionError::NoMemory) }
    }

    /// The memory that a token opens.
    pub(super) fn load(&self, secret: &Secret, config: Config) -> Result<TakenUp, SessionError> {
        self.owned(secret)?;
        Ok(self.take_up(secret.name(), config)?)
    }

    fn take_up(&self, name: &MemoryName, config: Config) -> Result<TakenUp, StoreError> {
        let archive = self.lock();
        let started = archive.info(name)?.started_unix_ms;
        let mut events: Vec<Event> = archive.events(name)?.iter().filter_map(event_of).collect();
        for event in &mut events {
            event.keyframes.retain_mut(|k| fill(&archive, name, k));
            for child in &mut event.children {
                if child.keyframe.as_mut().is_some_and(|k| !fill(&archive, name, k)) {
                    child.keyframe = None;
                }
            }
        }
        drop(archive);
        let newest = events.iter().map(|e| e.span.end).max().unwrap_or_default();
        let memory = Memory::restore(config, events);
        Ok(TakenUp { memory, started_unix_ms: i64::try_from(started).unwrap_or(i64::MAX), newest })
    }

    /// The session that is kept beside a memory; `None` when there is none, or it was ended.
    pub(super) fn session(&self, name: &MemoryName) -> Result<Option<Kept>, StoreError> {
        kept(&self.lock(), name)
    }

    /// A picture; `None` when it is not there.
    pub(super) fn keyframe(&self, name: &MemoryName, id: KeyframeId) -> Result<Option<Bytes>, StoreError> {
        self.lock().keyframe(name, id.0)
    }

    /// Every memory there is.
    ///
    /// # Errors
    /// The archive's.
    pub fn list(&self) -> Result<Vec<MemoryInfo>, StoreError> {
        self.lock().list()
    }

    /// The timeline of a memory, by its name.
    ///
    /// # Errors
    /// The archive's.
    pub fn timeline(&self, name: &MemoryName, config: Config) -> Result<TimelineView, StoreError> {
        let TakenUp { memory, started_unix_ms, newest } = self.take_up(name, config)?;
        let archive = ArchiveView { bytes: self.lock().bytes(), quota_bytes: self.quota_bytes };
        Ok(TimelineView {
            memory_id: name.to_string(),
            started_unix_ms,
            now_ms: newest.as_millis(),
            ..memory_timeline(&memory, Some(archive))
        })
    }

    /// Forgets a part of a memory, or all of it.
    ///
    /// # Errors
    /// The archive's.
    pub fn forget(&self, name: &MemoryName, request: ForgetRequest, config: Config) -> Result<Forgotten, StoreError> {
        let at = MediaTime::from_millis;
        if request == ForgetRequest::All {
            let mut archive = self.lock();
            let gone = archive.forget(name, Forget::All, &[])?;
            archive.sync()?;
            return Ok(gone);
        }
        let TakenUp { mut memory, newest, .. } = self.take_up(name, config)?;
        let span = match request {
            ForgetRequest::Last(ms) => {
                Span { start: newest.saturating_sub(std::time::Duration::from_millis(ms)), end: newest }
            }
            ForgetRequest::Between(start, end) => Span { start: at(start), end: at(end) },
            ForgetRequest::All => Span { start: MediaTime::ZERO, end: newest },
        };
        let ops = memory.forget(span);
        let changed = ops.iter().filter_map(|op| match op {
            Op::Changed(node) => memory.event(*node).map(record_of),
            _ => None,
        });
        // The session beside it, where one is kept, must not tell any more either.
        let session = self.session(name)?.map(|kept| without(kept, &[span]));
        let changed: Vec<_> = changed.chain(session).collect();
        let mut archive = self.lock();
        let gone = archive.forget(name, over(span), &changed)?;
        archive.sync()?;
        Ok(gone)
    }

    /// Writes a memory's events and pictures into a new folder; gives back how many there were of each.
    ///
    /// # Errors
    /// The archive's; the folder is there already.
    pub fn export(&self, name: &MemoryName, dir: &Path) -> Result<(u64, u64), StoreError> {
        self.lock().export(name, dir)
    }
}

/// The session that is kept beside a memory.
fn kept(archive: &Archive, name: &MemoryName) -> Result<Option<Kept>, StoreError> {
    let extras = match archive.meta(name) {
        Err(StoreError::NoSuchMemory) => return Ok(None),
        other => other?,
    };
    Ok(extras.into_iter().find(|(key, _)| key == SESSION).and_then(|(_, body)| Kept::parse(&body)))
}

/// A session without what was said in these spans, as it is to be written.
fn without(mut kept: Kept, spans: &[Span]) -> Record {
    spans.iter().for_each(|span| kept.forget(*span));
    Record::Meta { key: SESSION.to_owned(), body: kept.encode() }
}

fn over(span: Span) -> Forget {
    Forget::Span { start_ms: span.start.as_millis(), end_ms: span.end.as_millis() }
}

/// The bytes of a picture; false when they are gone.
fn fill(archive: &Archive, name: &MemoryName, k: &mut Keyframe) -> bool {
    match archive.keyframe(name, k.id.0) {
        Ok(Some(jpeg)) => {
            k.jpeg = jpeg;
            true
        }
        _ => false,
    }
}

fn event_of(stored: &StoredEvent) -> Option<Event> {
    match serde_json::from_slice(&stored.body) {
        Ok(event) => Some(event),
        Err(e) => {
            // Written by another version, say. The rest of the memory is worth having.
            tracing::warn!(event = stored.id, error = %e, "an archived event cannot be read and is left out");
            None
        }
    }
}

fn record_of(event: &Event) -> Record {
    Record::Event {
        id: event.id.0,
        start_ms: event.span.start.as_millis(),
        end_ms: event.span.end.as_millis(),
        tier: event.depth.min(1),
        // Plain structs with string keys: serialising them has no way to fail.
        body: serde_json::to_vec(event).unwrap_or_default(),
    }
}

fn event_records(batch: &Backlog) -> Vec<Record> {
    let record = |(id, event): (&crate::memory::NodeId, &Option<Box<Event>>)| match event {
        Some(event) => record_of(event),
        None => Record::DropEvent { id: id.0 },
    };
    batch.events.iter().map(record).collect()
}

/// The events that reach into a span, as they are after it was cut out.
fn rewritten(events: &[Record], span: Span) -> Vec<Record> {
    let (from, to) = (span.start.as_millis(), span.end.as_millis());
    let touches = |r: &&Record| match r {
        Record::Event { start_ms, end_ms, .. } => *start_ms <= to && *end_ms >= from,
        _ => false,
    };
    events.iter().filter(touches).cloned().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::dialogue::{Conversation, Input, Keep, Setup};
    use crate::store::{ArchiveConfig, TOKEN_ENTROPY};
    use crate::wire::ClientEvent;

    /// A session in which something was said at each of these seconds, as the bytes of its record.
    fn session(said: &[(u64, &str)]) -> Vec<u8> {
        let mut c = Conversation::open(Setup::new("sess_a", [1; 32]), MediaTime::ZERO).0;
        for (second, words) in said {
            let content = json!([{"type": "input_text", "text": words}]);
            let item = json!({"type": "message", "role": "user", "content": content});
            let event = json!({"type": "conversation.item.create", "item": item}).to_string();
            let event = ClientEvent::parse(&event).expect("an item");
            let _ = c.handle(Input::Client(event), MediaTime::from_millis(second * 1_000));
        }
        let conversation = c.snapshot(100_000).expect("something was said");
        json!({"ways": [], "seq": 1, "generation": 1, "saved_unix_ms": 0, "conversation": conversation})
            .to_string()
            .into()
    }

    #[test]
    fn a_session_that_nobody_has_entered_yet_forgets_too() {
        let dir = tempfile::tempdir().expect("a folder");
        let config =
            ArchiveConfig { dir: dir.path().into(), quota_bytes: 1 << 20, key: None, max_memories: 4, retention: None };
        let shelf = Shelf::new(Archive::open(&config, 1_000).expect("opens").archive, 1 << 20);
        let secret = Secret::new([3; TOKEN_ENTROPY]);
        let who = Identity { name: secret.name().clone(), owner: secret.hash(), started_unix_ms: 0 };
        let body = session(&[(1, "swordfish"), (100, "herring")]);
        shelf.write(&who, &Backlog { session: Some(body), ..Backlog::default() }).expect("written");
        let told = |words: &str| {
            let kept = shelf.session(&who.name).expect("read").expect("kept").encode();
            String::from_utf8(kept).expect("JSON").contains(words)
        };
        assert!(told("swordfish") && told("herring"));
        // The server has taken it up and knows of the order; its client has not come in, so nothing of the session is written anew.
        let mut batch = Backlog::default();
        let span = Span { start: MediaTime::ZERO, end: MediaTime::from_millis(50_000) };
        batch.add(vec![Keep::Forget(Some(span))]);
        shelf.write(&who, &batch).expect("forgotten");
        assert!(!told("swordfish") && told("herring"));
    }
}
