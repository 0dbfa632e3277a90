//! The engine as the rest of the process sees it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::base::{Brake, ClientId, Clock, MediaTime, RgbFrame, SessionId};
use crate::budget::{CostModel, Ledger};
use crate::dialogue::Prompt;
use crate::model::TextCodec;
use crate::model::voice::Speech;

use super::EngineError;
use super::fair::Usage;
use super::generate::GenerateJob;
use super::hearing::TranscribeJob;
use super::lull::{Lull, Press};
use super::requests::{
    EngineConfig, EngineParts, EngineStats, GenerateEvent, GenerateRequest, PerceiveRequest, Perceived, TranscribeDone,
};
use super::schedule::Kind;
use super::senses::{EmbedJob, PerceiveJob};
use super::slots::{SlotKey, SlotTable};
use super::voice::{self, SpeakJob};
use super::worker::{Command, Sent, Worker};

/// What the worker and all handles share.
pub(super) struct Shared {
    pub clock: Arc<dyn Clock>,
    pub config: EngineConfig,
    pub slots: Mutex<SlotTable>,
    pub stats: Mutex<EngineStats>,
    /// What work has cost.
    pub ledger: Mutex<Ledger>,
    /// Bytes of one slot's cache.
    pub session_bytes: u64,
    /// What each slot had of the device lately.
    pub usage: Mutex<Usage>,
    /// When the session of each slot is expected to end its turn.
    pub expected: Mutex<Vec<Option<MediaTime>>>,
    pub stopping: AtomicBool,
    /// Pulled when something urgent came, behind its command: work that can wait is broken off for it.
    pub brake: Brake,
    /// For whom it computes what somebody waits for.
    pub press: Press,
    codec: Option<Arc<dyn TextCodec>>,
    speech: bool,
    experts: Vec<&'static str>,
    embedder: Option<Arc<str>>,
}

/// A panic of another thread while it held the lock leaves counters that are still good to use.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Owns the device's thread. Dropping it stops the thread after the step it is in, and waits for it.
pub struct Engine {
    thread: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
    /// SESSION_TO_ENGINE.
    commands: mpsc::Sender<Sent>,
}

impl Engine {
    /// Starts the thread. Values of `config` beyond their bounds are brought within them.
    ///
    /// # Errors
    /// [`EngineError::KvLimit`] when not one slot's cache fits the limit, [`EngineError::Thread`] when there is no thread to be had.
    pub fn start(
        mut parts: EngineParts,
        config: EngineConfig,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, EngineHandle), EngineError> {
        let mut config = config.bounded();
        let mut session_bytes = 0;
        if let Some(language) = &parts.language {
            config.context_tokens = config.context_tokens.min(language.context());
            let bytes = language.kv_bytes(config.context_tokens).max(1);
            let fit = usize::try_from(config.kv_limit_bytes / bytes).unwrap_or(usize::MAX);
            if fit == 0 {
                let (tokens, limit) = (config.context_tokens, config.kv_limit_bytes);
                return Err(EngineError::KvLimit { tokens, bytes, limit });
            }
            config.slots = config.slots.min(fit);
            session_bytes = bytes;
        }
        let threads = crate::model::device::threads();
        if config.threads.is_some_and(|wanted| wanted != threads) {
            tracing::warn!(
                threads,
                wanted = config.threads,
                "set RAYON_NUM_THREADS before the start to change the number of threads"
            );
        }
        let (commands, queue) = mpsc::channel(config.commands);
        let shared = Arc::new(Shared {
            slots: Mutex::new(SlotTable::new(config.slots)),
            stats: Mutex::new(EngineStats { slots: config.slots, ..EngineStats::default() }),
            ledger: Mutex::default(),
            session_bytes,
            usage: Mutex::new(Usage::new(config.slots)),
            expected: Mutex::new(vec![None; config.slots]),
            stopping: AtomicBool::new(false),
            brake: Brake::default(),
            press: Press::default(),
            codec: parts.language.as_ref().map(|l| l.codec()),
            speech: parts.transcriber.is_some(),
            experts: parts.experts.iter().map(|e| e.name()).collect(),
            embedder: parts.embedder.as_ref().map(|e| e.name().into()),
            clock,
            config,
        });
        let voice = parts.voice.take().map(|voice| voice::start(voice, Arc::clone(&shared))).transpose()?;
        let (weak, its) = (commands.downgrade(), Arc::clone(&shared));
        let work = move || Worker::new(parts, its, queue, weak).run();
        let thread = std::thread::Builder::new().name("engine".to_owned()).spawn(work);
        let thread = thread.map_err(EngineError::Thread)?;
        let handle = EngineHandle { shared: Arc::clone(&shared), commands: commands.clone(), voice };
        Ok((Self { thread: Some(thread), shared, commands }, handle))
    }

