//! Where calls get their ports from: one port for all of them ([`super::mux`]), or one each out of the configured range.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use webrtc::runtime::{Runtime, TokioRuntime};

use super::IngestError;
use super::mux::{SharedLease, SharedPort};
use super::offer::ice_credentials;
use crate::base::Clock;

/// Where calls get their ports from. Clones share them.
#[derive(Debug, Clone)]
pub enum Ports {
    /// One port for all calls.
    Shared(SharedPort),
    /// One each.
    Pool(PortPool),
}

/// What a call holds of them.
#[derive(Debug)]
pub(super) enum Lease {
    Shared(SharedLease),
    Own(PortLease),
}

impl Ports {
    /// A place for one more call.
    pub(super) fn lease(&self, ips: &[IpAddr], clock: &Arc<dyn Clock>) -> Result<Lease, IngestError> {
        match self {
            Self::Shared(port) => port.lease(clock).map(Lease::Shared),
            Self::Pool(pool) => pool.lease(ips).map(Lease::Own),
        }
    }

    /// Binds what is bound before the first call; the port, if there is one for all. Must be called within the runtime.
    ///
    /// # Errors
    /// [`IngestError`] when no port can be had.
    pub fn open(&self, clock: &Arc<dyn Clock>) -> Result<Option<u16>, IngestError> {
        match self {
            Self::Shared(port) => port.open(clock).map(Some),
            Self::Pool(_) => Ok(None),
        }
    }

    /// Calls that hold a port, or a part of the one, now.
    #[must_use]
    pub fn leased(&self) -> usize {
        match self {
            Self::Shared(port) => port.leased(),
            Self::Pool(pool) => pool.leased(),
        }
    }
}

impl Lease {
    /// The port.
    pub(super) fn port(&self) -> u16 {
        match self {
            Self::Shared(lease) => lease.port(),
            Self::Own(lease) => lease.port(),
        }
    }

    /// What the stack is to bind for UDP.
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        match self {
            Self::Shared(lease) => lease.addresses(),
            Self::Own(lease) => lease.addresses().to_vec(),
        }
    }

    /// What the stack is to listen on for TCP.
    pub(super) fn tcp_addresses(&self) -> Vec<SocketAddr> {
        match self {
            Self::Shared(lease) => lease.tcp_addresses(),
            Self::Own(_) => Vec::new(),
        }
    }

    /// What the stack runs on.
    pub(super) fn runtime(&self) -> Arc<dyn Runtime> {
        match self {
            Self::Shared(lease) => lease.runtime(),
            Self::Own(_) => Arc::new(TokioRuntime),
        }
    }

    /// The answer with the addresses under which clients reach us, `public` ones first; its ICE session is known from here on.
    pub(super) fn announce(&self, answer: &str, public: &[IpAddr]) -> Result<String, IngestError> {
        match self {
            Self::Own(lease) => Ok(with_candidates(answer, &own_candidates(public, lease.port()), true)),
            Self::Shared(lease) => {
                if !ice_credentials(answer).is_some_and(|own| lease.name(own)) {
                    let reason = "its ICE session cannot be told from another's".to_owned();
                    return Err(IngestError::Transport { what: "answer", reason });
                }
                Ok(with_candidates(answer, &lease.candidates(public), false))
            }
        }
    }
}

/// Host candidates for public addresses: the port is the same, a one-to-one NAT leads to our socket.
fn own_candidates(public: &[IpAddr], port: u16) -> Vec<String> {
    let all = public.iter().enumerate();
    // Just below the library's own.
    all.map(|(index, ip)| udp_candidate(order(index), 60_000, *ip, port)).collect()
}

/// A host candidate (RFC 8839 §5.1) for component 1: type preference 126 (RFC 8445 §5.1.2.1), `preference` less its place as local one.
pub(super) fn udp_candidate(order: u32, preference: u32, ip: IpAddr, port: u16) -> String {
    let priority = (126_u32 << 24) | ((preference - order) << 8) | 255;
    format!("a=candidate:{} 1 udp {priority} {ip} {port} typ host", 9_000 + order)
}

/// The place of an address among those of a candidate's kind, as far as priorities go.
pub(super) fn order(index: usize) -> u32 {
    u32::try_from(index.min(1_000)).unwrap_or(0)
}

/// Puts candidates where the answer's first candidate stands, before the library's own or in their place.
fn with_candidates(sdp: &str, ours: &[String], keep: bool) -> String {
    let mut out = String::with_capacity(sdp.len() + 128 * ours.len());
    let mut inserted = false;
    for line in sdp.lines() {
        let candidate = line.starts_with("a=candidate:");
        for ours in ours.iter().filter(|_| candidate && !inserted) {
            out.push_str(ours);
            out.push_str("\r\n");
        }
        inserted |= candidate;
        if !candidate || keep {
            out.push_str(line);
            out.push_str("\r\n");
        }
    }
    out
}

/// Hands out ports; a port comes back when its lease is dropped. Clones share the same ports.
#[derive(Debug, Clone)]
pub struct PortPool {
    range: RangeInclusive<u16>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    leased: BTreeSet<u16>,
    /// Ports are taken in turn, so that packets of an ended session do not reach the next one.
    next: usize,
}

/// A port held by one session.
#[derive(Debug)]
pub struct PortLease {
    port: u16,
    addresses: Vec<SocketAddr>,
    state: Arc<Mutex<State>>,
}

