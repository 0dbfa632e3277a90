//! Plays a dialogue, in virtual time, to the listener and the conversation as a session wires them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sightline::base::{MediaTime, Pcm};
use sightline::dialogue::{Conversation, Input, Output, ReadOrder, ReadSoFar, Setup, Sound, VideoState};
use sightline::listen::{ListenConfig, ListenEvent, Listener, Transcribe};
use sightline::model::vad::EarshotVad;
use sightline::session::listen_settings;
use sightline::wire::{ServerBody, parse_session};

use super::scenes::Dialogue;

/// How a dialogue went.
#[derive(Default)]
pub(crate) struct Outcome {
    /// When turns were taken to be over, in milliseconds.
    pub stopped: Vec<u64>,
    /// When their words were known.
    pub known: Vec<u64>,
    /// When the first of them were told.
    pub first_words: Option<u64>,
    /// Utterances that were not recognised again.
    pub reused: usize,
    /// What was told of each turn, for `--verbose`.
    pub lines: Vec<String>,
    /// What each reading took, in milliseconds.
    pub asr_took: Vec<u64>,
}

/// The device and what it has yet to give back.
struct Stage<'a> {
    c: Conversation,
    asr: &'a mut dyn Transcribe,
    asr_ms: Option<u64>,
    /// When the device is free.
    free: u64,
    later: BTreeMap<(u64, usize), Input>,
    /// The reading of unfinished speech that is under way.
    so_far: Option<(u64, usize)>,
    counter: usize,
    out: Outcome,
    /// What the conversation asks of its listener.
    needs: Vec<(MediaTime, Duration)>,
}

impl Stage<'_> {
    fn put(&mut self, input: Input, now: u64) {
        let mut outputs = std::collections::VecDeque::from(self.c.handle(input, MediaTime::from_millis(now)));
        while let Some(output) = outputs.pop_front() {
            match output {
                Output::Transcribe { item_id, sound: Sound::Pcm(sound) } => {
                    self.give_up(now);
                    let (done, result) = self.read(&sound, now);
                    self.after(done, Input::Transcribed { item_id, result });
                }
                Output::Read(ReadOrder::SoFar { item_id, sound }) => {
                    self.give_up(now);
                    let (done, result) = self.read(&sound, now);
                    self.out.lines.push(format!("{now} ms: {} ms read by {done}: {result:?}", sound.len() / 16));
                    self.so_far = Some(self.after(done, Input::ReadSoFar(ReadSoFar { item_id, sound, result })));
                }
                Output::Read(ReadOrder::Hurry) => self.so_far = None,
                Output::Read(ReadOrder::Drop) => self.give_up(now),
                Output::Read(ReadOrder::NeedSilence { voiced_until, needed }) => {
                    self.out.lines.push(format!("{now} ms: {} ms of silence end it", needed.as_millis()));
                    self.needs.push((voiced_until, needed));
                }
                Output::Read(ReadOrder::Reused { .. }) => self.out.reused += 1,
                Output::Generate { response_id, .. } => {
                    // Nothing is answered: the next turn is one of the same person.
                    outputs.extend(self.c.handle(
                        Input::Engine {
                            response_id,
                            event: sightline::dialogue::EngineEvent::Failed { message: "no answer".into() },
                        },
                        MediaTime::from_millis(now),
                    ));
                }
                Output::Send(event) => self.told(event.body, now),
                _ => {}
            }
        }
    }

    fn told(&mut self, body: ServerBody, now: u64) {
        match body {
            ServerBody::SpeechStopped { .. } => self.out.stopped.push(now),
            ServerBody::TranscriptionDelta { .. } => {
                self.out.first_words.get_or_insert(now);
            }
            ServerBody::TranscriptionCompleted { transcript, .. } => {
                self.out.known.push(now);
                self.out.lines.push(format!("{now} ms: a turn: {transcript:?}"));
            }
            _ => {}
        }
    }

    /// A reading that begins when the device is free; when it is done, and its words.
    fn read(&mut self, sound: &Arc<[f32]>, now: u64) -> (u64, Result<String, String>) {
        let worth = sightline::listen::loud_part(sound);
        let began = Instant::now();
        let result = self.asr.transcribe(&sound[worth]).map(|t| t.text).map_err(|e| e.to_string());
        let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.out.asr_took.push(took);
        self.free = self.free.max(now) + self.asr_ms.unwrap_or(took);
        (self.free, result)
    }

    fn after(&mut self, at: u64, input: Input) -> (u64, usize) {
        self.counter += 1;
        self.later.insert((at, self.counter), input);
        (at, self.counter)
    }

    /// A reading stops at its next token when nobody wants it any more.
    fn give_up(&mut self, now: u64) {
        if let Some(key) = self.so_far.take()
            && self.later.remove(&key).is_some()
        {
            self.free = self.free.min(now + 15);
        }
    }

    /// Everything that is due by `now`; what the listener says to it at once.
    fn due(&mut self, now: u64, listener: &mut Listener) {
        while let Some(entry) = self.later.first_entry().filter(|e| e.key().0 <= now) {
            let ((at, number), input) = entry.remove_entry();
            if self.so_far == Some((at, number)) {
                self.so_far = None;
            }
            self.put(input, at);
            for (voiced_until, needed) in std::mem::take(&mut self.needs) {
                if let Some(event) = listener.need_silence(voiced_until, needed) {
                    self.heard(event, at);
                }
            }
        }
        while let Some(at) = self.c.next_deadline().filter(|at| at.as_millis() <= now) {
            self.put(Input::Tick, at.as_millis().max(1));
            if self.c.next_deadline() == Some(at) {
                break;
            }
        }
    }

    fn heard(&mut self, event: ListenEvent, now: u64) {
        self.put(
            match event {
                ListenEvent::SpeechStarted { at } => Input::SpeechStarted { at },
                ListenEvent::SpeechStopped { utterance, decided } => Input::SpeechStopped { utterance, decided },
            },
            now,
        );
    }
}

