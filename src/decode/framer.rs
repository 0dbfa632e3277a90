//! Sound of any chunk size → 40 ms buffers with continuous start times.
//!
//! Pure: samples and times in, [`Pcm`] out. Loses nothing: a hole of up to [`MAX_SILENCE`], or as much as is known to be silence, is filled with it, a longer one ends the
//! buffer begun (padded with silence) and the times jump.

use std::time::Duration;

use crate::base::{MediaTime, Pcm};

/// The longest hole that is filled with silence; beyond it the times jump.
pub const MAX_SILENCE: Duration = Duration::from_millis(200);
/// Differences below this are rounding and resampler delay, not holes.
const TOLERANCE: Duration = Duration::from_millis(10);
/// What packets of live sound come to: two of them are a buffer.
const PACKET: usize = Pcm::BUFFER_SAMPLES / 2;

/// Cuts a stream of samples into buffers of [`Pcm::BUFFER_SAMPLES`].
#[derive(Debug, Default)]
pub struct Framer {
    pending: Vec<f32>,
    /// The sound comes in packets of 20 ms, and buffers are to end where packets end.
    packets: bool,
    /// Time of the very first sample since the last jump, and how many samples have passed since: no rounding adds up.
    anchor: Option<(MediaTime, u64)>,
}

impl Framer {
    /// For sound that comes in packets of 20 ms or a multiple. What a resampler keeps of the first one is made up for by silence: otherwise every buffer would
    /// wait for the packet after it.
    #[must_use]
    pub fn of_packets() -> Self {
        Self { packets: true, ..Self::default() }
    }

    /// Samples that wait for their buffer to be full.
    #[must_use]
    pub const fn level(&self) -> usize {
        self.pending.len()
    }

    /// Takes samples at 16 kHz, the first of them captured at `at`, and gives every buffer that is now full to `out`.
    /// Samples that overlap what is already there are appended: sound is never dropped.
    pub fn push(&mut self, samples: &[f32], at: MediaTime, out: &mut dyn FnMut(Pcm)) {
        self.push_after(MAX_SILENCE, samples, at, out);
    }

    /// The same of samples before which a hole of up to `most` is filled with silence.
    pub fn push_after(&mut self, most: Duration, samples: &[f32], at: MediaTime, out: &mut dyn FnMut(Pcm)) {
        let Some((anchor, passed)) = self.anchor else { return self.begin(samples, at, out) };
        let expected = anchor + samples_time(passed);
        let hole = at.since(expected);
        if hole > most {
            self.flush(out);
            return self.begin(samples, at, out);
        } else if hole > TOLERANCE {
            let missing = hole.as_micros() * u128::from(Pcm::RATE_HZ) / 1_000_000;
            let silence = vec![0.0; usize::try_from(missing).unwrap_or(0)];
            self.append(&silence, out);
        }
        self.append(samples, out);
    }

    /// The first samples, and those after a jump.
    fn begin(&mut self, samples: &[f32], at: MediaTime, out: &mut dyn FnMut(Pcm)) {
        let lead = if self.packets { samples.len().next_multiple_of(PACKET) - samples.len() } else { 0 };
        let lead = if samples_time(lead as u64) <= TOLERANCE { lead } else { 0 };
        self.anchor = Some((at.saturating_sub(samples_time(lead as u64)), 0));
        self.append(&vec![0.0; lead], out);
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

    use super::{Duration, Framer, MediaTime, Pcm};

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

    #[test]
    fn silence_that_is_known_to_be_one_is_filled_in_and_no_more_of_it_than_is_said() {
        let (mut framer, mut all) = (Framer::of_packets(), Vec::new());
        for at in [1_000, 1_480, 3_000] {
            let at = MediaTime::from_millis(at);
            framer.push_after(Duration::from_secs(1), &[0.5; 640], at, &mut |p| all.push(p));
        }
        let starts: Vec<u64> = all.iter().map(|p| p.start.as_millis()).collect();
        let expected: Vec<u64> = (1_000..1_520).step_by(40).chain([3_000]).collect();
        assert_eq!(starts, expected, "nothing before the first sound, and a jump where too much is missing");
        let loud = all.iter().filter(|p| p.samples.iter().all(|s| *s == 0.5)).count();
        assert_eq!((loud, all.iter().filter(|p| Pcm::is_nothing(&p.samples)).count()), (3, 11));
    }

    #[test]
    fn buffers_of_packets_end_where_packets_end_whatever_a_resampler_keeps() {
        let (mut framer, mut all) = (Framer::of_packets(), Vec::new());
        let mut at = 1_000_000;
        // A resampler keeps 2 ms, and begins anew after a pause.
        for n in [288, 320, 320, 320, 640, 0, 288, 320] {
            if n == 0 {
                at += 5_000_000;
                continue;
            }
            framer.push(&vec![0.5; n], MediaTime::from_micros(at), &mut |p| all.push(p));
            at += n as u64 * 1_000 / 16;
        }
        assert_eq!(framer.level(), 0);
        let starts: Vec<u64> = all.iter().map(|p| p.start.as_micros()).collect();
        assert_eq!(starts, [998_000, 1_038_000, 1_078_000, 6_116_000]);
        assert!(all[0].samples[..32].iter().all(|s| *s == 0.0) && all[0].samples[32..].iter().all(|s| *s == 0.5));
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
