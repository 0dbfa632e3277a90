//! Quantized matrices on a GPU, through candle, which has kernels for every format there. On the processor `decoder.rs` runs instead.

use std::borrow::Cow;
use std::sync::Arc;

use candle_core::quantized::{GgmlDType, QMatMul, QStorage, QTensor};
use candle_core::{DType, Device, Module, Result, Tensor};

/// `y = x Wᵀ + b`, W `[outputs, inputs]`.
#[derive(Debug)]
pub(super) struct Linear {
    weight: QMatMul,
    bias: Option<Tensor>,
}

impl Linear {
    /// Joins matrices over the same inputs into one. The parts lie in main memory; parts of different formats become Q8_0.
    pub(super) fn join(parts: &[QTensor], bias: Option<Tensor>, device: &Device) -> Result<Self> {
        let first = parts[0].dtype();
        let dtype = if parts.iter().all(|p| p.dtype() == first) { first } else { GgmlDType::Q8_0 };
        let (mut bytes, mut outputs) = (Vec::new(), 0);
        for part in parts {
            outputs += part.shape().dims2()?.0;
            if part.dtype() == dtype {
                bytes.extend_from_slice(&part.data()?);
            } else {
                bytes.extend_from_slice(&QTensor::quantize(&part.dequantize(&Device::Cpu)?, dtype)?.data()?);
            }
        }
        let storage = QStorage::from_data(Cow::Owned(bytes), device, dtype)?;
        let weight = QTensor::new(storage, (outputs, parts[0].shape().dims2()?.1))?;
        Ok(Self { weight: QMatMul::from_arc(Arc::new(weight))?, bias })
    }

    /// As [`Self::join`], all weights in f32: what everything else is measured by.
    pub(super) fn join_dense(parts: &[QTensor], bias: Option<Tensor>, device: &Device) -> Result<Self> {
        let dense = parts.iter().map(|p| p.dequantize(device)).collect::<Result<Vec<_>>>()?;
        Ok(Self { weight: QMatMul::Tensor(Tensor::cat(&dense, 0)?), bias })
    }

    /// The weights in f32.
    pub(super) fn dense(&self) -> Result<Tensor> {
        match &self.weight {
            QMatMul::QTensor(weight) => weight.dequantize(&weight.device()),
            QMatMul::Tensor(weight) | QMatMul::TensorF16(weight) => weight.to_dtype(DType::F32),
        }
    }

    /// `x`: `[tokens, inputs]` → `[tokens, outputs]`.
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = self.weight.forward(&x.contiguous()?)?;
        match &self.bias {
            Some(bias) => y.broadcast_add(bias),
            None => Ok(y),
        }
    }
}
