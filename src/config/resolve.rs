//! From checked values to the resolved configuration, with the rules that concern more than one key.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use super::ConfigError;
use super::layers::Layered;
use super::sections::{
    Archive, Budget, Config, Decode, Device, Dialogue, Engine, Ice, Ingest, Listen, Memory, Models, Server, Telemetry,
    Tls, Watch,
};
use super::value::{Value, ports};
use crate::ingest::TurnSecret;
use crate::ingest::ice_servers::{check_url, is_relay};
use crate::session::is_origin;
use crate::weights::{Manifest, Role};

/// Addresses of STUN and TURN servers, at most.
const MOST_ICE_SERVERS: usize = 16;

/// Reads keys, and remembers which were read: a test finds keys that nobody reads.
pub(super) struct Reader<'a> {
    layered: &'a Layered,
    pub(super) read: RefCell<BTreeSet<String>>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(layered: &'a Layered) -> Self {
        Self { layered, read: RefCell::default() }
    }

    fn get(&self, path: &str) -> Value {
        self.read.borrow_mut().insert(path.to_owned());
        // Every key of the table has a default; the fallback is for a path misspelt here, which the same test finds.
        self.layered.get(path).map_or(Value::Text(String::new()), |(v, _)| v.clone())
    }

    fn number<T: TryFrom<i64> + Default>(&self, path: &str) -> T {
        T::try_from(self.get(path).int()).unwrap_or_default()
    }

    #[expect(clippy::cast_possible_truncation, reason = "fractions and small numbers: f32 holds them well enough")]
    fn fraction(&self, path: &str) -> f32 {
        self.get(path).float() as f32
    }

    fn ms(&self, path: &str) -> Duration {
        Duration::from_millis(self.number(path))
    }

    fn ips(&self, path: &str) -> Vec<std::net::IpAddr> {
        self.get(path).list().iter().filter_map(|s| s.parse().ok()).collect()
    }

    fn some_text(&self, path: &str) -> Option<String> {
        Some(self.get(path).text()).filter(|s| !s.is_empty())
    }

    fn origin(&self, path: &str) -> String {
        self.layered.get(path).map_or_else(String::new, |(_, o)| o.to_string())
    }
}

/// Builds the configuration.
pub(super) fn build(r: &Reader<'_>) -> Result<Config, ConfigError> {
    let config = Config {
        server: server(r),
        ingest: ingest(r),
        ice: Ice {
            servers: r.get("ice.servers").list(),
            turn_secret: TurnSecret::new(&r.get("ice.turn_secret").text()),
            turn_secret_file: r.some_text("ice.turn_secret_file").map(Into::into),
            turn_ttl: Duration::from_secs(r.number("ice.turn_ttl_s")),
        },
        decode: Decode {
            pipelines_dir: r.some_text("decode.pipelines_dir").map(Into::into),
            max_side: r.number("decode.max_side"),
            max_input: (r.number("decode.max_input_width"), r.number("decode.max_input_height")),
        },
        listen: Listen {
            threshold: r.fraction("listen.threshold"),
            silence_duration: r.ms("listen.silence_duration_ms"),
            prefix_padding: r.ms("listen.prefix_padding_ms"),
            min_speech: r.ms("listen.min_speech_ms"),
            max_utterance: Duration::from_secs(r.number("listen.max_utterance_s")),
        },
        watch: Watch {
            max_fps: r.fraction("watch.max_fps"),
            change_threshold: r.fraction("watch.change_threshold"),
            keep_alive: Duration::from_secs_f64(r.get("watch.keep_alive_s").float()),
            experts: r.get("watch.experts").list(),
            gates: r.get("watch.gates").list(),
        },
        memory: memory(r),
        archive: archive(r),
        models: models(r),
        engine: engine(r),
        dialogue: Dialogue {
            system_prompt: r.some_text("dialogue.system_prompt"),
            max_output_tokens: r.number("dialogue.max_output_tokens"),
            temperature: r.fraction("dialogue.temperature"),
            prompt_tokens: r.number("dialogue.prompt_tokens"),
            voice_wait: r.ms("dialogue.voice_wait_ms"),
            answer_ahead: r.get("dialogue.answer_ahead").bool(),
        },
        budget: budget(r),
        telemetry: Telemetry {
            log: r.get("telemetry.log").text(),
            json: r.get("telemetry.log_format").text() == "json",
            otlp_endpoint: r.some_text("telemetry.otlp_endpoint"),
            trace_dir: r.some_text("telemetry.trace_dir").map(Into::into),
        },
    };
    let problems = cross_check(&config, r);
    if problems.is_empty() { Ok(config) } else { Err(ConfigError::Invalid(problems)) }
}

