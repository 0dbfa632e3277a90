//! A configuration becomes a running engine and the services that all conversations share.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::clock::unix_ms_at_zero;
use super::{AppError, models};
use crate::base::Clock;
use crate::budget::{AdmissionConfig, Deadlines, LadderConfig};
use crate::config::Config;
use crate::decode::DecodeConfig;
use crate::dialogue::Limits;
use crate::engine::{Engine, EngineConfig};
use crate::ingest::{IngestConfig, PortPool, Ports, SharedPort};
use crate::listen::ListenConfig;
use crate::model::echo::Aec3;
use crate::model::llm::Sampling;
use crate::model::vad::EarshotVad;
use crate::session::{Services, Sessions, WatchConfig};
use crate::watch::{Gate, SamplerConfig, SceneConfig};
use crate::wire::Names;

/// What runs: drop it to stop the engine.
pub struct Parts {
    /// The device's thread.
    pub engine: Engine,
    /// The front door.
    pub sessions: Sessions,
    /// What the machine can decode.
    pub decode: DecodeConfig,
}

/// Loads the models, checks the graphs, starts the engine. Blocks for seconds: not for a tokio worker.
///
/// # Errors
/// [`AppError`] naming what is missing and what to do.
pub fn build(config: &Config, clock: Arc<dyn Clock>) -> Result<Parts, AppError> {
    let decode = decode_config(config);
    let inventory = crate::decode::check(&decode).map_err(|e| AppError::new(e.class(), e.to_string()))?;
    for (codec, why) in &inventory.unavailable {
        tracing::warn!(codec = codec.name(), error = %why, "codec not offered");
    }
    models::check_dir(&config.models.dir)?;
    let loaded = models::load(config)?;
    let engine_config = EngineConfig {
        // One that just ended may keep its slot for a moment: until what it asked of the device is cancelled.
        slots: config.server.max_sessions + ENDING,
        context_tokens: config.engine.context_tokens,
        draft_tokens: config.engine.draft_tokens,
        threads: config.engine.threads,
        ..EngineConfig::default()
    };
    let (engine, handle) = Engine::start(loaded.parts, engine_config, Arc::clone(&clock))
        .map_err(|e| AppError::new(e.class(), e.to_string()))?;
    let counter = handle.clone();
    let mut ingest = ingest_config(config, &inventory.available);
    if let Some(why) = &inventory.voice {
        tracing::warn!(error = %why, "answers in calls are text: the voice cannot be encoded");
    }
    ingest.speaks = loaded.voice.is_some() && inventory.voice.is_none();
    let memories = Arc::new(super::memory::memories(config, &*clock)?);
    let endpoint = config.telemetry.otlp_endpoint.as_deref();
    let collector = endpoint.map(|to| super::otlp::start(to, unix_ms_at_zero(&*clock))).transpose()?;
    let services = Services {
        engine: handle,
        clock,
        ports: ports(config, &ingest),
        ingest,
        decode: decode.clone(),
        vad: Arc::new(|| Box::new(EarshotVad::new())),
        echo: Arc::new(|| Box::new(Aec3::new())),
        listen: listen_config(config),
        watch: watch_config(config),
        names: names(config, loaded.voice.clone()),
        models: model_names(config, loaded.voice),
        missing: loaded.missing,
        limits: limits(config),
        deadlines: deadlines(config),
        ladder: LadderConfig::default(),
        sampling: Sampling { temperature: config.dialogue.temperature, ..Sampling::default() },
        count: Arc::new(move |text| counter.count_tokens(text)),
        max_sessions: config.server.max_sessions,
        admission: admission(config),
        collector,
        trace_dir: config.telemetry.trace_dir.clone(),
        memory_left: Arc::new(super::machine::memory_left),
        resume_grace: config.server.resume_grace,
        max_session: config.server.max_session,
        instructions: config.dialogue.system_prompt.clone(),
        memories,
    };
    Ok(Parts { engine, sessions: Sessions::new(services), decode })
}

/// Sessions that are ending while others already have their places.
const ENDING: usize = 2;

/// Pictures that the watcher compares, a second, where it looks at fewer: how late a change is noticed. 100 ms of it are not felt.
const COMPARED_FPS: f32 = 10.0;

/// The name in `watch.gates` of looks at what changed alone.
const REGION_GATE: &str = "region";
/// The name in `watch.gates` of what goes by the size of coded pictures.
const CODEC_GATE: &str = "codec";

