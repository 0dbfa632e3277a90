//! One inbound track: drains it without pause, assembles units, stamps them, hands them to the sink, asks for keyframes.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtp_transceiver::rtp_sender::RtpCodecKind;
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};

use super::PeerEvent;
use super::assemble::{Assembled, Assembler, AssemblerConfig, RtpPacket};
use super::peer::{AnySink, Shared};
use crate::base::{AccessUnit, MediaTime};

/// A sender needs time to make a keyframe, and each costs it several frames' worth of bandwidth.
const KEYFRAME_INTERVAL: Duration = Duration::from_secs(1);
/// A track follows its first source; another takes over when that one has been silent for so long.
const SOURCE_SILENCE: Duration = Duration::from_secs(2);

pub(super) struct TrackTask {
    shared: Arc<Shared>,
    track: Arc<dyn TrackRemote>,
    video: bool,
    /// `None` for a second track of a kind: it is drained and dropped.
    sink: Option<AnySink>,
    source: Option<Source>,
    keyframe_wanted: bool,
    last_request: Option<MediaTime>,
    ready: Vec<Assembled>,
}

/// The RTP stream being followed.
struct Source {
    ssrc: u32,
    payload_type: u8,
    assembler: Assembler,
    last_packet: MediaTime,
    /// Units and bytes so far, for metrics: looked up once, not for each.
    units: metrics::Counter,
    bytes: metrics::Counter,
}

impl TrackTask {
    pub(super) async fn new(shared: Arc<Shared>, track: Arc<dyn TrackRemote>) -> Self {
        let video = track.kind().await == RtpCodecKind::Video;
        let sink = shared.take_sink(video);
        if sink.is_none() {
            tracing::warn!(kind = kind(video), "a second track of this kind is ignored");
        }
        Self { shared, track, video, sink, source: None, keyframe_wanted: false, last_request: None, ready: Vec::new() }
    }

    pub(super) async fn run(mut self) {
        self.shared.events.state(PeerEvent::TrackOpen { kind: kind(self.video) });
        let (shared, track) = (Arc::clone(&self.shared), Arc::clone(&self.track));
        loop {
            let wait = self.next_deadline().map(|at| at.since(shared.clock.now()));
            tokio::select! {
                event = track.poll() => match event {
                    Some(TrackRemoteEvent::OnRtpPacket(packet)) => self.on_packet(packet),
                    Some(TrackRemoteEvent::OnEnded) => break,
                    None => {
                        shared.transport_stopped();
                        break;
                    }
                    Some(_) => {}
                },
                () = shared.keyframe.notified(), if self.video => self.keyframe_wanted = true,
                () = pause(wait) => {}
            }
            self.on_tick().await;
        }
        self.shared.events.state(PeerEvent::TrackClosed { kind: kind(self.video) });
    }

    /// When something must happen without a packet; `None` for not at all.
    fn next_deadline(&self) -> Option<MediaTime> {
        let assembly = self.source.as_ref().and_then(|s| s.assembler.deadline());
        let request = self.keyframe_wanted.then(|| self.request_due());
        let sink = self.sink.as_ref().and_then(|s| s.due());
        assembly.into_iter().chain(request).chain(sink).min()
    }

    fn request_due(&self) -> MediaTime {
        self.last_request.map_or(MediaTime::ZERO, |t| t + KEYFRAME_INTERVAL)
    }

    fn on_packet(&mut self, packet: rtc::rtp::Packet) {
        let now = self.shared.clock.now();
        if self.sink.is_none() || !self.follow(packet.header.ssrc, packet.header.payload_type, now) {
            metrics::counter!("sightline_ingest_foreign_packets_total", "kind" => kind(self.video)).increment(1);
            return;
        }
        let Some(source) = self.source.as_mut() else { return };
        source.last_packet = now;
        let packet = RtpPacket {
            seq: packet.header.sequence_number,
            timestamp: packet.header.timestamp,
            marker: packet.header.marker,
            payload: packet.payload,
        };
        source.assembler.push(packet, now, &mut self.ready);
    }

