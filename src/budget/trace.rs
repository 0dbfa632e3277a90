//! One turn as a tree of spans, and how trees are written down: for Perfetto and Chrome, and for OTLP.
//!
//! The first is Chrome's Trace Event Format (complete events, `ph: X`), which Perfetto reads; slices of one track have to nest, so spans that
//! overlap get tracks of their own. The second is the JSON encoding of `opentelemetry-proto` 1.x, as `POST /v1/traces` takes it.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Value, json};

use super::timing::{Deadlines, Mark, Stage, TurnTiming};
use crate::base::MediaTime;

/// The name of the span that all others of a turn stand in.
pub const ROOT: &str = "turn";

/// A stretch of time within a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// What was done.
    pub name: &'static str,
    /// The span it is part of; `None` for [`ROOT`].
    pub within: Option<&'static str>,
    /// When it began.
    pub start: MediaTime,
    /// When it ended.
    pub end: MediaTime,
    /// What it may take, in milliseconds, where it has a budget.
    pub budget_ms: Option<u64>,
}

/// The spans of one turn; [`ROOT`] first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnTrace {
    /// Its response.
    pub id: String,
    /// In the order of the data path.
    pub spans: Vec<Span>,
}

/// Stages of a turn in the order of the data path, with the span that each is part of.
const STAGES: [(Stage, &str); 6] = [
    (Stage::VadEnd, ROOT),
    (Stage::Asr, ROOT),
    (Stage::Recall, ROOT),
    (Stage::Perceive, ROOT),
    (Stage::FirstToken, ROOT),
    (Stage::Prefill, "first_token"),
];

impl TurnTrace {
    /// From what a turn noted. Spans of which only one end is known are left out.
    #[must_use]
    pub fn new(id: impl Into<String>, timing: &TurnTiming, deadlines: &Deadlines) -> Self {
        let mut this = Self { id: id.into(), spans: Vec::new() };
        let asked = timing.began(Stage::Total);
        let first_word = timing.end_of(Stage::Total);
        let start = timing.at(Mark::SpeechStart).into_iter().chain(asked).min();
        let end = timing.at(Mark::Done).into_iter().chain(first_word).max();
        this.span(ROOT, None, start, end, Some(millis(deadlines, Stage::Total)));
        this.span("speech", Some(ROOT), timing.at(Mark::SpeechStart), timing.began(Stage::VadEnd), None);
        for (stage, within) in STAGES {
            let budget = Some(millis(deadlines, stage));
            this.span(stage.label(), Some(within), timing.began(stage), timing.end_of(stage), budget);
        }
        let words = timing.at(Mark::FirstWords);
        this.span("first_words", Some(ROOT), asked, words, None);
        this.span("writing", Some(ROOT), first_word, timing.at(Mark::Done), None);
        this.span("first_sound", Some(ROOT), words.or(first_word), timing.at(Mark::FirstSound), None);
        this
    }

    /// Adds a span when both ends are known and in order.
    pub fn span(
        &mut self,
        name: &'static str,
        within: Option<&'static str>,
        start: Option<MediaTime>,
        end: Option<MediaTime>,
        budget_ms: Option<u64>,
    ) {
        if let (Some(start), Some(end)) = (start, end)
            && start <= end
        {
            self.spans.push(Span { name, within, start, end, budget_ms });
        }
    }

    /// When a span of this name ended.
    #[must_use]
    pub fn end_of(&self, name: &str) -> Option<MediaTime> {
        self.spans.iter().find(|s| s.name == name).map(|s| s.end)
    }
}

fn millis(deadlines: &Deadlines, stage: Stage) -> u64 {
    u64::try_from(deadlines.of(stage).as_millis()).unwrap_or(u64::MAX)
}

