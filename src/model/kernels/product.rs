//! Whole matrices: strips shared between threads, tokens taken in tiles.

use std::cell::RefCell;

use super::activation::{Activations, Rows};
use super::level::{Kind, Level};
use super::pack::{BLOCK, Bits, Line, Packed, ROWS, Strip, bytes_mut};
use super::team::Team;
use super::vector::swish;

/// Tokens from which codes of 4 and 5 bits are unpacked once for all of them: sooner where a product is two instructions and more.
const fn many(level: Level) -> usize {
    match level.0 {
        #[cfg(target_arch = "x86_64")]
        Kind::Avx2 => 5,
        _ => 8,
    }
}

/// Parts of a job for each thread: enough that one that came late is not waited for.
pub(super) const PARTS: usize = 8;

/// How to multiply: the kernels and the threads.
pub struct Product<'a> {
    /// Which kernels.
    pub level: Level,
    /// Who works.
    pub team: &'a mut Team,
}

/// Where `[tokens, rows]` outputs go, from several threads.
pub(super) struct Out {
    at: *mut f32,
    rows: usize,
    tokens: usize,
}

// SAFETY: each thread writes the rows of its own strips only.
unsafe impl Sync for Out {}

impl Out {
    pub(super) fn new(out: &mut [f32], rows: usize, tokens: usize) -> Self {
        assert!(out.len() >= rows * tokens, "{} outputs for {tokens} tokens of {rows}: this is a bug", out.len());
        Self { at: out.as_mut_ptr(), rows, tokens }
    }

    /// Writes rows `from` to `from + some` of the tokens from `first` on.
    ///
    /// # Safety
    /// No other thread writes them.
    #[inline(always)]
    pub(super) unsafe fn write(&self, first: usize, (from, some): (usize, usize), sums: &[[f32; ROWS]]) {
        assert!(
            from + some <= self.rows && some <= ROWS && first + sums.len() <= self.tokens,
            "rows {from} and {some} more of {}: this is a bug",
            self.rows
        );
        for (t, sums) in (first..).zip(sums) {
            // SAFETY: within the `rows * tokens` floats that `new` checked.
            let to = unsafe { self.at.add(t * self.rows + from) };
            // A length that is known is one instruction and not a call.
            if some == ROWS {
                // SAFETY: as above.
                unsafe { to.cast::<[f32; ROWS]>().write_unaligned(*sums) };
                continue;
            }
            for (r, sum) in sums.iter().enumerate().take(some) {
                // SAFETY: as above.
                unsafe { to.add(r).write(*sum) };
            }
        }
    }
}

#[derive(Default)]
pub(super) struct Scratch {
    pub(super) codes: Vec<Line>,
    pub(super) sums: Vec<[f32; ROWS]>,
    more: Vec<[f32; ROWS]>,
}

thread_local! {
    /// Grows to what the largest product needs, then stays.
    pub(super) static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// A matrix and what is added to its outputs.
pub type Side<'a> = (&'a Packed, Option<&'a [f32]>);

/// `out = x Wᵀ + bias` for some matrices over the same inputs, whose outputs stand side by side: `out` is `[tokens, rows of all]`.
pub fn multiply(p: &mut Product<'_>, sides: &[Side<'_>], x: &Activations, out: &mut [f32]) {
    assert!(sides.iter().all(|(w, _)| w.columns() == x.columns()), "{} inputs do not fit: this is a bug", x.columns());
    let rows = sides.iter().map(|(w, _)| w.rows()).sum();
    let strips = sides.iter().map(|(w, _)| w.strips()).sum();
    let (level, out) = (p.level, Out::new(out, rows, x.tokens()));
    each_strip(p.team, strips, &|mut s| {
        let mut from = 0;
        for (w, bias) in sides {
            if s >= w.strips() {
                s -= w.strips();
                from += w.rows();
                continue;
            }
            SCRATCH.with_borrow_mut(|scratch| {
                let Scratch { codes, sums, .. } = scratch;
                strip(level, w, s, &x.rows(0, x.tokens()), (codes, sums));
                if let Some(bias) = bias {
                    let bias = &bias[s * ROWS..];
                    sums.iter_mut().for_each(|sums| sums.iter_mut().zip(bias).for_each(|(sum, b)| *sum += b));
                }
                // SAFETY: this strip is this call's alone.
                unsafe { out.write(0, (from + s * ROWS, ROWS.min(w.rows() - s * ROWS)), sums) };
            });
            return;
        }
    });
}

