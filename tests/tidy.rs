//! The rules of the house that a machine can check. ARCHITECTURE.md says why they are there.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot go on says so, and a measurement reads the clock"
)]

use std::fs;
use std::path::{Path, PathBuf};

const MAX_FILE_LINES: usize = 500;
const MAX_FN_LINES: usize = 60;

/// Module and floor; within floor 5 the second number is the order, and a module may use those before it.
const FLOORS: &[(&str, u32)] = &[
    ("base", 0),
    ("flow", 10),
    ("wire", 10),
    ("watch", 10),
    ("listen", 10),
    ("budget", 10),
    ("memory", 11),   // remembers what `watch` found
    ("schemas", 11),  // writes down what `wire` says
    ("dialogue", 12), // decides over what the other floor-1 modules say, so it stands on their shoulders
    ("ingest", 20),
    ("decode", 20),
    ("model", 20),
    ("store", 20),
    ("weights", 20),
    ("engine", 30),
    ("session", 40),
    ("telemetry", 50),
    ("config", 51),
    ("server", 52),
    ("app", 53),
    ("cli", 54),
    ("main", 55),
    ("lib", 99),
];

/// A foreign crate and the only paths that may name it.
const DOORS: &[(&str, &[&str])] = &[
    ("webrtc", &["src/ingest/"]),
    ("rtc", &["src/ingest/"]),
    ("ring", &["src/ingest/", "src/server/tls/"]),
    ("gstreamer", &["src/decode/"]),
    ("gstreamer_app", &["src/decode/"]),
    ("gstreamer_video", &["src/decode/"]),
    ("rubato", &["src/decode/"]),
    ("image", &["src/decode/"]),
    ("candle_core", &["src/model/"]),
    ("candle_nn", &["src/model/"]),
    ("candle_transformers", &["src/model/"]),
    ("tokenizers", &["src/model/"]),
    ("safetensors", &["src/model/"]),
    ("rten", &["src/model/onnx/"]),
    ("rten_tensor", &["src/model/onnx/"]),
    ("earshot", &["src/model/vad/"]),
    ("sonora", &["src/model/echo/"]),
    ("axum", &["src/server/"]),
    ("tower_http", &["src/server/"]),
    ("hyper", &["src/server/connections.rs"]),
    ("hyper_util", &["src/server/connections.rs"]),
    ("tokio_rustls", &["src/server/tls/"]),
    ("rcgen", &["src/server/tls/"]),
    ("clap", &["src/cli/", "src/main.rs"]),
    ("toml", &["src/config/", "src/weights/"]),
    ("indicatif", &["src/cli/", "src/weights/"]),
    ("ureq", &["src/weights/", "src/app/otlp.rs"]),
    ("zip", &["src/weights/"]),
    ("tar", &["src/weights/"]),
    ("flate2", &["src/weights/"]),
    ("sha2", &["src/weights/", "src/store/"]),
    ("rusqlite", &["src/store/"]),
    ("chacha20poly1305", &["src/store/"]),
    ("argon2", &["src/store/"]),
    ("zeroize", &["src/store/"]),
    ("half", &["src/memory/", "src/model/kernels/", "src/model/llm/compress/", "src/model/llm/packing.rs"]),
    ("schemars", &["src/wire/"]),
    ("tracing_subscriber", &["src/telemetry.rs"]),
    ("metrics_exporter_prometheus", &["src/telemetry.rs"]),
];

