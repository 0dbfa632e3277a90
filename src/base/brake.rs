//! How long work is broken off between two of its steps, for something more urgent that came meanwhile.
//!
//! Whoever runs the work arms the brake with its rank; whoever brings something urgent pulls it from another thread; the work asks between its steps, gives up
//! what it has, and is begun anew later. Asking costs a few reads of atomics.
//!
//! What was pulled for is told twice, once from each side: whoever brings it says that it is there, whoever runs the work that it was taken in. So what was taken in
//! before its bringer came to pull breaks nothing off, least of all itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU16, Ordering};

/// What breaks off work that nothing does.
const NOTHING: u16 = 0;
/// Ranks that can be told apart.
const RANKS: usize = u16::BITS as usize;

/// Shared by whoever runs work, the work, and whoever may want it to end.
#[derive(Debug, Clone)]
pub struct Brake(Arc<Ranks>);

/// Least is most urgent.
#[derive(Debug)]
struct Ranks {
    /// A bit for each rank that breaks off what runs.
    running: AtomicU16,
    /// Of each rank, how much was brought and not taken in; less than nothing for a moment, where it was taken in first.
    waiting: [AtomicI32; RANKS],
    idle: AtomicBool,
}

impl Default for Brake {
    fn default() -> Self {
        let waiting = std::array::from_fn(|_| AtomicI32::new(0));
        Self(Arc::new(Ranks { running: AtomicU16::new(NOTHING), waiting, idle: AtomicBool::new(false) }))
    }
}

impl Brake {
    /// Something of this rank, that the brake was pulled for or will be, was taken in.
    pub fn taken(&self, rank: u8) {
        self.change(rank, -1);
    }

    /// Whether the brake holds nothing: not all that comes can be taken in.
    pub fn idle(&self, idle: bool) {
        self.0.idle.store(idle, Ordering::SeqCst);
    }

    /// Runs work that anything of a lower rank breaks off; there are 16.
    #[cfg(test)]
    pub fn armed<T>(&self, rank: u8, run: impl FnOnce() -> T) -> T {
        self.armed_for(1_u16.checked_shl(u32::from(rank)).map_or(u16::MAX, |bit| bit - 1), run)
    }

    /// Runs work that anything of these ranks breaks off: a bit for each.
    pub fn armed_for<T>(&self, ranks: u16, run: impl FnOnce() -> T) -> T {
        /// Also where the work panics, nothing that comes after it is broken off.
        struct Disarm<'a>(&'a AtomicU16);
        impl Drop for Disarm<'_> {
            fn drop(&mut self) {
                self.0.store(NOTHING, Ordering::SeqCst);
            }
        }
        let ranks = if self.0.idle.load(Ordering::SeqCst) { NOTHING } else { ranks };
        self.0.running.store(ranks, Ordering::SeqCst);
        let _disarm = Disarm(&self.0.running);
        run()
    }

    /// Something of this rank was brought.
    pub fn pull(&self, rank: u8) {
        self.change(rank, 1);
    }

    fn change(&self, rank: u8, by: i32) {
        if let Some(waiting) = self.0.waiting.get(usize::from(rank)) {
            waiting.fetch_add(by, Ordering::SeqCst);
        }
    }

    /// Whether the work that runs is to be broken off.
    #[must_use]
    pub fn is_pulled(&self) -> bool {
        let running = self.0.running.load(Ordering::Relaxed);
        let is_there =
            |(rank, waiting): (usize, &AtomicI32)| running >> rank & 1 == 1 && waiting.load(Ordering::Relaxed) > 0;
        running != NOTHING && self.0.waiting.iter().enumerate().any(is_there)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_more_urgent_and_came_since_breaks_work_off_that_may_be() {
        let brake = Brake::default();
        brake.pull(1);
        assert!(!brake.is_pulled(), "nothing runs that may be broken off");
        assert!(brake.armed(6, || brake.is_pulled()));
        brake.taken(1);
        let pulled = brake.armed(6, || {
            brake.pull(6);
            let alike = brake.is_pulled();
            brake.clone().pull(3);
            (alike, brake.is_pulled())
        });
        assert_eq!(pulled, (false, true));
        assert!(!brake.is_pulled());
    }

    #[test]
    fn what_was_taken_in_before_its_bringer_pulled_breaks_nothing_off() {
        let brake = Brake::default();
        brake.taken(3);
        let pulled = brake.armed(6, || {
            brake.pull(3);
            let itself = brake.is_pulled();
            brake.pull(3);
            (itself, brake.is_pulled())
        });
        assert_eq!(pulled, (false, true));
    }

    #[test]
    fn what_is_armed_for_some_ranks_is_broken_off_by_no_other() {
        let brake = Brake::default();
        brake.pull(1);
        brake.pull(15);
        brake.pull(16);
        let pulled = |ranks: u16| brake.armed_for(ranks, || brake.is_pulled());
        assert_eq!((pulled(0b101), pulled(0b10), pulled(1 << 15), pulled(0)), (false, true, true, false));
        assert!(brake.armed(16, || brake.is_pulled()));
    }

    #[test]
    fn a_brake_that_is_idle_holds_nothing() {
        let brake = Brake::default();
        brake.idle(true);
        assert!(!brake.armed(6, || {
            brake.pull(1);
            brake.is_pulled()
        }));
        brake.idle(false);
        assert!(brake.armed(6, || brake.is_pulled()));
    }

    #[test]
    fn work_that_panics_leaves_nothing_armed() {
        let brake = Brake::default();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| brake.armed(6, || panic!("told to"))));
        brake.pull(1);
        assert!(panicked.is_err() && !brake.is_pulled());
    }
}