/// As [`multiply`] with one matrix, of which some strips alone are computed: pairs of a token and a strip of [`ROWS`] rows, in their order. What
/// else `out` holds stays.
pub fn multiply_some(p: &mut Product<'_>, w: &Packed, x: &Activations, some: &[(usize, usize)], out: &mut [f32]) {
    assert!(w.columns() == x.columns(), "{} inputs do not fit: this is a bug", x.columns());
    assert!(some.is_sorted_by(|a, b| a < b), "a strip comes twice: this is a bug");
    let (level, out) = (p.level, Out::new(out, w.rows(), x.tokens()));
    each_strip(p.team, some.len(), &|i| {
        let (t, s) = some[i];
        SCRATCH.with_borrow_mut(|Scratch { codes, sums, .. }| {
            strip(level, w, s, &x.rows(t, 1), (codes, sums));
            // SAFETY: no pair comes twice, so this strip of this token is this call's alone.
            unsafe { out.write(t, (s * ROWS, ROWS.min(w.rows() - s * ROWS)), sums) };
        });
    });
}

/// `out = silu(x Gᵀ) · x Uᵀ`, the first half of a gated feed-forward (SwiGLU, arXiv:2002.05202).
pub fn gated(p: &mut Product<'_>, (gate, up): (&Packed, &Packed), x: &Activations, out: &mut [f32]) {
    assert!(
        gate.columns() == x.columns() && up.columns() == x.columns() && gate.rows() == up.rows(),
        "shapes differ: this is a bug"
    );
    let (level, out, rows) = (p.level, Out::new(out, gate.rows(), x.tokens()), x.rows(0, x.tokens()));
    each_strip(p.team, gate.strips(), &|s| {
        SCRATCH.with_borrow_mut(|scratch| {
            let Scratch { codes, sums, more } = scratch;
            strip(level, gate, s, &rows, (codes, sums));
            strip(level, up, s, &rows, (codes, more));
            swish(level, sums.as_flattened_mut(), more.as_flattened());
            // SAFETY: this strip is this call's alone.
            unsafe { out.write(0, (s * ROWS, ROWS.min(gate.rows() - s * ROWS)), sums) };
        });
    });
}

/// Runs of strips for each part, so that neighbouring memory is read by one thread.
fn each_strip(team: &mut Team, strips: usize, work: &(impl Fn(usize) + Sync)) {
    let run = strips.div_ceil(PARTS * team.threads());
    team.run(strips.div_ceil(run), &|part: usize| (part * run..strips.min((part + 1) * run)).for_each(work));
}

/// The sums of strip `s` for all tokens of `rows`.
pub(super) fn strip(
    level: Level,
    w: &Packed,
    s: usize,
    rows: &Rows<'_>,
    (wide, sums): (&mut Vec<Line>, &mut Vec<[f32; ROWS]>),
) {
    let tokens = rows.scales.len() * BLOCK / w.columns();
    sums.resize(tokens, [0.0; ROWS]);
    let Some(bits) = w.bits() else { return super::sixteen::strip(level, w.columns_of(s), rows, sums) };
    let strip = w.strip(s, bits);
    if tokens < many(level) || bits == Bits::Eight || level == Level::scalar() {
        return run(level, &strip, bits, rows, sums);
    }
    let lines = strip.blocks * 8;
    if wide.len() < lines {
        wide.resize(lines, Line([0; 64]));
    }
    let codes = bytes_mut(&mut wide[..lines]);
    match level.0 {
        Kind::Scalar => {}
        // SAFETY: the level says what the processor has; there are 512 bytes for every block.
        #[cfg(target_arch = "x86_64")]
        Kind::Avx2 | Kind::AvxVnni => unsafe { super::avx2::widen(&strip, bits, codes) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Kind::Avx512 => unsafe { super::avx512::widen(&strip, bits, codes) },
    }
    run(level, &Strip { codes, ..strip }, Bits::Eight, rows, sums);
}

fn run(level: Level, s: &Strip<'_>, bits: Bits, a: &Rows<'_>, out: &mut [[f32; ROWS]]) {
    let blocks = a.scales.len();
    assert!(
        s.codes.len() >= s.blocks * bits.bytes() && blocks == s.blocks * out.len(),
        "a strip of another shape: this is a bug"
    );
    match level.0 {
        Kind::Scalar => super::scalar::strip(s, bits, a, out),
        // SAFETY: the level says what the processor has; the shapes were checked above.
        #[cfg(target_arch = "x86_64")]
        Kind::Avx2 => unsafe { super::avx2::strip(s, bits, a, out) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Kind::AvxVnni => unsafe { super::avx2::strip_vnni(s, bits, a, out) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Kind::Avx512 => unsafe { super::avx512::strip(s, bits, a, out) },
    }
}
