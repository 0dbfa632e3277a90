//! Live video.

use std::fs;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::clips::{FRAME_US, Video, clip, mean, near, solid, unit};
use crate::base::{AccessUnit, Codec, ManualClock};
use crate::decode::{DecodeConfig, DecodeError, VideoDecoder, check};
use crate::watch::Picture;

const VIDEO: [Codec; 4] = [Codec::Vp8, Codec::Vp9, Codec::H264, Codec::Av1];
const SHORT: Duration = Duration::from_millis(20);

/// Codecs that this machine both encodes and decodes.
fn codecs() -> Vec<Codec> {
    let inventory = check(&DecodeConfig::default()).unwrap();
    VIDEO.into_iter().filter(|c| inventory.has(*c) && super::clips::encoder(*c).is_some()).collect()
}

#[test]
fn colours_and_capture_times_survive_in_every_codec() {
    for codec in codecs() {
        for rgb in [0xd0_20_20, 0x20_b0_30, 0x20_30_c0, 0x80_80_80] {
            let mut video = Video::start(codec, &DecodeConfig::default());
            for u in clip(codec, &solid(rgb), (320, 240), 12).unwrap() {
                video.push(u);
            }
            let frames = video.take(12);
            assert_eq!(frames.len(), 12, "{codec:?}: {:?}", video.decoder.stats());
            for (i, f) in frames.iter().enumerate() {
                assert_eq!((f.width, f.height, f.id.0), (320, 240, i as u64), "{codec:?}");
                assert_eq!(f.capture.as_micros(), 5_000_000 + FRAME_US * i as u64, "{codec:?}");
                assert!(near(mean(f), rgb, 8.0), "{codec:?} {rgb:06x}: {:?}", mean(f));
            }
        }
    }
}

#[test]
fn pictures_nobody_looks_at_are_decoded_and_counted_but_not_converted() {
    for (fps, want) in [(10, 10), (15, 15), (1000, 30)] {
        let cfg = DecodeConfig { least_between: Duration::from_secs(1) / fps, ..DecodeConfig::default() };
        let mut video = Video::start(Codec::Vp8, &cfg);
        for u in clip(Codec::Vp8, "pattern=ball", (320, 240), 30).unwrap() {
            video.push(u);
        }
        let frames = video.take(want);
        assert_eq!(frames.len(), want, "{fps}");
        assert!(frames.windows(2).all(|w| w[0].id.0 < w[1].id.0), "numbers of pictures, not of frames");
        for _ in 0..500 {
            if video.decoder.stats().out == 30 {
                break;
            }
            assert!(video.frames.recv_timeout(SHORT).is_err(), "{fps}: more than {want}");
        }
        assert_eq!(video.decoder.stats().out, 30, "{fps}");
        for f in &frames {
            assert_eq!(f.capture.as_micros(), 5_000_000 + FRAME_US * f.id.0, "{fps}");
        }
    }
}

#[test]
fn where_nothing_moves_fewer_pictures_are_converted_and_none_is_lost() {
    let out = |by_size| {
        let cfg = DecodeConfig { least_between: Duration::from_millis(100), by_size, ..DecodeConfig::default() };
        let mut video = Video::start(Codec::Vp8, &cfg);
        for u in clip(Codec::Vp8, &solid(0x30_60_90), (320, 240), 30).unwrap() {
            video.push(u);
        }
        let mut frames = 0;
        for _ in 0..500 {
            frames += usize::from(video.frames.recv_timeout(SHORT).is_ok());
            if video.decoder.stats().out == 30 && video.frames.recv_timeout(SHORT * 5).map(|_| frames += 1).is_err() {
                break;
            }
        }
        assert_eq!(video.decoder.stats().out, 30);
        frames
    };
    assert_eq!(out(false), 10);
    assert!((2..=4).contains(&out(true)));
}

#[test]
fn a_capture_time_that_steps_back_comes_out_as_it_went_in() {
    let mut units = clip(Codec::Vp8, "pattern=ball", (320, 240), 6).unwrap();
    let (a, b) = (units[2].capture, units[3].capture);
    (units[2].capture, units[3].capture) = (b, a);
    let want: Vec<_> = units.iter().map(|u| u.capture).collect();
    let mut video = Video::start(Codec::Vp8, &DecodeConfig::default());
    units.into_iter().for_each(|u| video.push(u));
    assert_eq!(video.take(6).iter().map(|f| f.capture).collect::<Vec<_>>(), want);
}

