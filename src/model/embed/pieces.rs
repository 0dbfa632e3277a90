//! Text to word pieces, by the model's own `tokenizer.json` (lower-casing WordPiece).

use std::path::Path;

use tokenizers::{Tokenizer, TruncationParams};

use crate::watch::EmbedTextError;

use super::error::{EmbedError, read_bounded};

const WHAT: &str = "text encoder's tokenizer.json";
/// Bytes of a text that are looked at: far more than the pieces that are seen can cover, so that a huge text costs no more than a long one.
const MOST_BYTES: usize = 8 << 10;
/// The marks before and after the pieces.
const MARKS: usize = 2;

/// The tokenizer of one encoder.
pub(super) struct Pieces {
    tokenizer: Tokenizer,
    padding: u32,
}

impl Pieces {
    /// Loads the tokenizer. `size` is the vocabulary of the encoder, `most` the pieces that it sees.
    pub(super) fn load(file: &Path, limit: u64, size: usize, most: usize) -> Result<Self, EmbedError> {
        let corrupt = |why: String| EmbedError::corrupt(file, WHAT, why);
        let bytes = read_bounded(file, limit)?;
        let mut tokenizer = Tokenizer::from_bytes(&bytes).map_err(|e| corrupt(e.to_string()))?;
        // A larger id would reach beyond the table of embeddings.
        if let Some(id) = tokenizer.get_vocab(true).into_values().max().filter(|id| *id as usize >= size) {
            return Err(corrupt(format!("it has the id {id}, and the encoder knows {size}")));
        }
        let padding = tokenizer.token_to_id("[PAD]").ok_or_else(|| corrupt("it has no [PAD]".to_owned()))?;
        // The file pads and cuts to 128, as in training; the published model uses 256 and pads to the longest text.
        tokenizer.with_padding(None);
        let window = TruncationParams { max_length: most, ..TruncationParams::default() };
        tokenizer.with_truncation(Some(window)).map_err(|e| corrupt(e.to_string()))?;
        // A person or a camera that says "[SEP]" says five characters, not a mark.
        tokenizer.set_encode_special_tokens(true);
        Ok(Self { tokenizer, padding })
    }

    /// The piece that fills up short rows.
    pub(super) const fn padding(&self) -> u32 {
        self.padding
    }

    /// The pieces of `text` with the marks around them.
    pub(super) fn of(&self, text: &str) -> Result<Vec<u32>, EmbedTextError> {
        let text = &text[..text.floor_char_boundary(MOST_BYTES)];
        let encoding = self.tokenizer.encode_fast(text, true).map_err(|e| EmbedTextError::Model(e.to_string()))?;
        let ids = encoding.get_ids();
        if ids.len() <= MARKS { Err(EmbedTextError::NoWords) } else { Ok(ids.to_vec()) }
    }
}
