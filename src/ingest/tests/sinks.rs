//! Whatever addresses an offer names, not one packet goes there: nobody can make the server knock at doors for him.

use std::net::{TcpListener, UdpSocket};
use std::time::Duration;

use super::client::Client;
use super::{IngestConfig, PortPool, Ports, accept, config};
use crate::ingest::SharedPort;

/// Two ends that only count.
struct Sink {
    udp: UdpSocket,
    tcp: TcpListener,
}

impl Sink {
    fn new() -> Self {
        let (udp, tcp) = (UdpSocket::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
        udp.set_nonblocking(true).unwrap();
        tcp.set_nonblocking(true).unwrap();
        Self { udp, tcp }
    }

    fn candidates(&self) -> String {
        let (udp, tcp) = (self.udp.local_addr().unwrap().port(), self.tcp.local_addr().unwrap().port());
        let mut lines = String::new();
        for n in 0..10 {
            lines.push_str(&format!("a=candidate:{n} 1 udp {} 127.0.0.1 {udp} typ host\r\n", 2_122_260_000 + n));
            lines.push_str(&format!("a=candidate:{n} 1 udp {} 169.254.169.254 80 typ host\r\n", 2_122_250_000 + n));
            lines.push_str(&format!(
                "a=candidate:{n} 1 udp {} 127.0.0.1 {udp} typ relay raddr 0.0.0.0 rport 0\r\n",
                41_000_000 + n
            ));
            lines.push_str(&format!(
                "a=candidate:{n} 1 tcp {} 127.0.0.1 {tcp} typ host tcptype passive\r\n",
                1_518_280_000 + n
            ));
            lines.push_str(&format!("a=candidate:{n} 1 udp {} sink-{n}.local {udp} typ host\r\n", 2_122_240_000 + n));
        }
        lines
    }

    /// Packets and connections that came.
    fn count(&self) -> usize {
        let packets = std::iter::from_fn(|| self.udp.recv(&mut [0; 2_000]).ok()).count();
        packets + std::iter::from_fn(|| self.tcp.accept().ok()).count()
    }
}

async fn knocks(config: &IngestConfig, ports: &Ports) -> usize {
    let (sink, client) = (Sink::new(), Client::new(true, true).await);
    let offer: Vec<_> = client.offer().await.lines().filter(|l| !l.contains("candidate")).map(str::to_owned).collect();
    let first = offer.iter().position(|l| l.starts_with("a=mid:")).unwrap() + 1;
    let (head, tail) = offer.split_at(first);
    let offer = format!("{}\r\n{}{}\r\n", head.join("\r\n"), sink.candidates(), tail.join("\r\n"));
    let a = accept(&offer, config, ports).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let count = sink.count();
    a.peer.close().await;
    client.close().await;
    count
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_packet_goes_to_an_address_that_an_offer_names() {
    let shared = Ports::Shared(SharedPort::new(52_260..=52_269, config().bind_ips, true));
    assert_eq!(knocks(&config(), &shared).await, 0);
    let pool = Ports::Pool(PortPool::new(52_270..=52_279));
    assert_eq!(knocks(&config(), &pool).await, 0);
    // With dialling switched on, the same sinks are found: they do count.
    let dials = IngestConfig { dial_candidates: true, ..config() };
    assert!(knocks(&dials, &pool).await > 0);
}
