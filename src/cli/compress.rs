//! `sightline models compress`.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::Failure;
use super::progress::{for_stderr, human};
use crate::app::{SystemClock, memory_left};
use crate::base::ErrorClass;
use crate::config::Config;
use crate::model::llm::LlmError;
use crate::model::llm::compress::{ANSWER, Format, QUESTION, Report, Tried, Wanted, compress};
use crate::weights::{Digest, Manifest, Role, Store, WeightsError, entry};

#[derive(Debug, Args)]
pub(super) struct Compress {
    /// A language model of `models list` that is here
    name: String,
    /// What the new one is called: the name of its folder, and what `models.llm` takes
    #[arg(long, value_name = "NAME")]
    to: String,
    /// A text like what the model will be asked (UTF-8, some 20,000 words are plenty): it says what matters, and a fifth of it judges the result
    #[arg(long, value_name = "FILE")]
    text: PathBuf,
    /// How the matrices are held: `q4_0`, errors made up for by what the text showed, `q8_0`, `at_most_5` (codes of more bits as q5_0, errors weighed likewise, the others as they are),
    /// `at_most_4` (codes of more bits as q4_0, but keys, values and `ffn_down` as `at_most_5` has them), or `as_is`
    #[arg(long, default_value = "q4_0", value_parser = format)]
    format: Format,
    /// Leave out this many layers, those that change least
    #[arg(long, default_value_t = 0, value_name = "COUNT")]
    drop_layers: usize,
    /// Leave out this share of the feed-forward channels, those that add least
    #[arg(long, default_value_t = 0.0, value_name = "0-0.9", value_parser = share)]
    drop_channels: f32,
    /// Leave out this many query heads of each group that shares its keys, those that add least
    #[arg(long, default_value_t = 0, value_name = "COUNT")]
    drop_heads: usize,
    /// Leave out all but so many tokens of the vocabulary, the commonest, and those that the text uses: words without a token are spelt with shorter ones
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1_024..))]
    keep_tokens: Option<u32>,
    /// Ask them this many questions about facts in the prompt, of which chance answers a quarter
    #[arg(long, default_value_t = 240, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    questions: u16,
}

impl From<LlmError> for Failure {
    fn from(e: LlmError) -> Self {
        Self { class: e.class(), message: e.to_string() }
    }
}

fn format(text: &str) -> Result<Format, String> {
    match text {
        "q4_0" => Ok(Format::Q4_0),
        "q8_0" => Ok(Format::Q8_0),
        "at_most_5" => Ok(Format::AtMostFive),
        "at_most_4" => Ok(Format::AtMostFour),
        "as_is" => Ok(Format::AsIs),
        _ => Err("it is `q4_0`, `q8_0`, `at_most_5`, `at_most_4` or `as_is`".to_owned()),
    }
}

fn share(text: &str) -> Result<f32, String> {
    let share: f32 = text.parse().map_err(|_| "it is a number such as 0.1".to_owned())?;
    if (0.0..=0.9).contains(&share) { Ok(share) } else { Err("it is a share from 0 to 0.9".to_owned()) }
}

