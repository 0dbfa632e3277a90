//! The newest turns of one session as span trees, for whoever wants to know where their time went.
//!
//! A turn is noted when its answer ends; what only others know is added to it: when its picture was decoded and looked at (the watcher), and when
//! its first words had been written to the client (the port).

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::sync::mpsc;

use super::Services;
use super::call::count;
use super::registry::lock;
use crate::base::{Clock, LossReason, MediaTime, SessionId};
use crate::budget::{Deadlines, Mark, ROOT, TurnTiming, TurnTrace, chrome};

/// Turns that are kept.
const TURNS: usize = 64;
/// Looks and first words that are remembered until their turn is noted.
const PENDING: usize = 32;

/// The way of one picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) captured: MediaTime,
    pub(super) decoded: MediaTime,
    /// The experts were asked.
    pub(super) asked: MediaTime,
    pub(super) looked: MediaTime,
}

#[derive(Default)]
struct Ring {
    turns: VecDeque<TurnTrace>,
    seen: VecDeque<Seen>,
    /// Responses, and when their first words were with the client.
    sent: VecDeque<(String, MediaTime)>,
}

/// Spans of a turn on their way to a collector.
#[derive(Debug, Clone)]
pub struct Exported {
    /// Whose turn it was.
    pub session: SessionId,
    /// Its spans.
    pub turn: TurnTrace,
}

/// Clones note into the same ring.
#[derive(Clone)]
pub(super) struct Trace {
    ring: Arc<Mutex<Ring>>,
    clock: Arc<dyn Clock>,
    deadlines: Deadlines,
    session: SessionId,
    /// SESSION_TO_COLLECTOR.
    collector: Option<mpsc::Sender<Exported>>,
}

fn keep<T>(queue: &mut VecDeque<T>, new: T, most: usize) {
    if queue.len() >= most {
        queue.pop_front();
    }
    queue.push_back(new);
}

impl Trace {
    pub(super) fn new(services: &Services, session: SessionId) -> Self {
        let (clock, deadlines) = (Arc::clone(&services.clock), services.deadlines);
        Self { ring: Arc::default(), clock, deadlines, session, collector: services.collector.clone() }
    }

    /// A picture was looked at.
    pub(super) fn seen(&self, seen: Seen) {
        keep(&mut lock(&self.ring).seen, seen, PENDING);
    }

    /// The first words of a response have been written to a client.
    pub(super) fn sent(&self, response_id: &str) {
        let (mut ring, now) = (lock(&self.ring), self.clock.now());
        if ring.sent.iter().any(|(id, _)| id == response_id) {
            return;
        }
        // Short answers are over before they are written.
        if let Some(turn) = ring.turns.iter_mut().rev().find(|t| t.id == response_id) {
            add_sent(turn, now);
        }
        keep(&mut ring.sent, (response_id.to_owned(), now), PENDING);
    }

    /// An answer ended.
    pub(super) fn turn(&self, response_id: &str, timing: TurnTiming) {
        let mut ring = lock(&self.ring);
        let mut turn = TurnTrace::new(response_id, &timing, &self.deadlines);
        // Where nothing had changed since, the last look is true of newer pictures, too.
        let seen = timing.at(Mark::Captured).and_then(|at| ring.seen.iter().rev().find(|s| s.captured <= at));
        if let Some(Seen { captured, decoded, asked, looked }) = seen.copied() {
            turn.span("picture", Some(ROOT), Some(captured), Some(looked), None);
            turn.span("decode", Some("picture"), Some(captured), Some(decoded), None);
            turn.span("look", Some("picture"), Some(asked), Some(looked), None);
        }
        let sent = ring.sent.iter().find(|(id, _)| id == response_id).map(|(_, at)| *at);
        if let Some(at) = sent {
            add_sent(&mut turn, at);
        }
        keep(&mut ring.turns, turn.clone(), TURNS);
        drop(ring);
        let exported = Exported { session: self.session.clone(), turn };
        if self.collector.as_ref().is_some_and(|c| c.try_send(exported).is_err()) {
            count("sightline_spans_lost_total", LossReason::CollectorBehind);
        }
    }

    /// What is kept, as Chrome's trace events.
    pub(super) fn chrome(&self) -> Value {
        chrome(&self.turns())
    }

    /// Writes what is kept to `DIR/SESSION.json`. Blocks. A disk that does not take it costs the file only.
    pub(super) fn write(&self, dir: &Path) {
        let turns = self.turns();
        if turns.is_empty() {
            return;
        }
        let path = dir.join(format!("{}.json", self.session));
        let written = std::fs::create_dir_all(dir).and_then(|()| std::fs::write(&path, chrome(&turns).to_string()));
        if let Err(e) = written {
            tracing::warn!(path = %path.display(), error = %e, "a trace could not be written (telemetry.trace_dir)");
        }
    }

