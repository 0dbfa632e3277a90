//! Text to tokens and back, from the tables in the GGUF file.
//!
//! Source: byte-level BPE as in GPT-2's encoder.py; the splitting rules are those of Qwen2 and SmolLM2, as llama.cpp names them in
//! `tokenizer.ggml.pre`. Differs from `tokenizers`' own use in one point: no control token is registered with the encoder, so
//! no text that a person or a camera supplies can ever become one. Control tokens enter by id, in `chat.rs`, only.

use std::collections::HashMap;

use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::normalizers::unicode::NFC;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{SplitDelimiterBehavior, Tokenizer};

use crate::dialogue::{CALL_CLOSE, CALL_OPEN, Prompt};
use crate::model::language::{Rendered, TextCodec};

use super::LlmError;
use super::chat::ChatMarks;
use super::gguf::GgufFile;
use super::known::Known;

/// Letters with the mark before them, single digits, punctuation, line ends, space: Qwen2's tokenizer.json.
const QWEN2_WORDS: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// The file's token types (ggml `llama_token_type`) of ordinary text and of single bytes.
const NORMAL: i64 = 1;
const BYTE: i64 = 6;
/// The marks around a call of a function: what stands for them in a prompt, and what they are to the model.
const CALL_MARKS: [(char, &str); 2] = [(CALL_OPEN, "<tool_call>"), (CALL_CLOSE, "</tool_call>")];

/// The tokenizer of one model.
pub(super) struct GgufTokenizer {
    encoder: Tokenizer,
    /// Bytes of token `i` are `bytes[starts[i]..starts[i + 1]]`; empty for control tokens.
    bytes: Vec<u8>,
    starts: Vec<u32>,
    marks: ChatMarks,
    ends: Vec<u32>,
    /// Tokens of [`CALL_MARKS`] where the model has them.
    calls: [Option<u32>; 2],
    known: Known,
}

impl GgufTokenizer {
    pub(super) fn from_gguf(file: &GgufFile) -> Result<Self, LlmError> {
        let kind = file.text("tokenizer.ggml.model")?;
        if kind != "gpt2" {
            return Err(file.unsupported(format!("its tokenizer is {kind:?}, not byte-level BPE")));
        }
        let tokens = file.texts("tokenizer.ggml.tokens")?;
        let types = token_types(file, tokens.len())?;
        let vocab: Vocab = (0u32..).zip(&tokens).map(|(id, t)| ((*t).to_owned(), id)).collect();
        let id_of = |text: &str| vocab.get(text).copied();
        let (Some(open), Some(close)) = (id_of("<|im_start|>"), id_of("<|im_end|>")) else {
            return Err(file.unsupported("its vocabulary has no ChatML marks"));
        };
        let calls = CALL_MARKS.map(|(_, text)| id_of(text));
        let mut ends = vec![close];
        ends.extend(id_of("<|endoftext|>"));
        if let Ok(eos) = file.value("tokenizer.ggml.eos_token_id") {
            ends.extend(eos.to_u32().ok());
        }
        let (bytes, starts) = byte_table(&tokens, &types, &calls);
        let merges = merges(file)?;
        let bpe = BPE::builder().vocab_and_merges(vocab, merges).build();
        let bpe = bpe.map_err(|e| file.corrupt(format!("its merge table does not fit its vocabulary: {e}")))?;
        let mut encoder = Tokenizer::new(bpe);
        encoder.with_pre_tokenizer(Some(splitter(file)?));
        if file.text("tokenizer.ggml.pre").is_ok_and(|pre| pre == "qwen2") {
            encoder.with_normalizer(Some(NFC)).map_err(|e| file.corrupt(e.to_string()))?;
        }
        let mut made =
            Self { encoder, bytes, starts, marks: ChatMarks::default(), ends, calls, known: Known::default() };
        made.marks = ChatMarks::new(open, close, |text| made.encode(text));
        Ok(made)
    }

    /// Tokens of text; only what stands for a mark of ours becomes one.
    pub(super) fn encode(&self, text: &str) -> Vec<u32> {
        let mut tokens = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find(CALL_MARKS.map(|(mark, _)| mark)) {
            tokens.extend(self.encode_plain(&rest[..at]));
            let mark = rest[at..].chars().next();
            let index = usize::from(mark == Some(CALL_CLOSE));
            match self.calls[index] {
                Some(token) => tokens.push(token),
                None => tokens.extend(self.encode_plain(CALL_MARKS[index].1)),
            }
            rest = &rest[at + mark.map_or(0, char::len_utf8)..];
        }
        tokens.extend(self.encode_plain(rest));
        tokens
    }

