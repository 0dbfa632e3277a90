//! What is left after a session: nothing. Each check runs in a process of its own, where no other test starts threads.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;

use super::clips::{Audio, Video, clip, tone};
use crate::base::{Codec, ManualClock};
use crate::decode::{DecodeConfig, VideoDecoder, init};
use crate::watch::Picture;

/// Runs one of the ignored tests below in a child of this test binary.
fn alone(test: &str, tracers: &str) -> String {
    let out = Command::new(std::env::current_exe().unwrap())
        .args([&format!("decode::tests::release::{test}"), "--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .env("GST_TRACERS", tracers)
        .env("GST_DEBUG", if tracers.is_empty() { "" } else { "GST_TRACER:7" })
        .env("GST_DEBUG_NO_COLOR", "1")
        .env("MALLOC_ARENA_MAX", "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success() && text.contains("1 passed"), "{text}");
    text
}

#[test]
fn threads_and_file_descriptors_return_after_many_sessions() {
    println!("{}", alone("child_churn", ""));
}

/// A short session: good frames, a failure and a restart, sound with a hole, then the drop with data still inside.
fn session(units: &[crate::base::AccessUnit], sound: &[crate::base::AccessUnit]) {
    let mut video = Video::start(Codec::Vp8, &DecodeConfig::default());
    let mut audio = Audio::start();
    for u in &units[..5] {
        video.push_and_wait(u.clone(), Duration::from_millis(100));
    }
    let mut bad = units[0].clone();
    bad.data = [&bad.data[..10], &[0xff; 3]].concat().into();
    video.push_and_wait(bad, Duration::from_millis(20));
    video.recovers_within(&units[..1], 100);
    sound.iter().enumerate().filter(|(i, _)| *i != 7).for_each(|(_, u)| audio.push(u.clone()));
    audio.sound.recv_timeout(Duration::from_secs(5)).unwrap();
    units.iter().for_each(|u| video.push(u.clone()));
}

/// Has the leaks tracer write every living object to the log, between marks that the parent looks for.
/// (`get-live-objects` would be handier, but in GStreamer 1.22 it gives references that it does not own.)
fn log_live_objects(mark: &str) {
    let tracer = gst::active_tracers().into_iter().find(|t| t.type_().name() == "GstLeaksTracer").unwrap();
    eprintln!("BEGIN {mark}");
    tracer.emit_by_name::<()>("log-live-objects", &[]);
    eprintln!("END {mark}");
}

/// Counts by type the objects logged between the marks.
fn logged(log: &str, mark: &str) -> BTreeMap<String, usize> {
    let part = log.split(&format!("BEGIN {mark}\n")).nth(1).unwrap().split(&format!("END {mark}\n")).next().unwrap();
    let mut count = BTreeMap::new();
    for line in part.lines().filter_map(|l| l.split("type-name=(string)").nth(1)) {
        *count.entry(line.split([',', ';']).next().unwrap().to_owned()).or_insert(0) += 1;
    }
    count
}

#[test]
fn no_gstreamer_object_outlives_its_session() {
    let log = alone("child_live_objects", "leaks");
    let [before, alive, after] = ["before", "alive", "after"].map(|mark| logged(&log, mark));
    println!("before {before:?}\nalive {alive:?}\nafter {after:?}");
    for kind in ["GstPipeline", "GstAppSrc", "GstAppSink", "GstVP8Dec"] {
        assert!(alive.contains_key(kind), "the tracer does not see a living {kind}");
    }
    for kind in alive.keys().filter(|k| !before.contains_key(*k)) {
        assert_eq!(after.get(kind), None, "{kind} left over");
    }
    assert!(!after.contains_key("GstBuffer") && !after.contains_key("GstSample"));
    assert!(after.values().sum::<usize>() <= before.values().sum::<usize>(), "objects pile up: {before:?} {after:?}");
}

#[test]
#[ignore = "run by no_gstreamer_object_outlives_its_session in a process of its own"]
fn child_live_objects() {
    init().unwrap();
    let (units, sound) = (clip(Codec::Vp8, "pattern=ball", (320, 240), 30).unwrap(), tone(440, 20, 1));
    session(&units, &sound);
    settle();
    log_live_objects("before");
    {
        let _alive = Video::start(Codec::Vp8, &DecodeConfig::default());
        log_live_objects("alive");
    }
    for _ in 0..5 {
        session(&units, &sound);
    }
    settle();
    log_live_objects("after");
}

/// The thread of the last graph lets go of its task a moment after the graph has stopped; what is a leak stays.
#[expect(clippy::disallowed_methods, reason = "there is no event to wait for: the thread is GStreamer's own")]
fn settle() {
    std::thread::sleep(Duration::from_secs(2));
}

fn count(dir: &str) -> usize {
    fs::read_dir(dir).unwrap().count()
}

#[test]
#[ignore = "run by threads_and_file_descriptors_return_after_many_sessions in a process of its own"]
fn child_churn() {
    init().unwrap();
    let (units, sound) = (clip(Codec::Vp8, "pattern=ball", (320, 240), 30).unwrap(), tone(440, 20, 1));
    for _ in 0..2 {
        session(&units, &sound);
    }
    let now = || (count("/proc/self/fd"), count("/proc/self/task"), rss_kib());
    let (fds, threads, rss) = now();
    for _ in 0..20 {
        session(&units, &sound);
    }
    let (fds_after, threads_after, rss_after) = now();
    println!("fds {fds} -> {fds_after}, threads {threads} -> {threads_after}, rss {rss} -> {rss_after} KiB");
    assert_eq!(fds_after, fds);
    // GLib keeps a few idle pool threads for reuse; sessions would add some each.
    assert!(threads_after <= threads + 3, "{threads} -> {threads_after}");
    assert!(rss_after < rss + 8 * 1_024, "{rss} -> {rss_after} KiB");
}

fn rss_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    status.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap().trim().trim_end_matches(" kB").parse().unwrap()
}

/// CPU time of this process in seconds: user and system, at 100 ticks per second.
fn cpu_s() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

#[test]
#[ignore = "a measurement: cargo test --release --lib costs_per_frame -- --ignored --nocapture --test-threads=1"]
fn costs_per_frame() {
    for (codec, size) in [
        (Codec::Vp8, (640, 480)),
        (Codec::Vp9, (640, 480)),
        (Codec::H264, (640, 480)),
        (Codec::Av1, (640, 480)),
        (Codec::Vp8, (1280, 720)),
        (Codec::Vp8, (1920, 1080)),
    ] {
        let Some(units) = clip(codec, "pattern=smpte100 horizontal-speed=2", size, 90) else { continue };
        let (tx, frames) = std::sync::mpsc::sync_channel::<Picture>(4);
        let sink = move |f| drop(tx.send(f));
        let clock = Arc::new(ManualClock::default());
        let cfg = DecodeConfig { video_queue: 1_000, ..DecodeConfig::default() };
        let mut decoder = VideoDecoder::start(codec, &cfg, clock, sink, || {}).unwrap();
        decoder.push(units[0].clone());
        frames.recv_timeout(Duration::from_secs(10)).unwrap();
        let (wall, cpu) = (gst::SystemClock::obtain().time(), cpu_s());
        units[1..].iter().for_each(|u| decoder.push(u.clone()));
        for _ in 1..units.len() {
            frames.recv_timeout(Duration::from_secs(10)).unwrap();
        }
        let n = (units.len() - 1) as f64;
        let wall_ms = (gst::SystemClock::obtain().time() - wall).useconds() as f64 / 1e3 / n;
        println!("{codec:?} {}x{}: {wall_ms:.2} ms per frame, {:.2} ms CPU", size.0, size.1, (cpu_s() - cpu) * 1e3 / n);
    }
}

#[test]
#[ignore = "a measurement on a file of yours: SIGHTLINE_CLIP=clip.mp4 cargo test --release --lib file_costs -- --ignored --nocapture"]
fn file_costs() {
    let Ok(path) = std::env::var("SIGHTLINE_CLIP") else { return println!("skipped: SIGHTLINE_CLIP names no file") };
    init().unwrap();
    let wanted = crate::decode::Wanted::default();
    let clock = gst::SystemClock::obtain();
    let (wall, cpu) = (clock.time(), cpu_s());
    let mut reader = crate::decode::FileReader::open(path.as_ref(), wanted, &DecodeConfig::default()).unwrap();
    let opened = (clock.time() - wall).useconds() as f64 / 1e3;
    let (mut frames, mut sound, mut size) = (0.0, 0, (0, 0));
    while let Some(item) = reader.next().unwrap() {
        match item {
            crate::decode::FileItem::Frame(f) => (frames, size) = (frames + 1.0, (f.width, f.height)),
            crate::decode::FileItem::Pcm(_) => sound += 1,
        }
    }
    let wall = (clock.time() - wall).useconds() as f64 / 1e3;
    println!(
        "{frames} frames of {size:?}, {sound} sound buffers, {:?} long: opened in {opened:.0} ms, {:.2} ms and {:.2} ms CPU per frame",
        reader.duration(),
        wall / frames,
        (cpu_s() - cpu) * 1e3 / frames
    );
}
