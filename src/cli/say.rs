//! `sightline say`: a sentence into a WAV file, so that a person can hear the voice.

use std::path::Path;
use std::process::ExitCode;

use super::Failure;
use super::args::Say;
use super::models::line;
use crate::app::{SystemClock, threads};
use crate::base::{Clock, ErrorClass};
use crate::config::Config;
use crate::model::onnx::Threads;
use crate::model::voice::{Kokoro, Speech, Voice};
use crate::weights::{Manifest, Role, Store};

pub(super) fn run(config: &Config, say: &Say) -> Result<ExitCode, Failure> {
    let manifest = Manifest::of(&config.models.dir)?;
    let first = manifest.models.iter().find(|m| m.role == Role::Voice).map(|m| m.name.clone());
    let name = say.voice.clone().or_else(|| config.models.voice.clone()).or(first).unwrap_or_default();
    let model = manifest.find(&name)?;
    if model.role != Role::Voice {
        return Err(Failure {
            class: ErrorClass::Invalid,
            message: format!("`{name}` is no voice; `sightline models list` shows which are"),
        });
    }
    let store = Store::new(&config.models.dir);
    if store.inspect(model).word() == "missing" {
        let message = format!("the voice `{name}` is not installed; get it with `sightline models pull {name}`");
        return Err(Failure { class: ErrorClass::Unavailable, message });
    }
    let (threads, fewer) = threads(config.engine.threads);
    if let Some(why) = fewer {
        line(&why)?;
    }
    let threads = Threads::new(threads);
    let fail = |e: crate::model::voice::VoiceError| Failure { class: e.class(), message: e.to_string() };
    let mut voice = Kokoro::load(&config.models.dir.join(&name), &threads).map_err(fail)?;
    let clock = SystemClock::start();
    let begun = clock.now();
    let speech = voice.speak(&say.text, say.speed).map_err(fail)?;
    #[allow(clippy::cast_precision_loss, reason = "seconds of speech")]
    let sound = speech.samples.len() as f64 / f64::from(speech.rate_hz);
    let took = clock.now().since(begun).as_secs_f64();
    std::fs::write(&say.out, wav(&speech)).map_err(|e| cannot_write(&say.out, &e))?;
    for word in &speech.words {
        line(&format!("{:>6} – {:>6} ms  {}", word.start_ms, word.end_ms, &say.text[word.bytes.clone()]))?;
    }
    if sound == 0.0 {
        line("nothing in this text can be said; the file is empty")?;
    } else {
        line(&format!(
            "{sound:.2} s of sound in {took:.2} s: {:.2} of real time, in {}",
            took / sound,
            say.out.display()
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn cannot_write(path: &Path, e: &std::io::Error) -> Failure {
    Failure { class: ErrorClass::Unavailable, message: format!("cannot write {}: {e}", path.display()) }
}

/// RIFF WAVE, 16 bits, mono.
fn wav(speech: &Speech) -> Vec<u8> {
    let data: Vec<u8> = speech
        .samples
        .iter()
        .flat_map(|s| {
            #[allow(clippy::cast_possible_truncation, reason = "clamped")]
            let level = (s.clamp(-1.0, 1.0) * 32_767.0) as i16;
            level.to_le_bytes()
        })
        .collect();
    // A sentence is far below the four gigabytes that a header can tell of.
    let size = u32::try_from(data.len()).unwrap_or(u32::MAX - 36);
    let mut out = Vec::with_capacity(44 + data.len());
    out.extend(b"RIFF");
    out.extend((size + 36).to_le_bytes());
    out.extend(b"WAVEfmt ");
    out.extend(16u32.to_le_bytes());
    out.extend([1u16, 1].map(u16::to_le_bytes).concat());
    out.extend([speech.rate_hz, speech.rate_hz * 2].map(u32::to_le_bytes).concat());
    out.extend([2u16, 16].map(u16::to_le_bytes).concat());
    out.extend(b"data");
    out.extend(size.to_le_bytes());
    out.extend(data);
    out
}

#[cfg(test)]
mod tests {
    use super::{Speech, wav};

    #[test]
    fn the_header_tells_of_what_follows() {
        let file = wav(&Speech { samples: vec![0.0, 1.0, -2.0], rate_hz: 24_000, words: Vec::new() });
        assert_eq!((&file[..4], &file[8..16], file.len()), (&b"RIFF"[..], &b"WAVEfmt "[..], 50));
        assert_eq!(file[24..28], 24_000u32.to_le_bytes());
        assert_eq!(file[40..], [6, 0, 0, 0, 0, 0, 255, 127, 1, 128]);
    }
}
