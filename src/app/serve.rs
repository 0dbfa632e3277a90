//! `sightline serve`: everything up, then down again in order.

use std::io::{ErrorKind, Read};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::info;

use super::clock::unix_ms_at_zero;
use super::{AppError, Parts, SystemClock, build};
use crate::base::{Clock, ErrorClass};
use crate::config::{self, Config, NamedKey};
use crate::ingest::{IceServers, TurnSecret, local_ips};
use crate::server::{
    self, Door, KeyRing, RenderMetrics, Secrets, ServerConfig, ServerState, Tls, TlsFiles, TlsListener, own_certificate,
};
use crate::session::Restrictions;

/// Serves until the process is told to stop (Ctrl-C or SIGTERM), then closes every conversation and frees everything.
///
/// # Errors
/// [`AppError`] when something needed is missing, the port is taken, or on a defect.
pub fn serve(config: &Config, metrics: RenderMetrics) -> Result<(), AppError> {
    refuse_open_door(config)?;
    let runtime = Builder::new_multi_thread()
        .worker_threads(super::machine::workers())
        .enable_all()
        .build()
        .map_err(|e| AppError::new(ErrorClass::Internal, format!("cannot start the runtime: {e}")))?;
    let (tls, ice, keys) = (tls(config)?, ice_servers(config)?, keys(config)?);
    // The port first: a second server is told so at once, not after it has loaded half a gigabyte.
    let listener = runtime.block_on(bind(config))?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let unix_ms_at_zero = unix_ms_at_zero(&*clock);
    let Parts { engine, sessions, .. } = build(config, Arc::clone(&clock))?;
    let state = ServerState {
        sessions,
        config: Arc::new(server_config(config, keys, ice, unix_ms_at_zero)),
        metrics,
        clock,
        secrets: Arc::new(Secrets::default()),
        draining: Arc::new(AtomicBool::new(false)),
        sockets: TaskTracker::new(),
    };
    media_port(&runtime, &state)?;
    runtime.block_on(state.sessions.calibrate(config.budget.calibration));
    let stop = CancellationToken::new();
    let outcome = runtime.block_on(async {
        tokio::spawn(until_told(stop.clone()));
        let address = listener.local_addr()?;
        let door = match tls {
            Some(tls) => Door::Tls(TlsListener::new(listener, address, tls)),
            None => Door::Plain(listener),
        };
        announce(address, matches!(door, Door::Tls(_)));
        server::serve(door, state, stop).await;
        Ok::<_, std::io::Error>(())
    });
    engine.shutdown();
    runtime.shutdown_timeout(std::time::Duration::from_secs(5));
    info!("stopped");
    outcome.map_err(|e| AppError::new(ErrorClass::Internal, format!("the server stopped: {e}")))
}

/// The port that calls share: a server that cannot have it says so at once, not to its first client.
fn media_port(runtime: &tokio::runtime::Runtime, state: &ServerState) -> Result<(), AppError> {
    let port = runtime.block_on(async { state.sessions.open_port() });
    match port.map_err(|e| AppError::new(e.class(), e.to_string()))? {
        Some(port) => info!(port, "media comes in here"),
        None => info!("media comes in on a port of each call's own"),
    }
    Ok(())
}

fn refuse_open_door(config: &Config) -> Result<(), AppError> {
    let s = &config.server;
    if s.bind.ip().is_loopback() || s.has_keys() || s.allow_anonymous {
        return Ok(());
    }
    let text = format!(
        "server.bind = {} lets other machines in, but there are no keys: set server.api_keys, or server.allow_anonymous = true if everybody on that network may use it",
        s.bind
    );
    Err(AppError::new(ErrorClass::Invalid, text))
}

async fn bind(config: &Config) -> Result<TcpListener, AppError> {
    let address = config.server.bind;
    TcpListener::bind(address).await.map_err(|e| {
        let what = match e.kind() {
            ErrorKind::AddrInUse => format!("port {} is in use: another server (perhaps another sightline) has it. Stop that one, or choose another with --bind or server.bind", address.port()),
            ErrorKind::PermissionDenied => format!("no right to listen on {address}: ports below 1024 need privileges"),
            ErrorKind::AddrNotAvailable => format!("{} is not an address of this machine", address.ip()),
            _ => format!("cannot listen on {address}: {e}"),
        };
        AppError::new(ErrorClass::Unavailable, what)
    })
}

