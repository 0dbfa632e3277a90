//! Interruptions in virtual time.

use proptest::prelude::*;

use super::*;

fn ms(v: u64) -> Duration {
    Duration::from_millis(v)
}

/// Near voice from 1 s on for `long`, then silence, in steps of 40 ms; gives what is known after each step with its time since the onset.
fn voice(judge: &mut Judge, long: u64, share: f32, read: &mut dyn FnMut(&mut Judge, u64)) -> Vec<(u64, Verdict)> {
    let onset = MediaTime::from_millis(1_000);
    let mut course = Vec::new();
    for t in (40..=long + 400).step_by(40) {
        let near = ms(t.min(long));
        let at = onset + ms(t);
        let e = Evidence { onset, at, near, pitched: near.mul_f32(share), silent: ms(t.saturating_sub(long)) };
        judge.hear(Some(e), at);
        read(judge, t);
        course.push((t, judge.verdict()));
    }
    course
}

fn judge() -> Judge {
    Judge::new(InterruptConfig::default(), MediaTime::from_millis(1_000))
}

fn real_at(course: &[(u64, Verdict)]) -> Option<u64> {
    course.iter().find(|(_, v)| matches!(v, Verdict::Real(_))).map(|(t, _)| *t)
}

#[test]
fn voice_that_goes_on_is_an_interruption_even_without_words() {
    let course = voice(&mut judge(), 2_000, 0.8, &mut |_, _| {});
    assert_eq!(real_at(&course), Some(640));
    assert_eq!(course.last().expect("some").1, Verdict::Real(Proof::Voice));
}

#[test]
fn a_stop_word_stops_at_once() {
    for words in ["Stop", "no, wait", "okay hold on"] {
        let course = voice(&mut judge(), 400, 0.8, &mut |j, t| {
            if t == 320 {
                j.read(words, ms(280), "");
            }
        });
        assert_eq!(real_at(&course), Some(320), "{words}");
    }
}

#[test]
fn an_order_read_faster_than_anybody_says_it_again_and_again_is_not_believed_at_once() {
    let read_at = |t: u64| {
        move |j: &mut Judge, now: u64| {
            if now == t {
                j.read("Wait, wait, wait.", ms(t - 80), "");
            }
        }
    };
    assert_eq!(real_at(&voice(&mut judge(), 480, 0.8, &mut read_at(320))), None);
    assert_eq!(real_at(&voice(&mut judge(), 480, 0.8, &mut read_at(480))), Some(480));
}

#[test]
fn words_of_ones_own_stop_it_once_they_are_read_again_or_the_voice_is_over() {
    for words in ["Thou can't", "what is", "yeah but", "blue one"] {
        let course = voice(&mut judge(), 1_000, 0.8, &mut |j, t| {
            if t == 320 || t == 560 {
                j.read(words, ms(t - 80), "");
            }
        });
        assert_eq!(real_at(&course), Some(560), "{words}");
        let mut short = judge();
        let course = voice(&mut short, 360, 0.8, &mut |j, t| {
            if t == 320 {
                j.read(words, ms(280), "");
            } else if t == 600 {
                j.read("Okay.", ms(360), "");
            }
        });
        assert_eq!(real_at(&course), None, "{words}: half of \"okay\"");
        let course = voice(&mut judge(), 360, 0.8, &mut |j, t| {
            if t == 600 {
                j.read(words, ms(360), "");
            }
        });
        assert_eq!(real_at(&course), Some(600), "{words}: all of it");
    }
}

#[test]
fn what_is_read_differently_each_time_is_noise() {
    let course = |early: &'static str| {
        let mut j = judge();
        voice(&mut j, 300, 0.8, &mut |j, t| {
            if t == 320 {
                j.read(early, ms(280), "");
            }
        });
        j.end("Louder.", "")
    };
    assert_eq!(course("Louder"), Verdict::Real(Proof::Words));
    assert_eq!(course("Other"), Verdict::Passing(Harmless::Noise));
    // "Right, got it", read as something else each time.
    let mut j = judge();
    voice(&mut j, 300, 0.8, &mut |j, t| {
        if t == 320 {
            j.read("Right, god.", ms(280), "");
        }
    });
    assert_eq!(j.end("Right, guarded.", ""), Verdict::Passing(Harmless::Noise));
}

