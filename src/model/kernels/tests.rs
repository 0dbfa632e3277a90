//! Every kernel of every level against plain arithmetic.

use std::sync::atomic::{AtomicUsize, Ordering};

use half::f16;
use proptest::prelude::*;

use super::vector::rms_norm;
use super::*;

mod sixteen;
mod sound;

/// A repeatable stream of numbers: xorshift.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Within ±1.
    fn real(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }

    fn reals(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.real()).collect()
    }
}

/// Random codes over the whole range, and the weights that they stand for.
fn matrix(seed: u64, shape: (usize, usize), bits: Bits, offsets: bool) -> (Packed, Vec<f32>) {
    let most = match bits {
        Bits::Four => 15,
        Bits::Five => 31,
        Bits::Eight => 255,
    };
    let block = |row: usize, n: usize| {
        let mut numbers = Numbers(seed.wrapping_add((row * 8191 + n + 1) as u64 * 0x9e37_79b9_7f4a_7c15) | 1);
        let mut block = Block::default();
        // The extremes often: they are what overflows.
        block.codes.fill_with(|| match numbers.next() % 4 {
            0 => most,
            1 => 0,
            _ => (numbers.next() % (u64::from(most) + 1)) as u8,
        });
        block.scale = f16::from_f32(numbers.real() * 0.01);
        block.offset = f16::from_f32(numbers.real() * 0.1);
        block
    };
    let packed = Packed::new(shape, bits, offsets, block).unwrap();
    let zero = if offsets { 0.0 } else { f32::from(most / 2 + 1) };
    let weights = (0..shape.0 * shape.1).map(|i| {
        let b = block(i / shape.1, i % shape.1 / 32);
        let offset = if offsets { b.offset.to_f32() } else { 0.0 };
        b.scale.to_f32() * (f32::from(b.codes[i % 32]) - zero) + offset
    });
    let weights = weights.collect();
    (packed, weights)
}

/// Products in f64 of weights and of inputs as they were rounded, and how large the terms are together.
fn expected(weights: &[f32], rows: usize, x: &Activations) -> Vec<(f64, f64)> {
    let a = x.rows(0, x.tokens());
    let columns = x.columns();
    let input = |t: usize, c: usize| f64::from(a.codes[t * columns + c]) * f64::from(a.scales[(t * columns + c) / 32]);
    let cell = |t: usize, r: usize| {
        (0..columns)
            .map(|c| f64::from(weights[r * columns + c]) * input(t, c))
            .fold((0.0, 0.0), |(sum, size), v| (sum + v, size + v.abs()))
    };
    (0..x.tokens() * rows).map(|i| cell(i / rows, i % rows)).collect()
}

fn close(got: &[f32], wanted: &[(f64, f64)]) -> Result<(), TestCaseError> {
    for (i, (got, (value, size))) in got.iter().zip(wanted).enumerate() {
        prop_assert!((f64::from(*got) - value).abs() <= 2e-6 * size + 1e-6, "at {i}: {got} and not {value}");
    }
    Ok(())
}

