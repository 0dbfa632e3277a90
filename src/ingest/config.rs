//! How peers connect.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;
use std::time::Duration;

use super::offer::{self, Offer, OfferError, OfferLimits, OfferRules, OfferedMedia};
use crate::base::Codec;

/// How peers connect: addresses, ports, limits, patience.
#[derive(Debug, Clone)]
pub struct IngestConfig {
    /// Local addresses to listen on. Default: every IPv4 address of this machine and 127.0.0.1. Both kinds matter: some
    /// clients never use loopback, and a client on the same machine without network has nothing else.
    pub bind_ips: Vec<IpAddr>,
    /// UDP ports, one per session. Default 50000–50199. Open these in the firewall.
    pub udp_ports: RangeInclusive<u16>,
    /// Addresses by which clients reach this machine through a one-to-one NAT (a cloud's public address). Default none.
    pub public_ips: Vec<IpAddr>,
    /// Bounds of an offer.
    pub offer: OfferLimits,
    /// Video codecs taken, best first. Default VP8, VP9, H.264, AV1. Leave out what cannot be decoded here.
    pub video_codecs: Vec<Codec>,
    /// Ask for nothing to be sent while there is silence (Opus DTX, RFC 7587 §7.1). Default on.
    pub dtx: bool,
    /// Answer audio sections in which the client receives with a track of our own, for spoken answers. Default off.
    pub speaks: bool,
    /// Send checks to the addresses that the offer names. Default off: the client's checks reach us first, and nobody can
    /// make the server send packets to third parties.
    pub dial_candidates: bool,
    /// Silence before the peer counts as disconnected. Default 5 s.
    pub disconnected_after: Duration,
    /// Further silence before it counts as failed. Default 15 s.
    pub failed_after: Duration,
    /// How often to check the connection. Default 2 s.
    pub keepalive: Duration,
    /// From the answer to the connection. Default 20 s.
    pub connect_timeout: Duration,
}

impl Default for IngestConfig {
    fn default() -> Self {
        Self {
            bind_ips: local_ips(),
            udp_ports: 50_000..=50_199,
            public_ips: Vec::new(),
            offer: OfferLimits::default(),
            video_codecs: vec![Codec::Vp8, Codec::Vp9, Codec::H264, Codec::Av1],
            dtx: true,
            speaks: false,
            dial_candidates: false,
            disconnected_after: Duration::from_secs(5),
            failed_after: Duration::from_secs(15),
            keepalive: Duration::from_secs(2),
            connect_timeout: Duration::from_secs(20),
        }
    }
}

impl IngestConfig {
    /// Checks an offer by these limits and codecs.
    pub(super) fn check(&self, offer: &str) -> Result<Offer, OfferError> {
        let mut codecs = self.video_codecs.clone();
        codecs.push(Codec::Opus);
        offer::check(
            offer,
            &OfferRules { limits: &self.offer, codecs: &codecs, strip_candidates: !self.dial_candidates },
        )
    }

    /// Whether whoever makes this offer is answered with a track of our own. Not of an offer that is refused.
    #[must_use]
    pub fn speaks_to(&self, offer: &str) -> bool {
        self.speaks && self.check(offer).is_ok_and(|o| o.media.iter().any(|m| OfferedMedia::ear(m).is_some()))
    }
}

/// Every IPv4 address of this machine, loopback last.
#[must_use]
pub fn local_ips() -> Vec<IpAddr> {
    let mut ips: Vec<IpAddr> = Vec::new();
    match rtc::shared::ifaces::ifaces() {
        Ok(interfaces) => {
            for ip in interfaces.into_iter().filter_map(|i| i.addr).map(|a| a.ip()) {
                if ip.is_ipv4() && !ip.is_loopback() && !ip.is_unspecified() && !ips.contains(&ip) {
                    ips.push(ip);
                }
            }
        }
        Err(error) => tracing::warn!(%error, "cannot list network interfaces, listening on 127.0.0.1 only"),
    }
    ips.push(IpAddr::V4(Ipv4Addr::LOCALHOST));
    ips
}
