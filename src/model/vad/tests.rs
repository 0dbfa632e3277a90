use std::sync::Arc;
use std::time::Duration;

use super::EarshotVad;
use crate::base::{MediaTime, Pcm};
use crate::listen::{ListenConfig, ListenEvent, Listener, SpeechProbability};
use crate::model::testing::{espeak, roughly_16_khz};

/// 16 kHz mono speech from espeak-ng, or `None` with a line if it is not installed.
fn spoken(text: &str) -> Option<Vec<f32>> {
    Some(roughly_16_khz(&espeak(&["-v", "en-us"], text)?))
}

fn noise(count: usize, gain: f32) -> Vec<f32> {
    let mut seed = 1u32;
    let mut next = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next() * gain).collect()
}

fn share_voiced(sound: &[f32]) -> f32 {
    let mut vad = EarshotVad::new();
    let frames: Vec<f32> = sound.chunks_exact(vad.frame_samples()).map(|f| vad.probability(f)).collect();
    frames.iter().filter(|&&p| p >= 0.5).count() as f32 / frames.len() as f32
}

#[test]
fn what_follows_a_muted_microphone_is_judged_as_if_all_of_it_had_been_heard() {
    let (mut ours, mut all) = (EarshotVad::new(), EarshotVad::new());
    let mut judge = |frame: &[f32]| (ours.probability(frame), all.detector.predict_f32(frame).clamp(0.0, 1.0));
    for (seconds, step) in [(1, 0.0), (7, 0.0), (1, Pcm::NOTHING), (9, Pcm::NOTHING)] {
        let muted = noise(16_128 * seconds, 1.5).into_iter().map(|v| v.clamp(-1.0, 1.0).round() * step).collect();
        let sound = [noise(8_192, 0.1), muted, noise(8_192, 0.02)].concat();
        // Steps up and down are noise, of which a detector thinks a little more or less from frame to frame.
        let most = if step > 0.0 { 0.02 } else { 3e-3 };
        for (i, frame) in sound.chunks_exact(256).enumerate() {
            let (ours, all) = judge(frame);
            assert!((ours - all).abs() < most, "{seconds} s in steps of {step}, frame {i}: {ours} instead of {all}");
        }
    }
}

#[test]
fn silence_noise_and_a_hum_are_no_speech() {
    let hum: Vec<f32> = (0..32_000).map(|n| (n as f32 * 50.0 * std::f32::consts::TAU / 16_000.0).sin() * 0.2).collect();
    for (what, sound) in [("silence", vec![0.0; 32_000]), ("noise", noise(32_000, 0.1)), ("hum", hum)] {
        let share = share_voiced(&sound);
        assert!(share < 0.1, "{what}: {share} of the frames");
    }
}

#[test]
fn a_spoken_question_is_one_utterance() {
    let Some(question) = spoken("What is on the table?") else { return };
    let mut sound = noise(16_000, 0.002);
    sound.extend(&question);
    sound.extend(noise(16_000, 0.002));
    let mut listener = Listener::new(Box::new(EarshotVad::new()), ListenConfig::default()).expect("defaults");
    let mut stops = Vec::new();
    for (i, samples) in sound.chunks(Pcm::BUFFER_SAMPLES).enumerate() {
        let pcm = Pcm { samples: Arc::from(samples), start: MediaTime::from_millis(40 * i as u64) };
        stops.extend(listener.push(&pcm).events.into_iter().filter_map(|e| match e {
            ListenEvent::SpeechStopped { utterance, decided } => Some((utterance, decided)),
            ListenEvent::SpeechStarted { .. } => None,
        }));
    }
    let [(utterance, decided)] = &stops[..] else { panic!("{} utterances", stops.len()) };
    // The padding of 300 ms begins before the voice does at 1 s, and the end is decided 500 ms after it.
    assert!((650..=1_100).contains(&utterance.start.as_millis()), "{}", utterance.start);
    let delay = decided.since(utterance.end);
    assert!((500..=520).contains(&delay.as_millis()), "{delay:?}");
    let length = utterance.end.since(utterance.start);
    assert!(length > Duration::from_millis(1_000) && length < Duration::from_millis(2_500), "{length:?}");
}

#[test]
fn a_reset_detector_answers_like_a_new_one() {
    let (mut used, mut new) = (EarshotVad::new(), EarshotVad::new());
    for f in noise(16_000, 0.5).chunks_exact(256) {
        used.probability(f);
    }
    used.reset();
    for f in noise(8_000, 0.2).chunks_exact(256) {
        assert!((used.probability(f) - new.probability(f)).abs() < 1e-6);
    }
}
