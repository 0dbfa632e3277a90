//! The server's own voice: one Opus track in the client's first audio section.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use bytes::Bytes;
use rtc::media_stream::MediaStreamTrack;
use rtc::rtp::{Header, Packet};
use rtc::rtp_transceiver::rtp_sender::{RTCRtpCodingParameters, RTCRtpEncodingParameters, RtpCodecKind};
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::peer_connection::PeerConnection;

use super::IngestError;
use super::offer::ChosenCodec;
use super::stack;

/// An encoded frame of the voice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VoicePacket {
    /// An Opus packet.
    pub data: Bytes,
    /// RTP time, 48 kHz.
    pub timestamp: u32,
    /// It is the first after a silence.
    pub first: bool,
}

/// The track.
pub(super) struct VoiceTrack {
    track: Arc<TrackLocalStaticRTP>,
    ssrc: u32,
    payload_type: u8,
    sequence: AtomicU16,
}

impl VoiceTrack {
    /// Adds the track to a connection that knows the offer; the answer will say that we send.
    pub(super) async fn add(connection: &dyn PeerConnection, codec: &ChosenCodec) -> Result<Self, IngestError> {
        let ssrc = rand::random::<u32>().max(1);
        let coding = RTCRtpEncodingParameters {
            rtp_coding_parameters: RTCRtpCodingParameters { ssrc: Some(ssrc), ..Default::default() },
            codec: stack::parameters(codec).rtp_codec,
            ..Default::default()
        };
        // One stream by itself: a browser that is given sound and picture of one stream keeps them in step.
        let (stream, name) = ("sightline".to_owned(), "voice".to_owned());
        let track = MediaStreamTrack::new(stream, name.clone(), name, RtpCodecKind::Audio, vec![coding]);
        let track = Arc::new(TrackLocalStaticRTP::new(track));
        let local = Arc::clone(&track) as Arc<dyn TrackLocal>;
        connection.add_track(local).await.map_err(|e| stack::failed("add the voice's track", &e))?;
        Ok(Self { track, ssrc, payload_type: codec.payload_type, sequence: AtomicU16::new(rand::random()) })
    }

    /// Sends one packet; waits as long as the transport is behind.
    pub(super) async fn send(&self, packet: VoicePacket) -> Result<(), IngestError> {
        let header = Header {
            version: 2,
            marker: packet.first,
            payload_type: self.payload_type,
            sequence_number: self.sequence.fetch_add(1, Ordering::Relaxed),
            timestamp: packet.timestamp,
            ssrc: self.ssrc,
            ..Default::default()
        };
        let packet = Packet { header, payload: packet.data };
        self.track.write_rtp(packet).await.map_err(|e| stack::failed("send sound", &e))
    }
}
