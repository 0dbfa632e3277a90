use std::time::Duration;

use proptest::prelude::*;

use super::{Gate, Sampler, SamplerConfig, Verdict};
use crate::base::{LossReason, MediaTime, RgbFrame};
use crate::watch::Picture;
use crate::watch::testing::{blocks, flat, frame};

fn offer(s: &mut Sampler, f: &RgbFrame, ms: u64) -> Verdict {
    s.offer(&Picture::of(f.clone()), MediaTime::from_millis(ms))
}

/// When looks are taken of what `shows` at each tenth of a second, and why.
fn looks(config: SamplerConfig, tenths: u64, shows: impl Fn(u64) -> RgbFrame) -> Vec<(u64, Gate)> {
    let mut s = Sampler::new(config);
    let kept = |i: u64| (offer(&mut s, &shows(i), i * 100) == Verdict::Keep).then(|| (i * 100, s.kept_by()));
    (0..tenths).filter_map(kept).collect()
}

fn hasty() -> SamplerConfig {
    SamplerConfig { by_motion: false, ..SamplerConfig::default() }
}

/// A room as a wall is wide, seen from a place on it in pixels, in noise that changes with every picture.
fn wall(from: f64, noise: u64) -> RgbFrame {
    frame(640, 480, move |x, y| {
        let (x, y, n) = (f64::from(x) + from, f64::from(y), u64::from(x * 31 + y * 17) + noise * 7);
        // Things of some fifty pixels, and each third of the wall of another brightness.
        let things = (x * 0.045).sin() * (y * 0.04).cos() + (x * 0.017 + y * 0.02).sin() + (x * 0.004).sin();
        let noise = (n.wrapping_mul(2_654_435_761) >> 20) % 7;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "within a byte"
        )]
        let v = (110.0 + 32.0 * things + noise as f64) as u8;
        [v; 3]
    })
}

#[test]
fn a_static_scene_is_kept_once_and_then_only_by_the_heartbeat() {
    let mut s = Sampler::new(SamplerConfig::default());
    let f = blocks(1);
    let kept: Vec<u64> = (0..=1000).map(|i| i * 33).filter(|ms| offer(&mut s, &f, *ms) == Verdict::Keep).collect();
    assert_eq!(kept.len(), 4, "{kept:?}");
    assert!(kept.windows(2).all(|w| (10_000..10_200).contains(&(w[1] - w[0]))), "{kept:?}");
}

#[test]
fn where_a_little_changed_the_heartbeat_comes_twice_as_often() {
    // Less than is worth a look: a lamp goes on somewhere, not brightly.
    let lamp = frame(640, 480, |x, y| [if x < 240 && y < 100 { 110 } else { 100 }; 3]);
    let kept = looks(SamplerConfig::default(), 130, |i| if i == 0 { flat(640, 480, [100; 3]) } else { lamp.clone() });
    assert_eq!(kept, [(0, Gate::Due), (5_000, Gate::Due)]);
}

#[test]
fn no_more_than_two_a_second_even_when_everything_changes() {
    for (config, most) in [(hasty(), 16..=20), (SamplerConfig::default(), 5..=12)] {
        let mut s = Sampler::new(config);
        let kept = (0..300_u32).filter(|i| offer(&mut s, &blocks(*i), u64::from(*i) * 33) == Verdict::Keep).count();
        assert!(most.contains(&kept), "{kept} in 9.9 s");
    }
}

#[test]
fn what_moved_is_looked_at_once_more_when_it_is_still() {
    // Something moves from 2.0 to 2.9 s; what is there then stays.
    let shows = |i: u64| blocks(u32::try_from(i.clamp(19, 29)).expect("small"));
    let kept = looks(hasty(), 91, shows);
    assert_eq!(kept.iter().map(|k| k.0).collect::<Vec<_>>(), [0, 2_000, 2_500, 3_000, 3_500]);
    assert_eq!(looks(SamplerConfig::default(), 91, shows), [(0, Gate::Due), (3_100, Gate::Settled)]);
}

#[test]
fn a_movement_without_an_end_is_looked_at_all_the_same() {
    let kept = looks(SamplerConfig::default(), 60, |i| blocks(u32::try_from(i).expect("small")));
    assert!((3..=5).contains(&kept.len()) && kept[1..].iter().all(|k| k.1 == Gate::Motion), "{kept:?}");
}

