//! Spans of turns to a collector: OTLP over HTTP, in its JSON encoding.
//!
//! One thread sends what has come since it last did. A collector that is slow or gone costs its spans, which are counted, and nothing else.

use std::time::Duration;

use tokio::sync::mpsc;

use super::AppError;
use crate::base::{ErrorClass, LossReason};
use crate::budget::otlp;
use crate::flow::SESSION_TO_COLLECTOR;
use crate::session::Exported;

/// What one request may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Turns in one request.
const BATCH: usize = 64;
/// Failures between two lines of the log: the first is told, then every so many.
const TOLD_EVERY: u64 = 100;

/// Starts the thread; it ends with the last sender. `unix_ms_at_zero`: Unix time at the zero of the clock of the spans.
///
/// # Errors
/// [`AppError`] when there is no thread to be had.
pub(super) fn start(endpoint: &str, unix_ms_at_zero: i64) -> Result<mpsc::Sender<Exported>, AppError> {
    let (collector, turns) = mpsc::channel(SESSION_TO_COLLECTOR.capacity);
    let url = format!("{}/v1/traces", endpoint.trim_end_matches('/'));
    let sending = move || send_all(turns, &url, unix_ms_at_zero);
    let started = std::thread::Builder::new().name("otlp".to_owned()).spawn(sending);
    started.map_err(|e| AppError::new(ErrorClass::Unavailable, format!("cannot start a thread for spans: {e}")))?;
    Ok(collector)
}

fn send_all(mut turns: mpsc::Receiver<Exported>, url: &str, unix_ms_at_zero: i64) {
    let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).build().into();
    let (mut batch, mut failures) = (Vec::new(), 0_u64);
    while turns.blocking_recv_many(&mut batch, BATCH) > 0 {
        let all = std::mem::take(&mut batch);
        let mut spans = Vec::new();
        for Exported { session, turn } in &all {
            let request = otlp(&session.to_string(), [turn], unix_ms_at_zero);
            spans.extend(request["resourceSpans"].as_array().into_iter().flatten().cloned());
        }
        let body = serde_json::json!({"resourceSpans": spans}).to_string();
        let sent = agent.post(url).header("Content-Type", "application/json").send(body);
        if let Err(e) = sent {
            if failures.is_multiple_of(TOLD_EVERY) {
                tracing::warn!(url, error = %e, failures, "the collector does not take spans (telemetry.otlp_endpoint)");
            }
            failures += 1;
            let reason = LossReason::CollectorBehind.label();
            metrics::counter!("sightline_spans_lost_total", "reason" => reason).increment(all.len() as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;
    use crate::base::{MediaTime, SessionId};
    use crate::budget::{Deadlines, Stage, TurnTiming, TurnTrace};

    fn exported(id: &str) -> Exported {
        let mut timing = TurnTiming::default();
        for stage in [Stage::Total, Stage::FirstToken] {
            timing.start(stage, MediaTime::from_millis(100));
            timing.end(stage, MediaTime::from_millis(300));
        }
        Exported { session: SessionId::new("sess_1"), turn: TurnTrace::new(id, &timing, &Deadlines::default()) }
    }

    /// Takes one request; its head and its body.
    fn take(listener: &TcpListener, status: &str) -> (String, serde_json::Value) {
        let (mut stream, _) = listener.accept().unwrap();
        let mut got = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            let n = stream.read(&mut buffer).unwrap();
            got.extend_from_slice(&buffer[..n]);
            let text = String::from_utf8_lossy(&got);
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length =
                head.to_lowercase().lines().find_map(|l| l.strip_prefix("content-length: ").map(str::to_owned));
            if body.len() >= length.expect("a length").parse::<usize>().unwrap() {
                let parts = (head.to_owned(), serde_json::from_str(body).expect("JSON"));
                write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
                return parts;
            }
        }
    }

    #[test]
    fn spans_are_posted_as_json_and_a_refusal_does_not_end_it() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}/", listener.local_addr().unwrap());
        let collector = start(&endpoint, 1_700_000_000_000).unwrap();
        for (id, status) in [("resp_1", "503 Service Unavailable"), ("resp_2", "200 OK")] {
            collector.blocking_send(exported(id)).unwrap();
            let (head, body) = take(&listener, status);
            assert!(head.starts_with("POST /v1/traces HTTP/1.1"), "{head}");
            let spans = body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap();
            assert_eq!(spans.iter().map(|s| s["name"].as_str().unwrap()).collect::<Vec<_>>(), ["turn", "first_token"]);
            assert_eq!(spans[0]["startTimeUnixNano"], "1700000000100000000");
            assert!(spans[0]["attributes"].to_string().contains(id));
        }
    }
}
