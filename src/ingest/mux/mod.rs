//! One port for all calls: UDP, and TCP for networks that let no UDP through (RFC 6544).
//!
//! Floor 2. In: packets of everybody. Out: each call's own packets, to the sockets that its WebRTC stack believes it has. Loses: what is nobody's
//! (`table::Lost`), and what a call is too slow to take; both are counted. The library opens sockets of its own and asks its runtime to make them
//! asynchronous: that is where [`runtime::CallRuntime`] gives it the shared port instead, so nothing of the library is changed.
//! Pure parts: [`table`] (whose a packet is) and [`stun`] (what it says of itself).

mod runtime;
mod stun;
mod table;
mod tcp;

use std::collections::HashMap;
use std::future::poll_fn;
use std::io::{ErrorKind, IoSliceMut};
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::{CancellationToken, DropGuard};
use webrtc::runtime::{AsyncUdpSocket, RecvMeta, Runtime, TokioRuntime};

use self::runtime::CallRuntime;
use self::table::{Key, Lost, Route, Table};
use self::tcp::Arrival;
use super::IngestError;
use super::offer::IceCredentials;
use super::ports::{Probe, order, probe, udp_candidate};
use crate::base::{Clock, LossReason};
use crate::flow::PORT_TO_PEER;

/// A datagram of one packet on any usual link, as the library's own buffers.
const DATAGRAM_BYTES: usize = 2_000;
/// One of several that the system put together: those are bounded by the link.
const SEGMENT_BYTES: usize = 1_500;
/// Pause after a read that failed.
const READ_AGAIN: std::time::Duration = std::time::Duration::from_millis(100);
/// TCP connections of one call, at most.
const STREAMS_PER_CALL: usize = 4;

/// The shared port. Clones share it. Nothing is bound before [`SharedPort::open`].
#[derive(Debug, Clone)]
pub struct SharedPort {
    range: RangeInclusive<u16>,
    ips: Vec<IpAddr>,
    tcp: bool,
    open: Arc<Mutex<Option<Arc<Inner>>>>,
}

/// What was bound: address, and its two sockets.
struct Bound {
    ip: IpAddr,
    udp: UdpSocket,
    tcp: Option<TcpListener>,
}

struct Inner {
    port: u16,
    tcp: bool,
    ips: Vec<IpAddr>,
    /// One per address, in the order of `ips`.
    sockets: OnceLock<Vec<Arc<dyn AsyncUdpSocket>>>,
    board: Mutex<Board>,
    clock: Arc<dyn Clock>,
    /// Ends the tasks.
    _end: DropGuard,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedPort").field("port", &self.port).field("ips", &self.ips).finish_non_exhaustive()
    }
}

/// What is changed by every packet.
#[derive(Debug, Default)]
struct Board {
    table: Table,
    calls: HashMap<Key, Inbox>,
    next: Key,
}

/// Where a call's packets go: one queue per address that it believes to have a socket on.
#[derive(Debug)]
struct Inbox {
    datagrams: Vec<Option<mpsc::Sender<Datagram>>>,
    streams: Vec<Option<mpsc::Sender<Arrival>>>,
    /// Bounds its TCP connections.
    room: Arc<Semaphore>,
}

/// A datagram on its way to a call.
#[derive(Debug)]
pub(super) struct Datagram {
    from: SocketAddr,
    bytes: Vec<u8>,
}

/// A call's part of the port; dropping it ends it.
#[derive(Debug)]
pub(super) struct SharedLease {
    inner: Arc<Inner>,
    key: Key,
}

impl SharedPort {
    /// The first port of `range` that is free on the addresses `ips`, for UDP and if `tcp` for TCP too; nothing is bound yet.
    #[must_use]
    pub fn new(range: RangeInclusive<u16>, ips: Vec<IpAddr>, tcp: bool) -> Self {
        Self { range, ips, tcp, open: Arc::default() }
    }

    /// Binds the port and starts its tasks, if that is still to be done; the port. Must be called within the runtime.
    ///
    /// # Errors
    /// [`IngestError::PortsExhausted`] when other programs have every port, [`IngestError::Bind`] when no address can be bound.
    pub fn open(&self, clock: &Arc<dyn Clock>) -> Result<u16, IngestError> {
        Ok(self.opened(clock)?.port)
    }

