//! The server's voice on its track, as a client receives it.

use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::ingest::VoicePacket;

/// The section for sound: that of the data channel has a direction too.
fn audio(answer: &str) -> &str {
    answer.split("m=application").next().expect("a first part")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_takes_sound_is_sent_the_voice_with_its_times() {
    let pool = Ports::Pool(PortPool::new(52_060..=52_079));
    let mut client = Client::new(false, true).await;
    let offer = client.offer().await;
    let speaking = IngestConfig { speaks: true, ..config() };
    assert!(speaking.speaks_to(&offer) && !config().speaks_to(&offer));
    let mut a = accept(&offer, &speaking, &pool).await.unwrap();
    assert!(a.peer.has_voice() && audio(&a.answer).contains("a=sendrecv"), "{}", a.answer);
    client.take_answer(&a.answer).await;
    wait_for(&mut a.events, connected).await;
    client.connected().await;
    for n in 0..20_u8 {
        let packet = VoicePacket { data: Bytes::from(vec![n; 30]), timestamp: 500 + u32::from(n) * 960, first: n == 0 };
        a.peer.send_voice(packet).await.unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut times = Vec::new();
    while times.len() < 15 {
        let (timestamp, payload) = client.heard().await;
        assert_eq!(timestamp, 500 + u32::from(payload[0]) * 960);
        times.push(timestamp);
    }
    assert!(times.windows(2).all(|w| w[0] < w[1]), "{times:?}");
    a.peer.close().await;
    assert!(a.peer.send_voice(VoicePacket { data: Bytes::new(), timestamp: 0, first: false }).await.is_err());
    client.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_voice_the_answer_only_receives() {
    let pool = Ports::Pool(PortPool::new(52_080..=52_089));
    let client = Client::new(false, true).await;
    let a = accept(&client.offer().await, &config(), &pool).await.unwrap();
    assert!(!a.peer.has_voice() && audio(&a.answer).contains("a=recvonly"), "{}", a.answer);
    a.peer.close().await;
    client.close().await;
}
