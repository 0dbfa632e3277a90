//! The models of a configuration, loaded. What is missing is named; the server does without where it can.

use std::path::Path;

use tracing::{info, warn};

use super::{AppError, machine};
use crate::base::ErrorClass;
use crate::config::{Config, Device};
use crate::engine::EngineParts;
use crate::listen::Transcribe;
use crate::model::asr::load_recogniser_on;
use crate::model::classify::Classifier;
use crate::model::embed::TextEmbedder;
use crate::model::llm::Llm;
use crate::model::onnx::{Detector, Reader, Threads};
use crate::model::voice::{Kokoro, Voice};
use crate::model::{DeviceChoice, LanguageModel};
use crate::watch::{EmbedText, Perceive};
use crate::weights::{Manifest, Role, Store};

/// The models, and what is missing.
pub(super) struct Loaded {
    pub(super) parts: EngineParts,
    pub(super) missing: Vec<String>,
    /// The voice's name, if there is one.
    pub(super) voice: Option<String>,
}

/// Loads everything the configuration names.
///
/// # Errors
/// [`AppError`] when there is no language model: nothing could answer. Anything else missing is noted and done without.
pub(super) fn load(config: &Config) -> Result<Loaded, AppError> {
    let mut missing = Vec::new();
    let device = device(config);
    let language = language(config, device)?;
    let transcriber = speech(config).map_err(|e| missing.push(note("speech recognition", &config.models.asr, &e))).ok();
    let (threads, fewer) = machine::threads(config.engine.threads);
    missing.extend(fewer);
    let threads = Threads::new(threads);
    let mut experts: Vec<Box<dyn Perceive>> = Vec::new();
    for name in &config.watch.experts {
        match expert(config, name, &threads) {
            Ok(expert) => experts.push(expert),
            Err(e) => missing.push(note("perception", name, &e)),
        }
    }
    let embedder =
        encoder(config, device).map_err(|e| missing.push(note("search by meaning", &config.models.embedder, &e))).ok();
    let name = voice_name(config);
    let voice = name
        .as_ref()
        .and_then(|name| voice(config, name).map_err(|e| missing.push(note("spoken answers", name, &e))).ok());
    for m in &missing {
        warn!("{m}");
    }
    let name = name.filter(|_| voice.is_some());
    let parts = EngineParts { language: Some(language), transcriber, experts, embedder, voice };
    Ok(Loaded { parts, missing, voice: name })
}

/// The voice that is named, or the first that is installed.
fn voice_name(config: &Config) -> Option<String> {
    let installed = || {
        let (manifest, store) = (Manifest::of(&config.models.dir).ok()?, Store::new(&config.models.dir));
        let there = |m: &&crate::weights::Model| m.role == Role::Voice && store.inspect(m).word() != "missing";
        manifest.models.iter().find(there).map(|m| m.name.clone())
    };
    config.models.voice.clone().or_else(installed)
}

/// It has threads of its own: the experts' would make looks wait for a whole sentence.
fn voice(config: &Config, name: &str) -> Result<Box<dyn Voice>, String> {
    let threads = Threads::new(machine::threads(config.engine.threads).0);
    info!(voice = name, "loading the voice");
    Ok(Box::new(Kokoro::load(&config.models.dir.join(name), &threads).map_err(|e| e.to_string())?))
}

fn note(what: &str, name: &str, error: &str) -> String {
    format!("{what}: `{name}` is not available: {error}")
}

fn device(config: &Config) -> DeviceChoice {
    match config.engine.device {
        Device::Auto => DeviceChoice::best(),
        Device::Cpu => DeviceChoice::Cpu,
        Device::Cuda => DeviceChoice::Cuda(0),
        Device::Metal => DeviceChoice::Metal(0),
    }
}

fn language(config: &Config, device: DeviceChoice) -> Result<Box<dyn LanguageModel>, AppError> {
    let path = config.models.dir.join(&config.models.llm).join("model.gguf");
    info!(model = %path.display(), ?device, "loading the language model");
    let llm = Llm::load(&path, device).map_err(|e| AppError::new(e.class(), e.to_string()))?;
    Ok(Box::new(llm))
}

fn speech(config: &Config) -> Result<Box<dyn Transcribe>, String> {
    let dir = config.models.dir.join(&config.models.asr);
    // Without a limit one for each physical core, as the language model.
    let threads = config.engine.threads.map_or_else(crate::model::device::threads, |n| machine::threads(Some(n)).0);
    load_recogniser_on(&dir, threads).map_err(|e| e.to_string())
}

fn encoder(config: &Config, device: DeviceChoice) -> Result<Box<dyn EmbedText>, String> {
    let dir = config.models.dir.join(&config.models.embedder);
    Ok(Box::new(TextEmbedder::load(&dir, device).map_err(|e| e.to_string())?))
}

fn expert(config: &Config, name: &str, threads: &Threads) -> Result<Box<dyn Perceive>, String> {
    let file = |model: &str, file: &str| config.models.dir.join(model).join(file);
    let text = |e: crate::model::onnx::OnnxError| e.to_string();
    Ok(match name {
        crate::watch::DETECTOR => {
            let path = file(&config.models.detector, "model.onnx");
            Box::new(Detector::load(&path, Default::default(), threads).map_err(text)?)
        }
        crate::watch::CLASSIFIER => {
            let path = file(&config.models.classifier, "model.tflite");
            Box::new(Classifier::load(&path, Default::default(), threads.count()).map_err(|e| e.to_string())?)
        }
        crate::watch::OCR => {
            let (det, rec) = (file(&config.models.ocr, "det.onnx"), file(&config.models.ocr, "rec.onnx"));
            Box::new(Reader::load(&det, &rec, Default::default(), threads).map_err(text)?)
        }
        other => return Err(format!("there is no expert `{other}`: the experts are detector, classifier, ocr")),
    })
}

/// Says what to do when the folder of the models is not there at all.
pub(super) fn check_dir(dir: &Path) -> Result<(), AppError> {
    if dir.is_dir() {
        return Ok(());
    }
    let text =
        format!("there are no models at {}: run `sightline models pull --defaults`, or set models.dir", dir.display());
    Err(AppError::new(ErrorClass::Unavailable, text))
}
