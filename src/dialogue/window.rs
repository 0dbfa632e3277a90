//! Which earlier turns the model is shown: a window that moves seldom, and then by several turns.
//!
//! Floor 3, pure. Where it moved by one turn with every answer, the keys and values of every turn shown would be computed anew for each question, for the
//! beginning of the prompt would never be that of the prompt before. So it grows from [`Width::least`] to [`Width::most`] and then begins anew: at a time
//! when nobody waits, for what it shows then is computed. Where there is no such time, it grows to [`Width::limit`].

use std::hash::{DefaultHasher, Hash, Hasher};

/// A question and its answer.
pub(crate) type Turn = (String, String);

/// How many turns are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Width {
    /// After the window has moved.
    pub(crate) least: usize,
    /// Before it does, where there is time for it.
    pub(crate) most: usize,
    /// Before it does in any case.
    pub(crate) limit: usize,
}

/// Where the window begins.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Window {
    /// The first turn shown, as a hash: turns before it may go from the conversation, and it may itself.
    first: Option<u64>,
}

impl Window {
    /// How many of these turns, the last ones, are shown.
    pub(crate) fn shown(self, turns: &[Turn], width: Width) -> usize {
        let latest = &turns[turns.len().saturating_sub(width.limit)..];
        match latest.iter().position(|turn| Some(hash(turn)) == self.first) {
            Some(at) => latest.len() - at,
            None if turns.len() <= width.most => turns.len(),
            None => width.least.min(turns.len()),
        }
    }

    /// What is shown now is what the next prompt begins with.
    pub(crate) fn stay(&mut self, turns: &[Turn], width: Width) {
        self.show(turns, self.shown(turns, width));
    }

    /// Whether it is to move as soon as nobody waits.
    pub(crate) fn is_full(self, turns: &[Turn], width: Width) -> bool {
        self.shown(turns, width) > width.most
    }

    /// Begins anew if it is full. There is time for it.
    pub(crate) fn move_on(&mut self, turns: &[Turn], width: Width) {
        if self.is_full(turns, width) {
            self.show(turns, width.least);
        }
    }

    /// So many turns, the last ones, are shown until it moves.
    fn show(&mut self, turns: &[Turn], shown: usize) {
        self.first = turns[turns.len() - shown..].first().map(hash);
    }
}

fn hash(turn: &Turn) -> u64 {
    let mut hasher = DefaultHasher::new();
    turn.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDTH: Width = Width { least: 2, most: 4, limit: 6 };

    fn turns(numbers: std::ops::Range<usize>) -> Vec<Turn> {
        numbers.map(|i| (format!("question {i}"), format!("answer {i}"))).collect()
    }

    /// How many turns twelve prompts show, when there is time before every `pause`-th.
    fn shown(kept: usize, pause: usize) -> Vec<usize> {
        let (mut window, mut shown) = (Window::default(), Vec::new());
        for n in 0_usize..12 {
            let turns = turns(n.saturating_sub(kept)..n);
            if n % pause == 0 {
                window.move_on(&turns, WIDTH);
            }
            shown.push(window.shown(&turns, WIDTH));
            window.stay(&turns, WIDTH);
        }
        shown
    }

    #[test]
    fn it_grows_and_then_moves_by_several_turns_also_where_the_oldest_are_let_go() {
        for kept in [100, 7] {
            assert_eq!(shown(kept, 1), [0, 1, 2, 3, 4, 2, 3, 4, 2, 3, 4, 2], "of {kept} kept");
        }
    }

    #[test]
    fn while_somebody_waits_it_does_not_move_before_its_limit() {
        assert_eq!(shown(100, 6), [0, 1, 2, 3, 4, 5, 2, 3, 4, 5, 6, 2], "time comes once in six");
        assert_eq!(shown(100, 100), [0, 1, 2, 3, 4, 5, 6, 2, 3, 4, 5, 6], "and never");
    }

    #[test]
    fn a_narrower_window_begins_anew_and_a_wider_one_grows() {
        let mut window = Window::default();
        window.stay(&turns(0..4), WIDTH);
        let narrow = Width { least: 1, most: 2, limit: 3 };
        assert_eq!(window.shown(&turns(0..4), narrow), 1);
        window.stay(&turns(0..4), narrow);
        assert_eq!((window.shown(&turns(0..5), narrow), window.shown(&turns(0..6), WIDTH)), (2, 3));
    }

    #[test]
    fn where_its_first_turn_is_gone_it_shows_the_last_ones() {
        let mut window = Window::default();
        window.stay(&turns(0..4), WIDTH);
        assert_eq!(window.shown(&turns(4..5), WIDTH), 1, "as many as there are");
        assert_eq!(window.shown(&turns(4..14), WIDTH), 2);
        window.move_on(&[], WIDTH);
        assert_eq!(window.shown(&[], WIDTH), 0);
        window.stay(&[], WIDTH);
        assert_eq!(window.shown(&turns(0..3), WIDTH), 3);
    }
}