pub(super) fn run(config: &Config, manifest: &Manifest, store: &Store, args: &Compress) -> Result<ExitCode, Failure> {
    let progress = for_stderr();
    let model = manifest.find(&args.name)?;
    if model.role != Role::Llm {
        return Err(refused(format!(
            "`{}` is a model for {}: only language models are compressed",
            model.name,
            model.role.name()
        )));
    }
    if manifest.find(&args.to).is_ok() {
        return Err(refused(format!("`{}` is there already: choose another name with --to", args.to)));
    }
    let wanted = Wanted {
        format: args.format,
        layers: args.drop_layers,
        channels: args.drop_channels,
        heads: args.drop_heads,
        tokens: args.keep_tokens.map(|n| n as usize),
        questions: args.questions.into(),
        memory: memory_left().unwrap_or(u64::MAX),
    };
    if wanted.cuts_what_is_kept() {
        let cut = "--drop-channels and --drop-heads cut matrices, which are rounded anew then";
        return Err(refused(format!("{cut}: choose --format q4_0 or q8_0 with them")));
    }
    let from = store.require(model, &*progress)?.join("model.gguf");
    let text = fs::read_to_string(&args.text).map_err(WeightsError::io("read", &args.text))?;
    let dir = config.models.dir.join(&args.to);
    let about = about(args);
    // Before anything is computed: the name must be one that a folder can have.
    entry(&args.to, Role::Llm, &model.licence, &about, &Digest { size: 1, sha256: "0".repeat(64) })?;
    fs::create_dir_all(&dir).map_err(WeightsError::io("create", &dir))?;
    let to = dir.join("model.gguf");
    let told = std::cell::RefCell::new(String::new());
    let tell = |what: &str, done: usize, all: usize| {
        let mut told = told.borrow_mut();
        if *told != what {
            progress.end();
            progress.begin_steps(what, all as u64);
            what.clone_into(&mut told);
        } else if done > 0 {
            progress.advance(1);
        }
    };
    let made = compress((&from, &to), &text, wanted, &SystemClock::start(), &tell);
    progress.end();
    let report = made.inspect_err(|_| drop(fs::remove_dir(&dir)))?;
    let digest = Digest::of_file(&to, &*progress).map_err(WeightsError::io("read", &to))?;
    let written = entry(&args.to, Role::Llm, &model.licence, &about, &digest)?;
    let file = dir.join("manifest.toml");
    fs::write(&file, written).map_err(WeightsError::io("write", &file))?;
    std::io::stdout().write_all(table(args, &report).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

const fn refused(message: String) -> Failure {
    Failure { class: ErrorClass::Invalid, message }
}

fn about(args: &Compress) -> String {
    let format = match args.format {
        Format::Q4_0 => "q4_0",
        Format::Q8_0 => "q8_0",
        Format::AtMostFive => "matrices of at most five bits",
        Format::AtMostFour => "matrices of at most four bits, keys, values and the way down of at most five",
        Format::AsIs => "matrices as they are",
    };
    let mut about = format!("{} compressed: {format}", args.name);
    if args.drop_layers > 0 {
        let _ = write!(about, ", {} layers fewer", args.drop_layers);
    }
    if args.drop_channels > 0.0 {
        let _ = write!(about, ", {:.0} % of channels fewer", 100.0 * args.drop_channels);
    }
    if args.drop_heads > 0 {
        let _ = write!(about, ", {} heads of a group fewer", args.drop_heads);
    }
    if let Some(tokens) = args.keep_tokens {
        let _ = write!(about, ", about {tokens} tokens");
    }
    about
}

fn table(args: &Compress, r: &Report) -> String {
    let (from, to) = (args.name.as_str(), args.to.as_str());
    let mut out = format!(
        "{:<26} {:>14} {:>14} {:>14} {:>8} {:>11}\n",
        "",
        "in 16 bits",
        short(from),
        short(to),
        "ratio",
        "by 16 bits"
    );
    let mut row = |what: &str, sixteen: Option<f64>, [before, after]: [f64; 2], text: &dyn Fn(f64) -> String| {
        let by = |of: Option<f64>| of.map_or_else(|| "-".to_owned(), |of| format!("{:.3}", after / of));
        let (first, last) = (sixteen.map_or_else(|| "-".to_owned(), text), by(sixteen));
        let (before_text, after_text, ratio) = (text(before), text(after), by(Some(before)));
        let _ = writeln!(out, "{what:<26} {first:>14} {before_text:>14} {after_text:>14} {ratio:>8} {last:>11}");
    };
    let (sixteen, both) = (r.sixteen.1, [r.before, r.after]);
    #[expect(clippy::cast_precision_loss, reason = "for a ratio")]
    let size = |bytes: u64| bytes as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it was a count of bytes")]
    row("size", Some(size(r.sixteen.0)), both.map(|m| size(m.bytes)), &|n| human(n as u64));
    // The same weights: they are judged in floats.
    row("perplexity, held out", Some(r.before.perplexity), both.map(|m| m.perplexity), &|x| format!("{x:.3}"));
    #[expect(clippy::cast_precision_loss, reason = "a share of some hundred questions")]
    let percent = |tried: Tried| 100.0 * tried.right as f64 / f64::from(args.questions);
    let mut tried = |what: &str, of: &dyn Fn(Tried) -> f64, text: &dyn Fn(f64) -> String| {
        row(what, sixteen.map(of), both.map(|m| of(m.tried)), text);
    };
    tried("facts read right", &percent, &|x| format!("{x:.1} %"));
    tried("prompt, tokens a second", &|t| t.speed.prefill, &|x| format!("{x:.0}"));
    tried("answer, tokens a second", &|t| t.speed.decode, &|x| format!("{x:.1}"));
    tried("question and short answer", &|t| t.speed.answer_ms, &|x| format!("{x:.0} ms"));
    out += &faster(r);
    let _ = writeln!(out, "same next word at {:.1} % of {} held-out tokens", 100.0 * r.agreement, r.judged);
    if !r.dropped.is_empty() {
        let _ = writeln!(out, "layers left out: {:?}", r.dropped);
    }
    if r.channels.0 != r.channels.1 {
        let _ = writeln!(out, "feed-forward channels of each layer: {} of {}", r.channels.1, r.channels.0);
    }
    if r.heads.0 != r.heads.1 {
        let _ = writeln!(out, "query heads of each layer: {} of {}", r.heads.1, r.heads.0);
    }
    if r.tokens.0 != r.tokens.1 {
        let longer = 100.0 * (r.longer - 1.0);
        let _ = writeln!(
            out,
            "tokens of the vocabulary: {} of {}; held-out text is {longer:.1} % longer in them",
            r.tokens.1, r.tokens.0
        );
    }
    let _ = writeln!(out, "use it with `--set models.llm={to}`");
    out
}

/// In words what matters most.
fn faster(r: &Report) -> String {
    let new = r.after.tried.speed.answer_ms;
    let by = |than: f64| {
        let word = if new > than { "more" } else { "less" };
        format!("{:.1} % {word}", 100.0 * (1.0 - new / than).abs())
    };
    let before = by(r.before.tried.speed.answer_ms);
    let what = format!("a question of {QUESTION} tokens and {ANSWER} of its answer take");
    match r.sixteen.1 {
        Some(sixteen) => {
            format!("{what} {} time than in 16 bits, {before} than before\n", by(sixteen.speed.answer_ms))
        }
        None => format!(
            "{what} {before} time than before; in 16 bits it was not run: that needs {} of memory\n",
            human(r.needed)
        ),
    }
}

/// The last characters, which tell names apart.
fn short(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    if chars.len() <= 14 {
        name.to_owned()
    } else {
        format!("…{}", chars[chars.len() - 13..].iter().collect::<String>())
    }
}
