//! Our own voice taken out of what the microphone hears, before anything listens to it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::timeline::{duration, samples};
use crate::base::{MediaTime, Pcm};

/// Played sound that is remembered: more than any network and loudspeaker delay it.
const REMEMBERED: Duration = Duration::from_secs(4);
/// After this long without anything played there is no echo left, and nothing is done.
const TAIL: Duration = Duration::from_millis(1_500);
/// Capture times jitter by some milliseconds; a canceller needs both sounds to go on evenly.
const JITTER: Duration = Duration::from_millis(60);

/// Takes the echo of one sound out of another. It finds the delay between the two itself and follows it.
pub trait EchoCancel: Send {
    /// Samples per block at 16 kHz, for both sounds.
    fn block_samples(&self) -> usize;
    /// Takes what is left of `played` out of `heard`, both one block of the same 10 ms.
    fn cancel(&mut self, played: &[f32], heard: &mut [f32]);
    /// How much quieter the echo is made at present, in decibels, as far as the canceller knows.
    fn enhancement_db(&self) -> Option<f32>;
}

/// Cleans one microphone. Fails open: as long as nothing was played, sound passes through untouched and at no cost; the canceller is made
/// when there first is an echo to take out.
///
/// Both sounds are counted in samples since start-up, so that nothing drifts. Memory: 4 s of played sound and less than one block of the
/// microphone's.
pub struct Cleaner {
    make: Box<dyn Fn() -> Box<dyn EchoCancel> + Send + Sync>,
    canceller: Option<Box<dyn EchoCancel>>,
    /// What was played, oldest first, without gaps: silence stands where nothing was.
    played: VecDeque<f32>,
    /// The sample after the newest of `played`.
    played_until: u64,
    /// The sample after the last one that was not silence.
    sounded_until: Option<u64>,
    /// Heard but less than a block.
    left: Vec<f32>,
    /// The sample after the newest one heard.
    heard_until: u64,
}

impl Cleaner {
    /// A cleaner to which nothing was played yet.
    #[must_use]
    pub fn new(make: impl Fn() -> Box<dyn EchoCancel> + Send + Sync + 'static) -> Self {
        Self {
            make: Box::new(make),
            canceller: None,
            played: VecDeque::new(),
            played_until: 0,
            sounded_until: None,
            left: Vec::new(),
            heard_until: 0,
        }
    }

    /// This is played, its first sample at `pcm.start`, by the clock of the capture times. Later than planned is silence in between; what
    /// overlaps with sound told before is played after it.
    pub fn played(&mut self, pcm: &Pcm) {
        if pcm.samples.is_empty() {
            return;
        }
        let start = sample_of(pcm.start);
        let gap = start.saturating_sub(self.played_until);
        if self.played.is_empty() || gap > count(REMEMBERED) {
            self.played.clear();
            self.played_until = start;
        } else if gap > count(JITTER) {
            self.played.extend(std::iter::repeat_n(0.0, samples(duration(gap as usize))));
            self.played_until = start;
        }
        self.played.extend(pcm.samples.iter().copied().map(Pcm::sane));
        self.played_until += pcm.samples.len() as u64;
        if pcm.samples.iter().any(|v| v.abs() > 1e-4) {
            self.sounded_until = Some(self.played_until);
        }
        let excess = self.played.len().saturating_sub(samples(REMEMBERED));
        self.played.drain(..excess);
    }

    /// Whether there may be an echo at `at`.
    #[must_use]
    pub fn is_at_work(&self, at: MediaTime) -> bool {
        self.may_echo(sample_of(at))
    }

    /// How much quieter the echo is made at present, in decibels, as far as is known.
    #[must_use]
    pub fn enhancement_db(&self) -> Option<f32> {
        self.canceller.as_ref()?.enhancement_db()
    }

    /// What was heard, without our own voice; up to 10 ms of it wait for the next buffer.
    pub fn clean(&mut self, heard: Pcm) -> Pcm {
        let (arrived, length) = (sample_of(heard.start), heard.samples.len() as u64);
        if !self.may_echo(arrived) && self.left.is_empty() {
            self.heard_until = arrived + length;
            return heard;
        }
        // Gaps and jumps end the even flow; jitter does not.
        let strays = arrived.abs_diff(self.heard_until) > count(JITTER);
        if strays {
            self.left.clear();
            self.heard_until = arrived;
        }
        let first = self.heard_until - self.left.len() as u64;
        let mut sound = std::mem::take(&mut self.left);
        sound.extend(heard.samples.iter().copied().map(Pcm::sane));
        self.heard_until += length;
        let canceller = self.canceller.get_or_insert_with(&self.make);
        let block = canceller.block_samples().max(1);
        let whole = sound.len() / block * block;
        let mut played = vec![0.0; block];
        for (i, part) in sound[..whole].chunks_exact_mut(block).enumerate() {
            played_at(&self.played, self.played_until, first + (i * block) as u64, &mut played);
            canceller.cancel(&played, part);
        }
        if self.may_echo(self.heard_until) {
            self.left = sound.split_off(whole);
        }
        Pcm { samples: Arc::from(sound), start: MediaTime::from_micros(first * 125 / 2) }
    }

