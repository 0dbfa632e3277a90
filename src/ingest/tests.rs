//! Our peer against a client built with the same library, over loopback, in real time.

mod aiortc;
mod chromium;
mod client;
mod shared;
mod sinks;
mod voice;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use self::client::{Client, WallClock, vp8_frame};
use super::offer::OfferError;
use super::{IngestConfig, IngestError, MediaSinks, Peer, PeerEvent, PeerEvents, PortPool, Ports};
use crate::base::{AccessUnit, ErrorClass};

type Units = Arc<Mutex<Vec<AccessUnit>>>;

struct Answered {
    peer: Peer,
    events: PeerEvents,
    answer: String,
    units: Units,
    clock: Arc<WallClock>,
}

fn config() -> IngestConfig {
    IngestConfig { bind_ips: vec!["127.0.0.1".parse().unwrap()], ..IngestConfig::default() }
}

async fn accept(offer: &str, config: &IngestConfig, pool: &Ports) -> Result<Answered, IngestError> {
    let units = Units::default();
    let sink = |units: &Units| {
        let units = Arc::clone(units);
        Box::new(move |unit| units.lock().unwrap().push(unit))
    };
    let sinks = MediaSinks { video: sink(&units), audio: sink(&units) };
    let clock = Arc::new(WallClock::default());
    let (peer, events, answer) = Peer::accept(offer, config, pool, clock.clone(), sinks).await?;
    Ok(Answered { peer, events, answer, units, clock })
}

/// The next event that `pick` knows, within ten seconds.
async fn wait_for<T>(events: &mut PeerEvents, pick: impl Fn(&PeerEvent) -> Option<T>) -> T {
    tokio::time::timeout(Duration::from_secs(10), async {
        loop {
            let event = events.next().await.expect("the peer closed while waiting for an event");
            if let Some(found) = pick(&event) {
                return found;
            }
        }
    })
    .await
    .expect("the event did not come within ten seconds")
}