    /// Stops the thread after the step it is in, and waits for it. Answers end as failed, other requests as [`EngineError::Stopped`].
    pub fn shutdown(self) {
        drop(self);
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // When the queue is full the worker is awake anyway and sees the flag.
        let _ = self.commands.try_send(Command::Wake.quietly());
        if self.thread.take().is_some_and(|t| t.join().is_err()) {
            tracing::error!("this is a bug: the engine's thread panicked");
        }
    }
}

/// Where sessions attach. Cheap to clone.
#[derive(Clone)]
pub struct EngineHandle {
    shared: Arc<Shared>,
    commands: mpsc::Sender<Sent>,
    /// SESSION_TO_VOICE, where there is a voice.
    voice: Option<mpsc::Sender<SpeakJob>>,
}

impl EngineHandle {
    /// Reserves a slot, and the memory its cache may take, for a session of nobody in particular.
    ///
    /// # Errors
    /// As [`Self::attach_for`].
    pub fn attach(&self, session: SessionId) -> Result<EngineSession, EngineError> {
        self.attach_for(session, ClientId::default())
    }

    /// The same for a session of this client: who leaves and comes back has had what it had before.
    ///
    /// # Errors
    /// [`EngineError::Capacity`] when all are taken.
    pub fn attach_for(&self, session: SessionId, client: ClientId) -> Result<EngineSession, EngineError> {
        let mut slots = lock(&self.shared.slots);
        let slots_there = slots.len();
        let key = slots.take(session, client).ok_or(EngineError::Capacity { slots: slots_there })?;
        Ok(EngineSession { engine: self.clone(), key })
    }

    /// The counters as they stand.
    #[must_use]
    pub fn stats(&self) -> EngineStats {
        let attached = lock(&self.shared.slots).taken();
        EngineStats { attached, ..*lock(&self.shared.stats) }
    }

    /// What the device has learnt of what its work costs, and of how busy it is.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        lock(&self.shared.ledger).clone()
    }

    /// Forgets what work has cost: what was done so far was not the rule.
    pub fn forget_costs(&self) {
        lock(&self.shared.ledger).costs = CostModel::default();
    }

    /// Forgets how busy the device was.
    pub fn forget_load(&self) {
        let mut ledger = lock(&self.shared.ledger);
        *ledger = Ledger { costs: std::mem::take(&mut ledger.costs), ..Ledger::default() };
    }

    /// Bytes that the cache of one session may take.
    #[must_use]
    pub fn session_bytes(&self) -> u64 {
        self.shared.session_bytes
    }

    /// Whether there is a model that answers.
    #[must_use]
    pub fn has_language(&self) -> bool {
        self.shared.codec.is_some()
    }

    /// Whether there is a speech recogniser.
    #[must_use]
    pub fn has_speech(&self) -> bool {
        self.shared.speech
    }

    /// Names of the experts, in the order in which they look.
    #[must_use]
    pub fn experts(&self) -> Vec<&'static str> {
        self.shared.experts.clone()
    }

    /// Name of the text encoder. Vectors that another one made cannot be compared with its own.
    #[must_use]
    pub fn embedder(&self) -> Option<&str> {
        self.shared.embedder.as_deref()
    }

    /// Whether there is a voice.
    #[must_use]
    pub fn has_voice(&self) -> bool {
        self.voice.is_some()
    }

    /// Tokens that `text` takes in a prompt; without a language model a rough guess of one for four bytes.
    #[must_use]
    pub fn count_tokens(&self, text: &str) -> usize {
        self.shared.codec.as_ref().map_or_else(|| text.len().div_ceil(4), |c| c.count(text))
    }

    /// Tokens of prompt and answer that one session's cache holds.
    #[must_use]
    pub fn context_tokens(&self) -> usize {
        self.shared.config.context_tokens
    }

    fn codec(&self) -> Result<&Arc<dyn TextCodec>, EngineError> {
        self.shared.codec.as_ref().ok_or(EngineError::NoLanguage)
    }

    fn now(&self) -> MediaTime {
        self.shared.clock.now()
    }

    async fn send(&self, command: Command) -> Result<(), EngineError> {
        self.commands.send(command.quietly()).await.map_err(|_| EngineError::Stopped)
    }
}

