//! What it takes to go on with a session after a break: its token, the time it waits, and what is kept of it for a restart.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rand::Rng;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::memories::unix_ms;
use super::shelf::Identity;
use crate::base::MediaTime;
use crate::dialogue::Snapshot;
use crate::store::{MAX_BODY_BYTES, Secret};
use crate::wire::ResumePass;

/// What a resume token begins with; an access token of the memory begins otherwise.
const PREFIX: &str = "resume_";
/// Least time between two snapshots: with the writer's second, what a crash costs stays under two.
const SAVE_EVERY: Duration = Duration::from_millis(500);
/// Bytes of the conversation in a snapshot; what goes with it takes less than the rest of a record.
const MOST_BYTES: usize = MAX_BODY_BYTES - (8 << 10);
/// How long a session that is nowhere but in the archive can be taken up again.
const KEPT_FOR: Duration = Duration::from_secs(24 * 3_600);

/// A resume token as somebody sent it; `None` when it cannot be one.
pub(super) fn parse_token(token: &str) -> Option<Secret> {
    Secret::parse(token.strip_prefix(PREFIX)?)
}

/// A way into a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Way {
    /// Hash of the token.
    hash: [u8; 32],
    /// The memory's access token, which only this token makes readable: its owner gets both back, nobody else either.
    access: [u8; 32],
}

/// A session in the archive: the conversation, and what opens it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Kept {
    /// The name of the key that the session was opened with; empty where none was needed.
    #[serde(default)]
    holder: String,
    /// For the resume token, and for the one before it where its client may still hold that.
    ways: Vec<Way>,
    /// Number of the newest event of before the snapshot.
    pub(super) seq: u64,
    pub(super) generation: u64,
    saved_unix_ms: i64,
    conversation: Value,
}

impl Kept {
    /// From the bytes of a record; `None` for a session that was ended, or one that cannot be read.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        if body.is_empty() {
            return None;
        }
        serde_json::from_slice(body)
            .map_err(|e| tracing::warn!(error = %e, "a session in the archive cannot be read"))
            .ok()
    }

    /// As the bytes of a record.
    pub(super) fn encode(&self) -> Vec<u8> {
        // Plain data with string keys: serialising it has no way to fail.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Whether a token opens it, at this time.
    pub(super) fn opens(&self, token: &Secret, now_unix_ms: i64) -> bool {
        let hours = i64::try_from(KEPT_FOR.as_millis()).unwrap_or(i64::MAX);
        self.way(token).is_some() && now_unix_ms.saturating_sub(self.saved_unix_ms) <= hours
    }

    /// Whether it was opened with the key of this name.
    pub(super) fn belongs_to(&self, holder: &str) -> bool {
        self.holder == holder
    }

    fn way(&self, token: &Secret) -> Option<&Way> {
        self.ways.iter().find(|way| token.opens(&way.hash))
    }

    /// The access token of the memory, for whoever has a token of the session.
    pub(super) fn access(&self, token: &Secret) -> Option<Secret> {
        self.way(token).map(|way| Secret::from_under(way.access, token))
    }

    pub(super) fn snapshot(&self) -> Option<Snapshot> {
        Snapshot::parse(self.conversation.clone())
    }

    /// Takes out what was said in a span of the memory's time.
    pub(super) fn forget(&mut self, span: crate::memory::Span) {
        if let Some(mut snapshot) = self.snapshot() {
            snapshot.forget(span);
            self.conversation = serde_json::to_value(snapshot).unwrap_or_default();
        }
    }
}

/// The token of a session that can be gone on with.
struct Pass {
    token: Secret,
    /// The one that the holder came with; good until it shows that it has the newer one.
    previous: Option<Secret>,
}

/// How a session stands with its holder.
pub(super) struct Stay {
    /// How long it waits; zero: not at all.
    grace: Duration,
    /// The name of its key.
    holder: String,
    identity: Identity,
    /// What opens the memory, to be kept with the session.
    access: Option<Secret>,
    archived: bool,
    unix_ms_at_zero: i64,
    pass: Option<Pass>,
    /// Of a session that was taken up from the archive: what its client holds.
    taken_up: Option<Kept>,
    /// How often the holder came, by which connections are told apart.
    generation: u64,
    away_until: Option<MediaTime>,
    away: Away,
    save_at: Option<MediaTime>,
    saved_seq: Option<u64>,
    saved_at: MediaTime,
    /// Something of it is in the archive.
    saved: bool,
}

