//! VP8 payload descriptor, RFC 7741 §4.2, and the first bytes of the frame header, RFC 6386 §9.1.

use bytes::Bytes;

use super::{Body, Fault};
use crate::base::Layer;

#[derive(Debug, Default)]
pub(super) struct Vp8 {
    body: Body,
    keyframe: bool,
    layer: Layer,
}

impl Vp8 {
    pub(super) fn push(&mut self, payload: &Bytes, first: bool, max: usize) -> Result<(), Fault> {
        let Descriptor { length, starts, layer } = descriptor(payload).ok_or(Fault::Corrupt)?;
        let part = payload.slice(length..);
        if part.is_empty() {
            return Err(Fault::Corrupt);
        }
        if first {
            if !starts {
                return Err(Fault::Incomplete);
            }
            self.layer = layer;
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

    pub(super) fn layer(&self) -> Layer {
        self.layer
    }

    pub(super) fn reset(&mut self) {
        self.body.reset();
    }
}

/// What stands before the bytes of a frame.
struct Descriptor {
    length: usize,
    /// The packet starts a frame (S set, partition 0).
    starts: bool,
    layer: Layer,
}

/// `None` when cut short.
fn descriptor(p: &[u8]) -> Option<Descriptor> {
    let head = *p.first()?;
    let starts = head & 0x10 != 0 && head & 0x07 == 0;
    let (mut at, mut layer) = (1, Layer::default());
    if head & 0x80 != 0 {
        let ext = *p.get(at)?;
        at += 1;
        if ext & 0x80 != 0 {
            at += if p.get(at)? & 0x80 != 0 { 2 } else { 1 };
        }
        at += usize::from(ext & 0x40 != 0);
        if ext & 0x30 != 0 {
            let byte = *p.get(at)?;
            at += 1;
            // TID and Y stand there, too, where only K is announced (T not set), and mean nothing then.
            if ext & 0x20 != 0 {
                layer = Layer { temporal: byte >> 6, sync: byte & 0x20 != 0 };
            }
        }
    }
    (at <= p.len()).then_some(Descriptor { length: at, starts, layer })
}

#[cfg(test)]
mod tests {
    use super::{Layer, descriptor};

    #[test]
    fn the_layer_is_read_where_it_is_announced_and_nowhere_else() {
        let layer = |p: &[u8]| descriptor(p).map(|d| (d.length, d.layer));
        let (none, second) = (Layer::default(), Layer { temporal: 2, sync: true });
        assert_eq!(layer(&[0x10, 9]), Some((1, none)), "no extension");
        assert_eq!(
            layer(&[0x90, 0xe0, 0x80, 1, 5, 0xa0, 9]),
            Some((6, second)),
            "picture number of two bytes, TL0PICIDX, TID"
        );
        assert_eq!(layer(&[0x90, 0x20, 0xa0, 9]), Some((3, second)), "TID alone");
        assert_eq!(layer(&[0x90, 0x10, 0xa0, 9]), Some((3, none)), "KEYIDX alone");
        assert_eq!((layer(&[0x90, 0x20]), layer(&[0x90]), layer(&[])), (None, None, None), "cut short");
    }
}
