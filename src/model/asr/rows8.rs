//! A matrix in 8 bits, multiplied with one vector at a time on the calling thread.
//!
//! candle has such a product too, but spreads every one over its threads and spins until all are done. A decoder makes
//! some 40 of them per token; when other work holds a core, each waits for a time slice, which is four times slower than
//! one thread alone. Here activations stay `f32`, so only the weights are rounded.

use candle_core::{Result, Tensor};

use crate::model::kernels::{self, Level};

/// Rows of 8-bit levels, each row with its own scale.
pub(super) struct Rows8 {
    levels: Vec<i8>,
    scales: Vec<f32>,
    width: usize,
}

impl Rows8 {
    /// Rounds a `(rows, width)` matrix.
    pub(super) fn new(matrix: &Tensor) -> Result<Self> {
        let (rows, width) = matrix.dims2()?;
        let values: Vec<f32> = matrix.contiguous()?.flatten_all()?.to_vec1()?;
        let (mut levels, mut scales) = (Vec::with_capacity(rows * width), Vec::with_capacity(rows));
        for row in values.chunks_exact(width.max(1)) {
            let scale = row.iter().fold(0.0f32, |m, v| m.max(v.abs())).max(f32::MIN_POSITIVE) / 127.0;
            #[allow(clippy::cast_possible_truncation, reason = "rounded to -127..=127")]
            levels.extend(row.iter().map(|v| (v / scale).round() as i8));
            scales.push(scale);
        }
        Ok(Self { levels, scales, width })
    }

    /// `(time, width)` to `(time, rows)`.
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (time, width) = x.dims2()?;
        if width != self.width {
            candle_core::bail!("a vector of {width} for rows of {}", self.width);
        }
        let x: Vec<f32> = x.contiguous()?.flatten_all()?.to_vec1()?;
        let (rows, level) = (self.scales.len(), Level::best());
        let mut y = vec![0.0; time * rows];
        for (vector, y) in x.chunks_exact(width.max(1)).zip(y.chunks_exact_mut(rows.max(1))) {
            kernels::rows8(level, &self.levels, &self.scales, vector, y);
        }
        Tensor::from_vec(y, (time, rows), &candle_core::Device::Cpu)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};

    use super::Rows8;

    #[test]
    fn the_product_is_that_of_the_matrix_but_for_rounding() {
        let w = Tensor::randn(0.0f32, 1.0, (70, 100), &Device::Cpu).expect("matrix");
        let x = Tensor::randn(0.0f32, 1.0, (3, 100), &Device::Cpu).expect("vectors");
        let exact: Vec<f32> =
            x.matmul(&w.t().expect("view")).and_then(|y| y.flatten_all()?.to_vec1()).expect("product");
        let rounded: Vec<f32> =
            Rows8::new(&w).and_then(|r| r.forward(&x)).and_then(|y| y.flatten_all()?.to_vec1()).expect("product");
        // A level is at most 4/127 wide, so 100 products are off by about 10 * 4/127/√12.
        assert!(exact.iter().zip(&rounded).all(|(a, b)| (a - b).abs() < 0.6));
        assert_eq!(rounded.len(), 210);
    }

    #[test]
    fn a_row_of_zeros_gives_zero_and_a_wrong_width_an_error() {
        let zeros = Tensor::zeros((2, 32), candle_core::DType::F32, &Device::Cpu).expect("zeros");
        let rows = Rows8::new(&zeros).expect("rows");
        let y: Vec<Vec<f32>> = rows.forward(&zeros.ones_like().expect("ones")).and_then(|y| y.to_vec2()).expect("y");
        assert_eq!(y, [[0.0, 0.0], [0.0, 0.0]]);
        assert!(rows.forward(&Tensor::zeros((1, 31), candle_core::DType::F32, &Device::Cpu).expect("x")).is_err());
    }
}
