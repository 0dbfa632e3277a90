//! Opus packets of one live stream → 40 ms buffers of 16 kHz mono.
//!
//! Floor 2. In: [`AccessUnit`] (one Opus packet). Out: [`Pcm`] of exactly 640 samples, on GStreamer's thread, times without jitter.
//! Packets of 20 ms are decoded two at a time, where the first would not fill a buffer: nothing comes out later, and the graph runs half as often. While nobody
//! speaks, two buffers' worth are ([`AudioDecoder::be_patient`]): waking the graph and the listener costs more than the sound does.
//! A sender that is asked to (`usedtx=1`) says that there will be silence, and then sends hardly anything (discontinuous transmission). What it leaves out
//! is invented when something comes again, or, where somebody waits for it, as time goes on ([`AudioDecoder::fill`]). What a muted microphone leaves out is nothing.
//! Loses: `Corrupt` (a packet that breaks the format; its time is concealed), `AudioOverflow` (a defect of ours).

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use gstreamer as gst;

use crate::base::{AccessUnit, Clock, Codec, LossReason, MediaTime, Pcm};

use super::counters::{Counters, DecodeStats};
use super::frame;
use super::framer::{Framer, MAX_SILENCE};
use super::graph::{Graph, GraphName};
use super::live::{Live, Polled, Recipe};
use super::opus::{announces_silence, is_single, join, packet_duration};
use super::timeline::{Before, MAX_UNSENT, Mark, Offsets, Place, Timeline};
use super::{DecodeConfig, DecodeError, init};

/// What is decoded at once while nobody speaks.
const UNHURRIED: Duration = Duration::from_millis(80);
/// What is invented at a time while a sender is silent and somebody waits.
const FILL: Duration = Duration::from_millis(40);
/// The longest packet (RFC 6716 §3.2.5, R5), and the most that libopus makes up at once.
const PACKET_MOST: gst::ClockTime = gst::ClockTime::from_mseconds(120);
/// So late the sound after a silence may come and still not find its place taken. What comes later than that is behind its time for a while, nothing else.
const JITTER: Duration = Duration::from_millis(20);

/// One live audio stream's decoder. Dropping it stops its graph and joins its threads, which blocks for some milliseconds: drop it on a
/// blocking thread.
pub struct AudioDecoder {
    cfg: DecodeConfig,
    clock: Arc<dyn Clock>,
    shared: Arc<Shared>,
    live: Live,
    timeline: Timeline,
    /// Waits here while the graph is being replaced; with what waits inside the graph never more than `audio_queue`.
    backlog: VecDeque<Item>,
    /// Waits for the packet after it.
    held: Option<Packet>,
    patient: bool,
    /// The sender said that it would be silent: when the next of its silence is to be invented, and until when it is believed.
    silent: Option<(MediaTime, MediaTime)>,
}

/// One on its way into the graph.
struct Packet {
    data: Bytes,
    /// Stream time in microseconds.
    at: u64,
    duration: Duration,
}

/// What goes into the graph, in order.
enum Item {
    Packet(gst::Buffer),
    Hole(gst::Event),
}

struct Shared {
    counters: Counters,
    /// Stream time plus this is session time.
    offsets: Mutex<Offsets>,
    out: Mutex<Out>,
    /// Samples that wait in the framer.
    level: AtomicUsize,
    /// There was nothing to hear in what came out last: a microphone is muted.
    muted: AtomicBool,
}

struct Out {
    framer: Framer,
    sink: Box<dyn FnMut(Pcm) + Send>,
}

