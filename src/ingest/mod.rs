//! WebRTC in: an SDP offer becomes a connected peer, its RTP becomes access units with capture times.
//!
//! Floor 2; the only folder that knows `webrtc` and `rtc`. In: an offer; afterwards SRTP and SCTP over one UDP port.
//! Out: [`crate::base::AccessUnit`] into two sinks, [`PeerEvent`]s, events on the `oai-events` data channel, the server's voice on a track.
//! Loses: `Incomplete`, `NoKeyframe`, `Corrupt`; each is counted and a keyframe asked for at most once a second.
//! Pure parts, tested in virtual time: [`offer`] (the check before WebRTC sees an offer), [`assemble`] (RTP to units),
//! [`timing`] (sender reports to capture times), [`ice_servers`]; inside [`mux`], whose a packet is.

pub mod assemble;
pub mod config;
pub mod error;
pub mod events;
pub mod ice_servers;
pub mod mux;
pub mod offer;
pub mod peer;
pub mod ports;
pub mod restart;
pub mod timing;

mod channel;
mod nack;
mod negotiate;
mod stack;
mod tap;
mod track;
mod voice;

#[cfg(test)]
mod tests;

pub use config::{IngestConfig, local_ips};
pub use error::IngestError;
pub use events::{PeerEvent, PeerEvents};
pub use ice_servers::{IceServer, IceServers, TurnSecret};
pub use mux::SharedPort;
pub use peer::{MediaSinks, Peer, PeerStats, TrackStats, UnitSink};
pub use ports::{PortPool, Ports};
pub use restart::IceAnswer;
pub use voice::VoicePacket;