/// What a call is made of, in small: somebody holds the camera, turns it, stops. Counted against a look at every half second.
#[test]
fn a_held_camera_is_no_movement_and_a_turn_is_looked_at_by_what_it_shows() {
    let tremble = |i: u64| 3.0 * ((i * 7 % 10) as f64 * 0.9).sin();
    let held = looks(SamplerConfig::default(), 200, |i| wall(200.0 + tremble(i), i));
    assert_eq!(held.len(), 2, "twenty seconds of a hand that trembles: {held:?}");
    // From 2 to 8 s the camera turns over 960 pixels, then it stands still.
    let place = |i: u64| 160.0 * (i.clamp(20, 80) - 20) as f64 / 10.0;
    let turned = looks(SamplerConfig::default(), 120, |i| wall(place(i) + tremble(i), i));
    let (moving, after) = turned[1..].split_at(turned[1..].iter().filter(|k| k.0 <= 8_000).count());
    assert!((5..=8).contains(&moving.len()) && moving.iter().all(|k| k.1 == Gate::Motion), "{turned:?}");
    let last = turned.iter().rev().find(|k| k.0 < 9_000).map_or(0, |k| k.0);
    let seen = place(last / 100);
    assert!(960.0 - seen < 0.2 * 640.0, "the last look shows the end of the turn but for a fifth: {seen}");
    assert!(after.len() <= 2, "{turned:?}");
}

#[test]
fn what_is_put_off_is_known_until_it_is_looked_at() {
    let mut s = Sampler::new(SamplerConfig::default());
    for i in 0..20 {
        offer(&mut s, &blocks(1), i * 100);
    }
    assert!(!s.behind());
    assert_eq!(offer(&mut s, &blocks(2), 2_000), Verdict::Drop(LossReason::Moving));
    assert!(s.behind(), "whoever asks now must not be answered from the look before");
    s.force();
    assert_eq!((offer(&mut s, &blocks(2), 2_000), s.behind()), (Verdict::Keep, false));
}

#[test]
fn pictures_one_by_one_are_looked_at_as_they_come() {
    let mut s = Sampler::new(SamplerConfig::default());
    for i in 0..5_u32 {
        assert_eq!(offer(&mut s, &blocks(i), u64::from(i) * 1_000), Verdict::Keep, "{i}");
    }
}

#[test]
fn a_slow_drift_does_not_vanish() {
    let config = SamplerConfig { max_interval: Duration::from_secs(3600), ..SamplerConfig::default() };
    let mut s = Sampler::new(config);
    // One grey level a second: far below the gate from frame to frame.
    let kept = (0..60_u8).filter(|i| offer(&mut s, &flat(64, 48, [100 + i; 3]), u64::from(*i) * 1000) == Verdict::Keep);
    assert!(kept.count() >= 8);
}

#[test]
fn a_small_thing_that_enters_passes_and_sensor_noise_does_not() {
    let base = |x: u32, y: u32| (x / 7 + y / 5) as u8 + 60;
    let still = frame(640, 480, |x, y| [base(x, y); 3]);
    let noisy = frame(640, 480, |x, y| [base(x, y) + ((x * 31 + y * 17) % 7) as u8; 3]);
    let hand = frame(640, 480, |x, y| if x > 560 && y > 400 { [150, 110, 90] } else { [base(x, y); 3] });
    let mut s = Sampler::new(SamplerConfig::default());
    assert_eq!(offer(&mut s, &still, 0), Verdict::Keep);
    assert_eq!(offer(&mut s, &noisy, 1000), Verdict::Drop(LossReason::Unchanged));
    assert_eq!(offer(&mut s, &hand, 2000), Verdict::Keep);
}

#[test]
fn each_gate_can_be_switched_off_and_says_when_it_let_a_frame_pass() {
    let still = flat(640, 480, [100; 3]);
    let brighter = flat(640, 480, [130; 3]);
    let hand = frame(640, 480, |x, y| if x > 600 && y > 420 { [180; 3] } else { [100; 3] });
    let passes = |by_luma, by_patches, second: &RgbFrame| {
        let mut s = Sampler::new(SamplerConfig { by_luma, by_patches, ..SamplerConfig::default() });
        assert_eq!((offer(&mut s, &still, 0), s.kept_by()), (Verdict::Keep, Gate::Due));
        (offer(&mut s, second, 1_000) == Verdict::Keep).then(|| s.kept_by())
    };
    assert_eq!(passes(true, true, &brighter), Some(Gate::Luma));
    assert_eq!(passes(true, true, &hand), Some(Gate::Patches));
    assert_eq!(passes(true, false, &hand), None, "the mean hardly moves");
    assert_eq!(passes(false, true, &brighter), Some(Gate::Patches));
    assert_eq!(passes(true, true, &still), None);
    assert_eq!(passes(false, false, &still), Some(Gate::Due), "without any gate all pass that the rate allows");
}