const FORMATS: [(Bits, bool); 5] =
    [(Bits::Four, false), (Bits::Four, true), (Bits::Five, false), (Bits::Five, true), (Bits::Eight, false)];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(48)))]

    #[test]
    fn every_level_multiplies_as_arithmetic_does(
        seed in 1u64.., rows in 1usize..50, blocks in 1usize..7, tokens in 1usize..20, format in 0usize..5, loud in any::<bool>(), threads in 1usize..4,
    ) {
        let (bits, offsets) = FORMATS[format];
        let (packed, weights) = matrix(seed, (rows, blocks * 32), bits, offsets);
        let mut numbers = Numbers(seed);
        // Inputs that are all extremes overflow first.
        let x: Vec<f32> = (0..tokens * blocks * 32).map(|_| if loud { numbers.real().signum() } else { numbers.real() }).collect();
        let bias = numbers.reals(rows);
        let mut team = Team::new(threads).unwrap();
        for level in Level::all() {
            let mut p = Product { level, team: &mut team };
            let mut inputs = Activations::default();
            inputs.round(&mut p, &x, blocks * 32);
            let mut wanted = expected(&weights, rows, &inputs);
            wanted.iter_mut().enumerate().for_each(|(i, (v, _))| *v += f64::from(bias[i % rows]));
            let mut out = vec![f32::NAN; tokens * rows];
            multiply(&mut p, &[(&packed, Some(&bias))], &inputs, &mut out);
            close(&out, &wanted)?;
            // However many are done at once, each comes out as it does alone.
            let mut alone = vec![f32::NAN; rows];
            for (t, out) in out.chunks(rows).enumerate() {
                inputs.round(&mut p, &x[t * blocks * 32..][..blocks * 32], blocks * 32);
                multiply(&mut p, &[(&packed, Some(&bias))], &inputs, &mut alone);
                prop_assert!(alone == out, "token {t} of {tokens} at {}", level.name());
            }
            inputs.round(&mut p, &x, blocks * 32);
            // Side by side with itself, without and with what is added.
            let mut both = vec![f32::NAN; 2 * tokens * rows];
            multiply(&mut p, &[(&packed, Some(&bias)), (&packed, None)], &inputs, &mut both);
            for (both, one) in both.chunks(2 * rows).zip(out.chunks(rows)) {
                prop_assert!(both[..rows] == *one);
                prop_assert!(both[rows..].iter().zip(one).zip(&bias).all(|((b, o), add)| (b + add - o).abs() < 1e-4));
            }
        }
    }

    #[test]
    fn pixels_in_tiles_are_products_within_limits(
        seed in 1u64.., rows in 1usize..80, columns in 1usize..100, pixels in 1usize..300, threads in 1usize..4,
    ) {
        let padded = columns.next_multiple_of(32);
        let (packed, weights) = matrix(seed, (rows, padded), Bits::Eight, false);
        let narrow: Vec<f32> = weights.chunks(padded).flat_map(|row| &row[..columns]).copied().collect();
        let (packed, whole) = (Grid::Eight(packed), Grid::Whole(Dense::new((rows, columns), &narrow).unwrap()));
        let mut numbers = Numbers(seed);
        let (x, bias, gain) = (numbers.reals(pixels * columns), numbers.reals(rows), numbers.reals(rows));
        let mut team = Team::new(threads).unwrap();
        for level in Level::all() {
            let mut p = Product { level, team: &mut team };
            let mut inputs = Activations::default();
            inputs.round(&mut p, &x, columns);
            prop_assert!(inputs.columns() == padded);
            let mut wanted = expected(&weights, rows, &inputs);
            wanted.iter_mut().enumerate().for_each(|(i, (v, size))| {
                *v = 2.0 * (*v * f64::from(gain[i % rows]) + f64::from(bias[i % rows])).clamp(-0.5, 0.75) + 3.0;
                *size *= 4.0;
            });
            let write = |first: usize, to: &mut [f32]| {
                for (i, to) in (first..).zip(to.chunks_exact_mut(padded)) {
                    to[..columns].copy_from_slice(&x[i * columns..][..columns]);
                }
            };
            let finish = Finish { curve: Curve::Within(-0.5, 0.75), scale: 2.0, shift: 3.0 };
            let side_of = |matrix, out| Weights { matrix, gain: &gain, bias: &bias, finish, out };
            // Twice: two matrices over the same pixels.
            let (mut out, mut other) = (vec![f32::NAN; pixels * rows], vec![f32::NAN; pixels * rows]);
            let mut exact = vec![f32::NAN; pixels * rows];
            let mut to = [side_of(&packed, &mut out[..]), side_of(&whole, &mut exact), side_of(&packed, &mut other)];
            let from = if columns == padded { Tokens::Ready(&x) } else { Tokens::Written(&write) };
            convolve(&mut p, (pixels, columns), &from, &mut to);
            prop_assert!(out == other);
            // In f32: of inputs as they were.
            let sum = |t: usize, r: usize| {
                let terms = (0..columns).map(|c| f64::from(weights[r * padded + c]) * f64::from(x[t * columns + c]));
                terms.fold((0.0, 0.0), |(sum, size), v| (sum + v, size + v.abs()))
            };
            let mut plain: Vec<(f64, f64)> = (0..pixels * rows).map(|i| sum(i / rows, i % rows)).collect();
            plain.iter_mut().enumerate().for_each(|(i, (v, size))| {
                *v = 2.0 * (*v * f64::from(gain[i % rows]) + f64::from(bias[i % rows])).clamp(-0.5, 0.75) + 3.0;
                *size *= 4.0;
            });
            close(&exact, &plain)?;
            close(&out, &wanted)?;
        }
    }

    #[test]
    fn a_gate_closes_as_silu_does(seed in 1u64.., rows in 1usize..40, tokens in 1usize..12, format in 0usize..5) {
        let (bits, offsets) = FORMATS[format];
        let (gate, gates) = matrix(seed, (rows, 64), bits, offsets);
        let (up, ups) = matrix(seed ^ 77, (rows, 64), bits, offsets);
        let x: Vec<f32> = Numbers(seed).reals(tokens * 64).iter().map(|v| v * 20.0).collect();
        let mut team = Team::new(2).unwrap();
        for level in Level::all() {
            let mut inputs = Activations::default();
            inputs.round(&mut Product { level, team: &mut team }, &x, 64);
            let (g, u) = (expected(&gates, rows, &inputs), expected(&ups, rows, &inputs));
            let wanted = g.iter().zip(&u).map(|((g, size), (u, more))| (g / (1.0 + (-g).exp()) * u, size * more));
            let wanted: Vec<_> = wanted.collect();
            let mut out = vec![f32::NAN; tokens * rows];
            gated(&mut Product { level, team: &mut team }, (&gate, &up), &inputs, &mut out);
            close(&out, &wanted)?;
        }
    }

    #[test]
    fn attention_is_a_weighted_mean_of_what_came_before(
        seed in 1u64.., before in 0usize..40, tokens in 1usize..5, shared in 1usize..3, group in 1usize..10, width in 1usize..5,
    ) {
        let shape = Heads { heads: shared * group, shared, width: width * 8 };
        // Keys and values that f16 holds exactly, so that nothing is to be excused.
        let all: Vec<f32> =
            Numbers(seed).reals((before + tokens) * shape.row()).iter().map(|v| f16::from_f32(*v).to_f32()).collect();
        let (row, w) = (shape.row(), shape.width);
        let part = |t: usize, head: usize| &all[t * row + head * w..][..w];
        let mut team = Team::new(2).unwrap();
        for level in Level::all() {
            let mut kept = KeyValues::new(shape, before + tokens);
            let p = &mut Product { level, team: &mut team };
            kept.write_at(level, 0, &all[..before * row]);
            let mut cache = KeyValues::new(shape, before + tokens + 30);
            cache.copy_from(&kept, before);
            cache.write_at(level, before, &all[before * row..]);
            let mut out = vec![f32::NAN; tokens * shape.heads * w];
            cache.attend(p, before, &all[before * row..], &mut out);
            for (i, got) in out.iter().enumerate() {
                let (t, h, d) = (before + i / (shape.heads * w), i / w % shape.heads, i % w);
                let dot = |j: usize| part(t, h).iter().zip(part(j, shape.heads + h / group)).map(|(a, b)| f64::from(a * b)).sum::<f64>();
                let weights: Vec<f64> = (0..=t).map(|j| (dot(j) / (w as f64).sqrt()).exp()).collect();
                let mixed = weights.iter().enumerate().map(|(j, p)| p * f64::from(part(j, shape.heads + shared + h / group)[d])).sum::<f64>();
                let wanted = mixed / weights.iter().sum::<f64>();
                prop_assert!((f64::from(*got) - wanted).abs() < 1e-5, "{}: {got} and not {wanted}", level.name());
            }
        }
    }

    #[test]
    fn rounding_keeps_each_value_within_half_a_step(seed in 1u64.., blocks in 1usize..5, size in -20i32..20) {
        let x: Vec<f32> = Numbers(seed).reals(blocks * 32).iter().map(|v| v * 2f32.powi(size)).collect();
        for level in Level::all() {
            let mut inputs = Activations::default();
            inputs.round(&mut Product { level, team: &mut Team::new(1).unwrap() }, &x, blocks * 32);
            let a = inputs.rows(0, 1);
            for (i, v) in x.iter().enumerate() {
                let back = f32::from(a.codes[i]) * a.scales[i / 32];
                prop_assert!((v - back).abs() <= a.scales[i / 32] * 0.501);
            }
            prop_assert!(a.less.iter().zip(a.codes.chunks(32)).all(|(less, c)| *less == -c.iter().map(|c| i32::from(*c)).sum::<i32>()));
        }
    }
}

