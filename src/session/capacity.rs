//! Whether one more conversation can be carried: by the device's time, by main memory, by how late the others are.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::registry::{Sessions, lock};
use super::{Services, SessionError};
use crate::base::{Clock, FrameId, MediaTime, Pcm, RgbFrame, SessionId};
use crate::budget::{Admission, CostModel, Deadlines, Forecast, Step};
use crate::dialogue::{Message, Prompt, Role};
use crate::engine::{EngineError, EngineSession, GenerateRequest, PerceiveRequest};

/// Bytes of main memory that can still be had; `None` where the system does not say.
pub type MemoryLeft = Arc<dyn Fn() -> Option<u64> + Send + Sync>;

/// What is left to the rest of the machine when a conversation is let in.
const LEAST_LEFT: u64 = 64 << 20;
/// What a client is told to wait when the others are late, or memory is short: about as long as a few turns take.
const A_WHILE: Duration = Duration::from_secs(10);

/// How long the end of a turn says something about how things are.
const LATELY: u64 = 60_000;

/// On which step of the ladder a session stood when its last turn ended, and when that was.
#[derive(Debug, Default)]
pub(super) struct Standing(AtomicU64);

impl Standing {
    /// A turn ended, or the ladder moved.
    pub(super) fn set(&self, step: Step, now: MediaTime) {
        self.0.store(now.as_millis() << 8 | step as u64, Ordering::Relaxed);
    }

    /// It has lately given up all it could and was still late. One that has been silent since tells nothing about now.
    fn refuses(&self, now: MediaTime) -> bool {
        let both = self.0.load(Ordering::Relaxed);
        both & 0xff >= Step::RefuseSessions as u64 && now.as_millis().saturating_sub(both >> 8) <= LATELY
    }
}

/// The rules and what they know. `None`: only places are counted.
pub(super) type Capacity = Option<Arc<Mutex<Admission>>>;

pub(super) fn capacity(services: &Services) -> Capacity {
    services.admission.map(|config| Arc::new(Mutex::new(Admission::new(config, &services.deadlines))))
}

/// The load that is assumed of a session; it travels with the session and is given back when that ends.
pub(super) struct Assumed {
    capacity: Arc<Mutex<Admission>>,
    clock: Arc<dyn Clock>,
    share: f64,
    since: MediaTime,
}

impl Drop for Assumed {
    fn drop(&mut self) {
        lock(&self.capacity).leave(self.share, self.since, self.clock.now());
    }
}

impl Sessions {
    /// Lets one more in beside those there are, of which it has a place already. Whoever is away makes room, as it does where places are short.
    pub(super) async fn carry(&self) -> Result<Option<Assumed>, SessionError> {
        let mut fits = self.fits();
        if fits.is_err() && self.lighten(None).await {
            fits = self.fits();
        }
        fits.map_err(|(reason, error)| {
            metrics::counter!("sightline_admission_rejected_total", "reason" => reason).increment(1);
            tracing::info!(reason, %error, "a session was refused");
            error
        })
    }

    /// Refuses while some conversation has given up all it can and is still late: one more would help nobody.
    pub(super) fn refuse_while_late(&self) -> Result<(), SessionError> {
        if !self.overloaded() {
            return Ok(());
        }
        metrics::counter!("sightline_admission_rejected_total", "reason" => "overload").increment(1);
        Err(SessionError::Overloaded { retry_after: A_WHILE })
    }

    fn fits(&self) -> Result<Option<Assumed>, (&'static str, SessionError)> {
        if let Some((left, needed)) = self.short_of_memory() {
            return Err(("memory", SessionError::ShortOfMemory { left, needed, retry_after: A_WHILE }));
        }
        let Some(capacity) = &self.0.capacity else { return Ok(None) };
        let (ledger, others) = (self.0.services.engine.ledger(), self.live().saturating_sub(1));
        let (clock, since) = (Arc::clone(&self.0.services.clock), self.0.services.clock.now());
        match lock(capacity).ask(&ledger, others, since) {
            Ok(forecast) => {
                show(&forecast);
                Ok(Some(Assumed { capacity: Arc::clone(capacity), clock, share: forecast.share, since }))
            }
            Err(refusal) => {
                let Forecast { load, turn, budget, .. } = refusal.forecast;
                tracing::debug!(load, ?turn, ?budget, "what was expected with one more");
                Err(("load", SessionError::Overloaded { retry_after: refusal.retry_after }))
            }
        }
    }

    /// The last step of the ladder: some conversation has given up all it can and is still late.
    fn overloaded(&self) -> bool {
        let now = self.0.services.clock.now();
        lock(&self.0.steps).iter().filter_map(Weak::upgrade).any(|s| s.refuses(now))
    }

    /// What is left and what one more would need, when the first does not go into the second. The first session is let in by its cache
    /// limit alone: without it the server would be of no use.
    fn short_of_memory(&self) -> Option<(u64, u64)> {
        let s = &self.0.services;
        let needed = s.engine.session_bytes() + s.memories.config.most_bytes() as u64 + LEAST_LEFT;
        (s.memory_left)().filter(|left| *left < needed && self.live() > 1).map(|left| (left, needed))
    }

