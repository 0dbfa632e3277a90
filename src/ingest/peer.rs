//! One connected client.

use std::future::Future;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use webrtc::data_channel::DataChannel;
use webrtc::peer_connection::{PeerConnection, RTCStatsReportEntry, StatsSelector};
use webrtc::runtime::{Runtime, TokioRuntime};

use super::assemble::AssemblerStats;
use super::events::{self, EventSender};
use super::negotiate::{Negotiated, negotiate};
use super::offer::{self, ChosenCodec};
use super::ports::Lease;
use super::restart::IceSession;
use super::timing::Timeline;
use super::voice::{VoicePacket, VoiceTrack};
use super::{IngestConfig, IngestError, PeerEvent, PeerEvents, Ports, channel};
use crate::base::{AccessUnit, Clock, Codec, MediaTime};

/// Closing the transport is local work; the rest is left to the operating system after this.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Where access units go. A sink must not block: it is called on the task that drains the track.
pub trait UnitSink: Send {
    /// Takes the next one.
    fn push(&mut self, unit: AccessUnit);

    /// When it wants to be called though nothing came; asked after whatever the track does.
    fn due(&self) -> Option<MediaTime> {
        None
    }

    /// That time has come.
    fn on_due(&mut self, _now: MediaTime) {}
}

impl<F: FnMut(AccessUnit) + Send> UnitSink for F {
    fn push(&mut self, unit: AccessUnit) {
        self(unit);
    }
}

/// A sink of any kind.
pub type AnySink = Box<dyn UnitSink>;

/// The two sinks of a peer.
pub struct MediaSinks {
    /// Takes video units, from one keyframe on without a hole, or from the next keyframe after a loss.
    pub video: AnySink,
    /// Takes audio units; a hole shows as `contiguous == false`.
    pub audio: AnySink,
}

/// A client that has been answered. Dropping it closes it in the background; [`Peer::close`] waits for that.
pub struct Peer {
    live: Mutex<Option<Live>>,
    ice: Mutex<IceSession>,
    shared: Arc<Shared>,
    port: u16,
}

struct Live {
    connection: Arc<dyn PeerConnection>,
    lease: Lease,
    gathered: Gathered,
}

/// Tells that candidates are complete, to one negotiation at a time.
type Gathered = Arc<tokio::sync::Mutex<mpsc::Receiver<()>>>;

/// What one track has received so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TrackStats {
    /// The RTP stream; 0 before the first packet.
    pub ssrc: u32,
    /// Its codec.
    pub codec: Option<Codec>,
    /// Packets, units, losses.
    pub assembly: AssemblerStats,
    /// Capture times come from sender reports.
    pub synchronized: bool,
    /// Packets lost for good, as told to the sender.
    pub lost: i64,
    /// Negative acknowledgements sent.
    pub nack: u32,
    /// Keyframe requests sent.
    pub pli: u32,
    /// Interarrival jitter (RFC 3550 §6.4.1).
    pub jitter: Duration,
}

/// A peer's counters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PeerStats {
    /// Picture.
    pub video: TrackStats,
    /// Sound.
    pub audio: TrackStats,
    /// Round trip time of the latest connection check.
    pub rtt: Option<Duration>,
    /// RTCP sender reports taken.
    pub sender_reports: u64,
    /// Bytes of events that the client has not acknowledged.
    pub events_waiting_bytes: usize,
}

/// What the tasks of a peer share.
pub(super) struct Shared {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) events: EventSender,
    pub(super) timeline: Arc<Mutex<Timeline>>,
    pub(super) stats: Mutex<PeerStats>,
    pub(super) keyframe: Notify,
    pub(super) channel: Mutex<Option<Arc<dyn DataChannel>>>,
    pub(super) max_message_size: usize,
    /// The track of our own, where the client takes one.
    pub(super) voice: OnceLock<VoiceTrack>,
    /// Silence until disconnected, and until failed.
    pub(super) patience: (Duration, Duration),
    codecs: Vec<ChosenCodec>,
    /// Audio's and video's, until a track takes its own.
    sinks: Mutex<(Option<AnySink>, Option<AnySink>)>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    connected: AtomicBool,
    closing: AtomicBool,
}