#[test]
fn a_row_comes_out_of_a_packed_matrix_as_it_went_in() {
    for (bits, offsets) in FORMATS {
        let (packed, weights) = matrix(5, (21, 96), bits, offsets);
        let mut row = [0.0; 96];
        for r in 0..21 {
            packed.row(r, &mut row);
            assert_eq!(row, weights[r * 96..][..96], "{bits:?}, row {r}");
        }
    }
    let dense = Numbers(9).reals(3 * 64);
    let mut row = [0.0; 64];
    Packed::round((3, 64), &dense).unwrap().row(1, &mut row);
    assert!(row.iter().zip(&dense[64..]).all(|(a, b)| (a - b).abs() < 0.005));
    assert!(Packed::round((3, 65), &dense).is_none() && Packed::round((6, 33), &[0.0; 198]).is_none());
    assert!(Packed::new((1, 32), Bits::Eight, true, |_, _| Block::default()).is_none());
}

#[test]
fn what_is_not_a_number_stays_one_and_harms_nobody() {
    let (packed, _) = matrix(3, (16, 64), Bits::Five, false);
    for level in Level::all() {
        for bad in [f32::NAN, f32::INFINITY, f32::MAX, f32::MIN_POSITIVE / 4.0] {
            let mut x = [0.5; 64];
            x[3] = bad;
            let mut inputs = Activations::default();
            let mut team = Team::new(1).unwrap();
            let mut p = Product { level, team: &mut team };
            inputs.round(&mut p, &x, 64);
            let mut out = [0.0; 16];
            multiply(&mut p, &[(&packed, None)], &inputs, &mut out);
            assert!(inputs.rows(0, 1).codes.iter().all(|c| *c > -128));
        }
    }
}

