//! Clips made on the spot, and helpers to receive what comes out.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use bytes::Bytes;
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use crate::base::{AccessUnit, Codec, Layer, ManualClock, MediaTime, RgbFrame};
use crate::decode::{AudioDecoder, DecodeConfig, VideoDecoder, init};
use crate::watch::Picture;

pub(super) const FRAME_US: u64 = 33_333;

/// The encoder part of a graph, or `None` with a line printed where this machine lacks it.
pub(super) fn encoder(codec: Codec) -> Option<&'static str> {
    init().unwrap();
    let text = match codec {
        Codec::Vp8 => "vp8enc deadline=1 keyframe-max-dist=30 target-bitrate=1500000",
        Codec::Vp9 => "vp9enc deadline=1 cpu-used=8 keyframe-max-dist=30 target-bitrate=1500000",
        Codec::H264 => {
            "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=30 ! video/x-h264,stream-format=byte-stream,alignment=au,profile=constrained-baseline"
        }
        Codec::Av1 => {
            "av1enc cpu-used=8 usage-profile=realtime keyframe-max-dist=30 lag-in-frames=0 ! av1parse ! video/x-av1,stream-format=obu-stream,alignment=tu"
        }
        Codec::Opus => "opusenc",
    };
    let name = text.split(' ').next().unwrap();
    if gst::ElementFactory::find(name).is_none() {
        println!("skipped: this machine has no {name}");
        return None;
    }
    Some(text)
}

/// Runs a graph that ends in `appsink name=sink` and collects its buffers: data, time in microseconds, keyframe.
pub(super) fn run(graph: &str) -> Vec<(Bytes, u64, bool)> {
    init().unwrap();
    let pipeline = gst::parse::launch(graph).unwrap().downcast::<gst::Pipeline>().unwrap();
    let sink = pipeline.by_name("sink").unwrap().downcast::<gst_app::AppSink>().unwrap();
    sink.set_sync(false);
    pipeline.set_state(gst::State::Playing).unwrap();
    let mut all = Vec::new();
    while let Ok(sample) = sink.pull_sample() {
        let buffer = sample.buffer().unwrap();
        let data = Bytes::copy_from_slice(&buffer.map_readable().unwrap());
        let key = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
        all.push((data, buffer.pts().map_or(0, gst::ClockTime::useconds), key));
    }
    let error = pipeline.bus().unwrap().pop_filtered(&[gst::MessageType::Error]);
    pipeline.set_state(gst::State::Null).unwrap();
    assert!(error.is_none(), "{graph}: {error:?}");
    all
}

/// Runs a graph that writes a file, to its end.
pub(super) fn write(graph: &str) {
    init().unwrap();
    let pipeline = gst::parse::launch(graph).unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let end = pipeline
        .bus()
        .unwrap()
        .timed_pop_filtered(gst::ClockTime::from_seconds(60), &[gst::MessageType::Eos, gst::MessageType::Error])
        .unwrap();
    pipeline.set_state(gst::State::Null).unwrap();
    assert_eq!(end.type_(), gst::MessageType::Eos, "{graph}: {end:?}");
}

/// `n` frames at 30/s of `source` (a videotestsrc's properties), as access units whose capture times start at 5 s.
pub(super) fn clip(codec: Codec, source: &str, (w, h): (u32, u32), n: u32) -> Option<Vec<AccessUnit>> {
    let encoder = encoder(codec)?;
    let graph = format!(
        "videotestsrc num-buffers={n} {source} ! video/x-raw,format=I420,width={w},height={h},framerate=30/1 ! {encoder} ! appsink name=sink"
    );
    let units = run(&graph).into_iter().enumerate();
    Some(units.map(|(i, (data, _, key))| unit(codec, data, 5_000_000 + FRAME_US * i as u64, key)).collect())
}

pub(super) fn unit(codec: Codec, data: Bytes, at_us: u64, keyframe: bool) -> AccessUnit {
    let at = MediaTime::from_micros(at_us);
    AccessUnit { codec, data, capture: at, arrival: at, keyframe, contiguous: true, layer: Layer::default() }
}

pub(super) fn solid(rgb: u32) -> String {
    format!("pattern=solid-color foreground-color={}", 0xff00_0000_u32 | rgb)
}

/// A video decoder with the receiving end of its frames, the requests it made, and a clock that the test moves.
pub(super) struct Video {
    pub(super) decoder: VideoDecoder,
    pub(super) frames: Receiver<RgbFrame>,
    pub(super) requests: Receiver<()>,
    pub(super) clock: Arc<ManualClock>,
}

