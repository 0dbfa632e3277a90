//! From the recogniser's scores to a line of text; which lines are worth keeping; whether a line changed.
//!
//! Floor 2. In: scores, pixels. Out: text with a confidence. Loses: lines that cannot be text.

use crate::model::resize::{Part, resample};
use crate::watch::Pixels;

/// The characters of the recogniser. Index 0 is the blank, then the list, then the space.
#[derive(Debug)]
pub(super) struct Alphabet(Vec<String>);

impl Alphabet {
    /// One character per line; `None` when the list is empty.
    pub(super) fn parse(list: &str) -> Option<Self> {
        let mut all = vec![String::new()];
        all.extend(list.split('\n').map(|c| c.trim_end_matches('\r').to_owned()));
        if all.last().is_some_and(String::is_empty) {
            all.pop();
        }
        all.push(" ".into());
        (all.len() > 2).then_some(Self(all))
    }

    /// Scores per step.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The best path of CTC (Graves et al. 2006): repeats merged, blanks dropped. Confidence is the mean over the kept steps.
    pub(super) fn decode(&self, scores: &[f32]) -> (String, f32) {
        let (mut text, mut sum, mut kept, mut last) = (String::new(), 0.0_f32, 0_u16, 0);
        for step in scores.chunks_exact(self.len()) {
            let Some((best, score)) = step.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)) else { continue };
            if best != 0 && best != last {
                text.push_str(&self.0[best]);
                sum += score;
                kept = kept.saturating_add(1);
            }
            last = best;
        }
        let text = spaced(text.trim());
        let confidence = if kept == 0 { 0.0 } else { (sum / f32::from(kept)).clamp(0.0, 1.0) };
        (text, if confidence.is_nan() { 0.0 } else { confidence })
    }
}

/// The recogniser drops narrow spaces: `TheWizard` becomes `The Wizard`. Three letters on both sides keep `iPhone` and `McDonald` whole.
fn spaced(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len() + 4);
    for (i, c) in chars.iter().enumerate() {
        let before = i >= 3 && chars[i - 3..i].iter().all(|c| c.is_alphabetic()) && chars[i - 1].is_lowercase();
        let after = c.is_uppercase() && chars[i + 1..].iter().take(2).filter(|c| c.is_lowercase()).count() == 2;
        if before && after {
            out.push(' ');
        }
        out.push(*c);
    }
    out
}

/// Whether a reading is worth telling: texture is often read as a lone character or a row of strokes.
pub(super) fn plausible(text: &str, confidence: f32) -> bool {
    let solid: Vec<char> = text.chars().filter(|c| c.is_alphanumeric()).collect();
    let distinct = |c: &char| !"1lIi|oO0".contains(*c);
    match solid.len() {
        0 => false,
        1 => confidence >= 0.95 && distinct(&solid[0]),
        2 => confidence >= 0.8,
        n => {
            // A long run of one character is a fence, not a word.
            let varied = solid.iter().any(|c| *c != solid[0]);
            let total = text.chars().filter(|c| !c.is_whitespace()).count();
            varied && 2 * n >= total
        }
    }
}

/// A small grey picture of a line, to see whether it changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Patch(Vec<u8>);

impl Patch {
    const W: u32 = 48;
    const H: u32 = 12;
    /// Mean difference in grey levels up to which a line is the same.
    const SAME: u32 = 9;

    pub(super) fn of(pixels: &Pixels<'_>, part: Part) -> Result<Self, String> {
        let rgb = resample(pixels, part, Self::W, Self::H)?;
        let grey = |p: &[u8]| u8::try_from(p.iter().map(|v| u32::from(*v)).sum::<u32>() / 3).unwrap_or(u8::MAX);
        Ok(Self(rgb.chunks_exact(3).map(grey).collect()))
    }

    pub(super) fn like(&self, other: &Self) -> bool {
        let total: u32 = self.0.iter().zip(&other.0).map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
        total <= Self::SAME * Self::W * Self::H
    }
}

/// Whether anything in an area of the picture (`x0`, `y0` to before `x1`, `y1`) could be text: somewhere a row crosses several strong edges close together.
/// A blank wall costs nothing then; foliage passes, which costs only time.
pub(super) fn has_strokes(pixels: &Pixels<'_>, (x0, y0, x1, y1): (usize, usize, usize, usize)) -> bool {
    const STEP: i32 = 24;
    const WINDOW: usize = 64;
    const CROSSINGS: usize = 4;
    const LEAST_RUNS: usize = 4;
    let luma = |p: &[u8]| (i32::from(p[0]) + 2 * i32::from(p[1]) + i32::from(p[2])) / 4;
    let mut runs = 0;
    for y in (y0..y1).step_by(3) {
        for window in pixels.row(y)[x0 * 3..x1 * 3].chunks(WINDOW * 3) {
            let values: Vec<i32> = window.chunks_exact(3).map(luma).collect();
            let crossings = values.iter().zip(values.iter().skip(2)).filter(|(a, b)| (*a - *b).abs() >= STEP).count();
            runs += usize::from(crossings >= CROSSINGS);
        }
        if runs >= LEAST_RUNS {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::{Alphabet, has_strokes, plausible, spaced};
    use crate::watch::Pixels;
    use crate::watch::testing::{flat, frame};

    #[test]
    fn the_best_path_merges_repeats_and_drops_blanks() {
        let a = Alphabet::parse("a\nb\n").unwrap();
        assert_eq!(a.len(), 4);
        let step = |i: usize| (0..4).map(move |k| if k == i { 0.9 } else { 0.03 });
        let scores: Vec<f32> = [0, 1, 1, 0, 1, 3, 2, 2, 0].into_iter().flat_map(step).collect();
        let (text, confidence) = a.decode(&scores);
        assert_eq!(text, "aa b");
        assert!((confidence - 0.9).abs() < 1e-5);
        assert_eq!(a.decode(&[]), (String::new(), 0.0));
        assert!(Alphabet::parse("").is_none());
    }

    #[test]
    fn words_that_ran_together_are_parted_and_names_stay_whole() {
        assert_eq!(spaced("WhalingMuseum"), "Whaling Museum");
        for whole in ["iPhone", "McDonald", "EXIT", "SCHOOLBUS", "A", "", "The Wizard"] {
            assert_eq!(spaced(whole), whole);
        }
    }

    #[test]
    fn words_pass_and_garbage_does_not() {
        for good in ["EXIT", "Gate 4", "12:30", "10%", "A1"] {
            assert!(plausible(good, 0.9), "{good}");
        }
        for bad in ["", "-", "l", "I", "||||", "1111", "......a", "o"] {
            assert!(!plausible(bad, 0.94), "{bad}");
        }
    }

    #[test]
    fn a_blank_wall_is_not_searched_and_print_is() {
        let anywhere = |f: &crate::base::RgbFrame, area| has_strokes(&Pixels::of(f).unwrap(), area);
        let wall = frame(320, 240, |x, y| [((x + y) / 8) as u8 + 90; 3]);
        assert!(!anywhere(&wall, (0, 0, 320, 240)) && !anywhere(&flat(1, 1, [0; 3]), (0, 0, 1, 1)));
        let print = frame(320, 240, |x, y| if (100..112).contains(&y) && x % 6 < 2 { [20; 3] } else { [230; 3] });
        assert!(anywhere(&print, (0, 0, 320, 240)) && !anywhere(&print, (0, 120, 320, 240)));
    }
}