#[test]
fn e_to_a_power_is_right_to_six_places() {
    for level in Level::all() {
        for i in -870..870 {
            // silu(x) · 1 = x / (1 + e^−x)
            let x = i as f32 / 10.0;
            let mut gate = [x; 16];
            swish(level, &mut gate, &[1.0; 16]);
            let wanted = f64::from(x) / (1.0 + f64::from(-x).exp());
            assert!(
                (f64::from(gate[0]) - wanted).abs() <= wanted.abs() * 1e-6 + 1e-30,
                "{x}: {} and not {wanted}",
                gate[0]
            );
        }
    }
}

#[test]
fn every_finite_f16_comes_back_from_the_cache() {
    let shape = Heads { heads: 1, shared: 1, width: 2 };
    let mut team = Team::new(1).unwrap();
    for level in Level::all() {
        for bits in (0..=u16::MAX).filter(|b| f16::from_bits(*b).is_finite()).step_by(if level == Level::best() {
            1
        } else {
            13
        }) {
            let value = f16::from_bits(bits).to_f32();
            let mut cache = KeyValues::new(shape, 1);
            let row = [0.0, 0.0, 0.0, 0.0, value, -value];
            cache.write_at(level, 0, &row);
            let mut out = [9.0; 2];
            cache.attend(&mut Product { level, team: &mut team }, 0, &row, &mut out);
            assert_eq!(out, [value, -value], "{bits:#x}, {}", level.name());
        }
    }
}

#[test]
fn patches_of_rounded_pixels_are_the_pixels_side_by_side() {
    let (packed, weights) = matrix(11, (5, 3 * 64), Bits::Eight, false);
    let packed = Grid::Eight(packed);
    let mut team = Team::new(1).unwrap();
    for level in Level::all() {
        let mut p = Product { level, team: &mut team };
        let x = Numbers(7).reals(4 * 64);
        let mut rounded = Activations::default();
        rounded.round(&mut p, &x, 64);
        // Pixel i, nothing, and the pixel behind i.
        let name = |i: usize, names: &mut [Option<usize>]| names.copy_from_slice(&[Some(i), None, Some((i + 1) % 4)]);
        let (gain, bias, mut out) = ([1.0; 5], [0.0; 5], [f32::NAN; 20]);
        let to = Weights { matrix: &packed, gain: &gain, bias: &bias, finish: Finish::PLAIN, out: &mut out };
        convolve(&mut p, (4, 3 * 64), &Tokens::Patches(&rounded, 3, &name), &mut [to]);
        let side_by_side: Vec<f32> =
            (0..4).flat_map(|i| [&x[i * 64..][..64], &[0.0; 64], &x[(i + 1) % 4 * 64..][..64]].concat()).collect();
        let mut inputs = Activations::default();
        inputs.round(&mut p, &side_by_side, 3 * 64);
        close(&out, &expected(&weights, 5, &inputs)).unwrap();
    }
}

#[test]
fn curves_are_what_they_are_called() {
    for level in Level::all() {
        for i in -400..400 {
            let x = i as f32 / 20.0;
            let f = f64::from(x);
            for (curve, wanted) in [
                (Curve::Within(-1.0, 4.0), f.clamp(-1.0, 4.0)),
                (Curve::Sigmoid, 1.0 / (1.0 + (-f).exp())),
                (Curve::Silu, f / (1.0 + (-f).exp())),
                (Curve::HardSwish, f * (f + 3.0).clamp(0.0, 6.0) / 6.0),
            ] {
                let mut got = [x; 19];
                finish(level, Finish { curve, scale: 3.0, shift: 0.5 }, &mut got);
                let wanted = 3.0 * wanted + 0.5;
                assert!(
                    got.iter().all(|g| (f64::from(*g) - wanted).abs() < 2e-6 * (1.0 + wanted.abs())),
                    "{curve:?} of {x}: {}",
                    got[0]
                );
            }
        }
    }
}