impl Peer {
    /// Checks `offer_sdp`, opens a port, and answers. Media flows into `sinks` once the client connects.
    ///
    /// # Errors
    /// [`IngestError::Offer`] if the offer is malformed, too large or unsupported, [`IngestError::PortsExhausted`] if every
    /// port is taken, others if the transport cannot be set up. Nothing stays open after an error.
    pub async fn accept(
        offer_sdp: &str,
        config: &IngestConfig,
        ports: &Ports,
        clock: Arc<dyn Clock>,
        sinks: MediaSinks,
    ) -> Result<(Self, PeerEvents, String), IngestError> {
        let offer = config.check(offer_sdp)?;
        let (sender, events) = events::channel();
        let shared = Arc::new(Shared {
            clock,
            events: sender,
            timeline: Arc::default(),
            stats: Mutex::default(),
            keyframe: Notify::new(),
            channel: Mutex::new(None),
            max_message_size: offer.max_message_size,
            voice: OnceLock::new(),
            patience: (config.disconnected_after, config.failed_after),
            codecs: offer.media.iter().filter_map(|m| m.codec.clone()).collect(),
            sinks: Mutex::new((Some(sinks.audio), Some(sinks.video))),
            tasks: Mutex::default(),
            connected: AtomicBool::new(false),
            closing: AtomicBool::new(false),
        });
        // On a task of its own, so that a caller that gives up half-way leaves nothing open and a panic of the library on a
        // hostile offer becomes an error.
        let (config, ports, task_shared) = (config.clone(), ports.clone(), Arc::clone(&shared));
        let task = tokio::spawn(async move {
            let negotiated = negotiate(&offer, &config, &ports, &task_shared).await?;
            task_shared.spawn(watch_connecting(Arc::clone(&task_shared), config.connect_timeout));
            let Negotiated { connection, lease, answer, gathered } = negotiated;
            let port = lease.port();
            let live = Live { connection, lease, gathered: Arc::new(gathered.into()) };
            let ufrag = offer::ice_credentials(&answer).map(|c| c.ufrag).unwrap_or_default();
            let ice = Mutex::new(IceSession { offer: offer.sdp, ufrag });
            Ok::<_, IngestError>((Self { live: Mutex::new(Some(live)), ice, shared: task_shared, port }, answer))
        });
        let (peer, answer) = task
            .await
            .map_err(|_| IngestError::Refused { reason: "the WebRTC library gave up on it".to_owned() })??;
        Ok((peer, events, answer))
    }

    /// The UDP port of this peer.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Asks the client for a keyframe, at most once a second; a request that comes too early is kept.
    pub fn request_keyframe(&self) {
        self.shared.keyframe.notify_one();
    }

    /// Sends an event on the `oai-events` channel. Does not wait for the client to read.
    ///
    /// # Errors
    /// [`IngestError::EventTooLarge`], [`IngestError::NoChannel`] before the client opened the channel or after it closed it,
    /// [`IngestError::ChannelFull`] if a mebibyte is waiting already, [`IngestError::Closed`].
    pub async fn send_event(&self, event: &str) -> Result<(), IngestError> {
        channel::send(&self.shared, event).await
    }

    /// Whether the client takes the server's voice on a track.
    #[must_use]
    pub fn has_voice(&self) -> bool {
        self.shared.voice.get().is_some()
    }

    /// Sends a frame of the server's voice. Before the connection is up it is lost, as on the way.
    ///
    /// # Errors
    /// [`IngestError::Closed`] without a track or after the end, [`IngestError::Transport`] when the library refuses it.
    pub async fn send_voice(&self, packet: VoicePacket) -> Result<(), IngestError> {
        match self.shared.voice.get() {
            Some(track) if !self.shared.is_closing() => track.send(packet).await,
            _ => Err(IngestError::Closed),
        }
    }

    /// Counters as of now.
    pub async fn stats(&self) -> PeerStats {
        let mut stats = *self.shared.stats.lock().unwrap_or_else(PoisonError::into_inner);
        stats.sender_reports = self.shared.timeline().reports();
        let connection = self.live().as_ref().map(|l| Arc::clone(&l.connection));
        if let Some(connection) = connection {
            let report = connection.get_stats(TokioRuntime.now(), StatsSelector::None).await;
            for entry in report.iter() {
                stats.take(entry);
            }
        }
        let channel = self.shared.channel.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(channel) = channel {
            stats.events_waiting_bytes = channel.outstanding_bytes().await.unwrap_or(0);
        }
        stats
    }

