//! Quantized matrices, in the form for which candle has the fastest kernel on this processor.
//!
//! Source: candle-core 0.11.1, src/quantized/{avx,repack_x86}.rs. Its 512-bit and VNNI kernels take Q4K, Q6K and Q8_0 only, and only rows
//! of a multiple of 256 values; every other case runs one dot product at a time. Qwen2.5-0.5B is 896 wide, so its rows get 128
//! zeros more: a seventh more arithmetic for kernels several times faster. Formats without any vector kernel (Q4_1, Q5_0, Q5_1)
//! become Q8_0, which loses nothing that was there.

use std::borrow::Cow;
use std::sync::Arc;

use candle_core::quantized::{GgmlDType, QMatMul, QStorage, QTensor};
use candle_core::{D, Device, Module, Result, Tensor};
use rayon::prelude::*;

use crate::model::device::has_environment;

/// Values in a row of the blocks that the tiled kernels take.
const TILE_ROW: usize = 256;

/// How weights are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// As in the file where there is a fast kernel, else 8 bits per weight. The measured best; the default.
    #[default]
    Auto,
    /// Like `Auto`, never padded: less memory, slower prefill.
    Compact,
    /// 4 bits per weight with padding: least memory traffic, loses accuracy where the file held 5 bits or more.
    Small,
}

/// `y = x Wᵀ + b`, W `[outputs, inputs]`, its rows split over threads.
#[derive(Debug)]
pub(super) struct Linear {
    /// Each some rows of W. More than one only when candle's own threads are off.
    shares: Vec<QMatMul>,
    bias: Option<Tensor>,
    /// Zeros to add to each row of x.
    padding: usize,
}

/// How matrices are to be held.
#[derive(Clone, Copy)]
pub(super) struct Holding<'a> {
    pub precision: Precision,
    /// Worth padding for: many rows of x at a time.
    pub tiled: bool,
    /// Every share holds the same fraction of each part, not of the whole: for [`Linear::forward_with`].
    pub matched: bool,
    pub device: &'a Device,
}

impl Holding<'_> {
    /// Into how many shares to split: one per thread, when they come out even in tiles of 16 rows.
    fn shares(&self, parts: &[usize], total: usize) -> usize {
        let threads = if has_environment() { rayon::current_num_threads() } else { 1 };
        let fits = |rows: usize| rows.is_multiple_of(16 * threads);
        let even = if self.matched { parts.iter().all(|r| fits(*r)) } else { fits(total) };
        if even { threads } else { 1 }
    }
}

impl Linear {
    /// Joins matrices over the same inputs into one, so that x is quantized once and threads meet once. The parts lie in main memory.
    pub(super) fn join(parts: Vec<QTensor>, bias: Option<Tensor>, holding: Holding<'_>) -> Result<Self> {
        let device = holding.device;
        let inputs = parts[0].shape().dims2()?.1;
        let tiles = holding.tiled && has_tiles();
        let plan = Plan::choose(&parts, inputs, holding.precision, tiles, device.is_cpu());
        let rows = parts.iter().map(|p| Ok(p.shape().dims2()?.0)).collect::<Result<Vec<_>>>()?;
        let total: usize = rows.iter().sum();
        let shares = if device.is_cpu() { holding.shares(&rows, total) } else { 1 };
        let mut bytes = vec![Vec::new(); shares];
        if holding.matched {
            for part in parts {
                let whole = plan.convert(part, inputs)?;
                for (share, piece) in bytes.iter_mut().zip(whole.chunks(whole.len() / shares)) {
                    share.extend_from_slice(piece);
                }
            }
        } else {
            let all = parts.into_iter().map(|p| plan.convert(p, inputs)).collect::<Result<Vec<_>>>()?.concat();
            bytes = all.chunks(all.len() / shares).map(<[u8]>::to_vec).collect();
        }
        let shape = (total / shares, inputs + plan.padding);
        let share = |bytes| {
            let storage = QStorage::from_data(Cow::Owned(bytes), device, plan.dtype)?;
            QMatMul::from_arc(Arc::new(QTensor::new(storage, shape)?))
        };
        Ok(Self { shares: bytes.into_iter().map(share).collect::<Result<_>>()?, bias, padding: plan.padding })
    }

