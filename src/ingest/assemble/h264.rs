//! H.264 in packetization modes 0 and 1, RFC 6184: single NAL units, STAP-A and FU-A become an Annex B byte stream.
//!
//! Parameter sets are remembered and put before a keyframe that comes without them, so that a decoder started in the
//! middle (or restarted) can begin at any keyframe.

use bytes::{Bytes, BytesMut};

use super::Fault;

const START_CODE: [u8; 4] = [0, 0, 0, 1];
/// All remembered parameter sets together; real ones are tens of bytes.
const MAX_PARAMETER_BYTES: usize = 8 << 10;

#[derive(Debug, Default)]
pub(super) struct H264 {
    data: BytesMut,
    /// Inside a fragmented NAL unit.
    fragment: bool,
    keyframe: bool,
    has_sps: bool,
    /// `None` before the first slice; whether that slice begins the picture.
    begins: Option<bool>,
    /// Where the NAL unit being fragmented starts in `data`.
    nal_at: usize,
    /// Annex B copies of the latest parameter sets.
    parameters: BytesMut,
}

impl H264 {
    pub(super) fn push(&mut self, payload: &Bytes, first: bool, max: usize) -> Result<(), Fault> {
        let kind = payload.first().ok_or(Fault::Corrupt)? & 0x1f;
        if first {
            self.reset();
        }
        if self.fragment && kind != 28 {
            return Err(Fault::Incomplete);
        }
        match kind {
            1..=23 => self.nal(payload, max),
            24 => self.aggregate(payload, max),
            28 => self.fragment(payload, max),
            // 0, 25..=27, 29..=31: reserved, or interleaved mode, which we never negotiate.
            _ => Err(Fault::Corrupt),
        }
    }

    pub(super) fn finish(&mut self) -> Result<(Bytes, bool), Fault> {
        let whole = !self.fragment && self.begins != Some(false);
        // Without parameter sets, sent now or before, no decoder can begin.
        let keyframe = self.keyframe && (self.has_sps || !self.parameters.is_empty());
        let mut data = self.data.split();
        if keyframe && !self.has_sps && !self.parameters.is_empty() {
            let mut with = BytesMut::with_capacity(self.parameters.len() + data.len());
            with.extend_from_slice(&self.parameters);
            with.extend_from_slice(&data);
            data = with;
        }
        self.reset();
        if whole { Ok((data.freeze(), keyframe)) } else { Err(Fault::Incomplete) }
    }

    pub(super) fn reset(&mut self) {
        self.data.clear();
        self.fragment = false;
        self.keyframe = false;
        self.has_sps = false;
        self.begins = None;
    }

    fn room(&self, more: usize, max: usize) -> Result<(), Fault> {
        if self.data.len() + more + START_CODE.len() > max { Err(Fault::Corrupt) } else { Ok(()) }
    }

    fn nal(&mut self, nal: &[u8], max: usize) -> Result<(), Fault> {
        self.room(nal.len(), max)?;
        self.data.extend_from_slice(&START_CODE);
        self.data.extend_from_slice(nal);
        self.note(nal);
        Ok(())
    }

    fn aggregate(&mut self, payload: &[u8], max: usize) -> Result<(), Fault> {
        let mut rest = &payload[1..];
        if rest.is_empty() {
            return Err(Fault::Corrupt);
        }
        while let Some((size, tail)) = rest.split_first_chunk::<2>() {
            let size = usize::from(u16::from_be_bytes(*size));
            let nal = tail.get(..size).filter(|n| !n.is_empty()).ok_or(Fault::Corrupt)?;
            if !(1..=23).contains(&(nal[0] & 0x1f)) {
                return Err(Fault::Corrupt);
            }
            self.nal(nal, max)?;
            rest = &tail[size..];
        }
        if rest.is_empty() { Ok(()) } else { Err(Fault::Corrupt) }
    }

    fn fragment(&mut self, payload: &[u8], max: usize) -> Result<(), Fault> {
        let (&[indicator, header], part) = payload.split_first_chunk::<2>().ok_or(Fault::Corrupt)?;
        let (start, end) = (header & 0x80 != 0, header & 0x40 != 0);
        if part.is_empty() || (start && end) {
            return Err(Fault::Corrupt);
        }
        if start == self.fragment {
            return Err(Fault::Incomplete);
        }
        self.room(part.len() + 1, max)?;
        if start {
            self.data.extend_from_slice(&START_CODE);
            self.nal_at = self.data.len();
            self.data.extend_from_slice(&[indicator & 0xe0 | header & 0x1f]);
        }
        self.data.extend_from_slice(part);
        self.fragment = !end;
        if end {
            let nal = self.data.split_off(self.nal_at);
            self.note(&nal);
            self.data.unsplit(nal);
        }
        Ok(())
    }

    /// Learns from a whole NAL unit what the access unit is.
    fn note(&mut self, nal: &[u8]) {
        match nal[0] & 0x1f {
            // A slice; first_mb_in_slice is Exp-Golomb, so 0 is a set first bit.
            kind @ (1 | 5) => {
                self.keyframe |= kind == 5;
                let first_mb_is_zero = nal.get(1).is_some_and(|b| b & 0x80 != 0);
                self.begins.get_or_insert(first_mb_is_zero);
            }
            7 => {
                if !std::mem::replace(&mut self.has_sps, true) {
                    self.parameters.clear();
                }
                self.remember(nal);
            }
            8 => self.remember(nal),
            _ => {}
        }
    }

    fn remember(&mut self, nal: &[u8]) {
        if self.parameters.len() + nal.len() + START_CODE.len() <= MAX_PARAMETER_BYTES {
            self.parameters.extend_from_slice(&START_CODE);
            self.parameters.extend_from_slice(nal);
        }
    }
}
