//! The `config.json` of a Whisper checkpoint.

use std::path::Path;

use serde::Deserialize;

use crate::model::asr::error::{AsrError, read_bounded};

const MAX_FILE_BYTES: u64 = 1 << 20;

/// Sizes of the network and the tokens never chosen; names as in the official checkpoint.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Config {
    pub(super) d_model: usize,
    pub(super) num_mel_bins: usize,
    pub(super) vocab_size: usize,
    pub(super) encoder_layers: usize,
    pub(super) encoder_attention_heads: usize,
    pub(super) encoder_ffn_dim: usize,
    pub(super) decoder_layers: usize,
    pub(super) decoder_attention_heads: usize,
    pub(super) decoder_ffn_dim: usize,
    /// Encoder states of 20 ms in the 30 s window.
    pub(super) max_source_positions: usize,
    pub(super) max_target_positions: usize,
    /// Never chosen (brackets, notes, ...). The official file may say null.
    #[serde(default)]
    pub(super) suppress_tokens: Option<Vec<u32>>,
    /// Never chosen first.
    #[serde(default)]
    pub(super) begin_suppress_tokens: Option<Vec<u32>>,
}

impl Config {
    /// Reads and checks the file: a size out of range is refused before anything is allocated for it.
    pub(super) fn load(file: &Path) -> Result<Self, AsrError> {
        const WHAT: &str = "Whisper config.json";
        let bytes = read_bounded(file, MAX_FILE_BYTES)?;
        let config: Self = serde_json::from_slice(&bytes).map_err(|e| AsrError::corrupt(file, WHAT, e))?;
        match config.flaw() {
            Some(why) => Err(AsrError::corrupt(file, WHAT, why)),
            None => Ok(config),
        }
    }

    fn flaw(&self) -> Option<&'static str> {
        let heads = [self.encoder_attention_heads, self.decoder_attention_heads];
        let widths = [self.d_model, self.encoder_ffn_dim, self.decoder_ffn_dim];
        if widths.iter().any(|w| !(32..=8192).contains(w) || !w.is_multiple_of(32)) {
            Some("a layer's width is not a multiple of 32 up to 8192")
        } else if heads.iter().any(|&h| h == 0 || !self.d_model.is_multiple_of(h)) {
            Some("the number of heads does not divide d_model")
        } else if [self.encoder_layers, self.decoder_layers].iter().any(|l| !(1..=64).contains(l)) {
            Some("the number of layers is not 1 to 64")
        } else if ![80, 128].contains(&self.num_mel_bins) {
            Some("num_mel_bins is neither 80 nor 128")
        } else if !(1..=200_000).contains(&self.vocab_size) {
            Some("vocab_size is not 1 to 200000")
        } else if !(1..=1500).contains(&self.max_source_positions) || !(8..=4096).contains(&self.max_target_positions) {
            Some("the number of positions is out of range")
        } else {
            None
        }
    }
}