#[test]
fn only_what_is_too_large_is_scaled_and_the_shape_is_kept() {
    for (size, want) in [
        ((1920, 1080), (1280, 720)),
        ((1080, 1920), (720, 1280)),
        ((322, 242), (322, 242)),
        ((1280, 960), (1280, 960)),
        ((640, 18), (640, 18)),
    ] {
        let mut video = Video::start(Codec::Vp8, &DecodeConfig::default());
        clip(Codec::Vp8, &solid(0x20b030), size, 2).unwrap().into_iter().for_each(|u| video.push(u));
        let frame = video.take(1).pop().unwrap_or_else(|| panic!("{size:?}: {:?}", video.decoder.stats()));
        assert_eq!((frame.width, frame.height), want);
        assert!(near(mean(&frame), 0x20b030, 8.0), "{size:?}: {:?}", mean(&frame));
    }
}

#[test]
fn the_picture_is_not_sheared_mirrored_or_swapped() {
    // Left half of SMPTE bars at a width whose rows GStreamer pads.
    let mut video = Video::start(Codec::Vp8, &DecodeConfig::default());
    clip(Codec::Vp8, "pattern=smpte", (322, 242), 3).unwrap().into_iter().for_each(|u| video.push(u));
    let frame = video.take(3).pop().unwrap();
    let at = |x: u32, y: u32| {
        let i = ((y * frame.width + x) * 3) as usize;
        [0, 1, 2].map(|c| f64::from(frame.data[i + c]))
    };
    for y in [5, 60, 150] {
        for (bar, rgb) in [0xffffff, 0xffff00, 0x00ffff, 0x00ff00, 0xff00ff, 0xff0000, 0x0000ff].into_iter().enumerate()
        {
            let x = 46 * bar as u32 + 23;
            assert!(near(at(x, y), rgb, 24.0), "bar {bar} row {y}: {:?}", at(x, y));
        }
    }
}

/// The graph of VP8 as `change` makes it, in a folder of its own.
fn own_graph(change: impl Fn(&str) -> String) -> (tempfile::TempDir, DecodeConfig) {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("decode")).unwrap();
    let text = include_str!("../../../pipelines/decode/vp8.gst");
    let changed = change(text);
    assert_ne!(changed, text);
    fs::write(dir.path().join("decode/vp8.gst"), changed).unwrap();
    let cfg = DecodeConfig { pipelines_dir: Some(dir.path().to_owned()), ..DecodeConfig::default() };
    (dir, cfg)
}

/// Whether its graph fails over these units, again and again up to so many, and shows no picture of them.
fn fails_within(video: &mut Video, units: Vec<AccessUnit>, most: usize) -> bool {
    units.into_iter().cycle().take(most).any(|u| {
        assert!(video.push_and_wait(u, SHORT).is_none());
        video.decoder.stats().failures > 0
    })
}

/// Pictures of `cfg`'s graph as they leave the decoder, which is gone by then.
fn pictures(cfg: &DecodeConfig, source: &str, size: (u32, u32), n: u32) -> Vec<Picture> {
    let (tx, pictures) = sync_channel(64);
    let clock = Arc::new(ManualClock::default());
    let sink = move |picture| drop(tx.try_send(picture));
    let mut decoder = VideoDecoder::start(Codec::Vp8, cfg, clock, sink, || {}).unwrap();
    clip(Codec::Vp8, source, size, n).unwrap().into_iter().for_each(|unit| decoder.push(unit));
    (0..n).map_while(|_| pictures.recv_timeout(Duration::from_secs(10)).ok()).collect()
}

#[test]
fn what_a_picture_is_compared_by_is_what_its_colours_would_tell_and_they_can_be_had_after_its_decoder_has_gone() {
    for size in [(322, 242), (640, 480), (1920, 1080)] {
        let all = pictures(&DecodeConfig::default(), "pattern=ball", size, 4);
        assert_eq!(all.len(), 4, "{size:?}");
        for picture in all {
            let frame = picture.frame().unwrap();
            assert_eq!((frame.width, frame.height, frame.id), (picture.width, picture.height, picture.id));
            let (by_luma, by_colour) = (picture.glance().unwrap(), Picture::of(frame));
            let off = by_luma.beyond(by_colour.glance().unwrap()).into_iter().fold(0.0, f32::max);
            assert!(off < 0.01, "{size:?}: {off}");
        }
    }
}

