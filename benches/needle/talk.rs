//! A conversation in virtual time, and the hands that do what it says: what `session/` does with tasks, one step after the other.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use sightline::base::{Clock, MediaTime};
use sightline::dialogue::{
    Conversation, EmbedFor, EngineEvent, Finish, Input, MemorySetup, Output, Setup, Sound, VideoState,
};
use sightline::engine::{EngineSession, GenerateEvent, GenerateRequest};
use sightline::listen::Utterance;
use sightline::memory::{Config, Memory};
use sightline::model::llm::Sampling;
use sightline::wire::{ClientEvent, Extension, ServerBody, parse_session};
use tokio_util::sync::CancellationToken;

use crate::looks::Seen;

/// Longest that the device may take for one step.
const PATIENCE: Duration = Duration::from_secs(120);

/// What came of a question.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    pub text: String,
    pub route: String,
    /// Times that were cited, in milliseconds since the memory began.
    pub cited: Vec<(u64, u64)>,
}

pub struct Talk {
    conversation: Conversation,
    engine: EngineSession,
    clock: Arc<dyn Clock>,
    /// The words of the facts are taken for the answer; the language model does not run.
    facts_only: bool,
    /// Words of speech that were written down, with their virtual time.
    pub heard: Vec<(Duration, String)>,
    latest: Option<Seen>,
    /// What is there of the next prompt is taken into the cache, as it is in a session.
    pub warms: bool,
    /// The first words of the newest answer.
    pub first: Option<First>,
}

/// When the first words of an answer came from the model, and after how many tokens of prompt, of which so many were in the cache.
#[derive(Debug, Clone, Copy)]
#[allow(dead_code, reason = "told by `make bench-hour`")]
pub struct First {
    pub at: Instant,
    pub prompt: usize,
    pub cached: usize,
}

fn time(at: Duration) -> MediaTime {
    MediaTime::ZERO + at
}

impl Talk {
    pub fn begin(engine: EngineSession, clock: Arc<dyn Clock>, remembers: bool, facts_only: bool) -> Self {
        let mut setup = Setup::new("sess_needle", [7; 32]);
        // Speech is written down, not answered: the questions are asked in writing.
        let session = json!({"type": "realtime", "audio": {"input": {"turn_detection":
            {"type": "server_vad", "create_response": false, "interrupt_response": false}}}});
        setup.patch = parse_session(&session.to_string()).expect("a session");
        setup.extensions = vec![Extension::Memory];
        setup.video = VideoState::Live;
        let config = if remembers { Config::default() } else { Config::default().live_only() };
        setup.memory = MemorySetup { memory: Memory::new(config), enabled: remembers, ..MemorySetup::default() };
        let (conversation, _) = Conversation::open(setup, MediaTime::ZERO);
        Self { conversation, engine, clock, facts_only, heard: Vec::new(), latest: None, warms: false, first: None }
    }

    pub async fn see(&mut self, seen: &Seen, at: Duration) {
        self.latest = Some(seen.clone());
        let Seen { facts, image, jpeg } = seen.clone();
        let out = self.conversation.handle(Input::Look { facts, image, keyframe: jpeg }, time(at));
        self.act(out, at).await;
    }

    pub async fn hear(&mut self, samples: Arc<[f32]>, start: Duration) {
        let end = start + Duration::from_secs_f64(samples.len() as f64 / 16_000.0);
        let out = self.conversation.handle(Input::SpeechStarted { at: time(start) }, time(start));
        self.act(out, start).await;
        let utterance = Utterance { samples, start: time(start), end: time(end) };
        let decided = end + Duration::from_millis(300);
        let out = self.conversation.handle(Input::SpeechStopped { utterance, decided: time(decided) }, time(decided));
        self.act(out, decided).await;
    }

    pub async fn ask(&mut self, question: &str, at: Duration) -> Answer {
        let content = json!([{"type": "input_text", "text": question}]);
        let item = json!({"type": "message", "role": "user", "content": content});
        self.tell(&json!({"type": "response.create", "response": {"conversation": "none", "input": [item]}}), at).await
    }

