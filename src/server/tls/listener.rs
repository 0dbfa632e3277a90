//! Connections after their handshake. A client that is slow or speaks something else costs its own place among those that shake hands, and
//! nobody else's.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::Tls;
use crate::base::LossReason;
use crate::server::connections::send_at_once;

/// Handshakes under way at one time; while so many are, nobody new is accepted and the system's own queue fills.
const HANDSHAKES: usize = 128;
/// Longest handshake.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// Finished handshakes that HTTP has not taken yet; a full queue makes them wait within their time.
const READY: usize = 32;
/// The first byte of a TLS record that begins a handshake (RFC 8446, 5.1).
const TLS_HANDSHAKE: u8 = 22;
/// What a client is told that speaks HTTP where HTTPS is spoken.
const PLAIN: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\nconnection: close\r\ncontent-length: 58\r\n\r\n\
    this port speaks HTTPS: write https:// (or wss://) instead";

type Ready = (TlsStream<TcpStream>, SocketAddr);

/// For `axum::serve`.
pub struct TlsListener {
    ready: mpsc::Receiver<Ready>,
    local: SocketAddr,
    accepting: tokio::task::JoinHandle<()>,
}

impl TlsListener {
    /// Speaks TLS on a listener, in a task of its own; must be called within a runtime.
    #[must_use]
    pub fn new(listener: TcpListener, local: SocketAddr, tls: Tls) -> Self {
        let (ready, taken) = mpsc::channel(READY);
        let accepting = tokio::spawn(accept(listener, TlsAcceptor::from(tls.0), ready));
        Self { ready: taken, local, accepting }
    }
}

impl Drop for TlsListener {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl axum::serve::Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(ready) => ready,
            // The accepting task ends only with this listener.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(self.local)
    }
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, ready: mpsc::Sender<Ready>) {
    let places = Arc::new(Semaphore::new(HANDSHAKES));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, from)) => {
                send_at_once(&stream);
                tokio::spawn(shake_hands(acceptor.clone(), stream, from, ready.clone(), place));
            }
            Err(e) => {
                // Out of file descriptors, most likely: those that are let go of will make room.
                tracing::warn!(error = %e, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn shake_hands(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    from: SocketAddr,
    ready: mpsc::Sender<Ready>,
    _place: OwnedSemaphorePermit,
) {
    let shaken = timeout(HANDSHAKE, async {
        let mut first = [0];
        if stream.peek(&mut first).await? == 1 && first[0] != TLS_HANDSHAKE {
            return refuse(stream).await;
        }
        let stream = acceptor.accept(stream).await?;
        let _ = ready.send((stream, from)).await;
        Ok(())
    });
    let why = match shaken.await {
        Ok(Ok(())) => return,
        Ok(Err(e)) => e.to_string(),
        Err(_) => "it took too long".to_owned(),
    };
    metrics::counter!("sightline_tls_refused_total", "reason" => LossReason::Handshake.label()).increment(1);
    tracing::debug!(%from, why, "no TLS connection came of it");
}

/// Tells a client in its own language that another is spoken here.
async fn refuse(mut stream: TcpStream) -> io::Result<()> {
    stream.write_all(PLAIN).await?;
    stream.shutdown().await?;
    Err(io::Error::other("it spoke no TLS"))
}