    fn encode_plain(&self, text: &str) -> Vec<u32> {
        match self.encoder.encode_fast(text, false) {
            Ok(encoding) => encoding.get_ids().to_vec(),
            Err(e) => {
                // Byte-level BPE has a token for every byte, so this cannot come from the text.
                tracing::error!(error = %e, "tokenizer failed");
                Vec::new()
            }
        }
    }
}

impl TextCodec for GgufTokenizer {
    fn count(&self, text: &str) -> usize {
        self.known.tokens(text, |text| self.encode(text)).len()
    }

    fn render(&self, prompt: &Prompt) -> Rendered {
        self.marks.render(prompt, |text| self.known.tokens(text, |text| self.encode(text)))
    }

    fn bytes(&self, token: u32) -> &[u8] {
        let at = |i: usize| self.starts.get(i).map(|&s| s as usize);
        match (at(token as usize), at(token as usize + 1)) {
            (Some(from), Some(to)) => &self.bytes[from..to],
            _ => &[],
        }
    }

    fn is_end(&self, token: u32) -> bool {
        self.ends.contains(&token)
    }
}

/// What kind of token each is, as ggml counts them.
pub(super) fn token_types(file: &GgufFile, tokens: usize) -> Result<Vec<i64>, LlmError> {
    let list =
        file.value("tokenizer.ggml.token_type")?.to_vec().map_err(|_| file.corrupt("token types are not a list"))?;
    if list.len() != tokens {
        return Err(file.corrupt(format!("{} token types for {tokens} tokens", list.len())));
    }
    let number =
        |v: &candle_core::quantized::gguf_file::Value| v.to_i32().map(i64::from).or_else(|_| v.to_u32().map(i64::from));
    list.iter().map(|v| number(v).map_err(|_| file.corrupt("a token type is not a number"))).collect()
}

fn merges(file: &GgufFile) -> Result<Vec<(String, String)>, LlmError> {
    let pairs = file.texts("tokenizer.ggml.merges")?;
    let split = |m: &str| m.split_once(' ').map(|(a, b)| (a.to_owned(), b.to_owned()));
    pairs.iter().map(|m| split(m).ok_or_else(|| file.corrupt(format!("merge {m:?} is not a pair")))).collect()
}

fn splitter(file: &GgufFile) -> Result<PreTokenizerWrapper, LlmError> {
    let bytes = |split_words| ByteLevel::new(false, false, split_words);
    match file.text("tokenizer.ggml.pre").unwrap_or("gpt-2") {
        "qwen2" => {
            let words = SplitPattern::Regex(QWEN2_WORDS.to_owned());
            let words = Split::new(words, SplitDelimiterBehavior::Isolated, false)
                .map_err(|e| file.unsupported(format!("its splitting rule: {e}")))?;
            Ok(Sequence::new(vec![words.into(), bytes(false).into()]).into())
        }
        "smollm" => Ok(Sequence::new(vec![Digits::new(true).into(), bytes(true).into()]).into()),
        "gpt-2" | "default" => Ok(bytes(true).into()),
        other => Err(file.unsupported(format!("its splitting rule is {other:?}"))),
    }
}

/// GPT-2's reversible map of bytes to printable characters, turned round.
fn byte_of_char() -> HashMap<char, u8> {
    let printable = |b: u8| matches!(b, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    let others =
        (0..=u8::MAX).filter(|b| !printable(*b)).zip(0x100u32..).filter_map(|(b, c)| Some((char::from_u32(c)?, b)));
    (0..=u8::MAX).filter(|b| printable(*b)).map(|b| (char::from(b), b)).chain(others).collect()
}

/// What each token writes. The marks of calls are text too, whatever their type: an answer is searched for them.
fn byte_table(tokens: &[&str], types: &[i64], calls: &[Option<u32>; 2]) -> (Vec<u8>, Vec<u32>) {
    let map = byte_of_char();
    let mut bytes = Vec::new();
    let mut starts = vec![0];
    for (id, (token, kind)) in (0u32..).zip(tokens.iter().zip(types)) {
        if calls.contains(&Some(id)) {
            bytes.extend(token.bytes());
        } else if matches!(*kind, NORMAL | BYTE) {
            bytes.extend(token.chars().filter_map(|c| map.get(&c)));
        }
        starts.push(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    }
    (bytes, starts)
}

#[cfg(test)]
mod tests {
    use super::byte_of_char;

    #[test]
    fn every_byte_has_exactly_one_character() {
        let map = byte_of_char();
        assert_eq!(map.len(), 256);
        assert_eq!(map[&'Ġ'], b' ');
        assert_eq!(map[&'Ċ'], b'\n');
    }
}
