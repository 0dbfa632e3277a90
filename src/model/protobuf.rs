//! As much of the Protocol Buffers encoding as ONNX files need, reading from memory without copying.
//!
//! Source: the encoding guide of protobuf.dev. A length is compared with the bytes that are there before it is used, so a
//! broken file ends in `None` and never in a large allocation.

/// The fields of one message, in order.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

/// The value of a field.
#[derive(Clone, Copy)]
pub(super) enum Value<'a> {
    /// A number.
    Varint(u64),
    /// Four bytes: here always a `f32`.
    Fixed32([u8; 4]),
    /// Eight bytes, which ONNX keeps nothing in that we read.
    Fixed64,
    /// A string, a message, or numbers packed together.
    Bytes(&'a [u8]),
}

impl<'a> Fields<'a> {
    pub(super) const fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    /// The next field's number and value. `Ok(None)` at the end, `Err` if the message is broken.
    #[allow(clippy::should_implement_trait, reason = "it can fail, unlike an iterator")]
    pub(super) fn next(&mut self) -> Result<Option<(u64, Value<'a>)>, Broken> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let key = varint(&mut self.rest)?;
        let value = match key & 7 {
            0 => Value::Varint(varint(&mut self.rest)?),
            1 => take(&mut self.rest, 8).map(|_| Value::Fixed64)?,
            2 => {
                let length = varint(&mut self.rest)?;
                Value::Bytes(take(&mut self.rest, usize::try_from(length).map_err(|_| Broken)?)?)
            }
            5 => match take(&mut self.rest, 4)? {
                &[a, b, c, d] => Value::Fixed32([a, b, c, d]),
                _ => return Err(Broken),
            },
            _ => return Err(Broken),
        };
        Ok(Some((key >> 3, value)))
    }
}

/// The bytes are no message, or end too early.
#[derive(Debug, Clone, Copy)]
pub(super) struct Broken;

/// The numbers of a packed field.
pub(super) fn packed(mut bytes: &[u8]) -> Result<Vec<u64>, Broken> {
    let mut numbers = Vec::new();
    while !bytes.is_empty() {
        numbers.push(varint(&mut bytes)?);
    }
    Ok(numbers)
}

fn take<'a>(rest: &mut &'a [u8], n: usize) -> Result<&'a [u8], Broken> {
    let (head, tail) = rest.split_at_checked(n).ok_or(Broken)?;
    *rest = tail;
    Ok(head)
}

fn varint(rest: &mut &[u8]) -> Result<u64, Broken> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let [byte] = *take(rest, 1)? else { return Err(Broken) };
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(Broken)
}

#[cfg(test)]
mod tests {
    use super::{Fields, Value, packed};

    #[test]
    fn fields_of_every_kind_are_read() {
        let mut f = Fields::new(&[0x08, 0x96, 0x01, 0x12, 2, b'h', b'i', 0x1d, 0, 0, 0x80, 0x3f]);
        assert!(matches!(f.next(), Ok(Some((1, Value::Varint(150))))));
        assert!(matches!(f.next(), Ok(Some((2, Value::Bytes(b"hi"))))));
        assert!(matches!(f.next(), Ok(Some((3, Value::Fixed32(b)))) if f32::from_le_bytes(b) == 1.0));
        assert!(matches!(f.next(), Ok(None)));
        assert_eq!(packed(&[3, 0x8e, 0x02]).expect("two numbers"), [3, 270]);
    }

    #[test]
    fn a_length_beyond_the_end_is_broken() {
        assert!(Fields::new(&[0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]).next().is_err());
        assert!(Fields::new(&[0x12, 3, 1]).next().is_err());
        assert!(Fields::new(&[0x80]).next().is_err());
    }
}
