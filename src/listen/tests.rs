//! The listener in virtual time: how likely a frame is speech is written into its samples.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::base::{LossReason, MediaTime, Pcm};

const FRAME: usize = 256;
const MS: usize = 16;

/// The probability is the loudness of the frame's middle sample.
pub(crate) struct Written;

impl SpeechProbability for Written {
    fn frame_samples(&self) -> usize {
        FRAME
    }
    fn probability(&mut self, frame: &[f32]) -> f32 {
        assert_eq!(frame.len(), FRAME);
        frame[FRAME / 2].abs()
    }
    fn reset(&mut self) {}
}

fn listener(config: ListenConfig) -> Listener {
    Listener::new(Box::new(Written), config).expect("valid configuration")
}

fn ms(v: u64) -> Duration {
    Duration::from_millis(v)
}

/// A sound made of `(milliseconds, probability)`.
fn sound(parts: &[(usize, f32)]) -> Vec<f32> {
    parts.iter().flat_map(|&(ms, p)| vec![p; ms * MS]).collect()
}

fn hear(l: &mut Listener, from_ms: u64, sound: &[f32]) -> Heard {
    let mut all = Heard::default();
    for (i, s) in sound.chunks(Pcm::BUFFER_SAMPLES).enumerate() {
        let start = MediaTime::from_millis(from_ms + 40 * i as u64);
        let heard = l.push(&Pcm { samples: Arc::from(s), start });
        all.events.extend(heard.events);
        all.lost.extend(heard.lost);
    }
    all
}

fn starts(heard: &Heard) -> Vec<u64> {
    let at = |e: &ListenEvent| match e {
        ListenEvent::SpeechStarted { at } => Some(at.as_millis()),
        ListenEvent::SpeechStopped { .. } => None,
    };
    heard.events.iter().filter_map(at).collect()
}

fn stops(heard: &Heard) -> Vec<(Utterance, MediaTime)> {
    let of = |e: &ListenEvent| match e {
        ListenEvent::SpeechStopped { utterance, decided } => Some((utterance.clone(), *decided)),
        ListenEvent::SpeechStarted { .. } => None,
    };
    heard.events.iter().filter_map(of).collect()
}

#[test]
fn speech_is_cut_out_with_its_padding_and_the_end_is_decided_after_the_silence() {
    let mut l = listener(ListenConfig::default());
    let heard = hear(&mut l, 0, &sound(&[(1600, 0.0), (1600, 0.9), (800, 0.0)]));
    assert_eq!(starts(&heard), [1600]);
    let [(u, decided)] = &stops(&heard)[..] else { panic!("one utterance") };
    assert_eq!((u.start.as_millis(), u.end.as_millis(), decided.as_millis()), (1300, 3200, 3712));
    assert_eq!(u.samples.len(), (300 + 1600 + 160) * MS);
    assert!(heard.lost.is_empty() && !l.is_speaking());
}

#[test]
fn after_a_pause_it_takes_as_much_to_go_on_as_to_begin() {
    let end = |between: &[(usize, f32)]| {
        let parts = [&[(320, 0.0), (1_600, 0.9)], between, &[(1_600, 0.0)]].concat();
        let [(u, _)] = &stops(&hear(&mut listener(ListenConfig::default()), 0, &sound(&parts)))[..] else {
            panic!("one utterance")
        };
        u.end.as_millis()
    };
    assert_eq!(end(&[(48, 0.0), (160, 0.4)]), 1_920 + 208, "a vowel that fades and swells");
    assert_eq!(end(&[(320, 0.0), (32, 0.4)]), 1_920, "a click, well after the last word");
    assert_eq!(end(&[(320, 0.0), (160, 0.6)]), 1_920 + 480, "somebody who goes on");
    assert_eq!(end(&[(320, 0.0), (64, 0.6), (160, 0.4)]), 1_920 + 544, "as he began");
}

#[test]
fn a_click_is_no_speech_and_is_counted() {
    let mut l = listener(ListenConfig::default());
    let heard = hear(&mut l, 0, &sound(&[(480, 0.0), (48, 1.0), (960, 0.0)]));
    assert!(heard.events.is_empty());
    assert_eq!(heard.lost, [Lost { reason: LossReason::UtteranceBounds, duration: ms(48) }]);
}

#[test]
fn a_wavering_voice_stays_one_utterance_but_does_not_start_one() {
    let mut l = listener(ListenConfig::default());
    assert!(hear(&mut l, 0, &sound(&[(960, 0.45)])).events.is_empty());
    let heard = hear(&mut l, 960, &sound(&[(320, 0.8), (960, 0.45), (320, 0.8), (800, 0.0)]));
    assert_eq!(stops(&heard).len(), 1);
}