/// One session's seat at the device. Dropping it frees the slot and ends its answer.
pub struct EngineSession {
    engine: EngineHandle,
    key: SlotKey,
}

impl EngineSession {
    /// Begins an answer. What the prompt shares with what the session's cache holds is not computed again. One answer at a time; a new one
    /// may begin as soon as the one before it is cancelled. Dropping the future, or the receiver, cancels the answer.
    ///
    /// # Errors
    /// [`EngineError::PromptTooLong`], [`EngineError::NoLanguage`], [`EngineError::Busy`], [`EngineError::Stopped`].
    pub async fn generate(
        &self,
        request: GenerateRequest,
        cancel: CancellationToken,
    ) -> Result<mpsc::Receiver<GenerateEvent>, EngineError> {
        self.generate_when(request, cancel, None).await
    }

    /// The same of an answer that nobody waits for until `wanted` is cancelled and [`Self::wake`] is called: it goes behind speech, answers and
    /// looks that a question waits for, and stops after some words.
    ///
    /// # Errors
    /// As [`Self::generate`].
    pub async fn generate_ahead(
        &self,
        request: GenerateRequest,
        cancel: CancellationToken,
        wanted: CancellationToken,
    ) -> Result<mpsc::Receiver<GenerateEvent>, EngineError> {
        self.generate_when(request, cancel, Some(wanted)).await
    }

    /// What an answer waited for has happened.
    pub fn wake(&self) {
        // When the queue is full the worker is awake anyway.
        let rank = self.pulls(Kind::Answer);
        if self.engine.commands.try_send(Sent { command: Command::Wake, pulls: Some(rank) }).is_ok() {
            self.engine.shared.brake.pull(rank);
        }
    }

    /// Sends work of this kind: what can wait longer is broken off for it.
    async fn send_as(&self, command: Command, kind: Kind) -> Result<(), EngineError> {
        let rank = self.pulls(kind);
        let sent = Sent { command, pulls: Some(rank) };
        self.engine.commands.send(sent).await.map_err(|_| EngineError::Stopped)?;
        self.engine.shared.brake.pull(rank);
        Ok(())
    }

    /// At which rank work of this kind pulls the brake.
    fn pulls(&self, kind: Kind) -> u8 {
        kind.pulls(lock(&self.engine.shared.usage).is_over(self.key.index, self.engine.now()))
    }