#[test]
fn a_graph_that_ends_in_rgb_gives_the_same_pictures() {
    let (_dir, own) = own_graph(|text| text.replace("format=I420", "format=RGB"));
    let [ours, theirs] = [DecodeConfig::default(), own].map(|cfg| pictures(&cfg, "pattern=smpte", (322, 242), 2));
    for (a, b) in ours.iter().zip(&theirs) {
        let (a, b) = (a.frame().unwrap(), b.frame().unwrap());
        let off = a.data.iter().zip(b.data.iter()).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(a.data.len() == b.data.len() && off.is_some_and(|off| off <= 4), "{off:?}");
    }
}

#[test]
fn a_graph_that_ends_in_neither_i420_nor_rgb_fails() {
    let (_dir, own) = own_graph(|text| text.replace("format=I420", "format=GRAY8"));
    let mut video = Video::start(Codec::Vp8, &own);
    let units = clip(Codec::Vp8, "pattern=ball", (160, 120), 2).unwrap();
    assert!(fails_within(&mut video, units, 200), "{:?}", video.decoder.stats());
}

#[test]
fn a_stream_may_change_its_size_at_a_keyframe() {
    let mut video = Video::start(Codec::Vp8, &DecodeConfig::default());
    for size in [(320, 240), (640, 480), (160, 120)] {
        clip(Codec::Vp8, "pattern=ball", size, 4).unwrap().into_iter().for_each(|u| video.push(u));
        assert!(video.take(4).iter().all(|f| (f.width, f.height) == size));
    }
    assert_eq!(video.decoder.stats().failures, 0);
}

#[test]
fn nothing_is_decoded_before_a_keyframe_and_one_is_asked_for() {
    let units = clip(Codec::Vp8, "pattern=ball", (320, 240), 40).unwrap();
    let mut video = Video::start(Codec::Vp8, &DecodeConfig::default());
    units[1..20].iter().for_each(|u| video.push(u.clone()));
    assert!(video.frames.recv_timeout(Duration::from_millis(200)).is_err());
    assert_eq!(video.decoder.stats().no_keyframe, 19);
    assert_eq!(video.requests.try_iter().count(), 1, "19 units in 0.63 s: one request");
    units[30..40].iter().for_each(|u| video.push(u.clone()));
    assert_eq!(video.take(10).len(), 10);
}

#[test]
fn after_a_hole_decoding_waits_for_the_next_keyframe() {
    let mut units = clip(Codec::Vp8, "pattern=ball", (320, 240), 40).unwrap();
    let mut video = Video::start(Codec::Vp8, &DecodeConfig::default());
    units[6].contiguous = false;
    let want: Vec<_> = units.iter().enumerate().filter(|(i, _)| *i < 5 || *i >= 30).map(|(_, u)| u.capture).collect();
    for u in units.iter().enumerate().filter(|(i, _)| *i != 5).map(|(_, u)| u.clone()) {
        video.push(u);
    }
    assert_eq!(video.take(15).iter().map(|f| f.capture).collect::<Vec<_>>(), want);
    assert_eq!(video.decoder.stats().no_keyframe, 24);
    assert_eq!(video.requests.try_iter().count(), 1);
}

/// Flips bytes of every unit.
fn damaged(units: &[AccessUnit], every: usize, rng: &mut StdRng) -> Vec<AccessUnit> {
    let hurt = |u: &AccessUnit| {
        let mut data = u.data.to_vec();
        (rng.random_range(0..every)..data.len()).step_by(every).for_each(|i| data[i] ^= rng.random_range(1..=255));
        AccessUnit { data: Bytes::from(data), ..u.clone() }
    };
    units.iter().map(hurt).collect()
}

#[test]
fn damaged_units_never_end_a_session() {
    for codec in codecs() {
        let clean = clip(codec, "pattern=ball", (320, 240), 30).unwrap();
        let mut rng = StdRng::seed_from_u64(7);
        for every in [3, 17, 101, 997] {
            let mut video = Video::start(codec, &DecodeConfig::default());
            for u in damaged(&clean, every, &mut rng) {
                video.push_and_wait(u, Duration::from_millis(2));
            }
            let took = video.recovers_within(&clean, 200);
            println!("{codec:?}, every {every}th byte: {took} units to recover, {:?}", video.decoder.stats());
        }
    }
}