/// TLS where it is asked for, with our own certificate or one that is given. Before anything that takes long: a wrong file is told at once.
fn tls(config: &Config) -> Result<Option<Tls>, AppError> {
    let files = match &config.server.tls {
        None => return Ok(None),
        Some(config::Tls::Files { cert, key }) => Ok(TlsFiles { cert: cert.clone(), key: key.clone() }),
        Some(config::Tls::SelfSigned { dir }) => {
            let bound = config.server.bind.ip();
            let addresses = if bound.is_unspecified() { local_ips() } else { vec![bound] };
            own_certificate(dir, &addresses)
        }
    };
    let tls = files.and_then(Tls::open);
    tls.map(Some).map_err(|e| AppError::new(e.class(), e.to_string()))
}

/// Says where to look. Bound to every address, the first of this machine is told: that of others comes before loopback.
fn announce(address: SocketAddr, tls: bool) {
    let mut ip = address.ip();
    if ip.is_unspecified() {
        ip = local_ips().first().copied().unwrap_or(ip);
    }
    let host = match ip {
        _ if ip.is_loopback() => "localhost".to_owned(),
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    let scheme = if tls { "https" } else { "http" };
    info!("open {scheme}://{host}:{}", address.port());
    eprintln!("Sightline is ready: open {scheme}://{host}:{}", address.port());
}

/// A secret is short; a large file is not one.
const MAX_SECRET_BYTES: u64 = 4_096;

/// STUN and TURN servers, with the secret from its file where it stands in one.
fn ice_servers(config: &Config) -> Result<IceServers, AppError> {
    let ice = &config.ice;
    let secret = match &ice.turn_secret_file {
        None => ice.turn_secret.clone(),
        Some(path) => Some(turn_secret(path)?),
    };
    Ok(IceServers { urls: ice.servers.clone(), secret, lasts: ice.turn_ttl })
}

fn turn_secret(path: &Path) -> Result<TurnSecret, AppError> {
    let wrong =
        |why: String| AppError::new(ErrorClass::Invalid, format!("ice.turn_secret_file = {}: {why}", path.display()));
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(|e| wrong(e.to_string()))?;
    file.take(MAX_SECRET_BYTES + 1).read_to_string(&mut text).map_err(|e| wrong(e.to_string()))?;
    if text.len() as u64 > MAX_SECRET_BYTES {
        // A part of it would be a wrong secret, of which every client would only see that no relay takes it.
        return Err(wrong(format!("the file has more than {MAX_SECRET_BYTES} bytes: is it the TURN server's secret?")));
    }
    TurnSecret::new(&text).ok_or_else(|| wrong("the file is empty: write the TURN server's secret into it".into()))
}

/// Every key and what it may do. Before anything that takes long, as the certificate.
fn keys(config: &Config) -> Result<KeyRing, AppError> {
    let s = &config.server;
    let mut ring = KeyRing::default();
    for (i, key) in s.api_keys.iter().enumerate() {
        ring.add(&format!("api_keys[{i}]"), key.clone(), &per_key(config));
    }
    if let Some(file) = &s.keys_file {
        let named = config::read_keys(file).map_err(|e| AppError::new(e.class(), e.to_string()))?;
        for NamedKey { name, key, allow } in named {
            ring.add(&name, key, &allow);
        }
    }
    Ok(ring)
}

fn per_key(config: &Config) -> Restrictions {
    Restrictions { max_sessions: config.server.max_sessions_per_key, ..Restrictions::default() }
}

fn server_config(config: &Config, keys: KeyRing, ice: IceServers, unix_ms_at_zero: i64) -> ServerConfig {
    let s = &config.server;
    ServerConfig {
        web_root: s.web_root.clone(),
        keys,
        allowed_origins: s.allowed_origins.clone(),
        loopback_only: s.bind.ip().is_loopback(),
        max_message_bytes: s.max_message_bytes,
        write_deadline: s.write_deadline,
        drain: s.drain,
        ping_interval: s.ping_interval,
        ice,
        unix_ms_at_zero,
    }
}

async fn until_told(stop: CancellationToken) {
    let terminate = async {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            if let Ok(mut signal) = signal(SignalKind::terminate()) {
                signal.recv().await;
                return;
            }
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminate => {}
    }
    eprintln!("stopping");
    stop.cancel();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_comes_whole_from_its_file_or_not_at_all() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("turn");
        let read = |bytes: usize| {
            std::fs::write(&path, vec![b'x'; bytes]).expect("written");
            turn_secret(&path).map_err(|e| e.to_string())
        };
        assert!(read(40).is_ok() && read(4_096).is_ok());
        for (bytes, word) in [(4_097, "more than 4096"), (0, "empty")] {
            let why = read(bytes).map(|_| ()).expect_err("refused");
            assert!(why.contains(word) && why.contains("ice.turn_secret_file"), "{why}");
        }
    }
}