/// `turn` is the client's `turn_detection`; `plain`: what it gets is a plain endpointer. `asr_ms` is what a reading takes; `None`: what it takes on this machine.
pub(crate) fn play(
    dialogue: &Dialogue,
    turn: &str,
    plain: bool,
    asr: &mut dyn Transcribe,
    asr_ms: Option<u64>,
) -> Outcome {
    let mut setup = Setup::new("sess_dialogue", [7; 32]);
    setup.video = VideoState::None;
    setup.audio_track = true;
    setup.patch = parse_session(&format!(r#"{{"audio":{{"input":{{"turn_detection":{turn}}}}}}}"#)).expect("valid");
    let (c, _) = Conversation::open(setup, MediaTime::ZERO);
    // A plain endpointer takes every voice for the person's.
    let farther_db = if plain { f32::INFINITY } else { ListenConfig::default().farther_db };
    let config = listen_settings(
        &ListenConfig { farther_db, ..ListenConfig::default() },
        c.session().audio.input.turn_detection.as_ref(),
    );
    let mut listener = Listener::new(Box::new(EarshotVad::new()), config).expect("in bounds");
    let (later, needs, out) = (BTreeMap::new(), Vec::new(), Outcome::default());
    let mut s = Stage { c, asr, asr_ms, free: 0, later, so_far: None, counter: 0, out, needs };
    for (i, heard) in dialogue.microphone.chunks(640).enumerate() {
        let (start, now) = (40 * i as u64, 40 * (i as u64 + 1));
        s.due(start, &mut listener);
        for event in listener.push(&Pcm { samples: heard.into(), start: MediaTime::from_millis(start) }).events {
            s.heard(event, now);
        }
        if let Some(so_far) = listener.so_far() {
            s.put(Input::SoFar(so_far), now);
        }
    }
    let end = dialogue.microphone.len() as u64 / 16;
    s.due(end + 60_000, &mut listener);
    s.out
}