    /// What a client says.
    pub async fn tell(&mut self, event: &serde_json::Value, at: Duration) -> Answer {
        let event = ClientEvent::parse(&event.to_string()).expect("an event");
        let out = self.conversation.handle(Input::Client(event), time(at));
        self.act(out, at).await
    }

    /// Does what is said, and what is said then, until nothing is left to do.
    async fn act(&mut self, outputs: Vec<Output>, at: Duration) -> Answer {
        let mut answer = Answer::default();
        let mut todo = VecDeque::from(outputs);
        while let Some(output) = todo.pop_front() {
            let deadline = self.clock.now() + PATIENCE;
            let input = match output {
                Output::Send(event) => {
                    note(&mut answer, event.body);
                    continue;
                }
                Output::Embed { what, text } => {
                    let urgent = matches!(what, EmbedFor::Question(_));
                    let result = self.engine.embed(text, deadline, urgent).await;
                    Input::Embedded { what, result: result.map(Arc::from).map_err(|e| e.to_string()) }
                }
                Output::Transcribe { item_id, sound: Sound::Pcm(samples) } => {
                    let result = self.engine.transcribe(samples, deadline).await;
                    let result = result.map(|done| done.transcript.text).map_err(|e| e.to_string());
                    self.heard.push((at, result.clone().unwrap_or_default()));
                    Input::Transcribed { item_id, result }
                }
                Output::LookNow { look, .. } => {
                    let seen = self
                        .latest
                        .as_ref()
                        .map(|s| sightline::watch::SceneFacts { at: time(at), ..(*s.facts).clone() });
                    Input::Looked { look, result: seen.map(Arc::new).ok_or_else(|| "no picture yet".to_owned()) }
                }
                Output::Generate { response_id, prompt, max_tokens } => {
                    for event in self.generate(prompt, max_tokens, deadline).await {
                        let input = Input::Engine { response_id: response_id.clone(), event };
                        todo.extend(self.conversation.handle(input, time(at)));
                    }
                    continue;
                }
                Output::Warm { prompt, soon } if self.warms => {
                    let _ = self.engine.warm(prompt, soon).await;
                    continue;
                }
                _ => continue,
            };
            todo.extend(self.conversation.handle(input, time(at)));
        }
        answer
    }

    async fn generate(
        &mut self,
        prompt: sightline::dialogue::Prompt,
        max_tokens: u32,
        deadline: MediaTime,
    ) -> Vec<EngineEvent> {
        let begun = EngineEvent::Started { prompt_tokens: 1, cached_tokens: 0 };
        let done = EngineEvent::Done { finish: Finish::Stop, output_tokens: 1 };
        if self.facts_only {
            return vec![begun, EngineEvent::Delta { text: ".".to_owned() }, done];
        }
        let sampling = Sampling::default();
        let request = GenerateRequest { prompt, max_tokens: max_tokens as usize, sampling, stop: Vec::new(), deadline };
        let mut news = self.engine.generate(request, CancellationToken::new()).await.expect("the model answers");
        let mut events = vec![begun];
        self.first = None;
        while let Some(event) = news.recv().await {
            match event {
                GenerateEvent::Started { prompt_tokens: prompt, cached_tokens: cached, .. } => {
                    self.first = Some(First { at: Instant::now(), prompt, cached });
                }
                GenerateEvent::Delta { text, .. } => events.push(EngineEvent::Delta { text }),
                GenerateEvent::Done { .. } => {}
            }
        }
        events.push(done);
        events
    }
}

fn note(answer: &mut Answer, body: ServerBody) {
    match body {
        ServerBody::TextDone { text, .. } => answer.text = text,
        ServerBody::ResponseMemory { route, citations, .. } => {
            answer.route = route.to_owned();
            answer.cited = citations.iter().map(|c| (c.start_ms, c.end_ms)).collect();
        }
        _ => {}
    }
}