#[test]
fn a_pause_shorter_than_the_silence_is_part_of_the_utterance() {
    let mut l = listener(ListenConfig::default());
    let heard = hear(&mut l, 0, &sound(&[(320, 0.9), (384, 0.0), (320, 0.9), (384, 0.0), (320, 0.0)]));
    assert_eq!(stops(&heard).len(), 1);
    assert_eq!(stops(&heard)[0].0.end.as_millis(), 320 + 384 + 320);
}

#[test]
fn a_monologue_is_cut_at_the_bound_and_nothing_of_it_is_lost() {
    let mut l = listener(ListenConfig { max_utterance: ms(4_000), ..ListenConfig::default() });
    let said: Vec<f32> = (0..10_240 * MS).map(|n| 0.6 + (n % 4_000) as f32 * 1e-4).collect();
    let mut heard = hear(&mut l, 0, &said);
    heard.events.extend(l.finish(MediaTime::from_millis(10_240)));
    let utterances = stops(&heard);
    assert_eq!(utterances.len(), 3);
    let joined: Vec<f32> = utterances.iter().flat_map(|(u, _)| u.samples.iter().copied()).collect();
    assert_eq!(joined, said);
    assert!(utterances.iter().all(|(u, _)| u.samples.len() <= 4_000 * MS));
    assert_eq!(starts(&heard).len(), 3);
}

#[test]
fn a_long_gap_ends_the_utterance_and_a_short_one_does_not() {
    for (gap, utterances) in [(200, 0), (600, 1), (3_600_000, 1)] {
        let mut l = listener(ListenConfig::default());
        assert_eq!(starts(&hear(&mut l, 0, &sound(&[(960, 0.9)]))), [0]);
        let heard = hear(&mut l, 960 + gap, &sound(&[(40, 0.9)]));
        assert_eq!(stops(&heard).len(), utterances, "gap of {gap} ms");
        for (u, decided) in stops(&heard) {
            assert_eq!((u.end.as_millis(), decided.as_millis()), (960, 960 + gap));
            assert_eq!(u.samples.len(), 960 * MS, "nothing is inserted");
        }
    }
}

#[test]
fn padding_never_reaches_across_a_gap() {
    let mut l = listener(ListenConfig::default());
    hear(&mut l, 0, &sound(&[(960, 0.1)]));
    let heard = hear(&mut l, 5_000, &sound(&[(64, 0.1), (320, 0.9), (800, 0.0)]));
    assert_eq!(stops(&heard)[0].0.start.as_millis(), 5_000);
}

#[test]
fn a_clock_jumping_back_keeps_utterances_in_order() {
    let mut l = listener(ListenConfig::default());
    let first = stops(&hear(&mut l, 60_000, &sound(&[(960, 0.9), (800, 0.0)])));
    let second = stops(&hear(&mut l, 10_000, &sound(&[(960, 0.9), (800, 0.0)])));
    assert!(second[0].0.start >= first[0].0.end && second[0].0.end > second[0].0.start);
}

#[test]
fn committed_sound_is_all_that_was_gathered_and_too_little_is_refused() {
    let mut l = listener(ListenConfig { turn_detection: TurnDetection::Manual, ..ListenConfig::default() });
    assert!(hear(&mut l, 0, &sound(&[(80, 0.9)])).events.is_empty());
    let refused = l.commit(MediaTime::from_millis(80)).expect_err("80 ms");
    assert_eq!(refused, CommitError::TooShort { have_ms: 80, need_ms: 100 });
    hear(&mut l, 80, &sound(&[(920, 0.0)]));
    let Ok(ListenEvent::SpeechStopped { utterance, decided }) = l.commit(MediaTime::from_millis(1_010)) else {
        panic!("committed")
    };
    assert_eq!((utterance.start.as_millis(), utterance.end.as_millis(), decided.as_millis()), (0, 1_000, 1_010));
    assert_eq!(utterance.samples.len(), 16_000);
    assert!(l.commit(MediaTime::from_millis(1_010)).is_err(), "the buffer is empty");
    hear(&mut l, 1_000, &sound(&[(500, 0.9)]));
    l.clear();
    assert!(l.commit(MediaTime::from_millis(1_500)).is_err(), "cleared");
}

