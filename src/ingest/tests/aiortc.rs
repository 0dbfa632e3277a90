//! Our peer against aiortc, an independent client in Python. Runs where a Python with aiortc is named by the variable
//! `SIGHTLINE_AIORTC_PYTHON` or stands in `.venv`; says so and passes where there is none.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

use super::{Answered, IngestConfig, PeerEvent, PortPool, Ports, accept, connected, wait_for};
use crate::base::Codec;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn python() -> Option<PathBuf> {
    let named = std::env::var_os("SIGHTLINE_AIORTC_PYTHON").map(PathBuf::from);
    let python = named.unwrap_or_else(|| PathBuf::from(ROOT).join(".venv/bin/python"));
    let works = std::process::Command::new(&python).args(["-c", "import aiortc"]).stderr(Stdio::null()).status();
    if works.is_ok_and(|s| s.success()) {
        return Some(python);
    }
    println!("skipped: no Python with aiortc; set SIGHTLINE_AIORTC_PYTHON");
    None
}

/// Starts the client against a server for one call.
async fn call(python: &PathBuf, arguments: &[&str], config: &IngestConfig, pool: &Ports) -> (Child, Answered) {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", server.local_addr().unwrap());
    let child = Command::new(python)
        .arg(PathBuf::from(ROOT).join("tests/python/aiortc_client.py"))
        .arg(url)
        .args(arguments)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let (mut stream, _) = tokio::time::timeout(Duration::from_secs(60), server.accept()).await.unwrap().unwrap();
    let (head, offer) = read_request(&mut stream).await;
    assert!(head.starts_with("POST /v1/realtime/calls ") && head.contains("application/sdp"), "{head}");
    let answered = accept(&offer, config, pool).await.unwrap();
    let body = &answered.answer;
    let response = format!(
        "HTTP/1.1 201 Created\r\nContent-Type: application/sdp\r\nLocation: /v1/realtime/calls/rtc_1\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(response.as_bytes()).await.unwrap();
    (child, answered)
}

/// Head and body of one HTTP request.
pub(super) async fn read_request(stream: &mut TcpStream) -> (String, String) {
    let mut request = Vec::new();
    loop {
        let mut block = [0; 4096];
        // Browsers open connections that they may never use.
        let n = tokio::time::timeout(Duration::from_secs(3), stream.read(&mut block)).await.map_or(0, Result::unwrap);
        if n == 0 {
            return Default::default();
        }
        request.extend_from_slice(&block[..n]);
        let text = String::from_utf8_lossy(&request);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|l| l.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if body.len() >= length.unwrap_or(0) {
            return (head.to_owned(), body.to_owned());
        }
    }
}

/// Median of the offsets between capture and ideal time, in milliseconds.
fn median(mut offsets: Vec<f64>) -> f64 {
    offsets.sort_by(f64::total_cmp);
    offsets[offsets.len() / 2]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn aiortc_media_arrives_whole_and_sound_and_picture_agree_in_time() {
    let Some(python) = python() else { return };
    for codec in ["vp8", "h264"] {
        let pool = Ports::Pool(PortPool::new(52_100..=52_119));
        let args = ["--seconds", "9", "--codec", codec, "--ask", "What is this?", "--until", "never"];
        let (child, mut a) = call(&python, &args, &super::config(), &pool).await;
        wait_for(&mut a.events, connected).await;
        println!("connected at {}", crate::base::Clock::now(a.clock.as_ref()));
        let typed = |e: &PeerEvent| if let PeerEvent::DataMessage(t) = e { Some(t.clone()) } else { None };
        let item = wait_for(&mut a.events, typed).await;
        assert!(item.contains("conversation.item.create") && item.contains("What is this?"), "{item}");
        a.peer.send_event("{\"type\":\"session.created\"}").await.unwrap();
        tokio::time::sleep(Duration::from_secs(6)).await;
        let stats = a.peer.stats().await;
        let units = a.units.lock().unwrap_or_else(PoisonError::into_inner).clone();
        a.peer.close().await;
        while let Some(event) = a.events.next().await {
            assert!(!matches!(event, PeerEvent::Disconnected { .. } | PeerEvent::Failed { .. }), "{event:?}");
        }
        assert_eq!(pool.leased(), 0);
        let output = child.wait_with_output().await.unwrap();
        let lines = String::from_utf8_lossy(&output.stdout);
        assert!(lines.contains("session.created") && lines.contains("connected"), "{lines}");

        let (video, audio): (Vec<_>, Vec<_>) = units.into_iter().partition(|u| u.codec.is_video());
        let wanted = if codec == "vp8" { Codec::Vp8 } else { Codec::H264 };
        assert!(video.iter().all(|u| u.codec == wanted) && video[0].keyframe);
        assert!(video.len() > 40 && audio.len() > 200, "{} video and {} audio units", video.len(), audio.len());
        assert!(stats.sender_reports >= 4 && stats.video.synchronized && stats.audio.synchronized, "{stats:?}");
        // Frame n was taken n/15 s and packet m m/50 s after one common start; look once the first reports are in.
        let offset = |i: usize, step: f64, us: u64| us as f64 / 1e3 - i as f64 * step;
        let v = video.iter().enumerate().skip(30).map(|(i, u)| offset(i, 1e3 / 15.0, u.capture.as_micros()));
        let s = audio.iter().enumerate().skip(100).map(|(i, u)| offset(i, 20.0, u.capture.as_micros()));
        let va = video.iter().enumerate().skip(30).map(|(i, u)| offset(i, 1e3 / 15.0, u.arrival.as_micros()));
        let sa = audio.iter().enumerate().skip(100).map(|(i, u)| offset(i, 20.0, u.arrival.as_micros()));
        let apart = median(v.collect()) - median(s.collect());
        let arrival_apart = median(va.collect()) - median(sa.collect());
        println!("{codec}: capture video-audio {apart:.1} ms (arrival {arrival_apart:.1} ms), {stats:?}");
        if stats.video.assembly.missing + stats.audio.assembly.missing == 0 {
            assert!(apart.abs() < 30.0, "sound and picture are {apart} ms apart");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_aiortc_process_that_is_gone_without_goodbye_is_noticed_in_time() {
    let Some(python) = python() else { return };
    let pool = Ports::Pool(PortPool::new(52_120..=52_129));
    let args = ["--seconds", "2", "--vanish"];
    let (mut child, mut a) = call(&python, &args, &super::config(), &pool).await;
    wait_for(&mut a.events, connected).await;
    tokio::time::timeout(Duration::from_secs(20), child.wait()).await.unwrap().unwrap();
    let gone = a.units.lock().unwrap_or_else(PoisonError::into_inner).last().map(|u| u.arrival).unwrap();
    let reason = wait_for(&mut a.events, |e| match e {
        PeerEvent::Disconnected { reason } => Some(reason.clone()),
        _ => None,
    });
    let reason = reason.await;
    let after = crate::base::Clock::now(a.clock.as_ref()).since(gone);
    println!("disconnected after {after:?}: {reason}");
    assert!(after < Duration::from_secs(9), "it took {after:?}");
    a.peer.close().await;
    assert_eq!(pool.leased(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_aiortc_client_that_closes_its_connection_is_noticed_by_its_data_channel() {
    let Some(python) = python() else { return };
    let pool = Ports::Pool(PortPool::new(52_130..=52_139));
    let (mut child, mut a) = call(&python, &["--seconds", "2"], &super::config(), &pool).await;
    wait_for(&mut a.events, connected).await;
    let gone = |e: &PeerEvent| match e {
        PeerEvent::DataClosed { .. } | PeerEvent::Disconnected { .. } | PeerEvent::Failed { .. } => Some(e.clone()),
        _ => None,
    };
    let event = wait_for(&mut a.events, gone).await;
    let last = a.units.lock().unwrap_or_else(PoisonError::into_inner).last().map(|u| u.arrival).unwrap();
    let after = crate::base::Clock::now(a.clock.as_ref()).since(last);
    println!("{event:?} {after:?} after the last unit");
    child.wait().await.unwrap();
    a.peer.close().await;
    assert_eq!(pool.leased(), 0);
}
