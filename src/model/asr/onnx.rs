//! Weights out of an ONNX file: initializers by name, and quantized matrices by the node that multiplies with them.
//!
//! Only what `convert_moonshine` needs; graphs that are run go through `rten`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};

use super::error::{AsrError, read_bounded};
use super::protobuf::{Broken, Fields, Value, packed};

const MAX_FILE_BYTES: u64 = 1 << 30;
/// `If` nodes hold graphs that could hold `If` nodes; real files nest once.
const MAX_DEPTH: usize = 4;
const WHAT: &str = "ONNX model";

/// An ONNX graph with everything but weights and node inputs forgotten.
pub(super) struct Onnx {
    file: PathBuf,
    tensors: HashMap<String, Initializer>,
    /// Node name to names of its inputs; the bodies of `If` nodes included.
    inputs: HashMap<String, Vec<String>>,
}

/// A weight: dimensions and values, whatever of the three element types and two places they were in.
#[derive(Default)]
struct Initializer {
    dims: Vec<usize>,
    values: Vec<f32>,
}

impl Onnx {
    pub(super) fn load(file: &Path) -> Result<Self, AsrError> {
        let bytes = read_bounded(file, MAX_FILE_BYTES)?;
        let mut onnx = Self { file: file.to_owned(), tensors: HashMap::new(), inputs: HashMap::new() };
        onnx.read_model(&bytes).map_err(|Broken| AsrError::corrupt(file, WHAT, "it is cut short or something else"))?;
        Ok(onnx)
    }

    /// Field numbers here and below are those of `onnx/onnx.proto3`.
    fn read_model(&mut self, model: &[u8]) -> Result<(), Broken> {
        let mut fields = Fields::new(model);
        while let Some(field) = fields.next()? {
            if let (7, Value::Bytes(graph)) = field {
                self.read_graph(graph, 0)?;
            }
        }
        Ok(())
    }

