//! Connections: how many there may be, from whom, and how slowly they may speak.
//!
//! `axum::serve` waits for ever for a request that comes byte by byte. Here a head has to come whole in [`HEAD`], also on a connection that was
//! kept open; bodies have their time in `body`.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::serve::{Listener, ListenerExt};
use hyper::server::conn::http1::Builder;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_http::add_extension::AddExtension;

/// Connections at one time; those that became WebSockets count as sessions instead. While so many are, nobody new is accepted and the system's own
/// queue fills.
const MOST: usize = 1_024;
/// Of them, from one address; one more is closed at once. Loopback may be a proxy before us, and has no bound of its own.
const MOST_PER_ADDRESS: usize = 128;
/// Longest wait for the head of a request.
const HEAD: Duration = Duration::from_secs(8);
/// Longest wait, once the server stops, for what is still being answered: a client that reads or sends its bytes one by one must not keep it.
#[cfg(not(test))]
const GOODBYE: Duration = Duration::from_secs(5);
#[cfg(test)]
const GOODBYE: Duration = Duration::from_millis(300);
/// Longest head; longer ones are answered with 431.
const HEAD_BYTES: usize = 64 * 1024;

/// Connections by address.
#[derive(Default)]
struct Addresses(Mutex<HashMap<IpAddr, usize>>);

/// The address at the other end of the connection that a request came by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) IpAddr);

/// One connection's place; given back when dropped.
struct Place {
    addresses: Arc<Addresses>,
    ip: IpAddr,
    _permit: OwnedSemaphorePermit,
}

impl Addresses {
    /// Whether one more may come from there.
    fn enter(&self, ip: IpAddr) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = all.entry(ip).or_insert(0);
        let free = *count < MOST_PER_ADDRESS || ip.is_loopback();
        *count += usize::from(free);
        free
    }

    fn leave(&self, ip: IpAddr) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = all.get_mut(&ip) {
            *count -= 1;
            if *count == 0 {
                all.remove(&ip);
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.addresses.leave(self.ip);
    }
}

/// A listener whose connections send what is written at once, see [`send_at_once`].
pub(super) fn prompt(listener: TcpListener) -> impl Listener<Io = TcpStream, Addr = SocketAddr> {
    listener.tap_io(|stream| send_at_once(stream))
}

/// Turns off Nagle's algorithm (RFC 896). With it a short event waits until the client has acknowledged the one before it, which clients put off for
/// some 40 ms (RFC 1122 §4.2.3.2), and the first word of an answer always follows another event.
pub(super) fn send_at_once(stream: &TcpStream) {
    if let Err(e) = stream.set_nodelay(true) {
        tracing::debug!(error = %e, "small messages of this connection may wait");
    }
}

/// Serves until `stop`; then nobody new is accepted, and what is being answered is answered.
pub(super) async fn serve<L>(mut listener: L, router: Router, stop: CancellationToken)
where
    L: Listener<Addr = SocketAddr>,
{
    let (places, addresses, open) =
        (Arc::new(Semaphore::new(MOST)), Arc::new(Addresses::default()), TaskTracker::new());
    loop {
        let Ok(permit) = Arc::clone(&places).acquire_owned().await else { break };
        let (io, from) = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        if !addresses.enter(from.ip()) {
            metrics::counter!("sightline_connections_refused_total").increment(1);
            continue;
        }
        let place = Place { addresses: Arc::clone(&addresses), ip: from.ip(), _permit: permit };
        open.spawn(connection(io, router.clone(), stop.clone(), place));
    }
    drop(listener);
    open.close();
    open.wait().await;
}

async fn connection<I>(io: I, router: Router, stop: CancellationToken, place: Place)
where
    I: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    // HTTP/1.1 from the first byte on: a look at which version comes would have no end of its own.
    let mut builder = Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(HEAD_BYTES);
    let service = TowerToHyperService::new(AddExtension::new(router, Peer(place.ip)));
    let serving = builder.serve_connection(TokioIo::new(io), service).with_upgrades();
    let mut serving = std::pin::pin!(serving);
    tokio::select! {
        // What is wrong with a connection is its client's to know.
        _ = serving.as_mut() => return,
        () = stop.cancelled() => serving.as_mut().graceful_shutdown(),
    }
    let _ = tokio::time::timeout(GOODBYE, serving).await;
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::{get, post};
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
    use tokio::sync::mpsc;
    use tokio::time::Instant;

    use super::*;

    /// Connections that never leave the process.
    struct Pipes(mpsc::Receiver<DuplexStream>);

    impl Listener for Pipes {
        type Io = DuplexStream;
        type Addr = SocketAddr;

        async fn accept(&mut self) -> (DuplexStream, SocketAddr) {
            match self.0.recv().await {
                Some(io) => (io, SocketAddr::from(([127, 0, 0, 1], 1))),
                None => std::future::pending().await,
            }
        }

        fn local_addr(&self) -> std::io::Result<SocketAddr> {
            Ok(SocketAddr::from(([127, 0, 0, 1], 2)))
        }
    }

    #[tokio::test]
    async fn no_event_waits_for_the_acknowledgement_of_another() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (io, _) = prompt(listener).accept().await;
        assert!(io.nodelay().unwrap());
    }

    #[tokio::test]
    async fn a_request_tells_from_which_address_it_came() {
        let (dial, accept) = mpsc::channel(1);
        let (mut ours, theirs) = tokio::io::duplex(1_024);
        dial.send(theirs).await.expect("accepted");
        let answer = |axum::Extension(peer): axum::Extension<Peer>| async move { format!("from {}", peer.0) };
        let stop = CancellationToken::new();
        let server = tokio::spawn(serve(Pipes(accept), Router::new().route("/", get(answer)), stop.clone()));
        ours.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.expect("sent");
        let mut answered = String::new();
        ours.read_to_string(&mut answered).await.expect("answered");
        assert!(answered.ends_with("from 127.0.0.1"), "{answered}");
        stop.cancel();
        server.await.expect("ends");
    }

    #[tokio::test]
    async fn a_client_in_mid_request_holds_up_the_end_for_a_while_and_not_for_ever() {
        let (dial, accept) = mpsc::channel(1);
        let (mut ours, theirs) = tokio::io::duplex(1_024);
        dial.send(theirs).await.expect("accepted");
        let (began, mut begun) = mpsc::channel(1);
        let answer = move |body: Body| async move {
            began.send(()).await.expect("waited for");
            axum::body::to_bytes(body, 1_024).await.map_err(|_| "cut off")
        };
        let stop = CancellationToken::new();
        let server = tokio::spawn(serve(Pipes(accept), Router::new().route("/", post(answer)), stop.clone()));
        ours.write_all(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nhalf").await.expect("sent");
        begun.recv().await.expect("its head is read");
        let stopped = Instant::now();
        stop.cancel();
        tokio::time::timeout(Duration::from_secs(60), server).await.expect("it does not wait for ever").expect("ends");
        assert!(stopped.elapsed() >= GOODBYE, "it waits for a while");
        assert_eq!(ours.read(&mut [0; 64]).await.unwrap_or(0), 0, "it is closed");
    }
}
