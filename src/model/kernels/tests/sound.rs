//! What the networks for speech are made of, beside products in 8 bits.

use proptest::prelude::*;

use super::Numbers;
use crate::model::kernels::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(48)))]

    #[test]
    fn windows_that_overlap_are_multiplied_as_arithmetic_does(
        seed in 1u64.., inputs in 1usize..50, outputs in 1usize..40, windows in 1usize..120, hop in 1usize..60, threads in 1usize..3,
    ) {
        let mut numbers = Numbers(seed);
        let (weights, x) = (numbers.reals(inputs * outputs), numbers.reals((windows - 1) * hop + inputs));
        let dense = Dense::new((outputs, inputs), &weights).unwrap();
        let mut team = Team::new(threads).unwrap();
        for level in Level::all() {
            let mut out = vec![f32::NAN; windows * outputs];
            dense.apply(&mut Product { level, team: &mut team }, &x, hop, &mut out);
            for (i, got) in out.iter().enumerate() {
                let (window, row) = (&x[i / outputs * hop..], &weights[i % outputs * inputs..][..inputs]);
                let wanted: f64 = row.iter().zip(window).map(|(w, x)| f64::from(*w) * f64::from(*x)).sum();
                prop_assert!((f64::from(*got) - wanted).abs() < 1e-5, "at {i}: {got} and not {wanted}");
            }
        }
    }

    #[test]
    fn a_look_is_a_weighted_mean_of_all_that_is_seen(
        seed in 1u64.., shared in 1usize..4, group in 1usize..4, width in 1usize..40, tokens in 1usize..20, seen in 1usize..40, behind in 0usize..9,
    ) {
        let (heads, mut numbers) = (shared * group, Numbers(seed));
        let kept = Heads { heads: 0, shared, width };
        let both = numbers.reals(seen * kept.row());
        let row = heads * width + behind;
        let queries = numbers.reals(tokens * row);
        let mut team = Team::new(2).unwrap();
        for level in Level::all() {
            let mut p = Product { level, team: &mut team };
            let mut cache = KeyValues::new(kept, seen + 5);
            // What was there before must not be seen.
            cache.write_at(level, 0, &vec![9.0; (seen + 5) * kept.row()]);
            cache.write_at(level, 0, &both);
            let mut out = vec![f32::NAN; tokens * heads * width];
            cache.look(&mut p, seen, (&queries, row), &mut out);
            for (i, got) in out.iter().enumerate() {
                let (token, head, d) = (i / (heads * width), i / width % heads, i % width);
                let q = &queries[token * row + head * width..][..width];
                let of = |t: usize| both[t * kept.row() + head / group * width..].split_at(shared * width);
                let score = |t: usize| q.iter().zip(of(t).0).map(|(a, b)| a * b).sum::<f32>() / (width as f32).sqrt();
                let weights: Vec<f32> = (0..seen).map(|t| score(t).exp()).collect();
                let sum: f32 = weights.iter().sum();
                let wanted: f32 = weights.iter().enumerate().map(|(t, w)| w / sum * of(t).1[d]).sum();
                prop_assert!((got - wanted).abs() < 3e-3, "at {i}: {got} and not {wanted}");
            }
        }
    }
}

/// The error function by its series.
fn erf(x: f64) -> f64 {
    let mut term = x;
    let series = (1..200).map(|n| {
        let now = term / f64::from(2 * n - 1);
        term *= -x * x / f64::from(n);
        now
    });
    std::f64::consts::FRAC_2_SQRT_PI * series.sum::<f64>()
}

#[test]
fn smooth_activations_are_right_to_six_places() {
    let x: Vec<f32> = (-4_000..=4_000).map(|i| i as f32 / 1_000.0).chain([-50.0, 50.0, -1e-6, 1e-6]).collect();
    for level in Level::all() {
        let (mut smooth, mut bent) = (x.clone(), x.clone());
        gelu(level, &mut smooth);
        tanh(level, &mut bent);
        for ((x, smooth), bent) in x.iter().map(|x| f64::from(*x)).zip(smooth).zip(bent) {
            let share =
                if x.abs() < 5.0 { 0.5 + 0.5 * erf(x * std::f64::consts::FRAC_1_SQRT_2) } else { f64::from(x > 0.0) };
            assert!((f64::from(smooth) - x * share).abs() < 1e-6 * x.abs().max(1.0), "gelu({x}) = {smooth}");
            assert!((f64::from(bent) - x.tanh()).abs() < 1e-6, "tanh({x}) = {bent}");
        }
        let mut odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
        tanh(level, &mut odd);
        assert!(odd[1] == 1.0 && odd[2] == -1.0);
    }
}

#[test]
fn a_layer_norm_has_mean_zero_and_variance_one_before_its_weights() {
    let mut numbers = Numbers(5);
    for (level, width) in Level::all().into_iter().flat_map(|l| [3, 16, 100, 288].map(|w| (l, w))) {
        let x: Vec<f32> = numbers.reals(width).iter().map(|v| v * 3.0 + 40.0).collect();
        let (weight, bias) = (numbers.reals(width), numbers.reals(width));
        let mean = x.iter().map(|v| f64::from(*v)).sum::<f64>() / width as f64;
        let variance = x.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / width as f64;
        for bias in [&bias[..], &[]] {
            let mut out = vec![f32::NAN; width];
            layer_norm(level, &x, &weight, bias, 1e-5, &mut out);
            for (i, got) in out.iter().enumerate() {
                let plain = (f64::from(x[i]) - mean) / (variance + 1e-5).sqrt() * f64::from(weight[i]);
                let wanted = plain + bias.get(i).map_or(0.0, |b| f64::from(*b));
                assert!((f64::from(*got) - wanted).abs() < 1e-4, "{}: {got} and not {wanted}", level.name());
            }
        }
    }
}
