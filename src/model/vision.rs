//! The experts that look at frames, loaded together from a folder of weights.
//!
//! Floor 2. In: a folder. Out: [`Perceive`] experts in the order in which they should look. Loses: nothing.

use std::path::{Path, PathBuf};

use thiserror::Error;

use super::classify::{Classifier, ClassifierConfig, ClassifyError};
use super::onnx::{Detector, DetectorConfig, OnnxError, Reader, ReaderConfig, Threads};
use crate::base::ErrorClass;
use crate::watch::Perceive;

/// An expert that cannot be loaded.
#[derive(Debug, Error)]
pub enum VisionError {
    /// Detector or reader.
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    /// Classifier.
    #[error(transparent)]
    Classify(#[from] ClassifyError),
}

impl VisionError {
    /// How an edge should treat it.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::Onnx(e) => e.class(),
            Self::Classify(e) => e.class(),
        }
    }
}

/// Where the weights of each expert are; `None` leaves it out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VisionFiles {
    /// YOLOX, ONNX.
    pub detector: Option<PathBuf>,
    /// EfficientNet-Lite, TFLite as published.
    pub classifier: Option<PathBuf>,
    /// PP-OCR finder and recogniser, ONNX.
    pub reader: Option<(PathBuf, PathBuf)>,
}

impl VisionFiles {
    /// The default models below `models` (`models/<name>/<file>`).
    #[must_use]
    pub fn under(models: &Path) -> Self {
        let ppocr = models.join("ppocr");
        Self {
            detector: Some(models.join("yolox-nano").join("model.onnx")),
            classifier: Some(models.join("efficientnet-lite").join("model.tflite")),
            reader: Some((ppocr.join("det.onnx"), ppocr.join("rec.onnx"))),
        }
    }
}

/// Loads the experts: detector first (the classifier looks at its boxes), then classifier, then reader.
///
/// # Errors
/// [`VisionError`] of the first file that is missing, damaged or of another model.
pub fn load_experts(files: &VisionFiles, threads: &Threads) -> Result<Vec<Box<dyn Perceive>>, VisionError> {
    let mut experts: Vec<Box<dyn Perceive>> = Vec::new();
    if let Some(file) = &files.detector {
        experts.push(Box::new(Detector::load(file, DetectorConfig::default(), threads)?));
    }
    if let Some(file) = &files.classifier {
        experts.push(Box::new(Classifier::load(file, ClassifierConfig::default(), threads.count())?));
    }
    if let Some((det, rec)) = &files.reader {
        experts.push(Box::new(Reader::load(det, rec, ReaderConfig::default(), threads)?));
    }
    Ok(experts)
}

#[cfg(test)]
mod tests;
