//! The WebRTC stack of one peer: codecs as offered, feedback, interceptors, timeouts.

use std::sync::Arc;

use rtc::ice::mdns::MulticastDnsMode;
use rtc::interceptor::Slot;
use rtc::peer_connection::configuration::media_engine::MIME_TYPE_RTX;
use rtc::peer_connection::configuration::setting_engine::SctpMaxMessageSize;
use rtc::peer_connection::transport::RTCDtlsRole;
use rtc::rtp_transceiver::rtp_sender::{RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RtpCodecKind};
use webrtc::peer_connection::{
    MediaEngine, PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCConfigurationBuilder, Registry,
    SettingEngine, SettingEngineBuilder, configure_rtcp_reports, configure_simulcast_extension_headers,
    configure_twcc_receiver_only,
};

use super::nack::Nack;
use super::offer::{ChosenCodec, Offer};
use super::ports::Lease;
use super::tap::ReportTap;
use super::{IngestConfig, IngestError};

/// Largest message on a data channel, both ways; browsers announce the same.
pub(super) const MAX_MESSAGE_BYTES: usize = 262_144;
/// Bytes that may wait on the data channel of a client that does not read.
pub(super) const MAX_BUFFERED_BYTES: usize = 1 << 20;

/// Builds the connection, with its sockets bound.
pub(super) async fn build(
    offer: &Offer,
    config: &IngestConfig,
    lease: &Lease,
    tap: ReportTap,
    handler: Arc<dyn PeerConnectionEventHandler>,
) -> Result<Arc<dyn PeerConnection>, IngestError> {
    let (engine, registry) = media(offer, tap).map_err(|e| failed("set up codecs", &e))?;
    let connection = PeerConnectionBuilder::new()
        .with_configuration(RTCConfigurationBuilder::new().build())
        .with_media_engine(engine)
        .with_interceptor_registry(registry)
        .with_setting_engine(settings(offer, config))
        .with_runtime(lease.runtime())
        .with_handler(handler)
        .with_data_channel_send_buffer_limit(MAX_BUFFERED_BYTES)
        .with_udp_addrs(lease.addresses())
        .with_tcp_addrs(lease.tcp_addresses())
        .build()
        .await
        .map_err(|e| failed("open its sockets", &e))?;
    Ok(Arc::new(connection))
}

pub(super) fn failed(what: &'static str, error: &webrtc::error::Error) -> IngestError {
    IngestError::Transport { what, reason: error.to_string() }
}

fn settings(offer: &Offer, config: &IngestConfig) -> SettingEngine {
    // As DTLS server we wait for the client's first message; as client this library loses 100 ms before it sends its own.
    let role = if offer.dtls_server { RTCDtlsRole::Client } else { RTCDtlsRole::Server };
    SettingEngineBuilder::new()
        .with_answering_dtls_role(role)
        .with_ice_timeouts(Some(config.disconnected_after), Some(config.failed_after), Some(config.keepalive))
        // The default opens a multicast socket per peer and fails where only loopback is up.
        .with_multicast_dns_mode(MulticastDnsMode::Disabled)
        .with_sctp_max_message_size(SctpMaxMessageSize::Bounded(u32::try_from(MAX_MESSAGE_BYTES).unwrap_or(u32::MAX)))
        .build()
}

/// Registers exactly what was chosen from the offer, under the offer's payload types: nothing is left to matching.
fn media(offer: &Offer, tap: ReportTap) -> Result<(MediaEngine, Registry), webrtc::error::Error> {
    let mut engine = MediaEngine::default();
    for chosen in offer.media.iter().filter_map(|m| m.codec.as_ref()) {
        let kind = if chosen.codec.is_video() { RtpCodecKind::Video } else { RtpCodecKind::Audio };
        engine.register_codec(parameters(chosen), kind)?;
        if let Some(rtx) = chosen.rtx {
            engine.register_codec(retransmission(chosen, rtx), kind)?;
        }
    }
    configure_simulcast_extension_headers(&mut engine)?;
    let registry = Registry::new().with(Slot::NackGenerator, Nack::new()).with(Slot::Custom(ReportTap::SLOT), tap);
    let registry = configure_rtcp_reports(configure_twcc_receiver_only(registry, &mut engine)?);
    Ok((engine, registry))
}

pub(super) fn parameters(chosen: &ChosenCodec) -> RTCRtpCodecParameters {
    let video = chosen.codec.is_video();
    let feedback = |typ: &str, parameter: &str| RTCPFeedback { typ: typ.to_owned(), parameter: parameter.to_owned() };
    RTCRtpCodecParameters {
        rtp_codec: RTCRtpCodec {
            mime_type: format!("{}/{}", if video { "video" } else { "audio" }, mime(chosen)),
            clock_rate: chosen.codec.clock_rate_hz(),
            channels: if video { 0 } else { 2 },
            sdp_fmtp_line: chosen.fmtp.clone(),
            rtcp_feedback: if video {
                vec![feedback("nack", ""), feedback("nack", "pli"), feedback("ccm", "fir")]
            } else {
                Vec::new()
            },
        },
        payload_type: chosen.payload_type,
    }
}

fn mime(chosen: &ChosenCodec) -> &'static str {
    use crate::base::Codec;
    match chosen.codec {
        Codec::Vp8 => "VP8",
        Codec::Vp9 => "VP9",
        Codec::H264 => "H264",
        Codec::Av1 => "AV1",
        Codec::Opus => "opus",
    }
}

fn retransmission(chosen: &ChosenCodec, payload_type: u8) -> RTCRtpCodecParameters {
    RTCRtpCodecParameters {
        rtp_codec: RTCRtpCodec {
            mime_type: MIME_TYPE_RTX.to_owned(),
            clock_rate: chosen.codec.clock_rate_hz(),
            channels: 0,
            sdp_fmtp_line: format!("apt={}", chosen.payload_type),
            rtcp_feedback: Vec::new(),
        },
        payload_type,
    }
}
