//! The actor and its clients: who comes, goes, comes back, and what is kept of the session for that.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tracing::info;

use super::ClientPort;
use super::actor::{Actor, Msg};
use super::grant::Grant;
use super::ports::{Port, Room, port};
use crate::base::LossReason;
use crate::dialogue::Input;
use crate::store::Secret;
use crate::wire::{ClientBody, ClientEvent, Extension, ServerBody, ServerEvent, WireError, code};

/// Why a session is over.
pub(super) struct End {
    pub(super) reason: String,
    /// What clients that look on are told.
    told: Option<&'static str>,
    /// Nobody is to come back to it: what was kept for that goes.
    for_good: bool,
}

impl End {
    /// Over here; where there is an archive it can be taken up again.
    pub(super) fn of(reason: &str, told: Option<&'static str>) -> Self {
        Self { reason: reason.to_owned(), told, for_good: false }
    }

    /// Ended by its holder.
    pub(super) fn for_good(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), told: None, for_good: true }
    }
}

/// Somebody with a token of the session, over a new connection.
pub(super) struct Returning {
    pub(super) token: Secret,
    /// The newest event it has.
    pub(super) last_seq: u64,
    /// Vendor events it asks for; `None`: those it asked for before.
    pub(super) wants: Option<Vec<Extension>>,
    pub(super) port: u64,
    /// What it may do.
    pub(super) grant: Arc<Grant>,
    pub(super) to_session: mpsc::Sender<Msg>,
    /// What its call brings; a WebSocket nothing.
    pub(super) media: CallMedia,
    /// Its end, with what it missed; `None` when it may not come in.
    pub(super) reply: oneshot::Sender<Option<ClientPort>>,
}

/// What comes and goes beside the events of a connection.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct CallMedia {
    /// The client sends sound.
    pub(super) sound: bool,
    /// It sends pictures.
    pub(super) video: bool,
    /// It takes our voice.
    pub(super) voice: bool,
}

impl Actor {
    pub(super) fn event(&mut self, body: ServerBody) -> ServerEvent {
        self.conversation.event(body)
    }

    pub(super) fn attach(&mut self, mut port: Port) {
        if !self.stay.is_offered() {
            port.wants.retain(|e| *e != Extension::Resume);
        }
        // Those who look on and ask for it are told of the session's end, and cannot come back to it.
        let resumable = port.owner && port.wants.contains(&Extension::Resume);
        if resumable {
            self.stream.keep();
        }
        self.conversation.want(&port.wants);
        let greeting = self.conversation.greeting(&port.wants, self.clock.now());
        self.stream.attach(port, greeting);
        if resumable {
            self.hand_out();
        }
    }

    /// Gives the holder what it can come back with.
    fn hand_out(&mut self) {
        let pass = self.stay.issue(None);
        let event = self.event(ServerBody::Resumable { pass });
        self.stream.tell_holder(event);
        self.save(true);
    }

    pub(super) async fn on_client(&mut self, port: u64, text: &str) {
        if !self.stream.knows(port) {
            // It was replaced, or closed because it reads too slowly; its last words are nobody's.
            return;
        }
        if self.stream.is_holder(port) {
            self.stay.heard();
        }
        match ClientEvent::parse(text) {
            Ok(event) if !self.stream.allows(port, event.body.kind()) => {
                let text = format!("this key does not allow `{}`", event.body.kind());
                let refusal = WireError::invalid(code::EVENT_NOT_ALLOWED, text);
                self.handle(Input::Refused(refusal.of_event(event.event_id.as_deref())), Some(port)).await;
            }
            Ok(ClientEvent { body: ClientBody::EventAck { seq }, event_id }) => {
                if self.stream.is_holder(port) && !self.stream.ack(seq) {
                    let message = format!("server_event_seq {seq} is larger than that of any event that was sent");
                    let error = WireError::field(code::INVALID_VALUE, "server_event_seq", message);
                    self.handle(Input::Refused(error.of_event(event_id.as_deref())), Some(port)).await;
                }
            }
            Ok(event) => {
                let (event, asks) = self.with_wants(event, port);
                if asks == Some(true) {
                    self.stream.keep();
                }
                self.handle(Input::Client(event), Some(port)).await;
                match asks {
                    Some(true) => self.hand_out(),
                    Some(false) => self.keep_no_longer(),
                    None => {}
                }
            }
            Err(e) => self.handle(Input::Refused(e), Some(port)).await,
        }
    }

    /// Extensions are each client's own: it is sent what it asked for, and the session makes what any of them asked for.
    /// Also gives back whether the holder asks for `resume` that did not before (true), or no longer does (false).
    fn with_wants(&mut self, mut event: ClientEvent, from: u64) -> (ClientEvent, Option<bool>) {
        let ClientBody::SessionUpdate(patch) = &mut event.body else { return (event, None) };
        let Some(asked) = &mut patch.extensions else { return (event, None) };
        let holder = self.stream.is_holder(from);
        if !self.stay.is_offered() {
            asked.retain(|e| *e != Extension::Resume);
        }
        let asks = asked.contains(&Extension::Resume);
        *asked = self.stream.want(from, asked);
        let changed = holder && asks != self.stay.is_resumable();
        (event, changed.then_some(asks))
    }

