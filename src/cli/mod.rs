//! The command line: what the user typed, into a configuration and a call.
//!
//! Floor 5. Exit codes: 0 done, 1 a defect of ours, 2 something the user or operator can mend; the message says what.

mod args;
mod compress;
mod convert;
mod doctor;
mod memory;
mod models;
mod progress;
mod say;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

use crate::app;
use crate::base::ErrorClass;
use crate::config::{self, ConfigError, Loaded, Sources};
use crate::telemetry::{self, TelemetryError};
use crate::weights::WeightsError;
use args::{Cli, Command};

/// Why a command failed: what to print, and the exit code.
#[derive(Debug)]
struct Failure {
    class: ErrorClass,
    message: String,
}

impl From<ConfigError> for Failure {
    fn from(e: ConfigError) -> Self {
        Self { class: e.class(), message: e.to_string() }
    }
}

impl From<WeightsError> for Failure {
    fn from(e: WeightsError) -> Self {
        Self { class: e.class(), message: e.to_string() }
    }
}

impl From<TelemetryError> for Failure {
    fn from(e: TelemetryError) -> Self {
        Self { class: e.class(), message: e.to_string() }
    }
}

impl From<app::AppError> for Failure {
    fn from(e: app::AppError) -> Self {
        Self { class: e.class, message: e.message }
    }
}

impl From<io::Error> for Failure {
    fn from(e: io::Error) -> Self {
        Self { class: ErrorClass::Unavailable, message: format!("cannot write the output: {e}") }
    }
}

/// Reads arguments and environment of this process, does what they say, and returns the exit code.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(
        cli,
        std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))).collect(),
    ) {
        Ok(code) => code,
        // The reader of our output left (`| head`): not worth a word.
        Err(f) if f.message.contains("Broken pipe") => ExitCode::SUCCESS,
        Err(f) => {
            let _ = writeln!(io::stderr(), "sightline: {}", f.message);
            exit_code(f.class)
        }
    }
}

fn exit_code(class: ErrorClass) -> ExitCode {
    ExitCode::from(if class == ErrorClass::Internal { 1 } else { 2 })
}

fn run(cli: Cli, env: Vec<(String, String)>) -> Result<ExitCode, Failure> {
    let mut out = io::stdout().lock();
    if cli.common.print_sample {
        write!(out, "{}", config::sample())?;
        return Ok(ExitCode::SUCCESS);
    }
    let loaded = load(&cli, env)?;
    if cli.common.print_config {
        write!(out, "{}", loaded.print())?;
        return Ok(ExitCode::SUCCESS);
    }
    if cli.common.check_config {
        writeln!(out, "the configuration is right")?;
        return Ok(ExitCode::SUCCESS);
    }
    drop(out);
    let config = loaded.config;
    match cli.command.unwrap_or(Command::Serve) {
        Command::Serve => {
            telemetry::start_logging(&config.telemetry.log, config.telemetry.json)?;
            let metrics = telemetry::Metrics::install()?;
            models::preflight(&config)?;
            app::serve(&config, std::sync::Arc::new(move || metrics.render()))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Ask(ask) => {
            // The answer is the output; the log is shown only when somebody asked for more than the default.
            let log = if config.telemetry.log == "info" { "warn" } else { &config.telemetry.log };
            telemetry::start_logging(log, config.telemetry.json)?;
            models::preflight(&config)?;
            app::ask(&config, &ask.into())?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Say(say) => say::run(&config, &say),
        Command::Doctor { json } => doctor::run(&config, json),
        Command::Models(command) => models::run(&config, command),
        Command::Schemas { out } => write_schemas(&out),
        Command::Memory(command) => memory::run(&config, command),
    }
}

fn write_schemas(dir: &Path) -> Result<ExitCode, Failure> {
    for document in crate::schemas::documents() {
        let path = dir.join(document.path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(path, document.text)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Flags and environment become layers of the configuration.
fn load(cli: &Cli, env: Vec<(String, String)>) -> Result<Loaded, Failure> {
    let c = &cli.common;
    let mut flags = Vec::new();
    for pair in &c.set {
        let Some((key, value)) = pair.split_once('=') else {
            let message = format!("--set {pair}: write it as --set section.key=value");
            return Err(Failure { class: ErrorClass::Invalid, message });
        };
        flags.push(("--set".to_owned(), key.trim().to_owned(), value.trim().to_owned()));
    }
    for (flag, key, value) in [
        ("--bind", "server.bind", &c.bind),
        ("--models-dir", "models.dir", &c.models_dir),
        ("--mirror", "models.mirror", &c.mirror),
        ("--log", "telemetry.log", &c.log),
    ] {
        if let Some(value) = value {
            flags.push((flag.to_owned(), key.to_owned(), value.clone()));
        }
    }
    Ok(config::load(&Sources { file: c.config.clone(), dir: PathBuf::new(), env, flags })?)
}

#[cfg(test)]
mod tests;