fn admission(config: &Config) -> Option<AdmissionConfig> {
    let most_load = f64::from(config.budget.most_load) / 100.0;
    config.server.measured_admission.then(|| AdmissionConfig { most_load, ..AdmissionConfig::default() })
}

fn decode_config(config: &Config) -> DecodeConfig {
    let fps = config.watch.max_fps.max(COMPARED_FPS);
    DecodeConfig {
        least_between: std::time::Duration::from_secs_f32(1.0 / fps),
        by_size: config.watch.gates.iter().any(|name| name == CODEC_GATE),
        pipelines_dir: config.decode.pipelines_dir.clone(),
        max_side: config.decode.max_side,
        max_input: config.decode.max_input,
        ..DecodeConfig::default()
    }
}

fn ingest_config(config: &Config, available: &[crate::base::Codec]) -> IngestConfig {
    let mut ingest = IngestConfig::default();
    let (first, last) = config.ingest.udp_ports;
    ingest.udp_ports = first..=last;
    if !config.ingest.bind_ips.is_empty() {
        ingest.bind_ips.clone_from(&config.ingest.bind_ips);
    }
    ingest.public_ips.clone_from(&config.ingest.public_ips);
    ingest.dtx = config.ingest.dtx;
    ingest.connect_timeout = config.ingest.connect_timeout;
    ingest.disconnected_after = config.ingest.disconnected;
    ingest.failed_after = config.ingest.failed;
    ingest.video_codecs.retain(|codec| available.contains(codec));
    ingest
}

fn ports(config: &Config, ingest: &IngestConfig) -> Ports {
    let range = ingest.udp_ports.clone();
    if config.ingest.shared_port {
        return Ports::Shared(SharedPort::new(range, ingest.bind_ips.clone(), config.ingest.tcp));
    }
    Ports::Pool(PortPool::new(range))
}

fn listen_config(config: &Config) -> ListenConfig {
    ListenConfig {
        start_threshold: config.listen.threshold,
        silence_duration: config.listen.silence_duration,
        prefix_padding: config.listen.prefix_padding,
        min_speech: config.listen.min_speech,
        max_utterance: config.listen.max_utterance,
        ..ListenConfig::default()
    }
}

fn watch_config(config: &Config) -> WatchConfig {
    let has = |gate: Gate| config.watch.gates.iter().any(|name| name == gate.label());
    let sampler = SamplerConfig {
        by_luma: has(Gate::Luma),
        by_patches: has(Gate::Patches),
        by_motion: has(Gate::Motion),
        min_interval: std::time::Duration::from_secs_f32(1.0 / config.watch.max_fps.max(0.1)),
        max_interval: config.watch.keep_alive,
        mean_change: config.watch.change_threshold,
        ..SamplerConfig::default()
    };
    let scene = SceneConfig { stale: config.watch.keep_alive * 4, ..SceneConfig::default() };
    let keyframe_side = config.memory.enabled.then_some(config.memory.keyframe_side);
    let by_region = config.watch.gates.iter().any(|name| name == REGION_GATE);
    WatchConfig { sampler, scene, by_region, look_budget: config.budget.perceive * 4, keyframe_side }
}

fn names(config: &Config, voice: Option<String>) -> Names {
    Names { model: config.models.llm.clone(), transcription: config.models.asr.clone(), voice }
}

fn model_names(config: &Config, voice: Option<String>) -> BTreeMap<&'static str, String> {
    let m = &config.models;
    let used = [
        ("llm", &m.llm),
        ("asr", &m.asr),
        ("detector", &m.detector),
        ("classifier", &m.classifier),
        ("ocr", &m.ocr),
        ("embedder", &m.embedder),
    ];
    used.into_iter().map(|(role, name)| (role, name.clone())).chain(voice.map(|name| ("voice", name))).collect()
}

fn limits(config: &Config) -> Limits {
    Limits {
        answer_tokens: u32::try_from(config.dialogue.max_output_tokens).unwrap_or(u32::MAX),
        prompt_tokens: config.dialogue.prompt_tokens,
        voice_wait: config.dialogue.voice_wait,
        answer_ahead: config.dialogue.answer_ahead,
        ..Limits::default()
    }
}

fn deadlines(config: &Config) -> Deadlines {
    let b = &config.budget;
    Deadlines {
        decode: b.decode,
        vad_end: b.vad_end,
        asr: b.asr,
        recall: b.recall,
        perceive: b.perceive,
        prefill: b.prefill,
        first_token: b.first_token,
        total: b.total,
    }
}
