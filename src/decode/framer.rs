//! Sound of any chunk size → 40 ms buffers with continuous start times.
//!
//! Pure: samples and times in, [`Pcm`] out. Loses nothing: a hole of up to [`MAX_SILENCE`] is filled with silence, a longer one ends the
//! buffer begun (padded with silence) and the times jump.

use std::time::Duration;

use crate::base::{MediaTime, Pcm};

/// The longest hole that is filled with silence; beyond it the times jump.
pub const MAX_SILENCE: Duration = Duration::from_millis(200);
/// Differences below this are rounding and resampler delay, not holes.
const TOLERANCE: Duration = Duration::from_millis(10);

/// Cuts a stream of samples into buffers of [`Pcm::BUFFER_SAMPLES`].
#[derive(Debug, Default)]
pub struct Framer {
    pending: Vec<f32>,
    /// Time of the very first sample since the last jump, and how many samples have passed since: no rounding adds up.
    anchor: Option<(MediaTime, u64)>,
}

impl Framer {
    /// Takes samples at 16 kHz, the first of them captured at `at`, and gives every buffer that is now full to `out`.
    /// Samples that overlap what is already there are appended: sound is never dropped.
    pub fn push(&mut self, samples: &[f32], at: MediaTime, out: &mut dyn FnMut(Pcm)) {
        let (anchor, passed) = *self.anchor.get_or_insert((at, 0));
        let expected = anchor + samples_time(passed);
        let hole = at.since(expected);
        if hole > MAX_SILENCE {
            self.flush(out);
            self.anchor = Some((at, 0));
        } else if hole > TOLERANCE {
            let missing = hole.as_micros() * u128::from(Pcm::RATE_HZ) / 1_000_000;
            let silence = vec![0.0; usize::try_from(missing).unwrap_or(0)];
            self.append(&silence, out);
        }
        self.append(samples, out);
    }

    /// Gives what is left, padded with silence to a whole buffer.
    pub fn flush(&mut self, out: &mut dyn FnMut(Pcm)) {
        if !self.pending.is_empty() {
            let silence = vec![0.0; Pcm::BUFFER_SAMPLES - self.pending.len()];
            self.append(&silence, out);
        }
    }

    fn append(&mut self, mut samples: &[f32], out: &mut dyn FnMut(Pcm)) {
        while !samples.is_empty() {
            let room = Pcm::BUFFER_SAMPLES - self.pending.len();
            let (now, later) = samples.split_at(room.min(samples.len()));
            self.pending.extend_from_slice(now);
            samples = later;
            let Some((anchor, passed)) = &mut self.anchor else { return };
            *passed += now.len() as u64;
            if self.pending.len() == Pcm::BUFFER_SAMPLES {
                let start = *anchor + samples_time(*passed - Pcm::BUFFER_SAMPLES as u64);
                out(Pcm { samples: self.pending.as_slice().into(), start });
                self.pending.clear();
            }
        }
    }
}

/// How long `n` samples at 16 kHz last, to the microsecond.
const fn samples_time(n: u64) -> Duration {
    Duration::from_nanos(n * (1_000_000_000 / Pcm::RATE_HZ as u64))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Framer, MediaTime, Pcm};

    fn run(chunks: &[(usize, u64)]) -> Vec<Pcm> {
        let (mut framer, mut all) = (Framer::default(), Vec::new());
        for (n, at) in chunks {
            framer.push(&vec![0.5; *n], MediaTime::from_millis(*at), &mut |p| all.push(p));
        }
        framer.flush(&mut |p| all.push(p));
        all
    }

    #[test]
    fn a_hole_up_to_200_ms_is_silence_and_the_times_run_on() {
        let out = run(&[(640, 1000), (640, 1140)]);
        assert_eq!(out.iter().map(|p| p.start.as_millis()).collect::<Vec<_>>(), [1000, 1040, 1080, 1120, 1160]);
        let silent = out.iter().flat_map(|p| p.samples.iter()).skip(640).take(1600);
        assert!(silent.clone().count() == 1600 && silent.copied().all(|s| s == 0.0));
        assert!((out[3].samples[639] - 0.5).abs() < 1e-6, "the sound after the hole is where its time says");
    }

    #[test]
    fn a_longer_hole_ends_the_buffer_and_jumps() {
        let out = run(&[(320, 1000), (640, 2000)]);
        assert_eq!(out.iter().map(|p| p.start.as_millis()).collect::<Vec<_>>(), [1000, 2000]);
        assert!(out[0].samples[320..].iter().all(|s| *s == 0.0));
    }

    proptest! {
        #[test]
        fn every_sample_comes_out_once_in_buffers_of_640(sizes in prop::collection::vec(1_usize..2000, 1..40)) {
            let (mut framer, mut all, mut next, mut sent) = (Framer::default(), Vec::<Pcm>::new(), 0_u64, Vec::new());
            for n in sizes {
                let chunk: Vec<f32> = (0..n).map(|i| ((next + i as u64) % 1000) as f32 + 1.0).collect();
                framer.push(&chunk, MediaTime::from_micros(next * 1_000_000 / 16_000), &mut |p| all.push(p));
                next += n as u64;
                sent.extend(chunk);
            }
            framer.flush(&mut |p| all.push(p));
            let got: Vec<f32> = all.iter().flat_map(|p| p.samples.iter().copied()).filter(|s| *s != 0.0).collect();
            prop_assert_eq!(got, sent);
            for (i, p) in all.iter().enumerate() {
                prop_assert_eq!(p.samples.len(), 640);
                prop_assert_eq!(p.start, MediaTime::from_millis(40 * i as u64));
            }
        }
    }
}
