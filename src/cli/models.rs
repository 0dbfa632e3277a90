//! `sightline models …`.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::Failure;
use super::args::Models;
use super::convert::CONVERTERS;
use super::progress::{for_stderr, human};
use crate::config::Config;
use crate::weights::{
    FileState, Manifest, Model, ModelState, Progress, PullOptions, Pulled, Puller, Role, Store, WeightsError,
};

pub(super) fn run(config: &Config, command: Models) -> Result<ExitCode, Failure> {
    let manifest = Manifest::of(&config.models.dir)?;
    let store = Store::new(&config.models.dir);
    match command {
        Models::List { json } => list(&manifest, &store, json),
        Models::Pull { names, defaults } => pull(config, &manifest, &store, &names, defaults),
        Models::Verify { names, json } => verify(&manifest, &store, &names, json),
        Models::Compress(args) => super::compress::run(config, &manifest, &store, &args),
        Models::Convert { names, from } => convert(config, &manifest, &store, &names, from),
    }
}

/// Refuses weights that are damaged, and a missing language model, before anything loads them. Files are hashed once and remembered,
/// so this costs nothing from the second start on. Other models may be missing: the server says so and does without.
pub(super) fn preflight(config: &Config) -> Result<(), Failure> {
    let manifest = Manifest::of(&config.models.dir)?;
    let store = Store::new(&config.models.dir);
    let progress = for_stderr();
    for model in chosen(config, &manifest, &[], false)? {
        match store.require(model, &*progress) {
            Err(WeightsError::Missing { .. }) if model.role != Role::Llm => {}
            outcome => {
                outcome?;
            }
        }
    }
    Ok(())
}

fn list(manifest: &Manifest, store: &Store, as_json: bool) -> Result<ExitCode, Failure> {
    let states: Vec<_> = manifest.models.iter().map(|m| (m, store.inspect(m))).collect();
    let text = if as_json {
        let models: Vec<_> = states.iter().map(|(m, s)| to_json(m, s, store)).collect();
        format!("{:#}\n", json!({ "dir": store.dir(), "models": models }))
    } else {
        table(&states)
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn table(states: &[(&Model, ModelState)]) -> String {
    let mut out = format!("{:<30} {:<11} {:>8}  {:<12} {:<11} {}\n", "NAME", "ROLE", "SIZE", "LICENCE", "STATE", "");
    for (model, state) in states {
        let name = format!("{}{}", model.name, if model.default { " *" } else { "" });
        let size = human(model.installed_bytes().max(state.bytes()));
        let _ = writeln!(
            out,
            "{name:<30} {:<11} {size:>8}  {:<12} {:<11} {}",
            model.role.name(),
            model.licence,
            state.word(),
            model.about
        );
    }
    out.push_str("* fetched by `sightline models pull`\n");
    out
}

fn to_json(model: &Model, state: &ModelState, store: &Store) -> Value {
    let files: Vec<_> = state
        .files
        .iter()
        .map(|f| {
            let (word, problem) = match &f.state {
                FileState::Ready => ("ready", None),
                FileState::Unverified => ("unverified", None),
                FileState::Missing => ("missing", None),
                FileState::Damaged(why) => ("damaged", Some(why)),
            };
            json!({ "path": store.model_dir(model).join(&f.name), "bytes": f.bytes, "state": word, "problem": problem })
        })
        .collect();
    json!({
        "name": model.name, "role": model.role.name(), "licence": model.licence, "about": model.about,
        "default": model.default, "state": state.word(), "bytes": state.bytes(),
        "installed_bytes": model.installed_bytes(), "files": files,
    })
}

/// The models named; or, when none are, the defaults and those that the configuration uses.
fn chosen<'m>(
    config: &Config,
    manifest: &'m Manifest,
    names: &[String],
    defaults: bool,
) -> Result<Vec<&'m Model>, Failure> {
    let mut wanted: Vec<&Model> = names.iter().map(|n| manifest.find(n)).collect::<Result<_, _>>()?;
    if names.is_empty() {
        let m = &config.models;
        for name in [&m.llm, &m.asr, &m.detector, &m.classifier, &m.ocr, &m.embedder] {
            wanted.push(manifest.find(name)?);
        }
        if let Some(name) = &m.voice {
            wanted.push(manifest.find(name)?);
        }
    }
    if defaults {
        wanted.extend(manifest.models.iter().filter(|m| m.default));
    }
    let mut seen = Vec::new();
    wanted.retain(|m| {
        let new = !seen.contains(&&m.name);
        seen.push(&m.name);
        new
    });
    Ok(wanted)
}

