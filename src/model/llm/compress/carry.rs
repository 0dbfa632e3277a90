//! Rows of floats → `Q4_0` blocks, what the rounding of one value does wrong made up for by the values after it.
//!
//! Pure. Source: "GPTQ" (arXiv:2210.17323). With H the mean of x xᵀ over the inputs x of a matrix, and U the upper triangle for which H⁻¹ = Uᵀ U, the values of a row are rounded one after the
//! other, and the error of each, divided by Uᵢᵢ, is taken from those after it in the proportions of U's row. Ours: each block's scale is sought when its turn comes, as in
//! [`quantize`](super::quantize), errors weighed by 1 / Uᵢᵢ²; U comes from a factorization from the last column on, so H is never inverted.

use super::quantize::{BLOCK, best, code, pack};

/// What is added to H's diagonal, of its mean: inputs that hardly vary, or always together, must not make up for others.
const DAMPING: f64 = 0.01;

/// U of the inputs of a matrix.
#[derive(Debug)]
pub(super) struct Carry {
    /// `[n, n]`, zero below the diagonal.
    upper: Vec<f32>,
    /// How much an error of each of the `n` values matters when those before it are rounded already: 1 / Uᵢᵢ².
    weights: Vec<f32>,
}

impl Carry {
    /// `gram`: `[n, n]`, the mean of x xᵀ. `None`: not finite, or nothing was ever multiplied with it.
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "computed in f64, kept in f32")]
    pub(super) fn new(gram: &[f32], n: usize) -> Option<Self> {
        if gram.len() != n * n {
            return None;
        }
        let mean = (0..n).map(|i| f64::from(gram[i * n + i])).sum::<f64>() / n.max(1) as f64;
        if !(mean.is_finite() && mean > 0.0) {
            return None;
        }
        let root = root(gram, n, DAMPING * mean)?;
        let mut upper = vec![0.0_f64; n * n];
        for i in (0..n).rev() {
            let (above, below) = upper.split_at_mut((i + 1) * n);
            let row = &mut above[i * n..];
            row[i] = 1.0;
            for k in i + 1..n {
                let (by, from) = (root[i * n + k], &below[(k - i - 1) * n..][k..n]);
                row[k..].iter_mut().zip(from).for_each(|(u, v)| *u -= by * v);
            }
            let diagonal = root[i * n + i];
            row[i..].iter_mut().for_each(|u| *u /= diagonal);
        }
        let weights = (0..n).map(|i| upper[i * n + i].powi(-2) as f32).collect();
        Some(Self { upper: upper.iter().map(|u| *u as f32).collect(), weights })
    }

    /// Appends `row`, `n` values, as blocks of `Q4_0`.
    pub(super) fn to_q4_0(&self, row: &[f32], out: &mut Vec<u8>) {
        const HALF: u8 = 8;
        let (mut row, n) = (row.to_vec(), self.weights.len());
        for at in (0..n).step_by(BLOCK) {
            let (scale, mut codes) = best(&row[at..at + BLOCK], &self.weights[at..at + BLOCK], HALF);
            for (i, c) in codes.iter_mut().enumerate() {
                let u = &self.upper[(at + i) * n..][at + i..n];
                let (value, rest) = (row[at + i], &mut row[at + i..]);
                *c = code(value, scale.to_f32(), HALF);
                let error = (value - scale.to_f32() * (f32::from(*c) - f32::from(HALF))) / u[0];
                rest.iter_mut().zip(u).for_each(|(w, u)| *w -= error * u);
            }
            pack(scale, &codes, HALF, out);
        }
    }
}

/// The upper triangle R with R Rᵀ = H, H's diagonal raised by `damping`.
fn root(gram: &[f32], n: usize, damping: f64) -> Option<Vec<f64>> {
    let mut root = vec![0.0_f64; n * n];
    for j in (0..n).rev() {
        let (above, below) = root.split_at_mut(j * n);
        let own = &mut below[..n];
        let square = f64::from(gram[j * n + j]) + damping - own[j + 1..].iter().map(|r| r * r).sum::<f64>();
        if !(square.is_finite() && square > 0.0) {
            return None;
        }
        own[j] = square.sqrt();
        for (i, row) in above.chunks_exact_mut(n).enumerate() {
            let along: f64 = row[j + 1..].iter().zip(&own[j + 1..]).map(|(a, b)| a * b).sum();
            row[j] = (f64::from(gram[i * n + j]) - along) / own[j];
        }
    }
    Some(root)
}

