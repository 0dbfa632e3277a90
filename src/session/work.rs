//! Work that a session hands out and whose result comes back as a [`Msg`]: transcripts, looks at pictures, answers.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, debug_span};

use super::actor::Msg;
use super::call::count;
use super::hearing::wire_audio;
use super::watcher::WatchConfig;
use crate::base::{Clock, LossReason, MediaTime, RgbFrame};
use crate::budget::{Mark, Overrun, Stage, TurnTiming};
use crate::decode::{PictureLimits, decode_image, decode_speech, encode_speech};
use crate::dialogue::{
    EmbedFor, EngineEvent, HoldOrder, LookId, NoLook, Prompt, ReadSoFar, Sound, ToolOutcome, Voiced, VoicedWord,
};
use crate::engine::{EngineSession, GenerateEvent, GenerateRequest, PerceiveRequest};
use crate::flow::{Pushed, Tx};
use crate::listen::Verdict;
use crate::model::llm::Sampling;
use crate::watch::{Picture, Scene, SceneFacts};
use crate::wire::AudioFormat;

/// A question waits for it, so it is worth nothing later.
const EMBED_QUESTION: Duration = Duration::from_millis(400);
/// An answer goes on or stops by it.
const OVERHEAR: Duration = Duration::from_millis(600);
/// An event waits for it, to be found by its meaning.
const EMBED_EVENT: Duration = Duration::from_secs(20);

/// An answer to be written.
pub(super) struct Answer {
    pub(super) response_id: String,
    pub(super) prompt: Prompt,
    pub(super) max_tokens: u32,
    /// Nobody waits for it before this is cancelled.
    pub(super) wanted: Option<CancellationToken>,
}

/// A piece of an answer to be said.
pub(super) struct Piece {
    pub(super) response_id: String,
    pub(super) piece: u32,
    pub(super) text: String,
    pub(super) speed: f32,
    pub(super) format: AudioFormat,
}

/// Starts the tasks. Their number is bounded by the conversation's own limits.
#[derive(Clone)]
pub(super) struct Worker {
    pub(super) engine: Arc<EngineSession>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) out: mpsc::Sender<Msg>,
    pub(super) watch: WatchConfig,
    pub(super) sampling: Sampling,
    pub(super) transcribe_budget: Duration,
    pub(super) first_word_budget: Duration,
    /// Where pictures of a camera go.
    pub(super) frames: Tx<Picture>,
    /// Places for those that are being decoded.
    pub(super) decoding: Arc<Semaphore>,
    /// When the newest of them came.
    pub(super) shown: Arc<Mutex<MediaTime>>,
}

/// Pictures of the wire that are decoded at one time; at two a second and a few milliseconds each, more means that somebody floods.
pub(super) const DECODING: usize = 4;

/// How long a picture of the wire waits while the device computes what others wait for.
pub(super) const FRAME_WAITS: Duration = Duration::from_millis(100);

fn lost_frame(reason: LossReason) {
    count("sightline_frames_lost_total", reason);
}

