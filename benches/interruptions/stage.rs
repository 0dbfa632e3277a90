//! Plays a scene: to the real listener and conversation in virtual time, and to a plain barge-in.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sightline::base::{MediaTime, Pcm};
use sightline::dialogue::{Conversation, EngineEvent, HoldOrder, Input, Output, Setup, Sound, VideoState};
use sightline::listen::{Cleaner, ListenConfig, ListenEvent, Listener, Transcribe, Verdict};
use sightline::model::echo::Aec3;
use sightline::model::vad::EarshotVad;
use sightline::wire::ServerBody;

use super::scenes::{ANSWER_MS, Scene};

/// How a scene went.
#[derive(Default)]
pub(crate) struct Outcome {
    /// When the answer was cancelled, in milliseconds.
    pub stopped_at: Option<u64>,
    /// Time from the sound that decided it to the cancel.
    pub since_evidence: Option<u64>,
    /// When it was held back, and until when.
    pub held: Vec<(u64, u64)>,
    /// When a word of it was last told.
    pub said_after: Option<u64>,
    pub judged: Vec<String>,
    pub read: Vec<String>,
    /// What the recogniser took on this machine, in milliseconds.
    pub asr_took: Vec<u64>,
}

struct Stage<'a> {
    c: Conversation,
    asr: &'a mut dyn Transcribe,
    asr_ms: u64,
    /// What comes later: readings, by when they are done. The third is the end of the sound that they rest on.
    later: BTreeMap<(u64, usize), (Input, u64)>,
    answer: Option<String>,
    outcome: Outcome,
    counter: usize,
}

impl Stage<'_> {
    fn put(&mut self, input: Input, now: u64, rests_on: u64) {
        let outputs = self.c.handle(input, MediaTime::from_millis(now));
        for output in outputs {
            match output {
                Output::Transcribe { item_id, sound: Sound::Pcm(sound) } => {
                    let result = self.words(&sound, now, "whole");
                    self.after(self.asr_ms, now, Input::Transcribed { item_id, result });
                }
                Output::Overhear { item_id, near, sound } => {
                    let result = self.words(&sound, now, "early");
                    self.after(self.asr_ms, now, Input::Overheard { item_id, near, result });
                }
                Output::Generate { response_id, .. } if self.answer.is_none() => self.answer = Some(response_id),
                Output::Judged { verdict, .. } => self.outcome.judged.push(match verdict {
                    Verdict::Real(p) => p.label().to_owned(),
                    Verdict::Passing(h) => h.label().to_owned(),
                    Verdict::Open => "open".to_owned(),
                }),
                Output::Hold(HoldOrder::Begin) => self.outcome.held.push((now, u64::MAX)),
                Output::Hold(_) => {
                    if let Some(last) = self.outcome.held.last_mut() {
                        last.1 = now;
                    }
                }
                Output::Send(event) => self.told(&event.body, now, rests_on),
                _ => {}
            }
        }
    }

    fn told(&mut self, body: &ServerBody, now: u64, rests_on: u64) {
        match body {
            ServerBody::ResponseDone { .. } if self.outcome.stopped_at.is_none() => {
                self.outcome.stopped_at = Some(now);
                self.outcome.since_evidence = Some(now - rests_on);
            }
            ServerBody::TextDelta { .. } => self.outcome.said_after = Some(now),
            _ => {}
        }
    }

    fn words(&mut self, sound: &[f32], now: u64, what: &str) -> Result<String, String> {
        let began = Instant::now();
        let result = self.asr.transcribe(sound).map(|t| t.text).map_err(|e| e.to_string());
        self.outcome.asr_took.push(u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX));
        self.outcome.read.push(format!("{now} ms: {what} reading of {} ms: {result:?}", sound.len() / 16));
        result
    }

    fn after(&mut self, ms: u64, now: u64, input: Input) {
        self.counter += 1;
        self.later.insert((now + ms, self.counter), (input, now));
    }

    /// Everything that is due by `now`.
    fn due(&mut self, now: u64) {
        while let Some(entry) = self.later.first_entry().filter(|e| e.key().0 <= now) {
            let ((at, _), (input, rests_on)) = entry.remove_entry();
            self.put(input, at, rests_on);
        }
        while let Some(at) = self.c.next_deadline().filter(|at| at.as_millis() <= now) {
            self.put(Input::Tick, at.as_millis().max(1), at.as_millis());
            if self.c.next_deadline() == Some(at) {
                break;
            }
        }
    }
}

