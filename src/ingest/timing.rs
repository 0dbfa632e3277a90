//! RTCP sender reports to the capture time of every unit, on one session clock for sound and picture.
//!
//! Floor 2, but pure: arrival times come in as arguments. Per stream a report ties RTP time to the sender's NTP time;
//! one offset, common to all streams, ties NTP time to the session clock: the least (arrival − NTP) seen lately, which is
//! the sender's clock difference plus the shortest way. Sound and picture therefore agree however long either was under
//! way. Captures of one stream never go backwards and never lie after their arrival; corrections are slewed.
//! Before a stream's first report the arrival of its packet that was least delayed stands in: at the beginning of a call packets come in bursts. Source: RFC 3550 §6.4.1; minimum filter as in RFC 5905 §10.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};

use crate::base::MediaTime;

/// Streams remembered per session; one for sound, one for picture, and room for sources that restart.
const MAX_STREAMS: usize = 16;
/// The minimum is taken over this many spans …
const SPANS: i64 = 8;
/// … of this length: 32 s in all, so that a drift of 100 ppm between the clocks costs 3 ms at most.
const SPAN_US: i64 = 4_000_000;
/// Reports of one stream that count. Senders stamp them with some delay, never ahead of time: the least delayed is right.
const REPORTS: usize = 8;
/// A report that contradicts the one before by more than this is a new time base, not jitter.
const STREAM_JUMP_US: i64 = 250_000;
/// The same for the sender's clock as a whole.
const CLOCK_JUMP_US: i64 = 2_000_000;
/// Corrections up to this size are slewed; beyond it slewing would take longer than a wrong picture time is bearable.
const SLEW_LIMIT_US: i64 = 1_000_000;
/// Slew at one tenth of real time: 30 ms of correction take 0.3 s.
const SLEW_DIVISOR: i64 = 10;
/// Without reports the least delay is forgotten at a thousandth of real time: faster than clocks drift.
const FORGET_DIVISOR: i64 = 1_000;

/// What an RTCP sender report says about the clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderReport {
    /// The stream.
    pub ssrc: u32,
    /// NTP timestamp, 32.32 fixed point.
    pub ntp: u64,
    /// The same moment in the stream's RTP clock.
    pub rtp: u32,
}

/// All streams of one session and the sender's clock behind them.
#[derive(Debug, Default)]
pub struct Timeline {
    streams: HashMap<u32, Stream>,
    ntp_base: Option<u64>,
    offset: MinFilter,
    /// Counts the sender's clock being set: anchors of an earlier epoch say nothing about the present offset.
    epoch: u32,
    reports: u64,
}

#[derive(Debug)]
struct Stream {
    rate_hz: u32,
    /// RTP time, counted on past 32 bits, as of the last value seen.
    unwrapped: Option<i64>,
    /// NTP − RTP in microseconds according to the latest reports, and the clock epoch they belong to.
    anchors: VecDeque<i64>,
    epoch: u32,
    /// Session − RTP in microseconds, as applied now.
    applied: Option<i64>,
    last_capture: i64,
    last_arrival: i64,
}

impl Timeline {
    /// Begins to follow `ssrc`, whose RTP clock runs at `rate_hz`. Of more than 16 streams the longest silent is forgotten.
    pub fn open(&mut self, ssrc: u32, rate_hz: u32) {
        if !self.streams.contains_key(&ssrc) && self.streams.len() >= MAX_STREAMS {
            let oldest = self.streams.iter().min_by_key(|(_, s)| s.last_arrival).map(|(&ssrc, _)| ssrc);
            if let Some(oldest) = oldest {
                self.streams.remove(&oldest);
            }
        }
        self.streams.entry(ssrc).or_insert_with(|| Stream::new(rate_hz.max(1)));
    }

    /// Takes a sender report. Reports of unknown streams and such without a wall clock (NTP 0) are ignored.
    pub fn report(&mut self, report: SenderReport, arrival: MediaTime) {
        let Some(stream) = self.streams.get_mut(&report.ssrc) else { return };
        if report.ntp == 0 {
            return;
        }
        self.reports += 1;
        let arrival = micros(arrival);
        let ntp = ntp_micros(report.ntp, *self.ntp_base.get_or_insert(report.ntp));
        let sample = arrival.saturating_sub(ntp);
        if self.offset.get().is_some_and(|o| apart(sample, o) > CLOCK_JUMP_US) {
            self.offset = MinFilter::default();
            self.epoch = self.epoch.wrapping_add(1);
        }
        self.offset.add(sample, arrival);
        let rtp = stream.rtp_micros(report.rtp);
        stream.take_report(ntp.saturating_sub(rtp), self.epoch);
    }

