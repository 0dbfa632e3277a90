//! The conversions that `weights` may ask for; it stands below the models and is handed them here.

use std::path::Path;

use crate::model::asr::{MoonshineSources, WhisperSources, convert_moonshine, convert_whisper};
use crate::weights::{Conversion, Converter};

/// By the name that the manifest uses.
pub(super) const CONVERTERS: &[Converter] =
    &[Converter { name: "moonshine", run: moonshine }, Converter { name: "whisper", run: whisper }];

fn moonshine(c: &Conversion) -> Result<(), String> {
    let sources = MoonshineSources {
        encoder: input(c, "encoder_model.onnx")?,
        decoder: input(c, "decoder_model_merged.onnx")?,
        script: input(c, "moonshine.min.js")?,
    };
    convert_moonshine(sources, &c.out_dir).map_err(|e| e.to_string())
}

fn whisper(c: &Conversion) -> Result<(), String> {
    let sources = WhisperSources {
        model: input(c, "model.bin")?,
        config: input(c, "ctranslate2.json")?,
        tokenizer: input(c, "tokenizer.json")?,
    };
    convert_whisper(sources, &c.out_dir).map_err(|e| e.to_string())
}

fn input<'c>(c: &'c Conversion, name: &str) -> Result<&'c Path, String> {
    let path = c.inputs.get(name).ok_or_else(|| format!("the manifest gives it no {name}"))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::CONVERTERS;
    use crate::weights::Manifest;

    #[test]
    fn every_conversion_of_the_manifest_is_built_in_and_pinned() {
        for model in Manifest::embedded().unwrap().models {
            if let Some(name) = &model.convert {
                assert!(CONVERTERS.iter().any(|c| c.name == name), "{}: no conversion `{name}`", model.name);
                assert!(model.converted.iter().all(|c| c.digest.is_some()), "{}: a result is not pinned", model.name);
            }
        }
    }
}