    /// Whether packets of this stream are wanted; begins to follow it if there is none or the present one fell silent.
    fn follow(&mut self, ssrc: u32, payload_type: u8, now: MediaTime) -> bool {
        if let Some(s) = &self.source {
            if s.ssrc == ssrc && s.payload_type == payload_type {
                return true;
            }
            if s.ssrc != ssrc && now.since(s.last_packet) < SOURCE_SILENCE {
                return false;
            }
        }
        let Some(codec) = self.shared.codec_of(payload_type).filter(|c| c.is_video() == self.video) else {
            return false;
        };
        tracing::debug!(kind = kind(self.video), codec = codec.name(), ssrc, "following an RTP stream");
        self.shared.timeline().open(ssrc, codec.clock_rate_hz());
        let assembler = Assembler::new(codec, AssemblerConfig::for_codec(codec));
        let units = metrics::counter!("sightline_ingest_units_total", "codec" => codec.name());
        let bytes = metrics::counter!("sightline_ingest_unit_bytes_total", "codec" => codec.name());
        self.source = Some(Source { ssrc, payload_type, assembler, last_packet: now, units, bytes });
        true
    }

    async fn on_tick(&mut self) {
        let now = self.shared.clock.now();
        if let Some(source) = self.source.as_mut() {
            source.assembler.tick(now, &mut self.ready);
            self.keyframe_wanted |= source.assembler.wants_keyframe();
        }
        self.deliver();
        if let Some(sink) = self.sink.as_mut().filter(|s| s.due().is_some_and(|due| due <= now)) {
            sink.on_due(now);
        }
        if self.keyframe_wanted && self.request_due() <= now {
            self.keyframe_wanted = false;
            if let Some(ssrc) = self.source.as_ref().map(|s| s.ssrc) {
                self.last_request = Some(now);
                self.ask_for_keyframe(ssrc).await;
            }
        }
    }

    fn deliver(&mut self) {
        let Some((source, sink)) = self.source.as_mut().zip(self.sink.as_mut()) else { return };
        let codec = source.assembler.codec();
        if self.ready.is_empty() {
            return;
        }
        for item in self.ready.drain(..) {
            match item {
                Assembled::Unit(unit) => {
                    let capture = self.shared.timeline().capture(source.ssrc, unit.timestamp, unit.arrival);
                    source.units.increment(1);
                    source.bytes.increment(unit.data.len() as u64);
                    sink.push(AccessUnit {
                        codec,
                        data: unit.data,
                        capture,
                        arrival: unit.arrival,
                        keyframe: unit.keyframe,
                        contiguous: unit.contiguous,
                        layer: unit.layer,
                    });
                }
                Assembled::Lost(reason) => {
                    metrics::counter!("sightline_ingest_lost_total", "codec" => codec.name(), "reason" => reason.label())
                        .increment(1);
                }
            }
        }
        let synchronized = self.shared.timeline().is_synchronized(source.ssrc);
        let mut stats = self.shared.stats.lock().unwrap_or_else(PoisonError::into_inner);
        let stats = if self.video { &mut stats.video } else { &mut stats.audio };
        stats.ssrc = source.ssrc;
        stats.codec = Some(codec);
        stats.assembly = source.assembler.stats();
        stats.synchronized = synchronized;
    }

    async fn ask_for_keyframe(&mut self, media_ssrc: u32) {
        metrics::counter!("sightline_ingest_keyframe_requests_total").increment(1);
        let request = PictureLossIndication { sender_ssrc: 0, media_ssrc };
        if let Err(error) = self.track.write_rtcp(vec![Box::new(request)]).await {
            tracing::debug!(%error, "keyframe request not sent");
        }
    }
}

const fn kind(video: bool) -> &'static str {
    if video { "video" } else { "audio" }
}

/// Sleeps, or for ever.
async fn pause(wait: Option<Duration>) {
    match wait {
        Some(wait) => tokio::time::sleep(wait).await,
        None => std::future::pending().await,
    }
}
