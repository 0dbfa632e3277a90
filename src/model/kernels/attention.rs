//! Keys and values of one layer, kept in f16, and attention over them.
//!
//! Source: grouped-query attention (arXiv:2305.13245), softmax over all positions so far, or over all there are. All query heads that share a key head are computed
//! together, so that keys and values are read once for them. Keys lie in tiles of 16 positions, position innermost, so that 16 scores are computed at once
//! and none is summed across lanes; values lie by position.

use std::cell::RefCell;

use super::level::{Kind, Level, by_level};
use super::product::Product;
use super::sixteen::{narrow_all, widen_all};
use super::team::Pieces;
use super::vector::{exp, madd};

/// Positions in a tile of keys, and what a value's width is rounded up to.
const LANES: usize = 16;

/// Tokens whose queries are taken at once where all see the same: as many as registers hold scores of.
const TOGETHER: usize = 8;

/// Sizes of attention.
#[derive(Debug, Clone, Copy)]
pub struct Heads {
    /// Query heads; a multiple of `shared`. None where the queries are those of other tokens.
    pub heads: usize,
    /// Key and value heads.
    pub shared: usize,
    /// Values of one head.
    pub width: usize,
}

impl Heads {
    /// Values of a token's queries, keys and values together.
    #[must_use]
    pub fn row(&self) -> usize {
        (self.heads + 2 * self.shared) * self.width
    }

    fn stride(&self) -> usize {
        self.width.next_multiple_of(LANES)
    }
}

/// Keys and values of up to `capacity` tokens, allocated once.
#[derive(Debug)]
pub struct KeyValues {
    shape: Heads,
    capacity: usize,
    /// `[shared, tiles, width, 16]`, f16.
    keys: Vec<u16>,
    /// `[shared, capacity, stride]`, f16.
    values: Vec<u16>,
}

impl KeyValues {
    /// Room for `capacity` tokens.
    #[must_use]
    pub fn new(shape: Heads, capacity: usize) -> Self {
        let capacity = capacity.next_multiple_of(LANES);
        let keys = vec![0; shape.shared * capacity * shape.width];
        let values = vec![0; shape.shared * capacity * shape.stride()];
        Self { shape, capacity, keys, values }
    }

    /// Takes the keys and values out of `rows`, `[tokens, row]`, as positions `at` and following.
    pub fn write(&mut self, at: usize, rows: &[f32]) {
        self.write_at(Level::best(), at, rows);
    }

    pub(super) fn write_at(&mut self, level: Level, at: usize, rows: &[f32]) {
        let (s, stride) = (self.shape, self.shape.stride());
        for (position, row) in (at..self.capacity).zip(rows.chunks_exact(s.row())) {
            let (keys, values) = row[s.heads * s.width..].split_at(s.shared * s.width);
            for h in 0..s.shared {
                let tile = h * self.capacity * s.width + position / LANES * LANES * s.width + position % LANES;
                let tile = &mut self.keys[tile..][..(s.width - 1) * LANES + 1];
                narrow_all(level, &keys[h * s.width..][..s.width], LANES, tile);
                let value = (h * self.capacity + position) * stride;
                narrow_all(level, &values[h * s.width..][..s.width], 1, &mut self.values[value..][..s.width]);
            }
        }
    }

    /// Becomes the first `tokens` of `source`, which has the same shape; both must have room for them.
    pub fn copy_from(&mut self, source: &Self, tokens: usize) {
        let (s, stride) = (self.shape, self.shape.stride());
        let whole = tokens.next_multiple_of(LANES);
        for h in 0..s.shared {
            let (to, from) = (h * self.capacity, h * source.capacity);
            self.keys[to * s.width..][..whole * s.width]
                .copy_from_slice(&source.keys[from * s.width..][..whole * s.width]);
            self.values[to * stride..][..tokens * stride]
                .copy_from_slice(&source.values[from * stride..][..tokens * stride]);
        }
    }

