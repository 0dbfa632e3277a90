//! Writing converted weights: a file appears under its name whole, or not at all.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Tensor};

use super::error::AsrError;

/// Tensors by the name they get in the file.
pub(super) type Tensors = HashMap<String, Tensor>;

/// Writes `model.safetensors` into `dst` as `f16`. Names are sorted by the format, so equal tensors give equal bytes.
pub(super) fn write_tensors(tensors: &Tensors, dst: &Path) -> Result<(), AsrError> {
    let file = dst.join("model.safetensors");
    std::fs::create_dir_all(dst).map_err(|e| AsrError::unwritable(dst, e))?;
    let mut halves = HashMap::with_capacity(tensors.len());
    for (name, tensor) in tensors {
        let half = tensor.to_dtype(DType::F16).map_err(|e| AsrError::unwritable(&file, e))?;
        halves.insert(name.as_str(), half);
    }
    let bytes = safetensors::serialize(halves, None).map_err(|e| AsrError::unwritable(&file, e))?;
    write_bytes(&bytes, &file)
}

/// Writes `value` as JSON.
pub(super) fn write_json(value: &serde_json::Value, file: &Path) -> Result<(), AsrError> {
    write_bytes(value.to_string().as_bytes(), file)
}

/// Writes `bytes`.
pub(super) fn write_bytes(bytes: &[u8], file: &Path) -> Result<(), AsrError> {
    let part = file.with_extension("part");
    std::fs::write(&part, bytes).map_err(|e| AsrError::unwritable(&part, e))?;
    std::fs::rename(&part, file).map_err(|e| AsrError::unwritable(file, e))
}
