//! VP9 payload descriptor, RFC 9628 §4.2. Several spatial layers of one picture leave as one superframe (VP9 bitstream
//! specification, annex B), because a decoder needs the index to tell them apart.

use bytes::{BufMut, Bytes, BytesMut};

use super::{Body, Fault};

/// A superframe holds at most eight frames.
const MAX_LAYERS: usize = 8;

#[derive(Debug, Default)]
pub(super) struct Vp9 {
    body: Body,
    /// Sizes of the finished layer frames.
    layers: Vec<usize>,
    keyframe: bool,
    inside: bool,
}

struct Descriptor {
    length: usize,
    begins: bool,
    ends: bool,
    inter: bool,
    base_layer: bool,
}

impl Vp9 {
    pub(super) fn push(&mut self, payload: &Bytes, first: bool, max: usize) -> Result<(), Fault> {
        let d = descriptor(payload).ok_or(Fault::Corrupt)?;
        let part = payload.slice(d.length..);
        if part.is_empty() {
            return Err(Fault::Corrupt);
        }
        if first {
            if !d.begins || !d.base_layer {
                return Err(Fault::Incomplete);
            }
            // frame_marker is 10; a shown-again frame or an inter frame is no keyframe.
            if part[0] & 0xc0 != 0x80 {
                return Err(Fault::Corrupt);
            }
            self.keyframe = !d.inter && part[0] & 0x0c == 0;
        }
        if d.begins == self.inside {
            return Err(Fault::Incomplete);
        }
        self.inside = !d.ends;
        self.body.push(part, max)?;
        if d.ends {
            if self.layers.len() == MAX_LAYERS {
                return Err(Fault::Corrupt);
            }
            let before: usize = self.layers.iter().sum();
            self.layers.push(self.body.len() - before);
        }
        Ok(())
    }

    pub(super) fn finish(&mut self) -> Result<(Bytes, bool), Fault> {
        let whole = !self.inside && !self.layers.is_empty();
        let layers = std::mem::take(&mut self.layers);
        let data = self.body.take();
        self.reset();
        if !whole {
            return Err(Fault::Incomplete);
        }
        let data = if layers.len() > 1 { superframe(&data, &layers) } else { data };
        Ok((data, self.keyframe))
    }

    pub(super) fn reset(&mut self) {
        self.body.reset();
        self.layers.clear();
        self.inside = false;
    }
}

fn superframe(frames: &[u8], sizes: &[usize]) -> Bytes {
    // Four bytes per size: always valid, and layers are few.
    let marker = 0xc0 | (3 << 3) | u8::try_from(sizes.len() - 1).unwrap_or(0);
    let mut out = BytesMut::with_capacity(frames.len() + 2 + 4 * sizes.len());
    out.put_slice(frames);
    out.put_u8(marker);
    for &size in sizes {
        out.put_u32_le(u32::try_from(size).unwrap_or(u32::MAX));
    }
    out.put_u8(marker);
    out.freeze()
}

fn descriptor(p: &[u8]) -> Option<Descriptor> {
    let head = *p.first()?;
    let on = |bit: u8| head & bit != 0;
    let (inter, flexible) = (on(0x40), on(0x10));
    let mut at = 1;
    if on(0x80) {
        at += if p.get(at)? & 0x80 != 0 { 2 } else { 1 };
    }
    let mut base_layer = true;
    if on(0x20) {
        base_layer = p.get(at)? & 0x0e == 0;
        at += if flexible { 1 } else { 2 };
    }
    if flexible && inter {
        for n in 0.. {
            let more = p.get(at)? & 1 != 0;
            at += 1;
            if !more {
                break;
            }
            if n == 2 {
                return None;
            }
        }
    }
    if on(0x02) {
        at = scalability_structure(p, at)?;
    }
    (at <= p.len()).then_some(Descriptor { length: at, begins: on(0x08), ends: on(0x04), inter, base_layer })
}

/// Where the scalability structure that starts at `at` ends.
fn scalability_structure(p: &[u8], mut at: usize) -> Option<usize> {
    let head = *p.get(at)?;
    at += 1;
    if head & 0x10 != 0 {
        at += 4 * (usize::from(head >> 5) + 1);
    }
    if head & 0x08 != 0 {
        let pictures = *p.get(at)?;
        at += 1;
        for _ in 0..pictures {
            at += 1 + usize::from(p.get(at)? >> 2 & 3);
        }
    }
    Some(at)
}