    async fn generate_when(
        &self,
        request: GenerateRequest,
        cancel: CancellationToken,
        wanted: Option<CancellationToken>,
    ) -> Result<mpsc::Receiver<GenerateEvent>, EngineError> {
        let asked = self.engine.now();
        let rendered = self.engine.codec()?.render(&request.prompt);
        let (tokens, limit) = (rendered.tokens.len(), self.engine.context_tokens());
        if tokens >= limit {
            return Err(EngineError::PromptTooLong { tokens, limit });
        }
        // ENGINE_TO_SESSION.
        let (replies, receiver) = mpsc::channel(self.engine.shared.config.reply_events);
        let prefix = self.engine.count_tokens(&request.prompt.answer_prefix);
        let max_tokens = request.max_tokens.max(1).min(limit - tokens + prefix);
        let job = GenerateJob { request, rendered, max_tokens, replies, cancel, asked, wanted };
        let (accepted, answer) = oneshot::channel();
        let kind = if job.wanted.is_some() { Kind::Ahead } else { Kind::Answer };
        self.send_as(Command::Generate(self.key, Box::new(job), accepted), kind).await?;
        answer.await.map_err(|_| EngineError::Stopped)??;
        Ok(receiver)
    }

    /// Prefills ahead in the background: the messages of `prompt`, not the assistant's header. A newer call takes the place of an older one;
    /// answers, speech and perception go first, the last only if the question is not `soon`. Returns once the engine knows, not once it is done;
    /// while an answer runs it does nothing.
    ///
    /// # Errors
    /// [`EngineError::PromptTooLong`], [`EngineError::NoLanguage`], [`EngineError::Stopped`].
    pub async fn warm(&self, prompt: Prompt, soon: bool) -> Result<(), EngineError> {
        let mut rendered = self.engine.codec()?.render(&prompt);
        rendered.tokens.truncate(rendered.messages);
        let (tokens, limit) = (rendered.tokens.len(), self.engine.context_tokens());
        if tokens >= limit {
            return Err(EngineError::PromptTooLong { tokens, limit });
        }
        let kind = if soon { Kind::Ahead } else { Kind::Warm };
        self.engine.send(Command::Warm(self.key, rendered, kind)).await
    }

    /// Tokens that `text` takes in a prompt.
    #[must_use]
    pub fn count_tokens(&self, text: &str) -> usize {
        self.engine.count_tokens(text)
    }

    /// Tokens of prompt and answer that the session's cache holds.
    #[must_use]
    pub fn context_tokens(&self) -> usize {
        self.engine.context_tokens()
    }

    /// When whoever speaks is expected to have ended the turn, if nothing more is said: work that can wait is not begun when it would still run
    /// then. `None`, or a moment that has passed: at no time.
    pub fn expect_turn(&self, at: Option<MediaTime>) {
        if let Some(expected) = lock(&self.engine.shared.expected).get_mut(self.key.index) {
            *expected = at;
        }
    }

    /// When nothing urgent is computed for others.
    #[must_use]
    pub fn lull(&self) -> Lull {
        self.engine.shared.press.lull(self.key.index)
    }

    /// Whether this session lately had clearly more of the device than would be its part if one more came: where it is late, that is its own doing.
    #[must_use]
    pub fn hogs(&self) -> bool {
        let taken = lock(&self.engine.shared.slots).taken();
        lock(&self.engine.shared.usage).hogs(self.key.index, taken, self.engine.now())
    }

    /// Turns 16 kHz mono speech into text. A missed deadline is counted; speech is never dropped for it.
    ///
    /// # Errors
    /// [`EngineError::NoSpeech`], [`EngineError::Transcribe`], [`EngineError::Panicked`], [`EngineError::Stopped`].
    pub async fn transcribe(&self, samples: Arc<[f32]>, deadline: MediaTime) -> Result<TranscribeDone, EngineError> {
        if !self.engine.has_speech() {
            return Err(EngineError::NoSpeech);
        }
        let (reply, answer) = oneshot::channel();
        self.expect_turn(None);
        let job = TranscribeJob { samples, deadline, asked: self.engine.now(), reply, seat: self.key.index };
        self.send_as(Command::Transcribe(job), Kind::Speech).await?;
        answer.await.map_err(|_| EngineError::Stopped)?
    }

