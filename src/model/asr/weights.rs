//! Named tensors out of a safetensors file, each checked against the shape the model asks for.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};

use super::error::{AsrError, read_bounded};

/// The largest weight file of any recogniser we load (whisper-small in f32 has 1 GB).
const MAX_FILE_BYTES: u64 = 1 << 30;

/// A safetensors file in memory. Tensors leave it as `f32`, row by row.
pub(super) struct Weights {
    file: PathBuf,
    tensors: HashMap<String, Tensor>,
}

impl Weights {
    /// Reads the whole file into memory; a mapped file would need `unsafe`.
    pub(super) fn load(file: &Path) -> Result<Self, AsrError> {
        let bytes = read_bounded(file, MAX_FILE_BYTES)?;
        let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu)
            .map_err(|e| AsrError::corrupt(file, "safetensors file", e))?;
        Ok(Self { file: file.to_owned(), tensors })
    }

    /// Takes the tensor `name`, which must have exactly this shape.
    pub(super) fn take(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, AsrError> {
        self.tensor(name, shape)?.flatten_all().and_then(|t| t.to_vec1()).map_err(|e| self.unfit(name, e))
    }

    /// Takes `{name}.weight` of a convolution, `(out, in, width)`, as rows over `[width, in]`: a window of states as they lie.
    pub(super) fn take_convolution(&mut self, name: &str, shape: [usize; 3]) -> Result<Vec<f32>, AsrError> {
        let weight = self.tensor(&format!("{name}.weight"), &shape)?;
        let turned = weight.transpose(1, 2).and_then(|t| t.contiguous()?.flatten_all()?.to_vec1());
        turned.map_err(|e| self.unfit(name, e))
    }

    fn tensor(&mut self, name: &str, shape: &[usize]) -> Result<Tensor, AsrError> {
        let tensor = self
            .tensors
            .remove(name)
            .ok_or_else(|| AsrError::MissingTensor { file: self.file.clone(), tensor: name.to_owned() })?;
        if tensor.dims() != shape {
            return Err(AsrError::Shape {
                file: self.file.clone(),
                tensor: name.to_owned(),
                expected: shape.to_vec(),
                got: tensor.dims().to_vec(),
            });
        }
        tensor.to_dtype(DType::F32).map_err(|e| self.unfit(name, e))
    }

    /// The tensor, or tensors, `name` cannot be used.
    pub(super) fn unfit(&self, name: &str, why: impl std::fmt::Display) -> AsrError {
        AsrError::corrupt(&self.file, "safetensors file", format!("tensor `{name}`: {why}"))
    }
}
