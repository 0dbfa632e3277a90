//! The classes of ImageNet in plain words, and what scores over them say.
//!
//! Floor 2. In: logits. Out: [`Guess`]es. Pure: the net runs elsewhere.

use std::sync::LazyLock;

/// Name and broader words of one class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Class {
    /// In plain words, e.g. `coffee mug`.
    pub name: &'static str,
    /// Broader words, nearest first, e.g. `mug`, `cup`.
    pub broader: Vec<&'static str>,
    /// Its name in the usual lists of the classes, e.g. `tabby` for our `tabby cat`.
    pub listed: &'static str,
}

/// One line per class in the order of the models: `name|broader,broader`, then `|listed name` where that is another.
const TABLE: &str = include_str!("labels.txt");

/// Number of classes.
pub const CLASSES: usize = 1_000;

/// All classes in the order of the models.
pub static LABELS: LazyLock<Vec<Class>> = LazyLock::new(|| {
    let line = |line: &'static str| {
        let mut columns = line.split('|');
        let name = columns.next().unwrap_or(line);
        let broader = columns.next().unwrap_or("").split(',').filter(|w| !w.is_empty()).collect();
        Class { name, broader, listed: columns.next().unwrap_or(name) }
    };
    TABLE.lines().map(line).collect()
});

/// What a picture may show.
#[derive(Debug, Clone, PartialEq)]
pub struct Guess {
    /// Class name, or a broader word when the finer classes share the score.
    pub label: &'static str,
    /// Broader words, nearest first.
    pub broader: Vec<&'static str>,
    /// `0.0..=1.0`.
    pub confidence: f32,
}

/// Softmax at `temperature` (above 1: less sure).
#[must_use]
pub fn softmax(logits: &[f32], temperature: f32) -> Vec<f32> {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let scores: Vec<f32> = logits.iter().map(|l| ((l - top) / temperature).exp()).collect();
    let sum: f32 = scores.iter().sum();
    scores.into_iter().map(|s| s / sum).collect()
}

/// A class below this is not told: nothing is better than a guess at one in ten.
const LEAST: f32 = 0.1;
/// A broader word comes first when the finer class is less sure than this…
const FINE: f32 = 0.5;
/// …and the classes under the broader word are together at least this sure.
const BROAD: f32 = 0.5;

/// The best guesses, at most `most`, surest first. Five breeds of dog at 0.15 each make `dog` at 0.75 and the breeds after it.
#[must_use]
pub fn guesses(scores: &[f32], most: usize) -> Vec<Guess> {
    let mut order: Vec<(usize, f32)> = scores.iter().copied().enumerate().take(LABELS.len()).collect();
    order.retain(|(_, s)| s.is_finite());
    order.sort_by(|a, b| b.1.total_cmp(&a.1));
    let Some(&(best, score)) = order.first() else { return Vec::new() };
    let mut out = Vec::new();
    if score < FINE {
        out.extend(broad_guess(best, score, &order));
    }
    for (class, score) in order.iter().take(most).take_while(|(_, s)| *s >= LEAST) {
        let class = &LABELS[*class];
        out.push(Guess { label: class.name, broader: class.broader.clone(), confidence: score.min(1.0) });
    }
    out.truncate(most);
    out
}

/// The nearest broader word of the best class that is sure enough as a whole.
fn broad_guess(best: usize, score: f32, order: &[(usize, f32)]) -> Option<Guess> {
    let broader = &LABELS[best].broader;
    for (i, word) in broader.iter().enumerate() {
        let mass: f32 = order.iter().filter(|(c, _)| LABELS[*c].broader.contains(word)).map(|(_, s)| s).sum();
        if mass >= BROAD && mass >= 1.3 * score {
            return Some(Guess { label: word, broader: broader[i + 1..].to_vec(), confidence: mass.min(1.0) });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{CLASSES, LABELS, guesses, softmax};

    fn index(name: &str) -> usize {
        LABELS.iter().position(|c| c.name == name).unwrap()
    }

    #[test]
    fn the_table_has_every_class_in_its_place() {
        assert_eq!(LABELS.len(), CLASSES);
        for (at, name) in
            [(0, "tench"), (207, "golden retriever"), (281, "tabby cat"), (504, "coffee mug"), (999, "toilet paper")]
        {
            assert_eq!(LABELS[at].name, name);
        }
        for c in LABELS.iter() {
            assert!(!c.name.is_empty() && !c.name.contains(',') && c.broader.len() <= 4, "{c:?}");
            assert!(!c.broader.contains(&c.name), "{c:?}");
        }
    }

    #[test]
    fn many_breeds_make_a_dog() {
        let mut scores = vec![0.0; CLASSES];
        for name in ["golden retriever", "Labrador retriever", "beagle", "pug"] {
            scores[index(name)] = 0.2;
        }
        let got = guesses(&scores, 3);
        assert_eq!(got[0].label, "dog");
        assert!(got[0].confidence > 0.79 && got.len() == 3);
    }

    #[test]
    fn a_sure_class_stands_first_with_its_broader_words() {
        let mut scores = vec![0.0; CLASSES];
        scores[index("coffee mug")] = 0.9;
        let got = guesses(&scores, 3);
        assert_eq!((got.len(), got[0].label, got[0].broader.first()), (1, "coffee mug", Some(&"mug")));
    }

    #[test]
    fn softmax_sums_to_one_and_nonsense_gives_no_panic() {
        assert!((softmax(&[1.0, 3.0, -2.0], 1.0).iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert!(guesses(&softmax(&[f32::NAN; 1000], 1.0), 3).is_empty());
        assert!(guesses(&[], 3).is_empty());
    }
}
