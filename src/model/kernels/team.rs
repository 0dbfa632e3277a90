//! Threads that share the products of one token, and sleep when there is none.
//!
//! The caller works too and nobody waits for a thread that has no core: parts of a job are taken from a counter one by one, by whoever is there. A
//! thread looks for the next job for some microseconds, since the jobs of one token follow each other closely, then it sleeps.

use std::cell::UnsafeCell;
use std::hint::spin_loop;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread::{JoinHandle, Thread};

/// Looks for a job or for the end of one before a thread gives its core away: about 20 µs.
const LOOKS: usize = 500;

/// What is to be done: calls `run(with, part)` for each part.
#[derive(Clone, Copy)]
struct Job {
    run: unsafe fn(*const (), usize),
    with: *const (),
    parts: usize,
}

struct Shared {
    /// Odd while a job is on; then nobody writes `job`.
    turn: AtomicUsize,
    job: UnsafeCell<Job>,
    next: AtomicUsize,
    /// Threads that may hold a copy of `job`.
    inside: AtomicUsize,
    asleep: AtomicUsize,
    panicked: AtomicBool,
    over: AtomicBool,
}

// SAFETY: `job` is written only while `turn` is even and `inside` is 0, and read only by threads that are counted in `inside` and have then seen
// `turn` odd; all through sequentially consistent atomics.
unsafe impl Sync for Shared {}
// SAFETY: as above; what `with` points to is Sync by the bound of `Team::run`.
unsafe impl Send for Shared {}

/// The caller and `threads - 1` helpers.
pub struct Team {
    shared: Arc<Shared>,
    helpers: Vec<JoinHandle<()>>,
    handles: Vec<Thread>,
}

unsafe fn nothing(_: *const (), _: usize) {}

impl Team {
    /// Starts `threads - 1` threads.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn new(threads: usize) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            turn: AtomicUsize::new(0),
            job: UnsafeCell::new(Job { run: nothing, with: std::ptr::null(), parts: 0 }),
            next: AtomicUsize::new(0),
            inside: AtomicUsize::new(0),
            asleep: AtomicUsize::new(0),
            panicked: AtomicBool::new(false),
            over: AtomicBool::new(false),
        });
        let mut team = Self { shared, helpers: Vec::new(), handles: Vec::new() };
        for i in 1..threads {
            let shared = Arc::clone(&team.shared);
            let name = format!("kernels-{i}");
            let helper = std::thread::Builder::new().name(name).spawn(move || shared.help())?;
            team.handles.push(helper.thread().clone());
            team.helpers.push(helper);
        }
        Ok(team)
    }

    /// The caller's and its helpers.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.helpers.len() + 1
    }

    /// Calls `work` once for each number below `parts`, on any of the threads, and returns when all calls have.
    ///
    /// # Panics
    /// When a call does.
    pub fn run<F: Fn(usize) + Sync>(&mut self, parts: usize, work: &F) {
        if self.helpers.is_empty() || parts < 2 {
            (0..parts).for_each(work);
            return;
        }
        unsafe fn call<F: Fn(usize)>(with: *const (), part: usize) {
            // SAFETY: `with` is the `work` of the `run` below, which does not return before all calls have.
            unsafe { (*with.cast::<F>())(part) }
        }
        let shared = &self.shared;
        // SAFETY: `turn` is even, since `&mut self` lets one job run at a time, and the last one waited until nobody was inside.
        unsafe { *shared.job.get() = Job { run: call::<F>, with: std::ptr::from_ref(work).cast(), parts } };
        shared.next.store(0, SeqCst);
        // A job whose caller gave up, too, has not looked.
        shared.panicked.store(false, SeqCst);
        shared.turn.fetch_add(1, SeqCst);
        let end = End(shared);
        if shared.asleep.load(SeqCst) > 0 {
            self.handles.iter().for_each(Thread::unpark);
        }
        shared.take(work, parts);
        drop(end);
        assert!(!shared.panicked.load(SeqCst), "a helper panicked: this is a bug");
    }

    /// Calls `work` once for each piece of `piece` values of `all`, with the piece's number; what is left at the end is left alone.
    pub fn pieces<T: Send>(&mut self, all: &mut [T], piece: usize, work: impl Fn(usize, &mut [T]) + Sync) {
        let count = all.len() / piece.max(1);
        let pieces = Pieces::new(all, piece);
        // SAFETY: each piece is one part of the job.
        self.run(count, &|part: usize| work(part, unsafe { pieces.get(part) }));
    }
}

