//! AV1 aggregation header and OBU elements, "RTP Payload Format For AV1" v1.0 §4.4, to one temporal unit in the
//! low-overhead format (AV1 bitstream specification §5.2): a temporal delimiter, then OBUs that all carry their size.

use bytes::{BufMut, Bytes, BytesMut};

use super::Fault;

const SEQUENCE_HEADER: u8 = 1;
const TEMPORAL_DELIMITER: u8 = 2;
const FRAME_HEADER: u8 = 3;
const FRAME: u8 = 6;
const TILE_LIST: u8 = 8;
const PADDING: u8 = 15;

#[derive(Debug, Default)]
pub(super) struct Av1 {
    data: BytesMut,
    /// An OBU element that continues in the next packet.
    fragment: Option<BytesMut>,
    has_sequence: bool,
    /// `None` before the first frame header; whether that frame is a shown keyframe.
    key: Option<bool>,
}

impl Av1 {
    pub(super) fn push(&mut self, payload: &Bytes, first: bool, max: usize) -> Result<(), Fault> {
        let (&head, mut rest) = payload.split_first().ok_or(Fault::Corrupt)?;
        let (continues, continued, count) = (head & 0x80 != 0, head & 0x40 != 0, usize::from(head >> 4 & 3));
        if first {
            self.reset();
            if continues {
                return Err(Fault::Incomplete);
            }
            self.data.put_slice(&[TEMPORAL_DELIMITER << 3 | 2, 0]);
        }
        if continues != self.fragment.is_some() {
            return Err(Fault::Incomplete);
        }
        if rest.is_empty() || self.data.len() + self.fragment.as_ref().map_or(0, BytesMut::len) + payload.len() > max {
            return Err(Fault::Corrupt);
        }
        let mut index = 0;
        while !rest.is_empty() {
            index += 1;
            let element = if count != 0 && index == count { std::mem::take(&mut rest) } else { sized(&mut rest)? };
            let joins = continues && index == 1;
            let stays_open = continued && rest.is_empty();
            self.element(element, joins, stays_open)?;
        }
        if count != 0 && index != count { Err(Fault::Corrupt) } else { Ok(()) }
    }

    pub(super) fn finish(&mut self) -> Result<(Bytes, bool), Fault> {
        let whole = self.fragment.is_none() && self.key.is_some();
        let keyframe = self.has_sequence && self.key == Some(true);
        let data = self.data.split().freeze();
        self.reset();
        if whole { Ok((data, keyframe)) } else { Err(Fault::Incomplete) }
    }

    pub(super) fn reset(&mut self) {
        self.data.clear();
        self.fragment = None;
        self.has_sequence = false;
        self.key = None;
    }

    fn element(&mut self, part: &[u8], joins: bool, stays_open: bool) -> Result<(), Fault> {
        if joins || stays_open {
            let mut whole = if joins { self.fragment.take().unwrap_or_default() } else { BytesMut::new() };
            whole.extend_from_slice(part);
            if stays_open {
                self.fragment = Some(whole);
                return Ok(());
            }
            return self.obu(&whole);
        }
        self.obu(part)
    }

    /// Writes one whole OBU with its size.
    fn obu(&mut self, obu: &[u8]) -> Result<(), Fault> {
        let (&head, mut body) = obu.split_first().ok_or(Fault::Corrupt)?;
        if head & 0x80 != 0 {
            return Err(Fault::Corrupt);
        }
        let extension = if head & 4 != 0 {
            let (&byte, tail) = body.split_first().ok_or(Fault::Corrupt)?;
            body = tail;
            Some(byte)
        } else {
            None
        };
        if head & 2 != 0 {
            body = sized(&mut body)?;
        }
        let kind = head >> 3 & 15;
        match kind {
            TEMPORAL_DELIMITER | TILE_LIST | PADDING => return Ok(()),
            SEQUENCE_HEADER => self.has_sequence = true,
            FRAME_HEADER | FRAME => {
                let bits = *body.first().ok_or(Fault::Corrupt)?;
                // show_existing_frame, then frame_type: 0 is KEY_FRAME.
                self.key.get_or_insert(bits & 0xe0 == 0);
            }
            _ => {}
        }
        self.data.put_u8(head | 2);
        if let Some(byte) = extension {
            self.data.put_u8(byte);
        }
        put_leb128(&mut self.data, body.len());
        self.data.put_slice(body);
        Ok(())
    }
}

/// Takes a leb128 length and that many bytes off the front of `rest`.
fn sized<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Fault> {
    let mut size = 0_usize;
    // Four bytes hold 256 MiB, far above any unit that we take.
    for i in 0..4 {
        let byte = *rest.get(i).ok_or(Fault::Corrupt)?;
        size |= usize::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            let body = rest.get(i + 1..i + 1 + size).ok_or(Fault::Corrupt)?;
            *rest = &rest[i + 1 + size..];
            return Ok(body);
        }
    }
    Err(Fault::Corrupt)
}

fn put_leb128(out: &mut BytesMut, mut value: usize) {
    loop {
        let low = u8::try_from(value & 0x7f).unwrap_or(0);
        value >>= 7;
        if value == 0 {
            out.put_u8(low);
            return;
        }
        out.put_u8(low | 0x80);
    }
}
