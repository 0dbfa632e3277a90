//! Weights are asked for before they are multiplied: else nothing is multiplied while memory is waited for.

use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
use std::ops::Range;

use super::pack::Strip;

/// Bytes by which weights are asked for ahead of their use: 1024 to 3072 were alike, 512 less good.
const AHEAD: usize = 1536;

#[inline(always)]
fn ask(at: *const u8) {
    // SAFETY: SSE is part of x86-64, and asking for memory that is not there does nothing.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) };
}

/// Asks for some lines of 64 bytes of a block that comes later. Few tokens make so little of a byte of weights that memory is what they wait for, and it is waited for
/// all of them at once where they were asked for before. Behind the last block of a strip are its scales and the next strip.
#[inline(always)]
pub(super) fn ahead(block: *const u8, lines: Range<usize>) {
    for line in lines {
        ask(block.wrapping_add(AHEAD + 64 * line));
    }
}

/// Lines of the next strip, some of them asked for with each block, or half of one, that is multiplied. Else nothing is read while a strip is multiplied with many tokens,
/// and nothing multiplied while the next one is read.
#[derive(Clone, Copy)]
pub(super) struct Ask {
    from: *const u8,
    /// From one line to the next: 0 where all were asked for.
    step: usize,
}

impl Ask {
    /// For some tokens, with so many lines for each block; `asked`: bytes of the next strip that were asked for with the tokens before them.
    #[inline(always)]
    pub(super) fn new(s: &Strip<'_>, asked: &mut usize, lines: usize) -> Self {
        let from = *asked;
        *asked += lines * s.blocks * 64;
        match s.next.get(from..) {
            Some(rest) if !rest.is_empty() => Self { from: rest.as_ptr(), step: 64 },
            _ => Self { from: s.codes.as_ptr(), step: 0 },
        }
    }

    /// Lines `n` and following.
    #[inline(always)]
    pub(super) fn lines(self, n: usize, some: usize) {
        for line in n..n + some {
            ask(self.from.wrapping_add(self.step * line));
        }
    }
}
