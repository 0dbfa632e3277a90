//! `GET /v1/realtime`: a WebSocket that opens a session of its own (`?model=`) or watches a call (`?call_id=`).

use std::sync::Arc;

use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use tokio::time::{interval, timeout};
use tracing::debug;

use super::access::Visitor;
use super::calls::{CallQuery, wants_older_names};
use super::{HttpError, ServerConfig, ServerState};
use crate::session::{ClientPort, Grant, Outgoing};

/// Service restart: the drain code of RFC 6455's registry.
const RESTART: u16 = 1012;
/// Try again later: the client reads too slowly.
const AGAIN: u16 = 1013;

pub(super) async fn upgrade(
    State(state): State<ServerState>,
    query: Result<Query<CallQuery>, QueryRejection>,
    Extension(grant): Extension<Arc<Grant>>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
    ws: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Result<Response, HttpError> {
    state.refuse_while_draining()?;
    let query = super::read_query(query)?;
    let ws = ws.map_err(|e| {
        let text = format!(
            "this address is for WebSockets ({}); to place a WebRTC call POST the SDP offer to /v1/realtime/calls",
            e.body_text()
        );
        HttpError::new(crate::base::ErrorClass::Invalid, "websocket_expected", text)
    })?;
    let call_id = query.call_id.clone();
    let options = query.options(None, grant, visitor);
    let port = match call_id {
        Some(call_id) => state.sessions.attach(&call_id, options).await?,
        None => state.sessions.open_socket(options).await?,
    };
    let port = port.named_as_wanted(wants_older_names(&headers));
    let limit = state.config.max_message_bytes;
    let ws = ws.max_message_size(limit).max_frame_size(limit).protocols(["realtime"]);
    let sockets = state.sockets.clone();
    Ok(ws.on_upgrade(move |socket| sockets.track_future(Pump { socket, port, state }.run())))
}

/// Moves text both ways until either side ends.
struct Pump {
    socket: WebSocket,
    port: ClientPort,
    state: ServerState,
}

enum End {
    /// The client went without a goodbye: the line broke, say.
    Lost,
    /// The client said goodbye.
    Left,
    /// Close with this code and reason.
    Close(u16, String),
}

impl Pump {
    async fn run(mut self) {
        match self.pump().await {
            End::Lost => {}
            End::Left => self.port.leave(),
            End::Close(code, reason) => {
                debug!(code, reason, "closing websocket");
                let frame = CloseFrame { code, reason: Utf8Bytes::from(reason) };
                let _ = timeout(self.config().write_deadline, self.socket.send(Message::Close(Some(frame)))).await;
            }
        }
        self.port.close();
    }

    fn config(&self) -> &ServerConfig {
        &self.state.config
    }

    async fn pump(&mut self) -> End {
        let mut ping = interval(self.config().ping_interval);
        ping.tick().await; // the first tick is immediate
        let mut unanswered = 0;
        loop {
            tokio::select! {
                incoming = self.socket.recv() => {
                    unanswered = 0;
                    if let Some(end) = self.on_message(incoming) {
                        return end;
                    }
                }
                outgoing = self.port.next() => match outgoing {
                    Outgoing::Event(text) => if let Some(end) = self.write(Message::text(text)).await { return end },
                    Outgoing::TooSlow(full) => return End::Close(AGAIN, full.to_string()),
                    Outgoing::Ended(reason) => return End::Close(if self.draining() { RESTART } else { close_code::NORMAL }, reason),
                },
                _ = ping.tick() => {
                    unanswered += 1;
                    if unanswered > 2 {
                        return End::Lost;
                    }
                    if let Some(end) = self.write(Message::Ping(axum::body::Bytes::new())).await { return end }
                }
            }
        }
    }

    fn draining(&self) -> bool {
        self.state.draining.load(std::sync::atomic::Ordering::Relaxed)
    }

    async fn write(&mut self, message: Message) -> Option<End> {
        match timeout(self.state.config.write_deadline, self.socket.send(message)).await {
            Ok(Ok(())) => None,
            Ok(Err(_)) => Some(End::Lost),
            Err(_) => {
                metrics::counter!("sightline_slow_readers_total").increment(1);
                Some(End::Close(AGAIN, "client took too long to accept a message".into()))
            }
        }
    }

    fn on_message(&mut self, incoming: Option<Result<Message, axum::Error>>) -> Option<End> {
        match incoming {
            None => Some(End::Lost),
            Some(Ok(Message::Close(frame))) => Some(goodbye(frame.as_ref())),
            Some(Err(e)) => Some(read_error(&e, self.config().max_message_bytes)),
            Some(Ok(Message::Text(text))) => {
                self.port.send(text.as_str());
                None
            }
            Some(Ok(Message::Binary(_))) => {
                self.port.refuse(
                    "binary_message",
                    "this protocol is JSON text: send audio base64-encoded in `input_audio_buffer.append`",
                );
                None
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => None,
        }
    }
}

/// Whether a client that closes is done, or may come back: a page that is reloaded closes with 1001 (going away).
fn goodbye(frame: Option<&CloseFrame>) -> End {
    match frame.map(|f| f.code) {
        None | Some(close_code::NORMAL | close_code::STATUS) => End::Left,
        Some(_) => End::Lost,
    }
}

fn read_error(error: &axum::Error, limit: usize) -> End {
    let text = error.to_string();
    if text.contains("too long") || text.contains("too large") || text.contains("Space limit") {
        return End::Close(close_code::SIZE, format!("a message may have {limit} bytes at most"));
    }
    End::Lost
}