    /// `x`: `[tokens, inputs]` → `[tokens, outputs]`.
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = self.forward_with(x, Ok)?;
        match &self.bias {
            Some(bias) => y.broadcast_add(bias),
            None => Ok(y),
        }
    }

    /// Applies `then` to each share's outputs, without the bias, where they were computed, and joins the results. In a matched matrix a
    /// share's outputs are its rows of the first part, then its rows of the second, and so on.
    pub(super) fn forward_with(&self, x: &Tensor, then: impl Fn(Tensor) -> Result<Tensor> + Sync) -> Result<Tensor> {
        let x = if self.padding > 0 { x.pad_with_zeros(D::Minus1, 0, self.padding)? } else { x.contiguous()? };
        match self.shares.as_slice() {
            [whole] => then(whole.forward(&x)?),
            // A thread that has no core is not waited for: its share is taken over.
            shares => {
                let done = shares.par_iter().map(|w| then(w.forward(&x)?)).collect::<Result<Vec<_>>>()?;
                Tensor::cat(&done, D::Minus1)
            }
        }
    }
}

/// Whether candle has tiled kernels for 8-bit weights on this processor.
fn has_tiles() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        (is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vnni"))
            || is_x86_feature_detected!("avxvnni")
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}

/// What a joined matrix becomes.
struct Plan {
    dtype: GgmlDType,
    padding: usize,
}

impl Plan {
    fn choose(parts: &[QTensor], inputs: usize, precision: Precision, tiles: bool, on_cpu: bool) -> Self {
        let first = parts[0].dtype();
        let same = parts.iter().all(|p| p.dtype() == first);
        let tiles = tiles && on_cpu;
        // GPUs have kernels for every format; on the processor these have vector kernels.
        let fast = matches!(first, GgmlDType::Q4K | GgmlDType::Q5K | GgmlDType::Q6K | GgmlDType::Q8_0);
        let gap = (TILE_ROW - inputs % TILE_ROW) % TILE_ROW;
        let padding = if tiles && precision != Precision::Compact { gap } else { 0 };
        if precision == Precision::Small && tiles {
            return Self { dtype: GgmlDType::Q4K, padding };
        }
        if same && (fast || !on_cpu) && (padding == 0 || first == GgmlDType::Q8_0) {
            return Self { dtype: first, padding };
        }
        Self { dtype: GgmlDType::Q8_0, padding }
    }

    /// The bytes of `part` in this plan's format, rows padded.
    fn convert(&self, part: QTensor, inputs: usize) -> Result<Vec<u8>> {
        let part = if part.dtype() == self.dtype && (self.padding == 0 || self.dtype == GgmlDType::Q8_0) {
            part
        } else {
            let dense = part.dequantize(&Device::Cpu)?;
            let whole =
                if self.dtype == GgmlDType::Q8_0 { dense } else { dense.pad_with_zeros(D::Minus1, 0, self.padding)? };
            let quantized = QTensor::quantize(&whole, self.dtype)?;
            if self.dtype != GgmlDType::Q8_0 {
                return Ok(quantized.data()?.into_owned());
            }
            quantized
        };
        let data = part.data()?;
        if self.padding == 0 {
            return Ok(data.into_owned());
        }
        // A Q8_0 block of zero bytes is 32 zeros, so rows can be padded without a round trip through floats.
        let bytes_of = |values: usize| values / self.dtype.block_size() * self.dtype.type_size();
        let (row, gap) = (bytes_of(inputs), bytes_of(self.padding));
        let mut out = Vec::with_capacity(data.len() / row * (row + gap));
        for chunk in data.chunks_exact(row) {
            out.extend_from_slice(chunk);
            out.resize(out.len() + gap, 0);
        }
        Ok(out)
    }
}
