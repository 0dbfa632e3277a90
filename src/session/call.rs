//! A WebRTC call: peer → decoders → the conversation's media queues, and its data channel as one of the conversation's clients.

use std::sync::{Arc, OnceLock};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use super::actor::Msg;
use super::hearing::Calm;
use super::player::{Place, Player};
use super::wiring::MediaIn;
use super::{ClientPort, Outgoing, Services, SessionError};
use crate::base::{AccessUnit, Clock, Codec, LossReason, MediaTime, Pcm};
use crate::decode::{AudioDecoder, DecodeConfig, VideoDecoder};
use crate::dialogue::Setup;
use crate::flow::{Pushed, Tx};
use crate::ingest::{IngestError, MediaSinks, Peer, PeerEvent, PeerEvents, UnitSink};
use crate::watch::Picture;

/// The decoders' way to the peer, which exists only after them.
type PeerCell = Arc<OnceLock<Arc<Peer>>>;

/// A peer whose offer was answered.
pub(super) struct Accepted {
    peer: Arc<Peer>,
    events: PeerEvents,
    /// The session ends with this call: it has no channel for events, and so no client that could come back.
    ends: Option<mpsc::Sender<Msg>>,
    /// Where what is played is told, for a peer that takes our voice.
    voice: Option<Voice>,
}

/// What it takes to play answers.
struct Voice {
    played: Tx<Pcm>,
    news: mpsc::Sender<Msg>,
    clock: Arc<dyn Clock>,
    decode: DecodeConfig,
}

impl Accepted {
    /// Whether answers are played in it.
    pub(super) const fn plays(&self) -> bool {
        self.voice.is_some()
    }

    /// The connection itself.
    pub(super) fn peer(&self) -> Arc<Peer> {
        Arc::clone(&self.peer)
    }

    /// With this call ends the session behind `inbox`.
    pub(super) fn ends_with_it(&mut self, inbox: mpsc::Sender<Msg>) {
        self.ends = Some(inbox);
    }

    /// Nobody wants it after all.
    pub(super) async fn close(self) {
        self.peer.close().await;
    }
}

/// Whether an offer has sound, and pictures.
pub(super) fn media_of(offer: &str) -> (bool, bool) {
    let has = |kind: &str| offer.lines().any(|l| l.starts_with(kind));
    (has("m=audio"), has("m=video"))
}

/// Whether a client offers a channel for events: one that only streams, as by WHIP, does not.
pub(super) fn has_events(offer: &str) -> bool {
    offer.lines().any(|l| l.starts_with("m=application"))
}

/// Answers are spoken on a track where the offer has room for one; a data channel is no place for sound. Of a call without one the events go
/// to WebSockets, and so does the sound.
pub(super) fn place_voice(setup: &mut Setup, services: &Services, offer: &str) {
    setup.voice_track = services.ingest.speaks_to(offer);
    if !setup.voice_track && has_events(offer) {
        setup.names.voice = None;
    }
}

/// Answers an offer; what comes is decoded into `media`.
pub(super) async fn accept(
    services: &Services,
    media: MediaIn,
    offer: &str,
) -> Result<(Accepted, String), SessionError> {
    let cell = PeerCell::default();
    let (played, news) = (media.played.clone(), media.news.clone());
    let sinks = sinks(services, media, &cell);
    let clock = Arc::clone(&services.clock);
    let (peer, events, answer) = Peer::accept(offer, &services.ingest, &services.ports, clock, sinks).await?;
    let peer = Arc::new(peer);
    let _ = cell.set(Arc::clone(&peer));
    let (clock, decode) = (Arc::clone(&services.clock), services.decode.clone());
    let voice = peer.has_voice().then_some(Voice { played, news, clock, decode });
    Ok((Accepted { peer, events, ends: None, voice }, answer))
}

/// Starts the call's task: events go between its data channel and `port` until either ends, or the session does.
pub(super) fn start(accepted: Accepted, port: ClientPort, tasks: &TaskTracker, ended: CancellationToken) {
    let Accepted { peer, events, ends, voice } = accepted;
    let player = voice.map(|Voice { played, news, clock, decode }| {
        Player::new(Place { out: news, played, clock, peer: Arc::clone(&peer), decode })
    });
    let task = CallTask { peer: Arc::clone(&peer), events, port, open: false };
    let call = async move {
        match player {
            Some(player) => tokio::select! { () = task.run() => {}, () = player.run() => {} },
            None => task.run().await,
        }
    };
    tasks.spawn(async move {
        // With the task goes its port, by which the session learns that its client is gone.
        ended.run_until_cancelled(call).await;
        if let Some(session) = ends {
            let _ = session.send(Msg::Close { reason: "what streamed into it is gone".into() }).await;
        }
        peer.close().await;
    });
}

fn sinks(services: &Services, media: MediaIn, cell: &PeerCell) -> MediaSinks {
    let MediaIn { frames, sound, calm, .. } = media;
    let mut video = VideoLane { services: services.clone(), frames, peer: Arc::clone(cell), decoder: None };
    let audio = AudioLane { services: services.clone(), sound, calm, decoder: None };
    MediaSinks { video: Box::new(move |unit| video.push(unit)), audio: Box::new(audio) }
}