fn server(r: &Reader<'_>) -> Server {
    Server {
        bind: r.get("server.bind").text().parse().unwrap_or_else(|_| ([127, 0, 0, 1], 8080).into()),
        web_root: r.get("server.web_root").path(),
        api_keys: r.get("server.api_keys").list(),
        keys_file: r.some_text("server.keys_file").map(Into::into),
        allowed_origins: r.get("server.allowed_origins").list(),
        tls: tls(r),
        allow_anonymous: r.get("server.allow_anonymous").bool(),
        max_sessions: r.number("server.max_sessions"),
        measured_admission: r.get("server.admission").text() == "measured",
        max_sessions_per_key: Some(r.number("server.max_sessions_per_key")).filter(|n| *n > 0),
        max_session: Some(r.number("server.max_session_s")).filter(|s| *s > 0).map(Duration::from_secs),
        resume_grace: r.ms("server.resume_grace_ms"),
        max_message_bytes: r.number("server.max_message_bytes"),
        write_deadline: r.ms("server.write_deadline_ms"),
        drain: r.ms("server.drain_ms"),
        ping_interval: r.ms("server.ping_interval_ms"),
    }
}

fn tls(r: &Reader<'_>) -> Option<Tls> {
    let (cert, key) = (r.some_text("server.tls_cert_file"), r.some_text("server.tls_key_file"));
    let (own, dir) = (r.get("server.tls_self_signed").bool(), r.get("server.tls_dir").path());
    match (cert, key) {
        (Some(cert), Some(key)) => Some(Tls::Files { cert: cert.into(), key: key.into() }),
        _ => own.then_some(Tls::SelfSigned { dir }),
    }
}

fn ingest(r: &Reader<'_>) -> Ingest {
    Ingest {
        udp_ports: ports(&r.get("ingest.udp_ports").text()).unwrap_or_default(),
        shared_port: r.get("ingest.shared_port").bool(),
        tcp: r.get("ingest.tcp").bool(),
        dtx: r.get("ingest.dtx").bool(),
        bind_ips: r.ips("ingest.bind_ips"),
        public_ips: r.ips("ingest.public_ips"),
        connect_timeout: r.ms("ingest.connect_timeout_ms"),
        disconnected: r.ms("ingest.disconnected_ms"),
        failed: r.ms("ingest.failed_ms"),
    }
}

fn memory(r: &Reader<'_>) -> Memory {
    Memory {
        enabled: r.get("memory.enabled").bool(),
        live_looks: r.number("memory.live_looks"),
        working_s: r.number("memory.working_s"),
        events: r.number("memory.events"),
        roots: r.number("memory.roots"),
        max_event: Duration::from_secs(r.number("memory.max_event_s")),
        keyframe_side: r.number("memory.keyframe_side"),
        similarity_floor: r.fraction("memory.similarity_floor"),
    }
}

fn archive(r: &Reader<'_>) -> Archive {
    let hours: u64 = r.number("archive.retention_h");
    Archive {
        dir: r.some_text("archive.dir").map(Into::into),
        quota_bytes: r.number::<u64>("archive.quota_mb") << 20,
        key_file: r.some_text("archive.key_file").map(Into::into),
        max_memories: r.number("archive.max_memories"),
        retention: (hours > 0).then(|| Duration::from_secs(hours * 3_600)),
    }
}