#[test]
fn a_television_of_which_the_loudest_words_are_near_is_no_interruption() {
    let (mut j, onset) = (judge(), MediaTime::from_millis(1_000));
    for t in (40..6_000).step_by(40) {
        let (near, at) = (ms(t / 3), onset + ms(t));
        let e = Evidence { onset, at, near, pitched: near.mul_f32(0.8), silent: ms(if t % 120 == 0 { 0 } else { 40 }) };
        j.hear(Some(e), at);
        if t % 280 == 0 {
            j.read("The government, stop.", near, "");
        }
        assert!(!matches!(j.verdict(), Verdict::Real(_)), "after {t} ms");
    }
}

#[test]
fn a_sign_of_listening_passes_while_it_is_still_sounding() {
    let course = voice(&mut judge(), 480, 0.8, &mut |j, t| {
        if t == 360 {
            j.read("Mm-hm.", ms(280), "");
        }
    });
    assert_eq!(real_at(&course), None);
    let passed = course.iter().find(|(_, v)| *v == Verdict::Passing(Harmless::Backchannel)).expect("passes");
    assert_eq!(passed.0, 360, "play-out goes on at once");
}

#[test]
fn who_spoke_on_while_a_sign_of_listening_was_read_is_waited_for() {
    let course = voice(&mut judge(), 600, 0.8, &mut |j, t| {
        if t == 400 {
            j.read("Okay.", ms(280), "");
        }
    });
    assert!(course.iter().filter(|(t, _)| *t <= 600).all(|(_, v)| *v == Verdict::Open), "{course:?}");
    assert_eq!(course.last().expect("some").1, Verdict::Passing(Harmless::Backchannel), "it was all");
}

#[test]
fn a_cough_and_a_laugh_pass() {
    let mut cough = judge();
    let course = voice(&mut cough, 400, 0.05, &mut |j, t| {
        if t == 400 {
            j.read("Stop.", ms(280), "");
        }
    });
    assert_eq!(real_at(&course), None, "words read into a noise");
    assert_eq!(cough.end("Stop.", ""), Verdict::Passing(Harmless::Noise));
    let mut laugh = judge();
    let course = voice(&mut laugh, 1_080, 0.7, &mut |j, t| {
        if t % 280 == 0 {
            j.read("", ms(t), "");
        }
    });
    assert_eq!(real_at(&course), None);
    assert_eq!(laugh.end("Ha ha ha ha.", ""), Verdict::Passing(Harmless::Backchannel));
}

#[test]
fn a_voice_from_farther_away_never_stops_an_answer() {
    let mut far = judge();
    for t in (40..4_000).step_by(40) {
        assert!(!matches!(far.hear(None, MediaTime::from_millis(1_000 + t)), Verdict::Real(_)));
    }
    assert_eq!(far.end("and now the weather for tomorrow", ""), Verdict::Passing(Harmless::Far));
}

#[test]
fn our_own_words_from_the_loudspeaker_are_no_interruption() {
    let ours = "I can see a red cup on the table.";
    let mut own = judge();
    let course = voice(&mut own, 1_600, 0.8, &mut |j, t| {
        if t % 280 == 0 {
            j.read("a red cup on the", ms(t), ours);
        }
    });
    assert_eq!(real_at(&course), None);
    assert_eq!(own.end("red cup on the table", ours), Verdict::Passing(Harmless::OurOwn));
    assert_eq!(judge_heard().end("what cup do you mean", ours), Verdict::Real(Proof::Words));
}

fn judge_heard() -> Judge {
    let mut j = judge();
    voice(&mut j, 300, 0.8, &mut |_, _| {});
    j
}

#[test]
fn one_word_of_their_own_at_the_end_is_an_interruption() {
    assert_eq!(judge_heard().end("Louder.", ""), Verdict::Real(Proof::Words));
    assert_eq!(judge_heard().end("Okay.", ""), Verdict::Passing(Harmless::Backchannel));
    assert_eq!(judge_heard().end("", ""), Verdict::Passing(Harmless::Noise));
}

#[test]
fn more_words_than_anybody_can_say_in_that_time_are_made_up() {
    let course = voice(&mut judge(), 160, 0.8, &mut |j, t| {
        if t == 400 {
            j.read("It is a very important thing.", ms(160), "");
        }
    });
    assert_eq!(real_at(&course), None);
}

#[test]
fn of_a_sign_of_listening_that_is_misread_the_voice_has_to_go_on_for_longer() {
    for (read, at) in [("Plot it.", 960), ("Not to make", 640)] {
        let course = voice(&mut judge(), 2_000, 0.8, &mut |j, t| {
            if t == 480 {
                j.read(read, ms(480), "");
            }
        });
        assert_eq!(real_at(&course), Some(at), "{read}");
    }
}

