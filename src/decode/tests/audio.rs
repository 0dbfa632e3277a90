//! Live sound.

use std::time::Duration;

use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::clips::{Audio, share, tone, unit};
use crate::base::{AccessUnit, Codec, MediaTime, Pcm};

/// The sound begins at 5 s.
const BEGIN_MS: u64 = 5_000;

fn samples(all: &[Pcm]) -> Vec<f32> {
    all.iter().flat_map(|p| p.samples.iter().copied()).collect()
}

#[test]
fn a_tone_comes_out_as_40_ms_buffers_with_running_times() {
    for channels in [1, 2] {
        let mut audio = Audio::start();
        tone(440, 50, channels).into_iter().for_each(|u| audio.push(u));
        let all = audio.rest();
        assert!((24..=26).contains(&all.len()), "{} buffers of 40 ms for 1 s", all.len());
        for (i, p) in all.iter().enumerate() {
            assert_eq!(p.samples.len(), Pcm::BUFFER_SAMPLES);
            assert_eq!(p.start, MediaTime::from_millis(BEGIN_MS + 40 * i as u64));
        }
        let sound = samples(&all);
        assert!(
            share(&sound[3_200..12_800], 440.0) > 0.99,
            "{channels} channels: {}",
            share(&sound[3_200..12_800], 440.0)
        );
        let peak = sound[3_200..12_800].iter().fold(0.0_f32, |a, s| a.max(s.abs()));
        assert!((0.4..0.6).contains(&peak), "{peak}");
    }
}

#[test]
fn a_buffer_comes_out_with_the_packet_that_fills_it() {
    let mut audio = Audio::start();
    for (i, u) in tone(440, 40, 1).into_iter().enumerate() {
        audio.push(u);
        // Nothing waits for a packet that is still to come.
        if i % 2 == 1 {
            let pcm = audio.sound.recv_timeout(Duration::from_secs(10)).unwrap();
            assert_eq!(pcm.start, MediaTime::from_millis(BEGIN_MS + 20 * (i as u64 - 1)));
        }
    }
}

#[test]
fn while_nobody_speaks_two_buffers_come_at_once_and_sound_the_same() {
    let (mut patient, mut eager) = (Audio::start(), Audio::start());
    patient.decoder.be_patient(true);
    for (i, u) in tone(440, 42, 1).into_iter().enumerate() {
        eager.push(u.clone());
        patient.push(u);
        match i {
            0..3 => assert_eq!(patient.decoder.stats().out, 0),
            3 => assert_eq!(patient.sound.recv_timeout(Duration::from_secs(10)).unwrap().start.as_millis(), BEGIN_MS),
            // Somebody speaks: from here on nothing waits.
            38 => patient.decoder.be_patient(false),
            _ => {}
        }
    }
    let (patient, eager) = (patient.rest(), eager.rest());
    assert_eq!((patient.len() + 1, eager.len()), (21, 21));
    assert!(patient.iter().zip(&eager[1..]).all(|(a, b)| a.start == b.start));
    assert_eq!(samples(&patient), samples(&eager[1..]));
}

#[test]
fn lost_packets_are_concealed_and_the_sound_after_them_is_in_its_place() {
    let mut audio = Audio::start();
    let units = tone(440, 60, 1);
    for (i, u) in units.iter().enumerate().filter(|(i, _)| !(20..23).contains(i)) {
        audio.push(AccessUnit { contiguous: i != 23, ..u.clone() });
    }
    let all = audio.rest();
    assert!((29..=31).contains(&all.len()), "{} buffers for 1.2 s", all.len());
    assert!(all.iter().enumerate().all(|(i, p)| p.start == MediaTime::from_millis(BEGIN_MS + 40 * i as u64)));
    let hole = &samples(&all)[16 * 405..16 * 425];
    let loud = hole.iter().fold(0.0_f32, |a, s| a.max(s.abs()));
    assert!(loud > 0.05, "the decoder was to invent sound, not silence: {loud}");
}

#[test]
fn a_long_pause_is_a_jump_in_time_not_a_flood_of_silence() {
    let mut audio = Audio::start();
    for (i, u) in tone(440, 40, 1).into_iter().enumerate() {
        let pause = if i < 20 { Duration::ZERO } else { Duration::from_secs(30) };
        audio.push(AccessUnit { capture: u.capture + pause, ..u });
    }
    let all = audio.rest();
    assert!((19..=22).contains(&all.len()), "{} buffers", all.len());
    let jump = all.windows(2).map(|w| w[1].start.since(w[0].start)).max().unwrap();
    assert!((29_900..=30_100).contains(&jump.as_millis()), "{jump:?}");
}

#[test]
fn jitter_in_capture_times_leaves_neither_gaps_nor_repeats() {
    let mut audio = Audio::start();
    let mut rng = StdRng::seed_from_u64(3);
    for u in tone(440, 100, 1) {
        let jitter = Duration::from_micros(rng.random_range(0..15_000));
        audio.push(AccessUnit { capture: u.capture + jitter, ..u });
    }
    let all = audio.rest();
    assert!((49..=51).contains(&all.len()), "{} buffers for 2 s", all.len());
    for w in all.windows(2) {
        let step = w[1].start.since(w[0].start).as_micros();
        assert!((37_000..=43_000).contains(&step), "{step}");
    }
    assert!(share(&samples(&all)[3_200..28_800], 440.0) > 0.99);
}

#[test]
fn random_packets_never_end_a_session() {
    let mut audio = Audio::start();
    let mut rng = StdRng::seed_from_u64(5);
    let good = tone(440, 50, 1);
    for i in 0..300_u64 {
        let data: Vec<u8> = (0..rng.random_range(0..600)).map(|_| rng.random()).collect();
        audio.push(unit(Codec::Opus, Bytes::from(data), 5_000_000 + 20_000 * i, true));
    }
    audio.rest();
    assert!(audio.decoder.stats().corrupt > 0);
    for u in good {
        audio.push(AccessUnit { capture: u.capture + Duration::from_secs(60), ..u });
    }
    let all: Vec<Pcm> = audio.rest().into_iter().filter(|p| p.start.as_millis() >= 65_000).collect();
    assert!(all.len() >= 24, "{} buffers; {:?}", all.len(), audio.decoder.stats());
    assert!(share(&samples(&all)[6_400..14_400], 440.0) > 0.95);
}

#[test]
fn too_much_sound_at_once_is_counted_and_bounded() {
    let units = tone(440, 10, 1);
    let mut audio = Audio::start();
    // A graph that is down takes nothing: then the backlog is all there is.
    for i in 0..20_000_u64 {
        let u = &units[i as usize % units.len()];
        audio.decoder.push(AccessUnit { capture: MediaTime::from_millis(5_000 + 20 * i), ..u.clone() });
    }
    let stats = audio.decoder.stats();
    let came_out = audio.rest().len() as u64;
    assert!(stats.audio_overflow > 0, "20000 packets in no time must overflow 250 places: {stats:?}");
    assert!(came_out > 0 && stats.corrupt == 0);
}
