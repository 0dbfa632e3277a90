//! Weights out of an ONNX file: initializers by name, and quantized matrices by the node that multiplies with them.
//!
//! Only what `convert_moonshine` needs; the file is read by `onnx_file`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};

use super::error::{AsrError, read_bounded};
use crate::model::onnx_file::{Graph, Tensor as Initializer};
use crate::model::protobuf::Broken;

const MAX_FILE_BYTES: u64 = 1 << 30;
const WHAT: &str = "ONNX model";

/// An ONNX graph with everything but weights and node inputs forgotten.
pub(super) struct Onnx {
    file: PathBuf,
    tensors: HashMap<String, Initializer>,
    /// Node name to names of its inputs; the bodies of `If` nodes included.
    inputs: HashMap<String, Vec<String>>,
}

impl Onnx {
    pub(super) fn load(file: &Path) -> Result<Self, AsrError> {
        let bytes = read_bounded(file, MAX_FILE_BYTES)?;
        let graph =
            Graph::read(&bytes).map_err(|Broken| AsrError::corrupt(file, WHAT, "it is cut short or something else"))?;
        let mut onnx = Self { file: file.to_owned(), tensors: HashMap::new(), inputs: HashMap::new() };
        onnx.take(&graph);
        onnx.tensors.extend(graph.tensors);
        Ok(onnx)
    }

    /// Takes what is needed out of a graph and, but for its own tensors, out of those in it.
    fn take(&mut self, graph: &Graph) {
        for node in &graph.nodes {
            for body in node.bodies() {
                self.tensors.extend(body.tensors.iter().map(|(name, t)| (name.clone(), t.clone())));
                self.take(body);
            }
            self.inputs.entry(node.name.clone()).or_insert_with(|| node.inputs.clone());
        }
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
        let values = t.reals().ok_or_else(|| {
            AsrError::corrupt(&self.file, WHAT, format!("`{name}` has no real values for dimensions {:?}", t.dims))
        })?;
        Ok((t.dims.clone(), values.to_vec()))
    }
}
