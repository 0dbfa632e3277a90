//! Weights in f16, times inputs as they are.

use half::f16;
use proptest::prelude::*;

use super::{Numbers, close};
use crate::model::kernels::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(48)))]

    #[test]
    fn weights_in_16_bits_are_multiplied_with_inputs_as_they_are(
        seed in 1u64.., rows in 1usize..50, blocks in 1usize..7, tokens in 1usize..30, threads in 1usize..4,
    ) {
        let (columns, mut numbers) = (blocks * 32, Numbers(seed));
        let weights = numbers.reals(rows * columns);
        let packed = Packed::sixteen((rows, columns), &weights).unwrap();
        let kept: Vec<f32> = weights.iter().map(|w| f16::from_f32(*w).to_f32()).collect();
        let mut row = vec![0.0; columns];
        for (r, kept) in kept.chunks(columns).enumerate() {
            packed.row(r, &mut row);
            prop_assert!(row == kept);
        }
        let (x, bias) = (numbers.reals(tokens * columns), numbers.reals(rows));
        let cell = |t: usize, r: usize| {
            let terms = (0..columns).map(|c| f64::from(kept[r * columns + c]) * f64::from(x[t * columns + c]));
            terms.fold((f64::from(bias[r]), 0.0), |(sum, size), v| (sum + v, size + v.abs()))
        };
        let wanted: Vec<(f64, f64)> = (0..tokens * rows).map(|i| cell(i / rows, i % rows)).collect();
        let mut team = Team::new(threads).unwrap();
        for level in Level::all() {
            let mut p = Product { level, team: &mut team };
            let mut inputs = Activations::whole();
            inputs.round(&mut p, &x, columns);
            let mut out = vec![f32::NAN; tokens * rows];
            multiply(&mut p, &[(&packed, Some(&bias))], &inputs, &mut out);
            close(&out, &wanted)?;
            // However many are done at once, and however they were written, each comes out as it does alone.
            let mut alone = vec![f32::NAN; rows];
            for (t, out) in out.chunks(rows).enumerate() {
                let one = &x[t * columns..][..columns];
                inputs.fill(&mut p, (1, columns), |_, to| to.copy_from_slice(one));
                multiply(&mut p, &[(&packed, Some(&bias))], &inputs, &mut alone);
                prop_assert!(alone == out, "token {t} of {tokens} at {}", level.name());
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_the_largest_that_does_and_shapes_that_do_not_are_refused() {
    let weights = [1e9f32, -1e9].repeat(16);
    let packed = Packed::sixteen((1, 32), &weights).unwrap();
    let mut row = vec![0.0; 32];
    packed.row(0, &mut row);
    assert_eq!((row[0], row[1]), (65_504.0, -65_504.0));
    assert_eq!(packed.size(), 16 * 32 * 2);
    for (shape, n) in [((1, 31), 31), ((0, 32), 0), ((1, 0), 0), ((2, 32), 32)] {
        assert!(Packed::sixteen(shape, &weights[..n]).is_none(), "{shape:?}");
    }
}

#[test]
#[should_panic(expected = "inputs as they are")]
fn inputs_that_were_not_kept_are_a_bug_that_is_told() {
    let mut team = Team::new(1).unwrap();
    let mut p = Product { level: Level::best(), team: &mut team };
    let mut inputs = Activations::default();
    inputs.round(&mut p, &[0.5; 32], 32);
    multiply(&mut p, &[(&Packed::sixteen((1, 32), &[0.5; 32]).unwrap(), None)], &inputs, &mut [0.0]);
}
