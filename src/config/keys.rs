//! Every key: its default, what it may be, and what it is for. `config.sample.toml` and `--print-config` are written from this table.

use super::value::Kind;

/// One key.
pub(super) struct Key {
    /// `section.name`.
    pub(super) path: &'static str,
    /// What it takes.
    pub(super) kind: Kind,
    /// The default, as TOML.
    pub(super) default: &'static str,
    /// What it does, in which unit, and what goes wrong when it is wrong.
    pub(super) about: &'static str,
}

const fn key(path: &'static str, kind: Kind, default: &'static str, about: &'static str) -> Key {
    Key { path, kind, default, about }
}

/// What each section is for.
pub(super) const SECTIONS: &[(&str, &str)] = &[
    ("server", "HTTP and WebSocket"),
    ("ingest", "WebRTC: how browsers reach us with sound and picture"),
    (
        "ice",
        "STUN and TURN servers that clients are told of, for networks from which this machine cannot be reached directly",
    ),
    ("decode", "GStreamer: from compressed to plain"),
    ("listen", "When somebody speaks"),
    ("watch", "Which frames are looked at, and by whom"),
    ("memory", "What is remembered of a session, in main memory"),
    ("archive", "Memories on disk, so that a session can go on after a restart; off without a folder"),
    ("models", "Which weights; `sightline models list` shows what there is"),
    ("engine", "The device that runs the models"),
    ("dialogue", "What is asked of the language model"),
    ("budget", "Deadlines per stage; an overrun is counted and answered by doing less"),
    ("telemetry", "What the server says about itself"),
];

const MIB: i64 = 1 << 20;
const HOUR_MS: i64 = 3_600_000;

pub(super) const GATES: &[&str] = &["codec", "luma", "patches", "motion", "region"];
pub(super) const EXPERTS: &[&str] = &["detector", "classifier", "ocr"];

