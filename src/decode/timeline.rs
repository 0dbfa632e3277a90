//! Where each audio packet stands in the stream of samples, and how that stream lies on the session clock.
//!
//! Pure. The decoder sees a stream without jitter; holes in it are either concealed (up to [`MAX_CONCEAL`]) or jumped. What remains
//! between the counted time and the capture time (clock drift, corrections by sender reports) goes into a slowly moving offset.

use std::collections::VecDeque;
use std::time::Duration;

use crate::base::MediaTime;

use super::framer::MAX_SILENCE as MAX_CONCEAL;

/// Between packets that follow each other, only a pause this long is one (discontinuous transmission); less is jitter.
const PAUSE: i64 = 60_000;
/// Of a sender that said that it would be silent this much is filled in: it sends something every 400 ms, and two of these may be lost.
pub(super) const MAX_UNSENT: Duration = Duration::from_millis(1_200);
/// The offset moves by this fraction of the difference per packet …
const SLEW: i64 = 32;
/// … and never faster than this many microseconds per packet, so that start times stay in order.
const MAX_SLEW: i64 = 2_500;

/// What came before a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    /// The one with the number before its own.
    Packet,
    /// That, and it said that the sender would be silent.
    Silence,
    /// Nothing that came.
    Loss,
}

/// Times in microseconds.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    /// Stream time at which the next packet would follow seamlessly.
    next: Option<i64>,
    offset: i64,
}

/// What to hand to the decoder for one packet.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Stream time of the packet, in microseconds.
    pub(super) at: u64,
    /// Sound to invent right before it.
    pub(super) conceal: Duration,
    /// Add this to a stream time to get session time.
    pub(super) offset: i64,
}

impl Timeline {
    /// Places a packet that plays for `duration`.
    pub(super) fn place(&mut self, capture: MediaTime, duration: Duration, before: Before) -> Place {
        let (capture, length) = (micros(capture), length_of(duration));
        let most = if before == Before::Silence { MAX_UNSENT } else { MAX_CONCEAL };
        let mut at = self.next.unwrap_or(capture);
        let late = capture - (at + self.offset);
        let mut conceal = 0;
        if late > length_of(most) {
            at += late;
        } else if late >= if before == Before::Packet { PAUSE } else { length / 2 } {
            // Whole packets: concealment works in packets, and the remainder is jitter.
            conceal = (late + length / 2) / length * length;
            at += conceal;
        } else {
            self.offset += (late / SLEW).clamp(-MAX_SLEW, MAX_SLEW);
        }
        self.next = Some(at + length);
        let conceal = Duration::from_micros(u64::try_from(conceal).unwrap_or(0));
        Place { at: u64::try_from(at).unwrap_or(0), conceal, offset: self.offset }
    }

    /// Places sound to invent behind what is there, at the session's time `now`; `None` before the first packet, and where what is there lies so far ahead of
    /// its time that the clock is to catch up first.
    pub(super) fn fill(&mut self, duration: Duration, now: MediaTime) -> Option<Place> {
        let (at, length) = (self.next?, length_of(duration));
        if at + self.offset > micros(now) {
            return None;
        }
        self.next = Some(at + length);
        Some(Place { at: u64::try_from(at).unwrap_or(0), conceal: duration, offset: self.offset })
    }
}

/// The offsets of the packets that are inside the decoder: sound comes out later than it went in, and gets the offset of its own packet.
#[derive(Debug, Default)]
pub(super) struct Offsets {
    ahead: VecDeque<Mark>,
    current: i64,
}

/// What a packet is known by when its sound comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    /// Stream time in microseconds.
    pub(super) at: u64,
    /// From there on.
    pub(super) offset: i64,
    /// What is missing before it is nothing to hear, and need not be invented.
    pub(super) unsent: bool,
}

/// More packets than the decoder's queue takes; a decoder that swallows packets does not make the list grow.
const MOST_AHEAD: usize = 1_024;

impl Offsets {
    /// Notes the packet that goes in next.
    pub(super) fn note(&mut self, mark: Mark) {
        if self.ahead.len() >= MOST_AHEAD
            && let Some(oldest) = self.ahead.pop_front()
        {
            self.current = oldest.offset;
        }
        self.ahead.push_back(mark);
    }

    /// The offset of the sound at stream time `at`, and whether nothing was sent right before it. Times that are asked for never go back by more than a packet.
    pub(super) fn of(&mut self, at: u64) -> (i64, bool) {
        let mut unsent = false;
        while let Some(mark) = self.ahead.pop_front_if(|mark| mark.at <= at) {
            self.current = mark.offset;
            unsent |= mark.unsent;
        }
        // Before the first packet, by the delay of a resampler, its own offset is the best there is.
        (self.current, unsent)
    }
}

fn length_of(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX / 4).max(1)
}

