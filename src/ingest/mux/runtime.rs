//! The runtime that a call's WebRTC stack runs on: tokio, except that its sockets are parts of the shared port, and that it dials nobody.

use std::future::Future;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use webrtc::runtime::{
    AsyncInterval, AsyncTcpListener, AsyncTcpStream, AsyncUdpSocket, JoinHandle, RecvMeta, Runtime, TokioRuntime,
    Transmit,
};

use super::tcp::Arrival;
use super::{Datagram, Inner, Key, count_behind, inbox};

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Streams that wait to be taken by the stack; a call has a few at most.
const ARRIVALS: usize = super::STREAMS_PER_CALL;

#[derive(Debug)]
pub(super) struct CallRuntime {
    inner: Arc<Inner>,
    key: Key,
}

impl CallRuntime {
    pub(super) fn new(inner: Arc<Inner>, key: Key) -> Self {
        Self { inner, key }
    }

    fn gone() -> io::Error {
        io::Error::new(io::ErrorKind::NotConnected, "the call has ended, or has no such address")
    }
}

impl Runtime for CallRuntime {
    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) -> Box<dyn JoinHandle> {
        TokioRuntime.spawn(future)
    }

    fn wrap_udp_socket(&self, socket: std::net::UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        // The address only names the socket to the stack; the socket itself is let go.
        let place = socket.local_addr()?;
        let index = self.inner.index_of(place.ip()).ok_or_else(Self::gone)?;
        let shared = self.inner.sockets.get().and_then(|s| s.get(index)).map(Arc::clone).ok_or_else(Self::gone)?;
        let (to_call, packets) = inbox();
        let mut board = self.inner.board();
        let slot = board.calls.get_mut(&self.key).and_then(|c| c.datagrams.get_mut(index)).ok_or_else(Self::gone)?;
        *slot = Some(to_call);
        Ok(Arc::new(CallSocket { place, shared, packets: Mutex::new(packets) }))
    }

    fn wrap_tcp_listener(&self, listener: std::net::TcpListener) -> io::Result<Arc<dyn AsyncTcpListener>> {
        let place = listener.local_addr()?;
        let index = self.inner.index_of(place.ip()).ok_or_else(Self::gone)?;
        let (to_call, arrivals) = mpsc::channel(ARRIVALS);
        let mut board = self.inner.board();
        let slot = board.calls.get_mut(&self.key).and_then(|c| c.streams.get_mut(index)).ok_or_else(Self::gone)?;
        *slot = Some(to_call);
        Ok(Arc::new(CallListener { place, arrivals: tokio::sync::Mutex::new(arrivals) }))
    }

    fn connect_tcp<'a>(&'a self, _: SocketAddr) -> Boxed<'a, io::Result<Arc<dyn AsyncTcpStream>>> {
        Box::pin(async { Err(io::Error::new(io::ErrorKind::Unsupported, "the server dials nobody")) })
    }

    fn resolve_host<'a>(&'a self, _: &'a str) -> Boxed<'a, io::Result<Vec<SocketAddr>>> {
        Box::pin(async { Err(io::Error::new(io::ErrorKind::Unsupported, "the server asks for no names")) })
    }

    fn now(&self) -> Instant {
        TokioRuntime.now()
    }

    fn sleep(&self, duration: Duration) -> Boxed<'static, ()> {
        TokioRuntime.sleep(duration)
    }

    fn interval(&self, period: Duration) -> Box<dyn AsyncInterval> {
        TokioRuntime.interval(period)
    }

    fn block_on(&self, future: Pin<Box<dyn Future<Output = ()> + '_>>) {
        TokioRuntime.block_on(future);
    }

    fn yield_now(&self) -> Boxed<'static, ()> {
        TokioRuntime.yield_now()
    }

    fn name(&self) -> &'static str {
        "shared port"
    }
}

/// A call's part of one shared socket.
#[derive(Debug)]
struct CallSocket {
    place: SocketAddr,
    shared: Arc<dyn AsyncUdpSocket>,
    packets: Mutex<mpsc::Receiver<Datagram>>,
}

impl AsyncUdpSocket for CallSocket {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.place)
    }

    /// Never waits: a socket remembers one waiting task, and all calls send through this one. What does not fit the system's buffer is lost, as on
    /// any full link, and counted.
    fn poll_send(&self, _: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        match self.shared.poll_send(&mut Context::from_waker(Waker::noop()), transmit) {
            Poll::Ready(sent) => Poll::Ready(sent),
            Poll::Pending => {
                count_behind();
                Poll::Ready(Ok(transmit.contents.len()))
            }
        }
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let (Some(buffer), Some(meta)) = (bufs.first_mut(), meta.first_mut()) else { return Poll::Ready(Ok(0)) };
        let mut packets = self.packets.lock().unwrap_or_else(PoisonError::into_inner);
        match packets.poll_recv(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(None) => Poll::Ready(Err(CallRuntime::gone())),
            Poll::Ready(Some(Datagram { from, bytes })) => {
                let size = bytes.len().min(buffer.len());
                buffer[..size].copy_from_slice(&bytes[..size]);
                *meta = RecvMeta::default();
                (meta.addr, meta.len, meta.stride) = (from, size, size.max(1));
                Poll::Ready(Ok(1))
            }
        }
    }

    fn max_gso_segments(&self) -> usize {
        self.shared.max_gso_segments()
    }
}

/// A call's part of one shared listener.
#[derive(Debug)]
struct CallListener {
    place: SocketAddr,
    arrivals: tokio::sync::Mutex<mpsc::Receiver<Arrival>>,
}

impl AsyncTcpListener for CallListener {
    fn accept<'a>(&'a self) -> Boxed<'a, io::Result<(Arc<dyn AsyncTcpStream>, SocketAddr)>> {
        Box::pin(async move {
            let arrival = self.arrivals.lock().await.recv().await;
            match arrival {
                Some(arrival) => arrival.stream(self.place),
                // The stack asks again at once after an error: it is to wait until it is ended, too.
                None => std::future::pending().await,
            }
        })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.place)
    }
}
