//! Sound cut into frames of 20 ms, each at its time on the one clock. Pure.
//!
//! Lateness of a few frames is made up, more is not: then the rest is played later, as a person who was held up goes on where he was.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use crate::base::MediaTime;

/// One frame.
pub(super) const FRAME: Duration = Duration::from_millis(20);
/// Bytes of a frame at 24 kHz, 16 bits, mono.
pub(super) const FRAME_BYTES: usize = 960;
/// Samples of a frame in the echo canceller's 16 kHz.
pub(super) const ECHO_SAMPLES: usize = 320;
/// Ticks of a frame in Opus' RTP clock of 48 kHz.
const FRAME_TICKS: u32 = 960;
/// Lateness beyond this is not made up.
const LATE: Duration = Duration::from_millis(100);
/// Silence behind the last word: it carries what is left in the encoder, and a receiver that runs dry would stretch the last sound it had.
const TAIL_FRAMES: u32 = 10;

/// A piece to be played.
pub(super) struct Clip {
    pub(super) id: u64,
    /// Signed 16-bit little-endian mono at 24 kHz.
    pub(super) sound: Bytes,
    /// The same at 16 kHz.
    pub(super) echo: Vec<f32>,
}

/// What is to be played now.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Frame {
    /// [`FRAME_BYTES`] of sound.
    pub(super) sound: Vec<u8>,
    /// [`ECHO_SAMPLES`] of the same.
    pub(super) echo: Vec<f32>,
    /// When it is due.
    pub(super) at: MediaTime,
    /// Its RTP time.
    pub(super) timestamp: u32,
    /// It is the first after a silence.
    pub(super) first: bool,
    /// The piece that begins with it.
    pub(super) begins: Option<u64>,
    /// The piece after which nothing is left: this frame is the first of the silence behind it.
    pub(super) drained: Option<u64>,
}

/// See the head of this file.
#[derive(Default)]
pub(super) struct Pacer {
    clips: VecDeque<Clip>,
    /// Frames of the first clip that were given out.
    frame: usize,
    due: Option<MediaTime>,
    /// Frames of the tail still to come.
    tail: u32,
    last: Option<u64>,
    timestamp: u32,
    /// When the last frame was due.
    played: Option<MediaTime>,
    /// It stands still: silence is played, and what is there stays.
    held: bool,
}

impl Pacer {
    /// Puts a clip behind the others.
    pub(super) fn push(&mut self, clip: Clip, now: MediaTime) {
        self.clips.push_back(clip);
        if !self.held {
            self.due.get_or_insert(now);
        }
    }

    /// Throws away what is left, but for the tail.
    pub(super) fn clear(&mut self) {
        self.clips.clear();
        (self.frame, self.last, self.held) = (0, None, false);
    }

    /// Stands still after the frame before, or goes on with the next.
    pub(super) fn hold(&mut self, on: bool, now: MediaTime) {
        self.held = on;
        if !(on || self.clips.is_empty() && self.last.is_none()) {
            self.due.get_or_insert(now);
        }
    }

    /// When the next frame is due; `None` when there is none.
    pub(super) const fn deadline(&self) -> Option<MediaTime> {
        self.due
    }

    /// The frame that is due at `now`, if one is.
    pub(super) fn next(&mut self, now: MediaTime) -> Option<Frame> {
        let due = self.due.filter(|due| *due <= now)?;
        let at = if now.since(due) > LATE { now } else { due };
        let first = self.tail == 0;
        let gap = self.played.map_or(0, |played| ticks(at.since(played)).saturating_sub(FRAME_TICKS));
        self.timestamp = self.timestamp.wrapping_add(FRAME_TICKS + gap);
        self.played = Some(at);
        self.due = Some(at + FRAME);
        let mut frame = Frame { at, timestamp: self.timestamp, first, ..Frame::default() };
        if let Some(clip) = self.clips.front().filter(|_| !self.held) {
            frame.begins = (self.frame == 0).then_some(clip.id);
            part(&clip.sound, self.frame, FRAME_BYTES, &mut frame.sound);
            part(&clip.echo, self.frame, ECHO_SAMPLES, &mut frame.echo);
            self.frame += 1;
            self.tail = TAIL_FRAMES;
            if self.frame * FRAME_BYTES >= clip.sound.len() {
                self.last = Some(clip.id);
                self.clips.pop_front();
                self.frame = 0;
            }
        } else {
            if !self.held {
                frame.drained = self.last.take();
            }
            self.tail = self.tail.saturating_sub(1);
            if self.tail == 0 {
                self.due = None;
            }
        }
        frame.sound.resize(FRAME_BYTES, 0);
        frame.echo.resize(ECHO_SAMPLES, 0.0);
        Some(frame)
    }
}

fn part<T: Copy>(of: &[T], index: usize, size: usize, to: &mut Vec<T>) {
    let from = (index * size).min(of.len());
    to.extend_from_slice(&of[from..(from + size).min(of.len())]);
}