    /// Ends the connection and frees its sockets, its port and its tasks. Further calls do nothing.
    pub async fn close(&self) {
        let live = self.live().take();
        if let Some(live) = live {
            end(live, Arc::clone(&self.shared)).await;
        }
    }

    pub(super) fn ice(&self) -> MutexGuard<'_, IceSession> {
        self.ice.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a further negotiation needs; `None` once the peer is closed.
    pub(super) fn renegotiable(&self) -> Option<(Arc<dyn PeerConnection>, Gathered)> {
        self.live().as_ref().map(|l| (Arc::clone(&l.connection), Arc::clone(&l.gathered)))
    }

    /// A further answer, with the addresses under which clients reach us.
    pub(super) fn announce(&self, answer: &str, public: &[IpAddr]) -> Result<String, IngestError> {
        self.live().as_ref().map_or(Err(IngestError::Closed), |l| l.lease.announce(answer, public))
    }

    fn live(&self) -> MutexGuard<'_, Option<Live>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // The library keeps a dropped connection running, so somebody has to close it.
        if let Some(live) = self.live().take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(end(live, Arc::clone(&self.shared)));
        }
    }
}

async fn end(live: Live, shared: Arc<Shared>) {
    shared.closing.store(true, Ordering::Release);
    if !matches!(tokio::time::timeout(CLOSE_TIMEOUT, live.connection.close()).await, Ok(Ok(()))) {
        tracing::warn!("peer connection did not close cleanly");
    }
    let tasks = std::mem::take(&mut *shared.tasks.lock().unwrap_or_else(PoisonError::into_inner));
    for task in tasks {
        task.abort();
        let _ = task.await;
    }
    // Sinks that no track took, and the channel: it refers to the connection, which refers back to us.
    *shared.sinks.lock().unwrap_or_else(PoisonError::into_inner) = (None, None);
    shared.channel.lock().unwrap_or_else(PoisonError::into_inner).take();
    drop(live.connection);
    drop(live.lease);
    shared.events.state(PeerEvent::Closed);
}

async fn watch_connecting(shared: Arc<Shared>, patience: Duration) {
    tokio::time::sleep(patience).await;
    if !shared.connected.load(Ordering::Acquire) {
        let reason = format!("no connection within {patience:?}: can the client reach this server's UDP ports?");
        shared.events.state(PeerEvent::Failed { reason });
    }
}

impl Shared {
    pub(super) fn timeline(&self) -> MutexGuard<'_, Timeline> {
        self.timeline.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn codec_of(&self, payload_type: u8) -> Option<Codec> {
        self.codecs.iter().find(|c| c.payload_type == payload_type).map(|c| c.codec)
    }

    pub(super) fn take_sink(&self, video: bool) -> Option<AnySink> {
        let mut sinks = self.sinks.lock().unwrap_or_else(PoisonError::into_inner);
        if video { sinks.1.take() } else { sinks.0.take() }
    }

    pub(super) fn set_connected(&self) {
        self.connected.store(true, Ordering::Release);
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// The library's driver ended a stream without a word: it met an error, and no state change will follow.
    pub(super) fn transport_stopped(&self) {
        if !self.is_closing() {
            self.events.state(PeerEvent::Failed { reason: "the media transport stopped".to_owned() });
        }
    }

    /// Runs a task until it ends or the peer is closed.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.is_closing() {
            tasks.retain(|t| !t.is_finished());
            tasks.push(tokio::spawn(task));
        }
    }
}

impl PeerStats {
    fn take(&mut self, entry: &RTCStatsReportEntry) {
        match entry {
            RTCStatsReportEntry::InboundRtp(s) => {
                let received = &s.received_rtp_stream_stats;
                let ssrc = received.rtp_stream_stats.ssrc;
                for track in [&mut self.video, &mut self.audio] {
                    if track.ssrc == ssrc && ssrc != 0 {
                        track.lost = received.packets_lost;
                        track.nack = s.nack_count;
                        track.pli = s.pli_count;
                        let rate = track.codec.map_or(90_000, Codec::clock_rate_hz);
                        track.jitter = seconds(received.jitter / f64::from(rate));
                    }
                }
            }
            RTCStatsReportEntry::IceCandidatePair(p) if p.nominated => {
                self.rtt = Some(seconds(p.current_round_trip_time));
            }
            _ => {}
        }
    }
}

fn seconds(s: f64) -> Duration {
    Duration::try_from_secs_f64(s).unwrap_or_default()
}
