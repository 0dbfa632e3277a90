//! G.711 telephone sound (PCMU, PCMA) to linear samples, and back.
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

/// The µ-law byte of a 16-bit sample.
pub(super) const fn to_ulaw(sample: i16) -> u8 {
    // Beyond this the bias would leave the 15 bits of a magnitude.
    let clipped = if sample.unsigned_abs() > 32_635 { 32_635 } else { sample.unsigned_abs() };
    let magnitude = clipped + 0x84;
    let segment = 8 - magnitude.leading_zeros() as u8;
    let mantissa = (magnitude >> (segment + 3)) as u8 & 0x0f;
    let sign = if sample < 0 { 0x80 } else { 0 };
    !(sign | (segment << 4) | mantissa)
}

/// The A-law byte of a 16-bit sample.
pub(super) const fn to_alaw(sample: i16) -> u8 {
    let (sign, magnitude) = if sample < 0 { (0, !sample as u16) } else { (0x80, sample as u16) };
    let (segment, mantissa) = if magnitude < 0x100 {
        (0, (magnitude >> 4) as u8)
    } else {
        let segment = 8 - magnitude.leading_zeros() as u8;
        (segment, (magnitude >> (segment + 3)) as u8 & 0x0f)
    };
    (sign | (segment << 4) | mantissa) ^ 0x55
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
    use super::{alaw, to_alaw, to_ulaw, ulaw};

    #[test]
    fn a_byte_comes_back_as_itself_and_a_sample_within_its_step() {
        for byte in 0..=255_u8 {
            assert!(to_ulaw(ulaw(byte)) == byte || ulaw(byte) == 0, "{byte:#x}");
            assert_eq!(to_alaw(alaw(byte)), byte, "{byte:#x}");
        }
        for sample in (i16::MIN..=i16::MAX).step_by(7) {
            let near = |back: i16| (i32::from(back) - i32::from(sample)).abs() <= 16 + i32::from(sample).abs() / 24;
            assert!(near(ulaw(to_ulaw(sample))) && near(alaw(to_alaw(sample))), "{sample}");
        }
    }

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