#[test]
fn random_bytes_never_end_a_session() {
    for codec in codecs() {
        let clean = clip(codec, "pattern=ball", (160, 120), 30).unwrap();
        let mut rng = StdRng::seed_from_u64(11);
        let mut video = Video::start(codec, &DecodeConfig::default());
        for _ in 0..120 {
            let data: Vec<u8> = (0..rng.random_range(0..2_000)).map(|_| rng.random()).collect();
            let key = rng.random();
            video.push_and_wait(unit(codec, data.into(), 5_000_000, key), Duration::from_millis(1));
        }
        let took = video.recovers_within(&clean, 200);
        println!("{codec:?}: {took} units to recover, {:?}", video.decoder.stats());
    }
}

#[test]
fn a_picture_beyond_the_cap_is_refused_before_it_is_decoded() {
    for codec in codecs() {
        let mut video = Video::start(codec, &DecodeConfig { max_input: (320, 240), ..DecodeConfig::default() });
        clip(codec, "pattern=ball", (640, 480), 5).unwrap().into_iter().for_each(|u| video.push(u));
        assert!(video.frames.recv_timeout(Duration::from_millis(100)).is_err(), "{codec:?}");
        let stats = video.decoder.stats();
        assert_eq!((stats.failures, stats.corrupt, stats.no_keyframe), (0, 1, 4), "{codec:?}: the decoder saw it");
    }
}

#[test]
fn a_picture_whose_header_lies_about_its_size_meets_the_cap_in_the_graph() {
    // The gate is told that anything goes, the graph is not: what remains is the cap in the text.
    let (_dir, cfg) = own_graph(|text| text.replace("$long", "320").replace("$short", "240"));
    let mut video = Video::start(Codec::Vp8, &cfg);
    let units = clip(Codec::Vp8, "pattern=ball", (640, 480), 20).unwrap();
    assert!(fails_within(&mut video, units, 500));
}

#[test]
fn pushing_never_waits_for_a_slow_consumer() {
    let units = clip(Codec::Vp8, "pattern=ball", (320, 240), 30).unwrap();
    let (open, door) = sync_channel::<()>(0);
    let (tx, frames) = sync_channel(4_096);
    let mut blocked = true;
    let sink = move |f| {
        if std::mem::take(&mut blocked) {
            let _ = door.recv();
        }
        let _ = tx.try_send(f);
    };
    let clock = Arc::new(ManualClock::default());
    let cfg = DecodeConfig::default();
    let mut decoder = VideoDecoder::start(Codec::Vp8, &cfg, clock, sink, || {}).unwrap();
    for u in units.iter().cycle().take(300) {
        decoder.push(u.clone());
    }
    let stats = decoder.stats();
    assert!(stats.decoder_behind >= 300 - cfg.video_queue - 4, "{stats:?}");
    drop(open);
    let drained = std::iter::from_fn(|| frames.recv_timeout(Duration::from_millis(500)).ok()).count();
    assert!((1..=cfg.video_queue as usize + 4).contains(&drained), "{drained}");
    decoder.push(units[1].clone());
    decoder.push(units[0].clone());
    assert!(frames.recv_timeout(Duration::from_secs(5)).is_ok(), "a keyframe that finds room goes in");
    assert_eq!(decoder.stats().decoder_behind, stats.decoder_behind + 1, "the delta before it does not");
}

#[test]
fn a_decoder_that_gives_nothing_is_restarted_by_the_watchdog() {
    let queue = "! queue min-threshold-buffers=100000 max-size-buffers=0 max-size-time=0 max-size-bytes=0 ! vp8dec";
    let (_dir, cfg) = own_graph(|text| text.replace("! vp8dec", queue));
    let mut video = Video::start(Codec::Vp8, &cfg);
    for u in clip(Codec::Vp8, "pattern=ball", (160, 120), 30).unwrap().into_iter().cycle().take(80) {
        video.push_and_wait(u, Duration::from_millis(1));
    }
    assert_eq!(video.decoder.stats().failures, 1, "{:?}", video.decoder.stats());
    assert!((1..=3).contains(&video.requests.try_iter().count()), "80 units are 2.7 s");
}

#[test]
fn each_kind_of_decoder_refuses_the_other_kind() {
    let clock = Arc::new(ManualClock::default());
    let e = VideoDecoder::start(Codec::Opus, &DecodeConfig::default(), clock, |_| {}, || {}).err();
    assert!(matches!(e, Some(DecodeError::WrongKind(Codec::Opus))));
    let mut video = Video::start(Codec::Vp8, &DecodeConfig::default());
    video.push(unit(Codec::H264, Bytes::from_static(b"x"), 0, true));
    assert_eq!(video.decoder.stats().corrupt, 1);
}