    fn keep_no_longer(&mut self) {
        self.stream.keep_nothing();
        self.stay.give_up();
        self.erase();
    }

    /// A client went. Gives back why that ends the session, if it does.
    pub(super) async fn on_gone(&mut self, port: u64, left: bool) -> Option<End> {
        if !self.stream.leave(port) {
            return None;
        }
        if left || !self.stay.is_resumable() {
            return Some(End::for_good("the client left"));
        }
        self.stay.leave(self.clock.now());
        info!(session = %self.id, "the client is gone; the session waits for it");
        self.handle(Input::Cut, None).await;
        None
    }

    /// Lets the holder in again, after a look at its token: whoever was connected until now is not any longer.
    pub(super) async fn on_return(&mut self, returning: Returning) {
        let Returning { token, last_seq, wants, port: id, grant, to_session, media, reply } = returning;
        if !self.stay.opens(&token, self.stream.is_held(), self.clock.now()) {
            let _ = reply.send(None);
            return;
        }
        if self.stream.is_held() {
            let last = self.event(ServerBody::Replaced {});
            self.stream.close_holder(last);
        }
        let mut wants = wants.unwrap_or_else(|| self.stream.wants().to_vec());
        if !wants.contains(&Extension::Resume) {
            wants.push(Extension::Resume);
        }
        self.conversation.want(&wants);
        self.conversation.reattached(media.sound, media.video);
        if !media.voice {
            self.player = None;
            self.handle(Input::NoPlayer, None).await;
        }
        let lost = self.lost(last_seq);
        let (events, bytes) = self.stream.missed(last_seq);
        let mut news = vec![self.resumed(token, events)];
        metrics::counter!("sightline_resume_total", "outcome" => if lost.is_some() { "resync" } else { "resumed" })
            .increment(1);
        news.extend(lost);
        let more = news.iter().map(ServerEvent::weight).sum::<usize>();
        let room = Room { events: events + news.len(), bytes: bytes + more };
        let (ours, theirs) = port(id, to_session, true, wants, grant, room, self.trace.clone());
        self.stream.come_back(ours, news, last_seq);
        self.stay.come_back();
        self.save(true);
        info!(session = %self.id, replayed = events, "the client is back");
        // If nobody takes it, it closes itself, and the session waits again.
        let _ = reply.send(Some(theirs));
    }

    fn resumed(&mut self, token: Secret, replayed: usize) -> ServerEvent {
        let pass = self.stay.issue(Some(token));
        let session = Box::new(self.conversation.session().clone());
        let attachment_generation = self.stay.generation();
        self.event(ServerBody::Resumed { pass, session, attachment_generation, replayed: replayed as u64 })
    }

    /// What a client with events up to `last_seq` has to be told of what it cannot be sent any more; `None`: nothing is lost.
    fn lost(&mut self, last_seq: u64) -> Option<ServerEvent> {
        let (gap, restarted) = (self.stream.gap(last_seq), self.stay.differs(last_seq));
        if gap.is_none() && restarted != Some(true) {
            return None;
        }
        let missed = gap.and_then(|g| g.missed);
        metrics::counter!("sightline_events_lost_total", "reason" => LossReason::JournalGap.label())
            .increment(missed.unwrap_or(1));
        let reason = if restarted.is_some() { "restarted" } else { "journal_gap" };
        let (item_ids, response_ids) = self.conversation.holds();
        Some(self.event(ServerBody::ResyncRequired { reason, missed, item_ids, response_ids }))
    }

    /// Has the session kept as it is now, where there is an archive and the holder may come back.
    pub(super) fn save(&mut self, urgent: bool) {
        let Some(keeper) = &self.keeper else { return };
        let (seq, now) = (self.stream.newest(), self.clock.now());
        let conversation = &self.conversation;
        if let Some(body) = self.stay.save(seq, now, |most| conversation.snapshot(most)) {
            keeper.keep_session(body, urgent);
        }
    }

    fn erase(&mut self) {
        if let (Some(body), Some(keeper)) = (self.stay.erase(), &self.keeper) {
            keeper.keep_session(body, true);
        }
    }

    /// Tells clients that asked for it that the session ends before long.
    pub(super) fn warn(&mut self, reason: &'static str, left: Duration) {
        let event = self.event(ServerBody::Expiring { reason, seconds_left: left.as_secs() });
        self.stream.tell_all(&event);
    }

    /// The last that is told and kept.
    pub(super) fn say_goodbye(&mut self, end: &End) {
        if let Some(reason) = end.told {
            metrics::counter!("sightline_resume_total", "outcome" => reason).increment(1);
            let event = self.event(ServerBody::Expired { reason });
            self.stream.tell_all(&event);
        }
        if end.for_good {
            self.erase();
        } else {
            self.save(true);
        }
    }
}
