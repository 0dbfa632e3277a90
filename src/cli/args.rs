//! What can be typed.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use super::compress::Compress;
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
    /// Speak a text into a WAV file, and say how long it took and when each word is heard
    Say(Say),
    /// Say what is missing on this machine and how to mend it
    Doctor {
        /// One JSON object instead of lines
        #[arg(long)]
        json: bool,
    },
    /// Manage weights
    #[command(subcommand)]
    Models(Models),
    /// Write the JSON Schemas, the AsyncAPI and OpenAPI documents and the TypeScript types of the protocol
    Schemas {
        /// The folder that gets `schemas/` and `web/`
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Look into the archive of memories (archive.dir), take from it, delete from it
    #[command(subcommand)]
    Memory(Memory),
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
    /// Ask at this point of the file instead of at its end: seconds, or hh:mm:ss
    #[arg(long, value_name = "TIME", value_parser = time)]
    at: Option<Duration>,
}

#[derive(Debug, Args)]
pub(super) struct Say {
    /// What is said (English)
    pub(super) text: String,
    /// The file that is written
    #[arg(long, value_name = "FILE")]
    pub(super) out: PathBuf,
    /// Which voice (models.voice, or the first of the manifest)
    #[arg(long, value_name = "NAME")]
    pub(super) voice: Option<String>,
    /// How fast; 1 is the voice's own pace
    #[arg(long, default_value_t = 1.0, value_name = "0.5-2", value_parser = pace)]
    pub(super) speed: f32,
}

fn pace(text: &str) -> Result<f32, String> {
    let pace = text.parse().ok().filter(|p| (0.5..=2.0).contains(p));
    pace.ok_or_else(|| "between 0.5 and 2".to_owned())
}

impl From<Ask> for AskArgs {
    fn from(a: Ask) -> Self {
        Self { file: a.file, question: a.question, json: a.json, at: a.at }
    }
}

/// `2.5`, `01:30` or `00:10:00`.
fn time(text: &str) -> Result<Duration, String> {
    let wrong = || "write seconds such as 2.5, or hh:mm:ss such as 00:10:00".to_owned();
    let mut value = 0.0;
    for (i, part) in text.split(':').enumerate() {
        let n: f64 = part.parse().map_err(|_| wrong())?;
        let sane = n.is_finite() && n >= 0.0 && i < 3 && (i == 0 || n < 60.0);
        value = if sane { value * 60.0 + n } else { return Err(wrong()) };
    }
    if value > 86_400.0 {
        return Err("between 0 and 24 hours".to_owned());
    }
    Ok(Duration::from_secs_f64(value))
}

#[derive(Debug, Subcommand)]
pub(super) enum Memory {
    /// Show the memories of the archive; with a name, the events of one
    Inspect {
        /// A memory, `mem_…`
        name: Option<String>,
        /// JSON instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Write the events and pictures of a memory into a new folder
    Export {
        /// A memory, `mem_…`
        name: String,
        /// The folder; it must not be there yet
        dir: PathBuf,
    },
    /// Delete a memory, or a part of it, for good
    Forget {
        /// A memory, `mem_…`
        name: String,
        /// Only the newest stretch: seconds, or hh:mm:ss
        #[arg(long, value_name = "TIME", value_parser = time, conflicts_with = "all")]
        last: Option<Duration>,
        /// All of it
        #[arg(long)]
        all: bool,
    },
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
    /// Make a smaller, faster language model from another, and say what that costs
    Compress(Compress),
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
