//! `make needle`: a generated day of more than two hours in front of the camera, and what is remembered of it by age.
//!
//! The day is made from real photographs and clips, signs, and synthesized speech; it is looked at by the real experts, heard by the real
//! recogniser, kept by the real memory and answered by the real language model, in virtual time. Two conversations live through the same day:
//! (a) without memory, which sees the last 4 looks, and (b) with the default memory. Each needle is asked about at six ages. A needle counts
//! as *reported* when perception said at the time what the answer should hold; the goal is on those. Ends with 1 when it is missed.
//!
//! `--seed N` draws another day, `--hours H` (default 1) is how long needles are shown (as much again passes after them), `--only b` skips
//! (a), `--facts` judges the words that the facts put into the answer without running the language model, `--svg FILE` draws the plot.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a measurement that cannot go on says so, and reads the clock"
)]

mod catalog;
mod day;
mod judge;
mod looks;
mod paint;
mod report;
#[path = "../common/said.rs"]
mod said;
mod talk;

use std::path::PathBuf;

/// What the command line says.
pub(crate) struct Args {
    pub pictures: PathBuf,
    pub scenes: PathBuf,
    pub clips: PathBuf,
    pub models: PathBuf,
    pub seed: u64,
    pub hours: f64,
    pub facts: bool,
    pub only_b: bool,
    pub svg: Option<PathBuf>,
    pub cache: Option<PathBuf>,
}

fn args() -> Result<Args, String> {
    let mut data = PathBuf::from("../shared/data");
    let models = std::env::var_os("SIGHTLINE_MODELS").map_or_else(|| PathBuf::from("models"), PathBuf::from);
    let mut a = Args {
        pictures: PathBuf::new(),
        scenes: PathBuf::new(),
        clips: PathBuf::new(),
        models,
        seed: 1,
        hours: 1.0,
        facts: false,
        only_b: false,
        svg: None,
        cache: None,
    };
    let mut words = std::env::args().skip(1).filter(|w| w != "--bench");
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--data" => data = value()?.into(),
            "--seed" => a.seed = value()?.parse().map_err(|e| format!("--seed: {e}"))?,
            "--hours" => a.hours = value()?.parse().map_err(|e| format!("--hours: {e}"))?,
            "--facts" => a.facts = true,
            "--only" => a.only_b = value()? == "b",
            "--svg" => a.svg = Some(value()?.into()),
            "--cache" => a.cache = Some(value()?.into()),
            other => {
                return Err(format!(
                    "there is no option {other:?}: --data --seed --hours --facts --only --svg --cache"
                ));
            }
        }
    }
    (a.pictures, a.scenes, a.clips) = (data.join("pictures"), data.join("scenes"), data.join("video"));
    for needed in [a.pictures.join("labels.tsv"), a.models.join("qwen2.5-coder-0.5b-instruct/model.gguf")] {
        if !needed.is_file() {
            let what =
                "photographs with a labels.tsv (--data FOLDER, see README) and the default models (`make models`)";
            return Err(format!("{} is not there: this needs {what}", needed.display()));
        }
    }
    Ok(a)
}

#[tokio::main]
async fn main() {
    let args = args().unwrap_or_else(|why| {
        eprintln!("needle: {why}");
        std::process::exit(2);
    });
    let day = catalog::draw(&args);
    let outcome = day::live(&args, &day).await;
    if !report::print(&args, &day, &outcome) {
        std::process::exit(1);
    }
}
