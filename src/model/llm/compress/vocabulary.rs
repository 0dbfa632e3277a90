//! A smaller vocabulary: the tokens that the tokenizer made first, which are the commonest, and those that the text uses.
//!
//! Pure but for the cutting of tensors. Byte-pair encoding ("Neural Machine Translation of Rare Words with Subword Units", arXiv:1508.07909) makes each token of two
//! earlier ones, so any beginning of its list of merges is a tokenizer, too: it spells with shorter tokens what it has none for. With a token those that it is made of
//! stay, so a text of tokens that stay is tokenized as before. Embedding and head lose the rows of the others; those that stay are not changed.

use std::collections::{BTreeMap, HashMap};

use candle_core::quantized::gguf_file::Value;
use candle_core::quantized::{QStorage, QTensor};

use super::{GgufFile, LlmError};

/// Kernels take rows in blocks of this.
const STEP: usize = 256;
/// The file's token types (ggml `llama_token_type`): ordinary text, and what nothing is ever written with.
const NORMAL: i64 = 1;
const UNUSED: i64 = 5;

/// What of a vocabulary stays.
pub(super) struct Vocabulary {
    /// The tokens, by their numbers in the file that was read, rising.
    pub(super) kept: Vec<u32>,
    /// The merges, by their place in the list.
    merges: Vec<usize>,
}

/// Tokens that two others make, and of which.
struct Made {
    /// The token that a merge makes, its parts, in the order of the list; `None` where a token is missing.
    all: Vec<Option<(u32, [u32; 2])>>,
    parts_of: HashMap<u32, [u32; 2]>,
}

impl Made {
    fn new(tokens: &[&str], merges: &[&str]) -> Self {
        let id_of: HashMap<&str, u32> = (0..).zip(tokens).map(|(id, token)| (*token, id)).collect();
        let made = |merge: &&str| {
            let (a, b) = merge.split_once(' ')?;
            let whole = format!("{a}{b}");
            Some((*id_of.get(whole.as_str())?, [*id_of.get(a)?, *id_of.get(b)?]))
        };
        let all: Vec<_> = merges.iter().map(made).collect();
        let mut parts_of = HashMap::new();
        for (whole, parts) in all.iter().flatten() {
            parts_of.entry(*whole).or_insert(*parts);
        }
        Self { all, parts_of }
    }
}

/// Tokens that stay, growing.
struct Staying {
    stays: Vec<bool>,
    count: usize,
}

impl Staying {
    /// With a token those that it is made of.
    fn add(&mut self, token: u32, made: &Made) {
        let mut left = vec![token];
        while let Some(token) = left.pop() {
            let Some(stays) = self.stays.get_mut(token as usize).filter(|stays| !**stays) else { continue };
            *stays = true;
            self.count += 1;
            left.extend(made.parts_of.get(&token).into_iter().flatten());
        }
    }
}

impl Vocabulary {
    /// About `count` tokens of `tokens`, which are of these types, and all that are `used`.
    pub(super) fn choose(
        (tokens, types, merges): (&[&str], &[i64], &[&str]),
        used: impl Iterator<Item = u32>,
        count: usize,
    ) -> Self {
        let made = Made::new(tokens, merges);
        let mut staying = Staying { stays: vec![false; tokens.len()], count: 0 };
        // Bytes, and marks.
        for (id, kind) in (0..).zip(types) {
            let is_made = *kind == NORMAL && made.parts_of.contains_key(&id);
            if *kind != UNUSED && !is_made {
                staying.add(id, &made);
            }
        }
        used.for_each(|token| staying.add(token, &made));
        let by_rank = made.all.iter().flatten().map(|(whole, _)| *whole);
        // Rows come out even as long as there are any.
        for token in by_rank.chain((0..).zip(tokens).map(|(id, _)| id)) {
            if staying.count >= count && staying.count.is_multiple_of(STEP) {
                break;
            }
            // One token at a time, so that blocks come out even: what it is made of came before it.
            staying.add(token, &made);
        }
        let stays = |id: u32| staying.stays[id as usize];
        let whole = |(at, merge): (usize, &Option<(u32, [u32; 2])>)| {
            merge.filter(|(whole, [a, b])| stays(*whole) && stays(*a) && stays(*b)).map(|_| at)
        };
        let merges = made.all.iter().enumerate().filter_map(whole).collect();
        let kept = (0..).zip(&staying.stays).filter_map(|(id, stays)| stays.then_some(id)).collect();
        Self { kept, merges }
    }

    /// The number of a token in the new file.
    pub(super) fn number(&self, token: u32) -> Option<u32> {
        self.kept.binary_search(&token).ok().and_then(|at| u32::try_from(at).ok())
    }

    /// What the header says of the tokenizer, of what stays.
    pub(super) fn cut(&self, arch: &str, metadata: &mut BTreeMap<String, Value>) {
        let of = |list: &Value, at: &[usize]| {
            let list = list.to_vec().ok()?;
            Some(Value::Array(at.iter().filter_map(|i| list.get(*i).cloned()).collect()))
        };
        let tokens: Vec<usize> = self.kept.iter().map(|id| *id as usize).collect();
        let lists = [("tokens", &tokens), ("token_type", &tokens), ("scores", &tokens), ("merges", &self.merges)];
        for (name, at) in lists {
            let key = format!("tokenizer.ggml.{name}");
            if let Some(list) = metadata.get(&key).and_then(|list| of(list, at)) {
                metadata.insert(key, list);
            }
        }
        let ids: Vec<String> = metadata.keys().filter(|k| k.ends_with("_token_id")).cloned().collect();
        for key in ids {
            match metadata.get(&key).and_then(|id| id.to_u32().ok()).and_then(|id| self.number(id)) {
                Some(id) => metadata.insert(key, Value::U32(id)),
                None => metadata.remove(&key),
            };
        }
        if let Some(size) = metadata.get_mut(&format!("{arch}.vocab_size")) {
            *size = Value::U32(u32::try_from(self.kept.len()).unwrap_or(u32::MAX));
        }
    }