/// Since when a session's holder is away, for the registry: whoever is away longest makes room first.
#[derive(Debug, Clone, Default)]
pub(super) struct Away(Arc<AtomicU64>);

impl Away {
    fn set(&self, since: Option<MediaTime>) {
        let since = since.map_or(0, |at| at.as_micros() + 1);
        let before = self.0.swap(since, Ordering::Relaxed);
        match (before, since) {
            (0, 1..) => metrics::gauge!("sightline_sessions_away").increment(1.0),
            (1.., 0) => metrics::gauge!("sightline_sessions_away").decrement(1.0),
            _ => {}
        }
    }

    /// A number that is smaller the longer it is; `None` when the holder is there.
    pub(super) fn since(&self) -> Option<u64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|since| *since > 0)
    }
}

/// What a session is told about where it lives.
pub(super) struct StaySetup {
    pub(super) grace: Duration,
    /// The name of the key that it is opened with.
    pub(super) holder: String,
    pub(super) identity: Identity,
    /// The access token of its memory.
    pub(super) access_token: String,
    /// What happens in it is written down.
    pub(super) archived: bool,
    pub(super) unix_ms_at_zero: i64,
    /// The session of before a restart.
    pub(super) taken_up: Option<Kept>,
}

impl Stay {
    pub(super) fn new(setup: StaySetup, now: MediaTime) -> Self {
        let StaySetup { grace, holder, identity, access_token, archived, unix_ms_at_zero, taken_up } = setup;
        let away = Away::default();
        // Whoever has it taken up is about to come.
        let away_until = taken_up.is_some().then(|| now + grace);
        away.set(taken_up.is_some().then_some(now));
        Self {
            grace,
            holder,
            identity,
            access: Secret::parse(&access_token),
            archived,
            unix_ms_at_zero,
            pass: None,
            generation: taken_up.as_ref().map_or(0, |k| k.generation),
            away_until,
            away,
            save_at: None,
            saved_seq: None,
            saved_at: now,
            saved: taken_up.is_some(),
            taken_up,
        }
    }

    pub(super) fn away(&self) -> Away {
        self.away.clone()
    }

    /// Whether sessions of this server can be gone on with at all.
    pub(super) fn is_offered(&self) -> bool {
        !self.grace.is_zero()
    }

    /// Whether this one can.
    pub(super) fn is_resumable(&self) -> bool {
        self.pass.is_some() || self.taken_up.is_some()
    }

    /// Cannot be gone on with any longer: its holder does not want it.
    pub(super) fn give_up(&mut self) {
        (self.pass, self.save_at) = (None, None);
    }

    /// Draws a new token; the one that the holder came with is good until the holder is heard.
    pub(super) fn issue(&mut self, came_with: Option<Secret>) -> ResumePass {
        let mut random = [0; 32];
        rand::rng().fill(&mut random[..]);
        let token = Secret::beside(self.identity.name.clone(), random);
        let text = format!("{PREFIX}{}", token.token());
        self.pass = Some(Pass { token, previous: came_with });
        self.taken_up = None;
        self.generation += 1;
        self.saved_seq = None;
        ResumePass { resume_token: text, grace_ms: millis(self.grace), kept_in: self.kept_in() }
    }

