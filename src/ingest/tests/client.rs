//! The other end: a client that sends VP8 and Opus packets and opens the event channel.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rtc::ice::mdns::MulticastDnsMode;
use rtc::interceptor::{Interceptor, Packet, Slot, StreamInfo, TaggedPacket};
use rtc::media_stream::MediaStreamTrack;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtp_transceiver::rtp_sender::{RTCRtpCodec, RTCRtpCodingParameters, RTCRtpEncodingParameters, RtpCodecKind};
use tokio::sync::{mpsc, watch};
use webrtc::data_channel::{DataChannel, DataChannelEvent};
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};
use webrtc::peer_connection::{
    MediaEngine, PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceCandidateInit,
    RTCIceGatheringState, RTCPeerConnectionState, RTCSessionDescription, Registry, SettingEngineBuilder,
    register_default_interceptors,
};
use webrtc::runtime::{Runtime, TokioRuntime};

use crate::base::{Clock, MediaTime};

/// Real time since the clock was made.
pub(super) struct WallClock(Instant);

impl Default for WallClock {
    fn default() -> Self {
        Self(TokioRuntime.now())
    }
}

impl Clock for WallClock {
    fn now(&self) -> MediaTime {
        MediaTime::ZERO + (TokioRuntime.now() - self.0)
    }
}

/// A frame that starts like VP8 and needs three packets.
pub(super) fn vp8_frame(key: bool, number: u32) -> Vec<u8> {
    let mut frame = vec![u8::from(!key), 0, 0, 0x9d, 0x01, 0x2a];
    frame.extend_from_slice(&number.to_be_bytes());
    frame.resize(2_500, number as u8);
    frame
}

pub(super) struct Client {
    connection: Arc<dyn PeerConnection>,
    channel: Arc<dyn DataChannel>,
    video: Option<Track>,
    audio: Option<Track>,
    gathered: mpsc::Receiver<()>,
    connected: watch::Receiver<bool>,
    requests: Arc<AtomicU32>,
    tcp: bool,
    sound: mpsc::Receiver<(u32, Bytes)>,
}

struct Track {
    track: Arc<TrackLocalStaticRTP>,
    ssrc: u32,
    payload_type: u8,
    seq: AtomicU16,
}

struct Handler {
    gathered: mpsc::Sender<()>,
    connected: watch::Sender<bool>,
    sound: mpsc::Sender<(u32, Bytes)>,
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            let _ = self.gathered.try_send(());
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        self.connected.send_replace(state == RTCPeerConnectionState::Connected);
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        let sound = self.sound.clone();
        tokio::spawn(async move {
            while let Some(event) = track.poll().await {
                if let TrackRemoteEvent::OnRtpPacket(packet) = event {
                    let _ = sound.send((packet.header.timestamp, packet.payload)).await;
                }
            }
        });
    }
}

impl Client {
    pub(super) async fn new(video: bool, audio: bool) -> Self {
        Self::over(video, audio, false).await
    }

    /// Over UDP, or over TCP alone.
    pub(super) async fn over(video: bool, audio: bool, tcp: bool) -> Self {
        let mut engine = MediaEngine::default();
        engine.register_default_codecs().unwrap();
        let registry = register_default_interceptors(Registry::new(), &mut engine).unwrap();
        let requests = Arc::new(AtomicU32::new(0));
        let count = RequestCount { requests: Arc::clone(&requests), ..RequestCount::default() };
        let registry = registry.with(Slot::Custom(600), count);
        let (gathered_tx, gathered) = mpsc::channel(1);
        let (connected_tx, connected) = watch::channel(false);
        let (sound_tx, sound) = mpsc::channel(100);
        let settings = SettingEngineBuilder::new().with_multicast_dns_mode(MulticastDnsMode::Disabled).build();
        let address = || vec!["127.0.0.1:0".to_owned()];
        let connection = PeerConnectionBuilder::new()
            .with_media_engine(engine)
            .with_interceptor_registry(registry)
            .with_setting_engine(settings)
            .with_runtime(Arc::new(TokioRuntime))
            .with_handler(Arc::new(Handler { gathered: gathered_tx, connected: connected_tx, sound: sound_tx }))
            .with_udp_addrs(if tcp { Vec::new() } else { address() })
            .with_tcp_addrs(if tcp { address() } else { Vec::new() })
            .build()
            .await
            .unwrap();
        let connection: Arc<dyn PeerConnection> = Arc::new(connection);
        let video = if video { Some(Track::add(&connection, "video/VP8", 96).await) } else { None };
        let audio = if audio { Some(Track::add(&connection, "audio/opus", 111).await) } else { None };
        let channel = connection.create_data_channel("oai-events", None).await.unwrap();
        let mut client = Self { connection, channel, video, audio, gathered, connected, requests, tcp, sound };
        let offer = client.connection.create_offer(None).await.unwrap();
        client.connection.set_local_description(offer).await.unwrap();
        client.gathered.recv().await.unwrap();
        client
    }

    pub(super) async fn offer(&self) -> String {
        self.connection.local_description().await.unwrap().sdp
    }

    pub(super) async fn take_answer(&mut self, sdp: &str) {
        let answer = RTCSessionDescription::answer(sdp.to_owned()).unwrap();
        self.connection.set_remote_description(answer).await.unwrap();
        // Where it is to connect by TCP this library wants to be told again.
        for line in sdp.lines().filter(|l| self.tcp && l.ends_with("tcptype passive")) {
            let candidate = line.trim_start_matches("a=").to_owned();
            let init = RTCIceCandidateInit { candidate, sdp_mid: Some("0".to_owned()), ..Default::default() };
            self.connection.add_ice_candidate(init).await.unwrap();
        }
    }

