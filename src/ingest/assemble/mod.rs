//! RTP packets of one stream to whole access units.
//!
//! Floor 2, but pure: no socket, no clock, no task. In: packets in any order. Out: whole units in order, and what was
//! lost. Loses: `Incomplete` (a packet never came), `NoKeyframe` (units that depend on a lost one), `Corrupt`.
//! A unit that leaves here is byte for byte what the sender packetized; nothing partial ever does.
//! Sources: RFC 3550, RFC 7741 (VP8), RFC 9628 (VP9), RFC 6184 (H.264), RFC 7587 (Opus), AV1 RTP specification v1.0.

mod av1;
mod h264;
mod reorder;
mod vp8;
mod vp9;

#[cfg(test)]
mod tests;

use std::time::Duration;

use bytes::Bytes;

use self::reorder::{Ordered, Reorder, Verdict};
use crate::base::{Codec, Layer, LossReason, MediaTime};

/// The part of an RTP packet that assembly needs. RTX is already undone and padding already cut off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RtpPacket {
    /// Sequence number; wraps.
    pub seq: u16,
    /// Sampling time in ticks of the codec's RTP clock; wraps.
    pub timestamp: u32,
    /// Last packet of a picture (video).
    pub marker: bool,
    /// What follows the header. Empty in padding packets.
    pub payload: Bytes,
}

/// Bounds of one assembler.
#[derive(Debug, Clone)]
pub struct AssemblerConfig {
    /// How long a missing packet is waited for while later ones queue behind it. Default 200 ms for video (two rounds of
    /// NACK at a long distance), 60 ms for audio. Longer adds delay only when something is lost.
    pub reorder_window: Duration,
    /// Packets held back at most, default 512: about 700 kB.
    pub max_packets: usize,
    /// Largest unit, default 2 MiB. Larger ones are dropped as `Corrupt`.
    pub max_unit_bytes: usize,
}

impl AssemblerConfig {
    /// The defaults for `codec`.
    #[must_use]
    pub fn for_codec(codec: Codec) -> Self {
        let ms = if codec.is_video() { 200 } else { 60 };
        Self { reorder_window: Duration::from_millis(ms), max_packets: 512, max_unit_bytes: 2 << 20 }
    }
}

/// One whole encoded unit, before it has a capture time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// The encoded bytes, as [`crate::base::AccessUnit::data`] describes them.
    pub data: Bytes,
    /// RTP time of sampling.
    pub timestamp: u32,
    /// When its last packet reached us.
    pub arrival: MediaTime,
    /// Decodable by itself.
    pub keyframe: bool,
    /// Nothing is missing between this unit and the one before it.
    pub contiguous: bool,
    /// Its temporal layer.
    pub layer: Layer,
}

/// What comes out of the assembler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Assembled {
    /// A whole unit.
    Unit(Unit),
    /// Something was dropped: one entry per unit, or per hole where the number of units is unknown.
    Lost(LossReason),
}

/// Running totals of one assembler.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AssemblerStats {
    /// Packets taken, padding included.
    pub packets: u64,
    /// Payload bytes taken.
    pub bytes: u64,
    /// Packets that carried no payload.
    pub padding: u64,
    /// Packets that came twice or after their place was given up.
    pub late: u64,
    /// Packets given up on.
    pub missing: u64,
    /// Units put out.
    pub units: u64,
    /// Of these, keyframes.
    pub keyframes: u64,
    /// Holes and units dropped as `Incomplete`.
    pub incomplete: u64,
    /// Units dropped as `NoKeyframe`.
    pub no_keyframe: u64,
    /// Units dropped as `Corrupt`.
    pub corrupt: u64,
}

/// Assembles one RTP stream of one codec.
#[derive(Debug)]
pub struct Assembler {
    codec: Codec,
    config: AssemblerConfig,
    reorder: Reorder,
    depay: Depay,
    /// RTP time of the unit being put together.
    open: Option<u32>,
    /// RTP time of a unit already given up: its remaining packets are skipped silently.
    skipping: Option<u32>,
    /// Video only: the decoder has everything it needs to go on.
    synced: bool,
    contiguous: bool,
    starved: bool,
    stats: AssemblerStats,
}

