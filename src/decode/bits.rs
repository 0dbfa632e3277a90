//! Reading a byte string bit by bit, most significant bit first. Past the end every read is `None`, never a panic.

/// A position in a byte string.
pub(super) struct Bits<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Bits<'a> {
    pub(super) const fn new(data: &'a [u8]) -> Self {
        Self { data, at: 0 }
    }

    pub(super) fn bit(&mut self) -> Option<bool> {
        let byte = *self.data.get(self.at / 8)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Some(bit == 1)
    }

    /// An unsigned number of `n <= 32` bits.
    pub(super) fn take(&mut self, n: u32) -> Option<u32> {
        (0..n).try_fold(0_u32, |acc, _| Some(acc << 1 | u32::from(self.bit()?)))
    }

    pub(super) fn skip(&mut self, n: u32) -> Option<()> {
        self.take(n).map(drop)
    }

    /// Exp-Golomb `ue(v)` (H.264 §9.1); `None` beyond 31 leading zeros.
    pub(super) fn ue(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.bit()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some((1_u32 << zeros) - 1 + self.take(zeros)?)
    }

    /// Signed Exp-Golomb `se(v)` (H.264 §9.1.1).
    pub(super) fn se(&mut self) -> Option<i64> {
        let k = i64::from(self.ue()?);
        Some(if k % 2 == 1 { (k + 1) / 2 } else { -k / 2 })
    }

    /// AV1 `uvlc()` (§4.10.3).
    pub(super) fn uvlc(&mut self) -> Option<u32> {
        self.ue()
    }
}
