//! Scores of all tokens of the vocabulary: first roughly, then exactly where it matters.
//!
//! A head in 8 bits is a third of what an answer's token has to read. Where it is the embedding's matrix over again, which lies there in fewer bits, that one scores all
//! tokens, and the strips of rows with the best of them are scored anew in 8 bits, to the last bit as the whole head would. If any other token comes so near the best that
//! the difference of the two could change their order, the whole head is computed after all.
//!
//! Source: the preview of SVD-softmax (Shim et al., NIPS 2017), there over the leading columns of a rotated matrix; here over all columns in fewer bits, with a check.

use std::sync::Arc;

use crate::model::kernels::{Activations, Packed, Product, ROWS, multiply, multiply_some};

/// Strips that are scored anew. The sampler looks at the 128 best tokens (`sample.rs`); of twice as many by their rough scores those were in, in each of 46 contexts.
const BEST: usize = 256;
/// Rows by which two matrices are compared.
const COMPARED: usize = 64;
/// Cosine of two rows that are one, rounded to 4 or more bits and to 8.
const ALIKE: f32 = 0.98;
/// The rough matrix is worth its second pass if it has at most this share of the other's bytes.
const WORTH: f32 = 0.8;

/// The last matrix of the network, `[vocabulary, width]`.
pub(super) struct Head {
    whole: Arc<Packed>,
    /// The same matrix in fewer bits.
    pub(super) rough: Option<Arc<Packed>>,
    /// Best rough score of each strip.
    strips: Vec<(f32, usize)>,
    /// `(token, strip)` that are scored anew, and their rough scores.
    again: Vec<(usize, usize)>,
    before: Vec<f32>,
    /// Best rough score of those that are not, after each token.
    rest: Vec<f32>,
}

impl Head {
    /// `embedding` is the matrix that tokens are looked up in.
    pub(super) fn new(whole: Arc<Packed>, embedding: &Arc<Packed>) -> Self {
        let smaller = embedding.size() as f32 <= WORTH * whole.size() as f32;
        let rough =
            (smaller && whole.rows() > 2 * BEST * ROWS && alike(&whole, embedding)).then(|| Arc::clone(embedding));
        Self { whole, rough, strips: Vec::new(), again: Vec::new(), before: Vec::new(), rest: Vec::new() }
    }

    /// Scores after each token of `x`, `[tokens, vocabulary]`.
    pub(super) fn scores(&mut self, p: &mut Product<'_>, x: &Activations) -> Vec<f32> {
        let mut all = vec![0.0; x.tokens() * self.whole.rows()];
        let Some(rough) = self.rough.clone() else {
            multiply(p, &[(&self.whole, None)], x, &mut all);
            return all;
        };
        multiply(p, &[(&rough, None)], x, &mut all);
        let vocabulary = self.whole.rows();
        self.again.clear();
        self.rest.clear();
        all.chunks_exact(vocabulary).enumerate().for_each(|(t, row)| self.choose(t, row));
        self.before.clear();
        self.before.extend(self.again.iter().flat_map(|(t, s)| strip_of(&all[t * vocabulary..][..vocabulary], *s)));
        multiply_some(p, &self.whole, x, &self.again, &mut all);
        let mut before = self.before.as_slice();
        let safe = self.again.chunk_by(|(a, _), (b, _)| a == b).zip(&self.rest).all(|(strips, rest)| {
            let (mut best, mut error) = (f32::NEG_INFINITY, 0.0f32);
            for (t, s) in strips {
                let now = strip_of(&all[t * vocabulary..][..vocabulary], *s);
                let was = before.split_off(..now.len()).unwrap_or_default();
                best = now.iter().fold(best, |m, v| m.max(*v));
                error = now.iter().zip(was).fold(error, |m, (a, b)| m.max((a - b).abs()));
            }
            rest + 2.0 * error < best
        });
        if !safe {
            multiply(p, &[(&self.whole, None)], x, &mut all);
        }
        all
    }

    /// Notes the strips with the best rough scores after token `t`, and the best score of the others.
    fn choose(&mut self, t: usize, row: &[f32]) {
        self.strips.clear();
        let best = |strip: &[f32]| strip.iter().fold(f32::NEG_INFINITY, |m, v| if *v > m { *v } else { m });
        self.strips.extend(row.chunks(ROWS).enumerate().map(|(s, strip)| (best(strip), s)));
        // The one at `BEST` is the best of those behind it, too.
        let (_, (rest, _), _) = self.strips.select_nth_unstable_by(BEST, |a, b| b.0.total_cmp(&a.0));
        self.rest.push(*rest);
        let from = self.again.len();
        self.again.extend(self.strips[..BEST].iter().map(|(_, s)| (t, *s)));
        self.again[from..].sort_unstable();
    }
}

