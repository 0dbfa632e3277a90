//! Logs, spans and metrics: how they leave the process. Every metric is declared here, with its unit.
//!
//! Floor 5. In: tracing events, `metrics` calls. Out: lines on standard error, the text of `/metrics`.

use std::io::IsTerminal;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use metrics::Unit;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use thiserror::Error;
use tracing_subscriber::EnvFilter;

use crate::base::ErrorClass;

/// Libraries that would drown ours; the user's own directives come later and win.
const QUIET: &str = concat!(
    "webrtc=error,rtc=error,rtc_sctp=off,rtc_dtls=error,rtc_ice=error,ureq=warn,rustls=warn,hyper=warn,tower=warn,tungstenite=warn,webrtc",
    // It logs a whole packet for each one that nobody drained.
    "::peer_connection::driver=off"
);

/// Buckets of every `_seconds` histogram, from 0.2 ms to 30 s: the gate of a frame at one end, a whole answer at the other. The default
/// budgets are among them, so that the share of those in time can be read off.
const SECONDS: [f64; 21] = [
    0.0002, 0.0005, 0.001, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.25, 0.3, 0.4, 0.55, 0.75, 1.0, 1.6, 2.5, 5.0,
    10.0, 30.0,
];

/// How often samples are folded together.
const UPKEEP: Duration = Duration::from_secs(5);

/// What kind of number a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// A distribution.
    Histogram,
}

/// One metric.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Its name; ends in its unit or in `_total`.
    pub name: &'static str,
    /// Its kind.
    pub kind: MetricKind,
    /// Its unit.
    pub unit: Unit,
    /// What it counts, and its labels.
    pub help: &'static str,
}

const fn counter(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: MetricKind::Counter, unit: Unit::Count, help }
}

const fn gauge(name: &'static str, unit: Unit, help: &'static str) -> Metric {
    Metric { name, kind: MetricKind::Gauge, unit, help }
}

const fn seconds(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: MetricKind::Histogram, unit: Unit::Seconds, help }
}