impl Assembler {
    /// An assembler for one stream.
    #[must_use]
    pub fn new(codec: Codec, config: AssemblerConfig) -> Self {
        Self {
            codec,
            reorder: Reorder::new(config.reorder_window, config.max_packets),
            config,
            depay: Depay::new(codec),
            open: None,
            skipping: None,
            synced: !codec.is_video(),
            contiguous: true,
            starved: false,
            stats: AssemblerStats::default(),
        }
    }

    /// Takes one packet that arrived at `now` and appends what became ready to `out`. Never panics, whatever the bytes.
    pub fn push(&mut self, packet: RtpPacket, now: MediaTime, out: &mut Vec<Assembled>) {
        self.stats.packets += 1;
        self.stats.bytes += u64::try_from(packet.payload.len()).unwrap_or(0);
        if self.reorder.push(packet, now) == Verdict::Late {
            self.stats.late += 1;
        }
        self.tick(now, out);
    }

    /// Gives up on what has been waited for long enough. Call at [`Assembler::deadline`].
    pub fn tick(&mut self, now: MediaTime, out: &mut Vec<Assembled>) {
        while let Some(ordered) = self.reorder.pop(now) {
            self.on_ordered(&ordered, out);
        }
    }

    /// When [`Assembler::tick`] must be called next, if no packet comes before.
    #[must_use]
    pub fn deadline(&self) -> Option<MediaTime> {
        self.reorder.deadline()
    }

    /// Units are being dropped for want of a keyframe: ask the sender for one.
    #[must_use]
    pub const fn wants_keyframe(&self) -> bool {
        self.starved
    }

    /// The codec given to [`Assembler::new`].
    #[must_use]
    pub const fn codec(&self) -> Codec {
        self.codec
    }

    /// Totals so far.
    #[must_use]
    pub const fn stats(&self) -> AssemblerStats {
        self.stats
    }

    fn on_ordered(&mut self, ordered: &Ordered, out: &mut Vec<Assembled>) {
        let packet = &ordered.packet;
        if ordered.missing > 0 || ordered.restarted {
            self.stats.missing += ordered.missing;
            self.abandon();
            self.skipping = None;
            self.lose(LossReason::Incomplete, out);
        }
        if packet.payload.is_empty() {
            self.stats.padding += 1;
            return;
        }
        if self.skipping == Some(packet.timestamp) {
            if packet.marker && self.codec.is_video() {
                self.skipping = None;
            }
            return;
        }
        self.skipping = None;
        if self.open.is_some_and(|t| t != packet.timestamp) {
            // The marker was not set, but the packets are in order: the unit before is whole.
            self.finish(ordered.arrival, out);
        }
        let first = self.open.is_none();
        match self.depay.push(&packet.payload, first, self.config.max_unit_bytes) {
            Ok(()) => self.open = Some(packet.timestamp),
            Err(fault) => {
                self.abandon();
                if !packet.marker || !self.codec.is_video() {
                    self.skipping = Some(packet.timestamp);
                }
                // The middle of a unit right after a hole belongs to a loss that is already counted.
                if fault == Fault::Corrupt || self.synced {
                    self.lose(fault.reason(), out);
                }
                return;
            }
        }
        if packet.marker || !self.codec.is_video() {
            self.finish(ordered.arrival, out);
        }
    }

    fn finish(&mut self, arrival: MediaTime, out: &mut Vec<Assembled>) {
        let Some(timestamp) = self.open.take() else { return };
        let layer = self.depay.layer();
        let (data, keyframe) = match self.depay.finish() {
            Ok(done) => done,
            Err(fault) => return self.lose(fault.reason(), out),
        };
        if !self.synced && !keyframe {
            return self.lose(LossReason::NoKeyframe, out);
        }
        self.synced = true;
        self.starved = false;
        self.stats.units += 1;
        self.stats.keyframes += u64::from(keyframe);
        let contiguous = std::mem::replace(&mut self.contiguous, true);
        out.push(Assembled::Unit(Unit { data, timestamp, arrival, keyframe, contiguous, layer }));
    }

