//! Keys and values of one layer, and attention over them.
//!
//! Source: grouped-query attention (arXiv:2305.13245), softmax over all positions so far. All query heads that share a key head are computed
//! together, so that keys and values are read once for them. Keys lie in tiles of 16 positions, position innermost, so that 16 scores are computed at once
//! and none is summed across lanes; values lie by position.

use std::cell::RefCell;

use super::level::by_level;
use super::product::Product;
use super::vector::{exp, madd};

/// Positions in a tile of keys, and what a value's width is rounded up to.
const LANES: usize = 16;

/// Sizes of attention.
#[derive(Debug, Clone, Copy)]
pub struct Heads {
    /// Query heads; a multiple of `shared`.
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
    /// `[shared, tiles, width, 16]`.
    keys: Vec<f32>,
    /// `[shared, capacity, stride]`.
    values: Vec<f32>,
}

impl KeyValues {
    /// Room for `capacity` tokens.
    #[must_use]
    pub fn new(shape: Heads, capacity: usize) -> Self {
        let capacity = capacity.next_multiple_of(LANES);
        let keys = vec![0.0; shape.shared * capacity * shape.width];
        let values = vec![0.0; shape.shared * capacity * shape.stride()];
        Self { shape, capacity, keys, values }
    }

    /// Takes the keys and values out of `rows`, `[tokens, row]`, as positions `at` and following.
    pub fn write(&mut self, at: usize, rows: &[f32]) {
        let (s, stride) = (self.shape, self.shape.stride());
        for (position, row) in (at..self.capacity).zip(rows.chunks_exact(s.row())) {
            let (keys, values) = row[s.heads * s.width..].split_at(s.shared * s.width);
            for h in 0..s.shared {
                let tile = h * self.capacity * s.width + position / LANES * LANES * s.width + position % LANES;
                for (d, key) in keys[h * s.width..][..s.width].iter().enumerate() {
                    self.keys[tile + d * LANES] = *key;
                }
                let value = (h * self.capacity + position) * stride;
                self.values[value..value + s.width].copy_from_slice(&values[h * s.width..][..s.width]);
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
        let out = Out::new(out, tokens, s);
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
                let mixed = unsafe { out.heads(t, h) };
                attend(level, q, (keys, values), (seen, s.width), scores, mixed);
            });
        });
    }
}

thread_local! {
    /// `[group, positions]`; grows to the longest conversation, then stays.
    static SCORES: RefCell<Vec<f32>> = RefCell::default();
}

/// `[tokens, heads, width]`, written from several threads.
struct Out {
    at: *mut f32,
    tokens: usize,
    shape: Heads,
}

// SAFETY: each part of the job writes its own token and heads.
unsafe impl Sync for Out {}

impl Out {
    fn new(out: &mut [f32], tokens: usize, shape: Heads) -> Self {
        assert!(out.len() >= tokens * shape.heads * shape.width, "too little room for attention: this is a bug");
        Self { at: out.as_mut_ptr(), tokens, shape }
    }

    /// What the query heads of one key head write for one token.
    ///
    /// # Safety
    /// Nobody else holds the same.
    #[allow(clippy::mut_from_ref, reason = "the parts are disjoint, which is the caller's promise")]
    unsafe fn heads(&self, token: usize, shared: usize) -> &mut [f32] {
        let s = self.shape;
        let group = s.heads / s.shared * s.width;
        assert!(token < self.tokens && shared < s.shared, "no such heads: this is a bug");
        // SAFETY: within what `new` checked; the caller promises that nobody else has it.
        unsafe { std::slice::from_raw_parts_mut(self.at.add(token * s.heads * s.width + shared * group), group) }
    }
}

by_level!(
    fn attend(
        level,
        q: &[f32],
        kv: (&[f32], &[f32]),
        shape: (usize, usize),
        scores: &mut [f32],
        out: &mut [f32]
    ) = attend_body
);

/// `q` and `out` are `[group, width]`, of which as many heads are taken at once as registers allow.
#[inline(always)]
fn attend_body<const FMA: bool>(
    q: &[f32],
    (keys, values): (&[f32], &[f32]),
    (seen, width): (usize, usize),
    scores: &mut [f32],
    out: &mut [f32],
) {
    let (group, row) = (q.len() / width, seen.next_multiple_of(LANES));
    let mut from = 0;
    while from < group {
        let q = &q[from * width..];
        let scores = &mut scores[from * row..];
        let out = &mut out[from * width..];
        from += match group - from {
            8.. => some::<FMA, 8>(q, keys, values, (seen, width), scores, out),
            7 => some::<FMA, 7>(q, keys, values, (seen, width), scores, out),
            4..=6 => some::<FMA, 4>(q, keys, values, (seen, width), scores, out),
            3 => some::<FMA, 3>(q, keys, values, (seen, width), scores, out),
            2 => some::<FMA, 2>(q, keys, values, (seen, width), scores, out),
            _ => some::<FMA, 1>(q, keys, values, (seen, width), scores, out),
        };
    }
}

#[inline(always)]
fn some<const FMA: bool, const N: usize>(
    q: &[f32],
    keys: &[f32],
    values: &[f32],
    (seen, width): (usize, usize),
    scores: &mut [f32],
    out: &mut [f32],
) -> usize {
    let row = seen.next_multiple_of(LANES);
    let scale = 1.0 / (width as f32).sqrt();
    for (tile, keys) in keys.chunks_exact(LANES * width).take(row / LANES).enumerate() {
        let mut sums = [[0.0f32; LANES]; N];
        for (d, key) in keys.as_chunks::<LANES>().0.iter().enumerate() {
            for (n, sums) in sums.iter_mut().enumerate() {
                let q = q[n * width + d];
                for (s, k) in sums.iter_mut().zip(key) {
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
    let stride = width.next_multiple_of(LANES);
    for at in (0..width).step_by(LANES) {
        let mut sums = [[0.0f32; LANES]; N];
        for (position, value) in values.chunks_exact(stride).take(seen).enumerate() {
            for (n, sums) in sums.iter_mut().enumerate() {
                let weight = scores[n * row + position];
                for (s, v) in sums.iter_mut().zip(&value[at..at + LANES]) {
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
