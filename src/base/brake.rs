//! How long work is broken off between two of its steps, for something more urgent that came meanwhile.
//!
//! Whoever runs the work arms the brake with its rank; whoever brings something urgent pulls it from another thread; the work asks between its steps, gives up
//! what it has, and is begun anew later. Asking costs one read of an atomic.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// The rank of work that nothing breaks off: the most urgent there is.
const FIRST: u8 = 0;
/// The rank of nothing: everything is more urgent.
const NOTHING: u8 = u8::MAX;

/// Shared by whoever runs work, the work, and whoever may want it to end.
#[derive(Debug, Clone)]
pub struct Brake(Arc<Ranks>);

/// Least is most urgent.
#[derive(Debug)]
struct Ranks {
    running: AtomicU8,
    waiting: AtomicU8,
}

impl Default for Brake {
    fn default() -> Self {
        Self(Arc::new(Ranks { running: AtomicU8::new(FIRST), waiting: AtomicU8::new(NOTHING) }))
    }
}

impl Brake {
    /// What waits so far is known: only what comes from now on breaks anything off.
    pub fn clear(&self) {
        self.0.waiting.store(NOTHING, Ordering::SeqCst);
    }

    /// Runs work that anything of a lower rank breaks off.
    pub fn armed<T>(&self, rank: u8, run: impl FnOnce() -> T) -> T {
        /// Also where the work panics, nothing that comes after it is broken off.
        struct Disarm<'a>(&'a AtomicU8);
        impl Drop for Disarm<'_> {
            fn drop(&mut self) {
                self.0.store(FIRST, Ordering::SeqCst);
            }
        }
        self.0.running.store(rank, Ordering::SeqCst);
        let _disarm = Disarm(&self.0.running);
        run()
    }

    /// Something of this rank waits.
    pub fn pull(&self, rank: u8) {
        self.0.waiting.fetch_min(rank, Ordering::SeqCst);
    }

    /// Whether the work that runs is to be broken off.
    #[must_use]
    pub fn is_pulled(&self) -> bool {
        self.0.waiting.load(Ordering::Relaxed) < self.0.running.load(Ordering::Relaxed)
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
        brake.clear();
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
    fn work_that_panics_leaves_nothing_armed() {
        let brake = Brake::default();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| brake.armed(6, || panic!("told to"))));
        brake.pull(1);
        assert!(panicked.is_err() && !brake.is_pulled());
    }
}
