//! Our peer against headless Chromium with its fake camera and microphone, one codec after the other. Runs where a
//! `chromium` is on the path; says so and passes where there is none.

use std::process::Stdio;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, UdpSocket};
use tokio::process::{Child, Command};

use super::aiortc::read_request;
use super::{Answered, IngestConfig, PeerEvent, PortPool, Ports, accept, connected, wait_for};
use crate::base::Codec;

const PAGE: &str = "<!doctype html><script>(async () => {
const media = await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 640, height: 480 } });
const peer = new RTCPeerConnection();
const channel = peer.createDataChannel('oai-events');
channel.onopen = () => channel.send('hello');
channel.onmessage = (e) => channel.send('got ' + e.data.length);
for (const track of media.getTracks()) peer.addTrack(track, media);
await peer.setLocalDescription();
const answer = await fetch('/v1/realtime/calls', {
  method: 'POST', headers: { 'Content-Type': 'application/sdp' }, body: peer.localDescription.sdp });
await peer.setRemoteDescription({ type: 'answer', sdp: await answer.text() });
})();</script>";

/// Opens the page. With `lossy`, media comes through a relay that loses every 33rd RTP packet.
async fn browse(config: &IngestConfig, pool: &Ports, profile: &tempfile::TempDir, lossy: bool) -> (Child, Answered) {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", server.local_addr().unwrap());
    let child = Command::new("chromium")
        .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--mute-audio"])
        .args(["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"])
        .args(["--autoplay-policy=no-user-gesture-required", "--allow-loopback-in-peer-connection"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(url)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    loop {
        let (mut stream, _) = tokio::time::timeout(Duration::from_secs(60), server.accept()).await.unwrap().unwrap();
        let (head, body) = read_request(&mut stream).await;
        let (kind, reply, answered) = if head.starts_with("POST /v1/realtime/calls") {
            let answered = accept(&body, config, pool).await.unwrap();
            let answer = if lossy { through_relay(&answered).await } else { answered.answer.clone() };
            ("application/sdp", answer, Some(answered))
        } else {
            ("text/html", PAGE.to_owned(), None)
        };
        let length = reply.len();
        let response = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{reply}"
        );
        stream.write_all(response.as_bytes()).await.unwrap();
        if let Some(answered) = answered {
            return (child, answered);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chromium_sends_every_codec_that_we_take() {
    if !has_chromium() {
        return;
    }
    let pool = Ports::Pool(PortPool::new(52_140..=52_149));
    for codec in [Codec::Vp8, Codec::Vp9, Codec::H264, Codec::Av1] {
        let profile = tempfile::tempdir().unwrap();
        let config = IngestConfig { video_codecs: vec![codec], ..IngestConfig::default() };
        let (mut child, mut a) = browse(&config, &pool, &profile, false).await;
        wait_for(&mut a.events, connected).await;
        println!("connected at {}", crate::base::Clock::now(a.clock.as_ref()));
        let message =
            |text: &'static str| move |e: &PeerEvent| (*e == PeerEvent::DataMessage(text.into())).then_some(());
        wait_for(&mut a.events, message("hello")).await;
        a.peer.send_event(&"x".repeat(200_000)).await.unwrap();
        wait_for(&mut a.events, message("got 200000")).await;
        tokio::time::sleep(Duration::from_secs(4)).await;
        a.peer.request_keyframe();
        tokio::time::sleep(Duration::from_secs(2)).await;
        let stats = a.peer.stats().await;
        let units = a.units.lock().unwrap_or_else(PoisonError::into_inner).clone();
        a.peer.close().await;
        let _ = child.kill().await;
        println!("{codec:?}: {stats:?}");
        let (video, audio): (Vec<_>, Vec<_>) = units.into_iter().partition(|u| u.codec.is_video());
        assert!(video.iter().all(|u| u.codec == codec), "{codec:?}");
        // Six seconds: packets of 40 ms, as it was asked for, make 150.
        let count = (video.len(), audio.len());
        assert!(count.0 > 20 && (90..230).contains(&count.1), "{codec:?}: {} and {} units", count.0, count.1);
        assert!(video[0].keyframe && stats.video.assembly.keyframes >= 2, "{codec:?}: {stats:?}");
        assert_eq!(stats.video.assembly.corrupt, 0, "{codec:?}");
        assert!(stats.video.synchronized && stats.audio.synchronized, "{codec:?}: {stats:?}");
        dump(codec, &video);
    }
    assert_eq!(pool.leased(), 0);
}

/// Starts a relay and names it as the only candidate.
async fn through_relay(answered: &Answered) -> String {
    let relay = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = relay.local_addr().unwrap().port();
    let server = std::net::SocketAddr::from(([127, 0, 0, 1], answered.peer.port()));
    tokio::spawn(async move {
        let (mut buffer, mut client, mut packets) = ([0; 2048], server, 0_u32);
        while let Ok((n, from)) = relay.recv_from(&mut buffer).await {
            if from == server {
                let _ = relay.send_to(&buffer[..n], client).await;
                continue;
            }
            client = from;
            let is_rtp = (128..192).contains(&buffer[0]) && !(192..224).contains(&buffer[1]);
            packets += u32::from(is_rtp);
            if !is_rtp || packets % 33 != 0 {
                let _ = relay.send_to(&buffer[..n], server).await;
            }
        }
    });
    let mut candidate = Some(format!("a=candidate:1 1 udp 2130706431 127.0.0.1 {port} typ host\r\n"));
    let line =
        |l: &str| if l.starts_with("a=candidate") { candidate.take().unwrap_or_default() } else { format!("{l}\r\n") };
    answered.answer.lines().map(line).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_percent_loss_is_repaired_by_retransmission() {
    if !has_chromium() {
        return;
    }
    let (pool, profile) = (Ports::Pool(PortPool::new(52_150..=52_159)), tempfile::tempdir().unwrap());
    let (mut child, mut a) = browse(&IngestConfig::default(), &pool, &profile, true).await;
    wait_for(&mut a.events, connected).await;
    tokio::time::sleep(Duration::from_secs(8)).await;
    let stats = a.peer.stats().await;
    a.peer.close().await;
    let _ = child.kill().await;
    println!("lossy: {stats:?}");
    let video = stats.video.assembly;
    assert!(stats.video.nack > 0 && video.units > 40, "{stats:?}");
    // A loss of one packet in 33 touches about one frame in ten; nearly all are repaired in time.
    assert!(video.incomplete * 50 <= video.units, "{stats:?}");
    assert!(video.late * 3 <= video.packets, "the same packets are sent again and again: {stats:?}");
}

fn has_chromium() -> bool {
    let mut version = std::process::Command::new("chromium");
    if version.arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success()) {
        return true;
    }
    println!("skipped: no chromium on the path");
    false
}

/// Writes the units as IVF or Annex B where `SIGHTLINE_DUMP` says, to try them on a decoder by hand.
fn dump(codec: Codec, units: &[crate::base::AccessUnit]) {
    let Some(folder) = std::env::var_os("SIGHTLINE_DUMP") else { return };
    let fourcc = match codec {
        Codec::Vp8 => b"VP80",
        Codec::Vp9 => b"VP90",
        _ => b"AV01",
    };
    let mut out = Vec::new();
    if codec != Codec::H264 {
        out.extend_from_slice(b"DKIF\0\0\x20\0");
        out.extend_from_slice(fourcc);
        out.extend_from_slice(&[0x80, 2, 0xe0, 1, 30, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    }
    for (i, unit) in units.iter().enumerate() {
        if codec != Codec::H264 {
            out.extend_from_slice(&(unit.data.len() as u32).to_le_bytes());
            out.extend_from_slice(&(i as u64).to_le_bytes());
        }
        out.extend_from_slice(&unit.data);
    }
    std::fs::write(std::path::Path::new(&folder).join(codec.name()), out).unwrap();
}
