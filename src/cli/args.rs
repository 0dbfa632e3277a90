//! What can be typed.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::app::AskArgs;

/// Real-time video dialogue: a camera and a microphone in over WebRTC, streamed answers out.
#[derive(Debug, Parser)]
#[command(name = "sightline", version, propagate_version = true, max_term_width = 110)]
#[command(
    after_help = "Exit codes: 0 done, 1 a defect of sightline, 2 something you can mend (the message says what)."
)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) common: Common,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

/// Flags of every command.
#[derive(Debug, Args)]
pub(super) struct Common {
    /// Read this TOML file instead of ./sightline.toml
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Set one key of the configuration; may be repeated
    #[arg(long, global = true, value_name = "SECTION.KEY=VALUE")]
    pub(super) set: Vec<String>,
    /// Where HTTP listens (server.bind)
    #[arg(long, global = true, value_name = "IP:PORT")]
    pub(super) bind: Option<String>,
    /// Where weights lie (models.dir)
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) models_dir: Option<String>,
    /// A folder with weights, looked into before any network is (models.mirror)
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) mirror: Option<String>,
    /// What is logged, as tracing directives (telemetry.log)
    #[arg(long, global = true, value_name = "DIRECTIVES")]
    pub(super) log: Option<String>,
    /// Print the configuration in force, with the origin of each value, and stop
    #[arg(long, global = true)]
    pub(super) print_config: bool,
    /// Check the configuration and stop
    #[arg(long, global = true)]
    pub(super) check_config: bool,
    /// Print a commented configuration with every key and its default, and stop
    #[arg(long, global = true)]
    pub(super) print_sample: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Serve the page and the API (this is also what happens without a command)
    Serve,
    /// Ask one question about a recorded file, through the same path as a live camera
    Ask(Ask),
    /// Say what is missing on this machine and how to mend it
    Doctor {
        /// One JSON object instead of lines
        #[arg(long)]
        json: bool,
    },
    /// Manage weights
    #[command(subcommand)]
    Models(Models),
}

#[derive(Debug, Args)]
pub(super) struct Ask {
    /// A video file (WebM, MP4, MKV …), with or without sound
    file: PathBuf,
    /// The question
    question: String,
    /// Print events and timings, one JSON object per line
    #[arg(long)]
    json: bool,
    /// Ask after this many seconds of the file instead of at its end
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    at: Option<Duration>,
}

impl From<Ask> for AskArgs {
    fn from(a: Ask) -> Self {
        Self { file: a.file, question: a.question, json: a.json, at: a.at }
    }
}

/// Seconds with or without a fraction.
fn seconds(text: &str) -> Result<Duration, String> {
    let value: f64 = text.parse().map_err(|_| "write seconds such as 2.5".to_owned())?;
    if !(0.0..=86_400.0).contains(&value) {
        return Err("between 0 and 86400 seconds".to_owned());
    }
    Ok(Duration::from_secs_f64(value))
}

#[derive(Debug, Subcommand)]
pub(super) enum Models {
    /// Show every model, its licence, and whether it is here
    List {
        /// JSON instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Fetch models; without names, the default ones and those of the configuration
    Pull {
        /// Names as in `models list`
        names: Vec<String>,
        /// The default models, besides those named
        #[arg(long)]
        defaults: bool,
    },
    /// Read every file again and compare it with its SHA-256
    Verify {
        /// Names; without any, every model that is here
        names: Vec<String>,
        /// JSON instead of lines
        #[arg(long)]
        json: bool,
    },
    /// Make converted files again from what the makers published
    Convert {
        /// Names of models that have a conversion
        #[arg(required = true)]
        names: Vec<String>,
        /// A folder with the published files, looked into first
        #[arg(long, value_name = "DIR")]
        from: Option<PathBuf>,
    },
}