/// Video units into the decoder of their codec; a change of codec makes a new decoder.
struct VideoLane {
    services: Services,
    frames: Tx<Picture>,
    peer: PeerCell,
    decoder: Option<(Codec, VideoDecoder)>,
}

impl VideoLane {
    fn push(&mut self, unit: AccessUnit) {
        if self.decoder.as_ref().is_none_or(|(codec, _)| *codec != unit.codec) {
            self.decoder = None; // the old one goes before the new one comes
            // Building a graph takes milliseconds, once per codec; the runtime moves its other work meanwhile.
            match tokio::task::block_in_place(|| self.start(unit.codec)) {
                Ok(decoder) => self.decoder = Some((unit.codec, decoder)),
                Err(e) => {
                    warn!(error = %e, codec = unit.codec.name(), "video decoder does not start");
                    count("sightline_frames_lost_total", LossReason::Corrupt);
                    return;
                }
            }
        }
        if let Some((_, decoder)) = &mut self.decoder {
            decoder.push(unit);
        }
    }

    fn start(&self, codec: Codec) -> Result<VideoDecoder, crate::decode::DecodeError> {
        let frames = self.frames.clone();
        let sink = move |picture: Picture| match frames.push(picture) {
            Pushed::Displaced(_) => count("sightline_frames_lost_total", LossReason::Superseded),
            Pushed::Stored | Pushed::Refused(_) | Pushed::Closed(_) => {}
        };
        let peer = Arc::clone(&self.peer);
        let ask = move || {
            if let Some(peer) = peer.get() {
                peer.request_keyframe();
            }
        };
        VideoDecoder::start(codec, &self.services.decode, Arc::clone(&self.services.clock), sink, ask)
    }
}

/// Audio units into the Opus decoder.
struct AudioLane {
    services: Services,
    sound: Tx<Pcm>,
    calm: Calm,
    decoder: Option<AudioDecoder>,
}

impl UnitSink for AudioLane {
    fn push(&mut self, unit: AccessUnit) {
        if self.decoder.is_none() {
            match tokio::task::block_in_place(|| self.start(unit.codec)) {
                Ok(decoder) => self.decoder = Some(decoder),
                Err(e) => return warn!(error = %e, "audio decoder does not start"),
            }
        }
        if let Some(decoder) = &mut self.decoder {
            decoder.be_patient(self.calm.is_set());
            decoder.push(unit);
        }
    }

    /// Silence is invented while it is left out only where somebody waits for it.
    fn due(&self) -> Option<MediaTime> {
        self.decoder.as_ref().filter(|_| !self.calm.is_set())?.fill_due()
    }

    fn on_due(&mut self, now: MediaTime) {
        if let Some(decoder) = &mut self.decoder {
            decoder.fill(now);
        }
    }
}

impl AudioLane {
    fn start(&self, codec: Codec) -> Result<AudioDecoder, crate::decode::DecodeError> {
        let sound = self.sound.clone();
        let sink = move |pcm: Pcm| {
            if let Pushed::Refused(_) = sound.push(pcm) {
                count("sightline_audio_lost_total", LossReason::AudioOverflow);
            }
        };
        AudioDecoder::start(codec, &self.services.decode, Arc::clone(&self.services.clock), sink)
    }
}

pub(super) fn count(name: &'static str, reason: LossReason) {
    metrics::counter!(name, "reason" => reason.label()).increment(1);
}

/// Moves events between the data channel and the conversation until the call ends.
struct CallTask {
    peer: Arc<Peer>,
    events: PeerEvents,
    port: ClientPort,
    open: bool,
}

impl CallTask {
    async fn run(mut self) {
        loop {
            tokio::select! {
                event = self.events.next() => match event {
                    Some(event) => if let Some(reason) = self.on_peer(event) {
                        info!(reason, "call ended");
                        return;
                    },
                    None => return,
                },
                outgoing = self.port.next(), if self.open => match outgoing {
                    Outgoing::Event(text) => self.send(&text).await,
                    Outgoing::TooSlow(full) => return warn!(error = %full, "data channel reader too slow"),
                    Outgoing::Ended(reason) => return info!(reason, "call ended"),
                },
            }
        }
    }

    /// Why the call is over, if it is.
    fn on_peer(&mut self, event: PeerEvent) -> Option<String> {
        match event {
            PeerEvent::DataOpen { .. } => self.open = true,
            PeerEvent::DataMessage(text) => self.port.send(&text),
            PeerEvent::DataClosed { .. } => return Some("the client closed its data channel".into()),
            PeerEvent::Failed { reason } => return Some(reason),
            PeerEvent::Closed => return Some("the peer is closed".into()),
            PeerEvent::Disconnected { reason } => info!(reason, "call disconnected, waiting for it to come back"),
            PeerEvent::Connected | PeerEvent::TrackOpen { .. } | PeerEvent::TrackClosed { .. } => {}
        }
        None
    }

    async fn send(&mut self, text: &str) {
        match self.peer.send_event(text).await {
            Ok(()) => {}
            Err(IngestError::EventTooLarge { .. }) => {
                self.port.refuse("event_too_large", "an event for you was larger than the data channel takes; attach a WebSocket with ?call_id= to get such events");
            }
            Err(e) => warn!(error = %e, "event not sent"),
        }
    }
}
