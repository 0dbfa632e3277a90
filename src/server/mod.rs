//! HTTP and WebSocket: the doors through which clients come.
//!
//! Floor 5. Decides nothing about a conversation: it checks limits, turns errors into statuses, and moves text between sockets and sessions.

mod access;
mod body;
mod calls;
mod connections;
mod error;
mod ice;
mod memory;
mod parts;
mod secrets;
mod socket;
mod status;
mod tls;
mod whip;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{DefaultBodyLimit, Query};
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::routing::{delete, get, post};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_http::cors::{Any, CorsLayer};
use tower_http::services::ServeDir;
use tower_http::set_header::SetResponseHeaderLayer;

pub use access::KeyRing;
pub use error::HttpError;
pub use secrets::Secrets;
pub use tls::{Tls, TlsError, TlsFiles, TlsListener, own_certificate};

use crate::base::{Clock, MediaTime};
use crate::ingest::IceServers;
use crate::session::Sessions;

/// What may be offered at once, in bytes. SDP is checked further by `ingest`.
const MAX_BODY_BYTES: usize = 128 * 1024;

/// Longest wait for WebSockets to take leave.
const GOODBYE: Duration = Duration::from_secs(2);

/// How the doors behave.
#[derive(Debug, Clone, Default)]
pub struct ServerConfig {
    /// The built web page; served at `/`.
    pub web_root: PathBuf,
    /// Keys that open the door; empty: everybody (allowed on loopback, or when the operator says so).
    pub keys: KeyRing,
    /// Pages of other servers that may come without a key, where none is needed.
    pub allowed_origins: Vec<String>,
    /// Only this machine reaches the server.
    pub loopback_only: bool,
    /// Longest text message of a WebSocket client, bytes.
    pub max_message_bytes: usize,
    /// A client that takes longer than this to accept one message is closed with 1013.
    pub write_deadline: Duration,
    /// How long sessions may go on after the server was told to stop.
    pub drain: Duration,
    /// Ping after this long without traffic; two without an answer end the connection.
    pub ping_interval: Duration,
    /// STUN and TURN servers that clients are told of.
    pub ice: IceServers,
    /// Unix time at the zero of the server's clock, in milliseconds.
    pub unix_ms_at_zero: i64,
}

/// Where clients come in.
pub enum Door {
    /// HTTP.
    Plain(TcpListener),
    /// HTTPS.
    Tls(TlsListener),
}

/// Renders the metrics page.
pub type RenderMetrics = Arc<dyn Fn() -> String + Send + Sync>;

/// What every handler can reach.
#[derive(Clone)]
pub struct ServerState {
    /// All conversations.
    pub sessions: Sessions,
    /// How the doors behave.
    pub config: Arc<ServerConfig>,
    /// The metrics page.
    pub metrics: RenderMetrics,
    /// The server's clock.
    pub clock: Arc<dyn Clock>,
    /// Tokens that browsers come in with.
    pub secrets: Arc<Secrets>,
    /// Set while shutting down: `/readyz` says so and nobody new is let in.
    pub draining: Arc<AtomicBool>,
    /// What moves text for WebSockets: they are told why they are closed before the process ends.
    pub sockets: TaskTracker,
}

impl ServerState {
    /// Unix time, in seconds, of a moment on the server's clock.
    fn unix_s(&self, at: MediaTime) -> i64 {
        let passed = i64::try_from(at.as_millis()).unwrap_or(i64::MAX);
        self.config.unix_ms_at_zero.saturating_add(passed) / 1_000
    }

    fn refuse_while_draining(&self) -> Result<(), HttpError> {
        if self.draining.load(Ordering::Relaxed) {
            return Err(HttpError::new(
                crate::base::ErrorClass::Unavailable,
                "server_draining",
                "the server is shutting down; connect to another one or try again shortly",
            ));
        }
        Ok(())
    }
}