    /// When the unit with RTP time `rtp` that arrived at `arrival` was captured.
    pub fn capture(&mut self, ssrc: u32, rtp: u32, arrival: MediaTime) -> MediaTime {
        let Some(stream) = self.streams.get_mut(&ssrc) else { return arrival };
        let arrival = micros(arrival);
        let rtp = stream.rtp_micros(rtp);
        if let Some(anchor) = stream.anchor()
            && stream.epoch == self.epoch
        {
            let sample = arrival.saturating_sub(rtp.saturating_add(anchor));
            if self.offset.get().is_none_or(|o| apart(sample, o) <= CLOCK_JUMP_US) {
                self.offset.add(sample, arrival);
            }
            if let Some(offset) = self.offset.get() {
                stream.slew_towards(anchor.saturating_add(offset), arrival);
            }
        }
        stream.stamp(rtp, arrival)
    }

    /// Sender reports taken so far.
    #[must_use]
    pub const fn reports(&self) -> u64 {
        self.reports
    }

    /// Whether the captures of `ssrc` come from sender reports rather than arrival times.
    #[must_use]
    pub fn is_synchronized(&self, ssrc: u32) -> bool {
        self.streams.get(&ssrc).is_some_and(|s| !s.anchors.is_empty())
    }
}

impl Stream {
    const fn new(rate_hz: u32) -> Self {
        let anchors = VecDeque::new();
        Self { rate_hz, unwrapped: None, anchors, epoch: 0, applied: None, last_capture: 0, last_arrival: 0 }
    }

    fn rtp_micros(&mut self, rtp: u32) -> i64 {
        let unwrapped = match self.unwrapped {
            None => i64::from(rtp),
            Some(last) => {
                let low = u32::try_from(last & 0xffff_ffff).unwrap_or(0);
                last.wrapping_add(i64::from(i32::from_ne_bytes(rtp.wrapping_sub(low).to_ne_bytes())))
            }
        };
        self.unwrapped = Some(unwrapped);
        narrow(i128::from(unwrapped) * 1_000_000 / i128::from(self.rate_hz))
    }

    fn take_report(&mut self, ntp_minus_rtp: i64, epoch: u32) {
        let jumped = self.anchor().is_some_and(|old| apart(ntp_minus_rtp, old) > STREAM_JUMP_US);
        if jumped || epoch != self.epoch {
            self.anchors.clear();
        }
        self.epoch = epoch;
        self.anchors.push_back(ntp_minus_rtp);
        if self.anchors.len() > REPORTS {
            self.anchors.pop_front();
        }
    }

    fn anchor(&self) -> Option<i64> {
        self.anchors.iter().min().copied()
    }

    fn slew_towards(&mut self, target: i64, arrival: i64) {
        let step = (arrival - self.last_arrival).max(0) / SLEW_DIVISOR;
        self.applied = Some(match self.applied {
            Some(now) if apart(target, now) <= SLEW_LIMIT_US => now + (target - now).clamp(-step, step),
            _ => target,
        });
    }

    fn stamp(&mut self, rtp: i64, arrival: i64) -> MediaTime {
        let raw = match (self.anchor(), self.applied) {
            (Some(_), Some(applied)) => rtp.saturating_add(applied),
            // No report yet. Remember where arrival times put us, so that the first report slews from there.
            _ => {
                let sample = arrival.saturating_sub(rtp);
                let passed = (arrival - self.last_arrival).max(0);
                let least = self.applied.map(|least| least.saturating_add(passed / FORGET_DIVISOR));
                let least =
                    least.filter(|least| apart(sample, *least) <= SLEW_LIMIT_US).map_or(sample, |l| l.min(sample));
                self.applied = Some(least);
                rtp.saturating_add(least)
            }
        };
        let capture = raw.min(arrival).max(self.last_capture).max(0);
        self.last_capture = capture;
        self.last_arrival = self.last_arrival.max(arrival);
        MediaTime::from_micros(u64::try_from(capture).unwrap_or(0))
    }
}

/// The least value of the last [`SPANS`] spans.
#[derive(Debug, Default)]
struct MinFilter {
    /// Span number and its least value, oldest first.
    spans: VecDeque<(i64, i64)>,
}

impl MinFilter {
    fn add(&mut self, value: i64, at: i64) {
        let span = at / SPAN_US;
        match self.spans.back_mut() {
            Some((last, least)) if *last >= span => *least = (*least).min(value),
            _ => self.spans.push_back((span, value)),
        }
        while self.spans.front().is_some_and(|&(first, _)| first + SPANS <= span) {
            self.spans.pop_front();
        }
    }

    fn get(&self) -> Option<i64> {
        self.spans.iter().map(|&(_, least)| least).min()
    }
}

fn micros(t: MediaTime) -> i64 {
    i64::try_from(t.as_micros()).unwrap_or(i64::MAX)
}

/// Microseconds from `base` to `ntp`, right across the NTP era change of 2036.
fn ntp_micros(ntp: u64, base: u64) -> i64 {
    let ticks = i64::from_ne_bytes(ntp.wrapping_sub(base).to_ne_bytes());
    narrow((i128::from(ticks) * 1_000_000) >> 32)
}

fn apart(a: i64, b: i64) -> i64 {
    a.saturating_sub(b).saturating_abs()
}

fn narrow(v: i128) -> i64 {
    i64::try_from(v).unwrap_or(0)
}