impl Video {
    pub(super) fn start(codec: Codec, cfg: &DecodeConfig) -> Self {
        let (clock, (tx, frames)) = (Arc::new(ManualClock::default()), sync_channel(4_096));
        let (ask, requests): (SyncSender<()>, _) = sync_channel(4_096);
        let sink = move |picture: Picture| drop(picture.frame().map(|f| tx.try_send(f)));
        let decoder = VideoDecoder::start(codec, cfg, clock.clone(), sink, move || {
            let _ = ask.try_send(());
        })
        .unwrap();
        Self { decoder, frames, requests, clock }
    }

    /// Pushes at 30 units per (virtual) second.
    pub(super) fn push(&mut self, unit: AccessUnit) {
        self.clock.advance(Duration::from_micros(FRAME_US));
        self.decoder.push(unit);
    }

    /// Pushes and gives the decoder a moment to answer.
    pub(super) fn push_and_wait(&mut self, unit: AccessUnit, wait: Duration) -> Option<RgbFrame> {
        self.push(unit);
        self.frames.recv_timeout(wait).ok()
    }

    pub(super) fn take(&self, n: usize) -> Vec<RgbFrame> {
        (0..n).map_while(|_| self.frames.recv_timeout(Duration::from_secs(10)).ok()).collect()
    }

    /// Pushes `clip` again and again until a frame comes out that was captured in this call; how many units that took.
    pub(super) fn recovers_within(&mut self, clip: &[AccessUnit], limit: usize) -> usize {
        let begin = 1_000_000_000;
        for (i, u) in clip.iter().cycle().take(limit).enumerate() {
            let capture = MediaTime::from_micros(begin + FRAME_US * i as u64);
            if let Some(f) = self.push_and_wait(AccessUnit { capture, ..u.clone() }, Duration::from_millis(60))
                && f.capture.as_micros() >= begin
            {
                return i + 1;
            }
        }
        panic!("no frame within {limit} units; {:?}", self.decoder.stats());
    }
}

/// Mean red, green and blue.
pub(super) fn mean(frame: &RgbFrame) -> [f64; 3] {
    assert_eq!(frame.data.len(), (frame.width * frame.height * 3) as usize);
    let n = f64::from(frame.width * frame.height);
    [0, 1, 2].map(|c| frame.data.iter().skip(c).step_by(3).map(|v| f64::from(*v)).sum::<f64>() / n)
}

pub(super) fn near(got: [f64; 3], want: u32, tolerance: f64) -> bool {
    let want = [want >> 16 & 255, want >> 8 & 255, want & 255].map(f64::from);
    got.iter().zip(want).all(|(g, w)| (g - w).abs() <= tolerance)
}

/// A tone as Opus packets of 20 ms, capture times from 5 s on.
pub(super) fn tone(hz: u32, packets: u32, channels: u32) -> Vec<AccessUnit> {
    let graph = format!(
        "audiotestsrc num-buffers={packets} samplesperbuffer=960 freq={hz} volume=0.5 ! audio/x-raw,rate=48000,channels={channels} ! opusenc ! appsink name=sink"
    );
    let packets = run(&graph).into_iter().enumerate();
    packets.map(|(i, (data, ..))| unit(Codec::Opus, data, 5_000_000 + 20_000 * i as u64, true)).collect()
}

/// An audio decoder and its output.
pub(super) struct Audio {
    pub(super) decoder: AudioDecoder,
    pub(super) sound: Receiver<crate::base::Pcm>,
    pub(super) clock: Arc<ManualClock>,
}

impl Audio {
    pub(super) fn start() -> Self {
        let (clock, (tx, sound)) = (Arc::new(ManualClock::default()), sync_channel(4_096));
        let decoder =
            AudioDecoder::start(Codec::Opus, &DecodeConfig::default(), clock.clone(), move |p| drop(tx.try_send(p)))
                .unwrap();
        Self { decoder, sound, clock }
    }

    pub(super) fn push(&mut self, unit: AccessUnit) {
        self.clock.advance(Duration::from_millis(20));
        self.decoder.push(unit);
    }

    /// Everything until 700 ms pass without sound.
    pub(super) fn rest(&self) -> Vec<crate::base::Pcm> {
        std::iter::from_fn(|| self.sound.recv_timeout(Duration::from_millis(700)).ok()).collect()
    }
}

/// Power of `hz` in 16 kHz samples relative to all power (Goertzel); 1 for a pure tone.
pub(super) fn share(samples: &[f32], hz: f64) -> f64 {
    let n = samples.len() as f64;
    let (mut re, mut im, mut all) = (0.0, 0.0, 0.0);
    for (i, s) in samples.iter().enumerate() {
        let (sin, cos) = (2.0 * std::f64::consts::PI * hz * i as f64 / 16_000.0).sin_cos();
        let s = f64::from(*s);
        re += s * cos;
        im += s * sin;
        all += s * s;
    }
    if all == 0.0 { 0.0 } else { 2.0 * (re * re + im * im) / (n * all) }
}
