//! HTTP and WebSocket: the doors through which clients come.
//!
//! Floor 5. Decides nothing about a conversation: it checks limits, turns errors into statuses, and moves text between sockets and sessions.

mod access;
mod calls;
mod error;
mod memory;
mod secrets;
mod socket;
mod status;
mod tls;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::routing::{delete, get, post};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::cors::{Any, CorsLayer};
use tower_http::services::ServeDir;
use tower_http::set_header::SetResponseHeaderLayer;

pub use error::HttpError;
pub use secrets::Secrets;
pub use tls::{Tls, TlsError, TlsFiles, TlsListener, own_certificate};

use crate::base::Clock;
use crate::session::Sessions;

/// What may be offered at once, in bytes. SDP is checked further by `ingest`.
const MAX_BODY_BYTES: usize = 128 * 1024;

/// How the doors behave.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// The built web page; served at `/`.
    pub web_root: PathBuf,
    /// Keys that open the door; empty: everybody (allowed on loopback, or when the operator says so).
    pub api_keys: Vec<String>,
    /// Longest text message of a WebSocket client, bytes.
    pub max_message_bytes: usize,
    /// A client that takes longer than this to accept one message is closed with 1013.
    pub write_deadline: Duration,
    /// Ping after this long without traffic; two without an answer end the connection.
    pub ping_interval: Duration,
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
}

impl ServerState {
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
        .allow_methods([Method::GET, Method::POST, Method::DELETE, Method::OPTIONS])
        .allow_headers(Any)
        .expose_headers([header::LOCATION, header::RETRY_AFTER]);
    let api = Router::new()
        .route("/v1/realtime/calls", post(calls::create))
        .route("/v1/realtime/calls/{call_id}", delete(calls::hang_up))
        .route("/v1/realtime/calls/{call_id}/hangup", post(calls::hang_up))
        .route("/v1/realtime", get(socket::upgrade).post(calls::create))
        .route("/v1/realtime/client_secrets", post(secrets::create))
        .route("/v1/models", get(status::models))
        .layer(axum::middleware::from_fn_with_state(state.clone(), access::check))
        .route("/v1/sessions/{memory_id}/keyframes/{keyframe_id}", get(memory::keyframe))
        .route("/v1/sessions/{memory_id}/memory", get(memory::timeline).delete(memory::forget))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(cors);
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

/// Serves until `stop`, then drains: no new session, WebSockets closed with 1012.
///
/// # Errors
/// The listener's.
pub async fn serve(listener: Door, state: ServerState, stop: CancellationToken) -> std::io::Result<()> {
    let draining = Arc::clone(&state.draining);
    let sessions = state.sessions.clone();
    let drain = async move {
        stop.cancelled().await;
        draining.store(true, Ordering::Relaxed);
        sessions.close_all().await;
    };
    match listener {
        Door::Plain(listener) => axum::serve(listener, router(state)).with_graceful_shutdown(drain).await,
        Door::Tls(listener) => axum::serve(listener, router(state)).with_graceful_shutdown(drain).await,
    }
}