impl AudioDecoder {
    /// Starts the Opus graph. Blocks (reads the graph, loads plugins, starts threads): not for a tokio worker.
    ///
    /// `sink` gets every buffer, on GStreamer's thread; it must not block.
    ///
    /// # Errors
    /// `codec` is not Opus, or its graph cannot be built or started.
    pub fn start(
        codec: Codec,
        cfg: &DecodeConfig,
        clock: Arc<dyn Clock>,
        sink: impl FnMut(Pcm) + Send + 'static,
    ) -> Result<Self, DecodeError> {
        if codec != Codec::Opus {
            return Err(DecodeError::WrongKind(codec));
        }
        init()?;
        let shared = Arc::new(Shared {
            counters: Counters::new(codec),
            offsets: Mutex::default(),
            out: Mutex::new(Out { framer: Framer::of_packets(), sink: Box::new(sink) }),
            level: AtomicUsize::new(0),
            muted: AtomicBool::new(false),
        });
        let on_sample = Arc::clone(&shared);
        let live = Live::start(Recipe {
            graph: Graph::load(GraphName::Codec(codec), cfg)?,
            on_sample: Arc::new(move |sample| on_sample.on_sample(&sample)),
            valve: None,
            newest_wins: false,
        })?;
        Ok(Self {
            cfg: cfg.clone(),
            clock,
            shared,
            live,
            timeline: Timeline::default(),
            backlog: VecDeque::new(),
            held: None,
            patient: false,
            silent: None,
        })
    }

    /// Takes the next packet. Never blocks and never fails: what cannot be decoded is counted and concealed.
    pub fn push(&mut self, unit: AccessUnit) {
        self.shared.counters.pushed();
        if let Polled::Failed(why) = self.live.poll(self.clock.now()) {
            tracing::debug!(why, "audio decoder failed; restarting it");
            self.shared.counters.failed();
            self.shared.counters.lost(LossReason::Corrupt);
        }
        let duration = if unit.codec == Codec::Opus { packet_duration(&unit.data) } else { None };
        let Some(duration) = duration else {
            self.shared.counters.lost(LossReason::Corrupt);
            return self.drain();
        };
        if self.waiting() >= self.cfg.audio_queue {
            self.shared.counters.lost(LossReason::AudioOverflow);
            return self.drain();
        }
        let before = match self.silent.take() {
            _ if !unit.contiguous => Before::Loss,
            Some(_) => Before::Silence,
            None => Before::Packet,
        };
        if announces_silence(&unit.data) {
            self.silent = Some((unit.arrival + FILL + JITTER, unit.arrival + MAX_UNSENT));
        }
        let place = self.timeline.place(unit.capture, duration, before);
        // Of nothing the decoder would make up nothing.
        let missing = !place.conceal.is_zero();
        let unsent = missing && before == Before::Silence && self.shared.muted.load(Ordering::Relaxed);
        self.shared.note(&place, unsent);
        let packet = Packet { data: unit.data, at: place.at, duration };
        if missing && !unsent {
            let at = MediaTime::from_micros(place.at).saturating_sub(place.conceal);
            self.invent(at.as_micros(), place.conceal);
        }
        let packet = match self.held.take() {
            None => packet,
            Some(first) => match first.with(&packet) {
                Some(both) => both,
                None => {
                    self.backlog.push_back(first.item());
                    packet
                }
            },
        };
        if self.may_wait(&packet) {
            self.held = Some(packet);
        } else {
            self.backlog.push_back(packet.item());
        }
        self.drain();
    }

    /// Whether sound may come out up to 40 ms late: nobody speaks, and nobody waits for what is heard.
    pub const fn be_patient(&mut self, patient: bool) {
        self.patient = patient;
    }

    /// When silence is next to be invented that the sender leaves out; `None` where it left out none, or has been gone for so long that this is no silence.
    #[must_use]
    pub fn fill_due(&self) -> Option<MediaTime> {
        self.silent.filter(|(due, until)| due <= until).map(|(due, _)| due)
    }

    /// Invents what is due of it: for a listener who waits for somebody to have been silent for so long.
    pub fn fill(&mut self, now: MediaTime) {
        while let Some(due) = self.fill_due().filter(|due| *due <= now) {
            self.silent = self.silent.map(|(due, until)| (due + FILL, until));
            if self.waiting() >= self.cfg.audio_queue {
                self.shared.counters.lost(LossReason::AudioOverflow);
                continue;
            }
            let Some(place) = self.timeline.fill(FILL, due) else { continue };
            self.shared.note(&place, false);
            tracing::trace!(%due, "silence that was not sent");
            self.invent(place.at, place.conceal);
        }
        self.drain();
    }