#[test]
fn sound_that_is_committed_is_read_while_it_comes_and_what_was_read_in_a_pause_is_what_is_committed() {
    let config = ListenConfig { turn_detection: TurnDetection::Manual, ..ListenConfig::default() };
    let mut l = listener(config);
    let mut read = Vec::new();
    let mut say = |l: &mut Listener, from: u64, parts: &[(usize, f32)]| {
        for (i, s) in sound(parts).chunks(Pcm::BUFFER_SAMPLES).enumerate() {
            l.push(&Pcm { samples: Arc::from(s), start: MediaTime::from_millis(from + 40 * i as u64) });
            read.extend(l.so_far());
        }
        std::mem::take(&mut read)
    };
    assert!(say(&mut l, 0, &[(2_000, 0.1)]).is_empty(), "nobody speaks");
    let first = say(&mut l, 2_000, &[(1_200, 0.9)]);
    assert_eq!(first.len(), 2, "every word or two");
    assert!(first.iter().all(|r| !r.whole) && first[0].samples.len() < first[1].samples.len());
    let pause = say(&mut l, 3_200, &[(800, 0.0)]);
    assert!(pause.len() == 1 && pause[0].whole, "once in a pause");
    let Ok(ListenEvent::SpeechStopped { utterance, .. }) = l.commit(MediaTime::from_millis(4_000)) else { panic!() };
    assert_eq!(utterance.samples, pause[0].samples, "nothing has to be read again");
    assert!(l.held() == Duration::ZERO && l.commit(MediaTime::from_millis(4_000)).is_err());
    // Without such a reading everything is committed, to the last sample.
    say(&mut l, 4_000, &[(600, 0.9), (40, 0.0)]);
    let Ok(ListenEvent::SpeechStopped { utterance, .. }) = l.commit(MediaTime::from_millis(4_640)) else { panic!() };
    assert_eq!(utterance.samples.len(), 640 * MS);
    // What was said after a pause that was read is committed too.
    say(&mut l, 4_640, &[(600, 0.9), (400, 0.0), (80, 0.9)]);
    let Ok(ListenEvent::SpeechStopped { utterance, .. }) = l.commit(MediaTime::from_millis(5_720)) else { panic!() };
    assert_eq!(utterance.samples.len(), 1_080 * MS);
}

#[test]
fn manual_mode_keeps_the_newest_and_counts_the_rest() {
    let config =
        ListenConfig { turn_detection: TurnDetection::Manual, max_utterance: ms(2_000), ..ListenConfig::default() };
    let mut l = listener(config);
    let heard = hear(&mut l, 0, &sound(&[(5_000, 0.1), (1_000, 0.2)]));
    let lost: Duration = heard.lost.iter().map(|x| x.duration).sum();
    assert!(l.held() <= ms(2_016) && lost >= ms(3_980), "{:?} {lost:?}", l.held());
    let Ok(ListenEvent::SpeechStopped { utterance, .. }) = l.commit(MediaTime::from_millis(6_000)) else { panic!() };
    assert!((utterance.samples[utterance.samples.len() - 1] - 0.2).abs() < 1e-6);
    assert!((3_980..=4_020).contains(&utterance.start.as_millis()));
}

#[test]
fn switching_the_mode_in_mid_utterance_gives_it_back() {
    let mut l = listener(ListenConfig::default());
    hear(&mut l, 0, &sound(&[(960, 0.9)]));
    assert!(l.is_speaking());
    let manual = ListenConfig { turn_detection: TurnDetection::Manual, ..*l.config() };
    let ended = l.set_config(manual, MediaTime::from_millis(960)).expect("valid");
    assert!(matches!(ended, Some(ListenEvent::SpeechStopped { .. })) && !l.is_speaking());
    assert!(l.set_config(ListenConfig { min_speech: ms(5_000), ..manual }, MediaTime::ZERO).is_err());
    assert_eq!(*l.config(), manual);
}

#[test]
fn the_level_is_that_of_the_newest_buffer() {
    let mut l = listener(ListenConfig::default());
    assert!((l.level_dbfs() - SILENCE_DBFS).abs() < f32::EPSILON);
    hear(&mut l, 0, &sound(&[(80, 0.1)]));
    assert!((l.level_dbfs() + 20.0).abs() < 0.01);
}

/// What a client and a network can do.
#[derive(Debug, Clone)]
enum Act {
    Sound { len: usize, level: f32, jump_ms: i64 },
    Commit,
    Clear,
    Configure { manual: bool, threshold: f32, silence_ms: u64, max_ms: u64 },
}