#[cfg(test)]
mod tests {
    use super::Carry;
    use crate::model::llm::compress::quantize::tests::{Q4_0_BYTES, from_q4_0};
    use crate::model::llm::compress::quantize::{BLOCK, to_q4_0};
    use crate::model::llm::compress::task::Draw;

    const N: usize = 2 * BLOCK;

    /// `-1.0..1.0`.
    fn one(draw: &mut Draw) -> f32 {
        draw.below(1 << 24) as f32 / (1 << 23) as f32 - 1.0
    }

    /// Inputs of which many vary together, as those of a network do: each is a mixture of a few, and some of its own.
    fn inputs(draw: &mut Draw, count: usize) -> Vec<Vec<f32>> {
        let mixture: Vec<f32> = (0..N * 6).map(|_| one(draw)).collect();
        let input = |draw: &mut Draw| {
            let few: Vec<f32> = (0..6).map(|_| one(draw)).collect();
            let mixed = |i: usize| few.iter().zip(&mixture[i * 6..]).map(|(f, m)| f * m).sum::<f32>();
            (0..N).map(|i| mixed(i) + 0.3 * one(draw)).collect()
        };
        (0..count).map(|_| input(draw)).collect()
    }

    fn gram(inputs: &[Vec<f32>]) -> Vec<f32> {
        let mut gram = vec![0.0; N * N];
        for x in inputs {
            for (i, row) in gram.chunks_exact_mut(N).enumerate() {
                row.iter_mut().zip(x).for_each(|(g, y)| *g += x[i] * y / inputs.len() as f32);
            }
        }
        gram
    }

    fn floats(bytes: &[u8]) -> Vec<f32> {
        bytes.chunks_exact(Q4_0_BYTES).flat_map(from_q4_0).collect()
    }

    /// Mean square of what the rounding changes in the product with what a matrix is really multiplied with.
    fn off(row: &[f32], bytes: &[u8], inputs: &[Vec<f32>]) -> f32 {
        let back = floats(bytes);
        assert_eq!(back.len(), N);
        let product = |x: &Vec<f32>| x.iter().zip(row.iter().zip(&back)).map(|(x, (w, q))| x * (w - q)).sum::<f32>();
        inputs.iter().map(|x| product(x).powi(2)).sum::<f32>() / inputs.len() as f32
    }

    #[test]
    fn products_are_off_by_half_of_what_they_are_without() {
        let mut draw = Draw(0x2545_f491_4f6c_dd1d);
        let mut seen = inputs(&mut draw, 1200);
        let unseen = seen.split_off(800);
        let gram = gram(&seen);
        let carry = Carry::new(&gram, N).unwrap();
        let weights: Vec<f32> = (0..N).map(|i| gram[i * N + i]).collect();
        let (mut with, mut without) = (0.0, 0.0);
        for _ in 0..64 {
            let row: Vec<f32> = (0..N).map(|_| one(&mut draw)).collect();
            let (mut carried, mut weighed) = (Vec::new(), Vec::new());
            carry.to_q4_0(&row, &mut carried);
            to_q4_0(&row, &weights, &mut weighed);
            with += off(&row, &carried, &unseen);
            without += off(&row, &weighed, &unseen);
        }
        assert!(with < 0.5 * without, "{with} {without}");
    }

    #[test]
    fn inputs_that_have_nothing_to_do_with_each_other_change_nothing_but_the_last_bit() {
        let mut gram = vec![0.0; N * N];
        (0..N).for_each(|i| gram[i * N + i] = 1.0);
        let mut draw = Draw(7);
        let row: Vec<f32> = (0..N).map(|_| one(&mut draw)).collect();
        let (mut carried, mut weighed) = (Vec::new(), Vec::new());
        Carry::new(&gram, N).unwrap().to_q4_0(&row, &mut carried);
        to_q4_0(&row, &[1.0; N], &mut weighed);
        let (a, b) = (floats(&carried), floats(&weighed));
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-2), "{a:?} {b:?}");
    }

    #[test]
    fn what_tells_nothing_is_no_carry() {
        assert!(Carry::new(&vec![0.0; N * N], N).is_none());
        assert!(Carry::new(&vec![f32::NAN; N * N], N).is_none());
        assert!(Carry::new(&[1.0; 9], N).is_none());
        // Inputs that are all the same are made usable by the damping.
        let same = Carry::new(&vec![1.0; N * N], N).unwrap();
        let mut out = Vec::new();
        same.to_q4_0(&[0.0; N], &mut out);
        assert!(floats(&out).iter().all(|w| *w == 0.0));
    }
}