/// Every metric of the process. A test finds names in `src/` that are not here.
pub const METRICS: &[Metric] = &[
    gauge("sightline_sessions_active", Unit::Count, "conversations going on"),
    gauge("sightline_sessions_away", Unit::Count, "conversations that wait for their client to come back"),
    counter("sightline_resume_total", "clients that came back, or did not; label: outcome"),
    counter("sightline_sessions_total", "conversations begun"),
    counter("sightline_sessions_ended_total", "conversations ended"),
    counter("sightline_admission_rejected_total", "conversations refused; label: reason"),
    gauge(
        "sightline_forecast_load",
        Unit::Count,
        "share of the device's time expected to be taken, at the last admission",
    ),
    gauge(
        "sightline_forecast_turn_ms",
        Unit::Milliseconds,
        "end of turn to first token as expected at the last admission",
    ),
    counter("sightline_degraded_total", "steps taken on the degradation ladder; label: step"),
    counter("sightline_deadline_miss_total", "stages that took longer than their budget; label: stage"),
    seconds("sightline_turn_latency_seconds", "time of one stage of one answer; label: stage"),
    seconds("sightline_asr_seconds", "recognising one utterance"),
    seconds("sightline_voice_seconds", "saying one piece of an answer"),
    gauge("sightline_voice_rtf", Unit::Count, "seconds that one second of sound took the voice, at its last piece"),
    seconds(
        "sightline_first_words_seconds",
        "from the end of a question to the first words of its answer, which may be those that it must begin with",
    ),
    seconds("sightline_first_sound_seconds", "from the end of a question to the first sound of its answer"),
    counter("sightline_voice_lost_total", "answers that went on as text; label: reason"),
    counter(
        "sightline_transcript_reused_total",
        "utterances not recognised again; label: when (their words were known)",
    ),
    counter("sightline_readings_lost_total", "readings of unfinished speech given up; label: reason"),
    counter("sightline_prefill_discarded_total", "questions taken into the prompt cache ahead that went on otherwise"),
    seconds("sightline_gate_seconds", "deciding whether one picture is worth a look"),
    counter("sightline_gate_kept_total", "pictures worth a look; label: gate (what let them pass)"),
    counter(
        "sightline_gate_saved_seconds_total",
        "device time of looks that were not needed since nothing had changed or it moved, at what a look cost lately; label: reason",
    ),
    counter("sightline_gate_saved_looks_total", "those looks, at most as many as the frame rate allows; label: reason"),
    counter("sightline_region_looks_total", "looks of an expert at a part of a picture; label: expert"),
    counter(
        "sightline_region_saved_milliseconds_total",
        "device time that those took less than a look at a whole picture lately; label: expert",
    ),
    counter("sightline_silence_milliseconds_total", "sound in which nobody spoke, which was not recognised"),
    counter(
        "sightline_answers_without_look_total",
        "answers that waited for no look; label: reason (picture, world, talk, no_video, fresh, memory, order, function)",
    ),
    seconds("sightline_look_seconds", "one look at one picture; label: expert"),
    counter("sightline_answers_ahead_total", "answers begun before the turn was over; label: result (used, discarded)"),
    counter("sightline_frames_lost_total", "pictures dropped on purpose; label: reason"),
    seconds("sightline_interruption_seconds", "speech into an answer, from its onset to stopping the answer"),
    seconds(
        "sightline_hold_seconds",
        "answers that stood still until it was known whether they were interrupted; label: ended",
    ),
    counter("sightline_interjections_total", "speech into answers; label: judged (what it was taken for)"),
    counter("sightline_tool_calls_total", "calls of functions that the model wrote; label: result"),
    counter("sightline_audio_lost_total", "sound dropped on purpose; label: reason"),
    counter("sightline_events_lost_total", "events refused or not delivered; label: reason"),
    counter("sightline_slow_readers_total", "clients closed because they read too slowly"),
    counter("sightline_connections_refused_total", "connections closed at once: too many from one address"),
    counter("sightline_tls_refused_total", "connections that never came to be encrypted; label: reason"),
    counter("sightline_spans_lost_total", "turns whose spans never reached the collector; label: reason"),
    counter("sightline_archive_errors_total", "writes of the archive that failed and are tried again"),
    counter("sightline_archive_lost_total", "pictures that never reached the archive; label: reason"),
    counter("sightline_engine_panics_total", "panics of a model, caught; label: model"),
    seconds("sightline_engine_step_seconds", "one step on the device; label: kind"),
    counter(
        "sightline_work_deferred_total",
        "pieces of work held back because something more important was due before they would have ended; label: kind",
    ),
    counter(
        "sightline_work_broken_off_total",
        "steps broken off for something more important, to go on or to be taken anew; label: kind",
    ),
    counter(
        "sightline_draft_tokens_total",
        "tokens of answers that were guessed from the text before and checked; label: outcome, accepted or rejected",
    ),
    counter("sightline_tokens_shared_total", "tokens of answers that were computed in a step of another answer"),
    counter("sightline_decode_out_total", "pictures and sound buffers decoded; label: codec"),
    counter("sightline_decode_lost_total", "encoded units dropped before decoding; labels: codec, reason"),
    counter("sightline_decode_failures_total", "decoders that failed and were restarted; label: codec"),
    seconds("sightline_decode_seconds", "one unit from encoded to plain; label: codec"),
    counter("sightline_ingest_units_total", "access units put together from RTP; label: codec"),
    counter("sightline_ingest_unit_bytes_total", "bytes of those units; label: codec"),
    counter("sightline_ingest_lost_total", "access units lost on the network; labels: codec, reason"),
    counter("sightline_ingest_keyframe_requests_total", "keyframes asked for"),
    counter("sightline_ingest_foreign_packets_total", "RTP packets of a codec that was not negotiated; label: kind"),
    counter("sightline_ingest_nobodys_packets_total", "packets on the shared port that are no call's; label: reason"),
    counter(
        "sightline_ingest_packets_lost_total",
        "packets of a call lost between it and the shared port; label: reason",
    ),
    counter(
        "sightline_ingest_tcp_refused_total",
        "media connections that never said which call they were for; label: reason",
    ),
    counter("sightline_ingest_data_refused_total", "data-channel messages refused; label: reason"),
];

/// Why telemetry could not be set up.
#[derive(Debug, Error)]
pub enum TelemetryError {
    /// The directives do not parse.
    #[error(
        "`telemetry.log` = \"{directives}\" is not understood ({reason}); write for example `info` or `warn,sightline=debug`"
    )]
    Directives {
        /// What was given.
        directives: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The thread that folds samples together did not start.
    #[error("cannot start a thread for metrics: {0}")]
    Thread(std::io::Error),
    /// Set up twice in one process.
    #[error("{0} were set up already: this is a bug")]
    Twice(&'static str),
}

impl TelemetryError {
    /// What sort of failure this is.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::Directives { .. } => ErrorClass::Invalid,
            Self::Thread(_) => ErrorClass::Unavailable,
            Self::Twice(_) => ErrorClass::Internal,
        }
    }
}

/// Sends log lines to standard error, as text or as one JSON object per line.
///
/// # Errors
/// [`TelemetryError`] when the directives do not parse, or when called twice.
pub fn start_logging(directives: &str, json: bool) -> Result<(), TelemetryError> {
    let filter = filter(directives)?;
    let colours = std::io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours);
    let started = if json { builder.json().try_init() } else { builder.compact().try_init() };
    started.map_err(|_| TelemetryError::Twice("logs"))
}

fn filter(directives: &str) -> Result<EnvFilter, TelemetryError> {
    EnvFilter::try_new(format!("{QUIET},{directives}"))
        .map_err(|e| TelemetryError::Directives { directives: directives.to_owned(), reason: e.to_string() })
}

/// The metrics of the process, to be rendered for `/metrics`.
#[derive(Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
    /// Its last copy dropped ends the upkeep.
    _alive: SyncSender<()>,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

