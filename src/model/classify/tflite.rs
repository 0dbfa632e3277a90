//! Reads a TFLite file: a FlatBuffers table of tensors and operators. Only what a quantized image classifier needs.
//!
//! Floor 2. In: bytes. Out: [`TfModel`]. Every offset is checked: a damaged file gives `None` or an error, never a panic.
//! Source: FlatBuffers internals (flatbuffers.dev) and tensorflow/lite/schema/schema.fbs v3 (field numbers below).

/// Tensors or operators in one model, at most.
const MOST_ITEMS: usize = 8_192;
/// Numbers in one tensor, at most.
const MOST_VALUES: usize = 1 << 26;

/// A table inside the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table<'a> {
    file: &'a [u8],
    at: usize,
}

fn bytes<const N: usize>(file: &[u8], at: usize) -> Option<[u8; N]> {
    file.get(at..at.checked_add(N)?)?.try_into().ok()
}

fn offset(file: &[u8], at: usize) -> Option<usize> {
    let step = usize::try_from(u32::from_le_bytes(bytes(file, at)?)).ok()?;
    at.checked_add(step).filter(|t| *t < file.len())
}

impl<'a> Table<'a> {
    /// The root table of a file.
    fn root(file: &'a [u8]) -> Option<Self> {
        Some(Self { file, at: offset(file, 0)? })
    }

    /// Where field `id` stands; `None` when it has its default.
    fn field(self, id: usize) -> Option<usize> {
        let back = i32::from_le_bytes(bytes(self.file, self.at)?);
        let vtable = usize::try_from(i64::try_from(self.at).ok()? - i64::from(back)).ok()?;
        let size = usize::from(u16::from_le_bytes(bytes(self.file, vtable)?));
        let slot = 4 + 2 * id;
        if slot + 2 > size {
            return None;
        }
        let step = usize::from(u16::from_le_bytes(bytes(self.file, vtable + slot)?));
        (step > 0).then(|| self.at + step)
    }

    /// An 8-bit field.
    pub(super) fn byte(self, id: usize) -> u8 {
        self.field(id).and_then(|at| bytes::<1>(self.file, at)).map_or(0, |b| b[0])
    }

    /// A 32-bit field.
    pub(super) fn int(self, id: usize) -> i32 {
        self.field(id).and_then(|at| bytes(self.file, at)).map_or(0, i32::from_le_bytes)
    }

    fn table(self, id: usize) -> Option<Self> {
        Some(Self { file: self.file, at: offset(self.file, self.field(id)?)? })
    }

    /// A vector's first byte and length in items of `size` bytes, known to lie inside the file.
    fn vector(self, id: usize, size: usize) -> Option<(usize, usize)> {
        let at = offset(self.file, self.field(id)?)?;
        let len = usize::try_from(u32::from_le_bytes(bytes(self.file, at)?)).ok()?;
        let end = at.checked_add(4)?.checked_add(len.checked_mul(size)?)?;
        (end <= self.file.len()).then_some((at + 4, len))
    }

    fn raw(self, id: usize) -> &'a [u8] {
        self.vector(id, 1).map_or(&[], |(at, len)| &self.file[at..at + len])
    }

    fn list<const N: usize, T>(self, id: usize, read: fn([u8; N]) -> T) -> Vec<T> {
        let Some((at, len)) = self.vector(id, N) else { return Vec::new() };
        (0..len).filter_map(|i| bytes(self.file, at + i * N)).map(read).collect()
    }

    fn tables(self, id: usize) -> Option<Vec<Self>> {
        let Some((at, len)) = self.vector(id, 4) else { return Some(Vec::new()) };
        if len > MOST_ITEMS {
            return None;
        }
        (0..len).map(|i| Some(Self { file: self.file, at: offset(self.file, at + i * 4)? })).collect()
    }
}

/// A tensor: its shape, its numbers when it is a constant, and how its integers stand for real numbers.
#[derive(Debug)]
pub(super) struct TfTensor<'a> {
    pub(super) shape: Vec<usize>,
    kind: u8,
    data: &'a [u8],
    pub(super) scales: Vec<f32>,
    pub(super) zeros: Vec<i64>,
    axis: usize,
}

/// An operator. `kind` is a `BuiltinOperator` of the schema.
#[derive(Debug)]
pub(super) struct TfOp<'a> {
    pub(super) kind: i32,
    pub(super) inputs: Vec<usize>,
    pub(super) outputs: Vec<usize>,
    pub(super) options: Option<Table<'a>>,
}

/// The first subgraph of a model.
#[derive(Debug)]
pub(super) struct TfModel<'a> {
    pub(super) tensors: Vec<TfTensor<'a>>,
    pub(super) ops: Vec<TfOp<'a>>,
    pub(super) inputs: Vec<usize>,
}