#[test]
fn after_a_sign_of_listening_more_voice_is_doubted_again() {
    let mut doubted = Vec::new();
    voice(&mut judge(), 2_000, 0.8, &mut |j, t| {
        if t == 320 {
            j.read("Okay.", ms(280), "");
        }
        doubted.extend(j.is_doubtful().then_some(t));
    });
    assert!(doubted.contains(&280) && !doubted.contains(&360) && doubted.contains(&480), "{doubted:?}");
}

#[test]
fn a_voice_is_doubted_at_once_and_a_cough_not_for_long() {
    let doubted = |long: u64, share: f32| {
        let mut times = Vec::new();
        voice(&mut judge(), long, share, &mut |j, t| times.extend(j.is_doubtful().then_some(t)));
        times
    };
    let speech = doubted(600, 0.8);
    assert!(speech[0] <= 80 && speech.last().is_some_and(|t| *t >= 600), "{speech:?}");
    let cough = doubted(400, 0.05);
    assert!(cough.last().is_some_and(|t| *t <= 200), "{cough:?}");
    assert!(doubted(2_000, 0.8).iter().all(|t| *t < 800), "decided or let pass");
}

#[derive(Debug, Clone)]
enum Happens {
    Voice(u64),
    Silence(u64),
    Read(usize),
}

const SIGNS: &[&str] =
    &["mm-hm", "yeah", "okay", "right, right", "uh-huh", "oh wow", "ha ha", "I see", "yeah, of course"];

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        3 => (1_u64..8).prop_map(Happens::Voice),
        2 => (1_u64..12).prop_map(Happens::Silence),
        2 => (0..SIGNS.len()).prop_map(Happens::Read),
    ]
}

fn play(course: &[Happens], judge: &mut Judge) -> Vec<Verdict> {
    let onset = MediaTime::from_millis(1_000);
    let (mut near, mut silent, mut at) = (0, 0, 1_000);
    let mut verdicts = Vec::new();
    for step in course {
        let (steps, voiced) = match step {
            Happens::Voice(n) => (*n, true),
            Happens::Silence(n) => (*n, false),
            Happens::Read(i) => {
                verdicts.push(judge.read(SIGNS[*i], ms(near), ""));
                continue;
            }
        };
        for _ in 0..steps {
            at += 40;
            (near, silent) = if voiced { (near + 40, 0) } else { (near, silent + 40) };
            let at = MediaTime::from_millis(at);
            let e = Evidence { onset, at, near: ms(near), pitched: ms(near * 8 / 10), silent: ms(silent) };
            verdicts.push(judge.hear(Some(e), at));
        }
    }
    verdicts
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// Signs of listening, read as they come, never stop an answer, however many follow each other.
    #[test]
    fn a_sign_of_listening_never_cancels(said in proptest::collection::vec((1_u64..12, 3_u64..20, 0..SIGNS.len()), 1..12)) {
        let mut course = Vec::new();
        for (voiced, silent, sign) in said {
            course.extend([Happens::Voice(voiced), Happens::Read(sign), Happens::Silence(silent)]);
        }
        let mut j = judge();
        prop_assert!(play(&course, &mut j).iter().all(|v| !matches!(v, Verdict::Real(_))), "{course:?}");
        let ended = matches!(j.end("yeah, okay", ""), Verdict::Passing(_));
        prop_assert!(ended);
    }

    /// Voice that goes on with words of its own stops it, whenever the reading comes: with the reading, or without it at the bound.
    #[test]
    fn content_always_cancels_within_the_bound(read_at in 3_u64..40, share in 0.4_f32..1.0) {
        let read_at = read_at * 40;
        let course = voice(&mut judge(), 3_000, share, &mut |j, t| {
            if t >= read_at && (t - read_at).is_multiple_of(240) {
                j.read("the blue one", ms(t), "I can see a red cup");
            }
        });
        // The second reading that is long enough for its words decides, or the voice alone.
        let bound = if (read_at as f32) * share >= 64.0 { (read_at + 480).min(640) } else { 640 };
        prop_assert!(real_at(&course).is_some_and(|t| t <= bound), "{:?} {bound}", real_at(&course));
    }

    /// The same evidence gives the same verdicts, and nothing takes an interruption back.
    #[test]
    fn verdicts_are_deterministic_and_final(course in proptest::collection::vec(happens(), 1..40)) {
        let verdicts = play(&course, &mut judge());
        prop_assert_eq!(&verdicts, &play(&course, &mut judge()));
        let first = verdicts.iter().position(|v| matches!(v, Verdict::Real(_)));
        if let Some(i) = first {
            prop_assert!(verdicts[i..].iter().all(|v| *v == verdicts[i]));
        }
    }
}
