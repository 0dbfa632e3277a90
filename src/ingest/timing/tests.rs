use std::time::Duration;

use proptest::prelude::*;

use super::{SenderReport, Timeline};
use crate::base::MediaTime;

const AUDIO: u32 = 11;
const VIDEO: u32 = 22;

/// A sender whose clock is `skew_us` ahead of ours and runs `ppm` too fast, seen over a network.
struct Sender {
    ntp_at_zero: u64,
    ppm: f64,
}

impl Sender {
    fn ntp(&self, t_us: u64) -> u64 {
        let us = t_us as f64 * (1.0 + self.ppm / 1e6);
        self.ntp_at_zero.wrapping_add((us * 4_294.967_296) as u64)
    }

    fn rtp(&self, start: u32, rate: f64, t_us: u64) -> u32 {
        let us = t_us as f64 * (1.0 + self.ppm / 1e6);
        start.wrapping_add((us * rate / 1e6) as u64 as u32)
    }
}

fn at(us: u64) -> MediaTime {
    MediaTime::from_micros(us)
}

/// Cheap jitter that is the same in every run.
fn jitter(i: u64, most_us: u64) -> u64 {
    (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33) & (0xffff_ffff_u64 % most_us.max(1))
}

/// Plays `seconds` and returns for each stream the worst |capture − truth − bias| after `settle` seconds, in ms, where bias
/// is the shortest way (which no one-way measurement can see).
fn play(sender: &Sender, seconds: u64, settle: u64, starts: (u32, u32)) -> (f64, f64) {
    let mut line = Timeline::default();
    line.open(AUDIO, 48_000);
    line.open(VIDEO, 90_000);
    let shortest = 5_000;
    let mut worst = (0.0_f64, 0.0_f64);
    for i in 0..seconds * 50 {
        let t = 1_000_000 + i * 20_000;
        if i % 50 == 7 {
            let report = SenderReport { ssrc: AUDIO, ntp: sender.ntp(t), rtp: sender.rtp(starts.0, 48e3, t) };
            line.report(report, at(t + shortest + jitter(i, 8_000)));
        }
        if i % 50 == 31 {
            let report = SenderReport { ssrc: VIDEO, ntp: sender.ntp(t), rtp: sender.rtp(starts.1, 90e3, t) };
            line.report(report, at(t + shortest + jitter(i, 8_000)));
        }
        let a = line.capture(AUDIO, sender.rtp(starts.0, 48e3, t), at(t + shortest + jitter(i, 8_000)));
        // Video takes 40 ms to encode, and more on the way.
        let v = line.capture(VIDEO, sender.rtp(starts.1, 90e3, t), at(t + 40_000 + shortest + jitter(i + 7, 30_000)));
        if i >= settle * 50 {
            let error = |c: MediaTime| (c.as_micros() as f64 - (t + shortest) as f64).abs() / 1e3;
            worst = (worst.0.max(error(a)), worst.1.max(error(v)));
        }
    }
    worst
}

#[test]
fn sound_and_picture_of_one_moment_get_one_capture_time() {
    let (audio, video) = play(&Sender { ntp_at_zero: 0xe000_0000_0000_0000, ppm: 0.0 }, 20, 4, (0, 0));
    assert!(audio < 2.0, "audio is off by {audio} ms");
    assert!(video < 2.0, "video is off by {video} ms although it was 40 to 70 ms under way");
}

#[test]
fn drifting_clocks_stay_within_a_few_milliseconds() {
    for ppm in [-150.0, 150.0] {
        let (audio, video) = play(&Sender { ntp_at_zero: 0xe000_0000_0000_0000, ppm }, 300, 4, (0, 0));
        assert!(audio < 8.0 && video < 8.0, "at {ppm} ppm: audio {audio} ms, video {video} ms");
    }
}

