//! The `config.json` of a Moonshine checkpoint.

use std::path::Path;

use serde::Deserialize;

use crate::model::asr::error::{AsrError, read_bounded};

const MAX_FILE_BYTES: u64 = 1 << 20;

/// Sizes of the network; names as in the official checkpoint.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Config {
    pub(super) vocab_size: usize,
    pub(super) hidden_size: usize,
    pub(super) intermediate_size: usize,
    pub(super) encoder_num_hidden_layers: usize,
    pub(super) decoder_num_hidden_layers: usize,
    pub(super) encoder_num_attention_heads: usize,
    pub(super) decoder_num_attention_heads: usize,
    /// Share of each head that is rotated.
    pub(super) partial_rotary_factor: f64,
    pub(super) rope_theta: f64,
    /// Tokens the decoder was trained for.
    pub(super) max_position_embeddings: usize,
    pub(super) decoder_start_token_id: u32,
    pub(super) eos_token_id: u32,
}

impl Config {
    /// Reads and checks the file: a size out of range is refused before anything is allocated for it.
    pub(super) fn load(file: &Path) -> Result<Self, AsrError> {
        const WHAT: &str = "Moonshine config.json";
        let bytes = read_bounded(file, MAX_FILE_BYTES)?;
        let config: Self = serde_json::from_slice(&bytes).map_err(|e| AsrError::corrupt(file, WHAT, e))?;
        match config.flaw() {
            Some(why) => Err(AsrError::corrupt(file, WHAT, why)),
            None => Ok(config),
        }
    }

    fn flaw(&self) -> Option<&'static str> {
        let heads = [self.encoder_num_attention_heads, self.decoder_num_attention_heads];
        let layers = [self.encoder_num_hidden_layers, self.decoder_num_hidden_layers];
        let vocabulary = u32::try_from(self.vocab_size).unwrap_or(0);
        if !(32..=4096).contains(&self.hidden_size) || !self.hidden_size.is_multiple_of(32) {
            Some("hidden_size is not a multiple of 32 up to 4096")
        } else if !(32..=16_384).contains(&self.intermediate_size) || !self.intermediate_size.is_multiple_of(32) {
            Some("intermediate_size is not a multiple of 32 up to 16384")
        } else if heads.iter().any(|&h| h == 0 || !self.hidden_size.is_multiple_of(2 * h)) {
            Some("the number of heads does not divide hidden_size into even widths")
        } else if layers.iter().any(|l| !(1..=64).contains(l)) {
            Some("the number of layers is not 1 to 64")
        } else if !(1..=200_000).contains(&vocabulary) {
            Some("vocab_size is not 1 to 200000")
        } else if self.decoder_start_token_id >= vocabulary || self.eos_token_id >= vocabulary {
            Some("a special token is not in the vocabulary")
        } else if !(1..=4096).contains(&self.max_position_embeddings) {
            Some("max_position_embeddings is not 1 to 4096")
        } else if !(0.0..=1.0).contains(&self.partial_rotary_factor)
            || self.rope_theta.is_nan()
            || self.rope_theta <= 1.0
        {
            Some("the rotary parameters are out of range")
        } else {
            None
        }
    }
}
