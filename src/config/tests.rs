use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::keys::{KEYS, SECTIONS};
use super::resolve::{Reader, build};
use super::{ConfigError, Sources, layers, load, sample};

fn with_file(text: &str) -> (tempfile::TempDir, Sources) {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("sightline.toml"), text).unwrap();
    let sources = Sources { dir: dir.path().to_path_buf(), ..Sources::default() };
    (dir, sources)
}

fn flag(key: &str, value: &str) -> (String, String, String) {
    ("--set".to_owned(), key.to_owned(), value.to_owned())
}

fn problems(sources: &Sources) -> String {
    load(sources).expect_err("this must be refused").to_string()
}

#[test]
fn every_default_parses_and_every_key_is_read_once_it_is_declared() {
    let defaults = layers::defaults();
    for key in KEYS {
        assert!(defaults.contains_key(key.path), "the default of {} is not what the key takes", key.path);
        let section = key.path.split('.').next().unwrap();
        assert!(SECTIONS.iter().any(|(s, _)| *s == section), "{} has no section", key.path);
    }
    let reader = Reader::new(&defaults);
    build(&reader).unwrap();
    let read: Vec<_> = reader.read.borrow().iter().cloned().collect();
    let mut declared: Vec<_> = KEYS.iter().map(|k| k.path.to_owned()).collect();
    declared.sort();
    assert_eq!(read, declared);
}

#[test]
fn the_sample_file_has_every_key_and_equals_the_defaults() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("config.sample.toml");
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == sample(), "write config.sample.toml anew: sightline --print-sample > config.sample.toml");
    let from_sample = load(&Sources { file: Some(path), ..Sources::default() }).unwrap();
    assert_eq!(from_sample.config, load(&Sources::default()).unwrap().config);
    let table: toml::Table = toml::from_str(&committed).unwrap();
    for key in KEYS {
        let (section, name) = key.path.split_once('.').unwrap();
        assert!(table[section].get(name).is_some(), "{} is not in the sample", key.path);
    }
}

#[test]
fn a_key_that_looks_like_a_client_secret_is_refused_and_not_shown() {
    let key = |key: &str| Sources { flags: vec![flag("server.api_keys", key)], ..Sources::default() };
    let why = problems(&key("ek_sixteen-letters-1"));
    assert!(why.contains("server.api_keys") && why.contains("`ek_`") && !why.contains("letters"), "{why}");
    assert!(load(&key("sixteen-letters-ek_1")).is_ok());
}