fn ticks(d: Duration) -> u32 {
    // A silence of a day has more ticks than a timestamp; it counts modulo 2^32 all the same.
    #[expect(clippy::cast_possible_truncation, reason = "RTP time wraps")]
    let ticks = (d.as_micros() * 48 / 1_000) as u32;
    ticks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> MediaTime {
        MediaTime::from_millis(ms)
    }

    fn clip(id: u64, ms: usize, level: u8) -> Clip {
        Clip { id, sound: Bytes::from(vec![level; ms * 48]), echo: vec![0.5; ms * 16] }
    }

    /// Everything due up to `until`, asked for as often as a timer would.
    fn run(p: &mut Pacer, until: u64) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Some(due) = p.deadline().filter(|due| *due <= at(until)) {
            frames.extend(p.next(due));
        }
        frames
    }

    #[test]
    fn frames_come_every_20_ms_and_clips_follow_each_other_without_a_gap() {
        let mut p = Pacer::default();
        p.push(clip(1, 50, 1), at(1_000));
        p.push(clip(2, 40, 2), at(1_001));
        let frames = run(&mut p, 5_000);
        let times: Vec<u64> = frames.iter().map(|f| f.at.as_millis()).collect();
        assert_eq!(times, (0..15).map(|i| 1_000 + 20 * i).collect::<Vec<_>>());
        let begins: Vec<_> = frames.iter().map(|f| f.begins).collect();
        assert_eq!(begins[..6], [Some(1), None, None, Some(2), None, None]);
        assert_eq!(frames.iter().position(|f| f.drained == Some(2)), Some(5), "when the last sound was played");
        assert_eq!((frames[2].sound[479], frames[2].sound[480]), (1, 0), "the rest of a frame is silence");
        assert!(frames.iter().all(|f| f.sound.len() == FRAME_BYTES && f.echo.len() == ECHO_SAMPLES));
        assert_eq!(frames.iter().map(|f| f.first).filter(|f| *f).count(), 1);
        assert_eq!(p.deadline(), None, "silence is not sent for ever");
    }

    #[test]
    fn rtp_time_goes_on_with_the_clock_through_a_silence() {
        let mut p = Pacer::default();
        p.push(clip(1, 20, 1), at(0));
        let before = run(&mut p, 900);
        p.push(clip(2, 20, 1), at(1_000));
        let after = run(&mut p, 1_000);
        assert_eq!(after[0].timestamp - before[0].timestamp, 48_000);
        assert!(after[0].first && before[0].first && !before[1].first);
        let steps: Vec<_> = before.windows(2).map(|w| w[1].timestamp - w[0].timestamp).collect();
        assert!(steps.iter().all(|s| *s == FRAME_TICKS), "{steps:?}");
    }

    #[test]
    fn a_little_lateness_is_made_up_and_much_is_not() {
        let mut p = Pacer::default();
        p.push(clip(1, 1_000, 1), at(0));
        p.next(at(0)).expect("due");
        let late: Vec<u64> = std::iter::from_fn(|| p.next(at(75))).map(|f| f.at.as_millis()).collect();
        assert_eq!(late, [20, 40, 60]);
        assert_eq!(p.next(at(500)).expect("due").at, at(500));
        assert!(p.next(at(500)).is_none());
    }

    #[test]
    fn held_back_it_is_silent_and_goes_on_with_the_very_next_frame() {
        let mut p = Pacer::default();
        let ten = Clip { id: 1, sound: (0..9_600_u32).map(|i| (i / 960) as u8 + 1).collect(), echo: vec![0.5; 3_200] };
        p.push(ten, at(0));
        let mut frames = run(&mut p, 70);
        p.hold(true, at(71));
        let silent = run(&mut p, 2_000);
        assert!(silent.iter().all(|f| f.sound.iter().all(|b| *b == 0) && f.drained.is_none() && f.begins.is_none()));
        assert_eq!(p.deadline(), None, "silence is not sent for ever");
        p.hold(false, at(2_000));
        frames.extend(run(&mut p, 9_000));
        let heard: Vec<u8> = frames.iter().map(|f| f.sound[0]).filter(|b| *b != 0).collect();
        assert_eq!(heard, (1..=10).collect::<Vec<u8>>(), "nothing is lost and nothing is said twice");
        assert_eq!(frames.iter().filter(|f| f.drained == Some(1)).count(), 1);
        // Held back between the last sound and the news that it was played.
        p.push(clip(2, 20, 1), at(10_000));
        p.next(at(10_000)).expect("due");
        p.hold(true, at(10_001));
        assert!(run(&mut p, 11_000).iter().all(|f| f.drained.is_none()));
        p.hold(false, at(11_000));
        assert_eq!(run(&mut p, 12_000)[0].drained, Some(2));
    }

    #[test]
    fn what_was_thrown_away_is_neither_played_nor_told_of() {
        let mut p = Pacer::default();
        p.push(clip(1, 1_000, 7), at(0));
        p.push(clip(2, 1_000, 7), at(0));
        run(&mut p, 100);
        p.clear();
        let rest = run(&mut p, 9_000);
        assert!(rest.len() <= TAIL_FRAMES as usize && rest.iter().all(|f| f.sound.iter().all(|b| *b == 0)));
        assert!(rest.iter().all(|f| f.drained.is_none() && f.begins.is_none()));
        p.push(clip(3, 40, 7), at(10_000));
        assert_eq!(run(&mut p, 10_000)[0].begins, Some(3));
    }
}