impl PortPool {
    /// A pool over `range`.
    #[must_use]
    pub fn new(range: RangeInclusive<u16>) -> Self {
        Self { range, state: Arc::default() }
    }

    /// Ports held by sessions now.
    #[must_use]
    pub fn leased(&self) -> usize {
        lock(&self.state).leased.len()
    }

    /// Takes a port that can be bound on the addresses `ips`. Ports used by other programs are skipped; an address that
    /// this machine does not have (any more) is left out as long as another works.
    ///
    /// # Errors
    /// [`IngestError::PortsExhausted`] when no port is left; [`IngestError::Bind`] when no address can be bound.
    pub fn lease(&self, ips: &[IpAddr]) -> Result<PortLease, IngestError> {
        let mut state = lock(&self.state);
        let size = self.range.len();
        let mut last_failure = None;
        for step in 0..size {
            let index = (state.next + step) % size;
            let Some(port) = self.range.clone().nth(index) else { continue };
            if state.leased.contains(&port) {
                continue;
            }
            match probe(port, ips) {
                Probe::Free(addresses) => {
                    state.next = (index + 1) % size;
                    state.leased.insert(port);
                    return Ok(PortLease { port, addresses, state: Arc::clone(&self.state) });
                }
                Probe::Taken => {}
                Probe::Impossible(error) => {
                    last_failure = Some(error);
                    break;
                }
            }
        }
        Err(last_failure.unwrap_or_else(|| IngestError::PortsExhausted {
            first: *self.range.start(),
            last: *self.range.end(),
            leased: state.leased.len(),
        }))
    }
}

impl PortLease {
    /// The port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The addresses on which it is free.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }
}

impl Drop for PortLease {
    fn drop(&mut self) {
        lock(&self.state).leased.remove(&self.port);
    }
}

/// What was found of a port.
pub(super) enum Probe {
    Free(Vec<SocketAddr>),
    Taken,
    Impossible(IngestError),
}

/// Binds and releases every address, because the WebRTC library binds for itself and skips in silence what it cannot bind.
pub(super) fn probe(port: u16, ips: &[IpAddr]) -> Probe {
    let mut free = Vec::new();
    let mut failure =
        IngestError::Bind { address: format!("port {port}"), reason: "no address is configured".to_owned() };
    for &ip in ips {
        let address = SocketAddr::new(ip, port);
        match UdpSocket::bind(address) {
            Ok(_) => free.push(address),
            Err(e) if e.kind() == ErrorKind::AddrInUse => return Probe::Taken,
            Err(e) => failure = IngestError::Bind { address: address.to_string(), reason: e.to_string() },
        }
    }
    if free.is_empty() { Probe::Impossible(failure) } else { Probe::Free(free) }
}

/// The state is a set and a number, whole after every statement: a panic elsewhere cannot leave it half changed.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, UdpSocket};

    use super::{PortPool, with_candidates};
    use crate::base::ErrorClass;

    const LOOPBACK: [IpAddr; 1] = [IpAddr::V4(Ipv4Addr::LOCALHOST)];

    /// A range of `n` ports that were free a moment ago.
    fn range(n: u16) -> std::ops::RangeInclusive<u16> {
        let start = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().min(65_000);
        start..=start + n - 1
    }

    #[test]
    fn a_port_is_given_once_and_comes_back() {
        let pool = PortPool::new(range(3));
        let mut leases: Vec<_> = std::iter::from_fn(|| pool.lease(&LOOPBACK).ok()).take(10).collect();
        let held = leases.len();
        assert!((1..=3).contains(&held));
        let error = pool.lease(&LOOPBACK).unwrap_err();
        assert_eq!(error.class(), ErrorClass::Capacity);
        let ports: std::collections::BTreeSet<_> = leases.iter().map(super::PortLease::port).collect();
        assert_eq!(ports.len(), held);
        let port = leases.pop().unwrap().port();
        assert_eq!(pool.lease(&LOOPBACK).unwrap().port(), port);
    }

    #[test]
    fn our_candidates_stand_before_the_librarys_or_in_their_place() {
        let sdp = "v=0\r\na=candidate:1\r\na=candidate:2\r\na=end-of-candidates\r\n";
        let ours = ["a=candidate:9".to_owned()];
        assert_eq!(with_candidates(sdp, &ours, true), sdp.replacen("v=0\r\n", "v=0\r\na=candidate:9\r\n", 1));
        assert_eq!(with_candidates(sdp, &ours, false), "v=0\r\na=candidate:9\r\na=end-of-candidates\r\n");
        assert_eq!(with_candidates(sdp, &[], true), sdp);
    }

    #[test]
    fn a_port_used_by_another_program_is_skipped() {
        let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let pool = PortPool::new(port..=port);
        assert_eq!(pool.lease(&LOOPBACK).unwrap_err().class(), ErrorClass::Capacity);
        drop(taken);
        assert_eq!(pool.lease(&LOOPBACK).unwrap().port(), port);
    }

    #[test]
    fn an_address_of_another_machine_is_named_unless_one_works() {
        let elsewhere: IpAddr = "203.0.113.7".parse().unwrap();
        let pool = PortPool::new(range(2));
        let error = pool.lease(&[elsewhere]).unwrap_err();
        assert_eq!(error.class(), ErrorClass::Unavailable);
        assert!(error.to_string().contains("203.0.113.7"), "{error}");
        assert_eq!(pool.lease(&[elsewhere, LOOPBACK[0]]).unwrap().addresses().len(), 1);
    }
}
