//! Speech recognition: Moonshine and Whisper behind `listen::Transcribe`.
//!
//! Floor 2. In: an utterance, 16 kHz mono. Out: its words. Loses: what rounding to 8 bits loses (what is not speech has no words).
//!
//! Both are an encoder and a decoder of the same blocks: `encode`, `decode` and `layers` run them on the kernels of `model/kernels`, `moonshine` and `whisper`
//! say what differs. candle reads the files and converts them; tests compare with the same networks in f32 (`oracle`).

mod convert_moonshine;
mod convert_whisper;
mod decode;
mod encode;
mod error;
mod greedy;
mod layers;
mod moonshine;
mod onnx;
mod sound;
mod store;
mod vocabulary;
mod weights;
mod whisper;

pub use convert_moonshine::{MoonshineSources, convert_moonshine};
pub use convert_whisper::{WhisperSources, convert_whisper};
pub use error::AsrError;
pub use moonshine::Moonshine;
pub use whisper::Whisper;

use std::path::Path;

use serde::Deserialize;

use crate::listen::Transcribe;
use crate::model::device;

/// Loads whichever recogniser the folder `dir` holds, with [`device::threads`] to compute with: `config.json` says which, as in the official checkpoints.
///
/// # Errors
/// [`AsrError`] names the file that is missing, cut short, or of a model that is neither Moonshine nor Whisper.
pub fn load_recogniser(dir: &Path) -> Result<Box<dyn Transcribe>, AsrError> {
    load_recogniser_on(dir, device::threads())
}

/// The same with so many threads.
///
/// # Errors
/// As [`load_recogniser`].
pub fn load_recogniser_on(dir: &Path, threads: usize) -> Result<Box<dyn Transcribe>, AsrError> {
    #[derive(Deserialize)]
    struct Kind {
        model_type: String,
    }
    let file = dir.join("config.json");
    let bytes = error::read_bounded(&file, 1 << 20)?;
    let kind: Kind = serde_json::from_slice(&bytes).map_err(|e| AsrError::corrupt(&file, "config.json", e))?;
    match kind.model_type.as_str() {
        "moonshine" => Ok(Box::new(Moonshine::load(dir, threads)?)),
        "whisper" => Ok(Box::new(Whisper::load(dir, threads)?)),
        other => {
            let why = format!("model_type is `{other}`, expected `moonshine` or `whisper`");
            Err(AsrError::corrupt(&file, "recogniser's config.json", why))
        }
    }
}

#[cfg(test)]
mod convert_tests;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod parity;
#[cfg(test)]
mod tests;