    /// Turns speech that goes on into the text it is so far. Finished utterances and answers go first, those that come meanwhile too.
    /// A newer call takes the place of an older one; dropping the future stops it.
    ///
    /// # Errors
    /// As [`Self::transcribe`]; [`EngineError::Superseded`] when a newer call came.
    pub async fn read_so_far(&self, samples: Arc<[f32]>, deadline: MediaTime) -> Result<TranscribeDone, EngineError> {
        if !self.engine.has_speech() {
            return Err(EngineError::NoSpeech);
        }
        let (reply, answer) = oneshot::channel();
        let job = TranscribeJob { samples, deadline, asked: self.engine.now(), reply, seat: self.key.index };
        self.engine.send(Command::Read(self.key, job)).await?;
        answer.await.map_err(|_| EngineError::Superseded)?
    }

    /// What [`Self::read_so_far`] is reading has turned out to be the whole utterance: from now on it goes ahead like one.
    ///
    /// # Errors
    /// [`EngineError::Stopped`].
    pub async fn hurry_reading(&self) -> Result<(), EngineError> {
        self.send_as(Command::Hurry(self.key), Kind::Speech).await
    }

    /// What a look by all experts has cost lately; nothing as long as none has looked.
    #[must_use]
    pub fn look_cost(&self) -> std::time::Duration {
        lock(&self.engine.shared.ledger).costs.look()
    }

    /// Lets experts look at a frame, one scheduler step each, each seeing what those before it said.
    ///
    /// # Errors
    /// [`EngineError::Stopped`]. An expert that fails, or whose turn comes after the deadline, is named in `missed`.
    pub async fn perceive(&self, frame: RgbFrame, request: PerceiveRequest) -> Result<Perceived, EngineError> {
        let (reply, answer) = oneshot::channel();
        let kind = if request.urgent { Kind::Question } else { Kind::Background };
        let job =
            PerceiveJob::new((frame, self.key.index), request, &self.engine.shared.experts, self.engine.now(), reply);
        self.send_as(Command::Perceive(Box::new(job)), kind).await?;
        answer.await.map_err(|_| EngineError::Stopped)
    }

    /// Says `text` aloud; `speed` 1 is the voice's own pace. Pieces of all sessions are spoken one after the other; one that is cancelled
    /// before its turn is not spoken, and an error then.
    ///
    /// # Errors
    /// [`EngineError::NoVoice`], [`EngineError::Voice`], [`EngineError::Panicked`], [`EngineError::Stopped`].
    pub async fn speak(&self, text: String, speed: f32, cancel: CancellationToken) -> Result<Speech, EngineError> {
        let voice = self.engine.voice.as_ref().ok_or(EngineError::NoVoice)?;
        let (reply, answer) = oneshot::channel();
        voice.send(SpeakJob { text, speed, cancel, reply }).await.map_err(|_| EngineError::Stopped)?;
        answer.await.map_err(|_| EngineError::Stopped)?
    }

    /// The vector of `text`, of length 1 (see [`crate::watch::EmbedText`]). `urgent`: a question waits for it; it goes ahead of looks, and
    /// is not computed at all when its turn comes after the deadline. Otherwise it is background work, and a missed deadline is only counted.
    ///
    /// # Errors
    /// [`EngineError::NoEmbedder`], [`EngineError::Embed`] (a text without words, among others), [`EngineError::Late`],
    /// [`EngineError::Panicked`], [`EngineError::Stopped`].
    pub async fn embed(&self, text: String, deadline: MediaTime, urgent: bool) -> Result<Vec<f32>, EngineError> {
        if self.engine.embedder().is_none() {
            return Err(EngineError::NoEmbedder);
        }
        let (reply, answer) = oneshot::channel();
        let kind = if urgent { Kind::Embed } else { Kind::Background };
        let job = EmbedJob { text, deadline, urgent, reply, seat: self.key.index };
        self.send_as(Command::Embed(job), kind).await?;
        answer.await.map_err(|_| EngineError::Stopped)?
    }
}

impl Drop for EngineSession {
    fn drop(&mut self) {
        self.expect_turn(None);
        lock(&self.engine.shared.slots).release(self.key);
        // When the queue is full the worker is awake anyway and looks at the table after each step.
        let _ = self.engine.commands.try_send(Command::Wake.quietly());
    }
}