    /// Has the decoder make up `length` from stream time `at` on, behind what waits.
    fn invent(&mut self, at: u64, length: Duration) {
        self.release();
        let (mut at, end) = (gst::ClockTime::from_useconds(at), MediaTime::from_micros(at) + length);
        let end = gst::ClockTime::from_useconds(end.as_micros());
        while at < end {
            let piece = (end - at).min(PACKET_MOST);
            self.backlog.push_back(Item::Hole(gst::event::Gap::builder(at).duration(piece).build()));
            at += piece;
        }
    }

    /// Whether nothing would come out of it before the next one anyway, or nobody waits for it.
    fn may_wait(&self, packet: &Packet) -> bool {
        if self.patient {
            return packet.duration < UNHURRIED;
        }
        let samples = packet.duration.as_micros() * u128::from(Pcm::RATE_HZ) / 1_000_000;
        let full = self.shared.level.load(Ordering::Relaxed) as u128 + samples >= Pcm::BUFFER_SAMPLES as u128;
        !full && is_single(&packet.data)
    }

    /// What waits for the next one goes by itself.
    fn release(&mut self) {
        self.backlog.extend(self.held.take().map(Packet::item));
    }

    /// Figures since the start.
    #[must_use]
    pub fn stats(&self) -> DecodeStats {
        self.shared.counters.stats()
    }

    fn waiting(&self) -> u64 {
        self.backlog.len() as u64 + self.live.running().map_or(0, |g| g.level())
    }

    fn drain(&mut self) {
        let Some(graph) = self.live.running() else { return };
        for item in self.backlog.drain(..) {
            match item {
                Item::Packet(buffer) => graph.push(buffer),
                Item::Hole(event) => graph.send(event),
            }
        }
    }
}

impl Packet {
    /// Both in one; `None` where the other does not follow at once, or is coded differently.
    fn with(&self, next: &Self) -> Option<Self> {
        let length = u64::try_from(self.duration.as_micros()).ok()?;
        let follows = self.at.checked_add(length) == Some(next.at);
        let data = join(&self.data, &next.data).filter(|_| follows)?;
        Some(Self { data, at: self.at, duration: self.duration + next.duration })
    }

    fn item(self) -> Item {
        let mut buffer = gst::Buffer::from_slice(self.data);
        if let Some(b) = buffer.get_mut() {
            b.set_pts(gst::ClockTime::from_useconds(self.at));
            b.set_duration(gst::ClockTime::try_from(self.duration).ok());
        }
        Item::Packet(buffer)
    }
}

impl Shared {
    fn note(&self, place: &Place, unsent: bool) {
        let mark = Mark { at: place.at, offset: place.offset, unsent };
        self.offsets.lock().unwrap_or_else(PoisonError::into_inner).note(mark);
    }

    fn on_sample(&self, sample: &gst::Sample) -> Result<(), String> {
        let at = MediaTime::from_micros(frame::pts_ns(sample).ok_or("sound without a time")? / 1_000);
        let samples = frame::samples_f32(sample)?;
        let (offset, unsent) = self.offsets.lock().unwrap_or_else(PoisonError::into_inner).of(at.as_micros());
        self.muted.store(Pcm::is_nothing(&samples), Ordering::Relaxed);
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        let Out { framer, sink } = &mut *out;
        let most = if unsent { 2 * MAX_UNSENT } else { MAX_SILENCE };
        framer.push_after(most, &samples, at, &mut |pcm| {
            self.counters.out();
            let start = MediaTime::from_micros(pcm.start.as_micros().saturating_add_signed(offset));
            sink(Pcm { start, ..pcm });
        });
        self.level.store(framer.level(), Ordering::Relaxed);
        Ok(())
    }
}
