//! A person who says nothing after an answer: where the client asks for it (`idle_timeout_ms`), the silence is a turn of its own, and is answered.
//!
//! Source: `turn_detection.idle_timeout_ms` of the OpenAI Realtime API, for `server_vad` alone, counted from where the last answer was heard to
//! its end.

use std::time::Duration;

use super::Output;
use super::conversation::Conversation;
use crate::base::MediaTime;
use crate::wire::{IdKind, ResponseRequest, ServerBody, SessionKind, TurnKind};

/// What is said into the silence. A small model that is asked to go on by itself makes something up.
const STILL_THERE: &str = "Are you still there?";

/// Who speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Quiet {
    /// The person, or nobody yet.
    #[default]
    No,
    /// We do.
    Talking,
    /// Nobody, since an answer was heard to its end.
    Since(MediaTime),
    /// The client is away.
    Away,
}

impl Conversation {
    /// When the silence is to be answered.
    pub(crate) fn idle_deadline(&self) -> Option<MediaTime> {
        let Quiet::Since(at) = self.quiet else { return None };
        let turn = self.config.audio.input.turn_detection.as_ref();
        let turn = turn.filter(|t| t.kind == TurnKind::ServerVad && self.config.kind == SessionKind::Realtime)?;
        Some(at + Duration::from_millis(turn.idle_timeout_ms?.into()))
    }

    /// Keeps account of who speaks.
    fn note_quiet(&mut self, now: MediaTime) {
        let person = self.speaking.is_some() || self.committing.is_some() || !self.spoken.is_empty();
        self.quiet = match self.quiet {
            Quiet::Away => Quiet::Away,
            _ if self.is_talking() => Quiet::Talking,
            _ if person || !self.asides.is_empty() => Quiet::No,
            Quiet::Talking => Quiet::Since(now),
            quiet => quiet,
        };
    }

    /// The person has taken the turn in another way than by speech.
    pub(crate) fn end_quiet(&mut self) {
        if self.quiet != Quiet::Away {
            self.quiet = Quiet::No;
        }
    }

    /// Answers the silence when it has lasted long enough.
    pub(crate) fn idle_time_passed(&mut self, now: MediaTime, out: &mut Vec<Output>) {
        self.note_quiet(now);
        let Quiet::Since(since) = self.quiet else { return };
        if self.idle_deadline().is_none_or(|at| at > now) {
            return;
        }
        let item_id = self.ids.next(IdKind::Item);
        let (audio_start_ms, audio_end_ms) = (self.stream_ms(since), self.stream_ms(now));
        self.send(ServerBody::TimeoutTriggered { audio_start_ms, audio_end_ms, item_id: item_id.clone() }, out);
        self.commit_item(item_id, false, now, out);
        let id = self.open_announcement(ResponseRequest::default(), STILL_THERE.to_owned(), now, out);
        self.advance(&id, now, out);
        self.note_quiet(now);
    }
}
