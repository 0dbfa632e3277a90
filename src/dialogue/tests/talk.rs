//! A conversation in virtual time, as a test sees it.

use super::*;
use crate::listen::Evidence;
use crate::watch::SceneFacts;

/// A conversation and the time it is there.
pub(super) struct Talk {
    pub(super) c: Conversation,
    pub(super) now: MediaTime,
}

pub(super) fn utterance(end_ms: u64) -> Utterance {
    let (start, end) = (MediaTime::from_millis(end_ms - 1_000), MediaTime::from_millis(end_ms));
    Utterance { samples: vec![0.1; 16_000].into(), start, end }
}

pub(super) fn cup(at: MediaTime) -> Arc<SceneFacts> {
    let v = json!({"objects": [["cup", 0.9, [0.1, 0.4, 0.3, 0.8], "red"]]});
    Arc::new(scene_json::scene(&v, at))
}

/// The types of the events among `out`, in order.
pub(super) fn types(out: &[Output]) -> Vec<String> {
    events(out).iter().map(|e| e["type"].as_str().expect("type").to_owned()).collect()
}

pub(super) fn events(out: &[Output]) -> Vec<Value> {
    let sent = out.iter().filter_map(|o| if let Output::Send(e) = o { Some(e.to_json()) } else { None });
    sent.map(|t| serde_json::from_str(&t).expect("valid JSON")).collect()
}

pub(super) fn transcribed(out: &[Output]) -> Option<String> {
    out.iter().find_map(|o| if let Output::Transcribe { item_id, .. } = o { Some(item_id.clone()) } else { None })
}

pub(super) fn generated(out: &[Output]) -> Option<(String, Prompt)> {
    out.iter().find_map(|o| match o {
        Output::Generate { response_id, prompt, .. } => Some((response_id.clone(), prompt.clone())),
        _ => None,
    })
}

impl Talk {
    pub(super) fn new(change: impl FnOnce(&mut Setup)) -> Self {
        let mut setup = Setup::new("sess_test", [1; 32]);
        change(&mut setup);
        let (c, out) = Conversation::open(setup, MediaTime::ZERO);
        assert_eq!(types(&out), ["session.created"], "nothing comes before it");
        Self { c, now: MediaTime::from_millis(10_000) }
    }

    /// With a camera that shows a red cup right now.
    pub(super) fn seeing() -> Self {
        let mut t = Self::new(|s| {
            s.video = VideoState::Live;
            s.audio_track = true;
        });
        t.put(Input::Scene(cup(t.now)));
        t
    }

    pub(super) fn put(&mut self, input: Input) -> Vec<Output> {
        self.c.handle(input, self.now)
    }

    pub(super) fn after(&mut self, ms: u64) -> &mut Self {
        self.now = self.now + Duration::from_millis(ms);
        self
    }

    /// Near voice that began now and goes on for so long, told in steps of 40 ms.
    pub(super) fn voice(&mut self, long_ms: u64) -> Vec<Output> {
        let (onset, mut out) = (self.now, Vec::new());
        for ms in (40..=long_ms).step_by(40) {
            self.after(40);
            let near = Duration::from_millis(ms);
            let evidence = Some(Evidence { onset, at: self.now, near, pitched: near, silent: Duration::ZERO });
            let sound: Option<Arc<[f32]>> = ms.is_multiple_of(280).then(|| vec![0.1; 16].into());
            out.extend(self.put(Input::Voice { evidence, at: self.now, sound }));
        }
        out
    }

    pub(super) fn client(&mut self, event: Value) -> Vec<Output> {
        match ClientEvent::parse(&event.to_string()) {
            Ok(event) => self.put(Input::Client(event)),
            Err(error) => self.put(Input::Refused(error)),
        }
    }

    pub(super) fn say(&mut self, text: &str) -> Vec<Output> {
        self.client(json!({"type": "conversation.item.create", "item": {"type": "message", "role": "user",
            "content": [{"type": "input_text", "text": text}]}}))
    }

    pub(super) fn ask(&mut self, text: &str) -> Vec<Output> {
        let mut out = self.say(text);
        out.extend(self.client(json!({"type": "response.create"})));
        out
    }

    pub(super) fn engine(&mut self, id: &str, event: EngineEvent) -> Vec<Output> {
        self.put(Input::Engine { response_id: id.to_owned(), event })
    }

    pub(super) fn answer(&mut self, id: &str, text: &str) -> Vec<Output> {
        let mut out = self.engine(id, EngineEvent::Started { prompt_tokens: 100, cached_tokens: 80 });
        out.extend(self.engine(id, EngineEvent::Delta { text: text.to_owned() }));
        out.extend(self.engine(id, EngineEvent::Done { finish: Finish::Stop, output_tokens: 5 }));
        out
    }
}

pub(super) fn code_of(out: &[Output]) -> String {
    let error = events(out).into_iter().find(|e| e["type"] == "error").expect("an error event");
    error["error"]["code"].as_str().expect("code").to_owned()
}

/// The words of answers that clients were told.
pub(super) fn told(out: &[Output]) -> String {
    let all = events(out);
    let deltas = all.iter().filter(|e| e["type"] == "response.output_text.delta");
    deltas.filter_map(|e| e["delta"].as_str()).collect()
}
