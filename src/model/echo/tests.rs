//! Our own voice from the loudspeaker: what is left of it, and whether the person is still heard.

use std::sync::Arc;

use super::Aec3;
use crate::base::{MediaTime, Pcm};
use crate::listen::{Cleaner, EchoCancel, InterruptConfig, Judge, ListenConfig, ListenEvent, Listener, Verdict};
use crate::model::testing::{espeak, roughly_16_khz};
use crate::model::vad::EarshotVad;

/// 16 kHz mono speech from espeak-ng at half its level, or `None` with a line if it is not installed.
fn spoken(voice: &str, text: &str) -> Option<Vec<f32>> {
    Some(roughly_16_khz(&espeak(&["-v", voice], text)?).into_iter().map(|v| v * 0.5).collect())
}

fn random(seed: &mut u32) -> f32 {
    *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    (*seed >> 8) as f32 / (1 << 23) as f32 - 1.0
}

fn loudness(sound: &[f32]) -> f32 {
    let voiced: Vec<f32> = sound.iter().copied().filter(|v| v.abs() > 0.005).collect();
    (voiced.iter().map(|v| v * v).sum::<f32>() / voiced.len().max(1) as f32).sqrt()
}

/// What comes back from a small room: the sound itself and 120 ms of decaying reflections.
fn room(sound: &[f32], delay_ms: usize) -> Vec<f32> {
    let mut seed = 9;
    let response: Vec<f32> =
        (0..1_920).map(|i| if i == 0 { 1.0 } else { random(&mut seed) * 0.25 * (-(i as f32) / 480.0).exp() }).collect();
    let mut out = vec![0.0; sound.len()];
    for (i, v) in sound.iter().enumerate().filter(|(_, v)| **v != 0.0) {
        for (place, r) in out.iter_mut().skip(i + delay_ms * 16).zip(&response) {
            *place += v * r;
        }
    }
    out
}

/// What came of a microphone.
#[derive(Default)]
struct Course {
    /// When speech was heard, milliseconds.
    heard: Vec<i64>,
    /// When it was an interruption by its sound alone.
    interrupted: Option<i64>,
    clean: Vec<f32>,
}

fn run(played: &[f32], microphone: &[f32], cancel: bool) -> Course {
    let mut cleaner = Cleaner::new(|| Box::new(Aec3::new()));
    let mut listener = Listener::new(Box::new(EarshotVad::new()), ListenConfig::default()).expect("defaults");
    let mut judge = Judge::new(InterruptConfig::default(), MediaTime::ZERO);
    let mut course = Course::default();
    for (i, (played, heard)) in played.chunks(640).zip(microphone.chunks(640)).enumerate() {
        let start = MediaTime::from_millis(40 * i as u64);
        if cancel {
            cleaner.played(&Pcm { samples: played.into(), start });
        }
        let pcm = cleaner.clean(Pcm { samples: Arc::from(heard), start });
        course.clean.extend_from_slice(&pcm.samples);
        course.heard.extend(listener.push(&pcm).events.into_iter().filter_map(|e| match e {
            ListenEvent::SpeechStarted { at } => Some(at.as_millis() as i64),
            ListenEvent::SpeechStopped { .. } => None,
        }));
        if let Verdict::Real(_) = judge.hear(listener.evidence(), listener.heard_until()) {
            course.interrupted.get_or_insert(40 * (i as i64 + 1));
        }
    }
    course
}

#[test]
fn our_own_voice_is_not_heard_as_speech_and_the_persons_is() {
    let ours = "I can see a red cup on the table, and behind it an open window. There is a chair on the left. \
        The sign says push to open, and the light above the door is green.";
    let (Some(played), Some(said)) = (spoken("en-gb", ours), spoken("en-us+m3", "What colour is the chair?")) else {
        return;
    };
    let level = loudness(&said) / loudness(&played);
    let begins = played.len() / 2;
    let mut without = 0;
    println!("level  delay  enhancement  interrupted without, with  both at once: heard, interrupted after");
    for level_db in [-30, -20, -10, 0] {
        for delay_ms in [20, 100, 250] {
            let gain = level * 10_f32.powf(level_db as f32 / 20.0);
            let mut seed = 3;
            let back = room(&played, delay_ms);
            let alone: Vec<f32> = back.iter().map(|v| (v * gain + random(&mut seed) * 3e-4).clamp(-1.0, 1.0)).collect();
            let (plain, cleaned) = (run(&played, &alone, false), run(&played, &alone, true));
            without += usize::from(plain.interrupted.is_some());
            let power = |s: &[f32]| s.iter().map(|v| v * v).sum::<f32>();
            // From the second second on: before, the canceller learns.
            let rest = &cleaned.clean[16_000..];
            let enhancement = 10.0 * (power(&alone[16_000..16_000 + rest.len()]) / power(rest)).log10();
            let mut both = alone.clone();
            both[begins..].iter_mut().zip(&said).for_each(|(m, s)| *m = (*m + s).clamp(-1.0, 1.0));
            let both = run(&played, &both, true);
            let since = |t: i64| t - begins as i64 / 16;
            let after = both.heard.iter().map(|t| since(*t)).find(|t| *t >= -100);
            println!(
                "{level_db:>4} dB {delay_ms:>4} ms {enhancement:>8.1} dB {:?} {:?}   {after:?} {:?}",
                plain.interrupted,
                cleaned.interrupted,
                both.interrupted.map(since)
            );
            let what = format!("{level_db} dB, {delay_ms} ms");
            assert_eq!(cleaned.interrupted, None, "{what}: our own voice interrupted us");
            assert!(enhancement > 15.0, "{what}: {enhancement} dB");
            assert!(after.is_some_and(|t| t <= 400), "{what}: the person was heard after {after:?}");
        }
    }
    assert!(without >= 10, "without a canceller our own voice interrupts us: {without} of 12");
}

#[test]
fn silence_stays_silence_and_blocks_of_a_wrong_size_are_left_alone() {
    let mut aec = Aec3::new();
    let mut heard = [0.0; BLOCK];
    aec.cancel(&[0.0; BLOCK], &mut heard);
    assert!(heard.iter().all(|v| v.abs() < 1e-3));
    let mut odd = [0.5; 7];
    aec.cancel(&[0.1; BLOCK], &mut odd);
    assert!(odd.iter().all(|v| (v - 0.5).abs() < 1e-6));
}

const BLOCK: usize = super::BLOCK_SAMPLES;
