//! A question whose silence is not sent is heard as if it were.

use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use crate::base::{AccessUnit, Codec, ManualClock, MediaTime, Pcm};
use crate::decode::tests::silence::as_sent;
use crate::decode::{AudioDecoder, DecodeConfig};
use crate::listen::{ListenConfig, ListenEvent, Listener, Utterance};
use crate::model::vad::EarshotVad;

/// A second of a quiet room, a question, and two seconds of the room, twice; `None` with a line where nothing can speak.
fn asked_twice(wav: &std::path::Path) -> Option<String> {
    let spoken = Command::new("espeak-ng").arg("-w").arg(wav).arg("What is on the table?").status();
    if !spoken.is_ok_and(|s| s.success()) {
        println!("skipped: espeak-ng is not on PATH");
        return None;
    }
    let caps = "audio/x-raw,rate=48000,channels=1";
    let room = |seconds: u32| {
        let source = "audiotestsrc wave=pink-noise volume=0.002 samplesperbuffer=960";
        format!("{source} num-buffers={} ! {caps} ! all. ", seconds * 50)
    };
    let question =
        format!("filesrc location={} ! wavparse ! audioconvert ! audioresample ! {caps} ! all. ", wav.display());
    Some(format!("{}{question}{}{question}{}", room(1), room(2), room(2)))
}

/// What is heard of packets that come when they were captured, and when the end of each was decided, by the time of the sound.
fn heard(units: &[AccessUnit]) -> Vec<(Utterance, MediaTime)> {
    let (tx, sound) = sync_channel::<Pcm>(4_096);
    let clock = Arc::new(ManualClock::default());
    let sink = move |pcm| drop(tx.try_send(pcm));
    let mut decoder = AudioDecoder::start(Codec::Opus, &DecodeConfig::default(), clock, sink).unwrap();
    for unit in units {
        while let Some(due) = decoder.fill_due().filter(|due| *due <= unit.arrival) {
            decoder.fill(due);
        }
        decoder.push(unit.clone());
    }
    let mut listener = Listener::new(Box::new(EarshotVad::new()), ListenConfig::default()).unwrap();
    let mut all = Vec::new();
    while let Ok(pcm) = sound.recv_timeout(Duration::from_millis(700)) {
        all.extend(listener.push(&pcm).events.into_iter().filter_map(|e| match e {
            ListenEvent::SpeechStopped { utterance, decided } => Some((utterance, decided)),
            ListenEvent::SpeechStarted { .. } => None,
        }));
    }
    all
}

#[test]
fn a_question_whose_silence_is_not_sent_begins_and_ends_as_if_it_were() {
    let dir = tempfile::tempdir().unwrap();
    let Some(parts) = asked_twice(&dir.path().join("question.wav")) else { return };
    let (all, few) = (as_sent(&parts, false), as_sent(&parts, true));
    assert!(few.len() * 3 < all.len() * 2, "{} of {} packets are sent", few.len(), all.len());
    let (all, few) = (heard(&all), heard(&few));
    assert_eq!((all.len(), few.len()), (2, 2));
    for ((sent, decided), (left_out, decided_too)) in all.iter().zip(&few) {
        println!("{}–{} {decided}, {}–{} {decided_too}", sent.start, sent.end, left_out.start, left_out.end);
        let apart = |a: MediaTime, b: MediaTime| a.since(b).max(b.since(a)).as_millis();
        assert!(apart(sent.start, left_out.start) <= 64, "begins {} instead of {}", left_out.start, sent.start);
        assert!(apart(sent.end, left_out.end) <= 64, "ends {} instead of {}", left_out.end, sent.end);
        assert!(apart(*decided, *decided_too) <= 64, "decided {decided_too} instead of {decided}");
        let missing = sent.samples.len().abs_diff(left_out.samples.len());
        assert!(missing <= 1_600, "{} samples instead of {}", left_out.samples.len(), sent.samples.len());
    }
}