#[test]
fn a_pending_question_lets_exactly_one_frame_pass() {
    let mut s = Sampler::new(SamplerConfig::default());
    let f = blocks(1);
    assert_eq!(offer(&mut s, &f, 0), Verdict::Keep);
    s.force();
    assert_eq!(offer(&mut s, &f, 10), Verdict::Keep);
    assert_eq!(offer(&mut s, &f, 20), Verdict::Drop(LossReason::RateLimited));
}

#[test]
fn a_broken_frame_is_named_and_does_not_use_up_the_force() {
    let mut s = Sampler::new(SamplerConfig::default());
    let mut bad = blocks(1);
    bad.height += 1;
    s.force();
    assert_eq!(offer(&mut s, &bad, 0), Verdict::Drop(LossReason::Corrupt));
    assert_eq!(offer(&mut s, &blocks(1), 1), Verdict::Keep);
}

/// Pictures a second that a call's watcher may be given.
const RATES: [f64; 6] = [5.0, 6.0, 7.5, 10.0, 15.0, 30.0];

/// When looks are taken of what `shows` at each time in seconds, in milliseconds, at so many pictures a second.
fn looks_at(fps: f64, seconds: f64, shows: &dyn Fn(f64) -> RgbFrame) -> Vec<u64> {
    let mut s = Sampler::new(SamplerConfig::default());
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few seconds")]
    let at = |i: u32| (f64::from(i) * 1000.0 / fps).round() as u64;
    let times = (0..).map(at).take_while(|ms| (*ms as f64) < seconds * 1000.0);
    times.filter(|ms| offer(&mut s, &shows(*ms as f64 / 1000.0), *ms) == Verdict::Keep).collect()
}

/// A wall, a pixel for a cell, and before it a sheet with a pattern of its own, of which the lower `share` is to be seen.
fn sheet(share: f64, pattern: f64) -> RgbFrame {
    frame(64, 48, move |x, y| {
        let (x, y) = (f64::from(x), f64::from(y));
        let edge = 48.0 * (1.0 - share);
        let v = if y >= edge && (8.0..56.0).contains(&x) {
            170.0 + 60.0 * (x * 0.3 + pattern).sin() * ((y - edge) * 0.25 + pattern).cos()
        } else {
            90.0 + 40.0 * (x * 0.2).sin() * (y * 0.17).cos()
        };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within a byte")]
        let v = v as u8;
        [v; 3]
    })
}

/// A sheet that is raised from `from` on, for `takes` seconds, as a hand raises it.
fn raised(t: f64, from: f64, takes: f64) -> f64 {
    let s = ((t - from) / takes).clamp(0.0, 1.0);
    s * s * (3.0 - 2.0 * s)
}

#[test]
fn a_held_camera_and_a_turn_are_told_at_any_rate() {
    let tremble = |t: f64| 2.0 * (7.3 * t).sin() + 1.2 * (23.0 * t).sin();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few seconds")]
    let noise = |t: f64| (t * 1000.0) as u64;
    let place = |t: f64| 160.0 * (t.clamp(1.0, 5.0) - 1.0);
    for fps in RATES {
        let held = looks_at(fps, 9.0, &|t| wall(200.0 + tremble(t), noise(t)));
        assert!(held.len() <= 2, "{fps} a second, a hand that trembles: {held:?}");
        let turned = looks_at(fps, 7.0, &|t| wall(place(t) + tremble(t), noise(t)));
        let moving = turned.iter().filter(|ms| (1_000..5_000).contains(*ms)).count();
        let seen = turned.last().map_or(0.0, |ms| place(*ms as f64 / 1000.0));
        assert!((3..=5).contains(&moving) && 640.0 - seen < 0.2 * 640.0, "{fps} a second, a turn: {turned:?}");
    }
}

proptest! {
    // Each is watched at six rates.
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 8, ..ProptestConfig::default() })]

    /// What comes to rest is looked at as soon whatever the rate: within 0.4 s, two pictures at five a second.
    #[test]
    fn the_same_is_looked_at_at_the_same_time_at_any_rate(from in 1.0..2.0_f64, takes in 0.3..1.0_f64, pattern in 0.0..6.0_f64) {
        for fps in RATES {
            let looks = looks_at(fps, from + takes + 2.0, &|t| sheet(raised(t, from, takes), pattern));
            let late = |ms: &u64| *ms as f64 - (from + takes) * 1000.0;
            let soon = looks.iter().any(|ms| (-200.0..=400.0).contains(&late(ms)));
            prop_assert!(soon && looks.len() <= 3, "{fps} a second, at rest after {from} + {takes} s: {looks:?}");
        }
    }
}
