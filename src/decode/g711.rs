//! G.711 telephone sound (PCMU, PCMA) to linear samples.
//!
//! Source: ITU-T G.711 tables 1a and 2a; 13- and 14-bit values scaled to 16 bits.

/// µ-law byte to 16-bit sample.
pub(super) const fn ulaw(byte: u8) -> i16 {
    let v = !byte;
    let magnitude = (((v & 0x0f) as i16) << 3) + 0x84;
    let value = (magnitude << ((v >> 4) & 7)) - 0x84;
    if v & 0x80 != 0 { -value } else { value }
}

/// A-law byte to 16-bit sample.
pub(super) const fn alaw(byte: u8) -> i16 {
    let v = byte ^ 0x55;
    let mantissa = ((v & 0x0f) as i16) << 4;
    let segment = (v >> 4) & 7;
    let value = if segment == 0 { mantissa + 8 } else { (mantissa + 0x108) << (segment - 1) };
    if v & 0x80 != 0 { value } else { -value }
}

const fn table(law: bool) -> [f32; 256] {
    let mut t = [0.0; 256];
    let mut i = 0;
    while i < 256 {
        let byte = i as u8;
        t[i] = (if law { ulaw(byte) } else { alaw(byte) }) as f32 / 32_768.0;
        i += 1;
    }
    t
}

/// Sample in `-1.0..=1.0` of each µ-law byte.
pub(super) static ULAW: [f32; 256] = table(true);
/// Sample in `-1.0..=1.0` of each A-law byte.
pub(super) static ALAW: [f32; 256] = table(false);

#[cfg(test)]
mod tests {
    use super::{alaw, ulaw};

    #[test]
    fn the_corners_of_the_g711_tables() {
        assert_eq!((ulaw(0x00), ulaw(0x80), ulaw(0xff), ulaw(0x7f)), (-32124, 32124, 0, 0));
        assert_eq!((alaw(0x2a), alaw(0xaa), alaw(0xd5), alaw(0x55)), (-32256, 32256, 8, -8));
    }

    #[test]
    fn both_laws_are_odd_and_monotone_in_magnitude() {
        for law in [ulaw, alaw] {
            let mut all: Vec<i16> = (0..=255).map(law).collect();
            all.sort_unstable();
            assert!(all.iter().zip(all.iter().rev()).all(|(a, b)| *a == -*b));
        }
    }
}