fn models(r: &Reader<'_>) -> Models {
    Models {
        dir: r.get("models.dir").path(),
        mirror: r.some_text("models.mirror").map(Into::into),
        llm: r.get("models.llm").text(),
        asr: r.get("models.asr").text(),
        detector: r.get("models.detector").text(),
        classifier: r.get("models.classifier").text(),
        ocr: r.get("models.ocr").text(),
        embedder: r.get("models.embedder").text(),
        voice: r.some_text("models.voice"),
    }
}

fn engine(r: &Reader<'_>) -> Engine {
    Engine {
        device: match r.get("engine.device").text().as_str() {
            "cpu" => Device::Cpu,
            "cuda" => Device::Cuda,
            "metal" => Device::Metal,
            _ => Device::Auto,
        },
        threads: Some(r.number("engine.threads")).filter(|n| *n > 0),
        context_tokens: r.number("engine.context_tokens"),
        draft_tokens: r.number("engine.draft_tokens"),
    }
}

fn budget(r: &Reader<'_>) -> Budget {
    Budget {
        decode: r.ms("budget.decode_ms"),
        recall: r.ms("budget.recall_ms"),
        perceive: r.ms("budget.perceive_ms"),
        vad_end: r.ms("budget.vad_end_ms"),
        asr: r.ms("budget.asr_ms"),
        prefill: r.ms("budget.prefill_ms"),
        first_token: r.ms("budget.first_token_ms"),
        total: r.ms("budget.total_ms"),
        most_load: r.number("budget.most_load_percent"),
        calibration: r.ms("budget.calibration_ms"),
    }
}

/// Fewest characters of an API key.
pub(super) const LEAST_KEY: usize = 16;
/// What every client secret begins with, and so no key.
pub const SECRET_PREFIX: &str = "ek_";

/// What is wrong with the keys of the configuration itself; none is shown.
fn key_problem(keys: &[String]) -> Option<String> {
    if keys.iter().any(|k| k.len() < LEAST_KEY) {
        return Some("a key has fewer than 16 characters; `openssl rand -hex 24` makes a good one".to_owned());
    }
    let like_secret = keys.iter().any(|k| k.starts_with(SECRET_PREFIX));
    like_secret.then(|| {
        format!("a key begins like a client secret (`{SECRET_PREFIX}`), and would never open: choose another one")
    })
}

/// What one key alone cannot show to be wrong.
fn cross_check(c: &Config, r: &Reader<'_>) -> Vec<String> {
    let mut problems = Vec::new();
    let mut refuse = |key: &str, text: String| problems.push(format!("`{key}` ({}): {text}", r.origin(key)));
    if !c.server.bind.ip().is_loopback() && !c.server.has_keys() && !c.server.allow_anonymous {
        refuse(
            "server.bind",
            format!(
                "{} can be reached from other machines, and `server.api_keys` is empty: add a key, or set \
                 `server.allow_anonymous` = true if everybody there may come in",
                c.server.bind
            ),
        );
    }
    for (key, text) in tls_problem(r).into_iter().chain(ice_problem(&c.ice)).chain(collector_problem(&c.telemetry)) {
        refuse(key, text);
    }
    if let Some(text) = key_problem(&c.server.api_keys) {
        refuse("server.api_keys", text);
    }
    if let Some(wrong) = c.server.allowed_origins.iter().find(|o| !is_origin(o)) {
        refuse("server.allowed_origins", format!("{wrong:?} is no origin: write it like `https://shop.example:8443`"));
    }
    let ports = c.ingest.udp_ports.1 - c.ingest.udp_ports.0 + 1;
    if !c.ingest.shared_port && usize::from(ports) < c.server.max_sessions {
        let sessions = c.server.max_sessions;
        refuse("ingest.udp_ports", format!("{ports} ports are too few for `server.max_sessions` = {sessions}"));
    }
    if c.budget.vad_end < c.listen.silence_duration {
        refuse(
            "budget.vad_end_ms",
            format!(
                "cannot be met: `listen.silence_duration_ms` = {} alone takes longer",
                c.listen.silence_duration.as_millis()
            ),
        );
    }
    if c.dialogue.prompt_tokens + c.dialogue.max_output_tokens > c.engine.context_tokens {
        refuse(
            "engine.context_tokens",
            "too small: `dialogue.prompt_tokens` and `dialogue.max_output_tokens` together must fit".into(),
        );
    }
    let manifest = Manifest::of(&c.models.dir).map_err(|e| e.to_string());
    for (key, role, name) in [
        ("models.llm", Role::Llm, &c.models.llm),
        ("models.asr", Role::Asr, &c.models.asr),
        ("models.detector", Role::Detector, &c.models.detector),
        ("models.classifier", Role::Classifier, &c.models.classifier),
        ("models.ocr", Role::Ocr, &c.models.ocr),
        ("models.embedder", Role::Embedder, &c.models.embedder),
    ] {
        if let Err(text) = check_model(&manifest, role, name) {
            refuse(key, text);
        }
    }
    if let Some(Err(text)) = c.models.voice.as_ref().map(|name| check_model(&manifest, Role::Voice, name)) {
        refuse("models.voice", text);
    }
    problems
}