impl Worker {
    /// What comes of `work`; given up with `None` when the session has ended: what it asked for must not keep others waiting.
    async fn while_wanted<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            done = work => Some(done),
            () = self.out.closed() => None,
        }
    }

    pub(super) fn transcribe(&self, item_id: String, sound: Sound) {
        let me = self.clone();
        let span = debug_span!("asr", item_id);
        let task = async move {
            if let Some(result) = me.while_wanted(me.words(sound)).await {
                let _ = me.out.send(Msg::Transcribed { item_id, result }).await;
            }
        };
        tokio::spawn(task.instrument(span));
    }

    /// Reads what is still being said. Late words are no use, so a busy device is not waited for.
    pub(super) fn overhear(&self, item_id: String, near: Duration, samples: Arc<[f32]>) {
        let me = self.clone();
        let span = debug_span!("overhear", item_id);
        let task = async move {
            let deadline = me.clock.now() + OVERHEAR;
            let Some(done) = me.while_wanted(me.engine.transcribe(samples, deadline)).await else { return };
            let result = done.map(|d| d.transcript.text).map_err(|e| e.to_string());
            let _ = me.out.send(Msg::Overheard { item_id, near, result }).await;
        };
        tokio::spawn(task.instrument(span));
    }

    /// Reads what was said so far.
    pub(super) fn read_so_far(&self, item_id: String, sound: Arc<[f32]>) -> AbortHandle {
        let me = self.clone();
        let span = debug_span!("read_so_far", item_id);
        let task = async move {
            let deadline = me.clock.now() + me.transcribe_budget;
            let reading = me.engine.read_so_far(worth_reading(Arc::clone(&sound)), deadline);
            let Some(read) = me.while_wanted(reading).await else { return };
            let result = read.map(|d| d.transcript.text).map_err(|e| e.to_string());
            let _ = me.out.send(Msg::ReadSoFar(ReadSoFar { item_id, sound, result })).await;
        };
        tokio::spawn(task.instrument(span)).abort_handle()
    }

    /// What is being read so far was the whole utterance.
    pub(super) fn hurry_reading(&self) {
        let engine = Arc::clone(&self.engine);
        tokio::spawn(async move { engine.hurry_reading().await });
    }

    async fn words(&self, sound: Sound) -> Result<String, String> {
        let samples = match sound {
            Sound::Pcm(samples) => samples,
            Sound::Encoded { data, format } => {
                // Half a minute of it takes a while, in which this thread would serve nobody.
                let decode = move || decode_speech(&data, wire_audio(format));
                let decoded = tokio::task::spawn_blocking(decode).await.map_err(|e| e.to_string())?;
                decoded.map_err(|e| e.to_string())?.into()
            }
        };
        let samples = worth_reading(samples);
        let deadline = self.clock.now() + self.transcribe_budget;
        let done = self.engine.transcribe(samples, deadline).await.map_err(|e| e.to_string())?;
        metrics::histogram!("sightline_asr_seconds").record(done.took.as_secs_f64());
        Ok(done.transcript.text)
    }

    pub(super) fn embed(&self, what: EmbedFor, text: String) {
        let me = self.clone();
        let urgent = matches!(what, EmbedFor::Question(_));
        let task = async move {
            let deadline = me.clock.now() + if urgent { EMBED_QUESTION } else { EMBED_EVENT };
            let Some(result) = me.while_wanted(me.engine.embed(text, deadline, urgent)).await else { return };
            let result = result.map(Arc::from).map_err(|e| e.to_string());
            let _ = me.out.send(Msg::Embedded { what, result }).await;
        };
        tokio::spawn(task.instrument(debug_span!("embed", urgent)));
    }

    pub(super) fn look_at_image(&self, look: LookId, data: Bytes) {
        let me = self.clone();
        let task = async move {
            if let Some(result) = me.while_wanted(me.facts_of_image(data)).await {
                let _ = me.out.send(Msg::Looked { look, result }).await;
            }
        };
        tokio::spawn(task.instrument(debug_span!("look_at_image", look = look.0)));
    }

    /// A picture of a camera that came over the wire, on its way to where those of a video track go. Who sends faster than they are decoded loses some.
    pub(super) fn frame(&self, data: Bytes) {
        let Ok(place) = Arc::clone(&self.decoding).try_acquire_owned() else {
            return lost_frame(LossReason::DecoderBehind);
        };
        let (me, capture, mut lull) = (self.clone(), self.clock.now(), self.engine.lull());
        let decode = move || {
            match decode_image(&data, &PictureLimits::default()) {
                Ok(frame) => me.show(RgbFrame { capture, ..frame }),
                Err(e) => {
                    tracing::debug!(error = %e, "a picture of the wire cannot be decoded");
                    lost_frame(LossReason::Corrupt);
                }
            }
            drop(place);
        };
        let task = async move {
            let _ = tokio::time::timeout(FRAME_WAITS, lull.comes()).await;
            let _ = tokio::task::spawn_blocking(decode).await;
        };
        tokio::spawn(task);
    }

    /// Hands a picture on, unless a newer one was there first: those that waited together are decoded beside each other.
    pub(super) fn show(&self, frame: RgbFrame) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if frame.capture < *shown {
            return lost_frame(LossReason::Superseded);
        }
        *shown = frame.capture;
        if let Pushed::Displaced(_) = self.frames.push(Picture::of(frame)) {
            lost_frame(LossReason::Superseded);
        }
    }

    async fn facts_of_image(&self, data: Bytes) -> Result<Arc<SceneFacts>, String> {
        let capture = self.clock.now();
        let decoded = tokio::task::spawn_blocking(move || decode_image(&data, &PictureLimits::default())).await;
        let mut frame = decoded.map_err(|e| e.to_string())?.map_err(|e| e.to_string())?;
        frame.capture = capture;
        let deadline = self.clock.now() + self.watch.look_budget * 4;
        let request = PerceiveRequest { experts: Vec::new(), deadline, urgent: true, part: None };
        let perceived = self.engine.perceive(frame.clone(), request).await.map_err(|e| e.to_string())?;
        let mut scene = Scene::new(self.watch.scene);
        Ok(Arc::new(scene.observe(&frame, &perceived.looks).clone()))
    }

    pub(super) fn speak(&self, piece: Piece, cancel: CancellationToken) {
        let me = self.clone();
        let span = debug_span!("speak", response_id = piece.response_id, piece = piece.piece);
        let task = async move {
            let (response_id, number) = (piece.response_id.clone(), piece.piece);
            let spoken = cancel.clone().run_until_cancelled_owned(me.spoken(piece, cancel)).await;
            // What was cancelled is not waited for.
            if let Some(result) = spoken {
                if let Err(error) = &result {
                    tracing::warn!(error, "an answer goes on as text");
                }
                let _ = me.out.send(Msg::Voiced { response_id, piece: number, result }).await;
            }
        };
        tokio::spawn(task.instrument(span));
    }

    async fn spoken(&self, piece: Piece, cancel: CancellationToken) -> Result<Voiced, String> {
        let Piece { text, speed, format, .. } = piece;
        let speech = self.engine.speak(text, speed, cancel).await.map_err(|e| e.to_string())?;
        let ms = speech.duration_ms();
        let word = |w: &crate::model::voice::SpokenWord| VoicedWord {
            bytes: w.bytes.clone(),
            start_ms: w.start_ms,
            end_ms: w.end_ms,
        };
        let words = speech.words.iter().map(word).collect();
        let encode = move || encode_speech(&speech.samples, speech.rate_hz, wire_audio(format));
        let sound = tokio::task::spawn_blocking(encode).await.map_err(|e| e.to_string())?;
        Ok(Voiced { sound: sound.map_err(|e| e.to_string())?, ms, words })
    }

    pub(super) fn generate(&self, answer: Answer, cancel: CancellationToken) {
        let me = self.clone();
        let span = debug_span!("generate", response_id = answer.response_id);
        let task = async move {
            let response_id = answer.response_id.clone();
            if let Err(message) = me.answer(answer, cancel).await {
                let event = EngineEvent::Failed { message };
                let _ = me.out.send(Msg::Engine { response_id, event }).await;
            }
        };
        tokio::spawn(task.instrument(span));
    }

    async fn answer(&self, answer: Answer, cancel: CancellationToken) -> Result<(), String> {
        let Answer { response_id, prompt, max_tokens, wanted } = answer;
        let deadline = self.clock.now() + self.first_word_budget;
        let request = GenerateRequest {
            prompt,
            max_tokens: max_tokens as usize,
            sampling: self.sampling,
            stop: Vec::new(),
            deadline,
        };
        let news = match wanted {
            None => self.engine.generate(request, cancel).await,
            Some(wanted) => self.engine.generate_ahead(request, cancel, wanted).await,
        };
        let mut news = news.map_err(|e| e.to_string())?;
        while let Some(event) = news.recv().await {
            let event = translate(event);
            let last = matches!(event, EngineEvent::Done { .. } | EngineEvent::Failed { .. });
            let sent = self.out.send(Msg::Engine { response_id: response_id.clone(), event }).await;
            if last || sent.is_err() {
                return Ok(());
            }
        }
        Err("the engine stopped in the middle of the answer".into())
    }
}