    const fn kept_in(&self) -> &'static str {
        if self.archived { "archive" } else { "process" }
    }

    /// Whether a client of before a restart, with events up to `seq`, may know more or less than what was taken up; `None`: there was no restart.
    pub(super) fn differs(&self, seq: u64) -> Option<bool> {
        let kept = self.taken_up.as_ref()?;
        Some(kept.seq != seq || kept.snapshot().is_none_or(|s| s.is_answering()))
    }

    pub(super) const fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether a token opens the session. `held`: its holder is connected, so nobody needs the token before.
    pub(super) fn opens(&self, token: &Secret, held: bool, now: MediaTime) -> bool {
        match (&self.pass, &self.taken_up) {
            (Some(pass), _) => {
                let current = token.opens(&pass.token.hash());
                current | (!held && pass.previous.as_ref().is_some_and(|p| token.opens(&p.hash())))
            }
            (None, Some(kept)) => kept.opens(token, self.unix_ms(now)),
            (None, None) => false,
        }
    }

    /// Something came from the holder: it has the newest token.
    pub(super) fn heard(&mut self) {
        if let Some(pass) = &mut self.pass {
            pass.previous = None;
        }
    }

    /// The holder is away from `now` on.
    pub(super) fn leave(&mut self, now: MediaTime) {
        self.away_until = Some(now + self.grace);
        self.away.set(Some(now));
    }

    /// The holder is back.
    pub(super) fn come_back(&mut self) {
        self.away_until = None;
        self.away.set(None);
    }

    /// Nobody came back in time.
    pub(super) fn is_over(&self, now: MediaTime) -> bool {
        self.away_until.is_some_and(|until| until <= now)
    }

    /// When something is due: the end of the wait, or a snapshot.
    pub(super) fn deadline(&self) -> Option<MediaTime> {
        self.away_until.into_iter().chain(self.save_at).min()
    }

    /// The stream stands at this number now: what is new is to be kept before long.
    pub(super) fn note(&mut self, seq: u64) {
        let keeps = self.archived && self.pass.is_some();
        if keeps && self.save_at.is_none() && self.saved_seq != Some(seq) {
            self.save_at = Some(self.saved_at + SAVE_EVERY);
        }
    }

    pub(super) fn is_save_due(&self, now: MediaTime) -> bool {
        self.save_at.is_some_and(|at| at <= now)
    }

    /// The session as it is now, as the bytes of a record; `conversation` makes it of at most so many. `None` when there is nothing to keep.
    pub(super) fn save(
        &mut self,
        seq: u64,
        now: MediaTime,
        conversation: impl FnOnce(usize) -> Option<Value>,
    ) -> Option<Vec<u8>> {
        self.save_at = None;
        (self.saved_seq, self.saved_at) = (Some(seq), now);
        let (pass, access) = (self.pass.as_ref()?, self.access.as_ref()?);
        // Everything was deleted: what was kept of it goes too.
        let Some(conversation) = conversation(MOST_BYTES) else { return self.erase() };
        let ways = std::iter::once(&pass.token).chain(&pass.previous);
        let kept = Kept {
            holder: self.holder.clone(),
            ways: ways.map(|t| Way { hash: t.hash(), access: access.under(t) }).collect(),
            seq,
            generation: self.generation,
            saved_unix_ms: self.unix_ms(now),
            conversation,
        };
        self.saved = true;
        Some(kept.encode())
    }

    /// What is to stand in the archive in the place of a session that was ended for good; `None` when nothing does.
    pub(super) fn erase(&mut self) -> Option<Vec<u8>> {
        std::mem::take(&mut self.saved).then(Vec::new)
    }

    fn unix_ms(&self, now: MediaTime) -> i64 {
        unix_ms(self.unix_ms_at_zero, now)
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        self.away.set(None);
    }
}