#[test]
fn wraps_of_rtp_and_ntp_time_go_unnoticed() {
    // Both RTP clocks wrap within a few seconds, and the NTP era ends too.
    let starts = (u32::MAX - 48_000 * 6, u32::MAX - 90_000 * 7);
    let (audio, video) = play(&Sender { ntp_at_zero: u64::MAX - (8 << 32), ppm: 0.0 }, 20, 4, starts);
    assert!(audio < 2.0 && video < 2.0, "audio {audio} ms, video {video} ms");
}

#[test]
fn arrival_times_stand_in_until_the_first_report() {
    let mut line = Timeline::default();
    line.open(VIDEO, 90_000);
    assert_eq!(line.capture(VIDEO, 5, at(700)), at(700));
    assert!(!line.is_synchronized(VIDEO));
    assert_eq!(line.capture(99, 5, at(900)), at(900), "an unknown stream has nothing but its arrival");
}

#[test]
fn a_burst_before_the_first_report_keeps_the_distance_of_its_packets() {
    let mut line = Timeline::default();
    line.open(AUDIO, 48_000);
    // The first of 40 ms each, kept back while the path came up, all at once; then one after the other, in time.
    let truth = |i: u64| 1_000_000 + 40_000 * i;
    let arrived = |i: u64| if i < 6 { truth(5) + 2_000 } else { truth(i) + 2_000 + jitter(i, 20_000) };
    let mut last = 0;
    for i in 0..50 {
        let capture = line.capture(AUDIO, u32::try_from(1_920 * i).unwrap(), at(arrived(i))).as_micros();
        assert!(capture >= last && capture <= arrived(i), "{i}");
        if i >= 5 {
            assert!(capture.abs_diff(truth(i)) <= 12_000, "{i}: {capture}");
        }
        if i >= 6 {
            assert!((capture - last).abs_diff(40_000) <= 11_000, "{i}: {} after the one before", capture - last);
        }
        last = capture;
    }
}

#[test]
fn without_reports_a_new_time_base_and_a_drift_are_followed() {
    let mut line = Timeline::default();
    line.open(AUDIO, 48_000);
    let mut late = 0;
    for i in 0..100_000_u64 {
        // 150 ppm too slow, and begun anew in the middle.
        let rtp = 960 * i - 960 * i * 150 / 1_000_000 + if i < 50_000 { 0 } else { 1 << 30 };
        let arrival = 1_000_000 + 20_000 * i;
        let capture = line.capture(AUDIO, (rtp & 0xffff_ffff) as u32, at(arrival)).as_micros();
        late = late.max(arrival - capture);
    }
    assert!(late <= 1_000, "{late} µs");
}

#[test]
fn the_first_report_slews_instead_of_jumping() {
    let mut line = Timeline::default();
    line.open(AUDIO, 48_000);
    line.open(VIDEO, 90_000);
    let sender = Sender { ntp_at_zero: 1 << 60, ppm: 0.0 };
    let mut last = MediaTime::ZERO;
    let mut reached = None;
    for i in 0..200_u64 {
        let t = 1_000_000 + i * 33_333;
        line.capture(AUDIO, sender.rtp(0, 48e3, t), at(t + 1_000));
        if i == 30 {
            line.report(SenderReport { ssrc: AUDIO, ntp: sender.ntp(t), rtp: sender.rtp(0, 48e3, t) }, at(t + 1_000));
            line.report(SenderReport { ssrc: VIDEO, ntp: sender.ntp(t), rtp: sender.rtp(0, 90e3, t) }, at(t + 1_000));
        }
        let c = line.capture(VIDEO, sender.rtp(0, 90e3, t), at(t + 101_000));
        if i > 0 {
            let step = c.since(last);
            assert!(
                step >= Duration::from_micros(29_000) && step <= Duration::from_micros(37_500),
                "step {step:?} at {i}"
            );
        }
        last = c;
        if reached.is_none() && c.as_micros() < t + 3_000 {
            reached = Some(i - 30);
        }
    }
    let frames = reached.expect("the correction of 100 ms is made");
    assert!(frames <= 40, "it took {frames} frames");
}

