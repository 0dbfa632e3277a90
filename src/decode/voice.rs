//! Frames of the server's voice → Opus packets.
//!
//! Floor 2. In: 20 ms of 16-bit mono at 24 kHz. Out: one packet for each, on GStreamer's thread. Loses: frames pushed while a graph that
//! failed is being replaced, counted as failures of the decoder `voice`.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use gstreamer as gst;

use crate::base::Clock;

use super::graph::{Graph, GraphName};
use super::live::{Live, Polled, Recipe};
use super::{DecodeConfig, DecodeError, init};

/// Frames that wait in front of the encoder at most: it takes far less than a frame's time for one.
const WAITING: u64 = 50;
const FRAME_MS: u64 = 20;

/// One call's encoder. Dropping it stops its graph and joins its threads: drop it on a blocking thread.
pub struct VoiceEncoder {
    clock: Arc<dyn Clock>,
    live: Live,
    /// RTP time of each frame in the graph, and whether it is the first after a silence. One packet comes out for each.
    marks: Arc<Mutex<VecDeque<(u32, bool)>>>,
    frames: u64,
}

impl VoiceEncoder {
    /// Starts the graph. Blocks for some milliseconds.
    ///
    /// `sink` gets every packet with its RTP time, on GStreamer's thread; it must not block.
    ///
    /// # Errors
    /// The graph cannot be built or started.
    pub fn start(
        cfg: &DecodeConfig,
        clock: Arc<dyn Clock>,
        sink: impl Fn(Bytes, u32, bool) + Send + Sync + 'static,
    ) -> Result<Self, DecodeError> {
        init()?;
        let marks: Arc<Mutex<VecDeque<(u32, bool)>>> = Arc::default();
        let of_packets = Arc::clone(&marks);
        let live = Live::start(Recipe {
            graph: Graph::load(GraphName::Voice, cfg)?,
            on_sample: Arc::new(move |sample: gst::Sample| {
                let buffer = sample.buffer().ok_or("a packet without data")?;
                let data = buffer.map_readable().map_err(|e| e.to_string())?;
                let mark = of_packets.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                if let Some((timestamp, first)) = mark {
                    sink(Bytes::copy_from_slice(&data), timestamp, first);
                }
                Ok(())
            }),
            valve: None,
            newest_wins: false,
        })?;
        Ok(Self { clock, live, marks, frames: 0 })
    }

    /// Takes the next frame: 480 samples, little-endian. Never blocks and never fails.
    pub fn push(&mut self, frame: Vec<u8>, timestamp: u32, first: bool) {
        match self.live.poll(self.clock.now()) {
            Polled::Failed(why) => {
                tracing::warn!(why, "the voice's encoder failed; restarting it");
                metrics::counter!("sightline_decode_failures_total", "codec" => "voice").increment(1);
            }
            Polled::Restarted => self.marks.lock().unwrap_or_else(PoisonError::into_inner).clear(),
            Polled::Up | Polled::Down => {}
        }
        let Some(graph) = self.live.running().filter(|g| g.level() < WAITING) else { return };
        self.marks.lock().unwrap_or_else(PoisonError::into_inner).push_back((timestamp, first));
        let mut buffer = gst::Buffer::from_mut_slice(frame);
        if let Some(b) = buffer.get_mut() {
            // The encoder's own time knows no silences.
            b.set_pts(gst::ClockTime::from_mseconds(self.frames * FRAME_MS));
            b.set_duration(gst::ClockTime::from_mseconds(FRAME_MS));
        }
        self.frames += 1;
        graph.push(buffer);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;
    use std::time::Duration;

    use super::*;
    use crate::base::{AccessUnit, Codec, Layer, ManualClock, MediaTime, Pcm};
    use crate::decode::AudioDecoder;
    use crate::decode::opus::packet_duration;

    #[test]
    fn each_frame_becomes_a_packet_of_20_ms_and_sounds_the_same() {
        let clock = Arc::new(ManualClock::default());
        let (to_test, packets) = sync_channel(200);
        let sink = move |data: Bytes, timestamp: u32, first: bool| to_test.send((data, timestamp, first)).unwrap();
        let mut encoder = VoiceEncoder::start(&DecodeConfig::default(), Arc::clone(&clock) as _, sink).unwrap();
        let (to_ear, heard) = sync_channel(200);
        let ear = move |pcm: Pcm| to_ear.send(pcm).unwrap();
        let mut decoder =
            AudioDecoder::start(Codec::Opus, &DecodeConfig::default(), Arc::clone(&clock) as _, ear).unwrap();
        for n in 0..50_u32 {
            let level =
                |i: u32| (8_000.0 * ((n * 480 + i) as f32 / 24_000.0 * 440.0 * std::f32::consts::TAU).sin()) as i16;
            encoder.push((0..480).flat_map(|i| level(i).to_le_bytes()).collect(), 7_000 + n * 960, n == 0);
            let (data, timestamp, first) = packets.recv_timeout(Duration::from_secs(10)).unwrap();
            assert_eq!((timestamp, first), (7_000 + n * 960, n == 0));
            assert_eq!(packet_duration(&data), Some(Duration::from_millis(20)));
            let capture = MediaTime::from_millis(u64::from(n) * 20);
            decoder.push(AccessUnit {
                codec: Codec::Opus,
                data,
                capture,
                arrival: capture,
                keyframe: true,
                contiguous: true,
                layer: Layer::default(),
            });
        }
        let mut samples = Vec::new();
        while samples.len() < 12_000 {
            samples.extend_from_slice(&heard.recv_timeout(Duration::from_secs(10)).unwrap().samples);
        }
        let rms = (samples[4_000..].iter().map(|s| s * s).sum::<f32>() / (samples.len() - 4_000) as f32).sqrt();
        let want = 8_000.0 / 32_768.0 / std::f32::consts::SQRT_2;
        assert!((rms / want - 1.0).abs() < 0.2, "{rms} instead of {want}");
    }
}