    /// Does each sort of work twice, the second time with a watch: what it costs here decides from then on who is let in. Takes `at_most` so long;
    /// what was not reached is learnt later. Nothing happens where only places are counted.
    pub async fn calibrate(&self, at_most: Duration) {
        let s = &self.0.services;
        if s.admission.is_none() || at_most.is_zero() {
            return;
        }
        let measured = tokio::time::timeout(at_most, async {
            let session = s.engine.attach(SessionId::new("calibration"))?;
            let cold = s.clock.now() + at_most;
            // The first time weights are read from disk, and threads begin.
            once(&session, "seven ", cold).await?;
            s.engine.forget_costs();
            // Other words: those are in the cache.
            once(&session, "eleven ", cold).await
        });
        match measured.await {
            Ok(Ok(())) => {}
            Ok(Err(e)) => {
                tracing::warn!(error = %e, "what work costs could not be measured; it is learnt from the first turns")
            }
            Err(_) => tracing::warn!(
                ?at_most,
                "measuring what work costs took too long; the rest is learnt from the first turns"
            ),
        }
        s.engine.forget_load();
        let ledger = s.engine.ledger();
        let costs =
            ledger.costs.all().map(|(work, took)| format!("{} {:.1} ms", work.label(), took.as_secs_f64() * 1e3));
        tracing::info!(costs = costs.collect::<Vec<_>>().join(", "), "what one unit of work costs here");
        if let Some(capacity) = &self.0.capacity {
            let forecast = lock(capacity).outlook(&ledger, 0, s.clock.now());
            warn_of_budgets(&s.deadlines, &ledger.costs, &forecast);
        }
    }
}

/// Budgets that cannot be met even by a session that has the device to itself.
fn warn_of_budgets(deadlines: &Deadlines, costs: &CostModel, forecast: &Forecast) {
    if let Some(alone) = forecast.alone.filter(|alone| *alone > forecast.budget) {
        let budget = forecast.budget;
        tracing::warn!(
            ?alone,
            ?budget,
            "budget.asr_ms and budget.first_token_ms cannot be met on this machine even by one session: raise them, or choose smaller models; sessions are let in as long as turns take at most twice as long as alone"
        );
    }
    if let Some(look) = costs.dearest_look().filter(|look| *look > deadlines.perceive) {
        let budget = deadlines.perceive;
        tracing::info!(?look, ?budget, "one look takes longer than answers wait for it (budget.perceive_ms)");
    }
}

fn show(forecast: &Forecast) {
    metrics::gauge!("sightline_forecast_load").set(forecast.load);
    if let Some(turn) = forecast.turn {
        metrics::gauge!("sightline_forecast_turn_ms").set(turn.as_secs_f64() * 1e3);
    }
}

/// Seconds of sound that are recognised.
const SOUND_S: u32 = 2;
/// Words of the prompt, at about a token each.
const WORDS: usize = 64;
/// Tokens of the answer.
const TOKENS: usize = 8;

/// A little of each sort of work. What is not installed is left out.
async fn once(session: &EngineSession, word: &str, deadline: MediaTime) -> Result<(), EngineError> {
    let request = PerceiveRequest { experts: Vec::new(), deadline, urgent: true, part: None };
    session.perceive(pattern(), request).await?;
    // Not silence: recognisers are soon done with that.
    let tone = |i: u32| 0.1 * (f64::from(i) * 0.06).sin() * (f64::from(i) * 0.0011).sin();
    #[expect(clippy::cast_possible_truncation, reason = "a sample")]
    let sound: Vec<f32> = (0..SOUND_S * Pcm::RATE_HZ).map(|i| tone(i) as f32).collect();
    passed_over(session.transcribe(sound.into(), deadline).await)?;
    passed_over(session.embed("where did I leave the red cup".into(), deadline, true).await)?;
    let content = word.repeat(WORDS);
    let prompt = Prompt { messages: vec![Message { role: Role::User, content }], answer_prefix: String::new() };
    let (sampling, stop) = (crate::model::llm::Sampling::default(), Vec::new());
    let request = GenerateRequest { prompt, max_tokens: TOKENS, sampling, stop, deadline };
    let Some(mut news) = passed_over(session.generate(request, CancellationToken::new()).await)? else { return Ok(()) };
    while news.recv().await.is_some() {}
    Ok(())
}

/// A part that is missing or refuses is no reason to measure nothing.
fn passed_over<T>(result: Result<T, EngineError>) -> Result<Option<T>, EngineError> {
    match result {
        Ok(done) => Ok(Some(done)),
        Err(EngineError::Stopped) => Err(EngineError::Stopped),
        Err(_) => Ok(None),
    }
}

/// A picture with edges in it, of the size that a camera of a browser sends.
fn pattern() -> RgbFrame {
    let (width, height) = (640_u32, 480_u32);
    let pixel = |i: u32| if (i % width / 40 + i / width / 40).is_multiple_of(2) { 200 } else { 60 };
    let data: Vec<u8> = (0..width * height).flat_map(|i| [pixel(i); 3]).collect();
    RgbFrame { id: FrameId(0), width, height, data: data.into(), capture: MediaTime::ZERO }
}