impl Metrics {
    /// Installs the recorder of the process and declares every metric. No listener is opened. A thread folds samples together every
    /// few seconds, since histograms that nobody scrapes would keep each of them.
    ///
    /// # Errors
    /// [`TelemetryError::Twice`].
    pub fn install() -> Result<Self, TelemetryError> {
        let twice = |_| TelemetryError::Twice("metrics");
        let handle = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
            .map_err(twice)?
            .install_recorder()
            .map_err(twice)?;
        describe();
        let (alive, ended) = sync_channel(0);
        let folded = handle.clone();
        let upkeep = move || {
            while ended.recv_timeout(UPKEEP) == Err(RecvTimeoutError::Timeout) {
                folded.run_upkeep();
            }
        };
        std::thread::Builder::new().name("metrics".to_owned()).spawn(upkeep).map_err(TelemetryError::Thread)?;
        Ok(Self { handle, _alive: alive })
    }

    /// The page, in Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> String {
        self.handle.render()
    }
}

fn describe() {
    for m in METRICS {
        match m.kind {
            MetricKind::Counter => metrics::describe_counter!(m.name, m.unit, m.help),
            MetricKind::Gauge => metrics::describe_gauge!(m.name, m.unit, m.help),
            MetricKind::Histogram => metrics::describe_histogram!(m.name, m.unit, m.help),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashSet};
    use std::path::Path;

    use super::{METRICS, MetricKind, Metrics, filter};

    #[test]
    fn names_are_unique_and_end_in_what_they_measure() {
        let mut seen = HashSet::new();
        for m in METRICS {
            assert!(seen.insert(m.name), "{} twice", m.name);
            assert!(m.name.starts_with("sightline_"), "{}", m.name);
            assert_eq!(m.kind == MetricKind::Counter, m.name.ends_with("_total"), "{}", m.name);
            assert_eq!(m.kind == MetricKind::Histogram, m.name.ends_with("_seconds"), "{}", m.name);
        }
    }

    /// A name used in `src/` and not declared above has no help text; one declared and not used would stand at nothing for ever.
    #[test]
    fn the_metrics_used_are_those_declared() {
        fn walk(dir: &Path, found: &mut BTreeSet<String>) {
            for entry in std::fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, found);
                } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("telemetry.rs") {
                    let text = std::fs::read_to_string(&path).unwrap();
                    let names = text.split("\"sightline_").skip(1).filter_map(|rest| rest.split('"').next());
                    found.extend(names.map(|n| format!("sightline_{n}")));
                }
            }
        }
        let mut used = BTreeSet::new();
        walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut used);
        let declared: BTreeSet<_> = METRICS.iter().map(|m| m.name.to_owned()).collect();
        assert_eq!(used, declared);
    }

    /// A panel of a metric that is not there would be empty for ever.
    #[test]
    fn the_dashboard_shows_metrics_that_there_are_and_all_of_the_stages() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/grafana/sightline.json");
        let text = std::fs::read_to_string(path).unwrap();
        let dashboard: serde_json::Value = serde_json::from_str(&text).unwrap();
        let panels = dashboard["panels"].as_array().unwrap();
        let targets = panels.iter().filter_map(|p| p["targets"].as_array()).flatten();
        let shown: BTreeSet<String> = targets.flat_map(|t| names(t["expr"].as_str().unwrap())).collect();
        for name in &shown {
            let metric = METRICS.iter().find(|m| {
                let rest = name.strip_prefix(m.name);
                let histogram = m.kind == MetricKind::Histogram;
                rest == Some("") && !histogram || histogram && matches!(rest, Some("_bucket" | "_sum" | "_count"))
            });
            assert!(metric.is_some(), "the dashboard shows {name}, which is not declared, or not in this form");
        }
        let histograms = METRICS.iter().filter(|m| m.kind == MetricKind::Histogram);
        for m in histograms.filter(|m| m.name != "sightline_voice_seconds") {
            assert!(shown.iter().any(|s| s.starts_with(m.name)), "{} is on no panel", m.name);
        }
    }

    fn names(query: &str) -> Vec<String> {
        let starts = query.match_indices("sightline_").map(|(i, _)| &query[i..]);
        let name = |s: &str| s.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or("").to_owned();
        starts.map(name).collect()
    }

    #[test]
    fn the_page_shows_help_and_a_counted_metric() {
        let metrics = Metrics::install().unwrap();
        metrics::counter!("sightline_frames_lost_total", "reason" => "unchanged").increment(3);
        let page = metrics.render();
        assert!(page.contains("# HELP sightline_frames_lost_total pictures dropped on purpose"), "{page}");
        assert!(page.contains("reason=\"unchanged\"") && page.contains("} 3"), "{page}");
        assert!(Metrics::install().is_err(), "a second recorder is refused");
    }

    #[test]
    fn directives_parse_and_nonsense_is_refused() {
        filter("info").unwrap();
        filter("warn,sightline=debug").unwrap();
        assert!(filter("sightline=loud=very").unwrap_err().to_string().contains("telemetry.log"));
    }
}