    /// What each token of `rows` (`[tokens, row]`, whose keys and values stand at position `before` and following) sees of the tokens up to it: `out` is
    /// `[tokens, heads * width]`.
    pub fn attend(&self, p: &mut Product<'_>, before: usize, rows: &[f32], out: &mut [f32]) {
        let s = self.shape;
        let (tokens, group, level) = (rows.len() / s.row(), s.heads / s.shared, p.level);
        assert!(before + tokens <= self.capacity, "{tokens} tokens after {before} of {}: this is a bug", self.capacity);
        let out = Pieces::new(out, group * s.width);
        p.team.run(s.shared * tokens, &|part: usize| {
            // The last tokens see most: they come first, so that threads end together.
            let (h, t) = (part % s.shared, tokens - 1 - part / s.shared);
            let q = &rows[t * s.row() + h * group * s.width..][..group * s.width];
            let keys = &self.keys[h * self.capacity * s.width..][..self.capacity * s.width];
            let values = &self.values[h * self.capacity * s.stride()..][..self.capacity * s.stride()];
            SCORES.with_borrow_mut(|scores| {
                let seen = before + t + 1;
                scores.resize(group * seen.next_multiple_of(LANES), 0.0);
                // SAFETY: each part has its own token and heads.
                let mixed = unsafe { out.get(t * s.shared + h) };
                attend(level, q, (keys, values), (seen, s.width), at_once(level), scores, mixed);
            });
        });
    }
}

impl KeyValues {
    /// What tokens see of the first `seen` positions, all of them: the queries of each stand at the beginning of a row of `rows`, `[tokens, row]`; `out` is
    /// `[tokens, query heads * width]`. For encoders, and for what looks at another sequence.
    pub fn look(&self, p: &mut Product<'_>, seen: usize, (rows, row): (&[f32], usize), out: &mut [f32]) {
        let s = self.shape;
        let tokens = rows.len() / row.max(1);
        let heads = out.len() / (tokens * s.width).max(1);
        assert!(
            (1..=self.capacity).contains(&seen) && heads.is_multiple_of(s.shared) && heads * s.width <= row,
            "{heads} heads look at {seen} of {}: this is a bug",
            self.capacity
        );
        let (level, runs) = (p.level, tokens.div_ceil(TOGETHER));
        let out = Pieces::new(out, s.width);
        p.team.run(heads * runs, &|part: usize| {
            let (h, from) = (part / runs, part % runs * TOGETHER);
            let many = TOGETHER.min(tokens - from);
            let of = h * s.shared / heads;
            let keys = &self.keys[of * self.capacity * s.width..][..self.capacity * s.width];
            let values = &self.values[of * self.capacity * s.stride()..][..self.capacity * s.stride()];
            SCORES.with_borrow_mut(|scratch| {
                scratch.resize(many * (2 * s.width + seen.next_multiple_of(LANES)), 0.0);
                let (q, scratch) = scratch.split_at_mut(many * s.width);
                let (mixed, scores) = scratch.split_at_mut(many * s.width);
                for (q, row) in q.chunks_exact_mut(s.width).zip(rows[from * row..].chunks_exact(row)) {
                    q.copy_from_slice(&row[h * s.width..][..s.width]);
                }
                attend(level, q, (keys, values), (seen, s.width), at_once(level), scores, mixed);
                for (t, mixed) in mixed.chunks_exact(s.width).enumerate() {
                    // SAFETY: each part has its own tokens and head.
                    unsafe { out.get((from + t) * heads + h) }.copy_from_slice(mixed);
                }
            });
        });
    }
}

/// Heads whose sums of a tile stay in registers: of two vectors each where a vector is half a tile, beside the tile itself.
const fn at_once(level: Level) -> usize {
    match level.0 {
        #[cfg(target_arch = "x86_64")]
        Kind::Avx2 | Kind::AvxVnni => 6,
        _ => TOGETHER,
    }
}

thread_local! {
    /// `[group, positions]`; grows to the longest conversation, then stays.
    static SCORES: RefCell<Vec<f32>> = RefCell::default();
}

by_level!(
    fn attend(
        level,
        q: &[f32],
        kv: (&[u16], &[u16]),
        shape: (usize, usize),
        most: usize,
        scores: &mut [f32],
        out: &mut [f32]
    ) = attend_body
);

