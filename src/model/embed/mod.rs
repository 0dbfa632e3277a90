//! Sentence embeddings: a BERT encoder with mean pooling (all-MiniLM-L6-v2) behind `watch::EmbedText` (candle).
//!
//! Floor 2. In: a caption, something said, a question. Out: a vector of length 1. Loses: what goes beyond 256 word pieces.
//!
//! Source: Reimers and Gurevych 2019, "Sentence-BERT"; the steps are those of the published model's `modules.json`: encoder, mean over
//! the tokens, L2. All is computed in f32, whether the file holds f32 or f16.

mod error;
mod pieces;

use std::path::Path;

use candle_core::{DType, Device, Result as Computed, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::{BertModel, Config};

use error::read_bounded;
use pieces::Pieces;

pub use error::EmbedError;

use crate::model::DeviceChoice;
use crate::watch::{EmbedText, EmbedTextError};

/// Word pieces that are seen, the two marks included: `max_seq_length` of the published model, which was trained on such lengths.
const MOST_PIECES: usize = 256;
/// Texts computed at once in [`TextEmbedder::embed_batch`]: bounds the memory of a call (about 50 MB at 256 pieces each).
const MOST_AT_ONCE: usize = 16;
/// The largest files we read.
const MAX_WEIGHTS: u64 = 1 << 29;
const MAX_TOKENIZER: u64 = 16 << 20;
const MAX_CONFIG: u64 = 1 << 16;

/// A sentence encoder. Holds about 90 MB.
pub struct TextEmbedder {
    name: String,
    model: BertModel,
    pieces: Pieces,
    device: Device,
    dim: usize,
}

impl TextEmbedder {
    /// Loads `config.json`, `tokenizer.json` and `model.safetensors` (f32 or f16) of `dir`.
    ///
    /// # Errors
    /// [`EmbedError`] names the file that is missing, cut short or of another model, or the device that is not there.
    pub fn load(dir: &Path, device: DeviceChoice) -> Result<Self, EmbedError> {
        let device = device.open()?;
        let config = read_config(&dir.join("config.json"))?;
        let most = MOST_PIECES.min(config.max_position_embeddings);
        let pieces = Pieces::load(&dir.join("tokenizer.json"), MAX_TOKENIZER, config.vocab_size, most)?;
        let file = dir.join("model.safetensors");
        // Read, not mapped: mapping needs `unsafe`. The buffer is gone when this function returns.
        let bytes = read_bounded(&file, MAX_WEIGHTS)?;
        let model = VarBuilder::from_buffered_safetensors(bytes, DType::F32, &device)
            .and_then(|weights| BertModel::load(weights, &config))
            .map_err(|e| EmbedError::corrupt(&file, "text encoder's safetensors file", e.to_string()))?;
        let name = dir.file_name().map_or_else(|| "text encoder".to_owned(), |n| n.to_string_lossy().into_owned());
        Ok(Self { name, model, pieces, device, dim: config.hidden_size })
    }

    /// The vectors of many texts, in their order; the same as one call of `embed` for each, up to rounding, and faster.
    ///
    /// # Errors
    /// [`EmbedTextError`] of the first text that has no words, or of the model.
    pub fn embed_batch(&mut self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EmbedTextError> {
        let mut out = Vec::with_capacity(texts.len());
        for some in texts.chunks(MOST_AT_ONCE) {
            let rows = some.iter().map(|text| self.pieces.of(text)).collect::<Result<Vec<_>, _>>()?;
            out.extend(self.vectors(&rows)?);
        }
        Ok(out)
    }

    fn vectors(&self, rows: &[Vec<u32>]) -> Result<Vec<Vec<f32>>, EmbedTextError> {
        let found = self.encode(rows).map_err(|e| EmbedTextError::Model(e.to_string()))?;
        if found.iter().flatten().all(|v| v.is_finite()) {
            return Ok(found);
        }
        Err(EmbedTextError::Model(
            "a vector is not finite: check the weights with `sightline models verify`".to_owned(),
        ))
    }

    /// Runs the encoder on rows of word pieces, none empty; shorter rows are padded, and the padding is masked.
    fn encode(&self, rows: &[Vec<u32>]) -> Computed<Vec<Vec<f32>>> {
        let (count, longest) = (rows.len(), rows.iter().map(Vec::len).max().unwrap_or(0));
        let mut ids = Vec::with_capacity(count * longest);
        let mut mask = Vec::with_capacity(count * longest);
        for row in rows {
            let padding = longest - row.len();
            ids.extend_from_slice(row);
            ids.extend(std::iter::repeat_n(self.pieces.padding(), padding));
            mask.extend(std::iter::repeat_n(1_f32, row.len()));
            mask.extend(std::iter::repeat_n(0_f32, padding));
        }
        let ids = Tensor::from_vec(ids, (count, longest), &self.device)?;
        let mask = Tensor::from_vec(mask, (count, longest), &self.device)?;
        let hidden = self.model.forward(&ids, &ids.zeros_like()?, Some(&mask))?;
        // Mean over the pieces that are there: [count, longest, dim] -> [count, dim]. Its scale does not matter: the length becomes 1.
        let sums = hidden.broadcast_mul(&mask.unsqueeze(2)?)?.sum(1)?;
        Ok(sums.to_vec2::<f32>()?.into_iter().map(unit).collect())
    }
}

impl EmbedText for TextEmbedder {
    fn name(&self) -> &str {
        &self.name
    }

    fn dim(&self) -> usize {
        self.dim
    }

    fn embed(&mut self, text: &str) -> Result<Vec<f32>, EmbedTextError> {
        let row = self.pieces.of(text)?;
        Ok(self.vectors(&[row])?.into_iter().next().unwrap_or_default())
    }
}

fn unit(mut vector: Vec<f32>) -> Vec<f32> {
    let length = vector.iter().map(|v| v * v).sum::<f32>().sqrt().max(1e-12);
    vector.iter_mut().for_each(|v| *v /= length);
    vector
}

/// The sizes of the model. They are checked because they become divisors and allocations.
fn read_config(file: &Path) -> Result<Config, EmbedError> {
    const WHAT: &str = "text encoder's config.json";
    let bytes = read_bounded(file, MAX_CONFIG)?;
    let config: Config = serde_json::from_slice(&bytes).map_err(|e| EmbedError::corrupt(file, WHAT, e.to_string()))?;
    for (name, value, most) in [
        ("vocab_size", config.vocab_size, 1 << 20),
        ("hidden_size", config.hidden_size, 1 << 12),
        ("num_hidden_layers", config.num_hidden_layers, 1 << 6),
        ("num_attention_heads", config.num_attention_heads, 1 << 7),
        ("intermediate_size", config.intermediate_size, 1 << 14),
        ("max_position_embeddings", config.max_position_embeddings, 1 << 13),
        ("type_vocab_size", config.type_vocab_size, 1 << 4),
    ] {
        if value == 0 || value > most {
            return Err(EmbedError::corrupt(file, WHAT, format!("{name} is {value}, expected 1 to {most}")));
        }
    }
    if !config.hidden_size.is_multiple_of(config.num_attention_heads) {
        return Err(EmbedError::corrupt(file, WHAT, "hidden_size is not a multiple of num_attention_heads"));
    }
    Ok(config)
}

#[cfg(test)]
mod tests;