    /// What is kept, oldest first.
    fn turns(&self) -> Vec<TurnTrace> {
        lock(&self.ring).turns.iter().cloned().collect()
    }
}

/// From the first word of the model to the client's socket; a moment where the words that an answer was made to begin with were there before it.
fn add_sent(turn: &mut TurnTrace, at: MediaTime) {
    let first_word = turn.end_of("first_token").map(|first| first.min(at));
    turn.span("sent", Some(ROOT), first_word, Some(at), None);
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::*;
    use crate::base::ManualClock;
    use crate::budget::Stage;

    fn ms(n: u64) -> MediaTime {
        MediaTime::from_millis(n)
    }

    /// One with a clock of its own.
    pub(in crate::session) fn trace() -> (Trace, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::default());
        let (session, deadlines) = (SessionId::new("sess_1"), Deadlines::default());
        let ring = Arc::default();
        (Trace { ring, clock: Arc::clone(&clock) as Arc<dyn Clock>, deadlines, session, collector: None }, clock)
    }

    fn timing() -> TurnTiming {
        let mut t = TurnTiming::default();
        for (stage, start, end) in [(Stage::Total, 1_000, 1_500), (Stage::FirstToken, 1_200, 1_500)] {
            t.start(stage, ms(start));
            t.end(stage, ms(end));
        }
        t.mark(Mark::Captured, ms(700));
        t.mark(Mark::Done, ms(2_000));
        t
    }

    fn names(turn: &TurnTrace) -> Vec<&'static str> {
        turn.spans.iter().map(|s| s.name).collect()
    }

    #[test]
    fn a_turn_has_the_way_of_its_picture_and_of_its_first_words_whichever_is_known_first() {
        let (trace, clock) = trace();
        for captured in [300, 700, 900] {
            let (captured, decoded) = (ms(captured), ms(captured + 20));
            trace.seen(Seen {
                captured,
                decoded,
                asked: ms(captured.as_millis() + 30),
                looked: ms(captured.as_millis() + 200),
            });
        }
        clock.advance(Duration::from_millis(1_510));
        trace.sent("resp_1");
        clock.advance(Duration::from_millis(500));
        trace.sent("resp_1");
        trace.turn("resp_1", timing());
        trace.turn("resp_2", timing());
        trace.sent("resp_2");
        let turns = trace.turns();
        let all = ["turn", "first_token", "writing", "picture", "decode", "look", "sent"];
        assert!(turns.iter().all(|t| names(t) == all), "{turns:?}");
        let picture = turns[0].spans.iter().find(|s| s.name == "picture").unwrap();
        assert_eq!((picture.start, picture.end), (ms(700), ms(900)));
        assert_eq!((turns[0].end_of("sent"), turns[1].end_of("sent")), (Some(ms(1_510)), Some(ms(2_010))));
    }

    #[test]
    fn a_file_is_written_where_there_was_a_turn_and_a_disk_that_refuses_is_no_failure() {
        let (trace, _) = trace();
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("new");
        trace.write(&inner);
        assert!(!inner.exists(), "nothing happened");
        trace.turn("resp_1", timing());
        trace.write(&inner);
        let text = std::fs::read_to_string(inner.join("sess_1.json")).unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["traceEvents"].as_array().unwrap().iter().filter(|e| e["ph"] == "X").count(), 3);
        trace.write(&inner.join("sess_1.json"));
    }

    #[test]
    fn a_turn_without_a_picture_or_a_client_is_kept_as_it_is_and_the_oldest_goes() {
        let (trace, _) = trace();
        for i in 0..TURNS + 10 {
            trace.turn(&format!("resp_{i}"), timing());
            trace.sent(&format!("other_{i}"));
        }
        let turns = trace.turns();
        assert_eq!((turns.len(), turns[0].id.as_str()), (TURNS, "resp_10"));
        assert_eq!(names(&turns[0]), ["turn", "first_token", "writing"]);
        assert!(lock(&trace.ring).sent.len() <= PENDING);
    }

    #[test]
    fn a_collector_gets_each_turn_and_one_that_is_behind_costs_its_spans_only() {
        let (mut trace, _) = trace();
        let (collector, mut spans) = mpsc::channel(1);
        trace.collector = Some(collector);
        trace.turn("resp_1", timing());
        trace.turn("resp_2", timing());
        let first = spans.try_recv().unwrap();
        assert_eq!((first.session.to_string().as_str(), first.turn.id.as_str()), ("sess_1", "resp_1"));
        assert!(spans.try_recv().is_err(), "there was no room");
        assert_eq!(trace.turns().len(), 2);
    }
}