#[test]
fn norms_are_one_and_turned_pairs_keep_their_length() {
    let mut team = Team::new(2).unwrap();
    for level in Level::all() {
        let (mut x, more) = (Numbers(1).reals(3 * 64), Numbers(2).reals(3 * 64));
        let sum: Vec<f32> = x.iter().zip(&more).map(|(x, y)| x + y).collect();
        let (mut normed, mut inputs) = (vec![0.0; 3 * 64], Activations::default());
        rms_norm(level, &sum, &[1.0; 64], 0.0, &mut normed);
        for token in normed.chunks(64) {
            assert!((token.iter().map(|v| v * v).sum::<f32>() / 64.0 - 1.0).abs() < 1e-5);
        }
        inputs.norm(&mut Product { level, team: &mut team }, &mut x, Some(&more), &[1.0; 64], 0.0);
        let a = inputs.rows(0, 3);
        assert_eq!(x, sum);
        assert!(
            normed
                .iter()
                .enumerate()
                .all(|(i, v)| (v - f32::from(a.codes[i]) * a.scales[i / 32]).abs() < a.scales[i / 32] * 0.501)
        );
    }
    let x = Numbers(1).reals(2 * 20);
    let turns: Vec<(f32, f32)> = (0..8).map(|i| ((i as f32).cos(), (i as f32).sin())).collect();
    for (pairs, (a, b)) in [(true, (6, 7)), (false, (3, 7))] {
        // Two tokens of a row of 20, whose first two heads of 8 are turned.
        let mut rows = x.clone();
        turn(&mut Product { level: Level::best(), team: &mut team }, &mut rows, (20, 2), &turns, pairs);
        for (head, (cos, sin)) in [(0, turns[3]), (8, turns[3]), (20, turns[7]), (28, turns[7])] {
            assert!((rows[head + a].hypot(rows[head + b]) - x[head + a].hypot(x[head + b])).abs() < 1e-6);
            assert!((rows[head + a] - (x[head + a] * cos - x[head + b] * sin)).abs() < 1e-6);
        }
        assert_eq!((&rows[16..20], &rows[36..]), (&x[16..20], &x[36..]));
    }
}

#[test]
fn taps_are_plain_sums_at_every_level() {
    for level in Level::all() {
        for (rows, width) in [(1, 1), (3, 31), (5, 32), (7, 100), (4, 288)] {
            let mut numbers = Numbers(level.name().len() as u64 + 1);
            let at: Vec<_> = (0..rows).map(|t| (t * width, (rows - 1 - t) * width)).collect();
            let (x, w, bias) = (numbers.reals(rows * width), numbers.reals(rows * width), numbers.reals(width));
            let mut out = vec![9.0; width];
            taps(level, &x, &w, &at, &bias, (-0.5, 0.5), &mut out);
            for (c, out) in out.iter().enumerate() {
                let plain = bias[c] + at.iter().map(|(from, tap)| x[from + c] * w[tap + c]).sum::<f32>();
                assert!((out - plain.clamp(-0.5, 0.5)).abs() < 1e-5, "{} {width}", level.name());
            }
        }
    }
}

#[test]
fn each_part_of_a_job_is_done_once_whoever_sleeps() {
    let mut team = Team::new(4).unwrap();
    for parts in (0..300).chain([10_000]) {
        let done: Vec<AtomicUsize> = (0..parts).map(|_| AtomicUsize::new(0)).collect();
        team.run(parts, &|part: usize| {
            done[part].fetch_add(1, Ordering::SeqCst);
        });
        assert!(done.iter().all(|d| d.load(Ordering::SeqCst) == 1), "{parts} parts");
        if parts % 50 == 0 {
            // Long enough for helpers to fall asleep on most machines; right either way.
            (0..200_000).for_each(|_| std::hint::spin_loop());
        }
    }
}

#[test]
fn a_job_that_panics_ends_and_the_next_one_runs() {
    let mut team = Team::new(3).unwrap();
    for bad in 0..8 {
        let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            team.run(8, &|part: usize| assert!(part != bad, "part {part}"));
        }));
        assert!(failed.is_err());
        let sum = AtomicUsize::new(0);
        team.run(5, &|part: usize| {
            sum.fetch_add(part, Ordering::SeqCst);
        });
        assert_eq!(sum.into_inner(), 10);
    }
}