    /// An offer that restarts ICE.
    pub(super) async fn restart(&mut self) -> String {
        self.connection.restart_ice().await.unwrap();
        let offer = self.connection.create_offer(None).await.unwrap();
        self.connection.set_local_description(offer).await.unwrap();
        let _ = tokio::time::timeout(Duration::from_secs(2), self.gathered.recv()).await;
        self.offer().await
    }

    /// Until this end is connected too: it learns of it after the server, and what it sends before is lost.
    pub(super) async fn connected(&mut self) {
        let connected = self.connected.wait_for(|connected| *connected);
        let connected = tokio::time::timeout(Duration::from_secs(10), connected).await;
        assert!(connected.is_ok_and(|c| c.is_ok()), "the client did not connect within ten seconds");
    }

    pub(super) async fn send_video(&self, timestamp: u32, frame: &[u8]) {
        let chunks: Vec<_> = frame.chunks(1_000).collect();
        for (i, chunk) in chunks.iter().enumerate() {
            let payload = [&[u8::from(i == 0) << 4], *chunk].concat();
            self.video.as_ref().unwrap().send(timestamp, i + 1 == chunks.len(), payload).await;
        }
    }

    pub(super) async fn send_audio(&self, timestamp: u32, packet: &[u8]) {
        self.audio.as_ref().unwrap().send(timestamp, false, packet.to_vec()).await;
    }

    pub(super) async fn send_text(&self, text: &str) {
        for _ in 0..200 {
            if self.channel.send_text(text).await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the data channel did not open");
    }

    pub(super) async fn receive_text(&self) -> String {
        loop {
            let event = tokio::time::timeout(Duration::from_secs(10), self.channel.poll()).await.unwrap();
            if let DataChannelEvent::OnMessage(m) = event.expect("the data channel ended") {
                return String::from_utf8(m.data.to_vec()).unwrap();
            }
        }
    }

    /// RTP time and payload of the next packet of the server's voice.
    pub(super) async fn heard(&mut self) -> (u32, Bytes) {
        let packet = tokio::time::timeout(Duration::from_secs(10), self.sound.recv()).await;
        packet.expect("no sound within ten seconds").expect("the connection goes on")
    }

    pub(super) fn keyframe_requests(&self) -> u32 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Goes away without a word, as a machine that loses its network does.
    pub(super) async fn vanish(self) {
        self.close().await;
    }

    pub(super) async fn close(self) {
        self.connection.close().await.unwrap();
    }
}

impl Track {
    async fn add(connection: &Arc<dyn PeerConnection>, mime: &str, payload_type: u8) -> Self {
        let video = mime.starts_with("video");
        let ssrc = if video { 0x5151 } else { 0xa0a0 };
        let kind = if video { RtpCodecKind::Video } else { RtpCodecKind::Audio };
        let coding = RTCRtpEncodingParameters {
            rtp_coding_parameters: RTCRtpCodingParameters { ssrc: Some(ssrc), ..Default::default() },
            codec: RTCRtpCodec {
                mime_type: mime.to_owned(),
                clock_rate: if video { 90_000 } else { 48_000 },
                channels: if video { 0 } else { 2 },
                ..Default::default()
            },
            ..Default::default()
        };
        let name = mime.replace('/', "-");
        let track = MediaStreamTrack::new("s".to_owned(), name.clone(), name, kind, vec![coding]);
        let track = Arc::new(TrackLocalStaticRTP::new(track));
        connection.add_track(Arc::clone(&track) as Arc<dyn TrackLocal>).await.unwrap();
        Self { track, ssrc, payload_type, seq: AtomicU16::new(u16::MAX - 10) }
    }

    async fn send(&self, timestamp: u32, marker: bool, payload: Vec<u8>) {
        let header = rtc::rtp::Header {
            version: 2,
            marker,
            payload_type: self.payload_type,
            sequence_number: self.seq.fetch_add(1, Ordering::Relaxed),
            timestamp,
            ssrc: self.ssrc,
            ..Default::default()
        };
        let _ = self.track.write_rtp(rtc::rtp::Packet { header, payload: Bytes::from(payload) }).await;
    }
}

/// Counts the keyframe requests that reach the client.
#[derive(Default)]
struct RequestCount {
    requests: Arc<AtomicU32>,
    inbound: VecDeque<TaggedPacket>,
    outbound: VecDeque<TaggedPacket>,
}

impl rtc::sansio::Protocol<TaggedPacket, TaggedPacket, ()> for RequestCount {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = rtc::shared::error::Error;
    type Time = Instant;

    fn handle_read(&mut self, packet: TaggedPacket) -> Result<(), Self::Error> {
        if let Packet::Rtcp(all) = &packet.message.packet {
            let found = all.iter().filter(|p| p.as_any().is::<PictureLossIndication>()).count();
            self.requests.fetch_add(found as u32, Ordering::Relaxed);
        }
        self.inbound.push_back(packet);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.inbound.pop_front()
    }

    fn handle_write(&mut self, packet: TaggedPacket) -> Result<(), Self::Error> {
        self.outbound.push_back(packet);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.outbound.pop_front()
    }
}

impl Interceptor for RequestCount {
    fn bind_local_stream(&mut self, _: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _: &StreamInfo) {}
    fn bind_remote_stream(&mut self, _: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _: &StreamInfo) {}
}