fn sources() -> Vec<(String, String)> {
    fn walk(dir: &Path, out: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, out);
            } else if path.extension().is_some_and(|e| e == "rs") {
                out.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    walk(&root.join("src"), &mut paths);
    paths.sort();
    assert!(paths.len() > 20, "the walk found only {} files: it is looking in the wrong place", paths.len());
    paths
        .into_iter()
        .map(|p| (p.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/"), fs::read_to_string(&p).unwrap()))
        .collect()
}

/// Lines of code with their numbers: comments, and everything from a `#[cfg(test)]` to the end, left out.
fn code(text: &str) -> Vec<(usize, &str)> {
    text.lines()
        .enumerate()
        .take_while(|(_, l)| l.trim() != "#[cfg(test)]")
        .filter(|(_, l)| !l.trim_start().starts_with("//"))
        .map(|(i, l)| (i + 1, l.split(" // ").next().unwrap_or(l)))
        .collect()
}

fn is_test_file(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/") || path.contains("/test_")
}

fn module_of(path: &str) -> &str {
    path.trim_start_matches("src/").split('/').next().unwrap().trim_end_matches(".rs")
}

fn floor(module: &str) -> Option<u32> {
    FLOORS.iter().find(|(m, _)| *m == module).map(|(_, f)| *f)
}

fn report(rule: &str, broken: &[String]) {
    assert!(broken.is_empty(), "{rule}:\n  {}", broken.join("\n  "));
}

#[test]
fn imports_go_down_only() {
    let mut broken = Vec::new();
    for (path, text) in sources() {
        let here = module_of(&path);
        let Some(mine) = floor(here) else {
            broken.push(format!("{path}: module `{here}` has no floor in tests/tidy.rs"));
            continue;
        };
        if is_test_file(&path) || here == "lib" {
            continue;
        }
        for (line, l) in code(&text) {
            for part in l.split("crate::").skip(1) {
                let target: String = part.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                match floor(&target) {
                    Some(theirs) if target != here && theirs >= mine => {
                        broken.push(format!("{path}:{line}: `{here}` may not use `{target}`"));
                    }
                    _ => {}
                }
            }
            if l.contains("super::super") {
                broken.push(format!("{path}:{line}: write `crate::…` instead of `super::super`"));
            }
        }
    }
    report("imports go down only (floors in ARCHITECTURE.md)", &broken);
}

#[test]
fn one_foreign_library_stands_behind_one_door() {
    let mut broken = Vec::new();
    for (path, text) in sources() {
        for (line, l) in code(&text) {
            for (name, doors) in DOORS {
                let named = l.match_indices(&format!("{name}::")).any(|(at, _)| {
                    let before = l[..at].chars().next_back();
                    !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
                });
                if named && !doors.iter().any(|d| path.starts_with(d)) {
                    broken.push(format!("{path}:{line}: `{name}` belongs in {doors:?}"));
                }
            }
        }
    }
    report("one foreign library, one folder", &broken);
}

#[test]
fn what_must_not_be_written_is_not_written() {
    const BANNED: &[(&str, &[&str], &str)] = &[
        ("Instant::now", &["src/app/"], "time is an argument; the one clock is app::SystemClock"),
        ("SystemTime::now", &["src/app/"], "time is an argument; the one clock is app::SystemClock"),
        ("unbounded_channel", &[], "every queue has a bound"),
        ("unbounded()", &[], "every queue has a bound"),
        ("mpsc::channel()", &[], "std's mpsc::channel has no bound; use sync_channel"),
        ("thread::sleep", &[], "wait for an event, not for time"),
        ("todo!(", &[], "no stub is called done"),
        ("unimplemented!(", &[], "no stub is called done"),
        ("dbg!(", &[], "use tracing"),
        ("set_var(", &[], "the environment is read once, never written"),
        ("unsafe {", &["src/model/kernels/"], "unsafe only in the kernel folder"),
        ("unsafe fn", &["src/model/kernels/"], "unsafe only in the kernel folder"),
    ];
    let mut broken = Vec::new();
    for (path, text) in sources().into_iter().filter(|(path, _)| !is_test_file(path)) {
        for (line, l) in code(&text) {
            for (word, allowed, why) in BANNED {
                if l.contains(word) && !allowed.iter().any(|a| path.starts_with(a)) {
                    broken.push(format!("{path}:{line}: `{word}`: {why}"));
                }
            }
        }
    }
    report("banned words", &broken);
}

#[test]
fn files_and_functions_fit_a_screen_or_two() {
    let mut broken = Vec::new();
    for (path, text) in sources() {
        let lines = text.lines().count();
        if lines > MAX_FILE_LINES {
            broken.push(format!("{path}: {lines} lines, {MAX_FILE_LINES} allowed"));
        }
        if is_test_file(&path) {
            continue;
        }
        let all = code(&text);
        for (i, (line, l)) in all.iter().enumerate() {
            let body = l.trim_start();
            let starts =
                ["fn ", "pub fn ", "async fn ", "pub async fn ", "pub(crate) fn ", "pub(super) fn ", "const fn "];
            if !starts.iter().any(|s| body.starts_with(s)) {
                continue;
            }
            let close = format!("{}}}", " ".repeat(l.len() - body.len()));
            if let Some((end, _)) = all[i..].iter().find(|(_, x)| *x == close)
                && end - line + 1 > MAX_FN_LINES
            {
                broken.push(format!("{path}:{line}: function of {} lines, {MAX_FN_LINES} allowed", end - line + 1));
            }
        }
    }
    report("sizes", &broken);
}

#[test]
fn every_module_says_what_it_is() {
    let missing: Vec<String> = sources()
        .into_iter()
        .filter(|(p, t)| !is_test_file(p) && !t.trim_start().starts_with("//!"))
        .map(|(p, _)| format!("{p}: begins without a `//!` line"))
        .collect();
    report("every file begins with what it is", &missing);
}

#[test]
fn every_command_the_docs_name_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| fs::read_to_string(root.join(name)).unwrap();
    let makefile = read("Makefile");
    let sightline = |word: &str| {
        ["serve", "ask", "say", "doctor", "models", "memory", "schemas"].contains(&word) || word.starts_with("--")
    };
    let mut broken = Vec::new();
    let mut seen = 0;
    for page in
        ["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "PROTOCOL.md", "docs/performance.md", "docs/quality.md"]
    {
        let text = read(page);
        // Commands stand in backticks or in indented blocks.
        let quoted = text.split('`').skip(1).step_by(2).chain(text.lines().filter_map(|l| l.strip_prefix("    ")));
        for command in quoted {
            let mut words = command.split_whitespace();
            let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            let there = match first {
                "make" => makefile.contains(&format!("\n{second}:")),
                "sightline" => sightline(second),
                _ => continue,
            };
            seen += 1;
            if !there {
                broken.push(format!("{page}: `{first} {second}` is not there"));
            }
        }
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if !link.contains("://") && !link.starts_with('#') && !root.join(page).with_file_name(link).exists() {
                broken.push(format!("{page}: link to {link}, which is not there"));
            }
        }
    }
    assert!(seen > 8, "only {seen} commands found: the test is looking wrongly");
    report("commands and links in the docs", &broken);
}

#[test]
fn the_queue_table_of_architecture_md_is_the_one_in_the_code() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md")).unwrap();
    let missing: Vec<String> = sightline::flow::TABLE
        .iter()
        .map(|q| format!("| {} | {} | {} | {} |", q.name, q.item, q.capacity, q.when_full))
        .filter(|row| !page.contains(row))
        .collect();
    report("rows missing from ARCHITECTURE.md", &missing);
}