fn millis(d: Duration) -> u64 {
    u64::try_from(d.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::store::TOKEN_ENTROPY;

    fn stay(taken_up: Option<Kept>, now: MediaTime) -> (Stay, Secret) {
        let access = Secret::new([5; TOKEN_ENTROPY]);
        let identity = Identity { name: access.name().clone(), owner: access.hash(), started_unix_ms: 0 };
        let setup = StaySetup {
            grace: Duration::from_secs(30),
            holder: "kiosk".to_owned(),
            identity,
            access_token: access.token(),
            archived: true,
            unix_ms_at_zero: 1_000_000,
            taken_up,
        };
        (Stay::new(setup, now), access)
    }

    fn token(pass: &ResumePass) -> Secret {
        parse_token(&pass.resume_token).unwrap()
    }

    fn at(seconds: u64) -> MediaTime {
        MediaTime::from_millis(seconds * 1_000)
    }

    #[test]
    fn only_the_newest_token_opens_and_the_one_before_until_the_newest_is_known_to_be_held() {
        let (mut s, access) = stay(None, at(0));
        assert!(!s.is_resumable() && !s.opens(&access, false, at(0)));
        let first = token(&s.issue(None));
        assert!(s.opens(&first, true, at(0)) && !s.opens(&access, false, at(0)), "the memory's token is another");
        let second = token(&s.issue(Some(first.clone())));
        assert!(s.opens(&second, true, at(1)));
        // Its client may have lost the line before the newer one came; while it is connected it has no use for the older.
        assert!(s.opens(&first, false, at(1)) && !s.opens(&first, true, at(1)));
        s.heard();
        assert!(!s.opens(&first, false, at(1)));
        let third = token(&s.issue(Some(second.clone())));
        assert!(s.opens(&third, false, at(2)) && s.opens(&second, false, at(2)) && !s.opens(&first, false, at(2)));
    }

    #[test]
    fn what_is_kept_opens_with_the_token_and_gives_the_memorys_back() {
        let (mut s, access) = stay(None, at(0));
        assert!(s.save(1, at(0), |_| Some(json!({}))).is_none(), "nobody asked for it");
        let first = token(&s.issue(None));
        let second = token(&s.issue(Some(first.clone())));
        let body = s.save(41, at(10), |_| Some(json!({"items": []}))).unwrap();
        let kept = Kept::parse(&body).unwrap();
        assert_eq!((kept.seq, kept.generation), (41, 2));
        assert!(kept.belongs_to("kiosk") && !kept.belongs_to("") && !kept.belongs_to("robot"));
        let day = 24 * 3_600_000;
        for good in [&first, &second] {
            assert!(kept.opens(good, 1_010_000 + day) && !kept.opens(good, 1_010_001 + day));
            assert!(kept.access(good).unwrap().opens(&access.hash()));
        }
        assert!(!kept.opens(&access, 1_010_000) && kept.access(&access).is_none());
        let text = String::from_utf8(body).unwrap();
        for secret in [&first, &second, &access] {
            let hex = secret.token().split_once('.').unwrap().1.to_owned();
            assert!(!text.contains(&hex));
        }
        assert_eq!(s.erase(), Some(Vec::new()), "an end leaves nothing behind");
        assert_eq!(s.erase(), None);
        assert!(Kept::parse(b"").is_none() && Kept::parse(b"{}").is_none());
    }

    #[test]
    fn a_session_waits_its_time_and_is_saved_at_most_twice_a_second() {
        let (mut s, _) = stay(None, at(0));
        s.issue(None);
        s.note(1);
        assert_eq!(s.deadline(), Some(MediaTime::ZERO + SAVE_EVERY));
        s.save(1, at(1), |_| Some(json!({})));
        s.note(1);
        assert_eq!(s.deadline(), None, "nothing is new");
        s.leave(at(2));
        assert!(s.away().since().is_some() && !s.is_over(at(31)) && s.is_over(at(32)));
        s.come_back();
        assert!(s.away().since().is_none() && !s.is_over(at(99)));
    }

    #[test]
    fn a_session_from_the_archive_waits_for_whoever_had_it_taken_up() {
        let (mut before, _) = stay(None, at(0));
        let pass = token(&before.issue(None));
        let kept = Kept::parse(&before.save(7, at(1), |_| Some(json!({}))).unwrap()).unwrap();
        let (mut s, _) = stay(Some(kept), at(0));
        assert!(s.is_resumable() && s.opens(&pass, false, at(1)) && s.away().since().is_some());
        assert_eq!((s.differs(7), s.differs(8)), (Some(true), Some(true)), "no conversation could be read");
        let next = token(&s.issue(Some(pass.clone())));
        s.come_back();
        assert_eq!((s.differs(7), s.generation()), (None, 2));
        assert!(s.opens(&next, false, at(1)) && s.opens(&pass, false, at(1)));
        s.heard();
        assert!(!s.opens(&pass, false, at(1)));
    }
}
