//! The task that plays a call's spoken answers: sound in pieces → a frame every 20 ms → the encoder → the peer's track, and what is played →
//! the listener, whose echo canceller takes it out of what the microphone hears.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::actor::{Msg, sleep};
use super::call::count;
use super::pacer::{Clip, Frame, Pacer};
use crate::base::{Clock, LossReason, Pcm};
use crate::decode::{DecodeConfig, DecodeError, VoiceEncoder, WireAudio, decode_speech};
use crate::flow::{Pushed, Rx, SESSION_TO_PLAYER, Tx, VOICE_TO_PEER, WhenFull, queue};
use crate::ingest::{Peer, VoicePacket};
use crate::wire::{WireError, code};

/// What the session tells the player.
#[derive(Debug)]
pub(super) enum PlayCommand {
    /// Play this behind what is there: signed 16-bit little-endian mono at 24 kHz.
    Play { id: u64, sound: Bytes },
    /// Throw away what is left.
    Hush,
    /// Stand still, or go on.
    Hold(bool),
}

/// The task. See [`Player::run`].
pub(super) struct Player {
    out: mpsc::Sender<Msg>,
    played: Tx<Pcm>,
    clock: Arc<dyn Clock>,
    peer: Arc<Peer>,
    decode: DecodeConfig,
    pacer: Pacer,
    /// Made with the first sound: most calls are never spoken in.
    encoder: Option<VoiceEncoder>,
    /// It could not be started; time passes all the same.
    broken: bool,
    packets: (Tx<VoicePacket>, Rx<VoicePacket>),
}

/// Where the player stands.
pub(super) struct Place {
    pub(super) out: mpsc::Sender<Msg>,
    pub(super) played: Tx<Pcm>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) peer: Arc<Peer>,
    pub(super) decode: DecodeConfig,
}

impl Player {
    pub(super) fn new(place: Place) -> Self {
        let Place { out, played, clock, peer, decode } = place;
        let packets = queue(VOICE_TO_PEER, WhenFull::DropOldest);
        Self { out, played, clock, peer, decode, pacer: Pacer::default(), encoder: None, broken: false, packets }
    }

    /// Runs until the session goes, or takes another player.
    pub(super) async fn run(mut self) {
        let (orders, mut commands) = mpsc::channel(SESSION_TO_PLAYER.capacity);
        let _ = self.out.send(Msg::Player(orders)).await;
        loop {
            let wait = self.pacer.deadline().map(|at| at.since(self.clock.now()));
            tokio::select! {
                command = commands.recv() => match command {
                    Some(PlayCommand::Play { id, sound }) => self.take(id, sound).await,
                    Some(PlayCommand::Hush) => self.pacer.clear(),
                    Some(PlayCommand::Hold(on)) => self.pacer.hold(on, self.clock.now()),
                    None => return,
                },
                Some(packet) = self.packets.1.recv() => self.send(packet).await,
                () = sleep(wait) => self.play_due().await,
            }
        }
    }

    async fn send(&self, packet: VoicePacket) {
        if let Err(error) = self.peer.send_voice(packet).await {
            tracing::debug!(%error, "a packet of the voice was not sent");
        }
    }

    async fn take(&mut self, id: u64, sound: Bytes) {
        if self.encoder.is_none() && !self.broken {
            match tokio::task::block_in_place(|| self.start()) {
                Ok(encoder) => self.encoder = Some(encoder),
                Err(e) => {
                    self.broken = true;
                    let text =
                        format!("the voice cannot be encoded ({e}); answers are heard by nobody, and read by all");
                    tracing::warn!("{text}");
                    let _ = self.out.send(Msg::Complaint(WireError::server(code::VOICE, text))).await;
                }
            }
        }
        // The same sound at the rate in which the microphone is listened to.
        let echo = decode_speech(&sound, WireAudio::Pcm16 { rate_hz: 24_000 }).unwrap_or_else(|e| {
            tracing::warn!(error = %e, "what is played cannot be taken out of what is heard");
            Vec::new()
        });
        self.pacer.push(Clip { id, sound, echo }, self.clock.now());
    }

    fn start(&self) -> Result<VoiceEncoder, DecodeError> {
        let packets = self.packets.0.clone();
        let sink = move |data: Bytes, timestamp: u32, first: bool| {
            if let Pushed::Displaced(_) = packets.push(VoicePacket { data, timestamp, first }) {
                count_lost(LossReason::VoiceBehind);
            }
        };
        VoiceEncoder::start(&self.decode, Arc::clone(&self.clock), sink)
    }

    async fn play_due(&mut self) {
        while let Some(frame) = self.pacer.next(self.clock.now()) {
            let Frame { sound, echo, at, timestamp, first, begins, drained } = frame;
            if let Some(encoder) = &mut self.encoder {
                encoder.push(sound, timestamp, first);
            }
            // What is displaced there nobody has listened for, so there is nothing to take it out of.
            let _ = self.played.push(Pcm { samples: echo.into(), start: at });
            if let Some(id) = begins {
                let _ = self.out.send(Msg::Playing { id }).await;
            }
            if let Some(id) = drained {
                let _ = self.out.send(Msg::Drained { id }).await;
            }
        }
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        // Joining the encoder's threads takes some milliseconds.
        if let (Some(encoder), Ok(runtime)) = (self.encoder.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn_blocking(move || drop(encoder));
        }
    }
}

/// Counts sound of ours that was not heard.
pub(super) fn count_lost(reason: LossReason) {
    count("sightline_audio_lost_total", reason);
}