    fn may_echo(&self, at: u64) -> bool {
        self.sounded_until.is_some_and(|until| at < until + count(TAIL))
    }
}

/// What is played from `at` on; the sample after the newest of `known` is `until`.
fn played_at(known: &VecDeque<f32>, until: u64, at: u64, block: &mut [f32]) {
    block.fill(0.0);
    let begin = until - known.len() as u64;
    let (skip, from) = (begin.saturating_sub(at), at.saturating_sub(begin));
    let skip = usize::try_from(skip).unwrap_or(usize::MAX);
    let from = usize::try_from(from).unwrap_or(usize::MAX);
    for (place, sample) in block.iter_mut().skip(skip).zip(known.iter().skip(from)) {
        *place = *sample;
    }
}

/// Samples since start-up at 16 kHz, rounded to the nearest.
const fn sample_of(at: MediaTime) -> u64 {
    (at.as_micros().saturating_mul(2) + 62) / 125
}

fn count(d: Duration) -> u64 {
    samples(d) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes out exactly what is played, so that a wrong alignment shows.
    struct Exact;

    impl EchoCancel for Exact {
        fn block_samples(&self) -> usize {
            160
        }
        fn cancel(&mut self, played: &[f32], heard: &mut [f32]) {
            heard.iter_mut().zip(played).for_each(|(h, p)| *h -= p);
        }
        fn enhancement_db(&self) -> Option<f32> {
            None
        }
    }

    fn ramp(from: usize, n: usize) -> Vec<f32> {
        (from..from + n).map(|i| (i % 997) as f32 / 2_000.0 + 0.01).collect()
    }

    fn at(ms: u64) -> MediaTime {
        MediaTime::from_millis(ms)
    }

    #[test]
    fn with_nothing_played_the_very_same_buffer_comes_back() {
        let mut c = Cleaner::new(|| Box::new(Exact));
        let samples: Arc<[f32]> = ramp(0, 640).into();
        let out = c.clean(Pcm { samples: Arc::clone(&samples), start: at(7) });
        assert!(Arc::ptr_eq(&out.samples, &samples) && out.start == at(7));
    }

    #[test]
    fn played_and_heard_are_laid_side_by_side_by_the_clock_whatever_the_buffers() {
        let mut c = Cleaner::new(|| Box::new(Exact));
        for i in 0..20 {
            c.played(&Pcm { samples: ramp(i * 1_600, 1_600).into(), start: at(1_000 + 100 * i as u64) });
        }
        let (mut from, mut total) = (0, 0);
        for n in [640, 100, 7, 640, 1_600, 333, 320].into_iter().cycle().take(40) {
            let jitter = (from / 7 % 9) as u64 * 1_000;
            let start = MediaTime::from_micros(1_000_000 + from as u64 * 125 / 2 + jitter);
            let out = c.clean(Pcm { samples: ramp(from, n).into(), start });
            assert!(out.samples.iter().all(|v| v.abs() < 1e-6), "buffer at {from}");
            (from, total) = (from + n, total + out.samples.len());
        }
        assert!(from - total < 160, "less than a block waits");
    }

    #[test]
    fn it_stops_working_after_the_tail_and_hands_out_what_waited() {
        let mut c = Cleaner::new(|| Box::new(Exact));
        c.played(&Pcm { samples: ramp(0, 1_600).into(), start: at(0) });
        let mut out = 0;
        for i in 0..100 {
            let pcm = Pcm { samples: vec![0.3; 600].into(), start: MediaTime::from_micros(37_500 * i) };
            out += c.clean(pcm).samples.len();
        }
        assert!(!c.is_at_work(at(3_700)) && c.left.is_empty());
        assert_eq!(out, 100 * 600, "nothing is lost");
    }

    #[test]
    fn memory_is_bounded() {
        let mut c = Cleaner::new(|| Box::new(Exact));
        for i in 0..100 {
            c.played(&Pcm { samples: ramp(0, 1_600).into(), start: at(100 * i) });
        }
        assert_eq!(c.played.len(), samples(REMEMBERED));
    }
}