/// What the recogniser is given: the same for an utterance and for what was said so far, so that the one can stand for the other.
fn worth_reading(samples: Arc<[f32]>) -> Arc<[f32]> {
    let worth = crate::listen::loud_part(&samples);
    if worth.len() < samples.len() { samples[worth].into() } else { samples }
}

/// The reading of unfinished speech that is under way, if any. There is one at most: a newer one ends it.
#[derive(Default)]
pub(super) struct SoFarTask(Option<AbortHandle>);

impl SoFarTask {
    /// Gives up the one before.
    pub(super) fn begin(&mut self, task: AbortHandle) {
        self.give_up();
        self.0 = Some(task);
    }

    /// It was the whole utterance: it is waited for, whatever comes after it.
    pub(super) fn keep(&mut self) {
        self.0 = None;
    }

    /// Nobody waits for it any more.
    pub(super) fn give_up(&mut self) {
        if let Some(task) = self.0.take().filter(|t| !t.is_finished()) {
            let reason = LossReason::Superseded.label();
            metrics::counter!("sightline_readings_lost_total", "reason" => reason).increment(1);
            task.abort();
        }
    }
}

impl Drop for SoFarTask {
    fn drop(&mut self) {
        self.give_up();
    }
}

/// Counts an utterance whose words were known, or just being read, when it ended.
pub(super) fn count_reused(waited: bool) {
    let when = if waited { "under_way" } else { "before" };
    metrics::counter!("sightline_transcript_reused_total", "when" => when).increment(1);
}

