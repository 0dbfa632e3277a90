//! The program itself, with real weights, over a real socket: what a client sees from the first event to the last.
//! Without weights (`models/` or `$SIGHTLINE_MODELS`) it prints a line and passes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so, and a measurement reads the clock")]

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

struct Server {
    process: Child,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn start() -> Option<Server> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let models = std::env::var_os("SIGHTLINE_MODELS").map_or_else(|| root.join("models"), PathBuf::from);
    if !models.join("qwen2.5-coder-0.5b-instruct/model.gguf").is_file() {
        println!("skipped: no weights at {}", models.display());
        return None;
    }
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut process = Command::new(env!("CARGO_BIN_EXE_sightline"))
        .args(["serve", "--bind", &format!("127.0.0.1:{port}"), "--models-dir"])
        .arg(&models)
        .env("SIGHTLINE__SERVER__ADMISSION", "fixed")
        .current_dir(&root)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
    let ready = log.by_ref().map_while(Result::ok).any(|line| line.starts_with("Sightline is ready"));
    assert!(ready, "the server ended before it was ready");
    // Somebody has to read the rest, or the server would one day wait to write it.
    std::thread::spawn(move || log.for_each(drop));
    Some(Server { process, port })
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn connect(server: &Server) -> Socket {
    let url = format!("ws://127.0.0.1:{}/v1/realtime?model=any&ext=latency", server.port);
    tokio_tungstenite::connect_async(url).await.unwrap().0
}

async fn say(socket: &mut Socket, event: Value) {
    socket.send(Message::text(event.to_string())).await.unwrap();
}

/// Events up to and with the first of this type.
async fn until(socket: &mut Socket, last: &str) -> Vec<Value> {
    let mut events = Vec::new();
    while let Some(message) = socket.next().await {
        if let Message::Text(text) = message.unwrap() {
            events.push(serde_json::from_str::<Value>(&text).unwrap());
            if events.last().unwrap()["type"] == last {
                return events;
            }
        }
    }
    panic!("the socket ended before {last}: {events:?}");
}

/// The types in order. `response.degraded` is left out: whether a turn is over its budget is up to the machine, not to the protocol.
fn types(events: &[Value]) -> Vec<&str> {
    let all = events.iter().map(|e| e["type"].as_str().unwrap());
    let mut types: Vec<_> = all.filter(|t| *t != "response.degraded").collect();
    types.dedup();
    types
}

async fn ask(socket: &mut Socket, question: &str) -> Vec<Value> {
    let item = json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": question}]});
    say(socket, json!({"type": "conversation.item.create", "item": item})).await;
    say(socket, json!({"type": "response.create"})).await;
    until(socket, "response.done").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_typed_question_is_answered_in_the_documented_order_and_bad_events_cost_nothing() {
    let Some(server) = start() else { return };
    let mut socket = connect(&server).await;
    assert_eq!(types(&until(&mut socket, "session.created").await), ["session.created"]);

    let events = ask(&mut socket, "What do you see?").await;
    assert_eq!(
        types(&events),
        [
            "conversation.item.added",
            "conversation.item.done",
            "response.created",
            "rate_limits.updated",
            "response.output_item.added",
            "conversation.item.added",
            "response.content_part.added",
            "response.output_text.delta",
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "conversation.item.done",
            "response.latency",
            "response.done",
        ]
    );
    let answer = events.iter().find(|e| e["type"] == "response.output_text.done").unwrap()["text"].as_str().unwrap();
    let deltas: String = events.iter().filter_map(|e| e["delta"].as_str()).collect();
    assert_eq!(answer, deltas, "the deltas are the answer");
    let lower = answer.to_lowercase();
    assert!(lower.contains("can't") || lower.contains("no camera"), "without a camera it must say so: {answer}");

    for bad in ["not json", "[1]", r#"{"type":"no.such.event","event_id":"e1"}"#, r#"{"type":"response.cancel"}"#] {
        socket.send(Message::text(bad)).await.unwrap();
        let events = until(&mut socket, "error").await;
        let error = &events.last().unwrap()["error"];
        assert!(error["code"].is_string() && error["message"].as_str().is_some_and(|m| m.len() > 8), "{bad}: {error}");
    }
    let events = ask(&mut socket, "What is the capital of France?").await;
    let answer = events.iter().find(|e| e["type"] == "response.output_text.done").unwrap()["text"].as_str().unwrap();
    assert!(answer.contains("Paris"), "the session goes on: {answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_on_the_same_port_is_told_so_and_the_first_goes_on() {
    let Some(server) = start() else { return };
    let second = Command::new(env!("CARGO_BIN_EXE_sightline"))
        .args(["serve", "--bind", &format!("127.0.0.1:{}", server.port)])
        .env("SIGHTLINE__MODELS__DIR", std::env::var_os("SIGHTLINE_MODELS").unwrap_or_else(|| "models".into()))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(2), "{words}");
    assert!(words.contains(&format!("port {} is in use", server.port)), "{words}");
    let mut socket = connect(&server).await;
    until(&mut socket, "session.created").await;
}
