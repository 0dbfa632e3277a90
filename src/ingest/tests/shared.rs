//! One port for all calls, over UDP and over TCP, and a new ICE session within a call.

use std::sync::Arc;
use std::time::Duration;

use super::client::{Client, WallClock, vp8_frame};
use super::{Answered, PeerEvent, Ports, accept, config, connected, wait_for};
use crate::base::Clock;
use crate::ingest::offer::{IceCredentials, ice_credentials, with_credentials};
use crate::ingest::{PortPool, SharedPort};

fn shared(range: std::ops::RangeInclusive<u16>, tcp: bool) -> Ports {
    Ports::Shared(SharedPort::new(range, config().bind_ips, tcp))
}

async fn hears(a: &mut Answered, text: &str) {
    let text = text.to_owned();
    wait_for(&mut a.events, |e| (*e == PeerEvent::DataMessage(text.clone())).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_on_one_port_get_their_own_packets_and_leave_nothing_behind() {
    let ports = shared(52_200..=52_219, true);
    let clock: Arc<dyn Clock> = Arc::new(WallClock::default());
    let port = ports.open(&clock).unwrap().unwrap();
    let mut calls = Vec::new();
    for _ in 0..3 {
        let mut client = Client::new(true, true).await;
        let a = accept(&client.offer().await, &config(), &ports).await.unwrap();
        let candidates: Vec<_> = a.answer.lines().filter(|l| l.starts_with("a=candidate:")).collect();
        assert!(candidates.iter().all(|c| c.contains(&format!(" {port} typ host"))), "{candidates:?}");
        assert!(candidates.iter().any(|c| c.contains(" tcp ") && c.ends_with("tcptype passive")), "{candidates:?}");
        assert_eq!(a.peer.port(), port);
        client.take_answer(&a.answer).await;
        calls.push((client, a));
    }
    assert_eq!(ports.leased(), 3);
    for (number, (client, a)) in calls.iter_mut().enumerate() {
        wait_for(&mut a.events, connected).await;
        client.connected().await;
        client.send_text(&format!("I am {number}")).await;
        hears(a, &format!("I am {number}")).await;
        a.peer.send_event(&format!("you are {number}")).await.unwrap();
        assert_eq!(client.receive_text().await, format!("you are {number}"));
    }
    for i in 0..30_u32 {
        for (number, (client, _)) in calls.iter().enumerate() {
            client.send_video(i * 3_000, &vp8_frame(i == 0, i + 1_000 * number as u32)).await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    for (number, (_, a)) in calls.iter().enumerate() {
        let units = a.units.lock().unwrap();
        assert_eq!(units.len(), 30, "call {number}");
        assert!(units.iter().enumerate().all(|(i, u)| u.data == vp8_frame(i == 0, i as u32 + 1_000 * number as u32)));
    }
    for (client, a) in calls {
        a.peer.close().await;
        client.close().await;
    }
    assert_eq!(ports.leased(), 0);
    drop(ports);
    // The tasks that read the port end with its last owner.
    let free = async {
        while std::net::UdpSocket::bind(("127.0.0.1", port)).is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), free).await.expect("the port is free again");
}

/// What strangers throw at the port during a call: handshakes, checks with a guessed password, noise (CVE-2023-49786 was a stranger's ClientHello).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_on_the_port_do_not_disturb_a_call() {
    let ports = shared(52_280..=52_289, true);
    let mut client = Client::new(true, true).await;
    let mut a = accept(&client.offer().await, &config(), &ports).await.unwrap();
    client.take_answer(&a.answer).await;
    wait_for(&mut a.events, connected).await;
    client.connected().await;
    let stranger = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    stranger.connect(("127.0.0.1", a.peer.port())).unwrap();
    let mut hello = vec![22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 60, 1];
    hello.resize(73, 0);
    for i in 0..60_u32 {
        for n in 0..20_u8 {
            let noise: Vec<u8> = (0..n * 5).map(|b| b.wrapping_mul(31).wrapping_add(n)).collect();
            let forged = crate::ingest::mux::forged(&format!("{}:x", a.peer.ice_ufrag()));
            for packet in [&hello, &noise, &forged] {
                let _ = stranger.send(packet);
            }
        }
        client.send_video(i * 3_000, &vp8_frame(i == 0, i)).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Connections that say nothing, and one that says something else.
    let _silent = std::net::TcpStream::connect(("127.0.0.1", a.peer.port())).unwrap();
    let mut http = std::net::TcpStream::connect(("127.0.0.1", a.peer.port())).unwrap();
    std::io::Write::write_all(&mut http, b"GET / HTTP/1.1\r\n\r\n").unwrap();
    client.send_text("undisturbed").await;
    hears(&mut a, "undisturbed").await;
    assert_eq!(a.units.lock().unwrap().len(), 60);
    stranger.set_nonblocking(true).unwrap();
    assert!(stranger.recv(&mut [0; 2_000]).is_err(), "nobody answers a stranger");
    a.peer.close().await;
    client.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_without_udp_gets_through_over_tcp() {
    let ports = shared(52_220..=52_229, true);
    let mut client = Client::over(true, true, true).await;
    let mut a = accept(&client.offer().await, &config(), &ports).await.unwrap();
    client.take_answer(&a.answer).await;
    wait_for(&mut a.events, connected).await;
    client.connected().await;
    client.send_text("over TCP").await;
    hears(&mut a, "over TCP").await;
    for i in 0..30_u32 {
        client.send_video(i * 3_000, &vp8_frame(i == 0, i)).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(a.units.lock().unwrap().len(), 30);
    a.peer.close().await;
    client.close().await;
    assert_eq!(ports.leased(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_that_another_program_has_is_passed_over_for_both_protocols() {
    let udp = std::net::UdpSocket::bind(("127.0.0.1", 52_230)).unwrap();
    let tcp = std::net::TcpListener::bind(("127.0.0.1", 52_231)).unwrap();
    let clock: Arc<dyn Clock> = Arc::new(WallClock::default());
    assert_eq!(shared(52_230..=52_232, true).open(&clock).unwrap(), Some(52_232));
    assert_eq!(shared(52_230..=52_231, false).open(&clock).unwrap(), Some(52_231));
    let error = shared(52_230..=52_231, true).open(&clock).unwrap_err();
    assert!(error.to_string().contains("52230 to 52231"), "{error}");
    drop((udp, tcp));
}

/// A client whose network changed: new credentials on both sides, on a shared port and on one of its own, and what it sends goes on arriving.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_goes_on_after_an_ice_restart() {
    for ports in [shared(52_240..=52_249, false), Ports::Pool(PortPool::new(52_250..=52_259))] {
        let mut client = Client::new(true, true).await;
        let mut a = accept(&client.offer().await, &config(), &ports).await.unwrap();
        client.take_answer(&a.answer).await;
        wait_for(&mut a.events, connected).await;
        client.connected().await;
        let before = a.peer.ice_ufrag();

        let new = ice_credentials(&client.restart().await).unwrap();
        let answer = a.peer.restart_ice(&new, &config()).await.unwrap();
        assert_ne!(answer.ufrag, before);
        assert_eq!((a.peer.ice_ufrag(), a.peer.remote_credentials()), (answer.ufrag.clone(), Some(new)));
        let ours = ice_credentials(&answer.fragment).unwrap();
        assert!(answer.fragment.contains("a=candidate:"), "{}", answer.fragment);
        // What a WHIP client makes of the fragment: its old answer with what is new.
        client.take_answer(&with_credentials(&a.answer, &ours)).await;
        for round in 0..3 {
            tokio::time::sleep(Duration::from_millis(700)).await;
            client.send_text(&format!("still here {round}")).await;
            hears(&mut a, &format!("still here {round}")).await;
        }
        a.peer.close().await;
        let gone = IceCredentials { ufrag: "late".into(), pwd: "p".repeat(22) };
        assert!(a.peer.restart_ice(&gone, &config()).await.is_err());
        client.close().await;
        assert_eq!(ports.leased(), 0);
    }
}