    /// A place for one more call.
    pub(super) fn lease(&self, clock: &Arc<dyn Clock>) -> Result<SharedLease, IngestError> {
        let inner = self.opened(clock)?;
        let mut board = inner.board();
        let key = board.next;
        board.next += 1;
        let inbox = Inbox {
            datagrams: inner.ips.iter().map(|_| None).collect(),
            streams: inner.ips.iter().map(|_| None).collect(),
            room: Arc::new(Semaphore::new(STREAMS_PER_CALL)),
        };
        board.calls.insert(key, inbox);
        drop(board);
        Ok(SharedLease { inner, key })
    }

    /// Calls that have a part of it now.
    #[must_use]
    pub fn leased(&self) -> usize {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map_or(0, |i| i.board().calls.len())
    }

    fn opened(&self, clock: &Arc<dyn Clock>) -> Result<Arc<Inner>, IngestError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(inner) = &*open {
            return Ok(Arc::clone(inner));
        }
        let (port, bound) = self.bind()?;
        let inner = start(port, self.tcp, bound, clock)?;
        *open = Some(Arc::clone(&inner));
        Ok(inner)
    }

    fn bind(&self) -> Result<(u16, Vec<Bound>), IngestError> {
        for port in self.range.clone() {
            match probe(port, &self.ips) {
                Probe::Taken => {}
                Probe::Impossible(error) => return Err(error),
                Probe::Free(addresses) => {
                    let bound: Result<Vec<_>, _> = addresses.iter().map(|a| bind_both(*a, self.tcp)).collect();
                    match bound {
                        Ok(bound) => return Ok((port, bound)),
                        Err(e) if e.kind() == ErrorKind::AddrInUse => {}
                        Err(e) => {
                            return Err(IngestError::Bind { address: format!("port {port}"), reason: e.to_string() });
                        }
                    }
                }
            }
        }
        Err(IngestError::PortsExhausted { first: *self.range.start(), last: *self.range.end(), leased: 0 })
    }
}

fn bind_both(address: SocketAddr, tcp: bool) -> std::io::Result<Bound> {
    let udp = UdpSocket::bind(address)?;
    let tcp = if tcp { Some(TcpListener::bind(address)?) } else { None };
    Ok(Bound { ip: address.ip(), udp, tcp })
}

fn start(port: u16, tcp: bool, bound: Vec<Bound>, clock: &Arc<dyn Clock>) -> Result<Arc<Inner>, IngestError> {
    let token = CancellationToken::new();
    let inner = Arc::new(Inner {
        port,
        tcp,
        ips: bound.iter().map(|b| b.ip).collect(),
        sockets: OnceLock::new(),
        board: Mutex::default(),
        clock: Arc::clone(clock),
        _end: token.clone().drop_guard(),
    });
    let failed = |e: std::io::Error| IngestError::Bind { address: format!("port {port}"), reason: e.to_string() };
    let mut sockets = Vec::new();
    for (index, Bound { udp, tcp, .. }) in bound.into_iter().enumerate() {
        let socket = TokioRuntime.wrap_udp_socket(udp).map_err(failed)?;
        let read = read(Arc::downgrade(&inner), index, Arc::clone(&socket));
        let until = token.clone();
        tokio::spawn(async move { until.run_until_cancelled(read).await });
        sockets.push(socket);
        if let Some(listener) = tcp {
            let accept = tcp::accept(Arc::downgrade(&inner), index, listener).map_err(failed)?;
            let until = token.clone();
            tokio::spawn(async move { until.run_until_cancelled(accept).await });
        }
    }
    let _ = inner.sockets.set(sockets);
    Ok(inner)
}