impl<'a> TfModel<'a> {
    /// Reads the tables. `None`: not a TFLite file, or a damaged one.
    pub(super) fn read(file: &'a [u8]) -> Option<Self> {
        if file.get(4..8)? != b"TFL3" {
            return None;
        }
        let root = Table::root(file)?;
        // Codes above 127 stand in field 3, the others in the old 8-bit field 0.
        let codes: Vec<i32> = root.tables(1)?.iter().map(|c| c.int(3).max(i32::from(c.byte(0)))).collect();
        let buffers = root.tables(4)?;
        let graph = *root.tables(2)?.first()?;
        let tensors: Vec<TfTensor<'a>> =
            graph.tables(0)?.into_iter().map(|t| tensor(t, &buffers)).collect::<Option<_>>()?;
        let known = |ids: Vec<i32>| -> Option<Vec<usize>> {
            // -1 marks an optional input that is absent.
            let present = ids.into_iter().filter(|i| *i != -1);
            present.map(|i| usize::try_from(i).ok().filter(|i| *i < tensors.len())).collect()
        };
        let op = |t: Table<'a>| {
            Some(TfOp {
                kind: *codes.get(usize::try_from(t.int(0)).ok()?)?,
                inputs: known(t.list(1, i32::from_le_bytes))?,
                outputs: known(t.list(2, i32::from_le_bytes))?,
                options: t.table(4),
            })
        };
        let ops = graph.tables(3)?.into_iter().map(op).collect::<Option<_>>()?;
        let inputs = known(graph.list(1, i32::from_le_bytes))?;
        Some(Self { tensors, ops, inputs })
    }
}

fn tensor<'a>(t: Table<'a>, buffers: &[Table<'a>]) -> Option<TfTensor<'a>> {
    let shape: Vec<usize> =
        t.list(0, i32::from_le_bytes).into_iter().map(usize::try_from).collect::<Result<_, _>>().ok()?;
    let values = shape.iter().try_fold(1_usize, |n, d| n.checked_mul(*d))?;
    if values > MOST_VALUES {
        return None;
    }
    let data = buffers.get(usize::try_from(t.int(2)).ok()?)?.raw(0);
    let quantization = t.table(4);
    Some(TfTensor {
        shape,
        kind: t.byte(1),
        data,
        scales: quantization.map_or_else(Vec::new, |q| q.list(2, f32::from_le_bytes)),
        zeros: quantization.map_or_else(Vec::new, |q| q.list(3, i64::from_le_bytes)),
        axis: usize::try_from(quantization.map_or(0, |q| q.int(6))).ok()?,
    })
}

impl TfTensor<'_> {
    /// The real numbers of a constant; `None` when it is none, or of a kind that is not read here.
    pub(super) fn values(&self) -> Option<Vec<f32>> {
        let count: usize = self.shape.iter().product();
        #[expect(clippy::cast_precision_loss, reason = "bias sums are rounded to f32, as every framework does")]
        let integers: Vec<f32> = match self.kind {
            0 => self.data.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect(),
            2 => self.data.chunks_exact(4).map(|b| i32::from_le_bytes([b[0], b[1], b[2], b[3]]) as f32).collect(),
            3 => self.data.iter().map(|b| f32::from(*b)).collect(),
            9 => self.data.iter().map(|b| f32::from(i8::from_le_bytes([*b]))).collect(),
            _ => return None,
        };
        if count == 0 || integers.len() != count {
            return None;
        }
        if self.scales.is_empty() {
            return Some(integers);
        }
        // Consecutive values along the quantized axis are `inner` apart.
        let inner: usize = self.shape.get(self.axis + 1..)?.iter().product();
        let channels = *self.shape.get(self.axis)?;
        if self.scales.len() != 1 && self.scales.len() != channels {
            return None;
        }
        let channel = |i: usize| if self.scales.len() == 1 { 0 } else { i / inner % channels };
        #[expect(clippy::cast_precision_loss, reason = "zero points are 8-bit values")]
        let zero = |c: usize| self.zeros.get(c).map_or(0.0, |z| *z as f32);
        Some(integers.into_iter().enumerate().map(|(i, v)| (v - zero(channel(i))) * self.scales[channel(i)]).collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::TfModel;

    proptest! {
        #[test]
        fn any_bytes_are_refused_or_read_without_panic(mut bytes in prop::collection::vec(any::<u8>(), 8..400)) {
            bytes[4..8].copy_from_slice(b"TFL3");
            if let Some(model) = TfModel::read(&bytes) {
                for t in &model.tensors {
                    let _ = t.values();
                }
            }
        }
    }
}
