//! Token ids back to text. Only the `vocab` of a `tokenizer.json` is needed: recognisers never encode.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::error::{AsrError, read_bounded};

/// The largest `tokenizer.json` we read; Whisper's has 2.2 MB.
const MAX_FILE_BYTES: u64 = 32 << 20;
const WHAT: &str = "tokenizer.json";

/// How pieces of the vocabulary stand for bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spelling {
    /// SentencePiece: `▁` is a space and `<0x0A>` a byte (Moonshine, Llama).
    Metaspace,
    /// GPT-2: every byte is written as one printable character (Whisper).
    ByteLevel,
}

/// The bytes of each token; special tokens have none.
pub(super) struct Vocabulary {
    file: PathBuf,
    pieces: Vec<Vec<u8>>,
    special: HashMap<String, u32>,
}

#[derive(Deserialize)]
struct File {
    model: ModelPart,
    #[serde(default)]
    added_tokens: Vec<Added>,
}

#[derive(Deserialize)]
struct ModelPart {
    vocab: HashMap<String, u32>,
}

#[derive(Deserialize)]
struct Added {
    id: u32,
    content: String,
    #[serde(default)]
    special: bool,
}

impl Vocabulary {
    /// Reads a `tokenizer.json`. Ids from `size` on are refused: the model cannot produce them.
    pub(super) fn load(file: &Path, spelling: Spelling, size: usize) -> Result<Self, AsrError> {
        let bytes = read_bounded(file, MAX_FILE_BYTES)?;
        let read: File = serde_json::from_slice(&bytes).map_err(|e| AsrError::corrupt(file, WHAT, e))?;
        let mut pieces = vec![Vec::new(); size];
        for (piece, id) in &read.model.vocab {
            let slot = pieces
                .get_mut(*id as usize)
                .ok_or_else(|| AsrError::corrupt(file, WHAT, format!("id {id} of `{piece}` is not below {size}")))?;
            *slot = spell(piece, spelling);
        }
        let mut special = HashMap::new();
        for added in read.added_tokens.into_iter().filter(|a| a.special) {
            if let Some(slot) = pieces.get_mut(added.id as usize) {
                slot.clear();
                special.insert(added.content, added.id);
            }
        }
        Ok(Self { file: file.to_owned(), pieces, special })
    }

    /// The id of the control token written `name`.
    pub(super) fn special(&self, name: &str) -> Result<u32, AsrError> {
        let found = self.special.get(name).copied();
        found.ok_or_else(|| AsrError::corrupt(&self.file, WHAT, format!("it has no control token `{name}`")))
    }

    /// The text of `ids`, trimmed; bytes that are no UTF-8 become U+FFFD.
    pub(super) fn text(&self, ids: &[u32]) -> String {
        let bytes: Vec<u8> = ids.iter().filter_map(|&i| self.pieces.get(i as usize)).flatten().copied().collect();
        String::from_utf8_lossy(&bytes).trim().to_owned()
    }
}

fn spell(piece: &str, spelling: Spelling) -> Vec<u8> {
    match spelling {
        Spelling::Metaspace => {
            let hex = piece.strip_prefix("<0x").and_then(|p| p.strip_suffix('>'));
            match hex.and_then(|h| u8::from_str_radix(h, 16).ok()) {
                Some(byte) => vec![byte],
                None => piece.replace('▁', " ").into_bytes(),
            }
        }
        Spelling::ByteLevel => piece.chars().flat_map(byte_of).collect(),
    }
}

/// The byte that a character of the GPT-2 byte alphabet stands for: printable Latin-1 stands for itself, the other
/// 68 bytes are numbered from U+0100 in ascending order. A character outside the alphabet keeps its own UTF-8 bytes.
fn byte_of(c: char) -> Vec<u8> {
    let printable = |b: u32| matches!(b, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
    let code = u32::from(c);
    if code < 0x100 && printable(code) {
        return u8::try_from(code).into_iter().collect();
    }
    let mut hidden = (0u8..=0xff).filter(|&b| !printable(u32::from(b)));
    match code.checked_sub(0x100).and_then(|n| hidden.nth(n as usize)) {
        Some(byte) => vec![byte],
        None => c.to_string().into_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Spelling, spell};

    #[test]
    fn both_spellings_give_back_spaces_and_bytes() {
        assert_eq!(spell("▁table", Spelling::Metaspace), b" table");
        assert_eq!(spell("<0x0A>", Spelling::Metaspace), b"\n");
        assert_eq!(spell("Ġtable", Spelling::ByteLevel), b" table");
        assert_eq!(spell("Ċ", Spelling::ByteLevel), b"\n");
        // U+0143 is the last of the 68 hidden bytes: the soft hyphen, 0xAD.
        assert_eq!(spell("\u{143}", Spelling::ByteLevel), [0xad]);
    }
}