    /// The rows of a matrix that stay, as they are.
    pub(super) fn rows(&self, matrix: &QTensor) -> candle_core::Result<QTensor> {
        let (rows, columns) = matrix.shape().dims2()?;
        let data = matrix.data()?;
        let row = data.len() / rows.max(1);
        let bytes: Vec<u8> = self.kept.iter().flat_map(|id| &data[*id as usize * row..][..row]).copied().collect();
        let storage = QStorage::from_data(bytes.into(), &candle_core::Device::Cpu, matrix.dtype())?;
        QTensor::new(storage, (self.kept.len(), columns))
    }
}

/// See [`Vocabulary::choose`].
pub(super) fn of_file(file: &GgufFile, used: impl Iterator<Item = u32>, count: usize) -> Result<Vocabulary, LlmError> {
    let (tokens, merges) = (file.texts("tokenizer.ggml.tokens")?, file.texts("tokenizer.ggml.merges")?);
    let types = crate::model::llm::tokenizer::token_types(file, tokens.len())?;
    Ok(Vocabulary::choose((&tokens, &types, &merges), used, count))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKENS: [&str; 10] = ["a", "b", "c", "<end>", "ab", "bc", "abc", "abab", "[PAD]", "abcabc"];
    const TYPES: [i64; 10] = [1, 1, 1, 3, 1, 1, 1, 1, 5, 1];
    const MERGES: [&str; 5] = ["a b", "b c", "ab c", "ab ab", "abc abc"];

    fn few(used: &[u32]) -> Vocabulary {
        // No token of the list is added, for blocks are never even here: so this sees what stays in any case.
        let made = Made::new(&TOKENS, &MERGES);
        let mut staying = Staying { stays: vec![false; 10], count: 0 };
        used.iter().for_each(|token| staying.add(*token, &made));
        let kept = (0..10).filter(|id| staying.stays[*id as usize]).collect();
        Vocabulary { kept, merges: vec![] }
    }

    #[test]
    fn with_a_token_those_stay_that_it_is_made_of() {
        assert_eq!(few(&[9]).kept, [0, 1, 2, 4, 6, 9]);
        assert_eq!(few(&[5, 3]).kept, [1, 2, 3, 5]);
        assert_eq!(few(&[9]).number(6), Some(4));
        assert_eq!(few(&[9]).number(7), None);
    }

    #[test]
    fn all_that_is_ever_written_stays_where_less_than_a_block_is_there() {
        let all = Vocabulary::choose((&TOKENS, &TYPES, &MERGES), [].into_iter(), 1);
        assert_eq!(all.kept.len(), 10);
        assert_eq!(all.merges, [0, 1, 2, 3, 4]);
    }

    #[test]
    fn the_first_merges_stay_and_the_header_says_so() {
        // Two letters, each pair of them, each pair of those and so on: more than a block.
        let mut tokens: Vec<String> = (0..20u8).map(|i| char::from(b'a' + i).to_string()).collect();
        let mut merges = Vec::new();
        for a in 0..20 {
            for b in 0..20 {
                merges.push(format!("{} {}", tokens[a], tokens[b]));
            }
        }
        tokens.extend(merges.iter().map(|m| m.replace(' ', "")));
        tokens.push("<end>".to_owned());
        let types: Vec<i64> = tokens.iter().map(|t| if t == "<end>" { 3 } else { NORMAL }).collect();
        let (named, listed): (Vec<&str>, Vec<&str>) =
            (tokens.iter().map(String::as_str).collect(), merges.iter().map(String::as_str).collect());
        let less = Vocabulary::choose((&named, &types, &listed), [419].into_iter(), 100);
        assert_eq!(less.kept.len(), 256);
        // Twenty letters, the mark, the one that is used, and the first 234.
        assert_eq!(less.kept[..254], (0..254).collect::<Vec<u32>>());
        assert_eq!(less.kept[254..], [419, 420]);
        let text = |all: &[String]| Value::Array(all.iter().cloned().map(Value::String).collect());
        let mut metadata: BTreeMap<String, Value> = [
            ("tokenizer.ggml.tokens".to_owned(), text(&tokens)),
            ("tokenizer.ggml.merges".to_owned(), text(&merges)),
            ("tokenizer.ggml.eos_token_id".to_owned(), Value::U32(420)),
            ("tokenizer.ggml.padding_token_id".to_owned(), Value::U32(400)),
            ("qwen2.vocab_size".to_owned(), Value::U32(421)),
        ]
        .into();
        less.cut("qwen2", &mut metadata);
        assert_eq!(metadata["tokenizer.ggml.tokens"].to_vec().unwrap().len(), 256);
        assert_eq!(metadata["tokenizer.ggml.merges"].to_vec().unwrap().len(), 235);
        assert_eq!(metadata["tokenizer.ggml.eos_token_id"].to_u32().unwrap(), 255);
        assert_eq!(metadata["qwen2.vocab_size"].to_u32().unwrap(), 256);
        assert!(!metadata.contains_key("tokenizer.ggml.padding_token_id"), "it has gone");
    }
}
