//! From an offer to an answer: checks, leases a port, builds the stack, waits for the candidates.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::mpsc;
use webrtc::data_channel::DataChannel;
use webrtc::media_stream::track_remote::TrackRemote;
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionEventHandler, RTCIceGatheringState, RTCPeerConnectionState, RTCSessionDescription,
};

use super::offer::{ChosenCodec, Offer, OfferedMedia, with_packet_time, with_silence_left_out};
use super::peer::Shared;
use super::ports::Lease;
use super::stack;
use super::tap::ReportTap;
use super::track::TrackTask;
use super::voice::VoiceTrack;
use super::{IngestConfig, IngestError, PeerEvent, Ports, channel};

/// Gathering asks no server, so it takes milliseconds.
const GATHER_TIMEOUT: Duration = Duration::from_secs(3);
/// Another program can take a port between our probe and the bind; then another port is tried.
const BIND_ATTEMPTS: usize = 4;

/// A connection that has answered.
pub(super) struct Negotiated {
    pub(super) connection: Arc<dyn PeerConnection>,
    pub(super) lease: Lease,
    pub(super) answer: String,
    /// Told when the candidates of an ICE session are complete.
    pub(super) gathered: mpsc::Receiver<()>,
}

pub(super) async fn negotiate(
    offer: &Offer,
    config: &IngestConfig,
    ports: &Ports,
    shared: &Arc<Shared>,
) -> Result<Negotiated, IngestError> {
    let mut attempt = 0;
    let (gathered_tx, mut gathered) = mpsc::channel(1);
    let (connection, lease) = loop {
        attempt += 1;
        let lease = ports.lease(&config.bind_ips, &shared.clock)?;
        let tap = ReportTap::new(Arc::clone(&shared.timeline), Arc::clone(&shared.clock));
        let handler = Arc::new(Handler { shared: Arc::clone(shared), gathered: gathered_tx.clone() });
        match stack::build(offer, config, &lease, tap, handler).await {
            Ok(connection) => break (connection, lease),
            Err(error) if attempt == BIND_ATTEMPTS => return Err(error),
            Err(error) => tracing::debug!(%error, port = lease.port(), "trying another port"),
        }
    };
    let ear = offer.media.iter().find_map(OfferedMedia::ear);
    let voice = ear.filter(|_| config.speaks).map(|codec| (&shared.voice, codec));
    let answer = answer(&offer.sdp, connection.as_ref(), &mut gathered, voice).await;
    // What is asked of the client's sound.
    let answer = answer.map(|sdp| with_packet_time(&sdp, &offer.sdp));
    let answer = answer.map(|sdp| if config.dtx { with_silence_left_out(&sdp) } else { sdp });
    match answer.and_then(|sdp| lease.announce(&sdp, &config.public_ips)) {
        Ok(answer) => Ok(Negotiated { connection, lease, answer, gathered }),
        Err(error) => {
            // The lease is dropped only after the sockets are closed.
            let _ = connection.close().await;
            drop(lease);
            Err(error)
        }
    }
}

/// Applies an offer, the first or one that restarts ICE, and answers it once the candidates are there.
pub(super) async fn answer(
    offer: &str,
    connection: &dyn PeerConnection,
    gathered: &mut mpsc::Receiver<()>,
    voice: Option<(&OnceLock<VoiceTrack>, &ChosenCodec)>,
) -> Result<String, IngestError> {
    let refused = |e: webrtc::error::Error| IngestError::Refused { reason: e.to_string() };
    let remote = RTCSessionDescription::offer(offer.to_owned()).map_err(refused)?;
    connection.set_remote_description(remote).await.map_err(refused)?;
    if let Some((place, codec)) = voice {
        // Into the transceiver that the offer has made: a track added before would ask for a section of its own.
        let _ = place.set(VoiceTrack::add(connection, codec).await?);
    }
    let local = connection.create_answer(None).await.map_err(refused)?;
    connection.set_local_description(local).await.map_err(refused)?;
    if tokio::time::timeout(GATHER_TIMEOUT, gathered.recv()).await.is_err() {
        tracing::warn!("ICE gathering takes too long; answering with the candidates so far");
    }
    let local = connection.local_description().await;
    local.map(|d| d.sdp).ok_or(IngestError::Transport { what: "answer", reason: "there is no answer".to_owned() })
}

/// What the library calls. It waits for each call on the task that also drives ICE, so nothing here waits.
struct Handler {
    shared: Arc<Shared>,
    gathered: mpsc::Sender<()>,
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            let _ = self.gathered.try_send(());
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        tracing::debug!(?state, "peer connection");
        match state {
            RTCPeerConnectionState::Connected => {
                self.shared.set_connected();
                self.shared.events.state(PeerEvent::Connected);
            }
            RTCPeerConnectionState::Disconnected => {
                let reason = format!("nothing heard from the client for {:?}", self.shared.patience.0);
                self.shared.events.state(PeerEvent::Disconnected { reason });
            }
            RTCPeerConnectionState::Failed => {
                let reason = format!("the client did not come back within {:?}", self.shared.patience.1);
                self.shared.events.state(PeerEvent::Failed { reason });
            }
            _ => {}
        }
    }

    async fn on_data_channel(&self, data_channel: Arc<dyn DataChannel>) {
        self.shared.spawn(channel::run(Arc::clone(&self.shared), data_channel));
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        let shared = Arc::clone(&self.shared);
        self.shared.spawn(async move { TrackTask::new(shared, track).await.run().await });
    }
}