    fn abandon(&mut self) {
        self.open = None;
        self.depay.reset();
    }

    fn lose(&mut self, reason: LossReason, out: &mut Vec<Assembled>) {
        self.contiguous = false;
        if self.codec.is_video() {
            self.synced = false;
            self.starved = true;
        }
        match reason {
            LossReason::NoKeyframe => self.stats.no_keyframe += 1,
            LossReason::Corrupt => self.stats.corrupt += 1,
            _ => self.stats.incomplete += 1,
        }
        out.push(Assembled::Lost(reason));
    }
}

/// Why a packet or unit cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Its beginning or end is missing.
    Incomplete,
    /// The bytes are not what the codec's RTP format allows.
    Corrupt,
}

impl Fault {
    const fn reason(self) -> LossReason {
        match self {
            Self::Incomplete => LossReason::Incomplete,
            Self::Corrupt => LossReason::Corrupt,
        }
    }
}

/// The unit under construction, per codec.
#[derive(Debug)]
enum Depay {
    Vp8(vp8::Vp8),
    Vp9(vp9::Vp9),
    H264(h264::H264),
    Av1(av1::Av1),
    Opus(Bytes),
}

impl Depay {
    fn new(codec: Codec) -> Self {
        match codec {
            Codec::Vp8 => Self::Vp8(vp8::Vp8::default()),
            Codec::Vp9 => Self::Vp9(vp9::Vp9::default()),
            Codec::H264 => Self::H264(h264::H264::default()),
            Codec::Av1 => Self::Av1(av1::Av1::default()),
            Codec::Opus => Self::Opus(Bytes::new()),
        }
    }

    /// Adds a packet's payload; `first` when no unit is open.
    fn push(&mut self, payload: &Bytes, first: bool, max: usize) -> Result<(), Fault> {
        match self {
            Self::Vp8(d) => d.push(payload, first, max),
            Self::Vp9(d) => d.push(payload, first, max),
            Self::H264(d) => d.push(payload, first, max),
            Self::Av1(d) => d.push(payload, first, max),
            Self::Opus(data) => {
                *data = payload.clone();
                Ok(())
            }
        }
    }

    /// The whole unit and whether it is a keyframe; empties the builder either way.
    fn finish(&mut self) -> Result<(Bytes, bool), Fault> {
        match self {
            Self::Vp8(d) => d.finish(),
            Self::Vp9(d) => d.finish(),
            Self::H264(d) => d.finish(),
            Self::Av1(d) => d.finish(),
            Self::Opus(data) => Ok((std::mem::take(data), true)),
        }
    }

    /// Of the unit under construction. Read of VP8 only, which browsers send with layers.
    fn layer(&self) -> Layer {
        if let Self::Vp8(d) = self { d.layer() } else { Layer::default() }
    }

    fn reset(&mut self) {
        match self {
            Self::Vp8(d) => d.reset(),
            Self::Vp9(d) => d.reset(),
            Self::H264(d) => d.reset(),
            Self::Av1(d) => d.reset(),
            Self::Opus(data) => data.clear(),
        }
    }
}

/// Bytes of a unit; a unit in one packet is passed on without a copy.
#[derive(Debug, Default)]
struct Body {
    first: Bytes,
    rest: bytes::BytesMut,
}

impl Body {
    fn push(&mut self, part: Bytes, max: usize) -> Result<(), Fault> {
        if self.len() + part.len() > max {
            return Err(Fault::Corrupt);
        }
        if self.first.is_empty() && self.rest.is_empty() {
            self.first = part;
            return Ok(());
        }
        if self.rest.is_empty() {
            self.rest.extend_from_slice(&self.first);
            self.first.clear();
        }
        self.rest.extend_from_slice(&part);
        Ok(())
    }

    fn len(&self) -> usize {
        self.first.len() + self.rest.len()
    }

    fn take(&mut self) -> Bytes {
        let first = std::mem::take(&mut self.first);
        if self.rest.is_empty() { first } else { self.rest.split().freeze() }
    }

    fn reset(&mut self) {
        self.first.clear();
        self.rest.clear();
    }
}
