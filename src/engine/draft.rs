//! What an answer probably goes on with: what came last time behind the words that stand last now.
//!
//! Pure. An answer from facts says words of the facts, of the question and of earlier answers again, so what follows is often there to read. What is guessed is run in one step with
//! the token before it, which has to read all weights anyway, and checked there: each token is chosen from the model's own scores as it would have been alone, and the first
//! that is another than guessed ends it. So an answer says what it would say without, sooner.
//!
//! Source: Leviathan et al., "Fast Inference from Transformers via Speculative Decoding" (arXiv:2211.17192); the text itself as the draft: Saxena, "Prompt Lookup Decoding" (2023). Differs from the first in: what is drawn is
//! compared with the guess, not the guess accepted by chance, so that the same seed gives the same answer.

/// Tokens by which a place is known again, at most; down to one where no more are alike.
const ALIKE: usize = 3;

/// Guesses that are checked in one step, at most.
pub(super) const MOST: usize = 6;

/// At most `most` tokens that may follow `last`, which stands behind `before`: those behind the last place where it stood behind the same tokens, of which the more the better; where that is
/// none, one token at most.
pub(super) fn guess(before: &[u32], last: u32, most: usize) -> &[u32] {
    let alike = |at: usize| {
        let (ending, place) = (before.iter().rev(), before[..at].iter().rev());
        1 + ending.zip(place).take(ALIKE - 1).take_while(|(a, b)| a == b).count()
    };
    // Behind the last of them nothing came yet.
    let places = (0..before.len().saturating_sub(1)).filter(|at| before[*at] == last);
    let best = places.map(|at| (alike(at), at)).max();
    best.map_or(&[], |(alike, at)| {
        let most = if alike == 1 { most.min(1) } else { most };
        &before[at + 1..before.len().min(at + 1 + most)]
    })
}

/// How many guesses are worth making, by what became of the ones before. It depends on what is said: of a fact that is read out nearly all come, of a joke hardly any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Trust(usize);

impl Trust {
    /// Before the first: one costs little.
    pub(super) const NEW: Self = Self(1);

    /// At most so many are worth it.
    pub(super) fn most(self, most: usize) -> usize {
        self.0.min(most)
    }

    /// Of so many that were guessed so many came: twice as many next time where that is all, else no more than came.
    pub(super) fn learn(&mut self, guessed: usize, came: usize) {
        match guessed {
            0 => {}
            _ if came == guessed => self.0 = (2 * self.0).min(MOST),
            _ => self.0 = came.max(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_longest_likeness_wins_and_then_the_latest() {
        assert_eq!(guess(&[1, 2, 3, 9, 2, 5, 1], 2, 8), [3, 9, 2, 5, 1], "behind 1 2 once before");
        assert_eq!(
            guess(&[7, 2, 3, 9, 2, 5, 1], 2, 2),
            [5],
            "behind 2 alone, the last time: that is not much to go by"
        );
        assert_eq!(guess(&[4, 1, 2, 8, 1, 2, 9, 4, 1], 2, 1), [8], "4 1 2 beats 1 2");
        assert!(guess(&[1, 2, 3], 4, 8).is_empty());
        assert!(guess(&[1, 2, 4], 4, 8).is_empty(), "nothing came behind it yet");
        assert!(guess(&[], 4, 8).is_empty());
        assert!(guess(&[4, 1], 4, 0).is_empty());
    }

    #[test]
    fn trust_grows_while_all_comes_and_is_what_came_else() {
        let mut trust = Trust::NEW;
        let mut learn = |guessed, came| {
            trust.learn(guessed, came);
            trust.most(usize::MAX)
        };
        assert_eq!([learn(1, 1), learn(2, 2), learn(4, 4), learn(MOST, MOST)], [2, 4, MOST, MOST]);
        assert_eq!([learn(5, 3), learn(3, 0), learn(0, 0), learn(1, 0)], [3, 1, 1, 1]);
        assert_eq!((trust.most(0), Trust::NEW.most(3)), (0, 1));
    }

    proptest! {
        #[test]
        fn a_guess_stands_in_the_text_behind_the_last_token(
            before in prop::collection::vec(0u32..5, 0..60),
            last in 0u32..5,
            most in 0usize..9,
        ) {
            let guessed = guess(&before, last, most);
            prop_assert!(guessed.len() <= most);
            let wanted = [&[last][..], guessed].concat();
            prop_assert!(guessed.is_empty() || before.windows(wanted.len()).any(|w| w == wanted));
        }
    }
}