/// Tracks of one name, and until when each is taken.
struct Tracks(Vec<(&'static str, Vec<MediaTime>)>);

/// Tracks that one name may have: more overlap only where a client floods.
const TRACKS: usize = 32;

impl Tracks {
    /// A track on which nothing of this span's time is taken.
    fn place(&mut self, span: &Span) -> usize {
        let row = self.0.iter().position(|(name, _)| *name == span.name).unwrap_or_else(|| {
            self.0.push((span.name, Vec::new()));
            self.0.len() - 1
        });
        let taken = &mut self.0[row].1;
        let free = taken.iter().position(|until| *until <= span.start).unwrap_or(taken.len()).min(TRACKS - 1);
        match taken.get_mut(free) {
            Some(until) => *until = span.end,
            None => taken.push(span.end),
        }
        1 + row * TRACKS + free
    }
}

/// Chrome's trace events of these turns.
pub fn chrome<'a>(turns: impl IntoIterator<Item = &'a TurnTrace>) -> Value {
    let (mut tracks, mut events) = (Tracks(Vec::new()), Vec::new());
    let mut spans: Vec<(&str, &Span)> =
        turns.into_iter().flat_map(|t| t.spans.iter().map(move |s| (t.id.as_str(), s))).collect();
    spans.sort_by_key(|(_, s)| s.start);
    let mut named = Vec::new();
    for (id, span) in spans {
        let track = tracks.place(span);
        if !named.contains(&track) {
            named.push(track);
            events.push(json!({"ph": "M", "name": "thread_name", "pid": 1, "tid": track, "args": {"name": span.name}}));
        }
        let took = span.end.since(span.start);
        let late = span.budget_ms.is_some_and(|b| took.as_millis() > u128::from(b));
        events.push(json!({
            "ph": "X", "cat": ROOT, "name": span.name, "pid": 1, "tid": track,
            "ts": span.start.as_micros(), "dur": span.end.as_micros() - span.start.as_micros(),
            "args": {"response_id": id, "within": span.within, "budget_ms": span.budget_ms, "late": late},
        }));
    }
    events.push(json!({"ph": "M", "name": "process_name", "pid": 1, "tid": 0, "args": {"name": "sightline"}}));
    json!({"traceEvents": events, "displayTimeUnit": "ms"})
}

fn hash(parts: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    // An id of zeros is none.
    hasher.finish().max(1)
}

fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

/// These turns as an `ExportTraceServiceRequest`; `unix_ms_at_zero` is Unix time at the zero of their clock.
pub fn otlp<'a>(session: &str, turns: impl IntoIterator<Item = &'a TurnTrace>, unix_ms_at_zero: i64) -> Value {
    let nanos = |at: MediaTime| {
        let micros = i128::from(unix_ms_at_zero) * 1_000 + i128::from(at.as_micros());
        (micros.max(0) * 1_000).to_string()
    };
    let span_of = |turn: &TurnTrace, span: &Span| {
        let id = |name: &str| format!("{:016x}", hash((session, &turn.id, name)));
        let mut attributes = vec![text("sightline.session_id", session), text("sightline.response_id", &turn.id)];
        attributes.extend(
            span.budget_ms.map(|ms| json!({"key": "sightline.budget_ms", "value": {"intValue": ms.to_string()}})),
        );
        json!({
            "traceId": format!("{:016x}{:016x}", hash((session, &turn.id)), hash((&turn.id, session, 1))),
            "spanId": id(span.name),
            "parentSpanId": span.within.map(id).unwrap_or_default(),
            "name": span.name, "kind": 1,
            "startTimeUnixNano": nanos(span.start), "endTimeUnixNano": nanos(span.end),
            "attributes": attributes,
        })
    };
    let spans: Vec<_> =
        turns.into_iter().flat_map(|turn| turn.spans.iter().map(move |span| span_of(turn, span))).collect();
    let resource =
        json!({"attributes": [text("service.name", "sightline"), text("service.version", env!("CARGO_PKG_VERSION"))]});
    json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {"name": "sightline"}, "spans": spans}]}]})
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    fn ms(n: u64) -> MediaTime {
        MediaTime::from_millis(n)
    }

    fn spoken(id: &str, from: u64) -> TurnTrace {
        let mut t = TurnTiming::default();
        t.mark(Mark::SpeechStart, ms(from));
        for (stage, start, end) in [
            (Stage::Total, 1_500, 2_400),
            (Stage::VadEnd, 1_500, 1_900),
            (Stage::Asr, 1_900, 2_100),
            (Stage::Recall, 2_100, 2_130),
            (Stage::FirstToken, 2_130, 2_400),
            (Stage::Prefill, 2_130, 2_380),
        ] {
            t.start(stage, ms(from + start));
            t.end(stage, ms(from + end));
        }
        t.mark(Mark::FirstWords, ms(from + 2_130));
        t.mark(Mark::FirstSound, ms(from + 2_300));
        t.mark(Mark::Done, ms(from + 3_500));
        TurnTrace::new(id, &t, &Deadlines::default())
    }

    #[test]
    fn a_spoken_turn_is_a_tree_from_the_first_sound_heard_to_the_last_word_written() {
        let turn = spoken("resp_1", 10_000);
        let names: Vec<_> = turn.spans.iter().map(|s| s.name).collect();
        let after = ["first_token", "prefill", "first_words", "writing", "first_sound"];
        let expected: Vec<_> = ["turn", "speech", "vad_end", "asr", "recall"].into_iter().chain(after).collect();
        assert_eq!(names, expected);
        let root = turn.spans[0];
        assert_eq!((root.start, root.end, root.within), (ms(10_000), ms(13_500), None));
        for span in &turn.spans[1..] {
            let parent = turn.spans.iter().find(|s| Some(s.name) == span.within).expect("its parent is there");
            assert!(parent.start <= span.start && span.end <= parent.end, "{span:?} stands in {parent:?}");
        }
    }

    #[test]
    fn what_took_no_part_is_left_out_and_what_was_late_says_so() {
        let mut t = TurnTiming::default();
        t.start(Stage::Total, ms(0));
        t.start(Stage::Asr, ms(0));
        t.start(Stage::FirstToken, ms(10));
        t.end(Stage::FirstToken, ms(1_200));
        t.end(Stage::Total, ms(1_200));
        let turn = TurnTrace::new("r", &t, &Deadlines::default());
        assert_eq!(turn.spans.iter().map(|s| s.name).collect::<Vec<_>>(), ["turn", "first_token"]);
        let trace = chrome([&turn]);
        let late = |e: &Value| e["args"]["late"] == true;
        assert_eq!(trace["traceEvents"].as_array().unwrap().iter().filter(|e| late(e)).count(), 2);
    }

    #[test]
    fn otlp_has_one_trace_per_turn_with_parents_that_exist() {
        let turns = [spoken("resp_1", 0), spoken("resp_2", 5_000)];
        let request = otlp("sess_1", &turns, 1_700_000_000_000);
        let spans = request["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().clone();
        let of = |s: &Value, key: &str| s[key].as_str().unwrap().to_owned();
        let ids: BTreeSet<_> = spans.iter().map(|s| of(s, "spanId")).collect();
        assert_eq!(ids.len(), spans.len(), "ids differ");
        assert_eq!(spans.iter().map(|s| of(s, "traceId")).collect::<BTreeSet<_>>().len(), 2);
        assert!(spans.iter().all(|s| of(s, "traceId").len() == 32 && of(s, "spanId").len() == 16));
        let roots = spans.iter().filter(|s| of(s, "parentSpanId").is_empty()).count();
        assert_eq!(roots, 2);
        assert!(spans.iter().all(|s| of(s, "parentSpanId").is_empty() || ids.contains(&of(s, "parentSpanId"))));
        assert_eq!(of(&spans[0], "startTimeUnixNano"), "1700000000000000000");
        assert_eq!(of(&spans[0], "endTimeUnixNano"), "1700000003500000000");
    }

    proptest! {
        /// Slices of one track must nest; ours do not even touch.
        #[test]
        fn slices_of_a_track_never_overlap(turns in prop::collection::vec(0_u64..20_000, 1..20)) {
            let turns: Vec<_> = turns.iter().enumerate().map(|(i, from)| spoken(&format!("r{i}"), *from)).collect();
            let trace = chrome(&turns);
            let mut tracks: BTreeMap<u64, Vec<(u64, u64)>> = BTreeMap::new();
            for e in trace["traceEvents"].as_array().unwrap().iter().filter(|e| e["ph"] == "X") {
                let (ts, dur) = (e["ts"].as_u64().unwrap(), e["dur"].as_u64().unwrap());
                tracks.entry(e["tid"].as_u64().unwrap()).or_default().push((ts, ts + dur));
            }
            for slices in tracks.values_mut() {
                slices.sort_unstable();
                prop_assert!(slices.windows(2).all(|w| w[0].1 <= w[1].0));
            }
        }
    }
}