/// Sightline.
pub(crate) fn play(scene: &Scene, asr: &mut dyn Transcribe, asr_ms: u64) -> Outcome {
    let mut setup = Setup::new("sess_scene", [7; 32]);
    setup.video = VideoState::None;
    setup.audio_track = true;
    setup.limits.answer_wait = Duration::from_secs(600);
    let (c, _) = Conversation::open(setup, MediaTime::ZERO);
    let mut s = Stage { c, asr, asr_ms, later: BTreeMap::new(), answer: None, outcome: Outcome::default(), counter: 0 };
    let mut listener = Listener::new(Box::new(EarshotVad::new()), ListenConfig::default()).expect("defaults");
    let mut cleaner = Cleaner::new(|| Box::new(Aec3::new()));
    let (mut attends, mut speaker) = (false, Speaker::default());
    for (i, heard) in scene.microphone.chunks(640).enumerate() {
        let (start, now) = (40 * i as u64, 40 * (i as u64 + 1));
        s.due(start);
        speak(&mut s, start);
        if s.c.attends() != attends {
            attends = !attends;
            listener.guard(attends);
        }
        let at = MediaTime::from_millis(start);
        // Our voice falls silent with the answer, and stands still while it is held back.
        let plays = s.outcome.stopped_at.is_none() && !s.c.holds_back();
        let samples = speaker.play(scene, plays, heard);
        if let Some(played) = samples.0 {
            cleaner.played(&Pcm { samples: played, start: at });
        }
        listener.cleaned(cleaner.is_at_work(at));
        let pcm = cleaner.clean(Pcm { samples: samples.1, start: at });
        for event in listener.push(&pcm).events {
            s.put(
                match event {
                    ListenEvent::SpeechStarted { at } => Input::SpeechStarted { at },
                    ListenEvent::SpeechStopped { utterance, decided } => Input::SpeechStopped { utterance, decided },
                },
                now,
                now,
            );
        }
        if attends && (listener.is_speaking() || listener.evidence().is_some()) {
            let (evidence, sound) = (listener.evidence(), listener.early());
            s.put(Input::Voice { evidence, at: listener.heard_until(), sound }, now, now);
        }
    }
    if let Some(last) = s.outcome.held.last_mut() {
        last.1 = last.1.min(scene.microphone.len() as u64 / 16);
    }
    s.outcome
}

/// Our loudspeaker: which part of our voice it played when.
#[derive(Default)]
struct Speaker {
    /// For each 40 ms that have passed: the part that was played.
    parts: Vec<Option<usize>>,
    next: usize,
}

impl Speaker {
    /// Plays 40 ms, if it `plays`; what it played, and what the microphone hears of it beside `heard`.
    fn play(&mut self, scene: &Scene, plays: bool, heard: &[f32]) -> (Option<Arc<[f32]>>, Arc<[f32]>) {
        if scene.played.is_empty() {
            return (None, heard.into());
        }
        let now = self.parts.len();
        self.parts.push(plays.then_some(self.next));
        self.next += usize::from(plays);
        let sample = |of: &[f32], at: usize| {
            let part = self.parts.get(at / 640).copied().flatten()?;
            of.get(part * 640 + at % 640).copied()
        };
        let from = now * 640;
        let played = (from..from + heard.len()).map(|at| sample(&scene.played, at).unwrap_or(0.0)).collect();
        let late = scene.delay_ms * 16;
        let back = |i: usize| (from + i).checked_sub(late).and_then(|at| sample(&scene.back, at)).unwrap_or(0.0);
        let mixed = heard.iter().enumerate().map(|(i, v)| (v + back(i)).clamp(-1.0, 1.0)).collect();
        (Some(played), mixed)
    }
}

/// One word of the answer every 80 ms, and no end.
fn speak(s: &mut Stage<'_>, now: u64) {
    let Some(response_id) = s.answer.clone() else { return };
    if now >= ANSWER_MS && s.outcome.stopped_at.is_none() && now.is_multiple_of(80) {
        let event = EngineEvent::Delta { text: " and a cup".into() };
        s.put(Input::Engine { response_id, event }, now, now);
    }
}

/// 200 ms of voiced sound stop the answer.
pub(crate) fn plain(scene: &Scene) -> Outcome {
    let config = ListenConfig { min_speech: Duration::from_millis(200), ..ListenConfig::default() };
    let mut listener = Listener::new(Box::new(EarshotVad::new()), config).expect("in bounds");
    let (mut outcome, mut speaker) = (Outcome::default(), Speaker::default());
    for (i, heard) in scene.microphone.chunks(640).enumerate() {
        let start = MediaTime::from_millis(40 * i as u64);
        let (_, samples) = speaker.play(scene, outcome.stopped_at.is_none(), heard);
        let events = listener.push(&Pcm { samples, start }).events;
        let started = events.iter().any(|e| matches!(e, ListenEvent::SpeechStarted { .. }));
        let now = 40 * (i as u64 + 1);
        if started && now >= ANSWER_MS && outcome.stopped_at.is_none() {
            outcome.stopped_at = Some(now);
            outcome.since_evidence = Some(0);
        }
    }
    outcome
}