fn act() -> impl Strategy<Value = Act> {
    let level = prop_oneof![4 => Just(0.9f32), 3 => Just(0.0), 1 => Just(0.45), 1 => Just(f32::NAN)];
    let jump = prop_oneof![12 => Just(0i64), 1 => -20_000i64..20_000, 1 => -50i64..150];
    prop_oneof![
        20 => (0usize..20_000, level, jump).prop_map(|(len, level, jump_ms)| Act::Sound { len, level, jump_ms }),
        1 => Just(Act::Commit),
        1 => Just(Act::Clear),
        1 => (any::<bool>(), 0.1f32..0.9, 40u64..1_000, 2_000u64..6_000)
            .prop_map(|(manual, threshold, silence_ms, max_ms)| Act::Configure { manual, threshold, silence_ms, max_ms }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever arrives: utterances are bounded, in order, apart from each other, and the buffer is bounded.
    #[test]
    fn utterances_never_overlap_and_memory_is_bounded(acts in proptest::collection::vec(act(), 1..60)) {
        let mut l = listener(ListenConfig { max_utterance: ms(4_000), ..ListenConfig::default() });
        let (mut clock, mut last, mut open, mut bound) = (30_000i64, MediaTime::ZERO, false, Duration::ZERO);
        for act in acts {
            // What was gathered under a longer bound is cut down by the next whole frame.
            let in_force = l.config().max_utterance;
            let longest = bound.max(in_force);
            bound = longest;
            let manual = l.config().turn_detection == TurnDetection::Manual;
            let mut events = Vec::new();
            match act {
                Act::Sound { len, level, jump_ms } => {
                    clock = (clock + jump_ms).max(0);
                    let start = MediaTime::from_millis(clock.unsigned_abs());
                    events = l.push(&Pcm { samples: vec![level; len].into(), start }).events;
                    clock += (len / MS) as i64;
                    if len >= FRAME {
                        bound = in_force;
                    }
                    prop_assert!(l.held() <= bound + ms(16), "{:?}", l.held());
                }
                Act::Commit => events.extend(l.commit(MediaTime::from_millis(clock.unsigned_abs()))),
                Act::Clear => { l.clear(); open = false; }
                Act::Configure { manual, threshold, silence_ms, max_ms } => {
                    let turn_detection = if manual { TurnDetection::Manual } else { TurnDetection::Voice };
                    let config = ListenConfig { turn_detection, silence_duration: ms(silence_ms), max_utterance: ms(max_ms), ..*l.config() };
                    let now = MediaTime::from_millis(clock.unsigned_abs());
                    events.extend(l.set_config(config.with_threshold(threshold), now).expect("in bounds"));
                }
            }
            for event in events {
                match event {
                    ListenEvent::SpeechStarted { at } => {
                        prop_assert!(at >= last, "{at} before {last}");
                        prop_assert!(!open, "started twice");
                        open = true;
                    }
                    ListenEvent::SpeechStopped { utterance: u, decided } => {
                        prop_assert!(u.start >= last && u.end >= u.start && decided >= u.end, "{} {} {}", u.start, u.end, decided);
                        prop_assert!(u.samples.len() <= samples_in(longest) + FRAME);
                        prop_assert!(u.samples.iter().all(|v| v.abs() <= 1.0));
                        prop_assert!(open || manual, "stopped without a start");
                        (last, open) = (u.end, false);
                    }
                }
            }
        }
    }

    /// However the same sound is cut into buffers, the same utterances come out.
    #[test]
    fn the_size_of_buffers_does_not_matter(cuts in proptest::collection::vec(1usize..3_000, 1..40)) {
        let said = sound(&[(500, 0.0), (900, 0.9), (700, 0.0), (50, 0.9), (600, 0.0), (1_200, 0.8), (900, 0.0)]);
        let mut l = listener(ListenConfig::default());
        let (mut at, mut heard) = (0, Heard::default());
        for cut in cuts.iter().cycle() {
            let end = (at + cut).min(said.len());
            let start = MediaTime::from_micros(at as u64 * 125 / 2);
            heard.events.extend(l.push(&Pcm { samples: said[at..end].into(), start }).events);
            at = end;
            if at == said.len() { break; }
        }
        let whole = hear(&mut listener(ListenConfig::default()), 0, &said);
        let lengths = |h: &Heard| stops(h).iter().map(|(u, _)| u.samples.len()).collect::<Vec<_>>();
        prop_assert_eq!(lengths(&heard), lengths(&whole));
    }
}

fn samples_in(d: Duration) -> usize {
    d.as_millis() as usize * MS
}

/// What was handed out to be read before the end: when, how much, and whether it may be all.
fn readings(l: &mut Listener, from_ms: u64, sound: &[f32]) -> (Vec<(u64, SoFar)>, Vec<Utterance>) {
    let (mut read, mut ended) = (Vec::new(), Vec::new());
    for (i, s) in sound.chunks(Pcm::BUFFER_SAMPLES).enumerate() {
        let start = from_ms + 40 * i as u64;
        let heard = l.push(&Pcm { samples: Arc::from(s), start: MediaTime::from_millis(start) });
        ended.extend(stops(&heard).into_iter().map(|(u, _)| u));
        read.extend(l.so_far().map(|so_far| (start + 40, so_far)));
    }
    (read, ended)
}

#[test]
fn speech_is_handed_out_as_it_grows_and_each_pause_once_with_the_samples_of_an_utterance_that_ends_there() {
    let mut l = listener(ListenConfig::default());
    let (read, ended) =
        readings(&mut l, 0, &sound(&[(800, 0.0), (1_600, 0.9), (240, 0.0), (320, 0.9), (160, 0.0), (480, 0.0)]));
    let whole: Vec<_> = read.iter().filter(|(_, s)| s.whole).collect();
    assert_eq!(whole.len(), 2, "two pauses");
    assert!(read.len() >= 4, "and some readings between: {}", read.len());
    assert!(read.windows(2).all(|w| w[0].1.samples.len() < w[1].1.samples.len()));
    assert_eq!(ended.len(), 1);
    assert_eq!(whole[1].1.samples, ended[0].samples, "what was read in the last pause is the utterance");
    assert_eq!(whole[1].1.voiced_until, ended[0].end);
}

#[test]
fn long_speech_is_read_less_often_than_short() {
    let mut l = listener(ListenConfig::default());
    let (read, _) = readings(&mut l, 0, &sound(&[(400, 0.0), (28_000, 0.9)]));
    let gaps: Vec<_> = read.windows(2).map(|w| w[1].0 - w[0].0).collect();
    assert!(gaps.first() < gaps.last(), "{gaps:?}");
    // What is read of it in all is bounded: less than nine times its length.
    let total: usize = read.iter().map(|(_, s)| s.samples.len()).sum();
    assert!(total < 9 * 28_400 * MS, "{total}");
}

proptest! {
    /// Whatever is said: the samples handed out in a pause are those of the utterance, if it ends with that pause and no bound cut it.
    #[test]
    fn a_pause_that_ends_the_utterance_was_handed_out_exactly(
        parts in proptest::collection::vec((1_usize..60, prop_oneof![Just(0.0_f32), Just(0.9), Just(0.4)]), 1..20)
    ) {
        let mut l = listener(ListenConfig::default());
        let mut all = sound(&parts.iter().map(|(n, p)| (n * 16, *p)).collect::<Vec<_>>());
        all.extend(sound(&[(800, 0.0)]));
        let (read, ended) = readings(&mut l, 0, &all);
        for u in ended {
            let same = read.iter().filter(|(_, s)| s.whole && s.voiced_until == u.end && s.samples == u.samples).count();
            prop_assert_eq!(same, 1);
        }
    }
}

#[test]
fn what_was_said_can_shorten_or_lengthen_the_pause_it_was_said_before_and_no_other() {
    let words = sound(&[(400, 0.0), (800, 0.9), (200, 0.0)]);
    let said = || {
        let mut l = listener(ListenConfig::default());
        let (read, ended) = readings(&mut l, 0, &words);
        assert!(ended.is_empty());
        let until = read.last().expect("the pause was read").1.voiced_until;
        (l, until)
    };
    let (mut l, until) = said();
    assert!(
        matches!(l.need_silence(until, ms(160)), Some(ListenEvent::SpeechStopped { .. })),
        "silent for so long already"
    );
    assert!(l.need_silence(until, ms(160)).is_none() && !l.is_speaking());
    let (mut l, until) = said();
    assert!(l.need_silence(until, ms(240)).is_none());
    assert_eq!(stops(&hear(&mut l, 1_400, &sound(&[(80, 0.0)]))).len(), 1, "sooner than usual");
    let (mut l, until) = said();
    assert!(l.need_silence(until, ms(2_000)).is_none());
    assert!(hear(&mut l, 1_400, &sound(&[(1_600, 0.0)])).events.is_empty(), "later than usual");
    assert!(hear(&mut l, 3_000, &sound(&[(320, 0.9), (480, 0.0)])).events.is_empty());
    assert!(l.need_silence(until, ms(160)).is_none(), "more has been said since");
    assert_eq!(stops(&hear(&mut l, 3_800, &sound(&[(40, 0.0)]))).len(), 1, "the next pause is judged anew");
}