/// Ends a job, also when the caller's own part panics: waits until no helper is inside.
struct End<'a>(&'a Shared);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.turn.fetch_add(1, SeqCst);
        let mut looks = 0;
        while self.0.inside.load(SeqCst) > 0 {
            looks += 1;
            if looks < LOOKS { spin_loop() } else { std::thread::yield_now() }
        }
    }
}

impl Shared {
    fn take(&self, mut work: impl FnMut(usize), parts: usize) {
        loop {
            let part = self.next.fetch_add(1, SeqCst);
            if part >= parts {
                return;
            }
            work(part);
        }
    }

    /// A helper's life.
    fn help(&self) {
        let mut done = 0;
        while !self.over.load(SeqCst) {
            self.wait(done);
            self.inside.fetch_add(1, SeqCst);
            let turn = self.turn.load(SeqCst);
            if turn % 2 == 1 {
                // SAFETY: this thread is inside and has seen an odd turn, so the job stays until it leaves.
                let job = unsafe { *self.job.get() };
                // SAFETY: `with` is what `run` was made for.
                let work = || self.take(|part| unsafe { (job.run)(job.with, part) }, job.parts);
                if std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).is_err() {
                    self.panicked.store(true, SeqCst);
                }
                done = turn;
            }
            self.inside.fetch_sub(1, SeqCst);
        }
    }

    /// Until there is a job other than `done`, or the end.
    fn wait(&self, done: usize) {
        let nothing = || {
            let turn = self.turn.load(SeqCst);
            (turn.is_multiple_of(2) || turn == done) && !self.over.load(SeqCst)
        };
        for _ in 0..LOOKS {
            if !nothing() {
                return;
            }
            spin_loop();
        }
        self.asleep.fetch_add(1, SeqCst);
        while nothing() {
            std::thread::park();
        }
        self.asleep.fetch_sub(1, SeqCst);
    }
}

/// A slice cut into equal pieces, one for each part of a job.
pub(super) struct Pieces<'a, T> {
    at: *mut T,
    len: usize,
    piece: usize,
    of: PhantomData<&'a mut [T]>,
}

// SAFETY: threads get disjoint pieces (the promise of `get`), and `T` may be sent to them.
unsafe impl<T: Send> Sync for Pieces<'_, T> {}

impl<'a, T> Pieces<'a, T> {
    pub(super) fn new(slice: &'a mut [T], piece: usize) -> Self {
        Self { at: slice.as_mut_ptr(), len: slice.len(), piece, of: PhantomData }
    }

    /// Piece `i`.
    ///
    /// # Safety
    /// Nobody else holds the same piece.
    #[allow(clippy::mut_from_ref, reason = "the pieces are disjoint, which is the caller's promise")]
    pub(super) unsafe fn get(&self, i: usize) -> &mut [T] {
        assert!((i + 1) * self.piece <= self.len, "piece {i} of {} by {}: this is a bug", self.len, self.piece);
        // SAFETY: within the slice, which is borrowed for 'a; the caller promises that nobody else has it.
        unsafe { std::slice::from_raw_parts_mut(self.at.add(i * self.piece), self.piece) }
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        self.shared.over.store(true, SeqCst);
        self.handles.iter().for_each(Thread::unpark);
        for helper in self.helpers.drain(..) {
            // Its panic was told where it happened.
            let _ = helper.join();
        }
    }
}