fn options<'a>(config: &Config, progress: &'a dyn Progress) -> PullOptions<'a> {
    PullOptions { mirrors: config.models.mirror.iter().cloned().collect(), converters: CONVERTERS, progress }
}

fn pull(
    config: &Config,
    manifest: &Manifest,
    store: &Store,
    names: &[String],
    defaults: bool,
) -> Result<ExitCode, Failure> {
    let progress = for_stderr();
    let mut puller = Puller::new(store, options(config, &*progress));
    let mut failed = Vec::new();
    // One model that cannot be had does not keep the others from coming.
    for model in chosen(config, manifest, names, defaults)? {
        match puller.pull(model) {
            Ok(Pulled::AlreadyThere) => line(&format!("✓ {} is here and verified", model.name))?,
            Ok(Pulled::Files(n)) => {
                let (size, s) = (human(store.inspect(model).bytes()), if n == 1 { "" } else { "s" });
                line(&format!("✓ {} pulled: {n} file{s}, {size}", model.name))?;
            }
            // Asked for by name, it must come; as one of the defaults, the server does without it.
            Err(e) if model.optional && !names.contains(&model.name) => {
                line(&format!("! {} cannot be had here; going on without it ({})", model.name, model.role.without()))?;
                line(&indent(&e.to_string()))?;
            }
            Err(e) => {
                line(&format!("✗ {}", model.name))?;
                failed.push(e);
            }
        }
    }
    match failed.len() {
        0 => Ok(ExitCode::SUCCESS),
        _ => {
            let class = failed[0].class();
            let message = failed.iter().map(ToString::to_string).collect::<Vec<_>>().join("\nsightline: ");
            Err(Failure { class, message })
        }
    }
}

fn indent(text: &str) -> String {
    text.lines().map(|l| format!("    {l}")).collect::<Vec<_>>().join("\n")
}

fn verify(manifest: &Manifest, store: &Store, names: &[String], as_json: bool) -> Result<ExitCode, Failure> {
    let progress = for_stderr();
    let mut wanted: Vec<&Model> = names.iter().map(|n| manifest.find(n)).collect::<Result<_, _>>()?;
    if names.is_empty() {
        wanted = manifest.models.iter().filter(|m| store.inspect(m).word() != "missing").collect();
    }
    let mut results = Vec::new();
    let mut bad = Vec::new();
    for model in wanted {
        let state = store.verify(model, &*progress)?;
        if !state.is_ready() {
            bad.push(model.name.clone());
        }
        if !as_json {
            line(&format!("{} {}", if state.is_ready() { "✓" } else { "✗" }, model.name))?;
            for file in &state.files {
                match &file.state {
                    FileState::Damaged(why) => line(&format!("    {}: {why}", file.name))?,
                    FileState::Missing => line(&format!("    {}: missing", file.name))?,
                    _ => {}
                }
            }
        }
        results.push(to_json(model, &state, store));
    }
    if as_json {
        line(&format!("{:#}", json!({ "dir": store.dir(), "models": results })))?;
    } else if results.is_empty() {
        line(&format!("no model is in {}", store.dir().display()))?;
    }
    if bad.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let message = format!("not as they should be: {0}; run `sightline models pull {0}`", bad.join(" "));
    Err(Failure { class: crate::base::ErrorClass::Unavailable, message })
}

fn convert(
    config: &Config,
    manifest: &Manifest,
    store: &Store,
    names: &[String],
    from: Option<PathBuf>,
) -> Result<ExitCode, Failure> {
    let progress = for_stderr();
    let mut options = options(config, &*progress);
    if let Some(dir) = from {
        options.mirrors.insert(0, dir);
    }
    let mut puller = Puller::new(store, options);
    for name in names {
        let model = manifest.find(name)?;
        puller.convert(model)?;
        line(&format!("✓ {name} converted"))?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn line(text: &str) -> Result<(), Failure> {
    Ok(writeln!(io::stdout(), "{text}")?)
}
