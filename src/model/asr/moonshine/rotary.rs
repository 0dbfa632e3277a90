//! Rotary position embedding of a part of each head, neighbouring dimensions paired.

use candle_core::{Device, Result, Tensor};

use super::config::Config;

/// Cosines and sines for positions `from..`, each `(positions, head width / 2)`.
pub(super) struct Rotary {
    cos: Tensor,
    sin: Tensor,
}

impl Rotary {
    /// Tables for `positions`. Pairs beyond the rotated part get angle 0, so that no tensor need be cut and joined.
    pub(super) fn new(config: &Config, heads: usize, positions: usize) -> Result<Self> {
        let width = config.hidden_size / heads;
        let frequencies = frequencies(width, config.partial_rotary_factor, config.rope_theta);
        let angles = |f: fn(f64) -> f64| {
            #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "table values of ±1")]
            let table: Vec<f32> =
                (0..positions).flat_map(|t| frequencies.iter().map(move |w| f(t as f64 * w) as f32)).collect();
            Tensor::from_vec(table, (positions, width / 2), &Device::Cpu)
        };
        Ok(Self { cos: angles(f64::cos)?, sin: angles(f64::sin)? })
    }

    /// How many positions the tables hold.
    pub(super) fn positions(&self) -> usize {
        self.cos.dims()[0]
    }

    /// Rotates `(heads, time, head width)` whose first row stands at position `from`.
    pub(super) fn apply(&self, x: &Tensor, from: usize) -> Result<Tensor> {
        let time = x.dims()[1];
        let (cos, sin) = (self.cos.narrow(0, from, time)?, self.sin.narrow(0, from, time)?);
        candle_nn::rotary_emb::rope_i(&x.unsqueeze(0)?, &cos, &sin)?.squeeze(0)
    }
}

/// One frequency for each pair of a head of `width`; 0 for the pairs that are not rotated.
fn frequencies(width: usize, share: f64, theta: f64) -> Vec<f64> {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "head widths are small"
    )]
    let rotated = (width as f64 * share) as usize / 2 * 2;
    #[allow(clippy::cast_precision_loss, reason = "head widths are small")]
    let of = |pair: usize| theta.powf(-(2.0 * pair as f64) / rotated as f64);
    (0..width / 2).map(|pair| if 2 * pair < rotated { of(pair) } else { 0.0 }).collect()
}

#[cfg(test)]
mod tests {
    use super::frequencies;

    #[test]
    fn thirty_two_of_thirty_six_dimensions_are_rotated() {
        let f = frequencies(36, 0.9, 10_000.0);
        assert_eq!(f.len(), 18);
        assert!(
            (f[0] - 1.0).abs() < 1e-12 && (f[1] - 0.562_341_325).abs() < 1e-6 && (f[15] - 1.778_279e-4).abs() < 1e-9
        );
        assert_eq!(&f[16..], [0.0, 0.0]);
    }
}