/// Reads one socket and deals out what comes.
async fn read(inner: Weak<Inner>, index: usize, socket: Arc<dyn AsyncUdpSocket>) {
    let mut buffer = vec![0; (socket.max_gro_segments().min(64) * SEGMENT_BYTES).max(DATAGRAM_BYTES)];
    // Told once.
    let mut failing = false;
    loop {
        let mut meta = [RecvMeta::default()];
        let received = poll_fn(|cx| socket.poll_recv(cx, &mut [IoSliceMut::new(&mut buffer)], &mut meta)).await;
        let Some(inner) = inner.upgrade() else { return };
        match received {
            Ok(_) => {
                failing = false;
                let [meta] = meta;
                for datagram in buffer.get(..meta.len).unwrap_or_default().chunks(meta.stride.max(1)) {
                    inner.deal(index, meta.addr, datagram);
                }
            }
            // A client that has gone: the system tells the next read of it.
            Err(e)
                if matches!(
                    e.kind(),
                    ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset | ErrorKind::Interrupted
                ) => {}
            Err(error) if error.kind() == ErrorKind::NotConnected => {
                tracing::error!(%error, "the media port is closed: no call gets through any more");
                return;
            }
            // A network that goes away and comes back, or memory that is short: nobody could open the port again for the calls that are on it.
            Err(error) => {
                if !failing {
                    tracing::warn!(%error, "the media port cannot be read; it is tried again");
                }
                failing = true;
                drop(inner);
                tokio::time::sleep(READ_AGAIN).await;
            }
        }
    }
}

impl Inner {
    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a datagram to the call it is for.
    fn deal(&self, index: usize, from: SocketAddr, datagram: &[u8]) {
        let now = self.clock.now();
        let mut board = self.board();
        let key = match board.table.route(from, datagram, now) {
            Route::To(key) => key,
            Route::Lost(lost) => return count_lost(lost),
        };
        let queue = board.calls.get(&key).and_then(|c| c.datagrams.get(index)).and_then(Option::as_ref);
        if queue.is_some_and(|q| q.try_send(Datagram { from, bytes: datagram.to_vec() }).is_err()) {
            count_behind();
        }
    }

    fn index_of(&self, ip: IpAddr) -> Option<usize> {
        self.ips.iter().position(|i| *i == ip)
    }
}

fn count_lost(lost: Lost) {
    metrics::counter!("sightline_ingest_nobodys_packets_total", "reason" => lost.label()).increment(1);
}

fn count_behind() {
    metrics::counter!("sightline_ingest_packets_lost_total", "reason" => LossReason::PeerBehind.label()).increment(1);
}

impl SharedLease {
    /// The port.
    pub(super) fn port(&self) -> u16 {
        self.inner.port
    }

    /// Addresses that the library is to bind: it opens a socket on a free port there, which [`CallRuntime`] puts the shared one in the place of.
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        self.inner.ips.iter().map(|ip| SocketAddr::new(*ip, 0)).collect()
    }

    /// The same for TCP.
    pub(super) fn tcp_addresses(&self) -> Vec<SocketAddr> {
        if self.inner.tcp { self.addresses() } else { Vec::new() }
    }

    /// The runtime of the call's stack.
    pub(super) fn runtime(&self) -> Arc<dyn Runtime> {
        Arc::new(CallRuntime::new(Arc::clone(&self.inner), self.key))
    }

    /// Makes the call's ICE session known, so that its packets are found.
    pub(super) fn name(&self, own: IceCredentials) -> bool {
        self.inner.board().table.name(self.key, own)
    }

    /// The candidates that clients are told: `more` are addresses in front of a one-to-one NAT.
    pub(super) fn candidates(&self, more: &[IpAddr]) -> Vec<String> {
        let all = || more.iter().chain(&self.inner.ips).enumerate();
        let udp = all().map(|(i, ip)| udp_candidate(order(i), 65_535, *ip, self.inner.port));
        let tcp = all().filter(|_| self.inner.tcp).map(|(i, ip)| tcp_candidate(order(i), *ip, self.inner.port));
        udp.chain(tcp).collect()
    }
}

impl Drop for SharedLease {
    fn drop(&mut self) {
        let mut board = self.inner.board();
        board.table.forget(self.key);
        board.calls.remove(&self.key);
    }
}

/// RFC 6544 §4.5; below UDP: type preference 90, then the order of addresses.
fn tcp_candidate(order: u32, ip: IpAddr, port: u16) -> String {
    let priority = (90_u32 << 24) | ((8_191 - order) << 8) | 255;
    format!("a=candidate:{} 1 tcp {priority} {ip} {port} typ host tcptype passive", 9_500 + order)
}

/// Room for the packets of one call.
fn inbox<T>() -> (mpsc::Sender<T>, mpsc::Receiver<T>) {
    mpsc::channel(PORT_TO_PEER.capacity)
}

#[cfg(test)]
mod tests;

/// A binding request of somebody who does not know the password.
#[cfg(test)]
pub(super) fn forged(user: &str) -> Vec<u8> {
    stun::request(user, "not-the-password-at-all")
}
