//! Rotary position embedding of a part of each head, neighbouring dimensions paired.

use super::config::Config;
use crate::model::asr::layers::Turns;

/// For `positions`. Pairs beyond the rotated part are turned by nothing.
pub(super) fn turns(config: &Config, heads: usize, positions: usize) -> Turns {
    let width = config.hidden_size / heads;
    Turns::new(&frequencies(width, config.partial_rotary_factor, config.rope_theta), positions)
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