fn strip_of(row: &[f32], s: usize) -> &[f32] {
    &row[s * ROWS..row.len().min((s + 1) * ROWS)]
}

/// Whether two matrices are one, rounded differently: by some rows of all parts of the vocabulary.
fn alike(a: &Packed, b: &Packed) -> bool {
    if (a.rows(), a.columns()) != (b.rows(), b.columns()) {
        return false;
    }
    let (mut x, mut y) = (vec![0.0; a.columns()], vec![0.0; a.columns()]);
    (0..COMPARED).all(|i| {
        let row = i * a.rows() / COMPARED;
        a.row(row, &mut x);
        b.row(row, &mut y);
        let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(a, b)| a * b).sum::<f32>();
        let (xx, yy, xy) = (dot(&x, &x), dot(&y, &y), dot(&x, &y));
        // Rows of tokens that never came up may be nothing at all.
        (xx - yy).abs() <= (1.0 - ALIKE) * 2.0 * xx.max(yy) && xy >= ALIKE * (xx * yy).sqrt()
    })
}

#[cfg(test)]
mod tests {
    use half::f16;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;
    use crate::model::kernels::{Bits, Block, Level, Team};

    const ALL: usize = 9_000;
    const WIDTH: usize = 64;

    fn weights(random: &mut StdRng) -> Vec<f32> {
        (0..ALL * WIDTH).map(|_| random.random_range(-1.0..1.0)).collect()
    }

    fn eight_bits(weights: &[f32]) -> Arc<Packed> {
        Arc::new(Packed::round((ALL, WIDTH), weights).unwrap())
    }

    fn five_bits(weights: &[f32]) -> Arc<Packed> {
        let block = |row: usize, n: usize| {
            let values = &weights[row * WIDTH + n * 32..][..32];
            let codes = std::array::from_fn(|i| (values[i] * 15.0 + 16.0).round() as u8);
            Block { codes, scale: f16::from_f32(1.0 / 15.0), offset: f16::ZERO }
        };
        Arc::new(Packed::new((ALL, WIDTH), Bits::Five, false, block).unwrap())
    }

    /// Scores after each token of `x`: of the whole head, and with `rough` before it.
    fn both(whole: &[f32], rough: Arc<Packed>, x: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let mut team = Team::new(2).unwrap();
        let mut p = Product { level: Level::best(), team: &mut team };
        let mut rounded = Activations::default();
        rounded.round(&mut p, x, WIDTH);
        let whole = eight_bits(whole);
        let mut head = Head::new(Arc::clone(&whole), &whole);
        assert!(head.rough.is_none(), "of the same size it would spare nothing");
        let wanted = head.scores(&mut p, &rounded);
        head.rough = Some(rough);
        (wanted, head.scores(&mut p, &rounded))
    }

    #[test]
    fn what_scores_best_has_the_whole_heads_scores_and_the_rest_stays_below() {
        let mut random = StdRng::seed_from_u64(5);
        let whole = weights(&mut random);
        for tokens in [1, 3] {
            let x: Vec<f32> = (0..tokens * WIDTH).map(|_| random.random_range(-1.0..1.0)).collect();
            let (wanted, got) = both(&whole, five_bits(&whole), &x);
            for (wanted, got) in wanted.chunks_exact(ALL).zip(got.chunks_exact(ALL)) {
                let mut order: Vec<usize> = (0..ALL).collect();
                order.sort_by(|a, b| wanted[*b].total_cmp(&wanted[*a]));
                assert!(order[..32].iter().all(|i| wanted[*i] == got[*i]), "to the last bit");
                let best = wanted[order[0]];
                assert!(got.iter().all(|s| *s <= best));
                assert!(wanted != got, "the rest is rough");
            }
        }
    }

    #[test]
    fn where_the_order_could_be_another_the_whole_head_is_computed() {
        let mut random = StdRng::seed_from_u64(6);
        let (whole, other) = (weights(&mut random), weights(&mut random));
        let (wanted, got) = both(&whole, five_bits(&other), &whole[..WIDTH]);
        assert_eq!(wanted, got);
    }

    #[test]
    fn a_matrix_is_known_by_its_rows() {
        let mut random = StdRng::seed_from_u64(7);
        let mut whole = weights(&mut random);
        whole[..WIDTH].fill(0.0);
        let fewer_bits = five_bits(&whole);
        assert!(alike(&eight_bits(&whole), &fewer_bits));
        assert!(Head::new(eight_bits(&whole), &fewer_bits).rough.is_some());
        assert!(!alike(&eight_bits(&whole), &eight_bits(&weights(&mut random))), "another matrix");
        let doubled: Vec<f32> = whole.iter().map(|w| w * 2.0).collect();
        assert!(!alike(&eight_bits(&whole), &eight_bits(&doubled)), "the same directions, other lengths");
    }
}