/// `q` and `out` are `[group, width]`, of which at most `most` heads are taken at once, in equal parts.
#[inline(always)]
fn attend_body<const FMA: bool>(
    q: &[f32],
    kv: (&[u16], &[u16]),
    (seen, width): (usize, usize),
    most: usize,
    scores: &mut [f32],
    out: &mut [f32],
) {
    let (group, row) = (q.len() / width, seen.next_multiple_of(LANES));
    let mut from = 0;
    while from < group {
        let (q, out) = (&q[from * width..], &mut out[from * width..]);
        let (scores, left) = (&mut scores[from * row..], group - from);
        from += match left.div_ceil(left.div_ceil(most)) {
            8.. => some::<FMA, 8>(q, kv, (seen, width), scores, out),
            7 => some::<FMA, 7>(q, kv, (seen, width), scores, out),
            6 => some::<FMA, 6>(q, kv, (seen, width), scores, out),
            5 => some::<FMA, 5>(q, kv, (seen, width), scores, out),
            4 => some::<FMA, 4>(q, kv, (seen, width), scores, out),
            3 => some::<FMA, 3>(q, kv, (seen, width), scores, out),
            2 => some::<FMA, 2>(q, kv, (seen, width), scores, out),
            _ => some::<FMA, 1>(q, kv, (seen, width), scores, out),
        };
    }
}

/// The first `N` heads. Bounds are checked once: a check for each head in the innermost loops, and the registers it took, cost more than the products.
#[inline(always)]
fn some<const FMA: bool, const N: usize>(
    q: &[f32],
    (keys, values): (&[u16], &[u16]),
    (seen, width): (usize, usize),
    scores: &mut [f32],
    out: &mut [f32],
) -> usize {
    let (row, stride) = (seen.next_multiple_of(LANES), width.next_multiple_of(LANES));
    assert!(
        q.len() >= N * width && out.len() >= N * width && scores.len() >= N * row && values.len() >= seen * stride,
        "attention of another shape: this is a bug"
    );
    let scale = 1.0 / (width as f32).sqrt();
    for (tile, keys) in keys.chunks_exact(LANES * width).take(row / LANES).enumerate() {
        let mut sums = [[0.0f32; LANES]; N];
        for (d, key) in keys.as_chunks::<LANES>().0.iter().enumerate() {
            let key = widen_all::<FMA>(key);
            for (n, sums) in sums.iter_mut().enumerate() {
                // SAFETY: a tile has `width` rows, so `d` is less, and `n` is less than `N`.
                let q = unsafe { *q.get_unchecked(n * width + d) };
                for (s, k) in sums.iter_mut().zip(&key) {
                    *s = madd::<FMA>(q, *k, *s);
                }
            }
        }
        for (n, sums) in sums.iter().enumerate() {
            let to = &mut scores[n * row + tile * LANES..][..LANES];
            to.iter_mut().zip(sums).for_each(|(to, s)| *to = s * scale);
        }
    }
    let mut whole = [0.0f32; N];
    for (n, whole) in whole.iter_mut().enumerate() {
        *whole = 1.0 / exponents::<FMA>(&mut scores[n * row..][..seen]);
    }
    for at in (0..width).step_by(LANES) {
        let mut sums = [[0.0f32; LANES]; N];
        for position in 0..seen {
            // SAFETY: a value is `stride` long, a multiple of what is read of it, and there are `seen`.
            let value = unsafe { &*values.as_ptr().add(position * stride + at).cast::<[u16; LANES]>() };
            let value = widen_all::<FMA>(value);
            for (n, sums) in sums.iter_mut().enumerate() {
                // SAFETY: there are `N` rows of scores, each at least `seen` long.
                let weight = unsafe { *scores.get_unchecked(n * row + position) };
                for (s, v) in sums.iter_mut().zip(&value) {
                    *s = madd::<FMA>(weight, *v, *s);
                }
            }
        }
        for (n, sums) in sums.iter().enumerate() {
            let to = &mut out[n * width + at..(n + 1) * width];
            to.iter_mut().zip(sums).for_each(|(to, s)| *to = s * whole[n]);
        }
    }
    N
}

/// Replaces scores by e to their distance from the largest; returns the sum of those.
#[inline(always)]
fn exponents<const FMA: bool>(scores: &mut [f32]) -> f32 {
    let (parts, rest) = scores.as_chunks_mut::<LANES>();
    let mut most = [f32::NEG_INFINITY; LANES];
    for part in parts.iter() {
        for (m, s) in most.iter_mut().zip(part) {
            *m = if *s > *m { *s } else { *m };
        }
    }
    let most = most.iter().chain(rest.iter()).fold(f32::NEG_INFINITY, |m, s| m.max(*s));
    let mut sums = [0.0f32; LANES];
    for part in parts {
        for (sum, s) in sums.iter_mut().zip(part) {
            *s = exp::<FMA>(*s - most);
            *sum += *s;
        }
    }
    let mut total = sums.iter().sum::<f32>();
    for s in rest {
        *s = exp::<FMA>(*s - most);
        total += *s;
    }
    total
}
