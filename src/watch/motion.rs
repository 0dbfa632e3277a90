//! How much of the picture moved between two frames.
//!
//! Floor 1. In: two [`Thumb`]s. Out: a fraction. Loses: nothing.

use super::pixels::Thumb;

/// Luma change of a patch that counts as motion, after a common change of light is taken out.
const MOVED: f32 = 0.03;

/// Fraction of patches that moved from `before` to `now`, `0.0..=1.0`. The light going up or down as a whole is not motion.
#[must_use]
pub fn moved(now: &Thumb, before: &Thumb) -> f32 {
    let lift = before.mean() - now.mean();
    let n = now.patch_differences(before, lift).into_iter().filter(|d| *d >= MOVED).count();
    #[expect(clippy::cast_precision_loss, reason = "at most a few hundred patches")]
    let share = n as f32 / Thumb::PATCHES as f32;
    share
}

#[cfg(test)]
mod tests {
    use super::moved;
    use crate::watch::testing::{blocks, frame};
    use crate::watch::{Pixels, Thumb};

    fn thumb(f: &crate::base::RgbFrame) -> Thumb {
        Thumb::of(&Pixels::of(f).unwrap())
    }

    #[test]
    fn the_share_of_the_picture_that_moved_is_told() {
        let base = |x: u32, y: u32| [(x + y) as u8 / 4 + 50; 3];
        let a = frame(320, 240, base);
        let b = frame(320, 240, |x, y| if x < 80 { [220; 3] } else { base(x, y) });
        let share = moved(&thumb(&b), &thumb(&a));
        assert!(share > 0.2, "{share}");
        assert!(moved(&thumb(&a), &thumb(&a)) == 0.0);
    }

    #[test]
    fn a_change_of_light_alone_is_not_motion() {
        let a = blocks(3);
        let mut b = a.clone();
        b.data = a.data.iter().map(|v| v + 25).collect();
        assert!(moved(&thumb(&b), &thumb(&a)) < 0.05);
    }
}