/// All routes.
pub fn router(state: ServerState) -> Router {
    let cors = CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::POST, Method::PATCH, Method::DELETE, Method::OPTIONS])
        .allow_headers(Any)
        .expose_headers([header::LOCATION, header::RETRY_AFTER, header::ETAG, header::LINK]);
    let api = Router::new()
        .route("/v1/realtime/calls", post(calls::create))
        .route("/v1/realtime/calls/{call_id}", delete(calls::hang_up))
        .route("/v1/realtime/calls/{call_id}/hangup", post(calls::hang_up))
        .route("/v1/realtime/calls/{call_id}/accept", post(calls::no_telephone))
        .route("/v1/realtime/calls/{call_id}/reject", post(calls::no_telephone))
        .route("/v1/realtime/calls/{call_id}/refer", post(calls::no_telephone))
        .route("/v1/realtime/sessions", post(secrets::create_session))
        .route("/v1/realtime", get(socket::upgrade).post(calls::create))
        .route("/v1/realtime/client_secrets", post(secrets::create))
        .route("/v1/realtime/ice_servers", get(ice::servers))
        .route("/v1/models", get(status::models))
        .route("/whip", post(whip::create))
        .route("/whip/{call_id}", post(whip::create).patch(whip::change).delete(whip::end))
        .layer(axum::middleware::from_fn(body::whole))
        .layer(axum::middleware::from_fn_with_state(state.clone(), access::check))
        .route("/v1/sessions/{memory_id}/keyframes/{keyframe_id}", get(memory::keyframe))
        .route("/v1/sessions/{memory_id}/memory", get(memory::timeline).delete(memory::forget))
        .route("/v1/sessions/{memory_id}/trace", get(memory::trace))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(cors)
        // Outside of CORS, which answers OPTIONS by itself.
        .layer(axum::middleware::from_fn(whip::announce));
    let csp = HeaderValue::from_static(
        "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data: blob:; media-src 'self' blob:; style-src 'self' 'unsafe-inline'",
    );
    let page = ServeDir::new(&state.config.web_root).fallback(get(status::no_page).with_state(state.clone()));
    Router::new()
        .route("/healthz", get(status::healthz))
        .route("/health", get(status::healthz))
        .route("/readyz", get(status::readyz))
        .route("/version", get(status::version))
        .route("/metrics", get(status::metrics))
        .merge(api)
        .fallback_service(page)
        .layer(SetResponseHeaderLayer::if_not_present(header::CONTENT_SECURITY_POLICY, csp))
        .layer(SetResponseHeaderLayer::if_not_present(
            HeaderName::from_static("x-content-type-options"),
            HeaderValue::from_static("nosniff"),
        ))
        .with_state(state)
}

/// Serves until `stop`, then drains: nobody new is let in, sessions are told and may go on for [`ServerConfig::drain`], WebSockets are closed with 1012.
pub async fn serve(listener: Door, state: ServerState, stop: CancellationToken) {
    let (router, drained) = (router(state.clone()), CancellationToken::new());
    let draining = drain(state, stop, drained.clone());
    match listener {
        Door::Plain(listener) => {
            tokio::join!(connections::serve(connections::prompt(listener), router, drained), draining)
        }
        Door::Tls(listener) => tokio::join!(connections::serve(listener, router, drained), draining),
    };
}

async fn drain(state: ServerState, stop: CancellationToken, drained: CancellationToken) {
    stop.cancelled().await;
    state.draining.store(true, Ordering::Relaxed);
    state.sessions.go_on_for(state.config.drain).await;
    state.sessions.close_all().await;
    state.sockets.close();
    // Whoever does not read its goodbye goes without.
    let _ = tokio::time::timeout(GOODBYE, state.sockets.wait()).await;
    drained.cancel();
}

/// What stands behind the `?`, or what is wrong with it.
fn read_query<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, HttpError> {
    let wrong = |e: QueryRejection| HttpError::new(crate::base::ErrorClass::Invalid, "invalid_value", e.body_text());
    query.map(|Query(query)| query).map_err(wrong)
}
