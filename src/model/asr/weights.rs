//! Named tensors out of a safetensors file, each checked against the shape the model asks for.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};

use super::error::{AsrError, read_bounded};

/// The largest weight file of any recogniser we load (whisper-small in f32 has 1 GB).
const MAX_FILE_BYTES: u64 = 1 << 30;

/// A safetensors file in memory. Tensors leave it as `f32`.
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
    pub(super) fn take(&mut self, name: &str, shape: &[usize]) -> Result<Tensor, AsrError> {
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
        let made = tensor.to_dtype(DType::F32).and_then(|t| t.contiguous());
        made.map_err(|e| self.bad(name, &e))
    }

    /// An error of the library while tensor `name` was made ready.
    pub(super) fn bad(&self, name: &str, why: &candle_core::Error) -> AsrError {
        AsrError::corrupt(&self.file, "safetensors file", format!("tensor `{name}`: {why}"))
    }
}