#[test]
fn a_list_in_a_flag_may_be_written_with_commas_or_as_in_the_file() {
    let of = |text: &str| {
        load(&Sources { flags: vec![flag("ingest.bind_ips", text)], ..Sources::default() })
            .unwrap()
            .config
            .ingest
            .bind_ips
    };
    let two = of("127.0.0.1, 192.0.2.7");
    assert_eq!(two.len(), 2);
    assert_eq!(of(r#"["127.0.0.1", "192.0.2.7"]"#), two);
}

#[test]
fn flags_win_over_environment_over_file_over_defaults() {
    let (_dir, mut sources) =
        with_file("[server]\nmax_sessions = 5\n[listen]\nmin_speech_ms = 200\n[watch]\nmax_fps = 1");
    sources.env.push(("SIGHTLINE__SERVER__MAX_SESSIONS".into(), "6".into()));
    sources.env.push(("SIGHTLINE__LISTEN__MIN_SPEECH_MS".into(), "220".into()));
    sources.flags.push(flag("server.max_sessions", "7"));
    let loaded = load(&sources).unwrap();
    assert_eq!(loaded.config.server.max_sessions, 7);
    assert_eq!(loaded.config.listen.min_speech, Duration::from_millis(220));
    assert!((loaded.config.watch.max_fps - 1.0).abs() < 1e-6);
    assert_eq!(loaded.config.budget.decode, Duration::from_millis(10));
    let printed = loaded.print();
    assert!(printed.contains("max_sessions = 7  # flag --set"), "{printed}");
    assert!(printed.contains("min_speech_ms = 220  # environment variable SIGHTLINE__LISTEN__MIN_SPEECH_MS"));
    assert!(printed.contains("sightline.toml"));
    assert!(printed.contains("decode_ms = 10  # default"));
}

#[test]
fn what_is_printed_can_be_read_back_and_is_the_same() {
    let mut sources = Sources::default();
    sources.flags.push(flag("dialogue.system_prompt", "Say \"hello\"\nand # nothing else"));
    sources.flags.push(flag("watch.experts", "detector, ocr"));
    let first = load(&sources).unwrap();
    let (_dir, again) = with_file(&first.print());
    assert_eq!(load(&again).unwrap().config, first.config);
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_one_wherever_it_stands() {
    let (_dir, mut sources) = with_file("[server]\nmax_session = 5\n[lissen]\nthreshold = 0.5\nport = 3");
    sources.env.push(("SIGHTLINE__WATCH__MAXFPS".into(), "6".into()));
    sources.flags.push(flag("temperature", "0.5"));
    let text = problems(&sources);
    for part in [
        "`server.max_session` in ",
        "did you mean `server.max_sessions`",
        "did you mean the section `[listen]`",
        "environment variable SIGHTLINE__WATCH__MAXFPS",
        "did you mean `watch.max_fps`",
        "did you mean `dialogue.temperature`",
    ] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
}

#[test]
fn a_bad_value_is_refused_with_key_place_and_range() {
    for (toml, parts) in [
        ("[budget]\nasr_ms = 0", ["`budget.asr_ms`", "from 1 to 60000", "not 0"]),
        ("[budget]\nasr_ms = \"fast\"", ["`budget.asr_ms`", "from 1 to 60000", "not \"fast\""]),
        ("[listen]\nthreshold = 1.5", ["`listen.threshold`", "from 0.05 to 0.95", "not 1.5"]),
        ("[listen]\nthreshold = nan", ["`listen.threshold`", "from 0.05 to 0.95", "NaN"]),
        ("[server]\nbind = \"localhost\"", ["`server.bind`", "127.0.0.1:8080", "not \"localhost\""]),
        ("[ingest]\nudp_ports = \"5-1\"", ["`ingest.udp_ports`", "50000-50199", "not \"5-1\""]),
        ("[watch]\nexperts = [\"oracle\"]", ["`watch.experts`", "\"detector\"", "oracle"]),
        ("[engine]\ndevice = \"tpu\"", ["`engine.device`", "\"cuda\"", "not \"tpu\""]),
        ("[server]\nmax_sessions = 99999999999999999999", ["sightline.toml", "valid TOML", ""]),
        ("server = 3", ["unknown key `server`", "[server]", ""]),
    ] {
        let (_dir, sources) = with_file(toml);
        let text = problems(&sources);
        for part in parts {
            assert!(text.contains(part), "no {part:?} in {text}");
        }
    }
}

#[test]
fn an_open_door_without_a_key_is_refused_and_keys_are_never_shown() {
    let mut sources = Sources::default();
    sources.flags.push(flag("server.bind", "0.0.0.0:8080"));
    assert!(problems(&sources).contains("server.api_keys"));
    sources.flags.push(flag("server.api_keys", "a-secret-of-some-length"));
    assert!(!load(&sources).unwrap().print().contains("a-secret"));
    sources.flags.push(flag("server.api_keys", "short"));
    assert!(problems(&sources).contains("16 characters"));
    sources.flags.push(flag("server.api_keys", ""));
    sources.flags.push(flag("server.allow_anonymous", "true"));
    load(&sources).unwrap();
}

#[test]
fn keys_that_contradict_one_another_are_refused() {
    for (flags, part) in [
        (vec![("listen.silence_duration_ms", "900")], "budget.vad_end_ms"),
        (vec![("ingest.udp_ports", "50000-50001"), ("ingest.shared_port", "false")], "ingest.udp_ports"),
        (vec![("engine.context_tokens", "512")], "engine.context_tokens"),
        (vec![("models.llm", "moonshine-tiny")], "is a model for asr, not for llm"),
        (vec![("models.llm", "qwen2.5-coder-0.5b")], "did you mean `qwen2.5-coder-0.5b-instruct`"),
    ] {
        let flags = flags.into_iter().map(|(k, v)| flag(k, v)).collect();
        let text = problems(&Sources { flags, ..Sources::default() });
        assert!(text.contains(part), "no {part:?} in {text}");
    }
}

#[test]
fn a_file_that_was_named_must_be_there_and_one_that_was_not_need_not_be() {
    let missing = Sources { file: Some("no/such/file.toml".into()), ..Sources::default() };
    assert!(matches!(load(&missing), Err(ConfigError::Read { .. })));
    let dir = tempfile::tempdir().unwrap();
    load(&Sources { dir: dir.path().to_path_buf(), ..Sources::default() }).unwrap();
}

#[test]
fn short_environment_names_work_and_are_weaker_than_long_ones() {
    let mut sources = Sources::default();
    sources.env.push(("SIGHTLINE_MODELS".into(), "/short".into()));
    assert_eq!(load(&sources).unwrap().config.models.dir, PathBuf::from("/short"));
    sources.env.push(("SIGHTLINE__MODELS__DIR".into(), "/long".into()));
    assert_eq!(load(&sources).unwrap().config.models.dir, PathBuf::from("/long"));
    sources.env = vec![("SIGHTLINE_MODELS".into(), String::new())];
    assert_eq!(load(&sources).unwrap().config.models.dir, PathBuf::from("models"));
}