/// What of the keys of TLS does not go together.
fn tls_problem(r: &Reader<'_>) -> Option<(&'static str, String)> {
    let (cert, key) = (r.some_text("server.tls_cert_file").is_some(), r.some_text("server.tls_key_file").is_some());
    match (cert, key) {
        (true, false) => Some(("server.tls_cert_file", "`server.tls_key_file` is needed with it".into())),
        (false, true) => Some(("server.tls_key_file", "`server.tls_cert_file` is needed with it".into())),
        (true, true) if r.get("server.tls_self_signed").bool() => Some((
            "server.tls_self_signed",
            "a certificate is given by `server.tls_cert_file`: have one or the other".into(),
        )),
        _ => None,
    }
}

/// Where spans cannot be sent.
fn collector_problem(telemetry: &Telemetry) -> Option<(&'static str, String)> {
    let url = telemetry.otlp_endpoint.as_ref()?;
    let known = url.starts_with("http://") || url.starts_with("https://");
    let text = || format!("{url:?} is no address: write it like `http://localhost:4318`");
    (!known).then(|| ("telemetry.otlp_endpoint", text()))
}

/// What of the keys of ICE is wrong.
fn ice_problem(ice: &Ice) -> Option<(&'static str, String)> {
    if ice.servers.len() > MOST_ICE_SERVERS {
        let text = format!(
            "{} addresses are too many: browsers slow down past a few, {MOST_ICE_SERVERS} are allowed",
            ice.servers.len()
        );
        return Some(("ice.servers", text));
    }
    if let Some(text) = ice.servers.iter().find_map(|url| check_url(url)) {
        return Some(("ice.servers", text));
    }
    match (&ice.turn_secret, &ice.turn_secret_file) {
        (Some(_), Some(_)) => {
            Some(("ice.turn_secret_file", "`ice.turn_secret` is given too: have one or the other".into()))
        }
        (None, None) if ice.servers.iter().any(|url| is_relay(url)) => Some((
            "ice.servers",
            "a TURN server wants credentials: set `ice.turn_secret` or `ice.turn_secret_file`".into(),
        )),
        _ => None,
    }
}

/// A name must be one of the manifest, with the right role.
fn check_model(manifest: &Result<Manifest, String>, role: Role, name: &str) -> Result<(), String> {
    let manifest = manifest.as_ref().map_err(Clone::clone)?;
    let model = manifest.find(name).map_err(|e| e.to_string())?;
    if model.role == role {
        return Ok(());
    }
    let fitting: Vec<_> = manifest.models.iter().filter(|m| m.role == role).map(|m| m.name.as_str()).collect();
    Err(format!(
        "`{name}` is a model for {}, not for {}; choose {}",
        model.role.name(),
        role.name(),
        fitting.join(" or ")
    ))
}