/// Some clients (aiortc) stamp a report with the time at which a packet left, which includes encoding and waiting.
#[test]
fn reports_stamped_late_by_the_sender_do_not_part_sound_and_picture() {
    let sender = Sender { ntp_at_zero: 1 << 60, ppm: 0.0 };
    let mut line = Timeline::default();
    line.open(AUDIO, 48_000);
    line.open(VIDEO, 90_000);
    let mut worst = 0_u64;
    for i in 0..1_500_u64 {
        let t = 1_000_000 + i * 20_000;
        let encoding = 8_000 + jitter(i, 60_000);
        if i % 50 == 20 {
            let report = SenderReport { ssrc: VIDEO, ntp: sender.ntp(t + encoding), rtp: sender.rtp(0, 90e3, t) };
            line.report(report, at(t + encoding + 1_000));
            let report = SenderReport { ssrc: AUDIO, ntp: sender.ntp(t), rtp: sender.rtp(0, 48e3, t) };
            line.report(report, at(t + 1_000));
        }
        let a = line.capture(AUDIO, sender.rtp(0, 48e3, t), at(t + 1_000));
        let v = line.capture(VIDEO, sender.rtp(0, 90e3, t), at(t + encoding + 1_000));
        if i > 400 {
            worst = worst.max(a.as_micros().abs_diff(v.as_micros()));
        }
    }
    assert!(worst < 30_000, "sound and picture are up to {worst} us apart");
}

#[test]
fn a_sender_that_sets_its_clock_disturbs_nothing() {
    let mut line = Timeline::default();
    line.open(AUDIO, 48_000);
    line.open(VIDEO, 90_000);
    let mut worst = 0_u64;
    for i in 0..500_u64 {
        let t = 1_000_000 + i * 20_000;
        // After five seconds the wall clock goes back by an hour; RTP clocks run on.
        let ntp = Sender { ntp_at_zero: if i < 250 { 5000 << 32 } else { 1400 << 32 }, ppm: 0.0 }.ntp(t);
        let rtp = Sender { ntp_at_zero: 0, ppm: 0.0 };
        if i % 50 == 10 {
            line.report(SenderReport { ssrc: AUDIO, ntp, rtp: rtp.rtp(0, 48e3, t) }, at(t + 3_000));
        }
        if i % 50 == 40 {
            line.report(SenderReport { ssrc: VIDEO, ntp, rtp: rtp.rtp(0, 90e3, t) }, at(t + 3_000));
        }
        let a = line.capture(AUDIO, rtp.rtp(0, 48e3, t), at(t + 3_000));
        let v = line.capture(VIDEO, rtp.rtp(0, 90e3, t), at(t + 3_000));
        for c in [a, v] {
            worst = worst.max(c.as_micros().abs_diff(t + 3_000));
        }
    }
    assert!(worst < 2_000, "a capture was off by {worst} us");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever a client reports, captures are monotone, never after arrival, and nothing panics.
    #[test]
    fn captures_are_monotone_and_never_after_arrival(
        events in proptest::collection::vec((0_u8..3, any::<u64>(), any::<u32>(), 0_u64..200_000), 1..200),
    ) {
        let mut line = Timeline::default();
        line.open(AUDIO, 48_000);
        line.open(VIDEO, 0);
        let mut now = 0;
        let mut last = [MediaTime::ZERO; 2];
        for (kind, ntp, rtp, step) in events {
            now += step;
            let which = usize::from(rtp & 1 == 0);
            let ssrc = [AUDIO, VIDEO][which];
            match kind {
                0 => line.report(SenderReport { ssrc, ntp, rtp }, at(now)),
                1 => line.open(rtp, rtp),
                _ => {
                    let c = line.capture(ssrc, rtp, at(now));
                    prop_assert!(c <= at(now) && c >= last[which]);
                    last[which] = c;
                }
            }
        }
    }
}