/// The engine's words in the conversation's.
fn translate(event: GenerateEvent) -> EngineEvent {
    use crate::dialogue::Finish as To;
    use crate::engine::Finish as From;
    match event {
        GenerateEvent::Started { prompt_tokens, cached_tokens, .. } => {
            EngineEvent::Started { prompt_tokens: prompt_tokens as u64, cached_tokens: cached_tokens as u64 }
        }
        GenerateEvent::Delta { text, .. } => EngineEvent::Delta { text },
        GenerateEvent::Done { finish, output_tokens, .. } => {
            let finish = match finish {
                From::Stop => To::Stop,
                From::Length => To::MaxTokens,
                From::Cancelled => To::Cancelled,
                From::Failed(message) => return EngineEvent::Failed { message },
            };
            EngineEvent::Done { finish, output_tokens: output_tokens as u64 }
        }
    }
}

/// Counts what was said into an answer.
pub(super) fn count_judged(verdict: Verdict, after: Duration) {
    let label = match verdict {
        Verdict::Real(proof) => {
            metrics::histogram!("sightline_interruption_seconds").record(after.as_secs_f64());
            proof.label()
        }
        Verdict::Passing(why) => why.label(),
        Verdict::Open => return,
    };
    metrics::counter!("sightline_interjections_total", "judged" => label).increment(1);
}

/// Counts an answer that was begun before its turn was over.
pub(super) fn count_guess(result: &'static str) {
    metrics::counter!("sightline_answers_ahead_total", "result" => result).increment(1);
}

/// Counts a call that the model wrote.
pub(super) fn count_called(outcome: ToolOutcome) {
    metrics::counter!("sightline_tool_calls_total", "result" => outcome.label()).increment(1);
}

/// Counts an answer that stood still while nobody knew whether it was being interrupted.
pub(super) fn count_hold(order: HoldOrder) {
    let (after, ended) = match order {
        HoldOrder::Begin => return,
        HoldOrder::End { after } => (after, "went_on"),
        HoldOrder::Stopped { after } => (after, "stopped"),
    };
    metrics::histogram!("sightline_hold_seconds", "ended" => ended).record(after.as_secs_f64());
}

/// Counts a stage that took too long.
pub(super) fn count_overrun(overrun: &Overrun) {
    metrics::counter!("sightline_deadline_miss_total", "stage" => overrun.stage.label()).increment(1);
}

/// Puts the stages of an answer into the histograms; `no_look`: why it waited for none.
pub(super) fn record_timings(timing: &TurnTiming, no_look: Option<NoLook>) {
    let (timings, first_words) = (timing.timings(), timing.reached(Mark::FirstWords));
    let ms = |stage| timings.millis(stage);
    tracing::info!(
        vad_end_ms = ms(Stage::VadEnd),
        asr_ms = ms(Stage::Asr),
        recall_ms = ms(Stage::Recall),
        perceive_ms = ms(Stage::Perceive),
        prefill_ms = ms(Stage::Prefill),
        first_token_ms = ms(Stage::FirstToken),
        first_words_ms = first_words.map(|took| took.as_millis()),
        total_ms = ms(Stage::Total),
        "answered"
    );
    if let Some(why) = no_look {
        metrics::counter!("sightline_answers_without_look_total", "reason" => why.label()).increment(1);
    }
    if let Some(took) = first_words {
        metrics::histogram!("sightline_first_words_seconds").record(took.as_secs_f64());
    }
    for stage in Stage::ALL {
        if let Some(took) = timings.of(stage) {
            metrics::histogram!("sightline_turn_latency_seconds", "stage" => stage.label()).record(took.as_secs_f64());
        }
    }
}
