//! Discontinuous transmission: what is not sent while there is silence.

use std::time::Duration;

use super::clips::{Audio, run, share, unit};
use crate::base::{AccessUnit, Codec, MediaTime, Pcm};

const PACKET: Duration = Duration::from_millis(20);
const BEGIN: MediaTime = MediaTime::from_millis(5_000);

/// A second of a tone, so many packets of silence, and another second.
fn sent(silent: u32) -> Vec<AccessUnit> {
    around("wave=silence", silent)
}

/// The same around something else.
fn around(what: &str, packets: u32) -> Vec<AccessUnit> {
    let part = |what: &str, packets: u32| {
        let caps = "audio/x-raw,rate=48000,channels=1";
        format!("audiotestsrc num-buffers={packets} samplesperbuffer=960 {what} ! {caps} ! all. ")
    };
    let (tone, between) = (part("freq=440 volume=0.5", 50), part(what, packets));
    as_sent(&format!("{tone}{between}{tone}"), true)
}

/// Packets of what these graphs play into `all.` one after the other, as a browser sends them; with `dtx`, as one that was asked for discontinuous
/// transmission: of packets of one or two bytes only the first of a row. Captured from 5 s on, and there at that time.
pub(crate) fn as_sent(parts: &str, dtx: bool) -> Vec<AccessUnit> {
    let graph =
        format!("concat name=all ! opusenc bitrate=32000 dtx={dtx} audio-type=voice ! appsink name=sink {parts}");
    let (mut all, mut quiet) = (Vec::new(), false);
    for (i, (data, ..)) in run(&graph).into_iter().enumerate() {
        let tiny = dtx && data.len() <= 2;
        if !(tiny && quiet) {
            all.push(unit(Codec::Opus, data, BEGIN.as_micros() + 20_000 * i as u64, true));
        }
        quiet = tiny;
    }
    all
}

/// Plays it in real time: what came out, and how far behind that time the sound that did was at worst. The decoder is asked to fill in only if somebody waits.
fn play(units: &[AccessUnit], waits: bool) -> (Vec<Pcm>, Duration) {
    let (mut audio, mut all, mut worst) = (Audio::start(), Vec::<Pcm>::new(), Duration::ZERO);
    let mut units = units.iter().peekable();
    let mut now = BEGIN;
    while units.peek().is_some() {
        now = now + PACKET;
        let unit = units.next_if(|u| u.arrival <= now);
        let fills = waits && audio.decoder.fill_due().is_some_and(|due| due <= now);
        if let Some(unit) = unit {
            audio.decoder.push(unit.clone());
        }
        if fills {
            audio.decoder.fill(now);
        }
        if unit.is_some() || fills {
            all.extend(std::iter::from_fn(|| audio.sound.recv_timeout(Duration::from_millis(25)).ok()));
        }
        let heard = all.last().map_or(BEGIN, |p| p.start + 2 * PACKET);
        worst = worst.max(now.since(heard));
    }
    all.extend(audio.rest());
    (all, worst)
}

fn loudest(sound: &[f32]) -> f32 {
    sound.iter().fold(0.0, |most, s| s.abs().max(most))
}

#[test]
fn what_is_left_out_is_filled_in_whether_anybody_waits_for_it_or_not() {
    let units = sent(101);
    assert!(units.len() < 125, "{} packets for four seconds", units.len());
    for (waits, slowest) in [(true, 160), (false, 500)] {
        let (all, worst) = play(&units, waits);
        assert!(worst <= Duration::from_millis(slowest), "{waits}: {worst:?} behind");
        assert!(waits || worst >= Duration::from_millis(300), "nothing was left out: {worst:?}");
        for w in all.windows(2) {
            let step = w[1].start.since(w[0].start).as_micros();
            assert!((36_000..=44_000).contains(&step), "{waits}: {step} µs from {}", w[0].start);
        }
        let sound: Vec<f32> = all.iter().flat_map(|p| p.samples.iter().copied()).collect();
        // All four seconds, and what the sound after the silence is late by.
        assert!((16 * 3_960..=16 * 4_100).contains(&sound.len()), "{waits}: {} samples", sound.len());
        assert!(share(&sound[3_200..14_400], 440.0) > 0.99);
        assert_eq!(loudest(&sound[16 * 1_300..16 * 2_900]), 0.0, "{waits}: of nothing nothing is made");
        assert!(share(&sound[16 * 3_200..16 * 3_900], 440.0) > 0.99);
    }
}

#[test]
fn what_is_left_out_of_a_quiet_room_is_not_made_nothing() {
    let units = around("wave=white-noise volume=0.003", 101);
    assert!(units.len() < 180, "{} packets for four seconds", units.len());
    let (all, _) = play(&units, false);
    let sound: Vec<f32> = all.iter().flat_map(|p| p.samples.iter().copied()).collect();
    for room in sound[16 * 1_300..16 * 2_900].chunks_exact(1_600) {
        assert!(loudest(room) > 2.0 * Pcm::NOTHING, "{}", loudest(room));
    }
}

#[test]
fn a_path_that_goes_down_in_silence_is_not_taken_for_silence_for_long() {
    let units = sent(25);
    let quiet = units.iter().position(|u| u.data.len() <= 2).unwrap();
    let mut audio = Audio::start();
    units[..=quiet].iter().for_each(|u| audio.push(u.clone()));
    audio.rest();
    for after_ms in 1..10_000 {
        let now = units[quiet].arrival + Duration::from_millis(after_ms);
        if audio.decoder.fill_due().is_some_and(|due| due <= now) {
            audio.decoder.fill(now);
        }
    }
    assert_eq!((audio.rest().len(), audio.decoder.fill_due()), (29, None), "1.2 s of silence");
    // All at once is as well.
    let late = AccessUnit {
        capture: BEGIN + Duration::from_secs(20),
        arrival: BEGIN + Duration::from_secs(20),
        ..units[quiet].clone()
    };
    audio.push(late);
    audio.decoder.fill(MediaTime::from_micros(u64::MAX / 4));
    assert_eq!(audio.decoder.fill_due(), None);
    assert!((29..=31).contains(&audio.rest().len()));
}
