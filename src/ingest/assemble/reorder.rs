//! Puts the packets of one RTP stream back in order, waits a little for missing ones, and says where it gave up.
//!
//! In-order packets pass straight through; only a hole costs time. Sequence restarts follow RFC 3550 appendix A.1: a far
//! jump is believed once two packets in a row agree on it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::RtpPacket;
use crate::base::MediaTime;

/// A sequence number further than this from the expected one is a restart or garbage, not reordering.
const MAX_JUMP: i64 = 3_000;

/// One packet in its place, with what went missing just before it.
#[derive(Debug)]
pub(super) struct Ordered {
    pub(super) packet: RtpPacket,
    pub(super) arrival: MediaTime,
    /// Packets given up between the previous packet and this one.
    pub(super) missing: u64,
    /// The sender started a new sequence here.
    pub(super) restarted: bool,
}

/// What became of an arriving packet.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Taken,
    /// Came after its place had been given up, or a second time.
    Late,
    /// Too far from the expected sequence number to believe yet.
    Distrusted,
}

#[derive(Debug)]
pub(super) struct Reorder {
    window: Duration,
    max_packets: usize,
    /// The next sequence number to release, counted on past 16 bits; `None` before the first packet.
    expected: Option<u64>,
    waiting: BTreeMap<u64, (RtpPacket, MediaTime)>,
    /// After a far jump: the number that would confirm it, and the packet that jumped.
    jump: Option<(u16, RtpPacket, MediaTime)>,
    missing: u64,
    restarted: bool,
}

impl Reorder {
    pub(super) fn new(window: Duration, max_packets: usize) -> Self {
        Self {
            window,
            max_packets: max_packets.max(1),
            expected: None,
            waiting: BTreeMap::new(),
            jump: None,
            missing: 0,
            restarted: false,
        }
    }

    /// Takes a packet. Call [`Reorder::pop`] until it is empty afterwards.
    pub(super) fn push(&mut self, packet: RtpPacket, now: MediaTime) -> Verdict {
        // Start well above zero, so that packets from before the first one have a number too.
        let expected = *self.expected.get_or_insert((1 << 32) + u64::from(packet.seq));
        let delta = i64::from(distance(packet.seq, expected));
        if delta.abs() > MAX_JUMP {
            return self.far_jump(packet, now);
        }
        self.jump = None;
        if delta < 0 {
            return Verdict::Late;
        }
        let number = expected.wrapping_add(delta.unsigned_abs());
        match self.waiting.entry(number) {
            std::collections::btree_map::Entry::Occupied(_) => Verdict::Late,
            std::collections::btree_map::Entry::Vacant(slot) => {
                slot.insert((packet, now));
                Verdict::Taken
            }
        }
    }

    fn far_jump(&mut self, packet: RtpPacket, now: MediaTime) -> Verdict {
        match self.jump.take() {
            Some((confirming, first, at)) if confirming == packet.seq => {
                let start = (1 << 32) + u64::from(first.seq);
                // What was waiting belongs to a sequence that is gone.
                self.waiting.clear();
                self.waiting.insert(start, (first, at));
                self.waiting.insert(start + 1, (packet, now));
                self.expected = Some(start);
                self.missing = 0;
                self.restarted = true;
                Verdict::Taken
            }
            _ => {
                self.jump = Some((packet.seq.wrapping_add(1), packet, now));
                Verdict::Distrusted
            }
        }
    }

    /// The next packet in order, or the first one after a hole that has been waited for long enough.
    pub(super) fn pop(&mut self, now: MediaTime) -> Option<Ordered> {
        let expected = self.expected?;
        let (&number, &(_, arrived)) = self.waiting.first_key_value()?;
        let hole = number.saturating_sub(expected);
        let give_up = self.waiting.len() > self.max_packets || now.since(arrived) >= self.window;
        if hole > 0 && !give_up {
            return None;
        }
        let (number, (packet, arrival)) = self.waiting.pop_first()?;
        self.expected = Some(number + 1);
        self.missing += hole;
        Some(Ordered {
            packet,
            arrival,
            missing: std::mem::take(&mut self.missing),
            restarted: std::mem::take(&mut self.restarted),
        })
    }

    /// When [`Reorder::pop`] can next yield something without another packet; `None` when nothing waits.
    pub(super) fn deadline(&self) -> Option<MediaTime> {
        self.waiting.first_key_value().map(|(_, &(_, arrived))| arrived + self.window)
    }
}

/// How far `seq` lies after `expected`, taking the shorter way round.
fn distance(seq: u16, expected: u64) -> i16 {
    let low = u16::try_from(expected & 0xffff).unwrap_or(0);
    i16::from_ne_bytes(seq.wrapping_sub(low).to_ne_bytes())
}

#[cfg(test)]
impl Reorder {
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }
}
