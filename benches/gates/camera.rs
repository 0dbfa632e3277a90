//! A camera's way to us: VP8 as a browser encodes it, and our own decoder. One picture at a time.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use bytes::Bytes;
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use image::RgbImage;
use sightline::base::{AccessUnit, Codec, Layer, ManualClock, MediaTime};
use sightline::decode::{DecodeConfig, VideoDecoder};
use sightline::watch::Picture;

use crate::paint::{HEIGHT, WIDTH};

/// A negative `cpu-used` is a fixed speed: else libvpx goes by the clock, and no two runs are the same.
const ENCODER: &str =
    "vp8enc deadline=1 cpu-used=-8 threads=1 end-usage=cbr keyframe-max-dist=9999 min-quantizer=4 max-quantizer=56";

pub struct Camera {
    pipeline: gst::Pipeline,
    source: gst_app::AppSrc,
    sink: gst_app::AppSink,
    decoder: VideoDecoder,
    clock: Arc<ManualClock>,
    frames: Receiver<Picture>,
}

impl Camera {
    pub fn new(fps: f32, kbit: u64) -> Self {
        gst::init().expect("GStreamer");
        let rate = (fps * 100.0).round();
        let caps = format!("video/x-raw,format=RGB,width={WIDTH},height={HEIGHT},framerate={rate}/100");
        let encoder = format!("{ENCODER} target-bitrate={}", kbit * 1_000);
        let graph = format!(
            "appsrc name=source format=time caps={caps} ! videoconvert ! {encoder} ! appsink name=sink sync=false"
        );
        let pipeline = gst::parse::launch(&graph).expect("vp8enc").downcast::<gst::Pipeline>().expect("a pipeline");
        let source = pipeline.by_name("source").and_then(|e| e.downcast().ok()).expect("appsrc");
        let sink = pipeline.by_name("sink").and_then(|e| e.downcast().ok()).expect("appsink");
        pipeline.set_state(gst::State::Playing).expect("the encoder starts");
        let (clock, (out, frames)) = (Arc::new(ManualClock::default()), sync_channel(4));
        let give = move |frame| drop(out.try_send(frame));
        let decoder = VideoDecoder::start(Codec::Vp8, &DecodeConfig::default(), clock.clone(), give, || {});
        Self { pipeline, source, sink, decoder: decoder.expect("a decoder of VP8"), clock, frames }
    }

    /// The picture as we get it.
    pub fn film(&mut self, picture: RgbImage, at: Duration) -> Picture {
        let mut buffer = gst::Buffer::from_slice(picture.into_raw());
        let pts = gst::ClockTime::from_nseconds(u64::try_from(at.as_nanos()).unwrap_or(0));
        buffer.get_mut().expect("nobody else has it").set_pts(pts);
        self.source.push_buffer(buffer).expect("the encoder takes it");
        let sample = self.sink.pull_sample().expect("the encoder gives it");
        let coded = sample.buffer().expect("a buffer");
        let keyframe = !coded.flags().contains(gst::BufferFlags::DELTA_UNIT);
        let data = Bytes::copy_from_slice(&coded.map_readable().expect("readable"));
        let capture = MediaTime::ZERO + at;
        self.clock.advance(Duration::from_millis(1));
        self.decoder.push(AccessUnit {
            codec: Codec::Vp8,
            data,
            capture,
            arrival: capture,
            keyframe,
            contiguous: true,
            layer: Layer::default(),
        });
        self.frames.recv_timeout(Duration::from_secs(10)).expect("a decoded picture")
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}