fn connected(event: &PeerEvent) -> Option<()> {
    (*event == PeerEvent::Connected).then_some(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn media_and_events_flow_both_ways_and_everything_is_freed() {
    let pool = Ports::Pool(PortPool::new(52_000..=52_019));
    let mut client = Client::new(true, true).await;
    let mut a = accept(&client.offer().await, &config(), &pool).await.unwrap();
    assert!(a.answer.contains("VP8/90000") && a.answer.contains("opus/48000") && a.answer.contains("rtx/90000"));
    assert!(a.answer.contains("max-message-size:262144") && a.answer.contains("transport-cc"));
    assert!(a.answer.contains(&format!(" {} typ host", a.peer.port())), "{}", a.answer);
    client.take_answer(&a.answer).await;
    wait_for(&mut a.events, connected).await;
    client.connected().await;

    // 60 frames of three packets each, 120 Opus packets, at twice real time.
    for i in 0..60_u32 {
        client.send_video(i * 3_000, &vp8_frame(i % 30 == 0, i)).await;
        client.send_audio(i * 1_920, &[i as u8; 40]).await;
        client.send_audio(i * 1_920 + 960, &[i as u8; 40]).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let units: Vec<_> = a.units.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let (video, audio): (Vec<_>, Vec<_>) = units.into_iter().partition(|u| u.codec.is_video());
    assert_eq!(audio.len(), 120);
    assert_eq!(video.len(), 60);
    for (i, unit) in video.iter().enumerate() {
        assert_eq!(unit.data, vp8_frame(i % 30 == 0, i as u32), "frame {i}");
        assert!(unit.contiguous && unit.keyframe == (i % 30 == 0));
        assert!(unit.capture <= unit.arrival);
    }
    assert!(video.windows(2).all(|w| w[0].capture <= w[1].capture));

    client.send_text("{\"type\":\"response.create\"}").await;
    let text =
        wait_for(&mut a.events, |e| if let PeerEvent::DataMessage(t) = e { Some(t.clone()) } else { None }).await;
    assert_eq!(text, "{\"type\":\"response.create\"}");
    let big = "x".repeat(60_000);
    a.peer.send_event(&big).await.unwrap();
    assert_eq!(client.receive_text().await, big);
    let too_big = a.peer.send_event(&"x".repeat(300_000)).await.unwrap_err();
    assert_eq!(too_big.class(), ErrorClass::TooLarge);

    a.peer.request_keyframe();
    a.peer.request_keyframe();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(client.keyframe_requests(), 1, "two requests within a second are one");

    let stats = a.peer.stats().await;
    assert_eq!((stats.video.assembly.units, stats.audio.assembly.units), (60, 120));
    assert_eq!((stats.video.assembly.keyframes, stats.video.pli), (2, 1));
    assert!(stats.sender_reports > 0 && stats.video.synchronized && stats.audio.synchronized, "{stats:?}");

    assert_eq!(pool.leased(), 1);
    let port = a.peer.port();
    a.peer.close().await;
    wait_for(&mut a.events, |e| (*e == PeerEvent::Closed).then_some(())).await;
    assert_eq!(a.events.next().await, None);
    assert_eq!(pool.leased(), 0);
    std::net::UdpSocket::bind(("127.0.0.1", port)).expect("the socket is free again");
    assert_eq!(a.peer.send_event("{}").await.unwrap_err().class(), ErrorClass::NotFound);
    a.peer.close().await;
    client.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_vanishes_is_noticed_and_a_dropped_peer_frees_its_port() {
    let pool = Ports::Pool(PortPool::new(52_020..=52_029));
    let config = IngestConfig {
        disconnected_after: Duration::from_millis(800),
        failed_after: Duration::from_millis(800),
        keepalive: Duration::from_millis(200),
        ..config()
    };
    let mut client = Client::new(true, false).await;
    let mut a = accept(&client.offer().await, &config, &pool).await.unwrap();
    client.take_answer(&a.answer).await;
    wait_for(&mut a.events, connected).await;
    client.vanish().await;
    let why = |e: &PeerEvent| match e {
        PeerEvent::Disconnected { reason } | PeerEvent::Failed { reason } => Some((e.clone(), reason.clone())),
        _ => None,
    };
    let (first, reason) = wait_for(&mut a.events, why).await;
    assert!(matches!(first, PeerEvent::Disconnected { .. }) && reason.contains("800ms"), "{first:?}");
    let (second, _) = wait_for(&mut a.events, why).await;
    assert!(matches!(second, PeerEvent::Failed { .. }), "{second:?}");
    drop(a.peer);
    wait_for(&mut a.events, |e| (*e == PeerEvent::Closed).then_some(())).await;
    assert_eq!(pool.leased(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_never_connects_fails_with_a_hint() {
    let pool = Ports::Pool(PortPool::new(52_030..=52_039));
    let config = IngestConfig { connect_timeout: Duration::from_millis(200), ..config() };
    let client = Client::new(true, true).await;
    let mut a = accept(&client.offer().await, &config, &pool).await.unwrap();
    let reason = wait_for(&mut a.events, |e| match e {
        PeerEvent::Failed { reason } => Some(reason.clone()),
        _ => None,
    });
    assert!(reason.await.contains("UDP ports"));
    assert_eq!(a.peer.send_event("{}").await.unwrap_err().class(), ErrorClass::Unavailable);
    a.peer.close().await;
    client.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn offers_for_data_only_and_for_sound_only_connect() {
    let pool = Ports::Pool(PortPool::new(52_040..=52_049));
    for (video, audio) in [(false, false), (false, true)] {
        let mut client = Client::new(video, audio).await;
        let mut a = accept(&client.offer().await, &config(), &pool).await.unwrap();
        client.take_answer(&a.answer).await;
        wait_for(&mut a.events, connected).await;
        client.send_text("hello").await;
        wait_for(&mut a.events, |e| (*e == PeerEvent::DataMessage("hello".to_owned())).then_some(())).await;
        a.peer.close().await;
        client.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_offers_leave_nothing_open_and_a_full_range_is_capacity() {
    let pool = Ports::Pool(PortPool::new(52_050..=52_050));
    let client = Client::new(true, true).await;
    let offer = client.offer().await;
    let bad = offer.replace("VP8", "H265");
    let error = accept(&bad, &config(), &pool).await.err().unwrap();
    assert!(matches!(&error, IngestError::Offer(OfferError::NoCommonCodec { .. })), "{error}");
    // A fingerprint that is none.
    let odd = offer.lines().map(|l| if l.starts_with("a=fingerprint") { "a=fingerprint:x" } else { l });
    let odd = odd.collect::<Vec<_>>().join("\r\n") + "\r\n";
    let error = accept(&odd, &config(), &pool).await.err().unwrap();
    assert_eq!(error.class(), ErrorClass::Invalid, "{error}");
    assert_eq!(pool.leased(), 0);
    let held = accept(&offer, &config(), &pool).await.unwrap();
    let error = accept(&offer, &config(), &pool).await.err().unwrap();
    assert_eq!(error.class(), ErrorClass::Capacity);
    assert!(error.to_string().contains("52050"), "{error}");
    held.peer.close().await;
    accept(&offer, &config(), &pool).await.unwrap().peer.close().await;
    client.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_public_address_is_offered_as_a_candidate_with_the_same_port() {
    let pool = Ports::Pool(PortPool::new(52_060..=52_069));
    let config = IngestConfig { public_ips: vec!["198.51.100.9".parse().unwrap()], ..config() };
    let client = Client::new(true, true).await;
    let a = accept(&client.offer().await, &config, &pool).await.unwrap();
    assert!(a.answer.contains(&format!("198.51.100.9 {} typ host", a.peer.port())), "{}", a.answer);
    a.peer.close().await;
    client.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_are_asked_to_send_little_while_there_is_silence_unless_it_is_switched_off() {
    let pool = Ports::Pool(PortPool::new(52_290..=52_299));
    for dtx in [true, false] {
        let client = Client::new(true, true).await;
        let a = accept(&client.offer().await, &IngestConfig { dtx, ..config() }, &pool).await.unwrap();
        assert_eq!(a.answer.matches("usedtx=1").count(), usize::from(dtx), "{}", a.answer);
        a.peer.close().await;
        client.close().await;
    }
}

/// Offers damaged in ways that our check lets through must not hang, leak, or take anything else down.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_offers_end_in_an_answer_or_an_error_and_leave_nothing_open() {
    let pool = Ports::Pool(PortPool::new(52_070..=52_089));
    let client = Client::new(true, true).await;
    let offer = client.offer().await;
    let (mut answered, mut refused) = (0, 0);
    for seed in 0..150 {
        let text = damage(&offer, seed);
        let result = tokio::time::timeout(Duration::from_secs(10), accept(&text, &config(), &pool)).await;
        match result.unwrap_or_else(|_| panic!("seed {seed} hangs:\n{text}")) {
            Ok(a) => {
                answered += 1;
                a.peer.close().await;
            }
            Err(error) => {
                refused += 1;
                assert_ne!(error.class(), ErrorClass::Internal, "seed {seed}: {error}");
            }
        }
        assert_eq!(pool.leased(), 0, "seed {seed}");
    }
    assert!(answered > 10 && refused > 10, "{answered} answered, {refused} refused");
    client.close().await;
}

fn damage(offer: &str, seed: u64) -> String {
    use rand::{Rng, SeedableRng};
    let mut rng = rand::rngs::StdRng::seed_from_u64(seed);
    let mut lines: Vec<String> = offer.lines().map(str::to_owned).collect();
    for _ in 0..rng.random_range(1..4) {
        let i = rng.random_range(0..lines.len());
        let other = lines[rng.random_range(0..lines.len())].clone();
        let cut = rng.random_range(0..=lines[i].len());
        match rng.random_range(0..4) {
            0 => drop(lines.remove(i)),
            1 => lines.insert(i, other),
            2 if lines[i].is_char_boundary(cut) => lines[i].truncate(cut),
            _ => lines[i].push_str(" 99999999999"),
        }
    }
    lines.join("\r\n") + "\r\n"
}