    fn read_graph(&mut self, graph: &[u8], depth: usize) -> Result<(), Broken> {
        if depth > MAX_DEPTH {
            return Err(Broken);
        }
        let mut fields = Fields::new(graph);
        while let Some(field) = fields.next()? {
            match field {
                (1, Value::Bytes(node)) => self.read_node(node, depth)?,
                (5, Value::Bytes(tensor)) => {
                    if let Some((name, tensor)) = read_tensor(tensor)? {
                        self.tensors.insert(name, tensor);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn read_node(&mut self, node: &[u8], depth: usize) -> Result<(), Broken> {
        let (mut name, mut inputs) = (String::new(), Vec::new());
        let mut fields = Fields::new(node);
        while let Some(field) = fields.next()? {
            match field {
                (1, Value::Bytes(input)) => inputs.push(text(input)),
                (3, Value::Bytes(n)) => name = text(n),
                (5, Value::Bytes(attribute)) => {
                    let mut fields = Fields::new(attribute);
                    while let Some(field) = fields.next()? {
                        if let (6, Value::Bytes(body)) = field {
                            self.read_graph(body, depth + 1)?;
                        }
                    }
                }
                _ => {}
            }
        }
        self.inputs.entry(name).or_insert(inputs);
        Ok(())
    }

    /// A `f32` initializer. `name` may carry the suffix that merging two graphs added.
    pub(super) fn dense(&self, name: &str) -> Result<Tensor, AsrError> {
        let merged = format!("{name}_merged_0");
        let name = if self.tensors.contains_key(name) { name } else { &merged };
        let (dims, values) = self.values(name)?;
        self.tensor(name, values, &dims)
    }

    /// The second input of node `node`, an initializer.
    pub(super) fn operand(&self, node: &str) -> Result<Tensor, AsrError> {
        let name = self.input(node, 1)?;
        let (dims, values) = self.values(&name)?;
        self.tensor(&name, values, &dims)
    }

    /// The weight of the `MatMulInteger` node `{layer}/MatMul_quant`, dequantized and turned to `(out, in)`.
    pub(super) fn linear(&self, layer: &str) -> Result<Tensor, AsrError> {
        let name = self.input(&format!("{layer}/MatMul_quant"), 1)?;
        let weight = self.dequantized(&name)?;
        weight.t().and_then(|t| t.contiguous()).map_err(|e| AsrError::corrupt(&self.file, WHAT, e))
    }

    /// A tensor stored as 8-bit levels: `(level - zero point) * scale`, both kept next to it under derived names.
    pub(super) fn dequantized(&self, name: &str) -> Result<Tensor, AsrError> {
        let stem = name.strip_suffix("_quantized").unwrap_or(name);
        let scale = self.scalar(&format!("{stem}_scale"))?;
        let zero = self.scalar(&format!("{stem}_zero_point"))?;
        let (dims, mut values) = self.values(name)?;
        values.iter_mut().for_each(|v| *v = (*v - zero) * scale);
        self.tensor(name, values, &dims)
    }

    /// A convolution kernel stored as `level * scale + offset` (the exporter's `Cast`, `Mul`, `Add`).
    pub(super) fn kernel(&self, name: &str) -> Result<Tensor, AsrError> {
        let scale = self.scalar(&format!("{name}_scale"))?;
        let offset = self.scalar(&format!("{name}_zero_point"))?;
        let quantized = format!("{name}_quantized");
        let (dims, mut values) = self.values(&quantized)?;
        values.iter_mut().for_each(|v| *v = *v * scale + offset);
        self.tensor(&quantized, values, &dims)
    }

    fn input(&self, node: &str, index: usize) -> Result<String, AsrError> {
        let found = self.inputs.get(node).and_then(|i| i.get(index)).cloned();
        found.ok_or_else(|| AsrError::corrupt(&self.file, WHAT, format!("no node `{node}` with {} inputs", index + 1)))
    }

    fn scalar(&self, name: &str) -> Result<f32, AsrError> {
        match self.values(name)?.1.as_slice() {
            [one] => Ok(*one),
            many => Err(AsrError::corrupt(&self.file, WHAT, format!("`{name}` has {} values, not one", many.len()))),
        }
    }

    fn tensor(&self, name: &str, values: Vec<f32>, dims: &[usize]) -> Result<Tensor, AsrError> {
        Tensor::from_vec(values, dims, &Device::Cpu)
            .map_err(|e| AsrError::corrupt(&self.file, WHAT, format!("`{name}`: {e}")))
    }

    fn values(&self, name: &str) -> Result<(Vec<usize>, Vec<f32>), AsrError> {
        let missing = || AsrError::MissingTensor { file: self.file.clone(), tensor: name.to_owned() };
        let t = self.tensors.get(name).ok_or_else(missing)?;
        let wanted = t.dims.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
        if wanted != Some(t.values.len()) {
            let why = format!("`{name}` has {} values for dimensions {:?}", t.values.len(), t.dims);
            return Err(AsrError::corrupt(&self.file, WHAT, why));
        }
        Ok((t.dims.clone(), t.values.clone()))
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Name and content of a `TensorProto`; `None` for element types that hold no weights of ours.
fn read_tensor(tensor: &[u8]) -> Result<Option<(String, Initializer)>, Broken> {
    const FLOAT: u64 = 1;
    const UINT8: u64 = 2;
    const INT8: u64 = 3;
    let (mut name, mut kind, mut raw, mut read) = (String::new(), 0, &[][..], Initializer::default());
    let dim = |d: u64| usize::try_from(d).map_err(|_| Broken);
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "8-bit levels, stored wide")]
    let level = |v: u64| v as i64 as f32;
    let mut fields = Fields::new(tensor);
    while let Some(field) = fields.next()? {
        match field {
            (1, Value::Varint(d)) => read.dims.push(dim(d)?),
            (1, Value::Bytes(b)) => read.dims = packed(b)?.into_iter().map(dim).collect::<Result<_, _>>()?,
            (2, Value::Varint(k)) => kind = k,
            (4, Value::Fixed32(b)) => read.values.push(f32::from_le_bytes(b)),
            (4, Value::Bytes(b)) => read.values = floats(b),
            (5, Value::Varint(v)) => read.values.push(level(v)),
            (5, Value::Bytes(b)) => read.values = packed(b)?.into_iter().map(level).collect(),
            (8, Value::Bytes(n)) => name = text(n),
            (9, Value::Bytes(b)) => raw = b,
            _ => {}
        }
    }
    if !raw.is_empty() {
        read.values = match kind {
            FLOAT => floats(raw),
            UINT8 => raw.iter().map(|&b| f32::from(b)).collect(),
            INT8 => raw.iter().map(|&b| f32::from(i8::from_le_bytes([b]))).collect(),
            _ => return Ok(None),
        };
    }
    Ok([FLOAT, UINT8, INT8].contains(&kind).then_some((name, read)))
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}