fn micros(t: MediaTime) -> i64 {
    i64::try_from(t.as_micros()).unwrap_or(i64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Before, MOST_AHEAD, Mark, MediaTime, Offsets, Timeline};

    const PACKET: Duration = Duration::from_millis(20);

    #[test]
    fn jitter_is_not_a_hole() {
        let mut line = Timeline::default();
        for i in 0..500_u64 {
            let jitter = [0, 9, 17, 3, 12][i as usize % 5];
            let place = line.place(MediaTime::from_millis(1_000 + 20 * i + jitter), PACKET, Before::Packet);
            assert_eq!((place.at, place.conceal), (1_000_000 + 20_000 * i, Duration::ZERO));
            assert!(place.offset.abs() < 17_000);
        }
    }

    #[test]
    fn lost_packets_are_concealed_and_long_holes_jumped() {
        let mut line = Timeline::default();
        line.place(MediaTime::from_millis(1_000), PACKET, Before::Packet);
        let after_three_lost = line.place(MediaTime::from_millis(1_080), PACKET, Before::Loss);
        assert_eq!((after_three_lost.at, after_three_lost.conceal), (1_080_000, Duration::from_millis(60)));
        let after_a_pause = line.place(MediaTime::from_millis(5_000), PACKET, Before::Packet);
        assert_eq!((after_a_pause.at, after_a_pause.conceal), (5_000_000, Duration::ZERO));
    }

    #[test]
    fn silence_that_was_announced_is_filled_in_and_what_overlaps_it_is_only_late() {
        let mut line = Timeline::default();
        line.place(MediaTime::from_millis(1_000), PACKET, Before::Packet);
        let update = line.place(MediaTime::from_millis(1_420), PACKET, Before::Silence);
        assert_eq!((update.at, update.conceal), (1_420_000, Duration::from_millis(400)));
        let fill = line.fill(2 * PACKET, MediaTime::from_millis(1_480)).unwrap();
        assert_eq!((fill.at, fill.conceal), (1_440_000, 2 * PACKET));
        let speech = line.place(MediaTime::from_millis(1_460), PACKET, Before::Silence);
        assert_eq!((speech.at, speech.conceal), (1_480_000, Duration::ZERO));
        assert!((-2_500..0).contains(&speech.offset), "20 ms too late, and nearer to its time with every packet");
        let gone = line.place(MediaTime::from_millis(9_000), PACKET, Before::Silence);
        assert_eq!(gone.conceal, Duration::ZERO, "this was no silence but a path that did not work");
    }

    #[test]
    fn where_sound_lies_ahead_of_its_time_no_more_is_invented_before_the_clock_has_caught_up() {
        let mut line = Timeline::default();
        let at = MediaTime::from_millis;
        // Ten packets at once: half of them were late.
        for _ in 0..10 {
            line.place(at(1_000), PACKET, Before::Packet);
        }
        let ahead = line.place(at(1_000), PACKET, Before::Packet);
        assert_eq!((ahead.at, ahead.conceal), (1_200_000, Duration::ZERO));
        let filled = (0..10).filter(|i| line.fill(2 * PACKET, at(1_060 + 40 * i)).is_some()).count();
        assert_eq!(filled, 6, "up to now, and no further");
        let next = line.place(at(1_440), PACKET, Before::Silence);
        assert!((next.at as i64 + next.offset).abs_diff(1_440_000) <= 25_000, "{next:?}");
    }

    #[test]
    fn sound_gets_the_offset_of_its_own_packet_however_far_ahead_the_next_ones_are() {
        let mut offsets = Offsets::default();
        for i in 0..100 {
            offsets.note(Mark { at: 20_000 * i, offset: i as i64, unsent: i == 3 });
        }
        assert_eq!((offsets.of(0), offsets.of(39_999), offsets.of(40_000)), ((0, false), (1, false), (2, false)));
        assert_eq!((offsets.of(60_000), offsets.of(60_000)), ((3, true), (3, false)), "told once");
        assert_eq!(offsets.of(10_000_000), (99, false));
        for i in 0..5_000 {
            offsets.note(Mark { at: 20_000 * (100 + i), offset: 7, unsent: false });
        }
        assert!(offsets.ahead.len() <= MOST_AHEAD);
    }

    #[test]
    fn a_sender_clock_that_drifts_is_followed() {
        let mut line = Timeline::default();
        let mut worst = 0;
        for i in 0..30_000_u64 {
            let capture = 1_000_000 + 20_000 * i + 20 * i / 10; // 100 ppm
            let place = line.place(MediaTime::from_micros(capture), PACKET, Before::Packet);
            worst = worst.max((capture as i64 - place.at as i64 - place.offset).abs());
        }
        assert!(worst < 1_000, "{worst} µs behind the drift");
    }
}
