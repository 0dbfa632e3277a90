//! VP8 payload descriptor, RFC 7741 §4.2, and the first bytes of the frame header, RFC 6386 §9.1.

use bytes::Bytes;

use super::{Body, Fault};

#[derive(Debug, Default)]
pub(super) struct Vp8 {
    body: Body,
    keyframe: bool,
}

impl Vp8 {
    pub(super) fn push(&mut self, payload: &Bytes, first: bool, max: usize) -> Result<(), Fault> {
        let (length, starts) = descriptor(payload).ok_or(Fault::Corrupt)?;
        let part = payload.slice(length..);
        if part.is_empty() {
            return Err(Fault::Corrupt);
        }
        if first {
            if !starts {
                return Err(Fault::Incomplete);
            }
            self.keyframe = part[0] & 1 == 0;
            // A keyframe begins with a 3-byte tag and the start code 9d 01 2a.
            if self.keyframe && part.get(3..6) != Some(&[0x9d, 0x01, 0x2a]) {
                return Err(Fault::Corrupt);
            }
        }
        self.body.push(part, max)
    }

    pub(super) fn finish(&mut self) -> Result<(Bytes, bool), Fault> {
        Ok((self.body.take(), self.keyframe))
    }

    pub(super) fn reset(&mut self) {
        self.body.reset();
    }
}

/// Length of the descriptor, and whether the packet starts a frame (S set, partition 0); `None` when cut short.
fn descriptor(p: &[u8]) -> Option<(usize, bool)> {
    let head = *p.first()?;
    let starts = head & 0x10 != 0 && head & 0x07 == 0;
    let mut at = 1;
    if head & 0x80 != 0 {
        let ext = *p.get(at)?;
        at += 1;
        if ext & 0x80 != 0 {
            at += if p.get(at)? & 0x80 != 0 { 2 } else { 1 };
        }
        at += usize::from(ext & 0x40 != 0);
        at += usize::from(ext & 0x30 != 0);
    }
    (at <= p.len()).then_some((at, starts))
}