pub(super) const KEYS: &[Key] = &[
    key(
        "server.bind",
        Kind::Addr,
        "\"127.0.0.1:8080\"",
        "Where HTTP listens. Browsers give camera and microphone only to localhost and to HTTPS pages: for any other address set server.tls_self_signed or the certificate's files, or put a TLS proxy before it.",
    ),
    key("server.web_root", Kind::Path, "\"web/dist\"", "The built page that is served at `/`."),
    key(
        "server.api_keys",
        Kind::Texts,
        "[]",
        "Keys that open the API (`Authorization: Bearer KEY`). Without any, only loopback addresses may be bound.",
    ),
    key(
        "server.keys_file",
        Kind::Path,
        "\"\"",
        "A TOML file with more keys, each with a name and what it may do: `[[key]]`, `name`, `key`, and `allow` with any of models, max_sessions, max_session_s, max_fps, client_events, origins.",
    ),
    key(
        "server.allowed_origins",
        Kind::Texts,
        "[]",
        "Pages of other servers, such as `https://shop.example`, that may use this one where no key is needed. Its own pages always may.",
    ),
    key(
        "server.tls_cert_file",
        Kind::Path,
        "\"\"",
        "Certificate in PEM form, its issuers after it: with it the server speaks HTTPS. Read again when it changes.",
    ),
    key("server.tls_key_file", Kind::Path, "\"\"", "Private key of that certificate, in PEM form."),
    key(
        "server.tls_self_signed",
        Kind::Bool,
        "false",
        "Speak HTTPS with a certificate made on this machine. Browsers warn of it once. For development and closed networks.",
    ),
    key(
        "server.tls_dir",
        Kind::Path,
        "\"tls\"",
        "Where that certificate is kept, so that a browser that has accepted it goes on doing so.",
    ),
    key(
        "server.allow_anonymous",
        Kind::Bool,
        "false",
        "Let everybody in who reaches a non-loopback address, without a key. For closed networks only.",
    ),
    key(
        "server.max_sessions",
        Kind::Int(1, 1_000),
        "4",
        "Conversations at once; the next one is refused with 429. Two CPU cores carry about two.",
    ),
    key(
        "server.admission",
        Kind::Choice(&["measured", "fixed"]),
        "\"measured\"",
        "`measured`: of these only as many as this machine can answer in time, by what work was found to cost at start-up and since. `fixed`: all.",
    ),
    key(
        "server.resume_grace_ms",
        Kind::Int(0, HOUR_MS),
        "30000",
        "How long a session waits for a client that asked for `resume` and lost its connection, with its place. Whoever is away longest makes room when all are taken. 0: not at all.",
    ),
    key(
        "server.max_sessions_per_key",
        Kind::Int(0, 1_000),
        "0",
        "Conversations at once with one of server.api_keys; the next one is refused with 429. 0: as many as there are.",
    ),
    key(
        "server.max_session_s",
        Kind::Int(0, 604_800),
        "0",
        "Longest conversation in seconds; its clients are told a minute before. 0: as long as they stay.",
    ),
    key(
        "server.max_message_bytes",
        Kind::Int(64 << 10, 256 * MIB),
        "16777216",
        "Longest message of a client in bytes; pictures arrive inside messages, in base64.",
    ),
    key(
        "server.write_deadline_ms",
        Kind::Int(100, HOUR_MS),
        "10000",
        "A client that takes longer to accept one message is closed with 1013.",
    ),
    key(
        "server.drain_ms",
        Kind::Int(0, HOUR_MS),
        "2000",
        "How long sessions may go on after SIGTERM or Ctrl-C, with nobody new let in; then they are closed with 1012. Without sessions it stops at once.",
    ),
    key(
        "server.ping_interval_ms",
        Kind::Int(1_000, HOUR_MS),
        "15000",
        "Ping after this long without traffic; two without an answer end the connection.",
    ),
    key(
        "ingest.udp_ports",
        Kind::Ports,
        "\"50000-50199\"",
        "Ports for media. All conversations share the first that is free; open it in the firewall, for UDP and TCP.",
    ),
    key(
        "ingest.shared_port",
        Kind::Bool,
        "true",
        "One port for all conversations. Without it each takes one of `ingest.udp_ports`, and all of them must be open.",
    ),
    key(
        "ingest.tcp",
        Kind::Bool,
        "true",
        "Take media over TCP too, on the shared port, from networks that let no UDP through.",
    ),
    key(
        "ingest.dtx",
        Kind::Bool,
        "true",
        "Ask clients to send next to nothing while there is silence (discontinuous transmission of Opus).",
    ),
    key("ingest.bind_ips", Kind::Ips, "[]", "Local addresses for media. Empty: all of this machine, loopback too."),
    key(
        "ingest.public_ips",
        Kind::Ips,
        "[]",
        "Addresses told to browsers instead of the local ones, where the machine stands behind a 1:1 NAT.",
    ),
    key(
        "ingest.connect_timeout_ms",
        Kind::Int(1_000, 120_000),
        "20000",
        "A call that has no media after this long is ended.",
    ),
    key(
        "ingest.disconnected_ms",
        Kind::Int(500, 120_000),
        "5000",
        "Silence on the media path after which it counts as disconnected.",
    ),
    key("ingest.failed_ms", Kind::Int(1_000, 600_000), "15000", "Further silence after which the call is ended."),
    key(
        "ice.servers",
        Kind::Texts,
        "[]",
        "Addresses such as \"stun:stun.example.net:3478\" or \"turn:turn.example.net?transport=tcp\", at most 16. Clients use them, the server does not.",
    ),
    key(
        "ice.turn_secret",
        Kind::Text(1_024),
        "\"\"",
        "The secret that the TURN server has too (coturn: `use-auth-secret` and `static-auth-secret`). Credentials of clients are made with it.",
    ),
    key("ice.turn_secret_file", Kind::Path, "\"\"", "A file with that secret, in the place of `ice.turn_secret`."),
    key("ice.turn_ttl_s", Kind::Int(60, 86_400), "3600", "Seconds for which credentials of a client are valid."),
    key(
        "decode.pipelines_dir",
        Kind::Path,
        "\"\"",
        "A folder with `decode/*.gst` in place of the GStreamer graphs compiled in. Empty: those compiled in.",
    ),
    key(
        "decode.max_side",
        Kind::Int(16, 4_096),
        "1280",
        "Long side of the frames that are looked at, in pixels; larger pictures are scaled down. More costs time in every later stage.",
    ),
    key(
        "decode.max_input_width",
        Kind::Int(64, 8_192),
        "1920",
        "Largest picture accepted, long side in pixels. Larger streams are not decoded: it keeps decoders from allocating gigabytes.",
    ),
    key("decode.max_input_height", Kind::Int(64, 8_192), "1080", "The same for the short side."),
    key(
        "listen.threshold",
        Kind::Float(0.05, 0.95),
        "0.5",
        "Probability above which a frame of sound counts as speech. Lower hears whispers, and fans.",
    ),
    key(
        "listen.silence_duration_ms",
        Kind::Int(100, 5_000),
        "500",
        "Silence after which the speaker counts as finished. Shorter answers sooner and interrupts people who think. Of no account to clients that ask for semantic_vad, such as the page.",
    ),
    key(
        "listen.prefix_padding_ms",
        Kind::Int(0, 2_000),
        "300",
        "Sound kept from before speech was noticed, so that first syllables are not lost.",
    ),
    key("listen.min_speech_ms", Kind::Int(0, 1_000), "96", "Shorter sounds are not speech: clicks, coughs."),
    key(
        "listen.max_utterance_s",
        Kind::Int(2, 30),
        "30",
        "Longer speech is cut here and answered. The recognisers take at most 30 s.",
    ),
    key("watch.max_fps", Kind::Float(0.1, 10.0), "2.0", "Frames per second that perception looks at, at most."),
    key(
        "watch.change_threshold",
        Kind::Float(0.001, 1.0),
        "0.02",
        "Mean change of brightness, as a fraction, that makes a frame worth a look. Lower lets sensor noise through.",
    ),
    key(
        "watch.gates",
        Kind::Choices(GATES),
        "[\"codec\", \"luma\", \"patches\", \"motion\", \"region\"]",
        "What spares looks: a frame is worth one after a change of its mean brightness (`luma`) or of some of its patches, with `motion` once that is still again or the camera has turned. `codec` spares converting pictures whose coded size says that nothing moved. With `region` a look takes the part of the picture in which something changed, where it is small enough; what a question waits for is looked at whole. Without luma and patches every frame is looked at that `watch.max_fps` allows.",
    ),
    key(
        "watch.keep_alive_s",
        Kind::Float(0.5, 600.0),
        "5.0",
        "A frame is looked at after this long even when little changed, and after twice this long when nothing did, in seconds.",
    ),
    key(
        "watch.experts",
        Kind::Choices(EXPERTS),
        "[\"detector\", \"classifier\", \"ocr\"]",
        "Who looks: objects and where they are, what the main thing is, what can be read. Fewer is faster.",
    ),
    key(
        "memory.enabled",
        Kind::Bool,
        "true",
        "Remember what was seen and said. Without it only the last few looks are known, and nothing is archived.",
    ),
    key(
        "memory.live_looks",
        Kind::Int(1, 16),
        "4",
        "Newest looks kept whole. Questions about the present are answered from these alone.",
    ),
    key("memory.working_s", Kind::Int(4, 256), "32", "The newest seconds kept second by second."),
    key(
        "memory.events",
        Kind::Int(16, 8_192),
        "512",
        "Events kept one by one, about 30 KB each; older ones are merged. 512 are one to four hours.",
    ),
    key(
        "memory.roots",
        Kind::Int(4, 1_024),
        "64",
        "Merged stretches kept of everything older, up to 200 KB each. Fewer remember the far past more coarsely.",
    ),
    key(
        "memory.max_event_s",
        Kind::Int(5, 3_600),
        "30",
        "An event is cut when the picture changes, and after this long at the latest.",
    ),
    key(
        "memory.keyframe_side",
        Kind::Int(64, 1_280),
        "320",
        "Long side of remembered pictures, in pixels. 320 take about 10 KB each; larger ones are dropped when over 32 KB.",
    ),
    key(
        "memory.similarity_floor",
        Kind::Float(0.0, 1.0),
        "0.35",
        "Below this likeness to what was asked for, the answer is that it was not seen. Lower finds more, and more that is wrong.",
    ),
    key(
        "archive.dir",
        Kind::Path,
        "\"\"",
        "Folder for memories: events, pictures, what was said. Empty: none, a memory ends with its session. One process per folder.",
    ),
    key(
        "archive.quota_mb",
        Kind::Int(16, 1 << 20),
        "2048",
        "Most megabytes that memories may take on disk; beyond it the oldest pictures go, then the oldest events.",
    ),
    key(
        "archive.key_file",
        Kind::Path,
        "\"\"",
        "A file with 64 hex digits or a passphrase: everything in the archive is encrypted with it. Empty: in the clear. \
         An archive is encrypted from its first day or never.",
    ),
    key(
        "archive.max_memories",
        Kind::Int(1, 10_000),
        "200",
        "Most memories; one more drops the one that was written to longest ago.",
    ),
    key(
        "archive.retention_h",
        Kind::Int(0, 87_600),
        "0",
        "Hours after which what was kept is deleted. 0: when the quota needs the room.",
    ),
    key("models.dir", Kind::Path, "\"models\"", "Where weights lie: `DIR/NAME/FILE`. SIGHTLINE_MODELS sets it too."),
    key(
        "models.mirror",
        Kind::Path,
        "\"\"",
        "A folder with weights, looked into before any network is. Empty: none. SIGHTLINE_MODEL_MIRROR sets it too.",
    ),
    key(
        "models.llm",
        Kind::Text(100),
        "\"qwen2.5-coder-0.5b-instruct\"",
        "Writes the answers. `qwen2.5-coder-1.5b-instruct` writes better and takes about twice as long.",
    ),
    key("models.asr", Kind::Text(100), "\"moonshine-tiny\"", "Hears the words (English)."),
    key("models.detector", Kind::Text(100), "\"yolox-nano\"", "Says which objects are where."),
    key("models.classifier", Kind::Text(100), "\"efficientnet-lite\"", "Says what the main thing is."),
    key("models.ocr", Kind::Text(100), "\"ppocr\"", "Reads text in the picture."),
    key(
        "models.embedder",
        Kind::Text(100),
        "\"all-minilm-l6-v2\"",
        "Finds what is remembered by its meaning (English). Without it memory goes by words and times.",
    ),
    key(
        "models.voice",
        Kind::Text(100),
        "\"\"",
        "Says answers aloud to clients that ask for sound (English): `kokoro-82m`. Empty: the voice that is installed, if one is.",
    ),
    key(
        "engine.device",
        Kind::Choice(&["auto", "cpu", "cuda", "metal"]),
        "\"auto\"",
        "What runs the models. `auto` takes a GPU when this build has one compiled in and the machine has it.",
    ),
    key(
        "engine.threads",
        Kind::Int(0, 256),
        "0",
        "CPU threads of perception, of speech recognition and of the voice, each; no more than there are cores. 0: one per core, for speech recognition one per physical core. The language model takes one per physical core, or RAYON_NUM_THREADS.",
    ),
    key(
        "engine.context_tokens",
        Kind::Int(512, 32_768),
        "2048",
        "Longest prompt and answer together, in tokens. Memory grows with it, per conversation.",
    ),
    key(
        "engine.draft_tokens",
        Kind::Int(0, 6),
        "5",
        "Tokens of an answer that are guessed from the text before and checked together, at most; fewer where guesses come to nothing. They change no answer. 0: none.",
    ),
    key(
        "dialogue.system_prompt",
        Kind::Text(16_384),
        "\"\"",
        "Replaces the built-in instructions. Empty: the built-in ones.",
    ),
    key("dialogue.max_output_tokens", Kind::Int(1, 4_096), "96", "Longest answer, in tokens."),
    key(
        "dialogue.temperature",
        Kind::Float(0.0, 2.0),
        "0.0",
        "Chance in the choice of words. 0: always the likeliest, the same answer to the same prompt.",
    ),
    key(
        "dialogue.prompt_tokens",
        Kind::Int(128, 32_768),
        "768",
        "Room for instructions, what perception saw, earlier turns and the question, in tokens; earlier turns are left out first, then facts.",
    ),
    key(
        "dialogue.voice_wait_ms",
        Kind::Int(100, 600_000),
        "8000",
        "How long the voice may take for a piece of an answer, with 100 ms more for each character. Then the answer goes on as text.",
    ),
    key(
        "dialogue.answer_ahead",
        Kind::Bool,
        "true",
        "Whether an answer is begun at the probable end of a spoken question, before it is sure that the person has finished; nobody is told of it until then. It is made in vain when they go on.",
    ),
    key("budget.decode_ms", Kind::Int(1, 60_000), "10", "One access unit to a picture."),
    key(
        "budget.vad_end_ms",
        Kind::Int(1, 60_000),
        "550",
        "End of speech to the decision that the turn ended. listen.silence_duration_ms is part of it.",
    ),
    key("budget.asr_ms", Kind::Int(1, 60_000), "400", "End of turn to its transcript."),
    key("budget.recall_ms", Kind::Int(1, 60_000), "150", "A question about the past to what memory says to it."),
    key(
        "budget.perceive_ms",
        Kind::Int(1, 60_000),
        "150",
        "How long an answer waits for a fresh look; after that it is given from what is known.",
    ),
    key("budget.prefill_ms", Kind::Int(1, 60_000), "250", "Prompt handed over to taken in."),
    key("budget.first_token_ms", Kind::Int(1, 60_000), "300", "Prompt handed over to first token."),
    key("budget.total_ms", Kind::Int(1, 60_000), "1000", "End of speech, or the typed question, to first token."),
    key(
        "budget.most_load_percent",
        Kind::Int(1, 100),
        "85",
        "Share of the device's time that speech and answers of all sessions may take; one that would make it more is refused with 429.",
    ),
    key(
        "budget.calibration_ms",
        Kind::Int(0, 60_000),
        "4000",
        "What measuring the costs of work at start-up may take. 0: they are learnt from the first turns.",
    ),
    key(
        "telemetry.log",
        Kind::Text(1_000),
        "\"info\"",
        "What is logged, as tracing directives: `info`, or `warn,sightline=debug`. RUST_LOG sets it too.",
    ),
    key("telemetry.log_format", Kind::Choice(&["text", "json"]), "\"text\"", "For people, or as a JSON object a line."),
    key(
        "telemetry.otlp_endpoint",
        Kind::Text(1_000),
        "\"\"",
        "A collector that takes OTLP over HTTP, such as `http://localhost:4318`: the spans of each turn go to its `/v1/traces`, as JSON. Empty: nowhere.",
    ),
    key(
        "telemetry.trace_dir",
        Kind::Path,
        "\"\"",
        "A folder that gets, when a session ends, where the time of its newest turns went: SESSION.json, to be opened in ui.perfetto.dev.",
    ),
];

/// Keys whose values are never shown.
const SECRET: &[&str] = &["server.api_keys", "ice.turn_secret"];

impl Key {
    /// Its value is not to be shown, not even a wrong one: that may be a right one with a slip.
    pub(super) fn is_secret(&self) -> bool {
        SECRET.contains(&self.path)
    }
}
